"""The stored results of the real implementations: `expected/IMPLEMENTATION/CASE`.

0.8.44 has a file only where it differs from 0.8.41.
"""

from __future__ import annotations

from pathlib import Path

from .canonical import Result
from .cases import HERE

EXPECTED = HERE / "expected"


def path(case: str, implementation: str) -> Path:
    file = EXPECTED / implementation / case
    return EXPECTED / "0.8.41" / case if implementation == "0.8.44" and not file.exists() else file


def load(case: str, implementation: str) -> Result | None:
    file = path(case, implementation)
    return Result.parse(file.read_text()) if file.exists() else None


def store(case: str, results: dict[str, Result]) -> None:
    for implementation, result in results.items():
        file = EXPECTED / implementation / case
        file.parent.mkdir(parents=True, exist_ok=True)
        if implementation == "0.8.44" and result.text() == results["0.8.41"].text():
            file.unlink(missing_ok=True)
        else:
            file.write_text(result.text(), errors="surrogateescape")
