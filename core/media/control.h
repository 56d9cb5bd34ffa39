/* The control thread of the media process: who controls it, which ports there are, and on which worker each runs. */
#ifndef MEDIA_CONTROL_H
#define MEDIA_CONTROL_H

#include "base/addr.h"
#include "base/loop.h"

struct control;

struct control_options {
    const char *socket_path;
    union addr bind4, bind6; /* AF_UNSPEC: no ports of that family */
    unsigned port_low, port_high;
    unsigned threads;
    unsigned orphan_seconds;
    unsigned silence_ms;
    unsigned rest_ms;
    unsigned report_ms; /* between reports (RTCP) of a port, and between figures of its quality; 0: none */
    bool no_sandbox;
    const struct dtls_identity *identity; /* NULL: no DTLS */
};

/* Starts the workers and listens. options and its strings are borrowed while it lives. On failure the reason has been
 * logged. Returns 0 or negative errno (-EADDRINUSE: another live process has the path). */
int control_start(struct loop *loop, const struct control_options *options, struct control **out);
void control_stop(struct control *control);

#endif
