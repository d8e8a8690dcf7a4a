# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu-xhci with a keyboard, a tablet and a mouse, and the drivers of Debian's kernel."""

import base64
import re
import struct
import tempfile

from emulator import Emulator
from guest import MSI_MACHINE, Skip, arguments, need_devices, shell_ready
from monitors import QmpError
from slots import check_clean
from subject import Subject, check, test
from waiting import until

DEVICES = ["-device", "qemu-xhci,id=usb,addr=08.0", "-device", "usb-kbd,id=kbd,bus=usb.0,port=1",
           "-device", "usb-tablet,id=tablet,bus=usb.0,port=2",
           "-device", "usb-mouse,id=mouse,bus=usb.0,port=3,usb_version=1,serial=first"]

# /sys/bus/usb/devices: product, serial number, Mbit/s. The ports follow those of USB 3.
ENUMERATED = {"QEMU USB Keyboard": ("68284-0000:00:08.0-1", "480"),
              "QEMU USB Tablet": ("28754-0000:00:08.0-2", "480"),
              "QEMU USB Mouse": ("first", "12")}

SYN, KEY, REL, ABS = range(4)                       # types of linux/input-event-codes.h
EVENT = struct.Struct("<qqHHi")                     # struct input_event
KEY_1, KEY_A, KEY_B, KEY_LEFTSHIFT = 2, 30, 48, 42
BTN_LEFT, BTN_RIGHT = 0x110, 0x111
REL_X, REL_Y, REL_WHEEL = 0, 1, 8

FUNCTIONS = r"""
node() {    # print the name of the event device of a product
    for e in /sys/class/input/event*; do
        grep -q "$1" $e/device/name 2>/dev/null && echo ${e##*/} && return
    done
    return 1
}
record() {  # record the events of a product in /tmp/PRODUCT
    : >/tmp/$1
    cat /dev/input/$(node $1) >>/tmp/$1 2>/dev/null </dev/null &
}
"""


def usb_ready(guest: Emulator) -> None:
    """Load the drivers, and record the events of the three devices."""
    shell_ready(guest)
    guest.shell("dmesg -c >/dev/null")
    if guest.shell("modprobe -a xhci_pci usbhid hid_generic evdev 2>&1 || echo absent").strip():
        raise Skip("the initramfs has no USB modules: run scripts/make-initramfs")
    guest.shell(FUNCTIONS)
    for product in ("Keyboard", "Tablet", "Mouse"):
        record(guest, product)


def record(guest: Emulator, product: str) -> None:
    """Wait for a device, and record its events from now on."""
    guest.shell_until(f"[ -c /dev/input/$(node {product} || echo none) ]")
    guest.shell(f"record {product}")
    # the device receives events when its driver polls it, which begins at the open
    guest.shell_until(f"ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q $(node {product})$")


def events(guest: Emulator, product: str) -> list[tuple[int, int, int]]:
    """Return the recorded events (type, code, value) without separators and scan codes."""
    data = base64.b64decode(guest.shell(f"base64 /tmp/{product}"))
    found = [event[2:] for event in EVENT.iter_unpack(data[:len(data) // EVENT.size * EVENT.size])]
    return [event for event in found if event[0] in (KEY, REL, ABS) and event[:2] != (REL, 11)]


def expect_events(guest: Emulator, product: str, expected: list[tuple[int, int, int]]) -> None:
    """Wait until exactly these events are recorded, and start a new record."""
    until(f"{len(expected)} events of {product}",
          lambda: len(events(guest, product)) >= len(expected), 30,
          lambda: f"recorded: {events(guest, product)}\n{guest.describe()}")
    seen = events(guest, product)
    check(seen == expected, f"other events of {product} than {expected}", str(seen))
    guest.shell(f": >/tmp/{product}")


def inject(guest: Emulator, *made: dict) -> None:
    """Send input events."""
    guest.qmp.command("input-send-event", events=list(made))


def key(code: str, down: bool) -> dict:
    """Return a key event."""
    return {"type": "key", "data": {"key": {"type": "qcode", "data": code}, "down": down}}


def button(name: str, down: bool) -> dict:
    """Return a button event."""
    return {"type": "btn", "data": {"button": name, "down": down}}


def move(kind: str, axis: str, value: int) -> dict:
    """Return an event of an axis; kind: abs, rel."""
    return {"type": kind, "data": {"axis": axis, "value": value}}


def check_enumeration(guest: Emulator) -> None:
    """Check what the guest reads in the descriptors of the devices."""
    text = guest.shell("cd /sys/bus/usb/devices; for d in [0-9]*-[0-9]; do cat $d/idVendor "
                       "$d/idProduct $d/manufacturer $d/product $d/serial $d/speed | tr '\\n' '|'; "
                       "echo; done; cd /")
    found = [line.rstrip("|").split("|") for line in text.split("\n") if line.strip()]
    expected = [["0627", "0001", "QEMU", product, *rest] for product, rest in ENUMERATED.items()]
    check(sorted(found) == sorted(expected), "other devices", text)


def check_monitor(guest: Emulator) -> None:
    """Check that info usb has the addresses of the slots that the guest enabled."""
    text = guest.qmp.command("human-monitor-command", **{"command-line": "info usb"})
    found = re.findall(r"Device 0\.(\d+), Port (\d), Speed (\d+) Mb/s, Product (.*), ID: (\w+)",
                       text)
    check([row[1:] for row in found] == [("1", "480", "QEMU USB Keyboard", "kbd"),
                                         ("2", "480", "QEMU USB Tablet", "tablet"),
                                         ("3", "12", "QEMU USB Mouse", "mouse")], "other lines", text)
    addresses = {int(row[0]) for row in found}
    check(len(addresses) == 3 and 0 not in addresses, "other addresses", text)


def check_keys(guest: Emulator) -> None:
    """Check keys of sendkey, send-key and input-send-event."""
    guest.qmp.command("human-monitor-command", **{"command-line": "sendkey shift-a 20"})
    expect_events(guest, "Keyboard", [(KEY, KEY_LEFTSHIFT, 1), (KEY, KEY_A, 1),
                                      (KEY, KEY_A, 0), (KEY, KEY_LEFTSHIFT, 0)])
    guest.qmp.command("send-key", keys=[{"type": "qcode", "data": "b"}], **{"hold-time": 20})
    expect_events(guest, "Keyboard", [(KEY, KEY_B, 1), (KEY, KEY_B, 0)])
    inject(guest, key("1", True))
    inject(guest, key("1", False))
    expect_events(guest, "Keyboard", [(KEY, KEY_1, 1), (KEY, KEY_1, 0)])


def check_pointers(guest: Emulator, first: int) -> None:
    """Check positions, movements, wheel and buttons. `first` differs from the last position."""
    inject(guest, move("abs", "x", first), move("abs", "y", 0x7fff - first))
    expect_events(guest, "Tablet", [(ABS, REL_X, first), (ABS, REL_Y, 0x7fff - first)])
    # the kernel reports only the axes that change
    inject(guest, move("abs", "x", 0x7fff))
    inject(guest, move("abs", "y", 0))
    expect_events(guest, "Tablet", [(ABS, REL_X, 0x7fff), (ABS, REL_Y, 0)])
    inject(guest, move("rel", "x", -3), move("rel", "y", 100))
    expect_events(guest, "Mouse", [(REL, REL_X, -3), (REL, REL_Y, 100)])


def check_buttons(guest: Emulator) -> None:
    """Check the buttons and the wheel, which are those of the tablet."""
    inject(guest, button("left", True))
    inject(guest, move("abs", "x", 5))
    inject(guest, button("left", False))
    expect_events(guest, "Tablet", [(KEY, BTN_LEFT, 1), (ABS, REL_X, 5), (KEY, BTN_LEFT, 0)])
    for name, event in (("right", (KEY, BTN_RIGHT, 1)), ("wheel-up", (REL, REL_WHEEL, 1)),
                        ("wheel-down", (REL, REL_WHEEL, -1))):
        inject(guest, button(name, True))
        inject(guest, button(name, False))      # of the wheel: no event
        expect_events(guest, "Tablet", [event, (KEY, BTN_RIGHT, 0)][:2 if name == "right" else 1])


def moved(guest: Emulator) -> int:
    """Return the sum of the movements that the mouse reported."""
    return sum(value for kind, code, value in events(guest, "Mouse") if (kind, code) == (REL, REL_X))


def replug(guest: Emulator, rounds: int) -> None:
    """Unplug and plug the keyboard and the tablet while the mouse moves. No movement is lost."""
    total = 0
    guest.shell(": >/tmp/Mouse")
    plugged = {"kbd": ("Keyboard", "usb-kbd", "1"), "tablet": ("Tablet", "usb-tablet", "2")}
    for number in range(rounds):
        device = ("tablet", "kbd")[number % 2]
        product, driver, port = plugged[device]
        inject(guest, key("a", True), move("abs", "x", number), move("rel", "x", 7))
        guest.qmp.command("device_del", id=device)
        guest.qmp.wait_event("DEVICE_DELETED", 30)
        inject(guest, move("rel", "x", 5))
        guest.shell_until(f"! node {product}")
        guest.qmp.command("device_add", driver=driver, id=device, bus="usb.0", port=port)
        inject(guest, key("a", False), move("abs", "y", number), move("rel", "x", -1))
        total += 11
        record(guest, product)
    until("all movements", lambda: moved(guest) >= total, 30,
          lambda: f"{moved(guest)} of {total}\n{guest.describe()}")
    check(moved(guest) == total, f"another movement than {total}", str(events(guest, "Mouse")))
    guest.shell(": >/tmp/Mouse; : >/tmp/Tablet; : >/tmp/Keyboard")


def move_until_stop(guest: Emulator) -> int:
    """Move the mouse until the guest stops, and return the movement."""
    total = 0
    while True:
        try:
            inject(guest, move("rel", "x", 3))
        except QmpError as error:
            check("does not run" in str(error), "another error", str(error))
            return total
        total += 3


def check_all(guest: Emulator, first: int) -> None:
    """Check the devices and their events."""
    check_enumeration(guest)
    check_monitor(guest)
    check_keys(guest)
    check_pointers(guest, first)
    check_buttons(guest)


@test
def usb_input(subject: Subject) -> None:
    """Keys, positions, movements and buttons arrive; devices are unplugged and plugged. The
    controller uses its pin."""
    need_devices(subject.program, DEVICES)
    with Emulator(subject.program, arguments() + DEVICES, echo=subject.echo) as guest:
        usb_ready(guest)
        check_all(guest, 1000)
        replug(guest, 20 if subject.long else 4)
        check_all(guest, 2000)
        check_clean(guest.shell("dmesg -r"))



@test
def usb_migration(subject: Subject) -> None:
    """A guest migrates while the mouse moves; its USB devices continue. The controller uses MSI-X.
    """
    if subject.is_qemu:
        raise Skip("QEMU's -incoming needs the complete machine on its command line")
    need_devices(subject.program, DEVICES)
    with tempfile.TemporaryDirectory() as scratch:
        uri = f"unix:{scratch}/stream"
        args = arguments(machine=MSI_MACHINE) + DEVICES
        with Emulator(subject.program, args, echo=subject.echo) as source:
            usb_ready(source)
            check(source.shell("grep -c xhci /proc/interrupts").strip() != "0", "no MSI-X", "")
            check_all(source, 1000)
            replug(source, 2)
            with Emulator(subject.program, ["-incoming", uri], echo=subject.echo) as target:
                target.qmp.command("query-status")      # the target listens
                source.qmp.command("migrate", uri=uri)
                total = move_until_stop(source)
                source.migrated()
                inject(target, move("rel", "x", 1))
                total += 1
                until("all movements", lambda: moved(target) >= total, 30,
                      lambda: f"{moved(target)} of {total}\n{target.describe()}")
                target.shell(": >/tmp/Mouse")
                check_all(target, 2000)
                replug(target, 2)
                check_all(target, 3000)
                check_clean(target.shell("dmesg -r"))
