/* Codecs there and back: how much of the sound is left, what stands in for lost packets, what damaged ones do. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "audio/codec.h"
#include "sound.h"

START_TEST(codecs_are_found_as_descriptions_name_them)
{
    ck_assert_str_eq(codec_name(codec_find("pcmu", 8000, 1)), "PCMU");
    ck_assert_str_eq(codec_name(codec_find("PCMA", 8000, 1)), "PCMA");
    ck_assert_ptr_null(codec_find("PCMU", 16000, 1));
    ck_assert_ptr_null(codec_find("PCMU", 8000, 2));
    ck_assert_ptr_null(codec_find("", 8000, 1));
    ck_assert_ptr_null(codec_find("no such codec; at all", 8000, 1));
    ck_assert_uint_eq(codec_clock(codec_find("PCMU", 8000, 1)), 8000);
    ck_assert_uint_eq(codec_rate(codec_find("PCMU", 8000, 1)), 8000);
}
END_TEST

static const char *const g711_names[] = {"PCMU", "PCMA"};

START_TEST(g711_gives_each_byte_back)
{
    const struct codec_kind *kind = codec_find(g711_names[_i], 8000, 1);
    struct codec_decoder *decoder = codec_decoder_new(kind, 8000, NULL);
    struct codec_encoder *encoder = codec_encoder_new(kind, 8000, NULL);
    uint8_t bytes[320], back[320];
    int16_t pcm[320];

    for (unsigned i = 0; i < 320; i++)
        bytes[i] = (uint8_t)i;
    ck_assert_int_eq(codec_decode(decoder, bytes, 320, pcm, 320), 320);
    ck_assert_int_eq(codec_encode(encoder, pcm, 320, back, sizeof back), 320);
    for (unsigned i = 0; i < 320; i++)
        if (_i == 1 || bytes[i] != 0x7f) /* the other zero of µ-law */
            ck_assert_uint_eq(back[i], bytes[i]);
    codec_decoder_free(decoder);
    codec_encoder_free(encoder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("codec");
    TCase *tc = tcase_create("codec");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tc);
    tcase_add_test(tc, codecs_are_found_as_descriptions_name_them);
    tcase_add_loop_test(tc, g711_gives_each_byte_back, 0, 2);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
