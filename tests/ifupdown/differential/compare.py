"""How two results differ, and the table of the differences that are accepted.

Each line of the table `differences` has four columns, parted by ` | `:

    IMPLEMENTATIONS | CASES | WHAT | REASON

IMPLEMENTATIONS are names, or `debian` for both of Debian's ifupdown, or `all`; or `stop` for what ours does not give
back. CASES are shell patterns, parted by
blanks. WHAT is a shell pattern for the text of a difference as the test prints it, with or without its values, or
several parted by ` or `:

    addr eth0 192.0.2.10/24 broadcast: 192.0.2.255 there, - here
    addr eth0 * or link eth0 up: no there, yes here
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from .canonical import Result
from .machine import REAL

NOTHING = "-"


@dataclass(frozen=True)
class Difference:
    """One thing that is one way with the real implementation, and another way with ours."""

    what: str
    there: str
    here: str

    def __str__(self) -> str:
        return f"{self.what}: {self.there} there, {self.here} here"


def differences(there: Result, here: Result) -> list[Difference]:
    """Where both fail they agree: ours then leaves nothing behind, the others half of it, which is not compared."""
    old, new = there.outcome(), here.outcome()
    if "ok" not in (old, new):
        return []
    if old != new:
        return [Difference("outcome", old, new)]
    found = []
    for name in sorted(there.objects.keys() | here.objects.keys()):
        if name not in there.objects:
            found.append(Difference(name, NOTHING, "present"))
        elif name not in here.objects:
            found.append(Difference(name, "present", NOTHING))
        else:
            one, two = there.objects[name], here.objects[name]
            for key in sorted(one.keys() | two.keys()):
                if one.get(key) != two.get(key):
                    found.append(Difference(f"{name} {key}", one.get(key, NOTHING), two.get(key, NOTHING)))
    for when in ("up", "down"):
        found += _lines(f"log {when}", there.logs[when], here.logs[when])
    return found


def _lines(name: str, there: list[str], here: list[str]) -> list[Difference]:
    if there == here:
        return []
    if sorted(there) == sorted(here):
        return [Difference(f"{name} order", " / ".join(there), " / ".join(here))]
    found = []
    for line in difflib.ndiff(there, here):
        if line.startswith("- "):
            found.append(Difference(f"{name} {line[2:]!r}", "present", NOTHING))
        elif line.startswith("+ "):
            found.append(Difference(f"{name} {line[2:]!r}", NOTHING, "present"))
    return found


@dataclass
class Accepted:
    """A line of the table."""

    number: int
    implementations: set[str]
    cases: list[str]
    what: str
    reason: str
    used: bool = False
    """Whether it accepted something in this run."""

    def concerns(self, case: str, implementation: str) -> bool:
        return implementation in self.implementations and any(fnmatchcase(case, pattern) for pattern in self.cases)

    def accepts(self, *texts: str) -> bool:
        patterns = _literal_brackets(self.what).split(" or ")
        return any(fnmatchcase(text, pattern) for pattern in patterns for text in texts)


def _literal_brackets(pattern: str) -> str:
    return pattern.replace("[", "[[]")


def table(file: Path) -> list[Accepted]:
    found = []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        columns = [column.strip() for column in re.split(r"\s\|\s", line, maxsplit=3)]
        if len(columns) != 4 or not columns[3]:
            raise SystemExit(f"{file}:{number}: not four columns")
        names: set[str] = set()
        for name in columns[0].split():
            names |= {"debian": {"0.8.41", "0.8.44"}, "all": set(REAL)}.get(name, {name})
        if not names <= {*REAL, "stop"}:
            raise SystemExit(f"{file}:{number}: no such implementation: {columns[0]}")
        found.append(Accepted(number, names, columns[1].split(), columns[2], columns[3]))
    return found
