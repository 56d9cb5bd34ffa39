/* Offer/answer of SRTP keys (RFC 4568 §5, §7) over stream descriptions of one leg: keys never cross to another one.
 * Pure functions. Streams that are no audio or video over RTP are left alone. */
#ifndef MEDIA_NEGOTIATE_CRYPTO_H
#define MEDIA_NEGOTIATE_CRYPTO_H

#include "media/desc.h"

/* What one leg does about the encryption of its media. */
enum crypto_want {
    CRYPTO_NEVER, /* none is offered, none is accepted */
    CRYPTO_MAY,   /* offered beside plain RTP (RTP/AVP with keys), accepted when offered */
    CRYPTO_MUST,  /* RTP/SAVP or nothing */
};

/* Our own keys of one leg: for audio and for video one a suite, made once (all from a random source). They are those of
 * its whole life: a re-offer says them again, and the count of packets goes on. */
struct crypto_keys {
    uint8_t of[2][SUITE_COUNT][SUITE_KEY_MAX];
};

/* RTP/SAVP and the like. */
bool crypto_proto_is_secure(const char *proto);

/* An offer of the far side as this leg may take it: streams that want does not allow are refused, keys that it does not
 * allow are dropped, and where there is audio both with and without keys, that with keys is taken. 0, or -EACCES with
 * why (words for people, without the beginning "no common encryption") when no audio is left though there was some. */
int crypto_admit(struct media_desc *offer, enum crypto_want want, char *why, size_t why_size);

/* Gives an offer of ours its profiles and keys. before: what we last said in this dialog (NULL: nothing yet): a stream
 * that is encrypted goes on with its suite and key, one that is not goes on without. */
void crypto_offer(struct media_desc *offer, const struct media_desc *before, enum crypto_want want,
                  const struct crypto_keys *keys);

/* Gives an answer of ours its keys: for each accepted stream the suite that before (as above) has, if it is offered,
 * else the first one offered. offer: as crypto_admit() left it. */
void crypto_answer(struct media_desc *answer, const struct media_desc *offer, const struct media_desc *before,
                   enum crypto_want want, const struct crypto_keys *keys);

/* An offer of ours that left it to the far side (CRYPTO_MAY) becomes one that does not: RTP/SAVP. Returns whether there
 * was anything to change. */
bool crypto_insist(struct media_desc *offer);

/* Does the answer to this stream of our offer fit it as to encryption? NULL, or why not: words that follow "media
 * stream 1 (audio)". */
const char *crypto_check_answer(const struct stream_desc *offer, const struct stream_desc *answer);

/* Local and remote stream as they were agreed, whoever offered: leaves the one pair of keys that is in force, or none
 * in both. */
void crypto_agree(struct stream_desc *local, struct stream_desc *remote);

#endif
