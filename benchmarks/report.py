"""How the figures look: sums over rounds, and the table of a case."""

import statistics

from cases import CASES
from processes import TREE_CASES


def summarize(samples):
    """Median, least and most of a server's values, median of each detail."""
    values = [sample.value for sample in samples]
    return {"median": statistics.median(values), "min": min(values),
            "max": max(values),
            "details": {key: statistics.median(sample.details[key]
                                               for sample in samples)
                        for key in samples[0].details},
            "rounds": [{"value": sample.value} | sample.details
                       for sample in samples]}


def number(value):
    """Three digits behind the point where they mean something."""
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.1f}"


def row(name, summary):
    """A line of the table for one server."""
    columns = [summary["median"], summary["min"], summary["max"]]
    details = [f"{key} {value:.0%}" if key.endswith("busy")
               else f"{key} {number(value)}"
               for key, value in summary["details"].items()]
    return ("  " + f"{name:14}" + "".join(f"{number(value):>9}"
                                          for value in columns)
            + "   " + ", ".join(details)).rstrip()


def print_head(outcome):
    """What a case is, and the head of its table."""
    print(f"\n{outcome['case']}: {outcome['title']}: {outcome['unit']}")
    print(f"{'':16}{'median':>9}{'min':>9}{'max':>9}")


def print_tree_case(outcome):
    """A case that compares with nothing, as a table."""
    print_head(outcome)
    print(row("brigade", outcome["server"]))
    least = "least" if TREE_CASES[outcome["case"]].rate else "most"
    print(f"  goal at {least} {outcome['goal']:g}: "
          f"{'met' if outcome['met'] else 'MISSED'}", flush=True)


def print_case(outcome):
    """A case as a table."""
    unit = CASES[outcome["case"]].judgement.unit
    print_head(outcome)
    for name, side in zip(outcome["names"], ("baseline", "server")):
        print(row(name, outcome[side]))
    print(f"  {outcome['judgement']} {number(outcome['result'])}{unit} "
          f"(rounds: {number(outcome['min'])} to {number(outcome['max'])}), "
          f"goal at most {outcome['goal']:g}: "
          f"{'met' if outcome['met'] else 'MISSED'}", flush=True)
