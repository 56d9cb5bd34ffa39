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
};

static void may_be(struct search *search, struct leg *leg)
{
    search->found = leg;
    search->count++;
}

/* A leg that talks: by its account or number, or by its id or the beginning of that. */
static void look(struct search *search, struct leg *leg)
{
    char id[UUID_TEXT];

    if (leg->state != LEG_UP || !bridge_peer(leg))
        return;
    uuid_text(&leg->id, id);
    if (strcmp(leg->account ? leg->account->name : leg->number, search->text) == 0 ||
        (strlen(search->text) >= 4 && strncmp(id, search->text, strlen(search->text)) == 0))
        may_be(search, leg);
}

/* Who transfers. Of a call it is who was called, so that who called goes on. */
static struct leg *find(struct pbx *pbx, const char *text, unsigned *count)
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
    if (call && call->caller && bridge_peer(call->caller))
        may_be(&search, bridge_peer(call->caller));
    *count = search.count;
    return search.found;
}

static json_t *answer(const struct leg *by, const struct leg *who, const char *to)
{
    char id[UUID_TEXT];

    return json_pack("{s:s, s:s, s:s, s:s}", "call", call_id_text(by->call, id), "by", by->number, "who", who->number,
                     "to", to);
}

/* context NULL: of whose rights they are. */
static int begin(struct leg *by, const struct leg *who, const char *context, const char *to, bool attended)
{
    struct account *behalf = by->account ? by->account : who->account;
    int result;

    if (!context)
        context = behalf ? behalf->context : by->call->context;
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
    const char *to = json_string_value(json_object_get(params, "to")), *why;
    struct leg *by, *who;
    unsigned count;
    json_t *reply;
    int result;

    if (!text || !*text || !to || !*to || strlen(to) > 60) {
        module_fail(request, "bad-request", "Who hands over, and to where? who or to is missing.");
        return;
    }
    by = find(pbx, text, &count);
    if (count != 1) {
        if (count)
            module_fail(request, "ambiguous", "%.60s may be one of %u legs: give more of its id.", text, count);
        else
            module_fail(request, "not-found",
                        "\"%.60s\" talks to nobody at this moment. Give an account, a call or a leg that does.", text);
        return;
    }
    who = bridge_peer(by);
    why = transfer_forbidden(by, who, to);
    if (why) {
        module_fail(request, "forbidden", "%s", why);
        return;
    }
    reply = answer(by, who, to);
    result = begin(by, who, NULL, to, json_is_true(json_object_get(params, "attended")));
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

/* call:transfer{ to = … }: its caller goes there. With `who`, a party of another call hands over whom it talks to. */
static void verb(void *arg, struct verb_run *run, struct call *call, const json_t *argument)
{
    const char *to = json_is_string(argument) ? json_string_value(argument) : text_of(argument, "to");
    const char *who = text_of(argument, "who"), *context = text_of(argument, "context");
    bool attended = json_is_true(json_object_get(argument, "attended"));
    struct leg *by;
    unsigned count;

    if (!to || !*to || strlen(to) > 60 || !options_known(argument)) {
        verb_run_fail(run, "`to` is a number, `context`, `who` and `attended` are all that may stand beside it");
        return;
    }
    if (!who) {
        verb_run_go(run, context ? context : call->context, to);
        return;
    }
    by = find(call->pbx, who, &count);
    verb_run_done(run, json_boolean(count == 1 && by->call != call && !transfer_forbidden(by, bridge_peer(by), to) &&
                                    begin(by, bridge_peer(by), context, to, attended) == 0));
}

int command_start(struct module_ctx *ctx)
{
    int result =
        module_add_command(ctx, "transfer", "hand a party of a call over to a number", transfer, module_pbx(ctx));

    return result == 0 ? module_add_verb(ctx, "transfer", "sends this caller, or a party of another call, to a number",
                                         verb, NULL)
                       : result;
}
