# SPDX-License-Identifier: GPL-2.0-or-later
"""Boot tests: firmware, kernels, interrupt controllers, clock, console, power-off and reset."""

import re
import subprocess
import tempfile
from pathlib import Path

import material
from emulator import Emulator
from guest import Skip, arguments, shell_ready
from subject import Subject, check, test

PLIC_SOURCE = Path(__file__).parent / "plic.c"


@test
def boot_opensbi_1__6(subject: Subject) -> None:
    """Debian's 6.12 kernel boots on the default machine under trixie's OpenSBI, with the PLIC."""
    text = subject.boot(arguments(run="uname -sr; cat /proc/interrupts"))
    check("Linux 6.12" in text, "no kernel name", text)
    check(re.search(r"PLIC.*ttyS0", text), "the console is not on the PLIC", text)


@test
def boot_opensbi_1__1(subject: Subject) -> None:
    """Debian's 6.12 kernel boots on the default machine under Debian 12's OpenSBI."""
    subject.boot(arguments(bios="1.1", run="uname -sr"))


@test
def boot_linux_6__1(subject: Subject) -> None:
    """Linux 6.1, which has no AIA driver, boots on the default machine and uses a disk."""
    with tempfile.TemporaryDirectory() as scratch:
        disk = Path(scratch) / "disk"
        disk.write_bytes(b"first sector".ljust(1 << 20, b"\0"))
        text = subject.boot(arguments("6.1", run="uname -r; cat /proc/interrupts; "
                                      "head -c 12 /dev/vda; echo; lspci -n") + [
            "-drive", f"if=none,id=d,format=raw,file={disk}", "-device", "pcie-root-port,id=rp",
            "-device", "virtio-blk-pci,drive=d,bus=rp"])
    check(re.search(r"^6\.1\.", text, re.MULTILINE), "another kernel", text)
    check(re.search(r"PLIC.*ttyS0", text), "the console is not on the PLIC", text)
    check(re.search(r" [1-9]\d* +SiFive PLIC .*virtio", text), "no interrupt of the disk", text)
    check("first sector" in text, "the disk cannot be read", text)


def plic_program(scratch: str) -> str:
    """Build plic.c and return its path."""
    program = f"{scratch}/plic"
    command = ["riscv64-linux-gnu-gcc", "-O2", "-ffreestanding", "-fno-pic", "-no-pie",
               "-nostdlib", "-static", "-mcmodel=medany", "-march=rv64imac_zicsr",
               "-mabi=lp64", "-Wl,--nmagic,-Ttext=0x80000000,--build-id=none",
               "-Wl,--no-warn-rwx-segments", "-o", program, str(PLIC_SOURCE)]
    try:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise Skip("riscv64-linux-gnu-gcc not found: install the Debian package "
                   "gcc-riscv64-linux-gnu") from None
    return program


def plic_answers(subject: Subject, harts: int, dialog: list[tuple[str, int]]) -> None:
    """Send characters to plic.c, and expect an answer by a hart to each."""
    with tempfile.TemporaryDirectory() as scratch:
        args = ["-M", "virt", "-smp", str(harts), "-bios", "none", "-kernel",
                plic_program(scratch)]
        with Emulator(subject.program, args, qmp=False, echo=subject.echo) as machine:
            machine.expect("^PLIC ready")
            for letter, hart in dialog:
                machine.send(letter)
                machine.expect(f"^hart {hart}, source 10: {letter.upper()}")
            machine.send("q")
            machine.expect("^bye")
            check(machine.wait() == 0, "a status other than 0", machine.console)


@test
def bare_metal_plic(subject: Subject) -> None:
    """A bare-metal program with built-in addresses receives the UART's interrupt through the PLIC.
    """
    plic_answers(subject, 1, [("a", 0), ("b", 0)])


@test
def bare_metal_plic_smp(subject: Subject) -> None:
    """Test bare_metal_plic on four harts; each receives the interrupt when it is moved to it."""
    plic_answers(subject, 4, [("a", 0), ("1", 0), ("b", 1), ("3", 1), ("c", 3), ("2", 3),
                              ("d", 2), ("0", 2), ("e", 0)])


@test
def boot_aplic_direct(subject: Subject) -> None:
    """Debian's kernel boots with an APLIC in direct delivery mode."""
    text = subject.boot(arguments(machine="virt,aia=aplic", run="cat /proc/interrupts"))
    check(re.search(r"APLIC-DIRECT.*ttyS0", text), "the console is not on the APLIC", text)


@test
def boot_aclint(subject: Subject) -> None:
    """Debian's kernel boots with the ACLINT, and with a real-time clock set on the command line."""
    extra = ["-rtc", "base=2031-05-06T07:08:09"]
    for machine in ("virt,aclint=on", "virt,aclint=on,aia=aplic-imsic"):
        run = "date -u +%Y-%m-%d; ls /proc/device-tree/soc"
        text = subject.boot(arguments(machine=machine, run=run) + extra)
        check("mtimer@" in text and "clint@" not in text, "the timer is not the ACLINT", text)
        check("2031-05-06" in text, "the guest has another date", text)


@test
def boot_hotplug_kernel(subject: Subject) -> None:
    """The second kernel boots and has the hotplug drivers."""
    text = subject.boot(arguments("hotplug", run="ls /sys/bus/pci/slots /sys/bus/pci_express"
                                  "/drivers; zcat /proc/config.gz | grep HOTPLUG_PCI_"))
    check("CONFIG_HOTPLUG_PCI_SHPC=y" in text, "no SHPC driver", text)


def uboot_lists_bus(subject: Subject, options: list[str]) -> None:
    """U-Boot reaches its prompt, and its `pci` command lists the bus."""
    try:
        args = ["-m", "256", "-bios", str(material.opensbi("1.6")), "-kernel",
                str(material.uboot())]
    except material.MaterialError as error:
        raise Skip(str(error)) from None
    with Emulator(subject.program, options + args + ["-device", "edu,addr=03.0"], qmp=False,
                  echo=subject.echo) as machine:
        machine.expect("Hit any key to stop autoboot")
        machine.send("\n")
        machine.expect("^=> ")
        machine.send("pci\n")
        machine.expect(r"00\.03\.00 +0x1234 +0x11e8")
        machine.expect("^=> ")


@test
def uboot_pci(subject: Subject) -> None:
    """U-Boot reaches its prompt under OpenSBI, and its `pci` command lists the bus."""
    uboot_lists_bus(subject, ["-M", "virt"])


@test
def uboot_smp(subject: Subject) -> None:
    """Test uboot_pci with four harts and each interrupt controller."""
    for aia in ["none"] if subject.is_qemu else ["none", "aplic", "aplic-imsic"]:
        uboot_lists_bus(subject, ["-M", f"virt,aia={aia}", "-smp", "4"])


@test
def uboot_m_mode(subject: Subject) -> None:
    """U-Boot in M mode instead of OpenSBI reads a disk on PCI and one in an MMIO slot, resets the machine and powers it
    off."""
    try:
        args = ["-M", "virt", "-m", "256", "-bios", str(material.uboot(m_mode=True))]
    except material.MaterialError as error:
        raise Skip(str(error)) from None
    with tempfile.TemporaryDirectory() as scratch:
        for number, device in enumerate(("virtio-blk-device", "virtio-blk-pci")):
            disk = Path(scratch) / device
            disk.write_bytes(f"disk {number} here".encode().ljust(1 << 20, b"\0"))
            args += ["-drive", f"if=none,id=d{number},format=raw,file={disk}", "-device", f"{device},drive=d{number}"]
        with Emulator(subject.program, args, qmp=False, echo=subject.echo) as machine:
            for last in ("reset", "poweroff"):
                machine.expect("Hit any key to stop autoboot")
                machine.send("\n")
                machine.expect("^=> ")
                machine.send("virtio scan\n")
                found = set()
                for number in range(2):
                    machine.expect("^=> ")
                    machine.send(f"virtio dev {number}; virtio read 81000000 0 1; md.b 81000000 10\n")
                    found.add(machine.expect(r" disk (\d) here\.", 60)[1])
                check(found == {"0", "1"}, f"disks {found}", machine.console[-2000:])
                machine.expect("^=> ")
                machine.send(f"{last}\n")
            check(machine.wait() == 0, "a status other than 0", machine.console[-500:])


@test
def poweroff_and_reset(subject: Subject) -> None:
    """A guest that reboots ends the emulator under -no-reboot, with status 0."""
    args = arguments(run="reboot -f") + ["-no-reboot"]
    with Emulator(subject.program, args, qmp=False, echo=subject.echo) as machine:
        machine.expect("^BACKPLANE-INIT", 120)
        status = machine.wait(60)
        check(status == 0, f"the emulator ended with status {status}", machine.console[-500:])


@test
def shell_and_qmp(subject: Subject) -> None:
    """The console accepts input. QMP answers and quits while the guest runs."""
    with Emulator(subject.program, arguments(), echo=subject.echo) as machine:
        shell_ready(machine)
        check("riscv64" in machine.shell("uname -m"), "wrong architecture", machine.console[-500:])
        status = machine.qmp.command("query-status")
        check(status["status"] == "running", "not running", str(status))
        machine.qmp.command("quit")
        check(machine.wait() == 0, "quit gave a status", "")
