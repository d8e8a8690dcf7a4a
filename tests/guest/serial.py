# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of serial ports: virtio-serial with consoles and named ports, and pci-serial."""

import hashlib
import random
import socket
import tempfile

from emulator import Emulator
from guest import Skip, arguments, need_devices, shell_ready
from subject import Subject, check, test
from waiting import scaled

# Create the links of ports, as udev does.
PORT_LINKS = ("mkdir -p /dev/virtio-ports; for name in /sys/class/virtio-ports/*/name; do "
              "ln -sf /dev/$(basename $(dirname $name)) /dev/virtio-ports/$(cat $name); done")


def call(path: str) -> socket.socket:
    """A connection to a unix socket, with a limit on each wait."""
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(scaled(60))
    peer.connect(path)
    return peer


def both_ways(machine: Emulator, path: str, port: str, data: bytes) -> None:
    """Send data into the guest, whose cat ends when the peer disconnects, and read it back. The
    bytes and the guest's checksum must be the same. The guest reads end-of-file until it has
    learned of the connection. The port remains open: the driver discards what arrived when it is
    closed."""
    machine.shell(f": >/tmp/f; (exec 3<{port}; until [ -s /tmp/f ]; do cat <&3 >/tmp/f; done) &")
    with call(path) as peer:
        peer.sendall(data)
        machine.shell_value(f"{len(data)} bytes in the guest", "stat -c %s /tmp/f",
                            lambda size: int(size) == len(data), 120)
    summed = machine.shell("wait; md5sum /tmp/f", 60)
    check(hashlib.md5(data).hexdigest() in summed, "other bytes in the guest", summed)
    with call(path) as peer:
        machine.shell(f"cat /tmp/f >{port} &")
        back = b""
        while len(back) < len(data) and (part := peer.recv(65536)):
            back += part
    machine.shell("wait")
    check(back == data, f"{len(back)} bytes were read back, and they differ", "")


def wait_ports(machine: Emulator, names: str) -> None:
    """Wait until the guest has exactly these ports."""
    machine.shell_value(f"the guest's ports to be '{names}'",
                        "cat /sys/class/virtio-ports/*/name 2>/dev/null || true",
                        lambda text: text.split() == names.split())


@test
def virtio_serial(subject: Subject) -> None:
    """A console with a shell, a port used in both directions, and a hot-plugged port."""
    data = random.Random(2).randbytes((50 if subject.long else 4) << 20)
    with tempfile.TemporaryDirectory() as scratch:
        args = arguments(machine=subject.msi_machine) + ["-device", "virtio-serial-pci,id=vs"]
        for name in ("console", "port", "late"):
            args += ["-chardev", f"socket,id={name},path={scratch}/{name},server=on,wait=off"]
        args += ["-device", "virtconsole,chardev=console",
                 "-device", "virtserialport,chardev=port,name=org.example.0,id=p"]
        need_devices(subject.program, args)
        with Emulator(subject.program, args, echo=subject.echo) as machine:
            machine.qmp.command("query-status")
            shell_ready(machine)
            machine.shell(PORT_LINKS)
            both_ways(machine, f"{scratch}/port", "/dev/virtio-ports/org.example.0", data)
            events = [machine.qmp.wait_event("VSERPORT_CHANGE") for _ in range(2)]
            check([e["data"] for e in events] == [{"id": "p", "open": True},
                                                  {"id": "p", "open": False}], "events", events)
            with call(f"{scratch}/console") as console:
                machine.send("setsid sh </dev/hvc0 >/dev/hvc0 2>&1 &\n")
                console.sendall(b"echo $((6 * 7)) on $(readlink /proc/self/fd/0); exit\n")
                said = b""
                while b"42 on /dev/hvc0" not in said:
                    said += console.recv(4096)
            hot = {"driver": "virtserialport", "bus": "vs.0", "chardev": "late", "id": "hot",
                   "nr": 5, "name": "org.example.1"}
            for _ in range(2):
                check("return" in (said := machine.qmp.raw("device_add", hot)), "no port", said)
                wait_ports(machine, "org.example.0 org.example.1")
                machine.shell(PORT_LINKS)
                both_ways(machine, f"{scratch}/late", "/dev/virtio-ports/org.example.1", data[:1000])
                machine.qmp.command("device_del", id="hot")
                machine.qmp.wait_event("DEVICE_DELETED")
                wait_ports(machine, "org.example.0")
            machine.send("exit\n")
            check(machine.wait() == 0, "a status other than 0", machine.console[-500:])


def read_all(peer: socket.socket, enough: int) -> bytes:
    """Return what the peer sends until it disconnects or `enough` accepts the data."""
    said = b""
    while len(said) < enough and (part := peer.recv(65536)):
        said += part
    return said


@test
def virtio_serial_migration(subject: Subject) -> None:
    """A guest that writes to a port as fast as it is read migrates to another process. The
    concatenation of what the two peers read is what the guest wrote."""
    if subject.is_qemu:
        raise Skip("QEMU's -incoming needs the complete machine on its command line")
    size = 2 << 20
    devices = ["-device", "virtio-serial-pci", "-device", "virtserialport,chardev=port,id=p"]
    with tempfile.TemporaryDirectory() as scratch:
        uri = f"unix:{scratch}/stream"
        ports = [["-chardev", f"socket,id=port,path={scratch}/{n},server=on,wait=off"]
                 for n in range(2)]
        need_devices(subject.program, arguments() + devices)
        with Emulator(subject.program, arguments() + ports[0] + devices,
                      echo=subject.echo) as source:
            shell_ready(source)
            source.shell(f"dd if=/dev/urandom of=/tmp/f bs={size} count=1 2>/dev/null")
            first = call(f"{scratch}/0")
            source.shell("cat /tmp/f >/dev/vport0p1 &")
            before = read_all(first, size // 4)
            with Emulator(subject.program, ["-incoming", uri] + ports[1],
                          echo=subject.echo) as target:
                target.qmp.command("query-status")
                second = call(f"{scratch}/1")
                source.qmp.command("migrate", uri=uri)
                source.migrated()
                source.qmp.command("quit")
                before += read_all(first, size)
                after = read_all(second, size - len(before))
                summed = target.shell("wait; md5sum /tmp/f")
            check(after, "the old peer read it all: nothing was under way", "")
            check(hashlib.md5(before + after).hexdigest() in summed,
                  f"{len(before)} and {len(after)} bytes of {size}, not the same", summed)
            first.close()
            second.close()


@test
def pci_serial(subject: Subject) -> None:
    """A pci-serial port: the driver of the kernel receives and sends data with interrupts."""
    data = random.Random(3).randbytes(32 << 10)
    with tempfile.TemporaryDirectory() as scratch:
        args = arguments() + ["-chardev", f"socket,id=c,path={scratch}/s,server=on,wait=off",
                              "-device", "pci-serial,chardev=c,addr=1"]
        need_devices(subject.program, args)
        with Emulator(subject.program, args, echo=subject.echo) as machine:
            shell_ready(machine)
            found = machine.shell("find /sys/devices -path '*0000:00:01.0*' -name 'ttyS*'")
            port = "/dev/" + found.split()[0].rsplit("/", 1)[1]
            machine.shell(f"exec 3<>{port}")    # opening the port clears its FIFO
            machine.shell(f"stty -F {port} raw -echo 115200")
            with call(f"{scratch}/s") as peer:
                machine.shell(f"head -c {len(data)} <&3 >/tmp/f &")
                peer.sendall(data)
                summed = machine.shell("wait; md5sum /tmp/f", 120)
                check(hashlib.md5(data).hexdigest() in summed, "other bytes in the guest", summed)
                machine.shell(f"cat /tmp/f >{port} &")
                back = b""
                while len(back) < len(data) and (part := peer.recv(65536)):
                    back += part
            check(back == data, f"{len(back)} bytes were read back, and they differ", "")
            machine.send("exit\n")
            check(machine.wait() == 0, "a status other than 0", machine.console[-500:])
