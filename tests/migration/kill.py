#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Kill one side of a migration at a random moment: nobody runs twice, nobody is lost.

Lost means that the side which survives owned the guest, or was given it, and cannot run it.
Killing the owner kills its guest; that is counted apart. "undecided" is allowed only between
giving away and the acknowledgement, and must name its way out.
"""
import argparse
import os
import random
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from machine import Machine, QmpError  # noqa: E402

MARK = 0x1122334455667788
WHERE = 0x80200000


def survivor_of_target(source):
    """The target was killed: what has the source?"""
    report = source.wait("completed", "failed", "undecided", seconds=30)
    state = source.command("query-status")["status"]
    if report["status"] == "failed":
        if state != "running" or source.read(WHERE, 8) != MARK:
            return "LOST"
        return "source goes on"
    try:
        source.command("cont")
        return "RUNS TWICE"
    except QmpError:
        pass
    if report["status"] == "undecided":
        source.command("migrate-resolve", guest="here")
        source.command("cont")
        return "undecided" if "resolve" in report else "UNDECIDED WITHOUT A WAY OUT"
    return "target owned it"


def survivor_of_source(target):
    """The source was killed: what has the target?"""
    report = target.wait("completed", "failed", "setup", seconds=30)
    state = target.command("query-status")["status"]
    if report["status"] == "completed":
        if state != "running" or target.read(WHERE, 8) != MARK:
            return "LOST"
        return "target runs"
    return "source owned it" if state == "inmigrate" else "LOST"


def one(rng, folder, number):
    """One migration with a kill; returns (who, outcome)."""
    uri = f"unix:{folder}/s{number}"
    quiet = open(os.devnull, "wb")
    target = Machine("-incoming", uri, stderr=quiet)
    source = Machine("-M", "virt", "-m", "64", "-device", "edu", "-device", "ticker",
                     stderr=quiet)
    victim = rng.choice(["source", "target"])
    try:
        source.ask(f"memset {WHERE + 4096:#x} {rng.randrange(1, 16) << 20:#x} 0x5a")
        source.write(WHERE, 8, MARK)
        source.command("migrate-set-parameters", max_bandwidth=0)
        source.command("migrate", uri=uri)
        time.sleep(rng.random() ** 2 * 0.02)
        (source if victim == "source" else target).process.kill()
        if victim == "target":
            return victim, survivor_of_target(source)
        source.process.wait()
        return victim, survivor_of_source(target)
    finally:
        source.close()
        target.close()


def main():
    """Run them and print the table of outcomes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    rng = random.Random(options.seed)
    folder = tempfile.mkdtemp(prefix="backplane-kill-")
    table = {}
    for number in range(options.kills):
        outcome = one(rng, folder, number)
        table[outcome] = table.get(outcome, 0) + 1
    print(f"{options.kills} kills, seed {options.seed}")
    for (victim, outcome), count in sorted(table.items()):
        print(f"  {victim} killed, {outcome}: {count}")
    return 1 if any(outcome.isupper() for _, outcome in table) else 0


if __name__ == "__main__":
    sys.exit(main())
