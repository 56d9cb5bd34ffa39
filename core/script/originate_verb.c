/* pbx.originate{ from = …, to = …, … }: the switch makes another call, beside the one that the script drives. It does
 * not wait: what becomes of it is looked up. Signalling thread. */
#include <math.h>
#include <stdlib.h>

#include "call/originate.h"
#include "script/headers_option.h"
#include "script/verbs.h"

#define ORIGINATE_STEPS 20000 /* a call costs about as much as so many instructions */

static void set_text(lua_State *L, const char *key, const char *text)
{
    if (!text || !*text)
        return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, key);
}

static void push_report(lua_State *L, const struct originate_report *report)
{
    char id[UUID_TEXT];

    lua_createtable(L, 0, 5);
    uuid_text(&report->id, id);
    set_text(L, "id", id);
    set_text(L, "state", originate_state_name(report->state));
    set_text(L, "cause", report->cause);
    set_text(L, "words", report->words);
    if (!uuid_is_nil(&report->call_id)) {
        uuid_text(&report->call_id, id);
        set_text(L, "call", id);
    }
}

static const char *text_option(lua_State *L, const char *name, bool needed)
{
    const char *text = NULL;

    if (lua_getfield(L, 1, name) != LUA_TNIL) {
        text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
        if (!text || !*text)
            luaL_error(L, "originate: `%s` has to be a text", name);
    } else if (needed) {
        luaL_error(L, "originate: `%s` is missing", name);
    }
    return text; /* stays on the stack, and in the table */
}

static unsigned seconds_option(lua_State *L, const char *name)
{
    lua_Number seconds = 0;

    if (lua_getfield(L, 1, name) != LUA_TNIL) {
        seconds = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
        if (!(seconds > 0 && seconds <= 604800))
            luaL_error(L, "originate: `%s` has to be a time in seconds", name);
    }
    lua_pop(L, 1);
    return (unsigned)ceil(seconds);
}

static void check_options(lua_State *L)
{
    static const char *const known[] = {"from", "to", "context", "key", "after", "at", "timeout", "valid", "headers"};

    lua_pushnil(L);
    while (lua_next(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "(not a name)";
        bool found = false;

        for (size_t i = 0; i < COUNT_OF(known); i++)
            found = found || strcmp(known[i], key) == 0;
        if (!found)
            luaL_error(L, "originate: there is no option \"%s\"", key);
        lua_pop(L, 1);
    }
}

static uint64_t time_option(lua_State *L)
{
    lua_Number at = 0;

    if (lua_getfield(L, 1, "at") != LUA_TNIL) {
        at = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
        if (!(at >= 0 && at < 1e11))
            luaL_error(L, "originate: `at` has to be a time as from os.time");
    }
    lua_pop(L, 1);
    return (uint64_t)(at * 1e6);
}

static int pbx_originate(lua_State *L)
{
    struct script_run *run = function_run(L, "pbx.originate()", false);
    struct originate_wish wish = {.origin = "the dialplan"};
    struct originate_report report = {.state = ORIGINATE_WAITING, .cause = "", .words = ""};
    char why[256], *headers;
    int result;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    check_options(L);
    wish.account = text_option(L, "from", true);
    wish.to = text_option(L, "to", true);
    wish.context = text_option(L, "context", false);
    wish.key = text_option(L, "key", false);
    wish.after = text_option(L, "after", false);
    wish.at_us = time_option(L);
    wish.timeout_s = seconds_option(L, "timeout");
    wish.valid_s = seconds_option(L, "valid");
    guard_charge(L, ORIGINATE_STEPS);
    run_look(run->state, wish.account);
    run_step(run, "originate %s → %s", wish.account, wish.to);
    headers = headers_option(L, 1, "originate");
    wish.headers = headers;
    result = run->state->pretence.step ? 0 : originate(run->call->pbx, &wish, NULL, NULL, &report.id, why, sizeof why);
    free(headers);
    if (result < 0)
        return luaL_error(L, "originate: %s", why);
    if (!run->state->pretence.step)
        originate_look(run->call->pbx, &report.id, &report);
    push_report(L, &report);
    return 1;
}

/* nil: nothing is known of it here. */
static int pbx_originated(lua_State *L)
{
    const struct script_run *run = function_run(L, "pbx.originated()", false);
    struct originate_report report;
    struct uuid id;

    if (uuid_parse(luaL_checkstring(L, 1), &id) < 0 || !originate_look(run->call->pbx, &id, &report))
        luaL_pushfail(L);
    else
        push_report(L, &report);
    return 1;
}

void originate_add(lua_State *L)
{
    static const luaL_Reg functions[] = {{"originate", pbx_originate}, {"originated", pbx_originated}, {NULL, NULL}};

    luaL_setfuncs(L, functions, 0);
}
