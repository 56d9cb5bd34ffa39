/* Words for what was heard, or was not: audio that never came or came badly, keys for it that were missing, who was on
 * hold. Any thread. */
#include <stdio.h>

#include "trace/why-priv.h"

/* --- audio ----------------------------------------------------------------------------------------------------------
 */

/* A phone from which nothing came although it was connected: the others heard nothing of it. */
static const json_t *mute_leg(const struct why *why)
{
    for (size_t i = 0; i < json_array_size(why->legs); i++) {
        const json_t *leg = json_array_get(why->legs, i), *media = json_object_get(leg, "media");

        if (media && why_num(media, "rx_packets") == 0 && why_num(media, "tx_packets") > 0)
            return leg;
    }
    return NULL;
}

/* While the call runs there are no counters yet: the latest word about silence counts. */
static const json_t *silent_leg(const struct why *why)
{
    const json_t *found = NULL;

    for (size_t i = 0; i < json_array_size(why->lines); i++) {
        const json_t *line = json_array_get(why->lines, i),
                     *leg = json_array_get(why->legs, (size_t)why_num(line, "leg"));

        if (why_is(line, "event", "leg-silent"))
            found = leg;
        else if (why_is(line, "event", "leg-heard") && leg == found)
            found = NULL;
    }
    return found;
}

/* The latest word about keys counts: a leg that has none, and the line that says why. */
static const json_t *keyless_leg(const struct why *why, const json_t **said)
{
    const json_t *found = NULL;

    for (size_t i = 0; i < json_array_size(why->lines); i++) {
        const json_t *line = json_array_get(why->lines, i),
                     *leg = json_array_get(why->legs, (size_t)why_num(line, "leg"));

        if (why_is(line, "event", "leg-keyless")) {
            found = leg;
            *said = line;
        } else if (why_is(line, "event", "leg-keyed") && leg == found) {
            found = NULL;
        }
    }
    return found;
}

bool why_keyless(struct why *why)
{
    const json_t *said = NULL, *leg = keyless_leg(why, &said);
    const char *party = why_str(leg, "party"), *text = why_str(said, "text"), *reason = strstr(text, ": ");

    if (!leg)
        return false;
    why_say(why,
            "Nobody heard anything of the phone of %s, and it heard nothing: its audio is encrypted with keys by "
            "DTLS, and there are none, because %s.",
            party, reason ? reason + 2 : text);
    if (strstr(text, "fingerprint"))
        why_do(why,
               "Something between the phone of %s and the switch changes its messages or its audio; let it register "
               "over TLS. Restart the phone, if it may have a new certificate.",
               party);
    else if (strstr(text, "sent nothing"))
        why_do(why,
               "A firewall or router between the phone of %s and the switch keeps its packets away: compare the "
               "addresses in `tandem trace %.13s`, and open the audio ports of the switch.",
               party, why_str(why->report, "id"));
    else
        why_do(why,
               "Let the phone of %s use SRTP with SDES: `tandem account set %s --srtp-keys sdes`, and its own setting.",
               party, party);
    return true;
}

#define SILENT_MS 2000 /* of talk: who hangs up at once may have sent nothing */

/* Nothing came from anybody, so that nobody heard anything: no leg stands out. */
static bool all_mute(const struct why *why)
{
    unsigned counted = 0;

    for (size_t i = 0; i < json_array_size(why->legs); i++) {
        const json_t *media = json_object_get(json_array_get(why->legs, i), "media");

        if (why_num(media, "rx_packets") > 0)
            return false;
        counted += media != NULL;
    }
    return counted && why_num(why->report, "answered_us") && why_num(why->report, "talk_ms") >= SILENT_MS;
}

bool why_silence(struct why *why)
{
    const json_t *leg = why_num(why->report, "answered_us") ? mute_leg(why) : NULL;

    if (!leg && all_mute(why)) {
        why_say(why, "No audio arrived from any phone, so nobody heard anything.");
        why_do(why,
               "A firewall or router between the phones and the switch keeps audio (RTP) away: open the audio ports of "
               "the switch, and compare the addresses in `tandem trace %.13s` with those of the phones.",
               why_str(why->report, "id"));
        return true;
    }
    if (!leg)
        leg = silent_leg(why);
    if (!leg)
        return false;
    why_say(why, "No audio arrived from the phone of %s%s.", why_str(leg, "party"),
            json_array_size(why->legs) > 1 ? ", so the other side heard nothing of it" : "");
    why_do(why,
           "A firewall or router between the phone of %s and the switch keeps its audio (RTP) away, or the phone "
           "sends it to another address: compare the addresses in `tandem trace %.13s`, and open the audio "
           "ports of the switch.",
           why_str(leg, "party"), why_str(why->report, "id"));
    return true;
}

/* --- quality --------------------------------------------------------------------------------------------------------
 */

#define POOR_MOS 3.0 /* who listens to less has to ask back */

/* The latest word about poor audio, as "poor audio from 202's phone: 12 % of packets are lost". */
static const json_t *poor_line(const struct why *why)
{
    const json_t *found = NULL;

    for (size_t i = 0; i < json_array_size(why->lines); i++)
        if (why_is(json_array_get(why->lines, i), "event", "leg-poor"))
            found = json_array_get(why->lines, i);
    return found;
}

/* A leg that was poor over the whole of its call, maybe too short for a word meanwhile. */
static const json_t *poor_leg(const struct why *why)
{
    for (size_t i = 0; i < json_array_size(why->legs); i++) {
        const json_t *leg = json_array_get(why->legs, i);

        if ((why_score(leg, "mos_in") > 0 && why_score(leg, "mos_in") < POOR_MOS) ||
            (why_score(leg, "mos_out") > 0 && why_score(leg, "mos_out") < POOR_MOS))
            return leg;
    }
    return NULL;
}

bool why_quality(struct why *why)
{
    const json_t *line = poor_line(why),
                 *leg = line ? json_array_get(why->legs, (size_t)why_num(line, "leg")) : poor_leg(why);
    char clock[16];

    if (!leg)
        return false;
    if (line) {
        why_say(why, "The audio was poor for a while. At %s: %s.", why_clock(why_num(line, "at_us"), clock),
                why_str(line, "text"));
    } else {
        bool in = why_score(leg, "mos_in") > 0 && why_score(leg, "mos_in") < POOR_MOS;

        why_say(why, "The audio %s the phone of %s was poor (%.1f of 5).", in ? "from" : "to", why_str(leg, "party"),
                why_score(leg, in ? "mos_in" : "mos_out"));
    }
    why_do(why,
           "Look at the network between the phone of %s and the switch: a weak Wi-Fi, a line that is full, a router "
           "that does not let voice go first. `tandem call %.13s` has the figures.",
           why_str(leg, "party"), why_str(why->report, "id"));
    return true;
}

/* --- hold -----------------------------------------------------------------------------------------------------------
 */

/* Holds that nobody has ended, in the words of their events. */
void why_hold(struct why *why, bool ended)
{
    for (size_t i = 0; i < json_array_size(why->lines); i++) {
        const json_t *line = json_array_get(why->lines, i);
        const json_t *leg = json_array_get(why->legs, (size_t)why_num(line, "leg"));
        bool over = !why_is(line, "event", "leg-held") ||
                    (ended ? why_is(leg, "cause", "transferred") : *why_str(leg, "cause"));
        char clock[16];

        for (size_t k = i + 1; k < json_array_size(why->lines) && !over; k++) {
            const json_t *later = json_array_get(why->lines, k);

            over = why_num(later, "leg") == why_num(line, "leg") &&
                   (why_is(later, "event", "leg-held") || why_is(later, "event", "leg-resumed"));
        }
        if (!over)
            why_say(why, "%s %s: %s.", ended ? "Somebody was on hold at the end, since" : "On hold since",
                    why_clock(why_num(line, "at_us"), clock), why_str(line, "text"));
    }
}
