/* The module group: ring groups, paging groups, follow-me and intercom, as verbs of the dialplan. Opens its parts and
 * holds what they share. Signalling thread. */
#include "group.h"

#include <stdlib.h>

static void logout_changed(void *arg, const char *account, const char *key, const char *value)
{
    /* asked at each call: there is nothing to keep up to date */
}

static json_t *status(void *arg)
{
    struct groups *g = arg;

    groups_refresh(g);
    return json_pack("{s:i,s:i,s:i}", "groups", (int)list_length(&g->groups), "followed_accounts",
                     (int)list_length(&g->follows), "pages", (int)list_length(&g->pages));
}

static void stop(void *state)
{
    struct groups *g = state;

    page_close(g);
    groups_forget(g);
    free(g);
}

static int open_parts(struct groups *g)
{
    int result;

    g->logouts = module_live(g->ctx, "ring_logout", logout_changed, g);
    if (!g->logouts)
        return -EEXIST;
    if ((result = order_open(g)) < 0 || (result = ring_open(g)) < 0 || (result = intercom_open(g)) < 0 ||
        (result = login_open(g)) < 0 || (result = facts_open(g)) < 0)
        return result;
    return module_add_status(g->ctx, "groups", status, g);
}

static int start(struct module_ctx *ctx, void **state)
{
    struct groups *g = mem_new(sizeof *g);
    int result;

    g->ctx = ctx;
    g->pbx = module_pbx(ctx);
    g->generation = UINT64_MAX;
    list_init(&g->groups);
    list_init(&g->follows);
    list_init(&g->pages);
    result = open_parts(g);
    if (result < 0)
        stop(g);
    else
        *state = g;
    return result;
}

const struct module tandem_module = {
    .abi = TANDEM_MODULE_ABI,
    .size = sizeof(struct module),
    .name = "group",
    .version = "1.0",
    .summary = "ring groups, paging, follow-me and intercom",
    .start = start,
    .stop = stop,
};
