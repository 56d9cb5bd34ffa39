/* Codes that a party types while it talks (*1): keys that may be one are held until that is known, and go to the other
 * side when they are none. Which codes there are HOOK_KEYS says; only legs of accounts have any. Signalling thread. */
#include "call/call-priv.h"

#define BETWEEN_MS 1500 /* from a key of a code to the next */
#define REST_MS 150     /* behind a key that came up more packets of it may follow */
#define KEYS_ALL UINT32_MAX

static enum verdict ask(struct typed_code *code)
{
    return hook_ask(code->leg->pbx->hooks, HOOK_KEYS, code, NULL, NULL, 0);
}

static bool may_type_codes(const struct leg *leg)
{
    return leg->account && leg->state == LEG_UP && bridge_peer(leg) && hook_has(leg->pbx->hooks, HOOK_KEYS);
}

/* The keys with which codes begin. */
static uint32_t beginnings(struct leg *leg)
{
    struct typed_code code = {.leg = leg, .keys = ""};
    uint32_t keys = 0;

    if (!may_type_codes(leg))
        return 0;
    ask(&code);
    for (const char *at = code.begins; *at; at++)
        keys |= key_event(*at) >= 0 ? UINT32_C(1) << key_event(*at) : 0;
    return keys;
}

uint32_t codes_kept(struct leg *leg)
{
    return leg->codes.count ? KEYS_ALL : beginnings(leg);
}

/* --- what is held ------------------------------------------------------------------------------------------------- */

static void rest_over(void *arg)
{
    struct leg *leg = arg;

    leg->codes.count = 0;
    leg->codes.judged = false;
    leg_keys_update(leg);
}

/* They are known not to be a code, or what was one lies among them: those that have come up go on, in their order. */
static void let_go(struct leg *leg)
{
    struct leg_codes *codes = &leg->codes;
    struct loop *loop = leg->pbx->loop;
    unsigned done = 0;

    while (done < codes->count && codes->held[done].up) {
        if (!codes->held[done].eaten)
            leg_key_release(leg, codes->held[done].key, codes->held[done].way, codes->held[done].ms);
        done++;
    }
    if (done < codes->count) { /* one is down still */
        memmove(codes->held, codes->held + done, (codes->count - done) * sizeof codes->held[0]);
        codes->count -= done;
        loop_timer_stop(loop, &codes->timer);
        return;
    }
    codes->held[0].up = codes->held[0].eaten = true; /* all keys are kept until the rest is over */
    codes->count = 1;
    loop_timer_start(loop, &codes->timer, REST_MS, rest_over, leg);
}

static void no_code(void *arg)
{
    struct leg *leg = arg;

    leg->codes.judged = true;
    let_go(leg);
}

static void eat(struct leg_codes *codes)
{
    for (unsigned i = 0; i < codes->count; i++)
        codes->held[i].eaten = true;
}

static void judge(struct leg *leg)
{
    struct leg_codes *codes = &leg->codes;
    char keys[COUNT_OF(codes->held) + 1];
    struct typed_code code = {.leg = leg, .keys = keys};
    enum verdict verdict;

    for (unsigned i = 0; i < codes->count; i++)
        keys[i] = codes->held[i].key;
    keys[codes->count] = '\0';
    loop_timer_stop(leg->pbx->loop, &codes->timer);
    codes->judged = true; /* what the hook does may come back here */
    verdict = ask(&code);
    if (!leg_is_alive(leg)) /* that was what it was for: no timer may be left behind */
        return;
    if (verdict == VERDICT_HANDLED) {
        eat(codes);
        let_go(leg);
    } else if (code.more && codes->count < COUNT_OF(codes->held)) {
        codes->judged = false;
        loop_timer_start(leg->pbx->loop, &codes->timer, BETWEEN_MS, no_code, leg);
    } else {
        let_go(leg);
    }
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

static void hold(struct leg *leg, char key, enum key_way way, bool eaten)
{
    struct leg_codes *codes = &leg->codes;
    unsigned at = codes->count++;

    codes->held[at].key = key;
    codes->held[at].way = way;
    codes->held[at].ms = 0;
    codes->held[at].up = false;
    codes->held[at].eaten = eaten;
    leg_keys_update(leg);
}

void codes_eat(struct leg *leg, char key, enum key_way way)
{
    if (!leg->account || leg->codes.count == COUNT_OF(leg->codes.held))
        return;
    hold(leg, key, way, true);
    leg->codes.judged = true;
    loop_timer_stop(leg->pbx->loop, &leg->codes.timer);
}

bool codes_key_down(struct leg *leg, char key, enum key_way way)
{
    struct leg_codes *codes = &leg->codes;
    bool begins = beginnings(leg) >> key_event(key) & 1;
    unsigned at;

    if (begins && codes->judged && codes->count == 1 && codes->held[0].up) /* all is quiet: a new one */
        codes_forget(leg);
    at = codes->count;
    if (!may_type_codes(leg) || at == COUNT_OF(codes->held) || (!at && !begins))
        return false;
    hold(leg, key, way, false);
    if (codes->judged)
        loop_timer_stop(leg->pbx->loop, &codes->timer);
    else
        judge(leg);
    return true;
}

bool codes_key_up(struct leg *leg, char key, enum key_way way, unsigned ms)
{
    struct leg_codes *codes = &leg->codes;

    for (unsigned i = 0; i < codes->count; i++) {
        if (codes->held[i].up || codes->held[i].key != key || codes->held[i].way != way)
            continue;
        codes->held[i].up = true;
        codes->held[i].ms = ms;
        if (codes->judged)
            let_go(leg);
        return true;
    }
    return false;
}

void codes_forget(struct leg *leg)
{
    loop_timer_stop(leg->pbx->loop, &leg->codes.timer);
    leg->codes.count = 0;
    leg->codes.judged = false;
}
