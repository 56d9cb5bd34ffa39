/* Keys in INFO bodies: as phones write them, as we write them, and what is no key. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "sip/key_info.h"

#define RELAY "application/dtmf-relay"
#define PLAIN "application/dtmf"

static int reads(const char *type, const char *body, struct key_info *out)
{
    return key_info_read(type, body, strlen(body), out);
}

static const struct {
    const char *type, *body;
    char key;
    unsigned ms;
} good[] = {
    {RELAY, "Signal=5\r\nDuration=160\r\n", '5', 160},
    {RELAY, "Signal= 5\r\nDuration= 160", '5', 160},
    {RELAY, "signal=*\nduration=250\n", '*', 250},
    {RELAY, "Duration=160\r\nSignal=#\r\n", '#', 160},
    {RELAY, "\r\n  Signal = a \r\n\r\n Duration = 70 \r\n", 'A', 70},
    {RELAY, "Signal=10\r\nDuration=100", '*', 100},
    {RELAY, "Signal=11\rDuration=100\r", '#', 100},
    {RELAY, "Signal=15\r\n", 'D', KEY_MS},
    {RELAY, "Signal=hf\r\nDuration=300\r\n", '!', 300},
    {RELAY, "Signal=16\r\n", '!', KEY_MS},
    {RELAY, "Signal=0\r\nDuration=soon\r\n", '0', KEY_MS},
    {RELAY, "Signal=0\r\nDuration=0\r\n", '0', KEY_MS},
    {RELAY, "Signal=0\r\nDuration=99999999999999999999\r\n", '0', KEY_INFO_MS_MOST},
    {RELAY, "Signal=1\r\nVolume=10\r\nSignal=1\r\nhello\r\n", '1', KEY_MS},
    {"Application/DTMF-Relay", "Signal=9", '9', KEY_MS},
    {PLAIN, "5", '5', KEY_MS},
    {PLAIN, "*\r\n", '*', KEY_MS},
    {PLAIN, " 11 \n", '#', KEY_MS},
    {PLAIN, "Signal=7\r\nDuration=80\r\n", '7', 80},
};

START_TEST(bodies_of_phones_are_read)
{
    struct key_info info;

    ck_assert_int_eq(reads(good[_i].type, good[_i].body, &info), 0);
    ck_assert_int_eq(info.key, good[_i].key);
    ck_assert_uint_eq(info.ms, good[_i].ms);
}
END_TEST

static const struct {
    const char *type, *body;
} bad[] = {
    {RELAY, ""},
    {RELAY, "\r\n\r\n"},
    {RELAY, "Duration=160\r\n"},
    {RELAY, "Signal=\r\n"},
    {RELAY, "Signal=x"},
    {RELAY, "Signal=17"},
    {RELAY, "Signal=123"},
    {RELAY, "Signal=1\r\nSignal=2"},
    {RELAY, "5"},
    {PLAIN, ""},
    {PLAIN, "12345"},
    {PLAIN, "1\n2"},
    {PLAIN, "hello"},
    {PLAIN, "Signal=E"},
    {RELAY, "=5"},
    {RELAY, "Signals=5"},
};

START_TEST(what_is_no_key_is_refused)
{
    struct key_info info;

    ck_assert_int_eq(reads(bad[_i].type, bad[_i].body, &info), -EINVAL);
}
END_TEST

START_TEST(other_types_are_not_ours)
{
    struct key_info info = {.key = '1'};
    char text[KEY_INFO_TEXT];

    ck_assert_int_eq(reads("application/media_control+xml", "Signal=5", &info), -ENOTSUP);
    info.key = '1';
    ck_assert_int_eq(key_info_write("text/plain", &info, text, sizeof text), -ENOTSUP);
}
END_TEST

START_TEST(what_is_written_is_read_as_the_same)
{
    static const char *const types[] = {RELAY, PLAIN};

    for (size_t t = 0; t < 2; t++)
        for (const char *key = KEYS_OF_PHONES; *key; key++) {
            struct key_info info = {.key = *key, .ms = 180}, again;
            char text[KEY_INFO_TEXT];
            int result = key_info_write(types[t], &info, text, sizeof text);

            if (t == 1 && *key == '!') {
                ck_assert_int_eq(result, -EINVAL);
                continue;
            }
            ck_assert_int_eq(result, 0);
            ck_assert_int_eq(reads(types[t], text, &again), 0);
            ck_assert_int_eq(again.key, *key);
            ck_assert_uint_eq(again.ms, t == 0 ? 180 : KEY_MS);
        }
}
END_TEST

START_TEST(the_text_is_what_phones_expect)
{
    struct key_info info = {.key = '#', .ms = 0};
    char text[KEY_INFO_TEXT], small[8];

    ck_assert_int_eq(key_info_write(RELAY, &info, text, sizeof text), 0);
    ck_assert_str_eq(text, "Signal=#\r\nDuration=100\r\n");
    ck_assert_int_eq(key_info_write(PLAIN, &info, text, sizeof text), 0);
    ck_assert_str_eq(text, "#\r\n");
    ck_assert_int_eq(key_info_write(RELAY, &info, small, sizeof small), -E2BIG);
    info.key = 'x';
    ck_assert_int_eq(key_info_write(RELAY, &info, text, sizeof text), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("key_info");
    TCase *tc = tcase_create("key_info");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tc, bodies_of_phones_are_read, 0, COUNT_OF(good));
    tcase_add_loop_test(tc, what_is_no_key_is_refused, 0, COUNT_OF(bad));
    tcase_add_test(tc, other_types_are_not_ours);
    tcase_add_test(tc, what_is_written_is_read_as_the_same);
    tcase_add_test(tc, the_text_is_what_phones_expect);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
