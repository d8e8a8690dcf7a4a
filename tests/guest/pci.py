# SPDX-License-Identifier: GPL-2.0-or-later
"""The PCI bus as the guest sees it: functions, each type of interrupt, and the memory balloon."""

import re
from pathlib import Path

from emulator import Emulator
from guest import MSI_MACHINE, arguments, need_devices, shell_ready
from subject import EDU, TICKER, Subject, check, test
from waiting import until

TREE = ["-device", "pcie-root-port,id=rp1,addr=02.0,chassis=1,slot=1",
        "-device", "x3130-upstream,id=up,bus=rp1,addr=00.0",
        "-device", "xio3130-downstream,id=dn0,bus=up,addr=00.0,chassis=2,slot=0",
        "-device", "xio3130-downstream,id=dn1,bus=up,addr=01.0,chassis=2,slot=1",
        "-device", "virtio-rng-pci,bus=dn1,addr=00.0",
        "-device", "pcie-pci-bridge,id=br,addr=05.0",
        "-device", "edu,bus=br,addr=03.0",
        "-device", "edu,addr=07.0", "-device", "edu,addr=1f.0"]
TREE_SEEN = {   # guest address -> id of the device, for the topology above
    "00:02.0": "1b36:000c", "01:00.0": "104c:8232", "02:00.0": "104c:8233", "02:01.0": "104c:8233",
    "04:00.0": "1af4:1044", "00:05.0": "1b36:000e", "05:03.0": "1234:11e8", "00:07.0": "1234:11e8",
    "00:1f.0": "1234:11e8"}


@test
def lspci(subject: Subject) -> None:
    """The guest finds every device of the command line at the requested address."""
    text = subject.boot(arguments(run="lspci -n; lspci -vvv") + TREE)
    seen = dict(re.findall(r"^([0-9a-f:.]{7}) [0-9a-f]{4}: ([0-9a-f:]{9})", text, re.MULTILINE))
    for address, ident in TREE_SEEN.items():
        check(seen.get(address) == ident, f"no {ident} at {address}", text)
    if not subject.is_qemu:
        text = subject.boot(arguments(run="lspci -vvv -s 00:07.0") + [
            "-device", "edu,addr=07.0,vpd=on,vpd-part=BP-42,vpd-serial=0815"])
        for wanted in ("Vital Product Data", "Product Name: ", "Part number: BP-42",
                       "Serial number: 0815"):
            check(wanted in text, f"no '{wanted}'", text)
    for header in ("!!! Unknown header type", "rev ff"):
        check(header not in text, f"lspci saw '{header}'", text)


IRQS = (Path(__file__).parent / "scripts/irqs").read_text()


def irq_report(text: str, device: str) -> list[tuple[str, int, str]]:
    """Return the driver's reports on one device type: (type of interrupt, count, last result) each.
    """
    found = re.findall(rf"^{device} \S+ irq=(\S+) vector=\d+ irqs=(\d+) last=(\S+)", text,
                       re.MULTILINE)
    check(len(found) == 2, f"not two reports of {device}", text)
    return [(kind, int(count), last) for kind, count, last in found]


def check_counting(text: str, device: str, kind: str, chip: str, grows: bool) -> None:
    """Check that the devices interrupt by `kind` through `chip`, and that their self-test passed.
    """
    first, second = irq_report(text, device)
    check(first[0] == kind, f"{device} uses {first[0]}, not {kind}", text)
    check(second[2] == "ok", f"{device}: {second[2]}", text)
    check(first[1] > 0, f"{device} never interrupted", text)
    check(not grows or second[1] > first[1] + 20, f"{device} does not count", text)
    check(re.search(rf"{chip}.*bpdrv-{device}", text), f"{device} is not on {chip}", text)


@test
def msi_imsic(subject: Subject) -> None:
    """ticker's MSI-X and edu's MSI are delivered through the IMSIC."""
    subject.need_aia()
    text = subject.boot(arguments("hotplug", machine=MSI_MACHINE, run=IRQS) +
                        ["-device", TICKER, "-device", EDU])
    check_counting(text, "ticker", "MSI-X", "PCI-MSIX", True)
    check_counting(text, "edu", "MSI", "PCI-MSI", False)


@test
def pxb_pcie(subject: Subject) -> None:
    """Linux scans a ticker below a port of an extra root bus, and its MSI-X interrupts arrive."""
    subject.need_aia()
    text = subject.boot(arguments("hotplug", machine=MSI_MACHINE, run=IRQS) + [
        "-device", "pxb-pcie,bus_nr=16,id=x1", "-device", "pcie-root-port,bus=x1,id=rp",
        "-device", TICKER.split(",")[0] + ",bus=rp"])
    check_counting(text, "ticker", "MSI-X", "PCI-MSIX", True)


@test
def intx_aplic(subject: Subject) -> None:
    """With msix=off and msi=off both devices use INTx, through the APLIC."""
    subject.need_aia()
    text = subject.boot(arguments("hotplug", machine=MSI_MACHINE, run=IRQS) + [
        "-device", TICKER + ",msix=off", "-device", EDU + ",msi=off"])
    check_counting(text, "ticker", "INTx", "APLIC", True)
    check_counting(text, "edu", "INTx", "APLIC", False)


@test
def intx_plic(subject: Subject) -> None:
    """With msix=off and msi=off both devices use INTx, through the PLIC of the default machine."""
    text = subject.boot(arguments("hotplug", run=IRQS) + [
        "-device", TICKER + ",msix=off", "-device", EDU + ",msi=off"])
    check_counting(text, "ticker", "INTx", "PLIC", True)
    check_counting(text, "edu", "INTx", "PLIC", False)


@test
def intx_user(subject: Subject) -> None:
    """Quickstart's shell drivers, with a separate INTx line each and a ticker that is faster than
    its driver. A driver never waits for an interrupt that had arrived before the wait."""
    subject.need_aia()
    args = arguments(machine=MSI_MACHINE) + [
        "-device", "ticker,addr=04.0,period-ns=20000000", "-device", "edu,addr=05.0"]
    need_devices(subject.program, args)
    with Emulator(subject.program, args, echo=subject.echo) as machine:
        shell_ready(machine)
        machine.shell("touch /tmp/ticker /tmp/edu; sh /scripts/uio >/dev/null 2>&1 </dev/null")
        for file, lines in (("ticker", 20), ("edu", 5)):
            machine.shell_value(f"{lines} lines in /tmp/{file}", f"wc -l </tmp/{file}",
                                lambda text, lines=lines: int(text) > lines, 60)
        answers = machine.shell("head -n 5 /tmp/edu").split("\n")
        check(answers[4].strip() == "5! = 120", "edu's driver has it wrong", str(answers))


@test
def edu_plic(subject: Subject) -> None:
    """edu alone on the PLIC, without MSI. QEMU can pass this test, too."""
    text = subject.boot(arguments("hotplug", run=IRQS) + ["-device", EDU])
    check_counting(text, "edu", "INTx", "PLIC", False)


# --- virtio-balloon ---

MIB = 1 << 20
# Provide 96 MiB of memory, and free it.
FILL = "dd if=/dev/zero of=/tmp/fill bs=1M count=96 2>/dev/null; rm /tmp/fill"


def resident_mib(machine: Emulator) -> int:
    """MiB of memory that the host provides, most of which belongs to the guest."""
    text = Path(f"/proc/{machine.pid}/status").read_text(encoding="ascii")
    return int(text.split("VmRSS:")[1].split()[0]) >> 10


def total_mib(machine: Emulator) -> int:
    """MiB of memory that the guest's kernel has."""
    return int(machine.shell("grep MemTotal /proc/meminfo").split()[1]) >> 10


@test
def balloon(subject: Subject) -> None:
    """The balloon inflates and deflates, the host gets memory back, and statistics arrive."""
    args = arguments() + ["-device", "virtio-balloon-pci,id=b,free-page-reporting=on"]
    need_devices(subject.program, args)
    with Emulator(subject.program, args, echo=subject.echo) as machine:
        shell_ready(machine)
        machine.shell(FILL, 60)
        full, before = total_mib(machine), resident_mib(machine)
        machine.qmp.command("balloon", value=128 * MIB)
        until("the balloon to inflate", lambda: machine.qmp.command("query-balloon")["actual"] ==
              128 * MIB, 60)
        check(machine.qmp.wait_event("BALLOON_CHANGE")["data"]["actual"] < 256 * MIB, "event", "")
        check(total_mib(machine) <= full - 120, "the guest kept its memory", total_mib(machine))
        check(resident_mib(machine) <= before - 64, "the host got less than 64 MiB",
              f"{before} MiB before, {resident_mib(machine)} MiB after")
        path = "/machine/peripheral/b"
        machine.qmp.command("qom-set", path=path, property="guest-stats-polling-interval", value=1)
        until("statistics", lambda: 0 < machine.qmp.command("qom-get", path=path,
              property="guest-stats")["stats"]["stat-total-memory"] < 256 * MIB, 30)
        machine.qmp.command("balloon", value=256 * MIB)
        until("the balloon to deflate", lambda: machine.qmp.command("query-balloon")["actual"] ==
              256 * MIB, 60)
        check(total_mib(machine) == full, "the guest did not get its memory back", full)
        machine.send("exit\n")
        check(machine.wait() == 0, "a status other than 0", machine.console[-500:])
