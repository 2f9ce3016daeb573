"""The cases: files of this folder, and those of the implementations' own test suites.

`cases/NAME.interfaces` may have beside it `NAME.args`, with lines of a keyword and words:

    links eth0 eth1    the Ethernet links that exist from the start; eth0 and eth1 where the line is missing
    needs vlan bond    kinds of links that the kernel must know (see machine.PROBES); `dhcp` and `ra` are
                       servers on the wires of these links

and `NAME.d/`, whose contents lie beside the file in /etc/network. The table `corpus` lists the files of the suites.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
SERVERS = {"dhcp", "ra"}
CASES, CORPUS = HERE / "cases", HERE / "corpus"


@dataclass
class Case:
    """One interfaces(5) file with what is around it."""

    name: str
    file: Path
    links: list[str] = field(default_factory=lambda: ["eth0", "eth1"])
    needs: list[str] = field(default_factory=list)
    beside: Path | None = None
    auto: list[str] = field(default_factory=list)
    """Names that a line `auto` in front brings up: some files of the suites have none."""

    def text(self) -> str:
        text = self.file.read_text(errors="surrogateescape")
        return "".join(f"auto {name}\n" for name in self.auto) + text

    def lay_out(self, job: Path) -> None:
        """Makes the folder that `inside` works on."""
        network = job / "network"
        if self.beside:
            shutil.copytree(self.beside, network, symlinks=True)
        else:
            network.mkdir(parents=True)
        (network / "interfaces").write_text(self.text(), errors="surrogateescape")
        (job / "serves").write_text(",".join(need for need in self.needs if need in SERVERS))
        (job / "links").write_text("".join(f"{link}\n" for link in self.links))


def _apply(case: Case, keyword: str, words: list[str], where: str) -> None:
    match keyword:
        case "links":
            case.links = words
        case "needs":
            case.needs = words
        case "auto":
            case.auto = words
        case _:
            raise SystemExit(f"{where}: no such word: {keyword}")


def own(file: Path) -> Case:
    """The case of a file, with its neighbours."""
    case = Case(file.name.removesuffix(".interfaces"), file)
    args, beside = file.with_suffix(".args"), file.with_suffix(".d")
    if args.exists():
        for number, line in enumerate(args.read_text().splitlines(), 1):
            if words := line.partition("#")[0].split():
                _apply(case, words[0], words[1:], f"{args}:{number}")
    if beside.is_dir():
        case.beside = beside
    return case


def corpus(sources: Path) -> list[Case]:
    """The cases of the table `corpus`; `sources` is where `roots --sources` unpacked them."""
    found = []
    for number, line in enumerate(CORPUS.read_text().splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        case = Case(words[0], sources / words[1])
        for word in words[2:]:
            key, _, value = word.partition("=")
            _apply(case, key, [w for w in value.split(",") if w], f"{CORPUS}:{number}")
        found.append(case)
    return found


def every(sources: Path) -> list[Case]:
    return [own(file) for file in sorted(CASES.glob("*.interfaces"))] + corpus(sources)
