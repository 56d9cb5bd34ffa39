/* What the dialplan binds to feature codes: call:block_last() and call:hide_number(). Signalling thread. */
#include "screen.h"

#include "call/last_caller.h"

/* Who called last gets through no more: his number, also where he has hidden it (it is told to nobody); "anonymous"
 * where it is not known. */
static void verb_block_last(void *arg, struct verb_run *run, struct call *call, const json_t *argument)
{
    struct screen *s = arg;
    const struct account *account = verb_run_account(run, call);
    const struct last_caller_service *service = module_find(s->ctx, LAST_CALLER_SERVICE);
    struct block block = {.action = BLOCK_REJECT};
    struct last_caller last = {.withheld = false};
    bool called;
    char why[200];

    if (!account)
        return;
    if (!service)
        log_warn("screen: nobody knows who called %s last: no module serves it (dialing does)", account->name);
    called = service && service->find(service->arg, account->name, &last);
    block_pattern_of(last.number, block.pattern);
    str_copy(block.note, sizeof block.note, last.withheld ? "called last, without a number" : "called last");
    if (!called || block_add(s, account->name, &block, why, sizeof why) < 0) {
        verb_run_say(run, call, (const char *const[]){"call/cannot-complete", NULL}, json_false());
        return;
    }
    verb_run_say(run, call, (const char *const[]){"feature/last-caller", "feature/disabled", NULL}, json_true());
}

/* Before a dial: this call alone shows no number; with false it shows it. */
static void verb_hide(void *arg, struct verb_run *run, struct call *call, const json_t *argument)
{
    if (argument && !json_is_boolean(argument) && !json_is_null(argument)) {
        verb_run_fail(run, "true, false, or nothing");
        return;
    }
    screen_hide(arg, call, !json_is_false(argument));
    verb_run_done(run, NULL);
}

int verbs_open(struct screen *s)
{
    int err = module_add_verb(s->ctx, "block_last", "who called the caller's account last gets through no more",
                              verb_block_last, s);

    if (!err)
        err = module_add_verb(s->ctx, "hide_number", "the call shows no number; false: it does", verb_hide, s);
    return err;
}
