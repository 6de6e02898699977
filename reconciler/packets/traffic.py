"""Exact sets of packets: what a security group, a rule or a network ACL allows.

The kinds use it to see whether rules overlap, the planner to see whether a step opens or closes anything, and reports
for an example. To one direction of a group or ACL, a packet is a point in three dimensions:

- its space: IPv4, IPv6, or one opaque peer. The addresses of a security group or a prefix list are not known, so each
  is a space of its own; only `may_overlap` treats such a peer as any address;
- its place on the traffic line: the protocol number times 65536 plus the port (tcp, udp), or the ICMP type times 256
  plus the code. Every protocol and port clause of EC2 is then one interval, "all" is the whole line, and a protocol
  without ports is its whole stretch, which is never cut;
- its address.

Nothing is sampled or approximated: `==` and `<=` between two sets hold for every packet.
"""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from operator import and_, gt, or_
from typing import TYPE_CHECKING, NamedTuple

from desired_state.fields import ANY, ICMP, NAMED_PROTOCOLS, PORTED, is_cidr, network, traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from desired_state.fields import AclEntry, RuleKey

STRETCH = 65536
"""The length of one protocol on the traffic line: 16 bits of ports, or 8 + 8 bits of ICMP types and codes."""
CODES = 256
LINE = (0, 256 * STRETCH)

IPV4, IPV6 = "IPv4", "IPv6"

type Cuts = tuple[int, ...]
"""A set of integers: ascending bounds, from each even index (included) to the next odd one (excluded)."""
type Bands = tuple[tuple[int, Cuts], ...]
"""Traffic by address: each band applies from its address up to the next band. The last band is always empty."""
type Inside = Callable[[int, int], int]
"""The truth table of a set operation: in the left set (0, 1), in the right set (0, 1) -> in the result."""


class Box(NamedTuple):
    """What one rule or ACL entry matches: the addresses `first` to `end` (excluded), and `cuts` of the traffic line."""

    space: str
    first: int
    end: int
    cuts: Cuts


@dataclass(frozen=True, slots=True)
class Packets:
    """A set of packets of one direction. Each set has one form, so `==` and `hash` compare sets."""

    spaces: tuple[tuple[str, Bands], ...] = ()
    _hash: int | None = field(default=None, init=False, repr=False, compare=False)

    def __hash__(self) -> int:
        """Of hundreds of bands, and asked of one set by every end that lets it through, so counted once."""
        if self._hash is None:
            object.__setattr__(self, "_hash", hash(self.spaces))
        return self._hash  # type: ignore[return-value] # set above

    def __or__(self, other: Packets) -> Packets:
        return _combine(self, other, or_)

    def __and__(self, other: Packets) -> Packets:
        return _combine(self, other, and_)

    def __sub__(self, other: Packets) -> Packets:
        return _combine(self, other, gt)

    def __le__(self, other: Packets) -> bool:
        return not self - other

    def __bool__(self) -> bool:
        return bool(self.spaces)

    @property
    def traffic(self) -> Cuts:
        """The places on the traffic line of which the set has a packet, whatever its address."""
        return _traffic(self)

    def example(self, preposition: str = "from") -> str:
        """One of the packets, such as `tcp 22 from 203.0.113.0`: tcp if there is any, the lowest port and address.

        `preposition` is "to" for outbound packets. Raises ValueError if the set is empty.
        """
        places = ((_rank(point), space, address, point) for space, address, point in self._corners())
        _, space, address, point = min(places, default=(None, "", 0, ANY))
        if point == ANY:
            raise ValueError("an empty set of packets has no example")
        peer = space
        if space in (IPV4, IPV6):
            peer = str(IPv4Address(address) if space == IPV4 else IPv6Address(address))
        return f"{traffic_at(point)} {preposition} {peer}"

    def _corners(self) -> Iterable[tuple[str, int, int]]:
        for space, bands in self.spaces:
            for address, cuts in bands:
                for start, end in intervals(cuts):
                    yield space, address, start
                    for name in ("tcp", "udp", "icmp", "icmpv6"):
                        if start < NAMED_PROTOCOLS[name] * STRETCH < end:
                            yield space, address, NAMED_PROTOCOLS[name] * STRETCH


NOTHING = Packets()
EVERYTHING = Packets(((IPV4, ((0, LINE), (1 << 32, ()))), (IPV6, ((0, LINE), (1 << 128, ())))))
"""All packets of all addresses."""


def of_rule(key: RuleKey) -> Packets:
    """What one rule allows."""
    return of_rules((key,))


def of_rules(keys: Iterable[RuleKey]) -> Packets:
    """What a security group with these rules allows in their direction: groups only allow, in no order."""
    return _decided((box(key.protocol, key.first, key.last, key.peer), True) for key in keys)


def of_acl(entries: Mapping[int, AclEntry]) -> Packets:
    """What one direction of a network ACL allows: the lowest matching number decides, no match is denied.

    Source: VPC User Guide, "Network ACL rules" (evaluated "starting with the lowest numbered rule").
    """
    return _decided((of_entry(entry), entry.action == "allow") for _, entry in sorted(entries.items()))


def of_entry(entry: AclEntry) -> Box:
    """The packets that an ACL entry decides about, whatever its action."""
    return box(entry.protocol, entry.first, entry.last, entry.cidr)


def may_overlap(one: RuleKey, other: RuleKey) -> bool:
    """Whether a packet could match both rules, if a group or a prefix list may contain any address."""
    left = box(one.protocol, one.first, one.last, one.peer)
    right = box(other.protocol, other.first, other.last, other.peer)
    if not _merge(left.cuts, right.cuts, and_):
        return False
    if not (one.is_cidr and other.is_cidr):
        return True
    return left.space == right.space and left.first < right.end and right.first < left.end


def meet(left: Cuts, right: Cuts) -> Cuts:
    """What two sets of integers share."""
    if left == right:
        return left
    cuts: list[int] = []
    i = j = 0
    while i < len(left) and j < len(right):
        end, stop = left[i + 1], right[j + 1]
        low, high = max(left[i], right[j]), min(end, stop)
        if low < high:
            cuts += (low, high)
        i, j = (i + 2, j) if end < stop else (i, j + 2)
    return tuple(cuts)


def join(*sets: Cuts) -> Cuts:
    """What at least one of these sets of integers contains."""
    known = {cuts for cuts in sets if cuts}
    if len(known) < 2:
        return known.pop() if known else ()
    cuts: list[int] = []
    for low, high in sorted(pair for one in known for pair in intervals(one)):
        extend(cuts, low, high)
    return tuple(cuts)


def less(left: Cuts, right: Cuts) -> Cuts:
    """What a set of integers contains and another does not."""
    return _merge(left, right, gt)


def intervals(cuts: Cuts) -> Iterator[tuple[int, int]]:
    """The first of each interval of a set of integers, and its end (excluded)."""
    return zip(cuts[::2], cuts[1::2], strict=True)


def has(cuts: Cuts, place: int) -> bool:
    """Whether a set of integers contains this one."""
    return any(first <= place < end for first, end in intervals(cuts))


def size(cuts: Cuts) -> int:
    """How many integers a set has."""
    return sum(cuts[1::2]) - sum(cuts[::2])


def extend(cuts: list[int], first: int, end: int) -> None:
    """Adds an interval that begins no earlier than the last one of these; where they touch, they become one."""
    if cuts and first <= cuts[-1]:
        cuts[-1] = max(cuts[-1], end)
    else:
        cuts += (first, end)


def keeps(before: Packets, after: Packets, now: Packets) -> bool:
    """The packet rule, for a state between two calls: no new exposure, no outage.

    It allows nothing that neither `before` nor `after` allows, and everything that both allow.
    """
    return now <= before | after and before & after <= now


@lru_cache(maxsize=16384)
def box(protocol: str, first: int, last: int, peer: str) -> Box:
    """The packets of one clause; the parameters as in `RuleKey`. Raises ValueError for a CIDR that is not canonical."""
    cuts = _clause(protocol, first, last)
    if not is_cidr(peer):
        return Box(peer, 0, 1, cuts)
    version, low, high = network(peer)
    return Box(IPV4 if version == 4 else IPV6, low, high + 1, cuts)


def _clause(protocol: str, first: int, last: int) -> Cuts:
    if protocol == "all":
        return LINE
    start = STRETCH * (NAMED_PROTOCOLS[protocol] if protocol in NAMED_PROTOCOLS else int(protocol))
    if protocol in PORTED and first != ANY:
        return start + first, start + last + 1
    if protocol in ICMP and first != ANY:
        low = start + first * CODES
        return (low, low + CODES) if last == ANY else (low + last, low + last + 1)
    if protocol in ICMP and last != ANY:  # any type with one code: EC2 refuses it today, but it costs little
        return tuple(start + kind * CODES + last + edge for kind in range(CODES) for edge in (0, 1))
    return start, start + STRETCH


def _decided(boxes: Iterable[tuple[Box, bool]]) -> Packets:
    """The first matching box decides about each packet."""
    spaces: dict[str, list[tuple[Box, bool]]] = defaultdict(list)
    for each, allowed in boxes:
        spaces[each.space].append((each, allowed))
    found = ((space, _bands(spaces[space])) for space in sorted(spaces))
    return Packets(tuple((space, bands) for space, bands in found if bands))


@lru_cache(maxsize=256)
def _traffic(packets: Packets) -> Cuts:
    return join(*(cuts for _, bands in packets.spaces for _, cuts in bands))


def _bands(boxes: list[tuple[Box, bool]]) -> Bands:
    """From edge to edge, with only those boxes at hand that an address is in: of hundreds of routes, a few are."""
    starts: dict[int, list[int]] = defaultdict(list)
    ends: dict[int, list[int]] = defaultdict(list)
    for place, (each, _) in enumerate(boxes):
        starts[each.first].append(place)
        ends[each.end].append(place)
    bands: list[tuple[int, Cuts]] = []
    here: list[int] = []
    for address in sorted(starts.keys() | ends.keys()):
        for place in starts.get(address, ()):
            insort(here, place)
        for place in ends.get(address, ()):
            here.remove(place)
        cuts: Cuts = ()
        for place in reversed(here):  # the first box overrides the later ones
            each, allowed = boxes[place]
            cuts = _merge(cuts, each.cuts, or_ if allowed else gt)
        if cuts != (bands[-1][1] if bands else ()):
            bands.append((address, cuts))
    return tuple(bands)


def _combine(left: Packets, right: Packets, inside: Inside) -> Packets:
    if left.spaces == right.spaces:
        return left if inside(1, 1) else NOTHING
    return _combined(left, right, inside)


@lru_cache(maxsize=256)
def _combined(left: Packets, right: Packets, inside: Inside) -> Packets:
    """Memoized: the subnets of one route table and one ACL ask the same in every state of a plan."""
    lefts, rights = dict(left.spaces), dict(right.spaces)
    found = ((space, _merge_bands(lefts.get(space, ()), rights.get(space, ()), inside)) for space in lefts | rights)
    spaces = tuple(sorted((space, bands) for space, bands in found if bands))
    return next((one for one in (left, right) if one.spaces == spaces), None) or Packets(spaces)


def _merge_bands(left: Bands, right: Bands, inside: Inside) -> Bands:
    """Most sets of a network are the same or empty, so those are not walked through."""
    if left == right:
        return left if inside(1, 1) else ()
    if not left or not right:
        return (left if inside(1, 0) else ()) or (right if inside(0, 1) else ())
    bands: list[tuple[int, Cuts]] = []
    in_left: Cuts = ()
    in_right: Cuts = ()
    last: Cuts = ()
    lefts, rights = iter(left), iter(right)
    next_left, then_left = next(lefts)
    next_right, then_right = next(rights)
    while (address := next_left if next_left < next_right else next_right) != _BEYOND:  # noqa: FURB136 (min is slow)
        if next_left == address:
            in_left = then_left
            next_left, then_left = next(lefts, _NO_MORE)
        if next_right == address:
            in_right = then_right
            next_right, then_right = next(rights, _NO_MORE)
        cuts = _merge(in_left, in_right, inside)
        if cuts != last:
            bands.append((address, cuts))
            last = cuts
    return tuple(bands)


_BEYOND = (1 << 128) + 1
"""Greater than every address at which a band begins."""
_NO_MORE: tuple[int, Cuts] = (_BEYOND, ())


@lru_cache(maxsize=4096)
def _merge(left: Cuts, right: Cuts, inside: Inside) -> Cuts:
    """Memoized: rule lists repeat the same few clauses for many addresses."""
    cuts: list[int] = []
    i = j = now = 0
    while i < len(left) or j < len(right):
        place = min((*left[i : i + 1], *right[j : j + 1]))
        i += i < len(left) and left[i] == place
        j += j < len(right) and right[j] == place
        if inside(i & 1, j & 1) != now:  # inside a set after an odd number of its cuts
            now = 1 - now
            cuts.append(place)
    return tuple(cuts)


def _rank(point: int) -> tuple[int, int]:
    """Sorts examples: protocols with a name first, then the lower place."""
    protocol = point // STRETCH
    known = [NAMED_PROTOCOLS[name] for name in ("tcp", "udp", "icmp", "icmpv6")]
    return (known.index(protocol) if protocol in known else len(known)), point


def traffic_at(point: int) -> str:
    """A place on the traffic line for people, such as `tcp 22`."""
    number, rest = divmod(point, STRETCH)
    name = next((name for name, known in NAMED_PROTOCOLS.items() if known == number), str(number))
    if name in PORTED:
        return traffic(name, rest, rest)
    return traffic(name, *divmod(rest, CODES)) if name in ICMP else traffic(name, ANY, ANY)
