# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian tests: a Debian system (scripts/build-guest-root) boots to a login from each type of disk, through EDK2 and
GRUB or through U-Boot, and migrates while it writes."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import material
from emulator import Emulator
from guest import Skip, need_devices
from subject import TESTS, Subject, check
from waiting import end, listening, until

MIB = 1 << 20
ROOT_START = 65 * MIB       # of the root file system: scripts/build-guest-root
LOGIN_PROMPT = "^debian login: $"
NODE = "root-disk"          # the block node of the system disk
# The options of each disk, as people type them.
DEVICES = {
    "virtio-blk-pci": ["-device", f"virtio-blk-pci,drive={NODE},bootindex=1"],
    "virtio-blk-device": ["-device", f"virtio-blk-device,drive={NODE},bootindex=1"],
    "nvme": ["-device", f"nvme,serial=debian,drive={NODE},bootindex=1"],
    "virtio-scsi": ["-device", "virtio-scsi-pci,id=scsi", "-device", f"scsi-hd,drive={NODE},bus=scsi.0,bootindex=1"],
}


@dataclass(frozen=True)
class Boot:
    """A combination of firmware, disk and image format."""
    firmware: str       # "edk2" in flash or "uboot" in S-mode starts GRUB. "extlinux": U-Boot reads extlinux.conf
    device: str         # of DEVICES
    format: str = "raw"
    nbd: bool = False   # qemu-nbd exports the image

    @property
    def name(self) -> str:
        """Return the name of the test."""
        return (f"debian-{self.firmware}-{self.device}" + ("" if self.format == "raw" else f"-{self.format}") +
                ("-nbd" if self.nbd else ""))

    def firmware_options(self, scratch: Path) -> list[str]:
        """Return the options of the firmware. EDK2 gets a copy of the file for its variables."""
        bios = ["-bios", str(material.opensbi("1.6"))]
        if self.firmware != "edk2":
            return ["-M", "virt", *bios, "-kernel", str(material.uboot())]
        code, variables = material.edk2()
        shutil.copy(variables, scratch / "vars.fd")
        return ["-M", "virt,acpi=off", *bios,
                "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
                "-drive", f"if=pflash,unit=1,format=raw,file={scratch}/vars.fd"]

    def disk(self, scratch: Path) -> Path:
        """Create the disk: a copy, or a qcow2 image with the file of the cache as its backing file."""
        disk = scratch / f"disk.{self.format}"
        if self.format == "qcow2":
            run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", material.debian_root(), disk)
        else:
            run("cp", "--sparse=always", "--reflink=auto", material.debian_root(), disk)
        return disk

    def options(self, scratch: Path, disk: Path) -> list[str]:
        """Return the command line."""
        back_end = f"format={self.format},file={disk}"
        if self.nbd:
            back_end = f"format=raw,file=nbd+unix:///?socket={scratch}/nbd"
        return self.firmware_options(scratch) + [
            "-m", "512", "-drive", f"if=none,id={NODE},{back_end}", *DEVICES[self.device],
            "-netdev", "user,id=net0", "-device", "virtio-net-pci,netdev=net0",
            "-device", "virtio-rng-pci", "-device", "virtio-keyboard-pci"]


@contextmanager
def served(boot: Boot, scratch: Path, disk: Path) -> Iterator[None]:
    """Export the disk of a combination with NBD. Source and target of a migration are connected at the same time."""
    if not boot.nbd:
        yield
        return
    server = subprocess.Popen(["qemu-nbd", "-t", "-e", "2", "-k", f"{scratch}/nbd", "-f", boot.format, str(disk)])
    try:
        until("qemu-nbd to listen", lambda: listening(scratch / "nbd"))
        yield
    finally:
        end(server, 60)


def run(*command: str | Path) -> str:
    """Run a program of the host that must succeed. Return its output."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    check(done.returncode == 0, f"{command[0]} ended with status {done.returncode}", done.stdout)
    return done.stdout


def choose_extlinux(boot: Boot, machine: Emulator) -> None:
    """Let U-Boot start the kernel of extlinux.conf. By itself it starts the EFI program of the first partition."""
    bus = "nvme" if boot.device == "nvme" else "virtio"
    machine.expect("Hit any key to stop autoboot", 60)
    machine.send("\n")
    machine.expect("^=> $", 60)
    machine.send(f"{bus} scan; sysboot {bus} 0:2 any ${{scriptaddr}} /boot/extlinux/extlinux.conf\n")


def log_in(boot: Boot, machine: Emulator) -> None:
    """Wait for the login prompt and log in. Restrict the terminal to the output of commands."""
    if boot.firmware == "extlinux":
        choose_extlinux(boot, machine)
    machine.expect(LOGIN_PROMPT, 400)
    machine.send("root\n")
    machine.expect("^Password: ", 60)
    machine.send("backplane\n")
    machine.expect("root@debian:~# ", 60)
    machine.send("dmesg -n 1; stty -echo; exec env PS1= PS2= sh\n")    # sh has no line editor
    machine.send("set +m; echo '@'ready\n")
    machine.expect("@ready", 60)
    machine.shell("true", 60)


def power_off(machine: Emulator) -> None:
    """Press the power button, and wait until systemd has shut the system down."""
    machine.qmp.command("system_powerdown")
    machine.expect("reboot: Power down", 180)
    status = machine.wait(60)
    check(status == 0, f"the emulator ended with status {status}", machine.console[-2000:])


def check_file_systems(boot: Boot, scratch: Path, disk: Path) -> None:
    """Check the image and both of its file systems on the host."""
    raw = disk
    if boot.format == "qcow2":
        run("qemu-img", "check", "-q", disk)
        raw = scratch / "checked.raw"
        run("qemu-img", "convert", "-O", "raw", disk, raw)
    text = run("e2fsck", "-f", "-n", f"{raw}?offset={ROOT_START}")
    check("recovering journal" not in text, "the file system was not unmounted", text)


def check_system(boot: Boot, machine: Emulator) -> None:
    """Check that the intended boot loader started the system, that systemd started it without a failed unit, and that
    the network works."""
    line = machine.shell("cat /proc/cmdline")
    loader = "extlinux" if boot.firmware == "extlinux" else "grub"
    check(f"backplane.loader={loader}" in line, f"not started by {loader}", line)
    state = machine.shell("systemctl is-system-running --wait || true; systemctl --failed --no-legend", 120)
    check(state.strip() == "running", "failed units", state)
    machine.shell_until("ip -4 addr show scope global | grep -q 'inet 10.0.2.15'", 60)
    machine.shell("ping -c 1 -W 20 10.0.2.2", 60)


@contextmanager
def started(boot: Boot, subject: Subject, options: list[str]) -> Iterator[Emulator]:
    """Boot the system and log in."""
    with Emulator(subject.program, options, echo=subject.echo) as machine:
        log_in(boot, machine)
        check_system(boot, machine)
        yield machine


def migrated_under_load(boot: Boot, subject: Subject, scratch: Path, stack: ExitStack, options: list[str],
                        size: int) -> Emulator:
    """Boot, write at random places and migrate meanwhile. Return the target after the writes have ended."""
    source = stack.enter_context(started(boot, subject, options))
    source.shell(f"random-io /var/tmp/data {size} 7 >/tmp/log 2>&1 &")
    source.shell_until("grep -q at /tmp/log", 60)
    uri = f"unix:{scratch}/stream"
    target = stack.enter_context(Emulator(subject.program, [*options, "-incoming", uri], echo=subject.echo))
    until("the target to listen", lambda: target.qmp.command("query-status")["status"] == "inmigrate", 30)
    check("wrote" not in source.shell("cat /tmp/log"), "the writes have ended before the migration", "")
    source.qmp.command("migrate", uri=uri)
    source.migrated(timeout=300)
    source.qmp.command("quit")
    target.shell_until("grep -q -e 'random-io: wrote' -e BAD -e : /tmp/log", 60)
    target.shell_until("! pidof random-io >/dev/null", 1200)
    text = target.shell("cat /tmp/log")
    check(f"random-io: wrote and verified {size} MiB" in text, "wrong data", text)
    return target


def debian(boot: Boot, subject: Subject) -> None:
    """Boot, migrate under I/O, verify the data, power off, and check the file system. With --long the data is verified
    after a reboot."""
    if (boot.format == "qcow2" or boot.nbd) and not shutil.which("qemu-nbd"):
        raise Skip("qemu-utils is not installed")
    size = 512 if subject.long else 32      # each MiB is written once and read at least twice
    with tempfile.TemporaryDirectory(dir=material.cache_dir()) as name, ExitStack() as stack:
        scratch = Path(name)
        try:
            disk = boot.disk(scratch)
            options = boot.options(scratch, disk)
        except material.MaterialError as error:
            raise Skip(str(error)) from None
        need_devices(subject.program, options)
        server = stack.enter_context(ExitStack())
        server.enter_context(served(boot, scratch, disk))
        if subject.is_qemu:
            target = stack.enter_context(started(boot, subject, options))
            target.shell(f"random-io /var/tmp/data {size} 7", 1200)
        else:
            target = migrated_under_load(boot, subject, scratch, stack, options, size)
        if subject.long:
            target.send("systemctl reboot\n")
            log_in(boot, target)
        target.shell(f"random-io --verify /var/tmp/data {size} 7", 1200)
        power_off(target)
        server.close()
        check_file_systems(boot, scratch, disk)


BOOTS = [Boot("edk2", "virtio-blk-pci"), Boot("edk2", "virtio-blk-device"), Boot("edk2", "virtio-scsi"),
         Boot("edk2", "virtio-scsi", "qcow2"), Boot("uboot", "virtio-blk-pci"), Boot("uboot", "virtio-blk-device"),
         Boot("edk2", "nvme"), Boot("uboot", "nvme"), Boot("uboot", "virtio-blk-pci", "qcow2"), Boot("extlinux", "virtio-blk-pci"),
         Boot("edk2", "virtio-blk-pci", "qcow2", nbd=True)]


def register(boot: Boot) -> None:
    """Register the test of a combination."""
    def run_test(subject: Subject) -> None:
        debian(boot, subject)
    run_test.__doc__ = f"Debian boots from {boot.device} ({boot.format}{' over NBD' if boot.nbd else ''}) through {boot.firmware} and migrates under I/O."
    TESTS[boot.name] = run_test


for one in BOOTS:
    register(one)
