# SPDX-License-Identifier: GPL-2.0-or-later
"""The cache of guest material, and functions shared by the scripts that create its contents.

The cache is the first of: $BACKPLANE_CACHE; `cache/` in the checkout, if it exists;
${XDG_CACHE_HOME:-~/.cache}/backplane. All clones on one machine share the downloads by default.
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
    """Guest material is not available. The text gives the file, the reason and the remedy."""


def cache_dir() -> Path:
    """Return the directory of all files downloaded and built for guests."""
    if os.environ.get("BACKPLANE_CACHE"):
        return Path(os.environ["BACKPLANE_CACHE"]).absolute()
    if (TOP / "cache").is_dir():
        return TOP / "cache"
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "backplane"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def key_of(*parts: object) -> str:
    """Return a short key that depends on every part. A Path stands for the contents of that file.
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update((sha256(part) if isinstance(part, Path) else str(part)).encode() + b"\0")
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def locked(cache: Path, what: str) -> Iterator[None]:
    """Lock one part of the cache, so that only one run writes it at a time."""
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / f".lock-{what}", "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run that makes the {what} in {cache}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def replace_dir(new: Path, old: Path) -> None:
    """Replace a directory by a complete new one."""
    shutil.rmtree(old, ignore_errors=True)
    new.rename(old)


def program() -> str:
    """Return the name of the running script for messages."""
    return Path(sys.argv[0]).name


def say(text: str) -> None:
    """Print one line of progress."""
    print(f"{program()}: {text}", flush=True)


def die(text: object) -> NoReturn:
    """Print one error message and exit with status 1."""
    print(f"{program()}: error: {text}", file=sys.stderr, flush=True)
    sys.exit(1)


def find(what: str, pattern: str, script: str) -> Path:
    """Return the newest file in the cache that matches. The error names the script that creates it.
    """
    found = sorted(cache_dir().glob(pattern), key=lambda p: p.stat().st_mtime)
    if not found:
        raise MaterialError(f"{what} not found in {cache_dir()}: run scripts/{script}")
    return found[-1]


def debian_kernel() -> Path:
    """Return the riscv64 kernel image of Debian (trixie, 6.12)."""
    return find("Debian's riscv64 kernel", "trixie/boot/vmlinux-*", "fetch-guest")


def opensbi(version: str) -> Path:
    """Return the OpenSBI fw_dynamic.bin of Debian: '1.6' is from trixie, '1.1' from Debian 12."""
    suite = {"1.6": "trixie", "1.1": "bookworm"}[version]
    return find(f"OpenSBI {version}", f"{suite}/usr/lib/riscv64-linux-gnu/opensbi/generic/"
                "fw_dynamic.bin", "fetch-guest")


def uboot(m_mode: bool = False) -> Path:
    """Return the U-Boot of Debian for `virt`, which runs in S mode under OpenSBI, or in M mode."""
    name = "qemu-riscv64/u-boot.bin" if m_mode else "qemu-riscv64_smode/uboot.elf"
    return find("U-Boot", f"trixie/usr/lib/u-boot/{name}", "fetch-guest")


def edk2() -> tuple[Path, Path]:
    """Return the two flash images of EDK2: the program and the template of its variables."""
    code = find("EDK2", "trixie/usr/share/qemu-efi-riscv64/RISCV_VIRT_CODE.fd", "fetch-guest efi")
    return code, code.with_name("RISCV_VIRT_VARS.fd")


def debian_root() -> Path:
    """Return the disk image of a Debian system."""
    return find("the Debian disk image", "debian-root/disk.img", "build-guest-root")


def initramfs(kernel: str = "debian") -> Path:
    """Return the test initramfs with the modules of one kernel: 'debian' or 'hotplug' (the second
    kernel)."""
    return find(f"the initramfs for the {kernel} kernel", f"initramfs-{kernel}.cpio",
                "make-initramfs")


def kernel_6_1() -> Path:
    """Return Linux 6.1 with the configuration of the second kernel. It has a driver for the PLIC,
    but none for the AIA."""
    return find("the 6.1 guest kernel", "kernel-6.1/Image", "build-guest-kernel 6.1")


def hotplug_kernel() -> Path:
    """Return the second kernel: native hotplug, SHPC, AER, DPC and the test drivers built in."""
    return find("the second guest kernel", "hotplug-kernel/Image", "build-guest-kernel")
