/* tandem tls: the certificates of the switch, and reading them anew. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <time.h>

#include "cli/cli.h"

/* What is to be said of a certificate, most urgent first; "" when all is well. */
void certificate_words(const json_t *certificate, char *out, size_t size)
{
    const char *file = json_str(certificate, "file"), *why = json_str(certificate, "why");
    json_int_t days = json_num(certificate, "days_left");

    out[0] = '\0';
    if (!json_yes(certificate, "usable"))
        snprintf(out, size, "%.300s", why);
    else if (days < 0)
        snprintf(out, size, "the certificate in %.200s has expired", file);
    else if (json_yes(certificate, "expires_soon"))
        snprintf(out, size, "the certificate in %.200s expires in %lld days", file, (long long)days);
    else if (*why)
        snprintf(out, size, "%.300s", why);
}

static void print_certificates(const struct cli *cli, const json_t *tls)
{
    static const char *const heads[] = {"CERTIFICATE", "FOR", "ISSUED BY", "KEY", "EXPIRES", "STATE"};
    const json_t *certificate;
    struct table table;
    size_t i;

    table_init(&table, heads, COUNT_OF(heads));
    json_array_foreach(json_object_get(tls, "certificates"), i, certificate)
    {
        time_t until = (time_t)json_num(certificate, "expires_at");
        json_int_t days = json_num(certificate, "days_left");
        char expires[32] = "";
        struct tm tm;

        if (until) {
            localtime_r(&until, &tm);
            strftime(expires, sizeof expires, "%Y-%m-%d", &tm);
        }
        table_row(&table, (const char *const[]){json_str(certificate, "file"), json_str(certificate, "names"),
                                                json_str(certificate, "issuer"), json_str(certificate, "key"), expires,
                                                !json_yes(certificate, "usable")        ? "cannot be used"
                                                : days < 0                              ? "expired"
                                                : *json_str(certificate, "why")         ? "see below"
                                                : json_yes(certificate, "expires_soon") ? "expires soon"
                                                                                        : "ok"});
    }
    table_print(&table, cli);
    json_array_foreach(json_object_get(tls, "certificates"), i, certificate)
    {
        if (*json_str(certificate, "why")) {
            print_clean(cli->out, json_str(certificate, "why"));
            putc('\n', cli->out);
        }
    }
    if (*json_str(tls, "why")) {
        print_clean(cli->out, json_str(tls, "why"));
        putc('\n', cli->out);
    }
}

static void print_handshakes(const struct cli *cli, const json_t *tls)
{
    char when[32];

    fprintf(cli->out, "%lld handshakes since the start, %lld of them of a session taken up again; %lld failed\n",
            (long long)json_num(tls, "handshakes"), (long long)json_num(tls, "resumed"),
            (long long)json_num(tls, "failed"));
    if (!*json_str(tls, "last_failure"))
        return;
    fprintf(cli->out, "the last that failed, %s: ", day_text(json_num(tls, "last_failure_us"), when));
    print_clean(cli->out, json_str(tls, "last_failure"));
    putc('\n', cli->out);
}

static enum cli_exit run_tls(struct cli *cli, int argc, char **argv)
{
    bool reload = argc == 2 && strcmp(argv[1], "reload") == 0;
    json_t *result;

    if (argc > 2 || (argc == 2 && !reload))
        return cli_usage(&cmd_tls, "tls takes nothing, or reload");
    if (cli_ask(cli, reload ? "tls.reload" : "tls", NULL, &result) != CLI_OK)
        return CLI_FAILED;
    if (cli->json) {
        print_json(cli, result);
    } else {
        print_certificates(cli, result);
        if (!reload)
            print_handshakes(cli, result);
    }
    json_decref(result);
    return CLI_OK;
}

const struct cli_command cmd_tls = {
    "tls", "tls [reload]", "certificates of the switch",
    "With reload, they are read anew at once. That happens by itself, too, a few seconds after a file has changed.",
    run_tls};
