"""Encrypted audio (SRTP with keys in the SDP): who gets it, who is refused, and what a stranger on the wire can read."""

import os
import re
import subprocess

from harness import audio, certificates
from harness.proc import wait_until
from harness.wiretap import Wiretap

MAND, OPT = {"transport": "tls", "encryption": "srtp-mand"}, {"transport": "tls", "encryption": "srtp"}


def _talk(t, a, b, seconds=1):
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    a.wait_heard(b.tone, seconds=seconds)
    b.wait_heard(a.tone, seconds=seconds)


def _finish(t, a, b):
    a.hangup()
    b.closed()
    call = t.call_record(a.user)
    assert call["cause"] == "normal", call
    return [leg["srtp"] for leg in t.leg_records(call)], call


def _policy(t, phone_or_name, *options):
    name = getattr(phone_or_name, "user", phone_or_name)
    t.tandem.cli("account", "set", name, *options)


def phones_with_encryption_hear_each_other_and_nobody_else_does(t):
    a, b = t.phone(tone=440, **MAND), t.phone(tone=880, **MAND)
    tap = Wiretap()
    try:
        _talk(t, a, b)
    finally:
        tap.end()
    suites, call = _finish(t, a, b)
    assert all(suites), suites
    ports = {*a.rtp_ports, *b.rtp_ports}
    assert len(tap.audio(ports)) > 100
    for tone in (440, 880):
        assert tap.heard(audio.ulaw_tone(tone, level=0.4), ports) == 0
    words = t.tandem.cli("call", call["id"]).stdout
    assert f"encrypted with {suites[0]}" in words, words


def a_phone_without_encryption_talks_to_one_with_it(t):
    a, b = t.phone(tone=440), t.phone(tone=880, **MAND)
    tap = Wiretap()
    try:
        _talk(t, a, b)
    finally:
        tap.end()
    suites, _ = _finish(t, a, b)
    assert suites[0] is None and suites[1], suites
    assert tap.heard(audio.ulaw_tone(440, level=0.4), a.rtp_ports) > 10  # the plain leg: the tap does find a tone that is there


def a_phone_with_encryption_calls_one_without(t):
    a, b = t.phone(tone=440, **MAND), t.phone(tone=880)
    _talk(t, a, b)
    suites, _ = _finish(t, a, b)
    assert suites[0] and suites[1] is None, suites


def phones_that_offer_encryption_beside_plain_audio_get_it(t):
    a, b = t.phone(tone=440, **OPT), t.phone(tone=880, **OPT)
    tap = Wiretap()
    try:
        _talk(t, a, b)
    finally:
        tap.end()
    suites, _ = _finish(t, a, b)
    assert all(suites), suites
    assert tap.heard(audio.ulaw_tone(440, level=0.4), {*a.rtp_ports, *b.rtp_ports}) == 0


def phones_over_tls_without_encryption_talk_in_the_clear(t):
    a, b = t.phone(tone=440, transport="tls"), t.phone(tone=880, transport="tls")
    _talk(t, a, b)
    suites, _ = _finish(t, a, b)
    assert suites == [None, None], suites


def linphone_and_baresip_hear_each_other_encrypted(t):
    a, b = t.phone(tone=440, kind="linphone", transport="tls", encryption="srtp"), t.phone(tone=880, **MAND)
    _talk(t, a, b)
    suites, _ = _finish(t, a, b)
    assert all(suites), suites


def baresip_calls_linphone_encrypted_and_linphone_holds(t):
    a, b = t.phone(tone=440, **MAND), t.phone(tone=880, kind="linphone", transport="tls", encryption="srtp")
    _policy(t, b, "--srtp", "required")  # what it may take or leave, this phone leaves
    _talk(t, a, b)
    b.hold()
    b.resume()
    place = b.place()
    b.wait_heard(440, seconds=2, since=place)
    suites, call = _finish(t, a, b)
    assert all(suites), suites
    assert all(leg["srtp_rejected"] < 10 for leg in t.leg_records(call)), t.leg_records(call)


def keys_do_not_travel_without_tls(t):
    a, b = t.phone(tone=440, encryption="srtp-mand"), t.phone(tone=880)
    a.dial(b.user)
    a.closed()
    call = t.call_record(a.user)
    assert call["cause"] == "no-encryption" and call["sip_status"] == 488, call
    words = t.tandem.cli("why", call["id"]).stdout
    assert "its signalling is not encrypted (TLS)" in words, words
    _policy(t, a, "--srtp-without-tls", "true")
    _talk(t, a, b)
    a.hangup()
    b.closed()
    legs = t.leg_records(t.call_record(a.user))
    assert legs[0]["srtp"] and legs[1]["srtp"] is None, legs


def an_account_that_requires_encryption_takes_and_makes_no_call_without(t):
    a, b = t.phone(tone=440, transport="tls"), t.phone(tone=880, transport="tls")
    _policy(t, a, "--srtp", "required")
    a.dial(b.user)
    a.closed()
    call = t.call_record(a.user)
    assert call["cause"] == "no-encryption" and call["sip_status"] == 488, call
    words = t.tandem.cli("why", call["id"]).stdout
    assert "encrypted audio is required, and the phone offers none" in words, words
    b.dial(a.user)
    b.closed()
    call = t.call_record(b.user)
    assert call["cause"] == "no-encryption", call
    assert "which its account requires" in t.tandem.cli("why", call["id"]).stdout
    c = t.phone(tone=440)
    _policy(t, c, "--srtp", "required")
    b.dial(c.user)
    b.closed()
    call = t.call_record(b.user, index=0)
    assert call["dialled"] == c.user and call["cause"] == "no-encryption", call
    assert "this phone's signalling is not encrypted" in t.tandem.cli("why", call["id"]).stdout


def an_account_with_encryption_off_refuses_phones_that_insist(t):
    a, b = t.phone(tone=440, **MAND), t.phone(tone=880, **OPT)
    for phone in (a, b):
        _policy(t, phone, "--srtp", "off")
    a.dial(b.user)
    a.closed()
    call = t.call_record(a.user)
    assert call["cause"] == "no-encryption" and "srtp is off for it" in call["cause_text"], call
    c = t.phone(tone=440)
    _talk(t, b, c)  # it does not insist
    suites, _ = _finish(t, b, c)
    assert suites == [None, None], suites
    _policy(t, a, "--srtp", "default")
    t.tandem.cli("setting", "set", "srtp", "off")
    try:
        a.dial(c.user)
        a.closed()
        assert t.call_record(a.user)["cause"] == "no-encryption"
    finally:
        t.tandem.cli("setting", "set", "srtp", "optional")


def no_key_is_kept_in_the_flight_recorder_or_the_log(t):
    a, b = t.phone(tone=440, **MAND), t.phone(tone=880, **MAND)
    _talk(t, a, b)
    _, call = _finish(t, a, b)
    raw = t.tandem.cli("trace", call["id"], "--raw").stdout
    assert raw.count("a=crypto:") >= 6, raw
    assert "inline:" in raw
    for line in raw.splitlines():
        if "inline:" in line:
            assert not any(c.isalnum() and c.isascii() for c in line.partition("inline:")[2].split("|")[0].strip()), line
    assert "inline:" not in t.tandem.log()


def the_database_refuses_what_srtp_cannot_be(t):
    name, _ = t.account()
    words = t.tandem.command_fails("account", "set", name, "--srtp", "sometimes")
    assert "off, optional or required" in words, words
    words = t.tandem.command_fails("setting", "set", "srtp", "sometimes")
    assert "off, optional or required" in words, words
    _policy(t, name, "--srtp", "required")
    assert "required" in t.tandem.cli("account", "show", name).stdout


def encrypted_audio_survives_a_network_that_loses_packets(t):
    internet = t.internet()
    places = [internet.host(name, address) for name, address in (("pbx", "203.0.113.10"), ("a", "203.0.113.21"), ("b", "203.0.113.22"))]
    t.own_tandem(inside=places[0]).start()
    for place in places:
        place.run("iptables-legacy", "-A", "INPUT", "-p", "udp", "-m", "statistic", "--mode", "random", "--probability", "0.05",
                  "-j", "DROP")
    a, b = t.phone(tone=440, inside=places[1], **MAND), t.phone(tone=880, inside=places[2], **MAND)
    with places[0].inside():
        tap = Wiretap("wan")
    try:
        _talk(t, a, b, seconds=3)
    finally:
        tap.end()
    assert len(tap.audio()) > 200 and tap.heard(audio.ulaw_tone(440, level=0.4)) == 0
    suites, call = _finish(t, a, b)
    legs = t.leg_records(call)
    # baresip begins with RTCP that is not encrypted yet.
    assert all(suites) and all(leg["lost_packets"] > 0 and leg["srtp_rejected"] <= 3 for leg in legs), legs


# --- keys by DTLS ---

DTLS = {"encryption": "dtls_srtp"}


def _by_dtls(suite):
    return suite and suite.endswith(" (DTLS)") and not suite.startswith("no keys")


def a_phone_with_dtls_and_a_plain_one_hear_each_other(t):
    a, b = t.phone(tone=440, **DTLS), t.phone(tone=880)
    tap = Wiretap()
    try:
        _talk(t, a, b)
    finally:
        tap.end()
    suites, call = _finish(t, a, b)
    assert _by_dtls(suites[0]) and suites[1] is None, suites
    assert tap.heard(audio.ulaw_tone(440, level=0.4), a.rtp_ports) == 0
    assert tap.heard(audio.ulaw_tone(440, level=0.4), b.rtp_ports) > 10
    words = t.tandem.cli("call", call["id"]).stdout
    assert f"encrypted with {suites[0]}" in words, words


def phones_with_dtls_and_with_keys_in_their_messages_hear_each_other(t):
    a, b = t.phone(tone=440, **DTLS), t.phone(tone=880, **MAND)
    _talk(t, a, b)
    suites, _ = _finish(t, a, b)
    assert _by_dtls(suites[0]) and suites[1] and not _by_dtls(suites[1]), suites


def a_phone_that_wants_dtls_is_called_with_it_when_its_account_says_so(t):
    a, b = t.phone(tone=440), t.phone(tone=880, **DTLS)
    _policy(t, b, "--srtp-keys", "dtls")
    assert "dtls" in t.tandem.cli("account", "show", b.user).stdout
    _talk(t, a, b)
    suites, call = _finish(t, a, b)
    assert suites[0] is None and _by_dtls(suites[1]), suites
    _policy(t, b, "--srtp", "required")  # over UDP: keys by DTLS need no secret signalling
    _talk(t, b, a)
    suites, _ = _finish(t, b, a)
    assert _by_dtls(suites[0]) and suites[1] is None, suites


def a_phone_without_dtls_is_called_plain_although_its_account_says_dtls(t):
    a, b = t.phone(tone=440), t.phone(tone=880)
    _policy(t, b, "--srtp-keys", "dtls")
    _talk(t, a, b)
    suites, _ = _finish(t, a, b)
    assert suites == [None, None], suites
    _policy(t, b, "--srtp", "required")
    a.dial(b.user)
    a.closed()
    call = t.call_record(a.user)
    assert call["cause"] == "no-encryption", call


def linphone_and_baresip_hear_each_other_with_dtls(t):
    a, b = t.phone(tone=440, kind="linphone", encryption="dtls"), t.phone(tone=880, **DTLS)
    _policy(t, b, "--srtp-keys", "dtls")
    _talk(t, a, b)
    a.hold()
    a.resume()
    place = a.place()
    a.wait_heard(880, seconds=2, since=place)
    suites, call = _finish(t, a, b)
    assert all(map(_by_dtls, suites)), suites
    assert all(leg["srtp_rejected"] < 10 for leg in t.leg_records(call)), t.leg_records(call)


def a_plain_phone_holds_linphone_with_dtls_and_is_heard_again(t):
    a, b = t.phone(tone=440), t.phone(tone=880, kind="linphone", encryption="dtls")
    _policy(t, b, "--srtp-keys", "dtls")
    t.tandem.cli("account", "set", a.user, "--music-class", "none")  # the other phone is told then
    _talk(t, a, b)
    a.hold()
    b.wait("has been paused by")
    a.resume()
    b.wait("Media streams established")
    b.wait_heard(440, seconds=1, since=b.place())
    suites, call = _finish(t, a, b)
    assert suites[0] is None and _by_dtls(suites[1]), suites


def _openssl_shakes_hands(shown, host, port, source):
    """OpenSSL's own client, from this port to the switch's audio port. What it says: it stays until the handshake is over."""
    client = subprocess.run(["timeout", "5", "openssl", "s_client", "-dtls1_2", "-connect", f"{host}:{port}", "-bind",
                             f"{host}:{source}", "-use_srtp", "SRTP_AEAD_AES_128_GCM", "-cert", shown.file, "-key", shown.key],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return client.stdout + client.stderr


def another_certificate_than_the_one_announced_is_not_heard_and_tandem_says_why(t):
    phone, b = t.endpoint(), t.phone(tone=880, answer="auto")
    directory = os.path.join(b.home, "certificates")
    own, other = certificates.make(directory, "own"), certificates.make(directory, "other", kind="rsa")
    shown = subprocess.run(["openssl", "x509", "-in", own.file, "-noout", "-fingerprint", "-sha256"], capture_output=True,
                           text=True, check=True).stdout.strip().partition("=")[2]
    port = t.ports(10)[4]
    body = phone.sdp(port=port, attributes=f"a=fingerprint:sha-256 {shown}\r\na=setup:actpass\r\n")
    assert phone.send_invite(b.user, body=body.replace("RTP/AVP", "UDP/TLS/RTP/SAVP")) is None
    answered = phone.response("INVITE", lambda status: status >= 200, 15)
    assert answered.status == 200, answered
    phone.ack(answered)
    media = int(re.search(r"m=audio (\d+) UDP/TLS/RTP/SAVP", answered.body).group(1))
    assert "a=setup:passive" in answered.body and "a=fingerprint:sha-256 " in answered.body, answered.body
    call = t.tandem.running_call(phone.user)["id"]
    words = _openssl_shakes_hands(other, phone.host, media, port)
    assert "alert" in words, words
    def told():
        return t.tandem.records(f"SELECT detail FROM record.event WHERE call_id = '{call}' AND kind = 'leg-keyless'")
    wait_until("the event", told, 10, 0.2)
    assert "certificate is not the one that its signalling announced" in told()[0]["detail"], told()
    assert "certificate is not the one" in t.tandem.cli("why", call).stdout
    words = _openssl_shakes_hands(own, phone.host, media, port)
    assert "SRTP Extension negotiated, profile=SRTP_AEAD_AES_128_GCM" in words, words
    phone.bye(answered)
    b.closed()
    record = t.call_record(phone.user)
    assert [leg["srtp"] for leg in t.leg_records(record)] == ["AEAD_AES_128_GCM (DTLS)", None], t.leg_records(record)
    assert "certificate is not the one" not in t.tandem.cli("why", call).stdout.partition("Facts")[0]
