# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks on NBD servers: the options of the node and the names that -drive accepts.
tests/unit/block/test-nbd.c checks data, errors and reconnection."""

import contextlib
import re
import shutil
import subprocess

from disks import image, node
from walk import Folder, Machine, covers, refused, run


@contextlib.contextmanager
def server(folder, *args):
    """Run nbdkit on a unix socket of a folder, whose path is the value; nbdkit may not listen yet.
    None: not installed."""
    path = folder / "nbd"
    if not shutil.which("nbdkit"):
        print("# nbdkit is not installed (scripts/install-deps installs it): nothing is opened")
        yield None
        return
    path.unlink(missing_ok=True)
    proc = subprocess.Popen(["nbdkit", "--exit-with-parent", "-f", "-U", path, *args])
    try:
        yield path
    finally:
        proc.kill()
        proc.wait()


def rejected(words, *args):
    refused(words, "-M", "virt", "-display", "none", "-accel", "qtest", *args)


@covers("-blockdev nbd", "-blockdev nbd server=", "-blockdev nbd export=",
        "-blockdev nbd open-timeout=", "-blockdev nbd reconnect-delay=")
def check_nbd():
    for name in ("http://host/x", "ssh://host/x", "rbd:pool/x", "iscsi://host/x", "nbds://host/x"):
        rejected("use file:PATH, host_device:PATH, nbd://HOST:PORT/EXPORT", "-drive",
                 f"file={name},format=raw,if=none,id=d")
    if "no NBD client" in run("-M", "virt", "-accel", "qtest", "-blockdev", "nbd,node-name=n")[2]:
        return      # a build without libnbd refuses the driver
    rejected("property 'server' is required", "-blockdev", "nbd,node-name=n")
    base = "nbd,node-name=n,server.type=unix,server.path="
    rejected("No such file", "-blockdev", f"{base}/nonexistent/nbd")
    rejected("to 'nbd://127.0.0.1:1': Connection refused", "-blockdev",
             "nbd,node-name=n,server.type=inet,server.host=127.0.0.1,server.port=1")
    rejected("reconnect-delay", "-blockdev", f"{base}/x,reconnect-delay=x")
    json_form = '{"driver":"nbd","node-name":"n","server":%s,"open-timeout":0,"reconnect-delay":0}'
    rejected("No such file", "-blockdev", json_form % '{"type":"unix","path":"/nonexistent/nbd","abstract":false}')
    rejected("Connection refused", "-blockdev",
             json_form % '{"type":"inet","host":"127.0.0.1","port":"1","ipv4":true,"ipv6":false}')
    rejected("'server.port', expected: string, got: integer", "-blockdev",
             json_form % '{"type":"inet","host":"127.0.0.1","port":1}')
    with Folder() as folder, server(folder, "--filter=exportname", "file", image(folder),
                                    "exportname-strict=true", "exportname=a b") as path:
        if path:
            with Machine("-blockdev", f"{base}{path},export=a b,open-timeout=60,reconnect-delay=5",
                         "-device", "virtio-blk-pci,drive=n") as m:
                assert node(m)["drv"] == "nbd"
                assert node(m)["file"] == f"nbd+unix:///a%20b?socket={path}"
                assert node(m)["image"]["virtual-size"] == 1 << 20
            rejected("cannot connect to", "-blockdev", f"{base}{path},export=other")
            for name in (f"nbd+unix:///a%20b?socket={path}", f"nbd:unix:{path}:exportname=a b"):
                with Machine("-drive", f"file={name},format=raw,if=virtio,node-name=n") as m:
                    assert node(m)["image"]["filename"] == f"nbd+unix:///a%20b?socket={path}"


TEMPLATES = {"ca": "cn = \"CA\"\nca\ncert_signing_key\n",
             "server": "cn = \"localhost\"\ndns_name = \"localhost\"\ntls_www_server\nsigning_key\n",
             "client": "cn = \"client\"\ntls_www_client\nsigning_key\n"}


def certificates(folder) -> None:
    """Create a CA, and certificates of a server and a client."""
    def tool(*args):
        subprocess.run(["certtool", *args], cwd=folder, check=True, capture_output=True)

    for name, text in TEMPLATES.items():
        (folder / f"{name}.txt").write_text(text + "expiration_days = 30\n")
        key = ["--load-privkey", f"{name}-key.pem", "--template", f"{name}.txt"]
        tool("--generate-privkey", "--key-type=ecc", "--outfile", f"{name}-key.pem")
        tool(*(["--generate-self-signed"] if name == "ca" else
               ["--generate-certificate", "--load-ca-certificate", "ca-cert.pem",
                "--load-ca-privkey", "ca-key.pem"]), *key, "--outfile", f"{name}-cert.pem")


@covers("-object tls-creds-x509", "-object tls-creds-x509 dir=",
        "-object tls-creds-x509 endpoint=client", "-object tls-creds-x509 endpoint=server",
        "-object tls-creds-x509 verify-peer=on", "-object tls-creds-x509 verify-peer=off",
        "-object tls-creds-psk", "-object tls-creds-psk dir=",
        "-object tls-creds-psk endpoint=client", "-object tls-creds-psk endpoint=server",
        "-object tls-creds-psk username=",
        "-blockdev nbd tls-creds=", "-blockdev nbd tls-hostname=")
def check_tls():
    base = "nbd,node-name=n,open-timeout=60,server.type=unix,server.path="
    for kind, file in (("x509", "ca-cert.pem"), ("psk", "keys.psk")):
        rejected("property 'dir' is required", "-object", f"tls-creds-{kind},id=t")
        rejected(f"cannot read '/nonexistent/{file}'", "-object",
                 f"tls-creds-{kind},id=t,dir=/nonexistent,endpoint=client")
        rejected("use client", "-object", f"tls-creds-{kind},id=t,dir=/,endpoint=server")
    if "no NBD client" in run("-M", "virt", "-accel", "qtest", "-blockdev", "nbd,node-name=n")[2]:
        return
    rejected("tls-creds=t: no such TLS credentials", "-blockdev", f"{base}/x,tls-creds=t")
    rejected("tls-hostname=h requires tls-creds", "-blockdev", f"{base}/x,tls-hostname=h")
    if not shutil.which("certtool"):
        print("# certtool is not installed (scripts/install-deps installs it): no certificates")
        return
    with Folder() as folder:
        certificates(folder)
        x509 = f"tls-creds-x509,id=t,dir={folder}"
        check_certificates(folder, x509, base)
        (folder / "keys.psk").write_text(f"user:{'a5' * 32}\n")
        psk = f"tls-creds-psk,id=t,dir={folder}"
        with server(folder, "--tls=require", f"--tls-psk={folder}/keys.psk", "memory", "1M") as path:
            if path:
                with Machine("-object", f"{psk},username=user", "-blockdev",
                             f"{base}{path},tls-creds=t"):
                    pass
                rejected("username qemu was not found", "-object", psk, "-blockdev",
                         f"{base}{path},tls-creds=t,open-timeout=0")
                rejected("requires certificates", "-object", psk, "-blockdev",
                         f"{base}{path},tls-creds=t,tls-hostname=h")


def check_certificates(folder, x509, base) -> None:
    """The server requires a certificate of the client, and the client checks the name of the
    server if it has one."""
    with server(folder, "--tls=require", f"--tls-certificates={folder}", "--tls-verify-peer",
                "memory", "1M") as path:
        if path:
            with Machine("-object", x509, "-blockdev", f"{base}{path},tls-creds=t") as m:
                assert "in use" in m.raw("object-del", id="t")["error"]["desc"]
                m.qmp("blockdev-del", **{"node-name": "n"})
                m.qmp("object-del", id="t")
            plain = base.replace("open-timeout=60", "open-timeout=0")
            rejected("server requires TLS", "-blockdev", f"{plain}{path}")
            # libnbd 1.22 checks each name, an older one only that of the host
            _, _, err = run("-M", "virt", "-display", "none", "-accel", "qtest", "-object", x509,
                            "-blockdev", f"{plain}{path},tls-creds=t,tls-hostname=other")
            assert re.search("certificate verification|requires libnbd 1.22", err), err
            with Machine("-object", f"{x509},verify-peer=off", "-blockdev",
                         f"{base}{path},tls-creds=t,tls-hostname=other"):
                pass
    with server(folder, "--tls=off", "memory", "1M") as path:
        if path:
            with Machine("-blockdev", f"{base}{path}"):
                pass
            rejected("server refused TLS", "-object", f"{x509},verify-peer=on", "-blockdev",
                     f"{base}{path},tls-creds=t,open-timeout=0")
