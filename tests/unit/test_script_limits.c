/* What a script cannot do: run for ever, take all memory, see other calls, reach files or its own cage. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <stdio.h>
#include <time.h>

#include "script/script-priv.h"
#include "script_fixture.h"

#ifdef TANDEM_SANITIZED
#define LONGEST_MS 250 /* our own C is several times slower there */
#else
#define LONGEST_MS 50
#endif

#define LUA(...) #__VA_ARGS__ /* all on line 1 */

// clang-format off

/* Loads one extension "1" with this body and calls it. */
static struct call *ran(const char *body)
{
    static char text[4096];

    snprintf(text, sizeof text, "extension('internal', '1', function(call)\n%s\nend)\n", body);
    if (fx.script)
        script_close(fx.script);
    fx.script = NULL;
    fx.heard[0] = '\0';
    load(text);
    return dial("1");
}

/* --- time -------------------------------------------------------------------------------------------------------- */

START_TEST(an_endless_loop_is_stopped_and_names_file_and_line)
{
    struct call *call = ran("local i = 0\nwhile true do\ni = i + 1\nend log('after')");

    ck_assert_int_eq(call->cause, CAUSE_SCRIPT_ERROR);
    ck_assert_msg(strstr(fx.heard, "init.lua:3: ") || strstr(fx.heard, "init.lua:4: "), "%s", fx.heard);
    heard("endless loop");
    not_heard("after");
}
END_TEST

START_TEST(no_protected_call_can_swallow_the_end_of_an_endless_loop)
{
    static const char *const bodies[] = {
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
        "while true do pcall(coroutine.wrap(function() pcall(function() while true do end end) end)) end",
        "while true do pcall(error) end",
        "while true do coroutine.wrap(function() end)() end",
        "local function f() pcall(f) f() end while true do pcall(f) end",
        "while true do local x <close> = setmetatable({}, { __close = function() while true do end end }) end",
        "pcall(string.gsub, 'x', 'x', function() while true do end end) while true do end",
        "pcall(table.sort, { 1, 2, 3 }, function() while true do end end) while true do end",
        "local t = setmetatable({}, { __index = function() while true do end end }) while true do pcall(function() return t.x end) end",
        "local co co = coroutine.wrap(function() while true do pcall(coroutine.yield) end end) while true do co() end",
    };

    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct call *call = ran(bodies[i]);

        ck_assert_msg(call->cause == CAUSE_SCRIPT_ERROR, "%s", bodies[i]);
        ck_assert_msg(strstr(fx.heard, "ERROR init.lua:2: ") != NULL, "%s: %s", bodies[i], fx.heard);
    }
}
END_TEST

START_TEST(an_endless_loop_while_loading_is_stopped)
{
    ck_assert_ptr_nonnull(strstr(refused("local x\nwhile true do pcall(error) end"), "init.lua:2: more than"));
}
END_TEST

START_TEST(work_done_in_c_counts_too)
{
    static const char *const bodies[] = {
        "local s = ('a'):rep(200000) while true do s:find(('.-'):rep(20) .. 'b') end",
        "while true do ('x'):rep(200000) end",
        "local s = ('a'):rep(200000) while true do local t = s:upper() end",
        "local s = ('a'):rep(200000) while true do s:find('b', 1, true) end",
        "local s, t = ('a'):rep(200000), ('a'):rep(200000) while true do local b = s == t end",
        "local t = {} for i = 1, 10000 do t[i] = i end while true do table.concat(t) end",
        "local t = {} for i = 1, 10000 do t[i] = 1 end while true do table.sort(t) end",
        "local t = {} for i = 1, 10000 do t[i] = 1 end while true do select('#', table.unpack(t)) end",
        "while true do log('x') end",
        "while true do local t = {} for i = 1, 100 do t[i] = {} end end",
    };

    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        uint64_t began = (uint64_t)clock();
        struct call *call = ran(bodies[i]);

        ck_assert_msg(call->cause == CAUSE_SCRIPT_ERROR, "%s", bodies[i]);
        ck_assert_msg((uint64_t)clock() - began < 3 * (uint64_t)CLOCKS_PER_SEC, "%s", bodies[i]);
        fx.heard[0] = '\0';
    }
}
END_TEST

static double cpu_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* What every other call has to wait for it, whatever it does. */
START_TEST(no_script_keeps_the_switch_longer_than_fifty_milliseconds)
{
    static const char *const bodies[] = {
        "while true do end",
        "while true do pcall(error) end",
        "while true do ('x'):rep(1 << 30) end",
        "while true do local t = ('x'):rep(250000) end",
        "while true do pcall(string.rep, 'x', 1 << 30) end",
        "local s = ('a'):rep(250000) while true do pcall(string.find, s, ('.-'):rep(20) .. 'b') end",
        "local s = ('a'):rep(100000) while true do s = s:gsub('a', 'b') end",
        "local f = ('%s'):rep(100) local x = ('y'):rep(2500) local t = {} for i = 1, 100 do t[i] = x end "
        "while true do local s = f:format(table.unpack(t)) end",
        "local t = {} while true do pcall(function() while true do t[#t + 1] = {} end end) end",
        "local t = {} while true do pcall(function() while true do t[#t + 1] = coroutine.create(print) end end) end",
        "local function f() return f() + 1 end while true do pcall(f) end",
        "local function f() return pcall(f) end f() while true do end",
        "local m = {} m.__index = function(t, k) return t[k + 1] end local t = setmetatable({}, m) local x = t[1]",
        "local m = {} m.__index = setmetatable({}, m) local t = setmetatable({}, m) for i = 1, 1000 do pcall(function() return t.x end) end while true do end",
        "local m = {} m.__eq = function(a, b) return a == setmetatable({}, m) end return setmetatable({}, m) == setmetatable({}, m)",
        "local m = {} m.__concat = function(a, b) return a .. b end return setmetatable({}, m) .. 'x'",
        "local t = {} for i = 1, 40000 do t[i] = (i * 7919) % 40000 end while true do table.sort(t, function(a, b) return a > b end) end",
        "local t = {} for i = 1, 40000 do t[i] = 'x' end while true do local s = table.concat(t) end",
        "while true do os.date(('%c'):rep(100)) end",
        "local s = ('x'):rep(250000) while true do local n = utf8.len(s) end",
        "local s = ('x'):rep(250000) while true do local n = s:upper():lower():reverse() end",
        "while true do call.vars.x = ('x'):rep(500) end",
        "while true do for k in pairs(call.vars) do end pbx.state('201') call:header('Subject') end",
        "while true do coroutine.wrap(function() while true do coroutine.yield() end end)() end",
    };
    double worst = 0;

    ran("return"); /* the dialplan's own loading is no part of it */
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        static char text[2048];
        double began;
        struct call *call;

        snprintf(text, sizeof text, "extension('internal', '1', function(call)\n%s\nend)\n", bodies[i]);
        script_close(fx.script);
        fx.script = NULL;
        fx.heard[0] = '\0';
        load(text);
        began = cpu_ms();
        call = dial("1");
        began = cpu_ms() - began;
        if (began > worst)
            worst = began;
        ck_assert_msg(call->cause == CAUSE_SCRIPT_ERROR, "%s: %s", bodies[i], fx.heard);
        ck_assert_msg(strstr(fx.heard, "ERROR init.lua:2: ") != NULL, "%s: %s", bodies[i], fx.heard);
        ck_assert_msg(began < LONGEST_MS, "%.1f ms: %s", began, bodies[i]);
        ck_assert_uint_lt(fx.script->state->heap.used, 3 * 1024 * 1024);
    }
    printf("the longest was %.1f ms\n", worst);
}
END_TEST

/* Every call to it is one more delay for all others. */
START_TEST(an_extension_that_is_stopped_again_and_again_gets_a_tenth_of_the_time)
{
    double took[6];

    load(LUA(extension("internal", "1", function(call) local s = ("x"):rep(200000) while true do s:upper() end end)
             extension("internal", "2", function(call) for i = 1, 300000 do end log("fine") end)));
    for (int i = 0; i < 6; i++) {
        double began = cpu_ms();

        ck_assert_int_eq(dial("1")->cause, CAUSE_SCRIPT_ERROR);
        took[i] = cpu_ms() - began;
    }
    ck_assert_msg(took[5] < took[0] / 3, "first %.1f ms, then %.1f ms", took[0], took[5]);
    dial("2");
    heard("fine\n"); /* others have theirs */
    write_file("init.lua", "extension('internal', '1', function(call) for i = 1, 300000 do end log('mended') end)");
    ck_assert_int_eq(reload(), 0);
    dial("1");
    heard("mended\n");
}
END_TEST

START_TEST(table_functions_cannot_be_lied_to_about_lengths)
{
    static const char *const bodies[] = {
        "table.move({}, 1, math.maxinteger - 1, 2)",
        "table.insert(setmetatable({}, { __len = function() return math.maxinteger - 1 end }), 1, 'x')",
        "table.remove(setmetatable({}, { __len = function() return 1 << 52 end }), 1)",
        "local t = {} for i = 0, 61 do t[1 << i] = 1 end t[3] = 1 table.insert(t, 1, 'x') while true do end",
        "table.concat(setmetatable({}, { __index = function() return '' end }), '', 1, 1 << 40)",
        "table.unpack({}, 1, 1 << 30)",
    };

    for (size_t i = 0; i < COUNT_OF(bodies); i++)
        ck_assert_msg(ran(bodies[i])->cause == CAUSE_SCRIPT_ERROR, "%s", bodies[i]);
}
END_TEST

START_TEST(a_script_ends_when_it_has_run_too_long)
{
    struct script_config limits = {.max_run_s = 60};
    struct call *call;

    load_with("extension('internal', '1', function(call)\n  while true do\n    pcall(call.sleep, call, 7)\n  end\nend)", &limits);
    call = dial("1");
    advance_ms(59000);
    ck_assert(!leg_over(call));
    advance_ms(1000);
    ck_assert_int_eq(call->cause, CAUSE_SCRIPT_ERROR);
    heard("ERROR init.lua:3: the script ran longer than 60 s");
}
END_TEST

START_TEST(a_script_that_waits_gets_a_new_allowance)
{
    struct call *call = ran("for i = 1, 30 do for j = 1, 100000 do end call:sleep(1) end log('done')");

    for (int i = 0; i < 30; i++)
        advance_ms(1000);
    heard("done\n");
    ck_assert_int_eq(call->cause, CAUSE_NORMAL);
}
END_TEST

START_TEST(endless_gotos_are_an_endless_loop)
{
    ck_assert_int_eq(ran("call:goto_('internal', '1')")->cause, CAUSE_SCRIPT_ERROR);
    heard("endless loop");
}
END_TEST

/* --- memory ------------------------------------------------------------------------------------------------------ */

START_TEST(no_string_or_table_can_eat_the_memory)
{
    static const char *const bodies[] = {
        "local s = ('x'):rep(1 << 40)",
        "local s = ('x'):rep(1 << 62, 'yy')",
        "local s = ('x'):rep(1000, ('y'):rep(250000))",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = {} end",
        "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end",
        "local function f() return f() + 1 end f()",
        "local t = { ('x'):rep(200000) } for i = 2, 40 do t[i] = t[1] end table.concat(t)",
        "('x'):rep(200000):gsub('x', ('y'):rep(1000))",
        "local t = {} while true do t = { t, coroutine.create(function() end) } end",
        "string.format(('%s'):rep(50), table.unpack(setmetatable({}, {__index = function() return ('x'):rep(200000) end}), 1, 50))",
    };

    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct call *call = ran(bodies[i]);

        ck_assert_msg(call->cause == CAUSE_SCRIPT_ERROR, "%s", bodies[i]);
        ck_assert_msg(strstr(fx.heard, "init.lua:2: ") != NULL, "%s: %s", bodies[i], fx.heard);
        ck_assert_uint_lt(fx.script->state->heap.used, 3 * 1024 * 1024);
    }
}
END_TEST

START_TEST(the_memory_of_a_call_comes_back_when_it_ends)
{
    struct heap *heap;
    size_t before;

    load(LUA(extension("internal", "1", function(call)
        mine = {}
        for i = 1, 3000 do mine[i] = { i } end
        call:on_hangup(function() mine[1] = coroutine.create(print) end)
        call:sleep(100)
    end)));
    heap = &fx.script->state->heap;
    caller_hangs_up(dial("1"));
    lua_gc(fx.script->state->L, LUA_GCCOLLECT);
    before = heap->used;
    for (int i = 0; i < 10; i++) {
        struct call *call = dial("1");

        ck_assert_uint_gt(call->script->guard.budget->used, 3000 * 50);
        caller_hangs_up(call);
    }
    lua_gc(fx.script->state->L, LUA_GCCOLLECT);
    ck_assert_uint_le(heap->used, before + 2000);
}
END_TEST

START_TEST(one_call_out_of_memory_does_not_hurt_another)
{
    load(LUA(extension("internal", "1", function(call) local t = {} call:sleep(1) for i = 1, 3000 do t[i] = { i } end log("fine") end)
             extension("internal", "2", function(call) local t = {} while true do t = { t } end end)));
    dial("1");
    ck_assert_int_eq(dial("2")->cause, CAUSE_SCRIPT_ERROR);
    heard("not enough memory");
    advance_ms(1000);
    heard("fine\n");
}
END_TEST

START_TEST(the_state_as_a_whole_has_a_limit_and_calls_go_on_below_it)
{
    struct script_config limits = {.memory_limit = 2 * 1024 * 1024, .call_memory_limit = 512 * 1024};
    unsigned failed = 0;

    load_with(LUA(extension("internal", "1", function(call)
        local t = {}
        for i = 1, 3000 do t[i] = { i } end
        call:sleep(10)
    end)), &limits);
    for (int i = 0; i < 10; i++)
        failed += leg_over(dial("1"));
    ck_assert_uint_gt(failed, 0);
    ck_assert_uint_lt(failed, 10);
    ck_assert_uint_le(fx.script->state->heap.used, limits.memory_limit);
    for (unsigned i = 0; i < fx.call_count; i++)
        caller_hangs_up(fx.calls[i]);
    ck_assert(!leg_over(dial("1")));
}
END_TEST

/* --- walls ------------------------------------------------------------------------------------------------------- */

START_TEST(globals_of_one_call_are_not_seen_by_another)
{
    load(LUA(shared = "from the file"
             extension("internal", "1", function(call)
                 log("%s %s", mine, shared)
                 mine = call.from
                 shared = "changed"
                 _G.other = 1
                 call:sleep(1)
                 log("%s %s %s", mine, shared, other)
             end)));
    dial("1");
    dial("1");
    ck_assert_str_eq(fx.heard, "nil from the file\nnil from the file\n");
    fx.heard[0] = '\0';
    advance_ms(1000);
    ck_assert_str_eq(fx.heard, "100 changed 1\n100 changed 1\n");
}
END_TEST

START_TEST(a_call_object_works_in_its_own_call_only)
{
    load(LUA(local kept, co
             extension("internal", "1", function(call)
                 kept = call
                 co = coroutine.create(function() call:sleep(1) log("slept") end)
                 coroutine.resume(co)
             end)
             extension("internal", "2", function(call) kept:hangup("busy") end)
             extension("internal", "3", function(call) log("%s %s", coroutine.resume(co)) end)));
    dial("1");
    ck_assert_int_eq(dial("2")->cause, CAUSE_SCRIPT_ERROR);
    heard("belongs to another call");
    ck_assert(!leg_over(fx.calls[0]));
    dial("3");
    heard("false init.lua:1: this coroutine waits in another call\n");
    advance_ms(1000);
    not_heard("slept");
}
END_TEST

START_TEST(dangerous_names_do_not_exist)
{
    ran("for _, n in ipairs { 'io', 'package', 'require', 'load', 'loadstring', 'loadfile', 'dofile', 'debug', 'collectgarbage', 'warn' } do\n"
        "  if _G[n] ~= nil then log(n) end end\n"
        "for _, n in ipairs { 'execute', 'exit', 'getenv', 'remove', 'rename', 'setlocale', 'tmpname' } do\n"
        "  if os[n] ~= nil then log('os.' .. n) end end\n"
        "for _, n in ipairs { 'dump', 'pack', 'unpack' } do if string[n] ~= nil then log('string.' .. n) end end\n"
        "if math.randomseed or coroutine.close then log('more') end");
    ck_assert_str_eq(fx.heard, "");
}
END_TEST

START_TEST(what_all_calls_share_cannot_be_changed)
{
    static const char *const bodies[] = {
        "string.find = nil", "rawset(string, 'x', 1)", "setmetatable(string, {})", "getmetatable('').__index = {}",
        "rawset(_G, 'x', 1)", "setmetatable(_G, {})", "table.insert(string, 'x')", "pbx.account = nil",
        "getmetatable(call).__index = nil", "setmetatable({}, { __gc = print })", "extension('a', 'b', print)",
        "include('init.lua')", "coroutine.yield()", "table.move({ 1 }, 1, 1, 1, string)",
    };

    for (size_t i = 0; i < COUNT_OF(bodies); i++)
        ck_assert_msg(ran(bodies[i])->cause == CAUSE_SCRIPT_ERROR, "%s", bodies[i]);
    ran("string, log_ = nil, log log_('%s', ('x'):upper())");
    ck_assert_str_eq(fx.heard, "X\n");
}
END_TEST

START_TEST(the_string_functions_do_what_lua_s_do)
{
    ran("local function show(...) local t = table.pack(...) for i = 1, t.n do t[i] = tostring(t[i]) end log(table.concat(t, ',')) end\n"
        "show(('hello'):find('l')) show(('hello'):find('xyz')) show(('hello'):find('')) show(('hello'):find('', 10))\n"
        "show(('hello'):find('l', -2)) show(('a.b'):find('.', 2, true)) show(('k=v'):find('(%w)=(%w)'))\n"
        "show(('k=v'):match('(%w)=(%w)')) show(('2024-05'):match('^(%d+)-(%d+)$')) show(('abc'):match('()b()'))\n"
        "for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do show(k, v) end\n"
        "for w in ('one two'):gmatch('%a*') do show(w) end\n"
        "show(('hello world'):gsub('o', '0')) show(('hello'):gsub('', '-')) show(('abc'):gsub('%w', '%0%0', 2))\n"
        "show(('hello world'):gsub('(%w+) (%w+)', '%2 %1')) show(('$name!'):gsub('%$(%w+)', { name = 'x' }))\n"
        "show(('abc'):gsub('b', function() return nil end)) show(('aaa'):gsub('^a', 'b')) show(('ab'):rep(3, '-'))\n"
        "show(('abc'):gsub('()', '%1')) show(pcall(string.gsub, 'x', 'x', '%2')) show(('a,b,,c'):gsub(',', ';'))\n");
    ck_assert_str_eq(fx.heard,
                     "3,3\nnil\n1,0\nnil\n4,4\n2,2\n1,3,k,v\nk,v\n2024,05\n2,3\na,1\nb,2\none\ntwo\n"
                     "hell0 w0rld,2\n-h-e-l-l-o-,6\naabbc,2\nworld hello,1\nx!,1\nabc,1\nbaa,1\nab-ab-ab\n1a2b3c4,4\n"
                     "false,invalid capture index %2\na;b;;c,3\n");
}
END_TEST

START_TEST(coroutines_behave_as_in_lua)
{
    ran("local co = coroutine.create(function(a, b) local c = coroutine.yield(a + b) error('x' .. c, 0) end)\n"
        "log('%s %s', coroutine.resume(co, 1, 2)) log('%s %s', coroutine.resume(co, 5)) log('%s %s', coroutine.resume(co))\n"
        "log('%s', coroutine.status(co)) log('%s %s', coroutine.resume(coroutine.running()))\n"
        "log('%s %s', pcall(coroutine.wrap(function() error('w', 0) end)))\n"
        "log('%s %s', xpcall(function(a) error(a, 0) end, function(e) return e .. '!' end, 'h'))\n"
        "log('%s %d %d', xpcall(function(...) return ... end, print, 1, 2)) log('%s %d', select('#', pcall(error)), 1)\n"
        "local c = coroutine.wrap(function() local x <close> = setmetatable({}, { __close = function() log('closed') end }) error('e', 0) end)\n"
        "log('%s %s', pcall(c))");
    ck_assert_str_eq(fx.heard, "true 3\nfalse x5\nfalse cannot resume a coroutine that has ended\ndead\n"
                               "false cannot resume a coroutine that is not suspended\nfalse w\nfalse h!\ntrue 1 2\n2 1\n"
                               "closed\nfalse e\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("script_limits");
    TCase *limits = tcase_create("time"), *memory = tcase_create("memory"), *walls = tcase_create("walls");
    SRunner *runner;
    int failed;

    tcase_set_timeout(limits, 60);
    tcase_add_checked_fixture(limits, fixture_open, fixture_close);
    tcase_add_test(limits, an_endless_loop_is_stopped_and_names_file_and_line);
    tcase_add_test(limits, no_protected_call_can_swallow_the_end_of_an_endless_loop);
    tcase_add_test(limits, an_endless_loop_while_loading_is_stopped);
    tcase_add_test(limits, work_done_in_c_counts_too);
    tcase_add_test(limits, no_script_keeps_the_switch_longer_than_fifty_milliseconds);
    tcase_add_test(limits, an_extension_that_is_stopped_again_and_again_gets_a_tenth_of_the_time);
    tcase_add_test(limits, table_functions_cannot_be_lied_to_about_lengths);
    tcase_add_test(limits, a_script_ends_when_it_has_run_too_long);
    tcase_add_test(limits, a_script_that_waits_gets_a_new_allowance);
    tcase_add_test(limits, endless_gotos_are_an_endless_loop);
    suite_add_tcase(suite, limits);
    tcase_set_timeout(memory, 60);
    tcase_add_checked_fixture(memory, fixture_open, fixture_close);
    tcase_add_test(memory, no_string_or_table_can_eat_the_memory);
    tcase_add_test(memory, the_memory_of_a_call_comes_back_when_it_ends);
    tcase_add_test(memory, one_call_out_of_memory_does_not_hurt_another);
    tcase_add_test(memory, the_state_as_a_whole_has_a_limit_and_calls_go_on_below_it);
    suite_add_tcase(suite, memory);
    tcase_set_timeout(walls, 30);
    tcase_add_checked_fixture(walls, fixture_open, fixture_close);
    tcase_add_test(walls, globals_of_one_call_are_not_seen_by_another);
    tcase_add_test(walls, a_call_object_works_in_its_own_call_only);
    tcase_add_test(walls, dangerous_names_do_not_exist);
    tcase_add_test(walls, what_all_calls_share_cannot_be_changed);
    tcase_add_test(walls, the_string_functions_do_what_lua_s_do);
    tcase_add_test(walls, coroutines_behave_as_in_lua);
    suite_add_tcase(suite, walls);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
