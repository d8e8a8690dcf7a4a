# SPDX-License-Identifier: GPL-2.0-or-later
"""What every guest test shares: the emulator under test, the table of tests, and check()."""

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
        """What it prints for a question that it answers without starting."""
        done = subprocess.run([self.program, "-M", "virt", *question], stdin=subprocess.DEVNULL,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              check=False, timeout=scaled(30))
        return done.stdout

    def need_aia(self) -> None:
        """MSI reaches the CPU only through an IMSIC."""
        if self.is_qemu:
            raise Skip("QEMU 7.2 livelocks with aia=aplic-imsic, so it delivers no MSI")

    @property
    def msi_machine(self) -> str:
        """A machine that delivers MSI; the default machine where the subject cannot."""
        return "virt" if self.is_qemu else MSI_MACHINE

    def boot(self, args: list[str]) -> str:
        """Boot, wait for the script's end and the power-off; the console from our init on."""
        need_devices(self.program, args)
        with Emulator(self.program, args, qmp=False, echo=self.echo) as machine:
            return finish(machine)


def test(function: Callable[[Subject], None]) -> Callable[[Subject], None]:
    """Register a test under its function's name with dashes."""
    TESTS[function.__name__.replace("__", ".").replace("_", "-")] = function
    return function


def check(holds: object, what: str, text: str) -> None:
    """Fail with the text in view unless something holds."""
    if not holds:
        raise TestFailure(f"{what}\n--- in\n{text}")
