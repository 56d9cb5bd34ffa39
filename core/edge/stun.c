/* STUN messages in bytes (RFC 8489 §5, §14). Any thread; pure functions. They must not know sockets or time. */
#include "edge/stun.h"

#include <arpa/inet.h>

#define COOKIE 0x2112A442u
#define BINDING_REQUEST 0x0001
#define BINDING_SUCCESS 0x0101
#define BINDING_ERROR 0x0111
#define MAPPED_ADDRESS 0x0001 /* servers of RFC 3489 know only this one */
#define XOR_MAPPED_ADDRESS 0x0020
#define FAMILY_IPV4 1
#define FAMILY_IPV6 2

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put_cookie(uint8_t *at)
{
    put16(at, COOKIE >> 16);
    put16(at + 2, COOKIE & 0xFFFF);
}

void stun_request(const uint8_t id[STUN_ID_LEN], uint8_t out[STUN_HEADER_LEN])
{
    put16(out, BINDING_REQUEST);
    put16(out + 2, 0);
    put_cookie(out + 4);
    memcpy(out + 8, id, STUN_ID_LEN);
}

/* mask: what the address is XORed with (cookie and id), or zeros. */
static bool read_address(const uint8_t *value, size_t len, const uint8_t mask[16], union addr *out)
{
    uint8_t ip[16];
    size_t ip_len = len >= 2 && value[1] == FAMILY_IPV4 ? 4 : len >= 2 && value[1] == FAMILY_IPV6 ? 16 : 0;
    unsigned port;

    if (!ip_len || len < 4 + ip_len)
        return false;
    port = get16(value + 2) ^ get16(mask);
    for (size_t i = 0; i < ip_len; i++)
        ip[i] = value[4 + i] ^ mask[i];
    memset(out, 0, sizeof *out);
    if (ip_len == 4) {
        out->in.sin_family = AF_INET;
        memcpy(&out->in.sin_addr, ip, 4);
    } else {
        out->in6.sin6_family = AF_INET6;
        memcpy(&out->in6.sin6_addr, ip, 16);
    }
    addr_set_port(out, (uint16_t)port);
    return !addr_is_any(out);
}

int stun_answer(const uint8_t *data, size_t len, const uint8_t id[STUN_ID_LEN], union addr *mapped)
{
    static const uint8_t plain[16];
    uint8_t mask[16];
    bool found = false;
    size_t at = STUN_HEADER_LEN, end;
    unsigned type;

    if (len < STUN_HEADER_LEN)
        return -EINVAL;
    type = get16(data);
    end = STUN_HEADER_LEN + get16(data + 2);
    put_cookie(mask);
    memcpy(mask + 4, id, STUN_ID_LEN);
    if ((type != BINDING_SUCCESS && type != BINDING_ERROR) || end > len || end % 4 || memcmp(data + 4, mask, 16) != 0)
        return -EINVAL;
    if (type == BINDING_ERROR)
        return -EPROTO;
    while (at + 4 <= end) {
        unsigned attribute = get16(data + at);
        size_t size = get16(data + at + 2);

        at += 4;
        if (size > end - at)
            return -EPROTO;
        if (attribute == XOR_MAPPED_ADDRESS && read_address(data + at, size, mask, mapped))
            return 0;
        if (attribute == MAPPED_ADDRESS && !found)
            found = read_address(data + at, size, plain, mapped); /* some routers rewrite it; the other one is better */
        at += (size + 3) & ~(size_t)3;
    }
    return found ? 0 : -EPROTO;
}
