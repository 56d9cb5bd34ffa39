/* tandem status, version, refs. */
#include "config.h" /* first: it asks the C library for its extensions */

#include "cli/cli.h"

static void label(const struct cli *cli, const char *text)
{
    fprintf(cli->out, "%s%-10s%s ", colour(cli, BOLD), text, colour(cli, PLAIN));
}

static void good_or_bad(const struct cli *cli, bool good, const char *text)
{
    fprintf(cli->out, "%s%s%s", colour(cli, good ? GREEN : RED), text, colour(cli, PLAIN));
}

/* One more line under a label, in colour, when there is something to say. */
static void say_also(const struct cli *cli, const char *words)
{
    if (!words || !*words)
        return;
    label(cli, "");
    fputs(colour(cli, YELLOW), cli->out);
    print_clean(cli->out, words);
    fprintf(cli->out, "%s\n", colour(cli, PLAIN));
}

static void print_records(const struct cli *cli, const json_t *records)
{
    fprintf(cli->out, "; records: %lld waiting, %lld delivered", (long long)json_num(records, "waiting"),
            (long long)json_num(records, "delivered"));
    if (json_num(records, "set_aside"))
        fprintf(cli->out, ", %lld set aside", (long long)json_num(records, "set_aside"));
    if (json_num(records, "lost"))
        fprintf(cli->out, ", %s%lld lost%s", colour(cli, RED), (long long)json_num(records, "lost"),
                colour(cli, PLAIN));
}

static void print_live(const struct cli *cli, const json_t *live)
{
    label(cli, "live data");
    fprintf(cli->out, "%lld rows", (long long)json_num(live, "rows"));
    if (json_num(live, "waiting"))
        fprintf(cli->out, ", %lld not yet in the database", (long long)json_num(live, "waiting"));
    if (json_num(live, "refused"))
        fprintf(cli->out, ", %s%lld refused by the database%s", colour(cli, RED), (long long)json_num(live, "refused"),
                colour(cli, PLAIN));
    putc('\n', cli->out);
    say_also(cli, json_str(live, "why"));
}

static void print_database(const struct cli *cli, const json_t *database)
{
    const json_t *records = json_object_get(database, "records");
    const char *state = json_str(database, "state");
    char age[32];

    label(cli, "database");
    good_or_bad(cli, strcmp(state, "ready") == 0, state);
    if (json_object_get(database, "generation"))
        fprintf(cli->out, ", configuration %lld%s, %s old", (long long)json_num(database, "generation"),
                json_yes(database, "from_copy") ? " from the local copy" : "",
                duration_text(json_num(database, "generation_age_s"), age));
    if (records)
        print_records(cli, records);
    putc('\n', cli->out);
    say_also(cli, json_str(database, "why"));
    say_also(cli, json_str(database, "copy_why"));
    if (records)
        say_also(cli, json_str(records, "why"));
    if (json_is_false(json_object_get(records, "crash_safe")))
        say_also(cli, "shared memory (/dev/shm) cannot be used: a crash of the switch would lose the records of its "
                      "last moment");
    if (json_object_get(database, "live"))
        print_live(cli, json_object_get(database, "live"));
}

static void print_media(const struct cli *cli, const json_t *media)
{
    label(cli, "media");
    if (!json_yes(media, "up")) {
        good_or_bad(cli, false, "down");
        fputs(": no call can have audio; the log says why\n", cli->out);
        return;
    }
    good_or_bad(cli, true, "up");
    fprintf(cli->out, " (process %lld), ports: %lld in use, %lld ready; %lld packets relayed",
            (long long)json_num(media, "pid"), (long long)json_num(media, "ports_used"),
            (long long)json_num(media, "ports_ready"), (long long)json_num(media, "packets"));
    if (json_num(media, "poor_legs"))
        fprintf(cli->out, ", poor audio: %lld", (long long)json_num(media, "poor_legs"));
    if (json_num(media, "restarts"))
        fprintf(cli->out, ", restarted %lld times", (long long)json_num(media, "restarts"));
    putc('\n', cli->out);
}

static void print_edge(const struct cli *cli, const json_t *edge)
{
    static const struct {
        const char *key, *words;
    } drops[] = {{"malformed", "malformed"}, {"size", "too large"},  {"rate", "too fast"},   {"no_flow", "to nobody"},
                 {"banned", "banned"},       {"acl", "not allowed"}, {"scanner", "scanners"}};
    const json_t *dropped = json_object_get(edge, "dropped");

    label(cli, "messages");
    fprintf(cli->out, "%lld in, %lld out", (long long)json_num(edge, "in"), (long long)json_num(edge, "out"));
    for (size_t i = 0; i < COUNT_OF(drops); i++)
        if (json_num(dropped, drops[i].key))
            fprintf(cli->out, ", %s%lld dropped (%s)%s", colour(cli, YELLOW),
                    (long long)json_num(dropped, drops[i].key), drops[i].words, colour(cli, PLAIN));
    if (json_num(edge, "send_failed"))
        fprintf(cli->out, ", %lld not sent", (long long)json_num(edge, "send_failed"));
    putc('\n', cli->out);
}

static void print_load(const struct cli *cli, const json_t *load)
{
    label(cli, "load");
    good_or_bad(cli, !json_yes(load, "overloaded"), json_yes(load, "overloaded") ? "too high" : "fine");
    fprintf(cli->out, ", %lld percent; memory %lld of %lld MiB", (long long)json_num(load, "percent"),
            (long long)json_num(load, "memory_mb"), (long long)json_num(load, "max_memory_mb"));
    if (json_num(load, "refused"))
        fprintf(cli->out, "; %s%lld requests refused%s", colour(cli, YELLOW), (long long)json_num(load, "refused"),
                colour(cli, PLAIN));
    putc('\n', cli->out);
    say_also(cli, json_str(load, "why"));
}

/* Somebody locked out is the usual question. */
static void print_bans(const struct cli *cli, const json_t *edge)
{
    json_int_t bans = json_num(edge, "bans");

    if (!bans)
        return;
    label(cli, "bans");
    fprintf(cli->out, "%lld %s; `tandem ban list` says which and why\n", (long long)bans,
            bans == 1 ? "address is not listened to" : "addresses are not listened to");
}

/* How the internet reaches the switch. */
static void print_network(const struct cli *cli, const json_t *network)
{
    const char *address = json_str(network, "public_address"), *asked = json_str(network, "asked");
    char age[32];

    label(cli, "address");
    if (!*address)
        good_or_bad(cli, false, "not known");
    print_clean(cli->out, address);
    fprintf(cli->out, ", by %s", json_str(network, "source"));
    if (*asked) {
        fputs(" (", cli->out);
        print_clean(cli->out, asked);
        if (*address)
            fprintf(cli->out, ", %s ago", duration_text(json_num(network, "age_s"), age));
        putc(')', cli->out);
    }
    putc('\n', cli->out);
    say_also(cli, json_str(network, "why"));
}

/* Phones that need somebody's attention. */
static void print_phones(const struct cli *cli, const json_t *phones)
{
    const json_t *routers = json_object_get(phones, "sip_alg"), *router;
    size_t i;

    label(cli, "phones");
    fprintf(cli->out, "%lld registered", (long long)json_num(phones, "registered"));
    if (json_num(phones, "unreachable"))
        fprintf(cli->out, ", %s%lld of them unreachable%s (see `tandem registrations`)", colour(cli, YELLOW),
                (long long)json_num(phones, "unreachable"), colour(cli, PLAIN));
    putc('\n', cli->out);
    json_array_foreach(routers, i, router)
    {
        char words[300];

        snprintf(words, sizeof words, "the router at %s rewrites SIP (%s): switch off SIP ALG there",
                 json_str(router, "router"), json_str(router, "signature"));
        say_also(cli, words);
    }
}

static void print_tls(const struct cli *cli, const json_t *tls)
{
    const json_t *certificate, *certificates = json_object_get(tls, "certificates");
    json_int_t usable = 0, first = -1;
    char words[400];
    size_t i;

    json_array_foreach(certificates, i, certificate)
    {
        if (!json_yes(certificate, "usable"))
            continue;
        if (!usable++ || json_num(certificate, "days_left") < first)
            first = json_num(certificate, "days_left");
    }
    label(cli, "tls");
    good_or_bad(cli, usable && first >= 0, !usable ? "no certificate" : first < 0 ? "expired" : "works");
    if (usable)
        fprintf(cli->out, ", %lld certificate%s", (long long)usable, usable == 1 ? "" : "s");
    if (first >= 0)
        fprintf(cli->out, ", valid for %lld days", (long long)first);
    fprintf(cli->out, "; %lld handshakes", (long long)json_num(tls, "handshakes"));
    if (json_num(tls, "failed"))
        fprintf(cli->out, ", %lld failed (see `tandem tls`)", (long long)json_num(tls, "failed"));
    putc('\n', cli->out);
    json_array_foreach(certificates, i, certificate)
    {
        certificate_words(certificate, words, sizeof words);
        say_also(cli, words);
    }
    say_also(cli, json_str(tls, "why"));
}

static void print_recorder(const struct cli *cli, const json_t *recorder)
{
    json_int_t oldest_us = json_num(recorder, "oldest_us");
    char when[32];

    if (!*json_str(recorder, "dir"))
        return; /* without files */
    label(cli, "recorder");
    if (!json_yes(recorder, "writing"))
        good_or_bad(cli, false, "stopped");
    else
        good_or_bad(cli, true, "writes");
    fprintf(cli->out, ", %lld of %lld MiB", (long long)json_num(recorder, "bytes") >> 20,
            (long long)json_num(recorder, "limit_bytes") >> 20);
    if (oldest_us)
        fprintf(cli->out, ", since %s", day_text(oldest_us, when));
    if (json_num(recorder, "lost_messages") || json_num(recorder, "lost_bytes"))
        fprintf(cli->out, "; %lld messages and %lld bytes lost", (long long)json_num(recorder, "lost_messages"),
                (long long)json_num(recorder, "lost_bytes"));
    if (json_num(recorder, "left_out_floods"))
        fprintf(cli->out, "; %lld messages of floods left out", (long long)json_num(recorder, "left_out_floods"));
    putc('\n', cli->out);
    if (*json_str(recorder, "why")) {
        label(cli, "");
        print_clean(cli->out, json_str(recorder, "why"));
        putc('\n', cli->out);
    }
}

static void print_dialplan(const struct cli *cli, const json_t *dialplan)
{
    const char *problem = json_str(dialplan, "problem");

    label(cli, "dialplan");
    good_or_bad(cli, !*problem, *problem ? "broken" : "loaded");
    fprintf(cli->out, ", %lld extensions in %lld contexts\n", (long long)json_num(dialplan, "extensions"),
            (long long)json_num(dialplan, "contexts"));
    say_also(cli, problem);
    if (*problem)
        say_also(cli, "the one that worked last is in force until `tandem dialplan reload` succeeds");
}

/* Names of modules; what main() brings may be strings or objects with a name. */
static void print_modules(const struct cli *cli, const json_t *modules)
{
    json_t *item;
    size_t i;

    label(cli, "modules");
    if (json_array_size(modules) == 0)
        fputs("none", cli->out);
    json_array_foreach(modules, i, item)
    {
        const char *name = json_is_string(item) ? json_string_value(item) : json_str(item, "name");
        const char *state = json_str(item, "state");

        fputs(i ? ", " : "", cli->out);
        print_clean(cli->out, name);
        if (*state && strcmp(state, "running") != 0)
            fprintf(cli->out, " (%s)", state);
    }
    putc('\n', cli->out);
}

static enum cli_exit run_status(struct cli *cli, int argc, char **argv)
{
    json_t *s;
    char uptime[32];

    if (argc > 1)
        return cli_usage(&cmd_status, "status takes no arguments");
    if (cli_ask(cli, "status", NULL, &s) != CLI_OK)
        return CLI_FAILED;
    if (cli->json) {
        print_json(cli, s);
        json_decref(s);
        return CLI_OK;
    }
    fprintf(cli->out, "%sTandem %s%s, node %lld, running for %s%s\n", colour(cli, BOLD), json_str(s, "version"),
            colour(cli, PLAIN), (long long)json_num(s, "node"), duration_text(json_num(s, "uptime_s"), uptime),
            json_yes(s, "draining") ? ", being stopped: takes no new calls" : "");
    label(cli, "calls");
    fprintf(cli->out, "%lld now, %lld since the start; legs: %lld now, %lld since the start\n",
            (long long)json_num(json_object_get(s, "calls"), "now"),
            (long long)json_num(json_object_get(s, "calls"), "total"),
            (long long)json_num(json_object_get(s, "legs"), "now"),
            (long long)json_num(json_object_get(s, "legs"), "total"));
    print_database(cli, json_object_get(s, "database"));
    print_media(cli, json_object_get(s, "media"));
    if (json_object_get(s, "edge"))
        print_edge(cli, json_object_get(s, "edge"));
    if (json_object_get(s, "load"))
        print_load(cli, json_object_get(s, "load"));
    print_bans(cli, json_object_get(s, "edge"));
    if (json_object_get(s, "tls"))
        print_tls(cli, json_object_get(s, "tls"));
    if (json_object_get(s, "network"))
        print_network(cli, json_object_get(s, "network"));
    if (json_object_get(s, "phones"))
        print_phones(cli, json_object_get(s, "phones"));
    if (json_object_get(s, "dialplan"))
        print_dialplan(cli, json_object_get(s, "dialplan"));
    if (json_object_get(s, "recorder"))
        print_recorder(cli, json_object_get(s, "recorder"));
    if (json_object_get(s, "modules"))
        print_modules(cli, json_object_get(s, "modules"));
    label(cli, "memory");
    fprintf(cli->out, "%.1f MiB\n", (double)json_num(s, "memory_bytes") / (1024 * 1024));
    json_decref(s);
    return CLI_OK;
}

static enum cli_exit run_modules(struct cli *cli, int argc, char **argv)
{
    static const char *const heads[] = {"MODULE", "INSTANCE", "VERSION", "WHAT IT DOES"};
    struct table table;
    json_t *result, *item;
    size_t i;

    if (argc > 1)
        return cli_usage(&cmd_modules, "modules takes no arguments");
    if (cli_ask(cli, "modules", NULL, &result) != CLI_OK)
        return CLI_FAILED;
    if (cli->json) {
        print_json(cli, result);
    } else {
        table_init(&table, heads, COUNT_OF(heads));
        json_array_foreach(json_object_get(result, "modules"), i, item)
        {
            table_row(&table, (const char *const[]){json_str(item, "name"), json_str(item, "instance"),
                                                    json_str(item, "version"), json_str(item, "summary")});
        }
        table_print(&table, cli);
    }
    json_decref(result);
    return CLI_OK;
}

static enum cli_exit run_version(struct cli *cli, int argc, char **argv)
{
    json_t *result;
    enum cli_exit status = cli_ask(cli, "version", NULL, &result);

    if (status == CLI_OK && cli->json)
        print_json(cli, result);
    else if (status == CLI_OK)
        fprintf(cli->out, "switch %s, this program %s\n", json_str(result, "version"), PACKAGE_VERSION);
    json_decref(result);
    return status;
}

static enum cli_exit run_refs(struct cli *cli, int argc, char **argv)
{
    static const char *const heads[] = {"OBJECT", ">REFS", "HELD BY"};
    struct table table;
    json_t *result, *item;
    const char *key;
    char refs[32];
    size_t i;

    if (cli_ask(cli, "refs", NULL, &result) != CLI_OK)
        return CLI_FAILED;
    if (cli->json) {
        print_json(cli, result);
        json_decref(result);
        return CLI_OK;
    }
    json_object_foreach(json_object_get(result, "live"), key, item)
    {
        fprintf(cli->out, "%-8s %lld\n", key, (long long)json_integer_value(item));
    }
    table_init(&table, heads, COUNT_OF(heads));
    json_array_foreach(json_object_get(result, "objects"), i, item)
    {
        snprintf(refs, sizeof refs, "%lld", (long long)json_num(item, "refs"));
        table_row(&table, (const char *const[]){json_str(item, "type"), refs, json_str(item, "holders")});
    }
    if (table.rows) {
        putc('\n', cli->out);
        table_print(&table, cli);
    } else {
        fputs("(who holds them is known in builds with --enable-debug only)\n", cli->out);
    }
    json_decref(result);
    return CLI_OK;
}

const struct cli_command cmd_status = {"status", "status", "how the switch is", "", run_status};
const struct cli_command cmd_version = {"version", "version", "versions of the switch and of this program", "",
                                        run_version};
const struct cli_command cmd_modules = {"modules", "modules", "loaded modules", "", run_modules};
const struct cli_command cmd_refs = {"refs", "refs", "live objects and who holds them, for developers", "", run_refs};
