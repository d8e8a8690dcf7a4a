# SPDX-License-Identifier: GPL-2.0-or-later
"""Run the functions test_*() of a module, and print their results in the TAP format."""

import subprocess
import tempfile
from collections.abc import Mapping

from monitors import QmpError
from waiting import TestFailure


class Skip(Exception):
    """The test cannot run on this host. The text gives the reason."""


def check(condition: object, text: object) -> None:
    """Fail the test unless the condition holds."""
    if not condition:
        raise TestFailure(str(text))


def run(names: Mapping[str, object], prefix: str, only: list[str] | None = None) -> int:
    """Call each function test_NAME of a module (`globals()`) with a temporary folder, or only those
    whose NAME is in `only`. Return the exit status. `prefix` begins the names of the folders."""
    tests = [(name[5:], fn) for name, fn in sorted(names.items())
             if name.startswith("test_") and (not only or name[5:] in only)]
    bad = 0
    print(f"1..{len(tests)}")
    for number, (name, fn) in enumerate(tests, 1):
        try:
            with tempfile.TemporaryDirectory(prefix=f"backplane-{prefix}-") as folder:
                fn(folder)
            print(f"ok {number} - {name}", flush=True)
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}", flush=True)
        except (AssertionError, QmpError, OSError, subprocess.SubprocessError) as error:
            bad += 1
            text = str(error).replace("\n", "\n# ")
            print(f"not ok {number} - {name}\n# {type(error).__name__}: {text}", flush=True)
    return int(bad > 0)
