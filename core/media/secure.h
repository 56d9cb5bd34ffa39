/* SRTP and SRTCP (RFC 3711, RFC 7714) of one port in one direction, by libsrtp2. Each object by one thread at a time;
 * no sockets. Contexts are made when keys come, never for a packet. */
#ifndef MEDIA_SECURE_H
#define MEDIA_SECURE_H

#include "media/crypto.h"

struct srtp_ctx_t_;

#define SECURE_GRACE 100u    /* packets after a new key, two seconds of speech, in which the old one opens some still */
#define SECURE_OVERHEAD 160u /* bytes that sealing may add */
#define SECURE_SSRCS 32u     /* sources whose packets come that are remembered; the oldest gives way */

/* Zeroed: plain. */
struct secure {
    struct srtp_ctx_t_ *ctx; /* NULL with a key: it could not be made, and nothing passes */
    struct srtp_key key;
    bool inbound;
    /* Inbound. What goes out is one stream (numbers.h). */
    uint32_t ssrcs[SECURE_SSRCS];
    unsigned ssrc_count, ssrc_next, ssrc_last;
    /* Inbound: the key before, for packets that were under way when this one came. */
    struct {
        struct srtp_ctx_t_ *ctx; /* NULL: none */
        bool mki;
        unsigned left; /* so many more packets */
    } before;
};

/* Once a process, before any other call here and before the sandbox: the library opens files and loads code, and keeps
 * both only as long as there is a context. That is what `anchor` is for: it stays until the process ends. Returns 0 or
 * -ENOTSUP (logged); what is to be encrypted is then not sent at all. */
int secure_setup(struct secure *anchor);

/* From now on under this key (suite 0: plain). The same key as before changes nothing. What comes under the key before
 * passes for SECURE_GRACE packets more (secure_clear() first: for none). Returns 0 or -EINVAL: nothing passes then. */
int secure_set(struct secure *way, const struct srtp_key *key, bool inbound);
void secure_clear(struct secure *way);

static inline bool secure_is_on(const struct secure *way)
{
    return way->key.suite != SUITE_NONE;
}

/* In place, packet aligned to 4 bytes; *len becomes that of the plain packet. False: damaged, not under this key, or
 * seen before. */
bool secure_open(struct secure *way, uint8_t *packet, size_t *len, bool rtcp);
/* In place, with room for SECURE_OVERHEAD bytes more. False: it cannot be sent (its number was used before,
 * or is too far back). */
bool secure_seal(struct secure *way, uint8_t *packet, size_t *len, bool rtcp);

#endif
