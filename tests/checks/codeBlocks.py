#!/usr/bin/env python3
"""The programs in the project's pages: the ```cpp blocks with an `int main`.

    tests/checks/codeBlocks.py --first PAGE     prints the first one of a page
    tests/checks/codeBlocks.py [ROOT]           compiles all of all pages

The compiler is $CXX, or g++.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

FLAGS = ["-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
         "-x", "c++", "-"]
_BLOCK = re.compile(r"^```cpp\n(.*?)^```", re.M | re.S)


def programs(page):
    """(first line, text) of each program in a page."""
    text = page.read_text()
    return [(text.count("\n", 0, match.start(1)) + 1, match[1])
            for match in _BLOCK.finditer(text) if "int main(" in match[1]]


def pages(root):
    """README.md, those of the folders, and docs/."""
    folders = ("src", "examples", "tests", "benchmarks", "fuzz")
    below = [page for folder in folders
             for page in (root / folder).rglob("README.md")]
    return [root / "README.md", *sorted((root / "docs").rglob("*.md")),
            *sorted(below)]


def check(root):
    """All errors of a tree, as lines."""
    root = pathlib.Path(root).resolve()
    errors = []
    with tempfile.TemporaryDirectory() as include_dir:
        (pathlib.Path(include_dir) / "brigade").symlink_to(root / "src")
        for page in filter(pathlib.Path.is_file, pages(root)):
            for line, text in programs(page):
                result = subprocess.run(
                    [os.environ.get("CXX", "g++"), "-I", include_dir, *FLAGS],
                    input=text, capture_output=True, text=True, check=False)
                if result.returncode:
                    errors.append(f"{page.relative_to(root)}:{line}: does not "
                                  f"compile\n{result.stderr}")
    return errors


def first(page):
    """The text of a page's first program."""
    found = programs(pathlib.Path(page))
    if not found:
        sys.exit(f"{page}: no program in it")
    return found[0][1]


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--first":
        sys.stdout.write(first(sys.argv[2]))
        sys.exit(0)
    found = check(sys.argv[1] if len(sys.argv) > 1 else ".")
    sys.exit("\n".join(found) if found else 0)
