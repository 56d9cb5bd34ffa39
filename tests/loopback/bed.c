/* The test bed. See bed.h. */
#include "bed.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/obj.h"
#include "db/live-priv.h"
#include "sip/agent.h"

#define REALM "tandem-test"

static void happened(void *arg, const struct event *event)
{
    struct bed *bed = arg;

    if (event->kind == EVENT_LEG_RECORDED) {
        bed->legs_recorded++;
        bed->last_stats = event->leg->stats;
        bed->rejected += event->leg->stats.rejected;
        return;
    }
    bed->calls_ended++;
    str_copy(bed->last_cause, sizeof bed->last_cause, cause_info(event->call->cause)->id);
    str_copy(bed->last_who, sizeof bed->last_who, who_name(event->call->who));
    str_copy(bed->last_detail, sizeof bed->last_detail, event->call->detail);
    bed->last_talk_ms = event->call->answered_us ? (event->call->ended_us - event->call->answered_us) / 1000 : 0;
}

static const char *need_env(const char *name)
{
    const char *value = getenv(name);

    if (!value) {
        fprintf(stderr, "%s is not set: run the tests with make check\n", name);
        exit(1);
    }
    return value;
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[400];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        abort();
}

static struct account *make_account(const char *name)
{
    char secret[32];

    snprintf(secret, sizeof secret, "secret-of-%.16s", name);
    return account_new(name, REALM, secret);
}

static void bed_start(struct bed *bed)
{
    struct snapshot *snapshot = snapshot_new(1);
    char why[512];

    if (daemon_open(bed->loop, bed->config, &bed->daemon, why, sizeof why) < 0)
        ck_abort_msg("%s", why);
    bed->pbx = daemon_pbx(bed->daemon);
    snapshot_put_setting(snapshot, "realm", REALM);
    for (int i = 201; i <= 205; i++) {
        char name[16];

        snprintf(name, sizeof name, "%d", i);
        snapshot_put_account(snapshot, make_account(name));
    }
    db_set_snapshot(bed->pbx->db, snapshot);
    for (unsigned i = 0; i < bed->config->listen_count; i++)
        bed->at[i] = edge_listen_addr(daemon_edge(bed->daemon), i);
    bed->sip = bed->at[0];
    bed->subscription =
        bus_subscribe(bed->pbx->bus, EVENT_BIT(EVENT_CALL_ENDED) | EVENT_BIT(EVENT_LEG_RECORDED), happened, bed);
    bed_until(bed, media_is_up(bed->pbx->media));
}

void bed_restart(struct bed *bed)
{
    bus_unsubscribe(bed->subscription);
    for (unsigned i = 0; i < bed->config->listen_count; i++)
        bed->config->listens[i].bind = bed->at[i];
    daemon_close(bed->daemon, false);
    bed_start(bed);
}

void bed_setting(struct bed *bed, const char *key, const char *value)
{
    struct snapshot *snapshot = snapshot_next(db_snapshot(bed->pbx->db));

    snapshot_put_setting(snapshot, key, value);
    db_set_snapshot(bed->pbx->db, snapshot);
}

void bed_live(struct bed *bed, const char *kind, const char *account, const char *key, const char *value)
{
    struct live_kind *found;

    LIST_FOR_EACH(found, &db_live(bed->pbx->db)->kinds, in_live)
    {
        if (strcmp(found->name, kind) == 0) {
            live_row_heard(found, account, key, loop_wall_us(bed->loop) + 1000, value);
            return;
        }
    }
    ck_abort_msg("nobody has the kind %s", kind);
}

void bed_feature(struct bed *bed, const char *kind, const char *name, const char *value)
{
    struct snapshot *snapshot = snapshot_next(db_snapshot(bed->pbx->db));

    if (value)
        snapshot_put_feature(snapshot, feature_new(kind, name, value));
    else
        snapshot_drop_feature(snapshot, kind, name);
    db_set_snapshot(bed->pbx->db, snapshot);
}

void bed_session_policy(struct bed *bed, const char *name, const struct session_policy *policy)
{
    struct snapshot *snapshot = snapshot_next(db_snapshot(bed->pbx->db));
    struct account *account = make_account(name);

    account->session = *policy;
    snapshot_put_account(snapshot, account);
    db_set_snapshot(bed->pbx->db, snapshot);
}

void bed_change(struct bed *bed, const char *name, void (*change)(struct account *account))
{
    struct snapshot *snapshot = snapshot_next(db_snapshot(bed->pbx->db));
    struct account *account = make_account(name);

    change(account);
    snapshot_put_account(snapshot, account);
    db_set_snapshot(bed->pbx->db, snapshot);
}

void bed_srtp(struct bed *bed, const char *name, enum srtp_mode mode, bool without_tls)
{
    struct snapshot *snapshot = snapshot_next(db_snapshot(bed->pbx->db));
    struct account *account = make_account(name);

    account->srtp = mode;
    account->srtp_without_tls = without_tls;
    snapshot_put_account(snapshot, account);
    db_set_snapshot(bed->pbx->db, snapshot);
}

void bed_dtmf(struct bed *bed, const char *name, enum dtmf_mode mode)
{
    struct snapshot *snapshot = snapshot_next(db_snapshot(bed->pbx->db));
    struct account *account = make_account(name);

    account->dtmf = mode;
    snapshot_put_account(snapshot, account);
    db_set_snapshot(bed->pbx->db, snapshot);
}

void bed_srtp_keys(struct bed *bed, const char *name, enum srtp_mode mode, enum srtp_keys keys)
{
    struct snapshot *snapshot = snapshot_next(db_snapshot(bed->pbx->db));
    struct account *account = make_account(name);

    account->srtp = mode;
    account->srtp_keys = keys;
    snapshot_put_account(snapshot, account);
    db_set_snapshot(bed->pbx->db, snapshot);
}

void bed_codecs(struct bed *bed, const char *name, const char *codecs)
{
    struct snapshot *snapshot = snapshot_next(db_snapshot(bed->pbx->db));
    struct account *account = make_account(name);

    account_text(&account->codecs, codecs);
    snapshot_put_account(snapshot, account);
    db_set_snapshot(bed->pbx->db, snapshot);
}

void bed_music(struct bed *bed, const char *name, unsigned char sound)
{
    struct snapshot *snapshot = snapshot_next(db_snapshot(bed->pbx->db));
    char path[160], second[8000];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s.ulaw", bed->dir, name);
    memset(second, sound, sizeof second);
    f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(second, 1, sizeof second, f), sizeof second);
    ck_assert_int_eq(fclose(f), 0);
    snapshot_put_music(snapshot, music_class_new(name, false, path, false));
    db_set_snapshot(bed->pbx->db, snapshot);
}

void bed_music_class(struct bed *bed, const char *account, const char *name)
{
    struct snapshot *snapshot = snapshot_next(db_snapshot(bed->pbx->db));
    struct account *changed = make_account(account);

    account_text(&changed->music_class, name);
    snapshot_put_account(snapshot, changed);
    db_set_snapshot(bed->pbx->db, snapshot);
}

void bed_pickup_group(struct bed *bed, const char *name, const char *groups)
{
    struct snapshot *snapshot = snapshot_next(db_snapshot(bed->pbx->db));
    struct account *account = make_account(name);

    account_text(&account->pickup_group, groups);
    snapshot_put_account(snapshot, account);
    db_set_snapshot(bed->pbx->db, snapshot);
}

void bed_context(struct bed *bed, const char *name, const char *context)
{
    struct snapshot *snapshot = snapshot_next(db_snapshot(bed->pbx->db));
    struct account *account = make_account(name);

    str_copy(account->context, sizeof account->context, context);
    snapshot_put_account(snapshot, account);
    db_set_snapshot(bed->pbx->db, snapshot);
}

bool bed_has_ip6(void)
{
    union addr at;
    int fd;

    addr_parse_ip("::1", 0, &at);
    fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, &at.sa, addr_len(&at)) == 0)
        return close(fd) == 0;
    if (fd >= 0)
        close(fd);
    return false;
}

/* --- port numbers that no other test takes: blocks of ten belong to whoever holds a socket of their name, which the
 * kernel takes back when the process ends; tests/e2e/harness/ports.py does the same -------------------------------- */

#define PORTS_FIRST 12000
#define PORTS_LAST 31990
#define PORTS_BLOCK 10

static int claim(int start)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int len = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "tandem-e2e-ports-%d", start);

    if (bind(fd, (struct sockaddr *)&name, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Somebody without a lease may sit there: a media process that a failed test left behind. */
static bool quiet(int start)
{
    bool free_ = true;

    for (int port = start; free_ && port < start + PORTS_BLOCK; port++) {
        union addr at = {.in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)}};
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        at.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK); /* what others have on addresses of their own is no matter */
        free_ = bind(fd, &at.sa, addr_len(&at)) == 0;
        close(fd);
    }
    return free_;
}

static void give_back(struct bed *bed)
{
    while (bed->lock_count)
        close(bed->locks[--bed->lock_count]);
}

/* The first of as many ports in a row as there are locks; 0: there are no such now. */
static int try_lease(struct bed *bed)
{
    int slots = (PORTS_LAST - PORTS_FIRST) / PORTS_BLOCK, at = (int)(getpid() * 97u % (unsigned)slots);

    for (int tried = 0; tried < 2 * slots; tried++, at++) {
        int start, fd;

        if (at == slots) {
            give_back(bed);
            at = 0;
        }
        start = PORTS_FIRST + at * PORTS_BLOCK;
        fd = claim(start);
        if (fd >= 0)
            bed->locks[bed->lock_count++] = fd;
        if (fd < 0 || !quiet(start))
            give_back(bed);
        if (bed->lock_count == bed->lock_wanted)
            return start + PORTS_BLOCK - (int)bed->lock_wanted * PORTS_BLOCK;
    }
    give_back(bed);
    return 0;
}

/* Others on this machine may have them all for a moment. */
static int lease_ports(struct bed *bed, unsigned ports)
{
    bed->lock_wanted = ports / PORTS_BLOCK;
    for (uint64_t until_ = now_ms() + UA_WAIT_MS; now_ms() < until_; poll(NULL, 0, 100)) {
        int first = try_lease(bed);

        if (first)
            return first;
    }
    ck_abort_msg("no range of ports is free for the test");
    return 0;
}

struct bed *bed_open_with(const struct bed_options *options)
{
    struct bed *bed = mem_new(sizeof *bed);
    const char *build = need_env("TANDEM_BUILD"), *source = need_env("TANDEM_SRC");
    char text[4096], why[512], plan[300], tls[300] = "";
    bool six = bed_has_ip6() && !options->ip4_only;
    const char *modules = options->modules, *dialplan = options->dialplan;
    unsigned ports = options->media_ports ? options->media_ports : BED_PORTS;
    int base = lease_ports(bed, ports);

    str_copy(bed->dir, sizeof bed->dir, "/tmp/tandem-loopback-XXXXXX");
    if (!mkdtemp(bed->dir))
        abort();
    log_setup("loopback", getenv("TANDEM_TEST_VERBOSE") ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN);
    snprintf(plan, sizeof plan, "%s/dialplan", source);
    if (dialplan) {
        snprintf(plan, sizeof plan, "%s/dialplan", bed->dir);
        mkdir(plan, 0700);
        write_file(plan, "init.lua", dialplan);
    }
    if (options->tls) {
        bed->certificate = certificate_new(CERTIFICATE_EC, "localhost", "DNS:localhost,IP:127.0.0.1,IP:::1", 90, NULL);
        certificate_write(&bed->certificate, NULL, bed->dir, "tls");
        snprintf(tls, sizeof tls, "listen = tls:127.0.0.1:0\n%scertificate = %s/tls.pem\nkey = %s/tls.key\n",
                 six ? "listen = tls:[::1]:0\n" : "", bed->dir, bed->dir);
    }
    snprintf(text, sizeof text,
             "[switch]\nlisten = udp:127.0.0.1:0\nlisten = tcp:127.0.0.1:0\n%s%s%sstate_dir = %s/state\nrun_dir = "
             "%s/run\nmodule_dir = %s/modules/.libs\n"
             "dialplan = %s\ndialplan_library = %s/dialplan\nlog = warn\n[media]\nports = %d-%d\nprogram = "
             "%s/core/tandem-media\nthreads = 2\norphan = 20\n"
             "[module registrar]\n%s",
             six ? "listen = udp:[::1]:0\nlisten = tcp:[::1]:0\n" : "", tls, options->lines ? options->lines : "",
             bed->dir, bed->dir, build, plan, source, base, base + (int)ports - 1, build, modules ? modules : "");
    if (config_parse("test", text, strlen(text), &bed->config, why, sizeof why) < 0)
        ck_abort_msg("%s", why);
    bed->config->sip_timers = options->sip_timers;
    bed->config->media_rest_ms = options->media_rest_ms;
    log_set_level(getenv("TANDEM_TEST_VERBOSE") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
    bed->loop = loop_new();
    bed_start(bed);
    return bed;
}

struct bed *bed_open(const char *modules, const char *dialplan)
{
    return bed_open_with(&(struct bed_options){.modules = modules, .dialplan = dialplan});
}

void bed_print_object(void *arg, const char *type, const void *obj, unsigned refs, const char *holders)
{
    const struct leg *leg = obj;

    if (strcmp(type, "leg") == 0)
        fprintf(stderr, "leg of %s: %s, kept by %s\n", leg->number, fsm_name(&leg_states, leg->state), holders);
    else if (strcmp(type, "call") == 0)
        fprintf(stderr, "call: kept by %s\n", holders);
}

/* Calls, legs, dialogs (those too that are nobody's leg) and audio ports that are left. */
static unsigned left_over(const struct bed *bed)
{
    struct media_status media;
    struct agent_stats agent;

    media_get_status(bed->pbx->media, &media);
    agent_get_stats(bed->pbx->sip, &agent);
    return bed->pbx->call_count + bed->pbx->leg_count + (unsigned)agent.dialogs + media.ports_used;
}

void bed_close(struct bed *bed)
{
    for (uint64_t until_ = now_ms() + (uint64_t)(UA_WAIT_MS); now_ms() < until_ && left_over(bed);)
        loop_turn(bed->loop, 2);
    if (left_over(bed))
        obj_each(bed_print_object, NULL); /* says something in debug builds only */
    ck_assert_uint_eq(left_over(bed), 0);
    bed_abandon(bed);
}

void bed_abandon(struct bed *bed)
{
    char command[100];

    bus_unsubscribe(bed->subscription);
    daemon_close(bed->daemon, false);
    loop_free(bed->loop);
    config_free(bed->config);
    certificate_free(&bed->certificate);
    give_back(bed);
    ck_assert_uint_eq(obj_live("call"), 0);
    ck_assert_uint_eq(obj_live("leg"), 0);
    ck_assert_uint_eq(obj_live("bridge"), 0);
    snprintf(command, sizeof command, "rm -rf '%s'", bed->dir);
    if (system(command) != 0)
        perror(command);
    free(bed);
}

struct ua *bed_phone_on(struct bed *bed, enum ua_transport transport, bool ip6, const char *user)
{
    char secret[40];
    unsigned plain = 0, at;

    while (strcmp(bed->config->listens[plain].transport, "tls") != 0 && plain < bed->config->listen_count)
        plain++;
    at = transport == UA_TLS ? plain + ip6 : (transport == UA_TCP) + 2u * ip6;
    snprintf(secret, sizeof secret, "secret-of-%s", user);
    return ua_open_on(bed->loop, transport, &bed->at[at], user, secret);
}

struct ua *bed_registered_on(struct bed *bed, enum ua_transport transport, bool ip6, const char *user)
{
    struct ua *ua = bed_phone_on(bed, transport, ip6, user);

    ck_assert_int_eq(ua_register(ua, 600), 200);
    return ua;
}

struct ua *bed_phone(struct bed *bed, const char *user)
{
    return bed_phone_on(bed, UA_UDP, false, user);
}

struct ua *bed_registered(struct bed *bed, const char *user)
{
    return bed_registered_on(bed, UA_UDP, false, user);
}

const struct message *bed_must(const struct message *m, const char *what, const char *file, int line)
{
    if (!m)
        ck_abort_msg("%s:%d: %s: it never came", file, line, what);
    return m;
}

/* --- the control socket ----------------------------------------------------------------------------------------- */

int bed_dial(struct bed *bed)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    snprintf(addr.sun_path, sizeof addr.sun_path, "%s/run/control.sock", bed->dir);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    return fd;
}

json_t *bed_hear(struct bed *bed, int fd)
{
    size_t room = 1 << 20, len = 0;
    char *text = mem_new(room);
    json_t *json;

    for (uint64_t until_ = now_ms() + (uint64_t)(UA_WAIT_MS); now_ms() < until_;) {
        ssize_t n;

        while (len < room && (n = recv(fd, text + len, 1, 0)) == 1 && text[len] != '\n')
            len++;
        if (len && text[len] == '\n')
            break;
        loop_turn(bed->loop, 2);
    }
    json = json_loadb(text, len, 0, NULL);
    ck_assert_msg(json != NULL, "no line, or no JSON: %.200s", text);
    free(text);
    return json;
}

json_t *bed_ask(struct bed *bed, const char *cmd, const char *params)
{
    int fd = bed_dial(bed);
    char line[1024];
    json_t *answer;

    snprintf(line, sizeof line, "{\"v\":1,\"id\":1,\"cmd\":\"%s\",\"params\":%s}\n", cmd, params);
    ck_assert_int_eq(send(fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
    json_decref(bed_hear(bed, fd)); /* the greeting */
    answer = bed_hear(bed, fd);
    close(fd);
    return answer;
}
