# SPDX-License-Identifier: GPL-2.0-or-later
"""Properties of devices, machines and CPUs: each value in a separate machine."""

import re
import tempfile

from walk import Ended, Folder, Machine, covers, qtest_run, refused, run

REFUSED = "refused"
ROM = tempfile.NamedTemporaryFile(prefix="bp-rom-")     # removed at the end
ROM.write(bytes(2048))
ROM.flush()
SCRATCH = tempfile.TemporaryDirectory(prefix="bp-probe-")
MAC = "52:54:00:12:34:99"

# The environment that a type requires, with {} for the device itself.
AROUND = {
    "virtio-blk": ["-blockdev", "null-co,node-name=n0,size=1M"],
    "scsi-": ["-device", "virtio-scsi-pci,id=sc", "-blockdev", "null-co,node-name=n0,size=1M"],
    "usb-": ["-device", "qemu-xhci,id=x"],
    "nvme-ns": ["-device", "nvme,id=nv,serial=1", "-blockdev", "null-co,node-name=n0,size=1M"],
    "virtserialport": ["-device", "virtio-serial-pci,id=vs"],
    "virtconsole": ["-device", "virtio-serial-pci,id=vs"],
    "x3130": ["-device", "pcie-root-port,id=rp0,chassis=77,slot=77"],
    "xio3130": ["-device", "pcie-root-port,id=rp0,chassis=77,slot=77", "-device",
                "x3130-upstream,id=up0,bus=rp0"],
}
GIVEN = {"pxb-pcie": ",bus_nr=128", "virtio-blk": ",drive=n0",
         "scsi-hd": ",drive=n0", "x3130": ",bus=rp0", "xio3130": ",bus=up0",
         "nvme-ns": ",drive=n0", "nvme": ",serial=1", "loader": ",addr=0x80000100,data-len=8"}
# Options and properties of virtio PCI devices that a property requires.
REQUIRES = {"iommu_platform": ([], ",disable-legacy=on"),
            "ats": (["-device", "pcie-root-port,id=rp0,chassis=77,slot=77"], ",bus=rp0")}
FLASH_BANK = 32 << 20
BACKENDS = {
    "drive": ["-blockdev", "null-co,node-name=b1,size=1M"],
    "block": ["-blockdev", "null-co,node-name=b1,size=1M"],
    "netdev": ["-netdev", "hubport,id=b1,hubid=1"],
    "chardev": ["-chardev", "null,id=b1"],
    "rng": ["-object", "rng-builtin,id=b1"],
    "iothread": ["-object", "iothread,id=b1"],
}


def around(kind: str, table: dict) -> list | str:
    for prefix, value in table.items():
        if kind.startswith(prefix):
            return value
    return [] if table is AROUND else ""


def values_of(key: dict) -> list[str]:
    """Return the values to test: all of a finite list, otherwise the limits or an example."""
    kind = key["kind"]
    if key["name"] in ("romfile", "file"):
        return [ROM.name]
    if key["name"] == "uuid":
        return ["auto", "11111111-2222-3333-4444-555555555555"]
    if key["name"] == "addr":
        return ["0x80000200"]       # in RAM
    if key["name"] == "vgamem":
        return ["4M", "256M"]
    if kind == "bool":
        return ["on", "off"]
    if kind == "enum":
        return key["values"]
    if kind == "onoffauto":
        return ["on", "off", "auto"]
    if kind == "number":
        return [str(key["min"]), str(key["max"])] if "max" in key else ["1", "2"]
    return {"size": ["64k", "1M"], "string": ["text"], "mac": [MAC], "capability": ["off", "on",
            "0xe0", "0x200"], "backend": ["b1"]}[kind]


def same(asked: str, got, kind: str) -> bool:
    """Return true if a property reads as it was set."""
    if kind in ("bool",):
        return got == (asked == "on")
    if kind in ("number", "size"):
        scale = {"k": 1024, "M": 1 << 20}.get(asked[-1], 1)
        return int(got) == int(asked.rstrip("kM"), 0) * scale
    if kind == "capability":
        return (got == "off") == (asked == "off") and (asked in ("on", "off") or
                                                       int(got, 0) == int(asked, 0))
    if kind == "onoffauto":
        return got == asked or asked == "auto"
    return got.lower() == asked.lower()


def try_value(kind: str, key: dict, value: str) -> str | None:
    """Start a machine with one property set. Returns None, REFUSED, or a description of the error.
    """
    name = key["name"]
    text = f"{kind},id=dut{around(kind, GIVEN)}"
    if key["kind"] == "backend" and name in ("drive",):
        text = text.replace(",drive=n0", "")
    if name == "file":
        text = text.replace(",data-len=8", "")
    if name == "serial":
        text = text.replace(",serial=1", "")
    text += f",{name}={value}"
    needs = REQUIRES.get(name, ([], "")) if kind.endswith("-pci") else ([], "")
    args = [*around(kind, AROUND), *BACKENDS.get(key.get("backend", ""), []), *needs[0], "-device", text + needs[1]]
    try:
        with Machine("-m", "16", *args) as m:
            got = m.get("/machine/peripheral/dut", name)
            return None if same(value, got, key["kind"]) else f"{text}: reads {got!r}"
    except Ended as error:
        # a value that is invalid here must be rejected by a message about the property
        return REFUSED if name in error.why else str(error)


def cpu_tree(folder, cpu: str, *options: str) -> bytes:
    """Return the device tree of a machine with a CPU, by default with fixed random numbers."""
    path = folder / cpu.replace("=", "-").replace(",", "-")
    status, _, err = run("-M", f"virt,dumpdtb={path}", "-cpu", cpu, "-accel", "qtest", "-bios",
                         "none", "-display", "none", *(options or ("-seed", "1")))
    needs = re.search(r"also requires ([\w=,]+)", err)
    if status and needs:
        return cpu_tree(folder, f"{cpu},{needs[1]}")
    assert status == 0, err
    return path.read_bytes()


def check_cpu_key(kind: str, key: dict) -> None:
    """A property of a CPU changes the device tree. A fixed feature accepts only one value."""
    if "fixed" in key:
        refused(f"property '{key['name']}' is always {key['fixed']}", "-M", "virt", "-cpu",
                f"{kind},{key['name']}={'off' if key['fixed'] == 'on' else 'on'}")
        with Machine("-cpu", f"{kind},{key['name']}={key['fixed']}"):
            return
    with Folder() as folder:
        values = (key["max"], key["min"]) if key["kind"] == "number" else ("on", "off")
        first, second = (cpu_tree(folder, f"{kind},{key['name']}={value}") for value in values)
        assert first != second, f"-cpu {kind},{key['name']}: the device tree is the same"


def flash_word(m: Machine, bank: int) -> int:
    """Return the first word of a flash bank."""
    text = m.qmp("human-monitor-command",
                 **{"command-line": f"xp /1wx {0x20000000 + bank * FLASH_BANK:#x}"})
    return int(text.split(":")[1], 0)


def check_flash_key(kind: str, name: str) -> None:
    """pflash0 and pflash1: the bank has the contents of the node."""
    with Folder() as folder:
        path = folder / "flash"
        path.write_bytes(b"FLSH".ljust(FLASH_BANK, b"\0"))
        with Machine("-M", f"{kind},x-boot-devices=on,{name}=f", "-blockdev",
                     f"file,node-name=f,filename={path}") as m:
            assert flash_word(m, int(name[-1])) == int.from_bytes(b"FLSH", "little"), name


@covers("-fw_cfg", "-fw_cfg name=", "-fw_cfg file=", "-fw_cfg string=")
def check_fw_cfg() -> None:
    with Folder() as folder:
        path = folder / "data"
        path.write_bytes(b"FILE")
        with Machine("-fw_cfg", "name=opt/a,string=TEXT", "-fw_cfg", f"opt/b,file={path}") as m:
            text = m.qmp("human-monitor-command", **{"command-line": "info mtree"})
            assert "fwcfg" in text, text
        # the contents: tests/unit/hw/misc/test-fw-cfg.c
        with Machine("-fw_cfg", "name=other,string=x") as m:
            assert 'should be prefixed with "opt/"' in m.close()
        refused("is given twice", "-M", "virt", "-fw_cfg", "name=opt/a,string=x", "-fw_cfg",
                "name=opt/a,string=y")
        refused("/nonexistent", "-M", "virt", "-fw_cfg", "name=opt/a,file=/nonexistent")
        refused("one of file= and string=", "-M", "virt", "-fw_cfg", "name=opt/a")


def fw_cfg_read(args: tuple[str, ...], key: int, size: int) -> bytes:
    """Return the first bytes of an item of fw_cfg."""
    swapped = (key & 0xff) << 8 | key >> 8
    lines = qtest_run([f"writew 0x10100008 {swapped:#x}", *["readb 0x10100000"] * size], "-M", "virt", *args)
    return bytes(int(line.split()[1], 0) for line in lines[1:])


def fw_cfg_files(args: tuple[str, ...]) -> dict[str, bytes]:
    """Return the names and contents of the files of fw_cfg."""
    count = int.from_bytes(fw_cfg_read(args, 0x19, 4), "big")
    rows = fw_cfg_read(args, 0x19, 4 + 64 * count)[4:]
    files = {}
    for row in (rows[at:at + 64] for at in range(0, len(rows), 64)):
        size, key = int.from_bytes(row[:4], "big"), int.from_bytes(row[4:6], "big")
        files[row[8:].rstrip(b"\0").decode()] = fw_cfg_read(args, key, size) if size else b""
    return files


@covers("-boot", "-boot splash=", "-boot menu=on", "-boot menu=off", "-boot strict=on", "-boot strict=off", "-boot splash-time=",
        "-boot reboot-timeout=")
def check_boot() -> None:
    disk = ("-blockdev", "null-co,node-name=n,size=1M", "-device", "virtio-blk-pci,drive=n,addr=5,bootindex=2")
    first = b"/pci@ffffffffffffffff/scsi@5/disk@0,0"
    assert fw_cfg_files(disk) == {"bootorder": first + b"\0"}
    assert fw_cfg_files((*disk, "-boot", "c,strict=off,menu=on")) == {"bootorder": first + b"\0"}
    times = ("-boot", "strict=on,splash-time=1500,reboot-timeout=-1")
    assert fw_cfg_files((*disk, *times)) == {"bootorder": first + b"\nHALT\0", "etc/boot-menu-wait": b"\xdc\x05",
                                             "etc/boot-fail-wait": b"\xff\xff\xff\xff"}
    assert fw_cfg_files(("-boot", "strict=on"))["bootorder"] == b""
    for args, value in (("menu=on", b"\1\0"), ("menu=off", b"\0\0"), ("c", b"\0\0")):
        assert fw_cfg_read(("-boot", args), 0x0e, 2) == value, args
    refused("from 0 to 65535", "-M", "virt", "-boot", "splash-time=65536")
    refused("omit splash=", "-M", "virt", "-boot", "menu=on,splash=x.jpg")
    refused("letters from a to p", "-M", "virt", "-boot", "once=z")
    refused("from -1 to 65535", "-M", "virt", "-boot", "reboot-timeout=-2")
    status, _, err = run("-M", "virt", "-boot", "splash-time=1", "-fw_cfg",
                         "name=etc/boot-menu-wait,string=x")      # after the warning about the name
    assert status == 1 and err.splitlines()[-1].endswith("the file exists already"), err
    refused("has no fw_cfg", "-M", "virt-0.2", "-boot", "splash-time=1")


@covers("-pflash")
def check_flash_option() -> None:
    with Folder() as folder:
        paths = [folder / "code", folder / "vars"]
        for path in paths:
            path.write_bytes(path.name.encode().ljust(FLASH_BANK, b"\0"))
        with Machine("-pflash", str(paths[0]), "-pflash", str(paths[1])) as m:
            for bank, text in enumerate((b"code", b"vars")):
                assert flash_word(m, bank) == int.from_bytes(text, "little"), bank


def check_machine_key(kind: str, key: dict, value: str) -> None:
    """A property of a machine changes its device tree, or the process."""
    if key["name"].startswith("pflash"):
        check_flash_key(kind, key["name"])
        return
    if key["name"] in ("memory-backend", "dumpdtb"):
        return      # with the memory back ends, and by every device tree in this file
    with Folder() as folder:
        trees = set()
        for each in values_of(key):
            path = folder / f"tree-{each}"
            status, _, err = run("-M", f"{kind},{key['name']}={each},dumpdtb={path}", "-accel",
                                 "qtest", "-bios", "none", "-display", "none")
            assert status == 0, err
            trees.add(path.read_bytes())
        assert len(trees) == len(values_of(key)), f"-M {kind},{key['name']}: equal device trees"
