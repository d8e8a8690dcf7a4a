#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each option and each device type of Debian's QEMU exists, or the message names the missing feature."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from waiting import scaled  # noqa: E402

EMULATOR = os.environ["BACKPLANE_BINARY"]
QEMU = "qemu-system-riscv64"
# Devices on the buses of boards, which no machine here has; and the part of -fw_cfg before the underscore.
BOARD_BUSES = ("SSI", "i2c-bus", "IndustryPack")
NOT_OPTIONS = ("fw",)


def output(*argv: str) -> str:
    """Return what a program prints."""
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=scaled(20), check=False).stdout


def device_types(program: str) -> set[str]:
    """Return the names in -device help, without those of the buses of boards."""
    rows = re.findall(r'^name "([^"]+)"(?:, bus ([^\s,]+))?', output(program, "-M", "virt", "-device", "help"), re.MULTILINE)
    return {name for name, bus in rows if bus not in BOARD_BUSES}


def undescribed_devices() -> list[str]:
    """Return the messages about device types of QEMU that name no feature."""
    messages = [output(EMULATOR, "-M", "none", "-device", name) for name in
                sorted(device_types(QEMU) - device_types(EMULATOR))]
    assert len(messages) > 50, messages
    return [text for text in messages if "this version does not have" not in text]


def undescribed_options() -> list[str]:
    """Return the messages about options of QEMU that name no feature. -version ends a start that would succeed."""
    names = set(re.findall(r"^-([A-Za-z0-9][A-Za-z0-9-]*)", output(QEMU, "-help"), re.MULTILINE)) - set(NOT_OPTIONS)
    assert len(names) > 90, names
    messages = [output(EMULATOR, f"-{name}", "x", "-version") for name in sorted(names - {"h", "help", "version"})]
    return [text for text in messages if re.search(r"option '-[^']*' is unknown", text)]


if not shutil.which(QEMU):
    print(f"SKIP: {QEMU} is not installed")
    sys.exit(77)
wrong = undescribed_devices() + undescribed_options()
print("\n".join(wrong))
sys.exit(1 if wrong else 0)
