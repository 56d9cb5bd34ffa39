/* Forwards, do not disturb, call waiting and the number of calls of an account: where a call goes that it does not
 * take, what the phones involved are told, and with whose rights it goes on. */
#include "forks.h"

#define FORWARD "[module forward]\n"

/* A command of the control socket, which has to succeed. */
static void command(struct bed *bed, const char *cmd, const char *params)
{
    json_t *answer = bed_ask(bed, cmd, params);

    ck_assert_msg(json_is_true(json_object_get(answer, "ok")), "%s %s was refused", cmd, params);
    json_decref(answer);
}

static void forward(struct bed *bed, const char *account, const char *when, const char *number, int seconds)
{
    char params[200], more[40] = "";

    if (seconds)
        snprintf(more, sizeof more, ",\"seconds\":%d", seconds);
    snprintf(params, sizeof params, "{\"account\":\"%s\",\"when\":\"%s\",\"number\":\"%s\"%s}", account, when, number,
             more);
    command(bed, "forward", params);
}

static void disturb_not(struct bed *bed, const char *account, bool on)
{
    char params[100];

    snprintf(params, sizeof params, "{\"account\":\"%s\",\"on\":%s}", account, on ? "true" : "false");
    command(bed, "dnd", params);
}

/* The INVITE has come to c; both talk, hang up, and nothing is left. */
static void taken(struct bed *bed, struct ua *a, struct ua *c, const struct message *invite)
{
    ua_reply(c, invite, 200, "OK", NULL);
    must(ua_wait(c, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    hang_up(bed, a, c);
    ck_assert_str_eq(bed->last_cause, "normal");
}

static void refuse(struct ua *ua, const struct message *invite, int status)
{
    ua_reply(ua, invite, status, "No", NULL);
    must(ua_wait(ua, "ACK"));
}

/* The call of a was refused; its words say this. */
static void refused(struct bed *bed, struct ua *a, const char *status, const char *cause, const char *words)
{
    unsigned ended = bed->calls_ended;
    const struct message *m = must(ua_wait(a, status));

    ck_assert_msg(says(m, "Warning", words), "%s", m->text);
    ua_ack(a, m);
    bed_until(bed, bed->calls_ended > ended && bed->pbx->call_count == 0);
    ck_assert_str_eq(bed->last_cause, cause);
}

static void close_all(struct bed *bed, struct ua *a, struct ua *b, struct ua *c)
{
    ua_close(a);
    if (b)
        ua_close(b);
    if (c)
        ua_close(c);
    bed_close(bed);
}

static const struct {
    const char *when, *reason, *cause;
    int status; /* 202's phone answers so; 0: it rings; -1: it is not called; -2: it is not there; -3: it says nothing
                 */
} conditions[] = {
    {"always", "unconditional", "cause=302", -1},    {"busy", "user-busy", "cause=486", 486},
    {"busy", "user-busy", "cause=486", 603},         {"no-answer", "no-answer", "cause=408", 0},
    {"unreachable", "unavailable", "cause=503", -2}, {"unreachable", "unavailable", "cause=503", 480},
    {"no-answer", "no-answer", "cause=408", -3},
};

START_TEST(a_call_goes_on_under_each_condition_and_who_gets_it_sees_who_was_called)
{
    struct bed *bed = bed_open(FORWARD, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = NULL, *c = bed_registered(bed, "203");
    struct message invite, unheard;
    char diversion[100];

    if (conditions[_i].status != -2)
        b = bed_registered(bed, "202");
    forward(bed, "202", conditions[_i].when, "203", strcmp(conditions[_i].when, "no-answer") == 0);
    ua_invite(a, "202", NULL);
    if (conditions[_i].status > 0)
        refuse(b, must(ua_wait(b, "INVITE")), conditions[_i].status);
    else if (conditions[_i].status == 0)
        ua_reply(b, must(ua_wait(b, "INVITE")), 180, "Ringing", NULL);
    else if (conditions[_i].status == -3)
        unheard = *must(ua_wait(b, "INVITE"));
    invite = *must(ua_wait(c, "INVITE"));
    ck_assert(says(&invite, "From", "sip:201@"));
    snprintf(diversion, sizeof diversion, ";reason=%s;counter=1;", conditions[_i].reason);
    ck_assert_msg(says(&invite, "Diversion", "<sip:202@") && says(&invite, "Diversion", diversion), "%s", invite.text);
    ck_assert_msg(says(&invite, "History-Info", "<sip:202@") && says(&invite, "History-Info", ";index=1, <sip:203@") &&
                      says(&invite, "History-Info", conditions[_i].cause) &&
                      says(&invite, "History-Info", ";index=1.1;mp=1"),
                  "%s", invite.text);
    if (conditions[_i].status == 0) {
        ua_reply(b, must(ua_wait(b, "CANCEL")), 200, "OK", NULL);
        refuse(b, &b->invite, 487);
    } else if (conditions[_i].status == -3) {
        refuse(b, &unheard, 487); /* so that nothing of it is left */
    } else if (conditions[_i].status == -1) {
        expect_silence(bed, b, "INVITE");
    }
    taken(bed, a, c, &invite);
    close_all(bed, a, b, c);
}
END_TEST

/* Each condition is one of its own. */
START_TEST(a_call_stays_where_no_forward_is_for_what_happened)
{
    struct bed *bed = bed_open(FORWARD, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203");

    forward(bed, "202", "no-answer", "203", 0);
    forward(bed, "202", "unreachable", "203", 0);
    ua_invite(a, "202", NULL);
    refuse(b, must(ua_wait(b, "INVITE")), 486);
    refused(bed, a, "486", "busy", "");
    forward(bed, "202", "busy", "203", 0);
    command(bed, "forward", "{\"account\":\"202\",\"when\":\"busy\",\"number\":null}");
    ua_invite(a, "202", NULL);
    refuse(b, must(ua_wait(b, "INVITE")), 486);
    refused(bed, a, "486", "busy", "");
    command(bed, "forward", "{\"account\":\"202\",\"number\":null}"); /* all of them */
    ua_invite(a, "202", NULL);
    refuse(b, must(ua_wait(b, "INVITE")), 480);
    refused(bed, a, "480", "unavailable", "");
    expect_silence(bed, c, "INVITE");
    close_all(bed, a, b, c);
}
END_TEST

START_TEST(forwards_in_a_row_are_all_told_of_and_a_circle_ends_with_words)
{
    struct bed *bed = bed_open(FORWARD, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "204"), *c = bed_registered(bed, "203");
    struct message invite;

    forward(bed, "202", "always", "203", 0);
    forward(bed, "203", "busy", "204", 0);
    ua_invite(a, "202", NULL);
    refuse(c, must(ua_wait(c, "INVITE")), 486);
    invite = *must(ua_wait(b, "INVITE"));
    ck_assert(says(&invite, "Diversion", "<sip:203@")); /* the last one first */
    ck_assert(says(&invite, "Diversion", ";reason=user-busy"));
    ck_assert_ptr_nonnull(strstr(strstr(invite.text, "Diversion: ") + 10, "Diversion: <sip:202@"));
    ck_assert(says(&invite, "History-Info", ";index=1.1.1;mp=1.1"));
    taken(bed, a, b, &invite);

    forward(bed, "203", "busy", "202", 0);
    ua_invite(a, "202", NULL);
    refuse(c, must(ua_wait(c, "INVITE")), 486);
    refused(bed, a, "483", "loop", "202 was asked twice: accounts forward to each other in a circle");
    close_all(bed, a, b, c);
}
END_TEST

#define RING                                                                                                           \
    "extension('internal', '300', function(call) call:dial { to = { '202', '203' }, timeout = 20 } end)\n"             \
    "extension('internal', '_2XX', function(call) call:dial { to = call.extension } end)\n"

START_TEST(a_member_of_a_ring_does_not_send_the_call_of_the_others_on)
{
    struct bed *bed = bed_open(FORWARD, RING);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203"),
              *d = bed_registered(bed, "204");
    struct message invite;

    forward(bed, "202", "always", "204", 0);
    forward(bed, "203", "busy", "204", 0);
    ua_invite(a, "300", NULL);
    invite = *must(ua_wait(c, "INVITE"));
    refuse(c, &invite, 486);
    invite = *must(ua_wait(b, "INVITE"));
    expect_silence(bed, d, "INVITE");
    taken(bed, a, b, &invite);

    disturb_not(bed, "202", true); /* it is left in peace, the others are not */
    ua_invite(a, "300", NULL);
    invite = *must(ua_wait(c, "INVITE"));
    expect_silence(bed, b, "INVITE");
    taken(bed, a, c, &invite);
    ua_close(d);
    close_all(bed, a, b, c);
}
END_TEST

START_TEST(who_is_not_to_be_disturbed_is_busy_and_forwards_as_when_busy)
{
    struct bed *bed = bed_open(FORWARD, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203");
    struct message invite;

    disturb_not(bed, "202", true);
    ua_invite(a, "202", NULL);
    refused(bed, a, "486", "do-not-disturb", "202 does not want to be disturbed");
    forward(bed, "202", "busy", "203", 0);
    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(c, "INVITE"));
    expect_silence(bed, b, "INVITE");
    taken(bed, a, c, &invite);

    disturb_not(bed, "202", false);
    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(b, "INVITE"));
    taken(bed, a, b, &invite);
    close_all(bed, a, b, c);
}
END_TEST

START_TEST(who_forwards_to_a_group_that_he_is_in_is_left_in_peace_there)
{
    struct bed *bed = bed_open(FORWARD, RING);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203");
    struct message invite;

    disturb_not(bed, "202", true);
    forward(bed, "202", "busy", "300", 0);
    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(c, "INVITE"));
    expect_silence(bed, b, "INVITE");
    taken(bed, a, c, &invite);
    close_all(bed, a, b, c);
}
END_TEST

START_TEST(a_call_that_one_has_made_for_oneself_comes_all_the_same)
{
    struct bed *bed = bed_open(FORWARD, NULL);
    struct ua *a = bed_registered(bed, "202");
    char params[100];

    disturb_not(bed, "202", true);
    forward(bed, "202", "always", "203", 0);
    snprintf(params, sizeof params, "{\"from\":\"202\",\"to\":\"203\",\"at\":%lld}", (long long)time(NULL));
    command(bed, "originate", params); /* a wake-up call is one as well */
    refuse(a, must(ua_wait(a, "INVITE")), 486);
    bed_until(bed, bed->calls_ended == 1);
    close_all(bed, a, NULL, NULL);
}
END_TEST

/* --- rights ------------------------------------------------------------------------------------------------------- */

static void lives_elsewhere(struct account *account)
{
    str_copy(account->context, sizeof account->context, "elsewhere");
    account->max_call = 1;
}

/* 201 may not call 7; 202 may, and pays for it. */
START_TEST(what_follows_is_done_with_the_rights_and_limits_of_who_forwards)
{
    struct bed *bed = bed_open(FORWARD, "extension('internal', '_2XX', function(call)\n"
                                        "  call:dial { to = 'account:' .. call.extension }\n"
                                        "end)\n"
                                        "extension('elsewhere', '7', function(call)\n"
                                        "  assert(call.forwarded_by == '202' and call.forwarded_why == 'always')\n"
                                        "  assert(call.account == '201' and call.from == '201')\n"
                                        "  call:dial { to = '203' }\n"
                                        "end)\n");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203");
    const struct message *m;
    struct message invite;

    bed_change(bed, "202", lives_elsewhere);
    ua_invite(a, "7", NULL);
    refused(bed, a, "404", "unknown-number", "");
    forward(bed, "202", "always", "7", 0);
    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(c, "INVITE"));
    ua_reply(c, &invite, 200, "OK", NULL);
    must(ua_wait(c, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    m = must(ua_wait(c, "BYE")); /* its longest call is over */
    ua_reply(c, m, 200, "OK", NULL);
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 2);
    ck_assert_str_eq(bed->last_cause, "call-limit");
    ck_assert_str_eq(bed->last_detail, "1 s, the limit of account 202");
    close_all(bed, a, b, c);
}
END_TEST

static void lives_outside(struct account *account)
{
    str_copy(account->context, sizeof account->context, "outside");
    account->max_call = 1;
}

static void lives_there_without_a_limit(struct account *account)
{
    str_copy(account->context, sizeof account->context, "elsewhere");
}

/* 202 may call 7, and 203 may call 8; nobody may what another one may. */
START_TEST(each_of_several_forwards_has_the_rights_of_its_own_account)
{
    struct bed *bed = bed_open(FORWARD, "extension('internal', '_2XX', function(call)\n"
                                        "  call:dial { to = 'account:' .. call.extension }\n"
                                        "end)\n"
                                        "extension('internal', '9', function(call) call:dial { to = '204' } end)\n"
                                        "extension('elsewhere', '7', function(call) call:dial { to = '203' } end)\n"
                                        "extension('outside', '8', function(call)\n"
                                        "  assert(call.forwarded_by == '203' and call.account == '201')\n"
                                        "  call:dial { to = '204' }\n"
                                        "end)\n");
    struct ua *a = bed_registered(bed, "201"), *c = bed_registered(bed, "203"), *d = bed_registered(bed, "204");
    static const char *const not_its_own[] = {"8", "9"}; /* of 203's context, of the caller's */
    struct message invite;

    bed_change(bed, "202", lives_there_without_a_limit);
    bed_change(bed, "203", lives_outside);
    forward(bed, "202", "always", "7", 0);
    forward(bed, "203", "busy", "8", 0);
    ua_invite(a, "202", NULL);
    refuse(c, must(ua_wait(c, "INVITE")), 486);
    invite = *must(ua_wait(d, "INVITE"));
    ck_assert(says(&invite, "From", "sip:201@"));
    ua_reply(d, &invite, 200, "OK", NULL);
    must(ua_wait(d, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ua_reply(d, must(ua_wait(d, "BYE")), 200, "OK", NULL);
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_detail, "1 s, the limit of account 203");
    for (size_t i = 0; i < COUNT_OF(not_its_own); i++) {
        forward(bed, "202", "always", not_its_own[i], 0);
        ua_invite(a, "202", NULL);
        refused(bed, a, "404", "unknown-number", "");
    }
    close_all(bed, a, c, d);
}
END_TEST

START_TEST(a_phone_that_redirects_is_told_of_as_well)
{
    struct bed *bed = bed_open(FORWARD, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203");
    struct message invite;

    forward(bed, "202", "busy", "204", 0); /* what the phone says itself comes first */
    a->extra = "Diversion: <sip:205@forged>;reason=unconditional\r\nHistory-Info: <sip:205@forged>;index=1\r\n";
    ua_invite(a, "202", NULL);
    a->extra = NULL;
    invite = *must(ua_wait(b, "INVITE"));
    ck_assert_ptr_null(strstr(invite.text, "Diversion"));
    redirect(b, &invite, 302, "Contact: <sip:203@127.0.0.1>\r\n");
    invite = *must(ua_wait(c, "INVITE"));
    ck_assert(says(&invite, "Diversion", "<sip:202@") && says(&invite, "Diversion", ";reason=deflection"));
    ck_assert_ptr_null(strstr(invite.text, "forged"));
    taken(bed, a, c, &invite);
    close_all(bed, a, b, c);
}
END_TEST

/* --- how many calls ----------------------------------------------------------------------------------------------- */

static void has_two_calls(struct account *account)
{
    account->max_calls = 2;
}

/* from calls to, who answers. */
static void talk(struct ua *from, struct ua *to)
{
    ua_invite(from, to->user, NULL);
    ua_reply(to, must(ua_wait(to, "INVITE")), 200, "OK", NULL);
    must(ua_wait(to, "ACK"));
    ua_ack(from, must(ua_wait(from, "200")));
}

static void call_fails(struct bed *bed, struct ua *a, const char *number, const char *words)
{
    unsigned ended = bed->calls_ended;
    const struct message *m;

    ua_invite(a, number, NULL);
    m = must(ua_wait(a, "486"));
    ck_assert_msg(says(m, "Warning", words), "%s", m->text);
    ua_ack(a, m);
    bed_until(bed, bed->calls_ended == ended + 1);
    ck_assert_str_eq(bed->last_cause, "too-many-calls");
}

START_TEST(without_call_waiting_an_account_with_a_call_is_busy)
{
    struct bed *bed = bed_open(FORWARD, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203");
    struct message invite;

    command(bed, "call-waiting", "{\"account\":\"202\",\"on\":false}");
    talk(a, b);
    call_fails(bed, c, "202", "202 has a call, and its call waiting is off");
    command(bed, "call-waiting", "{\"account\":\"202\",\"on\":true}");
    ua_invite(c, "202", NULL);
    invite = *must(ua_wait(b, "INVITE"));
    refuse(b, &invite, 486);
    ua_ack(c, must(ua_wait(c, "486")));
    bed_until(bed, bed->pbx->call_count == 1);
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    close_all(bed, a, b, c);
}
END_TEST

START_TEST(an_account_has_as_many_calls_as_it_may_in_both_directions)
{
    struct bed *bed = bed_open(FORWARD, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203"),
              *d = bed_phone(bed, "202"), *e = bed_registered(bed, "204");

    bed_change(bed, "202", has_two_calls);
    talk(a, b); /* one that comes */
    talk(d, c); /* one that it makes, from a second phone */
    call_fails(bed, e, "202", "202 has 2 calls, as many as it may have (max_calls)");
    call_fails(bed, b, "205", "202 has 2 calls already, as many as it may have (max_calls)");
    bed_setting(bed, "emergency_numbers", "112 911");
    ua_close(b);
    b = bed_phone(bed, "202");
    ua_invite(b, "112", NULL); /* nothing keeps anybody from calling for help */
    ua_ack(b, must(ua_wait(b, "404")));
    bed_until(bed, bed->calls_ended == 3);
    ck_assert_str_eq(bed->last_cause, "unknown-number");
    ua_bye(d);
    ua_reply(c, must(ua_wait(c, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->pbx->call_count == 1);
    ua_close(d);
    ua_close(e);
    ua_close(a);
    ua_close(b);
    ua_close(c);
    bed_abandon(bed); /* nobody answers any more in the call of 201 and 202 */
}
END_TEST

/* --- codes -------------------------------------------------------------------------------------------------------- */

#define CODES                                                                                                          \
    "extension('internal', '_*21*X!', function(call)\n"                                                                \
    "  log(tostring(call:forward { when = 'always', to = call.extension:sub(5) })) end)\n"                             \
    "extension('internal', '*21', function(call) call:forward { when = 'always' } end)\n"                              \
    "extension('internal', '*26', function(call) call:do_not_disturb() end)\n"                                         \
    "extension('internal', '*47', function(call) call:call_waiting() end)\n"                                           \
    "extension('internal', '_2XX', function(call) call:dial { to = call.extension } end)\n"

/* The code is dialled; the switch answers, something is heard, and the call ends by itself. */
static void dial_code(struct bed *bed, struct ua *ua, const char *code)
{
    unsigned ended = bed->calls_ended;

    ua->packets_heard = 0;
    ua_invite(ua, code, NULL);
    ua_ack(ua, must(ua_wait(ua, "200")));
    ck_assert_uint_ge(ua_hear(ua, 5), 5);
    ua_reply(ua, must(ua_wait(ua, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == ended + 1);
    ck_assert_str_eq(bed->last_cause, "normal");
}

static char *asked(struct bed *bed, const char *cmd, const char *params)
{
    json_t *answer = bed_ask(bed, cmd, params);
    char *text = json_dumps(json_object_get(answer, "result"), JSON_COMPACT | JSON_SORT_KEYS);

    json_decref(answer);
    return text;
}

#define expect_state(bed, cmd, params, text)                                                                           \
    do {                                                                                                               \
        char *is_ = asked(bed, cmd, params);                                                                           \
        ck_assert_str_eq(is_, text);                                                                                   \
        free(is_);                                                                                                     \
    } while (0)

START_TEST(a_user_sets_all_of_it_by_his_phone_and_is_told_so)
{
    struct bed *bed = bed_open(FORWARD, CODES);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203");
    struct message invite;

    dial_code(bed, b, "*21*203");
    expect_state(bed, "forward", "{}", "{\"forwards\":[{\"account\":\"202\",\"number\":\"203\",\"when\":\"always\"}]}");
    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(c, "INVITE"));
    taken(bed, a, c, &invite);
    dial_code(bed, b, "*21");
    expect_state(bed, "forward", "{}", "{\"forwards\":[]}");
    dial_code(bed, b, "*21*202"); /* to oneself: it is heard that this is nothing */
    expect_state(bed, "forward", "{}", "{\"forwards\":[]}");
    dial_code(bed, b, "*26");
    expect_state(bed, "dnd", "{}", "{\"accounts\":[\"202\"]}");
    dial_code(bed, b, "*26");
    expect_state(bed, "dnd", "{}", "{\"accounts\":[]}");
    dial_code(bed, b, "*47");
    expect_state(bed, "call-waiting", "{\"account\":\"202\"}", "{\"account\":\"202\",\"on\":false}");
    dial_code(bed, b, "*47");
    expect_state(bed, "call-waiting", "{}", "{\"accounts\":[]}");
    close_all(bed, a, b, c);
}
END_TEST

START_TEST(what_cannot_be_is_refused_in_words)
{
    static const struct {
        const char *params, *words;
    } wrong[] = {
        {"{\"account\":\"299\",\"when\":\"busy\",\"number\":\"203\"}", "There is no account \"299\"."},
        {"{\"account\":\"202\",\"when\":\"never\",\"number\":\"203\"}",
         "when is always, busy, no-answer or unreachable."},
        {"{\"account\":\"202\",\"number\":\"203\"}", "say when it forwards: always, busy, no-answer or unreachable."},
        {"{\"account\":\"202\",\"when\":\"busy\",\"number\":\"202\"}", "202 cannot forward to itself."},
        {"{\"account\":\"202\",\"when\":\"busy\",\"number\":\"2 3\"}",
         "\"2 3\" is no number that can be dialled: 1 to 63 characters without blanks."},
        {"{\"account\":\"202\",\"when\":\"busy\",\"number\":\"\"}",
         "a number has 1 to 63 characters without blanks; null ends a forward."},
        {"{\"account\":\"202\",\"when\":\"busy\",\"number\":203}",
         "when and number are texts; number is null to end a forward."},
        {"{\"account\":\"202\",\"when\":\"busy\",\"number\":\"203\",\"seconds\":5}",
         "only a forward on no answer takes seconds, from 1 to 3600."},
    };
    struct bed *bed = bed_open(FORWARD, NULL);

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        json_t *answer = bed_ask(bed, "forward", wrong[i].params);
        const char *words = json_string_value(json_object_get(json_object_get(answer, "error"), "text"));

        ck_assert_str_eq(words, wrong[i].words);
        json_decref(answer);
    }
    expect_state(bed, "forward", "{}", "{\"forwards\":[]}");
    bed_close(bed);
}
END_TEST

START_TEST(rows_that_make_no_sense_forward_nothing_and_disturb_nobody)
{
    static const char *const rows[][2] = {{"always", "{\"number\":\"\"}"},   {"always", "{\"number\":\"2 3\"}"},
                                          {"always", "{\"number\":203}"},    {"always", "203"},
                                          {"never", "{\"number\":\"203\"}"}, {"always", "{\"number\":\"\\u0001\"}"}};
    struct bed *bed = bed_open(FORWARD, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    bed_live(bed, "dnd", "202", "", "banana");
    bed_live(bed, "dnd", "202", "x", "on");
    bed_live(bed, "call_waiting", "202", "", "banana");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (i == COUNT_OF(rows) / 2) { /* rows that it finds at its start are no better */
            bed_restart(bed);
            ck_assert_int_eq(ua_register(a, -1), 200);
            ck_assert_int_eq(ua_register(b, -1), 200);
        }
        bed_live(bed, "forward", "202", rows[i][0], rows[i][1]);
        expect_state(bed, "forward", "{}", "{\"forwards\":[]}");
        ua_invite(a, "202", NULL);
        refuse(b, must(ua_wait(b, "INVITE")), 486);
        refused(bed, a, "486", "busy", "");
    }
    expect_state(bed, "dnd", "{}", "{\"accounts\":[]}");
    expect_state(bed, "call-waiting", "{}", "{\"accounts\":[]}");
    close_all(bed, a, b, NULL);
}
END_TEST

START_TEST(what_is_set_outlives_a_restart_of_the_switch)
{
    struct bed *bed = bed_open(FORWARD, NULL);

    forward(bed, "202", "no-answer", "203", 7);
    disturb_not(bed, "203", true);
    bed_restart(bed);
    expect_state(bed, "forward", "{}",
                 "{\"forwards\":[{\"account\":\"202\",\"number\":\"203\",\"seconds\":7,\"when\":\"no-answer\"}]}");
    expect_state(bed, "dnd", "{}", "{\"accounts\":[\"203\"]}");
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("forward");
    TCase *tc = tcase_create("forward");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 90);
    tcase_add_loop_test(tc, a_call_goes_on_under_each_condition_and_who_gets_it_sees_who_was_called, 0,
                        COUNT_OF(conditions));
    tcase_add_test(tc, a_call_stays_where_no_forward_is_for_what_happened);
    tcase_add_test(tc, forwards_in_a_row_are_all_told_of_and_a_circle_ends_with_words);
    tcase_add_test(tc, a_member_of_a_ring_does_not_send_the_call_of_the_others_on);
    tcase_add_test(tc, who_is_not_to_be_disturbed_is_busy_and_forwards_as_when_busy);
    tcase_add_test(tc, who_forwards_to_a_group_that_he_is_in_is_left_in_peace_there);
    tcase_add_test(tc, a_call_that_one_has_made_for_oneself_comes_all_the_same);
    tcase_add_test(tc, what_follows_is_done_with_the_rights_and_limits_of_who_forwards);
    tcase_add_test(tc, each_of_several_forwards_has_the_rights_of_its_own_account);
    tcase_add_test(tc, a_phone_that_redirects_is_told_of_as_well);
    tcase_add_test(tc, without_call_waiting_an_account_with_a_call_is_busy);
    tcase_add_test(tc, an_account_has_as_many_calls_as_it_may_in_both_directions);
    tcase_add_test(tc, a_user_sets_all_of_it_by_his_phone_and_is_told_so);
    tcase_add_test(tc, what_cannot_be_is_refused_in_words);
    tcase_add_test(tc, rows_that_make_no_sense_forward_nothing_and_disturb_nobody);
    tcase_add_test(tc, what_is_set_outlives_a_restart_of_the_switch);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
