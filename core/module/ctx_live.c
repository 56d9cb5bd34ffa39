/* A module's live rows: the kinds that it has open, given back when it stops. Signalling thread. */
#include <stdlib.h>

#include "db/live.h"
#include "module/module-priv.h"

struct module_live {
    struct undo undo;
    struct live_kind *kind;
};

static void drop_live(struct undo *undo)
{
    struct module_live *live = (struct module_live *)undo;

    live_kind_close(live->kind);
    free(live);
}

struct module_live *module_live(struct module_ctx *ctx, const char *kind, module_live_fn changed, void *arg)
{
    struct db *db = ctx->set->pbx->db;
    struct module_live *live;

    if (!db) {
        log_error("module %s cannot have live rows: there is no database room", ctx->instance);
        return NULL;
    }
    live = mem_new(sizeof *live);
    live->kind = live_kind_open(db_live(db), kind, changed, arg);
    if (!live->kind) {
        free(live);
        return NULL;
    }
    module_ctx_note(ctx, &live->undo, drop_live);
    return live;
}

const char *module_live_get(const struct module_live *live, const char *account, const char *key)
{
    return live_get(live->kind, account, key);
}

int module_live_set(struct module_live *live, const char *account, const char *key, const char *value)
{
    return live_set(live->kind, account, key, value);
}

void module_live_clear(struct module_live *live, const char *account)
{
    live_clear(live->kind, account);
}

void module_live_each(struct module_live *live, const char *account, module_live_fn fn, void *arg)
{
    live_each(live->kind, account, fn, arg);
}
