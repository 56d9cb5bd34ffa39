/* One loaded dialplan: a Lua state with the sandbox, the files of the dialplan run once, and the extensions they
 * declared. Names that functions of the dialplan use are looked up in three tables: what this call has set (only it
 * sees that), what the files set while loading, and the locked base. Signalling thread. Knows calls only as "one is
 * running". */
#include <lauxlib.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "script/sandbox.h"
#include "script/script-priv.h"

#define FILE_SIZE_MAX (1024 * 1024)
#define INCLUDE_DEPTH_MAX 16

struct script_state *state_of(lua_State *L)
{
    return *(struct script_state **)lua_getextraspace(L);
}

/* --- global names ------------------------------------------------------------------------------------------------ */

/* Pushes the value that the name at index 2 has in the table behind ref; false (nothing pushed) when it has none. */
static bool lookup(lua_State *L, int ref)
{
    if (ref == LUA_NOREF)
        return false;
    lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, -2) != LUA_TNIL)
        return true;
    lua_pop(L, 2);
    return false;
}

static int env_get(lua_State *L)
{
    const struct script_state *state = state_of(L);

    return (state->running && lookup(L, state->running->globals_ref)) || lookup(L, state->shared_ref) ||
           lookup(L, state->base_ref);
}

static int env_set(lua_State *L)
{
    struct script_state *state = state_of(L);
    struct script_run *run = state->running;

    if (run && run->globals_ref == LUA_NOREF) {
        lua_newtable(L);
        run->globals_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    if (lua_isnil(L, 2))
        return luaL_error(L, "a global cannot have the name nil");
    lua_rawgeti(L, LUA_REGISTRYINDEX, run ? run->globals_ref : state->shared_ref);
    lua_insert(L, 2);
    lua_rawset(L, 2);
    return 0;
}

/* --- files ------------------------------------------------------------------------------------------------------- */

/* The whole file, NULL and errno when it cannot be read. Freed by the caller. */
static char *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "re");
    char *text;
    int error;

    if (!file)
        return NULL;
    text = mem_new(FILE_SIZE_MAX + 1);
    *len = fread(text, 1, FILE_SIZE_MAX + 1, file);
    error = ferror(file) ? EIO : *len > FILE_SIZE_MAX ? EFBIG : 0;
    fclose(file);
    if (!error)
        return text;
    free(text);
    errno = error;
    return NULL;
}

static void add_to_hash(struct script_state *state, const char *name, const char *text, size_t len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
    EVP_DigestUpdate(ctx, state->hash, sizeof state->hash);
    EVP_DigestUpdate(ctx, name, strlen(name) + 1);
    EVP_DigestUpdate(ctx, text, len);
    EVP_DigestFinal_ex(ctx, state->hash, NULL);
    EVP_MD_CTX_free(ctx);
}

/* Runs a file of the dialplan directory, or else of the library, in the dialplan's environment. */
static void run_file(lua_State *L, const char *name)
{
    struct script_state *state = state_of(L);
    const char *const dirs[] = {state->script->dir, state->script->library_dir};
    char path[1024], chunk[256], *text = NULL;
    size_t len = 0;
    int status;

    errno = ENOENT;
    for (size_t i = 0; i < COUNT_OF(dirs) && !text && errno == ENOENT; i++) {
        if (!dirs[i])
            continue;
        if ((size_t)snprintf(path, sizeof path, "%s/%s", dirs[i], name) >= sizeof path)
            errno = ENAMETOOLONG;
        else
            text = read_file(path, &len);
    }
    if (!text) {
        state->no_main_file = state->include_depth == 0 && errno == ENOENT;
        luaL_error(L, "%s cannot be read: %s (looked in %s)", name, strerror(errno), dirs[0]);
    }
    add_to_hash(state, name, text, len);
    snprintf(chunk, sizeof chunk, "@%s", name);
    status = luaL_loadbufferx(L, text, len, chunk, "t");
    free(text);
    if (status != LUA_OK)
        lua_error(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, state->env_ref);
    lua_setupvalue(L, -2, 1); /* _ENV */
    state->include_depth++;
    lua_call(L, 0, 0);
    state->include_depth--;
}

/* A relative path that stays where it is looked for. */
static bool is_inside(const char *name)
{
    if (!*name || *name == '/' || strlen(name) > 200)
        return false;
    for (const char *p = name; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
        if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == '\0'))
            return false;
    return true;
}

static int dialplan_include(lua_State *L)
{
    struct script_state *state = state_of(L);
    const char *name = luaL_checkstring(L, 1);

    if (!state->loading)
        return luaL_error(L, "include() works only while the dialplan is loaded, not in a call");
    if (!is_inside(name))
        return luaL_error(L, "include(\"%s\"): only files inside the dialplan directory can be included", name);
    if (state->include_depth > INCLUDE_DEPTH_MAX)
        return luaL_error(L, "include(\"%s\"): more than %d files include each other", name, INCLUDE_DEPTH_MAX);
    lua_rawgeti(L, LUA_REGISTRYINDEX, state->included_ref);
    if (lua_getfield(L, -1, name) != LUA_TNIL)
        return 0; /* once is enough */
    lua_pushboolean(L, 1);
    lua_setfield(L, -3, name);
    run_file(L, name);
    return 0;
}

static int dialplan_extension(lua_State *L)
{
    struct script_state *state = state_of(L);
    const char *context = luaL_checkstring(L, 1), *pattern = luaL_checkstring(L, 2), *why;
    char at[80];
    size_t len;

    luaL_checktype(L, 3, LUA_TFUNCTION);
    if (!state->loading)
        return luaL_error(L, "extension() works only while the dialplan is loaded, not in a call");
    if (!*context || strlen(context) >= sizeof((struct call *)0)->context)
        return luaL_error(L, "extension(\"%s\", …): the context's name is empty or too long", context);
    if (extension_check(pattern, &why) < 0)
        return luaL_error(L, "extension \"%s\" in context \"%s\": %s", pattern, context, why);
    guard_where(L, at, sizeof at);
    len = strlen(at);
    at[len > 2 ? len - 2 : 0] = '\0'; /* without ": " */
    lua_settop(L, 3);
    extension_table_add(&state->extensions, context, pattern, luaL_ref(L, LUA_REGISTRYINDEX), at);
    return 0;
}

/* --- setting up -------------------------------------------------------------------------------------------------- */

static int new_table_ref(lua_State *L)
{
    lua_newtable(L);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

static void make_environment(lua_State *L, struct script_state *state)
{
    static const luaL_Reg functions[] = {
        {"include", dialplan_include}, {"extension", dialplan_extension}, {NULL, NULL}};
    static const luaL_Reg access[] = {{"__index", env_get}, {"__newindex", env_set}, {NULL, NULL}};

    state->included_ref = new_table_ref(L);
    state->shared_ref = new_table_ref(L);
    lua_newtable(L); /* the environment itself stays empty, so that every access asks the functions */
    luaL_newlib(L, access);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    sandbox_push(L);
    luaL_setfuncs(L, functions, 0);
    verbs_add(L);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "_G");
    state->base_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    state->env_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

static int load_dialplan(lua_State *L)
{
    struct script_state *state = lua_touserdata(L, 1);
    const struct extension *again, *first;

    make_environment(L, state);
    run_file(L, "init.lua");
    again = extension_table_sort(&state->extensions, &first);
    if (again)
        return luaL_error(L, "%s: extension \"%s\" in context \"%s\" is defined a second time, see %s", again->at,
                          again->pattern, again->context, first->at);
    return 0;
}

int state_error_text(lua_State *L)
{
    const char *text = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : NULL, *colon;
    char at[128];

    if (heap_of(L)->guard->doom != DOOM_NONE)
        return 1;
    colon = text ? strchr(text, ':') : NULL;
    if (colon && colon[1] >= '0' && colon[1] <= '9')
        return 1; /* it has its place already */
    guard_where(L, at, sizeof at);
    if (text)
        lua_pushfstring(L, "%s%s", at, text);
    else
        lua_pushfstring(L, "%serror with a %s instead of a text", at, luaL_typename(L, 1));
    return 1;
}

int state_protect(struct script_state *state, struct guard *guard, lua_CFunction fn, void *arg, char *why,
                  size_t why_size)
{
    lua_State *L = state->L;
    struct guard *outer = state->heap.guard;
    int status, top = lua_gettop(L); /* a handler may be on this stack, and its verb have led here */

    guard->root = guard->thread = L;
    guard_begin(guard);
    state->heap.guard = guard;
    if (!lua_checkstack(L, LUA_MINSTACK)) {
        str_copy(why, why_size, "no memory for Lua");
        state->heap.guard = outer;
        return -EIO;
    }
    lua_pushcfunction(L, state_error_text); /* light functions: this takes no memory */
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, arg);
    status = lua_pcall(L, 1, 0, -3);
    if (status == LUA_OK)
        why[0] = '\0';
    else if (guard->doom == DOOM_LIMIT)
        str_copy(why, why_size, guard->why);
    else
        snprintf(why, why_size, "%s%s", status == LUA_ERRMEM ? guard->memory_at : "",
                 lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "failed without a message");
    lua_settop(L, top);
    state->heap.guard = outer;
    return status == LUA_OK ? 0 : -EIO;
}

static void state_destroy(void *obj)
{
    struct script_state *state = obj;

    if (state->L)
        lua_close(state->L);
    extension_table_free(&state->extensions);
}

int state_open(struct script *script, struct script_state **out, char *why, size_t why_size)
{
    struct script_state *state = obj_new(sizeof *state, "script-state", state_destroy, "script");
    struct guard loader = {.budget = &state->heap.shared, .limit = script->config.instruction_limit};
    int result;

    state->script = script;
    state->L = heap_open(&state->heap, script->config.memory_limit, state);
    if (!state->L) {
        str_copy(why, why_size, "no memory for Lua: raise the script memory limit");
        obj_unref(state, "script");
        return -EINVAL;
    }
    state->loading = true;
    result = state_protect(state, &loader, load_dialplan, state, why, why_size);
    state->loading = false;
    if (result < 0) {
        result = state->no_main_file ? -ENOENT : -EINVAL;
        obj_unref(state, "script");
        return result;
    }
    *out = state;
    return 0;
}
