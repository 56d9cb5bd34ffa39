/* tandemd's connection to the media process: connect or start it, keep a pool of ports, notice its death, come back.
 * Signalling thread; nothing here waits, except media_close() for the end of the process. Knows no calls. */
#include "config.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "media/client-priv.h"

#define POOL_START 256u /* ports ready a family: a burst of calls within one turn of the loop must find enough */
#define POOL_MAX 2048u
#define DELAY_FIRST_MS 20u
#define DELAY_MAX_MS 5000u
#define STEADY_US 10000000u /* having run this long, the process is not in a crash loop */
#define GREETING_MS 3000
#define POOL_AGAIN_MS 1000
#define CLOSE_MS 1000

static void attempt(void *arg);

static void try_later(struct media *media)
{
    loop_timer_start(media->loop, &media->retry, media->delay_ms, attempt, media);
    media->delay_ms = media->delay_ms * 2 > DELAY_MAX_MS ? DELAY_MAX_MS : media->delay_ms * 2;
}

/* --- the pool
 * ----------------------------------------------------------------------------------------------------------- */

static void pool_ask(struct media *media, struct pool *pool)
{
    struct proto_count *m;

    if (!pool->served || pool->asked || pool->dry || pool->count > pool->target / 4 * 3)
        return;
    if (pool->filled && pool->count < pool->target / 4 && pool->target < POOL_MAX)
        pool->target *= 2; /* demand outruns the answers */
    pool->asked = true;
    pool->wanted = pool->target - pool->count;
    m = wire_add(media->wire, PROTO_WANT);
    m->family = (uint32_t)pool->family;
    m->count = pool->wanted;
}

static void check_now(void *arg)
{
    struct media *media = arg;

    media->checking = false;
    for (int i = 0; i < 2 && media->state >= MEDIA_FILLING; i++)
        pool_ask(media, &media->pools[i]);
}

/* At the end of the turn all takes of a burst are known, and one request makes up for them. */
void media_pool_check(struct media *media)
{
    if (!media->checking)
        loop_later(media->loop, check_now, media);
    media->checking = true;
}

static void ask_again(void *arg)
{
    struct media *media = arg;

    media->pools[0].dry = media->pools[1].dry = false;
    media_pool_check(media);
}

static void granted(struct media *media, const struct proto_count *m)
{
    struct pool *pool = &media->pools[m->family == AF_INET6];

    pool->asked = false;
    pool->filled = true;
    if (m->count < pool->wanted) {
        if (pool->count == 0)
            log_error("the media process has no IPv%d port left: new calls have no audio; widen the port range",
                      pool->family == AF_INET ? 4 : 6);
        pool->dry = true;
        loop_timer_start(media->loop, &media->again, POOL_AGAIN_MS, ask_again, media);
    }
    media_pool_check(media);
    for (int i = 0; i < 2; i++)
        if (media->pools[i].served && !media->pools[i].filled)
            return;
    if (media->state != MEDIA_FILLING)
        return;
    media->state = MEDIA_UP;
    media->up_us = loop_now_us(media->loop);
    media->ups++;
    loop_timer_stop(media->loop, &media->retry);
    media->missed = false;
    log_info("media process %d is ready with %u ports", media->pid, media->pools[0].count + media->pools[1].count);
    if (media->hooks.up)
        media->hooks.up(media->hooks.arg);
}

static void pools_reset(struct media *media)
{
    for (int i = 0; i < 2; i++) {
        struct pool *pool = &media->pools[i];

        pool->served = pool->asked = pool->dry = pool->filled = false;
        pool->target = POOL_START;
    }
}

/* --- the connection
 * ----------------------------------------------------------------------------------------------------- */

static void disconnect(struct media *media, const char *why)
{
    bool was_up = media->state == MEDIA_UP;

    media->state = MEDIA_DOWN;
    wire_free(media->wire);
    media->wire = NULL;
    media->pid = 0;
    media->started_by_us = false;
    loop_timer_stop(media->loop, &media->again);
    loop_timer_stop(media->loop, &media->retry);
    pools_reset(media);
    if (media->closing)
        return;
    if (was_up)
        log_error("the media process is lost: %s", why);
    else
        log_warn("the media process did not come up: %s", why);
    media_records_lost(media);
    media_ports_lost(media);
    if (was_up && media->hooks.down)
        media->hooks.down(media->hooks.arg, why);
    if (was_up && loop_now_us(media->loop) - media->up_us > STEADY_US)
        media->delay_ms = DELAY_FIRST_MS;
    if (!media->closing && !media->replaced)
        try_later(media);
}

static void closed(void *arg, const char *why)
{
    disconnect(arg, why);
}

static void no_greeting(void *arg)
{
    disconnect(arg, "it accepts the connection but says nothing");
}

static void welcome(struct media *media, const struct proto_hello *m)
{
    if (m->version != PROTO_VERSION) {
        disconnect(media,
                   "it speaks another version of the protocol; run tandemd and tandem-media of the same version");
        return;
    }
    media->pid = m->pid;
    media->started_by_us = media->child == m->pid;
    media->pools[0].served = m->ip4;
    media->pools[1].served = m->ip6;
    media->packets = 0;
    media->print = m->print;
    if (m->recordings)
        log_warn(
            "media process %d still writes %u recordings of an earlier tandemd; each file is completed when its call "
            "has ended",
            m->pid, m->recordings);
    if (m->listed)
        log_warn(
            "media process %d still relays %u ports of an earlier tandemd; each ends when it has been silent for a "
            "minute",
            m->pid, m->listed);
    media->state = MEDIA_FILLING;
    media_pool_check(media);
}

static void goodbye(struct media *media, const struct proto_bye_message *m)
{
    switch (m->reason) {
    case PROTO_BYE_REPLACED:
        media->replaced = true; /* coming back would only throw the other out again */
        disconnect(media, "another tandemd has taken it over; stop one of them");
        break;
    case PROTO_BYE_VERSION:
        disconnect(media,
                   "it speaks another version of the protocol; run tandemd and tandem-media of the same version");
        break;
    default:
        disconnect(media, "it was told to end");
    }
}

static void message(void *arg, const struct proto_head *m)
{
    struct media *media = arg;

    if (media->state == MEDIA_GREETING && m->kind != PROTO_WELCOME && m->kind != PROTO_BYE)
        return;
    switch (m->kind) {
    case PROTO_WELCOME:
        if (media->state == MEDIA_GREETING)
            welcome(media, (const void *)m);
        break;
    case PROTO_GRANT:
        media_port_granted(media, (const void *)m);
        break;
    case PROTO_GRANTED:
        granted(media, (const void *)m);
        break;
    case PROTO_EVENT:
        media_port_event(media, (const void *)m);
        break;
    case PROTO_DTLS_NEWS:
        media_port_dtls_news(media, (const void *)m);
        break;
    case PROTO_RECORDED:
        media_record_ended(media, (const void *)m);
        break;
    case PROTO_KEY:
        media_port_key(media, (const void *)m);
        break;
    case PROTO_RELEASED:
        media_port_released(media, (const void *)m);
        break;
    case PROTO_PLAYED:
        media_port_played(media, (const void *)m);
        break;
    case PROTO_STATUS:
        media->packets = ((const struct proto_status *)m)->packets;
        break;
    case PROTO_BYE:
        goodbye(media, (const void *)m);
        break;
    }
}

/* Connecting to a Unix socket does not wait: somebody listens, or nobody does. */
static int dial(const char *path)
{
    struct sockaddr_un addr;
    int fd, err = wire_address(path, &addr);

    if (err < 0)
        return err;
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0)
        return fd;
    err = -errno;
    close(fd);
    return err;
}

static void start(struct media *media)
{
    pid_t pid;

    if (!media->config.program && !media->missed) {
        media->missed = true; /* once: it tries again all the time */
        log_warn("there is no media process on %s; no call has audio until one is started (see program in [media])",
                 media->config.socket_path);
    }
    if (!media->config.program || !media_reap(media))
        return;
    pid = media_start_program(&media->config);
    if (pid > 0) {
        media->child = pid;
        media->started++;
    }
}

static void attempt(void *arg)
{
    struct media *media = arg;
    struct proto_hello *hello;
    int fd = dial(media->config.socket_path);

    media_reap(media);
    if (fd < 0) {
        if (fd == -ENOENT || fd == -ECONNREFUSED)
            start(media);
        else
            log_error("no connection to the media process on %s: %s", media->config.socket_path, strerror(-fd));
        try_later(media);
        return;
    }
    media->wire = wire_new(media->loop, fd, message, closed, media);
    media->state = MEDIA_GREETING;
    hello = wire_add(media->wire, PROTO_HELLO);
    hello->version = PROTO_VERSION;
    hello->pid = getpid();
    loop_timer_start(media->loop, &media->retry, GREETING_MS, no_greeting, media);
}

/* --- the face
 * ------------------------------------------------------------------------------------------------------------ */

static void own_config(struct media *media, const struct media_config *config)
{
    media->config = *config;
    media->config.socket_path = str_dup(config->socket_path);
    media->config.program = config->program ? str_dup(config->program) : NULL;
}

int media_open(struct loop *loop, const struct media_config *config, const struct media_hooks *hooks,
               struct media **out)
{
    struct sockaddr_un addr;
    struct media *media;

    if (wire_address(config->socket_path, &addr) < 0) {
        log_error("the media socket path %s is too long: at most %zu characters", config->socket_path,
                  sizeof addr.sun_path - 1);
        return -ENAMETOOLONG;
    }
    if (config->program && access(config->program, X_OK) < 0) {
        int err = -errno;

        log_error("the media program %s cannot be run: %s", config->program, strerror(-err));
        return err;
    }
    media = mem_new(sizeof *media);
    media->loop = loop;
    own_config(media, config);
    if (hooks)
        media->hooks = *hooks;
    media->delay_ms = DELAY_FIRST_MS;
    media->pools[0].family = AF_INET;
    media->pools[1].family = AF_INET6;
    list_init(&media->pools[0].ready);
    list_init(&media->pools[1].ready);
    list_init(&media->taken);
    list_init(&media->releasing);
    list_init(&media->dying);
    list_init(&media->recordings);
    pools_reset(media);
    attempt(media);
    *out = media;
    return 0;
}

bool media_is_up(const struct media *media)
{
    return media && media->state == MEDIA_UP;
}

static uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The loop is turned meanwhile; the clock is the machine's, so that a test loop ends too. */
static void end_process(struct media *media)
{
    uint64_t until = clock_ms() + CLOSE_MS;

    if (media->wire && media->started_by_us)
        wire_add(media->wire, PROTO_END);
    else if (media->child > 0)
        kill(media->child, SIGTERM); /* on its way up */
    while ((media->wire && media->started_by_us) || !media_reap(media)) {
        if (clock_ms() >= until)
            break;
        loop_turn(media->loop, 5);
    }
    if (!media_reap(media)) {
        log_warn("the media process (pid %d) did not end within a second and is killed", (int)media->child);
        kill(media->child, SIGKILL);
    }
}

static void free_now(void *arg)
{
    struct media *media = arg;

    free((char *)media->config.socket_path);
    free((char *)media->config.program);
    free(media);
}

void media_close(struct media *media, bool keep)
{
    if (!media || media->closing)
        return;
    media->closing = true;
    loop_timer_stop(media->loop, &media->retry);
    if (!keep)
        end_process(media);
    if (media->wire) {
        wire_flush(media->wire);
        wire_free(media->wire);
        media->wire = NULL;
    }
    loop_timer_stop(media->loop, &media->again);
    loop_timer_stop(media->loop, &media->retry);
    media->state = MEDIA_DOWN;
    media_records_free(media, keep);
    media_ports_free(media);
    loop_later(media->loop, free_now, media); /* a hook of ours may be on the stack */
}

void media_get_status(const struct media *media, struct media_status *out)
{
    *out = (struct media_status){
        .up = media_is_up(media),
        .pid = media->pid,
        .ports_used = media->taken_count,
        .ports_ready = media->pools[0].count + media->pools[1].count,
        .restarts = media->started > 1 ? media->started - 1 : 0,
        .packets = media->packets,
    };
}
