/* Log lines for the console's subscribers. The sink runs on whatever thread logs and only queues; the loop wakes up and
 * sends. Lines that come faster than the loop turns are counted, not kept. Knows no telephony. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "console/core.h"

#define QUEUE_LINES 256

struct tapped {
    enum log_level level;
    char line[512];
};

struct log_tap {
    struct console *console;
    struct loop_watch *watch;
    int wake_fd;
    atomic_bool wanted; /* somebody follows: set on the loop, read by every thread that logs */
    pthread_mutex_t lock;
    unsigned first, count, missed; /* LOCK: lock */
    struct tapped *queue;          /* LOCK: lock; NULL until somebody follows */
};

static void sink(void *arg, enum log_level level, const char *line)
{
    struct log_tap *tap = arg;
    uint64_t one = 1;

    if (!atomic_load_explicit(&tap->wanted, memory_order_acquire))
        return;
    pthread_mutex_lock(&tap->lock);
    if (tap->count == QUEUE_LINES) {
        tap->missed++;
    } else {
        struct tapped *entry = &tap->queue[(tap->first + tap->count++) % QUEUE_LINES];

        entry->level = level;
        str_copy(entry->line, sizeof entry->line, line);
    }
    pthread_mutex_unlock(&tap->lock);
    if (write(tap->wake_fd, &one, sizeof one) < 0)
        return; /* the counter is full: the loop is awake already */
}

static void send_line(struct log_tap *tap, enum log_level level, const char *line)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};

    console_emit(tap->console, "log",
                 json_pack("{s:s,s:o,s:I}", "level", levels[level], "line", json_text(line), "at_us",
                           (json_int_t)loop_wall_us(tap->console->loop)));
}

static void on_wake(void *arg, int fd, unsigned what)
{
    struct log_tap *tap = arg;
    uint64_t count;
    unsigned missed, lines;
    char text[80];

    if (read(fd, &count, sizeof count) < 0)
        return;
    pthread_mutex_lock(&tap->lock);
    missed = tap->missed;
    tap->missed = 0;
    lines = tap->count; /* what sending itself logs waits for the next turn */
    while (lines--) {
        struct tapped entry = tap->queue[tap->first];

        tap->first = (tap->first + 1) % QUEUE_LINES;
        tap->count--;
        pthread_mutex_unlock(&tap->lock);
        send_line(tap, entry.level, entry.line);
        pthread_mutex_lock(&tap->lock);
    }
    pthread_mutex_unlock(&tap->lock);
    if (missed) {
        snprintf(text, sizeof text, "(%u log lines came too fast and are not shown here)", missed);
        send_line(tap, LOG_LEVEL_WARN, text);
    }
}

static void on_followers(void *arg)
{
    struct log_tap *tap = arg;
    bool wanted = console_has_subscribers(tap->console, "log");

    if (wanted && !tap->queue)
        tap->queue = mem_new(QUEUE_LINES * sizeof *tap->queue); /* before `wanted`: the sink reads it only after that */
    atomic_store_explicit(&tap->wanted, wanted, memory_order_release);
}

struct log_tap *log_tap_open(struct console *console)
{
    struct log_tap *tap = mem_new(sizeof *tap);

    tap->console = console;
    tap->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (tap->wake_fd < 0) {
        log_warn("console: log lines cannot be followed: %s", strerror(errno));
        free(tap);
        return NULL;
    }
    pthread_mutex_init(&tap->lock, NULL);
    console->followers = on_followers;
    console->followers_arg = tap;
    tap->watch = loop_watch(console->loop, tap->wake_fd, LOOP_READ, on_wake, tap);
    log_set_sink(sink, tap);
    return tap;
}

void log_tap_close(struct log_tap *tap)
{
    if (!tap)
        return;
    tap->console->followers = NULL;
    log_set_sink(NULL, NULL); /* workers are quiet by now, or their last line is the price */
    loop_unwatch(tap->watch);
    close(tap->wake_fd);
    pthread_mutex_destroy(&tap->lock);
    free(tap->queue);
    free(tap);
}
