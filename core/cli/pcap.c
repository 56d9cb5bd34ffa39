/* A pcap file from JSON: for each message an IP and a UDP header, made up from the addresses that the recorder knows.
 */
#include "config.h" /* first: it asks the C library for its extensions */

#include "cli/pcap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/addr.h"

#define LINK_RAW 101u /* a packet begins with its IP header, of either version */
#define UDP_MAX 65507u
#define HEADERS_MAX 48u

struct file_head {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, accuracy, longest, link;
};

struct packet_head {
    uint32_t seconds, microseconds, kept, length;
};

static void put16(unsigned char *p, unsigned value)
{
    p[0] = (unsigned char)(value >> 8);
    p[1] = (unsigned char)value;
}

/* The Internet checksum (RFC 1071), continued. */
static uint32_t sum16(uint32_t sum, const unsigned char *data, size_t len)
{
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)(data[i] << 8 | data[i + 1]);
    if (len % 2)
        sum += (uint32_t)(data[len - 1] << 8);
    return sum;
}

static unsigned folded(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

static size_t ip4_head(unsigned char *p, const union addr *from, const union addr *to, size_t udp_len)
{
    p[0] = 0x45;
    put16(p + 2, (unsigned)(20 + udp_len));
    p[8] = 64; /* hops */
    p[9] = 17; /* UDP */
    memcpy(p + 12, &from->in.sin_addr, 4);
    memcpy(p + 16, &to->in.sin_addr, 4);
    put16(p + 10, folded(sum16(0, p, 20)));
    return 20;
}

static size_t ip6_head(unsigned char *p, const union addr *from, const union addr *to, size_t udp_len)
{
    p[0] = 0x60;
    put16(p + 4, (unsigned)udp_len);
    p[6] = 17;
    p[7] = 64;
    memcpy(p + 8, &from->in6.sin6_addr, 16);
    memcpy(p + 24, &to->in6.sin6_addr, 16);
    return 40;
}

/* IP and UDP headers; returns their length. */
static size_t heads(unsigned char out[HEADERS_MAX], const union addr *from, const union addr *to, const char *text,
                    size_t len)
{
    bool six = from->sa.sa_family == AF_INET6;
    size_t ip = six ? ip6_head(out, from, to, len + 8) : ip4_head(out, from, to, len + 8);
    unsigned char *udp = out + ip;
    unsigned check;

    put16(udp, addr_port(from));
    put16(udp + 2, addr_port(to));
    put16(udp + 4, (unsigned)(len + 8));
    check = folded(sum16(sum16(sum16((uint32_t)(17 + len + 8), six ? out + 8 : out + 12, six ? 32 : 8), udp, 8),
                         (const unsigned char *)text, len));
    put16(udp + 6, check ? check : 0xffff);
    return ip + 8;
}

/* The switch's own address may be a wildcard: then the one it has towards this peer is as good as any. */
static bool addresses(const json_t *line, union addr *peer, union addr *local)
{
    const char *peer_text = json_string_value(json_object_get(line, "peer"));
    const char *local_text = json_string_value(json_object_get(line, "local"));
    union addr own;

    if (!peer_text || !local_text || addr_parse(peer_text, 0, peer) < 0 || addr_parse(local_text, 5060, local) < 0)
        return false;
    if (addr_is_any(local) && addr_local_for(peer, &own) == 0) {
        addr_set_port(&own, addr_port(local));
        *local = own;
    }
    return peer->sa.sa_family == local->sa.sa_family;
}

static int put_message(FILE *out, const json_t *line)
{
    const json_t *message = json_object_get(line, "message");
    const char *to = json_string_value(json_object_get(line, "to"));
    json_int_t at_us = json_integer_value(json_object_get(line, "at_us"));
    bool inbound = to && strcmp(to, "tandem") == 0;
    unsigned char head[HEADERS_MAX] = {0};
    struct packet_head packet;
    union addr peer = {0}, local = {0};
    size_t len, head_len;

    if (!json_is_string(message) || !addresses(line, &peer, &local))
        return 0;
    len = json_string_length(message);
    if (len > UDP_MAX)
        len = UDP_MAX;
    head_len = heads(head, inbound ? &peer : &local, inbound ? &local : &peer, json_string_value(message), len);
    packet = (struct packet_head){(uint32_t)(at_us / 1000000), (uint32_t)(at_us % 1000000), (uint32_t)(head_len + len),
                                  (uint32_t)(head_len + len)};
    if (fwrite(&packet, sizeof packet, 1, out) != 1 || fwrite(head, head_len, 1, out) != 1 ||
        (len && fwrite(json_string_value(message), len, 1, out) != 1))
        return errno ? -errno : -EIO;
    return 1;
}

int pcap_write(const char *path, const json_t *lines)
{
    const struct file_head head = {0xa1b2c3d4u, 2, 4, 0, 0, 65535, LINK_RAW};
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), written = 0, result = 0;
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;

    if (!out) {
        result = -errno;
        if (fd >= 0)
            close(fd);
        return result;
    }
    if (fwrite(&head, sizeof head, 1, out) != 1)
        result = -EIO;
    for (size_t i = 0; i < json_array_size(lines) && result >= 0; i++) {
        result = put_message(out, json_array_get(lines, i));
        written += result > 0;
    }
    if (fclose(out) != 0 && result >= 0)
        result = -errno;
    return result < 0 ? result : written;
}
