/* log(fmt, …) and call:log(fmt, …): a line in the log and on the bus. Signalling thread. */
#include "base/log.h"
#include "script/verbs.h"

#define LOG_STEPS 1000 /* a line costs about as much as so many instructions */

/* The text that the arguments from `first` on make: with one argument that itself, else string.format (upvalue 1). */
static const char *format_text(lua_State *L, int first)
{
    luaL_checkany(L, first);
    if (lua_gettop(L) == first)
        return luaL_tolstring(L, first, NULL);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, first);
    lua_call(L, lua_gettop(L) - first, 1);
    return lua_tostring(L, -1);
}

static int write_line(lua_State *L, int first)
{
    const struct script_run *run = state_of(L)->running;
    char text[512], id[UUID_TEXT];

    guard_charge(L, LOG_STEPS);
    str_copy(text, sizeof text, format_text(L, first));
    str_clean_utf8(text);
    if (!run) {
        log_info("dialplan: %s", text);
    } else {
        struct event event = {.kind = EVENT_SCRIPT, .call = run->call, .who = WHO_SCRIPT, .detail = text};

        log_info("call %s: %s", call_id_text(run->call, id), text);
        run_step(run, "log: %s", text);
        bus_publish(run->call->pbx->bus, &event);
    }
    return 0;
}

int verb_log(lua_State *L)
{
    verb_run(L);
    return write_line(L, 2);
}

static int dialplan_log(lua_State *L)
{
    return write_line(L, 1);
}

void log_add(lua_State *L)
{
    lua_getfield(L, -1, "string");
    lua_getfield(L, -1, "format");
    lua_remove(L, -2);
    lua_pushcclosure(L, dialplan_log, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "print");
    lua_setfield(L, -2, "log");
}
