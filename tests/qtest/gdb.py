#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""-gdb, -s, gdbserver and the memory commands of the monitors, with a client that sends packets.

The guest is a program of a few instructions at 0x80000000, which increments t0 and accesses memory
with several widths. tests/guest/gdb.py runs gdb itself.
"""

import os
import struct
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from emulator import Emulator, QmpError  # noqa: E402
from gdbclient import CSR0, PC, PRIV, GdbClient  # noqa: E402
from waiting import until  # noqa: E402

EMULATOR = os.environ.get("BACKPLANE_BINARY",
                          str(Path(__file__).parent / "../../build/backplane-system-riscv64"))
SANDBOX = ["-sandbox", "on"]
BASE, DATA = 0x80000000, 0x80001000
T0, T1, T2, T3, T4 = 5, 6, 7, 28, 29

PROGRAM = [
    0x00001317,     # 00        auipc t1, 1             t1 = DATA
    0x02030e93,     # 04        addi t4, t1, 32
    0x00000293,     # 08        addi t0, zero, 0
    0x00128293,     # 0c loop:  addi t0, t0, 1
    0x00533023,     # 10        sd t0, 0(t1)
    0x00033383,     # 14        ld t2, 0(t1)
    0x00530a23,     # 18        sb t0, 20(t1)
    0x005ebe2f,     # 1c        amoadd.d t3, t0, (t4)
    0x00001397,     # 20        auipc t2, 1
    0xfe03b383,     # 24        ld t2, -32(t2)          the same word, through the pc
    0xfe5ff06f,     # 28        j loop
]
LOOP, SD, LD, SB, AMO, AUIPC, LD_PC, JUMP = (BASE + off for off in
                                             (0x0c, 0x10, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x28))
MSTATUS, MISA, MIE, MTVEC, MHARTID, MIP, MEPC = 0x300, 0x301, 0x304, 0x305, 0xf14, 0x344, 0x341


def elf(words: list[int]) -> bytes:
    """Return an ELF program with one segment at BASE."""
    code = b"".join(word.to_bytes(4, "little") for word in words)
    header = b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8)
    header += struct.pack("<HHIQQQIHHHHHH", 2, 243, 1, BASE, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    header += struct.pack("<IIQQQQQQ", 1, 5, 0x1000, BASE, BASE, len(code), len(code), 0x1000)
    return header.ljust(0x1000, b"\0") + code


class Guest:
    """The program under the emulator, with a gdb server on a unix socket. Ends with `with`."""

    def __init__(self, *args: str, stopped: bool = True) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="backplane-gdb-")
        (Path(self.folder.name) / "program").write_bytes(elf(PROGRAM))
        self.path = f"{self.folder.name}/gdb"
        self.emulator = Emulator(EMULATOR, [
            "-M", "virt", "-m", "16", "-bios", "none", "-kernel", f"{self.folder.name}/program",
            "-gdb", f"unix:{self.path},server=on,wait=off", *(["-S"] if stopped else []), *args],
            console=False)
        self.qmp = self.emulator.qmp
        self.clients: list[GdbClient] = []

    def connect(self) -> GdbClient:
        """Connect a client."""
        self.clients.append(GdbClient(self.path, self.emulator.describe))
        return self.clients[-1]

    def status(self) -> str:
        """Return the run state."""
        return self.qmp.command("query-status")["status"]

    def __enter__(self) -> "Guest":
        return self

    def __exit__(self, *exc: object) -> None:
        for client in self.clients:
            client.close()
        self.emulator.close()
        self.folder.cleanup()


def equal(got: object, wanted: object) -> None:
    """Fail unless both are equal."""
    if got != wanted:
        raise AssertionError(f"{got!r} instead of {wanted!r}")


def word(value: int) -> bytes:
    """Return 8 bytes of memory."""
    return value.to_bytes(8, "little")


def run_to(g: GdbClient, address: int) -> None:
    """Continue to a breakpoint, which is removed again."""
    equal(g.ask(f"Z0,{address:x},4"), "OK")
    equal(g.ask("c")[:3], "T05")
    equal(g.reg(PC), address)
    equal(g.ask(f"z0,{address:x},4"), "OK")


# --- tests ---

def test_session() -> None:
    """The packets of the start of a session, and those that are not supported."""
    with Guest(*SANDBOX) as guest:
        g = guest.connect()
        g.send("qSupported:swbreak+;hwbreak+;multiprocess+")
        equal(g.byte("an acknowledgement"), b"+")
        features = g.reply().split(";")
        for feature in ("QStartNoAckMode+", "vContSupported+", "qXfer:features:read+", "swbreak+"):
            assert feature in features, features
        equal(g.ask("QStartNoAckMode"), "OK")
        g.acks = False
        equal(g.ask("vMustReplyEmpty"), "")
        equal(g.ask("?"), "T05thread:01;")
        equal(g.ask("qAttached"), "1")
        equal(g.ask("vCont?"), "vCont;c;C;s;S")
        equal(g.ask("qC"), "QC01")
        equal(g.ask("qOffsets"), "")
        equal(g.ask("!"), "")
        equal(guest.status(), "prelaunch")
        assert not guest.qmp.events, guest.qmp.events


def test_checksum() -> None:
    """A packet with a wrong checksum is requested again, and so is the last reply."""
    with Guest() as guest:
        g = guest.connect()
        g.raw(b"$qC#00")
        equal(g.byte("a request to repeat"), b"-")
        equal(g.ask("qC"), "QC01")
        g.raw(b"-")
        equal(g.reply("the last reply"), "QC01")


def test_registers() -> None:
    """The target description, and registers that are read and written by number."""
    with Guest() as guest:
        g = guest.connect()
        xml = g.read_object("features:read:target.xml")
        for text in ('<reg name="zero" bitsize="64" type="int" regnum="0"/>', 'name="pc"',
                     'name="fa0"', f'name="fcsr" bitsize="32" type="int" regnum="{CSR0 + 3}"',
                     f'name="mstatus" bitsize="64" type="int" regnum="{CSR0 + MSTATUS}"',
                     'name="pmpaddr15"', 'name="mhpmcounter31"', f'regnum="{PRIV}"',
                     "<architecture>riscv:rv64</architecture>"):
            assert text in xml, text
        equal(g.ask("qXfer:features:read:none.xml:0,100"), "E00")
        equal(g.ask("qXfer:features:read:target.xml:fffff,100"), "E22")
        equal(g.reg(PC), 0x1000)
        equal(g.reg(PRIV), 3)
        equal(g.csr(MHARTID), 0)
        assert g.csr(MISA) >> 62 == 2
        equal(g.set_reg(T0, 0x1122334455667788), "OK")
        general = g.ask("g")
        equal(len(general), 33 * 16)
        equal(general[T0 * 16:T0 * 16 + 16], "8877665544332211")
        equal(g.ask("G" + general.replace("8877665544332211", "0100000000000000")), "OK")
        equal(g.reg(T0), 1)
        equal(g.set_reg(0, 5), "OK")
        equal(g.reg(0), 0)
        equal(g.set_csr(MTVEC, BASE + 2), "OK")
        equal(g.csr(MTVEC), BASE)                  # bit 1 is not writable
        equal(g.set_csr(MHARTID, 1), "E14")
        equal(g.set_reg(PRIV, 2), "E14")
        equal(g.ask(f"p{CSR0 + 0x7c0:x}"), "E14")   # a CSR that does not exist
        equal(g.ask("pffffffffff"), "E14")
        equal(g.ask(f"P{CSR0 + 3:x}=1f000000"), "OK")
        equal(g.ask(f"p{CSR0 + 1:x}"), "1f000000")
        equal(g.ask("G00"), "E22")


def test_breakpoints() -> None:
    """Breakpoints of both kinds, continuing from one, and single steps."""
    with Guest(*SANDBOX) as guest:
        g = guest.connect()
        g.ask("qSupported:swbreak+;hwbreak+")
        before = g.memory(BASE, 0x2c)
        equal(g.ask(f"Z0,{LOOP:x},4"), "OK")
        equal(g.ask(f"Z0,{LOOP:x},4"), "OK")       # again: no effect
        equal(g.ask("c"), "T05thread:01;swbreak:;")
        equal(g.reg(PC), LOOP)
        equal(g.reg(T0), 0)
        equal(guest.status(), "debug")
        guest.qmp.wait_event("RESUME")
        guest.qmp.wait_event("STOP")
        equal(g.memory(BASE, 0x2c), before)         # breakpoints are not in memory
        equal(g.ask("s"), "T05thread:01;")          # a step passes the breakpoint
        equal(g.reg(PC), SD)
        equal(g.reg(T0), 1)
        equal(g.ask(f"Z1,{SB:x},4"), "OK")
        equal(g.ask("vCont;c"), "T05thread:01;hwbreak:;")
        equal(g.reg(PC), SB)
        equal(g.memory(DATA, 8), word(1))
        equal(g.ask(f"z1,{SB:x},4"), "OK")
        equal(g.ask(f"z1,{SB:x},4"), "E22")
        equal(g.ask("vCont;c:1"), "T05thread:01;swbreak:;")
        equal(g.reg(T0), 1)
        equal(g.ask(f"z0,{LOOP:x},4"), "OK")
        equal(g.ask(f"Z0,{LOOP:x},4"), "OK")
        g.set_reg(T0, 41)
        equal(g.ask("s")[:3], "T05")
        equal(g.reg(T0), 42)
        equal(g.ask(f"s{SD:x}")[:3], "T05")         # a step at an address
        equal(g.reg(PC), LD)


def test_second_of_a_pair() -> None:
    """A breakpoint and a step between auipc and the load that it is fused with."""
    with Guest() as guest:
        g = guest.connect()
        run_to(g, LD_PC)
        equal(g.reg(T2), AUIPC + 0x1000)
        equal(g.ask("s")[:3], "T05")
        equal(g.reg(T2), 1)
        run_to(g, AUIPC)
        equal(g.ask("s")[:3], "T05")
        equal(g.reg(PC), LD_PC)
        equal(g.reg(T2), AUIPC + 0x1000)
        equal(g.ask("s")[:3], "T05")
        equal(g.reg(PC), JUMP)
        equal(g.reg(T2), 2)


def test_traps_and_steps() -> None:
    """A step over an instruction that traps ends at the handler; steps retire one instruction."""
    with Guest() as guest:
        g = guest.connect()
        run_to(g, LOOP)
        g.set_csr(MTVEC, SB)
        equal(g.store(LOOP, (0x00000073).to_bytes(4, "little")), "OK")      # ecall
        equal(g.ask("s")[:3], "T05")
        equal(g.reg(PC), SB)
        equal(g.csr(MEPC), LOOP)
        equal(g.store(LOOP, (0x00128293).to_bytes(4, "little")), "OK")
        retired = g.csr(0xb02)
        for _ in range(5):
            equal(g.ask("s")[:3], "T05")
        equal(g.csr(0xb02) - retired, 5)
        equal(g.store(SB, (0x10500073).to_bytes(4, "little")), "OK")        # wfi: a step ends it
        g.set_reg(PC, SB)
        equal(g.ask("s")[:3], "T05")
        equal(g.reg(PC), AMO)


WATCHED = [
    # type, address, length, stop reason, pc of the access that stops
    (2, DATA, 8, "watch", SD),
    (2, DATA + 3, 1, "watch", SD),          # a byte of a wider store
    (2, DATA - 4, 6, "watch", SD),          # a range that begins before the store
    (3, DATA, 8, "rwatch", LD),
    (4, DATA + 7, 1, "awatch", SD),
    (2, DATA + 20, 1, "watch", SB),
    (2, DATA + 32, 8, "watch", AMO),
    (3, DATA + 36, 2, "rwatch", AMO),
]


def test_watchpoints() -> None:
    """Each type of watchpoint stops before the access, and continuing executes it once."""
    with Guest() as guest:
        g = guest.connect()
        for kind, address, length, reason, pc in WATCHED:
            run_to(g, LOOP)
            equal(g.ask(f"Z{kind},{address:x},{length:x}"), "OK")
            first = g.ask("c")
            shown = max(address, DATA)
            equal(first, f"T05thread:01;{reason}:{shown:x};")
            equal(g.reg(PC), pc)
            count, stored = g.reg(T0), g.memory(DATA, 8)
            equal(stored, word(count - 1 if pc == SD else count))       # not stored yet
            equal(g.ask("s")[:3], "T05")                # the access itself
            equal(g.reg(PC), pc + 4)
            equal(g.memory(DATA, 8), word(count))
            equal(g.ask("c").split(";")[1].split(":")[0], reason)       # in the next turn
            equal(g.ask(f"z{kind},{address:x},{length:x}"), "OK")


def test_watch_device() -> None:
    """A watchpoint for writes stops after DMA of a device, but not for DMA while the CPU is stopped,
    and not for reads."""
    command = bytes([0, 0, 0, 0x0a, 0, 0, 0, 4]) + (DATA + 64).to_bytes(8, "big")   # of fw_cfg
    doorbell = 0x10100010
    for how in ["-accel", "interp"], ["-accel", "tcg"], ["-icount", "shift=0"]:
        with Guest(*how) as guest:
            g = guest.connect()
            run_to(g, LOOP)
            equal(g.set_reg(T1, doorbell), "OK")
            equal(g.set_reg(T0, int.from_bytes(DATA.to_bytes(8, "big"), "little") - 1), "OK")
            equal(g.store(DATA, command), "OK")
            equal(g.store(LD, (0xffdff06f).to_bytes(4, "little")), "OK")    # j SD
            equal(g.ask(f"Z3,{DATA + 64:x},4"), "OK")
            equal(g.ask(f"Z2,{DATA + 66:x},1"), "OK")
            equal(g.ask("c"), f"T05thread:01;watch:{DATA + 66:x};")
            assert g.reg(PC) in (SD, LD), (how, hex(g.reg(PC)))
            equal(g.memory(DATA + 64, 5), b"QEMU\0")
            equal(g.store(DATA, command), "OK")
            equal(g.store(DATA + 64, bytes(4)), "OK")
            equal(g.store(doorbell, DATA.to_bytes(8, "big")), "OK")     # carried out by the device
            equal(g.memory(DATA + 64, 4), b"QEMU")
            equal(g.set_reg(T1, DATA + 128), "OK")
            run_to(g, SD)
            equal(g.ask(f"z2,{DATA + 66:x},1"), "OK")
            equal(g.ask(f"Z2,{DATA:x},100001"), "E22")                  # more than 1 MiB
            equal(g.ask(f"Z3,{DATA:x},100001"), "OK")


def test_watch_other_width() -> None:
    """Accesses beside a watchpoint do not stop, also in the same page."""
    with Guest() as guest:
        g = guest.connect()
        run_to(g, LOOP)
        equal(g.ask(f"Z4,{DATA + 64:x},40"), "OK")
        start = g.reg(T0)
        equal(g.ask(f"Z0,{LOOP:x},4"), "OK")
        for turn in range(1, 4):
            equal(g.ask("s")[:3], "T05")
            equal(g.ask("c")[:3], "T05")
            equal((g.reg(PC), g.reg(T0)), (LOOP, start + turn))
        equal(g.ask("Z2,fffffffffffffff8,9"), "E22")    # wraps around
        equal(g.ask("Z2,80000000,0"), "E22")
        equal(g.ask("Z9,80000000,4"), "")


def test_interrupts() -> None:
    """A step takes no interrupt by default; with sstep=1 it ends at the handler."""
    with Guest() as guest:
        g = guest.connect()
        run_to(g, LOOP)
        g.set_csr(MTVEC, BASE)
        g.set_csr(MIE, 8)
        g.set_csr(MSTATUS, g.csr(MSTATUS) | 8)
        equal(g.store(0x2000000, bytes([1, 0, 0, 0])), "OK")        # msip of the ACLINT
        assert g.csr(MIP) & 8
        equal(g.ask("qqemu.sstepbits"), "ENABLE=1,NOIRQ=2")
        equal(g.ask("qqemu.sstep"), "0x3")
        equal(g.ask("s")[:3], "T05")
        equal(g.reg(PC), SD)
        equal(g.ask("Qqemu.sstep:4"), "E22")
        equal(g.ask("Qqemu.sstep:1"), "OK")
        equal(g.ask("s")[:3], "T05")
        equal(g.reg(PC), BASE)
        equal(g.csr(MEPC), SD)


def test_memory() -> None:
    """Memory in both address modes, at the ends of RAM, in ROM, and of devices."""
    with Guest() as guest:
        g = guest.connect()
        equal(g.memory(BASE, 4), (0x00001317).to_bytes(4, "little"))
        equal(g.ask(f"X{DATA:x},4:" + "a}\x03b}\x5d"), "OK")
        equal(g.memory(DATA, 4), b"a#b}")
        equal(g.ask(f"X{DATA:x},9:ab"), "E22")
        equal(g.ask(f"M{DATA:x},4:00"), "E22")
        end = BASE + (16 << 20)
        equal(g.memory(end - 4, 16), bytes(4))          # the part that exists
        equal(g.ask(f"m{end:x},4"), "E14")
        equal(g.ask("mffffffffffffffff,8"), "E14")
        equal(g.ask(f"M{end - 4:x},8:{'00' * 8}"), "E14")
        equal(len(g.memory(BASE, 1 << 20)), (16384 - 64) // 2)      # limited by the packet size
        rom = g.memory(0x1000, 4)
        equal(g.store(0x1000, bytes(4)), "OK")
        equal(g.memory(0x1000, 4), bytes(4))
        equal(g.store(0x1000, rom), "OK")
        equal(g.memory(0x10000005, 1), b"\x60")         # line status of the serial port
        equal(g.ask("m10000000,40"), "E14")             # reading ahead has no effect on a device
        equal(g.ask("qqemu.PhyMemMode"), "0")
        equal(g.ask("Qqemu.PhyMemMode:1"), "OK")
        equal(g.ask("qqemu.PhyMemMode"), "1")
        equal(g.memory(DATA, 4), b"a#b}")
        equal(g.ask("Qqemu.PhyMemMode:2"), "E22")


def test_translation() -> None:
    """Addresses are translated without setting the A bit; physical mode bypasses translation."""
    with Guest() as guest:
        g = guest.connect()
        table = BASE + 0x10000
        # Sv39: the root maps 0 to BASE (a leaf of 1 GiB, V R W X, A and D clear).
        equal(g.store(table, ((BASE >> 12) << 10 | 0xf).to_bytes(8, "little")), "OK")
        equal(g.store(DATA, b"mapped!!"), "OK")
        g.set_csr(0x180, 8 << 60 | table >> 12)
        g.set_reg(PRIV, 1)
        equal(g.memory(DATA - BASE, 8), b"mapped!!")
        equal(g.ask(f"m{DATA:x},4"), "E14")
        equal(g.store(DATA - BASE, b"written!"), "OK")
        text = guest.qmp.command("human-monitor-command", **{"command-line": "info mem"})
        assert "0000000000000000 0000000080000000 0000000040000000 rwx----" in text, text
        text = guest.qmp.command("human-monitor-command",
                                 **{"command-line": f"x /2xw {DATA - BASE:#x}"})
        assert "0x74697277 0x216e6574" in text, text
        equal(g.ask("Qqemu.PhyMemMode:1"), "OK")
        equal(g.memory(DATA, 8), b"written!")
        equal(g.memory(table, 1), b"\x0f")              # A and D are still clear
        equal(g.store(table, (table >> 2 | 1).to_bytes(8, "little")), "OK")    # refers to itself
        for at in range(8, 64, 8):
            equal(g.store(table + at, (table >> 2 | 1).to_bytes(8, "little")), "OK")
        assert "vaddr" in guest.qmp.command("human-monitor-command",
                                            **{"command-line": "info mem"})


def test_interrupt_and_states() -> None:
    """Ctrl-C, a packet, QMP stop and a new connection stop a machine that runs."""
    with Guest(stopped=False) as guest:
        until("the guest to run", lambda: guest.status() == "running")
        g = guest.connect()
        equal(g.ask("?"), "T02thread:01;")              # connecting stops the machine
        equal(guest.status(), "paused")
        g.send("c")
        until("the guest to run", lambda: guest.status() == "running")
        g.raw(b"\x03")
        equal(g.reply(), "T02thread:01;")
        g.send("c")
        until("the guest to run", lambda: guest.status() == "running")
        guest.qmp.command("stop")
        equal(g.reply(), "T02thread:01;")
        guest.qmp.command("cont")                       # the client does not wait: no stop reply
        equal(g.ask("qC"), "QC01")
        equal(guest.status(), "paused")
        g.send("vCont;c")
        until("the guest to run", lambda: guest.status() == "running")
        equal(g.ask("vCtrlC"), "T02thread:01;")
        equal(g.reply(), "OK")
        equal(g.ask("D"), "OK")
        equal(guest.status(), "running")


def test_detach_and_kill() -> None:
    """The points of a client are removed when it detaches or disconnects; k ends the process."""
    with Guest() as guest:
        g = guest.connect()
        equal(g.ask(f"Z0,{LOOP:x},4"), "OK")
        equal(g.ask("c")[:3], "T05")
        g.close()
        again = guest.connect()
        equal(again.ask("qC"), "QC01")
        equal(guest.status(), "debug")                  # a client that leaves continues nothing
        again.send("c")
        until("the guest to run", lambda: guest.status() == "running")
        guest.qmp.command("stop")
        equal(again.reply(), "T02thread:01;")
        equal(again.ask(f"Z0,{LOOP:x},4"), "OK")
        equal(again.ask("D"), "OK")
        equal(guest.status(), "running")
        again.send("k")
        equal(again.reply(), "W00")
        equal(guest.emulator.wait(), 0)


def test_monitor_command() -> None:
    """qRcmd executes lines of the human monitor; the server cannot be replaced from inside."""
    with Guest() as guest:
        g = guest.connect()
        assert "paused (prelaunch)" in g.monitor("info status")
        assert "unknown command" in g.monitor("no-such-command")
        assert len(g.monitor("help")) > 1000
        assert "mstatus" in g.monitor("info registers -a")
        assert "cannot replace" in g.monitor("gdbserver none")
        equal(g.ask("qRcmd,zz"), "E22")
        equal(g.ask("qC"), "QC01")


def test_gdbserver() -> None:
    """HMP gdbserver starts, replaces and ends the server."""
    with Guest() as guest:
        g = guest.connect()
        equal(g.ask("qC"), "QC01")
        other = f"{guest.folder.name}/other"
        for line, text in ((f"gdbserver unix:{other},server=on,wait=off", "Waiting for gdb"),
                           ("gdbserver chardev:none", "does not exist"),
                           (f"gdbserver unix:{other},server=on,wait=off", "Waiting for gdb")):
            answer = guest.qmp.command("human-monitor-command", **{"command-line": line})
            assert text in answer, answer
        equal(g.reply(), "W00")
        assert g.closed()
        guest.path = other
        equal(guest.connect().ask("qC"), "QC01")
        answer = guest.qmp.command("human-monitor-command", **{"command-line": "gdbserver none"})
        assert "Disabled gdbserver" in answer, answer
        assert not os.path.exists(other)


def test_garbage() -> None:
    """A client that sends anything else loses its connection, and nothing else happens."""
    with Guest(*SANDBOX) as guest:
        for data in (b"POST / HTTP/1.1\r\n\r\n$k#6b", b"\0" * 100, b"$" + b"a" * 20000,
                     b"$g#00" * 16, bytes(range(1, 256)) * 50):
            g = guest.connect()
            try:
                g.raw(data)
            except ConnectionError:
                pass
            assert g.closed()
        g = guest.connect()
        for packet in ("", "H", "Hg", "Hx1", "Hgffffffffffffffffff", "T", "m", "m,", "m1", "M1,1",
                       "X", "Z", "Z0", "Z0,", "Z0,1", "z0,1,", "p", "P", "P1", "P1=", "G", "vCont",
                       "vCont;", "vCont;x", "vCont;s:", "vCont;s:9", "C", "qRcmd,",
                       "qRcmd,0", "qXfer:features:read:target.xml:", "qXfer:threads:read::1",
                       "qThreadExtraInfo,", "qThreadExtraInfo,9", "Q", "q", "Qqemu.sstep:",
                       "Qqemu.PhyMemMode:", "cxyz", "sxyz"):
            answer = g.ask(packet)
            assert answer == "" or answer[0] in "EO", (packet, answer)
        equal(guest.status(), "prelaunch")


def test_harts() -> None:
    """CPUs are threads: lists, selection, steps of one, and continuing one while others wait."""
    with Guest("-smp", "3") as guest:
        g = guest.connect()
        equal(g.ask("qfThreadInfo"), "m01,02,03")
        equal(g.ask("qsThreadInfo"), "l")
        assert 'name="CPU#2"' in g.read_object("threads:read:")
        equal(bytes.fromhex(g.ask("qThreadExtraInfo,2")), b"CPU#1 [running]")
        equal(g.ask("T3"), "OK")
        equal(g.ask("T4"), "E22")
        equal(g.ask("Hg2"), "OK")
        equal(g.csr(MHARTID), 1)
        equal(g.ask("vCont;s:2"), "T05thread:02;")
        equal(g.reg(PC), 0x1004)
        equal(g.ask("Hg1"), "OK")
        equal(g.reg(PC), 0x1000)                        # the others did not run
        equal(g.ask("Hg4"), "E22")
        equal(g.ask("Hc3"), "OK")
        equal(g.ask("s"), "T05thread:03;")
        equal(g.ask(f"Z0,{LOOP:x},4"), "OK")
        equal(g.ask("vCont;c:2"), "T05thread:02;")      # all harts execute the program
        equal(g.reg(PC), LOOP)
        equal(g.ask("Hg1"), "OK")
        equal(g.reg(PC), 0x1000)
        equal(g.ask("vCont;s:3;c")[:3], "T05")


def test_migration() -> None:
    """A machine that stopped at a breakpoint is saved, and paused where it is loaded."""
    with Guest() as guest:
        g = guest.connect()
        equal(g.ask(f"Z0,{SB:x},4"), "OK")
        equal(g.ask("c")[:3], "T05")
        equal(guest.status(), "debug")
        guest.qmp.command("migrate", uri=f"file:{guest.folder.name}/stream")
        guest.emulator.migrated()
        with Emulator(EMULATOR, ["-incoming", f"file:{guest.folder.name}/stream", "-gdb",
                                 f"unix:{guest.folder.name}/to,server=on,wait=off"],
                      console=False) as target:
            until("the load", lambda: target.qmp.command("query-status")["status"] == "paused")
            client = GdbClient(f"{guest.folder.name}/to", target.describe)
            equal(client.reg(PC), SB)
            equal(client.memory(DATA, 8), word(1))
            client.send("c")
            until("the guest to run",
                  lambda: target.qmp.command("query-status")["status"] == "running")
            client.close()


def refused(guest: Guest, text: str, command: str, **arguments: object) -> None:
    """A QMP command fails with a message that contains the text."""
    try:
        guest.qmp.command(command, **arguments)
    except QmpError as error:
        assert text in str(error), error
    else:
        raise AssertionError(f"{command} {arguments} succeeded")


def test_saved_memory() -> None:
    """memsave and pmemsave write the bytes of memory, from QMP and HMP."""
    with Guest(*SANDBOX) as guest:
        g = guest.connect()
        equal(g.store(DATA, bytes(range(100))), "OK")
        path = Path(guest.folder.name) / "bytes"
        for command in ("memsave", "pmemsave"):
            guest.qmp.command(command, val=DATA + 1, size=50, filename=str(path))
            equal(path.read_bytes(), bytes(range(1, 51)))
            line = f"{command} {DATA:#x} 4 {path}"
            equal(guest.qmp.command("human-monitor-command", **{"command-line": line}), "")
            equal(path.read_bytes(), bytes(range(4)))
            refused(guest, "cannot be read", command, val=0xc0000000, size=4, filename=str(path))
            refused(guest, "exceed the address space", command, val=(1 << 64) - 2, size=4,
                    filename=str(path))
            equal(path.read_bytes(), bytes(range(4)))       # a failure keeps the old file
        refused(guest, "the machine has 1 CPUs", "memsave", val=BASE, size=4, filename=str(path),
                **{"cpu-index": 1})
        text = guest.qmp.command("human-monitor-command", **{"command-line": "memsave 1"})
        assert "use memsave ADDRESS SIZE FILE" in text, text


def segments(core: bytes) -> list[tuple[int, ...]]:
    """Return the program headers of an ELF core: type, flags, offset, addresses, sizes, alignment."""
    equal(core[:7], b"\x7fELF\2\1\1")
    kind, machine = struct.unpack_from("<HH", core, 16)
    equal((kind, machine), (4, 243))
    count, = struct.unpack_from("<H", core, 56)
    return [struct.unpack_from("<IIQQQQQQ", core, 64 + 56 * i) for i in range(count)]


def test_dump() -> None:
    """dump-guest-memory writes registers and RAM; a running machine is stopped meanwhile."""
    with Guest(*SANDBOX, stopped=False) as guest:
        until("the program to run",
              lambda: guest.qmp.command("query-cpus-fast")[0]["x-retired"] > 1000)
        path = Path(guest.folder.name) / "core"
        guest.qmp.command("dump-guest-memory", paging=False, protocol=f"file:{path}")
        equal(guest.status(), "running")
        guest.qmp.wait_event("STOP")
        guest.qmp.wait_event("RESUME")
        core = path.read_bytes()
        progress = guest.qmp.command("query-dump")
        equal(progress, {"status": "completed", "completed": len(core), "total": len(core)})
        note, load = segments(core)
        equal((note[0], load[0], load[3], load[4], load[5]), (4, 1, BASE, BASE, 16 << 20))
        pc, = struct.unpack_from("<Q", core, note[2] + 20 + 112)
        assert BASE <= pc < BASE + 4 * len(PROGRAM), hex(pc)
        code = b"".join(word.to_bytes(4, "little") for word in PROGRAM)
        equal(core[load[2]:load[2] + len(code)], code)
        guest.qmp.command("stop")
        guest.qmp.command("dump-guest-memory", paging=True, protocol=f"file:{path}", begin=DATA,
                          length=4096, detach=True)
        event = guest.qmp.wait_event("DUMP_COMPLETED")
        equal(event["data"]["result"]["status"], "completed")
        equal(segments(path.read_bytes())[1][3:6], (DATA, DATA, 4096))
        equal(guest.status(), "paused")
        with open(path, "wb") as file:
            guest.qmp.pass_fd("getfd", file.fileno(), fdname="core")
        guest.qmp.command("dump-guest-memory", paging=False, protocol="fd:core")
        equal(path.stat().st_size, len(core))
        for text, arguments in (("file:PATH and fd:NAME", {"protocol": "x"}),
                                ("no descriptor 'none'", {"protocol": "fd:none"}),
                                ("only together", {"protocol": f"file:{path}", "begin": 1}),
                                ("no RAM", {"protocol": f"file:{path}", "begin": 0, "length": 16}),
                                ("cannot", {"protocol": "file:/nonexistent/core"})):
            refused(guest, text, "dump-guest-memory", paging=False, **arguments)
        text = guest.qmp.command("human-monitor-command",
                                 **{"command-line": f"dump-guest-memory -p {path}"})
        equal(text, "")
        equal(len(segments(path.read_bytes())), 2)


def test_options() -> None:
    """-s listens on the loopback interface; a machine without CPUs and bad devices are refused."""
    for args, text in ((["-M", "none", "-gdb", "stdio"], "no CPU"),
                       (["-M", "virt", "-gdb", "chardev:nope"], "does not exist"),
                       (["-M", "virt", "-gdb", "tcp:nowhere"], "tcp:HOST:PORT")):
        with Emulator(EMULATOR, args, console=False, qmp=False) as emulator:
            equal(emulator.wait(), 1)
            assert text in emulator.errors, emulator.errors
    with Emulator(EMULATOR, ["-M", "virt", "-bios", "none", "-gdb", "none"], console=False) as e:
        assert "gdb" not in [c["label"] for c in e.qmp.command("query-chardev")]
    with Emulator(EMULATOR, ["-M", "virt", "-bios", "none", "-S", "-gdb", "tcp:127.0.0.1:0"],
                  console=False) as e:
        names = {c["label"]: c["filename"] for c in e.qmp.command("query-chardev")}
        assert "server=on" in names["gdb"], names


def main() -> int:
    """Run all tests."""
    tests: list[Callable[[], None]] = [f for name, f in globals().items()
                                       if name.startswith("test_")]
    chosen = [f for f in tests if not sys.argv[1:] or f.__name__[5:] in sys.argv[1:]]
    print(f"1..{len(chosen)}")
    failed = 0
    for number, function in enumerate(chosen, 1):
        try:
            function()
            print(f"ok {number} {function.__name__[5:]}", flush=True)
        except (AssertionError, QmpError, OSError, ValueError):
            failed += 1
            print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="")
            print(f"not ok {number} {function.__name__[5:]}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
