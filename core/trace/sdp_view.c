/* A light look at SDP for the flight recorder: the lines that people compare. No full parse (that is core/sip's), and
 * it must survive any bytes. Any thread. */
#include "trace/sdp_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define TYPES_MAX 32

struct text {
    const char *at;
    size_t len;
};

static bool next_line(struct text *rest, struct text *line)
{
    const char *end;

    if (!rest->len)
        return false;
    end = memchr(rest->at, '\n', rest->len);
    line->at = rest->at;
    line->len = end ? (size_t)(end - rest->at) : rest->len;
    rest->at += line->len + (end ? 1 : 0);
    rest->len -= line->len + (end ? 1 : 0);
    if (line->len && line->at[line->len - 1] == '\r')
        line->len--;
    return true;
}

static bool begins(const struct text *line, const char *with)
{
    return line->len >= strlen(with) && strncasecmp(line->at, with, strlen(with)) == 0;
}

/* The next word; "" at the end. */
static const char *word(struct text *line, char *out, size_t size)
{
    size_t n = 0;

    while (line->len && *line->at == ' ')
        line->at++, line->len--;
    while (n < line->len && line->at[n] != ' ')
        n++;
    str_copy_n(out, size, line->at, n);
    line->at += n;
    line->len -= n;
    return out;
}

/* Payload types that need no rtpmap (RFC 3551 §6). */
static const char *static_name(unsigned long type)
{
    switch (type) {
    case 0:
        return "PCMU";
    case 3:
        return "GSM";
    case 8:
        return "PCMA";
    case 9:
        return "G722";
    case 18:
        return "G729";
    default:
        return "";
    }
}

struct types {
    unsigned long numbers[TYPES_MAX];
    char names[TYPES_MAX][24];
    unsigned count;
};

static void take_media(struct text line, struct sdp_view *view, struct types *types)
{
    char text[64];

    line.at += 8; /* "m=audio " */
    line.len -= 8;
    view->audio = true;
    view->port = (unsigned)strtoul(word(&line, text, sizeof text), NULL, 10) & 0xffff;
    view->encrypted = strstr(word(&line, text, sizeof text), "SAVP") != NULL;
    while (types->count < TYPES_MAX && *word(&line, text, sizeof text)) {
        types->numbers[types->count] = strtoul(text, NULL, 10);
        str_copy(types->names[types->count], sizeof types->names[0], static_name(types->numbers[types->count]));
        types->count++;
    }
}

static void take_rtpmap(struct text line, struct types *types)
{
    char number[16], name[40], *slash;
    unsigned long type;

    line.at += 9; /* "a=rtpmap:" */
    line.len -= 9;
    type = strtoul(word(&line, number, sizeof number), NULL, 10);
    word(&line, name, sizeof name);
    slash = strchr(name, '/');
    if (slash)
        *slash = '\0';
    for (unsigned i = 0; i < types->count; i++)
        if (types->numbers[i] == type)
            str_copy(types->names[i], sizeof types->names[i], name);
}

static void take_direction(const struct text *line, struct sdp_view *view)
{
    static const char *const words[] = {"sendrecv", "sendonly", "recvonly", "inactive"};

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (line->len == 2 + strlen(words[i]) && strncasecmp(line->at + 2, words[i], line->len - 2) == 0)
            str_copy(view->direction, sizeof view->direction, words[i]);
}

static void take_host(struct text line, struct sdp_view *view)
{
    char text[16];

    line.at += 2; /* "c=" */
    line.len -= 2;
    word(&line, text, sizeof text);
    word(&line, text, sizeof text);
    word(&line, view->host, sizeof view->host);
}

static void name_codecs(struct sdp_view *view, const struct types *types)
{
    size_t used = 0;

    for (unsigned i = 0; i < types->count; i++) {
        const char *name = types->names[i];

        if (strcasecmp(name, "telephone-event") == 0 || strcasecmp(name, "CN") == 0)
            continue;
        if (*name)
            str_append(view->codecs, sizeof view->codecs, &used, "%s%s", used ? " " : "", name);
        else
            str_append(view->codecs, sizeof view->codecs, &used, "%stype %lu", used ? " " : "", types->numbers[i]);
    }
    str_clean_utf8(view->codecs);
    str_clean_utf8(view->host);
}

bool sdp_view(const char *message, size_t len, struct sdp_view *out)
{
    struct text rest = {message, len}, line;
    struct types *types;
    bool others = false;

    memset(out, 0, sizeof *out);
    str_copy(out->direction, sizeof out->direction, "sendrecv");
    while (next_line(&rest, &line) && (line.len || line.at == message))
        ;
    if (!rest.len)
        return false;
    types = mem_new(sizeof *types);
    while (next_line(&rest, &line)) {
        if (begins(&line, "m="))
            others = !begins(&line, "m=audio ") || out->audio;
        if (others)
            continue;
        if (begins(&line, "m="))
            take_media(line, out, types);
        else if (begins(&line, "a=rtpmap:"))
            take_rtpmap(line, types);
        else if (begins(&line, "c="))
            take_host(line, out);
        else if (begins(&line, "a="))
            take_direction(&line, out);
    }
    name_codecs(out, types);
    free(types);
    return out->audio;
}

static void changed(char *out, size_t size, size_t *used, const char *before, const char *after)
{
    if (strcmp(before, after) != 0)
        str_append(out, size, used, "%s%s > %s", *used ? ", " : "", before, after);
}

const char *sdp_words(const struct sdp_view *view, const struct sdp_view *before, char *out, size_t size)
{
    char now[96], then[96];
    size_t used = 0;

    out[0] = '\0';
    snprintf(now, sizeof now, "%s:%u", view->host, view->port);
    if (!before) {
        str_append(out, size, &used, "audio %s, %s, %s%s", view->port ? now : "off", view->codecs, view->direction,
                   view->encrypted ? ", encrypted" : "");
        return out;
    }
    snprintf(then, sizeof then, "%s:%u", before->host, before->port);
    changed(out, size, &used, before->codecs, view->codecs);
    changed(out, size, &used, before->direction, view->direction);
    changed(out, size, &used, then, now);
    changed(out, size, &used, before->encrypted ? "encrypted" : "plain", view->encrypted ? "encrypted" : "plain");
    if (!used)
        str_copy(out, size, "no change");
    return out;
}
