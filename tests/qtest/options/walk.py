# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions for the checks of the option walk: start the emulator and communicate with it.

A check is a function that starts the emulator with one or more forms of an option and asserts an
effect. `covers` registers it for the names of these forms, which look like

    -name                        the option
    -name process=               a key with a free value
    -msg timestamp=on            one value of a key with a fixed set of values
    -chardev socket              a type of back end
    -chardev socket path=        a key of a type
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))
import waiting                                  # noqa: E402
from tap import Skip                            # noqa: E402,F401
from waiting import scaled                      # noqa: E402,F401

PROGRAM = os.environ["BACKPLANE_BINARY"]

CHECKS: dict[str, Callable[[], None]] = {}
COUNT_LOCK = threading.Lock()
COUNT = {"starts": 0}


def covers(*forms: str) -> Callable:
    """Register the decorated check for these forms."""
    def register(check: Callable[[], None]) -> Callable:
        for form in forms:
            assert form not in CHECKS, f"two checks for {form}"
            CHECKS[form] = check
        return check
    return register


def spawn(args: list[str], **options) -> subprocess.Popen:
    """Start the emulator with exactly these arguments."""
    with COUNT_LOCK:
        COUNT["starts"] += 1
    pipe = subprocess.PIPE
    return subprocess.Popen([PROGRAM, *args],
                            **{"stdin": pipe, "stdout": pipe, "stderr": pipe, "text": True} | options)


def run(*args: str, text: str = "", cwd: str | None = None) -> tuple[int, str, str]:
    """Start the emulator, feed `text` to its standard input, and wait for its end. Return status
    and outputs."""
    with spawn(list(args), cwd=cwd) as proc:
        try:
            out, err = proc.communicate(text, timeout=scaled(30))
        except subprocess.TimeoutExpired:
            proc.kill()
            raise AssertionError(f"did not end: {' '.join(args)}") from None
        return proc.returncode, out, err


def qtest_run(lines: list[str], *args: str) -> list[str]:
    """Send lines to the qtest server on standard input. Returns its answers."""
    answers = []
    with spawn(["-accel", "qtest", "-qtest", "stdio", "-display", "none", "-serial", "none",
                "-monitor", "none", "-bios", "none", *args]) as proc:
        dog = waiting.Watchdog(proc)
        for line in lines:
            proc.stdin.write(line + "\n")
            proc.stdin.flush()
            answers.append(proc.stdout.readline().strip())
        proc.kill()
        dog.cancel()
        assert all(answers), proc.stderr.read()
    return answers


def prints(needle: str, *args: str) -> None:
    """Check that the emulator prints `needle` and ends with status 0."""
    status, out, err = run(*args)
    assert status == 0 and needle in out, f"{' '.join(args)}: {status} {out[-300:]} {err}"


def refused(needle: str, *args: str) -> None:
    """Check that the emulator ends with status 1 and one line that contains `needle`."""
    status, out, err = run(*args)
    assert status == 1 and needle in err and err.count("\n") == 1, \
        f"{' '.join(args)}: {status} {out[-300:]} {err}"


class Ended(AssertionError):
    """The emulator ended at its start. `why` is its standard error."""

    def __init__(self, args: list[str], why: str) -> None:
        super().__init__(f"ended: {' '.join(args)}: {why}")
        self.why = why


class Machine:
    """One emulator with QMP on its standard input and output. Ends with the `with` block."""

    def __init__(self, *args: str, base: tuple[str, ...] | None = None, **options) -> None:
        if base is None:
            base = ("-accel", "qtest") if "-accel" not in args else ()
            base += ("-M", "virt") if "-M" not in args and "-machine" not in args else ()
            base += ("-serial", "none") if "-serial" not in args else ()
            base += ("-monitor", "none") if "-monitor" not in args else ()
            bare = "none" in args or "type=none" in args        # a machine without CPUs
            base += ("-bios", "none") if "-bios" not in args and not bare else ()
            base += ("-display", "none", "-qmp", "stdio")
        self.args = [*base, *args]
        self.proc = spawn(self.args, **options)
        self.events: list[dict] = []
        self.stderr = ""
        self.dog = waiting.Watchdog(self.proc)

    def __enter__(self) -> "Machine":
        try:
            self._line()                   # the greeting
            self.qmp("qmp_capabilities")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> str:
        """Kill the emulator if it runs. Returns its standard error."""
        if self.proc.poll() is None:
            self.proc.kill()
        if not self.proc.stderr.closed:
            self.stderr += self.proc.stderr.read()
        for pipe in (self.proc.stdin, self.proc.stdout, self.proc.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self.proc.wait()
        self.dog.cancel()
        return self.stderr

    def _line(self) -> dict:
        line = self.proc.stdout.readline()
        if not line:
            self.stderr += self.proc.stderr.read()
            raise Ended(self.args, self.stderr)
        return json.loads(line)

    def raw(self, command: str, **arguments) -> dict:
        """Return the complete answer to a command. Events are kept."""
        message = {"execute": command, "arguments": arguments} if arguments \
            else {"execute": command}
        try:
            self.proc.stdin.write(json.dumps(message) + "\n")
            self.proc.stdin.flush()
        except BrokenPipeError:
            pass        # the next line is the end of the file
        while True:
            answer = self._line()
            if "event" not in answer:
                return answer
            self.events.append(answer)

    def qmp(self, command: str, **arguments):
        """Return a command's result."""
        answer = self.raw(command, **arguments)
        assert "return" in answer, f"{' '.join(self.args)}: {command}: {answer['error']['desc']}"
        return answer["return"]

    def hmp(self, line: str) -> str:
        """Return the output of a command of the human monitor."""
        return self.qmp("human-monitor-command", **{"command-line": line})

    def get(self, path: str, name: str):
        """Return the value of a property."""
        return self.qmp("qom-get", path=path, property=name)

    def event(self, name: str) -> dict:
        """Wait for an event."""
        while True:
            for event in self.events:
                if event["event"] == name:
                    return event
            message = self._line()
            if "event" in message:
                self.events.append(message)

    def quit(self) -> tuple[int, str]:
        """End the emulator by QMP. Returns its status and standard error."""
        self.proc.stdin.write('{"execute":"quit"}\n')
        self.proc.stdin.flush()
        self.proc.stdout.read()
        self.proc.wait()
        return self.proc.returncode, self.close()

    def wait(self) -> tuple[int, str]:
        """Wait until the emulator ends by itself. Returns its status and standard error."""
        self.proc.stdout.read()
        self.proc.wait()
        return self.proc.returncode, self.close()


def until(condition: Callable[[], object], what: str):
    """Wait until `condition` returns something true, and return that value."""
    return waiting.until(what, condition)


class Folder:
    """A temporary directory for one check."""

    def __enter__(self) -> Path:
        self.path = Path(tempfile.mkdtemp(prefix="bp-opt-"))
        return self.path

    def __exit__(self, *exc: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


# --- guest programs: a few RISC-V instructions, loaded with -bios ---

def lui(rd: int, value: int) -> int:
    """rd = value << 12"""
    return value << 12 | rd << 7 | 0x37


def addi(rd: int, rs: int, value: int) -> int:
    """rd = rs + value"""
    return (value & 0xfff) << 20 | rs << 15 | rd << 7 | 0x13


def store(width: int, rs2: int, rs1: int) -> int:
    """Store the low 2^width bytes of rs2 at rs1."""
    return rs2 << 20 | rs1 << 15 | width << 12 | 0x23


def load(width: int, rd: int, rs1: int) -> int:
    """Load 2^width bytes at rs1."""
    return rs1 << 15 | width << 12 | rd << 7 | 0x03


def csrw(csr: int, rs1: int) -> int:
    """Write a CSR."""
    return csr << 20 | rs1 << 15 | 1 << 12 | 0x73


def slli(rd: int, rs: int, n: int) -> int:
    """rd = rs << n"""
    return n << 20 | rs << 15 | 1 << 12 | rd << 7 | 0x13


FOREVER = [0x10500073, 0xffdff06f]                                  # wfi; j to it


def say(text: str) -> list[int]:
    """Write a text to the serial port."""
    words = [lui(5, 0x10000)]
    for char in text:
        words += [addi(6, 0, ord(char)), store(0, 6, 5)]
    return words


def finish(code: int) -> list[int]:
    """Write to the test device: 0x5555 powers off, 0x7777 resets."""
    return [lui(7, 0x100), lui(28, code + 0x800 >> 12), addi(28, 28, code & 0xfff),
            store(2, 28, 7), *FOREVER]


def program(folder: Path, words: list[int], name: str = "program.bin") -> str:
    """Write a program to a file. Returns its path."""
    path = folder / name
    path.write_bytes(b"".join(word.to_bytes(4, "little") for word in words))
    return str(path)
