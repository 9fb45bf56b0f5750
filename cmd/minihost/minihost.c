/*
 * minihost: a small host for Fluent Bit Go input plugins, for demos and smoke
 * tests on machines without Fluent Bit. It loads a c-shared plugin, makes the
 * calls Fluent Bit makes, on the threads Fluent Bit makes them on, and prints
 * the body of each record as one line of JSON. It has no storage, no metrics,
 * no routing, and exports none of its own symbols.
 *
 * Build:   gcc -std=gnu11 -O2 -Wall -Wextra -o minihost minihost.c -ldl -lpthread
 * Run:     minihost -e plugin.so -i name -p key=value [-i name -p ...]
 * Signals: SIGTERM and SIGINT stop it; SIGUSR1 pauses all inputs, SIGUSR2
 *          resumes them. SIGQUIT is left alone, for a plugin that hangs.
 * Status:  0 fine; 1 could not start, or could not write; 2 broken msgpack.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { ERROR = 1, WARN, INFO, DEBUG, TRACE };  /* Fluent Bit's log levels */
enum { TYPE_INPUT = 1, PROXY_GOLANG = 11 };    /* what a Go input registers as */
enum { MAX_INPUTS = 32, MAX_DEPTH = 64 };

/* ---- What the plugin sees: the layouts are Fluent Bit's ---- */

struct definition {             /* filled in by FLBPluginRegister */
    int type, proxy, flags;
    char *name, *description;
    int event_type;
    void *config_map;
};

struct context {                /* one per input; a plugin may write to it */
    int coll_fd;
    void *remote_context, *proxy;
};

struct api {
    const char *(*output_get_property)(const char *, void *);
    const char *(*input_get_property)(const char *, void *);
    void *(*output_get_cmt_instance)(void *);
    void *(*input_get_cmt_instance)(void *);
    void (*log_print)(int, const char *, int, const char *, ...);
    int (*input_log_check)(void *, int);
    int (*output_log_check)(void *, int);
};

/* What FLBPluginInit gets: one struct for all inputs, with input and context
 * set anew for each. The entry points are the host's own use of it. */
static struct plugin {
    char *name;
    struct api *api;
    void *input;
    struct context *context;
    int (*init)(struct plugin *);
    int (*collect)(void **, size_t *);
    int (*collect_ctx)(void *, void **, size_t *);
    int (*cleanup)(void *);
    int (*cleanup_ctx)(void *, void *);
    int (*exit)(void);
    int (*pre_run)(int);
    void (*pause)(void);
    void (*resume)(void);
    void (*pre_exit)(int);
} plugin;

/* ---- The host's own state ---- */

struct property {
    char *key, *value;
    struct property *next;
};

static struct input {           /* one -i block; opaque to the plugin */
    const char *name;
    char label[64];             /* "name.0", for messages */
    struct property *properties;
    struct context context;
    pthread_t thread;
    sem_t init_done;
    bool up;                    /* FLBPluginInit said yes */
    int commands[2];            /* a pipe of one-letter commands to the thread */
} inputs[MAX_INPUTS];

static int input_count;
static int log_level = INFO;
static atomic_int exit_status;

static pthread_mutex_t out_lock = PTHREAD_MUTEX_INITIALIZER;    /* for these: */
static FILE *out_file;
static bool out_failed;
static unsigned long long record_count, buffer_count;

static void set_status(int status)      /* the first failure decides */
{
    int fine = 0;
    atomic_compare_exchange_strong(&exit_status, &fine, status);
}

/* ---- The API table ---- */

__attribute__((format(printf, 4, 5)))
static void log_print(int level, const char *file, int line, const char *fmt, ...)
{
    static const char *names[] = {"error", "error", " warn", " info", "debug", "trace"};
    char stamp[32], text[4096];
    time_t now = time(NULL);
    struct tm tm;
    va_list args;

    (void)file, (void)line;
    if (level > log_level)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    strftime(stamp, sizeof(stamp), "%Y/%m/%d %H:%M:%S", localtime_r(&now, &tm));
    fprintf(stderr, "[%s] [%s] %s\n", stamp, names[level < 0 ? 0 : level], text);
}

#define LOG(level, fmt, ...) \
    log_print(level, __FILE__, __LINE__, "[minihost] " fmt, ##__VA_ARGS__)

static const char *input_get_property(const char *key, void *input)
{
    struct property *p = ((struct input *)input)->properties;

    if (!key || !strcasecmp(key, "tag"))        /* the tag is the host's */
        return NULL;
    while (p && strcasecmp(key, p->key))
        p = p->next;
    return p && *p->value ? p->value : NULL;    /* an empty value is no value */
}

static const char *no_property(const char *key, void *output) { (void)key, (void)output; return NULL; }
static void *no_metrics(void *instance) { (void)instance; return NULL; }
static int log_check(void *instance, int level) { (void)instance; return level <= log_level; }

static struct api api = {
    no_property, input_get_property, no_metrics, no_metrics, log_print, log_check, log_check,
};

/* ---- A growing text ---- */

struct text {
    char *p;
    size_t len, cap;
};

static void put(struct text *t, const void *data, size_t len)
{
    if (t->cap - t->len <= len) {       /* there is always room for a final NUL */
        t->cap = (t->cap + len) * 2 + 256;
        t->p = realloc(t->p, t->cap);
        if (!t->p)
            abort();
    }
    memcpy(t->p + t->len, data, len);
    t->len += len;
    t->p[t->len] = '\0';
}

__attribute__((format(printf, 2, 3)))
static void putf(struct text *t, const char *fmt, ...)      /* short pieces only */
{
    char tmp[64];
    va_list args;

    va_start(args, fmt);
    vsnprintf(tmp, sizeof(tmp), fmt, args);
    va_end(args);
    put(t, tmp, strlen(tmp));
}

/* ---- msgpack to JSON ----
 * The functions read at `pos`; false means broken data, with the reason and the
 * offset noted. Only peek() and take() get at the bytes, and they check. */

struct reader {
    const unsigned char *p;
    size_t pos, len, error_pos;
    const char *error;
};

static bool broken(struct reader *r, size_t pos, const char *error)
{
    r->error_pos = pos;
    r->error = error;
    return false;
}

static int peek(struct reader *r)       /* the next byte, or -1 at the end */
{
    return r->pos < r->len ? r->p[r->pos] : -1;
}

static const unsigned char *take(struct reader *r, uint64_t n)
{
    if (n > r->len - r->pos) {
        broken(r, r->pos, "cut short");
        return NULL;
    }
    r->pos += n;
    return r->p + r->pos - n;
}

static bool take_uint(struct reader *r, int bytes, uint64_t *n)     /* big-endian */
{
    const unsigned char *p = take(r, bytes);

    *n = 0;
    for (int i = 0; p && i < bytes; i++)
        *n = *n << 8 | p[i];
    return p != NULL;
}

/* -1, the end, is neither of these. */
static bool is_map(int c) { return (c & 0xf0) == 0x80 || c == 0xde || c == 0xdf; }
static bool is_array(int c) { return (c & 0xf0) == 0x90 || c == 0xdc || c == 0xdd; }

static bool take_count(struct reader *r, bool map, uint64_t *n)     /* of a map or an array */
{
    int c = peek(r);

    if (!(map ? is_map(c) : is_array(c)))
        return broken(r, r->pos, c < 0 ? "cut short" : map ? "not a map" : "not an array");
    r->pos++;
    *n = c & 0x0f;
    return c < 0xa0 || take_uint(r, c & 1 ? 4 : 2, n);
}

static bool put_quoted(struct reader *r, struct text *t, uint64_t n)
{
    const unsigned char *s = take(r, n);
    size_t done = 0;

    if (!s)
        return false;
    put(t, "\"", 1);
    for (size_t i = 0; i < n; i++)
        if (s[i] < 0x20 || s[i] == '"' || s[i] == '\\') {
            put(t, s + done, i - done);
            putf(t, s[i] < 0x20 ? "\\u%04x" : "\\%c", s[i]);
            done = i + 1;
        }
    put(t, s + done, n - done);
    put(t, "\"", 1);
    return true;
}

static bool put_float(struct reader *r, struct text *t, int bytes)
{
    uint64_t n;
    uint32_t n32;
    float f;
    double d;

    if (!take_uint(r, bytes, &n))
        return false;
    n32 = n;
    memcpy(&f, &n32, sizeof(f));
    memcpy(&d, &n, sizeof(d));
    if (bytes == 4)
        d = f;
    putf(t, isfinite(d) ? "%.17g" : "null", d);     /* JSON has no infinity */
    return true;
}

static bool put_value(struct reader *r, struct text *t, int depth);

static bool put_list(struct reader *r, struct text *t, bool map, int depth)
{
    uint64_t n;

    if (depth > MAX_DEPTH)
        return broken(r, r->pos, "nested too deeply");
    if (!take_count(r, map, &n))
        return false;
    put(t, map ? "{" : "[", 1);
    for (uint64_t i = 0; i < n; i++) {
        if (i)
            put(t, ",", 1);
        if (map) {
            size_t start = t->len;
            char tmp[64];

            if (is_map(peek(r)) || is_array(peek(r)))
                return broken(r, r->pos, "a map or an array as a key");
            if (!put_value(r, t, depth + 1))
                return false;
            if (t->p[start] != '"') {   /* JSON wants a string: 1 becomes "1" */
                snprintf(tmp, sizeof(tmp), "%s", t->p + start);
                t->len = start;
                putf(t, "\"%s\"", tmp);
            }
            put(t, ":", 1);
        }
        if (!put_value(r, t, depth + 1))
            return false;
    }
    put(t, map ? "}" : "]", 1);
    return true;
}

static bool put_value(struct reader *r, struct text *t, int depth)
{
    int c = peek(r), shift;
    uint64_t n;

    if (c < 0)
        return broken(r, r->pos, "cut short");
    if (is_map(c) || is_array(c))
        return put_list(r, t, is_map(c), depth);
    r->pos++;
    if (c <= 0x7f || c >= 0xe0)                             /* small int */
        return putf(t, "%d", c <= 0x7f ? c : c - 0x100), true;
    if (c <= 0xbf)                                          /* short str */
        return put_quoted(r, t, c & 0x1f);
    switch (c) {
    case 0xc0:
        return putf(t, "null"), true;
    case 0xc2: case 0xc3:
        return putf(t, c == 0xc3 ? "true" : "false"), true;
    case 0xc4: case 0xc5: case 0xc6:                        /* bin */
        return take_uint(r, 1 << (c - 0xc4), &n) && put_quoted(r, t, n);
    case 0xd9: case 0xda: case 0xdb:                        /* str */
        return take_uint(r, 1 << (c - 0xd9), &n) && put_quoted(r, t, n);
    case 0xc7: case 0xc8: case 0xc9:                        /* ext: length, type */
        return take_uint(r, 1 << (c - 0xc7), &n) && take(r, 1) && put_quoted(r, t, n);
    case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8:
        return take(r, 1) && put_quoted(r, t, 1 << (c - 0xd4));
    case 0xca: case 0xcb:
        return put_float(r, t, c == 0xca ? 4 : 8);
    case 0xcc: case 0xcd: case 0xce: case 0xcf:             /* uint */
        if (!take_uint(r, 1 << (c - 0xcc), &n))
            return false;
        return putf(t, "%llu", (unsigned long long)n), true;
    case 0xd0: case 0xd1: case 0xd2: case 0xd3:             /* int */
        if (!take_uint(r, 1 << (c - 0xd0), &n))
            return false;
        shift = 64 - (8 << (c - 0xd0));
        return putf(t, "%lld", (long long)(n << shift) >> shift), true;
    }
    return broken(r, r->pos - 1, "no such type");           /* 0xc1 */
}

static bool take_pair(struct reader *r)         /* the head of an array of two */
{
    size_t start = r->pos;
    uint64_t n;

    return take_count(r, false, &n) && (n == 2 || broken(r, start, "not an array of two"));
}

/* An event time (ext type 0 of eight bytes) or a plain number; t is scratch. */
static bool skip_timestamp(struct reader *r, struct text *t)
{
    const unsigned char *p = r->p + r->pos;
    int c = peek(r);
    size_t start = r->pos;

    if (is_map(c) || is_array(c))
        return broken(r, start, "not a timestamp");
    if (!put_value(r, t, 1))                    /* if it was there, p[2] is safe to read */
        return false;
    if (c <= 0x7f || c >= 0xe0 || (c >= 0xca && c <= 0xd3) || (c == 0xd7 && p[1] == 0) ||
        (c == 0xc7 && p[1] == 8 && p[2] == 0))
        return true;
    return broken(r, start, "not a timestamp");
}

/* [[timestamp, metadata], body] or [timestamp, body]: only the body stays in t. */
static bool put_record(struct reader *r, struct text *t)
{
    bool nested;

    if (!take_pair(r))
        return false;
    nested = is_array(peek(r));
    if ((nested && !take_pair(r)) || !skip_timestamp(r, t) || (nested && !put_list(r, t, true, 1)))
        return false;
    t->len = 0;
    return put_list(r, t, true, 1);
}

static void print_buffer(struct input *in, const void *data, size_t size)
{
    static struct text line;            /* kept between the calls, under the lock */
    struct reader r = {.p = data, .len = size};
    bool written = true;

    pthread_mutex_lock(&out_lock);
    while (r.pos < r.len && written) {
        line.len = 0;
        if (!put_record(&r, &line)) {
            LOG(ERROR, "%s: broken msgpack at byte %zu of %zu: %s", in->label, r.error_pos,
                r.len, r.error);
            set_status(2);
            break;
        }
        put(&line, "\n", 1);
        written = fwrite(line.p, 1, line.len, out_file) == line.len;
        record_count += written;
    }
    buffer_count++;
    if ((fflush(out_file) || !written) && !out_failed) {
        LOG(ERROR, "cannot write the records: %s", strerror(errno));
        out_failed = true;
        set_status(1);
        kill(getpid(), SIGTERM);        /* stop in good order */
    }
    pthread_mutex_unlock(&out_lock);
}

/* ---- The thread of one input: all calls for the input are made here ---- */

static void collect(struct input *in)
{
    void *context = in->context.remote_context, *data = NULL;
    size_t size = 0;
    int ret = plugin.collect_ctx ? plugin.collect_ctx(context, &data, &size)
                                 : plugin.collect(&data, &size);

    if (size == 0)                      /* nothing now, and nothing to clean up */
        return;
    if (ret == -1 || !data) {
        LOG(ERROR, "%s: the callback failed", in->label);
        return;
    }
    print_buffer(in, data, size);
    if (plugin.cleanup_ctx)
        plugin.cleanup_ctx(context, data);
    else if (plugin.cleanup)
        plugin.cleanup(data);
    else
        free(data);
}

static void set_timer(int fd, int seconds)      /* periodic; 0 stops it */
{
    struct itimerspec every = {{seconds, 0}, {seconds, 0}};
    timerfd_settime(fd, 0, &every, NULL);
}

/* Commands: s start, p pause, r resume, q quit. As in Fluent Bit, an input may be
 * paused twice in a row. */
static void *input_thread(void *arg)
{
    struct input *in = arg;
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct pollfd fds[2] = {{in->commands[0], POLLIN, 0}, {timer, POLLIN, 0}};
    uint64_t ticks;
    char command;

    plugin.input = in;
    plugin.context = &in->context;
    in->up = timer != -1 && plugin.init(&plugin) > 0;
    command = in->up ? 0 : 'q';
    sem_post(&in->init_done);

    while (command != 'q') {
        if (poll(fds, 2, -1) < 0)
            continue;
        /* No tick to read: poll saw one, but a command has reset the timer since. */
        if (!fds[0].revents || read(fds[0].fd, &command, 1) != 1) {
            if (read(timer, &ticks, sizeof(ticks)) > 0)
                collect(in);
            continue;
        }
        if (command == 's' && plugin.pre_run)
            plugin.pre_run(0);
        if (command == 'p' && plugin.pause)
            plugin.pause();
        if (command == 'r' && plugin.resume)
            plugin.resume();
        if (command != 'q')
            set_timer(timer, command != 'p');
        if (command == 'q' && plugin.pre_exit)
            plugin.pre_exit(0);
        if (command == 'q' && plugin.exit)
            plugin.exit();
    }
    close(timer);
    return NULL;
}

/* ---- The main thread: start, pause and resume, stop ---- */

static void command(struct input *in, char letter)
{
    while (write(in->commands[1], &letter, 1) < 0 && errno == EINTR)
        ;
}

static void command_all(char letter)
{
    for (int i = 0; i < input_count; i++)
        command(&inputs[i], letter);
}

/* Start the inputs, each when the one before it is up; false if one fails. */
static bool start_inputs(int *up)
{
    for (*up = 0; *up < input_count; ++*up) {
        struct input *in = &inputs[*up];

        if (pipe2(in->commands, O_CLOEXEC) || sem_init(&in->init_done, 0, 0) ||
            pthread_create(&in->thread, NULL, input_thread, in)) {
            LOG(ERROR, "%s: cannot start a thread", in->label);
            return false;
        }
        while (sem_wait(&in->init_done))
            ;
        if (!in->up) {
            LOG(ERROR, "%s: the plugin failed to initialize", in->label);
            pthread_join(in->thread, NULL);
            return false;
        }
    }
    return true;
}

static long long now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* Wait for a signal, or for the end of the time (0: there is none). */
static int next_signal(int signals, long long end)
{
    struct pollfd fd = {signals, POLLIN, 0};
    struct signalfd_siginfo got;
    long long left;

    while ((left = end ? end - now_ms() : -1) > 0 || !end)
        if (poll(&fd, 1, left) > 0 && read(signals, &got, sizeof(got)) == sizeof(got))
            return got.ssi_signo;
    return SIGTERM;
}

static void run(int signals, double seconds)
{
    long long end = seconds ? now_ms() + (long long)(seconds * 1000) + 1 : 0;
    int sig;

    command_all('s');
    while ((sig = next_signal(signals, end)) == SIGUSR1 || sig == SIGUSR2) {
        LOG(INFO, "%s", sig == SIGUSR1 ? "pausing" : "resuming");
        command_all(sig == SIGUSR1 ? 'p' : 'r');
    }
    LOG(INFO, "stopping");
    command_all('p');
    for (end = now_ms() + 1000; end > now_ms();)
        poll(NULL, 0, end - now_ms());
}

/* ---- Loading, and the command line ---- */

static void *load(const char *path, struct definition *def)
{
    int (*pre_register)(int), (*do_register)(struct definition *);
    void *so = dlopen(path, RTLD_LAZY);

    if (!so) {
        LOG(ERROR, "%s", dlerror());
        return NULL;
    }
    pre_register = dlsym(so, "FLBPluginPreRegister");
    do_register = dlsym(so, "FLBPluginRegister");
    plugin.init = dlsym(so, "FLBPluginInit");
    plugin.collect = dlsym(so, "FLBPluginInputCallback");
    plugin.collect_ctx = dlsym(so, "FLBPluginInputCallbackCtx");
    plugin.cleanup = dlsym(so, "FLBPluginInputCleanupCallback");
    plugin.cleanup_ctx = dlsym(so, "FLBPluginInputCleanupCallbackCtx");
    plugin.exit = dlsym(so, "FLBPluginExit");
    plugin.pre_run = dlsym(so, "FLBPluginInputPreRun");
    plugin.pause = dlsym(so, "FLBPluginInputPause");
    plugin.resume = dlsym(so, "FLBPluginInputResume");
    plugin.pre_exit = dlsym(so, "FLBPluginInputPreExit");
    if (!do_register || !plugin.init || (!plugin.collect && !plugin.collect_ctx)) {
        LOG(ERROR, "%s lacks the entry points of an input plugin", path);
        return NULL;
    }
    if ((pre_register && pre_register(0) == -1) || do_register(def) == -1) {
        LOG(ERROR, "%s failed to register", path);
        return NULL;
    }
    if (def->type != TYPE_INPUT || def->proxy != PROXY_GOLANG || !def->name) {
        LOG(ERROR, "%s is no Go input plugin: type %d, proxy %d", path, def->type, def->proxy);
        return NULL;
    }
    for (int i = 0; i < input_count; i++)
        if (strcasecmp(inputs[i].name, def->name)) {
            LOG(ERROR, "there is no input %s: the plugin is %s", inputs[i].name, def->name);
            return NULL;
        }
    plugin.name = strdup(def->name);
    plugin.api = &api;
    return so;
}

static void usage(FILE *to)
{
    fprintf(to,
            "Usage: minihost -e plugin.so -i name [-p key=value ...] [-i name ...] [options]\n"
            "  -e FILE       the plugin, a c-shared library; comes first\n"
            "  -i NAME       start a new input block\n"
            "  -p KEY=VALUE  an option of the latest -i; '${VAR}' in the value is taken from\n"
            "                the environment (in single quotes, or the shell expands it)\n"
            "  -o FILE       append the records to FILE, not to standard output\n"
            "  -T SECONDS    stop after so many seconds\n"
            "  -v            log debug messages too (-v -v: trace)\n");
}

static char *expand(const char *s)      /* ${VAR}: one that is not set is empty */
{
    struct text t = {0};
    const char *open, *close, *value;

    while ((open = strstr(s, "${")) && (close = strchr(open, '}'))) {
        char *name = strndup(open + 2, close - open - 2);

        value = name ? getenv(name) : NULL;
        if (!value)
            LOG(WARN, "variable ${%s} is used but not set", name);
        put(&t, s, open - s);
        put(&t, value ? value : "", value ? strlen(value) : 0);
        free(name);
        s = close + 1;
    }
    put(&t, s, strlen(s));
    return t.p;
}

static bool add_input(const char *name)
{
    struct input *in = &inputs[input_count];

    if (input_count == MAX_INPUTS)
        return false;
    in->name = name;
    snprintf(in->label, sizeof(in->label), "%.40s.%d", name, input_count++);
    return true;
}

static bool add_property(const char *arg)
{
    const char *equals = strchr(arg, '=');
    struct property *p = calloc(1, sizeof(*p)), **end;

    if (!input_count || !equals || equals == arg || !p) {
        free(p);
        return false;
    }
    p->key = strndup(arg, equals - arg);
    p->value = expand(equals + 1);
    for (end = &inputs[input_count - 1].properties; *end; end = &(*end)->next)
        ;
    *end = p;                           /* of two with the same key the first counts */
    return p->key != NULL;
}

int main(int argc, char **argv)
{
    static struct definition def;       /* zeroed, as Fluent Bit's is */
    const char *path = NULL, *out_path = NULL;
    void *so, (*unregister)(struct definition *);
    int c, up, signals;
    bool good = true;
    double seconds = 0;
    sigset_t set;
    char *end;

    while (good && (c = getopt(argc, argv, "+e:i:p:o:T:vh")) != -1) {
        switch (c) {
        case 'e': good = !path; path = optarg; break;
        case 'i': good = path && add_input(optarg); break;
        case 'p': good = add_property(optarg); break;
        case 'o': out_path = optarg; break;
        case 'T': seconds = strtod(optarg, &end);
                  good = !*end && seconds > 0 && seconds < 1e6; break;
        case 'v': log_level += log_level < TRACE; break;
        case 'h': usage(stdout); return 0;
        default:  good = false;
        }
    }
    if (!good || !input_count || optind < argc) {
        usage(stderr);
        return 1;
    }
    out_file = out_path ? fopen(out_path, "ae") : stdout;
    if (!out_file) {
        LOG(ERROR, "%s: %s", out_path, strerror(errno));
        return 1;
    }

    /* Before the plugin is loaded: all threads are to inherit the blocked signals. */
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signals = signalfd(-1, &set, SFD_CLOEXEC);
    so = signals < 0 ? NULL : load(path, &def);
    if (!so)
        return 1;

    if (start_inputs(&up))
        run(signals, seconds);
    else
        set_status(1);
    while (up-- > 0) {
        command(&inputs[up], 'q');
        pthread_join(inputs[up].thread, NULL);
    }
    unregister = dlsym(so, "FLBPluginUnregister");
    if (unregister)
        unregister(&def);
    if (fclose(out_file))
        set_status(1);
    fprintf(stderr, "minihost: %llu records in %llu buffers\n", record_count, buffer_count);
    return exit_status;
}
