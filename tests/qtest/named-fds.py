#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""chardev-add with a descriptor that the client passed with getfd, as libvirt does."""

import os
import socket
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from emulator import Emulator, QmpError  # noqa: E402
from waiting import TestFailure, until  # noqa: E402

EMULATOR = os.environ.get("BACKPLANE_BINARY",
                          str(Path(__file__).parent / "../../build/backplane-system-riscv64"))


def add(machine, name, fd_name):
    """Add a character device that listens on a descriptor."""
    return machine.qmp.command("chardev-add", id=name, backend={
        "type": "socket", "data": {"addr": {"type": "fd", "data": {"str": fd_name}},
                                   "server": True, "wait": False}})


def refused(machine, name, fd_name):
    """Return the error message of add()."""
    try:
        add(machine, name, fd_name)
    except QmpError as error:
        return str(error)
    raise TestFailure(f"chardev-add {name} with {fd_name} succeeded")


def listener(path):
    """Return a listening unix socket."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen(1)
    return sock


def connects(path):
    """Return true if a process accepts connections at the socket."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def main():
    """Run all checks on one machine."""
    with tempfile.TemporaryDirectory(prefix="backplane-fds-") as folder, \
            Emulator(EMULATOR, ["-M", "none", "-nodefaults"], console=False) as machine:
        path, other = Path(folder, "one"), Path(folder, "two")
        with listener(path) as sock:
            machine.qmp.pass_fd("getfd", sock.fileno(), fdname="channel1-source")
        add(machine, "c1", "channel1-source")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            until("the connection", lambda: any(
                c["label"] == "c1" for c in machine.qmp.command("query-chardev")))
        # The name is used up, and an unknown name is refused.
        for name in ("channel1-source", "nosuch"):
            text = refused(machine, "c2", name)
            if name not in text:
                raise TestFailure(f"'{text}' does not contain '{name}'")
        # A command that fails closes the descriptor.
        with listener(other) as sock:
            machine.qmp.pass_fd("getfd", sock.fileno(), fdname="late")
        refused(machine, "c1", "late")
        if connects(other):
            raise TestFailure("the descriptor of a failed chardev-add is still open")
        machine.qmp.command("chardev-remove", id="c1")
        if connects(path):
            raise TestFailure("the descriptor of a removed character device is still open")


if __name__ == "__main__":
    main()
