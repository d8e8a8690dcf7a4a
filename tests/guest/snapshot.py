# SPDX-License-Identifier: GPL-2.0-or-later
"""savevm and loadvm with a running guest, whose file system and memory return together."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from emulator import Emulator
from guest import Skip, arguments, shell_ready
from subject import Subject, check, test


def hmp(guest: Emulator, line: str) -> str:
    """Run a command of the human monitor."""
    return guest.qmp.command("human-monitor-command", **{"command-line": line})


def disk(folder: str) -> tuple[str, list[str]]:
    """Create an image. Returns its path and the options of a disk."""
    path = str(Path(folder) / "disk")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "64M"], check=True)
    return path, ["-drive", f"file={path},format=qcow2,if=virtio"]


@test
def snapshot(subject: Subject) -> None:
    """Files and memory of the guest return to a snapshot, in this process and in a new one."""
    if not shutil.which("qemu-img"):
        raise Skip("qemu-img is not installed")
    with tempfile.TemporaryDirectory(prefix="backplane-snapshot-") as folder:
        path, options = disk(folder)
        args = arguments() + options
        with Emulator(subject.program, args, echo=subject.echo) as guest:
            shell_ready(guest)
            guest.shell("modprobe virtio_blk; modprobe ext4; mke2fs -q /dev/vda; mkdir /m; "
                        "mount /dev/vda /m; echo one >/m/file; echo one >/tmp/memory; sync", 120)
            check(hmp(guest, "savevm s") == "", "savevm failed", "")
            guest.shell("echo two >/m/file; echo two >/tmp/memory; sync")
            check(hmp(guest, "loadvm s") == "", "loadvm failed", "")
            text = guest.shell("cat /m/file /tmp/memory")
            check(text.split() == ["one", "one"], "not the state of the snapshot", text)
        with Emulator(subject.program, [*args, "-loadvm", "s"], echo=subject.echo) as guest:
            text = guest.shell("cat /m/file /tmp/memory; umount /m")
            check(text.split() == ["one", "one"], "not the state of the snapshot", text)
        subprocess.run(["qemu-img", "check", "-q", path], check=True)
