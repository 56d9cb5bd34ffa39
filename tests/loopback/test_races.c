/* "Do X after message N, for each flow": every flow of race_flows.c is run undisturbed, then again for every action of
 * race_actions.c after every message at which it is possible, many at once. After each run the phones must know that
 * their call is over, there is one record with a sensible cause, and from time to time nothing at all may be left in
 * the switch. make check runs a part of the table that is the same each time; TANDEM_TEST_LONG=1 runs all of it, and
 * TANDEM_RACE="words of a cell's title" those cells alone. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/obj.h"
#include "race.h"
#include "sip/agent.h"

#define CHUNK 400       /* cells between two looks at what is left */
#define SAMPLES 6       /* of each flow and action, in the short test */
#define SETTLE_MS 4000  /* for what the media process still has to say */
#define PORTS_SCARCE 24 /* ready ones: calls that were begun take theirs soon */
#define FAILURES_SHOWN 30

struct cell {
    unsigned flow, action, phone, message;
};

struct left {
    size_t timers, legs, incoming, outgoing, dialogs, ports, calls, call_objects, leg_objects, bridges;
};

struct races {
    struct bed *bed;
    struct bus_subscription *subscription;
    struct race_run runs[RACE_LANES];
    uint64_t *possible; /* [flow][phone][message] */
    struct cell *cells;
    size_t cell_count, cell_room, ran;
    struct left before;
    unsigned failures;
};

static struct races *shown; /* for the signal handler */

static void print_running(int signum)
{
    fprintf(stderr, "signal %d while these were running:\n", signum);
    for (unsigned i = 0; i < RACE_LANES; i++)
        if (shown->runs[i].stage == RACE_RUNNING)
            race_ladder(&shown->runs[i]);
    signal(signum, SIG_DFL);
    raise(signum);
}

static void happened(void *arg, const struct event *event)
{
    struct races *races = arg;
    struct race_run *run = &races->runs[(unsigned)atoi(event->call->from_number) % RACE_LANES];

    if (event->kind == EVENT_CALL_NEW) {
        run->calls_new++;
        return;
    }
    run->calls_ended++;
    str_copy(run->cause, sizeof run->cause, cause_info(event->call->cause)->id);
    str_copy(run->who, sizeof run->who, who_name(event->call->who));
}

static void take_stock(const struct races *races, struct left *out)
{
    struct agent_stats sip;
    struct media_status media;

    agent_get_stats(races->bed->pbx->sip, &sip);
    media_get_status(races->bed->pbx->media, &media);
    *out = (struct left){
        .timers = loop_timer_count(races->bed->loop),
        .legs = sip.nta_legs,
        .incoming = sip.nta_incoming,
        .outgoing = sip.nta_outgoing,
        .dialogs = sip.dialogs,
        .ports = media.ports_used,
        .calls = races->bed->pbx->call_count + races->bed->pbx->leg_count,
        .call_objects = obj_live("call"),
        .leg_objects = obj_live("leg"),
        .bridges = obj_live("bridge"),
    };
}

static void print_left(const char *when, const struct left *l)
{
    fprintf(stderr,
            "  %s: %zu timers, %zu NTA legs, %zu incoming and %zu outgoing transactions, %zu dialogs, %zu media ports, "
            "%zu calls and legs, %zu/%zu/%zu call/leg/bridge objects\n",
            when, l->timers, l->legs, l->incoming, l->outgoing, l->dialogs, l->ports, l->calls, l->call_objects,
            l->leg_objects, l->bridges);
}

/* The media client has a timer while it waits for ports: it may run or not. */
static bool same(const struct left *now, const struct left *before)
{
    struct left expected = *before;

    if (now->timers + 1 >= before->timers && now->timers <= before->timers + 1)
        expected.timers = now->timers;
    return memcmp(now, &expected, sizeof *now) == 0;
}

/* Lets the last transactions run out and counts. */
static bool nothing_left(struct races *races)
{
    struct left now;
    uint64_t until = now_ms() + SETTLE_MS;

    do {
        agent_skip_time(races->bed->pbx->sip, 40000); /* more than any timer of RFC 3261 */
        for (int i = 0; i < 10; i++)
            loop_turn(races->bed->loop, 5);
        take_stock(races, &now);
    } while (!same(&now, &races->before) && now_ms() < until);
    if (same(&now, &races->before))
        return true;
    print_left("before", &races->before);
    print_left("now", &now);
    obj_each(bed_print_object, NULL);
    races->before = now; /* what follows is not to blame */
    return false;
}

static struct race_run run_of(struct races *races, unsigned lane, const struct cell *cell, bool undisturbed)
{
    return (struct race_run){
        .bed = races->bed,
        .lane = lane,
        .flow = &race_flows[cell->flow],
        .action = undisturbed ? NULL : &race_actions[cell->action],
        .at_phone = cell->phone,
        .at_message = cell->message,
        .possible = undisturbed ? races->possible + cell->flow * RACE_PHONES * (RACE_MESSAGES_MAX + 1) : NULL,
    };
}

static void run_cells(struct races *races, const struct cell *cells, size_t count, bool undisturbed)
{
    size_t next = 0;
    unsigned running;
    struct media_status media;

    do {
        bool started; /* one a turn: no crowd at the door; and none while media ports are scarce */

        media_get_status(races->bed->pbx->media, &media);
        started = media.ports_ready < PORTS_SCARCE;
        running = 0;
        for (unsigned i = 0; i < RACE_LANES; i++) {
            struct race_run *run = &races->runs[i];

            if (run->stage != RACE_IDLE && race_look(run)) {
                races->failures += run->failure[0] != '\0';
                run->stage = RACE_IDLE;
            }
            if (run->stage == RACE_IDLE && next < count && !started) {
                *run = run_of(races, i, &cells[next++], undisturbed);
                race_start(run);
                races->ran++;
                started = true;
            }
            running += run->stage != RACE_IDLE;
        }
        loop_turn(races->bed->loop, 2);
    } while (running || next < count);
}

static void open_races(struct races *races)
{
    struct bed_options options = {
        .dialplan = race_dialplan,
        .lines = "source_rate = 0\nconnections_per_source = 1000\n",
        .ip4_only = true,
        .media_ports = BED_PORTS_MAX,
        .media_rest_ms = 100,
        .sip_timers = {.t1 = RACE_T1_MS, .t2 = RACE_T2_MS, .t4 = RACE_T4_MS, .t1x64 = RACE_T1X64_MS},
    };

    races->bed = bed_open_with(&options);
    race_add_accounts(races->bed);
    races->subscription =
        bus_subscribe(races->bed->pbx->bus, EVENT_BIT(EVENT_CALL_NEW) | EVENT_BIT(EVENT_CALL_ENDED), happened, races);
    shown = races;
    signal(SIGABRT, print_running);
    signal(SIGSEGV, print_running);
}

static void close_races(struct races *races)
{
    bus_unsubscribe(races->subscription);
    bed_close(races->bed);
}

/* All flows as they are; what can be done to them is known afterwards. */
static void run_undisturbed(struct races *races)
{
    struct cell *cells = mem_new(race_flow_count * sizeof *cells);

    races->possible = mem_new(race_flow_count * RACE_PHONES * (RACE_MESSAGES_MAX + 1) * sizeof *races->possible);
    for (unsigned i = 0; i < race_flow_count; i++)
        cells[i].flow = i;
    run_cells(races, cells, 1, true); /* what is made once is there afterwards */
    races->before = (struct left){0};
    take_stock(races, &races->before);
    races->before.incoming = races->before.outgoing = 0;
    run_cells(races, cells, race_flow_count, true);
    free(cells);
}

static bool wanted(const struct cell *cell)
{
    const char *words = getenv("TANDEM_RACE");
    struct race_run run = {.flow = &race_flows[cell->flow],
                           .action = &race_actions[cell->action],
                           .at_phone = cell->phone,
                           .at_message = cell->message};
    char title[160];

    return !words || strstr(race_title(&run, title), words);
}

static void add_cell(struct races *races, const struct cell *cell)
{
    if (!wanted(cell))
        return;
    if (races->cell_count == races->cell_room) {
        races->cell_room = races->cell_room ? 2 * races->cell_room : 1024;
        races->cells = mem_resize(races->cells, races->cell_room * sizeof *races->cells);
    }
    races->cells[races->cell_count++] = *cell;
}

/* All places of a flow for an action; of these `samples`, spread evenly and elsewhere for each action (0: all). */
static void add_places(struct races *races, unsigned flow, unsigned action, unsigned samples)
{
    struct cell places[RACE_PHONES * RACE_MESSAGES_MAX];
    unsigned count = 0;
    const uint64_t *possible = races->possible + flow * RACE_PHONES * (RACE_MESSAGES_MAX + 1);

    for (unsigned phone = 0; phone < RACE_PHONES; phone++)
        for (unsigned n = 1; n <= RACE_MESSAGES_MAX; n++)
            if (possible[phone * (RACE_MESSAGES_MAX + 1) + n] >> action & 1)
                places[count++] = (struct cell){flow, action, phone, n};
    if (!samples || samples > count)
        samples = count;
    for (unsigned i = 0; i < samples; i++)
        add_cell(races, &places[(i * count / samples + (flow * 7 + action * 3) % (count / samples)) % count]);
}

static void make_table(struct races *races, bool alone, unsigned samples)
{
    for (unsigned flow = 0; flow < race_flow_count; flow++)
        for (unsigned action = 0; action < race_action_count; action++)
            if (race_actions[action].alone == alone)
                add_places(races, flow, action, samples);
}

/* Something was left by these: halves of them again, down to a single one. */
static void find_guilty(struct races *races, const struct cell *cells, size_t count)
{
    size_t half = count / 2;
    char title[160];

    if (count == 1) {
        struct race_run run = run_of(races, 0, cells, false);

        fprintf(stderr, "  left behind by %s\n", race_title(&run, title));
        return;
    }
    run_cells(races, cells, half, false);
    if (!nothing_left(races))
        find_guilty(races, cells, half);
    run_cells(races, cells + half, count - half, false);
    if (!nothing_left(races))
        find_guilty(races, cells + half, count - half);
}

START_TEST(whatever_happens_after_any_message_every_call_ends_for_everybody)
{
    struct races *races = mem_new(sizeof *races);
    uint64_t began = now_ms();

    open_races(races);
    run_undisturbed(races);
    ck_assert_msg(races->failures == 0, "undisturbed flows failed");
    ck_assert(nothing_left(races));
    make_table(races, false, getenv("TANDEM_TEST_LONG") ? 0 : SAMPLES);
    for (size_t at = 0; at < races->cell_count && races->failures < FAILURES_SHOWN; at += CHUNK) {
        size_t count = races->cell_count - at < CHUNK ? races->cell_count - at : CHUNK;

        run_cells(races, races->cells + at, count, false);
        if (races->failures >= FAILURES_SHOWN)
            break;
        if (!nothing_left(races)) {
            races->failures++;
            find_guilty(races, races->cells + at, count);
        }
    }
    fprintf(stderr, "races: %zu of %zu runs in %.1f s, %u failed\n", races->ran, races->cell_count,
            (double)(now_ms() - began) / 1000, races->failures);
    ck_assert_uint_eq(races->failures, 0);
    close_races(races);
    free(races->possible);
    free(races->cells);
    free(races);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("races");
    TCase *tcase = tcase_create("races");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, getenv("TANDEM_TEST_LONG") ? 7200 : 300);
    tcase_add_test(tcase, whatever_happens_after_any_message_every_call_ends_for_everybody);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
