/* Keys that a leg's far side types: kept until somebody asks for them, so that what is typed ahead is not lost.
 * Signalling thread; knows no way of sending keys. */
#include "call/call-priv.h"

uint64_t leg_keys_now(const struct leg *leg)
{
    return loop_now_us(leg->pbx->loop) / 1000;
}

void leg_watch_keys(struct leg *leg, leg_key_fn fn, void *arg)
{
    leg->key_fn = fn;
    leg->key_arg = arg;
}

void leg_on_key(struct leg *leg, const struct key_report *report)
{
    if (report->up || !leg_is_alive(leg)) /* a key counts as soon as it goes down */
        return;
    if (keys_add(&leg->typed, report->key, leg_keys_now(leg)) == 0 && leg->key_fn)
        leg->key_fn(leg->key_arg, leg);
}
