# SPDX-License-Identifier: GPL-2.0-or-later
"""Operations of a guest's firmware and drivers over qtest: find and program functions, use queues.

Addresses and layouts are those of `virt` and of the PCI, MSI-X and virtio specifications.
"""

ECAM, MMIO, RAM = 0x30000000, 0x40000000, 0x80000000
COMMAND, BAR0, CAPABILITIES, PRIMARY_BUS, MEMORY_BASE = 0x04, 0x10, 0x34, 0x18, 0x20
PREFETCH_BASE = 0x24
MSI, VENDOR, HOTPLUG, EXPRESS, MSIX = 0x05, 0x09, 0x0c, 0x10, 0x11


class Function:
    """A function as the guest addresses it: bus number, slot and function."""

    def __init__(self, machine, bus, slot, fn=0):
        self.m = machine
        self.ecam = ECAM + (bus << 20) + (slot << 15) + (fn << 12)

    def get(self, reg, size=4):
        """Read configuration space."""
        return self.m.read(self.ecam + reg, size)

    def set(self, reg, size, value):
        """Write configuration space."""
        self.m.write(self.ecam + reg, size, value)

    def config(self):
        """Return all 4,096 bytes of configuration space."""
        return bytes.fromhex(self.m.ask(f"read {self.ecam:#x} 4096")[2:])

    def capability(self, ident, number=0):
        """Return the offset of the capability with that id."""
        at = self.get(CAPABILITIES, 1)
        while at:
            if self.get(at, 1) == ident:
                if number == 0:
                    return at
                number -= 1
            at = self.get(at + 1, 1)
        raise KeyError(f"no capability {ident:#x}")

    def enable(self, *bars, command=6):
        """Set the addresses of BARs and enable decoding and bus mastering."""
        for index, address in bars:
            self.set(BAR0 + 4 * index, 4, address)
        self.set(COMMAND, 2, command)
        return self

    def bridge(self, secondary, subordinate, primary=0, window=None):
        """Set the bus numbers and the memory window (first and last MiB) of a bridge."""
        self.set(PRIMARY_BUS, 4, primary | secondary << 8 | subordinate << 16)
        if window:
            self.set(MEMORY_BASE, 4, window[0] >> 16 | window[1] & 0xfff00000)
        self.set(COMMAND, 2, 7)
        return self

    def msix(self, table, vectors, enable=0x8000):
        """Write MSI-X table entries (address, data, masked), then the control register."""
        for i, (address, data, masked) in enumerate(vectors):
            self.m.write(table + 16 * i, 8, address)
            self.m.write(table + 16 * i + 8, 4, data)
            self.m.write(table + 16 * i + 12, 4, masked)
        self.set(self.capability(MSIX) + 2, 2, enable)


class Virtio:
    """A modern virtio function whose BAR is mapped at `bar`. Registers are located as a
    driver locates them."""

    def __init__(self, function, bar, index=4):
        self.f, self.m = function, function.m
        function.enable((index, bar), (index + 1, 0))
        self.part = {}
        for n in range(5):
            try:
                at = function.capability(VENDOR, n)
            except KeyError:
                break
            self.part.setdefault(function.get(at + 3, 1), bar + function.get(at + 8))
            if function.get(at + 3, 1) == 2:
                self.multiplier = function.get(at + 16)
        self.common, self.notify = self.part[1], self.part[2]

    def start(self, features, queues, ring):
        """Reset, negotiate, set up split rings of 8 from `ring` on (a page each), set DRIVER_OK."""
        self.m.write(self.common + 0x14, 1, 0)
        for status in (1, 3):
            self.m.write(self.common + 0x14, 1, status)
        for word in range(2):
            self.m.write(self.common + 0x08, 4, word)
            self.m.write(self.common + 0x0c, 4, features >> 32 * word & 0xffffffff)
        self.m.write(self.common + 0x14, 1, 11)
        assert self.m.read(self.common + 0x14, 1) == 11, "the features were refused"
        for n in range(queues):
            at = ring + 0x1000 * n
            self.m.write(self.common + 0x16, 2, n)
            self.m.write(self.common + 0x18, 2, 8)
            self.m.write(self.common + 0x1a, 2, 0)
            for reg, address in ((0x20, at), (0x28, at + 0x100), (0x30, at + 0x200)):
                self.m.write(self.common + reg, 8, address)
            self.m.write(self.common + 0x1c, 2, 1)
        self.m.write(self.common + 0x14, 1, 15)
        return self

    def offer(self, ring, index, chain, kick=None):
        """Add a chain of (address, length, device writes) to a ring and notify queue `kick`."""
        first = index * len(chain) % 8
        for i, (address, length, writes) in enumerate(chain):
            at = ring + 16 * (first + i)
            more = i + 1 < len(chain)
            self.m.write(at, 8, address)
            self.m.write(at + 8, 4, length)
            self.m.write(at + 12, 2, (2 if writes else 0) | (1 if more else 0))
            self.m.write(at + 14, 2, first + i + 1 if more else 0)
        self.m.write(ring + 0x100 + 4 + 2 * (index % 8), 2, first)
        self.m.write(ring + 0x100 + 2, 2, index + 1)
        if kick is not None:
            self.m.write(self.notify + kick * self.multiplier, 2, kick)

    def used(self, ring):
        """Return the used index of a ring in RAM."""
        return self.m.read(ring + 0x200 + 2, 2)
