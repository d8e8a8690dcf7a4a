# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk images that tests create without qemu-img."""

import struct


def empty_qcow2(size: int) -> bytes:
    """Return an image in format qcow2, version 3, without data: four clusters for the header, the
    refcount table, a refcount block and the L1 table."""
    cluster = 65536
    tables = -(-size // (cluster // 8 * cluster))
    header = struct.pack(">4sIQIIQIIQQIIQQQQIIQ", b"QFI\xfb", 3, 0, 0, 16, size, 0, tables,
                         3 * cluster, cluster, 1, 0, 0, 0, 0, 0, 4, 112, 0)
    table = struct.pack(">Q", 2 * cluster)
    block = struct.pack(">4H", 1, 1, 1, 1)
    return b"".join(part.ljust(cluster, b"\0") for part in (header, table, block, b""))
