#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The JSON form of -blockdev, -netdev and -object uses the types of the QMP schema.

For each key of each driver, a value of the type in the schema is not rejected because of its type, and the
message about a value of another type names the key.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from emulator import Emulator  # noqa: E402
from waiting import scaled  # noqa: E402

EMULATOR = os.environ["BACKPLANE_BINARY"]
OPTIONS = {"blockdev-add": ("-blockdev", "driver", {"node-name": "n"}),
           "netdev_add": ("-netdev", "type", {"id": "n"}),
           "object-add": ("-object", "qom-type", {"id": "n"})}
QUIT = '{"execute":"qmp_capabilities"}{"execute":"quit"}'
FAILURES: list[str] = []
VALUES = {"string": "x", "integer": 1, "int": 1, "number": 1, "boolean": True}


def read_schema() -> dict[str, dict]:
    """Return the entries of query-qmp-schema by name."""
    with Emulator(EMULATOR, ["-M", "none", "-accel", "qtest"], console=False) as machine:
        return {entry["name"]: entry for entry in machine.qmp.command("query-qmp-schema")}


def values(entry: dict) -> tuple[object, object] | None:
    """Return a value of the type and one of another type; None if the type accepts several."""
    match entry["meta-type"]:
        case "builtin":
            right = VALUES[entry["json-type"]]
            return right, {} if right == "x" else "x"
        case "enum":
            return entry["members"][0]["name"], {}
        case "array":
            return [], "x"
        case "object":
            return {}, "x"
    return None


def keys(schema: dict, kind: str, tag: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield (variant, key, name of the key's type) of an object: the common keys with each variant, and its own."""
    entry = schema[kind]
    common = [(m["name"], m["type"]) for m in entry["members"] if m["name"] != tag]
    for variant in entry.get("variants", [{"case": "", "type": None}]):
        own = schema[variant["type"]]["members"] if variant["type"] else []
        for name, type_name in common + [(m["name"], m["type"]) for m in own]:
            yield variant["case"], name, type_name


def message(option: str, value: dict) -> str:
    """Return the message of the emulator about an option in its JSON form."""
    done = subprocess.run([EMULATOR, "-M", "none", "-accel", "qtest", "-nodefaults", "-display", "none", "-qmp", "stdio",
                           option, json.dumps(value)], input=QUIT, capture_output=True, text=True,
                          timeout=scaled(30), check=False)
    return done.stderr


def check_key(option: str, base: dict, path: list[str], entry: dict) -> int:
    """Check one key, whose last part is in the object that the others name. Return the number of starts."""
    pair = values(entry)
    if pair is None:
        return 0
    for value, wrong in zip(pair, (False, True), strict=True):
        arguments = json.loads(json.dumps(base))
        inner = arguments
        for part in path[:-1]:
            inner = inner[part]
        inner[path[-1]] = value
        text = message(option, arguments)
        named = "'" + ".".join(path) in text
        if not named if wrong else named and "Invalid parameter type" in text:
            FAILURES.append(f"{option} {json.dumps(arguments)}: {text or 'no message'}")
    return 2


def check_command(schema: dict, command: str) -> int:
    """Check all keys of a command's option."""
    option, tag, name = OPTIONS[command]
    starts = 0
    for case, key, kind in keys(schema, schema[command]["arg-type"], tag):
        base = name | {tag: case}
        if key in name:
            continue
        starts += check_key(option, base, [key], schema[kind])
        if schema[kind]["meta-type"] == "object":
            for inner_case, inner, inner_kind in keys(schema, kind, schema[kind].get("tag", "")):
                nested = base | {key: {schema[kind]["tag"]: inner_case} if inner_case else {}}
                starts += check_key(option, nested, [key, inner], schema[inner_kind])
    return starts


def main() -> int:
    """Check the three options."""
    schema = read_schema()
    for command, (option, _, _) in OPTIONS.items():
        starts = check_command(schema, command)
        assert starts > 20, f"{option}: {starts}"
        print(f"{option}: {starts} starts")
    for failure in FAILURES:
        print(failure)
    return 1 if FAILURES else 0


if __name__ == "__main__":
    sys.exit(main())
