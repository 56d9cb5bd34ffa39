/* "Do X after message N, for each flow": every flow of race_flows.c is run undisturbed, then again for every action of
 * race_actions.c after every message at which it is possible, many at once. After each run the phones must know that
 * their call is over and have agreed until then, there is one record with a sensible cause, and from time to time
 * nothing at all may be left in the switch. make check runs a part of the table that is the same each time;
 * TANDEM_TEST_LONG=1 runs all of it and many mixtures of actions; TANDEM_RACE="words of a title" those cells alone, and
 * TANDEM_RACE_SEED makes other mixtures. */
#include <stdio.h>
#include <stdlib.h>

#include "race_table.h"

#define SAMPLES 2 /* of each flow and action, in the short test */
#define MIXTURES 200
#define MIXTURES_LONG 6000

static bool is_long(void)
{
    return getenv("TANDEM_TEST_LONG") != NULL;
}

static void report(struct races *races, uint64_t began)
{
    fprintf(stderr, "races: %zu runs of %zu cells in %.1f s, %u failed\n", races->ran, races->cell_count,
            (double)(now_ms() - began) / 1000, races->failures);
    ck_assert_uint_eq(races->failures, 0);
}

/* All places of a flow for an action; of these `samples`, spread evenly and elsewhere for each action (0: all). */
static void add_places(struct races *races, unsigned flow, unsigned action, unsigned samples)
{
    struct race_cell places[RACE_PHONES * RACE_MESSAGES_MAX];
    unsigned count = 0;

    for (unsigned phone = 0; phone < RACE_PHONES; phone++)
        for (unsigned n = 1; n <= RACE_MESSAGES_MAX; n++)
            if (races_possible(races, flow, phone, n) >> action & 1)
                places[count++] = (struct race_cell){flow, {{&race_actions[action], phone, n, false}}};
    if (!samples || samples > count)
        samples = count;
    for (unsigned i = 0; i < samples; i++)
        races_add(races, &places[(i * count / samples + (flow * 7 + action * 3) % (count / samples)) % count]);
}

static void add_table(struct races *races, bool alone, unsigned samples)
{
    for (unsigned flow = 0; flow < race_flow_count; flow++)
        for (unsigned action = 0; action < race_action_count; action++)
            if (race_actions[action].alone == alone && (!alone || is_long() || flow % 4 == action % 4))
                add_places(races, flow, action, samples);
}

/* --- mixtures -------------------------------------------------------------------------------------------------------
 */

static unsigned draw(uint64_t *seed, unsigned below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*seed >> 33) % below;
}

/* Some action after some message of the flow. */
static struct race_deed draw_deed(struct races *races, unsigned flow, uint64_t *seed)
{
    for (;;) {
        unsigned phone = draw(seed, RACE_PHONES), n = 1 + draw(seed, RACE_MESSAGES_MAX),
                 action = draw(seed, race_action_count);

        if (!race_actions[action].alone && races_possible(races, flow, phone, n) >> action & 1)
            return (struct race_deed){&race_actions[action], phone, n, false};
    }
}

/* Two or three things in one call. */
static void add_mixtures(struct races *races, size_t count)
{
    uint64_t seed = getenv("TANDEM_RACE_SEED") ? strtoull(getenv("TANDEM_RACE_SEED"), NULL, 10) : 1;

    for (size_t i = 0; i < count; i++) {
        struct race_cell cell = {.flow = draw(&seed, race_flow_count)};
        bool faulty[RACE_PHONES] = {false};

        for (unsigned deeds = 2 + draw(&seed, RACE_DEEDS - 1), at = 0; at < deeds;) {
            struct race_deed deed = draw_deed(races, cell.flow, &seed);

            if (deed.action->fault && faulty[deed.phone])
                continue; /* a phone has one fault at a time */
            faulty[deed.phone] |= deed.action->fault != RACE_NO_FAULT;
            cell.deeds[at++] = deed;
        }
        races_add(races, &cell);
    }
}

/* --- the tests --------------------------------------------------------------------------------------------------- */

START_TEST(whatever_happens_after_any_message_every_call_ends_for_everybody)
{
    struct races *races = mem_new(sizeof *races);
    uint64_t began = now_ms();

    races_open(races);
    races_run_undisturbed(races);
    add_table(races, false, is_long() ? 0 : SAMPLES);
    races_run_table(races);
    report(races, began);
    races_close(races);
    free(races);
}
END_TEST

START_TEST(several_things_may_happen_in_one_call)
{
    struct races *races = mem_new(sizeof *races);
    uint64_t began = now_ms();

    races_open(races);
    races_run_undisturbed(races);
    add_mixtures(races, is_long() ? MIXTURES_LONG : MIXTURES);
    races_run_table(races);
    report(races, began);
    races_close(races);
    free(races);
}
END_TEST

/* What hurts the whole switch is done to one call at a time, each in a switch of its own. */
START_TEST(a_dying_media_process_or_switch_ends_the_call_for_everybody)
{
    struct races *races = mem_new(sizeof *races);
    struct race_cell *cells;
    size_t count;
    uint64_t began = now_ms();

    races_open(races);
    races_run_undisturbed(races);
    add_table(races, true, is_long() ? 6 : 1);
    cells = races->cells;
    count = races->cell_count;
    races->cells = NULL;
    for (size_t i = 0; i < count; i++) {
        races_close(races);
        races_open(races);
        races_run(races, &cells[i], 1);
    }
    report(races, began);
    races_close(races);
    free(cells);
    free(races);
}
END_TEST

static void add_case(Suite *suite, const char *name, const TTest *test)
{
    TCase *tcase = tcase_create(name); /* CK_RUN_CASE runs one alone */

    tcase_set_timeout(tcase, is_long() ? 3600 : 300);
    tcase_add_test(tcase, test);
    suite_add_tcase(suite, tcase);
}

int main(void)
{
    Suite *suite = suite_create("races");
    SRunner *runner;
    int failed;

    add_case(suite, "one", whatever_happens_after_any_message_every_call_ends_for_everybody);
    add_case(suite, "several", several_things_may_happen_in_one_call);
    add_case(suite, "switch", a_dying_media_process_or_switch_ends_the_call_for_everybody);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
