/* Messages that both test programs of the edge use. */
#ifndef TESTS_UNIT_EDGE_MESSAGES_H
#define TESTS_UNIT_EDGE_MESSAGES_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "edge/edge-priv.h"

#define REST                                                                                                           \
    "To: <sip:bob@example.org>\r\nFrom: <sip:al@example.org>;tag=1\r\nCall-ID: c1\r\nCSeq: 1 OPTIONS\r\n"              \
    "Content-Length: 0\r\n\r\n"
#define REQUEST(via) "OPTIONS sip:bob@example.org SIP/2.0\r\n" via REST
#define RESPONSE(via) "SIP/2.0 200 OK\r\n" via REST

static const uint8_t test_key[16] = "sixteen bytes ok";

#define VIA "Via: SIP/2.0/UDP h\r\n"

/* What the scan refuses (with at most 4 header lines), with a word of the reason. */
static const struct bad_case {
    const char *message;
    size_t len; /* 0: all of it */
    const char *word;
} bad_cases[] = {
    {"", 0, "no end"},
    {"hello", 0, "no end"},
    {"GET / HTTP/1.1\r\n" VIA "\r\n", 0, "no version"},
    {"OPTIONS sip:b\r\n" VIA "\r\n", 0, "no version"},
    {"OPTIONS  SIP/2.0\r\n" VIA "\r\n", 0, "no Request-URI"},
    {"OPTIONS\r\n" VIA "\r\n", 0, "no method"},
    {" OPTIONS sip:b SIP/2.0\r\n" VIA "\r\n", 0, "no method"},
    {"OPTIONS sip:b SIP/2.0\r\n folded\r\n" VIA "\r\n", 0, "folded"},
    {"OPTIONS sip:b SIP/2.0\r\n" VIA, 0, "no end"},
    {"OPTIONS sip:b SIP/2.0\r\n" VIA "X: a\rRoute: <sip:x>\r\n\r\n", 0, "carriage return"},
    {"OPTIONS sip:b SIP/2.0\r\n" VIA "X: a\0b\r\n\r\n", sizeof("OPTIONS sip:b SIP/2.0\r\n" VIA "X: a\0b\r\n\r\n") - 1,
     "NUL"},
    {"OPTIONS sip:b SIP/2.0\r\n" VIA "Content-Length: 4\r\n\r\nabc", 0, "shorter"},
    {"OPTIONS sip:b SIP/2.0\r\n" VIA "Content-Length: -1\r\n\r\nabc", 0, "not a number"},
    {"OPTIONS sip:b SIP/2.0\r\n" VIA "Content-Length: 99999999999999999999\r\n\r\nabc", 0, "not a number"},
    {"OPTIONS sip:b SIP/2.0\r\n" VIA "Content-Length: 1\r\nl: 2\r\n\r\nabc", 0, "two different"},
    {"OPTIONS sip:b SIP/2.0\r\n" VIA "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n", 0, "too many"},
    {"SIP/2.0 20 OK\r\n" VIA "\r\n", 0, "status"},
    {"SIP/2.0 4294967301 better not\r\n" VIA "\r\n", 0, "status"},
    {"SIP/2.0 099 OK\r\n" VIA "\r\n", 0, "status"},
};

/* What the scan lets through and the Via parser refuses. */
static const char *const bad_vias[] = {
    "",
    "Via:\r\n",
    "Via: SIP\r\n",
    "Via: SIP/2.0\r\n",
    "Via: SIP/2.0/\r\n",
    "Via: SIP/2.0/UDP\r\n",
    "Via: SIP/2.0/UDP ;branch=1\r\n",
    "Via: SIP/2.0/UDP [2001:db8::1\r\n",
    "Via: SIP/2.0/UDP 2001:db8::1\r\n",
    "Via: SIP/2.0/UDPh\r\n",
    "Via: HTTP/2.0/UDP h\r\n",
    "Via: SIP/2.0/UDP h;a=b c\r\n",
    "Via: SIP/2.0/UDP h;branch=\"z9hG4bK1;rport\r\n",
};

static inline void expect_text(const char *out, size_t len, const char *expected)
{
    ck_assert_msg(len == strlen(expected) && memcmp(out, expected, len) == 0, "got:\n%.*s\nexpected:\n%s", (int)len,
                  out, expected);
}

#endif
