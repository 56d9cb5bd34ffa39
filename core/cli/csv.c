/* CSV as RFC 4180 has it and spreadsheets write it: a byte order mark, semicolons or tabs, lines that end anyhow. */
#include <errno.h>
#include <stdlib.h>

#include "cli/entity.h"

#define BOM "\xEF\xBB\xBF"

/* How often it stands in the first row outside of quotes. A quote begins a field, or it is a character like others. */
static size_t count_in_first_row(const char *p, char separator)
{
    size_t count = 0;
    bool quoted = *p == '"';

    for (p += quoted; *p && (quoted || (*p != '\n' && *p != '\r')); p++) {
        if (*p == '"' && quoted)
            quoted = false;
        else if (*p == '"' && (strchr(",;\t", p[-1]) || p[-1] == '"'))
            quoted = true;
        else if (*p == separator && !quoted)
            count++;
    }
    return count;
}

void csv_open(struct csv *csv, char *text)
{
    static const char separators[] = {',', ';', '\t'};
    size_t most = 0;

    csv->text = csv->at = text;
    csv->separator = ',';
    csv->line = 0;
    csv->next_line = 1;
    if (strncmp(text, BOM, 3) == 0)
        csv->at += 3;
    for (size_t i = 0; i < COUNT_OF(separators); i++) {
        size_t found = count_in_first_row(csv->at, separators[i]);

        if (found > most) {
            most = found;
            csv->separator = separators[i];
        }
    }
}

void csv_close(struct csv *csv)
{
    if (csv->text)
        explicit_bzero(csv->text, strlen(csv->text)); /* it may hold secrets; what was cut off by NULs is names */
    free(csv->text);
    csv->text = csv->at = NULL;
}

/* Unquotes the field at *p in place. Moves *p to the character behind it. -EINVAL: the quote does not end. */
static int take_field(struct csv *csv, char **p, char **field)
{
    char *from = *p, *to = *p;

    *field = *p;
    if (*from != '"') {
        from += strcspn(from, (const char[]){csv->separator, '\r', '\n', '\0'});
        *p = from;
        return 0;
    }
    for (from++; *from; from++) {
        csv->next_line += *from == '\n';
        if (*from == '"' && from[1] == '"')
            from++;
        else if (*from == '"')
            break;
        *to++ = *from;
    }
    if (!*from)
        return -EINVAL;
    from++;
    from += strcspn(from, (const char[]){csv->separator, '\r', '\n', '\0'}); /* blanks behind the quote */
    if (to < from)
        *to = '\0';
    *p = from;
    return 0;
}

int csv_row(struct csv *csv, char **fields, unsigned max)
{
    char *p = csv->at;
    unsigned count = 0;

    while (*p == '\n' || *p == '\r') {
        csv->next_line += *p == '\n' || p[1] != '\n';
        p++;
    }
    csv->line = csv->next_line;
    if (!*p) {
        csv->at = p;
        return 0;
    }
    for (;;) {
        char end;

        if (count == max)
            return -E2BIG;
        if (take_field(csv, &p, &fields[count++]) < 0)
            return -EINVAL;
        end = *p;
        *p = '\0'; /* ends the field */
        if (end == csv->separator) {
            p++;
            continue;
        }
        if (end) {
            p++;
            if (end == '\r' && *p == '\n')
                p++;
            csv->next_line++;
        }
        break;
    }
    csv->at = p;
    return (int)count;
}

void csv_write(FILE *out, const char *text, bool last)
{
    if (strpbrk(text, "\",;\r\n\t") || *text == ' ' || strncmp(text, BOM, 3) == 0) {
        putc('"', out);
        for (; *text; text++) {
            if (*text == '"')
                putc('"', out);
            putc(*text, out);
        }
        putc('"', out);
    } else {
        fputs(text, out);
    }
    if (last)
        fputs("\r\n", out);
    else
        putc(',', out);
}
