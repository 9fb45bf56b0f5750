#define _GNU_SOURCE
#include "host.h"
#include "_cgo_export.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
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
 * called. */
static int forked(void)
{
    return (int) getpid() != loader_pid;
}

/* FLBPluginInit is called once per [INPUT] block, on its thread, while the main
 * thread waits. plugin is the same for all blocks. It returns FLB_OK (1), or
 * FLB_ERROR (0) to end the host's start; during a hot reload, where that would
 * end the host, it always returns FLB_OK. */
int FLBPluginInit(struct host_plugin *plugin)
{
    if (forked()) {
        host_log(plugin->api, 1, plugin->name,
                 "Fluent Bit went into the background after it had loaded this plugin, which can't work: "
                 "run it in the foreground, without the option daemon, and leave the background to the service manager");
        return 0;
    }
    return mimecastInit(plugin);
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
    char *(*encode)(void *) = dlsym(RTLD_DEFAULT, "cmt_encode_text_create");
    void (*release)(char *) = dlsym(RTLD_DEFAULT, "cmt_encode_text_destroy");
    void *metrics;
    char *text;
    int64_t records;

    *queued = -1;
    if (!encode || !release || !api->input_get_cmt_instance) {
        return -1;
    }
    metrics = api->input_get_cmt_instance(input);
    text = metrics ? encode(metrics) : NULL;
    if (!text) {
        return -1;
    }
    records = metric(text, "fluentbit_input_records_total{");
    *queued = metric(text, "fluentbit_input_ring_buffer_writes_total{");
    release(text);
    return records;
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
