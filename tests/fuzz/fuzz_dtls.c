/* libFuzzer: the handshake of DTLS-SRTP (media/dtls.c). A phone, which is the same code with the same certificate,
 * talks to the switch; each byte of the input says what happens next on the wire between them: a packet arrives, whole,
 * damaged, twice or not at all, or one that nobody sent; time passes; a side begins anew. Whatever comes: no key
 * without a handshake, and after all of it the two, left alone, come to the same keys unless the switch has given up.
 */
#include <stdlib.h>

#include "base/log.h"
#include "media/dtls.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define QUEUE 16
#define LONGEST 2048

static struct dtls_identity *identity;

struct side {
    struct dtls *dtls;
    struct side *other;
    uint8_t packets[QUEUE][LONGEST]; /* on their way to it */
    size_t len[QUEUE];
    unsigned count;
    bool keyed;
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    log_set_level(LOG_LEVEL_ERROR);
    return dtls_identity_new(&identity);
}

static void must(bool good)
{
    if (!good)
        abort();
}

static void put(struct side *to, const uint8_t *packet, size_t len)
{
    if (to->count == QUEUE || len > LONGEST)
        return;
    memcpy(to->packets[to->count], packet, len);
    to->len[to->count++] = len;
}

static void send_packet(void *arg, const union addr *to, const uint8_t *packet, size_t len)
{
    put(((struct side *)arg)->other, packet, len);
}

static void note(struct side *side, enum dtls_news news)
{
    struct srtp_key in, out;

    if (news != DTLS_KEYS)
        return;
    dtls_keys(side->dtls, &in, &out);
    must(in.suite && in.suite == out.suite && !srtp_key_same(&in, &out));
    side->keyed = true;
}

static void hear(struct side *side, unsigned which, uint64_t now_us, bool stays)
{
    uint8_t packet[LONGEST];
    size_t len = side->len[which];
    union addr from;

    addr_parse("192.0.2.7:4000", 0, &from);
    memcpy(packet, side->packets[which], len);
    if (!stays) {
        side->count--;
        memmove(side->packets[which], side->packets[which + 1], (side->count - which) * sizeof side->packets[0]);
        memmove(&side->len[which], &side->len[which + 1], (side->count - which) * sizeof side->len[0]);
    }
    note(side, dtls_packet(side->dtls, packet, len, &from, now_us));
}

/* Takes one thing of the input. */
static void happen(struct side sides[2], const uint8_t **data, size_t *size, uint64_t *now_us)
{
    uint8_t what = *(*data)++;
    struct side *side = &sides[what & 1];
    unsigned which = side->count ? (what >> 4) % side->count : 0;
    size_t len;

    --*size;
    switch (what >> 1 & 7) {
    case 0:
    case 1:
        if (side->count)
            hear(side, which, *now_us, false);
        break;
    case 2:
        if (side->count)
            hear(side, which, *now_us, true);
        break;
    case 3: /* damaged */
        if (!side->count || *size < 2)
            break;
        side->packets[which][((*data)[0] * 5u) % (side->len[which] ? side->len[which] : 1)] ^= (*data)[1];
        *data += 2, *size -= 2;
        break;
    case 4: /* lost */
        side->count = 0;
        break;
    case 5: /* somebody else's */
        len = *size ? (*data)[0] : 0;
        if (len >= *size)
            break;
        put(side, *data + 1, len);
        *data += len + 1, *size -= len + 1;
        break;
    case 6:
        *now_us += (what >> 4) * UINT64_C(700000);
        note(&sides[0], dtls_tick(sides[0].dtls, *now_us));
        note(&sides[1], dtls_tick(sides[1].dtls, *now_us));
        break;
    case 7:
        dtls_again(side->dtls, *now_us);
        break;
    }
}

static void same_keys(struct side sides[2])
{
    struct srtp_key in[2], out[2];

    dtls_keys(sides[0].dtls, &in[0], &out[0]);
    dtls_keys(sides[1].dtls, &in[1], &out[1]);
    must(srtp_key_same(&in[0], &out[1]) && srtp_key_same(&in[1], &out[0]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct side sides[2];
    const struct fingerprint *print = dtls_identity_print(identity);
    uint64_t now_us = 1000000000;

    for (int i = 0; i < 2; i++) {
        memset(&sides[i], 0, sizeof sides[i]);
        sides[i].other = &sides[!i];
    }
    for (int i = 0; i < 2; i++)
        sides[i].dtls = dtls_new(identity, print, i, now_us, send_packet, &sides[i]);
    for (int steps = 0; size && steps < 200; steps++)
        happen(sides, &data, &size, &now_us);
    /* Both begin anew, and nobody disturbs them. */
    sides[0].count = sides[1].count = 0;
    sides[0].keyed = sides[1].keyed = false;
    for (int i = 0; i < 2; i++)
        dtls_again(sides[i].dtls, now_us);
    for (int rounds = 0; rounds < 8; rounds++)
        for (int i = 0; i < 2; i++)
            while (sides[i].count)
                hear(&sides[i], 0, now_us, false);
    must(sides[0].keyed && sides[1].keyed);
    same_keys(sides);
    dtls_free(sides[0].dtls);
    dtls_free(sides[1].dtls);
    return 0;
}
