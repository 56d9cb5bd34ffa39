/* libFuzzer: any bytes as the body of an INFO of either type. What is read can be written, and is read as the same. */
#include "sip/key_info.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"application/dtmf-relay", "application/dtmf"};

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        struct key_info info, again;
        char text[KEY_INFO_TEXT];

        if (key_info_read(types[i], (const char *)data, size, &info) < 0)
            continue;
        if (key_event(info.key) < 0 || !info.ms || info.ms > KEY_INFO_MS_MOST)
            __builtin_trap();
        if (key_info_write(types[0], &info, text, sizeof text) < 0 ||
            key_info_read(types[0], text, strlen(text), &again) < 0 || again.key != info.key || again.ms != info.ms)
            __builtin_trap();
    }
    return 0;
}
