#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands and events of migration as management software uses them."""
import json
import os
import random
import select
import socket
import struct
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from machine import Machine, QmpError  # noqa: E402
from monitors import Qmp  # noqa: E402
from netpeer import Peer  # noqa: E402
from owners import MARK, WHERE, runs  # noqa: E402
from waiting import Deadline, elapse, scaled, steady, until  # noqa: E402

GUEST = ["-M", "virt", "-m", "32", "-device", "edu,id=e0,addr=3"]
MIB = 1 << 20
# Rewrites a word in each page from 0x80200000 to 0x81200000 endlessly: with -bios, on a real CPU.
DIRTY = struct.pack("<10I",
                    0x4010029b, 0x01529293,     # li t0, 0x80200000
                    0x4090031b, 0x01531313,     # li t1, 0x81200000
                    0x00001e37,                 # lui t3, 1
                    0x00028393,                 # outer: mv t2, t0
                    0x0073b023,                 # inner: sd t2, 0(t2)
                    0x01c383b3,                 # add t2, t2, t3
                    0xfe63ece3,                 # bltu t2, t1, inner
                    0xff1ff06f)                 # j outer
RAM_KEYS = {"transferred", "remaining", "total", "duplicate", "skipped", "normal", "normal-bytes",
            "dirty-pages-rate", "mbps", "dirty-sync-count", "postcopy-requests", "page-size",
            "multifd-bytes", "pages-per-second", "precopy-bytes", "downtime-bytes",
            "postcopy-bytes", "dirty-sync-missed-zero-copy"}


def source(*args, fill=0, **kwargs):
    """Start a running guest with a mark and that many MiB of nonzero data."""
    m = Machine(*(args or GUEST), **kwargs)
    if m.ask:
        m.write(WHERE, 8, MARK)
        if fill:
            m.ask(f"memset {WHERE + 4096:#x} {fill * MIB:#x} 0x5a")
    capability(m, "events", True)
    return m


def target(uri, *args):
    """Start a process that waits for a stream."""
    m = Machine("-incoming", uri, *args)
    capability(m, "events", True)
    return m


def capability(m, name, on):
    """Set one capability."""
    m.command("migrate-set-capabilities", capabilities=[{"capability": name, "state": on}])


def refused(m, command, *words, **arguments):
    """Check that the command fails, and that its description contains the words."""
    try:
        m.command(command, **arguments)
    except QmpError as error:
        for word in words:
            assert word in str(error), (command, word, str(error))
        return str(error)
    raise AssertionError(f"{command} {arguments} succeeded")


def hmp(m, line):
    """Run a command of the human monitor."""
    return m.command("human-monitor-command", command_line=line)


def settle(m):
    """Wait until the migration has completed."""
    return m.wait("completed", "failed", "cancelled")


def order(folder):
    """Check that both sides send events in the order that clients rely on."""
    with source() as a, target(f"unix:{folder}/s") as b:
        a.command("migrate", uri=f"unix:{folder}/s")
        assert a.names() == ["setup"], f"before the reply: {a.names()}"
        assert settle(a)["status"] == "completed"
        b.wait("completed")
        names = [name for name in a.names() if name != "MIGRATION_PASS"]
        assert names == ["setup", "active", "STOP", "completed"], names
        assert "MIGRATION_PASS" in a.names()
        assert b.names() == ["active", "RESUME", "completed"], b.names()
        assert a.command("query-status")["status"] == "postmigrate"
        refused(a, "cont", "handed over", "force=true")
        refused(a, "migrate", "handed over", uri=f"file:{folder}/x")
        refused(a, "migrate-resolve", "force=true", guest="here")
        refused(a, "migrate-resolve", "use one of here, there", guest="nowhere")
        a.command("migrate-resolve", guest="here", force=True)
        a.command("cont")
        assert runs(a) and runs(b)     # as the client requested


def pause(folder):
    """pre-switchover: the guest is stopped until migrate-continue, and resumes after a cancel."""
    with source() as a, target(f"unix:{folder}/s") as b:
        capability(a, "pause-before-switchover", True)
        refused(a, "migrate-continue", "expected state", state="pre-switchover")
        for again in (True, False):
            a.events.clear()
            a.command("migrate", uri=f"unix:{folder}/s")
            a.wait("pre-switchover")
            assert a.command("query-status")["status"] == "finish-migrate"
            refused(a, "cont", "migrat")
            refused(a, "migrate", "in progress", uri="tcp:127.0.0.1:1")
            refused(a, "migrate-continue", "expected state", state="device")
            refused(a, "device_add", "migrat", driver="edu")
            if again:
                a.command("system_reset")       # executed when the guest runs here again
                steady("no RESET while the guest is stopped",
                       lambda: a.command("query-status") and "RESET" not in a.names(), 0.1)
                a.command("migrate_cancel")
                a.wait("cancelled")
                a.wait_event("RESET")
                assert a.names().index("RESET") > a.names().index("RESUME")
                assert a.command("query-status")["status"] == "running"
                b.wait("failed")
                names = [name for name in a.names() if name != "MIGRATION_PASS"]
                assert names[:6] == ["setup", "active", "STOP", "pre-switchover", "cancelling",
                                     "RESUME"] and "cancelled" in names, names
        a.write(WHERE, 8, MARK)
        a.command("migrate-continue", state="pre-switchover")
        assert settle(a)["status"] == "completed"
        names = [name for name in a.names() if name != "MIGRATION_PASS"]
        assert names == ["setup", "active", "STOP", "pre-switchover", "device", "completed"], names
        b.wait("completed")


def fields(folder):
    """Check query-migrate during the migration and afterwards."""
    with source(fill=16) as a, target(f"unix:{folder}/s") as b:
        assert a.command("query-migrate") == {}
        a.command("migrate-set-parameters", max_bandwidth=MIB)      # 16 s, or more
        a.command("migrate", uri=f"unix:{folder}/s")
        refused(a, "migrate-set-capabilities", "in progress",
                capabilities=[{"capability": "auto-converge", "state": True}])
        elapse(0.7, "total-time and the rate are checked during the migration")
        now = a.command("query-migrate")
        assert now["status"] == "active" and RAM_KEYS <= set(now["ram"]), now
        assert now["ram"]["remaining"] < now["ram"]["total"] >= 32 * MIB, now
        assert 0 < now["ram"]["transferred"] < 16 * MIB and now["ram"]["mbps"] > 0
        assert now["total-time"] >= 500 and "setup-time" in now and "downtime" not in now
        assert b.command("query-migrate")["status"] == "active"
        a.command("migrate-set-parameters", max_bandwidth=0)
        done = settle(a)
        assert done["status"] == "completed" and done["downtime"] <= done["total-time"], done
        ram = done["ram"]
        assert ram["remaining"] == 0 and ram["dirty-sync-count"] >= 2
        assert ram["normal-bytes"] == ram["normal"] * ram["page-size"] >= 16 * MIB
        assert ram["duplicate"] > 1000 and "error-desc" not in done


def bandwidth(folder):
    """The bandwidth limit is kept, for rates below and above the size of one work unit."""
    for limit, fill in ((512 << 10, 1), (8 * MIB, 12)):
        with source(fill=fill) as a, target(f"unix:{folder}/s"):
            a.command("migrate-set-parameters", max_bandwidth=limit)
            began = time.monotonic()
            a.command("migrate", uri=f"unix:{folder}/s")
            for _ in Deadline(f"a migration at {limit} B/s", 60, a.describe):
                if a.status() not in ("setup", "active"):
                    break
                sent = a.command("query-migrate")["ram"]["transferred"]
                passed = time.monotonic() - began
                assert sent <= limit * passed * 1.1 + MIB + limit * 0.06, (limit, sent, passed)
            assert settle(a)["status"] == "completed"
            took = time.monotonic() - began
            assert took > (fill * MIB - MIB) / limit * 0.9, f"{limit} B/s: only {took:.2f} s"


def cancel(folder):
    """Cancel at random moments: exactly one side runs the guest, and the next migration works."""
    rng = random.Random(7)
    with target(f"unix:{folder}/s") as b:
        moved = cancelled = 0
        a = source(fill=4)
        for _ in range(40):
            a.command("migrate-set-parameters", max_bandwidth=rng.choice([0, 2 * MIB]))
            a.command("migrate", uri=f"unix:{folder}/s")
            elapse(rng.random() ** 2 * 0.06, "cancelled at a random moment")
            try:
                a.command("migrate_cancel")
            except QmpError as error:
                assert "handed over" in str(error), error
            report = settle(a)
            if report["status"] == "completed":
                b.wait("completed")
                assert runs(b) and not runs(a)
                moved += 1
                a.close()
                b.close()
                a, b = source(fill=4), target(f"unix:{folder}/s")
                continue
            assert report["status"] == "cancelled" and runs(a), report
            b.wait("failed", "setup")
            assert b.command("query-status")["status"] == "inmigrate"
            cancelled += 1
        a.command("migrate-set-parameters", max_bandwidth=0)
        a.command("migrate", uri=f"unix:{folder}/s")
        assert settle(a)["status"] == "completed", a.command("query-migrate")
        a.close()
        b.close()
    assert cancelled > 5, (cancelled, moved)


def failed_loads(folder):
    """Every class of failure: both sides report the reason, and the target accepts the next
    migration."""
    uri = f"unix:{folder}/s"
    with source() as a, target(uri) as b:
        for data in (b"", b"GET / HTTP/1.0\r\n\r\n", b"QEVM\0\0\0\3\7\0\0\0\6virt-1\4"):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(f"{folder}/s")
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                s.recv(4096)
            assert b.wait("failed")["error-desc"]
            assert b.command("query-status")["status"] == "inmigrate"
        with source("-M", "virt", "-m", "16", "-device",
                    "virtio-blk-pci,drive=d0,id=v0", "-blockdev",
                    "null-co,node-name=d0,size=1048576") as other:
            assert not other.command("migrate-check", uri=uri)["accepted"]
            other.command("migrate", uri=uri)
            report = settle(other)
            assert "d0" in report["error-desc"] and report["deficits"][0]["device"] == "v0"
            assert runs(other) and "d0" in b.wait("failed")["error-desc"]
        for nobody in (f"unix:{folder}/nobody", "tcp:127.0.0.1:1", "fd:none", "smoke:x"):
            try:
                a.command("migrate", uri=nobody)
                assert settle(a)["status"] == "failed" and a.command("query-migrate")["error-desc"]
            except QmpError as error:
                assert nobody in str(error) or nobody.split(":")[0] in str(error), error
            assert runs(a)
        a.command("migrate", uri=uri)
        assert settle(a)["status"] == "completed"
        b.wait("completed")
        assert runs(b)


def incoming(folder):
    """Use -incoming defer and migrate-incoming, and check the rejected forms."""
    with source() as a, target("defer") as b:
        refused(a, "migrate-incoming", "-incoming", uri="tcp:127.0.0.1:0")
        refused(b, "migrate", "incoming", uri=f"file:{folder}/x")
        refused(b, "migrate-incoming", "tcp:HOST:PORT", uri="nonsense")
        b.command("migrate-incoming", uri="tcp:127.0.0.1:0")
        refused(b, "migrate-incoming", "already been started", uri="tcp:127.0.0.1:0")
        address = b.command("query-migrate")["socket-address"][0]
        assert address["type"] == "inet" and address["host"] == "127.0.0.1", address
        a.command("stop")
        a.command("migrate", uri=f"tcp:127.0.0.1:{address['port']}")
        assert settle(a)["status"] == "completed"
        b.wait("completed")
        assert b.command("query-status")["status"] == "paused"      # unchanged
        b.command("cont")
        assert runs(b)


def check(folder):
    """migrate-check changes nothing."""
    uri = f"unix:{folder}/s"
    with source() as a:
        with target(uri) as b:
            for _ in range(3):
                assert a.command("migrate-check", uri=uri) == {"accepted": True, "deficits": []}
            assert a.command("query-migrate") == {} and a.names() == [] and runs(a)
            a.command("migrate", uri=uri)
            assert settle(a)["status"] == "completed"
            b.wait("completed")
    with source() as a:
        refused(a, "migrate-check", "one-way", uri=f"file:{folder}/x")
        refused(a, "migrate-check", "connect", uri=uri)


def second_client(m, path):
    """Open another QMP connection of the same process."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    return Qmp(sock, m.describe)


def silent_server():
    """Return a server that accepts connections and never answers, and its URI."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(scaled(30))
    return server, f"tcp:127.0.0.1:{server.getsockname()[1]}"


def unanswered(client):
    """Return true if no answer has arrived."""
    return not select.select([client.sock], [], [], 0)[0]


def concurrent_check(folder):
    """While migrate-check waits for a target, everything else is served: other monitors, the guest,
    and afterwards the next command of the same session."""
    path, (server, uri) = f"{folder}/second", silent_server()
    with source(*GUEST, "-qmp", f"unix:{path},server=on,wait=off") as a:
        other = second_client(a, path)
        a.qmp.request("migrate-check", {"uri": uri})
        a.qmp.request("query-version", None)
        peer = server.accept()[0]
        assert other.command("query-status")["running"] and a.read(WHERE, 8) == MARK
        assert unanswered(a.qmp), "the main loop was blocked"
        answer = other.raw("migrate-check", {"uri": uri})
        assert "in progress" in answer["error"]["desc"], answer
        assert "5 seconds" in a.qmp.answer("migrate-check", scaled(15))["error"]["desc"]
        assert "qemu" in a.qmp.answer("query-version")["return"]
        peer.close()
        # the human monitor, through QMP
        a.qmp.request("human-monitor-command", {"command-line": f"migrate_check {uri}"})
        peer = server.accept()[0]
        assert other.command("query-status")["running"] and unanswered(a.qmp)
        peer.close()
        assert a.qmp.answer("human-monitor-command")["return"].startswith("Error: "), "no error"
        # a client that disconnects, and the next one
        other.request("migrate-check", {"uri": uri})
        peer = server.accept()[0]
        other.close()
        other = second_client(a, path)
        assert other.command("query-status")["running"]
        # migrate ends the check
        a.command("migrate", uri=f"file:{folder}/saved")
        assert settle(a)["status"] == "completed"
        assert other.raw("migrate-check", {"uri": f"unix:{folder}/nobody"})["error"]
    server.close()


def oob_check(folder):
    """A session with its own thread: out-of-band commands overtake a check, others wait for it."""
    path, (server, uri) = f"{folder}/second", silent_server()
    with source(*GUEST, "-qmp", f"unix:{path},server=on,wait=off") as a:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        lines = sock.makefile("rw")
        lines.readline()

        def say(**request):
            lines.write(json.dumps(request) + "\n")
            lines.flush()
        say(execute="qmp_capabilities", arguments={"enable": ["oob"]})
        assert "return" in json.loads(lines.readline())
        say(execute="migrate-check", arguments={"uri": uri}, id=1)
        for number in (2, 3):
            say(execute="query-status", id=number)
        peer = server.accept()[0]
        assert a.command("query-status")["running"]
        peer.close()
        answers = [json.loads(lines.readline()) for _ in range(3)]
        assert [answer["id"] for answer in answers] == [1, 2, 3], answers
        assert "seconds" not in answers[0]["error"]["desc"] and answers[1]["return"]["running"]
    server.close()


def handed_over_check(folder):
    """A guest that was handed over cannot be checked: its record must not be replaced."""
    uri = f"unix:{folder}/s"
    with source() as a, target(uri) as b:
        a.command("migrate", uri=uri)
        assert settle(a)["status"] == "completed"
        b.wait("completed")
        refused(a, "migrate-check", "handed over", uri=uri)


def device_states(folder):
    """Devices whose state alone exceeds downtime-limit: the estimate includes them, and the source
    reports it before the guest stops."""
    uri = f"unix:{folder}/s"
    many = ["-M", "virt", "-m", "32", "-device", "pcie-pci-bridge,id=b0,addr=2"]
    for n in range(240):
        first = ",multifunction=on" if n % 8 == 0 else ""
        many += ["-device", f"virtio-rng-pci,bus=b0,addr={n // 8 + 1:02x}.{n % 8}{first}"]
    with source(*many) as a, target(uri) as b:
        a.command("migrate-set-parameters", downtime_limit=1)
        a.command("migrate", uri=uri)
        report = settle(a)
        assert report["status"] == "completed", report
        assert report["devices-downtime"] >= 1, report
        b.wait("completed")
        assert "migrating the state of 2" in a.errors, a.errors
        assert "downtime-limit is 1 ms" in a.errors, a.errors
    with source() as a, target(uri) as b:       # few devices: nothing to report
        a.command("migrate", uri=uri)
        assert settle(a)["status"] == "completed"
        b.wait("completed")
        assert "downtime-limit" not in a.errors, a.errors


def settings(_):
    """Set and query parameters and capabilities; unknown names are rejected."""
    with source() as a:
        values = {"downtime-limit": 17, "max-bandwidth": 12345, "cpu-throttle-initial": 5,
                  "cpu-throttle-increment": 6, "max-cpu-throttle": 77,
                  "throttle-trigger-threshold": 33}
        a.command("migrate-set-parameters", **values)
        got = a.command("query-migrate-parameters")
        assert {key: got[key] for key in values} == values, got
        refused(a, "migrate-set-parameters", "multifd-channels", multifd_channels=4)
        refused(a, "migrate-set-parameters", "downtime-limit", "2000000", downtime_limit=-1)
        refused(a, "migrate-set-parameters", "max-bandwidth", max_bandwidth="fast")
        refused(a, "migrate-set-parameters", "handover-folder", handover_folder="/no/such")
        refused(a, "migrate-set-parameters", "handover-folder", handover_folder=None)
        # all or none
        refused(a, "migrate-set-parameters", "max-cpu-throttle", downtime_limit=3,
                max_cpu_throttle=100)
        assert a.command("query-migrate-parameters")["downtime-limit"] == 17
        names = {c["capability"] for c in a.command("query-migrate-capabilities")}
        assert names == {"events", "auto-converge", "pause-before-switchover", "return-path"}, names
        for name in ("xbzrle", "postcopy-ram", "multifd"):
            refused(a, "migrate-set-capabilities", name,
                    capabilities=[{"capability": name, "state": True}])
        refused(a, "migrate", "blk", uri="tcp:127.0.0.1:1", blk=True)


def human(folder):
    """Set and query through the human monitor."""
    uri = f"unix:{folder}/s"
    with source() as a, target("defer") as b:
        assert hmp(b, f"migrate_incoming {uri}") == ""
        assert '"accepted": true' in hmp(a, f"migrate_check {uri}")
        hmp(a, "migrate_set_capability pause-before-switchover on")
        assert "pause-before-switchover: on" in hmp(a, "info migrate_capabilities")
        hmp(a, "migrate_set_parameter downtime-limit 20")
        assert "downtime-limit: 20 ms" in hmp(a, "info migrate_parameters").splitlines()
        for text, size in (("100", 100 << 20), ("3G", 3 << 30), ("64k", 64 << 10), ("128M", 1 << 27)):
            assert hmp(a, f"migrate_set_parameter max-bandwidth {text}") == ""
            parameters = hmp(a, "info migrate_parameters").splitlines()
            assert f"max-bandwidth: {size} bytes/second" in parameters, parameters
        for value in ("max-bandwidth 5x", "max-bandwidth -1", "downtime-limit 300ms",
                      "downtime-limit 20x", "max-cpu-throttle 100", "nosuch 1"):
            assert "Error: Migration parameter" in hmp(a, f"migrate_set_parameter {value}"), value
        assert "Error" in hmp(a, "migrate_set_parameter downtime-limit soon")
        assert hmp(a, f"migrate_set_parameter handover-folder {folder}") == ""
        assert hmp(b, f"migrate_set_parameter handover-folder {folder}") == ""
        assert hmp(a, f"migrate -d {uri}") == ""
        a.wait("pre-switchover")
        assert len([name for name in os.listdir(folder) if name.endswith(".offered")]) == 1
        assert "Error" in hmp(a, "migrate_continue active")
        assert hmp(a, "migrate_continue pre-switchover") == ""
        settle(a)
        report = hmp(a, "info migrate")
        assert report.startswith("Migration status: completed\r\ntotal time: "), report
        assert "\ntransferred ram: " in report and "\ndirty sync count: " in report, report
        assert "Error" in hmp(a, "migrate_cancel") or hmp(a, "info status")
        assert "Error" in hmp(a, "migrate_resolve maybe")
        assert "Error" in hmp(a, "migrate_resolve here")
        b.wait("completed")
        assert not [name for name in os.listdir(folder) if name.endswith("ed")]


def share(m, seconds=0.6):
    """Return the share of the time for which the guest's CPU runs, or would run on an idle host."""
    task = next(t for t in Path(f"/proc/{m.pid}/task").iterdir()
                if (t / "comm").read_text().startswith("CPU"))

    def wanted():
        running, waiting, _ = (task / "schedstat").read_text().split()
        return (int(running) + int(waiting)) / 1e9, time.monotonic()
    first, began = wanted()
    elapse(seconds, "the period to measure over")
    last, ended = wanted()
    return (last - first) / (ended - began)


def converge(folder):
    """auto-converge throttles a guest that writes faster than it is sent, and then releases it."""
    bios = Path(folder, "dirty")
    bios.write_bytes(DIRTY)
    uri = f"unix:{folder}/s"
    with source("-M", "virt", "-m", "64", "-bios", str(bios), qtest=False) as a, target(uri):
        capability(a, "auto-converge", True)
        a.command("migrate-set-parameters", max_bandwidth=64 * MIB, downtime_limit=1,
                  cpu_throttle_initial=50, cpu_throttle_increment=40, max_cpu_throttle=90)
        free = share(a)
        a.command("migrate", uri=uri)
        for _ in Deadline("a throttle of 90 %", 60, a.describe):
            throttle = a.command("query-migrate").get("cpu-throttle-percentage")
            if throttle:    # a throttled guest on a slow host must not converge
                a.command("migrate-set-parameters", max_bandwidth=4 * MIB)
            if throttle == 90:
                break
            assert a.status() in ("setup", "active"), a.command("query-migrate")
        held = share(a)
        assert a.status() == "active", a.command("query-migrate")
        a.command("migrate_cancel")
        settle(a)       # the throttle ends with the migration
        again = share(a)
        print(f"  the CPU's share: {free:.2f} free, {held:.2f} at 90 % throttle, {again:.2f} after")
        assert free > 0.8 and again > 0.8 and held < 0.6, (free, held, again)


def fdsets(folder):
    """add-fd: one emulator writes to a file that another process opened, and another reads it."""
    path = Path(folder, "passed")
    with source() as a, open(path, "wb") as f:
        refused(a, "add-fd", "SCM_RIGHTS")
        sets = [pass_fd(a, f.fileno()), pass_fd(a, f.fileno(), opaque="for saving")]
        assert sets[0]["fdset-id"] == 0 and sets[1]["fdset-id"] == 1, sets
        got = a.command("query-fdsets")
        assert got[1] == {"fdset-id": 1, "fds": [{"fd": sets[1]["fd"], "opaque": "for saving"}]}
        refused(a, "migrate", "add-fd", uri="file:/dev/fdset/7")
        a.command("migrate", uri="file:/dev/fdset/1")
        assert settle(a)["status"] == "completed", a.command("query-migrate")
        a.command("remove-fd", fdset_id=1, fd=sets[1]["fd"])
        refused(a, "remove-fd", "not found", fdset_id=1)
        a.command("remove-fd", fdset_id=0)
        assert a.command("query-fdsets") == []
    with target("defer") as b, open(path, "rb") as f:
        number = pass_fd(b, f.fileno())["fdset-id"]
        b.command("migrate-incoming", uri=f"file:/dev/fdset/{number}")
        assert b.wait("completed", "failed")["status"] == "completed"
        assert b.read(WHERE, 8) == MARK


def pass_fd(m, fd, **arguments):
    """Pass a descriptor by add-fd."""
    return m.qmp.pass_fd("add-fd", fd, **arguments)


def differ(_):
    """Return the answer of machine-diff: the differences that a guest would see."""
    with source() as a, source("-M", "virt", "-m", "64", "-device", "edu,id=e0,addr=4") as b:
        ours, theirs = (m.command("query-machine-description") for m in (a, b))
        assert a.command("machine-diff", wanted=ours, have=ours) == []
        text = json.dumps(a.command("machine-diff", wanted=ours, have=theirs))
        assert '"e0"' in text and "33554432" in text and "67108864" in text, text
        refused(a, "machine-diff", wanted={"guest": 1}, have=ours)


def announce(folder):
    """A network device whose driver cannot announce a move is announced by the device: five times,
    and on the target."""
    peer = Peer(f"{folder}/net")
    wire = ["-netdev", f"stream,id=w0,server=off,addr.type=unix,addr.path={folder}/net"]
    try:
        with source(*GUEST, *wire, "-device", "virtio-net-pci,netdev=w0") as a, \
                target(f"unix:{folder}/s", *wire) as b:
            until("the connection of the network device", lambda: peer.wires, 10)
            steady("nothing announced yet", lambda: peer.counts["announced"] == 0, 0.2)
            a.command("migrate", uri=f"unix:{folder}/s")
            assert settle(a)["status"] == "completed", a.command("query-migrate")
            b.wait("completed")
            until("five announcements", lambda: peer.counts["announced"] == 5, 10,
                  state=lambda: peer.counts)
            b.command("stop")
            b.command("cont")
            steady("five announcements", lambda: peer.counts["announced"] == 5, 0.7)
    finally:
        peer.close()


def timers(folder):
    """A countdown that runs when the guest is saved continues, and does not restart."""
    bar = 0x40000000
    with source("-M", "virt", "-m", "16", "-device",
                "ticker,id=t0,addr=4,period-ns=1000000000") as a, target(f"unix:{folder}/s") as b:
        config = 0x30000000 + (4 << 15)
        a.write(config + 0x10, 4, bar)
        a.write(config + 4, 2, 2)
        a.write(bar + 4, 4, 1)
        a.ask("clock_step 600000000")
        assert a.read(bar + 0xc, 4) == 0
        a.command("migrate", uri=f"unix:{folder}/s")
        assert settle(a)["status"] == "completed"
        b.wait("completed")
        b.ask("clock_step 399000000")
        assert b.read(bar + 0xc, 4) == 0
        b.ask("clock_step 2000000")
        assert b.read(bar + 0xc, 4) == 1
        b.ask("clock_step 1000000000")
        assert b.read(bar + 0xc, 4) == 2


TESTS = [order, pause, fields, bandwidth, cancel, failed_loads, incoming, check, concurrent_check,
         oob_check, handed_over_check, device_states, settings, human, converge, fdsets, differ,
         announce, timers]


def main():
    """Run all tests, or the named ones."""
    names = sys.argv[1:]
    for test in TESTS:
        if not names or test.__name__ in names:
            with tempfile.TemporaryDirectory(prefix="backplane-qmp-") as folder:
                began = time.monotonic()
                test(folder)
                print(f"{test.__name__}: ok ({time.monotonic() - began:.1f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
