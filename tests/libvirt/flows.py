#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Flows of libvirt with a guest: probing, life cycle, hot plug, save, restore and live migration.

Two libvirt daemons of the host run the domains (rig.py). Each flow observes its effect in the guest,
in the domain or in both. The flows use one guest in sequence; a flow that needs a running domain
starts it again if an earlier flow ended it. --compare runs the same flows with QEMU first, and --write
creates a page with the results and the times of both.

usage: flows.py [--emulator PROGRAM] [--compare QEMU [--limit SECONDS] [--write FILE]] [--table] [FLOW...]

The exit status is 0 if all flows succeeded, 1 if one failed, and 77 if the host cannot run them.
"""

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]
import material  # noqa: E402
import rig  # noqa: E402
from flowlib import (CHANNEL, DISK, FLOWS, IDLE_DOMAIN, MIB, NAME, NIC, NO_BALLOON, PORTS,  # noqa: E402
                     RNG, Test, check, flow)
from rig import Daemon, VirshError  # noqa: E402
from waiting import TestFailure, until  # noqa: E402


# --- probing and life cycle ---

@flow("domcapabilities")
def probe(t: Test) -> None:
    """The daemon probes the emulator, and lists it."""
    text = t.a.virsh("domcapabilities", "--emulatorbin", t.emulator, "--arch", "riscv64",
                     "--machine", "virt", "--virttype", "qemu")
    check(f"<path>{t.emulator}</path>" in text, text)
    check("<domain>qemu</domain>" in text, text)
    for word in ("virtio", "<value>random</value>", "<value>builtin</value>"):
        check(word in text, f"{word} is missing: {text}")


@flow("define, start, console")
def start(t: Test) -> None:
    """The domain starts, and the guest reaches its shell."""
    t.a.define(t.xml())
    t.a.virsh("start", NAME)
    check(t.state() == "running (booted)", t.state())
    t.reopen()
    t.await_shell()
    check(t.console.shell("head -c 10 /dev/vda; echo") == "first disk", "the disk has other contents")
    check("eth0" in t.console.shell("ls /sys/class/net"), "the guest has no network device")
    check(t.console.shell("cat /sys/class/misc/hw_random/rng_current").startswith("virtio"),
          "the guest has no random source")


@flow("list, dominfo, dumpxml, domblklist, domiflist, vcpuinfo")
def show(t: Test) -> None:
    """Information about the running domain."""
    t.up()
    check(re.search(rf"^ *\d+ +{NAME} +running", t.a.virsh("list"), re.MULTILINE), "not listed")
    check("running" in t.a.virsh("dominfo", NAME), "dominfo")
    text = t.a.virsh("dumpxml", NAME)
    check(text.count("<address type='pci'") >= PORTS + 4, f"addresses are missing: {text}")
    check("vda" in t.a.virsh("domblklist", NAME), "domblklist")
    check("52:54:00:00:00:01" in t.a.virsh("domiflist", NAME), "domiflist")
    check("running" in t.a.virsh("vcpuinfo", NAME), "vcpuinfo")


@flow("suspend, resume")
def suspend(t: Test) -> None:
    """The guest stops and continues."""
    t.up()
    before = t.count()
    t.here.virsh("suspend", NAME)
    check(t.state() == "paused (user)", t.state())
    t.here.virsh("resume", NAME)
    check(t.state() == "running (unpaused)", t.state())
    t.continues(before)


@flow("qemu-monitor-command")
def monitor(t: Test) -> None:
    """Commands of the user pass through the daemon."""
    t.up()
    text = t.here.virsh("qemu-monitor-command", NAME, '{"execute":"query-status"}')
    check('"status":"running"' in text, text)
    text = t.here.virsh("qemu-monitor-command", NAME, "--hmp", "info status")
    check("running" in text, text)


@flow("domblkstat, domblkinfo, domstats")
def statistics(t: Test) -> None:
    """Statistics contain what the guest did."""
    console = t.up()
    console.shell("dd if=/dev/vda of=/dev/null bs=1M count=4 iflag=direct 2>/dev/null || "
                  "dd if=/dev/vda of=/dev/null bs=1M count=4 2>/dev/null")
    text = t.here.virsh("domblkstat", NAME, "vda")
    read = int(re.search(r"rd_bytes (\d+)", text)[1])
    check(read >= 4 * MIB, text)
    check(str(16 * MIB) in t.here.virsh("domblkinfo", NAME, "vda"), "domblkinfo")
    text = t.here.virsh("domstats", NAME)
    check(re.search(r"block\.0\.rd\.bytes=\d{7}", text), text)
    for word in ("state.state=1", "vcpu.current=1", "block.0.capacity=16777216"):
        check(word in text, f"{word}: {text}")


@flow("domif-setlink")
def set_link(t: Test) -> None:
    """The guest loses its carrier, and gets it back."""
    console = t.up()
    console.shell("ip link set eth0 up")

    def carrier(value: str) -> None:
        until(f"carrier {value}", lambda: console.shell("cat /sys/class/net/eth0/carrier") == value)

    carrier("1")
    t.here.virsh("domif-setlink", NAME, "52:54:00:00:00:01", "down")
    carrier("0")
    t.here.virsh("domif-setlink", NAME, "52:54:00:00:00:01", "up")
    carrier("1")


@flow("blockresize")
def resize(t: Test) -> None:
    """The guest sees the new size of a disk."""
    console = t.up()
    t.here.virsh("blockresize", NAME, "vda", "20M")
    until("the new size", lambda: console.shell("cat /sys/block/vda/size") == str(20 * MIB // 512))


@flow("domdirtyrate-calc")
def dirty_rate(t: Test) -> None:
    """The rate of a guest that writes memory is measured."""
    console = t.up()
    console.send("(while :; do dd if=/dev/zero of=/tmp/fill bs=1M count=40 2>/dev/null; done) & "
                 "fill=$!")
    t.here.virsh("domdirtyrate-calc", NAME, "--seconds", "1")

    def rate() -> int:
        found = re.search(r"dirtyrate.megabytes_per_second=(\d+)",
                          t.here.virsh("domstats", NAME, "--dirtyrate"))
        return int(found[1]) if found else 0

    until("a dirty rate", rate, 30)
    console.shell("kill $fill; rm -f /tmp/fill")


# --- hot plug ---

def gone(t: Test, what: str, verb: str) -> None:
    """Wait until the domain no longer contains a device."""
    until(f"{what} to be removed", lambda: what not in t.here.virsh("dumpxml", NAME), 60,
          lambda: f"{verb}\n{t.here.describe()}")


@flow("attach and detach a disk")
def plug_disk(t: Test) -> None:
    """A disk is added, used and removed, twice."""
    console = t.up()
    image = t.base / "second.img"
    for turn in range(2):
        image.write_bytes(f"plugged {turn}".encode().ljust(8 * MIB, b"\0"))
        t.here.device("attach", NAME, DISK.format(file=image), "--live")
        until("the disk", lambda: "vdb" in console.shell("ls /sys/block"))
        check(console.shell("head -c 9 /dev/vdb; echo") == f"plugged {turn}", "other contents")
        console.shell("echo written >/dev/vdb; sync")
        t.here.device("detach", NAME, DISK.format(file=image), "--live")
        gone(t, str(image), "detach-device")
        until("the guest to release it", lambda: "vdb" not in console.shell("ls /sys/block"))
        check(image.read_bytes().startswith(b"written\n"), "the write is not in the image")


@flow("attach and detach a network device")
def plug_nic(t: Test) -> None:
    """A network device is added and removed."""
    console = t.up()
    t.here.device("attach", NAME, NIC.format(rom=t.rom), "--live")
    until("the network device", lambda: "52:54:00:00:00:02" in
          console.shell("cat /sys/class/net/*/address"))
    t.here.device("detach", NAME, NIC.format(rom=t.rom), "--live")
    gone(t, "52:54:00:00:00:02", "detach-device")


@flow("attach and detach a random source")
def plug_rng(t: Test) -> None:
    """A random source is added and removed."""
    console = t.up()
    before = int(console.shell("ls -d /sys/bus/virtio/drivers/virtio_rng/virtio* | wc -l"))
    t.here.device("attach", NAME, RNG, "--live")
    until("the random source", lambda: int(console.shell(
        "ls -d /sys/bus/virtio/drivers/virtio_rng/virtio* | wc -l")) == before + 1)
    text = t.here.virsh("dumpxml", NAME)
    last = re.findall(r"<rng .*?</rng>", text, re.DOTALL)[-1]
    t.here.device("detach", NAME, last, "--live")
    until("the random source to be removed",
          lambda: t.here.virsh("dumpxml", NAME).count("<rng ") == 1, 60)


@flow("attach and detach a channel")
def plug_channel(t: Test) -> None:
    """A port of the virtio-serial device is added and removed."""
    console = t.up()
    text = CHANNEL.format(path=t.base / "channel.sock")
    t.here.device("attach", NAME, text, "--live")
    until("the port", lambda: "org.test.0" in
          console.shell("cat /sys/class/virtio-ports/*/name 2>/dev/null; true"))
    t.here.device("detach", NAME, text, "--live")
    gone(t, "org.test.0", "detach-device")


# --- the daemon, and moving the guest ---

@flow("restart of the daemon with a running domain")
def restart(t: Test) -> None:
    """The daemon reconnects to the domain, also after SIGKILL, and the guest continues."""
    t.up()
    before = t.count()
    pid = t.a.pid_file(NAME).read_text()
    for force in (False, True):
        t.a.stop(force)
        t.a.start()
        until("the domain", lambda: t.state().startswith("running"), 20,
              lambda: f"{t.state()}\n{t.a.describe()}")
        check(t.a.pid_file(NAME).read_text() == pid, "another process")
        t.continues(before)
    t.a.virsh("suspend", NAME)
    t.a.virsh("resume", NAME)


@flow("save, restore")
def save(t: Test) -> None:
    """The guest continues from a file."""
    t.up()
    before = t.count()
    t.a.virsh("save", NAME, t.base / "saved")
    check(t.state() == "shut off (saved)", t.state())
    t.a.virsh("restore", t.base / "saved")
    check(t.state() == "running (restored)", t.state())
    t.reopen()
    t.continues(before)


@flow("managedsave, start")
def managed_save(t: Test) -> None:
    """The guest continues when the domain is started."""
    t.up()
    before = t.count()
    t.a.virsh("managedsave", NAME)
    t.a.virsh("start", NAME)
    t.reopen()
    t.continues(before)


# --- requests that this version refuses ---

@flow("refusals leave the guest running")
def refusals(t: Test) -> None:
    """An operation that is not available fails with a message, and the guest continues."""
    t.up()
    before = t.count()
    for words in (("inject-nmi", NAME), ("send-key", NAME, "KEY_A"), ("blockcopy", NAME, "vda", str(t.base / "copy"), "--wait", "--transient-job"),
                  ("snapshot-create-as", NAME, "s1", "--disk-only"),
                  ("migrate", NAME, t.b.uri, "--live", "--p2p", "--unsafe", "--postcopy"),
                  ("migrate", NAME, t.b.uri, "--live", "--p2p", "--unsafe", "--parallel"),
                  ("migrate", NAME, t.b.uri, "--live", "--p2p", "--unsafe", "--compressed")):
        done = t.here.run(*words, check=False)
        t.notes.append(f"{' '.join(words[:1] + words[-1:])}: {done.stderr.strip() or 'succeeded'}")
        check(t.state().startswith("running"), f"{words}: {t.state()}")
    t.continues(before)


import flows_migration  # noqa: E402, F401    the order of the flows is the order of the modules
import flows_more  # noqa: E402, F401
import flows_rest  # noqa: E402, F401


# --- the end ---

@flow("reset")
def reset(t: Test) -> None:
    """The guest boots again."""
    t.up()
    t.here.virsh("reset", NAME)
    t.await_shell()


@flow("poweroff by the guest")
def poweroff(t: Test) -> None:
    """The domain ends."""
    t.up()
    t.console.send("poweroff -f")
    until("the domain to end", lambda: t.state().startswith("shut off"), 60)
    check(t.state() == "shut off (shutdown)", t.state())


@flow("serial port in a file, with a log")
def file_serial(t: Test) -> None:
    """The daemon passes descriptors for both files."""
    name, file, log = "files1", t.base / "serial.txt", t.base / "serial.log"
    serial = f"<serial type='file'><source path='{file}'/><log file='{log}' append='on'/></serial>"
    t.a.define(IDLE_DOMAIN.format(name=name, emulator=t.emulator, devices=serial + NO_BALLOON))
    t.a.virsh("start", name)
    try:
        for each in (file, log):
            until(f"OpenSBI in {each.name}",
                  lambda each=each: each.exists() and b"OpenSBI" in each.read_bytes(), 60)
    finally:
        t.a.virsh("destroy", name)
        t.a.virsh("undefine", name)


@flow("destroy, undefine")
def destroy(t: Test) -> None:
    """The domain ends, and its definition is removed."""
    if t.here.run("domstate", NAME, check=False).stdout.startswith("shut off"):
        t.here.virsh("start", NAME)
    t.here.virsh("destroy", NAME)
    check(t.state() == "shut off (destroyed)", t.state())
    t.here.virsh("undefine", NAME)
    check(NAME not in t.here.virsh("list", "--all"), "still listed")


NOT_RUN = "the time has passed"
Result = tuple[str, float, str, list[str]]    # title, seconds, problem, remarks


def run_flows(t: Test, chosen: list[tuple[str, Callable]], table: bool, limit: float) -> list[Result]:
    """Run flows, and report each. After `limit` seconds no further one starts."""
    results: list[Result] = []
    end = time.monotonic() + limit
    print(f"# {t.emulator}\n1..{len(chosen)}", flush=True)
    for number, (title, function) in enumerate(chosen, 1):
        begin, problem = time.monotonic(), ""
        if begin > end:
            results.append((title, 0, NOT_RUN, []))
            continue
        t.notes = []
        try:
            function(t)
        except (TestFailure, VirshError, TypeError, ValueError, OSError, subprocess.TimeoutExpired) as error:
            problem = str(error) or repr(error)
            if not isinstance(error, TestFailure):
                problem += "\n" + traceback.format_exc()
        seconds = time.monotonic() - begin
        if problem:     # the next flow starts another guest
            for daemon in (t.a, t.b):
                with contextlib.suppress(TestFailure, subprocess.TimeoutExpired):
                    daemon.run("destroy", NAME, check=False)
        results.append((title, seconds, problem, t.notes))
        print(f"{'not ok' if problem else 'ok'} {number} {title} # {seconds:.1f} s", flush=True)
        for line in [*t.notes, *problem.splitlines()] if problem or table else []:
            print(f"# {line}", flush=True)
    return results


def run_emulator(program: str, chosen: list[tuple[str, Callable]], table: bool, limit: float) -> list[Result]:
    """Run flows with one emulator on two new daemons."""
    emulator = str(Path(shutil.which(program) or program).resolve())
    base = Path(tempfile.mkdtemp(prefix="backplane-libvirt-"))
    try:
        with contextlib.ExitStack() as stack:
            a = stack.enter_context(Daemon("a", base))
            b = stack.enter_context(Daemon("b", base))
            return run_flows(Test(emulator, base, a, b), chosen, table, limit)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def write_table(file: Path, control: list[Result], own: list[Result]) -> None:
    """Write the page with the results and times of both emulators."""
    def text(line: str) -> str:
        return re.sub(r"/tmp/[^ ]*/|error: |ERROR +", "", line.replace("|", "/"))[:140]

    def cell(result: Result) -> str:
        return "-" if result[2] == NOT_RUN else f"fails: {text(result[2].splitlines()[0])}" if result[2] else \
            "; ".join(["works", *map(text, result[3])]) if len(result[3]) == 1 else "works"

    rows = [f"| {ours[0]} | {cell(theirs)} | {cell(ours)} | {theirs[1]:.1f} | {ours[1]:.1f} |"
            for theirs, ours in zip(control, own, strict=True)]
    file.write_text("""# Flows of libvirt

Results of `tests/libvirt/flows.py --compare qemu-system-riscv64 --limit SECONDS --write FILE` with libvirt 9.0 and
QEMU 7.2 of Debian 12. Both emulators run the same XML, except that QEMU has the PLIC instead of the IMSIC, with which
it did not reach /init; devices then use INTx, and Linux does not complete the removal of a device behind a hot-plug
port. `system_powerdown` of QEMU presses no key of this machine. Times are in seconds and contain the boots of
the guest that a flow requires; they depend on the load of the host. A flow that fails contains the time of its limit.
"-": the flow was not run, because the time of `--limit` had passed.

| flow | QEMU | this emulator | time of QEMU | time of this emulator |
|---|---|---|---|---|
""" + "\n".join(rows) + "\n", encoding="utf-8")


def main() -> int:
    """Run the flows that the command line names, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=os.environ.get("BACKPLANE"))
    parser.add_argument("--compare", metavar="QEMU", help="run the flows with this emulator first")
    parser.add_argument("--write", metavar="FILE", type=Path, help="write the page of the comparison")
    parser.add_argument("--limit", metavar="SECONDS", type=float, default=float("inf"),
                        help="start no further flow of QEMU after this time")
    parser.add_argument("--table", action="store_true", help="print the notes of each flow")
    parser.add_argument("flows", nargs="*", help="names of functions")
    options = parser.parse_args()
    reason = rig.unsuitable()
    try:
        for kernel in ("hotplug", "debian"):
            material.initramfs(kernel)
        material.hotplug_kernel(), material.debian_kernel()
    except material.MaterialError as error:
        reason = reason or str(error)
    if reason:
        print(f"1..0 # SKIP {reason}")
        return 77
    chosen = [(title, function) for title, function in FLOWS
              if not options.flows or function.__name__ in options.flows]
    control = run_emulator(options.compare, chosen, options.table, options.limit) if options.compare else []
    own = run_emulator(options.emulator, chosen, options.table, float("inf"))
    if options.write and control:
        write_table(options.write, control, own)
    return 1 if any(result[2] for result in own) else 0


if __name__ == "__main__":
    sys.exit(main())
