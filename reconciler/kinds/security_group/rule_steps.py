"""The steps from the live to the declared rules of a security group, in one direction, without exposure or outage.

Pure; `kind.py` turns the steps into calls. A group only allows, so a packet is cut off when the last rule that allows
it is revoked, and exposed when a rule is added. Therefore:

1. an undeclared rule that overlaps no missing rule is revoked first (`closing`);
2. the missing rules are authorized (`added`), in one call;
3. an undeclared rule that overlaps a missing rule with the same type of peer is changed to it in place (`modified`),
   which needs no additional rule of the quota;
4. the other undeclared rules are revoked last (`removed`), once everything that could replace them exists.

The addresses of groups and prefix lists are not known, so such a peer counts as overlapping any peer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from desired_state.fields import RuleKey
from desired_state.quotas import GROUP_RULES
from reconciler.aws.ec2 import peer_sort
from reconciler.packets.traffic import may_overlap, of_rule, of_rules


class RuleSteps(NamedTuple):
    """The steps in their order. `short` is empty, or says why the quota has no room to add before removing."""

    closing: tuple[RuleKey, ...]
    added: tuple[RuleKey, ...]
    modified: tuple[tuple[RuleKey, RuleKey], ...]
    removed: tuple[RuleKey, ...]
    short: str


def rule_steps(before: Iterable[RuleKey], after: Iterable[RuleKey]) -> RuleSteps:
    """The steps from the live rules `before` to the declared rules `after`."""
    live, declared = set(before), set(after)
    missing, extra = declared - live, sorted(live - declared)
    meets = {old: [new for new in sorted(missing) if may_overlap(old, new)] for old in extra}
    closing = tuple(old for old in extra if not meets[old])
    modified = _pairs(meets)
    changed = {new for _, new in modified}
    added = tuple(sorted(missing - changed))
    removed = tuple(old for old in extra if meets[old] and old not in {pair[0] for pair in modified})
    return RuleSteps(closing, added, modified, removed, _short(live, live - set(closing), added))


def within(rules: Iterable[RuleKey], others: Iterable[RuleKey], *, ipv6: bool) -> bool:
    """Whether `others` allow every packet that `rules` allow, whatever the addresses of a group or a prefix list are:
    those of IPv4, and of IPv6 if the VPC has it.
    """
    passed = of_rules(others)
    anywhere = ("0.0.0.0/0", "::/0") if ipv6 else ("0.0.0.0/0",)
    return all(
        of_rule(rule) <= passed
        or (not rule.is_cidr and of_rules(rule._replace(peer=peer) for peer in anywhere) <= passed)
        for rule in rules
    )


def _pairs(meets: Mapping[RuleKey, list[RuleKey]]) -> tuple[tuple[RuleKey, RuleKey], ...]:
    """The undeclared rules that are changed to a missing rule in place.

    Not if a part of its packets has to be covered by another rule that is changed too: AWS does not document the order
    in which one call changes several rules.
    """
    partner: dict[RuleKey, RuleKey] = {}
    for old, candidates in meets.items():
        fitting = [new for new in candidates if peer_sort(new) == peer_sort(old) and new not in partner.values()]
        if fitting:
            partner[old] = min(fitting, key=lambda new, old=old: (_unlike(old, new), new))  # type: ignore[misc]
    while crossed := [
        old for old, new in partner.items() if any(one != new and one in partner.values() for one in meets[old])
    ]:
        del partner[crossed[0]]
    return tuple(partner.items())


def _unlike(old: RuleKey, new: RuleKey) -> int:
    return sum(one != other for one, other in zip(old, new, strict=True))


def _short(live: set[RuleKey], left: set[RuleKey], added: tuple[RuleKey, ...]) -> str:
    for family, other in (("IPv4", "ipv6"), ("IPv6", "ipv4")):
        room = max(GROUP_RULES, _count(live, other))
        peak = _count(left, other) + _count(added, other)
        if added and peak > room:
            why = "no rule is revoked before its replacement exists"
            return f"{peak} {family} rules would exist at once, AWS allows {room}: {why}"
    return ""


def _count(rules: Iterable[RuleKey], other_family: str) -> int:
    """The rules that count towards one family: a group or prefix list counts in both (AWS does not document this)."""
    return sum(peer_sort(rule) != other_family for rule in rules)
