/* Sound that is due from a phone and does not come: when it is due, what the media process is told to watch, and what
 * its news mean: events, and in the end the end of the leg. Signalling thread. Knows no packets: the media process
 * counts the seconds. */
#include <stdio.h>

#include "call/call-priv.h"

#define EVENT_S 5
#define HANGUP_S 60
#define EARLY_US 1000000u /* news may come a little before our clock says so, but not by much */
#define TOLD_MAX 10       /* a phone that falls silent whenever its user does shall not fill the records */

static const struct stream_desc *audio_of(const struct leg *leg, const struct media_desc *desc)
{
    for (unsigned i = 0; desc && i < leg->stream_count && i < desc->count; i++)
        if (leg->streams[i].port && leg->streams[i].port == leg->ports[0] && !desc->streams[i].refused)
            return &desc->streams[i];
    return NULL;
}

static bool both_ways(const struct leg *leg)
{
    const struct stream_desc *remote = audio_of(leg, leg->remote), *local = audio_of(leg, leg->local);

    return leg->state == LEG_UP && remote && local && remote->dir == DIR_SENDRECV && local->dir == DIR_SENDRECV;
}

/* While either side holds, many phones send nothing, whatever they say; one that listens to the switch need not. */
static bool is_due(const struct leg *leg)
{
    const struct leg *peer = bridge_peer(leg);

    if (!both_ways(leg))
        return false;
    return peer ? both_ways(peer) : leg->expects_sound;
}

static void watch(struct leg *leg)
{
    struct leg_silence *silence = &leg->silence;
    bool due = leg_is_alive(leg) && leg->ports[0] && is_due(leg);
    unsigned event_ms = due ? 1000 * pbx_seconds(leg->pbx, "silence_event", EVENT_S) : 0;
    unsigned hangup_ms = due ? 1000 * pbx_seconds(leg->pbx, "silence_hangup", HANGUP_S) : 0;

    if (!leg_is_alive(leg) || !leg->ports[0] || (event_ms == silence->event_ms && hangup_ms == silence->hangup_ms))
        return;
    if (!silence->event_ms && !silence->hangup_ms)
        silence->since_us = loop_now_us(leg->pbx->loop);
    if (!due)
        silence->began_us = 0;
    silence->event_ms = event_ms;
    silence->hangup_ms = hangup_ms;
    media_port_watch(leg->ports[0], event_ms, hangup_ms);
}

void leg_silence_update(struct leg *leg)
{
    struct leg *peer = bridge_peer(leg);

    watch(leg);
    if (peer)
        watch(peer);
}

void leg_expect_sound(struct leg *leg, bool on)
{
    leg->expects_sound = on;
    leg_silence_update(leg);
}

/* The address in its description is the first thing to look at: behind a router, it is often one that nobody reaches.
 */
static void say_expected(const struct leg *leg, const struct media_stats *stats, char *out, size_t size, size_t *used)
{
    const struct stream_desc *remote = audio_of(leg, leg->remote);
    char at[ADDR_TEXT] = "an unknown address";

    if (remote)
        addr_text(&remote->rtp, at);
    if (stats->dropped)
        str_append(out, size, used, "; %llu packets came that are not what was agreed",
                   (unsigned long long)stats->dropped);
    else
        str_append(out, size, used, ", expected from %s", at);
}

static void never_came(const struct leg *leg, const struct media_stats *stats, char *out, size_t size)
{
    size_t used = 0;

    str_append(out, size, &used, "no audio ever arrived from %.40s", leg->number);
    say_expected(leg, stats, out, size, &used);
}

/* It is spoken to, and says nothing. */
static void one_way(const struct leg *leg, const struct media_stats *stats, char *out, size_t size)
{
    char phone[LEG_PHONE_MAX];
    size_t used = 0;

    str_append(out, size, &used, "one-way audio: nothing from %s for %u s", leg_phone(leg, phone),
               leg->silence.event_ms / 1000);
    if (leg->silence.never) {
        str_append(out, size, &used, "; none ever came");
        say_expected(leg, stats, out, size, &used);
    }
}

static void silence_began(struct leg *leg, const struct media_stats *stats)
{
    char words[240];
    size_t used;

    leg->silence.began_us = loop_now_us(leg->pbx->loop) - leg->silence.event_ms * UINT64_C(1000);
    leg->silence.never = stats->rx_packets == 0;
    if (leg->silence.told == TOLD_MAX)
        return;
    leg->silence.told++;
    if (stats->speaks)
        one_way(leg, stats, words, sizeof words);
    else if (leg->silence.never)
        never_came(leg, stats, words, sizeof words);
    else
        snprintf(words, sizeof words, "no audio arrives from %.40s any more", leg->number);
    used = strlen(words);
    if (leg->silence.told == TOLD_MAX)
        str_append(words, sizeof words, &used, "; not told again in this call");
    leg_publish(leg, EVENT_LEG_SILENT, words);
}

static void silence_over(struct leg *leg)
{
    char words[160];

    snprintf(words, sizeof words, "audio from %.40s %s after %llu s", leg->number,
             leg->silence.never ? "has begun" : "is back",
             (unsigned long long)((loop_now_us(leg->pbx->loop) - leg->silence.began_us) / 1000000));
    leg->silence.began_us = 0;
    if (leg->silence.told < TOLD_MAX)
        leg_publish(leg, EVENT_LEG_HEARD, words);
}

static void lifeless(struct leg *leg, const struct media_stats *stats)
{
    char words[sizeof leg->detail];

    if (stats->rx_packets == 0)
        never_came(leg, stats, words, sizeof words);
    else
        snprintf(words, sizeof words, "nothing arrived from %.40s for %u s", leg->number,
                 leg->silence.hangup_ms / 1000);
    leg_end(leg, CAUSE_MEDIA_TIMEOUT, WHO_SWITCH, words);
}

void leg_silence_news(struct leg *leg, const struct media_event *event)
{
    const struct leg_silence *silence = &leg->silence;
    uint64_t watched_us = loop_now_us(leg->pbx->loop) - silence->since_us + EARLY_US;

    /* Of a watch that has ended meanwhile; another one that runs says it again at its time. */
    if (!leg_is_alive(leg))
        return;
    if (event->kind == MEDIA_SILENT && silence->event_ms && watched_us >= silence->event_ms * UINT64_C(1000))
        silence_began(leg, &event->stats);
    else if (event->kind == MEDIA_HEARD && silence->began_us)
        silence_over(leg);
    else if (event->kind == MEDIA_LIFELESS && silence->hangup_ms && watched_us >= silence->hangup_ms * UINT64_C(1000))
        lifeless(leg, &event->stats);
}
