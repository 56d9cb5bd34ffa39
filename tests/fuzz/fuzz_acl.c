/* libFuzzer: the text of an access list, and of a network. A list decides as the same list that was written out from
 * what was understood, for addresses of which each rule has some. */
#include <stdio.h>
#include <stdlib.h>

#include "base/network.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_new(size + 1), again[ACL_RULES_MAX * (NETWORK_TEXT + 8)] = "", name[NETWORK_TEXT];
    struct acl_rules rules, same;
    struct network network, second;
    size_t used = 0;

    memcpy(text, data, size);
    if (network_parse(text, &network) == 0) {
        must(network_has(&network, &network.addr), "a network has its own address");
        must(network_parse(network_text(&network, name), &second) == 0 && network_same(&network, &second),
             "a network is what its text says");
        must(network_parse(network_short(&network, name), &second) == 0 && network_same(&network, &second),
             "the short one, too");
        must(network_covers(&network, &second), "and covers itself");
    }
    if (acl_parse(text, &rules) == 0) {
        must(rules.count <= ACL_RULES_MAX, "there is room for its rules");
        for (unsigned i = 0; i < rules.count; i++)
            str_append(again, sizeof again, &used, "%s %s, ", rules.rule[i].allow ? "allow" : "deny",
                       network_text(&rules.rule[i].network, name));
        must(acl_parse(again, &same) == 0 && same.count == rules.count, "what was understood can be written again");
        for (unsigned i = 0; i < rules.count; i++) {
            union addr addr = rules.rule[i].network.addr;

            must(acl_allows(&rules, &addr) == acl_allows(&same, &addr), "and decides the same");
            must(rules.count > 1 || acl_allows(&rules, &addr) == rules.rule[0].allow, "as its one rule says");
        }
    }
    free(text);
    return 0;
}
