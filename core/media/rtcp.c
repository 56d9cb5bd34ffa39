/* RTCP packets, read and written (RFC 3550 §6). Any thread; every length is checked here. Knows no ports, and what the
 * numbers mean for anybody's ears is not its business. */
#include "media/rtcp.h"

#define SR 200
#define RR 201
#define SDES 202
#define BYE 203
#define RTPFB 205
#define PSFB 206
#define XR 207
#define NACK 1 /* of RTPFB */
#define PLI 1  /* of PSFB */
#define FIR 4

#define HEAD 4u
#define BLOCK 24u
#define SENDER 24u /* SSRC and sender information */
#define CNAME 1
#define CHUNK (4u + 2u + RTCP_NAME_LEN + 2u) /* SSRC, the name, and the zeros that end it */
#define XR_METRICS 7
#define XR_METRICS_WORDS 8u
#define EPOCH_1900 2208988800u /* seconds from there to 1970 */

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 24);
    p[1] = (uint8_t)(value >> 16);
    p[2] = (uint8_t)(value >> 8);
    p[3] = (uint8_t)value;
}

static size_t part_len(const uint8_t *part)
{
    return 4 * ((size_t)(part[2] << 8 | part[3]) + 1);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* What a part must have at least for what its head promises. */
static size_t part_needs(const uint8_t *part)
{
    size_t count = part[0] & 0x1Fu;

    switch (part[1]) {
    case SR:
        return HEAD + SENDER + count * BLOCK;
    case RR:
        return HEAD + 4 + count * BLOCK;
    case BYE:
        return HEAD + count * 4;
    case SDES:
        return HEAD;
    case RTPFB:
    case PSFB:
        return HEAD + 8;
    default:
        return HEAD + 4;
    }
}

/* Padding is allowed at the end of the last part only, and is of whole words. */
static bool is_whole(const uint8_t *packet, size_t len)
{
    size_t at = 0;

    while (len - at >= HEAD) {
        const uint8_t *part = packet + at;
        size_t part_bytes = part_len(part), padding = 0;

        if (part[0] >> 6 != 2 || part[1] < 192 || part[1] > 223 || part_bytes > len - at)
            return false;
        if (part[0] & 0x20) {
            padding = packet[at + part_bytes - 1];
            if (at + part_bytes != len || !padding || padding % 4)
                return false;
        }
        if (part_bytes < part_needs(part) + padding)
            return false;
        at += part_bytes;
    }
    return at && at == len;
}

static void read_block(const uint8_t *p, const struct rtcp_reader *reader)
{
    uint32_t lost = get32(p + 4) & 0xFFFFFF;
    struct rtcp_block block = {.ssrc = get32(p),
                               .fraction = p[4],
                               .lost = lost & 0x800000 ? (int32_t)lost - 0x1000000 : (int32_t)lost,
                               .highest = get32(p + 8),
                               .jitter = get32(p + 12),
                               .lsr = get32(p + 16),
                               .dlsr = get32(p + 20)};

    reader->block(reader->arg, &block);
}

static void read_report(const uint8_t *part, const struct rtcp_reader *reader)
{
    const uint8_t *blocks = part + HEAD + (part[1] == SR ? SENDER : 4);
    unsigned count = part[0] & 0x1F;

    if (part[1] == SR && reader->sender) {
        struct rtcp_sender sender = {.ntp = (uint64_t)get32(part + 8) << 32 | get32(part + 12),
                                     .timestamp = get32(part + 16),
                                     .packets = get32(part + 20),
                                     .octets = get32(part + 24)};

        reader->sender(reader->arg, get32(part + 4), &sender);
    }
    for (unsigned i = 0; i < count && reader->block; i++)
        read_block(blocks + i * BLOCK, reader);
}

static void read_bye(const uint8_t *part, const struct rtcp_reader *reader)
{
    unsigned count = part[0] & 0x1F;

    for (unsigned i = 0; i < count && reader->bye; i++)
        reader->bye(reader->arg, get32(part + HEAD + i * 4));
}

static void read_extended(const uint8_t *part, size_t len, const struct rtcp_reader *reader)
{
    for (size_t at = HEAD + 4; at + 4 <= len && reader->metrics;) {
        size_t words = (size_t)(part[at + 2] << 8 | part[at + 3]);

        if (words * 4 > len - at - 4)
            return;
        if (part[at] == XR_METRICS && words >= XR_METRICS_WORDS) {
            struct rtcp_metrics metrics = {.ssrc = get32(part + at + 4), .discarded = part[at + 9]};

            reader->metrics(reader->arg, &metrics);
        }
        at += 4 + words * 4;
    }
}

int rtcp_read(const uint8_t *packet, size_t len, const struct rtcp_reader *reader)
{
    if (!is_whole(packet, len))
        return -EBADMSG;
    for (size_t at = 0; at < len; at += part_len(packet + at)) {
        const uint8_t *part = packet + at;

        switch (part[1]) {
        case SR:
        case RR:
            read_report(part, reader);
            break;
        case BYE:
            read_bye(part, reader);
            break;
        case XR:
            read_extended(part, part_len(part), reader);
            break;
        }
    }
    return 0;
}

/* --- crossing ----------------------------------------------------------------------------------------------------- */

static void put_head(uint8_t *out, unsigned count, unsigned type, size_t len)
{
    out[0] = (uint8_t)(0x80 | count);
    out[1] = (uint8_t)type;
    out[2] = (uint8_t)((len / 4 - 1) >> 8);
    out[3] = (uint8_t)(len / 4 - 1);
}

static void put_chunk(uint8_t *out, uint32_t ssrc, const char *name)
{
    put32(out, ssrc);
    out[4] = CNAME;
    out[5] = RTCP_NAME_LEN;
    memcpy(out + 6, name, RTCP_NAME_LEN);
    memset(out + 6 + RTCP_NAME_LEN, 0, CHUNK - 6 - RTCP_NAME_LEN);
}

/* Sequence numbers with our wraps become those of the source with its own. */
static uint32_t highest_of(uint32_t ours, const struct rtcp_crossing *as)
{
    return as->highest - (uint16_t)(as->highest - (ours - as->seq_add));
}

static size_t cross_block(const uint8_t *block, const struct rtcp_crossing *as, uint8_t *out)
{
    memcpy(out, block, BLOCK);
    put32(out, as->source);
    put32(out + 8, highest_of(get32(block + 8), as));
    return BLOCK;
}

static size_t cross_sender(const uint8_t *part, const struct rtcp_crossing *as, uint8_t *out)
{
    memcpy(out + 8, part + 8, 8);
    put32(out + 16, get32(part + 16) + as->time_add);
    put32(out + 20, as->packets);
    put32(out + 24, as->octets);
    return SENDER;
}

static size_t cross_report(const uint8_t *part, const struct rtcp_crossing *as, uint8_t *out, size_t size)
{
    const uint8_t *block = part + HEAD + (part[1] == SR ? SENDER : 4);
    bool sender = part[1] == SR && as->speaks && get32(part + 4) == as->sender;
    unsigned count = part[0] & 0x1F, done = 0;
    size_t used = HEAD;

    if (size < HEAD + SENDER + BLOCK)
        return 0;
    put32(out + 4, as->ssrc);
    used += sender ? cross_sender(part, as, out) : 4;
    for (; count && as->hears && !done; block += BLOCK, count--)
        if (get32(block) == as->heard) {
            used += cross_block(block, as, out + used);
            done = 1;
        }
    put_head(out, done, sender ? SR : RR, used);
    return used;
}

static size_t cross_name(const struct rtcp_crossing *as, uint8_t *out, size_t size)
{
    if (size < HEAD + CHUNK)
        return 0;
    put_chunk(out + HEAD, as->ssrc, as->name);
    put_head(out, 1, SDES, HEAD + CHUNK);
    return HEAD + CHUNK;
}

/* Which packets are missing, by number. */
static size_t cross_nack(const uint8_t *part, size_t len, const struct rtcp_crossing *as, uint8_t *out, size_t size)
{
    if (len > size || get32(part + 8) != as->heard)
        return 0;
    memcpy(out, part, len);
    put32(out + 8, as->source);
    for (size_t at = HEAD + 8; at + 4 <= len; at += 4)
        put32(out + at, get32(part + at) - ((uint32_t)as->seq_add << 16));
    return len;
}

/* A whole picture is wanted. */
static size_t cross_want(const uint8_t *part, size_t len, const struct rtcp_crossing *as, uint8_t *out, size_t size)
{
    bool fir = (part[0] & 0x1F) == FIR;
    size_t need = HEAD + 8 + (fir ? 8 : 0), place = fir ? HEAD + 8 : HEAD + 4;

    if (need > len || need > size || get32(part + place) != as->heard)
        return 0;
    memcpy(out, part, need);
    put32(out + place, as->source);
    return need;
}

static size_t cross_feedback(const uint8_t *part, size_t len, const struct rtcp_crossing *as, uint8_t *out, size_t size)
{
    unsigned kind = part[0] & 0x1F;
    size_t used = 0;

    if (part[0] & 0x20)
        len -= part[len - 1];
    if (as->hears && part[1] == RTPFB && kind == NACK)
        used = cross_nack(part, len, as, out, size);
    if (as->hears && part[1] == PSFB && (kind == PLI || kind == FIR))
        used = cross_want(part, len, as, out, size);
    if (used) {
        put32(out + 4, as->ssrc);
        put_head(out, kind, part[1], used);
    }
    return used;
}

static size_t cross_part(const uint8_t *part, const struct rtcp_crossing *as, uint8_t *out, size_t size)
{
    switch (part[1]) {
    case SR:
    case RR:
        return cross_report(part, as, out, size);
    case SDES:
        return cross_name(as, out, size);
    case RTPFB:
    case PSFB:
        return cross_feedback(part, part_len(part), as, out, size);
    default:
        return 0;
    }
}

size_t rtcp_cross(const uint8_t *packet, size_t len, const struct rtcp_crossing *as, uint8_t *out, size_t size)
{
    size_t used = 0;

    for (size_t at = 0; at < len; at += part_len(packet + at))
        used += cross_part(packet + at, as, out + used, size - used);
    return used;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static size_t put_sender(uint8_t *out, const struct rtcp_sender *sender)
{
    put32(out, (uint32_t)(sender->ntp >> 32));
    put32(out + 4, (uint32_t)sender->ntp);
    put32(out + 8, sender->timestamp);
    put32(out + 12, sender->packets);
    put32(out + 16, sender->octets);
    return SENDER - 4;
}

static size_t put_block(uint8_t *out, const struct rtcp_block *block)
{
    int32_t lost = block->lost > 0x7FFFFF ? 0x7FFFFF : block->lost < -0x800000 ? -0x800000 : block->lost;

    put32(out, block->ssrc);
    put32(out + 4, (uint32_t)block->fraction << 24 | ((uint32_t)lost & 0xFFFFFF));
    put32(out + 8, block->highest);
    put32(out + 12, block->jitter);
    put32(out + 16, block->lsr);
    put32(out + 20, block->dlsr);
    return BLOCK;
}

size_t rtcp_write(const struct rtcp_report *report, uint8_t out[RTCP_PACKET_MAX])
{
    size_t used = HEAD + 4;

    put32(out + HEAD, report->ssrc);
    if (report->sender)
        used += put_sender(out + used, report->sender);
    if (report->block)
        used += put_block(out + used, report->block);
    put_head(out, report->block ? 1 : 0, report->sender ? SR : RR, used);
    put_head(out + used, 1, SDES, HEAD + CHUNK);
    put_chunk(out + used + HEAD, report->ssrc, report->name);
    used += HEAD + CHUNK;
    if (report->bye) {
        put_head(out + used, 1, BYE, HEAD + 4);
        put32(out + used + HEAD, report->ssrc);
        used += HEAD + 4;
    }
    return used;
}

uint64_t rtcp_ntp(uint64_t wall_us)
{
    uint64_t seconds = wall_us / 1000000 + EPOCH_1900, rest = wall_us % 1000000;

    return seconds << 32 | (rest << 32) / 1000000;
}
