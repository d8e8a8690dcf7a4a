# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of the RFB protocol (RFC 6143) for tests of the VNC server: raw pixels, changes of the
size, keys, and messages of any contents."""

import ctypes
import socket
import struct

from waiting import Deadline, TestFailure, receive, scaled

RAW, DESKTOP_SIZE, QEMU_KEYS = 0, -223, -258
SECURITY_NONE, SECURITY_VNC = 1, 2
KEYSYMS = {"\n": 0xFF0D, "\t": 0xFF09, "\b": 0xFF08}
SHIFT = 0xFFE1
SHIFTED = set('ABCDEFGHIJKLMNOPQRSTUVWXYZ!@#$%^&*()_+{}|:"<>?~')


class Refused(TestFailure):
    """The server refused the client; the text is its reason."""


def encrypt(challenge: bytes, password: str) -> bytes:
    """Return the response to a challenge. libvncserver contains DES; test_viewers() checks the
    result against another implementation."""
    buffer = ctypes.create_string_buffer(challenge, len(challenge))
    ctypes.CDLL("libvncserver.so.1").rfbEncryptBytes(buffer, password.encode())
    return buffer.raw


class RfbClient:
    """A connection. `address`: a path, or a host and a port."""

    def __init__(self, address: str | tuple[str, int], patience: float = 30) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else (
            socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        self.sock = socket.socket(family)
        self.sock.settimeout(scaled(patience))
        self.sock.connect(address)
        self.patience = patience
        self.width = self.height = 0
        self.name = ""
        self.pixels = bytearray()
        self.qemu_keys = False

    def __enter__(self) -> "RfbClient":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self.sock.close()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.sock.sendall(data)

    def receive(self, size: int) -> bytes:
        """Receive exactly `size` bytes."""
        deadline = Deadline(f"{size} bytes of the VNC server", self.patience)
        data = bytearray()
        while len(data) < size:
            part = receive(self.sock, deadline, min(size - len(data), 1 << 20))
            if not part:
                raise Refused("the server closed the connection")
            data += part
        return bytes(data)

    def closed(self) -> bool:
        """Read until the server closes the connection, and return True."""
        deadline = Deadline("the VNC server to close the connection", self.patience)
        try:
            while receive(self.sock, deadline, 1 << 20):
                pass
        except ConnectionResetError:
            pass
        return True

    # --- the handshake ---

    def _reason(self) -> str:
        """Receive a text."""
        return self.receive(struct.unpack(">I", self.receive(4))[0]).decode()

    def start(self, password: str | None = None, minor: int = 8, shared: bool = True,
              choice: int | None = None) -> "RfbClient":
        """Complete the handshake. `choice`: the security type to choose, offered or not."""
        version = self.receive(12)
        if version != b"RFB 003.008\n":
            raise TestFailure(f"version {version!r}")
        self.send(b"RFB 003.%03d\n" % minor)
        self._security(password, minor, choice)
        self.send(bytes([shared]))
        self.width, self.height, *_, length = struct.unpack(">HH16sI", self.receive(24))
        self.name = self.receive(length).decode()
        self._resize(self.width, self.height)
        self.send(struct.pack(">BxxxBBBBHHHBBBxxx", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0))
        return self

    def _security(self, password: str | None, minor: int, choice: int | None) -> None:
        wanted = choice or (SECURITY_NONE if password is None else SECURITY_VNC)
        if minor < 7:
            offered = struct.unpack(">I", self.receive(4))[0]
            if offered != wanted:
                raise Refused(f"the server requires security type {offered}")
        else:
            offered = list(self.receive(self.receive(1)[0]))
            if wanted not in offered and not choice:
                raise Refused(f"the server offers security types {offered}")
            self.send(bytes([wanted]))
        if wanted == SECURITY_VNC:
            self.send(encrypt(self.receive(16), password or ""))
        if wanted == SECURITY_VNC or minor >= 8:
            if struct.unpack(">I", self.receive(4))[0]:
                raise Refused(self._reason() if minor >= 8 else "the password is wrong")

    # --- messages ---

    def encodings(self, *numbers: int) -> None:
        """Announce encodings."""
        self.send(struct.pack(f">BxH{len(numbers)}i", 2, len(numbers), *numbers))

    def request(self, incremental: bool = False) -> None:
        """Request the picture."""
        self.send(struct.pack(">BBHHHH", 3, incremental, 0, 0, self.width, self.height))

    def key(self, symbol: int, down: bool) -> None:
        """Press or release a key."""
        self.send(struct.pack(">BBxxI", 4, down, symbol))

    def pointer(self, x: int, y: int, buttons: int = 0) -> None:
        """Send a position and a button mask."""
        self.send(struct.pack(">BBHH", 5, buttons, x, y))

    def qemu_key(self, symbol: int, number: int, down: bool) -> None:
        """Press or release a key with a scan code."""
        self.send(struct.pack(">BBHII", 255, 0, down, symbol, number))

    def type(self, text: str) -> None:
        """Type text as a viewer does: with Shift for characters that need it."""
        for letter in text:
            symbol = KEYSYMS.get(letter, ord(letter))
            if letter in SHIFTED:
                self.key(SHIFT, True)
            self.key(symbol, True)
            self.key(symbol, False)
            if letter in SHIFTED:
                self.key(SHIFT, False)

    # --- updates ---

    def _resize(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.pixels = bytearray(4 * width * height)

    def _rectangle(self) -> None:
        x, y, width, height, kind = struct.unpack(">HHHHi", self.receive(12))
        if kind == DESKTOP_SIZE:
            self._resize(width, height)
        elif kind == QEMU_KEYS:
            self.qemu_keys = True
        elif kind == RAW:
            data = self.receive(4 * width * height)
            for row in range(height):
                at = 4 * ((y + row) * self.width + x)
                self.pixels[at:at + 4 * width] = data[4 * width * row:4 * width * (row + 1)]
        else:
            raise TestFailure(f"encoding {kind}")

    def update(self) -> None:
        """Receive one FramebufferUpdate."""
        kind, count = struct.unpack(">BxH", self.receive(4))
        if kind:
            raise TestFailure(f"message {kind} instead of an update")
        for _ in range(count):
            self._rectangle()

    def tight_is_jpeg(self) -> bool:
        """Receive the begin of an update in Tight encoding, and return whether its first rectangle
        is JPEG. The connection is of no use afterwards."""
        self.receive(4 + 8)
        kind, control = struct.unpack(">iB", self.receive(5))
        if kind != 7:
            raise TestFailure(f"encoding {kind} instead of Tight")
        return control >> 4 == 9

    def rgb(self) -> tuple[int, int, bytes]:
        """Return the picture as pixels.Picture."""
        out = bytearray(3 * self.width * self.height)
        for colour in range(3):
            out[2 - colour::3] = self.pixels[colour::4]
        return self.width, self.height, bytes(out)
