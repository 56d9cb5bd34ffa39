/* What a phone is told of who sent the call on to it: Diversion (RFC 5806), which most phones show, and History-Info
 * (RFC 7044, with the causes of RFC 4458). Signalling thread. Names only accounts of ours; what phones say of this in
 * their own INVITEs is read by nobody. */
#include <stdio.h>

#include "sip/sip-priv.h"

/* RFC 5806 §4.1; RFC 4458 §2.1, mapped as in RFC 7544 §5. */
static const struct {
    const char *reason;
    int cause;
} reasons[] = {
    [FORWARD_BY_PHONE] = {"deflection", 480},     [FORWARD_ALWAYS] = {"unconditional", 302},
    [FORWARD_BUSY] = {"user-busy", 486},          [FORWARD_NO_ANSWER] = {"no-answer", 408},
    [FORWARD_UNREACHABLE] = {"unavailable", 503}, [FORWARD_SCREENED] = {"unconditional", 302},
};

/* Of our Contact: "192.0.2.1:5060". */
static void our_host(const struct dialog *dialog, char *out, size_t size)
{
    const char *at = strchr(dialog->contact, '@');

    at = at ? at + 1 : "tandem.invalid";
    str_copy_n(out, size, at, strcspn(at, ";>"));
}

/* "201@192.0.2.1:5060"; an account that hides its number is named to nobody (RFC 5806 §10). True: it does. */
static bool party(const struct call *call, const char *account, const char *host, char *out, size_t size)
{
    const struct account *by = call->pbx->db ? snapshot_account(db_snapshot(call->pbx->db), account) : NULL;
    char user[200];

    user_text(account, user, sizeof user);
    if (by && by->anonymous)
        str_copy(out, size, "anonymous@anonymous.invalid");
    else
        snprintf(out, size, "%s@%s", user, host);
    return by && by->anonymous;
}

void forward_headers(const struct dialog *dialog, char *out, size_t size)
{
    const struct call *call = dialog->leg->call;
    char host[128], who[330], index[3 * COUNT_OF(call->forwards)] = "1";
    size_t used = 0, deep = 1;

    if (!call->redirect_count)
        return;
    our_host(dialog, host, sizeof host);
    for (unsigned i = call->redirect_count; i-- > 0;) { /* the last one stands first */
        bool hides = party(call, call->forwards[i].by, host, who, sizeof who);

        str_append(out, size, &used, "Diversion: <sip:%s>;reason=%s;counter=1;screen=yes;privacy=%s\r\n", who,
                   reasons[call->forwards[i].why].reason, hides ? "full" : "off");
    }
    party(call, call->forwards[0].by, host, who, sizeof who);
    str_append(out, size, &used, "History-Info: <sip:%s>;index=1", who);
    for (unsigned i = 0; i < call->redirect_count; i++) {
        party(call, call->forwards[i].to, host, who, sizeof who);
        str_append(out, size, &used, ", <sip:%s;cause=%d>;index=%s.1;mp=%s", who, reasons[call->forwards[i].why].cause,
                   index, index);
        str_append(index, sizeof index, &deep, ".1");
    }
}
