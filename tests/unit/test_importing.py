"""A new document for a network that exists: what is written, what is left out, and what a person is told."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given

from desired_state.document import Document
from desired_state.fields import Address
from desired_state.load import load
from desired_state.resource import SECTIONS
from desired_state.strict_json import MAX_BYTES
from desired_state.write import as_section, write
from reconciler.engine.observe import ObserveError
from reconciler.importing.draft import ImportRefused
from reconciler.importing.new import Imported
from reconciler.importing.report import as_json, text
from reconciler.importing.told import Note, Sort, summed
from reconciler.kinds import REGISTRY
from tests.support import nat_gateway
from tests.support.live_vpc import OTHER_ACCOUNT, REGION, VPC, LiveVpc, rule, shop, tag_list
from tests.support.worlds import documents, seen


def section(imported: Imported, address: str) -> dict[str, Any]:
    kind, _, name = address.partition("/")
    found: dict[str, Any] = json.loads(imported.data)["resources"][kind][name]
    return found


def lines(imported: Imported) -> list[str]:
    return text(imported, "shop.json").splitlines()


def held(imported: Imported) -> list[str]:
    return [f"{note.where}: {note.text}" for note in imported.not_held]


def person(imported: Imported) -> list[str]:
    return [f"{note.where}: {note.text}" for note in imported.for_person]


# The document.


def test_everything_in_the_vpc_is_declared_and_the_first_plan_sets_tags_only() -> None:
    imported = shop()()
    assert len(imported.added) == 20
    assert imported.tag_calls == 19  # a subnet group's tags are not compared
    assert imported.document.scope.vpc_id == VPC
    assert section(imported, "security_group/app") == {
        "description": "Made by hand",
        "ingress": [{"protocol": "tcp", "ports": 8080, "source": "security_group/web"}],
        "egress": [{"protocol": "all", "destination": "0.0.0.0/0"}],
    }


def test_its_parts_stand_in_the_order_in_which_they_are_read() -> None:
    live = shop()
    live.interface(live.lists["DescribeSubnets"][0]["SubnetId"], live.group("x"), instance="i-1")
    written = json.loads(live().data)
    assert list(written) == ["version", "name", "revision", "scope", "adopt", "resources", "workloads", "intents"]
    assert list(written["resources"]) == [
        "vpc",
        "subnet",
        "internet_gateway",
        "route_table",
        "network_acl",
        "security_group",
        "db_subnet_group",
        "db_instance",
    ]
    assert list(written["resources"]["subnet"]) == [
        "app-a",
        "app-c",
        "isolated-a",
        "isolated-c",
        "public-a",
        "public-c",
    ]


def test_two_imports_of_one_state_are_equal_byte_for_byte_in_whatever_order_aws_answers() -> None:
    first = shop()()
    for seed in range(8):
        live = shop()
        live.random = Random(seed)
        again = live()
        assert again.data == first.data
        assert lines(again) == lines(first)


def test_what_goes_without_saying_is_not_written() -> None:
    imported = shop()()
    assert "main" not in section(imported, "route_table/public")
    assert (
        "is_default" not in section(imported, "network_acl/default")
        or section(imported, "network_acl/default")["is_default"]
    )
    assert section(imported, "internet_gateway/internet") == {}
    assert "max_allocated_storage" not in section(imported, "db_instance/orders")
    assert "manage_master_user_password" not in section(imported, "db_instance/orders")
    assert "tags" not in section(imported, "vpc/shop")


def test_the_main_table_the_default_acl_and_the_default_group_are_declared() -> None:
    imported = LiveVpc()()
    assert section(imported, "route_table/main") == {"main": True, "routes": {}, "subnets": []}
    assert section(imported, "network_acl/default")["is_default"] is True
    assert section(imported, "security_group/default")["description"] == "default VPC security group"


def test_tags_are_declared_on_demand_but_never_ours_and_never_aws_s() -> None:
    live = shop()
    group = live.group("tagged")
    live.tag("DescribeSecurityGroups", group, team="shop", aws__x="no", rds__y="no", setpoint__hold="no", Name="Front")
    live.lists["tags of data"] = tag_list({"team": "data"})
    imported = live(tags=True)
    assert section(imported, "security_group/tagged")["tags"] == {"Name": "Front", "team": "shop"}
    assert section(imported, "db_subnet_group/data")["tags"] == {"team": "data"}
    assert b'"tags"' not in live().data


def test_only_some_kinds_refer_to_the_rest_by_id() -> None:
    live = shop()
    database = live.lists["DescribeDBInstances"][0]
    imported = live(only=frozenset({"route_table", "db_instance"}))
    assert {at.kind for at in imported.added} == {"route_table", "db_instance"}
    routes = section(imported, "route_table/public")
    assert routes["routes"]["0.0.0.0/0"].startswith("igw-")
    assert all(one.startswith("subnet-") for one in routes["subnets"])
    written = section(imported, "db_instance/orders")
    assert written["vpc_security_groups"] == [database["VpcSecurityGroups"][0]["VpcSecurityGroupId"]]
    assert written["db_subnet_group"] == "db_subnet_group/data"
    assert json.loads(imported.data)["external"] == {"db_subnet_group/data": {"id": "data"}}


def test_adopt_names_only_what_identification_does_not_find_by_itself() -> None:
    live = shop()
    imported = live()
    tables = {one["RouteTableId"]: one for one in live.lists["DescribeRouteTables"]}
    assert imported.document.adopt.keys() == {
        "route_table/isolated",
        "route_table/private-a",
        "route_table/private-c",
    }
    assert set(imported.document.adopt.values()) <= tables.keys()
    live.apply_tags(imported)
    from reconciler.importing.proof import prove
    from reconciler.importing.reading import RememberedReads
    from tests.support.live_vpc import MORNING

    written = json.loads(imported.data)
    del written["adopt"]
    proof = prove(load(write(written), "shop.json"), RememberedReads(live), lambda: MORNING)  # type: ignore[arg-type]
    assert list(proof.objections(proof.document.resources)) == []
    assert proof.plan.actions == ()


def test_a_database_and_its_subnet_group_may_have_one_name() -> None:
    live = shop()
    live.lists["DescribeDBSubnetGroups"][0]["DBSubnetGroupName"] = "orders"
    imported = live()
    assert {"db_instance/orders", "db_subnet_group/orders"} <= set(imported.added)
    assert section(imported, "db_instance/orders")["db_subnet_group"] == "db_subnet_group/orders"
    assert live.add_to(imported.data).changed is False


# What a document cannot say.


def test_a_rule_that_cannot_be_said_takes_its_direction_with_it_and_revokes_nothing() -> None:
    live = LiveVpc()
    code_alone = rule("icmp", -1, "0.0.0.0/0") | {"ToPort": 5}
    live.group("odd", code_alone)
    imported = live()
    assert section(imported, "security_group/odd").keys() == {"description", "egress"}
    (told,) = held(imported)
    assert told.startswith("security_group/odd: ingress cannot be said (")
    assert told.endswith("): the field is left out whole, who changes it is not noticed")


def test_what_is_live_proves_the_quota_and_more_than_any_quota_takes_its_direction_with_it() -> None:
    live = LiveVpc()
    live.group("many", *(rule("tcp", port, "10.0.0.0/8") for port in range(1, 1002)))
    live.group("raised", *(rule("tcp", port, "10.0.0.0/8") for port in range(1, 62)))
    imported = live()
    assert "ingress" not in section(imported, "security_group/many")
    assert len(section(imported, "security_group/raised")["ingress"]) == 61
    assert held(imported) == [
        (
            "security_group/many: ingress cannot be said (1001 ingress rules for IPv4, the quota (QUOTA_RULES) allows "
            "1000): the field is left out whole, who changes it is not noticed"
        )
    ]


def test_a_description_that_aws_took_and_a_document_cannot_have_is_left_out_alone() -> None:
    live = LiveVpc()
    rules = (rule("tcp", 443, "10.0.0.0/8", description="web | api"), rule("tcp", 80, "10.0.0.0/8", description="web"))
    live.group("web", *rules, description="a | b")
    imported = live()
    assert section(imported, "security_group/web") == {
        "ingress": [
            {"protocol": "tcp", "ports": 80, "source": "10.0.0.0/8", "description": "web"},
            {"protocol": "tcp", "ports": 443, "source": "10.0.0.0/8"},
        ],
        "egress": [{"protocol": "all", "destination": "0.0.0.0/0"}],
    }
    assert held(imported) == [
        "security_group/web: description 'a | b' cannot be said: the field is left out, who changes it is not noticed",
        (
            "security_group/web: ingress tcp 443 10.0.0.0/8: AWS refuses the description 'web | api': the description "
            "is left out, who changes it is not noticed"
        ),
    ]


def test_a_version_that_cannot_be_said_is_left_out_alone() -> None:
    live = shop()
    live.lists["DescribeDBInstances"][0]["EngineVersion"] = "9.x"
    imported = live()
    assert "engine_version" not in section(imported, "db_instance/orders")
    assert held(imported) == [
        (
            "db_instance/orders: engine_version '9.x' cannot be said: the field is left out, who changes it is not "
            "noticed"
        )
    ]


def test_a_database_of_another_engine_is_declared_without_what_only_postgresql_has() -> None:
    live = shop()
    live.lists["DescribeDBInstances"][0] |= {"Engine": "mysql", "EngineVersion": "8.0.35", "MasterUsername": "admin"}
    imported = live()
    written = section(imported, "db_instance/orders")
    assert not {"engine", "master_username"} & written.keys()
    assert (written["engine_version"], written["deletion_protection"]) == ("8.0.35", True)
    assert [note.about for note in imported.not_held] == ["engine", "master_username"]


def test_a_public_database_that_the_document_could_not_reach_is_declared_without_it() -> None:
    live = shop()
    live.vpc["enableDnsHostnames"] = False
    live.lists["DescribeDBInstances"][0]["PubliclyAccessible"] = True
    imported = live()
    assert "publicly_accessible" not in section(imported, "db_instance/orders")
    assert len(held(imported)) == 1


def test_what_aws_is_still_creating_is_declared_and_told() -> None:
    live = shop()
    live.lists["DescribeSubnets"][0]["State"] = "pending"
    database = live.lists["DescribeDBInstances"][0]
    database["DBInstanceStatus"] = "creating"
    del database["Endpoint"]
    imported = live()
    assert "port" not in section(imported, "db_instance/orders")
    assert person(imported) == [
        (
            "db_instance/orders: its password is not kept by RDS; RDS is still creating it: import again afterwards, "
            "with --into"
        )
    ]


def test_a_route_target_that_cannot_be_said_leaves_out_all_routes_of_its_table() -> None:
    live = LiveVpc()
    live.table()["Routes"].append(live.route("10.9.0.0/16", "satgw-0123456789abcdef0"))
    imported = live()
    assert section(imported, "route_table/unused-isolated").keys() == {"subnets"}
    assert len(held(imported)) == 1


def test_a_subnet_that_cannot_be_said_is_left_out_and_referred_to_by_its_id() -> None:
    live = LiveVpc()
    table = live.table()
    subnet = live.subnet("10.0.0.0/24", "_bos", name="edge", table=table)
    live.subnet("10.0.1.0/24", "a", table=table)
    imported = live()
    assert [at for at in imported.added if at.kind == "subnet"] == ["subnet/isolated-a"]
    assert section(imported, "route_table/isolated")["subnets"] == [subnet, "subnet/isolated-a"]
    (told,) = held(imported)
    assert told.startswith(f"subnet {subnet} ('edge'): it is left out and stays unmanaged: availability_zone: ")


def test_a_subnet_without_an_ipv4_network_is_left_out_and_told() -> None:
    live = LiveVpc()
    live.subnet("10.0.0.0/24")
    del live.lists["DescribeSubnets"][0]["CidrBlock"]
    imported = live()
    assert not [at for at in imported.added if at.kind == "subnet"]
    assert held(imported)[0].endswith("it has no IPv4 network, by which a document knows a subnet")


def test_a_subnet_group_in_one_zone_is_external_to_its_instance() -> None:
    live = LiveVpc()
    group = live.subnet_group("one", live.subnet("10.0.0.0/24", "a"))
    live.database("orders", group, live.group("db"))
    imported = live()
    assert [at for at in imported.added if at.kind == "db_subnet_group"] == []
    assert section(imported, "db_instance/orders")["db_subnet_group"] == "db_subnet_group/one"
    assert json.loads(imported.data)["external"] == {"db_subnet_group/one": {"id": "one"}}


def test_a_vpc_whose_own_network_cannot_be_said_stays_unclaimed() -> None:
    live = LiveVpc(block="10.0.0.0/15")
    live.gateway()
    imported = live()
    assert "vpc" not in json.loads(imported.data)["resources"]
    assert imported.document.scope.vpc_id == VPC
    assert section(imported, "internet_gateway/internet") == {}
    assert held(imported)[0].startswith(f"VPC {VPC} ('shop'): it is left out and stays unmanaged: cidr_block: ")


def test_a_name_that_a_document_cannot_have_leaves_out_what_aws_knows_by_it() -> None:
    live = LiveVpc()
    group = live.group(" led by a space")
    live.group("web", rule("tcp", 443, group))
    imported = live()
    assert section(imported, "security_group/web")["ingress"] == [{"protocol": "tcp", "ports": 443, "source": group}]
    (told,) = held(imported)
    assert told.startswith(f"security group {group} (' led by a space'): it is left out and stays unmanaged: ")


def test_more_refusals_than_a_load_has_room_for_are_all_taken_out() -> None:
    live = LiveVpc()
    for number in range(60):
        live.group(f"g{number}", *(rule("tcp", port, "10.0.0.0/8", description="a | b") for port in range(1, 11)))
    imported = live()
    assert len([note for note in imported.not_held if note.sort is Sort.DESCRIPTION]) == 600


def test_a_document_over_the_limit_is_refused_with_the_way_out() -> None:
    live = LiveVpc()
    for number in range(400):
        live.group(f"group-{number}", *(rule("tcp", port, "10.0.0.0/8", description="x" * 80) for port in range(1, 21)))
    with pytest.raises(ImportRefused, match=rf"bytes, of at most {MAX_BYTES:,}: use --only"):
        live()


# Whose things are.


def test_things_of_another_account_are_referred_to_by_id() -> None:
    live = LiveVpc()
    theirs = live.group("web", owner=OTHER_ACCOUNT)
    live.group("web", rule("tcp", 443, theirs))
    live.lists["DescribeSecurityGroups"][-1]["IpPermissions"][0]["UserIdGroupPairs"][0]["UserId"] = OTHER_ACCOUNT
    subnet = live.subnet("10.0.0.0/24", owner=OTHER_ACCOUNT)
    table = live.table()
    table["Associations"].append({"SubnetId": subnet, "RouteTableAssociationId": live.id("rtbassoc")})
    imported = live()
    assert section(imported, "security_group/web")["ingress"] == [
        {"protocol": "tcp", "ports": 443, "source": f"{OTHER_ACCOUNT}/{theirs}"}
    ]
    assert section(imported, "route_table/isolated-a")["subnets"] == [subnet]
    assert not [at for at in imported.added if at.kind == "subnet"]


def test_the_vpc_of_another_account_is_not_claimed() -> None:
    live = LiveVpc(owner=OTHER_ACCOUNT)
    for operation in ("DescribeRouteTables", "DescribeNetworkAcls", "DescribeSecurityGroups"):
        for item in live.lists[operation]:
            item["OwnerId"] = OTHER_ACCOUNT
    live.group("web")
    imported = live()
    assert imported.added == ("security_group/web",)
    assert imported.tag_calls == 1


def test_a_vpc_of_a_document_is_refused_unless_another_name_is_given() -> None:
    live = shop()
    live.apply_tags(live("network"))
    live.group("extra")
    words = f"{VPC} belongs to the document 'network': give --into its file, or --name another to import only what is "
    for name, explicit in (("network", True), ("network", False), ("shop", False)):
        with pytest.raises(ImportRefused, match=words):
            live(name, explicit=explicit)


def test_under_another_name_only_what_is_not_the_other_s_is_declared() -> None:
    live = shop()
    live.apply_tags(live("network"))
    subnets = [one["SubnetId"] for one in live.lists["DescribeSubnets"]]
    web = next(one["GroupId"] for one in live.lists["DescribeSecurityGroups"] if one["GroupName"] == "web")
    live.group("extra", rule("tcp", 443, web))
    live.subnet_group("reports", *subnets[2:4])
    imported = live("reports")
    assert imported.added == ("db_subnet_group/reports", "security_group/extra")
    assert json.loads(imported.data)["external"] == {
        "security_group/web": {"document": "network"},
        "subnet/app-a": {"document": "network"},
        "subnet/app-c": {"document": "network"},
    }
    assert imported.tag_calls == 1
    assert held(imported) == [
        (
            "DB subnet group data: it is left out and stays unmanaged: orders of the document 'network' uses it, and "
            "no tag says whose it is"
        )
    ]


def test_the_tags_of_a_subnet_group_say_whose_it_is_where_another_document_is() -> None:
    live = shop()
    live.apply_tags(live("network"))
    live.group("extra")
    live.lists["tags of data"] = tag_list({"setpoint:document": "network", "setpoint:name": "data"})
    imported = live("reports")
    assert (imported.added, imported.not_held) == (("security_group/extra",), ())


def test_machines_of_another_document_are_no_workloads_of_this_one() -> None:
    live = shop()
    live.apply_tags(live("network"))
    subnet = live.lists["DescribeSubnets"][0]["SubnetId"]
    live.interface(subnet, live.lists["DescribeSecurityGroups"][1]["GroupId"], instance="i-1")
    live.interface(subnet, live.group("extra"), instance="i-2")
    assert live("reports").document.workloads.keys() == {"extra"}


def test_a_name_of_another_document_that_is_used_here_too_is_referred_to_under_another_one() -> None:
    live = LiveVpc()
    theirs = live.table(name="spare")
    live.tag("DescribeRouteTables", theirs["RouteTableId"], setpoint__document="network", setpoint__name="a")
    live.subnet("10.0.0.0/24", name="private")
    other = live.subnet("10.0.1.0/24", name="old")
    live.tag("DescribeSubnets", other, setpoint__document="network", setpoint__name="private")
    live.subnet_group("data", *(one["SubnetId"] for one in live.lists["DescribeSubnets"]))
    live.lists["DescribeSubnets"][1]["AvailabilityZone"] = f"{REGION}c"
    imported = live()
    assert "subnet/private" in imported.added
    assert json.loads(imported.data)["external"] == {"subnet/old": {"document": "network", "name": "private"}}


def test_a_group_that_a_controller_keeps_is_only_reported() -> None:
    live = LiveVpc()
    keepers = {
        "aws__cloudformation__stack-name": "CloudFormation",
        "kubernetes.io/cluster/shop": "Kubernetes",
        "elbv2.k8s.aws/cluster": "Kubernetes",
        "aws__eks__cluster-name": "EKS",
        "aws__elasticmapreduce__job-flow-id": "EMR",
        "services.k8s.aws/namespace": "ACK",
        "crossplane-kind": "Crossplane",
    }
    for number, key in enumerate(keepers):
        group = live.group(f"g{number}")
        live.tag("DescribeSecurityGroups", group, **{key: "x"})
    imported = live()
    for number in range(len(keepers)):
        assert section(imported, f"security_group/g{number}")["enforcement"] == "report"
    assert person(imported) == [
        f'security_group/g{number}: {keeper} keeps it too: "enforcement": "report"'
        for number, keeper in sorted(enumerate(keepers.values()), key=lambda one: (one[1], one[0]))
    ]
    assert imported.tag_calls == 4  # the VPC, and what AWS makes with it


# What a person is told.


def test_other_tools_that_compare_tags_are_named() -> None:
    live = shop()
    live.tag("DescribeSubnets", live.lists["DescribeSubnets"][0]["SubnetId"], aws__cloudformation__stack__name="net")
    for table in live.lists["DescribeRouteTables"][:2]:
        live.tag("DescribeRouteTables", table["RouteTableId"], **{"managed-by": "Terraform"})
    ours = "it shows the tags setpoint:document and setpoint:name as drift of its own, which may be ignored there"
    assert person(live())[-2:] == [
        f"CloudFormation: it seems to keep 1 of these too: {ours}",
        f"Terraform: it seems to keep 2 of these too: {ours}",
    ]


def test_pending_values_of_rds_win_and_are_told() -> None:
    live = shop()
    live.lists["DescribeDBInstances"][0]["PendingModifiedValues"] = {
        "BackupRetentionPeriod": 14,
        "MasterUserPassword": "****",
    }
    imported = live()
    assert section(imported, "db_instance/orders")["backup_retention_period"] == 14
    assert person(imported) == [
        (
            "db_instance/orders: backup_retention_period 14 is pending, the document holds it; its password is not "
            "kept by RDS"
        )
    ]
    assert "MasterUserPassword" not in imported.data.decode() + "\n".join(lines(imported))


def test_a_managed_password_is_declared_and_its_secret_is_nowhere() -> None:
    live = shop()
    arn = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:rds!db-4711-abcDEF"
    live.lists["DescribeDBInstances"][0]["MasterUserSecret"] = {"SecretArn": arn, "SecretStatus": "active"}
    imported = live()
    assert section(imported, "db_instance/orders")["manage_master_user_password"] is True
    told = imported.data.decode() + "\n".join(lines(imported)) + json.dumps(as_json(imported, "shop.json"))
    assert "secret" not in told
    assert person(imported) == []


def test_a_dead_route_is_written_and_told() -> None:
    live = LiveVpc()
    live.table(name="old")["Routes"].append(live.route("10.9.0.0/16", "eni-0123456789abcdef0", State="blackhole"))
    imported = live()
    assert section(imported, "route_table/old")["routes"] == {"10.9.0.0/16": "eni-0123456789abcdef0"}
    assert person(imported) == [
        "route_table/old: 10.9.0.0/16 via eni-0123456789abcdef0 leads nowhere: delete it and import again"
    ]


def test_the_routes_that_aws_makes_are_told_with_the_services_behind_them() -> None:
    live = LiveVpc()
    table = live.table(name="private")
    for number, service in enumerate(("s3", "dynamodb")):
        endpoint = f"vpce-{number:017x}"
        live.add(
            "DescribeVpcEndpoints", {"VpcEndpointId": endpoint, "ServiceName": f"com.amazonaws.{REGION}.{service}"}
        )
        table["Routes"].append(live.route(f"pl-{number:08x}", endpoint))
    table["Routes"].append(live.route("192.168.0.0/16", "vgw-0123456789abcdef0", Origin="EnableVgwRoutePropagation"))
    imported = live()
    assert section(imported, "route_table/private")["routes"] == {}
    assert held(imported) == [
        (
            "route_table/private: 1 propagated route (192.168.0.0/16 via vgw-0123456789abcdef0): AWS makes it; neither "
            "compared nor touched"
        ),
        "route_table/private: 2 endpoint routes (DynamoDB, S3): AWS makes them; neither compared nor touched",
    ]


def test_what_stands_beside_is_counted_and_what_cannot_be_looked_at_is_named() -> None:
    live = LiveVpc()
    live.vpc["Ipv6CidrBlockAssociationSet"] = [{"Ipv6CidrBlock": "2001:db8::/56"}]
    live.add("DescribeNatGateways", {"NatGatewayId": "nat-1", "State": "available"})
    live.add("DescribeNatGateways", {"NatGatewayId": "nat-2", "State": "deleted"})
    for vpc in (VPC, "vpc-0bbbbbbbbbbbbbbbb"):
        ends = {"RequesterVpcInfo": {"VpcId": vpc}, "AccepterVpcInfo": {"VpcId": "vpc-0cccccccccccccccc"}}
        live.add("DescribeVpcPeeringConnections", {"VpcPeeringConnectionId": "pcx-1", **ends})
    live.add("DescribeEgressOnlyInternetGateways", {"Attachments": [{"VpcId": VPC, "State": "attached"}]})
    live.add("DescribeFlowLogs", {"ResourceId": VPC})
    live.refused["DescribeVpnGateways"] = "UnauthorizedOperation"
    live.refused["DescribeVpcEndpoints"] = "RequestLimitExceeded"
    imported = live()
    assert imported.beside == (
        "1 NAT gateway",
        "1 peering",
        "1 egress-only internet gateway",
        "1 flow log",
        "DHCP options dopt-1",
        "1 IPv6 block",
    )
    assert imported.not_looked_at == (
        "endpoints: ec2:DescribeVpcEndpoints was throttled",
        "VPN gateways: ec2:DescribeVpnGateways was refused",
    )


def test_every_optional_read_may_fail_and_the_document_is_the_same() -> None:
    live = shop()
    first = live(intents=False)  # without its interfaces, nothing is known to be kept
    for operation in (
        "DescribeNetworkInterfaces",
        "DescribeNatGateways",
        "DescribeVpcEndpoints",
        "DescribeVpcPeeringConnections",
        "DescribeTransitGatewayVpcAttachments",
        "DescribeVpnGateways",
        "DescribeEgressOnlyInternetGateways",
        "DescribeFlowLogs",
    ):
        live.refused[operation] = "UnauthorizedOperation"
    again = live()
    assert again.data == first.data
    assert len(again.not_looked_at) == 8


def test_a_kind_that_cannot_be_read_is_left_out_with_all_that_depends_on_it_and_told() -> None:
    live = shop()
    live.refused["DescribeDBInstances"] = "AccessDenied"
    imported = live()
    assert not [at for at in imported.added if at.kind.startswith("db_")]
    assert len(imported.not_looked_at) == 2
    assert imported.not_looked_at[0].startswith("DB subnet groups: DescribeDBInstances: AccessDenied")
    live.refused = {"DescribeSecurityGroups": "UnauthorizedOperation"}
    imported = live()
    assert {at.kind for at in imported.added} == {
        "vpc",
        "subnet",
        "internet_gateway",
        "route_table",
        "network_acl",
        "db_subnet_group",
    }


@pytest.mark.parametrize("operation", ["DescribeVpcs", "DescribeVpcAttribute"])
def test_without_the_vpc_nothing_is_imported(operation: str) -> None:
    live = shop()
    live.refused[operation] = "UnauthorizedOperation"
    with pytest.raises(ObserveError, match="the VPC could not be read"):
        live()


def test_a_vpc_that_is_not_there_is_said_so() -> None:
    live = LiveVpc()
    live.lists["DescribeVpcs"] = []
    with pytest.raises(ObserveError, match=f"{VPC} does not exist in account 123456789012, {REGION}: check the id"):
        live()


def test_credentials_that_do_not_work_end_it() -> None:
    live = LiveVpc()
    live.refused["DescribeFlowLogs"] = "ExpiredToken"
    with pytest.raises(ObserveError, match="check the credentials"):
        live()


def test_members_of_clusters_and_what_is_being_deleted_are_left_out_and_told() -> None:
    live = shop()
    group = live.lists["DescribeDBSubnetGroups"][0]
    live.database("aurora-1", group, DBClusterIdentifier="aurora")
    live.database("gone", group, DBInstanceStatus="deleting")
    live.database("reports", group, ReadReplicaSourceDBInstanceIdentifier="orders")
    imported = live()
    assert [at for at in imported.added if at.kind == "db_instance"] == ["db_instance/orders"]
    assert held(imported) == [
        (
            "DB instance aurora-1: it is left out and stays unmanaged: it is a member of the cluster aurora, which "
            "decides its settings"
        ),
        "DB instance gone: it is left out and stays unmanaged: RDS is deleting it",
        (
            "DB instance reports: it is left out and stays unmanaged: it is a read replica of orders, which a document "
            "cannot say"
        ),
    ]


def test_settings_of_a_database_that_no_field_holds_are_told() -> None:
    live = shop()
    live.lists["DescribeDBInstances"][0] |= {
        "AssociatedRoles": [{"RoleArn": "arn:aws:iam::123456789012:role/import"}],
        "OptionGroupMemberships": [{"OptionGroupName": "default:postgres-16"}, {"OptionGroupName": "tuned"}],
    }
    assert held(live()) == [
        (
            "db_instance/orders: its roles, option group tuned: a document has no field for it, who changes it is not "
            "noticed"
        )
    ]


def test_what_is_switched_on_at_a_database_is_declared_and_what_is_off_is_left_out() -> None:
    role, key = "arn:aws:iam::123456789012:role/rds-monitoring-role", "arn:aws:kms:eu-central-1:123456789012:key/1-a"
    live = shop()
    database = live.lists["DescribeDBInstances"][0]
    plain = live()
    assert not set(section(plain, "db_instance/orders")) & {"iops", "monitoring_interval", "monitoring_role", "kms_key"}
    database |= {
        "Iops": 3000,
        "StorageThroughput": 125,
        "MonitoringInterval": 60,
        "MonitoringRoleArn": role,
        "EnabledCloudwatchLogsExports": ["upgrade", "postgresql"],
        "PerformanceInsightsEnabled": True,
        "PerformanceInsightsRetentionPeriod": 7,
        "IAMDatabaseAuthenticationEnabled": True,
        "CACertificateIdentifier": "rds-ca-rsa4096-g1",
        "KmsKeyId": key,
        "DBParameterGroups": [{"DBParameterGroupName": "tuned", "ParameterApplyStatus": "in-sync"}],
        "NetworkType": "DUAL",
        "DatabaseInsightsMode": "standard",
        "DedicatedLogVolume": False,
        "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
    }
    imported = live()
    written = section(imported, "db_instance/orders")
    assert {name: value for name, value in written.items() if name not in section(plain, "db_instance/orders")} == {
        "monitoring_interval": 60,
        "monitoring_role": role,
        "enabled_cloudwatch_logs_exports": ["postgresql", "upgrade"],
        "performance_insights_enabled": True,
        "performance_insights_retention_period": 7,
        "iam_database_authentication": True,
        "ca_certificate_identifier": "rds-ca-rsa4096-g1",
        "kms_key": key,
        "db_parameter_group": "tuned",
        "network_type": "DUAL",
        "engine_lifecycle_support": "open-source-rds-extended-support-disabled",
    }
    assert held(imported) == []


# The report.


def test_the_report_says_it_all_in_a_fixed_form() -> None:
    live = shop()
    live.lists["DescribeDBInstances"][0] |= {"EngineVersion": "9.x"}
    live.lists["DescribeDBInstances"][0]["PendingModifiedValues"] = {"BackupRetentionPeriod": 14}
    live.add("DescribeNatGateways", {"NatGatewayId": "nat-1", "State": "available"})
    live.refused["DescribeFlowLogs"] = "UnauthorizedOperation"
    tables = dict(live().document.adopt.items())
    assert lines(live()) == [
        f'Account 123456789012, {REGION}: {VPC} "shop" -> shop.json, 20 resources, 18 reads',
        (
            "  takes over    1 VPC, 1 internet gateway, 6 subnets, 5 route tables, 4 security groups, 1 network ACL, "
            "1 DB subnet group, 1 DB instance"
        ),
        (
            "  by            what AWS keeps unique 16, Name tag 1, adopt 3 (no Name tag: route_table/isolated is "
            f"{tables[Address('route_table/isolated')]}; its Name tag does not say which one it is: "
            f"route_table/private-a is {tables[Address('route_table/private-a')]}, "
            f"route_table/private-c is {tables[Address('route_table/private-c')]})"
        ),
        (
            "  proposes      intent 'the internet does not reach orders': internet -> db_instance/orders, blocked: "
            "kept today"
        ),
        "  asks AWS      19 tag calls (setpoint:document, setpoint:name), nothing else: proven",
        (
            "  not held      db_instance/orders: engine_version '9.x' cannot be said: the field is left out, who "
            "changes it is not noticed"
        ),
        "  seen beside   1 NAT gateway, DHCP options dopt-1: not managed; who changes them is not noticed",
        "  not looked at flow logs: ec2:DescribeFlowLogs was refused",
        (
            "  for a person  db_instance/orders: backup_retention_period 14 is pending, the document holds it; its "
            "password is not kept by RDS"
        ),
    ]


def test_notes_of_one_sort_are_summed_up_after_the_third() -> None:
    notes = [Note(Sort.DESCRIPTION, f"security_group/g{number}", "x") for number in range(5)]
    assert list(summed(notes)) == [
        "security_group/g0: x",
        "security_group/g1: x",
        "security_group/g2: x",
        "and 2 more like these",
    ]


def test_json_says_the_same_without_summing_up() -> None:
    live = shop()
    for number in range(5):
        live.group(f"g{number}", description="a | b")
    told = as_json(live(), "shop.json")
    assert told["takes_over"]["security_group"] == 9
    assert told["found_by"]["route_table/public"] == "name_tag"
    assert [one["where"] for one in told["not_held"]] == [f"security_group/g{number}" for number in range(5)]
    assert told["not_held"][0]["about"] == "field"
    json.dumps(told)


def test_names_from_aws_cannot_act_on_a_terminal() -> None:
    live = LiveVpc(name="\x1b[2Jshop")
    live.group("web", rule("tcp", 443, "10.0.0.0/8", description="\x1b[31mred\n  Next: rm -rf"))
    imported = live()
    told = "\n".join(lines(imported))
    assert "\x1b" not in told
    assert "\n  Next: rm" not in told
    assert b"\x1b" not in imported.data


def test_ten_reads_and_eight_optional_ones() -> None:
    live = shop()
    assert live().reads == live.reads == 18


# The proof.


def test_a_document_that_would_change_something_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    kind = REGISTRY["security_group"]
    wrong = replace(kind.imported, said=lambda seen: seen.spec.but(ingress=type(seen.spec.ingress)()))
    monkeypatch.setitem(REGISTRY, "security_group", replace(kind, imported=wrong))
    with pytest.raises(ImportRefused) as refused:
        shop()()
    assert str(refused.value).startswith(
        "this document would change: security_group/app: ingress: tcp 8080 from security_group/web; "
    )
    assert str(refused.value).endswith("; report this")


def test_an_empty_choice_is_refused() -> None:
    with pytest.raises(ImportRefused, match=f"there is nothing in {VPC} that a new document could declare"):
        LiveVpc()(only=frozenset({"db_instance"}))


# There and back.


@given(documents)
def test_what_is_observed_and_written_loads_as_it_was(document: Document) -> None:
    snapshot = seen(document)
    resources: dict[str, dict[str, Any]] = {}
    for at, one in snapshot.resources.items():
        spec = one.spec.but(tags=None)
        resources.setdefault(at.kind, {})[at.name] = as_section(spec)
    written = {"version": 1, "name": "shop", "revision": 1, "scope": document.scope.model_dump(exclude_none=True)}
    again = load(write({**written, "resources": resources}), "shop.json")
    for at, one in snapshot.resources.items():
        loaded = again.resources[at]
        for name in loaded.described():
            if name != "tags":
                assert getattr(loaded, name) == getattr(one.spec, name), (at, name)


# A ninth kind.


def test_a_ninth_kind_is_imported_by_its_own_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SECTIONS, nat_gateway.NatGateway.kind, nat_gateway.NatGateway)
    monkeypatch.setitem(REGISTRY, nat_gateway.KIND.name, nat_gateway.KIND)
    live = LiveVpc()
    subnet = live.subnet("10.0.0.0/24")
    nat = "nat-0123456789abcdef0"
    address = {"AllocationId": "eipalloc-0123456789abcdef0", "NetworkInterfaceId": "eni-0123456789abcdef0"}
    item = {"NatGatewayId": nat, "SubnetId": subnet, "VpcId": VPC, "State": "available", "ConnectivityType": "public"}
    live.add("DescribeNatGateways", item | {"NatGatewayAddresses": [address], "Tags": tag_list({"Name": "way-out"})})
    live.table(nat, name="private")
    imported = live()
    assert "nat_gateway/way-out" in imported.added
    assert section(imported, "route_table/private")["routes"] == {"0.0.0.0/0": "nat_gateway/way-out"}
    assert list(json.loads(imported.data)["resources"])[-1] == "nat_gateway"
    assert not [one for one in imported.beside if "NAT" in one]


def test_every_resource_counts_also_a_vpc_that_has_its_id_for_a_name() -> None:
    live = shop()
    live.lists["DescribeVpcs"][0]["Tags"] = []
    imported = live(VPC)
    assert Address.of("vpc", VPC) in imported.added
    assert len(imported.document.own) == len(imported.added)
    only_named = live("other", only=frozenset({"security_group"}))
    assert [at.kind for at in only_named.document.own] == ["security_group"] * 4
