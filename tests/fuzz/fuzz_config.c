/* libFuzzer: any bytes as a bootstrap file. */
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = NULL;
    char why[256];

    if (config_parse("fuzz.conf", (const char *)data, size, &config, why, sizeof why) == 0)
        config_free(config);
    return 0;
}
