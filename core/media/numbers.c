/* Numbers of one stream out of those of many. On the way of each packet: nothing is allocated, nothing is asked of the
 * kernel. Worker's thread; knows no ports. */
#include "media/numbers.h"

#include "base/id.h"

#define PACKET_US 20000u    /* a new speaker does not begin within the last packet of the one before */
#define FIRST_SEQ 0x7FFFu   /* at most: what is lost at a start hides no wrap from SRTP (RFC 3711 §3.3.1) … */
#define FIRST_ROOM 0x0400u  /* … and at least: nor does what comes late */
#define OWN_MAX 0x7FFFu     /* further back is ahead */
#define CLOCK_GUESSED 8000u /* where nobody knows any */

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static void put32(uint8_t *p, uint32_t value)
{
    put16(p, value >> 16);
    put16(p + 2, value);
}

void numbers_init(struct numbers *numbers)
{
    *numbers = (struct numbers){.own = OWN_MAX};
    random_bytes(&numbers->ssrc, sizeof numbers->ssrc);
    random_bytes(&numbers->seq, sizeof numbers->seq);
    random_bytes(&numbers->timestamp, sizeof numbers->timestamp);
    numbers->seq = (numbers->seq & FIRST_SEQ) | FIRST_ROOM;
}

static uint32_t ticks(const struct numbers *numbers, uint64_t us)
{
    return (uint32_t)(us * (numbers->clock ? numbers->clock : CLOCK_GUESSED) / 1000000);
}

static uint64_t since_last(const struct numbers *numbers, uint64_t now_us)
{
    return now_us > numbers->at_us ? now_us - numbers->at_us : 0;
}

uint32_t numbers_time(const struct numbers *numbers, uint64_t now_us)
{
    return numbers->timestamp + ticks(numbers, since_last(numbers, now_us));
}

/* His packet with these numbers is the first. */
static void begin(struct numbers *numbers, const struct speaker *speaker, uint16_t seq, uint32_t timestamp,
                  uint64_t now_us)
{
    uint64_t passed_us = since_last(numbers, now_us);

    if (numbers->begun) {
        numbers->timestamp += ticks(numbers, passed_us > PACKET_US ? passed_us : PACKET_US);
        numbers->own = 0;
    }
    numbers->at_us = now_us;
    numbers->who = speaker->who;
    numbers->run = speaker->run;
    numbers->seq_add = (uint16_t)(numbers->seq + 1 - seq);
    numbers->time_add = numbers->timestamp - timestamp;
    numbers->begun = numbers->marks = true;
}

bool numbers_put(struct numbers *numbers, const struct speaker *speaker, uint8_t *packet, size_t len, uint64_t now_us)
{
    uint16_t seq = get16(packet + 2);
    uint32_t timestamp = get32(packet + 4);
    int ahead;

    if (speaker->clock)
        numbers->clock = speaker->clock;
    if (!numbers_are_of(numbers, speaker->who, speaker->run))
        begin(numbers, speaker, seq, timestamp, now_us);
    ahead = (int16_t)(seq + numbers->seq_add - numbers->seq);
    if (ahead > 0 && speaker->sound && (int32_t)(timestamp + numbers->time_add - numbers->timestamp) < 0) {
        begin(numbers, speaker, seq, timestamp, now_us); /* his time went back */
        ahead = 1;
    }
    if (ahead <= -(int)numbers->own)
        return false;
    if (ahead > 0) {
        numbers->seq = (uint16_t)(numbers->seq + ahead);
        numbers->own = numbers->own + ahead < (int)OWN_MAX ? (uint16_t)(numbers->own + ahead) : OWN_MAX;
    }
    timestamp += numbers->time_add;
    if ((int32_t)(timestamp - numbers->timestamp) > 0) {
        numbers->timestamp = timestamp;
        numbers->at_us = now_us;
    }
    if (numbers->marks && speaker->sound) {
        packet[1] |= 0x80;
        numbers->marks = false;
    }
    put16(packet + 2, seq + numbers->seq_add);
    put32(packet + 4, timestamp);
    put32(packet + 8, numbers->ssrc);
    numbers->packets++;
    numbers->octets += (uint32_t)(len - RTP_HEAD);
    return true;
}

void numbers_skip(struct numbers *numbers, const struct speaker *speaker, const uint8_t *packet)
{
    uint16_t seq = get16(packet + 2);

    if (numbers_are_of(numbers, speaker->who, speaker->run) && (int16_t)(seq + numbers->seq_add - numbers->seq) > 0)
        numbers->seq_add--;
}

void numbers_leave(struct numbers *numbers, const void *who)
{
    if (numbers->who == who)
        numbers->who = NULL;
}
