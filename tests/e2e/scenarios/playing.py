"""What the switch itself says to a caller: files, prompts, tones, and what is typed meanwhile."""

import os

from harness import audio

PLAN = """
local function sound(name) return "{sounds}/" .. name end

extension("internal", "7001", function(call)
  local r = call:play(sound("tone.wav"))
  call:log("played %.1f s, %d missing", r.seconds, r.missing)
end)
"""


def _plan(t, text):
    """A Tandem of its own whose dialplan has these extensions beside the others; the directory of its sounds."""
    sounds = t.directory("sounds")
    directory = t.directory("dialplan")
    for name in os.listdir(t.world.dialplan()):
        if name.endswith(".lua"):
            with open(os.path.join(t.world.dialplan(), name), encoding="utf-8") as f:
                content = f.read()
            with open(os.path.join(directory, name), "w", encoding="utf-8") as f:
                f.write(content + (text.replace("{sounds}", sounds) if name == "init.lua" else ""))
    t.own_tandem(dialplan=directory)
    return sounds


def a_caller_hears_a_sound_file(t):
    sounds = _plan(t, PLAN)
    audio.write_tone(os.path.join(sounds, "tone.wav"), 620, seconds=3)
    t.tandem.start()
    a = t.phone()
    a.dial("7001")
    a.established()
    a.closed()
    assert 2.5 <= a.heard_seconds(620) <= 3.2, a.heard_seconds(620)
