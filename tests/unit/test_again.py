"""What is looked at again before a call that takes something away, how often, and what counts as somebody's edit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from desired_state.fields import Address, RuleKey
from desired_state.rules import Ingress
from reconciler.aws.client import AwsError
from reconciler.aws.ec2 import permission
from reconciler.aws.errors import LOST
from reconciler.engine.again import FRESH_FOR, MOST_AT_ONCE, PAUSES
from reconciler.engine.apply import STALE_AFTER, ApplyContext, apply
from reconciler.engine.gate import Gate
from reconciler.engine.plan import Plan
from reconciler.model import Action, ActionResult, Cause, Ended, Operation, Phase, Reason, Ref, Risk, Snapshot
from reconciler.model.read import Read
from reconciler.reach.network import GROUPS_OF, rules
from tests.support import worlds
from tests.support.worlds import APP, DATABASE, DB, WEB, document, drifted, seen

if TYPE_CHECKING:
    from reconciler.aws.client import Aws

ALLOW = Operation("ec2", "AuthorizeSecurityGroupIngress", Phase.BIND, Risk.REVERSIBLE)
REVOKE = Operation("ec2", "RevokeSecurityGroupIngress", Phase.UNBIND, Risk.TRAFFIC)
MAKE = Operation("ec2", "CreateSecurityGroup", Phase.CREATE, Risk.REVERSIBLE, yields="GroupId")
MODIFY = Operation("rds", "ModifyDBInstance", Phase.BIND, Risk.TRAFFIC, takes_effect_later=True)
DOCUMENT = document()
SSH, TELNET = (RuleKey("tcp", port, port, "0.0.0.0/0") for port in (22, 23))
FREE = Gate({}, {}, None, ())
HTTP = RuleKey("tcp", 80, 80, "0.0.0.0/0")


def opened(*groups: Address, look: Snapshot | None = None) -> Snapshot:
    """The look at groups that let in SSH and telnet, and nothing else."""
    found = look or seen(DOCUMENT)
    for group in groups:
        found = drifted(found, group, ingress=Ingress({SSH: "", TELNET: ""}))
    return found


def revoke(group: Address, *keys: RuleKey, **options: Any) -> Action:
    effect = tuple((rules(group, "ingress"), key, None) for key in keys)
    return REVOKE.on(group, "revoke it", "ingress", breaks=1, effect=effect, params={"GroupId": Ref(group)}, **options)


def allow(group: Address, key: RuleKey) -> Action:
    effect = ((rules(group, "ingress"), key, True),)
    return ALLOW.on(group, "allow it", "ingress", effect=effect, params={"GroupId": Ref(group)})


@dataclass
class World:
    """AWS with some security groups, in which every call takes `seconds`."""

    look: Snapshot
    groups: dict[str, dict[RuleKey, str]]
    egress: dict[str, dict[RuleKey, str]]
    now: datetime
    seconds: float = 0.3
    errors: dict[str, list[str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    reads: list[list[str]] = field(default_factory=list)
    naps: list[float] = field(default_factory=list)
    after: Callable[[World], object] = lambda world: None
    before_read: Callable[[World], object] = lambda world: None
    others: dict[str, list[Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, look: Snapshot, **how: Any) -> World:
        found = {one.id: one.spec for at, one in look.resources.items() if at.kind == "security_group"}
        ingress = {aws_id: dict(spec.ingress or {}) for aws_id, spec in found.items()}
        egress = {aws_id: dict(spec.egress or {}) for aws_id, spec in found.items()}
        return cls(look, ingress, egress, look.at, **how)

    def tell(self, operation: str) -> None:
        self.now += timedelta(seconds=self.seconds)
        if told := self.errors.get(operation):
            raise AwsError(operation, told.pop(0), "told so")

    def write(
        self, operation: Operation, params: Mapping[str, Any], before_resending: Callable[[], None]
    ) -> Mapping[str, Any]:
        self.calls.append(operation.name)
        try:
            self.tell(operation.name)
        finally:
            self.after(self)
        return {"GroupId": "sg-new"} if operation is MAKE else {}

    def read(self, read: Read) -> list[Any]:
        self.before_read(self)
        (named,) = json.loads(read.params)["Filters"]
        self.reads.append(named["Values"])
        self.tell(read.operation)
        if read.operation in self.others:
            return self.others[read.operation]
        return [self.item(one) for one in named["Values"] if one in self.groups]

    def item(self, aws_id: str) -> dict[str, Any]:
        at, one = next((at, one) for at, one in self.look.resources.items() if one.id == aws_id)
        tags = one.spec.tags or {}
        return {
            "GroupId": aws_id,
            "GroupName": at.name,
            "Description": "",
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
            "IpPermissions": resolved([permission(key) for key in self.groups[aws_id]]),
            "IpPermissionsEgress": resolved([permission(key) for key in self.egress[aws_id]]),
        }


def resolved(value: Any) -> Any:
    """Parameters with made-up ids in place of references."""
    if isinstance(value, Ref):
        return worlds.aws_id(value.to)
    if isinstance(value, dict):
        return {key: resolved(inner) for key, inner in value.items()}
    return [resolved(inner) for inner in value] if isinstance(value, list) else value


def done(look: Snapshot, world: World, *actions: Action, **needs: Any) -> tuple[ActionResult, ...]:
    def sleep(seconds: float) -> None:
        world.naps.append(seconds)
        world.now += timedelta(seconds=seconds)

    plan = Plan((), actions, tuple(frozenset() for _ in actions), (), "f" * 16)
    context = ApplyContext(
        cast("Aws", world), sleep, needs.get("may_start", lambda: None), lambda: world.now, lambda text: None
    )
    return apply(plan, FREE, look, needs.get("document", DOCUMENT), context)


def ends(results: Iterable[ActionResult]) -> list[Ended]:
    return [one.ended for one in results]


def older(world: World) -> World:
    """The same ten seconds after the look."""
    world.now += timedelta(seconds=10)
    return world


def take(world: World, group: Address, *keys: RuleKey) -> None:
    for key in keys:
        del world.groups[worlds.aws_id(group)][key]


def test_what_is_as_it_was_seen_is_taken_away_after_one_read() -> None:
    look = opened(DB)
    world = older(World.of(look))
    assert ends(done(look, world, revoke(DB, SSH))) == [Ended.DONE]
    assert world.reads == [[worlds.aws_id(DB)]]


def test_what_was_seen_moments_ago_is_not_read_again() -> None:
    look = opened(DB)
    world = World.of(look)
    world.now += FRESH_FOR
    assert ends(done(look, world, revoke(DB, SSH))) == [Ended.DONE]
    assert world.reads == []


def test_what_only_adds_is_not_read_again() -> None:
    look = opened(DB)
    world = older(World.of(look))
    assert ends(done(look, world, allow(DB, HTTP))) == [Ended.DONE]
    assert world.reads == []


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda world: take(world, DB, TELNET), "ingress rule tcp 23 from 0.0.0.0/0 is gone"),
        (lambda world: world.groups[worlds.aws_id(DB)].update({HTTP: ""}), "ingress rule tcp 80 from 0.0.0.0/0 is new"),
        (lambda world: world.egress[worlds.aws_id(DB)].clear(), "egress rule all to 0.0.0.0/0 is gone"),
        (lambda world: world.groups.pop(worlds.aws_id(DB)), "it does not exist any more"),
    ],
)
def test_what_somebody_has_changed_stays_and_asks_no_permission(edit: Callable[[World], object], told: str) -> None:
    look = opened(DB)
    world = older(World.of(look))
    edit(world)
    asked: list[int] = []
    (result,) = done(look, world, revoke(DB, SSH), may_start=lambda: asked.append(1))
    assert result.ended is Ended.STALE
    assert result.cause == Cause(Reason.STALE, f"{DB} has changed since it was looked at: {told}")
    assert (world.calls, asked) == ([], [])


def test_many_changes_make_a_short_message() -> None:
    look = opened(DB)
    world = older(World.of(look))
    world.groups[worlds.aws_id(DB)] |= {RuleKey("tcp", port, port, "10.0.0.0/8"): "" for port in range(100, 160)}
    (result,) = done(look, world, revoke(DB, SSH))
    assert result.message.endswith(", and 57 more")
    assert len(result.message) < 300


def test_a_value_that_is_not_supported_is_told_on_one_line() -> None:
    look = opened(DB)
    world = older(World.of(look))
    world.others["DescribeSecurityGroups"] = [
        {**world.item(worlds.aws_id(DB)), "IpPermissions": [{"IpProtocol": "\x1b[2J\n"}]}
    ]
    (result,) = done(look, world, revoke(DB, SSH))
    assert result.ended is Ended.STALE
    assert result.message.isprintable()


def test_a_rule_of_which_only_the_description_changed_is_the_same() -> None:
    look = opened(DB)
    world = older(World.of(look))
    world.groups[worlds.aws_id(DB)][TELNET] = "ask Kim"
    assert ends(done(look, world, revoke(DB, SSH))) == [Ended.DONE]


def test_its_own_calls_are_nobodys_edit() -> None:
    look = opened(DB)
    world = World.of(look, seconds=10)
    gone = iter([SSH, TELNET])
    world.after = lambda world: take(world, DB, next(gone))
    assert ends(done(look, world, revoke(DB, SSH), revoke(DB, TELNET))) == [Ended.DONE, Ended.DONE]
    assert (len(world.reads), world.naps) == (1, [])


@pytest.mark.parametrize("reads", [1, 2, 3])
def test_its_own_call_that_is_not_visible_yet_is_waited_for_and_never_for_ever(reads: int) -> None:
    look = opened(DB)
    world = World.of(look, seconds=10)

    def show(world: World) -> None:
        if len(world.reads) == reads:
            take(world, DB, SSH)

    world.before_read = show
    results = done(look, world, revoke(DB, SSH), revoke(DB, TELNET))
    assert world.naps == list(PAUSES)[:reads]
    if reads <= len(PAUSES):
        assert ends(results) == [Ended.DONE, Ended.DONE]
    else:
        message = f"AWS does not show yet what this run has done to {DB}"
        assert (results[1].ended, results[1].cause) == (Ended.STALE, Cause(Reason.NOT_VISIBLE_YET, message))


def test_an_edit_beside_its_own_call_is_not_waited_for() -> None:
    look = opened(DB)
    world = World.of(look, seconds=10)
    world.after = lambda world: world.groups[worlds.aws_id(DB)].update({HTTP: ""})
    results = done(look, world, revoke(DB, SSH), revoke(DB, TELNET))
    assert (ends(results), world.naps) == ([Ended.DONE, Ended.STALE], [])


@pytest.mark.parametrize("carried_out", [True, False])
def test_a_call_whose_answer_was_lost_may_have_been_made_or_not(carried_out: bool) -> None:
    look = opened(DB)
    world = World.of(look, seconds=10, errors={REVOKE.name: [LOST]})
    if carried_out:
        world.after = lambda world: world.groups[worlds.aws_id(DB)].pop(SSH, None)
    results = done(look, world, revoke(DB, SSH, closes=True), revoke(DB, TELNET, closes=True))
    assert (ends(results), world.naps, len(world.reads)) == ([Ended.UNKNOWN, Ended.DONE], [], 1)


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "InternalError", "UnauthorizedOperation"])
def test_what_cannot_be_read_is_not_taken_away_and_not_read_for_every_call(code: str) -> None:
    look = opened(DB, WEB)
    world = older(World.of(look, errors={"DescribeSecurityGroups": [code]}))
    results = done(look, world, revoke(DB, SSH), revoke(DB, TELNET), revoke(WEB, SSH))
    assert (ends(results), len(world.reads)) == ([Ended.STALE] * 3, 1)
    assert results[0].cause
    assert results[0].cause.reason is Reason.STALE
    assert "could not be looked at again" in results[0].message


def test_credentials_that_end_at_the_read_end_the_run() -> None:
    look = opened(DB, WEB)
    world = older(World.of(look, errors={"DescribeSecurityGroups": ["ExpiredToken"]}))
    results = done(look, world, revoke(DB, SSH), allow(WEB, HTTP))
    assert (ends(results), world.calls) == ([Ended.FAILED, Ended.SKIPPED], [])
    assert results[0].cause
    assert results[0].cause.reason is Reason.CREDENTIALS


def test_each_part_of_a_batch_is_known_before_it_is_taken_away() -> None:
    look = opened(DB)
    parts = tuple(replace(revoke(DB, key), breaks=0) for key in (SSH, TELNET))
    batch = replace(revoke(DB, SSH, TELNET), parts=parts)
    world = World.of(look, seconds=10, errors={REVOKE.name: ["InvalidPermission.NotFound"]})
    world.after = lambda world: world.groups[worlds.aws_id(DB)].update({HTTP: ""})
    (result,) = done(look, world, batch)
    assert (result.ended, world.calls) == (Ended.STALE, [REVOKE.name])


def test_what_this_run_has_made_is_not_read_again() -> None:
    look = worlds.missing(seen(DOCUMENT), WEB)
    made = MAKE.on(WEB, "make it", gives=Ref(WEB))
    world = World.of(look, seconds=10)
    assert ends(done(look, world, made, revoke(WEB, SSH))) == [Ended.DONE, Ended.DONE]
    assert world.reads == []


def test_a_database_that_changes_its_groups_relies_on_what_they_say() -> None:
    look = seen(DOCUMENT)
    effect = ((GROUPS_OF, DATABASE, frozenset({APP})),)
    move = MODIFY.on(DATABASE, "set its groups", breaks=1, effect=effect)
    world = older(World.of(look, errors={}))
    world.groups[worlds.aws_id(APP)][SSH] = ""
    world.others["DescribeDBInstances"] = []
    (result,) = done(look, world, move)
    assert (result.ended, world.calls) == (Ended.STALE, [])
    assert sorted([worlds.aws_id(APP), worlds.aws_id(DB)]) in world.reads


def test_a_hundred_calls_share_their_reads() -> None:
    """One read for each window of time, however many resources the calls are about."""
    names = [f"g{index}" for index in range(100)]
    declared = worlds.of_groups(**{name: {"ingress": []} for name in names})
    groups = [Address.of("security_group", name) for name in names]
    look = opened(*groups, look=seen(declared))
    world = World.of(look)
    results = done(look, world, *(revoke(group, SSH) for group in groups), document=declared)
    assert set(ends(results)) == {Ended.DONE}
    assert (world.now - look.at).total_seconds() < STALE_AFTER.total_seconds()
    assert len(world.reads) == 5
    assert max(map(len, world.reads)) <= MOST_AT_ONCE


SAID = replace(ALLOW, already_applied_codes=frozenset({"InvalidPermission.Duplicate"}))
"""AWS says that the rule is there; whether it is, only a look tells."""


def said_to_be_there(*keys: RuleKey, **how: Any) -> tuple[World, ActionResult]:
    look = seen(DOCUMENT)
    world = World.of(look, errors={SAID.name: ["InvalidPermission.Duplicate"], **how.pop("errors", {})}, **how)
    effect = tuple((rules(WEB, "ingress"), key, True) for key in keys)
    (result,) = done(look, world, SAID.on(WEB, "allow it", "ingress", effect=effect, params={"GroupId": Ref(WEB)}))
    return world, result


def shown(world: World, *keys: RuleKey) -> None:
    world.groups[worlds.aws_id(WEB)] |= dict.fromkeys(keys, "")


def test_what_aws_says_is_there_already_is_done_once_all_of_it_is_seen() -> None:
    world, result = said_to_be_there(SSH, TELNET, before_read=lambda world: shown(world, SSH, TELNET))
    assert (result.ended, world.naps, len(world.reads)) == (Ended.DONE, [], 1)
    late = said_to_be_there(SSH, before_read=lambda world: shown(world, SSH) if world.naps else None)
    assert (late[1].ended, late[0].naps) == (Ended.DONE, [PAUSES[0]])


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"before_read": lambda world: shown(world, SSH)},
        {"errors": {"DescribeSecurityGroups": ["UnauthorizedOperation"] * 3}},
        {"others": {"DescribeSecurityGroups": [{"GroupId": worlds.aws_id(WEB), "IpPermissions": "alien"}]}},
        {"others": {"DescribeSecurityGroups": []}},
    ],
)
def test_what_aws_says_is_there_and_no_look_shows_wholly_is_not_done(how: dict[str, Any]) -> None:
    world, result = said_to_be_there(SSH, TELNET, **how)
    assert (result.ended, world.naps) == (Ended.FAILED, list(PAUSES))
    assert result.cause
    assert result.cause.reason is Reason.NOT_VISIBLE_YET
