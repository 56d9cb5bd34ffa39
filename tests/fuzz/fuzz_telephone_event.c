/* libFuzzer: any bytes as a stream of telephone-event packets (six bytes of time, stream and length, then the payload)
 * into a reader, and as key presses into a sender whose packets another reader gets. A key goes down before it comes
 * up, one at a time; what the sender sends is read as the keys that were pressed. */
#include "audio/telephone_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct key_report *report, char *down)
{
    if (key_event(report->key) < 0 || (report->up ? *down != report->key : *down != '\0'))
        __builtin_trap();
    *down = report->up ? '\0' : report->key;
}

static void read_stream(const uint8_t *data, size_t size)
{
    static const unsigned clocks[] = {8000, 16000, 48000, 1};
    struct event_reader reader;
    struct key_report reports[EVENT_REPORTS];
    uint64_t now_ms = 0;
    char down = '\0';

    event_reader_init(&reader, clocks[size % COUNT_OF(clocks)]);
    while (size >= 6) {
        uint32_t timestamp = (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
        size_t len = data[5] & 0x1f;
        int got;

        now_ms += data[4];
        data += 6;
        size -= 6;
        if (len > size)
            len = size;
        got = event_read(&reader, data[-1] >> 6, timestamp, data[-1] & 0x20, data, len, now_ms, reports);
        if (got > EVENT_REPORTS || (got < 0 && got != -EBADMSG))
            __builtin_trap();
        for (int i = 0; i < got; i++)
            check(&reports[i], &down);
        if (event_quiet(&reader, now_ms, reports))
            check(reports, &down);
        data += len;
        size -= len;
    }
    if (event_reader_end(&reader, reports))
        check(reports, &down);
    if (down)
        __builtin_trap();
}

static void send_keys(const uint8_t *data, size_t size)
{
    struct event_sender sender;
    struct event_reader reader;
    char pressed[512], read[512], down = '\0';
    size_t presses = 0, reads = 0;
    uint32_t now = 0xfffff000u;
    uint64_t now_ms = 0;

    event_sender_init(&sender, 48000, 20, size % 2 ? 50 : 0);
    event_reader_init(&reader, 48000);
    for (size_t i = 0; i < size || !event_idle(&sender); i++) {
        struct event_packet packet;
        struct key_report reports[EVENT_REPORTS];
        int got = 0;

        if (i < size && presses < sizeof pressed && data[i] & 0x80 &&
            event_press(&sender, KEYS_OF_PHONES[(data[i] & 0x7f) % 17], data[i] % 5 * 400) == 0)
            pressed[presses++] = KEYS_OF_PHONES[(data[i] & 0x7f) % 17];
        if (i >= size || (data[i] & 0xc0) == 0x40)
            event_release(&sender, i < size ? data[i] : 0);
        if (event_next(&sender, now, &packet) == EVENT_PACKET)
            got = event_read(&reader, 1, packet.timestamp, packet.marker, packet.payload, EVENT_BYTES, now_ms, reports);
        for (int k = 0; k < got; k++) {
            check(&reports[k], &down);
            if (reports[k].up && (reads == sizeof read || (read[reads++] = reports[k].key) == 0))
                __builtin_trap();
        }
        now += 960;
        now_ms += 20;
    }
    if (reads != presses || memcmp(read, pressed, reads) != 0)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 2000)
        return 0;
    if (data[0] & 1)
        read_stream(data + 1, size - 1);
    else
        send_keys(data + 1, size - 1);
    return 0;
}
