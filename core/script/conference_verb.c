/* call:conference{ room = …, … }: reads its options, asks for a PIN where the room wants one, goes in, and waits until
 * the caller is out again. Signalling thread. Asking and saying are verbs of their own, which it calls. */
#include "call/conference.h"

#include "script/verbs.h"

#define TRIES 3
#define PIN_S 10 /* for the first key, and between keys */

/* What it knows while it waits; a value of Lua's at PLAN on the stack. */
struct plan {
    char room[64];
    struct conference_terms terms;
    bool moderator, muted;
    unsigned tries;
};
#define PLAN 3

/* --- options ------------------------------------------------------------------------------------------------------ */

static void check_options(lua_State *L)
{
    static const char *const known[] = {"room", "pin", "moderator_pin", "moderator", "mute", "max", "tones", "wait"};

    lua_pushnil(L);
    while (lua_next(L, 2)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "(not a name)";
        size_t i = 0;

        while (i < COUNT_OF(known) && strcmp(key, known[i]) != 0)
            i++;
        if (i == COUNT_OF(known))
            luaL_error(L, "conference: there is no option \"%s\"", key);
        lua_pop(L, 1);
    }
}

static void read_flag(lua_State *L, const char *option, bool *out)
{
    if (lua_getfield(L, 2, option) != LUA_TNIL)
        *out = lua_toboolean(L, -1);
    lua_pop(L, 1);
}

static void read_pin(lua_State *L, const char *option, char *out, size_t size)
{
    if (lua_getfield(L, 2, option) != LUA_TNIL) {
        if (!lua_isstring(L, -1) || !conference_pin_ok(lua_tostring(L, -1)))
            luaL_error(L, "conference: `%s` has to be up to %d digits", option, CONFERENCE_PIN_MAX);
        str_copy(out, size, lua_tostring(L, -1));
    }
    lua_pop(L, 1);
}

static void read_options(lua_State *L, const struct pbx *pbx, struct plan *plan)
{
    if (lua_getfield(L, 2, "room") == LUA_TNIL || !lua_isstring(L, -1) || !conference_name_ok(lua_tostring(L, -1)))
        luaL_error(L, "conference: `room` has to be a name of 1 to 63 lower-case letters, digits, dots, dashes and "
                      "underscores");
    str_copy(plan->room, sizeof plan->room, lua_tostring(L, -1));
    lua_pop(L, 1);
    conference_terms(pbx, plan->room, &plan->terms);
    read_pin(L, "pin", plan->terms.pin, sizeof plan->terms.pin);
    read_pin(L, "moderator_pin", plan->terms.moderator_pin, sizeof plan->terms.moderator_pin);
    read_flag(L, "moderator", &plan->moderator);
    read_flag(L, "mute", &plan->muted);
    read_flag(L, "tones", &plan->terms.tones);
    read_flag(L, "wait", &plan->terms.wait);
    if (lua_getfield(L, 2, "max") != LUA_TNIL) {
        lua_Integer max = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : -1;

        if (max < 0 || max > CONFERENCE_MEMBERS_MAX)
            luaL_error(L, "conference: `max` has to be a number from 1 to %d", CONFERENCE_MEMBERS_MAX);
        plan->terms.max = (unsigned)max;
    }
    lua_pop(L, 1);
}

/* --- in it -------------------------------------------------------------------------------------------------------- */

static void left(void *arg, enum conference_why why)
{
    struct call *call = arg;
    struct script_run *run = call->script;

    if (!run || !run->in_conference) /* the script has ended meanwhile */
        return;
    run->in_conference = false;
    run->left = why;
    run_resume(run);
}

static int end_with(lua_State *L, const struct script_run *run, const char *word)
{
    run_step(run, "→ %s", word);
    lua_pushstring(L, word);
    return 1;
}

/* A word for the script, when the caller has heard the prompt for it. */
static int said(lua_State *L, int status, lua_KContext context)
{
    return end_with(L, verb_resumed(L, context), lua_tostring(L, PLAN + 1));
}

/* Pushes the verb of this name and the call object; false: there is none. */
static bool push_verb(lua_State *L, const char *name)
{
    luaL_getmetafield(L, 1, "__index");
    lua_getupvalue(L, -1, 1);
    lua_remove(L, -2);
    if (lua_getfield(L, -1, name) != LUA_TFUNCTION) {
        lua_pop(L, 2);
        return false;
    }
    lua_remove(L, -2);
    lua_pushvalue(L, 1);
    return true;
}

static int refuse(lua_State *L, struct script_run *run, const char *word, const char *prompt)
{
    lua_settop(L, PLAN);
    lua_pushstring(L, word);
    if (push_verb(L, "play")) {
        lua_pushstring(L, prompt);
        lua_callk(L, 2, 0, (lua_KContext)run->serial, said);
    }
    return said(L, LUA_OK, (lua_KContext)run->serial);
}

static int out_again(lua_State *L, int status, lua_KContext context)
{
    static const char *const words[] = {
        [CONFERENCE_LEFT] = "left", [CONFERENCE_KICKED] = "kicked", [CONFERENCE_TAKEN] = "taken"};
    struct script_run *run = verb_resumed(L, context);

    if (run->left == CONFERENCE_KICKED)
        return refuse(L, run, words[run->left], "conference/kicked");
    return end_with(L, run, words[run->left]);
}

static int go_in(lua_State *L, struct script_run *run, struct leg *leg, const struct plan *plan)
{
    struct conference_request request = {
        .leg = leg, .room = plan->room, .terms = &plan->terms, .moderator = plan->moderator, .muted = plan->muted};
    int result;

    run_step(run, "conference %s, until the caller leaves", plan->room);
    result = conference_join(&request, left, run->call);
    guard_check(L);
    switch (result) {
    case 0:
        run->in_conference = true;
        return verb_wait(L, run, out_again);
    case -EACCES:
        return refuse(L, run, "locked", "conference/is-locked");
    case -ENOSPC:
        return refuse(L, run, "full", "conference/full");
    case -EBUSY:
        return luaL_error(L, "conference: this call is in a conversation already");
    default:
        return luaL_error(L, "conference: the caller has no audio to take part with");
    }
}

/* --- the PIN ------------------------------------------------------------------------------------------------------ */

static int ask(lua_State *L, struct script_run *run, struct plan *plan);

/* What was typed is at the top; nil: nothing. */
static int typed(lua_State *L, int status, lua_KContext context)
{
    struct script_run *run;
    struct leg *leg = verb_leg(L, &run);
    struct plan *plan = lua_touserdata(L, PLAN);
    const char *digits = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;

    verb_resumed(L, context);
    switch (digits && conference_may_guess(leg, plan->room) ? conference_pin(&plan->terms, digits)
                                                            : CONFERENCE_PIN_WRONG) {
    case CONFERENCE_PIN_MODERATOR:
        plan->moderator = true;
        return go_in(L, run, leg, plan);
    case CONFERENCE_PIN_MEMBER:
        return go_in(L, run, leg, plan);
    case CONFERENCE_PIN_WRONG:
        break;
    }
    run_step(run, "wrong PIN");
    if (digits)
        conference_guessed(leg, plan->room);
    if (++plan->tries < TRIES)
        return ask(L, run, plan);
    return refuse(L, run, "wrong-pin", "conference/wrong-pin");
}

static void set_number(lua_State *L, const char *option, lua_Integer value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, option);
}

/* Who types as many digits as the longest PIN has is done; else # or a pause ends it. */
static lua_Integer digits_most(const struct conference_terms *terms)
{
    size_t pin = strlen(terms->pin), moderator = strlen(terms->moderator_pin);

    return (lua_Integer)(pin > moderator ? pin : moderator);
}

static int ask(lua_State *L, struct script_run *run, struct plan *plan)
{
    lua_settop(L, PLAN);
    if (!push_verb(L, "gather"))
        return luaL_error(L, "conference: nobody can be asked for a PIN");
    lua_createtable(L, 0, 6);
    lua_createtable(L, 2, 0);
    if (plan->tries) {
        lua_pushstring(L, "conference/wrong-pin");
        lua_rawseti(L, -2, 1);
    }
    lua_pushstring(L, "conference/enter-pin");
    lua_rawseti(L, -2, plan->tries ? 2 : 1);
    lua_setfield(L, -2, "prompt");
    set_number(L, "min", 1);
    set_number(L, "max", digits_most(&plan->terms));
    set_number(L, "timeout", PIN_S);
    set_number(L, "interdigit", PIN_S / 2);
    lua_pushstring(L, "#");
    lua_setfield(L, -2, "terminator");
    lua_callk(L, 2, 1, (lua_KContext)run->serial, typed);
    return typed(L, LUA_OK, (lua_KContext)run->serial);
}

int verb_conference(lua_State *L)
{
    struct script_run *run;
    struct leg *leg = verb_leg(L, &run);
    struct plan *plan;

    luaL_checktype(L, 2, LUA_TTABLE);
    verb_may_wait(L, run);
    check_options(L);
    lua_settop(L, 2);
    plan = lua_newuserdatauv(L, sizeof *plan, 0);
    memset(plan, 0, sizeof *plan);
    read_options(L, run->call->pbx, plan);
    verb_answer_first(L, run, leg);
    return plan->moderator || !conference_asks(&plan->terms) ? go_in(L, run, leg, plan) : ask(L, run, plan);
}
