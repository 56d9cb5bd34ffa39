/* libFuzzer: any bytes as a STUN answer to a question with a fixed id (the seeds in corpus/stun fit it), and as a
 * request that a router may have rewritten. What is accepted must be an address that can be used. */
#include <stdlib.h>

#include "edge/edge-priv.h"
#include "edge/stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t id[STUN_ID_LEN] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    struct edge_text text;
    union addr mapped, source;
    char ip[ADDR_TEXT];

    if (stun_answer(data, size, id, &mapped) == 0 &&
        (!addr_is_set(&mapped) || addr_is_any(&mapped) || strcmp(addr_ip_text(&mapped, ip), "none") == 0))
        abort();
    if (addr_parse("203.0.113.7:40001", 0, &source) == 0) {
        edge_text_scan(&text, (const char *)data, size, 128);
        edge_alg_signature(&text, (const char *)data + size, &source, false);
    }
    return 0;
}
