"""What a live group is, from its item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from desired_state.fields import Address
from desired_state.network import SecurityGroup
from desired_state.rules import Egress, Ingress
from reconciler.aws.ec2 import prefix_list_sizes, rules_of, tags_of
from reconciler.aws.shapes import listed
from reconciler.model import Observed
from reconciler.model.kept import KeptItem
from reconciler.model.kind import ObserveContext
from reconciler.model.read import Item


class Facts(NamedTuple):
    """`sizes`: what each prefix list counts towards the quota of rules."""

    sizes: Mapping[str, int] = MappingProxyType({})


class _Made(NamedTuple):
    """What was made of an item, and what else that depends on: the document's account, and whose its peers are.
    `lists`: some rule names a prefix list.
    """

    seen: Observed[SecurityGroup, Facts]
    account: str
    peers: tuple[tuple[str, Address | None], ...]
    lists: bool


def observed(item: Item, context: ObserveContext) -> Observed[SecurityGroup, Facts]:
    """Of an item that the look before had too, what was made of it then: ten thousand rules are most of a look."""
    account, names, sizes = context.read.document.scope.account_id, context.names, prefix_list_sizes(context.answers)
    made = _made(item)
    if made and made.account == account and all(names.get(one) == at for one, at in made.peers):
        return made.seen if made.seen.facts.sizes == sizes else replace(made.seen, facts=Facts(sizes))
    spec = SecurityGroup(
        ingress=Ingress(rules_of(listed(item, "IpPermissions"), account, names)),
        egress=Egress(rules_of(listed(item, "IpPermissionsEgress"), account, names)),
        tags=tags_of(item),
    ).but(description=item["Description"])
    seen = Observed(item["GroupId"], spec, Facts(sizes))
    if isinstance(item, KeptItem):
        peers = tuple((one, names.get(one)) for one in _peers(item))
        item.made = _Made(seen, account, peers, names_prefix_list(item))
    return seen


def names_prefix_list(item: Item) -> bool:
    """Whether a rule of the group is about a prefix list."""
    if made := _made(item):
        return made.lists
    sides = (item.get("IpPermissions", ()), item.get("IpPermissionsEgress", ()))
    return any(rule.get("PrefixListIds") for rules in sides for rule in rules)


def _made(item: Item) -> _Made | None:
    made = item.made if isinstance(item, KeptItem) else None
    return made if isinstance(made, _Made) else None


def _peers(item: Item) -> set[str]:
    """The groups that its rules name."""
    rules = [*item["IpPermissions"], *item["IpPermissionsEgress"]]
    return {pair["GroupId"] for rule in rules for pair in rule.get("UserIdGroupPairs", ())}
