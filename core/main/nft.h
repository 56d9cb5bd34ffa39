/* Bans in the kernel too, where an administrator wants that: elements of two nftables sets. Signalling thread; the work
 * is done by the program nft, on a worker. */
#ifndef MAIN_NFT_H
#define MAIN_NFT_H

#include "base/loop.h"
#include "base/network.h"

/* set: "FAMILY TABLE NAME" ("inet filter tandem"): IPv4 goes into NAME4, IPv6 into NAME6. seconds: 0: until it is taken
 * out. Returns at once; what nft complains about is in the log. */
void nft_add(struct loop *loop, const char *set, const struct network *network, uint64_t seconds);
void nft_delete(struct loop *loop, const char *set, const struct network *network);

#endif
