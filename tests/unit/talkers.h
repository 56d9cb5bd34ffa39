/* For tests of sound in the media process: tandem-media is started, and talkers are phones on UDP sockets of loopback
 * that speak a tone of their own in a codec of their own, 20 ms at a time, and measure which tones they hear. */
#ifndef TESTS_UNIT_TALKERS_H
#define TESTS_UNIT_TALKERS_H

#include <check.h>

#include "base/addr.h"
#include "base/loop.h"
#include "media/media.h"

struct talkers {
    struct loop *loop;
    struct media *media;
};

/* One at a time; both check that all went well. */
struct talkers *talkers_start(void);
/* All talkers are gone; the media process ends, without a sanitizer's report. */
void talkers_stop(void);

uint64_t talkers_clock_ms(void);

/* Runs each of these tests alone (from 0 to `loops` of it, at least once) with a media process of its own. What phones
 * hear in time depends on the machine: a test that failed while this process or that of the media stood still says
 * nothing, and runs again, a few times at most. EXIT_SUCCESS or EXIT_FAILURE. */
struct talkers_test {
    const TTest *test;
    int loops;
};
int talkers_run(const char *name, const struct talkers_test *tests, size_t count);

#define TALKERS_DEADLINE_MS 15000

/* Turns the loop until it is so. */
#define TALK_UNTIL(condition)                                                                                          \
    do {                                                                                                               \
        uint64_t until_ = talkers_clock_ms() + TALKERS_DEADLINE_MS;                                                    \
        while (!(condition)) {                                                                                         \
            ck_assert_msg(talkers_clock_ms() < until_, "never: %s", #condition);                                       \
            loop_turn(talkers_loop(), 2);                                                                              \
        }                                                                                                              \
    } while (0)
struct loop *talkers_loop(void);

struct talker;

/* A phone with a port of its own that was told of it. codecs: what it says, best first, as "PCMU opus
 * telephone-event" (of the clock of the first; "telephone-event/8000": of that one); it speaks the first of them. hz 0:
 * it is quiet. */
struct talker *talker_new(const char *codecs, double hz);
void talker_free(struct talker *talker);
/* The same, and what was counted at its port. */
struct media_stats talker_end(struct talker *talker);
struct media_port *talker_port(struct talker *talker);

/* Its description again, with other codecs or another ptime. */
void talker_describe(struct talker *talker, const char *codecs, unsigned ptime);
void talker_tone(struct talker *talker, double hz);
/* Presses a key for ms, as telephone-event. */
void talker_press(struct talker *talker, char key, unsigned ms);
/* The same as tones, in place of its own. */
void talker_press_tones(struct talker *talker, char key, unsigned ms);
/* One packet with the end of a key, the n-th of a flood, at once. */
void talker_throw_key(struct talker *talker, unsigned n);
/* Of each hundred packets that it sends, so many do not arrive; others come up to jitter_ms late. */
void talker_network(struct talker *talker, unsigned lost_percent, unsigned jitter_ms);

/* Each packet goes out twice. */
void talker_double(struct talker *talker);

/* The amplitude of a tone in the last 400 ms that it heard; 0: less came since it last changed. */
double talker_hears(const struct talker *talker, double hz);
/* Everything it has heard is forgotten. */
void talker_forget(struct talker *talker);

/* RTP that came: packets, of keys, and the last one's payload type, bytes of payload, and whether another talker made
 * it (the switch has passed it on as it is). Each talker checks that it hears one stream as long as it lives: one SSRC,
 * which is nobody else's, and numbers and times that go on. */
struct talker_count {
    unsigned packets, key_packets;
    uint8_t pt;
    bool relayed;
    size_t payload;
    char keys[32];          /* that came as telephone-event */
    unsigned key_ms;        /* how long the last of them was */
    uint32_t key_timestamp; /* of its last packet */
    char tones[32];         /* that were heard in the sound */
    unsigned tone_ms;
};
const struct talker_count *talker_count(const struct talker *talker);
/* Keys that its port told of, by the way they came. */
struct talker_told {
    char keys[3][128]; /* by enum key_way */
    unsigned ups, ms;  /* how many came up again; the length of the last */
};
const struct talker_told *talker_told(const struct talker *talker);

/* Events of its port. */
struct talker_events {
    unsigned count[32]; /* by enum media_event_kind */
};
const struct talker_events *talker_events(const struct talker *talker);

#define TALKER_AMPLITUDE 8000.0
/* A tone is heard from here on; below a tenth of it there is none. */
#define TALKER_HEARD 4000.0

#endif
