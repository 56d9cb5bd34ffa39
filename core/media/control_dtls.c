/* DTLS-SRTP between the controller and the workers: whose certificate is expected, and what came of it. Control thread.
 */
#include "media/control-priv.h"

void ports_dtls(struct control *control, const struct proto_dtls *m)
{
    struct entry *entry = port_in_use(control, m->id);
    struct job *job;

    if (!entry)
        return;
    job = job_new(JOB_DTLS, entry->id, entry->port);
    job->dtls.theirs = m->theirs;
    job->dtls.active = m->active != 0;
    port_post(control, entry, job);
}

void ports_dtls_news(struct control *control, const struct job *job)
{
    struct proto_dtls_news *m;

    if (!control_wire(control))
        return;
    m = wire_add(control_wire(control), PROTO_DTLS_NEWS);
    m->id = job->id;
    m->suite = job->dtls_news.suite;
    m->fault = job->dtls_news.fault;
}
