#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bochs-display and screendump: pictures of what qtest draws, compared with QEMU; messages; no
library is loaded before a picture is needed."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from emulator import Emulator, QmpError, TestFailure  # noqa: E402
from oracle import unsuitable  # noqa: E402
from pixels import read_png, read_ppm  # noqa: E402
from tap import check, run  # noqa: E402

EMULATOR = os.environ["BACKPLANE_BINARY"]
QEMU = "qemu-system-riscv64"
ECAM, VRAM, REGS = 0x30000000 + (4 << 15), 0x40000000, 0x50000000
DISPLAY = ["-M", "virt", "-device", "bochs-display,id=d,addr=4,vgamem=4M"]
XRES, BPP, ENABLE, VIRT_WIDTH, X_OFFSET, Y_OFFSET = 0x502, 0x506, 0x508, 0x50C, 0x510, 0x512
LIBRARIES = ("libpixman", "libpng", "libvncserver")


def start(program, *options):
    """Start an emulator that qtest drives."""
    return Emulator(program, ["-nodefaults", "-S", "-qtest-log",
                              "none" if program == QEMU else "/dev/null", *options],
                    console=False, qtest=True)


def write(machine, address, value, size=2):
    """Write a register."""
    machine.qtest.write(address, size, value)


def set_mode(machine, width, height, virt_width=0, x=0, y=0):
    """Decode the BARs and set a mode."""
    write(machine, ECAM + 0x10, VRAM, 4)
    write(machine, ECAM + 0x18, REGS, 4)
    write(machine, ECAM + 4, 2)
    for reg, value in ((XRES, width), (XRES + 2, height), (BPP, 32), (VIRT_WIDTH, virt_width),
                       (X_OFFSET, x), (Y_OFFSET, y), (ENABLE, 0x41)):
        write(machine, REGS + reg, value)


def draw(machine, count):
    """Draw pixels with different colours."""
    data = b"".join(((i * 0x01F3A7 + 0x10) & 0xFFFFFF | 0xAA000000).to_bytes(4, "little")
                    for i in range(count))
    machine.qtest.ask(f"write {VRAM:#x} {len(data):#x} 0x{data.hex()}")


def loaded(machine):
    """Return which libraries the process contains."""
    maps = Path(f"/proc/{machine.pid}/maps").read_text(encoding="utf-8")
    return [name for name in LIBRARIES if name in maps]


def pictures(program, folder):
    """Draw and return the pictures of some modes. QEMU pads the rows of a PPM file to four bytes, so
    that only a multiple of four is comparable."""
    found = []
    with start(program, *DISPLAY) as machine:
        for number, mode in enumerate(((64, 64), (68, 70, 80), (100, 64, 128, 3, 5))):
            set_mode(machine, *mode)
            draw(machine, 128 * 80)
            path = f"{folder}/{number}.ppm"
            machine.qmp.command("screendump", filename=path)
            found.append(read_ppm(path))
        write(machine, REGS + 0x604, 0xBEBEBEBE, 4)
        machine.qmp.command("screendump", filename=f"{folder}/big.ppm", device="d")
        found.append(read_ppm(f"{folder}/big.ppm"))
    return found


def test_pictures(folder):
    """The pictures have the pixels that were drawn, also in QEMU."""
    ours = pictures(EMULATOR, folder)
    width, height, pixels = ours[2]
    check((width, height) == (100, 64), (width, height))
    for x, y in ((0, 0), (99, 0), (7, 63)):
        value = ((x + 3 + (y + 5) * 128) * 0x01F3A7 + 0x10) & 0xFFFFFF
        at = (y * width + x) * 3
        check(pixels[at:at + 3] == value.to_bytes(3, "big"), (x, y, pixels[at:at + 3].hex()))
    reason = unsuitable(QEMU)
    if reason:
        print(f"# not compared with QEMU: {reason}")
        return
    for number, (mine, theirs) in enumerate(zip(ours, pictures(QEMU, folder))):
        check(mine == theirs, f"picture {number} differs from QEMU: {mine[:2]}, {theirs[:2]}")


def test_formats(folder):
    """PNG and PPM contain the same pixels. The libraries are loaded by the first screendump."""
    with start(EMULATOR, *DISPLAY) as machine:
        machine.qmp.command("query-status")
        check(not loaded(machine), loaded(machine))
        set_mode(machine, 65, 64)
        draw(machine, 65 * 64)
        machine.qmp.command("screendump", filename=f"{folder}/a.ppm", format="ppm")
        try:
            machine.qmp.command("screendump", filename=f"{folder}/a.png", format="png")
        except QmpError as error:
            check("configured without libpng" in str(error), error)
            return
        check(read_png(f"{folder}/a.png") == read_ppm(f"{folder}/a.ppm"), "PNG differs from PPM")
        check(loaded(machine) == ["libpixman", "libpng"], loaded(machine))
        line = f"screendump {folder}/b.png -f png d 0"
        out = machine.qmp.command("human-monitor-command", **{"command-line": line})
        check(out == "" and read_png(f"{folder}/b.png") == read_ppm(f"{folder}/a.ppm"), out)


def refused(machine, reason, **arguments):
    """Check that screendump fails with a reason."""
    try:
        machine.qmp.command("screendump", **arguments)
    except QmpError as error:
        check(reason in str(error), f"{arguments}: {error}")
    else:
        raise TestFailure(f"screendump {arguments} succeeded")


def test_messages(folder):
    """Each wrong argument is named. A file is not changed by a failure."""
    file = f"{folder}/c.ppm"
    with start(EMULATOR, *DISPLAY) as machine:
        machine.qmp.command("screendump", filename=file)
        check(read_ppm(file) == (640, 480, bytes(640 * 480 * 3)), "not black")
        for reason, arguments in (
                ("device 'e' does not exist; displays: d (head 0)", {"device": "e"}),
                ("no display with head 1", {"device": "d", "head": 1}),
                ("must be specified together", {"head": 0}),
                ("head is a number", {"device": "d", "head": -1}),
                ("'gif'", {"format": "gif"})):
            refused(machine, reason, filename=file, **arguments)
        refused(machine, "/nosuch/x", filename="/nosuch/x")
        check(read_ppm(file)[0] == 640, "changed")
        for line, reason in (("screendump", "argument is missing"),
                             ("screendump /tmp/x -f gif", "use ppm or png"),
                             ("screendump /tmp/x d x", "head 'x'"),
                             ("screendump /nosuch/x", "/nosuch/x")):
            out = machine.qmp.command("human-monitor-command", **{"command-line": line})
            check(reason in out, out)
    with start(EMULATOR, "-M", "virt") as machine:
        refused(machine, "the machine has no display; use -device bochs-display", filename=file)
        check(not loaded(machine), loaded(machine))


def test_unplug(folder):
    """An adapter is plugged into a port, shown, and removed."""
    with start(EMULATOR, "-M", "virt", "-device", "pcie-root-port,id=rp") as machine:
        machine.qmp.command("device_add", driver="bochs-display", id="d", bus="rp")
        machine.qmp.command("screendump", filename=f"{folder}/d.ppm", device="d")
        machine.qmp.command("unplug-force", id="d")
        machine.qmp.wait_event("DEVICE_DELETED", 30)
        refused(machine, "no display", filename=f"{folder}/d.ppm")


if __name__ == "__main__":
    sys.exit(run(globals(), "display", sys.argv[1:]))
