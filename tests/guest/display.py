# SPDX-License-Identifier: GPL-2.0-or-later
"""bochs-display with the driver of Debian's kernel."""

import tempfile

from emulator import Emulator
from guest import arguments, need_devices, shell_ready
from pixels import read_ppm
from subject import Subject, check, test
from waiting import until

DEVICES = ["-device", "bochs-display,id=vga0,xres=800,yres=600"]
WIDTH, HEIGHT = 800, 600


def console_ready(guest: Emulator) -> None:
    """Load the driver, and wait for the text console on the display."""
    shell_ready(guest)
    guest.shell("modprobe bochs")
    guest.shell_until("[ -e /dev/fb0 ]")
    size = guest.shell("cat /sys/class/graphics/fb0/virtual_size").strip()
    check(size == f"{WIDTH},{HEIGHT}", "another mode than the preferred one", size)


def screen(guest: Emulator, folder: str) -> bytes:
    """Return the pixels of the display."""
    guest.qmp.command("screendump", filename=f"{folder}/screen.ppm")
    width, height, pixels = read_ppm(f"{folder}/screen.ppm")
    check((width, height) == (WIDTH, HEIGHT), "another size", f"{width} x {height}")
    return pixels


@test
def display_console(subject: Subject) -> None:
    """The console appears on bochs-display; text and colours are in the screendump."""
    need_devices(subject.program, DEVICES)
    with Emulator(subject.program, arguments() + DEVICES, echo=subject.echo) as guest, \
            tempfile.TemporaryDirectory() as folder:
        console_ready(guest)
        guest.shell("printf '\\033[2J\\033[?25l' >/dev/tty1")
        until("a black console", lambda: not any(screen(guest, folder)), 30, guest.describe)
        guest.shell("printf 'A line of text' >/dev/tty1")
        until("a line of text", lambda: any(screen(guest, folder)), 30, guest.describe)
        text = screen(guest, folder)
        lit = [i // 3 for i in range(0, len(text), 3) if any(text[i:i + 3])]
        check(max(lit) < 32 * WIDTH and max(n % WIDTH for n in lit) < 20 * 16,
              "the text is not in the first line", str(lit[-3:]))
        guest.shell("printf '\\033[44m\\033[2J' >/dev/tty1")
        blue = bytes((0, 0, 0xAA)) * (WIDTH * (HEIGHT // 16 * 16))
        until("a blue console", lambda: screen(guest, folder)[:len(blue)] == blue, 30,
              guest.describe)
