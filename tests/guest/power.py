# SPDX-License-Identifier: GPL-2.0-or-later
"""The power key of virtio-keyboard and the power button of the board, and files of fw_cfg."""

from emulator import Emulator
from guest import Skip, arguments, need_devices, shell_ready
from subject import Subject, check, test
from waiting import until

KEY_POWER = 116
DEVICES = ["-device", "virtio-keyboard-pci"]


def power_key(guest: Emulator) -> None:
    """Press the power button, and read the key from the input device."""
    guest.shell("head -c 24 /dev/input/event0 >/tmp/event 2>/dev/null </dev/null &")

    def pressed() -> bool:      # again, until the reader above runs
        guest.qmp.command("system_powerdown")
        return guest.shell("stat -c %s /tmp/event").strip() == "24"
    until("the event of the key", pressed, 30, guest.describe)
    words = guest.shell("od -An -tu2 -j16 /tmp/event").split()
    check(words == ["1", str(KEY_POWER), "1", "0"], "another event", " ".join(words))


@test
def power_key_of_keyboard(subject: Subject) -> None:
    """system_powerdown presses KEY_POWER of virtio-keyboard-pci; Debian's kernel reports it."""
    if subject.is_qemu:
        raise Skip("system_powerdown of QEMU does not reach the keyboard")
    need_devices(subject.program, DEVICES)
    args = arguments() + DEVICES + ["-fw_cfg", "name=opt/org.example/value,string=hello"]
    with Emulator(subject.program, args, echo=subject.echo) as guest:
        shell_ready(guest)
        guest.shell("modprobe virtio_input; modprobe evdev; modprobe qemu_fw_cfg")
        guest.shell_until("[ -e /dev/input/event0 ]")
        name = guest.shell("cat /sys/class/input/event0/device/name").strip()
        check(name == "QEMU Virtio Keyboard", "another device", name)
        power_key(guest)
        files = "/sys/firmware/qemu_fw_cfg/by_name"
        text = guest.shell(f"cat {files}/opt/org.example/value/raw; ls {files}")
        check(text.startswith("hello") and "bootorder" in text, "other files", text)


@test
def power_button_of_board(subject: Subject) -> None:
    """system_powerdown presses the gpio-keys button; the second kernel has its driver."""
    if subject.is_qemu:
        raise Skip("QEMU's board has no power button")
    with Emulator(subject.program, arguments("hotplug"), echo=subject.echo) as guest:
        shell_ready(guest)
        if "gpio-keys" not in guest.shell("ls /sys/bus/platform/drivers"):
            raise Skip("the second kernel has no driver gpio-keys: run scripts/build-guest-kernel")
        name = guest.shell("cat /sys/class/input/event0/device/name").strip()
        check(name == "gpio-keys", "another device", name)
        power_key(guest)
