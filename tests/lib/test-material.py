#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The shared parts of the guest scripts: cache location, damage in it, archive writer, console."""

import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from types import ModuleType
from unittest import mock

LIB = Path(__file__).resolve().parent
sys.path.insert(0, str(LIB))
import material  # noqa: E402
from emulator import Emulator, TestFailure  # noqa: E402


def script(name: str) -> ModuleType:
    """Load a script of scripts/ as a module."""
    loader = importlib.machinery.SourceFileLoader(
        name.replace("-", "_"), str(material.TOP / "scripts" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


class Cache(unittest.TestCase):
    """Location of the cache, and detection of damaged files in it."""

    def test_place(self) -> None:
        """$BACKPLANE_CACHE has priority, then cache/ in the checkout, then $XDG_CACHE_HOME."""
        with mock.patch.dict(os.environ, {"BACKPLANE_CACHE": "/a/b"}):
            self.assertEqual(material.cache_dir(), Path("/a/b"))
        with mock.patch.dict(os.environ, {"BACKPLANE_CACHE": "", "XDG_CACHE_HOME": "/x"}):
            here = material.TOP / "cache"
            self.assertEqual(material.cache_dir(),
                             here if here.is_dir() else Path("/x/backplane"))

    def test_missing(self) -> None:
        """An error about missing material names the script that creates it."""
        with tempfile.TemporaryDirectory() as empty:
            with mock.patch.dict(os.environ, {"BACKPLANE_CACHE": empty}):
                with self.assertRaisesRegex(material.MaterialError, "run scripts/fetch-guest"):
                    material.debian_kernel()

    def test_damage(self) -> None:
        """A file with a wrong size or a wrong digest is reported as damaged."""
        fetch = script("fetch-guest")
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "f"
            row = {"file": "f", "size": 3,
                   "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}
            self.assertEqual(fetch.damage(Path(name), row), "missing")
            path.write_bytes(b"abc")
            self.assertIsNone(fetch.damage(Path(name), row))
            path.write_bytes(b"abd")
            self.assertEqual(fetch.damage(Path(name), row), "damaged")
            path.write_bytes(b"ab")
            self.assertEqual(fetch.damage(Path(name), row), "damaged")

    def test_no_network(self) -> None:
        """Without a mirror, the script exits with status 1 and one line that names the mirror."""
        if not shutil.which("apt-get") or not script("fetch-guest").HOST_KEYRING.exists():
            self.skipTest("needs a Debian host with debian-archive-keyring")
        with tempfile.TemporaryDirectory() as name:
            done = subprocess.run(
                [material.TOP / "scripts/fetch-guest"], check=False, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=dict(os.environ, BACKPLANE_CACHE=name, BACKPLANE_MIRROR="http://127.0.0.1:9/d"))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\Afetch-guest: error: [^\n]*127\.0\.0\.1:9[^\n]*\n\Z")

    def test_key(self) -> None:
        """A key depends on each part, on the order, and on the boundaries between parts."""
        keys = {material.key_of(*parts) for parts in (("a", "b"), ("b", "a"), ("ab",), ("a", "c"))}
        self.assertEqual(len(keys), 4)


class Archive(unittest.TestCase):
    """The initramfs writer. cpio reads the archive back."""

    def test_read_back(self) -> None:
        """Each directory occurs once. Files, links and devices are preserved."""
        if not shutil.which("cpio"):
            self.skipTest("cpio not found: install the Debian package cpio")
        cpio = script("make-initramfs").Cpio()
        cpio.file("a/b/one", b"12345")
        cpio.file("a/b/two", b"", 0o755)
        cpio.link("a/link", "b/one")
        cpio.add("a/null", 0o020666, device=(1, 3))
        listed = subprocess.run(["cpio", "-tv", "--quiet"], input=cpio.finish(), check=True,
                                stdout=subprocess.PIPE).stdout.decode()
        self.assertEqual(len(listed.splitlines()), 6)
        for expected in ("drwxr-xr-x", "-rwxr-xr-x", "a/link -> b/one", "1,   3"):
            self.assertIn(expected, listed)


class Console(unittest.TestCase):
    """Emulator with a shell script instead of the emulator."""

    def start(self, text: str) -> Emulator:
        """Create a program that ignores its arguments and runs the text."""
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        path = Path(self.scratch.name) / "fake"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return Emulator(path, [], qmp=False)

    def test_expect_and_send(self) -> None:
        """Patterns match in order, sent text arrives, and the status is returned."""
        with self.start('printf "one\\r\\ntwo\\n"; read x; echo "got $x"; exit 3') as fake:
            fake.expect("^one$", 5)
            fake.send("hello\n")
            self.assertEqual(fake.expect(r"got (\w+)", 5)[1], "hello")
            self.assertEqual(fake.wait(5), 3)

    def test_closed(self) -> None:
        """A console that closes ends the wait immediately. The report contains its text."""
        with self.start("echo last words; echo trouble >&2") as fake:
            with self.assertRaisesRegex(TestFailure, "(?s)console closed.*trouble.*last words"):
                fake.expect("never", 60)

    def test_timeout_and_teardown(self) -> None:
        """A wait times out. Leaving the block ends the process and removes its directory."""
        with self.start("exec sleep 60") as fake:
            with self.assertRaisesRegex(TestFailure, "waited .* for .never."):
                fake.expect("never", 0.1)
            pid = fake.proc.pid
        self.assertIsNotNone(fake.proc.poll())
        self.assertFalse(fake.dir.exists())
        self.assertRaises(ProcessLookupError, os.kill, pid, 0)


if __name__ == "__main__":
    unittest.main()
