# SPDX-License-Identifier: GPL-2.0-or-later
"""The QEMU version that the differential tests compare with: 7.2, from Debian 12. Later versions
have more CPU extensions, other access sizes and other registers. The tables of explained
differences do not cover these."""

import re
import shutil
import subprocess

from waiting import scaled

VERSION = "7.2"


def unsuitable(program: str) -> str | None:
    """Return the reason why a QEMU program cannot be used for comparison, or None."""
    if not shutil.which(program):
        return f"{program} not found (Debian package qemu-system-misc)"
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False,
                          timeout=scaled(30))
    found = re.search(r"version (\d+\.\d+)", done.stdout)
    if found and found[1] == VERSION:
        return None
    return f"{program} is {found[1] if found else 'of an unknown version'}, and the oracle is QEMU " \
           f"{VERSION} (Debian 12's)"
