#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""-drive, -blockdev and -snapshot: the drive that each form creates, and the rejected forms."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from emulator import Emulator  # noqa: E402
from images import empty_qcow2  # noqa: E402
from waiting import TestFailure, scaled  # noqa: E402

EMULATOR = os.environ.get("BACKPLANE_BINARY",
                          str(Path(__file__).parent / "../../build/backplane-system-riscv64"))
SIZE = 1 << 20


def run(*args):
    """Return status, output and errors of an emulator that ends by itself."""
    done = subprocess.run([EMULATOR, "-accel", "qtest", "-M", "virt", "-display", "none",
                           "-nodefaults", *args], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False, timeout=scaled(20))
    return done.returncode, done.stdout, done.stderr


def check(condition, text):
    """Fail the test unless the condition holds."""
    if not condition:
        raise TestFailure(text)


# The command line, and the answer of query-block for the only drive: its id, whether a device uses
# it, and members of "inserted". {d}: a raw image, {q}: qcow2, {v}: vmdk.
MADE = [
    ("-drive file={d},format=raw,if=virtio", "virtio0", True, {"drv": "raw", "ro": False}),
    ("-hda {d}", "none0", True, {"drv": "raw", "ro": False}),
    ("-hdd {d}", "none3", True, {}),
    ("-cdrom {d}", "none2", True, {"ro": True}),
    ("-drive file={d},format=raw,if=scsi", "scsi0-hd0", True, {"ro": False}),
    ("-drive file={d},format=raw,if=scsi,index=9,media=cdrom", "scsi1-cd2", True, {"ro": True}),
    ("-device virtio-scsi-pci,id=scsi0,num_queues=2 -drive file={d},format=raw,if=scsi,unit=3",
     "scsi0-hd3", True, {}),
    ("-cdrom {d} -device virtio-blk-pci,drive=none2", "none2", True, {"ro": True}),
    ("-drive file={d},format=raw,if=virtio,index=3", "virtio3", True, {}),
    ("-drive file={d},format=raw,if=virtio,bus=0,unit=2", "virtio2", True, {}),
    ("-drive file={d},format=raw,if=virtio,media=cdrom", "virtio0", True, {"ro": True}),
    ("-drive file={d},format=raw,id=hd0 -device virtio-blk-pci,drive=hd0", "hd0", True,
     {"node-name": "#block-hd0"}),
    ("-drive file={d},format=raw", "none0", False, {}),
    ("-drive file={d},format=raw,", "none0", False, {}),
    ("-drive file={d},if=none,id=x", "x", False, {"drv": "raw"}),
    ("-drive driver=raw,file={d},id=x,offset=512,size=1024", "x", False, {"size": 1024}),
    ("-drive file=file:{d},format=raw,id=x", "x", False, {"file": "{d}"}),
    ("-drive file={d},format=raw,id=x,file.locking=off", "x", False, {"file": "{d}"}),
    ("-drive file.filename={d},format=raw,id=x", "x", False, {"file": "{d}"}),
    ("-drive driver=file,filename={d},id=x", "x", False, {"drv": "file"}),
    ("-drive if=none,id=d0,file=null-co://,file.read-zeroes=on,format=raw", "d0", False,
     {"file": "null-co://"}),
    ("-drive if=none,id=d0,file=null-aio://,file.size=4096,format=raw", "d0", False,
     {"size": 4096}),
    ('-drive id=x,file=json:{{"driver":"raw",,"file":{{"driver":"file",,"filename":"{d}"}}}}',
     "x", False, {"drv": "raw", "file": "{d}"}),
    ("-drive file={d},format=raw,id=x,snapshot=on", "x", False,
     {"drv": "overlay", "ro": False, "backing_file": "{d}", "backing_file_depth": 1}),
    ("-snapshot -drive file={d},format=raw,if=virtio", "virtio0", True, {"drv": "overlay"}),
    ("-drive file={d},format=raw,if=virtio,snapshot=off -snapshot", "virtio0", True,
     {"drv": "overlay"}),
    ("-drive file={d},format=raw,id=x,read-only=on", "x", False, {"ro": True}),
    ("-drive file={d},format=raw,id=x,readonly=on", "x", False, {"ro": True}),
    ("-drive file={d},format=raw,id=x,cache=none", "x", False,
     {"cache": {"writeback": True, "direct": True, "no-flush": False}}),
    ("-drive file={d},format=raw,id=x,cache.no-flush=on", "x", False,
     {"cache": {"writeback": True, "direct": False, "no-flush": True}}),
    ("-drive file={d},format=raw,id=x,detect-zeroes=on", "x", False, {"detect_zeroes": "on"}),
    ("-drive file={d},format=raw,id=x,node-name=top", "x", False, {"node-name": "top"}),
    ("-drive file={q},if=none,id=x", "x", False,
     {"drv": "qcow2", "ro": False, "size": SIZE, "backing_file_depth": 0}),
    ("-drive file={q},if=virtio,snapshot=on", "virtio0", True,
     {"drv": "overlay", "size": SIZE, "backing_file": "{q}"}),
    ("-drive file={q},format=qcow2,id=x,discard=unmap,detect-zeroes=unmap,cache=none,"
     "l2-cache-size=1M,lazy-refcounts=on", "x", False, {"drv": "qcow2", "detect_zeroes": "unmap"}),
    ("-blockdev driver=file,node-name=p,filename={q} -blockdev driver=file,node-name=b,"
     "filename={d},read-only=on -blockdev qcow2,node-name=f,file=p,backing=b "
     "-device virtio-blk-pci,drive=f", "", True,
     {"node-name": "f", "drv": "qcow2", "backing_file": "{d}", "backing_file_depth": 1}),
    # JSON values with the types of QMP, as libvirt passes them
    ('-blockdev {{"driver":"qcow2","node-name":"f","backing":null,"l2-cache-size":65536,"lazy-refcounts":true,'
     '"file":{{"driver":"file","filename":"{q}"}}}} -device virtio-blk-pci,drive=f', "", True,
     {"node-name": "f", "drv": "qcow2", "backing_file_depth": 0}),
    ('-blockdev {{"driver":"qcow2","node-name":"f","file":{{"driver":"file","filename":"{q}"}},'
     '"backing":{{"driver":"file","filename":"{d}"}}}} -device virtio-blk-pci,drive=f', "", True,
     {"node-name": "f", "backing_file": "{d}", "backing_file_depth": 1}),
    ("-blockdev driver=file,node-name=p,filename={d} -blockdev driver=raw,node-name=f,file=p "
     "-device virtio-blk-pci,drive=f", "", True, {"node-name": "f", "drv": "raw"}),
    ("-blockdev raw,node-name=f,file.driver=file,file.filename={d},read-only=on "
     "-device virtio-blk-pci,drive=f", "", True, {"ro": True}),
]

# The command line, and words of the error message.
REFUSED = [
    ("-drive file={d},format=qcow2,if=none,id=x", "not in qcow2 format"),
    ("-drive file={v},if=none,id=x", "format 'vmdk', which is not available"),
    ("-drive file={q},id=x,lazy-refcounts=2", "'lazy-refcounts'"),
    ("-drive file={q},id=x,offset=512", "'offset' is unexpected"),
    ("-drive file={d},format=raw,id=x,lazy-refcounts=on", "'lazy-refcounts' is unknown"),
    ("-drive file={q},id=x,backing=nope", "node-name='nope'"),
    ("-drive file={q},id=x,cache-size=1M,l2-cache-size=2M", "may not exceed cache-size"),
    ("-drive file={q},id=x,if=virtio -drive file={q},id=y,if=virtio",
     'Failed to get "write" lock'),
    ("-drive file={d},format=raw,driver=raw", "Cannot specify both 'driver' and 'format'"),
    ("-drive file=ftp://host/disk,format=raw", "Unknown protocol 'ftp'"),
    ("-drive file={d},format=raw,if=scsi,unit=256", "use a number from 0 to 255"),
    ("-drive file={d},format=raw,if=scsi,index=8 -drive file={d},format=raw,if=scsi,bus=1,unit=1",
     "drive with if=scsi, bus=1, unit=1 (index=8) exists"),
    ("-drive file={d},format=raw,if=pflash", "a flash bank has 33554432"),
    ("-drive file={d},format=raw,if=pflash,unit=2", "unit=0 and unit=1"),
    ("-M virt-0.2 -drive file={d},format=raw,if=pflash", "machine virt-0.2 has no flash memory"),
    ("-M virt,pflash0=nope", "'nope'"),
    ("-M virt,pflash0=x -drive file={d},format=raw,if=pflash,id=x", "use only one of them"),
    ("-drive file={d},format=raw,if=usb", "unsupported bus type 'usb'"),
    ("-drive file={d},format=raw,if=virtio,index=1,unit=1", "index cannot be used"),
    ("-drive file={d},format=raw,if=virtio,index=1 -drive file={d},format=raw,if=virtio,index=1",
     "exists"),
    ("-drive if=virtio", "file=..."),
    ("-drive file={d},format=raw,copy-on-read=on", "copy-on-read=on"),
    ("-drive file={d},format=raw,throttling.iops-total=9,iops_rd=4", "iops-read"),
    ("-drive file={d},format=raw,offset=1T", "exceed"),
    ("-drive file={d},format=raw,size=1T,snapshot=on", "exceed"),
    ("-drive file={d},format=raw,offset=3", "multiples of 512"),
    ("-blockdev raw,node-name=f,file.driver=file,file.filename={d},size=1T", "exceed"),
    ("-drive file={d},format=raw,speed=9", "'speed'"),
    ("-drive file={d},format=raw,file.speed=9", "'speed'"),
    ("-drive file={d},format=raw,id=x -device virtio-blk-pci,drive=x "
     "-device virtio-blk-pci,drive=x", "already in use by another device"),
    ("-drive file={d},format=raw,id=x,if=virtio -drive file={d},format=raw,id=y,if=virtio",
     'Failed to get "write" lock'),
    ("-blockdev raw,node-name=f,file=nope", "node-name='nope'"),
    ("-blockdev raw,node-name=f", "'file' is missing"),
    ("-blockdev file,node-name=9f,filename={d}", "Invalid node-name"),
    ("-blockdev file,node-name=p,filename={d},force-share=on", "force-share=on"),
    ("-blockdev qcow2,node-name=p,file.driver=file,file.filename={d}", "not in qcow2 format"),
    ('-blockdev {{"driver":"qcow2","node-name":"f","backing":1,"file":"p"}}', "expected: string, got: integer"),
    ('-blockdev {{"driver":"qcow2","node-name":"f","file":null}}', "expected: string, got: null"),
    ("-blockdev file,node-name=p,filename={d},read-only=on "
     "-blockdev raw,node-name=f,file=p,read-only=off -device virtio-blk-pci,drive=f", "read-only"),
    ("-snapshot -blockdev file,node-name=p,filename={d}", "node-name=p"),
    ("-pflash {d}", "a flash bank has 33554432"),
    ("-sd {d}", "-drive file=FILE,format=raw,if=virtio"),
    ("-hdc {d} -cdrom {d}", "drive with if=none, bus=0, unit=2 (index=2) exists"),
    ("-device virtio-blk-pci", "drive=NAME"),
]

HELP = [
    ("-drive help", "snapshot="),
    ("-drive ?", "werror="),
    ("-drive format=help", "raw"),
    ("-drive file=x,if=help", "virtio"),
    ("-blockdev help", "host_device"),
    ("-blockdev raw,help", "offset="),
    ("-blockdev driver=null-co,help", "read-zeroes="),
]


def words(line, names):
    """Split a command line with file names."""
    return [word.format(**names) for word in line.split(" ")]


def test_made(names):
    """Each form starts and creates the expected drive."""
    for line, drive, used, wanted in MADE:
        with Emulator(EMULATOR, ["-accel", "qtest", "-M", "virt", "-nodefaults",
                                 *words(line, names)], console=False) as machine:
            drives = machine.qmp.command("query-block")
            check(len(drives) == 1, f"{line}: {drives}")
            check(drives[0]["device"] == drive and ("qdev" in drives[0]) == used,
                  f"{line}: {drives[0]}")
            disks = machine.qmp.command("human-monitor-command", **{"command-line": "info pci"})
            controllers = sum(disks.count(f"1af4:10{kind}") for kind in ("01", "42", "04", "48"))
            check(controllers == used, f"{line}: {disks}")
            found = drives[0]["inserted"] | {"size": drives[0]["inserted"]["image"]["virtual-size"]}
            for key, value in wanted.items():
                value = value.format(**names) if isinstance(value, str) else value
                check(found[key] == value, f"{line}: {key} is {found[key]}")


def test_refused(names):
    """Each form is rejected with one line that contains the expected words."""
    for line, reason in REFUSED:
        status, _, errors = run(*words(line, names))
        lines = [text for text in errors.splitlines()
                 if not text.startswith(("WARNING:", "         "))]
        check(status == 1 and len(lines) == 1 and reason in lines[0],
              f"{line}: status {status}: {errors}")


def test_help(names):
    """Help is printed, and the emulator ends without further effect."""
    for line, reason in HELP:
        status, output, errors = run(*words(line, names))
        check(status == 0 and reason in output and not errors, f"{line}: {output} {errors}")


def test_warning(names):
    """A probed format is reported. Nothing is probed if a format is given, or with -blockdev."""
    for form, warned in (("-drive file={d},id=x", True), ("-drive file={d},id=x,format=raw", False),
                         ("-drive file={d},id=x,read-only=on", False), ("-cdrom {d}", False),
                         ("-blockdev raw,node-name=f,file.driver=file,file.filename={d}", False)):
        with Emulator(EMULATOR, ["-accel", "qtest", "-M", "virt", "-nodefaults",
                                 *words(form, names)], console=False) as machine:
            machine.qmp.command("query-block")
            check(("probing guessed raw" in machine.errors) == warned, f"{form}: {machine.errors}")


def test_graph(names):
    """Nodes are added and removed in order. Error messages name the node or device in the way."""
    with Emulator(EMULATOR, ["-accel", "qtest", "-M", "virt", "-nodefaults", "-device",
                             "pcie-root-port,id=rp"], console=False) as machine:
        qmp = machine.qmp
        qmp.command("blockdev-add", **{"driver": "file", "node-name": "p", "filename": names["d"]})
        qmp.command("blockdev-add", **{"driver": "raw", "node-name": "f", "file": "p"})
        listed = {node["node-name"] for node in qmp.command("query-named-block-nodes")}
        check(listed == {"p", "f"}, f"{listed}")
        busy = qmp.raw("blockdev-del", {"node-name": "p"})
        check("node 'f'" in busy.get("error", {}).get("desc", ""), f"{busy}")
        qmp.command("device_add", driver="virtio-blk-pci", drive="f", bus="rp", id="disk")
        busy = qmp.raw("blockdev-del", {"node-name": "f"})
        check("device 'disk'" in busy.get("error", {}).get("desc", ""), f"{busy}")
        again = qmp.raw("blockdev-add", {"driver": "raw", "node-name": "f", "file": "p"})
        check("error" in again, f"{again}")
    with Emulator(EMULATOR, ["-accel", "qtest", "-M", "virt", "-nodefaults"],
                  console=False) as machine:
        qmp = machine.qmp
        qmp.command("blockdev-add", **{"driver": "file", "node-name": "p", "filename": names["d"]})
        qmp.command("blockdev-add", **{"driver": "raw", "node-name": "f", "file": "p"})
        qmp.command("blockdev-del", **{"node-name": "f"})
        qmp.command("blockdev-del", **{"node-name": "p"})
        check(qmp.command("query-named-block-nodes") == [], "nodes are left")


# Commands of the human monitor, in order, and what each prints. {d}: a raw image.
MONITOR = [
    ("drive_add 0 if=none,id=h,file={d},format=raw", "OK"),
    ("drive_add 0 if=none,id=h,file={d},format=raw", "'h' is given twice"),
    ("drive_add 0 if=virtio,id=x,file={d},format=raw", "accepts if=none only"),
    ("drive_add 0 if=none,file={d},format=raw", "id= is required"),
    ("drive_add 0 if=none,id=x,file={d}.none", "No such file"),
    ("drive_add 0 if=none,id=x,file={d},foramt=raw", "did you mean 'format'?"),
    ("drive_add 0", "an argument is missing"),
    ("device_add virtio-blk-pci,drive=h,id=disk,bus=rp", ""),
    ("drive_del h", "in use by device 'disk'"),
    ("device_del disk", ""),
    ("drive_del h", ""),
    ("drive_del h", "there is no drive named 'h'"),
    ("drive_add -n 0 if=none,id=h,file={d},format=raw", "OK"),
]


def test_monitor(names):
    """drive_add creates a drive for device_add, and drive_del deletes it when no device uses it. With -snapshot, the
    image of such a drive is protected as well."""
    for options, format_name in ([], "raw"), (["-snapshot"], "overlay"):
        with Emulator(EMULATOR, ["-accel", "qtest", "-S", "-M", "virt", "-nodefaults", "-device", "pcie-root-port,id=rp",
                                 *options], console=False) as machine:
            for line, expected in MONITOR:
                answer = machine.qmp.command("human-monitor-command", **{"command-line": line.format(**names)})
                check(expected in answer if expected else answer == "", f"{line}: {answer}")
            node = machine.qmp.command("query-block")[0]["inserted"]
            check(node["drv"] == format_name, f"{options}: {node}")


def main():
    """Run everything in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="backplane-drives-") as folder:
        names = {name: os.path.join(folder, f"{name}.img") for name in "dqv"}
        for name, head in (("d", b""), ("v", b"KDMV"), ("q", empty_qcow2(SIZE))):
            with open(names[name], "wb") as file:
                file.write(head)
                file.truncate(SIZE)
        for test in test_made, test_refused, test_help, test_warning, test_graph, test_monitor:
            test(names)
        print(f"{len(MADE)} forms created the expected drive, {len(REFUSED)} rejected, "
              f"{len(HELP)} printed help")
    return 0


if __name__ == "__main__":
    sys.exit(main())
