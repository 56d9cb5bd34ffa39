/* How a leg's audio is to listen to: what the media process says every few seconds is kept, and told of when it is poor
 * for a while or good again. Signalling thread. Knows no packets: the media process rates them. */
#include <stdio.h>

#include "call/call-priv.h"

#define POOR 300u      /* opinion scores, in hundredths: below this it is poor … */
#define GOOD 330u      /* … and only from here on no more */
#define IN_A_ROW 2u    /* reports of the media process: 10 s */
#define TOLD_MAX 10u   /* a bad line shall not fill the records */
#define LOSS_TELLS 20u /* of 1000 packets: from here on loss is the reason */
#define JITTER_TELLS_US 30000u

const char *leg_phone(const struct leg *leg, char out[LEG_PHONE_MAX])
{
    snprintf(out, LEG_PHONE_MAX, leg->account ? "%.40s's phone" : "%.40s", leg->number);
    return out;
}

/* What a listener suffers from most. */
static void reason(const struct media_quality *way, uint32_t jitter_us, uint32_t rtt_us, bool reported, char *out,
                   size_t size)
{
    const char *says = reported ? "it says that " : "";

    if (way->lost_now >= LOSS_TELLS)
        snprintf(out, size, "%s%u %% of packets %s lost", says, (way->lost_now + 5u) / 10, reported ? "were" : "are");
    else if (jitter_us >= JITTER_TELLS_US)
        snprintf(out, size, "%spackets come unevenly, by %u ms", says, jitter_us / 1000);
    else
        snprintf(out, size, "the way there and back takes %u ms", rtt_us / 1000);
}

static void tell_poor(struct leg *leg, bool out)
{
    const struct media_stats *stats = &leg->stats;
    char words[200], phone[LEG_PHONE_MAX], why[100];

    reason(out ? &stats->out : &stats->in, out ? stats->far_jitter_us : stats->jitter_us, stats->rtt_us, out, why,
           sizeof why);
    snprintf(words, sizeof words, "poor audio %s %s: %s%s", out ? "to" : "from", leg_phone(leg, phone), why,
             leg->quality.told == TOLD_MAX ? "; not told again in this call" : "");
    leg_publish(leg, EVENT_LEG_POOR, words);
}

static void tell_clear(struct leg *leg, bool out, uint64_t since_us)
{
    char words[160], phone[LEG_PHONE_MAX];

    snprintf(words, sizeof words, "audio %s %s is good again after %llu s", out ? "to" : "from", leg_phone(leg, phone),
             (unsigned long long)((loop_now_us(leg->pbx->loop) - since_us) / 1000000));
    leg_publish(leg, EVENT_LEG_CLEAR, words);
}

/* Of one direction. A window without a score (hold, silence) says neither that it is poor nor that it is good. */
static void judge(struct leg *leg, struct leg_quality_way *way, unsigned mos, bool out)
{
    unsigned now = way->poor ? mos >= GOOD : mos < POOR; /* is it other than it was? */

    if (!mos)
        return;
    way->in_a_row = now ? way->in_a_row + 1 : 0;
    if (way->in_a_row < IN_A_ROW)
        return;
    way->in_a_row = 0;
    way->poor = !way->poor;
    if (!way->poor) {
        if (way->told)
            tell_clear(leg, out, way->since_us);
        return;
    }
    way->since_us = loop_now_us(leg->pbx->loop);
    way->told = leg->quality.told < TOLD_MAX;
    leg->quality.told += way->told;
    if (way->told)
        tell_poor(leg, out);
}

/* What a phone misses may have been lost on the way to us already: then the other phone's line is to blame, and that
 * has its own words. */
static bool came_so(const struct leg *leg)
{
    const struct leg *peer = bridge_peer(leg);

    return peer && peer->stats.in.lost_now * 2 >= leg->stats.out.lost_now && peer->stats.in.lost_now >= LOSS_TELLS;
}

void leg_quality_news(struct leg *leg, const struct media_event *event)
{
    leg->stats = event->stats;
    if (event->kind != MEDIA_QUALITY || leg->state != LEG_UP)
        return;
    judge(leg, &leg->quality.in, leg->stats.in.mos_now, false);
    if (!came_so(leg))
        judge(leg, &leg->quality.out, leg->stats.out.mos_now, true);
}
