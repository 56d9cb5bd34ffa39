/* Damaged messages, many of them, through the real edge into the real switch: good requests, responses and whole calls
 * of ours and the torture messages, damaged by mutate.c; from strangers, and from insiders whose digest is right for
 * the damaged message, so that it gets behind the authentication. Robots stand at both ends and answer, mostly well.
 * Afterwards a good call works, nothing is left, and memory is what it was.
 *
 * TANDEM_MUTATIONS: how many messages (20,000); TANDEM_SEED: where the dice begin. Both are printed when something
 * fails; the file tests/loopback/mutations.last has the last messages. */
#include "config.h"

#include <dirent.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/obj.h"
#include "damaged_messages.h"
#include "odd_messages.h"
#include "robot.h"
#include "sip/agent.h"
#include "wire.h"

#ifdef TANDEM_SANITIZED /* not every compiler brings the headers of these */
size_t __sanitizer_get_current_allocated_bytes(void);
void __sanitizer_set_death_callback(void (*callback)(void));
#endif

#define CORPUS_MAX 200
#define SETTLE_MS 40000  /* timer D is 32 s */
#define FLAT_FROM 200000 /* messages: fewer are over before the first transaction is */
#define FLAT_BYTES (2u << 20)

static const char dialplan[] =
    "extension('internal', '600', function(call) call:answer() call:sleep(1) end)\n"
    "extension('internal', '601', function(call) call:echo() end)\n"
    "extension('internal', '602', function(call) call:dial{ to = { '202', '203' }, timeout = 2 } end)\n"
    "extension('internal', '_.', function(call) call:dial{ to = { call.extension }, timeout = 2 } end)\n";

static uint64_t seed; /* where the dice began; 0: it went well */

static void tell(void)
{
    if (seed)
        robot_tell(seed);
}

static void died(int signal_)
{
    tell();
    signal(signal_, SIG_DFL);
    raise(signal_);
}

/* Messages of files and of odd_messages.h. */
static struct {
    char *text[CORPUS_MAX];
    size_t len[CORPUS_MAX];
    unsigned count;
} corpus;

/* --- the flood --------------------------------------------------------------------------------------------------- */

static void corpus_add(const char *text, size_t len)
{
    if (corpus.count == CORPUS_MAX || len > ROBOT_ROOM - 2000)
        return;
    corpus.text[corpus.count] = mem_new(len + 1);
    memcpy(corpus.text[corpus.count], text, len);
    corpus.len[corpus.count++] = len;
}

static void corpus_read(struct robot *r)
{
    static const char *const dirs[] = {"torture/rfc4475", "torture/rfc5118", "found"};
    static char text[ROBOT_ROOM];

    for (size_t i = 0; i < COUNT_OF(dirs); i++) {
        char dir[400];
        DIR *d;
        struct dirent *entry;

        snprintf(dir, sizeof dir, "%s/tests/data/%s", getenv("TANDEM_SRC"), dirs[i]);
        d = opendir(dir);
        ck_assert_msg(d != NULL, "%s is missing", dir);
        while ((entry = readdir(d))) {
            char path[700];
            FILE *f;

            if (!strstr(entry->d_name, ".sip"))
                continue;
            snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
            f = fopen(path, "rb");
            ck_assert_ptr_nonnull(f);
            corpus_add(text, fread(text, 1, sizeof text, f));
            fclose(f);
        }
        closedir(d);
    }
    for (size_t i = 0; i < COUNT_OF(odd_messages); i++)
        corpus_add(text, robot_expand(r, 0, odd_messages[i].text, text));
    ck_assert_uint_gt(corpus.count, 100);
}

static void put_registrations(struct robot *r)
{
    static const char *const users[] = {"202", "203", "204"};

    for (unsigned i = 0; i < COUNT_OF(users); i++)
        robot_register(r, i + 1, users[i]);
}

static void one_message(struct robot *r)
{
    static char text[ROBOT_TEXT];
    static const char *const users[] = {"201", "202", "203", "204", "205"};
    unsigned source = dice_below(&r->dice, ROBOT_SOURCES), what = dice_below(&r->dice, 100);
    const char *user = users[dice_below(&r->dice, COUNT_OF(users))];
    size_t len;

    if (what < 25) {
        unsigned i = dice_below(&r->dice, corpus.count);

        len = corpus.len[i];
        memcpy(text, corpus.text[i], len);
    } else if (what < 55 || !r->dialog_count) {
        const char *template = outside[dice_below(&r->dice, COUNT_OF(outside))];

        while (strncmp(template, "INVITE", 6) == 0 &&
               dice_chance(&r->dice, 65)) /* ports rest for five seconds after a call */
            template = outside[dice_below(&r->dice, COUNT_OF(outside))];
        len = robot_expand(r, source, template, text);
    } else {
        struct robot_side *side = &r->dialogs[dice_below(&r->dice, r->dialog_count)];
        /* not so many BYEs that nothing is left to talk in */
        size_t which = dice_below(&r->dice, COUNT_OF(inside) - (dice_chance(&r->dice, 80) ? 1 : 0));

        len = side->call_id[0] ? robot_inside(r, source, side, inside[which].method, inside[which].rest, text)
                               : robot_expand(r, source, outside[0], text);
    }
    if (dice_chance(&r->dice, 85))
        len = mutate(&r->dice, text, len, ROBOT_ROOM);
    if (dice_chance(&r->dice, 60)) /* an insider */
        len = robot_sign(r, source, user, text, len, sizeof text);
    robot_send(r, source, text, len, 0);
}

static void flood(struct robot *r, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        one_message(r);
        if (i % 8 == 7)
            robot_turn(r);
        if (i % 500 == 0)
            put_registrations(r);
    }
}

/* The records that wait for a database (here there is none) are elsewhere, in shared memory. */
static size_t live_bytes(void)
{
#ifdef TANDEM_SANITIZED
    return __sanitizer_get_current_allocated_bytes();
#else
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
#endif
}

static unsigned dialogs_left(const struct bed *bed)
{
    struct agent_stats stats;

    agent_get_stats(bed->pbx->sip, &stats);
    return stats.dialogs;
}

static void end_calls(struct bed *bed)
{
    struct call *call;
    bool again;

    do { /* each end may change the list */
        again = false;
        LIST_FOR_EACH(call, &bed->pbx->calls, in_pbx)
        {
            const struct leg *leg;

            LIST_FOR_EACH(leg, &call->legs, in_call)
            {
                again |= leg_is_alive(leg);
            }
            if (again)
                break;
        }
        if (again)
            call_end(call, CAUSE_OPERATOR, WHO_OPERATOR, NULL);
    } while (again);
}

static void print_left(const struct bed *bed)
{
    const struct call *call;
    const struct leg *leg;

    LIST_FOR_EACH(call, &bed->pbx->calls, in_pbx)
    {
        LIST_FOR_EACH(leg, &call->legs, in_call)
        {
            fprintf(stderr, "left: a call from %s to %s, %s; %s leg of %s, %s: %s\n", call->from_number, call->dialled,
                    fsm_name(&call_states, call->state), leg->inbound ? "inbound" : "outbound", leg->number,
                    fsm_name(&leg_states, leg->state), cause_info(leg->cause)->id);
        }
    }
}

/* The robots only answer, and well, until nothing is left. What still talks then, whom nobody told to end, is ended as
 * by an administrator. */
static void settle(struct robot *r)
{
    struct bed *bed = r->bed;
    uint64_t start = now_ms();
    struct media_status media;

    r->calm = true;
    while (now_ms() - start < UA_WAIT_MS) {
        if (!bed->pbx->leg_count && !dialogs_left(bed))
            break;
        robot_turn(r);
        loop_turn(bed->loop, 5);
        if (now_ms() - start > 3000)
            end_calls(bed);
    }
    for (unsigned i = 0; i < ROBOT_STREAMS; i++)
        robot_break_off(r, i);
    print_left(bed);
    ck_assert_uint_eq(bed->pbx->call_count, 0);
    ck_assert_uint_eq(bed->pbx->leg_count, 0);
    bed_until(bed, dialogs_left(bed) == 0);
    for (uint64_t until_ = now_ms() + UA_WAIT_MS; now_ms() < until_;) {
        media_get_status(bed->pbx->media, &media);
        if (!media.ports_used)
            break;
        loop_turn(bed->loop, 5);
    }
    ck_assert_uint_eq(media.ports_used, 0);
    memset(r->dialogs, 0, sizeof r->dialogs);
    r->dialog_count = r->dialog_next = 0;
    r->calm = false;
}

/* Every timer of NTA's has run out, and its memory with it. */
static size_t settled_bytes(struct robot *r)
{
    settle(r);
    for (uint64_t until_ = now_ms() + SETTLE_MS; now_ms() < until_;)
        loop_turn(r->bed->loop, 50);
    return live_bytes();
}

/* A phone of an account that the insiders have registered as often as they may. */
static struct ua *only_phone(struct bed *bed, const char *user)
{
    struct ua *ua = bed_phone(bed, user);
    char to[40];
    struct ask ask = {.method = "REGISTER", .to = to, .contact = "*", .headers = "Expires: 0\r\n", .account = true};

    snprintf(to, sizeof to, "<sip:%s@tandem>", user);
    ck_assert_int_eq(wire_status(ua, &ask), 200);
    ck_assert_int_eq(ua_register(ua, 600), 200);
    return ua;
}

static void good_call(struct bed *bed)
{
    struct ua *a = only_phone(bed, "201"), *b = only_phone(bed, "205");
    struct message offer, answer;

    ua_invite(a, "205", NULL);
    offer = *must(ua_wait(b, "INVITE"));
    ua_reply(b, &offer, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    answer = *must(ua_wait(a, "200"));
    ua_ack(a, &answer);
    ua_talk(a, message_body(&answer), 10, 0x41);
    ck_assert_uint_ge(ua_hear(b, 8), 8);
    ua_talk(b, message_body(&offer), 10, 0x42);
    ck_assert_uint_ge(ua_hear(a, 8), 8);
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->pbx->leg_count == 0);
    ua_close(a);
    ua_close(b);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    uint64_t value;

    return text && str_to_u64(text, UINT64_MAX / 10, &value) == 0 ? value : otherwise;
}

START_TEST(damaged_messages_do_no_harm)
{
    uint64_t count = number_of("TANDEM_MUTATIONS", 20000), start = now_ms();
    /* Ports rest for a moment only: hundreds of calls in a few seconds leave none for the good one at the end. */
    struct bed *bed = bed_open_with(&(struct bed_options){.dialplan = dialplan, .media_rest_ms = 100});
    struct edge_stats edge;
    size_t before = 0, after = 0;
    struct robot *r;

    seed = number_of("TANDEM_SEED", 20200229);
    atexit(tell);
    signal(SIGABRT, died); /* bug_if(), asserts of the library */
#ifdef TANDEM_SANITIZED
    __sanitizer_set_death_callback(tell);
#else
    signal(SIGSEGV, died);
#endif
    r = robot_open(bed, seed);
    corpus_read(r);
    flood(r, count / 2);
    if (count >= FLAT_FROM)
        before = settled_bytes(r);
    flood(r, count - count / 2);
    if (count >= FLAT_FROM)
        after = settled_bytes(r);
    settle(r);
    edge_get_stats(daemon_edge(bed->daemon), &edge);
    fprintf(stderr,
            "%llu messages in %.1f s: %llu came back, %llu dialogs, %llu calls, %llu cut by rate; memory %zu -> %zu\n",
            (unsigned long long)r->sent, (double)(now_ms() - start) / 1000, (unsigned long long)r->replies,
            (unsigned long long)r->dialogs_total, (unsigned long long)bed->pbx->calls_total,
            (unsigned long long)edge.dropped_rate, before, after);
    ck_assert_msg(after <= before + FLAT_BYTES, "memory grew from %zu to %zu bytes", before, after);
    /* It was worth while: many got behind the authentication and into calls. */
    ck_assert_uint_ge(bed->pbx->calls_total, count / 250);
    ck_assert_uint_ge(r->dialogs_total, count / 250);
    ck_assert_uint_lt(edge.dropped_rate, count / 100 + 1);
    good_call(bed);
    robot_close(r);
    while (corpus.count)
        free(corpus.text[--corpus.count]);
    bed_close(bed);
    seed = 0;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mutations");
    TCase *tc = tcase_create("mutations");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, number_of("TANDEM_MUTATIONS", 0) ? 0 : 120);
    tcase_add_test(tc, damaged_messages_do_no_harm);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
