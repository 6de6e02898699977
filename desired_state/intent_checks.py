"""Checks of workloads and intents. `checks.py` calls `findings`.

What follows from the words alone is refused here: no network could keep the intents, or one says nothing. What depends
on rules, routes and addresses is judged, not refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from desired_state.database import DbInstance, DbSubnetGroup
from desired_state.explain import Violation, by_kind, not_declared
from desired_state.fields import PORTED, Address, cidr_problem, contains, is_cidr, is_ipv6, nearest, shown
from desired_state.intents import (
    ANYWHERE,
    DATABASE_PORT,
    INTERNET,
    INTERNET_IPV6,
    NOT_INTERNET,
    OUTSIDE,
    SELECTABLE,
    WORDS,
    Ends,
    Intent,
)
from desired_state.network import Vpc
from desired_state.resource import SECTIONS

if TYPE_CHECKING:
    from desired_state.checks import Parts
    from desired_state.strict_json import Path

_ENDS = {"from": "source", "except": "excluding", "to": "to"}
"""Field as written -> attribute."""
_COMPARED = 100_000
"""The most pairs of intents that are compared, so that a document with thousands loads within a second."""
type _Traffic = tuple[str, tuple[tuple[int, int], ...]]
"""(protocol, its ranges of ports; none: all of the protocol)"""


def findings(parts: Parts) -> Iterator[Violation]:
    """Everything that is wrong with workloads and intents, in no order."""
    yield from _workloads(parts)
    yield from _names(parts)
    whole: dict[Path, Intent] = {}
    places = _Places(parts)
    for at, intent in parts.intents.items():
        problems = [*_unknown_ends(at, intent, parts), *_traffic(at, intent)]
        yield from problems
        if not problems and parts.named is not None:
            problems = [*_said_of_nobody(at, intent, places), *_to_itself(at, intent), *_protocol(at, intent)]
            yield from problems
            if not problems:
                whole[at] = intent
    yield from _contradictions(whole, places)


def _workloads(parts: Parts) -> Iterator[Violation]:
    for at, workload in parts.workloads.items():
        if at[-1] in WORDS or "/" in str(at[-1]):
            hint = f"choose a name without a slash, and not {_either(WORDS)}"
            yield Violation(at, f"a workload cannot be called {shown(at[-1])}", hint, on_key=True)
        if not workload.subnets:
            yield Violation((*at, "subnets"), "a workload without subnets", "write the subnets that it runs in")


def _names(parts: Parts) -> Iterator[Violation]:
    names: dict[str, Path] = {}
    for at, intent in parts.intents.items():
        if names.setdefault(intent.name, at) != at:
            problem = f"a second intent called {shown(intent.name)}"
            yield Violation((*at, "name"), problem, "give every intent its own name")


def _unknown_ends(at: Path, intent: Intent, parts: Parts) -> Iterator[Violation]:
    declared = by_kind(parts.declared)
    for field, attribute in _ENDS.items():
        ends: Ends = getattr(intent, attribute) or Ends()
        for end in ends:
            if problem := _end_problem(end, parts, declared):
                yield Violation(_of_end(at, field, ends, end), *problem)


def _of_end(at: Path, field: str, ends: Ends, end: str) -> Path:
    return (*at, field) if len(ends) == 1 else (*at, field, end)


def _end_problem(end: str, parts: Parts, declared: Mapping[str, list[Address]]) -> tuple[str, str] | None:
    if end in WORDS or end in (parts.named or ()):
        return None
    kind = Address(end).kind
    if kind in SECTIONS and "/" in end:
        if kind not in SELECTABLE:
            hint = f"write {_either([f'{one}/<name>' for one in SELECTABLE])}, or a workload"
            return f"{shown(end)} is no end: no machine is in it", hint
        if end in parts.declared:
            return None
        finding = not_declared((), end, declared)
        return finding.problem, finding.hint
    problem = cidr_problem(end)
    if problem and (not end[:1].isdigit() or "/" not in end):
        if parts.named is None:
            return None
        hint = nearest(end, (*parts.named, *WORDS))
        if "/" in end:
            hint = nearest(end, [one for kind in SELECTABLE for one in declared.get(kind, ())])
        return f"{shown(end)} is not a workload, an address in this document or a CIDR", hint
    return problem


def _either(words: Iterable[str]) -> str:
    *most, last = (f'"{one}"' if one in WORDS else one for one in words)
    return f"{', '.join(most)} or {last}"


def _traffic(at: Path, intent: Intent) -> Iterator[Violation]:
    if intent.ports is not None and intent.protocol not in PORTED:
        hint = 'add "protocol": "tcp" or "udp", or leave ports out'
        yield Violation((*at, "ports"), "ports without tcp or udp", hint)
    if intent.protocol in {"icmp", "icmpv6"}:
        for field, attribute in _ENDS.items():
            ends: Ends = getattr(intent, attribute) or Ends()
            for end in ends:
                if is_cidr(end) and is_ipv6(end) != (intent.protocol == "icmpv6"):
                    problem = f"{intent.protocol} does not match the network {shown(end)}"
                    hint = "write icmp with an IPv4 network, icmpv6 with an IPv6 network"
                    yield Violation(_of_end(at, field, ends, end), problem, hint)


def _protocol(at: Path, intent: Intent) -> Iterator[Violation]:
    """What alone is reachable has a protocol; only a database says by itself which. A `reachable` intent without one
    loads, because it always has, and is judged to say too little.
    """
    if intent.protocol is None and intent.expect == "only":
        other = next((end for end in intent.to if Address(end).kind != "db_instance"), None)
        if other is not None:
            problem = f'"protocol" is missing: {shown(other)} is not a database, which has its own'
            yield Violation((*at, "protocol"), problem, 'add "protocol": "tcp", or what it is')


def _said_of_nobody(at: Path, intent: Intent, places: _Places) -> Iterator[Violation]:
    """An intent without anybody at one end, or without anybody of the VPC."""
    excluding = intent.excluding or Ends()
    for end in excluding:
        if all(places.apart(end, one) for one in intent.source):
            hint = "take it out: it is not among those that the intent is from"
            problem = f"{shown(end)} is in none of {_said(intent.source)}"
            yield Violation(_of_end(at, "except", excluding, end), problem, hint)
    if all(any(places.covers(end, one) for end in excluding) for one in intent.source):
        hint = "leave somebody in, or take the intent out"
        yield Violation((*at, "except"), f"nobody is left of {_said(intent.source)}", hint)
    outside = [end for end in intent.to if places.covers(OUTSIDE, end)]
    if outside and all(places.covers(OUTSIDE, end) for end in intent.source):
        what = "the internet" if {*intent.source, *outside} == {INTERNET} else "outside the VPC"
        problem = f"both ends of the intent are {what}"
        yield Violation(_of_end(at, "to", intent.to, outside[0]), problem, "write one end inside the VPC")


def _to_itself(at: Path, intent: Intent) -> Iterator[Violation]:
    both = [end for end in intent.to if end in intent.source and end not in (intent.excluding or ())]
    if intent.expect == "only" and both and both[0] not in WORDS:
        problem = f"only from {shown(both[0])} to itself"
        hint = "take it out of one of the ends: machines of one name are not told apart"
        yield Violation(_of_end(at, "to", intent.to, both[0]), problem, hint)


def _said(ends: Ends) -> str:
    first = shown(ends[0])
    return first if len(ends) == 1 else f"{first} and {len(ends) - 1} more"


class _Places:
    """What is certain of two selectors whatever the network is."""

    def __init__(self, parts: Parts) -> None:
        vpcs = [one for one in parts.resources.values() if isinstance(one, Vpc)]
        self._parts = parts
        self._blocks = [
            block for vpc in vpcs if vpc.cidr_block for block in (vpc.cidr_block, *(vpc.secondary_cidr_blocks or ()))
        ]

    def covers(self, outer: str, inner: str) -> bool:
        """Whether everybody in `inner` is certainly in `outer`."""
        if outer in (inner, ANYWHERE):
            return True
        if is_cidr(outer):
            return is_cidr(inner) and contains(outer, inner)
        if outer in WORDS:
            return inner == INTERNET or (is_cidr(inner) and self._outside(inner, internet=outer == INTERNET))
        kind = Address(outer).kind if "/" in outer else ""
        if inner in WORDS or is_cidr(inner):
            return False
        if kind == "vpc":
            return True
        subnets, groups = self._of(inner)
        if kind == "subnet":
            return subnets is not None and subnets == {outer}
        return kind == "security_group" and groups is not None and outer in groups

    def apart(self, one: str, other: str) -> bool:
        """Whether nobody can be in both."""
        if self.covers(one, other) or self.covers(other, one):
            return False
        if is_cidr(one) or is_cidr(other):
            cidr, end = (one, other) if is_cidr(one) else (other, one)
            if is_cidr(end):
                return True  # two networks that do not contain one another have nothing in common
            if end in WORDS:
                return self._inside(cidr) is True or (
                    end == INTERNET and any(contains(no, cidr) for no in NOT_INTERNET)
                )
            return self._inside(cidr) is False
        if one in WORDS or other in WORDS:
            return True  # machines are not outside
        return self._machines_apart(one, other)

    def _machines_apart(self, one: str, other: str) -> bool:
        (subnets, groups), (other_subnets, other_groups) = self._of(one), self._of(other)
        if subnets is not None and other_subnets is not None and not subnets & other_subnets:
            return True
        kinds = [Address(end).kind if "/" in end else "workload" for end in (one, other)]
        alone = [kind in {"workload", "db_instance"} for kind in kinds]
        if all(alone) and "db_instance" in kinds:
            return True
        if groups is None or other_groups is None:
            return False
        if all(alone):
            return groups != other_groups
        return any(alone) and not groups & other_groups

    def port(self, end: str) -> int | None:
        """The port of a database; None if the end is none."""
        database = self._parts.resources.get(Address(end))
        return (database.port or DATABASE_PORT) if isinstance(database, DbInstance) else None

    def _of(self, end: str) -> tuple[set[str] | None, set[str] | None]:
        """The (subnets, groups) that a selector of machines has; None: not known, or any."""
        if "/" not in end:
            workload = self._parts.workloads.get(("workloads", end))
            return (set(workload.subnets), set(workload.security_groups)) if workload else (None, None)
        if end.startswith("subnet/"):
            return {end}, None
        if end.startswith("security_group/"):
            return None, {end}
        database = self._parts.resources.get(Address(end))
        if not isinstance(database, DbInstance):
            return None, None
        group = self._parts.resources.get(database.db_subnet_group or Address(""))
        subnets = set[str](group.subnets) if isinstance(group, DbSubnetGroup) and group.subnets is not None else None
        groups = database.vpc_security_groups
        return subnets, None if groups is None else set(groups)

    def _outside(self, cidr: str, *, internet: bool) -> bool:
        """Whether a CIDR is certainly outside the VPC, or in the internet."""
        if self._inside(cidr) is not False:
            return False
        return not internet or _public(cidr)

    def _inside(self, cidr: str) -> bool | None:
        """True: only addresses of the VPC; False: none; None: some, or not known."""
        if not self._blocks or is_ipv6(cidr):
            return None
        if any(contains(block, cidr) for block in self._blocks):
            return True
        return None if any(contains(cidr, block) for block in self._blocks) else False


def _public(cidr: str) -> bool:
    if is_ipv6(cidr):
        return contains(INTERNET_IPV6, cidr)
    return not any(contains(one, cidr) or contains(cidr, one) for one in NOT_INTERNET)


def _contradictions(intents: Mapping[Path, Intent], places: _Places) -> Iterator[Violation]:
    """Intents that say the opposite of one another: the second of each two, once."""
    order = list(intents)
    forbidding = {number for number, at in enumerate(order) if intents[at].expect != "reachable"}
    pairs = (
        (order[min(number, other)], order[max(number, other)])
        for number in sorted(forbidding)
        for other in range(len(order))
        if other < number or (other > number and other not in forbidding)
    )
    found: set[Path] = set()
    for first, second in islice(pairs, _COMPARED):
        one, other = intents[first], intents[second]
        if second not in found and (about := _opposite(one, other, places) or _opposite(other, one, places)):
            found.add(second)
            problem = f"the opposite of the intent {shown(one.name)}, about {' -> '.join(map(shown, about))}"
            hint = 'take one of the two out, or take those ends out by "except"'
            yield Violation((*second, "expect"), problem, hint)


def _opposite(wanted: Intent, unwanted: Intent, places: _Places) -> tuple[str, str] | None:
    """Two ends between which one intent wants something reached that the other wants blocked."""
    if wanted.expect == "blocked" or unwanted.expect == "reachable":
        return None
    sources = _both(wanted.source, unwanted.source, places)
    excluding = (*(wanted.excluding or ()), *(unwanted.excluding or ()))
    source = next((one for one in sources if not any(places.covers(end, one) for end in excluding)), None)
    if source is None:
        return None
    for target in _both(wanted.to, unwanted.to, places):
        asked, forbidden = _asked(wanted, target, places), _asked(unwanted, target, places)
        if asked is None or forbidden is None:
            continue
        if _within(asked, forbidden) if unwanted.expect == "only" else not _meet(asked, forbidden):
            continue
        return source, target
    if unwanted.expect == "only":
        elsewhere = (end for end in wanted.to if all(places.apart(end, one) for one in unwanted.to))
        if (other := next(elsewhere, None)) is not None:
            return source, other
    return None


def _both(ends: Ends, others: Ends, places: _Places) -> Iterator[str]:
    """Selectors of what is certainly in both lists."""
    for one in ends:
        for other in others:
            if places.covers(one, other):
                yield other
            elif places.covers(other, one):
                yield one


def _asked(intent: Intent, target: str, places: _Places) -> _Traffic | None:
    """The traffic of an intent towards one end; None if it does not say which."""
    if intent.protocol is not None:
        return intent.protocol, tuple(intent.ports or ())
    if intent.expect == "blocked":
        return "all", ()
    port = places.port(target)
    return ("tcp", ((port, port),)) if port else None


def _meet(one: _Traffic, other: _Traffic) -> bool:
    if "all" in (one[0], other[0]):
        return True
    return one[0] == other[0] and any(
        low <= end and first <= high for low, high in one[1] or _ALL for first, end in other[1] or _ALL
    )


_ALL = ((0, 65535),)


def _within(inner: _Traffic, outer: _Traffic) -> bool:
    if outer[0] == "all":
        return True
    if inner[0] != outer[0]:
        return False
    joined: list[tuple[int, int]] = []
    for low, high in sorted(outer[1] or _ALL):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(high, joined[-1][1])
        else:
            joined.append((low, high))
    return all(any(low <= first and end <= high for low, high in joined) for first, end in inner[1] or _ALL)
