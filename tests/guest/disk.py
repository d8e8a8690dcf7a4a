# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk tests: virtio-blk under a file system, behind ports and switches, over each ring layout."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import ExitStack

from emulator import Emulator
from guest import Skip, arguments, finish, need_devices
from subject import Subject, check, test
from waiting import end

DISK_TREE = ["-device", "pcie-root-port,id=rp0,addr=02.0,chassis=1,slot=1",
             "-device", "pcie-root-port,id=rp1,addr=03.0,chassis=1,slot=2",
             "-device", "x3130-upstream,id=up,bus=rp1",
             "-device", "xio3130-downstream,id=dn,bus=up,addr=00.0,chassis=2,slot=0"]
# The first boot creates and fills a file system on each disk and reboots. The second verifies it.
DISK_SCRIPT = """
set -e
for d in vda vdb; do
    mkdir -p /mnt/$d; cd /
    if mount -t ext4 /dev/$d /mnt/$d 2>/dev/null; then
        cd /mnt/$d; md5sum -c sum && echo "$d verified"; cd /
    else
        mkfs.ext4 -q /dev/$d; mount -t ext4 /dev/$d /mnt/$d
        cd /mnt/$d; dd if=/dev/urandom of=data bs=1M count=%d 2>/dev/null
        md5sum data >sum; again=yes; cd /
    fi
    umount /mnt/$d
done
grep virtio /proc/interrupts
lspci -vvv -d 1af4: | grep MSI-X || true
[ -z "$again" ] || reboot -f
"""


def raw_image(path: str, size: int) -> str:
    """Create an image. Return the options of its drive."""
    with open(path, "wb") as image:
        image.truncate(size)
    return f"format=raw,file={path}"


def tool(*command: str) -> None:
    """Run a program that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"{command}: status {done.returncode}", done.stdout + done.stderr)


def qcow2_image(path: str, size: int) -> str:
    """Create an image over a chain of two backing files, with an internal snapshot. Its format is
    probed."""
    tool("qemu-img", "create", "-q", "-f", "raw", f"{path}.base", str(size // 2))
    tool("qemu-img", "create", "-q", "-f", "qcow2", "-b", f"{path}.base", "-F", "raw",
         f"{path}.middle", str(size))
    tool("qemu-img", "create", "-q", "-f", "qcow2", "-b", f"{path}.middle", "-F", "qcow2",
         "-o", "lazy_refcounts=on", path)
    tool("qemu-img", "snapshot", "-c", "empty", path)
    return f"discard=unmap,detect-zeroes=unmap,file={path}"


def disks(subject: Subject, options: str,
          create: Callable[[str, int], str] = raw_image) -> str:
    """Run ext4 behind a root port and behind a switch: write, reboot, verify. Returns the console
    output after the reboot."""
    size = 256 if subject.long else 8
    with tempfile.TemporaryDirectory() as scratch:
        args = arguments(machine=subject.msi_machine, run=DISK_SCRIPT % size) + DISK_TREE
        for number, bus in enumerate(("rp0", "dn")):
            drive = create(f"{scratch}/{number}.img", (size + 40) << 20)
            args += ["-drive", f"if=none,id=d{number},{drive}",
                     "-device", f"virtio-blk-pci,drive=d{number},bus={bus}{options}"]
        need_devices(subject.program, args)
        with Emulator(subject.program, args, qmp=False, echo=subject.echo) as machine:
            machine.expect("^BACKPLANE-INIT", 120)
            text = finish(machine, 900 if subject.long else 300)
        for number in range(2):
            if create is qcow2_image:
                tool("qemu-img", "check", "-q", f"{scratch}/{number}.img")
                tool("qemu-img", "convert", "-l", "empty", "-O", "raw", f"{scratch}/{number}.img",
                     f"{scratch}/empty")
                tool("cmp", "-n", str(size << 20), f"{scratch}/empty", "/dev/zero")
    for disk in ("vda", "vdb"):
        check(f"{disk} verified" in text, f"{disk} not verified", text)
    return text


def check_vectors(text: str, table: int) -> None:
    """Check that both disks use MSI-X with a table of this size, and interrupt through the vector
    of a queue. The guest has one hart, so its driver uses one queue per disk."""
    found = re.findall(r"MSI-X: Enable([+-]) Count=(\d+)", text)
    check(found == [("+", str(table))] * 2, f"lspci shows MSI-X {found}", text)
    counts = re.findall(r"(\d+) +PCI-MSIX\S* +\d+ +\w+ +virtio\d-req", text)
    check(len(counts) == 2 and "0" not in counts, f"queues interrupted {counts} times", text)


# vda has snapshot=on, vdb has media=cdrom, vdc has a probed format.
PROTECTED_SCRIPT = r"""
set -e
cd /mnt
if mount -t ext4 /dev/vda .; then
    cd /mnt; md5sum -c sum; exit 0
fi
mkfs.ext4 -q /dev/vda; mount -t ext4 /dev/vda .
(cd /mnt; dd if=/dev/urandom of=data bs=1M count=8; md5sum data >sum); umount .
echo vdb ro $(cat /sys/block/vdb/ro)
cat sum >/dev/vdb || echo vdb refused
(printf 'QFI\373\0\0\0\3'; cat /init /init /init) >/q
w() { dd of=/dev/vdc bs=$1 count=1 oflag=direct $2 && echo wrote $1 $2; }
for n in 512 1024 4096; do w $n </q || echo refused $n; done
w 4096 </init
w 512 seek=1 </q
reboot -f
"""


@test
def disk_protected(subject: Subject) -> None:
    """A write to a disk with snapshot=on survives a reboot and does not change the image. A disk
    with media=cdrom is not writable. A disk probed as raw stays raw."""
    with tempfile.TemporaryDirectory() as scratch:
        images = [f"{scratch}/{name}.img" for name in ("snapshot", "cdrom", "guessed")]
        for name in images:
            with open(name, "wb") as image:
                image.truncate(48 << 20)
        args = arguments(machine=subject.msi_machine, run=PROTECTED_SCRIPT)
        for name, options in zip(images, (",format=raw,snapshot=on", ",format=raw,media=cdrom", "")):
            args += ["-drive", f"file={name},if=virtio{options}"]
        with Emulator(subject.program, args, qmp=False, echo=subject.echo) as machine:
            machine.expect("^BACKPLANE-INIT", 120)
            first = machine.seen
            machine.expect("^wrote 512 seek=1", 120)
            text = machine.console[first:machine.seen] + finish(machine)
        for line in ("data: OK", "vdb ro 1", "vdb refused", "refused 512", "refused 1024",
                     "refused 4096", "wrote 4096"):
            check(line in text, f"no '{line}'", text)
        for name in images[:2]:
            with open(name, "rb") as image:
                check(not any(image.read()), f"{name} was changed", text)


@test
def disk_ext4(subject: Subject) -> None:
    """Two virtio disks with an interrupt vector per queue, if MSI works."""
    text = disks(subject, "")
    if not subject.is_qemu:
        check_vectors(text, 2)


@test
def disk_ext4_qcow2(subject: Subject) -> None:
    """Two virtio disks in format qcow2, with backing files, lazy reference counts and discards."""
    if not shutil.which("qemu-img"):
        raise Skip("qemu-img is not installed")
    disks(subject, "", qcow2_image)


@test
def disk_ext4_nbd(subject: Subject) -> None:
    """Two virtio disks on NBD servers (qemu-nbd)."""
    if not shutil.which("qemu-nbd"):
        raise Skip("qemu-nbd is not installed")
    with ExitStack() as servers:
        def create(path: str, size: int) -> str:
            raw_image(path, size)
            servers.callback(end, subprocess.Popen(["qemu-nbd", "-t", "-k", f"{path}.sock", "-f", "raw", path]))
            return f"discard=unmap,format=raw,file.open-timeout=60,file=nbd+unix:///?socket={path}.sock"

        disks(subject, "", create)


@test
def disk_ext4_queues(subject: Subject) -> None:
    """Two virtio disks with four queues and a vector for each."""
    subject.need_aia()
    check_vectors(disks(subject, ",num-queues=4"), 5)


@test
def disk_ext4_intx(subject: Subject) -> None:
    """Two virtio disks over INTx (vectors=0)."""
    text = disks(subject, ",vectors=0")
    check("PCI-MSI" not in text and "MSI-X" not in text, "MSI in use", text)
    check(len(re.findall(r"[1-9]\d* +\S+ +\d+ +Level +.*virtio\d", text)) > 0, "no INTx", text)


@test
def disk_ext4_packed(subject: Subject) -> None:
    """Two virtio disks with packed rings, over MSI-X and over INTx."""
    disks(subject, ",packed=on")
    disks(subject, ",packed=on,vectors=0")
