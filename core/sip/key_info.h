/* Bodies of INFO that carry one key: application/dtmf-relay and application/dtmf. Pure; text from the network in, text
 * of ours out. */
#ifndef SIP_KEY_INFO_H
#define SIP_KEY_INFO_H

#include "base/key.h"

#define KEY_INFO_MS_MOST 10000
#define KEY_INFO_TEXT 64 /* no body of ours is longer, NUL included */

struct key_info {
    char key;    /* of KEYS_OF_PHONES */
    unsigned ms; /* KEY_MS when it is not said; at most KEY_INFO_MS_MOST */
};

/* type: the media type without parameters, case apart. Returns 0, -ENOTSUP (no such type), or -EINVAL (no key, or
 * several that differ). Keys are read as characters and as event numbers ("10" is the star), blanks and unknown lines
 * passed over, and a duration that cannot be read is one that is not there: the key is what matters. */
int key_info_read(const char *type, const char *body, size_t len, struct key_info *out);

/* type as above; application/dtmf has no duration, and no flash. Returns 0, -ENOTSUP, -EINVAL (no key) or -E2BIG. */
int key_info_write(const char *type, const struct key_info *info, char *out, size_t size);

#endif
