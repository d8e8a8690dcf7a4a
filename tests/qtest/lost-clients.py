#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Management clients that end between a command and its response, connect again, and repeat it.

Each command of the first client is performed once. The next client finds its effect, a repeated
command is refused with the name of what exists, and the machine keeps running.
"""

import json
import os
import socket
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from emulator import Emulator, QmpError  # noqa: E402
from waiting import TestFailure, listening, until  # noqa: E402

EMULATOR = os.environ.get("BACKPLANE_BINARY",
                          str(Path(__file__).parent / "../../build/backplane-system-riscv64"))


def lost(path, command, **arguments):
    """Connect, send a command, and end without reading the response."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        for message in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
            client.sendall((json.dumps(message) + "\n").encode())


def expect_error(machine, words, command, **arguments):
    """Send a command that is refused with certain words."""
    try:
        machine.qmp.command(command, **arguments)
    except QmpError as error:
        if words not in str(error):
            raise TestFailure(f"{command}: {error}") from error
        return
    raise TestFailure(f"{command} succeeded again")


def devices(machine):
    """Return the ids of devices."""
    return [row["name"] for row in machine.qmp.command("qom-list", path="/machine/peripheral")]


def nodes(machine):
    """Return the names of block nodes."""
    return [row["node-name"] for row in machine.qmp.command("query-named-block-nodes")]


def creations(machine, path):
    """blockdev-add, object-add, netdev_add, chardev-add, device_add."""
    disk = {"driver": "null-co", "node-name": "n0", "size": 1 << 20}
    lost(path, "blockdev-add", **disk)
    until("the node", lambda: nodes(machine) == ["n0"])
    expect_error(machine, "n0", "blockdev-add", **disk)
    rng = {"qom-type": "rng-builtin", "id": "r0"}
    lost(path, "object-add", **rng)
    until("the object", lambda: "r0" in [row["name"] for row in
                                         machine.qmp.command("qom-list", path="/objects")])
    expect_error(machine, "r0", "object-add", **rng)
    net = {"type": "hubport", "id": "net0", "hubid": 1}
    lost(path, "netdev_add", **net)
    until("the netdev", lambda: "net0" in machine.qmp.command(
        "human-monitor-command", **{"command-line": "info network"}))
    expect_error(machine, "net0", "netdev_add", **net)
    char = {"id": "c0", "backend": {"type": "null", "data": {}}}
    lost(path, "chardev-add", **char)
    until("the chardev", lambda: "c0" in [row["label"] for row in
                                          machine.qmp.command("query-chardev")])
    expect_error(machine, "c0", "chardev-add", **char)
    device = {"driver": "virtio-blk-pci", "id": "d0", "drive": "n0", "bus": "rp"}
    lost(path, "device_add", **device)
    until("the device", lambda: "d0" in devices(machine))
    expect_error(machine, "d0", "device_add", **device)
    if nodes(machine) != ["n0"] or devices(machine).count("d0") != 1:
        raise TestFailure("a repeated command had an effect")


def dump(machine, path, folder):
    """dump-guest-memory, whose response is deferred: the file is complete."""
    file = folder / "dump"
    lost(path, "dump-guest-memory", paging=False, protocol=f"file:{file}")
    until("the dump", lambda: file.exists() and file.stat().st_size > 16 << 20)
    machine.qmp.command("dump-guest-memory", paging=False, protocol=f"file:{folder / 'again'}")
    until("its end", lambda: machine.qmp.command("query-dump")["status"] == "completed")
    if file.stat().st_size != (folder / "again").stat().st_size:
        raise TestFailure("the dump of the lost client is incomplete")


def migration(machine, path, folder):
    """migrate to a target that does not read: a repeated command is refused, and another one succeeds later."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "idle"))
        listener.listen(1)
        uri = f"unix:{folder / 'idle'}"
        lost(path, "migrate", uri=uri)
        until("the migration", lambda: machine.qmp.command("query-migrate").get("status")
              in ("setup", "active"))
        expect_error(machine, "in progress", "migrate", uri=uri)
        lost(path, "migrate_cancel")
        until("the end", lambda: machine.qmp.command("query-migrate")["status"] == "cancelled")
    if machine.qmp.command("query-status")["status"] != "running":
        raise TestFailure("the machine does not run")
    lost(path, "migrate", uri=f"file:{folder / 'stream'}")
    until("the migration", lambda: machine.qmp.command("query-migrate")["status"] == "completed")
    if machine.qmp.command("query-status")["status"] != "postmigrate":
        raise TestFailure("the machine still runs")


def main():
    """Run all checks on one machine, which the first client does not end."""
    with tempfile.TemporaryDirectory(prefix="backplane-lost-") as name:
        folder, path = Path(name), Path(name, "second")
        with Emulator(EMULATOR, ["-M", "virt", "-m", "16", "-nodefaults", "-accel", "qtest", "-device",
                                 "pcie-root-port,id=rp,chassis=1", "-qmp",
                                 f"unix:{path},server=on,wait=off"], console=False) as machine:
            until("the second monitor", lambda: listening(path))
            creations(machine, path)
            dump(machine, path, folder)
            migration(machine, path, folder)
    print("ok - clients that end during their commands")


if __name__ == "__main__":
    main()
