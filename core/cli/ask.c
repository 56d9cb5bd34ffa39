/* What people give: answers and secrets, on a terminal with a prompt (secrets without echo), else lines of standard
 * input, so that no secret is in a list of processes or a history of commands; and files. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cli.h"

#define LINE_MAX_BYTES 4096
#define FILE_LIMIT (64u << 20)

bool ask_terminal(void)
{
    return isatty(STDIN_FILENO);
}

/* Echo goes off before the prompt is there: whoever answers it is not seen, however fast. */
static bool read_line(const char *prompt, char *out, size_t size, bool secret)
{
    bool hide = secret && ask_terminal(), got;
    struct termios before, hidden;

    if (hide) {
        hide = tcgetattr(STDIN_FILENO, &before) == 0;
        hidden = before;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        if (hide)
            tcsetattr(STDIN_FILENO, TCSADRAIN, &hidden);
    }
    if (ask_terminal())
        fprintf(stderr, "%s: ", prompt);
    got = fgets(out, (int)size, stdin) != NULL;
    if (hide) {
        tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
        putc('\n', stderr);
    }
    return got;
}

char *ask_line(const char *prompt, bool secret)
{
    char line[LINE_MAX_BYTES], *copy = NULL;
    size_t len;

    if (!read_line(prompt, line, sizeof line, secret)) {
        cli_error("nothing came on standard input (%s)", prompt);
        return NULL;
    }
    len = strcspn(line, "\r\n");
    if (!line[len] && len + 1 == sizeof line)
        cli_error("the line on standard input is too long (%s)", prompt);
    else
        copy = str_dup((line[len] = '\0', line));
    explicit_bzero(line, sizeof line);
    return copy;
}

const char *ask_word(struct cli *cli, const char *prompt)
{
    if (cli->kept_count == COUNT_OF(cli->kept))
        return NULL;
    return cli->kept[cli->kept_count++] = ask_line(prompt, false);
}

char *ask_secret(void)
{
    char *secret = ask_line("Secret", true);

    if (secret && !*secret) {
        cli_error("no secret came on standard input");
        free(secret);
        return NULL;
    }
    return secret;
}

bool ask_yes(const char *question)
{
    char *answer;
    bool yes;

    if (!ask_terminal())
        return false;
    fprintf(stderr, "%s\n", question);
    answer = ask_line("Type yes to go on", false);
    yes = answer && strcmp(answer, "yes") == 0;
    free(answer);
    return yes;
}

char *cli_read_file(const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    size_t used = 0, room = 65536, n;
    char *text;

    if (!file) {
        cli_error("%s cannot be read: %s", path, strerror(errno));
        return NULL;
    }
    text = mem_new(room);
    while ((n = fread(text + used, 1, room - used - 1, file)) > 0) {
        used += n;
        if (used + 1 == room && room < FILE_LIMIT)
            text = mem_resize(text, room *= 2);
    }
    text[used] = '\0';
    if (ferror(file) || strlen(text) != used || used + 1 >= FILE_LIMIT) {
        cli_error("%s %s", path,
                  ferror(file)           ? "cannot be read"
                  : strlen(text) != used ? "is no text"
                                         : "is larger than 64 MiB");
        free(text);
        text = NULL;
    }
    if (file != stdin)
        fclose(file);
    return text;
}
