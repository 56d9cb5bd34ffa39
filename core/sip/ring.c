/* What a caller is told before its call is answered: 180 to 183, with early media or without. A caller that asks for it
 * confirms them (RFC 3262); then one is on its way at a time, and those behind it wait here, because NTA would take a
 * queue of its own for lost as soon as the call is answered. Signalling thread. It must not know why it rings. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "sip/sip-priv.h"

#define RINGS_MAX 8 /* more than that wait for no PRACK: they are left out */

struct ring {
    struct list node;
    int status;
    char sdp[]; /* "": none */
};

static void forget_waiting(struct dialog *dialog)
{
    while (!list_empty(&dialog->rings)) {
        struct ring *ring = LIST_ENTRY(dialog->rings.next, struct ring, node);

        list_unlink(&ring->node);
        free(ring);
    }
}

void ring_before_final(struct dialog *dialog, int status)
{
    forget_waiting(dialog);
    if (status >= 300 && dialog->reliable) { /* else NTA tells of it as if its PRACK had not come in time */
        nta_reliable_destroy(dialog->reliable);
        dialog->reliable = NULL;
    }
    dialog->answering = status < 300;
}

void ring_after_final(struct dialog *dialog)
{
    dialog->answering = false;
}

void ring_forget(struct dialog *dialog)
{
    ring_before_final(dialog, 487);
    ring_after_final(dialog);
}

static int send_reliably(struct dialog *dialog, int status, const char *sdp);

static void send_next(struct dialog *dialog)
{
    struct ring *ring;

    if (list_empty(&dialog->rings))
        return;
    ring = LIST_ENTRY(dialog->rings.next, struct ring, node);
    list_unlink(&ring->node);
    send_reliably(dialog, ring->status, ring->sdp);
    free(ring);
}

/* The caller confirmed a reliable provisional response; NTA answers the PRACK with what we return (0: we did). sip
 * NULL: it never did, or a 2xx makes it needless; its PRACK may still come then (RFC 3262 §3). */
static int pracked(struct dialog *dialog, nta_reliable_t *rel, nta_incoming_t *prack, const sip_t *sip)
{
    int answer;

    if (dialog->dead)
        return 481;
    if (!sip && dialog->answering)
        return 0;
    if (rel == dialog->reliable)
        dialog->reliable = NULL;
    nta_reliable_destroy(rel);
    if (!sip) {
        struct leg *leg = dialog->leg;

        invite_respond(dialog, SIP_504_GATEWAY_TIME_OUT, TAG_END());
        invite_drop(dialog);
        leg_on_ended(leg, CAUSE_NO_ACK, WHO_SWITCH, 504, "the phone never confirmed a ringing message (PRACK)");
        dialog_finish(dialog);
        return 0;
    }
    answer = indialog_prack(dialog, prack, sip);
    if (!dialog->dead)
        send_next(dialog);
    return answer;
}

static int send_reliably(struct dialog *dialog, int status, const char *sdp)
{
    if (!dialog->invite_in || nta_incoming_status(dialog->invite_in) >= 200)
        return -EALREADY;
    sip_enter(dialog->agent);
    dialog->reliable = nta_reliable_treply(
        dialog->invite_in, pracked, dialog, status, sip_status_phrase(status),
        SIPTAG_SERVER_STR(dialog->agent->user_agent), SIPTAG_CONTACT_STR(dialog->contact),
        SIPTAG_ALLOW_STR(dialog_allow(dialog->agent)), SIPTAG_REQUIRE_STR("100rel"),
        TAG_IF(*sdp, SIPTAG_CONTENT_TYPE_STR(SIP_SDP_TYPE)), TAG_IF(*sdp, SIPTAG_PAYLOAD_STR(sdp)), TAG_END());
    sip_leave(dialog->agent);
    return dialog->reliable ? 0 : -EIO;
}

static int send_later(struct dialog *dialog, int status, const char *sdp)
{
    struct ring *ring;

    if (list_length(&dialog->rings) >= RINGS_MAX)
        return -EBUSY;
    ring = mem_new(sizeof *ring + strlen(sdp) + 1);
    ring->status = status;
    strcpy(ring->sdp, sdp);
    list_append(&dialog->rings, &ring->node);
    return 0;
}

int invite_ring(struct leg *leg, int status, const struct media_desc *early)
{
    struct dialog *dialog = leg->usage;
    char sdp[4096] = "";
    int len = early ? dialog_sdp(dialog, early, sdp, sizeof sdp) : 0;

    if (len < 0)
        return len;
    if (dialog->reliability == REL_ALWAYS && leg->late_offer)
        return 0;         /* the first would have to carry our offer (RFC 3261 §13.2.1), which waits for the 200 */
    if (dialog->reliable) /* an unreliable one now would make NTA stop repeating it */
        return send_later(dialog, status, sdp);
    if (dialog->reliability == REL_ALWAYS || (dialog->reliability == REL_WITH_SDP && early))
        return send_reliably(dialog, status, sdp);
    return invite_respond(dialog, status, sip_status_phrase(status), SIPTAG_CONTACT_STR(dialog->contact),
                          SIPTAG_ALLOW_STR(dialog_allow(dialog->agent)),
                          TAG_IF(early, SIPTAG_CONTENT_TYPE_STR(SIP_SDP_TYPE)), TAG_IF(early, SIPTAG_PAYLOAD_STR(sdp)),
                          TAG_END());
}
