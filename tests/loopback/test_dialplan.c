/* The dialplan between real phones: what of a message it sees and adds, who gets a call when it fails, reading it again
 * while calls run, and that no script keeps another call waiting. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/obj.h"
#include "bed.h"

// clang-format off
#define LUA(...) #__VA_ARGS__

#ifdef TANDEM_SANITIZED
#define DELAY_MS 250 /* our own C is several times slower there */
#else
#define DELAY_MS 50
#endif

static void hang_up(struct bed *bed, struct ua *from, struct ua *to)
{
    ua_bye(from);
    ua_reply(to, must(ua_wait(to, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->pbx->call_count == 0);
}

/* Lets b answer a's call. */
static void answer(struct ua *a, struct ua *b)
{
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
}

START_TEST(the_dialplan_sees_harmless_headers_and_adds_some)
{
    struct bed *bed = bed_open(NULL, LUA(
        extension("internal", "600", function(call)
            call.vars.ticket = call:header("X-Ticket")
            call:dial { to = "202", headers = {
                ["Alert-Info"] = "<http://127.0.0.1/ring>;info=" .. call:header("Subject"),
                ["X-Ticket"] = "T" .. call.vars.ticket,
                Priority = "urgent",
            } }
        end)));
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message m;
    char text[200];

    a->extra = "Subject: sales\r\nX-Ticket: 4711\r\nX-Secret: never\r\nDiversion: <sip:boss@127.0.0.1>\r\n"
               "P-Asserted-Identity: <sip:boss@127.0.0.1>\r\n";
    ua_invite(a, "600", NULL);
    m = *must(ua_wait(b, "INVITE"));
    ck_assert_str_eq(message_header(&m, "Alert-Info", text, sizeof text), "<http://127.0.0.1/ring>;info=sales");
    ck_assert_str_eq(message_header(&m, "X-Ticket", text, sizeof text), "T4711");
    ck_assert_str_eq(message_header(&m, "Priority", text, sizeof text), "urgent");
    ck_assert_ptr_null(strstr(m.text, "never")); /* what it does not add does not cross */
    ck_assert_ptr_null(strstr(m.text, "boss"));
    ck_assert_ptr_null(strstr(m.text, "Subject"));
    ua_reply(b, &m, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    hang_up(bed, a, b);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

/* What sofia cannot read must not cost the call. */
START_TEST(a_header_that_is_no_good_is_left_out_and_the_call_goes_on)
{
    struct bed *bed = bed_open(NULL, LUA(
        extension("internal", "600", function(call)
            call:dial { to = "202", headers = { ["Call-Info"] = ";;;", ["X-Ok"] = "yes" } }
        end)));
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message m;
    char text[200];

    ua_invite(a, "600", NULL);
    m = *must(ua_wait(b, "INVITE"));
    ck_assert_str_eq(message_header(&m, "X-Ok", text, sizeof text), "yes");
    ua_reply(b, &m, 486, "Busy Here", NULL);
    must(ua_wait(a, "486"));
    bed_until(bed, bed->pbx->call_count == 0);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_broken_script_hands_its_caller_to_the_fallback)
{
    struct bed *bed = bed_open(NULL, LUA(extension("internal", "600", function(call) error("broken") end)));
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    ua_invite(a, "600", NULL);
    must(ua_wait(a, "500"));
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "script-error");
    bed_setting(bed, "script_fallback", "account:202");
    ua_invite(a, "600", NULL);
    answer(a, b);
    hang_up(bed, a, b);
    bed_until(bed, bed->calls_ended == 2);
    ck_assert_str_eq(bed->last_cause, "normal");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

static void write_dialplan(struct bed *bed, const char *text)
{
    char path[200];
    FILE *file;

    snprintf(path, sizeof path, "%s/dialplan/init.lua", bed->dir);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    fclose(file);
}

START_TEST(the_dialplan_is_checked_read_again_and_shown_by_the_control_socket)
{
    struct bed *bed = bed_open(NULL, LUA(extension("internal", "600", function(call) call:hangup("busy") end)));
    struct ua *a = bed_registered(bed, "201");
    json_t *answer, *unserved;

    write_dialplan(bed, "\nextension('internal', '600')");
    answer = bed_ask(bed, "dialplan.check", "{}");
    ck_assert(!json_is_true(json_object_get(answer, "ok")));
    ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(json_object_get(answer, "error"), "text")), "init.lua:2"));
    json_decref(answer);
    answer = bed_ask(bed, "dialplan.reload", "{}");
    ck_assert(!json_is_true(json_object_get(answer, "ok")));
    json_decref(answer);
    ua_invite(a, "600", NULL);
    must(ua_wait(a, "486")); /* the old one is in force */
    write_dialplan(bed, "extension('internal', '600', function(call)\n  call:prak{ slot = 1 }\n  call:park()\nend)\n"
                        "extension('internal', '601', function(call)\n  return pbx.has_verb('group') and call:group('x')\nend)");
    answer = bed_ask(bed, "dialplan.check", "{}");
    unserved = json_object_get(json_object_get(answer, "result"), "unserved");
    ck_assert_uint_eq(json_array_size(unserved), 2); /* no module is loaded here */
    ck_assert_str_eq(json_string_value(json_array_get(unserved, 0)), "init.lua:2: there is no call:prak");
    ck_assert_ptr_nonnull(strstr(json_string_value(json_array_get(unserved, 1)), "init.lua:3: call:park needs the module park"));
    json_decref(answer);
    write_dialplan(bed, "context('office'):include('more')\nextension('more', '600', function(call) call:hangup('rejected') end)");
    answer = bed_ask(bed, "dialplan.reload", "{}");
    ck_assert(json_is_true(json_object_get(answer, "ok")));
    ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(answer, "result"), "warnings")), 5);
    json_decref(answer);
    answer = bed_ask(bed, "dialplan.show", "{}");
    ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(answer, "result"), "contexts")), 2);
    json_decref(answer);
    ua_invite(a, "600", NULL);
    must(ua_wait(a, "404"));
    bed_until(bed, bed->pbx->call_count == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

/* --- calls that the switch begins -------------------------------------------------------------------------------- */

/* Sends a command whose answer comes later. */
static int command(struct bed *bed, const char *cmd, const char *params)
{
    int fd = bed_dial(bed);
    char line[600];

    json_decref(bed_hear(bed, fd)); /* the greeting */
    snprintf(line, sizeof line, "{\"v\":1,\"id\":1,\"cmd\":\"%s\",\"params\":%s}\n", cmd, params);
    ck_assert_int_eq(send(fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
    return fd;
}

static void answered(struct bed *bed, int fd, const char *state, const char *cause)
{
    json_t *answer = bed_hear(bed, fd), *report = json_object_get(answer, "result");
    const char *got = json_string_value(json_object_get(report, "cause"));

    ck_assert_msg(json_is_true(json_object_get(answer, "ok")), "%s",
                  json_string_value(json_object_get(json_object_get(answer, "error"), "text")));
    ck_assert_str_eq(json_string_value(json_object_get(report, "state")), state);
    ck_assert_str_eq(got ? got : "", cause);
    json_decref(answer);
    close(fd);
}

/* The words between quotes and the user of a From header. */
static void who_calls(const struct message *m, const char *name, const char *user)
{
    char from[300], wanted[200];

    message_header(m, "From", from, sizeof from);
    snprintf(wanted, sizeof wanted, "<sip:%s@", user);
    ck_assert_msg(strstr(from, wanted) != NULL, "%s is not from %s", from, user);
    ck_assert_msg(!*name || strstr(from, name) != NULL, "%s does not name %s", from, name);
}

START_TEST(a_phone_is_rung_and_connected_and_both_hear_each_other)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message first, second;
    int fd = command(bed, "originate", "{\"from\":\"201\",\"to\":\"202\"}");

    first = *must(ua_wait(a, "INVITE"));
    who_calls(&first, "", "202"); /* 201 sees whom it will talk to */
    ua_reply(a, &first, 180, "Ringing", NULL);
    answered(bed, fd, "ringing", "");
    ua_reply(a, &a->invite, 200, "OK", NULL);
    must(ua_wait(a, "ACK"));
    second = *must(ua_wait(b, "INVITE"));
    who_calls(&second, "", "201"); /* and 202 who calls */
    ua_reply(b, &second, 180, "Ringing", NULL);
    ua_reply(b, &b->invite, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_talk(a, message_body(&first), 10, 0x11);
    ua_talk(b, message_body(&second), 10, 0x22);
    ck_assert_uint_ge(ua_hear(b, 8), 8);
    ck_assert_uint_eq(b->last_payload, 0x11);
    ck_assert_uint_ge(ua_hear(a, 8), 8);
    ck_assert_uint_eq(a->last_payload, 0x22);
    ua_bye(b);
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1 && bed->legs_recorded == 2);
    ck_assert_str_eq(bed->last_cause, "normal");
    ck_assert_str_eq(bed->last_who, "callee");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(the_first_side_hangs_up_and_the_other_stops_ringing)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;
    int fd = command(bed, "originate", "{\"from\":\"201\",\"to\":\"202\"}");

    m = must(ua_wait(a, "INVITE"));
    ua_reply(a, m, 200, "OK", NULL);
    answered(bed, fd, "connected", "");
    must(ua_wait(a, "ACK"));
    m = must(ua_wait(b, "INVITE"));
    ua_reply(b, m, 180, "Ringing", NULL);
    ua_bye(a);
    m = must(ua_wait(b, "CANCEL"));
    ua_reply(b, m, 200, "OK", NULL);
    ua_reply(b, &b->invite, 487, "Request Terminated", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "cancelled");
    ck_assert_str_eq(bed->last_who, "caller");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_refused_or_missing_first_side_is_said_in_words)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201");
    json_t *answer;
    int fd = command(bed, "originate", "{\"from\":\"201\",\"to\":\"600\"}");

    ua_reply(a, must(ua_wait(a, "INVITE")), 486, "Busy Here", NULL);
    must(ua_wait(a, "ACK"));
    answered(bed, fd, "ended", "busy");
    answered(bed, command(bed, "originate", "{\"from\":\"202\",\"to\":\"600\"}"), "ended", "unreachable");
    answer = bed_ask(bed, "originate", "{\"from\":\"999\",\"to\":\"600\"}");
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(answer, "error"), "code")), "not-found");
    json_decref(answer);
    bed_until(bed, bed->calls_ended == 2);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(the_dialplan_makes_calls_of_its_own)
{
    struct bed *bed = bed_open(NULL, LUA(
        extension("internal", "77", function(call)
            local r = pbx.originate { from = call.from, to = "202", key = "back", timeout = 20, headers = { ["X-Why"] = "back" } }
            store.set("id", r.id)
            local again = pbx.originate { from = call.from, to = "202", key = "back" }
            if again.id ~= r.id then error("made twice") end
            call:hangup("busy")
        end)
        extension("internal", "78", function(call)
            local r = pbx.originated(store.get("id"))
            call:hangup(r.state == "ended" and r.cause == "rejected" and "normal" or "busy")
        end)
        extension("internal", "79", function(call) pbx.originate { from = "999", to = "1" } end)));
    struct ua *a = bed_registered(bed, "201");
    const struct message *m;
    char text[100];

    ua_invite(a, "77", NULL);
    must(ua_wait(a, "486"));
    m = must(ua_wait(a, "INVITE"));
    ck_assert_str_eq(message_header(m, "X-Why", text, sizeof text), "back");
    who_calls(m, "", "202");
    ua_reply(a, m, 603, "Decline", NULL);
    must(ua_wait(a, "ACK"));
    bed_until(bed, bed->calls_ended == 2);
    ck_assert_str_eq(bed->last_cause, "rejected");
    ua_invite(a, "78", NULL);
    must(ua_wait(a, "480")); /* as "normal" does */
    ua_invite(a, "79", NULL);
    must(ua_wait(a, "500"));
    bed_until(bed, bed->calls_ended == 4);
    ua_close(a);
    bed_close(bed);
}
END_TEST

/* --- a bad script and another call ------------------------------------------------------------------------------- */

static double cpu_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Work of this thread, which is the switch's, until d's phone hears of c's call. Not time: others use this machine. */
static double set_up(struct bed *bed, struct ua *c, struct ua *d)
{
    double began = cpu_ms();
    const struct message *m;

    ua_invite(c, d->user, NULL);
    m = must(ua_wait(d, "INVITE"));
    began = cpu_ms() - began;
    ua_reply(d, m, 486, "Busy Here", NULL);
    must(ua_wait(c, "486"));
    bed_until(bed, bed->pbx->call_count == 0);
    return began;
}

static const struct {
    const char *extension, *body;
} bombs[] = {
    {"1", "while true do end"},
    {"2", "while true do local s = ('x'):rep(250000) end"},
    {"3", "local s = ('a'):rep(250000) while true do pcall(string.find, s, ('.-'):rep(20) .. 'b') end"},
    {"4", "while true do pcall(call.hangup, call) end"},
    {"5", "local function f() return f() + 1 end while true do pcall(f) end"},
    {"6", "local t = {} while true do pcall(function() while true do t[#t + 1] = coroutine.create(print) end end) end"},
    {"7", "local t = {} while true do t[#t + 1] = { #t } end"},
    {"8", "local m = {} m.__index = function(t, k) return t[k + 1] end return setmetatable({}, m)[1]"},
    {"9", "while true do pcall(function() call:goto_('internal', '9') end) end"},
};

START_TEST(no_script_delays_the_set_up_of_another_call)
{
    char plan[4096];
    size_t used = 0, memory;
    struct bed *bed;
    struct ua *a, *c, *d;
    double alone = 0;

    for (size_t i = 0; i < COUNT_OF(bombs); i++)
        str_append(plan, sizeof plan, &used, "extension('internal', '%s', function(call)\n%s\nend)\n", bombs[i].extension,
                   bombs[i].body);
    str_append(plan, sizeof plan, &used, "extension('internal', '_2XX', function(call) call:dial{ to = call.extension } end)\n");
    bed = bed_open(NULL, plan);
    a = bed_registered(bed, "201");
    c = bed_registered(bed, "203");
    d = bed_registered(bed, "204");
    for (int i = 0; i < 5; i++) { /* the challenges are behind us from the first on */
        double took = set_up(bed, c, d);

        if (i && took > alone)
            alone = took;
    }
    memory = obj_live("call");
    for (size_t i = 0; i < COUNT_OF(bombs); i++) {
        unsigned ended = bed->calls_ended;
        double took, began = cpu_ms();
        bool hung = strcmp(bombs[i].extension, "4") == 0;

        ua_invite(a, bombs[i].extension, NULL);
        took = cpu_ms() - began + set_up(bed, c, d);
        must(ua_wait(a, hung ? "480" : "500"));
        bed_until(bed, bed->calls_ended >= ended + 2);
        ck_assert_msg(took - alone < DELAY_MS, "%.1f ms (%.1f ms alone): %s", took, alone, bombs[i].body);
    }
    ck_assert_uint_eq(obj_live("call"), memory);
    ua_close(a);
    ua_close(c);
    ua_close(d);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dialplan");
    TCase *calls = tcase_create("calls");
    SRunner *runner;
    int failed;

    tcase_set_timeout(calls, 120);
    tcase_add_test(calls, the_dialplan_sees_harmless_headers_and_adds_some);
    tcase_add_test(calls, a_header_that_is_no_good_is_left_out_and_the_call_goes_on);
    tcase_add_test(calls, a_broken_script_hands_its_caller_to_the_fallback);
    tcase_add_test(calls, the_dialplan_is_checked_read_again_and_shown_by_the_control_socket);
    tcase_add_test(calls, a_phone_is_rung_and_connected_and_both_hear_each_other);
    tcase_add_test(calls, the_first_side_hangs_up_and_the_other_stops_ringing);
    tcase_add_test(calls, a_refused_or_missing_first_side_is_said_in_words);
    tcase_add_test(calls, the_dialplan_makes_calls_of_its_own);
    tcase_add_test(calls, no_script_delays_the_set_up_of_another_call);
    suite_add_tcase(suite, calls);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
