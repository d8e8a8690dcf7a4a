#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The human monitor on a terminal: keys that edit the line, history and completion with Tab."""

import os
import pty
import select
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from waiting import Deadline, elapse  # noqa: E402

EMULATOR = os.environ["BACKPLANE_BINARY"]
OPTIONS = ["-M", "virt", "-m", "16", "-accel", "qtest", "-bios", "none", "-display", "none"]
PROMPT = b"(qemu) "
STATUS = b"VM status: "

# Keys, and text that the terminal then shows.
STEPS = [
    (b"inf\tstatu\t\r", STATUS),
    (b"fo status\x01in\r", STATUS),
    (b"nonsense\x15info status\r", STATUS),
    (b"info status nonsense\x17\r", STATUS),
    (b"info statXus\x1b[D\x1b[D\x7f\r", STATUS),
    (b"info status\r\x1b[A\r", STATUS),
    (b"info bl\t\t", PROMPT + b"info block"),
    (b"\x15info status\r", STATUS),
    (b"\x15device_d\t", b"device_del "),
]


def read_until(terminal, text):
    """Read from the terminal until the text appears and a prompt follows, or the text is the end."""
    seen = b""
    limit = Deadline(f"the text {text!r}", 20, lambda: f"seen: {seen!r}")
    while text not in seen or not seen.endswith((PROMPT, text)):
        if limit.over():
            raise limit.failure()
        if select.select([terminal], [], [], limit.left())[0]:
            seen += os.read(terminal, 65536)


def run(options):
    """Start the emulator on a terminal and type the keys of all steps."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(EMULATOR, [EMULATOR, *OPTIONS, *options])
    try:
        if "mon:stdio" in options:
            elapse(0.5, "the monitor has no output before its prompt is requested")
            os.write(terminal, b"\x01c")
        read_until(terminal, PROMPT)
        for keys, text in STEPS:
            # Ctrl-a is the escape character of the multiplexer; two of them are one Ctrl-a.
            os.write(terminal, keys.replace(b"\x01", b"\x01\x01") if "mon:stdio" in options else keys)
            read_until(terminal, text)
        os.write(terminal, b"\x15quit\r")
        os.waitpid(pid, 0)
        pid = 0
    finally:
        if pid:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        os.close(terminal)


for arguments in (["-monitor", "stdio"], ["-serial", "mon:stdio"]):
    run(arguments)
    print("ok", " ".join(arguments))
