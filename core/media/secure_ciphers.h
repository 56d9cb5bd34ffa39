/* The ciphers of SRTP by OpenSSL's fast code in place of those that libsrtp2 brings along, which (built on NSS, as some
 * distributions do) make every key anew for each packet. */
#ifndef MEDIA_SECURE_CIPHERS_H
#define MEDIA_SECURE_CIPHERS_H

/* Behind srtp_init(), before any context is made. The library holds each against its own test vectors and against those
 * of the RFCs. Returns 0, or -ENOTSUP when it refuses one: those before it are in use, and all others as they were. */
int secure_ciphers_install(void);

#endif
