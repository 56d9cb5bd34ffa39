/* Recordings as the control thread sees them: a descriptor from tandemd becomes a file of the file thread, and commands
 * go to the thread of the port. Control thread. */
#include <stdlib.h>
#include <unistd.h>

#include "media/control-priv.h"
#include "media/record.h"
#include "media/recording.h"

#define RING_BYTES (256u << 10) /* some seconds of sound, for a disk that is busy */

static void tell(struct control *control, uint64_t id, const struct job *job)
{
    struct proto_recorded *m;

    if (!control_wire(control))
        return;
    m = wire_add(control_wire(control), PROTO_RECORDED);
    m->id = id;
    m->why = job ? job->recorded.why : MEDIA_RECORD_PORT_ENDED;
    if (!job)
        return;
    m->err = job->recorded.err;
    m->ms = job->recorded.ms;
    m->bytes = job->recorded.bytes;
    m->left_out_ms = job->recorded.left_out_ms;
}

void records_start(struct control *control, const struct proto_record *m, int fd)
{
    struct entry *entry = port_in_use(control, m->port);
    struct job *job;

    if (!entry || fd < 0) {
        if (fd >= 0)
            close(fd);
        tell(control, m->id, NULL);
        return;
    }
    control->recordings++;
    job = job_new(JOB_RECORD, entry->id, entry->port);
    job->recording = record_new(m, file_new(control->files, fd, RING_BYTES), &control->inbox);
    port_post(control, entry, job);
}

void records_command(struct control *control, const struct proto_command *m)
{
    static const enum job_kind kinds[PROTO_KINDS] = {[PROTO_RECORD_STOP] = JOB_RECORD_STOP,
                                                     [PROTO_RECORD_PAUSE] = JOB_RECORD_PAUSE,
                                                     [PROTO_RECORD_RESUME] = JOB_RECORD_RESUME};
    struct entry *entry = port_in_use(control, m->id);
    struct job *job;

    if (!entry)
        return;
    job = job_new(kinds[m->head.kind], entry->id, entry->port);
    job->value = m->value;
    port_post(control, entry, job);
}

void records_ended(struct control *control, const struct job *job)
{
    control->recordings--;
    tell(control, job->id, job);
}
