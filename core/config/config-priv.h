/* What config.c (lines) and keys.c (meanings) share. */
#ifndef CONFIG_CONFIG_PRIV_H
#define CONFIG_CONFIG_PRIV_H

#include <stdarg.h>

#include "config/config.h"

enum config_section { CONFIG_SECTION_NONE, CONFIG_SECTION_SWITCH, CONFIG_SECTION_MEDIA, CONFIG_SECTION_RECORDINGS, CONFIG_SECTION_MODULE };

struct config_reader {
    struct config *config;
    const char *file;
    unsigned line;
    enum config_section section;
    uint64_t seen[CONFIG_SECTION_MODULE]; /* bit per key that may stand only once */
    char *why;
    size_t why_size;
};

/* Writes "FILE:LINE: reason". Returns -EINVAL. */
int config_fail(struct config_reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Cuts blanks off both ends, in place. */
char *config_trim(char *text);
bool config_is_name(const char *text);
/* One `key = value` of the current section. value may be changed. 0 or config_fail(). */
int config_key(struct config_reader *r, const char *key, char *value);
/* Before the first line, and after the last (0 or config_fail(): something does not fit together). */
void config_defaults(struct config *config);
int config_complete(struct config_reader *r);

#endif
