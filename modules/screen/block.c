/* The lists of callers from whom an account takes no calls: live rows of the kind "block" (a table of its own:
 * live.block). Signalling thread. Knows no calls. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "call/number.h"
#include "screen.h"

static const char anonymous_pattern[] = "anonymous";

static const char *const action_names[] = {"reject", "busy", "forward"};

const char *block_action_name(enum block_action action)
{
    return action_names[action];
}

/* A star is any number of characters, a question mark one. */
static bool glob(const char *pattern, const char *text)
{
    const char *star = NULL, *from = text;

    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            from = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

bool block_matches(const char *pattern, const char *caller, bool anonymous)
{
    if (strcasecmp(pattern, anonymous_pattern) == 0)
        return anonymous || !*caller;
    return *caller && glob(pattern, caller);
}

/* SQL: live.is_caller_pattern(). */
static bool may_stand_in_a_pattern(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("+-._~*#?", c));
}

static bool is_pattern(const char *pattern)
{
    size_t len = 0;

    while (may_stand_in_a_pattern(pattern[len]))
        len++;
    return len && !pattern[len];
}

void block_pattern_of(const char *number, char out[SCREEN_PATTERN_MAX + 1])
{
    size_t len = 0;

    if (strlen(number) > SCREEN_PATTERN_MAX || !*number)
        number = anonymous_pattern;
    for (; number[len]; len++)
        out[len] = may_stand_in_a_pattern(number[len]) && number[len] != '*' ? number[len] : '?';
    out[len] = '\0';
}

bool block_read(const char *pattern, const char *row, struct block *out)
{
    json_t *json = json_loads(row, 0, NULL);
    const char *action = json_string_value(json_object_get(json, "action")),
               *number = json_string_value(json_object_get(json, "number")),
               *note = json_string_value(json_object_get(json, "note"));
    bool ok;

    memset(out, 0, sizeof *out);
    str_copy(out->pattern, sizeof out->pattern, pattern);
    str_copy(out->number, sizeof out->number, number ? number : "");
    str_copy(out->note, sizeof out->note, note ? note : "");
    for (int i = 0; action && i < (int)COUNT_OF(action_names); i++)
        if (strcmp(action, action_names[i]) == 0)
            out->action = (enum block_action)i;
    if (out->action == BLOCK_FORWARD && !number_is_dialable(out->number))
        out->action = BLOCK_REJECT;
    ok = json_is_object(json) && is_pattern(pattern);
    json_decref(json);
    return ok;
}

struct search {
    const char *caller;
    bool anonymous, found;
    struct block *best;
};

static void consider(void *arg, const char *account, const char *key, const char *value)
{
    struct search *search = arg;
    struct block block;

    if (!block_matches(key, search->caller, search->anonymous) ||
        (search->found && strlen(key) <= strlen(search->best->pattern)) || !block_read(key, value, &block))
        return;
    *search->best = block;
    search->found = true;
}

bool block_find(const struct screen *s, const char *account, const char *caller, bool anonymous, struct block *out)
{
    struct search search = {.caller = caller, .anonymous = anonymous, .best = out};

    module_live_each(s->blocks, account, consider, &search);
    if (!search.found && *account)
        module_live_each(s->blocks, "", consider, &search);
    return search.found;
}

int block_add(struct screen *s, const char *account, const struct block *block, char *why, size_t why_size)
{
    json_t *json;
    char *text;

    if (!is_pattern(block->pattern)) {
        snprintf(
            why, why_size,
            "\"%s\" is no number of a caller: letters, digits and + - . _ ~ #, with * for any characters and ? for "
            "one; or anonymous",
            block->pattern);
        return -EINVAL;
    }
    if (block->action == BLOCK_FORWARD && !number_is_dialable(block->number)) {
        snprintf(why, why_size, "\"%s\" is no number that can be dialled: 1 to %d characters without blanks",
                 block->number, NUMBER_LONGEST);
        return -EINVAL;
    }
    json = json_pack("{s:s,s:s?,s:s?}", "action", action_names[block->action], "number",
                     block->action == BLOCK_FORWARD ? block->number : NULL, "note", *block->note ? block->note : NULL);
    text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!text) {
        str_copy(why, why_size, "it is no valid text");
        return -EINVAL;
    }
    module_live_set(s->blocks, account, block->pattern, text);
    free(text);
    return 0;
}

bool block_remove(struct screen *s, const char *account, const char *pattern)
{
    bool there = module_live_get(s->blocks, account, pattern) != NULL;

    module_live_set(s->blocks, account, pattern, NULL);
    return there;
}

/* Each call looks them up. People may have written anything into them: what makes no sense blocks nobody. */
static void check(void *arg, const char *account, const char *key, const char *value)
{
    struct block block;

    if (value && !block_read(key, value, &block))
        log_warn("screen: \"%s\" on the list of %s is no number of a caller, and ignored", key,
                 *account ? account : "the switch");
}

int block_open(struct screen *s)
{
    s->blocks = module_live(s->ctx, "block", check, s);
    if (!s->blocks)
        return -EIO;
    module_live_each(s->blocks, NULL, check, NULL);
    return 0;
}
