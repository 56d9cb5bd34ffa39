/* Hold music of a media thread: each class is decoded once a beat and encoded once for each codec, for however many
 * hear it there. Worker's thread. */
#ifndef MEDIA_STATION_H
#define MEDIA_STATION_H

#include "media/playlist.h"

struct worker;
struct codec_kind;

/* The 20 ms of this beat of a class (list->music), rate / 50 samples. It begins to play when somebody asks, and is
 * forgotten when nobody has asked for a minute. NULL: none of its files can be played; the log says why. */
const int16_t *station_frame(struct worker *worker, struct playlist *list, unsigned rate, uint64_t due_us);
/* The same as the payload of a packet. Returns its bytes; 0: there is none. */
size_t station_payload(struct worker *worker, struct playlist *list, const struct codec_kind *kind,
                       const uint8_t **payload, uint64_t due_us);

/* Now and then. */
void stations_tick(struct worker *worker, uint64_t now_us);
/* Of the worker's end, on any thread. */
void stations_free(struct worker *worker);

#endif
