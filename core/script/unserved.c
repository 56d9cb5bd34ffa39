/* Looks through the sources of a dialplan for call:NAME(…) that nobody serves: a verb is looked for when it is called,
 * so that a misspelt one would be found by a caller. Signalling thread; no Lua runs. */
#include <stdio.h>
#include <string.h>

#include "script/known_verbs.h"
#include "script/verbs.h"

struct look {
    const struct script_state *state;
    const struct pbx *pbx; /* NULL: there is no switch */
    script_unserved_fn fn;
    void *arg;
    const struct script_file *file;
    char verb[64]; /* that was looked for last, and whether it is asked for */
    bool asked;
};

static void is_it_asked_for(void *arg, const char *text, size_t len)
{
    struct look *look = arg;

    if (strcmp(text, look->verb) == 0)
        look->asked = true;
}

/* Does any file name the verb in a string, as pbx.has_verb("park") does? */
static bool is_asked_for(struct look *look, const char *verb)
{
    if (strcmp(look->verb, verb) == 0) /* who writes dialplans by a program has it ten thousand times */
        return look->asked;
    str_copy(look->verb, sizeof look->verb, verb);
    look->asked = false;
    for (size_t i = 0; i < look->state->files.count && !look->asked; i++)
        literals_each(look->state->files.items[i].text, look->state->files.items[i].len, is_it_asked_for, look);
    return look->asked;
}

static void found(void *arg, const char *name, unsigned line)
{
    struct look *look = arg;
    const char *module = verb_module(name);
    char words[300];

    if (call_object_has(name) || (look->pbx ? verb_exists(look->pbx, name) : module != NULL) ||
        is_asked_for(look, name))
        return;
    if (module)
        snprintf(words, sizeof words,
                 "%s:%u: call:%s needs the module %s, which is not loaded, and nothing asks pbx.has_verb(\"%s\")",
                 look->file->name, line, name, module, name);
    else
        snprintf(words, sizeof words, "%s:%u: there is no call:%.60s", look->file->name, line, name);
    look->fn(look->arg, words);
}

void script_summary_unserved(const struct script_summary *summary, const struct pbx *pbx, script_unserved_fn fn,
                             void *arg)
{
    struct look look = {.state = summary->state, .pbx = pbx, .fn = fn, .arg = arg};

    for (size_t i = 0; i < look.state->files.count; i++) {
        look.file = &look.state->files.items[i];
        methods_each(look.file->text, look.file->len, "call", found, &look);
    }
}
