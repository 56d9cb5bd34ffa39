/* Decides whom an overloaded switch turns away. Signalling thread. It must not know messages: shed.c reads them. */
#include "edge/overload.h"

/* From this load on a class is refused, in percent. */
static const unsigned from[] = {
    [OVERLOAD_STRANGER] = OVERLOAD_FIRST, [OVERLOAD_REGISTRATION] = 75,    [OVERLOAD_CALL] = 100,
    [OVERLOAD_PROVEN_CALL] = 150,         [OVERLOAD_STRANGE_DIALOG] = 200, [OVERLOAD_NEVER] = UINT32_MAX};

static uint64_t wait_of(const struct overload *o, uint64_t waited_us)
{
    return waited_us ? waited_us : o->lag_us;
}

void overload_note(const struct overload *o, struct overload_queue *queue, uint64_t waited_us, uint64_t now_us)
{
    uint64_t waited = wait_of(o, waited_us);

    if (now_us - queue->window_us >= OVERLOAD_WINDOW_US) {
        uint64_t of = queue->stands ? queue->most_us : queue->messages >= OVERLOAD_MANY ? queue->least_us : 0;

        queue->stands = of * 100 >= OVERLOAD_WAIT_US * OVERLOAD_FIRST;
        queue->window_us = now_us;
        queue->least_us = queue->most_us = waited;
        queue->messages = 0;
    }
    if (waited < queue->least_us)
        queue->least_us = waited;
    if (waited > queue->most_us)
        queue->most_us = waited;
    queue->messages++;
}

unsigned overload_load(const struct overload *o, const struct overload_queue *queue, uint64_t waited_us)
{
    uint64_t percent = queue->stands ? wait_of(o, waited_us) * 100 / OVERLOAD_WAIT_US : 0;

    if (percent > 10000)
        percent = 10000;
    return percent > o->outer ? (unsigned)percent : o->outer;
}

bool overload_refuses(struct overload *o, const struct overload_queue *queue, enum overload_class class,
                      uint64_t waited_us, uint64_t now_us)
{
    unsigned load = overload_load(o, queue, waited_us);

    if (load < from[class])
        return false;
    if (!o->on) {
        o->on = true;
        o->began_us = now_us;
        o->refused = 0;
        o->worst = 0;
    }
    o->refused++;
    o->refused_all++;
    o->calm_us = now_us;
    if (load > o->worst)
        o->worst = load;
    return true;
}

bool overload_tick(struct overload *o, uint64_t late_us, uint64_t now_us)
{
    o->lag_us = late_us;
    if (!o->on || now_us - o->calm_us < OVERLOAD_CALM_US)
        return false;
    o->on = false;
    return true;
}
