/* Codecs that are shared objects of their own, because others hold their rights: loaded at start, before the sandbox.
 */
#ifndef AUDIO_PLUGIN_H
#define AUDIO_PLUGIN_H

#include "base/base.h"

struct codec_kind;

/* Loads every codec_NAME.so of a directory; each line that say() gets is for a person. They stay until the program
 * ends, and codec_find() finds them. Returns how many there are now from there. Opens files: main thread, at start. */
int plugin_load(const char *directory, void (*say)(bool bad, const char *line));

/* What was loaded under this name (as SDP has it, case apart), or NULL. Any thread. */
const struct codec_kind *plugin_find(const char *name);
/* Did a plug-in bring this codec? As codec_find() would say it, for those who have no other use for codecs. */
bool plugin_speaks(const char *name, unsigned clock, unsigned channels);

#endif
