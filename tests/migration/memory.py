#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every type of memory for the guest's RAM, migrated and loaded from a file.

The target is started with the command line of the source. Loading overwrites the previous contents
of the memory's file.
"""
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from machine import Machine  # noqa: E402

RAM = 0x80000000
PAGES = 16


def line(kind):
    """Return options for 16 MiB of RAM from an object."""
    return ["-object", f"{kind},id=m0,size=16M", "-M", "virt,memory-backend=m0", "-m", "16"]


def marks(machine):
    """Return the value of one word of each MiB."""
    return [machine.read(RAM + (n << 20) + 8, 8) for n in range(PAGES)]


def fill(machine):
    """Write a different word to each MiB. Returns the words."""
    for n in range(PAGES):
        machine.write(RAM + (n << 20) + 8, 8, n + 1)
    return list(range(1, PAGES + 1))


def finish(machine):
    """Wait until the migration has completed without an error."""
    report = machine.wait("completed", "failed")
    assert report["status"] == "completed", report


def live(kind, folder):
    """Migrate from one process to another."""
    uri = f"unix:{folder}/socket"
    with Machine(*line(kind("one"))) as source, Machine(*line(kind("two")), "-incoming", uri) as target:
        wanted = fill(source)
        assert source.command("migrate-check", uri=uri)["accepted"]
        source.command("migrate", uri=uri)
        finish(source)
        finish(target)
        assert marks(target) == wanted, "RAM differs"


def snapshot(kind, folder):
    """Save to a file, and load it with the same command line."""
    uri = f"file:{folder}/saved"
    with Machine(*line(kind("three"))) as source:
        wanted = fill(source)
        source.command("migrate", uri=uri)
        finish(source)
    with Machine(*line(kind("three")), "-incoming", uri) as target:
        finish(target)
        assert marks(target) == wanted, "RAM differs"


def main():
    """Test all types."""
    with tempfile.TemporaryDirectory(prefix="backplane-memory-") as folder:
        def file(share):
            return lambda name: f"memory-backend-file,mem-path={folder}/{name},share={share}"
        kinds = {
            "file, private": file("off"), "file, shared": file("on"),
            "memfd": lambda name: "memory-backend-memfd", "ram": lambda name: "memory-backend-ram",
        }
        for name, kind in kinds.items():
            for old in ("one", "two", "three"):
                with open(os.path.join(folder, old), "wb") as f:
                    f.write(b"\xee" * (16 << 20))
            live(kind, folder)
            snapshot(kind, folder)
            print(f"{name}: ok", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
