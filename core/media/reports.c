/* Which reports a port reads, sends on, and makes itself. As long as packets of a bridge go through, so do the reports
 * of the two phones, since each speaks of the other's stream, which it knows by numbers of ours: these become those of
 * the other one, and the names are ours. A phone that gets none, because nobody relays or the other one never reports,
 * gets ours: about what it sends, and about the stream it hears, whoever made that. Worker's thread; what figures mean
 * is quality.c's business. */
#include "media/reports.h"

#include <stdio.h>
#include <time.h>

#include "base/id.h"
#include "media/port.h"
#include "media/rating.h"
#include "media/worker.h"

#define SPREAD 1000000u /* of the time between reports, in parts: half to one and a half of it (RFC 3550 §6.3.1) */
#define SPEAKS_US 1000000u
#define OWN_AFTER 5 / 2 /* intervals without a report of the other side until ours go out */

/* --- what the far side hears -------------------------------------------------------------------------------------- */

/* The port whose packets go to this one as they are, or NULL. */
static const struct port *relayed_from(const struct port *port)
{
    const struct port *from = port->bridge.to;

    return from && from != port && from->bridge.to == port && !from->bridge.decoded && !from->bridge.muted ? from
                                                                                                           : NULL;
}

static const struct proto_codec *speech(const struct proto_codec *codec)
{
    return codec && rating_codec(codec->name) ? codec : NULL;
}

/* In what the far side speaks now; keys and comfort noise in between do not count. */
static const struct proto_codec *codec_in(const struct port *port)
{
    return port->first_us ? speech(port_codec(port, port->stats.pt)) : NULL;
}

static const struct proto_codec *codec_out(const struct port *port)
{
    const struct port *from = relayed_from(port);
    const struct proto_codec *codec = from ? codec_in(from) : NULL;

    for (unsigned i = 0; !codec && i < port->remote.codec_count; i++)
        codec = speech(&port->remote.codecs[i]);
    return codec;
}

/* --- reports that come, and that go on ---------------------------------------------------------------------------- */

bool reports_take(struct port *port, const uint8_t *packet, size_t len, uint64_t now_us)
{
    const struct proto_codec *codec = codec_out(port);

    return quality_rtcp(&port->reports.quality, packet, len, port->numbers.ssrc, codec ? codec->rate : 0, now_us) == 0;
}

void reports_name(struct port *port, uint64_t name)
{
    char *out = port->reports.name;

    snprintf(out, sizeof port->reports.name, "%016llx", (unsigned long long)name);
}

static const char *name_of(struct port *port)
{
    uint64_t chance;

    if (!port->reports.name[0]) {
        random_bytes(&chance, sizeof chance);
        reports_name(port, chance);
    }
    return port->reports.name;
}

static void note_sender(void *arg, uint32_t ssrc, const struct rtcp_sender *sender)
{
    struct port *port = arg;

    quality_sent(&port->reports.quality, sender->ntp, worker_now(port->worker));
}

static bool hears(const struct port *port, const struct port *from)
{
    return from->count.started && numbers_are_of(&port->numbers, from, from->count.runs);
}

void reports_cross(struct port *port, const uint8_t *packet, size_t len)
{
    const struct rtcp_reader reader = {.arg = port, .sender = note_sender};
    const struct port *from = port->bridge.to;
    const struct numbers *ours = &port->numbers;
    const struct rtcp_crossing as = {.name = name_of(port),
                                     .ssrc = ours->ssrc,
                                     .speaks = hears(port, from),
                                     .sender = from->count.ssrc,
                                     .time_add = ours->time_add,
                                     .packets = ours->packets,
                                     .octets = ours->octets,
                                     .hears = hears(from, port),
                                     .heard = from->numbers.ssrc,
                                     .source = port->count.ssrc,
                                     .seq_add = from->numbers.seq_add,
                                     .highest = rtp_count_highest(&port->count)};
    uint8_t out[RTCP_PACKET_MAX];
    size_t out_len = rtcp_cross(packet, len, &as, out, sizeof out);

    if (!out_len || !port_send_rtcp(port, out, out_len))
        return;
    port->reports.crossed_us = worker_now(port->worker);
    port->reports.said = true;
    (void)rtcp_read(out, out_len, &reader);
}

void reports_bridged(struct port *port)
{
    port->reports.crossed_us = worker_now(port->worker);
}

/* --- reports of our own ------------------------------------------------------------------------------------------- */

static uint64_t wall_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Half of the time for the first one: the far side shall know soon that it is heard. */
static uint64_t in_a_while(const struct port *port, uint64_t now_us)
{
    uint64_t mean_us = port->worker->report_us / (port->reports.said ? 1 : 2);
    uint32_t chance;

    random_bytes(&chance, sizeof chance);
    return now_us + mean_us / 2 + mean_us * (chance % SPREAD) / SPREAD;
}

/* What the far side sends, as it came. False: nothing did. */
static bool fill_block(const struct port *port, struct rtcp_block *block, uint64_t now_us)
{
    const struct rtp_count *count = &port->count;
    const struct reports *reports = &port->reports;
    const struct quality *quality = &reports->quality;
    bool goes_on = reports->told_ssrc == count->ssrc && reports->told_span <= count->span;
    uint64_t lost = rtp_count_run_lost(count), expected = count->span - (goes_on ? reports->told_span : 0);
    uint64_t since = goes_on && lost > reports->told_lost ? lost - reports->told_lost : goes_on ? 0 : lost;

    if (!count->started)
        return false;
    *block = (struct rtcp_block){.ssrc = count->ssrc,
                                 .fraction = (uint8_t)(expected && since < expected ? since * 256 / expected : 0),
                                 .lost = (int32_t)(lost > 0x7FFFFF ? 0x7FFFFF : lost),
                                 .highest = rtp_count_highest(count),
                                 .jitter = count->jitter16 >> 4};
    if (quality->lsr_us) {
        uint64_t ago_us = now_us - quality->lsr_us;

        block->lsr = quality->lsr;
        block->dlsr =
            ago_us > UINT32_MAX / 65536 * UINT64_C(1000000) ? UINT32_MAX : (uint32_t)(ago_us * 65536 / 1000000);
    }
    return true;
}

/* The stream that the far side hears. False: it has heard nothing of it lately, or nobody can say where it is. */
static bool fill_sender(const struct port *port, struct rtcp_sender *sender, uint64_t now_us)
{
    const struct numbers *numbers = &port->numbers;

    *sender = (struct rtcp_sender){.ntp = rtcp_ntp(wall_us()),
                                   .timestamp = numbers_time(numbers, now_us),
                                   .packets = numbers->packets,
                                   .octets = numbers->octets};
    return numbers->clock &&
           port->stats.tx_packets > port->reports.tx_before[1]; /* RFC 3550 §6.4: sent since its last but one */
}

static void say(struct port *port, uint64_t now_us, bool bye)
{
    struct reports *reports = &port->reports;
    struct rtcp_sender sender = {.packets = 0};
    struct rtcp_block block;
    uint8_t packet[RTCP_PACKET_MAX];
    struct rtcp_report report = {.ssrc = port->numbers.ssrc, .name = name_of(port), .bye = bye};
    bool sends = fill_sender(port, &sender, now_us);

    report.sender = sends ? &sender : NULL;
    report.block = fill_block(port, &block, now_us) ? &block : NULL;
    if (!port_send_rtcp(port, packet, rtcp_write(&report, packet)))
        return;
    if (sends)
        quality_sent(&reports->quality, sender.ntp, now_us);
    reports->said = true;
    reports->tx_before[1] = reports->tx_before[0];
    reports->tx_before[0] = port->stats.tx_packets;
    reports->told_ssrc = port->count.ssrc;
    reports->told_span = port->count.span;
    reports->told_lost = rtp_count_run_lost(&port->count);
}

static bool is_ours_to_say(const struct port *port, uint64_t now_us)
{
    return !relayed_from(port) || now_us - port->reports.crossed_us > port->worker->report_us * OWN_AFTER;
}

static void look_at_reports(struct port *port, uint64_t now_us)
{
    struct reports *reports = &port->reports;

    if (!port->first_us && !port->stats.tx_packets)
        return;
    if (!reports->next_us) {
        reports->next_us = in_a_while(port, now_us);
    } else if (now_us >= reports->next_us) {
        if (is_ours_to_say(port, now_us))
            say(port, now_us, false);
        reports->next_us = in_a_while(port, now_us);
    }
}

void reports_bye(struct port *port)
{
    if (port->reports.said)
        say(port, worker_now(port->worker), true);
}

/* --- figures ------------------------------------------------------------------------------------------------------ */

static struct quality_heard heard(const struct port *port)
{
    return (struct quality_heard){.received = port->stats.rx_packets,
                                  .lost = rtp_count_lost(&port->count),
                                  .gaps = port->count.gaps,
                                  .jitter_us = port->count.jitter_us};
}

static const char *name_or(const struct proto_codec *codec, const char *otherwise)
{
    return codec ? rating_codec(codec->name) : otherwise;
}

static void look_at_window(struct port *port, uint64_t now_us)
{
    struct reports *reports = &port->reports;
    struct quality_heard now = heard(port);

    if (!port->first_us && !port->stats.tx_packets)
        return;
    if (!reports->window_us)
        reports->window_us = now_us;
    if (now_us - reports->window_us < port->worker->report_us)
        return;
    reports->window_us = now_us;
    reports->codec_in = name_or(codec_in(port), reports->codec_in);
    reports->codec_out = name_or(codec_out(port), reports->codec_out);
    if (quality_window(&reports->quality, &now, reports->codec_in, reports->codec_out))
        worker_tell(port->worker, port, MEDIA_QUALITY);
}

static void look_at_sent(struct port *port, uint64_t now_us)
{
    struct reports *reports = &port->reports;

    if (reports->tx_seen == port->stats.tx_packets)
        return;
    reports->tx_seen = port->stats.tx_packets;
    reports->tx_us = now_us;
}

void reports_tick(struct port *port, uint64_t now_us)
{
    look_at_sent(port, now_us);
    if (!port->worker->report_us)
        return;
    look_at_reports(port, now_us);
    look_at_window(port, now_us);
}

void reports_stats(const struct port *port, struct media_stats *out)
{
    const struct reports *reports = &port->reports;
    struct quality_heard now = heard(port);

    out->speaks = reports->tx_us && worker_now(port->worker) - reports->tx_us < SPEAKS_US;
    quality_stats(&reports->quality, &now, name_or(codec_in(port), reports->codec_in),
                  name_or(codec_out(port), reports->codec_out), out);
}
