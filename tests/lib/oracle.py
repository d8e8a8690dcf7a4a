# SPDX-License-Identifier: GPL-2.0-or-later
"""The QEMU that differential tests compare with: 7.2, Debian 12's. Later versions have further CPU
extensions, other access orders and other registers, whose differences are not ours to explain."""

import re
import shutil
import subprocess

from waiting import scaled

VERSION = "7.2"


def unsuitable(program: str) -> str | None:
    """Why a QEMU program cannot be the oracle, as a sentence, or None."""
    if not shutil.which(program):
        return f"{program} not found (Debian package qemu-system-misc)"
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False,
                          timeout=scaled(30))
    found = re.search(r"version (\d+\.\d+)", done.stdout)
    if found and found[1] == VERSION:
        return None
    return f"{program} is {found[1] if found else 'of an unknown version'}, and the oracle is QEMU " \
           f"{VERSION} (Debian 12's)"
