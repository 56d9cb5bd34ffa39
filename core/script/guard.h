/* What a script may use: Lua instructions, processor time and memory. One guard watches whatever Lua code runs now; the
 * allocator, the count hook and the string functions charge it. Signalling thread. */
#ifndef SCRIPT_GUARD_H
#define SCRIPT_GUARD_H

#include <lua.h>

#include "base/base.h"

#define GUARD_HOOK_STEPS 100          /* instructions between two looks at the guard */
#define GUARD_STRING_MAX (256 * 1024) /* bytes of one string, however it is made */
#define GUARD_CPU_MS 35               /* processor time between two waits: other calls wait for so long at most */
#define GUARD_LOOK_STEPS 100    /* steps between two looks at the clock: one of them can be half a millisecond of C */
#define GUARD_CLOSE_STEPS 10000 /* what <close> handlers get when a script is stopped */

/* Memory of one owner (a call, or the dialplan itself). Each block remembers whose it is, so what a call leaves behind
 * for the collector stays on its bill. */
struct budget {
    size_t used, limit;
    bool orphan; /* its call is gone: freed with its last block */
};

/* Why the running code is being unwound. While it is not DOOM_NONE nothing that a script can do stops the unwinding. */
enum doom { DOOM_NONE, DOOM_GOTO, DOOM_HANGUP, DOOM_LIMIT };

struct guard {
    struct budget *budget;
    unsigned steps, limit;
    unsigned next_look; /* steps at which the clock is looked at */
    unsigned cpu_ms;    /* 0: GUARD_CPU_MS */
    uint64_t cpu_end_us;
    enum doom doom;
    unsigned pinned;     /* C functions on the stack that cannot be left by a yield */
    bool waiting;        /* a verb has yielded: that goes up through all coroutines to the loop */
    lua_State *root;     /* the script's own coroutine */
    lua_State *thread;   /* coroutine that runs now */
    char why[256];       /* DOOM_LIMIT: file, line and words */
    char memory_at[160]; /* "file:line: " where memory was refused last */
};

/* All memory of a Lua state. */
struct heap {
    struct budget shared; /* the dialplan, and what belongs to no call */
    size_t used, limit;
    struct guard *guard;          /* of the code that runs now; NULL: none */
    uint64_t (*clock)(void *arg); /* what os.time() says, s since 1970; NULL: the real clock */
    void *clock_arg;
};

/* The state's allocator; `heap` outlives the state. lua_getextraspace() of its threads holds `owner`. */
lua_State *heap_open(struct heap *heap, size_t limit, void *owner) MUST_USE;
struct heap *heap_of(lua_State *L);

struct budget *budget_new(size_t limit) MUST_USE;
/* Its call is gone. */
void budget_drop(struct budget *budget);

/* A fresh allowance: a script begins, or goes on after a wait. */
void guard_begin(struct guard *guard);
/* `steps` instructions' worth of work done in C. Raises when that, or the time since the last wait, was too much. */
void guard_charge(lua_State *L, size_t steps);
/* The same for code that cannot raise: false when it is too much. */
bool guard_spend(struct guard *guard, size_t steps);
/* Starts the unwinding; a later reason counts only when it is a stronger one (their order above). */
void guard_doom(struct guard *guard, enum doom doom);
/* Raises the private token that the protected calls of the sandbox pass on. */
int guard_raise(lua_State *L);
/* Raises the token when the code that runs is being unwound. */
void guard_check(lua_State *L);
/* "file:line: " of the innermost Lua function of L, or "". Allocates nothing. */
void guard_where(lua_State *L, char *out, size_t size);

#endif
