/* libFuzzer: what a caller who is at home here sends (sip_bed.h), through the edge, NTA and the agent into calls and
 * the registrar; the callee answers well. */
#include "sip_bed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sip_bed *bed;

    if (!bed)
        bed = sip_bed_new(SIDE_CALLER);
    sip_bed_play(bed, data, size);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    return sip_bed_mutate(data, size, max, seed);
}
