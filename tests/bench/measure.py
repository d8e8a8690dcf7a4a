# SPDX-License-Identifier: GPL-2.0-or-later
"""Parts of the measurements: starting an emulator, its clocks and memory, and tables.

Emulators take turns within a run; a figure is the median over the runs. Beside wall-clock time
stands the emulator's own CPU time, all threads, which a busy host disturbs less.
"""

import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests/lib"))
BUILD = TOP / "build"
OURS = str(BUILD / "backplane-system-riscv64")
THEIRS = "/usr/bin/qemu-system-riscv64"
WAIT = 300      # seconds for any one answer
CHUNK = 1 << 20


class Options(NamedTuple):
    """What the command line asks for."""

    ours: str
    theirs: str
    runs: int
    large: bool


class Cost(NamedTuple):
    """What something took, in seconds: by the clock, and of the emulator's CPU time."""

    wall: float
    cpu: float

    def per(self, count: float) -> "Cost":
        """One of `count` equal parts."""
        return Cost(self.wall / count, self.cpu / count)


def process_cpu(pid: int) -> float:
    """CPU seconds of a process, of all threads it has or had."""
    return time.clock_gettime(~pid << 3 | 2)


def thread_cpu(pid: int, tid: int) -> float:
    """CPU seconds of one thread of a process."""
    return int(Path(f"/proc/{pid}/task/{tid}/schedstat").read_text().split()[0]) / 1e9


def pss_kib(pid: int) -> int:
    """Proportional set size: memory, shared pages counted by share."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1])


class Machine:
    """An emulator that connected to our QMP socket and, if asked to, to our qtest socket."""

    def __init__(self, program: str, args: list[str], qtest: bool = False) -> None:
        self.dir = Path(tempfile.mkdtemp(prefix="bench-"))
        listeners = {name: self._listen(name) for name in (["qmp", "qtest"] if qtest else ["qmp"])}
        argv = [program, "-M", "virt", "-display", "none", "-qmp", f"unix:{self.dir}/qmp", *args]
        if qtest:
            argv += ["-qtest", f"unix:{self.dir}/qtest", "-qtest-log", "none"]
        begin = time.monotonic()
        with open(self.dir / "stderr", "wb") as errors:
            self.proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=errors,
                                         stdout=subprocess.DEVNULL)
        self.pid = self.proc.pid
        self.qmp_sock = self._accept(listeners["qmp"])
        self._qmp_in = b""
        self._line()
        self.qmp("qmp_capabilities")
        self.started = Cost(time.monotonic() - begin, process_cpu(self.pid))
        self.qtest_sock = self._accept(listeners["qtest"]) if qtest else None

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *exc: object) -> None:
        self.proc.kill()
        self.proc.wait()
        self.qmp_sock.close()
        if self.qtest_sock:
            self.qtest_sock.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def _listen(self, name: str) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self.dir / name))
        listener.listen(1)
        return listener

    def _accept(self, listener: socket.socket) -> socket.socket:
        """The emulator's connection; what it said instead, if it ended."""
        end = time.monotonic() + WAIT
        listener.settimeout(1)
        while True:
            try:
                sock, _ = listener.accept()
                break
            except TimeoutError:
                if self.proc.poll() is not None or time.monotonic() > end:
                    said = (self.dir / "stderr").read_text(errors="replace")[-500:]
                    raise RuntimeError(f"{self.proc.args[0]} does not start: {said}") from None
        listener.close()
        sock.settimeout(WAIT)
        return sock

    def _line(self) -> bytes:
        """The next line from QMP, unparsed."""
        while b"\n" not in self._qmp_in:
            data = self.qmp_sock.recv(CHUNK)
            if not data:
                raise RuntimeError("the emulator closed QMP")
            self._qmp_in += data
        line, _, self._qmp_in = self._qmp_in.partition(b"\n")
        return line

    def qmp_line(self, name: str, until: bytes = b'{"return"', **arguments: Any) -> bytes:
        """Send a command; the line that begins (or is an event) as given; an error raises."""
        message = {"execute": name, **({"arguments": arguments} if arguments else {})}
        self.qmp_sock.sendall(json.dumps(message).encode() + b"\n")
        while True:
            line = self._line()
            if b'{"error"' in line[:12] or b'"error": {' in line[:200]:
                raise RuntimeError(f"QMP {name}: {line.decode()}")
            if until in line:
                return line

    def qmp(self, name: str, **arguments: Any) -> Any:
        """A command's result."""
        return json.loads(self.qmp_line(name, **arguments))["return"]

    def cost(self, action: Callable[[], Any]) -> Cost:
        """What an action takes."""
        wall, cpu = time.monotonic(), process_cpu(self.pid)
        action()
        return Cost(time.monotonic() - wall, process_cpu(self.pid) - cpu)

    def ask(self, lines: list[str]) -> None:
        """Send qtest requests in one go and wait for as many replies, all of which must be OK."""
        data = "".join(line + "\n" for line in lines).encode()
        seen = at = 0
        while seen < len(lines):
            if at < len(data):
                at += self.qtest_sock.send(data[at:at + CHUNK // 16])
            reply = self.qtest_sock.recv(CHUNK)
            if not reply or b"FAIL" in reply or b"ERR" in reply:
                raise RuntimeError(f"qtest: {reply[:200]!r}")
            seen += reply.count(b"\n")

    def read(self, line: str) -> int:
        """The value that one qtest read gives."""
        self.qtest_sock.sendall(line.encode() + b"\n")
        return int(self.qtest_sock.recv(CHUNK).split()[1], 0)

    def pin(self, cpu: int) -> None:
        """Keep every thread on one CPU."""
        for task in os.listdir(f"/proc/{self.pid}/task"):
            os.sched_setaffinity(int(task), {cpu})


def interleaved(programs: list[str], runs: int, sample: Callable[[str], dict[str, Cost]]
                ) -> dict[str, dict[str, Cost]]:
    """Sample each program in turn, `runs` times; program -> row -> medians."""
    taken: dict[str, dict[str, list[Cost]]] = {program: {} for program in programs}
    for _ in range(runs):
        for program in programs:
            for row, cost in sample(program).items():
                taken[program].setdefault(row, []).append(cost)
    return {program: {row: Cost(*(statistics.median(c) for c in zip(*costs)))
                      for row, costs in rows.items()} for program, rows in taken.items()}


def figure(value: float) -> str:
    """Three digits, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def comparison(title: str, unit: str, scale: float, results: dict[str, dict[str, Cost]],
               options: Options) -> Iterator[str]:
    """A table of two programs: medians by the clock and of CPU time, and the ratio of the first."""
    ours, theirs = results[options.ours], results.get(options.theirs, {})

    def cell(seconds: float) -> str:
        return figure(seconds * scale) if seconds else "-"

    yield f"| {title} | ours, {unit} | QEMU 7.2 | ratio | CPU, ours | CPU, QEMU |"
    yield "|---|--:|--:|--:|--:|--:|"
    for row, cost in ours.items():
        other = theirs.get(row, Cost(0, 0))
        ratio = f"{cost.wall / other.wall:.2g}" if other.wall else "-"
        yield (f"| {row} | {cell(cost.wall)} | {cell(other.wall)} | {ratio} | {cell(cost.cpu)} | "
               f"{cell(other.cpu)} |")
