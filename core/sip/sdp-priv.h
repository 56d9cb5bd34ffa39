/* What the SDP files share: words about a fault, and the grammar's small pieces. */
#ifndef SIP_SDP_PRIV_H
#define SIP_SDP_PRIV_H

#include "sip/sdp.h"

/* Writes why (which may be NULL) as clean UTF-8, whatever the network put into the arguments. Returns code. */
int sdp_fault(int code, char *why, size_t why_size, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* RFC 8866 §9 token: what media types, protocols and formats are made of. */
bool sdp_is_token(const char *text, size_t len);

/* True for the protocols whose formats are RTP payload types: RTP/AVP, UDP/TLS/RTP/SAVPF, … */
bool sdp_proto_is_rtp(const char *proto);

/* Reads the decimal number at *p, which must end at the text's end or at a byte of `ends`, and moves *p behind it. */
bool sdp_number(const char **p, const char *ends, uint64_t max, uint64_t *out);

#define SDP_CRYPTO_MAX 160
/* Reads what stands behind "a=crypto:" (RFC 4568 §9.1). NULL, or why it cannot be used: constant words that hold
 * nothing of the line; out has no key then. */
const char *sdp_crypto_read(const char *value, struct crypto *out);
/* The other way. Returns its length. */
int sdp_crypto_write(const struct crypto *crypto, char out[SDP_CRYPTO_MAX]);

/* What the a=fingerprint (RFC 8122 §5) and a=setup lines (RFC 4145 §4) of one stream say; those of its m-line count
 * before those of the session. NULL, or why there is none that can be used: constant words. */
const char *sdp_dtls_read(const struct sdp *sdp, const struct sdp_media *media, struct dtls_side *out);
#define SDP_FINGERPRINT_MAX 208
/* What stands behind "a=fingerprint:". */
void sdp_fingerprint_write(const struct fingerprint *print, char out[SDP_FINGERPRINT_MAX]);
/* "active", "passive", "actpass". */
const char *sdp_setup_word(enum dtls_setup setup);

#endif
