/* The flight recorder's store: calls, their legs and lines, and the way from a message to its call. Signalling thread.
 * Sees messages as the edge saw them and calls as the bus tells of them; it must not know sofia. */
#include "trace/trace-priv.h"

#include <stdlib.h>

#include "trace/message.h"

/* --- lines ----------------------------------------------------------------------------------------------------------
 */

/* The first half of the lines allowed stays for good (how the call came about), the other half is the latest ones. */
static void line_make_way(struct trace_call *call)
{
    struct line *oldest = (struct line *)(call->lines + call->roll_at);
    size_t size = line_size(oldest->len);

    memmove(oldest, (char *)oldest + size, call->lines_used - call->roll_at - size);
    call->lines_used -= (uint32_t)size;
    call->line_count--;
    call->left_out++;
}

void line_add(struct trace *trace, struct trace_call *call, const struct line *head, const char *text, size_t len)
{
    struct line *line;

    if (len > LINE_TEXT_MAX)
        len = LINE_TEXT_MAX;
    if (call->line_count == trace->config.lines_a_call / 2)
        call->roll_at = call->lines_used;
    if (call->line_count >= trace->config.lines_a_call)
        line_make_way(call);
    if (call->lines_room - call->lines_used < line_size(len)) {
        call->lines_room = call->lines_room ? call->lines_room + call->lines_room / 2 : 1024;
        call->lines = mem_resize(call->lines, call->lines_room);
    }
    line = (struct line *)(call->lines + call->lines_used);
    memcpy(line, head, offsetof(struct line, text));
    line->len = (uint8_t)len;
    memcpy(line->text, text, len);
    call->lines_used += (uint32_t)line_size(len);
    call->line_count++;
}

/* --- messages -------------------------------------------------------------------------------------------------------
 */

static struct trace_leg *leg_by_hash(const struct trace *trace, uint64_t hash, const struct trace_leg *not_this)
{
    struct trace_leg *leg;
    const struct list *bucket = &trace->by_call_id[hash % LEG_BUCKETS];

    LIST_FOR_EACH(leg, bucket, in_bucket)
    {
        if (leg->hash == hash && leg != not_this)
            return leg;
    }
    return NULL;
}

/* Requests that no call begins with and that fill the ring on a busy switch. */
static bool is_outside_calls(const char *method)
{
    static const char *const methods[] = {"REGISTER", "OPTIONS", "SUBSCRIBE", "NOTIFY", "PUBLISH", "MESSAGE"};

    for (size_t i = 0; i < COUNT_OF(methods); i++)
        if (strcmp(methods[i], method) == 0)
            return true;
    return false;
}

static void message_line(struct trace *trace, struct trace_leg *leg, const struct frame *frame, uint64_t position,
                         const struct message_info *info)
{
    char title[LINE_TEXT_MAX + 1];
    struct line head = {.at_us = frame->at_us, .position = position, .cseq = info->cseq, .leg = leg->index};
    size_t message_len = frame_message_len(frame),
           len = message_title(frame->text, message_len, info, title, sizeof title);

    head.kind = info->status ? LINE_RESPONSE : LINE_REQUEST;
    head.flags = (frame->inbound ? FLAG_INBOUND : 0) | (info->sdp ? FLAG_SDP : 0) | (frame->why_len ? FLAG_DROPPED : 0);
    if (frame->why_len) {
        str_append(title, sizeof title, &len, ", dropped: %.*s", (int)frame->why_len, frame->text + message_len);
        len = strlen(title);
    }
    line_add(trace, leg->call, &head, title, len);
}

/* By address without port; who shares a bucket shares its budget. */
static struct source_budget *budget_of(struct trace *trace, const union addr *peer)
{
    const void *ip = peer->sa.sa_family == AF_INET6 ? (const void *)&peer->in6.sin6_addr : &peer->in.sin_addr;
    size_t len = peer->sa.sa_family == AF_INET6 ? 8 : 4; /* of IPv6 the /64, as the edge counts */

    return &trace->sources[siphash(trace->key, ip, len) % SOURCES];
}

void trace_source_known(struct trace *trace, const union addr *peer)
{
    if (addr_is_set(peer))
        budget_of(trace, peer)->known_until_us = loop_wall_us(trace->loop) + KNOWN_US;
}

/* Has this peer used up its second? Messages of calls are never asked. */
static bool over_budget(struct trace *trace, const union addr *peer)
{
    uint64_t now_us = loop_wall_us(trace->loop);
    struct source_budget *budget = budget_of(trace, peer);

    if (budget->second != now_us / 1000000) {
        budget->second = now_us / 1000000;
        budget->count = 0;
    }
    return now_us > budget->known_until_us && budget->count++ >= SOURCE_RATE;
}

/* Without files, memory is for calls alone. */
static bool is_wanted(struct trace *trace, const struct edge_seen *seen, const struct message_info *info)
{
    if (!trace->recorder)
        return info->call_id_len && !seen->dropped && !is_outside_calls(info->method);
    if (!addr_is_set(seen->peer) || !over_budget(trace, seen->peer))
        return true;
    trace->left_out++;
    return false;
}

static struct frame *keep_message(struct trace *trace, const struct edge_seen *seen, const struct message_info *info,
                                  uint64_t hash, uint64_t *position)
{
    size_t len = seen->len < FRAME_TEXT_MAX ? seen->len : FRAME_TEXT_MAX;
    size_t why_len = seen->dropped ? strlen(seen->dropped) : 0;
    struct frame *frame = ring_add(&trace->ring, FRAME_MESSAGE, hash, len + why_len, position);

    if (!frame)
        return NULL;
    if (len > frame->len - why_len)
        len = frame->len - why_len;
    frame->at_us = loop_wall_us(trace->loop);
    addr_copy(&frame->peer, seen->peer);
    addr_copy(&frame->local, seen->local);
    frame->cut = (uint32_t)(seen->len - len);
    frame->cseq = info->cseq;
    frame->why_len = (uint16_t)why_len;
    frame->inbound = seen->inbound;
    frame->transport = (uint8_t)seen->transport;
    memcpy(frame->text, seen->data, len);
    if (why_len)
        memcpy(frame->text + len, seen->dropped, why_len);
    if (info->secrets)
        message_mask(frame->text, len);
    return frame;
}

void trace_message(void *arg, const struct edge_seen *seen)
{
    struct trace *trace = arg;
    struct message_info info;
    struct trace_leg *leg;
    struct frame *frame;
    uint64_t hash, position;

    message_scan(seen->data, seen->len, &info);
    hash = info.call_id_len ? siphash(trace->key, info.call_id, info.call_id_len) : 0;
    leg = hash ? leg_by_hash(trace, hash, NULL) : NULL;
    if (!leg && !is_wanted(trace, seen, &info))
        return;
    frame = keep_message(trace, seen, &info, hash, &position);
    if (!frame) {
        recorder_lost(trace->recorder);
        return;
    }
    if (leg)
        message_line(trace, leg, frame, position, &info);
    if (trace->recorder)
        recorder_added(trace->recorder);
    if (trace->follow && trace->follow_wanted(trace->follow_arg))
        trace->follow(trace->follow_arg, trace_follow_json(trace, frame, leg));
}

/* --- calls and legs
 * --------------------------------------------------------------------------------------------------- */

static struct list *id_bucket(struct trace *trace, const struct uuid *id)
{
    return &trace->by_id[(id->b[14] << 8 | id->b[15]) % ID_BUCKETS]; /* the end of a UUIDv7 is random */
}

struct trace_call *trace_call_by_id(struct trace *trace, const struct uuid *id)
{
    struct trace_call *call;

    LIST_FOR_EACH(call, id_bucket(trace, id), in_bucket)
    {
        if (uuid_same(&call->id, id))
            return call;
    }
    return NULL;
}

static void call_forget(struct trace *trace, struct trace_call *call)
{
    list_unlink(&call->in_all);
    list_unlink(&call->in_bucket);
    if (list_linked(&call->in_ended)) {
        list_unlink(&call->in_ended);
        trace->ended_count--;
    }
    for (unsigned i = 0; i < call->leg_count; i++) {
        list_unlink(&call->legs[i]->in_bucket);
        free(call->legs[i]);
    }
    free(call->legs);
    free(call->lines);
    free(call);
}

struct trace_call *trace_call_new(struct trace *trace, const struct uuid *id, uint64_t at_us)
{
    struct trace_call *call = mem_new(sizeof *call);

    call->id = *id;
    call->started_us = at_us;
    str_copy(call->state, sizeof call->state, "routing");
    list_append(&trace->all, &call->in_all);
    list_append(id_bucket(trace, id), &call->in_bucket);
    return call;
}

/* Gives back what was allocated ahead, and drops the oldest finished call when there are too many. */
void trace_call_finish(struct trace *trace, struct trace_call *call)
{
    call->ended = true;
    if (call->lines_used) {
        call->lines_room = call->lines_used;
        call->lines = mem_resize(call->lines, call->lines_used);
    }
    list_append(&trace->ended, &call->in_ended);
    if (++trace->ended_count > trace->config.calls_kept)
        call_forget(trace, LIST_ENTRY(trace->ended.next, struct trace_call, in_ended));
}

struct trace_leg *trace_leg_of(struct trace_call *call, const struct uuid *id)
{
    struct trace_leg *leg;

    for (unsigned i = 0; i < call->leg_count; i++)
        if (uuid_same(&call->legs[i]->id, id))
            return call->legs[i];
    if (call->leg_count == LEGS_MAX)
        return NULL;
    if ((call->leg_count & (call->leg_count - 1)) == 0) /* room is a power of two */
        call->legs = mem_resize(call->legs, (call->leg_count ? 2 * call->leg_count : 1) * sizeof(struct trace_leg *));
    leg = mem_new(sizeof *leg);
    leg->call = call;
    leg->id = *id;
    leg->index = (uint8_t)call->leg_count;
    call->legs[call->leg_count++] = leg;
    return leg;
}

/* Gives the leg the messages that came before anybody knew whose they were, oldest first. When another call had this
 * Call-ID (the leg moved, or a phone uses it again), only what came after that call's end. */
static void adopt_messages(struct trace *trace, struct trace_leg *leg, const struct trace_leg *before)
{
    uint64_t found[CHAIN_MAX], position = ring_newest(&trace->ring, leg->hash);
    unsigned count = 0;

    if (before && !before->call->ended)
        return;
    for (unsigned seen = 0; seen < CHAIN_MAX; seen++) {
        const struct frame *frame = ring_get(&trace->ring, position);

        if (!frame || (before && frame->at_us <= before->call->ended_us))
            break;
        if (frame->hash == leg->hash)
            found[count++] = position;
        position = frame->prev;
    }
    while (count--) {
        const struct frame *frame = ring_get(&trace->ring, found[count]);
        struct message_info info;

        message_scan(frame->text, frame_message_len(frame), &info);
        message_line(trace, leg, frame, found[count], &info);
    }
}

void trace_leg_bind(struct trace *trace, struct trace_leg *leg, const char *call_id)
{
    const struct trace_leg *before;

    if (list_linked(&leg->in_bucket) || !call_id[0])
        return;
    leg->hash = siphash(trace->key, call_id, strlen(call_id));
    before = leg_by_hash(trace, leg->hash, leg);
    list_prepend(&trace->by_call_id[leg->hash % LEG_BUCKETS], &leg->in_bucket);
    adopt_messages(trace, leg, before);
}

/* --- opening and closing
 * ------------------------------------------------------------------------------------------------ */

static struct trace *store_new(const struct trace_config *config)
{
    struct trace *trace = mem_new(sizeof *trace);

    if (config)
        trace->config = *config;
    if (!trace->config.ring_bytes)
        trace->config.ring_bytes = 4 * 1024 * 1024;
    if (!trace->config.calls_kept)
        trace->config.calls_kept = 500;
    if (!trace->config.lines_a_call)
        trace->config.lines_a_call = 200;
    if (trace->config.lines_a_call < 4)
        trace->config.lines_a_call = 4;
    ring_init(&trace->ring, trace->config.ring_bytes);
    list_init(&trace->all);
    list_init(&trace->ended);
    for (unsigned i = 0; i < ID_BUCKETS; i++)
        list_init(&trace->by_id[i]);
    for (unsigned i = 0; i < LEG_BUCKETS; i++)
        list_init(&trace->by_call_id[i]);
    return trace;
}

static void store_free(struct trace *trace)
{
    while (!list_empty(&trace->all))
        call_forget(trace, LIST_ENTRY(trace->all.next, struct trace_call, in_all));
    ring_free(&trace->ring);
    free(trace);
}

struct trace *trace_open(struct loop *loop, struct bus *bus, const struct trace_config *config)
{
    struct trace *trace = store_new(config);
    struct frame *start;
    uint64_t position;

    trace->loop = loop;
    random_bytes(trace->key, sizeof trace->key);
    trace->recorder = recorder_open(loop, bus, &trace->ring, &trace->config, trace->key);
    start = ring_add(&trace->ring, FRAME_START, 0, 0, &position);
    start->at_us = loop_wall_us(loop);
    trace->subscription = bus_subscribe(bus, EVENT_ALL, trace_on_event, trace);
    return trace;
}

void trace_close(struct trace *trace)
{
    if (!trace)
        return;
    bus_unsubscribe(trace->subscription);
    while (trace->searches)
        loop_turn(trace->loop, 10);
    recorder_close(trace->recorder);
    store_free(trace);
}

void trace_follow(struct trace *trace, bool (*wanted)(void *arg), trace_follow_fn fn, void *arg)
{
    trace->follow_wanted = wanted;
    trace->follow = fn;
    trace->follow_arg = arg;
}

/* --- reading again --------------------------------------------------------------------------------------------------
 */

struct trace *trace_replay_new(const uint8_t key[16], const struct trace_config *config)
{
    struct trace *trace = store_new(config);

    memcpy(trace->key, key, sizeof trace->key);
    return trace;
}

void trace_replay_free(struct trace *trace)
{
    store_free(trace);
}

static void replay_message(struct trace *trace, const struct frame *frame)
{
    struct trace_leg *leg = frame->hash ? leg_by_hash(trace, frame->hash, NULL) : NULL;
    struct message_info info;
    uint64_t position;
    struct frame *copy = ring_add(&trace->ring, FRAME_MESSAGE, frame->hash, frame->len, &position);
    uint64_t prev = copy->prev;

    memcpy(copy, frame, offsetof(struct frame, text) + frame->len);
    copy->prev = prev;
    copy->size = (uint32_t)((sizeof *copy + frame->len + 7) & ~(size_t)7);
    if (leg) {
        message_scan(copy->text, frame_message_len(copy), &info);
        message_line(trace, leg, copy, position, &info);
    }
}

static void replay_start(struct trace *trace, uint64_t at_us)
{
    struct trace_call *call;

    LIST_FOR_EACH(call, &trace->all, in_all)
    {
        if (call->ended)
            continue;
        call->cause = CAUSE_SWITCH_STOPPED;
        call->who = WHO_SWITCH;
        call->ended_us = at_us;
        trace_call_finish(trace, call);
    }
}

void trace_replay(struct trace *trace, const struct frame *frame)
{
    struct trace_call *call;
    struct fact fact;

    switch (frame->kind) {
    case FRAME_MESSAGE:
        replay_message(trace, frame);
        return;
    case FRAME_START:
        replay_start(trace, frame->at_us);
        return;
    case FRAME_FACT:
        break;
    default:
        return;
    }
    fact_decode(frame->text, frame->len, &fact);
    fact.at_us = frame->at_us;
    if (uuid_is_nil(&fact.call))
        return;
    call = trace_call_by_id(trace, &fact.call);
    if (!call)
        call = trace_call_new(trace, &fact.call, fact.at_us);
    trace_take_fact(trace, call, &fact);
}
