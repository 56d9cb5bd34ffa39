/* Offer/answer of SRTP keys (RFC 4568 §5, §7) and of DTLS, which makes them (RFC 5763 §5), over stream descriptions of
 * one leg: keys never cross to another one. Pure functions. Streams that are no audio or video over RTP are left alone. */
#ifndef MEDIA_NEGOTIATE_CRYPTO_H
#define MEDIA_NEGOTIATE_CRYPTO_H

#include "media/desc.h"

/* What one leg does about the encryption of its media. */
enum crypto_want {
    CRYPTO_NEVER, /* none is offered, none is accepted */
    CRYPTO_MAY,   /* offered, but plain RTP will do; accepted when offered */
    CRYPTO_MUST,  /* encrypted or nothing */
};

/* And in which ways. */
struct crypto_ways {
    enum crypto_want want;
    bool in_sdp;             /* keys may stand in descriptions: nobody can read its signalling */
    bool offer_dtls;         /* offers of ours are for DTLS, not for keys in the description */
    struct fingerprint ours; /* of our certificate; HASH_NONE: no DTLS */
};

/* Our own keys of one leg: for audio and for video one a suite, made once (all from a random source). They are those of
 * its whole life: a re-offer says them again, and the count of packets goes on. */
struct crypto_keys {
    uint8_t of[2][SUITE_COUNT][SUITE_KEY_MAX];
};

/* RTP/SAVP, UDP/TLS/RTP/SAVP and the like: nothing of it goes plain. */
bool crypto_proto_is_secure(const char *proto);
/* UDP/TLS/RTP/SAVP and the like: its keys come from DTLS (RFC 5764 §8). */
bool crypto_proto_is_dtls(const char *proto);
/* Keys are said, or how they will be made. */
static inline bool crypto_has_keys(const struct stream_desc *stream)
{
    return stream->crypto_count || stream->dtls.print.hash;
}

/* An offer of the far side as this leg may take it: streams that ways do not allow are refused, what they do not allow
 * is dropped, of keys and DTLS one is left, and where there is audio both with and without encryption, that with it is
 * taken. 0, or -EACCES with why (words for people, without the beginning "no common encryption") when no audio is left
 * though there was some. */
int crypto_admit(struct media_desc *offer, const struct crypto_ways *ways, char *why, size_t why_size);

/* Gives an offer of ours its profiles and keys, or its part in DTLS. before: what we last said in this dialog (NULL:
 * nothing yet): a stream that is encrypted goes on with its suite and key or its DTLS, one that is not goes on without.
 */
void crypto_offer(struct media_desc *offer, const struct media_desc *before, const struct crypto_ways *ways,
                  const struct crypto_keys *keys);

/* Gives an answer of ours its keys: for each accepted stream the suite that before (as above) has, if it is offered,
 * else the first one offered; or DTLS, in which the phone begins if it will. offer: as crypto_admit() left it. */
void crypto_answer(struct media_desc *answer, const struct media_desc *offer, const struct media_desc *before,
                   const struct crypto_ways *ways, const struct crypto_keys *keys);

/* A second try for an offer of ours (CRYPTO_MAY) that the far side refused: keys beside plain RTP become RTP/SAVP, and
 * DTLS becomes plain RTP. Returns whether there was anything to change. */
bool crypto_offer_otherwise(struct media_desc *offer);

/* Does the answer to this stream of our offer fit it as to encryption? NULL, or why not: words that follow "media
 * stream 1 (audio)". */
const char *crypto_check_answer(const struct stream_desc *offer, const struct stream_desc *answer);

/* Local and remote stream as they were agreed, whoever offered: leaves the one pair of keys that is in force, or none
 * in both; of DTLS, local->dtls.setup becomes our part (active or passive). */
void crypto_agree(struct stream_desc *local, struct stream_desc *remote);

#endif
