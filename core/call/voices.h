/* In which files prompts and sounds are: the catalogues of prompts, one for each language, and the directory with the
 * site's own. Read at the start; does not change. Signalling thread. */
#ifndef CALL_VOICES_H
#define CALL_VOICES_H

#include "base/base.h"

struct sounds_fetch;
struct voices;

/* catalogues: directory with LANGUAGE.txt for each language, and with LANGUAGE/NAME.wav of prompts that a machine
 * spoke; site: directory with the site's own sounds. What is missing or wrong is in the log. Blocks: before the switch
 * takes calls. */
struct voices *voices_open(const char *catalogues, const char *site) MUST_USE;
void voices_close(struct voices *voices); /* NULL is fine */

/* One more piece of the fetch. name: a file ("/srv/hello.wav", or relative to the site's directory: "hello.wav"), or a
 * prompt ("call/is-unavailable") in this language; of "en-GB" the first two letters count, and one without a catalogue
 * is English. A name that is neither becomes a piece that is not found. */
void voices_want(const struct voices *voices, struct sounds_fetch *fetch, const char *language, const char *name);
/* Is there a catalogue? */
bool voices_speak(const struct voices *voices, const char *language);

#endif
