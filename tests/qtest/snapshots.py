#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Snapshots in disk images: the human monitor, the jobs of QMP, -loadvm, and what is refused."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from emulator import Emulator, QmpError, TestFailure  # noqa: E402

EMULATOR = os.environ["BACKPLANE_BINARY"]
WORD, SLOT = 0x80100000, 0x30020000


def check(condition, text):
    """Fail the test unless the condition holds."""
    if not condition:
        raise TestFailure(str(text))


def image(folder, name, form="qcow2"):
    """Create an image and return its path."""
    path = str(Path(folder) / name)
    subprocess.run(["qemu-img", "create", "-q", "-f", form, path, "8M"], check=True)
    return path


def start(*args):
    """Start a machine with an edu in slot 4, which qtest drives."""
    return Emulator(EMULATOR, ["-M", "virt", "-bios", "none", "-accel", "qtest", "-m", "16",
                               "-device", "edu,addr=4", *args], console=False, qtest=True)


def disks(*paths):
    """Return the options of disks."""
    return [word for i, path in enumerate(paths) for word in
            ("-blockdev", f"qcow2,node-name=d{i},file.driver=file,file.filename={path}",
             "-device", f"virtio-blk-pci,drive=d{i}")]


def set_state(m, value):
    """Set a word of RAM and a register of edu."""
    m.qtest.write(WORD, 4, value)
    m.qtest.write(SLOT + 0x10, 4, 0x40000000)
    m.qtest.write(SLOT + 4, 2, 2)
    m.qtest.write(0x40000004, 4, value)


def state(m):
    """Return the word of RAM and the value that was written to edu."""
    return m.qtest.read(WORD, 4), m.qtest.read(0x40000004, 4) ^ 0xffffffff


def hmp(m, line):
    """Run a command of the human monitor."""
    return m.qmp.command("human-monitor-command", **{"command-line": line})


def job(m, command, **arguments):
    """Run a job to its end. Returns its states, and its error or None."""
    m.qmp.command(command, **{"job-id": "j"}, **arguments)
    states = []
    while "concluded" not in states:
        states.append(m.qmp.wait_event("JOB_STATUS_CHANGE")["data"]["status"])
    (found,) = m.qmp.command("query-jobs")
    check(found["type"] == command and found["status"] == "concluded", found)
    m.qmp.command("job-dismiss", id="j")
    check(m.qmp.command("query-jobs") == [], "the job remains")
    check(m.qmp.wait_event("JOB_STATUS_CHANGE")["data"]["status"] == "null", "no last event")
    return states, found.get("error")


def test_monitor(folder):
    """savevm, loadvm, delvm, info snapshots with two disks."""
    paths = [image(folder, "a"), image(folder, "b")]
    with start(*disks(*paths)) as m:
        check("no snapshot" in hmp(m, "info snapshots"), "snapshots of a new image")
        set_state(m, 1)
        for name in ("one", "two", "one"):      # replaces the first one
            check(hmp(m, f"savevm {name}") == "", name)
        set_state(m, 7)
        check(hmp(m, "loadvm two") == "" and state(m) == (1, 1), state(m))
        check(m.qmp.command("query-status")["running"], "the guest does not run")
        check("two" in hmp(m, "info snapshots"), hmp(m, "info snapshots"))
        check("'none' does not exist" in hmp(m, "loadvm none"), "loadvm none")
        check("does not exist" in hmp(m, "delvm none"), "delvm none")
        check(hmp(m, "delvm two") == "" and "two" not in hmp(m, "info snapshots"), "delvm")
    with start(*disks(*paths), "-S", "-loadvm", "one") as m:
        check(m.qmp.command("query-status")["status"] == "prelaunch", "a state other than prelaunch")
        check(state(m) == (1, 1), state(m))
    for path in paths:
        subprocess.run(["qemu-img", "check", "-q", path], check=True)
        listed = subprocess.run(["qemu-img", "snapshot", "-l", path], check=True, text=True,
                                stdout=subprocess.PIPE).stdout
        check(listed.count("one") == 1 and "two" not in listed, listed)


def test_jobs(folder):
    """snapshot-save, -load and -delete."""
    good = ["created", "running", "waiting", "pending", "concluded"]
    bad = ["created", "running", "aborting", "concluded"]
    with start(*disks(image(folder, "c"), image(folder, "d"))) as m:
        place = {"tag": "s", "vmstate": "d1", "devices": ["d0", "d1"]}
        set_state(m, 2)
        check(job(m, "snapshot-save", **place) == (good, None), "snapshot-save")
        check(job(m, "snapshot-save", **place)[1] ==
              "Snapshot 's' already exists in one or more devices", "a second one")
        set_state(m, 3)
        check(job(m, "snapshot-load", **place) == (good, None) and state(m) == (2, 2), state(m))
        check("disk-only" in job(m, "snapshot-load", **place | {"vmstate": "d0"})[1], "vmstate")
        check(job(m, "snapshot-delete", tag="s", devices=["d0"]) == (good, None), "snapshot-delete")
        states, error = job(m, "snapshot-load", **place)
        check(states == bad and "'d0' lacks it" in error, error)
        m.qmp.command("snapshot-delete", **{"job-id": "k", "tag": "s", "devices": ["d1"]})
        for name, device, reason in (("k", "d1", "already in use"), ("l", "absent", "'absent'")):
            try:
                m.qmp.command("snapshot-delete",
                              **{"job-id": name, "tag": "s", "devices": [device]})
            except QmpError as failure:
                check(reason in str(failure), failure)
            else:
                raise TestFailure(f"{name} {device} was accepted")


def test_refused(folder):
    """Raw images, temporary overlays, no image, another machine."""
    raw, path = image(folder, "e", "raw"), image(folder, "f")
    with start("-drive", f"file={raw},format=raw,if=virtio") as m:
        check("does not support snapshots" in hmp(m, "savevm s"), hmp(m, "savevm s"))
    with start("-drive", f"file={path},format=qcow2,if=virtio,snapshot=on") as m:
        text = hmp(m, "savevm s")
        check("does not support snapshots: -snapshot or snapshot=on keeps" in text, text)
    with start() as m:
        check("no block device can store vmstate" in hmp(m, "savevm s"), hmp(m, "savevm s"))
    with start(*disks(path)) as m:
        check(hmp(m, "savevm s") == "", "savevm")
    with start(*disks(path), "-device", "pci-testdev", "-loadvm", "s") as m:
        check(m.wait() == 1 and "is of another machine: " in m.errors, m.errors)
    with start(*disks(path), "-loadvm", "t") as m:
        check(m.wait() == 1 and "-loadvm t: Snapshot 't' does not exist" in m.errors, m.errors)


def main():
    """Run all tests."""
    if not shutil.which("qemu-img"):
        print("qemu-img is not installed")
        return 77
    with tempfile.TemporaryDirectory(prefix="backplane-snapshots-") as folder:
        for test in (test_monitor, test_jobs, test_refused):
            test(folder)
            print(f"{test.__name__}: ok", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
