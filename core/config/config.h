/* The bootstrap file: what the switch must know before it can reach its database. `[section]`, `key = value`, `#`
 * comments (at the start of a line or after a blank). Everything else is configured in SQL. Start-up only; any thread.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/network.h"
#include "base/log.h"

#define CONFIG_FILE_MAX (1u << 20) /* bytes */
#define CONFIG_LISTENS_MAX 16
#define CONFIG_CERTIFICATES_MAX 16
#define CONFIG_MODULES_MAX 64
#define CONFIG_NETWORKS_MAX 64
#define CONFIG_LOCALS_MAX 64

enum config_digest { CONFIG_DIGEST_MD5, CONFIG_DIGEST_SHA256 };

/* Digest algorithms in the order in which challenges offer them. */
struct config_digests {
    unsigned count;
    enum config_digest order[2];
};

/* listen = udp:ADDRESS:PORT, tcp:… or tls:… [digest=…] [public=HOST[:PORT]]; port 0: the kernel picks one. */
struct config_listen {
    char transport[8]; /* "udp", "tcp", "tls" */
    union addr bind;
    struct config_digests digests; /* its own, or those of the switch */
    char public_host[64];          /* its own, or that of the switch */
    uint16_t public_port;          /* 0: as bound */
};

/* certificate = FILE, and in the next line its key = FILE when the key is not in the same file. */
struct config_certificate {
    char *file, *key; /* key NULL: in file */
};

enum config_clients { CONFIG_CLIENTS_OFF, CONFIG_CLIENTS_REQUEST, CONFIG_CLIENTS_REQUIRE };

/* digest_network = 192.0.2.0/24 md5: what phones of this network are offered. The longest match wins. */
struct config_network {
    struct network network;
    struct config_digests digests;
};

/* [module NAME] or [module NAME as INSTANCE]. */
struct config_module {
    char *name;
    char *instance; /* NULL: as the name */
    char *path;     /* NULL: module_dir/NAME.so */
    char **options; /* "key", "value", …, NULL: struct module_spec takes it as it is */
    unsigned option_count;
    unsigned line; /* where the section begins */
};

/* RFC 3261, table 4, in ms; 0: as it says there. No key sets these: tests do, before the switch is opened. */
struct config_sip_timers {
    unsigned t1, t2, t4, t1x64;
};

struct config {
    /* [switch] */
    unsigned node; /* 0 … 65535; default 1 */
    char *user;    /* whom the switch runs as when root starts it; NULL: tandem, if there is such a user */
    struct config_listen listens[CONFIG_LISTENS_MAX];
    unsigned listen_count;           /* ≥ 1: udp and tcp on 0.0.0.0:5060 when the file names none */
    unsigned connections;            /* at a time; default 4096 */
    unsigned connections_per_source; /* of one address; default 256 */
    unsigned connection_idle_s;      /* closed after so much silence; default 7500 */
    struct config_certificate certificates[CONFIG_CERTIFICATES_MAX];
    unsigned certificate_count;              /* ≥ 1 when there is a listener for tls */
    enum config_clients client_certificates; /* what phones must show; default off */
    char *client_ca;                         /* who issues those; NULL unless they are asked for */
    bool verify_servers;                     /* of TLS connections that the switch makes; default yes */
    char *server_ca;                         /* who issues theirs; default: the list of the system */
    char public_host[64];     /* "": the address that the STUN server sees, or the local one used towards each phone */
    char stun_server[256];    /* "host" or "host:port"; "": none */
    unsigned stun_interval_s; /* how often the public address is looked for; default 300 */
    struct network locals[CONFIG_LOCALS_MAX]; /* local_network lines; the private networks when there are none */
    unsigned local_count;
    bool no_locals;  /* local_network = none */
    char *database;  /* conninfo or URI; NULL: none */
    char *state_dir; /* default /var/lib/tandem */
    char *run_dir;   /* default /run/tandem; control.sock and media.sock live there */
    char *module_dir;
    char *dialplan;         /* directory with the site's init.lua */
    char *dialplan_library; /* Tandem's own Lua files, which include() searches second */
    char *prompts;          /* directory with the catalogues of prompts, and with those that a machine spoke */
    char *sounds;           /* directory with the site's own sounds and prompts */
    enum log_level log;
    struct config_digests digests; /* default: md5, sha-256 */
    struct config_network networks[CONFIG_NETWORKS_MAX];
    unsigned network_count;
    unsigned recorder_size_mb; /* of the flight recorder's files in state_dir; 0: memory only; default 256 */
    unsigned recorder_hours;   /* how long it keeps a message at most; 0: while there is room; default 168 */
    unsigned source_rate; /* messages a second from one address, and twice that at once; 0: no limit; default 2000 */
    struct config_sip_timers sip_timers;
    /* [media] */
    union addr media_address, media_address6; /* unset: the address on which the phone reaches us */
    uint16_t media_port_min, media_port_max;  /* default 20000-29999 */
    unsigned media_threads;                   /* 0: the media program decides */
    char *media_program;                      /* NULL: "none", somebody else starts it */
    unsigned media_rest_ms;                   /* of port numbers; 0: 5 s. No key: tests set it */
    unsigned media_orphan_s;                  /* how long media goes on without a switch; default 600 */
    /* [recordings] */
    char *recordings; /* directory; default: recordings in state_dir */
    /* [module …] in order of the file */
    struct config_module modules[CONFIG_MODULES_MAX];
    unsigned module_count;
};

/* Reads and checks the file; *out belongs to the caller. On error `why` is "FILE:LINE: reason" (without a line when the
 * file cannot be read) and the result is -ENOENT, -EACCES …, or -EINVAL for what is inside. */
int config_load(const char *path, struct config **out, char *why, size_t why_size);
/* The same for text in memory; `name` stands for the file in errors. */
int config_parse(const char *name, const char *text, size_t len, struct config **out, char *why, size_t why_size);
void config_free(struct config *config); /* NULL allowed */
/* Digests for a phone at `peer` that came in through `listen` (NULL: unknown): its network's, its listener's, the
 * switch's. */
const struct config_digests *config_digests_for(const struct config *config, const struct config_listen *listen,
                                                const union addr *peer);

#endif
