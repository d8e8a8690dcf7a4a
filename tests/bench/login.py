# SPDX-License-Identifier: GPL-2.0-or-later
"""Time from power-on to the login prompt of a Debian system (scripts/build-guest-root).

QEMU 7.2 cannot run EDK2 of trixie. The rows with EDK2 require $EDK2_QEMU, the path of QEMU 8.1 or later.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from measure import TOP, Cost, Options, process_cpu
from emulator import Emulator           # pylint: disable=wrong-import-order

sys.path.insert(0, str(TOP / "tests/guest"))
from debian import LOGIN_PROMPT, Boot  # noqa: E402


def sample(program: str, boot: Boot) -> Cost:
    """Boot once, up to the login prompt, from a new copy of the disk."""
    with tempfile.TemporaryDirectory() as name:
        options = boot.options(Path(name), boot.disk(Path(name)))
        start = time.monotonic()
        with Emulator(program, options, qmp=False) as machine:
            machine.expect(LOGIN_PROMPT, 600)
            return Cost(time.monotonic() - start, process_cpu(machine.proc.pid))


def medians(samples: list[Cost]) -> Cost:
    """Return the median of the durations and that of the CPU times."""
    return Cost(*(statistics.median(column) for column in zip(*samples)))


def login(options: Options) -> Iterator[str]:
    """Booting Debian to the login prompt, through U-Boot and EDK2."""
    rows = [(Boot("uboot", "virtio-blk-pci", "qcow2"), options.theirs, options.other)]
    newer = os.environ.get("EDK2_QEMU")
    if newer:
        rows.append((Boot("edk2", "virtio-blk-pci", "qcow2"), newer, "QEMU of $EDK2_QEMU"))
    yield "| power-on to login | ours, s | theirs | ratio | CPU s, ours | theirs | compared with |"
    yield "|---|--:|--:|--:|--:|--:|---|"
    for boot, other, title in rows:
        samples: dict[str, list[Cost]] = {options.ours: [], other: []}
        for _ in range(options.runs):
            for program, taken in samples.items():
                taken.append(sample(program, boot))
        ours, theirs = medians(samples[options.ours]), medians(samples[other])
        yield (f"| {boot.firmware}, {boot.device} | {ours.wall:.1f} | {theirs.wall:.1f} | "
               f"{ours.wall / theirs.wall:.2f} | {ours.cpu:.1f} | {theirs.cpu:.1f} | {title} |")
