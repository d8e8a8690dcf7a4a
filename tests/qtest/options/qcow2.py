# SPDX-License-Identifier: GPL-2.0-or-later
"""Images in format qcow2: the options of the node and of -drive. Nodes of blkdebug."""

from disks import image, node
from images import empty_qcow2
from walk import Folder, Machine, covers, refused


def rejected(words, option, text):
    """Check that an option ends the start with these words."""
    refused(words, "-M", "virt", "-display", "none", "-accel", "qtest", option, text)


def check_sizes(option, base):
    """Both caches accept a limit. Limits that contradict each other are rejected."""
    for key in ("cache-size", "l2-cache-size", "refcount-cache-size"):
        with Machine(option, f"{base},{key}=64k") as m:
            assert m.qmp("query-named-block-nodes")
        rejected(key, option, f"{base},{key}=many")
    rejected("may not exceed", option, f"{base},cache-size=64k,l2-cache-size=128k")
    rejected("at the same time", option,
             f"{base},cache-size=64k,l2-cache-size=32k,refcount-cache-size=32k")


@covers("-blockdev qcow2", "-blockdev qcow2 file=", "-blockdev qcow2 backing=",
        "-blockdev qcow2 cache-size=", "-blockdev qcow2 l2-cache-size=",
        "-blockdev qcow2 lazy-refcounts=", "-blockdev qcow2 refcount-cache-size=",
        "-drive backing=", "-drive cache-size=", "-drive l2-cache-size=",
        "-drive lazy-refcounts=", "-drive refcount-cache-size=")
def check_qcow2():
    with Folder() as folder:
        disk, base, old = folder / "d.qcow2", image(folder), folder / "old.qcow2"
        disk.write_bytes(empty_qcow2(1 << 30))
        head = bytearray(empty_qcow2(1 << 30))
        head[7], head[72:112] = 2, bytes(40)       # version 2
        old.write_bytes(head)
        for option, text in (("-blockdev", "qcow2,node-name=n,file.driver=file,file.filename={}"),
                             ("-drive", "format=qcow2,node-name=n,if=none,id=d,file={}")):
            with Machine(option, text.format(disk)) as m:
                assert node(m)["image"]["virtual-size"] == 1 << 30
                assert "backing_file" not in node(m)
            with Machine("-blockdev", f"file,node-name=b,filename={base},read-only=on", option,
                         text.format(disk) + ",backing=b") as m:
                assert node(m)["backing_file"] == str(base)
            with Machine(option, text.format(disk) + ",lazy-refcounts=on") as m:
                assert node(m)
            rejected("this image has version 2", option, text.format(old) + ",lazy-refcounts=on")
            check_sizes(option, text.format(disk))


@covers("-blockdev blkdebug", "-blockdev blkdebug image=", "-blockdev blkdebug inject-error=")
def check_blkdebug():
    with Folder() as folder:
        text = f"blkdebug,node-name=n,image.driver=file,image.filename={image(folder)}"
        rule = "inject-error.0"     # the effect of rules: tests/unit/block/test-qcow2.c
        with Machine("-blockdev", f"{text},{rule}.event=write_aio,{rule}.once=on") as m:
            assert node(m)["drv"] == "blkdebug"
        with Machine("-blockdev", f"{text},{rule}.event=none,{rule}.iotype=discard,"
                     f"{rule}.sector=5,{rule}.errno=28,inject-error.1.event=read_aio"):
            pass
        rejected("event=l1_update", "-blockdev", f"{text},{rule}.event=l1_update")
        rejected("'inject-error.event' is missing", "-blockdev", f"{text},{rule}.once=on")
        rejected("must be a list", "-blockdev", f"{text},inject-error.event=none")
        rejected("errno=999", "-blockdev", f"{text},{rule}.event=none,{rule}.errno=999")
        rejected("no request has", "-blockdev",
                 f"{text},{rule}.event=read_aio,{rule}.iotype=flush")
