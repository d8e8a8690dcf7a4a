# SPDX-License-Identifier: GPL-2.0-or-later
"""Options of the VNC server. tests/qtest/vnc.py tests the server itself."""

import socket

import display
from rfbclient import Refused, RfbClient
from walk import Folder, Machine, covers, refused, run


def available() -> bool:
    """Return whether this build has a VNC server."""
    _, _, err = run("-M", "none", "-display", "none", "-vnc", ":0", "-show", "machine")
    return "configured without" not in err


def rejected(path: str, **how) -> bool:
    """Return whether the server refuses a client."""
    try:
        with RfbClient(path) as client:
            client.start(**how)
    except Refused:
        return True
    return False


@covers("-vnc", "-vnc address=", "-vnc to=", "-vnc ipv4=on", "-vnc ipv4=off", "-vnc ipv6=on",
        "-vnc ipv6=off", "-vnc id=", "-display")
def check_vnc_addresses():
    refused("use none, or vnc=ADDRESS", "-M", "none", "-display", "sdl")
    if not available():
        return
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen(1)
        number = used.getsockname()[1] - 5900
        refused("cannot listen", "-M", "none", "-display", "none", "-vnc", f"127.0.0.1:{number}")
        for option, prefix in (("-vnc", ""), ("-display", "vnc="), ("-vnc", "address=")):
            with Machine(option, f"{prefix}:{number},to={number + 200}") as machine:
                assert int(machine.qmp("query-vnc")["service"]) - 5900 > number
        for keys, family in (("ipv6=off", "ipv4"), ("ipv4=on,ipv6=off", "ipv4")):
            with Machine("-vnc", f"localhost:{number},to={number + 200},{keys}") as machine:
                servers = machine.qmp("query-vnc-servers")[0]["server"]
                assert {entry["family"] for entry in servers} == {family}, servers
        refused("cannot listen", "-M", "none", "-display", "none", "-vnc",
                f"127.0.0.1:{number},ipv4=off")
        refused("cannot listen", "-M", "none", "-display", "none", "-vnc",
                f"127.0.0.1:{number},ipv6=on")
    with Folder() as folder, Machine("-vnc", f"unix:{folder}/vnc,id=one") as machine:
        assert machine.qmp("query-vnc-servers")[0]["id"] == "one"


@covers("-vnc password=on", "-vnc password=off", "-vnc password-secret=")
def check_vnc_passwords():
    if not available():
        return
    with Folder() as folder:
        path = f"{folder}/vnc"
        with Machine("-vnc", f"unix:{path},password=on"):
            assert rejected(path)
        with Machine("-vnc", f"unix:{path},password=off"):
            assert not rejected(path)
        with Machine("-object", "secret,id=s,data=pass", "-vnc", f"unix:{path},password-secret=s"):
            assert rejected(path) and not rejected(path, password="pass")


@covers("-vnc share=allow-exclusive", "-vnc share=force-shared", "-vnc share=ignore",
        "-vnc connections=", "-vnc lossy=on", "-vnc lossy=off")
def check_vnc_clients():
    if not available():
        return
    with Folder() as folder:
        path = f"{folder}/vnc"
        for policy in ("allow-exclusive", "force-shared", "ignore"):
            with Machine("-vnc", f"unix:{path},share={policy}"):
                with RfbClient(path) as first:
                    first.start()
                    assert rejected(path, shared=False) == (policy == "force-shared")
                    if policy == "allow-exclusive":
                        first.closed()
                    else:
                        first.encodings(0)
                        first.request()
                        first.update()
        with Machine("-vnc", f"unix:{path},connections=1"):
            with RfbClient(path) as first:
                first.start()
                assert rejected(path)
        for value in ("on", "off"):
            assert lossy(path, f",lossy={value}") == (value == "on"), value


def lossy(path: str, settings: str) -> bool:
    """Return whether many colours are compressed as JPEG for a client that accepts it."""
    with display.start(display.EMULATOR, *display.DISPLAY, "-vnc", f"unix:{path}{settings}") \
            as machine:
        display.set_mode(machine, 128, 128)
        display.draw(machine, 128 * 128)
        with RfbClient(path) as client:
            return jpeg(client)


def jpeg(client: RfbClient) -> bool:
    """Return whether the first rectangle of a picture is JPEG."""
    client.start()
    client.encodings(7, -32)        # Tight, the lowest quality
    client.request()
    return client.tight_is_jpeg()


@covers("-vnc audiodev=", "-audiodev id=")
def check_vnc_audio():
    refused("audiodev 'a' does not exist", "-M", "none", "-display", "none", "-vnc",
            ":0,audiodev=a")
    refused("'id' is required", "-M", "none", "-display", "none", "-audiodev", "none")
    if not available():
        return
    with Folder() as folder, Machine("-audiodev", "none,id=a", "-vnc",
                                     f"unix:{folder}/vnc,audiodev=a") as machine:
        assert machine.qmp("query-vnc")["enabled"]
