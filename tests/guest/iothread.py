# SPDX-License-Identifier: GPL-2.0-or-later
"""I/O threads: disks whose requests run in threads, stopped, migrated, resized and unplugged under I/O."""

import tempfile
from pathlib import Path

from emulator import Emulator
from guest import MSI_MACHINE, Skip, arguments, need_devices, shell_ready
from images import empty_qcow2
from scsi import LOAD, SIZE, plug_controller, plug_disk, rounds
from subject import Subject, check, test

DISKS = ("vda", "vdb", "sda")


def disks(scratch: str, one: str, two: str) -> list[str]:
    """Return two threads, two virtio-blk disks (raw, qcow2) that share the first, and a SCSI
    controller with a disk."""
    return ["-object", f"iothread,id={one}", "-object", f"iothread,id={two},poll-max-ns=0",
            "-drive", f"if=none,id=a,file={scratch}/a.img,format=raw,aio=threads",
            "-drive", f"if=none,id=b,file={scratch}/b.qcow2,format=qcow2",
            "-drive", f"if=none,id=c,file={scratch}/c.img,format=raw",
            "-device", "pcie-root-port,id=rp,chassis=1,addr=2",
            "-device", f"virtio-blk-pci,id=blk-a,drive=a,iothread={one}",
            "-device", f"virtio-blk-pci,id=blk-b,drive=b,iothread={one}",
            "-device", f"virtio-scsi-pci,id=s0,iothread={two}",
            "-device", "scsi-hd,drive=c,bus=s0.0,scsi-id=0,lun=0"]


def cpu_ns(machine: Emulator) -> dict[str, int]:
    """Return the CPU time of each I/O thread in ns, by the id of its object."""
    folder = Path(f"/proc/{machine.proc.pid}/task")
    return {row["id"]: int((folder / str(row["thread-id"]) / "schedstat").read_text().split()[0])
            for row in machine.qmp.command("query-iothreads")}


def more_rounds(machine: Emulator) -> None:
    """Wait for two more verified rounds of I/O of each disk, which the threads must have handled."""
    before = cpu_ns(machine)
    for disk in DISKS:
        rounds(machine, disk, rounds(machine, disk, 0) + 1)
    for name, used in cpu_ns(machine).items():
        check(used > before[name], f"thread {name} was idle", str(before))


def disturb(machine: Emulator) -> None:
    """Stop, limit, resize and query under I/O."""
    qmp = machine.qmp
    qmp.command("stop")
    check(all(row["stats"]["rd_bytes"] > 0 for row in qmp.command("query-blockstats")
              if row.get("device")), "no I/O", "")
    qmp.command("cont")
    qmp.command("block_resize", device="a", size=2 * SIZE)
    qmp.command("block_set_io_throttle", device="b", bps=0, bps_rd=0, bps_wr=0, iops=200,
                iops_rd=0, iops_wr=0)
    more_rounds(machine)
    qmp.command("block_set_io_throttle", device="b", bps=0, bps_rd=0, bps_wr=0, iops=0,
                iops_rd=0, iops_wr=0)
    answer = qmp.raw("object-del", {"id": next(iter(cpu_ns(machine)))})
    check("is in use by" in answer["error"]["desc"], "a used thread was removed", str(answer))


@test
def iothread_disks(subject: Subject) -> None:
    """Disks with I/O threads under a stop, limits, a resize, unplugs and a migration with I/O."""
    if subject.is_qemu:
        raise Skip("QEMU has no share of CPU time to check here")
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("a", "c", "hot"):
            with open(f"{scratch}/{name}.img", "wb") as image:
                image.truncate(SIZE)
        Path(f"{scratch}/b.qcow2").write_bytes(empty_qcow2(SIZE))
        args = arguments(machine=MSI_MACHINE) + disks(scratch, "io0", "io1")
        need_devices(subject.program, args)
        with Emulator(subject.program, args, echo=subject.echo) as source:
            shell_ready(source)
            source.shell(LOAD)
            for disk in DISKS:
                source.shell(f"sh /tmp/io {disk} >/dev/null 2>&1 </dev/null &")
            more_rounds(source)
            disturb(source)
            plug_disk(source, f"{scratch}/hot.img", 1)
            plug_controller(source, f"{scratch}/hot.img", 2, iothread="io0")
            uri = f"unix:{scratch}/stream"
            with Emulator(subject.program, arguments(machine=MSI_MACHINE) +
                          disks(scratch, "other0", "other1") + ["-incoming", uri],
                          echo=subject.echo) as target:
                target.qmp.command("query-status")      # the target listens
                source.qmp.command("migrate", uri=uri)
                source.migrated()
                more_rounds(target)
                plug_disk(target, f"{scratch}/hot.img", 3)
                target.shell("touch /tmp/stop")
                for disk in DISKS:
                    target.shell_until(f"grep -q end /tmp/log{disk}", 60)
                    check("BAD" not in target.shell(f"cat /tmp/log{disk}"), "other data", "")
                check("error" not in target.shell("dmesg | grep -E 'vd[ab]|sda' || true"), "I/O error", "")
