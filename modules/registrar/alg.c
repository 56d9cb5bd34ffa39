/* The signatures of SIP ALGs in words. Any thread. */
#include "alg.h"

static const struct {
    const char *name, *words;
} signatures[] = {
    {"via-rewritten", "writes its own address into Via, but leaves the phone's private one in Contact"},
    {"contact-rewritten",
     "writes its own address into Contact, but leaves the phone's private one in Via (or the phone "
     "asks a STUN server)"},
    {"length-wrong", "writes its own address into the description of the media, but leaves the old Content-Length"},
};

const char *alg_known(const char *name)
{
    for (size_t i = 0; name && i < COUNT_OF(signatures); i++)
        if (strcmp(signatures[i].name, name) == 0)
            return signatures[i].name;
    return NULL;
}

const char *alg_words(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(signatures); i++)
        if (strcmp(signatures[i].name, name) == 0)
            return signatures[i].words;
    return "";
}
