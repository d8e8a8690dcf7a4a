# SPDX-License-Identifier: GPL-2.0-or-later
"""Two machines and one guest, and which of them owns it.

The guest has a disk in a shared file, so that each side must acquire and release its lock, and a
mark in RAM that shows that its memory is intact. Used by kill.py and links.py.
"""
import os

from machine import Machine, QmpError

MARK = 0x1122334455667788
WHERE = 0x80200000


def disk_args(path):
    """Return the options for the host part, which is the same on both sides."""
    return ["-blockdev", f"file,node-name=d0,filename={path}"]


class Pair:
    """Start a running source and a target that waits."""

    def __init__(self, folder, rng, listen, record=None):
        self.disk = os.path.join(folder, "disk")
        with open(self.disk, "wb") as f:
            f.truncate(1 << 20)
        self.target = Machine("-incoming", listen, *disk_args(self.disk))
        self.source = Machine("-M", "virt", "-m", "64", "-device", "edu", "-device", "ticker",
                              "-device", "virtio-blk-pci,drive=d0", *disk_args(self.disk))
        self.source.ask(f"memset {WHERE + 4096:#x} {rng.randrange(1, 16) << 20:#x} 0x5a")
        self.source.write(WHERE, 8, MARK)
        self.source.command("migrate-set-parameters", max_bandwidth=0)
        for machine in (self.source, self.target) if record else ():
            machine.command("migrate-set-parameters", handover_folder=record)

    def close(self):
        """End both machines."""
        self.source.close()
        self.target.close()


def runs(machine):
    """Return true if the guest runs on this machine, with its memory intact."""
    return machine.command("query-status")["status"] == "running" and \
        machine.read(WHERE, 8) == MARK


def verdict_of_source(source):
    """Return the state of the source when the target cannot be queried. Upper case: an error."""
    report = source.wait("completed", "failed", "undecided", "cancelled", seconds=60)
    if report["status"] in ("failed", "cancelled"):
        return "source continues" if runs(source) else "LOST"
    try:
        source.command("cont")
        return "RUNS TWICE"
    except QmpError:
        pass
    if report["status"] == "undecided":
        return undecided(source, report)
    return "target owned it"


def undecided(source, report):
    """Apply the resolution that query-migrate names. Returns the result."""
    if "resolve" not in report:
        return "UNDECIDED WITHOUT A WAY OUT"
    source.command("migrate-resolve", guest="here")
    source.command("cont")
    return "undecided, resolved" if runs(source) else "LOST"


def verdict_of_target(target):
    """Return the state of the target when the source cannot be queried."""
    report = target.wait("completed", "failed", "setup", seconds=60)
    if report["status"] == "completed":
        return "target runs" if runs(target) else "LOST"
    inmigrate = target.command("query-status")["status"] == "inmigrate"
    return "source owned it" if inmigrate else "LOST"


def verdict_of_both(source, target):
    """Return the result when both are alive: exactly one owns the guest, or the source reports that
    the migration is undecided."""
    report = source.wait("completed", "failed", "undecided", "cancelled", seconds=60)
    here, there = runs(source), runs(target)
    if here and there:
        return "RUNS TWICE"
    if report["status"] == "undecided":
        return "undecided, it runs there" if there else "undecided, it runs nowhere"
    if report["status"] == "completed":
        return "moved" if there else "LOST"
    return "stayed" if here else "LOST"
