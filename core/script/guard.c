/* Limits of scripts: an allocator that bills every block to the call that asked for it, and a hook that counts
 * instructions and processor time. Signalling thread. Knows Lua, but no calls. */
#include "script/guard.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"

struct block {
    struct budget *owner;
    unsigned char body[];
};

#define STRING_HEAD 64 /* what Lua keeps beside the text of a string, generously */

static const char token; /* its address is the value raised; scripts have no way to make it */

struct heap *heap_of(lua_State *L)
{
    void *heap;

    lua_getallocf(L, &heap);
    return heap;
}

/* --- memory ------------------------------------------------------------------------------------------------------ */

static void refuse(struct heap *heap, const char *what)
{
    struct guard *guard = heap->guard;
    size_t used;

    if (!guard)
        return;
    guard_spend(guard, heap->used / 128); /* Lua collects everything and asks again: who thrashes pays for that work */
    if (!guard->thread)
        return;
    guard_where(guard->thread, guard->memory_at, sizeof guard->memory_at);
    used = strlen(guard->memory_at);
    str_append(guard->memory_at, sizeof guard->memory_at, &used, "%s", what);
}

static bool may_grow(struct heap *heap, const struct budget *owner, size_t grow)
{
    if (owner->used + grow <= owner->limit && heap->used + grow <= heap->limit)
        return true;
    refuse(heap, "");
    return false;
}

static void give_back(struct budget *owner)
{
    if (owner->orphan && owner->used == 0)
        free(owner);
}

static void *allocate(void *ud, void *ptr, size_t old_size, size_t size)
{
    struct heap *heap = ud;
    struct block *block = ptr ? CONTAINER_OF(ptr, struct block, body) : NULL;
    struct budget *owner;
    struct block *made;

    if (!ptr) { /* Lua says in old_size what kind of object it will be */
        if (old_size == LUA_TSTRING && size > GUARD_STRING_MAX + STRING_HEAD) {
            refuse(heap, "a text of more than 256 KiB: ");
            return NULL;
        }
        old_size = 0;
    }
    if (size == 0) {
        if (block) {
            owner = block->owner;
            owner->used -= old_size + sizeof *block;
            heap->used -= old_size + sizeof *block;
            free(block);
            give_back(owner);
        }
        return NULL;
    }
    owner = block ? block->owner : heap->guard ? heap->guard->budget : &heap->shared;
    if (size > old_size) {
        if (!may_grow(heap, owner, size - old_size + (block ? 0 : sizeof *block)))
            return NULL;
        if (heap->guard)
            heap->guard->steps += (unsigned)((size - old_size) / 64); /* copying and collecting are work too */
    }
    made = realloc(block, sizeof *block + size);
    if (!made)
        return size <= old_size ? ptr : NULL; /* Lua relies on shrinking */
    made->owner = owner;
    owner->used += size - old_size + (block ? 0 : sizeof *made);
    heap->used += size - old_size + (block ? 0 : sizeof *made);
    return made->body;
}

struct budget *budget_new(size_t limit)
{
    struct budget *budget = mem_new(sizeof *budget);

    budget->limit = limit;
    return budget;
}

void budget_drop(struct budget *budget)
{
    budget->orphan = true;
    give_back(budget);
}

/* --- instructions and time --------------------------------------------------------------------------------------- */

static uint64_t cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static unsigned cpu_limit_ms(const struct guard *guard)
{
    return guard->cpu_ms ? guard->cpu_ms : GUARD_CPU_MS;
}

void guard_begin(struct guard *guard)
{
    guard->steps = 0;
    guard->next_look = GUARD_LOOK_STEPS;
    guard->cpu_end_us = cpu_us() + cpu_limit_ms(guard) * UINT64_C(1000);
}

void guard_doom(struct guard *guard, enum doom doom)
{
    unsigned rest = guard->limit < GUARD_CLOSE_STEPS ? guard->limit : GUARD_CLOSE_STEPS;

    if (doom <= guard->doom)
        return;
    if (doom != DOOM_GOTO) { /* what is left for <close> handlers */
        guard->steps = guard->limit - rest;
        guard->next_look = guard->steps + GUARD_LOOK_STEPS;
        guard->cpu_end_us = cpu_us() + cpu_limit_ms(guard) * UINT64_C(1000) / 10;
    }
    guard->doom = doom;
}

int guard_raise(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)&token);
    return lua_error(L);
}

void guard_check(lua_State *L)
{
    const struct guard *guard = heap_of(L)->guard;

    if (guard && guard->doom != DOOM_NONE)
        guard_raise(L);
}

void guard_where(lua_State *L, char *out, size_t size)
{
    lua_Debug ar;

    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0) {
            snprintf(out, size, "%s:%d: ", ar.short_src, ar.currentline);
            return;
        }
    }
    out[0] = '\0';
}

bool guard_spend(struct guard *guard, size_t steps)
{
    guard->steps =
        steps > guard->limit || guard->steps > guard->limit ? guard->limit + 1 : guard->steps + (unsigned)steps;
    return guard->steps <= guard->limit;
}

/* The allowance is used up: stop, whatever the script says to it. */
static void stop(lua_State *L, struct guard *guard, const char *reason)
{
    char at[128];

    if (guard->doom < DOOM_HANGUP) {
        guard_where(L, at, sizeof at);
        snprintf(guard->why, sizeof guard->why, "%s%s", at, reason);
        guard_doom(guard, DOOM_LIMIT);
    }
    guard_raise(L);
}

/* Has it had enough? */
static void look(lua_State *L, struct guard *guard)
{
    char text[128];

    if (guard->steps <= guard->limit && guard->steps < guard->next_look)
        return;
    guard->next_look = guard->steps + GUARD_LOOK_STEPS;
    if (guard->steps > guard->limit) {
        snprintf(text, sizeof text, "more than %u instructions without waiting for anything: an endless loop?",
                 guard->limit);
        stop(L, guard, text);
    }
    if (cpu_us() > guard->cpu_end_us) {
        snprintf(text, sizeof text, "more than %u ms of work without waiting for anything", cpu_limit_ms(guard));
        stop(L, guard, text);
    }
}

void guard_charge(lua_State *L, size_t steps)
{
    struct guard *guard = heap_of(L)->guard;

    if (!guard)
        return;
    guard_spend(guard, steps);
    look(L, guard);
}

static void count_hook(lua_State *L, lua_Debug *ar)
{
    struct guard *guard = heap_of(L)->guard;

    if (!guard)
        return;
    guard_spend(guard, GUARD_HOOK_STEPS);
    look(L, guard);
}

/* Unprotected code of ours ran out of memory: start-up and clean-up are written so that this cannot happen. */
static int panic(lua_State *L)
{
    log_error("Lua failed outside of any script: %s", lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "?");
    return 0; /* Lua ends the program */
}

lua_State *heap_open(struct heap *heap, size_t limit, void *owner)
{
    lua_State *L;

    heap->limit = heap->shared.limit = limit;
    L = lua_newstate(allocate, heap);
    if (!L)
        return NULL;
    *(void **)lua_getextraspace(L) = owner; /* copied into every coroutine, as the hook is */
    lua_atpanic(L, panic);
    lua_sethook(L, count_hook, LUA_MASKCOUNT, GUARD_HOOK_STEPS);
    return L;
}
