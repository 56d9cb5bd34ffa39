/* What the files of TLS share. */
#ifndef EDGE_TLS_PRIV_H
#define EDGE_TLS_PRIV_H

#include <openssl/ssl.h>

#include "edge/tls.h"

#define EDGE_TLS_WHY 240

/* One certificate with its chain and key, or why there is none. */
struct tls_slot {
    SSL_CTX *ctx; /* NULL: it could not be read */
    X509 *leaf;
    bool key_is_open; /* everybody on this machine may read the key's file */
    char why[EDGE_TLS_WHY];
};

/* What the files said at one time. */
struct tls_set {
    struct tls_slot slots[EDGE_CERTIFICATES_MAX];
    X509_STORE *clients, *servers;      /* whose certificates are trusted; NULL: nobody's */
    STACK_OF(X509_NAME) * client_names; /* of whom we say that we trust them */
    SSL_CTX *connect;                   /* for connections of ours */
    char clients_why[EDGE_TLS_WHY], servers_why[EDGE_TLS_WHY];
    uint64_t print; /* of the files, from before they were read */
};

struct edge_tls {
    struct loop *loop;
    struct edge_certificate certificates[EDGE_CERTIFICATES_MAX]; /* owned copies */
    unsigned count;
    enum edge_clients clients;
    bool verify_servers;
    char *client_ca, *server_ca;
    unsigned watch_ms;
    struct tls_set *set; /* in force; slots that are broken now may be of an earlier one */
    uint64_t loaded_us;  /* wall clock */
    uint64_t warn_us;    /* when expiry is worth a line again; loop time */
    struct loop_timer watch;
    BIO_METHOD *bytes;
    struct edge_tls_state counts; /* the numbers in it */
    /* What a worker does. */
    bool busy, closed, forced;
    uint64_t print_before; /* of the last look */
    struct tls_set *fresh;
    uint64_t print;
    void (*done)(void *arg, bool good);
    void *done_arg;
};

/* tls_set.c: reads files. Any thread; blocks. */
struct tls_set *tls_set_read(const struct edge_tls *tls);
/* Makes a set that was read fit for use, on the signalling thread. What is broken in it is taken over from `old`. */
void tls_set_arm(const struct edge_tls *tls, struct tls_set *set, struct tls_set *old);
void tls_set_free(struct tls_set *set); /* NULL allowed */
/* Changes when one of the files does. */
uint64_t tls_files_print(const struct edge_tls *tls);
/* NULL: it is as it should be. */
const char *tls_set_problem(const struct edge_tls *tls, const struct tls_set *set);

/* tls.c: the certificate for the name that the other side asked for. */
int tls_choose(SSL *ssl, int *alert, void *arg);

/* tls_session.c: how OpenSSL reads and writes. */
BIO_METHOD *edge_tls_bytes(void);

#endif
