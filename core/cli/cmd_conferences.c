/* tandem conferences, conference: who is in which room, and what is done to them. Asks the switch. */
#include "config.h" /* first: it asks the C library for its extensions */

#include "cli/cli.h"

static const char *member_state(const json_t *member, char *out, size_t size)
{
    static const char *const flags[] = {"moderator", "talking", "muted", "held", "waiting"};
    size_t used = 0;

    *out = '\0';
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        if (json_yes(member, flags[i]))
            str_append(out, size, &used, "%s%s", used ? ", " : "", flags[i]);
    return out;
}

static void print_members(const struct cli *cli, const json_t *members)
{
    static const char *const heads[] = {">MEMBER", "PARTY", "NAME", ">SINCE", "STATE", "CODEC", "CALL"};
    struct table table;
    json_t *member;
    size_t i;

    table_init(&table, heads, COUNT_OF(heads));
    json_array_foreach(members, i, member)
    {
        char number[16], since[32], state[64], call[32];

        snprintf(number, sizeof number, "%d", (int)json_num(member, "member"));
        snprintf(call, sizeof call, "%.13s", json_str(member, "call"));
        table_row(&table,
                  (const char *const[]){number, json_str(member, "party"), json_str(member, "name"),
                                        duration_text(json_num(member, "seconds"), since),
                                        member_state(member, state, sizeof state), json_str(member, "codec"), call});
    }
    table_print(&table, cli);
}

static void print_conferences(const struct cli *cli, const json_t *list)
{
    json_t *conference;
    size_t i;

    json_array_foreach(list, i, conference)
    {
        char since[32];

        fprintf(
            cli->out, "%s%s%s%s: %zu in it, for %s%s\n", i ? "\n" : "", colour(cli, BOLD), json_str(conference, "room"),
            colour(cli, PLAIN), json_array_size(json_object_get(conference, "members")),
            duration_text(json_num(conference, "seconds"), since), json_yes(conference, "locked") ? ", locked" : "");
        print_members(cli, json_object_get(conference, "members"));
    }
}

static enum cli_exit run_conferences(struct cli *cli, int argc, char **argv)
{
    json_t *params = argc > 1 ? json_pack("{s:s}", "room", argv[1]) : NULL, *result;

    if (argc > 2) {
        json_decref(params);
        return cli_usage(&cmd_conferences, "conferences takes one room at most");
    }
    if (cli_ask(cli, "conferences", params, &result) != CLI_OK)
        return CLI_FAILED;
    if (cli->json)
        print_json(cli, result);
    else if (json_array_size(json_object_get(result, "conferences")))
        print_conferences(cli, json_object_get(result, "conferences"));
    else if (argc > 1)
        fprintf(cli->out, "Nobody is in the conference %s.\n", argv[1]);
    else
        fputs("Nobody is in a conference.\n", cli->out);
    json_decref(result);
    return CLI_OK;
}

static const struct {
    const char *verb, *done;
    bool member;
} verbs[] = {{"mute", "Muted.\n", true},
             {"unmute", "Not muted any more.\n", true},
             {"kick", "Put out.\n", true},
             {"lock", "Locked: only moderators get in.\n", false},
             {"unlock", "Open again.\n", false}};

static enum cli_exit run_conference(struct cli *cli, int argc, char **argv)
{
    json_t *params;

    if (argc < 3)
        return cli_usage(&cmd_conference, "conference needs a room and what to do; `tandem conferences` lists them");
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        if (strcmp(argv[2], verbs[i].verb) != 0)
            continue;
        if (argc != (verbs[i].member ? 4 : 3))
            return cli_usage(&cmd_conference, "%s %s", argv[2],
                             verbs[i].member ? "needs one member: its number, its party, or all" : "takes no member");
        params = json_pack("{s:s,s:s}", "room", argv[1], "do", argv[2]);
        if (argc == 4)
            json_object_set_new(params, "member", json_string(argv[3]));
        return cli_tell(cli, "conference", params, verbs[i].done);
    }
    return cli_usage(&cmd_conference, "a conference cannot be told to \"%s\"", argv[2]);
}

const struct cli_command cmd_conferences = {
    "conferences", "conferences [ROOM]", "who is in which conference",
    "Each member with its number, who it is, since when it is there, whether it talks now, and the beginning of its\n"
    "call's id. Rooms with PINs and limits are set up by `tandem room`.",
    run_conferences};
const struct cli_command cmd_conference = {
    "conference", "conference ROOM mute|unmute|kick MEMBER, conference ROOM lock|unlock",
    "mutes members of a conference, puts them out, locks it",
    "  mute MEMBER, unmute MEMBER   whether it is heard; MEMBER is its number, its party, or all (but moderators)\n"
    "  kick MEMBER                  puts it out: its call goes on as the dialplan says\n"
    "  lock, unlock                 whether only moderators get in",
    run_conference};
