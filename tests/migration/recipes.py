# SPDX-License-Identifier: GPL-2.0-or-later
"""The recipes of the golden streams, and the values to be checked after a load.

A recipe consists of the options, the guest's actions before the machine was saved, and a list of
values to be read afterwards (name, how to read it, the expected value). Recipes whose types may
still change before a release are last. A golden stream is created once (golden/add) and never
again: a recipe whose stream exists must not change in a way that requires another stream.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../lib")]
from guest import MMIO, RAM, Function, Virtio, EXPRESS, HOTPLUG, MSI, MSIX  # noqa: E402
from waiting import until  # noqa: E402

HOST = ["-rtc", "base=2026-11-20,clock=vm",
        "-blockdev", "null-co,node-name=d0,size=1048576", "-netdev", "hubport,id=n0,hubid=0"]
TICK, EDU, PLIC, APLIC_M, UART, RTC = 0x7469636b, 0x010000ed, 0xc000000, 0xc000000, 0x10000000, 0x101000
CSRS = {"mtvec": (0x305, RAM + 0x100), "mscratch": (0x340, 0x1122334455667788),
        "mepc": (0x341, RAM + 0x44), "medeleg": (0x302, 0xb109), "stvec": (0x105, RAM + 0x200),
        "sscratch": (0x140, 0x99aabbccddeeff00), "satp": (0x180, 0x8000000000080100),
        "mie": (0x304, 0x2a0)}


def csr(m, number):
    """Return a CSR of hart 0."""
    return int(m.ask(f"csr get_csr 0 {number:#x} 0").split()[-1], 16)


def set_csrs(m):
    """Set registers of the hart to values other than those after reset."""
    for number, value in CSRS.values():
        m.ask(f"csr set_csr 0 {number:#x} {value:#x}")


def csr_checks(m):
    """Return the values that set_csrs() set."""
    return [(name, lambda n=number: csr(m, n), value) for name, (number, value) in CSRS.items()]


def set_board(m):
    """Use the console, the clock and a word of RAM."""
    m.write(UART + 3, 1, 0x03)
    m.write(UART + 1, 1, 0x05)
    m.write(UART + 7, 1, 0x5a)
    m.write(RTC + 0x10, 4, 1)
    m.write(RTC + 0x0c, 4, 0x7fffffff)
    m.write(RTC + 0x08, 4, 0x12345678)
    m.write(RAM + 0x8000, 8, 0x0123456789abcdef)


def board_checks(m, ns=120000):
    """Return the values that set_board() set."""
    return [("IER of the console", lambda: m.read(UART + 1, 1), 0x05),
            ("scratch of the console", lambda: m.read(UART + 7, 1), 0x5a),
            ("the clock's alarm is armed", lambda: m.read(RTC + 0x18, 4), 1),
            ("the clock's alarm", lambda: m.read(RTC + 0x0c, 4), 0x7fffffff),
            ("the time", lambda: m.read(RTC, 4) | m.read(RTC + 4, 4) << 32,
             1795132800000000000 + ns),
            ("a word of RAM", lambda: m.read(RAM + 0x8000, 8), 0x0123456789abcdef)]


# --- endpoints behind each choice of interrupt controller ---

ENDPOINTS = ["-device", "ticker,id=t0,addr=2,period-ns=50000", "-device", "edu,id=e0,addr=3",
             "-device", "pci-testdev,id=pt0,addr=4"]


def start_endpoints(m):
    """Start a ticker and both jobs of an edu, and select a test of pci-testdev."""
    ticker = Function(m, 0, 2).enable((0, MMIO), (1, MMIO + 0x1000))
    edu = Function(m, 0, 3).enable((0, MMIO + 0x100000))
    Function(m, 0, 4).enable((0, MMIO + 0x200000), command=2)
    m.write(MMIO + 4, 4, 3)
    m.write(MMIO + 0x200000, 1, 1)
    m.write(MMIO + 0x200000 + m.read(MMIO + 0x200004, 4), 1, 0)
    m.write(MMIO + 0x100004, 4, 0x0ff0)
    m.write(MMIO + 0x100080, 8, RAM + 0x8000)
    m.write(MMIO + 0x100088, 8, 0x40010)
    m.write(MMIO + 0x100090, 8, 8)
    m.write(MMIO + 0x100098, 8, 5)
    m.ask("clock_step 120000")
    m.write(MMIO + 0x100020, 4, 0x80)
    m.write(MMIO + 0x100008, 4, 6)
    return ticker, edu


def later(m, ns, address, size):
    """Read a register after some guest time."""
    m.ask(f"clock_step {ns}")
    return m.read(address, size)


def endpoint_checks(m):
    """Return the values, and then the effect of the timers."""
    return [("ticker's id", lambda: m.read(MMIO, 4), TICK),
            ("ticker runs", lambda: m.read(MMIO + 4, 4), 3),
            ("ticks so far", lambda: m.read(MMIO + 12, 4), 2),
            ("edu's id", lambda: m.read(MMIO + 0x100000, 4), EDU),
            ("edu's liveness", lambda: m.read(MMIO + 0x100004, 4), 0xfffff00f),
            ("edu computes", lambda: m.read(MMIO + 0x100020, 4), 0x81),
            ("edu moves", lambda: m.read(MMIO + 0x100098, 8), 5),
            ("pci-testdev's test", lambda: m.read(MMIO + 0x200000, 1), 1),
            ("pci-testdev's count", lambda: m.read(MMIO + 0x20000c, 4), 1),
            ("no tick at 149 us", lambda: later(m, 9900, MMIO + 12, 4), 2),
            ("6! after 10 us", lambda: later(m, 200, MMIO + 0x100008, 4), 720),
            ("a tick at 150 us", lambda: later(m, 20000, MMIO + 12, 4), 3),
            ("edu has moved", lambda: later(m, 100000000, MMIO + 0x100098, 8), 4),
            ("its copied bytes", lambda: m.read(MMIO + 0x140010, 1), 0)]


IMSIC = 0x28000000


def aia_setup(m):
    """Use messages: mask the ticker's vector with one pending, and enable edu's MSI."""
    ticker, edu = start_endpoints(m)
    ticker.msix(MMIO + 0x1000, [(IMSIC, 5, 1)])
    at = edu.capability(MSI)
    edu.set(at + 4, 4, IMSIC)
    edu.set(at + 8, 4, 0)
    edu.set(at + 12, 2, 9)
    edu.set(at + 2, 2, 1)
    m.write(MMIO + 8, 4, 1)
    m.ask("clock_step 1")
    m.write(APLIC_M + 0x1000000, 4, 0x104)
    m.write(IMSIC, 4, 17)
    for select, value in ((0x70, 1), (0x72, 0), (0xc0, 1 << 17)):
        m.ask(f"csr set_csr 0 0x150 {select:#x}")
        m.ask(f"csr set_csr 0 0x151 {value:#x}")
    set_csrs(m)
    set_board(m)


def imsic_register(m, select):
    """Return a register of hart 0's supervisor interrupt file."""
    m.ask(f"csr set_csr 0 0x150 {select:#x}")
    return csr(m, 0x151)


def aia_checks(m):
    """Return checks of MSI-X with a mask, MSI, and the bits of the interrupt file."""
    ticker, edu = Function(m, 0, 2), Function(m, 0, 3)
    return [("MSI-X is on", lambda: ticker.get(ticker.capability(MSIX) + 2, 2), 0x8000),
            ("vector's address", lambda: m.read(MMIO + 0x1000, 8), IMSIC),
            ("vector's data", lambda: m.read(MMIO + 0x1008, 4), 5),
            ("vector is masked", lambda: m.read(MMIO + 0x100c, 4), 1),
            ("MSI is on", lambda: edu.get(edu.capability(MSI) + 2, 2) & 1, 1),
            ("MSI's data", lambda: edu.get(edu.capability(MSI) + 12, 2), 9),
            ("delivery of the IMSIC", lambda: imsic_register(m, 0x70), 1),
            ("pending of the IMSIC", lambda: imsic_register(m, 0x80), 1 << 17),
            ("enabled of the IMSIC", lambda: imsic_register(m, 0xc0), 1 << 17),
            *csr_checks(m), *board_checks(m, 120001), *endpoint_checks(m),
            ("vector is pending", lambda: later(m, 50000, MMIO + 0x1800, 8) & 1, 1),
            ("unmasked, the message is delivered", lambda: (
                m.write(MMIO + 0x100c, 4, 0), imsic_register(m, 0x80) >> 5 & 1)[1], 1)]


def wired_setup(m):
    """Use pins: set the ticker's status, so that its level is asserted."""
    start_endpoints(m)
    set_csrs(m)
    set_board(m)


def plic_setup(m):
    """Make the interrupt pending in one PLIC context and claimed in another."""
    wired_setup(m)
    for source in range(1, 64):
        m.write(PLIC + 4 * source, 4, source % 7 + 1)
    m.write(PLIC + 0x2080, 4, 0xfffffffe)
    m.write(PLIC + 0x2084, 4, 0xffffffff)
    m.write(PLIC + 0x201000, 4, 0)
    m.read(PLIC + 0x201004, 4)


def pin_of(m, slot):
    """Return the level of a slot's pin: Interrupt Status in the Status register."""
    return Function(m, 0, slot).get(6, 2) >> 3 & 1


def plic_checks(m):
    """Return checks of priorities, enables, and the level of the pin."""
    return [("ticker's pin is asserted", lambda: pin_of(m, 2), 1),
            ("priority of source 33", lambda: m.read(PLIC + 4 * 33, 4), 33 % 7 + 1),
            ("enabled", lambda: m.read(PLIC + 0x2084, 4), 0xffffffff),
            ("pending", lambda: m.read(PLIC + 0x1004, 4), 0),
            ("no claim after the completion", lambda: m.read(PLIC + 0x201004, 4), 0),
            *csr_checks(m), *board_checks(m), *endpoint_checks(m),
            ("pending again after completion", lambda: (
                m.write(PLIC + 0x201004, 4, 34), m.read(PLIC + 0x201004, 4))[1], 34)]


APLIC_S = 0xd000000


def aplic_setup(m):
    """Set up a wired APLIC with level-sensitive sources delegated to the supervisor domain."""
    for source in range(32, 36):
        m.write(APLIC_M + 4 * source, 4, 0x400)
        m.write(APLIC_S + 4 * source, 4, 6)
        m.write(APLIC_S + 0x3000 + 4 * source, 4, source - 30)
        m.write(APLIC_S + 0x1edc, 4, source)
    m.write(APLIC_S, 4, 0x100)
    m.write(APLIC_S + 0x4000, 4, 1)
    wired_setup(m)


def aplic_checks(m):
    """Return checks of source modes, targets, and the source pending because of the ticker."""
    return [("ticker's pin is asserted", lambda: pin_of(m, 2), 1),
            ("domaincfg", lambda: m.read(APLIC_S, 4), 0x80000100),
            ("delegated", lambda: m.read(APLIC_M + 4 * 34, 4), 0x400),
            ("source mode", lambda: m.read(APLIC_S + 4 * 34, 4), 6),
            ("target", lambda: m.read(APLIC_S + 0x3000 + 4 * 34, 4), 4),
            ("top of the hart", lambda: m.read(APLIC_S + 0x4018, 4), 34 << 16 | 4),
            *csr_checks(m), *board_checks(m), *endpoint_checks(m)]


# --- a hart that runs ---

HART = bytes.fromhex(
    "9702000093820216739052309702000093824210739052109302f0ff7390023b9302f0017390023ab7b20000"
    "9b82f21f739022309302202273903230930210009392f2037390a23093027000739062307390621017130000"
    "1303c3fa9302f00c23305300b70200209b82f20c233853001353c300930280009392c203b3e2620073900218"
    "b73200009b82028073a00230b712000073b00230970200009382020173901234730020307300001217040000"
    "1304441573100414930200027390421073600110f32210c09382421f7390d2149304300053f524d2d3f524d2"
    "c375b55253f6a5183389940285042f339400af33041085032f3e741804ec833e8401010093f2f47fe39c02fc"
    "730000000290f9b7731404142330540423346404f322201463ca0200f322101493822200739012146f00c001"
    "833204029382120023305402f32210c09382421f7390d2140333840483320404731404147300201013000000"
    "73900234f32210349382420073901234f3220034730020301300000013000000130000001300000013000000"
    "1300000013000000130000001300000013000000130000001300000013000000130000001300000013000000"
    "1300000013000000")
TICKS = RAM + 0x220


def guest_word(m, address):
    """Read a word of a running guest's RAM through the monitor."""
    text = m.command("human-monitor-command", command_line=f"xp /1xg {address:#x}")
    return int(text.split(":")[1].split()[0], 16)


def hart_setup(m):
    """Let the guest of golden/hart.S handle some timer interrupts."""
    until("the guest to tick", lambda: guest_word(m, TICKS) > 5, 30, m.describe)


def more_ticks(m):
    """Return true if timer interrupts continue. Both counters of the loop advance with them."""
    before, loops = guest_word(m, TICKS), guest_word(m, TICKS - 8)
    return until("another tick", lambda: guest_word(m, TICKS) > before
                 and guest_word(m, TICKS - 8) != loops, 30, m.describe)


def hart_checks(m):
    """Return checks of registers, translation and the timer. All are required for another tick."""
    return [("it ticked before it was saved", lambda: guest_word(m, TICKS) > 5, True),
            ("it continues", lambda: more_ticks(m), True)]


# --- counters, Smstateen and triggers ---

EXTENSIONS = {  # in the order in which they must be written
    "a counter that is inhibited": (0x320, 1 << 5), "event of a counter": (0x325, 1 << 63 | 1 << 61 | 2),
    "counter": (0xb05, 0xfedcba9876543210), "mstateen0": (0x30c, 1 << 62), "mstateen3": (0x30f, 1 << 63),
    "selected trigger": (0x7a0, 1), "address of a trigger": (0x7a2, RAM + 0x123),
    "trigger": (0x7a1, 6 << 60 | 0x143)}


def extensions_setup(m):
    """Set registers of Sscofpmf, Smstateen and Sdtrig."""
    for number, value in EXTENSIONS.values():
        m.ask(f"csr set_csr 0 {number:#x} {value:#x}")


def extensions_checks(m):
    """Return the values that extensions_setup() set."""
    return [(name, lambda n=number: csr(m, n), value) for name, (number, value) in EXTENSIONS.items()]


# --- Express ports ---

PORTS = ["-device", "pcie-root-port,id=rp0,addr=2,chassis=1", "-device", "ticker,id=t0,bus=rp0",
         "-device", "pcie-root-port,id=rp1,addr=3,chassis=2", "-device", "x3130-upstream,id=up0,bus=rp1",
         "-device", "xio3130-downstream,id=dn0,bus=up0,chassis=3", "-device", "ticker,id=t1,bus=dn0",
         "-device", "xio3130-downstream,id=dn1,bus=up0,addr=1,chassis=4",
         "-device", "pxb-pcie,id=px0,bus_nr=64,addr=4",
         "-device", "pcie-root-port,id=rp2,bus=px0,addr=1,chassis=5"]
SLOT_CONTROL, SLOT_STATUS = 0x18, 0x1a


def ports_setup(m):
    """Set bus numbers and nested windows, use a device behind them, and start an unplug job."""
    port = Function(m, 0, 2).bridge(1, 1, window=(MMIO, MMIO))
    Function(m, 0, 3).bridge(2, 5, window=(MMIO + 0x200000, MMIO + 0x400000))
    Function(m, 2, 0).bridge(3, 5, 2, (MMIO + 0x200000, MMIO + 0x400000))
    Function(m, 3, 0).bridge(4, 4, 3, (MMIO + 0x300000, MMIO + 0x300000))
    Function(m, 3, 1).bridge(5, 5, 3)
    Function(m, 64, 1).bridge(65, 66, 64)
    for bus, at in ((1, MMIO), (4, MMIO + 0x300000)):
        ticker = Function(m, bus, 0).enable((0, at), (1, at + 0x1000))
        ticker.msix(at + 0x1000, [(RAM + 0x4000, 7, 0)], 0xc000)
        m.write(at + 4, 4, 3)
    port.set(port.capability(EXPRESS) + SLOT_CONTROL, 2, 0x03e1)
    m.ask("clock_step 3500000")
    m.command("device_del", id="t0")
    port.set(port.capability(EXPRESS) + SLOT_CONTROL, 2, 0x02e1)


def job(m):
    """Return the state of the only unplug job."""
    return [j["state"] for j in m.command("query-unplug-jobs")]


def power_off(m):
    """Do what Linux does at the end of an orderly removal. Returns the devices that are left."""
    port = Function(m, 0, 2)
    port.set(port.capability(EXPRESS) + SLOT_CONTROL, 2, 0x07e1)
    m.ask("clock_step 1000000")
    return Function(m, 1, 0).get(0)


def ports_checks(m):
    """Return checks of bus numbers, windows, decoding, and a job that continues to its end."""
    port, down = Function(m, 0, 2), Function(m, 3, 0)
    at = MMIO + 0x300000
    return [("bus numbers", lambda: down.get(0x18), 0x00040403),
            ("memory window", lambda: down.get(0x20), 0x40304030),
            ("bus numbers behind pxb", lambda: Function(m, 64, 1).get(0x18), 0x00424140),
            ("slot control", lambda: port.get(port.capability(EXPRESS) + SLOT_CONTROL, 2), 0x02e1),
            ("attention button", lambda: port.get(port.capability(EXPRESS) + SLOT_STATUS, 2) & 1, 1),
            ("the job", lambda: job(m), ["accepted"]),
            ("a ticker behind the switch", lambda: m.read(at, 4), TICK),
            ("its ticks", lambda: m.read(at + 12, 4), 3),
            ("one is held back by the function mask", lambda: m.read(at + 0x1800, 8) & 1, 1),
            ("the next tick", lambda: later(m, 500000, at + 12, 4), 4),
            ("the slot is empty at the end", lambda: power_off(m), 0xffffffff),
            ("the job at the end", lambda: job(m), ["removed"])]


# --- links that are down ---

LINKS = ["-device", "pcie-root-port,id=rp0,addr=2,chassis=1", "-device", "edu,id=e0,bus=rp0",
         "-device", "pcie-root-port,id=rp1,addr=3,chassis=2", "-device", "ticker,id=t1,bus=rp1",
         "-device", "pcie-root-port,id=rp2,addr=4,chassis=3", "-device", "ticker,id=t2,bus=rp2"]
LINK_CONTROL, LINK_STATUS, BRIDGE_CONTROL = 0x10, 0x12, 0x3e


def links_setup(m):
    """Disable one link, hold one bus in reset, and retrain one link with its event pending."""
    ports = [Function(m, 0, slot).bridge(slot - 1, slot - 1) for slot in (2, 3, 4)]
    link = [port.capability(EXPRESS) + LINK_CONTROL for port in ports]
    ports[0].set(link[0], 2, 0x10)
    ports[1].set(BRIDGE_CONTROL, 2, 0x40)
    ports[2].set(link[2], 2, 0x420)


def set_and_read(m, slot, reg, value):
    """Return the ids of the device below a port after a write to a register of the port."""
    port = Function(m, 0, slot)
    port.set(reg if reg >= BRIDGE_CONTROL else port.capability(EXPRESS) + reg, 2, value)
    return Function(m, slot - 1, 0).get(0)


def links_checks(m):
    """Return checks that a link that is down stays down until the guest enables it."""
    def reg(slot, at):
        port = Function(m, 0, slot)
        return port.get(port.capability(EXPRESS) + at, 2)
    return [("disabled", lambda: (reg(2, LINK_CONTROL), reg(2, LINK_STATUS)), (0x10, 0x11)),
            ("nothing below it", lambda: Function(m, 1, 0).get(0), 0xffffffff),
            ("its change", lambda: reg(2, SLOT_STATUS) >> 8 & 1, 1),
            ("held in reset", lambda: Function(m, 2, 0).get(0), 0xffffffff),
            ("retrained", lambda: (reg(4, LINK_CONTROL), reg(4, LINK_STATUS)), (0x400, 0x6011)),
            ("the device below it", lambda: Function(m, 3, 0).get(0), 0x71c41234),
            ("enabled", lambda: set_and_read(m, 2, LINK_CONTROL, 0), 0x11e81234),
            ("out of reset", lambda: set_and_read(m, 3, BRIDGE_CONTROL, 0), 0x71c41234)]


# --- virtio ---

MODERN = 1 << 32
VIRTIO = ["-device", "virtio-blk-pci,id=v0,drive=d0,addr=2,num-queues=2",
          "-device", "virtio-net-pci,id=v1,netdev=n0,mac=52:54:00:12:34:56,addr=3",
          "-device", "virtio-rng-pci,id=v2,addr=4", "-nic", "none"]
BLK_BAR, NET_BAR, RNG_BAR = 0x41000000, 0x42000000, 0x43000000
BLK_RING, NET_RING, RNG_RING = RAM + 0x20000, RAM + 0x30000, RAM + 0x40000


def virtio_setup(m):
    """Complete a request of the disk, submit receive buffers, and get entropy."""
    blk = Virtio(Function(m, 0, 2), BLK_BAR).start(MODERN, 2, BLK_RING)
    m.write(RAM + 0x50000, 4, 0)
    m.write(RAM + 0x50008, 8, 0)
    blk.offer(BLK_RING, 0, [(RAM + 0x50000, 16, False), (RAM + 0x51000, 512, True),
                            (RAM + 0x50010, 1, True)], kick=0)
    wait_used(m, blk, BLK_RING)
    net = Virtio(Function(m, 0, 3), NET_BAR).start(MODERN | 1 << 5, 2, NET_RING)
    net.offer(NET_RING, 0, [(RAM + 0x60000, 2048, True)], kick=0)
    net.offer(NET_RING, 1, [(RAM + 0x61000, 2048, True)], kick=0)
    rng = Virtio(Function(m, 0, 4), RNG_BAR).start(MODERN, 1, RNG_RING)
    rng.offer(RNG_RING, 0, [(RAM + 0x70000, 64, True)], kick=0)
    wait_used(m, rng, RNG_RING)
    for at in range(RAM + 0x70000, RAM + 0x70040, 8):
        m.write(at, 8, 0)


def wait_used(m, device, ring, count=1):
    """Wait for a back end that answers asynchronously."""
    until(f"{count} used buffers", lambda: device.used(ring) == count, 30, m.describe,
          lambda: device.used(ring))


def virtio_again(m, slot, bar, ring, chain):
    """Submit another request to a loaded queue. Returns the used index afterwards."""
    device = Virtio(Function(m, 0, slot), bar)
    device.offer(ring, 1, chain, kick=0)
    wait_used(m, device, ring, 2)
    return device.used(ring)


def virtio_state(m, slot, bar, reg, size, queue=0):
    """Return a register of the common configuration."""
    device = Virtio(Function(m, 0, slot), bar)
    m.write(device.common + 0x16, 2, queue)
    return m.read(device.common + reg, size)


def virtio_checks(m):
    """Return checks of status, ring addresses and indices, and that the queues continue."""
    return [("status of the disk", lambda: virtio_state(m, 2, BLK_BAR, 0x14, 1), 15),
            ("ring of the disk", lambda: virtio_state(m, 2, BLK_BAR, 0x20, 8, 1), BLK_RING + 0x1000),
            ("size of a queue", lambda: virtio_state(m, 2, BLK_BAR, 0x18, 2, 1), 8),
            ("status of the network device", lambda: virtio_state(m, 3, NET_BAR, 0x14, 1), 15),
            ("the MAC address", lambda: m.read(Virtio(Function(m, 0, 3), NET_BAR).part[4], 4),
             0x12005452),
            ("queue of the network device", lambda: virtio_state(m, 3, NET_BAR, 0x1c, 2, 1), 1),
            ("entropy used once", lambda: m.read(RNG_RING + 0x202, 2), 1),
            ("entropy again", lambda: virtio_again(
                m, 4, RNG_BAR, RNG_RING, [(RAM + 0x70000, 64, True)]), 2),
            ("a block again", lambda: virtio_again(
                m, 2, BLK_BAR, BLK_RING, [(RAM + 0x50000, 16, False), (RAM + 0x51000, 512, True),
                                          (RAM + 0x50010, 1, True)]), 2)]


FACES = ["-device", "virtio-rng-pci-transitional,id=v0,addr=2",
         "-device", "virtio-rng-pci-non-transitional,id=v1,addr=3",
         "-device", "virtio-blk-pci-transitional,id=v2,drive=d0,addr=4",
         "-device", "virtio-net-pci-transitional,id=v3,netdev=n0,addr=5",
         "-device", "virtio-blk-pci-non-transitional,id=v4,drive=d1,addr=6,packed=on",
         "-device", "virtio-net-pci-non-transitional,id=v5,netdev=n1,addr=7",
         "-nic", "none"]
FACES_HOST = ["-rtc", "base=2026-11-20,clock=vm",
        "-blockdev", "null-co,node-name=d1,size=1048576", "-netdev", "hubport,id=n1,hubid=0"]
PORT_IO = 0x3000000


def legacy_ring(m):
    """Return the used index of the legacy ring of 8 descriptors, which was set by page number."""
    return m.read(RAM + 0x10000 + 0x1000 + 2, 2)


def legacy_offer(m, index):
    """Submit one buffer for entropy by the legacy layout."""
    ring = RAM + 0x10000
    m.write(ring, 8, RAM + 0x70000)
    m.write(ring + 8, 4, 16)
    m.write(ring + 12, 2, 2)
    m.write(ring + 0x80 + 4 + 2 * index, 2, 0)
    m.write(ring + 0x80 + 2, 2, index + 1)
    m.write(PORT_IO + 0x1010, 2, 0)
    until(f"{index + 1} used buffers", lambda: legacy_ring(m) == index + 1, 30, m.describe,
          lambda: legacy_ring(m))
    for at in (RAM + 0x70000, RAM + 0x70008):
        m.write(at, 8, 0)
    return legacy_ring(m)


def faces_setup(m):
    """Use a legacy driver on the transitional entropy source, and modern ones elsewhere."""
    Function(m, 0, 2).enable((0, 0x1000), command=5)
    m.write(PORT_IO + 0x1012, 1, 3)
    m.write(PORT_IO + 0x1004, 4, 0)
    m.write(PORT_IO + 0x100e, 2, 0)
    m.write(PORT_IO + 0x1008, 4, (RAM + 0x10000) >> 12)
    m.write(PORT_IO + 0x1012, 1, 7)
    assert m.read(PORT_IO + 0x100c, 2) == 8
    legacy_offer(m, 0)
    rng = Virtio(Function(m, 0, 3), RNG_BAR).start(MODERN, 1, RNG_RING)
    rng.offer(RNG_RING, 0, [(RAM + 0x71000, 64, True)], kick=0)
    wait_used(m, rng, RNG_RING)
    for at in range(RAM + 0x71000, RAM + 0x71040, 8):
        m.write(at, 8, 0)
    Virtio(Function(m, 0, 6), BLK_BAR).start(MODERN | 1 << 34, 1, BLK_RING)


def faces_checks(m):
    """Return checks that both interfaces continue with their state."""
    return [("legacy status", lambda: m.read(PORT_IO + 0x1012, 1), 7),
            ("legacy queue", lambda: m.read(PORT_IO + 0x1008, 4), (RAM + 0x10000) >> 12),
            ("legacy ring used once", lambda: legacy_ring(m), 1),
            ("legacy ring again", lambda: legacy_offer(m, 1), 2),
            ("status of the disk with packed rings",
             lambda: virtio_state(m, 6, BLK_BAR, 0x14, 1), 15),
            ("entropy again", lambda: virtio_again(
                m, 3, RNG_BAR, RNG_RING, [(RAM + 0x71000, 64, True)]), 2)]


# --- bridges to conventional buses ---

BRIDGES = ["-device", "pci-bridge,id=br0,addr=2,chassis_nr=1", "-device", "edu,id=e0,bus=br0,addr=1",
           "-device", "pcie-root-port,id=rp0,addr=3,chassis=2",
           "-device", "pcie-pci-bridge,id=br1,bus=rp0", "-device", "edu,id=e1,bus=br1,addr=2"]


def bridges_setup(m):
    """Set windows over two edu devices, and assert the pins of both."""
    Function(m, 0, 2).bridge(1, 1, window=(MMIO, MMIO))
    Function(m, 0, 3).bridge(2, 3, window=(MMIO + 0x100000, MMIO + 0x200000))
    Function(m, 2, 0).bridge(3, 3, 2, (MMIO + 0x100000, MMIO + 0x100000))
    for bus, slot, at in ((1, 1, MMIO), (3, 2, MMIO + 0x100000)):
        Function(m, bus, slot).enable((0, at))
        m.write(at + 0x60, 4, 0x100 + bus)


def bridges_checks(m):
    """Return checks of decoding and pin levels behind both bridges."""
    return [("bus numbers", lambda: Function(m, 2, 0).get(0x18), 0x00030302),
            ("edu behind pci-bridge", lambda: m.read(MMIO, 4), EDU),
            ("edu behind pcie-pci-bridge", lambda: m.read(MMIO + 0x100000, 4), EDU),
            ("cause of the one", lambda: m.read(MMIO + 0x24, 4), 0x101),
            ("cause of the other", lambda: m.read(MMIO + 0x100024, 4), 0x103),
            ("its pin", lambda: Function(m, 3, 2).get(6, 2) >> 3 & 1, 1),
            ("acknowledged", lambda: (m.write(MMIO + 0x100064, 4, 0x103),
                                      Function(m, 3, 2).get(6, 2) >> 3 & 1)[1], 0)]


# --- a bus with a hot-plug controller ---

SHPC = ["-device", "pci-bridge,id=br0,addr=2,chassis_nr=1", "-device", "ticker,id=t0,bus=br0,addr=1",
        "-device", "edu,id=card,bus=br0,addr=3"]     # word-ok: an id in golden streams
SHPC_COMMAND, SHPC_SLOT_1 = 5, 9  # registers, by DWORD Select
POWER_ON, BLINK, POWER_OFF = 0x06, 0x08, 0x0f  # commands: slot state and indicators


def shpc_select(m, number):
    """Return the data register of the capability, with a register selected."""
    bridge = Function(m, 0, 2)
    at = bridge.capability(HOTPLUG)
    bridge.set(at + 2, 1, number)
    return bridge.ecam + at + 4


def shpc_say(m, what, slot=3):
    """Issue a command to a slot."""
    m.write(shpc_select(m, SHPC_COMMAND), 2, slot << 8 | what)


def shpc_slot(m, slot=3):
    """Return the register of a slot without its event bits: state, indicators, and so on."""
    return m.read(shpc_select(m, SHPC_SLOT_1 + slot - 1), 2)


def shpc_setup(m):
    """Use two devices. Request the unplug of one with a deadline, and accept it as the guest."""
    Function(m, 0, 2).bridge(1, 1, window=(MMIO, MMIO))
    Function(m, 1, 1).enable((0, MMIO + 0x10000))
    Function(m, 1, 3).enable((0, MMIO))
    m.write(MMIO + 0x60, 4, 0x103)
    m.write(MMIO + 0x10004, 4, 3)
    shpc_say(m, POWER_ON, slot=1)
    shpc_say(m, POWER_ON)
    m.ask("clock_step 3500000")
    m.command("unplug-request", id="card", timeout=1000)
    shpc_say(m, BLINK)
    m.ask("clock_step 400000000")


def shpc_eject(m):
    """Eject the device as the guest. Returns the value of its id register, and the job."""
    shpc_say(m, POWER_OFF)
    m.ask("clock_step 1000000")
    return Function(m, 1, 3).get(0), job(m)


def shpc_checks(m):
    """Return checks of both slots, their devices, and the active job, whose deadline counts guest
    time."""
    return [("the job", lambda: job(m), ["accepted"]),
            ("slot 1: on, its light too", lambda: shpc_slot(m, 1) & 0x3f, 0x36),
            ("slot 3: on, its light blinks", lambda: shpc_slot(m) & 0x3f, 0x3a),
            ("edu", lambda: m.read(MMIO, 4), EDU),
            ("its cause", lambda: m.read(MMIO + 0x24, 4), 0x103),
            ("ticks of the other device", lambda: m.read(MMIO + 0x1000c, 4) >= 3, True),
            ("still accepted half a second later", lambda: (
                m.ask("clock_step 500000000"), job(m))[1], ["accepted"]),
            ("ejected", lambda: shpc_eject(m), (0xffffffff, ["removed"])),
            ("the slot is off", lambda: shpc_slot(m) & 3, 3),
            ("the other device continues", lambda: m.read(MMIO + 0x10000, 4), TICK)]


# --- nvme ---

NVME = ["-device", "nvme,id=nv0,drive=d0,serial=golden,addr=2,max_ioqpairs=3,msix_qsize=4", "-nic", "none"]
NVME_BAR, NVME_QUEUES, NVME_DATA = 0x40000000, RAM + 0x10000, RAM + 0x30000


def nvme_command(m, queue, index, opcode, cdw10=0, cdw11=0, prp=NVME_DATA):
    """Place a command and write the doorbell."""
    at = NVME_QUEUES + 0x2000 * queue + 64 * index
    for offset, size, value in ((0, 4, opcode | (index + 1) << 16), (4, 4, queue), (8, 8, 0), (16, 8, 0),
                                (24, 8, prp), (32, 8, 0), (40, 4, cdw10), (44, 4, cdw11), (48, 8, 0), (56, 8, 0)):
        m.write(at + offset, size, value)
    m.write(NVME_BAR + 0x1000 + 8 * queue, 4, index + 1)


def nvme_completion(m, queue, index):
    """Return result, identifier and status of a completion, or None."""
    at = NVME_QUEUES + 0x2000 * queue + 0x1000 + 16 * index
    dword = m.read(at + 12, 4)
    return (m.read(at, 4), dword & 0xffff, dword >> 17) if dword >> 16 & 1 else None


def nvme_enable(m):
    """Enable the controller with an admin queue."""
    f = Function(m, 0, 2).enable((0, NVME_BAR), (1, 0))
    f.msix(NVME_BAR + 0x2000, [(RAM + 0x9000 + 4 * n, 0x70 + n, n & 1) for n in range(4)])
    m.write(NVME_BAR + 0x24, 4, 15 << 16 | 15)
    m.write(NVME_BAR + 0x28, 8, NVME_QUEUES)
    m.write(NVME_BAR + 0x30, 8, NVME_QUEUES + 0x1000)
    m.write(NVME_BAR + 0x14, 4, 0x460001)


def nvme_setup(m):
    """Two queue pairs, an event request, no write cache, and a completion for which there is no room."""
    nvme_enable(m)
    nvme_command(m, 0, 0, 5, 1 << 16 | 1, 1 << 16 | 3, NVME_QUEUES + 0x3000)   # two entries, vector 1
    nvme_command(m, 0, 1, 1, 7 << 16 | 1, 1 << 16 | 1, NVME_QUEUES + 0x2000)
    nvme_command(m, 0, 2, 12)
    nvme_command(m, 0, 3, 9, 0x06, 0)
    for index in range(2):
        nvme_command(m, 1, index, 0x7f)     # unknown, so that it completes immediately
    assert nvme_completion(m, 1, 0) == (0, 1, 0x4001) and not nvme_completion(m, 1, 1)


def nvme_after(m, queue, index, act, *args):
    """Act, and return the completion."""
    act(*args)
    return nvme_completion(m, queue, index)


def nvme_checks(m):
    """Return checks of registers, queues, features and events."""
    return [("csts", lambda: m.read(NVME_BAR + 0x1c, 4), 1),
            ("asq", lambda: m.read(NVME_BAR + 0x28, 8), NVME_QUEUES),
            ("a completion without room", lambda: nvme_completion(m, 1, 1), None),
            ("the completion when there is room",
             lambda: nvme_after(m, 1, 1, m.write, NVME_BAR + 0x100c, 4, 1), (0, 2, 0x4001)),
            ("the write cache", lambda: nvme_after(m, 0, 3, nvme_command, m, 0, 4, 10, 6), (0, 5, 0)),
            ("an event", lambda: nvme_after(m, 0, 4, m.write, NVME_BAR + 0x1018, 4, 1), (0x10000, 3, 0)),
            ("the pending bit of vector 1", lambda: m.read(NVME_BAR + 0x3000, 4), 2)]


NVME_NS = ["-device", "nvme,id=nv0,serial=golden,addr=2,max_ioqpairs=3,msix_qsize=4", "-device",
           "nvme-ns,id=ns0,drive=d0,bus=nv0,nsid=3", "-nic", "none"]


def nvme_ns_setup(m):
    """A queue pair, and a read of namespace 3, which has the number of the queue."""
    nvme_enable(m)
    nvme_command(m, 0, 0, 5, 7 << 16 | 3, 3 << 16 | 3, NVME_QUEUES + 0x7000)
    nvme_command(m, 0, 1, 1, 7 << 16 | 3, 3 << 16 | 1, NVME_QUEUES + 0x6000)
    assert nvme_after(m, 3, 0, nvme_command, m, 3, 0, 2) == (0, 1, 0)


def nvme_ns_checks(m):
    """Return checks of a read, and of the counter of the reads of all namespaces in the SMART log page."""
    return [("a read", lambda: nvme_after(m, 3, 1, nvme_command, m, 3, 1, 2), (0, 2, 0)),
            ("the log page", lambda: nvme_after(m, 0, 2, nvme_command, m, 0, 2, 2, 127 << 16 | 2), (0, 3, 0)),
            ("the reads", lambda: m.read(NVME_DATA + 64, 8), 2)]


# --- virtio-serial ---

SERIAL = ["-device", "virtio-serial-pci,id=vs0,addr=2,max_ports=4",
          "-device", "virtconsole,id=con0,chardev=c0",
          "-device", "virtserialport,id=port2,nr=2,chardev=c1,name=org.example.agent"]
SERIAL_HOST = ["-chardev", "ringbuf,id=c0", "-chardev", "ringbuf,id=c1"]
SERIAL_BAR, SERIAL_RING, SERIAL_BUFFERS = 0x44000000, RAM + 0x20000, RAM + 0x30000
CONTROL_IN, CONTROL_OUT, MULTIPORT = 2, 3, 1 << 1
DEVICE_READY, PORT_READY, CONSOLE_PORT, PORT_OPEN = 0, 3, 4, 6


def serial_device(m):
    """Return the device, with its registers located as a driver locates them."""
    return Virtio(Function(m, 0, 2), SERIAL_BAR)


def serial_ring(queue):
    """Return the address of the ring of a queue."""
    return SERIAL_RING + 0x1000 * queue


def serial_put(m, queue, index, text):
    """Submit one buffer of bytes to the device. Returns the used index afterwards."""
    device, at = serial_device(m), SERIAL_BUFFERS + 0x1000 * queue + 0x100 * index
    for i, byte in enumerate(text):
        m.write(at + i, 1, byte)
    device.offer(serial_ring(queue), index, [(at, len(text), False)], kick=queue)
    wait_used(m, device, serial_ring(queue), index + 1)
    return device.used(serial_ring(queue))


def serial_control(m, index, port, event, value):
    """Send a control message."""
    return serial_put(m, CONTROL_OUT, index, port.to_bytes(4, "little") +
                      event.to_bytes(2, "little") + value.to_bytes(2, "little"))


def serial_heard(m, index):
    """Return (port, event, value) of a control message that was received."""
    at = SERIAL_BUFFERS + 0x1000 * CONTROL_IN + 0x100 * index
    return m.read(at, 4), m.read(at + 4, 2), m.read(at + 6, 2)


def serial_setup(m):
    """Act as a driver that was notified of all ports and opened both. A buffer waits for input."""
    device = serial_device(m).start(MODERN | MULTIPORT, 8, SERIAL_RING)
    for i in range(8):
        device.offer(serial_ring(CONTROL_IN), i,
                     [(SERIAL_BUFFERS + 0x1000 * CONTROL_IN + 0x100 * i, 64, True)])
    serial_control(m, 0, 0xffffffff, DEVICE_READY, 1)
    wait_used(m, device, serial_ring(CONTROL_IN), 2)
    serial_control(m, 1, 0, PORT_READY, 1)
    serial_control(m, 2, 2, PORT_READY, 1)
    serial_control(m, 3, 0, PORT_OPEN, 1)
    serial_control(m, 4, 2, PORT_OPEN, 1)
    device.offer(serial_ring(6), 0, [(SERIAL_BUFFERS + 0x6000, 64, True)], kick=6)
    serial_put(m, 7, 0, b"before")
    assert m.command("ringbuf-read", device="c1", size=64) == "before"


def serial_again(m, port, index):
    """Return what the host receives from a port that writes once more."""
    serial_put(m, 1 if port == 0 else 2 * port + 3, index, b"after")
    return m.command("ringbuf-read", device="c1" if port else "c0", size=64)


def serial_checks(m):
    """Return checks of features, queues, and ports that are still open at both ends."""
    return [("status", lambda: virtio_state(m, 2, SERIAL_BAR, 0x14, 1), 15),
            ("number of queues", lambda: virtio_state(m, 2, SERIAL_BAR, 0x12, 2), 10),
            ("ring of a port", lambda: virtio_state(m, 2, SERIAL_BAR, 0x20, 8, 7), serial_ring(7)),
            ("a queue that is not set up", lambda: virtio_state(m, 2, SERIAL_BAR, 0x1c, 2, 8), 0),
            ("places", lambda: m.read(serial_device(m).part[4] + 4, 4), 4),
            ("message for port 0", lambda: serial_heard(m, 0), (0, 1, 1)),
            ("message for port 2", lambda: serial_heard(m, 1), (2, 1, 1)),
            ("port 0 is a console", lambda: serial_heard(m, 2), (0, CONSOLE_PORT, 1)),
            ("output of port 2", lambda: serial_again(m, 2, 1), "after"),
            ("output of the console", lambda: serial_again(m, 0, 0), "after"),
            ("control continues", lambda: serial_control(m, 5, 2, PORT_OPEN, 0), 6)]


# --- small devices: a watchdog that counts, pvpanic, a balloon ---

SMALL = ["-device", "i6300esb,id=w0,addr=2", "-device", "pvpanic-pci,id=p0,addr=3,events=1",
         "-device", "virtio-balloon-pci,id=b0,addr=4"]
SMALL_HOST = ["-watchdog-action", "none"]
WATCHDOG, PANIC, BALLOON_BAR = MMIO, MMIO + 0x1000, MMIO + 0x100000
BALLOON_RING, BALLOON_PAGE = RAM + 0x20000, RAM + 0xf0000
UNIT_NS = 983040


def watchdog_unlock(m):
    """Unlock one write of a register of the watchdog."""
    m.write(WATCHDOG + 12, 2, 0x80)
    m.write(WATCHDOG + 12, 2, 0x86)


def balloon_device(m):
    """Return the balloon."""
    return Virtio(Function(m, 0, 4), BALLOON_BAR)


def small_setup(m):
    """Start and lock the watchdog, let its first stage end, and inflate the balloon by a page."""
    Function(m, 0, 3).enable((0, PANIC), command=2)
    watchdog = Function(m, 0, 2).enable((0, WATCHDOG), command=2)
    for register, units in ((0, 10), (4, 20)):
        watchdog_unlock(m)
        m.write(WATCHDOG + register, 4, units)
    watchdog.set(0x60, 2, 3)
    watchdog.set(0x68, 1, 3)
    m.ask(f"clock_step {15 * UNIT_NS}")
    m.command("balloon", value=0x80000)
    device = balloon_device(m).start(MODERN, 2, BALLOON_RING)
    m.write(BALLOON_PAGE, 4, 0x12345678)
    m.write(RAM + 0x30000, 4, BALLOON_PAGE >> 12)
    device.offer(BALLOON_RING, 0, [(RAM + 0x30000, 4, False)], kick=0)
    wait_used(m, device, BALLOON_RING, 1)
    m.write(device.part[4] + 4, 4, 1)


def small_checks(m):
    """Return checks of registers, of the remaining time, and of the balloon."""
    def part():
        return balloon_device(m).part[4]
    return [("preload", lambda: m.read(WATCHDOG + 4, 4), 20),
            ("lock", lambda: Function(m, 0, 2).get(0x68, 1), 3),
            ("configuration", lambda: Function(m, 0, 2).get(0x60, 2), 3),
            ("events of pvpanic", lambda: m.read(PANIC, 1), 1),
            ("pages that the host requests", lambda: m.read(part(), 4), 128),
            ("pages in the balloon", lambda: m.read(part() + 4, 4), 1),
            ("size of the guest", lambda: m.command("query-balloon")["actual"], 0xff000),
            ("the page in the balloon", lambda: m.read(BALLOON_PAGE, 4), 0),
            ("not expired", lambda: later(m, 15 * UNIT_NS - 1, WATCHDOG + 12, 2), 0),
            ("expired", lambda: later(m, 1, WATCHDOG + 12, 2), 0x1200),
            ("unlocked by the expiry", lambda: Function(m, 0, 2).get(0x68, 1), 0)]


# --- a display ---

VRAM, VBE = MMIO + 0x1000000, MMIO + 0x100000


def display_setup(m):
    """Set a mode with all registers and draw at both ends of the memory."""
    set_board(m)
    Function(m, 0, 2).enable((0, VRAM), (2, VBE), command=2)
    for index, value in enumerate((640, 480, 32, 0x41, 3, 800, 1200, 8, 16), 1):
        m.write(VBE + 0x500 + 2 * index, 2, value)
    m.write(VBE + 0x604, 4, 0xbebebebe)
    m.write(VRAM, 8, 0x1122334455667788)
    m.write(VRAM + 0x3ffff8, 8, 0x99aabbccddeeff00)
    m.ask("clock_step 120000")


def display_checks(m):
    """Return the values that display_setup() set."""
    return board_checks(m) + [
        *((f"register {index}", lambda i=index: m.read(VBE + 0x500 + 2 * i, 2), value)
          for index, value in enumerate((640, 480, 32, 0x41, 3, 800, 1200, 8, 16), 1)),
        ("byte order", lambda: m.read(VBE + 0x604, 4), 0xbebebebe),
        ("first pixels", lambda: m.read(VRAM, 8), 0x1122334455667788),
        ("last pixels", lambda: m.read(VRAM + 0x3ffff8, 8), 0x99aabbccddeeff00),
        ("a store", lambda: m.write(VRAM + 8, 4, 7) or m.read(VRAM + 8, 4), 7)]


# --- NUMA nodes ---

NUMA = ["-smp", "3", "-numa", "node,cpus=0,mem=512k", "-numa", "node,cpus=1-2,mem=512k", "-numa",
        "dist,src=0,dst=1,val=20"]
PLIC_1, CLINT_1 = 0xc600000, 0x2010000


def numa_setup(m):
    """Set up the controllers of node 1: harts 1 and 2, of which hart 2 is the second."""
    m.write(PLIC_1 + 4 * 33, 4, 5)
    m.write(PLIC_1 + 0x2000 + 3 * 0x80 + 4, 4, 0xf)
    m.write(PLIC_1 + 0x203000, 4, 3)
    m.write(PLIC + 4 * 10, 4, 2)
    m.write(CLINT_1 + 4, 4, 1)
    m.write(CLINT_1 + 0x4000, 8, 0x123456789a)
    m.write(CLINT_1 + 0x4008, 8, 1000)
    m.write(0x80080000, 8, 0x1122334455667788)


def numa_checks(m):
    """Return the values that numa_setup() set."""
    return [("priority in node 1", lambda: m.read(PLIC_1 + 4 * 33, 4), 5),
            ("enabled for hart 2", lambda: m.read(PLIC_1 + 0x2000 + 3 * 0x80 + 4, 4), 0xf),
            ("threshold of hart 2", lambda: m.read(PLIC_1 + 0x203000, 4), 3),
            ("no third hart in node 1", lambda: m.read(PLIC_1 + 0x2000 + 4 * 0x80 + 4, 4), 0),
            ("priority in node 0", lambda: m.read(PLIC + 4 * 10, 4), 2),
            ("no priority of it in node 1", lambda: m.read(PLIC_1 + 4 * 10, 4), 0),
            ("software interrupt of hart 2", lambda: m.read(CLINT_1 + 4, 4), 1),
            ("comparison of hart 1", lambda: m.read(CLINT_1 + 0x4000, 8), 0x123456789a),
            ("comparison of hart 2", lambda: m.read(CLINT_1 + 0x4008, 8), 1000),
            ("memory of node 1", lambda: m.read(0x80080000, 8), 0x1122334455667788)]


# --- qemu-xhci ---

XHCI_BAR, XHCI_AT = 0x40000000, RAM + 0x10000
XHCI_PORT = XHCI_BAR + 0x440 + 0x10 * 3     # port 1 of the bus, as p3=3


def xhci_trb(m, ring, index, parameter, status, control):
    """Place a TRB: ring 0 is that of commands, 1 and 2 those of endpoint 0 and of the interrupt endpoint."""
    at = XHCI_AT + 0x1000 * ring + 16 * index
    for offset, size, value in ((0, 8, parameter), (8, 4, status), (12, 4, control | 1)):
        m.write(at + offset, size, value)


def xhci_command(m, index, parameter, control):
    """Execute a command."""
    xhci_trb(m, 0, index, parameter, 0, control)
    m.write(XHCI_BAR + 0x2000, 4, 0)


def xhci_poll(m, index):
    """Offer a TD of the interrupt endpoint."""
    xhci_trb(m, 2, index, XHCI_AT + 0x8000 + 16 * index, 8, 1 << 10 | 0x24)
    m.write(XHCI_BAR + 0x2004, 4, 3)


def xhci_context(m, index, *words):
    """Fill a context of the input context."""
    for n, word in enumerate(words):
        m.write(XHCI_AT + 0x6000 + 32 * index + 4 * n, 4, word)


def xhci_setup(m):
    """A tablet, configured, with a TD that waits; the wrap timer of MFINDEX; one vector masked and pending."""
    f = Function(m, 0, 2).enable((0, XHCI_BAR), (1, 0))
    f.msix(XHCI_BAR + 0x3000, [(RAM + 0x9000, 0x70, 1)])
    m.write(XHCI_AT + 0x4000, 8, XHCI_AT + 0x3000)      # the segment table of the event ring
    m.write(XHCI_AT + 0x4008, 8, 32)
    m.write(XHCI_AT + 0x5008, 8, XHCI_AT + 0x7000)      # the device context of slot 1
    for at, size, value in ((0x78, 4, 2), (0x70, 8, XHCI_AT + 0x5000), (0x58, 8, XHCI_AT | 1), (0x1028, 4, 1),
                            (0x1038, 8, XHCI_AT + 0x3000), (0x1030, 8, XHCI_AT + 0x4000), (0x1020, 4, 2),
                            (0x40, 4, 0x405)):
        m.write(XHCI_BAR + at, size, value)
    m.write(XHCI_PORT, 4, 0x210)
    xhci_command(m, 0, 0, 9 << 10)
    xhci_context(m, 0, 0, 3)
    xhci_context(m, 1, 1 << 27, 4 << 16)
    xhci_context(m, 2, 0, 4 << 3 | 64 << 16, XHCI_AT + 0x1001 & 0xffffffff)
    xhci_command(m, 1, XHCI_AT + 0x6000, 1 << 24 | 11 << 10)
    xhci_context(m, 0, 0, 9)
    xhci_context(m, 1, 3 << 27)
    xhci_context(m, 4, 0, 7 << 3 | 8 << 16, XHCI_AT + 0x2001 & 0xffffffff)
    xhci_command(m, 2, XHCI_AT + 0x6000, 1 << 24 | 12 << 10)
    xhci_trb(m, 1, 0, 0x0001_0900, 8, 2 << 10 | 0x40)
    xhci_trb(m, 1, 1, 0, 0, 4 << 10 | 0x10000)
    xhci_trb(m, 1, 2, 0x0a00_0a21, 8, 2 << 10 | 0x40)   # an idle rate of 40 ms
    xhci_trb(m, 1, 3, 0, 0, 4 << 10 | 0x10000)
    m.write(XHCI_BAR + 0x2004, 4, 1)
    xhci_poll(m, 0)
    m.ask("clock_step 1000000")


def xhci_event(m, index):
    """Return type and code of an event, and the cycle bit."""
    control = m.read(XHCI_AT + 0x3000 + 16 * index + 12, 4)
    return (control >> 10 & 63, m.read(XHCI_AT + 0x3000 + 16 * index + 11, 1), control & 1)


def xhci_awaited(m, index, act, *args):
    """Act, and return the event, which a bottom half may write after the act."""
    act(*args)
    for _ in range(10000):
        if xhci_event(m, index)[2]:
            break
    return xhci_event(m, index)


def xhci_checks(m):
    """Return checks of registers, contexts, the TD and the timers."""
    return [("usbcmd", lambda: m.read(XHCI_BAR + 0x40, 4), 0x405),
            ("usbsts", lambda: m.read(XHCI_BAR + 0x44, 4), 0x18),
            ("the port", lambda: m.read(XHCI_PORT, 4), 0x220e03),
            ("dcbaap", lambda: m.read(XHCI_BAR + 0x70, 8), XHCI_AT + 0x5000),
            ("erdp", lambda: m.read(XHCI_BAR + 0x1038, 8), XHCI_AT + 0x3008),
            ("mfindex", lambda: m.read(XHCI_BAR + 0x1000, 4), 8),
            ("the pending bit", lambda: m.read(XHCI_BAR + 0x3800, 4), 1),
            ("no event", lambda: xhci_event(m, 3), (0, 0, 0)),
            ("the report of the idle rate", lambda: xhci_awaited(m, 3, m.ask, "clock_step 40000000"), (32, 13, 1)),
            ("a command", lambda: xhci_awaited(m, 4, xhci_command, m, 3, 0, 23 << 10), (33, 1, 1)),
            ("the wrap of MFINDEX", lambda: xhci_awaited(m, 5, m.ask, "clock_step 2048000000"), (39, 1, 1))]


class Recipe:
    """One golden stream."""

    def __init__(self, name, machine, devices, setup, checks, host=(), older=False,
                 bios=None):
        self.name, self.setup, self.checks = name, setup, checks
        self.older = older  # another record format than the current one
        self.host = HOST + list(host)
        self.bios = bios  # code that a hart runs; without it the harts are stopped and qtest drives
                          # the machine
        self.args = ["-M", machine, "-m", "4" if bios else "1", *devices]
        self.path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden", name + ".gz")


RECIPES = [
    Recipe("aia", "virt-0.1,aia=aplic-imsic", ENDPOINTS, aia_setup, aia_checks),
    Recipe("plic", "virt-0.1,aia=none", ENDPOINTS, plic_setup, plic_checks),
    Recipe("aplic", "virt-0.1,aia=aplic,aclint=on", ENDPOINTS, aplic_setup, aplic_checks),
    Recipe("hart", "virt-0.1", [], hart_setup, hart_checks, bios=HART),
    Recipe("ports", "virt-0.1", PORTS, ports_setup, ports_checks),
    # written by a build that did not omit the empty end of an Express config space
    Recipe("ports-whole-config", "virt-0.1", PORTS, ports_setup, ports_checks, older=True),
    Recipe("virtio", "virt-0.1", VIRTIO, virtio_setup, virtio_checks),
    Recipe("virtio-faces", "virt-0.1", FACES, faces_setup, faces_checks, FACES_HOST),
    Recipe("bridges", "virt-0.1", BRIDGES, bridges_setup, bridges_checks),
    Recipe("shpc", "virt-0.1", SHPC, shpc_setup, shpc_checks),
    Recipe("serial", "virt-0.1", SERIAL, serial_setup, serial_checks, SERIAL_HOST),
    Recipe("nvme", "virt-0.2", NVME, nvme_setup, nvme_checks),
    Recipe("nvme-ns", "virt-0.3", NVME_NS, nvme_ns_setup, nvme_ns_checks),
    Recipe("plic-0.2", "virt-0.2", ENDPOINTS, plic_setup, plic_checks),
    Recipe("ports-0.2", "virt-0.2", PORTS, ports_setup, ports_checks),
    Recipe("links-0.2", "virt-0.2", LINKS, links_setup, links_checks),
    Recipe("virtio-0.2", "virt-0.2", VIRTIO, virtio_setup, virtio_checks),
    Recipe("bridges-0.2", "virt-0.2", BRIDGES, bridges_setup, bridges_checks),
    Recipe("small-0.3", "virt-0.3", SMALL, small_setup, small_checks, SMALL_HOST),
    Recipe("display-0.2", "virt-0.2", ["-device", "bochs-display,id=vga0,addr=2,vgamem=4M"],
           display_setup, display_checks),
    Recipe("extensions-0.3", "virt-0.3", ["-cpu", "rv64,sscofpmf=on,smstateen=on,sdtrig=on"],
           extensions_setup, extensions_checks),
    Recipe("numa-0.3", "virt-0.3", NUMA, numa_setup, numa_checks),
    Recipe("usb-0.3", "virt-0.3", ["-device", "qemu-xhci,id=usb,addr=2,p2=4,p3=3", "-device", "usb-tablet"],
           xhci_setup, xhci_checks),
]
