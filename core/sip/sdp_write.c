/* Writes a stream description as SDP (RFC 8866). What the description has no field for cannot get out, so nothing of
 * one leg's SDP leaks into the other's. Any thread; knows neither SIP messages nor calls. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "sip/sdp-priv.h"

struct writer {
    char *out;
    size_t size, used;
    int result; /* the first thing that went wrong; nothing is written after it */
};

static void put(struct writer *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void put(struct writer *w, const char *fmt, ...)
{
    va_list ap;
    int n;

    if (w->result < 0)
        return;
    va_start(ap, fmt);
    n = vsnprintf(w->out + w->used, w->size - w->used, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= w->size - w->used) {
        w->result = -E2BIG;
        return;
    }
    for (int i = 0; i < n; i++) /* a line break in a name or a parameter would be a line of somebody else's making */
        if ((unsigned char)w->out[w->used + (size_t)i] < 0x20)
            w->result = -EINVAL;
    w->used += (size_t)n;
}

static void end_line(struct writer *w)
{
    if (w->result < 0)
        return;
    w->result = str_append(w->out, w->size, &w->used, "\r\n");
}

static void put_address(struct writer *w, const char *before, const union addr *a)
{
    char ip[ADDR_TEXT];

    put(w, "%sIN %s %s", before, a->sa.sa_family == AF_INET6 ? "IP6" : "IP4",
        addr_is_set(a) ? addr_ip_text(a, ip) : "0.0.0.0");
}

/* A bind address is of no use to the far side, and 0.0.0.0 would mean hold. */
static bool can_be_sent_to(const union addr *a)
{
    return addr_is_set(a) && !addr_is_any(a);
}

static void put_formats(struct writer *w, const struct stream_desc *stream)
{
    for (unsigned i = 0; i < stream->codec_count; i++)
        put(w, " %u", stream->codecs[i].pt);
    if (!stream->codec_count)
        put(w, " %s", stream->formats[0] ? stream->formats : "0");
    end_line(w);
}

static void put_codec(struct writer *w, const struct codec *codec)
{
    put(w, "a=rtpmap:%u %s/%" PRIu32, codec->pt, codec->name, codec->rate);
    if (codec->channels > 1)
        put(w, "/%u", codec->channels);
    end_line(w);
    if (codec->fmtp[0]) {
        put(w, "a=fmtp:%u %s", codec->pt, codec->fmtp);
        end_line(w);
    }
}

/* RFC 3605: said only when it is not what everybody assumes. */
static void put_rtcp(struct writer *w, const struct stream_desc *stream)
{
    bool elsewhere = can_be_sent_to(&stream->rtcp) && !addr_same_ip(&stream->rtcp, &stream->rtp);
    unsigned port = addr_port(&stream->rtcp);

    if (!addr_is_set(&stream->rtcp) || !port || (port == addr_port(&stream->rtp) + 1u && !elsewhere))
        return;
    put(w, "a=rtcp:%u", port);
    if (elsewhere)
        put_address(w, " ", &stream->rtcp);
    end_line(w);
}

static void put_crypto(struct writer *w, const struct crypto *crypto)
{
    char text[SDP_CRYPTO_MAX];

    sdp_crypto_write(crypto, text);
    put(w, "a=crypto:%s", text);
    end_line(w);
    explicit_bzero(text, sizeof text);
}

static void put_dtls(struct writer *w, const struct dtls_side *dtls)
{
    char text[SDP_FINGERPRINT_MAX];

    sdp_fingerprint_write(&dtls->print, text);
    put(w, "a=fingerprint:%s", text);
    end_line(w);
    if (dtls->setup == SETUP_NONE)
        return;
    put(w, "a=setup:%s", sdp_setup_word(dtls->setup));
    end_line(w);
}

static void put_stream(struct writer *w, const struct stream_desc *stream, const union addr *session_address)
{
    static const char *const words[] = {"inactive", "sendonly", "recvonly", "sendrecv"}; /* as enum stream_dir */
    unsigned port = stream->refused || !addr_is_set(&stream->rtp) ? 0 : addr_port(&stream->rtp);

    put(w, "m=%s %u %s", stream->media, port, stream->proto);
    put_formats(w, stream);
    if (!port)
        return;
    if (can_be_sent_to(&stream->rtp) && !addr_same_ip(&stream->rtp, session_address)) {
        put_address(w, "c=", &stream->rtp);
        end_line(w);
    }
    for (unsigned i = 0; i < stream->codec_count; i++)
        put_codec(w, &stream->codecs[i]);
    for (unsigned i = 0; i < stream->crypto_count; i++)
        put_crypto(w, &stream->crypto[i]);
    if (stream->dtls.print.hash)
        put_dtls(w, &stream->dtls);
    if (stream->ptime) {
        put(w, "a=ptime:%u", stream->ptime);
        end_line(w);
    }
    put_rtcp(w, stream);
    if (stream->rtcp_mux) {
        put(w, "a=rtcp-mux");
        end_line(w);
    }
    put(w, "a=%s", words[stream->dir & DIR_SENDRECV]);
    end_line(w);
}

int sdp_write(const struct sdp_origin *origin, const struct media_desc *desc, char *out, size_t size)
{
    struct writer w = {.out = out, .size = size};

    if (!size)
        return -E2BIG;
    out[0] = '\0';
    put(&w, "v=0");
    end_line(&w);
    put(&w, "o=tandem %" PRIu64 " %" PRIu64, origin->session, origin->version);
    put_address(&w, " ", &origin->address);
    end_line(&w);
    put(&w, "s=-");
    end_line(&w);
    put_address(&w, "c=", &origin->address);
    end_line(&w);
    put(&w, "t=0 0");
    end_line(&w);
    for (unsigned i = 0; i < desc->count; i++)
        put_stream(&w, &desc->streams[i], &origin->address);
    return w.result < 0 ? w.result : (int)w.used;
}
