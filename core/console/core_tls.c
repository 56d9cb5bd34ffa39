/* The commands about TLS: what certificates are in force, and reading them anew. Signalling thread; files are read on a
 * worker, and the answer comes when that is done. */
#include <stdlib.h>

#include "console/core.h"
#include "edge/edge.h"

#define DAY_S 86400

static json_t *certificate_json(const struct edge_certificate_state *state, int64_t now)
{
    json_t *json = json_pack("{s:o,s:b}", "file", json_text(state->file), "usable", state->usable);

    if (state->usable) {
        json_object_set_new(json, "names", json_text(state->names));
        json_object_set_new(json, "issuer", json_text(state->issuer));
        json_object_set_new(json, "key", json_text(state->kind));
        json_object_set_new(json, "valid_from", json_integer((json_int_t)state->from));
        json_object_set_new(json, "expires_at", json_integer((json_int_t)state->until));
        json_object_set_new(json, "days_left",
                            json_integer((json_int_t)(state->until > now ? (state->until - now) / DAY_S : -1)));
        json_object_set_new(json, "expires_soon", json_boolean(state->until - now < (int64_t)EDGE_EXPIRY_DAYS * DAY_S));
    }
    if (state->why[0])
        json_object_set_new(json, "why", json_text(state->why));
    return json;
}

json_t *tls_json(const struct pbx *pbx, const struct edge *edge)
{
    struct edge_tls_state *state = mem_new(sizeof *state);
    int64_t now = (int64_t)(loop_wall_us(pbx->loop) / 1000000);
    json_t *json = NULL, *certificates;

    if (edge && edge_tls_get_state(edge, state)) {
        certificates = json_array();
        for (unsigned i = 0; i < state->count; i++)
            json_array_append_new(certificates, certificate_json(&state->certificates[i], now));
        json = json_pack("{s:o,s:I,s:I,s:I,s:I}", "certificates", certificates, "read_at_us",
                         (json_int_t)state->loaded_us, "handshakes", (json_int_t)state->handshakes, "resumed",
                         (json_int_t)state->resumed, "failed", (json_int_t)state->failed);
        if (state->why[0])
            json_object_set_new(json, "why", json_text(state->why));
        if (state->last_failure[0]) {
            json_object_set_new(json, "last_failure", json_text(state->last_failure));
            json_object_set_new(json, "last_failure_us", json_integer((json_int_t)state->last_failure_us));
        }
    }
    free(state);
    return json;
}

static void run_tls(struct core_part *core, struct console_request *request, json_t *params)
{
    json_t *json = tls_json(core->core.pbx, core->core.edge);

    if (json)
        console_reply(request, json);
    else
        console_fail(request, "unavailable",
                     "This switch does not serve TLS: no line listen = tls:… is in its configuration.");
}

struct reading {
    struct console_request *request;
    const struct pbx *pbx;
    const struct edge *edge;
};

/* In words, what is wrong with the files. */
static const char *problem_of(const json_t *json)
{
    const json_t *certificate;
    size_t i;

    json_array_foreach(json_object_get(json, "certificates"), i, certificate)
    {
        if (json_object_get(certificate, "why"))
            return json_string_value(json_object_get(certificate, "why"));
    }
    return json_string_value(json_object_get(json, "why"));
}

static void read_anew(void *arg, bool good)
{
    struct reading *reading = arg;
    json_t *json = tls_json(reading->pbx, reading->edge);
    const char *problem = problem_of(json);

    if (good) {
        console_reply(reading->request, json);
    } else {
        console_fail(reading->request, "certificate", "%s. What was in force before stays",
                     problem ? problem : "a file cannot be read");
        json_decref(json);
    }
    free(reading);
}

static void run_reload(struct core_part *core, struct console_request *request, json_t *params)
{
    struct reading *reading = mem_new(sizeof *reading);
    int result;

    *reading = (struct reading){request, core->core.pbx, core->core.edge};
    result = core->core.edge ? edge_tls_reload(core->core.edge, read_anew, reading) : -ENOENT;
    if (result == 0)
        return;
    free(reading);
    if (result == -EBUSY)
        console_fail(request, "busy", "The certificates are being read already: try again in a moment.");
    else
        console_fail(request, "unavailable", "This switch does not serve TLS.");
}

const struct core_command core_tls_commands[] = {
    {"tls", "certificates in force, and how handshakes went", run_tls},
    {"tls.reload", "reads the certificates anew; a broken one is refused", run_reload},
    {NULL, NULL, NULL},
};
