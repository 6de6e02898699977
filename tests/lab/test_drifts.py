"""Every drift does what it says to the reference network, alone and with all the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from lab import StrictAws, World
from lab.drifts import DRIFTS, Drift
from lab.network import DOCUMENT_TAG, NAME_TAG, Network, find_network

Refused = Callable[[str], AbstractContextManager[None]]
ANY = "0.0.0.0/0"
FIELDS_OF_KIND = {
    "vpc": {"enable_dns_hostnames", "enable_dns_support", "tags"},
    "internet_gateway": {"vpc"},
    "subnet": {"map_public_ip_on_launch"},
    "route_table": {"routes", "subnets"},
    "security_group": {"ingress"},
    "network_acl": {"ingress", "subnets"},
    "db_instance": {
        "publicly_accessible",
        "vpc_security_groups",
        "backup_retention_period",
        "deletion_protection",
    },
}


def tagged(kind: str, name: str) -> dict[str, Any]:
    tags = {"Name": name, DOCUMENT_TAG: "test-server", NAME_TAG: name}
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": pairs}]}


def build(session: Any) -> None:
    """The reference network, by hand and with plain calls."""
    ec2 = session.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", **tagged("vpc", "MyVPC"))["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    made = ec2.create_internet_gateway(**tagged("internet-gateway", "MyInternetGateway"))
    gateway = made["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnets = {}
    for name, number, zone in (("PublicSubnet1", 1, "a"), ("PrivateSubnet1", 2, "a"), ("PrivateSubnet2", 3, "c")):
        place = {"CidrBlock": f"10.0.{number}.0/24", "AvailabilityZone": f"ap-northeast-2{zone}"}
        subnets[name] = ec2.create_subnet(VpcId=vpc, **place, **tagged("subnet", name))["Subnet"]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=subnets["PublicSubnet1"], MapPublicIpOnLaunch={"Value": True})
    sides = {"Public": ["PublicSubnet1"], "Private": ["PrivateSubnet1", "PrivateSubnet2"]}
    for side, members in sides.items():
        table = ec2.create_route_table(VpcId=vpc, **tagged("route-table", f"{side}RouteTable"))["RouteTable"]
        acl = ec2.create_network_acl(VpcId=vpc, **tagged("network-acl", f"{side}SubnetACL"))["NetworkAcl"]
        for name in members:
            ec2.associate_route_table(RouteTableId=table["RouteTableId"], SubnetId=subnets[name])
            by_subnet = [{"Name": "association.subnet-id", "Values": [subnets[name]]}]
            (now,) = ec2.describe_network_acls(Filters=by_subnet)["NetworkAcls"]
            held = next(a["NetworkAclAssociationId"] for a in now["Associations"] if a["SubnetId"] == subnets[name])
            ec2.replace_network_acl_association(AssociationId=held, NetworkAclId=acl["NetworkAclId"])
        if side == "Public":
            ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock=ANY, GatewayId=gateway)
            for number, port in ((100, 80), (110, 443)):
                ec2.create_network_acl_entry(
                    NetworkAclId=acl["NetworkAclId"],
                    RuleNumber=number,
                    Egress=False,
                    Protocol="6",
                    RuleAction="allow",
                    CidrBlock=ANY,
                    PortRange={"From": port, "To": port},
                )
    groups: dict[str, str] = {}
    for name, port, source in (("APIGatewaySG", 443, ANY), ("TestServerSG", 8000, None), ("DBSG", 5432, None)):
        group = ec2.create_security_group(VpcId=vpc, GroupName=name, Description="d", **tagged("security-group", name))[
            "GroupId"
        ]
        last = list(groups.values())[-1:]
        sources = {"IpRanges": [{"CidrIp": source}]} if source else {"UserIdGroupPairs": [{"GroupId": last[0]}]}
        permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **sources}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
        groups[name] = group
    rds = session.client("rds")
    private = [subnets["PrivateSubnet1"], subnets["PrivateSubnet2"]]
    rds.create_db_subnet_group(DBSubnetGroupName="mydbsubnetgroup", DBSubnetGroupDescription="d", SubnetIds=private)
    rds.create_db_instance(
        DBInstanceIdentifier="mypostgresqldb",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        EngineVersion="16",
        AllocatedStorage=20,
        MasterUsername="postgres",
        ManageMasterUserPassword=True,
        DBSubnetGroupName="mydbsubnetgroup",
        PubliclyAccessible=False,
        VpcSecurityGroupIds=[groups["DBSG"]],
        BackupRetentionPeriod=7,
        DeletionProtection=True,
    )


@pytest.fixture(scope="module")
def reference(one_laboratory: tuple[StrictAws, World, Any, Any, Any]) -> tuple[World, Network, Any, Any]:
    aws, first_world, *_, session = one_laboratory
    aws.restore(first_world)
    build(session)
    aws.settle()
    return aws.save(), find_network(session, "test-server"), session.client("ec2"), session.client("rds")


@pytest.fixture
def network(aws: StrictAws, reference: tuple[World, Network, Any, Any]) -> Network:
    aws.restore(reference[0])
    return reference[1]


@pytest.fixture
def look(network: Network, reference: tuple[World, Network, Any, Any]) -> Callable[[], dict[tuple[str, str], Any]]:
    return lambda: state(reference[2], reference[3], network)


@pytest.fixture
def outsider(one_laboratory: tuple[StrictAws, World, Any, Any, Any]) -> Any:
    return one_laboratory[4]


def state(ec2: Any, rds: Any, network: Network) -> dict[tuple[str, str], Any]:
    """Every field a drift may touch, read plainly from the live network, by (address, field)."""
    read: dict[tuple[str, str], Any] = {}
    for address, live_id in network.ids.items():
        kind = address.split("/")[0]
        if kind == "vpc":
            for field, attribute in (("enable_dns_hostnames", "DnsHostnames"), ("enable_dns_support", "DnsSupport")):
                answer = ec2.describe_vpc_attribute(VpcId=live_id, Attribute=f"enable{attribute}")
                read[address, field] = answer[f"Enable{attribute}"]["Value"]
            read[address, "tags"] = ec2.describe_vpcs(VpcIds=[live_id])["Vpcs"][0]["Tags"]
        elif kind == "internet_gateway":
            (shown,) = ec2.describe_internet_gateways(InternetGatewayIds=[live_id])["InternetGateways"]
            read[address, "vpc"] = [each["VpcId"] for each in shown["Attachments"]]
        elif kind == "subnet":
            (shown,) = ec2.describe_subnets(SubnetIds=[live_id])["Subnets"]
            read[address, "map_public_ip_on_launch"] = shown["MapPublicIpOnLaunch"]
        elif kind == "route_table":
            (shown,) = ec2.describe_route_tables(RouteTableIds=[live_id])["RouteTables"]
            read[address, "routes"] = {r["DestinationCidrBlock"]: r["GatewayId"] for r in shown["Routes"]}
            read[address, "subnets"] = {each["SubnetId"] for each in shown["Associations"]}
        elif kind == "security_group":
            (shown,) = ec2.describe_security_groups(GroupIds=[live_id])["SecurityGroups"]
            read[address, "ingress"] = shown["IpPermissions"]
        elif kind == "network_acl":
            (shown,) = ec2.describe_network_acls(NetworkAclIds=[live_id])["NetworkAcls"]
            read[address, "ingress"] = [each for each in shown["Entries"] if not each["Egress"]]
            read[address, "subnets"] = {each["SubnetId"] for each in shown["Associations"]}
        else:
            (shown,) = rds.describe_db_instances(DBInstanceIdentifier=live_id)["DBInstances"]
            assert shown["DBInstanceStatus"] == "available"
            read[address, "publicly_accessible"] = shown["PubliclyAccessible"]
            read[address, "vpc_security_groups"] = shown["VpcSecurityGroups"]
            read[address, "backup_retention_period"] = shown["BackupRetentionPeriod"]
            read[address, "deletion_protection"] = shown["DeletionProtection"]
    return read


def changed(before: dict[tuple[str, str], Any], after: dict[tuple[str, str], Any]) -> set[tuple[str, str]]:
    return {place for place in before if before[place] != after[place]}


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda drift: drift.name)
def test_a_drift_changes_exactly_the_fields_it_names(
    network: Network, outsider: Any, look: Callable[[], dict[tuple[str, str], Any]], drift: Drift
) -> None:
    before = look()
    drift.apply(outsider, network)
    assert changed(before, look()) == drift.addresses


def test_all_drifts_together_change_all_their_fields(
    network: Network, outsider: Any, look: Callable[[], dict[tuple[str, str], Any]]
) -> None:
    before = look()
    for drift in DRIFTS:
        drift.apply(outsider, network)
    expected = {place for drift in DRIFTS for place in drift.addresses}
    assert changed(before, look()) == expected


def test_every_drift_has_a_name_a_story_and_fields_of_its_kind() -> None:
    names = [drift.name for drift in DRIFTS]
    assert len(set(names)) == len(names) == 15
    for drift in DRIFTS:
        assert drift.name == drift.name.lower().replace("_", "-")
        assert drift.story.endswith(".")
        assert drift.story.count(".") == 1
        for address, field in drift.addresses:
            assert field in FIELDS_OF_KIND[address.split("/")[0]]


def test_every_address_is_in_the_example_document() -> None:
    example = Path(__file__).parents[2] / "desired_state" / "examples" / "test-server.json"
    resources = json.loads(example.read_text())["resources"]
    known = {f"{kind}/{name}" for kind, members in resources.items() for name in members}
    assert {address for drift in DRIFTS for address, _ in drift.addresses} <= known


def test_a_network_is_found_by_its_document_or_not_at_all(network: Network, outsider: Any, refused: Refused) -> None:
    assert sorted(network.ids) == [
        "db_instance/mypostgresqldb",
        "internet_gateway/MyInternetGateway",
        "network_acl/PrivateSubnetACL",
        "network_acl/PublicSubnetACL",
        "route_table/PrivateRouteTable",
        "route_table/PublicRouteTable",
        "security_group/APIGatewaySG",
        "security_group/DBSG",
        "security_group/TestServerSG",
        "subnet/PrivateSubnet1",
        "subnet/PrivateSubnet2",
        "subnet/PublicSubnet1",
        "vpc/MyVPC",
    ]
    with pytest.raises(LookupError, match="0 VPCs"):
        find_network(outsider, "another")
