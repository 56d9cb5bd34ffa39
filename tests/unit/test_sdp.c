/* Reading SDP: what phones send, and what nobody should send. */
#include "sdp-help.h"

/* --- text ------------------------------------------------------------------------------------------------------------
 */

START_TEST(every_part_is_found)
{
    struct sdp *sdp = read_ok("v=0\r\no=alice 2890844526 2890844527 IN IP4 host.example\r\ns=A talk\r\ni=about\r\n"
                              "u=http://example.com/\r\ne=a@example.com\r\np=+1\r\nc=IN IP4 192.0.2.1\r\nb=AS:64\r\n"
                              "t=0 0\r\nr=7d 1h 0 25h\r\nz=0 0\r\nk=clear:x\r\na=sendonly\r\na=tool: x y \r\n"
                              "m=audio 4000/2 RTP/AVP  0   8\r\ni=title\r\nc=IN IP6 2001:db8::1\r\na=ptime:20\r\n"
                              "m=x-new 1 a/b/c fmt\r\n");

    ck_assert_str_eq(sdp->origin_user, "alice");
    ck_assert_str_eq(sdp->origin_session, "2890844526");
    ck_assert_str_eq(sdp->origin_version, "2890844527");
    ck_assert_str_eq(sdp->origin_address, "host.example");
    ck_assert_str_eq(sdp->name, "A talk");
    ck_assert_str_eq(sdp->connection, "192.0.2.1");
    ck_assert(!sdp->connection_ip6);
    ck_assert_uint_eq(sdp->attribute_count, 2);
    ck_assert_str_eq(sdp->attributes[0].name, "sendonly");
    ck_assert_ptr_null(sdp->attributes[0].value);
    ck_assert_str_eq(sdp->attributes[1].value, "x y");
    ck_assert_uint_eq(sdp->media_count, 2);
    ck_assert_str_eq(sdp->media[0].formats, "0 8");
    ck_assert_uint_eq(sdp->media[0].port, 4000);
    ck_assert_uint_eq(sdp->media[0].port_count, 2);
    ck_assert_str_eq(sdp->media[0].connection, "2001:db8::1");
    ck_assert(sdp->media[0].connection_ip6);
    ck_assert_uint_eq(sdp->media[0].attribute_count, 1);
    ck_assert_str_eq(sdp->media[0].attributes[0].value, "20");
    ck_assert_str_eq(sdp->media[1].proto, "a/b/c");
    ck_assert_uint_eq(sdp->media[1].attribute_count, 0);
    sdp_free(sdp);
}
END_TEST

START_TEST(sloppy_line_ends_are_taken)
{
    static const char *const texts[] = {
        "v=0\no=- 1 1 IN IP4 192.0.2.1\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0",
        "v=0 \r\no=- 1 1 IN IP4 192.0.2.1\t\r\nc=IN IP4 192.0.2.1  \r\nm=audio 4000 RTP/AVP 0 \r\n\r\n\r\n",
        "\r\nv=0\r\r\no=- 1 1 IN IP4 192.0.2.1\r\r\nm=audio 4000 RTP/AVP 0\r\r\nc=IN IP4 192.0.2.1\r\r\n \r\n",
        "v=0\no=1 1 IN IP4 192.0.2.1\nc=IN IP4 192.0.2.1\nQ=what\nm=audio 4000 RTP/AVP 0\n",
    };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const struct stream_desc *audio = audio_of(texts[i]);

        addr_is(&audio->rtp, "192.0.2.1:4000");
        ck_assert_str_eq(codecs_text(audio), "0 PCMU/8000/1");
    }
}
END_TEST

START_TEST(zero_bytes_count_only_at_the_end)
{
    struct sdp *sdp;

    ck_assert_int_eq(sdp_read(AUDIO "\0\0", sizeof AUDIO + 1, &sdp, why, sizeof why), 0);
    sdp_free(sdp);
    ck_assert_int_eq(sdp_read("v=0\r\ns=\0\r\n", 10, &sdp, why, sizeof why), -EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "line 2 "));
}
END_TEST

START_TEST(an_origin_user_may_be_missing_or_hold_blanks)
{
    struct sdp *sdp = read_ok("v=0\no=John  Doe 5 6 IN IP4 192.0.2.1\n");

    ck_assert_str_eq(sdp->origin_user, "John  Doe");
    ck_assert_str_eq(sdp->origin_version, "6");
    sdp_free(sdp);
    sdp = read_ok("v=0\no= 5 6 IN IP4 192.0.2.1\n");
    ck_assert_str_eq(sdp->origin_user, "");
    ck_assert_str_eq(sdp->origin_session, "5");
    sdp_free(sdp);
}
END_TEST

START_TEST(faults_name_the_line)
{
    refused("", -EINVAL, "empty");
    refused("hello", -EINVAL, "line 1 ");
    refused("o=- 1 1 IN IP4 192.0.2.1\n", -EINVAL, "line 1: a session description begins with v=0");
    refused("v=1\n", -EINVAL, "line 1: ");
    refused("v=0\n", -EINVAL, "no o= line");
    refused("v=0\nv=0\n", -EINVAL, "line 2: there is a second v=");
    refused("v=0\no=- 1 1 IN IP4\n", -EINVAL, "line 2: o= needs");
    refused("v=0\no=- 1 1 IN IP4 x\no=- 1 1 IN IP4 x\n", -EINVAL, "line 3: there is a second o=");
    refused(HEAD "c=IN IP4\n", -EINVAL, "line 6: c= needs");
    refused(HEAD "c=ATM NSAP 47\n", -EINVAL, "line 6: c=ATM NSAP");
    refused(HEAD "\nm=audio 4000\n", -EINVAL, "line 7: m= needs");
    refused(HEAD "m=au\"dio 4000 RTP/AVP 0\n", -EINVAL, "line 6: ");
    refused(HEAD "m=a-very-long-media-type 4000 RTP/AVP 0\n", -EINVAL, "line 6: ");
    refused(HEAD "m=audio 65536 RTP/AVP 0\n", -EINVAL, "line 6: the port");
    refused(HEAD "m=audio 99999999999999999999999 RTP/AVP 0\n", -EINVAL, "line 6: the port");
    refused(HEAD "m=audio -1 RTP/AVP 0\n", -EINVAL, "line 6: the port");
    refused(HEAD "m=audio 4000/ RTP/AVP 0\n", -EINVAL, "line 6: the port");
    refused(HEAD "m=audio 4000 RTP//AVP 0\n", -EINVAL, "line 6: \"RTP//AVP\" is not a media protocol");
    refused(HEAD "m=audio 4000 RTP/AVP/AND/SO/ON/AND/ON 0\n", -EINVAL, "line 6: ");
    refused(HEAD "m=audio 4000 RTP/AVP\n", -EINVAL, "line 6: the audio stream lists no formats");
    refused(HEAD "m=audio 4000 RTP/AVP 0 128\n", -EINVAL, "line 6: \"128\" is not a payload type");
    refused(HEAD "m=video 4000 UDP/TLS/RTP/SAVPF 0 x\n", -EINVAL, "line 6: \"x\" is not a payload type");
    refused(HEAD "a:foo\n", -EINVAL, "line 6 is not a letter");
    refused(HEAD " a=foo\n", -EINVAL, "line 6 is not a letter");
    refused(HEAD "a=x\rc=IN IP4 203.0.113.1\n", -EINVAL, "line 6 has a zero byte or a carriage return");
    refused("v=0\n\xff\xfe\n", -EINVAL, "??"); /* whatever was sent, the words are clean UTF-8 */
}
END_TEST

START_TEST(limits_are_exact)
{
    static char text[SDP_TEXT_MAX + 100];
    struct sdp *sdp;
    size_t used = 0, head;

    str_append(text, sizeof text, &used, "%s", HEAD);
    head = used;
    for (int i = 0; i < SDP_MEDIA_MAX; i++)
        str_append(text, sizeof text, &used, "m=audio 0 RTP/AVP 0\n");
    sdp = read_ok(text);
    ck_assert_uint_eq(sdp->media_count, SDP_MEDIA_MAX);
    sdp_free(sdp);
    str_append(text, sizeof text, &used, "m=audio 0 RTP/AVP 0\n");
    refused(text, -E2BIG, "33 m-lines");

    used = head;
    for (int i = 0; i < SDP_ATTRIBUTES_MAX; i++)
        str_append(text, sizeof text, &used, "a=x\n");
    sdp = read_ok(text);
    ck_assert_uint_eq(sdp->attribute_count, SDP_ATTRIBUTES_MAX);
    sdp_free(sdp);
    str_append(text, sizeof text, &used, "a=x\n");
    refused(text, -E2BIG, "513 a-lines");

    used = head;
    for (; used < SDP_TEXT_MAX; used++)
        text[used] = used % 64 ? ' ' : '\n';
    text[used] = '\0';
    sdp_free(read_ok(text));
    text[used] = ' ';
    text[used + 1] = '\0';
    refused(text, -E2BIG, "16385 bytes");
}
END_TEST

START_TEST(the_input_that_hangs_sofia_is_read)
{
    const struct stream_desc *image = audio_of(load("sofia-mline-loop"));

    ck_assert_int_eq(image->kind, STREAM_IMAGE);
    ck_assert_str_eq(image->formats, ""); /* a format that is no token must not get back out */
}
END_TEST

START_TEST(why_may_be_missing)
{
    struct sdp *sdp;

    ck_assert_int_eq(sdp_read("x", 1, &sdp, NULL, 0), -EINVAL);
}
END_TEST

/* --- descriptions ----------------------------------------------------------------------------------------------------
 */

START_TEST(static_payload_types_need_no_rtpmap)
{
    const struct stream_desc *audio = audio_of(HEAD "m=audio 4000 RTP/AVP 0 3 8 9 18 13 10 77 96\n");

    ck_assert_str_eq(codecs_text(audio), "0 PCMU/8000/1|3 GSM/8000/1|8 PCMA/8000/1|9 G722/8000/1|18 G729/8000/1|"
                                         "13 CN/8000/1|10 L16/44100/2");
    ck_assert_str_eq(audio->formats, "0 3 8 9 18 13 10 77 96");
}
END_TEST

START_TEST(the_first_of_two_says_what_a_payload_type_is)
{
    ck_assert_str_eq(codecs_text(audio_of(HEAD "m=audio 4000 RTP/AVP 96 0 96 0\n"
                                               "a=rtpmap:96 speex/16000\na=rtpmap:96 iLBC/8000\n"
                                               "a=fmtp:96 a=1\na=fmtp:96 b=2\na=rtpmap:97 GSM/8000\n"
                                               "a=rtpmap:300 GSM/8000\na=rtpmap:98\na=fmtp:\n")),
                     "96 speex/16000/1 a=1|0 PCMU/8000/1");
}
END_TEST

START_TEST(a_broken_rtpmap_names_nothing)
{
    static const char *const broken[] = {
        "96 ",
        "96 /8000",
        "96 opus/",
        "96 opus/x",
        "96 opus/0",
        "96 opus/48000/0",
        "96 opus/48000/256",
        "96 opus/4294967296",
        "96 a-name-of-20-letters/8000",
        "96 o(us/48000",
    };

    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        char text[400];

        snprintf(text, sizeof text, HEAD "m=audio 4000 RTP/AVP 96 8\na=rtpmap:%s\n", broken[i]);
        ck_assert_msg(strcmp(codecs_text(audio_of(text)), "8 PCMA/8000/1") == 0, "\"%s\" gave %s", broken[i],
                      codecs_text(audio_of(text)));
    }
}
END_TEST

START_TEST(common_mistakes_in_codec_names_are_put_right)
{
    ck_assert_str_eq(codecs_text(audio_of(HEAD "m=audio 4000 RTP/AVP 9 96 18 101\na=rtpmap:9 g722/16000\n"
                                               "a=rtpmap:96 opus/48000\na=rtpmap:18 G729a/8000/1\n"
                                               "a=rtpmap:101 telephone-event\na=fmtp: 101 0-15\na=fmtp:101 0-11\n")),
                     "9 g722/8000/1|96 opus/48000/2|18 G729/8000/1|101 telephone-event/8000/1 0-15");
}
END_TEST

START_TEST(more_codecs_than_fit_are_cut)
{
    char text[4096];
    size_t used = 0;
    const struct stream_desc *audio;

    str_append(text, sizeof text, &used, "%s", HEAD "m=audio 4000 RTP/AVP");
    for (int pt = 90; pt < 128; pt++)
        str_append(text, sizeof text, &used, " %d", pt);
    for (int pt = 127; pt >= 90; pt--)
        str_append(text, sizeof text, &used, "\na=rtpmap:%d speex/%d", pt, pt);
    audio = audio_of(text);
    ck_assert_uint_eq(audio->codec_count, MEDIA_CODECS_MAX);
    for (unsigned i = 0; i < audio->codec_count; i++)
        ck_assert_uint_eq(audio->codecs[i].rate, 90 + i);
    ck_assert_uint_lt(strlen(audio->formats), sizeof audio->formats);
    ck_assert_ptr_nonnull(strstr(audio->formats, " 107")); /* the last that fits, whole */
    ck_assert_ptr_null(strstr(audio->formats, " 108"));
}
END_TEST

START_TEST(long_parameters_lose_whole_ones_only)
{
    const struct stream_desc *audio = audio_of(
        HEAD "m=audio 4000 RTP/AVP 96 97 98\na=rtpmap:96 opus/48000/2\n"
             "a=fmtp:96 minptime=10;useinbandfec=1; maxaveragebitrate=510000; stereo=1; sprop-stereo=1; cbr=0 ; "
             "usedtx=0;maxplaybackrate=48000\n"
             "a=rtpmap:97 iLBC/8000\na=fmtp:97 mode=20\x01\n"
             "a=rtpmap:98 AMR/8000\na=fmtp:98 one-parameter-without-any-semicolon-in-it-that-is-longer-than-what-there"
             "-is-room-for-in-a-description\n");

    ck_assert_str_eq(audio->codecs[0].fmtp, "minptime=10;useinbandfec=1; maxaveragebitrate=510000; stereo=1; "
                                            "sprop-stereo=1; cbr=0");
    ck_assert_str_eq(audio->codecs[1].fmtp, "");
    ck_assert_str_eq(audio->codecs[2].fmtp, "");
}
END_TEST

START_TEST(direction_is_inherited_and_overridden)
{
    static const struct {
        const char *session, *media;
        enum stream_dir dir;
    } cases[] = {
        {"", "", DIR_SENDRECV},
        {"a=sendonly\n", "", DIR_SEND},
        {"a=inactive\n", "a=ptime:20\n", DIR_INACTIVE},
        {"a=inactive\n", "a=recvonly\n", DIR_RECV},
        {"a=sendonly\n", "a=sendrecv\n", DIR_SENDRECV},
        {"", "a=inactive\na=sendrecv\n", DIR_INACTIVE},
        {"", "a=SendOnly\n", DIR_SEND},
        {"", "a=sendonly-not\n", DIR_SENDRECV},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[400];

        snprintf(text, sizeof text, HEAD "%sm=audio 4000 RTP/AVP 0\n%s", cases[i].session, cases[i].media);
        ck_assert_int_eq(audio_of(text)->dir, cases[i].dir);
    }
}
END_TEST

START_TEST(an_address_of_zeros_is_hold)
{
    const struct stream_desc *audio = audio_of(AUDIO "c=IN IP4 0.0.0.0\n");

    ck_assert_int_eq(audio->dir, DIR_SEND);
    ck_assert(!audio->refused);
    ck_assert_int_eq(audio_of(AUDIO "c=IN IP4 0.0.0.0\na=recvonly\n")->dir, DIR_INACTIVE);
    ck_assert_int_eq(audio_of(AUDIO "c=IN IP6 ::\na=sendonly\n")->dir, DIR_SEND);
    ck_assert_int_eq(audio_of(load("old-hold"))->dir, DIR_SEND);
}
END_TEST

START_TEST(addresses_are_found_where_they_stand)
{
    addr_is(&audio_of(AUDIO)->rtp, "192.0.2.1:4000");
    addr_is(&audio_of(AUDIO)->rtcp, "192.0.2.1:4001");
    addr_is(&audio_of(AUDIO "c=IN IP4 198.51.100.7\nc=IN IP4 198.51.100.8\n")->rtp, "198.51.100.7:4000");
    addr_is(&audio_of(AUDIO "c=in ip6 2001:DB8::1\n")->rtp, "[2001:db8::1]:4000");
    addr_is(&audio_of(AUDIO "c=IN IP4 192.0.2.9/127\n")->rtp, "192.0.2.9:4000");
    addr_is(&audio_of("v=0\no=- 1 1 IN IP4 x\nm=audio 4000 RTP/AVP 0\nc=IN IP4 192.0.2.5\n")->rtp, "192.0.2.5:4000");
    ck_assert(!addr_is_set(&audio_of(HEAD "m=audio 65535 RTP/AVP 0\n")->rtcp));
    ck_assert(!addr_is_set(&audio_of(HEAD "m=audio 0 RTP/AVP 0\n")->rtp));
}
END_TEST

START_TEST(rtcp_is_told_or_guessed)
{
    addr_is(&audio_of(AUDIO "a=rtcp:5000\n")->rtcp, "192.0.2.1:5000");
    addr_is(&audio_of(AUDIO "a=rtcp:5000 IN IP4 198.51.100.7\n")->rtcp, "198.51.100.7:5000");
    addr_is(&audio_of(AUDIO "a=rtcp:5000 IN IP6 2001:db8::2\n")->rtcp, "[2001:db8::2]:5000");
    addr_is(&audio_of(AUDIO "a=rtcp:5000 IN IP4 phone.example\n")->rtcp, "192.0.2.1:5000");
    addr_is(&audio_of(AUDIO "a=rtcp:5000 IN IP4 224.0.0.1\n")->rtcp, "192.0.2.1:5000");
    addr_is(&audio_of(AUDIO "a=rtcp:0\n")->rtcp, "192.0.2.1:4001");
    addr_is(&audio_of(AUDIO "a=rtcp:70000\n")->rtcp, "192.0.2.1:4001");
    addr_is(&audio_of(AUDIO "a=rtcp:x\n")->rtcp, "192.0.2.1:4001");
    ck_assert(!audio_of(AUDIO)->rtcp_mux);
    ck_assert(audio_of(AUDIO "a=rtcp-mux\n")->rtcp_mux);
}
END_TEST

START_TEST(packet_time_is_read_and_bounded)
{
    ck_assert_uint_eq(audio_of(AUDIO)->ptime, 0);
    ck_assert_uint_eq(audio_of(AUDIO "a=ptime:30\n")->ptime, 30);
    ck_assert_uint_eq(audio_of(AUDIO "a=ptime: 20\n")->ptime, 20);
    ck_assert_uint_eq(audio_of(AUDIO "a=ptime:2.5\n")->ptime, 2);
    ck_assert_uint_eq(audio_of(AUDIO "a=maxptime:40\na=ptime:60\n")->ptime, 40);
    ck_assert_uint_eq(audio_of(AUDIO "a=maxptime:40\n")->ptime, 0);
    ck_assert_uint_eq(audio_of(AUDIO "a=ptime:100000\n")->ptime, 0);
    ck_assert_uint_eq(audio_of(AUDIO "a=ptime:fast\na=ptime\n")->ptime, 0);
}
END_TEST

START_TEST(unusable_addresses_are_refused_in_words)
{
    desc_refused("v=0\no=- 1 1 IN IP4 x\nm=audio 4000 RTP/AVP 0\n", "stream 1 (audio) has no address");
    desc_refused(AUDIO "c=IN IP4 phone.example.com\n", "\"phone.example.com\" is not an IP address");
    desc_refused(AUDIO "c=IN IP4 1.2.3\n", "not an IP address");
    desc_refused(AUDIO "c=IN IP4 224.2.1.1/127/3\n", "multicast");
    desc_refused(AUDIO "c=IN IP4 255.255.255.255\n", "multicast");
    desc_refused(AUDIO "c=IN IP6 ff02::1/2\n", "multicast");
    desc_refused(AUDIO "c=IN IP6 fe80::1%eth0\n", "not an IP address");
}
END_TEST

START_TEST(too_many_streams_are_refused)
{
    char text[1024];
    size_t used = 0;

    str_append(text, sizeof text, &used, "%s", HEAD);
    for (int i = 0; i < MEDIA_STREAMS_MAX; i++)
        str_append(text, sizeof text, &used, "m=audio 4000 RTP/AVP 0\n");
    ck_assert_ptr_nonnull(audio_of(text));
    str_append(text, sizeof text, &used, "m=audio 0 RTP/AVP 0\n");
    desc_refused(text, "9 media streams");
}
END_TEST

START_TEST(a_refused_stream_needs_no_address_and_no_formats)
{
    struct media_desc *desc = desc_ok("v=0\no=- 1 1 IN IP4 x\nm=video 0 RTP/AVP\nm=image 0 udptl t38\n"
                                      "m=audio 0 RTP/AVP 0 500 *\na=sendrecv\nm=audio 0/2 RTP/AVP 0\n");

    for (unsigned i = 0; i < desc->count; i++) {
        ck_assert(desc->streams[i].refused);
        ck_assert_uint_eq(desc->streams[i].codec_count, 0);
    }
    ck_assert_int_eq(desc->streams[0].kind, STREAM_VIDEO);
    ck_assert_str_eq(desc->streams[1].formats, "t38");
    ck_assert_str_eq(desc->streams[2].formats, "0 500 *");
    desc_free(desc);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sdp");
    TCase *text = tcase_create("text"), *desc = tcase_create("desc");
    SRunner *runner;
    int failed;

    tcase_add_test(text, every_part_is_found);
    tcase_add_test(text, sloppy_line_ends_are_taken);
    tcase_add_test(text, zero_bytes_count_only_at_the_end);
    tcase_add_test(text, an_origin_user_may_be_missing_or_hold_blanks);
    tcase_add_test(text, faults_name_the_line);
    tcase_add_test(text, limits_are_exact);
    tcase_add_test(text, the_input_that_hangs_sofia_is_read);
    tcase_add_test(text, why_may_be_missing);
    tcase_add_test(desc, static_payload_types_need_no_rtpmap);
    tcase_add_test(desc, the_first_of_two_says_what_a_payload_type_is);
    tcase_add_test(desc, a_broken_rtpmap_names_nothing);
    tcase_add_test(desc, common_mistakes_in_codec_names_are_put_right);
    tcase_add_test(desc, more_codecs_than_fit_are_cut);
    tcase_add_test(desc, long_parameters_lose_whole_ones_only);
    tcase_add_test(desc, direction_is_inherited_and_overridden);
    tcase_add_test(desc, an_address_of_zeros_is_hold);
    tcase_add_test(desc, addresses_are_found_where_they_stand);
    tcase_add_test(desc, rtcp_is_told_or_guessed);
    tcase_add_test(desc, packet_time_is_read_and_bounded);
    tcase_add_test(desc, unusable_addresses_are_refused_in_words);
    tcase_add_test(desc, too_many_streams_are_refused);
    tcase_add_test(desc, a_refused_stream_needs_no_address_and_no_formats);
    suite_add_tcase(suite, text);
    suite_add_tcase(suite, desc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    audio_of(NULL);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
