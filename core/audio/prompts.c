/* Reads catalogues of prompts and knows the order in which directories and kinds of files are tried. Any thread; opens
 * no files: who may, tries the paths. */
#include "audio/prompts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define COLUMN '|'

struct prompt {
    const char *name, *recorded, *words; /* recorded: NULL when there is none */
};

struct prompts {
    char *text; /* what all names point into */
    const char *directory;
    struct prompt *list; /* by name */
    size_t count;
};

/* The part up to the next column, without blanks around it; moves *at behind it. NULL: no more. */
static char *column(char **at)
{
    char *begin = *at, *end;

    if (!begin)
        return NULL;
    end = strchr(begin, COLUMN);
    *at = end ? end + 1 : NULL;
    if (!end)
        end = begin + strlen(begin);
    begin += strspn(begin, " \t");
    while (end > begin && isspace((unsigned char)end[-1]))
        end--;
    *end = '\0';
    return begin;
}

/* No dots: no name leads out of its directory. */
static bool is_name(const char *name)
{
    if (!isalnum((unsigned char)*name))
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && *name != '-' && *name != '_' &&
            (*name != '/' || name[1] == '/' || !name[1]))
            return false;
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct prompt *)a)->name, ((const struct prompt *)b)->name);
}

static const char *add_line(struct prompts *prompts, char *line)
{
    char *at = line, *name = column(&at), *recorded = column(&at), *words = column(&at);

    if (strncmp(name, "directory ", 10) == 0 && !recorded) {
        prompts->directory = name + 10 + strspn(name + 10, " \t");
        return NULL;
    }
    if (!words || !*words || at)
        return "it should be: NAME | FILE | WORDS";
    if (!is_name(name))
        return "not a name of a prompt";
    if (strcmp(recorded, "-") != 0 && !is_name(recorded))
        return "not a name of a recorded file (\"-\": there is none)";
    prompts->list[prompts->count++] =
        (struct prompt){.name = name, .recorded = strcmp(recorded, "-") ? recorded : NULL, .words = words};
    return NULL;
}

static int parse_lines(struct prompts *prompts, char *why, size_t why_size)
{
    char *line = prompts->text;

    for (unsigned number = 1; line; number++) {
        char *next = strchr(line, '\n');
        const char *wrong = NULL;

        if (next)
            *next++ = '\0';
        if (line[strspn(line, " \t\r")] && *line != '#')
            wrong = add_line(prompts, line);
        if (wrong) {
            snprintf(why, why_size, "line %u: %s", number, wrong);
            return -EINVAL;
        }
        line = next;
    }
    if (prompts->count)
        qsort(prompts->list, prompts->count, sizeof prompts->list[0], by_name);
    for (size_t i = 1; i < prompts->count; i++)
        if (strcmp(prompts->list[i - 1].name, prompts->list[i].name) == 0) {
            snprintf(why, why_size, "%s is there twice", prompts->list[i].name);
            return -EINVAL;
        }
    return 0;
}

int prompts_parse(struct prompts **prompts, const char *text, size_t len, char *why, size_t why_size)
{
    struct prompts *p = calloc(1, sizeof *p);
    size_t lines = 1;
    int err = -ENOMEM;

    *prompts = NULL;
    str_copy(why, why_size, "no memory");
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    if (p) {
        p->text = strndup(text, len);
        p->list = calloc(lines, sizeof *p->list);
        if (p->text && p->list)
            err = parse_lines(p, why, why_size);
    }
    if (err) {
        prompts_free(p);
        return err;
    }
    *prompts = p;
    return 0;
}

void prompts_free(struct prompts *prompts)
{
    if (!prompts)
        return;
    free(prompts->text);
    free(prompts->list);
    free(prompts);
}

size_t prompts_count(const struct prompts *prompts)
{
    return prompts->count;
}

const char *prompts_name(const struct prompts *prompts, size_t index)
{
    return index < prompts->count ? prompts->list[index].name : NULL;
}

static const struct prompt *find(const struct prompts *prompts, const char *name)
{
    struct prompt wanted = {.name = name};

    return prompts && prompts->count ? bsearch(&wanted, prompts->list, prompts->count, sizeof prompts->list[0], by_name)
                                     : NULL;
}

const char *prompts_words(const struct prompts *prompts, const char *name)
{
    const struct prompt *prompt = find(prompts, name);

    return prompt ? prompt->words : NULL;
}

const char *prompts_recorded(const struct prompts *prompts, const char *name)
{
    const struct prompt *prompt = find(prompts, name);

    return prompt ? prompt->recorded : NULL;
}

static bool is_there(const char *directory)
{
    return directory && *directory;
}

int prompts_path(const struct prompts *prompts, const struct prompt_places *places, const char *name, unsigned index,
                 char *path, size_t size)
{
    /* Whoever records a prompt keeps one file of it; where there are more, the one with most of the sound. */
    static const char *const own[] = {"opus", "ogg", "sln48", "g722", "sln16", "wav", "sln", "ulaw", "alaw"};
    static const char *const recorded[] = {"g722", "wav"};
    const struct prompt *prompt = find(prompts, name);
    const char *directory = is_there(places->recorded) ? places->recorded : prompts ? prompts->directory : NULL;
    unsigned own_count = is_there(places->site) ? COUNT_OF(own) : 0;
    unsigned recorded_count = prompt && prompt->recorded && is_there(directory) ? COUNT_OF(recorded) : 0;
    size_t used = 0;

    if (!is_name(name))
        return -EINVAL;
    if (size)
        path[0] = '\0';
    if (index < own_count)
        return str_append(path, size, &used, "%s/%s/%s.%s", places->site, places->language, name, own[index]);
    index -= own_count;
    if (index < recorded_count)
        return str_append(path, size, &used, "%s/%s.%s", directory, prompt->recorded, recorded[index]);
    index -= recorded_count;
    if (index == 0 && prompt && is_there(places->generated))
        return str_append(path, size, &used, "%s/%s/%s.wav", places->generated, places->language, name);
    return -ENOENT;
}
