/* Records of finished calls, from the database: the latest, one with its legs and events, and all of a time as CSV. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdlib.h>

#include "cli/cli.h"
#include "cli/records.h"
#include "db/admin.h"

/* "tandem calls" shows the running ones. */
#define CALL_COLUMNS                                                                                                   \
    "c.id, (extract(epoch FROM c.started_at) * 1000000)::bigint AS started_us, to_char(c.started_at, 'YYYY-MM-DD "     \
    "HH24:MI:SS') AS began, coalesce(c.from_account, c.from_number, 'unknown') AS \"from\", c.from_name, c.dialled "   \
    "AS \"to\", c.answered_by, CASE WHEN c.answered THEN (extract(epoch FROM c.started_at) * 1000000)::bigint + "      \
    "1000 * (coalesce(c.setup_ms, 0) + coalesce(c.ring_ms, 0)) ELSE 0 END AS answered_us, c.setup_ms, c.ring_ms, "     \
    "c.talk_ms, CASE WHEN c.ended_at IS NULL THEN 'running' WHEN c.cause = 'switch-stopped' THEN 'cut off' WHEN "      \
    "c.answered THEN 'answered' ELSE 'not answered' END AS state, coalesce(c.cause_text, c.cause) AS cause, c.cause "  \
    "AS cause_id, c.cause_code, c.ended_by, c.sip_status, c.context, c.dialplan, c.node"

/* Without words: there may be no database, or none for this person, and what the switch remembers is shown then. */
static enum cli_exit ask_quietly(struct cli *cli, const char *sql, const char *const *params, unsigned count,
                                 json_t **result)
{
    enum cli_exit status;

    cli->quiet = true;
    status = cli_connect(cli);
    cli->quiet = false;
    *result = NULL;
    return status == CLI_OK ? cli_sql(cli, sql, params, count, result, NULL) : status;
}

json_t *records_last(struct cli *cli, unsigned last)
{
    char number[16];
    const char *params[] = {number};
    json_t *calls = NULL;

    snprintf(number, sizeof number, "%u", last);
    if (ask_quietly(cli,
                    "SELECT coalesce(json_agg(r), '[]') FROM (SELECT " CALL_COLUMNS " FROM record.call c WHERE "
                    "c.ended_at IS NOT NULL ORDER BY c.started_at DESC, c.id DESC LIMIT $1::bigint) r",
                    params, 1, &calls) != CLI_OK)
        return NULL;
    return calls;
}

/* The smallest and the largest id that begin with the prefix: an index knows these. false: no id begins so. */
static bool id_range(const char *prefix, char low[40], char high[40])
{
    static const char shape[] = "00000000-0000-0000-0000-000000000000";
    size_t len = strlen(prefix);

    if (!len || len >= sizeof shape)
        return false;
    for (size_t i = 0; i < sizeof shape; i++) {
        bool dash = shape[i] == '-';

        if (i < len && (dash ? prefix[i] != '-' : !strchr("0123456789abcdefABCDEF", prefix[i])))
            return false;
        low[i] = i < len ? prefix[i] : shape[i];
        high[i] = i < len ? prefix[i] : dash || !shape[i] ? shape[i] : 'f';
    }
    return true;
}

json_t *records_call(struct cli *cli, const char *prefix)
{
    char low[40], high[40];
    const char *params[] = {low, high};
    json_t *found = NULL;

    if (!id_range(prefix, low, high))
        return NULL;
    if (ask_quietly(
            cli,
            "SELECT coalesce(json_agg(r), '[]') FROM (SELECT " CALL_COLUMNS
            ", (SELECT coalesce(json_agg(l ORDER BY l.started_at, l.id), '[]') FROM (SELECT l.*, coalesce(l.account, "
            "l.number, l.contact) AS party FROM record.leg l WHERE l.call_id = c.id) l) AS legs, "
            "(SELECT coalesce(json_agg(e ORDER BY e.at, e.id), '[]') FROM (SELECT e.id, e.at, (extract(epoch FROM "
            "e.at) * 1000000)::bigint AS at_us, e.kind, e.detail, coalesce(l.account, l.number, l.contact) AS party "
            "FROM record.event e LEFT JOIN record.leg l ON l.id = e.leg_id WHERE e.call_id = c.id) e) AS events "
            "FROM record.call c WHERE c.id BETWEEN $1::uuid AND $2::uuid ORDER BY c.id LIMIT 2) r",
            params, 2, &found) != CLI_OK)
        return NULL;
    if (json_array_size(found) == 1) {
        json_t *call = json_incref(json_array_get(found, 0));

        json_decref(found);
        return call;
    }
    if (json_array_size(found) > 1)
        cli_error("several recorded calls begin with \"%s\": give more characters of the id", prefix);
    json_decref(found);
    return NULL;
}

/* --- printing ----------------------------------------------------------------------------------------------------- */

static const char *seconds_text(const json_t *object, const char *key, char out[32])
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_integer(value))
        return "-";
    return duration_text((json_integer_value(value) + 500) / 1000, out);
}

static void print_line(const struct cli *cli, const char *label, const char *text)
{
    if (!*text)
        return;
    fprintf(cli->out, "  %-10s ", label);
    print_clean(cli->out, text);
    putc('\n', cli->out);
}

static void print_head(const struct cli *cli, const json_t *call)
{
    char text[512], one[32], two[32], three[32];
    size_t used = 0;

    fprintf(cli->out, "%sCall %s of %s%s\n", colour(cli, BOLD), json_str(call, "id"), json_str(call, "began"),
            colour(cli, PLAIN));
    str_append(text, sizeof text, &used, "%s%s%s%s dialled %s", json_str(call, "from"),
               *json_str(call, "from_name") ? " (" : "", json_str(call, "from_name"),
               *json_str(call, "from_name") ? ")" : "", json_str(call, "to"));
    if (*json_str(call, "answered_by"))
        str_append(text, sizeof text, &used, ", and %s answered", json_str(call, "answered_by"));
    print_line(cli, "who", text);
    used = 0;
    str_append(text, sizeof text, &used, "%s; first sign after %s, rang %s, talked %s", json_str(call, "state"),
               seconds_text(call, "setup_ms", one), seconds_text(call, "ring_ms", two),
               seconds_text(call, "talk_ms", three));
    print_line(cli, "what", text);
    used = 0;
    str_append(text, sizeof text, &used, "%s [%s", json_str(call, "cause"), json_str(call, "cause_id"));
    if (json_num(call, "cause_code"))
        str_append(text, sizeof text, &used, ", Q.850 %lld", (long long)json_num(call, "cause_code"));
    if (json_num(call, "sip_status"))
        str_append(text, sizeof text, &used, ", SIP %lld", (long long)json_num(call, "sip_status"));
    str_append(text, sizeof text, &used, "]%s%s", *json_str(call, "ended_by") ? ", by the " : "",
               json_str(call, "ended_by"));
    print_line(cli, "why", *json_str(call, "cause") ? text : "");
    used = 0;
    str_append(text, sizeof text, &used, "context %s, dialplan %s, node %lld", json_str(call, "context"),
               *json_str(call, "dialplan") ? json_str(call, "dialplan") : "not known",
               (long long)json_num(call, "node"));
    print_line(cli, "where", text);
}

static void print_legs(const struct cli *cli, const json_t *legs)
{
    static const char *const heads[] = {"LEG", "AT",   ">RANG", ">TALKED", "CODEC",
                                        ">IN", ">OUT", ">LOST", ">JITTER", "WHY"};
    struct table table;
    json_t *leg;
    size_t i;

    table_init(&table, heads, COUNT_OF(heads));
    json_array_foreach(legs, i, leg)
    {
        char party[160], rang[32], talked[32], codec[64], in[24], out[24], lost[24], jitter[24];

        snprintf(party, sizeof party, "%s %s", json_yes(leg, "inbound") ? "from" : "to", json_str(leg, "party"));
        snprintf(codec, sizeof codec, "%s%s%s", json_str(leg, "codec"), *json_str(leg, "srtp") ? ", " : "",
                 json_str(leg, "srtp"));
        snprintf(in, sizeof in, "%lld", (long long)json_num(leg, "rx_packets"));
        snprintf(out, sizeof out, "%lld", (long long)json_num(leg, "tx_packets"));
        snprintf(lost, sizeof lost, "%lld", (long long)json_num(leg, "lost_packets"));
        snprintf(jitter, sizeof jitter, "%.1f ms", (double)json_num(leg, "jitter_us") / 1000);
        table_row(&table, (const char *const[]){party, json_str(leg, "peer"), seconds_text(leg, "ring_ms", rang),
                                                seconds_text(leg, "talk_ms", talked), codec, in, out, lost, jitter,
                                                json_str(leg, "cause_text")});
    }
    table_print(&table, cli);
}

static void print_events(const struct cli *cli, const json_t *events)
{
    static const char *const heads[] = {"TIME", "EVENT", "PARTY", "DETAIL"};
    struct table table;
    json_t *event;
    size_t i;

    table_init(&table, heads, COUNT_OF(heads));
    json_array_foreach(events, i, event)
    {
        char when[32];

        table_row(&table, (const char *const[]){clock_text(json_num(event, "at_us"), when), json_str(event, "kind"),
                                                json_str(event, "party"), json_str(event, "detail")});
    }
    table_print(&table, cli);
}

void records_print(const struct cli *cli, const json_t *call)
{
    print_head(cli, call);
    if (json_array_size(json_object_get(call, "legs"))) {
        putc('\n', cli->out);
        print_legs(cli, json_object_get(call, "legs"));
    }
    if (json_array_size(json_object_get(call, "events"))) {
        putc('\n', cli->out);
        print_events(cli, json_object_get(call, "events"));
    }
}

/* --- export ------------------------------------------------------------------------------------------------------- */

/* COPY takes no parameters, so a time stands in the statement: it must be made of what times are made of. */
static bool is_time(const char *text)
{
    return *text && strlen(text) < 64 && strspn(text, "0123456789-:+. TZ") == strlen(text);
}

static int write_out(void *arg, const char *data, size_t len)
{
    return fwrite(data, 1, len, arg) == len ? 0 : -EIO;
}

enum cli_exit records_export(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    const char *from = NULL, *to = NULL;
    struct admin_error error;
    char sql[512];
    size_t used = 0;

    for (int i = 2; i < argc; i++) {
        const char **slot = strcmp(argv[i], "--from") == 0 ? &from : strcmp(argv[i], "--to") == 0 ? &to : NULL;

        if (!slot || i + 1 == argc || !is_time(argv[i + 1]))
            return cli_usage(command, "export takes --from TIME and --to TIME, for example --from 2025-03-01 --to "
                                      "\"2025-04-01 00:00\"");
        *slot = argv[++i];
    }
    str_append(sql, sizeof sql, &used, "COPY (SELECT * FROM tandem.v_call_export WHERE true");
    if (from)
        str_append(sql, sizeof sql, &used, " AND started_at >= timestamptz '%s'", from);
    if (to)
        str_append(sql, sizeof sql, &used, " AND started_at < timestamptz '%s'", to);
    str_append(sql, sizeof sql, &used, ") TO STDOUT (FORMAT csv, HEADER)");
    if (cli_connect(cli) != CLI_OK)
        return CLI_FAILED;
    if (admin_copy_out(cli->admin, sql, write_out, cli->out, NULL, &error) < 0) {
        cli_sql_error(cli, &error);
        return CLI_FAILED;
    }
    if (fflush(cli->out) == 0)
        return CLI_OK;
    cli_error("the file could not be written: %s", strerror(errno));
    return CLI_FAILED;
}
