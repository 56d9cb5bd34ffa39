/* What comes after the final response to an INVITE of ours: the 2xx of another fork, which is confirmed and ended (RFC
 * 3261 §13.2.2.4), and refusals that come again because our ACK was lost. Signalling thread. It must not know calls:
 * who answered late is nobody's leg. NTA would treat such a 2xx itself (nta_msg_ackbye), past the edge and from the
 * wrong address, so it is made to forget the INVITE with its final response, and what it does not know ends here. */
#include <stdlib.h>

#include "base/log.h"
#include "sip/sip-priv.h"

#define LATE_ANSWERS_MAX 8 /* of one INVITE: the rest is not believed */

struct late {
    struct list node;
    struct list in_order; /* of expiry */
    su_time_t since;
    struct agent *agent;
    msg_t *invite;    /* a reference; NTA has it as long */
    enum cause cause; /* what those who answer late are told */
    unsigned answers;
    char flow[EDGE_FLOW_TEXT];
};

static struct list *bucket(struct agent *agent, const sip_call_id_t *id)
{
    return &agent->late[id->i_hash % LATE_BUCKETS];
}

static struct late *oldest(struct agent *agent)
{
    return list_empty(&agent->late_order) ? NULL : LIST_ENTRY(agent->late_order.next, struct late, in_order);
}

static void late_free(struct late *late)
{
    list_unlink(&late->node);
    list_unlink(&late->in_order);
    msg_destroy(late->invite);
    free(late);
}

static void forget(struct agent *agent, su_timer_t *timer, su_timer_arg_t *arg);

/* On sofia's clock, as the transactions that this goes with. */
static void forget_later(struct agent *agent)
{
    struct late *late = oldest(agent);

    if (late && su_timer_set_interval(agent->late_timer, forget, NULL,
                                      agent_t1x64_ms(agent) - su_duration(su_now(), late->since)) < 0)
        log_error("sofia-sip took no timer");
}

static void forget(struct agent *agent, su_timer_t *timer, su_timer_arg_t *arg)
{
    struct late *late;

    while ((late = oldest(agent)) && su_duration(su_now(), late->since) >= (su_duration_t)agent_t1x64_ms(agent))
        late_free(late);
    forget_later(agent);
}

int late_open(struct agent *agent)
{
    for (size_t i = 0; i < LATE_BUCKETS; i++)
        list_init(&agent->late[i]);
    list_init(&agent->late_order);
    agent->late_timer = su_timer_create(su_root_task(agent->root), 0);
    return agent->late_timer ? 0 : -ENOMEM;
}

void late_close(struct agent *agent)
{
    while (oldest(agent))
        late_free(oldest(agent));
    su_timer_destroy(agent->late_timer);
}

void late_watch(struct dialog *dialog, enum cause cause)
{
    struct agent *agent = dialog->agent;
    msg_t *invite = nta_outgoing_getrequest(dialog->invite_out);
    sip_t *sip = sip_object(invite);
    char tag[DIALOG_TAG];

    /* NTA compares the To tag of a response with that of its request: none of them has this one. */
    dialog_tag(agent, tag);
    if (sip && !sip->sip_to->a_tag && sip_to_tag(msg_home(invite), sip->sip_to, tag) == 0) {
        struct late *late = mem_new(sizeof *late);

        late->agent = agent;
        late->invite = invite;
        late->cause = cause;
        late->since = su_now();
        str_copy(late->flow, sizeof late->flow, dialog->flow);
        list_append(bucket(agent, sip->sip_call_id), &late->node);
        list_append(&agent->late_order, &late->in_order);
        if (oldest(agent) == late)
            forget_later(agent);
    } else {
        msg_destroy(invite);
    }
    nta_outgoing_destroy(dialog->invite_out);
    dialog->invite_out = NULL;
}

/* Is this an answer to that INVITE? Branch and From tag are known only to whom it was sent. */
static struct late *find(struct agent *agent, const sip_t *sip)
{
    struct late *late;

    LIST_FOR_EACH(late, bucket(agent, sip->sip_call_id), node)
    {
        const sip_t *invite = sip_object(late->invite);

        if (strcmp(invite->sip_call_id->i_id, sip->sip_call_id->i_id) == 0 &&
            invite->sip_cseq->cs_seq == sip->sip_cseq->cs_seq &&
            su_strmatch(invite->sip_from->a_tag, sip->sip_from->a_tag) &&
            su_strmatch(invite->sip_via->v_branch, sip->sip_via->v_branch))
            return late;
    }
    return NULL;
}

/* The ACK of a refusal goes the way of its INVITE, in the same transaction (RFC 3261 §17.1.1.3). */
static void confirm_refusal(struct late *late, const sip_t *sip)
{
    nta_agent_t *nta = late->agent->nta;
    const sip_t *invite = sip_object(late->invite);
    msg_t *msg = nta_msg_create(nta, 0);
    sip_t *ack = sip_object(msg);
    su_home_t *home = msg_home(msg);
    sip_request_t *request =
        sip_request_create(home, SIP_METHOD_ACK, (url_string_t *)invite->sip_request->rq_url, NULL);
    sip_cseq_t *cseq = sip_cseq_create(home, invite->sip_cseq->cs_seq, SIP_METHOD_ACK);
    nta_outgoing_t *sent = NULL;

    if (sip_add_tl(msg, ack, SIPTAG_REQUEST(request), SIPTAG_CSEQ(cseq), SIPTAG_ROUTE(invite->sip_route),
                   SIPTAG_FROM(invite->sip_from), SIPTAG_TO(sip->sip_to), SIPTAG_CALL_ID(invite->sip_call_id),
                   SIPTAG_MAX_FORWARDS_STR("70"), TAG_END()) >= 0)
        sent = nta_outgoing_mcreate(nta, NULL, NULL, NULL, msg, NTATAG_BRANCH_KEY(invite->sip_via->v_branch),
                                    NTATAG_STATELESS(1), TAG_END());
    if (sent)
        nta_outgoing_destroy(sent);
    else
        msg_destroy(msg);
}

/* A dialog of its own that lives from its ACK to the answer to its BYE. */
static void end_fork(struct late *late, const sip_t *sip)
{
    const sip_t *invite = sip_object(late->invite);
    struct dialog *dialog;
    su_home_t home[1] = {SU_HOME_INIT(home)};
    sip_contact_t *m = sip->sip_contact;
    sip_cseq_t cseq = *invite->sip_cseq;

    if (++late->answers > LATE_ANSWERS_MAX)
        return;
    if (!m)
        m = sip_contact_create(home, (url_string_t *)invite->sip_request->rq_url, NULL, NULL);
    cseq.cs_seq += CSEQ_GAP; /* its early dialog may have had PRACKs */
    dialog = dialog_new(late->agent, late->flow);
    dialog->established = dialog->ack_seen = true;
    dialog->nta = nta_leg_tcreate(late->agent->nta, indialog_request, dialog, SIPTAG_CALL_ID(invite->sip_call_id),
                                  SIPTAG_FROM(invite->sip_from), SIPTAG_TO(sip->sip_to), SIPTAG_CSEQ(&cseq), TAG_END());
    if (dialog->nta && dialog_learn_route(dialog, dialog->nta, sip->sip_record_route, m) == 0) {
        log_info("an INVITE was answered by more than one phone: the later one is sent BYE");
        dialog_send_ack(dialog, sip);
        dialog_send_bye(dialog, late->cause);
    } else {
        dialog_finish(dialog);
    }
    su_home_deinit(home);
}

void late_response(struct agent *agent, const sip_t *sip)
{
    struct late *late;

    if (!sip->sip_status || !sip->sip_cseq || sip->sip_cseq->cs_method != sip_method_invite || !sip->sip_call_id ||
        !sip->sip_from || !sip->sip_to || !sip->sip_via || sip->sip_status->st_status < 200)
        return;
    late = find(agent, sip);
    if (!late)
        return;
    sip_enter(agent);
    if (sip->sip_status->st_status >= 300)
        confirm_refusal(late, sip);
    else if (sip->sip_to->a_tag) /* without a tag there is no dialog that could be ended */
        end_fork(late, sip);
    sip_leave(agent);
}
