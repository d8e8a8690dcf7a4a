# SPDX-License-Identifier: GPL-2.0-or-later
"""virtio-mmio: Linux with a disk, a network device and an entropy source in slots."""

import hashlib
import tempfile

from emulator import Emulator
from guest import Skip, arguments, need_devices, shell_ready
from net import amount, web
from subject import Subject, check, test

DEVICES = ["-device", "virtio-blk-device,drive=d", "-device", "virtio-net-device,netdev=n",
           "-device", "virtio-rng-device,bus=virtio-mmio-bus.0"]
# Write and read the disk without the page cache, until the machine ends.
DISK_LOOP = ("head -c 1048576 /dev/urandom >/tmp/data; md5sum </tmp/data >/tmp/expected; "
             "(while dd if=/tmp/data of=/dev/vda bs=64k oflag=direct 2>/dev/null; do "
             "dd if=/dev/vda bs=64k count=16 iflag=direct 2>/dev/null | md5sum >>/tmp/sums; done; "
             "echo BAD >>/tmp/sums) >/dev/null 2>&1 </dev/null &")


def rounds(guest: Emulator, more_than: int) -> int:
    """Wait until the loop has verified more than that many rounds, all with the same checksum."""
    text = guest.shell_value(
        f"more than {more_than} rounds", "grep -c -F -f /tmp/expected /tmp/sums 2>/dev/null || true",
        lambda text: int(text.split()[0] if text.split() else 0) > more_than, 120)
    wrong = guest.shell("grep -v -F -f /tmp/expected /tmp/sums | head -n 3")
    check("-" not in wrong and "BAD" not in wrong, "the disk has something else", wrong)
    return int(text.split()[0])


def download(guest: Emulator, url: str, body: bytes) -> None:
    """Download a file and compare its checksum."""
    text = guest.shell(f"wget -q -O /tmp/f {url} && md5sum /tmp/f; rm -f /tmp/f", 120)
    check(hashlib.md5(body).hexdigest() in text, "the downloaded file differs", text)


def live_migration_of_slots(subject: Subject, layout: list[str]) -> None:
    """Disk and network traffic before, during and after a live migration, and a reboot after it."""
    if subject.is_qemu:
        raise Skip("QEMU's -incoming needs the complete machine on its command line")
    need_devices(subject.program, DEVICES)
    body = amount(subject)
    with tempfile.TemporaryDirectory() as scratch, web(body) as server:
        with open(f"{scratch}/disk", "wb") as image:
            image.truncate(8 << 20)
        host = ["-drive", f"if=none,id=d,format=raw,file={scratch}/disk", "-netdev", "user,id=n"]
        uri, url = f"unix:{scratch}/stream", f"http://10.0.2.2:{server.server_port}/"
        args = arguments("hotplug") + layout + host + DEVICES
        with Emulator(subject.program, args, echo=subject.echo) as source:
            shell_ready(source)
            source.shell("udhcpc -q -i eth0", 60)
            slots = source.shell("ls -d /sys/bus/platform/devices/*.virtio_mmio; "
                                 "ls /sys/bus/virtio/devices")
            source.shell(DISK_LOOP)
            before = rounds(source, 2)
            download(source, url, body)
            with Emulator(subject.program, host + ["-incoming", uri], echo=subject.echo) as target:
                target.qmp.command("query-status")      # the target listens
                source.qmp.command("migrate", uri=uri)
                source.migrated()
                rounds(target, before + 2)
                download(target, url, body)
                text = target.shell("ls -d /sys/bus/platform/devices/*.virtio_mmio; "
                                    "ls /sys/bus/virtio/devices; head -c 8 /dev/hwrng | wc -c")
                check(slots.strip() in text and text.split()[-1] == "8", "other devices", text)
                target.send("reboot -f\n")
                shell_ready(target)
                target.shell("udhcpc -q -i eth0", 60)
                download(target, url, body)


@test
def virtio_mmio(subject: Subject) -> None:
    """Test live_migration_of_slots with the register layout of version 1, the default."""
    live_migration_of_slots(subject, [])


@test
def virtio_mmio_version_2(subject: Subject) -> None:
    """Test live_migration_of_slots with the register layout of version 2."""
    live_migration_of_slots(subject, ["-global", "virtio-mmio.force-legacy=false"])
