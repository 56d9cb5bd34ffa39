/* Which keys a leg offers, takes and uses. Any thread; pure functions over stream descriptions; knows neither SDP text
 * nor accounts. */
#include "media/negotiate_crypto.h"

#include <stdio.h>
#include <strings.h>

#define DTLS_PREFIX "UDP/TLS/"

bool crypto_proto_is_dtls(const char *proto)
{
    return strcasecmp(proto, DTLS_PREFIX "RTP/SAVP") == 0 || strcasecmp(proto, DTLS_PREFIX "RTP/SAVPF") == 0;
}

bool crypto_proto_is_secure(const char *proto)
{
    return strcasecmp(proto, "RTP/SAVP") == 0 || strcasecmp(proto, "RTP/SAVPF") == 0 || crypto_proto_is_dtls(proto);
}

static bool is_plain(const char *proto)
{
    return strcasecmp(proto, "RTP/AVP") == 0 || strcasecmp(proto, "RTP/AVPF") == 0;
}

static bool is_rtp(const struct stream_desc *stream)
{
    return !stream->refused && (stream->kind == STREAM_AUDIO || stream->kind == STREAM_VIDEO) &&
           (is_plain(stream->proto) || crypto_proto_is_secure(stream->proto));
}

static const struct crypto *by_suite(const struct stream_desc *stream, unsigned suite)
{
    for (unsigned i = 0; i < stream->crypto_count; i++)
        if (stream->crypto[i].key.suite == suite)
            return &stream->crypto[i];
    return NULL;
}

static const struct crypto *by_tag(const struct stream_desc *stream, uint32_t tag)
{
    for (unsigned i = 0; i < stream->crypto_count; i++)
        if (stream->crypto[i].tag == tag)
            return &stream->crypto[i];
    return NULL;
}

static struct crypto our_key(const struct crypto_keys *keys, enum stream_kind kind, unsigned suite, uint32_t tag)
{
    struct crypto crypto = {.tag = tag, .key.suite = (uint8_t)suite};

    memcpy(crypto.key.key, keys->of[kind == STREAM_VIDEO][suite], suite_key_len((enum suite)suite));
    return crypto;
}

/* --- their offer -------------------------------------------------------------------------------------------------- */

static void drop_dtls(struct stream_desc *stream)
{
    stream->dtls = (struct dtls_side){.setup = SETUP_NONE};
}

/* Of what it offers, the one way that this leg can go. True: keys were dropped, because anybody can read them. */
static bool choose_way(struct stream_desc *stream, const struct crypto_ways *ways)
{
    bool dtls = crypto_proto_is_dtls(stream->proto);
    bool readable = stream->crypto_count && !dtls && !ways->in_sdp;

    if (ways->want == CRYPTO_NEVER || dtls || !ways->in_sdp)
        desc_set_crypto(stream, NULL, 0);
    /* Beside plain RTP, a fingerprint is for nobody (RFC 5763 §5); with keys beside it, they are the simpler way. */
    if (ways->want == CRYPTO_NEVER || !ways->ours.hash || stream->crypto_count ||
        !crypto_proto_is_secure(stream->proto))
        drop_dtls(stream);
    return readable;
}

/* Why this leg cannot take the stream; NULL: it can. */
static const char *objection(const struct stream_desc *stream, enum crypto_want want, bool readable)
{
    bool secure = crypto_proto_is_secure(stream->proto);

    if (want == CRYPTO_NEVER)
        return secure ? "the phone wants encrypted audio only, and it is not allowed here" : NULL;
    if (crypto_has_keys(stream) || (!secure && want == CRYPTO_MAY))
        return NULL;
    return readable               ? "the phone wants encrypted audio, but its signalling is not encrypted (TLS)"
           : stream->crypto_fault ? stream->crypto_fault
           : !secure              ? "encrypted audio is required, and the phone offers none"
           : crypto_proto_is_dtls(stream->proto)
               ? "the phone wants encrypted audio with keys by DTLS, but shows no fingerprint for it"
               : "the phone wants encrypted audio, but offers no key for it";
}

int crypto_admit(struct media_desc *offer, const struct crypto_ways *ways, char *why, size_t why_size)
{
    const char *wrong = NULL;
    bool any = false, keyed = false;

    for (unsigned i = 0; i < offer->count; i++) {
        struct stream_desc *stream = &offer->streams[i];
        const char *fault;

        if (!is_rtp(stream))
            continue;
        fault = objection(stream, ways->want, choose_way(stream, ways));
        stream->refused = fault != NULL;
        if (stream->kind != STREAM_AUDIO)
            continue;
        any |= !fault;
        keyed |= !fault && crypto_has_keys(stream);
        if (fault && !wrong)
            wrong = fault;
    }
    for (unsigned i = 0; keyed && i < offer->count; i++)
        if (is_rtp(&offer->streams[i]) && offer->streams[i].kind == STREAM_AUDIO &&
            !crypto_has_keys(&offer->streams[i]))
            offer->streams[i].refused = true;
    if (any || !wrong)
        return 0;
    if (strncmp(wrong, "it ", 3) == 0 || strncmp(wrong, "its ", 4) == 0)
        snprintf(why, why_size, "the phone's offer of a key cannot be used: %s", wrong);
    else
        snprintf(why, why_size, "%s", wrong);
    return -EACCES;
}

/* --- what we say -------------------------------------------------------------------------------------------------- */

static const struct stream_desc *same_place(const struct media_desc *desc, unsigned i)
{
    return desc && i < desc->count && !desc->streams[i].refused ? &desc->streams[i] : NULL;
}

/* As it is agreed already; the part in DTLS is anybody's again (RFC 8842 §5.2). */
static void offer_again(struct stream_desc *stream, const struct stream_desc *said, const struct crypto_ways *ways)
{
    str_copy(stream->proto, sizeof stream->proto, said->proto);
    desc_set_crypto(stream, said->crypto, said->crypto_count);
    if (!said->dtls.print.hash)
        return;
    stream->dtls = (struct dtls_side){.print = ways->ours, .setup = SETUP_ACTPASS};
    stream->rtcp_mux = said->rtcp_mux;
}

static void offer_first(struct stream_desc *stream, const struct crypto_ways *ways, const struct crypto_keys *keys)
{
    struct crypto lines[SUITE_COUNT];
    unsigned count = 0;

    desc_set_crypto(stream, NULL, 0);
    if (ways->want == CRYPTO_NEVER)
        return;
    if (ways->offer_dtls && ways->ours.hash) {
        str_copy(stream->proto, sizeof stream->proto, DTLS_PREFIX "RTP/SAVP");
        stream->dtls = (struct dtls_side){.print = ways->ours, .setup = SETUP_ACTPASS};
        stream->rtcp_mux = true; /* else there are two handshakes (RFC 5764 §5.1.2) */
    } else if (ways->in_sdp) {
        str_copy(stream->proto, sizeof stream->proto, ways->want == CRYPTO_MUST ? "RTP/SAVP" : "RTP/AVP");
        for (unsigned suite = SUITE_NONE + 1; suite < SUITE_COUNT; suite++, count++)
            lines[count] = our_key(keys, stream->kind, suite, count + 1);
        desc_set_crypto(stream, lines, count);
        explicit_bzero(lines, sizeof lines);
    }
}

void crypto_offer(struct media_desc *offer, const struct media_desc *before, const struct crypto_ways *ways,
                  const struct crypto_keys *keys)
{
    for (unsigned i = 0; i < offer->count; i++) {
        struct stream_desc *stream = &offer->streams[i];
        const struct stream_desc *said = same_place(before, i);

        if (!is_rtp(stream))
            continue;
        stream->must_encrypt = ways->want == CRYPTO_MUST;
        if (said && said->kind == stream->kind && is_rtp(said))
            offer_again(stream, said, ways);
        else
            offer_first(stream, ways, keys);
    }
}

bool crypto_offer_otherwise(struct media_desc *offer)
{
    bool changed = false;

    for (unsigned i = 0; i < offer->count; i++) {
        struct stream_desc *stream = &offer->streams[i];

        if (!is_rtp(stream) || stream->must_encrypt)
            continue;
        if (stream->dtls.print.hash) {
            drop_dtls(stream);
            stream->rtcp_mux = false;
            str_copy(stream->proto, sizeof stream->proto, "RTP/AVP");
            changed = true;
        } else if (stream->crypto_count && !crypto_proto_is_secure(stream->proto)) {
            str_copy(stream->proto, sizeof stream->proto, "RTP/SAVP");
            changed = true;
        }
    }
    return changed;
}

/* Who has begun a handshake before begins the next one too, if it can be had (RFC 8842 §5.3). */
static void answer_dtls(struct stream_desc *stream, const struct stream_desc *theirs, const struct stream_desc *said,
                        const struct crypto_ways *ways)
{
    bool active = theirs->dtls.setup == SETUP_PASSIVE ||
                  (theirs->dtls.setup == SETUP_ACTPASS && said && said->dtls.setup == SETUP_ACTIVE);

    desc_set_crypto(stream, NULL, 0);
    stream->dtls = (struct dtls_side){.print = ways->ours, .setup = active ? SETUP_ACTIVE : SETUP_PASSIVE};
    stream->rtcp_mux = theirs->rtcp_mux;
}

static void answer_crypto(struct stream_desc *stream, const struct stream_desc *theirs, const struct stream_desc *said,
                          const struct crypto_keys *keys)
{
    const struct crypto *taken = NULL;
    struct crypto line;

    for (unsigned k = 0; said && !taken && k < said->crypto_count; k++) {
        taken = by_suite(theirs, said->crypto[k].key.suite);
        line = said->crypto[k];
    }
    if (!taken) {
        taken = &theirs->crypto[0];
        line = our_key(keys, stream->kind, taken->key.suite, taken->tag);
    }
    line.tag = taken->tag;
    desc_set_crypto(stream, &line, 1);
    explicit_bzero(&line, sizeof line);
}

void crypto_answer(struct media_desc *answer, const struct media_desc *offer, const struct media_desc *before,
                   const struct crypto_ways *ways, const struct crypto_keys *keys)
{
    for (unsigned i = 0; i < answer->count && i < offer->count; i++) {
        struct stream_desc *stream = &answer->streams[i];
        const struct stream_desc *theirs = &offer->streams[i], *said = same_place(before, i);

        stream->must_encrypt = ways->want == CRYPTO_MUST;
        if (is_rtp(stream) && theirs->dtls.print.hash)
            answer_dtls(stream, theirs, said, ways);
        else if (is_rtp(stream) && theirs->crypto_count)
            answer_crypto(stream, theirs, said, keys);
        else
            desc_set_crypto(stream, NULL, 0);
    }
}

/* --- what is agreed ----------------------------------------------------------------------------------------------- */

static const char *check_keys(const struct stream_desc *offer, const struct stream_desc *answer)
{
    const struct crypto *chosen = answer->crypto_count ? by_tag(offer, answer->crypto[0].tag) : NULL;

    if (answer->crypto_count)
        return chosen && chosen->key.suite == answer->crypto[0].key.suite
                   ? NULL
                   : "is encrypted in the answer with a key that does not belong to any that was offered";
    if (offer->must_encrypt || crypto_proto_is_secure(offer->proto) || crypto_proto_is_secure(answer->proto))
        return "was to be encrypted, but the answer has no usable key";
    return NULL;
}

const char *crypto_check_answer(const struct stream_desc *offer, const struct stream_desc *answer)
{
    if (!offer->dtls.print.hash)
        return check_keys(offer, answer);
    if (!crypto_proto_is_secure(answer->proto) || !answer->dtls.print.hash)
        return "was to be encrypted with keys by DTLS, but the answer has no usable fingerprint";
    return NULL;
}

/* Who answers says its part, and "passive" when it says nothing (RFC 4145 §4); an offer leaves it open, and then the
 * answer, which was ours, has said it. */
static void agree_dtls(struct stream_desc *local, struct stream_desc *remote)
{
    if (local->dtls.setup == SETUP_ACTPASS)
        local->dtls.setup =
            remote->dtls.setup == SETUP_PASSIVE || remote->dtls.setup == SETUP_NONE ? SETUP_ACTIVE : SETUP_PASSIVE;
    desc_set_crypto(local, NULL, 0);
    desc_set_crypto(remote, NULL, 0);
}

void crypto_agree(struct stream_desc *local, struct stream_desc *remote)
{
    if (local->dtls.print.hash && remote->dtls.print.hash) {
        agree_dtls(local, remote);
        return;
    }
    drop_dtls(local);
    drop_dtls(remote);
    for (unsigned i = 0; i < local->crypto_count; i++) {
        const struct crypto *theirs = by_tag(remote, local->crypto[i].tag);

        if (!theirs || theirs->key.suite != local->crypto[i].key.suite)
            continue;
        desc_set_crypto(local, &local->crypto[i], 1);
        desc_set_crypto(remote, theirs, 1);
        return;
    }
    desc_set_crypto(local, NULL, 0);
    desc_set_crypto(remote, NULL, 0);
}
