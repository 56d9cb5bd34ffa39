/* Catalogues of prompts and the order in which files are looked for. Signalling thread; opens the catalogues at the
 * start, and no sound files. */
#include "call/voices.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audio/prompts.h"
#include "audio/sound.h"
#include "base/log.h"
#include "media/sounds.h"

#define CATALOGUE_MAX (1u << 20) /* bytes */
#define LANGUAGES_MAX 32
#define LANGUAGE_DEFAULT "en"

struct voice_of {
    char language[3];
    struct prompts *prompts;
};

struct voices {
    char *catalogues, *site;
    struct voice_of list[LANGUAGES_MAX];
    unsigned count;
};

/* The text of a file, to be freed; NULL with errno. */
static char *read_text(const char *path, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *text = NULL;
    ssize_t got;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && st.st_size <= CATALOGUE_MAX) {
        text = mem_new((size_t)st.st_size + 1);
        got = read(fd, text, (size_t)st.st_size);
        *len = got > 0 ? (size_t)got : 0;
    }
    close(fd);
    return text;
}

static void add(struct voices *voices, const char *file)
{
    struct voice_of *voice = &voices->list[voices->count];
    char path[512], why[160];
    size_t len = 0;
    char *text;

    snprintf(path, sizeof path, "%s/%s", voices->catalogues, file);
    text = read_text(path, &len);
    if (!text)
        log_warn("the prompts in %s cannot be read: %s", path, strerror(errno));
    else if (prompts_parse(&voice->prompts, text, len, why, sizeof why) < 0)
        log_warn("the prompts in %s cannot be used: %s", path, why);
    else {
        str_copy_n(voice->language, sizeof voice->language, file, 2);
        voices->count++;
    }
    free(text);
}

struct voices *voices_open(const char *catalogues, const char *site)
{
    struct voices *voices = mem_new(sizeof *voices);
    DIR *dir = opendir(catalogues);
    struct dirent *entry;

    voices->catalogues = str_dup(catalogues);
    voices->site = str_dup(site);
    if (!dir)
        log_warn("no prompts can be said: %s: %s; see prompts in the configuration", catalogues, strerror(errno));
    while (dir && voices->count < LANGUAGES_MAX && (entry = readdir(dir)))
        if (strlen(entry->d_name) == 6 && strcmp(entry->d_name + 2, ".txt") == 0)
            add(voices, entry->d_name);
    if (dir)
        closedir(dir);
    return voices;
}

void voices_close(struct voices *voices)
{
    if (!voices)
        return;
    for (unsigned i = 0; i < voices->count; i++)
        prompts_free(voices->list[i].prompts);
    free(voices->catalogues);
    free(voices->site);
    free(voices);
}

static const struct voice_of *find(const struct voices *voices, const char *language)
{
    for (unsigned i = 0; i < voices->count; i++)
        if (strncmp(voices->list[i].language, language, 2) == 0)
            return &voices->list[i];
    return NULL;
}

bool voices_speak(const struct voices *voices, const char *language)
{
    return voices && find(voices, language);
}

/* Nothing of a name leads out of the site's directory. */
static bool is_inside(const char *name)
{
    return *name && !strstr(name, "..") && name[0] != '.';
}

static void try_file(const struct voices *voices, struct sounds_fetch *fetch, const char *language, const char *name)
{
    char path[600];

    if (name[0] == '/') {
        sounds_try(fetch, name);
        return;
    }
    if (!is_inside(name))
        return;
    snprintf(path, sizeof path, "%s/%s/%s", voices->site, language, name);
    sounds_try(fetch, path);
    snprintf(path, sizeof path, "%s/%s", voices->site, name);
    sounds_try(fetch, path);
}

void voices_want(const struct voices *voices, struct sounds_fetch *fetch, const char *language, const char *name)
{
    const struct voice_of *voice = find(voices, language);
    struct prompt_places places = {.site = voices->site, .generated = voices->catalogues, .language = language};
    char path[600];
    unsigned tried = 0;
    int err;

    sounds_want(fetch, name);
    if (sound_kind_of(name) >= 0) {
        try_file(voices, fetch, language, name);
        return;
    }
    if (!voice)
        voice = find(voices, LANGUAGE_DEFAULT);
    if (voice)
        places.language = voice->language;
    do {
        err = prompts_path(voice ? voice->prompts : NULL, &places, name, tried++, path, sizeof path);
        if (err == 0)
            sounds_try(fetch, path);
    } while (err == 0 || err == -E2BIG);
}
