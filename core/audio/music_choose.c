/* Which files of a directory are hold music. Any thread; opens nothing and needs no codec. */
#include <stdlib.h>

#include "audio/music.h"

static size_t stem(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot ? (size_t)(dot - name) : strlen(name);
}

/* How much is left of the sound, least first. A WAV file may be anything; Debian's are narrower than their G.722. */
static int worse(const char *name)
{
    static const unsigned char rank[] = {[SOUND_OGG] = 0, [SOUND_SLN48] = 1, [SOUND_G722] = 2, [SOUND_SLN16] = 3,
                                         [SOUND_WAV] = 4, [SOUND_SLN8] = 5,  [SOUND_ULAW] = 6, [SOUND_ALAW] = 7};
    int kind = sound_kind_of(name);

    return kind < 0 ? (int)COUNT_OF(rank) : rank[kind];
}

static int compare(const void *a, const void *b)
{
    const char *left = *(const char *const *)a, *right = *(const char *const *)b;
    size_t left_len = stem(left), right_len = stem(right);
    int order = strncmp(left, right, left_len < right_len ? left_len : right_len);

    if (order == 0)
        order = (left_len > right_len) - (left_len < right_len);
    return order ? order : worse(left) - worse(right);
}

size_t music_choose(const char **names, size_t count)
{
    size_t kept = 0;

    if (count)
        qsort(names, count, sizeof *names, compare);
    for (size_t i = 0; i < count; i++) {
        size_t len = stem(names[i]);

        if (names[i][0] == '.' || sound_kind_of(names[i]) < 0)
            continue;
        if (kept && stem(names[kept - 1]) == len && strncmp(names[kept - 1], names[i], len) == 0)
            continue;
        names[kept++] = names[i];
    }
    return kept;
}
