/* Recordings of a port: each beat what its far side says, and what it is told, go through a writer (audio/writer.h)
 * into a file of the file thread. Worker's thread of the port, unless stated otherwise. */
#ifndef MEDIA_RECORD_H
#define MEDIA_RECORD_H

#include "media/file_thread.h"
#include "media/proto.h"

struct inbox;
struct port;
struct recording;

/* Any thread. Owns file; control hears of the end by JOB_RECORDED. */
struct recording *record_new(const struct proto_record *plan, struct file *file, struct inbox *control) MUST_USE;
/* From now on it belongs to the port, until it ends. */
void record_start(struct recording *recording, struct port *port);
/* One that has ended meanwhile is nobody's. */
void record_stop(struct port *port, uint64_t id);
void record_pause(struct port *port, uint64_t id, bool pause);

/* Around a port's move to another thread. */
void record_suspend(struct port *port);
void record_resume(struct port *port);
/* The other port of its bridge is another one, or none, from now on (before it could go away). */
void record_unbridged(struct port *port);
/* The port ends; on any thread, while it is attached to none. */
void record_end_all(struct port *port);

#endif
