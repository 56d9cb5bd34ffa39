/* Damage to an input of the fuzzers of SIP: words, pieces and their order. See sip_bed.h. Test code. */
#include "sip_bed.h"

#include <stdlib.h>

#include "tests/loopback/mutate.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

/* The piece that the dice choose. */
static void choose(struct dice *dice, const char *data, size_t size, size_t *from, size_t *len)
{
    unsigned count = 1, wanted;
    const char *at = data, *end = data + size, *cut;

    while ((cut = memmem(at, (size_t)(end - at), "%%\n", 3))) {
        count++;
        at = cut + 3;
    }
    wanted = dice_below(dice, count);
    for (at = data; wanted; wanted--)
        at = (const char *)memmem(at, (size_t)(end - at), "%%\n", 3) + 3;
    cut = memmem(at, (size_t)(end - at), "%%\n", 3);
    *from = (size_t)(at - data);
    *len = cut ? (size_t)(cut - at) : (size_t)(end - at);
}

static const char *const words[] = {
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "UPDATE",
    "PRACK",
    "INFO",
    "MESSAGE",
    "OPTIONS",
    "REGISTER",
    "REFER",
    "SIP/2.0 ",
    "%%\n@201+\n",
    "%%\n@202\n",
    "%%\n~34000\n",
    "$b",
    "$B",
    "$z",
    "$s",
    "$V",
    "$F",
    "$T",
    "$I",
    "$N",
    "$M",
    "$K",
    "$f",
    "$t",
    "$i",
    "$n",
    "$k",
    "$r",
    "$+",
    "Require: 100rel\n",
    "Supported: timer, 100rel\n",
    "Session-Expires: 90;refresher=uas\n",
    "Min-SE: 1800\n",
    "RAck: 1 1 INVITE\n",
    "RSeq: 1\n",
    "Record-Route: <sip:127.0.0.1;lr>\n",
    "Record-Route: <sip:a>;lr, <sip:b>\n",
    "Route: <sip:127.0.0.1;lr>\n",
    "Contact: *\n",
    "Expires: 0\n",
    "Content-Type: application/sdp\n",
    "Content-Type: application/dtmf-relay\n",
    "Content-Encoding: gzip\n",
    "Replaces: x;to-tag=y;from-tag=z\n",
    ";tag=",
    ";branch=",
    ";expires=",
    ";q=",
    ";rport",
    "%0d%0a",
    "\n ",
};

size_t sip_bed_mutate(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    struct dice dice = {.state = seed * 2654435761ull + 1};
    size_t from, len, out;
    char *text;

    if (!size || dice_chance(&dice, 35))
        return LLVMFuzzerMutate(data, size, max);
    choose(&dice, (const char *)data, size, &from, &len);
    text = mem_new(SIP_BED_MESSAGE + 3);
    if (len > SIP_BED_MESSAGE - 1000)
        len = SIP_BED_MESSAGE - 1000;
    memcpy(text, data + from, len);
    if (dice_chance(&dice, 20)) { /* a word somewhere */
        const char *word = words[dice_below(&dice, COUNT_OF(words))];
        size_t at = from + dice_below(&dice, (unsigned)len + 1);

        if (size + strlen(word) <= max) {
            memmove(data + at + strlen(word), data + at, size - at);
            memcpy(data + at, word, strlen(word));
            size += strlen(word);
        }
    } else if (dice_chance(&dice, 70)) { /* another piece in its place */
        out = len ? mutate(&dice, text, len, SIP_BED_MESSAGE) : 0;
        if (size - len + out <= max) {
            memmove(data + from + out, data + from + len, size - from - len);
            memcpy(data + from, text, out);
            size += out - len;
        }
    } else { /* once more, at the end */
        if (size + 3 + len <= max) {
            memcpy(data + size, "%%\n", 3);
            memcpy(data + size + 3, text, len);
            size += 3 + len;
        }
    }
    free(text);
    return size ? size : 1;
}
