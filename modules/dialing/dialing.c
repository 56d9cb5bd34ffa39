/* Dialling for people who would rather not: numbers that are kept (last-number redial, who called last, speed dials),
 * and calls that an account is owed (wake-up, call-back when free). Its verbs know no feature codes: the dialplan binds
 * them. Signalling thread. */
#include "dialing.h"

#include <stdlib.h>

#define GOES_MAX 5 /* a speed dial may lead to a speed dial, but not round and round */

/* How a call came to where it is. */
struct way {
    unsigned goes;
    char number[NUMBER_LONGEST + 1]; /* "": as it was dialled */
    bool tried;
};

static struct way *way_of(struct dialing *d, const struct call *call)
{
    struct way *way = module_call_data(d->ctx, call);

    if (!way) {
        way = mem_new(sizeof *way);
        module_set_call_data(d->ctx, (struct call *)(uintptr_t)call, way, free); /* beside the call, not in it */
    }
    return way;
}

const struct account *dialing_account(struct verb_run *run, const struct call *call)
{
    if (call->caller && call->caller->account)
        return verb_run_account(run, call);
    dialing_word(run, "no-account");
    return NULL;
}

void dialing_word(struct verb_run *run, const char *word)
{
    verb_run_done(run, json_string(word));
}

void dialing_go(struct dialing *d, struct verb_run *run, struct call *call, const char *number)
{
    const struct account *account = call->caller ? call->caller->account : NULL;
    struct way *way = way_of(d, call);

    if (++way->goes > GOES_MAX) {
        dialing_word(run, "circle");
        return;
    }
    str_copy(way->number, sizeof way->number, number);
    verb_run_go(run, account ? account->context : call->context, number);
}

const char *dialing_first_try(struct dialing *d, const struct call *call)
{
    struct way *way = way_of(d, call);

    if (way->tried)
        return NULL;
    way->tried = true;
    return way->number[0] ? way->number : call->dialled;
}

const struct account *dialing_named(struct dialing *d, struct console_request *request, const json_t *params)
{
    const char *name = json_string_value(json_object_get(params, "account"));
    const struct account *account = d->pbx->db && name ? snapshot_account(db_snapshot(d->pbx->db), name) : NULL;

    if (!account)
        module_fail(request, "not-found", "there is no account \"%.63s\"", name ? name : "");
    return account;
}

int64_t dialing_now(const struct dialing *d)
{
    return (int64_t)(loop_wall_us(d->pbx->loop) / 1000000);
}

static void stop(void *state)
{
    struct dialing *d = state;

    call_backs_close(d);
    wakeups_close(d);
    speed_close(d);
    last_close(d);
    free(d);
}

static int start(struct module_ctx *ctx, void **state)
{
    static int (*const parts[])(struct dialing *) = {last_open, speed_open, wakeups_open, call_backs_open};
    struct dialing *d = mem_new(sizeof *d);

    d->ctx = ctx;
    d->pbx = module_pbx(ctx);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        int err = parts[i](d);

        if (err) {
            stop(d);
            return err;
        }
    }
    *state = d;
    return 0;
}

const struct module tandem_module = {
    .abi = TANDEM_MODULE_ABI,
    .size = sizeof(struct module),
    .name = "dialing",
    .version = "1.0",
    .summary = "redial, return call, speed dials, wake-up calls, call-back when free",
    .start = start,
    .stop = stop,
};
