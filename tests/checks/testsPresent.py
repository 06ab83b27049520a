#!/usr/bin/env python3
"""Fails when a source of src/ has no test of its name, or when a *Test.cc is
not in the build.

    tests/checks/testsPresent.py [--build BUILD] [ROOT]

src/X/Y.cc is tested in tests/X/YTest.cc, or by whole programs in
tests/integration/YTest.cc. What is in a detail/ folder may be tested through
what uses it.
"""

import argparse
import pathlib
import sys

from includes import sources


def missing_tests(root):
    """The sources that nothing tests by name."""
    for path in sources(root, "src"):
        if path.suffix != ".cc" or "detail" in path.parts:
            continue
        folder = pathlib.Path("tests", path.parts[1])
        name = f"{path.stem}Test.cc"
        if not any((root / place / name).is_file()
                   for place in (folder, "tests/integration")):
            yield f"{path}: is tested nowhere: there is no {folder / name}"


def forgotten_tests(root, build):
    """The tests that the build knows nothing of."""
    inputs = set((build / "build.ninja").read_text().split())
    top = root.resolve()
    for path in sources(root, "tests"):
        if path.name.endswith("Test.cc") and str(top / path) not in inputs:
            yield f"{path}: is not in {build}"


def check(root, build=None):
    """All errors of a tree, as lines."""
    root = pathlib.Path(root)
    errors = list(missing_tests(root))
    if build is not None:
        errors += forgotten_tests(root, pathlib.Path(build))
    return errors


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--build")
    parser.add_argument("root", nargs="?", default=".")
    arguments = parser.parse_args()
    found = check(arguments.root, arguments.build)
    sys.exit("\n".join(found) if found else 0)
