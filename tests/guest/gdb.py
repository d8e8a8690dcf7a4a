# SPDX-License-Identifier: GPL-2.0-or-later
"""gdb-multiarch controls a bare-metal program and Linux through the emulator's gdb server."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import material
from emulator import Emulator, TestFailure
from guest import Skip, arguments, shell_ready
from subject import Subject, check, test
from waiting import listening, scaled, until

SOURCES = Path(__file__).parent / "bare"
COMPILER = "riscv64-linux-gnu-gcc"
SYMBOLS = ("start_kernel", "do_sys_openat2", "jiffies_64", "dma_alloc_attrs")


def need(program: str, package: str) -> str:
    """Return the path of a program, or skip."""
    path = shutil.which(program)
    if not path:
        raise Skip(f"{program} not found: install the Debian package {package}")
    return path


def compile_program(folder: str, *args: str) -> str:
    """Compile and link without libraries. Return the path of the program."""
    program = f"{folder}/program"
    need(COMPILER, "gcc-riscv64-linux-gnu")
    subprocess.run([COMPILER, "-ffreestanding", "-fno-pic", "-no-pie", "-nostdlib", "-static",
                    "-mcmodel=medany", "-mabi=lp64", "-march=rv64imac_zicsr",
                    "-Wl,--build-id=none", "-Wl,--no-relax", "-Wl,--no-warn-rwx-segments", "-o", program, *args],
                   check=True, stdin=subprocess.DEVNULL)
    return program


def gdb(program: str, socket: str, machine: Emulator, *commands: str) -> str:
    """Run gdb with these commands and return its output."""
    until("the gdb server", lambda: listening(socket))
    words = [need("gdb-multiarch", "gdb-multiarch"), "-nx", "-batch", "-ex", "set confirm off",
             "-ex", "set pagination off", "-ex", "set width 0", "-ex", "set remotetimeout 60"]
    for command in (f"target remote {socket}", *commands):
        words += ["-ex", command]
    try:
        done = subprocess.run([*words, program], stdin=subprocess.DEVNULL, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=scaled(120))
    except subprocess.TimeoutExpired as late:
        raise TestFailure(f"gdb did not end:\n{late.output}\n{machine.describe()}") from None
    return done.stdout


def expect_in_order(text: str, *patterns: str) -> None:
    """Fail unless the patterns occur in this order."""
    at = 0
    for pattern in patterns:
        match = re.compile(pattern, re.MULTILINE).search(text, at)
        check(match, f"no '{pattern}' at this place", text)
        at = match.end()


@test
def gdb_bare_metal(subject: Subject) -> None:
    """gdb breaks in a function by name, steps, watches variables, reads CSRs, and opens a core."""
    need("gdb-multiarch", "gdb-multiarch")
    with tempfile.TemporaryDirectory() as folder:
        program = compile_program(folder, "-g", "-O1", "-Wl,--nmagic,-Ttext=0x80000000",
                                  f"{SOURCES}/debug.c")
        with Emulator(subject.program, [
                "-M", "virt", "-m", "32", "-smp", "2", "-bios", "none", "-kernel", program, "-S",
                "-gdb", f"unix:{folder}/gdb,server=on,wait=off"], console=False) as machine:
            text = gdb(program, f"{folder}/gdb", machine,
                       "info threads", "set scheduler-locking on", "break tick", "continue",
                       "print n", "backtrace", "finish", "delete", "set var counter = 5",
                       "watch counter", "continue", "continue", "rwatch table[2]", "delete",
                       "print/x $mhartid", "print $priv", "set $mscratch = 0x1234",
                       "print/x $mscratch", "info registers pc mtvec", "stepi", "x/2i $pc",
                       "monitor info status", "detach")
            expect_in_order(text, r'^\* 1 +Thread 1 "CPU#0"', r'^  2 +Thread 2 "CPU#1"',
                            r"hit Breakpoint 1, tick", r"^\$1 = 0$", r"^#0 +tick", r"^#1 .* loop",
                            r"^loop \(\) at ", r"Hardware watchpoint 2: counter", "^Old value = 5",
                            r"^New value = 6", r"^Old value = 6", r"^New value = 8",
                            r"^Hardware read watchpoint 3: table", r"= 0x0$", r"= 3$", r"= 0x1234$",
                            r"^pc  ", r"^mtvec", r"^=> 0x8", r"^VM status: paused \(debug\)",
                            r"detached")
            machine.qmp.command("dump-guest-memory", paging=True, protocol=f"file:{folder}/core")
            check(machine.qmp.command("query-dump")["status"] == "completed", "the dump failed", "")
            done = subprocess.run(["gdb-multiarch", "-nx", "-batch", "-ex", "info threads", "-ex",
                                   "print counter > 5", "-ex", "x/i $pc", program, f"{folder}/core"],
                                  stdin=subprocess.DEVNULL, text=True, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=scaled(60))
            expect_in_order(done.stdout, r"LWP 1\b", r"LWP 2\b", r"^\$1 = 1$", r"^=> 0x8")


@test
def gdb_dma(subject: Subject) -> None:
    """A watchpoint stops after DMA of a device: with the CPU whose store started it, or the first. The CPUs
    may execute some instructions between the DMA and the stop."""
    need("gdb-multiarch", "gdb-multiarch")
    with tempfile.TemporaryDirectory() as folder:
        program = compile_program(folder, "-g", "-O1", "-Wl,--nmagic,-Ttext=0x80000000",
                                  f"{SOURCES}/dma.c")
        with Emulator(subject.program, [
                "-M", "virt", "-m", "32", "-smp", "2", "-bios", "none", "-kernel", program, "-S",
                "-device", "edu,addr=03.0,dma_mask=0xffffffff",
                "-gdb", f"unix:{folder}/gdb,server=on,wait=off"], console=False) as machine:
            text = gdb(program, f"{folder}/gdb", machine,
                       "watch received", "continue", "print $_thread",
                       "continue", "print $_thread", "delete", "awatch copied", "continue",
                       "print $_thread", "print copied > 0 && copied <= count", "continue",
                       "print copied > 1 && copied <= count", "delete", "detach")
            expect_in_order(text, r'^Thread 2 "CPU#1" hit Hardware watchpoint 1: received',
                            r"^Old value = 0$", r"^New value = 1431127377$", r"^\$1 = 2$",
                            r"^New value = 3$", r"^\$2 = 2$",
                            r"Hardware access \(read/write\) watchpoint 2: copied",
                            r"^\$3 = 1$", r"^\$4 = 1$",
                            r"Hardware access \(read/write\) watchpoint 2: copied",
                            r"^\$5 = 1$", r"detached")


def kernel_symbols(folder: str) -> str:
    """Return a symbol file with the addresses of some symbols in System.map."""
    image = material.hotplug_kernel()
    lines = re.findall(r"^([0-9a-f]{16}) \w (\w+)$", (image.parent / "System.map").read_text(),
                       re.MULTILINE)
    table = {name: address for address, name in lines}
    source = Path(folder) / "symbols.s"
    source.write_text("".join(f'.section k_{name},"ax"\n.globl {name}\n'
                              f".type {name},@function\n{name}: .zero 8\n.size {name}, 8\n"
                              for name in SYMBOLS))
    return compile_program(folder, "-Wl,-e,0", *(f"-Wl,--section-start=k_{name}=0x{table[name]}"
                                                 for name in SYMBOLS), str(source))


@test
def gdb_linux(subject: Subject) -> None:
    """gdb breaks in a function of Linux by name, steps, watches a variable, and lists the CPUs. It
    watches a buffer that a driver allocates, and stops when the device has written to it."""
    need("gdb-multiarch", "gdb-multiarch")
    args = [*arguments("hotplug", append="nokaslr", memory=256),
            "-device", "edu,addr=03.0,dma_mask=0xffffffff"]
    with tempfile.TemporaryDirectory() as folder:
        symbols = kernel_symbols(folder)
        with Emulator(subject.program, [*args, "-smp", "2", "-S", "-gdb",
                                        f"unix:{folder}/gdb,server=on,wait=off"],
                      echo=subject.echo) as machine:
            text = gdb(symbols, f"{folder}/gdb", machine,
                       "hbreak *start_kernel", "continue", "print/x $satp", "print $priv", "stepi",
                       "stepi", "info threads", "delete", "watch *(long *)&jiffies_64", "continue",
                       "delete", "break *do_sys_openat2", "continue", "info symbol $pc", "print $priv",
                       "monitor info mem", "delete", "detach")
            expect_in_order(text, r"hit Breakpoint 1, .* start_kernel", r"= 0x[89]0", r"= 1",
                            r'Thread 1 "CPU#0"', r'Thread 2 "CPU#1"',
                            r"Hardware watchpoint 2", r"^Old value = ", r"^New value = ",
                            r"hit Breakpoint 3, .* do_sys_openat2", r"do_sys_openat2 in section", r"= 1",
                            r"^vaddr", r"^ffff")
            shell_ready(machine)
            machine.shell("modprobe bpdrv")
            machine.shell("(while :; do echo dma 64; done >/sys/bus/pci/drivers/bpdrv/0000:00:03.0/command)"
                          " >/dev/null 2>&1 &")
            text = gdb(symbols, f"{folder}/gdb", machine,
                       "break *dma_alloc_attrs", "continue", "set $size = $a1", "print $size",
                       "tbreak *$ra", "delete 1", "continue", "watch -location *(long *)($a0 + $size / 2)",
                       "continue", "monitor info status", "info threads", "delete", "detach")
            expect_in_order(text, r"hit Breakpoint 1, .*dma_alloc_attrs", r"^\$1 = 128$",
                            r"hit Temporary breakpoint 2", r"hit Hardware watchpoint 3",
                            r"^Old value = 0$", r"^New value = -?[1-9]",
                            r"^VM status: paused \(debug\)", r'^\* 1 .*CPU#0', "detached")
            machine.shell("kill $!")
