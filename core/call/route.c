/* route_out and the kinds of destinations. Signalling thread. Knows neither registrations nor trunks: modules resolve.
 */
#include "call/route.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/call-priv.h"

struct route_kind {
    struct list node;
    char name[32];
    route_resolve_fn fn;
    void *arg;
};

struct attempt_run {
    struct attempt attempt;
    char target[200];
    struct account *behalf;
    struct hook_walk *walk;
    route_done_fn done;
    void *arg;
};

static struct route_kind *kind_find(struct pbx *pbx, const char *name, size_t len)
{
    struct route_kind *kind;

    LIST_FOR_EACH(kind, &pbx->route_kinds, node)
    {
        if (strlen(kind->name) == len && memcmp(kind->name, name, len) == 0)
            return kind;
    }
    return NULL;
}

int route_kind_add(struct pbx *pbx, const char *name, route_resolve_fn fn, void *arg, struct route_kind **out)
{
    struct route_kind *kind;

    if (kind_find(pbx, name, strlen(name)))
        return -EEXIST;
    kind = mem_new(sizeof *kind);
    if (str_copy(kind->name, sizeof kind->name, name) < 0) {
        free(kind);
        return -E2BIG;
    }
    kind->fn = fn;
    kind->arg = arg;
    list_append(&pbx->route_kinds, &kind->node);
    *out = kind;
    return 0;
}

void route_kind_remove(struct route_kind *kind)
{
    if (!kind)
        return;
    list_unlink(&kind->node);
    free(kind);
}

int route_resolve(struct pbx *pbx, const char *target, struct endpoint *out, unsigned max)
{
    const char *colon = strchr(target, ':');
    struct route_kind *kind =
        colon ? kind_find(pbx, target, (size_t)(colon - target)) : kind_find(pbx, "account", strlen("account"));

    return kind ? kind->fn(kind->arg, pbx, colon ? colon + 1 : target, out, max) : -ENOENT;
}

const struct account *route_account(const struct pbx *pbx, const char *target)
{
    static const char kind[] = "account:";

    if (strncmp(target, kind, sizeof kind - 1) == 0)
        target += sizeof kind - 1;
    return pbx->db && !strchr(target, ':') ? snapshot_account(db_snapshot(pbx->db), target) : NULL;
}

bool attempt_is_own(const struct attempt *attempt, const struct account *account)
{
    const struct call *call = attempt->call;

    for (unsigned i = 0; i < call->redirect_count; i++)
        if (strcmp(call->forwards[i].by, account->name) == 0)
            return false;
    return attempt->on_behalf_of && strcmp(attempt->on_behalf_of->name, account->name) == 0;
}

static void run_end(struct attempt_run *run, enum cause refused, const char *detail, struct leg *const *legs,
                    unsigned count)
{
    struct attempt_run gone = *run;

    if (refused != CAUSE_NONE) {
        char text[300];

        snprintf(text, sizeof text, "%s: %s", run->target, detail && *detail ? detail : cause_info(refused)->words);
        call_publish(run->attempt.call, EVENT_ROUTE_REFUSED, text);
    }
    free(run);
    gone.done(gone.arg, refused, detail, legs, count);
    obj_unref(gone.behalf, "attempt");
    obj_unref(gone.attempt.call, "attempt");
}

/* What is left when only encrypted ways count. */
static int keep_secure(struct endpoint *endpoints, int count)
{
    int kept = 0;

    for (int i = 0; i < count; i++)
        if (endpoints[i].secure)
            endpoints[kept++] = endpoints[i];
        else
            obj_unref(endpoints[i].account, "endpoint");
    return kept;
}

static void resolve(struct attempt_run *run)
{
    struct call *call = run->attempt.call;
    struct pbx *pbx = call->pbx;
    const char *colon = strchr(run->target, ':');
    const char *value = colon ? colon + 1 : run->target;
    struct route_kind *kind =
        colon ? kind_find(pbx, run->target, (size_t)(colon - run->target)) : kind_find(pbx, "account", 7);
    struct endpoint *endpoints;
    struct leg *legs[ROUTE_ENDPOINTS_MAX];
    int count;

    if (call->state >= CALL_ENDING) {
        run_end(run, CAUSE_CANCELLED, "the call has ended meanwhile", NULL, 0);
        return;
    }
    if (!kind) {
        run_end(run, CAUSE_UNKNOWN_NUMBER, "no module serves this kind of destination", NULL, 0);
        return;
    }
    endpoints = mem_new(ROUTE_ENDPOINTS_MAX * sizeof *endpoints);
    count = kind->fn(kind->arg, pbx, value, endpoints, ROUTE_ENDPOINTS_MAX);
    if (call->secure && count > 0) {
        count = keep_secure(endpoints, count);
        if (!count)
            count = -EPROTONOSUPPORT;
    }
    if (count <= 0) {
        free(endpoints);
        run_end(run,
                count == 0                  ? CAUSE_UNREACHABLE
                : count == -EHOSTUNREACH    ? CAUSE_CONTACT_LOST
                : count == -EPROTONOSUPPORT ? CAUSE_NOT_SECURE
                : count == -ENOENT          ? CAUSE_UNKNOWN_NUMBER
                : count == -EACCES          ? CAUSE_FORBIDDEN
                                            : CAUSE_INTERNAL,
                NULL, NULL, 0);
        return;
    }
    for (int i = 0; i < count; i++) {
        struct leg *leg =
            leg_new(call, endpoints[i].ops ? endpoints[i].ops : pbx->leg_ops, false, endpoints[i].account);

        leg->to = mem_new(sizeof *leg->to);
        *leg->to = endpoints[i];
        str_copy(leg->number, sizeof leg->number, endpoints[i].number[0] ? endpoints[i].number : value);
        if (endpoints[i].account)
            str_copy(leg->name, sizeof leg->name, endpoints[i].account->display_name);
        legs[i] = leg;
    }
    free(endpoints);
    run_end(run, CAUSE_NONE, NULL, legs, (unsigned)count);
}

static void hooks_done(void *arg, enum verdict verdict, enum cause cause, const char *detail)
{
    struct attempt_run *run = arg;

    run->walk = NULL;
    if (verdict == VERDICT_REJECT)
        run_end(run, cause, detail, NULL, 0);
    else
        resolve(run);
}

struct attempt_run *route_out(struct call *call, const char *target, const struct account *on_behalf_of, bool emergency,
                              route_done_fn done, void *arg)
{
    struct attempt_run *run = mem_new(sizeof *run);
    struct hook_walk *walk;

    run->done = done;
    run->arg = arg;
    run->attempt.call = obj_ref(call, "attempt");
    run->attempt.target = run->target;
    run->attempt.emergency = emergency;
    if (on_behalf_of)
        run->behalf =
            obj_ref((void *)(uintptr_t)on_behalf_of, "attempt"); /* counted: the count is not part of its value */
    run->attempt.on_behalf_of = run->behalf;
    if (str_copy(run->target, sizeof run->target, target) < 0) {
        run_end(run, CAUSE_UNKNOWN_NUMBER, "the destination is too long", NULL, 0);
        return NULL;
    }
    call_publish(call, EVENT_ROUTE_TRY, run->target);
    if (call->pbx->draining) {
        run_end(run, CAUSE_STOPPING, NULL, NULL, 0);
        return NULL;
    }
    if (call->hops == 0) {
        run_end(run, CAUSE_LOOP, NULL, NULL, 0);
        return NULL;
    }
    /* A walk that ends at once frees the run: what it returned says whether the run still lives. */
    walk = hook_start(call->pbx->hooks, HOOK_OUTBOUND, &run->attempt, hooks_done, run);
    if (!walk)
        return NULL;
    run->walk = walk;
    return run;
}

void route_cancel(struct attempt_run *run)
{
    if (!run)
        return;
    hook_cancel(run->walk);
    obj_unref(run->behalf, "attempt");
    obj_unref(run->attempt.call, "attempt");
    free(run);
}

int route_send(struct leg *leg, const struct media_desc *offer)
{
    struct endpoint *to = leg->to;
    int result;

    if (bug_if(!to))
        return -EINVAL;
    leg->to = NULL;
    result = leg_dial(leg, to, offer);
    obj_unref(to->account, "endpoint");
    free(to);
    return result;
}
