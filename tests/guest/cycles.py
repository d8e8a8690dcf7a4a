# SPDX-License-Identifier: GPL-2.0-or-later
"""Repeated plugging and unplugging on eight ports simultaneously, under load."""

import tempfile
import time
from http.server import HTTPServer

from net import web
from slots import PATTERN, RECORD, ROOT_PORTS, SWITCH_PORTS, SlotMachine, check_clean, slot_machine
from subject import Subject, check, test

PORTS = ROOT_PORTS + SWITCH_PORTS
GROWTH = 8              # KiB per turn that memory may grow
WARM = 2                # turns after which the tables of the CPUs (TLBs, jump tables) are in use
HOLES = 80              # additional KiB in total, for heap fragmentation, most of which occurs in
                        # the first turns


def turn(machine: SlotMachine, number: int, server: HTTPServer) -> int:
    """Run one cycle on all ports together: plug, use, and unplug the device while the guest uses
    it. Disks and network adapters alternate. Returns the number of operations the guest completed.
    """
    names = {bus: f"{('disk', 'nic')[(at + number) % 2]}.{number}.{bus}"
             for at, bus in enumerate(PORTS)}
    for bus, name in names.items():
        machine.add(bus, name)
        machine.use(bus, name, server)
    done = sum(machine.wait_use(name, 1, 300) for name in names.values())
    for name in names.values():
        machine.qmp.command("device_del", id=name)
    machine.deleted(set(names.values()))
    for name in names.values():
        machine.remove_backend(name)
        machine.end_use(name)
        machine.image(name).unlink()
    machine.shell("rm -f /tmp/disk.* /tmp/nic.*")
    return done


@test
def hotplug_cycles(subject: Subject) -> None:
    """Plug and unplug disks and network adapters at root and switch ports under load: 24 cycles, or
    104 with --long. No completed write is lost, the kernel logs no warning, and the memory and the
    descriptors of the emulator do not grow.

    Memory is what `own_memory` counts. It excludes the CPU's decoded code, which initially grows by
    hundreds of KiB per turn as the guest runs new code. A long run detects a leak of 2 KiB per
    cycle. Smaller leaks of a disk are covered by qtest/test-hotplug, where no guest affects the
    figure.
    """
    turns = 13 if subject.long else 3
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch, web(PATTERN[:RECORD]) as server:
        with slot_machine(subject, scratch, ROOT_PORTS, SWITCH_PORTS) as machine:
            marks, log, done = [machine.footprint()], "", 0
            nodes = machine.nodes()
            for number in range(turns):
                done += turn(machine, number, server)
                marks.append(machine.footprint())
                log += machine.log()
            check_clean(log)
            check(machine.nodes() == nodes, "block nodes stayed", "")
    memory, descriptors = zip(*marks)
    print(f"{turns * len(PORTS)} cycles in {time.monotonic() - start:.0f} s, {done} uses; "
          f"own memory {memory[0]} KiB, {memory[WARM]} after turn {WARM}, {memory[-1]} at the end; "
          f"descriptors {descriptors[0]}, {descriptors[1]}, {descriptors[-1]}")
    check(descriptors[1] == descriptors[-1], f"descriptors: {descriptors}", "")
    check(memory[-1] - memory[WARM] < GROWTH * (turns - WARM) + HOLES,
          f"memory grows: {memory} KiB", "")
