# SPDX-License-Identifier: GPL-2.0-or-later
"""bochs-display with the driver of Debian's kernel."""

import shutil
import subprocess
import tempfile

from emulator import Emulator
from guest import Skip, arguments, need_devices, shell_ready
from pixels import read_png, read_ppm
from rfbclient import DESKTOP_SIZE, QEMU_KEYS, RAW, RfbClient
from subject import Subject, check, test
from waiting import scaled, until

DEVICES = ["-device", "bochs-display,id=vga0,xres=800,yres=600"]
WIDTH, HEIGHT = 800, 600


def console_ready(guest: Emulator) -> None:
    """Load the driver, and wait for the text console on the display."""
    shell_ready(guest)
    if guest.shell("modprobe bochs 2>&1 || echo absent").strip():
        raise Skip("the initramfs has no module bochs: run scripts/make-initramfs")
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
def keyboard_keys(subject: Subject) -> None:
    """Keys of send-key and sendkey reach a program on the console of the display."""
    devices = DEVICES + ["-device", "virtio-keyboard-pci"]
    need_devices(subject.program, devices)
    with Emulator(subject.program, arguments() + devices, echo=subject.echo) as guest:
        console_ready(guest)
        guest.shell("modprobe virtio_input; modprobe evdev")
        guest.shell_until("[ -e /dev/input/event0 ]")
        guest.shell("head -n 2 /dev/tty1 >/tmp/typed 2>/dev/null </dev/null &")
        for names in (("h",), ("shift", "i"), ("minus",), ("ret",)):
            guest.qmp.command("send-key", keys=[{"type": "qcode", "data": n} for n in names],
                              **{"hold-time": 20})
        for keys in ("o", "k", "ret"):
            guest.qmp.command("human-monitor-command", **{"command-line": f"sendkey {keys} 20"})
        guest.shell_until("[ $(wc -l </tmp/typed) = 2 ]")
        typed = guest.shell("cat /tmp/typed").split()
        check(typed == ["hI-", "ok"], "other keys", str(typed))


@test
def vnc_console(subject: Subject) -> None:
    """A VNC client types into the console of the display and sees the pixels of screendump, as
    gvnccapture does."""
    with tempfile.TemporaryDirectory() as folder:
        devices = DEVICES + ["-device", "virtio-keyboard-pci", "-vnc", "127.0.0.1:30,to=3000"]
        need_devices(subject.program, devices)
        with Emulator(subject.program, arguments() + devices, echo=subject.echo) as guest:
            console_ready(guest)
            guest.shell("modprobe virtio_input; modprobe evdev")
            guest.shell_until("[ -e /dev/input/event0 ]")
            guest.shell("printf '\\033[2J\\033[H\\033[?25l' >/dev/tty1")
            guest.shell("head -n 3 /dev/tty1 >/tmp/typed 2>/dev/null </dev/null &")
            port = int(guest.qmp.command("query-vnc")["service"])
            with RfbClient(("127.0.0.1", port)) as client:
                client.start()
                client.encodings(RAW, DESKTOP_SIZE, QEMU_KEYS)
                client.type("The Quick {Fox} #1!\n")
                client.type("jumps_over: ~/\"lazy\"|dog's?\n")
                for number in (0x2C, 0x1C):         # z, Enter: without symbols
                    client.qemu_key(0, number, True)
                    client.qemu_key(0, number, False)
                guest.shell_until("[ $(wc -l </tmp/typed) = 3 ]")
                typed = guest.shell("cat /tmp/typed").splitlines()
                check(typed == ["The Quick {Fox} #1!", "jumps_over: ~/\"lazy\"|dog's?", "z"],
                      "other keys", str(typed))
                client.request()

                def same() -> bool:
                    client.update()
                    client.request(True)
                    return client.rgb()[2] == screen(guest, folder)
                until("the client to show the console", same, 60, guest.describe)
                check(any(client.pixels), "a black console", "")
            capture_console(guest, port, folder)


def capture_console(guest: Emulator, port: int, folder: str) -> None:
    """Compare a picture of gvnccapture with screendump."""
    if not shutil.which("gvnccapture"):
        raise Skip("gvnccapture is not installed: package gvncviewer")
    subprocess.run(["gvnccapture", "-q", f"127.0.0.1:{port - 5900}", f"{folder}/seen.png"],
                   check=True, timeout=scaled(120))
    seen = read_png(f"{folder}/seen.png")
    check(seen == (WIDTH, HEIGHT, screen(guest, folder)), "gvnccapture sees other pixels",
          str(seen[:2]))


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
