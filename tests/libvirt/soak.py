#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random flows of libvirt on two daemons, with a guest that counts.

Each turn performs one flow, chosen at random; in every tenth turn a daemon is ended with SIGKILL while
the flow runs. Afterwards the domain must run on exactly one daemon, and the counter of the guest must
continue without a boot. A flow that the kill interrupts may fail.

usage: soak.py [--emulator PROGRAM] [--turns N] [--seed N]
"""

import argparse
import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]
import rig  # noqa: E402
from flowlib import DISK, NAME, NIC, Test  # noqa: E402
from rig import Daemon, VirshError  # noqa: E402
from waiting import TestFailure, scaled, until  # noqa: E402

MIB = 1 << 20
ROUND = 10      # a daemon is killed in each turn that this number divides
FLOWS: list[Callable] = []


def flow(function: Callable) -> Callable:
    """Add a function to the flows. It yields the virsh command to perform, as a list of words."""
    FLOWS.append(function)
    return function


@flow
def suspend(t: Test) -> list[list]:
    """Stop and continue."""
    return [["suspend", NAME], ["resume", NAME]]


@flow
def statistics(t: Test) -> list[list]:
    """Read statistics."""
    return [["domstats", NAME], ["dommemstat", NAME], ["domblkinfo", NAME, "vda"]]


@flow
def balloon(t: Test) -> list[list]:
    """Change the memory."""
    return [["setmem", NAME, "100M", "--live"], ["setmem", NAME, "128M", "--live"]]


@flow
def link(t: Test) -> list[list]:
    """Change the state of the link."""
    return [["domif-setlink", NAME, "52:54:00:00:00:01", state] for state in ("down", "up")]


@flow
def plug_disk(t: Test) -> list[list]:
    """Add and remove a disk."""
    return [[f"{verb}-device", NAME, t.base / "soak-disk.xml", "--live"] for verb in ("attach", "detach")]


@flow
def plug_nic(t: Test) -> list[list]:
    """Add and remove a network device."""
    return [[f"{verb}-device", NAME, t.base / "soak-nic.xml", "--live"] for verb in ("attach", "detach")]


@flow
def managed_save(t: Test) -> list[list]:
    """Save and continue from the file."""
    return [["managedsave", NAME], ["start", NAME]]


@flow
def migrate(t: Test) -> list[list]:
    """Migrate to the other daemon."""
    return [["migrate", NAME, other(t).uri, "--live", "--p2p", "--unsafe", "--migrateuri", "tcp:127.0.0.1",
             "--persistent", "--undefinesource"]]


def other(t: Test) -> Daemon:
    """Return the daemon that does not run the guest."""
    return t.b if t.here is t.a else t.a


def running_on(daemon: Daemon) -> str:
    """Return the state of the domain on a daemon, or nothing if it is not active there."""
    text = daemon.run("domstate", NAME, check=False).stdout.strip()
    return "" if text == "shut off" else text


def settle(t: Test) -> None:
    """Wait until exactly one daemon has the active domain; let the guest run."""
    def alone() -> bool:
        states = [running_on(daemon) for daemon in (t.a, t.b)]
        if not any(states):     # the kill interrupted managedsave and start
            t.here.run("start", NAME, check=False)
        return sum(map(bool, states)) == 1

    until("exactly one daemon to have the domain", alone, 60,
          lambda: f"{running_on(t.a)!r} {running_on(t.b)!r}")
    t.here = t.a if running_on(t.a) else t.b
    if running_on(t.here) != "running":
        until("no job", lambda: "None" in t.here.run("domjobinfo", NAME, check=False).stdout, 60)
        t.here.run("resume", NAME, check=False)
    until("the guest to run", lambda: running_on(t.here) == "running", 60)


def tidy(t: Test) -> None:
    """Remove the devices that an interrupted flow left in the domain."""
    for mark, file in (("soak.img", "soak-disk.xml"), ("52:54:00:00:00:02", "soak-nic.xml")):
        def removed(mark: str = mark, file: str = file) -> bool:
            there = mark in t.here.virsh("dumpxml", NAME)
            if there:
                t.here.run("detach-device", NAME, t.base / file, "--live", check=False)
            return not there

        until(f"{file} to leave the domain", removed, 60)


def turn(t: Test, rng: random.Random, kill: bool) -> str:
    """Perform a flow. Return its description."""
    function = rng.choice(FLOWS)
    before = t.count()
    note = function.__name__
    victim = rng.choice([t.a, t.b]) if kill else None
    commands = function(t)
    chosen = rng.randrange(len(commands)) if kill else -1
    for number, words in enumerate(commands):
        if number != chosen:
            t.here.run(*words, check=not kill and "detach" not in words[0], seconds=120)
            continue
        process = subprocess.Popen(["virsh", "-q", "-c", t.here.uri, *map(str, words)],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(rng.random() / 2)
        victim.stop(force=True)
        victim.start()
        process.wait(scaled(120))
        note += f", SIGKILL of {victim.name}"
    settle(t)
    t.reopen()
    t.continues(before)
    tidy(t)
    return note


def main() -> int:
    """Run the turns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=os.environ.get("BACKPLANE"))
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    reason = rig.unsuitable()
    if reason:
        print(f"1..0 # SKIP {reason}")
        return 77
    emulator = str(Path(shutil.which(options.emulator) or options.emulator).resolve())
    base, rng = Path(tempfile.mkdtemp(prefix="backplane-soak-")), random.Random(options.seed)
    print(f"# seed {options.seed}\n1..{options.turns}", flush=True)
    try:
        with contextlib.ExitStack() as stack:
            a, b = (stack.enter_context(Daemon(name, base)) for name in "ab")
            t = Test(emulator, base, a, b)
            (base / "soak.img").write_bytes(bytes(8 * MIB))
            (base / "soak-disk.xml").write_text(DISK.format(file=base / "soak.img"))
            (base / "soak-nic.xml").write_text(NIC.format(rom=t.rom))
            t.up()
            for number in range(1, options.turns + 1):
                try:
                    print(f"ok {number} {turn(t, rng, number % ROUND == 0)}", flush=True)
                except (TestFailure, VirshError) as error:
                    print(f"not ok {number}\n# {error}\n# {a.describe()}\n# {b.describe()}", flush=True)
                    return 1
    finally:
        shutil.rmtree(base, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
