"""Codecs of real phones: the same on both sides where they have one in common, else converted; and what accounts may use."""

from harness.proc import wait_until

NAMES = {"pcmu": "PCMU/8000", "pcma": "PCMA/8000", "g722": "G722/8000", "opus": "opus/48000"}


def _phone(t, *codecs, tone=440):
    """One that speaks these, in its own words for them."""
    words = {"g722": "g722/16000/1", "opus": "opus/48000/2"}
    return t.phone(tone=tone, codecs=",".join(words.get(c, c) for c in codecs))


def _talk(a, b):
    a.dial(b.user)
    b.ringing()
    b.accept()
    a.established()
    a.wait_heard(b.tone, seconds=1, since=a.place())
    b.wait_heard(a.tone, seconds=1, since=b.place())


def _finish(t, a, b, calls=1):
    """The record of their latest call and the codecs of its legs."""
    a.hangup()
    b.closed()
    query = (f"SELECT * FROM record.call WHERE from_account = '{a.user}' AND dialled = '{b.user}' AND cause IS NOT NULL "
             "ORDER BY started_at DESC")
    def rows():
        found = t.tandem.records(query)
        return found if len(found) == calls else None
    call = wait_until("the call's record", rows, 15, 0.2)[0]
    assert call["cause"] == "normal", call
    return call, [leg["codec"] for leg in t.leg_records(call)]


def _one_codec_with_each(t, mine):
    a = _phone(t, mine)
    for tone, (theirs, name) in zip((700, 880, 1000, 1200), NAMES.items()):
        b = _phone(t, theirs, tone=tone)
        _talk(a, b)
        assert a.heard_seconds(a.tone, a.place() - 0.5) == 0, f"{a.user} hears itself"
        call, codecs = _finish(t, a, b)
        assert codecs == [NAMES[mine], name], codecs
        words = t.tandem.cli("call", call["id"]).stdout
        said = f"transcoded: {NAMES[mine].split('/')[0]} ({a.user}) \u2194 {name.split('/')[0]} ({b.user})"
        assert (said in words) == (theirs != mine), words
        assert (said in t.tandem.cli("why", call["id"]).stdout) == (theirs != mine)


def a_phone_that_speaks_pcmu_alone_talks_to_each_other_kind(t):
    _one_codec_with_each(t, "pcmu")


def a_phone_that_speaks_pcma_alone_talks_to_each_other_kind(t):
    _one_codec_with_each(t, "pcma")


def a_phone_that_speaks_g722_alone_talks_to_each_other_kind(t):
    _one_codec_with_each(t, "g722")


def a_phone_that_speaks_opus_alone_talks_to_each_other_kind(t):
    _one_codec_with_each(t, "opus")


def phones_that_have_a_codec_in_common_both_speak_it(t):
    a = _phone(t, "opus", "pcma")
    b = _phone(t, "g722", "pcma", tone=880)
    _talk(a, b)
    call, codecs = _finish(t, a, b)
    assert codecs == ["PCMA/8000", "PCMA/8000"], codecs
    assert "transcoded" not in t.tandem.cli("call", call["id"]).stdout


def an_account_says_which_codec_its_phone_speaks(t):
    a = _phone(t, *NAMES)
    b = _phone(t, *NAMES, tone=880)
    for calls, (order, both) in enumerate((("opus,pcma", "opus/48000"), ("pcma,opus", "PCMA/8000"), ("G722,any", "G722/8000")), 1):
        t.tandem.cli("account", "set", b.user, "--codecs", order)
        _talk(a, b)
        _, codecs = _finish(t, a, b, calls)
        assert codecs == [both, both], (order, codecs)
    t.tandem.cli("account", "set", a.user, "--codecs", "pcmu")
    t.tandem.cli("account", "set", b.user, "--codecs", "opus")
    _talk(a, b)
    _, codecs = _finish(t, a, b, 4)
    assert codecs == ["PCMU/8000", "opus/48000"], codecs


def a_phone_that_may_use_none_of_its_codecs_is_told_so(t):
    a, b = _phone(t, "pcmu"), _phone(t, "pcmu")
    t.tandem.cli("account", "set", a.user, "--codecs", "opus,g722")
    a.dial(b.user)
    assert "488" in a.closed()
    call = t.call_record(a.user)
    assert call["cause"] == "no-common-codec", call
    words = t.tandem.cli("why", call["id"]).stdout
    assert "offers PCMU" in words and "opus, g722" in words and f"account set {a.user} --codecs" in words, words


def codecs_of_an_account_are_shown_and_mistakes_refused_in_words(t):
    name, _ = t.account()
    t.tandem.cli("account", "set", name, "--codecs", "opus,pcma")
    assert "opus,pcma" in t.tandem.cli("account", "show", name).stdout
    refused = t.tandem.cli("account", "set", name, "--codecs", "pmca", check=False)
    assert refused.returncode != 0 and 'there is no codec "pmca"' in refused.stderr, refused
    t.tandem.cli("account", "set", name, "--codecs", "default")
    assert "opus,pcma" not in t.tandem.cli("account", "show", name).stdout
    refused = t.tandem.cli("setting", "set", "codecs", "any,pcma", check=False)
    assert refused.returncode != 0 and "any stands at the end" in refused.stderr, refused
