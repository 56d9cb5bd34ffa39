/* The latching rules. The SDP or signalling host is believed at its first packet, and once it was heard, nobody else
 * is: behind its router it may change its port, not its address. Anybody else must send five packets in order, with an
 * agreed payload type, after sound was due for a while and that host has never sent any: whoever sprays at our ports
 * gets neither into a call nor the sound of one. Media threads; knows no sockets. */
#include "media/latch.h"

static const union addr nowhere;

static bool same_or_unset(const union addr *a, const union addr *b)
{
    if (!addr_is_set(a) || !addr_is_set(b))
        return addr_is_set(a) == addr_is_set(b);
    return addr_same(a, b);
}

bool latch_remote(struct latch *latch, const union addr *sdp, const union addr *signalling)
{
    union addr host = *signalling;

    if (addr_is_set(&host))
        addr_set_port(&host, 0);
    /* The signalling address counts too: a phone that changes networks often keeps the private address in its SDP. */
    if (same_or_unset(&latch->sdp, sdp) && same_or_unset(&latch->signalling, &host))
        return false;
    memset(latch, 0, sizeof *latch);
    latch->sdp = *sdp;
    latch->signalling = host;
    return true;
}

static bool is_known(const struct latch *latch, const union addr *from)
{
    return (addr_is_set(&latch->sdp) && addr_same_ip(&latch->sdp, from)) ||
           (addr_is_set(&latch->signalling) && addr_same_ip(&latch->signalling, from));
}

static enum latch_verdict settle(struct latch *latch, const union addr *from, enum latch_rank rank, uint64_t now_us)
{
    latch->source = *from;
    latch->rank = rank;
    latch->strict = true;
    latch->heard_us = now_us;
    latch->stranger.count = 0;
    return LATCH_NEW;
}

static bool stranger_has_proved_himself(struct latch *latch, const union addr *from, uint32_t ssrc, uint16_t seq)
{
    if (latch->stranger.count && addr_same(&latch->stranger.from, from) && latch->stranger.ssrc == ssrc &&
        latch->stranger.next_seq == seq)
        latch->stranger.count++;
    else
        latch->stranger.count = 1;
    latch->stranger.from = *from;
    latch->stranger.ssrc = ssrc;
    latch->stranger.next_seq = (uint16_t)(seq + 1);
    return latch->stranger.count >= LATCH_STRANGER_PACKETS;
}

enum latch_verdict latch_packet(struct latch *latch, const union addr *from, uint32_t ssrc, uint16_t seq,
                                bool negotiated, bool due, uint64_t now_us, uint64_t silence_us)
{
    bool known = is_known(latch, from);

    if (known)
        latch->known_heard_us = now_us;
    if (latch->rank != LATCH_NONE && addr_same(&latch->source, from)) {
        latch->heard_us = now_us;
        latch->strict = true;
        return LATCH_TAKE;
    }
    if (known)
        return latch->rank == LATCH_KNOWN && latch->strict ? LATCH_DROP : settle(latch, from, LATCH_KNOWN, now_us);
    if (latch->rank != LATCH_NONE && latch->strict)
        return LATCH_DROP;
    if (!negotiated || !due || latch->known_heard_us) {
        latch->stranger.count = 0;
        if (!due)
            latch->waiting_us = 0;
        return LATCH_DROP;
    }
    if (!latch->waiting_us)
        latch->waiting_us = now_us;
    if (!stranger_has_proved_himself(latch, from, ssrc, seq) || now_us - latch->waiting_us < silence_us)
        return LATCH_DROP;
    return settle(latch, from, LATCH_STRANGER, now_us);
}

void latch_proved(struct latch *latch, const union addr *from, uint64_t now_us)
{
    if (is_known(latch, from) && latch->rank == LATCH_NONE)
        settle(latch, from, LATCH_KNOWN, now_us);
}

bool latch_tick(struct latch *latch, uint64_t now_us, uint64_t silence_us)
{
    if (!latch->strict || now_us - latch->heard_us < silence_us)
        return false;
    latch->strict = false;
    latch->stranger.count = 0;
    return true;
}

const union addr *latch_target(const struct latch *latch)
{
    if (latch->rank != LATCH_NONE)
        return &latch->source;
    if (!addr_is_set(&latch->sdp) || addr_is_any(&latch->sdp) || addr_port(&latch->sdp) == 0)
        return &nowhere;
    return &latch->sdp;
}
