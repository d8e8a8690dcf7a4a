# SPDX-License-Identifier: GPL-2.0-or-later
"""Plugging and unplugging again and again, on eight ports at once, under load."""

import tempfile
import time
from http.server import HTTPServer

from net import web
from slots import PATTERN, RECORD, ROOT_PORTS, SWITCH_PORTS, SlotMachine, check_clean, slot_machine
from subject import Subject, check, test

PORTS = ROOT_PORTS + SWITCH_PORTS
GROWTH = 8              # KiB a turn that memory may grow,
HOLES = 80              # and KiB in all, for holes in the heap, most of which the first turns make


def turn(machine: SlotMachine, number: int, server: HTTPServer) -> int:
    """One cycle on every port at once, disks and cards by turns: plug, use, and unplug while the
    guest is at it. Returns how many things the guest completed."""
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
    """Disks and cards come and go at root ports and switch ports, under load: 24 cycles, or 104
    with --long. No write that completed is lost, the kernel has nothing to complain of, and the
    emulator's memory and descriptors stay what they were.

    Memory is what `own_memory` counts, without the CPU's decoded code, which grows by hundreds of
    KiB a turn at first as the guest runs code it has not run before. A leak of 2 KiB a cycle is
    over the limit in a long run. Smaller ones of a disk are for qtest/test-hotplug, where no guest
    blurs the figure."""
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
          f"own memory {memory[0]} KiB, {memory[1]} after the first turn, {memory[-1]} at the end; "
          f"descriptors {descriptors[0]}, {descriptors[1]}, {descriptors[-1]}")
    check(descriptors[1] == descriptors[-1], f"descriptors: {descriptors}", "")
    check(memory[-1] - memory[1] < GROWTH * (turns - 1) + HOLES, f"memory grows: {memory} KiB", "")
