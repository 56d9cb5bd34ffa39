/* db.query() and db.row(): SQL that stands in the dialplan, with values as parameters; the call waits for the answer.
 * Signalling thread. Sees the database room's public face only. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "script/sandbox.h"
#include "script/verbs.h"

#define PARAMS_MAX 32
#define TIMEOUT_MS 2000
#define TIMEOUT_MAX_S 30
#define ROWS 100
#define ROWS_MAX 1000
#define QUERY_STEPS 2000 /* a query costs about as much as so many instructions */

struct options {
    unsigned timeout_ms, rows;
    bool write;
};

/* --- arguments --------------------------------------------------------------------------------------------------- */

/* The table of options at `index`. */
static void read_options(lua_State *L, int index, struct options *options)
{
    lua_pushnil(L);
    while (lua_next(L, index)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "(not a name)";
        lua_Number number = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;

        if (strcmp(key, "write") == 0)
            options->write = lua_toboolean(L, -1);
        else if (strcmp(key, "timeout") == 0 && number > 0 && number <= TIMEOUT_MAX_S)
            options->timeout_ms = (unsigned)ceil(number * 1000);
        else if (strcmp(key, "rows") == 0 && number >= 1 && number <= ROWS_MAX)
            options->rows = (unsigned)number;
        else
            luaL_error(L,
                       "db: there is no option \"%s\", or not with this value: timeout is up to %d (s), rows up to %d",
                       key, TIMEOUT_MAX_S, ROWS_MAX);
        lua_pop(L, 1);
    }
}

/* The value at `index` as the text of a parameter, which stays on the stack; NULL is SQL NULL. */
static const char *parameter(lua_State *L, int index, int number)
{
    const char *text;
    size_t len;

    switch (lua_type(L, index)) {
    case LUA_TNIL:
        return NULL;
    case LUA_TBOOLEAN:
        return lua_toboolean(L, index) ? "t" : "f";
    case LUA_TNUMBER:
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &len);
        if (strlen(text) == len)
            return text;
        luaL_error(L, "db: the value for $%d has a NUL in it, which no database takes", number);
        return NULL;
    default:
        luaL_error(L, "db: the value for $%d is a %s: it has to be a text, a number, true, false or nil", number,
                   luaL_typename(L, index));
        return NULL;
    }
}

static const char *checked_sql(lua_State *L)
{
    const char *sql = luaL_checkstring(L, 1);

    if (!literals_have(&state_of(L)->files.sql, sql))
        luaL_error(L, "db: SQL has to stand in the dialplan as one text that begins with SELECT, WITH, VALUES, INSERT, "
                      "UPDATE or DELETE. Write $1, $2 … where a value belongs, and give the values behind it");
    return sql;
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static void push_value(lua_State *L, const struct db_result *result, int row, int column)
{
    const char *text = db_value(result, row, column);
    enum db_type type = db_column_type(result, column);

    if (!text)
        lua_pushnil(L);
    else if (type == DB_BOOLEAN)
        lua_pushboolean(L, text[0] == 't');
    else if (type == DB_TEXT || !lua_stringtonumber(L, text)) /* NaN is no number for Lua */
        lua_pushstring(L, text);
}

static void push_row(lua_State *L, const struct db_result *result, int row)
{
    int columns = db_columns(result);

    lua_createtable(L, 0, columns);
    for (int i = 0; i < columns; i++) {
        push_value(L, result, row, i);
        lua_setfield(L, -2, db_column_name(result, i));
    }
    guard_charge(L, (size_t)columns * 5);
}

static void answered(void *arg, int err, const char *message, const struct db_result *result)
{
    struct script_run *run = arg;

    run->query = NULL;
    run->answered.err = err;
    run->answered.message = message;
    run->answered.result = result;
    run_resume(run); /* reads the answer before anything else: it is gone after this */
}

static const struct db_result *take_answer(lua_State *L, lua_KContext context, const char *function, bool cut_is_fine)
{
    struct script_run *run = verb_resumed(L, context);
    int err = run->answered.err;

    if (err == -E2BIG && cut_is_fine)
        err = 0;
    run_step(run, "%s: %s", function, err ? run->answered.message : "answered");
    if (err == -E2BIG)
        luaL_error(L, "%s: %s: ask for less, or raise `rows`", function, run->answered.message);
    if (err)
        luaL_error(L, "%s: %s", function, run->answered.message);
    return run->answered.result;
}

static int queried(lua_State *L, int status, lua_KContext context)
{
    const struct db_result *result = take_answer(L, context, "db.query", false);

    lua_createtable(L, db_rows(result), 0);
    for (int row = 0; row < db_rows(result); row++) {
        push_row(L, result, row);
        lua_rawseti(L, -2, row + 1);
    }
    return 1;
}

static int one_row(lua_State *L, int status, lua_KContext context)
{
    const struct db_result *result = take_answer(L, context, "db.row", true);

    if (db_rows(result) == 0)
        luaL_pushfail(L);
    else
        push_row(L, result, 0);
    return 1;
}

/* --- the functions ----------------------------------------------------------------------------------------------- */

static int ask(lua_State *L, const char *function, unsigned rows, lua_KFunction then)
{
    struct script_run *run = function_run(L, function, true);
    struct db *db = run->call->pbx->db;
    struct options options = {.timeout_ms = TIMEOUT_MS, .rows = rows};
    const char *params[PARAMS_MAX] = {NULL}, *sql = checked_sql(L);
    struct db_question question = {.sql = sql, .params = params};
    int last = lua_gettop(L);

    if (last > 1 && lua_istable(L, last))
        read_options(L, last--, &options);
    if (last - 1 > PARAMS_MAX)
        return luaL_error(L, "db: more than %d values", PARAMS_MAX);
    for (int i = 2; i <= last; i++)
        params[question.count++] = parameter(L, i, i - 1);
    if (!db)
        return luaL_error(L, "%s: this switch runs without a database", function);
    guard_charge(L, QUERY_STEPS);
    question.deadline_ms = options.timeout_ms;
    question.max_rows = rows == 1 ? 1 : options.rows;
    question.write = options.write;
    run_step(run, "%s: %s", function, sql);
    run->query = db_ask(db, &question, answered, run);
    return verb_wait(L, run, then);
}

static int db_query_verb(lua_State *L)
{
    return ask(L, "db.query", ROWS, queried);
}

static int db_row_verb(lua_State *L)
{
    return ask(L, "db.row", 1, one_row);
}

void db_add(lua_State *L)
{
    static const luaL_Reg functions[] = {{"query", db_query_verb}, {"row", db_row_verb}, {NULL, NULL}};

    luaL_newlib(L, functions);
    sandbox_lock(L);
    lua_setfield(L, -2, "db");
}
