# SPDX-License-Identifier: GPL-2.0-or-later
"""Options of the VNC server. tests/qtest/vnc.py tests the server itself."""

import socket

import display
from rfbclient import Refused, RfbClient
from walk import Folder, Machine, Skip, covers, refused, run


def need_vnc() -> None:
    """Skip the check if this build has no VNC server."""
    _, _, err = run("-M", "none", "-display", "none", "-vnc", ":0", "-show", "machine")
    if "configured without" in err:
        raise Skip(err.strip())


def listening(address: str) -> list[tuple[str, str]]:
    """Return the families and hosts that a server listens on."""
    with Machine("-vnc", address) as machine:
        servers = machine.qmp("query-vnc-servers")[0]["server"]
        return [(entry["family"], entry["host"]) for entry in servers]


def rejected(path: str, **how) -> bool:
    """Return whether the server refuses a client."""
    try:
        with RfbClient(path) as client:
            client.start(**how)
    except Refused:
        return True
    return False


@covers("-vnc", "-vnc address=", "-vnc to=", "-vnc ipv4=on", "-vnc ipv4=off", "-vnc ipv6=on",
        "-vnc ipv6=off", "-vnc ipv4=auto", "-vnc ipv6=auto", "-vnc id=", "-display")
def check_vnc_addresses():
    refused("use none, or vnc=ADDRESS", "-M", "none", "-display", "sdl")
    need_vnc()
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen(1)
        number = used.getsockname()[1] - 5900
        refused("cannot listen", "-M", "none", "-display", "none", "-vnc", f"127.0.0.1:{number}")
        for option, prefix in (("-vnc", ""), ("-display", "vnc="), ("-vnc", "address=")):
            with Machine(option, f"{prefix}:{number},to={number + 200}") as machine:
                assert int(machine.qmp("query-vnc")["service"]) - 5900 > number
    # The default host has addresses of both families: its family shows the setting.
    four, six = ("ipv4", "127.0.0.1"), ("ipv6", "::1")
    for keys, expected in (("", four), ("ipv4=on", four), ("ipv6=off", four), ("ipv4=auto", four),
                           ("ipv4=on,ipv6=on", four), ("ipv4=on,ipv6=off", four),
                           *(((keys, six) for keys in ("ipv6=on", "ipv4=off", "ipv4=off,ipv6=on",
                                                       "ipv4=off,ipv6=auto")) if socket.has_dualstack_ipv6() else ())):
        found = listening(f":{number},to={number + 200}{',' * bool(keys)}{keys}")
        assert found == [expected], f"{keys}: {found}"
    for host, keys in (("127.0.0.1", "ipv4=off"), ("127.0.0.1", "ipv6=on"), ("[::1]", "ipv4=on"),
                       ("[::1]", "ipv6=off")):
        refused(f"host '{host.strip('[]')}'", "-M", "none", "-display", "none", "-vnc",
                f"{host}:{number},{keys}")
    for keys in ("ipv4=off,ipv6=off", "ipv6=off,ipv4=off"):
        refused("exclude each address", "-M", "none", "-display", "none", "-vnc", f":0,{keys}")
    refused("to= requires an address", "-M", "none", "-display", "none", "-vnc", "unix:/tmp/v,to=9")
    with Folder() as folder, Machine("-vnc", f"unix:{folder}/vnc,id=one") as machine:
        assert machine.qmp("query-vnc-servers")[0]["id"] == "one"


@covers("-vnc password=on", "-vnc password=off", "-vnc password-secret=")
def check_vnc_passwords():
    need_vnc()
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
    need_vnc()
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


@covers("-vnc audiodev=", "-audiodev", "-audiodev id=", "-audiodev driver=none")
def check_vnc_audio():
    refused("audiodev 'a' does not exist", "-M", "none", "-display", "none", "-vnc",
            ":0,audiodev=a")
    refused("'id' is required", "-M", "none", "-display", "none", "-audiodev", "none")
    need_vnc()
    with Folder() as folder, Machine("-audiodev", "none,id=a", "-vnc",
                                     f"unix:{folder}/vnc,audiodev=a") as machine:
        assert machine.qmp("query-vnc")["enabled"]
