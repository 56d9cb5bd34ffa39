/* Who sent this request: challenges without state, checks answers against the snapshot's HA1s. Signalling thread. Knows
 * messages, accounts and their devices, no calls. Unknown user, wrong password, disabled account and an address that
 * the account's access list refuses look the same from outside, and count the same against whoever sends them. */
#include "base/id.h"
#include "base/log.h"
#include "sip/sip-priv.h"

#define CREDENTIALS_MAX 4 /* of one request: each costs three hashes */
#define ACCOUNT_BURST_S 5
#define WARN_EACH_US 10000000

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
    unsigned offers = offered(agent, source, message_flow(sip), order), count = 0;
    char headers[2][300];

    for (unsigned i = 0; i < offers; i++)
        if (digest_challenge(agent->digest, order[i], realm, source, stale, headers[count], sizeof headers[count]) == 0)
            count++;
    agent->stats.challenged++;
    reply_stateless(agent, msg, SIP_401_UNAUTHORIZED, TAG_IF(count > 0, SIPTAG_WWW_AUTHENTICATE_STR(headers[0])),
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
    bans_wrong_answer(edge_bans(agent->edge), source, given->username);
}

/* Who this authentication user is, if it is anybody: an account, or a device of one. */
struct user {
    const struct account *account;
    const struct device *device;
};

static struct user find_user(const struct snapshot *snapshot, const char *name)
{
    struct user user = {.account = snapshot_account(snapshot, name)};

    if (!user.account && (user.device = snapshot_device(snapshot, name)))
        user.account = snapshot_account(snapshot, user.device->account);
    return user;
}

/* May the account be used from there? A list that is missing allows nobody. */
static bool is_allowed(const struct snapshot *snapshot, const struct account *account, const union addr *source)
{
    const struct acl *acl = account->acl[0] ? snapshot_acl(snapshot, account->acl) : NULL;

    return !account->acl[0] || (acl && acl_allows(&acl->rules, source));
}

static const uint8_t *ha1_of(const struct user *user, const struct digest_credentials *given, bool allowed)
{
    bool md5 = given->algorithm == DIGEST_MD5;

    if (!user->account || !user->account->enabled || !allowed)
        return NULL;
    if (user->device)
        return !user->device->enabled || strcmp(user->device->realm, given->realm) != 0 ? NULL
               : md5                                                                    ? user->device->ha1_md5
                                                                                        : user->device->ha1_sha256;
    return strcmp(user->account->realm, given->realm) != 0 ? NULL
           : md5                                           ? user->account->ha1_md5
                                                           : user->account->ha1_sha256;
}

/* One set of credentials: does it prove its user? If not, *why is what can be said about it. */
static bool check_one(struct agent *agent, const sip_t *sip, const struct digest_credentials *given,
                      const union addr *source, struct user *user, bool *stale, const char **why)
{
    const struct snapshot *snapshot = db_snapshot(agent->pbx->db);
    const uint8_t *ha1;
    bool allowed;

    *user = find_user(snapshot, given->username);
    allowed = !user->account || is_allowed(snapshot, user->account, source);
    ha1 = ha1_of(user, given, allowed);
    switch (digest_check(agent->digest, given, sip->sip_request->rq_method_name, ha1, source)) {
    case DIGEST_OK:
        return true;
    case DIGEST_STALE:
        *stale = true;
        break;
    case DIGEST_WRONG:
        *why = !user->account                           ? "there is no such account"
               : !user->account->enabled                ? "the account is disabled"
               : user->device && !user->device->enabled ? "the device is disabled"
               : !allowed                               ? "the access list of the account does not allow its address"
               : !ha1                                   ? "the phone answered for another realm"
                                                        : "wrong password";
        break;
    }
    return false;
}

/* One account must not take the switch from the others, whatever its phone has caught. Consumes msg when it says so. */
static bool too_fast(struct agent *agent, msg_t *msg, const struct account *account)
{
    uint64_t hash = siphash(agent->ping_key, account->name, strlen(account->name)) | 1;

    if (agent->account_rate == 0 ||
        buckets_take(agent->account_buckets, hash, 1, agent->account_rate, agent->account_rate * ACCOUNT_BURST_S,
                     (uint32_t)(loop_now_us(agent->pbx->loop) / 1000)))
        return false;
    agent->stats.too_fast++;
    if (loop_now_us(agent->pbx->loop) >= agent->rate_quiet_us) {
        agent->rate_quiet_us = loop_now_us(agent->pbx->loop) + WARN_EACH_US;
        log_warn("account %s sends more than %u requests a second; the rest gets 503 (setting account_rate)",
                 account->name, agent->account_rate);
    }
    reply_stateless(agent, msg, SIP_503_SERVICE_UNAVAILABLE, SIPTAG_RETRY_AFTER_STR("5"), TAG_END());
    return true;
}

/* A request may carry credentials for several realms (RFC 3261 §22.3): one good set is enough. Without one, each wrong
 * answer for our realm is noted, and those for other realms only when there is nothing else to tell.
 * Proxy-Authorization counts as well: a phone that takes us for its proxy means us. */
bool auth_request(struct agent *agent, msg_t *msg, sip_t *sip, const union addr *source, struct sender *out)
{
    const char *realm = snapshot_setting(db_snapshot(agent->pbx->db), "realm", "tandem");
    const msg_auth_t *const lists[] = {sip->sip_authorization, sip->sip_proxy_authorization};
    struct digest_credentials given[CREDENTIALS_MAX];
    const char *why[CREDENTIALS_MAX];
    unsigned tried = 0, ours = 0;
    bool stale = false;

    for (size_t i = 0; i < COUNT_OF(lists); i++)
        for (const msg_auth_t *au = lists[i]; au && tried < CREDENTIALS_MAX; au = au->au_next) {
            struct user user;

            if (!au->au_scheme || strcasecmp(au->au_scheme, "Digest") != 0 ||
                digest_parse((const char *const *)au->au_params, &given[tried]) < 0)
                continue;
            why[tried] = NULL;
            if (check_one(agent, sip, &given[tried], source, &user, &stale, &why[tried])) {
                /* counted: holders may change the count, not the value */
                *out =
                    (struct sender){(struct account *)(uintptr_t)user.account, (struct device *)(uintptr_t)user.device};
                bans_trust(edge_bans(agent->edge), source);
                return !too_fast(agent, msg, user.account);
            }
            ours += strcmp(given[tried++].realm, realm) == 0;
        }
    for (unsigned i = 0; i < tried; i++)
        if (why[i] && (!ours || strcmp(given[i].realm, realm) == 0))
            note_failure(agent, &given[i], source, why[i]);
    challenge(agent, msg, sip, source, stale);
    return false;
}
