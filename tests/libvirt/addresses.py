#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""PCI addresses that libvirt assigns: identical with QEMU, and stable.

Each domain is defined with this emulator and with QEMU; libvirt assigns the addresses. Those in the
XML of both must be equal, and each emulator must have its functions there (query-pci; of QEMU only
those on the root bus, because it has no bus numbers without firmware). With this emulator the
addresses remain after destroy and start, a restart of the daemon and a migration. These domains are
paused. Linux then boots in the domain, and must find each device behind the bridges that the XML names.

usage: addresses.py [--emulator PROGRAM] [--control QEMU]

The exit status is 0 if all checks succeeded, 1 if one failed, and 77 if the host cannot run them.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]
import material  # noqa: E402
import rig  # noqa: E402
from flowlib import IDLE_DOMAIN  # noqa: E402
from rig import Console, Daemon, VirshError  # noqa: E402
from waiting import TestFailure, until  # noqa: E402

NAME = "addresses"
BALLOON = "<memballoon model='virtio'/>"


def disks(number: int) -> str:
    """Return read-only disks, which share an image."""
    return "".join(f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='@BASE@/disk.img'/>"
                   f"<target dev='vd{chr(97 + n)}' bus='virtio'/><readonly/></disk>" for n in range(number))


def nics(number: int, place: str = "") -> str:
    """Return network devices of the user network."""
    return "".join(f"<interface type='user'><mac address='52:54:00:00:01:{n:02x}'/><model type='virtio'/>"
                   f"<rom enabled='no'/>{place}</interface>" for n in range(number))


def controller(index: int, model: str, place: str = "") -> str:
    """Return a PCI controller."""
    return f"<controller type='pci' index='{index}' model='{model}'>{place}</controller>"


def at(bus: int, slot: int) -> str:
    """Return an address."""
    return f"<address type='pci' domain='0' bus='{bus}' slot='{slot}' function='0'/>"


RNG = "<rng model='virtio'><backend model='builtin'/></rng>"
SCSI = "<controller type='scsi' index='{}' model='virtio-scsi'/>"
ROOT = controller(0, "pcie-root")
SWITCH = ROOT + controller(1, "pcie-root-port") + controller(2, "pcie-switch-upstream-port") + \
    "".join(controller(n, "pcie-switch-downstream-port") for n in range(3, 7))
BRIDGES = ROOT + controller(1, "pcie-root-port") + controller(2, "pcie-to-pci-bridge") + \
    controller(3, "pci-bridge") + controller(4, "pci-bridge")
DOMAINS = {
    "31 devices": disks(20) + nics(6) + RNG + SCSI.format(0) + SCSI.format(1) +
    "<controller type='virtio-serial'/>",
    "two devices in slots of the root": disks(2) + nics(1, at(0, 9)) + RNG,
    "a switch with four ports": SWITCH + disks(4) + nics(2) + RNG,
    "two switches, one behind the other": ROOT + controller(1, "pcie-root-port") +
    controller(2, "pcie-switch-upstream-port") + controller(3, "pcie-switch-downstream-port") +
    controller(4, "pcie-switch-upstream-port", at(3, 0)) +
    controller(5, "pcie-switch-downstream-port", at(4, 2)) +
    controller(6, "pcie-switch-downstream-port") + disks(3) + nics(1, at(5, 0)),
    "conventional bridges": BRIDGES + disks(2) + nics(1, at(3, 1)) +
    nics(1, at(4, 5)).replace("01:00", "02:00") + RNG,
    "a switch and bridges": SWITCH + controller(7, "pcie-to-pci-bridge") + controller(8, "pci-bridge") +
    disks(8) + nics(2, "").replace("01:", "03:") + nics(1, at(8, 3)) + SCSI.format(0),
}


def addresses(text: str) -> dict[str, str]:
    """Return the PCI addresses in the XML of a domain, by the name of the device."""
    found = {}
    for number, device in enumerate(ET.fromstring(text).find("devices")):
        for a in device.findall("address[@type='pci']"):
            name = ":".join([device.tag, device.get("type", ""), device.get("model", ""),
                             device.get("index", str(number))])
            found[name] = ".".join(a.get(key) for key in ("bus", "slot", "function"))
    return found


def functions(daemon: Daemon) -> list[tuple[str, int, int, int]]:
    """Return id, bus, slot and function of each function that the emulator has. A bus is named by
    the depth-first number of the bridge above it, because no firmware has numbered them."""
    found, buses = [], [0]

    def visit(devices: list, bus: int) -> None:
        for each in devices:
            found.append((each["qdev_id"], bus, each["slot"], each["function"]))
            if "pci_bridge" in each:
                buses[0] += 1
                visit(each["pci_bridge"].get("devices", []), buses[0])

    answer = daemon.virsh("qemu-monitor-command", NAME, '{"execute":"query-pci"}')
    visit(json.loads(answer)["return"][0]["devices"], 0)
    return sorted(found)


def start(daemon: Daemon, emulator: str, devices: str, base: Path) -> tuple[dict, list]:
    """Define and start a domain. Return its addresses in the XML and in the emulator."""
    daemon.define(IDLE_DOMAIN.format(name=NAME, emulator=emulator,
                                     devices=devices.replace("@BASE@", str(base)) + BALLOON))
    defined = addresses(daemon.virsh("dumpxml", NAME))
    daemon.virsh("start", NAME, "--paused")
    running = addresses(daemon.virsh("dumpxml", NAME))
    if running != defined:
        raise TestFailure(f"start changed the addresses: {defined} {running}")
    return running, functions(daemon)


def end(daemon: Daemon) -> None:
    """Remove the domain."""
    daemon.run("destroy", NAME, check=False)
    daemon.run("undefine", NAME, check=False)


def same(what: str, wanted: object, found: object) -> None:
    """Fail unless two lists of addresses are equal."""
    if wanted != found:
        raise TestFailure(f"{what}: {found} instead of {wanted}")


def chains_of_xml(text: str) -> list[tuple[str, ...]]:
    """Return, for each device of a domain, the slots and functions from the root bus to the device."""
    places, controllers = [], {}
    for device in ET.fromstring(text).find("devices"):
        for a in device.findall("address[@type='pci']"):
            bus, slot, function = (int(a.get(key), 16) for key in ("bus", "slot", "function"))
            places.append((bus, f"{slot:02x}.{function}"))
            if device.tag == "controller" and device.get("type") == "pci":
                controllers[int(device.get("index"))] = places[-1]

    def chain(bus: int, place: str) -> tuple[str, ...]:
        return (*(chain(*controllers[bus]) if bus else ()), place)

    return sorted(chain(*each) for each in places)


def check_guest(a: Daemon, emulator: str, devices: str, base: Path) -> None:
    """Linux in the guest finds each device behind the bridges that the XML names."""
    boot = (f"<kernel>{material.hotplug_kernel()}</kernel><initrd>{material.initramfs('hotplug')}</initrd>"
            "<cmdline>console=ttyS0 cryptomgr.notests</cmdline>")
    text = IDLE_DOMAIN.format(name=NAME, emulator=emulator, devices=devices.replace("@BASE@", str(base)) + BALLOON)
    text = text.replace("<boot dev='cdrom'/>", boot).replace(
        "<memballoon", "<serial type='pty'/><memballoon").replace("<memory unit='MiB'>64", "<memory unit='MiB'>192")
    a.define(text)
    a.virsh("start", NAME)
    console = Console(a, NAME)
    console.expect("^BACKPLANE-INIT", 120)
    console.expect("^~ # ", 120)
    console.send("dmesg -n 1; stty -echo; PS1='' PS2=''")
    console.shell("true")
    found = console.shell("cd /sys/bus/pci/devices && for d in *; do readlink $d; done")
    chains = sorted(tuple(re.findall(r"[0-9a-f]{4}:[0-9a-f]{2}:([0-9a-f]{2}\.[0-7])", line))
                    for line in found.splitlines())
    console.close()
    same("in the guest", chains_of_xml(a.virsh("dumpxml", NAME)),
         [each for each in chains if each != ("00.0",)])      # the host bridge


def check_domain(a: Daemon, b: Daemon, emulator: str, control: str, devices: str, base: Path) -> int:
    """Compare one domain. Return the number of addresses."""
    try:
        theirs = start(a, control, devices, base) if control else None
        end(a)
        ours = start(a, emulator, devices, base)
        if theirs:
            same("XML", theirs[0], ours[0])
            # QEMU shows what is behind a bridge only after firmware has numbered the buses
            same("query-pci", *([each for each in side if each[1] == 0] for side in (theirs[1], ours[1])))
        a.virsh("destroy", NAME)
        a.virsh("start", NAME, "--paused")
        same("after destroy and start", ours, (addresses(a.virsh("dumpxml", NAME)), functions(a)))
        a.stop(force=True)
        a.start()
        until("the domain", lambda: a.run("domstate", NAME, check=False).stdout.startswith("paused"), 30)
        same("after a restart of the daemon", ours,
             (addresses(a.virsh("dumpxml", NAME)), functions(a)))
        a.virsh("migrate", NAME, b.uri, "--p2p", "--live", "--unsafe", "--migrateuri",
                "tcp:127.0.0.1", "--persistent", "--undefinesource", seconds=120)
        same("after a migration", ours, (addresses(b.virsh("dumpxml", NAME)), functions(b)))
        end(b)
        check_guest(a, emulator, devices, base)
        return len(ours[0])
    finally:
        end(a)
        end(b)


def main() -> int:
    """Check all domains."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=os.environ.get("BACKPLANE"))
    parser.add_argument("--control", default=shutil.which("qemu-system-riscv64") or "")
    options = parser.parse_args()
    reason = rig.unsuitable()
    try:
        material.hotplug_kernel(), material.initramfs("hotplug")
    except material.MaterialError as error:
        reason = reason or str(error)
    if reason:
        print(f"1..0 # SKIP {reason}")
        return 77
    emulator = str(Path(shutil.which(options.emulator) or options.emulator).resolve())
    base, failures = Path(tempfile.mkdtemp(prefix="backplane-addresses-")), 0
    (base / "disk.img").write_bytes(bytes(1 << 20))
    print(f"1..{len(DOMAINS)}", flush=True)
    try:
        with contextlib.ExitStack() as stack:
            a, b = (stack.enter_context(Daemon(name, base)) for name in "ab")
            for number, (name, devices) in enumerate(DOMAINS.items(), 1):
                try:
                    count = check_domain(a, b, emulator, options.control, devices, base)
                    print(f"ok {number} {name} # {count} addresses", flush=True)
                except (TestFailure, VirshError) as error:
                    failures += 1
                    print(f"not ok {number} {name}\n# {str(error)[:2000]}", flush=True)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
