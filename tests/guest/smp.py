# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests with several harts: memory ordering, Linux on each interrupt controller, migration."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from emulator import Emulator
from guest import MSI_MACHINE, Skip, arguments, shell_ready
from subject import Subject, check, test
from waiting import scaled

BARE = Path(__file__).resolve().parent / "bare"
COMPILER = "riscv64-linux-gnu-gcc"
FLAGS = ("-O2 -march=rv64gc -mabi=lp64 -mcmodel=medany -ffreestanding -fno-pic -static -nostdlib "
         "-Wl,-N,-Ttext=0x80000000,-e,_start,--build-id=none,--no-warn-rwx-segments").split()
# Every hart runs a loop. /proc/interrupts shows the inter-processor interrupts of each.
WORK = """nproc
for i in 1 2 3 4; do (n=0; while [ $n -lt 2000 ]; do n=$((n+1)); done; echo worked) & done; wait
cat /proc/interrupts"""


@test
def smp_bare(subject: Subject) -> None:
    """Two harts without an operating system: atomics, ordering, and modified code."""
    if not shutil.which(COMPILER):
        raise Skip(f"{COMPILER} not found: install gcc-riscv64-linux-gnu")
    with tempfile.TemporaryDirectory() as scratch:
        program = f"{scratch}/harts.elf"
        subprocess.run([COMPILER, *FLAGS, "-o", program, str(BARE / "harts.c")], check=True)
        with Emulator(subject.program, ["-M", "virt", "-smp", "2", "-bios", "none", "-kernel",
                                        program], qmp=False, echo=subject.echo) as machine:
            status = machine.wait(scaled(120))
            check(status == 0, f"check {status} of bare/harts.c failed", "")


def many_harts(subject: Subject, harts: int, machine: str, *macros: str) -> None:
    """Run bare/many.c: every hart starts and receives each type of interrupt."""
    if not shutil.which(COMPILER):
        raise Skip(f"{COMPILER} not found: install gcc-riscv64-linux-gnu")
    with tempfile.TemporaryDirectory() as scratch:
        program = f"{scratch}/many.elf"
        subprocess.run([COMPILER, *FLAGS, f"-DHARTS={harts}", *macros, "-o", program,
                        str(BARE / "many.c")], check=True)
        with Emulator(subject.program, ["-M", machine, "-smp", str(harts), "-bios", "none",
                                        "-kernel", program], qmp=False,
                      echo=subject.echo) as emulator:
            status = emulator.wait(scaled(300))
            check(status == 0, f"check {status} of bare/many.c failed", "")


@test
def smp_bare_plic(subject: Subject) -> None:
    """64 harts (long: 512) with a PLIC start and receive interrupts, without an operating system.
    """
    many_harts(subject, 512 if subject.long else 64, "virt")


@test
def smp_bare_imsic(subject: Subject) -> None:
    """64 harts (long: 512) with IMSICs start and receive interrupts, without an operating system.
    """
    many_harts(subject, 512 if subject.long else 64, "virt,aia=aplic-imsic", "-DIMSIC")


def boot_linux(subject: Subject, harts: int, machine: str) -> None:
    """Linux starts every hart, runs work on each, and uses the machine's inter-processor
    interrupts."""
    text = subject.boot(arguments(machine=machine, run=WORK) + ["-smp", str(harts)])
    check(f"\n{harts}\r" in text or f"\n{harts}\n" in text, f"not {harts} harts", text)
    check(text.count("worked") == 4, "a hart did not do its work", text)
    calls = re.search(r"IPI1:((?: +\d+)+) +Function call", text)
    check(calls and len(calls[1].split()) == harts and all(map(int, calls[1].split())),
          "a hart had no interrupt from another", text)


@test
def smp_plic(subject: Subject) -> None:
    """Four harts with a PLIC."""
    boot_linux(subject, 4, "virt")


@test
def smp_aplic(subject: Subject) -> None:
    """Four harts with an APLIC in direct delivery mode."""
    boot_linux(subject, 4, "virt,aia=aplic")


@test
def smp_imsic(subject: Subject) -> None:
    """Eight harts with an IMSIC each."""
    subject.need_aia()
    boot_linux(subject, 8, MSI_MACHINE)


@test
def smp_many(subject: Subject) -> None:
    """Sixteen harts with a PLIC (long: also 64 harts with each interrupt controller)."""
    boot_linux(subject, 16, "virt")
    for machine in ("virt", "virt,aia=aplic", MSI_MACHINE) if subject.long else ():
        boot_linux(subject, 64, machine)


@test
def smp_two(subject: Subject) -> None:
    """Two harts with a PLIC."""
    boot_linux(subject, 2, "virt")


COUNTERS = ("for i in 0 1 2 3; do (n=0; while true; do n=$((n+1)); echo $n >/tmp/count$i; done) & "
            "done")


def counters_advance(machine: Emulator, low: list[int]) -> None:
    """Wait until each counter is above its last value, and store the new one."""
    check(machine.shell("nproc").strip() == "4", "not four harts", "")
    for i in range(4):
        text = machine.shell_value(f"counter {i} beyond {low[i]}", f"cat /tmp/count{i}",
                                   lambda text, i=i: text.strip().isdigit() and int(text) > low[i])
        low[i] = int(text)


@test
def smp_migration(subject: Subject) -> None:
    """A guest with four busy harts migrates twice (long: 100 times), and all harts continue."""
    if subject.is_qemu:
        raise Skip("QEMU's -incoming needs the complete machine on its command line")
    with tempfile.TemporaryDirectory() as scratch:
        args = arguments(machine=MSI_MACHINE) + ["-smp", "4"]
        counts = [0] * 4
        source = Emulator(subject.program, args, echo=subject.echo)
        try:
            shell_ready(source)
            source.shell(COUNTERS)
            for turn in range(100 if subject.long else 2):
                uri = f"unix:{scratch}/stream{turn}"
                target = Emulator(subject.program, ["-incoming", uri], echo=subject.echo)
                source, old = target, source
                target.qmp.command("query-status")      # the target listens
                old.qmp.command("migrate", uri=uri)
                old.migrated()
                old.close()
                counters_advance(target, counts)
        finally:
            source.close()


# Four jobs that each compute the same checksums for a number of seconds.
SOAK = """head -c 2000000 /dev/urandom >/tmp/data; md5sum </tmp/data >/tmp/sum
end=$(($(cut -d. -f1 /proc/uptime) + %d))
for i in 1 2 3 4; do (n=0; while [ $(cut -d. -f1 /proc/uptime) -lt $end ]; do n=$((n+1))
md5sum </tmp/data | cmp - /tmp/sum || echo differs; gzip -c /tmp/data | gunzip -c | cmp - /tmp/data || echo differs
done; echo finished after $n) & done; wait; dmesg | grep -E "stall|lockup|BUG|WARNING|Oops" || true"""


@test
def smp_soak(subject: Subject) -> None:
    """Four harts compute, start processes and use pipes for ten seconds (long: one hour)."""
    seconds = 3600 if subject.long else 10
    with Emulator(subject.program, arguments(machine=subject.msi_machine) + ["-smp", "4"],
                  echo=subject.echo) as machine:
        shell_ready(machine)
        text = machine.shell(SOAK % seconds, seconds + 120)
        check(text.count("finished after") == 4, "a job did not finish", text)
        check(len(text.split("\n")) <= 5, "a result differs, or the kernel complains", text)
