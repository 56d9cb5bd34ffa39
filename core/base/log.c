/* One line an entry, written with a single write(2). Any thread. Global by nature: there is one standard error. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum log_level log_highest = LOG_LEVEL_INFO;
static const char *program_name = "tandem";
static void (*line_sink)(void *, enum log_level, const char *);
static void *line_sink_arg;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_setup(const char *program, enum log_level level)
{
    program_name = program;
    log_highest = level;
}

void log_set_level(enum log_level level)
{
    log_highest = level;
}

int log_level_parse(const char *text, enum log_level *out)
{
    for (size_t i = 0; i < COUNT_OF(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

void log_set_sink(void (*sink)(void *, enum log_level, const char *), void *arg)
{
    line_sink = sink;
    line_sink_arg = arg;
}

void log_write(enum log_level level, const char *fmt, ...)
{
    char line[2048];
    struct timespec now;
    struct tm tm;
    size_t used = 0, text_at;
    va_list ap;
    int n;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    used = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &tm);
    str_append(line, sizeof line - 1, &used, ".%03ldZ %s %s: ", now.tv_nsec / 1000000, program_name,
               level_names[level]);
    text_at = used;
    va_start(ap, fmt);
    n = vsnprintf(line + used, sizeof line - 1 - used, fmt, ap);
    va_end(ap);
    if (n > 0)
        used += (size_t)n < sizeof line - 1 - used ? (size_t)n : sizeof line - 2 - used;
    for (size_t i = text_at; i < used; i++) /* one entry is one line, whatever a phone put into a header */
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7F)
            line[i] = ' ';
    line[used] = '\0';
    str_clean_utf8(line + text_at); /* whoever reads it may sit at a terminal */
    if (line_sink)
        line_sink(line_sink_arg, level, line + text_at);
    line[used++] = '\n';
    if (write(STDERR_FILENO, line, used) < 0)
        return; /* nowhere left to complain */
}
