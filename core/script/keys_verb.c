/* call:send_keys("123#"): presses keys towards the caller's far side, one after the other, in the way that it wants
 * them, and waits until they are through. Signalling thread; knows no way of sending keys. */
#include <stdio.h>

#include "script/verbs.h"

#define MS_LEAST 40
#define MS_MOST 10000
#define GAP_LEAST 100 /* tones need it, and whoever hears them */
#define PAUSE_MS 500  /* of a comma */

static void next(void *arg)
{
    struct script_run *run = arg;
    struct leg *leg = run->call->caller;
    char key = run->pressing.keys[run->pressing.at];
    unsigned wait_ms = key == ',' ? PAUSE_MS : run->pressing.ms + run->pressing.gap_ms;
    int result = 0;

    if (key)
        run->pressing.at++;
    if (key && key != ',' && run->pressing.result == 0)
        result = leg ? leg_press(leg, key, run->pressing.ms) : -ENOTCONN;
    if (result < 0)
        run->pressing.result = result;
    if (key && run->pressing.result == 0)
        loop_timer_start(run->call->pbx->loop, &run->sleep, wait_ms, next, run);
    else
        run_resume(run);
}

static int pressed(lua_State *L, int status, lua_KContext context)
{
    struct script_run *run = verb_resumed(L, context);

    lua_pushboolean(L, run->pressing.result == 0);
    return 1;
}

static unsigned read_ms(lua_State *L, const char *option, unsigned least, unsigned otherwise)
{
    lua_Integer ms = otherwise;

    if (lua_getfield(L, 3, option) != LUA_TNIL) {
        ms = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
        if (ms < least || ms > MS_MOST)
            luaL_error(L, "send_keys: `%s` is a number of milliseconds from %d to %d", option, (int)least, MS_MOST);
    }
    lua_pop(L, 1);
    return (unsigned)ms;
}

static void check_options(lua_State *L)
{
    lua_pushnil(L);
    while (lua_next(L, 3)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "(not a name)";

        if (strcmp(key, "ms") != 0 && strcmp(key, "gap") != 0)
            luaL_error(L, "send_keys: there is no option \"%s\"", key);
        lua_pop(L, 1);
    }
}

int verb_send_keys(lua_State *L)
{
    struct script_run *run;
    struct leg *leg = verb_leg(L, &run);
    size_t len;
    const char *keys = luaL_checklstring(L, 2, &len);

    verb_may_wait(L, run);
    if (lua_isnoneornil(L, 3)) {
        lua_settop(L, 2);
        lua_newtable(L);
    }
    luaL_checktype(L, 3, LUA_TTABLE);
    check_options(L);
    if (len >= sizeof run->pressing.keys)
        return luaL_error(L, "send_keys: more than %d keys", (int)sizeof run->pressing.keys - 1);
    for (size_t i = 0; i < len; i++)
        if (keys[i] != ',' && key_event(keys[i]) < 0)
            return luaL_error(L, "send_keys: there is no key \"%c\"; keys are 0-9 * # A-D !, and a comma waits",
                              keys[i]);
    run->pressing.ms = read_ms(L, "ms", MS_LEAST, KEY_MS);
    run->pressing.gap_ms = read_ms(L, "gap", GAP_LEAST, KEY_GAP_MS);
    run->pressing.at = 0;
    run->pressing.result = 0;
    str_copy(run->pressing.keys, sizeof run->pressing.keys, keys);
    run_step(run, "send %zu keys", len);
    verb_answer_first(L, run, leg);
    loop_timer_start(run->call->pbx->loop, &run->sleep, 0, next, run);
    return verb_wait(L, run, pressed);
}
