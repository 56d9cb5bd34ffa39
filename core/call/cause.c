/* The table of causes. Any thread; a value room: it knows no calls. */
#include "call/cause.h"

static const struct cause_info causes[CAUSE_COUNT] = {
    [CAUSE_NONE] = {"none", 500, "Server Internal Error", 0, "No cause was given.", ""},
    [CAUSE_NORMAL] = {"normal", 480, "Temporarily Unavailable", 16, "The call ended normally.", ""},
    [CAUSE_CANCELLED] = {"cancelled", 487, "Request Terminated", 0, "The caller gave up before anybody answered.", ""},
    [CAUSE_ANSWERED_ELSEWHERE] = {"answered-elsewhere", 487, "Request Terminated", 26, "Another phone took the call.",
                                  ""},
    [CAUSE_BUSY] = {"busy", 486, "Busy Here", 17, "The called phone is busy.", ""},
    [CAUSE_NO_ANSWER] = {"no-answer", 480, "Temporarily Unavailable", 19,
                         "The phone rang, but nobody answered in time.", ""},
    [CAUSE_REJECTED] = {"rejected", 603, "Decline", 21, "The called party rejected the call.", ""},
    [CAUSE_UNREACHABLE] = {"unreachable", 480, "Temporarily Unavailable", 20,
                           "No phone is registered for the called account.",
                           "Check with `tandem registrations` whether the phone is on and registered."},
    [CAUSE_CONTACT_LOST] =
        {"contact-unreachable", 480, "Temporarily Unavailable", 20,
         "The phone is registered, but its connection has closed, or it has stopped answering keep-alives.",
         "It is off, or its router has closed the way to it; `tandem registrations` says since when. "
         "It is called again as soon as it answers or registers."},
    [CAUSE_NOT_SECURE] = {"not-secure", 480, "Temporarily Unavailable", 20,
                          "The call was to be encrypted all the way (sips:), and no phone of the called account is "
                          "connected by TLS.",
                          "Set the transport of the called phone to TLS, or call it by sip:."},
    [CAUSE_PHONE_SILENT] = {"phone-silent", 480, "Temporarily Unavailable", 18,
                            "The phone is registered but did not answer any message.",
                            "It may be switched off or behind a router that closed the path; see `tandem call ID`."},
    [CAUSE_UNAVAILABLE] = {"unavailable", 480, "Temporarily Unavailable", 31, "The phone takes no calls at the moment.",
                           "Do not disturb may be on, or nobody is logged in at the phone."},
    [CAUSE_UNKNOWN_NUMBER] = {"unknown-number", 404, "Not Found", 1, "The dialled number does not exist here.",
                              "Check the number, the account's name and the dialplan."},
    [CAUSE_FORBIDDEN] = {"forbidden", 403, "Forbidden", 21, "The account may not make this call.",
                         "See the account's rights with `tandem account show`."},
    [CAUSE_VETOED] = {"vetoed", 403, "Forbidden", 21, "A module refused this call.",
                      "Its reason stands in the detail."},
    [CAUSE_NO_COMMON_CODEC] = {"no-common-codec", 488, "Not Acceptable Here", 88,
                               "The two sides have no audio codec in common.",
                               "Enable one codec on both phones: PCMA (G.711) works everywhere."},
    [CAUSE_NO_ENCRYPTION] = {"no-encryption", 488, "Not Acceptable Here", 88,
                             "The phone and the switch have no common encryption of the audio.",
                             "Compare the phone's setting of SRTP with `tandem account show` (srtp); keys are only "
                             "exchanged over TLS."},
    [CAUSE_BAD_SDP] = {"bad-sdp", 488, "Not Acceptable Here", 88,
                       "The phone's description of its media could not be understood.",
                       "The message is in `tandem call ID --raw`."},
    [CAUSE_BAD_REQUEST] = {"bad-request", 400, "Bad Request", 96, "The phone sent a request with mistakes.",
                           "The message is in `tandem call ID --raw`."},
    [CAUSE_NOT_SUPPORTED] = {"not-supported", 488, "Not Acceptable Here", 79,
                             "The phone asked for something that Tandem does not do.", ""},
    [CAUSE_LOOP] = {"loop", 483, "Too Many Hops", 25, "The call went round in circles.",
                    "Look for extensions or forwards that point at each other."},
    [CAUSE_GLARE] = {"glare", 491, "Request Pending", 0, "Both sides changed the call at the same moment.", ""},
    [CAUSE_REDIRECTED] = {"redirected", 480, "Temporarily Unavailable", 23, "The phone sent the caller elsewhere.", ""},
    [CAUSE_NO_MEDIA] = {"no-media", 503, "Service Unavailable", 41,
                        "No audio port could be had: the media process is not running or all its ports are taken.",
                        "See the media line of `tandem status`."},
    [CAUSE_MEDIA_LOST] = {"media-lost", 503, "Service Unavailable", 41, "The media process ended during the call.",
                          "It is restarted by itself; its log says why it ended."},
    [CAUSE_MEDIA_TIMEOUT] =
        {"media-timeout", 480, "Temporarily Unavailable", 102,
         "The phone sent no sound and no other sign of life any more.",
         "It lost its network or power; if nothing ever arrived, a router or firewall keeps its audio (RTP) "
         "away: compare the addresses in `tandem call ID --raw`."},
    [CAUSE_CONNECTION_LOST] = {"connection-lost", 408, "Request Timeout", 102,
                               "The phone stopped answering during the call.",
                               "Check the phone's network; `tandem call ID` shows which message went unanswered."},
    [CAUSE_SESSION_EXPIRED] = {"session-expired", 408, "Request Timeout", 102,
                               "The phone stopped confirming that the call still exists (session timer).",
                               "It lost its network or power; `tandem call ID` shows its last message."},
    [CAUSE_NO_ACK] = {"no-ack", 408, "Request Timeout", 102, "The phone never confirmed that the call was answered.",
                      "Often a router or SIP ALG that rewrites Contact; `tandem call ID` shows the messages."},
    [CAUSE_CHALLENGED] = {"challenged", 480, "Temporarily Unavailable", 38,
                          "The phone wants a password from everybody who calls it.",
                          "Switch off the authentication of incoming calls in the phone: no caller has that password."},
    [CAUSE_FAR_FAILURE] = {"far-failure", 480, "Temporarily Unavailable", 38, "The far side could not take the call.",
                           "Its own words stand in the detail."},
    [CAUSE_SCRIPT_ERROR] = {"script-error", 500, "Server Internal Error", 38, "The dialplan script failed.",
                            "File and line stand in the detail and in the log."},
    [CAUSE_NO_DIALPLAN] = {"no-dialplan", 503, "Service Unavailable", 38, "No dialplan is loaded.",
                           "Check the dialplan directory in the configuration."},
    [CAUSE_CALL_LIMIT] =
        {"call-limit", 480, "Temporarily Unavailable", 31, "The call had lasted as long as calls may.",
         "The limit stands in the detail: max_call of the account or the switch, or `max` in the dialplan."},
    [CAUSE_OPERATOR] = {"operator", 480, "Temporarily Unavailable", 16, "An administrator ended the call.", ""},
    [CAUSE_STOPPING] = {"switch-stopping", 503, "Service Unavailable", 41, "The switch is being stopped.", ""},
    [CAUSE_SWITCH_STOPPED] = {"switch-stopped", 503, "Service Unavailable", 41, "The switch stopped during the call.",
                              "See the log of the switch for the reason."},
    [CAUSE_INTERNAL] = {"internal", 500, "Server Internal Error", 41, "Tandem made a mistake.",
                        "Please report it with the log around this time."},
    [CAUSE_TRANSFERRED] = {"transferred", 480, "Temporarily Unavailable", 16,
                           "The call was transferred to somebody else.", ""},
    [CAUSE_PICKED_UP] = {"picked-up", 480, "Temporarily Unavailable", 16,
                         "Who made it took over another call, which rang somewhere else or was parked.", ""},
    [CAUSE_DO_NOT_DISTURB] = {"do-not-disturb", 486, "Busy Here", 17,
                              "The called account does not want to be disturbed.",
                              "`tandem dnd` shows who has that on; so does the phone, where it has a key for it."},
    [CAUSE_TOO_MANY_CALLS] = {"too-many-calls", 486, "Busy Here", 17,
                              "The account has as many calls as it may have at a time.",
                              "The limit stands in the detail: max_calls of the account, or its call waiting."},
    [CAUSE_BLOCKED] = {"blocked", 603, "Decline", 21, "The called account takes no calls of this caller.",
                       "`tandem block list` shows who is blocked."},
};

const struct cause_info *cause_info(enum cause cause)
{
    if (cause < 0 || cause >= CAUSE_COUNT)
        cause = CAUSE_INTERNAL;
    return &causes[cause];
}

enum cause cause_by_id(const char *id)
{
    for (int i = 0; i < CAUSE_COUNT; i++)
        if (strcmp(causes[i].id, id) == 0)
            return (enum cause)i;
    return CAUSE_NONE;
}

enum cause cause_from_sip(int status)
{
    switch (status) {
    case 401:
    case 407:
        return CAUSE_CHALLENGED;
    case 403:
    case 603:
    case 607: /* RFC 8197: unwanted */
    case 608: /* RFC 8688: rejected by somebody between */
        return CAUSE_REJECTED;
    case 404:
    case 410:
    case 484:
    case 485:
    case 604:
        return CAUSE_UNKNOWN_NUMBER;
    case 408:
    case 430: /* RFC 5626: the flow is gone */
        return CAUSE_PHONE_SILENT;
    case 415:
    case 488:
    case 606:
        return CAUSE_NO_COMMON_CODEC;
    case 480:
        return CAUSE_UNAVAILABLE;
    case 482:
    case 483:
        return CAUSE_LOOP;
    case 486:
        return CAUSE_BUSY;
    default: /* RFC 3261 §8.1.3.2: what is not known counts as the first of its hundred */
        return status < 400 ? CAUSE_REDIRECTED : status >= 600 ? CAUSE_BUSY : CAUSE_FAR_FAILURE;
    }
}

const char *who_name(enum who who)
{
    static const char *const names[] = {
        [WHO_NOBODY] = "",           [WHO_CALLER] = "caller", [WHO_CALLEE] = "callee", [WHO_SWITCH] = "switch",
        [WHO_OPERATOR] = "operator", [WHO_SCRIPT] = "script", [WHO_MODULE] = "module",
    };

    return who >= 0 && who < (int)COUNT_OF(names) ? names[who] : "?";
}

enum who who_by_name(const char *name)
{
    for (int who = WHO_NOBODY; who <= WHO_MODULE; who++)
        if (strcmp(who_name((enum who)who), name) == 0)
            return (enum who)who;
    return WHO_NOBODY;
}
