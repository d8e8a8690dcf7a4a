# SPDX-License-Identifier: GPL-2.0-or-later
"""SCSI tests: disks and a CD-ROM drive of a virtio-scsi controller, plugged and migrated under I/O."""

import hashlib
import tempfile
from pathlib import Path

from emulator import Emulator
from guest import MSI_MACHINE, Skip, arguments, finish, need_devices, shell_ready
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
# Write and verify blocks of one disk until /tmp/stop exists or the disk is removed; report each round
# and the end. The disk's name can be used again only after the end, because the loop keeps it open.
LOAD = r"""cat >/tmp/io <<'END'
dd if=/dev/urandom of=/tmp/w$1 bs=64k count=2 2>/dev/null
n=0
exec 3<>/dev/$1     # a write by name would create a file after the disk was removed
while [ ! -e /tmp/stop ]; do
    n=$((n + 1)); echo $n | dd of=/tmp/w$1 conv=notrunc 2>/dev/null
    dd if=/tmp/w$1 of=/proc/self/fd/3 bs=64k seek=$((n % 256 * 2)) oflag=direct 2>/dev/null &&
    dd if=/dev/$1 of=/tmp/r$1 bs=64k skip=$((n % 256 * 2)) count=2 iflag=direct 2>/dev/null &&
    if cmp -s /tmp/w$1 /tmp/r$1; then echo round $n
    elif [ $(stat -c %s /tmp/r$1) -eq 131072 ]; then echo BAD $n    # complete, and other data
    else break; fi || break
    usleep 50000
done >>/tmp/log$1
exec 3>&-
echo end >>/tmp/log$1
END
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


def rounds(machine: Emulator, disk: str, more_than: int) -> int:
    """Wait for more than that many rounds of I/O, all verified; return their number."""
    text = machine.shell_value(
        f"more than {more_than} rounds of {disk}",
        f"cat /tmp/log{disk} 2>/dev/null >/tmp/seen; grep -c round /tmp/seen || true;"
        "grep -c BAD /tmp/seen || true",
        lambda text: int(text.split()[0]) > more_than, 120)
    count, bad = (int(number) for number in text.split())
    check(bad == 0, f"{bad} rounds of {disk} read other data", text)
    return count


def start_load(machine: Emulator, unit: str) -> str:
    """Wait for the disk of a unit (a pattern of sysfs), start I/O, and return the disk's name."""
    machine.shell_until(f"ls -d {unit}/block/sd* >/tmp/found 2>/dev/null", 60)
    disk = machine.shell("sed 's,.*/,,' /tmp/found").strip()
    machine.shell_until(f"[ -b /dev/{disk} ]", 60)
    machine.shell(f"rm -f /tmp/log{disk}; sh /tmp/io {disk} >/dev/null 2>&1 </dev/null &")
    rounds(machine, disk, 1)
    return disk


def load_ended(machine: Emulator, disk: str) -> None:
    """Wait until the load has noticed that its disk was removed."""
    machine.shell_until(f"grep -q end /tmp/log{disk}", 60)
    machine.shell_until(f"[ ! -e /dev/{disk} ]", 60)
    check("BAD" not in machine.shell(f"cat /tmp/log{disk}"), "other data were read", "")


def plug_disk(machine: Emulator, image: str, number: int, bus: str = "s0.0") -> None:
    """Plug a disk, use it under I/O, and unplug it while I/O runs."""
    qmp = machine.qmp
    target, lun = 1 + number % 7, number % 3 * 150
    qmp.command("blockdev-add", **{"driver": "raw", "node-name": f"n{number}",
                                   "file": {"driver": "file", "filename": image}})
    qmp.command("device_add", driver="scsi-hd", id="hot", drive=f"n{number}", bus=bus,
                **{"scsi-id": target, "lun": lun})
    disk = start_load(machine, f"/sys/bus/scsi/devices/0:0:{target}:*")
    qmp.command("device_del", id="hot")
    qmp.wait_event("DEVICE_DELETED", 30)
    load_ended(machine, disk)
    qmp.command("blockdev-del", **{"node-name": f"n{number}"})


def plug_controller(machine: Emulator, image: str, number: int, **options: str) -> None:
    """Plug a controller with a disk into a port, and remove it while I/O runs."""
    qmp = machine.qmp
    qmp.command("device_add", driver="virtio-scsi-pci", id="hba", bus="rp", **options)
    # the kernel has no driver for the slot: switch its power on, as the driver would
    machine.shell("setpci -s 02.0 CAP_EXP+18.w=0:400; sleep 1; echo 1 >/sys/bus/pci/rescan")
    machine.shell_until("ls /sys/class/scsi_host | grep -q host[1-9]", 60)
    qmp.command("blockdev-add", **{"driver": "raw", "node-name": f"c{number}",
                                   "file": {"driver": "file", "filename": image}})
    qmp.command("device_add", driver="scsi-hd", id="far", drive=f"c{number}", bus="hba.0")
    disk = start_load(machine, "/sys/bus/pci/devices/0000:01:*/virtio*/host*/target*/*:*")
    # the guest's driver removes the controller while I/O runs
    machine.shell("for d in /sys/bus/pci/devices/0000:01:*; do echo 1 >$d/remove; done", 60)
    load_ended(machine, disk)
    qmp.command("unplug-force", id="hba")
    for _ in range(2):      # of the disk and of the controller
        qmp.wait_event("DEVICE_DELETED", 30)
    qmp.command("blockdev-del", **{"node-name": f"c{number}"})


@test
def scsi_hotplug(subject: Subject) -> None:
    """Disks and controllers are plugged and unplugged under I/O, before and after a migration."""
    if subject.is_qemu:
        raise Skip("QEMU's -incoming needs the complete machine on its command line")
    cycles = 100 if subject.long else 4
    with tempfile.TemporaryDirectory() as scratch:
        uri, hot = f"unix:{scratch}/stream", f"{scratch}/hot.img"
        with open(hot, "wb") as image:
            image.truncate(SIZE)
        args = arguments(machine=MSI_MACHINE) + disk_args(scratch) + [
            "-device", "pcie-root-port,id=rp,chassis=1"]
        need_devices(subject.program, args)
        with Emulator(subject.program, args, echo=subject.echo) as source:
            shell_ready(source)
            source.shell(LOAD + "sh /tmp/io sda >/dev/null 2>&1 </dev/null &")
            for number in range(cycles // 2):
                plug_disk(source, hot, number)
                plug_controller(source, hot, number)
            before = rounds(source, "sda", 1)
            with Emulator(subject.program, ["-incoming", uri, *args[-6:-4]],
                          echo=subject.echo) as target:
                target.qmp.command("query-status")      # the target listens
                source.qmp.command("migrate", uri=uri)
                source.migrated()
                rounds(target, "sda", before + 1)
                for number in range(cycles // 2, cycles):
                    plug_disk(target, hot, number)
                    plug_controller(target, hot, number)
                target.shell("touch /tmp/stop")
                rounds(target, "sda", before + 2)
                check("error" not in target.shell("dmesg | grep 'sda' || true"), "an I/O error", "")
