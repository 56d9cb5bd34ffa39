/* The commands conferences and conference. Signalling thread. Changes members only through conference.h. */
#include "call/conference.h"

#include "base/log.h"
#include "console/core.h"

#define BY "operator"

static json_int_t seconds_since(const struct pbx *pbx, uint64_t us)
{
    return (json_int_t)((loop_now_us(pbx->loop) - us) / 1000000);
}

static json_t *member_json(const struct conference_member *member)
{
    const struct leg *leg = member->leg;
    json_t *json = json_pack("{s:I,s:o,s:o,s:b,s:b,s:b,s:b,s:b,s:I}", "member", (json_int_t)member->number, "party",
                             json_text(leg->number), "call", json_uuid(&leg->call->id), "moderator", member->moderator,
                             "muted", member->muted, "talking", member->talks && !member->muted, "held", leg->held,
                             "waiting", member->waits, "seconds", seconds_since(leg->pbx, member->since_us));

    if (leg->name[0])
        json_object_set_new(json, "name", json_text(leg->name));
    if (leg->codec[0])
        json_object_set_new(json, "codec", json_text(leg->codec));
    return json;
}

static json_t *conference_json(const struct conference *conference)
{
    json_t *members = json_array();
    struct conference_member *member;

    LIST_FOR_EACH(member, &conference->members, node)
    json_array_append_new(members, member_json(member));
    return json_pack("{s:o,s:b,s:I,s:o}", "room", json_text(conference->name), "locked", conference->locked, "seconds",
                     seconds_since(conference->pbx, conference->started_us), "members", members);
}

static void run_conferences(struct core_part *core, struct console_request *request, json_t *params)
{
    const char *room = param_text(params, "room");
    json_t *list = json_array();
    struct conference *conference;

    LIST_FOR_EACH(conference, &core->core.pbx->conferences, node)
    if (!room || strcmp(room, conference->name) == 0)
        json_array_append_new(list, conference_json(conference));
    console_reply(request, json_pack("{s:o}", "conferences", list));
}

/* What is done to one member, or to all but the moderators. */
enum deed { DEED_MUTE, DEED_UNMUTE, DEED_KICK };

static void do_to(struct conference_member *member, enum deed deed)
{
    if (deed == DEED_KICK)
        conference_kick(member, BY);
    else
        conference_mute(member, deed == DEED_MUTE, BY);
}

static unsigned do_to_all(struct conference *conference, enum deed deed)
{
    struct conference_member *member, *next;
    unsigned count = 0, left = conference->count;

    LIST_FOR_EACH_SAFE(member, next, &conference->members, node)
    {
        left--; /* the conference goes with its last member */
        if (!member->moderator || deed == DEED_UNMUTE) {
            do_to(member, deed);
            count++;
        }
        if (!left)
            break;
    }
    return count;
}

static void tell_member(struct console_request *request, struct conference *conference, const char *verb,
                        enum deed deed, const char *who)
{
    struct conference_member *member = who ? conference_member(conference, who) : NULL;
    char name[64];

    str_copy(name, sizeof name, conference->name);
    if (!who) {
        console_fail(request, "bad-request", "Which member? Give its number, its party or \"all\" as \"member\".");
    } else if (strcmp(who, "all") == 0) {
        log_info("console: %s all of conference %s", verb, name);
        console_reply(request,
                      json_pack("{s:s,s:I}", "room", name, "members", (json_int_t)do_to_all(conference, deed)));
    } else if (!member) {
        console_fail(request, "not-found", "There is no member \"%.40s\" in the conference %s.", who, name);
    } else {
        log_info("console: %s member %u of conference %s", verb, member->number, name);
        console_reply(request, json_pack("{s:s,s:I,s:o}", "room", name, "member", (json_int_t)member->number, "party",
                                         json_text(member->leg->number)));
        do_to(member, deed);
    }
}

static void run_conference(struct core_part *core, struct console_request *request, json_t *params)
{
    const char *room = param_text(params, "room"), *verb = param_text(params, "do");
    struct conference *conference = room ? conference_find(core->core.pbx, room) : NULL;

    if (!room || !verb) {
        console_fail(request, "bad-request", "Give the room as \"room\" and what to do as \"do\".");
    } else if (!conference) {
        console_fail(request, "not-found", "Nobody is in a conference \"%.63s\" now.", room);
    } else if (strcmp(verb, "lock") == 0 || strcmp(verb, "unlock") == 0) {
        conference_lock(conference, verb[0] == 'l', BY);
        console_reply(request, json_pack("{s:s,s:b}", "room", room, "locked", conference->locked));
    } else if (strcmp(verb, "mute") == 0 || strcmp(verb, "unmute") == 0 || strcmp(verb, "kick") == 0) {
        tell_member(request, conference, verb,
                    verb[0] == 'k'   ? DEED_KICK
                    : verb[0] == 'm' ? DEED_MUTE
                                     : DEED_UNMUTE,
                    param_text(params, "member"));
    } else {
        console_fail(request, "bad-request", "\"do\" is mute, unmute, kick, lock or unlock.");
    }
}

const struct core_command core_conference_commands[] = {
    {"conferences", "conferences and who is in them; room = NAME: that one only", run_conferences},
    {"conference", "room = NAME, do = mute, unmute or kick with member = number, party or all; or lock, unlock",
     run_conference},
    {NULL, NULL, NULL},
};
