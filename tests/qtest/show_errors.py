#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""-show reports each error that would prevent a machine from starting.

Each command line of lines/bad.txt cannot start. It is run as a start, with -show machine and with
-show pci-slots: exit status and messages must be equal, and nothing is printed on standard output.
Errors that are found only when a file is opened are not covered: no row has a missing image.
"""

import concurrent.futures
import os
import shlex
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "options"))

import walk                                     # noqa: E402

BASE = ("-accel", "qtest", "-display", "none", "-monitor", "none", "-serial", "none")
UNTOUCHED = [
    "-chardev file,id=c,path={dir}/out",
    "-chardev null,id=c,logfile={dir}/log",
    "-chardev socket,id=c,path={dir}/socket,server=on,wait=on",
    "-serial unix:{dir}/socket,server=on",
    "-serial file:{dir}/serial -monitor file:{dir}/monitor",
    "-netdev stream,id=n,server=on,addr.type=unix,addr.path={dir}/net",
    "-netdev dgram,id=n,remote.type=unix,remote.path={dir}/r,local.type=unix,local.path={dir}/l",
    "-netdev socket,id=n,connect=127.0.0.1:1",
    "-chardev socket,id=c,host=127.0.0.1,port=1",
    "-object memory-backend-file,id=m,size=128M,mem-path={dir}/ram -machine memory-backend=m",
    "-mem-path {dir}/ram",
    "-object rng-random,id=r,filename={dir}/none -device virtio-rng-pci,rng=r",
    "-object secret,id=s,file={dir}/none",
    "-drive file={dir}/none.img,format=raw,if=virtio",
    "-drive file={dir}/none.img,if=virtio",
    "-drive file={dir}/none.img,format=raw,if=virtio,snapshot=on",
    "-blockdev file,node-name=f,filename={dir}/none.img -blockdev raw,node-name=r,file=f,offset=512"
    " -device virtio-blk-pci,drive=r",
    "-pidfile {dir}/pid",
    "-incoming unix:{dir}/migration",
    "-incoming file:{dir}/none",
    "-D {dir}/log -d exec",
    "-machine dumpdtb={dir}/dtb",
    "-qtest unix:{dir}/qtest,server=on",
    "-S -preconfig -qmp unix:{dir}/qmp,server=on",
]


def compare(line: str, image: str) -> str | None:
    """Run an invalid line three times. Return the difference between the runs, or None."""
    args = [*BASE, *shlex.split(line.format(image=image))]
    status, _, err = walk.run(*args)            # stdout may have the greeting of a monitor
    if status != 1 or err.count("\n") != 1:
        return f"{line}: a start ends with {status}: {err}"
    for what in ("machine", "pci-slots"):
        shown = walk.run(*args, "-show", what)
        if shown != (status, "", err):
            return f"{line}: -show {what}: {shown[0]} {shown[1][:80]}{shown[2]} instead of {err}"
    return None


def untouched(line: str) -> str | None:
    """-show prints the machine, and neither creates nor requires the files that the line names.
    Return the problem, or None."""
    with walk.Folder() as folder:
        args = ["-M", "virt", "-bios", "none", *shlex.split(line.format(dir=folder))]
        status, out, err = walk.run(*args, "-show", "machine")
        left = [entry.name for entry in folder.iterdir()]
    if status or err or left or '"machine"' not in out:
        return f"{line}: {status} {err} made: {left} {out[:60]}"
    return None


def main() -> int:
    lines = (HERE / "lines/bad.txt").read_text().splitlines()
    lines = [line for line in lines if line and line[0] != "#"]
    with walk.Folder() as folder, \
            concurrent.futures.ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as pool:
        image = folder / "image"
        image.write_bytes(bytes(4096))
        problems = list(pool.map(lambda line: compare(line, str(image)), lines))
        problems += list(pool.map(untouched, UNTOUCHED))
    print(f"# {len(lines)} bad lines, {len(UNTOUCHED)} lines that open something at a start")
    problems = [problem for problem in problems if problem]
    for problem in problems:
        print(f"# {problem}")
    print("1..1\n" + ("not ok" if problems else "ok") + " 1 - errors of -show")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
