"""Tones: made, and recognised in what a phone recorded."""

import array
import math
import os
import sys
import wave

RATE = 8000


ROWS, COLUMNS, KEYPAD = (697, 770, 852, 941), (1209, 1336, 1477, 1633), "123A456B789C*0#D"
TYPES_AT = 4.0  # s


def _type(samples, keys, rate):
    """In place of what is there: 140 ms each, and as much silence."""
    at, count = int(TYPES_AT * rate), int(0.14 * rate)
    for key in keys:
        row, column = ROWS[KEYPAD.index(key) // 4], COLUMNS[KEYPAD.index(key) % 4]
        for i in range(count):
            samples[at + i] = int(6000 * (math.sin(2 * math.pi * row * i / rate) + math.sin(2 * math.pi * column * i / rate)))
            samples[at + count + i] = 0
        at += 2 * count


def keys_in(samples, rate, window=0.03):
    """The keys (DTMF) that are in the sound, each as often as it begins: "4711"."""
    size, keys, last, run = int(rate * window), "", "", 0
    for at in range(0, len(samples) - size, size):
        piece = samples[at:at + size]
        row, column = ([goertzel(piece, rate, f) for f in group] for group in (ROWS, COLUMNS))
        loud = sum(s * s for s in piece) / size > 300 * 300
        key = KEYPAD[row.index(max(row)) * 4 + column.index(max(column))] if loud and min(max(row), max(column)) > 0.3 else ""
        run = run + 1 if key == last else 1
        keys += key if run == 2 else ""
        last = key
    return keys


def write_tone(path, frequency, seconds=10.0, rate=RATE, level=0.4, keys=""):
    """A mono 16-bit WAV file with one steady tone, with keys in it; phones play it in a loop."""
    # Whole periods, so that the loop has no click in it.
    count = int(round(frequency * seconds)) * rate // frequency
    samples = array.array("h", (int(32767 * level * math.sin(2 * math.pi * frequency * i / rate))
                                for i in range(count)))
    _type(samples, keys, rate)
    if sys.byteorder == "big":
        samples.byteswap()
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.tobytes())
    return str(path)


def ulaw_tone(frequency, level=0.8):
    """20 ms of G.711 µ-law at 8 kHz with a tone, for an RTP packet."""
    def encode(sample):
        sign, magnitude = (0x80, -sample) if sample < 0 else (0, sample)
        magnitude = min(magnitude, 32635) + 132
        exponent = magnitude.bit_length() - 8
        return ~(sign | exponent << 4 | magnitude >> exponent + 3 & 0x0F) & 0xFF
    return bytes(encode(int(32767 * level * math.sin(2 * math.pi * frequency * i / RATE))) for i in range(160))


def read(path):
    """(samples of the first channel, rate). A recording that is still being written may have no size in its header yet
    (baresip), or a header of zeros that is filled in at the end (linphone: mono, and 8 kHz as we set it up)."""
    with open(path, "rb") as f:
        raw = f.read()
    if len(raw) < 44 or raw[:4] not in (b"RIFF", bytes(4)):
        return array.array("h"), RATE
    channels, rate, at = 1, RATE, 36
    if raw[:4] == b"RIFF":
        channels, rate = int.from_bytes(raw[22:24], "little"), int.from_bytes(raw[24:28], "little")
        at = raw.find(b"data", 36)
    body = raw[at + 8:] if at >= 0 else b""
    samples = array.array("h")
    samples.frombytes(body[:len(body) - len(body) % (2 * channels)])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples[::channels], rate


def goertzel(samples, rate, frequency):
    """Share (0…1) of the samples' energy that is at this frequency."""
    energy = sum(s * s for s in samples)
    if not samples or energy == 0:
        return 0.0
    coefficient = 2 * math.cos(2 * math.pi * frequency / rate)
    a = b = 0.0
    for s in samples:
        a, b = s + coefficient * a - b, a
    power = a * a + b * b - coefficient * a * b
    return min(1.0, 2 * power / (len(samples) * energy))


def seconds_of_tone(path, frequency, window=0.1, share=0.8, loudness=500, since=0.0):
    """How long the recording is clearly this one tone: windows that are loud and hold little else. since: seconds of it
    that are left out."""
    samples, rate = read(path)
    return tone_in(samples, rate, frequency, window, share, loudness, since)


def tone_in(samples, rate, frequency, window=0.1, share=0.8, loudness=500, since=0.0):
    """The same of samples."""
    size = int(rate * window)
    heard = 0
    for at in range(int(rate * since), len(samples) - size + 1, size):
        part = samples[at:at + size]
        if math.sqrt(sum(s * s for s in part) / size) >= loudness and goertzel(part, rate, frequency) >= share:
            heard += 1
    return heard * window


def seconds_of_sound(path, window=0.1, loudness=500, since=0.0):
    """How long the recording is anything but silence."""
    samples, rate = read(path)
    size = int(rate * window)
    return window * sum(1 for at in range(int(rate * since), len(samples) - size + 1, size)
                        if math.sqrt(sum(s * s for s in samples[at:at + size]) / size) >= loudness)


def strongest(path, candidates):
    """Which of the candidate tones the recording holds longest, and for how many seconds."""
    best = max(candidates, key=lambda f: seconds_of_tone(path, f))
    return best, seconds_of_tone(path, best)


def duration(path):
    samples, rate = read(path)
    return len(samples) / rate if os.path.getsize(path) else 0.0
