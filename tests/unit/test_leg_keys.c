/* Keys of legs, with pretended phones and a pretended media process: one press is one key however many ways it comes,
 * and goes to the other phone in the way that its account wants. */
#include <stdlib.h>
#include <strings.h>

#include "base/obj.h"
#include "call_fixture.h"

static char typed[64];

static void happened(void *arg, const struct event *event)
{
    size_t len = strlen(typed);

    typed[len] = event->key;
    typed[len + 1] = '\0';
    /* What is written down says how it came, and no more. */
    ck_assert(strcmp(event->detail, "rfc4733") == 0 || strcmp(event->detail, "inband") == 0 ||
              strcmp(event->detail, "info") == 0);
}

static struct bus_subscription *subscription;

static void setup(void)
{
    fixture_setup();
    typed[0] = '\0';
    subscription = bus_subscribe(fx.pbx->bus, EVENT_BIT(EVENT_LEG_KEY), happened, NULL);
}

static void teardown(void)
{
    bus_unsubscribe(subscription);
    fixture_teardown();
}

static struct media_desc *offer_with(bool events)
{
    struct media_desc *offer = offer_new();
    struct stream_desc *audio = &offer->streams[0];

    for (unsigned i = 0; !events && i < audio->codec_count;)
        if (strcasecmp(audio->codecs[i].name, "telephone-event") == 0)
            audio->codecs[i] = audio->codecs[--audio->codec_count];
        else
            i++;
    return offer;
}

static void reoffers(struct leg *leg, bool events)
{
    struct media_desc *offer = offer_with(events);

    leg_on_offer(leg, offer);
    desc_free(offer);
}

static void finish(struct leg *caller)
{
    leg_end(caller, CAUSE_NORMAL, WHO_SWITCH, NULL);
    all_phones_gone();
}

static void press(struct leg *leg, char key, enum key_way way)
{
    media_hears_key(leg, key, 0, way);
    media_hears_key(leg, key, 120, way);
}

START_TEST(a_key_of_who_talks_to_the_dialplan_is_kept_for_it)
{
    struct leg *caller = incoming("900");
    char key;
    uint64_t ms;

    leg_answer(caller, NULL);
    press(caller, '4', KEY_BY_EVENT);
    leg_on_key_told(caller, '2', 160);
    press(caller, '#', KEY_BY_TONE);
    ck_assert_str_eq(typed, "42#");
    for (const char *at = "42#"; *at; at++) {
        ck_assert(keys_take(&caller->typed, &key, &ms));
        ck_assert_int_eq(key, *at);
    }
    finish(caller);
}
END_TEST

START_TEST(a_press_that_comes_in_two_ways_is_one_key_and_two_presses_are_two)
{
    struct leg *caller = incoming("900");

    leg_answer(caller, NULL);
    media_hears_key(caller, '1', 0, KEY_BY_EVENT);
    leg_on_key_told(caller, '1', 100);
    media_hears_key(caller, '1', 120, KEY_BY_EVENT);
    ck_assert_str_eq(typed, "1");
    leg_on_key_told(caller, '1', 100); /* signalling is faster this time */
    press(caller, '1', KEY_BY_EVENT);
    ck_assert_str_eq(typed, "11");
    press(caller, '2', KEY_BY_EVENT); /* signalling lags behind two of them */
    press(caller, '2', KEY_BY_EVENT);
    leg_on_key_told(caller, '2', 100);
    leg_on_key_told(caller, '2', 100);
    ck_assert_str_eq(typed, "1122");
    press(caller, '3', KEY_BY_EVENT);
    loop_fake_advance(fx.loop, 5000);
    leg_on_key_told(caller, '3', 100); /* much later it is another press */
    ck_assert_str_eq(typed, "112233");
    finish(caller);
}
END_TEST

START_TEST(a_long_key_that_is_told_at_its_end_is_one_key)
{
    struct leg *caller = incoming("900");

    leg_answer(caller, NULL);
    media_hears_key(caller, '9', 0, KEY_BY_EVENT);
    loop_fake_advance(fx.loop, 8000);
    media_hears_key(caller, '9', 8000, KEY_BY_EVENT);
    leg_on_key_told(caller, '9', 8000);
    ck_assert_str_eq(typed, "9");
    finish(caller);
}
END_TEST

START_TEST(keys_go_to_a_phone_as_the_setting_says)
{
    static const char *const modes[] = {"auto", "rfc4733", "info", "inband"};
    static const char *const sent[] = {"press:7:250", "press:7:250", "info:202:7:250", "press:7:250"};
    static const char *const ways[] = {"events", "events", "nowhere", "tones, listens"};
    struct leg *caller, *callee;

    setting("dtmf", modes[_i]);
    caller = connected(&callee);
    if (_i == 3) /* both sides have tones: nobody has to find any */
        ck_assert_str_eq(key_ways(callee), "tones");
    else
        ck_assert_str_eq(key_ways(callee), ways[_i]);
    noted();
    ck_assert_int_eq(leg_press(callee, '7', 250), 0);
    ck_assert_str_eq(noted(), sent[_i]);
    finish(caller);
}
END_TEST

START_TEST(who_is_told_by_signalling_gets_no_events_in_its_description)
{
    struct leg *caller, *callee;
    const struct stream_desc *audio;

    setting("dtmf", _i ? "info" : "inband");
    caller = connected(&callee);
    audio = desc_audio(callee->local);
    for (unsigned i = 0; i < audio->codec_count; i++)
        ck_assert_str_ne(audio->codecs[i].name, "telephone-event");
    audio = desc_audio(caller->local);
    for (unsigned i = 0; i < audio->codec_count; i++)
        ck_assert_str_ne(audio->codecs[i].name, "telephone-event");
    finish(caller);
}
END_TEST

START_TEST(a_key_in_signalling_goes_on_when_it_does_not_come_in_another_way)
{
    struct leg *callee, *caller = connected(&callee);

    noted();
    leg_on_key_told(caller, '5', 160);
    ck_assert_str_eq(noted(), "");
    loop_fake_advance(fx.loop, 250);
    turn();
    ck_assert_str_eq(noted(), "press:5:160");
    leg_on_key_told(caller, '6', 160);
    press(caller, '6', KEY_BY_EVENT); /* which the media process passes on */
    press(caller, '7', KEY_BY_EVENT);
    leg_on_key_told(caller, '7', 160);
    loop_fake_advance(fx.loop, 1000);
    turn();
    ck_assert_str_eq(noted(), "");
    ck_assert_str_eq(typed, "567");
    ck_assert(!caller->typed.count); /* they are for the other side */
    finish(caller);
}
END_TEST

START_TEST(a_key_goes_on_in_signalling_with_its_length)
{
    struct leg *callee, *caller;

    setting("dtmf", "info");
    caller = connected(&callee);
    noted();
    media_hears_key(caller, '5', 0, KEY_BY_EVENT);
    ck_assert_str_eq(noted(), "");
    media_hears_key(caller, '5', 730, KEY_BY_EVENT);
    ck_assert_str_eq(noted(), "info:202:5:730");
    leg_on_key_told(caller, '6', 90); /* its account sends none in another way: at once */
    ck_assert_str_eq(noted(), "info:202:6:90");
    leg_on_key_told(callee, '*', 90);
    ck_assert_str_eq(noted(), "info:201:*:90");
    finish(caller);
}
END_TEST

START_TEST(a_flood_of_keys_is_cut)
{
    struct leg *caller = incoming("900");

    leg_answer(caller, NULL);
    for (unsigned i = 0; i < 1000; i++)
        leg_on_key_told(caller, (char)('0' + i % 10), 100);
    ck_assert_uint_eq(strlen(typed), 32);
    ck_assert_uint_le(caller->typed.count, KEYS_MAX);
    loop_fake_advance(fx.loop, 60000);
    leg_on_key_told(caller, '#', 100);
    ck_assert_str_eq(typed + 32, "#");
    finish(caller);
}
END_TEST

START_TEST(tones_are_listened_for_where_there_is_no_other_way)
{
    struct leg *callee, *caller = connected(&callee);

    ck_assert_str_eq(key_ways(caller), "events");
    reoffers(caller, false); /* it drops its telephone events */
    phone_answers_offer(callee, DIR_SENDRECV);
    ck_assert_str_eq(key_ways(caller), "events, listens");
    ck_assert_str_eq(key_ways(callee), "events");
    finish(caller);
}
END_TEST

static enum verdict hangs_up(void *arg, struct hook_walk *walk, void *subject)
{
    struct typed_code *code = subject;

    str_copy(code->begins, sizeof code->begins, "*");
    if (!*code->keys)
        return VERDICT_PASS;
    leg_end(code->leg, CAUSE_NORMAL, WHO_MODULE, NULL);
    return VERDICT_HANDLED;
}

START_TEST(a_code_may_end_the_leg_that_typed_it)
{
    struct leg *callee, *caller;
    struct account *account = account_new("201", "realm", "secret");

    snapshot_put_account(fx.snapshot, account);
    fx.account = account;
    caller = connected(&callee);
    ck_assert_ptr_nonnull(hook_add(fx.pbx->hooks, HOOK_KEYS, 100, "test", hangs_up, NULL));
    leg_on_key_told(caller, '*', 100);
    ck_assert_int_eq(caller->state, LEG_ENDING);
    ck_assert(!loop_timer_running(&caller->codes.timer));
    all_phones_gone();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("leg keys");
    TCase *tc = tcase_create("keys");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_key_of_who_talks_to_the_dialplan_is_kept_for_it);
    tcase_add_test(tc, a_press_that_comes_in_two_ways_is_one_key_and_two_presses_are_two);
    tcase_add_test(tc, a_long_key_that_is_told_at_its_end_is_one_key);
    tcase_add_loop_test(tc, keys_go_to_a_phone_as_the_setting_says, 0, 4);
    tcase_add_loop_test(tc, who_is_told_by_signalling_gets_no_events_in_its_description, 0, 2);
    tcase_add_test(tc, a_key_in_signalling_goes_on_when_it_does_not_come_in_another_way);
    tcase_add_test(tc, a_key_goes_on_in_signalling_with_its_length);
    tcase_add_test(tc, a_flood_of_keys_is_cut);
    tcase_add_test(tc, tones_are_listened_for_where_there_is_no_other_way);
    tcase_add_test(tc, a_code_may_end_the_leg_that_typed_it);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    int failed;

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
