# SPDX-License-Identifier: GPL-2.0-or-later
"""Hot plug of single devices: requests of a client, and the reaction of a Linux guest."""

import tempfile

import material
from emulator import Emulator, QmpError, TestFailure
from guest import Skip, arguments, need_devices, shell_ready
from net import web
from slots import PATTERN, SLOT_OF, SlotMachine, check_clean, port_args, slot_machine
from subject import Subject, check, test
from surprise import LEGACY
from waiting import elapse, until


def logged(machine: Emulator, pattern: str) -> None:
    """Wait for a kernel message (an extended regular expression), and discard the log up to it."""
    machine.shell_until(f"dmesg | grep -qE '{pattern}'", 30)
    machine.shell("dmesg -c >/dev/null")


def plug_and_unplug(subject: Subject, slot: list[str], device: dict, driver: str) -> None:
    """Plug a test device into a slot of a running guest, use it through its driver, unplug it."""
    args = arguments("hotplug", machine=subject.msi_machine) + slot
    need_devices(subject.program, args + ["-device", device["driver"]])
    with Emulator(subject.program, args, echo=subject.echo) as machine:
        shell_ready(machine)
        machine.shell("modprobe bpdrv")
        for _ in range(2):
            machine.qmp.command("device_add", id="hot", **device)
            logged(machine, f"bpdrv: {device['driver']} with .* self-test ok")
            machine.qmp.command("device_del", id="hot")
            logged(machine, f"bpdrv: {device['driver']} removed after [0-9]+ interrupts")
            machine.qmp.wait_event("DEVICE_DELETED", 30)
        check(driver in machine.shell("ls /sys/bus/pci*/drivers /sys/bus/pci*/drivers/*"),
              f"no driver {driver}", "")
        machine.send("exit\n")
        check(machine.wait() == 0, "a status other than 0", machine.console[-500:])


@test
def hotplug_express(subject: Subject) -> None:
    """Native PCI Express hotplug at a root port, twice.

    MSI is required. With INTx, where the device shares the port's line, Linux 6.12 deadlocks on
    unplug: free_irq waits for the interrupt thread of the port, which is the caller.
    """
    subject.need_aia()
    plug_and_unplug(subject, ["-device", "pcie-root-port,id=rp,addr=02.0,chassis=1,slot=1"],
                    {"driver": "ticker", "bus": "rp"}, "pciehp")


@test
def hotplug_shpc(subject: Subject) -> None:
    """Hotplug through the standard controller (SHPC) of a conventional bridge, twice."""
    plug_and_unplug(subject, ["-device", "pcie-pci-bridge,id=br,addr=02.0"],
                    {"driver": "edu", "bus": "br", "addr": "03.0", "dma_mask": 0xffffffff},
                    "shpchp")


@test
def unplug_shpc(subject: Subject) -> None:
    """Unplug a device that an SHPC slot had at boot, then plug one into the next slot."""
    args = arguments("hotplug") + [
        "-device", "pci-bridge,id=br,addr=02.0,chassis_nr=1",
        "-device", "edu,id=first,bus=br,addr=01.0,dma_mask=0xffffffff"]
    need_devices(subject.program, args)
    with Emulator(subject.program, args, echo=subject.echo) as machine:
        shell_ready(machine)
        machine.shell("modprobe bpdrv")
        machine.qmp.command("device_del", id="first")
        logged(machine, "bpdrv: edu removed after [0-9]+ interrupts")
        machine.qmp.wait_event("DEVICE_DELETED", 30)
        check("1234:11e8" not in machine.shell("lspci -n"), "the device is still seen", "")
        machine.qmp.command("device_add", driver="edu", id="second", bus="br", addr="02.0",
                            dma_mask=0xffffffff)
        logged(machine, "bpdrv: edu with .* self-test ok")
        slots = machine.shell("grep . /sys/bus/pci/slots/[12]/power")
        check("1/power:0" in slots and "2/power:0" not in slots, "slot power", slots)
        machine.send("exit\n")
        check(machine.wait() == 0, "a status other than 0", machine.console[-500:])


def need_ours(subject: Subject) -> None:
    """Skip other emulators: the unplug-* commands exist only in this one."""
    if subject.is_qemu:
        raise Skip("QEMU has no unplug jobs")


def wait_job(machine: SlotMachine, name: str, state: str, timeout: float = 30) -> None:
    """Wait until the unplug job of a device is in a state."""
    until(f"the unplug of {name} to be {state}", lambda: machine.jobs().get(name) == state, timeout,
          machine.describe, lambda: f"{machine.jobs()}\n{machine.log()}")


def use_and_unplug(machine: SlotMachine, bus: str, name: str) -> None:
    """Let the guest write to the disk in a slot, then unplug the disk in the orderly way."""
    with web(PATTERN) as server:
        machine.use(bus, name, server)
        machine.wait_use(name)
        machine.qmp.command("device_del", id=name)
        machine.deleted({name})
        machine.end_use(name)


@test
def hotplug_boot_time(subject: Subject) -> None:
    """Unplug disks present at boot, at a root port and at a switch, and plug others."""
    with tempfile.TemporaryDirectory() as scratch:
        extra: list[str] = []
        for bus in ("rp0", "dn0"):
            with open(f"{scratch}/disk.{bus}.img", "wb") as image:
                image.truncate(len(PATTERN) * 8)
            extra += ["-drive", f"if=none,id=n-{bus},format=raw,file={image.name}", "-device",
                      f"virtio-blk-pci,id=disk.{bus},bus={bus},drive=n-{bus},serial=disk.{bus}"]
        with slot_machine(subject, scratch, ["rp0"], ["dn0"], extra) as machine:
            for bus in ("rp0", "dn0"):
                use_and_unplug(machine, bus, f"disk.{bus}")
                machine.add(bus, f"disk.{bus}.2")
                use_and_unplug(machine, bus, f"disk.{bus}.2")
            check_clean(machine.log())


@test
def hotplug_switch(subject: Subject) -> None:
    """Unplug a complete switch from its root port, with a disk and an empty slot behind it."""
    with tempfile.TemporaryDirectory() as scratch:
        with slot_machine(subject, scratch, [], ["dn0", "dn1"]) as machine:
            machine.add("dn0", "disk")
            with web(PATTERN) as server:
                machine.use("dn0", "disk", server)
                machine.wait_use("disk")
            machine.qmp.command("device_del", id="up")
            machine.deleted({"disk", "dn0", "dn1", "up"})
            machine.end_use("disk")
            check("xio3130" not in machine.shell("lspci -n"), "the switch still exists", "")
            check_clean(machine.log())


@test
def hotplug_whole_switch(subject: Subject) -> None:
    """Plug a switch with two devices into a port while the guest is stopped. The guest finds the
    complete switch and can release it again. Linux has to reserve bus numbers behind the port and
    would give all of them to the first hotplug slot inside the switch: hence hotplug=off."""
    need_ours(subject)
    with tempfile.TemporaryDirectory() as scratch:
        with slot_machine(subject, scratch, ["rp0"], [], append="pci=hpbussize=8") as machine:
            machine.qmp.command("stop")
            machine.qmp.command("device_add", driver="x3130-upstream", id="up", bus="rp0")
            for port in ("dn0", "dn1"):
                machine.qmp.command("device_add", driver="xio3130-downstream", id=port, bus="up",
                                    hotplug=False)
                machine.qmp.command("device_add", driver="virtio-rng-pci", id=f"r.{port}", bus=port)
            machine.qmp.command("cont")
            machine.shell("until_true '[ $(lspci -d 1af4:1044 | wc -l) = 2 ]'", 60)
            check(machine.shell("lspci -d 104c: | wc -l").strip() == "3", "not three ports", "")
            try:
                machine.qmp.command("device_add", driver="xio3130-downstream", bus="up")
                check(False, "another port was added after the guest had seen the switch", "")
            except QmpError as error:
                check("has enumerated bus 'up'" in str(error), "another reason", str(error))
            machine.qmp.command("device_del", id="up")
            machine.deleted({"r.dn0", "r.dn1", "dn0", "dn1", "up"})
            check_clean(machine.log())


@test
def hotplug_conventional(subject: Subject) -> None:
    """Plug edu, a conventional device, below a root port and unplug it, twice."""
    subject.need_aia()
    plug_and_unplug(subject, ["-device", "pcie-root-port,id=rp,addr=02.0,chassis=1,slot=1"],
                    {"driver": "edu", "bus": "rp", "dma_mask": 0xffffffff}, "pciehp")


@test
def hotplug_functions(subject: Subject) -> None:
    """Two functions of one slot appear with function 0, which is added last, and leave together."""
    with tempfile.TemporaryDirectory() as scratch:
        with slot_machine(subject, scratch, ["rp0"], []) as machine:
            for function in (1, 0):
                machine.qmp.command("device_add", driver="virtio-rng-pci", id=f"r{function}",
                                    bus="rp0", addr=f"0.{function}", multifunction=True)
            machine.shell("until_true '[ $(lspci -d 1af4:1044 | wc -l) = 2 ]'", 60)
            machine.qmp.command("device_del", id="r1")
            machine.deleted({"r0", "r1"})
            check_clean(machine.log())


@test
def hotplug_cancel(subject: Subject) -> None:
    """Cancel a request while the guest blinks; withdraw a device and plug another in its place."""
    need_ours(subject)
    with tempfile.TemporaryDirectory() as scratch:
        with slot_machine(subject, scratch, ["rp0"], []) as machine:
            machine.add("rp0", "disk.a")
            machine.qmp.command("device_del", id="disk.a")      # the attention interval has not
                                                                # ended
            machine.deleted({"disk.a"})
            machine.add("rp0", "disk.b")
            machine.shell("disk disk.b", 60)
            machine.qmp.command("unplug-request", id="disk.b")
            wait_job(machine, "disk.b", "accepted")
            answer = machine.qmp.raw("device_del", {"id": "disk.b"})
            check("already in the process of unplug" in answer["error"]["desc"],
                  "a second request", str(answer))
            machine.qmp.command("unplug-cancel", id="disk.b")
            wait_job(machine, "disk.b", "cancelled")
            machine.shell("until_true 'dmesg | grep -q \"canceling request to power off\"'")
            elapse(6, "longer than Linux would have waited before it acts")
            check("disk.b" in str(machine.qmp.command("qom-list", path="/machine/peripheral")),
                  "the disk was removed although the request was cancelled", "")
            use_and_unplug(machine, "rp0", "disk.b")
            check_clean(machine.log())


@test
def hotplug_ignored(subject: Subject) -> None:
    """A guest without its hotplug driver lets a request time out, and the disk is removed by force.
    With the driver loaded again, another disk is plugged."""
    need_ours(subject)
    driver = "/sys/bus/pci_express/drivers/pciehp"
    with tempfile.TemporaryDirectory() as scratch:
        with slot_machine(subject, scratch, ["rp0"], []) as machine:
            machine.add("rp0", "disk.a", **LEGACY)
            machine.shell("disk disk.a", 60)
            machine.shell(f"port=$(ls {driver} | grep 02.0:pcie); echo $port >{driver}/unbind")
            time_out_and_pull(machine, "disk.a")
            machine.shell("echo 1 >/sys/bus/pci/devices/0000:01:00.0/remove")
            machine.shell(f"echo $port >{driver}/bind")
            machine.add("rp0", "disk.b")
            use_and_unplug(machine, "rp0", "disk.b")


def time_out_and_pull(machine: Emulator, name: str) -> None:
    """Request an unplug with a deadline that the guest does not meet, then remove the device by
    force."""
    answer = machine.qmp.raw("unplug-request", {"id": name, "timeout": 1500})
    check("return" in answer, "the request was refused", str(answer))
    event = machine.qmp.wait_event("DEVICE_UNPLUG_GUEST_ERROR", 30)
    wanted = {"device": name, "path": f"/machine/peripheral/{name}"}
    check(event["data"] == wanted, f"not about {name}", str(event))
    jobs = machine.qmp.command("query-unplug-jobs")
    check([(job["device"], job["state"]) for job in jobs] == [(name, "timed-out")], "another state",
          str(jobs))
    check(not any(e["event"] == "DEVICE_DELETED" for e in machine.qmp.events), "deleted", "")
    machine.qmp.command("unplug-force", id=name)
    machine.qmp.wait_event("DEVICE_DELETED")


@test
def hotplug_firmware(subject: Subject) -> None:
    """Request an unplug while the guest waits in its firmware. The guest continues to run."""
    need_ours(subject)
    try:
        args = ["-M", "virt", "-m", "256", "-bios", str(material.opensbi("1.6")),
                "-kernel", str(material.uboot())]
    except material.MaterialError as error:
        raise Skip(str(error)) from None
    args += port_args(["rp0"], []) + ["-device", "virtio-rng-pci,id=r,bus=rp0"]
    with Emulator(subject.program, args, echo=subject.echo) as machine:
        machine.expect("Hit any key to stop autoboot")
        machine.send("\n")
        machine.expect("^=> ")
        time_out_and_pull(machine, "r")
        machine.send("pci 1\n")
        text = machine.console[machine.seen:machine.expect("^=> ").start()]
        check("1044" not in text, "U-Boot still sees it", text)
        try:
            machine.qmp.command("device_add", driver="virtio-rng-pci", id="r2", bus="rp0")
        except TestFailure as failure:
            raise machine.fail(f"nothing can be plugged after it: {failure}") from None


@test
def hotplug_own_eject(subject: Subject) -> None:
    """A slot that the guest powers off and on itself keeps its disk, because the device stays in
    the slot. An unplug request while the slot is powered off completes
    immediately."""
    with tempfile.TemporaryDirectory() as scratch:
        with slot_machine(subject, scratch, ["rp0"], []) as machine:
            power = f"/sys/bus/pci/slots/{SLOT_OF['rp0']}/power"
            machine.add("rp0", "disk")
            machine.shell("disk disk", 60)
            machine.shell(f"echo 0 >{power}; [ -z \"$(find_disk disk)\" ]", 60)
            machine.shell(f"echo 1 >{power}; disk disk; echo 0 >{power}", 60)
            check("disk" in str(machine.qmp.command("qom-list", path="/machine/peripheral")),
                  "the disk was removed", "")
            machine.qmp.command("device_del", id="disk")
            machine.deleted({"disk"}, 5)
            check_clean(machine.log())
