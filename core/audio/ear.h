/* An ear: RTP packets of one sender in, a frame of sound each 20 ms out. It holds a jitter buffer and the decoders of
 * the payload types that were agreed on; packets of any length are joined and cut; what is missing is concealed; the
 * delay follows the network, and the clocks of sender and listener may differ, by shortening and lengthening the sound
 * a little. One thread at a time; allocates only in ear_new() and ear_codec(). */
#ifndef AUDIO_EAR_H
#define AUDIO_EAR_H

#include "audio/codec.h"
#include "audio/jitter.h"

#define EAR_CODECS_MAX 6u
#define EAR_FRAME_MAX 960u /* samples of 20 ms at 48000 */

struct ear;

/* rate: of the sound, 8000, 16000 or 48000. min_ms and max_ms bound the delay; 0: 20 and 200. */
struct ear *ear_new(unsigned rate, unsigned min_ms, unsigned max_ms) MUST_USE;
void ear_free(struct ear *ear); /* NULL is fine */

/* Understands this payload type from now on, whatever it meant before. Returns 0, -ENOMEM, or -ENOSPC: EAR_CODECS_MAX
 * others are there. */
int ear_codec(struct ear *ear, uint8_t pt, const struct codec_kind *kind, const char *fmtp);

/* A packet came. Those of payload types that it does not understand are not heard; say them all the same, so that their
 * numbers are not missed. */
void ear_packet(struct ear *ear, const struct jitter_packet *packet, uint64_t now_us);

enum ear_heard {
    EAR_SILENCE,   /* zeros: nobody is there, or has not been for a while */
    EAR_SOUND,     /* what was sent */
    EAR_CONCEALED, /* in whole or in part it stands for what was lost */
};

/* The next 20 ms: rate / 50 samples. Call it every 20 ms, with the time at which it was due rather than that at which a
 * busy thread came to it. */
enum ear_heard ear_frame(struct ear *ear, uint64_t now_us, int16_t *pcm);

const struct jitter *ear_jitter(const struct ear *ear); /* its delay and counters; NULL before the first ear_codec() */
uint64_t ear_stretched(const struct ear *ear);          /* how often the sound was made shorter or longer */

#endif
