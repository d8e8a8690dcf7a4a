# SPDX-License-Identifier: GPL-2.0-or-later
"""Options that select what follows a panic of the guest or the expiry of a watchdog, and -loadvm."""

from emulator import Emulator
from images import empty_qcow2
from walk import Folder, PROGRAM, covers, refused

PANIC, WATCHDOG = ["-device", "pvpanic-pci,addr=4"], ["-device", "i6300esb,addr=4"]


def failing(*args: str) -> Emulator:
    """Start a machine whose device in slot 4 is mapped at 40000000h."""
    m = Emulator(PROGRAM, ["-M", "virt", "-bios", "none", "-accel", "qtest", *args],
                 console=False, qtest=True)
    assert m.qmp.greeting       # connected before the events
    m.qtest.write(0x30020010, 4, 0x40000000)
    m.qtest.write(0x30020004, 2, 2)
    return m


def panic(m: Emulator, value: int = 1) -> str:
    """Report a panic, or with 2 a crash kernel. Returns the action of the event."""
    m.qtest.write(0x40000000, 1, value)
    return m.qmp.wait_event("GUEST_PANICKED" if value == 1 else "GUEST_CRASHLOADED")["data"]["action"]


@covers("-action panic=shutdown", "-action panic=pause", "-action panic=exit-failure",
        "-action panic=none")
def check_panic():
    for args, status in (([], 0), (["-action", "panic=shutdown"], 0),
                         (["-action", "panic=exit-failure"], 1)):
        with failing(*args, *PANIC) as m:
            assert panic(m) == "poweroff"
            assert m.qmp.wait_event("SHUTDOWN")["data"]["reason"] == "guest-panic"
            assert m.wait() == status
    for args in (["-action", "panic=pause"], ["-no-shutdown"]):
        with failing(*args, *PANIC) as m:
            assert panic(m) == "pause"
            m.qmp.wait_event("STOP")
            assert m.qmp.command("query-status")["status"] == "guest-panicked"
            m.qmp.command("cont")
            assert panic(m, 2) == "run"
            assert panic(m) == "pause"
            m.qmp.command("system_reset")
            m.qmp.wait_event("RESET")
            assert m.qmp.command("query-status")["status"] == "paused"
    with failing("-action", "panic=none", *PANIC) as m:
        assert panic(m) == "run"
        assert m.qmp.command("query-status")["running"]
        m.qmp.command("set-action", panic="pause")
        assert panic(m) == "pause"


def expire(m: Emulator) -> str:
    """Enable the watchdog and let it expire. Returns the action of the event."""
    m.qtest.write(0x30020068, 1, 2)
    m.qtest.ask("clock_step 3000000000000")
    return m.qmp.wait_event("WATCHDOG")["data"]["action"]


def check_expiry(m: Emulator, action: str) -> None:
    """Let the watchdog expire and check what follows."""
    follows = {"reset": "RESET", "shutdown": "POWERDOWN", "poweroff": "SHUTDOWN", "pause": "STOP"}
    assert expire(m) == action
    if action in follows:
        m.qmp.wait_event(follows[action])
    if action == "poweroff":
        assert m.wait() == 0
        return
    status = m.qmp.command("query-status")["status"]
    assert status == ("watchdog" if action == "pause" else "running")
    assert ("timer expired" in m.errors) == (action == "debug")


@covers("-action watchdog=reset", "-action watchdog=shutdown", "-action watchdog=poweroff",
        "-action watchdog=pause", "-action watchdog=debug", "-action watchdog=none",
        "-watchdog-action", "-watchdog-action watchdog=reset", "-watchdog-action watchdog=shutdown",
        "-watchdog-action watchdog=poweroff", "-watchdog-action watchdog=pause",
        "-watchdog-action watchdog=debug", "-watchdog-action watchdog=none")
def check_watchdog():
    for option in (["-action", "watchdog={}"], ["-watchdog-action", "{}"]):
        for action in ("reset", "shutdown", "poweroff", "pause", "debug", "none"):
            with failing(*(word.format(action) for word in option), *WATCHDOG) as m:
                check_expiry(m, action)
    refused("inject-nmi", "-watchdog-action", "inject-nmi")
    refused("use -device i6300esb", "-watchdog", "i6300esb")
    check_changes()


def check_changes():
    """Change the action of the watchdog at run time."""
    with failing("-no-shutdown", *WATCHDOG) as m:
        m.qmp.command("watchdog-set-action", action="none")
        check_expiry(m, "none")
        answer = m.qmp.command("human-monitor-command", **{"command-line": "watchdog_action pause"})
        assert answer == "", answer
        check_expiry(m, "pause")
        answer = m.qmp.command("human-monitor-command", **{"command-line": "watchdog_action x"})
        assert "use reset" in answer, answer
        m.qmp.command("cont")
        m.qmp.command("set-action", watchdog="debug")
        check_expiry(m, "debug")
        m.qmp.command("set-action", watchdog="poweroff")
        check_expiry(m, "poweroff")     # also with -no-shutdown


@covers("-loadvm")
def check_loadvm():
    with Folder() as folder:
        path = folder / "disk"
        path.write_bytes(empty_qcow2(8 << 20))
        args = ["-M", "virt", "-bios", "none", "-accel", "qtest", "-m", "16", "-drive",
                f"file={path},format=qcow2,if=virtio"]
        with Emulator(PROGRAM, args, console=False, qtest=True) as m:
            m.qtest.write(0x80001000, 4, 0x1234)
            m.qmp.command("human-monitor-command", **{"command-line": "savevm s"})
        with Emulator(PROGRAM, [*args, "-loadvm", "s"], console=False, qtest=True) as m:
            assert m.qtest.read(0x80001000, 4) == 0x1234
        refused("Snapshot 'none' does not exist", *args, "-loadvm", "none")
