/* Puts the rooms together in the order of their needs, and takes them apart in reverse. Signalling thread. The only
 * room that sees all the others; it decides nothing about calls. */
#include "main/daemon.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audio/plugin.h"
#include "base/log.h"
#include "call/hold_music.h"
#include "call/originate.h"
#include "call/recording.h"
#include "call/voices.h"
#include "console/console.h"
#include "db/store.h"
#include "edge/outside.h"
#include "media/sounds.h"
#include "main/admission.h"
#include "main/load.h"
#include "main/records.h"
#include "module/loader.h"
#include "script/script.h"
#include "sip/agent.h"
#include "trace/trace.h"

struct daemon {
    struct loop *loop;
    const struct config *config;
    struct db *db;
    struct media *media;
    struct pbx *pbx;
    struct trace *trace;
    struct edge *edge;
    struct outside *outside; /* NULL: nothing has to be found out */
    struct agent *agent;
    struct console *console;
    struct console_command *modules_command;
    struct console_status *dialplan_status, *modules_status, *files_status, *load_status, *network_status;
    struct load *load;
    struct records *records;
    struct admission *admission;
    struct script *script;
    struct module_set *modules;
    struct loop_timer drain_deadline;
    loop_fn drained;
    void *drained_arg;
};

#define STOP_FLUSH_MS 3000

struct pbx *daemon_pbx(const struct daemon *daemon)
{
    return daemon->pbx;
}

struct edge *daemon_edge(const struct daemon *daemon)
{
    return daemon->edge;
}

/* --- what the rooms report
 * ---------------------------------------------------------------------------------------------- */

static void tell(struct daemon *daemon, enum event_kind kind, const char *detail)
{
    struct event event = {.kind = kind, .detail = detail};

    if (daemon->pbx)
        bus_publish(daemon->pbx->bus, &event);
}

static void media_up(void *arg)
{
    log_info("the media process is ready");
    tell(arg, EVENT_MEDIA_STATE, "up");
}

static void media_down(void *arg, const char *why)
{
    log_warn("the media process is gone (%s); its calls have ended, and it is started again", why);
    tell(arg, EVENT_MEDIA_STATE, why);
}

static void db_state(void *arg, enum db_state state, const char *why)
{
    if (state == DB_READY)
        log_info("the database is ready");
    else
        log_warn("the database is not available: %s. Calls go on with what is known; records are kept on disk", why);
    tell(arg, EVENT_DB_STATE, state == DB_READY ? "ready" : why);
}

static void config_changed(void *arg, const struct snapshot *snapshot)
{
    char generation[24];

    snprintf(generation, sizeof generation, "%llu", (unsigned long long)snapshot_generation(snapshot));
    tell(arg, EVENT_CONFIG, generation);
}

static unsigned digests_for(void *arg, const union addr *source, const char *flow, enum digest_algorithm order[2])
{
    const struct daemon *daemon = arg;
    int listen = edge_flow_listen(daemon->edge, flow);
    const struct config_digests *digests =
        config_digests_for(daemon->config, listen >= 0 ? &daemon->config->listens[listen] : NULL, source);

    for (unsigned i = 0; i < digests->count; i++)
        order[i] = digests->order[i] == CONFIG_DIGEST_MD5 ? DIGEST_MD5 : DIGEST_SHA256;
    return digests->count;
}

/* --- opening
 * -------------------------------------------------------------------------------------------------------------- */

static int check_dir(const char *path, const char *what, char *why, size_t why_size)
{
    if (mkdir(path, 0750) < 0 && errno != EEXIST) {
        snprintf(why, why_size, "the %s %s cannot be made: %s", what, path, strerror(errno));
        return -errno;
    }
    if (access(path, R_OK | W_OK | X_OK) < 0) {
        snprintf(why, why_size, "the %s %s cannot be written: %s", what, path, strerror(errno));
        return -EACCES;
    }
    return 0;
}

/* The edge's key is kept over restarts, so that flows of registered phones stay valid. */
static int edge_key(const char *state_dir, uint8_t key[16], char *why, size_t why_size)
{
    char path[512];
    ssize_t n = -1;
    int fd;

    snprintf(path, sizeof path, "%s/edge.key", state_dir);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, key, 16);
        close(fd);
    }
    if (n == 16)
        return 0;
    random_bytes(key, 16);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, key, 16) != 16) {
        snprintf(why, why_size, "%s cannot be written: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -EACCES;
    }
    close(fd);
    return 0;
}

static enum edge_transport transport_named(const char *name)
{
    return strcmp(name, "tls") == 0 ? EDGE_TLS : strcmp(name, "tcp") == 0 ? EDGE_TCP : EDGE_UDP;
}

static struct edge_tls_config tls_of(const struct config *config,
                                     struct edge_certificate certificates[CONFIG_CERTIFICATES_MAX])
{
    for (unsigned i = 0; i < config->certificate_count; i++)
        certificates[i] = (struct edge_certificate){config->certificates[i].file, config->certificates[i].key};
    return (struct edge_tls_config){.certificates = certificates,
                                    .count = config->certificate_count,
                                    .clients = (enum edge_clients)config->client_certificates,
                                    .client_ca = config->client_ca,
                                    .verify_servers = config->verify_servers,
                                    .server_ca = config->server_ca};
}

static int open_edge(struct daemon *daemon, char *why, size_t why_size)
{
    const struct config *config = daemon->config;
    struct edge_listen listens[CONFIG_LISTENS_MAX];
    struct edge_certificate certificates[CONFIG_CERTIFICATES_MAX];
    struct edge_config edge = {.listens = listens,
                               .count = config->listen_count,
                               .locals = config->locals,
                               .local_count = config->local_count,
                               .source_rate = config->source_rate,
                               .source_burst = 2 * config->source_rate,
                               .connections = config->connections,
                               .connections_per_source = config->connections_per_source,
                               .idle_s = config->connection_idle_s,
                               .tls = tls_of(config, certificates)};
    struct edge_hooks hooks = {.arg = daemon->trace, .message = trace_message};
    int result = edge_key(config->state_dir, edge.key, why, why_size);

    if (result < 0)
        return result;
    memset(listens, 0, sizeof listens);
    for (unsigned i = 0; i < config->listen_count; i++) {
        listens[i].transport = transport_named(config->listens[i].transport);
        listens[i].bind = config->listens[i].bind;
        str_copy(listens[i].public_host, sizeof listens[i].public_host, config->listens[i].public_host);
        listens[i].public_port = config->listens[i].public_port;
    }
    result = edge_open(daemon->loop, &edge, &hooks, &daemon->edge);
    if (result < 0)
        snprintf(why, why_size, "a SIP socket could not be opened: %s. Is another phone system running?",
                 strerror(-result));
    return result;
}

static void public_changed(void *arg, const char *words)
{
    tell(arg, EVENT_PUBLIC_ADDRESS, words);
}

/* What the file does not say as an address is found out: by STUN, or by the name's entry in DNS. */
static void open_outside(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    struct outside_hooks hooks = {.arg = daemon, .changed = public_changed};
    struct outside_config outside = {
        .stun_server = config->stun_server, .name = config->public_host, .every_s = config->stun_interval_s};
    union addr literal;

    if (config->public_host[0] && addr_parse_ip(config->public_host, 0, &literal) == 0)
        return;
    addr_parse_ip("0.0.0.0", 0, &outside.from);
    for (unsigned i = config->listen_count; i-- > 0;)
        if (config->listens[i].bind.sa.sa_family == AF_INET &&
            ntohl(config->listens[i].bind.in.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
            outside.from = config->listens[i].bind;
    daemon->outside = outside_open(daemon->loop, daemon->edge, &outside, &hooks);
}

static json_t *network_status(void *arg)
{
    struct daemon *daemon = arg;
    struct outside_status status;
    char ip[ADDR_TEXT];

    if (!daemon->outside)
        return daemon->config->public_host[0]
                   ? json_pack("{ss,ss}", "public_address", daemon->config->public_host, "source", "configuration")
                   : NULL;
    outside_get(daemon->outside, &status);
    return json_pack("{ss,ss,ss,sI,ss}", "public_address",
                     addr_is_set(&status.address) ? addr_ip_text(&status.address, ip) : "", "source", status.source,
                     "asked", status.asked, "age_s", (json_int_t)status.age_s, "why", status.why);
}

static void say_of_codec(bool bad, const char *line)
{
    if (bad)
        log_warn("%s", line);
}

static int open_media(struct daemon *daemon, char *why, size_t why_size)
{
    const struct config *config = daemon->config;
    struct media_hooks hooks = {.arg = daemon, .up = media_up, .down = media_down};
    struct media_config media = {
        .program = config->media_program,
        .bind4 = config->media_address,
        .bind6 = config->media_address6,
        .port_low = config->media_port_min,
        .port_high = config->media_port_max,
        .threads = config->media_threads,
        .orphan_seconds = config->media_orphan_s,
        .rest_ms = config->media_rest_ms,
    };
    char path[512];
    int result;

    snprintf(path, sizeof path, "%s/media.sock", config->run_dir);
    media.socket_path = path;
    for (unsigned i = 0; i < config->listen_count;
         i++) { /* audio where signalling is, unless the file says otherwise */
        const union addr *bind = &config->listens[i].bind;
        union addr *to = bind->sa.sa_family == AF_INET6 ? &media.bind6 : &media.bind4;

        if (!addr_is_set(to))
            *to = *bind;
    }
    plugin_load(TANDEM_CODECDIR, say_of_codec); /* what the media process will have too */
    result = media_open(daemon->loop, &media, &hooks, &daemon->media);
    if (result < 0)
        snprintf(why, why_size, "the media process cannot be used (%s): %s",
                 config->media_program ? config->media_program : path, strerror(-result));
    return result;
}

static int open_console(struct daemon *daemon, char *why, size_t why_size)
{
    char path[512];
    struct console_core core = {.pbx = daemon->pbx, .trace = daemon->trace, .edge = daemon->edge};
    int result;

    snprintf(path, sizeof path, "%s/control.sock", daemon->config->run_dir);
    result = console_open(daemon->loop, path, &daemon->console);
    if (result == 0)
        result = console_add_core(daemon->console, &core);
    if (result < 0)
        snprintf(why, why_size, "the control socket %s cannot be opened: %s", path,
                 result == -EADDRINUSE ? "another switch listens there" : strerror(-result));
    return result;
}

static void fill_specs(const struct config *config, struct module_spec specs[CONFIG_MODULES_MAX])
{
    for (unsigned i = 0; i < config->module_count; i++) {
        const struct config_module *module = &config->modules[i];

        specs[i].name = module->path ? module->path : module->name;
        specs[i].instance = module->instance ? module->instance : module->path ? module->name : NULL;
        specs[i].options = (const char *const *)module->options;
    }
}

static int start_modules(struct daemon *daemon, char *why, size_t why_size)
{
    const struct config *config = daemon->config;
    struct module_spec specs[CONFIG_MODULES_MAX];
    struct module_set_config set = {.pbx = daemon->pbx,
                                    .console = daemon->console,
                                    .dir = config->module_dir,
                                    .specs = specs,
                                    .count = config->module_count};

    fill_specs(config, specs);
    return modules_start(&set, &daemon->modules, why, why_size);
}

static void modules_shown(void *arg, struct console_request *request, json_t *params)
{
    struct daemon *daemon = arg;

    console_reply(request, json_pack("{so}", "modules", modules_list(daemon->modules)));
}

static json_t *modules_status(void *arg)
{
    struct daemon *daemon = arg;

    return modules_list(daemon->modules);
}

/* Where a backup finds what is not in the database. */
static json_t *files_status(void *arg)
{
    struct daemon *daemon = arg;

    return json_pack("{ss*}", "dialplan", daemon->config->dialplan);
}

static json_t *dialplan_status(void *arg)
{
    const struct daemon *daemon = arg;
    struct script_summary summary = script_summary(daemon->script);

    return json_pack("{s:s,s:I,s:I,s:s}", "dir", daemon->config->dialplan, "contexts", (json_int_t)summary.contexts,
                     "extensions", (json_int_t)summary.extensions, "problem", script_problem(daemon->script));
}

static int open_rooms(struct daemon *daemon, char *why, size_t why_size)
{
    const struct config *config = daemon->config;
    struct db_config db = {.conninfo = config->database, .state_dir = config->state_dir, .node = config->node};
    struct db_hooks db_hooks = {.arg = daemon, .snapshot = config_changed, .state = db_state};
    char recorder_dir[512];
    struct trace_config trace = {.dir = recorder_dir,
                                 .disk_bytes = (uint64_t)config->recorder_size_mb << 20,
                                 .disk_hours = config->recorder_hours};
    struct agent_config agent = {.digests = digests_for,
                                 .digests_arg = daemon,
                                 .media_address4 = config->media_address,
                                 .media_address6 = config->media_address6,
                                 .t1_ms = config->sip_timers.t1,
                                 .t2_ms = config->sip_timers.t2,
                                 .t4_ms = config->sip_timers.t4,
                                 .t1x64_ms = config->sip_timers.t1x64};
    char copy_path[512];
    struct script_config script = {
        .dir = config->dialplan, .library_dir = config->dialplan_library, .copy_path = copy_path};
    int result;

    snprintf(copy_path, sizeof copy_path, "%s/dialplan.copy", config->state_dir);

    if ((result = check_dir(config->state_dir, "state directory", why, why_size)) < 0 ||
        (result = check_dir(config->run_dir, "run directory", why, why_size)) < 0)
        return result;
    if ((result = db_open(daemon->loop, &db, &db_hooks, &daemon->db)) < 0) {
        snprintf(why, why_size, "the database settings cannot be used: %s (the log line above says more)",
                 strerror(-result));
        return result;
    }
    if ((result = open_media(daemon, why, why_size)) < 0)
        return result;
    daemon->pbx = pbx_new(daemon->loop, daemon->media, daemon->db, config->node);
    daemon->pbx->sounds = sounds_new(daemon->loop);
    daemon->pbx->voices = voices_open(config->prompts, config->sounds);
    hold_music_open(daemon->pbx);
    snprintf(recorder_dir, sizeof recorder_dir, "%s/recorder", config->state_dir);
    daemon->trace = trace_open(daemon->loop, daemon->pbx->bus, &trace);
    if ((result = open_edge(daemon, why, why_size)) < 0)
        return result;
    open_outside(daemon);
    agent.edge = daemon->edge;
    if (addr_is_any(&agent.media_address4))
        agent.media_address4.sa.sa_family = AF_UNSPEC;
    if (addr_is_any(&agent.media_address6))
        agent.media_address6.sa.sa_family = AF_UNSPEC;
    if ((result = agent_open(daemon->pbx, &agent, &daemon->agent)) < 0) {
        snprintf(why, why_size, "the SIP agent could not be set up: %s", strerror(-result));
        return result;
    }
    if ((result = store_open(daemon->loop, config->database ? daemon->db : NULL, config->state_dir,
                             &daemon->pbx->store)) < 0) {
        snprintf(why, why_size, "what the dialplan has kept cannot be read: %s", strerror(-result));
        return result;
    }
    originates_open(daemon->pbx, config->database != NULL);
    recordings_open(daemon->pbx, config->recordings);
    daemon->load = load_open(daemon->pbx, daemon->edge, daemon->agent);
    daemon->records = records_open(daemon->pbx);
    daemon->admission = admission_open(daemon->pbx, daemon->edge);
    if ((result = script_open(daemon->pbx, &script, &daemon->script, why, why_size)) < 0)
        return result;
    if ((result = open_console(daemon, why, why_size)) < 0)
        return result;
    if ((result = start_modules(daemon, why, why_size)) < 0)
        return result;
    daemon->dialplan_status = console_add_status(daemon->console, "dialplan", dialplan_status, daemon);
    daemon->modules_status = console_add_status(daemon->console, "modules", modules_status, daemon);
    daemon->files_status = console_add_status(daemon->console, "files", files_status, daemon);
    daemon->load_status = console_add_status(daemon->console, "load", load_status, daemon->load);
    daemon->network_status = console_add_status(daemon->console, "network", network_status, daemon);
    console_add(daemon->console, "modules", "loaded modules", modules_shown, daemon, &daemon->modules_command);
    result = agent_start(daemon->agent);
    if (result < 0)
        snprintf(why, why_size, "the SIP agent could not be started: %s", strerror(-result));
    return result;
}

int daemon_open(struct loop *loop, const struct config *config, struct daemon **out, char *why, size_t why_size)
{
    struct daemon *daemon = mem_new(sizeof *daemon);
    int result;

    daemon->loop = loop;
    daemon->config = config;
    result = open_rooms(daemon, why, why_size);
    if (result < 0) {
        daemon_close(daemon, false);
        return result;
    }
    for (unsigned i = 0; i < config->listen_count; i++) {
        union addr bound = edge_listen_addr(daemon->edge, i);
        char text[ADDR_TEXT];

        log_info("ready: SIP over %s on %s", edge_transport_name(transport_named(config->listens[i].transport)),
                 addr_text(&bound, text));
    }
    *out = daemon;
    return 0;
}

int daemon_check(const struct config *config, char *why, size_t why_size)
{
    struct loop *loop = loop_new_fake();
    struct pbx *pbx = pbx_new(loop, NULL, NULL, config->node);
    struct script_config script_config = {.dir = config->dialplan, .library_dir = config->dialplan_library};
    struct script *script = NULL;
    struct module_spec specs[CONFIG_MODULES_MAX];
    struct module_set_config set = {
        .pbx = pbx, .dir = config->module_dir, .specs = specs, .count = config->module_count};
    struct edge_certificate certificates[CONFIG_CERTIFICATES_MAX];
    struct edge_tls_config tls = tls_of(config, certificates);
    int result = script_open(pbx, &script_config, &script, why, why_size);

    fill_specs(config, specs);
    if (result == 0)
        result = modules_check(&set, why, why_size);
    if (result == 0 && config->certificate_count)
        result = edge_tls_check(&tls, why, why_size);
    if (script)
        script_close(script);
    pbx_free(pbx);
    loop_free(loop);
    return result;
}

/* --- closing
 * ---------------------------------------------------------------------------------------------------------------- */

static void drained(void *arg)
{
    struct daemon *daemon = arg;
    loop_fn fn = daemon->drained;

    loop_timer_stop(daemon->loop, &daemon->drain_deadline);
    daemon->drained = NULL;
    if (fn)
        fn(daemon->drained_arg);
}

void daemon_drain(struct daemon *daemon, loop_fn done, void *arg)
{
    daemon->drained = done;
    daemon->drained_arg = arg;
    modules_drain(daemon->modules);
    loop_timer_start(daemon->loop, &daemon->drain_deadline, DAEMON_DRAIN_MS, drained, daemon);
    pbx_drain(daemon->pbx, drained, daemon);
}

void daemon_close(struct daemon *daemon, bool keep_media)
{
    loop_timer_stop(daemon->loop, &daemon->drain_deadline);
    modules_stop(daemon->modules);
    if (daemon->pbx)
        originates_close(daemon->pbx);
    if (daemon->console) {
        console_remove(daemon->modules_command);
        console_remove_status(daemon->modules_status);
        console_remove_status(daemon->dialplan_status);
        console_remove_status(daemon->files_status);
        console_remove_status(daemon->load_status);
        console_remove_status(daemon->network_status);
    }
    console_close(daemon->console);
    if (daemon->script)
        script_close(daemon->script);
    load_close(daemon->load);
    agent_close(daemon->agent);
    if (daemon->pbx)
        pbx_forget_calls(daemon->pbx);
    loop_turn(daemon->loop, 0);
    if (daemon->media)
        media_close(daemon->media, keep_media);
    loop_turn(daemon->loop, 0);
    if (daemon->pbx)
        recordings_close(daemon->pbx);
    records_close(daemon->records);
    admission_close(daemon->admission);
    outside_close(daemon->outside);
    if (daemon->edge)
        edge_close(daemon->edge);
    if (daemon->trace)
        trace_close(daemon->trace);
    if (daemon->pbx)
        store_close(daemon->pbx->store);
    if (daemon->db)
        db_close(daemon->db, STOP_FLUSH_MS);
    if (daemon->pbx) {
        hold_music_close(daemon->pbx->hold_music);
        sounds_free(daemon->pbx->sounds);
        voices_close(daemon->pbx->voices);
    }
    pbx_free(daemon->pbx);
    free(daemon);
}
