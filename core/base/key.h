/* A key of a phone, as every way of sending keys means it: RFC 4733 events, tones in the sound, SIP INFO. A value;
 * knows none of these ways. */
#ifndef BASE_KEY_H
#define BASE_KEY_H

#include "base/base.h"

/* The place of a key is its event (RFC 4733 §3.2); '!' is the hook flash, which has no tone. */
#define KEYS_OF_PHONES "0123456789*#ABCD!"
#define KEYS_WITH_TONE 16

/* The event of a key (letters without case), or -EINVAL. */
static inline int key_event(char key)
{
    const char *found;

    if (key >= 'a' && key <= 'd')
        key = (char)(key - 'a' + 'A');
    found = key ? strchr(KEYS_OF_PHONES, key) : NULL;
    return found ? (int)(found - KEYS_OF_PHONES) : -EINVAL;
}

/* What is heard of a key: first that it went down (ms counts so far), then that it came up (ms is all of it). A press
 * gives both, in this order. */
struct key_report {
    char key;
    bool up;
    unsigned ms;
};

/* How a key comes: in packets of its own (RFC 4733), as tones in the sound, by signalling (SIP INFO). */
enum key_way { KEY_BY_EVENT, KEY_BY_TONE, KEY_BY_INFO };

/* No finger is faster than 20 keys a second for long; a burst of 32 is a number that a machine dials. Zeroed memory has
 * seen none. now_ms: any clock that does not go back. False: this key is one too many. */
struct key_rate {
    uint64_t due_ms; /* by which the keys so far would have been typed at that pace */
};

static inline bool key_rate_take(struct key_rate *rate, uint64_t now_ms)
{
    uint64_t from = rate->due_ms > now_ms ? rate->due_ms : now_ms;

    if (from - now_ms > 50 * 31)
        return false;
    rate->due_ms = from + 50;
    return true;
}

/* How long a key sounds and rests when nobody says (ETSI ES 201 235-2 asks for 70 and 65 at least). */
#define KEY_MS 100
#define KEY_GAP_MS 100

#endif
