/* Damage to SIP messages. See mutate.h. Test code. */
#include "mutate.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

uint64_t dice_roll(struct dice *dice)
{
    dice->state ^= dice->state >> 12;
    dice->state ^= dice->state << 25;
    dice->state ^= dice->state >> 27;
    return dice->state * 0x2545F4914F6CDD1Dull;
}

unsigned dice_below(struct dice *dice, unsigned below)
{
    return below ? (unsigned)((dice_roll(dice) >> 33) % below) : 0;
}

bool dice_chance(struct dice *dice, unsigned percent)
{
    return dice_below(dice, 100) < percent;
}

/* The message under the hammer. */
struct work {
    struct dice *dice;
    char *text;
    size_t len, room;
};

static size_t place(struct work *w)
{
    return dice_below(w->dice, (unsigned)w->len);
}

/* Puts `put` in the place of `cut` bytes. What does not fit changes nothing. */
static void replace(struct work *w, size_t at, size_t cut, const char *put, size_t len)
{
    if (at > w->len || cut > w->len - at || w->len - cut + len > w->room)
        return;
    memmove(w->text + at + len, w->text + at + cut, w->len - at - cut);
    if (len)
        memcpy(w->text + at, put, len);
    w->len += len - cut;
}

/* --- bytes ------------------------------------------------------------------------------------------------------- */

static void change_byte(struct work *w)
{
    static const char odd[] = {'\0', '\r', '\n', '\t', ' ', '"', '\\',   '<',        '>',        ';',
                               ':',  ',',  '@',  '=',  '%', '/', '?',    '[',        ']',        '(',
                               ')',  '-',  '0',  '9',  'a', 'Z', '\x7f', (char)0x80, (char)0xc3, (char)0xff};
    char *at = w->text + place(w);

    switch (dice_below(w->dice, 3)) {
    case 0:
        *at = (char)(*at ^ (1 << dice_below(w->dice, 8)));
        break;
    case 1:
        *at = odd[dice_below(w->dice, COUNT_OF(odd))];
        break;
    default:
        *at = (char)dice_below(w->dice, 256);
        break;
    }
}

static void insert_bytes(struct work *w)
{
    char bytes[2000];
    size_t len = dice_chance(w->dice, 10) ? dice_below(w->dice, sizeof bytes) : dice_below(w->dice, 8);
    bool same = dice_chance(w->dice, 50);
    char one = (char)dice_below(w->dice, 256);

    for (size_t i = 0; i < len; i++)
        bytes[i] = same ? one : (char)dice_below(w->dice, 256);
    replace(w, place(w), 0, bytes, len);
}

static void delete_bytes(struct work *w)
{
    size_t at = place(w), most = w->len - at;
    size_t len = dice_chance(w->dice, 10) ? most : dice_below(w->dice, 8) + 1u;

    replace(w, at, len < most ? len : most, "", 0);
}

static void repeat_bytes(struct work *w)
{
    char bytes[1000];
    size_t at = place(w), most = w->len - at, len = dice_below(w->dice, dice_chance(w->dice, 10) ? sizeof bytes : 40);

    if (len > most)
        len = most;
    memcpy(bytes, w->text + at, len);
    replace(w, place(w), 0, bytes, len);
}

/* --- lines ------------------------------------------------------------------------------------------------------- */

/* A line with its end; false: there is none. */
static bool pick_line(struct work *w, size_t *at, size_t *len)
{
    size_t from = place(w);
    char *end;

    while (from && w->text[from - 1] != '\n')
        from--;
    end = memchr(w->text + from, '\n', w->len - from);
    *at = from;
    *len = end ? (size_t)(end + 1 - w->text) - from : w->len - from;
    return *len > 2;
}

static void delete_line(struct work *w)
{
    size_t at, len;

    if (pick_line(w, &at, &len))
        replace(w, at, len, "", 0);
}

/* Says a line once more, there or somewhere else. */
static void repeat_line(struct work *w)
{
    char line[4000];
    size_t at, len, other, unused;

    if (!pick_line(w, &at, &len) || len > sizeof line)
        return;
    memcpy(line, w->text + at, len);
    if (dice_chance(w->dice, 30))
        replace(w, at, len, "", 0);
    if (w->len && pick_line(w, &other, &unused))
        replace(w, other, 0, line, len);
}

static void fold_line(struct work *w)
{
    static const char *const folds[] = {"\r\n ", "\r\n\t", "\n ", "\r\n", "\r ", "\r\n\r\n", "\n\n"};
    const char *fold = folds[dice_below(w->dice, COUNT_OF(folds))];

    replace(w, place(w), 0, fold, strlen(fold));
}

/* Another header with this value, or another value under this header. */
static void change_header(struct work *w)
{
    static const char *const names[] = {"Via",
                                        "v",
                                        "From",
                                        "f",
                                        "To",
                                        "t",
                                        "Call-ID",
                                        "i",
                                        "CSeq",
                                        "Contact",
                                        "m",
                                        "Route",
                                        "Record-Route",
                                        "Require",
                                        "Supported",
                                        "k",
                                        "Content-Type",
                                        "c",
                                        "Content-Length",
                                        "l",
                                        "Expires",
                                        "Min-SE",
                                        "Session-Expires",
                                        "x",
                                        "RAck",
                                        "RSeq",
                                        "Max-Forwards",
                                        "Event",
                                        "Path",
                                        "Accept",
                                        "Allow",
                                        "Authorization",
                                        "Proxy-Authorization",
                                        "Content-Encoding",
                                        "e",
                                        "Refer-To",
                                        "Replaces",
                                        "Reason",
                                        "Warning",
                                        "Date",
                                        "Timestamp",
                                        "Subscription-State",
                                        "Retry-After",
                                        "Unsupported",
                                        "Proxy-Require",
                                        "User-Agent",
                                        "Info-Package",
                                        "P-Asserted-Identity"};
    static const char *const values[] = {"",
                                         " ",
                                         ",",
                                         ";",
                                         "*",
                                         "\"",
                                         "<>",
                                         "<sip:>",
                                         "sip:@",
                                         "0",
                                         "-1",
                                         "4294967295",
                                         "4294967296",
                                         "18446744073709551616",
                                         "SIP/2.0/UDP 127.0.0.1",
                                         "SIP/2.0/TCP [::1]:5060;branch=z9hG4bK",
                                         "<sip:201@127.0.0.1>;tag=",
                                         "sip:201@tandem;tag=x",
                                         "<sip:x@127.0.0.1:1;lr;transport=tcp>",
                                         "1 INVITE",
                                         "4294967295 INVITE",
                                         "0 ACK",
                                         "1 1 INVITE",
                                         "100rel",
                                         "timer",
                                         "path",
                                         "1;refresher=uac",
                                         "99999999;refresher=uas",
                                         "application/sdp",
                                         "multipart/mixed;boundary=x",
                                         "text/plain",
                                         "gzip",
                                         "<sip:127.0.0.1;lr;flow=0000000000000000>",
                                         "Digest username=\"201\"",
                                         "Digest",
                                         "tel:+1",
                                         "<urn:x>",
                                         "%00",
                                         "\xff\xfe"};
    const char *value = values[dice_below(w->dice, COUNT_OF(values))];
    const char *name = names[dice_below(w->dice, COUNT_OF(names))];
    char line[300], *colon;
    size_t at, len;

    if (!pick_line(w, &at, &len))
        return;
    colon = memchr(w->text + at, ':', len);
    if (dice_chance(w->dice, 30)) {
        int n = snprintf(line, sizeof line, "%s: %s\r\n", name, value);

        replace(w, at, 0, line, (size_t)n);
    } else if (colon && dice_chance(w->dice, 60)) {
        size_t from = (size_t)(colon + 1 - w->text);

        replace(w, from, at + len - from > 2 ? at + len - from - 2 : 0, value, strlen(value));
    } else if (colon) {
        replace(w, at, (size_t)(colon - w->text) - at, name, strlen(name));
    }
}

/* --- tokens ------------------------------------------------------------------------------------------------------ */

static bool in_token(char c)
{
    return c > ' ' && !strchr("\"(),/:;<=>?@[\\]{}", c);
}

static bool pick_token(struct work *w, size_t *at, size_t *len)
{
    size_t from = place(w), to;

    while (from < w->len && !in_token(w->text[from]))
        from++;
    while (from && in_token(w->text[from - 1]))
        from--;
    for (to = from; to < w->len && in_token(w->text[to]); to++)
        ;
    *at = from;
    *len = to - from;
    return *len > 0;
}

static void change_token(struct work *w)
{
    static const char *const tokens[] = {"",
                                         "0",
                                         "-1",
                                         "1",
                                         "255",
                                         "256",
                                         "65535",
                                         "65536",
                                         "2147483647",
                                         "2147483648",
                                         "4294967295",
                                         "4294967296",
                                         "9223372036854775807",
                                         "99999999999999999999999",
                                         "0x10",
                                         "1e9",
                                         "%",
                                         "%00",
                                         "%zz",
                                         "%0d%0a",
                                         "\"",
                                         "\"\"",
                                         "\\",
                                         "<",
                                         ">",
                                         "*",
                                         "~",
                                         "sip",
                                         "sips",
                                         "tel",
                                         "SIP/2.0",
                                         "SIP/3.0",
                                         "INVITE",
                                         "ACK",
                                         "BYE",
                                         "CANCEL",
                                         "REGISTER",
                                         "PRACK",
                                         "UPDATE",
                                         "z9hG4bK",
                                         "lr",
                                         "tag",
                                         "branch",
                                         "::",
                                         "[::1]",
                                         "127.0.0.1",
                                         "0.0.0.0",
                                         "255.255.255.255",
                                         "IN",
                                         "IP6",
                                         "RTP/AVP",
                                         "audio",
                                         "\xc3\xa9"};
    char token[3000];
    size_t at, len, other, other_len;
    const char *put = tokens[dice_below(w->dice, COUNT_OF(tokens))];

    if (!pick_token(w, &at, &len))
        return;
    switch (dice_below(w->dice, 8)) {
    case 0: /* very long */
        memset(token, 'a', sizeof token);
        replace(w, at, len, token, dice_below(w->dice, sizeof token));
        break;
    case 1: /* another one of this message */
        if (!pick_token(w, &other, &other_len) || other_len > sizeof token)
            return;
        memcpy(token, w->text + other, other_len);
        replace(w, at, len, token, other_len);
        break;
    case 2: /* in the other case */
        for (size_t i = at; i < at + len; i++)
            w->text[i] = (char)(w->text[i] ^ ((w->text[i] | 0x20) >= 'a' && (w->text[i] | 0x20) <= 'z' ? 0x20 : 0));
        break;
    case 3: /* and a parameter more */
        replace(w, at + len, 0, ";x=", 3);
        break;
    default:
        replace(w, at, len, put, strlen(put));
        break;
    }
}

static void change_delimiter(struct work *w)
{
    static const char delimiters[] = "\"(),/:;<=>?@[\\] \r\n%";
    char one = delimiters[dice_below(w->dice, sizeof delimiters - 1)];
    size_t at = place(w);

    while (at < w->len && in_token(w->text[at]))
        at++;
    replace(w, at, at < w->len && dice_chance(w->dice, 50), &one, dice_chance(w->dice, 80));
}

/* Content-Length as it should be. */
static void put_right(struct work *w)
{
    char *end = memmem(w->text, w->len, "\r\n\r\n", 4), *line, *stop, number[24];
    size_t body;
    int n;

    if (!end)
        return;
    body = w->len - (size_t)(end + 4 - w->text);
    line = memmem(w->text, (size_t)(end - w->text), "Content-Length:", 15);
    if (!line)
        return;
    line += 15;
    stop = memchr(line, '\r', (size_t)(end + 1 - line));
    n = snprintf(number, sizeof number, " %zu", body);
    if (stop)
        replace(w, (size_t)(line - w->text), (size_t)(stop - line), number, (size_t)n);
}

size_t mutate(struct dice *dice, char *text, size_t len, size_t room)
{
    static void (*const hammers[])(struct work *) = {
        change_byte, change_byte,   insert_bytes,  delete_bytes, repeat_bytes, delete_line,  repeat_line,
        fold_line,   change_header, change_header, change_token, change_token, change_token, change_delimiter};
    struct work w = {dice, text, len, room};
    unsigned times = 1 + dice_below(dice, 4);

    while (times-- && w.len)
        hammers[dice_below(dice, COUNT_OF(hammers))](&w);
    if (w.len && dice_chance(dice, 75))
        put_right(&w);
    if (!w.len)
        text[w.len++] = '\n';
    return w.len;
}
