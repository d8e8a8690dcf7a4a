# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting. No other module of the tests and scripts sleeps or evaluates a deadline.

Limits are given in seconds of an idle machine. Each is multiplied by factor(): the slowdown of this
machine, measured again whenever a limit is reached, times $BACKPLANE_TIMEOUT_FACTOR (sanitizers,
emulated hosts). A wait that times out reports its subject, the time waited, and the last state.
tests/lib/wait.h is the equivalent for C. scripts/check-waits rejects other waits.

  until("the port is open", lambda: port.open, 10)      evaluate until the result is true
  for _ in Deadline("the socket", 10): ...              evaluate repeatedly; leave with break
  elapse(0.5, "the request is still queued")            time itself is the stimulus
"""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

STEP, LONGEST_STEP = 0.001, 0.05    # seconds between two evaluations: the first pause, and the
                                    # longest
LOOP, LOOP_SECONDS = 20000, 0.0015  # iterations of the calibration loop, and their duration on an
                                    # idle machine
LISTENS = 1 << 16                   # in the flags of /proc/net/unix
MOST = 20.0                         # upper bound of the slowdown factor


class TestFailure(AssertionError):
    """The emulator or the guest did not do what the test requires."""

    __test__ = False


class Gone(TestFailure, RuntimeError):
    """The emulator ended or closed the connection."""


class WaitTimeout(TestFailure):
    """A wait timed out."""


def speed(clock: Callable[[], float] = time.monotonic) -> float:
    """Return the duration of the calibration loop relative to an idle reference machine; with
    time.thread_time, without the time of other threads."""
    begin, total = clock(), 0
    for number in range(LOOP):
        total += number & 3
    return (clock() - begin) / LOOP_SECONDS


def load() -> float:
    """Return the number of runnable threads per CPU: the maximum of now and the last minute."""
    try:
        with open("/proc/loadavg", encoding="ascii") as file:
            minute, _, _, running, *_ = file.read().split()
    except OSError:
        return 1.0
    wanted = max(float(minute), float(running.split("/")[0]))
    return wanted / max(1, len(os.sched_getaffinity(0)))


def factor() -> float:
    """Return the factor by which limits are multiplied on this machine; at least 1. A slow CPU and
    other threads on it multiply: each thread gets a part of the slow CPU."""
    given = float(os.environ.get("BACKPLANE_TIMEOUT_FACTOR") or "1")
    return given * min(MOST, max(1.0, speed(), max(1.0, speed(time.thread_time)) * load()))


def scaled(seconds: float) -> float:
    """Scale a limit for a function that accepts only a number of seconds."""
    return seconds * factor()


class Deadline:
    """A limit on one wait. `what` completes the phrase 'waited for ...'. `context` returns text for
    the failure report, for example the end of the console."""

    def __init__(self, what: str, seconds: float, context: Callable[[], str] | None = None,
                 longest_step: float = LONGEST_STEP) -> None:
        self.what, self.seconds, self.context = what, seconds, context
        self.longest_step = longest_step
        self.begin = self.resumed = time.monotonic()
        self.limit = seconds        # Measuring the machine takes a millisecond: left() does it only
                                    # when the limit is reached.
        self.step = STEP
        self.state: Any = None      # the last state seen, for the report

    def left(self) -> float:
        """Return the seconds left. When none are left, measure the machine again first."""
        passed = time.monotonic() - self.begin
        if passed >= self.limit:
            self.limit = max(self.limit, scaled(self.seconds))
        return max(0.0, self.limit - passed)

    def over(self) -> bool:
        """Return true if the limit is reached."""
        return self.left() == 0.0

    def failure(self, why: str = "") -> WaitTimeout:
        """Return the failure report, which the caller raises."""
        passed = time.monotonic() - self.begin
        text = (f"waited {passed:.1f} s for {self.what} (limit {self.seconds:g} s, "
                f"{self.limit:.1f} s on this machine)")
        if why:
            text += f": {why}"
        if self.state is not None:
            text += f"\n--- last state: {self.state}"
        if self.context:
            text += "\n" + self.context()
        return WaitTimeout(text)

    def pause(self) -> None:
        """Sleep before the next evaluation, at least for the duration of the last evaluation, so that
        polling does not delay the awaited event. Raises the failure report when the limit is
        reached."""
        looked, left = time.monotonic() - self.resumed, self.left()
        if left == 0.0:
            raise self.failure()
        time.sleep(min(max(self.step, looked), left))
        self.step = min(self.step * 1.5, self.longest_step)
        self.resumed = time.monotonic()

    def __iter__(self) -> Iterator[int]:
        """Yield the number of each evaluation, with a pause in between. Ends by raising the report.
        """
        look = 0
        while not look or self.pause() is None:
            yield look
            look += 1


def listening(path: str | os.PathLike) -> bool:
    """Return true if a process listens on this unix socket. The file exists earlier."""
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
        sockets = [line.rstrip("\n").split(maxsplit=7) for line in file]
    return any(int(each[3], 16) & LISTENS and each[7] == str(path) for each in sockets[1:] if len(each) == 8)


def until(what: str, look: Callable[[], Any], seconds: float = 30,
          context: Callable[[], str] | None = None, state: Callable[[], Any] | None = None,
          longest_step: float = LONGEST_STEP) -> Any:
    """Call `look` until its result is true, and return the result. `look` must not mistake an
    incomplete state for a complete one. An exception of `look` ends the wait. `state` returns the
    last state for the report, if it differs from the last result."""
    deadline = Deadline(what, seconds, context, longest_step)
    for _ in deadline:
        answer = look()
        if answer:
            return answer
        if deadline.left() == 0.0:
            deadline.state = state() if state else answer
    raise deadline.failure()


def steady(what: str, look: Callable[[], Any], seconds: float) -> None:
    """Evaluate a condition that must hold for that many seconds; fail as soon as it does not. A
    slow machine evaluates it less often but does not fail."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = look()
        if not answer:
            raise TestFailure(f"{what}: no longer ({answer!r})")
        time.sleep(LONGEST_STEP)


def elapse(seconds: float, why: str) -> None:
    """Let time pass because time itself is the stimulus: a request at a random moment, a period to
    measure over. Never use this to wait for an event, which requires a state to check. `why` states
    the purpose."""
    assert why
    end = time.monotonic() + seconds
    if seconds > 0.02:
        time.sleep(seconds)
    while time.monotonic() < end:
        pass                        # sleep() is not exact enough for fractions of a millisecond


def moments(seconds: float, interval: float) -> Iterator[float]:
    """Yield the seconds passed, once every `interval`, until `seconds` have passed; for sampling.
    """
    begin = time.monotonic()
    while (passed := time.monotonic() - begin) < seconds:
        yield passed
        time.sleep(interval)


def accept(listener: socket.socket, process: subprocess.Popen, what: str, seconds: float = 30,
           context: Callable[[], str] | None = None) -> socket.socket:
    """Accept the connection that a process makes to a listening socket of the test."""
    deadline = Deadline(what, seconds, context)
    while not select.select([listener], [], [], min(0.1, deadline.left()))[0]:
        if process.poll() is not None:
            raise Gone(str(deadline.failure(f"the process ended, status {process.returncode}")))
        if deadline.over():
            raise deadline.failure()
    return listener.accept()[0]


def receive(sock: socket.socket, deadline: Deadline, most: int = 1 << 16) -> bytes:
    """Return the next bytes from a socket, or b'' if the peer closed the connection."""
    while True:     # wait-ok: the timeout of each turn is the remaining time of the deadline
        sock.settimeout(max(0.001, deadline.left()))
        try:
            return sock.recv(most)
        except TimeoutError:
            if deadline.over():
                raise deadline.failure() from None


def end_with_us() -> None:
    """Let SIGTERM (sent by meson at a test's limit) exit through `finally` and `atexit`, so that
    the processes that a test started end with it."""
    if threading.current_thread() is threading.main_thread() and \
            signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def ended(process: subprocess.Popen, what: str, seconds: float = 30,
          context: Callable[[], str] | None = None) -> int:
    """Wait for a process to end by itself and return its status."""
    deadline = Deadline(what, seconds, context)
    while not deadline.over():
        try:
            return process.wait(max(0.001, deadline.left()))
        except subprocess.TimeoutExpired:
            continue
    raise deadline.failure("it still runs")


class Watchdog:
    """Kill a process that still runs at a limit, so that reading from its pipes ends. cancel() ends
    the supervision."""

    def __init__(self, process: subprocess.Popen, seconds: float = 30) -> None:
        self._deadline = Deadline("the process to end", seconds)
        self._cancelled = threading.Event()
        threading.Thread(target=self._watch, args=(process,), daemon=True).start()

    def _watch(self, process: subprocess.Popen) -> None:
        while not self._deadline.over():
            if self._cancelled.wait(self._deadline.left()):
                return
        process.kill()

    def cancel(self) -> None:
        """Let the process run."""
        self._cancelled.set()


def end(process: subprocess.Popen, seconds: float = 5) -> int:
    """End a process with SIGTERM, and with SIGKILL if that has no effect. Return its status."""
    for stop in (process.terminate, process.kill):
        if process.poll() is None:
            stop()
            try:
                process.wait(scaled(seconds))
            except subprocess.TimeoutExpired:
                continue
    return process.wait()
