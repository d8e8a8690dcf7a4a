# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks on NBD servers: the options of the node and the names that -drive accepts.
tests/unit/block/test-nbd.c checks data, errors and reconnection."""

import contextlib
import shutil
import subprocess

from disks import image, node
from walk import Folder, Machine, covers, refused, run


@contextlib.contextmanager
def server(folder, *args):
    """Run nbdkit on a unix socket of a folder, whose path is the value; nbdkit may not listen yet.
    None: not installed."""
    path = folder / "nbd"
    if not shutil.which("nbdkit"):
        print("# nbdkit is not installed (scripts/install-deps installs it): nothing is opened")
        yield None
        return
    proc = subprocess.Popen(["nbdkit", "--exit-with-parent", "-f", "-U", path, *args])
    try:
        yield path
    finally:
        proc.kill()
        proc.wait()


def rejected(words, *args):
    refused(words, "-M", "virt", "-display", "none", "-accel", "qtest", *args)


@covers("-blockdev nbd", "-blockdev nbd server=", "-blockdev nbd export=",
        "-blockdev nbd open-timeout=", "-blockdev nbd reconnect-delay=")
def check_nbd():
    for name in ("http://host/x", "ssh://host/x", "rbd:pool/x", "iscsi://host/x", "nbds://host/x"):
        rejected("use file:PATH, host_device:PATH, nbd://HOST:PORT/EXPORT", "-drive",
                 f"file={name},format=raw,if=none,id=d")
    if "no NBD client" in run("-M", "virt", "-accel", "qtest", "-blockdev", "nbd,node-name=n")[2]:
        return      # a build without libnbd refuses the driver
    rejected("property 'server' is required", "-blockdev", "nbd,node-name=n")
    base = "nbd,node-name=n,server.type=unix,server.path="
    rejected("No such file", "-blockdev", f"{base}/nonexistent/nbd")
    rejected("to 'nbd://127.0.0.1:1': Connection refused", "-blockdev",
             "nbd,node-name=n,server.type=inet,server.host=127.0.0.1,server.port=1")
    rejected("reconnect-delay", "-blockdev", f"{base}/x,reconnect-delay=x")
    with Folder() as folder, server(folder, "--filter=exportname", "file", image(folder),
                                    "exportname-strict=true", "exportname=a b") as path:
        if path:
            with Machine("-blockdev", f"{base}{path},export=a b,open-timeout=60,reconnect-delay=5",
                         "-device", "virtio-blk-pci,drive=n") as m:
                assert node(m)["drv"] == "nbd"
                assert node(m)["file"] == f"nbd+unix:///a%20b?socket={path}"
                assert node(m)["image"]["virtual-size"] == 1 << 20
            rejected("cannot connect to", "-blockdev", f"{base}{path},export=other")
            for name in (f"nbd+unix:///a%20b?socket={path}", f"nbd:unix:{path}:exportname=a b"):
                with Machine("-drive", f"file={name},format=raw,if=virtio,node-name=n") as m:
                    assert node(m)["image"]["filename"] == f"nbd+unix:///a%20b?socket={path}"
