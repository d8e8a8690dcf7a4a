# SPDX-License-Identifier: GPL-2.0-or-later
"""I/O measured inside a guest (tests/bench/guest/iobench.c), and its cost on the host.

Each figure is accompanied by the host CPU time per request outside the CPU engine. For this
emulator it is the CPU time of all threads except the vCPU thread, plus the time that the vCPU
thread spent inside device accesses (x-device-ns of query-cpus-fast: one access in 61 is timed).
QEMU does not report the second part, so its figure contains only the other threads. "Engine" is the
remaining part of this emulator's CPU time: the interpreter that runs guest code. A row in which it
is above two thirds is marked with `E`: it measures the CPU, not the device.
"""

import importlib.machinery
import importlib.util
import os
import socket
import socketserver
import statistics
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from measure import TOP, Options, figure, process_cpu, thread_cpu
from emulator import Emulator           # pylint: disable=wrong-import-order
from guest import MSI_MACHINE, Skip, arguments, shell_ready

SOURCE = TOP / "tests/bench/guest/iobench.c"
SECONDS = 2
ENGINE_BOUND = 2 / 3
ECAM = 0x30000000
DISK = ["-blockdev", "driver=null-co,node-name=d,size=1073741824",
        "-device", "virtio-blk-pci,drive=d,addr=05.0"]
NVME = ["-blockdev", "driver=null-co,node-name=nv,size=1073741824",
        "-device", "nvme,drive=nv,serial=1,addr=09.0"]
THREAD = ["-object", "iothread,id=io0", "-blockdev", "driver=null-co,node-name=t,size=1073741824",
          "-device", "virtio-blk-pci,drive=t,addr=0a.0,iothread=io0"]
FILE_MIB = 256
NET = ["-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n,addr=06.0,romfile="]
EDU = ["-device", "edu,addr=04.0"]
TICKER = ["-device", "ticker,addr=07.0,period-ns=10000"]
CONFIG = "/sys/bus/pci/devices/0000:00:04.0/config"
REPORT = "/sys/bus/pci/drivers/bpdrv/0000:00:07.0/report"


class Row(NamedTuple):
    """A figure: its title, its unit, requests per unit, and how it is measured."""

    name: str
    unit: str
    per_unit: float
    command: str
    request: float = 1      # bytes per request, if the program counts bytes


ROWS = [
    Row("virtio-blk null, 128 KiB reads, depth 1", "MB/s", 1e6 / 131072, "blk /dev/vda 131072 1"),
    Row("virtio-blk null, 128 KiB reads, depth 8", "MB/s", 1e6 / 131072, "blk /dev/vda 131072 8"),
    Row("virtio-blk null, 128 KiB in order, depth 1", "MB/s", 1e6 / 131072, "seq /dev/vda 131072 1"),
    Row("virtio-blk null, 128 KiB in order, depth 8", "MB/s", 1e6 / 131072, "seq /dev/vda 131072 8"),
    Row("virtio-blk file, 128 KiB in order, depth 1", "MB/s", 1e6 / 131072, "seq /dev/vdb 131072 1"),
    Row("virtio-blk file, 128 KiB in order, depth 8", "MB/s", 1e6 / 131072, "seq /dev/vdb 131072 8"),
    Row("virtio-blk null, 4 KiB random reads, depth 1", "k/s", 1e3, "blk /dev/vda 4096 1"),
    Row("virtio-blk null, 4 KiB random reads, depth 32", "k/s", 1e3, "blk /dev/vda 4096 32"),
    Row("virtio-blk null, I/O thread, 4 KiB random reads, depth 1", "k/s", 1e3, "blk /dev/vdc 4096 1"),
    Row("virtio-blk null, I/O thread, 4 KiB random reads, depth 32", "k/s", 1e3, "blk /dev/vdc 4096 32"),
    Row("NVMe null, 4 KiB random reads, depth 1", "k/s", 1e3, "blk /dev/nvme0n1 4096 1"),
    Row("NVMe null, 4 KiB random reads, depth 32", "k/s", 1e3, "blk /dev/nvme0n1 4096 32"),
    Row("NVMe null, 128 KiB in order, depth 8", "MB/s", 1e6 / 131072, "seq /dev/nvme0n1 131072 8"),
    Row("virtio-net user, 1-byte TCP round trips", "k/s", 1e3, "rr 10.0.2.2 {port}"),
    Row("virtio-net user, TCP in (a request: 64 KiB)", "MB/s", 1e6, "in 10.0.2.2 {port}", 65536),
    Row("virtio-net user, TCP out (a request: 64 KiB)", "MB/s", 1e6, "out 10.0.2.2 {port}", 65536),
    Row("config reads through sysfs, 4 bytes", "k/s", 1e3, f"config {CONFIG}"),
    Row("ECAM loads", "M/s", 1e6, f"load /dev/mem {ECAM + (4 << 15):#x}"),
    Row("MMIO loads, edu", "M/s", 1e6, f"load {CONFIG.replace('config', 'resource0')} 0"),
]
IRQS = Row("MSI-X interrupts, ticker every 10 us", "k/s", 1e3, f"irqs {REPORT}")


class Sample(NamedTuple):
    """One row, once: requests per second, host microseconds outside the engine, engine's share, and
    the share of the CPU's thread in device code."""

    rate: float
    device_us: float
    engine: float
    in_device: float


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """The host's end: echoes, sends or receives, depending on the port."""

    daemon_threads = True
    serve = None

    def finish_request(self, request: socket.socket, client_address: object) -> None:
        """Serve one connection until the guest closes it."""
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            type(self).serve(request)
        except OSError:
            pass        # the guest closes the connection when its time has passed


def echo(sock: socket.socket) -> None:
    """Echo everything received."""
    while data := sock.recv(65536):
        sock.sendall(data)


def source(sock: socket.socket) -> None:
    """Send until the connection is closed."""
    while sock.send(bytes(1 << 18)):
        pass


def sink(sock: socket.socket) -> None:
    """Receive until the connection is closed."""
    while sock.recv(1 << 18):
        pass


@contextmanager
def servers() -> Iterator[dict[str, int]]:
    """Word of a command -> port on the host's loopback."""
    running = {}
    for word, serve in (("rr", echo), ("in", source), ("out", sink)):
        kind = type("Serve", (Server,), {"serve": staticmethod(serve)})
        running[word] = kind(("127.0.0.1", 0), None)
        threading.Thread(target=running[word].serve_forever, daemon=True).start()
    try:
        yield {word: server.server_address[1] for word, server in running.items()}
    finally:
        for server in running.values():
            server.shutdown()
            server.server_close()


def initrd(base: Path, scratch: Path, source: Path = SOURCE) -> Path:
    """The guest's initramfs with a measuring program: a second archive after the first."""
    loader = importlib.machinery.SourceFileLoader("initramfs", str(TOP / "scripts/make-initramfs"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("initramfs", loader))
    loader.exec_module(module)
    program = scratch / source.stem
    subprocess.run(["riscv64-linux-gnu-gcc", "-O2", "-static", "-o", program, source], check=True)
    archive = module.Cpio()
    archive.file(f"usr/bin/{source.stem}", program.read_bytes(), 0o755)
    both = scratch / "initramfs"
    both.write_bytes(base.read_bytes() + archive.finish())
    return both


def boot_arguments(scratch: Path, machine: str, kernel: str) -> list[str]:
    """A guest with the measuring program; /dev/mem may map memory that a driver owns."""
    args = arguments(kernel, machine=machine, append="iomem=relaxed")
    at = args.index("-initrd") + 1
    args[at] = str(initrd(Path(args[at]), scratch))
    return args


def file_disk(scratch: Path) -> list[str]:
    """A disk in a fully written file. After the first pass it is in the host's page cache, for each
    of the emulators."""
    path = scratch / "disk.img"
    with open(path, "wb") as image:
        for _ in range(FILE_MIB):
            image.write(os.urandom(1 << 20))
    return ["-blockdev", f"driver=file,node-name=f,filename={path}",
            "-device", "virtio-blk-pci,drive=f,addr=08.0"]


class Clocks(NamedTuple):
    """CPU seconds so far."""

    total: float
    cpu_thread: float
    device: float       # of the CPU's thread inside device accesses; 0: not reported

    @classmethod
    def now(cls, machine: Emulator) -> "Clocks":
        """Read them."""
        cpu = machine.qmp.command("query-cpus-fast")[0]
        pid = machine.proc.pid
        return cls(process_cpu(pid), thread_cpu(pid, cpu["thread-id"]),
                   cpu.get("x-device-ns", 0) / 1e9)


def take(machine: Emulator, row: Row, ports: dict[str, int]) -> Sample:
    """Measure one row in a booted guest."""
    port = ports.get(row.command.split()[0], 0)
    before = Clocks.now(machine)
    text = machine.shell(f"iobench {row.command.format(port=port)} {SECONDS}", 60)
    after = Clocks.now(machine)
    count, seconds = (float(word) for word in text.split("RESULT")[1].split()[:2])
    total, thread, device = (b - a for a, b in zip(before, after))
    outside = total - thread + device
    return Sample(count / seconds, outside / (count / row.request) * 1e6, 1 - outside / total,
                  device / thread)


@contextmanager
def booted(program: str, machine: str, kernel: str, devices: list[str]) -> Iterator[Emulator]:
    """A guest that is ready for `take`."""
    with tempfile.TemporaryDirectory() as name:
        args = boot_arguments(Path(name), machine, kernel) + devices
        if devices is not TICKER:
            args += file_disk(Path(name))
        with Emulator(program, args) as guest:
            shell_ready(guest)
            if kernel == "hotplug":
                guest.shell("modprobe bpdrv")
            else:
                guest.shell("udhcpc -q -i eth0 >/dev/null; echo 1 > "
                            f"{CONFIG.replace('config', 'enable')}")
            yield guest


def samples_of(variants: list[tuple[str, str]], runs: int) -> list[list[dict[str, Sample]]]:
    """Samples of every row in every variant (program and machine). All guests are booted first and
    take turns within each row, so that other load on the host affects them alike."""
    taken: list[list[dict[str, Sample]]] = [[{} for _ in range(runs)] for _ in variants]
    with servers() as ports, ExitStack() as stack:
        guests = [stack.enter_context(booted(program, machine, "debian", EDU + DISK + NVME + NET + THREAD))
                  for program, machine in variants]
        for row in ROWS:
            for run in range(runs):
                for guest, samples in zip(guests, taken):
                    samples[run][row.name] = take(guest, row, ports)
    return taken


def interrupts(options: Options) -> Sample:
    """The row of the guest with our ticker's driver."""
    with booted(options.ours, MSI_MACHINE, "hotplug", TICKER) as guest:
        return medians([{IRQS.name: take(guest, IRQS, {})}
                        for _ in range(options.runs)])[IRQS.name]


def medians(samples: list[dict[str, Sample]]) -> dict[str, Sample]:
    """Medians, row by row and field by field."""
    return {name: Sample(*(statistics.median(column)
                           for column in zip(*(sample[name] for sample in samples))))
            for name in samples[0]}


def share(sample: Sample) -> str:
    """The engine's share of the CPU time, marked where it decides the row."""
    return f"{sample.engine:.0%}{' E' if sample.engine > ENGINE_BOUND else ''}"


def guest_io(options: Options) -> Iterator[str]:
    """I/O of a guest: rates, and host CPU time per request outside the CPU engine."""
    variants = [(options.ours, MSI_MACHINE), (options.ours, "virt"), (options.theirs, "virt")]
    msix, intx, theirs = (medians(samples) for samples in samples_of(variants, options.runs))
    yield (f"| in the guest | unit | ours, MSI-X | ours, INTx | {options.other}, INTx | ratio, MSI-X "
           "| ratio, INTx | host us a request, MSI-X | INTx | "
           f"{options.other}, other threads | engine |")
    yield "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for row in ROWS:
        name = row.name
        yield (f"| {name} | {row.unit} | "
               + " | ".join(figure(s[name].rate / row.per_unit) for s in (msix, intx, theirs))
               + "".join(f" | {s[name].rate / theirs[name].rate:.2f}" for s in (msix, intx)) + " | "
               + " | ".join(figure(s[name].device_us) for s in (msix, intx, theirs))
               + f" | {share(msix[name])} |")
    for row in ROWS:
        if row.command.startswith("blk /dev/vd"):
            yield (f"| vCPU thread in device code: {row.name} | % | {100 * msix[row.name].in_device:.1f} | "
                   f"{100 * intx[row.name].in_device:.1f} | - | - | - | - | - | - | - |")
    try:
        irqs = interrupts(options)
        yield (f"| {IRQS.name} | {IRQS.unit} | {figure(irqs.rate / IRQS.per_unit)} | - | - | - | - | "
               f"{figure(irqs.device_us)} | - | - | {share(irqs)} |")
    except Skip as skip:
        yield f"| {IRQS.name} | | {skip} | | | | | | | | |"
