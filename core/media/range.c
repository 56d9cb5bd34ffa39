/* Port numbers are picked at random, so that they cannot be guessed, and rest after use, so that late packets of one
 * call do not reach the next. Control thread of tandem-media only; knows no calls. */
#include "media/range.h"

#include <netinet/ip.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/id.h"

#define TRIES 200

void range_init(struct range *range, const union addr *bind, unsigned low, unsigned high)
{
    low = (low + 1) & ~1u;
    memset(range, 0, sizeof *range);
    range->bind = *bind;
    range->rest_us = RANGE_REST_US;
    if (!addr_is_set(bind) || low + 1 > high)
        return;
    range->pairs = (high + 1 - low) / 2;
    range->free = mem_new(range->pairs * sizeof *range->free);
    range->rest = mem_new(range->pairs * sizeof *range->rest);
    for (unsigned number = low; number + 1 <= high; number += 2)
        range->free[range->free_count++] = (uint16_t)number;
}

void range_clear(struct range *range)
{
    free(range->free);
    free(range->rest);
    memset(range, 0, sizeof *range);
}

void range_rest(struct range *range, uint16_t number, uint64_t now_us)
{
    unsigned at = (range->rest_first + range->rest_count) % range->pairs;

    range->rest[at] = (struct range_rest){.number = number, .until_us = now_us + range->rest_us};
    range->rest_count++;
}

static void wake_rested(struct range *range, uint64_t now_us)
{
    while (range->rest_count && range->rest[range->rest_first].until_us <= now_us) {
        range->free[range->free_count++] = range->rest[range->rest_first].number;
        range->rest_first = (range->rest_first + 1) % range->pairs;
        range->rest_count--;
    }
}

static uint16_t pick(struct range *range)
{
    uint32_t at;
    uint16_t number;

    random_bytes(&at, sizeof at);
    at %= range->free_count;
    number = range->free[at];
    range->free[at] = range->free[--range->free_count];
    return number;
}

static int open_socket(const union addr *bind_to, uint16_t number)
{
    union addr addr = *bind_to;
    int family = addr.sa.sa_family, one = 1, tos = IPTOS_DSCP_EF, err;
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    addr_set_port(&addr, number);
    if (family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
        setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
    } else {
        setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
    }
    if (bind(fd, &addr.sa, addr_len(&addr)) < 0) {
        err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

int range_open(struct range *range, uint64_t now_us, int fds[2], union addr *addr)
{
    wake_rested(range, now_us);
    for (int i = 0; i < TRIES && range->free_count; i++) {
        uint16_t number = pick(range);

        fds[0] = open_socket(&range->bind, number);
        fds[1] = fds[0] < 0 ? fds[0] : open_socket(&range->bind, (uint16_t)(number + 1));
        if (fds[1] >= 0) {
            *addr = range->bind;
            addr_set_port(addr, number);
            return 0;
        }
        if (fds[0] >= 0)
            close(fds[0]);
        if (fds[1] != -EADDRINUSE) {
            range->free[range->free_count++] = number;
            return fds[1];
        }
        range_rest(range, number, now_us);
    }
    return -ENOENT;
}
