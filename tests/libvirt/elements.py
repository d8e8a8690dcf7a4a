#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""XML elements and attributes of libvirt: each is started in a domain, and its effect is observed.

elements_table.py contains the rows. A row is a fragment of XML, the place in the domain that it
belongs to, and observations: a property that QMP returns, the answer to a QMP query, a file on the
host, or the command line. A row with `refused` contains the end of the message with which the
domain is rejected. The domain has no kernel; OpenSBI runs in it.

usage: elements.py [--emulator PROGRAM] [--list] [--share N/M] [ROW...]

The exit status is 0 if all rows succeeded, 1 if one failed, and 77 if the host cannot run them.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]
import rig  # noqa: E402
from elements_table import ROWS, Row  # noqa: E402
from images import empty_qcow2  # noqa: E402
from rig import Daemon, VirshError  # noqa: E402
from waiting import TestFailure, until  # noqa: E402

NAME = "elements"
DOMAIN = """
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>elements</name>
  {memory}
  {vcpu}
  {domain}
  <os><type arch='riscv64' machine='{machine}'>hvm</type>{os}</os>
  <features>{features}</features>
  {clock}
  {lifecycle}
  <devices>
    <emulator>{emulator}</emulator>
    {devices}
    {balloon}
  </devices>
  {qemu}
</domain>
"""
DEFAULTS = {"memory": "<memory unit='MiB'>64</memory>", "vcpu": "<vcpu>1</vcpu>", "domain": "", "os": "",
            "features": "", "clock": "", "lifecycle": "", "devices": "", "qemu": "",
            "machine": "virt", "balloon": "<memballoon model='none'/>"}
MIB = 1 << 20


class Domain:
    """A running domain, as the observations see it."""

    def __init__(self, daemon: Daemon, base: Path) -> None:
        self.daemon, self.base = daemon, base
        self.pid = int(daemon.pid_file(NAME).read_text())
        text = Path(f"/proc/{self.pid}/cmdline").read_bytes().decode()
        self.words = text.rstrip("\0").split("\0")

    def qmp(self, command: str, **arguments: object) -> object:
        """Return the result of a QMP command."""
        request = {"execute": command, "arguments": {k.replace("_", "-"): v for k, v in arguments.items()}}
        answer = json.loads(self.daemon.virsh("qemu-monitor-command", NAME, json.dumps(request)))
        if "error" in answer:
            raise TestFailure(f"{command}: {answer['error']['desc']}")
        return answer["return"]

    def option(self, name: str) -> list[str]:
        """Return the values of an option of the command line."""
        return [b for a, b in zip(self.words, self.words[1:], strict=False) if a == name]


def domain_xml(row: Row, emulator: str, base: Path) -> str:
    """Return the domain of a row."""
    parts = DEFAULTS | {row.place: row.xml} | row.more
    rom = "rom enabled='no'" if Path(emulator).name.startswith("qemu") else "rom bar='on'"
    text = DOMAIN.format(emulator=emulator, **parts)
    return text.replace("@BASE@", str(base)).replace("<norom/>", f"<{rom}/>")


def run_row(row: Row, daemon: Daemon, emulator: str, base: Path) -> None:
    """Start the domain of a row, and observe."""
    file = base / "domain.xml"
    file.write_text(domain_xml(row, emulator, base))
    done = daemon.run("create", file, check=False)
    if row.refused:
        if not done.returncode:
            daemon.run("destroy", NAME, check=False)
            raise TestFailure("the domain started, although the element is not available")
        text = done.stderr
        if "failed to connect to monitor socket" in text:
            # the emulator had ended before libvirt connected, and libvirt did not see the end yet
            text = (daemon.root / f"log/qemu/{NAME}.log").read_text()[-1000:]
        if not re.search(row.refused, text):
            raise TestFailure(f"refused with another message: {text.strip()}")
        return
    if done.returncode:
        raise TestFailure(done.stderr.strip())
    try:
        domain = Domain(daemon, base)
        for observe in row.observe:
            problem = observe(domain)
            if problem:
                raise TestFailure(problem)
    finally:
        daemon.run("destroy", NAME, check=False)
        until("the domain to end", lambda: NAME not in daemon.virsh("list", "--all", "--name"))


def material(base: Path) -> None:
    """Create the files that rows name."""
    for name, size in (("a.img", 16), ("b.img", 16), ("c.iso", 4)):
        (base / name).write_bytes(name.encode().ljust(size * MIB, b"\0"))
    (base / "a.qcow2").write_bytes(empty_qcow2(MIB))
    for name in ("kernel", "initrd"):
        (base / name).write_bytes(b"\x6f\0\0\0".ljust(4096, b"\0"))      # riscv: j .
    (base / "rom.bin").write_bytes(bytes.fromhex("55aa08").ljust(4096, b"\0"))
    os.mkfifo(base / "pipe.in")
    os.mkfifo(base / "pipe.out")


def run_rows(rows: list[Row], daemon: Daemon, emulator: str, base: Path) -> int:
    """Run rows. Return the number of failures."""
    failures = 0
    print(f"1..{len(rows)}", flush=True)
    for number, row in enumerate(rows, 1):
        begin, problem = time.monotonic(), ""
        try:
            run_row(row, daemon, emulator, base)
        except (TestFailure, VirshError, LookupError, TypeError, ValueError, OSError) as error:
            problem = f"{type(error).__name__}: {error}"
            with contextlib.suppress(TestFailure):
                daemon.run("destroy", NAME, check=False)
        failures += bool(problem)
        print(f"{'not ok' if problem else 'ok'} {number} {row.name}"
              f" # {time.monotonic() - begin:.2f} s", flush=True)
        for line in problem.splitlines():
            print(f"#   {line}", flush=True)
    return failures


def chosen(names: list[str], share: str | None) -> list[Row]:
    """Return the rows that the command line selects."""
    rows = [row for row in ROWS if not names or any(re.search(name, row.name) for name in names)]
    if share:
        part, of = map(int, share.split("/"))
        rows = rows[part - 1::of]
    return rows


def main() -> int:
    """Run the rows that the command line names, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=os.environ.get("BACKPLANE"))
    parser.add_argument("--list", action="store_true", help="print the names of the rows")
    parser.add_argument("--share", metavar="N/M", help="run each M-th row, from the N-th")
    parser.add_argument("rows", nargs="*", help="regular expressions for names of rows")
    options = parser.parse_args()
    rows = chosen(options.rows, options.share)
    if options.list:
        print("\n".join(row.name for row in rows))
        return 0
    reason = rig.unsuitable()
    if reason:
        print(f"1..0 # SKIP {reason}")
        return 77
    emulator = str(Path(shutil.which(options.emulator) or options.emulator).resolve())
    base = Path(tempfile.mkdtemp(prefix="backplane-elements-"))
    try:
        material(base)
        with Daemon("a", base) as daemon:
            return 1 if run_rows(rows, daemon, emulator, base) else 0
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
