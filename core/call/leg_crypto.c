/* What encryption of its media a leg offers and takes: by its account's policy, and only in signalling that nobody can
 * read. Its keys are its own: they never go to another leg. Signalling thread. Knows no SDP and no SRTP. */
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

static enum crypto_want want_of(const struct leg *leg)
{
    enum srtp_mode mode = mode_of(leg);

    if (mode == SRTP_REQUIRED)
        return CRYPTO_MUST;
    if (leg->srtp[0] != SUITE_NONE) /* what is encrypted stays so, whatever is configured meanwhile */
        return CRYPTO_MAY;
    return mode == SRTP_OPTIONAL && keys_may_travel(leg) ? CRYPTO_MAY : CRYPTO_NEVER;
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
    enum crypto_want want = want_of(leg);
    char wrong[96];

    if (want == CRYPTO_MUST && !keys_may_travel(leg)) {
        snprintf(why, why_size, "no common encryption: %s", leg_crypto_no_tls);
        return -EACCES;
    }
    if (crypto_admit(offer, want, wrong, sizeof wrong) == 0)
        return 0;
    if (want != CRYPTO_NEVER)
        snprintf(why, why_size, "no common encryption: %s", wrong);
    else if (mode_of(leg) == SRTP_OFF)
        snprintf(why, why_size, "no common encryption: the phone wants encrypted audio, and srtp is off for it");
    else
        snprintf(why, why_size,
                 "no common encryption: the phone wants encrypted audio, but its signalling is not encrypted (TLS)");
    return -EACCES;
}

int leg_crypto_fill(struct leg *leg, struct media_desc *desc, const struct media_desc *answered)
{
    enum crypto_want want = want_of(leg);

    if (want == CRYPTO_MUST && !keys_may_travel(leg))
        return -EACCES;
    if (want == CRYPTO_NEVER && !leg->keys)
        return 0;
    if (answered)
        crypto_answer(desc, answered, leg->local, want, keys_of(leg));
    else
        crypto_offer(desc, leg->local, want, keys_of(leg));
    return 0;
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
        now = local->crypto_count ? (enum suite)local->crypto[0].key.suite : SUITE_NONE;
        if (before != SUITE_NONE && before != now) /* taken up again, it would count its packets from the start */
            random_bytes(leg->keys->of[video][before], SUITE_KEY_MAX);
        leg->srtp[video] = now;
    }
}
