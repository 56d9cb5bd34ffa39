"""A sample module at work in the real switch: `budget` asks the database before an outbound attempt, as a fraud guard will."""

import os

from harness.proc import Failed


def _sample(t, name):
    """make check builds the samples; they are never installed."""
    path = os.path.join(t.world.build, "tests", "modules", ".libs", f"{name}.so")
    if not os.path.exists(path):
        raise Failed(f"{path} is not there: make check_LTLIBRARIES (or make check) builds it")
    return path


def _with_budget(t, more=""):
    tandem = t.own_tandem(modules=f"[module budget]\npath = {_sample(t, 'budget')}\n{more}")
    tandem.sql("CREATE TABLE public.budget (account text PRIMARY KEY, allowed boolean NOT NULL, words text)")
    return tandem.start()


def a_module_vetoes_a_call_after_asking_the_database(t):
    tandem = _with_budget(t)
    a, b = t.pair()
    tandem.sql(f"INSERT INTO public.budget VALUES ('{a.user}', false, 'nothing is left of May'), ('{b.user}', true, NULL)")
    a.dial(b.user)
    assert a.closed().startswith("403"), "the call was not refused"
    record = t.call_record(a.user)
    assert record["cause"] == "vetoed", record
    assert "CALL_INCOMING" not in str(b.seen("CALL_INCOMING")), "the callee's phone rang"
    assert "nothing is left of May" in tandem.cli("call", record["id"]).stdout, "the ladder does not say why"
    b.dial(a.user)
    a.ringing()
    b.hangup()


def two_instances_of_a_module_run_side_by_side(t):
    sample = _sample(t, "budget")
    second = (f"[module budget as curfew]\npath = {sample}\n"
              "sql = select false, 'it is late' where $1 <> $2\nfail_open = no\n")
    tandem = _with_budget(t, second)
    a, b = t.pair()
    tandem.sql(f"INSERT INTO public.budget VALUES ('{a.user}', true, NULL)")
    a.dial(b.user)
    assert a.closed().startswith("403"), "the second instance was not asked"


