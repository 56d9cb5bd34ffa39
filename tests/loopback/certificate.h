/* Certificates for tests, made on the spot. */
#ifndef LOOPBACK_CERTIFICATE_H
#define LOOPBACK_CERTIFICATE_H

#include <openssl/x509.h>

struct certificate {
    X509 *x509;
    EVP_PKEY *key;
};

enum certificate_kind { CERTIFICATE_EC, CERTIFICATE_RSA };

/* names: "DNS:a.example,IP:127.0.0.1", or NULL; subject: its common name; days: until its end, may be negative; issuer:
 * NULL for one that has issued itself. */
struct certificate certificate_new(enum certificate_kind kind, const char *subject, const char *names, int days,
                                   const struct certificate *issuer);
void certificate_free(struct certificate *certificate);
/* Writes DIR/NAME.pem (the certificate, then that of its issuer unless NULL) and DIR/NAME.key, each as a whole. */
void certificate_write(const struct certificate *certificate, const struct certificate *issuer, const char *dir,
                       const char *name);

#endif
