# SPDX-License-Identifier: GPL-2.0-or-later
"""Growth of a running guest: devices without bus= find a slot, switches are added, nothing moves."""

import re
import subprocess
import tempfile

from emulator import Emulator
from guest import MSI_MACHINE, Skip, arguments, need_devices, shell_ready
from slots import check_clean
from subject import Subject, check, test
from waiting import scaled

# Without conventional bridges, which require fewer bus numbers.
SWITCHES_ONLY = '{"backplane-policy": 1, "base": "default", "growth": ["root-port", "switch"]}'
# The devices that are added, in turns. Most have no driver in the guest, because 255 message
# identities per hart are not sufficient for all of them and their ports.
DEVICES = ["virtio-rng-pci"] + 9 * ["ticker"]


def kernel_parameters(subject: Subject, args: list[str]) -> str:
    """Return the parameters that the plan of a machine requires."""
    done = subprocess.run([subject.program, *args, "-show", "kernel-parameters"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          timeout=scaled(60), stdin=subprocess.DEVNULL)
    check(done.returncode == 0 and done.stdout.startswith("pci="), "no kernel parameters",
          done.stdout)
    return done.stdout.strip()


def paths(machine: Emulator) -> list[str]:
    """Return the path of each PCI function in the guest's sysfs, with vendor and device."""
    text = machine.shell("for d in /sys/bus/pci/devices/*; do read -r v <$d/vendor; "
                         "read -r i <$d/device; echo $(readlink -f $d) $v $i; done", 120)
    return sorted(text.splitlines())


def start_args(subject: Subject, append: str = "", policy: str = "default") -> list[str]:
    """Return the arguments of a guest with two harts and one spare port."""
    subject.need_aia()
    if subject.is_qemu:
        raise Skip("QEMU has no policies")
    args = arguments("hotplug", machine=f"{MSI_MACHINE},pci-policy={policy}", append=append,
                     memory=512) + ["-smp", "2"]
    need_devices(subject.program, args + [word for kind in DEVICES for word in ("-device", kind)])
    return args


def grow(machine: Emulator, count: int) -> None:
    """Add devices without bus= until the guest has found `count` of them."""
    for number in range(count):
        machine.qmp.command("device_add", driver=DEVICES[number % len(DEVICES)], id=f"d{number}")
    rngs = sum(DEVICES[number % len(DEVICES)] == "virtio-rng-pci" for number in range(count))
    machine.shell(f"until [ $(lspci -n | grep -cE '1234:71c4|1af4:1044') = {count} ]; do sleep 1; "
                  "done", 600)
    machine.shell(f"until [ $(ls -d /sys/bus/virtio/drivers/virtio_rng/virtio* | wc -l) = {rngs} ]; "
                  "do sleep 1; done", 120)


def grow_and_migrate(subject: Subject, count: int) -> None:
    """Grow a guest from one spare port to `count` devices, and migrate it."""
    args = start_args(subject)
    args = start_args(subject, kernel_parameters(subject, args))
    with Emulator(subject.program, args, echo=subject.echo) as source:
        shell_ready(source)
        first = paths(source)
        source.shell("dmesg -c >/dev/null")
        grow(source, count)
        before = paths(source)
        check(set(first) < set(before), "a device moved", "\n".join(first + ["--"] + before))
        check_clean(source.shell("dmesg -r -c"))
        uri = f"unix:{source.dir}/stream"
        with Emulator(subject.program, ["-incoming", uri], echo=subject.echo) as target:
            target.qmp.command("query-status")      # the target listens
            source.qmp.command("migrate", uri=uri)
            source.migrated()
            after = paths(target)
            check(after == before, "other addresses after the migration",
                  "\n".join(sorted(set(before) ^ set(after))))
            check(len(after) > count, f"{len(after)} functions", "")


@test
def growth(subject: Subject) -> None:
    """Grow from one spare port to 20 devices (long: 200) and migrate: all addresses stay equal."""
    grow_and_migrate(subject, 200 if subject.long else 20)


@test
def growth_refused(subject: Subject) -> None:
    """Without the parameters of the plan, the guest reserves windows that are too small for a switch.
    The last spare port is refused with a reason, and bus= overrides that."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as policy:
        policy.write(SWITCHES_ONLY)
        policy.flush()
        args = start_args(subject, policy=policy.name)
        with Emulator(subject.program, args, echo=subject.echo) as machine:
            shell_ready(machine)
            check("hpmmiosize=256M" in machine.errors, "no warning", machine.errors)
            answer = machine.qmp.raw("device_add", {"driver": "virtio-rng-pci", "id": "d0"})
            check("kept free for growth" in answer["error"]["desc"] and
                  re.search(r"at least 4 bus numbers and 3M .* has reserved 255 and 2M",
                            answer["error"]["desc"]), "another reason", str(answer))
            machine.qmp.command("device_add", driver="virtio-rng-pci", id="d0", bus="rp1")
            machine.shell("until [ $(lspci -n | grep -c 1af4:1044) = 1 ]; do sleep 1; done", 60)
