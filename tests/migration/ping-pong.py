#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Migrate a running guest back and forth between processes while it checks its own work.

The guest has a disk and a network device behind a root port and a switch, `edu` behind a
conventional bridge, and a `ticker` that interrupts 200 times per second. During the test it
  - copies memory, writes and re-reads the disk, and compares checksums,
  - sends 64 KiB blocks over one TCP connection that lasts from the first hop to the last, to a
    peer that echoes them (tests/lib/netpeer.py), and compares checksums,
  - lets edu copy by DMA and compute, and checks the results,
  - masks the ticker's MSI-X function for a third of a second and unmasks it: no interrupt may
    arrive in between, and the pending one must arrive then (nothing else restarts the ticker),
  - prints its uptime ten times per second: the ticks.
Every hop is a migration over TCP to a new process that has -incoming and host parts, but no
devices. The test fails if a tick is more than a second later than ticks between hops, and for a
wrong or missing result, a lost link, a move without announcement, or growth of the emulator's
memory.
Exit status 77: the guest material is missing (scripts/fetch-guest).
"""
import argparse
import bisect
import os
import random
import re
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "lib"))
from emulator import Emulator  # noqa: E402
from netpeer import Peer  # noqa: E402
from waiting import elapse, scaled  # noqa: E402
import guest as guests  # noqa: E402

DEVICES = ["pcie-root-port,id=rp0,addr=2,chassis=1", "x3130-upstream,id=up0,bus=rp0",
           "xio3130-downstream,id=dn0,bus=up0,addr=0,chassis=2",
           "xio3130-downstream,id=dn1,bus=up0,addr=1,chassis=3",
           "virtio-blk-pci,id=v0,bus=dn0,drive=d0", "virtio-net-pci,id=n0,bus=dn1,netdev=net0",
           "pcie-root-port,id=rp1,addr=3,chassis=4", "ticker,id=t0,bus=rp1,period-ns=5000000",
           "pci-bridge,id=br0,addr=4,chassis_nr=5", "edu,id=e0,bus=br0,addr=1,dma_mask=0xffffffff",
           "virtio-rng-pci,addr=5"]
LATE = 1.0          # maximum lateness of a tick, in seconds
TICK = 0.1          # seconds between ticks
MASKED = 0.3        # minimum time for which the ticker is masked, in seconds
CYCLE = 0.5         # about the time from one masking to the next
GROWTH = 1.25       # growth of the emulators' resident memory, from the first hops to the last

# Each loop prints "@KIND number ..." or "@BAD what". `say` writes complete lines.
LOADS = r"""
dmesg -n 1
modprobe bpdrv
ip addr add 10.0.0.1/24 dev eth0
ip link set eth0 up
for d in /sys/bus/pci/drivers/bpdrv/0*; do
    read -r kind _ <$d/report
    eval "$kind=$d"
done
slot=${ticker##*/}
irqs() { read -r _ _ _ _ irqs _ <$ticker/report; irqs=${irqs#irqs=}; }
dd if=/dev/urandom of=/tmp/data bs=64k count=32 2>/dev/null
head -c 65536 /tmp/data >/tmp/piece
sum=$(md5sum </tmp/data)
piece=$(md5sum </tmp/piece)

memory_and_disk() {
    n=0
    while :; do
        n=$((n + 1))
        cp /tmp/data /tmp/copy
        [ "$(md5sum </tmp/copy)" = "$sum" ] || echo "@BAD memory $n"
        at=$((n % 4 * 32))
        dd if=/tmp/copy of=/dev/vda bs=64k seek=$at conv=fsync 2>/dev/null || echo "@BAD write $n"
        echo 3 >/proc/sys/vm/drop_caches
        got=$(dd if=/dev/vda bs=64k skip=$at count=32 2>/dev/null | md5sum)
        [ "$got" = "$sum" ] && echo "@disk $n" || echo "@BAD disk $n"
    done
}
network() {
    while :; do cat /tmp/piece; usleep 100000; done | nc 10.0.0.2 7 | {
        n=0
        while [ "$(dd bs=65536 count=1 iflag=fullblock 2>/dev/null | md5sum)" = "$piece" ]; do
            n=$((n + 1))
            echo "@net $n"
        done
        echo "@BAD net $n"
    }
}
edu() {
    n=0
    while n=$((n + 1)); do
        { echo dma $((n * 52 % 2048 + 1)) >$edu/command && echo factorial 9 >$edu/command &&
          echo "@edu $n"; } || echo "@BAD edu $n"
        usleep 150000
    done
}
masking() {
    n=0
    while n=$((n + 1)); do
        setpci -s $slot CAP_MSIX+2.w=4000:4000
        irqs; from=$irqs
        echo "@masked $n"
        usleep 300000
        irqs; masked=$irqs
        setpci -s $slot CAP_MSIX+2.w=0:4000
        usleep 100000
        irqs
        [ $from = $masked ] && [ $irqs -gt $masked ] && echo "@mask $n" ||
            echo "@BAD mask $n: $from $masked $irqs"
    done
}
ticks() {
    n=0
    while n=$((n + 1)); do
        read -r up _ </proc/uptime
        echo "@tick $n $up"
        usleep 100000
    done
}
for load in memory_and_disk network edu masking ticks; do $load </dev/null & done
"""


class Watch:
    """The guest's output so far. Each type of line contains a number that must increase."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}
        self.last_tick = 0.0
        self.masked_at = 0.0
        self.stops: list[float] = []    # of all hops: lines are read later than they arrive
        self.masked_hops = 0        # with the ticker's interrupts masked, and one pending
        self.late = 0.0             # maximum lateness of a tick during a hop
        self.calm = 0.0             # and at other times, which the host causes
        self.hop = (0.0, 0.0)       # begin and end of the last hop

    def line(self, guest: Emulator, kind: str, rest: str, when: float) -> None:
        """Check one line."""
        if kind == "BAD":
            raise guest.fail(f"the guest found something wrong: {rest}")
        number = int(rest.split()[0])
        if number != self.last.get(kind, 0) + 1:
            raise guest.fail(f"{kind} {number} follows {self.last.get(kind, 0)}")
        self.last[kind] = number
        if kind == "masked":
            self.masked_at = when
        if kind == "mask":
            self.masked_hops += any(self.masked_at < stop < self.masked_at + MASKED for stop in self.stops)
        if kind == "tick":
            late = when - self.last_tick - TICK if self.last_tick else 0.0
            if when > self.hop[0] and self.last_tick < self.hop[1]:
                self.late = max(self.late, late)
            else:
                self.calm = max(self.calm, late)
            self.last_tick = when

    def until(self, guest: Emulator, more: int) -> None:
        """Follow the console until every load advanced by that much, or at least once."""
        want = {kind: self.last.get(kind, 0) + (more if kind == "tick" else 1)
                for kind in ("tick", "disk", "net", "edu", "mask")}
        while any(self.last.get(kind, 0) < number for kind, number in want.items()):
            match = guest.expect(r"^@(tick|disk|net|edu|masked|mask|BAD) (.*)\n", 30)
            self.line(guest, match[1], match[2], arrival(guest, match.end()))


def arrival(guest: Emulator, offset: int) -> float:
    """Return the time at which the console had that length."""
    return guest.arrivals[bisect.bisect_left(guest.arrivals, (offset, 0.0))][1]


def stopped_at(guest: Emulator) -> float:
    """Return the time at which the guest was stopped, on the clock of arrival()."""
    stamp = guest.qmp.wait_event("STOP")["timestamp"]
    return stamp["seconds"] + stamp["microseconds"] / 1e6 - time.time() + time.monotonic()


def resources(guest: Emulator) -> tuple[int, int]:
    """Return resident KiB, with guest memory, and the number of descriptors of an emulator."""
    proc = Path(f"/proc/{guest.proc.pid}")
    rss = int(re.search(r"VmRSS:\s+(\d+)", (proc / "status").read_text())[1])
    return rss, len(os.listdir(proc / "fd"))


def join_consoles(source: Emulator, target: Emulator) -> None:
    """Move the incomplete line to the next console: a line may begin on one and end on the other.
    """
    with target._news:      # pylint: disable=protected-access
        left = source.console[source.seen:]
        target.console = left + target.console
        target.arrivals = ([(end - source.seen, when) for end, when in source.arrivals
                            if end > source.seen] +
                           [(end + len(left), when) for end, when in target.arrivals])


def hop(program: str, source: Emulator, parts: list[str], watch: Watch) -> tuple[Emulator, dict]:
    """Run one migration. Returns the new process and the answer of query-migrate on the source."""
    target = Emulator(program, ["-nodefaults", "-incoming", "tcp:127.0.0.1:0"] + parts)
    address = target.qmp.command("query-migrate")["socket-address"][0]
    elapse(random.uniform(0, CYCLE), "the loads are at random places when the guest stops")
    start = time.monotonic()
    source.qmp.command("migrate", uri=f"tcp:127.0.0.1:{address['port']}")
    try:
        report = source.migrated()
        target.migrated()
    except BaseException:
        target.close()
        raise
    watch.hop = start, time.monotonic()
    watch.stops.append(stopped_at(source))
    source.close()
    join_consoles(source, target)
    return target, report


def spread(values: list[float], digits: int = 0) -> str:
    """Return a text with median and maximum."""
    return f"median {statistics.median(values):.{digits}f}, max {max(values):.{digits}f}"


def run(options: argparse.Namespace, arguments: list[str], parts: list[str], peer: Peer) -> int:
    """Run the hops. Returns the exit status."""
    guest, watch = Emulator(options.emulator, arguments), Watch()
    total, down, late, rss, fds = [], [], [], [], []
    try:
        guests.shell_ready(guest)
        guest.shell("PS2=''")
        guest.send("cat >/tmp/loads <<'EOF'\n" + LOADS + "EOF\nsh /tmp/loads\n")
        watch.until(guest, 10)
        print(f"before: a tick was late by {watch.calm:.2f} s, rss and fds {resources(guest)}",
              flush=True)
        for number in range(options.hops):
            announced, watch.late = peer.counts["announced"], 0.0
            guest, report = hop(options.emulator, guest, parts, watch)
            watch.until(guest, 4)
            if peer.counts["announced"] == announced:
                raise guest.fail("the guest's network device did not announce its new location")
            memory, descriptors = resources(guest)
            total.append(report["total-time"])
            down.append(report["downtime"])
            late.append(watch.late)
            rss.append(memory)
            fds.append(descriptors)
            ram = report["ram"]
            print(f"hop {number + 1}: total {total[-1]} ms, downtime {down[-1]} ms, "
                  f"{ram['transferred'] >> 20} MiB at {ram['mbps'] / 8:.0f} MB/s, passes "
                  f"{ram['dirty-sync-count']}, late {late[-1]:.2f} s, rss {memory >> 10} MiB, "
                  f"fds {descriptors}, {watch.last}", flush=True)
            if late[-1] > scaled(LATE) + watch.calm:
                raise guest.fail(f"a tick was late by {late[-1]:.2f} s")
    finally:
        guest.close()
    print(f"{options.hops} hops, {watch.masked_hops} with an interrupt masked and pending: total "
          f"ms {spread(total)}; downtime ms {spread(down)}; late s {spread(late, 2)} (otherwise "
          f"{watch.calm:.2f} at most); rss MiB {spread([r / 1024 for r in rss])}; fds {min(fds)} to "
          f"{max(fds)}; {watch.last}; the peer: {peer.counts}")
    if options.hops >= 20 and not watch.masked_hops:
        print("FAILED: no interrupt was masked at any hop")
        return 1
    grew = statistics.median(rss[-3:]) / statistics.median(rss[:3])
    if grew > GROWTH or fds[-1] != fds[0] or peer.counts["bad"]:
        print(f"FAILED: memory grew by {grew:.2f}, descriptors {fds[0]} to {fds[-1]}, "
              f"{peer.counts['bad']} bad frames")
        return 1
    return 0


def main() -> int:
    """Create the host parts, run, clean up."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--emulator", required=True)
    parser.add_argument("--hops", type=int, default=5)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="backplane-ping-pong-")
    with open(f"{folder}/disk", "wb") as disk:
        disk.truncate(32 << 20)
    parts = ["-blockdev", f"file,node-name=d0,filename={folder}/disk", "-netdev",
             f"stream,id=net0,server=off,addr.type=unix,addr.path={folder}/net"]
    peer = Peer(f"{folder}/net")
    try:
        devices = [word for value in DEVICES for word in ("-device", value)]
        guests.need_devices(options.emulator, devices)
        arguments = guests.arguments("hotplug", machine=guests.MSI_MACHINE, memory=256)
        arguments += ["-nodefaults"] + parts + devices
        return run(options, arguments, parts, peer)
    except guests.Skip as reason:
        print(f"skipped: {reason}")
        return 77
    finally:
        peer.close()
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
