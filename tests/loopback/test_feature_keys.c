/* Keys of phones for forwards and do not disturb (as-feature-event): what a phone sets reaches the switch and the other
 * phones of its account, and what others set reaches the phone. */
#include "forks.h"
#include "wire.h"

#define TYPE "application/x-as-feature-event+xml"
#define EVENT "Event: as-feature-event\r\nAccept: multipart/mixed, " TYPE "\r\n"

static void command(struct bed *bed, const char *cmd, const char *params)
{
    json_t *answer = bed_ask(bed, cmd, params);

    ck_assert_msg(json_is_true(json_object_get(answer, "ok")), "%s %s was refused", cmd, params);
    json_decref(answer);
}

/* A SUBSCRIBE for this account; a 200 becomes the dialog of the phone's next verbs. */
static int subscribe(struct ua *ua, const char *account)
{
    char uri[ADDR_TEXT + 80], host[ADDR_TEXT], text[300];
    struct ask ask = {.method = "SUBSCRIBE", .uri = uri, .headers = EVENT "Expires: 600\r\n", .account = true};
    const struct message *m;
    const char *tag;

    snprintf(uri, sizeof uri, "sip:%s@%s", account, addr_text(&ua->proxy, host));
    m = must(wire_ask(ua, &ask));
    if (m->status != 200)
        return m->status;
    message_header(m, "Call-ID", ua->call_id, sizeof ua->call_id);
    message_header(m, "From", text, sizeof text);
    tag = strstr(text, ";tag=");
    str_copy(ua->local_tag, sizeof ua->local_tag, tag + 5);
    str_copy_n(ua->from, sizeof ua->from, text, (size_t)(tag - text));
    message_header(m, "To", text, sizeof text);
    str_copy_n(ua->to, sizeof ua->to, text, (size_t)(strstr(text, ";tag=") - text));
    ua_learn(ua, m);
    return 200;
}

/* The phone sets something. */
static void set(struct ua *ua, const char *body)
{
    char text[600];
    const struct ask ask = {
        .method = "SUBSCRIBE", .in_dialog = true, .headers = EVENT "Expires: 600\r\n", .type = TYPE, .body = text};

    snprintf(text, sizeof text, "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\r\n%s", body);
    ck_assert_int_eq(wire_status(ua, &ask), 200);
}

#define DND(on)                                                                                                        \
    "<SetDoNotDisturb xmlns=\"http://www.ecma-international.org/standards/ecma-323/csta/ed3\"><device/>"               \
    "<doNotDisturbOn>" on "</doNotDisturbOn></SetDoNotDisturb>"
#define SET_FORWARD(type, on, number)                                                                                  \
    "<SetForwarding xmlns=\"http://www.ecma-international.org/standards/ecma-323/csta/ed3\">\r\n  <device></device>"   \
    "\r\n  <forwardingType>" type "</forwardingType>\r\n  <activateForward>" on "</activateForward>\r\n"               \
    "  <forwardDN>" number "</forwardDN>\r\n</SetForwarding>\r\n"

static const char *dnd_is(bool on)
{
    return on ? "<doNotDisturbOn>true</doNotDisturbOn>" : "<doNotDisturbOn>false</doNotDisturbOn>";
}

/* A NOTIFY comes that says this; others before it may not. */
static void told(struct ua *ua, const char *what)
{
    for (unsigned tries = 0; tries < 5; tries++) {
        struct message m = *must(ua_wait(ua, "NOTIFY"));

        ck_assert(says(&m, "Content-Type", "multipart/mixed;boundary="));
        ck_assert(says(&m, "Event", "as-feature-event"));
        ua_reply(ua, &m, 200, "OK", NULL);
        if (strstr(message_body(&m), what))
            return;
    }
    ck_abort_msg("%s was never told of \"%s\"", ua->user, what);
}

START_TEST(a_key_of_the_phone_is_the_same_as_the_code_and_the_command)
{
    struct bed *bed = bed_open("[module forward]\n", NULL);
    struct ua *a = bed_registered(bed, "202"), *b = bed_registered(bed, "202"), *caller = bed_registered(bed, "201");
    const struct message *m;

    ck_assert_int_eq(subscribe(a, "202"), 200);
    told(a, dnd_is(false));
    ck_assert_int_eq(subscribe(b, "202"), 200);
    told(b, "<forwardingType>forwardNoAns</forwardingType><forwardStatus>false</forwardStatus><forwardTo></forwardTo>");

    set(a, DND("true"));
    told(a, dnd_is(true));
    told(b, dnd_is(true)); /* the other phone of the account */
    ua_invite(caller, "202", NULL);
    m = must(ua_wait(caller, "486"));
    ck_assert(says(m, "Warning", "202 does not want to be disturbed"));
    ua_ack(caller, m);
    bed_until(bed, bed->calls_ended == 1);

    command(bed, "dnd", "{\"account\":\"202\",\"on\":false}");
    told(a, dnd_is(false));
    told(b, dnd_is(false));

    set(b, SET_FORWARD("forwardNoAns", "true", "sip:203@example.org"));
    told(b, "<forwardingType>forwardNoAns</forwardingType><forwardStatus>true</forwardStatus><forwardTo>203</forwardTo>"
            "<ringCount>3</ringCount>");
    told(a, "<forwardTo>203</forwardTo>");
    command(bed, "forward", "{\"account\":\"202\",\"when\":\"always\",\"number\":\"204\"}");
    told(a, "<forwardingType>forwardImmediate</forwardingType><forwardStatus>true</forwardStatus><forwardTo>204<");
    set(a, SET_FORWARD("forwardImmediate", "false", ""));
    told(a, "<forwardingType>forwardImmediate</forwardingType><forwardStatus>false</forwardStatus>");
    set(a, SET_FORWARD("forwardImmediate", "true", "202")); /* to itself: the phone sees that it is not so */
    told(a, "<forwardingType>forwardImmediate</forwardingType><forwardStatus>false</forwardStatus>");
    bed_live(bed, "dnd", "202", "", "on"); /* by SQL */
    told(a, dnd_is(true));
    told(b, dnd_is(true));
    bed_live(bed, "forward", "202", "busy", "{\"number\":\"205\"}");
    told(a, "<forwardingType>forwardBusy</forwardingType><forwardStatus>true</forwardStatus><forwardTo>205<");
    bed_live(bed, "forward", "202", "busy", "{\"number\":\"\"}"); /* makes no sense: there is none */
    told(b, "<forwardingType>forwardBusy</forwardingType><forwardStatus>false</forwardStatus>");
    ua_close(a);
    ua_close(b);
    ua_close(caller);
    bed_abandon(bed); /* subscriptions are left */
}
END_TEST

START_TEST(nobody_sets_what_is_of_another_account)
{
    struct bed *bed = bed_open("[module forward]\n", NULL);
    struct ua *a = bed_registered(bed, "201");

    ck_assert_int_eq(subscribe(a, "202"), 403);
    ua_close(a);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("feature_keys");
    TCase *tc = tcase_create("features");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 90);
    tcase_add_test(tc, a_key_of_the_phone_is_the_same_as_the_code_and_the_command);
    tcase_add_test(tc, nobody_sets_what_is_of_another_account);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
