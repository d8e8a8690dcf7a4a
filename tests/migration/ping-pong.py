#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Move a running Debian guest back and forth between two processes and watch it work.

The guest fills memory, checks its sums, and says a line about five times a second. Every hop
goes over tcp to a fresh process that was given nothing but -incoming. Printed: the longest gap
between two lines, downtimes, and the emulators' memory and descriptors.
Exit status 77: the guest material is absent (scripts/fetch-guest).
"""
import argparse
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "lib"))
from emulator import Emulator  # noqa: E402
import guest as guests  # noqa: E402

DEVICES = ["pcie-root-port,id=rp0,addr=2,chassis=1", "x3130-upstream,id=up0,bus=rp0",
           "xio3130-downstream,id=dn0,bus=up0,chassis=2", "virtio-blk-pci,id=v0,bus=dn0,drive=d0",
           "pcie-root-port,id=rp1,addr=3,chassis=3", "ticker,id=t0,bus=rp1",
           "pci-bridge,id=br0,addr=4,chassis_nr=4", "edu,id=e0,bus=br0,addr=1",
           "virtio-rng-pci,addr=5"]

LOAD = r"""
dd if=/dev/urandom of=/tmp/data bs=64k count=64 2>/dev/null
sum=$(md5sum < /tmp/data)
n=0
while :; do
    n=$((n + 1))
    cp /tmp/data /tmp/copy
    if [ -b /dev/vda ]; then
        dd if=/tmp/data of=/dev/vda bs=64k seek=$((n % 4 * 64)) conv=fsync 2>/dev/null
        echo 3 > /proc/sys/vm/drop_caches
        dd if=/dev/vda of=/tmp/copy bs=64k skip=$((n % 4 * 64)) count=64 2>/dev/null
    fi
    [ "$(md5sum < /tmp/copy)" = "$sum" ] && echo "@line $n $(cut -d' ' -f1 /proc/uptime)" \
        || echo "@BAD $n"
    usleep 100000
done &
"""


def resources(guest):
    """Resident KiB and open descriptors of an emulator."""
    proc = Path(f"/proc/{guest.proc.pid}")
    rss = int(re.search(r"VmRSS:\s+(\d+)", (proc / "status").read_text())[1])
    return rss, len(os.listdir(proc / "fd"))


def wait(guest, *states, seconds=60):
    """query-migrate once it is in one of the states."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = guest.qmp.command("query-migrate")
        if answer.get("status") in states:
            return answer
        time.sleep(0.01)
    raise guest.fail(f"the migration is still {answer}")


def hop(program, source, extra):
    """One migration; returns the new process and the source's report."""
    target = Emulator(program, ["-nodefaults", "-incoming", "tcp:127.0.0.1:0"] + extra)
    address = target.qmp.command("query-migrate")["socket-address"][0]
    source.qmp.command("migrate", uri=f"tcp:127.0.0.1:{address['port']}")
    report = wait(source, "completed", "failed")
    if report["status"] != "completed":
        target.close()
        raise source.fail(f"the migration failed: {report}")
    wait(target, "completed")
    source.close()
    with target._news:     # a line may begin on one console and end on the other
        target.console = source.console[source.seen:] + target.console
    return target, report


def watch(guest, last, lines):
    """Wait for a few more lines; returns the number of the last and the longest gap in s."""
    gap = 0.0
    before = time.monotonic()
    for _ in range(lines):
        match = guest.expect(r"^@(line|BAD) (\d+)(?: ([\d.]+))?\n", 30)
        if match[1] == "BAD":
            raise guest.fail("a checksum is wrong")
        number = int(match[2])
        if last and number != last + 1:
            raise guest.fail(f"line {number} follows line {last}")
        last = number
        gap = max(gap, time.monotonic() - before)
        before = time.monotonic()
    return last, gap


def main():
    """Run the hops and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--emulator", required=True)
    parser.add_argument("--hops", type=int, default=5)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="backplane-ping-pong-")
    disk = os.path.join(folder, "disk")
    with open(disk, "wb") as f:
        f.truncate(32 << 20)
    parts = ["-blockdev", f"file,node-name=d0,filename={disk}"]
    try:
        devices = [word for value in DEVICES for word in ("-device", value)]
        guests.need_devices(options.emulator, devices)
        arguments = guests.arguments(memory=256) + ["-nodefaults"] + parts + devices
    except guests.Skip as reason:
        print(f"skipped: {reason}")
        return 77
    guest = Emulator(options.emulator, arguments)
    try:
        guests.shell_ready(guest)
        guest.send("cat > /tmp/load <<'EOF'\n" + LOAD + "EOF\nsh /tmp/load\n")
        last, gap = watch(guest, 0, 3)
        print(f"before: gap {gap:.2f} s, rss and fds {resources(guest)}", flush=True)
        for number in range(options.hops):
            guest, report = hop(options.emulator, guest, parts)
            last, gap = watch(guest, last, 4)
            ram = report["ram"]
            print(f"hop {number + 1}: total {report['total-time']} ms, "
                  f"downtime {report['downtime']} ms, {ram['transferred'] >> 20} MiB at "
                  f"{ram['mbps'] / 8:.0f} MB/s, passes {ram['dirty-sync-count']}, gap {gap:.2f} s, "
                  f"line {last}, rss and fds {resources(guest)}", flush=True)
    finally:
        guest.close()
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
