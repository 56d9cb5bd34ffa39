/* The certificates in force: which one a phone gets, when they are read anew, and what is to be said of them.
 * Signalling thread; files are read on a worker. It must not know connections: those that run keep what they began
 * with. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "edge/tls-priv.h"

#define FILE_LANE 2
#define WATCH_MS 5000
#define DAY_S 86400
#define DAY_US (DAY_S * 1000000ull)

int tls_choose(SSL *ssl, int *alert, void *arg)
{
    const struct edge_tls *tls = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    for (unsigned i = 0; name && i < tls->count; i++) {
        const struct tls_slot *slot = &tls->set->slots[i];

        if (slot->ctx && X509_check_host(slot->leaf, name, 0, 0, NULL) == 1) {
            SSL_set_SSL_CTX(ssl, slot->ctx);
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return name ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK; /* the default: phones often name our address */
}

/* --- what a certificate says --- */

static int64_t seconds_of(const ASN1_TIME *time)
{
    int days = 0, seconds = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int64_t result = ASN1_TIME_diff(&days, &seconds, epoch, time) == 1 ? (int64_t)days * DAY_S + seconds : 0;

    ASN1_TIME_free(epoch);
    return result;
}

static void add_name(const GENERAL_NAME *name, char *out, size_t size, size_t *used)
{
    char text[ADDR_TEXT];
    const unsigned char *data = name->type == GEN_DNS     ? ASN1_STRING_get0_data(name->d.dNSName)
                                : name->type == GEN_IPADD ? ASN1_STRING_get0_data(name->d.iPAddress)
                                                          : NULL;
    union addr addr = {.sa.sa_family = AF_INET};

    if (!data)
        return;
    if (name->type == GEN_DNS) {
        str_append(out, size, used, "%s%.*s", *used ? ", " : "", ASN1_STRING_length(name->d.dNSName), data);
        return;
    }
    if (ASN1_STRING_length(name->d.iPAddress) == 16) {
        addr.in6.sin6_family = AF_INET6;
        memcpy(&addr.in6.sin6_addr, data, 16);
    } else if (ASN1_STRING_length(name->d.iPAddress) == 4) {
        memcpy(&addr.in.sin_addr, data, 4);
    } else {
        return;
    }
    str_append(out, size, used, "%s%s", *used ? ", " : "", addr_ip_text(&addr, text));
}

static void names_of(X509 *leaf, char *out, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    size_t used = 0;

    out[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        add_name(sk_GENERAL_NAME_value(names, i), out, size, &used);
    GENERAL_NAMES_free(names);
    if (!used)
        X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName, out, (int)size);
    str_clean_utf8(out);
}

static void issuer_of(X509 *leaf, char *out, size_t size)
{
    X509_NAME *issuer = X509_get_issuer_name(leaf);

    if (X509_self_signed(leaf, 0) == 1)
        str_copy(out, size, "itself");
    else if (X509_NAME_get_text_by_NID(issuer, NID_organizationName, out, (int)size) < 0 &&
             X509_NAME_get_text_by_NID(issuer, NID_commonName, out, (int)size) < 0)
        str_copy(out, size, "nobody");
    str_clean_utf8(out);
}

static void fill(const struct tls_slot *slot, const struct edge_certificate *from, struct edge_certificate_state *out)
{
    EVP_PKEY *key;

    memset(out, 0, sizeof *out);
    out->file = from->file;
    str_copy(out->why, sizeof out->why, slot->why);
    out->usable = slot->ctx;
    if (!slot->ctx)
        return;
    key = X509_get0_pubkey(slot->leaf);
    names_of(slot->leaf, out->names, sizeof out->names);
    issuer_of(slot->leaf, out->issuer, sizeof out->issuer);
    snprintf(out->kind, sizeof out->kind, "%.16s %d", EVP_PKEY_get0_type_name(key), EVP_PKEY_get_bits(key));
    out->from = seconds_of(X509_get0_notBefore(slot->leaf));
    out->until = seconds_of(X509_get0_notAfter(slot->leaf));
    if (slot->key_is_open && !out->why[0])
        snprintf(out->why, sizeof out->why, "%.150s: every user of this machine can read the key (chmod 600)",
                 from->key ? from->key : from->file);
}

void edge_tls_state(const struct edge_tls *tls, struct edge_tls_state *out)
{
    const struct tls_set *set = tls->set;

    *out = tls->counts;
    out->count = tls->count;
    out->loaded_us = tls->loaded_us;
    str_copy(out->why, sizeof out->why, set->clients_why[0] ? set->clients_why : set->servers_why);
    for (unsigned i = 0; i < tls->count; i++)
        fill(&set->slots[i], &tls->certificates[i], &out->certificates[i]);
}

void edge_tls_failed(struct edge_tls *tls, const union addr *peer, const char *why)
{
    char ip[ADDR_TEXT];

    tls->counts.failed++;
    tls->counts.last_failure_us = loop_wall_us(tls->loop);
    snprintf(tls->counts.last_failure, sizeof tls->counts.last_failure, "%s: %s", addr_ip_text(peer, ip), why);
}

/* --- reading them anew --- */

static void warn_of_expiry(struct edge_tls *tls)
{
    int64_t now = (int64_t)(loop_wall_us(tls->loop) / 1000000);

    tls->warn_us = loop_now_us(tls->loop) + DAY_US;
    for (unsigned i = 0; i < tls->count; i++) {
        struct edge_certificate_state state;

        fill(&tls->set->slots[i], &tls->certificates[i], &state);
        if (!state.usable)
            continue;
        if (state.until <= now)
            log_warn("edge: the certificate in %s has expired: phones that look at it do not connect any more",
                     state.file);
        else if (state.until - now < EDGE_EXPIRY_DAYS * DAY_S)
            log_warn("edge: the certificate in %s expires in %lld days", state.file,
                     (long long)((state.until - now) / DAY_S));
    }
}

static void use(struct edge_tls *tls, struct tls_set *set)
{
    struct tls_set *old = tls->set;
    const char *problem = tls_set_problem(tls, set);

    tls_set_arm(tls, set, old);
    tls->set = set;
    tls->print_before = set->print;
    tls->loaded_us = loop_wall_us(tls->loop);
    tls_set_free(old);
    if (problem)
        log_error("edge: %s%s", problem,
                  old                    ? ". What was in force before stays"
                  : edge_tls_usable(tls) ? ""
                                         : "; TLS does not work until it is right");
    else
        log_info("edge: %u certificate%s read%s", tls->count, tls->count == 1 ? "" : "s", old ? " anew" : "");
    warn_of_expiry(tls);
}

static void look(void *arg);

static void wait_for_change(struct edge_tls *tls)
{
    loop_timer_start(tls->loop, &tls->watch, tls->watch_ms, look, tls);
}

/* Worker. A file that changed is read when it has stayed the same for one look: whoever writes two files is done then.
 */
static void look_work(void *arg)
{
    struct edge_tls *tls = arg;

    tls->print = tls_files_print(tls);
    if (tls->forced || (tls->print != tls->set->print && tls->print == tls->print_before))
        tls->fresh = tls_set_read(tls);
}

static void free_all(struct edge_tls *tls)
{
    for (unsigned i = 0; i < tls->count; i++) {
        free(tls->certificates[i].file);
        free(tls->certificates[i].key);
    }
    tls_set_free(tls->fresh);
    tls_set_free(tls->set);
    BIO_meth_free(tls->bytes);
    free(tls->client_ca);
    free(tls->server_ca);
    free(tls);
}

/* Whoever ordered it is told. */
static void tell_done(struct edge_tls *tls, bool good)
{
    void (*done)(void *, bool) = tls->done;

    tls->done = NULL;
    if (done)
        done(tls->done_arg, good);
}

static void looked(void *arg)
{
    struct edge_tls *tls = arg;
    bool forced = tls->forced;

    tls->busy = tls->forced = false;
    if (tls->closed) {
        free_all(tls);
        return;
    }
    tls->print_before = tls->print;
    if (tls->fresh) {
        use(tls, tls->fresh);
        tls->fresh = NULL;
    } else if (loop_now_us(tls->loop) >= tls->warn_us) {
        warn_of_expiry(tls);
    }
    if (tls->done && !forced) { /* the order came while this look was under way */
        tls->forced = true;
        look(tls);
        return;
    }
    wait_for_change(tls);
    tell_done(tls, !tls_set_problem(tls, tls->set));
}

static void look(void *arg)
{
    struct edge_tls *tls = arg;

    tls->busy = true;
    loop_work(tls->loop, FILE_LANE, look_work, looked, tls);
}

int edge_tls_load(struct edge_tls *tls, void (*done)(void *arg, bool good), void *arg)
{
    if (tls->done)
        return -EBUSY;
    tls->done = done;
    tls->done_arg = arg;
    if (tls->busy)
        return 0;
    loop_timer_stop(tls->loop, &tls->watch);
    tls->forced = true;
    look(tls);
    return 0;
}

/* --- the beginning and the end --- */

bool edge_tls_usable(const struct edge_tls *tls)
{
    for (unsigned i = 0; i < tls->count; i++)
        if (tls->set->slots[i].ctx)
            return true;
    return false;
}

static struct edge_tls *new_tls(const struct edge_tls_config *config)
{
    struct edge_tls *tls = mem_new(sizeof *tls);

    tls->count = config->count < EDGE_CERTIFICATES_MAX ? config->count : EDGE_CERTIFICATES_MAX;
    for (unsigned i = 0; i < tls->count; i++) {
        tls->certificates[i].file = str_dup(config->certificates[i].file);
        tls->certificates[i].key = config->certificates[i].key ? str_dup(config->certificates[i].key) : NULL;
    }
    tls->clients = config->clients;
    tls->verify_servers = config->verify_servers;
    tls->client_ca = config->client_ca ? str_dup(config->client_ca) : NULL;
    tls->server_ca = config->server_ca ? str_dup(config->server_ca) : NULL;
    tls->watch_ms = config->watch_ms ? config->watch_ms : WATCH_MS;
    return tls;
}

struct edge_tls *edge_tls_open(struct loop *loop, const struct edge_tls_config *config)
{
    struct edge_tls *tls = new_tls(config);

    tls->loop = loop;
    tls->bytes = edge_tls_bytes();
    use(tls, tls_set_read(tls));
    wait_for_change(tls);
    return tls;
}

int edge_tls_check(const struct edge_tls_config *config, char *why, size_t why_size)
{
    struct edge_tls *tls = new_tls(config);
    const char *problem;
    int result = 0;

    tls->set = tls_set_read(tls);
    problem = tls_set_problem(tls, tls->set);
    if (problem) {
        str_copy(why, why_size, problem);
        result = -EINVAL;
    }
    free_all(tls);
    return result;
}

void edge_tls_free(struct edge_tls *tls)
{
    if (!tls)
        return;
    loop_timer_stop(tls->loop, &tls->watch);
    tell_done(tls, false);
    if (tls->busy)
        tls->closed = true; /* a worker has it */
    else
        free_all(tls);
}
