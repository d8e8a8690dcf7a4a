# SPDX-License-Identifier: GPL-2.0-or-later
"""Performance counters and triggers."""

import shutil
import subprocess
import tempfile

from guest import Skip, arguments
from icount import run_bare
from smp import BARE, COMPILER, FLAGS
from subject import Subject, check, test


@test
def pmu_bare(subject: Subject) -> None:
    """Performance counters count and interrupt; while instructions are counted, at the same ones.
    """
    if not shutil.which(COMPILER):
        raise Skip(f"{COMPILER} not found: install gcc-riscv64-linux-gnu")
    with tempfile.TemporaryDirectory() as scratch:
        program = f"{scratch}/pmu.elf"
        subprocess.run([COMPILER, *FLAGS, "-o", program, str(BARE / "pmu.c")], check=True)
        cpu = ["-cpu", "rv64,sscofpmf=on"]
        for options in ([], ["-accel", "interp"]):
            run_bare(subject, program, *cpu, *options)
        runs = [run_bare(subject, program, *cpu, "-icount", "1") for _ in range(2)]
        check(runs[0] == runs[1], "two runs differ", str(runs))


@test
def pmu_linux(subject: Subject) -> None:
    """Linux finds the performance counters, and their interrupt with Sscofpmf."""
    for cpu, interrupt in (("rv64", False), ("rv64,sscofpmf=on,smstateen=on", True)):
        text = subject.boot(arguments(machine="virt", run="dmesg | grep riscv-pmu; "
                                      "cat /proc/interrupts; cat /proc/cpuinfo") + ["-cpu", cpu])
        check("16 firmware and 18 hardware counters" in text, "the counters are missing", text)
        check(("INTC  13 Edge      riscv-pmu" in text) == interrupt, "the interrupt", text)


@test
def trigger_bare(subject: Subject) -> None:
    """Triggers raise breakpoint exceptions at instructions, loads and stores, with both engines."""
    if not shutil.which(COMPILER):
        raise Skip(f"{COMPILER} not found: install gcc-riscv64-linux-gnu")
    with tempfile.TemporaryDirectory() as scratch:
        program = f"{scratch}/trigger.elf"
        subprocess.run([COMPILER, *FLAGS, "-o", program, str(BARE / "trigger.c")], check=True)
        for options in ([], ["-accel", "interp"], ["-icount", "1"]):
            run_bare(subject, program, "-cpu", "rv64,sdtrig=on", *options)
