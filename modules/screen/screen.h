/* What the files of the module screen share. */
#ifndef SCREEN_SCREEN_H
#define SCREEN_SCREEN_H

#include "call/forward.h"
#include "module/module.h"

#define SCREEN_PATTERN_MAX 63

enum block_action { BLOCK_REJECT, BLOCK_BUSY, BLOCK_FORWARD };

/* One entry of a list: callers of this pattern. */
struct block {
    char pattern[SCREEN_PATTERN_MAX + 1]; /* "204", "0900*", "anonymous" */
    enum block_action action;
    char number[64]; /* BLOCK_FORWARD: where they go */
    char note[128];
};

struct screen {
    struct module_ctx *ctx;
    struct pbx *pbx;
    struct module_live *blocks;
};

/* --- block.c: the lists, in live rows. account "": that of the switch, which counts for all accounts --- */

int block_open(struct screen *s);
/* Does the pattern mean this caller? */
bool block_matches(const char *pattern, const char *caller, bool anonymous);
/* The entry that counts for this caller: the account's own list before the switch's, the longest pattern first. */
bool block_find(const struct screen *s, const char *account, const char *caller, bool anonymous, struct block *out);
/* 0, or -EINVAL with why, in words. */
int block_add(struct screen *s, const char *account, const struct block *block, char *why, size_t why_size);
/* False: there is no such entry. */
bool block_remove(struct screen *s, const char *account, const char *pattern);
/* The pattern that means this number and no other of another length; "anonymous" for "". */
void block_pattern_of(const char *number, char out[SCREEN_PATTERN_MAX + 1]);
/* Is the row of this text an entry? */
bool block_read(const char *pattern, const char *row, struct block *out);
const char *block_action_name(enum block_action action); /* "reject", "busy", "forward" */

/* judge.c: the hooks. */
int judge_open(struct screen *s);
/* The account whose number a call of this one hides or shows, whatever its settings say. */
void screen_hide(struct screen *s, struct call *call, bool hide);

int commands_open(struct screen *s);
int verbs_open(struct screen *s);

#endif
