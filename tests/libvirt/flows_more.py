# SPDX-License-Identifier: GPL-2.0-or-later
"""Flows of libvirt, second part: power, media, memory, configuration, tools, and unusual migrations."""

import json
import os
import re
import subprocess

import material
from flowlib import DISK, NAME, SECOND, Second, Test, check, flow
from flows_migration import arrived
from waiting import scaled, until

MIB = 1 << 20


# --- power, with a keyboard that has a power key ---

@flow("shutdown: the guest powers off on the power key")
def shutdown(t: Test) -> None:
    """The guest reads the power key, and the domain ends."""
    with Second(t) as second:
        second.waits_for_key()
        t.a.virsh("shutdown", SECOND)
        until("the domain to end", lambda: second.state().startswith("shut off"), 60, second.state)
        check(second.state() == "shut off (shutdown)", second.state())


@flow("reboot: the guest powers off, and the domain is reset")
def reboot(t: Test) -> None:
    """The daemon resets the domain when the guest powers off."""
    with Second(t) as second:
        pid = t.a.pid_file(SECOND).read_text()
        second.waits_for_key()
        t.a.virsh("reboot", SECOND)
        second.console.expect("^BACKPLANE-INIT", 180)
        check(second.state().startswith("running"), second.state())
        check(t.a.pid_file(SECOND).read_text() == pid, "another process")


@flow("change-media: eject, insert, update")
def change_media(t: Test) -> None:
    """The guest reads another medium."""
    with Second(t) as second:
        console = second.console
        console.shell("modprobe virtio_scsi; modprobe sr_mod")
        until("the drive", lambda: console.shell("ls /sys/block | grep sr0; true"))

        def contents() -> str:
            return console.shell("head -c 13 /dev/sr0 2>/dev/null | tr -d '\\0'; echo")

        until("the first medium", lambda: contents() == "first medium")
        other = t.base / "second.iso"
        other.write_bytes(b"second medium".ljust(6 * MIB, b"\0"))
        t.a.virsh("change-media", SECOND, "sda", "--eject", "--live", "--force")
        check("second.iso" not in t.a.virsh("domblklist", SECOND), "still inserted")
        t.a.virsh("change-media", SECOND, "sda", other, "--insert", "--live")
        until("the second medium", lambda: contents() == "second medium")
        t.a.virsh("change-media", SECOND, "sda", second.medium, "--update", "--live", "--force")
        until("the first medium again", lambda: contents() == "first medium")


# --- memory ---

@flow("setmem, dommemstat")
def set_memory(t: Test) -> None:
    """The balloon of the guest changes its memory, and its statistics are visible."""
    console = t.up()

    def total() -> int:
        return int(console.shell("awk '/^MemTotal/ { print $2 }' /proc/meminfo"))

    def actual() -> int:
        return int(re.search(r"^actual (\d+)", t.here.virsh("dommemstat", NAME))[1])

    before = total()
    t.here.virsh("setmem", NAME, "96M", "--live")
    until("the balloon", lambda: actual() == 96 << 10, 60, lambda: t.here.virsh("dommemstat", NAME))
    check(total() <= before - (30 << 10), f"MemTotal is {total()}, was {before}")
    t.here.virsh("setmem", NAME, "128M", "--live")
    until("the balloon to deflate", lambda: actual() == 128 << 10, 60)
    until("statistics", lambda: re.search(r"^unused \d+", t.here.virsh("dommemstat", NAME), re.M), 30,
          lambda: t.here.virsh("dommemstat", NAME))
    until("domstats, which follows the event BALLOON_CHANGE",
          lambda: "balloon.current=131072" in t.here.virsh("domstats", NAME, "--balloon"), 30)


@flow("dump --memory-only")
def dump(t: Test) -> None:
    """A core file contains the memory of the guest."""
    t.up()
    before = t.count()
    file = t.base / "core"
    t.here.virsh("dump", NAME, file, "--memory-only", "--live")
    header = file.read_bytes()[:20]
    check(header[:5] == b"\x7fELF\2" and header[18] == 243, f"no riscv64 ELF: {header.hex()}")
    check(file.stat().st_size >= 128 * MIB, f"{file.stat().st_size} bytes")
    file.unlink()
    t.continues(before)


# --- configuration ---

@flow("autostart")
def autostart(t: Test) -> None:
    """The daemon starts the domain when the host has booted."""
    t.up()
    t.here.virsh("autostart", NAME)
    t.here.virsh("destroy", NAME)
    t.a.stop()
    (t.a.root / "run/qemu/autostarted").unlink(missing_ok=True)     # as after a boot of the host
    t.a.start()
    until("the domain", lambda: t.state().startswith("running"), 30, t.state)
    t.a.virsh("autostart", NAME, "--disable")
    t.reopen()
    t.await_shell()


@flow("attach-device --config, --persistent")
def attach_config(t: Test) -> None:
    """A device of the configuration appears at the next start; --persistent changes both."""
    t.up()
    image = t.base / "second.img"
    image.write_bytes(b"configured".ljust(8 * MIB, b"\0"))
    t.here.device("attach", NAME, DISK.format(file=image), "--config")
    check(str(image) in t.here.virsh("dumpxml", NAME, "--inactive"), "not in the configuration")
    check(str(image) not in t.here.virsh("dumpxml", NAME), "in the running domain")
    t.here.virsh("destroy", NAME)
    t.here.virsh("start", NAME)
    t.reopen()
    t.await_shell()
    check(t.console.shell("head -c 10 /dev/vdb; echo") == "configured", "other contents")
    t.here.device("detach", NAME, DISK.format(file=image), "--persistent")
    until("the disk to leave", lambda: "vdb" not in t.console.shell("ls /sys/block"), 60)
    until("both to drop it", lambda: str(image) not in t.here.virsh("dumpxml", NAME) and
          str(image) not in t.here.virsh("dumpxml", NAME, "--inactive"), 60)


@flow("setvcpus --config; a live change is refused")
def set_vcpus(t: Test) -> None:
    """The number of CPUs changes in the configuration only."""
    t.up()
    text = t.here.fails("setvcpus", NAME, "2", "--live")
    t.notes.append(text)
    t.here.virsh("setvcpus", NAME, "2", "--config", "--maximum")
    t.here.virsh("setvcpus", NAME, "2", "--config")
    check("<vcpu placement='static'>2</vcpu>" in t.here.virsh("dumpxml", NAME, "--inactive"), "not 2")
    for words in (("1", "--config"), ("1", "--config", "--maximum")):
        t.here.virsh("setvcpus", NAME, *words)


@flow("blkdeviotune")
def limits(t: Test) -> None:
    """The limits of a disk change; the guest needs the time that they impose."""
    console = t.up()
    t.here.virsh("blkdeviotune", NAME, "vda", "--total-bytes-sec", str(MIB), "--live")
    check(re.search(rf"^total_bytes_sec: *{MIB}$", t.here.virsh("blkdeviotune", NAME, "vda"), re.M),
          t.here.virsh("blkdeviotune", NAME, "vda"))
    console.shell("echo 3 >/proc/sys/vm/drop_caches; date +%s >/tmp/begin; "
                  "dd if=/dev/vda of=/dev/null bs=64k count=96 2>/dev/null")
    seconds = console.shell("echo $(($(date +%s) - $(cat /tmp/begin)))")
    check(int(seconds) >= 3, f"6 MiB at 1 MiB/s in {seconds} s")
    t.here.virsh("blkdeviotune", NAME, "vda", "--total-bytes-sec", "0", "--live")
    check(re.search(r"^total_bytes_sec: *0$", t.here.virsh("blkdeviotune", NAME, "vda"), re.M), "not removed")


@flow("iothreadadd, iothreadinfo, iothreaddel")
def iothreads(t: Test) -> None:
    """An I/O thread is added and removed."""
    t.up()
    t.here.virsh("iothreadadd", NAME, "3", "--live")
    check(re.search(r"^ *3 ", t.here.virsh("iothreadinfo", NAME), re.M), "not listed")
    t.here.virsh("iothreaddel", NAME, "3", "--live")
    check(not re.search(r"^ *3 ", t.here.virsh("iothreadinfo", NAME), re.M), "still listed")


@flow("update-device: link state of a network device")
def update_device(t: Test) -> None:
    """The guest loses its carrier when the XML of the device is changed."""
    console = t.up()
    console.shell("ip link set eth0 up")
    text = re.search(r"<interface .*?</interface>", t.here.virsh("dumpxml", NAME), re.DOTALL)[0]
    for state, carrier in (("down", "0"), ("up", "1")):
        changed = text.replace("</interface>", f"<link state='{state}'/></interface>")
        t.here.device("update", NAME, changed, "--live")
        until(f"carrier {carrier}",
              lambda c=carrier: console.shell("cat /sys/class/net/eth0/carrier") == c)


@flow("attach and detach a controller")
def plug_controller(t: Test) -> None:
    """A SCSI controller is added and removed."""
    console = t.up()
    text = "<controller type='scsi' index='1' model='virtio-scsi'/>"
    before = console.shell("ls /sys/bus/pci/devices | wc -l")
    t.here.device("attach", NAME, text, "--live")
    until("the controller", lambda: int(console.shell("ls /sys/bus/pci/devices | wc -l")) ==
          int(before) + 1)
    t.here.device("detach", NAME, text, "--live")
    until("the controller to be removed", lambda:
          console.shell("ls /sys/bus/pci/devices | wc -l") == before, 60)
    until("the domain to drop it", lambda: "type='scsi'" not in t.here.virsh("dumpxml", NAME), 60)


@flow("a late answer to detach")
def late_detach(t: Test) -> None:
    """The guest is stopped while its device is detached; it releases the device after it continues."""
    t.up()
    image = t.base / "second.img"
    image.write_bytes(b"late".ljust(8 * MIB, b"\0"))
    t.here.device("attach", NAME, DISK.format(file=image), "--live")
    until("the disk", lambda: "vdb" in t.console.shell("ls /sys/block"))
    t.here.virsh("suspend", NAME)
    t.here.device("detach", NAME, DISK.format(file=image), "--live")
    check(str(image) in t.here.virsh("dumpxml", NAME), "removed while the guest was stopped")
    t.here.virsh("resume", NAME)
    until("the disk to be removed", lambda: str(image) not in t.here.virsh("dumpxml", NAME), 60)
    check("vdb" not in t.console.shell("ls /sys/block"), "the guest has the disk")


# --- migrations ---

@flow("direct migration, and back while paused")
def direct(t: Test) -> None:
    """The client controls the migration; a paused guest arrives paused."""
    t.up()
    before, source = t.count(), t.here
    source.virsh("migrate", NAME, t.b.uri, "tcp:127.0.0.1", "--live", "--unsafe", "--persistent",
                 "--undefinesource", seconds=120)
    arrived(t, source, t.b)
    t.continues(before)
    t.b.virsh("suspend", NAME)
    before = 0
    t.b.virsh("migrate", NAME, t.a.uri, "tcp:127.0.0.1", "--live", "--unsafe", "--persistent",
              "--undefinesource", seconds=120)
    t.here = t.a
    check(t.state().startswith("paused"), t.state())
    t.a.virsh("resume", NAME)
    t.reopen()
    t.continues(before)


def start_slow_migration(t: Test) -> subprocess.Popen:
    """Start a migration that does not end by itself, and wait until it transfers memory."""
    t.here.virsh("migrate-setspeed", NAME, "1")
    process = subprocess.Popen(["virsh", "-q", "-c", t.here.uri, "migrate", NAME, t.b.uri, "--live",
                                "--p2p", "--unsafe", "--migrateuri", "tcp:127.0.0.1",
                                "--bandwidth", "1"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               env=os.environ | {"LC_ALL": "C"})
    until("the migration to transfer memory",
          lambda: re.search(r"Memory processed: +[1-9]", t.here.run("domjobinfo", NAME, check=False).stdout), 30,
          lambda: t.here.run("domjobinfo", NAME, check=False).stdout)
    return process


@flow("a migration that is cancelled")
def cancelled(t: Test) -> None:
    """The guest continues on the source, and the target has no domain."""
    t.up()
    before = t.count()
    process = start_slow_migration(t)
    t.here.virsh("domjobabort", NAME)
    text, _ = process.communicate(timeout=scaled(60))
    check(process.returncode, f"the migration succeeded: {text}")
    check(t.state().startswith("running"), t.state())
    check(NAME not in t.b.virsh("list", "--all", "--name"), "the target has the domain")
    t.continues(before)
    t.here.virsh("migrate-setspeed", NAME, "1000")


@flow("restart of the source's daemon during a migration")
def restart_while_migrating(t: Test) -> None:
    """The migration is cancelled when the daemon has restarted; the guest continues."""
    t.up()
    before = t.count()
    for force in (False, True):
        process = start_slow_migration(t)
        t.here.stop(force)
        process.communicate(timeout=scaled(60))
        t.here.start()
        until("the domain", lambda: t.state().startswith("running"), 30, t.state)
        until("the target to drop it", lambda: NAME not in t.b.virsh("list", "--all", "--name"), 60)
        until("no job", lambda: re.search("Job type: +None", t.here.virsh("domjobinfo", NAME)), 60,
              lambda: t.here.virsh("domjobinfo", NAME))
        t.continues(before)
    t.here.virsh("migrate-setspeed", NAME, "1000")


# --- tools above the daemon ---

@flow("virt-xml-validate")
def validate(t: Test) -> None:
    """The XML of the running domain follows the schema."""
    t.up()
    file = t.base / "validate.xml"
    file.write_text(t.here.virsh("dumpxml", NAME))
    done = subprocess.run(["virt-xml-validate", file, "domain"], capture_output=True, text=True, check=False)
    check(done.returncode == 0, done.stdout + done.stderr)


NO_USB = ("--controller", "type=usb,model=none")


def virt_install(t: Test, name: str, *words: str) -> str:
    """Create a domain with virt-install and a disk, and return its XML."""
    disk = t.base / "installed.img"
    disk.write_bytes(bytes(8 * MIB))
    done = subprocess.run(
        ["virt-install", "--connect", t.a.uri, "--name", name, "--arch", "riscv64", "--machine", "virt",
         "--virt-type", "qemu", "--memory", "128", "--vcpus", "1", "--osinfo", "detect=off,require=off",
         "--noautoconsole", "--graphics", "none", "--network", "none", "--boot", f"emulator={t.emulator}",
         "--disk", f"path={disk},format=raw", *map(str, words)], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        timeout=scaled(120), env=os.environ | {"LC_ALL": "C", "HOME": str(t.base)})
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    check(done.returncode == 0, errors[0] if errors else done.stdout + done.stderr)
    return t.a.virsh("dumpxml", name)


@flow("virt-install --import, without a USB controller")
def install_import(t: Test) -> None:
    """The domain runs, with the balloon of the defaults."""
    t.here.run("destroy", NAME, check=False)
    name = "installed"
    try:
        text = virt_install(t, name, *NO_USB, "--import", "--boot",
                            f"kernel={material.hotplug_kernel()},initrd={material.initramfs('hotplug')},"
                            "kernel_args=console=ttyS0")
        check("<memballoon model='virtio'>" in text, "no balloon")
        check(t.a.virsh("domstate", name) == "running", "not running")
        text = t.a.virsh("qemu-monitor-command", name, '{"execute":"query-balloon"}')
        check(json.loads(text)["return"]["actual"] == 128 * MIB, text)
    finally:
        t.a.run("destroy", name, check=False)
        t.a.run("undefine", name, check=False)


@flow("virt-install --import with its defaults")
def install_defaults(t: Test) -> None:
    """virt-install adds the USB controller qemu-xhci."""
    name = "installed"
    try:
        text = virt_install(t, name, "--import", "--boot", f"kernel={material.hotplug_kernel()}")
        check("model='qemu-xhci'" in text, "no USB controller")
    finally:
        t.a.run("destroy", name, check=False)
        t.a.run("undefine", name, check=False)


@flow("virt-install --cdrom with its defaults")
def install_cdrom(t: Test) -> None:
    """The domain has the installation medium in a CD-ROM drive, and a USB controller."""
    name, medium = "installed", t.base / "install.iso"
    medium.write_bytes(b"installer".ljust(4 * MIB, b"\0"))
    try:
        text = virt_install(t, name, "--cdrom", medium)
        check("device='cdrom'" in text and "model='qemu-xhci'" in text, text)
        blocks = json.loads(t.a.virsh("qemu-monitor-command", name, '{"execute":"query-block"}'))["return"]
        check(any(b["removable"] and b.get("inserted", {}).get("file", "").endswith("install.iso")
                  for b in blocks), blocks)
    finally:
        t.a.run("destroy", name, check=False)
        t.a.run("undefine", name, check=False)
