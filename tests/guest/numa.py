# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux on machines with NUMA nodes: nodes, memory, interrupts of each node, and migration."""

import re
import tempfile

from emulator import Emulator
from guest import MSI_MACHINE, Skip, arguments, shell_ready
from subject import Subject, check, test

# Two nodes with two harts each, and a disk whose interrupts are those of the last controller.
NODES = ["-smp", "4", "-object", "memory-backend-ram,id=ram0,size=96M", "-object",
         "memory-backend-memfd,id=ram1,size=160M", "-numa", "node,nodeid=0,cpus=0-1,memdev=ram0",
         "-numa", "node,nodeid=1,cpus=2-3,memdev=ram1", "-numa", "dist,src=0,dst=1,val=17",
         "-drive", "if=none,id=d,format=raw,file.driver=null-co,file.size=1M", "-device",
         "virtio-blk-pci,drive=d"]
SHOW = """cd /sys/devices/system/node
for n in 0 1; do echo node $n: $(cat node$n/cpulist) / $(cat node$n/distance) / $(grep MemTotal: node$n/meminfo); done
cd /; echo harts: $(sed -n 's/^hart[[:space:]]*: //p' /proc/cpuinfo)"""
WORK = """head -c 65536 /dev/vda | md5sum
for i in 1 2 3 4; do (n=0; while [ $n -lt 2000 ]; do n=$((n+1)); done; echo worked) & done; wait
cat /proc/interrupts"""


def harts_of(text: str) -> list[int]:
    """Return the harts of Linux's CPUs, which the script SHOW prints. The hart that boots is CPU 0, and any hart can be."""
    found = re.search(r"^harts:((?: \d+){4})\r?$", text, re.MULTILINE)
    check(found, "no list of the harts", text)
    return [int(word) for word in found[1].split()]


def numbers_of(ranges: str) -> list[int]:
    """Return the numbers of a list such as 0,2-3."""
    pairs = [item.partition("-") for item in ranges.split(",")]
    return [number for low, _, high in pairs for number in range(int(low), int(high or low) + 1)]


def check_nodes(text: str) -> None:
    """Check what the script SHOW prints."""
    sizes, harts = [], harts_of(text)
    for node, own, distances in ((0, [0, 1], "10 17"), (1, [2, 3], "17 10")):
        found = re.search(rf"node {node}: ([\d,-]+) / {distances} / Node {node} MemTotal: (\d+) kB", text)
        check(found, f"node {node} has no CPUs at {distances}", text)
        check(sorted(harts[cpu] for cpu in numbers_of(found[1])) == own, f"node {node} does not have the harts {own}", text)
        sizes.append(int(found[2]) >> 10)
    check(30 < sizes[0] <= 96 and 100 < sizes[1] <= 160, f"sizes of {sizes} MiB", text)


def check_handlers(text: str, name: str, node: int) -> None:
    """Check that the wire of a device interrupts the harts of one node only."""
    found = re.search(rf"^ *\d+: +(\d+) +(\d+) +(\d+) +(\d+) .*{name}", text, re.MULTILINE)
    check(found, f"no interrupt of {name}", text)
    counts = [0, 0]
    for hart, count in zip(harts_of(text), found.groups(), strict=True):
        counts[hart // 2] += int(count)
    check(counts[node] and not counts[1 - node], f"{name}: not on the harts of node {node}", text)


def boot_nodes(subject: Subject, machine: str, irqs: str) -> None:
    """Linux finds the nodes; each hart has interrupts from another, and the disk has some."""
    text = subject.boot(arguments(machine=machine, run=f"{SHOW}\n{WORK}") + NODES)
    check_nodes(text)
    check(text.count("worked") == 4, "a hart did not do its work", text)
    calls = re.search(r"IPI1:((?: +\d+)+) +Function call", text)
    check(calls and len(calls[1].split()) == 4 and all(map(int, calls[1].split())),
          "a hart had no interrupt from another", text)
    check(re.search(rf" [1-9]\d* +.*{irqs}.*virtio0", text), "the disk had no interrupt", text)
    if machine != MSI_MACHINE:      # PCI is connected to the controller of the last node
        check_handlers(text, "virtio0", 1)
        check_handlers(text, "ttyS0", 0)


@test
def numa_plic(subject: Subject) -> None:
    """Two nodes with a PLIC and a CLINT each."""
    boot_nodes(subject, "virt", "PLIC")


@test
def numa_aclint(subject: Subject) -> None:
    """Two nodes with a PLIC and ACLINT devices each."""
    boot_nodes(subject, "virt,aclint=on", "PLIC")


@test
def numa_aplic(subject: Subject) -> None:
    """Two nodes with an APLIC in direct delivery mode each."""
    boot_nodes(subject, "virt,aia=aplic", "APLIC")


@test
def numa_imsic(subject: Subject) -> None:
    """Two nodes with an APLIC and a group of IMSICs each."""
    subject.need_aia()
    boot_nodes(subject, MSI_MACHINE, "MSI")


@test
def numa_pci(subject: Subject) -> None:
    """A device behind an extra root bus has the node of the bus; a bus without a node has none."""
    subject.need_aia()
    text = subject.boot(arguments(
        machine=MSI_MACHINE, run="cd /sys/bus/pci/devices; for d in *; do echo $d $(cat $d/vendor) "
        "$(cat $d/numa_node); done; cat /proc/interrupts") + NODES + [
            "-device", "pxb-pcie,id=pxb1,bus_nr=64,numa_node=1", "-device", "pxb-pcie,id=pxb2,bus_nr=128",
            "-device", "pcie-root-port,id=rp,bus=pxb1,chassis=1", "-device", "virtio-rng-pci,bus=rp",
            "-device", "edu,bus=pxb2"])
    for bus, vendor, node in (("41:00.0", "0x1af4", "1"), ("40:00.0", "0x1b36", "1"),
                              ("80:00.0", "0x1234", "-1")):
        check(re.search(rf"^[0-9a-f]{{4}}:{bus} {vendor} {node}\r?$", text, re.MULTILINE),
              f"{bus} is not on node {node}", text)


@test
def numa_migration(subject: Subject) -> None:
    """A guest with two nodes migrates to a machine with equal nodes; other nodes are refused."""
    if subject.is_qemu:
        raise Skip("QEMU's -incoming needs the complete machine on its command line")
    args = arguments(machine=MSI_MACHINE) + NODES
    with tempfile.TemporaryDirectory() as scratch:
        uri = f"unix:{scratch}/stream"
        with Emulator(subject.program, args, echo=subject.echo) as source:
            shell_ready(source)
            check_nodes(source.shell(SHOW))
            other = [word.replace("cpus=0-1", "cpus=0").replace("cpus=2-3", "cpus=1-3") for word in args]
            with Emulator(subject.program, other + ["-incoming", uri], echo=subject.echo) as target:
                target.qmp.command("query-status")
                source.qmp.command("migrate", uri=uri)
                text = source.migrated("failed").get("error-desc", "")
                check("NUMA nodes" in text, "the reason does not name the nodes", text)
            with Emulator(subject.program, args + ["-incoming", uri], echo=subject.echo) as target:
                target.qmp.command("query-status")
                source.qmp.command("cont")
                source.qmp.command("migrate", uri=uri)
                source.migrated()
                check_nodes(target.shell(SHOW))
                text = target.shell(WORK)
                check(text.count("worked") == 4, "a hart did not do its work", text)
