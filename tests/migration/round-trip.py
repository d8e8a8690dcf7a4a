#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Save, load, save gives the same bytes, for every device type and for a complete machine.

read-stream.py also reads the files, and a machine started from the loaded machine's description
must be the same machine.
"""
import importlib
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from machine import EMULATOR, Machine, QmpError  # noqa: E402

NEEDS = {"virtio-blk-pci": "drive=d0", "xio3130-downstream": "bus=up", "x3130-upstream": "bus=rp",
         "pxb-pcie": "bus_nr=64", "virtconsole": "bus=vs.0", "virtserialport": "bus=vs.0",
         "nvme": "drive=d0,serial=s", "scsi-hd": "bus=sc.0,drive=d0", "scsi-cd": "bus=sc.0",
         "usb-kbd": "bus=x.0", "usb-tablet": "bus=x.0,port=3", "usb-mouse": "bus=x.0,usb_version=1",
         "nvme-ns": "bus=nv,drive=d0",
         "loader": "addr=0x80000100,data=1,data-len=1"}
# The devices that provide the required bus.
BEFORE = {"bus=rp": ["pcie-root-port,id=rp,chassis=7"],
          "bus=up": ["pcie-root-port,id=rp,chassis=7", "x3130-upstream,id=up,bus=rp"],
          "bus=vs.0": ["virtio-serial-pci,id=vs"],
          **{key: ["qemu-xhci,id=x"] for key in ("bus=x.0", "bus=x.0,port=3", "bus=x.0,usb_version=1")},
          "bus=nv,drive=d0": ["nvme,id=nv,serial=s"],
          "bus=sc.0": ["virtio-scsi-pci,id=sc"], "bus=sc.0,drive=d0": ["virtio-scsi-pci,id=sc"]}
HOST = ["-blockdev", "null-co,node-name=d0,size=1048576"]
WHOLE = ["pcie-root-port,id=rp0,addr=2,chassis=1", "virtio-blk-pci,id=v0,bus=rp0,drive=d0",
         "pcie-root-port,id=rp1,addr=3,chassis=2", "x3130-upstream,id=up0,bus=rp1",
         "xio3130-downstream,id=dn0,bus=up0,chassis=3", "ticker,id=t0,bus=dn0",
         "pci-bridge,id=br0,addr=4,chassis_nr=4", "edu,id=e0,bus=br0,addr=1",
         "virtio-rng-pci,id=rng0,addr=5", "pci-testdev,id=pt0,addr=6",
         "virtio-net-pci,id=net0,addr=7"]
MACHINES = ["virt", "virt,aia=aplic-imsic", "virt,aia=aplic", "virt,aclint=on", "virt-0.1"]


def types():
    """Return the types that a user can create."""
    text = subprocess.run([EMULATOR, "-M", "virt", "-device", "help"], capture_output=True,
                          text=True, check=False).stdout
    return re.findall(r'name "([\w.-]+)"', text)


def options_for(name):
    """Return -device options for a machine with one such device."""
    extra = NEEDS.get(name, NEEDS["virtio-blk-pci"] if name.startswith("virtio-blk") else None)
    devices = BEFORE.get(extra, []) + [name + (f",{extra}" if extra else "")]
    return [word for device in devices for word in ("-device", device)]


def program_bars(m):
    """Set the address of every BAR and enable decoding and mastering, as firmware would."""
    address = 0x40000000
    for slot in range(1, 8):
        config = 0x30000000 + (slot << 15)
        if m.read(config, 4) == 0xffffffff or m.read(config + 0xe, 1) & 0x7f:
            continue
        for bar in range(0x10, 0x28, 4):
            m.write(config + bar, 4, address)
            address += 1 << 20
        m.write(config + 4, 2, 7)


def save(m, path):
    """Save the stopped machine."""
    m.command("stop")
    m.command("migrate", uri=f"file:{path}")
    m.wait("completed", "failed")
    report = m.command("query-migrate")
    assert report["status"] == "completed", report
    with open(path, "rb") as f:
        return f.read()


def round_trip(machine, args, folder):
    """Test one machine. Raises AssertionError."""
    reader = importlib.import_module("read-stream")
    one, two, dump = (os.path.join(folder, n) for n in ("one", "two", "dump"))
    with Machine("-M", machine, "-m", "4", *HOST, *args) as m:
        program_bars(m)
        m.ask("clock_step 12345678")
        first = save(m, one)
        want = m.command("query-machine-description")
    reader.read_stream(first)
    with Machine(*HOST, "-incoming", f"file:{one}") as m:
        report = m.wait("completed", "failed")
        assert report["status"] == "completed", report["error-desc"]
        have = m.command("query-machine-description")
        assert want["guest"] == have["guest"], "the description differs after the load"
        second = save(m, two)
    if first != second:
        at = next(i for i, (a, b) in enumerate(zip(first, second)) if a != b)
        raise AssertionError(f"the files differ from byte {at} on")
    with open(dump, "w", encoding="utf-8") as f:
        json.dump(have, f)
    with Machine(*HOST, "-machine-config", dump) as m:
        again = m.command("query-machine-description")
        assert again["guest"] == have["guest"], "the dump starts another machine"


def main():
    """Test all types, then the complete machine. Returns the exit status: 1 if one differs."""
    bad = 0
    with tempfile.TemporaryDirectory(prefix="backplane-round-trip-") as folder:
        rows = [(name, "virt", options_for(name)) for name in types()]
        rows += [(f"everything on {machine}", machine, [w for d in WHOLE for w in ("-device", d)])
                 for machine in MACHINES]
        for name, machine, args in rows:
            try:
                round_trip(machine, args, folder)
                print(f"{name}: ok", flush=True)
            except (AssertionError, QmpError, RuntimeError, ValueError, KeyError) as error:
                bad += 1
                print(f"{name}: {type(error).__name__}: {error}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
