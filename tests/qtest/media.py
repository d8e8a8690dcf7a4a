#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Removable media: drives without a medium, and the commands and events of trays and media."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from emulator import Emulator, QmpError, TestFailure  # noqa: E402
from waiting import scaled  # noqa: E402

EMULATOR = os.environ["BACKPLANE_BINARY"]
DRIVE = ["-drive", "if=none,id=cd0,media=cdrom", "-device", "virtio-scsi-pci,id=s", "-device",
         "scsi-cd,id=c,drive=cd0"]


def check(condition, text):
    """Fail the test unless the condition holds."""
    if not condition:
        raise TestFailure(str(text))


def state(machine):
    """Return (image or None, tray open) of the only drive."""
    (found,) = machine.qmp.command("query-block")
    check(found["device"] == "cd0" and found["removable"] and found["qdev"] == "c", found)
    return found.get("inserted", {}).get("file"), found["tray_open"]


def refused(machine, reason, command, **arguments):
    """Check that a command fails with a reason."""
    try:
        machine.qmp.command(command, **arguments)
    except QmpError as error:
        check(reason in str(error), f"{command}: {error}")
    else:
        raise TestFailure(f"{command} {arguments} succeeded")


def hmp(machine, line):
    """Run a command of the human monitor."""
    return machine.qmp.command("human-monitor-command", **{"command-line": line})


def moved(machine):
    """Return the state of the tray in the next event."""
    data = machine.qmp.wait_event("DEVICE_TRAY_MOVED", 30)["data"]
    check(data["device"] == "cd0" and data["id"] == "c", data)
    return data["tray-open"]


def test_change(machine, one, two):
    """A medium is changed, ejected and inserted again, by QMP and by the human monitor."""
    check(state(machine) == (None, False), state(machine))
    check("[not inserted]" in hmp(machine, "info block"), hmp(machine, "info block"))
    machine.qmp.command("blockdev-change-medium", device="cd0", filename=one, format="raw")
    check([moved(machine), moved(machine)] == [True, False], "events of a change")
    rates = dict.fromkeys(("bps", "bps_rd", "bps_wr", "iops", "iops_wr"), 0)
    machine.qmp.command("block_set_io_throttle", device="cd0", iops_rd=1000, **rates)
    machine.qmp.command("blockdev-change-medium", device="cd0", filename=one, format="raw")
    check([moved(machine), moved(machine)] == [True, False], "events of a change")
    (found,) = machine.qmp.command("query-block")
    check(found["inserted"]["iops_rd"] == 1000, "the limits are those of the device")
    machine.qmp.command("block_set_io_throttle", device="cd0", iops_rd=0, **rates)
    check(state(machine) == (one, False), state(machine))
    check(hmp(machine, f"change cd0 {two} raw") == "", "change")
    check([moved(machine), moved(machine)] == [True, False], "events of a change")
    check(state(machine) == (two, False), state(machine))
    refused(machine, "No such file", "blockdev-change-medium", id="c", filename="/nonexistent")
    refused(machine, "read-only", "blockdev-change-medium", id="c", filename=one,
            **{"read-only-mode": "read-write"})
    check(state(machine) == (two, False), "a refused change has an effect")
    check(hmp(machine, "eject c") == "" and moved(machine), "eject")
    check(state(machine) == (None, True), state(machine))
    check(machine.qmp.command("query-named-block-nodes") == [], "a node remains")


def test_steps(machine, one):
    """The steps of a change as single commands, with a node that the user created."""
    qmp = machine.qmp
    qmp.command("blockdev-add", **{"driver": "raw", "node-name": "n", "read-only": True,
                                   "file": {"driver": "file", "filename": one}})
    qmp.command("blockdev-close-tray", id="c")
    refused(machine, "is not open", "blockdev-insert-medium", id="c", **{"node-name": "n"})
    qmp.command("blockdev-open-tray", device="cd0")
    refused(machine, "'nope' not found", "blockdev-insert-medium", id="c", **{"node-name": "nope"})
    qmp.command("blockdev-insert-medium", id="/machine/peripheral/c", **{"node-name": "n"})
    refused(machine, "already is a medium", "blockdev-insert-medium", id="c", **{"node-name": "n"})
    qmp.command("blockdev-close-tray", id="c")
    check(state(machine) == (one, False), state(machine))
    refused(machine, "is not open", "blockdev-remove-medium", id="c")
    refused(machine, "in use by device 'c'", "blockdev-del", **{"node-name": "n"})
    qmp.command("eject", id="c")
    qmp.command("blockdev-del", **{"node-name": "n"})
    refused(machine, "'nope' not found", "eject", device="nope")
    refused(machine, "not removable", "eject", id="s")
    refused(machine, "'device' and 'id'", "eject")
    check("use eject" in hmp(machine, "eject") and "use change" in hmp(machine, "change c"), "usage")


def test_needs_medium():
    """A disk requires an image."""
    for device in ("virtio-blk-pci", "virtio-scsi-pci -device scsi-hd"):
        args = [EMULATOR, "-M", "virt", "-display", "none", "-drive", "if=none,id=d", "-device",
                *f"{device},drive=d".split(" ")]
        done = subprocess.run(args, capture_output=True, text=True, timeout=scaled(60), check=False)
        check(done.returncode == 1 and "drive 'd' has no medium" in done.stderr, done.stderr)


def main():
    """Run the tests."""
    with tempfile.TemporaryDirectory() as scratch:
        images = [f"{scratch}/{name}.iso" for name in ("one", "two")]
        for name in images:
            Path(name).write_bytes(bytes(2 << 20))
        with Emulator(EMULATOR, ["-accel", "qtest", "-M", "virt", "-nodefaults", *DRIVE],
                      console=False) as machine:
            test_change(machine, *images)
            test_steps(machine, images[0])
    test_needs_medium()
    print("removable media: ok")


if __name__ == "__main__":
    main()
