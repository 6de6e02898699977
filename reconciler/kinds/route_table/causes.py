"""What the calls of CloudTrail can have changed of a route table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.model.cause import EC2_TAGS, EXTRA, GOES, GONE, NOTHING, Details, Part, Touches, Way, touches, values_of


def _of_route(ways: frozenset[Way]) -> Touches:
    def touched(details: Details) -> Iterable[Part]:
        to = values_of(details, "destinationcidrblock", "destinationipv6cidrblock", "destinationprefixlistid")
        yield Part("routes", ways, to)

    return touched


CHANGES: Mapping[str, Touches] = {
    **EC2_TAGS,
    "AssociateRouteTable": touches(Part("subnets", EXTRA, lists=True)),  # that of a gateway names no subnet
    "CreateRoute": _of_route(EXTRA),
    "CreateRouteTable": touches("tags", Part("routes", GONE), Part("subnets", GONE)),
    "DeleteRoute": _of_route(GONE),
    "DeleteRouteTable": GOES,
    "DisableVgwRoutePropagation": NOTHING,
    "DisassociateRouteTable": touches(Part("subnets", GONE)),
    "EnableVgwRoutePropagation": NOTHING,
    "ReplaceRoute": _of_route(EXTRA),
    "ReplaceRouteTableAssociation": touches("subnets", "main"),
}
"""EC2 API reference, each call; propagated routes are not declared."""
