# SPDX-License-Identifier: GPL-2.0-or-later
"""Where guest material lives, and the small things that the scripts which make it share.

The cache is, in this order: $BACKPLANE_CACHE; `cache/` in the checkout, if it exists;
${XDG_CACHE_HOME:-~/.cache}/backplane. Clones on one machine so share what was downloaded.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

TOP = Path(__file__).resolve().parent.parent.parent


class MaterialError(Exception):
    """Guest material cannot be had; the text says which, why, and what to do."""


def cache_dir() -> Path:
    """The folder that holds everything downloaded and built for guests."""
    if os.environ.get("BACKPLANE_CACHE"):
        return Path(os.environ["BACKPLANE_CACHE"]).absolute()
    if (TOP / "cache").is_dir():
        return TOP / "cache"
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "backplane"


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def key_of(*parts: object) -> str:
    """A short key that changes with any part; a Path stands for that file's content."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update((sha256(part) if isinstance(part, Path) else str(part)).encode() + b"\0")
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def locked(cache: Path, what: str) -> Iterator[None]:
    """Hold one part of the cache: two runs never write it at the same time."""
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / f".lock-{what}", "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run that makes the {what} in {cache}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def replace_dir(new: Path, old: Path) -> None:
    """Put a finished folder in the place of an older one."""
    shutil.rmtree(old, ignore_errors=True)
    new.rename(old)


def program() -> str:
    """The running script's name, for messages."""
    return Path(sys.argv[0]).name


def say(text: str) -> None:
    """One line of progress."""
    print(f"{program()}: {text}", flush=True)


def die(text: object) -> NoReturn:
    """One clear error, status 1."""
    print(f"{program()}: error: {text}", file=sys.stderr, flush=True)
    sys.exit(1)


def find(what: str, pattern: str, script: str) -> Path:
    """The newest file in the cache that matches; otherwise says which script makes it."""
    found = sorted(cache_dir().glob(pattern), key=lambda p: p.stat().st_mtime)
    if not found:
        raise MaterialError(f"{what} not found in {cache_dir()}: run scripts/{script}")
    return found[-1]


def debian_kernel() -> Path:
    """Debian's riscv64 kernel image (trixie, 6.12)."""
    return find("Debian's riscv64 kernel", "trixie/boot/vmlinux-*", "fetch-guest")


def opensbi(version: str) -> Path:
    """Debian's OpenSBI fw_dynamic.bin: '1.6' is trixie's, '1.1' Debian 12's."""
    suite = {"1.6": "trixie", "1.1": "bookworm"}[version]
    return find(f"OpenSBI {version}", f"{suite}/usr/lib/riscv64-linux-gnu/opensbi/generic/"
                "fw_dynamic.bin", "fetch-guest")


def uboot() -> Path:
    """Debian's U-Boot for `virt`, to run in S mode under OpenSBI."""
    return find("U-Boot", "trixie/usr/lib/u-boot/qemu-riscv64_smode/uboot.elf", "fetch-guest")


def initramfs(kernel: str = "debian") -> Path:
    """Our initramfs with the modules of one kernel: 'debian' or 'hotplug' (the second kernel)."""
    return find(f"the initramfs for the {kernel} kernel", f"initramfs-{kernel}.cpio",
                "make-initramfs")


def kernel_6_1() -> Path:
    """Linux 6.1 with the second kernel's configuration: it drives the PLIC and not the AIA."""
    return find("the 6.1 guest kernel", "kernel-6.1/Image", "build-guest-kernel 6.1")


def hotplug_kernel() -> Path:
    """The second kernel: native hotplug, SHPC, AER, DPC and our drivers built in."""
    return find("the second guest kernel", "hotplug-kernel/Image", "build-guest-kernel")
