/* Runs the files in tests/ of a dialplan directory, each in a Lua state of its own with the sandbox's library and three
 * functions more: test(), call(), expect(). Single thread. Knows simulations by their public face. */
#include "script/site_test.h"

#include <dirent.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#include "call/headers.h"
#include "script/files.h"
#include "script/guard.h"
#include "script/lua_json.h"
#include "script/sandbox.h"
#include "script/simulate.h"

#define MEMORY_MAX (64u << 20)
#define STEPS_MAX 100000000u /* of one file */
#define CPU_MS 60000
#define WHY_MAX 8192

struct tester {
    const struct site_test_config *config;
    struct site_test_result *result;
    const char *file;
    char steps[WHY_MAX]; /* of the last call of this test */
    size_t steps_used;
};

static struct tester *tester_of(lua_State *L)
{
    return *(struct tester **)lua_getextraspace(L);
}

/* --- call{…} ----------------------------------------------------------------------------------------------------- */

static void note_step(void *arg, double seconds, const char *words)
{
    struct tester *tester = arg;

    str_append(tester->steps, sizeof tester->steps, &tester->steps_used, "    %7.1f  %s\n", seconds, words);
}

static const char *text_option(lua_State *L, const json_t *options, const char *key)
{
    const json_t *value = json_object_get(options, key);

    if (value && !json_is_string(value))
        luaL_error(L, "call: `%s` has to be a text", key);
    return json_string_value(value);
}

static const json_t *table_option(lua_State *L, const json_t *options, const char *key)
{
    const json_t *value = json_object_get(options, key);

    if (value && !json_is_object(value) && json_array_size(value))
        luaL_error(L, "call: `%s` has to be a table with names", key);
    return value;
}

/* accounts = { "201", ["202"] = { state = "busy" } } as the list that simulate() takes. */
static json_t *accounts_option(const json_t *given)
{
    json_t *list, *value;
    const char *name;
    size_t i;

    if (!given)
        return NULL;
    list = json_array();
    json_array_foreach(given, i, value)
    {
        json_array_append_new(list, json_pack("{s:O}", "name", value));
    }
    json_object_foreach((json_t *)(uintptr_t)given, name, value)
    {
        json_t *account = json_is_object(value) ? json_copy(value) : json_object();

        json_object_set_new(account, "name", json_string(json_is_string(value) ? json_string_value(value) : name));
        json_array_append_new(list, account);
    }
    return list;
}

static void check_names(lua_State *L, const json_t *options)
{
    static const char *const known[] = {"from",     "from_name", "to", "context", "at",       "assume", "accounts",
                                        "settings", "store",     "db", "headers", "patience", "keys"};
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)options, key, value)
    {
        bool found = false;

        for (size_t i = 0; i < COUNT_OF(known); i++)
            found = found || strcmp(known[i], key) == 0;
        if (!found)
            luaL_error(L, "call: there is no option \"%s\"", key);
    }
}

static void read_call(lua_State *L, const json_t *options, struct simulate_config *config)
{
    const char *at = text_option(L, options, "at");

    check_names(L, options);
    config->from = text_option(L, options, "from");
    config->from_name = text_option(L, options, "from_name");
    config->to = text_option(L, options, "to");
    config->context = text_option(L, options, "context");
    config->assume = table_option(L, options, "assume");
    config->settings = table_option(L, options, "settings");
    config->store = table_option(L, options, "store");
    config->answers = table_option(L, options, "db");
    config->keys = text_option(L, options, "keys");
    config->patience_s = (unsigned)json_integer_value(json_object_get(options, "patience"));
    if (at && simulate_time(at, &config->at_s) < 0)
        luaL_error(L, "call: `at` is \"%s\", and not a time like \"2026-12-25 10:00\"", at);
}

static char *read_headers(const json_t *given)
{
    char *list = NULL;
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)given, name, value)
    {
        if (json_is_string(value))
            headers_add(&list, name, json_string_value(value));
    }
    return list;
}

/* What must not leak when Lua raises hangs on the Lua stack in one userdata. */
struct held {
    json_t *options, *accounts, *result;
    char *headers;
};

static int let_go(lua_State *L)
{
    struct held *held = lua_touserdata(L, 1);

    json_decref(held->options);
    json_decref(held->accounts);
    json_decref(held->result);
    free(held->headers);
    memset(held, 0, sizeof *held);
    return 0;
}

static struct held *hold(lua_State *L)
{
    struct held *held = lua_newuserdatauv(L, sizeof *held, 0);

    memset(held, 0, sizeof *held);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, let_go);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    return held;
}

static int make_call(lua_State *L)
{
    struct tester *tester = tester_of(L);
    struct simulate_config config = {
        .dir = tester->config->dir, .library_dir = tester->config->library_dir, .step = note_step, .arg = tester};
    struct held *held;
    char why[600];

    luaL_checktype(L, 1, LUA_TTABLE);
    held = hold(L);
    held->options = lua_json_read(L, 1);
    if (!json_is_object(held->options))
        return luaL_error(L, "call: a table like { from = \"201\", to = \"600\" } is needed");
    read_call(L, held->options, &config);
    config.accounts = held->accounts = accounts_option(json_object_get(held->options, "accounts"));
    config.headers = held->headers = read_headers(json_object_get(held->options, "headers"));
    tester->steps_used = 0;
    tester->steps[0] = '\0';
    if (simulate(&config, &held->result, why, sizeof why) < 0)
        return luaL_error(L, "call: %s", why);
    lua_json_push(L, held->result);
    return 1;
}

/* --- expect(actual, wanted) -------------------------------------------------------------------------------------- */

static const char *shown(lua_State *L, int index)
{
    if (lua_type(L, index) == LUA_TSTRING)
        return lua_pushfstring(L, "\"%s\"", lua_tostring(L, index));
    return luaL_tolstring(L, index, NULL);
}

static void compare(lua_State *L, int actual, int wanted, const char *what);

/* Each field that is wanted. */
static void compare_tables(lua_State *L, int actual, int wanted, const char *what)
{
    lua_pushnil(L);
    while (lua_next(L, wanted)) {
        const char *name;

        luaL_tolstring(L, -2, NULL);
        name = lua_pushfstring(L, *what ? "%s.%s" : "%s%s", what, lua_tostring(L, -1));
        lua_pushvalue(L, -4); /* the key */
        lua_gettable(L, actual);
        luaL_checkstack(L, 20, "too deep");
        compare(L, lua_gettop(L), lua_gettop(L) - 3, name);
        lua_pop(L, 4);
    }
}

static void compare(lua_State *L, int actual, int wanted, const char *what)
{
    bool same = lua_compare(L, actual, wanted, LUA_OPEQ);

    if (!same && lua_type(L, actual) == LUA_TTABLE && lua_type(L, wanted) == LUA_TTABLE)
        compare_tables(L, actual, wanted, what);
    else if (!same && lua_type(L, actual) == LUA_TNUMBER && lua_type(L, wanted) == LUA_TNUMBER &&
             lua_tonumber(L, actual) - lua_tonumber(L, wanted) < 0.05 &&
             lua_tonumber(L, wanted) - lua_tonumber(L, actual) < 0.05)
        return; /* times have an end */
    else if (!same)
        luaL_error(L, "%s%sis %s, expected %s", what, *what ? " " : "it ", shown(L, actual), shown(L, wanted));
}

static int expect(lua_State *L)
{
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    compare(L, 1, 2, "");
    return 0;
}

/* --- test(name, function) ---------------------------------------------------------------------------------------- */

static int error_text(lua_State *L)
{
    char at[128];

    if (lua_type(L, 1) == LUA_TSTRING) {
        const char *text = lua_tostring(L, 1), *colon = strchr(text, ':');

        if (colon && colon[1] >= '0' && colon[1] <= '9')
            return 1; /* it has its place already */
    }
    guard_where(L, at, sizeof at);
    lua_pushfstring(L, "%s%s", at, luaL_tolstring(L, 1, NULL));
    return 1;
}

static int run_test(lua_State *L)
{
    struct tester *tester = tester_of(L);
    const char *name = luaL_checkstring(L, 1);
    char why[WHY_MAX + 700];

    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    tester->steps_used = 0;
    tester->steps[0] = '\0';
    lua_pushcfunction(L, error_text);
    lua_insert(L, 2);
    if (lua_pcall(L, 0, 0, 2) == LUA_OK) {
        tester->result->passed++;
        tester->config->tested(tester->config->arg, tester->file, name, NULL);
        return 0;
    }
    tester->result->failed++;
    snprintf(why, sizeof why, "%s\n%s", lua_tostring(L, -1) ? lua_tostring(L, -1) : "it failed without words",
             tester->steps);
    tester->config->tested(tester->config->arg, tester->file, name, why);
    return 0;
}

/* --- files ------------------------------------------------------------------------------------------------------- */

struct source {
    const char *chunk, *text;
    size_t len;
};

static int run_source(lua_State *L)
{
    static const luaL_Reg functions[] = {{"call", make_call}, {"expect", expect}, {"test", run_test}, {NULL, NULL}};
    const struct source *source = lua_touserdata(L, 1);

    lua_newtable(L); /* the file's globals, above the library */
    lua_createtable(L, 0, 1);
    sandbox_push(L);
    luaL_setfuncs(L, functions, 0);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pushcfunction(L, error_text);
    if (luaL_loadbufferx(L, source->text, source->len, source->chunk, "t") != LUA_OK)
        return lua_error(L);
    lua_pushvalue(L, -3);
    lua_setupvalue(L, -2, 1); /* _ENV */
    if (lua_pcall(L, 0, 0, -2) != LUA_OK)
        return lua_error(L);
    return 0;
}

static int run_file(struct tester *tester, const char *dir, char *why, size_t why_size)
{
    struct heap heap = {0};
    struct guard guard = {.budget = &heap.shared, .limit = STEPS_MAX, .cpu_ms = CPU_MS};
    char chunk[300];
    struct source source = {.chunk = chunk};
    char *text = site_file_read(dir, tester->file, &source.len);
    lua_State *L = heap_open(&heap, MEMORY_MAX, tester);
    int result = 0;

    snprintf(chunk, sizeof chunk, "@tests/%s", tester->file);
    source.text = text;
    if (!text || !L) {
        snprintf(why, why_size, "tests/%s cannot be read: %s", tester->file, strerror(errno));
        result = -EINVAL;
    } else {
        guard.root = guard.thread = L;
        guard_begin(&guard);
        heap.guard = &guard;
        lua_pushcfunction(L, run_source);
        lua_pushlightuserdata(L, &source);
        if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
            str_copy(why, why_size,
                     guard.doom == DOOM_LIMIT ? guard.why
                     : lua_tostring(L, -1)    ? lua_tostring(L, -1)
                                              : "a file of tests failed without words");
            result = -EINVAL;
        }
        heap.guard = NULL;
    }
    if (L)
        lua_close(L);
    free(text);
    return result;
}

static int is_lua(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > 4 && strcmp(entry->d_name + len - 4, ".lua") == 0;
}

int site_test(const struct site_test_config *config, struct site_test_result *result, char *why, size_t why_size)
{
    struct tester *tester;
    struct dirent **entries;
    char dir[1024];
    int count, err = simulate_check(config->dir, config->library_dir, NULL, why, why_size);

    *result = (struct site_test_result){0, 0};
    if (err)
        return err;
    snprintf(dir, sizeof dir, "%s/tests", config->dir);
    count = scandir(dir, &entries, is_lua, alphasort);
    if (count <= 0) {
        snprintf(why, why_size, "there are no tests: files tests/NAME.lua in %s", config->dir);
        return -ENOENT;
    }
    tester = mem_new(sizeof *tester);
    tester->config = config;
    tester->result = result;
    for (int i = 0; i < count; i++) {
        tester->file = entries[i]->d_name;
        if (err == 0)
            err = run_file(tester, dir, why, why_size);
        free(entries[i]);
    }
    free(entries);
    free(tester);
    return err;
}
