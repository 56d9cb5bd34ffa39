/* Whole descriptions of real phones, and that writing keeps what reading found. */
#include "sdp-help.h"

/* --- real phones -----------------------------------------------------------------------------------------------------
 */

static const struct {
    const char *file, *address, *codecs;
    unsigned streams, ptime;
    enum stream_dir dir;
} phones[] = {
    {"yealink", "192.0.2.21:11792",
     "9 G722/8000/1|0 PCMU/8000/1|8 PCMA/8000/1|18 G729/8000/1 annexb=no|101 telephone-event/8000/1 0-15", 1, 20,
     DIR_SENDRECV},
    {"snom", "192.0.2.22:63310",
     "9 G722/8000/1|0 PCMU/8000/1|8 PCMA/8000/1|3 GSM/8000/1|99 G726-32/8000/1|112 AAL2-G726-32/8000/1|"
     "18 G729/8000/1 annexb=no|101 telephone-event/8000/1 0-15",
     1, 20, DIR_SENDRECV},
    {"grandstream", "192.0.2.23:5004",
     "0 PCMU/8000/1|8 PCMA/8000/1|18 G729/8000/1 annexb=no|9 G722/8000/1|4 G723/8000/1|97 iLBC/8000/1 mode=30|"
     "2 G726-32/8000/1|101 telephone-event/8000/1 0-15",
     2, 20, DIR_SENDRECV},
    {"cisco-spa", "192.0.2.24:16462",
     "0 PCMU/8000/1|2 G726-32/8000/1|4 G723/8000/1|8 PCMA/8000/1|18 G729/8000/1|96 G726-40/8000/1|97 G726-24/8000/1|"
     "98 G726-16/8000/1|100 NSE/8000/1 192-193|101 telephone-event/8000/1 0-15",
     1, 30, DIR_SENDRECV},
    {"zoiper", "192.0.2.25:8000",
     "3 GSM/8000/1|110 speex/8000/1|8 PCMA/8000/1|0 PCMU/8000/1|98 iLBC/8000/1 mode=20|"
     "101 telephone-event/8000/1 0-15",
     1, 0, DIR_SENDRECV},
    {"linphone", "192.0.2.26:7178",
     "96 opus/48000/2 useinbandfec=1|97 speex/16000/1 vbr=on|98 speex/8000/1 vbr=on|0 PCMU/8000/1|8 PCMA/8000/1|"
     "18 G729/8000/1 annexb=yes|101 telephone-event/48000/1|99 telephone-event/16000/1|100 telephone-event/8000/1",
     1, 0, DIR_SENDRECV},
    {"baresip", "[2001:db8::27]:30188",
     "96 opus/48000/2 stereo=1;sprop-stereo=1|0 PCMU/8000/1|8 PCMA/8000/1|101 telephone-event/8000/1 0-15", 1, 20,
     DIR_SENDRECV},
    {"asterisk", "192.0.2.28:14230", "8 PCMA/8000/1|101 telephone-event/8000/1 0-16", 2, 20, DIR_SEND},
    {"t38", "192.0.2.29:4002", "", 1, 0, DIR_SENDRECV},
    {"browser", "0.0.0.0:9",
     "111 opus/48000/2 minptime=10;useinbandfec=1|63 red/48000/2 111/111|9 G722/8000/1|0 PCMU/8000/1|8 PCMA/8000/1|"
     "13 CN/8000/1|110 telephone-event/48000/1|126 telephone-event/8000/1",
     3, 0, DIR_SEND},
};

START_TEST(a_phone_is_understood)
{
    struct media_desc *desc = desc_ok(load(phones[_i].file));
    const struct stream_desc *first = &desc->streams[0];

    ck_assert_uint_eq(desc->count, phones[_i].streams);
    addr_is(&first->rtp, phones[_i].address);
    ck_assert_str_eq(codecs_text(first), phones[_i].codecs);
    ck_assert_uint_eq(first->ptime, phones[_i].ptime);
    ck_assert_int_eq(first->dir, phones[_i].dir);
    desc_free(desc);
}
END_TEST

/* --- writing ---------------------------------------------------------------------------------------------------------
 */

static struct sdp_origin origin(void)
{
    struct sdp_origin o = {.session = 17, .version = 3};

    ck_assert_int_eq(addr_parse_ip("203.0.113.5", 0, &o.address), 0);
    return o;
}

static void same_desc(const struct media_desc *a, const struct media_desc *b)
{
    ck_assert_uint_eq(a->count, b->count);
    for (unsigned i = 0; i < a->count; i++) {
        const struct stream_desc *x = &a->streams[i], *y = &b->streams[i];
        char codecs[4096];

        ck_assert_int_eq(x->kind, y->kind);
        ck_assert_str_eq(x->media, y->media);
        ck_assert_str_eq(x->proto, y->proto);
        ck_assert_int_eq(x->refused, y->refused);
        ck_assert_int_eq(x->dir, y->dir);
        ck_assert_uint_eq(x->ptime, y->ptime);
        ck_assert_int_eq(x->rtcp_mux, y->rtcp_mux);
        str_copy(codecs, sizeof codecs, codecs_text(x));
        ck_assert_str_eq(codecs, codecs_text(y));
        ck_assert_uint_eq(addr_port(&x->rtp), addr_port(&y->rtp));
        ck_assert_uint_eq(addr_port(&x->rtcp), addr_port(&y->rtcp));
        if (!addr_is_set(&x->rtp) || addr_is_any(&x->rtp))
            continue; /* a wildcard is written as the origin's address */
        ck_assert(addr_same(&x->rtp, &y->rtp));
        ck_assert(addr_is_set(&x->rtcp) == addr_is_set(&y->rtcp));
        if (addr_is_set(&x->rtcp))
            ck_assert(addr_same(&x->rtcp, &y->rtcp));
    }
}

static void round_trip(const char *text)
{
    struct media_desc *desc = desc_ok(text), *again;
    struct sdp_origin o = origin();
    char written[SDP_TEXT_MAX + 1];
    int len = sdp_write(&o, desc, written, sizeof written);

    ck_assert_int_gt(len, 0);
    ck_assert_uint_eq(strlen(written), (size_t)len);
    again = desc_ok(written);
    same_desc(desc, again);
    desc_free(again);
    desc_free(desc);
}

START_TEST(a_phone_survives_the_round_trip)
{
    round_trip(load(phones[_i].file));
}
END_TEST

START_TEST(corners_survive_the_round_trip)
{
    round_trip(HEAD);
    round_trip(AUDIO "c=IN IP6 2001:db8::1\na=rtcp:9 IN IP6 2001:db8::2\na=inactive\n");
    round_trip(AUDIO "a=rtcp:4001 IN IP4 198.51.100.7\na=rtcp-mux\n");
    round_trip(HEAD "m=audio 65535 RTP/AVP 96 0\na=rtpmap:96 L16/44100/2\na=fmtp:96 x\n");
    round_trip(HEAD "m=audio 4000 RTP/AVP 99\nm=audio 0 RTP/AVP\nm=message 1 TCP/MSRP *\na=recvonly\n");
    round_trip(load("old-hold"));
    round_trip(load("sofia-mline-loop"));
}
END_TEST

START_TEST(what_is_written_is_exact)
{
    static const struct codec codecs[] = {{0, "PCMU", 8000, 1, ""}, {96, "opus", 48000, 2, "useinbandfec=1"}};
    struct media_desc *desc = desc_new(3);
    struct sdp_origin o = origin();
    char text[1024];

    desc->streams[0] = (struct stream_desc){.media = "audio", .proto = "RTP/AVP", .dir = DIR_SEND, .ptime = 20};
    desc_set_codecs(&desc->streams[0], codecs, 2);
    addr_parse_ip("0.0.0.0", 4000, &desc->streams[0].rtp); /* bound to a wildcard: the origin's address counts */
    addr_parse_ip("0.0.0.0", 4001, &desc->streams[0].rtcp);
    desc->streams[1] = (struct stream_desc){.media = "video", .proto = "RTP/SAVP", .refused = true, .formats = "99 34"};
    desc->streams[2] = (struct stream_desc){.media = "audio", .proto = "RTP/AVP", .dir = DIR_RECV, .rtcp_mux = true};
    desc_set_codecs(&desc->streams[2], codecs, 1);
    addr_parse_ip("2001:db8::5", 6000, &desc->streams[2].rtp);
    addr_parse_ip("2001:db8::5", 7000, &desc->streams[2].rtcp);

    ck_assert_int_gt(sdp_write(&o, desc, text, sizeof text), 0);
    ck_assert_str_eq(text, "v=0\r\n"
                           "o=tandem 17 3 IN IP4 203.0.113.5\r\n"
                           "s=-\r\n"
                           "c=IN IP4 203.0.113.5\r\n"
                           "t=0 0\r\n"
                           "m=audio 4000 RTP/AVP 0 96\r\n"
                           "a=rtpmap:0 PCMU/8000\r\n"
                           "a=rtpmap:96 opus/48000/2\r\n"
                           "a=fmtp:96 useinbandfec=1\r\n"
                           "a=ptime:20\r\n"
                           "a=sendonly\r\n"
                           "m=video 0 RTP/SAVP 99 34\r\n"
                           "m=audio 6000 RTP/AVP 0\r\n"
                           "c=IN IP6 2001:db8::5\r\n"
                           "a=rtpmap:0 PCMU/8000\r\n"
                           "a=rtcp:7000\r\n"
                           "a=rtcp-mux\r\n"
                           "a=recvonly\r\n");
    desc_free(desc);
}
END_TEST

START_TEST(a_stream_without_a_port_is_written_as_refused)
{
    struct media_desc *desc = desc_ok(AUDIO);
    struct sdp_origin o = origin();
    char text[1024];

    memset(&desc->streams[0].rtp, 0, sizeof desc->streams[0].rtp);
    ck_assert_int_gt(sdp_write(&o, desc, text, sizeof text), 0);
    ck_assert_ptr_nonnull(strstr(text, "m=audio 0 RTP/AVP 0\r\n"));
    ck_assert_ptr_null(strstr(text, "rtpmap"));
    desc_free(desc);
}
END_TEST

START_TEST(text_that_does_not_fit_is_refused_at_every_size)
{
    struct media_desc *desc = desc_ok(load("baresip"));
    struct sdp_origin o = origin();
    char text[2048];
    int len = sdp_write(&o, desc, text, sizeof text);

    ck_assert_int_gt(len, 0);
    for (size_t size = 0; size <= (size_t)len; size++) {
        memset(text, '#', sizeof text);
        ck_assert_int_eq(sdp_write(&o, desc, text, size), -E2BIG);
        ck_assert_int_eq(text[size], '#'); /* nothing behind the end was touched */
    }
    ck_assert_int_eq(sdp_write(&o, desc, text, (size_t)len + 1), len);
    desc_free(desc);
}
END_TEST

START_TEST(a_line_break_in_a_parameter_does_not_get_out)
{
    struct media_desc *desc = desc_ok(AUDIO);
    struct sdp_origin o = origin();
    char text[1024];

    str_copy(desc->streams[0].codecs[0].fmtp, sizeof desc->streams[0].codecs[0].fmtp, "x\r\nc=IN IP4 198.51.100.66");
    ck_assert_int_eq(sdp_write(&o, desc, text, sizeof text), -EINVAL);
    desc_free(desc);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sdp_write");
    TCase *write = tcase_create("write");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(write, a_phone_is_understood, 0, COUNT_OF(phones));
    tcase_add_loop_test(write, a_phone_survives_the_round_trip, 0, COUNT_OF(phones));
    tcase_add_test(write, corners_survive_the_round_trip);
    tcase_add_test(write, what_is_written_is_exact);
    tcase_add_test(write, a_stream_without_a_port_is_written_as_refused);
    tcase_add_test(write, text_that_does_not_fit_is_refused_at_every_size);
    tcase_add_test(write, a_line_break_in_a_parameter_does_not_get_out);
    suite_add_tcase(suite, write);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    audio_of(NULL);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
