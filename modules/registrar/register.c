/* One REGISTER request, from check to answer (RFC 3261 §10.3). First everything is judged, then everything is done: a
 * refused request changes nothing. Signalling thread. Knows messages only through sipmsg.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "registrar.h"
#include "sip/sipmsg.h"

#define CONTACTS_MAX 16 /* in one request */
#define CONTACT_HEADER_MAX 1200
#define PATH_MAX_LEN 511 /* what an endpoint can carry */

/* What one request says beside its contacts. */
struct extras {
    char path[PATH_MAX_LEN + 1]; /* all Path headers in order (RFC 3327), "" when there are none */
    bool outbound;               /* RFC 5626 is in force for it */
};

struct refusal {
    int status;
    char phrase[160];
    char header[64]; /* "" when there is none */
};

static int refuse(struct refusal *why, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);

static int refuse(struct refusal *why, int status, const char *fmt, ...)
{
    va_list ap;

    why->status = status;
    va_start(ap, fmt);
    vsnprintf(why->phrase, sizeof why->phrase, fmt, ap);
    va_end(ap);
    str_clean_utf8(why->phrase);
    return -EINVAL;
}

/* --- judging
 * ---------------------------------------------------------------------------------------------------------- */

/* Quotes and control characters would come back in our Contact headers. */
static bool plain(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7F || *text == '"' || *text == '\\')
            return false;
    return true;
}

/* RFC 3261 §10.3 steps 6 and 7: within one Call-ID the CSeq must rise. */
static int check_order(const struct binding *b, const struct sipmsg *m, struct refusal *why)
{
    if (strcmp(b->call_id, sipmsg_call_id(m)) != 0 || sipmsg_cseq(m) > b->cseq)
        return 0;
    return refuse(why, 500, "Out of Order: CSeq %" PRIu32 " is not above %" PRIu32, sipmsg_cseq(m), b->cseq);
}

/* Turns what the contact asks for into what it gets, in `contact->expires`. */
static int check_expires(const struct registrar *r, const struct sipmsg *m, struct sipmsg_contact *contact,
                         struct refusal *why)
{
    int wanted = contact->expires >= 0 ? contact->expires : sipmsg_expires(m);

    if (wanted < 0)
        wanted = (int)r->expires_default;
    if (wanted > 0 && (uint64_t)wanted < r->expires_min) {
        snprintf(why->header, sizeof why->header, "Min-Expires: %" PRIu64, r->expires_min);
        return refuse(why, 423, "Interval Too Brief");
    }
    contact->expires = (uint64_t)wanted > r->expires_max ? (int)r->expires_max : wanted;
    return 0;
}

static int check_contact(struct registrar *r, const struct sipmsg *m, const struct aor *aor,
                         struct sipmsg_contact *contact, struct refusal *why)
{
    char key[URI_KEY_MAX];
    const struct binding *b;
    int result;

    if (uri_key(contact->uri, key, sizeof key) < 0 || !plain(contact->instance))
        return refuse(why, 400, "Bad Contact: only sip: and sips: URIs can be called");
    if (contact->expires != 0 && strncasecmp(contact->uri, "sips:", 5) == 0 && !sip_flow_secure(r->pbx, sipmsg_flow(m)))
        return refuse(why, 400, "Bad Contact: a sips: URI takes a connection by TLS"); /* RFC 3261 §26.2.2 */
    b = bindings_match(aor, contact->uri, contact->instance, contact->reg_id);
    if (b && check_order(b, m, why) < 0)
        return -EINVAL;
    result = check_expires(r, m, contact, why);
    /* Until its router is known, a phone that was lost by trying comes back soon. */
    if (result == 0 && contact->expires > (int)r->expires_min && !sipmsg_over_stream(m) &&
        reach_is_learning(r, contact->uri, sipmsg_source(m)))
        contact->expires = (int)r->expires_min;
    return result;
}

static int check_count(const struct registrar *r, const struct aor *aor, const struct account *account,
                       const struct sipmsg_contact *contacts, unsigned count, struct refusal *why)
{
    long after = aor ? (long)aor->count : 0, added = 0;

    for (unsigned i = 0; i < count; i++) {
        const struct binding *b = bindings_match(aor, contacts[i].uri, contacts[i].instance, contacts[i].reg_id);

        if (b && !contacts[i].expires)
            after--;
        else if (!b && contacts[i].expires)
            added++;
    }
    if (added &&
        (added > (long)account->max_contacts || (after + added > (long)account->max_contacts && !r->replace_oldest)))
        return refuse(why, 403, "Too Many Contacts: account %s may have %u phones", account->name,
                      account->max_contacts);
    return 0;
}

static int check_star(const struct sipmsg *m, const struct aor *aor, int count, struct refusal *why)
{
    const struct binding *b;

    if (count != 1 || sipmsg_expires(m) != 0)
        return refuse(why, 400, "Bad Request: Contact: * stands alone and with Expires: 0");
    if (!aor)
        return 0;
    LIST_FOR_EACH(b, &aor->bindings, in_aor)
    {
        if (check_order(b, m, why) < 0)
            return -EINVAL;
    }
    return 0;
}

/* RFC 3327 §5.3: Path is for senders that know it; what we could not route by later is refused now. */
static int check_path(const struct sipmsg *m, struct extras *extras, struct refusal *why)
{
    char copy[sizeof extras->path], key[URI_KEY_MAX], *at = copy;
    int count = sipmsg_header_list(m, "Path", extras->path, sizeof extras->path);

    if (count < 0)
        return refuse(why, 400, "Bad Request: more than %d characters of Path", PATH_MAX_LEN);
    if (count == 0)
        return 0;
    if (!sipmsg_supports(m, "path")) {
        snprintf(why->header, sizeof why->header, "Unsupported: path");
        return refuse(why, 420, "Bad Extension: a Path, but no Supported: path");
    }
    str_copy(copy, sizeof copy, extras->path);
    for (char *end; at; at = end) { /* <uri>;params, <uri> … */
        char *uri = at + strspn(at, " \t");

        end = *uri == '<' ? strchr(uri, '>') : NULL;
        if (!end || strpbrk(at, "\r\n"))
            return refuse(why, 400, "Bad Request: the Path header cannot be read");
        *end++ = '\0';
        if (uri_key(uri + 1, key, sizeof key) < 0)
            return refuse(why, 400, "Bad Request: Path takes sip: and sips: URIs only");
        end = strchr(end, ',');
        if (end)
            end++;
    }
    return 0;
}

/* RFC 5626 §6: we are the first hop, or the one that is puts ";ob" into its Path. Over datagrams a phone would have to
 * ping with STUN, which nobody answers here, so outbound is for connections only; elsewhere reg-id still tells a
 * phone's flows apart. */
static int check_outbound(const struct sipmsg *m, const struct sipmsg_contact *contacts, unsigned count,
                          struct extras *extras, struct refusal *why)
{
    bool wanted = false;

    for (unsigned i = 0; i < count; i++)
        wanted = wanted || (contacts[i].reg_id && contacts[i].instance[0]);
    if (!wanted || !sipmsg_supports(m, "outbound"))
        return 0;
    extras->outbound = sipmsg_over_stream(m) && (!extras->path[0] || strstr(extras->path, ";ob"));
    if (!extras->outbound && sipmsg_requires(m, "outbound"))
        return refuse(why, 439, "First Hop Lacks Outbound Support");
    return 0;
}

/* --- doing
 * ------------------------------------------------------------------------------------------------------------ */

static void make_room(struct registrar *r, struct aor *aor, unsigned max)
{
    while (aor && aor->count && aor->count >= max) {
        struct binding *b, *oldest = NULL;

        LIST_FOR_EACH(b, &aor->bindings, in_aor)
        {
            if (!oldest || b->expires_us < oldest->expires_us)
                oldest = b;
        }
        log_info("registration of %s at %s makes room for a newer one", aor->account, oldest->uri);
        registrar_goes(r, oldest);
    }
}

static void apply(struct registrar *r, const struct sipmsg *m, const struct account *account,
                  const struct sipmsg_contact *contact, const struct extras *extras)
{
    struct aor *aor = bindings_find(&r->table, account->name);
    struct binding *b = bindings_match(aor, contact->uri, contact->instance, contact->reg_id);
    const union addr *source = sipmsg_source(m);
    char peer[ADDR_TEXT] = "", agent[128], call_id[160], key[URI_KEY_MAX];
    struct binding_facts facts = {
        .uri = contact->uri,
        .instance = contact->instance,
        .call_id = call_id,
        .user_agent = agent,
        .flow = sipmsg_flow(m),
        .peer = peer,
        .path = extras->path,
        .params = contact->params,
        .device = sipmsg_device(m) ? sipmsg_device(m)->name : NULL,
        .reg_id = contact->reg_id,
        .cseq = sipmsg_cseq(m),
        .q = contact->q,
        .updated_us = loop_wall_us(r->loop),
    };

    str_copy(agent, sizeof agent, sipmsg_header(m, "User-Agent"));
    str_clean_utf8(agent);
    str_copy(call_id, sizeof call_id, sipmsg_call_id(m));
    if (!contact->expires) {
        if (b)
            registrar_goes(r, b);
        else if (binding_key(&facts, key, sizeof key) == 0)
            store_drop(r, account->name, key);
        return;
    }
    facts.expires_us = facts.updated_us + (uint64_t)contact->expires * 1000000;
    if (source && addr_is_set(source))
        addr_text(source, peer);
    if (b) {
        bool same_call = strcmp(b->call_id, call_id) == 0;

        binding_update(b, &facts);
        reach_registered(r, b, source, same_call);
        store_put(r, b);
        return;
    }
    make_room(r, aor, account->max_contacts);
    b = bindings_add(&r->table, account->name, &facts);
    if (!b)
        return;
    reach_registered(r, b, source, false);
    registrar_came(r, b);
}

/* --- answering
 * -------------------------------------------------------------------------------------------------------- */

static void contact_header(const struct binding *b, char out[CONTACT_HEADER_MAX])
{
    size_t used = 0;

    str_append(out, CONTACT_HEADER_MAX, &used, "Contact: <%s>;expires=%" PRIu64, b->uri, binding_seconds(b));
    if (b->q < 1)
        str_append(out, CONTACT_HEADER_MAX, &used, ";q=%.3g", b->q);
    if (*b->instance)
        str_append(out, CONTACT_HEADER_MAX, &used, ";+sip.instance=\"%s\"", b->instance);
    if (b->reg_id)
        str_append(out, CONTACT_HEADER_MAX, &used, ";reg-id=%u", b->reg_id);
    str_append(out, CONTACT_HEADER_MAX, &used, "%s", b->params);
}

static void answer(struct registrar *r, struct sipmsg *m, const char *account, const struct extras *extras)
{
    const struct aor *aor = bindings_find(&r->table, account);
    unsigned count = aor ? aor->count : 0, n = 0, room = count + 4; /* Date, Path, Require, the NULL at the end */
    char(*contacts)[CONTACT_HEADER_MAX] = mem_new(room * sizeof *contacts);
    const char **headers = mem_new(room * sizeof *headers);
    char date[64], path_header[PATH_MAX_LEN + 8];
    time_t now = (time_t)(loop_wall_us(r->loop) / 1000000);
    struct tm tm;
    const struct binding *b;

    gmtime_r(&now, &tm);
    strftime(date, sizeof date, "Date: %a, %d %b %Y %H:%M:%S GMT", &tm);
    headers[n++] = date;
    if (extras->path[0]) { /* RFC 3327 §5.3 */
        snprintf(path_header, sizeof path_header, "Path: %s", extras->path);
        headers[n++] = path_header;
    }
    if (extras->outbound)
        headers[n++] = "Require: outbound";
    if (aor)
        LIST_FOR_EACH(b, &aor->bindings, in_aor)
        {
            contact_header(b, contacts[n]);
            headers[n] = contacts[n];
            n++;
        }
    sipmsg_reply(m, 200, "OK", headers);
    free(headers);
    free(contacts);
}

/* A phone with credentials of its own may call itself by them, or by its account: it registers for the account. */
static bool is_sender(const struct sipmsg *m, const char *user)
{
    const struct device *device = sipmsg_device(m);

    return strcmp(user, sipmsg_account(m)->name) == 0 || (device && strcmp(user, device->name) == 0);
}

static int serve(struct registrar *r, struct sipmsg *m, const struct account *account, struct extras *extras,
                 struct refusal *why)
{
    struct sipmsg_contact contacts[CONTACTS_MAX];
    struct aor *aor;
    bool star = false;
    int count;

    if (!account)
        return refuse(why, 403, "Forbidden: nobody authenticated");
    if (!*sipmsg_to_user(m)) /* RFC 3261 §10.3 step 5 */
        return refuse(why, 404, "Not Found: this address cannot be registered");
    if (!is_sender(m, sipmsg_to_user(m)))
        return refuse(why, 403, "Forbidden: account %s cannot register %s", account->name, sipmsg_to_user(m));
    if (!is_sender(m, sipmsg_from_user(m))) /* RFC 3261 §10.3 step 4: nobody registers for others here */
        return refuse(why, 403, "Forbidden: %s may not register account %s", sipmsg_from_user(m), account->name);
    if (check_path(m, extras, why) < 0)
        return -EINVAL;
    count = sipmsg_contacts(m, contacts, CONTACTS_MAX, &star);
    if (count < 0)
        return refuse(why, 400, "Bad Contact: it cannot be read, or its URI is longer than 511 characters");
    if (count > CONTACTS_MAX)
        return refuse(why, 403, "Too Many Contacts: at most %d in one request", CONTACTS_MAX);
    aor = bindings_find(&r->table, account->name);
    if (star) {
        if (check_star(m, aor, count, why) < 0)
            return -EINVAL;
        registrar_forget(r, account->name);
        return 0;
    }
    for (int i = 0; i < count; i++)
        if (check_contact(r, m, aor, &contacts[i], why) < 0)
            return -EINVAL;
    if (check_outbound(m, contacts, (unsigned)count, extras, why) < 0)
        return -EINVAL;
    if (check_count(r, aor, account, contacts, (unsigned)count, why) < 0)
        return -EINVAL;
    for (int pass = 0; pass < 2; pass++) /* removals first: they make room */
        for (int i = 0; i < count; i++)
            if ((contacts[i].expires == 0) == (pass == 0))
                apply(r, m, account, &contacts[i], extras);
    return 0;
}

void register_request(void *arg, struct sipmsg *m)
{
    struct registrar *r = arg;
    const struct account *account = sipmsg_account(m);
    struct refusal why = {.status = 500};
    struct extras extras = {.outbound = false};
    char peer[ADDR_TEXT] = "?";

    if (serve(r, m, account, &extras, &why) == 0) {
        answer(r, m, account->name, &extras);
        return;
    }
    if (sipmsg_source(m) && addr_is_set(sipmsg_source(m)))
        addr_text(sipmsg_source(m), peer);
    log_info("REGISTER of %s from %s refused: %d %s", account ? account->name : "?", peer, why.status, why.phrase);
    sipmsg_reply(m, why.status, why.phrase, why.header[0] ? (const char *const[]){why.header, NULL} : NULL);
}
