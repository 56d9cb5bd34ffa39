/* Whose calls get through, and whether a caller is shown: lists of callers for each account and for all, and numbers
 * that are hidden, for a call or always. Signalling thread. */
#include "screen.h"

#include <stdlib.h>

static void screen_stop(void *state)
{
    free(state);
}

static int screen_start(struct module_ctx *ctx, void **state)
{
    struct screen *s = mem_new(sizeof *s);
    int err;

    s->ctx = ctx;
    s->pbx = module_pbx(ctx);
    err = block_open(s);
    if (!err)
        err = judge_open(s);
    if (!err)
        err = commands_open(s);
    if (!err)
        err = verbs_open(s);
    if (err) {
        screen_stop(s);
        return err;
    }
    *state = s;
    return 0;
}

const struct module tandem_module = {
    .abi = TANDEM_MODULE_ABI,
    .size = sizeof(struct module),
    .name = "screen",
    .version = "1.0",
    .summary = "lists of callers that do not get through, and numbers that are hidden",
    .start = screen_start,
    .stop = screen_stop,
};
