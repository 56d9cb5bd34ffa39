/* Transfers, from the wish to the answer of the new party or back to who transferred. Signalling thread. Knows no SIP
 * and no module: what is allowed a hook decides. */
#include "call/transfer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/call-priv.h"
#include "call/talk.h"

#define RECALL_MS 30000

/* From call_transfer() until somebody has answered or it has failed; call->transfer. */
struct transfer {
    struct call *call;      /* ref "transfer" */
    struct leg *by;         /* ref "transfer"; NULL: it has hung up */
    struct leg *who;        /* ref "transfer": the call's caller meanwhile */
    struct account *behalf; /* ref "transfer"; NULL: nobody can be called back */
    struct account *before; /* ref "transfer": who answered for the call till then */
    char context[64], extension[64], by_number[64], transferor[64]; /* transferor: as others may see it; "": not */
    struct transfer_news *news;                                     /* NULL: nobody is told any more */
    bool rang, starting; /* starting: the turn's end will call start(), or the answer to an offer will */
    bool over;           /* out of its call; start() frees it */
};

static void tell(struct transfer *t, int status)
{
    struct transfer_news *news = t->news;

    consult_told(t->call, status);
    if (status >= 200)
        t->news = NULL;
    if (news)
        news->told(news, status);
}

const char *call_transferor(const struct call *call)
{
    return call->transfer && call->transfer->transferor[0] ? call->transfer->transferor : NULL;
}

static void drop_by(struct transfer *t)
{
    if (t->by)
        loop_unref_later(t->call->pbx->loop, t->by, "transfer");
    t->by = NULL;
}

static void free_transfer(struct transfer *t)
{
    struct loop *loop = t->call->pbx->loop;

    drop_by(t);
    loop_unref_later(loop, t->who, "transfer");
    obj_unref(t->behalf, "transfer");
    obj_unref(t->before, "transfer");
    loop_unref_later(loop, t->call, "transfer");
    free(t);
}

/* From here on the call is an ordinary one. */
static void finish(struct transfer *t)
{
    t->call->transfer = NULL;
    t->over = true;
    if (!t->starting)
        free_transfer(t);
}

/* --- the wish ----------------------------------------------------------------------------------------------------- */

enum cause leg_transfer_asked(struct transfer_wish *wish, char *why, size_t why_size)
{
    enum cause cause = CAUSE_REJECTED;

    switch (hook_ask(wish->by->pbx->hooks, HOOK_TRANSFER, wish, &cause, why, why_size)) {
    case VERDICT_HANDLED:
        return CAUSE_NONE;
    case VERDICT_REJECT:
        return cause;
    default:
        return CAUSE_REJECTED;
    }
}

/* --- the way to the new party ------------------------------------------------------------------------------------- */

static void start(void *arg)
{
    struct transfer *t = arg;
    struct call *call = t->call;
    const struct script_ops *ops = call->pbx->script_ops;
    int result;

    t->starting = false;
    if (t->over) {
        free_transfer(t);
        return;
    }
    if (!leg_is_alive(t->who)) /* it is just ending: transfer_leg_ended() follows */
        return;
    result = ops ? ops->start(call->pbx->script, call, t->context, t->extension) : -ENOENT;
    if (result < 0)
        transfer_failed(call, result == -ENOENT ? CAUSE_UNKNOWN_NUMBER : CAUSE_SCRIPT_ERROR, NULL);
}

/* A phone that refuses to come off hold is connected all the same: the new party may talk to it. */
static void off_hold(void *arg, struct leg *leg, int status, const struct media_desc *answer)
{
    start(arg);
}

static void begin(void *arg)
{
    struct transfer *t = arg;

    if (!t->over)
        tell(t, 100);
    if (t->over || leg_take_off_hold(t->who, off_hold, t) < 0)
        start(t);
}

/* Its bridge ends because we end it. */
static void stays(void *arg, struct leg *leg, enum leg_change change)
{
}

void call_part(struct leg *by, struct leg *who)
{
    leg_set_control(who, stays, NULL);
    bridge_leave(by);
    leg_set_control(who, NULL, NULL);
}

/* The dialplan serves this leg from now on. */
static void take_over(struct call *call, struct leg *who)
{
    if (call->caller == who)
        return;
    if (!call->first)
        call->first = call->caller ? obj_ref(call->caller, "first") : NULL;
    if (call->caller)
        loop_unref_later(call->pbx->loop, call->caller, "caller");
    call->caller = obj_ref(who, "caller");
}

/* Who talked in it goes on without what brought them together. */
void call_let_alone(struct call *call)
{
    dial_release(call);
    if (call->script && call->pbx->script_ops->transferred)
        call->pbx->script_ops->transferred(call->pbx->script, call);
    else if (call->script)
        call->pbx->script_ops->hangup(call->pbx->script, call);
    call->dial_cause = CAUSE_NONE;
    call->transfers++;
}

void call_answers(struct call *call, struct account *behalf)
{
    if (behalf)
        obj_ref(behalf, "call");
    obj_unref(call->behalf, "call");
    call->behalf = behalf;
    call_limit_update(call);
}

void call_serve(struct call *call, struct leg *who, struct account *behalf)
{
    take_over(call, who);
    call_answers(call, behalf);
    call_set_state(call, CALL_ROUTING);
}

static int begin_transfer(struct leg *by, struct leg *who, const char *context, const char *extension,
                          struct account *behalf, struct transfer_news *news)
{
    struct call *call = who->call;
    struct transfer *t;
    char words[200];

    if (call->transfer)
        return -EBUSY;
    if (by->call != call || who->state != LEG_UP)
        return -ENOTCONN;
    if (strlen(context) >= sizeof t->context || strlen(extension) >= sizeof t->extension)
        return -E2BIG; /* cutting it short would make it somebody else */
    t = mem_new(sizeof *t);
    t->call = obj_ref(call, "transfer");
    t->by = leg_is_alive(by) ? obj_ref(by, "transfer") : NULL;
    t->who = obj_ref(who, "transfer");
    t->behalf = behalf ? obj_ref(behalf, "transfer") : NULL;
    t->before = call->behalf ? obj_ref(call->behalf, "transfer") : NULL;
    t->news = news;
    t->starting = true;
    str_copy(t->context, sizeof t->context, context);
    str_copy(t->extension, sizeof t->extension, extension);
    str_copy(t->by_number, sizeof t->by_number, by->number);
    if (!by->anonymous)
        str_copy(t->transferor, sizeof t->transferor, by->account ? by->account->name : by->number);
    snprintf(words, sizeof words, "%.50s hands %.50s over to %.60s", by->number, who->number, extension);
    call_left_alone(call, "handed over to %.50s by %.50s", extension, t->by_number);
    leg_publish(by, EVENT_TRANSFER, words);
    call_let_alone(call);
    if (by->bridge && by->bridge == who->bridge)
        call_part(by, who);
    call->transfer = t;
    call->redirect_count = 0; /* what follows is another wish */
    call_talks_by(call, "transfer", t->by_number);
    call_serve(call, who, behalf);
    loop_later(call->pbx->loop, begin, t);
    return 0;
}

int transfer_of(struct leg *by, struct leg *who, const char *context, const char *extension, struct account *behalf)
{
    return begin_transfer(by, who, context, extension, behalf, NULL);
}

int call_transfer(struct leg *by, const char *context, const char *extension, struct account *behalf,
                  struct transfer_news *news)
{
    struct leg *who = bridge_peer(by);

    if (by->call->transfer || by->call->consult)
        return -EBUSY;
    if (!who || by->state != LEG_UP)
        return -ENOTCONN;
    return begin_transfer(by, who, context, extension, behalf, news);
}

/* --- what becomes of it ------------------------------------------------------------------------------------------- */

void transfer_rings(struct call *call)
{
    struct transfer *t = call->transfer;

    if (!t->rang)
        tell(t, 180);
    t->rang = true;
}

static void let_go(void *arg)
{
    struct leg *leg = arg;

    leg_end(leg, CAUSE_TRANSFERRED, WHO_SWITCH, NULL);
    loop_unref_later(leg->pbx->loop, leg, "let go");
}

void transfer_answered(struct call *call)
{
    struct transfer *t = call->transfer;
    const struct leg *with = bridge_peer(t->who);
    char words[200];

    snprintf(words, sizeof words, "%.50s talks to %.60s now, by way of %.50s", t->who->number,
             with ? with->number : t->extension, t->by_number);
    leg_publish(t->who, EVENT_TRANSFERRED, words);
    if (with) /* who was called knows who calls */
        leg_show(t->who, with);
    tell(t, 200);
    if (t->by) /* not under whoever tells us of the answer */
        loop_later(call->pbx->loop, let_go, obj_ref(t->by, "let go"));
    finish(t);
}

static void recalled(void *arg, const struct dial_result *result)
{
    call_script_done(arg, CAUSE_NONE, NULL);
}

/* Who transferred has hung up: is called. */
#define RECALLED "Alert-Info: <urn:alert:service:recall:transfer>\n" /* RFC 7462 */

static void recall(struct call *call, struct leg *who, const struct account *account, enum cause cause)
{
    char target[80], label[80];
    const struct dial_target to = {.to = target};
    const struct dial_request request = {
        .leg = who, .targets = &to, .target_count = 1, .timeout_ms = RECALL_MS, .headers = RECALLED, .label = label};

    snprintf(label, sizeof label, "Back (%s):", dial_status_name(dial_status_of(cause)));
    if (account) {
        snprintf(target, sizeof target, "account:%s", account->name);
        call_left_alone(call, "alone: %.60s was called back in vain", account->name);
    }
    if (!account || call_dial(call, &request, recalled, call) < 0)
        leg_end(who, cause, WHO_SWITCH, NULL);
}

void transfer_failed(struct call *call, enum cause cause, const char *detail)
{
    struct transfer *t = call->transfer;
    struct leg *who = obj_ref(t->who, "give back"), *by = t->by;
    struct account *behalf = t->behalf ? obj_ref(t->behalf, "give back") : NULL;
    struct account *before = t->before ? obj_ref(t->before, "give back") : NULL;
    char words[300];
    bool returns;
    int status;

    if (cause == CAUSE_NONE)
        cause = CAUSE_NORMAL;
    status = cause_info(cause)->sip_status;
    returns = by && leg_is_alive(by);
    snprintf(words, sizeof words,
             returns ? "to %.60s failed, %.50s gets %.50s back: %s"
                     : "to %.60s failed, %.50s is called back for %.50s: %s",
             t->extension, t->by_number, who->number, detail && *detail ? detail : cause_info(cause)->words);
    leg_publish(who, EVENT_TRANSFER, words);
    tell(t, status >= 300 ? status : 480);
    call_talks_by(call, "recall", NULL);
    finish(t);
    if (returns && bridge_join(who, by) == 0) {
        call_set_state(call, CALL_TALKING);
        leg_tell_again(who);
    } else {
        recall(call, who, behalf, cause);
    }
    call_answers(call, before); /* whoever is called back pays for that, and for nothing more */
    obj_unref(before, "give back");
    obj_unref(behalf, "give back");
    loop_unref_later(call->pbx->loop, who, "give back");
}

void transfer_leg_ended(struct call *call, struct leg *leg)
{
    struct transfer *t = call->transfer;
    struct leg *by = t->by;

    if (leg == by) {
        drop_by(t);
        return;
    }
    if (leg != t->who)
        return;
    call_gave_up(leg);
    tell(t, 487);
    if (by)
        obj_ref(by, "left");
    finish(t);
    if (by) {
        leg_end(by, leg->cause, leg->who, "the party that was being transferred has hung up");
        loop_unref_later(call->pbx->loop, by, "left");
    }
}

/* --- with consultation -------------------------------------------------------------------------------------------- */

/* The one in the middle is free: when what it asked for has been answered. */
struct farewell {
    struct leg *by, *other; /* ref "farewell" */
};

static void farewell(void *arg)
{
    struct farewell *f = arg;
    struct loop *loop = f->by->pbx->loop;

    leg_end(f->other, CAUSE_TRANSFERRED, WHO_SWITCH, NULL);
    leg_end(f->by, CAUSE_TRANSFERRED, WHO_SWITCH, NULL);
    loop_unref_later(loop, f->by, "farewell");
    loop_unref_later(loop, f->other, "farewell");
    free(f);
}

int call_transfer_to(struct leg *by, struct leg *other, struct transfer_news *news)
{
    struct leg *who = bridge_peer(by), *with = bridge_peer(other), *stays = who, *comes = with;
    struct call *call = by->call, *from = other->call;
    struct farewell *f;
    char words[200];
    int result;

    if (call->transfer || from->transfer || call->consult || from->consult)
        return -EBUSY;
    if (!who || !with || call == from || who->call != call || with->call != from || by->state != LEG_UP ||
        who->state != LEG_UP || other->state != LEG_UP || with->state != LEG_UP)
        return -ENOTCONN;
    snprintf(words, sizeof words, "%.50s hands %.50s over to %.50s, after talking to both", by->number, who->number,
             with->number);
    leg_publish(by, EVENT_TRANSFER, words);
    leg_publish(other, EVENT_TRANSFER, words);
    call_let_alone(call);
    call_let_alone(from);
    call_part(by, who);
    call_part(other, with);
    if (memcmp(&from->id, &call->id, sizeof call->id) < 0) { /* it goes on in the older call, which people look for */
        stays = with;
        comes = who;
    }
    take_over(stays->call, stays);
    if (comes->call->caller == comes)
        take_over(comes->call, comes == who ? by : other);
    leg_move_to(comes, stays->call);
    call_talks_by(stays->call, "attended transfer", by->number);
    result = bridge_join(stays, comes);
    if (result < 0) { /* nobody has anybody to talk to any more */
        struct leg *const all[] = {with, who, other, by};

        for (size_t i = 0; i < COUNT_OF(all); i++)
            leg_end(all[i], CAUSE_INTERNAL, WHO_SWITCH, "the transfer could not be completed");
        return result;
    }
    snprintf(words, sizeof words, "%.50s talks to %.50s now, by way of %.50s", who->number, with->number, by->number);
    leg_publish(who, EVENT_TRANSFERRED, words);
    leg_show(who, with);
    leg_show(with, who);
    legs_introduce(who);
    f = mem_new(sizeof *f);
    f->by = obj_ref(by, "farewell");
    f->other = obj_ref(other, "farewell");
    loop_later(call->pbx->loop, farewell, f);
    if (news)
        news->told(news, 200);
    return 0;
}

/* --- another leg of the same account ------------------------------------------------------------------------------ */

struct replacement {
    struct leg *leg, *replaced; /* ref "replacement" */
};

static enum cause answer_like(struct leg *leg, struct leg *replaced, char *why, size_t why_size)
{
    struct leg *peer = bridge_peer(replaced);
    bool reoffer = false;
    int result;

    if (!leg_is_alive(replaced) || !peer || peer->state != LEG_UP || peer->call != replaced->call ||
        replaced->call->transfer || replaced->call->consult) {
        str_copy(why, why_size, "the call that was to be replaced has ended or changed meanwhile");
        return CAUSE_REJECTED;
    }
    if (leg->remote_offer && leg_crypto_admit(leg, leg->remote_offer, why, why_size) < 0)
        return CAUSE_NO_ENCRYPTION;
    if (leg->remote_offer && leg_codecs_admit(leg, leg->remote_offer, why, why_size) < 0)
        return CAUSE_NO_COMMON_CODEC;
    result = dial_answer_caller(leg, peer, &reoffer);
    if (result < 0)
        dial_say_codecs(leg, peer, why, why_size);
    return result == 0 ? CAUSE_NONE : result == -EAGAIN ? CAUSE_NO_MEDIA : CAUSE_NO_COMMON_CODEC;
}

static void put_in_place(struct leg *leg, struct leg *replaced)
{
    struct call *call = leg->call;
    struct leg *peer = bridge_peer(replaced);
    char words[200];

    call_let_alone(call);
    call_talks_by(call, "another phone", NULL);
    call_part(replaced, peer);
    if (call->caller == replaced) { /* the same party, on another phone */
        loop_unref_later(call->pbx->loop, call->caller, "caller");
        call->caller = obj_ref(leg, "caller");
    }
    if (bug_if(bridge_join(peer, leg) < 0))
        leg_end(leg, CAUSE_INTERNAL, WHO_SWITCH, "the replacement could not be completed");
    snprintf(words, sizeof words, "%.50s talks to %.50s now, on another phone", peer->number, leg->number);
    leg_publish(peer, EVENT_TRANSFERRED, words);
    leg_show(leg, peer);
    leg_end(replaced, CAUSE_TRANSFERRED, WHO_SWITCH, "replaced by another phone of the account");
    legs_introduce(peer);
}

static void replace(void *arg)
{
    struct replacement *r = arg;
    struct loop *loop = r->leg->pbx->loop;
    char why[128] = "";
    enum cause refused = CAUSE_NONE;

    if (leg_is_alive(r->leg))
        refused = answer_like(r->leg, r->replaced, why, sizeof why);
    if (refused != CAUSE_NONE)
        leg_end(r->leg, refused, WHO_SWITCH, why);
    else if (leg_is_alive(r->leg) && leg_is_alive(r->replaced))
        put_in_place(r->leg, r->replaced);
    loop_unref_later(loop, r->leg, "replacement");
    loop_unref_later(loop, r->replaced, "replacement");
    free(r);
}

struct leg *call_replace(struct leg *replaced, bool early_only, const struct call_incoming *in, enum cause *refused,
                         char *why, size_t why_size)
{
    struct pbx *pbx = replaced->pbx;
    struct replacement *r;
    struct leg *leg;

    *refused = CAUSE_NONE;
    str_copy(why, why_size, "");
    if (pbx->draining)
        *refused = CAUSE_STOPPING;
    else if (!media_is_up(pbx->media))
        *refused = CAUSE_NO_MEDIA;
    else if (!replaced->inbound && (replaced->state == LEG_CALLING || replaced->state == LEG_RINGING))
        return pickup_incoming(replaced, in, refused, why, why_size);
    else if (!in->account || !replaced->account || strcmp(in->account->name, replaced->account->name) != 0)
        *refused = CAUSE_FORBIDDEN;
    else if (!leg_is_alive(replaced))
        *refused = CAUSE_REJECTED; /* 603: RFC 3891 §3 */
    else if (early_only && replaced->state == LEG_UP)
        *refused = CAUSE_BUSY; /* 486 */
    else if (replaced->state != LEG_UP || !bridge_peer(replaced) || replaced->call->transfer || replaced->call->consult)
        *refused = CAUSE_NOT_SUPPORTED;
    if (*refused != CAUSE_NONE)
        return NULL;
    leg = call_incoming_leg(replaced->call, in);
    leg_publish(leg, EVENT_LEG_NEW, NULL);
    r = mem_new(sizeof *r);
    r->leg = obj_ref(leg, "replacement");
    r->replaced = obj_ref(replaced, "replacement");
    loop_later(pbx->loop, replace, r);
    return leg;
}
