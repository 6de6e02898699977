"""The laboratory makes moto quick: what it keeps, and what it leaves out, is what moto would answer now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto.core.serialize import XFormedAttributePicker
from moto.core.utils import method_names_from_class
from moto.moto_api._internal import mock_random

from lab import StrictAws, World, laboratory
from lab.drifts import DRIFTS, Drift, find_network
from lab.live import Live
from lab.quick_answers import _unparse, _written
from lab.strict_aws import Call
from tests.support.runs import Network as Built
from tests.support.runs import build
from tests.support.sampling import sampled

LOOKS = (
    ("ec2", "DescribeVpcs"),
    ("ec2", "DescribeSubnets"),
    ("ec2", "DescribeInternetGateways"),
    ("ec2", "DescribeRouteTables"),
    ("ec2", "DescribeSecurityGroups"),
    ("ec2", "DescribeSecurityGroupRules"),
    ("ec2", "DescribeNetworkAcls"),
    ("ec2", "DescribeNetworkInterfaces"),
    ("ec2", "DescribeTags"),
    ("ec2", "DescribeVpcEndpoints"),
    ("rds", "DescribeDBInstances"),
    ("rds", "DescribeDBSubnetGroups"),
)


def looks(live: Live) -> list[dict[str, Any]]:
    with live.looking():
        answers = [live.moto(service, operation, {}) for service, operation in LOOKS]
        for vpc in answers[0]["Vpcs"]:
            for attribute in ("enableDnsSupport", "enableDnsHostnames"):
                asked = {"VpcId": vpc["VpcId"], "Attribute": attribute}
                answers.append(live.moto("ec2", "DescribeVpcAttribute", asked))
    for instance in answers[LOOKS.index(("rds", "DescribeDBInstances"))]["DBInstances"]:
        instance.pop("LatestRestorableTime", None)  # the moment of the look; AWS's is up to five minutes old
        instance.get("MasterUserSecret", {}).pop("SecretStatus", None)  # moto's changes by looking: see strict_rds
    return answers


def assert_kept_answers_hold(live: Live) -> None:
    kept = looks(live)
    live.forget_answers()
    assert kept == looks(live)


@pytest.fixture(scope="module")
def lab_and_world() -> Iterator[tuple[StrictAws, Built, set[str]]]:
    """The reference network, built by the product; after the first write of each name what was kept still held."""
    with laboratory() as lab:
        checked: set[str] = set()

        def check(call: Call) -> None:
            if call.operation not in checked:
                assert_kept_answers_hold(lab._live)
                checked.add(call.operation)

        looks(lab._live)
        lab.after_write = check
        built = build(lab)
        lab.after_write = None
        yield lab, built, checked


@pytest.fixture
def built(lab_and_world: tuple[StrictAws, Built, set[str]]) -> Built:
    lab, built, _ = lab_and_world
    lab.restore(built.clean)
    return built


def test_it_held_while_a_network_was_built(lab_and_world: tuple[StrictAws, Built, set[str]]) -> None:
    assert {"CreateVpc", "CreateRoute", "AuthorizeSecurityGroupIngress", "CreateDBInstance"} <= lab_and_world[2]


@pytest.mark.parametrize("drift", sampled(DRIFTS, 5, ids=[drift.name for drift in DRIFTS]))
def test_they_hold_after_whatever_somebody_did(built: Built, drift: Drift) -> None:
    live = built.lab._live
    looks(live)
    drift.apply(built.hands, find_network(built.hands, "test-server"))
    assert_kept_answers_hold(live)
    built.lab.settle()
    assert_kept_answers_hold(live)


def test_they_hold_after_a_rule_was_made_with_tags(built: Built) -> None:
    live = built.lab._live
    looks(live)
    built.outsider("ec2").authorize_security_group_ingress(
        GroupId=built.id("security_group/DBSG"),
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "10.9.0.0/16"}]}],
        TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": [{"Key": "team", "Value": "shop"}]}],
    )
    assert_kept_answers_hold(live)


def test_they_hold_after_every_kind_of_thing_is_tagged_made_and_deleted(built: Built) -> None:
    live, ec2, rds = built.lab._live, built.outsider("ec2"), built.outsider("rds")
    vpc = built.id("vpc/MyVPC")

    def then(write: Callable[..., dict[str, Any]], **params: Any) -> dict[str, Any]:
        looks(live)
        answer = write(**params)
        assert_kept_answers_hold(live)
        return answer

    group = then(ec2.create_security_group, GroupName="new", Description="new", VpcId=vpc)["GroupId"]
    table = then(ec2.create_route_table, VpcId=vpc)["RouteTable"]["RouteTableId"]
    acl = then(ec2.create_network_acl, VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    rule = ec2.describe_security_group_rules()["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    gateway = ec2.describe_internet_gateways()["InternetGateways"][0]["InternetGatewayId"]
    interface = ec2.create_network_interface(SubnetId=built.id("subnet/PublicSubnet1"))["NetworkInterface"]
    for each in (
        group,
        table,
        acl,
        rule,
        gateway,
        vpc,
        built.id("subnet/PublicSubnet1"),
        interface["NetworkInterfaceId"],
    ):
        then(ec2.create_tags, Resources=[each], Tags=[{"Key": "team", "Value": "shop"}])
        then(ec2.delete_tags, Resources=[each], Tags=[{"Key": "team"}])
    then(ec2.delete_security_group, GroupId=group)
    then(ec2.delete_route_table, RouteTableId=table)
    then(ec2.delete_network_acl, NetworkAclId=acl)
    then(ec2.modify_vpc_attribute, VpcId=vpc, EnableDnsHostnames={"Value": False})
    (instance,) = rds.describe_db_instances()["DBInstances"]
    then(rds.add_tags_to_resource, ResourceName=instance["DBInstanceArn"], Tags=[{"Key": "team", "Value": "shop"}])
    named = {"DBInstanceIdentifier": instance["DBInstanceIdentifier"]}
    then(rds.modify_db_instance, **named, AllocatedStorage=instance["AllocatedStorage"] * 2, ApplyImmediately=True)
    built.lab.settle()
    then(rds.modify_db_instance, **named, DeletionProtection=False)
    built.lab.settle()
    then(rds.delete_db_instance, **named, SkipFinalSnapshot=True)


def test_they_hold_after_moto_s_objects_were_changed(built: Built) -> None:
    live = built.lab._live
    looks(live)
    live.vpc(built.id("vpc/MyVPC")).enable_dns_support = "false"
    assert_kept_answers_hold(live)


def test_moto_is_asked_once_as_long_as_nothing_changes_and_no_more_after_a_world_is_restored(
    built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, ec2 = built.lab._live, built.outsider("ec2")
    asked: list[str] = []
    called = Live._called

    def counted(self: Live, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        asked.append(operation)
        return called(self, service, operation, params)

    live.forget_answers()
    saved: World = built.lab.save()
    monkeypatch.setattr(Live, "_called", counted)
    first = ec2.describe_subnets()
    first["Subnets"].clear()
    second = ec2.describe_subnets()
    assert asked == ["DescribeSubnets"]
    assert second["Subnets"], "a caller who changes an answer changes nobody else's"
    ec2.modify_subnet_attribute(SubnetId=built.id("subnet/PublicSubnet1"), MapPublicIpOnLaunch={"Value": False})
    third = ec2.describe_subnets()
    assert third["Subnets"] != second["Subnets"]
    asked.clear()
    built.lab.restore(saved)
    assert ec2.describe_subnets()["Subnets"] == second["Subnets"]
    assert asked == []


def test_moto_that_is_quicker_answers_the_same(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    live = built.lab._live
    live.forget_answers()
    quick = looks(live)
    monkeypatch.setattr("moto.core.responses.XFormedAttributePicker", XFormedAttributePicker)
    monkeypatch.setattr("moto.core.responses.method_names_from_class", method_names_from_class)
    written: list[str] = []

    def both(body: dict[str, Any], **options: Any) -> str:
        written.append(_unparse(body, **options))
        assert written[-1] == _written(body, **options)
        return written[-1]

    monkeypatch.setattr("moto.core.serialize.xmltodict.unparse", both)
    live.forget_answers()
    assert quick == looks(live)
    assert len(written) > len(LOOKS)


@pytest.mark.parametrize(
    "body",
    [
        {"a": {"@xmlns": 'x"<&>', "b": [1, None, True, "", "<&>\"'", {"c": []}, {}], "d": [], "e": {}, "f": None}},
        {"a": "text"},
        {"a": None},
        {"a": {"@one": 1, "@none": None, "b": {"@two": "2", "c": 0.5}}},
        {"a": {"#text": "t", "@b": "c"}},
        {"a": {"b": ("tuple", 1), "c": {"d": b"bytes"}}},
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_the_xml_is_xmltodict_s(body: dict[str, Any], whole: bool) -> None:
    options = {"full_document": whole, "pretty": False, "short_empty_elements": True}
    assert _written(body, **options) == _unparse(body, **options)


@pytest.mark.parametrize("name", ["a b", "a>", "/a", "?a", "a='b'"])
def test_a_name_that_would_break_out_of_its_tag_is_no_name(name: str) -> None:
    for body in ({name: "x"}, {"a": {name: "x"}}, {"a": {f"@{name}": "x"}}):
        with pytest.raises(ValueError, match="Invalid"):
            _written(body, full_document=True, pretty=False, short_empty_elements=True)


def test_a_look_draws_no_ids(built: Built) -> None:
    before = mock_random.getstate()
    built.lab._live.forget_answers()
    looks(built.lab._live)
    assert mock_random.getstate() == before
