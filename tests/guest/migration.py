# SPDX-License-Identifier: GPL-2.0-or-later
"""Live migration of a guest under load, and plugging and unplugging meanwhile."""

import re
import resource
import tempfile

from emulator import Emulator, Qmp
from guest import MSI_MACHINE, Skip, arguments, need_devices, shell_ready, ticks
from slots import SLOT_OF, SlotMachine, slot_machine
from subject import TICKER, Subject, check, test


@test
def live_migration(subject: Subject) -> None:
    """A guest under load migrates to a process started without device arguments, and continues."""
    if subject.is_qemu:
        raise Skip("QEMU's -incoming needs the complete machine on its command line")
    devices = ["-device", "pcie-root-port,id=rp,addr=02.0", "-device", TICKER + ",bus=pcie.0",
               "-device", "virtio-rng-pci,bus=rp"]
    need_devices(subject.program, devices)
    with tempfile.TemporaryDirectory() as scratch:
        uri = f"unix:{scratch}/stream"
        args = arguments("hotplug", machine=MSI_MACHINE) + devices
        with Emulator(subject.program, args, echo=subject.echo) as source:
            shell_ready(source)
            source.shell("modprobe bpdrv; sh /scripts/load 4 >/tmp/ticks 2>&1 </dev/null &")
            before, _ = ticks(source, 0)
            bus = source.shell("lspci -tv")
            with Emulator(subject.program, ["-incoming", uri], echo=subject.echo) as target:
                target.qmp.command("query-status")      # the target listens
                source.qmp.command("migrate", uri=uri)
                source.migrated()
                check(target.shell("lspci -tv") == bus, "another bus", target.console[-2000:])
                after, bad = ticks(target, before + 3)
                check(after > before + 3 and not bad, f"{after} rounds, {bad} bad", "")
                report = "cat /sys/bus/pci/drivers/bpdrv/*/report"
                first = int(re.search(r"irqs=(\d+)", target.shell(report))[1])
                target.shell_value("20 more interrupts of ticker", report, lambda text: int(
                    re.search(r"irqs=(\d+)", text)[1]) > first + 20)


def move(source: Emulator, uri: str) -> None:
    """Migrate and wait for completion."""
    source.qmp.command("migrate", uri=uri)
    source.migrated()


def reboots(guest: Emulator, ways: list[str]) -> None:
    """Check that the guest boots again with the same command line."""
    line = guest.shell("cat /proc/cmdline")
    for way in ways:
        if way == "guest":
            guest.send("reboot -f\n")
        else:
            guest.qmp.command(way)
        shell_ready(guest)
        check(guest.shell("cat /proc/cmdline") == line, f"another command line after {way}", "")
    check("warning" not in guest.errors, "a warning", guest.errors)


def reboot_after(subject: Subject, scheme: str, ways: list[str], cold: bool) -> None:
    """Boot, migrate, and reboot on the target; then boot from the target's description."""
    if subject.is_qemu:
        raise Skip("QEMU's -incoming needs the complete machine on its command line")
    with tempfile.TemporaryDirectory() as scratch:
        uri = {"unix": f"unix:{scratch}/stream", "file": f"file:{scratch}/stream",
               "tcp": "tcp:127.0.0.1:0"}[scheme]
        with Emulator(subject.program, arguments(append="x.y=z"), echo=subject.echo) as source:
            shell_ready(source)
            if scheme == "file":
                move(source, uri)
            with Emulator(subject.program, ["-incoming", uri], echo=subject.echo) as target:
                if scheme == "tcp":
                    where = target.qmp.command("query-migrate")["socket-address"][0]
                    uri = f"tcp:{where['host']}:{where['port']}"
                target.qmp.command("query-status")      # the target listens
                if scheme != "file":
                    move(source, uri)
                target.migrated()
                reboots(target, ways)
                target.qmp.command("dump-machine", filename=f"{scratch}/machine.json")
        if cold:
            with Emulator(subject.program, ["-machine-config", f"{scratch}/machine.json"],
                          echo=subject.echo) as again:
                shell_ready(again)
                reboots(again, [])


@test
def reboot_after_migration(subject: Subject) -> None:
    """A guest started with -kernel, -initrd and -append reboots on the target (unix socket)."""
    reboot_after(subject, "unix", ["guest"], cold=True)


@test
def reboot_after_tcp(subject: Subject) -> None:
    """Like test reboot-after-migration over TCP, with a reboot by the guest and one by the monitor.
    """
    reboot_after(subject, "tcp", ["guest", "system_reset"], cold=False)


@test
def reboot_after_snapshot(subject: Subject) -> None:
    """Like test reboot-after-migration, from a file."""
    reboot_after(subject, "file", ["system_reset", "guest"], cold=True)


@test
def migrate_stopped_disk(subject: Subject) -> None:
    """A write that the host disk fails stops the guest. It completes on the target after migration.
    """
    if subject.is_qemu:
        raise Skip("QEMU's -incoming needs the complete machine on its command line")
    device = ["-device", "virtio-blk-pci,drive=d"]
    need_devices(subject.program, device)
    with tempfile.TemporaryDirectory() as scratch:
        with open(f"{scratch}/disk", "wb") as image:
            image.truncate(1 << 20)
        disk = ["-drive", f"if=none,id=d,format=raw,file={scratch}/disk,werror=stop"]
        uri = f"unix:{scratch}/stream"
        with Emulator(subject.program, arguments() + disk + device, echo=subject.echo) as source:
            shell_ready(source)
            source.shell("head -c 524288 /dev/urandom >/tmp/data")
            resource.prlimit(source.proc.pid, resource.RLIMIT_FSIZE, (300000, -1))
            source.qmp.command("query-status")  # connects: an event before that would be lost
            source.send("dd if=/tmp/data of=/dev/vda bs=64k conv=fsync && echo @ok || echo @not\n")
            source.qmp.wait_event("STOP", 60)
            status = source.qmp.command("query-status")
            check(status["status"] == "io-error", "the guest did not stop", str(status))
            with Emulator(subject.program, disk + ["-incoming", uri], echo=subject.echo) as target:
                target.qmp.command("query-status")
                source.qmp.command("migrate", uri=uri)
                source.migrated()
                target.migrated()
                status = target.qmp.command("query-status")
                check(status["status"] == "io-error", "the disk's state differs",
                      str(status))
                target.qmp.command("cont")
                check(target.expect("^@(ok|not)", 60)[1] == "ok", "the write failed", "")
                sums = re.findall(r"\b[0-9a-f]{32}\b", target.shell(
                    "md5sum </tmp/data; echo 3 >/proc/sys/vm/drop_caches; "
                    "head -c 524288 /dev/vda | md5sum"))
                check(len(sums) == 2 and sums[0] == sums[1], "the disk has something else",
                      str(sums))


class Pair:
    """A guest, and a second process that waits for it."""

    def __init__(self, source: SlotMachine, target: Emulator, uri: str) -> None:
        self.source, self.target, self.uri = source, target, uri

    def start(self) -> None:
        """Start a migration that does not converge."""
        self.source.qmp.command("migrate-set-parameters", **{"max-bandwidth": 1 << 20})
        self.source.qmp.command("migrate", uri=self.uri)
        self.wait("active")

    def wait(self, wanted: str) -> None:
        """Wait for the migration to be in a state."""
        self.source.migrated(wanted)

    def finish(self) -> None:
        """Let the migration complete."""
        self.source.qmp.command("migrate-set-parameters", **{"max-bandwidth": 1 << 34})
        self.wait("completed")


def refused_while_moving(qmp: Qmp, name: str) -> None:
    """Plugging and unplugging are rejected with one message each while a migration runs."""
    for command, arguments_ in (
            ("device_add", {"driver": "virtio-rng-pci", "id": "r", "bus": "rp1"}),
            ("device_del", {"id": name}), ("unplug-request", {"id": name}),
            ("unplug-cancel", {"id": name}), ("unplug-force", {"id": name})):
        error = qmp.raw(command, arguments_).get("error", {"desc": "accepted"})
        check("migrat" in error["desc"] and "\n" not in error["desc"], f"{command} while it moves",
              str(error))


def has(machine: Emulator, name: str) -> bool:
    """Return true if a device exists."""
    nodes = machine.qmp.command("qom-list", path="/machine/peripheral")
    return any(node["name"] == name for node in nodes)


def deleted_events(machine: Emulator, name: str) -> int:
    """Return how often DEVICE_DELETED was reported for a device."""
    machine.qmp.command("query-status")
    return sum(e["event"] == "DEVICE_DELETED" and e["data"].get("device") == name
               for e in machine.qmp.events)


def eject_while_moving(pair: Pair) -> None:
    """Request an unplug before the migration, and let the guest eject the device during it."""
    pair.source.qmp.command("device_del", id="rng")
    pair.start()
    refused_while_moving(pair.source.qmp, "rng")
    pair.source.shell(f"echo 0 >/sys/bus/pci/slots/{SLOT_OF['rp0']}/power", 60)
    check(pair.source.jobs()["rng"] == "powered-off", "the guest did not eject the device",
          str(pair.source.jobs()))
    check(has(pair.source, "rng"), "the device was removed during the migration", "")


@test
def migrate_eject(subject: Subject) -> None:
    """A guest ejects a device during migration. The device is removed on the host that ends up
    owning the guest and only there: on the source if the migration is cancelled."""
    if subject.is_qemu:
        raise Skip("QEMU's -incoming needs the complete machine on its command line")
    with tempfile.TemporaryDirectory() as scratch:
        uri = f"unix:{scratch}/stream"
        extra = ["-device", "virtio-rng-pci,id=rng,bus=rp0"]
        ports = ["rp0", "rp1"]
        with (slot_machine(subject, scratch, ports, [], extra, disk=False) as source,
              Emulator(subject.program, ["-incoming", uri], echo=subject.echo) as target):
            target.qmp.command("query-status")      # the target listens
            pair = Pair(source, target, uri)
            eject_while_moving(pair)
            pair.finish()
            target.qmp.wait_event("DEVICE_DELETED")
            check(not has(target, "rng"), "still there on the other side", "")
            check(has(source, "rng") and not deleted_events(source, "rng"),
                  "removed on the source, too", "")
            text = target.shell("lspci -n; cat /sys/bus/pci/slots/1/power")
            check("1af4:1044" not in text, "the guest still sees it", text)
            target.qmp.command("device_add", driver="virtio-rng-pci", id="r2", bus="rp0")
            target.shell("until_true 'lspci -n | grep -q 1af4:1044'", 60)
        with (slot_machine(subject, scratch, ports, [], extra, disk=False) as source,
              Emulator(subject.program, ["-incoming", uri], echo=subject.echo) as target):
            target.qmp.command("query-status")
            eject_while_moving(Pair(source, target, uri))
            source.qmp.command("migrate_cancel")
            source.deleted({"rng"}, 10)
            source.qmp.command("device_add", driver="virtio-rng-pci", id="r2", bus="rp0")
            source.shell("until_true 'lspci -n | grep -q 1af4:1044'", 60)
