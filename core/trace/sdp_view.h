/* What a message says about its audio, for people: address, codecs, direction. Any bytes; any thread. */
#ifndef TRACE_SDP_VIEW_H
#define TRACE_SDP_VIEW_H

#include "base/base.h"

struct sdp_view {
    bool audio; /* it has an m=audio line */
    char host[64];
    unsigned port;    /* 0: refused or switched off */
    char codecs[160]; /* "PCMA PCMU opus", in order of preference; telephone-event and comfort noise are left out */
    char direction[12];
    bool encrypted; /* RTP/SAVP… */
};

/* Looks into the body of a message. false: it says nothing about audio. */
bool sdp_view(const char *message, size_t len, struct sdp_view *out);
/* "audio 192.0.2.7:4000, PCMA PCMU, sendrecv"; with `before`, what changed: "PCMA PCMU > PCMA, sendrecv > sendonly", or
 * "no change". Returns out. */
const char *sdp_words(const struct sdp_view *view, const struct sdp_view *before, char *out, size_t size);

#endif
