"""What a telephone heard: the tones in its recordings."""

from . import audio, proc


class Ear:
    """Part of a telephone; it gives `user` and recordings(): paths of what it heard, oldest first. A place is a time in
    seconds on the newest recording."""

    def heard(self):
        """The newest recording, or None."""
        found = self.recordings()
        return found[-1] if found else None

    def place(self):
        """Where the newest recording ends now."""
        path = self.heard()
        return audio.duration(path) if path else 0.0

    def heard_seconds(self, frequency, since=0.0):
        """How long it heard this tone, from a place on."""
        path = self.heard()
        return audio.seconds_of_tone(path, frequency, since=since) if path else 0.0

    def wait_heard(self, frequency, seconds=1.0, timeout=10.0, since=0.0):
        """Until the recording holds this tone for so long."""
        try:
            return proc.wait_until("the tone", lambda: self.heard_seconds(frequency, since) >= seconds, timeout, 0.25)
        except proc.Failed:
            path = self.heard()
            got = "no recording" if not path else (f"{self.heard_seconds(frequency, since):.1f} s of it, "
                                                   f"{audio.seconds_of_sound(path, since=since):.1f} s of sound, "
                                                   f"{audio.duration(path) - since:.1f} s recorded")
            raise proc.Failed(f"phone {self.user} should hear {frequency} Hz for {seconds:g} s within {timeout:g} s: "
                              f"{got}") from None
