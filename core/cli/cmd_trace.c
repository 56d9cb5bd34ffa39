/* tandem trace: what was recorded, as a ladder, as whole messages, as a capture file, or as it happens. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdlib.h>

#include "base/addr.h"
#include "cli/cli.h"
#include "cli/pcap.h"

struct trace_args {
    const char *id, *last, *account, *address, *pcap; /* account: of --register */
    json_int_t count;
    bool raw, follow;
};

static bool set_once(const char **to, const char *value)
{
    if (*to || !value)
        return false;
    *to = value;
    return true;
}

static enum cli_exit read_args(struct trace_args *args, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        bool ok = true, pair = true;
        uint64_t count;

        if (strcmp(argv[i], "--register") == 0)
            ok = set_once(&args->account, next);
        else if (strcmp(argv[i], "--address") == 0)
            ok = set_once(&args->address, next);
        else if (strcmp(argv[i], "--pcap") == 0)
            ok = set_once(&args->pcap, next);
        else if (strcmp(argv[i], "-n") == 0)
            ok = next && str_to_u64(next, 2000, &count) == 0 && (args->count = (json_int_t)count);
        else
            pair = false;
        if (pair) {
            if (!ok)
                return cli_usage(&cmd_trace, "%s needs one value behind it, and may stand there once", argv[i]);
            i++;
        } else if (strcmp(argv[i], "--raw") == 0) {
            args->raw = true;
        } else if (strcmp(argv[i], "-f") == 0) {
            args->follow = true;
        } else if (strcmp(argv[i], "last") == 0 && !args->last) {
            args->last = next && next[0] != '-' ? argv[++i] : "";
        } else if (argv[i][0] == '-' || !set_once(&args->id, argv[i])) {
            return cli_usage(&cmd_trace, "trace does not know \"%s\"", argv[i]);
        }
    }
    return CLI_OK;
}

static unsigned filters(const struct trace_args *args)
{
    return (args->id != NULL) + (args->last != NULL) + (args->account != NULL) + (args->address != NULL);
}

/* --- live -----------------------------------------------------------------------------------------------------------
 */

static bool same_host(const char *peer, const char *wanted)
{
    union addr a, b;

    if (addr_parse(peer, 0, &a) < 0 || addr_parse(wanted, 0, &b) < 0)
        return false;
    return addr_port(&b) ? addr_same(&a, &b) : addr_same_ip(&a, &b);
}

static bool names(const json_t *m, const char *name)
{
    return strcmp(json_str(m, "party"), name) == 0 || strcmp(json_str(m, "from_user"), name) == 0 ||
           strcmp(json_str(m, "to_user"), name) == 0;
}

static bool is_wanted(const struct trace_args *args, const json_t *m)
{
    if (args->address)
        return same_host(json_str(m, "peer"), args->address);
    if (args->account)
        return strcmp(json_str(m, "method"), "REGISTER") == 0 && names(m, args->account);
    if (args->last && *args->last)
        return names(m, args->last);
    if (args->id)
        return strncmp(json_str(m, "call"), args->id, strlen(args->id)) == 0 || names(m, args->id);
    return true;
}

static void print_passing(const struct cli *cli, const struct trace_args *args, const json_t *m)
{
    bool inbound = json_yes(m, "inbound");
    char when[32];

    fprintf(cli->out, "%s%s%s %s %-21s ", colour(cli, DIM), clock_text(json_num(m, "at_us"), when), colour(cli, PLAIN),
            inbound ? "from" : "to  ", json_str(m, "peer"));
    print_clean(cli->out, json_str(m, "text"));
    fputs("  ", cli->out);
    print_clean(cli->out, json_str(m, "from_user"));
    fputs(cli->utf8 ? " → " : " -> ", cli->out);
    print_clean(cli->out, json_str(m, "to_user"));
    if (*json_str(m, "call"))
        fprintf(cli->out, "  call %s", json_str(m, "call"));
    putc('\n', cli->out);
    if (args->raw)
        print_lines(cli->out, json_str(m, "message"));
}

static enum cli_exit follow(struct cli *cli, const struct trace_args *args)
{
    json_t *result, *event;

    if (cli_ask(cli, "subscribe", json_pack("{s:[s]}", "topics", "trace"), &result) != CLI_OK)
        return CLI_FAILED;
    json_decref(result);
    while ((event = cli_next_event(cli))) {
        const json_t *m = json_object_get(event, "data");

        if (is_wanted(args, m) && cli->json) {
            json_dumpf(m, cli->out, JSON_COMPACT);
            putc('\n', cli->out);
        } else if (is_wanted(args, m)) {
            print_passing(cli, args, m);
        }
        json_decref(event);
        if (fflush(cli->out) != 0)
            return CLI_OK; /* whoever read along has gone */
    }
    cli_error("the switch closed the connection");
    return CLI_FAILED;
}

/* --- recorded -------------------------------------------------------------------------------------------------------
 */

static json_t *params_of(const struct trace_args *args)
{
    json_t *params = json_pack("{s:b}", "raw", args->raw || args->pcap != NULL);

    if (args->id)
        json_object_set_new(params, "id", json_string(args->id));
    if (args->last)
        json_object_set_new(params, "last", json_string(args->last));
    if (args->account)
        json_object_set_new(params, "register", json_string(args->account));
    if (args->address)
        json_object_set_new(params, "address", json_string(args->address));
    if (args->count)
        json_object_set_new(params, "count", json_integer(args->count));
    return params;
}

/* All of it: whole messages come in parts. */
static enum cli_exit ask(struct cli *cli, const struct trace_args *args, json_t **result)
{
    enum cli_exit status = cli_ask(cli, "trace", params_of(args), result);

    while (status == CLI_OK && json_object_get(*result, "next")) {
        json_t *params = params_of(args), *more;

        json_object_set(params, "skip", json_object_get(*result, "next"));
        json_object_set(params, "until_us", json_object_get(*result, "until_us"));
        json_object_del(*result, "next");
        status = cli_ask(cli, "trace", params, &more);
        if (status != CLI_OK)
            break;
        json_array_extend(json_object_get(*result, "lines"), json_object_get(more, "lines"));
        if (json_object_get(more, "next"))
            json_object_set(*result, "next", json_object_get(more, "next"));
        json_decref(more);
    }
    json_object_del(*result, "until_us");
    if (status != CLI_OK)
        json_decref(*result);
    return status;
}

static enum cli_exit save(struct cli *cli, const struct trace_args *args, const json_t *result)
{
    int written = pcap_write(args->pcap, json_object_get(result, "lines"));

    if (written < 0) {
        cli_error("%s could not be written: %s", args->pcap, strerror(-written));
        return CLI_FAILED;
    }
    fprintf(cli->out, "%d messages are in %s; Wireshark opens it.\n", written, args->pcap);
    if (json_num(result, "left_out"))
        fprintf(cli->out, "%lld more are not: %s\n", (long long)json_num(result, "left_out"),
                args->address || args->account ? "-n takes more of the latest ones."
                                               : "of a call this long the beginning and the end are kept.");
    return CLI_OK;
}

static enum cli_exit run_trace(struct cli *cli, int argc, char **argv)
{
    struct trace_args args = {0};
    enum cli_exit status = read_args(&args, argc, argv);
    json_t *result;

    if (status != CLI_OK)
        return status;
    if (filters(&args) > 1 || (args.follow && args.pcap))
        return cli_usage(&cmd_trace, "only one of these at a time");
    if (args.follow)
        return follow(cli, &args);
    if (!filters(&args))
        return cli_usage(&cmd_trace, "of what? `tandem trace last` shows the latest call");
    if (ask(cli, &args, &result) != CLI_OK)
        return CLI_FAILED;
    if (args.pcap)
        status = save(cli, &args, result);
    else if (cli->json)
        print_json(cli, result);
    else
        ladder_print(cli, result);
    if (args.raw && !args.pcap && !cli->json)
        ladder_print_raw(cli, result);
    json_decref(result);
    return status;
}

const struct cli_command cmd_trace = {
    "trace", "trace ID | last [WHO] | --register ACCOUNT | --address ADDRESS [--raw] [--pcap FILE] [-n N] | -f [WHO]",
    "recorded messages of a call, an account or an address",
    "ID is the beginning of a call's id. Finished calls are found as long as the recorder has them.\n\n"
    "  last [WHO]          the latest call of an account, number or trunk; without WHO: of anybody\n"
    "  --register ACCOUNT  registrations of an account, refused ones too\n"
    "  --address ADDRESS   everything to and from an address: 192.0.2.7 or 192.0.2.7:5060\n"
    "  --raw               also the whole messages; secrets in them are masked\n"
    "  --pcap FILE         writes a capture file for Wireshark instead (every message as a UDP datagram)\n"
    "  -n N                the latest N messages of an account or address (200)\n"
    "  -f [WHO]            messages as they pass, until Ctrl-C; WHO: a call's id, an account or number, --address …",
    run_trace};
