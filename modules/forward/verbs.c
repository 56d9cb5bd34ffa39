/* What the dialplan binds to feature codes: call:forward{ when = …, to = … }, call:do_not_disturb(),
 * call:call_waiting(). Each changes what the caller's account has set, says so to him, and gives back how it is now.
 * Signalling thread. */
#include "forward.h"

/* NULL: the run has ended. */
static const struct account *account_of(const struct forward *f, struct verb_run *run, const struct call *call)
{
    const struct account *account = verb_run_account(run, call), *now;

    if (!account)
        return NULL;
    now = snapshot_account(db_snapshot(f->pbx->db), account->name);
    if (!now)
        verb_run_fail(run, "the account of the caller is gone");
    return now;
}

static void say_wrong(struct verb_run *run, struct call *call)
{
    verb_run_say(run, call, (const char *const[]){"call/cannot-complete", NULL}, NULL);
}

/* --- call:forward{ when = "busy", to = "203", seconds = 15 }; without to: off; without when: all of them off --- */

static const char *prompt_of(enum forward_when when)
{
    static const char *const prompts[] = {"feature/forward-all", "feature/forward-busy", "feature/forward-no-answer",
                                          "feature/forward", "feature/forward"};

    return prompts[when];
}

/* NULL: it can be done as it is asked for. */
static const char *mistake(const json_t *argument)
{
    const json_t *when = json_object_get(argument, "when"), *to = json_object_get(argument, "to"),
                 *seconds = json_object_get(argument, "seconds");

    if (when && (!json_is_string(when) || forward_when_parse(json_string_value(when)) == WHEN_COUNT))
        return "when has to be \"always\", \"busy\", \"no-answer\" or \"unreachable\"";
    if (to && (!json_is_string(to) || !*json_string_value(to)))
        return "to has to be a number in quotes";
    if (to && !when)
        return "say when it forwards";
    if (seconds && (!json_is_number(seconds) || json_number_value(seconds) < 1 || json_number_value(seconds) > 3600))
        return "seconds are 1 to 3600";
    return NULL;
}

static void verb_forward(void *arg, struct verb_run *run, struct call *call, const json_t *argument)
{
    struct forward *f = arg;
    const struct account *account = account_of(f, run, call);
    const char *when_text = json_string_value(json_object_get(argument, "when")),
               *to = json_string_value(json_object_get(argument, "to")), *wrong = mistake(argument);
    enum forward_when when = when_text ? forward_when_parse(when_text) : WHEN_COUNT;
    char why[200];

    if (!account)
        return;
    if (wrong) {
        verb_run_fail(run, "%s", wrong);
        return;
    }
    if (when == WHEN_COUNT) {
        for (int i = 0; i < WHEN_COUNT; i++)
            forward_set(f, account->name, (enum forward_when)i, "", 0, why, sizeof why);
    } else if (forward_set(f, account->name, when, to ? to : "",
                           (unsigned)json_number_value(json_object_get(argument, "seconds")), why, sizeof why) < 0) {
        log_info("forward: %s asks for what cannot be: %s", account->name, why);
        say_wrong(run, call);
        return;
    }
    verb_run_say(run, call,
                 (const char *const[]){prompt_of(when), to && *to ? "feature/enabled" : "feature/disabled", NULL},
                 json_boolean(to && *to));
}

/* --- call:do_not_disturb(), call:call_waiting(): true, false, or the other way round -------------------------------
 */

static void toggle(struct verb_run *run, struct call *call, const json_t *argument, struct forward *f, bool now,
                   void (*set)(struct forward *f, const char *account, bool on), const char *prompt)
{
    const struct account *account = account_of(f, run, call);
    bool on = argument && json_is_boolean(argument) ? json_is_true(argument) : !now;

    if (!account)
        return;
    if (argument && !json_is_boolean(argument) && !json_is_null(argument)) {
        verb_run_fail(run, "true, false, or nothing");
        return;
    }
    set(f, account->name, on);
    verb_run_say(run, call, (const char *const[]){prompt, on ? "feature/enabled" : "feature/disabled", NULL},
                 json_boolean(on));
}

static const char *caller_name(const struct call *call)
{
    return call->caller && call->caller->account ? call->caller->account->name : "";
}

static void verb_dnd(void *arg, struct verb_run *run, struct call *call, const json_t *argument)
{
    struct forward *f = arg;

    toggle(run, call, argument, f, dnd_is_on(f, caller_name(call)), dnd_set, "feature/do-not-disturb");
}

static void verb_waiting(void *arg, struct verb_run *run, struct call *call, const json_t *argument)
{
    struct forward *f = arg;

    toggle(run, call, argument, f, waiting_is_on(f, caller_name(call)), waiting_set, "feature/call-waiting");
}

int verbs_open(struct forward *f)
{
    int err = module_add_verb(f->ctx, "forward",
                              "forwards the caller's calls: {when, to, seconds}; without to: no more", verb_forward, f);

    if (!err)
        err = module_add_verb(f->ctx, "do_not_disturb", "the caller's account takes no calls, or takes them again",
                              verb_dnd, f);
    if (!err)
        err = module_add_verb(f->ctx, "call_waiting", "the caller's account takes a second call, or no more",
                              verb_waiting, f);
    return err;
}
