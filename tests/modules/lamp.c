/* Sample: an event package. Phones subscribe to a lamp ("Event: lamp", the name of the lamp in the Request-URI) and
 * hear how it shines; the command `lamp` changes that. Signalling thread. */
#include <stdio.h>
#include <stdlib.h>

#include "base/list.h"
#include "module/module.h"

struct light {
    struct list node;
    char name[64], shines[64];
};

struct lamps {
    struct list lights;
    struct pbx *pbx;
    struct event_server *events;
    unsigned ended;
};

static struct light *light_of(struct lamps *lamps, const char *name)
{
    struct light *light;

    LIST_FOR_EACH(light, &lamps->lights, node)
    {
        if (strcmp(light->name, name) == 0)
            return light;
    }
    return NULL;
}

/* A lamp called secret is shown to its namesake only, shy ones to nobody before they shine, and 999 does not exist. */
static enum event_verdict authorize(void *arg, const struct subscription *s)
{
    if (strcmp(s->resource, "secret") == 0 && strcmp(s->account, s->resource) != 0)
        return EVENT_FORBIDDEN;
    if (strcmp(s->resource, "shy") == 0 && !light_of(arg, s->resource))
        return EVENT_PENDING;
    return strcmp(s->resource, "999") == 0 ? EVENT_UNKNOWN : EVENT_ALLOWED;
}

static char *state(void *arg, const struct subscription *s)
{
    const struct light *light = light_of(arg, s->resource);
    char text[200];

    snprintf(text, sizeof text, "%s is %s (%s, %u)\r\n", s->resource, light ? light->shines : "dark",
             s->full ? "whole" : "change", s->version);
    return strdup(text);
}

static void ended(void *arg, const struct subscription *s)
{
    struct lamps *lamps = arg;

    lamps->ended++;
}

/* {"call": ID}: the caller of that call gets a subscription that it has not asked for, as a
 * REFER would make one; of the lamp that has its account's name. */
static void follow(void *arg, struct console_request *request, json_t *params)
{
    struct lamps *lamps = arg;
    const char *id = json_string_value(json_object_get(params, "call"));
    struct call *call = id ? call_find(lamps->pbx, id) : NULL;
    struct leg *leg = call ? LIST_ENTRY(call->legs.next, struct leg, in_call) : NULL;

    if (!leg || !event_begin(lamps->events, leg, "77", 60, lamps)) {
        module_fail(request, "not-found", "There is no such call.");
        return;
    }
    module_reply(request, json_object());
}

/* {"lamp": NAME, "shines": COLOUR}, or {"lamp": NAME, "gone": true} */
static void command(void *arg, struct console_request *request, json_t *params)
{
    struct lamps *lamps = arg;
    const char *name = json_string_value(json_object_get(params, "lamp"));
    const char *shines = json_string_value(json_object_get(params, "shines"));
    struct light *light = name ? light_of(lamps, name) : NULL;

    if (name && json_is_true(json_object_get(params, "gone"))) {
        event_end(lamps->events, name, "noresource");
    } else if (name && shines) {
        if (!light) {
            light = mem_new(sizeof *light);
            str_copy(light->name, sizeof light->name, name);
            list_append(&lamps->lights, &light->node);
        }
        str_copy(light->shines, sizeof light->shines, shines);
        event_changed(lamps->events, name);
    }
    module_reply(request, json_pack("{s:I, s:I}", "subscriptions", (json_int_t)event_count(lamps->events), "ended",
                                    (json_int_t)lamps->ended));
}

static int start(struct module_ctx *ctx, void **out)
{
    static const char *const types[] = {"text/plain", "application/x-lamp", NULL};
    struct lamps *lamps = mem_new(sizeof *lamps);
    const struct event_package package = {.name = "lamp",
                                          .types = types,
                                          .expires_default = 3600,
                                          .expires_min = (unsigned)module_option_number(ctx, "expires_min"),
                                          .expires_max = 7200,
                                          .interval_ms = (unsigned)module_option_number(ctx, "interval_ms"),
                                          .authorize = authorize,
                                          .state = state,
                                          .ended = ended,
                                          .arg = lamps};
    int result = module_add_events(ctx, &package, &lamps->events);

    list_init(&lamps->lights);
    lamps->pbx = module_pbx(ctx);
    if (result == 0)
        result = module_add_command(ctx, "lamp", "changes a lamp", command, lamps);
    if (result == 0)
        result = module_add_command(ctx, "lamp-follow", "lets a caller follow the lamp of its account", follow, lamps);
    if (result < 0) {
        free(lamps);
        return result;
    }
    *out = lamps;
    return 0;
}

static void stop(void *arg)
{
    struct lamps *lamps = arg;

    while (!list_empty(&lamps->lights)) {
        struct light *light = LIST_ENTRY(lamps->lights.next, struct light, node);

        list_unlink(&light->node);
        free(light);
    }
    free(lamps);
}

static const struct module_option options[] = {
    {"expires_min", OPTION_NUMBER, "60", "seconds: the shortest subscription"},
    {"interval_ms", OPTION_NUMBER, "0", "least time between two NOTIFYs"},
    {.name = NULL},
};

const struct module tandem_module = {
    .abi = TANDEM_MODULE_ABI,
    .size = sizeof(struct module),
    .name = "lamp",
    .version = "1.0",
    .summary = "lamps that phones may watch",
    .options = options,
    .start = start,
    .stop = stop,
};
