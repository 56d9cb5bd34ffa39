"""Groups as an administrator makes them, and as people with phones hear them."""

from harness.proc import wait_until


def _group(t, name, *members, **options):
    """Set up by the command line."""
    words = [word for key, value in options.items() for word in (f"--{key.replace('_', '-')}", value)]
    t.tandem.cli("group", "add", name, *words)
    for member in members:
        t.tandem.cli("group", "member", "add", name, member.user)
    t.tandem.sql("SELECT tandem.wait_applied()")


def a_ring_group_rings_all_and_who_answers_talks(t):
    a, b, c = (t.phone(tone=tone) for tone in (440, 700, 1100))
    name = f"sales-{a.user}"
    _group(t, name, b, c)
    a.dial(name)
    b.ringing()
    c.ringing()
    c.accept()
    a.established()
    b.closed()
    a.wait_heard(c.tone, seconds=1)
    c.wait_heard(a.tone, seconds=1)
    assert b.heard_seconds(a.tone) == 0, "a phone that stopped ringing hears the caller"
    a.hangup()
    c.closed()
    record = t.call_record(a.user)
    assert record["answered_by"] == c.user, record
    why = t.tandem.cli("why", record["id"]).stdout
    assert f"Ring group {name} (all): rings {b.user}, {c.user}." in " ".join(why.split()), why
    said = t.tandem.cli("group", "member", "out", name, c.user).stdout
    assert said == f"{c.user} is logged out of group {name}.\n", said
    wait_until("the member is out", lambda: t.tandem.sql(
        f"SELECT logged_in FROM tandem.v_ring_member WHERE ring_group = '{name}' AND member = '{c.user}'") == [["f"]], 10, 0.2)


def what_psql_says_of_a_group_is_what_the_next_call_does(t):
    a, b, c = (t.phone(tone=tone) for tone in (440, 700, 1100))
    name = f"desk-{a.user}"
    t.tandem.sql(f"SELECT tandem.set_ring_group('{name}', strategy => 'in-order', ring_time => 60)")
    t.tandem.sql(f"SELECT tandem.set_ring_member('{name}', '{b.user}', place => 2)")
    t.tandem.sql(f"SELECT tandem.set_ring_member('{name}', '{c.user}', place => 3)")
    for first, other, place in ((b, c, 3), (c, b, 1)):
        t.tandem.sql(f"SELECT tandem.set_ring_member('{name}', '{c.user}', place => {place})")
        t.tandem.sql("SELECT tandem.wait_applied()")
        a.dial(name)
        first.ringing()
        assert not other.seen("CALL_INCOMING"), f"{other.user} rings too"
        a.hangup()
        first.closed()
        a.closed()


def a_page_is_heard_by_all_and_nobody_is_heard_back(t):
    a = t.phone(tone=440, speaks=40.0)
    b, c = (t.phone(tone=tone, answer="auto", speaks=40.0) for tone in (700, 1100))
    name = f"hall-{a.user}"
    _group(t, name, b, c, strategy="page")
    a.dial(name)
    a.established()
    b.established()
    c.established()
    b.wait_heard(a.tone, seconds=1.5)
    c.wait_heard(a.tone, seconds=1.5)
    a.hangup()
    b.closed()
    c.closed()
    for phone in (b, c):
        assert a.heard_seconds(phone.tone) == 0, f"the caller hears {phone.user}"
        other = c if phone is b else b
        assert phone.heard_seconds(other.tone) == 0, f"{phone.user} hears {other.user}"
