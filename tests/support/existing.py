"""Networks as people make them by hand or with other tools, drawn from a seed, with a truthful document of each.

`Worlds` builds them in one laboratory with plain boto3 calls and keeps the last ones, so that a world costs its making
once. What is made is decided first, in the words of the document, and made from that: neither the document nor the
record of what its addresses mean is read from the product or from AWS's answers.

A truthful document says of everything it declares exactly what is live, without `adopt`. It leaves out what a careful
person might leave out (the main table, the default ACL, the group `default`, a spare table), and what is not ours: the
things of another account, of another document, of another VPC.
"""

from __future__ import annotations

from collections import OrderedDict
from copy import deepcopy
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from moto.moto_api._internal import mock_random

from lab.strict_aws import StrictAws
from lab.world import World as Saved

ACCOUNT, OTHER_ACCOUNT = "123456789012", "999999999999"
REGION = "ap-northeast-2"
DOCUMENT, OTHER_DOCUMENT = "shop", "network"
DOCUMENT_TAG, NAME_TAG = "setpoint:document", "setpoint:name"
ANYWHERE = "0.0.0.0/0"
ZONES = tuple(f"{REGION}{letter}" for letter in "abcd")
NUMBERS = {"all": "-1", "tcp": "6", "udp": "17"}
TYPES = {
    "vpc": "vpc",
    "internet_gateway": "internet-gateway",
    "subnet": "subnet",
    "route_table": "route-table",
    "security_group": "security-group",
    "network_acl": "network-acl",
}
"""The EC2 kinds, by their resource type."""
_LABELS = {
    "vpc": ("main", "production", "Prod VPC", "vpc"),
    "internet_gateway": ("internet", "igw", "main igw"),
    "subnet": ("public-a", "public-c", "private-a", "private-c", "data-a", "data-c", "private"),
    "route_table": ("public", "private", "legacy", "main", "private-a", "rt 2", "default"),
    "network_acl": ("front", "back", "default", "strict acl", "front"),
}
_ODD = ("Täble 1", "two  spaces", "ネットワーク", "private", "default", "-", "a/b:c", "#1 {old}", "  edge  ")
_GROUPS = ("web", "app", "db", "launch-wizard-3", "Bastion (old)", "EFS mount", "sg_lb", "default-2", "WEB-internal")
_TRAFFIC: tuple[dict[str, Any], ...] = (
    {"protocol": "tcp", "ports": 22},
    {"protocol": "tcp", "ports": 443},
    {"protocol": "tcp", "ports": "8000-8010"},
    {"protocol": "udp", "ports": 53},
    {"protocol": "tcp", "ports": 5432},
    {"protocol": 47},
    {"protocol": "all"},
)
_PEERS = (ANYWHERE, "10.0.0.0/8", "203.0.113.0/24", "198.51.100.7/32", "10.0.1.0/24")
_FOREIGN_TAGS = (
    {"aws:cloudformation:stack-name": "base", "aws:cloudformation:logical-id": "PrivateRouteTable"},
    {"kubernetes.io/cluster/shop": "owned"},
    {"team": "network", "cost-centre": "4711"},
)


@dataclass
class Existing:
    """One world in the laboratory, and what the maker knows of it.

    `means` maps every declared address to the id that never passes to another thing: of a DB instance the
    DbiResourceId, of a subnet group its name. `refers` maps the external addresses to their ids. `others` are the ids
    of things of another account or another document. `spare` are things of the VPC that nobody declares. `may_create`
    are addresses of which a new thing is no fault. Of the addresses in `copied` another thing carries the tags too.
    """

    lab: StrictAws
    ec2: Any
    rds: Any
    seed: int
    vpc: str = ""
    document: dict[str, Any] = field(default_factory=dict)
    means: dict[str, str] = field(default_factory=dict)
    refers: dict[str, str] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    spare: list[str] = field(default_factory=list)
    may_create: set[str] = field(default_factory=set)
    copied: set[str] = field(default_factory=set)
    done: list[str] = field(default_factory=list)

    def copy(self) -> Existing:
        """The same world with records of its own."""
        kept = {"document", "means", "others", "spare", "may_create", "copied", "done"}
        return replace(self, **{name: deepcopy(vars(self)[name]) for name in kept})

    def of(self, kind: str) -> list[str]:
        """The declared addresses of a kind that mean something."""
        return [address for address in self.means if address.startswith(f"{kind}/")]

    def resource(self, address: str) -> dict[str, Any]:
        kind, _, name = address.partition("/")
        found: dict[str, Any] = self.document["resources"][kind][name]
        return found


class Worlds:
    """A pool of worlds in one laboratory, each restored by its seed; the latest `size` are kept."""

    def __init__(self, lab: StrictAws, size: int = 40) -> None:
        self._lab, self._size = lab, size
        hands = lab.outsider("somebody")
        self._ec2, self._rds = hands.client("ec2"), hands.client("rds")
        self._ec2.describe_vpcs()  # at its first call moto makes a backend of another Region too, with ids of its own
        self._empty = lab.save()
        self._kept: OrderedDict[int, tuple[Existing, Saved]] = OrderedDict()
        lab.keep_past = False  # nothing here reads the past, and keeping it copies the world at every write

    @staticmethod
    def seed(number: int) -> None:
        """The ids that AWS gives out from now on depend on this number alone."""
        mock_random.seed(number)

    def world(self, seed: int) -> Existing:
        """The world of that seed, as it was built."""
        if seed not in self._kept:
            self._lab.restore(self._empty)
            self.seed(seed)
            built = _Builder(Existing(self._lab, self._ec2, self._rds, seed), Random(seed)).built()
            self._kept[seed] = built, self._lab.save()
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)
        built, saved = self._kept[seed]
        self._lab.restore(saved)
        self._lab.calls.clear()
        return built.copy()


class _Builder:
    """Makes one world. Every method makes one sort of thing, and writes it into the document."""

    def __init__(self, world: Existing, random: Random) -> None:
        self._world, self._random = world, random
        self._ec2, self._rds = world.ec2, world.rds
        self._named = {kind: random.choice((0.0, 0.6, 1.0)) for kind in _LABELS}
        self._labels: dict[str, set[str]] = {kind: set() for kind in _LABELS}
        self._parts: dict[str, dict[str, Any]] = {kind: {} for kind in (*TYPES, "db_subnet_group", "db_instance")}
        self._zone_of: dict[str, str] = {}
        self._targets: list[str] = []
        self._ids: dict[str, str] = {}
        self._external: dict[str, dict[str, str]] = {}
        self._referred = world.refers

    def built(self) -> Existing:
        self._vpcs()
        self._gateways()
        self._subnets()
        self._tables()
        self._aws_routes()
        self._acls()
        self._shared()
        self._groups()
        self._database()
        self._bystanders()
        self._settle()
        scope = {"account_id": ACCOUNT, "region": REGION}
        if "vpc" not in {address.partition("/")[0] for address in self._world.means} or self._chance(0.8):
            scope["vpc_id"] = self._world.vpc
        parts = {kind: section for kind, section in self._parts.items() if section}
        written = {"version": 1, "name": DOCUMENT, "revision": 1, "scope": scope, "external": self._external}
        self._world.document = {**written, "resources": parts}
        return self._world

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _label(self, kind: str) -> str | None:
        """A Name tag, or None: some people give none."""
        if not self._chance(self._named[kind]):
            return None
        return self._random.choice(_ODD if self._chance(0.12) else _LABELS[kind])

    def _tags(self, kind: str, label: str | None) -> list[dict[str, Any]]:
        tags = {"Name": label} if label is not None else {}
        if self._chance(0.1):
            tags |= _FOREIGN_TAGS[2]
        if not tags:
            return []
        listed = [{"Key": key, "Value": text} for key, text in tags.items()]
        return [{"ResourceType": TYPES[kind], "Tags": listed}]

    def _declare(self, kind: str, label: str | None, aws_id: str, resource: dict[str, Any]) -> str:
        """Enter a thing into the document, mostly under its Name; never under the Name of another thing."""
        section = self._parts[kind]
        plain = label is not None and label.isascii() and label == label.strip() and "  " not in label
        named = plain and label not in section and self._chance(0.8)
        name = str(label) if named else f"{kind[0]}-{len(section)}x"
        section[name] = resource
        address = f"{kind}/{name}"
        self._world.means[address] = self._ids[address] = aws_id
        return address

    def _vpcs(self) -> None:
        for first in (True, *(False for _ in range(self._random.choice((0, 0, 1))))):
            block = "10.0.0.0/16" if first or self._chance(0.5) else "10.50.0.0/16"
            label = self._label("vpc")
            params = {"TagSpecifications": tags} if (tags := self._tags("vpc", label)) else {}
            made = self._ec2.create_vpc(CidrBlock=block, **params)["Vpc"]["VpcId"]
            if not first:
                self._ec2.create_route_table(VpcId=made, **self._tagged("route_table", self._label("route_table")))
                self._ec2.create_security_group(GroupName="web", Description="Elsewhere", VpcId=made)
                continue
            self._world.vpc = made
            resource: dict[str, Any] = {"cidr_block": block}
            if self._chance(0.5):
                self._ec2.modify_vpc_attribute(VpcId=made, EnableDnsHostnames={"Value": True})
                resource |= {"enable_dns_support": True, "enable_dns_hostnames": True}
            self._second = self._chance(0.25)
            if self._second:
                self._ec2.associate_vpc_cidr_block(VpcId=made, CidrBlock="100.64.0.0/16")
                resource["secondary_cidr_blocks"] = ["100.64.0.0/16"]
            self._declare("vpc", label, made, resource)

    def _tagged(self, kind: str, label: str | None) -> dict[str, Any]:
        tags = self._tags(kind, label)
        return {"TagSpecifications": tags} if tags else {}

    def _gateways(self) -> None:
        vpc = self._world.vpc
        if self._chance(0.85):
            label = self._label("internet_gateway")
            made = self._ec2.create_internet_gateway(**self._tagged("internet_gateway", label))["InternetGateway"]
            self._ec2.attach_internet_gateway(InternetGatewayId=made["InternetGatewayId"], VpcId=vpc)
            self._internet = self._declare("internet_gateway", label, made["InternetGatewayId"], {})
        else:
            self._internet = ""
        self._vpn = ""
        if self._chance(0.35):
            self._vpn = self._ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
            self._ec2.attach_vpn_gateway(VpnGatewayId=self._vpn, VpcId=vpc)
            self._world.lab.learn(self._vpn, ["192.168.0.0/16", "172.20.0.0/16"][: self._random.randint(1, 2)])

    def _subnets(self) -> None:
        zones = self._random.sample(ZONES, 2)
        for number in range(self._random.randint(2, 6)):
            outside = self._second and number and self._chance(0.3)
            block = f"100.64.{number}.0/24" if outside else f"10.0.{number}.0/24"
            zone, label = zones[number % 2], self._label("subnet")
            where = {"VpcId": self._world.vpc, "CidrBlock": block, "AvailabilityZone": zone}
            made = self._ec2.create_subnet(**where, **self._tagged("subnet", label))["Subnet"]["SubnetId"]
            resource: dict[str, Any] = {"cidr_block": block, "availability_zone": zone}
            if self._chance(0.6):
                public = self._chance(0.4)
                if public:
                    self._ec2.modify_subnet_attribute(SubnetId=made, MapPublicIpOnLaunch={"Value": True})
                resource["map_public_ip_on_launch"] = public
            self._zone_of[self._declare("subnet", label, made, resource)] = zone
        if self._chance(0.5):
            first = next(iter(self._zone_of))
            nat = self._ec2.create_nat_gateway(SubnetId=self._ids[first], ConnectivityType="private")["NatGateway"]
            self._targets.append(nat["NatGatewayId"])

    def _routes(self) -> dict[str, str]:
        ways = [each for each in (self._internet, *self._targets, "") if each or self._chance(0.5)]
        routes = {ANYWHERE: way} if ways and (way := self._random.choice(ways)) else {}
        if self._vpn and self._chance(0.3):
            routes["10.99.0.0/16"] = self._vpn
        return routes

    def _add_routes(self, table: str, routes: dict[str, str]) -> None:
        for destination, target in routes.items():
            aws_id = self._ids.get(target, target)
            via = {"NatGatewayId": aws_id} if aws_id.startswith("nat-") else {"GatewayId": aws_id}
            self._ec2.create_route(RouteTableId=table, DestinationCidrBlock=destination, **via)

    def _tables(self) -> None:
        vpc, random = self._world.vpc, self._random
        subnets = list(self._zone_of)
        layout = random.choice(("main", "shared", "each", "mixed", "mixed"))
        groups: list[list[str]] = []
        if layout == "each":
            groups = [[subnet] for subnet in subnets][:5]
        elif layout != "main":
            used = subnets if layout == "shared" else [each for each in subnets if self._chance(0.75)]
            cut = random.randint(1, max(1, min(3, len(used))))
            groups = [used[start::cut] for start in range(cut)]
        groups += [[]] * random.choice((0, 0, 1, 1, 2))
        for members in groups:
            self._table([each for each in members if each], declared=bool(members) or self._chance(0.6))
        (main,) = self._ec2.describe_route_tables(
            Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]
        )["RouteTables"]
        self._table_ids = [self._ids[each] for each in self._ids if each.startswith("route_table/")]
        self._table_ids.append(main["RouteTableId"])
        label = self._label("route_table")
        if label is not None:
            self._ec2.create_tags(Resources=[main["RouteTableId"]], Tags=[{"Key": "Name", "Value": label}])
        routes = self._routes() if self._chance(0.5) else {}
        self._add_routes(main["RouteTableId"], routes)
        if self._chance(0.7):
            resource = {"main": True, "routes": routes, "subnets": []}
            self._declare("route_table", label, main["RouteTableId"], resource)

    def _table(self, subnets: list[str], *, declared: bool) -> None:
        label = self._label("route_table")
        made = self._ec2.create_route_table(VpcId=self._world.vpc, **self._tagged("route_table", label))["RouteTable"]
        aws_id, routes = made["RouteTableId"], self._routes()
        self._add_routes(aws_id, routes)
        for subnet in subnets:
            self._ec2.associate_route_table(RouteTableId=aws_id, SubnetId=self._ids[subnet])
        if declared:
            self._declare("route_table", label, aws_id, {"routes": routes, "subnets": subnets})
        else:
            self._world.spare.append(aws_id)

    def _aws_routes(self) -> None:
        """Routes that AWS makes: of gateway endpoints, and propagated ones."""
        for service, probability in (("s3", 0.5), ("dynamodb", 0.2)):
            if self._chance(probability):
                some = [each for each in self._table_ids if self._chance(0.6)]
                self._ec2.create_vpc_endpoint(
                    VpcId=self._world.vpc, ServiceName=f"com.amazonaws.{REGION}.{service}", RouteTableIds=some
                )
        if self._vpn:
            for table in self._table_ids:
                if self._chance(0.6):
                    self._ec2.enable_vgw_route_propagation(GatewayId=self._vpn, RouteTableId=table)

    def _entries(self, end: str) -> dict[str, Any]:
        numbers = self._random.sample(("90", "100", "110", "120", "200"), self._random.randint(0, 3))
        return {
            number: {
                "action": self._random.choice(("allow", "allow", "deny")),
                **self._random.choice(_TRAFFIC),
                end: self._random.choice(_PEERS),
            }
            for number in sorted(numbers, key=int)
        }

    def _add_entries(self, acl: str, entries: dict[str, Any], end: str) -> None:
        for number, entry in entries.items():
            self._ec2.create_network_acl_entry(
                NetworkAclId=acl,
                RuleNumber=int(number),
                Egress=end == "destination",
                Protocol=NUMBERS.get(entry["protocol"], str(entry["protocol"])),
                RuleAction=entry["action"],
                CidrBlock=entry[end],
                **({"PortRange": dict(zip(("From", "To"), ports_of(entry), strict=True))} if "ports" in entry else {}),
            )

    def _acls(self) -> None:
        vpc = self._world.vpc
        (default,) = self._ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkAcls"]
        association = {each["SubnetId"]: each["NetworkAclAssociationId"] for each in default["Associations"]}
        left = list(self._zone_of)
        for _ in range(self._random.randint(0, 3)):
            members = [each for each in left if self._chance(0.5)]
            left = [each for each in left if each not in members]
            label = self._label("network_acl")
            made = self._ec2.create_network_acl(VpcId=vpc, **self._tagged("network_acl", label))["NetworkAcl"]
            resource: dict[str, Any] = {"subnets": members}
            for side, end in (("ingress", "source"), ("egress", "destination")):
                resource[side] = self._entries(end)
                self._add_entries(made["NetworkAclId"], resource[side], end)
            for member in members:
                self._ec2.replace_network_acl_association(
                    AssociationId=association[self._ids[member]], NetworkAclId=made["NetworkAclId"]
                )
            if members or self._chance(0.6):
                self._declare("network_acl", label, made["NetworkAclId"], resource)
            else:
                self._world.spare.append(made["NetworkAclId"])
        if self._chance(0.6):
            open_to = {"action": "allow", "protocol": "all"}
            resource = {
                "is_default": True,
                "subnets": left,
                "ingress": {"100": {**open_to, "source": ANYWHERE}},
                "egress": {"100": {**open_to, "destination": ANYWHERE}},
            }
            self._declare("network_acl", None, default["NetworkAclId"], resource)

    def _shared(self) -> None:
        """Some subnets are another document's; or all of the network is another account's, which shares it."""
        world = self._world
        if self._chance(0.07):
            world.lab.give(world.vpc, OTHER_ACCOUNT)
            for address in world.of("subnet"):
                self._external[address] = {"id": world.means[address]}
            for kind in ("vpc", "internet_gateway", "route_table", "network_acl"):
                for address in world.of(kind):
                    world.others.add(world.means.pop(address))
                self._parts[kind].clear()
        elif self._chance(0.15):
            for address in [each for each in world.of("subnet") if self._chance(0.5)]:
                aws_id, name = world.means[address], address.partition("/")[2]
                theirs = name if self._chance(0.5) else f"{name} (net)"
                put_tags(world, aws_id, {DOCUMENT_TAG: OTHER_DOCUMENT, NAME_TAG: theirs})
                tagged = {"document": OTHER_DOCUMENT} | ({"name": theirs} if theirs != name else {})
                self._external[address] = tagged if self._chance(0.7) else {"id": aws_id}
        for address in self._external:
            del self._parts["subnet"][address.partition("/")[2]]
            world.others.add(world.means[address])
            self._referred[address] = world.means.pop(address)

    def _groups(self) -> None:
        vpc, random = self._world.vpc, self._random
        names = random.sample(_GROUPS, random.randint(2, 6))
        ids = {}
        for name in names:
            if self._chance(0.06):
                theirs = self._ec2.create_security_group(GroupName=name, Description="Theirs", VpcId=vpc)["GroupId"]
                self._world.lab.give(theirs, OTHER_ACCOUNT)
                self._world.others.add(theirs)
            tags = self._tagged("security_group", random.choice((None, None, name, "web")))
            made = self._ec2.create_security_group(GroupName=name, Description=f"For {name}", VpcId=vpc, **tags)
            ids[f"security_group/{name}"] = made["GroupId"]
        self._ids |= ids
        declared = [address for address in ids if self._chance(0.9)]
        for address, aws_id in ids.items():
            resource: dict[str, Any] = {}
            if self._chance(0.7):
                resource["description"] = f"For {address.partition('/')[2]}"
            resource["ingress"] = self._rules("source", declared)
            self._authorize(aws_id, resource["ingress"], "source")
            resource["egress"] = [{"protocol": "all", "destination": ANYWHERE}]
            if self._chance(0.3):
                every = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANYWHERE}]}]
                self._ec2.revoke_security_group_egress(GroupId=aws_id, IpPermissions=every)
                resource["egress"] = self._rules("destination", declared)
                self._authorize(aws_id, resource["egress"], "destination")
            if address in declared:
                self._parts["security_group"][address.partition("/")[2]] = resource
                self._world.means[address] = aws_id
            else:
                self._world.spare.append(aws_id)
        if self._world.of("vpc") and self._chance(0.6):
            (default,) = self._ec2.describe_security_groups(
                Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
            )["SecurityGroups"]
            itself = {"protocol": "all", "source": "security_group/default"}
            out = {"protocol": "all", "destination": ANYWHERE}
            self._parts["security_group"]["default"] = {"ingress": [itself], "egress": [out]}
            self._world.means["security_group/default"] = default["GroupId"]

    def _rules(self, end: str, groups: list[str]) -> list[dict[str, Any]]:
        rules: dict[str, dict[str, Any]] = {}
        for _ in range(self._random.randint(0, 3)):
            rule = {**self._random.choice(_TRAFFIC), end: self._random.choice((*_PEERS, *groups))}
            said = {"description": self._random.choice(("office", "ask Kim"))} if self._chance(0.4) else {}
            rules[repr(sorted(rule.items()))] = rule | said
        return list(rules.values())

    def _authorize(self, group: str, rules: list[dict[str, Any]], end: str) -> None:
        call = self._ec2.authorize_security_group_ingress if end == "source" else None
        call = call or self._ec2.authorize_security_group_egress
        if rules:
            call(GroupId=group, IpPermissions=[self._permission(rule, rule[end]) for rule in rules])

    def _permission(self, rule: dict[str, Any], peer: str) -> dict[str, Any]:
        permission: dict[str, Any] = {"IpProtocol": "-1" if rule["protocol"] == "all" else str(rule["protocol"])}
        if "ports" in rule:
            permission |= dict(zip(("FromPort", "ToPort"), ports_of(rule), strict=True))
        said = {"Description": rule["description"]} if "description" in rule else {}
        if peer in self._ids:
            permission["UserIdGroupPairs"] = [{"GroupId": self._ids[peer], **said}]
        else:
            permission["IpRanges"] = [{"CidrIp": peer, **said}]
        return permission

    def _database(self) -> None:
        if not self._chance(0.6):
            return
        members = [subnet for subnet in self._zone_of if self._chance(0.6)]
        members += [
            subnet
            for subnet, zone in self._zone_of.items()
            if zone not in {self._zone_of[each] for each in members} and subnet not in members
        ]
        said, name = "Subnets of the data", self._random.choice(("data", "rds-ec2-db-subnet-group-1"))
        spread = [self._ids[each] for each in members]
        self._rds.create_db_subnet_group(DBSubnetGroupName=name, DBSubnetGroupDescription=said, SubnetIds=spread)
        self._parts["db_subnet_group"][name] = {"description": said, "subnets": members}
        self._world.means[f"db_subnet_group/{name}"] = name
        groups = [each for each in self._world.means if each.startswith("security_group/")]
        chosen = self._random.sample(groups, min(len(groups), self._random.randint(1, 2)))
        if not chosen:
            return
        resource: dict[str, Any] = {
            "engine": "postgres",
            "engine_version": "16",
            "db_instance_class": "db.t3.micro",
            "storage_type": "gp3",
            "allocated_storage": 20,
            "master_username": "postgres",
            "publicly_accessible": False,
            "backup_retention_period": self._random.choice((1, 7)),
            "deletion_protection": self._chance(0.5),
            "db_subnet_group": f"db_subnet_group/{name}",
            "vpc_security_groups": chosen,
        }
        made = create_database(self._world, "app", resource, [self._world.means[each] for each in chosen])
        self._parts["db_instance"]["app"] = resource
        self._world.means["db_instance/app"] = made

    def _bystanders(self) -> None:
        """Things of another document, some of them in use, and tags that only AWS puts."""
        world = self._world
        tables = [world.means[each] for each in world.of("route_table")]
        if tables and self._chance(0.25):
            world.lab.tag_as_aws(self._random.choice(tables), _FOREIGN_TAGS[0])
        groups = [world.means[each] for each in world.of("security_group")]
        if groups and self._chance(0.2):
            world.lab.tag_as_aws(self._random.choice(groups), _FOREIGN_TAGS[1])
        if world.of("vpc") and self._chance(0.3):
            kind = self._random.choice(("route_table", "network_acl"))
            name = self._random.choice([*self._parts[kind], "theirs"])
            made = getattr(self._ec2, f"create_{kind}")(VpcId=world.vpc)[TYPES[kind].title().replace("-", "")]
            aws_id = made[f"{TYPES[kind].title().replace('-', '')}Id"]
            put_tags(world, aws_id, {DOCUMENT_TAG: OTHER_DOCUMENT, NAME_TAG: name})
            world.others.add(aws_id)
        if self._chance(0.06):
            found = [*world.of("route_table"), *world.of("subnet"), *world.of("network_acl")]
            address = self._random.choice(found) if found else ""
            if not address:
                return
            put_tags(world, world.means[address], {DOCUMENT_TAG: OTHER_DOCUMENT, NAME_TAG: address.partition("/")[2]})
            world.others.add(world.means[address])

    def _settle(self) -> None:
        self._world.lab.settle()


def ports_of(rule: dict[str, Any]) -> tuple[int, int]:
    """First and last port of a rule as written."""
    first, _, last = str(rule["ports"]).partition("-")
    return int(first), int(last or first)


def put_tags(world: Existing, aws_id: str, tags: dict[str, str]) -> None:
    world.ec2.create_tags(Resources=[aws_id], Tags=[{"Key": key, "Value": value} for key, value in tags.items()])


def create_database(world: Existing, name: str, resource: dict[str, Any], groups: list[str], **more: Any) -> str:
    """Make a DB instance as a document says; its DbiResourceId."""
    world.rds.create_db_instance(
        **{
            "DBInstanceIdentifier": name,
            "Engine": "postgres",
            "EngineVersion": resource["engine_version"],
            "DBInstanceClass": resource["db_instance_class"],
            "StorageType": resource["storage_type"],
            "AllocatedStorage": resource["allocated_storage"],
            "MasterUsername": resource["master_username"],
            "MasterUserPassword": "not-a-secret",
            "PubliclyAccessible": resource["publicly_accessible"],
            "BackupRetentionPeriod": resource["backup_retention_period"],
            "DeletionProtection": resource["deletion_protection"],
            "DBSubnetGroupName": resource["db_subnet_group"].partition("/")[2],
            "VpcSecurityGroupIds": groups,
        }
        | more
    )
    world.lab.settle()
    (made,) = world.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    return str(made["DbiResourceId"])
