"""What the kernel shows, as canonical text: one line for each link, address, route, rule, …, in a fixed order.

    exit ok
    link eth0: kind=veth mac=02:00:00:00:00:01 mtu=1500 up=yes
    addr eth0 192.0.2.10/24: broadcast=192.0.2.255 label=eth0 scope=global
    route main default eth0: flags=onlink proto=boot via=192.0.2.1
    log up: eth0 is up

Left out is what says nothing about an implementation: interface numbers, counters, states that change by themselves,
and what the kernel derives from the rest (link-local addresses, the table `local`, the routes to multicast).
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Attributes = dict[str, str]

# The tunnels that the kernel makes by itself in every namespace, once it knows how.
FALLBACKS = {"sit0", "gre0", "gretap0", "erspan0", "tunl0", "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0"}

# Of what a link of such a kind has, those that are configured and do not change by themselves.
BRIDGE = {
    "ageing_time", "forward_delay", "hello_time", "max_age", "priority", "stp_state", "vlan_filtering",
    "vlan_default_pvid", "vlan_protocol", "mcast_snooping", "mcast_querier", "group_fwd_mask", "mcast_router",
}  # fmt: skip
BRIDGE_PORT = {"priority", "cost", "hairpin", "guard", "root_block", "fastleave", "learning", "flood", "isolated"}
BOND_CHANGING = {"ad_info", "active_slave"}
BOND_SLAVE = {"queue_id"}
WITH_PARENT = {"vlan", "macvlan", "macvtap", "ipvlan", "vxlan"}

# The routes that the kernel makes of addresses, in the table `local` or a VRF's own.
DERIVED = {"local", "broadcast", "anycast", "multicast"}

FOREVER = 4294967295


@dataclass
class Result:
    """What became of one file with one implementation."""

    exit: str = "ok"
    """`ok` or `failed`."""
    parses: str = "yes"
    """Whether the implementation's own checker takes the file."""
    objects: dict[str, Attributes] = field(default_factory=dict)
    """`link eth0`, `addr eth0 192.0.2.1/24`, … and their attributes."""
    logs: dict[str, list[str]] = field(default_factory=lambda: {"up": [], "down": []})
    """What the commands of the file noted while it was brought up, and down."""
    leftovers: list[str] = field(default_factory=list)
    """What `stop` did not give back, and other complaints about this project's program; the others are not asked."""

    def outcome(self) -> str:
        return "refused" if self.parses == "no" else self.exit

    def text(self) -> str:
        lines = [f"exit {self.exit}", f"parses {self.parses}"]
        for name, attributes in sorted(self.objects.items(), key=lambda item: _order(item[0])):
            lines.append(" ".join([name + ":", *(f"{k}={_quote(v)}" for k, v in sorted(attributes.items()))]))
        for when in ("up", "down"):
            lines += [f"log {when}: {line}" for line in self.logs[when]]
        return "".join(f"{line}\n" for line in lines)

    @staticmethod
    def parse(text: str) -> Result:
        result = Result()
        for line in text.splitlines():
            name, _, rest = line.partition(": ")
            if line.startswith("exit "):
                result.exit = line.removeprefix("exit ")
            elif line.startswith("parses "):
                result.parses = line.removeprefix("parses ")
            elif line.startswith("log "):
                result.logs[name.removeprefix("log ")].append(rest)
            else:
                pairs = re.findall(r'(\S+?)=("(?:[^"\\]|\\.)*"|\S*)', rest)
                result.objects[name.rstrip(":")] = {key: _unquote(value) for key, value in pairs}
        return result


KINDS = ["link", "port", "addr", "route", "rule", "neigh", "vlan", "sysctl"]


def _order(name: str) -> tuple[int, str]:
    return KINDS.index(name.split(" ", 1)[0]), name


def _quote(value: str) -> str:
    return json.dumps(value) if re.search(r'[\s"]', value) or not value else value


def _unquote(value: str) -> str:
    return str(json.loads(value)) if value.startswith('"') else value


@dataclass
class Dump:
    """The files that `inside` wrote for one network namespace at one time."""

    folder: Path
    what: str

    def exists(self) -> bool:
        return (self.folder / f"{self.what}.ip").exists()

    def json(self, name: str) -> list[Json]:
        """What `ip -j` printed for that name; it prints an empty object for what it has no words for."""
        file, index = {
            "link": ("ip", 0), "neigh": ("ip", 1), "vlan": ("vlan", 0),
            "route4": ("ip4", 0), "rule4": ("ip4", 1), "route6": ("ip6", 0), "rule6": ("ip6", 1),
        }[name]  # fmt: skip
        path = self.folder / f"{self.what}.{file}"
        lines = path.read_text().splitlines() if path.exists() else []
        return [entry for entry in json.loads(lines[index]) if entry] if index < len(lines) else []

    def sysctls(self) -> Iterator[tuple[str, str, str, str]]:
        """Family, link, key and value."""
        try:
            lines = (self.folder / f"{self.what}.sysctl").read_text().splitlines()
        except OSError:
            return
        for line in lines:
            path, _, value = line.partition(":")
            # The name of a link may have dots, and a colon never.
            _, _, _, _, family, _, link, key = path.split("/")
            yield family, link, key, value


def read(out: Path, source: str, ours: bool) -> Result:
    """The result of a run of `inside`; `source` is the text of the file, for the MACs that it asks for."""
    result = Result(exit=_status(out, "up", "ok", "failed"), parses=_status(out, "parse", "yes", "no"))
    for when in ("up", "down"):
        log = out / f"{when}.log"
        result.logs[when] = log.read_text(errors="replace").splitlines() if log.exists() else []
    outside = Dump(out, "up")
    if not ours:
        result.objects = objects(outside, source)
        return result
    # The links that the program has no business with stay outside: both together are what ifupdown has in one place.
    inside = Dump(out, "inside")
    result.objects = objects(outside, source, _names(outside))
    if inside.exists():
        for name in [n for n in result.objects if _link_of(n) in ("lo", None)]:
            del result.objects[name]
        result.objects.update(objects(inside, source, _names(outside)))
    before, after = (objects(Dump(out, what), source) for what in ("before", "down"))
    result.leftovers = _unlike(before, after)
    if result.parses == "no" and result.exit == "ok":
        result.leftovers.append("check refuses what start takes")
    errors = out / "setup.err"
    result.leftovers += errors.read_text().splitlines() if errors.exists() else []
    return result


def _status(out: Path, what: str, good: str, bad: str) -> str:
    file = out / f"{what}.status"
    if not file.exists():
        return "unknown"
    return good if file.read_text().strip() == "0" else bad


def _unlike(before: dict[str, Attributes], after: dict[str, Attributes]) -> list[str]:
    lines = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            lines.append(f"{name}: {'only after' if old is None else 'only before'}")
        else:
            for key in sorted(old.keys() | new.keys()):
                if old.get(key) != new.get(key):
                    lines.append(f"{name} {key}: {old.get(key, '-')} before, {new.get(key, '-')} after")
    return lines


def _names(dump: Dump) -> dict[int, str]:
    return {entry["ifindex"]: entry["ifname"] for entry in dump.json("link")}


def _link_of(name: str) -> str | None:
    """The link that an object is about."""
    kind, *words = name.split(" ")
    match kind:
        case "link" | "port" | "addr" | "neigh" | "vlan" | "sysctl":
            return words[0]
        case "route":
            return words[-1].partition("#")[0]
        case _:
            return None


def objects(dump: Dump, source: str, outside: dict[int, str] | None = None) -> dict[str, Attributes]:
    """All that there is in a network namespace; `outside` names the links of the one that it came from."""
    links = [entry for entry in dump.json("link") if not _is_fallback(entry)]
    found: dict[str, Attributes] = {}
    for link in links:
        _link(found, link, source.lower(), outside or {})
        _addresses(found, link, source)
    for family in ("4", "6"):
        _routes(found, dump.json(f"route{family}"), family)
        _rules(found, dump.json(f"rule{family}"), family)
    for entry in dump.json("neigh"):
        found[f"neigh {entry['dev']} {entry['dst']}"] = _words(entry, {"dev", "dst"})
    for port in dump.json("vlan"):
        for vlan in port.get("vlans", []):
            numbers = "-".join(str(vlan[k]) for k in ("vlan", "vlanEnd") if k in vlan)
            found[f"vlan {port['ifname']} {numbers}"] = _words(vlan, {"vlan", "vlanEnd"})
    _sysctls(found, dump, {link["ifname"]: link for link in links})
    return found


def _is_fallback(link: Json) -> bool:
    return link["ifname"] in FALLBACKS and "UP" not in link.get("flags", [])


def _words(entry: Json, without: set[str]) -> Attributes:
    """What is left of an entry as it stands."""
    return {key: _word(value) for key, value in entry.items() if key not in without}


def _word(value: Any) -> str:
    match value:
        case None:
            return "yes"
        case bool():
            return "on" if value else "off"
        case list():
            return ",".join(sorted(_word(one) for one in value))
        case dict():
            return json.dumps(value, sort_keys=True)
        case _:
            return str(value)


def _link(found: dict[str, Attributes], link: Json, source: str, outside: dict[int, str]) -> None:
    name, flags, info = link["ifname"], link.get("flags", []), link.get("linkinfo", {})
    kind = info.get("info_kind", "-")
    attributes = {
        "kind": kind,
        "up": "yes" if "UP" in flags else "no",
        "mtu": str(link.get("mtu")),
        "mac": _mac(link.get("address"), source),
    }
    for key in ("master", "ifalias", "inet6_addr_gen_mode"):
        if key in link:
            attributes[key] = str(link[key])
    if link.get("group", "default") != "default":
        attributes["group"] = link["group"]
    if link.get("txqlen", 1000) != 1000:
        attributes["txqlen"] = str(link["txqlen"])
    if "altnames" in link:
        attributes["altnames"] = _word(link["altnames"])
    for flag in ("NOARP", "ALLMULTI", "DYNAMIC"):
        if flag in flags and kind in ("veth", "bridge", "bond", "vlan"):
            attributes[flag.lower()] = "yes"
    if kind in WITH_PARENT:
        attributes["parent"] = link.get("link") or outside.get(link.get("link_index", 0), "-")
    data = info.get("info_data", {})
    if kind == "bridge":
        data = {key: data[key] for key in data if key in BRIDGE}
    if kind == "bond":
        data = {key: data[key] for key in data if key not in BOND_CHANGING}
    attributes |= {f"{kind}.{key}": _word(value) for key, value in data.items()}
    found[f"link {name}"] = attributes
    if "info_slave_data" in info:
        master = info["info_slave_kind"]
        wanted = {"bridge": BRIDGE_PORT, "bond": BOND_SLAVE}.get(master, set(info["info_slave_data"]))
        found[f"port {name}"] = {k: _word(v) for k, v in info["info_slave_data"].items() if k in wanted}


# Those that `inside` gave the links and their wires, and none.
_KNOWN_MAC = re.compile("02:0[01]:00:00:..:..|00:00:00:00:00:00")


def _mac(mac: str | None, source: str) -> str:
    """The MAC when it is given by the file or by a link that was there; a random one differs each time."""
    if mac is None or not re.fullmatch("(..:){5}..", mac):
        return mac or "-"
    return mac if _KNOWN_MAC.fullmatch(mac) or mac in source else "random"


def _addresses(found: dict[str, Attributes], link: Json, source: str) -> None:
    for entry in link.get("addr_info", []):
        if "local" not in entry or _is_made_by_kernel(entry, source):
            continue
        # Temporary addresses are drawn by lot.
        address = "temporary" if entry.get("temporary") else entry["local"]
        name = f"addr {link['ifname']} {address}/{entry['prefixlen']}"
        attributes = {
            {"address": "peer"}.get(key, key): str(entry[key])
            for key in ("address", "broadcast", "scope", "label", "metric")
            if key in entry
        }
        for key in ("valid", "preferred"):
            time = entry.get(f"{key}_life_time", FOREVER)
            if time != FOREVER:
                attributes[key] = "0" if time == 0 else "limited"
        # Not `deprecated`, which preferred=0 says already.
        for key in ("nodad", "dadfailed", "tentative", "temporary", "mngtmpaddr", "noprefixroute", "secondary", "home"):
            if entry.get(key):
                attributes[key] = "yes"
        while name in found:
            name += "#"
        found[name] = attributes


def _is_made_by_kernel(entry: Json, source: str) -> bool:
    """Whether this is a link-local address that nobody asked for: of the MAC, or random where there is none."""
    if entry["family"] != "inet6" or entry.get("scope") != "link":
        return False
    return ipaddress.ip_address(entry["local"]) not in _addresses_in(source)


@functools.cache
def _addresses_in(source: str) -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    found = set()
    for word in re.split(r"[\s/]+", source):
        with contextlib.suppress(ValueError):
            found.add(ipaddress.ip_address(word))
    return found


def _routes(found: dict[str, Attributes], routes: list[Json], family: str) -> None:
    for route in routes:
        table, device = str(route.get("table", "main")), route.get("dev", "-")
        if device in FALLBACKS:
            continue
        if route.get("protocol") == "kernel" and (table == "local" or route.get("type") in DERIVED):
            continue
        if route.get("protocol") == "kernel" and route["dst"] in ("fe80::/64", "multicast", "ff00::/8"):
            continue
        destination = route["dst"] if route["dst"] != "default" else f"default{family}"
        if route.get("type", "unicast") != "unicast":
            destination = f"{route['type']}:{destination}"
        if route.get("tos"):
            destination += f":tos={route['tos']}"
        attributes = {
            key: _word(route[name])
            for name, key in {
                "from": "from", "protocol": "proto", "scope": "scope", "prefsrc": "src", "metric": "metric",
                "pref": "pref", "metrics": "metrics",
            }.items()
            if name in route and route[name] not in ("", [])
        }  # fmt: skip
        via = route.get("gateway") or (route["via"]["host"] if "via" in route else None)
        if via:
            attributes["via"] = via
        flags = [flag for flag in route.get("flags", []) if flag not in ("linkdown", "dead")]
        if flags:
            attributes["flags"] = _word(flags)
        for number, hop in enumerate(route.get("nexthops", []), 1):
            hop = {k: v for k, v in hop.items() if k != "flags" or v}
            attributes[f"hop{number}"] = _word(hop)
        name = f"route {table} {destination} {device}"
        if name in found:
            count = 2
            while f"{name}#{count}" in found:
                count += 1
            name += f"#{count}"
        found[name] = attributes


def _rules(found: dict[str, Attributes], rules: list[Json], family: str) -> None:
    for rule in rules:
        if rule.get("priority") in (0, 32766, 32767):
            continue
        words = _words(rule, {"priority"})
        text = " ".join(f"{key}={value}" for key, value in sorted(words.items()))
        # The preference is part of the attributes: the kernel counts down from 32765 where none is asked for.
        found[f"rule {family} {text}"] = {"priority": str(rule.get("priority"))}


def _sysctls(found: dict[str, Attributes], dump: Dump, links: dict[str, Json]) -> None:
    """Those of a link that differ from the default for links to come; of all links, the forwarding."""
    values = {(family, link, key): value for family, link, key, value in dump.sysctls()}
    for (family, link, key), value in values.items():
        if link == "all":
            if key in ("forwarding", "proxy_arp", "disable_ipv6") and value != "0":
                found.setdefault("sysctl all", {})[f"{family}.{key}"] = value
            continue
        if link not in links:
            continue
        if key == "mtu":
            if value != str(links[link].get("mtu")):
                found.setdefault(f"sysctl {link}", {})["ipv6.mtu"] = value
            continue
        if link == "lo" and key in ("use_tempaddr", "addr_gen_mode", "accept_ra"):
            continue
        if value != values.get((family, "default", key)):
            found.setdefault(f"sysctl {link}", {})[f"{family}.{key}"] = value
