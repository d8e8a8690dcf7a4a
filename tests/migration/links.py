#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Migrate over a faulty link: the guest never runs twice and is never lost.

A proxy connects the two ends over TCP on the loopback. At a random byte of one direction it injects
a fault:
  cut      both connections are reset
  close    that direction is closed, the other continues (half-open)
  swallow  that direction silently discards everything from there on (half-open)
  stall    no more data is forwarded in either direction
  trickle  the remaining data arrives in pieces of a few bytes

Both ends stay alive, and the result is determined by querying both. If the data stops while the
guest still runs, the source may wait without limit: the test cancels the migration, and the guest
must continue.
"undecided" is permitted only after the hand-over, and never with a hand-over record.
Positions are drawn from the complete stream and, for half of the cases, from its end, where the
guest is handed over. Cases that wait for a timeout of the source run in parallel.
"""
import argparse
import concurrent.futures
import random
import shutil
import socket
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from machine import QmpError  # noqa: E402
from owners import Pair, verdict_of_both  # noqa: E402
from waiting import elapse, moments  # noqa: E402

FAULTS = ["cut", "close", "swallow", "stall", "trickle"]
# Bytes of the return path: accepted with its byte of boot images, synchronized, digest, running.
ANSWERS = 5 + 4 + 4 + 40 + 4
GO, RUNS = 5, 4             # bytes of the last message and of the last answer
PATIENCE = 3                # seconds that a migration may make no progress before it is cancelled
TAIL = 12                   # bytes before the end that belong to the hand-over


class Proxy(threading.Thread):
    """Forwards one connection to `port`, and injects one fault after `at` bytes of a direction."""

    def __init__(self, port, direction, fault, at):
        super().__init__(daemon=True)
        self.target, self.direction, self.fault, self.at = port, direction, fault, at
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.passed = [0, 0]    # bytes to the target, and to the source
        self.ended = threading.Event()
        self.ends = []
        self.start()

    def run(self):
        """Accept one connection and serve it with a thread for each direction."""
        near = self.server.accept()[0]
        far = socket.create_connection(("127.0.0.1", self.target))
        self.ends = [near, far]
        for end in self.ends:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=self.pump, args=(far, near, 1), daemon=True)
        back.start()
        self.pump(near, far, 0)
        back.join()

    def pump(self, source, sink, direction):
        """Forward bytes until the connection ends. The fault affects one direction."""
        try:
            while not self.ended.is_set():
                here = direction == self.direction and self.fault
                left = self.at - self.passed[direction] if here else 1 << 16
                if left <= 0:
                    return self.go_wrong(source, sink, direction)
                data = source.recv(min(left, 1 << 16))
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return None
                sink.sendall(data)
                self.passed[direction] += len(data)
        except OSError:
            pass
        return None

    def go_wrong(self, source, sink, direction):
        """Inject the fault."""
        if self.fault == "cut":
            self.reset()
        elif self.fault == "close":
            sink.shutdown(socket.SHUT_WR)
        elif self.fault == "swallow":
            while not self.ended.is_set() and source.recv(1 << 16):
                pass
        elif self.fault == "stall":
            self.ended.set()    # the other direction stops at its next piece
        else:
            self.trickle(source, sink, direction)

    def trickle(self, source, sink, direction):
        """Forward a few bytes at a time; faster after a while, so that it ends."""
        size = 1
        while data := source.recv(size):
            sink.sendall(data)
            self.passed[direction] += len(data)
            elapse(0.001, "a link of a few bytes a millisecond")
            size = min(size + 1 if size < 64 else size * 2, 1 << 16)
        sink.shutdown(socket.SHUT_WR)

    def reset(self):
        """Close both connections immediately, without a shutdown."""
        self.ended.set()
        for end in self.ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()

    def close(self):
        """Close the listening socket and both connections: the network stays interrupted."""
        self.ended.set()
        self.server.close()
        for end in self.ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


def listening_port(target):
    """Return the port on which the target listens."""
    return int(target.command("query-migrate")["socket-address"][0]["port"])


def length_of_one(folder):
    """Return the number of bytes to the target without a fault, for a given guest."""
    pair = Pair(folder, random.Random(1), "tcp:127.0.0.1:0")
    proxy = Proxy(listening_port(pair.target), 0, None, 0)
    try:
        pair.source.command("migrate", uri=f"tcp:127.0.0.1:{proxy.port}")
        assert pair.source.wait("completed", "failed")["status"] == "completed"
        assert proxy.passed[1] == ANSWERS, proxy.passed
        return proxy.passed[0]
    finally:
        pair.close()
        proxy.close()


def cancel_if_hanging(source):
    """Wait for the result. If there is none and the guest still runs, cancel, as a client must."""
    for _ in moments(PATIENCE, 0.02):
        if source.status() in ("completed", "failed", "undecided", "cancelled"):
            return
    if source.command("query-status")["status"] == "running":
        try:
            source.command("migrate_cancel")
        except QmpError:    # the guest was handed over at this moment
            pass


def one(seed, length):
    """Run one migration. Returns (fault, direction, record, outcome)."""
    rng = random.Random(seed)
    folder = tempfile.mkdtemp(prefix="backplane-link-")
    record = folder if rng.random() < 1 / 3 else None
    fault, direction = rng.choice(FAULTS), rng.randrange(2)
    pair = Pair(folder, random.Random(1), "tcp:127.0.0.1:0", record)
    size = (length + (62 if record else 0)) if direction == 0 else ANSWERS
    at = rng.randrange(size + 1)
    if rng.random() < 0.5:
        at = size - rng.randrange(TAIL)
    proxy = Proxy(listening_port(pair.target), direction, fault, at)
    try:
        pair.source.command("migrate", uri=f"tcp:127.0.0.1:{proxy.port}")
        cancel_if_hanging(pair.source)
        outcome = verdict_of_both(pair.source, pair.target)
        proxy.close()
        if outcome == "stayed":
            outcome = target_is_free(pair.target)
        if outcome.startswith("undecided") and at < size - (GO if direction == 0 else RUNS):
            outcome = "UNDECIDED TOO EARLY"
        return fault, "to target" if direction == 0 else "to source", \
            "record" if record else "", outcome
    except AssertionError as error:
        return fault, str(direction), f"seed {seed}, byte {at} of {size}", f"FAILED: {error}".upper()
    finally:
        proxy.close()
        pair.close()
        shutil.rmtree(folder)


def target_is_free(target):
    """Wait until the target accepts another migration. If its link is silent, cancel on the target.
    """
    for _ in moments(2, 0.02):
        if target.status() in ("failed", "setup"):
            return "stayed"
    target.command("migrate_cancel")
    return "stayed" if target.status() in ("failed", "setup") else "TARGET STUCK"


def main():
    """Run the cases and print the table of outcomes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--long", action="store_true", help="500 cases")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--jobs", type=int, default=8)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="backplane-link-")
    length = length_of_one(folder)
    shutil.rmtree(folder)
    table = {}
    seeds = [options.seed * 1000 + n for n in range(500 if options.long else options.cases)]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for outcome in pool.map(lambda seed: one(seed, length), seeds):
            table[outcome] = table.get(outcome, 0) + 1
    print(f"{len(seeds)} cases, seed {options.seed}, {length} bytes to the target without a fault")
    for (fault, direction, record, outcome), count in sorted(table.items()):
        print(f"  {fault}, {direction}{', ' if record else ''}{record}: {outcome}: {count}")
    bad = sum(count for (_, _, record, outcome), count in table.items()
              if outcome.isupper() or (record and outcome.startswith("undecided")))
    print(f"  run twice, lost, or undecided with a record: {bad}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
