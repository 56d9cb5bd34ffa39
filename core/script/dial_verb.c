/* call:dial{ to = …, timeout = …, … }: reads its options, waits for the dial, and makes a table of
 * what became of it. Signalling thread. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "script/headers_option.h"
#include "script/verbs.h"

#define TARGETS_MAX 32
#define TIMEOUT_MAX_S 86400
#define TALK_MAX_S 604800 /* a week */

static void dial_done(void *arg, const struct dial_result *result)
{
    struct script_run *run = arg;

    run->dialled.status = result->status;
    run->dialled.cause = result->cause;
    run->dialled.talk_ms = result->talk_ms;
    str_copy(run->dialled.detail, sizeof run->dialled.detail, result->detail);
    str_copy(run->dialled.answered_by, sizeof run->dialled.answered_by, result->answered_by);
    str_copy(run->dialled.redirect, sizeof run->dialled.redirect, result->redirect);
    str_copy(run->dialled.redirect_context, sizeof run->dialled.redirect_context, result->redirect_context);
    run_resume(run);
}

static void set_text(lua_State *L, const char *key, const char *text)
{
    if (!text || !*text)
        return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, key);
}

static int dialled(lua_State *L, int status, lua_KContext context)
{
    struct script_run *run = verb_resumed(L, context);

    run->dialling = false;
    if (run->dialled.status == DIAL_REDIRECTED &&
        run->dialled.cause == CAUSE_REDIRECTED) /* the phone sent it elsewhere */
        return verb_go(L, run, run->dialled.redirect_context, run->dialled.redirect);
    run_step(run, "→ %s", dial_status_name(run->dialled.status));
    lua_createtable(L, 0, 5);
    set_text(L, "status", dial_status_name(run->dialled.status));
    set_text(L, "cause", cause_info(run->dialled.cause)->id);
    set_text(L, "detail", run->dialled.detail);
    set_text(L, "answered_by", run->dialled.answered_by);
    lua_pushnumber(L, (lua_Number)run->dialled.talk_ms / 1000);
    lua_setfield(L, -2, "talk");
    return 1;
}

/* --- options ----------------------------------------------------------------------------------------------------- */

/* Misspelt options would be ignored for years. */
static void check_options(lua_State *L)
{
    lua_pushnil(L);
    while (lua_next(L, 2)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "(not a name)";

        if (strcmp(key, "to") != 0 && strcmp(key, "timeout") != 0 && strcmp(key, "max") != 0 &&
            strcmp(key, "in_order") != 0 && strcmp(key, "headers") != 0)
            luaL_error(L, "dial: there is no option \"%s\"", key);
        lua_pop(L, 1);
    }
}

static void check_target_options(lua_State *L, int table)
{
    lua_pushnil(L);
    while (lua_next(L, table)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "(not a name)";

        if (!(lua_isinteger(L, -2) && lua_tointeger(L, -2) == 1) && strcmp(key, "delay") != 0 &&
            strcmp(key, "ring") != 0 && strcmp(key, "confirm") != 0 && strcmp(key, "skip_busy") != 0)
            luaL_error(L, "dial: a destination has no option \"%s\"", key);
        lua_pop(L, 1);
    }
}

/* An option in seconds of the table at that index, as ms; 0 when it is not there. */
static unsigned read_seconds(lua_State *L, int table, const char *option, bool zero, lua_Number most)
{
    lua_Number seconds = 0;

    if (lua_getfield(L, table, option) != LUA_TNIL) {
        seconds = lua_isnumber(L, -1) ? lua_tonumber(L, -1) : -1;
        if (!(seconds >= 0 && seconds <= most) || (seconds == 0 && !zero))
            luaL_error(L, "dial: `%s` has to be a time in seconds%s", option, zero ? "" : " above 0");
    }
    lua_pop(L, 1);
    return (unsigned)ceil(seconds * 1000);
}

static bool read_flag(lua_State *L, int table, const char *option)
{
    bool flag;

    lua_getfield(L, table, option);
    flag = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

/* A name, or a table { name, delay = …, ring = …, confirm = …, skip_busy = … }. The name stays on the stack. */
static void add_target(lua_State *L, struct dial_target *targets, unsigned *count)
{
    struct dial_target target = {.to = NULL};

    if (*count == TARGETS_MAX)
        luaL_error(L, "dial: more than %d destinations at once", TARGETS_MAX);
    if (lua_istable(L, -1)) {
        int table = lua_gettop(L);

        check_target_options(L, table);
        target.delay_ms = read_seconds(L, table, "delay", true, TIMEOUT_MAX_S);
        target.ring_ms = read_seconds(L, table, "ring", false, TIMEOUT_MAX_S);
        target.confirm = read_flag(L, table, "confirm");
        target.skip_busy = read_flag(L, table, "skip_busy");
        lua_rawgeti(L, table, 1);
        lua_remove(L, table);
    }
    if (!lua_isstring(L, -1) || !*lua_tostring(L, -1))
        luaL_error(L, "dial: a destination in `to` is not a name but a %s", luaL_typename(L, -1));
    target.to = lua_tostring(L, -1);
    targets[(*count)++] = target;
}

/* { "202", delay = 10 } would be a list whose delay nobody reads. */
static void check_list(lua_State *L, int list)
{
    lua_pushnil(L);
    while (lua_next(L, list)) {
        if (lua_type(L, -2) == LUA_TSTRING)
            luaL_error(
                L, "dial: `to` is a list: a destination with options is a table in it: { { \"202\", delay = 10 } }");
        lua_pop(L, 1);
    }
}

/* Leaves the strings on the stack: they live as long as this call of the verb. */
static unsigned read_targets(lua_State *L, struct dial_target *targets)
{
    unsigned count = 0;

    luaL_checkstack(L, TARGETS_MAX + 8, NULL);
    if (lua_getfield(L, 2, "to") != LUA_TTABLE) {
        if (!lua_isstring(L, -1))
            luaL_error(L, "dial: `to` has to be a name or a list of names");
        add_target(L, targets, &count);
        return count;
    }
    check_list(L, lua_gettop(L));
    for (lua_Integer i = 1, list = lua_gettop(L); lua_rawgeti(L, (int)list, i) != LUA_TNIL; i++)
        add_target(L, targets, &count);
    lua_pop(L, 1);
    if (count == 0)
        luaL_error(L, "dial: the list `to` is empty");
    return count;
}

static void tell_step(const struct script_run *run, const struct dial_request *request)
{
    char text[200] = "";
    size_t used = 0;

    if (!run->state->pretence.step)
        return;
    for (unsigned i = 0; i < request->target_count; i++) {
        run_look(run->state, request->targets[i].to);
        str_append(text, sizeof text, &used, "%s%s", i ? ", " : "", request->targets[i].to);
        if (request->targets[i].delay_ms)
            str_append(text, sizeof text, &used, " after %g s", request->targets[i].delay_ms / 1000.0);
    }
    run_step(run, "dial %s for %g s", text, request->timeout_ms ? request->timeout_ms / 1000.0 : 60);
}

int verb_dial(lua_State *L)
{
    struct dial_target targets[TARGETS_MAX];
    struct script_run *run;
    struct dial_request request = {.leg = verb_leg(L, &run), .targets = targets};
    char *headers;
    int result;

    luaL_checktype(L, 2, LUA_TTABLE);
    verb_may_wait(L, run);
    check_options(L);
    request.timeout_ms = read_seconds(L, 2, "timeout", false, TIMEOUT_MAX_S);
    request.max_ms = read_seconds(L, 2, "max", true, TALK_MAX_S);
    request.in_order = read_flag(L, 2, "in_order");
    request.target_count = read_targets(L, targets);
    for (unsigned i = 0; request.in_order && i < request.target_count; i++)
        if (targets[i].delay_ms)
            luaL_error(L, "dial: with in_order no destination has a delay: each begins when the one before it is over");
    request.headers = headers = headers_option(L, 2, "dial");
    tell_step(run, &request);
    result = call_dial(run->call, &request, dial_done, run);
    free(headers);
    guard_check(L);
    if (result == -ENOTCONN) { /* it is being ended: nothing of the script matters any more */
        guard_doom(&run->guard, DOOM_HANGUP);
        return guard_raise(L);
    }
    if (result < 0)
        return luaL_error(L, "dial: %s", result == -EBUSY ? "this call dials already" : strerror(-result));
    run->dialling = true;
    return verb_wait(L, run, dialled);
}
