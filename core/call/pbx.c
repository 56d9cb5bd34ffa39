/* The switch as one value: the lists of calls, and orderly stopping. Signalling thread. */
#include "call/pbx.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/call-priv.h"
#include "call/inner.h"
#include "call/conference.h"
#include "call/route.h"

/* Another configuration is in force: what runs follows it. */
static void configured(void *arg, const struct event *event)
{
    struct pbx *pbx = arg;
    struct call *call;
    struct leg *leg;

    LIST_FOR_EACH(call, &pbx->calls, in_pbx)
    {
        call_limit_update(call);
        LIST_FOR_EACH(leg, &call->legs, in_call)
        {
            leg_silence_update(leg);
        }
    }
}

unsigned pbx_seconds(const struct pbx *pbx, const char *setting, unsigned otherwise)
{
    return snapshot_seconds(pbx->db ? db_snapshot(pbx->db) : NULL, setting, otherwise);
}

bool pbx_is_emergency(const struct pbx *pbx, const char *number)
{
    const char *list = snapshot_setting(pbx->db ? db_snapshot(pbx->db) : NULL, "emergency_numbers", PBX_EMERGENCY);
    size_t len = strlen(number);

    for (const char *p = list; (p += strspn(p, " ,")), *p; p += strcspn(p, " ,"))
        if (strcspn(p, " ,") == len && strncmp(p, number, len) == 0)
            return true;
    return false;
}

struct pbx *pbx_new(struct loop *loop, struct media *media, struct db *db, unsigned node)
{
    struct pbx *pbx = mem_new(sizeof *pbx);

    pbx->loop = loop;
    pbx->media = media;
    pbx->db = db;
    pbx->node = node;
    pbx->bus = bus_new(loop);
    pbx->configured = bus_subscribe(pbx->bus, EVENT_BIT(EVENT_CONFIG), configured, pbx);
    pbx->hooks = hooks_new(loop);
    pbx->started_us = loop_now_us(loop);
    list_init(&pbx->calls);
    list_init(&pbx->route_kinds);
    inner_open(pbx);
    list_init(&pbx->verbs);
    list_init(&pbx->conferences);
    list_init(&pbx->talks);
    list_init(&pbx->guessers);
    for (size_t i = 0; i < PBX_CALL_BUCKETS; i++)
        list_init(&pbx->call_hash[i]);
    return pbx;
}

void pbx_free(struct pbx *pbx)
{
    if (!pbx)
        return;
    hooks_free(pbx->hooks);
    bus_unsubscribe(pbx->configured);
    bus_free(pbx->bus);
    conference_guesses_free(pbx);
    route_kind_remove(pbx->inner);
    free(pbx);
}

static void end_all(struct pbx *pbx, enum cause cause)
{
    struct call **calls = mem_new(list_length(&pbx->calls) * sizeof *calls), *call;
    size_t count = 0;

    LIST_FOR_EACH(call, &pbx->calls, in_pbx) /* one end may take other calls out of the list */
    {
        calls[count++] = obj_ref(call, "end all");
    }
    for (size_t i = 0; i < count; i++) {
        call_end(calls[i], cause, WHO_SWITCH, NULL);
        obj_unref(calls[i], "end all");
    }
    free(calls);
}

void pbx_forget_calls(struct pbx *pbx)
{
    end_all(pbx, CAUSE_STOPPING);
}

void pbx_drain(struct pbx *pbx, loop_fn on_empty, void *arg)
{
    pbx->draining = true;
    pbx->on_empty = on_empty;
    pbx->on_empty_arg = arg;
    if (list_empty(&pbx->calls)) {
        loop_later(pbx->loop, on_empty, arg);
        return;
    }
    log_info("stopping: %u calls are being ended", pbx->call_count);
    end_all(pbx, CAUSE_STOPPING);
}

int pbx_notify(struct pbx *pbx, const char *account, const char *event)
{
    return pbx->notify ? pbx->notify(pbx, account, event) : 0;
}

int pbx_text(struct pbx *pbx, const char *account, const char *text)
{
    return pbx->text ? pbx->text(pbx, account, text) : 0;
}

void pbx_each_subscription(struct pbx *pbx, subscription_fn fn, void *arg)
{
    if (pbx->subscriptions)
        pbx->subscriptions(pbx, fn, arg);
}
