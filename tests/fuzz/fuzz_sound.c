/* libFuzzer: a bridge of two ports whose far sides change codecs, packet times and directions, and send any packets in
 * any order, keys among them, while beats go by. The first byte of a step says what happens. Whatever came: when the
 * bridge ends nothing speaks any more, and everything is given back. */
#include "sound_ports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct proto_codec all[] = {
    {.name = "PCMU", .rate = 8000, .channels = 1, .pt = 0},
    {.name = "PCMA", .rate = 8000, .channels = 1, .pt = 8},
    {.name = "G722", .rate = 8000, .channels = 1, .pt = 9},
    {.name = "opus", .rate = 48000, .channels = 2, .pt = 96},
    {.name = "CN", .rate = 8000, .channels = 1, .pt = 13},
    {.name = "telephone-event", .rate = 8000, .channels = 1, .pt = 101},
    {.name = "telephone-event", .rate = 48000, .channels = 1, .pt = 102},
    {.name = "speex", .rate = 16000, .channels = 1, .pt = 110},
};

static void describe(struct sound_ports *s, unsigned which, uint8_t some, uint8_t more)
{
    struct proto_codec codecs[COUNT_OF(all)];
    unsigned count = 0;

    for (unsigned i = 0; i < COUNT_OF(all); i++) {
        unsigned at = (i + (more & 7)) % COUNT_OF(all);

        if (some & 1u << at)
            codecs[count++] = all[at];
    }
    sound_ports_describe(s, which, codecs, count, more >> 3, (more & 7) == 7 ? DIR_SEND : DIR_SENDRECV);
}

static void one_step(struct sound_ports *s, const uint8_t **data, size_t *size)
{
    uint8_t step = (*data)[0], a = (*data)[1], b = (*data)[2], packet[512];
    unsigned which = step & 1;
    size_t len;

    *data += 3;
    *size -= 3;
    switch (step >> 1 & 7) {
    case 0:
        describe(s, which, a, b);
        break;
    case 1:
        relay_bridge(s->ports[which], s->ports[a & 1]);
        break;
    case 2:
        relay_unbridge(s->ports[which]);
        break;
    case 3:
        if (a & 0x80)
            keys_press(s->ports[which], "0123456789*#ABCD!x"[a % 18], b);
        else if (voice_press(s->ports[which], "0123456789*#ABCD!x"[a % 18], b) == 0 && !b)
            voice_release(s->ports[which], 100);
        break;
    case 4:
        if (a & 4)
            keys_set_ways(s->ports[which], (enum key_out)((a >> 3) % 3), a & 0x40, a & 0x80 ? UINT32_MAX : 0);
        else
            port_set_direction(s->ports[which], (enum stream_dir)(a & 3));
        break;
    case 5:
        for (unsigned i = 0; i < (a & 15u); i++)
            sound_ports_beat(s);
        break;
    default: /* a packet, and mostly a beat */
        len = a < *size ? a : *size;
        memcpy(packet, *data, len);
        *data += len;
        *size -= len;
        sound_ports_packet(s, which, packet, len);
        if (b & 3)
            sound_ports_beat(s);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sound_ports *s = malloc(sizeof *s);

    if (!s)
        return 0;
    sound_ports_open(s);
    describe(s, 0, 0x21, 0);
    describe(s, 1, 0x48, 0);
    relay_bridge(s->ports[0], s->ports[1]);
    for (unsigned steps = 0; size >= 3 && steps < 400; steps++)
        one_step(s, &data, &size);
    for (unsigned i = 0; i < 2; i++) {
        relay_unbridge(s->ports[i]);
        keys_set_ways(s->ports[i], KEY_OUT_EVENTS, false, 0);
    }
    /* Keys that were pressed are said, unless somebody holds one down; and it is quiet behind them. */
    for (unsigned i = 0; i < 2; i++)
        voice_release(s->ports[i], 100);
    for (unsigned i = 0; i < 4000 && !list_empty(&s->worker.pace.beats); i++)
        sound_ports_beat(s);
    if (!list_empty(&s->worker.pace.beats) || s->ports[0]->hearing || s->ports[1]->hearing)
        __builtin_trap();
    sound_ports_close(s);
    free(s);
    return 0;
}
