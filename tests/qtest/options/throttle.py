# SPDX-License-Identifier: GPL-2.0-or-later
"""I/O limits: those of -drive, throttle groups, and the filter. tests/unit/block/test-throttle.c
measures their effect."""

from disks import drive, image, node
from walk import Folder, Machine, covers, refused

OLD = {"bps": "bps-total", "bps_rd": "bps-read", "bps_wr": "bps-write",
       "iops": "iops-total", "iops_rd": "iops-read", "iops_wr": "iops-write"}
RATES = list(OLD.values())
GROUP = [name + part for name in RATES for part in ("", "-max", "-max-length")] + ["iops-size"]
DRIVE = [name + part for name in OLD for part in ("", "_max")]


def rejected(words, *args):
    """Check that options end the start with these words."""
    refused(words, "-M", "virt", "-display", "none", "-accel", "qtest", *args)


@covers("-drive throttling=", "-drive group=",
        *(f"-drive {key}=" for key in DRIVE))
def check_drive():
    base = "file=null-co://,format=raw,if=none,id=d"
    for old, new in OLD.items():
        for text in (f"{old}=50,{old}_max=70", f"throttling.{new}=50,throttling.{new}-max=70"):
            with Machine("-drive", f"{base},{text}") as m:
                assert drive(m)[old] == 50 and drive(m)[f"{old}_max"] == 70
                assert drive(m)["group"] == "d"
        rejected(f"{new}-max cannot be lower", "-drive", f"{base},{old}=9,{old}_max=3")
    with Machine("-drive", f"{base},iops=9,iops_size=4k,group=g") as m:
        assert drive(m)["iops_size"] == 4096 and drive(m)["group"] == "g"
    with Machine("-drive", f"{base},throttling.iops-total=9,throttling.iops-total-max=90,"
                 "throttling.iops-total-max-length=7,throttling.group=h,throttling.iops-size=5") as m:
        assert drive(m)["iops_max_length"] == 7 and drive(m)["group"] == "h"
    with Machine("-object", "throttle-group,id=g,x-bps-read=5k", "-drive", f"{base},group=g") as m:
        assert drive(m)["bps_rd"] == 5120
    rejected("same time", "-drive", f"{base},bps=1,throttling.bps-total=1")
    rejected("throttling.bps", "-drive", f"{base},throttling.bps=1")


@covers("-object throttle-group", *(f"-object throttle-group {prefix}{name}="
                                    for prefix in ("limits.", "x-") for name in GROUP))
def check_group():
    for prefix in ("limits.", "x-"):
        for name in RATES:
            text = (f"throttle-group,id=g,{prefix}{name}=5,{prefix}{name}-max=7,"
                    f"{prefix}{name}-max-length=3")
            with Machine("-object", text, "-drive",
                         "file=null-co://,format=raw,if=none,id=d,group=g") as m:
                old = {v: k for k, v in OLD.items()}[name]
                shown = [drive(m)[old + part] for part in ("", "_max", "_max_length")]
                assert shown == [5, 7, 3], shown
                assert m.qmp("qom-get", path="/objects/g", property=f"x-{name}-max") == 7
        rejected("requires a limit", "-object", f"throttle-group,id=g,{prefix}iops-size=5")


@covers("-blockdev throttle", "-blockdev throttle file=", "-blockdev throttle throttle-group=")
def check_filter():
    with Folder() as folder:
        text = f"throttle,node-name=n,throttle-group=g,file.driver=file,file.filename={image(folder)}"
        with Machine("-object", "throttle-group,id=g,limits.iops-total=5", "-blockdev", text) as m:
            assert node(m)["drv"] == "throttle"
            assert "in use" in m.raw("object-del", id="g")["error"]["desc"]
        rejected("no such throttle group", "-blockdev", text)


@covers("-drive iops_size=")
def check_commands():
    """block_set_io_throttle of both monitors."""
    none = {key: 0 for key in OLD}
    with Machine("-drive", "file=null-co://,format=raw,if=none,id=d,iops=5,iops_size=4k", "-device",
                 "virtio-blk-pci,drive=d,id=vd") as m:
        assert drive(m)["iops_size"] == 4096
        for name in ({"device": "d"}, {"id": "vd"},
                     {"id": "/machine/peripheral/vd/virtio-backend"}):
            m.qmp("block_set_io_throttle", **{**none, "iops_rd": 7, "iops_rd_max": 9}, **name)
            assert drive(m)["iops_rd_max"] == 9 and "iops_size" not in drive(m)
            m.qmp("block_set_io_throttle", **none, **name)
            assert "group" not in drive(m)
        assert m.hmp("block_set_io_throttle vd 0 0 0 11 0 0") == ""
        assert drive(m)["iops"] == 11 and "iops=11" in m.hmp("info block")
        for wrong, words in (({"device": "e"}, "'e'"), ({}, "required"),
                             ({"device": "d", "iops": -1}, "within"),
                             ({"device": "d", "bps": 1, "bps_rd": 1}, "bps-read")):
            assert words in m.raw("block_set_io_throttle", **{**none, **wrong})["error"]["desc"]
