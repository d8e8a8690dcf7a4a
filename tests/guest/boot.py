# SPDX-License-Identifier: GPL-2.0-or-later
"""Booting: firmware, kernels, interrupt controllers, the clock, the console, the ways to end."""

import re

import material
from emulator import Emulator
from guest import Skip, arguments, shell_ready
from subject import Subject, check, test


@test
def boot_opensbi_1__6(subject: Subject) -> None:
    """Debian's kernel boots under trixie's OpenSBI, runs our init and powers off."""
    check("Linux" in subject.boot(arguments(run="uname -sr")), "no kernel name", "")


@test
def boot_opensbi_1__1(subject: Subject) -> None:
    """The same under Debian 12's OpenSBI."""
    subject.boot(arguments(bios="1.1", run="uname -sr"))


@test
def boot_plic(subject: Subject) -> None:
    """Debian's kernel on the default machine, which has a PLIC."""
    text = subject.boot(arguments(run="cat /proc/interrupts"))
    check(re.search(r"PLIC.*ttyS0", text), "the console is not on the PLIC", text)


@test
def boot_aplic_direct(subject: Subject) -> None:
    """Debian's kernel with an APLIC that signals the hart by wire."""
    text = subject.boot(arguments(machine="virt,aia=aplic", run="cat /proc/interrupts"))
    check(re.search(r"APLIC-DIRECT.*ttyS0", text), "the console is not on the APLIC", text)


@test
def boot_aclint(subject: Subject) -> None:
    """Debian's kernel with the ACLINT, and a real-time clock set on the command line."""
    extra = ["-rtc", "base=2031-05-06T07:08:09"]
    for machine in ("virt,aclint=on", "virt,aclint=on,aia=aplic-imsic"):
        run = "date -u +%Y-%m-%d; ls /proc/device-tree/soc"
        text = subject.boot(arguments(machine=machine, run=run) + extra)
        check("mtimer@" in text and "clint@" not in text, "the timer is not the ACLINT", text)
        check("2031-05-06" in text, "the guest has another date", text)


@test
def boot_hotplug_kernel(subject: Subject) -> None:
    """The second kernel boots, and has the hotplug drivers."""
    text = subject.boot(arguments("hotplug", run="ls /sys/bus/pci/slots /sys/bus/pci_express"
                                  "/drivers; zcat /proc/config.gz | grep HOTPLUG_PCI_"))
    check("CONFIG_HOTPLUG_PCI_SHPC=y" in text, "no SHPC driver", text)


@test
def uboot_pci(subject: Subject) -> None:
    """U-Boot reaches its prompt under OpenSBI, and its `pci` command lists the bus."""
    try:
        args = ["-M", "virt", "-m", "256", "-bios", str(material.opensbi("1.6")),
                "-kernel", str(material.uboot())]
    except material.MaterialError as error:
        raise Skip(str(error)) from None
    with Emulator(subject.program, args + ["-device", "edu,addr=03.0"], qmp=False,
                  echo=subject.echo) as machine:
        machine.expect("Hit any key to stop autoboot")
        machine.send("\n")
        machine.expect("^=> ")
        machine.send("pci\n")
        machine.expect(r"00\.03\.00 +0x1234 +0x11e8")
        machine.expect("^=> ")


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
    """The console takes input, and QMP answers and quits while the guest runs."""
    with Emulator(subject.program, arguments(), echo=subject.echo) as machine:
        shell_ready(machine)
        check("riscv64" in machine.shell("uname -m"), "wrong architecture", machine.console[-500:])
        status = machine.qmp.command("query-status")
        check(status["status"] == "running", "not running", str(status))
        machine.qmp.command("quit")
        check(machine.wait() == 0, "quit gave a status", "")
