/* Makes sound of a tone's description. Runs on whichever thread plays it; knows neither calls nor what a tone means.
 * The waves are pointers turned by one multiplication a sample: no table, no sine per sample, and no click where one
 * frame ends and the next begins. Cadences are counted in samples, so they are exact for ever. */
#include "audio/tone.h"

#include <limits.h>
#include <math.h>

#define RAMP_MS 5
#define DEPTH 0.9 /* of a modulation */
#define FULL_DBM0 3.14
#define FULL 32767.0

static double from_db(double db)
{
    return pow(10, db / 20);
}

static bool sounds(const struct tone_segment *segment)
{
    return segment->hz[0] != 0;
}

/* Amplitudes of the two waves so that together they have the level asked for. */
static void set_amplitudes(struct tone_player *player, const struct tone_segment *segment)
{
    double whole = player->gain * from_db(segment->level);

    if (!segment->hz[1]) {
        player->amplitude[0] = whole;
        player->amplitude[1] = 0;
    } else if (segment->modulated) { /* (1 + d·sin b)·sin a has 1 + d²/2 times the power of sin a */
        player->amplitude[0] = whole / sqrt(1 + DEPTH * DEPTH / 2);
        player->amplitude[1] = DEPTH;
    } else {
        double ratio = from_db(segment->twist);

        player->amplitude[0] = whole / sqrt(1 + ratio * ratio);
        player->amplitude[1] = player->amplitude[0] * ratio;
    }
}

/* Begins a segment; its sound rises from nothing, so its phase may begin anew. */
static void enter(struct tone_player *player, unsigned at)
{
    const struct tone_segment *segment = &player->tone->segments[at];

    player->at = at;
    player->done = 0;
    player->left = segment->ms ? segment->ms * (player->rate / 1000) : UINT_MAX;
    if (!sounds(segment))
        return;
    set_amplitudes(player, segment);
    for (unsigned i = 0; i < 2; i++) {
        double turn = 2 * M_PI * segment->hz[i] / player->rate;

        player->wave[i].re = 1;
        player->wave[i].im = 0;
        player->wave[i].step_re = cos(turn);
        player->wave[i].step_im = sin(turn);
    }
}

int tone_start(struct tone_player *player, const struct tone *tone, unsigned rate, int level)
{
    if (!tone || !tone->count || tone->count > TONE_SEGMENTS || (rate != 8000 && rate != 16000 && rate != 48000) ||
        level < -60 || level > 0)
        return -EINVAL;
    memset(player, 0, sizeof *player);
    player->tone = tone;
    player->rate = rate;
    player->ramp = RAMP_MS * (rate / 1000);
    player->gain = FULL * from_db(level - FULL_DBM0);
    enter(player, 0);
    return 0;
}

static double turn(struct tone_player *player, unsigned i)
{
    double re = player->wave[i].re, im = player->wave[i].im;

    player->wave[i].re = re * player->wave[i].step_re - im * player->wave[i].step_im;
    player->wave[i].im = re * player->wave[i].step_im + im * player->wave[i].step_re;
    return im;
}

/* From 0 to 1 within the ramp: half a cosine. */
static double slope(const struct tone_player *player, unsigned sample)
{
    return sample >= player->ramp ? 1 : 0.5 - 0.5 * cos(M_PI * (sample + 0.5) / player->ramp);
}

/* `count` samples of the segment, which are still in it. */
static void sound(struct tone_player *player, const struct tone_segment *segment, int16_t *pcm, unsigned count)
{
    bool endless = player->left == UINT_MAX;

    for (unsigned i = 0; i < count; i++) {
        unsigned behind = endless ? player->ramp : player->left - 1 - i;
        double first = turn(player, 0), second = turn(player, 1), value;

        if (segment->modulated)
            value = player->amplitude[0] * first * (1 + player->amplitude[1] * second);
        else
            value = player->amplitude[0] * first + player->amplitude[1] * second;
        value *= slope(player, player->done + i) * slope(player, behind);
        pcm[i] = (int16_t)lrint(value < -FULL ? -FULL : value > FULL ? FULL : value);
    }
}

size_t tone_play(struct tone_player *player, int16_t *pcm, size_t count)
{
    size_t made = 0;

    while (made < count && !player->ended) {
        const struct tone_segment *segment = &player->tone->segments[player->at];
        unsigned piece = count - made < player->left ? (unsigned)(count - made) : player->left;

        if (sounds(segment))
            sound(player, segment, pcm + made, piece);
        else
            memset(pcm + made, 0, piece * sizeof *pcm);
        made += piece;
        player->done = player->done + piece < player->ramp ? player->done + piece : player->ramp;
        if (player->left != UINT_MAX)
            player->left -= piece;
        if (player->left)
            continue;
        if (player->stopping || (player->at + 1u == player->tone->count && player->tone->once))
            player->ended = true;
        else
            enter(player, (player->at + 1u) % player->tone->count);
    }
    return made;
}

void tone_end_in(struct tone_player *player, unsigned samples)
{
    if (!player->ended)
        player->left = samples > player->ramp ? samples : player->ramp;
}

void tone_stop(struct tone_player *player)
{
    if (player->stopping || player->ended)
        return;
    player->stopping = true;
    if (!sounds(&player->tone->segments[player->at]) || !player->done)
        player->ended = true;
    else if (player->left > player->ramp)
        player->left = player->ramp;
}
