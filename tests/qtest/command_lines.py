#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Command lines in common use for QEMU: each starts, or is rejected with the missing feature.

The lines are in lines/lines.txt. Kernels, firmware and disks are replaced by programs of a few
instructions, so that a line takes some milliseconds. All other code of a start is executed. Lines
that require OpenSBI are skipped on a host that does not have it.
"""

import concurrent.futures
import os
import shlex
import socket
import struct
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "options"))
sys.path.insert(0, str(HERE.parent / "lib"))

import walk                                     # noqa: E402
from images import empty_qcow2                  # noqa: E402
from waiting import Watchdog                    # noqa: E402

SBI = Path("/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin")
SBI_PLACES = (SBI, Path("/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin"))


def words(text: str) -> bytes:
    """Return a program that writes a text to the serial port and then waits without limit."""
    return b"".join(word.to_bytes(4, "little") for word in [*walk.say(text), *walk.FOREVER])


def image(code: bytes) -> bytes:
    """Return a Linux Image: the header and the code."""
    jump = 0x0400006f                           # j +64
    return struct.pack("<IIQQQIIQ8sII", jump, 0, 0x200000, 64 + len(code), 0, 2, 0, 0,
                       b"RISCV\0\0\0", 0x05435352, 0) + code


def elf(code: bytes, address: int) -> bytes:
    """Return an ELF program with one segment."""
    header = b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8)
    header += struct.pack("<HHIQQQIHHHHHH", 2, 243, 1, address, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    header += struct.pack("<IIQQQQQQ", 1, 5, 0x1000, address, address, len(code), len(code), 0x1000)
    return header.ljust(0x1000, b"\0") + code


# --- a program with the addresses of xv6: the disk in slot 0, its input 1 of the PLIC ---

SLOT, PLIC, AREA = 0x10001000, 0xc000000, 0x80010000
MAGIC = 0x10203040                              # xv6: the first word of sector 1
DESC_NEXT, DESC_WRITE = 1, 2


def constant(rd: int, value: int) -> list[int]:
    """rd = an unsigned 32-bit number"""
    return [walk.lui(rd, (value + 0x800 >> 12) & 0xfffff), walk.addi(rd, rd, value & 0xfff),
            walk.slli(rd, rd, 32), rd << 15 | 32 << 20 | 5 << 12 | rd << 7 | 0x13]   # srli


def put(address: int, value: int, width: int = 2) -> list[int]:
    """Store a number of 2^width bytes."""
    return [*constant(5, address), *constant(6, value), walk.store(width, 6, 5)]


def expect(address: int, value: int, width: int = 6) -> list[int]:
    """Load a number (width 4 to 6: 1 to 4 bytes, unsigned); load again until it is the value."""
    read = [*constant(5, address), *constant(7, value), walk.load(width, 6, 5)]
    back = -4 & 0x1fff                          # bne to the load
    branch = (back >> 12 & 1) << 31 | (back >> 5 & 0x3f) << 25 | 7 << 20 | 6 << 15 | 1 << 12 | \
        (back >> 1 & 0xf) << 8 | (back >> 11 & 1) << 7 | 0x63
    return [*read, branch]


def descriptor(n: int, address: int, size: int, flags: int) -> list[int]:
    """Fill a descriptor that is followed by the next one if the flags indicate one."""
    at = AREA + 16 * n
    return [*put(at, address, 3), *put(at + 8, size), *put(at + 12, flags | n + 1 << 16)]


def xv6() -> bytes:
    """Return a program: hart 0 reads sector 1 through a queue of version 2, waits for the interrupt
    in the PLIC and for the data, and then writes a text. Any other result ends in a loop."""
    avail, used, header, data, status = (AREA + 0x1000 * n for n in range(1, 6))
    words = [0xf14022f3,                        # csrr t0, mhartid
             0x00028663,                        # beqz t0, +12
             *walk.FOREVER,
             *expect(SLOT, 0x74726976), *expect(SLOT + 4, 2), *expect(SLOT + 8, 2),
             *put(PLIC + 4, 1), *put(PLIC + 0x2000, 1 << 1), *put(PLIC + 0x200000, 0),
             *put(SLOT + 0x70, 0), *put(SLOT + 0x70, 3), *put(SLOT + 0x24, 1), *put(SLOT + 0x20, 1),
             *put(SLOT + 0x70, 11), *expect(SLOT + 0x70, 11),
             *put(SLOT + 0x30, 0), *expect(SLOT + 0x44, 0), *put(SLOT + 0x38, 8),
             *put(SLOT + 0x80, AREA), *put(SLOT + 0x90, avail), *put(SLOT + 0xa0, used),
             *put(SLOT + 0x44, 1), *put(SLOT + 0x70, 15),
             *put(header + 8, 1, 3),            # read sector 1
             *descriptor(0, header, 16, DESC_NEXT),
             *descriptor(1, data, 512, DESC_NEXT | DESC_WRITE),
             *descriptor(2, status, 1, DESC_WRITE),
             *put(status, 0xff, 0), *put(avail + 2, 1, 1), 0x0ff0000f,      # fence
             *put(SLOT + 0x50, 0),
             *expect(PLIC + 0x200004, 1), *expect(SLOT + 0x60, 1), *put(SLOT + 0x64, 1),
             *put(PLIC + 0x200004, 1),
             *expect(used + 2, 1, 5), *expect(status, 0, 4), *expect(data, MAGIC),
             *walk.say("xv6 kernel is booting\r\n"), *walk.FOREVER]
    return b"".join(word.to_bytes(4, "little") for word in words)


def make_files(folder: Path, sbi: Path | None) -> dict[str, str]:
    """Create the replacement files. Return their paths by name."""
    contents = {
        "image": image(words("Linux version\r\n")),
        "initrd": b"070701" + b"0" * 104,
        "qcow2": empty_qcow2(1 << 30),
        "elf": elf(words("HELLO\r\n"), 0x80000000),
        "bin": words("HELLO\r\n"),
        "uboot": elf(words("U-Boot\r\n"), 0x80200000),
        "mboot": words("U-Boot\r\n"),
        "flash": words("FLASH\r\n").ljust(32 << 20, b"\0"),
        "xv6": elf(xv6(), 0x80000000),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: str(folder / name) for name in contents} | {"sbi": str(sbi)}


def shows(args: list[str], text: str) -> str | None:
    """Start and wait for the text on standard output. Return the problem, or None."""
    with walk.spawn(args, stdin=subprocess.DEVNULL, text=False) as proc:
        dog = Watchdog(proc)
        seen = b""
        while text.encode() not in seen:
            part = os.read(proc.stdout.fileno(), 4096)
            if not part:
                break
            seen += part
        proc.kill()
        dog.cancel()
        if text.encode() in seen:
            return None
        return f"no {text!r}: {seen[-200:]!r} {proc.stderr.read().decode()}"


def starts(args: list[str], folder: Path) -> str | None:
    """Start and wait for the QMP greeting. Return the problem, or None."""
    path = folder / "qmp"
    with walk.spawn([*args, "-qmp", f"unix:{path},server=on,wait=off"]) as proc:
        try:
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(walk.scaled(30))
                # The file exists before the emulator listens on it.
                walk.until(lambda: peer.connect_ex(str(path)) == 0 or proc.poll() is not None,
                           "the QMP socket")
                if proc.poll() is not None:
                    return f"ended: {proc.stderr.read()}"
                return None if b"QMP" in peer.recv(4096) else "no QMP greeting"
        finally:
            proc.kill()


def refused(args: list[str], text: str) -> str | None:
    """Start the emulator, which must end with status 1 and one line that contains the text. Return
    the problem, or None."""
    status, _, err = walk.run(*args)
    if status != 1 or text not in err or err.count("\n") != 1:
        return f"status {status}: {err}"
    return None


def try_line(number: int, line: str, folder: Path, files: dict[str, str]) -> tuple[str, str | None]:
    """Run one line. Return the first word of its expectation, and the problem or None."""
    expectation, arguments = (part.strip() for part in line.split("|", 1))
    kind, _, text = expectation.partition(" ")
    scratch = folder / str(number)
    scratch.mkdir()
    # one per line: a running machine locks it
    (scratch / "disk").write_bytes((bytes(512) + MAGIC.to_bytes(4, "little")).ljust(1 << 20, b"\0"))
    args = shlex.split(arguments.format(**files, dir=scratch, disk=scratch / "disk"))
    try:
        if kind == "shows":
            wrong = shows(args, text)
        elif kind == "starts":
            wrong = starts(args, scratch)
        else:
            wrong = refused(args, text)
    except Exception as error:          # noqa: BLE001: any failure is the result of the line
        wrong = f"{type(error).__name__}: {error}"
    return kind, f"line {number}: {line}: {wrong}" if wrong else None


def needs_firmware(line: str) -> bool:
    """Return whether a line loads OpenSBI: by name, or because it selects no other firmware."""
    return line.startswith(("shows", "starts")) and \
        not any(given in line for given in ("-bios none", "-bios {bin}", "-bios {mboot}"))


def main() -> int:
    sbi = next((place for place in SBI_PLACES if place.exists()), None)
    lines = list(enumerate((HERE / "lines/lines.txt").read_text().splitlines(), 1))
    lines = [(number, line) for number, line in lines if line and line[0] != "#"]
    skipped = [line for _, line in lines if not sbi and needs_firmware(line)]
    with walk.Folder() as folder:
        files = make_files(folder, sbi)
        with concurrent.futures.ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as pool:
            results = list(pool.map(lambda job: try_line(*job, folder, files),
                                    [job for job in lines if job[1] not in skipped]))
    count = {kind: sum(k == kind for k, _ in results) for kind in ("shows", "starts", "refused")}
    print(f"# {len(lines)} lines: {count['shows'] + count['starts']} start, "
          f"{count['refused']} are refused, {len(skipped)} skipped")
    problems = [wrong for _, wrong in results if wrong]
    for problem in problems:
        print(f"# {problem}")
    print("1..1\n" + ("not ok" if problems else "ok") + " 1 - command lines")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
