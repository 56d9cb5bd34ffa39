/* Phones that do not exist: each does what is assumed of it, at times that a fake clock brings. Single thread. Knows
 * legs, no Lua. */
#include <stdio.h>
#include <stdlib.h>

#include "base/obj.h"
#include "call/route.h"
#include "media/negotiate.h"
#include "media/negotiate_crypto.h"
#include "script/simulate-priv.h"

static const struct crypto_keys no_secret; /* nothing is ever encrypted with it */
static const struct crypto_ways any_way = {.want = CRYPTO_MAY, .in_sdp = true, .ours = {.hash = HASH_SHA256}};

#define RING_MS 500
#define DECIDE_MS 2500 /* from ringing to what a person does */
#define TALK_S 60

struct phone {
    struct list node;
    struct simulation *sim;
    struct leg *leg; /* ref "phone" */
    struct assumption assumed;
    struct loop_timer timer;
    bool gone;
};

struct kind {
    struct list node;
    struct simulation *sim;
    struct route_kind *route;
    char name[32];
};

int assumption_parse(const char *text, struct assumption *out)
{
    static const char *const words[] = {
        [ASSUME_ANSWERED] = "answered",       [ASSUME_BUSY] = "busy",
        [ASSUME_NO_ANSWER] = "no-answer",     [ASSUME_REJECTED] = "rejected",
        [ASSUME_UNREACHABLE] = "unreachable", [ASSUME_UNKNOWN] = "unknown",
    };
    uint64_t seconds = TALK_S;

    if (strncmp(text, "answered:", 9) == 0) {
        if (str_to_u64(text + 9, 86400, &seconds) < 0)
            return -EINVAL;
        text = "answered";
    }
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strcmp(words[i], text) == 0) {
            *out = (struct assumption){.kind = (enum assumed)i, .talk_s = (unsigned)seconds};
            return 0;
        }
    }
    return -EINVAL;
}

struct assumption simulate_assumed(const struct simulation *sim, const char *target)
{
    struct assumption assumed = {.kind = ASSUME_ANSWERED, .talk_s = TALK_S};
    const char *text = json_string_value(json_object_get(sim->config->assume, target)), *state;
    json_t *account;
    size_t i;

    if (text) {
        assumption_parse(text, &assumed); /* was checked */
        return assumed;
    }
    json_array_foreach(sim->config->accounts, i, account)
    {
        state = json_string_value(json_object_get(account, "state"));
        if (!state || strcmp(json_string_value(json_object_get(account, "name")), target) != 0)
            continue;
        if (strcmp(state, "busy") == 0)
            assumed.kind = ASSUME_BUSY;
        else if (strcmp(state, "unavailable") == 0 || strcmp(state, "disabled") == 0)
            assumed.kind = ASSUME_UNREACHABLE;
    }
    return assumed;
}

/* --- destinations ------------------------------------------------------------------------------------------------ */

/* "202" for an account, "kind:value" for all others. */
static void name_target(const struct kind *kind, const char *value, char *out, size_t size)
{
    if (strcmp(kind->name, "account") == 0)
        str_copy(out, size, value);
    else
        snprintf(out, size, "%s:%s", kind->name, value);
}

static int resolve(void *arg, struct pbx *pbx, const char *value, struct endpoint *out, unsigned max)
{
    const struct kind *kind = arg;
    char target[128];
    const struct account *account = NULL;
    struct assumption assumed;

    name_target(kind, value, target, sizeof target);
    assumed = simulate_assumed(kind->sim, target);
    if (strcmp(kind->name, "account") == 0) {
        account = snapshot_account(db_snapshot(pbx->db), value);
        if (!account)
            return -ENOENT;
    }
    if (assumed.kind == ASSUME_UNKNOWN)
        return -ENOENT;
    if (assumed.kind == ASSUME_UNREACHABLE || (account && !account->enabled))
        return 0;
    memset(out, 0, sizeof *out);
    str_copy(out->number, sizeof out->number, target);
    if (account)
        out->account = obj_ref((void *)(uintptr_t)account, "endpoint");
    return 1;
}

void simulate_kind(struct simulation *sim, const char *name)
{
    struct kind *kind;

    LIST_FOR_EACH(kind, &sim->kinds, node)
    {
        if (strcmp(kind->name, name) == 0)
            return;
    }
    kind = mem_new(sizeof *kind);
    kind->sim = sim;
    if (str_copy(kind->name, sizeof kind->name, name) < 0 ||
        route_kind_add(sim->pbx, name, resolve, kind, &kind->route) < 0) {
        free(kind);
        return;
    }
    list_append(&sim->kinds, &kind->node);
}

void simulate_kinds_free(struct simulation *sim)
{
    struct kind *kind, *next;

    LIST_FOR_EACH_SAFE(kind, next, &sim->kinds, node)
    {
        route_kind_remove(kind->route);
        free(kind);
    }
}

/* --- what a called phone does ------------------------------------------------------------------------------------ */

static void hangs_up(void *arg)
{
    struct phone *phone = arg;

    leg_on_ended(phone->leg, CAUSE_NORMAL, WHO_CALLEE, 0, NULL);
    leg_on_gone(phone->leg);
    phone->gone = true;
}

static void refuses(struct phone *phone, int status)
{
    leg_on_ended(phone->leg, cause_from_sip(status), WHO_CALLEE, status, NULL);
    if (!phone->gone)
        leg_on_gone(phone->leg);
    phone->gone = true;
}

static void decides(void *arg)
{
    struct phone *phone = arg;
    struct media_desc *answer = NULL;

    if (phone->assumed.kind == ASSUME_NO_ANSWER)
        return;
    if (phone->assumed.kind == ASSUME_REJECTED) {
        refuses(phone, 603);
        return;
    }
    if (negotiate_local_answer(phone->leg->our_offer, negotiate_default_codecs, negotiate_default_codec_count,
                               DIR_SENDRECV, &answer) < 0) {
        refuses(phone, 488);
        return;
    }
    crypto_answer(answer, phone->leg->our_offer, NULL, &any_way, &no_secret);
    loop_timer_start(phone->sim->loop, &phone->timer, phone->assumed.talk_s * UINT64_C(1000), hangs_up, phone);
    leg_on_answer(phone->leg, answer);
    desc_free(answer);
}

static void rings(void *arg)
{
    struct phone *phone = arg;

    if (phone->assumed.kind == ASSUME_BUSY) {
        refuses(phone, 486);
        return;
    }
    loop_timer_start(phone->sim->loop, &phone->timer, DECIDE_MS, decides, phone);
    leg_on_ringing(phone->leg, 180);
}

/* --- the operations of a leg ------------------------------------------------------------------------------------- */

static struct phone *new_phone(struct simulation *sim)
{
    struct phone *phone = mem_new(sizeof *phone);

    phone->sim = sim;
    list_append(&sim->phones, &phone->node);
    return phone;
}

static int prepare(struct leg *leg, const struct endpoint *to)
{
    struct phone *phone = new_phone(leg->pbx->sip);

    phone->leg = obj_ref(leg, "phone");
    phone->assumed = simulate_assumed(phone->sim, leg->number);
    leg->usage = phone;
    addr_parse_ip("127.0.0.1", 0, &leg->media_host);
    leg->secure_flow = true;
    return 0;
}

static int dial(struct leg *leg, const struct endpoint *to, const struct media_desc *offer)
{
    struct phone *phone = leg->usage;

    loop_timer_start(phone->sim->loop, &phone->timer, RING_MS, rings, phone);
    return 0;
}

static int ring(struct leg *leg, int status, const struct media_desc *early)
{
    const struct phone *phone = leg->usage;

    simulate_step(phone->sim, early ? "the caller hears %s before the answer" : "the caller hears that it rings",
                  early ? "something" : "");
    return 0;
}

static void confirms(void *arg)
{
    struct phone *phone = arg;

    leg_on_confirmed(phone->leg, NULL);
}

static int answer(struct leg *leg, const struct media_desc *sdp)
{
    struct phone *phone = leg->usage;

    loop_timer_start(phone->sim->loop, &phone->timer, 0, confirms, phone);
    return 0;
}

/* A re-offer is taken as it comes. */
static void takes_offer(void *arg)
{
    struct phone *phone = arg;
    struct media_desc *answer = NULL;

    if (negotiate_local_answer(phone->leg->our_offer, negotiate_default_codecs, negotiate_default_codec_count,
                               DIR_SENDRECV, &answer) < 0)
        leg_on_offer_refused(phone->leg, 488);
    else {
        crypto_answer(answer, phone->leg->our_offer, NULL, &any_way, &no_secret);
        leg_on_offer_answered(phone->leg, answer);
    }
    desc_free(answer);
}

static int offer(struct leg *leg, const struct media_desc *desc)
{
    loop_later(leg->pbx->loop, takes_offer, leg->usage);
    return 0;
}

static int answer_offer(struct leg *leg, const struct media_desc *desc, enum cause refused)
{
    return 0;
}

static void is_gone(void *arg)
{
    struct phone *phone = arg;

    if (!phone->gone)
        leg_on_gone(phone->leg);
    phone->gone = true;
}

static void end(struct leg *leg, enum cause cause, const char *detail)
{
    struct phone *phone = leg->usage;

    loop_timer_stop(phone->sim->loop, &phone->timer);
    loop_later(phone->sim->loop, is_gone, phone);
}

static void detach(struct leg *leg)
{
}

static int key(struct leg *leg, char pressed, unsigned ms)
{
    return 0;
}

const struct leg_ops simulate_leg_ops = {
    .kind = "simulated",
    .prepare = prepare,
    .dial = dial,
    .ring = ring,
    .answer = answer,
    .offer = offer,
    .answer_offer = answer_offer,
    .key = key,
    .end = end,
    .detach = detach,
};

/* --- the caller -------------------------------------------------------------------------------------------------- */

struct leg *simulate_caller(struct simulation *sim, struct call_incoming *in)
{
    struct phone *phone = new_phone(sim);
    enum cause refused;
    struct leg *leg;

    in->ops = &simulate_leg_ops;
    in->usage = phone;
    leg = call_incoming(sim->pbx, in, &refused);
    if (leg)
        phone->leg = obj_ref(leg, "phone");
    return leg;
}

void simulate_hang_up(struct leg *caller)
{
    struct phone *phone = caller->usage;
    bool talked = caller->answered_us != 0;

    loop_timer_stop(phone->sim->loop, &phone->timer);
    leg_on_ended(caller, talked ? CAUSE_NORMAL : CAUSE_CANCELLED, WHO_CALLER, talked ? 0 : 487, NULL);
    if (!phone->gone)
        leg_on_gone(caller);
    phone->gone = true;
}

void simulate_phones_free(struct simulation *sim)
{
    struct phone *phone, *next;

    LIST_FOR_EACH_SAFE(phone, next, &sim->phones, node)
    {
        loop_timer_stop(sim->loop, &phone->timer);
        if (phone->leg)
            obj_unref(phone->leg, "phone");
        free(phone);
    }
}
