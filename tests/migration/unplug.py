#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""An active unplug continues on the target of a migration.

For a slot below an Express port and one behind a bridge with a Standard Hot-Plug Controller, at
each step: requested, accepted, and ejected by the guest while the migration ran. The test acts as
the guest. Deadlines count guest time and are migrated.
"""
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from machine import Machine, QmpError  # noqa: E402

BRIDGE = 0x30000000 + (1 << 15)     # function 01.0


class Slot:
    """A slot, and a guest's commands to it: on, blink, off."""

    def __init__(self, name, devices, capability, control):
        self.name, self.capability, self.control = name, capability, control
        self.args = ["-M", "virt", "-m", "4"] + [w for d in devices for w in ("-device", d)]

    def say(self, machine, what):
        """Issue one command through config space."""
        pos = machine.read(BRIDGE + 0x34, 1)
        while machine.read(BRIDGE + pos, 1) != self.capability:
            pos = machine.read(BRIDGE + pos + 1, 1)
            assert pos, "no such capability"
        at, value = self.control[what]
        if self.capability == 0x0c:
            machine.write(BRIDGE + pos + 2, 1, 5)   # DWORD Select: Command
        machine.write(BRIDGE + pos + at, 2, value)


SLOTS = [
    Slot("express", ["pcie-root-port,id=br,addr=1", "ticker,id=dut,bus=br"], 0x10,
         {"on": (0x18, 0x01c0), "blink": (0x18, 0x02c0), "off": (0x18, 0x07c0)}),
    Slot("shpc", ["pci-bridge,id=br,addr=1", "edu,id=dut,bus=br,addr=3"], 0x0c,
         {"on": (4, 0x0306), "blink": (4, 0x0308), "off": (4, 0x030f)}),
]


def job(machine):
    """Return the state of the only job."""
    jobs = machine.command("query-unplug-jobs")
    assert len(jobs) == 1 and jobs[0]["device"] == "dut", jobs
    return jobs[0]["state"]


def begin(slot, source, uri, step):
    """Create a device in use, bring its unplug to that step, and migrate up to the switchover."""
    slot.say(source, "on")
    source.command("unplug-request", id="dut", timeout=1000)
    if step != "requested":
        slot.say(source, "blink")
    source.ask("clock_step 400000000")
    source.command("migrate-set-capabilities",
                   capabilities=[{"capability": "pause-before-switchover", "state": True}])
    source.command("migrate", uri=uri)
    source.wait("pre-switchover")
    if step == "powered-off":
        slot.say(source, "off")
    assert job(source) == step, job(source)


def moved(slot, step, late):
    """Migrate at that step; then the guest ejects the device, or misses the deadline."""
    with tempfile.TemporaryDirectory() as folder:
        uri = f"unix:{folder}/stream"
        with Machine(*slot.args) as source, \
                Machine("-incoming", uri) as target:
            begin(slot, source, uri, step)
            source.command("migrate-continue", state="pre-switchover")
            source.wait("completed")
            target.wait("completed")
            assert "DEVICE_DELETED" not in source.names(), source.names()
            if step != "powered-off":
                assert job(target) == step, job(target)
                target.ask(f"clock_step {700000000 if late else 500000000}")
            if late:
                target.wait_event("DEVICE_UNPLUG_GUEST_ERROR")
                assert job(target) == "timed-out", job(target)
                return
            if step != "powered-off":
                slot.say(target, "off")
            target.wait_event("DEVICE_DELETED")
            assert "DEVICE_UNPLUG_GUEST_ERROR" not in target.names(), target.names()


def stays(slot):
    """Cancel a migration: a device that the guest ejected meanwhile is removed on the source."""
    with tempfile.TemporaryDirectory() as folder:
        uri = f"unix:{folder}/stream"
        with Machine(*slot.args) as source, \
                Machine("-incoming", uri):
            begin(slot, source, uri, "powered-off")
            try:
                source.command("unplug-force", id="dut")
                raise AssertionError("forced out of a migrating machine")
            except QmpError as error:
                assert "migration" in str(error), error
            source.command("migrate_cancel")
            source.wait_event("DEVICE_DELETED")


def main():
    """Run every case; one line each."""
    for slot in SLOTS:
        for step in ("requested", "accepted", "powered-off"):
            moved(slot, step, late=False)
            print(f"{slot.name}: {step} before the move, removed after it")
        moved(slot, "accepted", late=True)
        print(f"{slot.name}: the deadline was migrated")
        stays(slot)
        print(f"{slot.name}: cancelled, removed here")


if __name__ == "__main__":
    main()
