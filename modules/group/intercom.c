/* The verb intercom: calls the phones of an account, which answer by themselves, for those who may. Signalling thread.
 */
#include "group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/obj.h"

#define INTERCOM_MS 30000

/* Phones differ in which they know: answer-after (Yealink, Snom, Grandstream, baresip), the words in Alert-Info (Cisco,
 * Polycom, Snom, Yealink), Answer-Mode (RFC 5373). */
const char group_answer_by_itself[] = "Call-Info: <sip:pbx.invalid>;answer-after=0\n"
                                      "Alert-Info: <http://127.0.0.1>;info=alert-autoanswer;delay=0\n"
                                      "Answer-Mode: Auto\n";

struct intercom {
    struct call *call; /* ref "intercom" */
    struct verb_run *run;
};

static void intercom_free(struct intercom *intercom)
{
    loop_unref_later(intercom->call->pbx->loop, intercom->call, "intercom");
    free(intercom);
}

static void intercom_cancelled(void *arg)
{
    struct intercom *intercom = arg;

    dial_give_up(intercom->call, intercom);
    intercom_free(intercom);
}

static void intercom_over(void *arg, const struct dial_result *result)
{
    struct intercom *intercom = arg;

    verb_run_done(intercom->run, verb_dial_value(result));
    intercom_free(intercom);
}

bool intercom_allowed(const struct groups *g, const struct account *caller, const struct account *account)
{
    const char *who = snapshot_setting(db_snapshot(g->pbx->db), "intercom", "context");

    if (strcmp(who, "off") == 0 || !caller)
        return false;
    return strcmp(who, "all") == 0 || strcmp(caller->context, account->context) == 0;
}

static void refuse(struct verb_run *run, struct call *call, enum dial_status status, enum cause cause,
                   const char *detail)
{
    call->dial_cause = cause;
    call->dial_who = WHO_SWITCH;
    str_copy(call->dial_detail, sizeof call->dial_detail, detail);
    group_say(call, "intercom: %s", detail);
    verb_run_done(run,
                  verb_dial_value(&(const struct dial_result){.status = status, .cause = cause, .detail = detail}));
}

/* call:intercom("202"), or { to = "202" }: nil when there is no such account. */
static void verb_intercom(void *arg, struct verb_run *run, struct call *call, const json_t *argument)
{
    struct groups *g = arg;
    const char *name = json_string_value(json_is_object(argument) ? json_object_get(argument, "to") : argument);
    const struct account *account = name ? ringer_account(g, name) : NULL;
    char words[128], target[80];
    const struct dial_target to = {.to = target, .skip_busy = true};
    struct dial_request request = {.leg = call->caller,
                                   .targets = &to,
                                   .target_count = 1,
                                   .timeout_ms = INTERCOM_MS,
                                   .no_redirect = true,
                                   .headers = group_answer_by_itself};
    struct intercom *intercom;
    int result;

    if (!name) {
        verb_run_fail(run, "it takes the name of an account");
        return;
    }
    if (!account || !call->caller) {
        call->dial_cause = CAUSE_UNKNOWN_NUMBER;
        call->dial_who = WHO_SWITCH;
        verb_run_done(run, NULL);
        return;
    }
    if (!intercom_allowed(g, call->behalf ? call->behalf : call->caller->account, account)) {
        snprintf(words, sizeof words, "%s may not let %.60s's phone answer by itself (setting intercom)",
                 call->caller->account ? call->caller->account->name : "a caller from outside", name);
        refuse(run, call, DIAL_REJECTED, CAUSE_FORBIDDEN, words);
        return;
    }
    snprintf(target, sizeof target, "account:%.63s", name);
    intercom = mem_new(sizeof *intercom);
    intercom->call = obj_ref(call, "intercom");
    intercom->run = run;
    group_say(call, "intercom: the phone of %s is to answer by itself", name);
    result = call_dial(call, &request, intercom_over, intercom);
    if (result == 0) {
        verb_run_on_cancel(run, intercom_cancelled, intercom);
        return;
    }
    verb_run_fail(run, "%s", result == -EBUSY ? "this call dials already" : "the caller has gone");
    intercom_free(intercom);
}

int intercom_open(struct groups *g)
{
    return module_add_verb(g->ctx, "intercom", "calls a phone that answers by itself", verb_intercom, g);
}
