"""Networks drawn by a seed, what people do to them, and the fault that meets the run that puts them right.

A `Story` is everything about one case: the document, the deeds, the fault. It is drawn from a `Random`, so a seed says
it all. `Stage.play` builds the document's network once, does the deeds, runs the product until nothing is left to do,
and asks the packet oracle about every state between the writes. Stories have a kind: the mixture that the kind needs
is put together on purpose, and chance does the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from desired_state.document import Document
from desired_state.load import DocumentError, load
from lab.faults import FOR_EVER, Stopped
from lab.network import Network as Live
from lab.network import find_network
from lab.strict_aws import Call, StrictAws
from lab.world import World
from reconciler.engine.result import Report
from reconciler.model import Outcome, Policy
from tests.support import moves
from tests.support.packets import Listed, State, violations
from tests.support.runs import REFERENCE, Network

NAME = "drawn"
VPC, GATEWAY, DATABASE = "MyVPC", "Door", "data"
ANYBODY, INSIDE = "0.0.0.0/0", "10.0.0.0/16"
CIDRS = (
    ANYBODY,
    ANYBODY,
    "0.0.0.0/1",
    "10.0.0.0/8",
    INSIDE,
    "10.0.1.0/24",
    "10.0.2.0/24",
    "10.0.2.128/25",
    "203.0.113.0/24",
)
TRAFFIC = (
    ("all", None),
    ("tcp", "0-65535"),
    ("tcp", 22),
    ("tcp", 80),
    ("tcp", "80-443"),
    ("tcp", 443),
    ("tcp", 5432),
    ("tcp", "1024-65535"),
    ("udp", 53),
)
NUMBERS = (1, 50, 99, 100, 101, 105, 110, 111, 115, 120, 121, 130, 200, 32766)
DESTINATIONS = (ANYBODY, ANYBODY, ANYBODY, "0.0.0.0/1", "203.0.113.0/24")
DEFAULT, MAIN, STRANGER, NAT = "(default)", "(main)", "(stranger)", "(nat)"
"""What nobody declared: AWS's own default ACL and main table, and a group, an ACL or a table that somebody made."""
ROUNDS = 4
POLICY = Policy(create_databases=True)

type Written = dict[str, Any]


# Documents


def a_rule(dice: Random, groups: Sequence[str], end: str) -> Written:
    protocol, ports = dice.choice(TRAFFIC)
    peer = f"security_group/{dice.choice(groups)}" if groups and dice.random() < 0.4 else dice.choice(CIDRS)
    return {"protocol": protocol, end: peer} | ({} if ports is None else {"ports": ports})


def some_rules(dice: Random, groups: Sequence[str], end: str) -> list[Written]:
    found: dict[str, Written] = {}
    for _ in range(dice.randint(1, 3)):
        one = a_rule(dice, groups, end)
        found[json.dumps(one)] = one
    return list(found.values())


def some_entries(dice: Random, end: str) -> Written:
    numbers = sorted(dice.sample((90, 100, 110, 120, 130, 140), dice.randint(1, 4)))
    actions = ["allow" if dice.random() < 0.85 else "deny" for _ in numbers]
    return {str(n): {"action": action} | a_rule(dice, (), end) for n, action in zip(numbers, actions, strict=True)}


def a_document(dice: Random, *, acls: bool | None = None, database: bool | None = None) -> Written:
    """A whole document; may be one that `load` refuses."""
    subnets = [f"Subnet{n}" for n in range(1, dice.randint(2, 4) + 1)]
    groups = [f"Group{n}" for n in range(1, dice.randint(1, 4) + 1)]
    place = partial(dict.fromkeys, subnets)
    in_tables = place() | {one: dice.choice(("Out", "In", "In", "")) for one in subnets} | {"Subnet1": "Out"}
    resources: Written = {
        "vpc": {VPC: {"cidr_block": INSIDE, "enable_dns_support": True, "enable_dns_hostnames": True}},
        "internet_gateway": {GATEWAY: {}},
        "subnet": {
            one: {"cidr_block": f"10.0.{n}.0/24", "availability_zone": f"ap-northeast-2{'ca'[n % 2]}"}
            for n, one in enumerate(subnets, 1)
        },
        "route_table": {
            name: {
                "routes": {ANYBODY: f"internet_gateway/{GATEWAY}"} if name == "Out" else {},
                "subnets": [f"subnet/{one}" for one in subnets if in_tables[one] == name],
            }
            for name in ("Out", "In")
        },
        "security_group": {
            one: {
                "ingress": some_rules(dice, groups, "source"),
                "egress": some_rules(dice, groups, "destination")
                if dice.random() < 0.5
                else [{"protocol": "all", "destination": ANYBODY}],
            }
            for one in groups
        },
    }
    if dice.random() < 0.4:
        routes = {ANYBODY: f"internet_gateway/{GATEWAY}"} if dice.random() < 0.5 else {}
        resources["route_table"]["Main"] = {"main": True, "routes": routes}
    if dice.random() < 0.6 if acls is None else acls:
        names = [f"Acl{n}" for n in range(1, dice.randint(1, 2) + 1)]
        chosen = {one: dice.choice((*names, *names, "")) for one in subnets} | {"Subnet1": names[0]}
        resources["network_acl"] = {
            name: {
                "ingress": some_entries(dice, "source"),
                "egress": some_entries(dice, "destination"),
                "subnets": [f"subnet/{one}" for one in subnets if chosen[one] == name],
            }
            for name in names
        }
        if dice.random() < 0.3:
            default = {
                side: some_entries(dice, end) for side, end in (("ingress", "source"), ("egress", "destination"))
            }
            resources["network_acl"]["Default"] = {"is_default": True, **default}
    if dice.random() < 0.5 if database is None else database:
        _with_database(dice, resources, subnets, groups)
    return {**{key: REFERENCE[key] for key in ("version", "revision", "scope")}, "name": NAME, "resources": resources}


def _with_database(dice: Random, resources: Written, subnets: list[str], groups: list[str]) -> None:
    like = REFERENCE["resources"]["db_instance"]["mypostgresqldb"]
    used = [*dice.sample(subnets[::2], 1), *dice.sample(subnets[1::2], 1)]
    some = dice.sample(groups, min(len(groups), dice.choice((1, 2, 2, 2))))
    resources["db_subnet_group"] = {"datanets": {"description": "two", "subnets": [f"subnet/{one}" for one in used]}}
    resources["db_instance"] = {
        DATABASE: {
            **like,
            "db_subnet_group": "db_subnet_group/datanets",
            "vpc_security_groups": [f"security_group/{one}" for one in some],
            "publicly_accessible": dice.random() < 0.25,
            "deletion_protection": False,
        }
    }


def loaded(written: Written) -> Document:
    return load(json.dumps(written).encode(), "drawn.json")


def drawn(dice: Random, **how: Any) -> Written:
    """A document that loads."""
    while True:
        written = a_document(dice, **how)
        try:
            loaded(written)
        except DocumentError:
            continue
        return written


# Deeds


@dataclass
class Hands:
    """Somebody else's hands. What AWS refuses them is no deed."""

    net: Network
    made: dict[str, str] = field(default_factory=dict)

    @property
    def ec2(self) -> Any:
        return self.net.outsider("ec2")

    @property
    def here(self) -> Any:
        return [{"Name": "vpc-id", "Values": [self.net.live.vpc_id]}]

    def id(self, kind: str, name: str) -> str:
        """The id of what is declared, of what AWS made, or of a stranger, who is made when he is first asked for."""
        if name in {DEFAULT, MAIN, STRANGER, NAT}:
            key = f"{kind} {name}"
            if key not in self.made:
                self.made[key] = getattr(self, f"_{kind}")(name)
            return self.made[key]
        return self.net.id(f"{kind}/{name}")

    def _network_acl(self, name: str) -> str:
        if name == STRANGER:
            made = self.ec2.create_network_acl(VpcId=self.net.live.vpc_id)["NetworkAcl"]["NetworkAclId"]
            for egress in (False, True):
                self.ec2.create_network_acl_entry(
                    NetworkAclId=made,
                    Egress=egress,
                    RuleNumber=100,
                    RuleAction="allow",
                    Protocol="-1",
                    CidrBlock=ANYBODY,
                )
            return str(made)
        found = self.ec2.describe_network_acls(Filters=self.here)["NetworkAcls"]
        return next(str(one["NetworkAclId"]) for one in found if one["IsDefault"])

    def _route_table(self, name: str) -> str:
        if name == STRANGER:
            return str(self.ec2.create_route_table(VpcId=self.net.live.vpc_id)["RouteTable"]["RouteTableId"])
        found = self.ec2.describe_route_tables(Filters=self.here)["RouteTables"]
        return next(str(one["RouteTableId"]) for one in found if any(seat["Main"] for seat in one["Associations"]))

    def _security_group(self, name: str) -> str:
        if name == DEFAULT:
            found = self.ec2.describe_security_groups(Filters=self.here)["SecurityGroups"]
            return next(str(one["GroupId"]) for one in found if one["GroupName"] == "default")
        return str(
            self.ec2.create_security_group(GroupName="stranger", Description="x", VpcId=self.net.live.vpc_id)["GroupId"]
        )

    def _nat_gateway(self, name: str) -> str:
        subnet = self.net.id("subnet/Subnet1")
        made = self.ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")
        return str(made["NatGateway"]["NatGatewayId"])

    def rules(self, group: str, *, egress: bool) -> list[Written]:
        (found,) = self.ec2.describe_security_groups(GroupIds=[self.id("security_group", group)])["SecurityGroups"]
        return [
            {key: one[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in one} | {sort: [bare(peer)]}
            for one in found["IpPermissionsEgress" if egress else "IpPermissions"]
            for sort in ("IpRanges", "UserIdGroupPairs")
            for peer in one.get(sort, ())
        ]

    def rule(self, group: str, *, egress: bool, add: bool, what: Written) -> None:
        verb, side = "authorize" if add else "revoke", "egress" if egress else "ingress"
        call = getattr(self.ec2, f"{verb}_security_group_{side}")
        call(GroupId=self.id("security_group", group), IpPermissions=[what])


def bare(peer: Written) -> Written:
    return {key: value for key, value in peer.items() if key in {"CidrIp", "GroupId"}}


class What(NamedTuple):
    """Traffic with a peer: a CIDR, or the name of a group."""

    protocol: str
    ports: tuple[int, int] | None
    peer: str

    def permission(self, by: Hands) -> Written:
        ports = {} if self.ports is None else {"FromPort": self.ports[0], "ToPort": self.ports[1]}
        peers = (
            {"IpRanges": [{"CidrIp": self.peer}]}
            if "/" in self.peer
            else {"UserIdGroupPairs": [{"GroupId": by.id("security_group", self.peer)}]}
        )
        return {"IpProtocol": self.protocol, **ports, **peers}


class AddRule(NamedTuple):
    group: str
    egress: bool
    what: What

    def done(self, by: Hands) -> None:
        by.rule(self.group, egress=self.egress, add=True, what=self.what.permission(by))


class RemoveRule(NamedTuple):
    group: str
    egress: bool
    place: int

    def done(self, by: Hands) -> None:
        if listed := by.rules(self.group, egress=self.egress):
            by.rule(self.group, egress=self.egress, add=False, what=listed[self.place % len(listed)])


class MoveRule(NamedTuple):
    group: str
    to: str
    egress: bool
    place: int

    def done(self, by: Hands) -> None:
        if listed := by.rules(self.group, egress=self.egress):
            one = listed[self.place % len(listed)]
            by.rule(self.to, egress=self.egress, add=True, what=one)
            by.rule(self.group, egress=self.egress, add=False, what=one)


class PutEntry(NamedTuple):
    acl: str
    egress: bool
    number: int
    action: str
    what: What

    def done(self, by: Hands) -> None:
        protocol, ports, peer = self.what
        moves.put_entry(
            by.ec2,
            by.id("network_acl", self.acl),
            self.number,
            egress=self.egress,
            RuleAction=self.action,
            Protocol={"tcp": "6", "udp": "17"}.get(protocol, protocol),
            CidrBlock=peer,
            **({} if ports is None else {"PortRange": {"From": ports[0], "To": ports[1]}}),
        )


class DeleteEntry(NamedTuple):
    acl: str
    egress: bool
    place: int

    def done(self, by: Hands) -> None:
        acl = by.id("network_acl", self.acl)
        (found,) = by.ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"]
        side = [one for one in found["Entries"] if one["Egress"] is self.egress]
        numbers = sorted(one["RuleNumber"] for one in side if one["RuleNumber"] < 32767)
        if numbers:
            number = numbers[self.place % len(numbers)]
            by.ec2.delete_network_acl_entry(NetworkAclId=acl, Egress=self.egress, RuleNumber=number)


class PutRoute(NamedTuple):
    table: str
    destination: str
    target: str

    def done(self, by: Hands) -> None:
        via = (
            {"NatGatewayId": by.id("nat_gateway", NAT)}
            if self.target == NAT
            else {"GatewayId": by.id("internet_gateway", self.target)}
        )
        moves.put_route(by.ec2, by.id("route_table", self.table), self.destination, **via)


class DeleteRoute(NamedTuple):
    table: str
    destination: str

    def done(self, by: Hands) -> None:
        by.ec2.delete_route(RouteTableId=by.id("route_table", self.table), DestinationCidrBlock=self.destination)


class UseTable(NamedTuple):
    """`table` is empty for none: then it is the main one."""

    subnet: str
    table: str

    def done(self, by: Hands) -> None:
        table = by.id("route_table", self.table) if self.table else ""
        moves.use_table(by.ec2, by.id("subnet", self.subnet), table)


class ExchangeMain(NamedTuple):
    table: str

    def done(self, by: Hands) -> None:
        moves.make_main(by.ec2, by.net.live.vpc_id, by.id("route_table", self.table))


class UseAcl(NamedTuple):
    subnet: str
    acl: str

    def done(self, by: Hands) -> None:
        moves.use_acl(by.ec2, by.id("subnet", self.subnet), by.id("network_acl", self.acl))


class DetachGateway(NamedTuple):
    def done(self, by: Hands) -> None:
        by.ec2.detach_internet_gateway(InternetGatewayId=by.id("internet_gateway", GATEWAY), VpcId=by.net.live.vpc_id)


class UseGroups(NamedTuple):
    """The database gets these groups."""

    groups: tuple[str, ...]

    def done(self, by: Hands) -> None:
        ids = [by.id("security_group", one) for one in self.groups]
        by.net.outsider("rds").modify_db_instance(
            DBInstanceIdentifier=DATABASE, ApplyImmediately=True, VpcSecurityGroupIds=ids
        )
        by.net.lab.settle()


class Publish(NamedTuple):
    public: bool

    def done(self, by: Hands) -> None:
        by.net.outsider("rds").modify_db_instance(
            DBInstanceIdentifier=DATABASE, ApplyImmediately=True, PubliclyAccessible=self.public
        )
        by.net.lab.settle()


class DeleteDatabase(NamedTuple):
    def done(self, by: Hands) -> None:
        by.net.outsider("rds").delete_db_instance(DBInstanceIdentifier=DATABASE, SkipFinalSnapshot=True)
        by.net.lab.settle()


type Deed = (
    AddRule
    | RemoveRule
    | MoveRule
    | PutEntry
    | DeleteEntry
    | PutRoute
    | DeleteRoute
    | UseTable
    | ExchangeMain
    | UseAcl
    | DetachGateway
    | UseGroups
    | Publish
    | DeleteDatabase
)


class Names(NamedTuple):
    """What deeds can be done to."""

    subnets: tuple[str, ...]
    groups: tuple[str, ...]
    acls: tuple[str, ...]
    tables: tuple[str, ...]
    of_database: tuple[str, ...]

    @classmethod
    def of(cls, written: Written) -> Names:
        found = written["resources"]
        acls, tables = found.get("network_acl", {}), found["route_table"]
        of_database = found["db_instance"][DATABASE]["vpc_security_groups"] if "db_instance" in found else ()
        return cls(
            tuple(found["subnet"]),
            tuple(found["security_group"]),
            (*(name for name, one in acls.items() if "is_default" not in one), DEFAULT, STRANGER),
            (*(name for name, one in tables.items() if "main" not in one), MAIN, STRANGER),
            tuple(one.partition("/")[2] for one in of_database),
        )


def a_what(dice: Random, groups: Sequence[str] = ()) -> What:
    one = a_rule(dice, groups, "peer")
    ports = one.get("ports")
    span = None if ports is None else (ports, ports) if isinstance(ports, int) else tuple(map(int, ports.split("-")))
    protocol = "-1" if one["protocol"] == "all" else one["protocol"]
    return What(protocol, span, one["peer"].removeprefix("security_group/"))  # type: ignore[arg-type]


def a_side(dice: Random) -> bool:
    return dice.random() < 0.4


def add_rule(dice: Random, on: Names) -> Deed:
    return AddRule(dice.choice(on.groups), a_side(dice), a_what(dice, on.groups))


def remove_rule(dice: Random, on: Names) -> Deed:
    return RemoveRule(dice.choice(on.groups), a_side(dice), dice.randrange(3))


def move_rule(dice: Random, on: Names) -> Deed:
    pool = on.of_database if len(on.of_database) > 1 and dice.random() < 0.6 else on.groups
    one, other = dice.sample(pool, 2) if len(pool) > 1 else (pool[0], STRANGER)
    return MoveRule(one, other, a_side(dice), dice.randrange(3))


def put_entry(dice: Random, on: Names) -> Deed:
    action = "allow" if dice.random() < 0.7 else "deny"
    return PutEntry(dice.choice(on.acls), a_side(dice), dice.choice(NUMBERS), action, a_what(dice))


def delete_entry(dice: Random, on: Names) -> Deed:
    return DeleteEntry(dice.choice(on.acls), a_side(dice), dice.randrange(4))


def put_route(dice: Random, on: Names) -> Deed:
    return PutRoute(dice.choice(on.tables), dice.choice(DESTINATIONS), dice.choice((GATEWAY, GATEWAY, NAT)))


def delete_route(dice: Random, on: Names) -> Deed:
    return DeleteRoute(dice.choice((*on.tables, "Out", "Out")), ANYBODY)


def use_table(dice: Random, on: Names) -> Deed:
    return UseTable(dice.choice(on.subnets), dice.choice((*on.tables, "")))


def exchange_main(dice: Random, on: Names) -> Deed:
    return ExchangeMain(dice.choice(tuple(one for one in on.tables if one != MAIN)))


def use_acl(dice: Random, on: Names) -> Deed:
    return UseAcl(dice.choice(on.subnets), dice.choice(on.acls))


def detach(dice: Random, on: Names) -> Deed:
    return DetachGateway()


def use_groups(dice: Random, on: Names) -> Deed:
    pool = (*on.groups, *on.groups, STRANGER, DEFAULT)
    return UseGroups(tuple(dict.fromkeys(dice.choices(pool, k=dice.choice((1, 2))))))


def publish(dice: Random, on: Names) -> Deed:
    return Publish(dice.random() < 0.7)


MAKERS: tuple[Callable[[Random, Names], Deed], ...] = (
    *(add_rule,) * 4,
    *(remove_rule,) * 2,
    move_rule,
    *(put_entry,) * 4,
    *(delete_entry,) * 2,
    *(put_route,) * 2,
    delete_route,
    *(use_table,) * 2,
    exchange_main,
    *(use_acl,) * 2,
    detach,
)
OF_DATABASE = (use_groups, use_groups, publish)


# Faults


_AFTER_WRITE = re.compile(r"^after write (\d+)")


class Fault(NamedTuple):
    """What goes wrong in the first run: every call of an operation, or its n-th write, once: refused, carried out
    without an answer (`lose`), or the last thing that the run does (`die`).
    """

    does: str = ""
    operation: str = ""
    write: int = 0

    def arm(self, lab: StrictAws) -> None:
        if not self.write:
            self._for_the_whole_run(lab)
            return
        if self.does == "die":
            lab.faults.stop_at(self.write, "after")
            return
        seen = 0

        def count(_: str, __: str, operation: str) -> None:
            nonlocal seen
            if operation.startswith(("Describe", "List", "Get")):
                return
            seen += 1
            if seen == self.write and self.does == "refuse":
                lab.faults.refuse(operation, times=1)
            elif seen == self.write:
                lab.faults.lose_answer(operation)

        lab.before_call = count

    def knowable(self, found: list[str], blind: int) -> list[str]:
        """Without cuts at a database by one of the first `blind` writes, those of the run that could not read it: what
        is open is closed all the same, although nobody knows then that the database has come to rely on it.
        """
        if self.operation not in {"DescribeDBInstances", "DescribeSubnets"}:  # it is not read without the subnets
            return found
        return [
            one
            for one in found
            if f"{DATABASE} in " not in one or ": cut " not in one or int(_AFTER_WRITE.findall(one)[0]) > blind
        ]

    def _for_the_whole_run(self, lab: StrictAws) -> None:
        if self.does == "throttle":
            lab.faults.throttle(self.operation, times=FOR_EVER)
        elif self.does == "refuse":
            lab.faults.refuse(self.operation)


READS = (
    "DescribeSecurityGroups",
    "DescribeSecurityGroupRules",
    "DescribeNetworkAcls",
    "DescribeRouteTables",
    "DescribeInternetGateways",
    "DescribeDBInstances",
    "DescribeDBSubnetGroups",
    "DescribeSubnets",
)
WRITES = (
    "AuthorizeSecurityGroupIngress",
    "AuthorizeSecurityGroupEgress",
    "RevokeSecurityGroupIngress",
    "RevokeSecurityGroupEgress",
    "CreateNetworkAclEntry",
    "ReplaceNetworkAclEntry",
    "DeleteNetworkAclEntry",
    "ReplaceNetworkAclAssociation",
    "CreateRoute",
    "ReplaceRoute",
    "DeleteRoute",
    "AssociateRouteTable",
    "ReplaceRouteTableAssociation",
    "DisassociateRouteTable",
    "AttachInternetGateway",
    "ModifyDBInstance",
)


def unreadable(dice: Random) -> Fault:
    return Fault(dice.choice(("throttle", "refuse")), dice.choice(READS))


def a_fault(dice: Random) -> Fault:
    return dice.choice((Fault(), Fault(), unreadable(dice), a_failed_write(dice)))


def a_failed_write(dice: Random) -> Fault:
    if dice.random() < 0.4:
        return Fault("refuse", dice.choice(WRITES))
    return Fault(dice.choice(("refuse", "refuse", "lose", "die")), write=dice.randint(1, 6))


# Stories


class Story(NamedTuple):
    """`built` is the document that the network is made of when it is not the one that is kept in the end. `prompt`: RDS
    has done what it is told when the next call is made; otherwise it takes its time.
    """

    kind: str
    written: Written
    deeds: tuple[Deed, ...]
    fault: Fault = Fault()
    built: Written | None = None
    prompt: bool = True

    def __str__(self) -> str:
        deeds = "".join(f"\n  {deed}" for deed in self.deeds)
        return f"kind {self.kind}, {self.fault}, prompt {self.prompt}{deeds}\n{json.dumps(self.written['resources'])}"


KINDS = "abcdefgx"
"""a: blind; b: implicit places; c: a rule between two groups; d: exchanged main table, groups of the database;
e: no declared ACL; f: two ends; g: new subnets and databases; x: anything."""


def a_story(seed: int) -> Story:
    """The story of a seed. Ten in a row share a document, because building it takes longer than the rest."""
    kind = KINDS[seed // 10 % len(KINDS)]
    dice = Random(f"document {seed // 10}")
    written = drawn(dice, acls={"e": False, "f": True}.get(kind), database=True if kind in "cdg" else None)
    on = Names.of(written)
    dice = Random(f"deeds {seed}")
    deeds, fault = _BIAS[kind](dice, on, written)
    makers = (*MAKERS, *OF_DATABASE * 2) if on.of_database and kind != "g" else MAKERS
    deeds += [dice.choice(makers)(dice, on) for _ in range(dice.randint(0 if deeds else 1, 6 - len(deeds)))]
    dice.shuffle(deeds)
    built = _without(Random(f"less {seed // 10}"), written) if kind == "g" else None
    return Story(kind, written, tuple(deeds), fault, built, prompt=dice.random() < 0.6)


def _without(dice: Random, written: Written) -> Written:
    """The document before the database, and one of its subnets, were written into it."""
    less: Written = json.loads(json.dumps(written))
    resources = less["resources"]
    del resources["db_instance"]
    (group,) = resources.pop("db_subnet_group").values()
    gone = dice.choice([one for one in group["subnets"] if one != "subnet/Subnet1"])
    del resources["subnet"][gone.partition("/")[2]]
    for kind in ("route_table", "network_acl"):
        for one in resources.get(kind, {}).values():
            if "subnets" in one:
                one["subnets"] = [subnet for subnet in one["subnets"] if subnet != gone]
    return less


def _blind(dice: Random, on: Names, _: Written) -> tuple[list[Deed], Fault]:
    private = tuple(one for one in on.tables if one != "Out")
    closed: list[Deed] = [DetachGateway()] if dice.random() < 0.6 else [DeleteRoute("Out", ANYBODY)]
    opened = [PutRoute(dice.choice(private), ANYBODY, GATEWAY), add_rule(dice, on), put_entry(dice, on)]
    return closed + dice.sample(opened, dice.randint(1, 2)), unreadable(dice)


def _implicit(dice: Random, on: Names, _: Written) -> tuple[list[Deed], Fault]:
    some: list[Deed] = [
        DeleteRoute(MAIN, ANYBODY),
        PutRoute(MAIN, ANYBODY, dice.choice((GATEWAY, NAT))),
        UseTable(dice.choice(on.subnets), ""),
        UseTable(dice.choice(on.subnets), dice.choice(on.tables)),
        UseAcl(dice.choice(on.subnets), dice.choice((DEFAULT, STRANGER))),
        PutEntry(DEFAULT, a_side(dice), dice.choice(NUMBERS[:5]), "deny", a_what(dice)),
        exchange_main(dice, on),
    ]
    return dice.sample(some, dice.randint(2, 4)), dice.choice((Fault(), Fault(), a_failed_write(dice)))


def _between_groups(dice: Random, on: Names, _: Written) -> tuple[list[Deed], Fault]:
    moved = [move_rule(dice, on) for _ in range(dice.randint(1, 2))]
    return moved, dice.choice((Fault(), a_failed_write(dice)))


def _exchanged(dice: Random, on: Names, _: Written) -> tuple[list[Deed], Fault]:
    some: list[Deed] = [
        exchange_main(dice, on),
        use_groups(dice, on),
        publish(dice, on),
        PutRoute(dice.choice(on.tables), ANYBODY, GATEWAY),
        PutEntry(dice.choice(on.acls), False, dice.choice(NUMBERS[:3]), "allow", What("-1", None, ANYBODY)),
    ]
    return dice.sample(some, dice.randint(2, 4)), a_fault(dice)


def _without_acls(dice: Random, on: Names, _: Written) -> tuple[list[Deed], Fault]:
    some: list[Deed] = [
        UseAcl(dice.choice(on.subnets), STRANGER),
        DetachGateway(),
        PutRoute("Out", ANYBODY, NAT),
        DeleteRoute("Out", ANYBODY),
        PutEntry(dice.choice((DEFAULT, STRANGER)), a_side(dice), dice.choice(NUMBERS), "deny", a_what(dice)),
    ]
    return dice.sample(some, dice.randint(2, 3)), a_fault(dice)


def _two_ends(dice: Random, on: Names, _: Written) -> tuple[list[Deed], Fault]:
    here, there = dice.choice(on.groups), dice.choice(on.groups)
    some: list[Deed] = [
        AddRule(here, True, a_what(dice, on.groups)),
        RemoveRule(there, False, 0),
        RemoveRule(here, True, 0),
        AddRule(there, False, a_what(dice, on.groups)),
        *(put_entry(dice, on) for _ in range(3)),
        DeleteEntry(dice.choice(on.acls), a_side(dice), 0),
    ]
    return dice.sample(some, dice.randint(2, 4)), dice.choice((Fault(), a_failed_write(dice)))


def _new(dice: Random, on: Names, _: Written) -> tuple[list[Deed], Fault]:
    some: list[Deed] = [
        PutRoute(MAIN, ANYBODY, GATEWAY),
        PutEntry(DEFAULT, False, 1, "allow", What("-1", None, ANYBODY)),
        add_rule(dice, on),
    ]
    return dice.sample(some, dice.randint(1, 2)), dice.choice(
        (Fault(), a_fault(dice), Fault("refuse", write=dice.randint(1, 12)))
    )


def _anything(dice: Random, on: Names, _: Written) -> tuple[list[Deed], Fault]:
    return [], a_fault(dice)


_BIAS: Mapping[str, Callable[[Random, Names, Written], tuple[list[Deed], Fault]]] = {
    "a": _blind,
    "b": _implicit,
    "c": _between_groups,
    "d": _exchanged,
    "e": _without_acls,
    "f": _two_ends,
    "g": _new,
    "x": _anything,
}


# Playing


class Ending(NamedTuple):
    """How a story ended: what the oracle found, the writes that were carried out, what the last report leaves open, and
    whether what it calls right is not what `as_declared` expects.
    """

    violations: list[str]
    writes: list[str]
    left: list[str]
    wrong_aim: bool = False


class Built(NamedTuple):
    """The network of a document, in sync."""

    live: Live
    world: World
    clean: State


class Stage:
    """One laboratory, and the last network that was built in it: stories come document by document."""

    def __init__(self, lab: StrictAws, empty: World) -> None:
        self.lab = lab
        self.empty = empty
        self.net = Network(lab, live=None, clean=empty, empty=empty)  # type: ignore[arg-type]
        self._built: dict[str, Built] = {}

    def built(self, written: Written) -> Built:
        """The network of a document as it was built, put back."""
        self.lab.faults.clear()
        self.lab.before_call = None
        key = json.dumps(written)
        if key not in self._built:
            self._built = {key: self._build(loaded(written))}
        self.lab.restore(self._built[key].world)
        self.net.live = self._built[key].live
        return self._built[key]

    def _build(self, document: Document) -> Built:
        self.lab.restore(self.empty)
        report = self._until_calm(document, self.lab.settle)
        assert report.in_sync, left(report)
        self.net.live = find_network(self.net.hands, NAME)
        return Built(self.net.live, self.lab.save(), self.net.state())

    def play(self, story: Story) -> Ending:
        """Build, drift, run with the fault, run without it until nothing is left to do; then ask the oracle."""
        clean = self.built(story.built or story.written).clean
        hands = Hands(self.net)
        for deed in story.deeds:
            try:
                deed.done(hands)
            except (ClientError, StopIteration, KeyError):
                continue  # AWS refuses it, or there is nothing to do it to
        self.lab.settle()
        before = self.net.state()
        self.lab.calls.clear()
        with self.net.watched() as states:
            watch = _Watch(self.net, states, prompt=story.prompt)
            report = self._runs(loaded(story.written), story.fault, watch)
        open_ = left(report)
        now = self.net.state()
        if story.built:
            # What the run made has ids that nobody knew before: what it leaves is the measure if it left nothing to do.
            found = [] if open_ else violations(before, now, states)
            return Ending(story.fault.knowable(found, watch.in_first_run), watch.writes, open_)
        after = as_declared(story.written, hands, clean, before)
        found = story.fault.knowable(violations(before, after, states), watch.in_first_run)
        return Ending(found, watch.writes, open_, wrong_aim=not open_ and now != after)

    def _runs(self, document: Document, fault: Fault, watch: _Watch) -> Report:
        """The last report."""
        fault.arm(self.lab)
        with suppress(Stopped):
            self.net.run(document, POLICY)
        self.lab.faults.clear()
        self.lab.before_call = None
        watch.settle()
        watch.in_first_run = len(watch.writes)
        return self._until_calm(document, watch.settle)

    def _until_calm(self, document: Document, settle: Callable[[], None]) -> Report:
        report = self.net.run(document, POLICY)
        for _ in range(ROUNDS):
            settle()
            if report.in_sync or not report.writes:
                break
            report = self.net.run(document, POLICY)
        return report


class _Watch:
    """What each of the `states` of a watched network comes after: a write, or RDS that has done what it was told."""

    def __init__(self, net: Network, states: list[State], *, prompt: bool) -> None:
        self.writes: list[str] = []
        self.in_first_run = 0
        self._net, self._states = net, states
        look = net.lab.after_write
        assert look is not None

        def written(call: Call) -> None:
            if prompt and call.service == "rds":
                net.lab.settle()
            look(call)
            self.writes.append(f"{call.operation} {call.params}")

        net.lab.after_write = written

    def settle(self) -> None:
        self._net.lab.settle()
        if not self._states or not self._states[-1].databases:
            return
        now = self._net.state()
        if now != self._states[-1]:
            self._states.append(now)
            self.writes.append("RDS has settled")


def left(report: Report) -> list[str]:
    """What a report leaves open."""
    told = [f"{one.address} {one.field} {one.outcome} {one.message}" for one in report.drifts if _open(one.outcome)]
    return told + [
        f"{one.address} {one.field} {one.outcome} {one.cause.message}" for one in report.findings if _open(one.outcome)
    ]


def _open(outcome: Outcome | None) -> bool:
    return outcome not in {Outcome.IN_SYNC, Outcome.CORRECTED}


def as_declared(written: Written, hands: Hands, clean: State, before: State) -> State:
    """The state that the document wants of `before`: what it declares is as in `clean`, all else as it is.

    Worked out, and not what a run leaves behind: one that holds something back must not be the measure of itself.
    """
    found = written["resources"]

    def ids(kind: str) -> set[str]:
        return {hands.id(kind, name) for name in found.get(kind, {})}

    def parts[Part](kind: str, then: Listed[Part], now: Listed[Part]) -> Listed[Part]:
        return tuple(sorted((dict(now) | {at: part for at, part in then if at in ids(kind)}).items()))

    def seats(kind: str, then: Listed[str], now: Listed[str]) -> dict[str, str]:
        listing = {hands.id(kind, name) for name, one in found.get(kind, {}).items() if "subnets" in one}
        kept = {subnet: place for subnet, place in now if place not in listing}
        return kept | {subnet: place for subnet, place in then if place in listing}

    acl_of = seats("network_acl", clean.acl_of, before.acl_of)
    default = hands.id("network_acl", DEFAULT)
    declares_main = any(one.get("main") for one in found["route_table"].values())
    return replace(
        before,
        groups=parts("security_group", clean.groups, before.groups),
        acls=parts("network_acl", clean.acls, before.acls),
        acl_of=tuple(sorted((subnet, acl_of.get(subnet, default)) for subnet, _ in before.subnets)),
        tables=parts("route_table", clean.tables, before.tables),
        table_of=tuple(sorted(seats("route_table", clean.table_of, before.table_of).items())),
        main=clean.main if declares_main else before.main,
        attached=clean.attached,
        databases=clean.databases,
    )


def smallest(story: Story, still: Callable[[Story], bool]) -> Story:
    """The story with as few deeds as still do it, and without its fault if that is not needed."""
    if story.fault.does and still(story._replace(fault=Fault())):
        story = story._replace(fault=Fault())
    for deed in story.deeds:
        less = story._replace(deeds=tuple(one for one in story.deeds if one is not deed))
        if still(less):
            story = less
    return story
