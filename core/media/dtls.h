/* DTLS-SRTP (RFC 5763, RFC 5764): the handshake of one association, by OpenSSL over packets in memory. Each object by
 * one thread at a time; the identity is shared by all and only read. Knows no sockets and no ports. */
#ifndef MEDIA_DTLS_H
#define MEDIA_DTLS_H

#include "base/addr.h"
#include "media/crypto.h"
#include "media/media.h"

struct dtls;

/* The certificate of this process, its own and new with each start, and what all handshakes share. To be made before
 * the sandbox. Returns 0 or -ENOTSUP (logged). */
struct dtls_identity;
int dtls_identity_new(struct dtls_identity **out);
void dtls_identity_free(struct dtls_identity *identity);
const struct fingerprint *dtls_identity_print(const struct dtls_identity *identity);

/* The far side shows the certificate with this fingerprint, or has no keys. active: we begin. send: a packet for the
 * far side: for `to`, from where it sent the last one (unset: it has not sent any). */
typedef void (*dtls_send_fn)(void *arg, const union addr *to, const uint8_t *packet, size_t len);
struct dtls *dtls_new(const struct dtls_identity *identity, const struct fingerprint *theirs, bool active,
                      uint64_t now_us, dtls_send_fn send, void *arg) MUST_USE;
void dtls_free(struct dtls *dtls);

enum dtls_news {
    DTLS_NOTHING,
    DTLS_KEYS,   /* dtls_keys() has new ones */
    DTLS_FAILED, /* dtls_fault() says why; it is tried again */
};

/* A packet of the far side (RFC 7983: DTLS by its first byte). The keys of before stay until there are new ones. */
enum dtls_news dtls_packet(struct dtls *dtls, const uint8_t *packet, size_t len, const union addr *from,
                           uint64_t now_us);
/* From the time on that dtls_due_us() says (0: never): sends again what was lost, or gives up. */
enum dtls_news dtls_tick(struct dtls *dtls, uint64_t now_us);
uint64_t dtls_due_us(const struct dtls *dtls, uint64_t now_us);
/* Begins anew (active: now). */
void dtls_again(struct dtls *dtls, uint64_t now_us);

void dtls_keys(const struct dtls *dtls, struct srtp_key *in, struct srtp_key *out);
enum dtls_fault dtls_fault(const struct dtls *dtls);

/* Is it the first packet of a handshake? */
bool dtls_is_hello(const uint8_t *packet, size_t len);

#endif
