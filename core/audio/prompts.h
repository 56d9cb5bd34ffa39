/* The catalogue of prompts of one language (dialplan/sounds): what each says, and in which files it may be. Pure: it
 * gives names of files and opens none. Any thread; a catalogue does not change. */
#ifndef AUDIO_PROMPTS_H
#define AUDIO_PROMPTS_H

#include "base/base.h"

struct prompts;

/* Reads a catalogue's text. Returns 0, or -EINVAL with the line and what is wrong in words, or -ENOMEM. */
int prompts_parse(struct prompts **prompts, const char *text, size_t len, char *why, size_t why_size) MUST_USE;
void prompts_free(struct prompts *prompts); /* NULL is fine */

size_t prompts_count(const struct prompts *prompts);
const char *prompts_name(const struct prompts *prompts, size_t index); /* in the order of names; NULL behind the last */
/* The words, for logs and for a voice; NULL: no such prompt. */
const char *prompts_words(const struct prompts *prompts, const char *name);
/* The recorded file without its extension; NULL: there is none, the prompt has to be spoken by a machine. */
const char *prompts_recorded(const struct prompts *prompts, const char *name);

/* Where files may be. Any may be NULL or "". */
struct prompt_places {
    const char *site;      /* a site's own recordings: SITE/en/number/7.wav; they come first */
    const char *recorded;  /* instead of the directory that the catalogue names */
    const char *generated; /* what a machine spoke: GENERATED/en/number/7.wav */
    const char *language;  /* "en" */
};

/* The index-th path at which to look for a prompt, best first. A name that is in no catalogue is looked for among the
 * site's own (prompts may be NULL then). Returns 0; -ENOENT: no more; -EINVAL: not a name of a prompt (letters, digits,
 * - and _, parts divided by /); -E2BIG. */
int prompts_path(const struct prompts *prompts, const struct prompt_places *places, const char *name, unsigned index,
                 char *path, size_t size);

#endif
