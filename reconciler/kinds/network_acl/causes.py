"""What the calls of CloudTrail can have changed of a network ACL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.model.cause import EC2_TAGS, EXTRA, GOES, GONE, Details, Part, Touches, Way, touches, values_of


def _of_entry(ways: frozenset[Way], *, refused_if_there: bool = False) -> Touches:
    """The entry that the call names by direction and number."""

    def touched(details: Details) -> Iterable[Part]:
        fields = {"true": ["egress"], "false": ["ingress"]}
        for field in (one for said in values_of(details, "egress") or () for one in fields.get(said, ())):
            if numbers := values_of(details, "rulenumber"):
                yield Part(field, ways, numbers, refused_if_there=refused_if_there)

    return touched


CHANGES: Mapping[str, Touches] = {
    **EC2_TAGS,
    "CreateNetworkAcl": touches("tags", *(Part(field, GONE) for field in ("ingress", "egress", "subnets"))),
    "CreateNetworkAclEntry": _of_entry(EXTRA, refused_if_there=True),
    "DeleteNetworkAcl": GOES,
    "DeleteNetworkAclEntry": _of_entry(GONE),
    "ReplaceNetworkAclAssociation": touches("subnets"),
    "ReplaceNetworkAclEntry": _of_entry(EXTRA),
}
"""EC2 API reference, each call. CreateNetworkAclEntry is refused for a number that is there
(NetworkAclEntryAlreadyExists), so it was not.
"""
