#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The PCI record in a stream: versions 1, 2 and 3, and capabilities at other offsets.

golden/pci-testdev-vN.hex contain records as releases wrote them and are never regenerated. Each
replaces the record in a new stream, which is loaded and read back. Further streams differ from
their description in the offsets or the presence of capabilities: the loaded machine has the
capabilities of the stream, its description agrees, and a machine started from that description
shows the same 4,096 bytes of each function.
"""
import json
import os
import struct
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from guest import Function  # noqa: E402
from machine import Machine, QmpError  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SLOT = 3
CONFIG = 0x30000000 + (SLOT << 15)


def sections(data):
    """Return {name: (offset of the record's length, bytes of the record)} of FULL sections."""
    found, at = {}, 8 + 5 + struct.unpack_from(">I", data, 9)[0]
    while data[at]:
        kind, at = data[at], at + 5
        if kind in (1, 4):
            name = data[at + 1:at + 1 + data[at]].decode()
            at += 1 + data[at] + 8
        if kind == 4:
            size, = struct.unpack_from(">I", data, at)
            found[name] = (at, data[at + 4:at + 4 + size])
            at += 4 + size
        else:
            at = skip_ram(data, at)
        at += 5
    return found


def skip_ram(data, at):
    """Return the end of one chunk of RAM."""
    while True:
        word, = struct.unpack_from(">Q", data, at)
        at += 8
        flags, size = word & 0xfff, word & ~0xfff
        if flags == 0x10:
            return at
        if flags == 4:
            while size:
                at += 1 + data[at]
                size -= struct.unpack_from(">Q", data, at)[0]
                at += 8
            continue
        at += 0 if flags & 0x20 else 1 + data[at]
        at += 1 if flags & 2 else 4096


def replace(data, name, record):
    """Replace the record of a section, and remove the description at the end of the stream."""
    at, old = sections(data)[name]
    end = data.rindex(b"\0\6", 0, data.rindex(b'{"page_size"')) if b'{"page_size"' in data else -1
    end = end if end >= 0 else len(data) - 1
    body = data[:at] + struct.pack(">I", len(record)) + record + data[at + 4 + len(old):end + 1]
    return body


def save(folder, *args):
    """Return the stream of a new machine."""
    path = os.path.join(folder, "saved")
    with Machine("-M", "virt", "-m", "2", *args) as m:
        m.command("stop")
        m.command("migrate", uri=f"file:{path}")
        m.wait("completed")
        config = read_config(m)
    with open(path, "rb") as f:
        return f.read(), config


def read_config(m):
    """Return 256 bytes of the function in the slot."""
    return bytes(m.read(CONFIG + i, 1) for i in range(256))


def load(folder, data):
    """Start a machine that loads the stream."""
    path = os.path.join(folder, "load")
    with open(path, "wb") as f:
        f.write(data)
    m = Machine("-incoming", f"file:{path}")
    report = m.wait("completed", "failed")
    if report["status"] == "failed":
        m.close()
        raise AssertionError(report["error-desc"])
    return m


def check_golden(folder, version):
    """Test the record of an earlier version."""
    with open(os.path.join(HERE, f"golden/pci-testdev-v{version}.hex"), encoding="ascii") as f:
        golden = bytes.fromhex(f.read())
    assert struct.unpack_from(">I", golden)[0] == version
    config = golden[8 if version == 3 else 4:][:256]
    data, _ = save(folder, "-device", f"pci-testdev,addr={SLOT}")
    name = f"0000:00:{SLOT:02x}.0/pci-testdev"
    with load(folder, replace(data, name, golden)) as m:
        assert read_config(m) == config, "other config bytes"
        assert m.read(CONFIG + 4, 2) == 0x0002, "memory decoding is lost"
    broken = struct.pack(">I", 4) + golden[4:]
    try:
        load(folder, replace(data, name, broken)).close()
    except AssertionError:
        return
    raise AssertionError("a record of version 4 was accepted")


# Differences between a stream and its description: devices as saved, devices as described.
FOREIGN = {
    "one offset": (["ticker,id=t0,addr=3,msix=0x98"], ["ticker,id=t0,addr=3"]),
    "every offset": (
        ["ticker,id=t0,addr=3,msix=0x50,pm=0x80,express=0xa0", "edu,id=e0,addr=4,msi=0xe0"],
        ["ticker,id=t0,addr=3,msix=0x98", "edu,id=e0,addr=4"]),
    "extended capabilities": (
        ["pcie-root-port,id=rp0,addr=3,chassis=1,aer=0x200,acs=0x108,msix=0xc0"],
        ["pcie-root-port,id=rp0,addr=3,chassis=1"]),
    "present or absent": (
        ["ticker,id=t0,addr=3,msix=off", "edu,id=e0,addr=4"],
        ["ticker,id=t0,addr=3", "edu,id=e0,addr=4,msi=off"]),
    "behind a bridge": (
        ["pcie-root-port,id=rp0,addr=3,chassis=1", "ticker,id=t0,bus=rp0,msix=0xd0"],
        ["pcie-root-port,id=rp0,addr=3,chassis=1,msix=0xc8", "ticker,id=t0,bus=rp0"]),
}


def show_all(m):
    """Return the data of `lspci -xxxx`: {(bus, slot): 4,096 bytes} of each function."""
    return {(bus, slot): Function(m, bus, slot).config() for bus in range(2) for slot in range(32)
            if Function(m, bus, slot).get(0, 2) != 0xffff}


def save_devices(folder, devices):
    """Return the stream of a new machine whose bridge, if it has one, has bus numbers."""
    path = os.path.join(folder, "saved")
    args = [word for device in devices for word in ("-device", device)]
    with Machine("-M", "virt", "-m", "1", *args) as m:
        if devices[0].startswith("pcie-root-port"):
            Function(m, 0, 3).bridge(1, 1)
        m.command("stop")
        m.command("migrate", uri=f"file:{path}")
        m.wait("completed")
        config = show_all(m)
    with open(path, "rb") as f:
        return f.read(), config


def check_foreign(folder, saved, described):
    """Load a stream of one machine with records of another machine."""
    theirs, config = save_devices(folder, saved)
    data, other = save_devices(folder, described)
    assert config != other, "the pair does not differ"
    for name, (_, record) in sections(theirs).items():
        if name.startswith("0000:"):
            data = replace(data, name, record)
    with load(folder, data) as m:
        assert show_all(m) == config, "the capabilities are not where the stream has them"
        description = m.command("query-machine-description")
    dump = os.path.join(folder, "dump")
    with open(dump, "w", encoding="utf-8") as f:
        json.dump(description, f)
    with Machine("-machine-config", dump) as m:
        if saved[0].startswith("pcie-root-port"):
            Function(m, 0, 3).bridge(1, 1)
        fresh = show_all(m)
        wrong = [f"{where} {i:#x}: {config[where][i]:#x}, {fresh[where][i]:#x}" for where in config
                 for i in range(4096) if config[where][i] != fresh[where][i]]
        assert not wrong, f"a machine from the dump differs: {wrong[:8]}"
    with load(folder, data) as m:
        again = os.path.join(folder, "again")
        m.command("stop")
        m.command("migrate", uri=f"file:{again}")
        m.wait("completed")
        with open(again, "rb") as f:
            kept = sections(f.read())
        for name, (_, record) in sections(data).items():
            assert name == "backplane/hwdesc" or kept[name][1] == record, f"{name} changed"


def main():
    """Run all tests. The exit status is 1 if one failed."""
    bad = 0
    checks = [(f"version {v}", lambda folder, v=v: check_golden(folder, v)) for v in (1, 2, 3)]
    checks += [(f"foreign: {name}", lambda folder, pair=pair: check_foreign(folder, *pair))
               for name, pair in FOREIGN.items()]
    with tempfile.TemporaryDirectory(prefix="backplane-record-") as folder:
        for name, check in checks:
            try:
                check(folder)
                print(f"{name}: ok")
            except (AssertionError, QmpError, OSError, ValueError) as error:
                bad += 1
                print(f"{name}: {error}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
