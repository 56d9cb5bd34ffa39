/* Says whose hold the switch serves: that for which there is music. How a hold is told from other offers, who hears
 * what meanwhile and what phones are told is the core's (call/hold.c). Signalling thread. */
#include "call/hold_music.h"
#include "module/module.h"

static enum verdict asked(void *arg, struct hook_walk *walk, void *subject)
{
    const struct leg *leg = subject;

    return hold_music_has(leg) ? VERDICT_HANDLED : VERDICT_PASS;
}

static int start(struct module_ctx *ctx, void **state)
{
    return module_on_hook(ctx, HOOK_HOLD, 100, asked, NULL);
}

const struct module tandem_module = {
    .abi = TANDEM_MODULE_ABI,
    .size = sizeof(struct module),
    .name = "hold",
    .version = "1.0",
    .summary = "plays music to whom a phone puts on hold",
    .start = start,
};
