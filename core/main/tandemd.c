/* tandemd: options, configuration, signals. The signalling thread is this program's main thread. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "config.h"
#include "config/config.h"
#include "main/daemon.h"
#include "main/notify.h"
#include "main/privileges.h"

struct run {
    struct loop *loop;
    struct daemon *daemon;
    struct notify *notify;
    bool stopping;
};

static void help(void)
{
    printf("Usage: tandemd -c FILE [options]\n"
           "The Tandem switch. Runs in the foreground and logs to standard error.\n\n"
           "  -c, --config FILE    configuration (default %s/tandem.conf)\n"
           "      --check-config   check configuration, dialplan and modules, then end\n"
           "  -v, --verbose        log everything\n"
           "      --version        print the version\n"
           "      --help           this text\n\n"
           "SIGTERM or SIGINT ends calls properly and then the program; a second one ends at once.\n",
           TANDEM_SYSCONFDIR);
}

static void drained(void *arg)
{
    struct run *run = arg;

    loop_stop(run->loop);
}

static void on_signal(void *arg, int signum, unsigned what)
{
    struct run *run = arg;

    if (run->stopping) {
        log_warn("a second signal: ending at once");
        _exit(1);
    }
    run->stopping = true;
    notify_stopping(run->notify);
    log_info("%s: stopping", signum == SIGINT ? "SIGINT" : "SIGTERM");
    daemon_drain(run->daemon, drained, run);
}

static int run_switch(const struct config *config)
{
    const char *const dirs[] = {config->state_dir, config->run_dir, NULL};
    struct loop_watch *term, *intr;
    struct run run = {0};
    char why[600] = "";
    int dropped = privileges_drop(config->user, dirs, why, sizeof why), result = dropped;

    if (dropped >= 0) {
        run.loop = loop_new();
        result = daemon_open(run.loop, config, &run.daemon, why, sizeof why);
    }
    if (result < 0) {
        log_error("not started: %s", why);
        loop_free(run.loop);
        return 1;
    }
    privileges_seal(dropped > 0);
    run.notify = notify_ready(run.loop);
    term = loop_signal(run.loop, SIGTERM, on_signal, &run);
    intr = loop_signal(run.loop, SIGINT, on_signal, &run);
    loop_run(run.loop);
    daemon_close(run.daemon, false);
    notify_free(run.notify);
    loop_unwatch(term);
    loop_unwatch(intr);
    loop_free(run.loop);
    log_info("stopped");
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"check-config", no_argument, NULL, 'k'},
        {"verbose", no_argument, NULL, 'v'},      {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    const char *path = TANDEM_SYSCONFDIR "/tandem.conf";
    bool check = false, verbose = false;
    struct config *config;
    char why[600];
    int opt, status;

    while ((opt = getopt_long(argc, argv, "c:vh", options, NULL)) != -1) {
        switch (opt) {
        case 'c':
            path = optarg;
            break;
        case 'k':
            check = true;
            break;
        case 'v':
            verbose = true;
            break;
        case 'V':
            printf("tandemd %s\n", PACKAGE_VERSION);
            return 0;
        case 'h':
            help();
            return 0;
        default:
            fprintf(stderr, "Try tandemd --help\n");
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "tandemd: what is \"%s\"? Try tandemd --help\n", argv[optind]);
        return 2;
    }
    log_setup("tandemd", LOG_LEVEL_INFO);
    if (config_load(path, &config, why, sizeof why) < 0) {
        log_error("%s", why);
        return 1;
    }
    log_set_level(verbose ? LOG_LEVEL_DEBUG : config->log);
    signal(SIGPIPE, SIG_IGN);
    if (check) {
        status = daemon_check(config, why, sizeof why) < 0;
        if (status)
            log_error("%s", why);
        else
            printf("%s is in order\n", path);
    } else {
        status = run_switch(config);
    }
    config_free(config);
    return status;
}
