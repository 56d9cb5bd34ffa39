/* tandem account, device, setting: add, set, del, and the short forms password, enable, disable. What each has, the
 * tables in entities.c say. A secret that was made here is printed once and kept nowhere. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdlib.h>
#include <strings.h>

#include "base/id.h"
#include "cli/entity.h"

#define SECRET_CHARS 24 /* 124 bits */

/* --- statements ----------------------------------------------------------------------------------------------------
 */

const struct field *entity_field(const struct entity *entity, const char *column)
{
    for (const struct field *f = entity->fields; f->column; f++)
        if (strcasecmp(f->column, column) == 0) /* spreadsheets like capital letters */
            return f;
    return NULL;
}

const char *field_value(const struct field *field, const char *text)
{
    return field->may_default && strcmp(text, "default") == 0 ? NULL : text;
}

enum cli_exit entity_missing(const struct entity *entity, const char *key)
{
    cli_error("there is no %s \"%s\"; `tandem %s list` shows them all", entity->word, key, entity->word);
    return CLI_FAILED;
}

enum cli_exit entity_exists(struct cli *cli, const struct entity *entity, const char *key, bool *exists)
{
    char sql[128];
    long rows;
    enum cli_exit status;

    snprintf(sql, sizeof sql, "SELECT 1 FROM %s WHERE %s = $1", entity->table, entity->key);
    status = cli_sql(cli, sql, &key, 1, NULL, &rows);
    *exists = status == CLI_OK && rows > 0;
    return status;
}

enum cli_exit entity_update(struct cli *cli, const struct entity *entity, const char *key,
                            const struct assignment *list, unsigned count, bool *changed)
{
    const char *params[FIELDS_MAX + 1] = {key};
    char sql[2048];
    size_t used = 0;
    long rows = 0;
    bool exists;

    *changed = false;
    str_append(sql, sizeof sql, &used, "UPDATE %s SET ", entity->table);
    for (unsigned i = 0; i < count; i++) {
        str_append(sql, sizeof sql, &used, "%s%s = $%u::%s", i ? ", " : "", list[i].field->column, i + 2,
                   list[i].field->type);
        params[i + 1] = list[i].value;
    }
    str_append(sql, sizeof sql, &used, " WHERE %s = $1 AND (false", entity->key);
    for (unsigned i = 0; i < count; i++) /* a row that is as it should be makes no new generation */
        str_append(sql, sizeof sql, &used, " OR %s IS DISTINCT FROM $%u::%s", list[i].field->column, i + 2,
                   list[i].field->type);
    str_append(sql, sizeof sql, &used, ")");
    if (cli_sql(cli, sql, params, count + 1, NULL, &rows) != CLI_OK)
        return CLI_FAILED;
    *changed = rows > 0;
    if (rows)
        return CLI_OK;
    if (entity_exists(cli, entity, key, &exists) != CLI_OK)
        return CLI_FAILED;
    return exists ? CLI_OK : entity_missing(entity, key);
}

static void make_secret(char **made)
{
    *made = mem_new(SECRET_CHARS + 1);
    random_token(*made, SECRET_CHARS);
}

static void forget(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

enum cli_exit entity_add(struct cli *cli, const struct entity *entity, const char *key, const char *parent,
                         const char *secret, char **made_secret)
{
    const char *params[] = {key, secret, parent};

    if (!secret && entity->has_secret) {
        make_secret(made_secret);
        params[1] = *made_secret;
    }
    return cli_sql(cli, entity->add, params, COUNT_OF(params), NULL, NULL);
}

/* COMMIT or ROLLBACK, as status says. */
static enum cli_exit end_transaction(struct cli *cli, enum cli_exit status)
{
    if (status == CLI_OK)
        return cli_do(cli, "COMMIT");
    if (cli->admin)
        cli_do(cli, "ROLLBACK");
    return status;
}

/* What became of a change: {"name": …, "secret": …, "applied": …} or words. */
static enum cli_exit say_changed(struct cli *cli, const struct entity *entity, const char *key, const char *verb,
                                 const char *made_secret)
{
    json_t *result = json_pack("{s:s}", entity->key, key);
    enum cli_exit status;

    if (made_secret)
        json_object_set_new(result, "secret", json_string(made_secret));
    if (made_secret && !cli->json) /* before anything that may fail: it is told nowhere else */
        fprintf(cli->out, "The secret of %s %s is shown once and cannot be read again:\n\n    %s\n\n", entity->word,
                key, made_secret);
    status = cli_applied(cli, result);
    if (cli->json) {
        print_json(cli, result);
    } else {
        fprintf(cli->out, "%c%s ", entity->word[0] - ('a' - 'A'), entity->word + 1);
        print_clean(cli->out, key);
        fprintf(cli->out, " %s%s%s.\n", verb, status == CLI_OK ? ": " : "",
                status == CLI_OK ? json_str(result, "state") : "");
    }
    json_decref(result);
    return status;
}

/* --- the command line ----------------------------------------------------------------------------------------------
 */

struct request {
    const char *words[3]; /* what is no option */
    unsigned word_count;
    struct assignment assignments[FIELDS_MAX];
    unsigned count;
    bool secret_stdin, new_secret;
};

static bool take_option(const struct entity *entity, struct request *r, char **argv, int *i)
{
    for (const struct field *f = entity->fields; f->column; f++) {
        size_t len = f->option ? strlen(f->option) : 0;
        const char *value = NULL;

        if (!len || strncmp(argv[*i], f->option, len) != 0)
            continue;
        if (argv[*i][len] == '=')
            value = argv[*i] + len + 1;
        else if (!argv[*i][len] && argv[*i + 1])
            value = argv[++*i];
        if (!value || r->count == FIELDS_MAX)
            continue;
        r->assignments[r->count++] = (struct assignment){f, field_value(f, value)};
        return true;
    }
    return false;
}

/* argv[0] is the verb. CLI_USAGE after words. */
static enum cli_exit read_request(const struct entity *entity, struct request *r, int argc, char **argv,
                                  unsigned max_words)
{
    bool options = true;

    memset(r, 0, sizeof *r);
    for (int i = 1; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0)
            options = false;
        else if (options && entity->has_secret && strcmp(argv[i], "--secret-stdin") == 0)
            r->secret_stdin = true;
        else if (options && entity->has_secret && strcmp(argv[i], "--new-secret") == 0)
            r->new_secret = true;
        else if (options && argv[i][0] == '-' && argv[i][1]) {
            if (!take_option(entity, r, argv, &i))
                return cli_usage(entity->command, "%s %s does not know \"%s\", or it needs a value", entity->word,
                                 argv[0], argv[i]);
        } else if (r->word_count == max_words)
            return cli_usage(entity->command,
                             "%s %s does not know what to do with \"%s\"; names with spaces stand in quotes",
                             entity->word, argv[0], argv[i]);
        else
            r->words[r->word_count++] = argv[i];
    }
    return CLI_OK;
}

/* A word that is missing on the command line is asked for on a terminal. */
static const char *want_word(struct cli *cli, const struct request *r, unsigned at, const char *prompt)
{
    if (at < r->word_count)
        return r->words[at];
    return ask_terminal() ? ask_word(cli, prompt) : NULL;
}

static const char *assigned(const struct request *r, const char *column)
{
    for (unsigned i = 0; i < r->count; i++)
        if (strcmp(r->assignments[i].field->column, column) == 0)
            return r->assignments[i].value;
    return NULL;
}

/* Somebody sits there and said no more than that there should be one: ask for what makes one. */
static void ask_rest(struct cli *cli, const struct entity *entity, struct request *r, char **secret)
{
    const struct field *name = &entity->fields[entity->parent ? 2 : 1];
    const char *text;

    if (!assigned(r, name->column) && r->count < FIELDS_MAX && (text = ask_word(cli, name->label)))
        r->assignments[r->count++] = (struct assignment){name, text};
    if (entity->has_secret && !r->secret_stdin && (*secret = ask_line("secret (empty: a good one is made)", true)) &&
        !**secret) {
        free(*secret);
        *secret = NULL;
    }
}

static enum cli_exit add(struct cli *cli, const struct entity *entity, int argc, char **argv)
{
    struct request r;
    const char *key, *parent = NULL;
    char *secret = NULL, *made = NULL;
    json_t *next = NULL;
    enum cli_exit status = read_request(entity, &r, argc, argv, entity->parent ? 2 : 1);
    bool asked = r.word_count == 0 && ask_terminal(), changed;

    if (status != CLI_OK)
        return status;
    if (entity->parent && !(parent = want_word(cli, &r, 0, entity->parent)))
        return cli_usage(entity->command, "%s add needs the %s that it belongs to", entity->word, entity->parent);
    key = want_word(cli, &r, entity->parent ? 1 : 0, entity->word);
    if (entity->next_key && (!key || !*key)) {
        if (cli_sql(cli, entity->next_key, &parent, 1, &next, NULL) != CLI_OK)
            return CLI_FAILED;
        key = json_string_value(next);
    }
    if (!key)
        return cli_usage(entity->command, "%s add needs the name of the %s", entity->word, entity->word);
    if (asked)
        ask_rest(cli, entity, &r, &secret);
    if (r.secret_stdin && !(secret = ask_secret()))
        status = CLI_FAILED;
    if (status == CLI_OK)
        status = cli_do(cli, "BEGIN");
    if (status == CLI_OK) {
        status = entity_add(cli, entity, key, parent, secret, &made);
        if (status == CLI_OK && r.count)
            status = entity_update(cli, entity, key, r.assignments, r.count, &changed);
        status = end_transaction(cli, status);
        if (status == CLI_OK)
            status = say_changed(cli, entity, key, "added", made);
    }
    forget(secret);
    forget(made);
    json_decref(next);
    return status;
}

static enum cli_exit set_secret(struct cli *cli, const char *key, const char *secret)
{
    return cli_sql(cli, "SELECT tandem.set_password($1, $2)", (const char *const[]){key, secret}, 2, NULL, NULL);
}

/* set; password is set with a secret: one of standard input, or a new one. */
static enum cli_exit set(struct cli *cli, const struct entity *entity, int argc, char **argv, bool password)
{
    struct request r;
    enum cli_exit status = read_request(entity, &r, argc, argv, 1);
    char *secret = NULL;
    bool changed = true, exists;

    if (status != CLI_OK)
        return status;
    if (!r.word_count)
        return cli_usage(entity->command, "%s %s needs the name of the %s", entity->word, argv[0], entity->word);
    if (password && r.count)
        return cli_usage(entity->command, "%s password changes the secret only", entity->word);
    if (!password && !r.count && !r.secret_stdin && !r.new_secret)
        return cli_usage(entity->command, "set what? `tandem %s --help` lists what a%s %s has", entity->word,
                         strchr("aeiou", entity->word[0]) ? "n" : "", entity->word);
    if (entity_exists(cli, entity, r.words[0], &exists) != CLI_OK)
        return CLI_FAILED;
    if (!exists) /* before a secret is asked for */
        return entity_missing(entity, r.words[0]);
    if (r.secret_stdin && !(secret = ask_secret()))
        return CLI_FAILED;
    r.new_secret = !r.secret_stdin && (r.new_secret || password);
    if (r.new_secret)
        make_secret(&secret);
    status = cli_do(cli, "BEGIN");
    if (status == CLI_OK) {
        if (r.count)
            status = entity_update(cli, entity, r.words[0], r.assignments, r.count, &changed);
        if (status == CLI_OK && secret)
            status = set_secret(cli, r.words[0], secret);
        status = end_transaction(cli, status);
        if (status == CLI_OK)
            status = say_changed(cli, entity, r.words[0],
                                 password            ? "has a new secret"
                                 : changed || secret ? "changed"
                                                     : "was so already",
                                 r.new_secret ? secret : NULL);
    }
    forget(secret);
    return status;
}

static enum cli_exit enable(struct cli *cli, const struct entity *entity, int argc, char **argv, bool enabled)
{
    struct assignment on = {entity_field(entity, "enabled"), enabled ? "true" : "false"};
    enum cli_exit status;
    bool changed;

    if (argc != 2 || argv[1][0] == '-')
        return cli_usage(entity->command, "%s %s needs the name of the %s and nothing else", entity->word, argv[0],
                         entity->word);
    status = entity_update(cli, entity, argv[1], &on, 1, &changed);
    return status == CLI_OK
               ? say_changed(cli, entity, argv[1],
                             enabled ? "may register and call again" : "may not register or call any more", NULL)
               : status;
}

static enum cli_exit del(struct cli *cli, const struct entity *entity, int argc, char **argv)
{
    enum cli_exit status = CLI_OK;

    if (argc < 2)
        return cli_usage(entity->command, "%s del needs the name of the %s", entity->word, entity->word);
    for (int i = 1; i < argc; i++)
        if (argv[i][0] == '-')
            return cli_usage(entity->command, "%s del does not know \"%s\"", entity->word, argv[i]);
    status = cli_do(cli, "BEGIN");
    if (status != CLI_OK)
        return status;
    for (int i = 1; i < argc && status == CLI_OK; i++)
        status = cli_sql(cli, entity->del, (const char *const[]){argv[i]}, 1, NULL, NULL);
    status = end_transaction(cli, status);
    for (int i = 1; i < argc && status == CLI_OK; i++)
        status = say_changed(cli, entity, argv[i], "removed", NULL);
    return status;
}

/* --- verbs ---------------------------------------------------------------------------------------------------------
 */

enum cli_exit entity_run(struct cli *cli, const struct entity *entity, int argc, char **argv)
{
    const char *verb;

    if (argc < 2)
        return cli_usage(entity->command, "what about a%s %s?", strchr("aeiou", entity->word[0]) ? "n" : "",
                         entity->word);
    argc--;
    argv++;
    verb = argv[0];
    if (strcmp(verb, "show") == 0)
        return entity_show(cli, entity, argc, argv);
    if (strcmp(verb, "list") == 0)
        return entity_list(cli, entity, argc, argv);
    if (strcmp(verb, "del") == 0)
        return del(cli, entity, argc, argv);
    if (strcmp(verb, "import") == 0)
        return entity_import(cli, entity, argc, argv);
    if (strcmp(verb, "export") == 0)
        return entity_export(cli, entity, argc, argv);
    if (entity->add && strcmp(verb, "add") == 0)
        return add(cli, entity, argc, argv);
    if (entity->add && strcmp(verb, "set") == 0)
        return set(cli, entity, argc, argv, false);
    if (entity->has_secret && strcmp(verb, "password") == 0)
        return set(cli, entity, argc, argv, true);
    if (!entity_field(entity, "enabled"))
        return cli_usage(entity->command, "a%s %s cannot be told to \"%s\"",
                         strchr("aeiou", entity->word[0]) ? "n" : "", entity->word, verb);
    if (strcmp(verb, "enable") == 0 || strcmp(verb, "disable") == 0)
        return enable(cli, entity, argc, argv, verb[0] == 'e');
    return cli_usage(entity->command, "a%s %s cannot be told to \"%s\"", strchr("aeiou", entity->word[0]) ? "n" : "",
                     entity->word, verb);
}

static enum cli_exit run_account(struct cli *cli, int argc, char **argv)
{
    return entity_run(cli, &entity_account, argc, argv);
}

static enum cli_exit run_acl(struct cli *cli, int argc, char **argv)
{
    return entity_run(cli, &entity_acl, argc, argv);
}

static enum cli_exit run_music(struct cli *cli, int argc, char **argv)
{
    return entity_run(cli, &entity_music, argc, argv);
}

static enum cli_exit run_room(struct cli *cli, int argc, char **argv)
{
    return entity_run(cli, &entity_room, argc, argv);
}

static enum cli_exit run_device(struct cli *cli, int argc, char **argv)
{
    return entity_run(cli, &entity_device, argc, argv);
}

/* set KEY VALUE; add is the same: a setting is there or it is not. */
static enum cli_exit run_setting(struct cli *cli, int argc, char **argv)
{
    if (argc < 2 || (strcmp(argv[1], "set") != 0 && strcmp(argv[1], "add") != 0))
        return entity_run(cli, &entity_setting, argc, argv);
    if (argc != 4)
        return cli_usage(&cmd_setting, "setting %s needs a name and a value; a value with spaces stands in quotes",
                         argv[1]);
    if (cli_sql(cli, "SELECT tandem.set_setting($1, $2)", (const char *const[]){argv[2], argv[3]}, 2, NULL, NULL) !=
        CLI_OK)
        return CLI_FAILED;
    return say_changed(cli, &entity_setting, argv[2], "set", NULL);
}

#define SECRETS_HELP                                                                                                   \
    "Without --secret-stdin a strong secret is made and printed once. With it, one line of standard input is the\n"    \
    "secret (on a terminal it is asked for, unseen), so that it appears in no list of processes.\n"

const struct cli_command cmd_account = {
    "account", "account add|set|show|list|del|password|enable|disable|import|export [...]",
    "accounts: who may register and call",
    "  add [NAME] [PROPERTY...] [--secret-stdin]  a new account; without NAME it asks, on a terminal\n"
    "  set NAME PROPERTY... [--secret-stdin | --new-secret]\n"
    "  show NAME, list [TEXT]                     one, or all (that have TEXT in their name)\n"
    "  del NAME...                                removes accounts, their devices and registrations; records stay\n"
    "  password NAME [--secret-stdin]             another secret; phones must be given it\n"
    "  enable NAME, disable NAME                  whether it may register and call\n"
    "  import FILE [--dry-run]                    adds and changes accounts as a CSV file says (- is standard input)\n"
    "  export [FILE]                              writes them as CSV, without secrets\n\n"
    "Properties: --name TEXT (what other phones display), --enabled yes|no, --context NAME, --max-contacts N,\n"
    "--max-call S, --session-timers on|accept|off, --session-expires S, --session-min-se S, --srtp\n"
    "off|optional|required (encrypted audio), --srtp-keys sdes|dtls (where calls to its phones get keys for it),\n"
    "--codecs LIST (opus,G722,PCMA; any at the end: and whatever else both phones have), --dtmf\n"
    "auto|rfc4733|info|inband (how keys go to its phones); the value default of the last eight means: as the switch.\n"
    "--language en|es|fr: of the prompts that its phones hear. --music-class NAME: what those hear whom it puts on "
    "hold\n"
    "(none: silence). --pickup-group LIST (sales,support): whose calls its phones may take, and who may take theirs\n"
    "(default: none). --transfer-codes BLIND,ATTENDED (*1,*2): what they type in a call to transfer it (none: "
    "nothing;\n"
    "one of the two may be none; default: as the settings say).\n"
    "--srtp-without-tls yes|no: its keys may travel unencrypted. --acl NAME: an access list of the addresses that may\n"
    "use it (default: none).\n"
    "--max-calls N: calls at a time, in both directions (default: no limit). --anonymous yes|no: whom it calls is not\n"
    "shown its number.\n\n" SECRETS_HELP "A change has come into force, or it is said why not, when the command ends.",
    run_account};
const struct cli_command cmd_device = {
    "device", "device add|set|show|list|del|password|enable|disable|import|export [...]",
    "phones of an account with credentials of their own",
    "  add ACCOUNT [NAME] [PROPERTY...] [--secret-stdin]  NAME is what the phone authenticates as (201-1 when not "
    "given)\n"
    "  set NAME PROPERTY... [--secret-stdin | --new-secret]\n"
    "  show NAME, list [TEXT]            one, or all (that have TEXT in name, account, label or MAC address)\n"
    "  del NAME...                       removes devices; the switch forgets them at once, their accounts go on\n"
    "  password NAME [--secret-stdin]    another secret\n"
    "  enable NAME, disable NAME         whether it may register and call\n"
    "  import FILE [--dry-run], export [FILE]   as CSV\n\n"
    "Properties: --label TEXT, --mac ADDRESS (default: none), --account NAME, --enabled yes|no.\n\n" SECRETS_HELP,
    run_device};
const struct cli_command cmd_music = {
    "music", "music add|set|show|list|del|import|export [...]", "hold music: what those hear who were put on hold",
    "  add NAME [PROPERTY...]            a new class\n"
    "  set NAME PROPERTY...              in force for whoever is put on hold from then on\n"
    "  show NAME, list [TEXT]            one, or all (that have TEXT in name, paths or note)\n"
    "  del NAME...                       not while an account has it\n"
    "  import FILE [--dry-run], export [FILE]   as CSV\n\n"
    "Properties: --kind directory|files (all sound files of a directory, or those that are named), --paths PATH (with\n"
    "commas between several), --shuffle yes|no, --note TEXT.\n"
    "Who holds decides: tandem account set NAME --music-class CLASS; else the setting music_class.",
    run_music};

const struct cli_command cmd_acl = {
    "acl", "acl add|set|show|list|del|import|export [...]",
    "access lists: who may speak to a listener, or use an account",
    "  add NAME [PROPERTY...]            a new list\n"
    "  set NAME PROPERTY...\n"
    "  show NAME, list [TEXT]            one, or all (that have TEXT in name, rules or note)\n"
    "  del NAME...                       its listeners are open again; not while an account follows it\n"
    "  import FILE [--dry-run], export [FILE]   as CSV\n\n"
    "Properties: --rules \"allow 192.0.2.0/24, deny all\" (the first rule that has the address decides; where none "
    "has\n"
    "it, the opposite of the last one), --listeners \"udp, tcp:5060\" (or all), --note TEXT.\n"
    "An account follows a list by: tandem account set NAME --acl LIST.",
    run_acl};
const struct cli_command cmd_room = {
    "room", "room add|set|show|list|del|import|export [...]", "conference rooms: PINs and limits",
    "  add NAME [PROPERTY...]            a new room\n"
    "  set NAME PROPERTY...\n"
    "  show NAME, list [TEXT]            one, or all (that have TEXT in name or note)\n"
    "  del NAME...                       forgets its rules; who is in it stays there\n"
    "  import FILE [--dry-run], export [FILE]   as CSV\n\n"
    "Properties: --pin DIGITS, --moderator-pin DIGITS (empty: none), --max N (0: as many as come), --tones yes|no\n"
    "(the others hear who comes and goes), --wait yes|no (for a moderator), --locked yes|no (at first), --note TEXT.\n"
    "They hold for who comes from then on. `tandem conferences` shows who is there.",
    run_room};
const struct cli_command cmd_setting = {
    "setting", "setting set|show|list|del|import|export [...]", "settings of the whole switch",
    "  list [TEXT]                       all that there are, with their defaults and what they mean\n"
    "  show KEY                          one\n"
    "  set KEY VALUE                     (add is the same)\n"
    "  del KEY...                        the default again\n"
    "  import FILE [--dry-run], export [FILE]   as CSV",
    run_setting};
