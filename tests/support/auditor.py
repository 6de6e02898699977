"""An auditor of a run on an existing network: what it says is wrong, from AWS's raw answers alone.

It shares no code with the product. It knows the document as written, what its addresses mean by the maker's record
(`Existing.means`), three looks (before anything was done to the network, before the run, after it), the calls of the
run, and what the run's report mentions. `faults` says in one sentence each:

second         a thing was made although the document describes only what exists
lost           a subnet has lost a route that AWS made (gateway endpoint, propagated)
silent         what an address means differs from the document, and the report does not mention it
wrong          something was written to a thing that no address of the document means, or under another's name
trespass       a thing of another account or another document was written to, or has changed
deleted        a thing that existed is gone
more           taking over wrote more than our two tags
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from lab.strict_aws import Call
from tests.support.existing import (
    DOCUMENT_TAG,
    NAME_TAG,
    NUMBERS,
    Existing,
    ports_of,
)

_LOOKS = (
    ("vpc", "describe_vpcs", "Vpcs", "VpcId"),
    ("internet_gateway", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    ("subnet", "describe_subnets", "Subnets", "SubnetId"),
    ("route_table", "describe_route_tables", "RouteTables", "RouteTableId"),
    ("security_group", "describe_security_groups", "SecurityGroups", "GroupId"),
    ("network_acl", "describe_network_acls", "NetworkAcls", "NetworkAclId"),
)
_SUBJECTS = ("GroupId", "NetworkAclId", "RouteTableId", "SubnetId", "InternetGatewayId", "VpcId")


class Look(NamedTuple):
    """Everything of the account at one moment: kind -> id -> AWS's row. `attributes` are the VPC's DNS settings."""

    things: Mapping[str, Mapping[str, Any]]
    attributes: Mapping[str, bool]

    def of(self, kind: str, aws_id: str) -> Any | None:
        return self.things[kind].get(aws_id)

    def kind_of(self, aws_id: str) -> str:
        return next((kind for kind, rows in self.things.items() if aws_id in rows), "")


class Told(NamedTuple):
    """What a report mentions as not in order: (address, field), an empty field for the whole resource; `all_of_it`: it
    says that nothing could be done.
    """

    mentions: frozenset[tuple[str, str]]
    all_of_it: bool = False

    def of(self, address: str, field: str) -> bool:
        """Whether it mentions the field, or all of the resource; for the tags anything about the resource will do."""
        whole = self.all_of_it or any(one.startswith("vpc/") and not of for one, of in self.mentions)
        anything = field == "tags" and any(one == address for one, _ in self.mentions)
        return whole or anything or not self.mentions.isdisjoint({(address, field), (address, "")})


EVERYTHING = Told(frozenset(), all_of_it=True)
"""Nothing could be read, and the run said so."""


class Fault(NamedTuple):
    """One thing that is wrong: its class (the words above), and a sentence."""

    sort: str
    text: str


def look(world: Existing) -> Look:
    """The account as boto3 shows it."""
    things: dict[str, dict[str, Any]] = {}
    for kind, method, key, id_member in _LOOKS:
        things[kind] = {row[id_member]: row for row in getattr(world.ec2, method)()[key]}
    databases = world.rds.describe_db_instances()["DBInstances"]
    things["db_instance"] = {row["DbiResourceId"]: row for row in databases}
    groups = world.rds.describe_db_subnet_groups()["DBSubnetGroups"]
    things["db_subnet_group"] = {row["DBSubnetGroupName"]: row for row in groups}
    attributes = {}
    if world.vpc in things["vpc"]:
        for name, member in (
            ("enable_dns_support", "EnableDnsSupport"),
            ("enable_dns_hostnames", "EnableDnsHostnames"),
        ):
            attribute = member[0].lower() + member[1:]
            answer = world.ec2.describe_vpc_attribute(VpcId=world.vpc, Attribute=attribute)
            attributes[name] = answer[member]["Value"]
    return Look(things, attributes)


def faults(world: Existing, before: Look, at_run: Look, after: Look, calls: Iterable[Call], told: Told) -> list[Fault]:
    """What is wrong after a run; `before` is the look before anything was done to the network."""
    made = _made(world, at_run, after)
    remade = {address: aws_id for aws_id, address in made.items() if address}
    world = replace(world, means=world.means | remade)
    return [
        *_second(world, after, made),
        *_deleted(at_run, after),
        *_lost(before, at_run, after),
        *_silent(world, after, told),
        *_wrong(world, at_run, after, list(calls)),
        *_trespass(world, at_run, after, list(calls)),
    ]


def _made(world: Existing, at_run: Look, after: Look) -> dict[str, str]:
    """The ids that are new -> the address that a new thing of is no fault, or nothing."""
    found = {}
    for kind, rows in after.things.items():
        for aws_id in rows.keys() - at_run.things[kind].keys():
            name = tags_of(rows[aws_id]).get(NAME_TAG, rows[aws_id].get("GroupName", ""))
            address = f"{kind}/{name}"
            may = address in world.may_create or _is_unknowable(world, at_run, address)
            meant = address in world.means and not differences(world, at_run, address)
            found[aws_id] = address if may and not meant else ""
    return found


def _is_unknowable(world: Existing, at_run: Look, address: str) -> bool:
    """Whether nothing says any more that a table or an ACL is this address: no tags, no Name, no subnet, no content."""
    kind, _, name = address.partition("/")
    row = at_run.things[kind].get(world.means.get(address, "")) if kind in ("route_table", "network_acl") else None
    if row is None:
        return False
    resource, held = world.resource(address), tags_of(row)
    names = {name, *resource.get("formerly", ())}
    said = held.get("Name") in names or held.get(NAME_TAG) in names
    seated = _subnets_of(row) & {_id(world, subnet) for subnet in resource["subnets"]}
    content = {"main", "is_default", "routes", "ingress", "egress"}.intersection(differences(world, at_run, address))
    return not said and not seated and bool(content)


def _second(world: Existing, after: Look, made: Mapping[str, str]) -> Iterator[Fault]:
    for aws_id, allowed in made.items():
        if not allowed:
            yield Fault("second", f"{aws_id} ({after.kind_of(aws_id)}, {tags_of(_row(after, aws_id))}) was made")


def _deleted(at_run: Look, after: Look) -> Iterator[Fault]:
    for kind, rows in at_run.things.items():
        for aws_id in rows.keys() - after.things[kind].keys():
            yield Fault("deleted", f"{kind} {aws_id} ({tags_of(rows[aws_id])}) is gone")


def _row(look: Look, aws_id: str) -> Any:
    return look.things[look.kind_of(aws_id)][aws_id]


def tags_of(row: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in row.get("Tags") or row.get("TagList") or []}


# Routes that AWS makes.


def _lost(before: Look, at_run: Look, after: Look) -> Iterator[Fault]:
    for subnet in before.things["subnet"].keys() & at_run.things["subnet"].keys() & after.things["subnet"].keys():
        had = by_aws(before, subnet) & by_aws(at_run, subnet)
        for destination, via in sorted(had - by_aws(after, subnet)):
            yield Fault("lost", f"{subnet} had {destination} via {via}")


def by_aws(look: Look, subnet: str) -> set[tuple[str, str]]:
    table = table_of(look, subnet)
    return {(_destination(route), route["GatewayId"]) for route in table["Routes"] if _is_by_aws(route)}


def _is_by_aws(route: Any) -> bool:
    by_endpoint = "DestinationPrefixListId" in route and route.get("GatewayId", "").startswith("vpce-")
    return bool(by_endpoint or route["Origin"] == "EnableVgwRoutePropagation")


def _destination(route: Any) -> str:
    names = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
    return str(next(route[name] for name in names if name in route))


def table_of(look: Look, subnet: str) -> Any:
    """The table that a subnet uses: its own, or the main one of its VPC."""
    vpc = look.things["subnet"][subnet]["VpcId"]
    tables = [table for table in look.things["route_table"].values() if table["VpcId"] == vpc]
    own = [table for table in tables if subnet in _subnets_of(table)]
    return (own or [table for table in tables if _is_main(table)])[0]


def _subnets_of(row: Any) -> set[str]:
    return {each["SubnetId"] for each in row["Associations"] if "SubnetId" in each}


def _is_main(table: Any) -> bool:
    return any(each["Main"] for each in table["Associations"])


# What an address means, against the document.


def _silent(world: Existing, after: Look, told: Told) -> Iterator[Fault]:
    for address in world.means:
        for field in differences(world, after, address):
            if not told.of(address, field):
                yield Fault("silent", f"{address} ({world.means[address]}) differs in {field}")


def differences(world: Existing, look: Look, address: str) -> list[str]:
    """The declared fields in which what an address means differs from the document."""
    kind, _, name = address.partition("/")
    row = look.of(kind, world.means[address])
    if row is None:
        return ["existence"]
    resource, have = world.resource(address), _live(look, world, kind, row)
    wanted = {field: _wanted(world, kind, field, value) for field, value in resource.items() if field in have}
    found = [field for field, value in wanted.items() if have[field] != value]
    tags = tags_of(row)
    if kind == "db_subnet_group":
        return found  # its answer has no tags, so that nothing is found by them
    if (tags.get(DOCUMENT_TAG), tags.get(NAME_TAG)) != (world.document["name"], name):
        found.append("tags")
    return found


def _id(world: Existing, word: Any) -> str:
    return world.means.get(str(word)) or world.refers.get(str(word), str(word))


def _wanted(world: Existing, kind: str, field: str, value: Any) -> Any:
    if field == "routes":
        return {destination: _id(world, target) for destination, target in value.items()}
    if field in ("subnets", "vpc_security_groups"):
        return {_id(world, each) for each in value}
    if field in ("ingress", "egress") and kind == "security_group":
        return sorted(_written_rule(world, rule) for rule in value)
    if field in ("ingress", "egress"):
        return {int(number): (entry["action"], *_written_rule(world, entry)[:4]) for number, entry in value.items()}
    if field == "db_subnet_group":
        return value.partition("/")[2]
    if field == "secondary_cidr_blocks":
        return set(value)
    return value


def _written_rule(world: Existing, rule: dict[str, Any]) -> tuple[str, int, int, str, str]:
    peer = rule.get("source", rule.get("destination"))
    ports = ports_of(rule) if "ports" in rule else (-1, -1)
    return NUMBERS.get(rule["protocol"], str(rule["protocol"])), *ports, _id(world, peer), rule.get("description", "")


def _live(look: Look, world: Existing, kind: str, row: Any) -> dict[str, Any]:
    """A row of AWS in the words of the document, with ids."""
    if kind == "vpc":
        blocks = {each["CidrBlock"] for each in row["CidrBlockAssociationSet"] if _holds(each["CidrBlockState"])}
        own = {"cidr_block": row["CidrBlock"], "secondary_cidr_blocks": blocks - {row["CidrBlock"]}}
        return {**own, **look.attributes}
    if kind == "subnet":
        fields = {"cidr_block": "CidrBlock", "availability_zone": "AvailabilityZone"}
        fields["map_public_ip_on_launch"] = "MapPublicIpOnLaunch"
        return {field: row.get(member) for field, member in fields.items()}
    if kind == "route_table":
        routes = {_destination(each): _target(each) for each in row["Routes"] if _is_static(each)}
        return {"main": _is_main(row), "routes": routes, "subnets": _subnets_of(row)}
    if kind == "security_group":
        sides = {"ingress": "IpPermissions", "egress": "IpPermissionsEgress"}
        rules = {side: sorted(_live_rules(row[member])) for side, member in sides.items()}
        return {"description": row["Description"], **rules}
    if kind == "network_acl":
        own = {"is_default": row["IsDefault"], "subnets": _subnets_of(row)}
        ingress, egress = (dict(_live_entries(row["Entries"], egress=egress)) for egress in (False, True))
        return {**own, "ingress": ingress, "egress": egress}
    if kind == "db_subnet_group":
        return {
            "description": row["DBSubnetGroupDescription"],
            "subnets": {each["SubnetIdentifier"] for each in row["Subnets"]},
        }
    if kind == "db_instance":
        return {
            "db_instance_class": row["DBInstanceClass"],
            "allocated_storage": row["AllocatedStorage"],
            "publicly_accessible": row["PubliclyAccessible"],
            "backup_retention_period": row["BackupRetentionPeriod"],
            "deletion_protection": row["DeletionProtection"],
            "db_subnet_group": row["DBSubnetGroup"]["DBSubnetGroupName"],
            "vpc_security_groups": {each["VpcSecurityGroupId"] for each in row["VpcSecurityGroups"]},
        }
    return {}


def _holds(state: Any) -> bool:
    return state["State"] in ("associating", "associated")


def _is_static(route: Any) -> bool:
    return route["Origin"] == "CreateRoute" and not _is_by_aws(route)


def _target(route: Any) -> str:
    return str(route.get("GatewayId") or route.get("NatGatewayId"))


def _live_rules(permissions: list[Any]) -> Iterator[tuple[str, int, int, str, str]]:
    for each in permissions:
        protocol = NUMBERS.get(each["IpProtocol"], each["IpProtocol"])
        what = protocol, each.get("FromPort", -1), each.get("ToPort", -1)
        for member, word in (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6"), ("UserIdGroupPairs", "GroupId")):
            for peer in each[member]:
                yield (*what, peer[word], peer.get("Description", ""))


def _live_entries(entries: list[Any], *, egress: bool) -> Iterator[tuple[int, tuple[str, str, int, int, str]]]:
    for each in entries:
        if each["Egress"] == egress and each["RuleNumber"] < 32767:
            ports = each.get("PortRange", {"From": -1, "To": -1})
            peer = each.get("CidrBlock") or each["Ipv6CidrBlock"]
            yield each["RuleNumber"], (each["RuleAction"], each["Protocol"], ports["From"], ports["To"], peer)


# What was written.


def _wrong(world: Existing, at_run: Look, after: Look, calls: list[Call]) -> Iterator[Fault]:
    meant = set(world.means.values())
    meant |= {acl for acl, row in at_run.things["network_acl"].items() if row["IsDefault"]} & _targets(calls)
    known = {aws_id for rows in at_run.things.values() for aws_id in rows}
    names = {row["DBInstanceIdentifier"]: aws_id for aws_id, row in at_run.things["db_instance"].items()}
    for call in calls:
        if call.kind == "write":
            for subject in _subjects(call, names):
                if subject in known and subject not in meant and subject not in world.others:
                    yield Fault("wrong", f"{call.operation} on {subject}, which nothing in the document means")
            yield from _wrong_name(world, call, names, known)
    for subnet in at_run.things["subnet"].keys() & after.things["subnet"].keys():
        was, is_now = (table_of(each, subnet)["RouteTableId"] for each in (at_run, after))
        if was != is_now and is_now in known - meant and not _is_main(at_run.things["route_table"][is_now]):
            yield Fault("wrong", f"{subnet} was moved to {is_now}, which nothing in the document means")


def _targets(calls: Iterable[Call]) -> set[str]:
    """The ACLs that subnets were moved to; a subnet that no declared ACL has goes to the default one."""
    return {call.params["NetworkAclId"] for call in calls if call.operation == "ReplaceNetworkAclAssociation"}


def not_only_tags(calls: Iterable[Call]) -> Iterator[Fault]:
    """The writes of a take-over that put anything but our two tags."""
    for call in calls:
        keys = {tag["Key"] for tag in call.params.get("Tags") or []}
        tags = call.operation in ("CreateTags", "AddTagsToResource") and keys <= {DOCUMENT_TAG, NAME_TAG}
        if call.kind == "write" and not tags:
            yield Fault("more", f"{call.operation} {call.params}")


def _subjects(call: Call, names: Mapping[str, str]) -> Iterator[str]:
    for name in _SUBJECTS:
        if isinstance(call.params.get(name), str) and call.operation != "CreateSecurityGroup":
            yield call.params[name]
    yield from call.params.get("Resources") or []
    if call.service == "rds":
        named = call.params.get("DBInstanceIdentifier") or call.params.get("DBSubnetGroupName")
        named = named or call.params.get("ResourceName", "").rpartition(":")[2]
        yield names.get(named, named)


def _wrong_name(world: Existing, call: Call, names: Mapping[str, str], known: set[str]) -> Iterator[Fault]:
    """Our tags on a thing that is not what they say."""
    tags = {tag["Key"]: tag.get("Value", "") for tag in call.params.get("Tags") or []}
    if call.operation not in ("CreateTags", "AddTagsToResource") or NAME_TAG not in tags:
        return
    for subject in _subjects(call, names):
        addresses = {address for address, aws_id in world.means.items() if aws_id == subject}
        if subject in known and not any(address.partition("/")[2] == tags[NAME_TAG] for address in addresses):
            yield Fault("wrong", f"{subject} was tagged {tags[NAME_TAG]!r}, and is {sorted(addresses)}")


def _trespass(world: Existing, at_run: Look, after: Look, calls: list[Call]) -> Iterator[Fault]:
    names = {row["DBInstanceIdentifier"]: aws_id for aws_id, row in at_run.things["db_instance"].items()}
    for call in calls:
        if call.kind == "write":
            for subject in world.others.intersection(_subjects(call, names)):
                yield Fault("trespass", f"{call.operation} on {subject}, which is somebody else's")
    for aws_id in sorted(world.others):
        kind = at_run.kind_of(aws_id)
        if kind and _own_state(at_run, kind, aws_id) != _own_state(after, kind, aws_id):
            yield Fault("trespass", f"{aws_id} is somebody else's, and has changed")


def _own_state(look: Look, kind: str, aws_id: str) -> Any:
    """A row without the subnets that use it, which may be ours; of a subnet also what it uses."""
    row = look.of(kind, aws_id)
    if row is None or kind != "subnet":
        passing = ("Associations", "LatestRestorableTime")
        return row and {member: value for member, value in row.items() if member not in passing}
    acls = [acl for acl, held in look.things["network_acl"].items() if aws_id in _subnets_of(held)]
    return row, table_of(look, aws_id)["RouteTableId"], acls
