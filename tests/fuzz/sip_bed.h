/* The switch for the fuzzers of SIP: the real edge, NTA, agent, calls and registrar in this process, on a clock that
 * only the fuzzer moves, with media that only pretends and no socket that anybody sends to. Two phones stand at its
 * ends: what one of them sends is the input, the other one answers as a good phone does. Test code. */
#ifndef FUZZ_SIP_BED_H
#define FUZZ_SIP_BED_H

#include "base/base.h"

#define SIP_BED_MESSAGE 20000 /* bytes of one message at most */

struct sip_bed;

enum sip_side { SIDE_CALLER, SIDE_CALLEE }; /* accounts 201 and 202; 202 is registered */

/* wild: whose messages are the input; the other phone answers by itself. */
struct sip_bed *sip_bed_new(enum sip_side wild) MUST_USE;

/* Plays one input and ends what has come of it; aborts when something is left over, or when a message to a phone has a
 * header line that the switch never writes. The input is text: messages, parted by lines "%%". The first line of each
 * may be
 *   @201 @202   who sends it (else: the wild side); with a + behind it, it is signed as that account;
 *               with an i, the last request below means the last INVITE
 *   ~N          the lamp "hall" changes (Event: lamp), and time goes on, N milliseconds; a good phone that rings
 * answers first In a message, \n is \r\n, and $b $B     a new branch or Call-ID, the last one        $z  the length of
 * the body $F $T $I  From, To (with a tag of the phone's), Call-ID     of the last request that came to this phone, $V
 * $N $M $K  all its Via lines, number and method of its CSeq, the URI of its Contact $f $t $i $n $m $k $r  the same of
 * the last response (and RSeq) that came to this phone; $g its To tag
 *   $+        a CSeq number higher than the last  $s  a session description */
void sip_bed_play(struct sip_bed *bed, const uint8_t *data, size_t size);
/* The wild side is the callee: 201 calls it, so that its INVITE is there. */
void sip_bed_call(struct sip_bed *bed);

/* Damages one message of the input, or moves messages about. As LLVMFuzzerCustomMutator(). */
size_t sip_bed_mutate(uint8_t *data, size_t size, size_t max, unsigned seed);

#endif
