#!/usr/bin/env python3
"""Fails on an include that goes against the layers: up, sideways, or into
another folder's detail/; and on a third-party header outside its one home.

    tests/checks/layers.py [ROOT]
"""

import collections
import pathlib
import re
import sys

from includes import includes, is_third_party, sources

# Each folder of src/, and those it may include beside itself.
LAYERS = {
    "Events": set(),
    "Protocol": set(),
    "Connection": {"Events", "Protocol"},
    "Process": {"Events"},
    "Worker": {"Events", "Protocol", "Connection", "Process"},
}

# Third-party headers, and the files that may include them. With ONE_FILE only
# one of those files may.
Home = collections.namedtuple("Home", "headers files rule")
ONE_FILE, ANY_FILE = "one file", "any file"
HOMES = [
    Home(r"ev\.h|libev/.*", r"src/Events/LibevLoop\.cc", ONE_FILE),
    # Of the compiler: the names of types.
    Home(r"cxxabi\.h", r"src/Events/ExceptionText\.cc", ONE_FILE),
    Home(r"openssl/evp\.h",
         r"src/Protocol/WebSocketHandshake\.cc|examples/.*", ANY_FILE),
    Home(r"zlib\.h", r"src/Protocol/(detail/Deflate|Gzip)\.cc|tests/.*|"
                    r"src/Worker/FileSessionStore\.cc", ANY_FILE),
    Home(r"CLI/.*", r"src/Worker/.*\.cc", ONE_FILE),
    Home(r"toml\+\+/.*", r"src/Worker/.*\.cc", ONE_FILE),
    Home(r"spdlog/.*", r"src/Worker/.*\.cc", ONE_FILE),
    Home(r"llhttp\.h", r"tests/support/HttpOracle\.cc", ONE_FILE),
    Home(r"nlohmann/.*", r"src/Worker/.*\.cc|examples/.*", ANY_FILE),
]
# What only tests, benchmarks and fuzz targets use, and what they use freely.
TOOLS = re.compile(r"(gtest|gmock|benchmark|nlohmann)/.*")
TOOL_FOLDERS = {"tests", "benchmarks", "fuzz"}


def layer_of(path):
    """The folder below src/ that holds the file; none for src/brigade.h."""
    return path.parts[1] if len(path.parts) > 2 else None


def layer_errors(path, include):
    """What is wrong with one include of ours."""
    if not include.name.startswith("brigade/"):
        if include.quoted and path.parts[0] == "src":
            yield "write it as brigade/FOLDER/FILE.h"
        return
    if path.parts[0] != "src":
        if path.parts[0] == "examples" and "/detail/" in include.name:
            yield "an example includes public headers only"
        return
    parts = include.name.split("/")
    ours = layer_of(path)
    theirs = parts[1] if len(parts) > 2 else None
    if ours is None and "detail" not in parts:
        return
    if theirs is None:
        yield "only programs include it"
    elif theirs != ours and "detail" in parts:
        yield f"private to {theirs}"
    elif theirs != ours and theirs not in LAYERS.get(ours, ()):
        yield f"{ours} may not include {theirs}"


def home_of(name):
    """The rule for a third-party header, if there is one."""
    return next((home for home in HOMES if re.fullmatch(home.headers, name)),
                None)


def third_party_errors(path, include, homes):
    """What is wrong with one include of somebody else's. `homes` collects
    which files include what."""
    if path.parts[0] in TOOL_FOLDERS and TOOLS.fullmatch(include.name):
        return
    home = home_of(include.name)
    if home is None:
        yield "a third-party header without a home: see HOMES in layers.py"
    elif not re.fullmatch(home.files, path.as_posix()):
        yield f"its home is {home.files}"
    elif home.rule == ONE_FILE:
        homes[home].add(path.as_posix())


def check(root):
    """All errors of a tree, as lines."""
    root = pathlib.Path(root)
    errors = []
    homes = collections.defaultdict(set)
    folders = ("src", "examples", "tests", "benchmarks", "fuzz")
    for path in sources(root, *folders):
        if path.parts[0] == "src" and layer_of(path) not in {None, *LAYERS}:
            errors.append(f"{path}: src/ has no such layer")
        for include in includes(root / path):
            found = (third_party_errors(path, include, homes)
                     if is_third_party(include)
                     else layer_errors(path, include))
            errors += [f"{path}:{include.line}: {include.name}: {reason}"
                       for reason in found]
    for home, files in homes.items():
        if len(files) > 1:
            errors.append(f"{home.headers}: one file may include it, not "
                          + ", ".join(sorted(files)))
    return errors


if __name__ == "__main__":
    found = check(sys.argv[1] if len(sys.argv) > 1 else ".")
    sys.exit("\n".join(found) if found else 0)
