"""What is measured: each case's load, and what its figures are held to."""

import contextlib
import dataclasses
import json
import pathlib
import re
import select
import subprocess
from collections.abc import Callable

import servers
from servers import BUILD, BenchError

LOAD = BUILD / "benchmarks" / "bench_load"
IDLE_CONNECTIONS = 10_000
# Servers take turns this often: a shared machine can change its pace within a
# second, and what it does then must meet both of them.
SLICE_SECONDS = 0.2
WARM_UP_SECONDS = 0.05
# The client has a limit of its own, and tells why; this one is for the rest.
PATIENCE_SECONDS = 60


@dataclasses.dataclass
class Sample:
    """One round of one server. `value` is what the case compares."""
    value: float
    details: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Judgement:
    """How a case turns the two values of a round into one figure, and how far
    that may be from even when a server is compared with itself."""
    name: str
    unit: str
    compare: Callable[[float, float], float]
    even: float
    noise: float


RATIO = Judgement("ratio", "", lambda base, value: value / base, 1, 0.02)
DIFFERENCE = Judgement("difference", " µs", lambda base, value: value - base,
                       0, 0.01)
ALONE = Judgement("value", " bytes", lambda _base, value: value, 0, 1024)


@dataclasses.dataclass
class Case:
    """`measure` gives a round's samples of servers that run, in their order;
    `goal` is the most that the judgement may come to."""
    name: str
    title: str
    unit: str
    protocol: str
    load: list
    measure: Callable
    judgement: Judgement
    goal: float


class Client:
    """The load generator with a server's connections open; on its own
    processor, and asleep unless it measures."""

    def __init__(self, setup, server, *load):
        self.server = server
        self.process = subprocess.Popen(
            servers.on_core(setup.client_core, [
                LOAD, *load, "--seconds", SLICE_SECONDS, "--warm-up",
                WARM_UP_SECONDS, "--server-pid", server.pid, "127.0.0.1",
                server.port]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def answer(self):
        """What it prints next."""
        ready, _, _ = select.select([self.process.stdout], [], [],
                                    PATIENCE_SECONDS)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.process.kill()
            error = self.process.stderr.read().strip() or "the client hangs"
            raise BenchError(f"{self.server.name}: {error}")
        return json.loads(line)

    def measure(self):
        """One slice."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.answer()


def connected(stack, setup, server, *load):
    """A client whose connections are open, for as long as the stack."""
    client = stack.enter_context(Client(setup, server, *load))
    if setup.priority:
        servers.raise_priority(client.process.pid)
    client.answer()
    return client


def slices(case, setup, running):
    """The sums of what each server's client measured, slice by slice: A B,
    B A, A B ... so that none is always the first."""
    with contextlib.ExitStack() as stack:
        clients = [connected(stack, setup, server, *case.load)
                   for server in running]
        sums = [{} for _ in clients]
        turns = list(zip(clients, sums))
        for _ in range(max(1, round(setup.seconds / SLICE_SECONDS))):
            for client, total in turns:
                for key, value in client.measure().items():
                    total[key] = total.get(key, 0) + value
            turns.reverse()
        return sums


def cpu(case, setup, running):
    """CPU time of a message, as the scheduler counted it."""
    samples = []
    for total in slices(case, setup, running):
        cost = total["server"] * 1e6 / total["messages"]
        # The total is exact, so only the share is taken from the estimate.
        ticks = total["user"] + total["system"]
        user = cost * total["user"] / ticks if ticks else 0
        samples.append(Sample(cost, {
            "user": user, "system": cost - user,
            "server busy": total["server"] / total["wall"],
            "client busy": total["client"] / total["wall"]}))
    return samples


def user_cpu(case, setup, running):
    """CPU time of a message in user space."""
    return [Sample(sample.details["user"],
                   {"total": sample.value} | sample.details)
            for sample in cpu(case, setup, running)]


def resident(pid):
    """Resident bytes, counted page by page: the counters of
    /proc/PID/status are only kept up to date to some hundred KiB."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * int(re.search(r"^Rss:\s+(\d+) kB", text, re.M)[1])


def idle_memory(case, setup, running):
    """Memory of a connection that has been used once and is idle. What the
    first connection touches, such as code, is touched once for all."""
    samples = []
    for server in running:
        with contextlib.ExitStack() as stack:
            connected(stack, setup, server, "--connections", 1)
            before = resident(server.pid)
            connected(stack, setup, server, *case.load)
            growth = resident(server.pid) - before
        samples.append(Sample(growth / IDLE_CONNECTIONS))
    return samples


CASES = {case.name: case for case in [
    Case("tcp-32-64", "raw tcp, 32 bytes, 64 connections",
         "µs of CPU a message", "tcp",
         ["--size", 32, "--connections", 64], cpu, RATIO, 1.03),
    Case("tcp-32-512", "raw tcp, 32 bytes, 512 connections",
         "µs of CPU a message", "tcp",
         ["--size", 32, "--connections", 512], cpu, RATIO, 1.03),
    Case("tcp-16k-64", "raw tcp, 16 KiB, 64 connections",
         "µs of CPU a message", "tcp",
         ["--size", 16384, "--connections", 64], cpu, RATIO, 1.03),
    Case("text-16", "text, lines of 32 bytes, 16 in flight, 64 connections",
         "µs of user CPU a message", "text",
         ["--protocol", "text", "--size", 32, "--depth", 16,
          "--connections", 64], user_cpu, DIFFERENCE, 0.06),
    Case("connect", "connect, exchange 32 bytes, close; 64 at a time",
         "µs of CPU a connection", "tcp",
         ["--reconnect", "--size", 32, "--connections", 64], cpu, RATIO, 1.05),
    Case("idle", f"memory of an idle connection, of {IDLE_CONNECTIONS:,}",
         "resident bytes a connection", "tcp",
         ["--connections", IDLE_CONNECTIONS], idle_memory, ALONE, 256),
]}
