/* Those who wait until what has been committed is in force: a command that changes something ends when the switch works
 * with it. Signalling thread. It must not know what a load reads. */
#include "db/feed-priv.h"

#include <stdlib.h>

struct waiter {
    struct list node;
    struct feed *feed;
    struct loop_timer timer;
    uint64_t load; /* satisfied by this load or a later one */
    void (*fn)(void *arg, int err);
    void *arg;
};

static void waiter_end(struct waiter *waiter, int err)
{
    loop_timer_stop(waiter->feed->loop, &waiter->timer);
    list_unlink(&waiter->node);
    waiter->fn(waiter->arg, err);
    free(waiter);
}

static void waiter_timeout(void *arg)
{
    waiter_end(arg, -ETIMEDOUT);
}

/* Ends those whose load is done. A callback may add or time out others: start over after each. */
void feed_end_waiters(struct feed *feed, uint64_t load_number, int err)
{
    struct waiter *waiter;
    bool found;

    do {
        found = false;
        LIST_FOR_EACH(waiter, &feed->waiters, node)
        {
            if (waiter->load > load_number)
                continue;
            waiter_end(waiter, err);
            found = true;
            break;
        }
    } while (found);
}

void feed_wait(struct feed *feed, unsigned deadline_ms, void (*fn)(void *, int), void *arg)
{
    struct waiter *waiter = mem_new(sizeof *waiter);

    waiter->feed = feed;
    waiter->load = feed->loads + 1; /* the running load may have begun before what the caller waits for */
    waiter->fn = fn;
    waiter->arg = arg;
    list_append(&feed->waiters, &waiter->node);
    loop_timer_start(feed->loop, &waiter->timer, deadline_ms, waiter_timeout, waiter);
    if (feed->asked != NOTHING)
        feed->again = true;
    else if (feed_ready(feed))
        loop_timer_start(feed->loop, &feed->coalesce, 0, feed->coalesce.fn, feed);
}
