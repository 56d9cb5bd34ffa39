/* Compares SIP URIs and gives them one spelling. Signalling thread. Pure text: knows no messages and resolves no names.
 */
#include "uri.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#define PARAMS_MAX 16

struct parts {
    char text[512]; /* holds what the pointers below point to */
    const char *scheme, *user, *host, *port, *headers;
    struct {
        const char *name, *value;
    } params[PARAMS_MAX];
    unsigned param_count;
};

static int hex_value(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10 : -1;
}

/* Decodes what need not be escaped (RFC 3261 unreserved), writes other escapes in capitals; in place. */
static void even_escapes(char *text)
{
    char *to = text;

    while (*text) {
        int high = text[0] == '%' ? hex_value(text[1]) : -1, low = high >= 0 ? hex_value(text[2]) : -1;

        if (low < 0) {
            *to++ = *text++;
            continue;
        }
        if (isalnum(high << 4 | low) || ((high << 4 | low) > 0x20 && strchr("-_.!~*'()", high << 4 | low))) {
            *to++ = (char)(high << 4 | low);
        } else {
            *to++ = '%';
            *to++ = (char)toupper((unsigned char)text[1]);
            *to++ = (char)toupper((unsigned char)text[2]);
        }
        text += 3;
    }
    *to = '\0';
}

static void lower(char *text)
{
    for (; *text; text++)
        *text = (char)tolower((unsigned char)*text);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int read_params(struct parts *p, char *text)
{
    char *save = NULL;

    for (char *word = strtok_r(text, ";", &save); word; word = strtok_r(NULL, ";", &save)) {
        char *equals = strchr(word, '=');

        if (p->param_count == PARAMS_MAX)
            return -E2BIG;
        if (equals == word)
            return -EINVAL;
        if (equals)
            *equals = '\0';
        even_escapes(word);
        lower(word);
        if (equals) {
            even_escapes(equals + 1);
            lower(equals + 1);
        }
        p->params[p->param_count].name = word;
        p->params[p->param_count++].value = equals ? equals + 1 : "";
    }
    qsort(p->params, p->param_count, sizeof p->params[0], by_name);
    for (unsigned i = 1; i < p->param_count; i++)
        if (strcmp(p->params[i - 1].name, p->params[i].name) == 0)
            return -EINVAL;
    return 0;
}

static int parse(const char *uri, struct parts *p)
{
    static const char host_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    char *rest, *at, *end;

    memset(p, 0, sizeof *p);
    for (const char *c = uri; *c; c++) { /* nothing that could break a header line may come back in an answer */
        if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7F || strchr("<>\"", *c))
            return -EINVAL;
        if (*c == '%' && (hex_value(c[1]) < 0 || hex_value(c[2]) < 0))
            return -EINVAL;
    }
    if (str_copy(p->text, sizeof p->text, uri) < 0)
        return -E2BIG;
    rest = strchr(p->text, ':');
    if (!rest)
        return -EINVAL;
    *rest++ = '\0';
    lower(p->text);
    p->scheme = p->text;
    if (strcmp(p->scheme, "sip") != 0 && strcmp(p->scheme, "sips") != 0)
        return -EINVAL;
    p->user = p->port = p->headers = "";
    at = strchr(rest, '@');
    if (at) {
        if (at == rest || strchr(at + 1, '@'))
            return -EINVAL;
        *at = '\0';
        even_escapes(rest);
        p->user = rest;
        rest = at + 1;
    }
    p->host = rest;
    end = *rest == '[' ? rest + 1 + strspn(rest + 1, "0123456789abcdefABCDEF:.") : rest + strspn(rest, host_chars);
    if (end == rest || (*rest == '[' && *end++ != ']'))
        return -EINVAL;
    if (*end == ':') {
        *end++ = '\0';
        p->port = end;
        end += strspn(end, "0123456789");
        if (end == p->port)
            return -EINVAL;
    }
    rest = strchr(end, '?');
    if (rest) {
        *rest = '\0';
        p->headers = rest + 1;
    }
    if (*end && *end != ';')
        return -EINVAL;
    rest = end + (*end == ';');
    *end = '\0';
    lower((char *)(uintptr_t)p->host);
    return read_params(p, rest);
}

static const char *param(const struct parts *p, const char *name)
{
    for (unsigned i = 0; i < p->param_count; i++)
        if (strcmp(p->params[i].name, name) == 0)
            return p->params[i].value;
    return NULL;
}

/* Parameters that both have must agree; these five must also be in both or in neither. */
static bool params_agree(const struct parts *a, const struct parts *b)
{
    static const char *const strict[] = {"transport", "user", "ttl", "method", "maddr"};

    for (unsigned i = 0; i < a->param_count; i++) {
        const char *other = param(b, a->params[i].name);

        if (other && strcmp(other, a->params[i].value) != 0)
            return false;
    }
    for (size_t i = 0; i < COUNT_OF(strict); i++)
        if (!param(a, strict[i]) != !param(b, strict[i]))
            return false;
    return true;
}

bool uri_same(const char *a, const char *b)
{
    struct parts pa, pb;

    if (strcmp(a, b) == 0)
        return true;
    if (parse(a, &pa) < 0 || parse(b, &pb) < 0)
        return false;
    return strcmp(pa.scheme, pb.scheme) == 0 && strcmp(pa.user, pb.user) == 0 && strcmp(pa.host, pb.host) == 0 &&
           strcmp(pa.port, pb.port) == 0 && strcmp(pa.headers, pb.headers) == 0 && params_agree(&pa, &pb);
}

int uri_key(const char *uri, char *out, size_t size)
{
    struct parts p;
    size_t used = 0;
    int err = parse(uri, &p);

    if (err)
        return err;
    err = str_append(out, size, &used, "%s:%s%s%s%s%s", p.scheme, p.user, *p.user ? "@" : "", p.host,
                     *p.port ? ":" : "", p.port);
    for (unsigned i = 0; !err && i < p.param_count; i++)
        err =
            str_append(out, size, &used, ";%s%s%s", p.params[i].name, *p.params[i].value ? "=" : "", p.params[i].value);
    return err;
}

int uri_addr(const char *uri, union addr *out)
{
    const char *colon = strchr(uri, ':'), *host, *at;
    char text[ADDR_TEXT + 8];
    size_t len;

    if (!colon)
        return -EINVAL;
    host = colon + 1;
    at = strchr(host, '@'); /* inside of a user part it would be escaped */
    if (at)
        host = at + 1;
    len = strcspn(host, ";?");
    if (len >= sizeof text)
        return -EINVAL;
    str_copy_n(text, sizeof text, host, len);
    return addr_parse(text, 5060, out);
}
