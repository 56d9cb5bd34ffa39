/* The commands about calls that the switch begins: originate, originate.show. Signalling thread. */
#include <stdlib.h>

#include "call/originate.h"
#include "console/core.h"

struct waiting {
    struct pbx *pbx;
    struct console_request *request;
    enum originate_state until; /* answered when it has come so far, or has ended */
};

static json_t *report_json(const struct originate_report *report)
{
    json_t *json = json_pack("{s:o,s:s,s:b}", "id", json_uuid(&report->id), "state", originate_state_name(report->state),
                             "repeated", report->repeated);

    if (!uuid_is_nil(&report->call_id))
        json_object_set_new(json, "call", json_uuid(&report->call_id));
    if (*report->cause)
        json_object_set_new(json, "cause", json_text(report->cause));
    if (*report->words)
        json_object_set_new(json, "words", json_text(report->words));
    return json;
}

static void told(void *arg, const struct originate_report *report)
{
    struct waiting *waiting = arg;

    if (report->state < waiting->until)
        return;
    console_reply(waiting->request, report_json(report));
    if (report->state != ORIGINATE_ENDED)
        originate_forget(waiting->pbx, waiting);
    free(waiting);
}

static unsigned number_of(json_t *params, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(params, key));

    return value > 0 && value <= UINT32_MAX ? (unsigned)value : 0;
}

static void run_originate(struct core_part *core, struct console_request *request, json_t *params)
{
    const struct originate_wish wish = {
        .account = param_text(params, "from"),
        .to = param_text(params, "to"),
        .context = param_text(params, "context"),
        .key = param_text(params, "key"),
        .after = param_text(params, "after"),
        .at_us = (uint64_t)(json_number_value(json_object_get(params, "at")) * 1e6),
        .timeout_s = number_of(params, "timeout"),
        .valid_s = number_of(params, "valid"),
        .origin = "the command line",
    };
    bool delayed = wish.after || wish.at_us;
    struct waiting *waiting = mem_new(sizeof *waiting);
    struct originate_report report;
    struct uuid id;
    char why[256];
    int result;

    waiting->pbx = core->core.pbx;
    waiting->request = request;
    waiting->until = ORIGINATE_RINGING;
    result = originate(core->core.pbx, &wish, delayed ? NULL : told, waiting, &id, why, sizeof why);
    if (result < 0)
        console_fail(request, result == -ENOENT ? "not-found" : "refused", "%s.", why);
    else if (delayed)
        console_reply(request, report_json(originate_look(core->core.pbx, &id, &report)
                                               ? &report
                                               : &(struct originate_report){.id = id, .state = ORIGINATE_ENDED,
                                                                            .repeated = true, .cause = "", .words = ""}));
    if (result < 0 || delayed)
        free(waiting);
}

static void run_show(struct core_part *core, struct console_request *request, json_t *params)
{
    const char *text = param_text(params, "id");
    struct originate_report report;
    struct uuid id;

    if (!text || uuid_parse(text, &id) < 0)
        console_fail(request, "bad-request", "Which request? Give its whole id as \"id\".");
    else if (!originate_look(core->core.pbx, &id, &report))
        console_fail(request, "not-found",
                     "Nothing is known here of the request %.40s; tandem.v_originate in the database may know it.", text);
    else
        console_reply(request, report_json(&report));
}

const struct core_command core_originate_commands[] = {
    {"originate", "rings an account, then dials for it: from, to, context, at, after, key, timeout, valid", run_originate},
    {"originate.show", "what became of such a request: id", run_show},
    {NULL, NULL, NULL},
};
