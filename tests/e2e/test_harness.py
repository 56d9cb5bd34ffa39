#!/usr/bin/env python3
"""The harness itself: a tone detector that cannot fail would make every test of audio worthless."""

import math
import os
import sys
import tempfile
import unittest
import wave

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True

from harness import audio, ports, proc, sip, sipp  # noqa: E402  (needs the path above)


class Tones(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = os.path.join(self.directory.name, "tone.wav")

    def write(self, sample, seconds=2.0):
        with wave.open(self.path, "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(8000)
            out.writeframes(b"".join(int(sample(i / 8000)).to_bytes(2, "little", signed=True)
                                     for i in range(int(8000 * seconds))))

    def test_a_tone_is_recognised_and_measured(self):
        audio.write_tone(self.path, 440, seconds=2)
        self.assertAlmostEqual(audio.seconds_of_tone(self.path, 440), 2.0, delta=0.11)

    def test_another_tone_is_not(self):
        audio.write_tone(self.path, 880, seconds=2)
        self.assertEqual(audio.seconds_of_tone(self.path, 440), 0)
        self.assertEqual(audio.strongest(self.path, [440, 660, 880])[0], 880)

    def test_silence_is_no_tone(self):
        self.write(lambda t: 0)
        self.assertEqual(audio.seconds_of_tone(self.path, 440), 0)
        self.assertEqual(audio.seconds_of_sound(self.path), 0)

    def test_two_tones_at_once_are_neither(self):
        self.write(lambda t: 8000 * math.sin(440 * 2 * math.pi * t) + 8000 * math.sin(880 * 2 * math.pi * t))
        self.assertEqual(audio.seconds_of_tone(self.path, 440), 0)
        self.assertEqual(audio.seconds_of_tone(self.path, 880), 0)

    def test_half_a_tone_is_half_as_long(self):
        self.write(lambda t: 8000 * math.sin(440 * 2 * math.pi * t) if t < 1 else 0)
        self.assertAlmostEqual(audio.seconds_of_tone(self.path, 440), 1.0, delta=0.11)

    def test_what_came_before_a_place_does_not_count(self):
        self.write(lambda t: 8000 * math.sin(440 * 2 * math.pi * t) if t < 1 else 0)
        self.assertAlmostEqual(audio.seconds_of_tone(self.path, 440, since=0.5), 0.5, delta=0.11)
        self.assertEqual(audio.seconds_of_sound(self.path, since=1.1), 0)

    def test_a_recording_whose_header_is_still_to_come_is_read(self):
        audio.write_tone(self.path, 440, seconds=1)
        with open(self.path, "r+b") as f:
            f.write(bytes(44))
        self.assertAlmostEqual(audio.seconds_of_tone(self.path, 440), 1.0, delta=0.11)


class Digest(unittest.TestCase):
    # RFC 7616 section 3.9.1 with its own secret, user and nonce; the responses are the RFC's.
    CHALLENGE = ('Digest realm="http-auth@example.org", qop="auth", algorithm={}, '
                 'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"')
    CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"

    def response(self, algorithm):
        fixed = type("fixed", (), {"token_hex": staticmethod(lambda _: self.CNONCE)})
        real, sip.secrets = sip.secrets, fixed
        try:
            value = sip.answer_challenge(self.CHALLENGE.format(algorithm), "GET", "/dir/index.html", "Mufasa",
                                         "Circle of Life")
        finally:
            sip.secrets = real
        return sip.parameters(value)["response"]

    def test_md5_gives_the_response_of_the_rfc(self):
        self.assertEqual(self.response("MD5"), "8ca523f5e9506fed4657c9700eebdbec")

    def test_sha_256_gives_the_response_of_the_rfc(self):
        self.assertEqual(self.response("SHA-256"), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")


class Scenarios(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        real, sipp.PARTS = sipp.PARTS, self.directory.name
        self.addCleanup(setattr, sipp, "PARTS", real)

    def expand(self, given=None, **files):
        for name, text in files.items():
            with open(os.path.join(self.directory.name, f"{name}.xml"), "w", encoding="ascii") as f:
                f.write(text)
        return sipp.expand(os.path.join(self.directory.name, "scenario.xml"), given or {})

    def test_a_part_stands_for_its_text_and_gets_the_keys(self):
        text = self.expand(scenario='<a>\n  <?part one status="486 Busy"?>\n</a>\n',
                           one='  <!-- {status} -->\n  {status}\n  <?part two?>\n', two="  {status} {other|else}\n")
        self.assertEqual(text, "<a>\n  486 Busy\n  486 Busy else\n</a>\n")

    def test_a_line_that_is_an_empty_key_vanishes(self):
        self.assertEqual(self.expand(scenario="one\n  {headers}\ntwo {tag}\n"), "one\ntwo \n")
        self.assertEqual(self.expand({"headers": "X: 1\nY: 2"}, scenario="  {headers}\n"), "  X: 1\nY: 2\n")

    def test_quotes_in_values_become_those_of_sipp(self):
        text = self.expand(scenario="""<?part one check="<ereg regexp='a{2}'/>"?>""", one="{check}")
        self.assertEqual(text, '<ereg regexp="a{2}"/>')


class Messages(unittest.TestCase):
    def test_folded_and_compact_headers_are_read(self):
        m = sip.Message(b"SIP/2.0 200 OK\r\nv: SIP/2.0/UDP a;branch=x\r\nSubject: one\r\n two\r\nCSeq: 1 INVITE\r\n\r\nbody")
        self.assertEqual((m.status, m.get("via"), m.get("subject"), m.cseq_method, m.body),
                         (200, "SIP/2.0/UDP a;branch=x", "one two", "INVITE", "body"))

    def test_blocks_of_ports_never_meet(self):
        first, second = ports.lease(125), ports.lease(60)
        self.assertEqual(first.ports, list(range(first.ports[0], first.ports[0] + 125)))
        self.assertFalse(set(first.ports) & set(second.ports))

    def test_waiting_for_what_never_comes_fails_in_words(self):
        with self.assertRaisesRegex(proc.Failed, "waited 0.1 s for a miracle"):
            proc.wait_until("a miracle", lambda: False, 0.1)


if __name__ == "__main__":
    unittest.main()
