/* Playing to the far side of a port, as tandemd asks for it: lists of files, tones and silence, and hold music.
 * Signalling thread. */
#ifndef MEDIA_MEDIA_PLAY_H
#define MEDIA_MEDIA_PLAY_H

#include "audio/sound.h"
#include "audio/tone.h"
#include "media/media.h"

enum play_what { PLAY_FILE, PLAY_TONE, PLAY_SILENCE };

struct media_piece {
    enum play_what what;
    int fd;               /* FILE: of a file in memory that nobody can change (sounds.h); borrowed */
    enum sound_kind kind; /* FILE */
    enum tone_kind tone;  /* TONE */
    unsigned ms;          /* no longer than this; 0: as long as it is (SILENCE: nothing) */
    const char *name;     /* FILE: for people; TONE: the country, or NULL for kinds that are the same everywhere */
};

struct media_play;

struct media_played {
    uint64_t ms;     /* of sound, in all */
    unsigned broken; /* pieces that could not be played to their end */
    unsigned piece;  /* the first of them */
    const char *why; /* in words; "" when none broke */
};
/* Runs once, never from inside media_play(); not after media_play_stop() and not when the port is released. */
typedef void (*media_played_fn)(void *arg, const struct media_played *played);

/* Plays them one behind the other, loops times (0: for ever). What plays already goes on beside it. */
struct media_play *media_play(struct media_port *port, const struct media_piece *pieces, unsigned count, unsigned loops,
                              media_played_fn done, void *arg) MUST_USE;
/* Nothing more of it is heard. */
void media_play_stop(struct media_play *play);

/* A class of hold music, known to the media process from now on. Returns its id (0: there is no media process); it is
 * of use as long as the same process runs: media_up_count() is another number for the next. */
uint64_t media_music_new(struct media *media, const struct media_piece *pieces, unsigned count, bool shuffle) MUST_USE;
/* Who listens goes on listening. */
void media_music_forget(struct media *media, uint64_t music);
unsigned media_up_count(const struct media *media);
/* Plays it till it is stopped. While it does, the far side hears nothing else. */
struct media_play *media_play_music(struct media_port *port, uint64_t music) MUST_USE;

#endif
