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
from types import MappingProxyType
from typing import NamedTuple

from desired_state.fields import RuleKey
from desired_state.quotas import DEFAULT
from reconciler.aws.ec2 import peer_sort
from reconciler.packets.traffic import may_overlap, of_rule, of_rules


class RuleSteps(NamedTuple):
    """The steps in their order. `short` is empty, or says why the quota has no room to add before removing."""

    closing: tuple[RuleKey, ...]
    added: tuple[RuleKey, ...]
    modified: tuple[tuple[RuleKey, RuleKey], ...]
    removed: tuple[RuleKey, ...]
    short: str


def rule_steps(
    before: Iterable[RuleKey],
    after: Iterable[RuleKey],
    quota: int = DEFAULT.rules,
    sizes: Mapping[str, int] = MappingProxyType({}),
) -> RuleSteps:
    """The steps from the live rules `before` to the declared rules `after`. `quota` is the account's, per family;
    `sizes` says what a rule with a prefix list counts, one that is not in it counts as one.
    """
    live, declared = set(before), set(after)
    missing, extra = declared - live, sorted(live - declared)
    meets = {old: [new for new in sorted(missing) if may_overlap(old, new)] for old in extra}
    closing = tuple(old for old in extra if not meets[old])
    modified = _pairs(meets)
    changed = {new for _, new in modified}
    added = tuple(sorted(missing - changed))
    removed = tuple(old for old in extra if meets[old] and old not in {pair[0] for pair in modified})
    grown = sum(max(0, sizes.get(new.peer, 1) - sizes.get(old.peer, 1)) for old, new in modified)
    short = _short(live, live - set(closing), added, _Room(quota, sizes, grown))
    return RuleSteps(closing, added, modified, removed, short)


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


class _Room(NamedTuple):
    """What the quota is, what prefix lists count, and by how much rules that are changed in place count more."""

    quota: int
    sizes: Mapping[str, int]
    grown: int

    def taken(self, rules: Iterable[RuleKey], other_family: str) -> int:
        """What counts towards one family: a group or prefix list counts in both (AWS does not document this)."""
        return sum(self.sizes.get(rule.peer, 1) for rule in rules if peer_sort(rule) != other_family)


def _short(live: set[RuleKey], left: set[RuleKey], added: tuple[RuleKey, ...], room: _Room) -> str:
    """Why the quota has no room for what is added before anything is removed; empty if it has. A group that holds more
    already proves a higher quota.
    """
    for family, other in (("IPv4", "ipv6"), ("IPv6", "ipv4")):
        allowed = max(room.quota, room.taken(live, other))
        more = room.taken(added, other) + room.grown
        peak = room.taken(left, other) + more
        if more and peak > allowed:
            why = "no rule is revoked before its replacement exists"
            return f"{peak} {family} rules would exist at once, the quota (QUOTA_RULES) allows {allowed}: {why}"
    return ""
