# SPDX-License-Identifier: GPL-2.0-or-later
"""An emulator under test, driven over QMP and qtest sockets."""
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time

EMULATOR = os.environ.get("BACKPLANE",
                          os.path.join(os.path.dirname(__file__),
                                       "../../build/backplane-system-riscv64"))
# How much longer than usual to wait (sanitizers, slow CI).
PATIENCE = float(os.environ.get("BACKPLANE_TIMEOUT_FACTOR", "1"))


class QmpError(Exception):
    """An error answer; the text is its description."""


class Machine:
    """One emulator process with a QMP socket and, with -accel qtest, a qtest socket."""

    def __init__(self, *args, qtest=True, stderr=None):
        self.folder = tempfile.mkdtemp(prefix="backplane-migration-")
        qmp = os.path.join(self.folder, "qmp")
        line = [EMULATOR, "-nodefaults", "-display", "none",
                "-qmp", f"unix:{qmp},server=on,wait=off"]
        if qtest:
            line += ["-accel", "qtest", "-qtest",
                     f"unix:{os.path.join(self.folder, 'qtest')},server=on,wait=off"]
        self.process = subprocess.Popen(line + list(args), stdin=subprocess.DEVNULL,
                                        stderr=stderr)
        self.events = []
        self.buffer = b""
        self.qmp = self.connect("qmp")
        self.receive()
        self.command("qmp_capabilities")
        self.qtest = self.connect("qtest") if qtest else None

    def connect(self, name):
        """Connect to a socket of the process once it is there."""
        path = os.path.join(self.folder, name)
        for _ in range(int(500 * PATIENCE)):
            try:
                s = socket.socket(socket.AF_UNIX)
                s.connect(path)
                s.settimeout(30 * PATIENCE)
                return s
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError(f"the emulator ended: {self.process.returncode}")
                time.sleep(0.01)
        raise RuntimeError(f"no socket {path}")

    def receive(self):
        """The next QMP message; events are kept aside as well."""
        while b"\n" not in self.buffer:
            data = self.qmp.recv(1 << 20)
            if not data:
                raise RuntimeError("QMP closed")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        message = json.loads(line)
        if "event" in message:
            self.events.append(message)
        return message

    def command(self, execute, **arguments):
        """Run a command and return its value."""
        request = {"execute": execute,
                   "arguments": {k.replace("_", "-"): v for k, v in arguments.items()}}
        self.qmp.sendall(json.dumps(request).encode() + b"\n")
        while True:
            answer = self.receive()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise QmpError(answer["error"]["desc"])

    def ask(self, line):
        """One qtest request; returns what follows OK."""
        self.qtest.sendall(line.encode() + b"\n")
        answer = b""
        while True:
            answer += self.qtest.recv(1 << 20)
            lines = [l for l in answer.decode().split("\n")[:-1] if not l.startswith("IRQ")]
            if lines and answer.endswith(b"\n"):
                break
        assert lines[0].startswith("OK"), (line, lines)
        return lines[0][3:]

    def write(self, address, size, value):
        """A guest's store of 1, 2, 4 or 8 bytes."""
        self.ask(f"write{ {1: 'b', 2: 'w', 4: 'l', 8: 'q'}[size]} {address:#x} {value:#x}")

    def read(self, address, size):
        """A guest's load."""
        return int(self.ask(f"read{ {1: 'b', 2: 'w', 4: 'l', 8: 'q'}[size]} {address:#x}"), 16)

    def status(self):
        """query-migrate's status."""
        return self.command("query-migrate").get("status")

    def wait(self, *states, seconds=20):
        """Wait until the migration is in one of the states; returns query-migrate."""
        end = time.monotonic() + seconds * PATIENCE
        while time.monotonic() < end:
            answer = self.command("query-migrate")
            if answer.get("status") in states:
                return answer
            time.sleep(0.005)
        raise AssertionError(f"still {answer} instead of {states}")

    def names(self):
        """The events so far: names, with the status of MIGRATION."""
        return [e["data"]["status"] if e["event"] == "MIGRATION" else e["event"]
                for e in self.events]

    def close(self):
        """End the process this object started."""
        self.qmp.close()
        if self.qtest:
            self.qtest.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
