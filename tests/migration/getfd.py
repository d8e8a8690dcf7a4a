#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Migrate over descriptors passed with getfd, as management software does: a socket and a pipe."""
import os
import socket
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from machine import Machine, QmpError  # noqa: E402

ADDRESS, MARK = 0x80200000, 0x0123456789abcdef


def getfd(machine, fd, name):
    """Pass a descriptor and name it."""
    machine.qmp.pass_fd("getfd", fd, fdname=name)


def guest(*args):
    """Start a small machine, or one that waits for a stream."""
    return Machine(*(args or ("-M", "virt", "-m", "8", "-device", "edu,addr=3")))


def over_socket():
    """Migrate over a socket pair; each end has one side."""
    ours, theirs = socket.socketpair()
    with guest() as a, guest("-incoming", "defer") as b:
        a.write(ADDRESS, 8, MARK)
        getfd(a, ours.fileno(), "out")
        getfd(b, theirs.fileno(), "in")
        ours.close()
        theirs.close()
        b.command("migrate-incoming", uri="fd:in")
        a.command("migrate", uri="fd:out")
        assert a.wait("completed", "failed")["status"] == "completed", a.command("query-migrate")
        b.wait("completed")
        assert b.read(ADDRESS, 8) == MARK
        try:
            a.command("migrate", uri="fd:out")
            raise AssertionError("a used name still exists")
        except QmpError:
            pass


def over_file():
    """Save to an open file that is passed to the source, as management software does."""
    with tempfile.NamedTemporaryFile() as f, guest() as a:
        a.write(ADDRESS, 8, MARK)
        getfd(a, f.fileno(), "migrate")
        a.command("migrate", uri="fd:migrate")
        assert a.wait("completed", "failed")["status"] == "completed", a.command("query-migrate")
        with guest("-incoming", f"file:{f.name}") as b:
            assert b.wait("completed", "failed")["status"] == "completed"
            assert b.read(ADDRESS, 8) == MARK


def errors():
    """Check the rejection of a missing descriptor, an invalid name and an unknown name."""
    with guest() as a:
        for command, arguments, words in (
                ("getfd", {"fdname": "x"}, "SCM_RIGHTS"),
                ("closefd", {"fdname": "x"}, "not found"),
                ("migrate", {"uri": "fd:x"}, "no such descriptor")):
            try:
                a.command(command, **arguments)
                raise AssertionError(f"{command} succeeded")
            except QmpError as error:
                assert words in str(error), error
        with open(os.devnull, "wb") as f:
            getfd(a, f.fileno(), "x")
            a.command("closefd", fdname="x")


def main():
    """Run all three tests."""
    over_socket()
    over_file()
    errors()
    print("getfd: ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
