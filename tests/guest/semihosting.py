# SPDX-License-Identifier: GPL-2.0-or-later
"""A bare-metal program makes each semihosting call, here and on QEMU 7.2."""

import json
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from emulator import Emulator
from gdb import SOURCES, compile_program
from guest import Skip
from oracle import unsuitable
from snapshot import disk, hmp
from subject import Subject, check, test
from waiting import listening, scaled, until

QEMU = "qemu-system-riscv64"
# QEMU opens any file, and carries out SYS_SYSTEM. An unknown operation ends it.
NOT_IN_QEMU = ("opened outside", "system", "unknown operation", "read too much", "its errno", "read to no memory",
               "errno of that")


def run(program: str, emulator: str, config: str, *args: str, given: str = "",
        folder: str | None = None) -> tuple[int, str, str]:
    """Run a program and return the status, standard output and standard error."""
    done = subprocess.run([emulator, "-M", "virt", "-m", "32", "-bios", "none", "-display", "none", "-serial",
                           "none", "-monitor", "none", "-kernel", program, "-semihosting-config", config, *args],
                          input=given, text=True, check=False, cwd=folder, timeout=scaled(60), capture_output=True)
    return done.returncode, done.stdout, done.stderr


def lines(text: str) -> dict[str, str]:
    """Return the results by name."""
    return dict(line.rpartition(" ")[::2] for line in text.splitlines())


def receive(console: socket.socket, expected: bytes) -> None:
    """Read until the text was received."""
    text = b""
    while expected not in text:
        part = console.recv(4096)
        check(bool(part), f"no {expected!r}", text.decode(errors="replace"))
        text += part


def compiled(folder: str, *defines: str) -> str:
    """Compile the program."""
    script = SOURCES.parent.parent / "isa/programs/program.ld"      # the entry is the first instruction
    return compile_program(folder, "-O1", f"-Wl,-T,{script}", *defines, f"{SOURCES}/semihosting.c")


@test
def semihosting(subject: Subject) -> None:
    """Each call in M and S mode, with the translator, the interpreter and counted instructions; the files are
    below the folder, and the results equal those of QEMU."""
    emulator = str(Path(subject.program).resolve())
    with tempfile.TemporaryDirectory() as top:
        inside = Path(top) / "inside"
        inside.mkdir()
        (Path(top) / "outside").write_text("unreachable")
        (inside / "link").symlink_to("../outside")
        config = f"folder={inside},arg=one,arg=two,,three"
        as_json = json.dumps({"folder": str(inside), "arg": ["one", "two,three"]})
        outputs = set()
        for mode, text, how in (3, config, ["-accel", "tcg"]), (3, config, ["-accel", "interp"]), \
                (1, config, ["-accel", "tcg"]), (1, as_json, ["-icount", "shift=0"]), (3, config, ["-sandbox", "on"]):
            program = compiled(top, f"-DMODE={mode}")
            status, out, errors = run(program, emulator, text, *how)
            check(status == 42, f"mode {mode}, {how}: status {status}", errors)
            check(out == "to :tt\n", "standard output", out)
            outputs.add(errors)
            check(not list(inside.glob("*.txt")), "the file was not removed", errors)
        check(len(outputs) == 1, "the outputs differ", "\n---\n".join(outputs))
        results = lines(errors)
        for name, value in {"read": "14", "errno": "2", "rename": "0", "close again": "-1", "opened outside": "0",
                            "one": "two,three", "system": "-1", "unknown operation": "-1", "remove again": "-1",
                            "features": "3", "tickfreq": "1000000000", "read too much": "-1", "its errno": "22",
                            "read to no memory": "2", "errno of that": "14"}.items():
            check(results.get(name) == value, f"{name}: {results.get(name)}", errors)
        if not unsuitable(QEMU):
            program = compiled(top, "-DMODE=3", "-DFOR_QEMU")
            status, out, theirs = run(program, QEMU, "enable=on,target=native,arg=one,arg=two,,three",
                                      folder=str(inside))
            check(status == 42 and out == "to :tt\n", f"QEMU: status {status}", theirs)
            other = lines(theirs)
            differ = {name: (value, other.get(name)) for name, value in results.items()
                      if value != other.get(name) and name not in NOT_IN_QEMU}
            check(not differ, f"other results than QEMU's: {differ}", theirs)


@test
def semihosting_console(subject: Subject) -> None:
    """Input and output of the terminal and of a chardev; files and user mode are off by default."""
    emulator = str(Path(subject.program).resolve())
    with tempfile.TemporaryDirectory() as top:
        program = compiled(top, "-DMODE=3", "-DINPUT")
        status, _, errors = run(program, emulator, "on", given="xy")
        check(status == 42 and "\nx" in errors and "\ny" in errors.replace("read from :tt 0", ""), "input", errors)
        results = lines(errors)
        check(results["open is a handle"] == "0" and results["errno"] == "13", "files must be refused", errors)
        status, out, errors = run(program, emulator, "chardev=c", "-chardev", "stdio,id=c", given="xy")
        check(status == 42 and "to :tt" in out and "\nx" in out and not errors, "chardev", out + errors)
        program = compiled(top, "-DMODE=0")
        check(run(program, emulator, "userspace=on")[0] == 42, "userspace=on", "")
        check(run(program, emulator, "on")[0] == 7, "a call in U mode must be a breakpoint exception", "")
        check(run(program, emulator, "enable=off,userspace=on")[0] == 7, "enable=off", "")
        for config, message in ("target=gdb", "use target=native"), ("chardev=no", "no -chardev with this id"), \
                ("folder=/nonexistent", "an existing folder is required"), ("files=on", "the keys are enable"):
            status, _, errors = run(program, emulator, config)
            check(status == 1 and message in errors, config, errors)


@test
def semihosting_incoming(subject: Subject) -> None:
    """A machine that a migration stream describes accepts calls when it continues."""
    with tempfile.TemporaryDirectory() as top:
        program, stream = compiled(top, "-DMODE=3", "-DINPUT"), f"{top}/stream"
        common = ["-semihosting-config", "chardev=c", "-chardev"]
        with Emulator(subject.program, ["-M", "virt", "-m", "32", "-bios", "none", "-kernel", program, *common,
                                        f"socket,id=c,path={top}/a,server=on,wait=off"], console=False) as machine:
            machine.qmp.command("migrate", uri=f"file:{stream}")
            until("the migration", lambda: machine.qmp.command("query-migrate")["status"] == "completed")
        with Emulator(subject.program, [*common, f"socket,id=c,path={top}/b,server=on,wait=off", "-incoming",
                                        f"file:{stream}"], console=False) as machine:
            until("the console", lambda: listening(f"{top}/b"))
            with socket.socket(socket.AF_UNIX) as console:
                console.connect(f"{top}/b")
                console.sendall(b"xy")
                check(machine.wait() == 42, "the status", machine.describe())


@test
def semihosting_loadvm(subject: Subject) -> None:
    """The load of a snapshot closes the handles. The call that waits for input is made again."""
    if not shutil.which("qemu-img"):
        raise Skip("qemu-img is not installed")
    with tempfile.TemporaryDirectory() as top:
        program = compiled(top, "-DMODE=3", "-DHELD")
        _, options = disk(top)
        with Emulator(subject.program, [
                "-M", "virt", "-m", "32", "-bios", "none", "-kernel", program, *options, "-semihosting-config",
                f"folder={top},chardev=c", "-chardev", f"socket,id=c,path={top}/a,server=on"],
                console=False) as machine, socket.socket(socket.AF_UNIX) as console:
            until("the console", lambda: listening(f"{top}/a"))
            console.connect(f"{top}/a")
            console.settimeout(scaled(60))
            receive(console, b"waiting\n")
            console.sendall(b"x")
            receive(console, b"write to the handle 0\nwaiting\n")
            check(hmp(machine, "savevm s") == "", "savevm failed", "")
            check(hmp(machine, "loadvm s") == "", "loadvm failed", "")
            console.sendall(b"x")
            receive(console, b"write to the handle -1\n")
            check(machine.wait() == 42, "the status", machine.describe())
