/* store.get(), store.set(), store.add(): what the dialplan keeps beyond a call. They answer at once; on_hangup handlers
 * may use them too. Signalling thread. */
#include <math.h>

#include "db/store.h"
#include "script/lua_json.h"
#include "script/sandbox.h"
#include "script/verbs.h"

#define SECONDS_MAX (10 * 366 * 86400.0)

static struct store *store_of(lua_State *L, const char *function)
{
    struct store *store = function_run(L, function, false)->call->pbx->store;

    if (!store)
        luaL_error(L, "%s: this switch keeps nothing", function);
    return store;
}

static const char *key_at(lua_State *L, int arg)
{
    size_t len;
    const char *key = luaL_checklstring(L, arg, &len);

    if (strlen(key) != len || !len)
        luaL_error(L, "store: a key is a text of 1 to %d bytes without control characters", STORE_KEY_MAX);
    return key;
}

static int store_get_verb(lua_State *L)
{
    struct store *store = store_of(L, "store.get()");

    lua_json_push(L, store_get(store, key_at(L, 1)));
    return 1;
}

/* Sets; raises when that is refused. Takes over value. */
static void set(lua_State *L, struct store *store, const char *key, json_t *value, int seconds_arg)
{
    lua_Number seconds = luaL_optnumber(L, seconds_arg, 0);
    bool too_long = !(seconds >= 0 && seconds <= SECONDS_MAX);
    int result;

    if (too_long)
        json_decref(value);
    luaL_argcheck(L, !too_long, seconds_arg, "not a time in seconds, up to ten years");
    result = store_set(store, key, value, (uint64_t)ceil(seconds));
    if (result == -ENOSPC)
        luaL_error(L, "store: it is full (%d keys or %d bytes)", STORE_KEYS_MAX, STORE_BYTES_MAX);
    if (result == -EINVAL)
        luaL_error(L, "store: a key is a text of 1 to %d bytes in UTF-8 without control characters", STORE_KEY_MAX);
    if (result < 0)
        luaL_error(L, "store: it keeps texts of up to %d bytes in UTF-8, numbers, true and false; nil forgets",
                   STORE_TEXT_MAX);
}

static int store_set_verb(lua_State *L)
{
    struct store *store = store_of(L, "store.set()");
    const char *key = key_at(L, 1);
    json_t *value;

    luaL_checkany(L, 2);
    luaL_optnumber(L, 3, 0); /* raises while nothing is held */
    value = json_at(L, 2);
    if (!value)
        return luaL_error(L, "store: it keeps texts of up to %d bytes in UTF-8, numbers, true and false; nil forgets",
                          STORE_TEXT_MAX);
    set(L, store, key, value, 3);
    run_step(state_of(L)->running, "store.set %s = %s", key, luaL_tolstring(L, 2, NULL));
    return 0;
}

/* Adds to a number, which begins as 0; returns the new one. Nothing can come between. */
static int store_add_verb(lua_State *L)
{
    struct store *store = store_of(L, "store.add()");
    const char *key = key_at(L, 1);
    lua_Integer more = luaL_optinteger(L, 2, 1), now;
    const json_t *old = store_get(store, key);

    luaL_optnumber(L, 3, 0);
    if (old && !json_is_integer(old))
        return luaL_error(L, "store.add: what is kept as \"%s\" is no whole number", key);
    now = (lua_Integer)((lua_Unsigned)json_integer_value(old) + (lua_Unsigned)more);
    set(L, store, key, json_integer((json_int_t)now), 3);
    run_step(state_of(L)->running, "store.add %s: %lld", key, (long long)now);
    lua_pushinteger(L, now);
    return 1;
}

void store_add(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"add", store_add_verb}, {"get", store_get_verb}, {"set", store_set_verb}, {NULL, NULL}};

    luaL_newlib(L, functions);
    sandbox_lock(L);
    lua_setfield(L, -2, "store");
}
