/* What the command files of the core share. */
#ifndef CONSOLE_CORE_H
#define CONSOLE_CORE_H

#include "call/pbx.h"
#include "console/console-priv.h"
#include "console/console.h"

struct log_tap;

/* The core's part of a console: lives until console_close(). */
struct core_part {
    struct console_part part;
    struct console *console;
    struct console_core core;
    struct bus_subscription *subscription;
    struct log_tap *log;
    struct console_status *recorder;
};

struct core_command {
    const char *name, *summary;
    void (*fn)(struct core_part *core, struct console_request *request, json_t *params);
};

/* Tables, ended by a NULL name. */
extern const struct core_command core_status_commands[];
extern const struct core_command core_call_commands[];
extern const struct core_command core_account_commands[];
extern const struct core_command core_trace_commands[];
extern const struct core_command core_dialplan_commands[];
extern const struct core_command core_originate_commands[];
extern const struct core_command core_ban_commands[];
extern const struct core_command core_conference_commands[];
extern const struct core_command core_notify_commands[], core_subscription_commands[];

/* Says in an answer of `why register` that the phone's address is banned, when it is. */
void core_bans_explain(struct core_part *core, const char *account, json_t *why);
extern const struct core_command core_tls_commands[];
extern const struct core_command core_record_commands[], core_play_commands[];
/* Of a live call: path and paused of each, or NULL. */
json_t *core_recordings_json(const struct call *call);

/* The section "tls" of status; NULL: it is not served. */
json_t *tls_json(const struct pbx *pbx, const struct edge *edge);

/* The call of params.id; NULL after the request was answered: there is none, or several. */
struct call *core_live_call(struct core_part *core, struct console_request *request, json_t *params);

/* params[key] as text, or NULL when it is missing, no string or empty. */
const char *param_text(json_t *params, const char *key);

void core_events_start(struct core_part *core);
void core_events_stop(struct core_part *core);
/* The topic "trace" and the section "recorder" of status. */
void core_trace_start(struct core_part *core);
void core_trace_stop(struct core_part *core);

/* Log lines as topic "log": any thread may log, so they wait in a bounded queue for the loop. */
struct log_tap *log_tap_open(struct console *console) MUST_USE;
void log_tap_close(struct log_tap *tap);

#endif
