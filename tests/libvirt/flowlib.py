# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest that the flows of libvirt use, and the list of the flows."""

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]
import material  # noqa: E402
from rig import Console, Daemon, VirshError  # noqa: E402
from waiting import TestFailure, until  # noqa: E402

MIB = 1 << 20
NAME = "guest1"
PORTS = 6       # root ports for hot plug

# Interrupts are MSIs: with INTx, Linux waits for itself when a device below a hot-plug port is removed,
# because both share a line (the thread of pciehp calls synchronize_irq() for its own interrupt). QEMU 7.2 has
# the PLIC in these tests: with aia=aplic-imsic, a direct boot did not reach /init.
DOMAIN = """
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>{name}</name>
  <memory unit='MiB'>{memory}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='riscv64' machine='virt'>hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{initrd}</initrd>
    <cmdline>console=ttyS0 cryptomgr.notests</cmdline>
    <boot dev='cdrom'/>
  </os>
  <devices>
    <emulator>{emulator}</emulator>
    <controller type='pci' index='0' model='pcie-root'/>
    {ports}
    <controller type='virtio-serial'/>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='{disk}'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='user'>
      <mac address='52:54:00:00:00:01'/>
      <model type='virtio'/>
      {rom}
    </interface>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <serial type='pty'/>
    <console type='pty'/>
    <memballoon model='virtio'><stats period='1'/></memballoon>
  </devices>
  <qemu:commandline>
    <qemu:arg value='-machine'/><qemu:arg value='aia={aia}'/>
  </qemu:commandline>
</domain>
"""
# A domain without a guest system: it starts OpenSBI only.
IDLE_DOMAIN = """
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <os><type arch='riscv64' machine='virt'>hvm</type><boot dev='cdrom'/></os>
  <devices>
    <emulator>{emulator}</emulator>
    {devices}
  </devices>
</domain>
"""
NO_BALLOON = "<memballoon model='none'/>"
DISK = """
<disk type='file' device='disk'>
  <driver name='qemu' type='raw'/>
  <source file='{file}'/>
  <target dev='vdb' bus='virtio'/>
</disk>
"""
NIC = """
<interface type='user'>
  <mac address='52:54:00:00:00:02'/>
  <model type='virtio'/>
  {rom}
</interface>
"""
RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
CHANNEL = """
<channel type='unix'>
  <source mode='bind' path='{path}'/>
  <target type='virtio' name='org.test.0'/>
</channel>
"""

# A second guest, with Debian's kernel: it has drivers for the keyboard and for SCSI.
SECOND = "guest2"
SECOND_DOMAIN = """
<domain type='qemu'>
  <name>guest2</name>
  <memory unit='MiB'>192</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='riscv64' machine='virt'>hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{initrd}</initrd>
    <cmdline>console=ttyS0 cryptomgr.notests</cmdline>
    <boot dev='cdrom'/>
  </os>
  <devices>
    <emulator>{emulator}</emulator>
    <controller type='scsi' model='virtio-scsi'/>
    <disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/>
      <source file='{medium}'/>
      <target dev='sda' bus='scsi'/>
      <readonly/>
    </disk>
    <input type='keyboard' bus='virtio'/>
    <serial type='pty'/>
    <console type='pty'/>
    <memballoon model='none'/>
  </devices>
</domain>
"""

FLOWS: list[tuple[str, Callable]] = []


def flow(title: str) -> Callable:
    """Add a function to the flows."""
    def add(function: Callable) -> Callable:
        FLOWS.append((title, function))
        return function
    return add


def check(condition: object, text: object) -> None:
    """Fail unless the condition holds."""
    if not condition:
        raise TestFailure(str(text))


class Test:
    """Two daemons, and the guest that runs on one of them."""

    def __init__(self, emulator: str, base: Path, a: Daemon, b: Daemon) -> None:
        self.emulator, self.base, self.a, self.b = emulator, base, a, b
        self.here = a                   # the daemon that runs the guest
        self.console: Console | None = None
        self.boot = ""                  # identifies the boot of the guest
        self.notes: list[str] = []      # remarks about the flow, for --table
        # QEMU requires a ROM of another package without it.
        self.control = Path(emulator).name.startswith("qemu")
        self.rom = "<rom enabled='no'/>" if self.control else ""
        self.disk = base / "disk.img"
        self.disk.write_bytes(b"first disk".ljust(16 * MIB, b"\0"))

    def xml(self) -> str:
        """Return the domain."""
        ports = "\n".join("<controller type='pci' model='pcie-root-port'/>" for _ in range(PORTS))
        return DOMAIN.format(name=NAME, memory=128, kernel=material.hotplug_kernel(),
                             initrd=material.initramfs("hotplug"), emulator=self.emulator,
                             ports=ports, disk=self.disk, rom=self.rom,
                             aia="none" if self.control else "aplic-imsic")

    def state(self, daemon: Daemon | None = None) -> str:
        """Return the state of the domain with its reason."""
        return (daemon or self.here).virsh("domstate", NAME, "--reason")

    def reopen(self) -> Console:
        """Open the console of the domain where it runs now."""
        if self.console:
            self.console.close()
        self.console = Console(self.here, NAME)
        return self.console

    def await_shell(self) -> None:
        """Wait until the guest has booted, and start its counter."""
        console = self.console
        console.expect("^BACKPLANE-INIT", 120)
        console.expect("^~ # ", 120)
        console.send("dmesg -n 1; stty -echo; set +m; PS1='' PS2=''")
        console.shell("true")
        console.send("(n=0; while :; do n=$((n + 1)); echo $n >/tmp/new; mv /tmp/new /tmp/count;"
                     " sleep 0.1; done) &")
        self.boot = console.shell("cat /proc/sys/kernel/random/boot_id")

    def up(self) -> Console:
        """Ensure that the guest runs, and return its console."""
        if not self.here.run("domstate", NAME, check=False).stdout.startswith("running"):
            self.here = self.a
            for daemon in (self.a, self.b):
                daemon.run("destroy", NAME, check=False)
                daemon.run("undefine", NAME, "--managed-save", check=False)
            self.a.define(self.xml())
            self.a.virsh("start", NAME)
            self.reopen()
            self.await_shell()
        return self.console

    def count(self) -> int:
        """Return the counter of the guest, which must not have been booted again."""
        boot, count = self.console.shell("cat /proc/sys/kernel/random/boot_id; cat /tmp/count"
                                         ).split()
        check(boot == self.boot, "the guest was booted again")
        return int(count)

    def continues(self, before: int) -> None:
        """The guest has continued from a state at or after a value of its counter."""
        now = self.count()
        check(now >= before, f"the counter fell from {before} to {now}")
        until("the counter to advance", lambda: self.count() > now, 30)


class Second:
    """The second guest, while it runs on the first daemon. Its shell is open."""

    def __init__(self, t: Test) -> None:
        self.t, self.medium = t, t.base / "first.iso"
        self.console: Console | None = None

    def __enter__(self) -> "Second":
        t = self.t
        t.here.run("destroy", NAME, check=False)    # one guest at a time: the host may be small
        self.medium.write_bytes(b"first medium".ljust(4 * MIB, b"\0"))
        t.a.define(SECOND_DOMAIN.format(emulator=t.emulator, medium=self.medium,
                                        kernel=material.debian_kernel(),
                                        initrd=material.initramfs("debian")))
        t.a.virsh("start", SECOND)
        self.boots()
        return self

    def __exit__(self, *exc: object) -> None:
        self.t.a.run("destroy", SECOND, check=False)
        self.t.a.run("undefine", SECOND, check=False)
        if self.console:
            self.console.close()

    def boots(self) -> None:
        """Wait until the shell of the guest responds."""
        if self.console:
            self.console.close()
        self.console = Console(self.t.a, SECOND)
        self.console.expect("^BACKPLANE-INIT", 180)
        self.console.expect("^~ # ", 180)
        self.console.send("dmesg -n 1; stty -echo; set +m; PS1='' PS2=''")
        self.console.shell("true")

    def waits_for_key(self) -> None:
        """Let the guest power off when the power key is pressed, as an operating system does."""
        self.console.shell("modprobe virtio_input; modprobe evdev")
        until("the keyboard", lambda: self.console.shell("ls /dev/input 2>/dev/null; true"))
        self.console.send("(head -c 24 /dev/input/event0 >/dev/null; poweroff -f) &")
        self.console.shell("true")

    def state(self) -> str:
        """Return the state with its reason."""
        return self.t.a.virsh("domstate", SECOND, "--reason")
