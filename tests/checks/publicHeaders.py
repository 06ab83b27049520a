#!/usr/bin/env python3
"""Fails when a public header (one that src/brigade.h reaches) lies in a
detail/ folder, or shows something of a third party: an include, a type, a
macro. With --installed also when the headers below that folder are not exactly
the public ones, or differ.

    tests/checks/publicHeaders.py [--installed PREFIX/include] [ROOT]
"""

import argparse
import pathlib
import re
import sys

from includes import code, includes, is_third_party, public_headers

# Names that the libraries below brigade put into a program.
FOREIGN = re.compile(
    r"\b(ev_\w+|EV_\w+|spdlog|SPDLOG_\w+|fmt::|nlohmann|CLI::|"
    r"SSL(_\w+)?|EVP_\w+|X509\w*|BIO(_\w+)?|z_stream|gz\w+File|"
    r"ares_\w+|setproctitle)\b")


def header_errors(src, name):
    """What is wrong with one public header."""
    if not (src / name).is_file():
        yield f"src/{name}: is included, and is not there"
        return
    if "detail" in pathlib.PurePath(name).parts:
        yield f"src/{name}: private, and yet a public header includes it"
    for include in includes(src / name):
        if is_third_party(include):
            yield f"src/{name}:{include.line}: includes <{include.name}>"
    for number, text in enumerate(code(src / name).splitlines(), 1):
        match = FOREIGN.search(text)
        if match and not text.lstrip().startswith("#"):
            yield f"src/{name}:{number}: shows {match[0]}"


def installed_errors(root, installed):
    """How the installed headers differ from the public ones."""
    public = set(public_headers(root))
    top = installed / "brigade"
    there = {path.relative_to(top).as_posix()
             for path in top.rglob("*") if path.is_file()}
    yield from (f"{name}: public, not installed"
                for name in sorted(public - there))
    yield from (f"{name}: installed, not public"
                for name in sorted(there - public))
    for name in sorted(public & there):
        if (top / name).read_bytes() != (root / "src" / name).read_bytes():
            yield f"{name}: the installed copy differs"


def check(root, installed=None):
    """All errors of a tree, as lines."""
    root = pathlib.Path(root)
    errors = []
    for name in public_headers(root):
        errors += header_errors(root / "src", name)
    if installed is not None:
        errors += installed_errors(root, pathlib.Path(installed))
    return errors


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--installed")
    parser.add_argument("root", nargs="?", default=".")
    arguments = parser.parse_args()
    found = check(arguments.root, arguments.installed)
    sys.exit("\n".join(found) if found else 0)
