# SPDX-License-Identifier: GPL-2.0-or-later
"""Execution of guest code (tests/bench/guest/cpubench.c): CPU time of the emulator's process.

The figure of a row is the CPU time of all threads from the command to its result. CPU time is
used because other programs on the host disturb wall-clock time. The checksums must be equal.
NEWER_QEMU=PROGRAM adds a column; the ratio is that to the faster QEMU.
"""

import os
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from guest_io import initrd
from measure import TOP, Options, process_cpu
from emulator import Emulator           # pylint: disable=wrong-import-order
from guest import arguments, shell_ready

SOURCE = TOP / "tests/bench/guest/cpubench.c"
ROWS = {"integer": "integer loop", "sha256": "sha256", "sieve": "sieve, 12 MiB",
        "matmul": "matmul f64", "nbody": "nbody f64", "memcpy": "memcpy, aligned",
        "memcpy-skewed": "memcpy, skewed", "memset": "memset", "calls": "calls, fib(33)",
        "indirect": "indirect calls", "bytecode": "bytecode interpreter", "syscall": "system calls",
        "page-fault": "page faults", "fork": "fork and wait", "pipe": "pipe ping-pong"}


def sample(program: str, args: list[str], rows: list[str]) -> dict[str, tuple[float, str]]:
    """CPU seconds and result of each row in one guest."""
    taken = {}
    with Emulator(program, args) as machine:
        shell_ready(machine)
        for row in rows:
            before = process_cpu(machine.proc.pid)
            text = machine.shell(f"cpubench {row}", 600)
            result = text.partition("RESULT ")[2].split()[0]
            taken[row] = (process_cpu(machine.proc.pid) - before, result)
    return taken


def version(program: str) -> str:
    """Return the name and the version of an emulator: QEMU 10.0."""
    text = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return "QEMU " + ".".join(text.split("version ")[1].split(".")[:2])


def guest_cpu(options: Options) -> Iterator[str]:
    """Guest code by class: computation, memory, control flow, system."""
    rows = os.environ.get("CPU_ROWS", ",".join(ROWS)).split(",")
    newer = os.environ.get("NEWER_QEMU", "")
    samples: dict[str, list[dict[str, tuple[float, str]]]] = {
        program: [] for program in (options.ours, options.theirs, newer) if program}
    with tempfile.TemporaryDirectory() as folder:
        args = arguments()
        at = args.index("-initrd") + 1
        args[at] = str(initrd(Path(args[at]), Path(folder), SOURCE))
        for _ in range(options.runs):
            for program, taken in samples.items():
                taken.append(sample(program, args, rows))
    columns = [options.other, *([version(newer)] if newer else [])]
    yield f"| row | ours, CPU s | {' | '.join(columns)} | throughput ours/QEMU |"
    yield f"|---|--:|{'--:|' * len(columns)}--:|"
    for row in rows:
        results = {s[row][1] for taken in samples.values() for s in taken}
        if len(results) != 1:
            raise SystemExit(f"{row}: different results: {results}")
        ours, *theirs = (statistics.median(s[row][0] for s in taken) for taken in samples.values())
        figures = " | ".join(f"{figure:.3f}" for figure in theirs)
        yield f"| {ROWS[row]} | {ours:.3f} | {figures} | {min(theirs) / ours:.2f} |"
