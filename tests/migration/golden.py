#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Golden streams: the stream of an earlier build loads, has the saved values, and continues.

For each stream: the independent reader parses it; it loads; saving immediately gives the same
sections (the description, and sections of a later version, may contain additional values that only
later builds write); then every value of its recipe is checked, including timers and queues that
continue.
A file created by --add NAME is never overwritten.
"""
import argparse
import gzip
import importlib
import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from machine import Machine, QmpError  # noqa: E402
from recipes import RECIPES  # noqa: E402

READER = importlib.import_module("read-stream")


def start(recipe, *args):
    """Start an emulator with the host parts of a recipe."""
    return Machine(*recipe.host, *args, qtest=not recipe.bios)


def save(m, path):
    """Save a machine whose clock is stopped."""
    m.command("stop")
    m.command("migrate", uri=f"file:{path}")
    report = m.wait("completed", "failed")
    assert report["status"] == "completed", report
    with open(path, "rb") as f:
        return f.read()


def check(m, recipe):
    """Check every value of a recipe."""
    for what, read, want in recipe.checks(m):
        have = read()
        assert have == want, f"{what}: {have!r}, not {want!r}"


def sections(data):
    """Return {(name, instance): (version, values)} of a stream, and the description of the machine.
    """
    return {(name, instance): (version, values)
            for name, instance, version, values in READER.read_stream(data)[1]}


def says(later, earlier):
    """Return true if the later description contains everything of the earlier one."""
    if isinstance(earlier, dict):
        return isinstance(later, dict) and all(
            key in later and says(later[key], value) for key, value in earlier.items())
    if isinstance(earlier, list):
        return len(later) == len(earlier) and all(map(says, later, earlier))
    return later == earlier


def kept(name, later, earlier):
    """Return true if what was saved contains this section of the golden stream."""
    if name == "backplane/hwdesc" and later:
        return later[0] == earlier[0] and says(*(
            json.loads(bytes.fromhex(section[1]["json"])) for section in (later, earlier)))
    if later and later[0] > earlier[0]:     # a later version adds values to the earlier one
        return says(*({key: value for key, value in section[1].items() if key != "length"}
                      for section in (later, earlier)))
    return later == earlier


def test(recipe, folder):
    """Test one stream."""
    with gzip.open(recipe.path) as f:
        golden = f.read()
    first = sections(golden)
    path, again = os.path.join(folder, "golden"), os.path.join(folder, "again")
    with open(path, "wb") as f:
        f.write(golden)
    with start(recipe, "-incoming", f"file:{path}") as m:
        report = m.wait("completed", "failed")
        assert report["status"] == "completed", report["error-desc"]
        data = save(m, again)
        if not recipe.older:
            second = sections(data)
            differ = [key for key, value in first.items()
                      if not kept(key[0], second.get(key), value)]
            assert not differ, f"saved again, these sections differ: {differ}"
        m.command("cont")
        check(m, recipe)
    with start(recipe, "-incoming", f"file:{again}") as m:
        report = m.wait("completed", "failed")
        assert report["status"] == "completed", report["error-desc"]
        m.command("cont")
        check(m, recipe)
    return len(first)


def add(recipe):
    """Create a stream that does not exist yet."""
    with tempfile.TemporaryDirectory(prefix="backplane-golden-") as folder:
        args = list(recipe.args)
        if recipe.bios:
            args += ["-bios", os.path.join(folder, "bios")]
            with open(args[-1], "wb") as f:
                f.write(recipe.bios)
        with start(recipe, *args) as m:
            recipe.setup(m)
            data = save(m, os.path.join(folder, "stream"))
    with open(recipe.path, "xb") as f:
        f.write(gzip.compress(data, 9, mtime=0))
    print(f"{recipe.path}: {len(data)} bytes, {os.path.getsize(recipe.path)} compressed")


def main():
    """Test all streams, or add one."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--add", metavar="NAME", help="create this one; never overwrites a file")
    options = parser.parse_args()
    if options.add:
        recipe = next((r for r in RECIPES if r.name == options.add), None)
        if not recipe or os.path.exists(recipe.path):
            print(f"golden: {options.add}: " + (
                "it exists, and golden streams are never regenerated" if recipe else
                f"no recipe of that name ({', '.join(r.name for r in RECIPES)})"), file=sys.stderr)
            return 1
        add(recipe)
        return 0
    bad = 0
    with tempfile.TemporaryDirectory(prefix="backplane-golden-") as folder:
        for recipe in RECIPES:
            try:
                print(f"{recipe.name}: ok, {test(recipe, folder)} sections", flush=True)
            except (AssertionError, QmpError, OSError, ValueError, RuntimeError, KeyError) as error:
                bad += 1
                print(f"{recipe.name}: {type(error).__name__}: {error}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
