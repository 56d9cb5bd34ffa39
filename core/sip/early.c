/* Early dialogs of an INVITE of ours: each To tag in a provisional response is one, with its own sequence of reliable
 * responses (RFC 3262) and its own media; a proxy in front of several phones makes several. Signalling thread. It must
 * not know what ringing is good for: the leg does. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "sip/sip-priv.h"

#define EARLY_MAX 16 /* of one INVITE; what more there are only ring */

struct early {
    struct list node;
    nta_leg_t *nta; /* for its PRACKs: made with the first reliable response */
    uint32_t rseq;  /* of the last one; 0: none yet */
    int status;
    bool agreed;              /* an offer of its own was answered after that */
    struct media_desc *media; /* what it first described; NULL: nothing */
    char tag[];
};

static void early_free(struct early *early)
{
    list_unlink(&early->node);
    if (early->nta)
        nta_leg_destroy(early->nta);
    desc_free(early->media);
    free(early);
}

static struct early *find(struct dialog *dialog, const char *tag)
{
    struct early *early;

    LIST_FOR_EACH(early, &dialog->early, node)
    {
        if (strcmp(early->tag, tag) == 0)
            return early;
    }
    return NULL;
}

static struct early *find_or_make(struct dialog *dialog, const char *tag)
{
    struct early *early = find(dialog, tag);

    if (early || list_length(&dialog->early) >= EARLY_MAX)
        return early;
    early = mem_new(sizeof *early + strlen(tag) + 1);
    strcpy(early->tag, tag);
    list_append(&dialog->early, &early->node);
    return early;
}

static void send_prack(struct dialog *dialog, struct early *early, const sip_t *sip)
{
    nta_outgoing_t *prack = NULL;
    char rack[64];

    if (!early->nta) {
        char remote[sizeof dialog->remote + 160];

        snprintf(remote, sizeof remote, "%s;tag=%.150s", dialog->remote, early->tag);
        early->nta = nta_leg_tcreate(dialog->agent->nta, indialog_request, dialog, SIPTAG_CALL_ID(sip->sip_call_id),
                                     SIPTAG_FROM_STR(dialog->local), SIPTAG_TO_STR(remote), SIPTAG_CSEQ(sip->sip_cseq),
                                     TAG_END());
    }
    snprintf(rack, sizeof rack, "%u %u INVITE", (unsigned)early->rseq, (unsigned)sip->sip_cseq->cs_seq);
    /* Not by nta_outgoing_prack(): it would count the responses of all early dialogs together. */
    if (early->nta && dialog_learn_route(dialog, early->nta, sip->sip_record_route, sip->sip_contact) == 0)
        prack = nta_outgoing_tcreate(early->nta, NULL, NULL, NULL, SIP_METHOD_PRACK, NULL, SIPTAG_RACK_STR(rack),
                                     SIPTAG_MAX_FORWARDS_STR("70"), TAG_END());
    if (!prack)
        log_warn("a reliable provisional response of %s could not be confirmed", dialog->leg->number);
    nta_outgoing_destroy(prack);
}

/* Confirms a reliable response. False: it came before, or one before it is missing, and means nothing (RFC 3262 §4). */
static bool confirmed(struct dialog *dialog, struct early *early, const sip_t *sip)
{
    uint32_t rseq = sip->sip_rseq ? sip->sip_rseq->rs_response : 0;

    if (!rseq || !early || !*early->tag || !sip_has_feature(sip->sip_require, "100rel"))
        return true;
    if (early->rseq && rseq != early->rseq + 1)
        return false;
    early->rseq = rseq;
    send_prack(dialog, early, sip);
    return true;
}

/* The media of this early dialog is what is heard from now on, when it can be. */
static void take_media(struct dialog *dialog, struct early *early)
{
    dialog->early_media = early;
    if (leg_on_early(dialog->leg, early->status, early->media) < 0)
        dialog->early_media = NULL;
}

/* 199 (RFC 6228): this one has ended without an answer. What it let be heard ends, and another may be heard. */
static void terminated(struct dialog *dialog, const char *tag)
{
    struct early *early = find(dialog, tag);
    bool heard = early && early == dialog->early_media;

    if (!early)
        return;
    early_free(early);
    if (!heard)
        return;
    dialog->early_media = NULL;
    LIST_FOR_EACH(early, &dialog->early, node)
    {
        if (early->media) {
            take_media(dialog, early);
            return;
        }
    }
}

void early_provisional(struct dialog *dialog, const sip_t *sip)
{
    const char *tag = sip->sip_to && sip->sip_to->a_tag ? sip->sip_to->a_tag : "";
    int status = sip->sip_status->st_status;
    struct early *early;
    char why[160];

    if (status == 199) {
        confirmed(dialog, find(dialog, tag), sip);
        terminated(dialog, tag);
        return;
    }
    early = find_or_make(dialog, tag);
    if (!confirmed(dialog, early, sip))
        return;
    if (early)
        early->status = status;
    if (early && !early->media && message_sdp(sip, &early->media, why, sizeof why) == 0 && !dialog->early_media)
        take_media(dialog, early);
    else if (!dialog->early_media || early == dialog->early_media) /* else another is heard, and ringing tones in it */
        leg_on_ringing(dialog->leg, status);
}

bool early_has(const struct dialog *dialog, const char *tag)
{
    const struct early *early;

    LIST_FOR_EACH(early, &dialog->early, node)
    {
        if (*tag && strcmp(early->tag, tag) == 0)
            return true;
    }
    return false;
}

struct media_desc *early_answer(struct dialog *dialog, const char *tag)
{
    struct early *early = tag ? find(dialog, tag) : NULL;

    return early ? desc_copy(early->media) : NULL;
}

/* Its answer must have been confirmed before (RFC 3311 §5.1), and only who is heard can change what is heard. */
bool early_may_offer(const struct dialog *dialog, const char *tag)
{
    const struct early *early = dialog->early_media;

    return early && tag && strcmp(early->tag, tag) == 0 && early->rseq;
}

void early_agreed(struct dialog *dialog)
{
    if (dialog->early_media)
        dialog->early_media->agreed = true;
}

bool early_has_agreed(const struct dialog *dialog, const char *tag)
{
    return dialog->early_media && dialog->early_media->agreed && tag && strcmp(dialog->early_media->tag, tag) == 0;
}

void early_confirm(struct dialog *dialog, const char *tag)
{
    struct early *early = tag ? find(dialog, tag) : NULL;

    if (early && early->nta) { /* its PRACKs have used numbers (CSeq) of the dialog */
        nta_leg_destroy(dialog->nta);
        dialog->nta = early->nta;
        early->nta = NULL;
    }
    early_forget(dialog);
}

void early_forget(struct dialog *dialog)
{
    dialog->early_media = NULL;
    while (!list_empty(&dialog->early))
        early_free(LIST_ENTRY(dialog->early.next, struct early, node));
}
