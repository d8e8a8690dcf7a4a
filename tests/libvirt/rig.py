# SPDX-License-Identifier: GPL-2.0-or-later
"""Libvirt daemons with folders of their own, and domains that they run.

A Daemon is a libvirtd as root in a private mount namespace. Its configuration, state, run, cache
and log folders are bind mounts of folders below a temporary directory, so that several daemons run
on one host and the host's own daemon is not affected. The daemons share the temporary directory,
which contains disk images and sockets. Leaving the `with` block ends the domains and the daemon.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import waiting  # noqa: E402
from waiting import Deadline, TestFailure, scaled, until  # noqa: E402

LIBVIRTD = "/usr/sbin/libvirtd"
BOUND = {"etc": "/etc/libvirt", "lib": "/var/lib/libvirt", "cache": "/var/cache/libvirt",
         "log": "/var/log/libvirt", "run": "/run/libvirt"}
LIBVIRTD_CONF = """
listen_tls = 0
listen_tcp = 0
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_dir = "{sockets}"
host_uuid = "{uuid}"
log_outputs = "2:file:{log}"
"""
QEMU_CONF = """
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
remember_owner = 0
dynamic_ownership = 0
stdio_handler = "file"
"""


def unsuitable() -> str | None:
    """Return the reason why this host cannot run the tests, or None."""
    if os.geteuid() != 0:
        return "the daemons must run as root"
    for program, package in ((LIBVIRTD, "libvirt-daemon"), ("virsh", "libvirt-clients"),
                             ("unshare", "util-linux")):
        if not shutil.which(program):
            return f"{program} not found (Debian package {package})"
    if not list(Path("/usr/lib").glob("*/libvirt/connection-driver/libvirt_driver_qemu.so")):
        return "the QEMU driver of libvirt not found (Debian package libvirt-daemon-driver-qemu)"
    done = subprocess.run(["unshare", "-m", "true"], capture_output=True, text=True, check=False)
    return f"mount namespaces: {done.stderr.strip()}" if done.returncode else None


class VirshError(TestFailure):
    """A virsh command failed. The text is its error message."""


class Daemon:
    """A libvirtd. `base` is the directory that all daemons of a test share."""

    def __init__(self, name: str, base: Path) -> None:
        waiting.end_with_us()
        self.name, self.base, self.root = name, base, base / name
        self.sockets = self.root / "sockets"
        self.process: subprocess.Popen | None = None
        for folder in (*BOUND, "sockets"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "etc/libvirtd.conf").write_text(LIBVIRTD_CONF.format(
            sockets=self.sockets, uuid=uuid.uuid4(), log=self.root / "libvirtd.log"))
        (self.root / "etc/qemu.conf").write_text(QEMU_CONF)
        for name, line in (("passwd", "libvirt-qemu:x:64055:64055::/:/bin/false"),
                           ("group", "libvirt-qemu:x:64055:")):
            text = Path(f"/etc/{name}").read_text(encoding="utf-8")
            if "libvirt-qemu:" not in text:
                text += line + "\n"
            (self.root / name).write_text(text, encoding="utf-8")
        self.start()

    def __enter__(self) -> "Daemon":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # --- the process ---

    def start(self) -> None:
        """Start the daemon and wait until it responds."""
        script = ["set -e"]
        for folder, place in BOUND.items():
            script.append(f"mkdir -p {place}; mount --bind {self.root / folder} {place}")
        for name in ("passwd", "group"):
            script.append(f"mount --bind {self.root / name} /etc/{name}")
        script.append(f"exec {LIBVIRTD} -f /etc/libvirt/libvirtd.conf -p {self.root / 'pid'}")
        with open(self.root / "stderr", "ab") as errors:
            self.process = subprocess.Popen(
                ["unshare", "-m", "--propagation", "private", "sh", "-c", "\n".join(script)],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, cwd=self.root)
        self.await_answer()

    def await_answer(self) -> None:
        """Wait until the daemon responds."""
        def responds() -> bool:
            if self.process.poll() is not None:
                raise TestFailure(f"libvirtd ended: {self.describe()}")
            return self.run("uri", check=False).returncode == 0

        until(f"libvirtd {self.name} to respond", responds, 30, self.describe)

    def stop(self, force: bool = False) -> None:
        """End the daemon. Its domains continue to run."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL if force else signal.SIGTERM)
            waiting.ended(self.process, f"libvirtd {self.name} to end", 30)
        self.process = None

    def close(self) -> None:
        """End the domains and the daemon."""
        if self.process and self.process.poll() is None:
            with contextlib.suppress(TestFailure, subprocess.TimeoutExpired):
                for name in self.virsh("list", "--name").split():
                    self.run("destroy", name, check=False)
            with contextlib.suppress(TestFailure):
                self.stop()
        if self.process and self.process.poll() is None:
            self.process.kill()
        for file in self.pid_file("x").parent.glob("*.pid"):
            with contextlib.suppress(OSError, ValueError):
                pid = int(file.read_text())
                line = Path(f"/proc/{pid}/cmdline").read_bytes()
                if str(self.root).encode() in line or b"/var/lib/libvirt" in line:
                    os.kill(pid, signal.SIGKILL)

    def describe(self) -> str:
        """Return the end of the log, for failure reports."""
        text = ""
        for name in ("stderr", "libvirtd.log"):
            file = self.root / name
            text += file.read_text(errors="replace")[-2000:] if file.exists() else ""
        return f"--- libvirtd {self.name}\n{text}"

    # --- virsh ---

    def pid_file(self, domain: str) -> Path:
        """Return the file with the number of a domain's process."""
        return self.root / f"run/qemu/{domain}.pid"

    @property
    def uri(self) -> str:
        """Return the URI of the daemon, for virsh and for other daemons."""
        return f"qemu+unix:///system?socket={self.sockets}/libvirt-sock"

    def run(self, *args: str, check: bool = True, seconds: float = 60) -> \
            subprocess.CompletedProcess:
        """Run a virsh command."""
        done = subprocess.run(["virsh", "-q", "-c", self.uri, *map(str, args)], text=True,
                              capture_output=True, check=False, stdin=subprocess.DEVNULL,
                              timeout=scaled(seconds), env=os.environ | {"LC_ALL": "C"})
        if check and done.returncode:
            raise VirshError(f"virsh {' '.join(map(str, args))}: {done.stderr.strip()}")
        return done

    def virsh(self, *args: str, seconds: float = 60) -> str:
        """Run a virsh command, which must succeed, and return its output."""
        return self.run(*args, seconds=seconds).stdout.strip()

    def fails(self, *args: str) -> str:
        """Run a virsh command, which must fail, and return its error message."""
        done = self.run(*args, check=False)
        if not done.returncode:
            raise TestFailure(f"virsh {' '.join(args)}: succeeded: {done.stdout.strip()}")
        return done.stderr.strip()

    def define(self, text: str) -> None:
        """Define a domain."""
        file = self.base / "domain.xml"
        file.write_text(text)
        self.virsh("define", file)

    def device(self, verb: str, domain: str, text: str, *flags: str) -> str:
        """Attach, detach or update a device."""
        file = self.base / "device.xml"
        file.write_text(text)
        return self.virsh(f"{verb}-device", domain, file, *flags)


class SessionDaemon(Daemon):
    """A libvirtd of an unprivileged user, with that user's folders below the directory of the test."""

    USER = "nobody"

    def start(self) -> None:
        """Start the daemon and wait until it responds."""
        self.base.chmod(0o755)
        self.sockets = self.root / "run/libvirt"
        for file in (self.root, *self.root.rglob("*")):
            shutil.chown(file, self.USER)
        folders = {f"XDG_{name}": str(self.root / folder) for name, folder in (
            ("RUNTIME_DIR", "run"), ("CONFIG_HOME", "etc"), ("CACHE_HOME", "cache"), ("DATA_HOME", "lib"))}
        with open(self.root / "stderr", "ab") as errors:
            self.process = subprocess.Popen(
                ["setpriv", f"--reuid={self.USER}", "--regid=nogroup", "--clear-groups", "--inh-caps=-all",
                 LIBVIRTD, "-p", str(self.root / "pid")], stdin=subprocess.DEVNULL, stdout=errors,
                stderr=errors, cwd=self.root, env=os.environ | folders | {"HOME": str(self.root)})
        self.await_answer()

    def pid_file(self, domain: str) -> Path:
        """Return the file with the number of a domain's process."""
        return self.root / f"run/libvirt/qemu/run/{domain}.pid"

    @property
    def uri(self) -> str:
        """Return the URI of the daemon."""
        return f"qemu+unix:///session?socket={self.sockets}/libvirt-sock"


class Console:
    """The console of a domain: the terminal of a serial port of type pty."""

    def __init__(self, daemon: Daemon, domain: str) -> None:
        text = daemon.virsh("dumpxml", domain)
        path = re.search(r"<serial type='pty'>\s*<source path='([^']+)'", text)[1]
        self.daemon, self.text, self.seen, self.count = daemon, "", 0, 0
        self.file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    def close(self) -> None:
        """Close the terminal."""
        os.close(self.file)

    def read(self) -> None:
        """Add the available output to `text`."""
        with contextlib.suppress(BlockingIOError):
            data = os.read(self.file, 65536)
            self.text += data.decode(errors="replace").replace("\r", "")

    def expect(self, pattern: str, seconds: float = 60) -> re.Match:
        """Wait for output that matches, after the last match."""
        deadline = Deadline(f"'{pattern}' on the console", seconds,
                            lambda: f"--- console\n{self.text[-1500:]}")
        for _ in deadline:
            self.read()
            found = re.compile(pattern, re.MULTILINE).search(self.text, self.seen)
            if found:
                self.seen = found.end()
                return found
        raise deadline.failure()

    def send(self, line: str) -> None:
        """Send a line to the guest."""
        os.write(self.file, line.encode() + b"\n")

    def shell(self, command: str, seconds: float = 60) -> str:
        """Run a command in the shell of the guest, and return its output."""
        self.count += 1
        mark = f"END{self.count}"
        self.send(f"{command}; echo {mark[:2]}''{mark[2:]}=$?")
        found = self.expect(rf"^((?:.*\n)*?).*{mark}=(\d+)$", seconds)
        if found[2] != "0":
            raise TestFailure(f"guest: {command}: status {found[2]}: {found[1]}")
        return found[1].strip()
