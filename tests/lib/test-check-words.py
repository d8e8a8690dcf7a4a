#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The checks of words, names and static names find what they reject, and nothing else."""

import importlib.machinery
import importlib.util
import sys
import unittest
from pathlib import Path
from types import ModuleType

sys.dont_write_bytecode = True
SCRIPTS = Path(__file__).resolve().parent.parent.parent / "scripts"
sys.path.insert(0, str(SCRIPTS))
import checklib  # noqa: E402


def load(name: str) -> ModuleType:
    """Import a script that has no suffix."""
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(SCRIPTS / name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module


WORDS = load("check-words")
STATIC = load("check-static-names")


def words(kind: str, text: str) -> list[str]:
    """Return the retired words of a text."""
    rows = list(enumerate(text.split("\n"), 1))
    return [word.lower() for _, word, _ in WORDS.in_piece(checklib.Prose(kind, rows))]


class Retired(unittest.TestCase):
    """Words and phrases."""

    def test_rejected(self) -> None:
        """Each of these has one finding."""
        for text, word in (("Nobody removes it.", "nobody"), ("the card is present", "card"),
                           ("where the device stands", "stands"), ("'x' is no option here", "is no option"),
                           ("the guest is given\naway", "given away"), ("It goes to the ring.", "goes"),
                           ("a device of this sort", "of this sort"),
                           ("the address map takes a range", "takes"),
                           ("the block is the caller's.", "is the caller's"),
                           ("Whether a device is present.", "whether"),
                           ("The same, without the lock.", "the same")):
            with self.subTest(text):
                self.assertEqual(words("comment", text), [word])

    def test_accepted(self) -> None:
        """None of these has a finding."""
        for text in ("The caller takes the machine lock.", "The link goes down.", "There is no slot.",
                     "The device is no longer present.", "an SD card", "It takes 5 seconds.",
                     "Return whether a device is present.", "`card` and `goes`", "sorted by address",
                     "a surface", "reset takes effect", "stands for a device"):
            with self.subTest(text):
                self.assertEqual(words("comment", text), [])

    def test_strings(self) -> None:
        """Only literals with three words or more are prose."""
        self.assertEqual(words("string", "card"), [])
        self.assertEqual(words("string", "%s: it needs a disk"), ["it needs"])


class Extraction(unittest.TestCase):
    """Comments and literals of each language."""

    def test_c(self) -> None:
        """Comments, joined literals, no include paths, no code."""
        text = '#include "a.h"\nint card; /* one\n * two */\nf("a " PRIu64 "b", \'"\');\n'
        pieces = [(p.kind, p.text(), p.lines[0][0]) for p in checklib.c_prose(text)]
        self.assertEqual(pieces, [("comment", "one\ntwo", 2), ("string", "a b", 4)])

    def test_python(self) -> None:
        """Docstrings, comments and literals."""
        text = '"""Doc\nstring."""\nx = "a" "b"  # note\n'
        pieces = sorted((p.kind, p.text()) for p in checklib.python_prose(text))
        self.assertEqual(pieces, [("comment", "note"), ("docstring", "Doc\nstring."),
                                  ("string", "ab")])

    def test_markdown(self) -> None:
        """Paragraphs without code."""
        text = "A `card`.\n\n```\ncode\n```\n\n    code\n\n- item\n  more\n"
        self.assertEqual([p.text() for p in checklib.markdown_prose(text)],
                         ["A ``.", "- item\n  more"])

    def test_shell(self) -> None:
        """Comments, not $# or the interpreter line."""
        text = "#!/bin/sh\nx=$#\n# one\n# two\n"
        self.assertEqual([p.text() for p in checklib.hash_prose(text, False)], ["one\ntwo"])


class StaticNames(unittest.TestCase):
    """Definitions that the check collects."""

    def test_functions(self) -> None:
        """Functions with any return type; no calls, objects or function pointers."""
        text = ("static int one(void)\nstatic const char *two(int a)\nstatic void (*no)(void);\n"
                "static const X table[] = { F(1) };\nstatic bool\n    x;\n")
        self.assertEqual(STATIC.FUNCTION.findall(text), ["one", "two"])


if __name__ == "__main__":
    unittest.main()
