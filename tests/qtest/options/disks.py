# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks: -drive, -blockdev and -snapshot."""

import os
from pathlib import Path

from walk import Ended, Folder, Machine, covers, refused


def image(folder: Path, name: str = "d.img", size: int = 1 << 20) -> Path:
    path = folder / name
    path.write_bytes(bytes(size))
    return path


def drive(m, name: str = "d") -> dict:
    """Return the answer of query-block for a drive."""
    return next(b for b in m.qmp("query-block") if b["device"] == name)["inserted"]


def node(m, name: str = "n") -> dict:
    return next(n for n in m.qmp("query-named-block-nodes") if n["node-name"] == name)


def open_flags(m, path: Path) -> int:
    """Return the flags of the descriptor with which the emulator opened a file."""
    for fd in Path(f"/proc/{m.proc.pid}/fd").iterdir():
        if os.readlink(fd) == str(path):
            text = Path(f"/proc/{m.proc.pid}/fdinfo/{fd.name}").read_text()
            return int(text.split("flags:")[1].split()[0], 8)
    raise AssertionError(f"{path} is not open")


@covers("-drive", "-drive file=", "-drive format=", "-drive if=", "-drive id=",
        "-drive media=disk", "-drive media=cdrom", "-drive read-only=", "-drive readonly=",
        "-drive cache=directsync", "-drive cache=none", "-drive cache=unsafe",
        "-drive cache=writeback", "-drive cache=writethrough")
def check_drive():
    with Folder() as folder:
        path = image(folder)
        base = f"file={path},format=raw,id=d"
        for option in ("if=virtio", "if=none"):
            with Machine("-drive", f"{base},{option}") as m:
                assert drive(m)["file"] == str(path)
                disks = [d for d in m.qmp("query-pci")[0]["devices"] if d["slot"]]
                assert len(disks) == (option == "if=virtio"), option
        for option, ro in (("read-only=on", True), ("readonly=on", True), ("read-only=off", False),
                           ("media=cdrom", True), ("media=disk", False)):
            with Machine("-drive", f"{base},if=none,{option}") as m:
                assert drive(m)["ro"] == ro, option
        for mode, direct, no_flush, writeback in (
                ("writeback", False, False, True), ("writethrough", False, False, False),
                ("unsafe", False, True, True)):
            with Machine("-drive", f"{base},if=none,cache={mode}") as m:
                assert drive(m)["cache"] == {"direct": direct, "no-flush": no_flush,
                                             "writeback": writeback}, mode
        for mode, writeback in (("none", True), ("directsync", False)):
            try:
                with Machine("-drive", f"{base},if=none,cache={mode}") as m:
                    assert drive(m)["cache"]["direct"]
                    assert drive(m)["cache"]["writeback"] == writeback
            except AssertionError as error:     # a file system without direct I/O rejects it
                assert "direct" in str(error), error
        refused("format", "-M", "virt", "-display", "none", "-drive",
                f"file={path},format=nosuch,if=none,id=d")


@covers("-snapshot", "-drive snapshot=")
def check_snapshot():
    with Folder() as folder:
        path = image(folder)
        path.chmod(0o444)
        for args in (["-snapshot", "-drive", f"file={path},format=raw,if=none,id=d"],
                     ["-drive", f"file={path},format=raw,if=none,id=d,snapshot=on"]):
            with Machine(*args) as m:
                assert not drive(m)["ro"], args
                assert open_flags(m, path) & os.O_ACCMODE == os.O_RDONLY, args


@covers("-hda", "-hdb", "-hdc", "-hdd", "-cdrom")
def check_image_options():
    with Folder() as folder:
        path = image(folder)
        for option, name in (("-hda", "none0"), ("-hdb", "none1"), ("-hdc", "none2"),
                             ("-hdd", "none3"), ("-cdrom", "none2")):
            with Machine(option, str(path)) as m:
                (found,) = [b for b in m.qmp("query-block") if b["device"] == name]
                assert found["inserted"]["ro"] == (option == "-cdrom"), found
                disk = "scsi-cd" if option == "-cdrom" else "virtio-blk-pci"
                path_of = found["qdev"].removesuffix("/virtio-backend")
                assert m.qmp("qom-get", path=path_of, property="type") == disk, found
            with Machine(option, str(path), "-device", f"virtio-blk-device,drive={name}") as m:
                (found,) = [b for b in m.qmp("query-block") if b["device"] == name]
                disk = m.qmp("qom-get", path=found["qdev"], property="type")
                assert disk == "virtio-blk-device", found


@covers("-drive aio=", "-blockdev file aio=", "-blockdev host_device aio=")
def check_aio():
    # which interface of the host each value uses: tests/unit/block/test-file.c
    with Folder() as folder:
        path = image(folder)
        for option in (["-drive", f"file={path},format=raw,if=none,id=d"],
                       ["-blockdev", f"file,node-name=n,filename={path}"]):
            for aio, ring in (("threads", False), ("io_uring", True)):
                try:
                    with Machine(option[0], f"{option[1]},aio={aio}") as m:
                        fds = [os.readlink(fd) for fd in Path(f"/proc/{m.proc.pid}/fd").iterdir()]
                        assert any("io_uring" in fd for fd in fds) == ring, (option, aio)
                except Ended as ended:      # a host or a build without io_uring refuses by name
                    assert ring and "aio=io_uring" in ended.why, ended
            try:
                with Machine(option[0], f"{option[1]},aio=native,cache.direct=on") as m:
                    assert "/[aio]" in Path(f"/proc/{m.proc.pid}/maps").read_text(), option
            except Ended as ended:          # a file system without direct I/O
                assert "Could not open" in ended.why, ended
            refused("cache.direct=on", "-M", "virt", "-display", "none", option[0],
                    f"{option[1]},aio=native")
            refused("aio", "-M", "virt", "-display", "none", option[0], f"{option[1]},aio=nosuch")


@covers("-drive rerror=ignore", "-drive rerror=report", "-drive rerror=stop",
        "-drive werror=enospc", "-drive werror=ignore", "-drive werror=report",
        "-drive werror=stop", "-drive copy-on-read=")
def check_policies():
    # the effect of each policy on an error: tests/unit/hw/block
    for key, values in (("rerror", "ignore report stop"), ("werror", "enospc ignore report stop")):
        for value in values.split():
            with Machine("-drive", f"file=null-co://,format=raw,if=virtio,id=d,{key}={value}") as m:
                assert drive(m)
        refused(key, "-M", "virt", "-display", "none", "-drive",
                f"file=null-co://,format=raw,if=none,id=d,{key}=nosuch")
    refused("copy-on-read", "-M", "virt", "-display", "none", "-drive",
            "file=null-co://,format=raw,if=none,id=d,copy-on-read=on")


@covers("-blockdev", "-blockdev node-name=", "-blockdev driver=", "-blockdev file",
        "-blockdev file filename=", "-blockdev read-only=", "-blockdev auto-read-only=",
        "-blockdev cache=", "-blockdev discard=", "-blockdev detect-zeroes=",
        "-blockdev raw", "-blockdev raw file=", "-blockdev raw offset=", "-blockdev raw size=",
        "-blockdev null-co", "-blockdev null-co size=", "-blockdev null-co read-zeroes=",
        "-blockdev null-aio", "-blockdev null-aio size=", "-blockdev null-aio read-zeroes=",
        "-blockdev host_device", "-blockdev host_device filename=")
def check_blockdev():
    with Folder() as folder:
        path = image(folder)
        file = f"driver=file,node-name=n,filename={path}"
        with Machine("-blockdev", file + ",read-only=on") as m:
            assert node(m)["ro"] and node(m)["file"] == str(path)
        with Machine("-blockdev", file + ",cache.no-flush=on") as m:
            assert node(m)["cache"]["no-flush"]
        path.chmod(0o444)
        if os.geteuid() != 0:
            with Machine("-blockdev", file + ",auto-read-only=on") as m:
                assert node(m)["ro"]
        path.chmod(0o644)
        for key in ("discard=unmap", "discard=ignore", "detect-zeroes=on", "detect-zeroes=off"):
            with Machine("-blockdev", f"{file},{key}"):
                pass    # their effect on the image: tests/unit/block
            refused(key.split("=")[0], "-M", "virt", "-display", "none", "-blockdev",
                    f"{file},{key.split('=')[0]}=nosuch")
        with Machine("-blockdev", file, "-blockdev",
                     "raw,node-name=r,file=n,offset=4096,size=8192") as m:
            assert node(m, "r")["image"]["virtual-size"] == 8192
        for kind in ("null-co", "null-aio"):
            with Machine("-blockdev", f"{kind},node-name=n,size=64k,read-zeroes=on") as m:
                assert node(m)["image"]["virtual-size"] == 65536
            refused("read-zeroes", "-M", "virt", "-display", "none", "-blockdev",
                    f"{kind},node-name=n,read-zeroes=nosuch")
        # on a block device of the host: tests/unit/block/test-file.c
        refused("to be a block device", "-M", "virt", "-display", "none", "-blockdev",
                f"host_device,node-name=n,filename={path}")
        refused("to be a block device", "-M", "virt", "-display", "none", "-blockdev",
                "host_device,node-name=n,filename=/dev/null")


@covers("-blockdev file locking=", "-blockdev host_device locking=", "-blockdev force-share=")
def check_locking():
    with Folder() as folder:
        path = image(folder)
        text = f"driver=file,node-name=n,filename={path}"
        with Machine("-blockdev", text, "-device", "virtio-blk-pci,drive=n"):
            refused("lock", "-M", "virt", "-display", "none", "-accel", "qtest", "-blockdev", text,
                    "-device", "virtio-blk-pci,drive=n")
            with Machine("-blockdev", text + ",locking=off", "-device", "virtio-blk-pci,drive=n"):
                pass
            with Machine("-blockdev", text + ",force-share=on,read-only=on") as m:
                assert node(m)["ro"]


@covers("-drive auto-read-only=", "-drive bus=", "-drive detect-zeroes=off",
        "-drive detect-zeroes=on", "-drive detect-zeroes=unmap", "-drive discard=ignore",
        "-drive discard=off", "-drive discard=on", "-drive discard=unmap", "-drive driver=",
        "-drive force-share=", "-drive index=", "-drive node-name=", "-drive offset=",
        "-drive size=", "-drive unit=")
def check_drive_keys():
    with Folder() as folder:
        path = image(folder)
        base = f"file={path},if=none,id=d"
        with Machine("-drive", f"{base},driver=raw,node-name=top,offset=4096,size=8192") as m:
            assert node(m, "top")["image"]["virtual-size"] == 8192
        with Machine("-drive", f"{base},format=raw,force-share=on,read-only=on") as m:
            assert drive(m)["ro"]
        for key, values in (("detect-zeroes", "off on"), ("discard", "ignore off on unmap"),
                            ("auto-read-only", "on off"), ("index", "1"), ("bus", "0"),
                            ("unit", "1")):
            for value in values.split():
                with Machine("-drive", f"{base},format=raw,{key}={value}") as m:
                    assert drive(m)
            refused(key, "-M", "virt", "-display", "none", "-drive", f"{base},format=raw,{key}=no!")
