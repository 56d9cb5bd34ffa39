/* Socket addresses as values: parse, print, compare. Any thread; knows no telephony. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/base.h"

/* An IPv4 or IPv6 address with port. sa.sa_family == AF_UNSPEC: none. */
union addr {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

#define ADDR_TEXT 64

/* "192.0.2.1" or "2001:db8::1" (brackets allowed). Only literal addresses. Returns 0 or -EINVAL. */
int addr_parse_ip(const char *ip, uint16_t port, union addr *out);
/* "192.0.2.1:5060", "[2001:db8::1]:5060"; default_port when none is given. Returns 0 or -EINVAL. */
int addr_parse(const char *text, uint16_t default_port, union addr *out);
socklen_t addr_len(const union addr *a);
/* What stands behind an address in its union may be anything; here it is zeros: for what leaves the process. */
void addr_copy(union addr *out, const union addr *a);
uint16_t addr_port(const union addr *a);
void addr_set_port(union addr *a, uint16_t port);
bool addr_is_set(const union addr *a);
bool addr_same(const union addr *a, const union addr *b);
/* Address without port. */
bool addr_same_ip(const union addr *a, const union addr *b);
bool addr_is_any(const union addr *a);
/* An address that means nothing in the internet: RFC 1918, 6598 and 4193, loopback, link-local. */
bool addr_is_private(const union addr *a);
/* "192.0.2.1", "2001:db8::1". Returns out. */
const char *addr_ip_text(const union addr *a, char out[ADDR_TEXT]);
/* "192.0.2.1:5060", "[2001:db8::1]:5060". Returns out. */
const char *addr_text(const union addr *a, char out[ADDR_TEXT]);
/* For a listener on 0.0.0.0 or ::, the local address that the kernel would use towards peer. Returns 0 or negative
 * errno. */
int addr_local_for(const union addr *peer, union addr *out);

#endif
