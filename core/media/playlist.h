/* What is to be played, as the media process keeps it: pieces in their order, each a file that tandemd has opened, a
 * tone or silence; or a class of hold music. It does not change once it is complete, and is shared by counted
 * references that any thread may give back. */
#ifndef MEDIA_PLAYLIST_H
#define MEDIA_PLAYLIST_H

#include <stdatomic.h>

#include "audio/sound.h"
#include "media/proto.h"

#define PLAYLIST_MAX 200u

struct piece {
    struct proto_piece what;
    int fd; /* -1: no file, or it did not get through */
    struct sound_source source;
};

struct playlist {
    atomic_uint refs;
    uint64_t music; /* id of the class of hold music; 0: it is none */
    bool shuffle;
    unsigned count, room;
    struct piece *pieces;
};

/* With one reference. */
struct playlist *playlist_new(void) MUST_USE;
struct playlist *playlist_ref(struct playlist *list);
void playlist_unref(struct playlist *list); /* NULL is fine */
/* While only its maker knows it. Owns fd. What does not fit any more is left out. */
void playlist_add(struct playlist *list, const struct proto_piece *what, int fd);

#endif
