/* What this plugin knows of its host, Fluent Bit.
 *
 * Two structures of the host are read, both made for plugins: what Init gets,
 * and the table of functions in it. Everything else is looked up by name in
 * the running program, and done without where it is missing. */
#ifndef MIMECAST_HOST_H
#define MIMECAST_HOST_H

#include <stddef.h>
#include <stdint.h>

/* The table of functions (the host's struct flb_api, since 2.0). */
struct host_api {
    const void *output_get_property;
    const char *(*input_get_property)(const char *key, void *input);
    const void *output_get_cmt_instance;
    void *(*input_get_cmt_instance)(void *input);
    void (*log_print)(int level, const char *file, int line, const char *format, ...);
    int (*input_log_check)(void *input, int level);
};

/* What Init gets (the host's struct flbgo_input_plugin). The same for every
 * instance: what it holds is read in Init and not kept. */
struct host_plugin {
    const char *name;
    struct host_api *api;
    void *input;
    void *context; /* equals a member of the instance, see host_tag */
};

/* The instance that the calling thread belongs to: the host gives each a thread
 * of its own. 0 on all other threads. */
uintptr_t host_instance(void);
void host_set_instance(uintptr_t handle);

/* The version of Fluent Bit, as far as its symbols tell: "4.2", of the newest one
 * known "5.1 or later", of the oldest "before 3.0"; NULL when the host is no Fluent
 * Bit. Its own text of the version can't be reached. */
const char *host_version(void);

/* Whether a failing Init ends the host's start. Before 4.0.3 it does not: the host
 * runs on, with what all its blocks share freed. flb_engine_stop_ingestion came
 * with that version; a host that is no Fluent Bit has no flb_start. */
int host_ends_start(void);

/* Whether the host sends the records of a plugin past conditional routes, to
 * where match says: from 4.2.0 to 5.0.4. flb_router_chunk_context_init came with
 * the former, flb_input_log_append_processed with the repair. */
int host_ignores_conditions(void);

/* The name of an instance, "mimecast.0" or its alias; valid as long as it. */
const char *host_name(void *input);

/* Whether the instance logs lines of a level, and logging one. Only from a
 * thread of the host: from any other the line does not reach its log file. */
int host_logs(const struct host_api *api, void *input, int level);
void host_log(const struct host_api *api, int level, const char *name, const char *line);

/* Whether records can be appended from within a callback, and appending them:
 * 0 if the host took them. tag is NULL for the instance's own. */
int host_can_append(void);
int host_append(void *input, size_t records, const char *tag, size_t tag_len, const void *buf, size_t len);

/* Metrics of an instance, shown with the host's own. host_metric makes one, a counter
 * or else a gauge, and returns NULL where the host can't. It ends with the instance.
 * keys, and later values, are those of its labels. Series must all be set once before
 * Init returns: the host's main thread reads them without a lock before 5.1. */
struct host_metric;
struct host_metric *host_metric(const struct host_api *api, void *input, int counter, const char *name,
                                const char *help, int labels, char **keys);
void host_metric_set(struct host_metric *metric, int counter, double value, int labels, char **values);

/* How many records of the instance the host's main thread has taken, and how
 * many appends were put before it; -1 when it can't be known. */
int64_t host_counts(const struct host_api *api, void *input, int64_t *queued);

/* Copies the tag of an instance to buf and returns its length; -1 when it can't
 * be found. context is that of host_plugin. */
int host_tag(const void *input, const void *context, char *buf, int size);

#endif
