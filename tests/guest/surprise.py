# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices pulled out without asking: what Linux logs, and that everything goes on.

A load from a device that is gone gives all ones, as on real hardware. The modern virtio driver of
Linux 6.12 does not expect that: it resets the device and waits for a status of 0, for ever, with
the lock of all hot plug held. The legacy driver does not wait (it warns); so the tests that plug
again pull out legacy devices, and the test device, whose driver has no such fault.
"""

import re
import tempfile

from net import web
from slots import PATTERN, RECORD, SLOT_OF, SlotMachine, check_clean, slot_machine
from subject import Subject, check, test
from waiting import elapse

LEGACY = {"disable-modern": True, "disable-legacy": "off"}
WARNS = "virtio_dev_remove"     # where the legacy driver reads a status of 0xff


def check_pulled(log: str, bus: str) -> None:
    """Linux says of the slot what it says on real hardware."""
    for what in ("Link Down", "Card not present"):
        check(re.search(rf"pciehp: Slot\({SLOT_OF[bus]}\): {what}", log),
              f"the guest did not log '{what}' of {bus}", log)


def check_sane(log: str) -> None:
    """No kernel in trouble; the one warning there may be is the legacy driver's."""
    for word in ("BUG", "Oops", "hung task", "stall"):
        check(word not in log, f"the guest logged '{word}'", log)
    for line in re.findall("WARNING: .*", log):
        check(WARNS in line, f"the guest logged '{line}'", log)


def pull(machine: SlotMachine, places: dict[str, str]) -> None:
    """Take them all out at once; look at what the guest makes of it. The disks are idle, for Linux
    waits for ever for a request that was in flight; but one is open."""
    disks = [name for name in places.values() if name.startswith("disk")]
    for name in disks:
        machine.stop_use(name)
    machine.shell(f"exec 4<>/dev/$(disk {disks[0]})")
    for name in places.values():
        machine.qmp.command("unplug-force", id=name)
    machine.deleted(set(places.values()), 5)
    for bus, name in places.items():
        machine.remove_backend(name)
        machine.end_use(name, 120)
        machine.shell(f"until_true '[ $(cat /sys/bus/pci/slots/{SLOT_OF[bus]}/power) = 0 ]'", 60)
    machine.shell("! dd if=/proc/self/fd/4 of=/dev/null bs=4k count=1 2>/dev/null; exec 4>&-")
    log = machine.log()
    for bus in places:
        check_pulled(log, bus)
    check_sane(log)


@test
def surprise_removal(subject: Subject) -> None:
    """Disks and cards at a root port and at a switch port are pulled, the cards under load; twice."""
    places = {"rp0": "disk.a", "dn0": "disk.b", "rp1": "nic.a", "dn1": "nic.b"}
    with tempfile.TemporaryDirectory() as scratch, web(PATTERN[:RECORD]) as server:
        with slot_machine(subject, scratch, ["rp0", "rp1"], ["dn0", "dn1"]) as machine:
            for turn in range(2):
                names = {bus: f"{name}.{turn}" for bus, name in places.items()}
                for bus, name in names.items():
                    machine.add(bus, name, **LEGACY)
                    machine.use(bus, name, server)
                for name in names.values():
                    machine.wait_use(name, 1, 300)
                pull(machine, names)


@test
def surprise_replace(subject: Subject) -> None:
    """A ticker is pulled and another put in at once, before the guest has looked: it notices the
    one and takes the other, without a button. Its log stays clean."""
    with tempfile.TemporaryDirectory() as scratch:
        with slot_machine(subject, scratch, ["rp0"], ["dn0"]) as machine:
            machine.shell("modprobe bpdrv; dmesg -c >/dev/null")
            for turn in range(3):
                for bus in ("rp0", "dn0"):
                    if turn > 0:
                        machine.qmp.command("unplug-force", id=f"t{turn - 1}.{bus}")
                    machine.qmp.command("device_add", driver="ticker", id=f"t{turn}.{bus}", bus=bus)
                seen = f"[ $(dmesg | grep -c bpdrv:.ticker.with) = {2 * turn + 2} ]"
                machine.shell(f"until_true '{seen}'", 90)
            elapse(6, "a button would have switched one off by now")
            check(len(machine.shell("cat /sys/bus/pci/drivers/bpdrv/*/report").splitlines()) >= 2,
                  "not two tickers", "")
            log = machine.log()
            for bus in ("rp0", "dn0"):
                check_pulled(log, bus)
            check("will power off" not in log, "a button was pressed", log)
            check_clean(log)


@test
def surprise_modern(subject: Subject) -> None:
    """A modern disk is pulled: its driver waits for ever, as on real hardware; the guest, another
    disk of it and the emulator go on."""
    with tempfile.TemporaryDirectory() as scratch, web(PATTERN[:RECORD]) as server:
        with slot_machine(subject, scratch, ["rp0", "rp1"], []) as machine:
            for bus, name in (("rp0", "disk.a"), ("rp1", "disk.b")):
                machine.add(bus, name)
                machine.use(bus, name, server)
            for name in ("disk.a", "disk.b"):
                machine.wait_use(name, 1, 300)
            machine.qmp.command("unplug-force", id="disk.a")
            machine.deleted({"disk.a"}, 5)
            machine.remove_backend("disk.a")
            machine.wait_use("disk.b", machine.count("disk.b") + 10)
            log = machine.log()
            check_pulled(log, "rp0")
            check_sane(log)
