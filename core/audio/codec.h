/* Codecs: payloads of RTP packets to sound and back. Sound is mono, 16 bits, 8000, 16000 or 48000 samples a second,
 * whatever the codec's own rate is. Any thread, each object by one at a time; nothing is allocated between the making
 * of an object and its end. */
#ifndef AUDIO_CODEC_H
#define AUDIO_CODEC_H

#include "base/base.h"

/* No packet holds more: 120 ms at 48000 (the longest of Opus, RFC 6716 §2.1.4). */
#define CODEC_SAMPLES_MAX 5760
/* No encoder writes more bytes for the packets that codec_ptime() permits: 60 ms of G.711 or of Opus at its highest
 * rate. */
#define CODEC_PAYLOAD_MAX 1500

struct codec_kind; /* a description that lives as long as the program */
struct codec_decoder;
struct codec_encoder;

/* As SDP names it, case apart: "PCMU" 8000 1, "PCMA" 8000 1, "G722" 8000 1 (sic, RFC 3551 §4.5.2), "opus" 48000 2,
 * "CN" 8000 or 16000 1, and what plugin_load() brought. NULL: not ours. */
const struct codec_kind *codec_find(const char *name, unsigned clock, unsigned channels);
const char *codec_name(const struct codec_kind *kind);
unsigned codec_clock(const struct codec_kind *kind); /* of its RTP timestamps */
unsigned codec_rate(const struct codec_kind *kind);  /* the best sample rate that it carries */
/* The longest packet, in ms, that may be sent to somebody who asks for wanted_ms (SDP's a=ptime; 0: not said): from 10
 * to 60. */
unsigned codec_ptime(const struct codec_kind *kind, unsigned wanted_ms);

/* rate is that of the sound wanted: 8000, 16000 or 48000. fmtp: the parameters of SDP, or NULL. NULL: no such rate, no
 * memory, or a codec of which there is only the other half (CN is never sent). */
struct codec_decoder *codec_decoder_new(const struct codec_kind *kind, unsigned rate, const char *fmtp) MUST_USE;
struct codec_encoder *codec_encoder_new(const struct codec_kind *kind, unsigned rate, const char *fmtp) MUST_USE;
void codec_decoder_free(struct codec_decoder *decoder); /* NULL is fine */
void codec_encoder_free(struct codec_encoder *encoder);

/* One payload to sound. room counts samples, CODEC_SAMPLES_MAX always suffices. Returns the samples, or -EINVAL:
 * damaged, empty, or longer than room; conceal then as if it had been lost. A packet of CN becomes 20 ms of its noise.
 */
int codec_decode(struct codec_decoder *decoder, const uint8_t *payload, size_t len, int16_t *pcm, size_t room);

/* Sound in place of packets that did not come, as much as is asked for (at most CODEC_SAMPLES_MAX), fading within a
 * tenth of a second; CN goes on with its noise. next is the payload just behind the gap, when it is there already: Opus
 * may find the lost one in it (RFC 6716 §2.1.7); it is still to be decoded itself. Returns the samples, or -EINVAL. */
int codec_conceal(struct codec_decoder *decoder, const uint8_t *next, size_t len, int16_t *pcm, size_t samples);

/* One packet's worth of sound to a payload; samples are 10 ms or what codec_ptime() permits, all at once. Returns its
 * bytes; 0: nothing to send now (silence with usedtx=1), the timestamp goes on; -EINVAL: no such length, or room is too
 * small. */
int codec_encode(struct codec_encoder *encoder, const int16_t *pcm, size_t samples, uint8_t *out, size_t room);
/* What the other side says it loses, in percent: Opus spends more on repairs. Others do not mind. */
void codec_encoder_loss(struct codec_encoder *encoder, unsigned percent);

#endif
