/* Text for people: widths, tables, durations, colour. What it prints may come from any phone, so no control character
 * gets through. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdlib.h>
#include <time.h>

#include "cli/cli.h"

const char *colour(const struct cli *cli, enum colour c)
{
    static const char *const codes[] = {"\033[0m", "\033[1m", "\033[2m", "\033[31m", "\033[32m", "\033[33m"};

    return cli->colour ? codes[c] : "";
}

uint32_t text_next(const char **p)
{
    const unsigned char *s = (const unsigned char *)*p;
    unsigned more = s[0] < 0x80 ? 0 : s[0] >= 0xF0 && s[0] < 0xF8 ? 3 : s[0] >= 0xE0 ? 2 : s[0] >= 0xC0 ? 1 : 9;
    uint32_t c = more == 0 ? s[0] : s[0] & (0x3Fu >> more);

    if (!s[0])
        return 0;
    if (more > 3 || s[0] >= 0xF8) {
        *p += 1;
        return '?';
    }
    for (unsigned i = 1; i <= more; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            *p += i;
            return '?';
        }
        c = c << 6 | (s[i] & 0x3F);
    }
    *p += more + 1;
    if (c < 0x20 || (c >= 0x7F && c < 0xA0))
        return '?';
    if ((c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069))
        return '?'; /* they turn the direction of what follows */
    return c;
}

static unsigned char_width(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } none[] = {{0x300, 0x36F},   {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF},
                {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}},
      two[] = {{0x1100, 0x115F}, {0x2E80, 0xA4CF}, {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},
               {0xFF00, 0xFF60}, {0xFFE0, 0xFFE6}, {0x1F300, 0x1F64F}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};

    if (c < 0x300)
        return 1;
    for (size_t i = 0; i < COUNT_OF(none); i++)
        if (c >= none[i].first && c <= none[i].last)
            return 0;
    for (size_t i = 0; i < COUNT_OF(two); i++)
        if (c >= two[i].first && c <= two[i].last)
            return 2;
    return 1;
}

unsigned text_width(const char *text)
{
    unsigned width = 0;
    uint32_t c;

    while ((c = text_next(&text)))
        width += char_width(c);
    return width;
}

static void print_text(FILE *out, const char *text, bool lines)
{
    while (*text) {
        const char *start = text;
        uint32_t c = text_next(&text);

        if (lines && (*start == '\n' || *start == '\t'))
            putc(*start, out);
        else if (lines && *start == '\r' && *text == '\n')
            continue;
        else if (c == '?')
            putc('?', out);
        else
            fwrite(start, 1, (size_t)(text - start), out);
    }
}

void print_clean(FILE *out, const char *text)
{
    print_text(out, text, false);
}

void print_lines(FILE *out, const char *text)
{
    print_text(out, text, true);
}

const char *duration_text(json_int_t seconds, char out[32])
{
    long long s = seconds > 0 ? seconds : 0;

    if (s < 60)
        snprintf(out, 32, "%lld s", s);
    else if (s < 3600)
        snprintf(out, 32, "%lld min %lld s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, 32, "%lld h %lld min", s / 3600, s / 60 % 60);
    else
        snprintf(out, 32, "%lld d %lld h", s / 86400, s / 3600 % 24);
    return out;
}

uint64_t time_read(const char *text)
{
    static const char units[] = "smhd";
    static const unsigned factors[] = {1, 60, 3600, 86400};
    char number[16];
    size_t len = strspn(text, "0123456789");
    const char *unit = text[len] ? strchr(units, text[len]) : units;
    uint64_t value;

    if (!len || !unit || (text[len] && text[len + 1]) || str_copy_n(number, sizeof number, text, len) < 0 ||
        str_to_u64(number, 1000000, &value) < 0)
        return 0;
    return value * factors[unit - units];
}

const char *clock_text(json_int_t at_us, char out[32])
{
    time_t seconds = (time_t)(at_us / 1000000);
    struct tm tm;
    size_t used;

    localtime_r(&seconds, &tm);
    used = strftime(out, 32, "%H:%M:%S", &tm);
    snprintf(out + used, 32 - used, ".%03d", (int)(at_us / 1000 % 1000));
    return out;
}

const char *day_text(json_int_t at_us, char out[32])
{
    time_t seconds = (time_t)(at_us / 1000000);
    struct tm tm;

    localtime_r(&seconds, &tm);
    strftime(out, 32, "%a %H:%M, %d %b", &tm);
    return out;
}

/* --- tables ---------------------------------------------------------------------------------------------------------
 */

void table_init(struct table *table, const char *const *heads, unsigned columns)
{
    memset(table, 0, sizeof *table);
    table->heads = heads;
    table->columns = columns < TABLE_COLUMNS ? columns : TABLE_COLUMNS;
}

void table_row(struct table *table, const char *const *cells)
{
    if (table->rows == table->room) {
        table->room = table->room ? table->room * 2 : 16;
        table->cells = mem_resize(table->cells, sizeof(char *) * table->room * table->columns);
    }
    for (unsigned i = 0; i < table->columns; i++)
        table->cells[table->rows * table->columns + i] = str_dup(cells[i] ? cells[i] : "");
    table->rows++;
}

static void print_cells(const struct table *table, const struct cli *cli, const char *const *cells,
                        const unsigned *widths)
{
    for (unsigned i = 0; i < table->columns; i++) {
        bool right = table->heads[i][0] == '>', last = i + 1 == table->columns;
        int pad = (int)(widths[i] - text_width(cells[i]));

        if (right)
            fprintf(cli->out, "%*s", pad, "");
        print_clean(cli->out, cells[i]);
        if (!last)
            fprintf(cli->out, "%*s", (right ? 0 : pad) + 2, "");
    }
}

void table_print(struct table *table, const struct cli *cli)
{
    unsigned widths[TABLE_COLUMNS];
    const char *heads[TABLE_COLUMNS];

    for (unsigned i = 0; i < table->columns; i++) {
        heads[i] = table->heads[i] + (table->heads[i][0] == '>');
        widths[i] = text_width(heads[i]);
        for (unsigned row = 0; row < table->rows; row++) {
            unsigned width = text_width(table->cells[row * table->columns + i]);

            if (width > widths[i])
                widths[i] = width;
        }
    }
    fputs(colour(cli, BOLD), cli->out);
    print_cells(table, cli, heads, widths);
    fprintf(cli->out, "%s\n", colour(cli, PLAIN));
    for (unsigned row = 0; row < table->rows; row++) {
        print_cells(table, cli, (const char *const *)table->cells + row * table->columns, widths);
        putc('\n', cli->out);
    }
    for (unsigned i = 0; i < table->rows * table->columns; i++)
        free(table->cells[i]);
    free(table->cells);
    memset(table, 0, sizeof *table);
}

/* --- JSON
 * -------------------------------------------------------------------------------------------------------------- */

const char *json_str(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

json_int_t json_num(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

bool json_yes(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

void print_json(const struct cli *cli, const json_t *json)
{
    json_dumpf(json, cli->out, JSON_INDENT(2) | JSON_ENCODE_ANY);
    putc('\n', cli->out);
}
