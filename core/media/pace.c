/* The 20 ms beat: one timer a media thread, armed for absolute times so that it does not drift. Worker's thread; knows
 * neither ports nor sound. */
#include "media/pace.h"

#include <event2/event.h>
#include <time.h>

#define BEAT_US (PACE_MS * 1000u)
#define BEHIND_MAX_US 200000u /* later than this, beats are left out instead of made up for */

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void arm(struct pace *pace)
{
    uint64_t now = now_us(), wait = pace->due_us > now ? pace->due_us - now : 0;
    struct timeval time = {.tv_usec = (suseconds_t)wait};

    event_add(pace->timer, &time);
}

void pace_call(struct pace *pace, uint64_t due_us)
{
    for (struct list *node = pace->beats.next; node != &pace->beats; node = pace->next) {
        struct beat *beat = LIST_ENTRY(node, struct beat, node);

        pace->next = node->next;
        beat->frame(beat, due_us);
    }
    pace->next = NULL;
}

static void due(evutil_socket_t fd, short what, void *arg)
{
    struct pace *pace = arg;
    uint64_t now = now_us();

    if (now > pace->due_us + BEHIND_MAX_US) {
        uint64_t missed = (now - pace->due_us) / BEAT_US;

        pace->skipped += missed;
        pace->due_us += missed * BEAT_US;
    }
    while (pace->due_us <= now && !list_empty(&pace->beats)) {
        pace_call(pace, pace->due_us);
        pace->due_us += BEAT_US;
    }
    if (!list_empty(&pace->beats))
        arm(pace);
}

int pace_init(struct pace *pace, struct event_base *base)
{
    *pace = (struct pace){0};
    list_init(&pace->beats);
    pace->timer = event_new(base, -1, 0, due, pace);
    return pace->timer ? 0 : -ENOMEM;
}

void pace_clear(struct pace *pace)
{
    if (pace->timer)
        event_free(pace->timer);
    pace->timer = NULL;
}

void pace_join(struct pace *pace, struct beat *beat)
{
    bool first = list_empty(&pace->beats);

    if (list_linked(&beat->node))
        return;
    list_append(&pace->beats, &beat->node);
    if (!first || pace->next) /* while beats are called, the timer is armed behind them */
        return;
    pace->due_us = now_us() + BEAT_US;
    arm(pace);
}

void pace_leave(struct pace *pace, struct beat *beat)
{
    if (pace->next == &beat->node)
        pace->next = beat->node.next;
    list_unlink(&beat->node);
    if (list_empty(&pace->beats) && !pace->next)
        event_del(pace->timer);
}
