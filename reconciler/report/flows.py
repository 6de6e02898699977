"""Flows that changed, in words. Pure.

What has the same traffic, and comes from or goes to the same ends, is one sentence, the most severe first, and of those
as severe what comes from outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from desired_state.fields import ANY, ICMP, NAMED_PROTOCOLS, traffic
from desired_state.sanitize import sanitize
from reconciler.packets.traffic import CODES, LINE, STRETCH, Cuts, intervals, less, size
from reconciler.reach.compare import FlowChange, severity
from reconciler.reach.machines import is_anybody
from reconciler.reach.pair.ends import INTERNET, End, Endpoint, External, Ranges

_LISTED = 4
"""The most ends, networks or kinds of traffic that one sentence lists; the others are counted."""
_NEARLY_ALL = 0.9
"""This part of the internet's addresses is called the internet."""
_NAMES = {number: name for name, number in NAMED_PROTOCOLS.items()}


def told(changes: Iterable[FlowChange], *, past: bool = False) -> list[str]:
    """A sentence, without a full stop, for all that changes alike. `past`: it is over."""
    by_source: dict[tuple[_Alike, tuple[str, ...]], list[End]] = {}
    sources: dict[tuple[str, ...], End] = {}
    for one in sorted(changes, key=lambda one: (severity(one).rank, isinstance(one.source, Endpoint))):
        alike = _Alike(one.opened, one.certain, one.replies, one.traffic)
        by_source.setdefault((alike, _names([one.source])), []).append(one.target)
        sources.setdefault(_names([one.source]), one.source)
    by_target: dict[tuple[_Alike, tuple[str, ...]], list[End]] = {}
    for (alike, source), targets in by_source.items():
        by_target.setdefault((alike, _names(targets)), []).append(sources[source])
    return [
        sanitize(alike.sentence(listed(_names(some)), listed(targets), past=past))
        for (alike, targets), some in by_target.items()
    ]


def as_json(one: FlowChange) -> dict[str, Any]:
    """One flow: who, what, and whether it is new (`opened`), certain, or only its replies are lost."""
    return {
        "source": sanitize(_names([one.source])[0]),
        "target": sanitize(_names([one.target])[0]),
        "traffic": traffic_of(one.traffic),
        "opened": one.opened,
        "certain": one.certain,
        "replies": one.replies,
    }


class _Alike(NamedTuple):
    opened: bool
    certain: bool
    replies: bool
    traffic: Cuts

    def sentence(self, source: str, target: str, *, past: bool) -> str:
        what = traffic_of(self.traffic)
        among = source if source.startswith("machines ") else f"machines of {source}"
        if self.replies:
            verb = "did" if past else "do"
            if source == target:
                return f"replies to {what} {verb} not come back between {among}"
            return f"replies to {what} from {source} {verb} not come back from {target}"
        verb = "could" if past else "can"
        if not self.opened:
            verb = "could not" if past else "cannot"
        elif not self.certain:
            verb = "may"
        have, act = ("have ", ("passed", "reached")) if verb == "may" and past else ("", ("pass", "reach"))
        if source == target:
            return f"{what} {verb} {have}{act[0]} between {among}"
        return f"{what} from {source} {verb} {have}{act[1]} {target}"


def traffic_of(cuts: Cuts, most: int = _LISTED) -> str:
    """A set of traffic, such as `tcp 22 and udp 53`, or `all traffic but tcp 22`; beyond `most` parts are counted."""
    if cuts == LINE:
        return "all traffic"
    if size(cuts) > size(LINE) // 2:
        return f"all traffic but {listed(_parts(less(LINE, cuts)), most)}"
    return listed(_parts(cuts), most)


def _parts(cuts: Cuts) -> Iterator[str]:
    """Each range of ports, types or protocols."""
    for start, end in intervals(cuts):
        for number in range(start // STRETCH, (end - 1) // STRETCH + 1):
            low = max(start - number * STRETCH, 0)
            high = min(end - number * STRETCH, STRETCH) - 1
            yield from _part(_NAMES.get(number, str(number)), low, high)


def _part(protocol: str, low: int, high: int) -> Iterator[str]:
    """A range of the places of one protocol."""
    if (low, high) == (0, STRETCH - 1):
        yield protocol if protocol in _NAMES.values() else traffic(protocol, ANY, ANY)
    elif protocol in ICMP:
        yield from _types(protocol, low, high)
    else:
        yield traffic(protocol, low, high)


def _types(protocol: str, low: int, high: int) -> Iterator[str]:
    """A range of ICMP types and codes: whole types together, and the codes of the first and the last one."""
    first, last = -(-low // CODES), (high + 1) // CODES - 1
    if first > last + 1:  # within one type
        yield _codes(protocol, low, high)
        return
    if low % CODES:
        yield _codes(protocol, low, first * CODES - 1)
    if first <= last:
        yield f"{protocol} type {first}" if first == last else f"{protocol} types {first}-{last}"
    if (high + 1) % CODES:
        yield _codes(protocol, (last + 1) * CODES, high)


def _codes(protocol: str, low: int, high: int) -> str:
    codes = f"code {low % CODES}" if low == high else f"codes {low % CODES}-{high % CODES}"
    return f"{protocol} type {low // CODES} {codes}"


def _names(ends: Iterable[End]) -> tuple[str, ...]:
    """Ends for people, the machines of one group in several subnets together; beside others these are counted."""
    found: dict[str, list[str]] = {}
    for end in ends:
        name, place = _name(end)
        places = found.setdefault(name, [])
        if place and place not in places:
            places.append(place)
    return tuple(
        f"{name} in {f'{len(places)} subnets' if len(found) > 1 < len(places) else listed(sorted(places))}"
        if places
        else name
        for name, places in found.items()
    )


def _name(end: End) -> tuple[str, str]:
    """Who it is, and in which subnet if that says more."""
    if isinstance(end, External):
        return _network(end), ""
    if end.owner:
        return (end.label if end.stranger else end.owner), ""
    return ("machines" if is_anybody(end) else f"machines with {listed(sorted(end.groups or ()))}"), end.subnet


def _network(end: External) -> str:
    if not end.internet:
        return f"{listed(end.addresses.cidrs)} {end.label}"
    if size(end.addresses.ipv4) >= _NEARLY_ALL * size(INTERNET.ipv4):
        return end.label
    if not end.addresses.ipv4:
        whole = end.addresses.ipv6 == INTERNET.ipv6
        return f"{end.label} (IPv6)" if whole else f"{listed(Ranges(ipv6=end.addresses.ipv6).cidrs)} on {end.label}"
    return f"{listed(Ranges(end.addresses.ipv4).cidrs)} on {end.label}"


def listed(things: Iterable[str], most: int = _LISTED) -> str:
    """`a`, `a and b`, `a, b, c and 2 more`."""
    known = list(things)
    if len(known) > most:
        known = [*known[: most - 1], f"{len(known) - most + 1} more"]
    return known[0] if len(known) == 1 else f"{', '.join(known[:-1])} and {known[-1]}"
