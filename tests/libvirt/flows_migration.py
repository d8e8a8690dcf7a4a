# SPDX-License-Identifier: GPL-2.0-or-later
"""Flows of libvirt: live migration between two daemons."""

from flowlib import NAME, Test, check, flow
from rig import Daemon


def arrived(t: Test, source: Daemon, to: Daemon) -> None:
    """The guest runs on the target only. Open its console there."""
    t.here = to
    check(t.state() == "running (migrated)", t.state())
    done = source.run("domstate", NAME, "--reason", check=False)
    check(done.returncode or done.stdout.strip() == "shut off (migrated)", done.stdout)
    t.reopen()


def migrate(t: Test, to: Daemon, *flags: str) -> None:
    """Migrate the guest to another daemon, and check that it continues there."""
    before, source = t.count(), t.here
    source.virsh("migrate", NAME, to.uri, "--live", "--p2p", "--unsafe", *flags, seconds=120)
    arrived(t, source, to)
    t.continues(before)


@flow("p2p live migration and back")
def migration(t: Test) -> None:
    """The guest moves to the other daemon over TCP, and back over a unix socket."""
    t.up()
    migrate(t, t.b, "--migrateuri", "tcp:127.0.0.1", "--persistent", "--undefinesource")
    migrate(t, t.a, "--migrateuri", f"unix://{t.base}/migrate.sock", "--persistent",
            "--undefinesource")


@flow("tunnelled and auto-converging migration")
def tunnelled(t: Test) -> None:
    """The stream passes through the daemons."""
    t.up()
    migrate(t, t.b, "--tunnelled", "--persistent", "--undefinesource")
    migrate(t, t.a, "--auto-converge", "--migrateuri", "tcp:127.0.0.1", "--persistent",
            "--undefinesource")
