"""The servers that can be compared: how each is started, and how its port and
the process that does the work are found. A new one is a new row of SERVERS."""

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
ECHO = BUILD / "examples" / "echo"
HELLO = BUILD / "examples" / "hello"

START_SECONDS = 15
STOP_SECONDS = 10
# For 10,000 connections, and some to spare.
DESCRIPTORS = 12_000


class BenchError(Exception):
    """Something without which there are no figures; the text says what."""


@dataclasses.dataclass
class Running:
    """A server that serves: where, and which process is measured."""
    name: str
    pid: int
    port: int


@dataclasses.dataclass
class Server:
    """`command` stays in the foreground; {protocol} in it becomes what the case
    speaks, {directory} an empty directory of its own, {program} the example of
    brigade for that protocol. `locate` is given its process and that directory,
    and finds pid and port of what is Running. `files` are written into the
    directory first, with the same words replaced."""
    name: str
    command: list[str]
    locate: Callable[[subprocess.Popen, str], tuple[int, int]]
    files: dict[str, str] = dataclasses.field(default_factory=dict)


def from_first_line(process, _directory):
    """For a server of one process that prints its port first."""
    ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    line = process.stdout.readline() if ready else ""
    if not line.strip().isdigit():
        raise BenchError(f"did not print its port, but {line!r}")
    return process.pid, int(line)


def from_status(process, directory):
    """For an example of brigade, which tells when asked."""
    program = next(word for word in process.args
                   if word in (str(ECHO), str(HELLO)))
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        answer = subprocess.run(
            [program, "status", "--json", "--run-dir", directory],
            capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            worker = json.loads(answer.stdout)["workers"][0]
            if worker["state"] == "ready" and worker["address"]:
                return worker["pid"], int(worker["address"].rsplit(":", 1)[1])
        time.sleep(0.05)
    raise BenchError("has no worker that is ready")


def brigade(name, *options):
    """A row for brigade's echo example with some options."""
    return Server(name, ["{program}", "start", "--workers", "1",
                         "--listen", "{protocol}://127.0.0.1:0",
                         "--run-dir", "{directory}", *options], from_status)


def from_settings(process, directory):
    """For nginx, which serves when it has written its pid."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if pathlib.Path(directory, "pid").exists():
            settings = pathlib.Path(directory, "nginx.conf").read_text()
            return process.pid, int(re.search(r"127.0.0.1:(\d+)", settings)[1])
        time.sleep(0.05)
    raise BenchError("does not start")


def free_port():
    """One that nobody listens on, for a server that lets nobody pick one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# As cheap as it can answer: from memory, in one process, without a log.
NGINX = """
daemon off;
master_process off;
error_log stderr;
pid {directory}/pid;
events {{ worker_connections 12000; }}
http {{
  access_log off;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  keepalive_timeout 3600;
  default_type text/plain;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ return 200 "Hello, World!"; }}
  }}
}}
"""

SERVERS = {server.name: server for server in [
    Server("nginx", ["nginx", "-p", "{directory}", "-c", "nginx.conf"],
           from_settings, {"nginx.conf": NGINX}),
    Server("bare-epoll", [str(BUILD / "benchmarks" / "bench_bare_epoll"),
                          "{protocol}", "0"], from_first_line),
    brigade("brigade"),
    brigade("brigade-epoll", "--event", "epoll"),
]}


def find(text):
    """A row by its name; other text is a command that prints its port."""
    if text in SERVERS:
        server = SERVERS[text]
        if text == "nginx" and not shutil.which("nginx"):
            raise BenchError("needs nginx: apt-get install nginx-light (whose "
                             "service starts by itself)")
        return server
    command = text.split()
    if not command or not shutil.which(command[0]):
        raise BenchError(f"no such server or command: {text!r}; servers are "
                         + ", ".join(SERVERS))
    return Server(pathlib.Path(command[0]).name, command, from_first_line)


def on_core(core, command):
    """The command, kept to one processor and ended with this process."""
    return ["setpriv", "--pdeathsig", "TERM", "taskset", "--cpu-list",
            str(core), *map(str, command)]


def raise_priority(pid):
    """Puts the session of a process before all others, where permitted: with
    autogroups, sched(7), the niceness of a process counts only within it."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, -20)
        pathlib.Path(f"/proc/{pid}/autogroup").write_text("-20")


def raise_descriptor_limit():
    """Lets this process, and those it starts, open 10,000 connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= DESCRIPTORS:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE,
                           (DESCRIPTORS, max(hard, DESCRIPTORS)))
    except (OSError, ValueError):
        raise BenchError(f"may open only {hard} descriptors, and needs "
                         f"{DESCRIPTORS}: see `ulimit -Hn`") from None


def end(process):
    """Stops a server, and waits until it and all its children are gone."""
    if process.returncode is None:
        os.kill(process.pid, signal.SIGTERM)
        handle = os.pidfd_open(process.pid)
        select.select([handle], [], [], STOP_SECONDS)
        os.close(handle)
    # What it left behind; as a rule nothing.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def running(server, protocol, setup):
    """Runs a server for the time of a `with` block; gives what is Running."""
    with tempfile.TemporaryDirectory(prefix="brigade-bench-") as directory, \
            tempfile.TemporaryFile("w+") as errors:
        words = {"protocol": protocol, "directory": directory,
                 "program": str(HELLO if protocol == "http" else ECHO),
                 "port": free_port()}
        for name, text in server.files.items():
            pathlib.Path(directory, name).write_text(text.format(**words))
        command = [word.format(**words) for word in server.command]
        process = subprocess.Popen(
            on_core(setup.server_core, command), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
            start_new_session=True)
        try:
            if setup.priority:
                raise_priority(process.pid)
            try:
                found = server.locate(process, directory)
            except BenchError as error:
                errors.seek(0)
                raise BenchError(f"{server.name} {error}\n{errors.read()}"
                                 ) from None
            yield Running(server.name, *found)
        finally:
            end(process)
            process.stdout.close()
