/* The recorder's files: found again, bounded, proof against damage; and what is made of them: searches and words. */
#include "config.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call/call.h"
#include "trace/fact.h"
#include "trace/message.h"
#include "trace/recorder-priv.h"
#include "trace/sdp_view.h"
#include "trace/why.h"

#define CALL_ID "a84b4c76e66710@192.0.2.10"
#define MIB (1u << 20)

static char dir[64];
static struct loop *loop;
static struct bus *bus;
static struct trace *trace;
static struct call *call;
static struct leg *leg;

static void open_switch(uint64_t bytes, unsigned hours)
{
    struct trace_config config = {.dir = dir, .disk_bytes = bytes, .disk_hours = hours};

    trace = trace_open(loop, bus, &config);
}

static void setup(void)
{
    str_copy(dir, sizeof dir, "/tmp/tandem-recorder-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    loop = loop_new_fake();
    bus = bus_new(loop);
    call = mem_new(sizeof *call);
    call->id = uuid_new();
    list_init(&call->legs);
    str_copy(call->from_number, sizeof call->from_number, "201");
    str_copy(call->dialled, sizeof call->dialled, "202");
    leg = mem_new(sizeof *leg);
    leg->id = uuid_new();
    leg->call = call;
    leg->inbound = true;
    str_copy(leg->number, sizeof leg->number, "201");
    str_copy(leg->sip_call_id, sizeof leg->sip_call_id, CALL_ID);
    call->caller = leg;
    open_switch(MIB, 0);
}

static void teardown(void)
{
    char cmd[128];

    trace_close(trace);
    bus_free(bus);
    loop_free(loop);
    free(call);
    free(leg);
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(cmd), 0);
}

static void say_from(const char *ip, const char *first, const char *call_id, const char *cseq, const char *more)
{
    char text[9000];
    union addr peer, local;
    struct edge_seen seen = {.inbound = true, .transport = EDGE_UDP, .peer = &peer, .local = &local, .data = text};

    addr_parse_ip(ip, 5062, &peer);
    addr_parse_ip("192.0.2.1", 5060, &local);
    snprintf(text, sizeof text, "%s\r\nTo: <sip:201@pbx>\r\nCall-ID: %s\r\nCSeq: %s\r\n%s\r\n", first, call_id, cseq,
             more);
    seen.len = strlen(text);
    trace_message(trace, &seen);
}

static void say(const char *first, const char *cseq, const char *more)
{
    say_from("192.0.2.10", first, CALL_ID, cseq, more);
}

static void tell(enum event_kind kind, const struct leg *about, enum cause cause)
{
    struct event event = {.kind = kind, .call = call, .leg = about, .cause = cause, .who = WHO_CALLER};

    bus_publish(bus, &event);
}

static void whole_call(void)
{
    say("INVITE sip:202@pbx SIP/2.0", "1 INVITE", "");
    tell(EVENT_CALL_NEW, NULL, CAUSE_NONE);
    tell(EVENT_LEG_NEW, leg, CAUSE_NONE);
    say("BYE sip:202@pbx SIP/2.0", "2 BYE", "");
    tell(EVENT_LEG_ENDED, leg, CAUSE_NORMAL);
    tell(EVENT_CALL_ENDED, NULL, CAUSE_NORMAL);
}

static void restart(void)
{
    trace_close(trace);
    open_switch(MIB, 0);
}

struct answer {
    bool there;
    int error;
    json_t *result;
};

static void take(void *arg, int error, json_t *result)
{
    *(struct answer *)arg = (struct answer){true, error, result};
}

/* The result, or NULL when nothing is found; the caller owns it. */
static json_t *find(enum trace_wanted wanted, const char *text, bool explain)
{
    struct trace_query query = {.wanted = wanted, .raw = true, .explain = explain};
    struct answer answer = {0};

    str_copy(query.text, sizeof query.text, text);
    trace_search(trace, &query, take, &answer);
    while (!answer.there)
        loop_turn(loop, 10);
    ck_assert_int_eq(answer.error != 0, answer.result == NULL);
    return answer.result;
}

static json_t *find_call(void)
{
    char id[UUID_TEXT];

    uuid_text(&call->id, id);
    return find(TRACE_CALL, id, false);
}

static unsigned count_lines(const json_t *result, const char *text)
{
    unsigned found = 0;
    const json_t *line;
    size_t i;

    json_array_foreach(json_object_get(result, "lines"), i, line)
    {
        found += strcmp(json_string_value(json_object_get(line, "text")), text) == 0;
    }
    return found;
}

/* The path of the newest file. */
static void newest_file(char out[400])
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    char best[64] = "";

    while ((entry = readdir(d)))
        if (strcmp(entry->d_name, best) > 0)
            str_copy(best, sizeof best, entry->d_name);
    closedir(d);
    snprintf(out, 400, "%s/%s", dir, best);
}

START_TEST(a_finished_call_is_the_same_after_a_restart)
{
    json_t *before, *after;

    whole_call();
    before = find_call();
    restart();
    after = find_call();
    ck_assert_ptr_nonnull(before);
    ck_assert_ptr_nonnull(after);
    ck_assert(json_equal(before, after));
    ck_assert_uint_eq(count_lines(after, "INVITE"), 1);
    ck_assert_uint_eq(count_lines(after, "BYE"), 1);
    ck_assert_str_eq(json_string_value(json_object_get(after, "cause")), "normal");
    json_decref(before);
    json_decref(after);
}
END_TEST

START_TEST(a_call_is_found_by_the_name_of_a_party_and_the_latest_one_wins)
{
    struct uuid second;
    char id[UUID_TEXT];
    json_t *found;

    whole_call();
    call->id = second = uuid_new();
    leg->id = uuid_new();
    whole_call();
    found = find(TRACE_LAST, "201", false);
    uuid_text(&second, id);
    ck_assert_str_eq(json_string_value(json_object_get(found, "id")), id);
    json_decref(found);
    found = find(TRACE_LAST, "202", false);
    ck_assert_str_eq(json_string_value(json_object_get(found, "id")), id);
    json_decref(found);
    ck_assert_ptr_null(find(TRACE_LAST, "203", false));
}
END_TEST

START_TEST(registrations_are_found_by_account_and_messages_by_address)
{
    json_t *found;

    say_from("192.0.2.7", "REGISTER sip:pbx SIP/2.0", "r1", "1 REGISTER", "");
    say_from("192.0.2.8", "OPTIONS sip:pbx SIP/2.0", "o1", "1 OPTIONS", "");
    found = find(TRACE_REGISTER, "201", false);
    ck_assert_uint_eq(count_lines(found, "REGISTER"), 1);
    ck_assert_uint_eq(count_lines(found, "OPTIONS"), 0);
    json_decref(found);
    found = find(TRACE_ADDRESS, "192.0.2.8", false);
    ck_assert_uint_eq(json_array_size(json_object_get(found, "lines")), 1);
    json_decref(found);
    ck_assert_ptr_null(find(TRACE_ADDRESS, "192.0.2.9", false));
    ck_assert_ptr_null(find(TRACE_ADDRESS, "no address", false));
}
END_TEST

START_TEST(a_call_that_was_running_when_the_switch_died_ended_with_it)
{
    json_t *found;

    say("INVITE sip:202@pbx SIP/2.0", "1 INVITE", "");
    tell(EVENT_CALL_NEW, NULL, CAUSE_NONE);
    tell(EVENT_LEG_NEW, leg, CAUSE_NONE);
    restart();
    found = find_call();
    ck_assert_str_eq(json_string_value(json_object_get(found, "cause")), "switch-stopped");
    json_decref(found);
}
END_TEST

START_TEST(files_are_for_their_owner_alone)
{
    char path[400];
    struct stat st;

    whole_call();
    restart();
    newest_file(path);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(stat(dir, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0077, 0);
}
END_TEST

START_TEST(damage_anywhere_costs_its_block_and_nothing_else)
{
    char path[400], *bytes;
    struct stat st;
    FILE *file;

    whole_call();
    trace_close(trace);
    trace = NULL;
    newest_file(path);
    ck_assert_int_eq(stat(path, &st), 0);
    bytes = mem_new((size_t)st.st_size);
    file = fopen(path, "r");
    ck_assert_uint_eq(fread(bytes, 1, (size_t)st.st_size, file), (size_t)st.st_size);
    fclose(file);
    for (long at = 0; at < st.st_size; at += 37) {
        json_t *found;

        bytes[at] ^= 0x55;
        file = fopen(path, "w");
        ck_assert_uint_eq(fwrite(bytes, 1, (size_t)st.st_size - (size_t)(at % 3), file),
                          (size_t)st.st_size - (size_t)(at % 3));
        fclose(file);
        bytes[at] ^= 0x55;
        open_switch(MIB, 0);
        json_decref(find_call());
        say_from("192.0.2.8", "OPTIONS sip:pbx SIP/2.0", "o1", "1 OPTIONS", "");
        found = find(TRACE_ADDRESS, "192.0.2.8", false); /* what comes after is recorded as ever */
        ck_assert_ptr_nonnull(found);
        json_decref(found);
        trace_close(trace);
        trace = NULL;
    }
    free(bytes);
}
END_TEST

START_TEST(the_oldest_file_goes_when_there_is_no_room_and_when_it_is_old)
{
    char filler[8000];
    struct recorder_files *files;
    uint8_t key[16];

    trace_close(trace);
    open_switch(MIB, 1);
    memset(filler, 'x', sizeof filler - 1);
    filler[0] = 'X';
    filler[1] = ':';
    memcpy(filler + sizeof filler - 3, "\r\n", 3);
    for (int i = 0; i < 400; i++) {
        say_from("192.0.2.8", "OPTIONS sip:pbx SIP/2.0", "o1", "1 OPTIONS", filler);
        loop_fake_advance(loop, 100);
        loop_turn(loop, 0);
    }
    trace_close(trace);
    ck_assert_int_eq(files_open(dir, MIB, UINT64_MAX / 4, key, &files), 0);
    ck_assert_uint_gt(files_bytes(files), MIB / 2);
    ck_assert_uint_le(files_bytes(files), MIB);
    files_write(files, NULL, 0, files_oldest_us(files) + 1000ull * 3600 * 1000000);
    ck_assert_uint_gt(files_count(files), 0); /* no age was given */
    files_close(files);
    ck_assert_int_eq(files_open(dir, MIB, 3600 * 1000000ull, key, &files), 0);
    files_write(files, NULL, 0, loop_wall_us(loop) + 1000ull * 3600 * 1000000);
    ck_assert_uint_eq(files_count(files), 0);
    files_close(files);
    open_switch(MIB, 0);
}
END_TEST

static json_int_t left_out(void)
{
    json_t *status = trace_status(trace);
    json_int_t count = json_integer_value(json_object_get(status, "left_out_floods"));

    json_decref(status);
    return count;
}

START_TEST(a_flood_of_one_stranger_is_left_out_but_no_other_message)
{
    json_t *found;

    for (int i = 0; i < 2000; i++)
        say_from("192.0.2.66", "OPTIONS sip:pbx SIP/2.0", "flood", "1 OPTIONS", "");
    ck_assert_int_gt(left_out(), 1500);
    whole_call();
    say_from("192.0.2.11", "OPTIONS sip:pbx SIP/2.0", "other", "1 OPTIONS", "");
    found = find_call();
    ck_assert_uint_eq(count_lines(found, "BYE"), 1);
    json_decref(found);
    found = find(TRACE_ADDRESS, "192.0.2.11", false);
    ck_assert_ptr_nonnull(found);
    json_decref(found);
}
END_TEST

START_TEST(a_trunk_with_many_calls_is_no_stranger)
{
    addr_parse_ip("192.0.2.10", 5060, &leg->signalling);
    whole_call();
    for (int i = 0; i < 2000; i++) /* challenged first: nobody knows yet whose they are */
        say_from("192.0.2.10", "INVITE sip:202@pbx SIP/2.0", "next", "1 INVITE", "");
    ck_assert_int_eq(left_out(), 0);
}
END_TEST

START_TEST(what_is_being_written_is_not_overwritten)
{
    struct ring ring;
    uint64_t position;
    unsigned added = 0;

    ring_init(&ring, 2 * RING_CHUNK);
    ck_assert_ptr_nonnull(ring_add(&ring, FRAME_FACT, 0, 100, &position));
    ring.written = 0;
    while (ring_add(&ring, FRAME_FACT, 0, 10000, &position))
        ck_assert_uint_lt(++added, 20);
    ck_assert_ptr_nonnull(ring_get(&ring, 0));
    ring.written = RING_NONE;
    ck_assert_ptr_nonnull(ring_add(&ring, FRAME_FACT, 0, 10000, &position));
    ck_assert_ptr_null(ring_get(&ring, 0));
    ring_free(&ring);
}
END_TEST

START_TEST(a_fact_is_the_same_after_it_was_bytes_and_any_bytes_are_survived)
{
    char bytes[FACT_MAX], long_text[600];
    struct fact fact =
                    {.kind = "leg-ended", .cause = "busy", .from = "201", .party = "", .rx_packets = 5, .counted = 1},
                back;
    size_t len;

    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    fact.detail = long_text;
    fact.call = uuid_new();
    addr_parse_ip("2001:db8::1", 5060, &fact.peer);
    len = fact_encode(&fact, bytes);
    fact_decode(bytes, len, &back);
    ck_assert_str_eq(back.kind, "leg-ended");
    ck_assert_str_eq(back.cause, "busy");
    ck_assert_str_eq(back.party, "");
    ck_assert_ptr_null(back.to);
    ck_assert(uuid_same(&back.call, &fact.call));
    ck_assert(addr_same(&back.peer, &fact.peer));
    ck_assert_uint_eq(back.rx_packets, 5);
    ck_assert_uint_eq(strlen(back.detail), 254);
    for (size_t cut = 0; cut < len; cut++) {
        char *exact = mem_new(cut ? cut : 1);

        memcpy(exact, bytes, cut);
        fact_decode(exact, cut, &back);
        free(exact);
    }
}
END_TEST

START_TEST(what_changed_in_the_audio_is_said_in_a_few_words)
{
    static const char first[] =
        "INVITE sip:x SIP/2.0\r\nA: b\r\n\r\nv=0\r\nc=IN IP4 192.0.2.7\r\nm=audio 4000 RTP/AVP 8 0 101 96\r\n"
        "a=rtpmap:101 telephone-event/8000\r\na=rtpmap:96 opus/48000/2\r\nm=video 5000 RTP/AVP 99\r\na=inactive\r\n";
    static const char second[] = "INVITE sip:x SIP/2.0\n\nm=audio 4002 RTP/SAVP 8\nc=IN IP4 192.0.2.7\na=sendonly\n";
    struct sdp_view a, b;
    char words[240];

    ck_assert(sdp_view(first, strlen(first), &a));
    ck_assert_str_eq(sdp_words(&a, NULL, words, sizeof words), "audio 192.0.2.7:4000, PCMA PCMU opus, sendrecv");
    ck_assert(sdp_view(second, strlen(second), &b));
    ck_assert_str_eq(sdp_words(&b, &a, words, sizeof words),
                     "PCMA PCMU opus > PCMA, sendrecv > sendonly, 192.0.2.7:4000 > 192.0.2.7:4002, plain > encrypted");
    ck_assert_str_eq(sdp_words(&b, &b, words, sizeof words), "no change");
    ck_assert(!sdp_view("BYE sip:x SIP/2.0\r\n\r\n", 21, &a));
    ck_assert(!sdp_view("", 0, &a));
}
END_TEST

START_TEST(nonces_are_kept_short_and_passwords_in_bodies_are_masked)
{
    char text[] =
        "SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"t\", nonce=\"0123456789abcdef\", opaque=\"x\"\r\n"
        "Authorization: Digest username=\"2\", cnonce=\"fedcba9876543210\", response=\"aa\"\r\n\r\n"
        "{\"password\": \"hunter2\", \"pin\":4711}\r\npassword=geheim&user=201\r\n<secret>s3cr3t</secret>\r\n";

    message_mask(text, strlen(text));
    for (size_t i = 0; i < 7; i++) {
        static const char *const gone[] = {"89abcdef", "76543210", "\"aa\"", "hunter2", "4711", "geheim", "s3cr3t"};

        ck_assert_msg(!strstr(text, gone[i]), "%s is in %s", gone[i], text);
    }
    ck_assert_ptr_nonnull(strstr(text, "nonce=\"01234567********\""));
    ck_assert_ptr_nonnull(strstr(text, "cnonce=\"fedcba98"));
    ck_assert_ptr_nonnull(strstr(text, "opaque=\"x\""));
    ck_assert_ptr_nonnull(strstr(text, "user=201"));
    ck_assert_ptr_nonnull(strstr(text, "</secret>"));
}
END_TEST

START_TEST(the_user_of_a_header_is_found_in_all_its_forms)
{
    static const struct {
        const char *header, *user;
    } cases[] = {{"To: <sip:201@pbx>;tag=1", "201"},
                 {"t: sip:202@pbx", "202"},
                 {"To: \"A, sip B\" <sips:203@pbx>", "203"},
                 {"To: <tel:1>", NULL},
                 {"To:", NULL},
                 {"To: <sip:pbx>", NULL}};

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[200], user[64];
        bool found;

        snprintf(text, sizeof text, "OPTIONS sip:x SIP/2.0\r\n%s\r\n\r\n", cases[i].header);
        found = message_user(text, strlen(text), 't', user, sizeof user);
        ck_assert_msg(found == (cases[i].user != NULL), "%s", cases[i].header);
        if (found)
            ck_assert_str_eq(user, cases[i].user);
    }
}
END_TEST

START_TEST(a_request_with_a_tag_in_its_to_goes_on_in_a_dialog)
{
    static const struct {
        const char *header;
        bool tag;
    } cases[] = {{"To: <sip:201@pbx>;tag=1", true},    {"t: sip:202@pbx;tag=x", true},
                 {"To: <sip:202@pbx;tag=uri>", false}, {"To: \"A\" <sip:203@pbx>", false},
                 {"To: <sip:203@pbx> ; TAG=1", true},  {"To:", false},
                 {"From: <sip:203@pbx>;tag=1", false}, {"To: <sip:203@pbx>;x=y;TAG=1", true},
                 {"To: <sip:203@pbx", false},          {"To: <sip:1@pbx>;tag=", false}};

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[200];

        snprintf(text, sizeof text, "OPTIONS sip:x SIP/2.0\r\n%s\r\n\r\n", cases[i].header);
        ck_assert_msg(message_has_to_tag(text, strlen(text)) == cases[i].tag, "%s", cases[i].header);
    }
}
END_TEST

START_TEST(each_cause_can_be_explained_with_something_to_do)
{
    for (int cause = CAUSE_NONE; cause < CAUSE_COUNT; cause++) {
        json_t *report =
            json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:[{s:s,s:b}],s:[]}", "id", "0198", "state", "ended", "from", "201",
                      "to", "202", "cause", cause_info((enum cause)cause)->id, "started_us", (json_int_t)1000000,
                      "ended_us", (json_int_t)2000000, "legs", "party", "201", "inbound", 1, "lines");
        json_t *why = why_call(report);
        const char *sentence = json_string_value(json_object_get(why, "sentence"));

        ck_assert_msg(strncmp(sentence, "201 called 202 at ", 18) == 0 && strlen(sentence) > 40, "%s", sentence);
        ck_assert_str_ne(json_string_value(json_object_get(why, "remedy")), "");
        json_decref(why);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recorder");
    TCase *tcase = tcase_create("recorder");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_finished_call_is_the_same_after_a_restart);
    tcase_add_test(tcase, a_call_is_found_by_the_name_of_a_party_and_the_latest_one_wins);
    tcase_add_test(tcase, registrations_are_found_by_account_and_messages_by_address);
    tcase_add_test(tcase, a_call_that_was_running_when_the_switch_died_ended_with_it);
    tcase_add_test(tcase, files_are_for_their_owner_alone);
    tcase_add_test(tcase, damage_anywhere_costs_its_block_and_nothing_else);
    tcase_add_test(tcase, the_oldest_file_goes_when_there_is_no_room_and_when_it_is_old);
    tcase_add_test(tcase, a_flood_of_one_stranger_is_left_out_but_no_other_message);
    tcase_add_test(tcase, a_trunk_with_many_calls_is_no_stranger);
    tcase_add_test(tcase, what_is_being_written_is_not_overwritten);
    tcase_add_test(tcase, a_fact_is_the_same_after_it_was_bytes_and_any_bytes_are_survived);
    tcase_add_test(tcase, what_changed_in_the_audio_is_said_in_a_few_words);
    tcase_add_test(tcase, nonces_are_kept_short_and_passwords_in_bodies_are_masked);
    tcase_add_test(tcase, the_user_of_a_header_is_found_in_all_its_forms);
    tcase_add_test(tcase, a_request_with_a_tag_in_its_to_goes_on_in_a_dialog);
    tcase_add_test(tcase, each_cause_can_be_explained_with_something_to_do);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
