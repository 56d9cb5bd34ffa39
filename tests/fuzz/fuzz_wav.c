/* Fuzzes WAV files, and bare samples of each kind. */
#include "play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum sound_kind bare[] = {SOUND_ULAW, SOUND_ALAW, SOUND_G722, SOUND_SLN8, SOUND_SLN16, SOUND_SLN48};

    play_bytes(SOUND_WAV, data, size, 8000);
    if (size && size < 4096)
        play_bytes(bare[data[0] % COUNT_OF(bare)], data, size, 16000);
    return 0;
}
