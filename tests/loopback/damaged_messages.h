/* Good messages, to be damaged: requests outside of dialogs, and what makes one inside of a dialog. {ME} is the
 * sender's address and port, {ID} something new each time, {LEN} the length of the body; lines end with \n here. */
#ifndef LOOPBACK_DAMAGED_MESSAGES_H
#define LOOPBACK_DAMAGED_MESSAGES_H

#define HEAD(method, uri)                                                                                              \
    method " " uri " SIP/2.0\nVia: SIP/2.0/UDP {ME};branch=z9hG4bK{ID};rport\nMax-Forwards: 70\n"                      \
           "From: \"A\" <sip:201@tandem>;tag={ID}\nTo: <" uri ">\nCall-ID: {ID}@test\nCSeq: 1 " method "\n"            \
           "Contact: <sip:201@{ME}>\nAllow: INVITE, ACK, BYE, CANCEL, UPDATE, INFO, MESSAGE, PRACK\n"
#define AUDIO                                                                                                          \
    "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 4000 RTP/AVP 0 8 96 101\n"                 \
    "a=rtpmap:96 opus/48000/2\na=fmtp:96 useinbandfec=1\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\n"         \
    "a=ptime:20\na=sendrecv\n"
#define VIDEO "m=video 5002 RTP/AVP 97\na=rtpmap:97 H264/90000\nm=image 0 udptl t38\n"
#define WITH_SDP(body) "Content-Type: application/sdp\nContent-Length: {LEN}\n\n" body
#define WITHOUT_BODY "Content-Length: 0\n\n"

/* Requests outside of dialogs. */
static const char *const outside[] = {
    HEAD("INVITE", "sip:202@tandem") "Supported: timer, 100rel\nSession-Expires: 1800\n" WITH_SDP(AUDIO),
    HEAD("INVITE", "sip:203@tandem") "Require: 100rel\n" WITH_SDP(AUDIO VIDEO),
    HEAD("INVITE", "sip:202@tandem") WITHOUT_BODY,
    HEAD("INVITE", "sip:600@tandem") WITH_SDP(AUDIO),
    HEAD("INVITE", "sip:601@tandem") "Record-Route: <sip:127.0.0.1;lr>\n" WITH_SDP(AUDIO),
    HEAD("INVITE", "sip:602@tandem") "Subject: both\nDiversion: <sip:x@y>\n" WITH_SDP(AUDIO),
    HEAD("INVITE", "sip:999@tandem") WITH_SDP("v=0\n"),
    HEAD("REGISTER", "sip:tandem") "Expires: 600\nSupported: path, outbound\nPath: <sip:127.0.0.1;lr>\n" WITHOUT_BODY,
    "REGISTER sip:tandem SIP/2.0\nVia: SIP/2.0/UDP {ME};branch=z9hG4bK{ID};rport\nMax-Forwards: 70\n"
    "From: <sip:201@tandem>;tag={ID}\nTo: <sip:201@tandem>\nCall-ID: reg\nCSeq: 7 REGISTER\n"
    "Contact: <sip:201@{ME};x=y>;expires=60;q=0.5;+sip.instance=\"<urn:uuid:0>\";reg-id=1, <sip:201@{ME}>\n"
    "User-Agent: robot\n" WITHOUT_BODY,
    "REGISTER sip:tandem SIP/2.0\nVia: SIP/2.0/UDP {ME};branch=z9hG4bK{ID};rport\nMax-Forwards: 70\n"
    "From: <sip:205@tandem>;tag={ID}\nTo: <sip:205@tandem>\nCall-ID: {ID}\nCSeq: 9 REGISTER\nContact: *\nExpires: "
    "0\n" WITHOUT_BODY,
    HEAD("OPTIONS", "sip:tandem") WITHOUT_BODY,
    HEAD("OPTIONS", "sip:202@tandem") "Accept: application/sdp\n" WITHOUT_BODY,
    HEAD("SUBSCRIBE", "sip:202@tandem") "Event: presence\nExpires: 60\n" WITHOUT_BODY,
    HEAD("MESSAGE", "sip:202@tandem") "Content-Type: text/plain\nContent-Length: {LEN}\n\nhello",
    HEAD("REFER", "sip:202@tandem") "Refer-To: <sip:203@tandem?Replaces=x%3Bto-tag%3Dy>\n" WITHOUT_BODY,
    HEAD("PUBLISH",
         "sip:201@tandem") "Event: presence\nContent-Type: application/pidf+xml\nContent-Length: {LEN}\n\n<x/>",
    HEAD("NOTIFY", "sip:201@tandem") "Event: presence\nSubscription-State: active\n" WITHOUT_BODY,
    HEAD("BYE", "sip:201@tandem") WITHOUT_BODY,
    HEAD("CANCEL", "sip:202@tandem") WITHOUT_BODY,
    HEAD("ACK", "sip:202@tandem") WITHOUT_BODY,
    HEAD("PRACK", "sip:202@tandem") "RAck: 1 1 INVITE\n" WITHOUT_BODY,
    "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK{ID}\nFrom: <sip:201@tandem>;tag={ID}\n"
    "To: <sip:202@tandem>;tag=x\nCall-ID: {ID}\nCSeq: 1 INVITE\nContact: <sip:202@{ME}>\n" WITH_SDP(AUDIO),
};

/* The same inside of a dialog: method, what follows the headers that every request has. */
static const struct {
    const char *method, *rest;
} inside[] = {
    {"INVITE", WITH_SDP(AUDIO)},
    {"INVITE", WITH_SDP("v=0\no=- 2 2 IN IP4 127.0.0.1\ns=-\nc=IN IP4 0.0.0.0\nt=0 0\nm=audio 4000 RTP/AVP 8 0\n")},
    {"INVITE", WITH_SDP(AUDIO VIDEO)},
    {"INVITE", WITHOUT_BODY},
    {"UPDATE", WITH_SDP("v=0\no=- 3 3 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 4000 RTP/AVP "
                        "0\na=sendonly\n")},
    {"UPDATE", "Supported: timer\nSession-Expires: 90;refresher=uac\n" WITHOUT_BODY},
    {"INFO", "Content-Type: application/dtmf-relay\nContent-Length: {LEN}\n\nSignal=1\nDuration=100\n"},
    {"INFO", "Info-Package: x\n" WITHOUT_BODY},
    {"MESSAGE", "Content-Type: text/plain;charset=utf-8\nContent-Length: {LEN}\n\nhello \xc3\xa9\n"},
    {"OPTIONS", WITHOUT_BODY},
    {"PRACK", "RAck: 1 1 INVITE\n" WITHOUT_BODY},
    {"NOTIFY", "Event: refer\nSubscription-State: terminated\nContent-Type: message/sipfrag\nContent-Length: "
               "{LEN}\n\nSIP/2.0 200 OK\n"},
    {"REFER", "Refer-To: <sip:203@tandem>\n" WITHOUT_BODY},
    {"CANCEL", WITHOUT_BODY},
    {"ACK", WITHOUT_BODY},
    {"BYE", "Reason: Q.850;cause=16\n" WITHOUT_BODY},
};

#endif
