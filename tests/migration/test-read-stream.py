#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The reader of migration files accepts the golden files and reports each violated rule."""
import glob
import gzip
import importlib
import json
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
READER = importlib.import_module("read-stream")


def describe(data, change):
    """Return the file with its description changed by a function over the JSON."""
    at = READER.find_description(data)[0]
    value = json.loads(data[at:])
    change(value)
    text = json.dumps(value, separators=(",", ":")).encode()
    while b"{" in struct.pack(">I", len(text)):
        text += b" "
    return data[:at - 4] + struct.pack(">I", len(text)) + text


def brace_length(data):
    """Return the file as written without padding: a byte of the length is 0x7b."""
    at = READER.find_description(data)[0]
    text = data[at:].rstrip()
    text += b" " * ((0x7b - len(text)) % 256)
    return data[:at - 4] + struct.pack(">I", len(text)) + text


def first_struct(value):
    """Return a structure of the description."""
    return next(f for d in value["devices"] for f in d["fields"] if f["type"] == "struct")


def resize(value):
    """Make a structure larger than its fields."""
    first_struct(value)["size"] += 1


def field_size(value):
    """Let one field extend into the next section."""
    next(f for d in value["devices"] for f in d["fields"] if f["type"] == "buffer")["size"] += 1


def section(data, name):
    """Return the offset of a section's name length."""
    return data.index(bytes([len(name)]) + name.encode())


def poke(data, at, value):
    """Change one byte."""
    return data[:at] + bytes([value]) + data[at + 1:]


BROKEN = [
    ("nothing behind the description", lambda d: d + b"x", "scripts would parse"),
    ("no NUL behind it", lambda d: d + b"\0", "no description"),
    ("no brace in the length", brace_length, "scripts would parse"),
    ("a description at all", lambda d: d[:READER.find_description(d)[0]], "no description"),
    ("within 10 MiB", lambda d: d + b" " * (10 << 20), "no description"),
    ("length of the description", lambda d: poke(d, READER.find_description(d)[0] - 1, 0x55),
     "not the description"),
    ("every section described", lambda d: describe(d, lambda v: v["devices"].pop()),
     "is not described"),
    ("every description used",
     lambda d: describe(d, lambda v: v["devices"].append(dict(v["devices"][0], name="more"))),
     "not there"),
    ("described once", lambda d: describe(d, lambda v: v["devices"].append(v["devices"][0])),
     "described twice"),
    ("fields add up to their section", lambda d: describe(d, field_size), ""),
    ("fields add up to their structure", lambda d: describe(d, resize), "described"),
    ("fields of their own names",
     lambda d: describe(d, lambda v: v["devices"][3]["fields"].append(v["devices"][3]["fields"][0])),
     "described twice"),
    ("integers of their size",
     lambda d: describe(d, lambda v: v["devices"][1]["fields"][1].update(type="uint16")), "has 8"),
    ("version", lambda d: describe(d, lambda v: v["devices"][1].update(version=9)), "version"),
    ("magic", lambda d: poke(d, 0, 0), "QEVM"),
    ("file version", lambda d: poke(d, 7, 2), "QEVM"),
    ("configuration", lambda d: poke(d, 8, 9), "configuration"),
    ("names are at most 127 bytes", lambda d: poke(d, section(d, "clock"), 0xff), ""),
    ("footer", lambda d: poke(d, section(d, "clock") - 6, 0x7f), "footer"),
    ("no commands", lambda d: poke(d, section(d, "clock") - 5, 8), "has no reader"),
    ("ram is version 4", lambda d: poke(d, section(d, "ram") + 11, 5), "version 5"),
    ("flags of RAM", lambda d: poke(d, section(d, "ram") + 19, 0x44), "unknown flags"),
]


def complaint(data):
    """Return the reader's message, or None."""
    try:
        READER.read_stream(data)
    except (READER.StreamError, KeyError, ValueError) as error:
        return str(error)
    return None


def main():
    """Read all golden files, then violate each rule."""
    bad = 0
    for path in sorted(glob.glob(os.path.join(HERE, "golden/*.gz"))):
        with gzip.open(path) as f:
            data = f.read()
        said = complaint(data)
        print(f"{os.path.basename(path)}: {said or 'ok'}")
        bad += said is not None
    for rule, breaking, words in BROKEN:
        said = complaint(breaking(data))
        print(f"{rule}: {said}")
        bad += said is None or words not in said
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
