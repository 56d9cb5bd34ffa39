/* Notes between phones: INFO with a request for a picture, MESSAGE with a text. What came in one dialog
 * goes out in that of the other leg, made anew from an allow-list, and the answer goes back. Signalling thread. Who the
 * other leg is, the call room knows. */
#include "base/log.h"
#include "base/obj.h"
#include "sip/sip-priv.h"

#define NOTES_MAX 16       /* under way in one direction of a dialog: nobody presses keys that fast */
#define NOTE_TEXT_MAX 4096 /* bytes of a body */

/* What may cross. */
static const struct {
    enum note_kind kind;
    const char *type;
} allowed[] = {
    {NOTE_SIGNAL, "application/media_control+xml"}, /* RFC 5168 */
    {NOTE_TEXT, "text/plain"},                      /* RFC 3428 */
};
#define ACCEPT_SIGNAL SIP_SDP_TYPE ", application/dtmf-relay, application/dtmf, application/media_control+xml"
#define ACCEPT_TEXT "text/plain"

/* One that came and waits for what the other phone says of it. Freed by its answer; without a dialog meanwhile when the
 * sender has gone. */
struct note_in {
    struct list in_dialog;
    struct dialog *dialog;
    nta_incoming_t *irq;
    enum note_kind kind;
};

/* One of ours that waits for its answer. */
struct note_out {
    struct list in_dialog;
    nta_outgoing_t *orq;
    enum note_kind kind;
    note_done_fn done;
    void *arg;
};

void dialog_learn_allow(struct dialog *dialog, const sip_t *sip)
{
    if (sip->sip_supported)
        dialog->from_change = sip_has_feature(sip->sip_supported, "from-change");
    if (!sip->sip_allow)
        return;
    dialog->peer_update = sip_is_allowed(sip->sip_allow, sip_method_update, "UPDATE");
    dialog->refuses[NOTE_SIGNAL] = !sip_is_allowed(sip->sip_allow, sip_method_info, "INFO");
    dialog->refuses[NOTE_TEXT] = !sip_is_allowed(sip->sip_allow, sip_method_message, "MESSAGE");
}

/* --- one that comes ---------------------------------------------------------------------------------------------- */

/* Readable text in UTF-8, which is what the other phone will be told that it is. */
static bool is_text(const char *data, size_t len)
{
    char copy[NOTE_TEXT_MAX + 1], clean[sizeof copy];

    for (size_t i = 0; i < len; i++)
        copy[i] = data[i] == '\r' ? '\n' : data[i];
    copy[len] = '\0';
    memcpy(clean, copy, len + 1);
    str_clean_utf8(clean);
    return strlen(clean) == len && memcmp(clean, copy, len) == 0;
}

static bool is_utf8_charset(const char *name)
{
    return !name || strcasecmp(name, "utf-8") == 0 || strcasecmp(name, "\"utf-8\"") == 0 ||
           strcasecmp(name, "us-ascii") == 0 || strcasecmp(name, "\"us-ascii\"") == 0;
}

/* Fills note with what of the request may cross. 0, or the status that it gets. */
static int read_note(const sip_t *sip, struct note *note)
{
    const sip_content_type_t *type = sip->sip_content_type;
    const sip_payload_t *payload = sip->sip_payload;

    if (!payload || !payload->pl_len)
        return 400;
    for (size_t i = 0; type && type->c_type && i < COUNT_OF(allowed); i++)
        if (allowed[i].kind == note->kind && strcasecmp(allowed[i].type, type->c_type) == 0)
            note->type = allowed[i].type;
    if (!note->type || body_encoded(sip) || !is_utf8_charset(msg_params_find(type->c_params, "charset=")))
        return 415;
    if (payload->pl_len > NOTE_TEXT_MAX)
        return 413;
    if (!is_text(payload->pl_data, payload->pl_len))
        return 415;
    note->text = payload->pl_data;
    note->len = payload->pl_len;
    return 0;
}

/* Only a status that says something about this request alone goes back: of others (404, 480, 481 …) the sender would
 * think that they mean its own dialog (RFC 5057 §5.1). */
static void reply(struct dialog *dialog, nta_incoming_t *irq, enum note_kind kind, int status)
{
    char allow[256];

    switch (status) {
    case 400:
        reply_last(dialog, irq, SIP_400_BAD_REQUEST, TAG_END());
        break;
    case 403:
        reply_last(dialog, irq, SIP_403_FORBIDDEN, TAG_END());
        break;
    case 405:
    case 501: /* INFO itself is allowed: what it carries is not */
        if (kind == NOTE_TEXT) {
            reply_last(dialog, irq, SIP_405_METHOD_NOT_ALLOWED,
                       SIPTAG_ALLOW_STR(agent_allow(dialog->agent, allow, sizeof allow)), TAG_END());
            break;
        } /* FALLTHROUGH */
    case 415:
        reply_last(dialog, irq, SIP_415_UNSUPPORTED_MEDIA,
                   SIPTAG_ACCEPT_STR(kind == NOTE_TEXT ? ACCEPT_TEXT : ACCEPT_SIGNAL),
                   SIPTAG_ACCEPT_ENCODING_STR("identity"), TAG_END());
        break;
    case 413:
        reply_last(dialog, irq, SIP_413_REQUEST_TOO_LARGE, TAG_END());
        break;
    case 486:
        reply_last(dialog, irq, SIP_486_BUSY_HERE, TAG_END());
        break;
    case 487:
        reply_last(dialog, irq, SIP_487_REQUEST_TERMINATED, TAG_END());
        break;
    case 488:
        reply_last(dialog, irq, SIP_488_NOT_ACCEPTABLE, TAG_END());
        break;
    case 603:
        reply_last(dialog, irq, SIP_603_DECLINE, TAG_END());
        break;
    default:
        if (status < 300)
            reply_last(dialog, irq, SIP_200_OK, TAG_END());
        else
            reply_last(dialog, irq, SIP_500_INTERNAL_SERVER_ERROR, TAG_END());
        break;
    }
}

static void answered(void *arg, int status)
{
    struct note_in *in = arg;

    if (in->dialog) {
        list_unlink(&in->in_dialog);
        reply(in->dialog, in->irq, in->kind, status);
    }
    free(in);
}

int note_in(struct dialog *dialog, nta_incoming_t *irq, const sip_t *sip, enum note_kind kind)
{
    struct note note = {.kind = kind};
    const struct leg *leg = dialog->leg, *peer = bridge_peer(leg);
    struct note_in *in;
    int result = read_note(sip, &note);

    if (!peer || peer->state != LEG_UP || leg->state != LEG_UP) /* nobody is there to take it, nor does the switch */
        return reply_last(dialog, irq, SIP_415_UNSUPPORTED_MEDIA, SIP_BODY_TAGS, TAG_END());
    if (result) {
        reply(dialog, irq, kind, result);
        return 0;
    }
    if (list_length(&dialog->notes_in) >= NOTES_MAX)
        return reply_last(dialog, irq, SIP_500_INTERNAL_SERVER_ERROR, SIPTAG_RETRY_AFTER_STR("1"), TAG_END());
    in = mem_new(sizeof *in);
    in->dialog = dialog;
    in->irq = irq;
    in->kind = kind;
    list_append(&dialog->notes_in, &in->in_dialog);
    result = bridge_note(dialog->leg, &note, answered, in);
    if (result < 0)
        answered(in, result == -EOPNOTSUPP ? 405 : 500);
    return 0;
}

/* --- one of ours ------------------------------------------------------------------------------------------------- */

static struct note_out *find_out(const struct dialog *dialog, const nta_outgoing_t *orq)
{
    struct note_out *out;

    LIST_FOR_EACH(out, &dialog->notes_out, in_dialog)
    {
        if (out->orq == orq)
            return out;
    }
    return NULL;
}

static void finish_out(struct note_out *out, int status)
{
    list_unlink(&out->in_dialog);
    nta_outgoing_destroy(out->orq);
    out->done(out->arg, status);
    free(out);
}

static int note_answered(struct dialog *dialog, nta_outgoing_t *orq, const sip_t *sip)
{
    int status = nta_outgoing_status(orq);
    struct note_out *out = dialog->dead ? NULL : find_out(dialog, orq);

    if (!out || status < 200)
        return 0;
    if (status == 405 || status == 501)
        dialog->refuses[out->kind] = true;
    finish_out(out, status);
    if (status == 481 && sip && leg_is_alive(dialog->leg)) /* RFC 3261 §12.2.1.2: there is no such dialog any more */
        leg_end(dialog->leg, CAUSE_CONNECTION_LOST, WHO_SWITCH, dialog_unknown);
    return 0;
}

int note_out(struct leg *leg, const struct note *note, note_done_fn done, void *arg)
{
    struct dialog *dialog = leg->usage;
    struct note_out *out;
    char body[NOTE_TEXT_MAX + 1];

    if (!dialog || !dialog->established || dialog->bye)
        return -ENOTCONN;
    if (dialog->refuses[note->kind])
        return -EOPNOTSUPP;
    if (note->len > NOTE_TEXT_MAX || list_length(&dialog->notes_out) >= NOTES_MAX)
        return -EBUSY;
    str_copy_n(body, sizeof body, note->text, note->len);
    out = mem_new(sizeof *out);
    out->kind = note->kind;
    out->done = done;
    out->arg = arg;
    sip_enter(dialog->agent);
    dialog_find_flow(dialog);
    out->orq = nta_outgoing_tcreate(
        dialog->nta, note_answered, dialog, NULL, note->kind == NOTE_TEXT ? sip_method_message : sip_method_info,
        note->kind == NOTE_TEXT ? "MESSAGE" : "INFO", NULL, SIPTAG_MAX_FORWARDS_STR("70"),
        SIPTAG_USER_AGENT_STR(dialog->agent->user_agent),
        SIPTAG_CONTENT_TYPE_STR(note->kind == NOTE_TEXT ? "text/plain;charset=UTF-8" : note->type),
        SIPTAG_PAYLOAD_STR(body), TAG_END());
    sip_leave(dialog->agent);
    if (!out->orq) {
        free(out);
        return -EIO;
    }
    list_append(&dialog->notes_out, &out->in_dialog);
    return 0;
}

void notes_drop(struct dialog *dialog)
{
    while (!list_empty(&dialog->notes_in)) {
        struct note_in *in = LIST_ENTRY(dialog->notes_in.next, struct note_in, in_dialog);

        list_unlink(&in->in_dialog);
        reply(dialog, in->irq, in->kind, 487); /* RFC 3261 §15.1.2 */
        in->dialog = NULL;
    }
    while (!list_empty(&dialog->notes_out))
        finish_out(LIST_ENTRY(dialog->notes_out.next, struct note_out, in_dialog), 487);
}
