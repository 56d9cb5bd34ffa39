/* The loader and what modules may add: errors in words, order, and that everything is taken back. The case modules call
 * back into this program, so each test says what a module does. */
#ifdef HAVE_CONFIG_H
#include "config.h" /* open_memstream() */
#endif

#include <check.h>
#include <stdlib.h>

#include "fake_core.h"
#include "sip/sipmsg.h"

static struct pbx pbx;
static struct module_set_config config;
static struct module_spec specs[8];
static struct module_set *set;
static char why[512];

/* What the case modules do; exported to them. */
int case_start(struct module_ctx *ctx, const char *name, void **state);
void case_drain(void *state);
bool case_flush(void *state);
void case_stop(void *state);

static int (*on_start)(struct module_ctx *ctx, const char *name);
static struct module_ctx *last_ctx;
static unsigned flushes; /* how often a module still has something to write */

struct case_state {
    char name[32];
};

int case_start(struct module_ctx *ctx, const char *name, void **state)
{
    struct case_state *s = mem_new(sizeof *s);
    int err;

    journal_note("start:%s", name);
    last_ctx = ctx;
    str_copy(s->name, sizeof s->name, name);
    err = on_start ? on_start(ctx, name) : 0;
    if (err)
        free(s);
    else
        *state = s;
    return err;
}

void case_drain(void *state)
{
    journal_note("drain:%s", ((struct case_state *)state)->name);
}

bool case_flush(void *state)
{
    if (!flushes)
        return false;
    journal_note("flush:%s", ((struct case_state *)state)->name);
    return --flushes > 0;
}

void case_stop(void *state)
{
    journal_note("stop:%s", ((struct case_state *)state)->name);
    free(state);
}

/* Not what is tested here, and the real one would bring in calls and media. */
struct route_kind {
    char name[32];
};

int route_kind_add(struct pbx *p, const char *name, route_resolve_fn fn, void *arg, struct route_kind **out)
{
    *out = mem_new(sizeof **out);
    str_copy((*out)->name, sizeof(*out)->name, name);
    journal_note("+%s", name);
    return 0;
}

void route_kind_remove(struct route_kind *kind)
{
    journal_note("-%s", kind->name);
    free(kind);
}

/* No call of this test dials. */
bool dial_take_over(struct call *call, dial_done_fn done, void *arg)
{
    return false;
}

void dial_give_up(struct call *call, const void *arg)
{
}

static void setup(void)
{
    static char dir[512];

    snprintf(dir, sizeof dir, "%s/tests/modules/.libs", getenv("TANDEM_BUILD") ? getenv("TANDEM_BUILD") : ".");
    memset(&pbx, 0, sizeof pbx);
    memset(specs, 0, sizeof specs);
    pbx.loop = loop_new_fake();
    pbx.bus = bus_new(pbx.loop);
    pbx.hooks = hooks_new(pbx.loop);
    pbx.db = fake_db();
    config = (struct module_set_config){.pbx = &pbx, .console = fake_console(), .dir = dir, .specs = specs};
    set = NULL;
    on_start = NULL;
    last_ctx = NULL;
    flushes = 0;
    journal_take();
}

static void teardown(void)
{
    modules_stop(set);
    hooks_free(pbx.hooks);
    bus_free(pbx.bus);
    loop_free(pbx.loop);
}

static void want(const char *name)
{
    specs[config.count++].name = name;
}

static void start(void)
{
    ck_assert_msg(modules_start(&config, &set, why, sizeof why) == 0, "not started: %s", why);
}

static void is_refused(int err, const char *words)
{
    ck_assert_int_eq(modules_start(&config, &set, why, sizeof why), err);
    ck_assert_ptr_null(set);
    ck_assert_msg(strstr(why, words) != NULL, "\"%s\" does not say \"%s\"", why, words);
}

/* --- what may not run -----------------------------------------------------------------------------------------------
 */

START_TEST(a_module_of_another_abi_is_refused_before_it_runs)
{
    want("old_abi");
    is_refused(-ENOEXEC, "was built for module ABI 999, this switch has 2");
    config.count = 0;
    want("other_size");
    is_refused(-ENOEXEC, "its struct module has 8 bytes");
    ck_assert_str_eq(journal_take(), "");
}
END_TEST

START_TEST(a_library_without_the_symbol_is_no_module)
{
    want("no_symbol");
    is_refused(-ENOEXEC, "it has no symbol tandem_module");
}
END_TEST

START_TEST(a_module_under_another_name_is_refused)
{
    want("misnamed");
    is_refused(-EINVAL, "calls itself \"alpha\"");
}
END_TEST

START_TEST(a_missing_file_is_named)
{
    want("nowhere");
    is_refused(-ENOENT, "module nowhere is not there: no file ");
    config.count = 0;
    want("..");
    is_refused(-EINVAL, "cannot be a module's name");
}
END_TEST

START_TEST(a_missing_need_is_named)
{
    want("beta");
    is_refused(-ENOENT, "module beta needs module alpha: add [module alpha]");
}
END_TEST

START_TEST(a_circle_of_needs_is_named)
{
    want("alpha");
    want("circle_b");
    want("circle_a");
    is_refused(-ELOOP, "circle_b needs circle_a needs circle_b");
    ck_assert_str_eq(journal_take(), "");
}
END_TEST

START_TEST(wrong_options_are_named)
{
    const char *unknown[] = {"colour", "red", NULL}, *number[] = {"number", "many", NULL};
    const char *flag[] = {"flag", "maybe", NULL}, *seconds[] = {"time", "5 weeks", NULL};

    want("alpha");
    specs[0].options = unknown;
    is_refused(-EINVAL, "module alpha has no option \"colour\"; there are text, nothing, number");
    specs[0].options = number;
    is_refused(-EINVAL, "option number takes a number, not \"many\"");
    specs[0].options = flag;
    is_refused(-EINVAL, "option flag takes yes or no");
    specs[0].options = seconds;
    is_refused(-EINVAL, "option time takes a time in seconds");
}
END_TEST

START_TEST(two_instances_need_two_names)
{
    want("alpha");
    want("alpha");
    is_refused(-EEXIST, "two modules have the instance name \"alpha\"");
}
END_TEST

START_TEST(a_check_runs_nothing)
{
    want("beta");
    want("alpha");
    ck_assert_int_eq(modules_check(&config, why, sizeof why), 0);
    config.count = 1;
    ck_assert_int_eq(modules_check(&config, why, sizeof why), -ENOENT);
    ck_assert_str_eq(journal_take(), "");
}
END_TEST

/* --- what runs
 * -------------------------------------------------------------------------------------------------------- */

START_TEST(modules_start_by_need_and_stop_in_reverse)
{
    json_t *list;

    want("beta");
    want("alpha");
    start();
    ck_assert_str_eq(journal_take(), "start:alpha start:beta");
    list = modules_list(set);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 1), "name")), "beta");
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 1), "version")), "0.1");
    json_decref(list);
    modules_drain(set);
    modules_stop(set);
    set = NULL;
    ck_assert_str_eq(journal_take(), "drain:beta drain:alpha stop:beta stop:alpha");
}
END_TEST

START_TEST(a_module_is_waited_for_while_it_has_something_to_write)
{
    want("alpha");
    start();
    journal_take();
    flushes = 3;
    modules_stop(set);
    set = NULL;
    ck_assert_str_eq(journal_take(), "flush:alpha flush:alpha flush:alpha stop:alpha");
}
END_TEST

static int beta_fails(struct module_ctx *ctx, const char *name)
{
    ck_assert_int_eq(module_on_method(ctx, name, NULL, NULL), 0);
    return strcmp(name, "beta") == 0 ? -EIO : 0;
}

START_TEST(a_failing_start_rolls_everything_back)
{
    want("beta");
    want("alpha");
    want("gamma");
    on_start = beta_fails;
    is_refused(-EIO, "module beta did not start: Input/output error");
    ck_assert_str_eq(journal_take(), "start:alpha +alpha start:beta +beta -beta -alpha stop:alpha");
}
END_TEST

START_TEST(options_reach_the_module)
{
    const char *given[] = {"text", "", "number", "42", "flag", "On", "time", "90s", NULL};

    want("alpha");
    start();
    ck_assert_str_eq(module_option(last_ctx, "text"), "hello");
    ck_assert_ptr_null(module_option(last_ctx, "nothing"));
    ck_assert_uint_eq(module_option_number(last_ctx, "number"), 7);
    ck_assert_uint_eq(module_option_number(last_ctx, "flag"), 0);
    ck_assert_uint_eq(module_option_number(last_ctx, "time"), 120);
    modules_stop(set);
    specs[0].options = given;
    start();
    ck_assert_str_eq(module_option(last_ctx, "text"), "");
    ck_assert_uint_eq(module_option_number(last_ctx, "number"), 42);
    ck_assert_uint_eq(module_option_number(last_ctx, "flag"), 1);
    ck_assert_uint_eq(module_option_number(last_ctx, "time"), 90);
}
END_TEST

START_TEST(two_instances_run_side_by_side_and_in_two_switches)
{
    const char *given[] = {"number", "2", NULL};
    struct pbx other = pbx;
    struct module_set_config other_config = config;
    struct module_set *other_set = NULL;
    struct module_ctx *second;

    want("alpha");
    want("alpha");
    specs[1].instance = "night";
    specs[1].options = given;
    start();
    ck_assert_uint_eq(module_option_number(last_ctx, "number"), 2);
    second = last_ctx;
    other_config.pbx = &other;
    other_config.specs = specs;
    other_config.count = 1;
    ck_assert_int_eq(modules_start(&other_config, &other_set, why, sizeof why), 0);
    ck_assert_ptr_eq(module_pbx(last_ctx), &other);
    ck_assert_ptr_eq(module_pbx(second), &pbx);
    modules_stop(other_set);
    ck_assert_str_eq(journal_take(), "start:alpha start:alpha start:alpha stop:alpha");
}
END_TEST

static enum verdict hook_passes(void *arg, struct hook_walk *walk, void *subject)
{
    journal_note("hook");
    return VERDICT_PASS;
}

static void event_seen(void *arg, const struct event *event)
{
    journal_note("event");
}

static void hook_walked(void *arg, enum verdict verdict, enum cause cause, const char *detail)
{
}

static void announce(void)
{
    struct event event = {.kind = EVENT_REGISTERED};

    bus_publish(pbx.bus, &event);
    hook_start(pbx.hooks, HOOK_CALL, &pbx, hook_walked, NULL);
}

START_TEST(everything_added_is_taken_back_newest_first)
{
    struct event_server *events;

    want("alpha");
    start();
    ck_assert_int_eq(module_on_method(last_ctx, "REGISTER", NULL, NULL), 0);
    ck_assert_int_eq(module_add_destination(last_ctx, "account", NULL, NULL), 0);
    ck_assert_int_eq(module_add_command(last_ctx, "registrations", "", NULL, NULL), 0);
    ck_assert_int_eq(module_add_events(last_ctx, &(struct event_package){.name = "lamp"}, &events), 0);
    ck_assert_int_eq(module_on_hook(last_ctx, HOOK_CALL, 0, hook_passes, NULL), 0);
    ck_assert_int_eq(module_on_event(last_ctx, EVENT_BIT(EVENT_REGISTERED), event_seen, NULL), 0);
    announce();
    ck_assert_str_eq(journal_take(), "start:alpha +REGISTER +account +registrations +event:lamp event hook");
    modules_stop(set);
    set = NULL;
    announce();
    ck_assert_str_eq(journal_take(), "-event -registrations -account -REGISTER stop:alpha");
}
END_TEST

START_TEST(what_somebody_has_already_is_an_error)
{
    want("alpha");
    start();
    ck_assert_int_eq(module_on_method(last_ctx, "TAKEN", NULL, NULL), -EEXIST);
    ck_assert_int_eq(module_add_events(last_ctx, &(struct event_package){.name = "taken"}, NULL), -EEXIST);
    ck_assert_int_eq(module_provide(last_ctx, "lamps", "first"), 0);
    ck_assert_int_eq(module_provide(last_ctx, "lamps", "second"), -EEXIST);
    ck_assert_str_eq(module_find(last_ctx, "lamps"), "first");
    ck_assert_ptr_null(module_find(last_ctx, "doors"));
}
END_TEST

static void count_up(void *arg)
{
    ++*(int *)arg;
}

START_TEST(a_timer_runs_until_the_module_stops)
{
    int fired = 0;
    struct module_timer *timer;

    want("alpha");
    start();
    timer = module_timer_new(last_ctx, count_up, &fired);
    module_timer_start(timer, 100);
    loop_fake_advance(pbx.loop, 100);
    ck_assert_int_eq(fired, 1);
    module_timer_start(timer, 100);
    module_timer_stop(timer);
    loop_fake_advance(pbx.loop, 1000);
    ck_assert_int_eq(fired, 1);
    module_timer_start(timer, 100);
    modules_stop(set);
    set = NULL;
    loop_fake_advance(pbx.loop, 1000);
    ck_assert_int_eq(fired, 1);
}
END_TEST

static void query_came(void *arg, int err, const char *message, const struct db_result *result)
{
    *(int *)arg = err ? err : db_rows(result);
}

START_TEST(queries_come_back_or_are_cancelled_with_the_module)
{
    const char *params[] = {"201"};
    int first = 0, second = 0;

    want("alpha");
    start();
    module_query(last_ctx, "select $1", params, 1, 1000, query_came, &first);
    ck_assert_str_eq(fake_query_param(0), "201");
    fake_query_ends(0, 5, "x", NULL);
    ck_assert_int_eq(first, 5);
    module_query(last_ctx, "select 2", NULL, 0, 1000, query_came, &second);
    journal_take();
    modules_stop(set);
    set = NULL;
    ck_assert_str_eq(journal_take(), "cancelled stop:alpha");
    ck_assert_ptr_null(fake_query());
    ck_assert_int_eq(second, 0);
}
END_TEST

START_TEST(without_a_database_a_query_fails_but_not_at_once)
{
    int err = 0;

    pbx.db = NULL;
    want("alpha");
    start();
    module_query(last_ctx, "select 1", NULL, 0, 1000, query_came, &err);
    ck_assert_int_eq(err, 0);
    loop_fake_advance(pbx.loop, 1);
    ck_assert_int_eq(err, -ENOTCONN);
    module_query(last_ctx, "select 1", NULL, 0, 1000, query_came, &err);
}
END_TEST

START_TEST(work_is_done_before_the_module_stops)
{
    int worked = 0;

    want("alpha");
    start();
    ck_assert_int_eq(module_work(last_ctx, count_up, count_up, &worked), 0);
    modules_stop(set);
    set = NULL;
    ck_assert_int_eq(worked, 2);
}
END_TEST

START_TEST(private_data_goes_with_its_call_or_with_the_module)
{
    int a = 0, b = 0, c = 0;
    struct call *one = mem_new(sizeof *one), *two = mem_new(sizeof *two);
    struct leg *leg = mem_new(sizeof *leg);

    want("alpha");
    start();
    module_set_call_data(last_ctx, one, &a, count_up);
    module_set_call_data(last_ctx, two, &b, count_up);
    module_set_leg_data(last_ctx, leg, &c, count_up);
    ck_assert_ptr_eq(module_call_data(last_ctx, one), &a);
    ck_assert_ptr_eq(module_leg_data(last_ctx, leg), &c);
    data_clear(&one->data);
    ck_assert_int_eq(a, 1);
    module_set_leg_data(last_ctx, leg, NULL, NULL);
    ck_assert_int_eq(c, 1);
    ck_assert_ptr_null(module_leg_data(last_ctx, leg));
    module_set_leg_data(last_ctx, leg, &c, count_up);
    module_set_leg_data(last_ctx, leg, &a, count_up); /* a new value ends the old one */
    ck_assert_int_eq(c, 2);
    modules_stop(set);
    set = NULL;
    ck_assert_int_eq(b, 1);
    ck_assert_int_eq(a, 2);
    ck_assert_ptr_null(two->data.first);
    data_clear(&leg->data);
    free(one);
    free(two);
    free(leg);
}
END_TEST

START_TEST(the_options_document_themselves)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    ck_assert_int_eq(module_help(config.dir, "beta", out, why, sizeof why), 0);
    fclose(out);
    ck_assert_ptr_nonnull(strstr(text, "[module beta]    # a case of the loader's test\n"));
    ck_assert_ptr_nonnull(strstr(text, "#time = 2m\n#    a time (time)\n"));
    ck_assert_ptr_nonnull(strstr(text, "# needs [module alpha]\n"));
    free(text);
    ck_assert_int_eq(module_help(config.dir, "nowhere", stderr, why, sizeof why), -ENOENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("module");
    TCase *refused = tcase_create("refused"), *running = tcase_create("running");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(refused, setup, teardown);
    tcase_add_checked_fixture(running, setup, teardown);
    tcase_add_test(refused, a_module_of_another_abi_is_refused_before_it_runs);
    tcase_add_test(refused, a_library_without_the_symbol_is_no_module);
    tcase_add_test(refused, a_module_under_another_name_is_refused);
    tcase_add_test(refused, a_missing_file_is_named);
    tcase_add_test(refused, a_missing_need_is_named);
    tcase_add_test(refused, a_circle_of_needs_is_named);
    tcase_add_test(refused, wrong_options_are_named);
    tcase_add_test(refused, two_instances_need_two_names);
    tcase_add_test(refused, a_check_runs_nothing);
    tcase_add_test(running, modules_start_by_need_and_stop_in_reverse);
    tcase_add_test(running, a_module_is_waited_for_while_it_has_something_to_write);
    tcase_add_test(running, a_failing_start_rolls_everything_back);
    tcase_add_test(running, options_reach_the_module);
    tcase_add_test(running, two_instances_run_side_by_side_and_in_two_switches);
    tcase_add_test(running, everything_added_is_taken_back_newest_first);
    tcase_add_test(running, what_somebody_has_already_is_an_error);
    tcase_add_test(running, a_timer_runs_until_the_module_stops);
    tcase_add_test(running, queries_come_back_or_are_cancelled_with_the_module);
    tcase_add_test(running, without_a_database_a_query_fails_but_not_at_once);
    tcase_add_test(running, work_is_done_before_the_module_stops);
    tcase_add_test(running, private_data_goes_with_its_call_or_with_the_module);
    tcase_add_test(running, the_options_document_themselves);
    suite_add_tcase(suite, refused);
    suite_add_tcase(suite, running);
    srunner_set_fork_status(runner,
                            CK_NOFORK); /* a child that loads libraries makes LeakSanitizer see leaks of Check */
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
