/* The command subscriptions: what phones watch, and whether they take what they are told. Signalling thread. */
#include "console/core.h"

struct listing {
    const char *account; /* NULL: all */
    json_t *list;
};

static void add(void *arg, const struct subscription_facts *facts)
{
    struct listing *listing = arg;
    json_t *json;

    if (listing->account && strcmp(facts->account, listing->account) != 0)
        return;
    json = json_pack("{s:o,s:s,s:o,s:o,s:o,s:s,s:b,s:I,s:i,s:I}", "account", json_text(facts->account), "package",
                     facts->package, "id", json_text(facts->id), "resource", json_text(facts->resource), "contact",
                     json_text(facts->contact), "state", facts->state, "in_call", facts->in_call, "expires_in",
                     (json_int_t)facts->left_s, "lost", (int)facts->losses, "notified", (json_int_t)facts->notified);
    if (facts->told) {
        json_object_set_new(json, "notified_ago", json_integer((json_int_t)facts->told_s));
        json_object_set_new(json, "answer", facts->answer ? json_integer(facts->answer) : json_null());
    }
    json_array_append_new(listing->list, json);
}

static void run_subscriptions(struct core_part *core, struct console_request *request, json_t *params)
{
    struct listing listing = {param_text(params, "account"), json_array()};

    pbx_each_subscription(core->core.pbx, add, &listing);
    console_reply(request, json_pack("{s:o}", "subscriptions", listing.list));
}

const struct core_command core_subscription_commands[] = {
    {"subscriptions", "account = NAME (of all when left out): what phones watch, and how they took the last NOTIFY",
     run_subscriptions},
    {NULL, NULL, NULL},
};
