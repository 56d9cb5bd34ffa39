/* libFuzzer: any bytes as the body of a SUBSCRIBE for as-feature-event. What is read is within its bounds, and can be
 * written into a body whose parts end where they should. */
#include <stdlib.h>

#include "modules/forward/feature_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum feature_kind feature;
    struct feature_state state;
    char body[2000];
    size_t used = 0;

    if (feature_read((const char *)data, size, &feature, &state) < 0)
        return 0;
    if (feature < 0 || feature >= FEATURE_COUNT || state.rings > 100 || strlen(state.number) >= sizeof state.number)
        abort();
    if (feature_write(body, sizeof body, &used, "202", feature, &state) < 0 ||
        feature_close(body, sizeof body, &used) < 0 || used != strlen(body))
        abort();
    return 0;
}
