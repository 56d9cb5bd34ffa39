/* Messages as RFC 4475 and RFC 5118 describe them, in our own words; the comment names the section. {ME} is the
 * sender's address and port, {ID} something new each time, {AUTH} an Authorization line that is right for 201 (or
 * nothing), {LEN} the true length of what follows the empty line. Lines end with \n here and with \r\n on the wire. */
#ifndef LOOPBACK_ODD_MESSAGES_H
#define LOOPBACK_ODD_MESSAGES_H

/* The lines that nothing is wrong with. */
#define ODD_VIA "Via: SIP/2.0/UDP {ME};branch=z9hG4bK{ID};rport\n"
#define ODD_REST(method)                                                                                               \
    "Max-Forwards: 70\nFrom: <sip:201@tandem.example>;tag={ID}\nTo: <sip:999@tandem.example>\nCall-ID: {ID}\n"         \
    "CSeq: 1 " method "\nContact: <sip:201@{ME}>\n{AUTH}"
#define ODD_SDP(media) "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n" media
#define ODD_AUDIO "m=audio 4000 RTP/AVP 0\n"
#define ODD_INVITE(headers, body)                                                                                      \
    "INVITE sip:999@tandem.example SIP/2.0\n" ODD_VIA ODD_REST("INVITE") headers                                       \
        "Content-Type: application/sdp\nContent-Length: {LEN}\n\n" body

static const struct {
    const char *what, *text;
} odd_messages[] = {
    {"4475 3.1.1.1: folded lines, compact names, odd spaces",
     "INVITE sip:999@tandem.example;unknownparam SIP/2.0\nTO :\n sip:999@tandem.example ;   tag    \n"
     "from   : \"A \\\\\\\"quoted\\\\ Name\"      <sip:201@tandem.example>\n  ;\n  tag = {ID}\nMaX-fOrWaRdS: 0068\n"
     "Call-ID: {ID}\nContent-Length   : {LEN}\ncseq: 0009\n  INVITE\nVia  : SIP  /   2.0\n /UDP\n    "
     "{ME};rport;branch=\n"
     " z9hG4bK{ID}\ns :\nNewFangledHeader:   newfangled value\n continued newfangled "
     "value\nUnknownHeaderWithUnusualValue: "
     ";;,,;;,;\nContent-Type: application/sdp\nRoute:\n "
     "<sip:services.example.com;lr;unknownwith=value;unknown-no-value>\n"
     "m:\"Quoted string \\\"\\\"\" <sip:201@{ME}> ; newparam =\n      newvalue ;\n  secondparam ; q = "
     "0.33\n{AUTH}\n" ODD_SDP(ODD_AUDIO)},
    {"4475 3.1.1.2: every character that a token may have",
     "!interesting-Method0123456789_*+`.%indeed'~ "
     "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pa"
     "s$wo~d_too.(doesn't-it)@tandem.example SIP/2.0\n" ODD_VIA
     "To: \"\\b\\\"\" <sip:1@tandem.example>\nFrom: token1~` token2'+_ token3*%!.- <sip:mundane@tandem.example>"
     ";fromParam''~+*_!.-%=\"value\";tag=_token~1'+`*%!-.\nCall-ID: {ID}\nCSeq: 139122385 "
     "!interesting-Method0123456789_*+`.%indeed'~\nMax-Forwards: 255\nextensionHeader-!.%*+_`'~: text\nContent-Length: "
     "0\n\n"},
    {"4475 3.1.1.3: escaped characters in URIs",
     "INVITE sip:sips%3Auser%40example.com@tandem.example SIP/2.0\n" ODD_VIA ODD_REST(
         "INVITE") "Content-Type: application/sdp\nContent-Length: {LEN}\n\n" ODD_SDP(ODD_AUDIO)},
    {"4475 3.1.1.4: an escaped NUL in a URI",
     "REGISTER sip:tandem.example SIP/2.0\n" ODD_VIA
     "Max-Forwards: 70\nTo: sip:null-%00-null@tandem.example\nFrom: sip:null-%00-null@tandem.example;tag={ID}\n"
     "Call-ID: {ID}\nCSeq: 14398234 REGISTER\nContact: <sip:%00@{ME}>\nContact: <sip:%00%00@{ME}>\n{AUTH}L:0\n\n"},
    {"4475 3.1.1.5: a percent sign that escapes nothing",
     "RE%47IST%45R sip:tandem.example SIP/2.0\n" ODD_VIA ODD_REST("RE%47IST%45R") "Content-Length: 0\n\n"},
    {"4475 3.1.1.6: no space before the address in brackets",
     "OPTIONS sip:999@tandem.example SIP/2.0\n" ODD_VIA
     "Max-Forwards: 70\nFrom: caller<sip:201@tandem.example>;tag={ID}\nTo: sip:999@tandem.example\nCall-ID: {ID}\n"
     "CSeq: 1 OPTIONS\nContent-Length: 0\n\n"},
    {"4475 3.1.1.7: long values",
     "INVITE sip:999@tandem.example SIP/2.0\nVia: SIP/2.0/UDP {ME};branch=z9hG4bK{ID}{LONG}{LONG};rport\n"
     "Max-Forwards: 70\nFrom: \"{LONG}{LONG}\" <sip:201{LONG}@tandem.example>;{LONG}={LONG};tag={ID}{LONG}\n"
     "To: \"{LONG}\" <sip:999{LONG}@tandem.example;{LONG}>\nCall-ID: {ID}{LONG}\nCSeq: 3882340 INVITE\n"
     "{LONG}: {LONG}{LONG}{LONG}{LONG}\nContact: <sip:201{LONG}@{ME};{LONG}={LONG}>\n{AUTH}"
     "Content-Type: application/sdp\nContent-Length: {LEN}\n\n" ODD_SDP(ODD_AUDIO)},
    {"4475 3.1.1.8: more in the datagram than the body",
     "REGISTER sip:tandem.example SIP/2.0\n" ODD_VIA
     "Max-Forwards: 70\nTo: sip:201@tandem.example\nFrom: sip:201@tandem.example;tag={ID}\nCall-ID: {ID}\nCSeq: 8 "
     "REGISTER\n"
     "Content-Length: 0\n\nINVITE sip:999@tandem.example SIP/2.0\n" ODD_VIA ODD_REST("INVITE") "Content-Length: 0\n\n"},
    {"4475 3.1.1.9: a semicolon in the user part",
     "OPTIONS sip:user;par=u%40example.net@tandem.example SIP/2.0\n" ODD_VIA ODD_REST(
         "OPTIONS") "Content-Length: 0\n\n"},
    {"4475 3.1.1.10: transports that nobody has heard of",
     "OPTIONS sip:999@tandem.example SIP/2.0\n" ODD_VIA
     "Via: SIP/2.0/SCTP 192.0.2.1;branch=z9hG4bKx\nVia: SIP/2.0/UNKNOWN 192.0.2.2;branch=z9hG4bKy\n" ODD_REST(
         "OPTIONS") "Content-Length: 0\n\n"},
    {"4475 3.1.1.11: a body of several parts",
     "INVITE sip:999@tandem.example SIP/2.0\n" ODD_VIA ODD_REST(
         "INVITE") "Content-Type: multipart/mixed;boundary=7a9cbec02ceef655\nContent-Length: "
                   "{LEN}\n\n--7a9cbec02ceef655\n"
                   "Content-Type: application/sdp\n\n" ODD_SDP(ODD_AUDIO) "--7a9cbec02ceef655--\n"},
    {"4475 3.1.1.12: a reason phrase of other bytes", "SIP/2.0 200 = 2**3 * 5**2 \xd0\xbd\xd0\xbe\n" ODD_VIA
                                                      "From: <sip:a@b>;tag=1\nTo: <sip:c@d>;tag=2\nCall-ID: {ID}\n"
                                                      "CSeq: 35 INVITE\nContact: <sip:c@{ME}>\nContent-Length: 0\n\n"},
    {"4475 3.1.1.13: no reason phrase at all",
     "SIP/2.0 100 \n" ODD_VIA "From: <sip:a@b>;tag=1\nTo: <sip:c@d>;tag=2\nCall-ID: {ID}\n"
     "CSeq: 35 INVITE\nContent-Length: 0\n\n"},
    {"4475 3.1.2.1: separators where they do not belong",
     "INVITE sip:999@tandem.example SIP/2.0\nVia: SIP/2.0/UDP {ME};branch=z9hG4bK{ID};;,;,,\nMax-Forwards: 70\n"
     "From: \"Joe\" <sip:201@tandem.example>;;;;\nTo: sip:999@tandem.example;tag=;\nContact: \"Joe\" "
     "<sip:201@{ME}>;;;;\nCall-ID: {ID}\nCSeq: 8 INVITE\n{AUTH}Content-Type: application/sdp;;,;,,\n"
     "Content-Length: {LEN}\n\n" ODD_SDP(ODD_AUDIO)},
    {"4475 3.1.2.2: a body that is shorter than it says",
     "INVITE sip:999@tandem.example SIP/2.0\n" ODD_VIA ODD_REST(
         "INVITE") "Content-Type: application/sdp\nContent-Length: 9999\n\n" ODD_SDP(ODD_AUDIO)},
    {"4475 3.1.2.3: a negative length",
     "INVITE sip:999@tandem.example SIP/2.0\n" ODD_VIA ODD_REST(
         "INVITE") "Content-Type: application/sdp\nContent-Length: -999\n\n" ODD_SDP(ODD_AUDIO)},
    {"4475 3.1.2.4: numbers too large for their fields",
     "REGISTER sip:tandem.example SIP/2.0\n" ODD_VIA
     "Max-Forwards: 300\nTo: <sip:201@tandem.example>\nFrom: <sip:201@tandem.example>;tag={ID}\nCall-ID: {ID}\n"
     "CSeq: 36893488147419103232 REGISTER\nExpires: 10000000000000000000000\nContact: <sip:201@{ME}>;"
     "expires=280297596632815\n{AUTH}Content-Length: 0\n\n"},
    {"4475 3.1.2.5: numbers too large in a response",
     "SIP/2.0 503 Service Unavailable\n" ODD_VIA "From: <sip:a@b>;tag=1\nTo: <sip:c@d>;tag=2\nCall-ID: {ID}\n"
     "CSeq: 9292394834772304023312 OPTIONS\nRetry-After: 949302838503028349304023988\n"
     "Warning: 1812 overture \"In Progress\"\nContent-Length: 0\n\n"},
    {"4475 3.1.2.6: a quote that is not closed",
     "INVITE sip:999@tandem.example SIP/2.0\n" ODD_VIA
     "Max-Forwards: 70\nTo: \"Mr J. User <sip:999@tandem.example>\nFrom: <sip:201@tandem.example>;tag={ID}\nCall-ID: "
     "{ID}\n"
     "CSeq: 7 INVITE\nContact: <sip:201@{ME}>\n{AUTH}Content-Type: application/sdp\nContent-Length: {LEN}\n\n" ODD_SDP(
         ODD_AUDIO)},
    {"4475 3.1.2.7: a request URI in angle brackets",
     "INVITE <sip:999@tandem.example> SIP/2.0\n" ODD_VIA ODD_REST("INVITE") "Content-Length: 0\n\n"},
    {"4475 3.1.2.8: spaces inside the request URI",
     "INVITE sip:999@tandem.example; lr SIP/2.0\n" ODD_VIA ODD_REST("INVITE") "Content-Length: 0\n\n"},
    {"4475 3.1.2.9: two spaces in the request line",
     "INVITE  sip:999@tandem.example  SIP/2.0\n" ODD_VIA ODD_REST("INVITE") "Content-Length: 0\n\n"},
    {"4475 3.1.2.10: a space at the end of the request line",
     "OPTIONS sip:999@tandem.example SIP/2.0  \n" ODD_VIA ODD_REST("OPTIONS") "Content-Length: 0\n\n"},
    {"4475 3.1.2.11: headers escaped in the request URI",
     "INVITE sip:999@tandem.example?Route=%3Csip:example.com%3E SIP/2.0\n" ODD_VIA ODD_REST(
         "INVITE") "Content-Type: application/sdp\nContent-Length: {LEN}\n\n" ODD_SDP(ODD_AUDIO)},
    {"4475 3.1.2.12: a time zone in Date",
     "INVITE sip:999@tandem.example SIP/2.0\n" ODD_VIA ODD_REST(
         "INVITE") "Date: Fri, 01 Jan 2010 16:00:00 EST\nContent-Type: application/sdp\nContent-Length: "
                   "{LEN}\n\n" ODD_SDP(ODD_AUDIO)},
    {"4475 3.1.2.13: a bare address with a question mark",
     "OPTIONS sip:999@tandem.example SIP/2.0\n" ODD_VIA
     "Max-Forwards: 70\nFrom: sip:201@tandem.example?Route=%3Csip:sip.example.com%3E;tag={ID}\n"
     "To: sip:999@tandem.example\nContact: sip:201@{ME}?Route=%3Csip:x%3E\nCall-ID: {ID}\nCSeq: 1 OPTIONS\n"
     "Content-Length: 0\n\n"},
    {"4475 3.1.2.14: spaces inside a quoted address",
     "OPTIONS sip:999@tandem.example SIP/2.0\n" ODD_VIA
     "Max-Forwards: 70\nFrom: <   sip:201@tandem.example   >;tag={ID}\nTo: \"x\" < sip:999@tandem.example>\n"
     "Call-ID: {ID}\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n"},
    {"4475 3.1.2.15: bytes that are no token in a display name",
     "OPTIONS sip:999@tandem.example SIP/2.0\n" ODD_VIA
     "Max-Forwards: 70\nFrom: Bell, Alexander <sip:201@tandem.example>;tag={ID}\nTo: \xff\xfe "
     "<sip:999@tandem.example>\n"
     "Call-ID: {ID}\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n"},
    {"4475 3.1.2.16: a version that does not exist",
     "OPTIONS sip:999@tandem.example SIP/7.0\n" ODD_VIA ODD_REST("OPTIONS") "Content-Length: 0\n\n"},
    {"4475 3.1.2.17: a method that CSeq contradicts",
     "OPTIONS sip:999@tandem.example SIP/2.0\n" ODD_VIA ODD_REST("INVITE") "Content-Length: 0\n\n"},
    {"4475 3.1.2.18: an unknown method that CSeq contradicts",
     "NEWMETHOD sip:999@tandem.example SIP/2.0\n" ODD_VIA ODD_REST("INVITE") "Content-Length: 0\n\n"},
    {"4475 3.1.2.19: a status code of more than three digits",
     "SIP/2.0 4294967301 better not break the receiver\n" ODD_VIA "From: <sip:a@b>;tag=1\nTo: <sip:c@d>;tag=2\n"
     "Call-ID: {ID}\nCSeq: 1 INVITE\nContent-Length: 0\n\n"},
    {"4475 3.2.1: no branch behind the magic cookie",
     "OPTIONS sip:999@tandem.example SIP/2.0\nVia: SIP/2.0/UDP {ME};rport;branch=z9hG4bK\n" ODD_REST(
         "OPTIONS") "Content-Length: 0\n\n"},
    {"4475 3.3.1: headers missing that everything needs",
     "INVITE sip:999@tandem.example SIP/2.0\nCSeq: 193942 INVITE\n" ODD_VIA
     "Content-Type: application/sdp\n{AUTH}Content-Length: {LEN}\n\n" ODD_SDP(ODD_AUDIO)},
    {"4475 3.3.2: a URI scheme that nobody knows",
     "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0\n" ODD_VIA ODD_REST(
         "OPTIONS") "Content-Length: 0\n\n"},
    {"4475 3.3.3: a known scheme that is not SIP's",
     "OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0\n" ODD_VIA ODD_REST("OPTIONS") "Content-Length: 0\n\n"},
    {"4475 3.3.4: unknown schemes in To and Contact",
     "REGISTER sip:tandem.example SIP/2.0\n" ODD_VIA
     "Max-Forwards: 70\nTo: isbn:2983792873\nFrom: <http://www.example.com>;tag={ID}\nCall-ID: {ID}\nCSeq: 1 REGISTER\n"
     "Contact: <name:John_Smith>\n{AUTH}Content-Length: 0\n\n"},
    {"4475 3.3.5: Require and Proxy-Require of things unknown",
     "OPTIONS sip:999@tandem.example SIP/2.0\n" ODD_VIA ODD_REST(
         "OPTIONS") "Require: nothingSupportsThis, nothingSupportsThisEither\nProxy-Require: noProxiesSupportThis\n"
                    "Content-Length: 0\n\n"},
    {"4475 3.3.6: a body type that nobody knows",
     "INVITE sip:999@tandem.example SIP/2.0\n" ODD_VIA ODD_REST(
         "INVITE") "Content-Type: application/unknownformat\nContent-Length: {LEN}\n\n<audio>\n <pcmu "
                   "port=\"443\"/>\n</audio>\n"},
    {"4475 3.3.7: an authorization scheme that nobody knows",
     "REGISTER sip:tandem.example SIP/2.0\n" ODD_VIA
     "Max-Forwards: 70\nTo: <sip:201@tandem.example>\nFrom: <sip:201@tandem.example>;tag={ID}\nCall-ID: {ID}\n"
     "CSeq: 1 REGISTER\nContact: <sip:201@{ME}>\nAuthorization: NoOneKnowsThisScheme opaque-data=here\n"
     "Content-Length: 0\n\n"},
    {"4475 3.3.8: headers twice of which there is one",
     "INVITE sip:999@tandem.example SIP/2.0\n" ODD_VIA ODD_REST(
         "INVITE") "CSeq: 2 OPTIONS\nCall-ID: {ID}\nMax-Forwards: 5\nTo: <sip:other@tandem.example>\n"
                   "From: <sip:other@tandem.example>;tag=3413415\nContact: <sip:201@192.0.2.1>\nContent-Type: "
                   "application/sdp\n"
                   "Content-Length: {LEN}\nContent-Length: 1\n\n" ODD_SDP(ODD_AUDIO)},
    {"4475 3.3.9: lengths that contradict each other",
     "OPTIONS sip:999@tandem.example SIP/2.0\n" ODD_VIA ODD_REST("OPTIONS") "Content-Length: 13\nContent-Length: 5\n\n"
                                                                            "There's no way to know how many octets"},
    {"4475 3.3.10: a response to a broadcast", "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1\n"
                                               "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK2\n"
                                               "From: <sip:a@b>;tag=1\nTo: <sip:c@d>;tag=2\nCall-ID: {ID}\n"
                                               "CSeq: 1 INVITE\nContact: <sip:c@{ME}>\nContent-Length: 0\n\n"},
    {"4475 3.3.11: no hop is left",
     "INVITE sip:999@tandem.example SIP/2.0\n" ODD_VIA "Max-Forwards: 0\nFrom: <sip:201@tandem.example>;tag={ID}\nTo: "
     "<sip:999@tandem.example>\nCall-ID: {ID}\nCSeq: 1 INVITE\n"
     "Contact: <sip:201@{ME}>\n{AUTH}Content-Type: application/sdp\nContent-Length: {LEN}\n\n" ODD_SDP(ODD_AUDIO)},
    {"4475 3.3.12: a Contact with headers in its URI",
     "REGISTER sip:tandem.example SIP/2.0\n" ODD_VIA
     "Max-Forwards: 70\nTo: <sip:201@tandem.example>\nFrom: <sip:201@tandem.example>;tag={ID}\nCall-ID: {ID}\n"
     "CSeq: 1 REGISTER\nContact: <sip:201@{ME}?Route=%3Csip:sip.example.com%3E>\n{AUTH}Content-Length: 0\n\n"},
    {"4475 3.3.13: a Contact with parameters outside brackets",
     "REGISTER sip:tandem.example SIP/2.0\n" ODD_VIA
     "Max-Forwards: 70\nTo: <sip:201@tandem.example>\nFrom: <sip:201@tandem.example>;tag={ID}\nCall-ID: {ID}\n"
     "CSeq: 1 REGISTER\nContact: sip:201@{ME};unknownparam;expires=0\n{AUTH}Content-Length: 0\n\n"},
    {"4475 3.3.15: only an Accept that we cannot meet",
     "OPTIONS sip:999@tandem.example SIP/2.0\n" ODD_VIA ODD_REST("OPTIONS") "Accept: text/nobodyKnowsThis\n"
                                                                            "Content-Length: 0\n\n"},
    {"4475 3.4.1: a request of RFC 2543 times",
     "INVITE sip:999@tandem.example SIP/2.0\nVia: SIP/2.0/UDP {ME}\nFrom: <sip:201@tandem.example>\n"
     "To: <sip:999@tandem.example>\nCall-ID: {ID}\nCSeq: 1 INVITE\n{AUTH}Content-Type: application/sdp\n\n" ODD_SDP(
         ODD_AUDIO)},
    {"5118 4.1: an IPv6 reference where it belongs",
     "REGISTER sip:[2001:db8::10] SIP/2.0\n" ODD_VIA
     "Max-Forwards: 70\nTo: sip:201@tandem.example\nFrom: sip:201@tandem.example;tag={ID}\nCall-ID: {ID}\n"
     "CSeq: 98176 REGISTER\nContact: <sip:201@[2001:db8::1]>;expires=0\n{AUTH}Content-Length: 0\n\n"},
    {"5118 4.2: an IPv6 address without brackets",
     "REGISTER sip:2001:db8::10 SIP/2.0\n" ODD_VIA ODD_REST("REGISTER") "Content-Length: 0\n\n"},
    {"5118 4.3: where a port begins is anybody's guess",
     "REGISTER sip:[2001:db8::10:5070] SIP/2.0\n" ODD_VIA
     "Max-Forwards: 70\nTo: sip:201@tandem.example\nFrom: sip:201@tandem.example;tag={ID}\nCall-ID: {ID}\n"
     "CSeq: 98176 REGISTER\nContact: <sip:201@[2001:db8::1:5060]>;expires=0\n{AUTH}Content-Length: 0\n\n"},
    {"5118 4.5: received with and without brackets",
     "OPTIONS sip:999@tandem.example SIP/2.0\n" ODD_VIA
     "Via: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3\n"
     "Via: SIP/2.0/UDP [2001:db8::9:2];received=2001:db8::9:255;branch=z9hG4bKas4\n" ODD_REST(
         "OPTIONS") "Content-Length: 0\n\n"},
    {"5118 4.6: too many colons",
     "OPTIONS sip:999@[2001:db8:::192.0.2.1] SIP/2.0\nVia: SIP/2.0/UDP "
     "[2001:db8:::192.0.2.1];branch=z9hG4bK{ID}\n" ODD_REST("OPTIONS") "Content-Length: 0\n\n"},
    {"5118 4.7: IPv6 in the session description", ODD_INVITE("", "v=0\no=- 1 1 IN IP6 2001:db8::20\ns=-\n"
                                                                 "c=IN IP6 2001:db8::20\nt=0 0\n" ODD_AUDIO)},
    {"5118 4.9: both families in one description",
     ODD_INVITE("", "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\nm=audio 4000 RTP/AVP 0\nc=IN IP6 2001:db8::1\n"
                    "m=video 4002 RTP/AVP 99\nc=IN IP4 192.0.2.1\n")},
    {"5118 4.10: IPv4 mapped into IPv6",
     ODD_INVITE("", "v=0\no=- 1 1 IN IP6 ::ffff:192.0.2.10\ns=-\nc=IN IP6 ::ffff:192.0.2.10\nt=0 0\n" ODD_AUDIO)},
    /* What the RFCs do not have. */
    {"an SDP line that hangs the library's parser", ODD_INVITE("", ODD_SDP("m=image 5000 udptl \"\n"))},
    {"no media line", ODD_INVITE("", ODD_SDP(""))},
    {"no body in spite of its type", ODD_INVITE("", "")},
    {"more media lines than anybody has",
     ODD_INVITE("", ODD_SDP(ODD_AUDIO ODD_AUDIO ODD_AUDIO ODD_AUDIO ODD_AUDIO ODD_AUDIO ODD_AUDIO ODD_AUDIO ODD_AUDIO
                                ODD_AUDIO ODD_AUDIO ODD_AUDIO ODD_AUDIO ODD_AUDIO ODD_AUDIO ODD_AUDIO ODD_AUDIO))},
    {"a codec list without an end", ODD_INVITE("", ODD_SDP("m=audio 4000 RTP/AVP {LONG}\n"))},
    {"sound to nowhere",
     ODD_INVITE("", "v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nc=IN IP4 0.0.0.0\nt=0 0\nm=audio 0 RTP/AVP 0\n")},
    {"sound to everybody",
     ODD_INVITE("", "v=0\no=- 1 1 IN IP4 x\ns=-\nc=IN IP4 255.255.255.255/999\nt=0 0\nm=audio 65535 RTP/AVP 0\n")},
    {"a Contact of everything",
     "INVITE sip:999@tandem.example SIP/2.0\n" ODD_VIA
     "Max-Forwards: 70\nFrom: <sip:201@tandem.example>;tag={ID}\nTo: <sip:999@tandem.example>\n"
     "Call-ID: {ID}\nCSeq: 1 INVITE\nContact: *\n{AUTH}Content-Type: application/sdp\n"
     "Content-Length: {LEN}\n\n" ODD_SDP(ODD_AUDIO)},
    {"a Contact that is a telephone number",
     "INVITE sip:999@tandem.example SIP/2.0\n" ODD_VIA
     "Max-Forwards: 70\nFrom: <sip:201@tandem.example>;tag={ID}\nTo: <sip:999@tandem.example>\nCall-ID: {ID}\n"
     "CSeq: 1 INVITE\nContact: <tel:+441632960000>\n{AUTH}Content-Type: application/sdp\nContent-Length: "
     "{LEN}\n\n" ODD_SDP(ODD_AUDIO)},
    {"everything registered at once and removed",
     "REGISTER sip:tandem.example SIP/2.0\n" ODD_VIA
     "Max-Forwards: 70\nTo: <sip:201@tandem.example>\nFrom: <sip:201@tandem.example>;tag={ID}\nCall-ID: {ID}\n"
     "CSeq: 1 REGISTER\nContact: *\nContact: <sip:201@{ME}>\nExpires: 0\n{AUTH}Content-Length: 0\n\n"},
    {"routes and records of routes that are none", "INVITE sip:999@tandem.example SIP/2.0\n" ODD_VIA ODD_REST(
                                                       "INVITE") "Route: nonsense\nRecord-Route: <sip:>\nRecord-Route: "
                                                                 "sip:a@[, <sip:b;lr>\nContent-Type: application/sdp\n"
                                                                 "Content-Length: {LEN}\n\n" ODD_SDP(ODD_AUDIO)},
    {"an edge's own route from outside",
     "OPTIONS sip:999@tandem.example SIP/2.0\n" ODD_VIA ODD_REST(
         "OPTIONS") "Route: <sip:127.0.0.1;lr;flow=0011223344>\nContent-Length: 0\n\n"},
    {"a flow of somebody's own invention",
     "OPTIONS sip:999@tandem.example SIP/2.0\nVia: SIP/2.0/UDP {ME};branch=z9hG4bK{ID};flow=00112233;rport\n" ODD_REST(
         "OPTIONS") "Content-Length: 0\n\n"},
    {"many credentials at once",
     "REGISTER sip:tandem.example SIP/2.0\n" ODD_VIA ODD_REST(
         "REGISTER") "Authorization: Digest username=\"201\", realm=\"\", nonce=\"\", uri=\"\", response=\"\"\n"
                     "Authorization: Digest\nAuthorization: Digest ,,,,=,\"\nAuthorization: Digest "
                     "username=\"{LONG}{LONG}\"\n"
                     "Authorization: Basic eA==\nContent-Length: 0\n\n"},
    {"an ACK for nothing", "ACK sip:999@tandem.example SIP/2.0\n" ODD_VIA ODD_REST("ACK") "Content-Length: 0\n\n"},
    {"a CANCEL for nothing",
     "CANCEL sip:999@tandem.example SIP/2.0\n" ODD_VIA ODD_REST("CANCEL") "Content-Length: 0\n\n"},
    {"a BYE to a dialog that never was",
     "BYE sip:999@tandem.example SIP/2.0\n" ODD_VIA
     "Max-Forwards: 70\nFrom: <sip:201@tandem.example>;tag={ID}\nTo: <sip:999@tandem.example>;tag=none\nCall-ID: {ID}\n"
     "CSeq: 1 BYE\nContent-Length: 0\n\n"},
    {"a REFER", "REFER sip:999@tandem.example SIP/2.0\n" ODD_VIA ODD_REST("REFER") "Refer-To: <sip:x@y?Replaces=a%3B>\n"
                                                                                   "Content-Length: 0\n\n"},
    {"a SUBSCRIBE without an event",
     "SUBSCRIBE sip:999@tandem.example SIP/2.0\n" ODD_VIA ODD_REST("SUBSCRIBE") "Expires: -1\nContent-Length: 0\n\n"},
    {"a PRACK for nothing", "PRACK sip:999@tandem.example SIP/2.0\n" ODD_VIA ODD_REST("PRACK") "RAck: 1 1 INVITE\n"
                                                                                               "Content-Length: 0\n\n"},
};

#endif
