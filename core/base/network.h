/* Networks of addresses, and ordered lists of them that allow or deny. Values; any thread; knows no telephony. */
#ifndef BASE_NETWORK_H
#define BASE_NETWORK_H

#include "base/addr.h"

struct network {
    union addr addr; /* port 0; bits behind the prefix are 0 */
    unsigned bits;
};

#define NETWORK_TEXT (ADDR_TEXT + 4)

/* "192.0.2.0/24", "2001:db8::/32", or an address alone, which is a network of one. 0; -EINVAL: it is no such text;
 * -ERANGE: the prefix is too long; -EDOM: an address in a network. */
int network_parse(const char *text, struct network *out);
/* The network of so many bits that addr is in. */
struct network network_of(const union addr *addr, unsigned bits);
/* The smallest network that one person has: an IPv4 address, an IPv6 /64. */
struct network network_of_source(const union addr *addr);
bool network_has(const struct network *network, const union addr *addr);
bool network_same(const struct network *a, const struct network *b);
/* Is `inner` all within `outer`? */
bool network_covers(const struct network *outer, const struct network *inner);
/* "192.0.2.0/24", with the prefix length always. Returns out. */
const char *network_text(const struct network *network, char out[NETWORK_TEXT]);
/* The same without the prefix length where it is one address. */
const char *network_short(const struct network *network, char out[NETWORK_TEXT]);

/* An access list: rules in order, of which the first one that has the address decides. Where none has it, the opposite
 * of the last rule holds: behind "allow 192.0.2.0/24" nobody else is allowed, behind "deny 192.0.2.9" everybody. */
#define ACL_RULES_MAX 64
struct acl_rules {
    unsigned count; /* 0: allows everybody */
    struct {
        struct network network;
        bool allow;
    } rule[ACL_RULES_MAX];
};

/* "allow 192.0.2.0/24, deny 0.0.0.0/0"; "all" is every address of either family. 0; -EINVAL; -E2BIG: too many rules. */
int acl_parse(const char *text, struct acl_rules *out);
bool acl_allows(const struct acl_rules *rules, const union addr *addr);

#endif
