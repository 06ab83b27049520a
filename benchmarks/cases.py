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
BYTES = Judgement("value", " bytes", lambda _base, value: value, 0, 1024)
TIME = Judgement("value", " µs", lambda _base, value: value, 0, 100)


# Where the client's name of a protocol is not that of the server's address.
SCHEMES = {"raw": "tcp", "websocket-binary": "websocket"}


@dataclasses.dataclass
class Case:
    """`protocol` is what the client calls it. `measure` gives a round's samples of servers that run, in their order;
    `goal` is the most that the judgement may come to. The baseline has the
    same load unless `base_protocol` is another one: then it echoes as many
    bytes."""
    name: str
    title: str
    unit: str
    protocol: str
    load: list
    measure: Callable
    judgement: Judgement
    goal: float
    baseline: str = "bare-epoll"
    base_protocol: str = ""

    def scheme_of(self, server):
        """Of a server's address, for this case."""
        protocol = self.protocol_of(server.name)
        return SCHEMES.get(protocol, protocol)

    def protocol_of(self, name):
        """What the client speaks with the server of that name."""
        other = self.base_protocol and name == self.baseline
        return self.base_protocol if other else self.protocol


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


def connected(stack, case, setup, server, *load):
    """A client whose connections are open, for as long as the stack."""
    client = stack.enter_context(Client(
        setup, server, "--protocol", case.protocol_of(server.name), *load))
    if setup.priority:
        servers.raise_priority(client.process.pid)
    client.answer()
    return client


def slices(case, setup, running):
    """The sums of what each server's client measured, slice by slice: A B,
    B A, A B ... so that none is always the first."""
    with contextlib.ExitStack() as stack:
        clients = [connected(stack, case, setup, server, *case.load)
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
            connected(stack, case, setup, server, "--connections", 1)
            before = resident(server.pid)
            connected(stack, case, setup, server, *case.load)
            growth = resident(server.pid) - before
        samples.append(Sample(growth / IDLE_CONNECTIONS))
    return samples


def idle(name, protocol, goal):
    """The case of memory that an idle connection takes."""
    return Case(name, f"memory of an idle connection, {protocol}, of "
                f"{IDLE_CONNECTIONS:,}", "resident bytes a connection",
                protocol, ["--connections", IDLE_CONNECTIONS], idle_memory,
                BYTES, goal, base_protocol="raw")


CASES = {case.name: case for case in [
    Case("tcp-32-64", "raw tcp, 32 bytes, 64 connections",
         "µs of CPU a message", "raw",
         ["--size", 32, "--connections", 64], cpu, RATIO, 1.03),
    Case("tcp-32-512", "raw tcp, 32 bytes, 512 connections",
         "µs of CPU a message", "raw",
         ["--size", 32, "--connections", 512], cpu, RATIO, 1.03),
    Case("tcp-16k-64", "raw tcp, 16 KiB, 64 connections",
         "µs of CPU a message", "raw",
         ["--size", 16384, "--connections", 64], cpu, RATIO, 1.03),
    Case("text-16", "text, lines of 32 bytes, 16 in flight, 64 connections",
         "µs of user CPU a message", "text",
         ["--size", 32, "--depth", 16, "--connections", 64], user_cpu, DIFFERENCE, 0.06),
    Case("connect", "connect, exchange 32 bytes, close; 64 at a time",
         "µs of CPU a connection", "raw",
         ["--reconnect", "--size", 32, "--connections", 64], cpu, RATIO, 1.05),
    idle("idle", "raw", 256),
    Case("http-64", "HTTP, GET / of 13 bytes, 64 connections",
         "µs of CPU a request", "http",
         ["--connections", 64], cpu, RATIO, 1.04),
    Case("http-64-user", "HTTP, GET / of 13 bytes, 64 connections",
         "µs of user CPU a request", "http",
         ["--connections", 64], user_cpu, TIME, 0.25),
    Case("http-16", "HTTP, GET / of 13 bytes, 16 pipelined, 64 connections",
         "µs of CPU a request", "http",
         ["--depth", 16, "--connections", 64], cpu, RATIO, 1.10),
    Case("http-64-nginx", "HTTP, GET / of 13 bytes, 64 connections",
         "µs of CPU a request", "http",
         ["--connections", 64], cpu, RATIO, 0.85, baseline="nginx"),
    Case("http-16-nginx",
         "HTTP, GET / of 13 bytes, 16 pipelined, 64 connections",
         "µs of CPU a request", "http",
         ["--depth", 16, "--connections", 64], cpu, RATIO, 0.10,
         baseline="nginx"),
    idle("idle-http", "http", 400),
    Case("ws-64", "WebSocket, texts of 20 bytes, 64 connections; beside raw",
         "µs of user CPU a message", "websocket",
         ["--size", 20, "--connections", 64], user_cpu, TIME, 0.22,
         base_protocol="raw"),
    Case("ws-16", "WebSocket, texts of 20 bytes, 16 in flight, 64 connections; "
         "beside raw", "µs of CPU a message", "websocket",
         ["--size", 20, "--depth", 16, "--connections", 64], cpu, TIME, 0.30,
         base_protocol="raw"),
    Case("ws-16k", "WebSocket, binary, 16 KiB, 64 connections; beside raw",
         "µs of CPU a message", "websocket-binary",
         ["--size", 16384, "--connections", 64], cpu, RATIO, 1.12,
         base_protocol="raw"),
    idle("idle-ws", "websocket", 400),
]}
