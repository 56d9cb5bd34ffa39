/* Ordered, asynchronous hooks. Signalling thread. A walk keeps the hook that it waits for, and removal of that hook
 * lets the walk go on, so that a stopping module never strands a call. */
#include "call/hook.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

struct hook {
    struct list node;
    struct hooks *hooks;
    int order;
    bool removed;
    const char *name;
    hook_fn fn;
    void *arg;
};

struct hooks {
    struct loop *loop;
    struct list points[HOOK_POINTS];
    struct list walks; /* only those that are deferred */
    unsigned depth;
};

struct hook_walk {
    struct list node;
    struct hooks *hooks;
    enum hook_point point;
    void *subject;
    struct hook *at; /* the hook asked last */
    hook_done_fn done;
    void *arg;
    bool deferred, in_hook, resumed;
    bool cancelled;     /* while a hook of it was on the stack: freed when that returns */
    enum verdict early; /* hook_resume() from inside the hook itself */
    enum cause cause;
    char detail[128];
    loop_fn on_cancel;
    void *on_cancel_arg;
    struct loop_timer deadline;
};

struct hooks *hooks_new(struct loop *loop)
{
    struct hooks *hooks = mem_new(sizeof *hooks);

    hooks->loop = loop;
    for (int i = 0; i < HOOK_POINTS; i++)
        list_init(&hooks->points[i]);
    list_init(&hooks->walks);
    return hooks;
}

bool hook_has(const struct hooks *hooks, enum hook_point point)
{
    const struct hook *h;

    LIST_FOR_EACH(h, &hooks->points[point], node)
    {
        if (!h->removed)
            return true;
    }
    return false;
}

static void sweep(struct hooks *hooks, bool all)
{
    struct hook *h, *tmp;

    for (int i = 0; i < HOOK_POINTS; i++) {
        LIST_FOR_EACH_SAFE(h, tmp, &hooks->points[i], node)
        {
            if (h->removed || all) {
                list_unlink(&h->node);
                free(h);
            }
        }
    }
}

static void walk_free(struct hook_walk *walk)
{
    loop_timer_stop(walk->hooks->loop, &walk->deadline);
    list_unlink(&walk->node);
    free(walk);
}

void hooks_free(struct hooks *hooks)
{
    if (!hooks)
        return;
    while (!list_empty(&hooks->walks))
        hook_cancel(LIST_ENTRY(hooks->walks.next, struct hook_walk, node));
    sweep(hooks, true);
    free(hooks);
}

struct hook *hook_add(struct hooks *hooks, enum hook_point point, int order, const char *name, hook_fn fn, void *arg)
{
    struct hook *hook = mem_new(sizeof *hook), *other;
    struct list *where = &hooks->points[point];

    hook->hooks = hooks;
    hook->order = order;
    hook->name = name;
    hook->fn = fn;
    hook->arg = arg;
    LIST_FOR_EACH(other, &hooks->points[point], node)
    {
        if (other->order > order) {
            where = &other->node;
            break;
        }
    }
    list_insert_before(where, &hook->node);
    return hook;
}

static void walk_end(struct hook_walk *walk, enum verdict verdict)
{
    hook_done_fn done = walk->done;
    void *arg = walk->arg;
    enum cause cause = CAUSE_NONE;
    char detail[sizeof walk->detail] = "";

    if (verdict == VERDICT_REJECT) {
        cause = walk->cause ? walk->cause : CAUSE_VETOED;
        str_copy(detail, sizeof detail, walk->detail);
    }
    walk_free(walk);
    done(arg, verdict, cause, detail);
}

/* Tells the module that its hook is waited for no longer. What it does then may cancel the walk: false, and it is gone.
 */
static bool tell_hook(struct hook_walk *walk)
{
    loop_fn fn = walk->on_cancel;

    walk->deferred = false;
    walk->on_cancel = NULL;
    loop_timer_stop(walk->hooks->loop, &walk->deadline);
    walk->in_hook = true;
    if (fn)
        fn(walk->on_cancel_arg);
    walk->in_hook = false;
    if (!walk->cancelled)
        return true;
    walk_free(walk);
    return false;
}

static void deadline_passed(void *arg)
{
    struct hook_walk *walk = arg;

    log_warn("hook %s did not decide within %d s; the attempt is refused", walk->at->name, HOOK_DEFER_MS / 1000);
    walk->cause = CAUSE_INTERNAL;
    snprintf(walk->detail, sizeof walk->detail, "module hook %s did not decide in time", walk->at->name);
    if (tell_hook(walk))
        walk_end(walk, VERDICT_REJECT);
}

/* Asks one hook. A hook that took itself away and then deferred would be waited for in vain: it has passed. */
static enum verdict ask(struct hook_walk *walk, struct hook *hook)
{
    enum verdict verdict;

    walk->at = hook;
    walk->on_cancel = NULL;
    walk->resumed = false;
    walk->in_hook = true;
    verdict = hook->fn(hook->arg, walk, walk->subject);
    walk->in_hook = false;
    if (verdict != VERDICT_DEFERRED)
        return verdict;
    return walk->resumed ? walk->early : hook->removed ? VERDICT_PASS : VERDICT_DEFERRED;
}

/* Asks the hooks behind walk->at. Returns true when the walk goes on later (deferred), false when it has ended. */
static bool walk_on(struct hook_walk *walk)
{
    struct hooks *hooks = walk->hooks;
    struct list *head = &hooks->points[walk->point];
    struct list *next = walk->at ? walk->at->node.next : head->next;
    enum verdict verdict = VERDICT_PASS;

    hooks->depth++;
    while (verdict == VERDICT_PASS && next != head && !walk->cancelled) {
        struct hook *hook = LIST_ENTRY(next, struct hook, node);

        if (!hook->removed)
            verdict = ask(walk, hook);
        next = hook->node.next; /* hooks may have been added meanwhile */
    }
    if (--hooks->depth == 0)
        sweep(hooks, false);
    if (walk->cancelled) { /* its hook ended what the walk was about */
        if (verdict == VERDICT_DEFERRED)
            tell_hook(walk);
        else
            walk_free(walk);
        return false;
    }
    if (verdict == VERDICT_DEFERRED) {
        walk->deferred = true;
        loop_timer_start(hooks->loop, &walk->deadline, HOOK_DEFER_MS, deadline_passed, walk);
        return true;
    }
    walk_end(walk, verdict);
    return false;
}

struct hook_walk *hook_start(struct hooks *hooks, enum hook_point point, void *subject, hook_done_fn done, void *arg)
{
    struct hook_walk *walk;

    if (list_empty(&hooks->points[point])) {
        done(arg, VERDICT_PASS, CAUSE_NONE, "");
        return NULL;
    }
    walk = mem_new(sizeof *walk);
    walk->hooks = hooks;
    walk->point = point;
    walk->subject = subject;
    walk->done = done;
    walk->arg = arg;
    list_append(&hooks->walks, &walk->node);
    return walk_on(walk) ? walk : NULL;
}

void hook_cancel(struct hook_walk *walk)
{
    if (!walk)
        return;
    if (walk->in_hook) {
        walk->cancelled = true;
        return;
    }
    walk->cancelled = true;
    if (walk->deferred)
        tell_hook(walk);
    else
        walk_free(walk);
}

void hook_on_cancel(struct hook_walk *walk, loop_fn fn, void *arg)
{
    walk->on_cancel = fn;
    walk->on_cancel_arg = arg;
}

void hook_reject(struct hook_walk *walk, enum cause cause, const char *detail)
{
    walk->cause = cause;
    str_copy(walk->detail, sizeof walk->detail, detail);
}

void hook_resume(struct hook_walk *walk, enum verdict verdict)
{
    if (bug_if(verdict == VERDICT_DEFERRED))
        verdict = VERDICT_PASS;
    if (walk->in_hook) { /* decided before it even returned "deferred" */
        walk->resumed = true;
        walk->early = verdict;
        return;
    }
    if (bug_if(!walk->deferred))
        return;
    walk->deferred = false;
    walk->on_cancel = NULL;
    loop_timer_stop(walk->hooks->loop, &walk->deadline);
    if (verdict == VERDICT_PASS)
        walk_on(walk);
    else
        walk_end(walk, verdict);
}

void hook_remove(struct hook *hook)
{
    struct hooks *hooks;
    struct hook_walk *walk;
    bool found;

    if (!hook)
        return;
    hooks = hook->hooks;
    hook->removed = true;
    hooks->depth++; /* walks that go on must not sweep the node under our feet */
    do {            /* from the start each time: a resumed walk may end others */
        found = false;
        LIST_FOR_EACH(walk, &hooks->walks, node)
        {
            if (walk->deferred && walk->at == hook) {
                if (tell_hook(walk))
                    walk_on(walk);
                found = true;
                break;
            }
        }
    } while (found);
    if (--hooks->depth == 0)
        sweep(hooks, false);
}

struct judgement {
    enum verdict verdict;
    enum cause *cause;
    char *why;
    size_t why_size;
};

static void judged(void *arg, enum verdict verdict, enum cause cause, const char *detail)
{
    struct judgement *j = arg;

    j->verdict = verdict;
    if (j->cause)
        *j->cause = cause;
    if (j->why)
        str_copy(j->why, j->why_size, detail ? detail : "");
}

enum verdict hook_ask(struct hooks *hooks, enum hook_point point, void *subject, enum cause *cause, char *why,
                      size_t why_size)
{
    struct judgement j = {.verdict = VERDICT_PASS, .cause = cause, .why = why, .why_size = why_size};

    if (why)
        str_copy(why, why_size, "");
    hook_cancel(hook_start(hooks, point, subject, judged, &j));
    return j.verdict;
}
