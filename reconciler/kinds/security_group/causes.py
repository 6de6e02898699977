"""What the calls of CloudTrail can have changed of a security group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.model.cause import (
    EC2_TAGS,
    EXTRA,
    GOES,
    GONE,
    NOTHING,
    OTHER,
    Details,
    Part,
    Touches,
    Way,
    together,
    touches,
    values_of,
)


def _of_rules(ways: frozenset[Way], *fields: str) -> Touches:
    """The rules that the request or the answer describes, or any."""

    def touched(details: Details) -> Iterable[Part]:
        rules = values_of(details, "rule")
        for field in fields:
            yield Part(field, ways, rules, refused_if_there=rules is not None and ways is EXTRA and len(fields) == 1)

    return touched


CHANGES: Mapping[str, Touches] = {
    **EC2_TAGS,
    "AssociateSecurityGroupVpc": NOTHING,
    "AuthorizeSecurityGroupEgress": _of_rules(EXTRA, "egress"),
    "AuthorizeSecurityGroupIngress": _of_rules(EXTRA, "ingress"),
    "CreateSecurityGroup": touches("tags", "description", Part("ingress", GONE), Part("egress", EXTRA | GONE)),
    "DeleteSecurityGroup": GOES,
    "DisassociateSecurityGroupVpc": NOTHING,
    "ModifySecurityGroupRules": together(
        _of_rules(EXTRA, "ingress", "egress"), touches(Part("ingress", GONE), Part("egress", GONE))
    ),
    "RevokeSecurityGroupEgress": _of_rules(GONE, "egress"),
    "RevokeSecurityGroupIngress": _of_rules(GONE, "ingress"),
    "UpdateSecurityGroupRuleDescriptionsEgress": _of_rules(OTHER, "egress"),
    "UpdateSecurityGroupRuleDescriptionsIngress": _of_rules(OTHER, "ingress"),
}
"""EC2 API reference, each call. Authorize is refused for a rule that is there (InvalidPermission.Duplicate), so it was
not. ModifySecurityGroupRules says what a rule becomes, and neither what it was nor its direction.
"""
