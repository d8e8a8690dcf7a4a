#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two processes on one disk image: this emulator and QEMU, in both orders.

The result for the second process must not depend on which of the two programs each process is:
every pair has the same result as QEMU with QEMU. A further test checks that the lock moves with a
guest that migrates between two processes on one image, and stays if the guest stays.
"""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from emulator import Emulator  # noqa: E402
from waiting import Gone, TestFailure, scaled  # noqa: E402

EMULATOR = os.environ.get("BACKPLANE_BINARY",
                          str(Path(__file__).parent / "../../build/backplane-system-riscv64"))
QEMU = shutil.which("qemu-system-riscv64")
REFUSED = ("Failed to get", "lock", "Is another process using the image [")
NAMES = {EMULATOR: "backplane", QEMU: "qemu"}

# The ways in which a process uses the image: -drive options, and properties of the device.
USES = {
    "read-write": ("", ""),
    "read-only": (",read-only=on", ""),
    "shared": ("", ",share-rw=on"),
    "snapshot": (",snapshot=on", ""),
}
HELD = {"read-write": {100, 101, 201}, "read-only": {100, 201}, "shared": {100, 101},
        "snapshot": {100, 201, 203}}


def disk(image, use):
    """Return the options of a machine with the image."""
    drive, device = USES[use]
    return ["-M", "virt", "-nodefaults", "-S",
            "-drive", f"file={image},format=raw,if=none,id=d{drive}",
            "-device", f"virtio-blk-pci,drive=d{device}"]


def check(condition, text):
    """Fail the test unless the condition holds."""
    if not condition:
        raise TestFailure(text)


def start(program, args):
    """Start a machine and wait until QMP responds."""
    machine = Emulator(program, args, console=False)
    _ = machine.qmp
    return machine


def starts(program, image, use):
    """Return true if a second process may use the image. An error message must name the lock."""
    with Emulator(program, disk(image, use), console=False) as machine:
        try:
            _ = machine.qmp
            return True
        except Gone:
            machine.wait()
            check(all(words in machine.errors for words in REFUSED),
                  f"{NAMES[program]}, {use}: refused for another reason\n{machine.describe()}")
            return False


def locks(machine, image):
    """Return the locked bytes of the image that a process holds."""
    held = set()
    folder = f"/proc/{machine.pid}/fdinfo"
    for fd in os.listdir(folder):
        try:
            if not os.path.samefile(f"/proc/{machine.pid}/fd/{fd}", image):
                continue
            with open(f"{folder}/{fd}", encoding="ascii") as info:
                for line in info:
                    if line.startswith("lock:"):
                        first, last = (int(word) for word in line.split()[-2:])
                        held |= set(range(first, last + 1))
        except OSError:
            continue
    return held


TOOLS = {
    "qemu-img info": ["qemu-img", "info", "-f", "raw"],
    "qemu-io read": ["qemu-io", "-r", "-f", "raw", "-c", "read 0 512"],
    "qemu-io write": ["qemu-io", "-f", "raw", "-c", "write 0 512"],
}


def tool_works(command, image):
    """Return true if a tool may use the image."""
    done = subprocess.run([*command, image], capture_output=True, text=True, check=False,
                          timeout=scaled(30))
    output = done.stdout + done.stderr
    if "Failed to get" in output:
        return False
    check(done.returncode == 0, f"{command}: {output}")
    return True


def results(first, second, image):
    """Return the possible uses beside `first`: {(use of the first, use of the second): works}."""
    table = {}
    for use, expected in HELD.items():
        with start(first, disk(image, use)) as holder:
            held = locks(holder, image)
            check(held == expected, f"{NAMES[first]}, {use}: locks {sorted(held)}")
            for other in USES:
                table[use, other] = starts(second, image, other)
            for name, command in TOOLS.items():
                table[use, name] = tool_works(command, image)
            check(locks(holder, image) == expected, f"{NAMES[first]}, {use}: locks were lost")
        check(tool_works(TOOLS["qemu-io write"], image), f"locks of {NAMES[first]} outlive it")
    return table


def test_pairs(image):
    """Each pair of programs behaves like QEMU with QEMU."""
    expected = results(QEMU, QEMU, image)
    for first, second in (EMULATOR, QEMU), (QEMU, EMULATOR), (EMULATOR, EMULATOR):
        found = results(first, second, image)
        for case, works in expected.items():
            check(found[case] == works,
                  f"{NAMES[first]} {case[0]}, then {NAMES[second]} {case[1]}: "
                  f"{'works' if found[case] else 'refused'}, and not with QEMU alone")
    print(f"pairs: {4 * len(expected)} combinations as QEMU with QEMU "
          f"({sum(expected.values())} of {len(expected)} allowed)")


def test_release(image):
    """Removing a device releases its locks. A rejected device leaves no locks."""
    args = ["-accel", "qtest", "-M", "virt", "-nodefaults", "-device", "pcie-root-port,id=rp",
            "-blockdev", f"file,node-name=p,filename={image}",
            "-blockdev", "raw,node-name=f,file=p"]
    plug = {"driver": "virtio-blk-pci", "drive": "f", "bus": "rp", "id": "disk"}
    with start(EMULATOR, args) as ours:
        check(locks(ours, image) == set(), "a node without a device holds locks")
        with start(QEMU, disk(image, "read-write")):
            answer = ours.qmp.raw("device_add", plug)
            check("Failed to get" in answer.get("error", {}).get("desc", ""), f"{answer}")
            check(locks(ours, image) == set(), "a refused device left locks")
        ours.qmp.command("device_add", **plug)
        check(locks(ours, image) == HELD["read-write"], "device_add did not acquire locks")
        check("error" in ours.qmp.raw("blockdev-del", {"node-name": "f"}), "deleted while in use")
    print("release: locks belong to the device")


def machine(image, *args):
    """A machine that can migrate."""
    return start(EMULATOR, ["-accel", "qtest", "-M", "virt", "-nodefaults", "-m", "16M",
                            "-drive", f"file={image},format=raw,if=none,id=d",
                            "-device", "virtio-blk-pci,drive=d,id=disk", *args])


def pause_before_switchover(source, state):
    """Return true if a migration stops before the guest is handed over."""
    source.qmp.command("migrate-set-capabilities", capabilities=[
        {"capability": "pause-before-switchover", "state": state}])


def test_migration(image, folder):
    """The locks move with the guest, and stay if the guest stays."""
    uri = f"unix:{folder}/migration"
    full = HELD["read-write"]
    with machine(image) as source:
        with machine(image, "-incoming", uri) as target:
            check((locks(source, image), locks(target, image)) == (full, set()), "locks before")
            pause_before_switchover(source, True)
            source.qmp.command("migrate", uri=uri)
            source.migrated("pre-switchover")
            source.qmp.command("migrate_cancel")
            source.migrated("cancelled")
            check(locks(source, image) == full, "a cancelled migration released the source's locks")
            pause_before_switchover(source, False)
        with start(EMULATOR, ["-accel", "qtest", "-M", "virt", "-nodefaults", "-m", "32M",
                              "-device", "edu", "-incoming", uri]):
            source.qmp.command("migrate", uri=uri)
            source.migrated("failed")
            check(locks(source, image) == full, "a failed migration released the source's locks")
            check(not starts(QEMU, image, "read-write"), "QEMU may use a running guest's disk")
        with machine(image, "-incoming", uri) as target:
            source.qmp.command("migrate", uri=uri)
            source.migrated()
            target.migrated()
            both = locks(source, image), locks(target, image)
            check(both == (set(), full), f"locks after: {both}")
            check(not starts(QEMU, image, "read-write"), "QEMU may use a migrated guest's disk")
            source.close()
            check(locks(target, image) == full, "the end of the source released the target's locks")
    with start(EMULATOR, ["-accel", "qtest", *disk(image, "snapshot")]) as source:
        answer = source.qmp.raw("migrate", {"uri": uri})
        check("snapshot=on" in answer.get("error", {}).get("desc", ""), f"migrate: {answer}")
    print("migration: locks move with the guest")


def main():
    """Run everything on an image in a temporary directory."""
    if not QEMU or not shutil.which("qemu-io"):
        print("SKIP: qemu-system-riscv64 and qemu-utils are not installed")
        return 77
    with tempfile.TemporaryDirectory(prefix="backplane-locks-") as folder:
        image = os.path.join(folder, "disk.img")
        with open(image, "wb") as file:
            file.truncate(1 << 20)
        test_pairs(image)
        test_release(image)
        test_migration(image, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
