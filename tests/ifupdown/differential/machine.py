"""Where the runs of `inside` take place: on this machine, two at a time, or in a virtual machine with Debian's kernel
for what this machine's kernel does not know.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import canonical
from .cases import HERE, Case

REAL = ["0.8.41", "0.8.44", "ng"]
IMPLEMENTATIONS = ["ours", *REAL]
BINARY = HERE.parent.parent / "target/release/systemd-netns"

# How a link of each kind is made, when the kernel knows it.
PROBES = {
    "vlan": "ip link add lower type veth && ip link add link lower name probe type vlan id 2",
    "qinq": "ip link add lower type veth && ip link add link lower name probe type vlan protocol 802.1ad id 2",
    "bond": "ip link add probe type bond",
    "dummy": "ip link add probe type dummy",
    "vrf": "ip link add probe type vrf table 10",
    "gre": "ip tunnel add probe mode gre remote 192.0.2.1 local 192.0.2.2",
    "ipip": "ip tunnel add probe mode ipip remote 192.0.2.1 local 192.0.2.2",
    "sit": "ip tunnel add probe mode sit remote 192.0.2.1 local 192.0.2.2",
    "ip6tnl": "ip -6 tunnel add probe mode ip6ip6 remote 2001:db8::1 local 2001:db8::2",
    "ip6gre": "ip -6 tunnel add probe mode ip6gre remote 2001:db8::1 local 2001:db8::2",
    "wireguard": "ip link add probe type wireguard",
    "macvlan": "ip link add lower type veth && ip link add link lower name probe type macvlan",
    "vxlan": "ip link add probe type vxlan id 1 dstport 4789 remote 192.0.2.1",
    "filtering": "ip link add probe type bridge vlan_filtering 1",
    "dhcp": "command -v dhclient && command -v dnsmasq",
    "ra": "command -v dnsmasq",
}

# Those that bring links of their own into every namespace.
TUNNELS = {"gre", "ipip", "sit", "ip6tnl", "ip6gre"}

# Programs that files and hooks may call and that have no place here, or act on more than a namespace: they do nothing,
# and those of the first list note how they were called, as the program `note` does for whoever calls it.
NOTED = """note route ifconfig dhclient dhcpcd udhcpc pon poff avahi-autoipd wpa_supplicant ethtool
    iptables ip6tables iptables-save ip6tables-save iptables-restore ip6tables-restore ebtables nft conntrack""".split()
SILENT = "modprobe systemctl service resolvconf hostname logger ping arping start-stop-daemon batctl iw".split()

NOTE = """#!/bin/sh
name=${0##*/}
[ "$name" = note ] || set -- "$name" "$@"
printf '%s\\n' "$*" >>/run/note.log
"""


@dataclass
class Settings:
    """What all runs share."""

    work: Path
    binary: Path | None = None
    release: str = "bookworm"
    parallel: int = 2

    def __post_init__(self) -> None:
        bin = self.work / "stubs/usr/local/sbin"
        bin.mkdir(parents=True)
        for names, text in ((NOTED, NOTE), (SILENT, "#!/bin/sh\n")):
            (bin / names[0]).write_text(text)
            (bin / names[0]).chmod(0o755)
            for name in names[1:]:
                (bin / name).symlink_to(names[0])


def roots(*options: str) -> Path:
    """What the script `roots` prints."""
    return Path(
        subprocess.run([HERE / "roots", *options], check=True, text=True, stdout=subprocess.PIPE).stdout.strip()
    )


def unknown_kinds(kinds: Iterable[str]) -> set[str]:
    """Those that this machine's kernel does not know."""
    return {
        kind
        for kind in set(kinds)
        if subprocess.run(
            ["unshare", "--net", "sh", "-c", PROBES[kind]],
            check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ).returncode
    }  # fmt: skip


@dataclass
class Run:
    """One case with one implementation."""

    case: Case
    implementation: str

    def job(self, settings: Settings) -> Path:
        return settings.work / "jobs" / self.case.name / self.implementation

    def lay_out(self, settings: Settings) -> None:
        job = self.job(settings)
        shutil.rmtree(job, ignore_errors=True)
        job.mkdir(parents=True)
        self.case.lay_out(job)

    def result(self, settings: Settings) -> canonical.Result:
        return canonical.read(self.job(settings) / "out", self.case.text(), self.implementation == "ours")

    def said(self, settings: Settings) -> str:
        """What the implementation said, for a person."""
        lines = []
        for what in ("parse", "up", "down"):
            for stream in ("out", "err"):
                file = self.job(settings) / "out" / f"{what}.{stream}"
                if file.exists():
                    lines += [f"{what}: {line}" for line in file.read_text(errors="replace").splitlines()]
        return "".join(f"{line}\n" for line in lines)


def here(settings: Settings, runs: list[Run]) -> None:
    """All the runs, on this machine."""
    environment = dict(
        os.environ, TREES=str(roots()), STUBS=str(settings.work / "stubs"), BINARY=str(settings.binary or "")
    )

    def one(run: Run) -> None:
        run.lay_out(settings)
        command = ["nice", str(HERE / "inside"), run.implementation, str(run.job(settings))]
        done = subprocess.run(
            command, check=False, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if done.returncode:
            sys.stderr.write(
                f"{run.case.name} with {run.implementation}: inside failed ({done.returncode})\n{done.stdout}"
            )

    with ThreadPoolExecutor(settings.parallel) as pool:
        list(pool.map(one, runs))


def in_vm(settings: Settings, runs: list[Run]) -> None:
    """All the runs, in one boot of a virtual machine."""
    if not runs:
        return
    payload = settings.work / "payload"
    shutil.rmtree(payload, ignore_errors=True)
    (payload / "jobs").mkdir(parents=True)
    for run in runs:
        run.lay_out(settings)
        shutil.copytree(run.job(settings), payload / "jobs" / run.case.name / run.implementation, symlinks=True)
    for name, tunnels in (("list", False), ("list-tunnels", True)):
        lines = [
            f"{run.implementation} jobs/{run.case.name}/{run.implementation}\n"
            # The last ones of the table, examples with bridges that listen first, take longest.
            for run in reversed(runs)
            if bool(TUNNELS & set(run.case.needs)) == tunnels
        ]
        (payload / name).write_text("".join(lines))
    shutil.copytree(settings.work / "stubs", payload / "stubs", symlinks=True)
    trees = roots()
    for name in REAL:
        shutil.copytree(trees / name, payload / "trees" / name, symlinks=True)
    shutil.copy(HERE / "inside", payload)
    shutil.copy(HERE / "vm-init", payload)
    if settings.binary:
        shutil.copy(settings.binary, payload / "systemd-netns")
    results = settings.work / "results.tar"
    subprocess.run([HERE / "vm", settings.release, payload, results], check=True)
    subprocess.run(["tar", "-C", settings.work, "-xf", results], check=True)
