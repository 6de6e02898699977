"""What happens to who is who: deeds of people and other tools after which a thing is hard to recognize.

Each attack is a function of a world and a `Random`; it changes the network, or the document, or both, and keeps the
maker's record right: `means` where AWS itself says who is who now (a name of RDS), `others` for what has become
somebody else's, `may_create` where a new thing is what the document asks for. It notes in `done` what it did. One that
finds nothing to do in this world does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from tests.support.existing import (
    ANYWHERE,
    DOCUMENT,
    DOCUMENT_TAG,
    NAME_TAG,
    OTHER_ACCOUNT,
    OTHER_DOCUMENT,
    TYPES,
    Existing,
    create_database,
    put_tags,
)

Attack = Callable[[Existing, Random], None]
_RDS = ("db_instance", "db_subnet_group")
_SEATED = ("route_table", "network_acl")


def _live(world: Existing, address: str) -> bool:
    return world.means[address] not in world.others


def _some(world: Existing, random: Random, *kinds: str) -> str | None:
    found = [each for kind in kinds for each in world.of(kind) if _live(world, each)]
    return random.choice(found) if found else None


def _arn(world: Existing, address: str) -> str:
    kind, _, name = address.partition("/")
    if kind == "db_instance":
        return str(world.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]["DBInstanceArn"])
    return str(world.rds.describe_db_subnet_groups(DBSubnetGroupName=name)["DBSubnetGroups"][0]["DBSubnetGroupArn"])


def tags(world: Existing, address: str) -> dict[str, str]:
    """The live tags of what an address means."""
    kind = address.partition("/")[0]
    if kind in _RDS:
        listed = world.rds.list_tags_for_resource(ResourceName=_arn(world, address))["TagList"]
    else:
        by_id = [{"Name": "resource-id", "Values": [world.means[address]]}]
        listed = world.ec2.describe_tags(Filters=by_id)["Tags"]
    return {tag["Key"]: tag["Value"] for tag in listed}


def _is_tagged(world: Existing, address: str) -> bool:
    """Whether what an address means carries its tags."""
    held = tags(world, address)
    return (held.get(DOCUMENT_TAG), held.get(NAME_TAG)) == (world.document["name"], address.partition("/")[2])


def _is_marked(world: Existing, address: str) -> bool:
    """Whether what an address means carries its tags, or its name."""
    return _is_tagged(world, address) or tags(world, address).get("Name") == address.partition("/")[2]


def _put(world: Existing, address: str, new: dict[str, str]) -> None:
    if address.partition("/")[0] in _RDS:
        listed = [{"Key": key, "Value": text} for key, text in new.items()]
        world.rds.add_tags_to_resource(ResourceName=_arn(world, address), Tags=listed)
    else:
        put_tags(world, world.means[address], new)


def _take(world: Existing, address: str, keys: tuple[str, ...]) -> None:
    if address.partition("/")[0] in _RDS:
        world.rds.remove_tags_from_resource(ResourceName=_arn(world, address), TagKeys=list(keys))
    else:
        world.ec2.delete_tags(Resources=[world.means[address]], Tags=[{"Key": key} for key in keys])


def strip(world: Existing, random: Random) -> None:
    """Somebody takes tags off: ours, the Name, or both; of one thing, or of all."""
    keys = random.choice(
        ((DOCUMENT_TAG, NAME_TAG), (DOCUMENT_TAG,), (NAME_TAG,), ("Name",), (DOCUMENT_TAG, NAME_TAG, "Name"))
    )
    # Of a thing that was copied, only the Name: else the copy would be the one that carries the tags.
    addresses = [each for each in world.means if _live(world, each) and (each not in world.copied or keys == ("Name",))]
    if random.random() < 0.7:
        addresses = random.sample(addresses, min(len(addresses), random.randint(1, 3)))
    for address in addresses:
        _take(world, address, keys)
    world.done.append(f"strip {keys} off {addresses}")


def copy(world: Existing, random: Random) -> None:
    """Our tags of one thing also stand on another of the kind: a declared one, a spare one, or one of another VPC."""
    address = _some(world, random, *TYPES)
    if address is None or not _is_tagged(world, address):
        return
    kind, _, name = address.partition("/")
    key, method = {
        "vpc": ("VpcId", "describe_vpcs"),
        "internet_gateway": ("InternetGatewayId", "describe_internet_gateways"),
        "subnet": ("SubnetId", "describe_subnets"),
        "route_table": ("RouteTableId", "describe_route_tables"),
        "security_group": ("GroupId", "describe_security_groups"),
        "network_acl": ("NetworkAclId", "describe_network_acls"),
    }[kind]
    answer = getattr(world.ec2, method)()
    rows = next(value for name, value in answer.items() if name != "ResponseMetadata")
    free = [row[key] for row in rows if row.get("OwnerId") != OTHER_ACCOUNT]
    candidates = [aws_id for aws_id in free if aws_id not in {*world.others, world.means[address]}]
    if candidates:
        target = random.choice(candidates)
        put_tags(world, target, {DOCUMENT_TAG: world.document["name"], NAME_TAG: name})
        world.copied.add(address)
        world.done.append(f"copy the tags of {address} onto {target}")


def exchange(world: Existing, random: Random) -> None:
    """The tags of two things are exchanged."""
    by_kind = [[each for each in world.of(kind) if _live(world, each)] for kind in TYPES]
    several = [addresses for addresses in by_kind if len(addresses) > 1]
    if not several:
        return
    one, two = random.sample(random.choice(several), 2)
    if one.startswith(_SEATED):
        both = _is_tagged(world, one) and _is_tagged(world, two)
        if _content(world, one, main=both) == _content(world, two, main=both):
            return  # nobody can tell this from an exchange of their subnets, or from another main table
    held = {each: tags(world, each) for each in (one, two)}
    keys = (DOCUMENT_TAG, NAME_TAG, *(("Name",) if random.random() < 0.5 else ()))
    for this, other in ((one, two), (two, one)):
        _take(world, this, keys)
        if new := {key: text for key, text in held[other].items() if key in keys}:
            _put(world, this, new)
    world.done.append(f"exchange {keys} of {one} and {two}")


def _content(world: Existing, address: str, *, main: bool) -> dict[str, Any]:
    """What a table or ACL is declared to be, apart from its subnets, and with or without its being the main table."""
    resource = {"main": False, "is_default": False, **world.resource(address)}
    fields = ("is_default", "routes", "ingress", "egress", *(("main",) if main else ()))
    return {field: resource.get(field) for field in fields}


def claim(world: Existing, random: Random) -> None:
    """Another document's tags come onto a thing: it is that document's from now on.

    Not onto a VPC that is known by its tags only: beside another document's VPC we may make our own.
    """
    kinds = [kind for kind in TYPES if kind != "vpc" or "vpc_id" in world.document["scope"]]
    address = _some(world, random, *kinds)
    if address is not None and address not in world.copied:  # else the copy would be the one that carries its tags
        _put(world, address, {DOCUMENT_TAG: OTHER_DOCUMENT, NAME_TAG: address.partition("/")[2]})
        world.others.add(world.means[address])
        world.done.append(f"{address} gets the tags of another document")


def hand_over(world: Existing, random: Random) -> None:
    """A subnet, what subnets use, or a group turns out to be another account's; of a group we then make our own."""
    address = _some(world, random, "subnet", "security_group", *_SEATED)
    if address == "security_group/default" or (address and address.startswith(_SEATED) and not _seats(world, address)):
        return
    if address is not None:
        world.lab.give(world.means[address], OTHER_ACCOUNT)
        world.others.add(world.means[address])
        if address.startswith("security_group/"):
            world.may_create.add(address)
            del world.means[address]
        world.done.append(f"{address} is another account's")


def _seats(world: Existing, address: str) -> list[str]:
    return list(world.resource(address).get("subnets", ()))


def rename(world: Existing, random: Random) -> None:
    """The document calls an address something else, with `formerly` or without."""
    address = _some(world, random, *TYPES)
    if address is None or address == "security_group/default":
        return
    kind, _, name = address.partition("/")
    new = f"{kind}/{random.choice(('renamed', 'new name', 'z'))}-{len(world.done)}"
    resource = world.document["resources"][kind].pop(name)
    kept = random.random() < 0.5
    if kept:
        resource["formerly"] = [*resource.get("formerly", []), name]
    elif "formerly" in resource and kind == "security_group" and random.random() < 0.5:
        del resource["formerly"]
    world.document["resources"][kind][new.partition("/")[2]] = resource
    world.document = _replaced(world.document, address, new)
    world.means[new] = world.means.pop(address)
    world.may_create.discard(address)
    if not kept:
        world.may_create.add(new)  # of a group always: AWS never renames it
    world.done.append(f"{address} is called {new}, {'with' if kept else 'without'} formerly")


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {_replaced(key, old, new): _replaced(inner, old, new) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(each, old, new) for each in value]
    return new if value == old else value


def move(world: Existing, random: Random) -> None:
    """A subnet is moved to another table, or another ACL; not if only its subnets tell which one it should use."""
    address = _some(world, random, "subnet")
    if address is None:
        return
    subnet, kind = world.means[address], random.choice(_SEATED)
    if any(address in _seats(world, one) and not _is_marked(world, one) for one in world.of(kind)):
        return
    in_vpc = [{"Name": "vpc-id", "Values": [world.vpc]}]
    if kind == "route_table":
        tables = [t for t in world.ec2.describe_route_tables(Filters=in_vpc)["RouteTables"] if _is_free(world, t)]
        target = random.choice([table["RouteTableId"] for table in tables])
        held = [each for t in tables for each in t["Associations"] if each.get("SubnetId") == subnet]
        if held:
            world.ec2.replace_route_table_association(
                AssociationId=held[0]["RouteTableAssociationId"], RouteTableId=target
            )
        elif not _is_seated(world, subnet):
            world.ec2.associate_route_table(RouteTableId=target, SubnetId=subnet)
    else:
        acls = [a for a in world.ec2.describe_network_acls(Filters=in_vpc)["NetworkAcls"] if _is_free(world, a)]
        held = [each for acl in acls for each in acl["Associations"] if each["SubnetId"] == subnet]
        if not held:
            return
        target = random.choice([acl["NetworkAclId"] for acl in acls])
        world.ec2.replace_network_acl_association(AssociationId=held[0]["NetworkAclAssociationId"], NetworkAclId=target)
    world.done.append(f"move {address} to {target}")


def _is_free(world: Existing, row: Any) -> bool:
    return str(row.get("OwnerId")) != OTHER_ACCOUNT


def _is_seated(world: Existing, subnet: str) -> bool:
    by_subnet = [{"Name": "association.subnet-id", "Values": [subnet]}]
    return bool(world.ec2.describe_route_tables(Filters=by_subnet)["RouteTables"])


def rename_database(world: Existing, random: Random) -> None:
    """The database is renamed away, and perhaps another one gets its name."""
    address = _some(world, random, "db_instance")
    if address is None:
        return
    name, resource = address.partition("/")[2], world.resource(address)
    old = f"{name}-old{len(world.done)}"
    (held,) = world.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    world.rds.modify_db_instance(DBInstanceIdentifier=name, NewDBInstanceIdentifier=old, ApplyImmediately=True)
    world.lab.settle()
    del world.means[address]
    said = f"rename {address} away"
    if random.random() < 0.7:
        groups = [each["VpcSecurityGroupId"] for each in held["VpcSecurityGroups"]]
        other = random.choice(({}, {"DBInstanceClass": "db.t3.large"}, {"BackupRetentionPeriod": 3}))
        tagged = [{"Key": DOCUMENT_TAG, "Value": world.document["name"]}, {"Key": NAME_TAG, "Value": name}]
        more = {"Tags": tagged} if random.random() < 0.4 else {}
        world.means[address] = create_database(world, name, resource, groups, **other, **more)
        said += f", and put another in its place with {other} {more}"
    world.done.append(said)


def restore(world: Existing, random: Random) -> None:
    """A copy of the database is restored beside it; it carries the tags of the original."""
    address = _some(world, random, "db_instance")
    if address is None:
        return
    name, new = address.partition("/")[2], f"restore-{len(world.done)}"
    group = {"DBSubnetGroupName": world.resource(address)["db_subnet_group"].partition("/")[2]}
    if random.random() < 0.5:
        snapshot = f"snapshot-{len(world.done)}"
        world.rds.create_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=snapshot)
        world.rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier=new, DBSnapshotIdentifier=snapshot, **group)
    else:
        world.rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier=name, TargetDBInstanceIdentifier=new, UseLatestRestorableTime=True, **group
        )
    world.lab.settle()
    world.done.append(f"restore {address} as {new}")


def rename_document(world: Existing, random: Random) -> None:
    """The document gets another name, with `formerly` or without; then what the former name has is not its own."""
    former = world.document["name"]
    world.document["name"] = f"{DOCUMENT}-{len(world.done)}"
    kept = random.random() < 0.6
    if kept:
        world.document["formerly"] = [*world.document.get("formerly", []), former]
    else:
        tagged = {address for address in world.means if tags(world, address).get(DOCUMENT_TAG) == former}
        world.others.update(world.means[address] for address in tagged)
    world.done.append(f"the document is called {world.document['name']}, {'with' if kept else 'without'} formerly")


def adopt(world: Existing, random: Random) -> None:
    """A person writes down which one it is."""
    address = _some(world, random, *TYPES, "db_instance")
    if address is not None:
        world.document.setdefault("adopt", {})[address] = world.means[address]
        world.done.append(f"adopt {address}")


def drift(world: Existing, random: Random) -> None:
    """A rule, a route, an entry or a setting changes."""
    address = _some(world, random, "security_group", "route_table", "network_acl", "subnet", "db_instance")
    if address is None:
        return
    kind, aws_id, port = address.partition("/")[0], world.means[address], 2000 + len(world.done)
    if kind == "security_group":
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": ANYWHERE}]}
        world.ec2.authorize_security_group_ingress(GroupId=aws_id, IpPermissions=[rule])
    elif kind == "route_table":
        (table,) = world.ec2.describe_route_tables(RouteTableIds=[aws_id])["RouteTables"]
        static = [each["DestinationCidrBlock"] for each in table["Routes"] if _is_static(each)]
        if static:
            world.ec2.delete_route(RouteTableId=aws_id, DestinationCidrBlock=random.choice(static))
        else:
            vpn = world.ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
            world.ec2.create_route(RouteTableId=aws_id, DestinationCidrBlock="203.0.113.0/24", GatewayId=vpn)
    elif kind == "network_acl":
        world.ec2.create_network_acl_entry(
            NetworkAclId=aws_id,
            RuleNumber=port,
            Egress=False,
            Protocol="-1",
            RuleAction="deny",
            CidrBlock="192.0.2.0/24",
        )
    elif kind == "subnet":
        public = world.ec2.describe_subnets(SubnetIds=[aws_id])["Subnets"][0]["MapPublicIpOnLaunch"]
        world.ec2.modify_subnet_attribute(SubnetId=aws_id, MapPublicIpOnLaunch={"Value": not public})
    else:
        name = address.partition("/")[2]
        held = world.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]["DeletionProtection"]
        world.rds.modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=not held, ApplyImmediately=True)
        world.lab.settle()
    world.done.append(f"drift of {address}")


def _is_static(route: Any) -> bool:
    return str(route["Origin"]) == "CreateRoute" and "DestinationCidrBlock" in route


def relabel(world: Existing, random: Random) -> None:
    """A Name tag says what another thing of the kind is called."""
    address = _some(world, random, "route_table", "network_acl", "vpc")
    if address is None or not (_is_tagged(world, address) or _seats(world, address)):
        return  # the Name would be the only evidence
    other = random.choice(world.of(address.partition("/")[0]))
    put_tags(world, world.means[address], {"Name": other.partition("/")[2]})
    world.done.append(f"{address} gets the Name of {other}")


def twin(world: Existing, random: Random) -> None:
    """Somebody makes a table or an ACL that has what a declared one has, and no subnet; perhaps with its Name."""
    address = _some(world, random, *_SEATED)
    if address is None:
        return
    kind, _, name = address.partition("/")
    made = getattr(world.ec2, f"create_{kind}")(VpcId=world.vpc)
    if kind == "route_table":
        aws_id = made["RouteTable"]["RouteTableId"]
        for destination, target in world.resource(address).get("routes", {}).items():
            via = world.means.get(target, target)
            how = {"NatGatewayId": via} if via.startswith("nat-") else {"GatewayId": via}
            world.ec2.create_route(RouteTableId=aws_id, DestinationCidrBlock=destination, **how)
    else:
        aws_id = made["NetworkAcl"]["NetworkAclId"]
    # Where nothing else says which one it is, the Name would be the evidence.
    if random.random() < 0.4 and (_is_tagged(world, address) or _seats(world, address)):
        put_tags(world, aws_id, {"Name": name})
    world.spare.append(aws_id)
    world.done.append(f"make {aws_id} beside {address}")


ATTACKS: tuple[Attack, ...] = (
    strip,
    copy,
    exchange,
    claim,
    hand_over,
    rename,
    move,
    rename_database,
    rename_document,
    adopt,
    restore,
    drift,
    relabel,
    twin,
)
"""Every attack, the commonest not more often than the rarest."""

BEFORE_TAGS: tuple[Attack, ...] = tuple(each for each in ATTACKS if each is not move)
"""Those before our tags are on anything: a subnet that was moved by then is what tells its table."""
