/* The dialplan at work: what its verbs do to a call, and what a hangup does to it. */
#include <stdio.h>

#include "call/vars.h"
#include "script_fixture.h"

#define LUA(...) #__VA_ARGS__ /* all on line 1 */

// clang-format off

/* --- verbs ------------------------------------------------------------------------------------------------------- */

START_TEST(an_extension_that_does_not_exist_starts_nothing)
{
    struct call *call;

    load("extension('internal', '_2XX', function(call) log('ran') end)");
    call = dial("300");
    ck_assert_int_eq(call->cause, CAUSE_UNKNOWN_NUMBER);
    ck_assert_str_eq(fx.heard, "");
}
END_TEST

START_TEST(the_call_object_tells_who_calls_whom)
{
    char id[UUID_TEXT], line[200];
    struct call *call;

    load(LUA(extension("internal", "_2X",
                       function(call) call:log("%s %s %s %s %s %s %s", call.from, call.from_name, call.to,
                                               call.extension, call.context, call.account, call.id) end)));
    call = dial("25");
    snprintf(line, sizeof line, "100 Anna 25 25 internal nil %s\n", call_id_text(call, id));
    ck_assert_str_eq(fx.heard, line);
}
END_TEST

START_TEST(a_misspelt_field_or_option_is_an_error)
{
    load(LUA(extension("internal", "1", function(call) log(call.form) end)
             extension("internal", "2", function(call) call.x = 1 end)
             extension("internal", "3", function(call) call:dial { to = "201", tiemout = 5 } end)
             extension("internal", "4", function(call) call:hangup("bussy") end)));
    dial("1");
    heard("no field or function \"form\"");
    dial("2");
    heard("fields of a call cannot be set");
    dial("3");
    heard("no option \"tiemout\"");
    dial("4");
    heard("no cause \"bussy\"");
}
END_TEST

START_TEST(an_error_ends_the_call_and_names_file_and_line)
{
    struct call *call;

    load("extension('internal', '1', function(call)\n  local t = nil\n  t.x = 1\nend)");
    call = dial("1");
    ck_assert_int_eq(call->cause, CAUSE_SCRIPT_ERROR);
    ck_assert_int_eq(call->who, WHO_SCRIPT);
    heard("ERROR init.lua:3: ");
    ck_assert_ptr_nonnull(strstr(call->detail, "init.lua:3: "));
}
END_TEST

START_TEST(a_script_that_returns_hangs_up_what_is_left)
{
    struct call *call;

    load("extension('internal', '1', function(call) call:ring() end)");
    call = dial("1");
    ck_assert(leg_over(call));
    ck_assert_int_eq(call->cause, CAUSE_NORMAL);
    ck_assert_int_eq(call->who, WHO_SCRIPT);
}
END_TEST

START_TEST(hangup_gives_its_cause_and_nothing_runs_after_it)
{
    struct call *call;

    load(LUA(extension("internal", "1", function(call) call:hangup("busy") log("after") end)));
    call = dial("1");
    ck_assert_int_eq(call->cause, CAUSE_BUSY);
    ck_assert_int_eq(call->final_status, 486);
    ck_assert_str_eq(fx.heard, "");
}
END_TEST

START_TEST(sleep_waits_its_time_and_other_calls_go_on)
{
    load(LUA(extension("internal", "1", function(call) call:sleep(1.5) log("woke") end)
             extension("internal", "2", function(call) log("two") end)));
    dial("1");
    dial("2");
    advance_ms(1499);
    ck_assert_str_eq(fx.heard, "two\n");
    advance_ms(1);
    ck_assert_str_eq(fx.heard, "two\nwoke\n");
}
END_TEST

START_TEST(echo_lasts_until_the_caller_hangs_up)
{
    struct call *call;

    load(LUA(extension("internal", "1", function(call) call:sleep(1) call:echo() log("after") end)));
    call = dial("1");
    fsm_move(&leg_states, &call->caller->state, LEG_UP, "test"); /* as if it were answered: there is no media here */
    advance_ms(1000);
    advance_ms(3600 * 1000);
    ck_assert(!leg_over(call));
    caller_hangs_up(call);
    ck_assert_ptr_null(call->script);
    ck_assert_str_eq(fx.heard, "");
}
END_TEST

START_TEST(a_call_that_cannot_be_answered_ends_with_the_reason)
{
    struct call *call;

    load(LUA(extension("internal", "1", function(call) call:answer() log("after") end)));
    call = dial("1");
    ck_assert_int_eq(call->cause, CAUSE_NO_COMMON_CODEC);
    ck_assert_str_eq(fx.heard, "");
}
END_TEST

START_TEST(dial_returns_why_nobody_was_reached)
{
    struct call *call;

    load(LUA(extension("internal", "1", function(call)
        local r = call:dial { to = { "201" }, timeout = 5 }
        log("%s %s %s %s", r.status, r.cause, r.answered_by, r.talk)
        r = call:dial { to = "account:nobody" }
        log("%s %s", r.status, r.cause)
    end)));
    call = dial("1");
    heard("unreachable unreachable nil 0.0\n");
    heard("failed unknown-number\n");
    ck_assert_uint_eq(fx.dialled, 2);
    ck_assert_int_eq(call->cause, CAUSE_UNKNOWN_NUMBER); /* the last dial's */
}
END_TEST

START_TEST(dial_takes_times_in_seconds_only)
{
    static const struct {
        const char *option, *words;
    } cases[] = {
        {"timeout = 0", "`timeout` has to be a time in seconds above 0"},
        {"timeout = 'soon'", "`timeout` has to be"},
        {"max = -1", "`max` has to be a time in seconds"},
        {"max = 604801", "`max` has to be"},
        {"max = {}", "`max` has to be"},
        {"maximum = 5", "there is no option \"maximum\""},
        {"max = 0, timeout = 1.5", NULL},
    };
    char text[200];

    snprintf(text, sizeof text, "extension('internal', '1', function(call) call:dial{ to = '201', %s } end)",
             cases[_i].option);
    load(text);
    ck_assert_int_eq(dial("1")->cause, cases[_i].words ? CAUSE_SCRIPT_ERROR : CAUSE_UNREACHABLE);
    ck_assert_msg(!cases[_i].words || strstr(fx.heard, cases[_i].words), "%s said: %s", cases[_i].option, fx.heard);
}
END_TEST

START_TEST(each_destination_has_options_of_its_own)
{
    static const struct {
        const char *to, *words;
    } cases[] = {
        {"{ '201', { '201', delay = 10, ring = 20, confirm = true, skip_busy = true } }", NULL},
        {"{ { '201', delay = 0 } }", NULL},
        {"{ { '202', dealy = 10 } }", "a destination has no option \"dealy\""},
        {"{ { '202', '203' } }", "a destination has no option"},
        {"{ { delay = 10 } }", "is not a name but a nil"},
        {"{ { '202', ring = 0 } }", "`ring` has to be a time in seconds above 0"},
        {"{ { '202', delay = -1 } }", "`delay` has to be a time in seconds"},
        {"{ '202', delay = 10 }", "a destination with options is a table in it"},
        {"{ { '202', delay = 10 } }, in_order = true", "with in_order no destination has a delay"},
    };
    char text[200];

    snprintf(text, sizeof text, "extension('internal', '1', function(call) call:dial{ to = %s } end)", cases[_i].to);
    load(text);
    ck_assert_int_eq(dial("1")->cause, cases[_i].words ? CAUSE_SCRIPT_ERROR : CAUSE_UNREACHABLE);
    ck_assert_msg(!cases[_i].words || strstr(fx.heard, cases[_i].words), "%s said: %s", cases[_i].to, fx.heard);
}
END_TEST

START_TEST(send_keys_takes_keys_and_times_in_milliseconds)
{
    static const struct {
        const char *given, *words;
    } cases[] = {
        {"'12x'", "there is no key \"x\""},
        {"'1', { ms = 5 }", "`ms` is a number of milliseconds from 40"},
        {"'1', { gap = 'long' }", "`gap` is a number of milliseconds from 100"},
        {"'1', { pause = 5 }", "there is no option \"pause\""},
        {"'1', 5", "table expected"},
        {"('1'):rep(65)", "more than 64 keys"},
        {"'0123456789*#ABCDabcd!,', { ms = 40, gap = 100 }", NULL},
    };
    char text[200];

    snprintf(text, sizeof text, "extension('internal', '1', function(call) call:send_keys(%s) end)", cases[_i].given);
    load(text);
    /* There is no media here: one that is right fails to answer. */
    ck_assert_int_eq(dial("1")->cause, cases[_i].words ? CAUSE_SCRIPT_ERROR : CAUSE_NO_COMMON_CODEC);
    ck_assert_msg(!cases[_i].words || strstr(fx.heard, cases[_i].words), "%s said: %s", cases[_i].given, fx.heard);
}
END_TEST

START_TEST(a_conference_takes_only_what_it_understands)
{
    static const struct {
        const char *options, *words;
    } cases[] = {
        {"", "`room` has to be a name"},
        {"room = 'Sales'", "`room` has to be a name"},
        {"room = {}", "`room` has to be a name"},
        {"room = 'sales', pin = '12a'", "`pin` has to be up to 15 digits"},
        {"room = 'sales', moderator_pin = '1234567890123456'", "`moderator_pin` has to be up to 15 digits"},
        {"room = 'sales', max = 501", "`max` has to be a number"},
        {"room = 'sales', max = 1.5", "`max` has to be a number"},
        {"room = 'sales', muted = true", "there is no option \"muted\""},
    };
    char text[200];

    snprintf(text, sizeof text, "extension('internal', '1', function(call) call:conference{ %s } end)",
             cases[_i].options);
    load(text);
    ck_assert_int_eq(dial("1")->cause, CAUSE_SCRIPT_ERROR);
    ck_assert_msg(strstr(fx.heard, cases[_i].words) != NULL, "%s said: %s", cases[_i].options, fx.heard);
}
END_TEST

START_TEST(goto_goes_on_elsewhere_and_does_not_return)
{
    struct call *call;

    load(LUA(extension("internal", "1", function(call)
        pcall(function() call:goto_("other", "27") end)
        log("after")
    end)
    extension("other", "_2X", function(call) log("%s %s %s", call.to, call.extension, call.context) call:sleep(1) call:goto_("x", "y") end)));
    call = dial("1");
    ck_assert_str_eq(fx.heard, "1 27 other\n");
    advance_ms(1000);
    ck_assert_int_eq(call->cause, CAUSE_UNKNOWN_NUMBER);
    ck_assert_str_eq(fx.heard, "1 27 other\n");
}
END_TEST

START_TEST(variables_stay_with_the_call_wherever_it_goes)
{
    struct call *call;
    char text[200];

    load(LUA(extension("internal", "1", function(call)
        call.vars.name = "Müller"
        call.vars.count = 41
        call.vars.rate = 1.5
        call.vars.vip = true
        call.vars.gone = 1
        call.vars.gone = nil
        call:on_hangup(function() call.vars.last = call.vars.count + 1 end)
        call:goto_("internal", "2")
    end)
    extension("internal", "2", function(call)
        local v = call.vars
        v.count = v.count + 1
        log("%s %d %s %s %s", v.name, v.count, v.rate, v.vip, v.gone)
        local names = {}
        for name in pairs(v) do names[#names + 1] = name v.extra = 1 end
        table.sort(names)
        log(table.concat(names, ","))
    end)));
    call = dial("1");
    ck_assert_str_eq(fx.heard, "Müller 42 1.5 true nil\ncount,name,rate,vip\n");
    ck_assert_str_eq(call_vars_text(call, text, sizeof text),
                     "{\"name\":\"Müller\",\"count\":42,\"rate\":1.5,\"vip\":true,\"extra\":1,\"last\":43}");
    ck_assert_str_eq(call_vars_text(call, text, 20), "{\"name\":\"Müller\"}"); /* what fits */
    ck_assert_str_eq(call_vars_text(call, text, 3), "");
    dial("2"); /* another call has its own */
    heard("ERROR");
}
END_TEST

START_TEST(variables_take_only_what_can_be_recorded)
{
    static const char *const bad[] = {
        "call.vars.t = {}", "call.vars.f = print", "call.vars['two words'] = 1", "call.vars['1a'] = 1", "call.vars[''] = 1",
        "call.vars.long = ('x'):rep(501)", "call.vars.broken = '\\xff'", "call.vars.nul = 'a\\0b'",
        "for i = 1, 65 do call.vars['v' .. i] = i end", "call.vars.inf = math.huge", "call.vars = {}",
    };
    char text[200];

    snprintf(text, sizeof text, "extension('internal', '1', function(call) %s log('taken') end)", bad[_i]);
    load(text);
    ck_assert_msg(dial("1")->cause == CAUSE_SCRIPT_ERROR, "%s", bad[_i]);
    not_heard("taken");
}
END_TEST

START_TEST(a_script_sees_some_headers_and_no_others)
{
    load(LUA(extension("internal", "1", function(call)
        log("%s|%s|%s", call:header("subject"), call:header("X-Ticket"), call:header("Priority"))
        log("%s", pcall(call.header, call, "Authorization"))
    end)));
    dial_with_headers("1", "Subject: a question\nX-Ticket: 17\n");
    ck_assert_str_eq(fx.heard, "a question|17|nil\nfalse\n");
    fx.heard[0] = '\0';
    dial("1");
    heard("nil|nil|nil\n");
}
END_TEST

START_TEST(a_dial_adds_only_harmless_headers)
{
    static const struct {
        const char *headers, *words;
    } cases[] = {
        {"{ ['Alert-Info'] = '<http://127.0.0.1/internal>;info=alert-internal', ['X-Queue'] = 'sales' }", NULL},
        {"{ From = 'sip:boss@example.com' }", "cannot send the header \"From\""},
        {"{ ['P-Asserted-Identity'] = 'sip:1@x' }", "cannot send the header"},
        {"{ Diversion = 'sip:1@x' }", "cannot send the header"},
        {"{ ['X-Asserted-Identity'] = '1' }", "cannot send the header"},
        {"{ ['User-Agent'] = 'x' }", "cannot send the header"},
        {"{ Route = '<sip:evil>' }", "cannot send the header"},
        {"{ 'Subject' }", "cannot send the header"},
        {"{ Subject = 'a\\r\\nVia: b' }", "is not one line"},
        {"{ Subject = '' }", "is not one line"},
        {"{ Subject = {} }", "is not one line"},
        {"{ ['X-A:\\r\\nVia'] = 'b' }", "is not one line"},
        {"{ Subject = ('x'):rep(301) }", "is not one line"},
        {"{ Subject = 'a\\0b' }", "is not one line"},
        {"'Subject: x'", "has to be a table"},
    };
    char text[300];

    snprintf(text, sizeof text, "extension('internal', '1', function(call) call:dial{ to = '201', headers = %s } end)",
             cases[_i].headers);
    load(text);
    ck_assert_int_eq(dial("1")->cause, cases[_i].words ? CAUSE_SCRIPT_ERROR : CAUSE_UNREACHABLE);
    ck_assert_msg(!cases[_i].words || strstr(fx.heard, cases[_i].words), "%s said: %s", cases[_i].headers, fx.heard);
    ck_assert_uint_eq(fx.dialled, cases[_i].words ? 0 : 1);
}
END_TEST

START_TEST(a_script_asks_what_an_account_is_doing)
{
    struct call *busy;
    struct leg *leg;

    load(LUA(extension("internal", "1", function(call) log("%s %s", pbx.state("201"), pbx.state("999")) end)));
    dial("1");
    ck_assert_str_eq(fx.heard, "unavailable nil\n"); /* it has no phone */
    busy = dial("1");
    busy = call_originate(fx.pbx, "internal", "100", "Anna");
    leg = leg_new(busy, fx.pbx->leg_ops, false, (struct account *)(uintptr_t)snapshot_account(db_snapshot(fx.db), "201"));
    fsm_move(&leg_states, &leg->state, LEG_CALLING, "test");
    fx.heard[0] = '\0';
    dial("1");
    ck_assert_str_eq(fx.heard, "ringing nil\n");
    fsm_move(&leg_states, &leg->state, LEG_UP, "test");
    fx.heard[0] = '\0';
    dial("1");
    ck_assert_str_eq(fx.heard, "busy nil\n");
    call_end(busy, CAUSE_NORMAL, WHO_SWITCH, NULL);
    obj_unref(busy, "creator");
}
END_TEST

/* --- when the script fails --------------------------------------------------------------------------------------- */

START_TEST(a_failed_script_leaves_the_call_to_the_fallback_extension)
{
    struct call *call;

    load(LUA(extension("internal", "1", function(call) call.vars.tried = 1 error("broken") end)
             extension("safe", "operator", function(call) log("safe %s %s %s", call.from, call.to, call.vars.tried)
                 call:hangup("busy") end)
             extension("safe", "worse", function(call) error("broken too") end)));
    call = dial("1");
    ck_assert_int_eq(call->cause, CAUSE_SCRIPT_ERROR);
    ck_assert_int_eq(call->final_status, 500);
    setting("script_fallback", "safe/operator");
    fx.heard[0] = '\0';
    call = dial("1");
    ck_assert_int_eq(call->cause, CAUSE_BUSY);
    heard("ERROR init.lua:1: broken\nthe dialplan failed: the call goes to safe/operator (script_fallback)\nsafe 100 1 1\n");
    setting("script_fallback", "safe/worse"); /* and no further */
    ck_assert_int_eq(dial("1")->cause, CAUSE_SCRIPT_ERROR);
    setting("script_fallback", "safe/nobody");
    ck_assert_int_eq(dial("1")->cause, CAUSE_SCRIPT_ERROR);
    setting("script_fallback", "nonsense");
    ck_assert_int_eq(dial("1")->cause, CAUSE_SCRIPT_ERROR);
}
END_TEST

START_TEST(a_failed_script_leaves_the_call_to_the_fallback_account)
{
    struct call *call;

    load(LUA(extension("internal", "1", function(call) while true do end end)
             extension("internal", "2", function(call) call:hangup("busy") end)));
    setting("script_fallback", "account:201");
    call = dial("1");
    ck_assert_str_eq(fx.last_target, "201");
    ck_assert_int_eq(call->cause, CAUSE_UNREACHABLE); /* what became of that call, not of the script */
    ck_assert_int_eq(dial("2")->cause, CAUSE_BUSY);   /* that is no failure */
    ck_assert_uint_eq(fx.dialled, 1);
}
END_TEST

START_TEST(accounts_can_be_looked_up)
{
    load(LUA(extension("internal", "1", function(call)
        local a = pbx.account("201")
        log("%s %s %s %s", a.name, a.display_name, a.enabled, pbx.account("999"))
    end)));
    dial("1");
    ck_assert_str_eq(fx.heard, "201 Front desk true nil\n");
}
END_TEST

START_TEST(verbs_wait_inside_coroutines_too)
{
    load(LUA(extension("internal", "1", function(call)
        local co = coroutine.wrap(function(a)
            call:sleep(1)
            local b = coroutine.yield(a + 1)
            local inner = coroutine.create(function() call:sleep(1) return "deep" end)
            local ok, value = coroutine.resume(inner)
            return value .. b
        end)
        log("%d", co(1))
        log(co("!"))
        for n in coroutine.wrap(function() for i = 1, 2 do call:sleep(1) coroutine.yield(i) end end) do log("%d", n) end
    end)));
    dial("1");
    ck_assert_str_eq(fx.heard, "");
    advance_ms(1000);
    ck_assert_str_eq(fx.heard, "2\n");
    advance_ms(1000);
    ck_assert_str_eq(fx.heard, "2\ndeep!\n");
    advance_ms(1000);
    advance_ms(1000);
    ck_assert_str_eq(fx.heard, "2\ndeep!\n1\n2\n");
}
END_TEST

START_TEST(a_verb_that_cannot_wait_says_so_before_it_begins)
{
    load(LUA(extension("internal", "1", function(call) ("x"):gsub("x", function() call:dial { to = "201" } end) end)
             extension("internal", "2", function(call) table.sort({ 2, 1 }, function()
                 coroutine.wrap(function() call:sleep(1) end)() end) end)));
    dial("1");
    heard("cannot wait inside");
    ck_assert_uint_eq(fx.dialled, 0);
    fx.heard[0] = '\0';
    dial("2");
    heard("cannot wait inside");
    advance_ms(5000);
}
END_TEST

/* --- hangup ------------------------------------------------------------------------------------------------------ */

START_TEST(pcall_cannot_swallow_a_hangup)
{
    load(LUA(extension("internal", "1", function(call)
        while true do
            pcall(function() call:sleep(10) end)
            log("after pcall")
            xpcall(function() call:sleep(10) end, function(e) log("handler") end)
            log("after xpcall")
        end
    end)));
    caller_hangs_up(dial("1"));
    ck_assert_str_eq(fx.heard, "");
    dial("1");
    advance_ms(10000);
    ck_assert_str_eq(fx.heard, "after pcall\n");
    caller_hangs_up(fx.calls[1]);
    ck_assert_str_eq(fx.heard, "after pcall\n");
}
END_TEST

START_TEST(coroutines_cannot_swallow_a_hangup)
{
    load(LUA(extension("internal", "1", function(call)
        local co = coroutine.create(function()
            coroutine.wrap(function() pcall(call.sleep, call, 10) log("inner") end)()
            log("middle")
        end)
        log("%s", coroutine.resume(co))
        log("outer")
    end)));
    caller_hangs_up(dial("1"));
    ck_assert_str_eq(fx.heard, "");
}
END_TEST

START_TEST(close_variables_run_but_do_not_bring_a_script_back)
{
    load("extension('internal', '1', function(call)\n"
         "  pcall(function()\n"
         "    local a <close> = setmetatable({}, { __close = function() log('closed') error('no') end })\n"
         "    coroutine.wrap(function()\n"
         "      local b <close> = setmetatable({}, { __close = function()\n"
         "        log('inner closed') pcall(log, 'not me') log('nor me') end })\n"
         "      local d <close> = setmetatable({}, { __close = function() call:sleep(1) log('slept') end })\n"
         "      call:sleep(10)\n"
         "    end)()\n"
         "  end)\n"
         "  log('after')\n"
         "end)");
    caller_hangs_up(dial("1"));
    advance_ms(60000);
    heard("inner closed\nclosed\n");
    not_heard("not me");
    not_heard("nor me");
    not_heard("slept");
    not_heard("after");
}
END_TEST

START_TEST(endless_close_variables_are_stopped)
{
    load("extension('internal', '1', function(call)\n"
         "  local a <close> = setmetatable({}, { __close = function() while true do pcall(error) end end })\n"
         "  local function f(n)\n"
         "    local c <close> = setmetatable({}, { __close = function() while true do end end })\n"
         "    if n > 0 then return (f(n - 1)) end\n"
         "    call:sleep(10)\n"
         "  end\n"
         "  f(100)\n"
         "end)");
    caller_hangs_up(dial("1"));
    ck_assert_ptr_null(fx.calls[0]->script);
    ck_assert_uint_eq(obj_live("script-run"), 0);
}
END_TEST

START_TEST(on_hangup_handlers_run_whoever_ends_the_call)
{
    load(LUA(local function setup(call)
        call:on_hangup(function() log("one %s", call.from) end)
        call:on_hangup(function() error("broken") end)
        call:on_hangup(function() call:sleep(1) end)
        call:on_hangup(function() call:hangup() end)
        call:on_hangup(function() log("last") end)
    end
    extension("internal", "1", function(call) setup(call) call:sleep(10) end)
    extension("internal", "2", function(call) setup(call) call:hangup() end)
    extension("internal", "3", function(call) setup(call) end)
    extension("internal", "4", function(call) setup(call) error("x") end)));
    for (int i = 1; i <= 4; i++) {
        struct call *call;

        fx.heard[0] = '\0';
        call = dial((char[]){(char)('0' + i), '\0'});
        if (i == 1)
            caller_hangs_up(call);
        heard("one 100\n");
        heard("broken");
        heard("handlers can only look and write");
        ck_assert_msg(strstr(fx.heard, "last\n") == strrchr(fx.heard, 'l'), "once: %s", fx.heard);
    }
}
END_TEST

START_TEST(an_endless_on_hangup_handler_is_stopped)
{
    load(LUA(extension("internal", "1", function(call)
        call:on_hangup(function() while true do pcall(function() while true do end end) end end)
        call:on_hangup(function() log("next") end)
        call:sleep(10)
    end)));
    caller_hangs_up(dial("1"));
    heard("ERROR init.lua:1: ");
    heard("next\n");
}
END_TEST

START_TEST(on_hangup_handlers_cannot_go_on_for_ever_by_adding_more)
{
    load(LUA(extension("internal", "1", function(call)
        local function again() log("again") call:on_hangup(again) end
        call:on_hangup(again)
    end)
    extension("internal", "2", function(call) while true do call:on_hangup(print) end end)));
    dial("1");
    ck_assert_str_eq(fx.heard, "again\nERROR init.lua:1: on_hangup: the call has ended\n");
    dial("2");
    heard("more than 16 functions");
}
END_TEST

/* A hook that keeps every attempt waiting. */
static enum verdict hold_back(void *arg, struct hook_walk *walk, void *subject)
{
    return VERDICT_DEFERRED;
}

START_TEST(a_hangup_during_a_dial_ends_the_script)
{
    struct hook *hook = hook_add(fx.pbx->hooks, HOOK_OUTBOUND, 0, "hold", hold_back, NULL);
    struct call *call;

    load(LUA(extension("internal", "1", function(call)
        call:on_hangup(function() log("over") end)
        pcall(call.dial, call, { to = "201" })
        log("after")
    end)));
    call = dial("1");
    ck_assert_ptr_nonnull(call->dial);
    caller_hangs_up(call);
    ck_assert_ptr_null(call->dial);
    advance_ms(100000);
    ck_assert_str_eq(fx.heard, "over\n");
    hook_remove(hook);
}
END_TEST

START_TEST(a_script_that_runs_too_long_during_a_dial_ends_it)
{
    struct hook *hook = hook_add(fx.pbx->hooks, HOOK_OUTBOUND, 0, "hold", hold_back, NULL);
    struct script_config limits = {.max_run_s = 2};
    struct call *call;

    load_with("extension('internal', '1', function(call)\n  call:dial { to = '201' }\nend)", &limits);
    call = dial("1");
    advance_ms(2000);
    ck_assert_ptr_null(call->dial);
    ck_assert_int_eq(call->cause, CAUSE_SCRIPT_ERROR);
    heard("ERROR init.lua:2: ");
    advance_ms(100000);
    hook_remove(hook);
}
END_TEST

START_TEST(a_call_that_ends_before_its_script_began_runs_nothing)
{
    struct call *call = NULL;

    load("extension('internal', '1', function(call) log('ran') end)");
    call = call_originate(fx.pbx, "internal", "100", "Anna");
    ck_assert_int_eq(fx.pbx->script_ops->start(fx.pbx->script, call, "internal", "1"), 0);
    fx.pbx->script_ops->hangup(fx.pbx->script, call);
    ck_assert_ptr_null(call->script);
    settle();
    ck_assert_str_eq(fx.heard, "");
    call_end(call, CAUSE_NORMAL, WHO_SWITCH, NULL);
    obj_unref(call, "creator");
}
END_TEST

START_TEST(closing_the_script_forgets_running_calls)
{
    load("extension('internal', '1', function(call) call:sleep(100) end)");
    dial("1");
    script_close(fx.script);
    fx.script = NULL;
    ck_assert_ptr_null(fx.calls[0]->script);
    advance_ms(200000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("script");
    TCase *verbs = tcase_create("verbs"), *hangup = tcase_create("hangup");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(verbs, fixture_open, fixture_close);
    tcase_add_test(verbs, an_extension_that_does_not_exist_starts_nothing);
    tcase_add_test(verbs, the_call_object_tells_who_calls_whom);
    tcase_add_test(verbs, a_misspelt_field_or_option_is_an_error);
    tcase_add_test(verbs, an_error_ends_the_call_and_names_file_and_line);
    tcase_add_test(verbs, a_script_that_returns_hangs_up_what_is_left);
    tcase_add_test(verbs, hangup_gives_its_cause_and_nothing_runs_after_it);
    tcase_add_test(verbs, sleep_waits_its_time_and_other_calls_go_on);
    tcase_add_test(verbs, echo_lasts_until_the_caller_hangs_up);
    tcase_add_test(verbs, a_call_that_cannot_be_answered_ends_with_the_reason);
    tcase_add_test(verbs, dial_returns_why_nobody_was_reached);
    tcase_add_test(verbs, goto_goes_on_elsewhere_and_does_not_return);
    tcase_add_loop_test(verbs, dial_takes_times_in_seconds_only, 0, 7);
    tcase_add_loop_test(verbs, each_destination_has_options_of_its_own, 0, 9);
    tcase_add_loop_test(verbs, send_keys_takes_keys_and_times_in_milliseconds, 0, 7);
    tcase_add_loop_test(verbs, a_conference_takes_only_what_it_understands, 0, 8);
    tcase_add_test(verbs, variables_stay_with_the_call_wherever_it_goes);
    tcase_add_loop_test(verbs, variables_take_only_what_can_be_recorded, 0, 11);
    tcase_add_test(verbs, a_script_sees_some_headers_and_no_others);
    tcase_add_loop_test(verbs, a_dial_adds_only_harmless_headers, 0, 15);
    tcase_add_test(verbs, a_script_asks_what_an_account_is_doing);
    tcase_add_test(verbs, a_failed_script_leaves_the_call_to_the_fallback_extension);
    tcase_add_test(verbs, a_failed_script_leaves_the_call_to_the_fallback_account);
    tcase_add_test(verbs, accounts_can_be_looked_up);
    tcase_add_test(verbs, verbs_wait_inside_coroutines_too);
    tcase_add_test(verbs, a_verb_that_cannot_wait_says_so_before_it_begins);
    suite_add_tcase(suite, verbs);
    tcase_add_checked_fixture(hangup, fixture_open, fixture_close);
    tcase_add_test(hangup, pcall_cannot_swallow_a_hangup);
    tcase_add_test(hangup, coroutines_cannot_swallow_a_hangup);
    tcase_add_test(hangup, close_variables_run_but_do_not_bring_a_script_back);
    tcase_add_test(hangup, endless_close_variables_are_stopped);
    tcase_add_test(hangup, on_hangup_handlers_run_whoever_ends_the_call);
    tcase_add_test(hangup, an_endless_on_hangup_handler_is_stopped);
    tcase_add_test(hangup, on_hangup_handlers_cannot_go_on_for_ever_by_adding_more);
    tcase_add_test(hangup, a_hangup_during_a_dial_ends_the_script);
    tcase_add_test(hangup, a_script_that_runs_too_long_during_a_dial_ends_it);
    tcase_add_test(hangup, a_call_that_ends_before_its_script_began_runs_nothing);
    tcase_add_test(hangup, closing_the_script_forgets_running_calls);
    suite_add_tcase(suite, hangup);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
