/* The sample modules of tests/modules with the real loader, calls, hooks and bridges; SIP, media, console and database
 * are played by the test. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/obj.h"
#include "fake_core.h"
#include "media/negotiate.h"

static struct pbx *pbx;
static struct module_set_config config;
static struct module_spec spec;
static struct module_set *set;
static struct account *a201;
static struct route_kind *kind;
static struct leg *dialled[4];
static unsigned dialled_count;

/* --- a kind of leg that only writes down what it is told
 * ---------------------------------------------------------------- */

static int fake_prepare(struct leg *leg, const struct endpoint *to)
{
    leg->usage = leg;
    addr_parse("127.0.0.1:0", 0, &leg->media_host);
    return 0;
}

static int fake_dial(struct leg *leg, const struct endpoint *to, const struct media_desc *offer)
{
    journal_note("dial:%s:%s", to->uri, desc_speech(&offer->streams[0])->name);
    dialled[dialled_count++] = leg;
    return 0;
}

static int fake_ring(struct leg *leg, int status, const struct media_desc *early)
{
    return 0;
}

static int fake_answer(struct leg *leg, const struct media_desc *answer)
{
    return 0;
}

static int fake_answer_offer(struct leg *leg, const struct media_desc *answer, enum cause refused)
{
    journal_note("answer:%d", answer ? (int)answer->streams[0].dir : -1);
    return 0;
}

static void fake_end(struct leg *leg, enum cause cause, const char *detail)
{
    journal_note("end:%s:%s", leg->number, cause_info(cause)->id);
    leg_on_gone(leg);
}

static const struct leg_ops fake_legs = {
    .kind = "fake",
    .prepare = fake_prepare,
    .dial = fake_dial,
    .ring = fake_ring,
    .answer = fake_answer,
    .answer_offer = fake_answer_offer,
    .end = fake_end,
};

static int resolve(void *arg, struct pbx *p, const char *value, struct endpoint *out, unsigned max)
{
    if (strcmp(value, "999") == 0)
        return -ENOENT;
    memset(out, 0, sizeof *out);
    snprintf(out->uri, sizeof out->uri, "sip:%s", value);
    out->account = obj_ref(a201, "endpoint");
    return 1;
}

static int script_runs(void *script, struct call *call, const char *context, const char *extension)
{
    return 0;
}

static void script_hangs_up(void *script, struct call *call)
{
}

static const struct script_ops scripts = {.start = script_runs, .hangup = script_hangs_up};

static void setup(void)
{
    static char dir[512];

    snprintf(dir, sizeof dir, "%s/tests/modules/.libs", getenv("TANDEM_BUILD") ? getenv("TANDEM_BUILD") : ".");
    fake_loop = loop_new_fake();
    pbx = pbx_new(fake_loop, NULL, fake_db(), 1);
    pbx->leg_ops = &fake_legs;
    pbx->script_ops = &scripts;
    ck_assert_int_eq(route_kind_add(pbx, "account", resolve, NULL, &kind), 0);
    a201 = obj_new(sizeof *a201, "account", NULL, "snapshot");
    a201->codecs = a201->language = a201->music_class = a201->acl = a201->pickup_group = a201->transfer_codes = "";
    str_copy(a201->name, sizeof a201->name, "201");
    config = (struct module_set_config){.pbx = pbx, .console = fake_console(), .dir = dir, .specs = &spec, .count = 1};
    set = NULL;
    dialled_count = 0;
    journal_take();
}

static void run(const char *module, const char *const *options)
{
    char why[512];

    spec = (struct module_spec){.name = module, .options = options};
    ck_assert_msg(modules_start(&config, &set, why, sizeof why) == 0, "%s", why);
}

/* Whatever a test leaves ends here: nothing may be left after it. */
static void teardown(void)
{
    struct call *call, *tmp;

    LIST_FOR_EACH_SAFE(call, tmp, &pbx->calls, in_pbx)
    {
        obj_ref(call, "test");
        call_end(call, CAUSE_NORMAL, WHO_SWITCH, NULL);
        obj_unref(call, "test");
    }
    modules_stop(set);
    loop_turn(fake_loop, 0);
    loop_turn(fake_loop, 0);
    ck_assert_uint_eq(obj_live("call"), 0);
    ck_assert_uint_eq(obj_live("leg"), 0);
    route_kind_remove(kind);
    pbx_free(pbx);
    loop_free(fake_loop);
    obj_unref(a201, "snapshot");
    ck_assert_uint_eq(obj_live("account"), 0);
}

static struct media_desc *offer_with(enum stream_dir dir)
{
    struct media_desc *offer = negotiate_local_offer(negotiate_default_codecs, negotiate_default_codec_count);

    addr_parse("127.0.0.1:40000", 0, &offer->streams[0].rtp);
    offer->streams[0].rtcp = offer->streams[0].rtp;
    offer->streams[0].dir = dir;
    return offer;
}

/* --- local_hold
 * --------------------------------------------------------------------------------------------------------- */

static enum verdict next_in_line(void *arg, struct hook_walk *walk, void *subject)
{
    journal_note("next");
    return VERDICT_PASS;
}

static struct leg *talking_leg(void)
{
    struct media_desc *offer = offer_with(DIR_SENDRECV);
    struct call_incoming in = {.account = a201,
                               .from_number = "201",
                               .from_name = "",
                               .dialled = "202",
                               .context = "internal",
                               .sip_call_id = "x",
                               .contact = "",
                               .offer = offer,
                               .ops = &fake_legs,
                               .hops = 70};
    enum cause refused = CAUSE_NONE;
    struct leg *leg;

    addr_parse("127.0.0.1:0", 0, &in.media_host);
    leg = call_incoming(pbx, &in, &refused);
    desc_free(offer);
    ck_assert_ptr_nonnull(leg);
    leg->usage = leg;
    ck_assert_int_eq(leg_answer(leg, NULL), 0);
    loop_turn(fake_loop, 0);
    return leg;
}

static void reoffers(struct leg *leg, enum stream_dir dir)
{
    struct media_desc *offer = offer_with(dir);

    leg_on_offer(leg, offer);
    desc_free(offer);
}

START_TEST(hold_is_answered_here_and_anything_else_goes_on)
{
    struct hook *next;
    struct leg *leg;

    run("local_hold", NULL);
    next = hook_add(pbx->hooks, HOOK_OFFER, 200, "next", next_in_line, NULL);
    leg = talking_leg();
    journal_take();
    reoffers(leg, DIR_SEND);
    ck_assert_str_eq(journal_take(), "answer:2"); /* DIR_RECV: we take what it still sends */
    ck_assert(leg->held);
    reoffers(leg, DIR_INACTIVE);
    ck_assert_str_eq(journal_take(), "answer:0");
    reoffers(leg, DIR_SENDRECV);
    ck_assert_str_eq(journal_take(), "next answer:3");
    ck_assert(!leg->held);
    hook_remove(next);
}
END_TEST

/* --- budget
 * ------------------------------------------------------------------------------------------------------------- */

static enum cause judged;
static char judged_detail[128];
static unsigned judged_legs, judged_times;

static void routed(void *arg, enum cause refused, const char *detail, struct leg *const *legs, unsigned count)
{
    judged = refused;
    judged_legs = count;
    judged_times++;
    str_copy(judged_detail, sizeof judged_detail, detail);
}

static struct attempt_run *attempt(bool emergency)
{
    struct call *call = call_originate(pbx, "internal", "201", NULL);
    struct attempt_run *run_;

    judged_times = 0;
    run_ = route_out(call, "202", a201, emergency, routed, NULL);
    obj_unref(call, "creator");
    return run_;
}

START_TEST(an_attempt_waits_for_the_database)
{
    const char *options[] = {"sql", "select budget($1, $2)", NULL};

    run("budget", options);
    ck_assert_ptr_nonnull(attempt(false));
    ck_assert_uint_eq(judged_times, 0);
    ck_assert_str_eq(fake_query(), "select budget($1, $2)");
    ck_assert_str_eq(fake_query_param(0), "201");
    ck_assert_str_eq(fake_query_param(1), "202");
    fake_query_ends(0, 1, "t", NULL);
    ck_assert_uint_eq(judged_times, 1);
    ck_assert_int_eq(judged, CAUSE_NONE);
    ck_assert_uint_eq(judged_legs, 1);
}
END_TEST

START_TEST(a_veto_says_why)
{
    run("budget", NULL);
    ck_assert_ptr_nonnull(attempt(false));
    fake_query_ends(0, 1, "f", "October is spent");
    ck_assert_int_eq(judged, CAUSE_VETOED);
    ck_assert_str_eq(judged_detail, "October is spent");
    ck_assert_ptr_nonnull(attempt(false));
    fake_query_ends(0, 0, NULL, NULL); /* no row: no budget */
    ck_assert_int_eq(judged, CAUSE_VETOED);
    ck_assert_str_eq(judged_detail, "the budget does not allow this call");
}
END_TEST

START_TEST(without_the_database_the_option_decides)
{
    const char *closed[] = {"fail_open", "no", NULL};

    run("budget", NULL);
    ck_assert_ptr_nonnull(attempt(false));
    fake_query_ends(-ENOTCONN, 0, NULL, NULL);
    ck_assert_int_eq(judged, CAUSE_NONE);
    modules_stop(set);
    run("budget", closed);
    ck_assert_ptr_nonnull(attempt(false));
    fake_query_ends(-ETIMEDOUT, 0, NULL, NULL);
    ck_assert_int_eq(judged, CAUSE_VETOED);
    ck_assert_str_eq(judged_detail, "the budget cannot be checked now");
}
END_TEST

START_TEST(emergencies_ask_nobody)
{
    run("budget", NULL);
    ck_assert_ptr_null(attempt(true));
    ck_assert_int_eq(judged, CAUSE_NONE);
    ck_assert_uint_eq(judged_times, 1);
    ck_assert_ptr_null(fake_query());
}
END_TEST

START_TEST(an_answer_after_the_attempt_is_forgotten)
{
    struct attempt_run *waiting;

    run("budget", NULL);
    waiting = attempt(false);
    ck_assert_ptr_nonnull(waiting);
    route_cancel(waiting);
    fake_query_ends(0, 1, "f", NULL);
    ck_assert_uint_eq(judged_times, 0);
}
END_TEST

START_TEST(an_attempt_goes_on_when_the_module_stops)
{
    run("budget", NULL);
    ck_assert_ptr_nonnull(attempt(false));
    modules_stop(set);
    set = NULL;
    ck_assert_uint_eq(judged_times, 1);
    ck_assert_int_eq(judged, CAUSE_NONE);
    ck_assert_ptr_null(fake_query());
}
END_TEST

/* --- callback
 * ----------------------------------------------------------------------------------------------------------- */

static json_t *command(const char *from, const char *to)
{
    json_t *params = json_object();

    if (from)
        json_object_set_new(params, "from", json_string(from));
    if (to)
        json_object_set_new(params, "to", json_string(to));
    return fake_console_run("callback", params);
}

static void answers(unsigned i)
{
    struct media_desc *answer = NULL;

    ck_assert_uint_gt(dialled_count, i);
    ck_assert_int_eq(negotiate_local_answer(dialled[i]->our_offer, NULL, 0, DIR_SENDRECV, &answer), 0);
    addr_parse("127.0.0.1:40000", 0, &answer->streams[0].rtp);
    leg_on_answer(dialled[i], answer);
    desc_free(answer);
}

START_TEST(a_callback_rings_one_then_the_other_and_joins_them)
{
    json_t *reply;
    struct call *call;

    run("callback", NULL);
    journal_take();
    reply = command("201", "202");
    ck_assert_ptr_nonnull(json_object_get(reply, "call"));
    call = call_find(pbx, json_string_value(json_object_get(reply, "call")));
    ck_assert_ptr_nonnull(call);
    json_decref(reply);
    ck_assert_str_eq(journal_take(), "dial:sip:201:G722");
    answers(0);
    ck_assert_str_eq(journal_take(), "dial:sip:202:G722");
    ck_assert_uint_eq(dialled[1]->our_offer->streams[0].codec_count, 6); /* and what can be converted */
    answers(1);
    ck_assert_str_eq(journal_take(), "bridge");
    ck_assert_int_eq(call->state, CALL_TALKING);
    ck_assert_ptr_eq(bridge_peer(dialled[0]), dialled[1]);
    leg_on_ended(dialled[1], CAUSE_NORMAL, WHO_CALLEE, 0, NULL);
    ck_assert_str_eq(journal_take(), "end:201:normal");
    leg_on_gone(dialled[1]);
    loop_turn(fake_loop, 0);
    ck_assert_uint_eq(pbx->call_count, 0);
}
END_TEST

START_TEST(a_callback_ends_when_somebody_does_not_want_it)
{
    run("callback", NULL);
    json_decref(command("201", "202"));
    answers(0);
    journal_take();
    leg_on_ended(dialled[1], CAUSE_BUSY, WHO_CALLEE, 486, NULL);
    leg_on_gone(dialled[1]);
    ck_assert_str_eq(journal_take(), "end:201:busy");
    loop_turn(fake_loop, 0);
    ck_assert_uint_eq(pbx->call_count, 0);
    dialled_count = 0;
    json_decref(command("201", "999"));
    answers(0);
    loop_turn(fake_loop, 0);
    ck_assert_uint_eq(pbx->call_count, 0);
    json_decref(command("999", "201"));
    loop_turn(fake_loop, 0);
    ck_assert_uint_eq(pbx->call_count, 0);
}
END_TEST

START_TEST(a_callback_needs_both_names)
{
    run("callback", NULL);
    journal_take();
    ck_assert_ptr_null(command("201", NULL));
    ck_assert_str_eq(journal_take(), "failed:bad-request");
    ck_assert_uint_eq(pbx->call_count, 0);
}
END_TEST

START_TEST(a_running_callback_outlives_its_module_as_an_ordinary_call)
{
    run("callback", NULL);
    json_decref(command("201", "202"));
    answers(0);
    answers(1);
    modules_stop(set);
    set = NULL;
    ck_assert_ptr_null(dialled[0]->control);
    journal_take();
    leg_on_ended(dialled[0], CAUSE_NORMAL, WHO_CALLER, 0, NULL);
    leg_on_gone(dialled[0]);
    ck_assert_str_eq(journal_take(), "end:202:normal");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("samples");
    TCase *tcase = tcase_create("sample modules");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, hold_is_answered_here_and_anything_else_goes_on);
    tcase_add_test(tcase, an_attempt_waits_for_the_database);
    tcase_add_test(tcase, a_veto_says_why);
    tcase_add_test(tcase, without_the_database_the_option_decides);
    tcase_add_test(tcase, emergencies_ask_nobody);
    tcase_add_test(tcase, an_answer_after_the_attempt_is_forgotten);
    tcase_add_test(tcase, an_attempt_goes_on_when_the_module_stops);
    tcase_add_test(tcase, a_callback_rings_one_then_the_other_and_joins_them);
    tcase_add_test(tcase, a_callback_ends_when_somebody_does_not_want_it);
    tcase_add_test(tcase, a_callback_needs_both_names);
    tcase_add_test(tcase, a_running_callback_outlives_its_module_as_an_ordinary_call);
    suite_add_tcase(suite, tcase);
    srunner_set_fork_status(runner, CK_NOFORK); /* as in test_module.c */
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
