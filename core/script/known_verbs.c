/* The verbs of Tandem's modules by name: what is known of them where no module is loaded, as in a check of files. */
#include "script/known_verbs.h"

static const struct {
    const char *verb, *module;
} known[] = {
    {"block_last", "screen"},
    {"call_back", "dialing"},
    {"call_waiting", "forward"},
    {"do_not_disturb", "forward"},
    {"followme", "group"},
    {"forward", "forward"},
    {"group", "group"},
    {"group_login", "group"},
    {"hide_number", "screen"},
    {"intercom", "group"},
    {"park", "park"},
    {"pickup", "pickup"},
    {"redial", "dialing"},
    {"return_call", "dialing"},
    {"speed_dial", "dialing"},
    {"transfer", "transfer"},
    {"wakeup", "dialing"},
};

const char *verb_module(const char *verb)
{
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strcmp(known[i].verb, verb) == 0)
            return known[i].module;
    return NULL;
}

void verb_modules_each(void (*fn)(void *arg, const char *verb, const char *module), void *arg)
{
    for (size_t i = 0; i < COUNT_OF(known); i++)
        fn(arg, known[i].verb, known[i].module);
}
