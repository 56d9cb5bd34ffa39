/* Loading the dialplan: mistakes and where they are, other files, loading anew, the default dialplan. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "script_fixture.h"

#define LUA(...) #__VA_ARGS__ /* all on line 1 */

// clang-format off

/* --- loading ----------------------------------------------------------------------------------------------------- */

START_TEST(a_mistake_in_the_dialplan_is_named_with_file_and_line)
{
    ck_assert_str_eq(refused("local x\n\nthis is no Lua\n"), "init.lua:3: syntax error near 'is'");
    ck_assert_ptr_nonnull(strstr(refused("\nlocal t = nil\nt.x = 1"), "init.lua:3: "));
    ck_assert_ptr_nonnull(strstr(refused("error({})"), "init.lua:1: "));
    ck_assert_ptr_nonnull(strstr(refused("extension('a', '_[1', print)"), "init.lua:1: "));
    ck_assert_ptr_nonnull(strstr(refused("extension('a', '1', 5)"), "init.lua:1: "));
    write_file("other.lua", "\n\nerror('bad')");
    ck_assert_ptr_nonnull(strstr(refused("include('other.lua')"), "other.lua:3: bad"));
}
END_TEST

START_TEST(a_dialplan_that_is_not_there_is_an_error_of_its_own)
{
    struct script_config config = {.dir = fx.dir};

    ck_assert_int_eq(script_open(fx.pbx, &config, &fx.script, fx.why, sizeof fx.why), -ENOENT);
    ck_assert_ptr_nonnull(strstr(fx.why, fx.dir));
}
END_TEST

START_TEST(include_cannot_leave_the_dialplan_directory)
{
    static const char *const names[] = {"../x.lua", "/etc/passwd", "a/../../x", "..", "", "a/.."};
    char text[100];

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(text, sizeof text, "include('%s')", names[i]);
        ck_assert_msg(strstr(refused(text), "only files inside") != NULL, "%s: %s", names[i], fx.why);
    }
}
END_TEST

START_TEST(include_looks_in_the_dialplan_directory_and_then_in_the_library)
{
    char library[100];
    struct script_config config = {.library_dir = library};

    snprintf(library, sizeof library, "%s/dialplan", getenv("TANDEM_SRC") ? getenv("TANDEM_SRC") : ".");
    write_file("mine.lua", "mine = (mine or 0) + 1");
    load_with("include('hours.lua') include('mine.lua') include('mine.lua')\n" LUA(
                  extension("internal", "1",
                            function(call)
                                log("%d", mine)
                                local wednesday = os.time { year = 2025, month = 1, day = 8, hour = 12 }
                                log("%s", is_open({ "Mon-Fri 09:00-17:00" }, wednesday))
                                log("%s", is_open({ "Sat-Tue 09:00-17:00", "Wed 12:01-13:00" }, wednesday))
                            end)),
              &config);
    dial("1");
    ck_assert_str_eq(fx.heard, "1\ntrue\nfalse\n");
}
END_TEST

START_TEST(files_that_include_each_other_are_loaded_once)
{
    write_file("a.lua", "include('b.lua') log('a')");
    write_file("b.lua", "include('a.lua') log('b')");
    load("include('a.lua')");
}
END_TEST

START_TEST(an_extension_defined_twice_is_refused_with_both_places)
{
    refused("extension('c', '1', function() end)\nextension('c', '1', function() end)");
    ck_assert_ptr_nonnull(strstr(fx.why, "init.lua:1"));
    ck_assert_ptr_nonnull(strstr(fx.why, "init.lua:2"));
}
END_TEST

START_TEST(contexts_include_each_other)
{
    load("local inside = context('internal')\n"
         "inside:include('features', 'more')\n"
         "inside:extension('1', function(call) log('one %s', call.context) call:goto_(call.context, '*9') end)\n"
         "context('features'):extension('_*X', function(call) log('%s in %s', call.extension, call.context) end)\n"
         "extension('more', '2', function(call) log('two') end)\n");
    ck_assert(script_has_extension(fx.script, "internal", "2"));
    ck_assert(!script_has_extension(fx.script, "features", "2"));
    dial("1");
    ck_assert_str_eq(fx.heard, "one internal\n*9 in internal\n"); /* where it was dialled, not where it is defined */
}
END_TEST

START_TEST(mistakes_with_contexts_are_named)
{
    ck_assert_str_eq(refused("\ncontext('a'):include('b')"),
                     "init.lua:2: context \"a\" includes \"b\", and no extension is in that");
    ck_assert_ptr_nonnull(strstr(refused("context('a'):include('a')"), "init.lua:1: context \"a\" cannot include itself"));
    ck_assert_ptr_nonnull(strstr(refused("context('')"), "empty or too long"));
    ck_assert_ptr_nonnull(strstr(refused("context('a'):includes('b')"), "init.lua:1: "));
    ck_assert_ptr_nonnull(strstr(refused("pbx.account('201')"), "init.lua:1: pbx.account() works only in a call"));
    load("extension('internal', '1', function(call) context('x') end)");
    dial("1");
    heard("ERROR init.lua:1: context() works only while the dialplan is loaded");
}
END_TEST

static bool has(const char *number)
{
    return fx.pbx->script_ops->has(fx.script, "internal", number);
}

START_TEST(an_extension_says_what_there_is_behind_its_pattern)
{
    load("local function one(n) return n == '1' end\n"
         "extension('internal', '_.', function(call) log('ran') end, one)\n"
         "context('internal'):extension('_2X', function(call) end, function(n) return n == '22' end)\n"
         "extension('internal', '_3.', function(call) end)\n"
         "extension('internal', '_!', function(call) end)\n");
    ck_assert(has("1") && has("22") && has("34"));
    ck_assert(!has("9") && !has("23"));
    ck_assert(!fx.pbx->script_ops->has(fx.script, "outside", "1"));
    ck_assert(fx.pbx->script_ops->knows(fx.script, "internal", "1"));
    ck_assert(!fx.pbx->script_ops->knows(fx.script, "internal", "9"));
    ck_assert_str_eq(fx.heard, "");
    dial("9"); /* who dials it all the same learns more */
    ck_assert_str_eq(fx.heard, "ran\n");
}
END_TEST

/* Nothing can be told then, and nothing is refused. */
START_TEST(an_extension_that_cannot_say_what_there_is_has_everything_and_holds_nobody_up)
{
    load("extension('internal', '_1.', function() end, function(n) error('broken') end)\n"
         "extension('internal', '_2.', function() end, function(n) while true do end end)\n"
         "extension('internal', '_3.', function() end, function(n) local t = {} while true do t[#t + 1] = ('x'):rep(1e5) .. #t end end)\n"
         "extension('internal', '_4.', function() end, function(n) seen = n end)\n"
         "extension('internal', '_5.', function() end, function(n) return pbx.notify('201', 'check-sync') end)\n"
         "extension('internal', '_6.', function() end, function(n) return coroutine.yield() end)\n"
         "extension('internal', '7', function(call) log('%s', tostring(seen)) end)\n");
    for (char number[] = "10"; number[0] < '7'; number[0]++)
        ck_assert_msg(has(number), "%s", number);
    dial("7");
    ck_assert_str_eq(fx.heard, "nil\n");
    script_close(fx.script);
    fx.script = NULL;
    refused("extension('internal', '_.', function() end, 'everything')");
    ck_assert_ptr_nonnull(strstr(fx.why, "init.lua:1"));
}
END_TEST

START_TEST(a_check_says_what_is_wrong_and_changes_nothing)
{
    load("extension('internal', '1', function(call) log('old') end)");
    write_file("init.lua", "extension('internal', '1', function(call) log('new') end)");
    ck_assert_int_eq(check(), 0);
    dial("1");
    ck_assert_str_eq(fx.heard, "old\n");
    write_file("init.lua", "\n\nextension('internal')");
    ck_assert_int_eq(check(), -EINVAL);
    ck_assert_ptr_nonnull(strstr(fx.why, "init.lua:3"));
    ck_assert_uint_eq(obj_live("script-state"), 1);
}
END_TEST

START_TEST(a_start_with_a_broken_dialplan_takes_the_one_that_worked_last)
{
    char copy[100];
    struct script_config config = {.dir = fx.dir, .copy_path = copy};

    snprintf(copy, sizeof copy, "%s/copy", fx.dir);
    write_file("other.lua", "function answer() return 'old' end");
    load_with("include('other.lua') extension('internal', '1', function(call) log(answer()) end)", &config);
    ck_assert_str_eq(script_problem(fx.script), "");
    script_close(fx.script);
    while (access(copy, R_OK) < 0) /* a worker writes it */
        loop_turn(fx.loop, 10);
    loop_turn(fx.loop, 10);
    write_file("other.lua", "nonsense(");
    ck_assert_int_eq(script_open(fx.pbx, &config, &fx.script, fx.why, sizeof fx.why), 0);
    ck_assert_ptr_nonnull(strstr(script_problem(fx.script), "other.lua:1"));
    dial("1");
    ck_assert_str_eq(fx.heard, "old\n");
    write_file("other.lua", "function answer() return 'new' end");
    ck_assert_int_eq(reload(), 0);
    ck_assert_str_eq(script_problem(fx.script), "");
    dial("1");
    ck_assert_str_eq(fx.heard, "old\nnew\n");
    loop_turn(fx.loop, 50);
}
END_TEST

START_TEST(a_copy_that_is_no_good_changes_nothing)
{
    char copy[100];
    struct script_config config = {.dir = fx.dir, .copy_path = copy};
    static const char *const bad[] = {"", "{", "{\"version\":2,\"files\":{\"init.lua\":\"\"}}", "{\"version\":1}",
                                      "{\"version\":1,\"files\":{}}", "{\"version\":1,\"files\":{\"init.lua\":\"nonsense(\"}}"};

    snprintf(copy, sizeof copy, "%s/copy", fx.dir);
    write_file("init.lua", "broken(");
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        write_file("copy", bad[i]);
        ck_assert_int_eq(script_open(fx.pbx, &config, &fx.script, fx.why, sizeof fx.why), -EINVAL);
        ck_assert_ptr_nonnull(strstr(fx.why, "init.lua:1"));
    }
    fx.script = NULL;
}
END_TEST

static int closed_with;

static void closed(void *arg, const struct script_summary *summary)
{
    closed_with = summary->result;
}

START_TEST(a_switch_that_stops_during_a_reload_leaves_nothing_behind)
{
    load("extension('internal', '1', function(call) end)");
    ck_assert_int_eq(script_load(fx.script, true, closed, NULL), 0);
    script_close(fx.script);
    fx.script = NULL;
    ck_assert_int_eq(closed_with, -ECANCELED);
    while (obj_live("script-state"))
        loop_turn(fx.loop, 10);
}
END_TEST

START_TEST(a_bad_reload_keeps_the_old_dialplan)
{
    load("extension('internal', '1', function(call) log('old') end)");
    write_file("init.lua", "extension('internal', '1', function(call) log('new') end)\nnonsense(");
    ck_assert_int_eq(reload(), -EINVAL);
    ck_assert_ptr_nonnull(strstr(fx.why, "init.lua:2"));
    dial("1");
    ck_assert_str_eq(fx.heard, "old\n");
}
END_TEST

START_TEST(a_running_call_finishes_with_the_dialplan_it_began_with)
{
    struct call *old;

    load("answer = 'old' extension('internal', '1', function(call) call:sleep(1) log(answer) end)");
    old = dial("1");
    write_file("init.lua", "extension('internal', '1', function(call) log('new') end)");
    ck_assert_int_eq(reload(), 0);
    ck_assert_uint_eq(obj_live("script-state"), 2);
    dial("1");
    advance_ms(1000);
    ck_assert_str_eq(fx.heard, "new\nold\n");
    ck_assert(leg_over(old));
    ck_assert_uint_eq(obj_live("script-state"), 1);
}
END_TEST

START_TEST(the_default_dialplan_calls_accounts_and_refuses_unknown_numbers)
{
    char dir[200], library[220];
    struct script_config config = {.dir = dir, .library_dir = library};
    struct call *call;

    snprintf(dir, sizeof dir, "%s/dialplan", getenv("TANDEM_SRC") ? getenv("TANDEM_SRC") : ".");
    str_copy(library, sizeof library, dir);
    ck_assert_msg(script_open(fx.pbx, &config, &fx.script, fx.why, sizeof fx.why) == 0, "%s", fx.why);
    ck_assert(script_has_extension(fx.script, "internal", "*43"));
    ck_assert(!script_has_extension(fx.script, "outside", "201"));
    ck_assert(has("201") && has("*43") && has("*21*0301234567"));
    ck_assert(!has("202"));
    call = dial("201");
    ck_assert_str_eq(fx.last_target, "201");
    ck_assert_int_eq(call->cause, CAUSE_UNREACHABLE);
    call = dial("202");
    ck_assert_int_eq(call->cause, CAUSE_UNKNOWN_NUMBER);
    ck_assert_uint_eq(fx.dialled, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("script_load");
    TCase *loading = tcase_create("loading");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(loading, fixture_open, fixture_close);
    tcase_add_test(loading, a_mistake_in_the_dialplan_is_named_with_file_and_line);
    tcase_add_test(loading, a_dialplan_that_is_not_there_is_an_error_of_its_own);
    tcase_add_test(loading, include_cannot_leave_the_dialplan_directory);
    tcase_add_test(loading, include_looks_in_the_dialplan_directory_and_then_in_the_library);
    tcase_add_test(loading, files_that_include_each_other_are_loaded_once);
    tcase_add_test(loading, an_extension_defined_twice_is_refused_with_both_places);
    tcase_add_test(loading, contexts_include_each_other);
    tcase_add_test(loading, mistakes_with_contexts_are_named);
    tcase_add_test(loading, an_extension_says_what_there_is_behind_its_pattern);
    tcase_add_test(loading, an_extension_that_cannot_say_what_there_is_has_everything_and_holds_nobody_up);
    tcase_add_test(loading, a_check_says_what_is_wrong_and_changes_nothing);
    tcase_add_test(loading, a_switch_that_stops_during_a_reload_leaves_nothing_behind);
    tcase_add_test(loading, a_start_with_a_broken_dialplan_takes_the_one_that_worked_last);
    tcase_add_test(loading, a_copy_that_is_no_good_changes_nothing);
    tcase_add_test(loading, a_bad_reload_keeps_the_old_dialplan);
    tcase_add_test(loading, a_running_call_finishes_with_the_dialplan_it_began_with);
    tcase_add_test(loading, the_default_dialplan_calls_accounts_and_refuses_unknown_numbers);
    suite_add_tcase(suite, loading);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
