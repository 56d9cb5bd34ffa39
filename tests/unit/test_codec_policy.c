/* Policies on codecs: what a phone is offered of what the other one speaks, what is taken of its own offers, and what
 * both agree to when there is no codec in common. */
#include <check.h>
#include <stdlib.h>

#include "audio/codec.h"
#include "desc-help.h"
#include "media/negotiate.h"
#include "media/negotiate_policy.h"

#define EVENTS "a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-16\n"
#define PCMA "m=audio 4000 RTP/AVP 8 101\n" EVENTS
#define PCMU "m=audio 4000 RTP/AVP 0 101\n" EVENTS
#define G722 "m=audio 4000 RTP/AVP 9 101\n" EVENTS
#define OPUS "m=audio 4000 RTP/AVP 96 97\na=rtpmap:96 opus/48000/2\na=rtpmap:97 telephone-event/48000\n"
#define GSM "m=audio 4000 RTP/AVP 3 101\n" EVENTS

static struct codec_policy policy_of(const char *text)
{
    struct codec_policy policy;

    ck_assert_int_eq(codec_policy_parse(text, &policy), 0);
    return policy;
}

/* What a phone with this policy is offered of what another one has offered. */
static struct media_desc *offered(const char *offer, const char *policy)
{
    struct codec_policy its = policy_of(policy);
    struct media_desc *from = desc_of(offer), *out;

    ck_assert_int_eq(negotiate_relay_offer(from, &out), 0);
    if (policy_offer(out, &its, NULL) < 0) {
        desc_free(out);
        out = NULL;
    }
    desc_free(from);
    return out;
}

static void offered_is(const char *offer, const char *policy, const char *expected)
{
    struct media_desc *out = offered(offer, policy);

    ck_assert_str_eq(out ? text_of(out) : "nothing", expected);
    desc_free(out);
}

START_TEST(what_tandem_offers_by_itself_is_what_its_media_process_decodes_and_encodes)
{
    unsigned speech = 0;

    for (unsigned i = 0; i < negotiate_default_codec_count; i++) {
        const struct codec *codec = &negotiate_default_codecs[i];
        const struct codec_kind *kind = codec_find(codec->name, codec->rate, codec->channels);
        struct codec_encoder *encoder;

        ck_assert_int_eq(codec_is_convertible(codec), codec_is_speech(codec));
        if (!codec_is_speech(codec))
            continue;
        ck_assert_msg(kind != NULL, "%s is none of ours", codec->name);
        encoder = codec_encoder_new(kind, 8000, NULL);
        ck_assert_msg(encoder != NULL, "%s cannot be encoded", codec->name);
        codec_encoder_free(encoder);
        speech++;
    }
    ck_assert_uint_eq(speech, 4);
    ck_assert(!codec_is_convertible(&(struct codec){.name = "opus", .rate = 48000, .channels = 1}));
    ck_assert(!codec_is_convertible(&(struct codec){.name = "CN", .rate = 8000, .channels = 1}));
    ck_assert(!codec_is_convertible(&(struct codec){.name = "GSM", .rate = 8000, .channels = 1}));
}
END_TEST

START_TEST(a_policy_is_read_with_commas_or_blanks_and_each_codec_once)
{
    struct codec_policy policy = policy_of(" opus,g722  PCMA, OPUS any");
    char text[64];

    ck_assert_uint_eq(policy.count, 3);
    ck_assert_str_eq(codec_policy_text(&policy, text, sizeof text), "opus, g722, PCMA, any");
    ck_assert_int_eq(codec_policy_parse("", &policy), -EINVAL);
    ck_assert_int_eq(codec_policy_parse(" , ", &policy), -EINVAL);
    ck_assert_int_eq(codec_policy_parse("a-name-that-is-far-too-long", &policy), -EINVAL);
    ck_assert_int_eq(codec_policy_parse("a b c d e f g h i j k l m n o p q r s t u v w x y z", &policy), -EINVAL);
}
END_TEST

START_TEST(codecs_of_the_caller_come_first_and_then_what_they_can_be_converted_into)
{
    offered_is(PCMA, "any",
               "audio RTP/AVP sendrecv: 8 PCMA/8000, 9 G722/8000, 0 PCMU/8000, 107 opus/48000 useinbandfec=1, "
               "101 telephone-event/8000 0-16, 102 telephone-event/48000 0-15");
    offered_is(OPUS "a=ptime:60\n", "any",
               "audio RTP/AVP sendrecv 60: 96 opus/48000, 9 G722/8000, 8 PCMA/8000, 0 PCMU/8000, "
               "97 telephone-event/48000, 101 telephone-event/8000 0-15");
    /* The order of the policy within each of the two. */
    offered_is("m=audio 4000 RTP/AVP 0 8 101\n" EVENTS, "opus,G722,PCMA,PCMU",
               "audio RTP/AVP sendrecv: 8 PCMA/8000, 0 PCMU/8000, 107 opus/48000 useinbandfec=1, 9 G722/8000, "
               "101 telephone-event/8000 0-16, 102 telephone-event/48000 0-15");
    /* Only what is allowed. */
    offered_is("m=audio 4000 RTP/AVP 0 8 9\n", "pcma",
               "audio RTP/AVP sendrecv: 8 PCMA/8000, "
               "101 telephone-event/8000 0-15");
    /* Events of 8000 too: some phones have no others, whatever their codec. */
    offered_is(PCMA, "opus",
               "audio RTP/AVP sendrecv: 107 opus/48000 useinbandfec=1, 101 telephone-event/8000 0-16, "
               "102 telephone-event/48000 0-15");
    /* What is named goes before whatever else there is. */
    offered_is("m=audio 4000 RTP/AVP 3 0 8\n", "PCMA,any",
               "audio RTP/AVP sendrecv: 8 PCMA/8000, 3 GSM/8000, 0 PCMU/8000, 9 G722/8000, "
               "107 opus/48000 useinbandfec=1, 101 telephone-event/8000 0-15, 102 telephone-event/48000 0-15");
}
END_TEST

START_TEST(what_tandem_cannot_decode_is_passed_on_unseen_or_not_at_all)
{
    offered_is(GSM, "any", "audio RTP/AVP sendrecv: 3 GSM/8000, 101 telephone-event/8000 0-16");
    offered_is(GSM, "gsm,PCMA", "audio RTP/AVP sendrecv: 3 GSM/8000, 101 telephone-event/8000 0-16");
    offered_is(GSM, "PCMA,opus", "nothing");
    /* One that it can decode stands for the other. */
    offered_is("m=audio 4000 RTP/AVP 3 8\n", "PCMU",
               "audio RTP/AVP sendrecv: 0 PCMU/8000, "
               "101 telephone-event/8000 0-15");
    offered_is(PCMA, "G729", "nothing"); /* no plug-in is loaded */
}
END_TEST

START_TEST(nothing_is_added_for_a_phone_that_is_known_to_speak_what_the_other_one_speaks)
{
    struct codec_policy policy = policy_of("any");
    struct media_desc *offer = offered(PCMA, "PCMA"), *same = desc_of("m=audio 1 RTP/AVP 0 8\n"),
                      *other = desc_of(OPUS);

    ck_assert_int_eq(policy_offer(offer, &policy, same), 0);
    ck_assert_str_eq(text_of(offer), "audio RTP/AVP sendrecv: 8 PCMA/8000, 101 telephone-event/8000 0-16");
    ck_assert_int_eq(policy_offer(offer, &policy, other), 0);
    ck_assert_uint_eq(offer->streams[0].codec_count, 6);
    desc_free(offer);
    desc_free(same);
    desc_free(other);
}
END_TEST

START_TEST(numbers_that_are_taken_stay_with_their_codec)
{
    /* Its own numbers 107, 101 and 9 mean something else. */
    offered_is("m=audio 4000 RTP/AVP 107 101 9\na=rtpmap:107 iLBC/8000\na=rtpmap:101 PCMA/8000\n"
               "a=rtpmap:9 telephone-event/8000\n",
               "any",
               "audio RTP/AVP sendrecv: 107 iLBC/8000, 101 PCMA/8000, 96 G722/8000, 0 PCMU/8000, "
               "97 opus/48000 useinbandfec=1, 9 telephone-event/8000, 102 telephone-event/48000 0-15");
    /* Also that of one which is left out here. */
    offered_is("m=audio 4000 RTP/AVP 107 8\na=rtpmap:107 iLBC/8000\n", "opus",
               "audio RTP/AVP sendrecv: 96 opus/48000 useinbandfec=1, 101 telephone-event/8000 0-15, "
               "102 telephone-event/48000 0-15");
}
END_TEST

START_TEST(video_is_no_matter_of_the_policy)
{
    offered_is("m=audio 4000 RTP/AVP 8\nm=video 4000 RTP/AVP 34\n", "PCMA",
               "audio RTP/AVP sendrecv: 8 PCMA/8000, 101 telephone-event/8000 0-15; "
               "video RTP/AVP sendrecv: 34 H263/90000");
}
END_TEST

START_TEST(a_phone_is_heard_only_in_the_codecs_that_it_may_use)
{
    static const struct {
        const char *offer, *policy, *in_use, *left; /* left NULL: it is refused */
    } cases[] = {
        {"m=audio 1 RTP/AVP 0 8 13 101\n" EVENTS, "pcma", NULL,
         "audio RTP/AVP sendrecv: 8 PCMA/8000, 13 CN/8000, 101 telephone-event/8000 0-16"},
        {"m=audio 1 RTP/AVP 0 8\n", "opus,any", NULL, "audio RTP/AVP sendrecv: 0 PCMU/8000, 8 PCMA/8000"},
        {"m=audio 1 RTP/AVP 0 8\n", "opus", NULL, NULL},
        {"m=audio 1 RTP/AVP 0 8\n", "opus", "m=audio 1 RTP/AVP 8\n", "audio RTP/AVP sendrecv: 8 PCMA/8000"},
        {"m=audio 1 RTP/AVP 0\nm=audio 1 RTP/AVP 8\n", "pcma", NULL,
         "audio RTP/AVP refused: 0 0 PCMU/8000; audio RTP/AVP sendrecv: 8 PCMA/8000"},
        {"m=audio 1 RTP/AVP 8\nm=video 1 RTP/AVP 34\n", "pcma", NULL,
         "audio RTP/AVP sendrecv: 8 PCMA/8000; video RTP/AVP sendrecv: 34 H263/90000"},
        {"m=image 1 udptl t38\n", "pcma", NULL, "image udptl sendrecv:"}, /* no matter of codecs */
        {"m=audio 0 RTP/AVP 0\nm=audio 1 RTP/AVP 8\n", "pcma", NULL,
         "audio RTP/AVP refused: 0; audio RTP/AVP sendrecv: 8 PCMA/8000"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct media_desc *offer = desc_of(cases[i].offer);
        struct media_desc *now = cases[i].in_use ? desc_of(cases[i].in_use) : NULL;
        struct codec_policy policy = policy_of(cases[i].policy);

        ck_assert_int_eq(policy_admit(offer, &policy, desc_audio(now)), cases[i].left ? 0 : -ENOENT);
        for (unsigned k = 0; k < offer->count; k++)
            memset(&offer->streams[k].rtp, 0, sizeof offer->streams[k].rtp);
        if (cases[i].left)
            ck_assert_str_eq(text_of(offer), cases[i].left);
        desc_free(offer);
        desc_free(now);
    }
}
END_TEST

START_TEST(the_number_of_a_codec_that_is_not_allowed_is_not_given_to_another)
{
    struct media_desc *heard = desc_of("m=audio 1 RTP/AVP 107 8\na=rtpmap:107 speex/8000\n"), *said, *offer, *out;
    struct codec_policy policy = policy_of("opus,PCMA");

    ck_assert_int_eq(policy_admit(heard, &policy, NULL), 0);
    said = desc_of(PCMA);
    offer = offered(PCMA, "opus,PCMA");
    out = negotiate_arrange_offer(offer, said, heard);
    ck_assert_str_eq(text_of(out), "audio RTP/AVP sendrecv: 8 PCMA/8000, 96 opus/48000 useinbandfec=1, "
                                   "101 telephone-event/8000 0-16, 102 telephone-event/48000 0-15");
    desc_free(heard);
    desc_free(said);
    desc_free(offer);
    desc_free(out);
}
END_TEST

/* offer × policy of the other phone × what that answers → what the caller is answered. */
START_TEST(the_caller_is_answered_with_the_codec_of_the_callee_or_with_one_that_is_converted)
{
    static const struct {
        const char *offer, *policy, *answer, *expected;
    } cases[] = {
        /* In common: as the callee says. */
        {"m=audio 1 RTP/AVP 0 8 9 101\n" EVENTS, "any", "m=audio 1 RTP/AVP 8 101\n" EVENTS "a=ptime:30\n",
         "audio RTP/AVP sendrecv 30: 8 PCMA/8000, 101 telephone-event/8000 0-16"},
        {"m=audio 1 RTP/AVP 0 8\n", "any", "m=audio 1 RTP/AVP 8 0\n",
         "audio RTP/AVP sendrecv: 8 PCMA/8000, 0 PCMU/8000"},
        /* Keys are taken whether or not the callee has them. */
        {PCMA, "any", "m=audio 1 RTP/AVP 8\n", "audio RTP/AVP sendrecv: 8 PCMA/8000, 101 telephone-event/8000 0-15"},
        /* Nothing in common: the caller's first that is convertible, and that alone; each side its own ptime. */
        {"m=audio 1 RTP/AVP 3 0 8 101\n" EVENTS "a=ptime:40\n", "opus", OPUS "a=ptime:60\n",
         "audio RTP/AVP sendrecv 40: 0 PCMU/8000, 101 telephone-event/8000 0-15"},
        {OPUS, "pcma", PCMA "a=sendonly\n",
         "audio RTP/AVP sendonly: 96 opus/48000 useinbandfec=1, 97 telephone-event/48000 0-15"},
        {"m=audio 1 RTP/AVP 96 101\na=rtpmap:96 opus/48000/2\n" EVENTS, "any", PCMU,
         "audio RTP/AVP sendrecv: 96 opus/48000 useinbandfec=1, 101 telephone-event/8000 0-15"},
        {OPUS, "any", "m=audio 1 RTP/AVP 9\n",
         "audio RTP/AVP sendrecv: 96 opus/48000 useinbandfec=1, 97 telephone-event/48000 0-15"},
        {G722, "any", PCMU, "audio RTP/AVP sendrecv: 9 G722/8000, 101 telephone-event/8000 0-15"},
        /* The callee prefers one that must be converted, but takes one in common too: that is what the caller speaks.
         */
        {PCMA, "any", "m=audio 1 RTP/AVP 9 8\n", "audio RTP/AVP sendrecv: 8 PCMA/8000, 101 telephone-event/8000 0-15"},
        {"m=audio 1 RTP/AVP 3 101\n" EVENTS, "any", "m=audio 1 RTP/AVP 3\n",
         "audio RTP/AVP sendrecv: 3 GSM/8000, 101 telephone-event/8000 0-15"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct media_desc *offer = desc_of(cases[i].offer), *answer = desc_of(cases[i].answer), *out;
        struct media_desc *made = offered(cases[i].offer, cases[i].policy);
        char why[200] = "";

        ck_assert_msg(negotiate_check_answer(made, answer, why, sizeof why) == 0, "case %zu: %s", i, why);
        ck_assert_int_eq(negotiate_relay_answer(offer, answer, &out), 0);
        ck_assert_str_eq(text_of(out), cases[i].expected);
        ck_assert_msg(negotiate_check_answer(offer, out, why, sizeof why) == 0, "case %zu: %s", i, why);
        desc_free(offer);
        desc_free(answer);
        desc_free(made);
        desc_free(out);
    }
}
END_TEST

START_TEST(who_can_talk_to_whom_is_known)
{
    static const struct {
        const char *a, *b;
        bool meet, convert;
    } cases[] = {
        {PCMA, PCMA, true, true},  {PCMA, OPUS, false, true}, {GSM, GSM, true, false},
        {GSM, PCMA, false, false}, {OPUS, G722, false, true}, {"m=audio 1 RTP/AVP 3 8\n", OPUS, false, true},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct media_desc *a = desc_of(cases[i].a), *b = desc_of(cases[i].b);

        ck_assert_int_eq(codecs_meet(&a->streams[0], &b->streams[0]), cases[i].meet);
        ck_assert_int_eq(codecs_meet(&b->streams[0], &a->streams[0]), cases[i].meet);
        ck_assert_int_eq(codecs_convert(&a->streams[0], &b->streams[0]), cases[i].convert);
        desc_free(a);
        desc_free(b);
    }
    ck_assert(!codecs_meet(NULL, NULL));
    ck_assert(!codecs_convert(NULL, NULL));
}
END_TEST

START_TEST(what_is_in_use_can_be_put_in_front)
{
    struct media_desc *offer = desc_of("m=audio 1 RTP/AVP 0 101 8 9\n" EVENTS),
                      *now = desc_of("m=audio 1 RTP/AVP 9 8\n");

    memset(&offer->streams[0].rtp, 0, sizeof offer->streams[0].rtp);
    policy_prefer(offer, desc_audio(now));
    ck_assert_str_eq(text_of(offer), "audio RTP/AVP sendrecv: 8 PCMA/8000, 9 G722/8000, 0 PCMU/8000, "
                                     "101 telephone-event/8000 0-16");
    policy_prefer(offer, NULL);
    desc_free(offer);
    desc_free(now);
}
END_TEST

START_TEST(codecs_are_named_for_people)
{
    struct media_desc *desc =
        desc_of("m=audio 1 RTP/AVP 96 97 8 101\na=rtpmap:96 speex/16000\na=rtpmap:97 speex/8000\n" EVENTS);
    char text[64];

    ck_assert_str_eq(codecs_text(&desc->streams[0], text, sizeof text), "speex, PCMA");
    ck_assert_str_eq(codecs_text(NULL, text, sizeof text), "nothing");
    desc_free(desc);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("codec_policy");
    TCase *tests = tcase_create("policy");
    SRunner *runner;
    int failed;

    tcase_add_test(tests, what_tandem_offers_by_itself_is_what_its_media_process_decodes_and_encodes);
    tcase_add_test(tests, a_policy_is_read_with_commas_or_blanks_and_each_codec_once);
    tcase_add_test(tests, codecs_of_the_caller_come_first_and_then_what_they_can_be_converted_into);
    tcase_add_test(tests, what_tandem_cannot_decode_is_passed_on_unseen_or_not_at_all);
    tcase_add_test(tests, nothing_is_added_for_a_phone_that_is_known_to_speak_what_the_other_one_speaks);
    tcase_add_test(tests, numbers_that_are_taken_stay_with_their_codec);
    tcase_add_test(tests, video_is_no_matter_of_the_policy);
    tcase_add_test(tests, a_phone_is_heard_only_in_the_codecs_that_it_may_use);
    tcase_add_test(tests, the_number_of_a_codec_that_is_not_allowed_is_not_given_to_another);
    tcase_add_test(tests, the_caller_is_answered_with_the_codec_of_the_callee_or_with_one_that_is_converted);
    tcase_add_test(tests, who_can_talk_to_whom_is_known);
    tcase_add_test(tests, what_is_in_use_can_be_put_in_front);
    tcase_add_test(tests, codecs_are_named_for_people);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
