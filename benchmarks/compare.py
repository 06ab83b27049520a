"""Compares servers with the bare epoll server; see scripts/bench and
README.md beside this file."""

import argparse
import contextlib
import dataclasses
import json
import os
import signal
import statistics
import sys

import processes
import servers
from cases import CASES
from processes import TREE_CASES
from report import number, print_case, print_tree_case, summarize
from servers import BenchError


@dataclasses.dataclass
class Setup:
    """How a run is made, the same for all its cases."""
    server_core: int
    client_core: int
    priority: bool
    seconds: float


def parse(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="What brigade costs: CPU time of the server, beside that "
        "of a bare epoll server under the same load.",
        epilog="Cases:\n" + "\n".join(
            f"  {case.name:14} {case.title}" for case in (*CASES.values(), *TREE_CASES.values()))
        + "\n\nServers: " + ", ".join(servers.SERVERS) + ", or a command that "
        "prints its port in\nits first line; {protocol} in it becomes tcp, text, "
        "http or websocket.",
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE",
                        help="only these (all of them)")
    parser.add_argument("--rounds", type=int, default=7, metavar="N",
                        help="of each server in each case (7)")
    parser.add_argument("--seconds", type=float, default=2, metavar="S",
                        help="length of a round, for each server (2)")
    parser.add_argument("--server", default="brigade", metavar="NAME|COMMAND",
                        help="what is compared (brigade)")
    parser.add_argument("--self-test", action="store_true",
                        help="compare the bare server with itself: shows how "
                        "much is noise here; fails when that is too much")
    parser.add_argument("--cores", metavar="SERVER,CLIENT",
                        help="processors to use (the last two)")
    parser.add_argument("--no-priority", action="store_true",
                        help="share the processors fairly with whatever else "
                        "runs; without it, as root, the benchmark goes first")
    parser.add_argument("--json", action="store_true",
                        help="print JSON: every round of every case")
    options = parser.parse_args(arguments)
    known = CASES if options.self_test else CASES | TREE_CASES
    unknown = set(options.cases) - set(known)
    if unknown:
        parser.error(f"no such case: {', '.join(sorted(unknown))}; there are "
                     + ", ".join(known))
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds and --seconds must be above 0")
    return options


def pick_cores(text):
    """Processors for server and client, the last two unless told."""
    allowed = sorted(os.sched_getaffinity(0))
    try:
        server, client = ([int(word) for word in text.split(",")] if text
                          else (allowed[-1], allowed[-2]))
        if server == client or not {server, client} <= set(allowed):
            raise ValueError
    except (ValueError, IndexError):
        raise BenchError("needs two processors, one for the server and one "
                         f"for the client; may use {allowed}") from None
    return server, client


def round_of(case, setup, pair):
    """One round: a sample of each server. They are started anew for it: where
    the memory of a process happens to lie makes it faster or slower, and in
    several rounds that evens out."""
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(
            servers.running(server, case.scheme_of(server), setup))
            for server in pair]
        return case.measure(case, setup, running)


def run(case, setup, server, rounds):
    """All of a case, as what --json prints; without a server, of the baseline
    with itself."""
    base = servers.find(case.baseline)
    samples = [round_of(case, setup, [base, server or base])
               for _ in range(rounds)]
    compared = [case.judgement.compare(first.value, second.value)
                for first, second in samples]
    result = statistics.median(compared)
    return {"case": case.name, "title": case.title, "unit": case.unit,
            "names": [base.name, (server or base).name],
            "baseline": summarize([first for first, _ in samples]),
            "server": summarize([second for _, second in samples]),
            "judgement": case.judgement.name, "result": result,
            "min": min(compared), "max": max(compared), "goal": case.goal,
            "met": result <= case.goal}


def run_tree(case, setup, rounds):
    """The same of a case that is compared with nothing."""
    samples = []
    for _ in range(rounds):
        with processes.running(case, setup) as tree:
            samples.append(case.measure(tree, setup))
    summary = summarize(samples)
    return {"case": case.name, "title": case.title, "unit": case.unit,
            "server": summary, "result": summary["median"], "goal": case.goal,
            "met": case.met(summary["median"])}


def runnable(options):
    """The cases to run unless some are named: those whose baseline is
    installed; says which are not. Of another server only those that compare."""
    for name, case in CASES.items():
        try:
            servers.find(case.baseline)
        except BenchError as reason:
            print(f"\n{name} is left out: {reason}", file=sys.stderr)
        else:
            yield name
    if options.server == "brigade" and not options.self_test:
        yield from TREE_CASES


def noise_errors(outcomes):
    """Where a server compared with itself does not seem even."""
    for outcome in outcomes:
        judgement = CASES[outcome["case"]].judgement
        if abs(outcome["result"] - judgement.even) > judgement.noise:
            yield (f"{outcome['case']}: {judgement.name} "
                   f"{number(outcome['result'])}")


def main(arguments):
    """Runs what the command line asks for; the exit status."""
    options = parse(arguments)
    servers.raise_descriptor_limit()
    server = None if options.self_test else servers.find(options.server)
    core, client_core = pick_cores(options.cores)
    setup = Setup(core, client_core, not options.no_priority, options.seconds)
    outcomes = []
    if not options.json:
        print(f"{options.rounds} rounds of {options.seconds:g} s a server; "
              f"servers on processor {core}, clients on {client_core}")
    for name in options.cases or runnable(options):
        if name in TREE_CASES:
            outcome = run_tree(TREE_CASES[name], setup, options.rounds)
        else:
            outcome = run(CASES[name], setup, server, options.rounds)
        outcomes.append(outcome)
        if not options.json:
            (print_tree_case if name in TREE_CASES else print_case)(outcome)
    if options.json:
        print(json.dumps({"cases": outcomes}, indent=2, ensure_ascii=False))
    if options.self_test:
        errors = list(noise_errors(outcomes))
        if errors:
            raise BenchError("too much noise: " + "; ".join(errors))


if __name__ == "__main__":
    # As an exception it passes every `finally` on its way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        main(sys.argv[1:])
    except BenchError as failure:
        sys.exit(f"scripts/bench: {failure}".strip())
    except KeyboardInterrupt:
        sys.exit(130)
