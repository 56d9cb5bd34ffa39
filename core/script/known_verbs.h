/* Which verbs there are: those of a call itself, and those that Tandem's own modules add. */
#ifndef SCRIPT_KNOWN_VERBS_H
#define SCRIPT_KNOWN_VERBS_H

#include "base/base.h"

/* The module of Tandem that serves the verb; NULL: none of them does. */
const char *verb_module(const char *verb);
/* All of them, for whoever compares this list with what modules really add. */
void verb_modules_each(void (*fn)(void *arg, const char *verb, const char *module), void *arg);

#endif
