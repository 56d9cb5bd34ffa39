/* Sample: asks the database whether an account may make this outbound attempt. Shows a deferred hook that survives
 * whatever ends first: the query, the attempt or the module. Signalling thread. */
#include <stdlib.h>

#include "module/module.h"

struct budget {
    struct module_ctx *ctx;
    const char *sql;
    bool fail_open;
    unsigned deadline_ms;
    struct list questions;
};

/* One attempt that waits for the database. */
struct question {
    struct list node;
    struct budget *budget;
    struct hook_walk *walk; /* NULL: nobody waits for the answer any more */
    char account[64];
};

static void walk_gone(void *arg)
{
    struct question *q = arg;

    q->walk = NULL; /* the query still comes back, and frees it */
}

static bool is_true(const char *value)
{
    return value && (strcmp(value, "t") == 0 || strcmp(value, "true") == 0 || strcmp(value, "1") == 0);
}

static void answered(void *arg, int err, const char *message, const struct db_result *result)
{
    struct question *q = arg;
    struct budget *budget = q->budget;
    struct hook_walk *walk = q->walk;
    const char *words;

    list_unlink(&q->node);
    if (err)
        log_warn("budget of %s is not known: %s", q->account, message ? message : strerror(-err));
    free(q);
    if (!walk)
        return;
    if (err ? budget->fail_open : is_true(db_value(result, 0, 0))) {
        hook_resume(walk, VERDICT_PASS);
        return;
    }
    words = err ? "the budget cannot be checked now" : db_value(result, 0, 1);
    hook_reject(walk, CAUSE_VETOED, words ? words : "the budget does not allow this call");
    hook_resume(walk, VERDICT_REJECT);
}

static enum verdict asked(void *arg, struct hook_walk *walk, void *subject)
{
    struct budget *budget = arg;
    const struct attempt *attempt = subject;
    struct question *q;
    const char *params[2];

    if (attempt->emergency || !attempt->on_behalf_of)
        return VERDICT_PASS;
    q = mem_new(sizeof *q);
    q->budget = budget;
    q->walk = walk;
    str_copy(q->account, sizeof q->account, attempt->on_behalf_of->name);
    list_append(&budget->questions, &q->node);
    hook_on_cancel(walk, walk_gone, q);
    params[0] = q->account;
    params[1] = attempt->target;
    module_query(budget->ctx, budget->sql, params, 2, budget->deadline_ms, answered, q);
    return VERDICT_DEFERRED;
}

static int start(struct module_ctx *ctx, void **state)
{
    struct budget *budget = mem_new(sizeof *budget);

    budget->ctx = ctx;
    budget->sql = module_option(ctx, "sql");
    budget->fail_open = module_option_number(ctx, "fail_open");
    budget->deadline_ms = (unsigned)module_option_number(ctx, "deadline_ms");
    list_init(&budget->questions);
    *state = budget;
    return module_on_hook(ctx, HOOK_OUTBOUND, 100, asked, budget);
}

/* The core has cancelled our queries by now: their questions are ours to free. */
static void stop(void *state)
{
    struct budget *budget = state;

    while (!list_empty(&budget->questions)) {
        struct question *q = LIST_ENTRY(budget->questions.next, struct question, node);

        list_unlink(&q->node);
        free(q);
    }
    free(budget);
}

static const struct module_option options[] = {
    /* PostgreSQL wants every parameter that is sent to be used. */
    {"sql", OPTION_STRING, "select allowed, words from budget where account = $1 and $2 <> ''",
     "one row: may account $1 call target $2, and words for when it may not; uses both"},
    {"fail_open", OPTION_FLAG, "yes", "let calls pass while the database is away"},
    {"deadline_ms", OPTION_NUMBER, "1000", "how long a call waits for the answer"},
    {NULL, OPTION_STRING, NULL, NULL},
};

const struct module tandem_module = {
    .abi = TANDEM_MODULE_ABI,
    .size = sizeof(struct module),
    .name = "budget",
    .version = "1.0",
    .summary = "asks the database before each outbound attempt",
    .options = options,
    .start = start,
    .stop = stop,
};
