# SPDX-License-Identifier: GPL-2.0-or-later
"""pvpanic-pci and i6300esb with the drivers of the second kernel. Debian's riscv64 kernel has neither.
"""

from emulator import Emulator
from guest import Skip, arguments, need_devices, shell_ready
from subject import Subject, check, test

PANIC, WATCHDOG = ["-device", "pvpanic-pci"], ["-device", "i6300esb"]


def need_driver(guest: Emulator, name: str) -> None:
    """Skip the test if the second kernel was built without a driver."""
    drivers = guest.shell("ls -1 /sys/bus/pci/drivers").splitlines()    # names may contain spaces
    if name not in map(str.strip, drivers):
        raise Skip(f"the second kernel has no driver {name}: run scripts/build-guest-kernel")


@test
def pvpanic(subject: Subject) -> None:
    """A panic of the guest's kernel stops the machine in state guest-panicked."""
    need_devices(subject.program, PANIC)
    args = arguments("hotplug") + PANIC + ["-action", "panic=pause"]
    with Emulator(subject.program, args, echo=subject.echo) as guest:
        shell_ready(guest)
        need_driver(guest, "pvpanic-pci")
        text = guest.shell("cat /sys/bus/pci/devices/*/events")
        check(text.strip() == "3", "other events", text)
        guest.qmp.command("query-status")   # connects: an event before that would be lost
        guest.send("echo c >/proc/sysrq-trigger\n")
        check(guest.qmp.wait_event("GUEST_PANICKED", 60)["data"]["action"] == "pause", "action", "")
        guest.qmp.wait_event("STOP")
        status = guest.qmp.command("query-status")["status"]
        check(status == "guest-panicked", "another state", status)


@test
def watchdog(subject: Subject) -> None:
    """The watchdog stays quiet while it is fed, and resets a guest that stops to feed it."""
    need_devices(subject.program, WATCHDOG)
    args = arguments("hotplug", append="i6300esb.heartbeat=6") + WATCHDOG
    with Emulator(subject.program, args, echo=subject.echo) as guest:
        shell_ready(guest)
        need_driver(guest, "i6300ESB timer")
        # The shell keeps the device open and writes to it; the last write has no successor.
        guest.qmp.command("query-status")   # connects: an event before that would be lost
        guest.shell("exec 3>/dev/watchdog; for i in 1 2 3 4 5; do echo x >&3; sleep 2; done", 60)
        events = [event["event"] for event in guest.qmp.events]
        check("WATCHDOG" not in events, "the watchdog expired while it was fed", events)
        check(guest.qmp.wait_event("WATCHDOG", 60)["data"]["action"] == "reset", "action", "")
        check(guest.qmp.wait_event("RESET")["data"]["reason"] == "guest-reset", "reason", "")
        guest.expect("^BACKPLANE-INIT", 120)
