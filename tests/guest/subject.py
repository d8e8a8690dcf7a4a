# SPDX-License-Identifier: GPL-2.0-or-later
"""Shared parts of the guest tests: the emulator under test, the table of tests, and check()."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from emulator import Emulator, TestFailure
from guest import MSI_MACHINE, Skip, finish, need_devices
from waiting import scaled

TESTS: dict[str, Callable[["Subject"], None]] = {}

# The test driver's devices (tests/guest/driver), as several tests plug them.
TICKER = "ticker,addr=04.0,period-ns=5000000"
EDU = "edu,addr=03.0,dma_mask=0xffffffff"


class Subject:
    """The emulator under test."""

    def __init__(self, program: str, echo: bool, long: bool) -> None:
        self.program, self.echo, self.long = program, echo, long
        self.is_qemu = Path(program).name.startswith("qemu-")
        self.has_cpu = "rv64" in self.ask("-cpu", "help")

    def ask(self, *question: str) -> str:
        """Return the output of an invocation that prints information without starting a machine."""
        done = subprocess.run([self.program, "-M", "virt", *question], stdin=subprocess.DEVNULL,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              check=False, timeout=scaled(30))
        return done.stdout

    def need_aia(self) -> None:
        """Skip if the machine has no IMSIC, which MSI requires."""
        if self.is_qemu:
            raise Skip("QEMU 7.2 livelocks with aia=aplic-imsic, so it delivers no MSI")

    @property
    def msi_machine(self) -> str:
        """Return a machine that delivers MSI, or the default machine if the emulator has none."""
        return "virt" if self.is_qemu else MSI_MACHINE

    def boot(self, args: list[str]) -> str:
        """Boot, wait for the script and the power-off, and return the console from the test init
        on."""
        need_devices(self.program, args)
        with Emulator(self.program, args, qmp=False, echo=self.echo) as machine:
            return finish(machine)


def test(function: Callable[[Subject], None]) -> Callable[[Subject], None]:
    """Register a test under its function's name, with dashes instead of underscores."""
    TESTS[function.__name__.replace("__", ".").replace("_", "-")] = function
    return function


def check(holds: object, what: str, text: str) -> None:
    """Fail and show the text unless the condition holds."""
    if not holds:
        raise TestFailure(f"{what}\n--- in\n{text}")
