/* What a script may ask of the switch beside its call: the table pbx. It hands out values only: what it was asked about
 * may change at any turn of the loop. Signalling thread. */
#include <jansson.h>
#include <string.h>

#include "call/state.h"
#include "script/sandbox.h"
#include "script/verbs.h"

#define NOTIFY_STEPS 20000
#define GROUP_STEPS 10
#define STATE_STEPS 1000 /* looking at every leg costs about as much as so many instructions */

static struct pbx *switch_of(lua_State *L, const char *function)
{
    const struct script_state *state = state_of(L);

    if (state->loading)
        luaL_error(L, "%s works only in a call, not while the dialplan is loaded", function);
    return state->script->pbx;
}

static const char *text_or_nothing(const json_t *value)
{
    return json_is_string(value) ? json_string_value(value) : "";
}

static int pbx_account(lua_State *L)
{
    const struct pbx *pbx = switch_of(L, "pbx.account()");
    const char *name = luaL_checkstring(L, 1);
    const struct account *account;

    run_look(state_of(L), name);
    account = pbx->db ? snapshot_account(db_snapshot(pbx->db), name) : NULL;
    if (!account) {
        luaL_pushfail(L);
        return 1;
    }
    lua_createtable(L, 0, 4);
    lua_pushstring(L, account->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, account->display_name);
    lua_setfield(L, -2, "display_name");
    lua_pushstring(L, account->context);
    lua_setfield(L, -2, "context");
    lua_pushboolean(L, account->enabled);
    lua_setfield(L, -2, "enabled");
    return 1;
}

/* By its name or number; nil: there is no such group. */
static int pbx_group(lua_State *L)
{
    const struct pbx *pbx = switch_of(L, "pbx.group()");
    const struct snapshot *snapshot = pbx->db ? db_snapshot(pbx->db) : NULL;
    const char *wanted = luaL_checkstring(L, 1);
    char number[40];

    for (size_t i = 0; *wanted && snapshot && i < snapshot_feature_count(snapshot); i++) {
        const struct feature *feature = snapshot_feature_at(snapshot, i);
        json_t *value;

        guard_charge(L, GROUP_STEPS);
        if (strcmp(feature->kind, "ring_group") != 0 ||
            (strcmp(feature->name, wanted) != 0 && !strstr(feature->value, wanted)))
            continue; /* most need not be read */
        value = json_loads(feature->value, 0, NULL);
        str_copy(number, sizeof number, text_or_nothing(json_object_get(value, "number")));
        json_decref(value);
        if (strcmp(feature->name, wanted) != 0 && strcmp(number, wanted) != 0)
            continue;
        lua_createtable(L, 0, 2);
        lua_pushstring(L, feature->name);
        lua_setfield(L, -2, "name");
        lua_pushstring(L, number);
        lua_setfield(L, -2, "number");
        return 1;
    }
    luaL_pushfail(L);
    return 1;
}

/* nil: there is no such account. */
static int pbx_state(lua_State *L)
{
    struct pbx *pbx = switch_of(L, "pbx.state()");
    enum account_state state;

    guard_charge(L, STATE_STEPS + pbx->leg_count);
    run_look(state_of(L), luaL_checkstring(L, 1));
    state = account_state(pbx, luaL_checkstring(L, 1));
    if (state == ACCOUNT_UNKNOWN)
        luaL_pushfail(L);
    else
        lua_pushstring(L, account_state_name(state));
    return 1;
}

/* To how many phones; nil: there is no such account. */
static int pbx_tell(lua_State *L)
{
    const struct script_run *run = function_run(L, "pbx.notify()", false);
    const char *account = luaL_checkstring(L, 1), *event = luaL_checkstring(L, 2);
    int sent;

    guard_charge(L, NOTIFY_STEPS);
    run_look(run->state, account);
    sent = run->state->pretence.step ? 0 : pbx_notify(run->call->pbx, account, event);
    if (sent == -EINVAL)
        return luaL_error(L, "pbx.notify: \"%s\" is no event; \"check-sync\" is", event);
    if (sent < 0)
        luaL_pushfail(L);
    else
        lua_pushinteger(L, sent);
    return 1;
}

void pbx_add(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"account", pbx_account},         {"group", pbx_group}, {"state", pbx_state}, {"notify", pbx_tell},
        {"has_verb", module_verb_exists}, {NULL, NULL}};

    luaL_newlib(L, functions);
    originate_add(L);
    sandbox_lock(L);
    lua_setfield(L, -2, "pbx");
}
