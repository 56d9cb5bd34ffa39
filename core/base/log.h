/* The log: one line an entry on standard error (journald adds the rest). Any thread. Secrets never go here. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/base.h"

enum log_level { LOG_LEVEL_NONE = -1, LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Program name for the lines, and the highest level that is written (default INFO). Call once, before threads. */
void log_setup(const char *program, enum log_level level);
void log_set_level(enum log_level level);
/* "error", "warn", "info", "debug". Returns 0 or -EINVAL. */
int log_level_parse(const char *text, enum log_level *out);

/* Each finished line also goes to this function (NULL: none): tests, and the console's event stream. */
void log_set_sink(void (*sink)(void *arg, enum log_level level, const char *line), void *arg);

void log_write(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
extern enum log_level log_highest;

#define log_at(level, ...) ((level) <= log_highest ? log_write((level), __VA_ARGS__) : (void)0)
#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
