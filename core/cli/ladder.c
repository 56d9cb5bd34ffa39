/* A call as a ladder: one column a party, time going down. Draws each row on a canvas of terminal cells first, because
 * an arrow crosses the lifelines of others. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdlib.h>

#include "cli/cli.h"

#define GUTTER 11u /* the time */
#define CANVAS 400u
#define COLUMN_MIN 20u
#define COLUMN_MAX 30u
#define COLUMNS_MAX 12u

struct glyphs {
    const char *life, *shaft, *left, *right, *dot;
};

static const struct glyphs fine = {"│", "─", "◀", "▶", "·"}, plain = {"|", "-", "<", ">", "*"};

struct ladder {
    const struct cli *cli;
    const struct glyphs *glyphs;
    const json_t *legs;
    unsigned columns, width; /* columns; cells of one */
    json_int_t start_us;
    char cells[CANVAS][5]; /* one character each; "" behind a wide one */
};

/* The first leg stands left of Tandem, all others right of it. Those that do not fit share the last column. */
static unsigned column_of(const struct ladder *ladder, json_int_t leg)
{
    unsigned column = leg == 0 ? 0 : (unsigned)leg + 1;

    return column < ladder->columns ? column : ladder->columns - 1;
}

static unsigned middle(const struct ladder *ladder, unsigned column)
{
    return column * ladder->width + ladder->width / 2;
}

static void put(struct ladder *ladder, unsigned at, const char *glyph)
{
    if (at < CANVAS)
        str_copy(ladder->cells[at], sizeof ladder->cells[at], glyph);
}

/* Puts text on the canvas; cut to `room` cells. Returns the cells it took. */
static unsigned put_text(struct ladder *ladder, unsigned at, const char *text, unsigned room)
{
    unsigned used = 0;

    while (*text) {
        const char *start = text;
        uint32_t c = text_next(&text);
        size_t len = (size_t)(text - start);
        char glyph[5];
        unsigned width;

        str_copy_n(glyph, sizeof glyph, c == '?' ? "?" : start, c == '?' ? 1 : len);
        width = text_width(glyph);
        if (width == 0)
            continue; /* combining marks do not fit a cell */
        if (used + width > room || at + used + width > CANVAS)
            break;
        put(ladder, at + used, glyph);
        if (width == 2)
            put(ladder, at + used + 1, "");
        used += width;
    }
    return used;
}

static void clear(struct ladder *ladder, bool lives)
{
    for (unsigned i = 0; i < CANVAS; i++)
        put(ladder, i, " ");
    for (unsigned column = 0; lives && column < ladder->columns; column++)
        put(ladder, middle(ladder, column), ladder->glyphs->life);
}

static void flush(struct ladder *ladder, const char *gutter, enum colour c)
{
    unsigned end = CANVAS;

    while (end && strcmp(ladder->cells[end - 1], " ") == 0)
        end--;
    fprintf(ladder->cli->out, "%*s%s", (int)GUTTER, gutter, colour(ladder->cli, c));
    for (unsigned i = 0; i < end; i++)
        fputs(ladder->cells[i], ladder->cli->out);
    fprintf(ladder->cli->out, "%s\n", colour(ladder->cli, PLAIN));
}

static void centre(struct ladder *ladder, unsigned column, const char *text)
{
    unsigned width = text_width(text), room = ladder->width - 1;

    if (width > room)
        width = room;
    put_text(ladder, middle(ladder, column) - width / 2, text, room);
}

static void head(struct ladder *ladder)
{
    size_t count = json_array_size(ladder->legs);

    clear(ladder, false);
    centre(ladder, 1, "Tandem");
    for (size_t i = 0; i < count && i + 1 < COLUMNS_MAX + count; i++)
        if (column_of(ladder, (json_int_t)i) + 1 < ladder->columns || count + 1 <= ladder->columns)
            centre(ladder, column_of(ladder, (json_int_t)i), json_str(json_array_get(ladder->legs, i), "party"));
    if (count + 1 > ladder->columns)
        centre(ladder, ladder->columns - 1, "others");
    flush(ladder, "", BOLD);
    clear(ladder, false);
    for (size_t i = 0; i < count; i++)
        if (column_of(ladder, (json_int_t)i) + 1 < ladder->columns || count + 1 <= ladder->columns)
            centre(ladder, column_of(ladder, (json_int_t)i), json_str(json_array_get(ladder->legs, i), "peer"));
    flush(ladder, "", DIM);
}

/* The words on an arrow. */
static const char *arrow_text(const struct ladder *ladder, const json_t *line, char *out, size_t size)
{
    size_t used = 0;
    json_int_t leg = json_num(line, "leg");

    if (column_of(ladder, leg) == ladder->columns - 1 && json_array_size(ladder->legs) + 1 > ladder->columns)
        str_append(out, size, &used, "%s: ", json_str(json_array_get(ladder->legs, (size_t)leg), "party"));
    str_append(out, size, &used, "%s%s%s", json_str(line, "text"), json_yes(line, "sdp") ? " (SDP)" : "",
               json_yes(line, "again") ? " again" : "");
    return out;
}

static void arrow(struct ladder *ladder, const json_t *line)
{
    unsigned party = column_of(ladder, json_num(line, "leg"));
    bool inbound = strcmp(json_str(line, "to"), "tandem") == 0, rightwards = (party == 0) == inbound;
    unsigned low = party == 0 ? 0 : 1, high = party == 0 ? 1 : party, near, room, width;
    unsigned from = middle(ladder, low) + 1, to = middle(ladder, high) - 1;
    char text[240];

    for (unsigned i = from; i <= to; i++)
        put(ladder, i, ladder->glyphs->shaft);
    put(ladder, rightwards ? to : from, rightwards ? ladder->glyphs->right : ladder->glyphs->left);
    arrow_text(ladder, line, text, sizeof text - 1);
    width = text_width(text);
    near =
        party == 0 ? from : middle(ladder, high - 1) + 1; /* beside the party, where all its arrows have their words */
    if (width + 6 > to - near + 1)
        near = from;
    room = to - near + 1 - 4;
    if (width > room - 2)
        width = room - 2;
    near += (to - near + 1 - width) / 2;
    put(ladder, near - 1, " ");
    put(ladder, near + put_text(ladder, near, text, width), " ");
}

static enum colour line_colour(const json_t *line)
{
    const char *text = json_str(line, "text");

    if (strcmp(json_str(line, "kind"), "event") == 0)
        return DIM;
    if (json_yes(line, "dropped"))
        return RED;
    if (strcmp(json_str(line, "kind"), "response") != 0)
        return PLAIN;
    if (strncmp(text, "401", 3) == 0 || strncmp(text, "407", 3) == 0) /* a question, not a failure */
        return YELLOW;
    return text[0] == '2' ? GREEN : text[0] >= '4' ? RED : PLAIN;
}

/* What a message says about audio stands under its arrow, on the side of its party. */
static void media_note(struct ladder *ladder, const json_t *line)
{
    unsigned party = column_of(ladder, json_num(line, "leg")), from = party == 0 ? 1 : middle(ladder, party - 1) + 2;
    char text[260];

    snprintf(text, sizeof text, "%s%s", ladder->glyphs->dot, json_str(line, "media"));
    clear(ladder, true);
    put_text(ladder, from, text, CANVAS);
    flush(ladder, "", DIM);
}

static void rung(struct ladder *ladder, const json_t *line)
{
    json_int_t offset = json_num(line, "at_us") - ladder->start_us;
    char gutter[32], text[240];
    size_t used = 0;

    snprintf(gutter, sizeof gutter, "%lld.%03lld  ", (long long)(offset / 1000000), (long long)(offset / 1000 % 1000));
    clear(ladder, true);
    if (strcmp(json_str(line, "kind"), "event") == 0 || !json_object_get(line, "leg")) {
        text[0] = '\0';
        str_append(text, sizeof text, &used, "%s %s ", ladder->glyphs->dot, json_str(line, "text"));
        put_text(ladder, middle(ladder, 1) + 2, text, CANVAS);
    } else {
        arrow(ladder, line);
    }
    flush(ladder, gutter, line_colour(line));
    if (*json_str(line, "media"))
        media_note(ladder, line);
}

static void ladder_init(struct ladder *ladder, const struct cli *cli, const json_t *call)
{
    const json_t *lines = json_object_get(call, "lines");
    unsigned room = (cli->width ? cli->width : 120) - (cli->width > GUTTER || !cli->width ? GUTTER : 0), fit;

    memset(ladder, 0, sizeof *ladder);
    ladder->cli = cli;
    ladder->glyphs = cli->utf8 ? &fine : &plain;
    ladder->legs = json_object_get(call, "legs");
    ladder->columns = (unsigned)json_array_size(ladder->legs) + 1;
    fit = cli->width ? room / COLUMN_MIN : COLUMNS_MAX;
    if (ladder->columns > fit)
        ladder->columns = fit;
    if (ladder->columns > COLUMNS_MAX)
        ladder->columns = COLUMNS_MAX;
    if (ladder->columns < 3) /* so that Tandem stands in the middle even when nobody was called */
        ladder->columns = json_array_size(ladder->legs) > 1 ? 3 : 2;
    ladder->width = room / ladder->columns;
    if (ladder->width > COLUMN_MAX)
        ladder->width = COLUMN_MAX;
    if (ladder->width < COLUMN_MIN)
        ladder->width = COLUMN_MIN;
    ladder->start_us = json_num(json_array_get(lines, 0), "at_us");
}

/* --- around it ------------------------------------------------------------------------------------------------------
 */

static void print_title(const struct cli *cli, const json_t *call)
{
    FILE *out = cli->out;
    char when[32];

    if (*json_str(call, "title")) { /* of no call: messages of an account or address */
        fputs(colour(cli, BOLD), out);
        print_clean(out, json_str(call, "title"));
        fprintf(out, "%s, from %s\n\n", colour(cli, PLAIN),
                clock_text(json_num(json_array_get(json_object_get(call, "lines"), 0), "at_us"), when));
        return;
    }
    fprintf(out, "%sCall %s%s  ", colour(cli, BOLD), json_str(call, "id"), colour(cli, PLAIN));
    print_clean(out, *json_str(call, "from") ? json_str(call, "from") : "(the switch)");
    if (*json_str(call, "from_name")) {
        fputs(" \"", out);
        print_clean(out, json_str(call, "from_name"));
        putc('"', out);
    }
    if (*json_str(call, "made_by")) {
        fputs(", called by ", out);
        print_clean(out, json_str(call, "made_by"));
    }
    fputs(cli->utf8 ? " → " : " -> ", out);
    print_clean(out, json_str(call, "to"));
    fprintf(out, ", %s\n\n", clock_text(json_num(call, "started_us"), when));
}

static void print_end(const struct cli *cli, const json_t *call)
{
    FILE *out = cli->out;
    bool answered = json_num(call, "answered_us") > 0;
    json_int_t talk_ms = json_num(call, "talk_ms");
    char text[32];

    if (strcmp(json_str(call, "state"), "ended") != 0) {
        fprintf(out, "\nThe call is %s", json_str(call, "state"));
        fprintf(out, answered ? ", for %s so far.\n" : ".%s\n", answered ? duration_text(talk_ms / 1000, text) : "");
        return;
    }
    putc('\n', out);
    if (answered)
        fprintf(out, "Answered by %s; talked for %lld.%lld s. ",
                *json_str(call, "answered_by") ? json_str(call, "answered_by") : "the switch",
                (long long)(talk_ms / 1000), (long long)(talk_ms / 100 % 10));
    else
        fprintf(out, "Not answered. ");
    fprintf(out, "%s%s%s", colour(cli, BOLD), json_str(call, "cause_text"), colour(cli, PLAIN));
    if (*json_str(call, "ended_by"))
        fprintf(out, " It was ended by %s%s.", strcmp(json_str(call, "ended_by"), "operator") == 0 ? "an " : "the ",
                json_str(call, "ended_by"));
    putc('\n', out);
    if (*json_str(call, "detail")) {
        fputs("Detail: ", out);
        print_clean(out, json_str(call, "detail"));
        putc('\n', out);
    }
    if (*json_str(call, "remedy"))
        fprintf(out, "What to do: %s\n", json_str(call, "remedy"));
}

static void print_score(const struct cli *cli, const char *words, const json_t *media, const char *key)
{
    double mos = json_number_value(json_object_get(media, key));

    if (mos > 0)
        fprintf(cli->out, "%s %s%.1f of 5%s", words, mos < 3 ? colour(cli, RED) : "", mos,
                mos < 3 ? colour(cli, PLAIN) : "");
}

/* How it sounds (MOS), here and there, and what its phone says of what it gets. */
static void print_quality(const struct cli *cli, const json_t *media)
{
    if (json_num(media, "late") || json_num(media, "doubled"))
        fprintf(cli->out, "; %lld too late, %lld twice", (long long)json_num(media, "late"),
                (long long)json_num(media, "doubled"));
    print_score(cli, "; sounds", media, "mos_in");
    if (json_num(media, "reports"))
        fprintf(cli->out, "; its phone reports %lld lost, jitter %lld.%lld ms", (long long)json_num(media, "lost_out"),
                (long long)json_num(media, "jitter_out_us") / 1000,
                (long long)json_num(media, "jitter_out_us") / 100 % 10);
    print_score(cli, ", hears", media, "mos_out");
    if (json_num(media, "rtt_us"))
        fprintf(cli->out, "; %lld.%lld ms there and back", (long long)json_num(media, "rtt_us") / 1000,
                (long long)json_num(media, "rtt_us") / 100 % 10);
    if (json_num(media, "bad_reports"))
        fprintf(cli->out, "; %lld reports that make no sense", (long long)json_num(media, "bad_reports"));
}

static void print_media(const struct cli *cli, const json_t *leg)
{
    const json_t *media = json_object_get(leg, "media");

    if (!media)
        return;
    fputs("Audio of ", cli->out);
    print_clean(cli->out, json_str(leg, "party"));
    fprintf(cli->out, ": %s%s%lld packets received, %lld lost, %lld not accepted, jitter %lld.%lld ms; %lld sent",
            json_str(leg, "codec"), *json_str(leg, "codec") ? ", " : "", (long long)json_num(media, "rx_packets"),
            (long long)json_num(media, "lost"), (long long)json_num(media, "dropped"),
            (long long)json_num(media, "jitter_us") / 1000, (long long)json_num(media, "jitter_us") / 100 % 10,
            (long long)json_num(media, "tx_packets"));
    if (*json_str(leg, "srtp"))
        fprintf(cli->out, "; encrypted with %s", json_str(leg, "srtp"));
    if (json_num(media, "rejected"))
        fprintf(cli->out, ", %lld without its key, damaged or repeated", (long long)json_num(media, "rejected"));
    print_quality(cli, media);
    if (json_num(media, "rx_packets") == 0 && json_num(media, "tx_packets") > 0)
        fprintf(cli->out, " %s(nothing came from this phone)%s", colour(cli, RED), colour(cli, PLAIN));
    putc('\n', cli->out);
}

void ladder_print(const struct cli *cli, const json_t *call)
{
    struct ladder *ladder = mem_new(sizeof *ladder);
    const json_t *lines = json_object_get(call, "lines");
    json_int_t left_out = json_num(call, "left_out");
    json_t *item;
    size_t i;

    ladder_init(ladder, cli, call);
    print_title(cli, call);
    head(ladder);
    json_array_foreach(lines, i, item)
    {
        if (left_out && i == json_array_size(lines) / 2)
            fprintf(cli->out, "%*s(about here %lld lines are left out)\n", (int)GUTTER, "", (long long)left_out);
        rung(ladder, item);
    }
    if (!*json_str(call, "title"))
        print_end(cli, call);
    json_array_foreach(ladder->legs, i, item)
    {
        print_media(cli, item);
    }
    free(ladder);
}

void ladder_print_raw(const struct cli *cli, const json_t *call)
{
    const json_t *lines = json_object_get(call, "lines");
    json_int_t start_us = json_num(json_array_get(lines, 0), "at_us");
    unsigned gone = 0;
    json_t *line;
    size_t i;

    json_array_foreach(lines, i, line)
    {
        json_int_t offset = json_num(line, "at_us") - start_us;
        bool inbound = strcmp(json_str(line, "to"), "tandem") == 0;

        if (strcmp(json_str(line, "kind"), "event") == 0)
            continue;
        if (!json_object_get(line, "message")) {
            gone++;
            continue;
        }
        fprintf(cli->out, "\n%s--- %lld.%03lld s, %s ", colour(cli, BOLD), (long long)(offset / 1000000),
                (long long)(offset / 1000 % 1000), inbound ? "from" : "to");
        print_clean(cli->out, json_str(line, inbound ? "from" : "to"));
        fprintf(cli->out, " (%s)%s\n", json_str(line, "peer"), colour(cli, PLAIN));
        print_lines(cli->out, json_str(line, "message"));
        if (json_num(line, "cut_bytes"))
            fprintf(cli->out, "(%lld more bytes were not kept)\n", (long long)json_num(line, "cut_bytes"));
    }
    if (gone)
        fprintf(cli->out, "\n(%u older messages are not kept any more)\n", gone);
}
