/* Simulations and the modules of a switch: which verbs there are, what forwards, do not disturb, block lists and groups
 * make of a call, and the check that finds verbs which there are not. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/obj.h"
#include "script/simulate.h"

static char dir[64], library[200], path[100], why[600], steps[8192];
static size_t steps_used;
static json_t *result, *known;

static void write_plan(const char *text)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void setup(void)
{
    strcpy(dir, "/tmp/test_simulate.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/init.lua", dir);
    snprintf(library, sizeof library, "%s/dialplan", getenv("TANDEM_SRC") ? getenv("TANDEM_SRC") : ".");
    log_set_level(LOG_LEVEL_NONE);
    result = known = NULL;
    write_plan("extension('internal', '_.', function(call) call:dial{ to = call.extension, timeout = 30 } end)\n");
}

static void teardown(void)
{
    json_decref(result);
    json_decref(known);
    unlink(path);
    ck_assert_int_eq(rmdir(dir), 0);
    ck_assert_uint_eq(obj_live("call"), 0);
    ck_assert_uint_eq(obj_live("leg"), 0);
    ck_assert_uint_eq(obj_live("account"), 0);
}

static void step(void *arg, double seconds, const char *words)
{
    str_append(steps, sizeof steps, &steps_used, "%.1f %s\n", seconds, words);
}

/* The switch that is asked: what it knows of an account or a verb. */
static json_t *facts(void *arg, const json_t *question)
{
    const char *account = json_string_value(json_object_get(question, "account"));
    const char *verb = json_string_value(json_object_get(question, "verb"));

    ck_assert_str_eq(json_string_value(json_object_get(question, "from")), "201");
    return json_incref(json_object_get(known, account ? account : verb));
}

/* 201 calls; of others the switch knows this, and phones do what is assumed. */
static void call(const char *to, const char *knows, const char *assume)
{
    json_t *assumed = json_loads(assume ? assume : "{}", 0, NULL), *groups = json_pack("{s:s}", "sales", "600");
    const struct simulate_config config = {.dir = dir,
                                           .library_dir = library,
                                           .from = "201",
                                           .to = to,
                                           .assume = assumed,
                                           .groups = groups,
                                           .facts = facts,
                                           .step = step};

    json_decref(known);
    known = json_loads(knows, 0, NULL);
    ck_assert_ptr_nonnull(known);
    steps[steps_used = 0] = '\0';
    json_decref(result);
    result = NULL;
    ck_assert_msg(simulate(&config, &result, why, sizeof why) == 0, "%s", why);
    json_decref(assumed);
    json_decref(groups);
}

static const char *got(const char *key)
{
    const char *text = json_string_value(json_object_get(result, key));

    return text ? text : "";
}

#define stepped(text) ck_assert_msg(strstr(steps, (text)) != NULL, "\"%s\" is not in:\n%s", (text), steps)

/* --- who is called ------------------------------------------------------------------------------------------------ */

START_TEST(a_forwarded_call_goes_where_the_account_sends_it)
{
    static const struct {
        const char *when, *assume;
    } cases[] = {{"always", "{}"},
                 {"busy", "{\"202\":\"busy\"}"},
                 {"no-answer", "{\"202\":\"no-answer\"}"},
                 {"unreachable", "{\"202\":\"unreachable\"}"}};

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char knows[200];

        snprintf(knows, sizeof knows, "{\"202\": {\"forwards\": {\"%s\": {\"to\": \"205\", \"seconds\": 10}}}}",
                 cases[i].when);
        call("202", knows, cases[i].assume);
        ck_assert_str_eq(got("answered_by"), "205");
        stepped("202 forwards");
        if (strcmp(cases[i].when, "always") == 0)
            ck_assert_ptr_null(strstr(steps, "202 rings"));
        if (strcmp(cases[i].when, "no-answer") == 0)
            stepped("10.0   202"); /* it rings no longer than the forward says */
    }
    call("202", "{\"202\": {\"forwards\": {\"busy\": {\"to\": \"205\"}}}}", NULL); /* and it is not */
    ck_assert_str_eq(got("answered_by"), "202");
}
END_TEST

START_TEST(forwards_in_a_circle_end)
{
    call("202",
         "{\"202\": {\"forwards\": {\"always\": {\"to\": \"203\"}}},"
         " \"203\": {\"forwards\": {\"always\": {\"to\": \"202\"}}}}",
         NULL);
    ck_assert_str_eq(got("answered_by"), "");
    stepped("202 forwards all calls to 203");
    stepped("203 forwards all calls to 202");
}
END_TEST

START_TEST(who_takes_no_calls_is_not_called_and_it_is_said_why)
{
    call("202",
         "{\"202\": {\"refuses\": {\"cause\": \"do-not-disturb\", \"words\": \"202 does not want to be disturbed\"}}}",
         NULL);
    ck_assert_str_eq(got("cause"), "do-not-disturb");
    stepped("202 does not want to be disturbed");
    call("202",
         "{\"202\": {\"refuses\": {\"cause\": \"do-not-disturb\", \"words\": \"no\"},"
         " \"forwards\": {\"busy\": {\"to\": \"205\"}}}}",
         NULL);
    ck_assert_str_eq(got("answered_by"), "205");
}
END_TEST

START_TEST(who_is_blocked_goes_nowhere_but_where_his_entry_says)
{
    call("202",
         "{\"202\": {\"blocked\": {\"cause\": \"blocked\", \"words\": \"202 takes no calls from 201\"},"
         " \"forwards\": {\"always\": {\"to\": \"205\"}, \"busy\": {\"to\": \"205\"}}}}",
         NULL);
    ck_assert_str_eq(got("cause"), "blocked");
    stepped("202 takes no calls from 201");
    call("202", "{\"202\": {\"blocked\": {\"cause\": \"blocked\", \"words\": \"no\", \"to\": \"203\"}}}", NULL);
    ck_assert_str_eq(got("answered_by"), "203");
    stepped("202 sends calls of this caller to 203");
}
END_TEST

/* --- verbs -------------------------------------------------------------------------------------------------------- */

START_TEST(a_verb_rings_whom_its_module_says_and_returns_as_a_dial_does)
{
    write_plan("extension('internal', '_.', function(call)\n"
               "  local r = call:group(pbx.group(call.extension).name)\n"
               "  call:log('%s by %s', r.status, r.answered_by)\n"
               "end)\n");
    call("600",
         "{\"group\": {\"words\": [\"ring group sales (in-order): rings 202, 203; 204 is busy\"],"
         " \"dial\": {\"to\": [{\"to\": \"account:202\", \"ring\": 5}, {\"to\": \"account:203\"}],"
         " \"in_order\": true, \"timeout\": 20}}}",
         "{\"202\":\"no-answer\"}");
    stepped("group \"sales\": done by a module");
    stepped("  ring group sales (in-order): rings 202, 203; 204 is busy\n");
    stepped("5.0   202: ");
    stepped("log: answered by 203");
    ck_assert_str_eq(got("answered_by"), "203");
}
END_TEST

START_TEST(a_verb_returns_what_its_module_says_or_nothing)
{
    write_plan("extension('internal', '_.', function(call)\n"
               "  call:log('%s', (call:group('hall') or { status = 'nil' }).status)\n"
               "end)\n");
    call("600", "{\"group\": {\"value\": {\"status\": \"busy\"}}}", NULL);
    stepped("log: busy");
    call("600", "{}", NULL);
    stepped("log: nil");
}
END_TEST

START_TEST(a_verb_that_there_is_not_fails_as_in_a_call)
{
    write_plan("extension('internal', '_.', function(call)\n"
               "  call:log('%s %s', pbx.has_verb('park'), pbx.has_verb('prak'))\n"
               "  call:prak{ slot = 1 }\n"
               "end)\n");
    call("600", "{}", NULL);
    stepped("log: true false");
    ck_assert_msg(strstr(got("error"), "init.lua:3: a call has no field or function \"prak\""), "%s", got("error"));
}
END_TEST

/* --- the check ---------------------------------------------------------------------------------------------------- */

static json_t *check(const char *plan)
{
    json_t *summary, *unserved;

    write_plan(plan);
    ck_assert_msg(simulate_check(dir, library, &summary, why, sizeof why) == 0, "%s", why);
    unserved = json_incref(json_object_get(summary, "unserved"));
    json_decref(summary);
    return unserved;
}

START_TEST(a_check_finds_verbs_that_there_are_not_and_where)
{
    json_t *unserved = check("include('accounts.lua') include('features.lua')\n"
                             "-- call:prak{} in a comment, and in\n"
                             "local text = \"call:prak{}\" .. [[ call:prak{} ]]\n"
                             "extension('internal', '600', function(call)\n"
                             "  if call.vars.call then text = 'x'..call:header 'X' end\n"
                             "  other.call:prak{} other:call 'x'\n"
                             "  call:park{ caller = true }\n"
                             "  call : prak{}\n"
                             "end)\n"
                             "extension('internal', '_6XX', function(call)\n"
                             "  pcall(function() call:dail 'x' end)\n"
                             "  if pbx.has_verb 'greet' then call:greet() end\n"
                             "end)\n");

    ck_assert_uint_eq(json_array_size(unserved), 2);
    ck_assert_str_eq(json_string_value(json_array_get(unserved, 0)), "init.lua:8: there is no call:prak");
    ck_assert_str_eq(json_string_value(json_array_get(unserved, 1)), "init.lua:11: there is no call:dail");
    json_decref(unserved);
}
END_TEST

/* The switch does nothing else meanwhile, so that this has to end within the time of a test. */
START_TEST(a_check_of_a_big_dialplan_is_soon_over)
{
    static const char begin[] = "function f(call)\n", line[] = "call:prak()\n";
    unsigned lines = 20000;
    char *plan = mem_new(lines * strlen(line) + 100), *at = stpcpy(plan, begin);
    json_t *unserved;

    for (unsigned i = 0; i < lines; i++)
        at = stpcpy(at, line);
    stpcpy(at, "end\n");
    unserved = check(plan);
    ck_assert_uint_eq(json_array_size(unserved), lines);
    ck_assert_str_eq(json_string_value(json_array_get(unserved, lines - 1)), "init.lua:20001: there is no call:prak");
    json_decref(unserved);
    free(plan);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("simulate facts");
    TCase *tc = tcase_create("modules");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_forwarded_call_goes_where_the_account_sends_it);
    tcase_add_test(tc, forwards_in_a_circle_end);
    tcase_add_test(tc, who_takes_no_calls_is_not_called_and_it_is_said_why);
    tcase_add_test(tc, who_is_blocked_goes_nowhere_but_where_his_entry_says);
    tcase_add_test(tc, a_verb_rings_whom_its_module_says_and_returns_as_a_dial_does);
    tcase_add_test(tc, a_verb_returns_what_its_module_says_or_nothing);
    tcase_add_test(tc, a_verb_that_there_is_not_fails_as_in_a_call);
    tcase_add_test(tc, a_check_finds_verbs_that_there_are_not_and_where);
    tcase_add_test(tc, a_check_of_a_big_dialplan_is_soon_over);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
