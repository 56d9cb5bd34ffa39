/* Session timers: the rules of RFC 4028 and their clock. Signalling thread. Knows neither sofia nor legs. */
#include "sip/session_timer.h"

#include "base/id.h"

#define MIN_SE_LEAST 90 /* §5: what a missing Min-SE means */
#define INTERVAL_MAX 604800
#define RAISES_MAX 3 /* proxies on the way may each have a minimum of their own */
#define RETRY_LEAST_MS 500

void session_init(struct session_timer *st, struct loop *loop, const struct session_policy *policy, loop_fn on_refresh,
                  loop_fn on_expired, void *arg)
{
    st->loop = loop;
    st->policy = *policy;
    st->on_refresh = on_refresh;
    st->on_expired = on_expired;
    st->arg = arg;
}

static unsigned larger(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

/* --- the clock ------------------------------------------------------------------------------------------------------
 */

static void stop_clock(struct session_timer *st)
{
    if (!st->loop)
        return;
    loop_timer_stop(st->loop, &st->refresh);
    loop_timer_stop(st->loop, &st->deadline);
}

void session_stop(struct session_timer *st)
{
    stop_clock(st);
    st->interval = 0;
    st->loop = NULL;
}

static void refresh_due(void *arg)
{
    struct session_timer *st = arg;

    st->on_refresh(st->arg);
}

static void deadline_passed(void *arg)
{
    struct session_timer *st = arg;

    loop_timer_stop(st->loop, &st->refresh);
    st->on_expired(st->arg);
}

/* A 2xx has gone or come: the session counts anew from here (§7.2, §9). Whoever refreshes does so at half of it;
 * without a refresh it is over a little before its end (§10). */
static void start_clock(struct session_timer *st)
{
    unsigned early = st->interval / 3 < 32 ? st->interval / 3 : 32;

    if (!st->loop)
        return;
    stop_clock(st);
    if (!st->interval)
        return;
    st->deadline_us = loop_now_us(st->loop) + (st->interval - early) * UINT64_C(1000000);
    loop_timer_start(st->loop, &st->deadline, (st->interval - early) * UINT64_C(1000), deadline_passed, st);
    if (st->we_refresh)
        loop_timer_start(st->loop, &st->refresh, st->interval * UINT64_C(500), refresh_due, st);
}

void session_again(struct session_timer *st, unsigned ms)
{
    if (st->loop)
        loop_timer_start(st->loop, &st->refresh, ms, refresh_due, st);
}

/* --- the far side asks ----------------------------------------------------------------------------------------------
 */

bool session_too_short(const struct session_policy *policy, const struct session_terms *said, unsigned *min_se)
{
    *min_se = policy->min_se;
    /* A proxy's wish for a phone that cannot raise it is no reason to refuse (§9). */
    return policy->mode != SESSION_OFF && said->known && said->expires && said->expires < policy->min_se;
}

struct session_grant session_asked(struct session_timer *st, const struct session_terms *said)
{
    struct session_grant grant = {0};
    bool asked = said->expires >= MIN_SE_LEAST; /* less is nobody's right to ask for */

    st->min_se = larger(st->min_se, said->min_se); /* kept for requests of ours in this dialog (§7.4) */
    if (st->policy.mode == SESSION_OFF || (!asked && (!said->known || st->policy.mode == SESSION_ACCEPT)))
        return grant;
    /* It may be made shorter, never longer, and not shorter than the far side allows (§9). */
    grant.interval = larger(st->policy.expires, larger(said->min_se, MIN_SE_LEAST));
    if (asked && said->expires < grant.interval)
        grant.interval = said->expires;
    if (grant.interval > INTERVAL_MAX)
        grant.interval = INTERVAL_MAX;
    /* §9, table 2: who does not know timers cannot refresh; else it chooses, and if it does not, it does the work. */
    grant.we_refresh = !said->known || said->refresher == REFRESHER_UAS;
    return grant;
}

void session_granted(struct session_timer *st, const struct session_grant *grant)
{
    st->interval = grant->interval;
    st->we_refresh = grant->we_refresh;
    start_clock(st);
}

/* --- we ask ---------------------------------------------------------------------------------------------------------
 */

struct session_terms session_ask(struct session_timer *st)
{
    struct session_terms terms = {.known = st->policy.mode != SESSION_OFF || st->interval};
    unsigned least = larger(st->policy.min_se, st->min_se);

    if (st->interval) { /* §7.4: as it is, and nobody changes places by it */
        terms.expires = larger(least, st->interval);
        terms.refresher = st->we_refresh ? REFRESHER_UAC : REFRESHER_UAS;
    } else if (st->policy.mode == SESSION_ON && !st->plain) {
        terms.expires = larger(least, st->policy.expires); /* who refreshes is left open (§7.1) */
    }
    if (terms.expires)
        terms.min_se = least;
    else
        terms.min_se = st->min_se; /* a proxy has asked for it with a 422, or the far side has one */
    st->asked = terms.expires;
    return terms;
}

void session_answered(struct session_timer *st, const struct session_terms *said)
{
    st->raised = 0;
    st->plain = false;
    st->interval = said->expires < INTERVAL_MAX ? said->expires : INTERVAL_MAX; /* none: switched off (§7.2) */
    st->we_refresh = said->refresher != REFRESHER_UAS;
    start_clock(st);
}

bool session_raise(struct session_timer *st, unsigned min_se)
{
    if (!st->plain && min_se > larger(st->asked, st->min_se) && min_se <= INTERVAL_MAX && st->raised < RAISES_MAX) {
        st->min_se = min_se;
        st->raised++;
        return true;
    }
    if (st->plain || st->interval || !st->asked)
        return false;
    st->plain = true; /* it refuses whatever we ask for: then without */
    return true;
}

bool session_failed(struct session_timer *st, int status, unsigned min_se, unsigned retry_after, bool our_call_id)
{
    uint64_t now_us = st->loop ? loop_now_us(st->loop) : 0;
    uint64_t left_ms = st->deadline_us > now_us ? (st->deadline_us - now_us) / 1000 : 0;
    uint16_t random;

    if (status == 408 || status == 481)
        return false;
    if (status == 422 && session_raise(st, min_se)) {
        session_again(st, 0);
    } else if (status == 491) {
        random_bytes(&random, sizeof random);
        session_again(st, our_call_id ? 2100 + random % 191 * 10u : random % 201 * 10u);
    } else if (retry_after) {
        session_again(st, retry_after < INTERVAL_MAX ? retry_after * 1000 : INTERVAL_MAX * 1000u);
    } else { /* not again and again, but before it is too late */
        session_again(st, left_ms / 3 > RETRY_LEAST_MS ? (unsigned)(left_ms / 3) : RETRY_LEAST_MS);
    }
    return true;
}
