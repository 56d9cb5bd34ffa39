/* RFC 4733 in both directions. Runs on the thread that has the packets; knows neither sockets nor the rest of RTP. One
 * press is many packets, of which any may be lost, doubled or late, so that only the timestamp says what is one key. */
#include "audio/telephone_event.h"

#define UNITS_MOST 0xffffu
#define END_BIT 0x80
#define VOLUME 10 /* dBm0 below zero, for whoever makes sound of it */
/* Packets older than the newest key by less than this are late; by more, the sender has begun its timestamps anew. */
#define LATE_MS 10000u

/* --- reading ----------------------------------------------------------------------------------------------------- */

void event_reader_init(struct event_reader *reader, unsigned clock)
{
    memset(reader, 0, sizeof *reader);
    reader->clock = clock ? clock : 8000;
}

/* A key cannot have lasted much longer than it was heard of; if it says so, it was counted by the clock of the speech.
 */
static unsigned lasted(const struct event_reader *reader)
{
    uint64_t units = reader->before + reader->units, ms = units * 1000 / reader->clock;

    if (reader->speech_clock > reader->clock && ms > 2 * (reader->heard_ms - reader->began_ms) + 150)
        ms = units * 1000 / reader->speech_clock;
    return ms > INT32_MAX ? INT32_MAX : (unsigned)ms;
}

bool event_reader_end(struct event_reader *reader, struct key_report *report)
{
    if (!reader->down)
        return false;
    reader->down = false;
    *report = (struct key_report){.key = KEYS_OF_PHONES[reader->event], .up = true, .ms = lasted(reader)};
    return true;
}

bool event_quiet(struct event_reader *reader, uint64_t now_ms, struct key_report *report)
{
    return now_ms >= reader->heard_ms + EVENT_QUIET_MS && event_reader_end(reader, report);
}

/* Is this the next segment of the key that is known (§2.5.1.3)? Its timestamp lies a full duration behind, or several
 * when whole segments were lost. Some senders cut at their last update before. */
static bool goes_on(const struct event_reader *reader, uint32_t timestamp, bool marker, uint8_t event)
{
    uint32_t behind = timestamp - reader->timestamp;

    if (marker || reader->closed || event != reader->event)
        return false;
    return behind % UNITS_MOST == 0 ? behind <= 16 * UNITS_MOST : behind == reader->units && behind >= UNITS_MOST / 2;
}

static void first_of_key(struct event_reader *reader, uint32_t timestamp, uint8_t event)
{
    reader->known = reader->down = true;
    reader->closed = false;
    reader->timestamp = timestamp;
    reader->event = event;
    reader->units = 0;
    reader->before = 0;
}

/* One block at its timestamp; returns the reports added. */
static int read_block(struct event_reader *reader, uint32_t timestamp, bool marker, const uint8_t block[EVENT_BYTES],
                      uint64_t now_ms, struct key_report *reports)
{
    uint8_t event = block[0];
    bool end = block[1] & END_BIT;
    uint16_t units = (uint16_t)(block[2] << 8 | block[3]);
    int count = 0;

    if (!reader->known || timestamp != reader->timestamp) {
        uint32_t late = reader->timestamp - timestamp;

        if (reader->known && late < (uint64_t)LATE_MS * reader->clock / 1000)
            return 0;
        if (reader->known && goes_on(reader, timestamp, marker, event)) {
            reader->before += timestamp - reader->timestamp;
            reader->timestamp = timestamp;
            reader->units = 0;
        } else {
            count += event_reader_end(reader, &reports[count]);
            first_of_key(reader, timestamp, event);
            reader->began_ms = now_ms;
            reader->units = units;
            reports[count++] =
                (struct key_report){.key = KEYS_OF_PHONES[event], .ms = (unsigned)(units * 1000ull / reader->clock)};
        }
    } else if (event != reader->event) {
        return 0; /* two keys at one time: damaged */
    }
    reader->heard_ms = now_ms;
    if (units > reader->units)
        reader->units = units;
    if (end && !reader->closed) {
        reader->closed = true;
        count += event_reader_end(reader, &reports[count]);
    }
    return count;
}

int event_read(struct event_reader *reader, uint32_t ssrc, uint32_t timestamp, bool marker, const uint8_t *payload,
               size_t len, uint64_t now_ms, struct key_report reports[EVENT_REPORTS])
{
    int count = 0;

    if (len < EVENT_BYTES || len % EVENT_BYTES || len > EVENT_BLOCKS * EVENT_BYTES)
        return -EBADMSG;
    if (reader->known && ssrc != reader->ssrc) { /* another stream: its timestamps mean nothing here */
        count += event_reader_end(reader, &reports[count]);
        reader->known = false;
    }
    reader->ssrc = ssrc;
    for (size_t at = 0; at < len; at += EVENT_BYTES) {
        const uint8_t *block = payload + at;
        uint16_t units = (uint16_t)(block[2] << 8 | block[3]);

        /* Blocks behind the first follow each other in time (§2.5.1.5); empty ones are padding. */
        if (block[0] < sizeof KEYS_OF_PHONES - 1 && (at == 0 || units))
            count += read_block(reader, timestamp, marker && at == 0, block, now_ms, reports + count);
        timestamp += units;
    }
    return count;
}

/* --- sending ----------------------------------------------------------------------------------------------------- */

void event_sender_init(struct event_sender *sender, unsigned clock, unsigned packet_ms, unsigned update_ms)
{
    memset(sender, 0, sizeof *sender);
    sender->clock = clock ? clock : 8000;
    packet_ms = packet_ms < 10 ? 10 : packet_ms > 60 ? 60 : packet_ms;
    sender->slot = sender->clock / 1000 * packet_ms;
    sender->update = sender->clock / 1000 * (update_ms > 1000 ? 1000 : update_ms);
}

static uint32_t ms_to_units(const struct event_sender *sender, unsigned ms)
{
    ms = ms < EVENT_MS_LEAST ? EVENT_MS_LEAST : ms > 60000 ? 60000 : ms;
    return sender->clock / 1000 * ms;
}

int event_press(struct event_sender *sender, char key, unsigned ms)
{
    int event = key_event(key);
    unsigned at = (sender->first + sender->count) % EVENT_QUEUE;

    if (event < 0)
        return -EINVAL;
    if (sender->held)
        return -EBUSY;
    if (sender->count == EVENT_QUEUE)
        return -ENOBUFS;
    sender->queue[at] = (uint8_t)event;
    sender->units[at] = ms ? ms_to_units(sender, ms) : 0;
    sender->held = ms == 0;
    sender->count++;
    return 0;
}

void event_release(struct event_sender *sender, unsigned ms)
{
    uint32_t units = ms_to_units(sender, ms);

    if (!sender->held)
        return;
    sender->held = false;
    if (sender->count)
        sender->units[(sender->first + sender->count - 1) % EVENT_QUEUE] = units;
    else
        sender->wanted = units;
}

bool event_idle(const struct event_sender *sender)
{
    return !sender->sending && !sender->count;
}

static enum event_slot fill(const struct event_sender *sender, bool marker, bool end, uint32_t units,
                            struct event_packet *out)
{
    out->timestamp = sender->timestamp;
    out->marker = marker;
    out->payload[0] = sender->event;
    out->payload[1] = (uint8_t)(VOLUME | (end ? END_BIT : 0));
    out->payload[2] = (uint8_t)(units >> 8);
    out->payload[3] = (uint8_t)units;
    return EVENT_PACKET;
}

/* The next of those that wait; its time begins now. */
static void begin(struct event_sender *sender, uint32_t now)
{
    sender->event = sender->queue[sender->first];
    sender->wanted = sender->units[sender->first];
    sender->first = (sender->first + 1) % EVENT_QUEUE;
    sender->count--;
    sender->sending = true;
    sender->begun = false;
    sender->timestamp = now;
    sender->before = 0;
    sender->said = 0;
    sender->ends = 0;
    sender->again = 0;
}

/* An end again, behind a key; then rest, of which the repeated ends are a part. */
static enum event_slot after(struct event_sender *sender, struct event_packet *out)
{
    sender->rest = sender->rest > sender->slot ? sender->rest - sender->slot : 0;
    sender->ends--;
    if (!sender->ends)
        sender->sending = false;
    return fill(sender, false, true, sender->last, out);
}

/* The last packet of a segment, as often as that of a key; the next segment begins where it ends (§2.5.1.3). */
static enum event_slot end_of_segment(struct event_sender *sender, bool marker, struct event_packet *out)
{
    enum event_slot slot = fill(sender, marker, false, UNITS_MOST, out);

    if (--sender->again == 0) {
        sender->before += UNITS_MOST;
        sender->timestamp += UNITS_MOST;
        sender->said = 0;
    }
    return slot;
}

enum event_slot event_next(struct event_sender *sender, uint32_t now, struct event_packet *out)
{
    uint32_t units, whole;
    bool marker;

    if (sender->sending && sender->ends)
        return after(sender, out);
    if (sender->sending && sender->again)
        return end_of_segment(sender, false, out);
    if (!sender->sending) {
        if (sender->rest) {
            sender->rest = sender->rest > sender->slot ? sender->rest - sender->slot : 0;
            return EVENT_SOUND;
        }
        if (!sender->count)
            return EVENT_SOUND;
        begin(sender, now);
    }
    marker = !sender->begun;
    sender->begun = true;
    units = now - sender->timestamp + sender->slot; /* with the time that this packet stands for */
    whole = (uint32_t)sender->before + units;
    if (sender->wanted && whole >= sender->wanted) {
        if (units > UNITS_MOST) /* a hair too long for one segment */
            units = UNITS_MOST;
        sender->last = (uint16_t)units;
        sender->ends = EVENT_ENDS - 1;
        sender->rest = sender->clock / 1000 * EVENT_GAP_MS;
        return fill(sender, marker, true, units, out);
    }
    if (units >= UNITS_MOST) {
        sender->again = EVENT_ENDS;
        return end_of_segment(sender, marker, out);
    }
    if (!marker && sender->update && units - sender->said < sender->update)
        return EVENT_HOLD;
    sender->said = units;
    return fill(sender, marker, false, units, out);
}
