/*
 * minihost: as much of Fluent Bit as the plugin uses, to run it where there is no
 * Fluent Bit. It calls the plugin in the order and on the threads of Fluent Bit
 * 5.1, and exports the functions that plugin/host.c looks up in the program that
 * has loaded it. Linked without -rdynamic it exports none, as a Fluent Bit whose
 * symbols are hidden.
 *
 * Usage:   minihost -e plugin.so -c FILE
 *          FILE has a line "[INPUT]" before each block, and its options as lines of
 *          a key, a space and a value. Of the host's own options it knows tag and
 *          alias.
 * Output:  for each append that is stored the tag, as a msgpack str 32, and the
 *          records, as a msgpack bin 32. A reader that is slow holds up the main
 *          thread, after it has counted an append and before it has stored it.
 * Signals: SIGTERM and SIGINT stop it, SIGHUP reads the configuration again, SIGUSR1
 *          pauses all inputs and SIGUSR2 resumes them.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
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

enum { ERROR = 1, WARN, INFO };              /* Fluent Bit's log levels */
enum { TYPE_INPUT = 1, PROXY_GOLANG = 11 };  /* what a Go input registers as */
enum { MAX_INPUTS = 8, MAX_OPTIONS = 64 };
enum { RING = 1024, RING_MS = 250 };         /* appends; how often they are taken */

/* ---- What the plugin sees: the layouts are Fluent Bit's ---- */

struct definition {             /* filled in by FLBPluginRegister */
    int type, proxy, flags;
    char *name, *description;
    int event_type;
    void *config_map;
};

struct api {
    void *output_get_property;
    const char *(*input_get_property)(const char *, void *);
    void *output_get_cmt_instance;
    void *(*input_get_cmt_instance)(void *);
    void (*log_print)(int, const char *, int, const char *, ...);
    int (*input_log_check)(void *, int);
    void *output_log_check;
};

static struct plugin {          /* one for all inputs */
    char *name;
    struct api *api;
    void *input;
    void *context;
} plugin;

/* The functions of the plugin, without their prefix. */
#define CALLS(X) \
    X(int, PreRegister, (int)) \
    X(int, Register, (struct definition *)) \
    X(int, Init, (struct plugin *)) \
    X(int, InputCallback, (void **, size_t *)) \
    X(int, InputCleanupCallback, (void *)) \
    X(void, InputPause, (void)) \
    X(void, InputResume, (void)) \
    X(int, Exit, (void)) \
    X(void, Unregister, (struct definition *))
#define DECLARE(type, name, args) type (*name) args;
static struct { CALLS(DECLARE) } call;

/* ---- The host's own state ---- */

struct append {
    size_t records, size;
    char *tag, *data;
};

struct input {
    char name[64];              /* the alias, or "mimecast.0" */

    /* In Fluent Bit these members follow each other, and plugin/host.c looks for
     * them in the instance. */
    void *context;
    int ch_events[2];
    struct plugin *p;
    const char *tag;
    int tag_len;

    char *lines[MAX_OPTIONS];   /* of the configuration: a key, a space and a value */
    int options;
    pthread_t thread;
    sem_t started;
    bool up;                    /* FLBPluginInit said yes */
    int commands[2];            /* a pipe of one-letter commands to the thread */
    bool paused;                /* for the main thread: takes nothing */
    bool told;                  /* for the input's thread: FLBPluginInputPause was called */

    struct append ring[RING];   /* its thread puts in, the main thread takes out */
    atomic_ullong writes, reads, records;
};

struct configuration {
    struct definition def;
    struct input inputs[MAX_INPUTS];
    int count, threads;
};

/* ---- The API table ---- */

__attribute__((format(printf, 4, 5)))
static void log_print(int level, const char *file, int line, const char *fmt, ...)
{
    static const char *names[] = {"error", "error", " warn", " info"};
    char stamp[32], text[4096];
    time_t now = time(NULL);
    struct tm tm;
    va_list args;

    (void)file, (void)line;
    if (level > INFO)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    strftime(stamp, sizeof(stamp), "%Y/%m/%d %H:%M:%S", localtime_r(&now, &tm));
    fprintf(stderr, "[%s] [%s] %s\n", stamp, names[level], text);
}

#define LOG(level, ...) log_print(level, NULL, 0, __VA_ARGS__)

static const char *input_get_property(const char *key, void *input)
{
    struct input *in = input;
    size_t len = strlen(key);

    for (int i = 0; i < in->options; i++)
        if (!strncmp(in->lines[i], key, len) && in->lines[i][len] == ' ')
            return in->lines[i] + len + 1;
    return NULL;
}

static void *input_get_cmt_instance(void *input) { return input; }
static int input_log_check(void *input, int level) { (void)input; return level <= INFO; }

static struct api api = {
    NULL, input_get_property, NULL, input_get_cmt_instance, log_print, input_log_check, NULL,
};

/* ---- The exported functions ---- */

const char *flb_input_name(void *input) { return ((struct input *)input)->name; }

/* Puts an append into the ring; -1 when it is full, after which Fluent Bit would try
 * for another second. */
int flb_input_log_append_records(void *input, size_t records, const char *tag, size_t tag_len,
                                 const void *data, size_t size)
{
    struct input *in = input;
    struct append a = {.records = records, .size = size};

    if (in->told)
        LOG(ERROR, "[input] %s appends in a pause", in->name);
    if (in->writes - in->reads == RING) {
        LOG(ERROR, "[input] %s could not enqueue records into the ring buffer", in->name);
        return -1;
    }
    a.tag = tag ? strndup(tag, tag_len) : strdup(in->tag);
    a.data = memcpy(malloc(size), data, size);
    in->ring[in->writes % RING] = a;
    in->writes++;
    return 0;
}

/* The metrics of an input are the input itself. */
char *cmt_encode_text_create(void *metrics)
{
    struct input *in = metrics;
    char *text;

    if (asprintf(&text,
                 "2025-01-01T00:00:00.000000000Z fluentbit_input_records_total{name=\"%s\"} = %llu\n"
                 "2025-01-01T00:00:00.000000000Z fluentbit_input_ring_buffer_writes_total{name=\"%s\"} = %llu\n",
                 in->name, in->records, in->name, in->writes) < 0)
        return NULL;
    return text;
}

void cmt_encode_text_destroy(char *text) { free(text); }

/* ---- The thread of one input: all calls for the input are made here ---- */

/* Commands: p pause, r resume, q quit. The callback goes on in a pause: of several
 * inputs Fluent Bit stops that of the last only. */
static void *input_thread(void *arg)
{
    struct input *in = arg;
    struct itimerspec second = {{1, 0}, {1, 0}};
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct pollfd fds[] = {{in->commands[0], POLLIN, 0}, {timer, POLLIN, 0}};
    uint64_t ticks;
    size_t size;
    void *data;
    char command = 0;

    plugin.api = &api;
    plugin.input = in;
    plugin.context = in->context;
    in->up = call.Init(&plugin) == 1;
    sem_post(&in->started);
    timerfd_settime(timer, 0, &second, NULL);
    while (in->up && command != 'q') {
        if (poll(fds, 2, -1) < 1)
            continue;
        if (fds[0].revents && read(fds[0].fd, &command, 1) == 1 && command != 'q') {
            in->told = command == 'p';
            in->told ? call.InputPause() : call.InputResume();
            LOG(INFO, "[input] %s %s", in->name, in->told ? "paused" : "resumed");
        } else if (!fds[0].revents && read(timer, &ticks, sizeof(ticks)) > 0) {
            if (in->told)
                LOG(INFO, "[input] %s is called back in a pause", in->name);
            data = NULL, size = 0;
            call.InputCallback(&data, &size);
            if (!size)
                continue;
            flb_input_log_append_records(in, 0, NULL, 0, data, size);
            call.InputCleanupCallback(data);
        }
    }
    close(timer);
    if (in->up)
        call.Exit();
    return NULL;
}

/* ---- The main thread: counts and stores appends ---- */

static void put(int type, const char *data, size_t size)
{
    uint32_t length = htonl(size);

    fputc(type, stdout);
    fwrite(&length, sizeof(length), 1, stdout);
    fwrite(data, size, 1, stdout);
}

static void store(const struct append *a)
{
    put(0xdb, a->tag, strlen(a->tag));
    put(0xc6, a->data, a->size);
    if (fflush(stdout) || ferror(stdout)) {
        LOG(ERROR, "[minihost] can't write the records");
        _exit(1);
    }
}

/* Takes the appends of the inputs that are not paused; of all, to drop them, when
 * the inputs have ended. */
static void ingest(struct configuration *c, bool ended)
{
    for (struct input *in = c->inputs; in < c->inputs + c->count; in++)
        while ((ended || !in->paused) && in->reads < in->writes) {
            struct append a = in->ring[in->reads % RING];

            in->reads++;
            in->records += a.records;
            if (!ended)
                store(&a);
            free(a.tag);
            free(a.data);
        }
}

/* ---- The main thread: start, pause and resume, stop ---- */

static void command_all(struct configuration *c, char letter)
{
    for (int i = 0; i < c->threads; i++) {
        c->inputs[i].paused = letter != 'r';
        if (write(c->inputs[i].commands[1], &letter, 1) != 1)
            abort();
    }
}

static struct input *add_input(struct configuration *c)
{
    struct input *in = &c->inputs[c->count];

    snprintf(in->name, sizeof(in->name), "%s.%d", c->def.name, c->count++);
    in->context = &in->options; /* any address of its own will do */
    in->p = &plugin;
    if (sem_init(&in->started, 0, 0) || pipe2(in->commands, O_CLOEXEC))
        abort();
    return in;
}

/* Registers the plugin and reads the configuration; NULL if that fails. */
static struct configuration *configure(const char *path, int reloading)
{
    struct configuration *c = calloc(1, sizeof(*c));
    struct input *in = NULL;
    FILE *file = path ? fopen(path, "re") : NULL;
    char *line = NULL;
    size_t size = 0;

    if (!file || call.PreRegister(reloading) == -1 || call.Register(&c->def) == -1 ||
        c->def.type != TYPE_INPUT || c->def.proxy != PROXY_GOLANG)
        return NULL;
    for (; getline(&line, &size, file) > 0; line = NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (*line == '[' && c->count < MAX_INPUTS)
            in = add_input(c);
        else if (*line != '[' && in && in->options < MAX_OPTIONS)
            in->lines[in->options++] = line;
        else
            return NULL;
    }
    for (in = c->inputs; in < c->inputs + c->count; in++) {
        const char *tag = input_get_property("tag", in), *alias = input_get_property("alias", in);

        in->tag = tag ? tag : strdup(in->name);
        in->tag_len = strlen(in->tag);
        if (alias)
            snprintf(in->name, sizeof(in->name), "%s", alias);
    }
    fclose(file);
    return c;
}

/* Starts the inputs, each when the one before it is up; false if one fails. */
static bool start(struct configuration *c)
{
    while (c->threads < c->count) {
        struct input *in = &c->inputs[c->threads++];

        if (pthread_create(&in->thread, NULL, input_thread, in) || sem_wait(&in->started))
            abort();
        if (!in->up) {
            LOG(ERROR, "[input] failed initialize input %s", in->name);
            return false;
        }
    }
    LOG(INFO, "[minihost] started");
    return true;
}

/* Stops the inputs. What is in their rings is lost, and what they append in the
 * second after the pause, as in Fluent Bit. */
static void end(struct configuration *c)
{
    command_all(c, 'p');
    command_all(c, 'p');
    if (c->threads && c->inputs[0].up)
        usleep(1000 * 1000);
    command_all(c, 'q');
    for (struct input *in = c->inputs; in < c->inputs + c->threads; in++) {
        pthread_join(in->thread, NULL);
        close(in->commands[0]);
        close(in->commands[1]);
    }
    ingest(c, true);
    call.Unregister(&c->def);
    free(c);
}

/* Runs the inputs until a signal that ends them, and returns it. */
static int run(struct configuration *c, int signals)
{
    struct pollfd fd = {signals, POLLIN, 0};
    struct signalfd_siginfo got = {0};

    for (;;) {
        if (poll(&fd, 1, RING_MS) == 1 && read(signals, &got, sizeof(got)) == sizeof(got)) {
            if (got.ssi_signo != SIGUSR1 && got.ssi_signo != SIGUSR2)
                return got.ssi_signo;
            command_all(c, got.ssi_signo == SIGUSR1 ? 'p' : 'r');
        }
        ingest(c, false);
    }
}

static bool load(const char *path)
{
    void *so = path ? dlopen(path, RTLD_LAZY) : NULL;
    bool all = so != NULL;

#define LOOK_UP(type, name, args) \
    all = all && (call.name = (type (*) args)dlsym(so, "FLBPlugin" #name)) != NULL;
    CALLS(LOOK_UP)
    return all;
}

int main(int argc, char **argv)
{
    static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
    const char *paths[128] = {0};       /* by the letter of the option */
    struct configuration *c;
    int option, signals, got = SIGHUP;
    sigset_t set;

    while ((option = getopt(argc, argv, "e:c:Y")) != -1)    /* -Y: reloads are always on */
        paths[option] = optarg;

    /* Before the plugin is loaded: all threads are to inherit the blocked signals. */
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(handled) / sizeof(*handled); i++)
        sigaddset(&set, handled[i]);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signals = signalfd(-1, &set, SFD_CLOEXEC);
    c = load(paths['e']) ? configure(paths['c'], 0) : NULL;
    while (c && start(c) && (got = run(c, signals)) == SIGHUP) {
        struct configuration *next = configure(paths['c'], 1);

        end(c);
        c = next;
    }
    if (!c)
        LOG(ERROR, "[minihost] can't load the plugin or the configuration");
    else
        end(c);
    return got == SIGHUP;       /* 0 after a signal to stop */
}
