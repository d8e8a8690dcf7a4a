# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting: the only module of tests and scripts that sleeps or looks at a deadline.

Limits are given in seconds of an idle machine. Each is multiplied by factor(): how much slower
this machine is now, measured again whenever a limit is reached, times $BACKPLANE_TIMEOUT_FACTOR
(sanitizers, emulated hosts). A wait that fails reports what it waited for, how long, and the last
state it saw. tests/lib/wait.h is the same for C; scripts/check-waits rejects other waits.

  until("the port is open", lambda: port.open, 10)      look until the answer is true
  for _ in Deadline("the socket", 10): ...              look again and again; leave with break
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

STEP, LONGEST_STEP = 0.001, 0.05    # seconds between two looks: the first, and the most
LOOP, LOOP_SECONDS = 20000, 0.0015  # a loop, and the time it takes on an idle machine
MOST = 20.0                         # no machine is taken to be slower than this


class TestFailure(AssertionError):
    """What the emulator or the guest did is not what the test asked for."""

    __test__ = False


class Gone(TestFailure, RuntimeError):
    """The emulator hung up or ended."""


class WaitTimeout(TestFailure):
    """A wait that ran out."""


def speed() -> float:
    """How many times longer than on an idle reference machine a short loop takes now."""
    begin, total = time.monotonic(), 0
    for number in range(LOOP):
        total += number & 3
    return (time.monotonic() - begin) / LOOP_SECONDS


def load() -> float:
    """Threads that want to run, for each CPU, now or in the last minute."""
    try:
        with open("/proc/loadavg", encoding="ascii") as file:
            minute, _, _, running, *_ = file.read().split()
    except OSError:
        return 1.0
    wanted = max(float(minute), float(running.split("/")[0]))
    return wanted / max(1, len(os.sched_getaffinity(0)))


def factor() -> float:
    """How much longer than on an idle machine to wait; 1 or more."""
    given = float(os.environ.get("BACKPLANE_TIMEOUT_FACTOR") or "1")
    return given * min(MOST, max(1.0, speed(), load()))


def scaled(seconds: float) -> float:
    """A limit for a function that can only be given a number of seconds."""
    return seconds * factor()


class Deadline:
    """A limit on one wait. `what` completes the sentence 'waited for ...'; `context` returns what
    to show with a failure (the console's tail, for example)."""

    def __init__(self, what: str, seconds: float, context: Callable[[], str] | None = None,
                 longest_step: float = LONGEST_STEP) -> None:
        self.what, self.seconds, self.context = what, seconds, context
        self.longest_step = longest_step
        self.begin = self.resumed = time.monotonic()
        self.limit = seconds        # measuring costs a millisecond: left() does, when it must
        self.step = STEP
        self.state: Any = None      # the last state seen, for the report

    def left(self) -> float:
        """Seconds left; when none are left, the machine is measured again first."""
        passed = time.monotonic() - self.begin
        if passed >= self.limit:
            self.limit = max(self.limit, scaled(self.seconds))
        return max(0.0, self.limit - passed)

    def over(self) -> bool:
        """Whether the limit is reached."""
        return self.left() == 0.0

    def failure(self, why: str = "") -> WaitTimeout:
        """The report, to be raised."""
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
        """Sleep a little before the next look, and at least as long as the last look took, so that
        looking does not hold up what is waited for; raises the report when the limit is reached."""
        looked, left = time.monotonic() - self.resumed, self.left()
        if left == 0.0:
            raise self.failure()
        time.sleep(min(max(self.step, looked), left))
        self.step = min(self.step * 1.5, self.longest_step)
        self.resumed = time.monotonic()

    def __iter__(self) -> Iterator[int]:
        """Numbers of looks, with a pause between two; ends by raising the report."""
        look = 0
        while not look or self.pause() is None:
            yield look
            look += 1


def until(what: str, look: Callable[[], Any], seconds: float = 30,
          context: Callable[[], str] | None = None, state: Callable[[], Any] | None = None,
          longest_step: float = LONGEST_STEP) -> Any:
    """Look until the answer is true, and return it. `look` must never take a state that is
    half-written for a complete one; what it raises ends the wait. `state` tells what to report
    as the last state, if that is not the last answer."""
    deadline = Deadline(what, seconds, context, longest_step)
    for _ in deadline:
        answer = look()
        if answer:
            return answer
        if deadline.left() == 0.0:
            deadline.state = state() if state else answer
    raise deadline.failure()


def steady(what: str, look: Callable[[], Any], seconds: float) -> None:
    """Look for so many seconds, and fail as soon as the answer is not true: for what must not
    happen. A slow machine makes it look less often, never fail."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = look()
        if not answer:
            raise TestFailure(f"{what}: no longer ({answer!r})")
        time.sleep(LONGEST_STEP)


def elapse(seconds: float, why: str) -> None:
    """Let time pass because time itself is the stimulus: a request at a random moment, a period
    to measure over. Never to wait for something: that takes a state to look at. `why` says what
    the time is for."""
    assert why
    end = time.monotonic() + seconds
    if seconds > 0.02:
        time.sleep(seconds)
    while time.monotonic() < end:
        pass                        # a sleep is not exact enough for parts of a millisecond


def moments(seconds: float, interval: float) -> Iterator[float]:
    """The seconds passed, one number every `interval`, until `seconds` are over: for sampling."""
    begin = time.monotonic()
    while (passed := time.monotonic() - begin) < seconds:
        yield passed
        time.sleep(interval)


def accept(listener: socket.socket, process: subprocess.Popen, what: str, seconds: float = 30,
           context: Callable[[], str] | None = None) -> socket.socket:
    """The connection that a process makes to a socket of ours."""
    deadline = Deadline(what, seconds, context)
    while not select.select([listener], [], [], min(0.1, deadline.left()))[0]:
        if process.poll() is not None:
            raise Gone(str(deadline.failure(f"the process ended, status {process.returncode}")))
        if deadline.over():
            raise deadline.failure()
    return listener.accept()[0]


def receive(sock: socket.socket, deadline: Deadline, most: int = 1 << 16) -> bytes:
    """What a socket has to say next; b'' when the peer hung up."""
    while True:     # wait-ok: each turn waits with the deadline's rest, which shrinks
        sock.settimeout(max(0.001, deadline.left()))
        try:
            return sock.recv(most)
        except TimeoutError:
            if deadline.over():
                raise deadline.failure() from None


def end_with_us() -> None:
    """Have SIGTERM (of meson, at a test's limit) leave through `finally` and `atexit`, so that the
    processes that a test started end with it."""
    if threading.current_thread() is threading.main_thread() and \
            signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def ended(process: subprocess.Popen, what: str, seconds: float = 30,
          context: Callable[[], str] | None = None) -> int:
    """Wait for a process to end by itself; its status."""
    deadline = Deadline(what, seconds, context)
    while not deadline.over():
        try:
            return process.wait(max(0.001, deadline.left()))
        except subprocess.TimeoutExpired:
            continue
    raise deadline.failure("it still runs")


def end(process: subprocess.Popen, seconds: float = 5) -> int:
    """End a process, with SIGTERM first and with SIGKILL if that does nothing; its status."""
    for stop in (process.terminate, process.kill):
        if process.poll() is None:
            stop()
            try:
                process.wait(scaled(seconds))
            except subprocess.TimeoutExpired:
                continue
    return process.wait()
