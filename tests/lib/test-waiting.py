#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The waiting module: limits, reports, and waits for states that are complete."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

LIB = Path(__file__).resolve().parent
sys.path.insert(0, str(LIB))
import waiting  # noqa: E402
from emulator import Emulator, TestFailure  # noqa: E402
from guest import shell_ready, ticks  # noqa: E402
from monitors import Gone, Lines, Qmp  # noqa: E402
from waiting import Deadline, WaitTimeout, Watchdog, elapse, ended, listening, steady, until  # noqa: E402

# The shell of a guest: reads lines and runs them, as busybox does on a console.
SHELL = r"""
cd "$0.d" 2>/dev/null || { mkdir "$0.d"; cd "$0.d"; }
stty() { echo; }    # a terminal would have echoed the line
echo BACKPLANE-INIT; printf '~ # '
while IFS= read -r line; do
    while ! sh -n -c "$line" 2>/dev/null; do IFS= read -r more || exit; line="$line
$more"; done
    eval "$(echo "$line" | sed "s|/tmp/|$PWD/|g")"
done
"""


class Limits(unittest.TestCase):
    """Limits scale with the machine, and a report states the awaited condition."""

    def test_answer(self) -> None:
        """until() returns the first true answer. An exception of `look` ends the wait."""
        answers = iter([0, None, "", 7, 8])
        self.assertEqual(until("a number", lambda: next(answers), 5), 7)
        with self.assertRaises(ZeroDivisionError):
            until("nothing", lambda: 1 // 0, 5)

    def test_listening(self) -> None:
        """A socket that is bound accepts no connection yet."""
        with tempfile.TemporaryDirectory() as top, socket.socket(socket.AF_UNIX) as server:
            path = Path(top) / "a socket"
            self.assertFalse(listening(path))
            server.bind(str(path))
            self.assertFalse(listening(path))
            server.listen()
            self.assertTrue(listening(path))

    def test_report(self) -> None:
        """A report contains the subject, the time, the last state and the context."""
        with mock.patch.object(waiting, "factor", lambda: 1.0):
            with self.assertRaisesRegex(WaitTimeout, r"(?s)waited \d+\.\d s for the moon "
                                        r"\(limit 0.1 s, .*last state: \[\].*the console"):
                until("the moon", list, 0.1, lambda: "the console")

    def test_scaled(self) -> None:
        """A limit that is reached grows with the current slowness of the machine."""
        slow, clock = iter([1.5, 3.0, 1.0]), 0.0
        with mock.patch.object(waiting, "factor", lambda: next(slow)), \
                mock.patch.object(waiting.time, "monotonic", lambda: clock):
            deadline = Deadline("it", 20)
            for clock, over in ((19.0, False), (25.0, False), (45.0, False), (61.0, True)):
                self.assertEqual(deadline.over(), over, clock)
            self.assertEqual(deadline.limit, 60)

    def test_factor(self) -> None:
        """Slow CPUs, busy CPUs and the environment variable increase factor(). It is never less than
        1."""
        with mock.patch.object(waiting, "speed", lambda *_: 0.2), \
                mock.patch.object(waiting, "load", lambda: 4.0):
            with mock.patch.dict("os.environ", BACKPLANE_TIMEOUT_FACTOR="2.5"):
                self.assertEqual(waiting.factor(), 10.0)
            with mock.patch.object(waiting, "load", lambda: 0.0), \
                    mock.patch.dict("os.environ", BACKPLANE_TIMEOUT_FACTOR=""):
                self.assertEqual(waiting.factor(), 1.0)
        with mock.patch.object(waiting, "speed", lambda *clock: 2.0 if clock else 2.5), \
                mock.patch.dict("os.environ", BACKPLANE_TIMEOUT_FACTOR=""):
            for busy, expected in ((0.5, 2.5), (3.0, 6.0), (100.0, waiting.MOST)):
                with mock.patch.object(waiting, "load", lambda busy=busy: busy):
                    self.assertEqual(waiting.factor(), expected)

    def test_watchdog(self) -> None:
        """A process that does not end is killed; cancel() prevents it."""
        with mock.patch.object(waiting, "factor", lambda: 1.0):
            for cancelled in (False, True):
                with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
                    dog = Watchdog(process, 1000 if cancelled else 0.01)
                    if cancelled:
                        dog.cancel()
                        process.stdin.close()
                    self.assertEqual(ended(process, "cat"), 0 if cancelled else -signal.SIGKILL)

    def test_steady(self) -> None:
        """steady() checks the condition until the time has passed."""
        steady("it holds", lambda: True, 0.1)
        answers = iter([True, False])
        with self.assertRaisesRegex(TestFailure, "it holds: no longer"):
            steady("it holds", lambda: next(answers), 5)

    def test_process(self) -> None:
        """A process that ends instead of connecting ends the wait. One that ignores SIGTERM is
        killed."""
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{folder}/s")
            listener.listen(1)
            with subprocess.Popen(["false"]) as process:
                with self.assertRaisesRegex(Gone, "status 1"):
                    waiting.accept(listener, process, "a connection", 60)
        with subprocess.Popen(["sh", "-c", "trap '' TERM; echo; while :; do read x; done"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            self.assertEqual(waiting.end(process, 0.1), -9)


    def test_terminated(self) -> None:
        """A test that is ended by SIGTERM ends its emulator and removes its directory."""
        with tempfile.TemporaryDirectory() as scratch:
            fake = Path(scratch) / "fake"
            fake.write_text("#!/bin/sh\necho $$; exec cat\n")
            fake.chmod(0o755)
            script = (f"import sys; sys.path.insert(0, {str(LIB)!r})\n"
                      "from emulator import Emulator\n"
                      f"guest = Emulator({str(fake)!r}, [], qmp=False)\n"
                      "print(guest.expect('(.*)\\n')[1], guest.dir, flush=True)\n"
                      "guest.expect('never')\n")
            with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE,
                                  text=True) as test:
                pid, folder = test.stdout.readline().split()
                test.terminate()
                self.assertEqual(waiting.ended(test, "the test to end"), 143)
            self.assertFalse(Path(folder).exists())
            self.assertRaises(ProcessLookupError, os.kill, int(pid), 0)


class Complete(unittest.TestCase):
    """An incomplete state is never accepted as a complete one."""

    def test_lines(self) -> None:
        """A line that arrives in parts is one line. A peer that closes within a line raises
        `Gone`."""
        near, far = socket.socketpair()
        lines = Lines(near, "test", lambda: "", 5)

        def feed() -> None:
            for piece in (b"o", b"ne\ntw", b"o\nthr"):
                far.sendall(piece)
                elapse(0.01, "parts that arrive separately")
            far.close()
        thread = threading.Thread(target=feed)
        thread.start()
        self.assertEqual([lines.line("a line"), lines.line("a line")], [b"one", b"two"])
        with self.assertRaisesRegex(Gone, "hung up"):
            lines.line("a line")
        thread.join()
        lines.close()

    def test_events(self) -> None:
        """Events before a response are kept. An event that has not arrived is waited for."""
        near, far = socket.socketpair()
        far.sendall(b'{"QMP": {}}\n{"event": "A"}\n{"return": {}}\n{"event": "B"}\n{"ev')
        qmp = Qmp(near, lambda: "", 5)
        self.assertEqual(qmp.wait_event("B"), {"event": "B"})
        far.sendall(b'ent": "C"}\n')
        self.assertEqual(qmp.wait_event("C"), {"event": "C"})
        self.assertEqual(qmp.events, [{"event": "A"}])
        with mock.patch.object(waiting, "factor", lambda: 1.0), \
                self.assertRaisesRegex(WaitTimeout, r"event D.*\n--- last state: \['A'\]"):
            qmp.wait_event("D", 0.05)
        near.close()
        far.close()

    def test_ticks(self) -> None:
        """Rounds are counted in a file that is created late and whose last line may be incomplete.
        """
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "guest"
            path.write_text(f"#!/bin/sh\n{SHELL}")
            path.chmod(0o755)
            with Emulator(path, [], qmp=False) as guest:
                shell_ready(guest, 5)

                def load() -> None:
                    elapse(0.3, "the file does not exist yet")
                    (Path(scratch) / "guest.d/ticks").write_text("tick 1 ok\ntick 2 BAD\nti")
                thread = threading.Thread(target=load)
                thread.start()
                self.assertEqual(ticks(guest, 1), (2, 1))
                thread.join()


if __name__ == "__main__":
    unittest.main()
