/* Talks and conversations: told of legs that are answered, bridged and taken apart, it says on the bus who talks to
 * whom and which calls belong together. Signalling thread. Knows no database: main/records.c makes rows of it. */
#include "call/talk.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "call/call-priv.h"
#include "call/conference.h"
#include "call/inner.h"

/* --- how ---------------------------------------------------------------------------------------------------------- */

void call_talks_by(struct call *call, const char *how, const char *by)
{
    str_copy(call->talk_how, sizeof call->talk_how, how);
    str_copy(call->talk_by, sizeof call->talk_by, by ? by : "");
}

void call_talks_forwarded(struct call *call, const char *by)
{
    size_t used = strlen(call->talk_by);

    if (!call->talk_how[0])
        call_talks_by(call, "forward", by);
    else if (strcmp(call->talk_how, "forward") == 0)
        str_append(call->talk_by, sizeof call->talk_by, &used, ", %s", by);
    else
        str_append(call->talk_by, sizeof call->talk_by, &used, "%sforward of %s", used ? ", " : "", by);
}

void call_left_alone(struct call *call, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(call->at_last, sizeof call->at_last, fmt, ap);
    va_end(ap);
}

void call_gave_up(const struct leg *leg)
{
    size_t used = strlen(leg->call->at_last);

    if (used && (leg->who == WHO_CALLER || leg->who == WHO_CALLEE))
        str_append(leg->call->at_last, sizeof leg->call->at_last, &used, ", and gave up");
}

/* --- talks -------------------------------------------------------------------------------------------------------- */

static const char *party(const struct leg *leg)
{
    if (leg->account)
        return leg->account->name;
    return leg->number[0] ? leg->number : "unknown";
}

static void publish(struct leg *leg, struct talk *talk)
{
    char words[300];
    size_t used = 0;
    struct event event = {.kind = EVENT_TALK,
                          .call = leg->call,
                          .leg = leg,
                          .account = leg->account ? leg->account->name : NULL,
                          .talk = talk,
                          .detail = words};

    if (talk->until_us)
        str_append(words, sizeof words, &used, "%s and %s: no more", talk->party_a, talk->party_b);
    else if (uuid_is_nil(&talk->leg_b))
        str_append(words, sizeof words, &used, "%s is in conference %s", talk->party_a, talk->party_b);
    else
        str_append(words, sizeof words, &used, "%s talks to %s", talk->party_a, talk->party_b);
    if (!talk->until_us && strcmp(talk->how, "dialled") != 0 && strcmp(talk->how, "conference") != 0)
        str_append(words, sizeof words, &used, talk->by[0] ? " (by %s %s %s)" : " (%s)", talk->how,
                   strcmp(talk->how, "pickup") == 0 ? "from" : "of", talk->by);
    bus_publish(leg->pbx->bus, &event);
}

static void talk_takes(struct talk *talk, struct leg *leg)
{
    if (leg->talk)
        return;
    leg->talk = talk;
    talk->legs[talk->leg_count++] = leg;
}

static struct talk *begin(struct leg *a, const struct leg *b, const char *how)
{
    struct talk *talk = mem_new(sizeof *talk);
    struct call *call = a->call, *told = b && !call->talk_how[0] ? b->call : call;

    talk->pbx = a->pbx;
    talk->id = uuid_new();
    talk->call_id = call->id;
    talk->leg_a = a->id;
    talk->since_us = loop_now_us(a->pbx->loop);
    talk->since_wall_us = loop_wall_us(a->pbx->loop);
    str_copy(talk->party_a, sizeof talk->party_a, party(a));
    if (b) {
        talk->leg_b = b->id;
        str_copy(talk->party_b, sizeof talk->party_b, party(b));
    }
    str_copy(talk->how, sizeof talk->how, told->talk_how[0] ? told->talk_how : how);
    str_copy(talk->by, sizeof talk->by, told->talk_by);
    told->talk_how[0] = told->talk_by[0] = '\0';
    call->at_last[0] = '\0';
    if (b)
        b->call->at_last[0] = '\0';
    talk_takes(talk, a);
    list_append(&a->pbx->talks, &talk->node);
    return talk;
}

/* Who comes first in words: whom the dialplan serves, or else who called the switch. */
static bool leads(const struct leg *leg, const struct leg *other)
{
    bool mine = leg->call->caller == leg, its = other->call->caller == other;

    return mine != its ? mine : leg->inbound != other->inbound ? leg->inbound : leg->started_us <= other->started_us;
}

/* The legs from this one to whom people would name: who rings a number for another call is seen through, unless nobody
 * is there but the dialplan. Returns how many; 0: the other call has not heard of the answer, or is not connected. */
static unsigned path(struct leg *leg, struct leg *out[], unsigned most)
{
    unsigned count = 0;

    while (leg && leg->state == LEG_UP && count < most) {
        struct leg *other = inner_other(leg), *next = other && other->state == LEG_UP ? bridge_peer(other) : NULL;

        out[count++] = leg;
        if (!leg_is_inner(leg) || (!leg->inbound && !next))
            return count;
        if (!next || count == most)
            return 0;
        out[count++] = other;
        leg = next;
    }
    return 0;
}

void leg_talk_update(struct leg *leg)
{
    struct leg *peer = bridge_peer(leg), *mine[TALK_LEGS_MAX / 2], *its[TALK_LEGS_MAX / 2], *a, *b;
    unsigned mine_count = peer ? path(leg, mine, COUNT_OF(mine)) : 0;
    unsigned its_count = mine_count ? path(peer, its, COUNT_OF(its)) : 0;
    struct talk *talk;

    if (!its_count || mine[mine_count - 1] == its[its_count - 1])
        return;
    a = mine[mine_count - 1];
    b = its[its_count - 1];
    if (!leads(a, b)) {
        b = a;
        a = its[its_count - 1];
    }
    if (a->talk && a->talk == b->talk)
        return;
    leg_talk_ends(a); /* with the dialplan, until now */
    leg_talk_ends(b);
    if (a->call != b->call)
        call_joins(a->call, b->call);
    talk = begin(a, b, "dialled");
    for (unsigned i = 0; i < mine_count; i++)
        talk_takes(talk, mine[i]);
    for (unsigned i = 0; i < its_count; i++)
        talk_takes(talk, its[i]);
    publish(a, talk);
}

void leg_talk_conference(struct leg *leg, const char *room)
{
    if (bug_if(leg->talk))
        return;
    begin(leg, NULL, "conference");
    str_copy(leg->talk->party_b, sizeof leg->talk->party_b, room);
    publish(leg, leg->talk);
}

void leg_talk_ends(struct leg *leg)
{
    struct talk *talk = leg->talk;

    if (!talk)
        return;
    for (unsigned i = 0; i < talk->leg_count; i++)
        talk->legs[i]->talk = NULL;
    list_unlink(&talk->node);
    talk->until_us = loop_now_us(leg->pbx->loop);
    publish(talk->legs[0], talk);
    free(talk);
}

/* --- conversations ------------------------------------------------------------------------------------------------ */

const struct uuid *call_conversation(const struct call *call)
{
    return uuid_is_nil(&call->conversation) ? &call->id : &call->conversation;
}

void call_joins(struct call *call, struct call *with)
{
    struct uuid first = *call_conversation(call), second = *call_conversation(with);
    struct call *other;
    char id[UUID_TEXT], words[80];
    int order = memcmp(&first, &second, sizeof first); /* ids grow with time */

    if (order == 0)
        return;
    if (order > 0) {
        struct uuid swap = first;

        first = second;
        second = swap;
    }
    uuid_text(&first, id);
    snprintf(words, sizeof words, "belongs to call %s from now on", id);
    LIST_FOR_EACH(other, &call->pbx->calls, in_pbx)
    {
        struct event event = {.kind = EVENT_CALL_JOINED, .call = other, .conversation = &second, .detail = words};

        if (!uuid_same(call_conversation(other), &second))
            continue;
        other->conversation = first;
        bus_publish(call->pbx->bus, &event);
    }
}
