/* Sound files as the media process gets them: read whole on a worker, into memory that nobody can change any more, so
 * that neither a slow disk nor somebody who overwrites a file is heard in a call. The same file is read once as long as
 * it stays the same; the last ones are kept. Signalling thread. */
#ifndef MEDIA_SOUNDS_H
#define MEDIA_SOUNDS_H

#include "audio/sound.h"
#include "base/loop.h"

#define SOUNDS_FILE_MAX (64u << 20) /* bytes: more than half an hour of uncompressed wideband sound */
#define SOUNDS_KEPT (64u << 20)     /* bytes of files that are kept although nobody plays them */

struct sounds;
struct sounds_fetch;

struct sounds *sounds_new(struct loop *loop) MUST_USE;
/* Fetches that are under way end without a word. NULL is fine. */
void sounds_free(struct sounds *sounds);

struct sound_found {
    int fd; /* of memory, for media_play(); borrowed; -1: there is none, and why */
    enum sound_kind kind;
    char name[64]; /* of the file that was found, or what was asked for */
    char why[200];
};

/* Runs once, later. found has one for each piece in order; all is borrowed. */
typedef void (*sounds_fn)(void *arg, const struct sound_found *found, unsigned count);

/* First everything that is wanted is said, then it goes off. */
struct sounds_fetch *sounds_begin(struct sounds *sounds) MUST_USE;
/* One more piece; name for people, when no file is found. */
void sounds_want(struct sounds_fetch *fetch, const char *name);
/* A file in which that piece may be; the first that is there counts. None at all: its name is none that could be
 * played. */
void sounds_try(struct sounds_fetch *fetch, const char *path);
/* All that is to be played in a directory (music_choose()), one piece each, instead of what is said above. */
void sounds_directory(struct sounds_fetch *fetch, const char *path);
void sounds_go(struct sounds_fetch *fetch, sounds_fn fn, void *arg);
/* fn will not run. Before sounds_go() too. */
void sounds_cancel(struct sounds_fetch *fetch);

#endif
