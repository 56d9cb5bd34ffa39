/* The commands status, version and refs: how the switch is. Signalling thread. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdio.h>
#include <unistd.h>

#include "base/obj.h"
#include "console/core.h"
#include "edge/edge.h"

static const char *const db_states[] = {[DB_CONNECTING] = "connecting", [DB_READY] = "ready", [DB_DOWN] = "down"};

static json_t *database_json(const struct pbx *pbx)
{
    struct db_status status;
    json_t *json;

    if (!pbx->db)
        return json_pack("{s:s,s:s}", "state", "none", "why", "This switch runs without a database.");
    db_get_status(pbx->db, &status);
    json = json_pack("{s:s,s:I,s:I,s:{s:I,s:I,s:I,s:I,s:b}}", "state", db_states[status.state], "generation",
                     (json_int_t)status.generation, "generation_age_s", (json_int_t)status.generation_age_s, "records",
                     "waiting", (json_int_t)status.records_waiting, "delivered", (json_int_t)status.records_delivered,
                     "set_aside", (json_int_t)status.records_set_aside, "lost", (json_int_t)status.records_lost,
                     "crash_safe", status.records_crash_safe);
    if (status.why[0])
        json_object_set_new(json, "why", json_text(status.why));
    if (status.records_why[0])
        json_object_set_new(json_object_get(json, "records"), "why", json_text(status.records_why));
    if (status.config_from_copy)
        json_object_set_new(json, "from_copy", json_true());
    if (status.config_copy_why[0])
        json_object_set_new(json, "copy_why", json_text(status.config_copy_why));
    json_object_set_new(json, "live",
                        json_pack("{s:I,s:I,s:I}", "rows", (json_int_t)status.live_rows, "waiting",
                                  (json_int_t)status.live_waiting, "refused", (json_int_t)status.live_refused));
    if (status.live_why[0])
        json_object_set_new(json_object_get(json, "live"), "why", json_text(status.live_why));
    if (status.place[0])
        json_object_set_new(json, "place", json_text(status.place));
    return json;
}

/* Legs whose audio is poor just now, in either direction. */
static int poor_legs(const struct pbx *pbx)
{
    const struct call *call;
    const struct leg *leg;
    int poor = 0;

    LIST_FOR_EACH(call, &pbx->calls, in_pbx)
    LIST_FOR_EACH(leg, &call->legs, in_call)
    poor += leg->quality.in.poor || leg->quality.out.poor;
    return poor;
}

static json_t *media_json(const struct pbx *pbx)
{
    struct media_status status;

    if (!pbx->media)
        return json_pack("{s:b}", "up", 0);
    media_get_status(pbx->media, &status);
    return json_pack("{s:b,s:i,s:i,s:i,s:i,s:I,s:i}", "up", status.up, "pid", status.pid, "ports_used",
                     (int)status.ports_used, "ports_ready", (int)status.ports_ready, "restarts", (int)status.restarts,
                     "packets", (json_int_t)status.packets, "poor_legs", poor_legs(pbx));
}

static json_t *edge_json(const struct edge *edge)
{
    struct edge_stats s;
    json_t *json, *dropped;

    edge_get_stats(edge, &s);
    json = json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:{s:I,s:I,s:I,s:I},s:{s:I,s:I,s:I,s:I}}", "in", (json_int_t)s.in, "out",
                     (json_int_t)s.out, "in_bytes", (json_int_t)s.in_bytes, "out_bytes", (json_int_t)s.out_bytes,
                     "send_failed", (json_int_t)s.send_failed, "refused", (json_int_t)s.refused, "dropped", "malformed",
                     (json_int_t)s.dropped_malformed, "size", (json_int_t)s.dropped_size, "rate",
                     (json_int_t)s.dropped_rate, "no_flow", (json_int_t)s.dropped_no_flow, "connections", "now",
                     (json_int_t)s.connections, "total", (json_int_t)s.connections_total, "refused",
                     (json_int_t)s.connections_refused, "cut", (json_int_t)s.connections_cut);
    dropped = json_object_get(json, "dropped");
    json_object_set_new(dropped, "banned", json_integer((json_int_t)s.dropped_banned));
    json_object_set_new(dropped, "acl", json_integer((json_int_t)s.dropped_acl));
    json_object_set_new(dropped, "scanner", json_integer((json_int_t)s.dropped_scanner));
    json_object_set_new(json, "bans", json_integer(bans_count(edge_bans(edge))));
    return json;
}

/* Resident memory in bytes; 0 when /proc is not there. procfs answers from memory, so this does not block. */
static uint64_t memory_bytes(void)
{
    unsigned long size, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (!file)
        return 0;
    if (fscanf(file, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void run_status(struct core_part *core, struct console_request *request, json_t *params)
{
    const struct pbx *pbx = core->core.pbx;
    struct console_status *status;
    json_t *json, *section;

    json = json_pack("{s:s,s:i,s:I,s:b,s:{s:i,s:I},s:{s:i,s:I},s:I,s:o,s:o}", "version", PACKAGE_VERSION, "node",
                     (int)pbx->node, "uptime_s", (json_int_t)((loop_now_us(pbx->loop) - pbx->started_us) / 1000000),
                     "draining", pbx->draining, "calls", "now", (int)pbx->call_count, "total",
                     (json_int_t)pbx->calls_total, "legs", "now", (int)pbx->leg_count, "total",
                     (json_int_t)pbx->legs_total, "memory_bytes", (json_int_t)memory_bytes(), "database",
                     database_json(pbx), "media", media_json(pbx));
    if (core->core.edge)
        json_object_set_new(json, "edge", edge_json(core->core.edge));
    section = tls_json(pbx, core->core.edge);
    if (section)
        json_object_set_new(json, "tls", section);
    LIST_FOR_EACH(status, &core->console->statuses, node)
    {
        section = status->fn(status->arg);
        if (section)
            json_object_set_new(json, status->name, section);
    }
    console_reply(request, json);
}

static void run_version(struct core_part *core, struct console_request *request, json_t *params)
{
    console_reply(request, json_pack("{s:s,s:i}", "version", PACKAGE_VERSION, "protocol", CONSOLE_PROTOCOL));
}

static void add_ref(void *arg, const char *type, const void *obj, unsigned refs, const char *holders)
{
    json_array_append_new(arg,
                          json_pack("{s:s,s:i,s:o}", "type", type, "refs", (int)refs, "holders", json_text(holders)));
}

static void run_refs(struct core_part *core, struct console_request *request, json_t *params)
{
    static const char *const types[] = {"call", "leg", "bridge", "account"};
    json_t *objects = json_array(), *live = json_object();

    obj_each(add_ref, objects);
    for (size_t i = 0; i < COUNT_OF(types); i++)
        json_object_set_new(live, types[i], json_integer((json_int_t)obj_live(types[i])));
    json_object_set_new(live, "all", json_integer((json_int_t)obj_live(NULL)));
    console_reply(request, json_pack("{s:o,s:o}", "live", live, "objects", objects));
}

const struct core_command core_status_commands[] = {
    {"status", "how the switch is: calls, database, media, edge, memory", run_status},
    {"version", "versions of the switch and of this protocol", run_version},
    {"refs", "live objects and, in debug builds, who holds them", run_refs},
    {NULL, NULL, NULL},
};
