/* Records of finished calls, from the database: the latest, one with its talks, legs and events, and all of a time as
 * CSV. Calls that belong together are one conversation. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdlib.h>

#include "cli/cli.h"
#include "cli/records.h"
#include "db/admin.h"

/* "tandem calls" shows the running ones. v: the conversation; c: its first call. Talk time of several calls is known to
 * the second. story: more than that one who was dialled talked to who dialled. */
#define CALL_COLUMNS                                                                                                   \
    "c.id, (extract(epoch FROM c.started_at) * 1000000)::bigint AS started_us, to_char(c.started_at, 'YYYY-MM-DD "     \
    "HH24:MI:SS') AS began, coalesce(c.from_account, c.from_number, 'unknown') AS \"from\", c.from_name, c.dialled "   \
    "AS \"to\", v.answered_by, CASE WHEN c.answered THEN (extract(epoch FROM c.started_at) * 1000000)::bigint + "      \
    "1000 * (coalesce(c.setup_ms, 0) + coalesce(c.ring_ms, 0)) ELSE 0 END AS answered_us, c.setup_ms, c.ring_ms, "     \
    "CASE WHEN abs(extract(epoch FROM v.talked) * 1000 - c.talk_ms) <= 500 THEN c.talk_ms ELSE (extract(epoch FROM "   \
    "v.talked) * 1000)::bigint END AS talk_ms, v.result AS state, v.why AS cause, c.cause AS cause_id, c.cause_code, " \
    "v.ended_by, c.sip_status, c.context, c.dialplan, c.node, v.made_by, v.who_talked, c.at_last IS NOT NULL OR "      \
    "(SELECT count(*) > 1 OR bool_or(t.how <> 'dialled') FROM record.talk t WHERE t.conversation_id = c.id) AS story"
#define CALLS "tandem.v_call v JOIN record.call c ON c.id = v.id AND c.started_at = v.started_at"

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
                    "SELECT coalesce(json_agg(r), '[]') FROM (SELECT " CALL_COLUMNS " FROM " CALLS
                    " WHERE v.ended_at IS NOT NULL ORDER BY v.started_at DESC, v.id DESC LIMIT $1::bigint) r",
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
            "WITH wanted AS (SELECT DISTINCT coalesce(w.conversation_id, w.id) AS id FROM record.call w WHERE w.id "
            "BETWEEN $1::uuid AND $2::uuid LIMIT 2) "
            "SELECT coalesce(json_agg(r), '[]') FROM (SELECT " CALL_COLUMNS
            ", (SELECT json_agg(p.id ORDER BY p.started_at, p.id) FROM record.call p WHERE p.id = c.id OR "
            "p.conversation_id = c.id) AS calls, "
            "(SELECT coalesce(json_agg(t ORDER BY t.started_at, t.id), '[]') FROM (SELECT t.*, (extract(epoch FROM "
            "t.started_at) * 1000000)::bigint AS started_us FROM record.talk t WHERE t.conversation_id = c.id) t) AS "
            "talks, "
            "(SELECT coalesce(json_agg(l ORDER BY l.started_at, l.id), '[]') FROM (SELECT l.*, coalesce(l.account, "
            "l.number, l.contact) AS party FROM record.leg l WHERE l.call_id IN (SELECT tandem.calls_of(c.id))) l) AS "
            "legs, "
            "(SELECT coalesce(json_agg(e ORDER BY e.at, e.id), '[]') FROM (SELECT e.id, e.at, (extract(epoch FROM "
            "e.at) * 1000000)::bigint AS at_us, e.kind, e.detail, coalesce(l.account, l.number, l.contact) AS party, "
            "e.call_id FROM record.event e LEFT JOIN record.leg l ON l.id = e.leg_id WHERE e.call_id IN (SELECT "
            "tandem.calls_of(c.id))) e) AS events "
            "FROM " CALLS " WHERE v.id IN (SELECT w.id FROM wanted w) ORDER BY v.id) r",
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
    const char *made_by = json_str(call, "made_by");
    size_t used = 0;

    fprintf(cli->out, "%sCall %s of %s%s\n", colour(cli, BOLD), json_str(call, "id"), json_str(call, "began"),
            colour(cli, PLAIN));
    str_append(text, sizeof text, &used, "%s%s%s%s%s", *made_by ? "the switch called " : "", json_str(call, "from"),
               *json_str(call, "from_name") ? " (" : "", json_str(call, "from_name"),
               *json_str(call, "from_name") ? ")" : "");
    if (!*made_by)
        str_append(text, sizeof text, &used, " dialled %s", json_str(call, "to"));
    else if (strcmp(made_by, json_str(call, "to")) != 0)
        str_append(text, sizeof text, &used, " to connect it with %s", json_str(call, "to"));
    str_append(text, sizeof text, &used, *made_by ? " (%s)" : "%s", made_by);
    if (*json_str(call, "answered_by"))
        str_append(text, sizeof text, &used, ", and %s answered", json_str(call, "answered_by"));
    print_line(cli, "who", text);
    print_line(cli, "talked", json_yes(call, "story") ? json_str(call, "who_talked") : "");
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

static void print_talks(const struct cli *cli, const json_t *talks)
{
    static const char *const heads[] = {"SINCE", "WHO", "WITH", ">TALKED", "HOW"};
    struct table table;
    json_t *talk;
    size_t i;

    table_init(&table, heads, COUNT_OF(heads));
    json_array_foreach(talks, i, talk)
    {
        char when[32], with[96], talked[32], how[160];
        const char *by = json_str(talk, "by_whom");

        snprintf(with, sizeof with, "%s%s", *json_str(talk, "leg_b") ? "" : "conference ", json_str(talk, "party_b"));
        snprintf(how, sizeof how, "%s%s%s", json_str(talk, "how"), *by ? " of " : "", by);
        table_row(&table,
                  (const char *const[]){clock_text(json_num(talk, "started_us"), when), json_str(talk, "party_a"), with,
                                        seconds_text(talk, "talk_ms", talked), how});
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
    if (json_yes(call, "story")) {
        putc('\n', cli->out);
        print_talks(cli, json_object_get(call, "talks"));
    }
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
