"""Everything that keeps a flow from working: each filter that does not let all of it through, and what mends it. Pure.

A flow works if every filter on its way, out and back, lets all of it through; so each is asked alone, and all that
blocks is found at once. Nothing is said of the order in which it should be mended.
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.packets.traffic import IPV4, IPV6, STRETCH, Cuts, Packets, join, meet
from reconciler.reach.pair.ends import End
from reconciler.reach.pair.legs import Lacking, Leg, RouteLeg, legs
from reconciler.reach.pair.mends import mends
from reconciler.reach.pair.path import Blocker, Flow, Hop, Why
from reconciler.reach.pair.topology import Topology

_USUAL_CLIENTS = 32768
"""Linux picks its ports from here up to 60999, Windows from 49152 (VPC user guide, ephemeral ports)."""


def blockers(topology: Topology, source: End, target: End, flow: Flow) -> tuple[Blocker, ...]:
    """What keeps a flow from working between all addresses of two ends; nothing if it surely works.

    The request must arrive at every address from every address, and every reply to every port of the client. Judged
    in IPv4, or in IPv6 if an end has no IPv4 address. The blockers that are `certain` break the flow; if there are
    others only, it is not known whether it works. Where a table has routes for prefix lists beside a NAT gateway, a
    flow that is broken either way may count as not known.
    """
    ipv6 = family(source, target)
    if ipv6 is None:
        return (Blocker(Hop(target.label, "", passes=False, why=Why.NO_FAMILY), Packets()),)
    found = (_blocker(topology, leg) for leg in legs(topology, source, target, flow, ipv6=ipv6))
    return tuple(blocker for blocker in found if blocker)


def family(source: End, target: End) -> bool | None:
    """Whether a flow between two ends is judged in IPv6; None if they have no family in common."""
    if source.addresses.ipv4 and target.addresses.ipv4:
        return False
    return True if source.addresses.ipv6 and target.addresses.ipv6 else None


def partly(found: Iterable[Blocker]) -> bool:
    """Whether Linux and Windows clients are served, and only others are not: those that use lower ports."""
    found = tuple(found)
    return bool(found) and all(
        blocker.hop.reply and not any(meet(cuts, _USUAL) for _, bands in blocker.missing.spaces for _, cuts in bands)
        for blocker in found
    )


_USUAL: Cuts = join(
    (0, 6 * STRETCH),
    tuple(
        bound
        for first, end in ((6, 7), (7, 17), (17, 18), (18, 256))
        for bound in (first * STRETCH + (_USUAL_CLIENTS if first in (6, 17) else 0), end * STRETCH)
    ),
)


def _blocker(topology: Topology, leg: Leg) -> Blocker | None:
    doubtful = leg.lacking(topology, certain=True)
    if not doubtful:
        return None
    missing = leg.lacking(topology, certain=False)
    address, _, cuts = (missing or doubtful)[0]
    hop = leg.at(topology, address, cuts[0])
    wanted = () if isinstance(leg, RouteLeg) else mends(topology, leg, doubtful)
    if missing and isinstance(leg, RouteLeg) and hop.why is not None and not hop.why.certain:
        hop = hop._replace(member=None, passes=False, why=Why.NO_ROUTE)
    return Blocker(hop, packets_of(missing or doubtful, ipv6=leg.crossed.ipv6), wanted)


def packets_of(lacking: Lacking, *, ipv6: bool) -> Packets:
    """The same as a set of packets."""
    bands: list[tuple[int, Cuts]] = []
    for first, end, cuts in lacking:
        if bands and bands[-1][0] == first:
            bands.pop()
        if not bands or bands[-1][1] != cuts:
            bands.append((first, cuts))
        bands.append((end, ()))
    return Packets(((IPV6 if ipv6 else IPV4, tuple(bands)),)) if bands else Packets()
