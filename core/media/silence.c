/* When silence has to be told, and when it is over. Media threads; knows no sockets and no calls. */
#include "media/silence.h"

void silence_watch(struct silence *silence, uint32_t silent_ms, uint32_t lifeless_ms, uint64_t now_us)
{
    if (!silent_ms && !lifeless_ms) {
        *silence = (struct silence){0};
        return;
    }
    if (!silence->since_us)
        silence->since_us = now_us;
    silence->silent_us = silent_ms * UINT64_C(1000);
    silence->lifeless_us = lifeless_ms * UINT64_C(1000);
}

static bool quiet_for(const struct silence *silence, uint64_t heard_us, uint64_t long_us, uint64_t now_us)
{
    uint64_t from_us = heard_us > silence->since_us ? heard_us : silence->since_us;

    return long_us && now_us > from_us && now_us - from_us >= long_us;
}

enum silence_news silence_look(struct silence *silence, uint64_t sound_us, uint64_t life_us, uint64_t now_us)
{
    if (!silence->since_us)
        return SILENCE_NOTHING;
    if (silence->silent_told_us && sound_us > silence->silent_told_us) {
        silence->silent_told_us = 0;
        return SILENCE_OVER;
    }
    if (!silence->silent_told_us && quiet_for(silence, sound_us, silence->silent_us, now_us)) {
        silence->silent_told_us = now_us;
        return SILENCE_BEGAN;
    }
    if (silence->lifeless_told_us && life_us > silence->lifeless_told_us)
        silence->lifeless_told_us = 0;
    if (!silence->lifeless_told_us && quiet_for(silence, life_us, silence->lifeless_us, now_us)) {
        silence->lifeless_told_us = now_us;
        return SILENCE_LIFELESS;
    }
    return SILENCE_NOTHING;
}
