#!/usr/bin/env python3
"""Fails when the subject of a commit is not `Area: what it does now` in at
most 72 characters. Merges are left out; without git there is nothing to do.

    tests/checks/commitSubjects.py [ROOT]
"""

import pathlib
import re
import subprocess
import sys

SUBJECT = re.compile(r"[A-Z][\w.]*([ ,/]+[\w.]+)*: \S.*[^.\s]")
LIMIT = 72


def subject_errors(commit, subject):
    """What is wrong with one subject."""
    if len(subject) > LIMIT:
        yield f"{commit}: {len(subject)} characters: {subject}"
    if not SUBJECT.fullmatch(subject):
        yield f"{commit}: not `Area: what it does now`: {subject}"


def check(root):
    """All errors of a repository, as lines."""
    if not (pathlib.Path(root) / ".git").exists():
        return []
    # The clone may be another user's, as in a container.
    log = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(root), "log",
         "--no-merges", "--format=%h %s"],
        capture_output=True, text=True, check=True).stdout
    return [error for line in log.splitlines()
            for error in subject_errors(*line.split(" ", 1))]


if __name__ == "__main__":
    found = check(sys.argv[1] if len(sys.argv) > 1 else ".")
    sys.exit("\n".join(found) if found else 0)
