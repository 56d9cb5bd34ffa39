/* Sample: a phone that puts the call on hold is answered by the switch itself, without a word to the other phone. Shows
 * a hook with a verdict at once. Signalling thread. */
#include "module/module.h"

static bool holds(const struct leg *leg)
{
    const struct stream_desc *audio = leg->remote_offer ? desc_audio(leg->remote_offer) : NULL;

    return audio && audio->dir != DIR_SENDRECV;
}

static enum verdict offered(void *arg, struct hook_walk *walk, void *subject)
{
    struct leg *leg = subject;

    /* NULL: with the codecs in use and the mirrored direction. When that cannot be, the next in line decides. */
    if (!holds(leg) || leg_answer_offer(leg, NULL) < 0)
        return VERDICT_PASS;
    return VERDICT_HANDLED;
}

static int start(struct module_ctx *ctx, void **state)
{
    return module_on_hook(ctx, HOOK_OFFER, 100, offered, NULL);
}

const struct module tandem_module = {
    .abi = TANDEM_MODULE_ABI,
    .size = sizeof(struct module),
    .name = "local_hold",
    .version = "1.0",
    .summary = "answers hold at the switch",
    .start = start,
};
