/* Who may talk to the switch at all, looked at before a message is read: access lists of listeners, bans, and the rate
 * of one source; and what a message says about itself, when it comes from a scanner. Signalling thread. It must not
 * know accounts. */
#include <stdlib.h>
#include <strings.h>

#include "base/id.h"
#include "base/log.h"
#include "edge/edge-priv.h"

#define SOURCES 4096 /* with a bucket of their own */

struct bans *edge_bans(const struct edge *edge)
{
    return edge->bans;
}

/* --- access lists of listeners ------------------------------------------------------------------------------------ */

void edge_unlimit(struct edge *edge)
{
    for (unsigned i = 0; i < edge->count; i++) {
        free(edge->listeners[i].acls);
        edge->listeners[i].acls = NULL;
        edge->listeners[i].acl_count = 0;
    }
}

void edge_limit(struct edge *edge, size_t index, const struct acl_rules *rules)
{
    struct edge_listener *l = &edge->listeners[index];

    l->acls = mem_resize(l->acls, (l->acl_count + 1) * sizeof *l->acls);
    l->acls[l->acl_count++] = *rules;
}

const char *edge_not_admitted(struct edge_listener *listener, const union addr *peer, bool stream)
{
    struct edge *edge = listener->edge;

    if (bans_has(edge->bans, peer, stream)) {
        edge->stats.dropped_banned++;
        return edge_banned;
    }
    for (unsigned i = 0; i < listener->acl_count; i++)
        if (!acl_allows(&listener->acls[i], peer)) {
            edge->stats.dropped_acl++;
            return "the access list of this listener refuses it";
        }
    return NULL;
}

const char edge_banned[] = "its sender is banned";

/* --- rates -------------------------------------------------------------------------------------------------------- */

uint64_t edge_source_hash(const struct edge *edge, const union addr *source)
{
    uint64_t h = source->sa.sa_family == AF_INET6
                     ? siphash(edge->key, &source->in6.sin6_addr, 8) /* whoever has one IPv6 address has a /64 */
                     : siphash(edge->key, &source->in.sin_addr, 4);

    return h ? h : 1;
}

/* One line in ten seconds at most, so that a flood does not go on in the log. */
static void warn(struct edge *edge, const union addr *source)
{
    uint64_t now = loop_now_us(edge->loop);
    char ip[ADDR_TEXT];

    if (now < edge->rate_quiet_us)
        return;
    edge->rate_quiet_us = now + 10000000;
    log_warn(
        "edge: %s sends more than %u messages a second; the rest is dropped (if they are wanted, raise source_rate)",
        addr_ip_text(source, ip), edge->source_rate);
}

bool edge_source_take(struct edge *edge, const union addr *source, unsigned count)
{
    if (edge->source_rate == 0)
        return true;
    if (!edge->buckets)
        edge->buckets = buckets_new(SOURCES);
    if (buckets_take(edge->buckets, edge_source_hash(edge, source), count, edge->source_rate,
                     edge->source_burst, (uint32_t)(loop_now_us(edge->loop) / 1000)))
        return true;
    warn(edge, source);
    return false;
}

/* --- scanners ----------------------------------------------------------------------------------------------------- */

/* Is one of the words in the text, whatever its case? Then that word. */
static const char *has_word(struct slice text, const char *const *words)
{
    for (; *words; words++) {
        size_t len = strlen(*words);

        for (size_t at = 0; text.len >= len && at <= text.len - len; at++)
            if (strncasecmp(text.at + at, *words, len) == 0)
                return *words;
    }
    return NULL;
}

const char *edge_scanner(const struct edge_text *text)
{
    /* How they sign, unless somebody has changed it. No device that somebody would want to use says so. */
    static const char *const agents[] = {"friendly-scanner",
                                         "friendly-request",
                                         "sipvicious",
                                         "sipcli",
                                         "pplsip",
                                         "sundayddr",
                                         "siparmyknife",
                                         "sip-scan",
                                         "sivus",
                                         "iwar",
                                         "sipscan",
                                         "eyebeam sip fuzzer",
                                         "svmap",
                                         "svwar",
                                         "svcrack",
                                         NULL};
    static const char *const names[] = {"sipvicious", NULL};
    const char *found = has_word(text->user_agent, agents);

    return found ? found : has_word(text->from, names);
}
