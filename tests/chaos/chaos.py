#!/usr/bin/env python3
"""Does bad things to a running server at random, and checks every answer.

    scripts/chaos [--seconds N] [--seed N] [--verbose]

The server is tests/integration/UpgradeSubject.cc: lines over TCP, a shared
state, tasks, a program beside its workers. While clients ask it, workers are
killed, stopped, replaced and left without descriptors; the server is reloaded
and becomes other code, good and bad; clients flood it.

What has to hold, all the time:
  - nobody is refused, and no answer is another's, cut in two or out of order;
  - what the server has acknowledged is there afterwards: in every worker;
  - a connection ends without an answer only after something that ends its
    worker; in the gentle third of the time (reloads and upgrades only) every
    question is answered, and connections go from process to process;
and at the end: the same number of descriptors and processes as at the start;
and when it is stopped no process, file, socket or shared memory at all.

Each thing that is done has its time and the seed is printed, so a run can be
done again. Exit status: 0, or 1 with what did not hold.
"""

import argparse
import asyncio
import collections
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import sys
import tempfile
import time

PATIENCE = 25  # seconds for anything that has to come
GENTLE = 10    # of each 30 seconds
WORKERS = 4


class Broken(Exception):
    """A promise that did not hold."""


def children_of(pid):
    try:
        tasks = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in tasks.split()]


def descriptors_of(pid):
    """The kinds of what a process has open, counted."""
    kinds = collections.Counter()
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            kinds[os.readlink(entry.path).split(":")[0].split(" ")[0]] += 1
        except OSError:
            pass
    return kinds


class Server:
    """The program under test, and its commands."""

    def __init__(self, subject, companion):
        self.subject = subject
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="brigade-chaos-"))
        self.run = self.folder / "run"
        self.path = self.folder / "server"
        self.log = self.folder / "server.log"
        self.heard = self.folder / "heard"
        self.companion = companion
        self.version = 0
        self.process = None
        self.port = 0

    def install(self, fault=""):
        """New code, renamed over the old one."""
        self.version += 1
        fresh = self.folder / "fresh"
        shutil.copy(self.subject, fresh)
        with open(fresh, "ab") as file:
            file.write(f"\n#upgrade {self.version} {fault}\n".encode())
        os.rename(fresh, self.path)

    async def start(self):
        self.install()
        environment = dict(os.environ, HEARD=str(self.heard), HANDOVER="yes",
                           COUNTER=f"{self.companion} count 50")
        with open(self.log, "wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                self.path, "start", "--run-dir", self.run, "--listen",
                "text://127.0.0.1:0", "--workers", str(WORKERS),
                "--stop-timeout", "1",
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment, start_new_session=True)
        await self.until_ready()
        self.port = int(self.workers[0]["address"].rsplit(":", 1)[1])

    async def command(self, *words):
        """Its exit status and what it says, by code that is good."""
        process = await asyncio.create_subprocess_exec(
            self.subject, *words, "--run-dir", self.run, "--pid-file",
            self.run / "upgraded.pid", stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT)
        out, _ = await asyncio.wait_for(process.communicate(), 3 * PATIENCE)
        return process.returncode, out.decode(errors="replace")

    async def status(self):
        code, out = await self.command("status", "--json")
        return json.loads(out) if code == 0 else None

    async def until_ready(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.process.returncode is not None:
                raise Broken("the master has ended\n" + self.tail())
            status = await self.status()
            if status and len(status["workers"]) == WORKERS and all(
                    worker["state"] == "ready" for worker in status["workers"]):
                self.workers = status["workers"]
                if status["state"] == "running":
                    return status
            await asyncio.sleep(0.05)
        raise Broken(f"not ready in time: {status}\n{self.tail()}")

    def pids(self):
        """Of worker processes; a guard has another title."""
        found = []
        for pid in children_of(self.process.pid):
            try:
                title = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if b" worker " in title:
                found.append(pid)
        return found

    def tail(self):
        return "\n".join(self.log.read_text().splitlines()[-40:])


class Clients:
    """Ask all the time, and check."""

    def __init__(self, server, report):
        self.server = server
        self.report = report
        self.counts = collections.Counter()
        self.over = False
        self.gentle_since = None
        self.acknowledged = {}

    def is_gentle(self, since):
        """Since before that moment nothing has ended a worker."""
        return self.gentle_since is not None and self.gentle_since < since

    async def open(self):
        try:
            return await asyncio.wait_for(
                asyncio.open_connection("127.0.0.1", self.server.port,
                                        limit=1 << 20), PATIENCE)
        except ConnectionRefusedError as error:
            raise Broken("a client was refused") from error

    async def ask(self, streams, line):
        """The answer; None when the connection has ended."""
        reader, writer = streams
        try:
            writer.write(line.encode() + b"\n")
            answer = await asyncio.wait_for(reader.readline(), PATIENCE)
        except (ConnectionError, BrokenPipeError):
            return None
        except asyncio.TimeoutError as error:
            raise Broken(f"no answer to '{line[:60]}' in time") from error
        if not answer.endswith(b"\n"):
            if answer:
                raise Broken(f"half an answer: {answer[:60]}")
            return None
        return answer[:-1].decode()

    async def once(self, number):
        """A new connection for each question."""
        for n in range(10**9):
            if self.over:
                return
            since = time.monotonic()
            streams = await self.open()
            text = f"{number}.{n}"
            answer = await self.ask(streams, "echo " + text)
            streams[1].close()
            if answer is None:
                if self.is_gentle(since - 1):
                    raise Broken(f"'{text}' was not answered, and nothing "
                                 "had ended a worker")
                self.counts["cut"] += 1
            elif answer != text:
                raise Broken(f"'{text}' was answered '{answer}'")
            else:
                self.counts["asked once"] += 1
            await asyncio.sleep(0.002)

    async def pipelined(self, number):
        """Several questions on their way on one connection."""
        n = 0
        while not self.over:
            opened = time.monotonic()
            reader, writer = await self.open()
            try:
                while not self.over:
                    texts = [f"{number}.{n + i}" for i in range(8)]
                    n += 8
                    writer.write("".join(f"echo {t}\n" for t in texts).encode())
                    for text in texts:
                        answer = await asyncio.wait_for(reader.readline(),
                                                        PATIENCE)
                        if not answer.endswith(b"\n"):
                            raise ConnectionError
                        if answer[:-1].decode() != text:
                            raise Broken(f"'{text}' was answered {answer}")
                        self.counts["pipelined"] += 1
                    await asyncio.sleep(0.005)
            except ConnectionError:
                if self.is_gentle(opened):
                    raise Broken("a pipeline was cut, and nothing had ended "
                                 "a worker") from None
                self.counts["cut"] += 1
            except asyncio.TimeoutError as error:
                raise Broken("a pipeline was not answered in time") from error
            finally:
                writer.close()

    async def writer(self, number):
        """Counts in the shared state: what is acknowledged does not go back."""
        key, tried = f"client{number}", 0
        self.acknowledged[key] = 0
        while not self.over:
            streams = await self.open()
            tried += 1
            if await self.ask(streams, f"set {key} {tried}") == "set":
                self.acknowledged[key] = tried
                self.counts["acknowledged"] += 1
            streams[1].close()
            await self.has(key, self.acknowledged[key], tried)

    async def has(self, key, least, most):
        """Whichever worker is asked has it: at once or when it has heard."""
        deadline = time.monotonic() + PATIENCE
        answer = None
        while time.monotonic() < deadline:
            streams = await self.open()
            answer = await self.ask(streams, f"get {key}")
            streams[1].close()
            if answer is None:
                continue
            value = 0 if answer == "(none)" else int(answer)
            if value > most:
                raise Broken(f"{key} is {value}: nobody has said that")
            if value >= least:
                return
            await asyncio.sleep(0.01)
        raise Broken(f"{key} was acknowledged as {least}, and is '{answer}'")

    async def consumer(self, number):
        """Gives tasks that are to be done, whoever dies."""
        for n in range(10**9):
            if self.over:
                return
            streams = await self.open()
            text = f"task{number}.{n}"
            answer = await self.ask(streams, f"consume 5 {text}")
            streams[1].close()
            if answer is None:
                self.counts["cut"] += 1
            elif answer == "no worker":
                self.counts["nobody for a task"] += 1
            elif not answer.startswith(text + " by "):
                raise Broken(f"{text} was answered '{answer}'")
            else:
                self.counts["tasks"] += 1
            await asyncio.sleep(0.01)

    def tasks(self):
        kinds = [(self.once, 4), (self.pipelined, 3), (self.writer, 2),
                 (self.consumer, 2)]
        number = 0
        for kind, count in kinds:
            for _ in range(count):
                number += 1
                yield kind(number)


class Chaos:
    """What is done to the server."""

    def __init__(self, server, clients, rng, report):
        self.server = server
        self.clients = clients
        self.rng = rng
        self.report = report
        self.done = collections.Counter()
        self.code = asyncio.Lock()  # what lies at the program's place

    async def kill(self):
        pids = self.server.pids()
        if pids:
            os.kill(self.rng.choice(pids), signal.SIGKILL)

    async def kill_all(self):
        for pid in self.server.pids():
            os.kill(pid, signal.SIGKILL)

    async def terminate(self):
        pids = self.server.pids()
        if pids:
            os.kill(self.rng.choice(pids),
                    self.rng.choice([signal.SIGTERM, signal.SIGQUIT]))

    async def stop_and_go(self):
        pids = self.server.pids()
        if not pids:
            return
        pid = self.rng.choice(pids)
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(self.rng.uniform(0.1, 2))
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass  # killed at its deadline

    async def crash(self):
        streams = await self.clients.open()
        await self.clients.ask(streams, "exit 3")
        streams[1].close()

    async def kill_program(self):
        for pid in children_of(self.server.process.pid):
            if pid not in self.server.pids():
                for program in children_of(pid):
                    os.kill(program, signal.SIGKILL)

    async def order(self):
        index = str(self.rng.randint(1, WORKERS))
        await self.server.command("stop-worker", index)
        await self.server.command("start-worker", index)

    async def flood(self):
        """Who asks much and reads nothing."""
        streams = [await self.clients.open() for _ in range(20)]
        for _, writer in streams:
            writer.write(b"echo " + b"x" * 1000 + b"\n")
            writer.write((b"echo " + b"y" * 200 + b"\n") * 500)
        await asyncio.sleep(self.rng.uniform(0.1, 1))
        for _, writer in streams:
            writer.transport.abort()

    async def garbage(self):
        streams = await self.clients.open()
        streams[1].write(self.rng.randbytes(20000))
        await asyncio.sleep(0.05)
        streams[1].transport.abort()

    async def exhaust(self):
        """No descriptor is left, in one process or in the master."""
        pid = self.rng.choice(self.server.pids() + [self.server.process.pid])
        try:
            used = max(int(entry.name) for entry in
                       os.scandir(f"/proc/{pid}/fd")) + 1
            before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, before[1]))
            await asyncio.sleep(self.rng.uniform(0.1, 1))
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        except (ProcessLookupError, FileNotFoundError, PermissionError):
            pass  # it has ended meanwhile

    async def reload(self):
        await self.server.command("reload")

    async def hup(self):
        for _ in range(self.rng.randint(1, 20)):
            os.kill(self.server.process.pid, signal.SIGHUP)

    async def replace(self):
        await self.server.command("restart-worker",
                                  str(self.rng.randint(1, WORKERS)))

    async def upgrade(self):
        async with self.code:
            self.server.install()
            await self.server.command(self.rng.choice(["reload", "upgrade"]))

    async def bad_upgrade(self):
        async with self.code:
            self.server.install(self.rng.choice(
                ["check-exit", "check-crash", "no-start", "no-start-2",
                 "master-throws", "adopt-throws", "other-worker"]))
            code, _ = await self.server.command("upgrade")
            self.server.install()
            if code == 0:
                raise Broken("an upgrade to bad code has succeeded")

    ROUGH = ["kill", "kill", "kill_all", "terminate", "stop_and_go", "crash",
             "kill_program", "order", "flood", "garbage", "exhaust", "reload",
             "hup", "upgrade", "upgrade", "bad_upgrade"]
    GENTLE = ["reload", "hup", "replace", "upgrade", "bad_upgrade"]

    async def do(self, name):
        self.report(f"{name}")
        self.done[name] += 1
        try:
            await getattr(self, name)()
        except ProcessLookupError:
            pass  # it has ended by itself just now

    async def go_on(self, until):
        begun = time.monotonic()
        while time.monotonic() < until:
            gentle = (time.monotonic() - begun) % 30 > 30 - GENTLE
            if gentle and self.clients.gentle_since is None:
                await self.server.until_ready()
                self.clients.gentle_since = time.monotonic()
                self.report("from here on gently")
            elif not gentle and self.clients.gentle_since is not None:
                self.clients.gentle_since = None
                self.report("from here on roughly")
            names = [self.rng.choice(self.GENTLE if gentle else self.ROUGH)
                     for _ in range(1 if gentle else self.rng.randint(1, 3))]
            await asyncio.gather(*(self.do(name) for name in names))
            await asyncio.sleep(self.rng.uniform(0, 0.5))


async def compare(server, before):
    """The same processes and descriptors as at the start."""
    deadline = time.monotonic() + PATIENCE
    while True:
        await server.until_ready()
        now = descriptors_of(server.process.pid)
        processes = len(children_of(server.process.pid))
        if now == before[0] and processes == before[1]:
            return
        if time.monotonic() > deadline:
            raise Broken(f"the master has {dict(now)}, {processes} children; "
                         f"at the start {dict(before[0])}, {before[1]}")
        await asyncio.sleep(0.1)


def left_behind(server, shared_before):
    marks = str(server.run).encode()
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if str(server.heard).encode() in environment:
            yield f"process {entry.name}: " + (entry / "cmdline").read_text()
    for path in server.run.iterdir() if server.run.exists() else []:
        if path.suffix != ".log":
            yield f"file {path.name}"
    for name in set(os.listdir("/dev/shm")) - shared_before:
        if "brigade" in name:
            yield f"shared memory {name}"
    if marks in pathlib.Path("/proc/net/unix").read_bytes():
        yield "a Unix socket"


async def run(options):
    begun = time.monotonic()

    def report(text):
        if options.verbose:
            print(f"{time.monotonic() - begun:8.3f} {text}", flush=True)

    shared_before = set(os.listdir("/dev/shm"))
    server = Server(options.subject, options.companion)
    clients = Clients(server, report)
    try:
        await server.start()
        # The first upgrade has what all that follow have.
        await server.command("upgrade")
        await server.until_ready()
        before = (descriptors_of(server.process.pid),
                  len(children_of(server.process.pid)))
        chaos = Chaos(server, clients, random.Random(options.seed), report)
        asking = [asyncio.create_task(each) for each in clients.tasks()]
        doing = asyncio.create_task(
            chaos.go_on(time.monotonic() + options.seconds))
        # A client ends only by a promise that did not hold.
        await asyncio.wait([doing, *asking],
                           return_when=asyncio.FIRST_COMPLETED)
        clients.over = True
        await asyncio.gather(doing, *asking)
        for key, value in clients.acknowledged.items():
            await clients.has(key, value, 10**9)
        await compare(server, before)
        status = await server.status()
        code, said = await server.command("stop")
        if code != 0:
            raise Broken(f"stop: {said}")
        if await asyncio.wait_for(server.process.wait(), PATIENCE) != 0:
            raise Broken("the master has not ended well")
        left = list(left_behind(server, shared_before))
        if left:
            raise Broken("left behind: " + ", ".join(left))
        report_end(chaos, clients, status)
    except Broken as broken:
        print(f"chaos, seed {options.seed}: {broken}", file=sys.stderr)
        print(server.tail(), file=sys.stderr)
        return 1
    finally:
        if server.process and server.process.returncode is None:
            server.process.kill()
            await server.process.wait()
        if not options.keep:
            shutil.rmtree(server.folder, ignore_errors=True)
    return 0


def report_end(chaos, clients, status):
    done = ", ".join(f"{name} {n}" for name, n in sorted(chaos.done.items()))
    asked = ", ".join(f"{name} {n}" for name, n in clients.counts.items())
    print(f"done to it: {done}")
    print(f"clients: {asked}; upgrades {status['upgrades']}, restarts "
          f"{sum(worker['restarts'] for worker in status['workers'])}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int,
                        default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--keep", action="store_true",
                        help="keep the folder, with the log")
    parser.add_argument("--subject", required=True)
    parser.add_argument("--companion", required=True)
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.seconds:.0f} s", flush=True)
    sys.exit(asyncio.run(run(options)))


if __name__ == "__main__":
    main()
