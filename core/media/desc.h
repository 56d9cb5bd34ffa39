/* What one side of a call says about its media, free of SDP: the streams in order, each with codecs, address and
 * direction. core/sip translates SDP to and from this; core/call relays it; core/media uses it. */
#ifndef MEDIA_DESC_H
#define MEDIA_DESC_H

#include "base/addr.h"
#include "media/crypto.h"

enum stream_kind { STREAM_AUDIO, STREAM_VIDEO, STREAM_TEXT, STREAM_IMAGE, STREAM_APPLICATION, STREAM_MESSAGE, STREAM_OTHER };

/* As the describing side says it: SEND means "I send". */
enum stream_dir { DIR_INACTIVE = 0, DIR_SEND = 1, DIR_RECV = 2, DIR_SENDRECV = 3 };

#define MEDIA_STREAMS_MAX 8
#define MEDIA_CODECS_MAX 24

struct codec {
    uint8_t pt;
    char name[20]; /* "PCMU", "opus", "telephone-event"; compared without case */
    uint32_t rate;
    uint8_t channels; /* 1 when not said */
    char fmtp[96];
};

struct stream_desc {
    enum stream_kind kind;
    char media[16];   /* the word of the m-line */
    char proto[24];   /* "RTP/AVP", "RTP/SAVP", "udptl" … */
    bool refused;     /* port 0 */
    union addr rtp;   /* where it wants to receive; address and port */
    union addr rtcp;
    bool rtcp_mux;
    enum stream_dir dir;
    unsigned ptime;   /* ms; 0: not said */
    unsigned codec_count;
    struct codec *codecs; /* owned; NULL when codec_count is 0 */
    char formats[64]; /* the format list as it stood, for protocols without payload types */
    unsigned crypto_count;
    struct crypto *crypto;    /* SRTP keys, best first (RFC 4568); owned; NULL when crypto_count is 0 */
    struct dtls_side dtls;    /* keys by a DTLS handshake (RFC 5763): its certificate and its part */
    bool must_encrypt;        /* our own offer or answer: an answer without keys is none */
    uint8_t ignored[16];      /* bit = payload type of its offer that stands for a codec which it may not use */
    const char *crypto_fault; /* why an a=crypto or a=fingerprint line is not used, in words for ever; NULL: none was left out */
};

struct media_desc {
    unsigned count;
    struct stream_desc streams[]; /* count of them */
};

/* A description with `count` zeroed streams (≤ MEDIA_STREAMS_MAX). */
struct media_desc *desc_new(unsigned count) MUST_USE;
struct media_desc *desc_copy(const struct media_desc *from) MUST_USE; /* NULL gives NULL */
void desc_free(struct media_desc *desc);
/* Replaces the stream's codec list by a copy. */
void desc_set_codecs(struct stream_desc *stream, const struct codec *codecs, unsigned count);
/* Replaces the stream's keys by a copy; the old ones are wiped. crypto may point into them. */
void desc_set_crypto(struct stream_desc *stream, const struct crypto *crypto, unsigned count);

const struct codec *desc_codec_by_pt(const struct stream_desc *stream, unsigned pt);
/* Same encoding: name without case, rate, channels. */
bool codec_same(const struct codec *a, const struct codec *b);
/* It carries speech (or pictures): it is neither telephone-event nor CN. */
bool codec_is_speech(const struct codec *codec);
/* The first audio stream that is not refused, or NULL. */
struct stream_desc *desc_audio(struct media_desc *desc);
/* The first codec of the stream that carries speech (not telephone-event, not CN), or NULL. */
const struct codec *desc_speech(const struct stream_desc *stream);
/* What the other side sees of this direction: SEND ↔ RECV. */
enum stream_dir dir_mirror(enum stream_dir dir);

#endif
