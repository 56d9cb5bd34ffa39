/* The wheel has a list for each 50 ms of the next 51 s; what is due later waits in the last one and is looked at again.
 * Signalling thread. It must not know what waits in it. */
#include "wheel.h"

#define TICK_US (WHEEL_TICK_MS * 1000ull)

void wheel_open(struct wheel *wheel, struct loop *loop, unsigned per_tick, wheel_fn fn, void *arg)
{
    wheel->loop = loop;
    wheel->fn = fn;
    wheel->arg = arg;
    wheel->per_tick = per_tick;
    for (unsigned i = 0; i < WHEEL_SLOTS; i++)
        list_init(&wheel->slots[i]);
}

void wheel_close(struct wheel *wheel)
{
    loop_timer_stop(wheel->loop, &wheel->timer);
}

static void turn_wheel(void *arg);

/* A slot is dealt with when its time is over. */
static void arm(struct wheel *wheel, uint64_t slot)
{
    uint64_t now_us = loop_now_us(wheel->loop), at_us = (slot + 1) * TICK_US;

    wheel->armed = slot;
    loop_timer_start(wheel->loop, &wheel->timer, at_us > now_us ? (at_us - now_us + 999) / 1000 : 0, turn_wheel, wheel);
}

/* Into the slot of its time, or as far ahead as the wheel goes. Returns which. */
static uint64_t place(struct wheel *wheel, struct wheel_node *node)
{
    uint64_t at = node->due_us / TICK_US;

    if (at < wheel->turn)
        at = wheel->turn;
    if (at >= wheel->turn + WHEEL_SLOTS)
        at = wheel->turn + WHEEL_SLOTS - 1;
    list_append(&wheel->slots[at % WHEEL_SLOTS], &node->in_slot);
    wheel->waiting++;
    return at;
}

void wheel_drop(struct wheel *wheel, struct wheel_node *node)
{
    if (!list_linked(&node->in_slot))
        return;
    list_unlink(&node->in_slot);
    wheel->waiting--;
}

void wheel_set(struct wheel *wheel, struct wheel_node *node, unsigned ms)
{
    uint64_t now_us = loop_now_us(wheel->loop), slot;

    wheel_drop(wheel, node);
    if (!wheel->waiting && !wheel->turning)
        wheel->turn = now_us / TICK_US;
    node->due_us = now_us + ms * 1000ull;
    slot = place(wheel, node);
    if (!wheel->turning && (!loop_timer_running(&wheel->timer) || slot < wheel->armed))
        arm(wheel, slot);
}

/* Those of one slot; who is over the budget goes into the next one. */
static void deal_with(struct wheel *wheel, struct list *slot, uint64_t now_us, unsigned *left)
{
    struct list due;

    list_init(&due);
    while (!list_empty(slot)) {
        struct list *first = slot->next;

        list_unlink(first);
        list_append(&due, first);
    }
    while (!list_empty(&due)) {
        struct wheel_node *node = LIST_ENTRY(due.next, struct wheel_node, in_slot);

        wheel_drop(wheel, node);
        if (node->due_us > now_us || !*left) { /* beyond the wheel's end, or too many at once */
            place(wheel, node);
            continue;
        }
        --*left;
        wheel->fn(wheel->arg, node);
    }
}

static void turn_wheel(void *arg)
{
    struct wheel *wheel = arg;
    uint64_t now_us = loop_now_us(wheel->loop), now = now_us / TICK_US, next;
    unsigned left = wheel->per_tick;

    wheel->turning = true;
    while (wheel->turn < now && wheel->waiting && left) {
        struct list *slot = &wheel->slots[wheel->turn++ % WHEEL_SLOTS];

        deal_with(wheel, slot, now_us, &left);
    }
    wheel->turning = false;
    if (!wheel->waiting)
        return;
    for (next = wheel->turn; list_empty(&wheel->slots[next % WHEEL_SLOTS]); next++)
        ;
    arm(wheel, left || next >= now ? next : now); /* the rest of a crowd waits for a tick */
}
