#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine that is started from its description is equal to the original machine.

-show machine prints the description of a random command line. With -machine-config, the same
description is printed. The two machines have the same device tree, the same response to query-pci,
and the same bytes in the configuration space of each function on the root bus and behind its
bridges, before and after all ones are written to the BARs. A command line that cannot start is
rejected with the same message by -show and by a start.

usage: description.py [SEED]    (otherwise one fixed seed and one random seed)
"""

import concurrent.futures
import os
import random
import re
import socket
import struct
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "options"))

import walk                                     # noqa: E402
from walk import Machine                        # noqa: E402

FIXED_SEED, FIXED_LINES, RANDOM_LINES = 1, 40, 20
ECAM = 0x30000000
FEATURES = ("zba", "zbb", "zbs", "sstc", "svadu", "svpbmt", "zicond", "zawrs", "sv48", "smaia",
            "svnapot", "pmp")


class Line:
    """One random command line."""

    def __init__(self, rng: random.Random, folder: Path) -> None:
        self.rng, self.folder, self.args, self.count = rng, folder, [], 0
        self.buses = ["pcie.0"]
        self.machine()
        self.images()
        self.host_parts()
        for _ in range(rng.randrange(4)):
            self.bridge()
        for _ in range(rng.randrange(6)):
            self.device()
        if rng.random() < 0.2:
            self.args += ["-global", rng.choice(("virtio-pci.disable-legacy=on", "edu.msi=off",
                                                 "virtio-net-pci.mq=off",
                                                 "pcie-root-port.aer=off"))]

    def chance(self, probability: float) -> bool:
        """Return true with this probability."""
        return self.rng.random() < probability

    def name(self, kind: str) -> str:
        """Return a new id."""
        self.count += 1
        return f"{kind}{self.count}"

    def machine(self) -> None:
        """Add -M, -cpu, -smp, -m and names."""
        rng, machine = self.rng, [self.rng.choice(("virt", "virt-0.1", "virt-0.2", "virt-0.3"))]
        if self.chance(0.5):
            machine.append(f"aia={rng.choice(('none', 'aplic', 'aplic-imsic'))}")
        if self.chance(0.2):
            machine.append(f"aclint={rng.choice(('on', 'off'))}")
        self.args += [rng.choice(("-M", "-machine")), ",".join(machine)]
        if self.chance(0.6):
            flags = [f"{rng.choice(FEATURES)}={rng.choice(('on', 'off', 'true', 'no'))}"
                     for _ in range(rng.randrange(5))]
            flags = [flag for flag in flags if flag not in ("pmp=off", "pmp=no")]
            self.args += ["-cpu", ",".join(["rv64", *flags])]
        if self.chance(0.5):
            self.args += ["-smp", rng.choice(("2", "4", "cpus=3", "2,sockets=1,cores=2,threads=1"))]
        if self.chance(0.5):
            self.args += ["-m", rng.choice(("64", "256M", "size=1G", "96"))]
        if self.chance(0.4):
            self.args += ["-name", rng.choice(("guest", "a b,,c", "guest=x,process=y"))]
        if self.chance(0.4):
            self.args += ["-uuid", f"{rng.getrandbits(32):08x}-89ab-cdef-0123-456789abcdef"]
        if self.chance(0.4):
            self.args += ["-rtc", rng.choice(("base=utc", "base=2020-02-29T23:59:59,clock=vm",
                                              "clock=rt", "base=localtime"))]
        if self.chance(0.3):
            self.args += [rng.choice(("-nodefaults", "-S", "-no-reboot", "-no-shutdown"))]

    def images(self) -> None:
        """Add -bios, -kernel, -initrd and -append."""
        rng = self.rng
        self.args += ["-bios", rng.choice(("none", str(self.folder / "bios")))]
        kernel = self.chance(0.5)
        if kernel:
            self.args += ["-kernel", str(self.folder / "kernel")]
        if self.chance(0.5 if kernel else 0.02):
            self.args += ["-append", rng.choice(("console=ttyS0 root=/dev/vda", "a,b=c 'd' \"e\"",
                                                 ""))]
        if kernel and self.chance(0.4):
            self.args += ["-initrd", str(self.folder / "initrd")]

    def host_parts(self) -> None:
        """Add serial ports and a back end of RAM."""
        rng = self.rng
        serial = rng.choice(("null", "none", "chardev:con", "chardev:buffer"))
        if serial == "chardev:con":
            self.args += ["-chardev", f"null,id=con,logfile={self.folder}/log,mux=on"]
        if serial == "chardev:buffer":
            self.args += ["-chardev", "ringbuf,id=buffer,size=4096"]
        self.args += ["-serial", serial]
        if self.chance(0.2) and "-m" not in self.args:
            self.args += ["-object", f"memory-backend-memfd,id=ram,size={rng.choice((64, 128))}M",
                          "-machine", "memory-backend=ram"]

    def bridge(self) -> None:
        """Add a port, a switch or a bridge, and the bus that it provides."""
        kind, bus = self.rng.choice(("port", "port", "switch", "bridge", "pxb")), "pcie.0"
        at = f",addr={self.rng.randrange(1, 31):02x}.0" if self.chance(0.4) else ""
        name = self.name(kind)
        if kind == "port":
            extra = self.rng.choice(("", ",chassis=9", ",hotplug=off", ",aer=off", ",port=3"))
            self.args += ["-device", f"pcie-root-port,id={name},bus={bus}{at}{extra}"]
            self.buses.append(name)
        elif kind == "switch":
            self.args += ["-device", f"pcie-root-port,id={name}{at}",
                          "-device", f"x3130-upstream,id={name}u,bus={name}"]
            for i in range(self.rng.randrange(1, 4)):
                self.args += ["-device", f"xio3130-downstream,id={name}d{i},bus={name}u,chassis={i}"
                              f",slot={self.count}"]
                self.buses.append(f"{name}d{i}")
        elif kind == "bridge":
            self.args += ["-device", f"pcie-pci-bridge,id={name}{at}"]
            self.buses.append(name)
        else:
            self.args += ["-device", f"pxb-pcie,id={name},bus_nr={self.count * 8 + 64}"]

    def device(self) -> None:
        """Add an endpoint and the host parts that it requires."""
        rng, extra = self.rng, []
        kind = rng.choice(("blk", "net", "rng", "serial", "edu", "testdev", "ticker", "nic",
                           "drive"))
        name = self.name(kind)
        bus = rng.choice(self.buses)
        if bus != "pcie.0":
            extra.append(f"bus={bus}")
            if len(self.buses) > 1 and "bridge" not in bus:
                self.buses.remove(bus)
        elif self.chance(0.3):
            extra.append(f"addr={rng.randrange(1, 31):02x}")
        if self.chance(0.7):
            extra.append(f"id={name}")
        if kind == "blk":
            self.args += rng.choice((
                ["-drive", f"if=none,id=d{name},file=null-co://,format=raw,file.size=1M"],
                ["-blockdev", f"null-co,node-name=d{name},size=4M,read-zeroes=on"],
                ["-blockdev", f'{{"driver":"raw","node-name":"d{name}",'
                 '"file":{"driver":"null-co","size":65536}}']))
            extra += [f"drive=d{name}", *rng.choice(([], ["num-queues=2"], ["serial=abc"],
                                                     ["write-cache=off"], ["queue-size=64"]))]
            self.add("virtio-blk-pci", extra)
        elif kind == "net":
            self.args += ["-netdev", rng.choice((f"user,id=n{name}", f"hubport,id=n{name},hubid=3",
                                                 f"user,id=n{name},net=10.1.0.0/24"))]
            extra += [f"netdev=n{name}", *rng.choice(([], ["mac=52:54:00:00:00:07"], ["mrg_rxbuf=off"],
                                                      ["vectors=2"], ["msix=off"]))]
            self.add(rng.choice(("virtio-net-pci", "virtio-net")), extra)
        elif kind == "rng":
            self.args += ["-object", f"rng-builtin,id=r{name}"]
            self.add("virtio-rng-pci", [*extra, *rng.choice(([], [f"rng=r{name}"], ["pm=off"],
                                                             ["max-bytes=64,period=100"]))])
        elif kind == "serial":
            self.args += ["-device", ",".join([f"virtio-serial-pci,id=s{name}", *[
                part for part in extra if not part.startswith("id=")]])]
            self.args += ["-chardev", f"null,id=c{name}", "-device",
                          f"virtserialport,chardev=c{name},name=port.{name},bus=s{name}.0"]
        elif kind == "nic":
            self.args += rng.choice((["-nic", "user"], ["-nic", "none"],
                                     ["-nic", "user,model=virtio-net-pci,mac=52:54:00:00:11:22"]))
        elif kind == "drive":
            self.args += ["-drive", f"file=null-co://,format=raw,if=virtio,id=v{name}"]
        else:
            self.add({"edu": "edu", "testdev": "pci-testdev", "ticker": "ticker"}[kind],
                     [*extra, *rng.choice(([], ["multifunction=on"]))])

    def add(self, kind: str, properties: list[str]) -> None:
        """Add -device in one of its two forms."""
        pairs = [part.split("=") for prop in properties for part in prop.split(",")]
        if self.chance(0.2) and all(key in ("id", "bus", "addr", "drive", "netdev", "rng", "mac")
                                    for key, _ in pairs):
            members = ",".join(f'"{key}":"{value}"' for key, value in [("driver", kind), *pairs])
            self.args += ["-device", f"{{{members}}}"]
        else:
            self.args += ["-device", ",".join([kind, *properties])]


BASE = ("-accel", "qtest", "-display", "none", "-monitor", "none")


def read(machine: "Live", at: int, size: int) -> str:
    """Return bytes of guest memory in hexadecimal."""
    return machine.qtest(f"read {at:#x} {size:#x}").removeprefix("OK ")


class Live(Machine):
    """A machine with QMP on standard input and output, and with qtest on a socket."""

    def __init__(self, folder: Path, *args: str) -> None:
        mine, theirs = socket.socketpair()
        self.peer = mine.makefile("rw")
        mine.close()
        super().__init__(*BASE, "-qmp", "stdio", "-chardev", f"socket,id=qt,fd={theirs.fileno()}",
                         "-qtest", "chardev:qt", *args, base=(), cwd=folder,
                         pass_fds=(theirs.fileno(),))
        theirs.close()

    def qtest(self, line: str) -> str:
        """Send one request and return its reply."""
        self.peer.write(line + "\n")
        self.peer.flush()
        return self.peer.readline().strip()


def functions(machine: Live, bus: int) -> list[int]:
    """Return the ECAM addresses of the functions of a bus."""
    found = []
    for slot in range(32):
        base = ECAM + (bus << 20) + (slot << 15)
        if read(machine, base, 4) != "0xffffffff":
            found += [base + (fn << 12) for fn in range(8)
                      if fn == 0 or read(machine, base + (fn << 12), 4) != "0xffffffff"]
    return found


def look(folder: Path, *args: str) -> dict:
    """Return all data that a guest can read in two levels of the PCI hierarchy."""
    with Live(folder, *args) as machine:
        seen = {"query-pci": machine.qmp("query-pci"), "config": {}, "sized": {}}
        todo, next_bus = functions(machine, 0), 1
        while todo:
            at = todo.pop(0)
            config = read(machine, at, 4096)
            seen["config"][f"{at - ECAM:07x}"] = config
            bridge = int(config[2 + 28:2 + 30], 16) & 0x7f == 1
            for bar in range(2 if bridge else 6):
                machine.qtest(f"writel {at + 0x10 + 4 * bar:#x} 0xffffffff")
            seen["sized"][f"{at - ECAM:07x}"] = read(machine, at, 64)
            if bridge:
                numbers = next_bus << 16 | next_bus << 8 | at >> 20 & 0xff
                machine.qtest(f"writel {at + 0x18:#x} {numbers:#x}")
                if next_bus < 4:
                    todo += functions(machine, next_bus)
                next_bus += 1
        machine.peer.close()
        return seen


def tree(folder: Path, *args: str) -> bytes:
    """Return the device tree without the seed, which is random."""
    path = folder / "tree"
    status, _, err = walk.run(*BASE, *args, "-machine", f"dumpdtb={path}")
    assert status == 0, err
    blob = path.read_bytes()
    path.unlink()
    strings = struct.unpack_from(">I", blob, 12)[0]
    name = blob.find(b"rng-seed\0", strings) - strings
    at = blob.find(struct.pack(">III", 3, 32, name)) if name >= 0 else -1
    return blob if at < 0 else blob[:at + 12] + bytes(32) + blob[at + 44:]


def check(args: list[str], folder: Path) -> str:
    """Check one command line. Return "same" or "refused"; raise AssertionError on a failure."""
    status, first, err = walk.run(*BASE, *args, "-show", "machine")
    if status:
        started = walk.run(*BASE, *args)
        assert started[0] == 1 and started[2] == err, f"-show: {err}, a start: {started}"
        return "refused"
    config = folder / "machine.json"
    config.write_text(first)
    loaded = ("-machine-config", str(config))
    status, second, err = walk.run(*BASE, *loaded, "-show", "machine")
    assert status == 0, err
    assert first == second, f"the second description differs:\n{first}\n{second}"
    for what, one, two in (("tree", tree(folder, *args), tree(folder, *loaded)),
                           ("machine", look(folder, *args), look(folder, *loaded))):
        assert one == two, f"the {what} differs: {differences(one, two)}"
    return "same"


def differences(one: object, two: object) -> str:
    """Return the first difference of two results."""
    if isinstance(one, dict) and isinstance(two, dict):
        for key in one.keys() | two.keys():
            if one.get(key) != two.get(key):
                return f"{key}: {differences(one.get(key), two.get(key))}"
    a, b = str(one), str(two)
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return f"at {at}: {a[max(0, at - 60):at + 60]} / {b[max(0, at - 60):at + 60]}"


def one_line(seed: int, number: int) -> tuple[str, str]:
    """Return the result and, for a failure, the problem."""
    with walk.Folder() as folder:
        for name in ("bios", "kernel", "initrd"):
            (folder / name).write_bytes(struct.pack("<I", 0x0000006f) * 16)
        args = Line(random.Random(f"{seed}/{number}"), folder).args
        try:
            return check(args, folder), ""
        except Exception as error:      # noqa: BLE001: any failure is the result of the line
            return "wrong", f"seed {seed}, line {number}: {' '.join(args)}: " \
                            f"{type(error).__name__}: {error}"


def main() -> int:
    if len(sys.argv) > 1:
        jobs = [(int(sys.argv[1]), number) for number in range(FIXED_LINES)]
    else:
        other = time.time_ns() % 1000000
        print(f"# seeds {FIXED_SEED} and {other}")
        jobs = [(FIXED_SEED, number) for number in range(FIXED_LINES)]
        jobs += [(other, number) for number in range(RANDOM_LINES)]
    with concurrent.futures.ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as pool:
        results = list(pool.map(lambda job: one_line(*job), jobs))
    same = sum(kind == "same" for kind, _ in results)
    print(f"# {len(jobs)} command lines: {same} the same, "
          f"{sum(kind == 'refused' for kind, _ in results)} refused twice")
    problems = [re.sub(r"\n", "\n# ", wrong) for _, wrong in results if wrong]
    for problem in problems:
        print(f"# {problem}")
    good = not problems and same * 2 > len(jobs)
    print("1..1\n" + ("ok" if good else "not ok") + " 1 - descriptions")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
