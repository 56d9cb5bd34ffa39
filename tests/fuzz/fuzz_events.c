/* libFuzzer: header lines of SUBSCRIBE, NOTIFY and REFER (sip_bed.h), in a call of 201 with 202 and outside of it. What
 * stands around them is right, so that each line reaches who reads it. */
#include <stdio.h>
#include <stdlib.h>

#include "sip_bed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Pieces are parted by lines "%%". The first letter says what a piece is; header lines follow it:
 *   S R N     SUBSCRIBE, REFER, NOTIFY in the dialog of the last response    s r n  outside of dialogs, signed
 *   A         the answer to the last request that came, whose status are the three letters behind it
 *   ~N        time goes on, as in sip_bed.h */
#define TEXT 60000
#define CALL_ID "the-call"

struct script {
    char text[TEXT];
    size_t used;
};

static void put(struct script *s, const char *text, size_t len)
{
    if (len > TEXT - s->used)
        len = TEXT - s->used;
    memcpy(s->text + s->used, text, len);
    s->used += len;
}

static void puts_(struct script *s, const char *text)
{
    put(s, text, strlen(text));
}

static void request(struct script *s, const char *method, bool inside, const char *lines, size_t len)
{
    char text[500];

    if (inside)
        snprintf(text, sizeof text,
                 "@201\n%s $k SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=$b;rport\nMax-Forwards: 70\nFrom: $f\nTo: $t\n"
                 "Call-ID: $i\nCSeq: $+ %s\nContact: <sip:201@192.0.2.1>\n",
                 method, method);
    else
        snprintf(text, sizeof text,
                 "@201+\n%s sip:hall@fuzz SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=$b;rport\nMax-Forwards: 70\n"
                 "From: <sip:201@fuzz>;tag=$b\nTo: <sip:hall@fuzz>\nCall-ID: $b\nCSeq: $+ %s\n"
                 "Contact: <sip:201@192.0.2.1>\n",
                 method, method);
    puts_(s, text);
    put(s, lines, len);
    puts_(s, "\nContent-Length: 0\n\n%%\n");
}

static void answer(struct script *s, const char *lines, size_t len)
{
    char status[4] = "200";

    if (len >= 3) {
        memcpy(status, lines, 3);
        lines += 3;
        len -= 3;
    }
    puts_(s, "@201\nSIP/2.0 ");
    puts_(s, status);
    puts_(s, " So\n$VFrom: $F\nTo: $T\nCall-ID: $I\nCSeq: $N $M\nContact: <sip:201@192.0.2.1>\n");
    put(s, lines, len);
    puts_(s, "\nContent-Length: 0\n\n%%\n");
}

static void piece(struct script *s, const char *text, size_t len)
{
    static const char letters[] = "SRNsrn";
    static const char *const methods[] = {"SUBSCRIBE", "REFER", "NOTIFY"};
    const char *at = len ? strchr(letters, text[0]) : NULL;

    if (!len || !text[0])
        return;
    if (at) {
        request(s, methods[(at - letters) % 3], at - letters < 3, text + 1, len - 1);
    } else if (text[0] == 'A') {
        answer(s, text + 1, len - 1);
    } else if (text[0] == '~') {
        put(s, text, len);
        puts_(s, "\n%%\n");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sip_bed *bed;
    struct script *s = mem_new(sizeof *s);
    const char *at = (const char *)data, *end = at + size;

    if (!bed)
        bed = sip_bed_new(SIDE_CALLER);
    puts_(s, "@201+\nINVITE sip:202@fuzz SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=$b;rport\nMax-Forwards: 70\n"
             "From: <sip:201@fuzz>;tag=caller\nTo: <sip:202@fuzz>\nCall-ID: " CALL_ID "\nCSeq: $+ INVITE\n"
             "Contact: <sip:201@192.0.2.1>\nContent-Type: application/sdp\nContent-Length: $z\n\n$s%%\n~9\n%%\n"
             "@201\nACK $k SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=$b;rport\nMax-Forwards: 70\nFrom: $f\nTo: $t\n"
             "Call-ID: $i\nCSeq: $n ACK\nContent-Length: 0\n\n%%\n");
    while (at < end) {
        const char *cut = memmem(at, (size_t)(end - at), "%%\n", 3);

        piece(s, at, cut ? (size_t)(cut - at) : (size_t)(end - at));
        at = cut ? cut + 3 : end;
    }
    sip_bed_play(bed, (const uint8_t *)s->text, s->used);
    free(s);
    return 0;
}
