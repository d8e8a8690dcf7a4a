#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""send-key, input-send-event and sendkey: every name of the schema is a key, and messages."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from emulator import Emulator, QmpError, TestFailure  # noqa: E402

EMULATOR = os.environ["BACKPLANE_BINARY"]
OPTIONS = ["-M", "virt", "-m", "16", "-accel", "qtest", "-bios", "none"]
KEYBOARD = ["-device", "virtio-keyboard-pci"]


def check(condition, text):
    """Fail the test unless the condition holds."""
    if not condition:
        raise TestFailure(str(text))


def key(name):
    """Return a KeyValue."""
    return {"type": "number" if isinstance(name, int) else "qcode", "data": name}


def event(name, down=True):
    """Return an InputEvent."""
    return {"type": "key", "data": {"down": down, "key": key(name)}}


def move(kind, value):
    """Return an InputEvent of a pointing device."""
    return {"type": kind, "data": {"axis": "x", "value": value}}


def refused(machine, reason, command, **arguments):
    """Check that a command fails with a reason."""
    try:
        machine.qmp.command(command, **arguments)
    except QmpError as error:
        check(reason in str(error), f"{command}: {error}")
    else:
        raise TestFailure(f"{command} {arguments} succeeded")


def hmp(machine, line):
    """Run a command of the human monitor."""
    return machine.qmp.command("human-monitor-command", **{"command-line": line})


def names(machine):
    """Return the values of QKeyCode."""
    schema = {entry["name"]: entry for entry in machine.qmp.command("query-qmp-schema")}
    arg = next(entry for entry in schema.values() if entry["name"] == "send-key")["arg-type"]

    def member(kind, name):
        return next(m["type"] for m in schema[kind]["members"] if m["name"] == name)
    value = schema[member(arg, "keys")]["element-type"]
    branch = next(v["type"] for v in schema[value]["variants"] if v["case"] == "qcode")
    return schema[member(branch, "data")]["values"]


def check_info_usb():
    """The lines of info usb: those of QEMU 7.2 for these options."""
    devices = ["qemu-xhci,id=a", "usb-mouse,bus=a.0,port=4,usb_version=1", "usb-kbd,bus=a.0,id=k",
               "qemu-xhci,id=b", "usb-tablet,bus=b.0,id=t"]
    options = [word for device in devices for word in ("-device", device)]
    expected = ("  Device 0.0, Port 1, Speed 480 Mb/s, Product QEMU USB Keyboard, ID: k\n"
                "  Device 0.0, Port 4, Speed 12 Mb/s, Product QEMU USB Mouse\n")
    tablet = "  Device 1.0, Port 1, Speed 480 Mb/s, Product QEMU USB Tablet, ID: t\n"
    with Emulator(EMULATOR, OPTIONS + options, console=False) as machine:
        text = hmp(machine, "info usb").replace("\r", "")
        check(text == expected + tablet, text)
        machine.qmp.command("device_del", id="t")
        text = machine.qmp.command("x-query-usb")["human-readable-text"]
        check(text == expected, text)


def main():
    """Run the test."""
    with Emulator(EMULATOR, OPTIONS + KEYBOARD, console=False) as machine:
        found = names(machine)
        check(len(found) > 150, found)
        for name in found:
            machine.qmp.command("input-send-event", events=[event(name), event(name, False)])
        machine.qmp.command("send-key", keys=[key("ctrl"), key(0x1E)])
        check(hmp(machine, "sendkey ctrl-alt-0xd3 50") == "", "sendkey")
        refused(machine, "no key has the scan code 0", "send-key", keys=[key(0)])
        refused(machine, "'nokey'", "send-key", keys=[key("nokey")])
        refused(machine, "17 keys; at most 16", "send-key", keys=[key("a")] * 17)
        refused(machine, "hold time 60001", "send-key", keys=[key("a")], **{"hold-time": 60001})
        refused(machine, "no pointing device", "input-send-event", events=[
            event("a"), {"type": "btn", "data": {"down": True, "button": "left"}}])
        refused(machine, "no pointing device for an event of type 'rel'; use -device usb-mouse",
                "input-send-event", events=[move("rel", 1)])
        refused(machine, "at most 1024", "input-send-event", events=[event("a")] * 1025)
        refused(machine, "USB support not enabled", "x-query-usb")
        check(hmp(machine, "info usb") == "Error: USB support not enabled\r\n", "info usb")
        refused(machine, "no display", "input-send-event", device="x", events=[])
        check("key 'foo' is unknown" in hmp(machine, "sendkey ctrl-foo"), "sendkey foo")
        check("key '' is unknown" in hmp(machine, "sendkey ctrl-"), "sendkey ctrl-")
        check("1 to 60000" in hmp(machine, "sendkey a 0"), "sendkey a 0")
    with Emulator(EMULATOR, OPTIONS, console=False) as machine:
        refused(machine, "-device virtio-keyboard-pci", "send-key", keys=[key("a")])
        refused(machine, "-device usb-tablet", "input-send-event", events=[move("abs", 1)])
        refused(machine, "-device virtio-keyboard-pci", "input-send-event", events=[event("a")])
    check_info_usb()
    usb = ["-device", "qemu-xhci", "-device", "usb-tablet", "-device", "usb-kbd"]
    with Emulator(EMULATOR, OPTIONS + usb, console=False) as machine:
        left = {"type": "btn", "data": {"down": True, "button": "left"}}
        machine.qmp.command("input-send-event", events=[move("abs", 32767), left, event("a")])
        machine.qmp.command("send-key", keys=[key("power")])
        refused(machine, "position 32768: 0 to 32767", "input-send-event", events=[move("abs", 32768)])
        refused(machine, "-device usb-mouse", "input-send-event", events=[move("rel", 1)])
        refused(machine, "the wheel of 'wheel-left'", "input-send-event", events=[
            {"type": "btn", "data": {"down": True, "button": "wheel-left"}}])
    with Emulator(EMULATOR, ["-M", "virt", "-m", "16", "-S", *usb], console=False) as machine:
        refused(machine, "the guest does not run", "input-send-event", events=[left])


if __name__ == "__main__":
    main()
