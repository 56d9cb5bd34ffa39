#!/usr/bin/env python3
"""Two headless phones call each other through a running Tandem; prints who heard whom, the ladder and the call's record.

Started by contrib/up --demo. Exit status 0: each heard the other's tone.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True

from harness import audio, phone, ports, postgres  # noqa: E402  (needs the path above)
from harness.proc import Failed, wait_until  # noqa: E402

TONES = {"201": 440, "202": 880}


def main():
    parser = argparse.ArgumentParser()
    for name in ("server", "secrets", "tandem", "control", "database", "home"):
        parser.add_argument(f"--{name}", required=True)
    o = parser.parse_args()
    with open(o.secrets, encoding="ascii") as f:
        secrets = dict(line.split() for line in f)
    missing = [n for n in TONES if n not in secrets]
    if missing:
        raise Failed(f"the secrets of {' and '.join(missing)} are not in {o.secrets}: remove the accounts "
                     f"(tandem account del …) and run contrib/up again")
    shutil.rmtree(o.home, ignore_errors=True)
    os.makedirs(o.home, mode=0o700)
    leases = {n: ports.lease(10) for n in TONES}
    phones = {n: phone.Phone(os.path.join(o.home, n), leases[n].ports, o.server, n, secrets[n], tone, codecs="pcmu")
              for n, tone in TONES.items()}
    a, b = phones["201"], phones["202"]
    try:
        for p in phones.values():
            p.start()
            print(f"phone {p.user} at {p.address} is registered; its microphone is a tone of {p.tone} Hz", flush=True)
        print("201 dials 202", flush=True)
        a.dial("202")
        b.ringing()
        print("202 rings", flush=True)
        time.sleep(1)
        b.accept()
        a.established()
        b.established()
        print("they talk for five seconds", flush=True)
        time.sleep(5)
        a.hangup()
        b.closed()
        print("201 hangs up\n", flush=True)
        good = True
        for p, other in ((a, b), (b, a)):
            path = p.heard()
            seconds = p.heard_seconds(other.tone) if path else 0.0
            own = p.heard_seconds(p.tone) if path else 0.0
            well = seconds >= 3.0 and own == 0.0
            good = good and well
            print(f"{p.user} heard {other.tone} Hz, the tone of {other.user}, for {seconds:.1f} s of "
                  f"{audio.duration(path) if path else 0:.1f} s{'' if well else ': THAT IS NOT RIGHT'}")
    finally:
        for p in phones.values():
            p.stop()
    def newest():
        rows = postgres.records(o.database, "SELECT id FROM record.call WHERE from_account = '201' AND ended_at IS NOT NULL "
                                            "AND started_at > now() - interval '2 minutes' ORDER BY started_at DESC LIMIT 1")
        return rows and rows[0]["id"]
    call = wait_until("the call's record in the database", newest, 20, 0.2)
    print(f"\nThe messages of the call (tandem call {call}):\n", flush=True)
    good = subprocess.run([o.tandem, "-s", o.control, "call", call], check=False).returncode == 0 and good
    print("\nIts record (SELECT * FROM v_call):\n", flush=True)
    subprocess.run(["psql", "-X", "-q", "-x", "-c", f"SELECT * FROM tandem.v_call WHERE id = '{call}'", o.database], check=True)
    print("The demo worked." if good else "The demo failed.")
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        print(f"the demo failed: {failure}", file=sys.stderr)
        sys.exit(1)
