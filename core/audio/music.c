/* Hold music: all files of a class are open, one of them is read, and the last frames lie in a ring from which
 * listeners take at their own pace. Any thread; opens no files, knows no calls. */
#include "audio/music.h"

#include <stdio.h>
#include <stdlib.h>

#define RING 16u /* frames */

struct piece {
    struct sound *sound;
    char name[64];
    bool broken;
};

struct music {
    size_t frame_samples;
    bool shuffle;
    uint32_t seed;
    void (*say)(void *arg, const char *line);
    void *arg;
    size_t count, playing; /* playing: an index of order */
    size_t order[MUSIC_FILES_MAX];
    struct piece pieces[MUSIC_FILES_MAX];
    uint64_t made; /* frames */
    int16_t ring[RING][MUSIC_FRAME_MAX];
};

static void tell(const struct music *music, const char *name, const char *why)
{
    char line[240];

    if (!music->say)
        return;
    snprintf(line, sizeof line, "%s is left out of the hold music: %s", name, why);
    music->say(music->arg, line);
}

static uint32_t random_below(struct music *music, uint32_t limit)
{
    music->seed ^= music->seed << 13;
    music->seed ^= music->seed >> 17;
    music->seed ^= music->seed << 5;
    return music->seed % limit;
}

/* A new order, in which the last one does not come first. */
static void shuffle(struct music *music)
{
    size_t last = music->order[music->count - 1];

    for (size_t i = music->count - 1; i > 0; i--) {
        size_t other = random_below(music, (uint32_t)i + 1), kept = music->order[i];

        music->order[i] = music->order[other];
        music->order[other] = kept;
    }
    if (music->order[0] == last && music->count > 1) {
        music->order[0] = music->order[music->count - 1];
        music->order[music->count - 1] = last;
    }
}

int music_new(struct music **music, const struct music_file *files, size_t count, unsigned rate, bool in_disorder,
              uint32_t seed, void (*say)(void *arg, const char *line), void *arg)
{
    struct music *m;

    *music = NULL;
    if (rate != 8000 && rate != 16000 && rate != 48000)
        return -EINVAL;
    m = calloc(1, sizeof *m);
    if (!m)
        return -ENOMEM;
    m->frame_samples = rate * MUSIC_FRAME_MS / 1000;
    m->shuffle = in_disorder;
    m->seed = seed ? seed : 1;
    m->say = say;
    m->arg = arg;
    for (size_t i = 0; i < count && m->count < MUSIC_FILES_MAX; i++) {
        struct piece *piece = &m->pieces[m->count];
        char why[120];

        if (sound_open(&piece->sound, files[i].kind, &files[i].source, rate, why, sizeof why) < 0) {
            tell(m, files[i].name, why);
        } else if (sound_length_ms(piece->sound) == 0) {
            tell(m, files[i].name, "there is no sound in it");
            sound_close(piece->sound);
            piece->sound = NULL;
        } else {
            str_copy(piece->name, sizeof piece->name, files[i].name);
            m->order[m->count] = m->count;
            m->count++;
        }
    }
    if (!m->count) {
        music_free(m);
        return -ENOENT;
    }
    if (m->shuffle)
        shuffle(m);
    *music = m;
    return 0;
}

void music_free(struct music *music)
{
    if (!music)
        return;
    for (size_t i = 0; i < music->count; i++)
        sound_close(music->pieces[i].sound);
    free(music);
}

static void next_piece(struct music *music)
{
    struct piece *piece;

    music->playing = (music->playing + 1) % music->count;
    if (music->playing == 0 && music->shuffle)
        shuffle(music);
    piece = &music->pieces[music->order[music->playing]];
    if (!piece->broken && sound_seek(piece->sound, 0) < 0) {
        piece->broken = true;
        tell(music, piece->name, sound_why(piece->sound));
    }
}

/* The end of one piece and the beginning of the next share a frame. */
static void make_frame(struct music *music)
{
    int16_t *frame = music->ring[music->made % RING];
    size_t have = 0, empty = 0;

    while (have < music->frame_samples && empty <= music->count) {
        struct piece *piece = &music->pieces[music->order[music->playing]];
        int got = piece->broken ? 0 : sound_read(piece->sound, frame + have, music->frame_samples - have);

        if (got > 0) {
            have += (size_t)got;
            empty = 0;
            continue;
        }
        if (got < 0) {
            piece->broken = true;
            tell(music, piece->name, sound_why(piece->sound));
        }
        empty++;
        next_piece(music);
    }
    memset(frame + have, 0, (music->frame_samples - have) * sizeof *frame);
    music->made++;
}

void music_join(const struct music *music, struct music_listener *listener)
{
    listener->next = music->made ? music->made - 1 : 0;
}

const int16_t *music_frame(struct music *music, struct music_listener *listener, uint64_t *number)
{
    if (listener->next + RING < music->made)
        listener->next = music->made - 1;
    if (listener->next >= music->made)
        make_frame(music);
    if (number)
        *number = listener->next;
    return music->ring[listener->next++ % RING];
}

size_t music_frame_samples(const struct music *music)
{
    return music->frame_samples;
}
