/* The number that an account dialled last, and who called it last, answered or not: learnt from what happens on the
 * switch, one live row of each kind for an account. Signalling thread. */
#include <stdlib.h>

#include "call/last_caller.h"
#include "call/route.h"
#include "dialing.h"

struct last {
    struct module_live *dialled; /* value: the number */
    /* value: {"number", "name", "at", "answered", "call"}; a number that is not shown stands in "withheld" instead */
    struct module_live *callers;
    struct last_caller_service service;
};

/* --- learning ---------------------------------------------------------------------------------------------------- */

/* The first row of a call stands; that somebody answered is added. */
static void note_caller(struct dialing *d, const char *account, const struct call *call, const char *number,
                        const char *name, bool withheld, bool answered)
{
    const char *before = module_live_get(d->last->callers, account, "");
    json_t *row = before ? json_loads(before, 0, NULL) : NULL;
    const char *its = json_string_value(json_object_get(row, "call"));
    char id[UUID_TEXT], from[128], shown[128], *text;

    call_id_text(call, id);
    str_copy(from, sizeof from, number);
    str_copy(shown, sizeof shown, withheld ? "" : name);
    str_clean_utf8(from);
    str_clean_utf8(shown);
    if (!its || strcmp(its, id) != 0) {
        json_decref(row);
        row = json_pack("{s:s?,s:s,s:I,s:b,s:s}", "number", *from && !withheld ? from : NULL, "name", shown, "at",
                        (json_int_t)dialing_now(d), "answered", 0, "call", id);
        if (withheld)
            json_object_set_new(row, "withheld", json_string(from));
    }
    if (answered)
        json_object_set_new(row, "answered", json_true());
    text = json_dumps(row, JSON_COMPACT);
    module_live_set(d->last->callers, account, "", text);
    free(text);
    json_decref(row);
}

/* It is the account itself that calls, and not one whose call goes on with its rights. */
static bool calls_itself(const struct call *call)
{
    const struct account *account = call->caller->account;

    return account && strcmp(account->name, call->from_number) == 0 && !call->redirect_count && !call->transfers;
}

/* Somebody is tried: that counts as a call for both, whatever becomes of it. */
static void tried(struct dialing *d, const struct call *call, const char *target)
{
    const struct leg *caller = call->caller;
    const struct account *account = route_account(d->pbx, target);
    const char *number;
    bool handed_over = call->first && call->first != caller; /* by a transfer: it is he who calls now */
    bool withheld = caller && (caller->anonymous || (call->anonymous && !handed_over));

    if (!caller) /* the switch calls the one for whom the call is */
        return;
    number = dialing_first_try(d, call); /* later ones are not what he dialled */
    if (number && calls_itself(call))
        module_live_set(d->last->dialled, caller->account->name, "", number);
    if (account && !(caller->account && strcmp(caller->account->name, account->name) == 0))
        note_caller(d, account->name, call, handed_over ? caller->number : call->from_number,
                    handed_over ? caller->name : call->from_name, withheld, false);
}

static void happened(void *arg, const struct event *event)
{
    struct dialing *d = arg;
    const struct leg *leg = event->leg;

    if (!event->call)
        return;
    if (event->kind == EVENT_ROUTE_TRY)
        tried(d, event->call, event->detail);
    else if (leg && !leg->inbound && leg->account && event->call->caller && event->call->caller != leg)
        note_caller(d, leg->account->name, event->call, leg_shown_number(leg), leg_shown_name(leg),
                    leg_is_withheld(leg), true);
}

/* --- using ------------------------------------------------------------------------------------------------------- */

static void redial(void *arg, struct verb_run *run, struct call *call, const json_t *argument)
{
    struct dialing *d = arg;
    const struct account *account = dialing_account(run, call);
    const char *number = account ? module_live_get(d->last->dialled, account->name, "") : NULL;

    if (number && number_is_dialable(number))
        dialing_go(d, run, call, number);
    else if (account)
        dialing_word(run, "nothing");
}

static void return_call(void *arg, struct verb_run *run, struct call *call, const json_t *argument)
{
    struct dialing *d = arg;
    const struct account *account = dialing_account(run, call);
    const char *value = account ? module_live_get(d->last->callers, account->name, "") : NULL;
    json_t *row = value ? json_loads(value, 0, NULL) : NULL;
    const char *number = json_string_value(json_object_get(row, "number"));

    if (number && number_is_dialable(number))
        dialing_go(d, run, call, number);
    else if (account)
        dialing_word(run, row ? "anonymous" : "nothing");
    json_decref(row);
}

/* For other modules. */
static bool find_caller(void *arg, const char *account, struct last_caller *out)
{
    struct dialing *d = arg;
    const char *value = module_live_get(d->last->callers, account, "");
    json_t *row = value ? json_loads(value, 0, NULL) : NULL;
    const json_t *number = json_object_get(row, "number"), *withheld = json_object_get(row, "withheld");
    bool known = json_is_object(row);

    out->withheld = withheld || !json_is_string(number);
    number = out->withheld ? withheld : number;
    str_copy(out->number, sizeof out->number, json_is_string(number) ? json_string_value(number) : "");
    json_decref(row);
    return known;
}

/* --- open and close ---------------------------------------------------------------------------------------------- */

static void changed(void *arg, const char *account, const char *key, const char *value)
{
}

int last_open(struct dialing *d)
{
    int err;

    d->last = mem_new(sizeof *d->last);
    d->last->dialled = module_live(d->ctx, "last_dialled", changed, NULL);
    d->last->callers = module_live(d->ctx, "last_caller", changed, NULL);
    if (!d->last->dialled || !d->last->callers)
        return -EEXIST;
    err = module_on_event(d->ctx, EVENT_BIT(EVENT_ROUTE_TRY) | EVENT_BIT(EVENT_LEG_ANSWERED), happened, d);
    d->last->service = (struct last_caller_service){.arg = d, .find = find_caller};
    if (!err)
        err = module_provide(d->ctx, LAST_CALLER_SERVICE, &d->last->service);
    if (!err)
        err = module_add_verb(d->ctx, "redial", "dials the number again that the caller dialled last", redial, d);
    if (!err)
        err = module_add_verb(d->ctx, "return_call", "calls who called the caller last", return_call, d);
    return err;
}

void last_close(struct dialing *d)
{
    free(d->last);
}
