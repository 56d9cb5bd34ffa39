/* The RTCP of one port: what its far side reports is read, what the other side of its bridge reports is sent on, and
 * where nobody reports for it the port does so itself (RFC 3550 §6). Worker's thread. */
#ifndef MEDIA_REPORTS_H
#define MEDIA_REPORTS_H

#include "media/quality.h"

struct port;

/* Zeroed memory is a port that nobody has heard. */
struct reports {
    struct quality quality;
    char name[RTCP_NAME_LEN + 1];  /* by which its far side knows us; "": not drawn yet */
    uint64_t crossed_us;           /* somebody else's report was last sent to the far side; or its bridge began */
    uint64_t next_us;              /* our next one is due; 0: none is */
    bool said;                     /* one has gone out under our name */
    uint64_t told_span, told_lost; /* of what came, at our last report */
    uint32_t told_ssrc;
    uint64_t tx_before[2];            /* packets sent, at our last two reports */
    uint64_t tx_seen, tx_us;          /* packets sent, and when that last changed; 0: never */
    uint64_t window_us;               /* the window of quality began; 0: none has */
    const char *codec_in, *codec_out; /* spoken last: as rating_codec() names them */
};

/* A packet from the far side. False: it is not RTCP (and counted as such). */
bool reports_take(struct port *port, const uint8_t *packet, size_t len, uint64_t now_us);
/* A report of the other side of its bridge, for this port's far side. */
void reports_cross(struct port *port, const uint8_t *packet, size_t len);
/* Its far side knows us by this name. */
void reports_name(struct port *port, uint64_t name);
/* Its bridge has begun: the other side's reports are awaited first. */
void reports_bridged(struct port *port);
/* Several times a second. */
void reports_tick(struct port *port, uint64_t now_us);
/* The end: who got reports is told. */
void reports_bye(struct port *port);
void reports_stats(const struct port *port, struct media_stats *out);

#endif
