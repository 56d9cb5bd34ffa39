/* One cell of the table of races on its lane: registers the phones, lets them run, does what has to be done after
 * message N, and judges what is left: by the phones, by the switch and by the record. Test code on the loop's thread.
 */
#include "race.h"

#include <stdio.h>
#include <stdlib.h>

#define LINGER_MS 60     /* whatever still comes is seen */
#define GIVE_UP_MS 30000 /* nothing takes so long */
#define UNHEARD_MS 300   /* a call with a phone that is gone: the operator ends it */

const char *race_title(const struct race_run *run, char out[RACE_TITLE])
{
    size_t used = 0;

    str_append(out, RACE_TITLE, &used, "%s", run->flow->name);
    for (unsigned i = 0; i < RACE_DEEDS && run->deeds[i].action; i++)
        str_append(out, RACE_TITLE, &used, "%s%s / %c%u %u", i ? " + " : " / ", run->deeds[i].action->name,
                   run->flow->phones[run->deeds[i].phone].account, run->deeds[i].phone, run->deeds[i].message);
    return out;
}

void race_ladder(const struct race_run *run)
{
    char title[RACE_TITLE];

    fprintf(stderr, "  %s: %s (call: %s by %s)\n", race_title(run, title), run->failure[0] ? run->failure : "runs",
            run->cause, run->who);
    race_print(run->phones, run->phone_count);
}

static void failed(struct race_run *run, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void failed(struct race_run *run, const char *fmt, ...)
{
    va_list ap;

    if (run->failure[0])
        return;
    va_start(ap, fmt);
    vsnprintf(run->failure, sizeof run->failure, fmt, ap);
    va_end(ap);
}

static void account_name(const struct race_run *run, char account, char out[16])
{
    snprintf(out, 16, "%03u%c", run->lane, account);
}

void race_add_accounts(struct bed *bed)
{
    struct snapshot *snapshot = snapshot_next(db_snapshot(bed->pbx->db));

    for (unsigned lane = 0; lane < RACE_LANES; lane++)
        for (char c = 'a'; c <= 'c'; c++) {
            struct race_run run = {.lane = lane};
            char name[16], secret[40];

            account_name(&run, c, name);
            snprintf(secret, sizeof secret, "secret-of-%s", name);
            snapshot_put_account(snapshot, account_new(name, "tandem-test", secret));
        }
    snapshot_put_setting(snapshot, "session_expires", "2");
    db_set_snapshot(bed->pbx->db, snapshot);
}

/* Of a phone that is gone without a word, NTA keeps its leg for 32 s: then what lives counts. */
struct call *race_call_of(const struct race_run *run)
{
    struct call *call;
    const struct leg *leg;
    char name[16];
    bool silent = false;

    for (unsigned i = 0; i < run->phone_count; i++)
        silent |= run->phones[i]->silent;
    account_name(run, 'a', name);
    LIST_FOR_EACH(call, &run->bed->pbx->calls, in_pbx)
    {
        if (strcmp(call->from_number, name) != 0 || call->started_us < run->began_us)
            continue;
        if (!silent)
            return call;
        LIST_FOR_EACH(leg, &call->legs, in_call)
        {
            if (leg_is_alive(leg))
                return call;
        }
    }
    return NULL;
}

/* --- while it runs ----------------------------------------------------------------------------------------------- */

static unsigned index_of(const struct race_run *run, const struct race_phone *phone)
{
    unsigned i = 0;

    while (run->phones[i] != phone)
        i++;
    return i;
}

static void note_possible(struct race_run *run, struct race_phone *phone, unsigned n)
{
    uint64_t *bits = &run->possible[index_of(run, phone) * (RACE_MESSAGES_MAX + 1) + n];

    for (unsigned i = 0; n <= RACE_MESSAGES_MAX && i < race_action_count; i++)
        if (!race_actions[i].possible || race_actions[i].possible(run, phone))
            *bits |= UINT64_C(1) << i;
}

static void do_now(struct race_run *run, struct race_phone *phone, const struct race_action *action)
{
    if (!action->act || (action->possible && !action->possible(run, phone)))
        return;
    race_say(phone, "    here: %s", action->name);
    for (unsigned i = 0; i < run->phone_count; i++)
        race_enter(run->phones[i]);
    action->act(run, phone);
    for (unsigned i = 0; i < run->phone_count; i++)
        race_leave(run->phones[i]);
}

static void on_message(void *arg, struct race_phone *phone, unsigned n)
{
    struct race_run *run = arg;

    if (run->stage != RACE_RUNNING)
        return;
    if (run->possible)
        note_possible(run, phone, n);
    for (unsigned i = 0; i < RACE_DEEDS; i++) {
        struct race_deed *deed = &run->deeds[i];

        if (!deed->action || deed->done || phone != run->phones[deed->phone] || n != deed->message)
            continue;
        deed->done = true;
        do_now(run, phone, deed->action);
    }
}

static bool any_hurt(const struct race_run *run, const struct race_phone *but)
{
    for (unsigned i = 0; i < run->phone_count; i++)
        if (run->phones[i]->hurt && run->phones[i] != but)
            return true;
    return false;
}

/* Somebody may still be there for this phone's call: in it, on its way into it, or gone without a word. */
static bool has_peer(void *arg, const struct race_phone *phone)
{
    struct race_run *run = arg;

    if (run->phone_count == 1 || any_hurt(run, phone))
        return true;
    for (unsigned i = 0; i < run->phone_count; i++) {
        struct race_phone *other = run->phones[i];

        if (other != phone && (race_dialog_in(other, RACE_CALLING) || race_dialog_in(other, RACE_UP) ||
                               race_dialog_in(other, RACE_RINGING)))
            return true;
    }
    return phone->hurt;
}

static const char *disagrees(void *arg, const struct race_phone *phone)
{
    static char why[120];
    struct race_run *run = arg;
    const struct race_dialog *here = race_dialog_in((struct race_phone *)(uintptr_t)phone, RACE_UP), *there = NULL;

    for (unsigned i = 0; i < run->phone_count && !any_hurt(run, NULL); i++) {
        const struct race_dialog *d = race_dialog_in(run->phones[i], RACE_UP);

        if (run->phones[i] != phone && d && there) /* three of them: one will soon hear that it is not meant */
            return "more than two phones are in the call";
        if (run->phones[i] != phone && d)
            there = d;
    }
    if (!there)
        return NULL;
    if (race_dialog_waits(here) || race_dialog_waits(there))
        return "an offer or answer waits for ever";
    if (here->codec == there->codec && !(here->dir & RACE_SENDS) == !(there->dir & RACE_HEARS) &&
        !(here->dir & RACE_HEARS) == !(there->dir & RACE_SENDS))
        return NULL;
    snprintf(why, sizeof why, "it %s and %s codec %d, the other side %s and %s codec %d",
             here->dir & RACE_SENDS ? "sends" : "sends not", here->dir & RACE_HEARS ? "hears" : "hears not",
             here->codec, there->dir & RACE_SENDS ? "sends" : "sends not",
             there->dir & RACE_HEARS ? "hears" : "hears not", there->codec);
    return why;
}

void race_start(struct race_run *run)
{
    const struct race_flow *flow = run->flow;

    run->began_ms = run->since_ms = now_ms();
    run->began_us = loop_now_us(run->bed->loop);
    run->stage = RACE_REGISTERING;
    for (unsigned i = 0; i < RACE_PHONES && flow->phones[i].account; i++) {
        static const char *const names[] = {"a", "b", "c"};
        char user[16];
        struct race_phone *phone;

        account_name(run, flow->phones[i].account, user);
        phone = race_phone_new(bed_phone_on(run->bed, flow->phones[i].transport, false, user), names[i],
                               flow->phones[i].policy);
        account_name(run, 'c', phone->redirect);
        phone->arg = run;
        phone->on_message = on_message;
        phone->has_peer = has_peer;
        phone->disagrees = disagrees;
        run->phones[run->phone_count++] = phone;
        race_register(phone, 600);
    }
}

static void begin(struct race_run *run)
{
    const char *dial = run->flow->dial;
    char number[32];
    size_t used = 0;

    for (; *dial; dial++) {
        if (*dial == '%')
            str_append(number, sizeof number, &used, "%03u", run->lane);
        else
            str_append(number, sizeof number, &used, "%c", *dial);
    }
    for (unsigned i = 0; i < RACE_DEEDS; i++) {
        const struct race_deed *deed = &run->deeds[i];

        if (!deed->action || !deed->action->fault)
            continue;
        run->phones[deed->phone]->fault = deed->action->fault;
        run->phones[deed->phone]->fault_at = deed->message;
    }
    for (unsigned i = 0; i < run->phone_count; i++) {
        run->phones[i]->counting = true;
        run->phones[i]->note_count = 0;
    }
    run->stage = RACE_RUNNING;
    run->since_ms = now_ms();
    race_call(run->phones[0], number);
}

/* --- judging ----------------------------------------------------------------------------------------------------- */

static void judge_phone(struct race_run *run, struct race_phone *phone)
{
    if (phone->hurt)
        return;
    /* An UPDATE has as much time as the re-INVITE that it becomes, on the way to a phone that is gone. */
    if (phone->complaint[0] && !(any_hurt(run, NULL) && strstr(phone->complaint, "UPDATE was never")))
        failed(run, "%s: %s", phone->name, phone->complaint);
    for (unsigned i = 0; i < COUNT_OF(phone->dialogs); i++) {
        const struct race_dialog *d = &phone->dialogs[i];

        if (d->state != RACE_UNUSED && d->state != RACE_ENDED)
            failed(run, "%s: is still %s", phone->name, race_state_name(d->state));
        if (d->confirmed && d->bye_refused && !d->bye_seen)
            failed(run, "%s: the switch had ended the call without telling it", phone->name);
    }
}

static bool cause_is_sensible(const struct race_run *run)
{
    char cause[40], own[80];
    bool known;

    snprintf(cause, sizeof cause, " %s ", run->cause);
    snprintf(own, sizeof own, " %s ", run->flow->cause);
    known = strstr(own, cause) != NULL;
    for (unsigned i = 0; i < RACE_DEEDS && run->deeds[i].action; i++)
        known |= strstr(run->deeds[i].action->causes, cause) != NULL;
    return known;
}

static void judge(struct race_run *run)
{
    bool alone = run->deeds[0].action && run->deeds[0].action->alone; /* it may have been too late for a call */

    for (unsigned i = 0; i < run->phone_count; i++)
        judge_phone(run, run->phones[i]);
    if (run->calls_new != run->calls_ended)
        failed(run, "%u calls began and %u ended", run->calls_new, run->calls_ended);
    if (run->calls_new != 1 && !((any_hurt(run, NULL) || alone) && run->calls_new == 0))
        failed(run, "%u calls instead of one", run->calls_new);
    if (run->calls_ended && !cause_is_sensible(run))
        failed(run, "the record says %s", run->cause);
}

/* A phone is gone for ever, and the others have hung up or are gone with it: nobody will end what is left. */
static void end_as_operator(struct race_run *run)
{
    struct call *call = race_call_of(run);
    bool quiet = true, silent = false;

    for (unsigned i = 0; i < run->phone_count; i++) {
        silent |= run->phones[i]->silent;
        quiet &= run->phones[i]->silent ||
                 (race_phone_idle(run->phones[i]) && now_ms() - run->phones[i]->heard_ms > UNHEARD_MS);
    }
    if (!call || !silent || !quiet || run->operator_acted)
        return;
    run->operator_acted = true;
    call_end(call, CAUSE_OPERATOR, WHO_OPERATOR, NULL);
}

static bool over(struct race_run *run)
{
    for (unsigned i = 0; i < run->phone_count; i++)
        if (!run->phones[i]->silent && !race_phone_idle(run->phones[i]))
            return false;
    return !race_call_of(run) && run->calls_new == run->calls_ended;
}

static void leave(struct race_run *run)
{
    judge(run);
    if (run->failure[0])
        race_ladder(run);
    run->stage = RACE_LEAVING;
    run->since_ms = now_ms();
    for (unsigned i = 0; i < run->phone_count; i++) {
        race_rest(run->phones[i]);
        race_register(run->phones[i], -1);
    }
}

void race_drop(struct race_run *run)
{
    for (unsigned i = 0; i < run->phone_count; i++)
        race_phone_free(run->phones[i]);
    run->phone_count = 0;
    run->stage = RACE_DONE;
}

bool race_look(struct race_run *run)
{
    unsigned registered = 0, refused = 0;

    for (unsigned i = 0; i < run->phone_count; i++) {
        registered += run->phones[i]->registered;
        refused += run->phones[i]->refused;
    }
    if (run->stage != RACE_LEAVING && now_ms() - run->began_ms > GIVE_UP_MS) {
        failed(run, "it did not end: %s", race_call_of(run) ? "the switch still has the call" : "a phone waits");
        leave(run);
    }
    switch (run->stage) {
    case RACE_IDLE:
        break;
    case RACE_REGISTERING:
        if (registered == run->phone_count)
            begin(run);
        else if (refused)
            failed(run, "a phone could not register");
        break;
    case RACE_RUNNING:
        end_as_operator(run);
        if (over(run)) {
            run->stage = RACE_LINGERING;
            run->since_ms = now_ms();
        }
        break;
    case RACE_LINGERING:
        if (!over(run))
            run->stage = RACE_RUNNING; /* something came back to life */
        else if (now_ms() - run->since_ms > LINGER_MS)
            leave(run);
        break;
    case RACE_LEAVING:
        if (registered == run->phone_count || refused || now_ms() - run->since_ms > 2 * RACE_T1X64_MS)
            race_drop(run);
        break;
    case RACE_DONE:
        break;
    }
    return run->stage == RACE_DONE;
}
