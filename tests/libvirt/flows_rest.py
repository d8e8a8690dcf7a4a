# SPDX-License-Identifier: GPL-2.0-or-later
"""Flows of libvirt, third part: virsh console, keys, statistics of a network device of the host, devices in
the configuration and the running domain, and the daemon of an unprivileged user."""

import os
import pty
import re
import shutil
import subprocess
from pathlib import Path

import material
from flowlib import CHANNEL, DISK, FLOWS, IDLE_DOMAIN, NAME, NIC, NO_BALLOON, RNG, SECOND, Second, Test, check, flow
from rig import Console, SessionDaemon
from waiting import until

MIB = 1 << 20
SESSION_FLOWS = ("start", "suspend", "statistics", "plug_disk", "plug_nic", "save", "managed_save", "restart",
                 "destroy")
CONTROLLER = "<controller type='scsi' index='1' model='virtio-scsi'/>"


@flow("the domain of docs/libvirt.md")
def documented_domain(t: Test) -> None:
    """The example starts with the files of this host."""
    text = (Path(__file__).parents[2] / "docs/libvirt.md").read_text(encoding="utf-8")
    domain = re.search("<domain.*?</domain>", text, re.DOTALL)[0].replace("<name>guest1<", "<name>documented<")
    for old, new in (("/srv/guest1/vmlinux", material.debian_kernel()), ("/srv/guest1/disk.img", t.disk),
                     ("/srv/guest1/initrd.img", material.initramfs("debian")),
                     ("/usr/local/bin/backplane-system-riscv64", t.emulator),
                     ("<model type='virtio'/>", f"<model type='virtio'/>{t.rom}")):
        check(old in domain, f"{old} is not in the example")
        domain = domain.replace(old, str(new))
    t.here.run("destroy", NAME, check=False)        # one guest at a time: the host may be small
    t.a.define(domain)
    try:
        t.a.virsh("start", "documented")
        console = Console(t.a, "documented")
        console.expect("^BACKPLANE-INIT", 180)
        console.close()
    finally:
        t.a.run("destroy", "documented", check=False)
        t.a.run("undefine", "documented", check=False)


@flow("virsh console")
def virsh_console(t: Test) -> None:
    """A user types in the shell of the guest, and leaves with the escape key."""
    t.up()
    t.console.close()
    t.console = None
    ours, theirs = pty.openpty()
    process = subprocess.Popen(["virsh", "-q", "-c", t.here.uri, "console", NAME, "--force"], stdin=theirs,
                               stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    os.set_blocking(ours, False)
    text = ""

    def shows(word: str) -> bool:
        nonlocal text
        try:
            text += os.read(ours, 65536).decode(errors="replace")
        except BlockingIOError:
            pass
        return word in text

    os.write(ours, b"\n")
    until("a line of the guest", lambda: os.write(ours, b"echo con''sole\n") and shows("console\r\n"), 30,
          lambda: text)
    # Ctrl-], which virsh recognizes at the beginning of what it reads
    until("virsh to end", lambda: process.poll() is not None or (os.write(ours, b"\x1d") and shows("\0")), 30,
          lambda: text)
    os.close(ours)
    check(process.returncode == 0, f"status {process.returncode}: {text}")
    t.reopen().send("\x15")      # drop an incomplete line
    t.console.shell("true")
    t.continues(t.count())


@flow("domifstat")
def interface_statistics(t: Test) -> None:
    """The counters of a tap device of the host."""
    tap = f"bptap{os.getpid()}"
    nic = (f"<interface type='ethernet'><target dev='bptap{os.getpid()}' managed='yes'/><model type='virtio'/>{t.rom}"
           "</interface>")
    t.a.define(IDLE_DOMAIN.format(name="tap1", emulator=t.emulator, devices=nic + NO_BALLOON))
    try:
        t.a.virsh("start", "tap1")
        text = t.a.virsh("domifstat", "tap1", tap)
        check(all(f"{tap} {key} " in text for key in ("rx_bytes", "tx_packets", "tx_drop")), text)
        check("net.0.rx.bytes=" in t.a.virsh("domstats", "tap1", "--interface"), "domstats")
    finally:
        t.a.run("destroy", "tap1", check=False)
        t.a.run("undefine", "tap1", check=False)


@flow("attach-device and detach-device --persistent: each class of device")
def persistent_devices(t: Test) -> None:
    """A device appears in the running domain and in the configuration, and leaves both."""
    t.up()
    image = t.base / "second.img"
    image.write_bytes(b"persistent".ljust(8 * MIB, b"\0"))
    devices = {"disk": (DISK.format(file=image), str(image)),
               "network device": (NIC.format(rom=t.rom), "52:54:00:00:00:02"),
               "channel": (CHANNEL.format(path=t.base / "persistent.sock"), "org.test.0"),
               "controller": (CONTROLLER, "model='virtio-scsi'")}

    def places(mark: str) -> list[int]:
        return [t.here.virsh("dumpxml", NAME, *flags).count(mark) for flags in ((), ("--inactive",))]

    for name, (text, mark) in devices.items():
        t.here.device("attach", NAME, text, "--persistent")
        check(places(mark) == [1, 1], f"{name}: attached: {places(mark)}")
        t.here.device("detach", NAME, text, "--persistent")
        until(f"the {name} to leave", lambda mark=mark: places(mark) == [0, 0], 60)
    before = places("<rng ")
    t.here.device("attach", NAME, RNG, "--persistent")
    check(places("<rng ") == [n + 1 for n in before], f"random source: {places('<rng ')}")
    last = re.findall(r"<rng .*?</rng>", t.here.virsh("dumpxml", NAME), re.DOTALL)[-1]
    t.here.device("detach", NAME, last, "--persistent")
    until("the random source to leave", lambda: places("<rng ") == before, 60)


@flow("send-key: the power key of a virtio keyboard")
def send_key(t: Test) -> None:
    """The guest reads the key, and powers off."""
    with Second(t) as second:
        second.waits_for_key()
        t.a.virsh("send-key", SECOND, "KEY_POWER")
        until("the domain to end", lambda: second.state().startswith("shut off"), 60, second.state)


class UserTest(Test):
    """A test whose daemon cannot read the files of root."""

    def xml(self) -> str:
        """Return the domain, with copies of the kernel and the RAM disk."""
        text = super().xml()
        for key in ("kernel", "initrd"):
            file = re.search(f"<{key}>(.*)</{key}>", text)[1]
            shutil.copyfile(file, self.base / key)
            text = text.replace(file, str(self.base / key))
        return text


@flow("an unprivileged user's daemon: start, hot plug, save, restart")
def session(t: Test) -> None:
    """The flows that do not require root work in a session daemon."""
    t.here.run("destroy", NAME, check=False)
    mask = os.umask(0)
    try:
        with SessionDaemon("user", t.base) as daemon:
            user = UserTest(t.emulator, daemon.root, daemon, daemon)
            functions = {function.__name__: function for _, function in FLOWS}
            for name in SESSION_FLOWS:
                functions[name](user)
            user.console.close()
    finally:
        os.umask(mask)
