/* The commands about bans: what is shut out of this switch, by whom and for how long; people add and lift them here
 * even while the database is away. Signalling thread. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdio.h>
#include <stdlib.h>

#include "console/core.h"
#include "edge/edge.h"

static struct bans *bans_in(const struct core_part *core)
{
    return core->core.edge ? edge_bans(core->core.edge) : NULL;
}

static void list_one(void *arg, const struct ban *ban, enum ban_news news)
{
    char text[NETWORK_TEXT];
    json_t *json = json_pack("{s:s,s:s,s:I,s:b,s:i}", "network", network_short(&ban->network, text), "reason",
                             ban_reason_name(ban->reason), "since_us", (json_int_t)ban->since_us, "proven", ban->proven,
                             "step", (int)ban->step);

    if (ban->until_us)
        json_object_set_new(json, "until_us", json_integer((json_int_t)ban->until_us));
    if (ban->detail[0])
        json_object_set_new(json, "detail", json_text(ban->detail));
    if (ban->account[0])
        json_object_set_new(json, "tried", json_text(ban->account));
    json_array_append_new(arg, json);
}

static void run_list(struct core_part *core, struct console_request *request, json_t *params)
{
    json_t *list = json_array();

    if (bans_in(core))
        bans_each(bans_in(core), list_one, list);
    console_reply(request, json_pack("{s:o}", "bans", list));
}

/* The network in the request; false after it was answered. */
static bool take_network(struct core_part *core, struct console_request *request, json_t *params, struct network *out)
{
    const char *text = param_text(params, "network");

    if (!bans_in(core)) {
        console_fail(request, "unavailable", "This switch has no sockets.");
        return false;
    }
    if (!text || network_parse(text, out) < 0) {
        console_fail(request, "bad-request", "A network is like 192.0.2.7, 192.0.2.0/24 or 2001:db8::/64.");
        return false;
    }
    return true;
}

static void run_add(struct core_part *core, struct console_request *request, json_t *params)
{
    json_int_t seconds = json_integer_value(json_object_get(params, "seconds"));
    const char *reason = param_text(params, "reason");
    struct ban ban = {.reason = BAN_BY_HAND, .proven = true, .since_us = loop_wall_us(core->core.pbx->loop)};
    char text[NETWORK_TEXT];
    int error;

    if (!take_network(core, request, params, &ban.network))
        return;
    if (seconds < 0 || seconds > 100ll * 366 * 86400 || str_copy(ban.detail, sizeof ban.detail, reason) < 0) {
        console_fail(request, "bad-request",
                     "seconds are from 1 on (none: until it is lifted), the reason has at most %d bytes.",
                     BAN_DETAIL - 1);
        return;
    }
    str_clean_utf8(ban.detail);
    ban.until_us = seconds ? ban.since_us + (uint64_t)seconds * 1000000 : 0;
    error = bans_add(bans_in(core), &ban);
    if (error == -EINVAL)
        console_fail(request, "refused", "A ban of %s would be one of nearly everybody; an access list can do that.",
                     network_text(&ban.network, text));
    else if (error)
        console_fail(request, "refused", "There are too many bans already.");
    else
        console_reply(request, json_pack("{s:s}", "network", network_short(&ban.network, text)));
}

static void run_del(struct core_part *core, struct console_request *request, json_t *params)
{
    struct network network;
    const struct ban *larger;
    char text[NETWORK_TEXT], within[NETWORK_TEXT];

    if (!take_network(core, request, params, &network))
        return;
    if (bans_remove(bans_in(core), &network) == 0) {
        console_reply(request, json_pack("{s:s}", "network", network_short(&network, text)));
        return;
    }
    larger = bans_of(bans_in(core), &network.addr);
    if (larger)
        console_fail(request, "not-found", "There is no ban of %s itself, but one of %s, which it is in.",
                     network_short(&network, text), network_short(&larger->network, within));
    else
        console_fail(request, "not-found", "There is no ban of %s.", network_short(&network, text));
}

const struct core_command core_ban_commands[] = {
    {"bans", "networks that are banned now", run_list},
    {"ban.add", "bans a network: network, seconds (none: until it is lifted), reason", run_add},
    {"ban.del", "lifts the ban of exactly this network", run_del},
    {NULL, NULL, NULL},
};

/* --- why does 201 not register? ----------------------------------------------------------------------------------- */

struct question {
    const char *account, *peer;
    struct ban found; /* until_us and since_us 0: none */
};

static void ask_one(void *arg, const struct ban *ban, enum ban_news news)
{
    struct question *q = arg;
    union addr peer;

    if (strcmp(ban->account, q->account) == 0 ||
        (*q->peer && addr_parse(q->peer, 0, &peer) == 0 && network_has(&ban->network, &peer)))
        q->found = *ban;
}

void core_bans_explain(struct core_part *core, const char *account, json_t *why)
{
    struct question q = {.account = account, .peer = json_string_value(json_object_get(why, "peer"))};
    char sentence[600], remedy[300], network[NETWORK_TEXT], rest[60] = "";
    uint64_t now = loop_wall_us(core->core.pbx->loop);

    if (!q.peer)
        q.peer = "";
    if (bans_in(core))
        bans_each(bans_in(core), ask_one, &q);
    if (!q.found.since_us)
        return;
    network_short(&q.found.network, network);
    if (q.found.until_us)
        snprintf(rest, sizeof rest, " for another %llu min",
                 (unsigned long long)(q.found.until_us - now + 59999999) / 60000000);
    snprintf(sentence, sizeof sentence, "%s is banned%s%s%s, so that nothing from there is heard. %.250s", network,
             rest, q.found.detail[0] ? ": " : "", q.found.detail, json_string_value(json_object_get(why, "sentence")));
    snprintf(remedy, sizeof remedy,
             "Once the phone has the right user name and password, let its address in again: tandem ban del %s "
             "(networks that shall never be banned: setting ban_never)",
             network);
    json_object_set_new(why, "sentence", json_text(sentence));
    json_object_set_new(why, "remedy", json_text(remedy));
    json_object_set_new(why, "cause", json_string("banned"));
}
