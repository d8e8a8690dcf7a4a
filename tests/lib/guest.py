# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that boots a test kernel with the test initramfs: command line and console output."""

import base64
import re
import subprocess
from functools import cache
from pathlib import Path

import material
from emulator import Emulator
from tap import Skip
from waiting import scaled


# MSI and MSI-X are delivered to an IMSIC. The machine's default is the PLIC, as in QEMU.
MSI_MACHINE = "virt,aia=aplic-imsic"


@cache
def device_types(program: str) -> set[str]:
    """Return the device types that `-device help` lists."""
    done = subprocess.run([program, "-M", "virt", "-device", "help"], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=scaled(30),
                          stdin=subprocess.DEVNULL)
    return set(re.findall(r'^(?:name )?"?([\w.-]+)"?', done.stdout, re.MULTILINE))


def need_devices(program: str, args: list[str]) -> None:
    """Skip the test if the emulator does not have a type that a -device option names."""
    for option, value in zip(args, args[1:]):
        kind = value.split(",")[0]
        if option == "-device" and kind not in device_types(program):
            raise Skip(f"{Path(program).name} has no device '{kind}'")


def arguments(kernel: str = "debian", bios: str = "1.6", machine: str = "virt",
              append: str = "", run: str | None = None, memory: int = 256) -> list[str]:
    """Return the arguments that boot a kernel ('debian', 'hotplug' or '6.1') with the test
    initramfs.

    `run` is a shell script for the guest. The guest powers off when the script ends.
    """
    words = ["console=ttyS0", "cryptomgr.notests", append]
    if run is not None:
        words.append("backplane.run=" + base64.b64encode(run.encode()).decode())
    try:
        image = {"debian": material.debian_kernel, "hotplug": material.hotplug_kernel,
                 "6.1": material.kernel_6_1}[kernel]()
        modules = "hotplug" if kernel == "hotplug" else "debian"
        return ["-M", machine, "-m", str(memory), "-bios", str(material.opensbi(bios)),
                "-kernel", str(image), "-initrd", str(material.initramfs(modules)),
                "-append", " ".join(word for word in words if word)]
    except material.MaterialError as error:
        raise Skip(str(error)) from None


def finish(guest: Emulator, timeout: float = 120) -> str:
    """Wait for the guest's script to succeed and the machine to power off with status 0.

    Returns the console output from the start of the test init.
    """
    guest.expect("^BACKPLANE-INIT", timeout)
    start = guest.seen
    done = guest.expect(r"^BACKPLANE-DONE rc=(\d+)", timeout)
    if done[1] != "0":
        raise guest.fail(f"the guest's script ended with status {done[1]}")
    status = guest.wait(30)
    if status != 0:
        raise guest.fail(f"the emulator ended with status {status} after the guest powered off")
    return guest.console[start:done.start()]


def shell_ready(guest: Emulator, timeout: float = 120) -> None:
    """Wait for the shell of a guest that was started without a script. Restrict its terminal to the
    output of commands: no echo, prompts, kernel messages or job reports."""
    guest.expect("^BACKPLANE-INIT", timeout)
    guest.expect("^~ # ", timeout)
    guest.send("dmesg -n 1; stty -echo; set +m; PS1='' PS2=''\n")
    guest.shell("true")


def ticks(guest: Emulator, more_than: int) -> tuple[int, int]:
    """Wait until /scripts/load, which writes to /tmp/ticks, has written more than that many lines.

    Returns the number of lines and the number of bad ones. Only complete lines count. The file may
    not exist yet.
    """
    text = guest.shell_value(
        f"more than {more_than} lines in /tmp/ticks",
        "cat /tmp/ticks 2>/dev/null >/tmp/seen; wc -l </tmp/seen; grep -c BAD /tmp/seen || true",
        lambda text: int(text.split()[0]) > more_than, 60)
    count, bad = (int(number) for number in text.split())
    return count, bad
