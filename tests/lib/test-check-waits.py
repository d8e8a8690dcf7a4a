#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/check-waits reports each class of wait that it rejects, and nothing else."""

import importlib.machinery
import importlib.util
import sys
import tempfile
import unittest
from pathlib import Path

PATH = Path(__file__).resolve().parent.parent.parent / "scripts/check-waits"
sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader("check_waits", str(PATH))
CHECK = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_waits", LOADER))
LOADER.exec_module(CHECK)
PYTHON = "#!/usr/bin/env python3\nimport time\n"
C = '#include "x.h"\n'
BAD = {
    "sleep.py": PYTHON + "time.sleep(1)\n",
    "endless.py": PYTHON + "while True:\n    if qmp.command('query-migrate'):\n        break\n",
    "deadline.py": PYTHON + "while time.monotonic() < end:\n    look()\n",
    "limit.py": PYTHON + "subprocess.run(['true'], timeout=30)\n",
    "socket.py": PYTHON + "sock.settimeout(5)\n",
    "thread.py": PYTHON + "thread.join(5)\n",
    "ask.py": PYTHON + "for _ in range(100):\n    if qmp.status() == 'done':\n        break\n",
    "event.py": PYTHON + "for _ in range(turns):\n    if look():\n        break\n"
                         "    pause.wait(0.005)\n",
    "port.py": PYTHON + "def port():\n    with socket() as s:\n        s.bind(('', 0))\n"
                        "        return s.getsockname()[1]\n",
    "sleep.sh": "#!/bin/sh\nuntil test -e x; do sleep 1; done\n",
    "timeout.sh": "#!/bin/sh\ntrue | timeout 3 cat\n",
    "tour.md": "```console\n$ server & sleep 1; client\n```\n",
    "sleep.c": C + "g_usleep(1000);\n",
    "poll.c": C + "n = poll(&p, 1, 5000);\n",
    "block.c": C + "g_main_context_iteration(NULL, TRUE);\n",
    "deadline.c": C + "while (g_get_monotonic_time() < end) {\n",
    "reason.c": C + "g_usleep(1000); /* wait-ok: */\n",
}
GOOD = {
    "until.py": PYTHON + "until('it', look, 5)\nsock.settimeout(scaled(5))\nthread.join(d.left())\n",
    "parse.py": PYTHON + "while True:\n    word = next(words)\n    if not word:\n        break\n",
    "times.py": PYTHON + "for _ in range(3):\n    qmp.command('stop')\n' '.join(words)\n",
    # word-ok: a name in test data
    "took.py": PYTHON + "took = time.monotonic() - began\nassert took < scaled(2)\n",
    "text.py": PYTHON + "guest.shell('until true; do sleep 1; done')\n",
    "word.sh": "#!/bin/sh\n# sleep 1\necho sleep well\n",
    "prose.md": "Do not `sleep 1`.\n",
    "until.c": C + "WAIT_UNTIL (x, 5) {\n}\n/* g_usleep(1) */ s = \"poll(\";\n",
    "reason.c": C + "/* wait-ok: a server that its client ends */\npoll(&p, 1, -1);\n",
}


class Waits(unittest.TestCase):
    """Small files, one per case."""

    def found(self, name: str, text: str) -> list[str]:
        """Return the findings in one file."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_text(text)
            return CHECK.check(path)[0]

    def test_bad(self) -> None:
        """Each of these has one finding."""
        for name, text in BAD.items():
            with self.subTest(name):
                self.assertEqual(len(self.found(name, text)), 1)

    def test_good(self) -> None:
        """None of these has a finding."""
        for name, text in GOOD.items():
            with self.subTest(name):
                self.assertEqual(self.found(name, text), [])


if __name__ == "__main__":
    unittest.main()
