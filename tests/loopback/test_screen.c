/* Whose calls get through, and who is shown: lists of callers of an account and of the switch, the code for who called
 * last, numbers that are hidden for a call or always. */
#include <time.h>

#include "forks.h"

#define BOTH "[module screen]\n[module forward]\n[module dialing]\n"

static void command(struct bed *bed, const char *cmd, const char *params)
{
    json_t *answer = bed_ask(bed, cmd, params);

    ck_assert_msg(json_is_true(json_object_get(answer, "ok")), "%s %s was refused", cmd, params);
    json_decref(answer);
}

static void refused(struct bed *bed, struct ua *a, const char *number, const char *status, const char *cause,
                    const char *words)
{
    unsigned ended = bed->calls_ended;
    const struct message *m;

    ua_invite(a, number, NULL);
    m = must(ua_wait(a, status));
    ck_assert_msg(says(m, "Warning", words), "%s", m->text);
    ua_ack(a, m);
    bed_until(bed, bed->calls_ended == ended + 1);
    ck_assert_str_eq(bed->last_cause, cause);
}

/* The call of a reaches b, who refuses it. Returns the INVITE. */
static const struct message *comes(struct bed *bed, struct ua *a, const char *number, struct ua *b)
{
    static struct message invite;
    unsigned ended = bed->calls_ended;

    ua_invite(a, number, NULL);
    invite = *must(ua_wait(b, "INVITE"));
    ua_reply(b, &invite, 486, "Busy Here", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "486")));
    bed_until(bed, bed->calls_ended == ended + 1);
    return &invite;
}

static void withheld(const struct message *invite, const char *number)
{
    char uri[40];

    snprintf(uri, sizeof uri, "sip:%s@", number);
    ck_assert_msg(says(invite, "From", "\"Anonymous\" <sip:anonymous@anonymous.invalid>") &&
                      says(invite, "Privacy", "id") && !strstr(invite->text, uri),
                  "%s", invite->text);
}

START_TEST(a_blocked_caller_does_not_get_through_and_others_do)
{
    struct bed *bed = bed_open(BOTH, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203");

    command(bed, "block.add", "{\"account\":\"202\",\"pattern\":\"201\"}");
    command(bed, "forward", "{\"account\":\"202\",\"when\":\"always\",\"number\":\"203\"}"); /* not for him */
    refused(bed, a, "202", "603", "blocked", "202 takes no calls from 201");
    command(bed, "forward", "{\"account\":\"202\",\"when\":\"always\",\"number\":null}");
    comes(bed, c, "202", b);
    comes(bed, a, "203", c); /* the list is of 202 alone */
    command(bed, "forward", "{\"account\":\"202\",\"when\":\"busy\",\"number\":\"203\"}");
    command(bed, "block.add", "{\"account\":\"202\",\"pattern\":\"20*\",\"busy\":true}");
    command(bed, "block.remove", "{\"account\":\"202\",\"pattern\":\"201\"}");
    refused(bed, a, "202", "486", "busy", "202 takes no calls from 20*"); /* and goes to no 203 either */
    command(bed, "block.remove", "{\"account\":\"202\",\"pattern\":\"20*\"}");
    command(bed, "forward", "{\"account\":\"202\",\"when\":\"busy\",\"number\":null}");
    comes(bed, a, "202", b);
    expect_silence(bed, c, "INVITE");
    ua_close(a);
    ua_close(b);
    ua_close(c);
    bed_close(bed);
}
END_TEST

START_TEST(the_list_of_the_switch_counts_for_all_and_may_send_callers_elsewhere)
{
    struct bed *bed = bed_open(BOTH, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203");
    const struct message *invite;

    command(bed, "block.add", "{\"account\":null,\"pattern\":\"201\",\"number\":\"203\",\"note\":\"to the desk\"}");
    invite = comes(bed, a, "202", c);
    ck_assert(says(invite, "Diversion", "<sip:202@"));
    command(bed, "block.add", "{\"account\":\"202\",\"pattern\":\"2?1\"}"); /* its own list comes first */
    refused(bed, a, "202", "603", "blocked", "202 takes no calls from 2?1");
    expect_silence(bed, b, "INVITE");
    ua_close(a);
    ua_close(b);
    ua_close(c);
    bed_close(bed);
}
END_TEST

#define HIDES                                                                                                          \
    "extension('internal', '_*31X!', function(call)\n"                                                                 \
    "  call:hide_number()\n"                                                                                           \
    "  call:dial { to = call.extension:sub(4) }\n"                                                                     \
    "end)\n"                                                                                                           \
    "extension('internal', '_*32X!', function(call)\n"                                                                 \
    "  call:hide_number(false)\n"                                                                                      \
    "  call:dial { to = call.extension:sub(4) }\n"                                                                     \
    "end)\n"                                                                                                           \
    "extension('internal', '*68', function(call) log(tostring(call:block_last())) end)\n"                              \
    "extension('internal', '112', function(call) call:dial { to = '203' } end)\n"                                      \
    "extension('internal', '_2XX', function(call) call:dial { to = call.extension } end)\n"

static void hides_always(struct account *account)
{
    account->anonymous = true;
}

START_TEST(a_number_is_hidden_for_one_call_or_always)
{
    struct bed *bed = bed_open(BOTH, HIDES);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203");

    withheld(comes(bed, a, "*31202", b), "201");
    ck_assert(says(comes(bed, a, "202", b), "From", "sip:201@"));
    ck_assert_ptr_null(strstr(b->invite.text, "Privacy"));
    bed_change(bed, "201", hides_always);
    withheld(comes(bed, a, "202", b), "201");
    ck_assert(says(comes(bed, a, "*32202", b), "From", "sip:201@"));
    /* Who forwards the call of another one does not hide that one, and is not named himself. */
    command(bed, "forward", "{\"account\":\"201\",\"when\":\"always\",\"number\":\"203\"}");
    ck_assert(says(comes(bed, b, "201", c), "From", "sip:202@"));
    ck_assert_ptr_null(strstr(c->invite.text, "sip:201@"));
    ck_assert(says(&c->invite, "Diversion", "<sip:anonymous@anonymous.invalid>;reason=unconditional"));
    ck_assert(says(&c->invite, "Diversion", ";privacy=full"));
    ck_assert(says(&c->invite, "History-Info", "<sip:anonymous@anonymous.invalid>;index=1, <sip:203@"));
    /* A caller who hides is hidden behind a forward, too, and who is between them is shown. */
    command(bed, "forward", "{\"account\":\"202\",\"when\":\"always\",\"number\":\"203\"}");
    withheld(comes(bed, a, "202", c), "201");
    ck_assert(says(&c->invite, "Diversion", "<sip:202@") && says(&c->invite, "Diversion", ";privacy=off"));
    ua_close(a);
    ua_close(b);
    ua_close(c);
    bed_close(bed);
}
END_TEST

START_TEST(callers_without_a_number_can_be_blocked)
{
    struct bed *bed = bed_open(BOTH, HIDES);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    command(bed, "block.add", "{\"account\":\"202\",\"pattern\":\"anonymous\"}");
    refused(bed, a, "*31202", "603", "blocked", "202 takes no calls from anonymous");
    comes(bed, a, "202", b);
    command(bed, "block.add", "{\"account\":\"202\",\"pattern\":\"201\"}"); /* who hides is still who he is */
    command(bed, "block.remove", "{\"account\":\"202\",\"pattern\":\"anonymous\"}");
    refused(bed, a, "*31202", "603", "blocked", "202 takes no calls from 201");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(who_calls_for_help_is_shown_and_gets_through)
{
    struct bed *bed = bed_open(BOTH, HIDES);
    struct ua *a = bed_registered(bed, "201"), *c = bed_registered(bed, "203");

    bed_change(bed, "201", hides_always);
    command(bed, "block.add", "{\"account\":\"203\",\"pattern\":\"201\"}");
    command(bed, "dnd", "{\"account\":\"203\",\"on\":true}");
    ck_assert(says(comes(bed, a, "112", c), "From", "sip:201@"));
    refused(bed, a, "203", "603", "blocked", "203 takes no calls from 201");
    ua_close(a);
    ua_close(c);
    bed_close(bed);
}
END_TEST

START_TEST(a_call_that_one_has_made_for_oneself_is_not_blocked)
{
    struct bed *bed = bed_open(BOTH, HIDES);
    struct ua *b = bed_registered(bed, "202");
    char params[100];

    command(bed, "block.add", "{\"account\":\"202\",\"pattern\":\"*\"}");
    command(bed, "block.add", "{\"account\":\"202\",\"pattern\":\"anonymous\"}");
    snprintf(params, sizeof params, "{\"from\":\"202\",\"to\":\"203\",\"at\":%lld}", (long long)time(NULL));
    command(bed, "originate", params); /* a wake-up call is one as well */
    ua_reply(b, must(ua_wait(b, "INVITE")), 486, "Busy Here", NULL);
    must(ua_wait(b, "ACK"));
    bed_until(bed, bed->calls_ended == 1);
    ua_close(b);
    bed_close(bed);
}
END_TEST

static void dial_code(struct bed *bed, struct ua *ua, const char *code)
{
    unsigned ended = bed->calls_ended;

    ua->packets_heard = 0;
    ua_invite(ua, code, NULL);
    ua_ack(ua, must(ua_wait(ua, "200")));
    ck_assert_uint_ge(ua_hear(ua, 5), 5);
    ua_reply(ua, must(ua_wait(ua, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == ended + 1);
}

START_TEST(who_called_last_is_blocked_by_a_code)
{
    struct bed *bed = bed_open(BOTH, HIDES);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203");
    json_t *answer;

    dial_code(bed, b, "*68"); /* nobody has */
    comes(bed, c, "202", b);
    comes(bed, a, "*31202", b);
    bed_restart(bed); /* who called is known all the same */
    ck_assert_int_eq(ua_register(a, -1), 200);
    ck_assert_int_eq(ua_register(b, -1), 200);
    ck_assert_int_eq(ua_register(c, -1), 200);
    dial_code(bed, b, "*68");
    refused(bed, a, "202", "603", "blocked", "202 takes no calls from 201");
    comes(bed, c, "202", b);
    answer = bed_ask(bed, "block.list", "{\"account\":\"202\"}");
    ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(answer, "result"), "blocks")), 1);
    json_decref(answer);
    ua_close(a);
    ua_close(b);
    ua_close(c);
    bed_close(bed);
}
END_TEST

START_TEST(a_last_caller_with_a_star_in_his_number_blocks_nobody_else)
{
    struct bed *bed = bed_open(BOTH, HIDES);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203");
    json_t *answer, *item;

    bed_live(bed, "last_caller", "202", "", "{\"number\":\"*\",\"name\":\"\",\"at\":1,\"answered\":false}");
    dial_code(bed, b, "*68");
    comes(bed, a, "202", b);
    comes(bed, c, "202", b);
    answer = bed_ask(bed, "block.list", "{\"account\":\"202\"}");
    item = json_array_get(json_object_get(json_object_get(answer, "result"), "blocks"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(item, "pattern")), "?");
    json_decref(answer);
    ua_close(a);
    ua_close(b);
    ua_close(c);
    bed_close(bed);
}
END_TEST

START_TEST(a_pattern_that_is_none_is_refused_and_blocks_nobody)
{
    static const char *const wrong[] = {"[", "20[1-3]", "^201$", "2 1", "", "2\\u00fc1"};
    struct bed *bed = bed_open(BOTH, HIDES);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    json_t *answer;
    char params[100];

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        snprintf(params, sizeof params, "{\"account\":\"202\",\"pattern\":\"%s\"}", wrong[i]);
        answer = bed_ask(bed, "block.add", params);
        ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(json_object_get(answer, "error"), "text")),
                                     "is no number of a caller: letters, digits and + - . _ ~ #, with *"));
        json_decref(answer);
    }
    bed_live(bed, "block", "202", "20[1-3]", "{\"action\":\"reject\"}");
    bed_live(bed, "block", "202", "201", "reject");
    bed_live(bed, "block", "", "2\x01*", "{\"action\":\"reject\"}");
    comes(bed, a, "202", b);
    bed_live(bed, "block", "202", "201", "{\"action\":\"forward\",\"number\":\"2 3\"}"); /* to nowhere: rejected */
    refused(bed, a, "202", "603", "blocked", "202 takes no calls from 201");
    bed_live(bed, "block", "202", "201", "{\"action\":{},\"number\":7,\"note\":[]}");
    refused(bed, a, "202", "603", "blocked", "202 takes no calls from 201");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("screen");
    TCase *tc = tcase_create("screen");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 90);
    tcase_add_test(tc, a_blocked_caller_does_not_get_through_and_others_do);
    tcase_add_test(tc, the_list_of_the_switch_counts_for_all_and_may_send_callers_elsewhere);
    tcase_add_test(tc, a_number_is_hidden_for_one_call_or_always);
    tcase_add_test(tc, who_calls_for_help_is_shown_and_gets_through);
    tcase_add_test(tc, a_call_that_one_has_made_for_oneself_is_not_blocked);
    tcase_add_test(tc, callers_without_a_number_can_be_blocked);
    tcase_add_test(tc, who_called_last_is_blocked_by_a_code);
    tcase_add_test(tc, a_last_caller_with_a_star_in_his_number_blocks_nobody_else);
    tcase_add_test(tc, a_pattern_that_is_none_is_refused_and_blocks_nobody);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
