#define _GNU_SOURCE
#include "host.h"
#include "_cgo_export.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static __thread uintptr_t instance;
static int loader_pid;

__attribute__((constructor)) static void loaded(void)
{
    loader_pid = (int) getpid();
}

uintptr_t host_instance(void)
{
    return instance;
}

void host_set_instance(uintptr_t handle)
{
    instance = handle;
}

/* Whether the host went into the background after it had loaded this library.
 * Of the Go runtime only this thread has come along, so nothing of it can be
 * called: every call is answered here. */
static int forked(void)
{
    return (int) getpid() != loader_pid;
}

/* Each symbol is in all releases of its version and later, and in none before. */
static const struct {
    const char *symbol;
    const char *version;
} versions[] = {
    {"flb_input_plugin_pause", "5.1 or later"},
    {"flb_input_chunk_ring_buffer_enqueue", "5.0"},
    {"flb_router_chunk_context_init", "4.2"},
    {"flb_pack_json_ext", "4.1"},
    {"flb_input_get_global_config_map", "4.0"},
    {"flb_http_client_ng_create", "3.2"},
    {"flb_log_event_decoder_read_groups", "3.1"},
    {"flb_http_do_request", "3.0"},
};

const char *host_version(void)
{
    if (!dlsym(RTLD_DEFAULT, "flb_start")) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        if (dlsym(RTLD_DEFAULT, versions[i].symbol)) {
            return versions[i].version;
        }
    }
    return "before 3.0";
}

int host_ends_start(void)
{
    return !dlsym(RTLD_DEFAULT, "flb_start") || dlsym(RTLD_DEFAULT, "flb_engine_stop_ingestion");
}

int host_ignores_conditions(void)
{
    return dlsym(RTLD_DEFAULT, "flb_router_chunk_context_init") && !dlsym(RTLD_DEFAULT, "flb_input_log_append_processed");
}

/* The instance of this thread, when the host went into the background. */
static __thread struct {
    const struct host_api *api;
    void *input;
    time_t said;
} background;

/* Says, at most once a minute, why the block collects nothing. */
static void refuse_background(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!background.api || (background.said != 0 && now.tv_sec - background.said < 60)) {
        return;
    }
    background.said = now.tv_sec;
    host_log(background.api, 1, host_name(background.input) ? host_name(background.input) : "mimecast",
             "this block collects nothing: Fluent Bit went into the background after it had loaded this plugin, "
             "which can't work; run it in the foreground, without the option daemon, and leave the background to "
             "the service manager");
}

/* FLBPluginPreRegister is called before Register, on the main thread, with 1
 * when the host is about to reload its configuration. It returns 0; -1 keeps
 * the plugin from being registered, and the host then keeps the old
 * configuration. */
int FLBPluginPreRegister(int hot_reloading)
{
    return forked() ? -1 : mimecastPreRegister(hot_reloading);
}

/* FLBPluginInit is called once per [INPUT] block, on its thread, while the main
 * thread waits. plugin is the same for all blocks. It returns FLB_OK (1), or
 * FLB_ERROR (0) to end the host's start; where that would harm the host it
 * always returns FLB_OK. */
int FLBPluginInit(struct host_plugin *plugin)
{
    if (forked()) {
        background.api = plugin->api;
        background.input = plugin->input;
        refuse_background();
        return host_ends_start() ? 0 : 1;
    }
    return mimecastInit(plugin);
}

/* FLBPluginInputCallback is called every second, on the instance's thread, and
 * may take 0.9 s; while it runs the thread takes no pause and no exit. What it
 * puts in data and size, allocated by malloc, the host copies and then gives to
 * the cleanup callback. It leaves both alone where records can be appended
 * directly. It returns FLB_OK. */
int FLBPluginInputCallback(void **data, size_t *size)
{
    *data = NULL;
    *size = 0;
    if (forked()) {
        refuse_background();
        return 1;
    }
    return mimecastCallback(data, size);
}

/* FLBPluginInputCleanupCallback is called after a callback that returned data,
 * on the same thread, and frees it. That the host calls it does not mean that
 * it has stored the data. It returns FLB_OK. */
int FLBPluginInputCleanupCallback(void *data)
{
    free(data);
    return 1;
}

/* FLBPluginInputPause is called, on the instance's thread, when the host takes
 * no more records of the instance, and at its end. The host may go on calling
 * the callback all the same. */
void FLBPluginInputPause(void)
{
    if (!forked()) {
        mimecastPause();
    }
}

/* FLBPluginInputResume is called, on the instance's thread, when a pause ends. */
void FLBPluginInputResume(void)
{
    if (!forked()) {
        mimecastResume();
    }
}

/* FLBPluginExit is called once per instance at its end. In version 5 it comes
 * on the instance's thread while the main thread waits; where it comes on
 * another thread, all instances are at their end. It takes about a second at
 * most and returns FLB_OK. */
int FLBPluginExit(void)
{
    return forked() ? 1 : mimecastExit();
}

/* FLBPluginUnregister is called after the last Exit of a configuration, on the
 * main thread, with what Register filled in, which it frees. */
void FLBPluginUnregister(void *def)
{
    if (!forked()) {
        mimecastUnregister(def);
    }
}

const char *host_name(void *input)
{
    const char *(*name)(void *) = dlsym(RTLD_DEFAULT, "flb_input_name");

    return name ? name(input) : NULL;
}

int host_logs(const struct host_api *api, void *input, int level)
{
    return api->input_log_check ? api->input_log_check(input, level) : 1;
}

void host_log(const struct host_api *api, int level, const char *name, const char *line)
{
    api->log_print(level, NULL, 0, "[input:mimecast:%s] %s", name, line);
}

typedef int append_fn(void *, size_t, const char *, size_t, const void *, size_t);

static append_fn *find_append(void)
{
    return (append_fn *) dlsym(RTLD_DEFAULT, "flb_input_log_append_records");
}

int host_can_append(void)
{
    return find_append() != NULL;
}

int host_append(void *input, size_t records, const char *tag, size_t tag_len, const void *buf, size_t len)
{
    append_fn *append = find_append();

    return append ? append(input, records, tag, tag_len, buf, len) : -1;
}

#define RECORDS_TOTAL "fluentbit_input_records_total"
#define QUEUED_TOTAL "fluentbit_input_ring_buffer_writes_total"

static int is_count(void *context, const char *name, size_t len)
{
    (void) context;
    (void) len;
    return strcmp(name, RECORDS_TOTAL) == 0 || strcmp(name, QUEUED_TOTAL) == 0;
}

typedef int compare_fn(void *, const char *, size_t);

/* Spells the metrics of an instance that host_counts needs; all of them where the host
 * can't pick them, which takes it longer the more there are. */
static char *spell_counts(void *metrics)
{
    char *(*encode)(void *) = dlsym(RTLD_DEFAULT, "cmt_encode_text_create");
    void *(*create)(void) = dlsym(RTLD_DEFAULT, "cmt_create");
    void (*destroy)(void *) = dlsym(RTLD_DEFAULT, "cmt_destroy");
    int (*filter)(void *, void *, const char *, const char *, void *, compare_fn *, int) =
        dlsym(RTLD_DEFAULT, "cmt_filter");
    void *some = create && destroy && filter ? create() : NULL;
    char *text;

    if (!encode) {
        return NULL;
    }
    if (some && filter(some, metrics, NULL, NULL, some, is_count, 0) == 0) {
        text = encode(some);
    }
    else {
        text = encode(metrics);
    }
    if (some) {
        destroy(some);
    }
    return text;
}

/* The value of a metric that has one series in cmetrics' text form:
 *     {time} {name}{{label}="{value}"} = {number}
 */
static int64_t metric(const char *text, const char *name)
{
    const char *line, *end, *at, *value = NULL;
    char *rest;
    double n;

    line = strstr(text, name);
    if (!line) {
        return -1;
    }
    end = strchr(line, '\n');
    for (at = strstr(line, " = "); at && (!end || at < end); at = strstr(at + 1, " = ")) {
        value = at + 3;
    }
    if (!value) {
        return -1;
    }
    n = strtod(value, &rest);
    if (rest == value || !(n >= 0 && n < 9e15)) {
        return -1;
    }
    return (int64_t) n;
}

int64_t host_counts(const struct host_api *api, void *input, int64_t *queued)
{
    void (*release)(char *) = dlsym(RTLD_DEFAULT, "cmt_encode_text_destroy");
    void *metrics;
    char *text;
    int64_t records;

    *queued = -1;
    if (!release || !api->input_get_cmt_instance) {
        return -1;
    }
    metrics = api->input_get_cmt_instance(input);
    text = metrics ? spell_counts(metrics) : NULL;
    if (!text) {
        return -1;
    }
    records = metric(text, RECORDS_TOTAL "{");
    *queued = metric(text, QUEUED_TOTAL "{");
    release(text);
    return records;
}

struct host_metric *host_metric(const struct host_api *api, void *input, int counter, const char *name,
                                const char *help, int labels, char **keys)
{
    struct host_metric *(*create)(void *, const char *, const char *, const char *, const char *, int, char **) =
        dlsym(RTLD_DEFAULT, counter ? "cmt_counter_create" : "cmt_gauge_create");
    void *metrics = api->input_get_cmt_instance ? api->input_get_cmt_instance(input) : NULL;

    if (!create || !metrics || !dlsym(RTLD_DEFAULT, counter ? "cmt_counter_set" : "cmt_gauge_set")) {
        return NULL;
    }
    return create(metrics, "mimecast", "", name, help, labels, keys);
}

void host_metric_set(struct host_metric *metric, int counter, double value, int labels, char **values)
{
    int (*set)(struct host_metric *, uint64_t, double, int, char **) =
        dlsym(RTLD_DEFAULT, counter ? "cmt_counter_set" : "cmt_gauge_set");
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    set(metric, (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec, value, labels, values);
}

/* Copies memory that may not be there: a system call reports what a load would
 * die of. */
static int peek(int pipefd[2], const void *from, void *to, size_t len)
{
    ssize_t n = write(pipefd[1], from, len);

    if (n > 0 && read(pipefd[0], to, (size_t) n) != n) {
        return -1;
    }
    return n == (ssize_t) len ? 0 : -1;
}

/* The tag is no property that a plugin can ask for. In every version from 2.0 on
 * the instance has these members in a row:
 *
 *     void *context; int ch_events[2]; struct flb_input_plugin *p; char *tag; int tag_len;
 *
 * context is known, so the rest is found behind it, and checked. */
int host_tag(const void *input, const void *context, char *buf, int size)
{
    struct {
        const void *context;
        int ch_events[2];
        const void *p;
        const char *tag;
        int tag_len;
    } at;
    int pipefd[2], len = -1;
    const char *from = input;

    if (!context || pipe(pipefd) != 0) {
        return -1;
    }
    for (size_t i = 0; i < 512 && len < 0; i += sizeof(void *)) {
        if (peek(pipefd, from + i, &at, sizeof at) != 0) {
            break;
        }
        if (at.context == context && at.tag_len > 0 && at.tag_len < size &&
            peek(pipefd, at.tag, buf, (size_t) at.tag_len + 1) == 0 &&
            strnlen(buf, (size_t) size) == (size_t) at.tag_len) {
            len = at.tag_len;
        }
    }
    close(pipefd[0]);
    close(pipefd[1]);
    return len;
}
