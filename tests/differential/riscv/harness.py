# SPDX-License-Identifier: GPL-2.0-or-later
"""Shared parts of the two instruction tests: cross tools, and running programs."""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
from waiting import scaled  # noqa: E402

CROSS = "riscv64-linux-gnu-"
MARCH = "rv64gc_zba_zbb_zbc_zbkb_zbkx_zbs_zfh_zifencei"
CPU = "rv64,zbc=on,zbkb=on,zbkx=on,Zfh=on"
C_FLAGS = ["-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-pic", "-mcmodel=medany",
           "-msmall-data-limit=0", "-mabi=lp64d", "-march=" + MARCH]
TIMEOUT = 60        # seconds of an idle machine


def tool(*command, **options):
    """Run a build tool. Its output is shown only if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)
    if done.returncode:
        sys.exit(f"{' '.join(command)}:\n{done.stdout[-4000:]}")


def compile_part(folder, source, define=()):
    """Compile or assemble one of the files here. Returns the object's path."""
    path = os.path.join(folder, "-".join([source, *define]) + ".o")
    tool(CROSS + "gcc", *C_FLAGS, *["-D" + name for name in define], "-c",
         os.path.join(HERE, source), "-o", path)
    return path


def assemble(path, source):
    """Assemble a generated source. Returns the object's path."""
    with open(path + ".S", "w", encoding="ascii") as out:
        out.write(source)
    tool(CROSS + "gcc", "-march=" + MARCH, "-mabi=lp64d", "-I", HERE, "-c", path + ".S", "-o",
         path + ".o")
    return path + ".o"


def link(path, objects):
    """Link a program at the fixed addresses of program.ld."""
    tool(CROSS + "ld", "-T", os.path.join(HERE, "program.ld"), "--no-relax",
         "--no-warn-rwx-segments", "-o", path, *objects)
    return path


def lines_of(command):
    """Return the lines that a command prints, and a description of its failure, if any."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        try:
            out, _ = process.communicate(timeout=scaled(TIMEOUT))
            status = process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
            status = f"none after {TIMEOUT} s"
    lines = out.decode("ascii", "replace").replace("\r", "").split("\n")
    return [line for line in lines if line], f"exit status {status}" if status else ""


def start(command, machine, program):
    """Return the lines that a bare-metal program prints on an emulator, and a description of a
    failure."""
    return lines_of(command.split() + machine.split() + [program])


def first_difference(a, b):
    """Return the index of the first line that differs or is missing, or None."""
    for i in range(max(len(a), len(b))):
        if i >= len(a) or i >= len(b) or a[i] != b[i]:
            return i
    return None


def missing(commands):
    """Return a message about the first missing command of (command, package that provides it), or
    None."""
    for command, provider in commands + [(CROSS + "gcc", "Debian package gcc-riscv64-linux-gnu"),
                                         (CROSS + "ld", "Debian package binutils-riscv64-linux-gnu")]:
        if not shutil.which(command):
            return f"{command} not found ({provider})"
    return None


def add_options(parser):
    """Add the options of both tests."""
    default = os.path.join(ROOT, "build", "backplane-system-riscv64")
    parser.add_argument("--seed", default="1", metavar="S", help="any text (default %(default)s)")
    parser.add_argument("--emulator", default=os.environ.get("BACKPLANE_SYSTEM", default),
                        metavar="COMMAND", help="default: %(default)s, or $BACKPLANE_SYSTEM")
    parser.add_argument("--machine", default="-M virt -m 128 -display none -monitor none -serial stdio -bios none -kernel",
                        metavar="OPTIONS", help="command words before the program's name")
    parser.add_argument("--keep", metavar="DIR", help="leave all programs there")
