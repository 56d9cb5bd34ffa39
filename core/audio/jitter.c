/* Puts packets in order and says when each is to be heard. The timeline is that of the timestamps: `turn` is the one
 * that is heard next. While nothing is there the timeline stands still and `covered` counts what was heard in place: a
 * packet that is only late is heard then, with more delay; one behind a gap is heard when the gap has been covered.
 * Media threads; knows neither codecs nor sockets. */
#include "audio/jitter.h"

#include <stdlib.h>

#include "audio/delay.h"

/* The delay may be so much more than it should be, and so much less. Frames are asked for each 20 ms, so it moves in
 * such steps however little the sound is stretched: the two must be further apart, or it would be mended back and forth
 * for ever. */
#define LONGER_US 25000
#define SHORTER_US 5000
#define SMALL_GAP_US 5000  /* timestamps of one sender that are no better */
#define STRANGE_AHEAD 1000 /* numbers: further on, or further back, is another sequence (RFC 3550 A.1) */
#define STRANGE_BACK (-100)
#define STRANGE_US 3000000 /* timestamps that are so far from when they came likewise */
#define LATE_RUN 5u        /* so many late ones in a row: it is we who are wrong */
#define FORMER_US 1000000u /* stragglers of the sender before are not its return */

struct slot {
    bool used;
    uint8_t pt;
    uint16_t seq;
    int64_t time; /* the timestamp, unwrapped */
    size_t len;   /* 0: no sound */
};

struct jitter {
    unsigned clock, min_us, max_us;
    size_t slot;
    struct jitter_count count;
    struct delay delay;

    bool known;   /* there is a sender */
    bool playing; /* it is heard: turn and last_seq are valid */
    bool hole;    /* what lies before the next packet was lost, whatever the numbers say */
    bool jump;    /* turn is where the next packet is: what was before it was dropped */
    bool strange; /* the last packet belonged to no sequence */
    uint16_t strange_seq;
    uint32_t ssrc, former_ssrc;
    uint64_t former_until_us;
    uint16_t newest_seq, last_seq; /* the highest that came; the one that was heard last */
    uint64_t seen;                 /* bit n: newest_seq - n came */
    int64_t newest_time, turn, covered;
    uint32_t last_units;
    uint32_t waited_us; /* see jitter_delay_us() */
    unsigned late_run;
    unsigned used;      /* slots */
    struct slot *given; /* by the last JITTER_SOUND */
    struct slot slots[JITTER_SLOTS];
    uint8_t bytes[];
};

struct jitter *jitter_new(unsigned clock, size_t slot, unsigned min_ms, unsigned max_ms)
{
    struct jitter *jitter = calloc(1, sizeof *jitter + JITTER_SLOTS * slot);

    if (!jitter)
        return NULL;
    jitter->slot = slot;
    jitter->min_us = (min_ms ? min_ms : JITTER_MIN_MS) * 1000;
    jitter->max_us = (max_ms ? max_ms : JITTER_MAX_MS) * 1000;
    jitter_restart(jitter, clock);
    jitter->count = (struct jitter_count){0};
    return jitter;
}

void jitter_free(struct jitter *jitter)
{
    free(jitter);
}

void jitter_restart(struct jitter *jitter, unsigned clock)
{
    for (unsigned i = 0; i < JITTER_SLOTS; i++) {
        jitter->count.dropped += jitter->slots[i].used && jitter->slots[i].len;
        jitter->slots[i].used = false;
    }
    jitter->clock = clock;
    jitter->known = jitter->playing = jitter->hole = jitter->jump = jitter->strange = false;
    jitter->used = jitter->late_run = 0;
    jitter->waited_us = 0;
    jitter->given = NULL;
    jitter->count.restarts++;
    delay_reset(&jitter->delay);
}

static int64_t to_us(const struct jitter *jitter, int64_t units)
{
    return units * 1000000 / (int64_t)jitter->clock;
}

static int64_t to_units(const struct jitter *jitter, int64_t us)
{
    return us * (int64_t)jitter->clock / 1000000;
}

static int distance(uint16_t from, uint16_t to)
{
    return (int16_t)(uint16_t)(to - from);
}

static struct slot *slot_of(struct jitter *jitter, uint16_t seq)
{
    struct slot *slot = &jitter->slots[seq % JITTER_SLOTS];

    return slot->used && slot->seq == seq ? slot : NULL;
}

static struct slot *oldest(struct jitter *jitter)
{
    struct slot *found = NULL;

    if (jitter->used)
        for (unsigned back = JITTER_SLOTS; !found && back-- > 0;)
            found = slot_of(jitter, (uint16_t)(jitter->newest_seq - back));
    return found;
}

/* Its number has had its turn: what lies between it and the last one did not come. */
static void pass(struct jitter *jitter, struct slot *slot)
{
    if (jitter->playing)
        jitter->count.lost += (uint16_t)(slot->seq - jitter->last_seq - 1);
    jitter->last_seq = slot->seq;
    slot->used = false;
    jitter->used--;
}

static void drop(struct jitter *jitter, struct slot *slot)
{
    jitter->count.dropped += slot->len != 0;
    jitter->jump = true;
    pass(jitter, slot);
}

/* --- packets in --- */

static void begin(struct jitter *jitter, const struct jitter_packet *packet)
{
    jitter->known = true;
    jitter->ssrc = packet->ssrc;
    jitter->newest_seq = (uint16_t)(packet->seq - 1);
    jitter->newest_time = packet->timestamp;
    jitter->seen = 0;
    jitter->covered = 0;
    jitter->last_units = 0;
}

static void begin_anew(struct jitter *jitter, const struct jitter_packet *packet)
{
    jitter_restart(jitter, jitter->clock);
    begin(jitter, packet);
}

/* False: the packet belongs to no sequence that is to be heard. It may begin one. */
static bool belongs(struct jitter *jitter, const struct jitter_packet *packet, uint64_t now_us)
{
    int ahead = distance(jitter->newest_seq, packet->seq);
    bool expected = jitter->strange && packet->seq == jitter->strange_seq;

    if (!jitter->known) {
        begin(jitter, packet);
    } else if (packet->ssrc != jitter->ssrc) {
        if (packet->ssrc == jitter->former_ssrc && now_us < jitter->former_until_us) {
            jitter->count.late++;
            return false;
        }
        jitter->former_ssrc = jitter->ssrc;
        jitter->former_until_us = now_us + FORMER_US;
        begin_anew(jitter, packet);
    } else if (ahead > STRANGE_AHEAD || ahead < STRANGE_BACK) {
        if (!expected) {
            jitter->strange = true;
            jitter->strange_seq = (uint16_t)(packet->seq + 1);
            jitter->count.dropped++;
            return false;
        }
        begin_anew(jitter, packet);
    }
    jitter->strange = false;
    return true;
}

/* Timestamps that do not fit when the packet came: the sender has begun to count elsewhere, or has stood still. */
static void check_time(struct jitter *jitter, const struct jitter_packet *packet, uint64_t now_us)
{
    int64_t time = jitter->newest_time + (int32_t)(packet->timestamp - (uint32_t)jitter->newest_time);
    int64_t behind;

    if (!jitter->delay.started)
        return;
    behind = (int64_t)now_us - to_us(jitter, time) - delay_least_us(&jitter->delay);
    if (behind > STRANGE_US || behind < -STRANGE_US)
        begin_anew(jitter, packet);
    else if (behind > (int64_t)jitter->max_us && jitter->used == 0)
        delay_reset(&jitter->delay); /* more than can be evened out, and nothing else came */
}

/* Moves the ring on, so that it holds seq; what no longer fits is dropped. */
static void advance(struct jitter *jitter, uint16_t seq)
{
    int ahead = distance(jitter->newest_seq, seq);

    for (int i = 1; i <= ahead && i <= (int)JITTER_SLOTS; i++) {
        struct slot *slot = slot_of(jitter, (uint16_t)(jitter->newest_seq + i - (int)JITTER_SLOTS));

        if (slot)
            drop(jitter, slot);
    }
    jitter->seen = ahead < 64 ? jitter->seen << ahead : 0;
    jitter->newest_seq = seq;
}

/* False: it came before. What lies too far back to be known is taken for new; it is late in any case. */
static bool is_new(struct jitter *jitter, uint16_t seq)
{
    int back = distance(seq, jitter->newest_seq);
    uint64_t bit = back < 64 ? UINT64_C(1) << back : 0;

    if (jitter->seen & bit)
        return false;
    jitter->seen |= bit;
    return true;
}

static bool is_late(struct jitter *jitter, uint16_t seq)
{
    if (jitter->playing && distance(jitter->last_seq, seq) <= 0) {
        jitter->count.lost -= jitter->count.lost > 0; /* it was taken for lost */
        return true;
    }
    return distance(seq, jitter->newest_seq) >= (int)JITTER_SLOTS;
}

static void store(struct jitter *jitter, const struct jitter_packet *packet, int64_t time, size_t len)
{
    struct slot *slot = &jitter->slots[packet->seq % JITTER_SLOTS];

    *slot = (struct slot){.used = true, .pt = packet->pt, .seq = packet->seq, .time = time, .len = len};
    if (len)
        memcpy(jitter->bytes + (size_t)(slot - jitter->slots) * jitter->slot, packet->payload, len);
    jitter->used++;
}

void jitter_put(struct jitter *jitter, const struct jitter_packet *packet, uint64_t now_us)
{
    size_t len = packet->len;
    bool forward;
    int64_t time;

    if (!belongs(jitter, packet, now_us))
        return;
    if (len)
        check_time(jitter, packet, now_us);
    forward = distance(jitter->newest_seq, packet->seq) > 0;
    if (forward)
        advance(jitter, packet->seq);
    if (!is_new(jitter, packet->seq)) {
        jitter->count.duplicate++;
        return;
    }
    if (is_late(jitter, packet->seq)) {
        jitter->count.late++;
        return;
    }
    time = jitter->newest_time + (int32_t)(packet->timestamp - (uint32_t)jitter->newest_time);
    if (len > jitter->slot) {
        jitter->count.dropped++;
        len = 0;
    }
    if (len) {
        delay_add(&jitter->delay, (int64_t)now_us - to_us(jitter, time), now_us);
        if (jitter->playing && !jitter->jump && time + to_units(jitter, SMALL_GAP_US) < jitter->turn) {
            jitter->count.late++;
            jitter->late_run += forward;
            len = 0; /* its number is known all the same */
        } else {
            jitter->late_run = 0;
        }
        if (jitter->late_run >= LATE_RUN) {
            begin_anew(jitter, packet);
            return;
        }
        if (time > jitter->newest_time)
            jitter->newest_time = time;
    }
    store(jitter, packet, time, len);
}

/* --- sound out --- */

/* The first packet with sound; numbers of others before it have had their turn. */
static struct slot *front(struct jitter *jitter)
{
    struct slot *slot;

    while ((slot = oldest(jitter)) != NULL && !slot->len)
        pass(jitter, slot);
    return slot;
}

/* How long the packet would have been here now, had it come at its fastest. */
static int64_t waited(const struct jitter *jitter, const struct slot *slot, uint64_t now_us)
{
    return (int64_t)now_us - to_us(jitter, slot->time) - delay_least_us(&jitter->delay);
}

static bool is_due(const struct jitter *jitter, const struct slot *slot, uint64_t now_us)
{
    return waited(jitter, slot, now_us) >= (int64_t)jitter_target_us(jitter);
}

static bool lost_before(const struct jitter *jitter, const struct slot *slot)
{
    return jitter->hole || slot->seq != (uint16_t)(jitter->last_seq + 1);
}

static void fill(struct jitter *jitter, enum jitter_what what, int64_t units, struct jitter_turn *turn)
{
    turn->what = what;
    turn->units = (uint32_t)units;
    jitter->covered += units;
}

static void fill_loss(struct jitter *jitter, struct slot *slot, int64_t gap, struct jitter_turn *turn)
{
    int64_t frame = jitter->clock / 50, last = jitter->last_units;

    if (gap <= last) {
        fill(jitter, JITTER_LOST, gap, turn);
        turn->pt = slot->pt;
        turn->payload = jitter->bytes + (size_t)(slot - jitter->slots) * jitter->slot;
        turn->len = slot->len;
    } else {
        fill(jitter, JITTER_LOST, gap - last < frame ? gap - last : frame, turn);
    }
}

static void give(struct jitter *jitter, struct slot *slot, uint64_t now_us, struct jitter_turn *turn)
{
    int64_t us = waited(jitter, slot, now_us);

    jitter->waited_us = us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
    jitter->given = slot;
    jitter->turn = slot->time;
    jitter->covered = 0;
    jitter->hole = jitter->jump = false;
    turn->what = JITTER_SOUND;
    turn->pt = slot->pt;
    turn->payload = jitter->bytes + (size_t)(slot - jitter->slots) * jitter->slot;
    turn->len = slot->len;
}

void jitter_next(struct jitter *jitter, uint64_t now_us, struct jitter_turn *turn)
{
    int64_t frame = jitter->clock / 50, gap;
    struct slot *slot;

    *turn = (struct jitter_turn){.what = JITTER_NONE};
    if (jitter->given)
        jitter_played(jitter, 0);
    slot = front(jitter);
    while (slot && jitter->used > 1 && waited(jitter, slot, now_us) > (int64_t)jitter->max_us) {
        drop(jitter, slot);
        slot = front(jitter);
    }
    if (!jitter->playing) {
        if (!slot || !is_due(jitter, slot, now_us))
            return;
        jitter->playing = jitter->jump = true;
        jitter->last_seq = (uint16_t)(slot->seq - 1);
    }
    if (!slot) {
        fill(jitter, JITTER_DRY, frame, turn);
        return;
    }
    gap = jitter->jump ? 0 : slot->time - jitter->turn - jitter->covered;
    if (gap > to_units(jitter, SMALL_GAP_US) && lost_before(jitter, slot))
        fill_loss(jitter, slot, gap, turn);
    else if ((gap > to_units(jitter, SMALL_GAP_US) || jitter->covered > to_units(jitter, jitter->max_us)) &&
             !is_due(jitter, slot, now_us))
        fill(jitter, JITTER_PAUSE, frame, turn);
    else
        give(jitter, slot, now_us, turn);
}

void jitter_played(struct jitter *jitter, uint32_t units)
{
    struct slot *slot = jitter->given;

    if (!slot)
        return;
    jitter->given = NULL;
    pass(jitter, slot);
    if (units) {
        jitter->count.played++;
        jitter->last_units = units;
    } else {
        jitter->count.lost++;
        jitter->hole = true;
    }
    jitter->turn += units;
}

bool jitter_ready(struct jitter *jitter)
{
    struct slot *slot = oldest(jitter);

    return slot && slot->len && jitter->playing && !jitter->given && !lost_before(jitter, slot) &&
           slot->time - jitter->turn <= to_units(jitter, SMALL_GAP_US);
}

int32_t jitter_surplus_us(const struct jitter *jitter)
{
    int64_t surplus = (int64_t)jitter->waited_us - jitter_target_us(jitter);

    if (!jitter->playing || jitter->covered || (surplus <= LONGER_US && surplus >= -SHORTER_US))
        return 0;
    return (int32_t)surplus;
}

uint32_t jitter_target_us(const struct jitter *jitter)
{
    uint32_t spread = delay_spread_us(&jitter->delay);

    return spread < jitter->min_us ? jitter->min_us : spread > jitter->max_us ? jitter->max_us : spread;
}

uint32_t jitter_delay_us(const struct jitter *jitter)
{
    return jitter->waited_us;
}

const struct jitter_count *jitter_count(const struct jitter *jitter)
{
    return &jitter->count;
}
