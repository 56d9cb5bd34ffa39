/* Calls of the switch to itself: a number is called through the dialplan, with an account's rights, as a destination
 * among others (ring groups, follow-me). One leg of the call that dials and the caller's leg of a new call are each
 * other's far sides; their ports send to each other by loopback. What one side does reaches the other in the next turn
 * of the loop, as a phone's message would. Signalling thread. */
#include "call/inner.h"

#include <stdlib.h>

#include "base/obj.h"
#include "call/call-priv.h"

#define HOPS_EACH 35 /* of Max-Forwards: a dialplan that calls itself ends soon, however many it calls each time */
#define HOPS_MOST 70 /* that count, whatever the phone says */

struct inner {
    struct pbx *pbx;
    struct leg *legs[2]; /* who dials, the new call's caller; borrowed until they are told that they are gone */
};

enum news {
    NEWS_RINGING,
    NEWS_EARLY,
    NEWS_ANSWER,
    NEWS_CONFIRMED,
    NEWS_OFFER,
    NEWS_TAKEN,
    NEWS_REFUSED,
    NEWS_ENDED,
    NEWS_GONE
};

struct message {
    struct inner *inner; /* ref "message" */
    unsigned to;
    enum news news;
    int status;
    enum cause cause;
    struct media_desc *desc; /* owned */
    char detail[128];
};

static unsigned side_of(const struct inner *inner, const struct leg *leg)
{
    return inner->legs[1] == leg;
}

static void gone(struct inner *inner, unsigned side)
{
    struct leg *leg = inner->legs[side];

    if (!leg)
        return;
    inner->legs[side] = NULL;
    leg_on_gone(leg);
    loop_unref_later(inner->pbx->loop, inner, "leg");
}

static void arrive(void *arg)
{
    struct message *m = arg;
    struct inner *inner = m->inner;
    struct leg *leg = inner->legs[m->to], *sender = inner->legs[!m->to];

    if (leg) {
        switch (m->news) {
        case NEWS_RINGING:
            leg_on_ringing(leg, m->status);
            break;
        case NEWS_EARLY:
            leg_on_early(leg, m->status, m->desc);
            break;
        case NEWS_ANSWER:
            leg_on_answer(leg, m->desc);
            break;
        case NEWS_CONFIRMED:
            leg_on_confirmed(leg, NULL);
            break;
        case NEWS_OFFER:
            if (leg_is_alive(leg))
                leg_on_offer(leg, m->desc);
            else if (sender)
                leg_on_offer_refused(sender, 481);
            break;
        case NEWS_TAKEN:
            leg_on_offer_answered(leg, m->desc);
            break;
        case NEWS_REFUSED:
            leg_on_offer_refused(leg, m->status);
            break;
        case NEWS_ENDED:
            leg_on_ended(leg, m->cause, leg->inbound ? WHO_CALLER : WHO_CALLEE, m->status, m->detail);
            gone(inner, m->to);
            break;
        case NEWS_GONE:
            gone(inner, m->to);
            break;
        }
    }
    desc_free(m->desc);
    free(m);
    obj_unref(inner, "message");
}

static struct message *message_new(struct inner *inner, unsigned to, enum news news)
{
    struct message *m = mem_new(sizeof *m);

    m->inner = obj_ref(inner, "message");
    m->to = to;
    m->news = news;
    loop_later(inner->pbx->loop, arrive, m);
    return m;
}

static struct message *tell_other(struct leg *leg, enum news news)
{
    struct inner *inner = leg->usage;

    return message_new(inner, !side_of(inner, leg), news);
}

/* What the leg says of its media, with the addresses to which its ports are really bound. */
static struct media_desc *crossing(const struct leg *leg, const struct media_desc *from)
{
    struct media_desc *desc = desc_copy(from);

    for (unsigned i = 0; desc && i < desc->count && i < leg->stream_count; i++) {
        struct stream_desc *s = &desc->streams[i];
        union addr bound;

        if (s->refused || !leg->streams[i].port)
            continue;
        bound = *media_port_addr(leg->streams[i].port);
        if (addr_is_any(&bound))
            addr_parse_ip(bound.sa.sa_family == AF_INET6 ? "::1" : "127.0.0.1", 0, &bound);
        addr_set_port(&bound, addr_port(&s->rtp));
        s->rtp = bound;
        addr_set_port(&bound, addr_port(&s->rtcp));
        s->rtcp = bound;
    }
    return desc;
}

/* --- the operations of a leg -------------------------------------------------------------------------------------- */

static void local_host(struct pbx *pbx, const struct leg *caller, union addr *out)
{
    bool six = caller && caller->media_host.sa.sa_family == AF_INET6;

    addr_parse_ip(six ? "::1" : "127.0.0.1", 0, out);
}

static int prepare(struct leg *leg, const struct endpoint *to)
{
    struct inner *inner = obj_new(sizeof *inner, "inner", NULL, "leg");

    inner->pbx = leg->pbx;
    inner->legs[0] = leg;
    leg->usage = inner;
    local_host(leg->pbx, leg->call->caller, &leg->media_host);
    leg->signalling = leg->media_host;
    leg->secure_flow = true; /* nothing leaves this process */
    str_copy(leg->contact, sizeof leg->contact, to->uri);
    str_copy(leg->peer, sizeof leg->peer, "dialplan");
    return 0;
}

static unsigned hops_left(unsigned hops)
{
    hops = hops < HOPS_MOST ? hops : HOPS_MOST;
    return hops > HOPS_EACH ? hops - HOPS_EACH : 0;
}

/* to->uri is CONTEXT/ACCOUNT/NUMBER. */
static int dial(struct leg *leg, const struct endpoint *to, const struct media_desc *offer)
{
    struct inner *inner = leg->usage;
    struct media_desc *crossed = crossing(leg, offer);
    char context[64], name[64];
    const char *account = strchr(to->uri, '/') + 1, *number = strchr(account, '/') + 1;
    const struct account *owner;
    struct call_incoming in = {
        .from_number = leg_shown_number(leg),
        .from_name = leg_shown_name(leg),
        .dialled = number,
        .context = context,
        .sip_call_id = "",
        .contact = to->uri,
        .offer = crossed,
        .ops = leg->ops,
        .usage = inner,
        .media_host = leg->media_host,
        .signalling = leg->signalling,
        .hops = hops_left(leg->call->hops),
        .secure = leg->call->secure,
        .secure_flow = true,
        .anonymous = leg_is_withheld(leg),
        .part_of = leg->call,
    };
    enum cause refused;

    str_copy_n(context, sizeof context, to->uri, (size_t)(account - 1 - to->uri));
    str_copy_n(name, sizeof name, account, (size_t)(number - 1 - account));
    owner = *name ? snapshot_account(db_snapshot(leg->pbx->db), name) : NULL;
    in.account = owner ? obj_ref((void *)(uintptr_t)owner, "leg") : NULL;
    obj_ref(inner, "leg");
    inner->legs[1] = call_incoming(leg->pbx, &in, &refused);
    desc_free(crossed);
    if (inner->legs[1]) {
        str_copy(inner->legs[1]->peer, sizeof inner->legs[1]->peer, leg->peer);
        return 0;
    }
    obj_unref(in.account, "leg");
    obj_unref(inner, "leg");
    return -ENETDOWN;
}

static int ring(struct leg *leg, int status, const struct media_desc *early)
{
    struct message *m = tell_other(leg, early ? NEWS_EARLY : NEWS_RINGING);

    m->status = status;
    m->desc = early ? crossing(leg, early) : NULL;
    return 0;
}

static int answer(struct leg *leg, const struct media_desc *sdp)
{
    struct inner *inner = leg->usage;

    tell_other(leg, NEWS_ANSWER)->desc = crossing(leg, sdp);
    message_new(inner, side_of(inner, leg), NEWS_CONFIRMED);
    return 0;
}

static int offer(struct leg *leg, const struct media_desc *desc)
{
    tell_other(leg, NEWS_OFFER)->desc = crossing(leg, desc);
    return 0;
}

static int answer_offer(struct leg *leg, const struct media_desc *desc, enum cause refused)
{
    struct message *m = tell_other(leg, desc ? NEWS_TAKEN : NEWS_REFUSED);

    if (desc)
        m->desc = crossing(leg, desc);
    else
        m->status = refused == CAUSE_GLARE ? 491 : 488;
    return 0;
}

static void end(struct leg *leg, enum cause cause, const char *detail)
{
    struct inner *inner = leg->usage;
    struct leg *other = inner->legs[!side_of(inner, leg)];

    message_new(inner, side_of(inner, leg), NEWS_GONE);
    if (!other)
        return;
    if (other->state == LEG_UP) {
        tell_other(leg, NEWS_ENDED)->cause = cause;
    } else { /* a refusal, or it is called off */
        struct message *m = tell_other(leg, NEWS_ENDED);

        m->cause = leg->inbound || cause == CAUSE_ANSWERED_ELSEWHERE ? cause : CAUSE_CANCELLED;
        m->status = cause_info(m->cause)->sip_status;
        str_copy(m->detail, sizeof m->detail, detail);
    }
}

static void detach(struct leg *leg)
{
    struct inner *inner = leg->usage;

    if (!inner)
        return;
    inner->legs[side_of(inner, leg)] = NULL;
    leg->usage = NULL;
    loop_unref_later(inner->pbx->loop, inner, "leg");
}

static int save(const struct leg *leg, void *json)
{
    return -EOPNOTSUPP;
}

static int note(struct leg *leg, const struct note *text, note_done_fn done, void *arg)
{
    return -EOPNOTSUPP;
}

static int key(struct leg *leg, char pressed, unsigned ms)
{
    return -EOPNOTSUPP;
}

static const struct leg_ops inner_ops = {
    .kind = "inner",
    .prepare = prepare,
    .dial = dial,
    .ring = ring,
    .answer = answer,
    .offer = offer,
    .answer_offer = answer_offer,
    .end = end,
    .detach = detach,
    .save = save,
    .note = note,
    .key = key,
};

bool leg_is_inner(const struct leg *leg)
{
    return leg->ops == &inner_ops;
}

struct leg *inner_other(const struct leg *leg)
{
    const struct inner *inner = leg_is_inner(leg) ? leg->usage : NULL;

    return inner ? inner->legs[!side_of(inner, leg)] : NULL;
}

/* --- the kind of destination -------------------------------------------------------------------------------------- */

static int resolve(void *arg, struct pbx *pbx, const char *value, struct endpoint *out, unsigned max)
{
    const char *slash = strchr(value, '/'), *number = slash ? strchr(slash + 1, '/') : NULL;

    if (!number || !number[1] || slash - value > 63 || number - slash > 63 || strlen(number + 1) > 63)
        return -ENOENT;
    memset(out, 0, sizeof *out);
    out->ops = &inner_ops;
    out->secure = true; /* the calls behind it see to that themselves */
    str_copy(out->number, sizeof out->number, number + 1);
    return str_copy(out->uri, sizeof out->uri, value) < 0 ? -ENOENT : 1;
}

void inner_open(struct pbx *pbx)
{
    (void)bug_if(route_kind_add(pbx, "number", resolve, NULL, &pbx->inner) < 0);
}
