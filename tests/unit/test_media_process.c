/* The media process for real: tandem-media is started, fake phones are UDP sockets on loopback addresses. Nothing
 * sleeps: the loop is turned until something has happened or a deadline has passed. That something is NOT accepted is
 * shown by sending a packet that is, after it and on the same socket. */
#include "config.h"

#include "media_bed.h"

/* --- relay
 * ---------------------------------------------------------------------------------------------------------------- */

START_TEST(two_phones_hear_each_other_each_in_a_stream_of_the_switch)
{
    struct pair *p = talking_pair();
    uint8_t first[12];

    send_packet(&p->alice, &p->a, 8, '0');
    expect_rtp(&p->bob, 8, '0');
    memcpy(first, heard, sizeof first);
    p->alice.seq += 2; /* two are lost */
    send_packet(&p->alice, &p->a, 8 | 0x80, '1');
    expect_rtp(&p->bob, 8, '1');
    ck_assert_int_eq(heard[1], 0x88); /* the marker bit stays */
    ck_assert_uint_eq((uint16_t)((heard[2] << 8 | heard[3]) - (first[2] << 8 | first[3])), 3);
    ck_assert_mem_eq(heard + 4, first + 4, 8);
    ck_assert_mem_ne(heard + 8, "\1\2\3\4", 4); /* hers */
    send_packet(&p->bob, &p->b, 101, '2');
    expect_rtp(&p->alice, 101, '2');
    end_pair(p);
}
END_TEST

START_TEST(payload_types_are_mapped_by_codec_name)
{
    struct pair *p = talking_pair();
    struct codec codecs[] = {codec("speex", 111), codec("pcma", 8), codec("telephone-event", 96)};
    struct stream_desc d = desc_of(&p->bob);

    codecs[0].rate = 16000;
    desc_set_codecs(&d, codecs, 3);
    media_port_remote(p->b.port, &d, NULL);
    free(d.codecs);
    d = desc_of(&p->alice);
    media_port_local(p->b.port, &d); /* what Bob was offered */
    free(d.codecs);
    do {
        send_packet(&p->alice, &p->a, 101, 'm');
        loop_turn(t.loop, 2);
    } while (!try_receive(p->bob.rtp, heard, sizeof heard) || (heard[1] & 0x7F) != 96);
    send_packet(&p->bob, &p->b, 111, 'n'); /* neither the other phone nor we know that */
    send_packet(&p->bob, &p->b, 101, 'o'); /* the number that it was offered: RFC 3264 */
    expect_rtp(&p->alice, 101, 'o');
    send_packet(&p->bob, &p->b, 96, 'p');
    expect_rtp(&p->alice, 101, 'p');
    end_pair(p);
    ck_assert_uint_ge(p->b.final.dropped, 1);
}
END_TEST

/* We offered 96 for events and 97 for G.726, the phone answered with the numbers changed about: it sends with ours. */
START_TEST(numbers_that_an_answer_swaps_are_those_of_the_direction)
{
    struct pair *p = talking_pair();
    struct codec alice[] = {codec("G726-32", 97), codec("telephone-event", 96)};
    struct codec bob[] = {codec("telephone-event", 97), codec("G726-32", 96)};
    struct stream_desc a = desc_of(&p->alice), b = desc_of(&p->bob);

    desc_set_codecs(&a, alice, 2);
    desc_set_codecs(&b, bob, 2);
    media_port_remote(p->a.port, &a, NULL);
    media_port_local(p->a.port, &a);
    media_port_remote(p->b.port, &b, NULL);
    media_port_local(p->b.port, &a);
    do {
        send_packet(&p->alice, &p->a, 97, 'm');
        loop_turn(t.loop, 2);
    } while (!try_receive(p->bob.rtp, heard, sizeof heard) || (heard[1] & 0x7F) != 96);
    send_packet(&p->alice, &p->a, 96, 'e');
    TURN_UNTIL(try_receive(p->bob.rtp, heard, sizeof heard) == 172 && heard[12] == 'e');
    ck_assert_int_eq(heard[1] & 0x7F, 97);
    send_packet(&p->bob, &p->b, 97, 'n');
    expect_rtp(&p->alice, 97, 'n');
    send_packet(&p->bob, &p->b, 96, 'o');
    expect_rtp(&p->alice, 96, 'o');
    free(a.codecs);
    free(b.codecs);
    end_pair(p);
}
END_TEST

START_TEST(rtcp_is_relayed_on_its_own_port_and_muxed)
{
    struct pair *p = talking_pair();
    struct stream_desc d = desc_of(&p->bob);
    uint8_t stream[4];

    send_packet(&p->alice, &p->a, 8, '0');
    expect_rtp(&p->bob, 8, '0');
    memcpy(stream, heard + 8, sizeof stream);
    send_rtcp(p->alice.rtcp, &p->a, 1, '1');
    TURN_UNTIL(try_receive(p->bob.rtcp, heard, sizeof heard) == 8);
    ck_assert_mem_eq(heard + 4, stream, sizeof stream); /* whom he hears */
    d.rtcp_mux = true;
    media_port_remote(p->b.port, &d, NULL);
    free(d.codecs);
    do { /* the change has come when RTCP comes on the RTP port */
        send_rtcp(p->alice.rtcp, &p->a, 1, '2');
        loop_turn(t.loop, 2);
    } while (try_receive(p->bob.rtp, heard, sizeof heard) != 8);
    send_rtcp(p->bob.rtp, &p->b, 0, '3');
    TURN_UNTIL(try_receive(p->alice.rtcp, heard, sizeof heard) == 8);
    end_pair(p);
}
END_TEST

START_TEST(ipv6_and_ipv4_phones_can_talk)
{
    struct phone six = phone_new("::1"), four = phone_new("127.0.0.1");
    struct watched a, b;

    take(&a, AF_INET6);
    take(&b, AF_INET);
    set_remote(&a, &six, NULL);
    set_remote(&b, &four, NULL);
    media_bridge(a.port, b.port);
    do {
        send_packet(&six, &a, 8, '6');
        loop_turn(t.loop, 2);
    } while (!try_receive(four.rtp, heard, sizeof heard));
    send_packet(&four, &b, 8, '4');
    expect_rtp(&six, 8, '4');
    release(&a);
    release(&b);
    phone_free(&six);
    phone_free(&four);
}
END_TEST

START_TEST(bridges_across_threads_move_and_every_pair_still_talks)
{
    enum { N = 12 };
    struct watched w[N];
    struct phone phones[N];

    for (int i = 0; i < N; i++) {
        phones[i] = phone_new("127.0.0.1");
        take(&w[i], AF_INET);
        set_remote(&w[i], &phones[i], NULL);
    }
    for (int step = 1; step < N; step += 3) { /* the same legs in ever new company */
        for (int i = 0; i < N / 2; i++)
            media_bridge(w[i].port, w[N / 2 + (i + step) % (N / 2)].port);
        for (int i = 0; i < N / 2; i++) {
            struct phone *other = &phones[N / 2 + (i + step) % (N / 2)];
            uint64_t until = clock_ms() + DEADLINE_MS;

            do {
                ck_assert_msg(clock_ms() < until, "pair %d of step %d is mute", i, step);
                send_packet(&phones[i], &w[i], 8, (char)(step * 16 + i));
                loop_turn(t.loop, 1);
            } while (!try_receive(other->rtp, heard, sizeof heard) || (char)heard[12] != (char)(step * 16 + i));
        }
    }
    for (int i = 0; i < N; i++) {
        release(&w[i]);
        ck_assert(w[i].has_final);
        phone_free(&phones[i]);
    }
}
END_TEST

START_TEST(echo_sends_back_what_comes_and_a_bridge_ends_it)
{
    struct phone phone = phone_new("127.0.0.1");
    struct watched w;

    take(&w, AF_INET);
    set_remote(&w, &phone, NULL);
    media_port_echo(w.port, true);
    do {
        send_packet(&phone, &w, 8, 'e');
        loop_turn(t.loop, 2);
    } while (!try_receive(phone.rtp, heard, sizeof heard));
    media_port_echo(w.port, false);
    release(&w);
    ck_assert_uint_ge(w.final.tx_packets, 1);
    phone_free(&phone);
}
END_TEST

START_TEST(a_held_side_neither_hears_nor_is_heard_as_told)
{
    struct pair *p = talking_pair();
    struct watched *b = &p->b;

    media_port_direction(b->port, DIR_RECV); /* Bob may talk, nothing goes to him */
    media_port_direction(p->a.port, DIR_SENDRECV);
    do { /* until one from Alice is held back */
        while (try_receive(p->bob.rtp, heard, sizeof heard))
            ;
        send_packet(&p->alice, &p->a, 8, 'h');
        send_packet(&p->bob, b, 8, 'k');
        expect_rtp(&p->alice, 8, 'k');
    } while (try_receive(p->bob.rtp, heard, sizeof heard));
    media_port_direction(b->port, DIR_SEND); /* the other way round */
    do {
        send_packet(&p->alice, &p->a, 8, 'i');
        loop_turn(t.loop, 2);
    } while (!try_receive(p->bob.rtp, heard, sizeof heard));
    while (try_receive(p->alice.rtp, heard, sizeof heard))
        ;
    send_packet(&p->bob, b, 8, 'l');
    release(b);
    ck_assert_int_eq(try_receive(p->alice.rtp, heard, sizeof heard), 0);
    release(&p->a);
    phone_free(&p->alice);
    phone_free(&p->bob);
}
END_TEST

START_TEST(counters_are_right_and_loss_is_seen)
{
    struct pair *p = talking_pair();
    uint16_t before = p->alice.seq;

    p->alice.seq = (uint16_t)(before + 3); /* three are lost */
    send_packet(&p->alice, &p->a, 8, '1');
    expect_rtp(&p->bob, 8, '1');
    TURN_UNTIL(p->a.first == 1); /* the word of it takes another way than the packet */
    end_pair(p);
    ck_assert(p->a.has_final);
    ck_assert_uint_eq(p->a.final.lost, 3);
    ck_assert_uint_eq(p->a.final.rx_packets, (uint64_t)(before - 100 + 1));
    ck_assert_uint_eq(p->a.final.rx_bytes, p->a.final.rx_packets * 172);
    ck_assert_uint_eq(p->a.final.dropped, 0);
    ck_assert_uint_eq(p->b.final.tx_packets, 2);
    ck_assert_int_eq(p->a.final.pt, 8);
    ck_assert_uint_ge(p->a.final.first_rx_ms, 1);
    ck_assert(addr_same(&p->a.final.source, &p->alice.addr));
}
END_TEST

START_TEST(stun_and_dtls_are_counted_as_dropped)
{
    struct pair *p = talking_pair();
    const union addr *dest = media_port_addr(p->a.port);
    uint8_t stun[20] = {0, 1}, dtls[20] = {22, 254};

    sendto(p->alice.rtp, stun, sizeof stun, 0, &dest->sa, addr_len(dest));
    sendto(p->alice.rtp, dtls, sizeof dtls, 0, &dest->sa, addr_len(dest));
    sendto(p->alice.rtp, "", 0, 0, &dest->sa, addr_len(dest));
    send_packet(&p->alice, &p->a, 8, '1');
    expect_rtp(&p->bob, 8, '1');
    end_pair(p);
    ck_assert_uint_eq(p->a.final.dropped, 3);
}
END_TEST

/* --- latching
 * ---------------------------------------------------------------------------------------------------------------- */

START_TEST(a_stranger_is_heard_when_the_phone_does_not_come)
{
    struct phone nat = phone_new("127.0.0.1"), stranger = phone_new("127.0.0.3"), bob = phone_new("127.0.0.1");
    struct watched a, b;
    int asked = 0;

    take(&a, AF_INET);
    take(&b, AF_INET);
    set_remote(&a, &nat, NULL);
    set_remote(&b, &bob, NULL);
    media_bridge(a.port, b.port);
    do { /* until all commands have been done */
        send_packet(&bob, &b, 8, 'b');
        loop_turn(t.loop, 2);
    } while (!try_receive(nat.rtp, heard, sizeof heard));
    do {
        send_packet(&stranger, &a, 8, 's');
        loop_turn(t.loop, 5);
        asked++;
    } while (!try_receive(bob.rtp, heard, sizeof heard));
    ck_assert_int_gt(asked, 5);
    send_packet(&nat, &a, 8, 'n'); /* the SDP address talks: the stranger is out */
    do
        while (!try_receive(bob.rtp, heard, sizeof heard))
            loop_turn(t.loop, 2);
    while (heard[12] == 's');
    ck_assert_int_eq(heard[12], 'n');
    for (int i = 0; i < 10; i++)
        send_packet(&stranger, &a, 8, 's');
    send_packet(&nat, &a, 8, 'o');
    expect_rtp(&bob, 8, 'o');
    TURN_UNTIL(a.latched == 2);
    ck_assert(addr_same(&a.at_latch.source, &nat.addr));
    release(&a);
    release(&b);
    ck_assert_uint_ge(a.final.dropped, 4);
    phone_free(&nat);
    phone_free(&stranger);
    phone_free(&bob);
}
END_TEST

START_TEST(a_stranger_is_never_heard_while_the_phone_talks)
{
    struct pair *p = talking_pair();
    struct phone stranger = phone_new("127.0.0.3");

    for (int i = 0; i < 50; i++) {
        send_packet(&stranger, &p->a, 8, 's');
        send_packet(&p->alice, &p->a, 8, (char)i);
        expect_rtp(&p->bob, 8, (char)i);
    }
    end_pair(p);
    phone_free(&stranger);
    ck_assert_int_eq(p->a.latched, 1);
}
END_TEST

START_TEST(a_phone_whose_nat_binding_changes_is_heard_again_after_silence)
{
    struct pair *p = talking_pair();
    struct phone moved = phone_new("127.0.0.1");

    do {
        send_packet(&moved, &p->a, 8, 'm');
        loop_turn(t.loop, 5);
    } while (!try_receive(p->bob.rtp, heard, sizeof heard));
    TURN_UNTIL(p->a.latched == 2);
    ck_assert(addr_same(&p->a.at_latch.source, &moved.addr));
    send_packet(&p->bob, &p->b, 8, 'b');
    expect_rtp(&moved, 8, 'b');
    end_pair(p);
    phone_free(&moved);
}
END_TEST

START_TEST(a_changed_remote_is_heard_at_once)
{
    struct pair *p = talking_pair();
    struct phone other = phone_new("127.0.0.4");

    set_remote(&p->a, &other, NULL);
    do {
        send_packet(&p->bob, &p->b, 8, 'b');
        loop_turn(t.loop, 2);
    } while (!try_receive(other.rtp, heard, sizeof heard));
    send_packet(&p->alice, &p->a, 8, 'x'); /* the old one is nobody now */
    send_packet(&other, &p->a, 8, 'o');
    expect_rtp(&p->bob, 8, 'o');
    end_pair(p);
    phone_free(&other);
}
END_TEST

START_TEST(a_phone_that_refuses_packets_ends_nothing)
{
    struct pair *p = talking_pair();

    close(p->bob.rtp); /* ECONNREFUSED from now on */
    for (int i = 0; i < 20; i++)
        send_packet(&p->alice, &p->a, 8, 'r');
    send_rtcp(p->alice.rtcp, &p->a, 1, 'q');
    TURN_UNTIL(try_receive(p->bob.rtcp, heard, sizeof heard) == 8);
    ck_assert(media_is_up(t.media));
    p->bob.rtp = dup(p->bob.rtcp);
    end_pair(p);
}
END_TEST

/* --- pool, life and death
 * ------------------------------------------------------------------------------------------------------ */

START_TEST(a_burst_of_200_takes_finds_a_port_each_time)
{
    static struct watched w[400];
    struct media_status status;

    for (int i = 0; i < 200; i++)
        take(&w[i], AF_INET);
    do {
        loop_turn(t.loop, 2);
        media_get_status(t.media, &status);
    } while (status.ports_ready < 200 + 256); /* 256 are IPv6 */
    for (int i = 200; i < 400; i++)
        take(&w[i], AF_INET);
    for (int i = 0; i < 400; i++)
        media_port_release(w[i].port, port_released, &w[i]);
    for (int i = 0; i < 400; i++) {
        TURN_UNTIL(w[i].released);
        ck_assert(w[i].has_final);
    }
}
END_TEST

START_TEST(a_killed_process_is_noticed_told_and_replaced)
{
    struct watched a, b;
    struct media_status status;
    struct phone phone = phone_new("127.0.0.1");
    int pid;

    t.media = open_client(true);
    TURN_UNTIL(media_is_up(t.media));
    media_get_status(t.media, &status);
    pid = status.pid;
    ck_assert_int_gt(pid, 0);
    take(&a, AF_INET);
    take(&b, AF_INET);
    media_bridge(a.port, b.port);
    kill(pid, SIGKILL);
    TURN_UNTIL(t.downs);
    ck_assert_int_eq(t.lost_before_down, 2);
    ck_assert_int_eq(a.lost + b.lost, 2);
    media_bridge(a.port, b.port); /* harmless on dead ports */
    release(&a);
    ck_assert(!a.has_final);
    TURN_UNTIL(t.ups == 2);
    media_get_status(t.media, &status);
    ck_assert_int_ne(status.pid, pid);
    ck_assert_int_eq(status.restarts, 1);
    release(&b);
    take(&a, AF_INET);
    set_remote(&a, &phone, NULL);
    media_port_echo(a.port, true);
    do {
        send_packet(&phone, &a, 8, 'e');
        loop_turn(t.loop, 2);
    } while (!try_receive(phone.rtp, heard, sizeof heard));
    release(&a);
    phone_free(&phone);
}
END_TEST

static void count_missing(void *arg, enum log_level level, const char *line)
{
    *(unsigned *)arg += strstr(line, "there is no media process on ") != NULL;
}

START_TEST(a_process_that_nobody_starts_is_missed_once)
{
    unsigned lines = 0;

    log_set_sink(count_missing, &lines);
    log_set_level(LOG_LEVEL_WARN);
    t.media = open_client(false);
    TURN_UNTIL(lines == 1);
    for (uint64_t until = clock_ms() + 1500; clock_ms() < until;)
        loop_turn(t.loop, 20);
    ck_assert_uint_eq(lines, 1);
    t.process = start_process("60", "20000", "2", false);
    TURN_UNTIL(media_is_up(t.media));
    log_set_sink(NULL, NULL);
}
END_TEST

START_TEST(the_process_ends_when_no_controller_comes)
{
    t.process = start_process("1", "2000", "1", false);
    t.media = open_client(false);
    TURN_UNTIL(media_is_up(t.media));
    media_close(t.media, true);
    t.media = NULL;
    ck_assert_int_eq(wait_for(t.process), 0);
    t.process = 0;
}
END_TEST

START_TEST(media_close_without_keep_ends_what_it_started)
{
    struct media_status status;
    struct watched w;

    t.media = open_client(true);
    TURN_UNTIL(media_is_up(t.media));
    media_get_status(t.media, &status);
    take(&w, AF_INET);
    media_port_release(w.port, port_released, &w);
    media_close(t.media, false);
    t.media = NULL;
    ck_assert_int_eq(w.released, 1);
    ck_assert_int_eq(kill(status.pid, 0), -1); /* gone, and reaped */
}
END_TEST

struct second {
    struct wire *wire;
    int listed, bridged, welcome;
    bool end;
    uint64_t ids[8];
};

static void second_message(void *arg, const struct proto_head *m)
{
    struct second *s = arg;
    const struct proto_port *port = (const void *)m;

    s->welcome += m->kind == PROTO_WELCOME;
    s->end |= m->kind == PROTO_LIST_END;
    if (m->kind == PROTO_LISTED) {
        s->ids[s->listed++ % 8] = port->id;
        s->bridged += port->bridged != 0;
    }
}

static void second_closed(void *arg, const char *why)
{
    struct second *s = arg;

    wire_free(s->wire);
    s->wire = NULL;
}

static struct second connect_second(uint32_t version, struct second *s)
{
    struct sockaddr_un addr;
    struct proto_hello *hello;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    wire_address(t.path, &addr);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    memset(s, 0, sizeof *s);
    s->wire = wire_new(t.loop, fd, second_message, second_closed, s);
    hello = wire_add(s->wire, PROTO_HELLO);
    hello->version = version;
    return *s;
}

START_TEST(a_second_controller_sees_the_ports_and_the_first_is_told)
{
    struct pair *p = talking_pair();
    struct watched idle;
    struct second s;

    take(&idle, AF_INET);
    send_packet(&p->alice, &p->a, 8, '0');
    expect_rtp(&p->bob, 8, '0');
    loop_turn(t.loop, 1); /* sends the take */
    connect_second(PROTO_VERSION, &s);
    TURN_UNTIL(s.end && t.downs == 1);
    ck_assert_int_eq(s.listed, 3);
    ck_assert_int_eq(s.bridged, 2);
    ck_assert_int_eq(p->a.lost + p->b.lost + idle.lost, 3);
    send_packet(&p->alice, &p->a, 8, '1'); /* the audio has not noticed */
    expect_rtp(&p->bob, 8, '1');
    wire_free(s.wire);
    media_port_release(idle.port, NULL, NULL);
    end_pair(p);
}
END_TEST

START_TEST(a_controller_of_another_version_is_refused_and_the_first_stays)
{
    struct pair *p = talking_pair();
    struct second s;

    connect_second(PROTO_VERSION + 1, &s);
    TURN_UNTIL(!s.wire);
    ck_assert_int_eq(s.welcome, 0);
    send_packet(&p->alice, &p->a, 8, '1');
    expect_rtp(&p->bob, 8, '1');
    ck_assert(media_is_up(t.media));
    end_pair(p);
}
END_TEST

START_TEST(garbage_on_the_control_socket_drops_only_the_talker)
{
    struct sockaddr_un addr;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    static const char garbage[] = "\1\0\377\377garbage that is no message";
    char byte;

    wire_address(t.path, &addr);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    ck_assert_int_eq(send(fd, garbage, sizeof garbage, MSG_NOSIGNAL), sizeof garbage);
    TURN_UNTIL(recv(fd, &byte, 1, 0) == 0);
    close(fd);
    ck_assert(media_is_up(t.media));
}
END_TEST

START_TEST(a_second_process_refuses_the_path_and_a_stale_socket_is_replaced)
{
    struct stat st;
    pid_t second = start_process("60", "2000", "1", false);

    ck_assert_int_ne(wait_for(second), 0);
    ck_assert_int_eq(stat(t.path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    ck_assert(media_is_up(t.media));
    kill(t.process, SIGKILL); /* leaves its socket behind */
    wait_for(t.process);
    TURN_UNTIL(!media_is_up(t.media));
    t.process = start_process("60", "2000", "1", false);
    TURN_UNTIL(media_is_up(t.media));
}
END_TEST

/* --- silence --------------------------------------------------------------------------------------------------------
 */

START_TEST(a_phone_that_falls_silent_is_told_of_and_when_it_talks_again)
{
    struct pair *p = talking_pair();

    media_port_watch(p->a.port, 100, 0);
    TURN_UNTIL(p->a.silent == 1);
    ck_assert_uint_gt(p->a.at_silence.rx_packets, 0);
    ck_assert_int_eq(p->b.silent, 0); /* nobody asked about bob */
    send_packet(&p->alice, &p->a, 8, '1');
    TURN_UNTIL(p->a.heard == 1);
    TURN_UNTIL(p->a.silent == 2);
    ck_assert_int_eq(p->a.lifeless, 0);
    end_pair(p);
}
END_TEST

START_TEST(a_phone_that_never_sent_anything_is_told_of_as_such)
{
    struct watched w;
    struct phone phone = phone_new("127.0.0.1");

    take(&w, AF_INET);
    set_remote(&w, &phone, NULL);
    media_port_watch(w.port, 50, 150);
    TURN_UNTIL(w.silent && w.lifeless);
    ck_assert_uint_eq(w.at_silence.rx_packets, 0);
    release(&w);
    phone_free(&phone);
}
END_TEST

START_TEST(rtcp_keeps_a_silent_phone_alive)
{
    struct pair *p = talking_pair();
    uint64_t until;

    media_port_watch(p->a.port, 100, 1000);
    TURN_UNTIL(p->a.silent == 1);
    until = clock_ms() + 2500;
    while (clock_ms() < until) {
        send_rtcp(p->alice.rtcp, &p->a, 1, '1');
        loop_turn(t.loop, 20);
        while (try_receive(p->bob.rtcp, heard, sizeof heard))
            ;
    }
    ck_assert_int_eq(p->a.lifeless, 0);
    ck_assert_int_eq(p->a.heard, 0);
    TURN_UNTIL(p->a.lifeless == 1); /* and now it stops */
    end_pair(p);
}
END_TEST

START_TEST(comfort_noise_announces_silence)
{
    struct pair *p = talking_pair();
    struct codec codecs[] = {codec("PCMA", 8), codec("CN", 13)};
    struct stream_desc d = desc_of(&p->alice);

    desc_set_codecs(&d, codecs, 2);
    media_port_remote(p->a.port, &d, NULL);
    free(d.codecs);
    send_packet(&p->alice, &p->a, 13, 'c');
    media_port_watch(p->a.port, 100, 600);
    media_port_watch(p->b.port, 600, 0); /* bob's clock: at least six of alice's times have passed when it is told */
    TURN_UNTIL(p->b.silent && p->a.lifeless);
    ck_assert_int_eq(p->a.silent, 0);
    end_pair(p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("media process");
    TCase *running = tcase_create("running"), *impatient = tcase_create("impatient"), *life = tcase_create("life");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, running);
    suite_add_tcase(suite, impatient);
    suite_add_tcase(suite, life);
    tcase_set_timeout(impatient, 30);
    tcase_add_checked_fixture(impatient, setup_impatient, teardown);
    tcase_set_timeout(running, 30);
    tcase_set_timeout(life, 30);
    tcase_add_checked_fixture(running, setup_running, teardown);
    tcase_add_checked_fixture(life, setup, teardown);
    tcase_add_test(running, two_phones_hear_each_other_each_in_a_stream_of_the_switch);
    tcase_add_test(running, payload_types_are_mapped_by_codec_name);
    tcase_add_test(running, numbers_that_an_answer_swaps_are_those_of_the_direction);
    tcase_add_test(running, rtcp_is_relayed_on_its_own_port_and_muxed);
    tcase_add_test(running, ipv6_and_ipv4_phones_can_talk);
    tcase_add_test(running, bridges_across_threads_move_and_every_pair_still_talks);
    tcase_add_test(running, echo_sends_back_what_comes_and_a_bridge_ends_it);
    tcase_add_test(running, a_held_side_neither_hears_nor_is_heard_as_told);
    tcase_add_test(running, counters_are_right_and_loss_is_seen);
    tcase_add_test(running, stun_and_dtls_are_counted_as_dropped);
    tcase_add_test(running, a_stranger_is_heard_when_the_phone_does_not_come);
    tcase_add_test(running, a_stranger_is_never_heard_while_the_phone_talks);
    tcase_add_test(impatient, a_phone_whose_nat_binding_changes_is_heard_again_after_silence);
    tcase_add_test(impatient, a_phone_that_falls_silent_is_told_of_and_when_it_talks_again);
    tcase_add_test(impatient, a_phone_that_never_sent_anything_is_told_of_as_such);
    tcase_add_test(impatient, rtcp_keeps_a_silent_phone_alive);
    tcase_add_test(impatient, comfort_noise_announces_silence);
    tcase_add_test(running, a_changed_remote_is_heard_at_once);
    tcase_add_test(running, a_phone_that_refuses_packets_ends_nothing);
    tcase_add_test(running, a_burst_of_200_takes_finds_a_port_each_time);
    tcase_add_test(running, a_second_controller_sees_the_ports_and_the_first_is_told);
    tcase_add_test(running, a_controller_of_another_version_is_refused_and_the_first_stays);
    tcase_add_test(running, garbage_on_the_control_socket_drops_only_the_talker);
    tcase_add_test(running, a_second_process_refuses_the_path_and_a_stale_socket_is_replaced);
    tcase_add_test(life, a_killed_process_is_noticed_told_and_replaced);
    tcase_add_test(life, a_process_that_nobody_starts_is_missed_once);
    tcase_add_test(life, the_process_ends_when_no_controller_comes);
    tcase_add_test(life, media_close_without_keep_ends_what_it_started);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
