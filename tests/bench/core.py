# SPDX-License-Identifier: GPL-2.0-or-later
"""Measurements of the PCI core and its interfaces without a guest: sections of `run`."""

import os
import socket
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measure import BUILD, Cost, Machine, Options, comparison, figure, interleaved, pss_kib
from waiting import elapse, scaled, until

ECAM = 0x30000000
MMIO = 0x40000000
PER_BRIDGE = 31 * 8     # functions behind one bridge: slots 1 to 31, eight functions each
COMMAND, BAR0, BUSES, WINDOW = 0x04, 0x10, 0x18, 0x20
CLIENT = BUILD / "tests/bench/bench-qtest"


def ecam(bus: int, slot: int, fn: int, reg: int) -> int:
    """The address of a configuration register."""
    return ECAM + (bus << 20 | slot << 15 | fn << 12 | reg)


# --- start ---

def start(options: Options) -> Iterator[str]:
    """Time from process start to the first QMP answer, and memory at rest."""
    memory: dict[str, list[int]] = {}

    def sample(program: str) -> dict[str, Cost]:
        with Machine(program, ["-S"]) as machine:
            elapse(0.1, "memory at rest")
            memory.setdefault(program, []).append(pss_kib(machine.pid))
            return {"virt -S": machine.started}

    results = interleaved([options.ours, options.theirs], options.runs * 3, sample)
    yield from comparison("start to QMP answered", "ms", 1e3, results, options)
    ours, theirs = (statistics.median(memory[p]) / 1024 for p in (options.ours, options.theirs))
    yield f"| PSS at rest, MiB | {ours:.1f} | {theirs:.1f} | {ours / theirs:.3f} | - | - |"


# --- qtest ---

def rate(pid: int, path: Path, depth: int, line: str) -> Cost:
    """Time of one request for a client on the same CPU as the server, and the server's share."""
    count = 10000 if depth == 1 else 100000
    done = subprocess.run([CLIENT, path, str(pid), "0", str(depth), str(count), line], check=True,
                          stdout=subprocess.PIPE, text=True, timeout=scaled(300))
    rows = [[float(word) for word in row.split()] for row in done.stdout.splitlines()]
    return Cost(statistics.median(r[0] for r in rows) / count,
                statistics.median(r[2] for r in rows) / count)


def served(path: Path) -> None:
    """Wait until a server listens on its socket."""
    def look() -> bool:
        with socket.socket(socket.AF_UNIX) as sock:
            return sock.connect_ex(str(path)) == 0
    until(f"a server on {path}", look, 10)


def qtest_rates(program: str, accel: list[str], depths: list[int]) -> dict[str, Cost]:
    """Reads of configuration space and of a device's register."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "qtest"
        argv = ["-device", "edu,addr=04.0", *accel]
        with Machine(program, argv + ["-qtest", f"unix:{path},server=on,wait=off",
                                      "-qtest-log", "none"]) as machine:
            served(path)
            machine.pin(0)
            for reg, value in ((BAR0, MMIO), (COMMAND, 2)):
                rate(machine.pid, path, 1000, f"writel {ecam(0, 4, 0, reg):#x} {value:#x}")
            return {f"{name}, {depth} in flight": rate(machine.pid, path, depth, f"readl {at:#x}")
                    for name, at in (("ECAM", ECAM), ("MMIO", MMIO)) for depth in depths}


def echo_rates(depths: list[int]) -> dict[str, Cost]:
    """Like requests(), with a server that does no work: the cost of the host's sockets."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "qtest"
        with subprocess.Popen([CLIENT, "echo", path]) as server:
            served(path)
            os.sched_setaffinity(server.pid, {0})
            rows = {f"nothing, {depth} in flight": rate(server.pid, path, depth, "readl 0x30000000")
                    for depth in depths}
            server.kill()
            return rows


def qtest(options: Options) -> Iterator[str]:
    """Reads per second through qtest, with client and server on one core."""
    columns = {"-accel qtest": lambda d: qtest_rates(options.ours, ["-accel", "qtest"], d),
               "ours, paused": lambda d: qtest_rates(options.ours, ["-S"], d),
               "QEMU": lambda d: qtest_rates(options.theirs, ["-S"], d), "echo": echo_rates}
    results = interleaved(list(columns), options.runs, lambda name: columns[name]([1, 1000]))
    yield ("| reads through qtest, thousands a second | ours, -accel qtest | ours, -S | "
           f"{options.other}, -S | ratio | server CPU, us | ours, -S | {options.other} |")
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    for row in results["QEMU"]:
        costs = [results[name][row] for name in ("-accel qtest", "ours, paused", "QEMU")]
        rates = [1e-3 / cost.wall for cost in costs]
        yield (f"| {row} | " + " | ".join(figure(r) for r in rates)
               + f" | {rates[0] / rates[2]:.2f} | "
               + " | ".join(f"{cost.cpu * 1e6:.2f}" for cost in costs) + " |")
    for row, cost in results["echo"].items():
        yield (f"| a server that answers {row} | {figure(1e-3 / cost.wall)} | - | - | - | "
               f"{cost.cpu * 1e6:.2f} | - | - |")


# --- scale ---

def testdevs(count: int) -> list[str]:
    """That many pci-testdev, eight per slot behind PCIe-to-PCI bridges, and one root port."""
    args = ["-device", "pcie-root-port,id=hot,addr=1f.0,chassis=1,slot=1"]
    for n in range(count):
        bridge, at = divmod(n, PER_BRIDGE)
        if at == 0:
            args += ["-device", f"pcie-pci-bridge,id=b{bridge},multifunction=on,"
                     f"addr={2 + bridge // 8:02x}.{bridge % 8}"]
        args += ["-device", f"pci-testdev,bus=b{bridge},addr={1 + at // 8:02x}.{at % 8},"
                 "multifunction=on"]
    return args


def function(n: int) -> tuple[int, int, int]:
    """Bus, slot and function of the n-th function."""
    bridge, at = divmod(n, PER_BRIDGE)
    return 1 + bridge, 1 + at // 8, at % 8


def program_bridges(count: int) -> list[str]:
    """Assign bus numbers and a 1 MiB window to each bridge, then enable decoding."""
    lines = []
    for bridge in range((count + PER_BRIDGE - 1) // PER_BRIDGE):
        slot, fn, bus = 2 + bridge // 8, bridge % 8, 1 + bridge
        window = (MMIO >> 16) + 0x10 * bridge
        lines += [f"writel {ecam(0, slot, fn, BUSES):#x} {bus << 8 | bus << 16:#x}",
                  f"writel {ecam(0, slot, fn, WINDOW):#x} {window << 16 | window:#x}",
                  f"writew {ecam(0, slot, fn, COMMAND):#x} 6"]
    return lines


def program_bars(count: int) -> list[str]:
    """Set BAR 0 of each function, 4 KiB apart inside its bridge's window."""
    return [f"writel {ecam(*function(n), BAR0):#x} "
            f"{MMIO + n // PER_BRIDGE * 0x100000 + n % PER_BRIDGE * 0x1000:#x}"
            for n in range(count)]


def plug(machine: Machine, times: int) -> dict[str, Cost]:
    """device_add and device_del (until DEVICE_DELETED) of a function in an empty root port."""
    add, remove = Cost(0, 0), Cost(0, 0)
    for _ in range(times):
        cost = machine.cost(lambda: machine.qmp.command("device_add", driver="virtio-rng-pci",
                                                        bus="hot", id="x"))
        add = Cost(add.wall + cost.wall, add.cpu + cost.cpu)
        cost = machine.cost(lambda: machine.qmp_line("device_del", b"DEVICE_DELETED", id="x"))
        remove = Cost(remove.wall + cost.wall, remove.cpu + cost.cpu)
    return {"device_add, ms": add.per(times), "device_del, ms": remove.per(times)}


def scale_sample(program: str, count: int) -> dict[str, Cost]:
    """All figures for one number of functions. Per-function rows are in units of 1/1000."""
    with Machine(program, [*testdevs(count), "-S"], qtest=True) as machine:
        rows = {"start, ms": machine.started}
        elapse(0.2, "memory at rest")
        rows["PSS, MiB"] = Cost(pss_kib(machine.pid) / 1024 / 1e3, 0)
        machine.qtest.ask_all(program_bridges(count))
        if machine.qtest.read(ecam(*function(count - 1), 0), 4) != 0x00051b36:
            raise RuntimeError(f"{program}: function {count - 1} is not where it should be")
        micro = 1e3 / count
        bars = machine.cost(lambda: machine.qtest.ask_all(program_bars(count)))
        rows["program a BAR, us a function"] = Cost(bars.wall * micro, bars.cpu * micro)
        enable = machine.cost(lambda: machine.qtest.ask_all(
            [f"writew {ecam(*function(n), COMMAND):#x} 2" for n in range(count)]))
        rows["enable decoding, us a function"] = Cost(enable.wall * micro, enable.cpu * micro)
        at = ecam(*function(count // 2), COMMAND)
        toggles = 100
        toggle = machine.cost(lambda: machine.qtest.ask_all(
            [f"writew {at:#x} {2 * (i & 1)}" for i in range(toggles)]))
        rows["one decode toggle, us"] = Cost(toggle.wall * 1e3 / toggles, toggle.cpu * 1e3 / toggles)
        rows["query-pci, ms"] = machine.cost(lambda: machine.qmp_line("query-pci"))
        rows.update(plug(machine, 5))
        rows["system_reset, ms"] = machine.cost(
            lambda: machine.qmp_line("system_reset", b'"RESET"'))
        return rows


def scale(options: Options) -> Iterator[str]:
    """Figures that may grow with the number of functions, and figures that must not."""
    counts = [30, 300, 1000, 3000, 10000]
    for count in counts:
        both = count <= (3000 if options.large else 1000)
        programs = [options.ours, options.theirs] if both else [options.ours]
        runs = options.runs if count <= 1000 else 1 if both else min(3, options.runs)
        results = interleaved(programs, runs, lambda p, n=count: scale_sample(p, n))
        yield from comparison(f"{count} x pci-testdev", "unit of the row", 1e3, results, options)
        yield ""


# --- memory ---

def ports(count: int) -> list[str]:
    """Options for that many empty root ports, eight per slot."""
    args = []
    for n in range(count):
        args += ["-device", f"pcie-root-port,id=p{n},multifunction=on,chassis={n // 200},"
                 f"slot={n % 200},addr={1 + n // 8:02x}.{n % 8}"]
    return args


def memory(options: Options) -> Iterator[str]:
    """Memory of one additional device."""
    kinds = {"a pci-testdev": (testdevs, 1000), "an empty root port": (ports, 200)}

    def sample(program: str) -> dict[str, Cost]:
        rows = {}
        for name, (make, count) in kinds.items():
            sizes = []
            for n in (count // 10, count):
                with Machine(program, [*make(n), "-S"]) as machine:
                    elapse(0.2, "memory at rest")
                    sizes.append(pss_kib(machine.pid))
            rows[name] = Cost((sizes[1] - sizes[0]) / (count - count // 10), 0)
        return rows

    results = interleaved([options.ours, options.theirs], options.runs, sample)
    yield f"| memory (PSS), KiB | ours | {options.other} | ratio |"
    yield "|---|--:|--:|--:|"
    for row, cost in results[options.ours].items():
        other = results[options.theirs][row]
        yield (f"| {row} | {cost.wall:.1f} | {other.wall:.1f} | {cost.wall / other.wall:.3f} |")


def plan(options: Options) -> Iterator[str]:
    """Planning with a policy and growth; CPU time of the library."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as catalog:
        subprocess.run([options.ours, "-show", "catalog"], check=True, stdout=catalog)
        for name, arguments in (("bench-plan", [catalog.name]), ("bench-alloc", [])):
            done = subprocess.run([BUILD / "tests/bench" / name, *arguments], check=True, text=True,
                                  timeout=scaled(600), stdout=subprocess.PIPE)
            yield from done.stdout.rstrip().splitlines()
            yield ""


def process(options: Options) -> Iterator[str]:
    """The PCI core called in process; CPU time."""
    done = subprocess.run([BUILD / "tests/bench/bench-pci"], check=True, text=True, timeout=scaled(600),
                          stdout=subprocess.PIPE)
    yield "```"
    yield from done.stdout.rstrip().splitlines()
    yield "```"


def qcow2(options: Options) -> Iterator[str]:
    """Disk images in format qcow2 compared with raw, in process, in memory (/dev/shm)."""
    folder = "/dev/shm" if os.path.isdir("/dev/shm") else tempfile.gettempdir()
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        done = subprocess.run([BUILD / "tests/bench/bench-qcow2", scratch], check=True, text=True,
                              timeout=scaled(600), stdout=subprocess.PIPE)
    yield "```"
    yield from done.stdout.rstrip().splitlines()
    yield "```"
