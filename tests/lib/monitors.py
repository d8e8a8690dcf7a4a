# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients of the emulator's QMP and qtest sockets. Each wait has a limit (waiting.py)."""

import json
import socket
from collections.abc import Callable
from typing import Any

from qmpschema import Schema
from waiting import Deadline, Gone, TestFailure, receive

CHUNK = 1 << 20
LETTERS = {1: "b", 2: "w", 4: "l", 8: "q"}


class QmpError(TestFailure):
    """An error response. The text is its description."""

    def __init__(self, command: str, error: dict) -> None:
        super().__init__(error["desc"])
        self.command, self.kind = command, error.get("class")


class Lines:
    """A connection that transfers lines. An incomplete line is kept until its end arrives."""

    def __init__(self, sock: socket.socket, name: str, context: Callable[[], str],
                 seconds: float = 30) -> None:
        self.sock, self.name, self.context, self.seconds = sock, name, context, seconds
        self._in = b""

    def line(self, what: str, seconds: float | None = None) -> bytes:
        """Return the next complete line without its terminator."""
        deadline = Deadline(f"{self.name}: {what}", seconds or self.seconds, self.context)
        while b"\n" not in self._in:
            deadline.state = self._in[-200:] or None
            try:
                data = receive(self.sock, deadline, CHUNK)
            except ConnectionError:
                data = b""
            if not data:
                raise Gone(f"{self.name}: the emulator hung up ({what})\n{self.context()}")
            self._in += data
        line, _, self._in = self._in.partition(b"\n")
        return line

    def send(self, data: bytes) -> None:
        """Send all bytes. Fails if the emulator does not read them."""
        deadline = Deadline(f"{self.name}: the emulator to read", self.seconds, self.context)
        self.sock.settimeout(max(0.001, deadline.left()))
        try:
            self.sock.sendall(data)
        except TimeoutError:
            raise deadline.failure() from None
        except ConnectionError as error:
            raise Gone(f"{self.name}: {error}\n{self.context()}") from None

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()


class Qmp(Lines):
    """A QMP client. Events are kept in order in `events`.

    Each result and event of Backplane is checked against its own schema.
    """

    def __init__(self, sock: socket.socket, context: Callable[[], str], seconds: float = 30
                 ) -> None:
        super().__init__(sock, "QMP", context, seconds)
        self.events: list[dict] = []
        self.schema: Schema | None = None
        self.greeting = self.message("greeting")["QMP"]
        self.command("qmp_capabilities")
        if self.greeting.get("version", {}).get("package") == "Backplane":
            self.schema = Schema(self.command("query-qmp-schema"))

    def message(self, what: str = "message", seconds: float | None = None) -> dict:
        """Return the next message. An event is also appended to `events`."""
        message = json.loads(self.line(what, seconds))
        if "event" in message:
            if self.schema:
                self.schema.check_event(message)
            self.events.append(message)
        return message

    def request(self, name: str, arguments: dict | None) -> None:
        """Send a command without waiting for its answer."""
        message: dict[str, Any] = {"execute": name}
        if arguments:
            message["arguments"] = arguments
        self.send(json.dumps(message).encode() + b"\n")

    def answer(self, name: str, seconds: float | None = None) -> dict:
        """Return the answer to the last command sent. Events before it are kept."""
        while "event" in (answer := self.message(f"answer to {name}", seconds)):
            pass
        if self.schema and "return" in answer:
            self.schema.check_result(name, answer["return"])
        return answer

    def raw(self, name: str, arguments: dict | None = None, timeout: float | None = None) -> dict:
        """Send a command and return the complete answer, {'return': …} or {'error': …}."""
        self.request(name, arguments)
        return self.answer(name, timeout)

    def command(self, name: str, /, timeout: float | None = None, **arguments: Any) -> Any:
        """Send a command and return its result. An error answer raises QmpError."""
        answer = self.raw(name, arguments, timeout)
        if "error" in answer:
            raise QmpError(name, answer["error"])
        return answer["return"]

    def pass_fd(self, command: str, fd: int, **arguments: Any) -> Any:
        """Send a command together with a file descriptor (getfd, add-fd)."""
        message = {"execute": command, "arguments": arguments}
        socket.send_fds(self.sock, [json.dumps(message).encode() + b"\n"], [fd])
        answer = self.answer(command)
        if "error" in answer:
            raise QmpError(command, answer["error"])
        return answer["return"]

    def wait_event(self, name: str, timeout: float | None = None) -> dict:
        """Wait for the first event of that name, remove it from `events` and return it."""
        deadline = Deadline(f"QMP: event {name}", timeout or self.seconds, self.context)
        while not (found := [e for e in self.events if e["event"] == name]):
            deadline.state = [e["event"] for e in self.events]
            if b"\n" not in self._in:
                data = receive(self.sock, deadline, CHUNK)
                if not data:
                    raise Gone(f"QMP: the emulator hung up (event {name})\n{self.context()}")
                self._in += data
            if b"\n" in self._in:
                self.message()
        self.events.remove(found[0])
        return found[0]


class Qtest(Lines):
    """A qtest client: loads and stores of the guest, and its clock."""

    def __init__(self, sock: socket.socket, context: Callable[[], str], seconds: float = 30
                 ) -> None:
        super().__init__(sock, "qtest", context, seconds)

    def ask(self, request: str) -> str:
        """Send one request and return the text after OK. Reports of interrupts are skipped."""
        self.send(request.encode() + b"\n")
        while (answer := self.line(f"answer to '{request[:80]}'").decode()).startswith("IRQ"):
            pass
        if not answer.startswith("OK"):
            raise TestFailure(f"qtest '{request[:80]}': {answer}")
        return answer[2:].strip()

    def ask_all(self, requests: list[str]) -> None:
        """Send many requests together. Each must be answered with OK. Interrupts must not be
        intercepted."""
        data = "".join(request + "\n" for request in requests).encode()
        at = seen = 0
        deadline = Deadline(f"qtest: {len(requests)} answers", 300, self.context)
        while seen < len(requests):
            if at < len(data):
                self.send(data[at:at + CHUNK // 16])
                at += CHUNK // 16
            answers = receive(self.sock, deadline, CHUNK)
            if not answers or b"FAIL" in answers or b"ERR" in answers:
                raise TestFailure(f"qtest: {answers[:200]!r}")
            seen += answers.count(b"\n")

    def write(self, address: int, size: int, value: int) -> None:
        """Store 1, 2, 4 or 8 bytes at a guest address."""
        self.ask(f"write{LETTERS[size]} {address:#x} {value:#x}")

    def read(self, address: int, size: int) -> int:
        """Load 1, 2, 4 or 8 bytes from a guest address."""
        return int(self.ask(f"read{LETTERS[size]} {address:#x}"), 16)
