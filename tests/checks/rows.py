#!/usr/bin/env python3
"""Fails when docs/reference-systems.md names a test that is not there under its
row, or leaves out one that carries the number of a row in its name.

    tests/checks/rows.py [ROOT]
"""

import collections
import pathlib
import re
import sys

from includes import sources

PAGE = "docs/reference-systems.md"
TEST = re.compile(r"TEST(?:_F|_P)?\(\w+,\s*((?:[CMNPTWX]\d\d_)+)(\w+)\)")
LINE = re.compile(r"^\| ([CMNPTWX]-\d\d) \|.*?\| (.*?) \|.*\|$", re.MULTILINE)
NAME = re.compile(r"\b(?:[CMNPTWX]\d\d_)+\w+")


def tests_by_row(root):
    """The tests of each row, as their names say."""
    rows = collections.defaultdict(set)
    for path in sources(root, "tests"):
        if not path.name.endswith("Test.cc"):
            continue
        for numbers, name in TEST.findall((root / path).read_text()):
            for number in numbers.strip("_").split("_"):
                rows[f"{number[0]}-{number[1:]}"].add(numbers + name)
    return rows


def named_by_row(text):
    """The tests of each row, as the page has them."""
    return {row: set(NAME.findall(tests)) for row, tests in LINE.findall(text)}


def check(root):
    """All errors of a tree, as lines."""
    root = pathlib.Path(root)
    page = root / PAGE
    there = tests_by_row(root)
    named = named_by_row(page.read_text()) if page.exists() else {}
    errors = []
    for row in sorted(set(there) | set(named)):
        errors += [f"{PAGE}: {row}: does not name {name}" for name in
                   sorted(there.get(row, set()) - named.get(row, set()))]
        errors += [f"{PAGE}: {row}: there is no test {name}" for name in
                   sorted(named.get(row, set()) - there.get(row, set()))]
    return errors


if __name__ == "__main__":
    found = check(sys.argv[1] if len(sys.argv) > 1 else ".")
    sys.exit("\n".join(found) if found else 0)
