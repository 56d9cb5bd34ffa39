/* The bootstrap file: reads it, cuts it into sections and lines, and owns the result; keys.c knows what each key means.
 * Runs once at start, before there is a loop. Knows no telephony and no other room. */
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "config/config-priv.h"

#define LINE_MAX_BYTES 4096
#define NAME_MAX_BYTES 64

int config_fail(struct config_reader *r, const char *fmt, ...)
{
    char reason[384];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(reason, sizeof reason, fmt, ap);
    va_end(ap);
    str_clean_utf8(reason); /* it may quote the file */
    snprintf(r->why, r->why_size, "%s:%u: %s", r->file, r->line, reason);
    return -EINVAL;
}

bool config_is_name(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    return len > 0 && len < NAME_MAX_BYTES && !text[len];
}

char *config_trim(char *text)
{
    size_t len;

    text += strspn(text, " \t");
    for (len = strlen(text); len && strchr(" \t", text[len - 1]); len--)
        ;
    text[len] = '\0';
    return text;
}

static int module_section(struct config_reader *r, char *rest)
{
    struct config *c = r->config;
    char *name, *as, *instance, *save = NULL;
    struct config_module *m;

    name = strtok_r(rest, " \t", &save);
    as = strtok_r(NULL, " \t", &save);
    instance = strtok_r(NULL, " \t", &save);
    if (!name || (as && (strcmp(as, "as") != 0 || !instance)) || strtok_r(NULL, " \t", &save))
        return config_fail(r, "a module's section is [module NAME] or [module NAME as INSTANCE]");
    if (!config_is_name(name) || (instance && !config_is_name(instance)))
        return config_fail(r, "\"%s\" cannot be a module's name: letters, digits, - and _ only",
                           config_is_name(name) ? instance : name);
    if (c->module_count == CONFIG_MODULES_MAX)
        return config_fail(r, "more than %d modules", CONFIG_MODULES_MAX);
    for (unsigned i = 0; i < c->module_count; i++) {
        const struct config_module *other = &c->modules[i];

        if (strcmp(other->instance ? other->instance : other->name, instance ? instance : name) == 0)
            return config_fail(r,
                               "module instance \"%s\" was there already in line %u; name this one with "
                               "[module %s as INSTANCE]",
                               instance ? instance : name, other->line, name);
    }
    m = &c->modules[c->module_count++];
    m->name = str_dup(name);
    m->instance = instance ? str_dup(instance) : NULL;
    m->options = mem_new(sizeof *m->options);
    m->line = r->line;
    r->section = CONFIG_SECTION_MODULE;
    return 0;
}

static int read_section(struct config_reader *r, char *text)
{
    size_t len = strlen(text);

    if (text[len - 1] != ']')
        return config_fail(r, "the section name does not end with ]");
    text[len - 1] = '\0';
    text = config_trim(text + 1);
    if (strcmp(text, "switch") == 0)
        r->section = CONFIG_SECTION_SWITCH;
    else if (strcmp(text, "media") == 0)
        r->section = CONFIG_SECTION_MEDIA;
    else if (strcmp(text, "recordings") == 0)
        r->section = CONFIG_SECTION_RECORDINGS;
    else if (strncmp(text, "module", 6) == 0 && strchr(" \t", text[6]))
        return module_section(r, text + 6);
    else
        return config_fail(r, "unknown section [%s]; there are [switch], [media], [recordings] and [module NAME]", text);
    return 0;
}

static int read_line(struct config_reader *r, char *text)
{
    char *equals;

    for (char *hash = strchr(text, '#'); hash; hash = strchr(hash + 1, '#'))
        if (hash == text || strchr(" \t", hash[-1])) {
            *hash = '\0';
            break;
        }
    text = config_trim(text);
    if (!*text)
        return 0;
    if (*text == '[')
        return read_section(r, text);
    equals = strchr(text, '=');
    if (!equals)
        return config_fail(r, "expected [section] or key = value, found \"%s\"", text);
    *equals = '\0';
    return config_key(r, config_trim(text), config_trim(equals + 1));
}

static int read_lines(struct config_reader *r, const char *text, size_t len)
{
    char line[LINE_MAX_BYTES];
    int err = 0;

    for (const char *end = text + len; !err && text < end;) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((stop ? stop : end) - text);

        r->line++;
        if (memchr(text, '\0', n))
            return config_fail(r, "there is a NUL byte in the line: is this a text file?");
        if (n >= sizeof line)
            return config_fail(r, "the line is longer than %zu bytes", sizeof line - 1);
        memcpy(line, text, n);
        if (n && line[n - 1] == '\r')
            n--;
        line[n] = '\0';
        err = read_line(r, line);
        text = stop ? stop + 1 : end;
    }
    return err;
}

int config_parse(const char *name, const char *text, size_t len, struct config **out, char *why, size_t why_size)
{
    struct config_reader r = {.file = name, .why = why, .why_size = why_size};
    int err;

    r.config = mem_new(sizeof *r.config);
    config_defaults(r.config);
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) /* some editors put a byte order mark there */
        text += 3, len -= 3;
    err = read_lines(&r, text, len);
    if (err) {
        config_free(r.config);
        return err;
    }
    err = config_complete(&r);
    if (err) {
        config_free(r.config);
        return err;
    }
    *out = r.config;
    return 0;
}

static int read_file(const char *path, char **text, size_t *len)
{
    FILE *file = fopen(path, "re");
    struct stat st;
    int err = 0;

    if (!file)
        return -errno;
    if (fstat(fileno(file), &st) < 0)
        err = -errno;
    else if (S_ISDIR(st.st_mode))
        err = -EISDIR;
    else {
        *text = mem_new(CONFIG_FILE_MAX + 1);
        *len = fread(*text, 1, CONFIG_FILE_MAX + 1, file);
        err = ferror(file) ? -EIO : *len > CONFIG_FILE_MAX ? -EFBIG : 0;
        if (err)
            free(*text);
    }
    fclose(file);
    return err;
}

int config_load(const char *path, struct config **out, char *why, size_t why_size)
{
    char *text = NULL;
    size_t len = 0;
    int err = read_file(path, &text, &len);

    if (err) {
        snprintf(why, why_size, "%s: the configuration cannot be read: %s", path, strerror(-err));
        return err;
    }
    err = config_parse(path, text, len, out, why, why_size);
    free(text);
    return err;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < c->module_count; i++) {
        struct config_module *m = &c->modules[i];

        for (unsigned j = 0; j < m->option_count * 2; j++)
            free(m->options[j]);
        free(m->options);
        free(m->name);
        free(m->instance);
        free(m->path);
    }
    for (unsigned i = 0; i < c->certificate_count; i++) {
        free(c->certificates[i].file);
        free(c->certificates[i].key);
    }
    free(c->client_ca);
    free(c->server_ca);
    free(c->database);
    free(c->user);
    free(c->state_dir);
    free(c->recordings);
    free(c->run_dir);
    free(c->module_dir);
    free(c->dialplan);
    free(c->dialplan_library);
    free(c->prompts);
    free(c->sounds);
    free(c->media_program);
    free(c);
}
