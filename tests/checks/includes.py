"""What the checks of this folder share: the source files of a tree, and what
each of them includes."""

import collections
import pathlib
import re

Include = collections.namedtuple("Include", "line name quoted")

_DIRECTIVE = re.compile(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
_COMMENT_OR_TEXT = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

# The headers of POSIX and Linux that are the system's, beside those in its
# folders. Every other name with a dot or a slash is a third party's.
SYSTEM_FOLDERS = {"sys", "netinet", "arpa", "net", "linux"}
SYSTEM_HEADERS = {
    "dirent.h", "dlfcn.h", "endian.h", "errno.h", "fcntl.h", "getopt.h", "ftw.h", "glob.h",
    "grp.h", "ifaddrs.h", "limits.h", "malloc.h", "netdb.h", "poll.h",
    "pthread.h", "pwd.h", "sched.h", "semaphore.h", "signal.h", "spawn.h",
    "stdlib.h", "stdio.h", "string.h", "strings.h", "syslog.h", "termios.h",
    "time.h", "unistd.h", "utime.h", "emmintrin.h", "immintrin.h", "byteswap.h",
}


def sources(root, *folders):
    """Paths, relative to `root`, of the sources below its `folders`."""
    root = pathlib.Path(root)
    found = []
    for folder in folders:
        top = root / folder
        paths = [top] if top.is_file() else top.rglob("*")
        found += [path.relative_to(root) for path in paths
                  if path.suffix in (".h", ".cc")]
    return sorted(found)


def includes(path):
    """The include directives of a file, in order."""
    found = []
    for number, text in enumerate(path.read_text().splitlines(), 1):
        match = _DIRECTIVE.match(text)
        if match:
            found.append(Include(number, match[1] or match[2], bool(match[1])))
    return found


def is_third_party(include):
    """Neither ours nor the standard library's nor the system's."""
    if include.quoted or include.name.startswith("brigade/"):
        return False
    if "/" in include.name:
        return include.name.split("/")[0] not in SYSTEM_FOLDERS
    return "." in include.name and include.name not in SYSTEM_HEADERS


def code(path):
    """The text of a file without its comments and its string literals, the
    lines as they were."""
    return _COMMENT_OR_TEXT.sub(
        lambda match: re.sub(r"[^\n]", " ", match[0]), path.read_text())


def public_headers(root):
    """What a program may include: the headers that src/brigade.h reaches, as
    paths relative to src/, in the order they are found."""
    src = pathlib.Path(root) / "src"
    reached = ["brigade.h"]
    for name in reached:
        if not (src / name).is_file():
            continue
        for include in includes(src / name):
            inner = include.name.removeprefix("brigade/")
            if inner != include.name and inner not in reached:
                reached.append(inner)
    return reached
