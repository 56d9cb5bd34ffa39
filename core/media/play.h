/* Playing to a port's far side: lists of files, tones and silence, and hold music. Each is a source of the port's voice
 * (voice.h) until it ends or is stopped. Worker's thread. */
#ifndef MEDIA_PLAY_H
#define MEDIA_PLAY_H

#include "media/playlist.h"

struct port;

/* Begins. Its end is told once by PROTO_PLAYED, unless play_stop() or the port's end came first. Owns the reference on
 * list. */
void play_start(struct port *port, const struct proto_play *what, struct playlist *list);
/* One that has ended meanwhile may be stopped. */
void play_stop(struct port *port, uint32_t serial);
/* Of the port's end, on any thread. */
void play_free(struct port *port);

#endif
