/* A call through the real dialplan without a switch: phones that do as is assumed, and a clock that jumps. For the
 * command line: one thread, blocks for some milliseconds; nothing is sent, written or kept. */
#ifndef SCRIPT_SIMULATE_H
#define SCRIPT_SIMULATE_H

#include <jansson.h>

#include "base/base.h"

/* All JSON is borrowed; NULL or absent: nothing of the kind. */
struct simulate_config {
    const char *dir, *library_dir; /* of the dialplan; or: */
    const json_t *files;           /* {"init.lua": "text", …} instead of what is on disk */
    const char *from, *from_name, *to;
    const char *context;    /* NULL: that of the account `from`, else "internal" */
    const char *headers;    /* of the caller's INVITE: "Name: value\n" each */
    uint64_t at_s;          /* s since 1970 at which the call begins; 0: now */
    const char *keys;       /* what the caller types: a word for each question, "-": nothing; NULL: nothing at all */
    unsigned patience_s;    /* of the caller while it talks to nobody; 0: 300 */
    const json_t *accounts; /* [{"name","display_name","context","enabled","state"}]; NULL: every account that is asked
                               for exists and can be reached */
    const json_t *assume;   /* {"202": "busy"}: answered[:SECONDS], busy, no-answer, rejected, unreachable, unknown */
    const json_t *groups;   /* {"sales": "600"}: ring groups by name, with their numbers ("": none) */
    const json_t *settings; /* {"script_fallback": "account:201"} */
    const json_t *store;    /* {"night": true} */
    const json_t *answers;  /* {"part of the SQL": [rows as objects]}, or a text: the words of an error */
    const json_t *verbs;    /* of modules, ["park", …]; NULL: those of Tandem's modules */
    /* What a switch with modules knows (facts.h), of {"from", "account"} or {"from", "verb", "argument"}; the result is
     * owned, NULL: nothing. May be NULL. */
    json_t *(*facts)(void *arg, const json_t *question);
    void (*step)(void *arg, double seconds, const char *words); /* may be NULL */
    void *arg;
};

/* What became of it: {"cause", "cause_text", "ended_by", "detail", "status" (SIP, towards the caller), "answered_by",
 * "context", "extension" (where the script was last), "seconds", "talk", "dialled": [targets], "log": [lines], "verbs":
 * [of modules], "error" (of the script), "vars", "store"}. 0 and *result (owned); -EINVAL with words in why: the
 * dialplan is broken or the question makes no sense; -ETIME: it did not come to an end. */
int simulate(const struct simulate_config *config, json_t **result, char *why, size_t why_size);

/* Loads a dialplan and lets it go again: 0 with what it has in *summary ({"files", "contexts", "extensions",
 * "unserved": [words for each call of a verb that there is not]}; may be NULL), or -EINVAL with file and line in why.
 */
int simulate_check(const char *dir, const char *library_dir, json_t **summary, char *why, size_t why_size);

/* Local time "2026-12-25 10:00", with or without seconds. 0 or -EINVAL. */
int simulate_time(const char *text, uint64_t *out);

#endif
