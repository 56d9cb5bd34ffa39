/* DTMF in the sound. Making is our tone generator with two frequencies; hearing is SpanDSP's detector, which looks at
 * blocks of 102 samples and believes in a key after two alike. Runs on the thread of the sound; does not know where the
 * keys go. */
#include "audio/dtmf.h"

#include <stdlib.h>
#include <spandsp.h>

#define BLOCK 102 /* of the detector: it decides at the end of each */
#define BLOCK_MS(blocks) ((unsigned)(blocks)*BLOCK / 8)
#define MS_LEAST 40 /* Q.24: shorter need not be heard by anybody */
#define MS_MOST 60000u
#define RAMP 16 /* samples: 2 ms from sound to silence */
/* dB that one tone may be weaker than the other: the high one, the low one. Q.24 asks for 8 and 4; a dB more of either
 * finds keys in speech. */
#define TWIST_NORMAL 9
#define TWIST_REVERSE 5
#define FAINTEST (-42) /* dBm0, the detector's own */

static const uint16_t low[4] = {697, 770, 852, 941}, high[4] = {1209, 1336, 1477, 1633};
/* By event: row and column of the keypad. */
static const char keypad[] = "123A456B789C*0#D";

/* --- making ------------------------------------------------------------------------------------------------------ */

/* ms 0: without an end. */
static void digit_tone(struct tone *tone, char key, unsigned ms)
{
    unsigned place = (unsigned)(strchr(keypad, key) - keypad);

    memset(tone, 0, sizeof *tone);
    tone->segments[0].ms = (uint16_t)ms;
    tone->segments[0].hz[0] = low[place / 4];
    tone->segments[0].hz[1] = high[place % 4];
    tone->segments[0].twist = DTMF_TWIST;
    tone->segments[1].ms = KEY_GAP_MS;
    tone->count = 2;
    tone->once = true;
}

static uint16_t fitting(unsigned ms)
{
    return (uint16_t)(ms < MS_LEAST ? MS_LEAST : ms > MS_MOST ? MS_MOST : ms);
}

int dtmf_send(struct dtmf_sender *sender, char key, unsigned ms)
{
    int event = key_event(key);
    unsigned at = (sender->first + sender->count) % DTMF_QUEUE;

    if (event < 0 || event >= KEYS_WITH_TONE)
        return -EINVAL;
    if (sender->held)
        return -EBUSY;
    if (sender->count == DTMF_QUEUE)
        return -ENOBUFS;
    sender->queue[at] = KEYS_OF_PHONES[event];
    sender->ms[at] = ms ? fitting(ms) : 0;
    sender->held = ms == 0;
    sender->count++;
    return 0;
}

void dtmf_release(struct dtmf_sender *sender, unsigned ms)
{
    unsigned wanted;

    if (!sender->held)
        return;
    sender->held = false;
    if (sender->count) {
        sender->ms[(sender->first + sender->count - 1) % DTMF_QUEUE] = fitting(ms);
        return;
    }
    wanted = fitting(ms) * (sender->player.rate / 1000);
    tone_end_in(&sender->player, wanted > sender->played ? wanted - sender->played : 0);
    sender->open = false;
}

bool dtmf_idle(const struct dtmf_sender *sender)
{
    return !sender->count && !sender->playing;
}

static bool begin(struct dtmf_sender *sender, unsigned rate)
{
    unsigned ms = sender->ms[sender->first];

    digit_tone(&sender->tone, sender->queue[sender->first], ms);
    sender->first = (sender->first + 1) % DTMF_QUEUE;
    sender->count--;
    sender->open = ms == 0;
    sender->played = 0;
    sender->playing = tone_start(&sender->player, &sender->tone, rate, DTMF_LEVEL) == 0;
    return sender->playing;
}

size_t dtmf_play(struct dtmf_sender *sender, unsigned rate, int16_t *pcm, size_t count)
{
    size_t made = 0;

    while (made < count) {
        size_t piece;

        if (!sender->playing && (!sender->count || !begin(sender, rate)))
            break;
        piece = tone_play(&sender->player, pcm + made, count - made);
        made += piece;
        sender->played += (unsigned)piece;
        if (sender->open && sender->played >= MS_MOST * (rate / 1000)) /* nobody lets go */
            dtmf_release(sender, MS_MOST);
        sender->playing = !sender->player.ended;
    }
    return made;
}

/* --- hearing ----------------------------------------------------------------------------------------------------- */

struct dtmf_detector {
    dtmf_rx_state_t *rx;
    bool mute, muted; /* muted: the sound is silent now */
    char down;        /* the key, or 0 */
    unsigned fill;    /* samples in the detector's block */
    unsigned blocks;  /* that the key has lasted */
    int32_t offset;   /* of the sound from zero, times 4096: the detector does not bear one */
};

struct dtmf_detector *dtmf_detector_new(bool mute)
{
    struct dtmf_detector *detector = calloc(1, sizeof *detector);

    if (!detector)
        return NULL;
    detector->rx = dtmf_rx_init(NULL, NULL, NULL);
    if (!detector->rx) {
        free(detector);
        return NULL;
    }
    dtmf_rx_parms(detector->rx, 0, TWIST_NORMAL, TWIST_REVERSE, FAINTEST);
    detector->mute = mute;
    return detector;
}

void dtmf_detector_free(struct dtmf_detector *detector)
{
    if (!detector)
        return;
    dtmf_rx_free(detector->rx);
    free(detector);
}

struct reports {
    struct key_report *list;
    size_t room, count;
};

static void report(struct reports *out, char key, bool up, unsigned ms)
{
    if (out->count < out->room)
        out->list[out->count] = (struct key_report){.key = key, .up = up, .ms = ms};
    out->count++;
}

/* What the detector thinks at the end of a block. */
static void block_ended(struct dtmf_detector *detector, struct reports *out)
{
    char waste[MAX_DTMF_DIGITS + 1];
    int status = dtmf_rx_status(detector->rx);
    char key = status && status != 'x' ? (char)status : '\0';

    dtmf_rx_get(detector->rx, waste, MAX_DTMF_DIGITS); /* or its buffer fills up */
    if (key == detector->down) {
        detector->blocks++;
        return;
    }
    if (detector->down) /* of the two blocks that say that it is over, the key has about one */
        report(out, detector->down, true, BLOCK_MS(detector->blocks));
    detector->down = key;
    detector->blocks = 2;
    if (key)
        report(out, key, false, BLOCK_MS(2));
}

/* A copy without its offset from zero goes to the detector. */
static void listen(struct dtmf_detector *detector, const int16_t *pcm, unsigned count)
{
    int16_t level[BLOCK];

    for (unsigned i = 0; i < count; i++) {
        int32_t value = pcm[i] - (detector->offset >> 12);

        detector->offset += value;
        level[i] = (int16_t)(value < INT16_MIN ? INT16_MIN : value > INT16_MAX ? INT16_MAX : value);
    }
    dtmf_rx(detector->rx, level, (int)count);
}

/* Silence, or sound, or the way from one to the other. */
static void mute(struct dtmf_detector *detector, int16_t *pcm, size_t count, bool muted)
{
    bool was = detector->muted;

    detector->muted = muted;
    if (!muted && !was)
        return;
    for (size_t i = 0; i < count; i++) {
        int gain = i >= RAMP ? (muted ? 0 : RAMP) : was == muted ? 0 : muted ? RAMP - (int)i : (int)i;

        pcm[i] = (int16_t)(pcm[i] * gain / RAMP);
    }
}

size_t dtmf_detect(struct dtmf_detector *detector, int16_t *pcm, size_t count, struct key_report *reports, size_t room)
{
    struct reports out = {.list = reports, .room = room};
    bool suspected = dtmf_suspects(detector);

    for (size_t at = 0; at < count;) {
        unsigned piece = BLOCK - detector->fill < count - at ? BLOCK - detector->fill : (unsigned)(count - at);

        listen(detector, pcm + at, piece);
        detector->fill += piece;
        if (detector->fill == BLOCK) {
            detector->fill = 0;
            block_ended(detector, &out);
        }
        at += piece;
    }
    mute(detector, pcm, count, detector->mute && (suspected || dtmf_suspects(detector)));
    return out.count;
}

bool dtmf_suspects(const struct dtmf_detector *detector)
{
    return dtmf_rx_status(detector->rx) != 0;
}

void dtmf_detect_lost(struct dtmf_detector *detector, size_t count)
{
    /* Whole blocks only: the detector begins a new one behind the gap. */
    dtmf_rx_fillin(detector->rx, (int)count);
    detector->fill = 0;
    if (detector->down)
        detector->blocks += (unsigned)(count / BLOCK);
}
