# SPDX-License-Identifier: GPL-2.0-or-later
"""Options that print, describe the machine, load something, or control the process."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

from devices import cpu_tree
from walk import (Ended, FOREVER, Folder, Machine, PROGRAM, addi, covers, csrw, finish, load, lui, prints,
                  program, qtest_run, refused, run, say, scaled, slli, spawn, until)

UUID = "01234567-89ab-cdef-0123-456789abcdef"


# --- options that print and end ---

@covers("-h", "-help", "-version")
def check_help():
    for option in ("-h", "-help", "--help"):
        prints("-device TYPE", option)
    prints("Backplane", "-version")


@covers("-show", "-show catalog-c", "-show default-machine", "-show machines", "-show pci-slots",
        "-show machine", "-show catalog", "-show state", "-show registers", "-show options",
        "-show commands", "-show topology", "-show absent", "-show kernel-parameters")
def check_show():
    for what, needle in (("catalog-c", "PlanType"), ("default-machine", "virt"),
                         ("machines", "none"), ("absent", "`spice`"), ("pci-slots", "00.0"), ("machine", '"devices"'),
                         ("catalog", '"ticker"'), ("state=ticker", "fired"),
                         ("registers=ticker", "Message Control"),
                         ("options", "| `-device"), ("commands", "query-status"),
                         ("topology", "<svg")):
        prints(needle, "-M", "virt", "-show", what)
    prints("pci=hpiosize=0,hpmmiosize=", "-M", "virt,pci-policy=default", "-show",
           "kernel-parameters")
    refused("the machine has no policy", "-M", "virt", "-show", "kernel-parameters")


@covers("-machine-config", "-readconfig")
def check_files():
    with Folder() as folder:
        _, dump, _ = run("-M", "virt", "-m", "64", "-show", "machine")
        (folder / "machine").write_text(dump)
        prints('"ram": 67108864', "-machine-config", str(folder / "machine"), "-show", "machine")
        (folder / "config").write_text('[memory]\nsize = "64"\n[machine]\ntype = "virt"\n')
        prints('"ram": 67108864', "-readconfig", str(folder / "config"), "-show", "machine")


# --- the machine ---

@covers("-M", "-machine", "-M type=", "-machine type=")
def check_machine():
    for option in ("-M", "-machine"):
        for value in ("none", "type=none"):
            with Machine(option, value, "-accel", "qtest") as m:
                assert m.qmp("query-current-machine")
                assert m.raw("qom-get", path="/machine", property="type")
            prints('"machine": "none"' if False else "none", option, value, "-show", "machine")


@covers("-M accel=", "-machine accel=", "-accel", "-accel accel=")
def check_accel():
    for args in (["-accel", "qtest"], ["-accel", "accel=qtest"], ["-M", "virt,accel=qtest"],
                 ["-machine", "virt,accel=qtest"]):
        with Machine(*args, base=("-display", "none", "-serial", "none", "-qmp", "stdio",
                                  "-bios", "none")) as m:
            assert not has_cpu_thread(m), args
    for args in (["-accel", "interp"], ["-accel", "tcg"], ["-M", "virt,accel=tcg"],
                 ["-accel", "kvm:tcg"], ["-M", "virt,accel=kvm:hvf:tcg:qtest"]):
        with Machine(*args, base=("-display", "none", "-serial", "none", "-qmp", "stdio",
                                  "-bios", "none")) as m:
            until(lambda: has_cpu_thread(m), "a CPU thread")
    with Machine("-accel", "qtest:tcg", base=("-display", "none", "-serial", "none", "-qmp", "stdio",
                                              "-bios", "none")) as m:
        assert not has_cpu_thread(m)
    for value in ("kvm", "kvm:xen", "kvm:nosuch:tcg", ":"):
        refused(f"-accel {value}: use tcg", "-M", "virt", "-display", "none", "-accel", value)


def has_cpu_thread(m) -> bool:
    tasks = Path(f"/proc/{m.proc.pid}/task").glob("*/comm")
    return any(task.read_text().lower().startswith("cpu") for task in tasks)


def check_boot_key(option: str, kernel_key: str) -> None:
    with Folder() as folder:
        path = program(folder, say("K") + finish(0x5555))
        status, out, _ = run("-display", "none", "-serial", "stdio", "-monitor", "none",
                             *[part.format(path) for part in (option, kernel_key)],
                             *([] if "none" in kernel_key or "bios" in option or "firmware" in
                               kernel_key else ["-bios", "none"]))
        assert (status, out) == (0, "K"), (option, kernel_key, status, out)


@covers("-bios", "-M firmware=", "-machine firmware=", "-kernel", "-M kernel=", "-machine kernel=",
        "-serial stdio")
def check_programs():
    check_boot_key("-bios", "{}")
    check_boot_key("-M", "virt,firmware={}")
    check_boot_key("-machine", "virt,firmware={}")
    check_boot_key("-kernel", "{}")
    check_boot_key("-M", "virt,kernel={}")
    check_boot_key("-machine", "virt,kernel={}")
    refused("nosuch", "-M", "virt", "-bios", "/nosuch", "-display", "none")
    refused("firmware 'nosuch' is in none of the folders: the current one, /", "-M", "virt", "-bios", "nosuch",
            "-display", "none")
    prints("/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin", "-M", "virt", "-bios", "fw_dynamic.bin",
           "-show", "machine")


def tree(folder: Path, *args: str, machine: str = "virt") -> bytes:
    path = folder / "dtb"
    status, _, err = run("-M", f"{machine},dumpdtb={path}", "-accel", "qtest", "-bios", "none",
                         "-display", "none", *args)
    assert status == 0, err
    return path.read_bytes()


@covers("-initrd", "-append", "-dtb", "-M initrd=", "-M append=", "-M dtb=", "-machine initrd=",
        "-machine append=", "-machine dtb=")
def check_boot_parts():
    with Folder() as folder:
        kernel = program(folder, FOREVER)
        initrd = folder / "initrd"
        initrd.write_bytes(b"I" * 5000)
        plain = tree(folder, "-kernel", kernel)
        assert b"linux,initrd-start" not in plain
        assert b"linux,initrd-start" in tree(folder, "-kernel", kernel, "-initrd", str(initrd))
        assert b"one two" in tree(folder, "-kernel", kernel, "-append", "one two")
        for option in ("-M", "-machine"):
            dump = folder / "dtb"
            for key, value, needle in (("initrd", initrd, b"linux,initrd-start"),
                                       ("append", "three", b"three")):
                run(option, f"virt,dumpdtb={dump},kernel={kernel},{key}={value}", "-accel", "qtest",
                    "-bios", "none", "-display", "none")
                assert needle in dump.read_bytes(), (option, key)
        own = folder / "own.dtb"
        own.write_bytes(tree(folder, "-append", "mine", "-kernel", kernel))
        assert b"mine" in tree(folder, "-dtb", str(own))
        for option in ("-M", "-machine"):
            run(option, f"virt,dumpdtb={folder / 'dtb'},dtb={own}", "-accel", "qtest", "-bios",
                "none", "-display", "none")
            assert b"mine" in (folder / "dtb").read_bytes()


@covers("-smp", "-smp cpus=")
def check_smp():
    for value in ("1", "cpus=1"):
        with Machine("-smp", value) as m:
            assert len(m.qmp("query-cpus-fast")) == 1
    refused("-smp", "-M", "virt", "-smp", "0")


@covers("-m", "-m size=", "-m slots=", "-m maxmem=")
def check_memory():
    for value, size in (("64", 64), ("64M", 64), ("size=96M", 96), ("0.5G", 512),
                        ("size=64M,slots=0", 64), ("size=64M,maxmem=64M", 64), ("65536k", 64)):
        with Machine("-m", value) as m:
            assert m.qmp("query-memory-size-summary")["base-memory"] == size << 20, value
    refused("slots=0", "-M", "virt", "-m", "64M,slots=1,maxmem=128M")


def status_kib(m, key: str) -> int:
    for line in Path(f"/proc/{m.proc.pid}/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1])
    raise AssertionError(key)


@covers("-mem-path", "-mem-prealloc")
def check_memory_source():
    with Folder() as folder:
        path = folder / "ram"
        with Machine("-m", "16", "-mem-path", str(path)) as m:
            assert path.stat().st_size == 16 << 20
            assert str(path) in Path(f"/proc/{m.proc.pid}/maps").read_text()
            assert m.qmp("query-memdev")[0]["size"] == 16 << 20
    with Machine("-m", "48") as plain, Machine("-m", "48", "-mem-prealloc") as full:
        grown = status_kib(full, "VmRSS") - status_kib(plain, "VmRSS")
        assert grown > 40 << 10, grown


@covers(*[f"{option} {key}=" for option in ("-M", "-machine") for key in ("usb", "acpi")])
def check_machine_absent():
    for key in ("usb", "acpi"):
        with Machine("-M", f"virt,{key}=off"):
            pass
        refused("accepted is off", "-machine", f"virt,{key}=on", "-display", "none")
        refused(f"'{key}'", "-machine", f"virt,{key}=maybe", "-display", "none")


def ram_flags(m) -> set[str]:
    """Return the flags of the mapping of 16 MiB of RAM."""
    maps = Path(f"/proc/{m.proc.pid}/smaps").read_text(encoding="ascii")
    areas = re.findall(r"^[0-9a-f]+-.*\n(?:[A-Z].*\n)*", maps, re.MULTILINE)
    area = next(a for a in areas if re.search(r"^Size: +16384 kB", a, re.MULTILINE))
    return set(re.search(r"^VmFlags: (.*)$", area, re.MULTILINE)[1].split())


@covers(*[f"{option} {key}=" for option in ("-M", "-machine")
          for key in ("dump-guest-core", "mem-merge")])
def check_machine_memory():
    backend = ("-object", "memory-backend-ram,id=ram,size=16M")
    for args in ((), backend):
        machine = "virt,memory-backend=ram" if args else "virt"
        path = "/objects/" + ("ram" if args else "riscv_virt_board.ram")
        for key, name in (("dump-guest-core", "dump"), ("mem-merge", "merge")):
            for value in ("on", "off"):
                with Machine("-M", f"{machine},{key}={value}", "-m", "16M", *args) as m:
                    assert m.get(path, name) == (value == "on"), (machine, key, value)
                    no_dump = key == "dump-guest-core" and value == "off"
                    assert ("dd" in ram_flags(m)) == no_dump, (machine, key, value)
    with Machine("-M", "virt,memory-backend=ram,dump-guest-core=off", *backend[:1],
                 backend[1] + ",dump=on") as m:
        assert "dd" not in ram_flags(m), "the property of the object does not have priority"
        m.qmp("object-add", **{"qom-type": "memory-backend-ram", "id": "more", "size": 1 << 20})
        assert not m.get("/objects/more", "dump")


def bus_of_devices(m) -> dict[str, str]:
    """Return the bus of each PCI device."""
    return {held["device"]: bus["bus"] for bus in m.qmp("query-pci-slots") for held in bus["held"]}


@covers("-M pci-policy=", "-machine pci-policy=")
def check_machine_policy():
    for option in ("-M", "-machine"):
        prints('"rp1"', option, "virt,pci-policy=default", "-show", "machine")
        refused("nonsense", option, "virt,pci-policy=nonsense", "-show", "machine")
    switch = ["-device", "x3130-upstream,id=up"] + 10 * ["-device", "xio3130-downstream"]
    prints("slots    00-1f, free: 0a-1f", "-M", "virt,pci-policy=default", *switch, "-show",
           "pci-slots")
    prints("01.0     pcie-root-port 'rp1', provides bus 'rp1', dynamic", "-M",
           "virt,pci-policy=default", *switch, "-show", "pci-slots")
    with Folder() as folder:
        (folder / "policy.json").write_text('{"backplane-policy": 1, "base": "hotplug"}')
        policy = f"virt,pci-policy={folder}/policy.json"
        with Machine("-M", policy, "-device", "virtio-rng-pci,id=r") as m:
            for number in range(3):
                m.qmp("device_add", driver="virtio-rng-pci", id=f"r{number}")
            devices = bus_of_devices(m)
            assert devices["r"] == "rp1", devices
            assert [devices[f"r{n}"] for n in range(3)] == [f"sw2.{n}" for n in range(3)], devices
            m.qmp("human-monitor-command", **{"command-line": "device_add virtio-rng-pci,id=h"})
            assert bus_of_devices(m) == devices | {"h": "sw2.3"}, bus_of_devices(m)
            answer = m.raw("device_add", driver="virtio-rng-pci", id="h")
            assert "already used" in answer["error"]["desc"], answer


@covers("-add-fd", "-add-fd set=", "-add-fd fd=", "-add-fd opaque=")
def check_add_fd():
    with Folder() as folder:
        image = folder / "image"
        image.write_bytes(b"x" * 65536)
        with open(folder / "out", "wb") as out, open(image, "rb") as disk:
            fds = (out.fileno(), disk.fileno())
            with Machine("-add-fd", f"set=7,fd={fds[0]},opaque=serial", "-add-fd",
                         f"set=8,fd={fds[1]}", "-chardev", "file,id=c0,path=/dev/fdset/7",
                         "-chardev", "null,id=c1,logfile=/dev/fdset/7", "-blockdev",
                         "file,node-name=d0,filename=/dev/fdset/8,read-only=on",
                         pass_fds=fds) as m:
                sets = {s["fdset-id"]: s["fds"] for s in m.qmp("query-fdsets")}
                assert sets[7][0]["opaque"] == "serial" and set(sets) == {7, 8}, sets
                assert m.qmp("query-named-block-nodes")[0]["image"]["virtual-size"] == 65536
            for chardev, why in (("path=/dev/fdset/8", "Permission denied"),
                                 ("path=/dev/fdset/9", "No such file")):
                with spawn(["-M", "none", "-display", "none", "-add-fd", f"set=8,fd={fds[1]}",
                            "-chardev", f"file,id=c0,{chardev}"], pass_fds=fds) as proc:
                    assert why in proc.communicate(timeout=scaled(30))[1]
    for value, why in (("set=1", "fd= is required"), ("fd=3", "set= is required"),
                       ("set=1,fd=2", "from 3 to"), ("set=1,fd=999", "is not open"),
                       ("set=-1,fd=3", "from 0 to"), ("set=1,fd=3,size=1", "'size' is unknown")):
        refused(why, "-M", "none", "-display", "none", "-add-fd", value)


@covers("-overcommit", "-overcommit mem-lock=on", "-overcommit mem-lock=off")
def check_overcommit():
    with Machine("-m", "16", "-overcommit", "mem-lock=off") as m:
        assert status_kib(m, "VmLck") == 0
    status, _, err = run("-M", "none", "-m", "1", "-overcommit", "mem-lock=on", "-display", "none",
                         "-qmp", "stdio", "-accel", "qtest", "-monitor", "none", "-serial", "none",
                         text='{"execute":"qmp_capabilities"}{"execute":"quit"}')
    if status == 0:
        with Machine("-m", "16", "-overcommit", "mem-lock=on") as m:
            maps = Path(f"/proc/{m.proc.pid}/maps").read_text(encoding="ascii")
            # AddressSanitizer and ThreadSanitizer turn mlockall() into a no-op.
            sanitized = "libasan" in maps or "libtsan" in maps
            assert sanitized or status_kib(m, "VmLck") > 16 << 10
    else:
        assert "ulimit -l" in err, err


@covers("-overcommit cpu-pm=on", "-overcommit cpu-pm=off")
def check_cpu_pm():
    refused("cpu-pm=off", "-M", "virt", "-overcommit", "cpu-pm=on")
    with Machine("-overcommit", "cpu-pm=off"):
        pass        # the only possible value


@covers("-device", "-cpu", "-device id=", "-device bus=", "-device addr=")
def check_device():
    with Machine("-device", "edu,id=e", "-cpu", "rv64") as m:
        assert m.get("/machine/peripheral/e", "type") == "edu"
        assert m.qmp("query-cpus-fast")
    with Machine("-device", "pcie-root-port,id=rp", "-device", "edu,id=e,bus=rp",
                 "-device", "edu,addr=7.0") as m:
        devices = m.qmp("query-pci")[0]["devices"]
        assert [d for d in devices if d["slot"] == 7]
        assert not [d for d in devices if d["qdev_id"] == "e"]


@covers("-global", "-set")
def check_global():
    with Machine("-device", "ticker,id=t", "-global", "ticker.period-ns=5000") as m:
        assert m.get("/machine/peripheral/t", "period-ns") == 5000
    with Machine("-device", "virtio-rng-pci,id=r", "-global", "virtio-pci.disable-legacy=on") as m:
        assert m.get("/machine/peripheral/r", "disable-legacy") == "on"
    with Machine("-global", "virtio-mmioo.force-legacy=false") as m:
        assert "did you mean 'virtio-mmio'" in m.quit()[1]
    with Machine("-device", "ticker,id=t", "-set", "device.t.period-ns=7000") as m:
        assert m.get("/machine/peripheral/t", "period-ns") == 7000


@covers("-name", "-name guest=", "-name process=", "-uuid")
def check_name():
    for value in ("box", "guest=box"):
        with Machine("-name", value, "-uuid", UUID) as m:
            assert m.qmp("query-name")["name"] == "box"
            assert m.qmp("query-uuid")["UUID"] == UUID
    with Machine("-name", "box,process=my-guest") as m:
        assert Path(f"/proc/{m.proc.pid}/comm").read_text() == "my-guest\n"


@covers("-rtc", "-rtc base=", "-rtc clock=host", "-rtc clock=rt", "-rtc clock=vm")
def check_rtc():
    def now(*args: str) -> int:
        answers = qtest_run(["readl 0x101000", "readl 0x101004", "clock_step 1000000000000",
                             "readl 0x101000", "readl 0x101004"], "-M", "virt", *args)
        words = [int(line.split()[1], 0) for line in answers if line.startswith("OK 0x")]
        return (words[1] << 32 | words[0]) // 10**9, (words[3] << 32 | words[2]) // 10**9

    assert now("-rtc", "base=2001-01-01")[0] == 978307200
    assert now("-rtc", "base=2001-01-01T00:00:30")[0] == 978307230
    assert now("-rtc", "base=utc")[0] > 1.7e9
    assert now("-rtc", "base=localtime")[0] > 1.7e9
    start, later = now("-rtc", "base=2001-01-01,clock=vm")
    assert later - start == 1000, (start, later)
    for clock in ("host", "rt"):
        start, later = now("-rtc", f"base=2001-01-01,clock={clock}")
        assert later - start < 1000, (clock, start, later)


# --- running ---

@covers("-S")
def check_stopped():
    with Machine("-S") as m:
        assert m.qmp("query-status")["status"] == "prelaunch"
    with Machine() as m:
        assert m.qmp("query-status")["running"]


@covers("-preconfig")
def check_preconfig():
    with Machine("-preconfig") as m:
        assert "x-exit-preconfig" in m.raw("device_add", driver="ticker")["error"]["desc"]
        m.qmp("x-exit-preconfig")
        assert m.qmp("query-status")["running"]


def end_of(folder: Path, code: int, *args: str):
    """Start a machine whose guest powers off or resets."""
    path = program(folder, finish(code))
    return Machine("-bios", path, "-accel", "interp", "-S", *args)


@covers("-no-reboot", "-no-shutdown", "-action", "-action reboot=reset", "-action reboot=shutdown",
        "-action shutdown=poweroff", "-action shutdown=pause")
def check_actions():
    with Folder() as folder:
        for args in (["-no-reboot"], ["-action", "reboot=shutdown"]):
            with end_of(folder, 0x7777, *args) as m:
                m.qmp("cont")
                assert m.wait()[0] == 0
        for args in ([], ["-action", "reboot=reset"]):
            with end_of(folder, 0x7777, *args) as m:
                m.qmp("cont")
                m.event("RESET")
        for args in (["-no-shutdown"], ["-action", "shutdown=pause"]):
            with end_of(folder, 0x5555, *args) as m:
                m.qmp("cont")
                m.event("SHUTDOWN")
                assert m.qmp("query-status")["status"] == "shutdown"
        for args in ([], ["-action", "shutdown=poweroff"]):
            with end_of(folder, 0x5555, *args) as m:
                m.qmp("cont")
                assert m.wait()[0] == 0


@covers("-incoming")
def check_incoming():
    with Machine("-incoming", "defer") as m:
        assert m.qmp("query-status")["status"] == "inmigrate"


@covers("-daemonize", "-pidfile")
def check_daemonize():
    with Folder() as folder:
        pidfile = folder / "pid"
        sock = folder / "qmp"
        proc = subprocess.run([PROGRAM, "-M", "none", "-display", "none", "-daemonize", "-pidfile",
                               pidfile.name, "-qmp", f"unix:{sock},server=on,wait=off"],
                              check=False, capture_output=True, cwd=folder)
        assert proc.returncode == 0, proc.stderr
        pid = int(pidfile.read_text())
        assert os.getsid(pid) == os.getsid(pid) and Path(f"/proc/{pid}").exists()
        assert os.getsid(pid) != os.getsid(0)
        os.kill(pid, signal.SIGTERM)
        until(lambda: not pidfile.exists(), "the pid file is removed")


@covers("-run-with", "-run-with exit-with-parent=on", "-run-with exit-with-parent=off")
def check_parent():
    with Folder() as folder:
        for value in ("on", "off"):
            pidfile = folder / value
            shell = subprocess.run(
                ["/bin/sh", "-c", f"{PROGRAM} -M none -display none -monitor none -serial none "
                 f"-pidfile {pidfile} -run-with exit-with-parent={value} </dev/null >/dev/null 2>&1"
                 f" & echo $!; while ! grep -q . {pidfile} 2>/dev/null; do :; done"],
                check=True, capture_output=True)
            pid = int(shell.stdout)
            if value == "on":
                until(lambda: not pidfile.exists(), "it ends with its parent")
            else:
                assert Path(f"/proc/{pid}").exists()
                os.kill(pid, signal.SIGTERM)
                until(lambda: not pidfile.exists(), "it ends by a signal")


@covers("-run-with chroot=", "-chroot", "-run-with user=", "-runas")
def check_confined():
    if os.geteuid() != 0:
        for args in (["-run-with", "chroot=/tmp"], ["-chroot", "/tmp"], ["-run-with", "user=0:0"],
                     ["-runas", "0:0"]):
            status, _, err = run("-M", "none", "-display", "none", *args)
            assert status == 1 and "-run-with" in err, err
        return
    with Folder() as folder:
        for args in (["-run-with", f"chroot={folder}"], ["-chroot", str(folder)]):
            with Machine(*args) as m:
                assert os.readlink(f"/proc/{m.proc.pid}/root") == str(folder)
        for args in (["-run-with", "user=65534:65534"], ["-runas", "65534:65534"]):
            with Machine(*args) as m:
                assert status_kib(m, "Uid:") == 65534


def filters(m) -> tuple[int, int]:
    return status_kib(m, "Seccomp:"), status_kib(m, "NoNewPrivs:")


@covers("-sandbox", "-sandbox enable=on", "-sandbox enable=off",
        "-sandbox elevateprivileges=allow", "-sandbox elevateprivileges=deny",
        "-sandbox elevateprivileges=children", "-sandbox spawn=allow", "-sandbox spawn=deny",
        "-sandbox obsolete=allow", "-sandbox obsolete=deny", "-sandbox resourcecontrol=allow",
        "-sandbox resourcecontrol=deny")
def check_sandbox():
    with Machine("-sandbox", "off") as m:
        assert filters(m)[0] == 0
    with Machine("-sandbox", "on") as m:
        if filters(m)[0] == 0:
            return      # this build has no filters: -sandbox on is rejected
        assert filters(m)[0] == 2
    with Machine("-sandbox", "on,elevateprivileges=children") as m:
        assert filters(m) == (2, 1)
    for key, values in (("obsolete", "allow deny"), ("elevateprivileges", "allow deny"),
                        ("spawn", "allow deny"), ("resourcecontrol", "allow deny")):
        lengths = set()
        for value in values.split():
            with Machine("-sandbox", f"on,{key}={value}") as m:
                assert filters(m)[0] == 2
                lengths.add(value)
        assert len(lengths) == 2    # test-confine checks the calls that each filter denies


@covers("-msg", "-msg timestamp=on", "-msg timestamp=off", "-msg guest-name=on",
        "-msg guest-name=off")
def check_msg():
    def message(*args: str) -> str:
        return run("-name", "box", *args, "-M", "nosuch")[2]

    program_name = os.path.basename(PROGRAM)
    for args in ([], ["-msg", "timestamp=off"], ["-msg", "guest-name=off"]):
        assert message(*args).startswith(program_name)
    assert message("-msg", "timestamp=on")[4] == "-"
    assert message("-msg", "guest-name=on").startswith("box " + program_name)


# --- logs ---

def log_of(item: str, words: list[int], *args: str) -> str:
    with Folder() as folder:
        path = program(folder, words)
        log = folder / "log"
        status, _, err = run("-M", "virt", "-display", "none", "-serial", "none", "-monitor",
                             "none", "-bios", path, "-d", item, "-D", str(log), *args)
        assert status == 0, err
        return log.read_text()


# Sv39 with the root table at the program's own page, and a load with S-mode privileges.
WALK = [addi(5, 0, -1), csrw(0x3b0, 5), addi(5, 0, 0x1f), csrw(0x3a0, 5), addi(5, 0, 8),
        slli(5, 5, 60), lui(6, 0x80), addi(5, 5, 0), 0x0062e2b3, csrw(0x180, 5), lui(5, 0x20),
        lui(6, 0x1), addi(6, 6, -0x800), 0x0062e2b3, 0x3002a073, load(2, 6, 0)]


@covers("-d", "-D", "-d in_asm", "-d exec", "-d cpu", "-d int", "-d mmu", "-d unimp",
        "-d guest_errors", "-d cpu_reset")
def check_log():
    off = finish(0x5555)
    for item in ("in_asm", "exec"):
        assert "80000000" in log_of(item, off), item
    assert "pc" in log_of("cpu", off)
    # a trap jumps to mtvec: the second half of the program
    trap = [0x00000297, addi(5, 5, 20), csrw(0x305, 5), 0, *[addi(0, 0, 0)] * 1, *off]
    assert log_of("int", trap).strip(), "int"
    assert log_of("mmu", [0x00000297, addi(5, 5, 20 + 4 * len(WALK)), csrw(0x305, 5), addi(0, 0, 0),
                          addi(0, 0, 0), *WALK, *off]).strip(), "mmu"
    missing = [lui(5, 0x1), lui(6, 0x200), load(2, 6, 6), *off]
    hole = [0x00000297, addi(5, 5, 20), csrw(0x305, 5), lui(6, 0x200), load(2, 6, 6), *off]
    assert log_of("unimp", hole).strip() or log_of("guest_errors", hole).strip(), missing
    assert "CPU Reset (CPU 0)" in log_of("cpu_reset", off)
    assert log_of("none", off) == ""


EVENTS = ("pci_bar", "pci_cfg_read", "pci_cfg_write", "reg_read", "reg_write", "device_reset",
          "device_irq", "virtio_status", "virtio_notify", "run_state", "qmp_command", "pci_msi",
          "pci_msix", "pci_slot")


@covers("-trace", "-trace enable=", "-trace events=", "-trace file=", "-d trace[:PATTERN]",
        *[f"-trace {event}" for event in EVENTS])
def check_trace():
    with Folder() as folder:
        file = folder / "trace"
        (folder / "events").write_text("reg_*\n")
        ecam = 0x30000000 + (1 << 15)
        table = 0x40000000
        lines = [f"readl {ecam:#x}", f"writel {ecam + 0x10:#x} {table:#x}",
                 f"writew {ecam + 4:#x} 6",
                 "readl 0x101000", "writel 0x101010 1"]
        base = ["-M", "virt,aia=aplic-imsic", "-device", "ticker,addr=1"]

        def traced(*args: str) -> str:
            qtest_run(lines, *base, *args)
            return file.read_text()

        text = traced("-trace", f"pci_*,file={file}")
        assert "pci_cfg_read" in text and "pci_cfg_write" in text and "pci_bar" in text
        assert "0x4 (Command), 2 bytes <- 0x6" in text, text
        text = traced("-trace", f"enable=device_reset,file={file}")
        assert "device_reset" in text and "pci_" not in text
        text = traced("-trace", f"events={folder / 'events'},file={file}")
        assert "reg_read" in text and "reg_write" in text and "pci_" not in text
        text = traced("-d", "trace:run_state", "-D", str(file))
        assert "run_state" in text and "reg_read" not in text
        text = traced("-d", "trace", "-D", str(file))
        assert "run_state" in text and "reg_read" in text
        with Machine("-trace", f"qmp_command,file={file}") as m:
            m.qmp("query-status")
        assert "qmp_command query-status" in file.read_text()
        lines[:] = ["writeb 0x10000001 2"]      # the serial port's transmitter is empty
        assert "device_irq" in traced("-trace", f"device_irq,file={file}")
        bar, ticker, rng = 0x40000000, 0x30000000 + (1 << 15), 0x30000000 + (2 << 15)
        lines[:] = [f"writel {ticker + 0x10:#x} {bar:#x}",
                    f"writel {ticker + 0x14:#x} {bar + 0x1000:#x}", f"writew {ticker + 4:#x} 6",
                    f"writel {bar + 0x1000:#x} 0x80000000", f"writel {bar + 0x100c:#x} 0",
                    f"writew {ticker + 0x82:#x} 0x8000", f"writel {bar + 4:#x} 3",
                    "clock_step 2000000"]
        base[-1] = "ticker,addr=1,msix=0x80"
        assert "pci_msi" in traced("-trace", f"pci_msi,file={file}")
        lines[4] = f"writel {bar + 0x100c:#x} 1"        # the vector is masked until the last line
        lines.append(f"writel {bar + 0x100c:#x} 0")
        text = traced("-trace", f"pci_msix,file={file}")
        assert "pending: Mask Bit" in text and "pending message sent" in text
        lines[2] = f"writew {ticker + 4:#x} 2"
        assert "Bus Master Enable is clear" in traced("-trace", f"pci_msi,file={file}")
        lines[:] = [f"writel {rng + 0x20:#x} {bar:#x}", f"writel {rng + 0x24:#x} 0",
                    f"writew {rng + 4:#x} 6", f"writeb {bar + 0x14:#x} 1",
                    f"writew {bar + 0x3000:#x} 0"]
        base += ["-device", "virtio-rng-pci,addr=2"]
        text = traced("-trace", f"virtio_*,file={file}")
        assert "virtio_status" in text and "virtio_notify" in text
        base += ["-device", "pcie-root-port,id=port,addr=3", "-device", "edu,bus=port"]
        assert "EMPTY + INSERTED_COLD -> ON" in traced("-trace", f"pci_slot,file={file}")


# --- the gdb server ---

@covers("-gdb", "-s")
def check_gdb():
    with Machine("-gdb", "tcp:127.0.0.1:0") as m:
        assert "gdb" in [c["label"] for c in m.qmp("query-chardev")]
    try:
        with Machine("-s") as m:
            names = {c["label"]: c["filename"] for c in m.qmp("query-chardev")}
            assert "127.0.0.1:1234" in names["gdb"], names
    except Ended as ended:
        assert "127.0.0.1:1234" in ended.why, ended.why     # another process uses the port


# Measure a loop of t0 iterations with the CSR time, and exit with the number of ticks (100 ns).
LOOP = [0xc0102473, 0x1f400293, 0xfff28293, 0xfe029ee3, 0xc01024f3, 0x408484b3, 0x01049493,
        0x00003337, 0x3333031b, 0x0064e4b3, 0x001003b7, 0x0093a023, 0x0000006f]
LONG_LOOP = [LOOP[0], 0x000802b7, *LOOP[2:]]            # 0x80000 iterations
# Wait with wfi for 1 << 22 ticks, or 1 << 40, and exit with 0.
WAIT = [0x00100293, 0x01629293, 0xc0102473, 0x005404b3, 0x020043b7, 0x0093b023, 0x08000313,
        0x30431073, 0x10500073, 0xc0102973, 0xfe996ce3, 0x00005337, 0x5553031b, 0x001003b7,
        0x0063a023, 0x0000006f]
LONG_WAIT = [WAIT[0], 0x02829293, *WAIT[2:]]


def execute(words: list[int], *options: str) -> tuple[int, float]:
    """Execute instructions in M-mode; return the exit status and the time in seconds."""
    code = []
    for i in range(0, len(words), 2):
        value = words[i] | (words[i + 1] if i + 1 < len(words) else 0) << 32
        code += ["-device", f"loader,addr={0x80000000 + 4 * i:#x},data={value:#x},data-len=8"]
    start = time.monotonic()
    status, _, _ = run("-M", "virt", "-m", "16", "-bios", "none", "-display", "none", "-serial",
                       "none", "-monitor", "none", *code, *options)
    return status, time.monotonic() - start


# Exit with 9 through semihosting. The breakpoint exception exits with 7.
SEMIHOSTING = [0x00000297, 0x02428293, 0x30529073, 0x00000597, 0x02c58593, 0x01800513, 0x01f01013,
               0x00100073, 0x40705013, 0x00073337, 0x3333031b, 0x001003b7, 0x0063a023, 0x0000006f,
               0x20026, 0, 9, 0]


@covers("-semihosting", "-semihosting-config", "-semihosting-config enable=on",
        "-semihosting-config enable=off", "-semihosting-config target=",
        "-semihosting-config userspace=on", "-semihosting-config userspace=off",
        "-semihosting-config chardev=", "-semihosting-config folder=", "-semihosting-config arg=")
def check_semihosting():
    """tests/guest/semihosting.py checks user mode, consoles, files and arguments."""
    assert execute(SEMIHOSTING)[0] == 7
    assert execute(SEMIHOSTING, "-semihosting")[0] == 9
    for config, status in [("on", 9), ("enable=off", 7), ("target=native,userspace=on", 9), ("target=auto", 9),
                           ("userspace=off,folder=/,arg=a,arg=b", 9), ("chardev=c", 9),
                           ('{"enable": true, "arg": ["a", "b"]}', 9), ('{"arg": "a"}', 9)]:
        assert execute(SEMIHOSTING, "-chardev", "null,id=c", "-semihosting-config", config)[0] == status, config
    refused("use target=native", "-M", "virt", "-semihosting-config", "target=gdb")
    refused("arg must be a string or a list of strings", "-M", "virt", "-semihosting-config", '{"arg": [["a"]]}')
    refused("no -chardev with this id", "-M", "virt", "-semihosting-config", "chardev=no")
    refused("an existing folder is required", "-M", "virt", "-semihosting-config", "folder=/nonexistent")


@covers("-icount", "-icount shift=")
def check_icount():
    for value, ticks in (("0", 10), ("shift=0", 10), ("shift=4", 160)):
        status, _ = execute(LOOP, "-icount", value)
        assert ticks <= status <= ticks + 11, (value, status)
    assert execute(WAIT, "-icount", "auto")[1] >= 0.4
    refused("a number from 0 to 10", "-M", "virt", "-icount", "11")
    refused("a number from 0 to 10", "-M", "virt", "-icount", "shift=fast")
    refused("requires a fixed shift", "-M", "virt", "-icount", "shift=auto,sleep=off")
    refused("requires a fixed shift", "-M", "virt", "-icount", "shift=auto,align=on")
    refused("-accel qtest", "-M", "virt", "-accel", "qtest", "-icount", "1")


@covers("-icount sleep=on", "-icount sleep=off")
def check_icount_sleep():
    status, seconds = execute(WAIT, "-icount", "1,sleep=on")
    assert status == 0 and seconds >= 0.4, (status, seconds)
    assert execute(LONG_WAIT, "-icount", "1,sleep=off")[0] == 0


@covers("-icount align=on", "-icount align=off")
def check_icount_align():
    # A million instructions of 128 ns.
    assert execute(LONG_LOOP, "-icount", "7,align=on")[1] >= 0.1
    execute(LONG_LOOP, "-icount", "7,align=off")
    refused("align=on requires", "-M", "virt", "-icount", "1,sleep=off,align=on")


@covers("-seed")
def check_seed():
    with Folder() as folder:
        trees = [cpu_tree(folder, "rv64", "-seed", seed) for seed in ("1", "1", "2")]
    assert trees[0] == trees[1] != trees[2]
    refused("a number from 0", "-M", "virt", "-seed", "x")
