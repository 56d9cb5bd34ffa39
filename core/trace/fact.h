/* A fact: an event of the bus as plain values, which is all that the recorder keeps of it, in memory, in its files and
 * when they are read again. Any thread. */
#ifndef TRACE_FACT_H
#define TRACE_FACT_H

#include "base/addr.h"
#include "base/id.h"

/* Texts are NULL and numbers 0 when there is nothing (new) to say. */
struct fact {
    uint64_t at_us;
    struct uuid call, leg;    /* nil: about none */
    struct uuid conversation; /* first call of the one that the call has joined */
    const char *kind, *cause, *who, *account, *detail;
    /* The call, as far as it changed since its last fact. */
    const char *from, *from_name, *to, *context, *answered_by, *made_by;
    uint64_t started_us, answered_us, sip_status;
    /* The leg, likewise. */
    const char *party, *leg_account, *call_id, *codec;
    const char *srtp;    /* suite of its encrypted audio; "plain": no longer encrypted */
    uint64_t outbound;   /* 1: we called it */
    uint64_t leg_status; /* SIP status that ended it */
    union addr peer;
    uint64_t counted; /* 1: the counters of its media are in */
    uint64_t rx_packets, tx_packets, lost, dropped, rejected, jitter_us, first_rx_ms;
    uint64_t mos_in, mos_out, far_lost, far_jitter_us, rtt_us, reports, bad_reports; /* as struct media_stats */
    union addr source;
};

#define FACT_MAX 3072u /* bytes of one; longer texts are cut */

/* Returns the length. */
size_t fact_encode(const struct fact *fact, char out[FACT_MAX]);
/* Texts point into data. What is not known, or damaged, is passed over. kind is never NULL afterwards. */
void fact_decode(const char *data, size_t len, struct fact *fact);

#endif
