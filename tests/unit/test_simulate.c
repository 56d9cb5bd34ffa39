/* Simulated calls: what is assumed of phones, what time it is, where a call ends; and the tests that a site writes. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/obj.h"
#include "script/simulate.h"
#include "script/site_test.h"

#define LUA(...) #__VA_ARGS__ /* all on line 1 */

// clang-format off

static char dir[64], library[200], why[600], steps[16384];
static size_t steps_used;
static json_t *result;

static void write_file(const char *name, const char *text)
{
    char path[200];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void setup(void)
{
    strcpy(dir, "/tmp/test_simulate.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(library, sizeof library, "%s/dialplan", getenv("TANDEM_SRC") ? getenv("TANDEM_SRC") : ".");
    log_set_level(LOG_LEVEL_NONE);
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
    return remove(path);
}

static void teardown(void)
{
    json_decref(result);
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    ck_assert_uint_eq(obj_live("call"), 0);
    ck_assert_uint_eq(obj_live("leg"), 0);
    ck_assert_uint_eq(obj_live("account"), 0);
    ck_assert_uint_eq(obj_live("script-state"), 0);
}

static void step(void *arg, double seconds, const char *words)
{
    str_append(steps, sizeof steps, &steps_used, "%.1f %s\n", seconds, words);
}

/* config has what differs from 201 calling 600; assume and the like as JSON text. */
static int run(struct simulate_config config, const char *assume, const char *accounts, const char *answers)
{
    json_t *parsed[3] = {json_loads(assume ? assume : "{}", 0, NULL), accounts ? json_loads(accounts, 0, NULL) : NULL,
                         json_loads(answers ? answers : "{}", 0, NULL)};
    int err;

    config.dir = dir;
    config.library_dir = library;
    config.from = config.from ? config.from : "201";
    config.to = config.to ? config.to : "600";
    config.assume = parsed[0];
    config.accounts = parsed[1];
    config.answers = parsed[2];
    config.step = step;
    steps_used = 0;
    steps[0] = '\0';
    json_decref(result);
    result = NULL;
    err = simulate(&config, &result, why, sizeof why);
    for (size_t i = 0; i < COUNT_OF(parsed); i++)
        json_decref(parsed[i]);
    return err;
}

static void call(const char *assume)
{
    int err = run((struct simulate_config){0}, assume, NULL, NULL);

    ck_assert_msg(err == 0, "%s", why);
}

static const char *got(const char *key)
{
    const char *text = json_string_value(json_object_get(result, key));

    return text ? text : "";
}

static double number(const char *key)
{
    return json_number_value(json_object_get(result, key));
}

#define stepped(text) ck_assert_msg(strstr(steps, (text)) != NULL, "\"%s\" is not in:\n%s", (text), steps)

/* --- phones ------------------------------------------------------------------------------------------------------ */

START_TEST(phones_do_what_is_assumed_of_them)
{
    static const struct {
        const char *assume, *status, *cause;
        double seconds;
    } cases[] = {
        {"{}", "answered", "normal", 63},
        {"{\"202\":\"answered:20\"}", "answered", "normal", 23},
        {"{\"202\":\"busy\"}", "busy", "busy", 0.5},
        {"{\"202\":\"no-answer\"}", "no-answer", "no-answer", 15},
        {"{\"202\":\"rejected\"}", "rejected", "rejected", 3},
        {"{\"202\":\"unreachable\"}", "unreachable", "unreachable", 0},
        {"{\"202\":\"unknown\"}", "failed", "unknown-number", 0},
    };

    write_file("init.lua", LUA(extension("internal", "600", function(call)
        local r = call:dial { to = "202", timeout = 15 }
        log("%s", r.status)
    end)));
    call(cases[_i].assume);
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(result, "log"), 0)), cases[_i].status);
    ck_assert_str_eq(got("cause"), cases[_i].cause);
    ck_assert(number("seconds") > cases[_i].seconds - 0.05 && number("seconds") < cases[_i].seconds + 0.05);
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(result, "dialled"), 0)), "202");
}
END_TEST

START_TEST(nothing_is_recorded_in_a_rehearsal_and_what_would_be_is_told)
{
    write_file("init.lua", LUA(extension("internal", "600", function(call)
        call:record_start { what = "stereo", file = "sales/" .. call.from }
        call:dial { to = "202", timeout = 15 }
        call:record_stop()
        local r = call:record { file = "box/message", beep = true, silence = 2, terminator = "#" }
        log("%s %s", r.file, r.why)
    end)));
    call("{\"202\":\"busy\"}");
    stepped("record_start: sales/201");
    stepped("record_stop");
    stepped("record to box/message");
    stepped("log: nil silence");
}
END_TEST

START_TEST(the_first_of_several_phones_answers_and_all_steps_are_told)
{
    write_file("init.lua", LUA(extension("internal", "600", function(call)
        call:dial { to = { "202", "203", "trunk:carrier" }, timeout = 20 } end)));
    call("{\"202\":\"busy\",\"203\":\"no-answer\",\"trunk:carrier\":\"answered:5\"}");
    ck_assert_str_eq(got("answered_by"), "trunk:carrier");
    ck_assert_str_eq(steps, "0.0 201 calls 600 in context internal\n"
                            "0.0 extension 600 of init.lua:1\n"
                            "0.0 dial 202, 203, trunk:carrier for 20 s\n"
                            "0.5   202: The called phone is busy.\n"
                            "0.5   203 rings\n"
                            "0.5 the caller hears that it rings\n"
                            "0.5   trunk:carrier rings\n"
                            "3.0   trunk:carrier answers\n"
                            "3.0   203: Another phone took the call.\n"
                            "3.0 the caller is connected\n"
                            "8.0   trunk:carrier: The call ended normally.\n"
                            "8.0 → answered\n");
}
END_TEST

START_TEST(states_are_as_assumed)
{
    write_file("init.lua", LUA(extension("internal", "600", function(call)
        log("%s %s %s %s", pbx.state("202"), pbx.state("203"), pbx.state("204"), pbx.state("205"))
    end)));
    call("{\"202\":\"busy\",\"203\":\"unreachable\",\"205\":\"unknown\"}");
    stepped("log: busy unavailable idle nil\n");
}
END_TEST

START_TEST(accounts_that_are_given_are_all_there_are)
{
    write_file("init.lua", LUA(extension("office", "600", function(call)
        local a = pbx.account("202")
        log("%s %s %s %s", call.from_name, call.context, a and a.display_name, pbx.account("999"))
        call:dial { to = "203" }
    end)));
    ck_assert_int_eq(run((struct simulate_config){0}, NULL,
                         "[{\"name\":\"201\",\"display_name\":\"Anna\",\"context\":\"office\"},"
                         "{\"name\":\"202\",\"display_name\":\"Berta\"},{\"name\":\"203\",\"state\":\"unavailable\"}]", NULL), 0);
    stepped("log: Anna office Berta nil\n");
    ck_assert_str_eq(got("cause"), "unreachable");
}
END_TEST

/* --- time -------------------------------------------------------------------------------------------------------- */

START_TEST(the_clock_is_what_is_asked_for_and_goes_on)
{
    struct simulate_config config = {.to = "600"};

    setenv("TZ", "Europe/Berlin", 1);
    write_file("init.lua", LUA(include("hours.lua") extension("internal", "600", function(call)
        log("%s %s", os.date("%Y-%m-%d %H:%M:%S"), is_open { "Mon-Fri 09:00-17:00" })
        call:sleep(90)
        log("%s %d", os.date("%H:%M:%S"), os.time() - os.time { year = 2026, month = 12, day = 25, hour = 16, min = 59 })
        log("%s", is_open { "Mon-Fri 09:00-17:00" })
    end)));
    ck_assert_int_eq(simulate_time("2026-12-25 16:59", &config.at_s), 0);
    ck_assert_int_eq(run(config, NULL, NULL, NULL), 0);
    stepped("log: 2026-12-25 16:59:00 true\n");
    stepped("90.0 log: 17:00:30 90\n");
    stepped("log: false\n");
}
END_TEST

START_TEST(times_are_read_as_people_write_them)
{
    static const char *const good[] = {"2026-12-25 10:00", "2026-12-25 10:00:30", "2026-12-25T10:00"};
    static const char *const bad[] = {"", "tomorrow", "2026-12-25", "10:00", "2026-13-01 10:00", "2026-12-25 25:00",
                                      "2026-12-25 10:00 x"};
    uint64_t t;

    for (size_t i = 0; i < COUNT_OF(good); i++)
        ck_assert_msg(simulate_time(good[i], &t) == 0, "%s", good[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(simulate_time(bad[i], &t) == -EINVAL, "%s", bad[i]);
}
END_TEST

START_TEST(a_caller_types_what_is_assumed_and_sounds_take_no_time)
{
    write_file("init.lua", LUA(
        extension("internal", "600", function(call)
            call:play({ "voicemail/greeting", "hello.wav" })
            call:say{ number = 21 }
            local first, why = call:gather{ prompt = "menu", max = 1, valid = { "1", "2" } }
            local second = call:gather{ prompt = "pin", min = 4, max = 6, tries = 2 }
            local third, reason, typed = call:gather{ prompt = "more", max = 3, timeout = 5 }
            local none, silence = call:gather{ prompt = "more", max = 3, timeout = 5 }
            call:log("%s %s %s %s %s", first, second, third, reason, silence)
            call:tone("busy")
        end)));
    ck_assert_int_eq(run((struct simulate_config){.keys = "2 2580# -", .patience_s = 30}, NULL, NULL, NULL), 0);
    stepped("play voicemail/greeting and more");
    stepped("say 21");
    stepped("gather 1 to 1 keys, playing menu");
    stepped("→ 2580");
    stepped("log: 2 2580 nil nothing nothing");
    stepped("tone busy");
    ck_assert_str_eq(got("cause"), "normal");
    ck_assert_str_eq(got("ended_by"), "caller"); /* the tone has no end */
    ck_assert_str_eq(got("error"), "");
}
END_TEST

START_TEST(what_sounds_and_questions_take_is_checked)
{
    static const char *const wrong[] = {
        "call:play(7)", "call:play('a', { lop = true })", "call:play({ 'a', {} })", "call:say{ number = 1, digits = '2' }",
        "call:say{ }", "call:say{ number = 'x' }", "call:say{ date = 'tomorrow' }", "call:tone('whistle')",
        "call:gather{ max = 0 }", "call:gather{ min = 5, max = 2 }", "call:gather{ valid = '_[1' }",
        "call:gather{ terminator = 'x' }", "call:gather{ propmt = 'a' }", "call:say{ number = 1, language = 'xx' }"};
    char script[300];

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        snprintf(script, sizeof script, "extension('internal', '600', function(call) %s end)", wrong[i]);
        write_file("init.lua", script);
        ck_assert_int_eq(run((struct simulate_config){0}, NULL, NULL, NULL), 0);
        ck_assert_msg(*got("error"), "%s is taken", wrong[i]);
    }
}
END_TEST

START_TEST(a_caller_that_talks_to_nobody_hangs_up_at_last)
{
    struct simulate_config config = {.patience_s = 40};

    write_file("init.lua", LUA(extension("internal", "600", function(call)
        call:on_hangup(function() store.set("over", true) end)
        call:answer()
        call:echo()
    end)
    extension("internal", "601", function(call) while true do call:sleep(1) end end)));
    ck_assert_int_eq(run(config, NULL, NULL, NULL), 0);
    ck_assert_str_eq(got("ended_by"), "caller");
    ck_assert(number("seconds") > 40 && number("seconds") < 41);
    ck_assert(json_is_true(json_object_get(json_object_get(result, "store"), "over")));
    config.to = "601"; /* it goes on for ever, and its steps are steps: a day is the end */
    ck_assert_int_eq(run(config, NULL, NULL, NULL), 0);
    ck_assert(number("seconds") < 24 * 3600 + 10);
}
END_TEST

/* --- scripts ----------------------------------------------------------------------------------------------------- */

START_TEST(a_script_that_fails_is_told_with_file_and_line_and_falls_back)
{
    struct simulate_config config = {.to = "600", .settings = json_pack("{s:s}", "script_fallback", "account:204")};

    write_file("init.lua", "extension('internal', '600', function(call)\n  local x = nil + 1\nend)");
    call(NULL);
    ck_assert_ptr_nonnull(strstr(got("error"), "init.lua:2: "));
    ck_assert_str_eq(got("cause"), "script-error");
    ck_assert_int_eq(run(config, "{\"204\":\"answered:7\"}", NULL, NULL), 0);
    stepped("the script failed: init.lua:2: ");
    ck_assert_str_eq(got("answered_by"), "204");
    json_decref((json_t *)(uintptr_t)config.settings);
}
END_TEST

START_TEST(an_endless_script_is_stopped_here_too)
{
    write_file("init.lua", LUA(extension("internal", "600", function(call) while true do end end)));
    call(NULL);
    ck_assert_ptr_nonnull(strstr(got("error"), "endless loop"));
}
END_TEST

START_TEST(the_database_says_what_it_is_told_to_say)
{
    write_file("init.lua", LUA(extension("internal", "600", function(call)
        local row = db.row("SELECT name, n, f, yes, nothing FROM shop.customer WHERE phone = $1", call.from)
        log("%s %s %s %s %s", row.name, math.type(row.n), row.f, row.yes, row.nothing)
        log("%d %s", #db.query("SELECT a FROM shop.list"), db.row("SELECT a FROM shop.empty"))
        log("%s", select(2, pcall(db.row, "SELECT a FROM shop.broken")))
        log("%s", select(2, pcall(db.row, "SELECT a FROM other")))
    end)));
    ck_assert_int_eq(run((struct simulate_config){0}, NULL, NULL,
                         "{\"shop.customer\":[{\"nothing\":null,\"name\":\"Anna\",\"n\":3,\"f\":0.5,\"yes\":true}],"
                         "\"shop.list\":[{\"a\":1},{\"a\":2}],\"shop.empty\":[],\"shop.broken\":\"it is away\"}"), 0);
    stepped("log: Anna integer 0.5 true nil\n");
    stepped("log: 2 nil\n");
    stepped("db.row: it is away\n");
    stepped("there is no database in a simulation");
}
END_TEST

START_TEST(what_makes_no_sense_is_refused_in_words)
{
    write_file("init.lua", "\nnonsense(");
    ck_assert_int_eq(run((struct simulate_config){0}, NULL, NULL, NULL), -EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "init.lua:2"));
    ck_assert_int_eq(run((struct simulate_config){0}, "{\"202\":\"sleeping\"}", NULL, NULL), -EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "202"));
    remove("init.lua");
    ck_assert_int_eq(simulate_check("/nonexistent", NULL, NULL, why, sizeof why), -EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "/nonexistent"));
}
END_TEST

/* --- a site's own tests ------------------------------------------------------------------------------------------ */

static char told[16384];
static size_t told_used;

static void tested(void *arg, const char *file, const char *name, const char *words)
{
    str_append(told, sizeof told, &told_used, "%s: %s: %s\n", file, name, words ? words : "passed");
}

static struct site_test_result tests(void)
{
    struct site_test_config config = {.dir = dir, .library_dir = library, .tested = tested};
    struct site_test_result numbers;
    int err;

    told_used = 0;
    told[0] = why[0] = '\0';
    err = site_test(&config, &numbers, why, sizeof why);
    if (err)
        str_append(told, sizeof told, &told_used, "error %d: %s\n", err, why);
    return numbers;
}

#define was_told(text) ck_assert_msg(strstr(told, (text)) != NULL, "\"%s\" is not in:\n%s", (text), told)

static void plan_with_tests(const char *text)
{
    char path[100];

    snprintf(path, sizeof path, "%s/tests", dir);
    mkdir(path, 0700);
    write_file("init.lua", LUA(extension("internal", "600", function(call)
        call.vars.who = call:header("Subject") or "nobody"
        local night = store.get("night")
        if night then call:hangup("busy") end
        if db.row("SELECT 1 AS a FROM shop.closed") then call:hangup("rejected") end
        call:dial { to = { "202", "203" } }
    end)));
    write_file("tests/a.lua", text);
}

START_TEST(a_site_tests_where_calls_end)
{
    plan_with_tests("local closed = { ['shop.closed'] = { { a = 1 } } }\n"
                    "local open = { ['shop.closed'] = {} }\n"
                    "test('open', function()\n"
                    "  local r = call { from = '201', to = '600', db = open, assume = { [202] = 'busy' }, headers = { Subject = 'x' } }\n"
                    "  expect(r, { answered_by = '203', vars = { who = 'x' }, dialled = { '202', '203' } })\n"
                    "  expect(r.error, nil)\n"
                    "end)\n"
                    "test('closed', function() expect(call { from = '201', to = '600', db = closed }.cause, 'rejected') end)\n"
                    "test('night', function() expect(call { from = '201', to = '600', store = { night = true } }.cause, 'busy') end)\n");
    write_file("tests/b.lua", "test('other file', function() expect(shared, nil) shared = 1 end)");
    write_file("tests/c.lua", "test('globals are the file\\'s own', function() expect(shared, nil) end)");
    write_file("tests/notes.txt", "no test");
    ck_assert_uint_eq(tests().passed, 5);
    ck_assert_ptr_null(strstr(told, "passed\nerror"));
    ck_assert_uint_eq(tests().failed, 0);
}
END_TEST

START_TEST(a_failed_test_says_what_was_expected_and_shows_the_call)
{
    struct site_test_result numbers;

    plan_with_tests("test('wrong', function()\n"
                    "  expect(call { from = '201', to = '600', store = { night = true } }, { cause = 'normal' })\nend)\n"
                    "test('typo', function() call { form = '201' } end)\n"
                    "test('no call', function() call { from = '201' } end)\n"
                    "test('error', function() local x = nil + 1 end)\n"
                    "test('nested', function() expect({ a = { b = { 1, 2 } } }, { a = { b = { 1, 3 } } }) end)\n"
                    "test('right', function() expect(1, 1) end)\n");
    numbers = tests();
    ck_assert_uint_eq(numbers.failed, 5);
    ck_assert_uint_eq(numbers.passed, 1);
    was_told("a.lua: wrong: tests/a.lua:2: cause is \"busy\", expected \"normal\"\n");
    was_told("0.0  hangup: busy\n");
    was_told("there is no option \"form\"");
    was_told("a call needs who calls and what is dialled");
    was_told("tests/a.lua:6: ");
    was_told("a.b.2 is 2, expected 3");
}
END_TEST

START_TEST(broken_tests_and_missing_ones_are_errors)
{
    plan_with_tests("test('fine', function() end)\nthis is no Lua");
    tests();
    was_told("error -22: tests/a.lua:2: ");
    write_file("tests/a.lua", "while true do end");
    tests();
    was_told("error -22: tests/a.lua:1: ");
    write_file("tests/a.lua", "io.open('/etc/passwd')");
    tests();
    was_told("error -22: tests/a.lua:1: ");
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    mkdir(dir, 0700);
    write_file("init.lua", "");
    tests();
    was_told("error -2: there are no tests: files tests/NAME.lua in ");
}
END_TEST

START_TEST(the_default_dialplan_passes_its_own_tests)
{
    char plan[200];
    struct site_test_config config = {.dir = plan, .library_dir = library, .tested = tested};
    struct site_test_result numbers;

    str_copy(plan, sizeof plan, library);
    told_used = 0;
    ck_assert_msg(site_test(&config, &numbers, why, sizeof why) == 0, "%s", why);
    ck_assert_msg(numbers.failed == 0, "%s", told);
    ck_assert_uint_ge(numbers.passed, 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("simulate");
    TCase *tc = tcase_create("simulate");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, phones_do_what_is_assumed_of_them, 0, 7);
    tcase_add_test(tc, nothing_is_recorded_in_a_rehearsal_and_what_would_be_is_told);
    tcase_add_test(tc, the_first_of_several_phones_answers_and_all_steps_are_told);
    tcase_add_test(tc, states_are_as_assumed);
    tcase_add_test(tc, accounts_that_are_given_are_all_there_are);
    tcase_add_test(tc, the_clock_is_what_is_asked_for_and_goes_on);
    tcase_add_test(tc, times_are_read_as_people_write_them);
    tcase_add_test(tc, a_caller_types_what_is_assumed_and_sounds_take_no_time);
    tcase_add_test(tc, what_sounds_and_questions_take_is_checked);
    tcase_add_test(tc, a_caller_that_talks_to_nobody_hangs_up_at_last);
    tcase_add_test(tc, a_script_that_fails_is_told_with_file_and_line_and_falls_back);
    tcase_add_test(tc, an_endless_script_is_stopped_here_too);
    tcase_add_test(tc, the_database_says_what_it_is_told_to_say);
    tcase_add_test(tc, what_makes_no_sense_is_refused_in_words);
    tcase_add_test(tc, a_site_tests_where_calls_end);
    tcase_add_test(tc, a_failed_test_says_what_was_expected_and_shows_the_call);
    tcase_add_test(tc, broken_tests_and_missing_ones_are_errors);
    tcase_add_test(tc, the_default_dialplan_passes_its_own_tests);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
