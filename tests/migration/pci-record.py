#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The PCI record in a stream: versions 1, 2 and 3, and capabilities at foreign offsets.

golden/pci-testdev-vN.hex are records as releases wrote them; they are never regenerated. Each is
put into a fresh stream in place of the record that is there, loaded, and read back. Then a
stream says a capability stands elsewhere than its description: the loaded machine shows it
there, its description says so, and a machine started from that description has the same bytes.
"""
import json
import os
import struct
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from machine import Machine, QmpError  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
QUIET = open(os.devnull, "wb")
SLOT = 3
CONFIG = 0x30000000 + (SLOT << 15)


def sections(data):
    """{name: (offset of the record's length, bytes of the record)} of FULL sections."""
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
    """The end of one chunk of RAM."""
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
    """The stream with another record in that section; without the description at its end."""
    at, old = sections(data)[name]
    end = data.rindex(b"\0\6", 0, data.rindex(b'{"page_size"'))
    body = data[:at] + struct.pack(">I", len(record)) + record + data[at + 4 + len(old):end + 1]
    return body


def save(folder, *args):
    """The stream of a fresh machine."""
    path = os.path.join(folder, "saved")
    with Machine("-M", "virt", "-m", "2", *args, stderr=QUIET) as m:
        m.command("stop")
        m.command("migrate", uri=f"file:{path}")
        m.wait("completed")
        config = read_config(m)
    with open(path, "rb") as f:
        return f.read(), config


def read_config(m):
    """256 bytes of the function in the slot."""
    return bytes(m.read(CONFIG + i, 1) for i in range(256))


def load(folder, data):
    """A machine that took the stream."""
    path = os.path.join(folder, "load")
    with open(path, "wb") as f:
        f.write(data)
    m = Machine("-incoming", f"file:{path}", stderr=QUIET)
    report = m.wait("completed", "failed")
    if report["status"] == "failed":
        m.close()
        raise AssertionError(report["error-desc"])
    return m


def check_golden(folder, version):
    """A record of an earlier version."""
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
    raise AssertionError("a record of version 4 was taken")


def check_foreign(folder):
    """A capability elsewhere than the description has it."""
    moved, config = save(folder, "-device", f"ticker,id=t0,addr={SLOT},msix=0x98")
    plain, other = save(folder, "-device", f"ticker,id=t0,addr={SLOT}")
    assert config != other
    name = f"0000:00:{SLOT:02x}.0/ticker"
    data = replace(plain, name, sections(moved)[name][1])
    with load(folder, data) as m:
        assert read_config(m) == config, "the capability is not where the stream has it"
        description = m.command("query-machine-description")
    dump = os.path.join(folder, "dump")
    with open(dump, "w", encoding="utf-8") as f:
        json.dump(description, f)
    with Machine("-machine-config", dump, stderr=QUIET) as m:
        fresh = read_config(m)
        wrong = [f"{i:#x}: {config[i]:#x}, {fresh[i]:#x}" for i in range(256) if config[i] != fresh[i]]
        assert not wrong, f"a machine from the dump differs: {wrong[:8]} {[d for d in description['guest']['devices'] if d.get('id') == 't0']}"


def main():
    """Run all; the exit status says whether one failed."""
    bad = 0
    checks = [(f"version {v}", lambda folder, v=v: check_golden(folder, v)) for v in (1, 2, 3)]
    checks.append(("foreign offset", check_foreign))
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
