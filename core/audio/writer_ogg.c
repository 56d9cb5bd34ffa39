/* Opus in Ogg (RFC 7845): packets of 20 ms, a page a second, so that a file which ends anywhere lacks no more than
 * that. Any thread. */
#include "audio/writer-priv.h"

#include <ogg/ogg.h>
#include <opus.h>
#include <stdlib.h>

#define PACKET_MAX 1275u /* RFC 6716 §3.4, one frame */
#define PAGE_PACKETS 50u
#define VENDOR "Tandem"

struct ogg {
    OpusEncoder *encoder;
    ogg_stream_state stream;
    bool has_stream;
    size_t packet_samples; /* of one channel, 20 ms */
    size_t have;
    unsigned ahead;   /* samples of 48000 that the encoder is behind */
    uint64_t encoded; /* samples of 48000 */
    int64_t packet_number;
    unsigned in_page;
    int16_t pcm[2 * 960];
};

static void put32(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static void put_pages(struct writer *w, bool all)
{
    struct ogg *ogg = w->state;
    ogg_page page;

    while (all ? ogg_stream_flush(&ogg->stream, &page) : ogg_stream_pageout(&ogg->stream, &page)) {
        writer_put(w, page.header, (size_t)page.header_len);
        writer_put(w, page.body, (size_t)page.body_len);
        ogg->in_page = 0;
    }
}

static void put_packet(struct writer *w, const void *bytes, size_t len, int64_t granule, bool last)
{
    struct ogg *ogg = w->state;
    ogg_packet packet = {.packet = (unsigned char *)(uintptr_t)bytes,
                         .bytes = (long)len,
                         .b_o_s = ogg->packet_number == 0,
                         .e_o_s = last,
                         .granulepos = granule,
                         .packetno = ogg->packet_number};

    ogg->packet_number++;
    if (ogg_stream_packetin(&ogg->stream, &packet) != 0)
        w->error = -ENOMEM;
}

static void put_headers(struct writer *w)
{
    struct ogg *ogg = w->state;
    uint8_t head[19] = "OpusHead\1", tags[8 + 4 + sizeof VENDOR - 1 + 4] = "OpusTags";

    head[9] = (uint8_t)w->format.channels;
    head[10] = (uint8_t)ogg->ahead;
    head[11] = (uint8_t)(ogg->ahead >> 8);
    put32(head + 12, w->format.rate);
    put_packet(w, head, sizeof head, 0, false);
    put_pages(w, true);
    put32(tags + 8, sizeof VENDOR - 1);
    memcpy(tags + 12, VENDOR, sizeof VENDOR - 1);
    put_packet(w, tags, sizeof tags, 0, false);
    put_pages(w, true);
}

static int open_encoder(struct writer *w, struct ogg *ogg)
{
    opus_int32 ahead = 0;
    int err;

    ogg->encoder =
        opus_encoder_create((opus_int32)w->format.rate, (int)w->format.channels, OPUS_APPLICATION_VOIP, &err);
    if (!ogg->encoder)
        return -ENOMEM;
    opus_encoder_ctl(ogg->encoder, OPUS_SET_COMPLEXITY(5));
    opus_encoder_ctl(ogg->encoder, OPUS_SET_BITRATE((opus_int32)((w->format.rate == 8000    ? 16000u
                                                                  : w->format.rate == 16000 ? 24000u
                                                                                            : 32000u) *
                                                                 w->format.channels)));
    opus_encoder_ctl(ogg->encoder, OPUS_GET_LOOKAHEAD(&ahead));
    ogg->ahead = (unsigned)ahead * (48000 / w->format.rate);
    ogg->packet_samples = w->format.rate / 50;
    return 0;
}

static int open_ogg(struct writer *w)
{
    struct ogg *ogg = calloc(1, sizeof *ogg);

    w->state = ogg;
    if (!ogg || open_encoder(w, ogg) < 0)
        return -ENOMEM;
    /* A file has one stream: its number only has to be one. */
    if (ogg_stream_init(&ogg->stream, 1) != 0)
        return -ENOMEM;
    ogg->has_stream = true;
    put_headers(w);
    return w->error;
}

/* The granule is that of the last sample that is to be heard: the end may be within the packet (RFC 7845 §4.4). */
static void put_sound(struct writer *w, int64_t granule, bool last)
{
    struct ogg *ogg = w->state;
    uint8_t bytes[PACKET_MAX];
    opus_int32 len = opus_encode(ogg->encoder, ogg->pcm, (int)ogg->packet_samples, bytes, sizeof bytes);

    ogg->have = 0;
    if (len <= 0) {
        w->error = -EINVAL;
        return;
    }
    put_packet(w, bytes, (size_t)len, granule, last);
    /* The first at once: without one, a file is none. */
    if (++ogg->in_page >= PAGE_PACKETS || last || ogg->encoded == 960) {
        put_pages(w, true);
        writer_flush(w);
    }
}

static void frame_ogg(struct writer *w, const int16_t *pcm, size_t samples)
{
    struct ogg *ogg = w->state;
    unsigned channels = w->format.channels;

    while (samples && !w->error) {
        size_t part = ogg->packet_samples - ogg->have;

        if (part > samples)
            part = samples;
        memcpy(ogg->pcm + ogg->have * channels, pcm, part * channels * sizeof *pcm);
        ogg->have += part;
        pcm += part * channels;
        samples -= part;
        if (ogg->have == ogg->packet_samples) {
            ogg->encoded += 960;
            put_sound(w, (int64_t)ogg->encoded, false);
        }
    }
}

/* The encoder is behind by `ahead`: silence drives out what it still has. */
static void finish_ogg(struct writer *w)
{
    struct ogg *ogg = w->state;
    uint64_t end = w->samples * (48000 / w->format.rate) + ogg->ahead;

    while (!w->error && ogg->encoded < end) {
        size_t filled = ogg->have * w->format.channels;
        bool last = ogg->encoded + 960 >= end;

        memset(ogg->pcm + filled, 0, (ogg->packet_samples * w->format.channels - filled) * sizeof ogg->pcm[0]);
        ogg->encoded += 960;
        put_sound(w, (int64_t)(last ? end : ogg->encoded), last);
    }
}

static void close_ogg(struct writer *w)
{
    struct ogg *ogg = w->state;

    if (!ogg)
        return;
    if (ogg->encoder)
        opus_encoder_destroy(ogg->encoder);
    if (ogg->has_stream)
        ogg_stream_clear(&ogg->stream);
    free(ogg);
}

const struct writer_ops writer_ogg = {.open = open_ogg, .frame = frame_ogg, .finish = finish_ogg, .close = close_ogg};
