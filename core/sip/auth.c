/* Who sent this request: challenges without state, checks answers against the snapshot's HA1s. Signalling thread. Knows
 * messages and accounts, no calls. Unknown user, wrong password and disabled account look the same from outside. */
#include "base/log.h"
#include "sip/sip-priv.h"

static unsigned offered(struct agent *agent, const union addr *source, const char *flow, enum digest_algorithm order[2])
{
    if (agent->config.digests)
        return agent->config.digests(agent->config.digests_arg, source, flow, order);
    order[0] = DIGEST_MD5;
    order[1] = DIGEST_SHA256;
    return 2;
}

static void challenge(struct agent *agent, msg_t *msg, const sip_t *sip, const union addr *source, bool stale)
{
    const char *realm = snapshot_setting(db_snapshot(agent->pbx->db), "realm", "tandem");
    enum digest_algorithm order[2];
    unsigned count = offered(agent, source, message_flow(sip), order);
    char headers[2][300];

    for (unsigned i = 0; i < count; i++)
        digest_challenge(agent->digest, order[i], realm, source, stale, headers[i], sizeof headers[i]);
    agent->stats.challenged++;
    reply_stateless(agent, msg, SIP_401_UNAUTHORIZED, SIPTAG_WWW_AUTHENTICATE_STR(headers[0]),
                    TAG_IF(count > 1, SIPTAG_WWW_AUTHENTICATE_STR(headers[1])), TAG_END());
}

static void note_failure(struct agent *agent, const struct digest_credentials *given, const union addr *source,
                         const char *why)
{
    char peer[ADDR_TEXT], detail[200];
    size_t used = 0;
    struct event event = {.kind = EVENT_AUTH_FAILED, .account = given->username, .detail = detail};

    str_append(detail, sizeof detail, &used, "from %s: %s", addr_text(source, peer), why);
    agent->stats.auth_failed++;
    log_info("authentication as %s failed %s", given->username, detail);
    bus_publish(agent->pbx->bus, &event);
}

struct account *auth_request(struct agent *agent, msg_t *msg, sip_t *sip, const union addr *source)
{
    const struct snapshot *snapshot = db_snapshot(agent->pbx->db);
    bool stale = false;

    for (sip_authorization_t *au = sip->sip_authorization; au; au = au->au_next) {
        struct digest_credentials given;
        const struct account *account;
        const uint8_t *ha1 = NULL;

        if (!au->au_scheme || strcasecmp(au->au_scheme, "Digest") != 0)
            continue;
        if (digest_parse((const char *const *)au->au_params, &given) < 0)
            continue;
        account = snapshot_account(snapshot, given.username);
        if (account && account->enabled && strcmp(account->realm, given.realm) == 0)
            ha1 = given.algorithm == DIGEST_MD5 ? account->ha1_md5 : account->ha1_sha256;
        switch (digest_check(agent->digest, &given, sip->sip_request->rq_method_name, ha1, source)) {
        case DIGEST_OK:
            return (struct account *)(uintptr_t)account; /* counted: holders may change its count, not its value */
        case DIGEST_STALE:
            stale = true;
            break;
        case DIGEST_WRONG:
            note_failure(agent, &given, source,
                         !account            ? "there is no such account"
                         : !account->enabled ? "the account is disabled"
                         : !ha1              ? "the phone answered for another realm"
                                             : "wrong password");
            break;
        }
    }
    challenge(agent, msg, sip, source, stale);
    return NULL;
}
