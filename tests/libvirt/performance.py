#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Times of libvirt with this emulator, and with QEMU in the same run.

The emulators alternate; figures are medians. The own time of libvirt in `virsh start` is the time of the
command less the time that the emulator needs for the same command line and monitor commands without libvirt.
No test depends on a measured time.

usage: performance.py [--emulator PROGRAM] [--control QEMU] [--runs N] [--write FILE]

--write replaces the table of the page between the marks <!-- performance --> and <!-- performance end -->.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]
import rig  # noqa: E402
from flowlib import IDLE_DOMAIN, NAME, NO_BALLOON, Test, check  # noqa: E402
from rig import Daemon  # noqa: E402
from waiting import TestFailure, scaled, until  # noqa: E402

DISKS = 100
COMMANDS = ("qmp_capabilities", "query-chardev", "query-cpus-fast", "query-hotpluggable-cpus", "query-iothreads",
            "query-block", "query-named-block-nodes", "query-balloon", "query-status", "cont")
PROBE = [(command, {}) for command in (
    "qmp_capabilities", "query-version", "query-target", "query-qmp-schema", "query-commands", "query-kvm",
    "qom-list-types")]
PROBE += [("device-list-properties", {"typename": name}) for name in (
    "virtio-balloon-pci", "virtio-blk-pci", "virtio-net-pci", "virtio-scsi-pci", "pcie-root-port", "scsi-hd", "scsi-cd",
    "virtio-gpu-pci", "virtio-serial-pci", "usb-storage", "VGA", "ide-hd", "ICH9-LPC", "PIIX4_PM", "piix3-ide", "nvme",
    "usb-host", "qxl", "ivshmem-plain", "intel-iommu", "virtio-iommu-pci", "virtio-mem-pci", "pvpanic", "virtio-rng-pci")]
PROBE += [("qom-list-properties", {"typename": name}) for name in (
    "memory-backend-file", "memory-backend-memfd", "none-machine", "virt-machine")]
PROBE += [(command, {}) for command in (
    "query-machines", "query-cpu-definitions", "query-tpm-models", "query-command-line-options",
    "query-migrate-capabilities")]
MARKS = ("<!-- performance -->\n", "<!-- performance end -->\n")


class Guest(Test):
    """The guest of the flows with 256 MiB, most of which it has written."""

    def xml(self) -> str:
        """Return the domain."""
        return super().xml().replace("<memory unit='MiB'>128<", "<memory unit='MiB'>256<")

    def fill(self) -> None:
        """Let the guest write to its memory. The bytes repeat, because QEMU needs minutes for 120 MB of random ones."""
        self.console.shell("head -c 1000000 /dev/urandom >/tmp/part", 120)
        self.console.shell("for n in $(seq 120); do cat /tmp/part; done >/tmp/fill", 120)

    def moved(self, before: int) -> None:
        """Check that the guest continues. The serial port of QEMU's guest does not answer after a restore."""
        check(self.state().startswith("running"), self.state())
        if not self.control:
            self.reopen()
            self.continues(before)


def seconds(function: object) -> float:
    """Return the time that a call needs."""
    begin = time.monotonic()
    function()
    return time.monotonic() - begin


def alone(argv: list[str], base: Path) -> float:
    """Start the command line of a domain without libvirt. Return the time until `cont` is answered."""
    path, words = base / "alone.sock", []
    for option, value in zip(argv[1:], [*argv[2:], ""], strict=True):
        words.append(f"socket,id=charmonitor,path={path},server=on,wait=off" if "id=charmonitor" in option
                     else option)
        if '"id":"masterKey0"' in value:
            words[-1:] = ["-name"]      # instead of the key, which libvirt has removed
        elif '"id":"masterKey0"' in option:
            words[-1:] = ["alone"]
    begin = time.monotonic()
    process = subprocess.Popen([argv[0], *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    try:
        with socket.socket(socket.AF_UNIX) as monitor:
            until("the monitor", lambda: process.poll() is None and monitor.connect_ex(str(path)) == 0, 20,
                  lambda: process.stderr.read().decode() if process.poll() is not None else "")
            file = monitor.makefile("rw")
            file.readline()
            for command in COMMANDS:
                file.write(json.dumps({"execute": command}) + "\n")
                file.flush()
                while "event" in json.loads(file.readline()):
                    pass
        return time.monotonic() - begin
    finally:
        process.kill()
        process.wait(scaled(20))
        process.stderr.close()
        path.unlink(missing_ok=True)


def measure_start(t: Guest) -> dict[str, float]:
    """Measure `virsh start`, and the share of the emulator."""
    t.a.define(t.xml())
    total = seconds(lambda: t.a.virsh("start", NAME))
    pid = int(t.a.pid_file(NAME).read_text())
    argv = Path(f"/proc/{pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    t.a.virsh("destroy", NAME)
    t.a.virsh("undefine", NAME)
    own = total - alone(argv, t.base)
    return {"`virsh start`, ms": total * 1000, "`virsh start` / own time of libvirt": total / own}


def measure_probe(t: Guest) -> dict[str, float]:
    """Measure the emulator's share of a probe: the process of libvirt's probe, and its queries."""
    path, pid = t.base / "probe.sock", t.base / "probe.pid"
    begin = time.monotonic()
    subprocess.run([t.emulator, "-S", "-no-user-config", "-nodefaults", "-nographic", "-machine",
                    "none,accel=kvm:tcg", "-qmp", f"unix:{path},server=on,wait=off", "-pidfile", pid, "-daemonize"],
                   check=True, stderr=subprocess.DEVNULL)
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.connect(str(path))
        file = monitor.makefile("rw")
        file.readline()
        for command, arguments in PROBE:
            file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
            file.flush()
            file.readline()
        end = time.monotonic()
    process = int(pid.read_text())
    os.kill(process, signal.SIGTERM)
    until("the emulator to end", lambda: not Path(f"/proc/{process}").exists())
    return {"the emulator's share of a probe of the capabilities, ms": (end - begin) * 1000}


def measure_moves(t: Guest) -> dict[str, float]:
    """Measure save, and a migration to the other daemon, of a guest that wrote its memory."""
    t.here = t.a
    t.up()
    t.fill()
    before = t.count()
    save = seconds(lambda: t.a.virsh("save", NAME, t.base / "saved", seconds=300))
    t.a.virsh("restore", t.base / "saved", seconds=300)
    t.moved(before)
    move = seconds(lambda: t.a.virsh("migrate", NAME, t.b.uri, "--live", "--p2p", "--unsafe", "--migrateuri",
                                     "tcp:127.0.0.1", seconds=300))
    t.here = t.b
    t.moved(before)
    t.b.virsh("destroy", NAME)
    t.a.run("undefine", NAME, check=False)
    return {"`virsh save` of a guest with 256 MiB, s": save, "p2p migration of it, s": move}


def measure_disks(t: Guest) -> dict[str, float]:
    """Measure the statistics of many disks."""
    image = t.base / "shared.img"
    image.write_bytes(bytes(1 << 20))
    disks = "".join(
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{image}'/>"
        f"<target dev='sd{chr(96 + n // 26) if n >= 26 else ''}{chr(97 + n % 26)}' bus='scsi'/><readonly/>"
        f"<address type='drive' controller='0' bus='0' target='{n // 50}' unit='{n % 50}'/></disk>"
        for n in range(DISKS))
    controller = "<controller type='scsi' model='virtio-scsi'/>"
    t.a.define(IDLE_DOMAIN.format(name="disks", emulator=t.emulator, devices=controller + disks + NO_BALLOON))
    t.a.virsh("start", "disks", "--paused")
    check(t.a.virsh("domstats", "disks", "--block").count(".rd.reqs=") == DISKS, "disks are missing")
    once, often = (seconds(lambda n=n: t.a.virsh(";".join(["domstats disks --block"] * n))) for n in (1, 11))
    t.a.virsh("destroy", "disks")
    t.a.virsh("undefine", "disks")
    return {f"`domstats --block` for {DISKS} disks, ms": (often - once) * 100}


def write_table(file: Path, results: list[dict[str, list[float]]], runs: int) -> str:
    """Write the table of the medians, and return it."""
    load = os.getloadavg()[0]
    rows = [f"Medians of {runs}; {os.cpu_count()} processors, load {load:.0f} (libvirt 9.0, QEMU 7.2 of Debian 12).", "",
            "| | this emulator | QEMU |", "|---|--:|--:|"]
    for key in results[0]:
        rows.append(f"| {key} | " + " | ".join(f"{statistics.median(side[key]):.3g}" if side.get(key) else "not measured"
                                               for side in results) + " |")
    table = "\n".join(rows) + "\n"
    if file:
        text = file.read_text(encoding="utf-8")
        file.write_text(re.sub(f"({MARKS[0]}).*?({MARKS[1]})", rf"\1{table}\2", text, flags=re.DOTALL),
                        encoding="utf-8")
    return table


def main() -> int:
    """Measure both emulators."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=os.environ.get("BACKPLANE"))
    parser.add_argument("--control", default="qemu-system-riscv64")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--write", metavar="FILE", type=Path)
    options = parser.parse_args()
    reason = rig.unsuitable()
    if reason:
        print(f"1..0 # SKIP {reason}")
        return 77
    programs = [str(Path(shutil.which(p) or p).resolve()) for p in (options.emulator, options.control)]
    base = Path(tempfile.mkdtemp(prefix="backplane-performance-"))
    results: list[dict[str, list[float]]] = [{}, {}]
    failed: dict[str, list] = {}        # the control's measurements that failed once are not repeated
    try:
        with contextlib.ExitStack() as stack:
            a, b = (stack.enter_context(Daemon(name, base)) for name in "ab")
            for run in range(options.runs):
                for program, result in zip(programs, results, strict=True):
                    for measure in (measure_probe, measure_start, measure_disks, measure_moves):
                        if measure in failed.get(program, ()):
                            continue
                        guest = Guest(program, base, a, b)
                        try:
                            values = measure(guest)
                        except (TestFailure, OSError, ValueError, subprocess.TimeoutExpired) as error:
                            if program != programs[1]:
                                raise
                            failed.setdefault(program, []).append(measure)
                            print(f"# {measure.__name__} of the control: {error}", flush=True)
                            for daemon in (a, b):
                                daemon.run("destroy", NAME, check=False)
                                daemon.run("undefine", NAME, check=False)
                            continue
                        for key, value in values.items():
                            result.setdefault(key, []).append(value)
                            print(f"# {run + 1} {Path(program).name}: {key}: {value:.3g}", flush=True)
        print(write_table(options.write, results, options.runs))
    finally:
        shutil.rmtree(base, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
