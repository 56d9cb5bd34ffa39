/* Keys in INFO: those that a phone tells of, and those that it is told. One at a time and in order, because a datagram
 * that is sent again may come behind the next. No answer of a phone ends its call. Signalling thread. What a key means,
 * and where it goes on to, the call room knows. */
#include <stdlib.h>

#include "base/log.h"
#include "sip/key_info.h"
#include "sip/sip-priv.h"

static const char *const types[] = {"application/dtmf-relay", "application/dtmf"};

/* Those that wait for their turn; the first has been sent when orq is set. */
struct keys_out {
    struct key_info queue[KEYS_OUT_MAX];
    unsigned count;
    unsigned type; /* of types: the one that the phone takes, as far as is known */
    nta_outgoing_t *orq;
};

/* --- one that comes ---------------------------------------------------------------------------------------------- */

int key_in(struct dialog *dialog, nta_incoming_t *irq, const sip_t *sip)
{
    const sip_content_type_t *type = sip->sip_content_type;
    struct key_info key;
    int result;

    if (!type || !type->c_type || !sip->sip_payload)
        return -ENOTSUP;
    result = key_info_read(type->c_type, sip->sip_payload->pl_data, sip->sip_payload->pl_len, &key);
    if (result == -ENOTSUP || body_encoded(sip))
        return -ENOTSUP;
    if (result < 0) {
        reply_last(dialog, irq, SIP_400_BAD_REQUEST, TAG_END());
        return 0;
    }
    reply_last(dialog, irq, SIP_200_OK, TAG_END());
    leg_on_key_told(dialog->leg, key.key, key.ms);
    return 0;
}

/* --- those of ours ----------------------------------------------------------------------------------------------- */

static int key_answered(struct dialog *dialog, nta_outgoing_t *orq, const sip_t *sip);

/* The first of those that wait. */
static void send_first(struct dialog *dialog)
{
    struct keys_out *keys = dialog->keys_out;
    char body[KEY_INFO_TEXT];

    while (keys->count && key_info_write(types[keys->type], &keys->queue[0], body, sizeof body) < 0)
        memmove(keys->queue, keys->queue + 1, --keys->count * sizeof keys->queue[0]); /* a flash in the plain one */
    if (!keys->count)
        return;
    sip_enter(dialog->agent);
    dialog_find_flow(dialog);
    keys->orq = nta_outgoing_tcreate(dialog->nta, key_answered, dialog, NULL, SIP_METHOD_INFO, NULL,
                                     SIPTAG_MAX_FORWARDS_STR("70"), SIPTAG_USER_AGENT_STR(dialog->agent->user_agent),
                                     SIPTAG_CONTENT_TYPE_STR(types[keys->type]), SIPTAG_PAYLOAD_STR(body), TAG_END());
    sip_leave(dialog->agent);
    if (!keys->orq)
        keys->count = 0;
}

static void give_up(struct dialog *dialog, int status)
{
    dialog->keys_out->count = 0;
    log_info("the phone of %s takes no keys in INFO: %d", dialog->leg->number, status);
}

static int key_answered(struct dialog *dialog, nta_outgoing_t *orq, const sip_t *sip)
{
    struct keys_out *keys = dialog->keys_out;
    int status = nta_outgoing_status(orq);

    if (dialog->dead || !keys || orq != keys->orq || status < 200)
        return 0;
    nta_outgoing_destroy(orq);
    keys->orq = NULL;
    if (status == 415 && keys->type + 1 < COUNT_OF(types)) { /* the same again, in other words */
        keys->type++;
        send_first(dialog);
        return 0;
    }
    if (status == 405 || status == 501)
        dialog->refuses[NOTE_SIGNAL] = true;
    if (status == 405 || status == 501 || status == 408 || status == 481 || status == 415)
        give_up(dialog, status);
    else if (keys->count)
        memmove(keys->queue, keys->queue + 1, --keys->count * sizeof keys->queue[0]);
    send_first(dialog);
    return 0;
}

int key_out(struct leg *leg, char key, unsigned ms)
{
    struct dialog *dialog = leg->usage;
    struct keys_out *keys;

    if (!dialog || !dialog->established || dialog->bye)
        return -ENOTCONN;
    if (dialog->refuses[NOTE_SIGNAL])
        return -EOPNOTSUPP;
    if (!dialog->keys_out)
        dialog->keys_out = mem_new(sizeof *dialog->keys_out);
    keys = dialog->keys_out;
    if (keys->count == COUNT_OF(keys->queue))
        return -ENOBUFS;
    keys->queue[keys->count++] = (struct key_info){.key = key, .ms = ms ? ms : KEY_MS};
    if (!keys->orq)
        send_first(dialog);
    return 0;
}

void keys_drop(struct dialog *dialog)
{
    if (!dialog->keys_out)
        return;
    if (dialog->keys_out->orq)
        nta_outgoing_destroy(dialog->keys_out->orq);
    free(dialog->keys_out);
    dialog->keys_out = NULL;
}
