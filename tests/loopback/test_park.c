/* Parking: who is handed over to a slot hears music there until he is fetched, hangs up, or who parked him is called
 * back. Who hears whom, who is told what, which slots are taken. */
#include <stdio.h>
#include <stdlib.h>

#include "base/obj.h"
#include "call/talk.h"
#include "wav_bytes.h"
#include "pickup_bed.h"

/* 201 (a) talks to 202 (b); 203 (c) and 204 (d) are there. */
struct scene {
    struct bed *bed;
    struct ua *a, *b, *c, *d;
    struct message to_a;
};

/* Hold music of one value of sound: nobody else sends anything like it. */
static void music(struct bed *bed)
{
    struct snapshot *snapshot = snapshot_next(db_snapshot(bed->pbx->db));
    struct wav_bytes *wav = calloc(1, sizeof *wav);
    char path[128];
    FILE *file;

    wav_begin(wav, 1, 1, 8000, 16);
    wav_put(wav, "data", 4);
    wav_number(wav, 16000, 4);
    for (int i = 0; i < 8000; i++)
        wav_number(wav, i % 2 ? 8000 : (uint32_t)-8000, 2);
    snprintf(path, sizeof path, "%s/music.wav", bed->dir);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(wav->bytes, 1, wav->len, file), wav->len);
    fclose(file);
    free(wav);
    snapshot_put_music(snapshot, music_class_new("default", false, path, false));
    db_set_snapshot(bed->pbx->db, snapshot);
}

static void talk(struct scene *s)
{
    ua_invite(s->a, "202", NULL);
    ua_reply(s->b, must(ua_wait(s->b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(s->b, "ACK"));
    s->to_a = *must(ua_wait(s->a, "200"));
    ua_ack(s->a, &s->to_a);
}

static struct scene scene_open(void)
{
    struct scene s = {.bed = bed_open(pickup_modules, pickup_dialplan)};

    s.a = bed_registered(s.bed, "201");
    s.b = bed_registered(s.bed, "202");
    s.c = bed_registered(s.bed, "203");
    s.d = bed_registered(s.bed, "204");
    music(s.bed);
    talk(&s);
    return s;
}

static void scene_close(struct scene *s)
{
    bed_until(s->bed, s->bed->pbx->call_count == 0);
    ua_close(s->a);
    ua_close(s->b);
    ua_close(s->c);
    ua_close(s->d);
    bed_close(s->bed);
}

static int refer(struct ua *ua, const char *number)
{
    char headers[100];
    struct ask ask = {.method = "REFER", .in_dialog = true, .headers = headers};

    snprintf(headers, sizeof headers, "Refer-To: <sip:%s@tandem>\r\n", number);
    return wire_status(ua, &ask);
}

static int told(struct ua *ua)
{
    struct message m = *must(ua_wait(ua, "NOTIFY"));

    ua_reply(ua, &m, 200, "OK", NULL);
    return atoi(message_body(&m) + strlen("SIP/2.0 "));
}

/* b hands a over, and is let go when the slot has him. */
static void parks(struct scene *s, const char *code)
{
    ck_assert_int_eq(refer(s->b, code), 202);
    ck_assert_int_eq(told(s->b), 100);
    ck_assert_int_eq(told(s->b), 200);
    ua_reply(s->b, must(ua_wait(s->b, "BYE")), 200, "OK", NULL);
}

static void hears_music(struct ua *ua)
{
    hear(ua); /* what was before */
    ua->packets_heard = 0;
    for (uint64_t until = now_ms() + UA_WAIT_MS; now_ms() < until && ua->packets_heard < 20;)
        ua_hear(ua, ua->packets_heard + 1);
    ck_assert_uint_ge(ua->packets_heard, 20);
    ua->packets_heard = 0;
}

/* The number of the only slot that is taken; 0: none is. */
static int slot_in_use(struct bed *bed)
{
    json_t *answer = bed_ask(bed, "parked", "{}"), *list = json_object_get(json_object_get(answer, "result"), "parked");
    int slot = json_array_size(list) ? (int)json_integer_value(json_object_get(json_array_get(list, 0), "slot")) : 0;

    ck_assert_msg(json_is_array(list), "%s", json_dumps(answer, 0));
    json_decref(answer);
    return slot;
}

static void hears_words(struct ua *ua, const char *number)
{
    gets_through(ua, number);
    ua->packets_heard = 0;
    ck_assert_uint_ge(ua_hear(ua, 10), 10);
    ua_reply(ua, must(ua_wait(ua, "BYE")), 200, "OK", NULL);
}

/* c dials the slot, and the two hear each other. */
static void is_fetched(struct scene *s, const char *code)
{
    struct message to_c;

    bed_until(s->bed, s->bed->pbx->call_count == 1);
    s->bed->calls_ended = 0;
    to_c = gets_through(s->c, code);
    bed_until(s->bed, s->bed->calls_ended == 1);
    ck_assert_str_eq(s->bed->last_cause, "picked-up");
    hear_each_other(s->a, &s->to_a, s->c, &to_c);
    ck_assert_int_eq(slot_in_use(s->bed), 0);
    hangs_up(s->c, s->a);
    bed_until(s->bed, s->bed->pbx->call_count == 0);
    ck_assert_str_eq(s->bed->last_cause, "normal");
    ck_assert_str_eq(s->bed->last_who, "callee");
}

START_TEST(who_is_handed_over_hears_music_and_whoever_dials_the_slot_talks_to_him)
{
    struct scene s = scene_open();
    struct message text;

    parks(&s, "*7");
    text = *must(ua_wait(s.b, "MESSAGE")); /* he has not heard the number */
    ck_assert_msg(strstr(message_body(&text), "slot 1"), "%s", text.text);
    ua_reply(s.b, &text, 200, "OK", NULL);
    ck_assert_int_eq(slot_in_use(s.bed), 1);
    hears_music(s.a);
    is_fetched(&s, "*71");
    scene_close(&s);
}
END_TEST

START_TEST(the_text_of_the_slot_names_nobody_who_does_not_want_to_be_shown)
{
    struct scene s = scene_open();
    struct message text;

    hangs_up(s.a, s.b);
    s.a->extra = "Privacy: id\r\n";
    talk(&s);
    parks(&s, "*7");
    text = *must(ua_wait(s.b, "MESSAGE"));
    ck_assert_msg(strstr(message_body(&text), "Somebody is parked in slot 1"), "%s", text.text);
    ua_reply(s.b, &text, 200, "OK", NULL);
    ua_bye(s.a);
    scene_close(&s);
}
END_TEST

START_TEST(who_has_called_parks_whom_he_called_and_is_called_back)
{
    struct scene s = scene_open();
    struct message to_b = s.b->invite, to_a;

    bed_setting(s.bed, "park_timeout", "1");
    ck_assert_int_eq(refer(s.a, "*74"), 202);
    ck_assert_int_eq(told(s.a), 100);
    ck_assert_int_eq(told(s.a), 200);
    ua_reply(s.a, must(ua_wait(s.a, "BYE")), 200, "OK", NULL);
    bed_until(s.bed, slot_in_use(s.bed) == 4);
    to_a = *must(ua_wait(s.a, "INVITE"));
    ua_reply(s.a, &to_a, 200, "OK", NULL);
    must(ua_wait(s.a, "ACK"));
    hear_each_other(s.b, &to_b, s.a, &to_a);
    hangs_up(s.a, s.b);
    scene_close(&s);
}
END_TEST

START_TEST(a_member_of_a_group_parks_who_called_it)
{
    struct bed *bed = bed_open("[module transfer]\n[module pickup]\n[module park]\n[module group]\n", NULL);
    struct scene s = {.bed = bed, .a = bed_registered(bed, "201"), .b = bed_registered(bed, "202")};

    s.c = bed_registered(bed, "203");
    s.d = bed_registered(bed, "204");
    bed_feature(bed, "ring_group", "sales",
                "{\"number\":\"600\",\"strategy\":\"all\",\"ring_time\":20,\"skip_busy\":true,\"context\":\"internal\","
                "\"no_answer\":\"204\",\"members\":[{\"member\":\"202\"}]}");
    ua_invite(s.a, "600", NULL);
    ua_reply(s.b, must(ua_wait(s.b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(s.b, "ACK"));
    s.to_a = *must(ua_wait(s.a, "200"));
    ua_ack(s.a, &s.to_a);
    parks(&s, "*73");
    is_fetched(&s, "*73");
    scene_close(&s);
}
END_TEST

START_TEST(a_slot_can_be_named_and_is_free_at_once_when_who_is_in_it_hangs_up)
{
    struct scene s = scene_open();

    parks(&s, "*712");
    ck_assert_int_eq(slot_in_use(s.bed), 12);
    ck_assert_ptr_null(ua_wait_ms(s.b, "MESSAGE", 50));
    ua_bye(s.a);
    bed_until(s.bed, s.bed->calls_ended == 1);
    ck_assert_str_eq(s.bed->last_cause, "normal");
    ck_assert_str_eq(s.bed->last_who, "caller");
    ck_assert_int_eq(slot_in_use(s.bed), 0);
    hears_words(s.c, "*712");
    scene_close(&s);
}
END_TEST

START_TEST(who_is_handed_over_to_a_slot_that_is_taken_comes_back)
{
    struct scene s = scene_open();
    struct message to_b;

    gets_through(s.d, "hotline"); /* the dialplan parks him in slot 5 */
    bed_until(s.bed, slot_in_use(s.bed) == 5);
    hears_music(s.d);
    ck_assert_int_eq(refer(s.b, "*75"), 202);
    ck_assert_int_eq(told(s.b), 100);
    ck_assert_int_ge(told(s.b), 300);
    to_b = s.b->invite;
    hear_each_other(s.a, &s.to_a, s.b, &to_b);
    hangs_up(s.a, s.b);
    hears_words(s.c, "*7512"); /* no such slot */
    gets_through(s.c, "*75");
    hangs_up(s.d, s.c);
    scene_close(&s);
}
END_TEST

START_TEST(who_is_about_to_park_hears_the_number_and_has_it)
{
    struct scene s = scene_open();
    struct ua *b2 = bed_phone(s.bed, "202");
    struct message to_b2 = gets_through(b2, "*7");

    b2->packets_heard = 0;
    ck_assert_uint_ge(ua_hear(b2, 10), 10);
    gets_through(s.d, "hotline");
    parks(&s, "*7");
    ck_assert_ptr_null(ua_wait_ms(s.b, "MESSAGE", 50));
    ck_assert_int_eq(slot_in_use(s.bed), 1);
    ck_assert_ptr_nonnull(message_body(&to_b2));
    ua_bye(b2);
    ua_bye(s.d);
    is_fetched(&s, "*71");
    ua_close(b2);
    hears_words(s.c, "*7"); /* who talks to nobody has nothing to park */
    scene_close(&s);
}
END_TEST

START_TEST(who_consults_a_slot_hands_over_to_it_with_his_transfer_key)
{
    struct scene s = scene_open();
    struct ua *b2 = bed_phone(s.bed, "202");
    char headers[500];
    struct ask ask = {.method = "REFER", .in_dialog = true, .headers = headers};

    gets_through(b2, "*7");
    gets_through(s.d, "hotline");
    snprintf(headers, sizeof headers, "Refer-To: <sip:*7@tandem?Replaces=%s%%3Bto-tag%%3D%s%%3Bfrom-tag%%3D%s>\r\n",
             b2->call_id, b2->remote_tag, b2->local_tag);
    ck_assert_int_eq(wire_status(s.b, &ask), 202);
    ua_reply(b2, must(ua_wait(b2, "BYE")), 200, "OK", NULL);
    ck_assert_int_eq(told(s.b), 100);
    ck_assert_int_eq(told(s.b), 200);
    ua_reply(s.b, must(ua_wait(s.b, "BYE")), 200, "OK", NULL);
    ck_assert_ptr_null(ua_wait_ms(s.b, "MESSAGE", 50));
    ua_bye(s.d);
    bed_until(s.bed, slot_in_use(s.bed) == 1); /* the one that he was told */
    hears_music(s.a);
    is_fetched(&s, "*71");
    ua_close(b2);
    scene_close(&s);
}
END_TEST

/* The party of a live call that has no account. */
static const struct leg *stranger(const struct bed *bed)
{
    const struct call *call;

    LIST_FOR_EACH(call, &bed->pbx->calls, in_pbx)
    {
        if (call->caller && !call->caller->account)
            return call->caller;
    }
    ck_abort_msg("all have an account");
    return NULL;
}

START_TEST(a_slot_that_was_told_to_somebody_without_an_account_is_in_nobodys_way)
{
    struct scene s = scene_open();
    char id[UUID_TEXT], params[120];
    json_t *answer;

    ua_invite(s.c, "outside", NULL); /* 204 talks to somebody who has no account */
    ua_reply(s.d, must(ua_wait(s.d, "INVITE")), 200, "OK", NULL);
    must(ua_wait(s.d, "ACK"));
    ua_ack(s.c, must(ua_wait(s.c, "200")));
    uuid_text(&stranger(s.bed)->id, id);
    snprintf(params, sizeof params, "{\"who\": \"%s\", \"to\": \"*7\", \"attended\": true}", id);
    answer = bed_ask(s.bed, "transfer", params);
    ck_assert_msg(json_is_object(json_object_get(answer, "result")), "%s", json_dumps(answer, 0));
    json_decref(answer);
    s.c->packets_heard = 0;
    ck_assert_uint_ge(ua_hear(s.c, 5), 5); /* is told the number */
    parks(&s, "*7");
    ua_reply(s.b, must(ua_wait(s.b, "MESSAGE")), 200, "OK", NULL);
    ck_assert_int_eq(slot_in_use(s.bed), 2);
    ua_bye(s.d);
    ua_bye(s.c);
    is_fetched(&s, "*72");
    scene_close(&s);
}
END_TEST

static void types(struct ua *ua, const char *keys)
{
    for (; *keys; keys++) {
        char body[64];
        const struct ask ask = {.method = "INFO", .in_dialog = true, .type = "application/dtmf-relay", .body = body};

        snprintf(body, sizeof body, "Signal=%c\r\nDuration=100\r\n", *keys);
        ck_assert_int_eq(wire_status(ua, &ask), 200);
    }
}

START_TEST(phones_without_a_transfer_key_park_by_codes_that_are_typed_in_the_call)
{
    struct scene s = scene_open();

    bed_dtmf(s.bed, "202", DTMF_INFO);
    types(s.b, "*1*73#");
    ua_reply(s.b, must(ua_wait(s.b, "BYE")), 200, "OK", NULL);
    bed_until(s.bed, slot_in_use(s.bed) == 3);
    is_fetched(&s, "*73");
    talk(&s);
    types(s.b, "*2*7#"); /* hears the number, and hangs up */
    s.b->packets_heard = 0;
    ck_assert_uint_ge(ua_hear(s.b, 20), 20);
    ua_bye(s.b);
    bed_until(s.bed, slot_in_use(s.bed) == 1);
    hears_music(s.a);
    is_fetched(&s, "*71");
    scene_close(&s);
}
END_TEST

START_TEST(the_number_that_was_said_is_kept_a_while_for_the_transfer)
{
    struct scene s = scene_open();
    struct ua *b2 = bed_phone(s.bed, "202");

    gets_through(b2, "*79");
    ua_bye(b2);
    bed_until(s.bed, s.bed->calls_ended == 1);
    hears_words(s.c, "*79"); /* promised, and not his */
    parks(&s, "*7");
    ck_assert_int_eq(slot_in_use(s.bed), 9);
    is_fetched(&s, "*79");
    ua_close(b2);
    scene_close(&s);
}
END_TEST

START_TEST(only_accounts_of_the_context_fetch)
{
    struct scene s = scene_open();

    parks(&s, "*73");
    bed_context(s.bed, "203", "guests");
    hears_words(s.c, "*73");
    bed_context(s.bed, "203", "internal");
    is_fetched(&s, "*73");
    scene_close(&s);
}
END_TEST

START_TEST(of_two_who_fetch_at_once_one_has_him)
{
    struct scene s = scene_open();
    struct message to_c, to_d;

    parks(&s, "*73");
    ua_invite(s.c, "*73", NULL);
    ua_invite(s.d, "*73", NULL);
    to_c = *must(ua_wait(s.c, "200"));
    to_d = *must(ua_wait(s.d, "200"));
    ua_ack(s.c, &to_c);
    ua_ack(s.d, &to_d);
    ua_reply(s.d, must(ua_wait(s.d, "BYE")), 200, "OK", NULL);
    hear_each_other(s.a, &s.to_a, s.c, &to_c);
    hangs_up(s.a, s.c);
    scene_close(&s);
}
END_TEST

/* --- the recall --------------------------------------------------------------------------------------------------- */

/* b is called back, and sees from where. */
static struct message is_recalled(struct scene *s)
{
    struct message invite = *must(ua_wait(s->b, "INVITE"));
    char value[300];

    ck_assert_ptr_nonnull(strstr(message_header(&invite, "From", value, sizeof value), "Park 4"));
    ck_assert_ptr_nonnull(strstr(value, "201@"));
    ck_assert_ptr_nonnull(strstr(message_header(&invite, "Alert-Info", value, sizeof value), "recall"));
    ua_reply(s->b, &invite, 180, "Ringing", NULL);
    return invite;
}

START_TEST(who_parked_is_called_back_and_talks_to_him)
{
    struct scene s = scene_open();
    struct message to_b;

    bed_setting(s.bed, "park_timeout", "1");
    parks(&s, "*74");
    to_b = is_recalled(&s);
    ck_assert_int_eq(slot_in_use(s.bed), 4);
    ua_reply(s.b, &s.b->invite, 200, "OK", NULL);
    must(ua_wait(s.b, "ACK"));
    hear_each_other(s.a, &s.to_a, s.b, &to_b);
    ck_assert_int_eq(slot_in_use(s.bed), 0);
    hangs_up(s.b, s.a);
    scene_close(&s);
}
END_TEST

static void rings_in_vain(struct scene *s)
{
    is_recalled(s);
    ua_reply(s->b, &s->b->invite, 486, "Busy Here", NULL);
    must(ua_wait(s->b, "ACK"));
}

START_TEST(who_is_not_taken_back_waits_on_and_is_called_back_again)
{
    struct scene s = scene_open();

    bed_setting(s.bed, "park_timeout", "1");
    parks(&s, "*74");
    rings_in_vain(&s);
    hears_music(s.a);
    rings_in_vain(&s);
    bed_until(s.bed, slot_in_use(s.bed) == 4);
    is_fetched(&s, "*74");
    scene_close(&s);
}
END_TEST

START_TEST(who_is_not_taken_back_goes_to_a_number_when_there_is_one)
{
    struct scene s = scene_open();
    struct message to_d;

    bed_setting(s.bed, "park_timeout", "1");
    bed_setting(s.bed, "park_return", "204");
    parks(&s, "*74");
    rings_in_vain(&s);
    to_d = *must(ua_wait(s.d, "INVITE"));
    ck_assert_int_eq(slot_in_use(s.bed), 0);
    ua_reply(s.d, &to_d, 200, "OK", NULL);
    must(ua_wait(s.d, "ACK"));
    hear_each_other(s.a, &s.to_a, s.d, &to_d);
    hangs_up(s.a, s.d);
    scene_close(&s);
}
END_TEST

START_TEST(while_he_is_being_given_back_he_can_still_be_fetched)
{
    struct scene s = scene_open();
    struct message to_c;

    bed_setting(s.bed, "park_timeout", "1");
    parks(&s, "*74");
    is_recalled(&s);
    to_c = gets_through(s.c, "*74");
    stops_ringing(s.b);
    hear_each_other(s.a, &s.to_a, s.c, &to_c);
    ck_assert_int_eq(slot_in_use(s.bed), 0);
    hangs_up(s.c, s.a);
    scene_close(&s);
}
END_TEST

START_TEST(who_hangs_up_while_he_is_being_given_back_leaves_nothing)
{
    struct scene s = scene_open();

    bed_setting(s.bed, "park_timeout", "1");
    parks(&s, "*74");
    is_recalled(&s);
    ua_bye(s.a);
    ua_reply(s.b, must(ua_wait(s.b, "CANCEL")), 200, "OK", NULL);
    ua_reply(s.b, &s.b->invite, 487, "Request Terminated", NULL);
    bed_until(s.bed, s.bed->pbx->call_count == 0);
    ck_assert_int_eq(slot_in_use(s.bed), 0);
    scene_close(&s);
}
END_TEST

static void notes_talk(void *arg, const struct event *event)
{
    if (!event->talk->until_us)
        str_copy(arg, 200, event->detail);
}

START_TEST(who_could_not_fetch_him_is_not_named_when_who_parked_takes_him_back)
{
    struct scene s = scene_open();
    char talk_words[200] = "";
    struct bus_subscription *subscription;
    struct message to_b;

    bed_dtmf(s.bed, "203", DTMF_INFO);
    ua_invite(s.c, "204", NULL);
    ua_reply(s.d, must(ua_wait(s.d, "INVITE")), 200, "OK", NULL);
    must(ua_wait(s.d, "ACK"));
    ua_ack(s.c, must(ua_wait(s.c, "200")));
    bed_setting(s.bed, "park_timeout", "1");
    parks(&s, "*74");
    to_b = is_recalled(&s);
    types(s.c, "*2*74#"); /* while somebody waits for him */
    s.c->packets_heard = 0;
    ck_assert_uint_ge(ua_hear(s.c, 5), 5); /* words */
    subscription = bus_subscribe(s.bed->pbx->bus, EVENT_BIT(EVENT_TALK), notes_talk, talk_words);
    ua_reply(s.b, &s.b->invite, 200, "OK", NULL);
    must(ua_wait(s.b, "ACK"));
    hear_each_other(s.a, &s.to_a, s.b, &to_b);
    ck_assert_str_eq(talk_words, "201 talks to 202 (recall from parking)");
    bus_unsubscribe(subscription);
    hangs_up(s.b, s.a);
    hangs_up(s.d, s.c);
    scene_close(&s);
}
END_TEST

/* Whoever is parked has had enough in the moment in which he is about to be fetched. */
static void hangs_up_when_203_is_answered(void *arg, const struct event *event)
{
    struct scene *s = arg;
    struct leg *leg;

    if (strcmp(event->leg->number, "203") != 0)
        return;
    leg = LIST_ENTRY(s->bed->pbx->calls.next, struct call, in_pbx)->caller;
    ck_assert_str_eq(leg->number, "201");
    leg_end(leg, CAUSE_NORMAL, WHO_OPERATOR, NULL);
}

START_TEST(who_is_gone_in_the_moment_of_being_fetched_leaves_an_empty_slot)
{
    struct scene s = scene_open();
    struct bus_subscription *subscription;

    parks(&s, "*73");
    bed_until(s.bed, s.bed->pbx->call_count == 1);
    subscription = bus_subscribe(s.bed->pbx->bus, EVENT_BIT(EVENT_LEG_ANSWERED), hangs_up_when_203_is_answered, &s);
    hears_words(s.c, "*73");
    ua_reply(s.a, must(ua_wait(s.a, "BYE")), 200, "OK", NULL);
    ck_assert_int_eq(slot_in_use(s.bed), 0);
    bus_unsubscribe(subscription);
    scene_close(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("park");
    TCase *tc = tcase_create("slots");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, who_is_handed_over_hears_music_and_whoever_dials_the_slot_talks_to_him);
    tcase_add_test(tc, the_text_of_the_slot_names_nobody_who_does_not_want_to_be_shown);
    tcase_add_test(tc, who_has_called_parks_whom_he_called_and_is_called_back);
    tcase_add_test(tc, a_member_of_a_group_parks_who_called_it);
    tcase_add_test(tc, a_slot_can_be_named_and_is_free_at_once_when_who_is_in_it_hangs_up);
    tcase_add_test(tc, who_is_handed_over_to_a_slot_that_is_taken_comes_back);
    tcase_add_test(tc, who_is_about_to_park_hears_the_number_and_has_it);
    tcase_add_test(tc, who_consults_a_slot_hands_over_to_it_with_his_transfer_key);
    tcase_add_test(tc, a_slot_that_was_told_to_somebody_without_an_account_is_in_nobodys_way);
    tcase_add_test(tc, phones_without_a_transfer_key_park_by_codes_that_are_typed_in_the_call);
    tcase_add_test(tc, the_number_that_was_said_is_kept_a_while_for_the_transfer);
    tcase_add_test(tc, only_accounts_of_the_context_fetch);
    tcase_add_test(tc, of_two_who_fetch_at_once_one_has_him);
    tcase_add_test(tc, who_is_gone_in_the_moment_of_being_fetched_leaves_an_empty_slot);
    suite_add_tcase(suite, tc);
    tc = tcase_create("recall");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, who_parked_is_called_back_and_talks_to_him);
    tcase_add_test(tc, who_is_not_taken_back_waits_on_and_is_called_back_again);
    tcase_add_test(tc, who_is_not_taken_back_goes_to_a_number_when_there_is_one);
    tcase_add_test(tc, while_he_is_being_given_back_he_can_still_be_fetched);
    tcase_add_test(tc, who_hangs_up_while_he_is_being_given_back_leaves_nothing);
    tcase_add_test(tc, who_could_not_fetch_him_is_not_named_when_who_parked_takes_him_back);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
