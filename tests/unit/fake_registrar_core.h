/* What the registrar sees of the switch, played by a test: a module context, messages, accounts and live rows. One at a
 * time. */
#ifndef TESTS_UNIT_FAKE_REGISTRAR_CORE_H
#define TESTS_UNIT_FAKE_REGISTRAR_CORE_H

#include "module/module.h"
#include "sip/sipmsg.h"

struct sipmsg {
    struct account *account;
    const struct device *device;
    const char *to_user, *from_user, *call_id, *user_agent, *path, *flow; /* from_user NULL: as to_user */
    const char *supported, *require;                                      /* one option each; NULL: none */
    bool stream;
    uint32_t cseq;
    int expires; /* -1: no header */
    union addr source;
    struct sipmsg_contact contacts[20];
    int contact_count; /* negative: an unusable Contact */
    bool star;
    /* the answer */
    int status;
    char phrase[200];
    char headers[24][900];
    unsigned header_count;
};

struct module_ctx {
    struct pbx pbx;
    const char *options[8]; /* "name", "value" */
    module_method_fn on_register;
    void *on_register_arg;
    route_resolve_fn resolve;
    void *resolve_arg;
    module_command_fn command;
    void *command_arg;
    json_t *(*status)(void *arg);
    void *status_arg;
    json_t *reply;
    struct account *accounts[4];
    const struct device *device; /* the only one there is, or NULL */
    uint64_t losses;
    bus_fn on_config;
    void *on_config_arg;
    json_t *live; /* account → key → value as text; outlives a stop of the module */
    module_live_fn on_live;
    void *on_live_arg;
    unsigned live_changes; /* that the module made */
    char cleared[64];      /* account whose rows it cleared last */
    /* events on the bus */
    unsigned registered, unregistered;
    const char *dead_flow; /* a connection that is closed */
    void (*lost)(void *arg);
    void *lost_arg;
    char last_contact[256];
    unsigned events[EVENT_COUNT];
    char last_words[512]; /* of the last event that is neither of the two */
    /* keep-alives */
    unsigned pings;
    uint64_t ping_id, ping_at_us;
    char ping_flow[80], ping_target[256];
    int ping_result;
    void (*pinged)(struct module_ctx *core, const char *flow, uint64_t id);
    sip_pong_fn pong;
    void *pong_arg;
    const char *alg; /* what the edge says of every flow */
    struct {
        const char *name;
        unsigned value;
    } settings[4];
};

struct module_ctx *core_new(void);
void core_free(struct module_ctx *core);
struct account *core_account(struct module_ctx *core, const char *name, unsigned max_contacts);
/* A live row as the module has left it, parsed (the caller's); NULL: there is none. */
json_t *core_live_row(struct module_ctx *core, const char *account, const char *key);
size_t core_live_rows(struct module_ctx *core);
/* Somebody else has changed a row; value NULL: it is gone. */
void core_live_changes(struct module_ctx *core, const char *account, const char *key, const char *value);

#endif
