#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Read a migration file by QEMU's rules, using only the file.

The description at the end of the file lists the fields of each section. This reader finds it as
scripts do (the last NUL byte of the last 10 MiB, then the first brace), and then parses the stream
with it. It reports errors that break such scripts: a brace in the length of the description, bytes
after it, fields whose sizes do not add up to their section. It shares no code with the loader.

Usage: read-stream.py FILE [SECTION...]; without sections it lists them all, otherwise it prints
the fields of the given sections.
"""
import json
import struct
import sys

EOF, START, PART, END, FULL, SUBSECTION, VMDESC, CONFIGURATION = range(8)
FOOTER = 0x7e
INTEGERS = {"uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8, "int8": 1, "int16": 2, "int32": 4,
            "int64": 8, "bool": 1, "timer": 8}
TAIL = 10 << 20


class StreamError(Exception):
    """The file violates a rule. The text contains the rule and the position."""


class Reader:
    """Big-endian reads over the complete file."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, size):
        """Return the next bytes."""
        if size < 0 or self.at + size > len(self.data):
            raise StreamError(f"byte {self.at}: {size} bytes are required, "
                              f"{len(self.data) - self.at} are left")
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, size):
        """Return an unsigned number."""
        return int.from_bytes(self.take(size), "big")

    def name(self):
        """Return a string with a length byte, which other readers treat as signed."""
        size, = struct.unpack(">b", self.take(1))
        return self.take(size).decode("ascii")


def find_description(data):
    """Return offset and value of the JSON: from the first brace after the last NUL byte."""
    start = max(0, len(data) - TAIL)
    start = data.rfind(b"\0", start) + 1 if b"\0" in data[start:] else start
    brace = data.find(b"{", start)
    if brace < 0:
        raise StreamError("there is no description at the end of the file")
    try:
        return brace, json.loads(data[brace:].decode("utf-8"))
    except ValueError as error:
        raise StreamError(f"byte {brace}: the text that scripts would parse is not the description "
                          f"(a brace in its length, or bytes behind it): {error}")


class Ram:
    """Read the section "ram", version 4."""

    def __init__(self, version, page_size):
        if version != 4:
            raise StreamError(f"ram has version {version}")
        self.page_size = page_size
        self.blocks = {}
        self.pages = {}
        self.name = None
        self.zero = self.normal = 0

    def read(self, r):
        """Read one chunk, up to its end mark."""
        while True:
            word = r.number(8)
            address, flags = word & ~(self.page_size - 1), word & (self.page_size - 1)
            if flags & 0x04:
                total = address
                while total > 0:
                    name = r.name()
                    self.blocks[name] = r.number(8)
                    total -= self.blocks[name]
                flags &= ~0x04
            if flags & 0x0a:
                if not flags & 0x20:
                    self.name = r.name()
                flags &= ~0x20
                if address >= self.blocks[self.name]:
                    raise StreamError(f"page {address:#x} is outside block {self.name}")
                self.pages.setdefault(self.name, set()).add(address)
                if flags & 0x02:
                    if r.number(1):
                        raise StreamError("a page is filled with a value other than zero")
                    self.zero += 1
                else:
                    r.take(self.page_size)
                    self.normal += 1
                flags &= ~0x0a
            if flags & 0x10:
                return
            if flags:
                raise StreamError(f"byte {r.at}: unknown flags {flags:#x}")

    def check(self):
        """Check that every page was received."""
        for name, size in self.blocks.items():
            if len(self.pages.get(name, ())) * self.page_size != size:
                raise StreamError(f"block {name} is incomplete")


def read_value(r, field, key):
    """Return one element, one array, or the bytes of an unknown type."""
    count = field.get("array_len", 1)
    if field["type"] not in INTEGERS:
        return r.take(field["size"] * count).hex()
    if field["size"] != INTEGERS[field["type"]]:
        raise StreamError(f"field {key} of type {field['type']} has {field['size']} bytes")
    value = [r.number(field["size"]) for _ in range(count)]
    return value if "array_len" in field else value[0]


def read_fields(r, fields):
    """Return the values of a section, according to its description."""
    values = {}
    for field in fields:
        key = field["name"] + (f"[{field['index']}]" if "index" in field else "")
        start = r.at
        if key in values:
            raise StreamError(f"field {key} is described twice")
        if field["type"] != "struct":
            values[key] = read_value(r, field, key)
            continue
        struct_ = field["struct"]
        if not {"vmsd_name", "version", "fields"} <= set(struct_):
            raise StreamError(f"structure {key} has no name, version or fields")
        values[key] = read_fields(r, struct_["fields"])
        if r.at - start != field["size"]:
            raise StreamError(f"field {key} has {r.at - start} bytes, {field['size']} described")
    return values


def read_full(r, name, instance, version, described):
    """Read a section of type FULL: its record has a length prefix, which is described as a field.
    """
    if (name, instance) not in described:
        raise StreamError(f"byte {r.at}: section {name} {instance} is not described")
    device, start = described.pop((name, instance)), r.at
    if device["version"] != version:
        raise StreamError(f"section {name} has version {version}, {device['version']} described")
    values = read_fields(r, device["fields"])
    if r.at - start - 4 != values["length"]:
        raise StreamError(f"section {name} has {values['length']} bytes, its fields "
                          f"{r.at - start - 4}")
    return values


def index_devices(description):
    """Return {(name, instance): description}; each occurs once."""
    described = {}
    for device in description["devices"]:
        key = device["name"], device["instance_id"]
        if key in described:
            raise StreamError(f"section {key[0]} {key[1]} is described twice")
        described[key] = device
    return described


def read_stream(data):
    """Return (machine, [(section name, instance, version, values)], ram)."""
    where, description = find_description(data)
    described = index_devices(description)
    r = Reader(data)
    if r.take(4) != b"QEVM" or r.number(4) != 3:
        raise StreamError("the file is not a QEVM version 3 file")
    if r.number(1) != CONFIGURATION:
        raise StreamError("the configuration is missing")
    machine = r.take(r.number(4)).decode("ascii")
    sections, open_sections, ram = [], {}, None
    while True:
        kind = r.number(1)
        if kind == EOF:
            break
        ident = r.number(4)
        if kind in (START, FULL):
            name, instance, version = r.name(), r.number(4), r.number(4)
            if kind == START:
                if name != "ram":
                    raise StreamError(f"section {name} has no reader")
                ram = open_sections[ident] = Ram(version, description["page_size"])
                ram.read(r)
            else:
                values = read_full(r, name, instance, version, described)
                sections.append((name, instance, version, values))
        elif kind in (PART, END):
            if ident not in open_sections:
                raise StreamError(f"byte {r.at}: section id {ident} never started")
            open_sections[ident].read(r)
        else:
            raise StreamError(f"byte {r.at}: element {kind:#x} has no reader")
        if r.number(1) != FOOTER or r.number(4) != ident:
            raise StreamError(f"byte {r.at}: the footer is missing")
    if r.number(1) != VMDESC or r.number(4) != len(data) - r.at or r.at != where:
        raise StreamError("the data after the end is not the description alone")
    if len(data) - r.at >= TAIL:
        raise StreamError("the description is not within the last 10 MiB")
    if described:
        raise StreamError(f"described but not there: {sorted(described)}")
    ram.check()
    return machine, sections, ram


def main():
    """Print the contents of the file. The exit status is 1 if it violates a rule."""
    with open(sys.argv[1], "rb") as f:
        data = f.read()
    try:
        machine, sections, ram = read_stream(data)
    except (StreamError, KeyError, ValueError) as error:
        print(f"{sys.argv[1]}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    wanted = sys.argv[2:]
    if not wanted:
        print(f"machine {machine}; ram {ram.blocks}: {ram.normal} pages, {ram.zero} zero pages")
    for name, instance, version, values in sections:
        if not wanted:
            print(f"{name} {instance} version {version}: {values['length']} bytes")
        elif name in wanted:
            print(json.dumps({"name": name, "instance": instance, **values}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
