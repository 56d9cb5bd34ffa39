/* Drives sofia's reactor from our loop: its epoll descriptor is watched, one step for each readiness, one timer for its
 * timers. su_root_run() is never called: it spins before every timer. Signalling thread. */
#include <dirent.h>
#include <sofia-sip/su_log.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "sip/nta_wire.h"
#include "sip/sip-priv.h"

#define STEP_MIN_MS 10  /* sofia's own timers are 100 ms and more: finer steps only cost */
#define NEW_TIMER_MS 50 /* how late the first look at a timer that was just set may be: none is due within 100 ms */
#define FDS_MAX 1024

/* sofia asks the wall clock for its timers and lets this function have the last word: a clock step must not fire or
 * delay them, so time is the wall clock of the first call moved by the monotonic clock. */
extern void (*_su_time)(su_time_t *tv);

static int64_t skipped_us; /* agent_skip_time() */

static void steady_time(su_time_t *tv)
{
    static struct timespec wall0, mono0; /* sofia's hook has no argument, and its clock is one for the process */
    struct timespec mono;
    int64_t us;

    clock_gettime(CLOCK_MONOTONIC, &mono);
    if (mono0.tv_sec == 0) {
        clock_gettime(CLOCK_REALTIME, &wall0);
        mono0 = mono;
    }
    us = (int64_t)(mono.tv_sec - mono0.tv_sec) * 1000000 + (mono.tv_nsec - mono0.tv_nsec) / 1000 +
         wall0.tv_nsec / 1000 + skipped_us;
    tv->tv_sec = (unsigned long)(wall0.tv_sec + 2208988800ll + us / 1000000); /* sofia counts from 1900 */
    tv->tv_usec = (unsigned long)(us % 1000000);
}

/* sofia's own words go where ours go: they matter only to somebody who looks for them. */
static void sofia_says(void *stream, char const *fmt, va_list ap)
{
    char line[300];
    int len = vsnprintf(line, sizeof line, fmt, ap);

    while (len > 0 && (size_t)len < sizeof line && line[len - 1] == '\n')
        line[--len] = '\0';
    log_debug("sofia-sip: %s", line);
}

static size_t list_epolls(int *fds)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    size_t count = 0;

    while (dir && (entry = readdir(dir)) && count < FDS_MAX) {
        char path[300], target[64];
        ssize_t len;

        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        len = readlink(path, target, sizeof target - 1);
        if (len <= 0)
            continue;
        target[len] = '\0';
        if (strcmp(target, "anon_inode:[eventpoll]") == 0)
            fds[count++] = atoi(entry->d_name);
    }
    if (dir)
        closedir(dir);
    return count;
}

void sofia_step(void *arg)
{
    struct agent *agent = arg;
    su_duration_t next;

    agent->depth++; /* what sofia calls back into may enter again: no need to look at timers there */
    next = su_root_step(agent->root, 0);
    agent->depth--;
    if (agent->closing)
        return;
    if (agent->wire)
        nta_wire_run(agent->wire);
    else if (agent->edge)
        edge_collect(agent->edge);
    if (next < 0 || next > 1000)
        next = 1000;
    if (agent->epoll_fd < 0)
        next = 5; /* nothing else wakes us */
    else if (next + 1 < STEP_MIN_MS)
        next = STEP_MIN_MS - 1;
    loop_timer_start(agent->pbx->loop, &agent->timer, (uint64_t)next + 1, sofia_step, agent);
}

static void readable(void *arg, int fd, unsigned what)
{
    sofia_step(arg);
}

void agent_skip_time(struct agent *agent, unsigned ms)
{
    skipped_us += (int64_t)ms * 1000;
    sofia_step(agent);
}

void sip_enter(struct agent *agent)
{
    agent->depth++;
}

void sip_leave(struct agent *agent)
{
    struct loop *loop = agent->pbx->loop;

    if (--agent->depth || agent->closing)
        return;
    nta_wire_run_later(agent->wire); /* what NTA has written meanwhile */
    /* An earlier timer may have been set than the one we wait for. */
    if (!loop_timer_running(&agent->timer) || agent->timer.at_us > loop_now_us(loop) + NEW_TIMER_MS * 1000)
        loop_timer_start(loop, &agent->timer, NEW_TIMER_MS, sofia_step, agent);
}

int sofia_loop_open(struct agent *agent)
{
    int *before = mem_new(2 * FDS_MAX * sizeof *before), *after = before + FDS_MAX;
    size_t before_count, after_count;

    _su_time = steady_time;
    su_log_redirect(NULL, sofia_says, NULL);
    before_count = list_epolls(before);
    agent->root = su_root_create(agent);
    if (!agent->root) {
        free(before);
        return -ENOMEM;
    }
    su_root_threading(agent->root, 0);
    after_count = list_epolls(after);
    agent->epoll_fd = -1;
    for (size_t i = 0; i < after_count; i++) {
        bool old = false;

        for (size_t k = 0; k < before_count; k++)
            old |= before[k] == after[i];
        if (!old)
            agent->epoll_fd = after[i];
    }
    free(before);
    if (agent->epoll_fd >= 0)
        agent->watch = loop_watch(agent->pbx->loop, agent->epoll_fd, LOOP_READ, readable, agent);
    else
        log_warn("sofia's epoll descriptor was not found: its sockets are polled every 5 ms, which costs CPU");
    loop_timer_start(agent->pbx->loop, &agent->timer, STEP_MIN_MS, sofia_step, agent);
    return 0;
}

void sofia_loop_close(struct agent *agent)
{
    loop_unwatch(agent->watch);
    agent->watch = NULL;
    loop_timer_stop(agent->pbx->loop, &agent->timer);
    if (agent->root)
        su_root_destroy(agent->root);
    agent->root = NULL;
}
