/* Makes certificates. Test code: it stops the program when OpenSSL fails it. */
#include "certificate.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static void must_be(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "certificate: %s failed\n", what);
    abort();
}

static void extend(X509 *x509, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    must_be(extension && X509_add_ext(x509, extension, -1), value);
    X509_EXTENSION_free(extension);
}

struct certificate certificate_new(enum certificate_kind kind, const char *subject, const char *names, int days,
                                   const struct certificate *issuer)
{
    static long serial = 1;
    struct certificate made = {.x509 = X509_new()};
    X509_NAME *name = X509_get_subject_name(made.x509);

    made.key = kind == CERTIFICATE_RSA ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    must_be(made.key != NULL, "making a key");
    X509_set_version(made.x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.x509), serial++);
    X509_gmtime_adj(X509_getm_notBefore(made.x509), days < 0 ? 2 * days * 86400L : -3600);
    X509_gmtime_adj(X509_getm_notAfter(made.x509), days * 86400L);
    X509_set_pubkey(made.x509, made.key);
    X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"Tandem test", -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)subject, -1, -1, 0);
    X509_set_issuer_name(made.x509, issuer ? X509_get_subject_name(issuer->x509) : name);
    extend(made.x509, NID_basic_constraints, issuer || names ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (names)
        extend(made.x509, NID_subject_alt_name, names);
    must_be(X509_sign(made.x509, issuer ? issuer->key : made.key, EVP_sha256()) > 0, "signing");
    return made;
}

void certificate_free(struct certificate *certificate)
{
    X509_free(certificate->x509);
    EVP_PKEY_free(certificate->key);
    certificate->x509 = NULL;
    certificate->key = NULL;
}

static FILE *begin(const char *dir, const char *name, const char *end, char path[300])
{
    FILE *file;

    snprintf(path, 300, "%s/%s.%s.new", dir, name, end);
    file = fopen(path, "w");
    must_be(file != NULL, path);
    chmod(path, 0600);
    return file;
}

static void put_in_place(FILE *file, const char *path)
{
    char to[300];

    must_be(fclose(file) == 0, path);
    snprintf(to, sizeof to, "%.*s", (int)strlen(path) - 4, path);
    must_be(rename(path, to) == 0, to);
}

void certificate_write(const struct certificate *certificate, const struct certificate *issuer, const char *dir,
                       const char *name)
{
    char path[300];
    FILE *file = begin(dir, name, "pem", path);

    must_be(PEM_write_X509(file, certificate->x509) && (!issuer || PEM_write_X509(file, issuer->x509)), path);
    put_in_place(file, path);
    file = begin(dir, name, "key", path);
    must_be(PEM_write_PrivateKey(file, certificate->key, NULL, NULL, 0, NULL, NULL), path);
    put_in_place(file, path);
}
