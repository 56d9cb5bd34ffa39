/* The queue of typed keys and the state of a question. Runs on the signalling thread for whoever asks (a dialplan's
 * verb); knows neither media nor Lua. Keys count by the time at which they were pressed, not by that at which somebody
 * looks: a busy loop does not join two numbers or cut one. */
#include "call/keys.h"

int keys_add(struct keys *keys, char key, uint64_t now_ms)
{
    int event = key_event(key);
    unsigned at = (keys->first + keys->count) % KEYS_MAX;

    if (event < 0)
        return -EINVAL;
    if (keys->count == KEYS_MAX) {
        keys->dropped++;
        return -ENOBUFS;
    }
    keys->ring[at].key = KEYS_OF_PHONES[event];
    keys->ring[at].ms = now_ms;
    keys->count++;
    return 0;
}

void keys_clear(struct keys *keys)
{
    keys->first = keys->count = 0;
}

bool keys_take(struct keys *keys, char *key, uint64_t *ms)
{
    if (!keys->count)
        return false;
    *key = keys->ring[keys->first].key;
    *ms = keys->ring[keys->first].ms;
    keys->first = (keys->first + 1) % KEYS_MAX;
    keys->count--;
    return true;
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

int gather_start(struct gather *gather, const struct gather_rules *rules, struct keys *keys, uint64_t now_ms)
{
    if (!rules->max || rules->max > KEYS_MAX || rules->min > rules->max ||
        strnlen(rules->terminators, sizeof rules->terminators) == sizeof rules->terminators)
        return -EINVAL;
    for (const char *at = rules->terminators; *at; at++)
        if (key_event(*at) < 0)
            return -EINVAL;
    memset(gather, 0, sizeof *gather);
    gather->rules = *rules;
    if (!gather->rules.tries)
        gather->rules.tries = 1;
    gather->keys = keys;
    if (rules->no_type_ahead)
        keys_clear(keys);
    gather->last_ms = now_ms;
    gather->play = true;
    return 0;
}

/* This attempt is over: with an answer, or the prompt again, or for good. by_key: what waits behind the last key was
 * typed for a number that there is not; behind a time-out, it is the beginning of the next attempt. */
static void settle(struct gather *gather, enum gather_result result, bool by_key)
{
    gather->play = gather->stop = false;
    if (result != GATHER_COMPLETE && gather->tried < gather->rules.tries) {
        if (by_key)
            keys_clear(gather->keys);
        gather->len = 0;
        gather->digits[0] = '\0';
        gather->terminator = '\0';
        gather->play = true;
        return;
    }
    gather->result = result;
}

static void number_ended(struct gather *gather, bool by_key)
{
    if (gather->len < gather->rules.min)
        settle(gather, gather->len ? GATHER_SHORT : GATHER_NOTHING, by_key);
    else if (gather->rules.valid && !gather->rules.valid(gather->rules.arg, gather->digits))
        settle(gather, GATHER_INVALID, by_key);
    else
        settle(gather, GATHER_COMPLETE, by_key);
}

uint64_t gather_deadline(const struct gather *gather)
{
    uint64_t span = gather->len ? gather->rules.interdigit_ms : gather->rules.timeout_ms;

    if (gather->result != GATHER_GOING || gather->playing || gather->play)
        return UINT64_MAX;
    return gather->last_ms > UINT64_MAX - span ? UINT64_MAX : gather->last_ms + span;
}

/* A key that was pressed at ms, or before the time began to run. */
static void key(struct gather *gather, char pressed, uint64_t ms)
{
    if (ms > gather->last_ms)
        gather->last_ms = ms;
    if (pressed == '!') /* the hook is no digit */
        return;
    if (gather->playing) {
        gather->playing = false;
        gather->stop = true;
    }
    if (gather->play) { /* who types has not waited for the prompt */
        gather->play = false;
        gather->tried++;
    }
    if (strchr(gather->rules.terminators, pressed)) {
        gather->terminator = pressed;
        number_ended(gather, true);
        return;
    }
    gather->digits[gather->len++] = pressed;
    gather->digits[gather->len] = '\0';
    if (gather->len == gather->rules.max)
        number_ended(gather, true);
}

/* Did the time run out before the key that was pressed at ms (or by now, when there is none)? */
static bool too_late(const struct gather *gather, uint64_t ms)
{
    return ms >= gather_deadline(gather);
}

enum gather_do gather_next(struct gather *gather, uint64_t now_ms)
{
    struct keys *keys = gather->keys;

    while (gather->result == GATHER_GOING) {
        bool hears = !gather->rules.no_barge_in || (!gather->playing && !gather->play);

        if (hears && keys->count) {
            uint64_t ms = keys->ring[keys->first].ms;
            char pressed;

            if (too_late(gather, ms)) {
                number_ended(gather, false); /* the key is of the next number */
                continue;
            }
            keys_take(keys, &pressed, &ms);
            key(gather, pressed, ms);
            continue;
        }
        if (gather->stop) {
            gather->stop = false;
            return GATHER_STOP;
        }
        if (gather->play) {
            gather->play = false;
            gather->playing = true;
            gather->tried++;
            return GATHER_PLAY;
        }
        if (!too_late(gather, now_ms))
            return GATHER_WAIT;
        number_ended(gather, false);
    }
    return GATHER_DONE;
}

void gather_played(struct gather *gather, uint64_t now_ms)
{
    if (!gather->playing)
        return;
    gather->playing = false;
    if (now_ms > gather->last_ms)
        gather->last_ms = now_ms;
}
