/* The string library of scripts: find, match, gmatch and gsub on our own matcher with its budget of steps; rep with a
 * cap on the result; what makes long strings charged for them; the rest of Lua's library as it is, without what makes
 * or reads bytecode and binary layouts. Signalling thread. Knows no calls. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <lauxlib.h>
#include <lualib.h>

#include "script/guard.h"
#include "script/pattern.h"
#include "script/sandbox.h"

#define CHARGE_BYTES 64 /* bytes that C moves or compares in about the time of one instruction */

static void begin_match(lua_State *L, struct pattern_match *m)
{
    const struct guard *guard = heap_of(L)->guard;
    size_t subject_len, pattern_len;
    const char *subject = luaL_checklstring(L, 1, &subject_len);
    const char *pattern = luaL_checklstring(L, 2, &pattern_len);
    size_t left = guard && guard->steps < guard->limit ? guard->limit - guard->steps : 0;

    pattern_init(m, subject, subject_len, pattern, pattern_len, left);
}

/* pattern_find() on the running script's bill. */
static bool find_next(lua_State *L, struct pattern_match *m, const char *from, bool anchors)
{
    size_t before = m->steps;
    int found = pattern_find(m, from, anchors);

    guard_spend(heap_of(L)->guard, before - m->steps + 1);
    if (found < 0)
        luaL_error(L, "%s", m->error);
    return found > 0;
}

/* Pushes capture i; the whole match when i is 0 and there is none. */
static void push_capture(lua_State *L, const struct pattern_match *m, unsigned i)
{
    const struct pattern_capture *capture;

    if (i >= m->capture_count) {
        if (i != 0)
            luaL_error(L, "invalid capture index %%%d", (int)i + 1);
        lua_pushlstring(L, m->start, (size_t)(m->end - m->start));
        return;
    }
    capture = &m->captures[i];
    if (capture->len == PATTERN_POSITION)
        lua_pushinteger(L, capture->start - m->subject + 1);
    else
        lua_pushlstring(L, capture->start, (size_t)capture->len);
}

static int push_captures(lua_State *L, const struct pattern_match *m, bool whole_if_none)
{
    unsigned count = m->capture_count ? m->capture_count : whole_if_none;

    luaL_checkstack(L, (int)count, "too many captures");
    for (unsigned i = 0; i < count; i++)
        push_capture(L, m, i);
    return (int)count;
}

/* Argument 3, the place to begin: from 1, negative counts from the end. NULL: behind the text. */
static const char *start_place(lua_State *L, const struct pattern_match *m)
{
    lua_Integer at = luaL_optinteger(L, 3, 1), len = m->subject_end - m->subject;

    if (at < 0)
        at = -at > len ? 1 : len + at + 1;
    else if (at == 0)
        at = 1;
    return at > len + 1 ? NULL : m->subject + at - 1;
}

static bool is_plain(const struct pattern_match *m)
{
    for (const char *p = m->pattern; p < m->pattern_end; p++)
        if (*p && strchr("^$*+?.([%-", *p))
            return false;
    return true;
}

static int find_or_match(lua_State *L, bool find)
{
    struct pattern_match m;
    const char *from;

    begin_match(L, &m);
    from = start_place(L, &m);
    if (!from) {
        luaL_pushfail(L);
        return 1;
    }
    if (find && (lua_toboolean(L, 4) || is_plain(&m))) {
        size_t len = (size_t)(m.pattern_end - m.pattern);
        const char *at = memmem(from, (size_t)(m.subject_end - from), m.pattern, len);

        guard_charge(L, (size_t)(m.subject_end - from) / CHARGE_BYTES);
        if (at) {
            lua_pushinteger(L, at - m.subject + 1);
            lua_pushinteger(L, at - m.subject + (lua_Integer)len);
            return 2;
        }
    } else if (find_next(L, &m, from, true)) {
        if (!find)
            return push_captures(L, &m, true);
        lua_pushinteger(L, m.start - m.subject + 1);
        lua_pushinteger(L, m.end - m.subject);
        return push_captures(L, &m, false) + 2;
    }
    luaL_pushfail(L);
    return 1;
}

static int string_find(lua_State *L)
{
    return find_or_match(L, true);
}

static int string_match(lua_State *L)
{
    return find_or_match(L, false);
}

/* Upvalues: text, pattern, place to go on (offset), end of the last match (offset, -1: none). */
static int gmatch_next(lua_State *L)
{
    struct pattern_match m;
    lua_Integer from = lua_tointeger(L, lua_upvalueindex(3)), last = lua_tointeger(L, lua_upvalueindex(4));

    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, lua_upvalueindex(2));
    begin_match(L, &m);
    while (from <= m.subject_end - m.subject && find_next(L, &m, m.subject + from, false)) {
        if (m.end - m.subject != last) { /* an empty match right behind the last one is that one again */
            lua_pushinteger(L, m.end - m.subject);
            lua_copy(L, -1, lua_upvalueindex(3));
            lua_replace(L, lua_upvalueindex(4));
            return push_captures(L, &m, true);
        }
        from = m.start - m.subject + 1;
    }
    return 0;
}

static int string_gmatch(lua_State *L)
{
    struct pattern_match m;
    const char *from;

    begin_match(L, &m);
    from = start_place(L, &m);
    lua_settop(L, 2);
    lua_pushinteger(L, from ? from - m.subject : m.subject_end - m.subject + 1);
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, gmatch_next, 4);
    return 1;
}

/* The replacement text of gsub: %0 … %9 and %%. */
static void add_template(lua_State *L, luaL_Buffer *out, const struct pattern_match *m)
{
    size_t len;
    const char *text = lua_tolstring(L, 3, &len);

    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%') {
            luaL_addchar(out, text[i]);
            continue;
        }
        i++;
        if (i < len && text[i] == '%') {
            luaL_addchar(out, '%');
        } else if (i < len && text[i] == '0') {
            luaL_addlstring(out, m->start, (size_t)(m->end - m->start));
        } else if (i < len && text[i] >= '1' && text[i] <= '9') {
            push_capture(L, m, (unsigned)(text[i] - '1'));
            luaL_tolstring(L, -1, NULL); /* a position is a number */
            lua_remove(L, -2);
            luaL_addvalue(out);
        } else {
            luaL_error(L, "invalid use of '%%' in the replacement");
        }
    }
    guard_spend(heap_of(L)->guard, len);
}

static void add_replacement(lua_State *L, luaL_Buffer *out, const struct pattern_match *m, int kind)
{
    if (kind == LUA_TSTRING || kind == LUA_TNUMBER) {
        add_template(L, out, m);
        return;
    }
    if (kind == LUA_TTABLE) {
        push_capture(L, m, 0);
        lua_gettable(L, 3);
    } else {
        lua_pushvalue(L, 3);
        lua_call(L, push_captures(L, m, true), 1);
    }
    if (!lua_toboolean(L, -1)) { /* keeps what was there */
        lua_pop(L, 1);
        luaL_addlstring(out, m->start, (size_t)(m->end - m->start));
    } else if (lua_isstring(L, -1)) {
        luaL_addvalue(out);
    } else {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    }
}

static int string_gsub(lua_State *L)
{
    struct pattern_match m;
    int kind = lua_type(L, 3);
    lua_Integer max, count = 0;
    const char *from, *last = NULL;
    bool anchored;
    luaL_Buffer out;

    begin_match(L, &m);
    luaL_argexpected(L, kind == LUA_TSTRING || kind == LUA_TNUMBER || kind == LUA_TTABLE || kind == LUA_TFUNCTION, 3,
                     "string/function/table");
    max = luaL_optinteger(L, 4, m.subject_end - m.subject + 1);
    anchored = m.pattern < m.pattern_end && *m.pattern == '^';
    from = m.subject;
    luaL_buffinit(L, &out);
    while (count < max && find_next(L, &m, from, true)) {
        luaL_addlstring(&out, from, (size_t)(m.start - from));
        from = m.start;
        if (m.end != last) {
            count++;
            add_replacement(L, &out, &m, kind);
            from = last = m.end;
        } else if (from < m.subject_end) { /* empty, right behind the last match: step over one character */
            luaL_addchar(&out, *from++);
        } else {
            break;
        }
        if (anchored)
            break;
    }
    luaL_addlstring(&out, from, (size_t)(m.subject_end - from));
    luaL_pushresult(&out);
    lua_pushinteger(L, count);
    return 2;
}

static int string_rep(lua_State *L)
{
    size_t len, sep_len;
    const char *text = luaL_checklstring(L, 1, &len);
    lua_Integer n = luaL_checkinteger(L, 2);
    const char *sep = luaL_optlstring(L, 3, "", &sep_len);
    luaL_Buffer out;

    if (n <= 0 || len + sep_len == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if (len + sep_len > GUARD_STRING_MAX || (size_t)n > GUARD_STRING_MAX / (len + sep_len))
        return luaL_error(L, "the resulting string is too long (more than %d bytes)", GUARD_STRING_MAX);
    guard_charge(L, (size_t)n);
    luaL_buffinit(L, &out);
    while (n--) {
        luaL_addlstring(&out, text, len);
        if (n)
            luaL_addlstring(&out, sep, sep_len);
    }
    luaL_pushresult(&out);
    return 1;
}

/* len, codepoint, offset of utf8: charged for the text that they walk over. */
static int utf8_walk(lua_State *L)
{
    size_t len;

    luaL_checklstring(L, 1, &len);
    guard_charge(L, len / 8);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

void sandbox_push_utf8(lua_State *L)
{
    static const luaL_Reg wrappers[] = {
        {"codepoint", utf8_walk}, {"len", utf8_walk}, {"offset", utf8_walk}, {NULL, NULL}};

    luaL_requiref(L, LUA_UTF8LIBNAME, luaopen_utf8, 0);
    sandbox_wrap(L, wrappers);
}

/* upper, lower, reverse, format: charged for what they have made. */
static int string_made(lua_State *L)
{
    int results;

    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    results = lua_gettop(L);
    guard_charge(L, lua_rawlen(L, -1) / CHARGE_BYTES + 1);
    return results;
}

void sandbox_push_string(lua_State *L)
{
    static const luaL_Reg wrappers[] = {{"format", string_made},
                                        {"lower", string_made},
                                        {"reverse", string_made},
                                        {"upper", string_made},
                                        {NULL, NULL}};
    static const luaL_Reg own[] = {
        {"find", string_find}, {"match", string_match}, {"gmatch", string_gmatch},
        {"gsub", string_gsub}, {"rep", string_rep},     {NULL, NULL},
    };
    static const char *const dropped[] = {"dump", "pack", "unpack", "packsize"};

    luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 0); /* also gives strings their metatable */
    for (size_t i = 0; i < COUNT_OF(dropped); i++) {
        lua_pushnil(L);
        lua_setfield(L, -2, dropped[i]);
    }
    sandbox_wrap(L, wrappers);
    luaL_setfuncs(L, own, 0);
    lua_pushliteral(L, ""); /* ("x"):rep(3) goes through that metatable: lock it */
    lua_getmetatable(L, -1);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
}
