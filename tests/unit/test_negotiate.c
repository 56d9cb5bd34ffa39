/* Offer and answer: what one leg offers as the other leg hears it, and what comes back. */
#include <check.h>
#include <stdlib.h>

#include "desc-help.h"
#include "media/negotiate.h"

static void relay_offer_is(const char *offer, const char *expected)
{
    struct media_desc *in = desc_of(offer), *out;

    ck_assert_int_eq(negotiate_relay_offer(in, &out), 0);
    ck_assert_str_eq(text_of(out), expected);
    desc_free(out);
    desc_free(in);
}

static int relay_answer(const char *offer, const char *other_answer, struct media_desc **out)
{
    struct media_desc *in = desc_of(offer), *other = desc_of(other_answer);
    int result = negotiate_relay_answer(in, other, out);

    desc_free(in);
    desc_free(other);
    return result;
}

static void relay_answer_is(const char *offer, const char *other_answer, const char *expected)
{
    struct media_desc *out;

    ck_assert_int_eq(relay_answer(offer, other_answer, &out), 0);
    ck_assert_str_eq(text_of(out), expected);
    desc_free(out);
}

static void local_answer_is(const char *offer, const struct codec *allowed, unsigned count, enum stream_dir want,
                            const char *expected)
{
    struct media_desc *in = desc_of(offer), *out;

    ck_assert_int_eq(negotiate_local_answer(in, allowed, count, want, &out), 0);
    ck_assert_str_eq(text_of(out), expected);
    desc_free(out);
    desc_free(in);
}

START_TEST(an_offer_is_relayed_with_its_codecs_and_numbers)
{
    relay_offer_is(
        "m=audio 4000 RTP/AVPF 111 8 101 63\na=rtpmap:111 opus/48000/2\na=fmtp:111 useinbandfec=1\n"
        "a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\na=rtpmap:63 red/48000/2\na=ptime:30\n"
        "a=sendonly\na=rtcp-mux\n",
        "audio RTP/AVP sendonly 30: 111 opus/48000 useinbandfec=1, 8 PCMA/8000, 101 telephone-event/8000 0-15");
}
END_TEST

/* What a leg is offered that has had `layout` from us, and has itself offered `heard` (or NULL). */
static void arranged_is(const char *offer, const char *layout, const char *heard, const char *expected)
{
    struct media_desc *in = desc_of(offer), *before = desc_of(layout), *its = heard ? desc_of(heard) : NULL;
    struct media_desc *relay, *out;

    ck_assert_int_eq(negotiate_relay_offer(in, &relay), 0);
    for (unsigned i = 0; i < before->count; i++)
        memset(&before->streams[i].rtp, 0, sizeof before->streams[i].rtp);
    out = negotiate_arrange_offer(relay, before, its);
    ck_assert_str_eq(text_of(out), expected);
    desc_free(in);
    desc_free(before);
    desc_free(its);
    desc_free(relay);
    desc_free(out);
}

START_TEST(m_lines_keep_their_place_for_the_life_of_a_dialog)
{
    arranged_is("m=video 1 RTP/AVP 34\nm=audio 1 RTP/AVP 0\n", "m=audio 1 RTP/AVP 8\nm=image 0 udptl t38\n", NULL,
                "audio RTP/AVP sendrecv: 0 PCMU/8000; image udptl refused: t38; video RTP/AVP sendrecv: 34 H263/90000");
    /* A place where the kind was refused is taken again (RFC 3264 §8.1), but not while it lives elsewhere. */
    arranged_is(
        "m=video 1 RTP/AVP 34\nm=audio 1 RTP/AVP 0\n",
        "m=audio 0 RTP/SAVP 8\nm=video 0 RTP/AVP 34\nm=audio 1 RTP/AVP 8\n", NULL,
        "audio RTP/SAVP refused: 8; video RTP/AVP sendrecv: 34 H263/90000; audio RTP/AVP sendrecv: 0 PCMU/8000");
    /* Without video now: its place stays, refused. */
    arranged_is("m=audio 1 RTP/AVP 0\n", "m=video 1 RTP/AVP 34\nm=audio 1 RTP/AVP 0\n", NULL,
                "video RTP/AVP refused: 34; audio RTP/AVP sendrecv: 0 PCMU/8000");
}
END_TEST

START_TEST(there_is_no_place_for_a_ninth_stream)
{
    arranged_is("m=audio 1 RTP/AVP 0\nm=video 1 RTP/AVP 34\n",
                "m=audio 1 RTP/AVP 0\nm=image 0 a t38\nm=image 0 a t38\nm=image 0 a t38\nm=image 0 a t38\n"
                "m=image 0 a t38\nm=image 0 a t38\nm=image 0 a t38\n",
                NULL,
                "audio RTP/AVP sendrecv: 0 PCMU/8000; image a refused: t38; image a refused: t38; "
                "image a refused: t38; image a refused: t38; image a refused: t38; image a refused: t38; "
                "image a refused: t38");
}
END_TEST

START_TEST(a_number_keeps_its_codec_for_the_life_of_a_dialog)
{
    /* The other leg numbers opus and its events in its own way. */
    arranged_is("m=audio 1 RTP/AVP 96 8 101\na=rtpmap:96 opus/48000/2\na=rtpmap:101 telephone-event/8000\n",
                "m=audio 1 RTP/AVP 111 8 96\na=rtpmap:111 opus/48000/2\na=rtpmap:96 telephone-event/8000\n", NULL,
                "audio RTP/AVP sendrecv: 111 opus/48000, 8 PCMA/8000, 96 telephone-event/8000");
    /* A codec that is new there must not take a number that means another one, in what we said or in what it said. */
    arranged_is("m=audio 1 RTP/AVP 96 97 0\na=rtpmap:96 iLBC/8000\na=rtpmap:97 speex/8000\n",
                "m=audio 1 RTP/AVP 0 96\na=rtpmap:96 telephone-event/8000\n",
                "m=audio 1 RTP/AVP 0 96 98 97\na=rtpmap:96 telephone-event/8000\na=rtpmap:97 opus/48000/2\n"
                "a=rtpmap:98 speex/8000\n",
                "audio RTP/AVP sendrecv: 99 iLBC/8000, 98 speex/8000, 0 PCMU/8000");
    /* One codec twice: told apart by its parameters. */
    arranged_is("m=audio 1 RTP/AVP 96 97\na=rtpmap:96 AMR/8000\na=rtpmap:97 AMR/8000\na=fmtp:97 octet-align=1\n",
                "m=audio 1 RTP/AVP 96 97\na=rtpmap:96 AMR/8000\na=fmtp:96 octet-align=1\na=rtpmap:97 AMR/8000\n", NULL,
                "audio RTP/AVP sendrecv: 97 AMR/8000, 96 AMR/8000 octet-align=1");
}
END_TEST

START_TEST(one_audio_and_one_video_stream_are_relayed_and_nothing_else_is_mentioned)
{
    relay_offer_is("m=video 4000 RTP/AVP 99\na=rtpmap:99 H264/90000\nm=image 4000 udptl t38\n"
                   "m=audio 0 RTP/AVP 0 8\nm=audio 4000 RTP/AVP 96 101\n"
                   "a=rtpmap:96 x-secret/8000\na=rtpmap:101 telephone-event/8000\nm=audio 4000 RTP/AVP 0\n"
                   "m=audio 4000 RTP/AVP 8\nm=video 4000 RTP/AVP 34\nm=secret 1 x/secret secret\n",
                   "video RTP/AVP sendrecv: 99 H264/90000; audio RTP/AVP sendrecv: 0 PCMU/8000");
    relay_offer_is("m=audio 4000 RTP/SAVP 0\nm=audio 4000 RTP/AVP 0\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\n"
                   "m=video 0 RTP/AVP 34\n",
                   "audio RTP/AVP sendrecv: 0 PCMU/8000");
    relay_offer_is("m=video 4000 RTP/AVP 99\na=rtpmap:99 H264/90000\nm=audio 4000 RTP/AVP 0\n",
                   "video RTP/AVP sendrecv: 99 H264/90000; audio RTP/AVP sendrecv: 0 PCMU/8000");
}
END_TEST

START_TEST(an_offer_without_anything_usable_is_refused)
{
    static const char *const offers[] = {
        "",
        "m=video 4000 RTP/AVP 34\n",
        "m=audio 0 RTP/AVP 0\n",
        "m=audio 4000 UDP/TLS/RTP/SAVPF 0\n",
        "m=audio 4000 RTP/AVP 13 101\na=rtpmap:101 telephone-event/8000\n",
    };

    for (size_t i = 0; i < COUNT_OF(offers); i++) {
        struct media_desc *in = desc_of(offers[i]), *out = in;

        ck_assert_int_eq(negotiate_relay_offer(in, &out), -ENOENT);
        ck_assert_ptr_null(out);
        ck_assert_int_eq(negotiate_local_answer(in, NULL, 0, DIR_SENDRECV, &out), -ENOENT);
        ck_assert_ptr_null(out);
        desc_free(in);
    }
}
END_TEST

START_TEST(an_invite_without_sdp_has_nothing_to_negotiate)
{
    struct media_desc *out;

    ck_assert_int_eq(negotiate_relay_offer(NULL, &out), -ENOENT);
    ck_assert_int_eq(negotiate_relay_answer(NULL, NULL, &out), -ENOENT);
    ck_assert_int_eq(negotiate_local_answer(NULL, NULL, 0, DIR_SENDRECV, &out), -ENOENT);
}
END_TEST

START_TEST(telephone_events_need_speech_at_their_rate)
{
    relay_offer_is("m=audio 4000 RTP/AVP 101 100 99 13 0 96\na=rtpmap:101 telephone-event/48000\n"
                   "a=rtpmap:100 telephone-event/8000\na=rtpmap:99 telephone-event/16000\na=rtpmap:96 opus/48000/2\n",
                   "audio RTP/AVP sendrecv: 101 telephone-event/48000, 100 telephone-event/8000, 13 CN/8000, "
                   "0 PCMU/8000, 96 opus/48000");
    relay_answer_is("m=audio 4000 RTP/AVP 96 0 101 100\na=rtpmap:101 telephone-event/48000\n"
                    "a=rtpmap:100 telephone-event/8000\na=rtpmap:96 opus/48000/2\n",
                    "m=audio 4000 RTP/AVP 101 0 100\na=rtpmap:101 telephone-event/48000\n"
                    "a=rtpmap:100 telephone-event/8000\n",
                    "audio RTP/AVP sendrecv: 0 PCMU/8000, 100 telephone-event/8000");
}
END_TEST

START_TEST(an_answer_comes_back_under_the_numbers_of_the_offer)
{
    relay_answer_is("m=audio 4000 RTP/AVPF 111 8 101\na=rtpmap:111 opus/48000/2\na=rtpmap:101 telephone-event/8000\n"
                    "a=ptime:20\n",
                    "m=audio 4000 RTP/AVP 8 96 97\na=rtpmap:96 OPUS/48000/2\na=fmtp:96 stereo=1\n"
                    "a=rtpmap:97 telephone-event/8000\na=fmtp:97 0-11\na=ptime:40\n",
                    "audio RTP/AVPF sendrecv 40: 8 PCMA/8000, 111 OPUS/48000 stereo=1, 101 telephone-event/8000 0-11");
}
END_TEST

START_TEST(a_codec_offered_twice_is_told_apart_by_its_parameters_and_its_number)
{
    static const char offer[] = "m=audio 4000 RTP/AVP 96 97\na=rtpmap:96 AMR/8000\na=fmtp:96 octet-align=1\n"
                                "a=rtpmap:97 AMR/8000\n";

    relay_answer_is(offer, "m=audio 4000 RTP/AVP 97\na=rtpmap:97 AMR/8000\n", "audio RTP/AVP sendrecv: 97 AMR/8000");
    relay_answer_is(offer, "m=audio 4000 RTP/AVP 97\na=rtpmap:97 AMR/8000\na=fmtp:97 octet-align=1\n",
                    "audio RTP/AVP sendrecv: 96 AMR/8000 octet-align=1");
    relay_answer_is(offer, "m=audio 4000 RTP/AVP 96\na=rtpmap:96 AMR/8000\na=fmtp:96 mode-set=0\n",
                    "audio RTP/AVP sendrecv: 96 AMR/8000 mode-set=0");
    relay_answer_is(offer,
                    "m=audio 4000 RTP/AVP 98 99 100\na=rtpmap:98 AMR/8000\na=rtpmap:99 AMR/8000\n"
                    "a=rtpmap:100 AMR/8000\n",
                    "audio RTP/AVP sendrecv: 97 AMR/8000, 96 AMR/8000"); /* each number once */
}
END_TEST

START_TEST(an_answer_comes_back_to_the_place_of_its_offer)
{
    relay_answer_is("m=image 1 udptl t38\nm=audio 1 RTP/SAVP 0\nm=audio 1 RTP/AVP 8\nm=video 1 RTP/AVP 34\n"
                    "m=audio 0 RTP/AVP 3\nm=audio 1 RTP/AVP 8\n",
                    "m=video 0 RTP/AVP 34\nm=video 1 RTP/AVP 34\nm=audio 0 RTP/AVP 8\nm=audio 1 RTP/AVP 8\n",
                    "image udptl refused: t38; audio RTP/SAVP refused: 0; audio RTP/AVP sendrecv: 8 PCMA/8000; "
                    "video RTP/AVP sendrecv: 34 H263/90000; audio RTP/AVP refused: 3; audio RTP/AVP refused: 8");
    relay_answer_is("m=audio 1 RTP/AVP 0\nm=video 1 RTP/AVP 34\n", "m=audio 1 RTP/AVP 0\nm=video 0 RTP/AVP 34\n",
                    "audio RTP/AVP sendrecv: 0 PCMU/8000; video RTP/AVP refused: 34");
}
END_TEST

START_TEST(an_answer_without_common_audio_is_refused_or_inside_a_call_goes_on_without)
{
    static const struct {
        const char *offer, *answer, *inside;
    } cases[] = {
        {"m=audio 4000 RTP/AVP 0\n", "", "audio RTP/AVP refused: 0"},
        {"m=audio 4000 RTP/AVP 0\n", "m=audio 4000 RTP/AVP 3\n", "audio RTP/AVP refused: 0"},
        {"m=audio 4000 RTP/AVP 3\n", "m=audio 4000 RTP/AVP 0\n", "audio RTP/AVP refused: 3"},
        {"m=audio 4000 RTP/AVP 0\n", "m=audio 0 RTP/AVP 0\n", "audio RTP/AVP refused: 0"},
        {"m=audio 4000 RTP/AVP 0\n", "m=audio 4000 RTP/SAVP 0\n", "audio RTP/AVP refused: 0"},
        {"m=audio 4000 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\n",
         "m=audio 4000 RTP/AVP 101\na=rtpmap:101 telephone-event/8000\n", "audio RTP/AVP refused: 0 101"},
        {"m=audio 1 RTP/AVP 0\nm=video 1 RTP/AVP 34\n", "m=audio 0 RTP/AVP 0\nm=video 1 RTP/AVP 34\n",
         "audio RTP/AVP refused: 0; video RTP/AVP sendrecv: 34 H263/90000"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct media_desc *offer = desc_of(cases[i].offer), *answer = desc_of(cases[i].answer), *out = offer;

        ck_assert_int_eq(negotiate_relay_answer(offer, answer, &out), -ENOENT);
        ck_assert_ptr_null(out);
        out = negotiate_relay_reanswer(offer, answer);
        ck_assert_str_eq(text_of(out), cases[i].inside);
        desc_free(offer);
        desc_free(answer);
        desc_free(out);
    }
}
END_TEST

/* RFC 3264 §6.1: rows are what was offered, columns what the other leg answers (or we want). */
static const enum stream_dir narrowed[4][4] = {
    /*                  inactive      sendonly      recvonly      sendrecv */
    [DIR_INACTIVE] = {DIR_INACTIVE, DIR_INACTIVE, DIR_INACTIVE, DIR_INACTIVE},
    [DIR_SEND] = {DIR_INACTIVE, DIR_INACTIVE, DIR_RECV, DIR_RECV},
    [DIR_RECV] = {DIR_INACTIVE, DIR_SEND, DIR_INACTIVE, DIR_SEND},
    [DIR_SENDRECV] = {DIR_INACTIVE, DIR_SEND, DIR_RECV, DIR_SENDRECV},
};

START_TEST(direction_is_narrowed_to_what_was_offered)
{
    for (int offered = 0; offered < 4; offered++) {
        for (int answered = 0; answered < 4; answered++) {
            struct media_desc *offer = desc_of("m=audio 4000 RTP/AVP 0\n"), *answer = desc_copy(offer), *out;

            offer->streams[0].dir = (enum stream_dir)offered;
            answer->streams[0].dir = (enum stream_dir)answered;
            ck_assert_int_eq(negotiate_relay_offer(offer, &out), 0);
            ck_assert_int_eq(out->streams[0].dir, offered);
            desc_free(out);
            ck_assert_int_eq(negotiate_relay_answer(offer, answer, &out), 0);
            ck_assert_int_eq(out->streams[0].dir, narrowed[offered][answered]);
            desc_free(out);
            ck_assert_int_eq(negotiate_local_answer(offer, NULL, 0, (enum stream_dir)answered, &out), 0);
            ck_assert_int_eq(out->streams[0].dir, narrowed[offered][answered]);
            desc_free(out);
            desc_free(offer);
            desc_free(answer);
        }
    }
}
END_TEST

START_TEST(a_local_answer_takes_one_codec_and_its_events)
{
    static const char offer[] =
        "m=audio 0 RTP/AVP 8\nm=audio 4000 RTP/AVPF 96 18 8 0 100 101\na=rtpmap:96 opus/48000/2\n"
        "a=fmtp:96 stereo=1\na=fmtp:18 annexb=no\na=rtpmap:100 telephone-event/48000\n"
        "a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15,66\na=ptime:20\n"
        "m=audio 4000 RTP/AVP 8\n";
    static const struct codec g729[] = {{18, "g729", 8000, 1, ""}}, opus[] = {{99, "opus", 48000, 2, "stereo=0"}};

    local_answer_is(offer, NULL, 0, DIR_SENDRECV,
                    "audio RTP/AVP refused: 8; audio RTP/AVPF sendrecv 20: 96 opus/48000 stereo=1, "
                    "100 telephone-event/48000 0-15; audio RTP/AVP refused: 8");
    local_answer_is(offer, negotiate_default_codecs, negotiate_default_codec_count, DIR_SENDRECV,
                    "audio RTP/AVP refused: 8; audio RTP/AVPF sendrecv 20: 96 opus/48000 useinbandfec=1, "
                    "100 telephone-event/48000 0-15; audio RTP/AVP refused: 8");
    local_answer_is(offer, g729, 1, DIR_SEND,
                    "audio RTP/AVP refused: 8; audio RTP/AVPF sendonly 20: 18 G729/8000 annexb=no, "
                    "101 telephone-event/8000 0-15; audio RTP/AVP refused: 8");
    local_answer_is(offer, opus, 1, DIR_SENDRECV,
                    "audio RTP/AVP refused: 8; audio RTP/AVPF sendrecv 20: 96 opus/48000 stereo=0, "
                    "100 telephone-event/48000 0-15; audio RTP/AVP refused: 8");
}
END_TEST

START_TEST(a_local_answer_without_an_allowed_codec_is_refused)
{
    struct media_desc *offer = desc_of("m=audio 4000 RTP/AVP 3 101\na=rtpmap:101 telephone-event/8000\n"), *out;

    ck_assert_int_eq(
        negotiate_local_answer(offer, negotiate_default_codecs, negotiate_default_codec_count, DIR_SENDRECV, &out),
        -ENOENT);
    ck_assert_int_eq(negotiate_local_answer(offer, negotiate_default_codecs, 0, DIR_SENDRECV, &out), -ENOENT);
    desc_free(offer);
}
END_TEST

START_TEST(a_local_offer_lists_what_it_is_given)
{
    struct media_desc *offer = negotiate_local_offer(negotiate_default_codecs, negotiate_default_codec_count);

    ck_assert_str_eq(text_of(offer), "audio RTP/AVP sendrecv: 9 G722/8000, 8 PCMA/8000, 0 PCMU/8000, "
                                     "107 opus/48000 useinbandfec=1, 101 telephone-event/8000 0-15, "
                                     "102 telephone-event/48000 0-15");
    desc_free(offer);
}
END_TEST

START_TEST(answers_are_checked_in_words)
{
    static const struct {
        const char *offer, *answer, *words; /* words NULL: fits */
    } cases[] = {
        {"m=audio 1 RTP/AVP 0 8\n", "m=audio 1 RTP/AVP 8\n", NULL},
        {"m=audio 1 RTP/AVP 0\na=sendonly\n", "m=audio 1 RTP/AVP 0\na=sendrecv\n", NULL},
        {"m=audio 1 RTP/AVP 0\nm=video 1 RTP/AVP 34\n", "m=audio 1 RTP/AVP 0\nm=video 0 RTP/AVP 34\n", NULL},
        {"m=audio 1 RTP/AVP 0\n", "m=audio 1 RTP/AVPF 0\n", NULL},
        {"m=image 1 udptl t38\n", "m=image 1 udptl t38\n", NULL},
        {"m=audio 1 RTP/AVP 0\n", "m=audio 1 RTP/AVP 8 0 3\n", NULL},
        {"m=audio 1 RTP/AVP 0\nm=video 1 RTP/AVP 34\n", "m=audio 1 RTP/AVP 0\n",
         "1 media streams where the offer has 2"},
        {"m=audio 0 RTP/AVP 0\n", "m=audio 1 RTP/AVP 0\n", "stream 1 (audio) is accepted"},
        {"m=audio 1 RTP/AVP 0\n", "m=image 1 udptl t38\n", "another kind"},
        {"m=audio 1 RTP/AVP 0\n", "m=audio 1 RTP/SAVP 0\n", "no usable key"},
        {"m=audio 1 RTP/AVP 0\n", "m=audio 1 UDP/TLS/RTP/SAVP 0\n", "no usable key"},
        {"m=audio 1 RTP/AVP 0\n", "m=audio 1 TCP/RTP/AVP 0\n", "another transport"},
        {"m=audio 1 RTP/AVP 0\n", "m=audio 1 RTP/AVP 8\n", "no codec"},
        {"m=image 1 udptl t38\n", "m=image 1 udptl t37\n", "no codec"},
        {"m=audio 1 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\n",
         "m=audio 1 RTP/AVP 101\na=rtpmap:101 telephone-event/8000\n", "no codec"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct media_desc *offer = desc_of(cases[i].offer), *answer = desc_of(cases[i].answer);
        char why[200] = "";

        ck_assert_int_eq(negotiate_check_answer(offer, answer, why, sizeof why), !cases[i].words ? 0
                                                                                 : strstr(cases[i].words, "key")
                                                                                     ? -EACCES
                                                                                     : -EPROTO);
        ck_assert_msg(strstr(why, cases[i].words ? cases[i].words : "") != NULL, "case %zu: %s", i, why);
        desc_free(offer);
        desc_free(answer);
    }
}
END_TEST

START_TEST(our_own_answers_pass_our_own_check)
{
    struct media_desc *offer = desc_of("m=video 1 RTP/AVP 34\nm=audio 1 RTP/AVPF 96 0 101\na=rtpmap:96 opus/48000/2\n"
                                       "a=rtpmap:101 telephone-event/8000\na=sendonly\n");
    struct media_desc *relayed, *answer, *out;
    char why[200] = "";

    ck_assert_int_eq(negotiate_relay_offer(offer, &relayed), 0);
    ck_assert_int_eq(negotiate_local_answer(relayed, NULL, 0, DIR_SENDRECV, &answer), 0);
    ck_assert_msg(negotiate_check_answer(relayed, answer, why, sizeof why) == 0, "%s", why);
    ck_assert_int_eq(negotiate_relay_answer(offer, answer, &out), 0);
    ck_assert_msg(negotiate_check_answer(offer, out, why, sizeof why) == 0, "%s", why);
    ck_assert_str_eq(text_of(out), "video RTP/AVP refused: 34; audio RTP/AVPF recvonly: 96 opus/48000, "
                                   "101 telephone-event/8000 0-15");
    desc_free(offer);
    desc_free(relayed);
    desc_free(answer);
    desc_free(out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("negotiate");
    TCase *tests = tcase_create("offer/answer");
    SRunner *runner;
    int failed;

    tcase_add_test(tests, an_offer_is_relayed_with_its_codecs_and_numbers);
    tcase_add_test(tests, one_audio_and_one_video_stream_are_relayed_and_nothing_else_is_mentioned);
    tcase_add_test(tests, m_lines_keep_their_place_for_the_life_of_a_dialog);
    tcase_add_test(tests, there_is_no_place_for_a_ninth_stream);
    tcase_add_test(tests, a_number_keeps_its_codec_for_the_life_of_a_dialog);
    tcase_add_test(tests, an_offer_without_anything_usable_is_refused);
    tcase_add_test(tests, an_invite_without_sdp_has_nothing_to_negotiate);
    tcase_add_test(tests, telephone_events_need_speech_at_their_rate);
    tcase_add_test(tests, an_answer_comes_back_under_the_numbers_of_the_offer);
    tcase_add_test(tests, a_codec_offered_twice_is_told_apart_by_its_parameters_and_its_number);
    tcase_add_test(tests, an_answer_comes_back_to_the_place_of_its_offer);
    tcase_add_test(tests, an_answer_without_common_audio_is_refused_or_inside_a_call_goes_on_without);
    tcase_add_test(tests, direction_is_narrowed_to_what_was_offered);
    tcase_add_test(tests, a_local_answer_takes_one_codec_and_its_events);
    tcase_add_test(tests, a_local_answer_without_an_allowed_codec_is_refused);
    tcase_add_test(tests, a_local_offer_lists_what_it_is_given);
    tcase_add_test(tests, answers_are_checked_in_words);
    tcase_add_test(tests, our_own_answers_pass_our_own_check);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
