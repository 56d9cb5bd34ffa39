/* Starts tandem-media so that it outlives tandemd: a session of its own, no descriptors but standard error. Signalling
 * thread; knows no ports. */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "media/client-priv.h"

#define ARGS_MAX 20

extern char **environ;

static int spawn(const char *program, char **argv, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    int err;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    err = posix_spawn(pid, program, &files, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return -err;
}

pid_t media_start_program(const struct media_config *config)
{
    char ports[16], threads[12], orphan[12], rest[12], bind4[ADDR_TEXT], bind6[ADDR_TEXT];
    const char *args[ARGS_MAX] = {config->program, "--socket", config->socket_path, "--ports", ports,
                                  "--threads",     threads,    "--orphan",          orphan};
    size_t n = 9;
    char *argv[ARGS_MAX];
    pid_t pid;
    int err;

    snprintf(ports, sizeof ports, "%u-%u", config->port_low, config->port_high);
    snprintf(threads, sizeof threads, "%u", config->threads);
    snprintf(orphan, sizeof orphan, "%u", config->orphan_seconds ? config->orphan_seconds : 600);
    if (config->rest_ms) {
        snprintf(rest, sizeof rest, "%u", config->rest_ms);
        args[n++] = "--rest-ms";
        args[n++] = rest;
    }
    if (addr_is_set(&config->bind4)) {
        args[n++] = "--bind4";
        args[n++] = addr_ip_text(&config->bind4, bind4);
    }
    if (addr_is_set(&config->bind6)) {
        args[n++] = "--bind6";
        args[n++] = addr_ip_text(&config->bind6, bind6);
    }
    args[n++] = NULL;
    memcpy(argv, args, sizeof argv); /* execve() takes them without const and does not write to them */
    err = spawn(config->program, argv, &pid);
    if (err < 0) {
        log_error("the media process %s cannot be started: %s; no call has audio until it runs", config->program,
                  strerror(-err));
        return err;
    }
    log_info("media process %s started, pid %d", config->program, (int)pid);
    return pid;
}

bool media_reap(struct media *media)
{
    int status;
    pid_t pid;

    if (media->child <= 0)
        return true;
    pid = waitpid(media->child, &status, WNOHANG);
    if (pid == 0)
        return false;
    if (pid == media->child && WIFSIGNALED(status) && !(media->closing && WTERMSIG(status) == SIGTERM))
        log_error("the media process (pid %d) was ended by signal %d (%s)", (int)pid, WTERMSIG(status),
                  strsignal(WTERMSIG(status)));
    else if (pid == media->child && WIFEXITED(status) && WEXITSTATUS(status) != 0)
        log_error("the media process (pid %d) ended with status %d; what it wrote before says why", (int)pid,
                  WEXITSTATUS(status));
    media->child = 0; /* also when somebody else has reaped it */
    return true;
}
