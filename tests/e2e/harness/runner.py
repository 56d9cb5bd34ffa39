"""Finds the scenarios, deals them out to worker processes and prints what became of each.

A scenario is a function of a module in scenarios/ that takes `t` (context.py); its name is a sentence. The option
`@scenario(seconds=…)` gives it a longer deadline, `long=True` keeps it for --long, `alone=True` runs it when all others are done.
"""

import argparse
import importlib
import inspect
import multiprocessing
import os
import pkgutil
import signal
import sys
import time
import traceback

from . import context


def scenario(seconds=60, long=False, alone=False):
    def mark(function):
        function.seconds, function.long, function.alone = seconds, long, alone
        return function
    return mark


class Overtime(BaseException):
    """Not an Exception: a scenario's own handlers must not swallow it."""


def find(package, patterns, long):
    found = []
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for name, function in vars(module).items():
            if not inspect.isfunction(function) or function.__module__ != module.__name__ or name.startswith("_"):
                continue
            if list(inspect.signature(function).parameters) != ["t"]:
                continue
            words = f"{info.name}: {name}"
            if patterns and not any(p in words for p in patterns):
                continue
            if getattr(function, "long", False) and not long:
                continue
            found.append((words, function))
    return found


def _overtime(*_):
    raise Overtime()


def run_one(world, words, function):
    """(passed, seconds, report)"""
    t = context.Context(world, words)
    began, report = time.monotonic(), ""
    seconds = getattr(function, "seconds", 60)
    signal.signal(signal.SIGALRM, _overtime)
    signal.alarm(seconds)
    try:
        function(t)
    except Overtime:
        where = "".join(traceback.format_exc(limit=-2))
        report = f"not done within {seconds} s\n{where}"
    except AssertionError as failure:
        place = [f for f in traceback.extract_tb(failure.__traceback__) if "scenarios" in f.filename]
        at = f" ({os.path.basename(place[-1].filename)}:{place[-1].lineno}: {place[-1].line})" if place else ""
        report = f"{failure}{at}"
    except Exception:
        report = traceback.format_exc()
    finally:
        signal.alarm(0)
    try:
        after = t.finish(bool(report))
        report = report or after or ""
    except Exception:
        report = report or traceback.format_exc()
    if report:
        if t._tandem:
            report += f"\n--- end of {t._tandem.log_path}\n{t._tandem.tail()}"
        world.keep = True  # its directories explain it
        world.spoil()
    return not report, time.monotonic() - began, report


def work(number, build, source, keep, scenarios, following, results):
    """One worker: takes the next scenario until there is none."""
    world = context.World(build, source, keep)
    try:
        while True:
            with following.get_lock():
                at = following.value
                following.value += 1
            if at >= len(scenarios):
                break
            words, function = scenarios[at]
            results.put((words, *run_one(world, words, function)))
    finally:
        began = time.monotonic()
        try:
            words = world.close()
        except Exception:
            words = traceback.format_exc()
        if words:
            results.put((f"worker {number}: the_shared_tandem_ends_cleanly", False, time.monotonic() - began, words))
        results.put(None)


def deal(scenarios, count, build, source, keep):
    """Runs them with so many workers: (how many passed, names of those that failed)."""
    if not scenarios:
        return 0, []
    following, results = multiprocessing.Value("i", 0), multiprocessing.Queue()
    workers = [multiprocessing.Process(target=work, args=(n, build, source, keep, scenarios, following, results))
               for n in range(count)]
    for worker in workers:
        worker.start()
    passed, failed, running = 0, [], count
    seen = set()
    while running:
        try:
            result = results.get(timeout=1)
        except Exception:
            if not any(w.is_alive() for w in workers) and results.empty():
                break
            continue
        if result is None:
            running -= 1
            continue
        words, good, seconds, report = result
        seen.add(words)
        print(f"{'PASS' if good else 'FAIL'} {words} ({seconds:.1f} s)", flush=True)
        if good:
            passed += 1
        else:
            failed.append(words)
            print("     " + report.replace("\n", "\n     "), flush=True)
    for worker in workers:
        worker.join()
    for words, _ in scenarios:
        if words not in seen:
            failed.append(words)
            print(f"FAIL {words} (its worker died)")
    return passed, failed


def main(package, build, source, argv=None):
    parser = argparse.ArgumentParser(prog="tests/e2e/run", description="Runs Tandem's end-to-end scenarios.")
    parser.add_argument("-k", action="append", default=[], metavar="TEXT", help="only scenarios whose name has this text")
    parser.add_argument("-j", type=int, default=0, metavar="N", help="workers side by side (default: twice the CPUs)")
    parser.add_argument("--build", default=build, metavar="DIR", help=f"build tree (default {build})")
    parser.add_argument("--long", action="store_true", help="also what takes minutes")
    parser.add_argument("--keep", action="store_true", help="keep the directories of scenarios that pass")
    parser.add_argument("--list", action="store_true", help="name the scenarios and end")
    options = parser.parse_args(argv)
    scenarios = find(package, options.k, options.long)
    if options.list:
        print("\n".join(words for words, _ in scenarios))
        return 0
    if not scenarios:
        print("no scenario has such a name", file=sys.stderr)
        return 2
    build = os.path.abspath(options.build)
    for program in ("tandemd", "tandem-media", "tandem"):
        if not os.access(os.path.join(build, "core", program), os.X_OK):
            print(f"{build}/core/{program} is not there: build first (make), or name the tree with --build",
                  file=sys.stderr)
            print("0 passed, 1 failed")
            return 1
    # Slow ones first, so that no worker is left alone with one at the end.
    scenarios.sort(key=lambda s: -getattr(s[1], "seconds", 60))
    alone = [s for s in scenarios if getattr(s[1], "alone", False)]
    together = [s for s in scenarios if s not in alone]
    count = max(1, min(options.j or 2 * (os.cpu_count() or 1), len(together)))
    began = time.monotonic()
    passed, failed = 0, []
    for some, workers in ((together, count), (alone, 1)):
        good, bad = deal(some, workers, build, source, options.keep)
        passed, failed = passed + good, failed + bad
    if failed:
        print("failed:\n  " + "\n  ".join(failed))
    print(f"e2e: {time.monotonic() - began:.0f} s with {count} workers")
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed else 0
