/* What kind of sound a file is, by its name. Any thread; opens nothing and needs no codec: whoever only picks files
 * takes this alone. */
#include <strings.h>

#include "audio/sound.h"

static const struct {
    const char *end;
    enum sound_kind kind;
} ends[] = {{".wav", SOUND_WAV},    {".ogg", SOUND_OGG},   {".opus", SOUND_OGG},  {".ulaw", SOUND_ULAW},
            {".ul", SOUND_ULAW},    {".pcmu", SOUND_ULAW}, {".alaw", SOUND_ALAW}, {".al", SOUND_ALAW},
            {".pcma", SOUND_ALAW},  {".g722", SOUND_G722}, {".sln", SOUND_SLN8},  {".sln16", SOUND_SLN16},
            {".sln48", SOUND_SLN48}};

int sound_kind_of(const char *name)
{
    const char *end = strrchr(name, '.');

    for (size_t i = 0; end && i < COUNT_OF(ends); i++)
        if (strcasecmp(end, ends[i].end) == 0)
            return ends[i].kind;
    return -ENOENT;
}
