"""Security groups and network ACLs, prepared for the question which traffic passes for some address. Pure.

Everything here is a pair: what is certain to pass, and what may pass if all that is not known allows it. What is
prepared from a cell of the network is kept as long as the cell stays the same object (`Topology.parts`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from desired_state.fields import NOWHERE, AclEntry, Address, RuleKey, is_cidr, network
from reconciler.packets.traffic import EVERYTHING, IPV4, IPV6, LINE, NOTHING, Cuts, Packets, box, intervals, join, meet
from reconciler.reach.layers import of_entries
from reconciler.reach.network import entries, is_prefix_list, rules
from reconciler.reach.pair.topology import Topology

EVERY_ADDRESS = (0, 1 << 32), (0, 1 << 128)
"""All addresses of IPv4 and of IPv6."""
BEYOND = EVERY_ADDRESS[1][1] + 1
"""Behind the last address of either family."""

type Box = tuple[int, int, Cuts]
"""What a rule matches: from an address up to another (excluded), and the traffic."""
type Boxes = tuple[Box, ...]
type Line = tuple[list[int], list[Cuts]]
"""The bands of an ACL: where each begins, and its traffic."""
type Through = tuple[Cuts, Cuts]
"""The traffic that is certain to pass, and the traffic that may pass."""


class Where:
    """Addresses that packets surely reach or come from, and those that they may; the same object for the same ones."""

    __slots__ = ("ipv6", "maybe", "sure")

    def __init__(self, ipv6: bool, sure: Cuts, maybe: Cuts) -> None:  # noqa: FBT001 (as the fields)
        self.ipv6, self.sure, self.maybe = ipv6, sure, maybe


def where(topology: Topology, sure: Cuts, maybe: Cuts, *, ipv6: bool) -> Where:
    """These addresses as a key that is quickly compared."""
    key = "where", ipv6, sure, maybe
    found: Where | None = topology.parts.get(key)
    if found is None:
        found = topology.parts[key] = Where(ipv6, sure, maybe)
    return found


class Acl:
    """One direction of a network ACL, or of several that a packet crosses with the same address of its peer."""

    __slots__ = ("_memo", "certain", "possible")

    def __init__(self, certain: Packets, possible: Packets) -> None:
        self.certain, self.possible = certain, possible
        self._memo: dict[Any, Any] = {}

    def line(self, ipv6: bool, certain: bool) -> Line:  # noqa: FBT001 (both name a half)
        """The bands of one family: where each begins, and its traffic."""
        key = ipv6, certain
        found: Line | None = self._memo.get(key)
        if found is None:
            bands = dict((self.certain if certain else self.possible).spaces).get(IPV6 if ipv6 else IPV4, ())
            found = self._memo[key] = [start for start, _ in bands], [cuts for _, cuts in bands]
        return found

    def beside(self, other: Acl) -> Acl:
        """Both: what passes this one and the other."""
        if other is self or other is NO_ACL:
            return self
        if self is NO_ACL:
            return other
        found: Acl | None = self._memo.get(other)
        if found is None:
            found = self._memo[other] = Acl(self.certain & other.certain, self.possible & other.possible)
        return found

    def over(self, at: Where, *, certain: bool) -> tuple[Line, Cuts]:
        """The bands over these addresses, without traffic everywhere else, and what passes with some of them."""
        key = at, certain
        found: tuple[Line, Cuts] | None = self._memo.get(key)
        if found is None:
            line = _clipped(self.line(at.ipv6, certain), at.sure if certain else at.maybe)
            found = self._memo[key] = line, join(*line[1])
        return found


def _clipped(line: Line, ranges: Cuts) -> Line:
    """The bands of an ACL over some ranges. The first begins at 0, and the last, behind all addresses, is empty."""
    starts, bands = [0], list[Cuts]([()])
    known, traffic = line
    for first, end in intervals(ranges):
        band = bisect_right(known, first) - 1
        start = first
        while start < end:
            stop = min(end, known[band + 1]) if band + 1 < len(known) else end
            for at, cuts in ((start, traffic[band] if band >= 0 else ()), (stop, ())):
                if starts[-1] == at:
                    starts.pop()
                    bands.pop()
                starts.append(at)
                bands.append(cuts)
            start, band = stop, band + 1
    starts.append(BEYOND)
    bands.append(())
    return starts, bands


NO_ACL = Acl(EVERYTHING, EVERYTHING)
"""What a packet crosses that does not leave its subnet (VPC user guide, network ACLs)."""
UNKNOWN_ACL = Acl(NOTHING, EVERYTHING)


class Groups:
    """One direction of a set of security groups: they only allow, so their rules count together."""

    __slots__ = ("_memo", "boxes", "elsewhere", "lists", "peers", "unknown")

    def __init__(
        self,
        boxes: tuple[Boxes, Boxes],
        peers: dict[Address, Cuts],
        lists: Cuts,
        elsewhere: Cuts,
        unknown: bool,  # noqa: FBT001 (only built here)
    ) -> None:
        self.boxes = boxes
        self.peers = peers
        """Group -> what comes from its members, or goes to them."""
        self.lists = lists
        """What the rules for prefix lists allow."""
        self.elsewhere = elsewhere
        """What the rules for groups allow that the network does not have."""
        self.unknown = unknown
        """Whether some of the groups may allow anything."""
        self._memo: dict[tuple[Acl, Where], tuple[Cuts, Cuts, Cuts, Cuts]] = {}

    def inside(self, acl: Acl, at: Where, groups: frozenset[Address] | None) -> Through:
        """What passes the groups and the ACL, from or to a machine with some of these addresses and these groups."""
        found = self._memo.get((acl, at))
        certain, possible, acl_certain, acl_possible = found or self._by_address(acl, at)
        if self.peers:
            if groups is None:
                possible = join(possible, *(meet(cuts, acl_possible) for cuts in self.peers.values()))
            else:
                for group in groups:
                    if group in self.peers:
                        certain = join(certain, meet(self.peers[group], acl_certain))
                        possible = join(possible, meet(self.peers[group], acl_possible))
        return certain, possible

    def outside(self, acl: Acl, at: Where, *, internet: bool) -> Through:
        """The same, from or to a network outside. Groups have no members on the internet (EC2 user guide)."""
        certain, possible, _, acl_possible = self._memo.get((acl, at)) or self._by_address(acl, at)
        if self.elsewhere and not internet:
            possible = join(possible, meet(self.elsewhere, acl_possible))
        return certain, possible

    def _by_address(self, acl: Acl, at: Where) -> tuple[Cuts, Cuts, Cuts, Cuts]:
        """What the rules for networks and prefix lists allow, and what the ACL alone allows."""
        boxes = self.boxes[at.ipv6]
        line, acl_certain = acl.over(at, certain=True)
        certain = possible = _some(boxes, line)
        acl_possible = acl_certain
        if at.sure != at.maybe or acl.certain is not acl.possible:
            line, acl_possible = acl.over(at, certain=False)
            possible = _some(boxes, line)
        unsure = LINE if self.unknown else self.lists
        possible = join(possible, meet(unsure, acl_possible))
        found = self._memo[acl, at] = certain, possible, acl_certain, acl_possible
        return found


NO_GROUPS = Groups((((*EVERY_ADDRESS[0], LINE),), ((*EVERY_ADDRESS[1], LINE),)), {}, (), (), unknown=False)
"""What a gateway has instead of security groups: nothing that filters."""
UNKNOWN_GROUPS = Groups(((), ()), {}, (), (), unknown=True)


def _some(boxes: Boxes, line: Line) -> Cuts:
    """The traffic of a box that passes the bands of an ACL, at some address of the box."""
    starts, bands = line
    found: set[Cuts] = set()
    for first, end, cuts in boxes:
        band = bisect_right(starts, first) - 1
        while True:
            passed = bands[band]
            if passed:
                found.add(cuts if passed == LINE else meet(cuts, passed))
            band += 1
            if starts[band] >= end:
                break
    return join(*found)


def acl_of(topology: Topology, subnet: Address, side: str) -> Acl:
    """One direction of the ACL that a subnet uses."""
    at = topology.network.acl_of(subnet)
    members = topology.network.cells.get(entries(at, side))
    if at == NOWHERE or members is None or topology.unreadable(at, "network_acl"):
        return UNKNOWN_ACL
    kept = topology.parts.get(id(members))
    if kept is None:  # it keeps the members too, so that their identity stays theirs
        kept = topology.parts[id(members)] = _acl(tuple(sorted(members.items()))), members
    found: Acl = kept[0]
    return found


@lru_cache(maxsize=1024)
def _acl(acl: tuple[tuple[int, AclEntry], ...]) -> Acl:
    allowed = of_entries(acl)
    return Acl(allowed, allowed)


def groups_of(topology: Topology, groups: frozenset[Address] | None, side: str) -> Groups:
    """One direction of the groups that a machine carries, None if nobody knows which."""
    if groups is None:
        return UNKNOWN_GROUPS
    parts = tuple(_group(topology, group, side) for group in groups)
    if len(parts) == 1:
        return parts[0]
    kept = topology.parts.get((groups, side))
    if kept is None or kept[0] != parts:
        kept = topology.parts[groups, side] = parts, _together(parts)
    found: Groups = kept[1]
    return found


def _group(topology: Topology, group: Address, side: str) -> Groups:
    members = topology.network.cells.get(rules(group, side))
    if members is None or topology.unreadable(group, "security_group"):
        return UNKNOWN_GROUPS
    kept = topology.parts.get(id(members))
    if kept is None:  # it keeps the members too, so that their identity stays theirs
        kept = topology.parts[id(members)] = _prepared(topology, members), members
    found: Groups = kept[0]
    return found


def _prepared(topology: Topology, members: Iterable[RuleKey]) -> Groups:
    boxes: tuple[list[Box], list[Box]] = ([], [])
    peers: dict[Address, Cuts] = {}
    lists: Cuts = ()
    elsewhere: Cuts = ()
    for key in members:
        read = _box(key)
        if read is not None:
            boxes[":" in key.peer].append(read)
            continue
        cuts = box(key.protocol, key.first, key.last, "::/0").cuts
        if is_prefix_list(key.peer):
            lists = join(lists, cuts)
            continue
        other = group_of(key.peer)
        peers[other] = join(peers[other], cuts) if other in peers else cuts
        if is_elsewhere(topology, other):
            elsewhere = join(elsewhere, cuts)
    return Groups((tuple(boxes[0]), tuple(boxes[1])), peers, lists, elsewhere, unknown=False)


@lru_cache(maxsize=32768)
def _box(key: RuleKey) -> Box | None:
    """What a rule for a network matches; None for another peer. Memoized: states of a plan share their rules."""
    if not is_cidr(key.peer):
        return None
    _, low, high = network(key.peer)
    return low, high + 1, box(key.protocol, key.first, key.last, "::/0").cuts


def _together(parts: Iterable[Groups]) -> Groups:
    parts = tuple(parts)
    peers: dict[Address, Cuts] = {}
    lists: Cuts = ()
    elsewhere: Cuts = ()
    for part in parts:
        lists, elsewhere = join(lists, part.lists), join(elsewhere, part.elsewhere)
        for group, cuts in part.peers.items():
            peers[group] = join(peers.get(group, ()), cuts)
    boxes = tuple(one for part in parts for one in part.boxes[0]), tuple(one for part in parts for one in part.boxes[1])
    return Groups(boxes, peers, lists, elsewhere, any(part.unknown for part in parts))


@lru_cache(maxsize=4096)
def group_of(peer: str) -> Address:
    """The group that a rule's peer names, without the account that owns it."""
    account, slash, group = peer.partition("/")
    return Address(group if slash and account.isdigit() else peer)


def is_elsewhere(topology: Topology, group: Address) -> bool:
    """Whether a group is not of this VPC: beyond a peering connection it may have members that nobody here knows."""
    return group.startswith("sg-") and not any(rules(group, side) in topology.network for side in ("ingress", "egress"))
