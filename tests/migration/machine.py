# SPDX-License-Identifier: GPL-2.0-or-later
"""An emulator under test in the migration tests: QMP, qtest, no console."""
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from emulator import Emulator, QmpError  # noqa: E402
from waiting import Deadline, until  # noqa: E402

__all__ = ["EMULATOR", "Machine", "QmpError"]
EMULATOR = os.environ.get("BACKPLANE",
                          os.path.join(os.path.dirname(__file__),
                                       "../../build/backplane-system-riscv64"))


class Machine(Emulator):
    """One emulator process with a QMP connection and, with -accel qtest, a qtest connection. It has
    answered QMP when the constructor returns, so it listens on all its addresses."""

    def __init__(self, *args, qtest=True):
        accel = ["-accel", "qtest"] if qtest else []
        super().__init__(EMULATOR, ["-nodefaults", *accel, *args], console=False, qtest=qtest)
        try:
            self.command("query-status")
            self.ask = self.qtest.ask if qtest else None
        except BaseException:
            self.close()
            raise

    @property
    def events(self):
        """Return the events received so far."""
        return self.qmp.events

    def command(self, execute, **arguments):
        """Run a command and return its result."""
        answer = self.qmp.raw(execute, {k.replace("_", "-"): v for k, v in arguments.items()})
        if "error" in answer:
            raise QmpError(execute, answer["error"])
        return answer["return"]

    def write(self, address, size, value):
        """Store 1, 2, 4 or 8 bytes at a guest address."""
        self.qtest.write(address, size, value)

    def read(self, address, size):
        """Load from a guest address."""
        return self.qtest.read(address, size)

    def status(self):
        """Return the status of query-migrate."""
        return self.command("query-migrate").get("status")

    def wait(self, *states, seconds=20):     # pylint: disable=arguments-differ
        """Wait until the migration is in one of the states. Returns the answer of query-migrate."""
        deadline = Deadline(f"the migration to be {' or '.join(states)}", seconds, self.describe)
        for _ in deadline:
            deadline.state = report = self.command("query-migrate")
            if report.get("status") in states:
                return report
        raise deadline.failure()

    def wait_event(self, name, seconds=20):
        """Wait until names() contains an event with this name. The event is kept."""
        def look():
            self.command("query-status")
            return name in self.names()
        until(f"the event {name}", look, seconds, self.describe, self.names)

    def names(self):
        """Return the names of the events so far. MIGRATION includes its status."""
        return [e["data"]["status"] if e["event"] == "MIGRATION" else e["event"]
                for e in self.events]
