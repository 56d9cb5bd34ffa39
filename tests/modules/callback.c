/* Sample: `callback FROM TO` rings FROM, and once it answers, rings TO and joins the two. Shows a console command,
 * calls that start with the switch, a leg's controller, and private data that lives as long as its call. Signalling
 * thread. */
#include <stdlib.h>

#include "base/obj.h"
#include "media/negotiate.h"
#include "module/module.h"

/* One callback. It is private data of its call, so it goes when the call (or this module) goes. */
struct callback {
    struct call *call; /* borrowed: we are part of it */
    struct attempt_run *run;
    struct leg *first, *second; /* that answered; borrowed until their controller hears ENDED */
    char to[128];
    unsigned ringing;
};

static void changed(void *arg, struct leg *leg, enum leg_change change);

static void callback_free(void *value)
{
    struct callback *cb = value;
    struct leg *leg;

    route_cancel(cb->run);
    LIST_FOR_EACH(leg, &cb->call->legs, in_call)
    {
        if (leg->control == changed)
            leg_set_control(leg, NULL, NULL);
    }
    free(cb);
}

static void give_up(struct callback *cb, enum cause cause, const char *detail)
{
    route_cancel(cb->run);
    cb->run = NULL;
    call_end(cb->call, cause, WHO_MODULE, detail);
}

/* Both phones of a call that we make must speak the same codec: TO is offered what FROM has agreed to. */
static void routed(void *arg, enum cause refused, const char *detail, struct leg *const *legs, unsigned count)
{
    struct callback *cb = arg;
    struct media_desc *offer = NULL;

    cb->run = NULL;
    if (refused != CAUSE_NONE) {
        give_up(cb, refused, detail);
        return;
    }
    if (cb->first)
        negotiate_relay_offer(cb->first->remote, &offer);
    else
        offer = negotiate_local_offer(negotiate_default_codecs, negotiate_default_codec_count);
    for (unsigned i = 0; i < count; i++) {
        if (!offer || route_send(legs[i], offer) < 0) {
            leg_end(legs[i], CAUSE_UNREACHABLE, WHO_MODULE, NULL);
            continue;
        }
        if (!leg_is_alive(legs[i])) /* refused at once */
            continue;
        leg_set_control(legs[i], changed, cb);
        cb->ringing++;
    }
    desc_free(offer);
    if (!cb->ringing)
        give_up(cb, CAUSE_UNREACHABLE, NULL);
}

static void ring(struct callback *cb, const char *target, const struct account *on_behalf_of)
{
    struct attempt_run *run;

    call_set_state(cb->call, CALL_DIALLING);
    run = route_out(cb->call, target, on_behalf_of, false, routed, cb);
    if (run)
        cb->run = run;
}

/* The first phone of an account that answers wins; its others stop ringing. */
static void end_others(struct callback *cb, const struct leg *winner)
{
    struct leg *leg, *tmp;

    cb->ringing = 0;
    LIST_FOR_EACH_SAFE(leg, tmp, &cb->call->legs, in_call)
    {
        if (leg == winner || leg == cb->first || leg->control != changed)
            continue;
        leg_set_control(leg, NULL, NULL);
        leg_end(leg, CAUSE_ANSWERED_ELSEWHERE, WHO_MODULE, NULL);
    }
}

static void leg_answered(struct callback *cb, struct leg *leg)
{
    end_others(cb, leg);
    if (!cb->first) {
        cb->first = leg;
        ring(cb, cb->to, leg->account);
        return;
    }
    cb->second = leg;
    if (bridge_join(cb->first, cb->second) < 0)
        give_up(cb, CAUSE_INTERNAL, "the two phones could not be joined");
    else
        call_set_state(cb->call, CALL_TALKING);
}

static void changed(void *arg, struct leg *leg, enum leg_change change)
{
    struct callback *cb = arg;

    if (change == LEG_CHANGE_ANSWERED)
        leg_answered(cb, leg);
    else if (change == LEG_CHANGE_BRIDGE_ENDED)
        leg_end(leg, CAUSE_NORMAL, WHO_MODULE, "the other side left");
    else if (change == LEG_CHANGE_ENDED && (leg == cb->first || leg == cb->second || --cb->ringing == 0))
        give_up(cb, leg->cause, leg->detail);
}

static void command(void *arg, struct console_request *request, json_t *params)
{
    struct module_ctx *ctx = arg;
    struct pbx *pbx = module_pbx(ctx);
    const char *from = json_string_value(json_object_get(params, "from"));
    const char *to = json_string_value(json_object_get(params, "to"));
    struct callback *cb;
    struct call *call;
    char id[UUID_TEXT];

    if (!from || !to || strlen(to) >= sizeof cb->to) {
        module_fail(request, "bad-request", "callback needs \"from\" and \"to\"");
        return;
    }
    call = call_originate(pbx, module_option(ctx, "context"), to, NULL);
    str_copy(call->dialled, sizeof call->dialled, to);
    cb = mem_new(sizeof *cb);
    cb->call = call;
    str_copy(cb->to, sizeof cb->to, to);
    module_set_call_data(ctx, call, cb, callback_free);
    module_reply(request, json_pack("{s:s}", "call", call_id_text(call, id)));
    ring(cb, from, NULL);
    obj_unref(call, "creator");
}

static int start(struct module_ctx *ctx, void **state)
{
    return module_add_command(ctx, module_option(ctx, "command"), "ring one phone, then another, and join them", command,
                              ctx);
}

static const struct module_option options[] = {
    {"command", OPTION_STRING, "callback", "name of its command: each instance needs its own"},
    {"context", OPTION_STRING, "internal", "context of the calls that it makes"},
    {NULL, OPTION_STRING, NULL, NULL},
};

const struct module tandem_module = {
    .abi = TANDEM_MODULE_ABI,
    .size = sizeof(struct module),
    .name = "callback",
    .version = "1.0",
    .summary = "console command: connect two phones",
    .options = options,
    .start = start,
};
