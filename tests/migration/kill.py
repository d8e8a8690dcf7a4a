#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Kill one side of a migration at a random moment: the guest never runs twice and is never lost.

Lost means that the surviving side owned the guest, or received it, and cannot run it. Killing the
owner kills its guest, which is counted separately. "undecided" is permitted only between the
hand-over and the acknowledgement, must name its resolution, and does not occur with a hand-over
record. Half of the kills are made at a random moment of the complete migration, half within a few
milliseconds of the guest's stop. A third of the migrations have a record.
"""
import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from owners import Pair, verdict_of_source, verdict_of_target  # noqa: E402
from waiting import Gone, WaitTimeout, elapse  # noqa: E402


def length_of_one(folder):
    """Return the duration of an undisturbed migration, in seconds."""
    pair = Pair(folder, random.Random(1), f"unix:{folder}/s")
    try:
        began = time.monotonic()
        pair.source.command("migrate", uri=f"unix:{folder}/s")
        report = pair.source.wait("completed", "failed")
        assert report["status"] == "completed", report
        return time.monotonic() - began
    finally:
        pair.close()


def wait_stop(source):
    """Wait until the source reports that its guest stopped, for at most 2 s after each event."""
    try:
        while "STOP" not in source.names():
            source.qmp.message("event STOP", 2)
    except (WaitTimeout, Gone):
        pass


def one(rng, folder, length):
    """Kill one side of a migration. Returns (victim, record, outcome)."""
    record = folder if rng.random() < 1 / 3 else None
    pair = Pair(folder, rng, f"unix:{folder}/s", record)
    victim = rng.choice(["source", "target"])
    at_stop = rng.random() < 0.5
    delay = rng.random() * (0.004 if at_stop else length * 1.2)
    try:
        pair.source.command("migrate", uri=f"unix:{folder}/s")
        if at_stop:
            wait_stop(pair.source)
        elapse(delay, "killed at a random moment")
        dead = pair.source if victim == "source" else pair.target
        dead.kill()
        outcome = (verdict_of_source(pair.source) if victim == "target"
                   else verdict_of_target(pair.target))
        return victim, "with record" if record else "", outcome
    finally:
        pair.close()


def main():
    """Run the migrations and print the table of outcomes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--long", action="store_true", help="300 kills")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    kills = 300 if options.long else options.kills
    rng = random.Random(options.seed)
    folder = tempfile.mkdtemp(prefix="backplane-kill-")
    table = {}
    try:
        length = length_of_one(folder)
        for _ in range(kills):
            outcome = one(rng, folder, length)
            table[outcome] = table.get(outcome, 0) + 1
    finally:
        shutil.rmtree(folder)
    print(f"{kills} kills, seed {options.seed}; duration of one migration: {length * 1000:.0f} ms")
    for (victim, record, outcome), count in sorted(table.items()):
        print(f"  {victim} killed{', ' if record else ''}{record}: {outcome}: {count}")
    bad = sum(count for (_, record, outcome), count in table.items()
              if outcome.isupper() or (record and outcome.startswith("undecided")))
    print(f"  run twice, lost, or undecided with a record: {bad}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
