/* The command and the verb `transfer`: an operator, or a script of another call, hands a party over, with the rights of
 * whoever would do it by his phone. Signalling thread. */
#include <jansson.h>

#include "base/id.h"
#include "call/bridge.h"
#include "transfer.h"

struct search {
    const char *text;
    struct leg *found;
    unsigned count; /* of legs that it may mean */
    bool under_way; /* it means one that is in a transfer */
};

static void may_be(struct search *search, struct leg *leg)
{
    search->found = leg;
    search->count++;
}

static bool in_transfer(const struct call *call)
{
    return call->transfer || call->consult;
}

/* A leg that talks: by its account or number, or by its id or the beginning of that. */
static void look(struct search *search, struct leg *leg)
{
    char id[UUID_TEXT];

    if (leg->state != LEG_UP)
        return;
    uuid_text(&leg->id, id);
    if (strcmp(leg->account ? leg->account->name : leg->number, search->text) != 0 &&
        (strlen(search->text) < 4 || strncmp(id, search->text, strlen(search->text)) != 0))
        return;
    if (bridge_peer(leg))
        may_be(search, leg);
    else if (in_transfer(leg->call))
        search->under_way = true;
}

/* Who transfers. Of a call it is who was called, so that who called goes on. */
static struct search find(struct pbx *pbx, const char *text)
{
    struct search search = {.text = text};
    struct call *call;
    struct leg *leg;

    LIST_FOR_EACH(call, &pbx->calls, in_pbx)
    {
        LIST_FOR_EACH(leg, &call->legs, in_call)
        {
            look(&search, leg);
        }
    }
    call = search.count ? NULL : call_find(pbx, text);
    if (call && in_transfer(call))
        search.under_way = true;
    else if (call && call->caller && bridge_peer(call->caller))
        may_be(&search, bridge_peer(call->caller));
    return search;
}

static json_t *answer(const struct leg *by, const struct leg *who, const char *to)
{
    char id[UUID_TEXT];

    return json_pack("{s:s, s:s, s:s, s:s}", "call", call_id_text(by->call, id), "by", by->number, "who", who->number,
                     "to", to);
}

/* With whose rights; NULL: with those of the call. */
static struct account *behalf_of(const struct leg *by, const struct leg *who)
{
    return by->account ? by->account : who->account;
}

static const char *context_of(const struct leg *by, const struct leg *who)
{
    const struct account *behalf = behalf_of(by, who);

    return behalf ? behalf->context : by->call->context;
}

static int begin(struct leg *by, const struct leg *who, const char *context, const char *to, bool attended)
{
    struct account *behalf = behalf_of(by, who);
    int result;

    if (!attended)
        return call_transfer(by, context, to, behalf, NULL);
    result = consult_begin(by, NULL, NULL);
    if (result == 0)
        consult_call(by->call, context, to, behalf);
    return result;
}

static void transfer(void *arg, struct console_request *request, json_t *params)
{
    struct pbx *pbx = arg;
    const char *text = json_string_value(json_object_get(params, "who"));
    const char *to = json_string_value(json_object_get(params, "to")), *context;
    char why[TRANSFER_WORDS];
    struct search search;
    struct leg *by, *who;
    json_t *reply;
    int result;

    if (!text || !*text || !to || !*to || strlen(to) > 60) {
        module_fail(request, "bad-request", "Who hands over, and to where? who or to is missing.");
        return;
    }
    search = find(pbx, text);
    if (search.count != 1) {
        if (search.count)
            module_fail(request, "ambiguous", "%.60s may be one of %u legs: give more of its id.", text, search.count);
        else if (search.under_way)
            module_fail(request, "busy", "%.60s is in a transfer that is under way.", text);
        else
            module_fail(request, "not-found",
                        "\"%.60s\" talks to nobody at this moment. Give an account, a call or a leg that does.", text);
        return;
    }
    by = search.found;
    who = bridge_peer(by);
    context = context_of(by, who);
    if (*transfer_forbidden(by, who, context, to, why)) {
        module_fail(request, "forbidden", "%.60s is not handed over: %s.", who->number, why);
        return;
    }
    reply = answer(by, who, to);
    result = begin(by, who, context, to, json_is_true(json_object_get(params, "attended")));
    if (result == 0) {
        module_reply(request, reply);
        return;
    }
    json_decref(reply);
    module_fail(request, "busy",
                result == -EBUSY ? "This call is being transferred already."
                                 : "The call is in no state to be transferred.");
}

static const char *text_of(const json_t *argument, const char *key)
{
    const char *text = json_string_value(json_object_get(argument, key));

    return text && *text ? text : NULL;
}

/* False: an option that there is not. */
static bool options_known(const json_t *argument)
{
    static const char *const known[] = {"to", "context", "who", "attended"};
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)argument, key, value)
    {
        bool found = false;

        for (size_t i = 0; i < COUNT_OF(known); i++)
            found = found || strcmp(key, known[i]) == 0;
        if (!found)
            return false;
    }
    return true;
}

/* Why it is refused stands in the events of that call. */
static bool hand_over(struct leg *by, const char *context, const char *to, bool attended)
{
    const struct leg *who = bridge_peer(by);
    char why[TRANSFER_WORDS];

    if (!context)
        context = context_of(by, who);
    if (*transfer_forbidden(by, who, context, to, why)) {
        transfer_note(by, why);
        return false;
    }
    return begin(by, who, context, to, attended) == 0;
}

/* call:transfer{ to = … }: its caller goes there. With `who`, a party of another call hands over whom it talks to. */
static void verb(void *arg, struct verb_run *run, struct call *call, const json_t *argument)
{
    const char *to = json_is_string(argument) ? json_string_value(argument) : text_of(argument, "to");
    const char *who = text_of(argument, "who"), *context = text_of(argument, "context");
    bool attended = json_is_true(json_object_get(argument, "attended"));
    struct search search;

    if (!to || !*to || strlen(to) > 60 || !options_known(argument)) {
        verb_run_fail(run, "`to` is a number, `context`, `who` and `attended` are all that may stand beside it");
        return;
    }
    if (!who) {
        verb_run_go(run, context ? context : call->context, to);
        return;
    }
    search = find(call->pbx, who);
    verb_run_done(run, json_boolean(search.count == 1 && search.found->call != call &&
                                    hand_over(search.found, context, to, attended)));
}

int command_start(struct module_ctx *ctx)
{
    int result =
        module_add_command(ctx, "transfer", "hand a party of a call over to a number", transfer, module_pbx(ctx));

    return result == 0 ? module_add_verb(ctx, "transfer", "sends this caller, or a party of another call, to a number",
                                         verb, NULL)
                       : result;
}
