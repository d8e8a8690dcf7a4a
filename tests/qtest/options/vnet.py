# SPDX-License-Identifier: GPL-2.0-or-later
"""A virtio-net driver over qtest that can exchange frames with a network back end: slot 1 of the
root bus, BAR 4 with the modern layout, split rings, polled."""

ECAM = 0x30000000 + (1 << 15)
BAR = 0x40000000
RX, TX = 0x80100000, 0x80200000         # descriptors; rings and buffers follow at fixed distances
SIZE = 16
BUFFER = 2048


class Nic:
    """A network device that is initialised. `ask` sends one line to the qtest server."""

    def __init__(self, ask) -> None:
        self.ask = ask
        self.sent = self.seen = 0
        self.write(ECAM + 0x20, 4, BAR)
        self.write(ECAM + 0x24, 4, 0)
        self.write(ECAM + 4, 2, 6)
        for status in (0, 1, 3):
            self.write(BAR + 0x14, 1, status)
        for word, features in ((0, 0), (1, 1)):             # VIRTIO_F_VERSION_1
            self.write(BAR + 8, 4, word)
            self.write(BAR + 12, 4, features)
        self.write(BAR + 0x14, 1, 11)
        for queue, base in ((0, RX), (1, TX)):
            self.write(BAR + 0x16, 2, queue)
            self.write(BAR + 0x18, 2, SIZE)
            for at, address in ((0x20, base), (0x28, base + 0x1000), (0x30, base + 0x2000)):
                self.write(BAR + at, 4, address)
                self.write(BAR + at + 4, 4, 0)
            self.write(BAR + 0x1c, 2, 1)
        self.write(BAR + 0x14, 1, 15)
        for i in range(SIZE):
            self.descriptor(RX, i, BUFFER, 2)
            self.write(RX + 0x1004 + 2 * i, 2, i)
        self.write(RX + 0x1002, 2, SIZE)
        self.write(BAR + 0x3000, 2, 0)

    def write(self, address: int, size: int, value: int) -> None:
        """Store to a register."""
        answer = self.ask(f"write{'_bw_l___q'[size]} {address:#x} {value:#x}")
        assert answer == "OK", answer

    def read(self, address: int, size: int) -> int:
        """Load from a register."""
        return int(self.ask(f"read{'_bw_l___q'[size]} {address:#x}").split()[1], 0)

    def descriptor(self, base: int, i: int, length: int, flags: int) -> None:
        """Write descriptor i of a queue, which points to buffer i."""
        self.write(base + 16 * i, 8, base + 0x4000 + BUFFER * i)
        self.write(base + 16 * i + 8, 8, length | flags << 32)

    def send(self, frame: bytes) -> None:
        """Send one frame."""
        i = self.sent % SIZE
        data = b"\0" * 12 + frame
        self.ask(f"write {TX + 0x4000 + BUFFER * i:#x} {len(data)} 0x{data.hex()}")
        self.descriptor(TX, i, len(data), 0)
        self.write(TX + 0x1004 + 2 * i, 2, i)
        self.sent += 1
        self.write(TX + 0x1002, 2, self.sent)
        self.write(BAR + 0x3000 + 4, 2, 1)

    def received(self) -> list[bytes]:
        """Return the frames that arrived since the last call; at most SIZE in total."""
        frames = []
        index = self.read(RX + 0x2002, 2)
        while self.seen < index:
            used = self.read(RX + 0x2004 + 8 * self.seen, 8)
            length = used >> 32
            answer = self.ask(f"read {RX + 0x4000 + BUFFER * (used & 0xffff):#x} {length}")
            frames.append(bytes.fromhex(answer.split()[1][2:])[12:])
            self.seen += 1
        return frames
