/* Socket addresses as values. Any thread; resolves no names and knows no telephony. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

int addr_parse_ip(const char *ip, uint16_t port, union addr *out)
{
    char host[INET6_ADDRSTRLEN];
    size_t len = strlen(ip);
    union addr a;

    memset(&a, 0, sizeof a);
    if (len >= 2 && ip[0] == '[' && ip[len - 1] == ']')
        ip++, len -= 2;
    if (str_copy_n(host, sizeof host, ip, len) < 0)
        return -EINVAL;
    if (inet_pton(AF_INET, host, &a.in.sin_addr) == 1)
        a.in.sin_family = AF_INET;
    else if (inet_pton(AF_INET6, host, &a.in6.sin6_addr) == 1)
        a.in6.sin6_family = AF_INET6;
    else
        return -EINVAL;
    addr_set_port(&a, port);
    *out = a;
    return 0;
}

int addr_parse(const char *text, uint16_t default_port, union addr *out)
{
    char host[ADDR_TEXT];
    const char *colon = strrchr(text, ':');
    uint64_t port = default_port;

    if (colon && (text[0] == '[' ? colon[-1] == ']' : strchr(text, ':') == colon)) {
        if (str_to_u64(colon + 1, 65535, &port) < 0)
            return -EINVAL;
    } else {
        colon = NULL;
    }
    if (str_copy_n(host, sizeof host, text, colon ? (size_t)(colon - text) : strlen(text)) < 0)
        return -EINVAL;
    return addr_parse_ip(host, (uint16_t)port, out);
}

socklen_t addr_len(const union addr *a)
{
    return a->sa.sa_family == AF_INET6 ? sizeof a->in6 : sizeof a->in;
}

void addr_copy(union addr *out, const union addr *a)
{
    memset(out, 0, sizeof *out);
    if (a->sa.sa_family)
        memcpy(out, a, addr_len(a));
}

uint16_t addr_port(const union addr *a)
{
    return ntohs(a->sa.sa_family == AF_INET6 ? a->in6.sin6_port : a->in.sin_port);
}

void addr_set_port(union addr *a, uint16_t port)
{
    if (a->sa.sa_family == AF_INET6)
        a->in6.sin6_port = htons(port);
    else
        a->in.sin_port = htons(port);
}

bool addr_is_set(const union addr *a)
{
    return a->sa.sa_family == AF_INET || a->sa.sa_family == AF_INET6;
}

bool addr_same_ip(const union addr *a, const union addr *b)
{
    if (a->sa.sa_family != b->sa.sa_family)
        return false;
    if (a->sa.sa_family == AF_INET6)
        return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof a->in6.sin6_addr) == 0;
    return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
}

bool addr_same(const union addr *a, const union addr *b)
{
    return addr_same_ip(a, b) && addr_port(a) == addr_port(b);
}

bool addr_is_any(const union addr *a)
{
    if (a->sa.sa_family == AF_INET6)
        return IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
    return a->in.sin_addr.s_addr == htonl(INADDR_ANY);
}

bool addr_is_private(const union addr *a)
{
    const uint8_t *six = a->in6.sin6_addr.s6_addr;
    uint32_t four = ntohl(a->in.sin_addr.s_addr);

    if (a->sa.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr) || (six[0] & 0xFE) == 0xFC ||
               (six[0] == 0xFE && (six[1] & 0xC0) == 0x80);
    return a->sa.sa_family == AF_INET &&
           (four >> 24 == 10 || four >> 24 == 127 || four >> 20 == 0xAC1 || four >> 16 == 0xC0A8 ||
            four >> 16 == 0xA9FE || four >> 22 == (100u << 2 | 1));
}

/* Dotted decimal; inet_ntop() goes through printf, and this runs several times a message. */
static void ip4_text(const union addr *a, char *out)
{
    const uint8_t *bytes = (const uint8_t *)&a->in.sin_addr;

    for (int i = 0; i < 4; i++) {
        if (i)
            *out++ = '.';
        if (bytes[i] >= 100)
            *out++ = (char)('0' + bytes[i] / 100);
        if (bytes[i] >= 10)
            *out++ = (char)('0' + bytes[i] / 10 % 10);
        *out++ = (char)('0' + bytes[i] % 10);
    }
    *out = '\0';
}

const char *addr_ip_text(const union addr *a, char out[ADDR_TEXT])
{
    const void *ip = a->sa.sa_family == AF_INET6 ? (const void *)&a->in6.sin6_addr : (const void *)&a->in.sin_addr;

    if (a->sa.sa_family == AF_INET)
        ip4_text(a, out);
    else if (!addr_is_set(a) || !inet_ntop(a->sa.sa_family, ip, out, ADDR_TEXT))
        str_copy(out, ADDR_TEXT, "none");
    return out;
}

const char *addr_text(const union addr *a, char out[ADDR_TEXT])
{
    char ip[ADDR_TEXT];

    if (!addr_is_set(a))
        str_copy(out, ADDR_TEXT, "none");
    else
        snprintf(out, ADDR_TEXT, a->sa.sa_family == AF_INET6 ? "[%.46s]:%u" : "%.46s:%u", addr_ip_text(a, ip),
                 addr_port(a));
    return out;
}

int addr_local_for(const union addr *peer, union addr *out)
{
    union addr target = *peer, local;
    socklen_t len = sizeof local;
    int result = 0;
    int fd = socket(peer->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (addr_port(&target) == 0)
        addr_set_port(&target, 9);
    memset(&local, 0, sizeof local);
    if (connect(fd, &target.sa, addr_len(&target)) < 0 || getsockname(fd, &local.sa, &len) < 0)
        result = -errno;
    close(fd);
    if (result == 0)
        *out = local;
    return result;
}
