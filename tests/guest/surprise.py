# SPDX-License-Identifier: GPL-2.0-or-later
"""Surprise removal: the messages of Linux, and that everything else continues to work.

A load from a removed device returns all ones, as on real hardware. The modern virtio driver of
Linux 6.12 does not handle this: it resets the device and waits forever for a status of 0, while it
holds the lock of all hot plug operations. The legacy driver does not wait; it only logs a warning.
Therefore the tests that plug again remove legacy devices and the test device, whose driver handles
removal.
"""

import re
import tempfile

from net import web
from slots import PATTERN, RECORD, SLOT_OF, SlotMachine, check_clean, slot_machine
from subject import Subject, check, test
from waiting import elapse

LEGACY = {"disable-modern": True, "disable-legacy": "off"}
WARNS = "virtio_dev_remove"     # the source line at which the legacy driver reads a status of 0xff


def check_pulled(log: str, bus: str) -> None:
    """Linux logs the same messages for the slot as on real hardware."""
    for what in ("Link Down", "Card not present"):      # word-ok: messages of Linux
        check(re.search(rf"pciehp: Slot\({SLOT_OF[bus]}\): {what}", log),
              f"the guest did not log '{what}' of {bus}", log)


def check_sane(log: str) -> None:
    """Check the log for kernel errors. The legacy driver's warning is the only one permitted."""
    for word in ("BUG", "Oops", "hung task", "stall"):
        check(word not in log, f"the guest logged '{word}'", log)
    for line in re.findall("WARNING: .*", log):
        check(WARNS in line, f"the guest logged '{line}'", log)


def pull(machine: SlotMachine, places: dict[str, str]) -> None:
    """Remove all devices together and check the guest's reaction. The disks are idle, because Linux
    waits forever for a request that was in flight. One disk is open."""
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
    """Remove disks and NICs at a root port and at a switch port, the NICs under load; twice."""
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
    """Remove a ticker and plug another before the guest has reacted. The guest notices the removal
    and enables the new device without an attention button. Its log has no errors."""
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
    """Remove a modern disk. Its driver waits forever, as on real hardware. The guest, its other
    disk and the emulator continue to work."""
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
