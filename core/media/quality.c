/* Loss, jitter, round trip and what they do to ears, window by window. Media threads; knows no ports and no sockets. */
#include "media/quality.h"

#include "media/rating.h"

#define LEAST_PACKETS 10u     /* a share of fewer says nothing */
#define TRIP_MAX_US 10000000u /* a longer way there and back is a wrong clock */
#define QUIET_WINDOWS 3u      /* so long the last report stands for the next ones: they come about once a window */
#define BURST_MAX 8.0

/* --- reports that come -------------------------------------------------------------------------------------------- */

struct reading {
    struct quality *quality;
    uint32_t ours, clock;
    uint64_t now_us;
};

static void took_sender(void *arg, uint32_t ssrc, const struct rtcp_sender *sender)
{
    struct reading *reading = arg;

    reading->quality->lsr = rtcp_middle(sender->ntp);
    reading->quality->lsr_us = reading->now_us;
}

/* now = sent + way there + what it waited + way back (RFC 3550 §6.4.1). */
static void take_trip(struct quality *quality, const struct rtcp_block *block, uint64_t now_us)
{
    uint64_t waited_us = (uint64_t)block->dlsr * 1000000 / 65536;

    for (unsigned i = 0; i < QUALITY_SENT && block->lsr; i++) {
        uint64_t sent_us = quality->sent[i].at_us;

        if (!sent_us || quality->sent[i].middle != block->lsr)
            continue;
        if (now_us < sent_us + waited_us || now_us - sent_us - waited_us > TRIP_MAX_US)
            return;
        quality->trip_us = (uint32_t)(now_us - sent_us - waited_us);
        quality->trip_us += !quality->trip_us; /* 0 is "not known" */
        quality->trip_sum_us += quality->trip_us;
        quality->trips++;
        return;
    }
}

/* The share that was lost between two reports: by their totals, which some phones have right only, or as it says. */
static double share_lost(const struct rtcp_block *block, const struct rtcp_block *before)
{
    uint32_t expected = before ? block->highest - before->highest : 0;
    int32_t lost = before ? block->lost - before->lost : 0;

    if (expected < LEAST_PACKETS || expected > 1u << 20 || lost > (int32_t)expected)
        return block->fraction / 256.0;
    return lost > 0 ? (double)lost / expected : 0;
}

static void took_block(void *arg, const struct rtcp_block *block)
{
    struct reading *reading = arg;
    struct quality *quality = reading->quality;
    bool goes_on = quality->reported && quality->last.ssrc == block->ssrc && block->highest >= quality->last.highest;

    if (block->ssrc != reading->ours) {
        quality->bad++;
        return;
    }
    if (quality->reported && !goes_on && quality->last.lost > 0)
        quality->lost_before += (uint32_t)quality->last.lost;
    quality->window_lost += share_lost(block, goes_on ? &quality->last : NULL);
    quality->window_reports++;
    quality->reports++;
    quality->reported = true;
    quality->last = *block;
    if (reading->clock) {
        uint64_t jitter_us = (uint64_t)block->jitter * 1000000 / reading->clock;

        quality->jitter_us = jitter_us > UINT32_MAX ? UINT32_MAX : (uint32_t)jitter_us;
    }
    take_trip(quality, block, reading->now_us);
}

static void took_metrics(void *arg, const struct rtcp_metrics *metrics)
{
    struct reading *reading = arg;

    if (metrics->ssrc == reading->ours)
        reading->quality->discarded = metrics->discarded / 256.0;
}

int quality_rtcp(struct quality *quality, const uint8_t *packet, size_t len, uint32_t ours, uint32_t clock,
                 uint64_t now_us)
{
    struct reading reading = {quality, ours, clock, now_us};
    const struct rtcp_reader reader = {
        .arg = &reading, .sender = took_sender, .block = took_block, .metrics = took_metrics};
    int err = rtcp_read(packet, len, &reader);

    quality->bad += err < 0;
    return err;
}

void quality_sent(struct quality *quality, uint64_t ntp, uint64_t now_us)
{
    quality->sent[quality->sent_next].middle = rtcp_middle(ntp);
    quality->sent[quality->sent_next].at_us = now_us;
    quality->sent_next = (quality->sent_next + 1) % QUALITY_SENT;
}

/* --- windows ------------------------------------------------------------------------------------------------------ */

static double one_way_ms(const struct quality *quality)
{
    return quality->trip_us / 2000.0;
}

static void rate(struct quality_way *way, const struct rating *rating)
{
    double r;

    way->lost_now = (uint16_t)(rating->lost * 1000 + 0.5);
    way->mos_now = 0;
    way->seen = true;
    if (!rating_codec(rating->codec))
        return;
    r = rating_r(rating);
    way->mos_now = (uint16_t)rating_mos(r);
    way->r_sum += r;
    way->windows++;
}

static bool rate_in(struct quality *quality, const struct quality_heard *heard, const char *codec)
{
    const struct quality_heard *before = &quality->before;
    uint64_t received = heard->received - before->received;
    uint64_t lost = heard->lost > before->lost ? heard->lost - before->lost : 0; /* late ones are found again */
    uint64_t gaps = heard->gaps - before->gaps;
    struct rating rating = {
        .codec = codec, .jitter_ms = heard->jitter_us / 1000.0, .one_way_ms = one_way_ms(quality), .burst = 1};

    if (received + lost < LEAST_PACKETS) {
        quality->in.mos_now = quality->in.lost_now = 0;
        return false;
    }
    rating.lost = (double)lost / (double)(received + lost);
    if (gaps)
        rating.burst = (double)lost / (double)gaps * (1 - rating.lost);
    if (rating.burst > BURST_MAX)
        rating.burst = BURST_MAX;
    rate(&quality->in, &rating);
    return true;
}

static bool rate_out(struct quality *quality, const char *codec)
{
    struct rating rating = {
        .codec = codec, .burst = 1, .jitter_ms = quality->jitter_us / 1000.0, .one_way_ms = one_way_ms(quality)};

    if (!quality->window_reports) {
        if (quality->quiet < QUIET_WINDOWS && ++quality->quiet == QUIET_WINDOWS)
            quality->out.mos_now = quality->out.lost_now = 0;
        return false;
    }
    quality->quiet = 0;
    rating.lost = quality->window_lost / quality->window_reports;
    rating.lost += (1 - rating.lost) * quality->discarded;
    rate(&quality->out, &rating);
    quality->window_lost = 0;
    quality->window_reports = 0;
    return true;
}

bool quality_window(struct quality *quality, const struct quality_heard *heard, const char *codec_in,
                    const char *codec_out)
{
    bool in = rate_in(quality, heard, codec_in), out = rate_out(quality, codec_out);

    quality->before = *heard;
    return in || out;
}

static struct media_quality figures(const struct quality_way *way)
{
    return (struct media_quality){.mos = way->windows ? (uint16_t)rating_mos(way->r_sum / way->windows) : 0,
                                  .mos_now = way->mos_now,
                                  .lost_now = way->lost_now};
}

void quality_stats(const struct quality *quality, const struct quality_heard *heard, const char *codec_in,
                   const char *codec_out, struct media_stats *out)
{
    struct quality now = *quality;

    if (!now.in.seen)
        rate_in(&now, heard, codec_in);
    if (!now.out.seen)
        rate_out(&now, codec_out);
    out->in = figures(&now.in);
    out->out = figures(&now.out);
    out->far_lost = now.lost_before + (now.last.lost > 0 ? (uint32_t)now.last.lost : 0);
    if (out->far_lost > out->tx_packets) /* nobody lost more than there was */
        out->far_lost = out->tx_packets;
    out->far_jitter_us = now.jitter_us;
    out->rtt_us = now.trips ? (uint32_t)(now.trip_sum_us / now.trips) : 0;
    out->reports = now.reports;
    out->bad_reports = now.bad;
}
