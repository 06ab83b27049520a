"""What processes cost each other: the cases that need a whole tree of them. It
measures itself (ProcessBenchmark.cc), is killed, or left alone."""

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable

import servers
from cases import Sample
from servers import BUILD, BenchError

PROGRAM = BUILD / "benchmarks" / "bench_process"
BARE_RELAY = BUILD / "benchmarks" / "bench_bare_relay"
WORKERS = 4
PATIENCE_SECONDS = 60
IDLE_SECONDS = 10
RELAYS = 20_000
MAP_BYTES = 64 * 1024 * 1024
# Deaths closer together would meet the back-off.
STABLE_SECONDS = 1.2


@dataclasses.dataclass
class TreeCase:
    """`measure` gives a round's sample of a tree that serves. `goal` is the
    most that the median may be, or, of a rate, the least."""
    name: str
    title: str
    unit: str
    measure: Callable
    goal: float
    rate: bool = False
    workers: int = WORKERS

    def met(self, value):
        """Whether that is good enough."""
        return value >= self.goal if self.rate else value <= self.goal


@dataclasses.dataclass
class Tree:
    """A program that runs: its master, and where its workers listen."""
    master: int
    workers: list[int]
    port: int


def status(directory):
    """What the program says of itself; nothing while it cannot."""
    answer = subprocess.run(
        [PROGRAM, "status", "--json", "--run-dir", directory],
        capture_output=True, text=True, check=False)
    return json.loads(answer.stdout) if answer.returncode == 0 else None


def await_ready(process, directory):
    """The Tree, once all its workers are ready."""
    deadline = time.monotonic() + servers.START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = status(directory)
        if found and all(worker["state"] == "ready" and worker["address"]
                         for worker in found["workers"]):
            workers = found["workers"]
            port = int(workers[0]["address"].rsplit(":", 1)[1])
            return Tree(process.pid, [each["pid"] for each in workers], port)
        time.sleep(0.05)
    raise BenchError("bench_process does not start")


@contextlib.contextmanager
def running(case, setup):
    """Runs the program for the time of a `with` block; gives the Tree. It may
    use all processors: that its processes do is part of what is measured."""
    with tempfile.TemporaryDirectory(prefix="brigade-bench-") as directory:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", PROGRAM, "start", "--workers",
             str(case.workers), "--run-dir", directory],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            if setup.priority:
                servers.raise_priority(process.pid)
            tree = await_ready(process, directory)
            if setup.priority:
                for pid in tree.workers:
                    servers.raise_priority(pid)
            yield tree
        finally:
            servers.end(process)


def ask(connection, line):
    """What a worker answers to a line; empty when it closes."""
    connection.sendall(line.encode() + b"\n")
    answer = b""
    while not answer.endswith(b"\n"):
        ready, _, _ = select.select([connection], [], [], PATIENCE_SECONDS)
        piece = connection.recv(4096) if ready else b""
        if not piece:
            return {}
        answer += piece
    return json.loads(answer)


def connect(tree):
    """To whichever worker accepts."""
    return socket.create_connection(("127.0.0.1", tree.port),
                                    timeout=PATIENCE_SECONDS)


def told(*lines):
    """A measurement that the program makes when it is told to; all but the
    last line warm up."""
    def measure(tree, _setup):
        with connect(tree) as connection:
            answers = [ask(connection, line) for line in lines]
        if "value" not in answers[-1]:
            raise BenchError(f"{lines[-1]}: {answers[-1].get('error', 'hangs')}")
        value = answers[-1].pop("value")
        return Sample(value, answers[-1])
    return measure


def relay(tree, setup):
    """With what three bare processes take, measured right behind it."""
    sample = told("relay 1000", f"relay {RELAYS}")(tree, setup)
    with subprocess.Popen([BARE_RELAY, str(RELAYS)], stdout=subprocess.PIPE,
                          text=True, start_new_session=True) as bare:
        if setup.priority:
            servers.raise_priority(bare.pid)
        answer, _ = bare.communicate(timeout=PATIENCE_SECONDS)
    if bare.returncode:
        raise BenchError("bench_bare_relay fails")
    sample.details["bare"] = json.loads(answer)["value"]
    return sample


def respawn(tree, _setup):
    """From the kill of the only worker to the answer of its successor, whose
    client connects at once: nobody is refused meanwhile."""
    with connect(tree) as connection:
        old = ask(connection, "pid")["value"]
    time.sleep(STABLE_SECONDS)
    begin = time.monotonic()
    os.kill(int(old), signal.SIGKILL)
    with connect(tree) as connection:
        new = ask(connection, "pid").get("value")
    took = time.monotonic() - begin
    if new in (None, old):
        raise BenchError(f"respawn: {old} was killed, and {new} answers")
    return Sample(took * 1e3)


def wake_ups(pid):
    """How often a process has gone to sleep by itself."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M)[1])


def idle_tree(tree, _setup):
    """Of the process that wakes up most."""
    time.sleep(STABLE_SECONDS)
    pids = [tree.master, *tree.workers]
    before = [wake_ups(pid) for pid in pids]
    time.sleep(IDLE_SECONDS)
    grown = [wake_ups(pid) - was for pid, was in zip(pids, before)]
    return Sample(max(grown), {"master": grown[0], "all": sum(grown)})


TREE_CASES = {case.name: case for case in [
    TreeCase("relay", "a letter of 64 bytes, worker to master to worker",
             "µs a letter, median", relay, 30),
    TreeCase("relay-rate", f"{WORKERS} workers, each floods the next one with "
             "letters of 64 bytes", "letters a second",
             told("relay 1000", "rate 2"), 300_000, rate=True),
    TreeCase("map-64m", f"map(), {WORKERS} answers of 64 MiB", "s",
             told(f"map {MAP_BYTES}", f"map {MAP_BYTES}"), 1),
    TreeCase("respawn", "a worker is killed, its successor answers", "ms",
             respawn, 50, workers=1),
    TreeCase("idle-tree", f"{WORKERS} workers and the master, {IDLE_SECONDS} s "
             "without anything to do", "wake-ups of one process", idle_tree, 1),
]}
