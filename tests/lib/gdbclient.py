# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of the gdb remote protocol. It sends packets and returns replies without interpretation,
so that a test can also send what gdb never sends. Each wait has a limit (waiting.py)."""

import contextlib
import socket
from collections.abc import Callable

from waiting import Deadline, Gone, receive

PC, CSR0, PRIV = 32, 65, 65 + 4096      # register numbers; a CSR has CSR0 plus its number


class GdbClient:
    """A connection to the gdb server on a unix socket."""

    def __init__(self, path: str, context: Callable[[], str], seconds: float = 30) -> None:
        self.context, self.seconds, self.acks = context, seconds, True
        self._in = b""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()

    def raw(self, data: bytes) -> None:
        """Send bytes."""
        self.sock.sendall(data)

    def send(self, packet: str | bytes) -> None:
        """Send a packet, whose data the caller has escaped."""
        data = packet.encode() if isinstance(packet, str) else packet
        self.raw(b"$" + data + b"#%02x" % (sum(data) & 255))

    def _more(self, deadline: Deadline) -> None:
        data = receive(self.sock, deadline)
        if not data:
            raise Gone(f"gdb server: the connection was closed\n{self.context()}")
        self._in += data

    def byte(self, what: str) -> bytes:
        """Return the next byte outside packets."""
        deadline = Deadline(f"gdb server: {what}", self.seconds, self.context)
        while not self._in:
            self._more(deadline)
        first, self._in = self._in[:1], self._in[1:]
        return first

    def reply(self, what: str = "a reply") -> str:
        """Return the data of the next packet, and acknowledge it. Acknowledgements are skipped."""
        deadline = Deadline(f"gdb server: {what}", self.seconds, self.context)
        while True:     # wait-ok: _more() has a limit
            start = self._in.find(b"$")
            end = self._in.find(b"#", start) if start >= 0 else -1
            if end >= 0 and len(self._in) >= end + 3:
                data, given = self._in[start + 1:end], self._in[end + 1:end + 3]
                self._in = self._in[end + 3:]
                assert int(given, 16) == sum(data) & 255, (data, given)
                if self.acks:
                    with contextlib.suppress(ConnectionError):      # the server may have ended
                        self.raw(b"+")
                return data.decode("latin-1")
            deadline.state = self._in[-200:]
            self._more(deadline)

    def ask(self, packet: str | bytes) -> str:
        """Send a packet and return the reply."""
        self.send(packet)
        return self.reply(f"the reply to {packet[:80]!r}")

    def closed(self) -> bool:
        """Wait until the server closes the connection; replies before that are dropped."""
        deadline = Deadline("gdb server: the end of the connection", self.seconds, self.context)
        try:
            while receive(self.sock, deadline):
                pass
        except ConnectionError:
            pass
        return True

    # --- registers and memory ---

    def reg(self, number: int) -> int:
        """Read a register."""
        return int.from_bytes(bytes.fromhex(self.ask(f"p{number:x}")), "little")

    def csr(self, number: int) -> int:
        """Read a CSR."""
        return self.reg(CSR0 + number)

    def set_reg(self, number: int, value: int) -> str:
        """Write a register of 8 bytes and return the reply."""
        return self.ask(f"P{number:x}={value.to_bytes(8, 'little').hex()}")

    def set_csr(self, number: int, value: int) -> str:
        """Write a CSR and return the reply."""
        return self.set_reg(CSR0 + number, value)

    def memory(self, address: int, size: int) -> bytes:
        """Read memory."""
        return bytes.fromhex(self.ask(f"m{address:x},{size:x}"))

    def store(self, address: int, data: bytes) -> str:
        """Write memory and return the reply."""
        return self.ask(f"M{address:x},{len(data):x}:{data.hex()}")

    def read_object(self, name: str) -> str:
        """Read an object of qXfer ("features:read:target.xml") in small parts."""
        text = ""
        while (part := self.ask(f"qXfer:{name}:{len(text):x},200"))[0] == "m":
            text += unescape(part[1:])
        assert part[0] == "l", part
        return text + unescape(part[1:])

    def monitor(self, line: str) -> str:
        """Execute a line of the human monitor and return its output."""
        self.send(f"qRcmd,{line.encode().hex()}")
        text = ""
        while (reply := self.reply(line)) != "OK":
            assert reply[0] == "O", reply
            text += bytes.fromhex(reply[1:]).decode()
        return text


def unescape(data: str) -> str:
    """Decode the binary data of a reply."""
    out, at = [], 0
    while at < len(data):
        if data[at] == "}":
            at += 1
            out.append(chr(ord(data[at]) ^ 0x20))
        else:
            out.append(data[at])
        at += 1
    return "".join(out)
