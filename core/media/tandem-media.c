/* tandem-media: the process that owns the RTP sockets and relays between them, so that audio goes on while tandemd is
 * restarted. This file reads the options and runs the control thread; it knows neither SIP nor calls. */
#include "config.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "audio/plugin.h"
#include "base/log.h"
#include "media/control.h"
#include "media/dtls.h"
#include "media/range.h"
#include "media/sandbox.h"
#include "media/secure.h"

static const char help[] = "Usage: tandem-media --socket PATH [options]\n"
                           "Relays the audio of Tandem's calls. Usually tandemd or systemd starts it.\n\n"
                           "  --socket PATH      listen for tandemd here (made with mode 0600)\n"
                           "  --bind4 ADDRESS    IPv4 address of the RTP sockets (0.0.0.0: all); none: no IPv4\n"
                           "  --bind6 ADDRESS    IPv6 address of the RTP sockets (::: all); none: no IPv6\n"
                           "  --ports LOW-HIGH   port range for RTP (default 10000-19999)\n"
                           "  --threads N        media threads (default 0: one a processor core)\n"
                           "  --orphan SECONDS   carry on this long without tandemd (default 600)\n"
                           "  --silence-ms MS    a source this quiet may be replaced by another (default 2000)\n"
                           "  --rest-ms MS       so long a port is not used again (default 5000)\n"
                           "  --report-ms MS     time between reports (RTCP) to a phone; 0: none (default 5000)\n"
                           "  --codecs DIR       codec plug-ins, each a codec_NAME.so (default " TANDEM_CODECDIR ")\n"
                           "  --no-sandbox       no list of allowed system calls (for debuggers)\n"
                           "  --log LEVEL        error, warn, info or debug (default info)\n"
                           "  --help, --version\n";

static int number(const char *option, const char *text, uint64_t max, unsigned *out)
{
    uint64_t value;

    if (str_to_u64(text, max, &value) < 0) {
        fprintf(stderr, "tandem-media: --%s %s: a number from 0 to %llu is needed\n", option, text,
                (unsigned long long)max);
        return -EINVAL;
    }
    *out = (unsigned)value;
    return 0;
}

static int address(const char *option, const char *text, int family, union addr *out)
{
    if (addr_parse_ip(text, 0, out) == 0 && out->sa.sa_family == family)
        return 0;
    fprintf(stderr, "tandem-media: --%s %s: an IPv%d address is needed\n", option, text, family == AF_INET ? 4 : 6);
    return -EINVAL;
}

static int port_range(const char *text, struct control_options *options)
{
    char low[8];
    const char *dash = strchr(text, '-');
    uint64_t from, to;

    if (dash && str_copy_n(low, sizeof low, text, (size_t)(dash - text)) == 0 && str_to_u64(low, 65535, &from) == 0 &&
        str_to_u64(dash + 1, 65535, &to) == 0 && from >= 1024 && from < to) {
        options->port_low = (unsigned)from;
        options->port_high = (unsigned)to;
        return 0;
    }
    fprintf(stderr, "tandem-media: --ports %s: LOW-HIGH is needed, as in 10000-19999, not below 1024\n", text);
    return -EINVAL;
}

static int log_level(const char *text)
{
    enum log_level level;

    if (log_level_parse(text, &level) < 0) {
        fprintf(stderr, "tandem-media: --log %s: error, warn, info or debug is needed\n", text);
        return -EINVAL;
    }
    log_set_level(level);
    return 0;
}

enum {
    OPT_SOCKET = 1,
    OPT_BIND4,
    OPT_BIND6,
    OPT_PORTS,
    OPT_THREADS,
    OPT_ORPHAN,
    OPT_SILENCE,
    OPT_REST,
    OPT_REPORT,
    OPT_CODECS,
    OPT_NO_SANDBOX,
    OPT_LOG,
    OPT_HELP,
    OPT_VERSION
};

static const struct option long_options[] = {
    {"socket", required_argument, NULL, OPT_SOCKET},
    {"bind4", required_argument, NULL, OPT_BIND4},
    {"bind6", required_argument, NULL, OPT_BIND6},
    {"ports", required_argument, NULL, OPT_PORTS},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"orphan", required_argument, NULL, OPT_ORPHAN},
    {"silence-ms", required_argument, NULL, OPT_SILENCE},
    {"rest-ms", required_argument, NULL, OPT_REST},
    {"report-ms", required_argument, NULL, OPT_REPORT},
    {"codecs", required_argument, NULL, OPT_CODECS},
    {"no-sandbox", no_argument, NULL, OPT_NO_SANDBOX},
    {"log", required_argument, NULL, OPT_LOG},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

/* Returns 0 to go on, 1 when all is done, negative when the options are wrong (said on standard error). */
static int read_options(int argc, char **argv, struct control_options *options, const char **codecs)
{
    int option, err = 0;

    while (err == 0 && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (option) {
        case OPT_SOCKET:
            options->socket_path = optarg;
            break;
        case OPT_BIND4:
            err = address("bind4", optarg, AF_INET, &options->bind4);
            break;
        case OPT_BIND6:
            err = address("bind6", optarg, AF_INET6, &options->bind6);
            break;
        case OPT_PORTS:
            err = port_range(optarg, options);
            break;
        case OPT_THREADS:
            err = number("threads", optarg, 256, &options->threads);
            break;
        case OPT_ORPHAN:
            err = number("orphan", optarg, 7 * 86400, &options->orphan_seconds);
            break;
        case OPT_SILENCE:
            err = number("silence-ms", optarg, 60000, &options->silence_ms);
            break;
        case OPT_REST:
            err = number("rest-ms", optarg, 60000, &options->rest_ms);
            break;
        case OPT_REPORT:
            err = number("report-ms", optarg, 60000, &options->report_ms);
            break;
        case OPT_CODECS:
            *codecs = optarg;
            break;
        case OPT_NO_SANDBOX:
            options->no_sandbox = true;
            break;
        case OPT_LOG:
            err = log_level(optarg);
            break;
        case OPT_HELP:
            fputs(help, stdout);
            return 1;
        case OPT_VERSION:
            puts("tandem-media " PACKAGE_VERSION);
            return 1;
        default:
            err = -EINVAL;
        }
    }
    if (err == 0 && optind < argc) {
        fprintf(stderr, "tandem-media: %s is not an option; see --help\n", argv[optind]);
        err = -EINVAL;
    }
    if (err == 0 && !options->socket_path) {
        fputs("tandem-media: --socket PATH is needed; see --help\n", stderr);
        err = -EINVAL;
    }
    if (err == 0 && !addr_is_set(&options->bind4) && !addr_is_set(&options->bind6)) {
        fputs("tandem-media: --bind4 or --bind6 is needed; see --help\n", stderr);
        err = -EINVAL;
    }
    return err;
}

/* Whatever the reason is that there is none: calls must have audio. */
static void enter_sandbox(void)
{
    int err = sandbox_enter();

    if (err == -ENOSYS)
        log_info("runs without a sandbox: this build or kernel has none");
    else if (err < 0)
        log_warn("runs without a sandbox: %s", strerror(-err));
    else
        log_info("only what audio needs can be asked of the kernel from now on");
}

static void say_of_codec(bool bad, const char *line)
{
    if (bad)
        log_warn("%s", line);
    else
        log_info("%s", line);
}

static void stop(void *arg, int signum, unsigned what)
{
    loop_stop(arg);
}

/* Two sockets a port: the usual soft limit of 1024 files is soon used up. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Signals belong to the control thread; threads inherit the mask of their maker. */
static int start_with_signals_blocked(struct loop *loop, const struct control_options *options, struct control **out)
{
    sigset_t all, before;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = control_start(loop, options, out);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

int main(int argc, char **argv)
{
    struct control_options options = {.port_low = 10000,
                                      .port_high = 19999,
                                      .orphan_seconds = 600,
                                      .silence_ms = 2000,
                                      .report_ms = 5000,
                                      .rest_ms = RANGE_REST_US / 1000};
    struct loop_watch *on_term, *on_int;
    struct secure encryption = {.ctx = NULL};
    struct dtls_identity *identity = NULL;
    const char *codecs = TANDEM_CODECDIR;
    struct control *control;
    struct loop *loop;
    int done;

    log_setup("tandem-media", LOG_LEVEL_INFO);
    done = read_options(argc, argv, &options, &codecs);
    if (done)
        return done < 0 ? 2 : 0;
    if (!options.threads) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);

        options.threads = cores > 0 && cores < 256 ? (unsigned)cores : 1;
    }
    tzset(); /* no file can be opened later */
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    signal(SIGPIPE, SIG_IGN); /* standard error may have died with tandemd */
    raise_file_limit();
    (void)secure_setup(&encryption); /* it opens files too; what it says is in the log */
    (void)dtls_identity_new(&identity);
    options.identity = identity;
    plugin_load(codecs, say_of_codec);
    loop = loop_new();
    if (start_with_signals_blocked(loop, &options, &control) < 0) {
        loop_free(loop);
        dtls_identity_free(identity);
        secure_clear(&encryption);
        return 1;
    }
    on_term = loop_signal(loop, SIGTERM, stop, loop);
    on_int = loop_signal(loop, SIGINT, stop, loop);
    if (!options.no_sandbox)
        enter_sandbox();
    loop_run(loop);
    control_stop(control);
    loop_unwatch(on_term);
    loop_unwatch(on_int);
    loop_free(loop);
    dtls_identity_free(identity);
    secure_clear(&encryption);
    return 0;
}
