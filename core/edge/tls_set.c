/* Reads certificates, keys and the lists of whom to trust into OpenSSL contexts that can be put in force as a whole.
 * Runs before the loop does, or on a worker: it reads files. It must not know connections. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/id.h"
#include "edge/tls-priv.h"

/* Forward secrecy always; CBC at the end of the list is for phones of 2015. TLS 1.3 has its own list, which is short.
 */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!MD5"
#define CHAIN_MAX 5
static const unsigned char session_context[] = "tandem";

static void say(char why[EDGE_TLS_WHY], const char *file, const char *what)
{
    if (!why[0]) /* the first thing that went wrong says most */
        snprintf(why, EDGE_TLS_WHY, "%.150s: %s", file, what);
}

/* In OpenSSL's words; its queue is empty afterwards. */
static void say_error(char why[EDGE_TLS_WHY], const char *file, const char *what)
{
    unsigned long error = ERR_peek_error();
    const char *reason = ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error)) : ERR_reason_error_string(error);
    char text[120];

    snprintf(text, sizeof text, "%s (%.70s)", what, reason ? reason : "no reason given");
    say(why, file, text);
    ERR_clear_error();
}

/* Everybody's word is taken: what was wrong with it is asked for later (EDGE_CLIENTS_REQUEST). */
static int accept_any(int good, X509_STORE_CTX *context)
{
    return 1;
}

static SSL_CTX *new_context(const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);

    if (!ctx)
        return NULL;
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(ctx, CIPHERS);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY); /* phones are idle nearly always */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);               /* the ticket has it all */
    SSL_CTX_set_verify_depth(ctx, CHAIN_MAX);
    return ctx;
}

/* Not an interactive question: a key under a password cannot be used by a daemon. */
static int no_password(char *buf, int size, int writing, void *arg)
{
    return -1;
}

static bool use_certificate(SSL_CTX *ctx, const struct edge_certificate *from, char why[EDGE_TLS_WHY])
{
    const char *key = from->key ? from->key : from->file;

    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    if (SSL_CTX_use_certificate_chain_file(ctx, from->file) != 1)
        say_error(why, from->file, "no certificate can be read");
    else if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        say_error(why, key, "no key can be read, or it is not that of the certificate");
    else if (SSL_CTX_check_private_key(ctx) != 1)
        say(why, key, "this is not the key of the certificate");
    else
        return true;
    ERR_clear_error();
    return false;
}

static void read_slot(const struct edge_tls *tls, struct tls_slot *slot, const struct edge_certificate *from)
{
    struct stat st;

    slot->ctx = new_context(TLS_server_method());
    if (!slot->ctx || !use_certificate(slot->ctx, from, slot->why)) {
        say_error(slot->why, from->file, "no context can be made");
        SSL_CTX_free(slot->ctx);
        slot->ctx = NULL;
        return;
    }
    slot->leaf = SSL_CTX_get0_certificate(slot->ctx);
    slot->key_is_open = stat(from->key ? from->key : from->file, &st) == 0 && (st.st_mode & S_IROTH);
    SSL_CTX_set_num_tickets(slot->ctx, 1); /* a phone has one connection */
    if (tls->clients == EDGE_CLIENTS_REQUIRE)
        SSL_CTX_set_verify(slot->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    else if (tls->clients == EDGE_CLIENTS_REQUEST)
        SSL_CTX_set_verify(slot->ctx, SSL_VERIFY_PEER, accept_any);
}

/* An empty store trusts nobody. */
static X509_STORE *read_store(const char *file, char why[EDGE_TLS_WHY])
{
    X509_STORE *store = X509_STORE_new();

    if (store && file && X509_STORE_load_file(store, file) != 1)
        say_error(why, file, "no certificate of an issuer can be read");
    return store;
}

static void read_clients(const struct edge_tls *tls, struct tls_set *set)
{
    if (tls->clients == EDGE_CLIENTS_OFF)
        return;
    set->clients = read_store(tls->client_ca, set->clients_why);
    if (tls->client_ca && !set->clients_why[0])
        set->client_names = SSL_load_client_CA_file(tls->client_ca);
}

static void read_connect(const struct edge_tls *tls, struct tls_set *set)
{
    char ignored[EDGE_TLS_WHY] = "";

    set->connect = new_context(TLS_client_method());
    if (!set->connect)
        return;
    if (set->slots[0].ctx && !use_certificate(set->connect, &tls->certificates[0], ignored))
        ERR_clear_error(); /* it has changed since; few ask for it */
    if (tls->verify_servers) {
        set->servers = read_store(tls->server_ca, set->servers_why);
        if (set->servers)
            SSL_CTX_set1_cert_store(set->connect, set->servers);
        SSL_CTX_set_verify(set->connect, SSL_VERIFY_PEER, NULL);
    }
}

struct tls_set *tls_set_read(const struct edge_tls *tls)
{
    struct tls_set *set = mem_new(sizeof *set);

    set->print = tls_files_print(tls);
    for (unsigned i = 0; i < tls->count; i++)
        read_slot(tls, &set->slots[i], &tls->certificates[i]);
    read_clients(tls, set);
    read_connect(tls, set);
    ERR_clear_error();
    return set;
}

void tls_set_free(struct tls_set *set)
{
    if (!set)
        return;
    for (unsigned i = 0; i < EDGE_CERTIFICATES_MAX; i++)
        SSL_CTX_free(set->slots[i].ctx);
    SSL_CTX_free(set->connect);
    X509_STORE_free(set->clients);
    sk_X509_NAME_pop_free(set->client_names, X509_NAME_free);
    X509_STORE_free(set->servers);
    free(set);
}

/* The same trust and the same tickets for all, so that a session can be taken up whatever name was asked for. Tickets
 * of an older set are not taken: whom they were given to might not be trusted any more. */
static void arm(const struct edge_tls *tls, struct tls_set *set)
{
    unsigned char keys[80];

    random_bytes(keys, sizeof keys);
    for (unsigned i = 0; i < tls->count; i++) {
        SSL_CTX *ctx = set->slots[i].ctx;

        if (!ctx)
            continue;
        SSL_CTX_set_session_id_context(ctx, session_context, sizeof session_context - 1);
        SSL_CTX_set_tlsext_ticket_keys(ctx, keys, sizeof keys);
        if (set->clients)
            SSL_CTX_set1_cert_store(ctx, set->clients);
        SSL_CTX_set_client_CA_list(ctx, SSL_dup_CA_list(set->client_names));
        SSL_CTX_set_tlsext_servername_callback(ctx, tls_choose);
        SSL_CTX_set_tlsext_servername_arg(ctx, (void *)(uintptr_t)tls);
    }
    OPENSSL_cleanse(keys, sizeof keys);
}

#define KEEP(set, old, field) ((set)->field = (old)->field, (old)->field = NULL)

void tls_set_arm(const struct edge_tls *tls, struct tls_set *set, struct tls_set *old)
{
    for (unsigned i = 0; old && i < tls->count; i++)
        if (!set->slots[i].ctx && old->slots[i].ctx) {
            KEEP(set, old, slots[i].ctx);
            set->slots[i].leaf = old->slots[i].leaf;
        }
    if (old && set->clients_why[0]) {
        X509_STORE_free(set->clients);
        KEEP(set, old, clients);
        KEEP(set, old, client_names);
    }
    if (old && set->servers_why[0]) {
        SSL_CTX_free(set->connect);
        X509_STORE_free(set->servers);
        KEEP(set, old, connect);
        KEEP(set, old, servers);
    }
    arm(tls, set);
}

const char *tls_set_problem(const struct edge_tls *tls, const struct tls_set *set)
{
    for (unsigned i = 0; i < tls->count; i++)
        if (set->slots[i].why[0])
            return set->slots[i].why;
    return set->clients_why[0] ? set->clients_why : set->servers_why[0] ? set->servers_why : NULL;
}

static uint64_t add_file(uint64_t print, const char *path)
{
    static const uint8_t key[16] = "files of TLS";
    struct stat st;
    int64_t facts[7] = {(int64_t)print};

    if (!path)
        return print;
    if (stat(path, &st) == 0) {
        facts[1] = (int64_t)st.st_ino;
        facts[2] = (int64_t)st.st_dev;
        facts[3] = (int64_t)st.st_size;
        facts[4] = (int64_t)st.st_mtim.tv_sec;
        facts[5] = (int64_t)st.st_mtim.tv_nsec;
        facts[6] = (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec;
    }
    return siphash(key, facts, sizeof facts);
}

uint64_t tls_files_print(const struct edge_tls *tls)
{
    uint64_t print = 1;

    for (unsigned i = 0; i < tls->count; i++) {
        print = add_file(print, tls->certificates[i].file);
        print = add_file(print, tls->certificates[i].key);
    }
    return add_file(add_file(print, tls->client_ca), tls->server_ca);
}
