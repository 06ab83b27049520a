#!/usr/bin/env python3
"""Fails when a header of src/ does not compile alone, as the first and only
include of a file.

    tests/checks/headersAlone.py [ROOT]         the compiler is $CXX, or g++
"""

import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile

from includes import sources

FLAGS = ["-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion",
         "-Wshadow", "-Werror", "-fsyntax-only", "-x", "c++", "-"]


def compile_errors(include_dir, path):
    """What the compiler says of one header."""
    name = path.relative_to("src")
    # Twice: the second time must be empty.
    text = f'#include "brigade/{name}"\n' * 2
    result = subprocess.run(
        [os.environ.get("CXX", "g++"), "-I", include_dir, *FLAGS], input=text,
        capture_output=True, text=True, check=False)
    return [f"{path}: does not compile alone\n{result.stderr}"
            ] if result.returncode else []


def check(root):
    """All errors of a tree, as lines."""
    root = pathlib.Path(root).resolve()
    headers = [path for path in sources(root, "src") if path.suffix == ".h"]
    with tempfile.TemporaryDirectory() as include_dir:
        (pathlib.Path(include_dir) / "brigade").symlink_to(root / "src")
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            found = pool.map(lambda path: compile_errors(include_dir, path),
                             headers)
            return [error for errors in found for error in errors]


if __name__ == "__main__":
    found = check(sys.argv[1] if len(sys.argv) > 1 else ".")
    sys.exit("\n".join(found) if found else 0)
