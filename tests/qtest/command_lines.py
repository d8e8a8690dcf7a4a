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
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "options"))

import walk                                     # noqa: E402

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


def make_files(folder: Path, sbi: Path | None) -> dict[str, str]:
    """Create the replacement files. Return their paths by name."""
    contents = {
        "image": image(words("Linux version\r\n")),
        "initrd": b"070701" + b"0" * 104,
        "qcow2": b"QFI\xfb\0\0\0\3".ljust(512, b"\0"),
        "elf": elf(words("HELLO\r\n"), 0x80000000),
        "bin": words("HELLO\r\n"),
        "uboot": elf(words("U-Boot\r\n"), 0x80200000),
        "mboot": words("U-Boot\r\n"),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: str(folder / name) for name in contents} | {"sbi": str(sbi)}


def shows(args: list[str], text: str) -> str | None:
    """Start and wait for the text on standard output. Return the problem, or None."""
    with walk.spawn(args, stdin=subprocess.DEVNULL, text=False) as proc:
        timer = threading.Timer(walk.scaled(5), proc.kill)
        timer.start()
        seen = b""
        while text.encode() not in seen:
            part = os.read(proc.stdout.fileno(), 4096)
            if not part:
                break
            seen += part
        proc.kill()
        timer.cancel()
        if text.encode() in seen:
            return None
        return f"no {text!r}: {seen[-200:]!r} {proc.stderr.read().decode()}"


def starts(args: list[str], folder: Path) -> str | None:
    """Start and wait for the QMP greeting. Return the problem, or None."""
    path = folder / "qmp"
    with walk.spawn([*args, "-qmp", f"unix:{path},server=on,wait=off"]) as proc:
        try:
            walk.until(lambda: path.exists() or proc.poll() is not None, "the QMP socket")
            if proc.poll() is not None:
                return f"ended: {proc.stderr.read()}"
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(walk.scaled(30))
                peer.connect(str(path))
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
    (scratch / "disk").write_bytes(bytes(1 << 20))      # one per line: a running machine locks it
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
