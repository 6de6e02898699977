"""An account as boto3 would answer about it, made by hand: what the tests of the import are fed with, without AWS."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from random import Random
from typing import Any

from desired_state.document import Scope
from reconciler.aws.client import AwsError
from reconciler.importing.draft import Choices
from reconciler.importing.into import Addition, into
from reconciler.importing.new import Imported, Request, new_document
from reconciler.importing.reading import RememberedReads
from reconciler.model.read import Read

ACCOUNT, OTHER_ACCOUNT = "123456789012", "999999999999"
REGION = "eu-central-1"
VPC = "vpc-0aaaaaaaaaaaaaaaa"
MORNING = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": text} for key, text in tags.items()]


def rule(protocol: str, first: int | None, *peers: str, description: str = "") -> dict[str, Any]:
    """One permission of a group, with a description for all peers."""
    said = {"Description": description} if description else {}
    found: dict[str, Any] = {"IpProtocol": protocol, "IpRanges": [], "UserIdGroupPairs": []}
    if first is not None:
        found |= {"FromPort": first, "ToPort": first}
    for peer in peers:
        if peer.startswith("sg-"):
            found["UserIdGroupPairs"].append({"GroupId": peer, "UserId": ACCOUNT, **said})
        else:
            found["IpRanges"].append({"CidrIp": peer, **said})
    return found


class LiveVpc:
    """One VPC with its main table, default ACL and group, and whatever is added. `lists` are the answers by operation.

    It is read as an `Aws`: `refused` are operations that AWS refuses, `reads` counts, and there is no hurry.
    """

    patience = None

    def __init__(self, *, name: str = "shop", owner: str = ACCOUNT, block: str = "10.0.0.0/16") -> None:
        self.reads = 0
        self.refused: dict[str, str] = {}
        self.random: Random | None = None
        self._next = 0
        self.lists: dict[str, list[dict[str, Any]]] = {
            "DescribeVpcs": [
                {
                    "VpcId": VPC,
                    "CidrBlock": block,
                    "State": "available",
                    "OwnerId": owner,
                    "DhcpOptionsId": "dopt-1",
                    "CidrBlockAssociationSet": [{"CidrBlock": block, "CidrBlockState": {"State": "associated"}}],
                    "Tags": tag_list({"Name": name}) if name else [],
                }
            ]
        }
        self.main = self.table(main=True)
        self.default_acl = self.acl(is_default=True)
        self.default_group = self.group("default", description="default VPC security group")

    @property
    def vpc(self) -> dict[str, Any]:
        return self.lists["DescribeVpcs"][0]

    def add(self, operation: str, item: dict[str, Any]) -> dict[str, Any]:
        """Put an item into the answer of an operation."""
        self.lists.setdefault(operation, []).append(item)
        return item

    def id(self, prefix: str) -> str:
        self._next += 1
        return f"{prefix}-{self._next:017x}"

    def subnet(
        self, block: str, zone: str = "a", *, name: str = "", table: Any = None, acl: Any = None, owner: str = ACCOUNT
    ) -> str:
        """A subnet of the zone, on a table and an ACL, or on the main and the default one."""
        subnet = self.id("subnet")
        item = {
            "SubnetId": subnet,
            "VpcId": VPC,
            "CidrBlock": block,
            "AvailabilityZone": f"{REGION}{zone}",
            "MapPublicIpOnLaunch": False,
            "State": "available",
            "OwnerId": owner,
            "Tags": tag_list({"Name": name}) if name else [],
        }
        self.add("DescribeSubnets", item)
        if table:
            table["Associations"].append(
                {"SubnetId": subnet, "RouteTableAssociationId": self.id("rtbassoc"), "Main": False}
            )
        (acl or self.default_acl)["Associations"].append(
            {"SubnetId": subnet, "NetworkAclAssociationId": self.id("aclassoc")}
        )
        return subnet

    def gateway(self, **tags: str) -> str:
        gateway = self.id("igw")
        attached = [{"VpcId": VPC, "State": "available"}]
        item = {"InternetGatewayId": gateway, "Attachments": attached, "OwnerId": ACCOUNT, "Tags": tag_list(tags)}
        self.add("DescribeInternetGateways", item)
        return gateway

    def table(
        self, default: str = "", *, main: bool = False, name: str = "", owner: str = ACCOUNT, **tags: str
    ) -> dict[str, Any]:
        """A route table, with a default route to a target."""
        item: dict[str, Any] = {
            "RouteTableId": self.id("rtb"),
            "VpcId": VPC,
            "OwnerId": owner,
            "Associations": [{"Main": True, "RouteTableAssociationId": self.id("rtbassoc")}] if main else [],
            "Routes": [{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "Origin": "CreateRouteTable"}],
            "Tags": tag_list(({"Name": name} if name else {}) | tags),
        }
        if default:
            item["Routes"].append(self.route("0.0.0.0/0", default))
        return self.add("DescribeRouteTables", item)

    def route(self, destination: str, target: str, **more: Any) -> dict[str, Any]:
        kind = {"nat": "NatGatewayId", "eni": "NetworkInterfaceId", "pcx": "VpcPeeringConnectionId"}
        by_kind = kind.get(target.partition("-")[0], "GatewayId")
        where = "DestinationPrefixListId" if destination.startswith("pl-") else "DestinationCidrBlock"
        return {where: destination, by_kind: target, "Origin": "CreateRoute", "State": "active"} | more

    def acl(self, *, is_default: bool = False, name: str = "", **tags: str) -> dict[str, Any]:
        every = {"RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"}
        last = every | {"RuleNumber": 32767, "RuleAction": "deny"}
        item = {
            "NetworkAclId": self.id("acl"),
            "VpcId": VPC,
            "OwnerId": ACCOUNT,
            "IsDefault": is_default,
            "Entries": [{**entry, "Egress": egress} for entry in (every, last) for egress in (False, True)],
            "Associations": [],
            "Tags": tag_list(({"Name": name} if name else {}) | tags),
        }
        return self.add("DescribeNetworkAcls", item)

    def group(
        self, name: str, *rules: dict[str, Any], description: str = "Made by hand", owner: str = ACCOUNT, **tags: str
    ) -> str:
        """A group with these inbound rules, and everything allowed out."""
        group = self.id("sg")
        item = {
            "GroupId": group,
            "GroupName": name,
            "Description": description,
            "VpcId": VPC,
            "OwnerId": owner,
            "IpPermissions": list(rules),
            "IpPermissionsEgress": [rule("-1", None, "0.0.0.0/0")],
            "Tags": tag_list(tags),
        }
        self.add("DescribeSecurityGroups", item)
        return group

    def subnet_group(self, name: str, *subnets: str) -> dict[str, Any]:
        item = {
            "DBSubnetGroupName": name,
            "DBSubnetGroupDescription": f"Subnets of {name}",
            "VpcId": VPC,
            "Subnets": [{"SubnetIdentifier": one} for one in subnets],
        }
        return self.add("DescribeDBSubnetGroups", item)

    def database(self, name: str, group: dict[str, Any], *groups: str, **more: Any) -> dict[str, Any]:
        item = {
            "DBInstanceIdentifier": name,
            "DbiResourceId": "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            "DBInstanceStatus": "available",
            "Engine": "postgres",
            "EngineVersion": "16.4",
            "DBInstanceClass": "db.t3.micro",
            "StorageType": "gp3",
            "AllocatedStorage": 20,
            "StorageEncrypted": True,
            "MasterUsername": "app",
            "Endpoint": {"Port": 5432},
            "MultiAZ": False,
            "PubliclyAccessible": False,
            "DBSubnetGroup": group,
            "VpcSecurityGroups": [{"VpcSecurityGroupId": one, "Status": "active"} for one in groups],
            "BackupRetentionPeriod": 7,
            "PreferredBackupWindow": "17:00-17:30",
            "PreferredMaintenanceWindow": "sun:18:00-sun:18:30",
            "AutoMinorVersionUpgrade": True,
            "CopyTagsToSnapshot": True,
            "DeletionProtection": True,
            "TagList": [],
        }
        return self.add("DescribeDBInstances", item | more)

    def interface(self, subnet: str, *groups: str, description: str = "", instance: str = "", **more: Any) -> None:
        """A network interface; of an instance, or of what its description says."""
        item = {
            "NetworkInterfaceId": self.id("eni"),
            "VpcId": VPC,
            "SubnetId": subnet,
            "Status": "in-use",
            "Description": description,
            "Groups": [{"GroupId": one, "GroupName": self.named("DescribeSecurityGroups", one)} for one in groups],
            "Attachment": {"InstanceId": instance} if instance else {},
        }
        self.add("DescribeNetworkInterfaces", item | more)

    def named(self, operation: str, aws_id: str) -> str:
        (item,) = [one for one in self.lists[operation] if one["GroupId"] == aws_id]
        return str(item["GroupName"])

    def tag(self, operation: str, aws_id: str, **tags: str) -> None:
        """Tag an EC2 resource; `__` in a key stands for a colon."""
        for item in self.lists[operation]:
            if aws_id in item.values():
                item["Tags"] += tag_list({key.replace("__", ":"): text for key, text in tags.items()})

    # As an `Aws`.

    def read(self, read: Read) -> list[Any]:
        self.reads += 1
        if code := self.refused.get(read.operation):
            raise AwsError(read.operation, code, "you are not authorized to perform this operation")
        params = json.loads(read.params)
        if read.operation == "DescribeVpcAttribute":
            return [all(item.get(params["Attribute"], True) for item in self.lists["DescribeVpcs"])]
        if read.operation == "ListTagsForResource":
            return list(self.lists.get(f"tags of {params['ResourceName'].rpartition(':')[2]}", []))
        found = deepcopy(self.lists.get(read.operation, []))
        for one in params.get("Filters", []):
            if one["Name"].startswith("tag:"):
                found = [item for item in found if _has_tag(item, one["Name"][4:], one["Values"])]
        return self._shuffled(found) if self.random else found

    def _shuffled(self, value: Any) -> Any:
        """The same answer in another order, on every level."""
        assert self.random
        if isinstance(value, dict):
            return {key: self._shuffled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return self.random.sample([self._shuffled(one) for one in value], len(value))
        return value

    def __call__(self, name: str = "shop", *, explicit: bool = True, **choices: Any) -> Imported:
        """The import of it."""
        scope = Scope(account_id=ACCOUNT, region=REGION, vpc_id=VPC)
        request = Request(scope, name, lambda: MORNING, explicit, Choices(**choices))
        return new_document(request, RememberedReads(self))  # type: ignore[arg-type]

    def add_to(self, data: bytes, *accept: str, **choices: Any) -> Imported:
        """The import into a document."""
        from desired_state.fields import Address
        from desired_state.load import load

        addition = Addition(
            load(data, "shop.json"), data, lambda: MORNING, tuple(map(Address, accept)), Choices(**choices)
        )
        return into(addition, RememberedReads(self))  # type: ignore[arg-type]

    def apply_tags(self, imported: Imported) -> None:
        """What `apply` does with a document that asks for tags only."""
        from reconciler.importing.proof import only_tags, prove

        proof = prove(imported.document, RememberedReads(self), lambda: MORNING)  # type: ignore[arg-type]
        assert all(only_tags(one) for one in proof.plan.actions)
        for change in proof.changes:
            assert change.have
            tags = {one.key: one.want for one in change.of("tags")}
            for items in self.lists.values():
                for item in items:
                    if change.have.id in item.values() and "Tags" in item:
                        item["Tags"] += tag_list(tags)
                    elif item.get("DBInstanceIdentifier") == change.have.id:
                        item["TagList"] += tag_list(tags)


def _has_tag(item: dict[str, Any], key: str, values: list[str]) -> bool:
    return any(tag["Key"] == key and tag["Value"] in values for tag in item.get("Tags", ()))


Change = Callable[[LiveVpc], object]


def shop() -> LiveVpc:
    """A small network as people make it: public and private subnets in two zones, three groups, a database."""
    live = LiveVpc()
    gateway = live.gateway()
    public = live.table(gateway, name="public")
    private_a, private_c = (live.table("nat-0123456789abcdef0", name="private") for _ in "ac")
    isolated = live.table()
    live.subnet("10.0.0.0/24", "a", table=public)
    live.subnet("10.0.1.0/24", "c", table=public)
    live.subnet("10.0.10.0/24", "a", table=private_a, name="app")
    live.subnet("10.0.11.0/24", "c", table=private_c, name="app")
    data = [live.subnet(f"10.0.2{at}.0/24", zone, table=isolated) for at, zone in enumerate("ac")]
    web = live.group("web", rule("tcp", 443, "0.0.0.0/0", description="HTTPS"))
    app = live.group("app", rule("tcp", 8080, web))
    database = live.group("db", rule("tcp", 5432, app))
    live.database("orders", live.subnet_group("data", *data), database)
    return live
