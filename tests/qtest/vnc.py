#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The VNC server: pixels compared with screendump and with a viewer, sizes, passwords, several
clients, clients that do not read, hostile clients, addresses, events and messages."""

import contextlib
import os
import random
import re
import resource
import shutil
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import display  # noqa: E402
from display import EMULATOR, draw, loaded, set_mode, start  # noqa: E402
from emulator import QmpError, TestFailure  # noqa: E402
from pixels import read_png, read_ppm  # noqa: E402
from rfbclient import DESKTOP_SIZE, QEMU_KEYS, RAW, Refused, RfbClient  # noqa: E402
from tap import Skip, check, run  # noqa: E402
from waiting import scaled, until  # noqa: E402

MACHINE = ["-M", "virt", "-device", "bochs-display,id=d,addr=4,vgamem=4M"]
# AddressSanitizer keeps freed memory; the limits below are those of memory in use.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"


@contextlib.contextmanager
def server(folder, *options, settings="", machine=MACHINE):
    """Start a machine with a VNC server on a unix socket, and return it and the path."""
    path = f"{folder}/vnc"
    with start(EMULATOR, *machine, *options, "-vnc", f"unix:{path}{settings}") as emulator:
        emulator.qmp.command("query-status")
        yield emulator, path


def dump(machine, folder):
    """Return the picture of screendump."""
    machine.qmp.command("screendump", filename=f"{folder}/dump.ppm")
    return read_ppm(f"{folder}/dump.ppm")


def shows(client, picture):
    """Request updates until the client shows a picture."""
    client.request()
    client.update()

    def same():
        if client.rgb() == picture:
            return True
        client.request(True)
        client.update()
        return client.rgb() == picture
    until("the client to show the picture", same)


def refused(path, reason, **how):
    """Check that the server refuses a client."""
    try:
        with RfbClient(path) as client:
            client.start(**how)
    except Refused as error:
        check(reason in str(error), f"{how}: {error}")
    else:
        raise TestFailure(f"{how}: accepted")


def clients(machine):
    """Return the clients of query-vnc."""
    return machine.qmp.command("query-vnc")["clients"]


def test_pixels(folder):
    """A client has the pixels of screendump: initially, after writes, and after changes of the mode
    and its size."""
    with server(folder) as (machine, path), RfbClient(path) as client:
        check("libvncserver" in loaded(machine), loaded(machine))
        client.start()
        check((client.width, client.height, client.name) == (640, 480, "Backplane"), client.name)
        client.encodings(RAW, DESKTOP_SIZE)
        shows(client, (640, 480, bytes(640 * 480 * 3)))
        for mode in ((64, 64), (100, 70, 128, 3, 5), (1000, 600)):
            set_mode(machine, *mode)
            draw(machine, 128 * 80)
            shows(client, dump(machine, folder))
            check((client.width, client.height) == mode[:2], (client.width, client.height))
        display.write(machine, display.VRAM + 4 * 1000 * 300, 0x123456, 4)
        shows(client, dump(machine, folder))
        display.write(machine, display.REGS + display.ENABLE, 0)
        shows(client, (640, 480, bytes(640 * 480 * 3)))


def part(picture, width, height):
    """Return the upper left part of a picture, black beyond its edges."""
    have_width, have_height, pixels = picture
    rows = []
    for y in range(height):
        row = pixels[3 * have_width * y:3 * have_width * (y + 1)] if y < have_height else b""
        rows.append(row[:3 * width].ljust(3 * width, b"\0"))
    return width, height, b"".join(rows)


def test_no_resize(folder):
    """A client that does not accept changes of the size gets the part of the picture that fits."""
    with server(folder) as (machine, path):
        set_mode(machine, 200, 200)
        draw(machine, 200 * 200)
        no_resize(machine, path, folder)


def no_resize(machine, path, folder):
    """Change the mode while such a client is connected."""
    with RfbClient(path) as client:
        client.start()
        check((client.width, client.height) == (200, 200), (client.width, client.height))
        client.encodings(RAW)
        shows(client, dump(machine, folder))
        for width, height in ((64, 64), (300, 250), (100, 400)):
            set_mode(machine, width, height)
            draw(machine, width * height)
            visible = min(width, 200), min(height, 200)

            def same():
                client.request()
                client.update()
                return part(client.rgb(), *visible) == part(dump(machine, folder), *visible)
            until(f"the part of {width} x {height}", same)
            check((client.width, client.height) == (200, 200), "another size")


def need_viewer(name, package):
    """Skip the test if a viewer is not installed."""
    if not shutil.which(name):
        raise Skip(f"{name} is not installed (package {package})")


def test_gvnccapture(folder):
    """A viewer of Debian sees the pixels of screendump."""
    need_viewer("gvnccapture", "gvncviewer")
    with start(EMULATOR, *MACHINE, "-vnc", "127.0.0.1:20,to=2000,share=ignore") as machine:
        set_mode(machine, 320, 200)
        draw(machine, 320 * 200)
        number = int(machine.qmp.command("query-vnc")["service"]) - 5900
        subprocess.run(["gvnccapture", f"127.0.0.1:{number}", f"{folder}/a.png"], check=True,
                       timeout=scaled(60), stdout=subprocess.DEVNULL)
        check(read_png(f"{folder}/a.png") == dump(machine, folder), "gvnccapture sees other pixels")


def test_vncsnapshot(folder):
    """A viewer of Debian connects with a password, and not with another one."""
    need_viewer("vncsnapshot", "vncsnapshot")
    Path(f"{folder}/password").write_bytes(bytes.fromhex("dbd83cfd727a1458"))    # "password"
    for secret, status in (("password", 0), ("passwore", 1)):
        with start(EMULATOR, *MACHINE, "-object", f"secret,id=s,data={secret}", "-vnc",
                   "127.0.0.1:20,to=2000,password-secret=s") as machine:
            set_mode(machine, 64, 64)
            draw(machine, 64 * 64)
            number = int(machine.qmp.command("query-vnc")["service"]) - 5900
            done = subprocess.run(["vncsnapshot", "-passwd", f"{folder}/password", "-quiet",
                                   f"127.0.0.1:{number}", f"{folder}/a.jpg"], check=False,
                                  timeout=scaled(60), stderr=subprocess.PIPE)
            check((done.returncode != 0) == bool(status), f"{secret}: {done}")


def test_passwords(folder):
    """Only the current password is accepted, in every version of the protocol."""
    wrong = "password check failed"
    with server(folder, settings=",password=on") as (machine, path):
        refused(path, wrong, password="")       # none is set
        machine.qmp.command("set_password", protocol="vnc", password="secret")
        for minor in (3, 7, 8):
            with RfbClient(path) as client:
                client.start("secret", minor)
            refused(path, wrong if minor == 8 else "the password is wrong", password="Secret",
                    minor=minor)
        refused(path, "requires security type 2", minor=3)
        refused(path, "offers security types [2]")
        refused(path, "closed", choice=1)       # not offered
        machine.qmp.command("change-vnc-password", password="other")
        refused(path, wrong, password="secret")
        machine.qmp.command("expire_password", protocol="vnc", time="+1000")
        RfbClient(path).start("other").close()
        for time, valid in (("now", False), ("never", True), ("1", False), ("99999999999", True)):
            out = machine.qmp.command("human-monitor-command",
                                      **{"command-line": f"expire_password vnc {time}"})
            check(out == "", out)
            if valid:
                RfbClient(path).start("other").close()
            else:
                refused(path, wrong, password="other")
        for line, password in (("set_password vnc third keep", "third"),
                               ("change vnc password 12345678", "12345678")):
            machine.qmp.command("human-monitor-command", **{"command-line": line})
            RfbClient(path).start(password).close()
        for line, reason in (("set_password vnc 123456789", "at most 8"),
                             ("set_password spice x", "use vnc"),
                             ("set_password vnc x fail", "use keep"),
                             ("change vnc listen x", "change vnc password PASSWORD"),
                             ("expire_password vnc soon", "use now, never")):
            out = machine.qmp.command("human-monitor-command", **{"command-line": line})
            check(reason in out, f"{line}: {out}")
    with server(folder) as (machine, path):
        try:
            machine.qmp.command("change-vnc-password", password="x")
        except QmpError as error:
            check("has no password" in str(error), error)
        refused(path, "offers security types [1]", password="x")


def test_sharing(folder):
    """Two clients share the picture. A client that asks for a session of its own disconnects the
    others, is refused, or is ignored."""
    with server(folder) as (machine, path):
        set_mode(machine, 64, 64)
        draw(machine, 64 * 64)
        with RfbClient(path) as one, RfbClient(path) as two:
            for client in (one, two):
                client.start()
                client.encodings(RAW, DESKTOP_SIZE)
                shows(client, dump(machine, folder))
            until("two clients", lambda: len(clients(machine)) == 2)
            with RfbClient(path) as owner:
                owner.start(shared=False)
                check(one.closed() and two.closed(), "not closed")
                until("one client", lambda: len(clients(machine)) == 1)
    with server(folder, settings=",share=force-shared") as (machine, path):
        refused(path, "closed", shared=False)
        RfbClient(path).start().close()
    with server(folder, settings=",share=ignore,connections=2") as (machine, path):
        with RfbClient(path) as one, RfbClient(path) as two:
            one.start(shared=False)
            two.start(shared=False)
            one.encodings(RAW)
            one.request()
            one.update()
            refused(path, "closed")
        until("no client", lambda: not clients(machine))
        RfbClient(path).start().close()


def test_slow_client(folder):
    """A client that does not read delays neither the monitor nor another client, and the process
    ends while it is connected."""
    with server(folder) as (machine, path):
        set_mode(machine, 1000, 1000)
        with RfbClient(path) as slow, RfbClient(path) as other:
            slow.start()
            slow.encodings(RAW)
            for _ in range(20):
                slow.request()          # 80 MB, of which the socket accepts a part
            other.start()
            other.encodings(RAW)
            before = memory(machine)
            for turn in range(5):
                display.write(machine, display.VRAM + 4000 * turn, 0x010203 * turn, 4)
                shows(other, dump(machine, folder))
            check(memory(machine) < before + (32 << 20), (before, memory(machine)))
            machine.qmp.command("quit")
            machine.wait()


def memory(machine):
    """Return the size of the process in memory, in bytes."""
    text = Path(f"/proc/{machine.pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) << 10


def messages(rng):
    """Return messages that a viewer does not send: unknown types, and limits of known ones."""
    return [
        bytes([rng.randrange(256)]) + rng.randbytes(rng.randrange(200)),
        struct.pack(">BxxxBBBBHHHBBBxxx", 0, rng.randrange(256), rng.randrange(256), 1,
                    rng.randrange(2), *(rng.randrange(1 << 16) for _ in range(3)),
                    *(rng.randrange(256) for _ in range(3))),
        struct.pack(">BxxxBBBBHHHBBBxxx", 0, rng.choice((8, 16, 24, 32)), 24, rng.randrange(2), 1,
                    *(rng.choice((0, 1, 31, 255, 65535)) for _ in range(3)),
                    *(rng.randrange(40) for _ in range(3))),
        struct.pack(">BxH", 2, 65535) + rng.randbytes(4 * rng.randrange(100)),
        struct.pack(">BxH20i", 2, 20, *(rng.choice((0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 15, 16, 17,
                                                    -223, -224, -239, -240, -258, -260, -26, -305,
                                                    -308, -32, -1, -256, 0x574D5669, -1063131698,
                                                    -65536, -65535, -65534, -65530, -65528))
                                       for _ in range(20))),
        struct.pack(">BBHHHH", 3, rng.randrange(2), *(rng.choice((0, 1, 63, 64, 65535))
                                                     for _ in range(4))),
        struct.pack(">BBxxI", 4, rng.randrange(256), rng.randrange(1 << 32)),
        struct.pack(">BBHH", 5, rng.randrange(256), 65535, 65535),
        struct.pack(">BxxxI", 6, rng.choice((0, 10, 1 << 20, (1 << 20) + 1, 1 << 31, (1 << 32) - 9))
                    ) + rng.randbytes(10),
        struct.pack(">BBII", 7, 0, 1 << 31, 1 << 31),                       # file transfer
        struct.pack(">BBH", 8, rng.choice((0, 1, 2, 255)), 0),              # scale
        struct.pack(">BxHHH", 248, 0, 0, 0),
        struct.pack(">BxBB", 250, 1, rng.randrange(5)),                     # xvp
        struct.pack(">BxHHBx", 251, 65535, 65535, rng.randrange(256)) + rng.randbytes(64),
        struct.pack(">BBHII", 255, rng.randrange(3), 1, rng.randrange(1 << 32),
                    rng.randrange(1 << 32)),
    ]


def hostile(path, rng):
    """Send one sequence of messages, and hang up at some moment. `closed` is not required: a
    sequence can be valid."""
    client = RfbClient(path)
    try:
        if rng.random() < 0.3:
            client.send(rng.choice((b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01",
                                    b"RFB 003.008", b"RFB 999.999\n", b"RFB 003.889\n\x01",
                                    b"RFB 003.007\n\x10", b"RFB -03.-08\n", rng.randbytes(40))))
        else:
            client.start(minor=rng.choice((3, 7, 8)))
            for _ in range(rng.randrange(12)):
                client.send(rng.choice(messages(rng)))
                client.request()
        if rng.random() < 0.5:
            client.sock.settimeout(scaled(0.02))
            while client.sock.recv(1 << 16):
                pass
    except (OSError, Refused):
        pass            # the server closed the connection
    client.close()


def test_hostile(folder):
    """The server survives every message of a client, and its memory stays limited."""
    rng = random.Random(20261130)
    with server(folder) as (machine, path):
        set_mode(machine, 64, 64)
        draw(machine, 64 * 64)
        for turn in range(400):
            hostile(path, rng)
            if turn == 100:
                before = memory(machine)
        until("no client", lambda: not clients(machine))
        check(memory(machine) < before + (16 << 20), (before, memory(machine)))
        with RfbClient(path) as client:
            client.start()
            client.encodings(RAW, DESKTOP_SIZE)
            shows(client, dump(machine, folder))
        check(machine.errors.count("\n") < 10, machine.errors)


def limit_memory(machine, more):
    """Limit the address space of the process to its size and `more` bytes; None: no limit."""
    text = Path(f"/proc/{machine.pid}/status").read_text(encoding="utf-8")
    size = int(re.search(r"VmSize:\s+(\d+)", text)[1]) << 10
    limit = resource.RLIM_INFINITY if more is None else size + more
    resource.prlimit(machine.pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


def need_limit(machine):
    """Skip the test if the allocator of the process does not survive a limit of its memory."""
    maps = Path(f"/proc/{machine.pid}/maps").read_text(encoding="utf-8")
    if "libasan" in maps or "libtsan" in maps:
        raise Skip("the sanitizer ends the process")


def test_no_thread(folder):
    """Without memory for the stack of a thread, a client is disconnected and a screendump fails; the
    process continues."""
    with server(folder) as (machine, path):
        need_limit(machine)
        limit_memory(machine, 6 << 20)      # a stack has 8 MiB
        with contextlib.ExitStack() as stack:
            for count in range(30):     # a stack of an ended thread may be used again
                client = stack.enter_context(RfbClient(path))
                try:
                    client.start()
                except Refused:
                    break
            check(count < 29, "30 clients have a thread")
            for name in ("a", "b", "c"):
                try:
                    machine.qmp.command("screendump", filename=f"{folder}/{name}.ppm")
                except QmpError as error:
                    check("thread" in str(error), error)
                    break
            else:
                raise TestFailure("screendump has a thread")
            check(not accepted(path), "accepted")
        until("no client", lambda: not clients(machine))
        limit_memory(machine, None)
        RfbClient(path).start().close()
        machine.qmp.command("screendump", filename=f"{folder}/d.ppm")
        check(machine.errors.count("a client is disconnected") == 1, machine.errors)


def test_no_memory(folder):
    """Without memory for the picture, a client is disconnected."""
    with mock.patch.dict(os.environ, MALLOC_ARENA_MAX="1"), server(folder) as (machine, path):
        need_limit(machine)
        set_mode(machine, 1024, 1000)
        RfbClient(path).start().close()     # its stack is used again
        machine.qmp.wait_event("VNC_DISCONNECTED", 30)
        machine.qmp.command("query-vnc")    # the picture is freed
        limit_memory(machine, 1 << 20)      # that of the next client has 4 MB
        refused(path, "closed")
        machine.qmp.wait_event("VNC_DISCONNECTED", 30)
        limit_memory(machine, None)
        with RfbClient(path) as client:
            client.start()
            check((client.width, client.height) == (1024, 1000), (client.width, client.height))
            client.encodings(RAW)
            client.request()
            client.update()


def test_descriptors(folder):
    """The library cannot use descriptors from 1024: clients are disconnected, with one message."""
    script = Path(f"{folder}/program")
    script.write_text("#!/bin/bash\nulimit -n 4096 || exit 9\n"
                      "for ((i = 0; i < 1024; i++)); do exec {fd}</dev/null; done\n"
                      f"exec {EMULATOR} \"$@\"\n", encoding="utf-8")
    script.chmod(0o700)
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 4096:
        raise Skip("the limit of descriptors is below 4096")
    with start(script, *MACHINE, "-vnc", f"unix:{folder}/vnc") as machine:
        machine.qmp.command("query-status")
        for _ in range(3):
            check(not accepted(f"{folder}/vnc"), "accepted")
        check(machine.errors.count("descriptors below 1024") == 1, machine.errors)


def test_libraries(folder):
    """A library that cannot be loaded is named at the start, and not only when a client connects."""
    for name in ("libpixman-1.so.0", "libvncserver.so.1"):
        file = Path(folder) / name
        file.write_text("no library", encoding="utf-8")
        failed(f"unix:{folder}/vnc", name, environment={"LD_LIBRARY_PATH": folder})
        file.unlink()


def test_handshake_limit(folder):
    """A client that does not complete the handshake is disconnected after 10 s and keeps its place
    no longer."""
    with server(folder, settings=",connections=1") as (_, path):
        begin = time.monotonic()
        with RfbClient(path) as client:
            client.receive(12)
            client.send(b"RFB 0")
            check(client.closed(), "not closed")
            passed = time.monotonic() - begin
            check(passed >= 10, f"closed after {passed} s")
        until("an accepted client", lambda: accepted(path))


def accepted(path):
    """Return whether a client can connect."""
    try:
        RfbClient(path).start().close()
    except (Refused, OSError):
        return False
    return True


def test_events(folder):
    """A client causes three events, and query-vnc lists it."""
    with server(folder, settings=",id=one") as (machine, path):
        with RfbClient(path) as client:
            client.start()
            for name in ("VNC_CONNECTED", "VNC_INITIALIZED"):
                data = machine.qmp.wait_event(name, 30)["data"]
                check(data["server"] == {"host": path, "service": "", "family": "unix",
                                         "websocket": False, "auth": "none"}, data)
            until("a client", lambda: len(clients(machine)) == 1)
            answer = machine.qmp.command("query-vnc-servers")
            check(len(answer) == 1 and answer[0]["id"] == "one", answer)
            check(answer[0]["server"] == [data["server"]], answer)
            check(answer[0]["clients"] == [data["client"]], answer)
            out = machine.qmp.command("human-monitor-command", **{"command-line": "info vnc"})
            check(out.split("\r\n") == ["one:", f"  Server: {path}: (unix)", "  Client: : (unix)",
                                      "  Auth: none", ""], repr(out))
        machine.qmp.wait_event("VNC_DISCONNECTED", 30)
        check(not clients(machine), "a client")
    with start(EMULATOR, "-M", "virt", "-vnc", "0.0.0.0:20,to=2000") as machine:
        port = machine.qmp.command("query-vnc")["service"]
        for address in ("127.0.0.1", "127.0.0.2"):
            with RfbClient((address, int(port))) as client:
                client.start()
            for name in ("VNC_CONNECTED", "VNC_INITIALIZED", "VNC_DISCONNECTED"):
                found = machine.qmp.wait_event(name, 30)["data"]["server"]
                check((found["host"], found["service"]) == (address, port), found)
    with start(EMULATOR, "-M", "virt") as machine:
        check(machine.qmp.command("query-vnc") == {"enabled": False}, "enabled")
        check(machine.qmp.command("query-vnc-servers") == [], "a server")
        out = machine.qmp.command("human-monitor-command", **{"command-line": "info vnc"})
        check(out.strip() == "None", out)
        check(not loaded(machine), loaded(machine))
    with start(EMULATOR, "-M", "virt", "-vnc", "none") as machine:
        check(machine.qmp.command("query-vnc") == {"enabled": False}, "enabled")
        check(not loaded(machine), loaded(machine))


def test_addresses(folder):
    """The forms of the address, and ports that are in use."""
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        number = used.getsockname()[1] - 5900
        used.listen(1)
        check(number > 0, number)
        failed(f"127.0.0.1:{number}", "cannot listen on '127.0.0.1:")
        with start(EMULATOR, "-M", "virt", "-vnc", f":{number},to={number + 100}") as machine:
            answer = machine.qmp.command("query-vnc")
            check(answer["host"] == "127.0.0.1" and answer["family"] == "ipv4", answer)
            check(number < int(answer["service"]) - 5900 <= number + 100, answer)
            with RfbClient(("127.0.0.1", int(answer["service"]))) as client:
                client.start()
    with start(EMULATOR, "-M", "virt", "-display", f"vnc=localhost:{number},to=59000") as machine:
        for address in machine.qmp.command("query-vnc-servers")[0]["server"]:
            RfbClient((address["host"], int(address["service"]))).start().close()
    path = f"{folder}/socket"
    with start(EMULATOR, "-M", "virt", "-vnc", f"unix:{path}") as machine:
        machine.qmp.command("query-vnc")
        RfbClient(path).start().close()
        check(os.stat(path).st_mode & 0o777 == 0o600, oct(os.stat(path).st_mode))
    check(not os.path.exists(path), "the socket remains")


def failed(vnc, reason, *options, environment=None):
    """Check that the emulator does not start."""
    done = subprocess.run([EMULATOR, "-M", "virt", "-nodefaults", "-display", "none", *options,
                           "-vnc", vnc], capture_output=True, text=True, timeout=scaled(60), check=False,
                          env=os.environ | (environment or {}))
    check(done.returncode == 1 and reason in done.stderr, f"{vnc}: {done}")


def test_messages(folder):
    """Each setting that is not supported is named."""
    for vnc, reason in ((":x", "is not an address"), ("5900", "is not an address"),
                        (":59636", "0 to 59635"), ("unix:", "1 to 107"),
                        (":5,to=4", "to=4 is below"),
                        ("unix:/tmp/v,to=5", "to= requires an address"),
                        ("unix:/tmp/v,ipv4=on", "ipv4= requires an address"),
                        ("unix:/tmp/v,ipv6=off", "ipv6= requires an address"),
                        (":0,ipv4=off,ipv6=off", "exclude each address of ':0'"), (":0,websocket=on", "key 'websocket'"),
                        (":0,tls-creds=t", "key 'tls-creds'"), (":0,sasl=on", "key 'sasl'"),
                        (":0,reverse=on", "key 'reverse'"), (":0,share=never", "share"),
                        (":0,connections=0", "connections"), (":0,connections=33", "connections"),
                        (":0,password-secret=s", "is not a secret"),
                        (":0,audiodev=a", "audiodev 'a' does not exist"),
                        ("", "address"), ("password=on", "address is required"),
                        ("nosuchhost.invalid:0", "host 'nosuchhost.invalid'")):
        failed(vnc, reason)
    failed(":0", "a machine has one VNC server", "-vnc", ":1")
    failed(":0,password-secret=s", "at most 8", "-object", "secret,id=s,data=123456789")
    for options, reason in ((["-display", "gtk"], "use none, or vnc=ADDRESS"),
                            (["-vga", "std"], "bochs-display"),
                            (["-audiodev", "alsa,id=a"], "driver"),
                            (["-audiodev", "none"], "'id' is required")):
        failed("none", reason, *options)
    with start(EMULATOR, "-M", "virt", "-audiodev", '{"id":"audio1","driver":"none"}', "-vnc",
               f"unix:{folder}/a,audiodev=audio1") as machine:
        machine.qmp.command("query-vnc")


def test_keys(folder):
    """Keys of clients are accepted with and without a keyboard, and the QEMU extended key event is
    confirmed. tests/guest/display.py types text; tests/unit/ui/test-vnc.c checks keys that a
    keyboard cannot report yet."""
    for keyboard in ([], ["-device", "virtio-keyboard-pci"]):
        with server(folder, *keyboard) as (machine, path), RfbClient(path) as client:
            client.start()
            client.encodings(RAW, QEMU_KEYS)
            client.update()
            check(client.qemu_keys, "not confirmed")
            client.type("Some text\n" * 50)
            client.qemu_key(0x61, 0x1E, True)
            client.request()
            client.update()             # the messages before it were processed
            check(len(clients(machine)) == 1, "no client")


def test_pointers(folder):
    """More messages of pointers than wait are accepted, with and without a pointing device."""
    for options in ([], ["-device", "qemu-xhci", "-device", "usb-tablet"]):
        with server(folder, *options) as (machine, path):
            with RfbClient(path) as client:
                client.start()
                for at in range(500):
                    client.pointer(at, 500 - at, at & 31)
                client.request()
                client.update()
            machine.qmp.command("query-status")


if __name__ == "__main__":
    sys.exit(run(globals(), "vnc", sys.argv[1:]))
