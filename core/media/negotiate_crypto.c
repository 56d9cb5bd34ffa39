/* Which keys a leg offers, takes and uses. Any thread; pure functions over stream descriptions; knows neither SDP text
 * nor accounts. */
#include "media/negotiate_crypto.h"

#include <stdio.h>
#include <strings.h>

/* "RTP/SAVP", but not "UDP/TLS/RTP/SAVP": that takes its keys from DTLS. */
bool crypto_proto_is_secure(const char *proto)
{
    return strcasecmp(proto, "RTP/SAVP") == 0 || strcasecmp(proto, "RTP/SAVPF") == 0;
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

/* Why this leg cannot take the stream; NULL: it can. */
static const char *objection(const struct stream_desc *stream, enum crypto_want want)
{
    bool secure = crypto_proto_is_secure(stream->proto);

    if (want == CRYPTO_NEVER)
        return secure ? "the phone wants encrypted audio only, and it is not allowed here" : NULL;
    if (stream->crypto_count || (!secure && want == CRYPTO_MAY))
        return NULL;
    return stream->crypto_fault ? stream->crypto_fault
           : secure             ? "the phone wants encrypted audio, but offers no key for it"
                                : "encrypted audio is required, and the phone offers none";
}

int crypto_admit(struct media_desc *offer, enum crypto_want want, char *why, size_t why_size)
{
    const char *wrong = NULL;
    bool any = false, keyed = false;

    for (unsigned i = 0; i < offer->count; i++) {
        struct stream_desc *stream = &offer->streams[i];
        const char *fault;

        if (!is_rtp(stream))
            continue;
        if (want == CRYPTO_NEVER)
            desc_set_crypto(stream, NULL, 0);
        fault = objection(stream, want);
        stream->refused = fault != NULL;
        if (stream->kind != STREAM_AUDIO)
            continue;
        any |= !fault;
        keyed |= !fault && stream->crypto_count;
        if (fault && !wrong)
            wrong = fault;
    }
    for (unsigned i = 0; keyed && i < offer->count; i++)
        if (is_rtp(&offer->streams[i]) && offer->streams[i].kind == STREAM_AUDIO && !offer->streams[i].crypto_count)
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

void crypto_offer(struct media_desc *offer, const struct media_desc *before, enum crypto_want want,
                  const struct crypto_keys *keys)
{
    for (unsigned i = 0; i < offer->count; i++) {
        struct stream_desc *stream = &offer->streams[i];
        const struct stream_desc *said = same_place(before, i);
        struct crypto lines[SUITE_COUNT];
        unsigned count = 0;

        if (!is_rtp(stream))
            continue;
        if (said && said->kind == stream->kind && is_rtp(said)) {
            str_copy(stream->proto, sizeof stream->proto, said->proto);
            for (; count < said->crypto_count && count < SUITE_COUNT; count++)
                lines[count] = said->crypto[count];
        } else if (want != CRYPTO_NEVER) {
            str_copy(stream->proto, sizeof stream->proto, want == CRYPTO_MUST ? "RTP/SAVP" : "RTP/AVP");
            for (unsigned suite = SUITE_NONE + 1; suite < SUITE_COUNT; suite++, count++)
                lines[count] = our_key(keys, stream->kind, suite, count + 1);
        }
        stream->must_encrypt = want == CRYPTO_MUST;
        desc_set_crypto(stream, lines, count);
        explicit_bzero(lines, sizeof lines);
    }
}

bool crypto_insist(struct media_desc *offer)
{
    bool changed = false;

    for (unsigned i = 0; i < offer->count; i++) {
        struct stream_desc *stream = &offer->streams[i];

        if (!is_rtp(stream) || !stream->crypto_count || crypto_proto_is_secure(stream->proto))
            continue;
        str_copy(stream->proto, sizeof stream->proto, "RTP/SAVP");
        changed = true;
    }
    return changed;
}

void crypto_answer(struct media_desc *answer, const struct media_desc *offer, const struct media_desc *before,
                   enum crypto_want want, const struct crypto_keys *keys)
{
    for (unsigned i = 0; i < answer->count && i < offer->count; i++) {
        struct stream_desc *stream = &answer->streams[i];
        const struct stream_desc *theirs = &offer->streams[i], *said = same_place(before, i);
        const struct crypto *taken = NULL;
        struct crypto line;

        stream->must_encrypt = want == CRYPTO_MUST;
        if (!is_rtp(stream) || !theirs->crypto_count) {
            desc_set_crypto(stream, NULL, 0);
            continue;
        }
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
}

/* --- what is agreed ----------------------------------------------------------------------------------------------- */

const char *crypto_check_answer(const struct stream_desc *offer, const struct stream_desc *answer)
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

void crypto_agree(struct stream_desc *local, struct stream_desc *remote)
{
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
