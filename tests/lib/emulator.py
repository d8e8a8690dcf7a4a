# SPDX-License-Identifier: GPL-2.0-or-later
"""Drive an emulator process from a test: start it, talk on its serial console and QMP, end it.

Every wait has a limit, and a wait that runs out shows the end of the console. Leaving the `with`
block ends the process and removes its sockets, whatever happened.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TAIL = 3000     # characters of console shown with a failure


class TestFailure(AssertionError):
    """What the emulator or the guest did is not what the test asked for."""


class Qmp:
    """A QMP client on a unix socket; events are kept in order in `events`."""

    def __init__(self, path: Path, alive: Callable[[], bool], timeout: float = 10) -> None:
        self.sock = self._connect(path, alive, timeout)
        self.reader = self.sock.makefile("r", encoding="utf-8")
        self.events: list[dict] = []
        self.timeout = timeout
        self.greeting = self._read(timeout)["QMP"]
        self.command("qmp_capabilities")

    @staticmethod
    def _connect(path: Path, alive: Callable[[], bool], timeout: float) -> socket.socket:
        """Connect as soon as the emulator listens."""
        end = time.monotonic() + timeout
        while True:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.connect(str(path))
                return sock
            except OSError as error:
                sock.close()
                if not alive():
                    raise TestFailure("the emulator ended before it opened QMP") from error
                if time.monotonic() > end:
                    raise TestFailure(f"no QMP on {path} within {timeout} s") from error
                time.sleep(0.01)

    def _read(self, timeout: float) -> dict:
        """The next message."""
        self.sock.settimeout(timeout)
        try:
            line = self.reader.readline()
        except TimeoutError:
            raise TestFailure(f"QMP: nothing within {timeout} s") from None
        if not line:
            raise TestFailure("QMP: the emulator closed the connection")
        return json.loads(line)

    def raw(self, name: str, arguments: dict | None = None, timeout: float | None = None) -> dict:
        """Send a command; its whole answer, {'return': …} or {'error': …}."""
        message: dict[str, Any] = {"execute": name}
        if arguments:
            message["arguments"] = arguments
        self.sock.sendall(json.dumps(message).encode() + b"\n")
        while True:
            answer = self._read(timeout or self.timeout)
            if "event" not in answer:
                return answer
            self.events.append(answer)

    def command(self, name: str, timeout: float | None = None, **arguments: Any) -> Any:
        """Send a command and return its result; an error fails the test."""
        answer = self.raw(name, arguments, timeout)
        if "error" in answer:
            raise TestFailure(f"QMP {name}: {answer['error']['desc']}")
        return answer["return"]

    def wait_event(self, name: str, timeout: float | None = None) -> dict:
        """The first event of that name that nobody has taken; it is taken."""
        end = time.monotonic() + (timeout or self.timeout)
        while True:
            for event in self.events:
                if event["event"] == name:
                    self.events.remove(event)
                    return event
            self.events.append(self._read(max(0.01, end - time.monotonic())))

    def close(self) -> None:
        """Hang up."""
        self.reader.close()
        self.sock.close()


class Emulator:
    """One emulator process with its serial console on its standard input and output.

    `args` are its arguments beside `-display none -monitor none -serial stdio` and QMP, and
    `environment` what it finds in its environment beside ours. What it says on standard error is
    kept in `errors`.
    """

    def __init__(self, program: str | Path, args: list[str], qmp: bool = True, echo: bool = False,
                 environment: dict[str, str] | None = None) -> None:
        self.dir = Path(tempfile.mkdtemp(prefix="bp-"))
        self.console = ""
        self.arrivals: list[tuple[int, float]] = []     # how long the console was, and when
        self.seen = 0
        self.echo = echo
        self._qmp: Qmp | None = None
        self._news = threading.Condition()
        self._closed = False
        self.argv = [str(program), "-display", "none", "-monitor", "none", "-serial", "stdio"]
        if qmp:
            self.argv += ["-qmp", f"unix:{self.dir}/qmp,server=on,wait=off"]
        self.argv += args
        with open(self.dir / "stderr", "wb") as errors:
            self.proc = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=errors, start_new_session=True,
                                         env=os.environ | (environment or {}))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Emulator":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _read(self) -> None:
        """Collect the console until the emulator closes it (in a thread of its own)."""
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
        """What the emulator wrote to standard error so far."""
        return (self.dir / "stderr").read_text(errors="replace")

    @property
    def qmp(self) -> Qmp:
        """The QMP connection, made on first use."""
        if self._qmp is None:
            self._qmp = Qmp(self.dir / "qmp", lambda: self.proc.poll() is None)
        return self._qmp

    def fail(self, what: str) -> TestFailure:
        """A failure that carries the end of the console and of standard error."""
        return TestFailure(f"{what}\n--- command\n{' '.join(self.argv)}\n--- standard error\n"
                           f"{self.errors[-TAIL:]}\n--- end of console\n{self.console[-TAIL:]}")

    def expect(self, pattern: str, timeout: float = 60) -> re.Match:
        """Wait for a pattern in the console after what was matched before; returns the match."""
        end = time.monotonic() + timeout * timeout_factor()
        compiled = re.compile(pattern, re.MULTILINE)
        with self._news:
            while True:
                match = compiled.search(self.console, self.seen)
                if match:
                    self.seen = match.end()
                    return match
                left = end - time.monotonic()
                if self._closed or left <= 0:
                    break
                self._news.wait(left)
        why = "console closed" if self._closed else f"not within {timeout} s"
        raise self.fail(f"expected '{pattern}': {why}")

    def send(self, text: str) -> None:
        """Type on the console."""
        self.proc.stdin.write(text.encode())
        self.proc.stdin.flush()

    def shell(self, command: str, timeout: float = 30) -> str:
        """Run a command in the guest's shell; its output. A status other than 0 fails."""
        self.send(f"echo '@'begin; {command}\necho \"@$?@\"\n")     # no marker in the echo of it
        self.expect("^@begin\n", timeout)
        start = self.seen
        match = self.expect(r"^@(\d+)@", timeout)
        text = self.console[start:match.start()]
        if match[1] != "0":
            raise self.fail(f"the guest's '{command}' ended with status {match[1]}")
        return text

    def wait(self, timeout: float = 30) -> int:
        """Wait for the process to end by itself; its status."""
        try:
            self.proc.wait(timeout * timeout_factor())
        except subprocess.TimeoutExpired:
            raise self.fail(f"the emulator did not end within {timeout} s") from None
        self._reader.join(5)
        return self.proc.returncode

    def close(self) -> None:
        """End the process, politely first, and remove what belonged to it."""
        if self._qmp:
            self._qmp.close()
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if self.proc.poll() is not None:
                break
            self.proc.send_signal(sign)
            try:
                self.proc.wait(5)
            except subprocess.TimeoutExpired:
                continue
        self._reader.join(5)
        self.proc.stdin.close()
        self.proc.stdout.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def timeout_factor() -> float:
    """How much longer than usual to wait, from $BACKPLANE_TIMEOUT_FACTOR (sanitizers, slow CI)."""
    return float(os.environ.get("BACKPLANE_TIMEOUT_FACTOR", "1"))
