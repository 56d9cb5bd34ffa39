/* Which calls an account takes, and where the others go: forwards, do not disturb, call waiting, the number of its
 * calls. All of it is live: people change it by phone, command line, SQL or the keys of their phones, and the next call
 * goes by it. Signalling thread. */
#include "forward.h"

#include <stdlib.h>

static void forward_stop(void *state)
{
    state_close(state);
    free(state);
}

static int forward_start(struct module_ctx *ctx, void **state)
{
    struct forward *f = mem_new(sizeof *f);
    int err;

    f->ctx = ctx;
    f->pbx = module_pbx(ctx);
    err = state_open(f);
    if (!err)
        err = judge_open(f);
    if (!err)
        err = commands_open(f);
    if (!err)
        err = verbs_open(f);
    if (!err)
        err = feature_event_open(f);
    if (err) {
        state_close(f);
        free(f);
        return err;
    }
    *state = f;
    return 0;
}

const struct module tandem_module = {
    .abi = TANDEM_MODULE_ABI,
    .size = sizeof(struct module),
    .name = "forward",
    .version = "1.0",
    .summary = "forwards, do not disturb, call waiting and the number of calls of each account",
    .start = forward_start,
    .stop = forward_stop,
};
