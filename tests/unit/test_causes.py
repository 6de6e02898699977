"""Every call that a kind knows, against every field of every kind: it is named where it can have changed that field of
that resource, and nowhere else. `TABLE` is AWS's documentation in other words than the product's.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

import pytest

from desired_state.fields import Address, RuleKey
from handlers.triggers import event_names
from reconciler.aws.client import Aws
from reconciler.cloudtrail.attribution import Attribution, Differing, Drifted, attribute, who_made
from reconciler.cloudtrail.details import rule_text
from reconciler.cloudtrail.record import actor
from reconciler.kinds import REGISTRY
from reconciler.model.cause import Way, values_of
from reconciler.model.trigger import Actor

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
VPC, SUBNET, GROUP, PEER = "vpc-0a1b2c3d", "subnet-0a1b2c3d", "sg-0a1b2c3d", "sg-0f0f0f0f"
TABLE_ID, ACL, GATEWAY = "rtb-0a1b2c3d", "acl-0a1b2c3d", "igw-0a1b2c3d"
WAS, NOW, MAIN_WAS, MAIN_NOW = (f"rtbassoc-{number:08x}" for number in range(1, 5))
ACL_WAS, ACL_NOW = "aclassoc-00000001", "aclassoc-00000002"
IDS = {
    "vpc": VPC,
    "internet_gateway": GATEWAY,
    "subnet": SUBNET,
    "route_table": TABLE_ID,
    "security_group": GROUP,
    "network_acl": ACL,
    "db_subnet_group": "shop",  # as the instance is called
    "db_instance": "shop",
}
NOT_OF_AWS = {"enforcement", "formerly", "note"}
WAYS: tuple[Way, ...] = ("extra", "gone", "other")
"""A member of a set is there or not; the main table is one value; what is missing is gone."""
ARN = "arn:aws:rds:eu-west-1:123456789012"


class Row(NamedTuple):
    """A call, its parameters and answer, and what it can have changed: `<kind>.<field>` with the ways, for members that
    the call names; `!` marks the whole resource. `*` are all fields.
    """

    call: str
    request: dict[str, Any]
    changes: str
    answer: dict[str, Any] | None = None


def items(*some: Any) -> dict[str, Any]:
    return {"items": list(some)}


RULE = items(
    {
        "ipProtocol": "tcp",
        "fromPort": 22,
        "toPort": 22,
        "groups": items({"groupId": PEER}),
        "ipRanges": items({"cidrIp": "0.0.0.0/0", "description": VPC}),
    }
)
TAGGED = {"tagSet": items({"key": "Name", "value": "sg-0a1b2c3d"})}
ENTRY = {"networkAclId": ACL, "ruleNumber": 100, "aclProtocol": "6", "cidrBlock": "0.0.0.0/0", "ruleAction": "allow"}
ROUTE = {"routeTableId": TABLE_ID, "destinationCidrBlock": "0.0.0.0/0", "gatewayId": GATEWAY}
DB = {"dBInstanceIdentifier": "shop"}
DB_FIELDS = {
    "allocatedStorage": 30,
    "autoMinorVersionUpgrade": True,
    "backupRetentionPeriod": 3,
    "copyTagsToSnapshot": True,
    "dBInstanceClass": "db.t4g.micro",
    "dBPortNumber": 5433,
    "dBSubnetGroupName": "other",
    "deletionProtection": False,
    "engineVersion": "17.5",
    "manageMasterUserPassword": True,
    "maxAllocatedStorage": 100,
    "multiAZ": True,
    "preferredBackupWindow": "01:00-02:00",
    "preferredMaintenanceWindow": "sun:03:00-sun:04:00",
    "publiclyAccessible": True,
    "storageType": "gp3",
    "vpcSecurityGroupIds": [GROUP],
    "cACertificateIdentifier": "rds-ca-rsa2048-g1",
    "cloudwatchLogsExportConfiguration": {"enableLogTypes": ["postgresql"]},
    "dBParameterGroupName": "shop",
    "enableIAMDatabaseAuthentication": True,
    "enablePerformanceInsights": True,
    "iops": 3000,
    "monitoringInterval": 0,
    "monitoringRoleArn": "arn:aws:iam::123456789012:role/monitoring",
    "networkType": "DUAL",
    "performanceInsightsRetentionPeriod": 7,
    "storageThroughput": 125,
    "databaseInsightsMode": "advanced",
    "dedicatedLogVolume": True,
    "engineLifecycleSupport": "open-source-rds-extended-support",
}
OF_PARAMETER = {
    "multiAZ": "multi_az",
    "dBPortNumber": "port",
    "dBInstanceClass": "db_instance_class",
    "dBSubnetGroupName": "db_subnet_group",
    "vpcSecurityGroupIds": "vpc_security_groups",
    "cACertificateIdentifier": "ca_certificate_identifier",
    "cloudwatchLogsExportConfiguration": "enabled_cloudwatch_logs_exports",
    "dBParameterGroupName": "db_parameter_group",
    "enableIAMDatabaseAuthentication": "iam_database_authentication",
    "enablePerformanceInsights": "performance_insights_enabled",
    "monitoringRoleArn": "monitoring_role",
}
ROWS = [
    # Tags, by the resource that is tagged; their values are no names.
    *(
        Row("CreateTags", {"resourcesSet": items({"resourceId": aws_id}), **TAGGED}, f"{kind}.tags:extra,other")
        for kind, aws_id in IDS.items()
        if not kind.startswith("db_")
    ),
    *(
        Row("DeleteTags", {"resourcesSet": items({"resourceId": aws_id}), **TAGGED}, f"{kind}.tags:gone")
        for kind, aws_id in IDS.items()
        if not kind.startswith("db_")
    ),
    Row(
        "AddTagsToResource",
        {"resourceName": f"{ARN}:db:shop", "tags": [{"key": "Name"}]},
        "db_instance.tags:extra,other",
    ),
    Row("RemoveTagsFromResource", {"resourceName": f"{ARN}:db:shop", "tagKeys": ["Name"]}, "db_instance.tags:gone"),
    Row(
        "AddTagsToResource",
        {"resourceName": f"{ARN}:subgrp:shop", "tags": [{"key": "Name"}]},
        "db_subnet_group.tags:extra,other",
    ),
    Row(
        "RemoveTagsFromResource",
        {"resourceName": f"{ARN}:subgrp:shop", "tagKeys": ["Name"]},
        "db_subnet_group.tags:gone",
    ),
    # The VPC
    Row(
        "CreateVpc",
        {"cidrBlock": "10.0.0.0/16"},
        "vpc.tags vpc.cidr_block vpc.enable_dns_support vpc.enable_dns_hostnames vpc.secondary_cidr_blocks:gone",
        {"vpc": {"vpcId": VPC}},
    ),
    Row("DeleteVpc", {"vpcId": VPC}, "vpc.!"),
    Row("ModifyVpcAttribute", {"vpcId": VPC, "enableDnsSupport": {"value": False}}, "vpc.enable_dns_support"),
    Row("ModifyVpcAttribute", {"vpcId": VPC, "enableDnsHostnames": {"value": False}}, "vpc.enable_dns_hostnames"),
    Row("ModifyVpcAttribute", {"vpcId": VPC, "enableNetworkAddressUsageMetrics": {"value": True}}, ""),
    Row("ModifyVpcTenancy", {"vpcId": VPC, "instanceTenancy": "default"}, ""),
    Row("AssociateDhcpOptions", {"vpcId": VPC, "dhcpOptionsId": "dopt-0a1b2c3d"}, ""),
    Row("AssociateVpcCidrBlock", {"vpcId": VPC, "cidrBlock": "10.1.0.0/16"}, "vpc.secondary_cidr_blocks:extra,other"),
    Row("AssociateVpcCidrBlock", {"vpcId": VPC, "amazonProvidedIpv6CidrBlock": True}, ""),
    Row(
        "DisassociateVpcCidrBlock",
        {"associationId": "vpc-cidr-assoc-0a1b2c3d"},
        "vpc.secondary_cidr_blocks:gone",
        {"vpcId": VPC},
    ),
    # The internet gateway
    Row(
        "CreateInternetGateway",
        {},
        "internet_gateway.tags internet_gateway.vpc",
        {"internetGateway": {"internetGatewayId": GATEWAY}},
    ),
    Row("DeleteInternetGateway", {"internetGatewayId": GATEWAY}, "internet_gateway.!"),
    Row("AttachInternetGateway", {"internetGatewayId": GATEWAY, "vpcId": VPC}, "internet_gateway.vpc"),
    Row(
        "DetachInternetGateway", {"internetGatewayId": GATEWAY, "vpcId": VPC}, "internet_gateway.vpc internet_gateway.!"
    ),
    # Subnets
    Row(
        "CreateSubnet",
        {"vpcId": VPC, "cidrBlock": "10.0.1.0/24"},
        "subnet.tags subnet.cidr_block subnet.availability_zone subnet.map_public_ip_on_launch",
        {"subnet": {"subnetId": SUBNET}},
    ),
    Row("DeleteSubnet", {"subnetId": SUBNET}, "subnet.!"),
    Row(
        "ModifySubnetAttribute",
        {"subnetId": SUBNET, "mapPublicIpOnLaunch": {"value": True}},
        "subnet.map_public_ip_on_launch",
    ),
    Row("ModifySubnetAttribute", {"subnetId": SUBNET, "assignIpv6AddressOnCreation": {"value": True}}, ""),
    Row("AssociateSubnetCidrBlock", {"subnetId": SUBNET, "ipv6CidrBlock": "2001:db8::/64"}, ""),
    Row("DisassociateSubnetCidrBlock", {"associationId": "subnet-cidr-assoc-0a1b2c3d"}, "", {"subnetId": SUBNET}),
    # Route tables
    Row(
        "CreateRouteTable",
        {"vpcId": VPC},
        "route_table.tags route_table.routes:gone route_table.subnets:gone",
        {"routeTable": {"routeTableId": TABLE_ID}},
    ),
    Row("DeleteRouteTable", {"routeTableId": TABLE_ID}, "route_table.!"),
    Row("CreateRoute", ROUTE, "route_table.routes:extra,other"),
    Row("ReplaceRoute", ROUTE, "route_table.routes:extra,other"),
    Row("DeleteRoute", {"routeTableId": TABLE_ID, "destinationCidrBlock": "0.0.0.0/0"}, "route_table.routes:gone"),
    Row("DisableVgwRoutePropagation", {"routeTableId": TABLE_ID, "gatewayId": "vgw-0a1b2c3d"}, ""),
    Row("EnableVgwRoutePropagation", {"routeTableId": TABLE_ID, "gatewayId": "vgw-0a1b2c3d"}, ""),
    Row(
        "AssociateRouteTable",
        {"routeTableId": TABLE_ID, "subnetId": SUBNET},
        "route_table.subnets:extra,other",
        {"associationId": NOW},
    ),
    Row("AssociateRouteTable", {"routeTableId": TABLE_ID, "gatewayId": GATEWAY}, "", {"associationId": NOW}),
    Row("DisassociateRouteTable", {"associationId": WAS}, "route_table.subnets:gone"),
    Row("DisassociateRouteTable", {"associationId": "rtbassoc-0f0f0f0f"}, ""),
    Row(
        "ReplaceRouteTableAssociation",
        {"associationId": WAS, "routeTableId": "rtb-0f0f0f0f"},
        "route_table.subnets:gone",
        {"newAssociationId": NOW},
    ),
    Row(
        "ReplaceRouteTableAssociation",
        {"associationId": "rtbassoc-0f0f0f0f", "routeTableId": TABLE_ID},
        "route_table.subnets:extra,other",
        {"newAssociationId": NOW},
    ),
    Row(
        "ReplaceRouteTableAssociation",
        {"associationId": MAIN_WAS, "routeTableId": "rtb-0f0f0f0f"},
        "route_table.main:false",
        {"newAssociationId": MAIN_NOW},
    ),
    Row(
        "ReplaceRouteTableAssociation",
        {"associationId": "rtbassoc-0f0f0f0f", "routeTableId": TABLE_ID},
        "route_table.main:true",
        {"newAssociationId": MAIN_NOW},
    ),
    # Security groups
    Row(
        "CreateSecurityGroup",
        {"groupName": "shop", "groupDescription": VPC, "vpcId": VPC},
        "security_group.tags security_group.description security_group.ingress:gone security_group.egress",
        {"groupId": GROUP},
    ),
    Row("DeleteSecurityGroup", {"groupId": GROUP}, "security_group.!"),
    Row("AssociateSecurityGroupVpc", {"groupId": GROUP, "vpcId": VPC}, ""),
    Row("DisassociateSecurityGroupVpc", {"groupId": GROUP, "vpcId": VPC}, ""),
    *(
        row
        for field in ("ingress", "egress")
        for row in (
            Row(
                f"AuthorizeSecurityGroup{field.title()}",
                {"groupId": GROUP, "ipPermissions": RULE},
                f"security_group.{field}:extra,other",
            ),
            Row(
                f"RevokeSecurityGroup{field.title()}",
                {"groupId": GROUP, "ipPermissions": RULE},
                f"security_group.{field}:gone",
            ),
            Row(
                f"UpdateSecurityGroupRuleDescriptions{field.title()}",
                {"groupId": GROUP, "ipPermissions": RULE},
                f"security_group.{field}:other",
            ),
        )
    ),
    Row(
        "ModifySecurityGroupRules",
        {
            "ModifySecurityGroupRulesRequest": {
                "GroupId": GROUP,
                "SecurityGroupRule": {
                    "SecurityGroupRuleId": "sgr-0a1b2c3d",
                    "tag": 1,
                    "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "0.0.0.0/0"},
                },
            }
        },
        "security_group.ingress security_group.egress",
    ),
    # Network ACLs
    Row(
        "CreateNetworkAcl",
        {"vpcId": VPC},
        "network_acl.tags network_acl.ingress:gone network_acl.egress:gone network_acl.subnets:gone",
        {"networkAcl": {"networkAclId": ACL}},
    ),
    Row("DeleteNetworkAcl", {"networkAclId": ACL}, "network_acl.!"),
    *(
        row
        for field in ("ingress", "egress")
        for row in (
            Row("CreateNetworkAclEntry", ENTRY | {"egress": field == "egress"}, f"network_acl.{field}:extra,other"),
            Row("ReplaceNetworkAclEntry", ENTRY | {"egress": field == "egress"}, f"network_acl.{field}:extra,other"),
            Row(
                "DeleteNetworkAclEntry",
                {"networkAclId": ACL, "ruleNumber": 100, "egress": field == "egress"},
                f"network_acl.{field}:gone",
            ),
        )
    ),
    Row(
        "ReplaceNetworkAclAssociation",
        {"associationId": ACL_WAS, "networkAclId": "acl-0f0f0f0f"},
        "network_acl.subnets:gone",
        {"newAssociationId": ACL_NOW},
    ),
    Row(
        "ReplaceNetworkAclAssociation",
        {"associationId": "aclassoc-0f0f0f0f", "networkAclId": ACL},
        "network_acl.subnets:extra,other",
        {"newAssociationId": ACL_NOW},
    ),
    # DB subnet groups
    Row(
        "CreateDBSubnetGroup",
        {"dBSubnetGroupName": "shop", "subnetIds": [SUBNET]},
        "db_subnet_group.tags db_subnet_group.description db_subnet_group.subnets:extra,other",
    ),
    Row(
        "CreateDBSubnetGroup",
        {"dBSubnetGroupName": "shop", "subnetIds": ["subnet-0f0f0f0f"]},
        "db_subnet_group.tags db_subnet_group.description db_subnet_group.subnets:gone",
    ),
    Row("DeleteDBSubnetGroup", {"dBSubnetGroupName": "shop"}, "db_subnet_group.!"),
    Row(
        "ModifyDBSubnetGroup",
        {"dBSubnetGroupName": "shop", "subnetIds": [SUBNET]},
        "db_subnet_group.subnets:extra,other",
    ),
    Row(
        "ModifyDBSubnetGroup",
        {"dBSubnetGroupName": "shop", "subnetIds": ["subnet-0f0f0f0f"]},
        "db_subnet_group.subnets:gone",
    ),
    # DB instances
    *(
        Row(
            "ModifyDBInstance",
            {**DB, name: value, "applyImmediately": True},
            f"db_instance.{OF_PARAMETER.get(name) or ''.join(f'_{c.lower()}' if c.isupper() else c for c in name)}"
            + (":extra,other" if name == "vpcSecurityGroupIds" else ""),
        )
        for name, value in DB_FIELDS.items()
    ),
    Row("ModifyDBInstance", {**DB, "masterUserPassword": "****"}, ""),
    Row("ModifyDBInstance", {**DB, "newDBInstanceIdentifier": "old"}, "db_instance.* db_instance.!"),
    Row("DeleteDBInstance", {**DB, "skipFinalSnapshot": True}, "db_instance.!"),
    *(
        Row(call, DB, "db_instance.*")
        for call in ("CreateDBInstance", "CreateDBInstanceReadReplica", "RestoreDBInstanceFromDBSnapshot")
    ),
    Row(
        "RestoreDBInstanceToPointInTime",
        {"sourceDBInstanceIdentifier": "old", "targetDBInstanceIdentifier": "shop"},
        "db_instance.*",
    ),
    *(
        Row(call, DB, "")
        for call in (
            "RebootDBInstance",
            "StartDBInstance",
            "StopDBInstance",
            "SwitchoverReadReplica",
            "AddRoleToDBInstance",
            "RemoveRoleFromDBInstance",
        )
    ),
    Row("PromoteReadReplica", {**DB, "backupRetentionPeriod": 1}, "db_instance.backup_retention_period"),
    Row("PromoteReadReplica", DB, ""),
    Row(
        "ApplyPendingMaintenanceAction",
        {"resourceIdentifier": f"{ARN}:db:shop", "applyAction": "db-upgrade", "optInType": "immediate"},
        "db_instance.engine_version",
    ),
    Row(
        "ApplyPendingMaintenanceAction",
        {"resourceIdentifier": f"{ARN}:db:shop", "applyAction": "system-update", "optInType": "immediate"},
        "",
    ),
    *(Row(call, {"dBClusterIdentifier": "shop"}, "") for call in ("ModifyDBCluster", "DeleteDBCluster")),
]


class Blind:
    """CloudTrail's event history answers nothing."""

    def read(self, read: object) -> list[Any]:
        raise KeyError("Events")


def event(row: Row, **parts: Any) -> dict[str, Any]:
    return {
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/alice"},
        "eventTime": "2026-11-22T12:00:05Z",
        "eventName": row.call,
        "requestParameters": row.request,
        "responseElements": row.answer,
    } | parts


def named(row: Row, drifts: Iterable[tuple[str, Differing, str]]) -> list[bool]:
    """Of each (kind, difference, id), whether the call is named for it."""
    told = actor(event(row))
    assert told
    some = [Drifted(Address.of(kind, f"shop-{n}"), aws_id, (one,)) for n, (kind, one, aws_id) in enumerate(drifts)]
    found = asked(some, told)
    return [one.address in found.actors for one in some]


def differing(kind: str, field: str) -> Iterable[tuple[str, Differing]]:
    """The differences that a field can have, and how the table calls them."""
    if kind in {"route_table", "network_acl"} and field == "subnets":
        was, now = (WAS, NOW) if kind == "route_table" else (ACL_WAS, ACL_NOW)
        known = Differing(field, member=SUBNET, before=frozenset({was}), after=frozenset({now}))
        yield from ((way, known._replace(way=way)) for way in WAYS[:2])
    elif field == "main":
        main = Differing(field, "other", before=frozenset({MAIN_WAS}), after=frozenset({MAIN_NOW}))
        yield from ((value, main._replace(value=value)) for value in ("true", "false"))
    elif field in {"subnets", "vpc_security_groups"}:
        member = SUBNET if field == "subnets" else GROUP
        yield from ((way, Differing(field, way, member=member)) for way in WAYS[:2])
    else:
        yield from ((way, Differing(field, way)) for way in (WAYS if field else WAYS[1:2]))


EVERY = [
    (name, field, how, one)
    for name, kind in REGISTRY.items()
    for field in ("", *sorted(kind.model.model_fields.keys() - NOT_OF_AWS))
    for how, one in differing(name, field)
]


def expected(row: Row, kind: str, field: str, how: str) -> bool:
    for change in row.changes.split():
        where, _, ways = change.partition(":")
        of_kind, _, of_field = where.partition(".")
        every = of_field == "*" and field != ""
        if of_kind == kind and (every or of_field == (field or "!")) and (not ways or how in ways.split(",")):
            return not ways or how in ways.split(",")
    return False


def test_every_call_that_any_kind_knows_is_in_the_table() -> None:
    assert {row.call for row in ROWS} == frozenset().union(*event_names().values())


@pytest.mark.parametrize("row", ROWS, ids=[f"{number}-{row.call}" for number, row in enumerate(ROWS)])
def test_a_call_is_named_where_it_can_have_changed_a_field_and_nowhere_else(row: Row) -> None:
    told = named(row, [(kind, one, IDS[kind]) for kind, _, _, one in EVERY])
    right = [expected(row, kind, field, how) for kind, field, how, _ in EVERY]
    assert [each[:3] for each, is_, should in zip(EVERY, told, right, strict=True) if is_ is not should] == []


@pytest.mark.parametrize("row", ROWS, ids=[f"{number}-{row.call}" for number, row in enumerate(ROWS)])
def test_a_call_about_another_resource_is_never_named(row: Row) -> None:
    elsewhere = {kind: f"{aws_id.partition('-')[0]}-0e0e0e0e" for kind, aws_id in IDS.items()}
    drifts = [(kind, one._replace(before=frozenset(), after=frozenset()), elsewhere[kind]) for kind, _, _, one in EVERY]
    assert not any(named(row, drifts))


RULE_KEY = RuleKey("tcp", 22, 22, "0.0.0.0/0")


@pytest.mark.parametrize(
    ("row", "key", "another"),
    [
        (
            Row("AuthorizeSecurityGroupIngress", {"groupId": GROUP, "ipPermissions": RULE}, "ingress"),
            rule_text(RULE_KEY),
            "tcp:23:23:0.0.0.0/0",
        ),
        (
            Row("AuthorizeSecurityGroupIngress", {"groupId": GROUP, "ipPermissions": RULE}, "ingress"),
            f"tcp:22:22:{PEER}",
            f"tcp:22:22:{GROUP}",
        ),
        (
            Row(
                "AuthorizeSecurityGroupIngress",
                {"groupId": GROUP, "ipProtocol": "6", "fromPort": 22, "toPort": 22, "cidrIp": "0.0.0.0/0"},
                "ingress",
            ),
            rule_text(RULE_KEY),
            "all:-1:-1:0.0.0.0/0",
        ),
        (
            Row(
                "RevokeSecurityGroupEgress",
                {"groupId": GROUP, "securityGroupRuleIdSet": items("sgr-0a1b2c3d")},
                "egress",
                {
                    "revokedSecurityGroupRuleSet": items(
                        {
                            "groupId": GROUP,
                            "isEgress": True,
                            "ipProtocol": "-1",
                            "fromPort": -1,
                            "toPort": -1,
                            "cidrIpv4": "0.0.0.0/0",
                        }
                    )
                },
            ),
            "all:-1:-1:0.0.0.0/0",
            rule_text(RULE_KEY),
        ),
        (Row("CreateNetworkAclEntry", ENTRY | {"egress": False}, "ingress"), "100", "101"),
        (Row("CreateRoute", ROUTE, "routes"), "0.0.0.0/0", "10.9.0.0/16"),
        (Row("CreateTags", {"resourcesSet": items({"resourceId": GROUP}), **TAGGED}, "tags"), "Name", "setpoint:hold"),
        (
            Row("AssociateVpcCidrBlock", {"vpcId": VPC, "cidrBlock": "10.1.0.0/16"}, "secondary_cidr_blocks"),
            "10.1.0.0/16",
            "10.2.0.0/16",
        ),
    ],
)
def test_a_call_that_says_which_member_it_changes_is_named_for_no_other(row: Row, key: str, another: str) -> None:
    way: Way = "gone" if row.call.startswith("Revoke") else "extra"
    kinds = [kind for kind in REGISTRY if kind != "db_instance" and row.call in REGISTRY[kind].changes]
    drifts = [(kind, Differing(row.changes, way, one), IDS[kind]) for kind in kinds for one in (key, another)]
    assert [one for one, is_ in zip(drifts, named(row, drifts), strict=True) if is_] == [
        one for one in drifts if one[1].key == key and one[2] in str(row.request)
    ]


def test_a_value_is_not_explained_by_who_set_the_other_one() -> None:
    row = Row("ModifyDBInstance", {**DB, "publiclyAccessible": False}, "")
    drifts = [
        ("db_instance", Differing("publicly_accessible", "other", value=one), "shop") for one in ("true", "false")
    ]
    assert named(row, drifts) == [False, True]


def test_a_call_with_more_values_than_are_kept_may_have_changed_any_member() -> None:
    assert values_of(frozenset({"tag=Name", "tag=*", "groupid"}), "tag") is None
    assert values_of(frozenset({"tag=Name", "tag=Team", "to=x"}), "tag") == frozenset({"Name", "Team"})
    assert values_of(frozenset({"tag", "to=x"}), "tag") is None


def test_of_what_is_missing_no_change_is_named_whatever_else_differs_now() -> None:
    """It was made again meanwhile, with other rules."""
    row = Row("AuthorizeSecurityGroupIngress", {"groupId": GROUP, "ipPermissions": RULE}, "")
    gone, rule = Differing("", "gone"), Differing("ingress", "extra", rule_text(RULE_KEY))
    told = [one for one in [actor(event(row))] if one]
    address = Address("security_group/shop")
    assert who_made(Drifted(address, GROUP, (gone, rule)), told) is None
    assert who_made(Drifted(address, GROUP, (rule,)), told)


def test_what_overwrites_a_member_does_not_say_since_when_it_is_there() -> None:
    """CreateNetworkAclEntry is refused if the number is taken, ReplaceNetworkAclEntry is not if it is."""
    address = Address("network_acl/shop")
    one = Differing("ingress", "extra", "100", identity=(address, "ingress", 100))
    made = {}
    for call in ("CreateNetworkAclEntry", "ReplaceNetworkAclEntry"):
        told = actor(event(Row(call, ENTRY | {"egress": False}, "")))
        assert told
        found = asked([Drifted(address, ACL, (one,))], told)
        assert set(found.actors) == {address}
        made[call] = list(found.made)
    assert made == {"CreateNetworkAclEntry": [one.identity], "ReplaceNetworkAclEntry": []}


def test_rds_has_one_name_in_small_and_capital_letters() -> None:
    row = Row("ModifyDBInstance", {"dBInstanceIdentifier": "SHOP", "publiclyAccessible": True}, "")
    assert named(row, [("db_instance", Differing("publicly_accessible", "other", value="true"), "shop")]) == [True]


def asked(drifts: list[Drifted], *told: Actor) -> Attribution:
    return attribute(
        drifts,
        told,
        cast("Aws", Blind()),
        since=NOON,
        now=lambda: NOON,
        sleep=lambda seconds: None,
        is_own_call=lambda record: False,
    )


def people(*names: str) -> Attribution:
    row = Row("AuthorizeSecurityGroupIngress", {"groupId": GROUP, "ipPermissions": RULE}, "")
    told = []
    for second, name in enumerate(names):
        user = {"type": "IAMUser", "arn": f"arn:aws:iam::123456789012:user/{name}"}
        told.append(actor(event(row, userIdentity=user, eventTime=f"2026-11-22T12:00:{second:02}Z")))
    address = Address("security_group/shop")
    one = Differing("ingress", "extra", rule_text(RULE_KEY), identity=(address, "ingress", RULE_KEY))
    return asked([Drifted(address, GROUP, (one,))], *(one for one in told if one))


def test_where_it_may_have_been_several_people_all_are_named_or_nobody() -> None:
    address, user = Address("security_group/shop"), "arn:aws:iam::123456789012:user/"
    assert people("alice", "alice").actors[address].who == f"{user}alice"
    either = people("bob", "alice").actors[address]
    assert (either.who, either.call) == (f"{user}bob or {user}alice", "AuthorizeSecurityGroupIngress")
    assert people("alice", "bob", "carol", "dave").actors == {}


def test_a_rule_was_made_by_the_earliest_call_of_anybody_that_can_have_made_it() -> None:
    assert set(people("bob", "alice").made.values()) == {NOON}
