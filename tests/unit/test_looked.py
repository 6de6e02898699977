"""A look that is answered as the one before is that look; whatever differs in any way is looked at anew.

What remembers is compared with what does not: the same document, copied, has no look before.
"""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest

from desired_state.document import Document
from desired_state.load import load
from reconciler.aws.client import AwsError
from reconciler.engine.observe import ObserveError, ObserveOptions, observe
from reconciler.kinds import REGISTRY
from reconciler.model import Snapshot
from reconciler.model.guard import Stage
from reconciler.model.kept import KeptItem
from reconciler.model.read import Read
from tests.support.sampling import sampled
from tests.support.worlds import MORNING

if TYPE_CHECKING:
    from reconciler.aws.client import Aws

SHARES = 40
ACCOUNT = "123456789012"
WEB, APP, THEIRS = (f"sg-{number:017x}" for number in (1, 2, 3))


def tags(name: str, document: str = "shop") -> list[dict[str, str]]:
    owned = {"setpoint:document": document, "setpoint:name": name, "Name": name}
    return [{"Key": key, "Value": value} for key, value in owned.items()]


def rule(port: int, *groups: str) -> dict[str, Any]:
    peers = [{"GroupId": one, "UserId": ACCOUNT} for one in groups]
    networks = [] if groups else [{"CidrIp": "10.0.0.0/8", "Description": "inside"}]
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": peers, "IpRanges": networks}


def group(aws_id: str, name: str, *rules: dict[str, Any], document: str = "shop") -> dict[str, Any]:
    whole = {"GroupId": aws_id, "GroupName": name, "Description": name, "OwnerId": ACCOUNT, "VpcId": "vpc-0a1b2c3d"}
    return {**whole, "Tags": tags(name, document), "IpPermissions": list(rules), "IpPermissionsEgress": []}


def table(number: int, name: str, subnet: str) -> dict[str, Any]:
    association = {"Main": False, "SubnetId": subnet, "RouteTableAssociationId": f"rtbassoc-{number}"}
    routes = [
        {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "Origin": "CreateRouteTable", "State": "active"},
        {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-0a1b2c3d", "Origin": "CreateRoute", "State": "active"},
    ]
    whole = {"RouteTableId": f"rtb-{number:017x}", "VpcId": "vpc-0a1b2c3d", "OwnerId": ACCOUNT, "Tags": tags(name)}
    return {**whole, "Associations": [association], "Routes": routes}


def subnet(number: int, name: str) -> dict[str, Any]:
    whole = {"SubnetId": f"subnet-{number:017x}", "VpcId": "vpc-0a1b2c3d", "OwnerId": ACCOUNT, "Tags": tags(name)}
    block = {"CidrBlock": f"10.0.{number}.0/24", "AvailabilityZone": "ap-northeast-2a", "State": "available"}
    return {**whole, **block, "MapPublicIpOnLaunch": False}


NETWORK: dict[str, list[Any]] = {
    "DescribeVpcs": [{"VpcId": "vpc-0a1b2c3d", "CidrBlock": "10.0.0.0/16", "Tags": tags("net"), "OwnerId": ACCOUNT}],
    "DescribeVpcAttribute": [True],
    "DescribeSubnets": [subnet(1, "front"), subnet(2, "back")],
    "DescribeRouteTables": [
        table(1, "outside", subnet(1, "")["SubnetId"]),
        table(2, "inside", subnet(2, "")["SubnetId"]),
    ],
    "DescribeSecurityGroups": [
        group(WEB, "web", rule(443), rule(80, APP, THEIRS)),
        group(APP, "app", rule(5432, WEB)),
        group(THEIRS, "theirs", rule(22), document="another"),
    ],
}
WRITTEN: dict[str, Any] = {
    "version": 1,
    "name": "shop",
    "revision": 1,
    "scope": {"account_id": ACCOUNT, "region": "ap-northeast-2", "vpc_id": "vpc-0a1b2c3d"},
    "resources": {
        "vpc": {"net": {"cidr_block": "10.0.0.0/16"}},
        "subnet": {
            "front": {"cidr_block": "10.0.1.0/24", "availability_zone": "ap-northeast-2a"},
            "back": {"cidr_block": "10.0.2.0/24", "availability_zone": "ap-northeast-2a"},
        },
        "route_table": {
            "outside": {"routes": {"0.0.0.0/0": "igw-0a1b2c3d"}, "subnets": ["subnet/front"]},
            "inside": {"routes": {"0.0.0.0/0": "igw-0a1b2c3d"}, "subnets": ["subnet/back"]},
        },
        "security_group": {
            "web": {"ingress": [{"protocol": "tcp", "ports": 443, "source": "10.0.0.0/8"}]},
            "app": {"ingress": [{"protocol": "tcp", "ports": 5432, "source": "security_group/web"}]},
        },
    },
}


@dataclass
class Warm:
    """The connection of a warm function: the same bytes are the same item."""

    answers: dict[str, list[Any]] = field(default_factory=lambda: deepcopy(NETWORK))
    errors: dict[str, str] = field(default_factory=dict)
    known: dict[bytes, Any] = field(default_factory=dict)
    pauses: int = 0
    patience: float | None = None

    def read(self, read: Read) -> list[Any]:
        if code := self.errors.get(read.operation):
            raise AwsError(read.operation, code, "told so")
        return [self._kept(item) for item in self.answers.get(read.operation, [])]

    def _kept(self, item: Any) -> Any:
        shown = pickle.dumps(item)
        return self.known.setdefault(shown, KeptItem(pickle.loads(shown)) if isinstance(item, dict) else item)  # noqa: S301

    def pause(self) -> None:
        self.pauses += 1

    def look(self, declared: Document) -> Snapshot | str:
        """What is seen; the message, if there is nothing to see."""
        try:
            return observe(declared, cast("Aws", self), ObserveOptions(lambda: MORNING, self.pause))
        except ObserveError as error:
            return str(error)


def document(change: Callable[[dict[str, Any]], object] = lambda written: None) -> Document:
    """Never looked at, although documents are kept when they are loaded."""
    written = deepcopy(WRITTEN)
    change(written)
    return forgetful(load(json.dumps(written).encode(), "test.json"))


def forgetful(declared: Document) -> Document:
    """The same document, which has never been looked at."""
    return replace(declared)


def changes(value: Any, keep: Callable[[Any], None]) -> Iterator[str]:
    """Every change of one place in an answer, which is in place only until the next one: each text and number is
    another, each member is left out, and each list is turned round.
    """
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        old = value[key]
        if isinstance(old, (dict, list)):
            yield from (f"{key}.{one}" for one in changes(old, partial(value.__setitem__, key)))
        elif isinstance(old, str):
            value[key] = old[:-1] + ("0" if old[-1:] != "0" else "1")
            yield f"{key}: {old!r} is {value[key]!r}"
        else:
            value[key] = not old if isinstance(old, bool) else old + 1
            yield f"{key}: {old!r} is {value[key]!r}"
        value[key] = old
    for key in list(value):
        left: Any
        if isinstance(value, dict):
            left = {name: one for name, one in value.items() if name != key}
        else:
            left = [one for one in value if one is not key]
        keep(left)
        yield f"without {key!r}"
    if isinstance(value, list) and len(value) > 1:
        keep(value[::-1])
        yield "turned round"
    keep(value)


def test_a_look_that_is_answered_the_same_is_the_look_before() -> None:
    aws, declared = Warm(), document()
    first = aws.look(declared)
    again = observe(declared, cast("Aws", aws), ObserveOptions(lambda: MORNING + timedelta(minutes=1), aws.pause))
    assert isinstance(first, Snapshot)
    assert again.resources is first.resources
    assert again == replace(first, at=MORNING + timedelta(minutes=1))
    assert (first.unreadable, len(first.resources), len(first.unmanaged)) == ({}, 7, 1)


@pytest.mark.parametrize("share", sampled(range(SHARES), SHARES))
def test_whatever_changes_in_an_answer_is_seen(share: int) -> None:
    """Each change after a look that saw none of it, and then the look back."""
    aws, declared, number, differ = Warm(), document(), 0, 0
    calm = aws.look(declared)
    for operation in NETWORK:
        for change in changes(aws.answers[operation], partial(aws.answers.__setitem__, operation)):
            number += 1
            if number % SHARES == share:
                found = aws.look(declared)
                assert found == aws.look(forgetful(declared)), f"{operation} {change}"
                differ += found != calm
        assert aws.look(declared) == calm
    assert number > 300
    assert differ


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.update(name="other"),
        lambda it: (it.update(formerly=["another"]), it["resources"]["security_group"].update(theirs={"ingress": []})),
        lambda it: it["scope"].update(account_id="999999999999"),
        lambda it: it["resources"]["security_group"].pop("app"),
        lambda it: it["resources"]["security_group"].update({"theirs": {"ingress": []}}),
        lambda it: it["resources"]["security_group"].update({"apps": it["resources"]["security_group"].pop("app")}),
        lambda it: it.update(external={"security_group/theirs": {"document": "another"}}),
        lambda it: it.update(adopt={"security_group/app": WEB}),
    ],
)
def test_another_document_sees_the_same_items_as_its_own(change: Callable[[dict[str, Any]], object]) -> None:
    """Whose peers are called how, who owns what and what is missing are of the document that looks."""
    aws, declared = Warm(), document()
    before = aws.look(declared)
    other = document(change)
    for _ in range(2):
        assert aws.look(other) == aws.look(forgetful(other))
        assert aws.look(declared) == before
    assert aws.look(other) != before


def test_another_rule_of_a_kind_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    aws, declared = Warm(), document()
    aws.look(declared)
    subnets = REGISTRY["subnet"]

    def odd(*_: Any) -> Any:
        raise RuntimeError("not today")

    monkeypatch.setitem(REGISTRY, "subnet", replace(subnets, observe=replace(subnets.observe, observed=odd)))
    found = aws.look(declared)
    assert isinstance(found, Snapshot)
    assert {str(at) for at in found.unreadable} == {"subnet/front", "subnet/back"}


def test_what_nobody_declared_and_nobody_understands_is_told_each_time(caplog: pytest.LogCaptureFixture) -> None:
    aws, declared = Warm(), document()
    aws.answers["DescribeSecurityGroups"][2]["OwnerId"] = "nobody"
    for times in (1, 2, 3):
        found = aws.look(declared)
        assert isinstance(found, Snapshot)
        assert (found.unreadable, len(found.unmanaged)) == ({}, 1)
        assert [one.message for one in caplog.records].count(f"{THEIRS} failed while {Stage.IDENTIFYING}") == times


def test_what_could_not_be_understood_is_told_each_time(caplog: pytest.LogCaptureFixture) -> None:
    aws, declared = Warm(), document()
    aws.answers["DescribeSecurityGroups"][0]["IpPermissions"][0]["IpProtocol"] = "quic"
    for times in (1, 2, 3):
        with caplog.at_level(logging.WARNING):
            found = aws.look(declared)
        assert isinstance(found, Snapshot)
        assert {str(at) for at in found.unreadable} == {"security_group/web"}
        assert [one.message for one in caplog.records].count(
            f"{WEB} has a value that Setpoint does not support"
        ) == times


def test_what_is_missing_is_read_twice_in_every_look() -> None:
    aws, declared = Warm(), document()
    aws.look(declared)
    del aws.answers["DescribeSubnets"][1]
    for times in (1, 2, 3):
        found = aws.look(declared)
        assert isinstance(found, Snapshot)
        assert (found.absent(next(at for at in declared.resources if at.name == "back")), aws.pauses) == (True, times)


def test_a_read_that_fails_is_never_what_was_seen_before() -> None:
    aws, declared = Warm(), document()
    calm = aws.look(declared)
    aws.errors["DescribeRouteTables"] = "UnauthorizedOperation"
    found = aws.look(declared)
    assert isinstance(found, Snapshot)
    assert {at.kind for at in found.unreadable} >= {"route_table"}
    aws.errors.clear()
    assert aws.look(declared) == calm


def test_items_that_nobody_keeps_are_not_held_until_the_next_look() -> None:
    aws, declared = Warm(), document()
    aws._kept = lambda item: item  # type: ignore[method-assign]
    aws.look(declared)
    assert declared.looked == {}
