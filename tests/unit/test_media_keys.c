/* Keys in the media process: how they come from a phone, how they go to another, and what the controller is told. */
#include "config.h"

#include <stdlib.h>

#include "talkers.h"

#define A_HZ 600
#define B_HZ 1000

static bool hears(const struct talker *talker, double hz)
{
    return talker_hears(talker, hz) > TALKER_HEARD;
}

/* A second of sound, in which whatever was under way has arrived. */
static void wait_for_more(struct talker *talker)
{
    unsigned packets = talker_count(talker)->packets;

    TALK_UNTIL(talker_count(talker)->packets > packets + 50);
}

enum way { EVENTS, TONES, TOLD };

/* As a phone that has agreed to telephone events, has not, or has an account with INFO. */
static struct talker *phone(enum way way, const char *codec, double hz)
{
    char codecs[64];
    size_t used = 0;
    struct talker *talker;

    str_append(codecs, sizeof codecs, &used, "%s%s", codec, way == EVENTS ? " telephone-event" : "");
    talker = talker_new(codecs, hz);
    media_port_key_ways(talker_port(talker), way == TOLD ? KEY_OUT_NOWHERE : KEY_OUT_EVENTS, way == TONES, 0);
    return talker;
}

static const struct {
    enum way from, to;
    const char *from_codec, *to_codec;
} pairs[] = {
    {EVENTS, EVENTS, "PCMU", "PCMU"}, {EVENTS, EVENTS, "opus", "PCMA"}, {EVENTS, TONES, "PCMU", "PCMU"},
    {EVENTS, TONES, "PCMA", "G722"},  {EVENTS, TOLD, "PCMU", "PCMU"},   {TONES, EVENTS, "PCMU", "PCMU"},
    {TONES, EVENTS, "G722", "opus"},  {TONES, TONES, "PCMU", "PCMU"},   {TONES, TONES, "G722", "PCMA"},
    {TONES, TOLD, "PCMA", "PCMA"},    {TONES, TOLD, "G722", "G722"},
};

static void press(struct talker *talker, enum way way, const char *keys)
{
    for (; *keys; keys++)
        if (way == EVENTS)
            talker_press(talker, *keys, 140);
        else
            talker_press_tones(talker, *keys, 140);
}

START_TEST(keys_go_over_a_bridge_as_the_other_side_wants_them)
{
    struct talker *a = phone(pairs[_i].from, pairs[_i].from_codec, A_HZ);
    struct talker *b = phone(pairs[_i].to, pairs[_i].to_codec, B_HZ);
    const char *keys = "4711#", *events = pairs[_i].to == EVENTS ? keys : "",
               *tones = pairs[_i].to == TONES ? keys : "";
    const char *told = talker_told(a)->keys[pairs[_i].from == EVENTS ? KEY_BY_EVENT : KEY_BY_TONE];

    media_bridge(talker_port(a), talker_port(b));
    TALK_UNTIL(hears(a, B_HZ) && hears(b, A_HZ));
    press(a, pairs[_i].from, keys);
    TALK_UNTIL(strcmp(told, keys) == 0 && talker_told(a)->ups == strlen(keys));
    ck_assert_uint_ge(talker_told(a)->ms, 110);
    ck_assert_uint_le(talker_told(a)->ms, 180);
    TALK_UNTIL(strcmp(talker_count(b)->keys, events) == 0);
    if (pairs[_i].to == TONES)
        TALK_UNTIL(strcmp(talker_count(b)->tones, tones) == 0);
    TALK_UNTIL(hears(b, A_HZ) && hears(a, B_HZ));
    wait_for_more(b);
    ck_assert_str_eq(talker_count(b)->keys, events);
    ck_assert_str_eq(talker_count(b)->tones, tones);
    ck_assert_str_eq(talker_count(a)->keys, "");
    ck_assert_str_eq(talker_count(a)->tones, "");
    if (pairs[_i].to == EVENTS) {
        ck_assert_uint_ge(talker_count(b)->key_ms, 110);
        ck_assert_uint_le(talker_count(b)->key_ms, 200);
    } else if (pairs[_i].to == TONES) {
        ck_assert_uint_ge(talker_count(b)->tone_ms, 100);
        ck_assert_uint_le(talker_count(b)->tone_ms, 200);
    }
    talker_free(a);
    talker_free(b);
}
END_TEST

START_TEST(keys_that_are_kept_are_told_of_and_do_not_go_over)
{
    static const struct {
        enum way from, to;
    } all[] = {{EVENTS, EVENTS}, {EVENTS, TONES}, {TONES, EVENTS}};

    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct talker *a = phone(all[i].from, "PCMU", A_HZ), *b = phone(all[i].to, "PCMU", B_HZ);
        const char *heard = all[i].to == EVENTS ? talker_count(b)->keys : talker_count(b)->tones;
        const char *told = talker_told(a)->keys[all[i].from == EVENTS ? KEY_BY_EVENT : KEY_BY_TONE];

        media_port_key_ways(talker_port(a), KEY_OUT_EVENTS, all[i].from == TONES, 1u << key_event('*'));
        media_bridge(talker_port(a), talker_port(b));
        TALK_UNTIL(hears(b, A_HZ));
        press(a, all[i].from, "1*2*3");
        TALK_UNTIL(strcmp(told, "1*2*3") == 0 && strcmp(heard, "123") == 0);
        TALK_UNTIL(hears(b, A_HZ));
        talker_free(a);
        talker_free(b);
    }
}
END_TEST

START_TEST(keys_in_packets_do_not_touch_the_packets_of_a_relay)
{
    struct talker *a = phone(EVENTS, "PCMU", A_HZ), *b = phone(EVENTS, "PCMU", B_HZ);

    media_bridge(talker_port(a), talker_port(b));
    TALK_UNTIL(hears(b, A_HZ));
    press(a, EVENTS, "1");
    TALK_UNTIL(talker_count(b)->key_packets >= 9);
    wait_for_more(b);
    ck_assert(talker_count(b)->relayed);
    ck_assert_str_eq(talker_told(a)->keys[KEY_BY_EVENT], "1");
    talker_free(a);
    talker_free(b);
}
END_TEST

START_TEST(sound_is_decoded_only_where_tones_have_to_be_taken_out_of_it)
{
    static const struct {
        enum way from, to;
        bool decoded;
    } all[] = {{TONES, TONES, false}, {TONES, EVENTS, true}, {TONES, TOLD, true}, {EVENTS, TONES, false}};

    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct talker *a = phone(all[i].from, "PCMU", A_HZ), *b = phone(all[i].to, "PCMU", B_HZ);

        media_bridge(talker_port(a), talker_port(b));
        TALK_UNTIL(hears(b, A_HZ));
        wait_for_more(b);
        ck_assert_int_eq(talker_count(b)->relayed, !all[i].decoded);
        ck_assert_str_eq(talker_told(a)->keys[KEY_BY_TONE], "");
        talker_free(a);
        talker_free(b);
    }
}
END_TEST

START_TEST(a_long_key_is_as_long_as_it_was_pressed)
{
    struct talker *a = phone(EVENTS, "PCMU", A_HZ), *b = phone(TONES, "PCMU", B_HZ);

    media_bridge(talker_port(a), talker_port(b));
    TALK_UNTIL(hears(b, A_HZ));
    talker_press(a, '9', 1500);
    TALK_UNTIL(talker_count(b)->tone_ms);
    ck_assert_str_eq(talker_count(b)->tones, "9");
    ck_assert_uint_ge(talker_count(b)->tone_ms, 1400);
    ck_assert_uint_le(talker_count(b)->tone_ms, 1650);
    ck_assert_uint_eq(talker_told(a)->ms, 1500);
    talker_free(a);
    talker_free(b);
}
END_TEST

START_TEST(keys_are_pressed_for_somebody_else_in_and_out_of_a_bridge)
{
    enum way way = _i ? TONES : EVENTS;
    struct talker *a = phone(EVENTS, "PCMU", A_HZ), *b = phone(way, "PCMU", B_HZ);

    media_port_press(talker_port(b), '1', 100);
    media_port_press(talker_port(b), '2', 200);
    TALK_UNTIL(strcmp(way == TONES ? talker_count(b)->tones : talker_count(b)->keys, "12") == 0);
    TALK_UNTIL((way == TONES ? talker_count(b)->tone_ms : talker_count(b)->key_ms) > 150);
    media_bridge(talker_port(a), talker_port(b));
    TALK_UNTIL(hears(b, A_HZ));
    TALK_UNTIL(talker_count(b)->relayed);
    media_port_press(talker_port(b), '3', 0);
    TALK_UNTIL(strcmp(way == TONES ? talker_count(b)->tones : talker_count(b)->keys, "123") == 0);
    /* And then the packets go as they are again. */
    TALK_UNTIL(talker_count(b)->relayed && hears(b, A_HZ));
    talker_free(a);
    talker_free(b);
}
END_TEST

START_TEST(a_phone_with_events_of_8000_beside_opus_gets_keys_of_the_right_length)
{
    struct talker *a = phone(EVENTS, "PCMU", A_HZ), *b = talker_new("opus telephone-event/8000", B_HZ);

    media_bridge(talker_port(a), talker_port(b));
    TALK_UNTIL(hears(b, A_HZ) && hears(a, B_HZ));
    talker_press(a, '5', 200);
    TALK_UNTIL(strcmp(talker_count(b)->keys, "5") == 0 && talker_count(b)->key_ms);
    ck_assert_uint_ge(talker_count(b)->key_ms, 180);
    ck_assert_uint_le(talker_count(b)->key_ms, 260);
    talker_press(b, '6', 200);
    TALK_UNTIL(strcmp(talker_count(a)->keys, "6") == 0 && talker_count(a)->key_ms);
    ck_assert_uint_ge(talker_count(a)->key_ms, 180);
    ck_assert_uint_le(talker_count(a)->key_ms, 260);
    talker_free(a);
    talker_free(b);
}
END_TEST

START_TEST(a_bridge_that_ends_in_a_key_leaves_no_key_behind)
{
    struct talker *a = phone(EVENTS, "PCMU", A_HZ), *b = phone(TONES, "PCMU", B_HZ);

    media_bridge(talker_port(a), talker_port(b));
    TALK_UNTIL(hears(b, A_HZ));
    talker_press(a, '7', 3000);
    TALK_UNTIL(strcmp(talker_count(b)->tones, "7") == 0);
    media_unbridge(talker_port(a));
    TALK_UNTIL(talker_hears(b, 852) < TALKER_HEARD / 10);
    TALK_UNTIL(talker_told(a)->ups == 1);
    media_port_press(talker_port(b), '8', 100);
    TALK_UNTIL(strcmp(talker_count(b)->tones, "78") == 0);
    talker_free(a);
    talker_free(b);
}
END_TEST

START_TEST(a_phone_that_leaves_while_the_other_is_pressed_keys_is_forgotten)
{
    struct talker *a = phone(TONES, "PCMU", A_HZ), *b = phone(EVENTS, "PCMU", B_HZ);

    media_bridge(talker_port(a), talker_port(b));
    TALK_UNTIL(hears(b, A_HZ));
    media_port_press(talker_port(b), '1', 100);
    TALK_UNTIL(strcmp(talker_count(b)->keys, "1") == 0);
    talker_free(a);
    media_port_press(talker_port(b), '2', 100);
    TALK_UNTIL(strcmp(talker_count(b)->keys, "12") == 0);
    a = phone(EVENTS, "PCMU", A_HZ);
    media_bridge(talker_port(b), talker_port(a));
    TALK_UNTIL(hears(b, A_HZ) && hears(a, B_HZ));
    talker_free(b);
    talker_free(a);
}
END_TEST

START_TEST(keys_survive_the_loss_of_packets)
{
    struct talker *a = phone(EVENTS, "PCMU", A_HZ), *b = phone(TONES, "PCMU", B_HZ);

    talker_network(a, 20, 30);
    media_bridge(talker_port(a), talker_port(b));
    TALK_UNTIL(hears(b, A_HZ));
    press(a, EVENTS, "13579");
    TALK_UNTIL(strcmp(talker_told(a)->keys[KEY_BY_EVENT], "13579") == 0 && talker_told(a)->ups == 5);
    TALK_UNTIL(strcmp(talker_count(b)->tones, "13579") == 0);
    talker_free(a);
    talker_free(b);
}
END_TEST

START_TEST(a_flood_of_keys_is_cut_to_what_fingers_do)
{
    struct talker *a = phone(EVENTS, "PCMU", A_HZ);
    unsigned told = 0;

    TALK_UNTIL(talker_events(a)->count[MEDIA_FIRST_RTP]);
    /* Each has a timestamp of its own, as a machine gone mad sends them. */
    for (unsigned i = 0; i < 400; i++)
        talker_throw_key(a, i);
    TALK_UNTIL(talker_events(a)->count[MEDIA_KEY] >= 20);
    for (uint64_t until = talkers_clock_ms() + 500; talkers_clock_ms() < until;)
        loop_turn(talkers_loop(), 2);
    told = talker_events(a)->count[MEDIA_KEY];
    ck_assert_uint_le(told, 2 * 60);
    talker_free(a);
}
END_TEST

int main(void)
{
    const struct talkers_test tests[] = {
        {keys_go_over_a_bridge_as_the_other_side_wants_them, COUNT_OF(pairs)},
        {keys_that_are_kept_are_told_of_and_do_not_go_over, 1},
        {keys_in_packets_do_not_touch_the_packets_of_a_relay, 1},
        {sound_is_decoded_only_where_tones_have_to_be_taken_out_of_it, 1},
        {a_long_key_is_as_long_as_it_was_pressed, 1},
        {keys_are_pressed_for_somebody_else_in_and_out_of_a_bridge, 2},
        {a_phone_with_events_of_8000_beside_opus_gets_keys_of_the_right_length, 1},
        {a_bridge_that_ends_in_a_key_leaves_no_key_behind, 1},
        {a_phone_that_leaves_while_the_other_is_pressed_keys_is_forgotten, 1},
        {keys_survive_the_loss_of_packets, 1},
        {a_flood_of_keys_is_cut_to_what_fingers_do, 1},
    };

    return talkers_run("media keys", tests, COUNT_OF(tests));
}
