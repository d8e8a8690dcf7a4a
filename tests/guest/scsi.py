# SPDX-License-Identifier: GPL-2.0-or-later
"""SCSI tests: a disk and a CD-ROM drive of a virtio-scsi controller."""

import hashlib
import tempfile
from pathlib import Path

from emulator import Emulator
from guest import arguments, finish, need_devices
from subject import Subject, check, test

SIZE = 48 << 20
# The first boot fills a file system; the second verifies it, and reads the CD.
DISK_SCRIPT = """
set -e
cd /mnt
if mount -t ext4 /dev/sda . 2>/dev/null; then
    cd /mnt; md5sum -c sum; md5sum /dev/sr0; cat /sys/block/sda/queue/discard_max_bytes
    for mode in 'write through' 'write back'; do
        echo $mode >$(echo /sys/class/scsi_disk/*/cache_type); cat /sys/class/scsi_disk/*/cache_type
    done
    grep -E 'virtio.*(request|event)' /proc/interrupts; exit 0
fi
mkfs.ext4 -q /dev/sda; mount -t ext4 /dev/sda .
(cd /mnt; dd if=/dev/urandom of=data bs=1M count=8; md5sum data >sum); umount .
reboot -f
"""


def disk_args(scratch: str) -> list[str]:
    """Return a controller with a disk."""
    with open(f"{scratch}/disk.img", "wb") as image:
        image.truncate(SIZE)
    return ["-device", "virtio-scsi-pci,id=s0,num_queues=2", "-drive",
            f"if=none,id=h0,file={scratch}/disk.img,format=raw", "-device",
            "scsi-hd,id=d0,drive=h0,bus=s0.0,scsi-id=0,lun=0"]


@test
def scsi_disk(subject: Subject) -> None:
    """A disk with a file system, and a CD-ROM drive."""
    with tempfile.TemporaryDirectory() as scratch:
        disc = hashlib.sha256(b"disc").digest() * 65536
        Path(f"{scratch}/disc.img").write_bytes(disc)
        args = arguments(machine=subject.msi_machine, run=DISK_SCRIPT) + disk_args(scratch) + [
            "-drive", f"if=none,id=c0,file={scratch}/disc.img,format=raw,media=cdrom", "-device",
            "scsi-cd,drive=c0,bus=s0.0,scsi-id=4,lun=2"]
        need_devices(subject.program, args)
        with Emulator(subject.program, args, qmp=False, echo=subject.echo) as machine:
            machine.expect("^BACKPLANE-INIT", 120)
            text = finish(machine, 300)
    for line in ("data: OK", hashlib.md5(disc).hexdigest(), "write back", "write through"):
        check(line in text, f"no '{line}'", text)
