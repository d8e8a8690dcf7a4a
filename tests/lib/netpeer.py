# SPDX-License-Identifier: GPL-2.0-or-later
"""A host on the other end of a virtual wire: ARP, ping, and a TCP echo service.

It listens on a unix socket, to which emulators connect with `-netdev stream` (frames with a 4-byte
length prefix). Several emulators may be connected, as during a migration. The peer behaves like a
switch: it sends a frame to the connection from which the destination address was last seen. A
migrated guest is therefore reachable after its first frame, which is the purpose of the
announcement after a migration.
"""

import os
import select
import socket
import struct
import threading
import time

from waiting import scaled

MAC = b"\x52\x54\x00\x00\x00\x02"
ADDRESS = bytes([10, 0, 0, 2])
BROADCAST = b"\xff" * 6
PORT = 7            # the echo service
MSS = 1400
WINDOW = 32768
RESEND = 0.2        # seconds without an acknowledgement
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def checksum(data: bytes) -> int:
    """Return the Internet checksum."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Connection:
    """One TCP connection. Bytes received in order are echoed, and resent until acknowledged."""

    def __init__(self, sequence: int) -> None:
        self.next = (sequence + 1) & 0xffffffff     # sequence number expected from the guest
        self.base = 1000                            # sequence number of the oldest unacknowledged byte
        self.sent = 0                               # bytes of `out` that were sent at least once
        self.out = bytearray()                      # data to echo; its first byte is `base` + 1
        self.up = False
        self.since = time.monotonic()


class Peer:
    """The host. `counts` has the number of each type of event. A separate thread answers."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.counts = {"frames": 0, "bad": 0, "resent": 0, "echoed": 0, "arp": 0, "announced": 0}
        self.connections: dict[tuple[bytes, int], Connection] = {}
        self.wires: dict[socket.socket, bytearray] = {}
        self.where: dict[bytes, socket.socket] = {}
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(path)
        self.server.listen(8)
        self._stop = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close all connections."""
        self._stop = True
        self._thread.join(scaled(5))
        for sock in [self.server, *self.wires]:
            sock.close()
        os.unlink(self.path)

    # --- wires ---

    def _run(self) -> None:
        while not self._stop:
            # wait-ok: a turn of a server, which close() ends
            ready, _, _ = select.select([self.server, *self.wires], [], [], 0.05)
            for sock in ready:
                if sock is self.server:
                    wire = self.server.accept()[0]
                    wire.settimeout(scaled(30))
                    self.wires[wire] = bytearray()
                else:
                    self._receive(sock)
            self._resend()

    def _receive(self, sock: socket.socket) -> None:
        try:
            data = sock.recv(1 << 18)
        except OSError:
            data = b""
        if not data:
            del self.wires[sock]
            sock.close()
            return
        buffer = self.wires[sock]
        buffer += data
        while len(buffer) >= 4:
            length = struct.unpack_from("!I", buffer)[0]
            if len(buffer) < 4 + length:
                break
            self._frame(sock, bytes(buffer[4:4 + length]))
            del buffer[:4 + length]

    def _send(self, to: bytes, kind: int, payload: bytes) -> None:
        sock = self.where.get(to)
        frame = (to + MAC + struct.pack("!H", kind) + payload).ljust(60, b"\0")
        if sock in self.wires:
            try:
                sock.sendall(struct.pack("!I", len(frame)) + frame)
            except OSError:
                self.wires.pop(sock, None)
                sock.close()

    def _frame(self, sock: socket.socket, frame: bytes) -> None:
        to, sender, kind = frame[:6], frame[6:12], frame[12:14]
        self.counts["frames"] += 1
        if self.where.get(sender) is not sock:
            self.where[sender] = sock
        if kind in (b"\x08\x06", b"\x80\x35"):
            self._arp(to, sender, frame[14:])
        elif kind == b"\x08\x00" and to == MAC:
            self._ip(sender, frame[14:])

    # --- protocols ---

    def _arp(self, to: bytes, sender: bytes, p: bytes) -> None:
        operation, source, target = p[7], p[14:18], p[24:28]
        self.counts["arp"] += 1
        if to == BROADCAST and (operation == 3 or source == target):
            self.counts["announced"] += 1   # RARP, or ARP for the sender's own address
        elif operation == 1 and target == ADDRESS:
            self._send(sender, 0x0806, p[:7] + b"\x02" + MAC + ADDRESS + sender + source)

    def _ip(self, mac: bytes, p: bytes) -> None:
        head, total = (p[0] & 15) * 4, struct.unpack_from("!H", p, 2)[0]
        source, body = p[12:16], p[head:total]
        if checksum(p[:head]) or p[16:20] != ADDRESS:
            self.counts["bad"] += 1
        elif p[9] == 1 and body[0] == 8 and not checksum(body):
            reply = b"\0\0\0\0" + body[4:]
            reply = reply[:2] + struct.pack("!H", checksum(reply)) + reply[4:]
            self._send_ip(mac, source, 1, reply)
        elif p[9] == 6:
            self._tcp(mac, source, body)

    def _send_ip(self, mac: bytes, to: bytes, protocol: int, body: bytes) -> None:
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0x4000, 64, protocol, 0,
                           ADDRESS, to)
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        self._send(mac, 0x0800, head + body)

    # --- TCP ---

    def _tcp(self, mac: bytes, source: bytes, p: bytes) -> None:
        pseudo = source + ADDRESS + struct.pack("!HH", 6, len(p))
        port, to_port, seq, ack, offset, flags = struct.unpack_from("!HHIIBB", p)
        if checksum(pseudo + p):
            self.counts["bad"] += 1
            return
        key = (mac + source, port)
        if to_port != PORT or flags & RST:
            self.connections.pop(key, None)
            return
        if flags & SYN:
            self.connections[key] = Connection(seq)
            self._segment(key, 0, SYN | ACK, b"")
            return
        connection = self.connections.get(key)
        if connection is None:
            return
        self._acknowledged(connection, ack)
        self._data(key, connection, seq, p[(offset >> 4) * 4:], flags)

    @staticmethod
    def _acknowledged(c: Connection, ack: int) -> None:
        done = (ack - c.base - 1) & 0xffffffff
        c.up = True
        if done <= len(c.out):
            del c.out[:done]
            c.sent = max(0, c.sent - done)
            c.base = (c.base + done) & 0xffffffff
            if done:
                c.since = time.monotonic()

    def _data(self, key: tuple[bytes, int], c: Connection, seq: int, data: bytes,
              flags: int) -> None:
        skip = (c.next - seq) & 0xffffffff
        fresh = data[skip:] if skip <= len(data) and len(c.out) < 1 << 20 else b""
        c.next = (c.next + len(fresh)) & 0xffffffff
        c.out += fresh
        self.counts["echoed"] += len(fresh)
        if flags & FIN and (seq + len(data)) & 0xffffffff == c.next:
            c.next = (c.next + 1) & 0xffffffff
            self._segment(key, c.sent, FIN | ACK, b"")
            return
        if not self._push(key, c) and data:
            self._segment(key, c.sent, ACK, b"")

    def _push(self, key: tuple[bytes, int], c: Connection) -> bool:
        """Send what the window permits. Return false if nothing was sent."""
        any_sent = False
        while c.sent < len(c.out) and c.sent < WINDOW:
            part = bytes(c.out[c.sent:c.sent + MSS])
            self._segment(key, c.sent, ACK | PSH, part)
            c.sent += len(part)
            any_sent = True
        return any_sent

    def _segment(self, key: tuple[bytes, int], at: int, flags: int, data: bytes) -> None:
        c = self.connections[key]
        mac, address = key[0][:6], key[0][6:]
        seq = c.base + (0 if flags & SYN else 1 + at)
        body = struct.pack("!HHIIBBHHH", PORT, key[1], seq & 0xffffffff, c.next, 0x50, flags,
                           65535, 0, 0) + data
        pseudo = ADDRESS + address + struct.pack("!HH", 6, len(body))
        body = body[:16] + struct.pack("!H", checksum(pseudo + body)) + body[18:]
        self._send_ip(mac, address, 6, body)

    def _resend(self) -> None:
        now = time.monotonic()
        for key, c in list(self.connections.items()):
            if not c.sent or now - c.since < RESEND:
                continue
            c.since = now
            self.counts["resent"] += 1
            c.sent = 0
            self._push(key, c)
