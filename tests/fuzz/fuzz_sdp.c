/* Fuzzes the way of a description through a call: read, understand, negotiate, write; what was written must be read
 * again and mean the same. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "media/negotiate.h"
#include "media/negotiate_crypto.h"
#include "media/negotiate_policy.h"
#include "sip/sdp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

static void same_stream(const struct stream_desc *a, const struct stream_desc *b)
{
    must(a->kind == b->kind && strcmp(a->media, b->media) == 0 && strcmp(a->proto, b->proto) == 0, "same m-line");
    must(a->refused == b->refused && a->dir == b->dir && a->ptime == b->ptime, "same state, direction and ptime");
    must(addr_port(&a->rtp) == addr_port(&b->rtp), "same RTP port");
    must(a->rtcp_mux == b->rtcp_mux && addr_port(&a->rtcp) == addr_port(&b->rtcp), "same RTCP");
    must(a->codec_count == b->codec_count, "same number of codecs");
    for (unsigned i = 0; i < a->codec_count; i++)
        must(codec_same(&a->codecs[i], &b->codecs[i]) && a->codecs[i].pt == b->codecs[i].pt &&
                 strcmp(a->codecs[i].fmtp, b->codecs[i].fmtp) == 0,
             "same codecs");
    must(fingerprint_same(&a->dtls.print, &b->dtls.print), "same fingerprint");
    must(!a->dtls.print.hash || a->dtls.setup == b->dtls.setup, "same part in DTLS");
    must(a->crypto_count == b->crypto_count, "same number of keys");
    for (unsigned i = 0; i < a->crypto_count; i++)
        must(a->crypto[i].tag == b->crypto[i].tag && srtp_key_same(&a->crypto[i].key, &b->crypto[i].key), "same keys");
}

static struct media_desc *understand(const char *text, size_t len, bool must_work)
{
    struct media_desc *desc = NULL;
    struct sdp *sdp = NULL;
    char why[120] = "";
    int result = sdp_read(text, len, &sdp, why, sizeof why);

    must((result == 0) == (sdp != NULL), "a result or an error");
    must(result == 0 || why[0], "a refusal in words");
    if (sdp) {
        why[0] = '\0';
        result = sdp_to_desc(sdp, &desc, why, sizeof why);
        must((result == 0) == (desc != NULL), "a result or an error");
        must(result == 0 || why[0], "a refusal in words");
    }
    sdp_free(sdp);
    if (must_work)
        must(desc != NULL, why);
    return desc;
}

static void write_and_compare(const struct media_desc *desc)
{
    struct sdp_origin origin = {.session = 1, .version = 1};
    static char text[SDP_TEXT_MAX + 1];
    struct media_desc *again;
    int len;

    addr_parse_ip("203.0.113.5", 0, &origin.address);
    len = sdp_write(&origin, desc, text, sizeof text);
    if (len == -E2BIG) /* 8 streams of 24 codecs with long parameters are more than one description may hold */
        return;
    must(len > 0, "the description can be written");
    again = understand(text, (size_t)len, true);
    must(again->count == desc->count, "same number of streams");
    for (unsigned i = 0; i < desc->count; i++)
        same_stream(&desc->streams[i], &again->streams[i]);
    desc_free(again);
}

static const struct crypto_ways *ways(enum crypto_want want, bool dtls)
{
    static const struct crypto_ways table[2][2] = {
        {{.want = CRYPTO_MAY, .in_sdp = true, .ours = {.hash = HASH_SHA256}},
         {.want = CRYPTO_MAY, .offer_dtls = true, .ours = {.hash = HASH_SHA256}}},
        {{.want = CRYPTO_MUST, .in_sdp = true, .ours = {.hash = HASH_SHA256}},
         {.want = CRYPTO_MUST, .offer_dtls = true, .ours = {.hash = HASH_SHA256}}}};

    return &table[want == CRYPTO_MUST][dtls];
}

static void agree(struct media_desc *local, struct media_desc *remote)
{
    for (unsigned i = 0; i < local->count && i < remote->count; i++) {
        struct stream_desc *ours = &local->streams[i], *theirs = &remote->streams[i];

        if (ours->refused || theirs->refused)
            continue;
        crypto_agree(ours, theirs);
        must(!ours->dtls.print.hash == !theirs->dtls.print.hash && !(ours->dtls.print.hash && ours->crypto_count),
             "DTLS on both sides or on none, and no other keys");
        must(ours->crypto_count == theirs->crypto_count && ours->crypto_count <= 1, "one pair of keys or none");
        must(!ours->crypto_count || ours->crypto[0].key.suite == theirs->crypto[0].key.suite, "of one suite");
    }
}

static void negotiate(struct media_desc *offer)
{
    static const struct crypto_keys keys;
    struct media_desc *relayed, *answer, *back;
    char why[120];

    crypto_admit(offer, ways(CRYPTO_MAY, false), why, sizeof why);
    if (negotiate_relay_offer(offer, &relayed) < 0)
        return;
    crypto_offer(relayed, NULL, ways(CRYPTO_MUST, desc_audio(offer) && desc_audio(offer)->ptime % 2), &keys);
    must(negotiate_local_answer(relayed, NULL, 0, DIR_SENDRECV, &answer) == 0, "what is relayed can be answered");
    crypto_answer(answer, relayed, NULL, ways(CRYPTO_MAY, false), &keys);
    must(negotiate_check_answer(relayed, answer, why, sizeof why) == 0, "our answer is valid");
    must(negotiate_relay_answer(offer, answer, &back) == 0, "the answer can be relayed back");
    crypto_answer(back, offer, NULL, ways(CRYPTO_MAY, false), &keys);
    must(negotiate_check_answer(offer, back, why, sizeof why) == 0, "the relayed answer is valid");
    for (unsigned i = 0; i < back->count; i++)
        must((back->streams[i].dir & ~dir_mirror(offer->streams[i].dir)) == 0, "the direction is within the offer");
    agree(relayed, answer);
    agree(back, offer);
    desc_free(relayed);
    desc_free(answer);
    desc_free(back);
}

/* Whatever a phone with this policy chooses of what it is offered, the caller can be answered. */
static void by_policy(const struct media_desc *heard, const char *text)
{
    static const struct crypto_keys keys;
    struct media_desc *offer = desc_copy(heard), *made = NULL, *answer, *back;
    struct codec_policy policy;
    char why[120];

    must(codec_policy_parse(text, &policy) == 0, "the policy can be read");
    if (policy_admit(offer, &policy, NULL) == 0 && negotiate_relay_offer(offer, &made) == 0 &&
        policy_offer(made, &policy, NULL) == 0) {
        const struct stream_desc *audio = desc_audio(made);

        must(audio && audio->codec_count <= MEDIA_CODECS_MAX, "there is audio");
        for (unsigned i = 0; i < audio->codec_count; i++) {
            const struct codec *codec = &audio->codecs[i];

            if (!codec_is_speech(codec))
                continue;
            must(codec_policy_allows(&policy, codec), "only what is allowed is offered");
            must(negotiate_local_answer(made, codec, 1, DIR_SENDRECV, &answer) == 0, "it can be chosen");
            must(negotiate_check_answer(made, answer, why, sizeof why) == 0, "the choice is valid");
            must(negotiate_relay_answer(offer, answer, &back) == 0, "the caller can be answered");
            crypto_answer(back, offer, NULL, ways(CRYPTO_MAY, false), &keys);
            must(negotiate_check_answer(offer, back, why, sizeof why) == 0, "validly");
            desc_free(answer);
            desc_free(back);
        }
    }
    desc_free(made);
    desc_free(offer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size ? size : 1); /* exactly as long: a read behind the end is found */
    struct media_desc *desc;

    if (!text)
        return 0;
    if (size)
        memcpy(text, data, size);
    desc = understand(text, size, false);
    free(text);
    if (desc) {
        write_and_compare(desc);
        negotiate(desc);
        by_policy(desc, "any");
        by_policy(desc, "opus,PCMA,GSM");
    }
    desc_free(desc);
    return 0;
}
