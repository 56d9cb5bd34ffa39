/* Intercom calls and pages between scripted phones: who is asked to answer by itself, who hears whom. */
#include "groups_bed.h"

#define INTERCOM                                                                                                       \
    "extension('internal', '_*4XXX', function(call)\n"                                                                 \
    "  local r = call:intercom(call.extension:sub(3))\n"                                                               \
    "  if not r then call:hangup('unknown-number') end\n"                                                              \
    "end)\n"                                                                                                           \
    "extension('internal', '_.', function(call) call:dial{ to = call.extension } end)\n"

START_TEST(an_intercom_call_asks_the_phone_to_answer_by_itself)
{
    struct office *o = office_open(2, INTERCOM);
    struct message to_caller, to_phone;
    const struct message *invite = &to_phone;
    char value[300];

    ua_invite(o->phones[1], "*4202", NULL);
    to_phone = *must(ua_wait(o->phones[2], "INVITE"));
    ck_assert_ptr_nonnull(strstr(message_header(invite, "Call-Info", value, sizeof value), "answer-after=0"));
    ck_assert_ptr_nonnull(strstr(message_header(invite, "Alert-Info", value, sizeof value), "info=alert-autoanswer"));
    ck_assert_str_eq(message_header(invite, "Answer-Mode", value, sizeof value), "Auto");
    ua_reply(o->phones[2], invite, 200, "OK", NULL);
    must(ua_wait(o->phones[2], "ACK"));
    to_caller = *must(ua_wait(o->phones[1], "200"));
    ua_ack(o->phones[1], &to_caller);
    ck_assert(hears(o, o->phones[1], &to_caller, o->phones[2])); /* unlike a page, both speak */
    ck_assert(hears(o, o->phones[2], &to_phone, o->phones[1]));
    hangs_up(o, o->phones[1], o->phones[2]);
    office_close(o);
}
END_TEST

START_TEST(an_intercom_call_disturbs_nobody_who_may_not_be_called_so)
{
    struct office *o = office_open(3, INTERCOM);

    bed_setting(o->bed, "intercom", "off");
    ua_invite(o->phones[1], "*4202", NULL);
    is_refused(o, o->phones[1], 403);
    was_said(o, "201 may not let 202's phone answer by itself");
    bed_setting(o->bed, "intercom", NULL);
    ua_invite(o->phones[1], "*4299", NULL);
    is_refused(o, o->phones[1], 404);
    ua_invite(o->phones[3], "202", NULL);
    rings(o->phones[2]);
    answers(o->phones[2]);
    is_connected(o->phones[3]);
    forget(o);
    ua_invite(o->phones[1], "*4202", NULL);
    is_refused(o, o->phones[1], 486);
    ck_assert(nothing_for(o->phones[2]));
    hangs_up(o, o->phones[3], o->phones[2]);
    office_close(o);
}
END_TEST

START_TEST(a_page_is_heard_on_all_phones_and_nobody_is_heard_back)
{
    struct office *o = office_open(3, NULL);
    struct message to_caller, to_b, to_c;
    bool b = false, c = false;

    group(o, "page", MEMBER("202") "," MEMBER("203") "," MEMBER("205") "," MEMBER("201"), NULL);
    ua_invite(o->phones[1], "600", NULL);
    to_caller = *must(ua_wait(o->phones[1], "200"));
    ua_ack(o->phones[1], &to_caller);
    to_b = *must(ua_wait(o->phones[2], "INVITE"));
    ua_reply(o->phones[2], &to_b, 200, "OK", NULL);
    must(ua_wait(o->phones[2], "ACK"));
    to_c = *must(ua_wait(o->phones[3], "INVITE"));
    ck_assert_ptr_nonnull(strstr(to_c.text, "answer-after=0"));
    ua_reply(o->phones[3], &to_c, 200, "OK", NULL);
    must(ua_wait(o->phones[3], "ACK"));
    was_said(o, "page sales: speaks to 202, 203, 205; 201 is the caller\n");
    for (uint64_t until = now_ms() + UA_WAIT_MS; now_ms() < until && !(b && c);) {
        ua_talk(o->phones[1], message_body(&to_caller), 1, 0x31);
        ua_talk(o->phones[2], message_body(&to_b), 1, 0x42);
        for (uint64_t beat = now_ms() + 20; now_ms() < beat;)
            loop_turn(o->bed->loop, 2);
        b = b || heard_by(o->phones[2], 0x31) == 0x31;
        c = c || heard_by(o->phones[3], 0x31) == 0x31;
        ck_assert_uint_ne(heard_by(o->phones[1], 0x42), 0x42);
    }
    ck_assert(b);
    ck_assert(c);
    ua_bye(o->phones[1]);
    ua_reply(o->phones[2], must(ua_wait(o->phones[2], "BYE")), 200, "OK", NULL);
    ua_reply(o->phones[3], must(ua_wait(o->phones[3], "BYE")), 200, "OK", NULL);
    bed_until(o->bed, o->bed->calls_ended == 1);
    was_said(o, "page sales: is over, 2 phones heard it\n");
    office_close(o);
}
END_TEST

START_TEST(a_page_that_no_phone_takes_ends_and_says_so)
{
    struct office *o = office_open(3, NULL);

    group(o, "page", MEMBER("202") "," MEMBER("203") "," MEMBER("0171"), NULL);
    ua_invite(o->phones[1], "sales", NULL);
    is_connected(o->phones[1]);
    refuses(o->phones[2], 486);
    refuses(o->phones[3], 480);
    ua_reply(o->phones[1], must(ua_wait(o->phones[1], "BYE")), 200, "OK", NULL);
    bed_until(o->bed, o->bed->calls_ended == 1);
    was_said(o, "page sales: speaks to 202, 203; 0171 is outside\n");
    was_said(o, "page sales: no phone answered\n");
    office_close(o);
}
END_TEST

START_TEST(a_listener_who_hangs_up_leaves_the_others_listening)
{
    struct office *o = office_open(3, NULL);

    group(o, "page", MEMBER("202") "," MEMBER("203"), NULL);
    ua_invite(o->phones[1], "sales", NULL);
    is_connected(o->phones[1]);
    for (int i = 2; i <= 3; i++) {
        ua_reply(o->phones[i], must(ua_wait(o->phones[i], "INVITE")), 200, "OK", NULL);
        must(ua_wait(o->phones[i], "ACK"));
    }
    ua_bye(o->phones[2]);
    bed_until(o->bed, o->bed->pbx->leg_count == 2);
    ua_bye(o->phones[3]);
    ua_reply(o->phones[1], must(ua_wait(o->phones[1], "BYE")), 200, "OK", NULL);
    bed_until(o->bed, o->bed->calls_ended == 1);
    was_said(o, "page sales: nobody listens any more\n");
    office_close(o);
}
END_TEST

/* 202 and 203 listen. */
static void speaks_to_two(struct office *o)
{
    group(o, "page", MEMBER("202") "," MEMBER("203"), NULL);
    ua_invite(o->phones[1], "sales", NULL);
    is_connected(o->phones[1]);
    for (int i = 2; i <= 3; i++) {
        ua_reply(o->phones[i], must(ua_wait(o->phones[i], "INVITE")), 200, "OK", NULL);
        must(ua_wait(o->phones[i], "ACK"));
    }
}

static void is_let_go(struct ua *ua)
{
    ua_reply(ua, must(ua_wait(ua, "BYE")), 200, "OK", NULL);
}

START_TEST(a_page_is_over_when_an_operator_takes_its_speaker_out)
{
    struct office *o = office_open(3, NULL);

    speaks_to_two(o);
    forward(o, "conference", "{\"room\":\"page-sales-1\",\"do\":\"kick\",\"member\":\"201\"}");
    for (int i = 1; i <= 3; i++)
        is_let_go(o->phones[i]);
    bed_until(o->bed, o->bed->calls_ended == 1);
    was_said(o, "page sales: is over, who spoke was taken out of it\n");
    office_close(o);
}
END_TEST

START_TEST(who_spoke_is_in_no_conference_any_more_when_the_module_stops)
{
    struct office *o = office_open_with(NULL, 3,
                                        "extension('internal', 'sales', function(call)\n"
                                        "  pcall(function() call:group('sales') end)\n"
                                        "  call:log('goes on')\n"
                                        "  call:dial{ to = '202' }\n"
                                        "end)\n");
    struct module_set *set = office_add_groups(o);

    speaks_to_two(o);
    modules_stop(set);
    ck_assert(list_empty(&o->bed->pbx->conferences));
    is_let_go(o->phones[2]);
    is_let_go(o->phones[3]);
    rings(o->phones[2]);
    was_said(o, "goes on\n");
    answers(o->phones[2]);
    hangs_up(o, o->phones[1], o->phones[2]);
    office_close(o);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("intercom and pages");
    TCase *tc = tcase_create("intercom and pages");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, an_intercom_call_asks_the_phone_to_answer_by_itself);
    tcase_add_test(tc, an_intercom_call_disturbs_nobody_who_may_not_be_called_so);
    tcase_add_test(tc, a_page_is_heard_on_all_phones_and_nobody_is_heard_back);
    tcase_add_test(tc, a_page_that_no_phone_takes_ends_and_says_so);
    tcase_add_test(tc, a_listener_who_hangs_up_leaves_the_others_listening);
    tcase_add_test(tc, a_page_is_over_when_an_operator_takes_its_speaker_out);
    tcase_add_test(tc, who_spoke_is_in_no_conference_any_more_when_the_module_stops);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
