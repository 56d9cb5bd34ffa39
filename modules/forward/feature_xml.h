/* The documents of as-feature-event: what a phone sets, and how things are (after the CSTA XML of ECMA-323). Pure. */
#ifndef FORWARD_FEATURE_XML_H
#define FORWARD_FEATURE_XML_H

#include "base/base.h"

#define FEATURE_RING_S 6 /* of one ring, as phones count them */

enum feature_kind { FEATURE_DND, FEATURE_ALWAYS, FEATURE_BUSY, FEATURE_NO_ANSWER, FEATURE_COUNT };

struct feature_state {
    bool on;
    char number[64];
    unsigned rings; /* FEATURE_NO_ANSWER; 0: it does not say */
};

/* What the phone sets. 0; -EINVAL: it is no such document; -EOPNOTSUPP: it sets something that there is not here. */
int feature_read(const char *text, size_t len, enum feature_kind *feature, struct feature_state *out);
/* The document that says how it is, appended at *used as one part of a multipart body. 0, or -E2BIG. */
int feature_write(char *out, size_t size, size_t *used, const char *account, enum feature_kind feature,
                  const struct feature_state *state);

extern const char feature_content_type[]; /* of the whole body */
/* Behind the last part. */
int feature_close(char *out, size_t size, size_t *used);

#endif
