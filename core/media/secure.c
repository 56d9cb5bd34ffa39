/* Protection of packets, a thin layer over libsrtp2: which keys, and how many sources. Media threads; knows no ports.
 */
#include "media/secure.h"

#include <arpa/inet.h>
#include <srtp2/srtp.h>

#include "base/id.h"
#include "base/log.h"
#include "media/secure_ciphers.h"

#define WINDOW 1024 /* packets back that a late one is still told from a repeated one */
#define RTP_HEAD 12
#define RTCP_HEAD 8

_Static_assert(SECURE_OVERHEAD >= SRTP_MAX_TRAILER_LEN + 4, "libsrtp2 writes behind the packet");

/* --- keys --------------------------------------------------------------------------------------------------------- */

static void suite_policy(enum suite suite, srtp_policy_t *policy)
{
    switch (suite) {
    case SUITE_AEAD_AES_128_GCM:
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy->rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy->rtcp);
        break;
    case SUITE_AEAD_AES_256_GCM:
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy->rtp);
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy->rtcp);
        break;
    case SUITE_AES_CM_128_HMAC_SHA1_32: /* SRTCP keeps the long tag (RFC 4568 §6.2.2) */
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&policy->rtp);
        srtp_crypto_policy_set_rtcp_default(&policy->rtcp);
        break;
    default:
        srtp_crypto_policy_set_rtp_default(&policy->rtp);
        srtp_crypto_policy_set_rtcp_default(&policy->rtcp);
    }
}

static int make(struct secure *way)
{
    uint8_t key[SUITE_KEY_MAX], mki[MKI_MAX];
    srtp_master_key_t master = {.key = key, .mki_id = mki, .mki_size = way->key.mki_len};
    srtp_master_key_t *masters[] = {&master};
    srtp_policy_t policy = {.window_size = WINDOW};
    int err;

    memcpy(key, way->key.key, sizeof key);
    for (unsigned i = 0; i < way->key.mki_len; i++)
        mki[i] = (uint8_t)(way->key.mki >> 8 * (way->key.mki_len - 1u - i));
    suite_policy((enum suite)way->key.suite, &policy);
    policy.ssrc.type = way->inbound ? ssrc_any_inbound : ssrc_any_outbound;
    if (way->key.mki_len) {
        policy.keys = masters;
        policy.num_master_keys = 1;
    } else {
        policy.key = key;
    }
    err = srtp_create(&way->ctx, &policy) == srtp_err_status_ok ? 0 : -EINVAL;
    if (err < 0)
        way->ctx = NULL;
    explicit_bzero(key, sizeof key);
    return err;
}

static void forget_before(struct secure *way)
{
    if (way->before.ctx)
        srtp_dealloc(way->before.ctx);
    way->before.ctx = NULL;
}

void secure_clear(struct secure *way)
{
    forget_before(way);
    if (way->ctx)
        srtp_dealloc(way->ctx);
    explicit_bzero(way, sizeof *way);
}

/* Its present key becomes the one before. */
static void retire(struct secure *way)
{
    struct srtp_ctx_t_ *ctx = way->ctx;
    bool mki = way->key.mki_len > 0;

    way->ctx = NULL;
    secure_clear(way);
    way->before.ctx = ctx;
    way->before.mki = mki;
    way->before.left = SECURE_GRACE;
}

int secure_set(struct secure *way, const struct srtp_key *key, bool inbound)
{
    if (srtp_key_same(&way->key, key))
        return way->ctx || key->suite == SUITE_NONE ? 0 : -EINVAL;
    if (inbound && way->ctx && key->suite != SUITE_NONE)
        retire(way);
    else
        secure_clear(way);
    if (key->suite == SUITE_NONE)
        return 0;
    way->key = *key;
    way->inbound = inbound;
    if (key->suite >= SUITE_COUNT || key->mki_len > MKI_MAX)
        return -EINVAL;
    return make(way);
}

/* --- sources ------------------------------------------------------------------------------------------------------ */

static uint32_t word(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool is_known(struct secure *way, uint32_t ssrc)
{
    if (way->ssrc_count && way->ssrcs[way->ssrc_last] == ssrc)
        return true;
    for (unsigned i = 0; i < way->ssrc_count; i++)
        if (way->ssrcs[i] == ssrc) {
            way->ssrc_last = i;
            return true;
        }
    return false;
}

/* The library keeps a state for each SSRC and would do so without end. */
static void note_source(struct secure *way, uint32_t ssrc)
{
    unsigned at = way->ssrc_next;

    if (is_known(way, ssrc))
        return;
    if (way->ssrc_count == SECURE_SSRCS)
        srtp_remove_stream(way->ctx, htonl(way->ssrcs[at])); /* as it stands in packets */
    else
        way->ssrc_count++;
    way->ssrcs[at] = ssrc;
    way->ssrc_last = at;
    way->ssrc_next = (at + 1) % SECURE_SSRCS;
}

/* --- packets ------------------------------------------------------------------------------------------------------ */

static bool open_under(struct srtp_ctx_t_ *ctx, bool mki, uint8_t *packet, size_t *len, bool rtcp)
{
    int length = (int)*len;
    srtp_err_status_t status =
        rtcp ? srtp_unprotect_rtcp_mki(ctx, packet, &length, mki) : srtp_unprotect_mki(ctx, packet, &length, mki);

    if (status != srtp_err_status_ok || length < 0)
        return false;
    *len = (size_t)length;
    return true;
}

/* Opening destroys what is not under the key: the old one gets a copy. */
static bool open_either(struct secure *way, uint8_t *packet, size_t *len, bool rtcp)
{
    _Alignas(8) uint8_t copy[2048];
    size_t length = *len;

    if (length > sizeof copy)
        return open_under(way->ctx, way->key.mki_len > 0, packet, len, rtcp);
    memcpy(copy, packet, length);
    if (open_under(way->ctx, way->key.mki_len > 0, packet, len, rtcp))
        return true;
    if (!open_under(way->before.ctx, way->before.mki, copy, &length, rtcp))
        return false;
    memcpy(packet, copy, length);
    *len = length;
    return true;
}

bool secure_open(struct secure *way, uint8_t *packet, size_t *len, bool rtcp)
{
    bool gcm = way->key.suite == SUITE_AEAD_AES_128_GCM || way->key.suite == SUITE_AEAD_AES_256_GCM;
    size_t least = (rtcp ? RTCP_HEAD + 4u : RTP_HEAD) + (gcm ? 16u : 4u) + way->key.mki_len;

    if (!way->ctx || *len < least || *len > UINT16_MAX)
        return false;
    if (!way->before.ctx) {
        if (!open_under(way->ctx, way->key.mki_len > 0, packet, len, rtcp))
            return false;
    } else {
        if (!open_either(way, packet, len, rtcp))
            return false;
        if (--way->before.left == 0)
            forget_before(way);
    }
    note_source(way, word(packet + (rtcp ? 4 : 8)));
    return true;
}

bool secure_seal(struct secure *way, uint8_t *packet, size_t *len, bool rtcp)
{
    int length = (int)*len;
    srtp_err_status_t status;

    if (!way->ctx || *len < (rtcp ? RTCP_HEAD : RTP_HEAD) || *len > UINT16_MAX)
        return false;
    status = rtcp ? srtp_protect_rtcp(way->ctx, packet, &length) : srtp_protect(way->ctx, packet, &length);
    if (status != srtp_err_status_ok)
        return false;
    *len = (size_t)length;
    return true;
}

/* --- the start ---------------------------------------------------------------------------------------------------- */

/* There and back under each suite: what the library loads when it is first used, it has loaded then. */
static int try_suite(enum suite suite)
{
    struct srtp_key key = {.suite = (uint8_t)suite};
    struct secure out = {.ctx = NULL}, in = {.ctx = NULL};
    _Alignas(8) uint8_t packet[64 + SECURE_OVERHEAD] = {0x80, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5};
    _Alignas(8) uint8_t report[64 + SECURE_OVERHEAD] = {0x80, 201, 0, 1, 1, 2, 3, 4};
    size_t len = 64, report_len = 8;
    bool works = secure_set(&out, &key, false) == 0 && secure_set(&in, &key, true) == 0 &&
                 secure_seal(&out, packet, &len, false) && secure_open(&in, packet, &len, false) && len == 64 &&
                 packet[12] == 5 && secure_seal(&out, report, &report_len, true) &&
                 secure_open(&in, report, &report_len, true) && report_len == 8;

    secure_clear(&out);
    secure_clear(&in);
    return works ? 0 : -ENOTSUP;
}

int secure_setup(struct secure *anchor)
{
    const struct srtp_key key = {.suite = SUITE_AEAD_AES_128_GCM};
    int err = srtp_init() == srtp_err_status_ok ? 0 : -ENOTSUP;

    if (err == 0 && secure_ciphers_install() < 0)
        log_warn("libsrtp2 keeps ciphers of its own: encrypted audio may cost several times as much");
    if (err == 0 && secure_set(anchor, &key, true) < 0)
        err = -ENOTSUP;
    for (int suite = SUITE_NONE + 1; suite < SUITE_COUNT && err == 0; suite++) {
        err = try_suite((enum suite)suite);
    }
    if (err < 0)
        log_error("audio cannot be encrypted: libsrtp2 does not work, or lacks a suite");
    return err;
}
