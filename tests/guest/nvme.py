# SPDX-License-Identifier: GPL-2.0-or-later
"""NVMe tests: a controller under a file system, migrated under I/O, plugged and pulled out; namespaces that are
plugged."""

import tempfile

from emulator import Emulator
from guest import MSI_MACHINE, Skip, arguments, finish, need_devices, shell_ready
from scsi import LOAD, rounds
from subject import Subject, check, test

SIZE = 48 << 20
# The first boot fills a file system and reboots; the second verifies it.
DISK_SCRIPT = """
set -e
cd /mnt
if mount -t ext4 /dev/nvme0n1 . 2>/dev/null; then
    cd /mnt; md5sum -c sum; fstrim -v /mnt | cut -d: -f1
    grep -E 'nvme0q' /proc/interrupts; cat /sys/class/nvme/nvme0/model
    cat /sys/block/nvme0n1/queue/write_cache; exit 0
fi
mkfs.ext4 -q /dev/nvme0n1; mount -t ext4 /dev/nvme0n1 .
(cd /mnt; dd if=/dev/urandom of=data bs=1M count=%d 2>/dev/null; md5sum data >sum); umount .
reboot -f
"""


def disk_args(scratch: str, name: str = "disk", options: str = "") -> list[str]:
    """Return a controller with a disk."""
    with open(f"{scratch}/{name}.img", "wb") as image:
        image.truncate(SIZE)
    return ["-drive", f"if=none,id={name},file={scratch}/{name}.img,format=raw", "-device",
            f"nvme,id=c-{name},serial={name},drive={name}{options}"]


def run_disk(subject: Subject, machine: str, options: str) -> str:
    """Run ext4 on a disk: write, reboot, verify. Return the console output."""
    with tempfile.TemporaryDirectory() as scratch:
        args = arguments(machine=machine, run=DISK_SCRIPT % 8)
        args += disk_args(scratch, options=options)
        need_devices(subject.program, args)
        with Emulator(subject.program, args, qmp=False, echo=subject.echo) as guest:
            guest.expect("^BACKPLANE-INIT", 120)
            text = finish(guest, 300)
    for line in ("data: OK", "/mnt", "QEMU NVMe Ctrl", "write back"):
        check(line in text, f"no '{line}'", text)
    return text


@test
def nvme_disk(subject: Subject) -> None:
    """A file system over MSI-X, with the queues of the driver."""
    text = run_disk(subject, subject.msi_machine, "")
    check("nvme0q1" in text, "no I/O queue", text)


@test
def nvme_disk_intx(subject: Subject) -> None:
    """A file system over the interrupt pin."""
    if subject.is_qemu:
        raise Skip("QEMU's nvme has no property that removes MSI-X")
    run_disk(subject, "virt,aia=none", ",msix=off")


@test
def nvme_migration(subject: Subject) -> None:
    """A migration under I/O, then a disk that is plugged and pulled out under I/O."""
    if subject.is_qemu:
        raise Skip("QEMU's -incoming needs the complete machine on its command line")
    with tempfile.TemporaryDirectory() as scratch:
        uri = f"unix:{scratch}/stream"
        args = arguments(machine=MSI_MACHINE) + ["-device", "pcie-root-port,id=rp,chassis=1"]
        disk = disk_args(scratch)
        need_devices(subject.program, args + disk)
        with Emulator(subject.program, args + disk, echo=subject.echo) as source:
            shell_ready(source)
            source.shell(LOAD + "sh /tmp/io nvme0n1 >/dev/null 2>&1 </dev/null &")
            before = rounds(source, "nvme0n1", 1)
            with Emulator(subject.program, ["-incoming", uri, *disk[:2]],
                          echo=subject.echo) as target:
                target.qmp.command("query-status")      # the target listens
                source.qmp.command("migrate", uri=uri)
                source.migrated()
                rounds(target, "nvme0n1", before + 1)
                pull_out(target, scratch)
                target.shell("touch /tmp/stop")
                rounds(target, "nvme0n1", before + 2)
                check("error" not in target.shell("dmesg | grep 'nvme0n1' || true"),
                      "an I/O error", "")


def pull_out(machine: Emulator, scratch: str) -> None:
    """Plug a controller into a port, and remove it without asking while I/O runs."""
    qmp = machine.qmp
    with open(f"{scratch}/hot.img", "wb") as image:
        image.truncate(SIZE)
    qmp.command("blockdev-add", **{"driver": "raw", "node-name": "hot",
                                   "file": {"driver": "file", "filename": f"{scratch}/hot.img"}})
    qmp.command("device_add", driver="nvme", id="n", serial="hot", drive="hot", bus="rp")
    # the kernel has no driver for the slot: switch its power on, as the driver would
    machine.shell("setpci -s 01.0 CAP_EXP+18.w=0:400; sleep 1; echo 1 >/sys/bus/pci/rescan")
    machine.shell_until("[ -b /dev/nvme1n1 ]", 60)
    machine.shell("sh /tmp/io nvme1n1 >/dev/null 2>&1 </dev/null &")
    rounds(machine, "nvme1n1", 1)
    qmp.command("unplug-force", id="n")
    qmp.wait_event("DEVICE_DELETED", 30)
    machine.shell("echo 1 >/sys/bus/pci/devices/0000:01:00.0/remove")
    machine.shell_until("[ ! -e /dev/nvme1n1 ]", 90)
    check("BAD" not in machine.shell("cat /tmp/lognvme1n1"), "other data were read", "")
    qmp.command("blockdev-del", **{"node-name": "hot"})


def namespace(scratch: str, name: str, options: str) -> list[str]:
    """Return a namespace with a disk."""
    with open(f"{scratch}/{name}.img", "wb") as image:
        image.truncate(SIZE)
    return ["-drive", f"if=none,id={name},file={scratch}/{name}.img,format=raw", "-device",
            f"nvme-ns,id=ns-{name},drive={name}{options}"]


@test
def nvme_namespaces(subject: Subject) -> None:
    """Namespaces of one controller, migrated under I/O, then plugged and unplugged."""
    if subject.is_qemu:
        raise Skip("QEMU's -incoming needs the complete machine on its command line")
    with tempfile.TemporaryDirectory() as scratch:
        uri = f"unix:{scratch}/stream"
        args = arguments(machine=MSI_MACHINE) + ["-device", "nvme,id=c,serial=s"]
        first, second = namespace(scratch, "a", ""), namespace(scratch, "b", ",bus=c,nsid=7")
        hot = namespace(scratch, "h", "")[:2]
        need_devices(subject.program, args + first)
        with Emulator(subject.program, args + first + second + hot, echo=subject.echo) as source:
            shell_ready(source)
            # Linux finds the namespaces in any order, and counts the names itself. It ignores the UUIDs of this controller.
            source.shell_value("the identifiers", "cat /sys/block/nvme0n1/nsid /sys/block/nvme0n2/nsid",
                               lambda text: sorted(text.split()) == ["1", "7"], 60)
            source.shell(LOAD + "for d in nvme0n1 nvme0n2; do sh /tmp/io $d >/dev/null 2>&1 </dev/null & done")
            before = [rounds(source, disk, 1) for disk in ("nvme0n1", "nvme0n2")]
            with Emulator(subject.program, ["-incoming", uri, *first[:2], *second[:2], *hot], echo=subject.echo) as target:
                target.qmp.command("query-status")      # the target listens
                source.qmp.command("migrate", uri=uri)
                source.migrated()
                for disk, count in zip(("nvme0n1", "nvme0n2"), before):
                    rounds(target, disk, count + 1)
                for _ in range(3):
                    target.qmp.command("device_add", driver="nvme-ns", id="hot", drive="h", bus="c")
                    target.shell_until("[ -b /dev/nvme0n3 ]", 60)
                    target.shell("dd if=/dev/urandom of=/dev/nvme0n3 bs=1M count=4 conv=fsync 2>/dev/null")
                    target.qmp.command("device_del", id="hot")
                    target.qmp.wait_event("DEVICE_DELETED", 30)
                    target.shell_until("[ ! -e /dev/nvme0n3 ]", 60)
                target.shell("touch /tmp/stop")
                check("BAD" not in target.shell("cat /tmp/lognvme0n1 /tmp/lognvme0n2"), "other data were read", "")
