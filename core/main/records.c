/* Subscribes to the bus and writes records: a call's row is opened with its INVITE and completed when its last leg has
 * ended; rows of legs follow their counters. Signalling thread. Knows calls and the database room, no SIP. */
#include "main/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/talk.h"
#include "call/vars.h"

#define CAUSE_TEXT 384
#define TALK_LONG_MS 10000 /* then a talk has a row before it has ended, and a crash does not lose it */

struct records {
    struct pbx *pbx;
    struct bus_subscription *subscription;
    struct loop_timer long_talks;
};

static uint64_t ms_between(uint64_t from_us, uint64_t to_us)
{
    return from_us && to_us > from_us ? (to_us - from_us) / 1000 : 0;
}

static uint64_t first_of(uint64_t a, uint64_t b)
{
    return a ? a : b;
}

/* A cause in words for people, and behind it what is known beyond it ("486 Rejected"). */
static const char *cause_words(const struct cause_info *cause, const char *detail, char *out, size_t size)
{
    if (!detail[0])
        return cause->words;
    snprintf(out, size, "%s (%s)", cause->words, detail);
    return out;
}

/* text is where the words of the cause may be put; the row points there. */
static void fill_call(const struct call *call, struct record_call *row, char text[CAUSE_TEXT])
{
    const struct cause_info *cause = cause_info(call->cause);
    bool ended = call->ended_us != 0;
    const struct leg *caller = call->first ? call->first : call->caller;
    const struct account *account = caller ? caller->account : call->behalf;

    *row = (struct record_call){
        .id = call->id,
        .started_us = call->started_wall_us,
        .setup_ms = ms_between(call->started_us, first_of(call->ringing_us, call->answered_us)),
        .ring_ms = ms_between(call->ringing_us, first_of(call->answered_us, call->ended_us)),
        .talk_ms = ms_between(call->answered_us, call->ended_us),
        .answered = call->answered_us != 0,
        .from_account = account ? account->name : NULL,
        .from_number = call->from_number,
        .from_name = call->from_name,
        .dialled = call->dialled,
        .answered_by = call->answered_by[0] ? call->answered_by : NULL,
        .context = call->context,
        .cause = ended ? cause->id : NULL,
        .cause_text = ended ? cause_words(cause, call->detail, text, CAUSE_TEXT) : NULL,
        .ended_by = ended ? who_name(call->who) : NULL,
        .sip_status = call->answered_us ? 200 : call->final_status,
        .sip_call_id = caller ? caller->sip_call_id : NULL,
        .cause_code = ended ? cause->q850 : 0,
        .dialplan = call->dialplan[0] ? call->dialplan : NULL,
        .conversation_id = call->conversation,
        .made_by = call->made_by[0] ? call->made_by : NULL,
        .at_last = call->at_last[0] ? call->at_last : NULL,
    };
}

static void write_leg(struct records *records, const struct leg *leg)
{
    const struct cause_info *cause = cause_info(leg->cause);
    const struct media_stats *stats = &leg->stats;
    char text[CAUSE_TEXT];
    struct record_leg row = {
        .id = leg->id,
        .call_id = leg->call->id,
        .started_us = leg->started_wall_us,
        .inbound = leg->inbound,
        .account = leg->account ? leg->account->name : NULL,
        .number = leg->number,
        .contact = leg->contact,
        .peer = leg->peer,
        .sip_call_id = leg->sip_call_id,
        .ring_ms = ms_between(leg->ringing_us, first_of(leg->answered_us, leg->ended_us)),
        .talk_ms = ms_between(leg->answered_us, leg->ended_us),
        .answered = leg->answered_us != 0,
        .cause = cause->id,
        .cause_text = cause_words(cause, leg->detail, text, sizeof text),
        .ended_by = who_name(leg->who),
        .sip_status = leg->final_status,
        .codec = leg->codec[0] ? leg->codec : NULL,
        .rx_packets = stats->rx_packets,
        .tx_packets = stats->tx_packets,
        .lost_packets = stats->lost,
        .dropped_packets = stats->dropped,
        .jitter_us = stats->jitter_us,
        .cause_code = cause->q850,
        .srtp = leg_encryption(leg),
        .srtp_rejected = stats->rejected,
        .mos_in = stats->in.mos,
        .mos_out = stats->out.mos,
        .rtt_us = stats->rtt_us,
        .reports = stats->reports,
        .lost_out = stats->far_lost,
        .jitter_out_us = stats->far_jitter_us,
    };

    db_record_leg(records->pbx->db, &row);
}

static void write_event(struct records *records, const struct event *event)
{
    struct record_event row = {
        .id = uuid_new(),
        .call_id = event->call->id,
        .at_us = event->at_us,
        .kind = event_name(event->kind),
        .detail = event->detail,
    };

    if (event->leg)
        row.leg_id = event->leg->id;
    db_record_event(records->pbx->db, &row);
}

static void write_talk(struct records *records, const struct talk *talk, const struct uuid *conversation)
{
    struct record_talk row = {
        .id = talk->id,
        .conversation_id = *conversation,
        .call_id = talk->call_id,
        .leg_a = talk->leg_a,
        .leg_b = talk->leg_b,
        .started_us = talk->since_wall_us,
        .talk_ms = ms_between(talk->since_us, talk->until_us),
        .ended = talk->until_us != 0,
        .party_a = talk->party_a,
        .party_b = talk->party_b,
        .how = talk->how,
        .by_whom = talk->by[0] ? talk->by : NULL,
    };

    db_record_talk(records->pbx->db, &row);
}

static void write_long_talks(void *arg)
{
    struct records *records = arg;
    struct pbx *pbx = records->pbx;
    uint64_t now_us = loop_now_us(pbx->loop);
    struct talk *talk;
    char id[UUID_TEXT];

    LIST_FOR_EACH(talk, &pbx->talks, node)
    {
        const struct call *call;

        if (talk->recorded)
            continue;
        if (now_us - talk->since_us < TALK_LONG_MS * 1000ull) { /* the list is in order of time */
            loop_timer_start(pbx->loop, &records->long_talks,
                             TALK_LONG_MS - (unsigned)((now_us - talk->since_us) / 1000), write_long_talks, records);
            return;
        }
        uuid_text(&talk->call_id, id);
        call = call_find(pbx, id);
        write_talk(records, talk, call ? call_conversation(call) : &talk->call_id);
        talk->recorded = true;
    }
}

static void talk_changed(struct records *records, const struct event *event)
{
    struct talk *talk = event->talk;

    if (talk->until_us) {
        write_talk(records, talk, call_conversation(event->call));
    } else if (strcmp(talk->how, "dialled") != 0) { /* rare, and worth knowing after a crash */
        write_talk(records, talk, call_conversation(event->call));
        talk->recorded = true;
        db_record_call_at_last(records->pbx->db, &event->call->id, NULL);
    } else if (!loop_timer_running(&records->long_talks)) {
        loop_timer_start(records->pbx->loop, &records->long_talks, TALK_LONG_MS, write_long_talks, records);
    }
}

static void happened(void *arg, const struct event *event)
{
    struct records *records = arg;
    struct record_call row;
    char text[CAUSE_TEXT], vars[RECORD_VARS_MAX + 1];

    switch (event->kind) {
    case EVENT_CALL_NEW:
        fill_call(event->call, &row, text);
        db_record_call_open(records->pbx->db, &row);
        break;
    case EVENT_CALL_ENDED:
        fill_call(event->call, &row, text);
        db_record_call_close(records->pbx->db, &row);
        if (*call_vars_text(event->call, vars, sizeof vars))
            db_record_call_vars(records->pbx->db, &event->call->id, vars);
        break;
    case EVENT_TALK:
        talk_changed(records, event);
        break;
    case EVENT_CALL_JOINED:
        write_event(records, event);
        db_record_call_joins(records->pbx->db, event->conversation, call_conversation(event->call));
        break;
    case EVENT_TRANSFER:
    case EVENT_PARKED:
        write_event(records, event);
        db_record_call_at_last(records->pbx->db, &event->call->id,
                               event->call->at_last[0] ? event->call->at_last : NULL);
        break;
    case EVENT_LEG_RECORDED:
        write_leg(records, event->leg);
        break;
    default:
        if (event->call)
            write_event(records, event);
        break;
    }
}

/* What a person would ask about a call afterwards. State changes are in the row's own times. */
#define RECORDED_EVENTS                                                                                                \
    (EVENT_BIT(EVENT_CALL_NEW) | EVENT_BIT(EVENT_CALL_ENDED) | EVENT_BIT(EVENT_LEG_RECORDED) |                         \
     EVENT_BIT(EVENT_LEG_RINGING) | EVENT_BIT(EVENT_LEG_ANSWERED) | EVENT_BIT(EVENT_LEG_HELD) |                        \
     EVENT_BIT(EVENT_LEG_RESUMED) | EVENT_BIT(EVENT_LEG_SILENT) | EVENT_BIT(EVENT_LEG_HEARD) |                         \
     EVENT_BIT(EVENT_LEG_KEYED) | EVENT_BIT(EVENT_LEG_KEYLESS) | EVENT_BIT(EVENT_LEG_POOR) |                           \
     EVENT_BIT(EVENT_LEG_CLEAR) | EVENT_BIT(EVENT_CONFERENCE_JOINED) | EVENT_BIT(EVENT_CONFERENCE_LEFT) |              \
     EVENT_BIT(EVENT_CONFERENCE_CHANGED) | EVENT_BIT(EVENT_SOUND_MISSING) | EVENT_BIT(EVENT_RECORDING) |               \
     EVENT_BIT(EVENT_RECORDED) | EVENT_BIT(EVENT_ROUTE_REFUSED) | EVENT_BIT(EVENT_SCRIPT) | EVENT_BIT(EVENT_TALK) |    \
     EVENT_BIT(EVENT_CALL_JOINED) | EVENT_BIT(EVENT_TRANSFER) | EVENT_BIT(EVENT_TRANSFERRED) |                         \
     EVENT_BIT(EVENT_FORWARDED) | EVENT_BIT(EVENT_PICKUP) | EVENT_BIT(EVENT_PARKED) | EVENT_BIT(EVENT_UNPARKED))

struct records *records_open(struct pbx *pbx)
{
    struct records *records = mem_new(sizeof *records);

    records->pbx = pbx;
    records->subscription = bus_subscribe(pbx->bus, RECORDED_EVENTS, happened, records);
    return records;
}

void records_close(struct records *records)
{
    if (!records)
        return;
    loop_timer_stop(records->pbx->loop, &records->long_talks);
    bus_unsubscribe(records->subscription);
    free(records);
}
