# SPDX-License-Identifier: GPL-2.0-or-later
"""Deterministic execution: -icount, -seed and -rtc."""

import hashlib
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from emulator import Emulator
from guest import Skip, arguments, finish
from smp import BARE, COMPILER, FLAGS
from subject import Subject, check, test
from waiting import scaled

FIXED = ["-rtc", "base=2026-01-01T00:00:00,clock=vm", "-seed", "7"]


def run_bare(subject: Subject, program: str, *options: str) -> list[int]:
    """Return the numbers that bare/clock.c prints."""
    with Emulator(subject.program, ["-M", "virt", "-m", "16", "-bios", "none", "-kernel", program,
                                    *options], qmp=False, echo=subject.echo) as machine:
        status = machine.wait(scaled(120))
        check(status == 0, f"status {status}", machine.console)
        return [int(line, 16) for line in machine.console.split()]


@test
def icount_bare(subject: Subject) -> None:
    """Timer interrupts occur at the same instructions in each run, with both engines."""
    if not shutil.which(COMPILER):
        raise Skip(f"{COMPILER} not found: install gcc-riscv64-linux-gnu")
    with tempfile.TemporaryDirectory() as scratch:
        program = f"{scratch}/clock.elf"
        subprocess.run([COMPILER, *FLAGS, "-o", program, str(BARE / "clock.c")], check=True)
        for shift in (0, 4):
            for sleep in ("on", "off"):
                runs = [run_bare(subject, program, "-icount", f"shift={shift},sleep={sleep}")
                        for _ in range(3)]
                check(runs[0] == runs[1] == runs[2], f"shift={shift},sleep={sleep} differs",
                      str(runs))
                instructions, ticks = runs[0][-2:]
                expected = (instructions << shift) // 100
                check(abs(ticks - expected) <= 2 + (128 << shift) // 100,
                      f"{ticks} ticks for {instructions} instructions, not {expected}", "")
        two = [run_bare(subject, program, "-icount", "1", "-smp", "2") for _ in range(2)]
        check(two[0] == two[1], "two harts differ", str(two))
        start = time.monotonic()    # wait-ok: a lower bound, not a deadline
        run_bare(subject, program, "-icount", "shift=auto")
        # wait-ok: a lower bound, not a deadline
        check(time.monotonic() - start > 0.04, "shift=auto does not wait in real time", "")


def trace(subject: Subject, icount: str, disk: Path, log: Path) -> tuple[str, str]:
    """Boot Linux, use the disk and the entropy device, and return hashes of the interrupts and
    exceptions with their addresses, and of the console."""
    args = arguments(machine="virt", run="head -c 64 /dev/hwrng | sha256sum; sha256sum /dev/vda; "
                     "date +%s; dd if=/dev/zero of=/dev/vda bs=4k count=16 oflag=sync 2>&1 | head -2")
    with Emulator(subject.program, [
            *args, "-icount", icount, *FIXED, "-d", "int", "-D", str(log), "-device",
            "virtio-rng-pci", "-drive", f"file={disk},format=raw,if=none,id=d", "-device",
            "virtio-blk-pci,drive=d"], qmp=False, echo=subject.echo) as machine:
        text = finish(machine)
    with open(log, "rb") as file:
        lines = hashlib.file_digest(file, "sha256").hexdigest()
    return lines, hashlib.sha256(text.encode()).hexdigest()


@test
def icount_linux(subject: Subject) -> None:
    """Boots of Linux with a disk and an entropy device have one trace for each setting of sleep."""
    boots = 10 if subject.long else 2
    with tempfile.TemporaryDirectory() as scratch:
        disk, log = Path(scratch) / "disk", Path(scratch) / "log"
        for sleep in ("on", "off"):
            hashes = set()
            for _ in range(boots):
                disk.write_bytes(b"first sector".ljust(1 << 20, b"\0"))
                hashes.add(trace(subject, f"shift=2,sleep={sleep}", disk, log))
            check(len(hashes) == 1, f"{len(hashes)} traces in {boots} boots, sleep={sleep}",
                  str(hashes))
            if subject.long:
                print(f"{boots} boots, sleep={sleep}: interrupts and console", *hashes.pop())
