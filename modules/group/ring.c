/* The verbs group and followme: who of a group rings, in which order, and what becomes of a caller whom nobody answers.
 * Dialling itself is the core's. Signalling thread. */
#include "group.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/obj.h"
#include "call/state.h"

#define FOLLOW_SPARE_MS 1000 /* the account's own phones ring at least that long after the last has begun */
#define OWN_MS 60000

/* A caller for whom somebody rings. Owned by itself until the dial or the verb is over. */
struct ring {
    struct groups *g;
    struct call *call; /* ref "group" */
    struct verb_run *run;
    char what[80];                   /* "ring group sales" */
    char context[64], no_answer[64]; /* "": none */
    bool busy;                       /* somebody was left out because he is in a call */
};

void group_say(const struct call *call, const char *fmt, ...)
{
    char words[400];
    struct event event = {.kind = EVENT_SCRIPT, .call = call, .who = WHO_MODULE, .detail = words};
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(words, sizeof words, fmt, ap);
    va_end(ap);
    bus_publish(call->pbx->bus, &event);
}

const struct account *ringer_account(const struct groups *g, const char *name)
{
    return snapshot_account(db_snapshot(g->pbx->db), name);
}

const char *ringer_target(const struct groups *g, const struct ringer *ringer, const char *context, const char *behalf,
                          char *out, size_t size)
{
    if (ringer_account(g, ringer->name))
        snprintf(out, size, "account:%s", ringer->name);
    else if (strchr(ringer->name, ':'))
        str_copy(out, size, ringer->name);
    else
        snprintf(out, size, "number:%s/%s/%s", context, behalf, ringer->name);
    return out;
}

static bool has_to_confirm(const struct groups *g, const struct ringer *ringer)
{
    return ringer->confirm == CONFIRM_YES || (ringer->confirm == CONFIRM_OUTSIDE && !ringer_account(g, ringer->name));
}

/* --- the end of it ------------------------------------------------------------------------------------------------ */

static void ring_free(struct ring *ring)
{
    loop_unref_later(ring->g->pbx->loop, ring->call, "group");
    free(ring);
}

static void cancelled(void *arg)
{
    struct ring *ring = arg;

    dial_give_up(ring->call, ring);
    ring_free(ring);
}

static bool nobody_answered(enum dial_status status)
{
    return status != DIAL_ANSWERED && status != DIAL_CANCELLED && status != DIAL_TRANSFERRED &&
           status != DIAL_REDIRECTED;
}

static void over(struct ring *ring, const struct dial_result *result)
{
    struct verb_run *run = ring->run;

    if (nobody_answered(result->status))
        group_say(ring->call, "%s: nobody answered (%s)%s%s", ring->what, dial_status_name(result->status),
                  ring->no_answer[0] ? ", the caller goes to " : "", ring->no_answer);
    if (result->status == DIAL_REDIRECTED)
        verb_run_go(run, result->redirect_context, result->redirect);
    else if (nobody_answered(result->status) && ring->no_answer[0])
        verb_run_go(run, ring->context, ring->no_answer);
    else
        verb_run_done(run, verb_dial_value(result));
    ring_free(ring);
}

static struct ring *ring_new(struct groups *g, struct verb_run *run, struct call *call, const char *kind,
                             const char *name)
{
    struct ring *ring = mem_new(sizeof *ring);

    ring->g = g;
    ring->call = obj_ref(call, "group");
    ring->run = run;
    snprintf(ring->what, sizeof ring->what, "%s %s", kind, name);
    return ring;
}

/* Nobody can be called, for this cause. */
static void nobody(struct ring *ring, enum cause cause, const char *detail)
{
    const struct dial_result result = {
        .status = cause == CAUSE_BUSY ? DIAL_BUSY : DIAL_UNREACHABLE, .cause = cause, .detail = detail};
    struct call *call = ring->call;

    call->dial_cause = cause;
    call->dial_who = WHO_SWITCH;
    str_copy(call->dial_detail, sizeof call->dial_detail, detail);
    over(ring, &result);
}

/* Who is in a call tells the caller more than those who could not be called at all, though he was not called either. */
static void dialled(void *arg, const struct dial_result *result)
{
    struct ring *ring = arg;

    if (ring->busy && (result->status == DIAL_UNREACHABLE || result->cause == CAUSE_UNKNOWN_NUMBER))
        nobody(ring, CAUSE_BUSY, "who is not in a call cannot be reached");
    else
        over(ring, result);
}

static void begin(struct ring *ring, const struct dial_request *request)
{
    int result = call_dial(ring->call, request, dialled, ring);

    if (result == 0) {
        verb_run_on_cancel(ring->run, cancelled, ring);
        return;
    }
    verb_run_fail(ring->run, "%s", result == -EBUSY ? "this call dials already" : "the caller has gone");
    ring_free(ring);
}

/* --- group -------------------------------------------------------------------------------------------------------- */

/* Why a member does not ring; NULL: it does. */
static const char *left_out(const struct groups *g, const struct group *group, const struct ringer *member,
                            const struct account *caller, bool *busy)
{
    const struct account *account = ringer_account(g, member->name);

    if (module_live_get(g->logouts, member->name, group->name))
        return "is logged out";
    if (caller && strcmp(caller->name, member->name) == 0)
        return "is the caller";
    if (account && !account->enabled)
        return "is disabled";
    if (account && group->skip_busy && account_state(g->pbx, member->name) == ACCOUNT_BUSY) {
        *busy = true;
        return "is busy";
    }
    return NULL;
}

void ring_plan(struct groups *g, const struct group *group, const struct account *caller, const char *payer,
               struct ring_plan *plan)
{
    char rings[200] = "", not [200] = "";
    size_t rings_used = 0, not_used = 0;
    unsigned order[MEMBERS_MAX];

    *plan = (struct ring_plan){.timeout_ms = group->ring_ms, .in_order = group->strategy != STRATEGY_ALL};
    order_now(g, group, order);
    for (unsigned i = 0; i < group->count; i++) {
        const struct ringer *member = &group->members[order[i]];
        const char *why = left_out(g, group, member, caller, &plan->busy);
        unsigned n = plan->count;

        if (why) {
            str_append(not, sizeof not, &not_used, "; %s %s", member->name, why);
            continue;
        }
        if (!n)
            plan->first = member->name;
        str_append(rings, sizeof rings, &rings_used, "%s%s", n ? ", " : "", member->name);
        plan->targets[n] = (struct dial_target){
            .to = ringer_target(g, member, group->context, group->account[0] ? group->account : payer, plan->texts[n],
                                sizeof plan->texts[n]),
            .delay_ms = plan->in_order ? 0 : member->delay_ms,
            .ring_ms = member->ring_ms,
            .confirm = has_to_confirm(g, member),
            .skip_busy = group->skip_busy,
        };
        plan->count++;
    }
    snprintf(plan->words, sizeof plan->words, "ring group %s (%s): %s%s%s", group->name, strategy_name(group->strategy),
             plan->count ? "rings " : "nobody can be rung", rings, not );
}

/* Who pays for what the call does; "": nobody of ours. */
static const char *payer(const struct call *call)
{
    const struct account *account = call->behalf ? call->behalf : call->caller->account;

    return account ? account->name : "";
}

static void ring_group(struct groups *g, const struct group *group, struct verb_run *run, struct call *call)
{
    struct ring *ring = ring_new(g, run, call, "ring group", group->name);
    struct ring_plan *plan = mem_new(sizeof *plan);

    str_copy(ring->context, sizeof ring->context, group->context);
    str_copy(ring->no_answer, sizeof ring->no_answer, group->no_answer);
    ring_plan(g, group, call->caller->account, payer(call), plan);
    ring->busy = plan->busy;
    group_say(call, "%s", plan->words);
    if (plan->count) {
        order_took_turn(g, group, plan->first);
        begin(ring, &(const struct dial_request){.leg = call->caller,
                                                 .targets = plan->targets,
                                                 .target_count = plan->count,
                                                 .timeout_ms = plan->timeout_ms,
                                                 .label = group->name,
                                                 .in_order = plan->in_order,
                                                 .no_redirect = true,
                                                 .music = group->music[0] ? group->music : NULL});
    } else {
        nobody(ring, plan->busy ? CAUSE_BUSY : CAUSE_UNREACHABLE, "nobody of the group can be rung");
    }
    free(plan);
}

static const char *text_argument(const json_t *argument)
{
    return json_is_string(argument) ? json_string_value(argument) : NULL;
}

/* call:group("sales"): nil when there is no such group. */
static void verb_group(void *arg, struct verb_run *run, struct call *call, const json_t *argument)
{
    struct groups *g = arg;
    const char *name = text_argument(argument);
    const struct group *group = name ? group_find(g, name) : NULL;

    if (!name)
        verb_run_fail(run, "it takes the name or the number of a group");
    else if (!group || !call->caller)
        verb_run_done(run, NULL);
    else if (group->strategy == STRATEGY_PAGE)
        page_start(g, group, run, call);
    else
        ring_group(g, group, run, call);
}

/* --- followme ----------------------------------------------------------------------------------------------------- */

void follow_plan(const struct groups *g, const struct follow *follow, const struct account *account,
                 struct ring_plan *plan)
{
    char words[200] = "";
    size_t used = 0;

    *plan = (struct ring_plan){.timeout_ms = OWN_MS, .count = 1};
    snprintf(plan->texts[0], sizeof plan->texts[0], "account:%s", follow->account);
    plan->targets[0] = (struct dial_target){.to = plan->texts[0]};
    for (unsigned i = 0; i < follow->count; i++) {
        const struct ringer *ringer = &follow->ringers[i];
        unsigned n = plan->count++;

        plan->targets[n] = (struct dial_target){
            .to = ringer_target(g, ringer, account->context, account->name, plan->texts[n], sizeof plan->texts[n]),
            .delay_ms = ringer->delay_ms,
            .ring_ms = ringer->ring_ms,
            .confirm = has_to_confirm(g, ringer),
        };
        if (ringer->delay_ms + ringer->ring_ms + FOLLOW_SPARE_MS > plan->timeout_ms)
            plan->timeout_ms = ringer->delay_ms + ringer->ring_ms + FOLLOW_SPARE_MS;
        str_append(words, sizeof words, &used, ", %s after %u s", ringer->name, ringer->delay_ms / 1000);
    }
    snprintf(plan->words, sizeof plan->words, "follow-me of %s: rings %s%s", follow->account, follow->account, words);
}

static void ring_follow(struct groups *g, const struct follow *follow, const struct account *account,
                        struct verb_run *run, struct call *call)
{
    struct ring *ring = ring_new(g, run, call, "follow-me of", follow->account);
    struct ring_plan *plan = mem_new(sizeof *plan);

    follow_plan(g, follow, account, plan);
    group_say(call, "%s", plan->words);
    begin(ring, &(const struct dial_request){.leg = call->caller,
                                             .targets = plan->targets,
                                             .target_count = plan->count,
                                             .timeout_ms = plan->timeout_ms,
                                             .first_forwards = true});
    free(plan);
}

/* call:followme("201"): nil when nothing rings beside that account. */
static void verb_followme(void *arg, struct verb_run *run, struct call *call, const json_t *argument)
{
    struct groups *g = arg;
    const char *name = text_argument(argument);
    const struct follow *follow = name ? follow_find(g, name) : NULL;
    const struct account *account = name ? ringer_account(g, name) : NULL;

    if (!name)
        verb_run_fail(run, "it takes the name of an account");
    else if (!follow || !account || !call->caller)
        verb_run_done(run, NULL);
    else
        ring_follow(g, follow, account, run, call);
}

int ring_open(struct groups *g)
{
    int result = module_add_verb(g->ctx, "group", "rings a group, or speaks to it", verb_group, g);

    return result ? result
                  : module_add_verb(g->ctx, "followme", "rings what rings beside an account", verb_followme, g);
}
