#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Load damaged streams: each is rejected with a message, or loads into a consistent machine.

A stream of a machine with every migratable device is saved. Then it is truncated, or single bits
outside the contents of RAM are inverted, and a target loads the result. After a rejection the
target must be alive, waiting, and able to load the unmodified stream at the end. After a load the
machine must answer QMP and can be saved, and the saved stream loads again. Without --long a sample
is taken, which --seed and --cases select. A complete run requires days; the program `hostile` does
that for the golden streams in less than an hour, without processes.
"""
import argparse
import os
import random
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from machine import EMULATOR, Machine, QmpError  # noqa: E402
import importlib  # noqa: E402

DEVICES = [
    "pcie-root-port,id=rp0,addr=2,chassis=1", "edu,id=edu0,addr=3", "pci-testdev,id=pt0,addr=4",
    "pci-bridge,id=br0,addr=5,chassis_nr=2", "edu,id=edu1,bus=br0,addr=1",
    "ticker,id=t0,bus=rp0", "virtio-rng-pci,id=rng0,addr=6",
]
SENTENCES = ("section ", "stream at byte", "description", ": ")


def skip_ram(data):
    """Return the bytes that are not contents of RAM pages, found by walking the container."""
    reader = importlib.import_module("read-stream")
    r = reader.Reader(data)
    ranges, start = [], 0
    original = r.take

    def take(size):
        nonlocal start
        if size == 4096 and r.at + size <= len(data):
            ranges.append((start, r.at))
            start = r.at + size
        return original(size)

    # walk once with a reader that records the positions of pages
    saved = reader.Reader
    reader.Reader = lambda _: r
    r.take = take
    reader.read_stream(data)
    reader.Reader = saved
    ranges.append((start, len(data)))
    return ranges


def non_zero_page_bytes(data):
    """Return the offsets to be changed: not in pages, and only some of the many zero-page items."""
    offsets = []
    for first, end in skip_ram(data):
        if end - first > 20000:
            offsets += list(range(first, first + 2000)) + list(range(end - 60000, end))
            continue
        offsets += range(first, end)
    return sorted({o for o in offsets if 0 <= o < len(data)})


class Target:
    """A process that waits for streams. It is replaced when it accepted a stream or ended."""

    def __init__(self, folder):
        self.folder = folder
        self.machine = None
        self.started = 0

    def get(self):
        """Return the waiting process."""
        if self.machine is None:
            self.machine = Machine("-incoming", "defer")
            self.started += 1
        return self.machine

    def drop(self):
        """Discard the process, which runs a guest now or has ended."""
        machine, self.machine = self.machine, None
        code = machine.close()
        assert code == 0, f"the process ended with status {code}"

    def load(self, data):
        """Load a stream. Returns None if it was accepted, else the message."""
        path = os.path.join(self.folder, "case")
        with open(path, "wb") as f:
            f.write(data)
        m = self.get()
        try:
            m.command("migrate-incoming", uri=f"file:{path}")
            answer = m.wait("completed", "failed", seconds=10)
        except QmpError as error:
            return str(error)
        return answer["error-desc"] if answer["status"] == "failed" else None


def self_check(machine, folder):
    """Check a loaded machine: it answers QMP, can be saved, and the saved stream loads."""
    path = os.path.join(folder, "again")
    machine.command("stop")
    machine.command("query-pci")
    for address in (0x30000000, 0x30008000, 0x30010000, 0x30018000, 0x10000000, 0x101000):
        machine.read(address, 4)
    machine.command("cont")
    machine.ask("clock_step 1000000")
    machine.command("system_reset")
    machine.command("stop")
    machine.command("migrate", uri=f"file:{path}")
    machine.wait("completed")
    machine.command("cont")
    machine.ask("clock_step 1000000000")
    machine.command("query-status")
    with Machine("-incoming", f"file:{path}") as again:
        answer = again.wait("completed", "failed")
        assert answer["status"] == "completed", f"saved again: {answer['error-desc']}"


def cases(data, options):
    """Yield (name, bytes) of each case."""
    rng = random.Random(options.seed)
    offsets = non_zero_page_bytes(data)
    flips = [(o, bit) for o in offsets for bit in range(8)]
    cuts = list(offsets)
    if not options.long:
        flips = rng.sample(flips, min(options.cases, len(flips)))
        cuts = rng.sample(cuts, min(options.cases // 4, len(cuts)))
    for o, bit in flips:
        yield f"bit {bit} of byte {o}", data[:o] + bytes([data[o] ^ 1 << bit]) + data[o + 1:]
    for o in cuts:
        yield f"cut at {o}", data[:o]


def main():
    """Parse the command line and run the cases in a temporary directory."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--long", action="store_true", help="every bit and every cut")
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="backplane-mutate-") as folder:
        return run(options, folder)


def run(options, folder):
    """Run the cases and print the table. Returns the exit status."""
    path = os.path.join(folder, "stream")
    line = ["-M", "virt", "-m", "2"]
    for device in DEVICES:
        line += ["-device", device]
    with Machine(*line) as m:
        m.command("stop")
        m.command("migrate", uri=f"file:{path}")
        m.wait("completed")
    with open(path, "rb") as f:
        data = f.read()
    target = Target(folder)
    count = {"refused": 0, "loaded": 0, "finding": 0}
    started = time.monotonic()
    for name, mutated in cases(data, options):
        try:
            sentence = target.load(mutated)
            if sentence is None:
                count["loaded"] += 1
                self_check(target.machine, folder)
                target.drop()
            else:
                count["refused"] += 1
                assert any(s in sentence for s in SENTENCES), sentence
                assert target.machine.command("query-status")["status"] == "inmigrate"
        except (AssertionError, RuntimeError, OSError, QmpError) as error:
            count["finding"] += 1
            print(f"finding: {name}: {type(error).__name__}: {error}", flush=True)
            if target.machine:
                target.drop()
    assert target.load(data) is None, "the unmodified stream does not load after the damaged ones"
    target.drop()
    print(f"{EMULATOR}: {len(data)} bytes, {sum(count.values())} cases in "
          f"{time.monotonic() - started:.0f} s, {target.started} processes: {count}")
    return 1 if count["finding"] else 0


if __name__ == "__main__":
    sys.exit(main())
