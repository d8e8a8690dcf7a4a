#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Save to files that cannot be written: a file is complete or absent, and the guest continues.

Cases: the file may grow only to a random size (short writes, then an error); the file system is
full; the command or the descriptor that receives the data fails; the emulator is killed while it
saves. After each case, an older file of that name is unchanged, nothing else is left, the guest
runs with its memory intact, and saving works once there is space. A complete file loads.
"""
import argparse
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import machine as machines  # noqa: E402
from machine import Machine  # noqa: E402
from owners import MARK, WHERE, runs  # noqa: E402
from waiting import elapse, scaled  # noqa: E402

GUEST = ["-M", "virt", "-m", "16", "-device", "edu", "-device", "ticker"]


def guest():
    """Start a machine with known data in its memory; a save writes about a megabyte."""
    m = Machine(*GUEST)
    m.ask(f"memset {WHERE + 4096:#x} {1 << 20:#x} 0x5a")
    m.write(WHERE, 8, MARK)
    m.command("migrate-set-parameters", max_bandwidth=0)
    return m


def save(m, uri, wanted):
    """Save and check the result. Returns error-desc."""
    m.command("migrate", uri=uri)
    report = m.wait("completed", "failed")
    assert report["status"] == wanted, report
    if wanted == "failed":
        assert report["error-desc"], "no reason is given"
        assert runs(m), "the guest does not continue"
    else:
        m.command("cont")
    return report.get("error-desc", "")


def loads(path):
    """Return true if the file loads and contains the guest."""
    with Machine("-incoming", f"file:{path}") as m:
        return m.wait("completed", "failed")["status"] == "completed" and \
            m.read(WHERE, 8) == MARK


def limited(rng, folder, cases):
    """Save while a limit on the size of files is in effect: random sizes."""
    path = folder / "limited"
    with guest() as m:
        save(m, f"file:{path}", "completed")
        whole = path.read_bytes()
        sizes = [0, 1, len(whole) - 1] + [rng.randrange(len(whole)) for _ in range(cases)]
        for size in sizes:
            resource.prlimit(m.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            why = save(m, f"file:{path}", "failed")
            assert str(path) in why and "too large" in why, why
            assert path.read_bytes() == whole, "the older file was touched"
            assert os.listdir(folder) == ["limited"], os.listdir(folder)
        resource.prlimit(m.pid, resource.RLIMIT_FSIZE, (-1, -1))
        save(m, f"file:{path}", "completed")
        assert loads(path)
    path.unlink()
    return len(sizes)


def full_file_system(folder):
    """Save to a full file system, in a separate mount namespace of the emulator."""
    program, wrapper = machines.EMULATOR, folder / "wrapper"
    there = folder / "there"
    there.mkdir()
    wrapper.write_text(f"#!/bin/sh\nexec unshare -rm sh -c 'mount -t tmpfs -o size=256k none "
                       f"{there} && exec \"$@\"' sh {os.path.abspath(program)} \"$@\"\n")
    wrapper.chmod(0o755)
    try:
        if subprocess.run([wrapper, "--version"], check=False, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode:
            return "skipped: no mount namespaces here"
        machines.EMULATOR = str(wrapper)
        with guest() as m:
            why = save(m, f"file:{there}/x", "failed")
            assert "No space left" in why, why
            inside = os.listdir(f"/proc/{m.pid}/root{there}")
            assert not inside, inside
    finally:
        machines.EMULATOR = program
        shutil.rmtree(there)
        wrapper.unlink()
    return "ok"


def other_ends(folder):
    """Save to commands and descriptors that fail, and to invalid paths."""
    with guest() as m:
        assert "exec:cat" in save(m, "exec:cat >/dev/full", "failed")
        assert save(m, "exec:head -c 5000 >/dev/null; exit 1", "failed")
        assert save(m, "exec:exec false", "failed")
        for uri in (f"file:{folder}", f"file:{folder}/no/such", "file:/proc/x"):
            try:
                m.command("migrate", uri=uri)
                assert m.wait("failed", "completed")["status"] == "failed", uri
            except machines.QmpError as error:
                assert str(folder) in str(error) or "/proc/x" in str(error), error
            assert runs(m)
        assert not os.listdir(folder), os.listdir(folder)


def killed(rng, folder, cases):
    """Kill the emulator while it saves: the file loads, or does not exist."""
    path = folder / "killed"
    complete = 0
    for _ in range(cases):
        m = guest()
        m.command("migrate", uri=f"file:{path}")
        elapse(rng.random() * 0.03, "killed at a random moment of saving")
        m.kill()
        m.close()
        if path.exists():
            assert loads(path), "a file that is there does not load"
            complete += 1
            path.unlink()
    part = folder / "killed.part"
    if part.exists():
        part.unlink()       # the next save overwrites what a killed process leaves
    return complete


def monitor_only(*lines):
    """Run the emulator with a human monitor on standard input; return its output."""
    command = [machines.EMULATOR, "-M", "virt", "-m", "16", "-display", "none", "-S", "-monitor", "stdio"]
    done = subprocess.run(command, input="\n".join(lines) + "\n", text=True, timeout=scaled(30),
                          stdout=subprocess.PIPE, check=True)
    return done.stdout


def human_monitor(folder):
    """Save from the human monitor: the next command waits for the end of the migration."""
    path = folder / "human"
    output = monitor_only(f'migrate "exec:cat > {path}"', "info migrate", "quit")
    assert "Migration status: completed" in output, output
    with Machine("-incoming", f"file:{path}") as m:
        assert m.wait("completed", "failed")["status"] == "completed"
    output = monitor_only("migrate exec:false", "migrate -d exec:true", "quit")
    assert output.count("Error: migration failed: ") == 1, output
    return path


def unreadable(folder, complete):
    """Start with streams that do not load: the process reports the reason and ends."""
    cut = folder / "cut"
    cut.write_bytes(complete.read_bytes()[:3000])
    for uri, why in ((f"file:{folder}/absent", "No such file"), (f"file:{cut}", "cut off"),
                     ("exec:true", "cut off"), ("exec:echo a line of text", "migration stream"),
                     (f"exec:cat {cut}; exit 3", "")):
        done = subprocess.run([machines.EMULATOR, "-display", "none", "-incoming", uri], text=True,
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=scaled(30),
                              check=False)
        assert done.returncode == 1 and why in done.stderr and done.stderr.count("\n") == 1, \
            (uri, done.returncode, done.stderr)


def main():
    """Run all tests."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--cases", type=int, default=10)
    parser.add_argument("--long", action="store_true", help="200 sizes, 200 kills")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    cases = 200 if options.long else options.cases
    rng = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp(prefix="backplane-files-"))
    try:
        print(f"{limited(rng, folder, cases)} sizes, seed {options.seed}: complete or absent")
        print(f"a full file system: {full_file_system(folder)}")
        other_ends(folder)
        print("commands, descriptors and paths that fail: ok")
        unreadable(folder, human_monitor(folder))
        print("the human monitor waits, and streams that do not load end the process: ok")
        print(f"killed {cases} times: {killed(rng, folder, cases)} complete, the others absent")
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
