/* What each key of the bootstrap file means: one table a section, one small function a kind of value. Runs at start
 * only. Knows no telephony: values are checked for form, their meaning is the business of whoever uses them. */
#include <stdio.h>
#include <stdlib.h>

#include "config/config-priv.h"

#ifndef TANDEM_MODULEDIR
#error "the build says where modules, data and programs are"
#endif

struct key {
    const char *name;
    int (*set)(struct config_reader *r, const struct key *key, char *value);
    size_t at; /* offset in struct config */
    uint64_t min, max;
    bool repeats;
};

#define AT(field) offsetof(struct config, field)

static void *field(struct config_reader *r, const struct key *key)
{
    return (char *)r->config + key->at;
}

/* --- kinds of values ------------------------------------------------------------------------------------------------
 */

static int set_unsigned(struct config_reader *r, const struct key *key, char *value)
{
    uint64_t number;

    if (str_to_u64(value, key->max, &number) < 0 || number < key->min)
        return config_fail(r, "%s takes a number from %llu to %llu, not \"%s\"", key->name,
                           (unsigned long long)key->min, (unsigned long long)key->max, value);
    *(unsigned *)field(r, key) = (unsigned)number;
    return 0;
}

static int set_text(struct config_reader *r, const struct key *key, char *value)
{
    char **text = field(r, key);

    free(*text);
    *text = str_dup(value);
    return 0;
}

/* A relative path would depend on where the switch was started from. */
static int set_path(struct config_reader *r, const struct key *key, char *value)
{
    if (*value != '/')
        return config_fail(r, "%s takes an absolute path (it begins with /), not \"%s\"", key->name, value);
    return set_text(r, key, value);
}

static int set_program(struct config_reader *r, const struct key *key, char *value)
{
    char **text = field(r, key);

    if (strcmp(value, "none") != 0)
        return set_path(r, key, value);
    free(*text);
    *text = NULL;
    return 0;
}

static int set_log(struct config_reader *r, const struct key *key, char *value)
{
    if (log_level_parse(value, field(r, key)) < 0)
        return config_fail(r, "log takes error, warn, info or debug, not \"%s\"", value);
    return 0;
}

static bool is_host(const char *value)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";

    return *value && !value[strspn(value, allowed)];
}

static int set_host(struct config_reader *r, const struct key *key, char *value)
{
    if (!is_host(value) || str_copy(field(r, key), sizeof r->config->public_host, value) < 0)
        return config_fail(r, "%s takes a host name or address of at most %zu characters, without a port", key->name,
                           sizeof r->config->public_host - 1);
    return 0;
}

static int set_address(struct config_reader *r, const struct key *key, char *value)
{
    sa_family_t family = (sa_family_t)key->min;
    union addr addr;

    if (addr_parse_ip(value, 0, &addr) < 0 || addr.sa.sa_family != family || addr_is_any(&addr))
        return config_fail(r, "%s takes an %s address of this host, like %s, not \"%s\"", key->name,
                           family == AF_INET ? "IPv4" : "IPv6", family == AF_INET ? "192.0.2.1" : "2001:db8::1", value);
    *(union addr *)field(r, key) = addr;
    return 0;
}

static int set_ports(struct config_reader *r, const struct key *key, char *value)
{
    char *dash = strchr(value, '-');
    uint64_t low, high;

    if (dash) {
        *dash = '\0';
        if (str_to_u64(config_trim(value), 65535, &low) == 0 && str_to_u64(config_trim(dash + 1), 65535, &high) == 0 &&
            low >= 1024 && high >= low + 3) {
            r->config->media_port_min = (uint16_t)low;
            r->config->media_port_max = (uint16_t)high;
            return 0;
        }
    }
    return config_fail(r, "ports takes a range within 1024-65535 with room for two calls, like 20000-29999");
}

static int read_digests(struct config_reader *r, const char *key, char *value, struct config_digests *out)
{
    char *save = NULL;

    out->count = 0;
    for (char *word = strtok_r(value, ", \t", &save); word; word = strtok_r(NULL, ", \t", &save)) {
        enum config_digest digest = strcmp(word, "md5") == 0 ? CONFIG_DIGEST_MD5 : CONFIG_DIGEST_SHA256;

        if (digest == CONFIG_DIGEST_SHA256 && strcmp(word, "sha-256") != 0)
            return config_fail(r, "%s: unknown algorithm \"%s\"; there are md5 and sha-256", key, word);
        for (unsigned i = 0; i < out->count; i++)
            if (out->order[i] == digest)
                return config_fail(r, "%s names %s twice", key, word);
        out->order[out->count++] = digest;
    }
    return out->count ? 0 : config_fail(r, "%s takes md5, sha-256 or both in the order of preference", key);
}

static int set_digests(struct config_reader *r, const struct key *key, char *value)
{
    return read_digests(r, key->name, value, field(r, key));
}

static int set_public(struct config_reader *r, struct config_listen *listen, char *value)
{
    char *colon = strrchr(value, ':');
    uint64_t port = 0;

    if (colon && (strchr(value, ':') == colon || colon[-1] == ']')) {
        *colon++ = '\0';
        if (str_to_u64(colon, 65535, &port) < 0 || port == 0)
            return config_fail(r, "public=HOST:PORT takes a port from 1 to 65535, not \"%s\"", colon);
    }
    if (!is_host(value) || str_copy(listen->public_host, sizeof listen->public_host, value) < 0)
        return config_fail(r, "public= takes a host name or address of at most %zu characters",
                           sizeof listen->public_host - 1);
    listen->public_port = (uint16_t)port;
    return 0;
}

static int set_listen_option(struct config_reader *r, struct config_listen *listen, char *option)
{
    if (strncmp(option, "digest=", 7) == 0)
        return read_digests(r, "digest", option + 7, &listen->digests);
    if (strncmp(option, "public=", 7) == 0)
        return set_public(r, listen, option + 7);
    return config_fail(r, "after the address of listen only digest=… and public=… may follow, not \"%s\"", option);
}

static int set_listen(struct config_reader *r, const struct key *key, char *value)
{
    struct config *c = r->config;
    struct config_listen *listen = &c->listens[c->listen_count];
    char *rest = value + strcspn(value, " \t"), *colon;

    if (c->listen_count == CONFIG_LISTENS_MAX)
        return config_fail(r, "more than %d listen lines", CONFIG_LISTENS_MAX);
    if (*rest)
        *rest++ = '\0';
    rest = config_trim(rest);
    colon = strchr(value, ':');
    if (!colon)
        return config_fail(r, "listen takes TRANSPORT:ADDRESS:PORT, like udp:0.0.0.0:5060, not \"%s\"", value);
    *colon = '\0';
    if (strcmp(value, "udp") != 0 && strcmp(value, "tcp") != 0 && strcmp(value, "tls") != 0)
        return config_fail(r, "listen: transport \"%s\" is not there; there are udp, tcp and tls", value);
    if (addr_parse(colon + 1, strcmp(value, "tls") == 0 ? 5061 : 5060, &listen->bind) < 0)
        return config_fail(r, "listen: \"%s\" is no address with port, like 0.0.0.0:5060 or [::]:5060", colon + 1);
    for (unsigned i = 0; i < c->listen_count; i++)
        if (addr_port(&listen->bind) && addr_same(&listen->bind, &c->listens[i].bind) &&
            strcmp(value, c->listens[i].transport) == 0)
            return config_fail(r, "listen: %s:%s is there twice", value, colon + 1);
    while (*rest) { /* what each option takes goes on until the next one */
        char *next = rest + strcspn(rest, "="), *word;
        int err;

        next += strcspn(next, "= \t");
        for (word = *next ? next + 1 : next; *word; word++)
            if ((word[-1] == ' ' || word[-1] == '\t') && word[strcspn(word, "=, \t")] == '=')
                break;
        next = word;
        if (*next)
            next[-1] = '\0';
        err = set_listen_option(r, listen, config_trim(rest));
        if (err)
            return err;
        rest = next;
    }
    str_copy(listen->transport, sizeof listen->transport, value);
    c->listen_count++;
    return 0;
}

static int set_certificate(struct config_reader *r, const struct key *key, char *value)
{
    struct config *c = r->config;

    if (c->certificate_count == CONFIG_CERTIFICATES_MAX)
        return config_fail(r, "more than %d %s lines", CONFIG_CERTIFICATES_MAX, key->name);
    if (*value != '/')
        return config_fail(r, "%s takes an absolute path (it begins with /), not \"%s\"", key->name, value);
    c->certificates[c->certificate_count++].file = str_dup(value);
    return 0;
}

static int set_certificate_key(struct config_reader *r, const struct key *key, char *value)
{
    struct config *c = r->config;
    struct config_certificate *last = c->certificate_count ? &c->certificates[c->certificate_count - 1] : NULL;

    if (!last || last->key)
        return config_fail(r, "%s stands below the certificate that it belongs to", key->name);
    if (*value != '/')
        return config_fail(r, "%s takes an absolute path (it begins with /), not \"%s\"", key->name, value);
    last->key = str_dup(value);
    return 0;
}

static int set_clients(struct config_reader *r, const struct key *key, char *value)
{
    static const char *const words[] = {
        [CONFIG_CLIENTS_OFF] = "off", [CONFIG_CLIENTS_REQUEST] = "request", [CONFIG_CLIENTS_REQUIRE] = "require"};

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcmp(value, words[i]) == 0) {
            *(enum config_clients *)field(r, key) = (enum config_clients)i;
            return 0;
        }
    return config_fail(r, "%s takes off, request or require, not \"%s\"", key->name, value);
}

static int set_yes_no(struct config_reader *r, const struct key *key, char *value)
{
    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        return config_fail(r, "%s takes yes or no, not \"%s\"", key->name, value);
    *(bool *)field(r, key) = value[0] == 'y';
    return 0;
}

static int read_network(struct config_reader *r, const char *key, const char *text, struct network *out)
{
    switch (network_parse(text, out)) {
    case 0:
        return 0;
    case -ERANGE:
        return config_fail(r, "%s: %s is no prefix length from 0 to %u", key, strchr(text, '/'),
                           strchr(text, ':') ? 128u : 32u);
    case -EDOM:
        return config_fail(r, "%s: %s is an address in a network, not a network", key, text);
    default:
        return config_fail(r, "%s takes NETWORK/BITS, like 192.0.2.0/24, not \"%s\"", key, text);
    }
}

static int set_network(struct config_reader *r, const struct key *key, char *value)
{
    struct config *c = r->config;
    struct config_network *network = &c->networks[c->network_count];
    char *rest = value + strcspn(value, " \t");
    int err;

    if (c->network_count == CONFIG_NETWORKS_MAX)
        return config_fail(r, "more than %d %s lines", CONFIG_NETWORKS_MAX, key->name);
    if (*rest)
        *rest++ = '\0';
    if (!strchr(value, '/'))
        return config_fail(r, "%s takes NETWORK/BITS and algorithms, like 192.0.2.0/24 md5", key->name);
    err = read_network(r, key->name, value, &network->network);
    if (!err)
        err = read_digests(r, key->name, rest, &network->digests);
    if (!err)
        c->network_count++;
    return err;
}

static int set_local(struct config_reader *r, const struct key *key, char *value)
{
    struct config *c = r->config;
    int err;

    if (strcmp(value, "none") == 0) {
        c->no_locals = true;
        return 0;
    }
    if (c->local_count == CONFIG_LOCALS_MAX)
        return config_fail(r, "more than %d %s lines", CONFIG_LOCALS_MAX, key->name);
    err = read_network(r, key->name, value, &c->locals[c->local_count]);
    if (!err)
        c->local_count++;
    return err;
}

static int set_server(struct config_reader *r, const struct key *key, char *value)
{
    if (!is_host(value) || str_copy(field(r, key), sizeof r->config->stun_server, value) < 0)
        return config_fail(r, "%s takes a host name or IPv4 address, with :PORT when it is not 3478", key->name);
    return 0;
}

/* --- the tables
 * ------------------------------------------------------------------------------------------------------- */

static const struct key switch_keys[] = {
    {"node", set_unsigned, AT(node), 0, 65535, false},
    {"user", set_text, AT(user), 0, 0, false},
    {"listen", set_listen, 0, 0, 0, true},
    {"connections", set_unsigned, AT(connections), 1, 65535, false},
    {"connections_per_source", set_unsigned, AT(connections_per_source), 1, 65535, false},
    {"connection_idle", set_unsigned, AT(connection_idle_s), 10, 86400, false},
    {"certificate", set_certificate, 0, 0, 0, true},
    {"key", set_certificate_key, 0, 0, 0, true},
    {"client_certificate", set_clients, AT(client_certificates), 0, 0, false},
    {"client_ca", set_path, AT(client_ca), 0, 0, false},
    {"verify_server", set_yes_no, AT(verify_servers), 0, 0, false},
    {"server_ca", set_path, AT(server_ca), 0, 0, false},
    {"public_host", set_host, AT(public_host), 0, 0, false},
    {"stun_server", set_server, AT(stun_server), 0, 0, false},
    {"stun_interval", set_unsigned, AT(stun_interval_s), 1, 86400, false},
    {"local_network", set_local, 0, 0, 0, true},
    {"database", set_text, AT(database), 0, 0, false},
    {"state_dir", set_path, AT(state_dir), 0, 0, false},
    {"run_dir", set_path, AT(run_dir), 0, 0, false},
    {"log", set_log, AT(log), 0, 0, false},
    {"module_dir", set_path, AT(module_dir), 0, 0, false},
    {"dialplan", set_path, AT(dialplan), 0, 0, false},
    {"dialplan_library", set_path, AT(dialplan_library), 0, 0, false},
    {"prompts", set_path, AT(prompts), 0, 0, false},
    {"sounds", set_path, AT(sounds), 0, 0, false},
    {"digest", set_digests, AT(digests), 0, 0, false},
    {"digest_network", set_network, 0, 0, 0, true},
    {"recorder_size", set_unsigned, AT(recorder_size_mb), 0, 1000000, false},
    {"recorder_hours", set_unsigned, AT(recorder_hours), 0, 87600, false},
    {"source_rate", set_unsigned, AT(source_rate), 0, 1000000, false},
    {NULL, NULL, 0, 0, 0, false},
};

static const struct key media_keys[] = {
    {"address", set_address, AT(media_address), AF_INET, 0, false},
    {"address6", set_address, AT(media_address6), AF_INET6, 0, false},
    {"ports", set_ports, 0, 0, 0, false},
    {"threads", set_unsigned, AT(media_threads), 0, 64, false},
    {"program", set_program, AT(media_program), 0, 0, false},
    {"orphan", set_unsigned, AT(media_orphan_s), 0, 86400, false},
    {NULL, NULL, 0, 0, 0, false},
};

static const struct key recordings_keys[] = {
    {"directory", set_path, AT(recordings), 0, 0, false},
    {NULL, NULL, 0, 0, 0, false},
};

static int known_key(struct config_reader *r, const struct key *keys, const char *section, const char *name,
                     char *value)
{
    char all[1024] = "";
    size_t used = 0;

    for (const struct key *key = keys; key->name; key++) {
        uint64_t bit = 1ull << (key - keys);

        str_append(all, sizeof all, &used, "%s%s", used ? ", " : "", key->name);
        if (strcmp(key->name, name) != 0)
            continue;
        if (!*value)
            return config_fail(r, "%s has no value", name);
        if (!key->repeats && (r->seen[r->section] & bit))
            return config_fail(r, "%s is there twice in [%s]", name, section);
        r->seen[r->section] |= bit;
        return key->set(r, key, value);
    }
    return config_fail(r, "unknown key \"%s\" in [%s]; there are %s", name, section, all);
}

/* Which options a module has, only the module knows: the loader checks them. */
static int module_key(struct config_reader *r, const char *key, const char *value)
{
    struct config_module *m = &r->config->modules[r->config->module_count - 1];

    if (!config_is_name(key))
        return config_fail(r, "\"%s\" cannot be the name of an option: letters, digits, - and _ only", key);
    if (strcmp(key, "path") == 0) {
        if (m->path)
            return config_fail(r, "path is there twice in this section");
        if (*value != '/')
            return config_fail(r, "path takes an absolute path (it begins with /), not \"%s\"", value);
        m->path = str_dup(value);
        return 0;
    }
    for (unsigned i = 0; i < m->option_count; i++)
        if (strcmp(m->options[2 * i], key) == 0)
            return config_fail(r, "%s is there twice in this section", key);
    m->options = mem_resize(m->options, (2 * m->option_count + 3) * sizeof *m->options);
    m->options[2 * m->option_count] = str_dup(key);
    m->options[2 * m->option_count + 1] = str_dup(value);
    m->options[2 * ++m->option_count] = NULL;
    return 0;
}

int config_key(struct config_reader *r, const char *key, char *value)
{
    switch (r->section) {
    case CONFIG_SECTION_SWITCH:
        return known_key(r, switch_keys, "switch", key, value);
    case CONFIG_SECTION_MEDIA:
        return known_key(r, media_keys, "media", key, value);
    case CONFIG_SECTION_RECORDINGS:
        return known_key(r, recordings_keys, "recordings", key, value);
    case CONFIG_SECTION_MODULE:
        return module_key(r, key, value);
    case CONFIG_SECTION_NONE:
        break;
    }
    return config_fail(r, "\"%s\" stands before any section; [switch] is the usual first one", key);
}

void config_defaults(struct config *c)
{
    c->node = 1;
    c->state_dir = str_dup("/var/lib/tandem");
    c->run_dir = str_dup("/run/tandem");
    c->module_dir = str_dup(TANDEM_MODULEDIR);
    c->dialplan = str_dup(TANDEM_DATADIR "/dialplan");
    c->dialplan_library = str_dup(TANDEM_DATADIR "/dialplan");
    c->prompts = str_dup(TANDEM_DATADIR "/sounds");
    c->sounds = str_dup("/var/lib/tandem/sounds");
    c->log = LOG_LEVEL_INFO;
    c->digests = (struct config_digests){2, {CONFIG_DIGEST_MD5, CONFIG_DIGEST_SHA256}};
    c->connections = 4096;
    c->connections_per_source = 256;
    c->connection_idle_s = 7500;
    c->stun_interval_s = 300;
    c->media_port_min = 20000;
    c->media_port_max = 29999;
    c->media_program = str_dup(TANDEM_LIBEXECDIR "/tandem-media");
    c->media_orphan_s = 600;
    c->recorder_size_mb = 256;
    c->recorder_hours = 168;
    c->source_rate = 2000;
    c->verify_servers = true;
    c->server_ca = str_dup("/etc/ssl/certs/ca-certificates.crt");
}

/* Where phones are that reach us without a router of the internet between (RFC 1918, 4193, 6598 …). */
static const char *const private_networks[] = {"10.0.0.0/8",    "172.16.0.0/12", "192.168.0.0/16",
                                               "100.64.0.0/10", "127.0.0.0/8",   "169.254.0.0/16",
                                               "fc00::/7",      "fe80::/10",     "::1/128"};

static int check_tls(struct config_reader *r)
{
    const struct config *c = r->config;

    for (unsigned i = 0; i < c->listen_count; i++)
        if (strcmp(c->listens[i].transport, "tls") == 0 && !c->certificate_count)
            return config_fail(r, "listen = tls:… needs certificate = FILE (and key = FILE below it)");
    if (c->client_certificates != CONFIG_CLIENTS_OFF && !c->client_ca)
        return config_fail(r, "client_certificate needs client_ca = FILE: who issues the certificates of phones");
    return 0;
}

int config_complete(struct config_reader *r)
{
    struct config *c = r->config;

    if (!c->listen_count) { /* RFC 3261 §18: everybody has both */
        str_copy(c->listens[0].transport, sizeof c->listens[0].transport, "udp");
        addr_parse("0.0.0.0:5060", 5060, &c->listens[0].bind);
        str_copy(c->listens[1].transport, sizeof c->listens[1].transport, "tcp");
        c->listens[1].bind = c->listens[0].bind;
        c->listen_count = 2;
    }
    for (unsigned i = 0; i < c->listen_count; i++) {
        if (!c->listens[i].digests.count)
            c->listens[i].digests = c->digests;
        if (!c->listens[i].public_host[0])
            str_copy(c->listens[i].public_host, sizeof c->listens[i].public_host, c->public_host);
    }
    if (!c->local_count && !c->no_locals)
        for (size_t i = 0; i < COUNT_OF(private_networks); i++)
            network_parse(private_networks[i], &c->locals[c->local_count++]);
    if (!c->recordings) {
        char path[1024];
        size_t used = 0;

        str_append(path, sizeof path, &used, "%s/recordings", c->state_dir);
        c->recordings = str_dup(path);
    }
    return check_tls(r);
}

const struct config_digests *config_digests_for(const struct config *c, const struct config_listen *listen,
                                                const union addr *peer)
{
    const struct config_network *best = NULL;

    for (unsigned i = 0; i < c->network_count && addr_is_set(peer); i++)
        if (network_has(&c->networks[i].network, peer) && (!best || c->networks[i].network.bits > best->network.bits))
            best = &c->networks[i];
    return best ? &best->digests : listen ? &listen->digests : &c->digests;
}
