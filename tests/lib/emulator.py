# SPDX-License-Identifier: GPL-2.0-or-later
"""Drive an emulator process from a test: start it, use its serial console, QMP and qtest, end it.

The test listens on the sockets before the emulator starts, and the emulator connects to them. Every
wait has a limit (waiting.py). A wait that times out reports the end of the console and of standard
error. Leaving the `with` block ends the process and removes its temporary directory in every case.
"""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import waiting
from monitors import Qmp, QmpError, Qtest
from waiting import Deadline, TestFailure, WaitTimeout, until

__all__ = ["Emulator", "Qmp", "QmpError", "TestFailure", "WaitTimeout"]
TAIL = 3000     # characters of the console that a failure report shows


def leave(process: subprocess.Popen, folder: Path) -> None:
    """Kill the process and remove its directory. Runs at interpreter exit at the latest."""
    if process.poll() is None:
        process.kill()
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)


class Emulator:
    """One emulator process. `args` are appended to the arguments that this class creates.

    console      provide a serial console on standard input and output (`expect`, `send`, `shell`)
    qmp, qtest   provide a QMP and a qtest connection (`qmp`, `qtest`)
    environment  variables that are added to the environment
    patience     the limit on each QMP and qtest answer, in seconds
    `errors` contains standard error, and standard output if there is no console.
    """

    def __init__(self, program: str | Path, args: list[str], qmp: bool = True, echo: bool = False,
                 environment: dict[str, str] | None = None, console: bool = True,
                 qtest: bool = False, patience: float = 30) -> None:
        waiting.end_with_us()
        self.dir = Path(tempfile.mkdtemp(prefix="backplane-"))
        self.console = ""
        self.arrivals: list[tuple[int, float]] = []     # length of the console and the time at
                                                        # which it was reached
        self.seen = 0
        self.echo, self.patience = echo, patience
        self._sockets: dict[str, socket.socket] = {}
        self._qmp: Qmp | None = None
        self._qtest: Qtest | None = None
        self._reader: threading.Thread | None = None
        self._news = threading.Condition()
        self._closed = False
        self.argv = [str(program), "-display", "none"]
        self.argv += ["-monitor", "none", "-serial", "stdio"] if console else []
        self.argv += ["-qmp", self._listen("qmp")] if qmp else []
        self.argv += ["-qtest", self._listen("qtest")] if qtest else []
        self.argv += args
        pipe = subprocess.PIPE if console else None
        with open(self.dir / "stderr", "wb") as errors:
            self.proc = subprocess.Popen(self.argv, stdin=pipe or subprocess.DEVNULL,
                                         stdout=pipe or errors, stderr=errors,
                                         start_new_session=True,
                                         env=os.environ | (environment or {}))
        self.pid = self.proc.pid
        weakref.finalize(self, leave, self.proc, self.dir)     # if close() is not called
        if console:
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()

    def __enter__(self) -> "Emulator":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # --- sockets ---

    def _listen(self, name: str) -> str:
        """Listen for a connection of the emulator. Return the argument of its socket option."""
        self._sockets[name] = socket.socket(socket.AF_UNIX)
        self._sockets[name].bind(str(self.dir / name))
        self._sockets[name].listen(1)
        return f"unix:{self.dir / name}"

    def _accept(self, name: str) -> socket.socket:
        """Accept the emulator's connection."""
        if name not in self._sockets:
            raise AssertionError(f"this emulator was started without {name}")
        with self._sockets.pop(name) as listener:
            return waiting.accept(listener, self.proc, f"the emulator's {name} connection",
                                  self.patience, self.describe)

    @property
    def qmp(self) -> Qmp:
        """Return the QMP connection, which is accepted on first use."""
        if self._qmp is None:
            self._qmp = Qmp(self._accept("qmp"), self.describe, self.patience)
        return self._qmp

    @property
    def qtest(self) -> Qtest:
        """Return the qtest connection, which is accepted on first use."""
        if self._qtest is None:
            self._qtest = Qtest(self._accept("qtest"), self.describe, self.patience)
        return self._qtest

    # --- console and standard error ---

    def _read(self) -> None:
        """Collect console output until the emulator closes it. Runs in its own thread."""
        while data := os.read(self.proc.stdout.fileno(), 65536):
            text = data.decode("utf-8", "replace").replace("\r", "")
            if self.echo:
                print(text, end="", flush=True)
            with self._news:
                self.console += text
                self.arrivals.append((len(self.console), time.monotonic()))
                self._news.notify_all()
        with self._news:
            self._closed = True
            self._news.notify_all()

    @property
    def errors(self) -> str:
        """Return the text that the emulator has written to standard error so far."""
        try:
            return (self.dir / "stderr").read_text(errors="replace")
        except FileNotFoundError:
            return ""       # after close()

    def describe(self) -> str:
        """Return the text of a failure report: the command, whether it runs, and the ends of
        standard error and of the console."""
        status = self.proc.poll()
        text = (f"--- command ({'runs' if status is None else f'ended with status {status}'})\n"
                f"{' '.join(self.argv)}\n--- standard error\n{self.errors[-TAIL:]}")
        if self._reader:
            text += f"\n--- end of console\n{self.console[-TAIL:]}"
        return text

    def fail(self, what: str) -> TestFailure:
        """Return a failure that includes the end of the console and of standard error."""
        return TestFailure(f"{what}\n{self.describe()}")

    def expect(self, pattern: str, timeout: float = 60) -> re.Match:
        """Wait for a pattern in the console after the previous match and return the match. If more
        text could change the match, the pattern must include the text that ends it."""
        deadline = Deadline(f"'{pattern}' on the console", timeout, self.describe)
        compiled = re.compile(pattern, re.MULTILINE)
        with self._news:
            while not (match := compiled.search(self.console, self.seen)):
                if self._closed:
                    raise deadline.failure("console closed")
                if deadline.over():
                    raise deadline.failure()
                self._news.wait(deadline.left())
            self.seen = match.end()
            return match

    def send(self, text: str) -> None:
        """Write text to the console."""
        self.proc.stdin.write(text.encode())
        self.proc.stdin.flush()

    def shell(self, command: str, timeout: float = 30) -> str:
        """Run a command in the guest's shell and return its output. An exit status other than 0
        fails."""
        self.send(f"echo '@'begin; {command}\necho \"@$?@\"\n")     # split so that the echo of the
                                                                    # line does not match the marker
        self.expect("^@begin\n", timeout)
        start = self.seen
        match = self.expect(r"^@(\d+)@\n", timeout)
        text = self.console[start:match.start()]
        if match[1] != "0":
            raise self.fail(f"the guest's '{command}' ended with status {match[1]}")
        return text

    def shell_until(self, condition: str, timeout: float = 30) -> None:
        """Wait until a condition of the guest's shell holds. The loop in the guest has no limit of
        its own, so only the limit given here applies on a slow machine."""
        self.shell(f"until {condition}; do sleep 0.1; done", timeout)

    def shell_value(self, what: str, command: str, enough: Callable[[str], object],
                    timeout: float = 30) -> str:
        """Run a command in the guest's shell until `enough` accepts its output, and return that
        output. A wait that times out reports the last output."""
        text = ""

        def look() -> object:
            nonlocal text
            text = self.shell(command)
            return enough(text)
        until(what, look, timeout, self.describe, lambda: text, 0.3)
        return text

    # --- migration ---

    def migrated(self, *states: str, timeout: float = 60, longest_step: float = 0.05) -> dict:
        """Wait until the migration is in one of the states ("completed" if none is given) and
        return the answer of query-migrate. A failed migration ends the wait."""
        states = states or ("completed",)
        deadline = Deadline(f"the migration to be {' or '.join(states)}", timeout, self.describe,
                            longest_step)
        for _ in deadline:
            deadline.state = report = self.qmp.command("query-migrate")
            if report.get("status") in states:
                return report
            if report.get("status") == "failed":
                raise deadline.failure("it failed")
        raise deadline.failure()

    # --- end of the process ---

    def wait(self, timeout: float = 30) -> int:
        """Wait for the process to end by itself and return its status."""
        status = waiting.ended(self.proc, "the emulator to end by itself", timeout, self.describe)
        if self._reader:
            self._reader.join(waiting.scaled(5))
        return status

    def kill(self) -> None:
        """Kill the process, as a crash would."""
        self.proc.kill()
        self.proc.wait()

    def close(self) -> int:
        """End the process with SIGTERM, then SIGKILL, remove its directory, and return its status.
        """
        for connection in (self._qmp, self._qtest):
            if connection:
                connection.close()
        for listener in self._sockets.values():
            listener.close()
        status = waiting.end(self.proc)
        if self._reader:
            self._reader.join(waiting.scaled(5))
            self.proc.stdin.close()
            self.proc.stdout.close()
        shutil.rmtree(self.dir, ignore_errors=True)
        return status
