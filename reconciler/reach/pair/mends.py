"""The smallest rules and entries that let through what a filter blocks. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice

from desired_state.fields import (
    ANY,
    ICMP,
    NAMED_PROTOCOLS,
    PORTED,
    AclEntry,
    RuleKey,
    is_ipv6,
    rule_key,
    written_entry,
    written_rule,
)
from desired_state.quotas import HIGHEST_RULE_NUMBER
from desired_state.sanitize import sanitize
from reconciler.packets.traffic import CODES, LINE, STRETCH, Cuts, box, intervals, join, meet
from reconciler.reach.network import entries, rules
from reconciler.reach.pair.ends import Endpoint, External, cidrs_of
from reconciler.reach.pair.legs import AclLeg, Crossed, GroupsLeg, Lacking
from reconciler.reach.pair.path import Mend
from reconciler.reach.pair.topology import Topology

MOST_CIDRS = 4
"""If a mend needs more networks than this, it is written for all addresses of the end."""
MOST_MENDS = 8
_NAMES = {number: name for name, number in NAMED_PROTOCOLS.items()}

type Clause = tuple[str, int, int]
"""Protocol, first and last, as in `RuleKey`."""


def mends(topology: Topology, leg: GroupsLeg | AclLeg, lacking: Lacking) -> tuple[Mend, ...]:
    """The members that a filter lacks; none if it is not known, or if it would take too many."""
    return tuple(_of_acl(topology, leg, lacking) if isinstance(leg, AclLeg) else _of_group(topology, leg, lacking))


def told(mend: Mend) -> str:
    """A mend as a document writes it: `network_acl/X, ingress: "120": {"action": "allow", ...}`."""
    cell, member = mend.cell, mend.member
    end = "source" if cell.side == "ingress" else "destination"
    place = f"{sanitize(cell.of)}, {cell.side}: "
    if isinstance(member, RuleKey):
        return place + json.dumps(written_rule(member, end))
    if isinstance(mend.value, AclEntry):
        return f'{place}"{member}": {json.dumps(written_entry(mend.value, end))}'
    raise ValueError("an entry of an ACL has a number and a value")


def _of_group(topology: Topology, leg: GroupsLeg, lacking: Lacking) -> Iterator[Mend]:
    known = [
        group
        for group in sorted(leg.end.groups or ())
        if rules(group, leg.side) in topology.network and not topology.unreadable(group, "security_group")
    ]
    if not known:
        return
    cell, peer = rules(known[0], leg.side), leg.crossed.peer
    cuts: Cuts = ()
    for _, _, some in lacking:
        cuts = join(cuts, some)
    peers = min(peer.groups, default=None) if isinstance(peer, Endpoint) and peer.groups else None
    wanted = [(clause, peers) for clause in clauses(cuts)] if peers else _wanted(leg.crossed, lacking)
    if len(wanted) > MOST_MENDS:
        return
    full = len(topology.network[cell]) + len(wanted) > topology.quotas.rules
    for (protocol, first, last), of in wanted:
        yield Mend(cell, rule_key(protocol, first, last, of), value=True, quota=full)


def _of_acl(topology: Topology, leg: AclLeg, lacking: Lacking) -> Iterator[Mend]:
    acl = topology.network.acl_of(leg.subnet)
    cell = entries(acl, leg.side)
    if cell not in topology.network or topology.unreadable(acl, "network_acl"):
        return
    found = topology.network.entries(acl, leg.side)
    wanted = _wanted(leg.crossed, lacking)
    numbers = list(islice(_free(found, _first_deny(found, leg.crossed, lacking)), len(wanted)))
    if len(wanted) > MOST_MENDS or len(numbers) < len(wanted):
        return
    alike = sum(is_ipv6(entry.cidr) == leg.crossed.ipv6 for entry in found.values())
    full = alike + len(wanted) > topology.quotas.usable_entries
    for number, ((protocol, first, last), cidr) in zip(sorted(numbers), wanted, strict=True):
        yield Mend(cell, number, AclEntry("allow", protocol, first, last, cidr), quota=full)


def _first_deny(found: Mapping[int, AclEntry], crossed: Crossed, lacking: Lacking) -> int:
    """The number of the first entry that denies some of it; behind that, an entry would mend nothing."""
    for number, entry in sorted(found.items()):
        if entry.action == "allow" or is_ipv6(entry.cidr) != crossed.ipv6:
            continue
        _, low, end, cuts = box(entry.protocol, entry.first, entry.last, entry.cidr)
        if any(first < end and low < stop and meet(cuts, some) for first, stop, some in lacking):
            return number
    return HIGHEST_RULE_NUMBER + 1


def _free(found: Mapping[int, AclEntry], below: int) -> Iterator[int]:
    """Free numbers below one, the best first: ten after the entry before it, or as near to that as can be."""
    before = max((number for number in found if number < below), default=0)
    tens = range(before - before % 10 + 10, below, 10)
    nearest = (number for number in range(below - 1, 0, -1) if number not in tens)
    yield from (number for source in (tens, nearest) for number in source if number not in found)


def _wanted(crossed: Crossed, lacking: Lacking) -> list[tuple[Clause, str]]:
    """The clauses and networks that make up what is lacking."""
    peer = crossed.peer
    by_cuts: dict[Cuts, list[int]] = {}
    for first, end, cuts in lacking:
        some = by_cuts.setdefault(cuts, [])
        if some and some[-1] == first:
            some[-1] = end
        else:
            some += (first, end)
    if isinstance(peer, External) and peer.internet:
        anywhere = ("::/0",) if crossed.ipv6 else ("0.0.0.0/0",)
        return [(clause, cidr) for clause in clauses(_together(by_cuts)) for cidr in anywhere]
    wanted = [
        (clause, cidr)
        for cuts, some in by_cuts.items()
        for clause in clauses(cuts)
        for cidr in cidrs_of(tuple(some), ipv6=crossed.ipv6)
    ]
    if len(wanted) <= MOST_CIDRS:
        return wanted
    whole = cidrs_of(crossed.peers, ipv6=crossed.ipv6)
    return [(clause, cidr) for clause in clauses(_together(by_cuts)) for cidr in whole]


def _together(by_cuts: Mapping[Cuts, object]) -> Cuts:
    found: Cuts = ()
    for cuts in by_cuts:
        found = join(found, cuts)
    return found


def clauses(cuts: Cuts) -> list[Clause]:
    """The clauses of rules that make up a part of the traffic line, each for one protocol, or for all."""
    if cuts == LINE:
        return [("all", ANY, ANY)]
    found: list[Clause] = []
    for start, end in intervals(cuts):
        for number in range(start // STRETCH, (end - 1) // STRETCH + 1):
            first, last = max(start - number * STRETCH, 0), min(end - number * STRETCH, STRETCH) - 1
            name = _NAMES.get(number, str(number))
            if name in PORTED:
                found.append((name, first, last))
            elif name in ICMP and (first, last) != (0, STRETCH - 1):
                found += _icmp(name, first, last)
            else:
                found.append((name, ANY, ANY))
    return found


def _icmp(name: str, first: int, last: int) -> Iterator[Clause]:
    """Whole types where there are such, single codes for the rest."""
    while first <= last:
        kind, code = divmod(first, CODES)
        if code == 0 and first + CODES - 1 <= last:
            yield name, kind, ANY
            first += CODES
        else:
            yield name, kind, code
            first += 1
