"""How the rules of one security group, in one direction, get from what is live to what is declared without a gap.

Pure; `kinds/security_group.py` turns the steps into calls. A group only allows, so a packet is cut exactly when the
last rule that lets it through goes, and exposed exactly when a rule comes. From that:

1. an undeclared rule that no missing rule could share a packet with protects nothing: it is revoked first (`closing`);
2. the missing rules are authorized (`added`), in one call;
3. an undeclared rule whose one counterpart among the missing rules has the same sort of peer is changed in place
   (`modified`): one step, and no place of the quota;
4. what is left of the undeclared rules is revoked last (`removed`), once everything that could replace it is there.

Peers that are groups or prefix lists stand for addresses nobody here knows, so they count as sharing packets with any
peer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from desired_state.fields import RuleKey
from desired_state.quotas import GROUP_RULES
from reconciler.aws.ec2 import peer_sort
from reconciler.packets.traffic import may_overlap, of_rule, of_rules


class RuleSteps(NamedTuple):
    """The steps in their order. `short` is empty, or says why there is no room to make before breaking."""

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
    """Whether every packet that `rules` let through passes `others` too, whatever addresses stand behind a group or
    a prefix list: those of IPv4, and of IPv6 where the VPC has it.
    """
    passed = of_rules(others)
    anywhere = ("0.0.0.0/0", "::/0") if ipv6 else ("0.0.0.0/0",)
    return all(
        of_rule(rule) <= passed
        or (not rule.is_cidr and of_rules(rule._replace(peer=peer) for peer in anywhere) <= passed)
        for rule in rules
    )


def _pairs(meets: Mapping[RuleKey, list[RuleKey]]) -> tuple[tuple[RuleKey, RuleKey], ...]:
    """Undeclared rules that become a missing one in place.

    Never where another rule that is itself still to be changed must take over a part of its packets: one call changes
    several rules in an order that AWS does not document.
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
    return sum(owned != theirs for owned, theirs in zip(old, new, strict=True))


def _short(live: set[RuleKey], kept: set[RuleKey], added: tuple[RuleKey, ...]) -> str:
    for family, other in (("IPv4", "ipv6"), ("IPv6", "ipv4")):
        room = max(GROUP_RULES, _count(live, other))
        peak = _count(kept, other) + _count(added, other)
        if added and peak > room:
            why = "no rule is revoked before its replacement exists"
            return f"{peak} {family} rules would exist at once, AWS allows {room}: {why}"
    return ""


def _count(rules: Iterable[RuleKey], other_family: str) -> int:
    """Rules that count against one family: a group or prefix list counts in both (whether it does in AWS is not
    documented).
    """
    return sum(peer_sort(rule) != other_family for rule in rules)
