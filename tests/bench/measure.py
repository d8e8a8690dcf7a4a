# SPDX-License-Identifier: GPL-2.0-or-later
"""Parts of the measurements: starting an emulator, its clocks and memory, and tables.

Emulators alternate within a run. A figure is the median over the runs. Each wall-clock time is
accompanied by the emulator's CPU time of all threads, which is less sensitive to load on the host.
"""

import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests/lib"))
from emulator import Emulator, TestFailure  # noqa: E402

BUILD = TOP / "build"
OURS = str(BUILD / "backplane-system-riscv64")
THEIRS = "/usr/bin/qemu-system-riscv64"
WAIT = 300      # seconds for each answer


class Options(NamedTuple):
    """Settings from the command line."""

    ours: str
    theirs: str
    runs: int
    large: bool

    @property
    def other(self) -> str:
        """The name of the compared program in headings."""
        return "QEMU 7.2" if self.theirs == THEIRS else self.theirs


class Cost(NamedTuple):
    """A duration in seconds: wall-clock time, and CPU time of the emulator."""

    wall: float
    cpu: float

    def per(self, count: float) -> "Cost":
        """Return the duration of one of `count` equal parts."""
        return Cost(self.wall / count, self.cpu / count)


def process_cpu(pid: int) -> float:
    """CPU seconds of a process: all current and former threads."""
    return time.clock_gettime(~pid << 3 | 2)


def thread_cpu(pid: int, tid: int) -> float:
    """CPU seconds of one thread of a process."""
    return int(Path(f"/proc/{pid}/task/{tid}/schedstat").read_text().split()[0]) / 1e9


def pss_kib(pid: int) -> int:
    """Proportional set size: each shared page is divided by the number of its users."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1])


class Machine(Emulator):
    """An emulator without a console that answered QMP. `started` is the time until then."""

    def __init__(self, program: str, args: list[str], qtest: bool = False) -> None:
        begin = time.monotonic()
        quiet = ["-qtest-log", "none"] if qtest else []
        super().__init__(program, ["-M", "virt", *quiet, *args], console=False, qtest=qtest,
                         patience=WAIT)
        try:
            assert self.qmp.greeting
            self.started = Cost(time.monotonic() - begin, process_cpu(self.pid))
        except BaseException:
            self.close()
            raise

    def qmp_line(self, name: str, until: bytes = b'{"return"', **arguments: Any) -> bytes:
        """Send a command and return the unparsed line that contains `until`. An error answer
        raises."""
        self.qmp.request(name, arguments)
        while until not in (line := self.qmp.line(f"{until.decode()} after {name}")):
            if b'{"error"' in line[:12] or b'"error": {' in line[:200]:
                raise TestFailure(f"QMP {name}: {line.decode()}")
        return line

    def cost(self, action: Callable[[], Any]) -> Cost:
        """Return the duration of an action."""
        wall, cpu = time.monotonic(), process_cpu(self.pid)
        action()
        return Cost(time.monotonic() - wall, process_cpu(self.pid) - cpu)

    def pin(self, cpu: int) -> None:
        """Pin every thread to one CPU."""
        for task in os.listdir(f"/proc/{self.pid}/task"):
            os.sched_setaffinity(int(task), {cpu})


def interleaved(programs: list[str], runs: int, sample: Callable[[str], dict[str, Cost]]
                ) -> dict[str, dict[str, Cost]]:
    """Sample each program alternately, `runs` times; program -> row -> medians."""
    taken: dict[str, dict[str, list[Cost]]] = {program: {} for program in programs}
    for _ in range(runs):
        for program in programs:
            for row, cost in sample(program).items():
                taken[program].setdefault(row, []).append(cost)
    return {program: {row: Cost(*(statistics.median(c) for c in zip(*costs)))
                      for row, costs in rows.items()} for program, rows in taken.items()}


def figure(value: float) -> str:
    """Format with three digits, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def comparison(title: str, unit: str, scale: float, results: dict[str, dict[str, Cost]],
               options: Options) -> Iterator[str]:
    """A table of two programs: medians of wall-clock and CPU time, and their ratio."""
    ours, theirs = results[options.ours], results.get(options.theirs, {})

    def cell(seconds: float) -> str:
        return figure(seconds * scale) if seconds else "-"

    yield (f"| {title} | ours, {unit} | {options.other} | ratio | CPU, ours | "
           f"CPU, {options.other} |")
    yield "|---|--:|--:|--:|--:|--:|"
    for row, cost in ours.items():
        other = theirs.get(row, Cost(0, 0))
        ratio = f"{cost.wall / other.wall:.2g}" if other.wall else "-"
        yield (f"| {row} | {cell(cost.wall)} | {cell(other.wall)} | {ratio} | {cell(cost.cpu)} | "
               f"{cell(other.cpu)} |")
