/* See race_table.h. Test code on the loop's thread. */
#include "race_table.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/obj.h"
#include "edge/edge-priv.h"
#include "sip/agent.h"

#define CHUNK 1500      /* cells between two looks at what is left */
#define SETTLE_MS 4000  /* for what the media process still has to say */
#define PORTS_SCARCE 24 /* ready ones: calls that were begun take theirs soon */
#define SLOW_MS 60      /* a turn of the loop on a machine that has other things to do: messages wait that long */

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

/* Nobody gets 503 because the phones, which share the switch's thread, keep it from its work: linked in place of
 * shed.c's
 * (--wrap). */
const char *__wrap_edge_shed(struct edge_listener *from, const struct edge_flow *flow, const struct edge_text *text,
                             const struct edge_via *via);
const char *__wrap_edge_shed(struct edge_listener *from, const struct edge_flow *flow, const struct edge_text *text,
                             const struct edge_via *via)
{
    return NULL;
}

void races_open(struct races *races)
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

void races_close(struct races *races)
{
    bus_unsubscribe(races->subscription);
    bed_close(races->bed);
    free(races->possible);
    free(races->cells);
    races->possible = NULL;
    races->cells = NULL;
}

/* --- what is left ------------------------------------------------------------------------------------------------ */

static void take_stock(const struct races *races, struct race_stock *out)
{
    struct agent_stats sip;
    struct media_status media;

    agent_get_stats(races->bed->pbx->sip, &sip);
    media_get_status(races->bed->pbx->media, &media);
    *out = (struct race_stock){
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

static void print_stock(const char *when, const struct race_stock *l)
{
    fprintf(stderr,
            "  %s: %zu timers, %zu NTA legs, %zu incoming and %zu outgoing transactions, %zu dialogs, %zu media ports, "
            "%zu calls and legs, %zu/%zu/%zu call/leg/bridge objects\n",
            when, l->timers, l->legs, l->incoming, l->outgoing, l->dialogs, l->ports, l->calls, l->call_objects,
            l->leg_objects, l->bridges);
}

/* The media client has a timer while it waits for ports; and fewer timers than before are no leak. */
static bool same(const struct race_stock *now, const struct race_stock *before)
{
    struct race_stock expected = *before;

    if (now->timers <= before->timers + 1)
        expected.timers = now->timers;
    return memcmp(now, &expected, sizeof *now) == 0;
}

bool races_left_nothing(struct races *races)
{
    struct race_stock now;
    uint64_t until = now_ms() + SETTLE_MS;

    do {
        agent_skip_time(races->bed->pbx->sip, 40000); /* more than any timer of RFC 3261 */
        for (int i = 0; i < 10; i++)
            loop_turn(races->bed->loop, 5);
        take_stock(races, &now);
    } while (!same(&now, &races->before) && now_ms() < until);
    if (same(&now, &races->before)) {
        if (now.timers < races->before.timers)
            races->before.timers = now.timers;
        return true;
    }
    print_stock("before", &races->before);
    print_stock("now", &now);
    obj_each(bed_print_object, NULL);
    races->before = now; /* what follows is not to blame */
    return false;
}

/* --- running ----------------------------------------------------------------------------------------------------- */

static void make_run(struct races *races, struct race_run *run, const struct race_cell *cell)
{
    *run = (struct race_run){.bed = races->bed, .lane = (unsigned)(run - races->runs), .flow = &race_flows[cell->flow]};
    memcpy(run->deeds, cell->deeds, sizeof run->deeds);
    if (!cell->deeds[0].action && races->possible)
        run->possible = races->possible + cell->flow * RACE_PHONES * (RACE_MESSAGES_MAX + 1);
}

/* One turn. How many calls at once the machine does in time, from how it did: half as many behind a slow turn, one more
 * behind each other one. */
static unsigned turn(const struct races *races, unsigned lanes)
{
    uint64_t began = now_ms();

    loop_turn(races->bed->loop, 2);
    if (now_ms() - began > SLOW_MS)
        return lanes > 1 ? lanes / 2 : 1;
    return lanes < RACE_LANES ? lanes + 1 : lanes;
}

void races_run(struct races *races, const struct race_cell *cells, size_t count)
{
    size_t next = 0;
    unsigned running = 0, lanes = RACE_LANES;
    struct media_status media;

    do {
        bool started; /* one a turn: no crowd at the door; and none while media ports are scarce */

        media_get_status(races->bed->pbx->media, &media);
        started = media.ports_ready < PORTS_SCARCE || running >= lanes;
        running = 0;
        for (unsigned i = 0; i < RACE_LANES; i++) {
            struct race_run *run = &races->runs[i];

            if (run->stage != RACE_IDLE && race_look(run)) {
                races->failures += run->failure[0] != '\0';
                run->stage = RACE_IDLE;
            }
            if (run->stage == RACE_IDLE && next < count && !started) {
                make_run(races, run, &cells[next++]);
                race_start(run);
                races->ran++;
                started = true;
            }
            running += run->stage != RACE_IDLE;
        }
        lanes = turn(races, lanes);
    } while (running || next < count);
}

void races_run_undisturbed(struct races *races)
{
    struct race_cell *cells = mem_new(race_flow_count * sizeof *cells);

    races->possible = mem_new(race_flow_count * RACE_PHONES * (RACE_MESSAGES_MAX + 1) * sizeof *races->possible);
    for (unsigned i = 0; i < race_flow_count; i++)
        cells[i].flow = i;
    races_run(races, cells, 1); /* what is made once is there afterwards */
    races->before = (struct race_stock){0};
    take_stock(races, &races->before);
    races->before.incoming = races->before.outgoing = 0;
    races_run(races, cells, race_flow_count);
    free(cells);
    ck_assert_msg(races->failures == 0, "flows fail as they are");
    ck_assert_msg(races_left_nothing(races), "flows leave something as they are");
}

uint64_t races_possible(const struct races *races, unsigned flow, unsigned phone, unsigned message)
{
    return races->possible[(flow * RACE_PHONES + phone) * (RACE_MESSAGES_MAX + 1) + message];
}

static const char *title(struct races *races, const struct race_cell *cell, char out[RACE_TITLE])
{
    struct race_run run = {.bed = races->bed, .flow = &race_flows[cell->flow]};

    memcpy(run.deeds, cell->deeds, sizeof run.deeds);
    return race_title(&run, out);
}

void races_add(struct races *races, const struct race_cell *cell)
{
    const char *words = getenv("TANDEM_RACE");
    char text[RACE_TITLE];

    if (words && !strstr(title(races, cell, text), words))
        return;
    if (races->cell_count == races->cell_room) {
        races->cell_room = races->cell_room ? 2 * races->cell_room : 1024;
        races->cells = mem_resize(races->cells, races->cell_room * sizeof *races->cells);
    }
    races->cells[races->cell_count++] = *cell;
}

/* Something was left by these: halves of them again, down to a single one. */
static void find_guilty(struct races *races, const struct race_cell *cells, size_t count)
{
    size_t half = count / 2;
    char text[RACE_TITLE];

    if (count == 1) {
        fprintf(stderr, "  left behind by %s\n", title(races, cells, text));
        return;
    }
    races_run(races, cells, half);
    if (!races_left_nothing(races))
        find_guilty(races, cells, half);
    races_run(races, cells + half, count - half);
    if (!races_left_nothing(races))
        find_guilty(races, cells + half, count - half);
}

void races_run_table(struct races *races)
{
    for (size_t at = 0; at < races->cell_count && races->failures < RACE_FAILURES_SHOWN; at += CHUNK) {
        size_t count = races->cell_count - at < CHUNK ? races->cell_count - at : CHUNK;

        races_run(races, races->cells + at, count);
        if (races->failures < RACE_FAILURES_SHOWN && !races_left_nothing(races)) {
            races->failures++;
            find_guilty(races, races->cells + at, count);
        }
    }
}
