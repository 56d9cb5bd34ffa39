/* Session timers of one dialog: who refreshes, when, and the end of a call whose phone stopped doing so. Signalling
 * thread. A refresh is an UPDATE without SDP when the phone takes it, else a re-INVITE that repeats the current media.
 */
#include "sip/session_timer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "sip/sip-priv.h"

#define EXPIRES_DEFAULT 1800
#define MIN_SE_DEFAULT 90 /* RFC 4028 §4: the least that anybody may insist on */

static unsigned setting(const struct agent *agent, const char *name, unsigned otherwise)
{
    const char *text = snapshot_setting(db_snapshot(agent->pbx->db), name, NULL);
    uint64_t value;

    if (!text || str_to_u64(text, 86400, &value) < 0)
        return otherwise;
    return (unsigned)value;
}

static unsigned min_se_of(const struct agent *agent)
{
    unsigned value = setting(agent, "session_min_se", MIN_SE_DEFAULT);

    return value < MIN_SE_DEFAULT ? MIN_SE_DEFAULT : value;
}

static bool enabled(const struct agent *agent)
{
    return strcmp(snapshot_setting(db_snapshot(agent->pbx->db), "session_timers", "on"), "off") != 0;
}

bool session_timer_offer(const struct agent *agent, char expires[16], char min_se[16])
{
    if (!enabled(agent))
        return false;
    snprintf(expires, 16, "%u", setting(agent, "session_expires", EXPIRES_DEFAULT));
    snprintf(min_se, 16, "%u", min_se_of(agent));
    return true;
}

bool session_timer_too_short(const struct agent *agent, const sip_t *sip, char min_se[16])
{
    unsigned least = min_se_of(agent);

    snprintf(min_se, 16, "%u", least);
    /* A proxy's Session-Expires for a phone that cannot raise it is no reason to refuse (RFC 4028 §9). */
    return enabled(agent) && sip->sip_session_expires && sip->sip_session_expires->x_delta < least &&
           sip_has_feature(sip->sip_supported, "timer");
}

static void learn_peer(struct session_timer *st, const sip_t *sip)
{
    st->peer_knows = sip_has_feature(sip->sip_supported, "timer") || sip_has_feature(sip->sip_require, "timer");
    if (sip->sip_allow)
        st->peer_update = sip_is_allowed(sip->sip_allow, sip_method_update, "UPDATE");
}

void session_timer_asked(struct dialog *dialog, const sip_t *sip)
{
    struct session_timer *st = &dialog->session;
    const sip_session_expires_t *asked = sip->sip_session_expires;
    unsigned interval = setting(dialog->agent, "session_expires", EXPIRES_DEFAULT);

    learn_peer(st, sip);
    st->header[0] = '\0';
    st->interval = 0;
    if (!enabled(dialog->agent) || (!st->peer_knows && !asked))
        return;
    if (asked && asked->x_delta < interval)
        interval = (unsigned)asked->x_delta;
    if (sip->sip_min_se && sip->sip_min_se->min_delta > interval)
        interval = (unsigned)sip->sip_min_se->min_delta;
    st->interval = interval;
    /* RFC 4028 §9, table 2: a phone that does not know timers cannot refresh; else it may choose, and does the work. */
    st->we_refresh = !st->peer_knows || (asked && asked->x_refresher && strcasecmp(asked->x_refresher, "uas") == 0);
    snprintf(st->header, sizeof st->header, "%u;refresher=%s", interval, st->we_refresh ? "uas" : "uac");
}

static void arm(struct dialog *dialog);

void session_timer_granted(struct dialog *dialog)
{
    arm(dialog);
}

void session_timer_answered(struct dialog *dialog, const sip_t *sip)
{
    struct session_timer *st = &dialog->session;
    const sip_session_expires_t *granted = sip->sip_session_expires;

    learn_peer(st, sip);
    st->interval = granted ? (unsigned)granted->x_delta : 0;
    st->we_refresh = !granted || !granted->x_refresher || strcasecmp(granted->x_refresher, "uas") != 0;
    arm(dialog);
}

bool session_timer_keep(const struct dialog *dialog, char expires[40], char min_se[16])
{
    const struct session_timer *st = &dialog->session;

    if (!st->interval)
        return false;
    snprintf(expires, 40, "%u;refresher=%s", st->interval, st->we_refresh ? "uac" : "uas");
    snprintf(min_se, 16, "%u", min_se_of(dialog->agent));
    return true;
}

void session_timer_stop(struct dialog *dialog)
{
    loop_timer_stop(dialog->agent->pbx->loop, &dialog->session.timer);
    dialog->session.interval = 0;
}

static void expired(void *arg)
{
    struct dialog *dialog = arg;

    if (dialog->leg && leg_is_alive(dialog->leg))
        leg_end(dialog->leg, CAUSE_SESSION_EXPIRED, WHO_SWITCH, NULL);
}

/* When the far side should have refreshed by: RFC 4028 §10. */
static uint64_t deadline_ms(unsigned interval)
{
    unsigned early = interval / 3 < 32 ? interval / 3 : 32;

    return (uint64_t)(interval - early) * 1000;
}

static int refreshed(struct dialog *dialog, nta_outgoing_t *orq, const sip_t *sip)
{
    int status = nta_outgoing_status(orq);
    bool invite = nta_outgoing_method(orq) == sip_method_invite;
    struct media_desc *answer = NULL;
    char why[160];

    if (dialog->dead || status < 200)
        return 0;
    if (status < 300 && invite && sip && sip->sip_cseq)
        dialog_send_ack(dialog, sip);
    nta_outgoing_destroy(orq);
    dialog->offer_out = NULL;
    if (!dialog->leg || !leg_is_alive(dialog->leg))
        return 0;
    if (status < 300 && sip) {
        if (invite && message_sdp(sip, &answer, why, sizeof why) == 0)
            leg_on_reanswer(dialog->leg, answer);
        desc_free(answer);
        session_timer_answered(dialog, sip);
    } else if (status == 408 || status == 481) {
        leg_end(dialog->leg, CAUSE_CONNECTION_LOST, WHO_SWITCH, status == 481 ? dialog_unknown : NULL);
    } else { /* 422, 491 and the like: once more a little later; the far side ends the call if it never works */
        if (status == 422 && sip && sip->sip_min_se)
            dialog->session.interval = (unsigned)sip->sip_min_se->min_delta;
        if (status == 405 || status == 501)
            dialog->session.peer_update = false;
        arm(dialog);
    }
    return 0;
}

static void refresh(void *arg)
{
    struct dialog *dialog = arg;
    struct leg *leg = dialog->leg;
    struct session_timer *st = &dialog->session;
    char expires[40], min_se[16], sdp[4096] = "";
    int len = 0;

    if (!leg || leg->state != LEG_UP)
        return;
    if (dialog->offer_in || dialog->offer_out || dialog->invite_in || leg->offer_open || leg->our_offer) {
        loop_timer_start(dialog->agent->pbx->loop, &st->timer, 1000, refresh,
                         dialog); /* what is under way goes first */
        return;
    }
    session_timer_offer(dialog->agent, expires, min_se);
    snprintf(expires, sizeof expires, "%u;refresher=uac", st->interval);
    if (!st->peer_update)
        len = dialog_sdp(dialog, leg->local, sdp, sizeof sdp);
    sip_enter(dialog->agent);
    dialog_find_flow(dialog);
    if (len >= 0)
        dialog->offer_out = nta_outgoing_tcreate(
            dialog->nta, refreshed, dialog, NULL, st->peer_update ? sip_method_update : sip_method_invite,
            st->peer_update ? "UPDATE" : "INVITE", NULL, SIPTAG_CONTACT_STR(dialog->contact),
            SIPTAG_SUPPORTED_STR(SIP_SUPPORTED), SIPTAG_ALLOW_STR(SIP_ALLOW), SIPTAG_SESSION_EXPIRES_STR(expires),
            SIPTAG_MIN_SE_STR(min_se), SIPTAG_MAX_FORWARDS_STR("70"), SIPTAG_USER_AGENT_STR(dialog->agent->user_agent),
            TAG_IF(sdp[0], SIPTAG_CONTENT_TYPE_STR(SIP_SDP_TYPE)), TAG_IF(sdp[0], SIPTAG_PAYLOAD_STR(sdp)), TAG_END());
    sip_leave(dialog->agent);
    if (!dialog->offer_out)
        arm(dialog);
}

static void arm(struct dialog *dialog)
{
    struct session_timer *st = &dialog->session;
    struct loop *loop = dialog->agent->pbx->loop;

    loop_timer_stop(loop, &st->timer);
    if (st->interval == 0)
        return;
    if (st->we_refresh)
        loop_timer_start(loop, &st->timer, (uint64_t)st->interval * 500, refresh, dialog);
    else
        loop_timer_start(loop, &st->timer, deadline_ms(st->interval), expired, dialog);
}
