/* Keys that a caller types, and the asking for them: what is typed ahead is kept with its time, and gather decides when
 * a number is complete, whatever brings the keys and plays the prompts. Pure: the caller says what time it is, nothing
 * is allocated, no thread of its own. */
#ifndef CALL_KEYS_H
#define CALL_KEYS_H

#include "base/key.h"

#define KEYS_MAX 64

/* Zeroed memory holds none. */
struct keys {
    struct {
        char key;
        uint64_t ms;
    } ring[KEYS_MAX];
    unsigned first, count;
    unsigned dropped; /* that came when it was full */
};

/* now_ms: any clock that does not go back, the same for all calls. Returns 0, -EINVAL (no key), or -ENOBUFS: it is
 * full, the oldest are kept. */
int keys_add(struct keys *keys, char key, uint64_t now_ms);
void keys_clear(struct keys *keys);
/* The oldest, taken out. False: there is none. */
bool keys_take(struct keys *keys, char *key, uint64_t *ms);

struct leg;
/* What a party types while it talks, as HOOK_KEYS sees it: a code for the switch (*1), or keys for the other side. */
struct typed_code {
    struct leg *leg;
    const char *keys; /* so far; "": what do codes begin with? */
    bool more;        /* the hook says: these are none, but a longer one begins so */
    char begins[8];   /* the hook adds to it, when keys is "" */
};

struct gather_rules {
    unsigned min, max;      /* keys, without the terminator; max 1 … KEYS_MAX, min at most max. With min 0, to type
                               nothing is an answer, complete after timeout_ms */
    char terminators[8];    /* "" : none; one of them ends the number and is no part of it */
    uint64_t timeout_ms;    /* from the end of the prompt to the first key */
    uint64_t interdigit_ms; /* from a key to the next */
    unsigned tries;         /* how often the prompt is played; 0 is 1 */
    bool no_barge_in;       /* the prompt is heard out; what is typed meanwhile counts behind it */
    bool no_type_ahead;     /* what was typed before is thrown away */
    bool (*valid)(void *arg, const char *digits); /* NULL: every number of min to max keys */
    void *arg;
};

enum gather_result {
    GATHER_GOING,
    GATHER_COMPLETE,
    GATHER_NOTHING, /* no key came */
    GATHER_SHORT,   /* fewer than min */
    GATHER_INVALID, /* `valid` said no */
};

/* What whoever drives it has to do now. */
enum gather_do {
    GATHER_PLAY, /* play the prompt from its beginning, also when it plays already, and tell gather_played() when it is
                    over or cannot be played */
    GATHER_STOP, /* stop the prompt, then ask again; gather_played() is not called for it */
    GATHER_WAIT, /* ask again when a key comes, and at gather_deadline() */
    GATHER_DONE, /* stop the prompt if it plays; `result` and `digits` say the rest */
};

struct gather {
    struct gather_rules rules;
    struct keys *keys;
    char digits[KEYS_MAX + 1];
    unsigned len;
    char terminator; /* that ended it, or NUL */
    enum gather_result result;
    unsigned tried; /* prompts so far, the one that plays counted */
    bool playing, play, stop;
    uint64_t last_ms; /* when the time ran anew, by a key or by the end of the prompt */
};

/* keys belongs to the call and lives on: what is typed behind a complete number stays in it for the next question.
 * Returns 0, or -EINVAL: rules that nobody can follow. */
int gather_start(struct gather *gather, const struct gather_rules *rules, struct keys *keys, uint64_t now_ms) MUST_USE;

/* After start, after each key, after each STOP, after gather_played(), and at the deadline. */
enum gather_do gather_next(struct gather *gather, uint64_t now_ms);
void gather_played(struct gather *gather, uint64_t now_ms);

/* When to ask again at the latest; UINT64_MAX: only a key or the end of the prompt can change anything. */
uint64_t gather_deadline(const struct gather *gather);

#endif
