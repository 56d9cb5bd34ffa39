/* What encryption of its media a leg offers and takes: by its account's policy, and keys only in signalling that nobody
 * can read. Its keys are its own: they never go to another leg. Signalling thread. Knows no SDP and no SRTP. */
#include <stdio.h>
#include <stdlib.h>

#include "base/id.h"
#include "call/call-priv.h"

const char leg_crypto_no_tls[] =
    "encrypted audio is required (srtp), but this phone's signalling is not encrypted (TLS)";

static enum srtp_mode mode_of(const struct leg *leg)
{
    const struct db *db = leg->pbx->db;

    return srtp_mode_resolve(db ? db_snapshot(db) : NULL, leg->account ? leg->account->srtp : SRTP_AS_SWITCH);
}

static bool keys_may_travel(const struct leg *leg)
{
    return leg->secure_flow || (leg->account && leg->account->srtp_without_tls);
}

static enum crypto_want want_of(const struct leg *leg, enum srtp_mode mode)
{
    if (mode == SRTP_REQUIRED)
        return CRYPTO_MUST;
    /* What is encrypted stays so, whatever is configured meanwhile. */
    return mode == SRTP_OPTIONAL || leg->srtp[0] != SUITE_NONE || leg->dtls[0] ? CRYPTO_MAY : CRYPTO_NEVER;
}

static struct crypto_ways ways_of(const struct leg *leg)
{
    const struct db *db = leg->pbx->db;
    const struct fingerprint *ours = leg->pbx->media ? media_fingerprint(leg->pbx->media) : NULL;
    struct crypto_ways ways = {.want = want_of(leg, mode_of(leg)),
                               .in_sdp = keys_may_travel(leg) || (leg->srtp[0] != SUITE_NONE && !leg->dtls[0])};

    ways.offer_dtls = srtp_keys_resolve(db ? db_snapshot(db) : NULL,
                                        leg->account ? leg->account->srtp_keys : SRTP_KEYS_AS_SWITCH) == SRTP_KEYS_DTLS;
    if (ours)
        ways.ours = *ours;
    return ways;
}

static const struct crypto_keys *keys_of(struct leg *leg)
{
    if (!leg->keys) {
        leg->keys = mem_new(sizeof *leg->keys);
        random_bytes(leg->keys, sizeof *leg->keys);
    }
    return leg->keys;
}

int leg_crypto_admit(struct leg *leg, struct media_desc *offer, char *why, size_t why_size)
{
    const struct crypto_ways ways = ways_of(leg);
    char wrong[96];

    if (crypto_admit(offer, &ways, wrong, sizeof wrong) == 0)
        return 0;
    if (ways.want == CRYPTO_MUST && !ways.in_sdp)
        snprintf(why, why_size, "no common encryption: %s", leg_crypto_no_tls);
    else if (ways.want == CRYPTO_NEVER)
        snprintf(why, why_size, "no common encryption: the phone wants encrypted audio, and srtp is off for it");
    else
        snprintf(why, why_size, "no common encryption: %s", wrong);
    return -EACCES;
}

/* Has what is offered for the first time the keys that it must have? */
static bool lacks_keys(const struct leg *leg, const struct media_desc *offer)
{
    for (unsigned i = 0; i < offer->count && !leg->local; i++)
        if (offer->streams[i].must_encrypt && !offer->streams[i].refused && !crypto_has_keys(&offer->streams[i]))
            return true;
    return false;
}

int leg_crypto_fill(struct leg *leg, struct media_desc *desc, const struct media_desc *answered)
{
    const struct crypto_ways ways = ways_of(leg);
    const struct crypto_keys *keys = ways.in_sdp ? keys_of(leg) : leg->keys;

    if (ways.want == CRYPTO_NEVER && !keys)
        return 0;
    if (answered)
        crypto_answer(desc, answered, leg->local, &ways, keys);
    else
        crypto_offer(desc, leg->local, &ways, keys);
    return !answered && lacks_keys(leg, desc) ? -EACCES : 0;
}

/* The suite that it has now; with DTLS, that becomes known later. */
static enum suite suite_in_force(const struct leg *leg, const struct stream_desc *local, bool video)
{
    if (local->dtls.print.hash)
        return leg->dtls[video] ? leg->srtp[video] : SUITE_NONE;
    return local->crypto_count ? (enum suite)local->crypto[0].key.suite : SUITE_NONE;
}

void leg_crypto_agree(struct leg *leg)
{
    for (unsigned i = 0; i < leg->local->count && i < leg->remote->count; i++) {
        struct stream_desc *local = &leg->local->streams[i], *remote = &leg->remote->streams[i];
        bool video = local->kind == STREAM_VIDEO;
        enum suite before, now;

        if (local->refused || remote->refused || (!video && local->kind != STREAM_AUDIO))
            continue;
        crypto_agree(local, remote);
        before = leg->srtp[video];
        now = suite_in_force(leg, local, video);
        if (before != SUITE_NONE && before != now &&
            leg->keys) /* taken up again, it would count its packets from the start */
            random_bytes(leg->keys->of[video][before], SUITE_KEY_MAX);
        leg->srtp[video] = now;
        leg->dtls[video] = local->dtls.print.hash;
    }
}

/* --- DTLS --------------------------------------------------------------------------------------------------------- */

static const char *fault_words(enum dtls_fault fault)
{
    switch (fault) {
    case DTLS_FAULT_SILENCE:
        return "it sent nothing of a DTLS handshake";
    case DTLS_FAULT_TIMEOUT:
        return "its DTLS handshake began, but was not finished";
    case DTLS_FAULT_CERTIFICATE:
        return "its certificate is not the one that its signalling announced (fingerprint)";
    case DTLS_FAULT_NO_SUITE:
        return "it has no cipher for SRTP in common with the switch";
    default:
        return "the DTLS handshake was refused";
    }
}

void leg_crypto_news(struct leg *leg, const struct media_event *event)
{
    bool video = event->port == leg->ports[1];
    char words[200];

    if (!leg_is_alive(leg) || !leg->dtls[video])
        return;
    if (event->kind == MEDIA_KEYED)
        leg->srtp[video] = event->suite < SUITE_COUNT ? event->suite : SUITE_NONE;
    if (video)
        return;
    if (event->kind == MEDIA_KEYED)
        snprintf(words, sizeof words, "audio of %.40s is encrypted with %s", leg->number, leg_encryption(leg));
    else
        snprintf(words, sizeof words, "audio of %.40s has no keys: %s", leg->number, fault_words(event->fault));
    leg_publish(leg, event->kind == MEDIA_KEYED ? EVENT_LEG_KEYED : EVENT_LEG_KEYLESS, words);
}

const char *leg_encryption(const struct leg *leg)
{
    static const char *const by_dtls[SUITE_COUNT] = {
        [SUITE_NONE] = "no keys (DTLS)",
        [SUITE_AEAD_AES_128_GCM] = "AEAD_AES_128_GCM (DTLS)",
        [SUITE_AEAD_AES_256_GCM] = "AEAD_AES_256_GCM (DTLS)",
        [SUITE_AES_CM_128_HMAC_SHA1_80] = "AES_CM_128_HMAC_SHA1_80 (DTLS)",
        [SUITE_AES_CM_128_HMAC_SHA1_32] = "AES_CM_128_HMAC_SHA1_32 (DTLS)",
    };

    if (leg->dtls[0])
        return by_dtls[leg->srtp[0]];
    return leg->srtp[0] ? suite_name(leg->srtp[0]) : NULL;
}
