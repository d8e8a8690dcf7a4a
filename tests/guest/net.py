# SPDX-License-Identifier: GPL-2.0-or-later
"""Network tests: virtio-net in user mode, to and from servers on the host's loopback."""

import hashlib
import http.server
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from emulator import Emulator
from guest import arguments, need_devices, shell_ready
from subject import Subject, check, test
from waiting import Deadline, scaled


class Sink(http.server.BaseHTTPRequestHandler):
    """Serve one body and accept another: the server's `body` and `taken`."""

    def do_GET(self) -> None:  # pylint: disable=invalid-name
        """Send the body."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def do_POST(self) -> None:  # pylint: disable=invalid-name
        """Store the request body."""
        self.server.taken = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:  # pylint: disable=arguments-differ
        """Suppress the log."""


@contextmanager
def web(body: bytes) -> Iterator[http.server.HTTPServer]:
    """An HTTP server on the host's loopback that serves this body."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    server.body, server.taken = body, b""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def amount(subject: Subject) -> bytes:
    """The data transferred in each direction."""
    return random.Random(1).randbytes((50 if subject.long else 4) << 20)


@test
def net_user(subject: Subject) -> None:
    """DHCP over virtio-net, then a download from and an upload to an HTTP server on the loopback.
    """
    with web(amount(subject)) as server:
        url = f"http://10.0.2.2:{server.server_port}/"
        script = (f"set -e; udhcpc -q -i eth0; wget -q -O /tmp/f {url}; md5sum /tmp/f; (printf "
                  f"'POST / HTTP/1.0\\r\\nContent-Length: {len(server.body)}\\r\\n\\r\\n'; "
                  f"cat /tmp/f) | nc 10.0.2.2 {server.server_port}; grep virtio /proc/interrupts")
        text = subject.boot(arguments(machine=subject.msi_machine, run=script) + [
            "-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n"])
        check(hashlib.md5(server.body).hexdigest() in text, "the downloaded file differs", text)
        check(server.taken == server.body, f"the uploaded file ({len(server.taken)} bytes) differs",
              text)
    if not subject.is_qemu:
        for queue in ("input", "output"):
            check(f"virtio0-{queue}.0" in text, f"no vector for the {queue} queue", text)


@contextmanager
def reserved_port() -> Iterator[int]:
    """Reserve a TCP port of the loopback: the socket stays bound without listening, and shares the
    port with the emulator, which also sets SO_REUSEADDR."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


def dial(port: int) -> socket.socket:
    """Connect to a port. Retry until something listens behind it."""
    deadline = Deadline(f"an answer on port {port}", 30)
    for _ in deadline:
        try:
            return socket.create_connection(("127.0.0.1", port), scaled(60))
        except ConnectionError as error:
            deadline.state = error
    raise deadline.failure()


def receive(port: int) -> bytes:
    """Read everything from a port."""
    with dial(port) as sock, sock.makefile("rb") as stream:
        return stream.read()


@test
def net_hostfwd(subject: Subject) -> None:
    """The host reaches servers in the guest through hostfwd, in both directions."""
    with reserved_port() as inward, reserved_port() as outward:
        forward(subject, inward, outward)


def forward(subject: Subject, inward: int, outward: int) -> None:
    """Send to the guest's port 80 through one host port, and receive from its port 81 by another.
    """
    data = amount(subject)
    args = arguments() + ["-netdev", f"user,id=n,hostfwd=tcp:127.0.0.1:{inward}-:80,"
                          f"hostfwd=tcp:127.0.0.1:{outward}-:81",
                          "-device", "virtio-net-pci,netdev=n"]
    need_devices(subject.program, args)
    with Emulator(subject.program, args, echo=subject.echo) as machine:
        shell_ready(machine)
        machine.shell("udhcpc -q -i eth0; (nc -l -p 80 </dev/null >/tmp/f; touch /tmp/end) &")
        machine.shell_until("grep -q :0050.*0A /proc/net/tcp*", 60)
        with dial(inward) as sock:
            sock.sendall(data)
        machine.shell_until("[ -e /tmp/end ]", 300)
        text = machine.shell("md5sum /tmp/f", 60)
        check(hashlib.md5(data).hexdigest() in text, "the data received by the guest differs", text)
        machine.shell("(nc -l -p 81 </tmp/f >/dev/null &)")
        machine.shell_until("grep -q :0051.*0A /proc/net/tcp*", 60)
        back = receive(outward)
        check(back == data, f"{len(back)} bytes were received from the guest, and they differ", "")
        machine.send("exit\n")
        check(machine.wait() == 0, "a status other than 0", machine.console[-500:])
