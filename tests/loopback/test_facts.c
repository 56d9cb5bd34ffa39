/* What modules say that they would do with a call, as a simulation asks it over the control socket; and which verbs
 * they add. */
#include <stdio.h>
#include <stdlib.h>

#include "bed.h"
#include "call/verb.h"
#include "script/known_verbs.h"

#define ALL                                                                                                            \
    "[module forward]\n[module screen]\n[module group]\n[module pickup]\n[module park]\n[module dialing]\n"            \
    "[module hold]\n[module transfer]\n"

static void done(struct bed *bed, const char *cmd, const char *params)
{
    json_t *answer = bed_ask(bed, cmd, params);

    ck_assert_msg(json_is_true(json_object_get(answer, "ok")), "%s %s: %s", cmd, params, json_dumps(answer, 0));
    json_decref(answer);
}

/* The answer, as one line of JSON in the order of keys; freed by the caller. */
static char *facts(struct bed *bed, const char *params)
{
    json_t *answer = bed_ask(bed, "dialplan.facts", params);
    json_t *found = json_object_get(json_object_get(answer, "result"), "facts");
    char *text = json_dumps(found, JSON_SORT_KEYS | JSON_COMPACT | JSON_REAL_PRECISION(4));

    ck_assert_msg(found != NULL, "%s: %s", params, json_dumps(answer, 0));
    json_decref(answer);
    return text;
}

static void says(struct bed *bed, const char *params, const char *expected)
{
    char *text = facts(bed, params);

    ck_assert_str_eq(text, expected);
    free(text);
}

START_TEST(what_would_become_of_a_call_to_an_account)
{
    struct bed *bed = bed_open(ALL, NULL);

    says(bed, "{\"from\":\"201\",\"account\":\"202\"}", "{\"forwards\":{}}");
    done(bed, "forward", "{\"account\":\"202\",\"when\":\"busy\",\"number\":\"205\"}");
    done(bed, "forward", "{\"account\":\"202\",\"when\":\"no-answer\",\"number\":\"204\",\"seconds\":15}");
    done(bed, "dnd", "{\"account\":\"202\",\"on\":true}");
    says(bed, "{\"from\":\"201\",\"account\":\"202\"}",
         "{\"forwards\":{\"busy\":{\"seconds\":20,\"to\":\"205\"},\"no-answer\":{\"seconds\":15,\"to\":\"204\"}},"
         "\"refuses\":{\"cause\":\"do-not-disturb\",\"words\":\"202 does not want to be disturbed\"}}");
    done(bed, "block.add", "{\"account\":\"203\",\"pattern\":\"201\"}");
    says(bed, "{\"from\":\"201\",\"account\":\"203\"}",
         "{\"blocked\":{\"cause\":\"blocked\",\"words\":\"203 takes no calls from 201\"},\"forwards\":{}}");
    says(bed, "{\"from\":\"204\",\"account\":\"203\"}", "{\"forwards\":{}}");
    says(bed, "{\"from\":\"201\",\"account\":\"999\"}", "{}");
    bed_close(bed);
}
END_TEST

START_TEST(whom_a_group_follow_me_or_intercom_would_ring)
{
    struct bed *bed = bed_open(ALL, NULL);
    char *text;

    bed_feature(
        bed, "ring_group", "sales",
        "{\"number\":\"600\",\"strategy\":\"in-order\",\"ring_time\":20,\"skip_busy\":true,\"context\":\"internal\","
        "\"no_answer\":\"205\",\"members\":[{\"member\":\"202\"},{\"member\":\"201\"},{\"member\":\"0171\"}]}");
    says(bed, "{\"from\":\"201\",\"verb\":\"group\",\"argument\":\"600\"}",
         "{\"dial\":{\"in_order\":true,\"timeout\":20.0,\"to\":[{\"skip_busy\":true,\"to\":\"account:202\"},"
         "{\"confirm\":true,\"skip_busy\":true,\"to\":\"number:internal/201/0171\"}]},"
         "\"words\":[\"ring group sales (in-order): rings 202, 0171; 201 is the caller\","
         "\"when nobody answers, the caller goes to 205\"]}");
    says(bed, "{\"from\":\"201\",\"verb\":\"group\",\"argument\":\"hall\"}", "{}");
    bed_feature(
        bed, "ring_group", "hall",
        "{\"number\":\"601\",\"strategy\":\"page\",\"ring_time\":20,\"skip_busy\":true,\"context\":\"internal\","
        "\"members\":[{\"member\":\"202\"},{\"member\":\"203\"}]}");
    says(bed, "{\"from\":\"201\",\"verb\":\"group\",\"argument\":\"hall\"}",
         "{\"value\":{\"status\":\"answered\"},\"words\":[\"page hall: speaks to 202, 203\"]}");
    bed_feature(bed, "followme", "202", "[{\"number\":\"203\",\"delay\":10,\"ring_time\":20}]");
    text = facts(bed, "{\"from\":\"201\",\"verb\":\"followme\",\"argument\":\"202\"}");
    ck_assert_ptr_nonnull(
        strstr(text, "{\"to\":\"account:202\"},{\"delay\":10.0,\"ring\":20.0,\"to\":\"account:203\"}"));
    ck_assert_ptr_nonnull(strstr(text, "follow-me of 202: rings 202, 203 after 10 s"));
    free(text);
    bed_setting(bed, "intercom", "off");
    text = facts(bed, "{\"from\":\"201\",\"verb\":\"intercom\",\"argument\":\"202\"}");
    ck_assert_ptr_nonnull(strstr(text, "201 may not let 202's phone answer by itself"));
    free(text);
    bed_close(bed);
}
END_TEST

static void is_served(void *arg, const char *verb, const char *module)
{
    const struct bed *bed = arg;

    ck_assert_msg(verb_exists(bed->pbx, verb), "module %s does not add call:%s", module, verb);
}

static void is_known(void *arg, const char *name, const char *summary)
{
    ck_assert_msg(verb_module(name) != NULL, "call:%s is not in the list of known verbs", name);
}

START_TEST(the_verbs_of_all_modules_are_known_by_name)
{
    struct bed *bed = bed_open(ALL, NULL);

    verb_modules_each(is_served, bed);
    verb_each(bed->pbx, is_known, NULL);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("facts");
    TCase *tc = tcase_create("facts");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, what_would_become_of_a_call_to_an_account);
    tcase_add_test(tc, whom_a_group_follow_me_or_intercom_would_ring);
    tcase_add_test(tc, the_verbs_of_all_modules_are_known_by_name);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
