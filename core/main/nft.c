/* Runs nft for one element at a time, on the worker lane that has nothing urgent to do. Signalling thread and a worker;
 * the two share nothing but the job. It must not know what a ban is. */
#include "config.h" /* first: it asks the C library for its extensions */

#include "main/nft.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

#define LANE 3

struct job {
    char family[16], table[64], set[72];
    char element[NETWORK_TEXT + 40]; /* "{ 192.0.2.7 timeout 60s }" */
    const char *verb;
    int error;
    char words[200]; /* of nft */
};

extern char **environ;

/* What nft says on standard error, as far as there is room for it. Until it has ended. */
static void read_words(int fd, char *out, size_t size)
{
    char rest[256];
    size_t used = 0;
    ssize_t n;

    while ((n = read(fd, used + 1 < size ? out + used : rest, used + 1 < size ? size - 1 - used : sizeof rest)) > 0)
        if (used + 1 < size)
            used += (size_t)n;
    out[used] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

static void run(void *arg)
{
    struct job *job = arg;
    char *argv[] = {
        (char *)"nft", (char *)(uintptr_t)job->verb, (char *)"element", job->family, job->table, job->set, job->element,
        NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none;
    int pipes[2], status = 0;
    pid_t pid;

    if (pipe2(pipes, O_CLOEXEC) < 0) {
        job->error = errno;
        return;
    }
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, pipes[1], STDERR_FILENO);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attr, &none);
    job->error = posix_spawnp(&pid, "nft", &files, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    close(pipes[1]);
    if (!job->error) {
        read_words(pipes[0], job->words, sizeof job->words);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        job->error = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EREMOTEIO;
    }
    close(pipes[0]);
}

static void done(void *arg)
{
    struct job *job = arg;

    /* what is gone already need not be deleted: its time was over, or somebody has emptied the set */
    if (job->error && strcmp(job->verb, "delete") != 0)
        log_warn("bans: nft did not take %s into the set %s %s %s: %s (setting nft_set)", job->element, job->family,
                 job->table, job->set, job->error == EREMOTEIO && job->words[0] ? job->words : strerror(job->error));
    free(job);
}

static void start(struct loop *loop, const char *verb, const char *set, const struct network *network, uint64_t seconds)
{
    struct job *job = mem_new(sizeof *job);
    char name[64], text[NETWORK_TEXT];
    size_t used = 0;

    if (sscanf(set, "%15s %63s %63s", job->family, job->table, name) != 3) {
        free(job);
        return;
    }
    job->verb = verb;
    snprintf(job->set, sizeof job->set, "%s%c", name, network->addr.sa.sa_family == AF_INET6 ? '6' : '4');
    str_append(job->element, sizeof job->element, &used, "{ %s", network_short(network, text));
    if (seconds)
        str_append(job->element, sizeof job->element, &used, " timeout %llus", (unsigned long long)seconds);
    str_append(job->element, sizeof job->element, &used, " }");
    loop_work(loop, LANE, run, done, job);
}

void nft_add(struct loop *loop, const char *set, const struct network *network, uint64_t seconds)
{
    start(loop, "add", set, network, seconds);
}

void nft_delete(struct loop *loop, const char *set, const struct network *network)
{
    start(loop, "delete", set, network, 0);
}
