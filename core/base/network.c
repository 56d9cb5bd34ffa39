/* Networks and access lists as values. Any thread; pure functions. */
#include "base/network.h"

#include <stdio.h>

static unsigned most_bits(const union addr *a)
{
    return a->sa.sa_family == AF_INET6 ? 128 : 32;
}

static const uint8_t *bytes_of(const union addr *a)
{
    return a->sa.sa_family == AF_INET6 ? a->in6.sin6_addr.s6_addr : (const uint8_t *)&a->in.sin_addr;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    return memcmp(a, b, whole) == 0 && (!rest || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0);
}

struct network network_of(const union addr *addr, unsigned bits)
{
    struct network n = {.bits = bits};
    const uint8_t *from = bytes_of(addr);
    uint8_t *to;

    memset(&n.addr, 0, sizeof n.addr);
    n.addr.sa.sa_family = addr->sa.sa_family;
    if (bits > most_bits(addr))
        n.bits = most_bits(addr);
    to = addr->sa.sa_family == AF_INET6 ? n.addr.in6.sin6_addr.s6_addr : (uint8_t *)&n.addr.in.sin_addr;
    memcpy(to, from, n.bits / 8);
    if (n.bits % 8)
        to[n.bits / 8] = (uint8_t)(from[n.bits / 8] & (0xFF00u >> n.bits % 8));
    return n;
}

struct network network_of_source(const union addr *addr)
{
    return network_of(addr, addr->sa.sa_family == AF_INET6 ? 64 : 32);
}

bool network_has(const struct network *network, const union addr *addr)
{
    return network->addr.sa.sa_family == addr->sa.sa_family &&
           same_bits(bytes_of(&network->addr), bytes_of(addr), network->bits);
}

bool network_same(const struct network *a, const struct network *b)
{
    return a->bits == b->bits && addr_same_ip(&a->addr, &b->addr);
}

bool network_covers(const struct network *outer, const struct network *inner)
{
    return outer->bits <= inner->bits && network_has(outer, &inner->addr);
}

int network_parse(const char *text, struct network *out)
{
    const char *slash = strchr(text, '/');
    char ip[ADDR_TEXT];
    union addr addr;
    uint64_t bits;

    if (str_copy_n(ip, sizeof ip, text, slash ? (size_t)(slash - text) : strlen(text)) < 0 ||
        addr_parse_ip(ip, 0, &addr) < 0)
        return -EINVAL;
    bits = most_bits(&addr);
    if (slash && str_to_u64(slash + 1, bits, &bits) < 0)
        return -ERANGE;
    *out = network_of(&addr, (unsigned)bits);
    return addr_same_ip(&out->addr, &addr) ? 0 : -EDOM;
}

const char *network_text(const struct network *network, char out[NETWORK_TEXT])
{
    char ip[ADDR_TEXT];

    snprintf(out, NETWORK_TEXT, "%s/%u", addr_ip_text(&network->addr, ip), network->bits);
    return out;
}

const char *network_short(const struct network *network, char out[NETWORK_TEXT])
{
    char ip[ADDR_TEXT];

    if (network->bits != most_bits(&network->addr))
        return network_text(network, out);
    str_copy(out, NETWORK_TEXT, addr_ip_text(&network->addr, ip));
    return out;
}

/* --- access lists ------------------------------------------------------------------------------------------------- */

static const char blanks[] = " \t,;\n\r";

/* The next word of the list; false: there is none. One that is too long is no word of ours. */
static bool next_word(const char **text, char out[NETWORK_TEXT])
{
    const char *begin = *text + strspn(*text, blanks);
    size_t len = strcspn(begin, blanks);

    *text = begin + len;
    if (str_copy_n(out, NETWORK_TEXT, begin, len) < 0)
        out[0] = '?';
    return len > 0;
}

static int add_rule(struct acl_rules *rules, const char *network, bool allow)
{
    static const char *const everybody[] = {"0.0.0.0/0", "::/0"};
    bool all = strcmp(network, "all") == 0;

    for (unsigned i = 0; i < (all ? 2 : 1); i++) {
        if (rules->count == ACL_RULES_MAX)
            return -E2BIG;
        if (network_parse(all ? everybody[i] : network, &rules->rule[rules->count].network) < 0)
            return -EINVAL;
        rules->rule[rules->count++].allow = allow;
    }
    return 0;
}

int acl_parse(const char *text, struct acl_rules *out)
{
    char word[NETWORK_TEXT], network[NETWORK_TEXT];

    memset(out, 0, sizeof *out);
    while (next_word(&text, word)) {
        bool allow = strcmp(word, "allow") == 0;
        int error;

        if ((!allow && strcmp(word, "deny") != 0) || !next_word(&text, network))
            return -EINVAL;
        error = add_rule(out, network, allow);
        if (error < 0)
            return error;
    }
    return 0;
}

bool acl_allows(const struct acl_rules *rules, const union addr *addr)
{
    for (unsigned i = 0; i < rules->count; i++)
        if (network_has(&rules->rule[i].network, addr))
            return rules->rule[i].allow;
    return !rules->count || !rules->rule[rules->count - 1].allow;
}
