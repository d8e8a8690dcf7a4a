# SPDX-License-Identifier: GPL-2.0-or-later
"""Read picture files as (width, height, bytes of red, green and blue)."""

import struct
import zlib
from pathlib import Path

Picture = tuple[int, int, bytes]


def read_ppm(path: str | Path) -> Picture:
    """Read a binary PPM file with 8 bits per colour."""
    data = Path(path).read_bytes()
    magic, size, most, pixels = data.split(b"\n", 3)
    width, height = map(int, size.split())
    assert (magic, most, len(pixels)) == (b"P6", b"255", width * height * 3), data[:32]
    return width, height, pixels


def _paeth(left: int, up: int, corner: int) -> int:
    """Return the neighbour that is nearest to left + up - corner."""
    guess = left + up - corner
    return min((abs(guess - left), 0, left), (abs(guess - up), 1, up),
               (abs(guess - corner), 2, corner))[2]


def _unfilter(kind: int, row: bytearray, above: bytes, size: int) -> None:
    """Undo the filter of one row with `size` bytes per pixel."""
    if kind == 2 or (kind == 4 and not any(row)):       # fast for most rows
        row[:] = bytes((a + b) & 255 for a, b in zip(row, above)) if kind == 2 else row
        if kind == 2:
            return
    for i in range(len(row) if kind else 0):
        left = row[i - size] if i >= size else 0
        corner = above[i - size] if i >= size else 0
        row[i] = (row[i] + (left, 0, (left + above[i]) // 2, _paeth(left, above[i], corner))
                  [{1: 0, 3: 2, 4: 3}[kind]]) & 255


def read_png(path: str | Path) -> Picture:
    """Read a PNG file with 8 bits for each of red, green and blue, and for alpha, which is
    ignored."""
    data = Path(path).read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n"), data[:8]
    at, body, head = 8, b"", b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        chunk = data[at + 8:at + 8 + length]
        assert zlib.crc32(kind + chunk) == struct.unpack(">I", data[at + 8 + length:][:4])[0], kind
        head = chunk if kind == b"IHDR" else head
        body += chunk if kind == b"IDAT" else b""
        at += 12 + length
    width, height, bits, colours = struct.unpack(">IIBB", head[:10])
    assert bits == 8 and colours in (2, 6), head
    size = 3 if colours == 2 else 4
    raw, rows, above = zlib.decompress(body), [], bytes(size * width)
    for y in range(height):
        line = raw[y * (size * width + 1):(y + 1) * (size * width + 1)]
        row = bytearray(line[1:])
        _unfilter(line[0], row, above, size)
        above = bytes(row)
        if size == 4:
            del row[3::4]
        rows.append(bytes(row))
    return width, height, b"".join(rows)
