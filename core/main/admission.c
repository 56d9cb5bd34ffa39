/* Bans as live rows (live.ban in the database), their policy and the listeners' access lists out of the configuration,
 * bans as events and, where that is wanted, in the kernel. Signalling thread. It decides nothing: edge/ban.c does. */
#include "main/admission.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/iso.h"
#include "base/log.h"
#include "db/live.h"
#include "main/nft.h"

#define FAILURES 10
#define WINDOW_S 600
#define NEVER "127.0.0.0/8 ::1"

struct admission {
    struct pbx *pbx;
    struct edge *edge;
    struct live_kind *rows; /* NULL: nothing is kept */
    struct bus_subscription *configured;
    char nft_set[160]; /* "": none */
};

/* --- as JSON: the fields are the columns of live.ban -------------------------------------------------------------- */

static char *encode(const struct ban *ban)
{
    char since[ISO_TEXT], until[ISO_TEXT];
    json_t *json = json_pack("{s:s, s:s, s:b, s:i, s:s*, s:s*}", "reason", ban_reason_name(ban->reason), "since",
                             iso_text(ban->since_us, since), "proven", ban->proven, "step", (int)ban->step, "until",
                             ban->until_us ? iso_text(ban->until_us, until) : NULL, "tried",
                             ban->account[0] ? ban->account : NULL);
    char *text;

    if (json && ban->detail[0])
        json_object_set_new(json, "detail", json_string(ban->detail));
    text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

static const char *field(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return text ? text : "";
}

static int decode(const char *key, const char *value, struct ban *out)
{
    json_t *json = json_loads(value, 0, NULL);
    bool for_ever = !*field(json, "until");
    int error = json ? network_parse(key, &out->network) : -EINVAL;

    if (error == 0) {
        out->reason = ban_reason_parse(field(json, "reason"));
        out->proven = out->reason == BAN_BY_HAND || json_is_true(json_object_get(json, "proven"));
        out->step = (unsigned)json_integer_value(json_object_get(json, "step"));
        out->since_us = iso_us(field(json, "since"));
        out->until_us = for_ever ? 0 : iso_us(field(json, "until"));
        str_copy(out->account, sizeof out->account, field(json, "tried"));
        str_copy(out->detail, sizeof out->detail, field(json, "detail"));
        if (!for_ever && !out->until_us)
            error = -EINVAL;
    }
    json_decref(json);
    return error;
}

/* --- events and the kernel ---------------------------------------------------------------------------------------- */

static void publish(struct admission *a, const struct ban *ban, bool begins)
{
    char detail[BAN_DETAIL + NETWORK_TEXT + 60], network[NETWORK_TEXT], how_long[40] = "until it is lifted";
    size_t used = 0;
    struct event event = {.kind = begins ? EVENT_BANNED : EVENT_UNBANNED,
                          .account = ban->account[0] ? ban->account : NULL,
                          .detail = detail};

    if (ban->until_us)
        snprintf(how_long, sizeof how_long, "for %llu s",
                 (unsigned long long)(ban->until_us - ban->since_us) / 1000000);
    str_append(detail, sizeof detail, &used, "%s", network_short(&ban->network, network));
    if (begins)
        str_append(detail, sizeof detail, &used, " %s%s%s", how_long, ban->detail[0] ? ": " : "", ban->detail);
    bus_publish(a->pbx->bus, &event);
}

static void filter(struct admission *a, const struct ban *ban, bool begins)
{
    struct loop *loop = a->pbx->loop;
    uint64_t now = loop_wall_us(loop);

    if (!a->nft_set[0] || (!ban->proven && begins)) /* a forged address does not get that far */
        return;
    if (begins)
        nft_add(loop, a->nft_set, &ban->network, ban->until_us ? (ban->until_us - now + 999999) / 1000000 : 0);
    else if (ban->proven)
        nft_delete(loop, a->nft_set, &ban->network);
}

/* --- the edge has changed something ------------------------------------------------------------------------------- */

static void keep(struct admission *a, const struct ban *ban, bool gone)
{
    char key[NETWORK_TEXT];
    char *value = gone ? NULL : encode(ban);

    if (a->rows && (gone || value))
        live_set(a->rows, "", network_text(&ban->network, key), value);
    free(value);
}

static void changed(void *arg, const struct ban *ban, enum ban_news news)
{
    struct admission *a = arg;

    switch (news) {
    case BAN_BEGINS:
        keep(a, ban, false);
        publish(a, ban, true);
        filter(a, ban, true);
        break;
    case BAN_ENDS: /* the row stays: how often it was is remembered, and v_ban knows what is over */
        publish(a, ban, false);
        break;
    case BAN_LIFTED:
        keep(a, ban, true);
        publish(a, ban, false);
        filter(a, ban, false);
        break;
    case BAN_FORGOTTEN:
        keep(a, ban, true);
        break;
    }
}

/* --- people have changed something, in the database or by the control socket -------------------------------------- */

static bool is_in_force(const struct admission *a, const struct ban *ban)
{
    return !ban->until_us || ban->until_us > loop_wall_us(a->pbx->loop);
}

static void take(struct admission *a, const char *key, const char *value, bool news)
{
    struct ban ban = {0};
    struct network network;

    if (value && decode(key, value, &ban) == 0 && bans_put(edge_bans(a->edge), &ban) == 0) {
        if (is_in_force(a, &ban)) {
            if (news)
                publish(a, &ban, true);
            filter(a, &ban, true);
        }
        return;
    }
    if (value)
        log_warn("bans: the row of %.60s in live.ban cannot be used", key);
    if (!value && network_parse(key, &network) == 0 && bans_lift(edge_bans(a->edge), &network) == 0) {
        ban = (struct ban){.network = network, .proven = true};
        publish(a, &ban, false);
        filter(a, &ban, false);
    }
}

static void heard(void *arg, const char *account, const char *key, const char *value)
{
    take(arg, key, value, true);
}

static void restored(void *arg, const char *account, const char *key, const char *value)
{
    take(arg, key, value, false);
}

/* --- the configuration -------------------------------------------------------------------------------------------- */

static void set_policy(struct admission *a, const struct snapshot *snapshot)
{
    const char *never = snapshot_setting(snapshot, "ban_never", NEVER), *at = never;
    struct network networks[BAN_NEVER_MAX];
    struct ban_policy policy = {.failures = snapshot_seconds(snapshot, "ban_failures", FAILURES),
                                .window_s = snapshot_seconds(snapshot, "ban_window", WINDOW_S),
                                .never = networks};

    while (*(at += strspn(at, " ,")) && policy.never_count < BAN_NEVER_MAX) {
        char word[NETWORK_TEXT];
        size_t len = strcspn(at, " ,");

        if (str_copy_n(word, sizeof word, at, len) == 0 && network_parse(word, &networks[policy.never_count]) == 0)
            policy.never_count++;
        at += len;
    }
    bans_set_policy(edge_bans(a->edge), &policy);
}

/* Is the listener in the list: "all", "udp", "tcp:5060"? */
static bool is_named(const char *list, enum edge_transport transport, uint16_t port)
{
    char exact[24];

    snprintf(exact, sizeof exact, "%s:%u", edge_transport_name(transport), port);
    for (; *(list += strspn(list, " ,")); list += strcspn(list, " ,")) {
        size_t len = strcspn(list, " ,");
        const char *const names[] = {"all", edge_transport_name(transport), exact};

        for (size_t i = 0; i < COUNT_OF(names); i++)
            if (strlen(names[i]) == len && strncasecmp(names[i], list, len) == 0)
                return true;
    }
    return false;
}

static void set_limits(struct admission *a, const struct snapshot *snapshot)
{
    union addr at;

    edge_unlimit(a->edge);
    for (size_t i = 0; i < snapshot_acl_count(snapshot); i++) {
        const struct acl *acl = snapshot_acl_at(snapshot, i);

        for (size_t l = 0; at = edge_listen_addr(a->edge, l), addr_is_set(&at); l++)
            if (is_named(acl->listeners, edge_listen_transport(a->edge, l), addr_port(&at)))
                edge_limit(a->edge, l, &acl->rules);
    }
}

static void configured(void *arg, const struct event *event)
{
    struct admission *a = arg;
    const struct snapshot *snapshot = db_snapshot(a->pbx->db);

    str_copy(a->nft_set, sizeof a->nft_set, snapshot_setting(snapshot, "nft_set", ""));
    set_policy(a, snapshot);
    set_limits(a, snapshot);
}

/* --- the face ----------------------------------------------------------------------------------------------------- */

struct admission *admission_open(struct pbx *pbx, struct edge *edge)
{
    struct admission *a = mem_new(sizeof *a);

    a->pbx = pbx;
    a->edge = edge;
    configured(a, NULL);
    a->rows = live_kind_open(db_live(pbx->db), "ban", heard, a);
    if (a->rows)
        live_each(a->rows, NULL, restored, a);
    bans_listen(edge_bans(edge), changed, a);
    a->configured = bus_subscribe(pbx->bus, EVENT_BIT(EVENT_CONFIG), configured, a);
    return a;
}

void admission_close(struct admission *a)
{
    if (!a)
        return;
    bans_listen(edge_bans(a->edge), NULL, NULL);
    bus_unsubscribe(a->configured);
    live_kind_close(a->rows);
    free(a);
}
