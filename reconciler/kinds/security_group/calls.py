"""The calls that change the rules of a security group: allow, change in place, revoke, describe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Unpack

from desired_state.fields import Address, RuleKey
from reconciler.aws.ec2 import permission, rule_request
from reconciler.model import Action, ActionOptions, Effect, Operation, Phase, Ref, Risk
from reconciler.reach.network import rules as cell

MODIFY = Operation(
    "ec2",
    "ModifySecurityGroupRules",
    Phase.BIND,
    Risk.TRAFFIC,
    affects_traffic=True,
    iam_resource_types=("security-group", "security-group-rule", "prefix-list"),
)


class Direction(NamedTuple):
    """The field, the calls and the name of the peer in one direction."""

    field: str
    end: str
    authorize: Operation
    revoke: Operation
    describe: Operation


def _direction(field: str, end: str, suffix: str) -> Direction:
    exists, missing = frozenset({"InvalidPermission.Duplicate"}), frozenset({"InvalidPermission.NotFound"})
    group = ("security-group",)
    return Direction(
        field,
        end,
        Operation(
            "ec2",
            f"AuthorizeSecurityGroup{suffix}",
            Phase.BIND,
            Risk.REVERSIBLE,
            already_applied_codes=exists,
            affects_traffic=True,
            iam_resource_types=group,
        ),
        Operation(
            "ec2",
            f"RevokeSecurityGroup{suffix}",
            Phase.UNBIND,
            Risk.TRAFFIC,
            already_applied_codes=missing,
            iam_resource_types=group,
        ),
        Operation(
            "ec2", f"UpdateSecurityGroupRuleDescriptions{suffix}", Phase.BIND, Risk.COSMETIC, iam_resource_types=group
        ),
    )


DIRECTIONS = (_direction("ingress", "source", "Ingress"), _direction("egress", "destination", "Egress"))


def authorize(
    address: Address,
    direction: Direction,
    added: tuple[RuleKey, ...],
    want: dict[RuleKey, str | None],
    *,
    closes: bool,
    opens: bool,
) -> Action:
    return _call(
        direction.authorize,
        address,
        direction,
        added,
        lambda keys: {"IpPermissions": [permission(key, want[key]) for key in keys]},
        lambda keys: f"allow {_rules_text(keys, direction)}",
        chain=direction.field,
        becomes={key: key for key in added},
        closes=closes,
        opens=opens,
    )


def revoke(
    address: Address, direction: Direction, keys: tuple[RuleKey, ...], *, closes: bool, opens: bool = False
) -> Action:
    return _call(
        direction.revoke,
        address,
        direction,
        keys,
        lambda some: {"IpPermissions": [permission(key) for key in some]},
        lambda some: f"revoke {_rules_text(some, direction)}",
        becomes=dict.fromkeys(keys),
        closes=closes,
        opens=opens,
        chain="" if closes else direction.field,
    )


def modify(
    address: Address,
    direction: Direction,
    pairs: tuple[tuple[RuleKey, RuleKey], ...],
    descriptions: Mapping[RuleKey, str | None],
    *,
    closes: bool,
    opens: bool,
) -> Action:
    """The call replaces every field of a rule; a description that the document leaves out is sent as it is live."""
    becomes = dict(pairs)

    def params(keys: Iterable[RuleKey]) -> dict[str, Any]:
        return {
            "SecurityGroupRules": [
                {
                    "SecurityGroupRuleId": Ref(address, rule_handle(direction.field, old)),
                    "SecurityGroupRule": rule_request(becomes[old], descriptions[becomes[old]]),
                }
                for old in keys
            ]
        }

    def why(keys: Iterable[RuleKey]) -> str:
        return ", ".join(
            f"change {_rule_text(old, direction)} to {_rule_text(becomes[old], direction)}" for old in keys
        )

    return _call(
        MODIFY,
        address,
        direction,
        tuple(becomes),
        params,
        why,
        chain=direction.field,
        becomes=becomes,
        closes=closes,
        opens=opens,
    )


def describe(
    address: Address, direction: Direction, keys: Iterable[RuleKey], want: Mapping[RuleKey, str | None]
) -> Action:
    """Sets the descriptions of rules that are as declared otherwise."""
    rules = tuple(keys)
    return _call(
        direction.describe,
        address,
        direction,
        rules,
        lambda some: {"IpPermissions": [permission(key, want[key]) for key in some]},
        lambda some: f"set the description of {_rules_text(some, direction)}",
    )


def _call(
    operation: Operation,
    address: Address,
    direction: Direction,
    keys: Iterable[RuleKey],
    params: Callable[[Iterable[RuleKey]], dict[str, Any]],
    why: Callable[[tuple[RuleKey, ...]], str],
    *,
    becomes: Mapping[RuleKey, RuleKey | None] = MappingProxyType({}),
    **options: Unpack[ActionOptions],
) -> Action:
    """One call for all the rules, with the same calls rule by rule in case AWS refuses the batch. `becomes` says which
    rules are there instead of each, if the call changes that.
    """
    rules = tuple(keys)
    group: dict[str, Any] = {"GroupId": Ref(address)}
    parts = tuple(
        operation.on(
            address,
            why((key,)),
            direction.field,
            params={**group, **params([key])},
            breaks=int(becomes.get(key, key) != key),
            effect=_effect(address, direction, becomes, [key]),
        )
        for key in (rules if len(rules) > 1 else ())
    )
    defaults: ActionOptions = {
        "parts": parts,
        "breaks": sum(becomes.get(key, key) != key for key in rules),
        "effect": _effect(address, direction, becomes, rules),
    }
    return operation.on(address, why(rules), direction.field, params={**group, **params(rules)}, **(defaults | options))


def _effect(
    address: Address, direction: Direction, becomes: Mapping[RuleKey, RuleKey | None], keys: Iterable[RuleKey]
) -> tuple[Effect, ...]:
    """What calls for these rules change in the network's table."""
    name = cell(address, direction.field)
    changed = [(old, becomes[old]) for old in keys if old in becomes]
    gone = ((name, old, None) for old, new in changed if old != new)
    return (*gone, *((name, new, True) for _, new in changed if new))


def _rule_text(key: RuleKey, direction: Direction) -> str:
    return str(key._replace(peer=f"{'from' if direction.end == 'source' else 'to'} {key.peer}"))


def _rules_text(keys: Iterable[RuleKey], direction: Direction) -> str:
    return ", ".join(_rule_text(key, direction) for key in keys)


def rule_handle(field: str, key: RuleKey) -> str:
    """The name of a rule's id in a plan."""
    return f"{field} {key}"
