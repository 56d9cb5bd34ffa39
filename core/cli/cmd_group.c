/* tandem group and followme: ring groups with their members, and what rings beside an account. Rows of two names (a
 * group and its member) are GROUP/MEMBER to the tables of entity.h. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdlib.h>

#include "cli/entity.h"

#define WANTED(columns) "WHERE $1::text IS NULL OR position(lower($1) IN lower(concat_ws(' ', " columns "))) > 0"

static const char *const group_heads[] = {"GROUP", "NUMBER", "STRATEGY", ">RINGS", "NO ANSWER", "MEMBERS", "NOTE"};
static const char *const group_columns[] = {"name", "number", "strategy", "ring_time", "no_answer", "members", "note"};

const struct entity entity_group = {
    .word = "group",
    .plural = "groups",
    .command = &cmd_group,
    .table = "config.ring_group",
    .key = "name",
    .fields = {{NULL, "name", "group", "text", false, false, false},
               {"--number", "number", "number", "text", true, false, false},
               {"--strategy", "strategy", "strategy", "text", false, false, false},
               {"--ring-time", "ring_time", "rings for", "integer", false, false, true},
               {"--skip-busy", "skip_busy", "skips the busy", "boolean", false, false, false},
               {"--no-answer", "no_answer", "nobody answers", "text", false, true, false},
               {"--music", "music", "callers hear", "text", false, true, false},
               {"--account", "account", "rights of", "text", true, false, false},
               {"--context", "context", "context", "text", false, false, false},
               {"--note", "note", "note", "text", false, true, false}},
    .add = "INSERT INTO config.ring_group (name) SELECT $1 WHERE $2::text IS NULL AND $3::text IS NULL",
    .del = "SELECT tandem.remove_ring_group($1)",
    .list = "SELECT coalesce(jsonb_agg(to_jsonb(v) ORDER BY v.name), '[]') FROM tandem.v_ring_group v " WANTED(
        "v.name, v.number, v.members, v.note"),
    .show = "SELECT to_jsonb(v) || jsonb_build_object('member_list', coalesce((SELECT jsonb_agg(to_jsonb(m) ORDER BY "
            "m.place, m.member) FROM tandem.v_ring_member m WHERE m.ring_group = v.name), '[]')) FROM "
            "tandem.v_ring_group v WHERE v.name = $1",
    .heads = group_heads,
    .columns = group_columns,
    .column_count = COUNT_OF(group_heads),
};

static const char *const member_heads[] = {"GROUP", "MEMBER", ">PLACE", ">DELAY", ">RINGS", "CONFIRM", "LOGGED IN"};
static const char *const member_columns[] = {"ring_group", "member",  "place",    "delay",
                                             "ring_time",  "confirm", "logged_in"};

const struct entity entity_member = {
    .word = "member",
    .plural = "members",
    .command = &cmd_group,
    .table = "config.ring_member",
    .key = "key",
    .fields = {{NULL, "key", "member", "text", false, false, false},
               {"--place", "place", "place", "integer", false, false, false},
               {"--delay", "delay", "delay", "integer", false, false, false},
               {"--ring-time", "ring_time", "rings for", "integer", true, false, true},
               {"--confirm", "confirm", "has to press 1", "boolean", true, false, false}},
    .add = "INSERT INTO config.ring_member (ring_group, member) SELECT split_part($1, '/', 1), substr($1, strpos($1, "
           "'/') + 1) WHERE $2::text IS NULL AND $3::text IS NULL",
    .del = "SELECT tandem.remove_ring_member(split_part($1, '/', 1), substr($1, strpos($1, '/') + 1))",
    .list = "SELECT coalesce(jsonb_agg(to_jsonb(v) ORDER BY v.ring_group, v.place, v.member), '[]') FROM "
            "tandem.v_ring_member v " WANTED("v.ring_group, v.member"),
    .show = "SELECT to_jsonb(v) || jsonb_build_object('key', $1::text) FROM tandem.v_ring_member v WHERE v.ring_group "
            "|| '/' "
            "|| v.member = $1",
    .heads = member_heads,
    .columns = member_columns,
    .column_count = COUNT_OF(member_heads),
};

static const char *const followme_heads[] = {"ACCOUNT", "RINGS TOO", ">AFTER", ">FOR", "CONFIRM"};
static const char *const followme_columns[] = {"account", "number", "delay", "ring_time", "confirm"};

const struct entity entity_followme = {
    .word = "followme",
    .plural = "followmes",
    .command = &cmd_followme,
    .table = "config.followme",
    .key = "key",
    .fields = {{NULL, "key", "rings too", "text", false, false, false},
               {"--delay", "delay", "after", "integer", false, false, false},
               {"--ring-time", "ring_time", "for", "integer", false, false, true},
               {"--confirm", "confirm", "has to press 1", "boolean", true, false, false}},
    .add = "INSERT INTO config.followme (account, number) SELECT split_part($1, '/', 1), substr($1, strpos($1, '/') + "
           "1) WHERE $2::text IS NULL AND $3::text IS NULL",
    .del = "SELECT tandem.remove_followme(split_part($1, '/', 1), substr($1, strpos($1, '/') + 1))",
    .list = "SELECT coalesce(jsonb_agg(to_jsonb(v) ORDER BY v.account, v.delay, v.number), '[]') FROM "
            "tandem.v_followme v " WANTED("v.account, v.number"),
    .show =
        "SELECT to_jsonb(v) || jsonb_build_object('key', $1::text) FROM tandem.v_followme v WHERE v.account || '/' || "
        "v.number = $1",
    .heads = followme_heads,
    .columns = followme_columns,
    .column_count = COUNT_OF(followme_heads),
};

/* VERB FIRST SECOND … becomes VERB FIRST/SECOND …, where the verb is about one row. */
static enum cli_exit run_pair(struct cli *cli, const struct entity *entity, int argc, char **argv)
{
    static const char *const about_one[] = {"add", "set", "show", "del"};
    char **words = mem_new(((size_t)argc + 1) * sizeof *words), *key = NULL;
    enum cli_exit status;
    int count = 0;

    for (int i = 0; i < argc; i++)
        words[count++] = argv[i];
    for (size_t v = 0; v < COUNT_OF(about_one); v++) {
        size_t size;

        if (argc < 4 || strcmp(argv[1], about_one[v]) != 0 || argv[2][0] == '-' || argv[3][0] == '-' ||
            strchr(argv[2], '/'))
            continue;
        size = strlen(argv[2]) + strlen(argv[3]) + 2;
        key = mem_new(size);
        snprintf(key, size, "%s/%s", argv[2], argv[3]);
        words[2] = key;
        for (int i = 3; i < argc; i++)
            words[i] = i + 1 < argc ? argv[i + 1] : NULL;
        count--;
    }
    words[count] = NULL;
    status = entity_run(cli, entity, count, words);
    free(key);
    free(words);
    return status;
}

static enum cli_exit log_in(struct cli *cli, int argc, char **argv)
{
    json_t *words = NULL;
    enum cli_exit status;

    if (argc != 4)
        return cli_usage(&cmd_group, "group member %s needs a group and a member", argv[1]);
    status = cli_sql(cli, "SELECT to_json(tandem.log_in_ring_member($1, $2, $3::boolean))",
                     (const char *const[]){argv[2], argv[3], strcmp(argv[1], "in") == 0 ? "true" : "false"}, 3, &words,
                     NULL);
    if (status == CLI_OK && cli->json)
        print_json(cli, words);
    else if (status == CLI_OK)
        fprintf(cli->out, "%s.\n", json_string_value(words));
    json_decref(words);
    return status;
}

/* argv[0] is "member". */
static enum cli_exit run_member(struct cli *cli, int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "in") == 0 || strcmp(argv[1], "out") == 0))
        return log_in(cli, argc, argv);
    return run_pair(cli, &entity_member, argc, argv);
}

static enum cli_exit run_group(struct cli *cli, int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "member") == 0)
        return run_member(cli, argc - 1, argv + 1);
    return entity_run(cli, &entity_group, argc, argv);
}

static enum cli_exit run_followme(struct cli *cli, int argc, char **argv)
{
    return run_pair(cli, &entity_followme, argc, argv);
}

const struct cli_command cmd_group = {
    "group", "group add|set|show|list|del|import|export|member [...]", "ring groups and paging groups",
    "  add NAME [PROPERTY...]            a new group; its name and its number can be dialled\n"
    "  set NAME PROPERTY...\n"
    "  show NAME, list [TEXT]            one with its members, or all (that have TEXT in name, members or note)\n"
    "  del NAME...                       with its list of members\n"
    "  import FILE [--dry-run], export [FILE]   as CSV\n"
    "  member add GROUP MEMBER [PROPERTY...]    an account, a number, or KIND:VALUE; also set, show, del, list,\n"
    "                                    import, export (their key is GROUP/MEMBER)\n"
    "  member in GROUP MEMBER, member out GROUP MEMBER   logs it in or out: who is out does not ring\n\n"
    "Properties of a group: --number DIGITS (default: none), --strategy all|in-order|random|round-robin|longest-idle|"
    "page,\n"
    "--ring-time SECONDS (all, or each in turn), --skip-busy yes|no, --no-answer NUMBER (where callers go then; \"\":\n"
    "busy, or no answer), --music CLASS (in place of ringing), --account NAME (whose rights outside numbers have;\n"
    "default: the caller's), --context NAME, --note TEXT.\n"
    "Of a member: --place N (the smallest comes first), --delay SECONDS (strategy all), --ring-time SECONDS|default,\n"
    "--confirm yes|no|default (who answers has to press 1; default: when it is outside).",
    run_group};

const struct cli_command cmd_followme = {
    "followme", "followme add|set|show|list|del|import|export [...]", "what rings beside the phones of an account",
    "  add ACCOUNT NUMBER [PROPERTY...]  another account, a number, or KIND:VALUE\n"
    "  set ACCOUNT NUMBER PROPERTY...\n"
    "  show ACCOUNT NUMBER, list [TEXT]  one, or all (that have TEXT in account or number)\n"
    "  del ACCOUNT NUMBER\n"
    "  import FILE [--dry-run], export [FILE]   as CSV; the key is ACCOUNT/NUMBER\n\n"
    "Properties: --delay SECONDS (after the account's own phones), --ring-time SECONDS, --confirm yes|no|default (who\n"
    "answers has to press 1; default: when it is outside).",
    run_followme};
