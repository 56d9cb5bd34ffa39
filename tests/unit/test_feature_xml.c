/* The documents of as-feature-event, as phones write them and as they read them. */
#include <check.h>
#include <stdlib.h>

#include "modules/forward/feature_xml.h"

#define SPACE "xmlns=\"http://www.ecma-international.org/standards/ecma-323/csta/ed3\""

static const struct {
    const char *text;
    enum feature_kind feature;
    struct feature_state state;
} good[] = {
    {"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\r\n<SetDoNotDisturb " SPACE ">\r\n  <device>202</device>\r\n  "
     "<doNotDisturbOn>true</doNotDisturbOn>\r\n</SetDoNotDisturb>\r\n",
     FEATURE_DND,
     {.on = true}},
    {"<SetDoNotDisturb><doNotDisturbOn> false </doNotDisturbOn></SetDoNotDisturb>", FEATURE_DND, {.on = false}},
    {"<csta:SetDoNotDisturb xmlns:csta=\"x\"><csta:doNotDisturbOn>1</csta:doNotDisturbOn></csta:SetDoNotDisturb>",
     FEATURE_DND,
     {.on = true}},
    {"<SetForwarding " SPACE "><device/><forwardingType>forwardImmediate</forwardingType><activateForward>true"
     "</activateForward><forwardDN>203</forwardDN></SetForwarding>",
     FEATURE_ALWAYS,
     {.on = true, .number = "203"}},
    {"<SetForwarding><forwardingType>forwardBusy</forwardingType><activateForward>true</activateForward><forwardDN>"
     "sip:203@example.org;user=phone</forwardDN></SetForwarding>",
     FEATURE_BUSY,
     {.on = true, .number = "203"}},
    {"<SetForwarding><forwardDN>tel:+4930&amp;1</forwardDN><forwardingType>FORWARDNOANS</forwardingType>"
     "<activateForward>TRUE</activateForward><ringCount>4</ringCount></SetForwarding>",
     FEATURE_NO_ANSWER,
     {.on = true, .number = "+4930&1", .rings = 4}},
    {"<SetForwarding><forwardingType>forwardNoAns</forwardingType><activateForward>false</activateForward>"
     "<forwardDN/></SetForwarding>",
     FEATURE_NO_ANSWER,
     {.on = false}},
    {"<SetForwarding><forwardingType>forwardBusy</forwardingType></SetForwarding>", FEATURE_BUSY, {.on = false}},
};

START_TEST(what_phones_set_is_read)
{
    enum feature_kind feature;
    struct feature_state state;

    ck_assert_int_eq(feature_read(good[_i].text, strlen(good[_i].text), &feature, &state), 0);
    ck_assert_int_eq(feature, good[_i].feature);
    ck_assert_int_eq(state.on, good[_i].state.on);
    ck_assert_str_eq(state.number, good[_i].state.number);
    ck_assert_uint_eq(state.rings, good[_i].state.rings);
}
END_TEST

static const struct {
    const char *text;
    int result;
} bad[] = {
    {"", -EINVAL},
    {"on", -EINVAL},
    {"<SetAgentState><device/></SetAgentState>", -EOPNOTSUPP},
    {"<SetForwarding><forwardingType>forwardSometimes</forwardingType></SetForwarding>", -EOPNOTSUPP},
    {"<SetForwarding", -EOPNOTSUPP},
    {"<SetForwardingX><forwardingType>forwardBusy</forwardingType></SetForwardingX>", -EOPNOTSUPP},
};

START_TEST(what_there_is_not_is_refused)
{
    enum feature_kind feature;
    struct feature_state state;

    ck_assert_int_eq(feature_read(bad[_i].text, strlen(bad[_i].text), &feature, &state), bad[_i].result);
}
END_TEST

START_TEST(what_is_too_long_or_binary_is_no_document)
{
    static char text[5000];
    enum feature_kind feature;
    struct feature_state state;

    memset(text, ' ', sizeof text);
    memcpy(text, good[0].text, strlen(good[0].text));
    ck_assert_int_eq(feature_read(text, sizeof text, &feature, &state), -EINVAL);
    text[5] = '\0';
    ck_assert_int_eq(feature_read(text, 400, &feature, &state), -EINVAL);
}
END_TEST

START_TEST(how_it_is_stands_in_one_part_each)
{
    const struct feature_state busy = {.on = true, .number = "<&>"}, off = {.number = "204"};
    char text[2000], small[100];
    size_t used = 0;

    ck_assert_int_eq(feature_write(text, sizeof text, &used, "a&b", FEATURE_BUSY, &busy), 0);
    ck_assert_int_eq(feature_write(text, sizeof text, &used, "202", FEATURE_ALWAYS, &off), 0);
    ck_assert_int_eq(feature_close(text, sizeof text, &used), 0);
    ck_assert_str_eq(text,
                     "--tandem-feature-events\r\nContent-Type: application/x-as-feature-event+xml\r\n\r\n"
                     "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<ForwardingEvent " SPACE "><device>a&amp;b</device>"
                     "<forwardingType>forwardBusy</forwardingType><forwardStatus>true</forwardStatus>"
                     "<forwardTo>&lt;&amp;&gt;</forwardTo></ForwardingEvent>\r\n"
                     "--tandem-feature-events\r\nContent-Type: application/x-as-feature-event+xml\r\n\r\n"
                     "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<ForwardingEvent " SPACE "><device>202</device>"
                     "<forwardingType>forwardImmediate</forwardingType><forwardStatus>false</forwardStatus>"
                     "<forwardTo></forwardTo></ForwardingEvent>\r\n--tandem-feature-events--\r\n");
    used = 0;
    ck_assert_int_eq(feature_write(small, sizeof small, &used, "202", FEATURE_ALWAYS, &off), -E2BIG);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("feature_xml");
    TCase *tc = tcase_create("feature_xml");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tc, what_phones_set_is_read, 0, COUNT_OF(good));
    tcase_add_loop_test(tc, what_there_is_not_is_refused, 0, COUNT_OF(bad));
    tcase_add_test(tc, what_is_too_long_or_binary_is_no_document);
    tcase_add_test(tc, how_it_is_stands_in_one_part_each);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
