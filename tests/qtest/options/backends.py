# SPDX-License-Identifier: GPL-2.0-or-later
"""Consoles, monitors, networks, host objects and disks."""

import contextlib
import json
import os
import re
import socket
import threading
from pathlib import Path

from vnet import Nic
from walk import Folder, Machine, covers, finish, prints, program, qtest_run, refused, run, say, scaled, spawn, until


# --- consoles ---

def guest_says(folder: Path, *args: str, text: str = "hi") -> tuple[str, str]:
    """Run a guest that prints a text and powers off. Return standard output and error."""
    status, out, err = run("-M", "virt", "-display", "none", "-monitor", "none", "-bios",
                           program(folder, say(text) + finish(0x5555)), *args)
    assert status == 0, err
    return out, err


@covers("-serial", "-serial file:", "-serial null", "-serial none", "-serial vc",
        "-serial chardev:", "-chardev", "-chardev file", "-chardev file path=",
        "-chardev file append=on", "-chardev file append=off", "-chardev null", "-chardev id=",
        "-chardev logfile=", "-chardev logappend=", "-chardev vc")
def check_output():
    with Folder() as folder:
        out, log = folder / "out", folder / "log"
        guest_says(folder, "-serial", f"file:{out}")
        assert out.read_text() == "hi"
        for append, expect in (("on", "hihi"), ("off", "hi"), ("on", "hihi")):
            guest_says(folder, "-chardev", f"file,id=c,path={out},append={append}", "-serial",
                       "chardev:c")
            assert out.read_text() == expect, append
        for append, expect in (("off", "hi"), ("on", "hihi"), ("off", "hi")):
            guest_says(folder, "-chardev", f"null,id=c,logfile={log},logappend={append}", "-serial",
                       "chardev:c")
            assert log.read_text() == expect, append
    for kind in ("null", "none", "vc"):
        with Machine("-serial", kind) as m:
            found = [c["filename"] for c in m.qmp("query-chardev") if c["label"] == "serial0"]
            assert found == ([] if kind == "none" else [kind]), found
    with Machine("-chardev", "vc,id=screen") as m:
        assert "screen" in [c["label"] for c in m.qmp("query-chardev")]


@covers("-chardev file input-path=", "-chardev ringbuf", "-chardev ringbuf size=",
        "-serial ringbuf")
def check_input():
    with Folder() as folder:
        (folder / "in").write_text("Z")
        with Machine("-chardev", f"file,id=c,path={folder / 'o'},input-path={folder / 'in'}",
                     "-serial", "chardev:c", "-qtest", f"unix:{folder / 'q'},server=on,wait=off"):
            with qtest(folder / "q") as ask:
                until(lambda: ask("readb 0x10000005").endswith("1"), "input in the UART")
                assert ask("readb 0x10000000") == f"OK {ord('Z'):#018x}"
        for args in (["-chardev", "ringbuf,id=c,size=4", "-serial", "chardev:c"],
                     ["-serial", "ringbuf"]):
            name = "c" if args[0] == "-chardev" else "serial0"
            guest = program(folder, say("abcdef"))
            with Machine("-bios", guest, "-accel", "interp", *args) as m:
                got = ""

                def more() -> bool:
                    nonlocal got
                    got += m.qmp("ringbuf-read", device=name, size=100)
                    return got.endswith("f")
                until(more, "text in the ring")
                # a ring of 4 bytes may have lost some between two reads, but keeps their order
                assert got == ("abcdef" if name == "serial0" else "".join(sorted(set(got)))), got
                assert set(got) <= set("abcdef"), got


@contextlib.contextmanager
def qtest(path: Path):
    """Send a request to the qtest server on a unix socket."""
    with contextlib.closing(connected(path)) as sock, sock.makefile("rw") as file:
        def ask(line: str) -> str:
            file.write(line + "\n")
            file.flush()
            return file.readline().strip()
        yield ask


def connected(path: Path | tuple[str, int]) -> socket.socket:
    """Connect to a server as soon as it listens."""
    unix = not isinstance(path, tuple)

    def attempt():
        sock = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        sock.settimeout(scaled(20))
        try:
            sock.connect(str(path) if unix else path)
            return sock
        except OSError:
            sock.close()
            return None
    return until(attempt, f"connection to {path}")


def greeted(sock: socket.socket) -> bool:
    with sock, sock.makefile() as file:
        return "QMP" in json.loads(file.readline())


@covers("-chardev socket telnet=on", "-chardev socket telnet=off")
def check_telnet():
    with Folder() as folder:
        for options, greeting in (("telnet=on", b"\xff\xfb\1\xff\xfb\3\xff\xfb\0\xff\xfd\0"), ("telnet=off", b"")):
            with spawn(["-M", "virt", "-display", "none", "-monitor", "none", "-bios",
                        program(folder, say("hi") + finish(0x5555)), "-chardev",
                        f"socket,id=c,path={folder / 's'},server=on,wait=on,{options}", "-serial", "chardev:c"]) as proc:
                with connected(folder / "s") as sock, sock.makefile("rb") as file:
                    assert file.read() == greeting + b"hi", options
                proc.wait(scaled(20))
    with Machine("-serial", "telnet:127.0.0.1:0,server=on,wait=off") as m:
        assert "telnet:127.0.0.1:0,server=on" in [c["filename"] for c in m.qmp("query-chardev")]


@covers("-chardev udp", "-chardev udp host=", "-chardev udp port=", "-chardev udp localaddr=",
        "-chardev udp localport=", "-chardev udp ipv4=", "-chardev udp ipv6=")
def check_udp():
    with Folder() as folder, contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as peer, \
            contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as free:
        # An address that no other process uses: its port remains free when `free` is closed.
        own = f"127.{1 + os.getpid() % 250}.{1 + os.getpid() // 250 % 250}.2"
        peer.bind(("127.0.0.1", 0))
        free.bind((own, 0))
        peer.settimeout(scaled(20))
        port, local = peer.getsockname()[1], free.getsockname()[1]
        free.close()
        for form in (f"udp:127.0.0.1:{port}@{own}:{local}", f"udp:localhost:{port},ipv6=off",
                     f"udp:localhost:{port},ipv4=on"):
            guest_says(folder, "-serial", form)
            text, source = b"", None
            while text != b"hi":
                data, source = peer.recvfrom(16)
                text += data
            assert source[1] == local or "@" not in form, (form, source)
    with Machine("-chardev", f"udp,id=c,host=127.0.0.1,port={port},localaddr=127.0.0.1,localport=0") as m:
        assert f"udp:127.0.0.1:{port}@127.0.0.1:0" in [c["filename"] for c in m.qmp("query-chardev")]
    refused("port=", "-M", "none", "-chardev", "udp,id=c")
    refused("65536", "-M", "none", "-chardev", "udp,id=c,port=65536")


@covers("-chardev socket", "-chardev socket path=", "-chardev socket host=",
        "-chardev socket port=", "-chardev socket server=on", "-chardev socket server=off",
        "-chardev socket wait=on", "-chardev socket wait=off", "-chardev socket fd=",
        "-chardev socket abstract=on", "-chardev socket abstract=off",
        "-chardev socket reconnect=", "-chardev socket reconnect-ms=",
        "-chardev socket mode=", "-chardev socket nodelay=on", "-chardev socket nodelay=off", "-serial unix:",
        "-serial tcp:", "-mon", "-mon chardev=", "-mon mode=control", "-mon mode=readline",
        "-mon pretty=on", "-mon pretty=off", "-chardev socket (short booleans)")
def check_sockets():
    with Folder() as folder:
        path = folder / "s"
        for options in ("server=on,wait=off", "server,nowait", "server=on,wait=off,abstract=off",
                        "server=yes,wait=no"):
            with spawn(["-M", "none", "-display", "none", "-chardev",
                        f"socket,id=c,path={path},{options}", "-mon", "chardev=c,mode=control"]) \
                    as proc:
                assert greeted(connected(path)), options
                proc.kill()
        with spawn(["-M", "none", "-display", "none", "-chardev",
                    f"socket,id=c,path={path},server=on,wait=on", "-mon",
                    "chardev=c,mode=readline"]) as proc:
            assert proc.stderr.readline().startswith("waiting for a connection")
            with connected(path) as sock:
                until(lambda: b"(backplane)" in sock.recv(4096) or True, "a prompt")
            proc.kill()
        name = f"bp-opt-{os.getpid()}"
        with spawn(["-M", "none", "-display", "none", "-chardev",
                    f"socket,id=c,path={name},abstract=on,server=on,wait=off", "-mon",
                    "chardev=c,mode=control,pretty=on"]) as proc, \
                connected("\0" + name) as sock, sock.makefile() as file:
            assert file.readline().strip() == "{"           # indented
            proc.kill()
        # as a client over TCP with and without delay, and with an inherited descriptor
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(scaled(20))
            port = server.getsockname()[1]
            for options in ("nodelay=on", "nodelay=off", "server=off"):
                with spawn(["-M", "none", "-display", "none", "-chardev",
                            f"socket,id=c,host=127.0.0.1,port={port},{options}", "-mon",
                            "chardev=c,mode=control,pretty=off"]) as proc:
                    sock, _ = server.accept()
                    assert greeted(sock), options
                    proc.kill()
            with spawn(["-M", "none", "-display", "none", "-qmp", f"tcp:127.0.0.1:{port}"]) as proc:
                assert greeted(server.accept()[0])
                proc.kill()
            with spawn(["-M", "virt", "-display", "none", "-accel", "qtest", "-bios", "none",
                        "-serial", f"tcp:127.0.0.1:{port}"]) as proc:
                server.accept()[0].close()
                proc.kill()
        for key in ("reconnect=1", "reconnect-ms=20"):
            late = folder / key
            with spawn(["-M", "none", "-display", "none", "-chardev",
                        f"socket,id=c,path={late},{key}", "-mon", "chardev=c,mode=control"]) \
                    as proc, contextlib.closing(socket.socket(socket.AF_UNIX)) as server:
                server.bind(str(late))
                server.listen(1)
                server.settimeout(scaled(20))
                assert greeted(server.accept()[0])
                proc.kill()
        with spawn(["-M", "none", "-display", "none", "-qmp",
                    f"unix:{folder}/mode,server=on,wait=off,mode=0660"]) as proc:
            connected(folder / "mode").close()
            assert (folder / "mode").stat().st_mode & 0o777 == 0o660
            proc.kill()
        ours, theirs = socket.socketpair()
        with spawn(["-M", "none", "-display", "none", "-chardev",
                    f"socket,id=c,fd={theirs.fileno()}", "-mon", "chardev=c,mode=control"],
                   pass_fds=[theirs.fileno()]) as proc:
            theirs.close()
            assert greeted(ours)
            proc.kill()
        with spawn(["-M", "virt", "-display", "none", "-accel", "qtest", "-bios", "none", "-serial",
                    f"unix:{path},server,nowait"]) as proc:
            connected(path).close()
            proc.kill()


@covers("-qmp", "-qmp-pretty", "-monitor", "-nographic", "-chardev stdio",
        "-chardev stdio signal=on", "-chardev stdio signal=off", "-serial mon:stdio",
        "-chardev mux=", "-nodefaults")
def check_monitors():
    base = ["-M", "virt", "-accel", "qtest", "-bios", "none", "-display", "none"]
    prompt = "(qemu)"
    assert '{"QMP"' in run(*base, "-qmp", "stdio", text='{"execute":"qmp_capabilities"}'
                           '{"execute":"quit"}')[1].replace(" ", "")
    assert run(*base, "-qmp-pretty", "stdio", text='{"execute":"qmp_capabilities"}'
               '{"execute":"quit"}')[1].startswith("{\n")
    for args in (["-monitor", "stdio"], ["-chardev", "stdio,id=c,signal=off", "-mon", "c"],
                 ["-chardev", "stdio,id=c,signal=on", "-mon", "c"],
                 ["-chardev", "stdio,id=c,mux=off", "-mon", "c"]):
        assert prompt in run(*base, *args, text="quit\n")[1], args
    assert prompt in run(*base[:-2], "-nographic", "-serial", "null", text="quit\n")[1]
    for args in (["-nographic"], ["-serial", "mon:stdio"],
                 ["-chardev", "stdio,id=c,mux=on", "-serial", "chardev:c", "-mon", "c"]):
        out = run(*base[:-2], *args, text="\x01cquit\n")[1]
        assert prompt in out, (args, out)
    with Machine("-nographic", "-serial", "null", base=(*base, "-qmp", "stdio")) as m:
        assert "compat_monitor1" not in [c["label"] for c in m.qmp("query-chardev")]
    with Machine("-nodefaults", base=(*base, "-qmp", "stdio")) as m:
        assert "serial0" not in [c["label"] for c in m.qmp("query-chardev")]
    with Machine(base=(*base, "-qmp", "stdio")) as m:
        assert "serial0" in [c["label"] for c in m.qmp("query-chardev")]


@covers("-chardev pty", "-serial pty", "-chardev pipe", "-chardev pipe path=", "-serial pipe:")
def check_terminals():
    for args in (["-chardev", "pty,id=c", "-mon", "chardev=c"], ["-serial", "pty"]):
        with spawn(["-M", "virt", "-accel", "qtest", "-bios", "none", "-display", "none", *args]) \
                as proc:
            name = re.search(r"(/dev/pts/\d+)", proc.stderr.readline())[1]
            assert os.path.exists(name)
            proc.kill()
    with Folder() as folder:
        for end in (".in", ".out"):
            os.mkfifo(f"{folder}/p{end}")
        for args in (["-chardev", f"pipe,id=c,path={folder}/p", "-mon", "chardev=c,mode=control"],
                     ["-qmp", f"pipe:{folder}/p"]):
            with spawn(["-M", "none", "-display", "none", *args]) as proc, \
                    open(f"{folder}/p.out", encoding="utf-8") as out:
                assert "QMP" in out.readline()
                proc.kill()
        with Machine("-serial", f"pipe:{folder}/p") as m:
            assert [c["filename"] for c in m.qmp("query-chardev")
                    if c["label"] == "serial0"] != ["null"]


@covers("-qtest", "-qtest-log")
def check_qtest():
    with Folder() as folder:
        assert qtest_run(["endianness"], "-M", "virt", "-qtest-log", str(folder / "log")) \
            == ["OK little"]
        assert "endianness" in (folder / "log").read_text()


# --- networks ---

def net_of(*args: str) -> str:
    with Machine(*args) as m:
        return m.hmp("info network").replace("\r", "")


@covers("-netdev", "-netdev id=", "-nic", "-nic model=", "-nic mac=", "-nic id=", "-nic addr=",
        "-net", "-net model=", "-net macaddr=", "-net addr=", "-net name=", "-net netdev=",
        "-netdev hubport", "-netdev hubport hubid=")
def check_nics():
    mac = "52:54:00:aa:bb:cc"
    for args in (["-nic", f"user,model=virtio-net-pci,mac={mac},id=n0,addr=7"],
                 ["-nic", f"user,model=virtio,mac={mac},id=n0,addr=7"],
                 ["-net", f"nic,macaddr={mac},addr=7", "-net", "user,id=n0"],
                 ["-net", "user,id=n0", "-net", f"nic,model=virtio,macaddr={mac},addr=7"],
                 ["-net", f"nic,macaddr={mac},addr=7,netdev=n0", "-netdev", "user,id=n0"]):
        with Machine(*args) as m:
            text = m.hmp("info network")
            assert mac in text and "n0: index=0,type=user" in text, (args, text)
            assert [d for d in m.qmp("query-pci")[0]["devices"] if d["slot"] == 7], args
    assert "dut" in net_of("-net", "nic,name=dut", "-net", "user")
    assert net_of("-nic", "none") == net_of("-net", "none") == net_of()
    assert "type=user" in net_of("-nic", "user") and "type=user" in net_of("-nic", "model=virtio")
    assert "hub 5" in net_of("-netdev", "hubport,id=h,hubid=5")


@covers("-netdev user", "-netdev user hostfwd=", "-netdev user hostname=",
        "-netdev user restrict=on", "-netdev user restrict=off", "-netdev user net=", "-netdev user host=",
        "-netdev user dhcpstart=", "-netdev user dns=", "-netdev user ipv6=on", "-netdev user ipv6=off",
        "-netdev user ipv4=on", "-netdev user ipv4=off", "-netdev user tftp=",
        "-netdev user tftp-server-name=", "-netdev user bootfile=", "-netdev user domainname=",
        "-netdev user dnssearch=")
def check_user():
    text = net_of("-netdev", "user,id=n,net=10.9.0.0/24,restrict=on")
    assert "net=10.9.0.0,restrict=on" in text, text
    with Machine("-netdev", "user,id=n,hostfwd=tcp:127.0.0.1:0-:22") as m:
        text = m.hmp("info usernet")
        port = int(re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)", text)[1])
        socket.create_connection(("127.0.0.1", port), scaled(20)).close()
    for option, needle in (("host=10.0.2.9", "10.0.2.9"), ("dns=10.0.2.8", "10.0.2.8"),
                           ("dhcpstart=10.0.2.77", "10.0.2.77"), ("hostname=boxy", "boxy"),
                           ("domainname=example.org", "example.org"),
                           ("tftp-server-name=loader", "loader"), ("bootfile=start.img",
                           "start.img"), ("ipv4=on,restrict=off", "10.0.2.2")):
        answer = dhcp(option)
        packed = socket.inet_aton(needle) if needle[0].isdigit() else needle.encode()
        assert packed in answer, (option, answer)
    assert b"\x04corp\x03org" in dhcp("dnssearch=corp.org")
    assert not [f for f in answers_of("ipv4=off,ipv6=on") if b"\x63\x82\x53\x63" in f]
    with Folder() as folder:
        (folder / "file").write_text("content")
        assert fetched(f"tftp={folder}") == b"content"
    assert router_advertised("ipv6=on") and not router_advertised("ipv6=off")


def checksum(data: bytes) -> bytes:
    total = sum(int.from_bytes(data[i:i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return (total ^ 0xffff).to_bytes(2, "big")


def frame_ipv4_udp(payload: bytes, ports=(68, 67), source: bytes = b"\0" * 4,
                   target: bytes = b"\xff" * 4, mac: bytes = b"\xff" * 6) -> bytes:
    udp = ports[0].to_bytes(2, "big") + ports[1].to_bytes(2, "big") \
        + (8 + len(payload)).to_bytes(2, "big") + b"\0\0" + payload
    head = bytearray(b"\x45\0" + (20 + len(udp)).to_bytes(2, "big") + b"\0\0\0\0\x40\x11\0\0"
                     + source + target)
    head[10:12] = checksum(head)
    return mac + MAC + b"\x08\0" + bytes(head) + udp


MAC = b"\x52\x54\0\x12\x34\x56"


DISCOVER = b"\x01\x01\x06\0" + b"abcd" + b"\0" * 20 + MAC + b"\0" * 202 \
    + b"\x63\x82\x53\x63" + b"\x35\x01\x01" + b"\xff"
GUEST, HOST = socket.inet_aton("10.0.2.15"), socket.inet_aton("10.0.2.2")


def dhcp(option: str) -> bytes:
    """Return the DHCP offer of a user network."""
    return lan(option, [frame_ipv4_udp(DISCOVER)], lambda f: b"\x63\x82\x53\x63" in f)[-1]


def fetched(option: str) -> bytes:
    """Return what TFTP serves for the file named "file"."""
    arp = b"\xff" * 6 + MAC + b"\x08\x06" + b"\0\x01\x08\0\x06\x04\0\x01" + MAC + GUEST \
        + b"\0" * 6 + HOST
    ask = frame_ipv4_udp(b"\0\x01file\0octet\0", (1069, 69), GUEST, HOST,
                         b"\x52\x55\x0a\0\x02\x02")
    answer = lan(option, [arp, ask], lambda f: f[42:46] == b"\0\x03\0\x01")[-1]
    return answer[46:34 + int.from_bytes(answer[38:40], "big")]     # libslirp 4.8 pads short frames


def answers_of(option: str) -> list[bytes]:
    """Return the answers to DHCP and to a router solicitation, up to a router advertisement."""
    return lan(option, [frame_ipv4_udp(DISCOVER), icmp6_solicit()],
               lambda f: f[12:14] == b"\x86\xdd" and f[54] == 134)


def router_advertised(option: str) -> bool:
    """Return true if a user network answers a router solicitation before DHCP."""
    frames = lan(option, [icmp6_solicit(), frame_ipv4_udp(DISCOVER)],
                 lambda f: b"\x63\x82\x53\x63" in f)
    return any(frame[12:14] == b"\x86\xdd" and frame[54] == 134 for frame in frames)


def icmp6_solicit() -> bytes:
    source = bytes.fromhex("fe80000000000000505400fffe123456")
    target = bytes.fromhex("ff020000000000000000000000000002")
    body = bytearray(b"\x85\0\0\0\0\0\0\0")
    pseudo = source + target + len(body).to_bytes(4, "big") + b"\0\0\0\x3a" + bytes(body)
    body[2:4] = checksum(pseudo)
    return b"\x33\x33\0\0\0\x02" + MAC + b"\x86\xdd" + b"\x60\0\0\0" \
        + len(body).to_bytes(2, "big") + b"\x3a\xff" + source + target + bytes(body)


def lan(option: str, frames: list[bytes], match) -> list[bytes]:
    """Send frames to a user network. Returns the frames it sends, up to the first that matches."""
    seen: list[bytes] = []
    with Folder() as folder:
        path = folder / "q"
        with Machine("-netdev", f"user,id=n,{option}", "-device", "virtio-net-pci,netdev=n,addr=1",
                     "-qtest", f"unix:{path},server=on,wait=off"), qtest(path) as ask:
            nic = Nic(ask)
            for frame in frames:
                nic.send(frame)

            def found() -> bool:
                seen.extend(nic.received())
                return any(match(frame) for frame in seen)
            until(found, option)
    return [*seen[:next(i for i, f in enumerate(seen) if match(f)) + 1]]


@covers("-netdev socket", "-netdev socket listen=", "-netdev socket connect=",
        "-netdev socket fd=", "-netdev stream", "-netdev stream reconnect=",
        "-netdev stream reconnect-ms=", "-netdev stream addr=", "-netdev stream server=",
        "-netdev dgram", "-netdev dgram local=", "-netdev dgram remote=")
def check_net_sockets():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(scaled(20))
        port = server.getsockname()[1]
        for text in (f"socket,id=n,connect=127.0.0.1:{port}",
                     f"stream,id=n,server=off,addr.type=inet,addr.host=127.0.0.1,addr.port={port}"):
            with Machine("-netdev", text):
                server.accept()[0].close()
    with Folder() as folder:        # a client without a server waits and retries
        for key in ("reconnect=1", "reconnect-ms=20"):
            path = folder / key
            with Machine("-netdev", f"stream,id=n,server=off,addr.type=unix,addr.path={path},{key}"), \
                    contextlib.closing(socket.socket(socket.AF_UNIX)) as server:
                server.bind(str(path))
                server.listen(1)
                server.settimeout(scaled(20))
                server.accept()[0].close()
        ours, theirs = socket.socketpair()
        with Machine("-netdev", f"socket,id=n,fd={theirs.fileno()}", pass_fds=[theirs.fileno()]) \
                as m:
            assert f"fd={theirs.fileno()}" in m.hmp("info network")
        ours.close()
        theirs.close()
    with Folder() as folder:
        path = folder / "s"
        with Machine("-netdev", f"stream,id=n,server=on,addr.type=unix,addr.path={path}"):
            connected(path).close()
        with socket.socket() as reserved:       # keeps the port, without listening
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            reserved.bind(("127.0.0.1", 0))
            port = reserved.getsockname()[1]
            with Machine("-netdev", f"socket,id=n,listen=127.0.0.1:{port}"):
                connected(("127.0.0.1", port)).close()
        with Machine("-netdev", f"dgram,id=n,local.type=unix,local.path={folder}/l,"
                     f"remote.type=unix,remote.path={folder}/r") as m:
            assert (folder / "l").exists()
            text = m.hmp("info network")
            assert f"{folder}/l" in text and f"{folder}/r" in text, text


@covers("-netdev tap", "-netdev tap ifname=", "-netdev tap fd=", "-netdev tap script=",
        "-netdev tap downscript=", "-netdev tap vhost=", "-netdev tap vhostfd=")
def check_tap():
    status, out, err = run("-M", "virt", "-accel", "qtest", "-bios", "none", "-display",
                         "none", "-serial", "none", "-monitor", "none", "-qmp", "stdio", "-netdev",
                         "tap,id=n,ifname=bpopt0,script=no,downscript=no",
                         text='{"execute":"qmp_capabilities"}{"execute":"human-monitor-command",'
                              '"arguments":{"command-line":"info network"}}{"execute":"quit"}')
    # without the privilege, or without /dev/net/tun, the message names the cause
    assert "bpopt0" in out if status == 0 else "tun" in err or "bpopt0" in err, err
    refused("fd=999", "-M", "virt", "-display", "none", "-accel", "qtest", "-netdev",
            "tap,id=n,fd=999")
    for option, text in (("vhost=on", "use vhost=off"), ("vhost=off", "fd=999"), ("vhostfd=3", "vhostfd=3")):
        refused(text, "-M", "virt", "-display", "none", "-accel", "qtest", "-netdev", f"tap,id=n,{option},fd=999"
                if option == "vhost=off" else f"tap,id=n,{option},fd=0")


# --- host objects ---

@covers(*[f"-object iothread {key}=" for key in ("poll-max-ns", "poll-grow", "poll-shrink")])
def check_iothread_polling():
    with Machine("-object", "iothread,id=t0,poll-max-ns=1000,poll-grow=3,poll-shrink=4") as m:
        thread = m.qmp("query-iothreads")[0]
        assert (thread["poll-max-ns"], thread["poll-grow"], thread["poll-shrink"]) == (1000, 3, 4)
        text = m.hmp("info iothreads")
        assert "poll-max-ns=1000" in text and "users: none" in text, text


@covers("-object", "-object id=", "-object iothread", "-object rng-builtin", "-object rng-random",
        "-object rng-random filename=", "-object secret", "-object secret data=",
        "-object secret file=", "-object secret format=raw", "-object secret format=base64")
def check_objects():
    with Machine("-object", "iothread,id=t0", "-object", "rng-builtin,id=r0", "-object",
                 "rng-random,id=r1,filename=/dev/zero", "-object", "secret,id=s0,data=abc") as m:
        names = [o["name"] for o in m.qmp("qom-list", path="/objects")]
        assert {"t0", "r0", "r1", "s0"} <= set(names), names
        assert m.qmp("query-iothreads")[0]["id"] == "t0"
        assert m.get("/objects/r1", "filename") == "/dev/zero"
    with Folder() as folder:
        (folder / "s").write_text("secret")
        with Machine("-object", f"secret,id=s,file={folder / 's'},format=raw") as m:
            assert m.get("/objects/s", "format") == "raw"
        refused("nosuch", "-M", "none", "-object", f"secret,id=s,file={folder}/nosuch")
    refused("base64", "-M", "none", "-object", "secret,id=s,data=***,format=base64")
    with Machine("-object", "secret,id=s,data=aGk=,format=base64") as m:
        assert m.get("/objects/s", "format") == "base64"


MEMORY = ("memory-backend-ram", "memory-backend-memfd", "memory-backend-file")


@covers(*[f"-object {kind}{key}" for kind in MEMORY for key in (
    "", " size=", " share=on", " share=off", " prealloc=on", " prealloc=off", " merge=on",
    " merge=off", " dump=on", " dump=off", " reserve=on", " reserve=off")],
        "-object memory-backend-file mem-path=", "-object memory-backend-memfd seal=on",
        "-object memory-backend-memfd seal=off", "-object memory-backend-memfd hugetlb=off",
        "-object memory-backend-memfd hugetlb=on", "-object memory-backend-memfd hugetlbsize=",
        *[f"-object {kind} {key}=" for kind in MEMORY for key in (
            "prealloc-threads", "host-nodes")],
        *[f"-object {kind} policy={value}" for kind in MEMORY for value in (
            "default", "bind", "interleave", "preferred")],
        *[f"-object memory-backend-file discard-data={value}" for value in ("on", "off")],
        "-M virt-0.1 memory-backend=", "-M virt-0.2 memory-backend=",
        "-M virt-0.3 memory-backend=")
def check_memory_backends():
    with Folder() as folder:
        for kind in MEMORY:
            base = f"{kind},id=ram,size=16M" + \
                (f",mem-path={folder / 'ram'}" if kind.endswith("file") else "")
            for key in ("share", "prealloc", "merge", "dump", "reserve"):
                for value in ("on", "off"):
                    memory_backend(kind, base, key, value)
            if not kind.endswith("file"):
                refused("reserve=off", "-M", "virt", "-display", "none", "-object",
                        f"{kind},id=ram,size=900000G")
            memory_placement(base)
        for value in ("on", "off"):
            file = folder / f"discard-{value}"
            with Machine("-M", "virt,memory-backend=ram", "-object", f"memory-backend-file,id=ram,size=16M,"
                         f"mem-path={file},share=on,prealloc=on,discard-data={value}") as m:
                assert file.stat().st_blocks * 512 >= 16 << 20
                m.qmp("quit")
                m.proc.wait(scaled(20))
            assert (file.stat().st_blocks * 512 >= 16 << 20) == (value == "off"), value
    for value in ("on", "off"):
        with Machine("-M", "virt,memory-backend=ram", "-object",
                     f"memory-backend-memfd,id=ram,size=16M,seal={value},hugetlb=off") as m:
            assert m.get("/objects/ram", "seal") == (value == "on")
    refused("power of two", "-M", "virt", "-object",
            "memory-backend-memfd,id=ram,size=16M,hugetlb=on,hugetlbsize=3M")
    status, _, err = run("-M", "virt,memory-backend=ram", "-display", "none", "-accel", "qtest",
                         "-bios", "none", "-serial", "none", "-monitor", "none", "-qmp", "stdio",
                         "-object",
                         "memory-backend-memfd,id=ram,size=1G,hugetlb=on,hugetlbsize=1G",
                         text='{"execute":"qmp_capabilities"}{"execute":"quit"}')
    assert status == 0 or "RAM" in err, err


def memory_placement(base: str) -> None:
    """Check prealloc-threads=, host-nodes= and policy=. A host without NUMA rejects mbind()."""
    with Machine("-M", "virt,memory-backend=ram", "-object", f"{base},prealloc=on,prealloc-threads=4") as m:
        maps = Path(f"/proc/{m.proc.pid}/smaps").read_text()
        assert re.search(r"^Size: +16384 kB\n.*\n.*\nRss: +16384 kB", maps, re.MULTILINE), maps
    if Path("/sys/devices/system/node/node0").exists():
        for policy in ("bind", "interleave", "preferred"):
            with Machine("-M", "virt,memory-backend=ram", "-object",
                         f"{base},host-nodes=0,policy={policy}") as m:
                info = m.qmp("query-memdev")[0]
                assert (info["host-nodes"], info["policy"]) == ([0], policy), info
    with Machine("-M", "virt,memory-backend=ram", "-object", f"{base},policy=default") as m:
        assert m.qmp("query-memdev")[0]["policy"] == "default"
    for wrong, text in (("prealloc-threads=2", "requires prealloc=on"), ("policy=bind", "requires host-nodes="),
                        ("host-nodes=0", "excludes host-nodes="), ("host-nodes=2-1,policy=bind", "host-nodes=2-1"),
                        ("host-nodes=64,policy=bind", "host-nodes=64"), ("policy=near", "near")):
        refused(text, "-M", "virt", "-object", f"{base},{wrong}")


def memory_backend(kind: str, base: str, key: str, value: str) -> None:
    """Check one setting in the object and in the flags of the mapping."""
    flags = {"merge": ("mg", True), "dump": ("dd", False)}
    with Machine("-M", "virt,memory-backend=ram", "-object", f"{base},{key}={value}") as m:
        assert m.get("/objects/ram", key) == (value == "on"), (kind, key, value)
        assert m.get("/objects/ram", "size") == 16 << 20
        maps = Path(f"/proc/{m.proc.pid}/smaps").read_text()
        areas = re.findall(r"^[0-9a-f]+-.*\n(?:[A-Z].*\n)*", maps, re.MULTILINE)
        area = next(a for a in areas if re.search(r"^Size: +16384 kB", a, re.MULTILINE))
        if key in flags:
            flag, when = flags[key]
            found = f" {flag}" in re.search(r"VmFlags:.*", area)[0]
            # a host kernel without KSM has no such flag
            assert found == ((value == "on") == when) or key == "merge", (kind, key, value, area)
        if key == "prealloc":
            resident = int(re.search(r"Rss: +(\d+)", area)[1])
            assert (resident == 16384) == (value == "on"), (kind, value, resident)
        if key == "share" and kind.endswith("file"):
            assert area.split()[1][3] == ("s" if value == "on" else "p"), area
