"""kill -9 of the switch under load: every call that a caller heard of is in the database, once, and none stays open."""

import random

from harness.proc import wait_until
from harness.runner import scenario
from harness.traffic import Traffic


def _rows(t, traffic, timeout=60):
    """The call records once none is open and none waits: [(Call-ID, cause)]."""
    def delivered():
        records = t.tandem.json("status")["database"]["records"]
        return records["waiting"] == 0 and records["lost"] == 0
    wait_until("all records to be delivered", delivered, timeout, 0.2)
    wait_until("no record to be open", lambda: t.tandem.sql("SELECT count(*) FROM record.call WHERE ended_at IS NULL") ==
               [["0"]], timeout, 0.2)
    return [tuple(row) for row in t.tandem.sql("SELECT sip_call_id, cause FROM record.call "
                                               f"WHERE from_account = '{traffic.caller.user}'")]


def _compare(rows, traffic):
    ids = [call_id for call_id, _ in rows]
    recorded = set(ids)
    assert len(ids) == len(recorded), f"recorded twice: {sorted(i for i in recorded if ids.count(i) > 1)[:5]}"
    lost = traffic.accepted - recorded
    assert not lost, f"{len(lost)} of {len(traffic.accepted)} accepted calls have no record: {sorted(lost)[:5]}"
    assert recorded <= traffic.sent, f"records of calls that nobody made: {sorted(recorded - traffic.sent)[:5]}"


def _kill_at_random_moments(t, moments):
    tandem = t.own_tandem(crowd=True, log="info")
    tandem.expect_error("media process")
    tandem.start()
    traffic = Traffic(tandem.server, t.account(), t.account(), rate=50)
    try:
        for _ in range(moments):
            before = len(traffic.accepted)
            traffic.start()
            wait_until("calls to be accepted", lambda: len(traffic.accepted) > before + 5)
            traffic.wait(random.uniform(0.0, 1.5))
            tandem.kill()
            traffic.abandon()
            tandem.start()
        traffic.start()
        traffic.wait(0.5)
        traffic.stop()
    finally:
        traffic.close()
    rows = _rows(t, traffic)
    _compare(rows, traffic)
    causes = [cause for _, cause in rows]
    assert causes.count("switch-stopped") >= moments, f"{causes.count('switch-stopped')} calls were cut off by {moments} kills"
    assert causes.count("normal") >= 1, causes


@scenario(seconds=150)
def no_accepted_call_is_lost_when_the_switch_is_killed_while_the_database_is_away(t):
    cluster = t.own_cluster().start()
    tandem = t.own_tandem(database=cluster.create_database("tandem"), crowd=True, log="info")
    tandem.migrate()
    tandem.expect_error("media process|database|PostgreSQL")
    tandem.start()
    traffic = Traffic(tandem.server, t.account(), t.account(), rate=50)
    try:
        traffic.start()
        wait_until("calls to be accepted", lambda: len(traffic.accepted) > 5)
        cluster.stop("immediate")
        for _ in range(2):
            traffic.wait(random.uniform(0.5, 1.5))
            tandem.kill()
            traffic.abandon()
            tandem.start()
            # The phone is still registered and the secrets are known: there is nothing to wait for.
            traffic.start(register=False)
        traffic.wait(1)
        traffic.stop()
    finally:
        traffic.close()
    assert not traffic.refused, f"{len(traffic.refused)} calls were refused: {list(traffic.refused.values())[:3]}"
    cluster.start()
    wait_until("the database to be ready", lambda: tandem.json("status")["database"]["state"] == "ready", 45, 0.3)
    _compare(_rows(t, traffic), traffic)


@scenario(seconds=120)
def no_accepted_call_is_lost_when_the_switch_is_killed(t):
    _kill_at_random_moments(t, 4)


@scenario(seconds=900, long=True)
def no_accepted_call_is_lost_when_the_switch_is_killed_fifty_times(t):
    _kill_at_random_moments(t, 50)
