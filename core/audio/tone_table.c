/* Which tone a country knows. Constant tables and their look-up, on any thread.
 *
 * The values follow ITU-T E.180 supplement 2, as public tables quote it. Confirmed by a second source of its own are
 *   us, ca  all; special information is "vacant code", by the figures that detectors are set to
 *   de      all, by an extract of the supplement
 *   gb      dial, ringback, busy and congestion, by BT's description of its tones
 *   au      ringback, busy and unobtainable tone: what AS/CA S002 has customer equipment send
 *   jp      ringback and busy
 * For the others one table of that origin was at hand. Doubtful, since it does not give them, gives something odd, or
 * several are found; chosen like those of the neighbours:
 *   congestion     fr; jp has none and uses its busy tone
 *   dial           au (413+438; 425 modulated by 25 is found too)
 *   call waiting   au, dk, fr, gb (pauses of 3 and 4 s are found), jp, no, pt
 *   information    es, fi, jp, no, nz (the unobtainable tone), pt */
#include "audio/tone.h"

#include <strings.h>

/* clang-format off */
#define ON(ms_, hz_) {.ms = (ms_), .hz = {(hz_), 0}}
#define LOW(ms_, hz_, db_) {.ms = (ms_), .hz = {(hz_), 0}, .level = -(db_)}
#define SUM(ms_, a_, b_) {.ms = (ms_), .hz = {(a_), (b_)}}
#define MOD(ms_, a_, b_) {.ms = (ms_), .hz = {(a_), (b_)}, .modulated = true}
#define OFF(ms_) {.ms = (ms_)}
#define TONE(...) {.segments = {__VA_ARGS__}, \
                   .count = sizeof((struct tone_segment[]){__VA_ARGS__}) / sizeof(struct tone_segment)}
#define ONCE(...) {.segments = {__VA_ARGS__}, .once = true, \
                   .count = sizeof((struct tone_segment[]){__VA_ARGS__}) / sizeof(struct tone_segment)}

#define PULSE(hz_, on_, off_) TONE(ON(on_, hz_), OFF(off_))
#define TWICE(hz_, on_, gap_, off_) TONE(ON(on_, hz_), OFF(gap_), ON(on_, hz_), OFF(off_))
#define STEADY(hz_) TONE(ON(0, hz_))
/* E.180 §8: three rising tones of a third of a second, then a second of silence. */
#define THREE(a_, b_, c_) TONE(ON(330, a_), ON(330, b_), ON(330, c_), OFF(1000))
#define RISING THREE(950, 1400, 1800)
#define DOUBLE_RING(a_, b_) TONE(SUM(400, a_, b_), OFF(200), SUM(400, a_, b_), OFF(2000))
#define NORTH_AMERICA {                                                                           \
        [TONE_RINGBACK] = TONE(SUM(2000, 440, 480), OFF(4000)),                                    \
        [TONE_BUSY] = TONE(SUM(500, 480, 620), OFF(500)),                                          \
        [TONE_CONGESTION] = TONE(SUM(250, 480, 620), OFF(250)),                                    \
        [TONE_DIAL] = TONE(SUM(0, 350, 440)),                                                      \
        [TONE_CALL_WAITING] = PULSE(440, 300, 10000),                                              \
        [TONE_INFORMATION] = TONE(ON(380, 985), ON(274, 1371), ON(380, 1777), OFF(4000)),          \
    }
#define COUNTRY(ringback_, busy_, congestion_, dial_, waiting_, information_) {                    \
        [TONE_RINGBACK] = ringback_, [TONE_BUSY] = busy_, [TONE_CONGESTION] = congestion_,         \
        [TONE_DIAL] = dial_, [TONE_CALL_WAITING] = waiting_, [TONE_INFORMATION] = information_,    \
    }

static const struct country {
    char code[3];
    struct tone tones[TONE_COUNTRY_KINDS];
} countries[] = {
    /* ringback, busy, congestion, dial, call waiting, information */
    {"at", COUNTRY(PULSE(420, 1000, 5000), PULSE(420, 400, 400), PULSE(420, 200, 200), STEADY(420),
                   PULSE(420, 40, 1960), THREE(950, 1450, 1850))},
    {"au", COUNTRY(DOUBLE_RING(400, 450), PULSE(425, 375, 375),
                   TONE(ON(375, 425), OFF(375), LOW(375, 425, 10), OFF(375)),
                   TONE(SUM(0, 413, 438)), TWICE(425, 200, 200, 4400), PULSE(425, 2500, 500))},
    {"be", COUNTRY(PULSE(425, 1000, 3000), PULSE(425, 500, 500), PULSE(425, 167, 167), STEADY(425),
                   TWICE(1400, 175, 175, 3500), THREE(900, 1400, 1800))},
    {"ca", NORTH_AMERICA},
    {"ch", COUNTRY(PULSE(425, 1000, 4000), PULSE(425, 500, 500), PULSE(425, 200, 200), STEADY(425),
                   TWICE(425, 200, 200, 4000), RISING)},
    {"cz", COUNTRY(PULSE(425, 1000, 4000), PULSE(425, 330, 330), PULSE(425, 165, 165),
                   TONE(ON(330, 425), OFF(330), ON(660, 425), OFF(660)), PULSE(425, 330, 9000),
                   TONE(ON(330, 950), OFF(30), ON(330, 1400), OFF(30), ON(330, 1800), OFF(1000)))},
    {"de", COUNTRY(PULSE(425, 1000, 4000), PULSE(425, 480, 480), PULSE(425, 240, 240), STEADY(425),
                   TWICE(425, 200, 200, 5000), RISING)},
    {"dk", COUNTRY(PULSE(425, 1000, 4000), PULSE(425, 500, 500), PULSE(425, 200, 200), STEADY(425),
                   TWICE(425, 200, 600, 3000), RISING)},
    {"es", COUNTRY(PULSE(425, 1500, 3000), PULSE(425, 200, 200),
                   TONE(ON(200, 425), OFF(200), ON(200, 425), OFF(200), ON(200, 425), OFF(600)), STEADY(425),
                   TWICE(425, 175, 175, 3500), RISING)},
    {"fi", COUNTRY(PULSE(425, 1000, 4000), PULSE(425, 300, 300), PULSE(425, 200, 200), STEADY(425),
                   TWICE(425, 150, 150, 8000), RISING)},
    {"fr", COUNTRY(PULSE(440, 1500, 3500), PULSE(440, 500, 500), PULSE(440, 250, 250), STEADY(440),
                   PULSE(440, 300, 10000), RISING)},
    {"gb", COUNTRY(DOUBLE_RING(400, 450), PULSE(400, 375, 375),
                   TONE(LOW(400, 400, 6), OFF(350), ON(225, 400), OFF(525)),
                   TONE(SUM(0, 350, 440)), PULSE(400, 100, 3000),
                   TONE(ON(330, 950), OFF(15), ON(330, 1400), OFF(15), ON(330, 1800), OFF(1000)))},
    {"hu", COUNTRY(PULSE(425, 1250, 3750), PULSE(425, 300, 300), PULSE(425, 300, 300), STEADY(425),
                   PULSE(425, 40, 1960), RISING)},
    {"it", COUNTRY(PULSE(425, 1000, 4000), PULSE(425, 500, 500), PULSE(425, 200, 200),
                   TONE(ON(200, 425), OFF(200), ON(600, 425), OFF(1000)),
                   TONE(ON(400, 425), OFF(100), ON(250, 425), OFF(100), ON(150, 425), OFF(14000)), RISING)},
    {"jp", COUNTRY(TONE(MOD(1000, 400, 16), OFF(2000)), PULSE(400, 500, 500), PULSE(400, 500, 500), STEADY(400),
                   TONE(MOD(500, 400, 16), OFF(8000)), RISING)},
    {"nl", COUNTRY(PULSE(425, 1000, 4000), PULSE(425, 500, 500), PULSE(425, 250, 250), STEADY(425),
                   PULSE(425, 500, 9500), RISING)},
    {"no", COUNTRY(PULSE(425, 1000, 4000), PULSE(425, 500, 500), PULSE(425, 200, 200), STEADY(425),
                   TWICE(425, 200, 600, 10000), RISING)},
    {"nz", COUNTRY(DOUBLE_RING(400, 450), PULSE(400, 500, 500), PULSE(400, 250, 250), STEADY(400),
                   PULSE(400, 200, 3000),
                   TONE(ON(75, 400), OFF(100), ON(75, 400), OFF(100), ON(75, 400), OFF(100), ON(75, 400), OFF(400)))},
    {"pl", COUNTRY(PULSE(425, 1000, 4000), PULSE(425, 500, 500), PULSE(425, 500, 500), STEADY(425),
                   TWICE(425, 150, 150, 4000), RISING)},
    {"pt", COUNTRY(PULSE(425, 1000, 5000), PULSE(425, 500, 500), PULSE(425, 200, 200), STEADY(425),
                   TWICE(425, 200, 200, 5000), RISING)},
    {"se", COUNTRY(PULSE(425, 1000, 5000), PULSE(425, 250, 250), PULSE(425, 250, 750), STEADY(425),
                   TWICE(425, 200, 500, 9100),
                   TONE(ON(332, 950), OFF(24), ON(332, 1400), OFF(24), ON(332, 1800), OFF(2024)))},
    {"us", NORTH_AMERICA},
};

/* Our own, short enough not to cover a word. */
static const struct tone everywhere[TONE_KINDS - TONE_COUNTRY_KINDS] = {
    [TONE_JOIN - TONE_COUNTRY_KINDS] = ONCE(ON(90, 523), ON(130, 784)),
    [TONE_LEAVE - TONE_COUNTRY_KINDS] = ONCE(ON(90, 784), ON(130, 523)),
    [TONE_RECORD - TONE_COUNTRY_KINDS] = ONCE(ON(250, 1000)),
};
/* clang-format on */

static const char *const names[TONE_KINDS] = {
    [TONE_RINGBACK] = "ringback",
    [TONE_BUSY] = "busy",
    [TONE_CONGESTION] = "congestion",
    [TONE_DIAL] = "dial",
    [TONE_CALL_WAITING] = "waiting",
    [TONE_INFORMATION] = "information",
    [TONE_JOIN] = "join",
    [TONE_LEAVE] = "leave",
    [TONE_RECORD] = "record",
};

const struct tone *tone_find(const char *country, enum tone_kind kind)
{
    if (kind >= TONE_COUNTRY_KINDS)
        return kind < TONE_KINDS ? &everywhere[kind - TONE_COUNTRY_KINDS] : NULL;
    if (!country)
        return NULL;
    if (strcasecmp(country, "uk") == 0)
        country = "gb";
    for (size_t i = 0; i < COUNT_OF(countries); i++)
        if (strcasecmp(countries[i].code, country) == 0)
            return &countries[i].tones[kind];
    return NULL;
}

const char *tone_country(size_t index)
{
    return index < COUNT_OF(countries) ? countries[index].code : NULL;
}

const char *tone_name(enum tone_kind kind)
{
    return kind < TONE_KINDS ? names[kind] : "unknown";
}

int tone_parse(const char *name, enum tone_kind *out)
{
    for (unsigned i = 0; i < TONE_KINDS; i++)
        if (strcmp(names[i], name) == 0) {
            *out = (enum tone_kind)i;
            return 0;
        }
    return -EINVAL;
}
