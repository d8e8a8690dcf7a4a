# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines with slots, and the devices that tests plug into them: working disks and NICs.

This module contains no tests. The guest identifies a disk by its serial number, which is its id,
and a NIC by its MAC address.
"""

import base64
import hashlib
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import HTTPServer
from pathlib import Path
from typing import Any

from emulator import Emulator, TestFailure
from guest import MSI_MACHINE, arguments, need_devices, shell_ready
from subject import Subject, check
from waiting import Deadline, until

ROOT_PORTS = ["rp0", "rp1", "rp2", "rp3"]
SWITCH_PORTS = ["dn0", "dn1", "dn2", "dn3"]
SLOT_OF = {name: number for number, name in enumerate(ROOT_PORTS + SWITCH_PORTS, 1)}
RECORD = 65536          # size of one write of the guest's writer
DISK_RECORDS = 128      # size of a disk that is plugged
# Return freed memory to the host, so that the memory held equals the memory in use: one heap for
# all threads, buffers of a page or more mapped individually, no slack at the end of the heap, and
# no per-thread caches of freed blocks (which grow for more than a hundred cycles).
TIDY_MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "16384",
               "MALLOC_TRIM_THRESHOLD_": "4096", "MALLOC_TOP_PAD_": "0",
               "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}

# Shell functions of the guest. `disk ID` and `nic MAC` wait for a device and print its name; the
# host limits the wait. `writer ID` writes the records of /tmp/pattern to a disk in order, uncached,
# while a reader reads all of it. `fetcher ID MAC URL SUM` fetches a file over a NIC repeatedly and
# compares it. Both run in the background until the device is removed or /tmp/ID.stop exists, count
# completed operations in /tmp/ID.n, and create /tmp/ID.end.
FUNCTIONS = r"""
find_disk() { for d in /sys/block/vd*; do
    s=; read -r s 2>/dev/null <$d/serial; [ "$s" != $1 ] || echo ${d##*/}; done; }
find_nic() { for d in /sys/class/net/*; do
    s=; read -r s 2>/dev/null <$d/address; [ "$s" != $1 ] || echo ${d##*/}; done; }
until_true() { until eval "$1"; do sleep 0.2; done; }
disk() { until_true '[ -n "$(find_disk '$1')" ]' && find_disk $1; }
nic() { until_true '[ -n "$(find_nic '$1')" ]' && find_nic $1; }
working() { [ -e $1 ] && [ ! -e /tmp/$2.stop ]; }
read_all() { while working $1 $2 && dd if=/proc/self/fd/3 of=/dev/null bs=1M iflag=direct; do :; done; }
write_all() {
    i=0
    while working $1 $2 && dd if=/tmp/pattern of=/proc/self/fd/3 bs=65536 count=1 \
        skip=$((i % 16)) seek=$((i % 128)) oflag=direct conv=notrunc; do
        i=$((i+1)); echo $i >/tmp/$2.new; mv /tmp/$2.new /tmp/$2.n
    done; }
fetch_all() {
    i=0; ip link set $1 up; udhcpc -q -n -i $1 >/dev/null 2>&1
    while working /sys/class/net/$1 $4; do
        wget -q -T 9 -O /tmp/$4.got $2 || continue      # the server may be closing
        sum=$(md5sum </tmp/$4.got | cut -c1-32)
        if [ "$sum" = $3 ]; then i=$((i+1)); echo $i >/tmp/$4.new; mv /tmp/$4.new /tmp/$4.n; else echo $sum >>/tmp/$4.bad; fi
    done; }
writer() {
    d=$(disk $1) || return
    exec 3<>/dev/$d
    read_all /sys/block/$d $1 & write_all /sys/block/$d $1
    wait; touch /tmp/$1.end; }
fetcher() { d=$(nic $2) || return; fetch_all $d $3 $4 $1; touch /tmp/$1.end; }
background() { ("$@" >/dev/null 2>&1 </dev/null &) }
"""
PATTERN = random.Random(7).randbytes(16 * RECORD)   # /tmp/pattern


def written(image: Path, count: int) -> bool:
    """Check that the first `count` records, which a writer completed, are in the image."""
    with open(image, "rb") as stream:
        return all(stream.read(RECORD) == PATTERN[at % 16 * RECORD:][:RECORD]
                   for at in range(min(count, DISK_RECORDS)))


class SlotMachine(Emulator):
    """A guest at its shell, with hotplug ports. `log()` returns the kernel messages since the last
    call."""

    def __init__(self, subject: Subject, scratch: Path, args: list[str]) -> None:
        super().__init__(subject.program, args, echo=subject.echo, environment=TIDY_MALLOC)
        self.scratch = scratch

    def ready(self, disk: bool) -> None:
        """Wait for the shell, silence kernel messages on the console, and install the shell
        functions and the pattern, which is read from its disk."""
        shell_ready(self)
        self.shell("dmesg -n 1; dmesg -c >/dev/null")
        text = base64.b64encode(FUNCTIONS.encode()).decode()
        lines = "\n".join(text[at:at + 400] for at in range(0, len(text), 400))
        self.shell(f"base64 -d >/tmp/functions <<END\n{lines}\nEND\n. /tmp/functions")
        if disk:
            self.shell("dd if=/dev/$(disk pattern) of=/tmp/pattern bs=65536 count=16 2>/dev/null")

    def log(self) -> str:
        """Return the kernel's messages since the last call, with their levels."""
        return self.shell("dmesg -r -c")

    # --- plugging: each backend is added and removed with its device ---

    def image(self, name: str, size: int = DISK_RECORDS * RECORD) -> Path:
        """Return the path of a disk image. The first call creates it, filled with zeroes."""
        path = self.scratch / f"{name}.img"
        if not path.exists():
            with open(path, "wb") as stream:
                stream.truncate(size)
        return path

    def add_disk(self, bus: str, name: str, **options: Any) -> None:
        """Plug a disk with its own image."""
        self.qmp.command("blockdev-add", **{"driver": "raw", "node-name": f"n-{name}", "file": {
            "driver": "file", "filename": str(self.image(name))}})
        self.qmp.command("device_add", driver="virtio-blk-pci", id=name, bus=bus, serial=name,
                         drive=f"n-{name}", **options)

    def add_nic(self, bus: str, name: str, number: int, **options: Any) -> None:
        """Plug a NIC on its own network 10.0.NUMBER.0/24."""
        self.qmp.command("netdev_add", type="user", id=f"n-{name}", net=f"10.0.{number}.0/24")
        self.qmp.command("device_add", driver="virtio-net-pci", id=name, bus=bus,
                         netdev=f"n-{name}", mac=mac_of(number), **options)

    def add(self, bus: str, name: str, **options: Any) -> None:
        """Plug a disk or a NIC, depending on the name. A NIC has the number of its slot."""
        if name.startswith("disk"):
            self.add_disk(bus, name, **options)
        else:
            self.add_nic(bus, name, SLOT_OF[bus], **options)

    def use(self, bus: str, name: str, server: HTTPServer) -> None:
        """Let the guest use a device as soon as it has found it."""
        if name.startswith("disk"):
            self.shell(f"background writer {name}")
        else:
            number = SLOT_OF[bus]
            self.shell(f"background fetcher {name} {mac_of(number)} "
                       f"http://10.0.{number}.2:{server.server_port}/ {md5(server.body)}")

    def wait_use(self, name: str, more_than: int = 0, timeout: float = 120) -> int:
        """Wait until the guest has completed more than that many operations on a device."""
        until(f"{name} to complete over {more_than} operations", lambda: self.count(name) > more_than,
              timeout, self.describe, lambda: f"{self.count(name)}\n{self.log()}", 0.3)
        return self.count(name)

    def count(self, name: str) -> int:
        """Return the number of operations that the guest completed on a device."""
        return int(self.shell(f"n=0; read -r n 2>/dev/null </tmp/{name}.n; echo ${{n:-0}}"))

    def stop_use(self, name: str) -> None:
        """Let the guest stop using a device, with no operation in flight."""
        self.shell(f"touch /tmp/{name}.stop")
        self.end_use(name)

    def end_use(self, name: str, timeout: float = 60) -> None:
        """Wait until the guest stopped or noticed the removal of the device. Check the results: no
        fetched file was wrong, and no completed write is lost."""
        self.shell(f"until_true '[ -e /tmp/{name}.end ]'", timeout)
        check(not self.shell(f"cat /tmp/{name}.bad 2>/dev/null || true"), f"{name}: bad data", "")
        if name.startswith("disk"):
            count = self.count(name)
            check(written(self.image(name), count), f"{name}: {count} writes, not all there", "")

    def nodes(self) -> int:
        """Return the number of block nodes."""
        return len(self.qmp.command("query-named-block-nodes"))

    def remove_backend(self, name: str) -> None:
        """Remove the back end of a device that was removed."""
        kind, word = ("blockdev-del", "node-name") if name.startswith("disk") else ("netdev_del",
                                                                                    "id")
        self.qmp.command(kind, **{word: f"n-{name}"})

    def deleted(self, names: set[str], timeout: float = 60) -> None:
        """Wait until all of these devices are deleted."""
        left = set(names)
        deadline = Deadline(f"{sorted(names)} to be deleted", timeout, self.describe)
        while left:
            try:
                event = self.qmp.wait_event("DEVICE_DELETED", max(0.1, deadline.left()))
            except TestFailure:
                deadline.state = f"left: {sorted(left)}, jobs: {self.jobs()}"
                raise deadline.failure() from None
            left.discard(event["data"].get("device", ""))

    def jobs(self) -> dict[str, str]:
        """Return the unplug jobs: device -> state."""
        return {job["device"]: job["state"] for job in self.qmp.command("query-unplug-jobs")}

    def footprint(self) -> tuple[int, int]:
        """Return the emulator's own private memory in KiB and the number of its descriptors."""
        proc = Path(f"/proc/{self.proc.pid}")
        return own_memory((proc / "smaps").read_text()), len(list((proc / "fd").iterdir()))


def own_memory(smaps: str) -> int:
    """Return the private memory in a process's mappings, in KiB, without mappings of more than 64
    MiB. The large mappings are guest RAM and the CPU's store of decoded code, which are reserved
    completely when the machine is created and fill as the guest touches RAM or runs new code.
    malloc creates no mapping of this size, so the result includes everything that devices and back
    ends leak."""
    total, counted = 0, False
    for line in smaps.splitlines():
        if match := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            counted = int(match[2], 16) - int(match[1], 16) <= 64 << 20
        elif counted and line.startswith("Anonymous:"):
            total += int(line.split()[1])
    return total


def md5(data: bytes) -> str:
    """Return the MD5 of some bytes, in the format of md5sum."""
    return hashlib.md5(data).hexdigest()


def mac_of(number: int) -> str:
    """Return the MAC address of a NIC."""
    return f"52:54:00:12:35:{number:02x}"


def port_args(root: list[str], switch: list[str]) -> list[str]:
    """The options of root ports, and of a switch with ports. The slot numbers are those of SLOT_OF.
    """
    args: list[str] = []
    for at, name in enumerate(root):
        args += ["-device", f"pcie-root-port,id={name},addr={at + 2:02x}.0,chassis=1,"
                 f"slot={SLOT_OF[name]}"]
    if switch:
        args += ["-device", "pcie-root-port,id=rpsw,addr=10.0,chassis=1,slot=20",
                 "-device", "x3130-upstream,id=up,bus=rpsw"]
    for at, name in enumerate(switch):
        args += ["-device", f"xio3130-downstream,id={name},bus=up,addr={at:02x}.0,chassis=2,"
                 f"slot={SLOT_OF[name]}"]
    return args


@contextmanager
def slot_machine(subject: Subject, scratch: str, root: list[str], switch: list[str],
                 extra: list[str] | None = None, disk: bool = True,
                 append: str = "") -> Iterator[SlotMachine]:
    """Start a guest with these ports, further arguments, and kernel command line words; with the
    disk of the pattern unless `disk` is false. MSI is required: Linux 6.12 deadlocks when it
    unplugs a device that shares the port's INTx line."""
    subject.need_aia()
    image = Path(scratch) / "pattern.img"
    image.write_bytes(PATTERN)
    args = arguments("hotplug", machine=MSI_MACHINE, append=append)
    args += port_args(root, switch) + (extra or [])
    if disk:
        args += ["-blockdev", f"driver=raw,node-name=pattern,file.driver=file,file.filename={image}",
                 "-device", "virtio-blk-pci,drive=pattern,serial=pattern,addr=1e.0"]
    need_devices(subject.program, args + ["-device", "virtio-blk-pci", "-device",
                                          "virtio-net-pci"])
    with SlotMachine(subject, Path(scratch), args) as machine:
        machine.ready(disk)
        yield machine


# Harmless messages above level 'notice': the guest's clock advances while the host does not run the
# hart.
HARMLESS = ["hrtimer: interrupt took"]      # word-ok: a message of Linux


def check_clean(log: str) -> None:
    """Check that the log has no message of level 'warning' or worse, and no sign of a kernel error.
    """
    for line in log.splitlines():
        level = int(line[1:line.index(">")]) & 7 if line.startswith("<") else 0
        bad = level <= 4 or "BUG" in line or "hung" in line
        check(not bad or any(text in line for text in HARMLESS), f"kernel message: {line}", log)
