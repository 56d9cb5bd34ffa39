/* Words for routers that rewrite SIP. */
#ifndef REGISTRAR_ALG_H
#define REGISTRAR_ALG_H

#include "base/base.h"

/* The static name of a signature that we know ("via-rewritten", "contact-rewritten", "length-wrong"), or NULL. */
const char *alg_known(const char *name);
/* What such a router does, as half a sentence behind its address. */
const char *alg_words(const char *name);

#endif
