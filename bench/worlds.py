"""The measured networks: a document, and AWS's nine answers about its network, as XML.

The product builds the reference network in the laboratory, from which it is read. N generated security groups of 20
rules are added, both as in a document and as in EC2's answer, independently of the product's code: a run that is not in
sync is a bug on one side. `figures.py` writes the worlds to a folder, from which the server and the measured processes
read them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from bench.calls import ACCOUNT, REGION, Call, calls, made, service_model
from bench.server import CHANGES
from desired_state.load import load
from lab import laboratory
from reconciler.aws.client import Aws
from reconciler.engine.run import Environment, run
from reconciler.model import Policy

if TYPE_CHECKING:
    from botocore.model import Shape

Ports = int | tuple[int, int]

RULES = 20
"""Rules of a generated group: 19 in, 1 out."""
_PORTS = (22, 80, 443, 5432, 6379, 8080, 8443, 9092, (8000, 8010), (30000, 32767))
_MORE_PORTS = (21, 25, 53, 110, 389, 636, 1433, 1521, 3306)


@dataclass(frozen=True)
class Reference:
    """The reference network as it is in the laboratory: its document and the nine answers, as boto3 gives them."""

    written: Mapping[str, Any]
    vpc_id: str
    answers: Mapping[str, Mapping[str, Any]]


def reference() -> Reference:
    """The example of the documentation, built and read back; its document names the VPC by id."""
    data = (files("desired_state") / "examples" / "test-server.json").read_bytes()
    document = load(data, "test-server.json")
    with laboratory(region=REGION) as lab:
        outside = Environment(Aws(lab.session(), lab.region), _noon, lambda seconds: None)
        run(document, outside, Policy(create_databases=True))
        lab.settle()
        assert run(document, outside, Policy(create_databases=True)).in_sync
        session = lab.outsider()
        clients: dict[str, Any] = {"ec2": session.client("ec2"), "rds": session.client("rds")}
        filters = [{"Name": "tag:setpoint:document", "Values": [document.name]}]
        vpc_id = clients["ec2"].describe_vpcs(Filters=filters)["Vpcs"][0]["VpcId"]
        answers = {one.name: made(clients[one.service], one) for one in calls(vpc_id)}
    written = json.loads(data)
    del written["intents"], written["workloads"]  # they take a tenth read
    written["scope"]["vpc_id"] = vpc_id
    return Reference(written, vpc_id, answers)


def _noon() -> datetime:
    return datetime.fromisoformat("2026-11-22T12:00:00+00:00")


def with_tables(like: Reference, tables: int) -> Reference:
    """The reference network with more route tables of five routes, each for a subnet of its own."""
    written = dict(like.written, resources=dict(like.written["resources"]))
    answers, resources = dict(like.answers), written["resources"]
    subnets, live_subnets = dict(resources["subnet"]), list(answers["DescribeSubnets"]["Subnets"])
    declared, live = dict(resources["route_table"]), list(answers["DescribeRouteTables"]["RouteTables"])
    peering, zone = "pcx-0a1b2c3d", live_subnets[0]["AvailabilityZone"]
    for number in range(tables):
        subnet, table = f"subnet-{number:017x}", f"rtb-{number:017x}"
        block, routes = f"10.0.{64 + number // 16}.{number % 16 * 16}/28", [f"172.16.{one}.0/24" for one in range(5)]
        subnets[f"subnet-of-{number}"] = {"cidr_block": block, "availability_zone": zone}
        declared[f"table-{number}"] = {
            "routes": dict.fromkeys(routes, peering),
            "subnets": [f"subnet/subnet-of-{number}"],
        }
        ours = {"setpoint:document": like.written["name"], "setpoint:name": f"subnet-of-{number}"}
        more = {"SubnetId": subnet, "CidrBlock": block, "MapPublicIpOnLaunch": False, "Tags": _tags(ours)}
        live_subnets.append(dict(live_subnets[0], **more))
        association = {"Main": False, "RouteTableAssociationId": f"rtbassoc-{number:x}", "SubnetId": subnet}
        shown: list[dict[str, Any]] = [{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}]
        shown += [{"DestinationCidrBlock": to, "VpcPeeringConnectionId": peering} for to in routes]
        live.append(
            {
                "RouteTableId": table,
                "VpcId": like.vpc_id,
                "OwnerId": ACCOUNT,
                "Tags": _tags(ours | {"setpoint:name": f"table-{number}"}),
                "Associations": [association | {"RouteTableId": table, "AssociationState": {"State": "associated"}}],
                "Routes": [{"State": "active", "Origin": "CreateRoute", **one} for one in shown],
            }
        )
    resources |= {"subnet": subnets, "route_table": declared}
    answers |= {"DescribeSubnets": {"Subnets": live_subnets}, "DescribeRouteTables": {"RouteTables": live}}
    return Reference(written, like.vpc_id, answers)


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def write(
    folder: Path,
    like: Reference,
    groups: int,
    *,
    merged: bool = False,
    changing: bool = False,
    indented: bool = False,
) -> None:
    """The world of the reference network and `groups` more groups, as files in `folder`.

    `merged`: every two rules share protocol and ports, which EC2 answers as one permission, so that botocore has less
    to parse; else each rule has ports of its own. `changing`: a description in one group, which the document does not
    manage, is never the same twice. `indented`: the answers have white space between their elements.
    """
    seeded = random.Random(groups)
    rules = {
        f"group-{index}": list(_rules(seeded, index, groups, _PORTS if merged else (*_PORTS, *_MORE_PORTS)))
        for index in range(groups)
    }
    written = dict(like.written, resources=dict(like.written["resources"]))
    declared = {name: _declared(some) for name, some in rules.items()}
    if changing:
        declared["group-0"]["ingress"][0].pop("description", None)
        rules["group-0"][0] = replace(rules["group-0"][0], description=CHANGES.decode())
    written["resources"]["security_group"] = like.written["resources"]["security_group"] | declared
    answers = dict(like.answers)
    live = [_live(name, some, like) for name, some in rules.items()]
    known = like.answers["DescribeSecurityGroups"]["SecurityGroups"]
    answers["DescribeSecurityGroups"] = {"SecurityGroups": [*known, *live]}
    folder.mkdir(parents=True)
    (folder / "document.json").write_text(json.dumps(written, separators=(",", ":")))
    (folder / "vpc_id").write_text(like.vpc_id)
    for one in calls(like.vpc_id):
        (folder / f"{one.name}.xml").write_bytes(as_xml(one, answers[one.name], indented=indented))


@dataclass(frozen=True)
class _Rule:
    """One inbound rule; `peer` is a CIDR or the index of a generated group."""

    ports: tuple[int, int]
    peer: str | int
    description: str


def _rules(seeded: random.Random, index: int, groups: int, ports: Sequence[Ports]) -> Iterator[_Rule]:
    """19 rules, in turns over `ports`; a tenth of their peers are groups, a twentieth IPv6 networks."""
    for number in range(RULES - 1):
        span, turn = ports[number % len(ports)], number // len(ports)
        chance = seeded.random()
        peer: str | int
        if chance < 0.10:  # in the two turns never the same peer: two rules would be one
            peer = seeded.randrange(groups // 2) * 2 + turn
        elif chance < 0.15:
            peer = f"2001:db8:{index + 1:x}:{number + 1:x}::/64"
        else:
            peer = f"10.{seeded.randrange(256)}.{seeded.randrange(128) * 2 + turn}.0/24"
        described = f"for client {index}-{number}" if seeded.random() < 0.5 else ""
        yield _Rule(span if isinstance(span, tuple) else (span, span), peer, described)


def _declared(rules: list[_Rule]) -> dict[str, Any]:
    def written(rule: _Rule) -> dict[str, Any]:
        first, last = rule.ports
        peer = f"security_group/group-{rule.peer}" if isinstance(rule.peer, int) else rule.peer
        wanted = {"protocol": "tcp", "ports": first if first == last else f"{first}-{last}", "source": peer}
        return wanted | ({"description": rule.description} if rule.description else {})

    everywhere = {"protocol": "all", "destination": "0.0.0.0/0"}
    return {"description": "A generated group", "ingress": [written(rule) for rule in rules], "egress": [everywhere]}


def _live(name: str, rules: list[_Rule], like: Reference) -> dict[str, Any]:
    """The group as DescribeSecurityGroups shows it: all peers of equal protocol and ports in one permission."""
    permissions: dict[tuple[int, int], dict[str, Any]] = {}
    for rule in rules:
        first, last = rule.ports
        empty: dict[str, Any] = {"IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}
        merged = permissions.setdefault(rule.ports, {"IpProtocol": "tcp", "FromPort": first, "ToPort": last, **empty})
        said = {"Description": rule.description} if rule.description else {}
        if isinstance(rule.peer, int):
            merged["UserIdGroupPairs"].append({**said, "UserId": ACCOUNT, "GroupId": _group_id(rule.peer)})
        elif ":" in rule.peer:
            merged["Ipv6Ranges"].append({**said, "CidrIpv6": rule.peer})
        else:
            merged["IpRanges"].append({**said, "CidrIp": rule.peer})
    group_id = _group_id(int(name.partition("-")[2]))
    tags = {"setpoint:document": like.written["name"], "setpoint:name": name}
    return {
        "GroupId": group_id,
        "GroupName": name,
        "Description": "A generated group",
        "OwnerId": ACCOUNT,
        "VpcId": like.vpc_id,
        "SecurityGroupArn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/{group_id}",
        "Tags": _tags(tags),
        "IpPermissions": list(permissions.values()),
        "IpPermissionsEgress": [
            {
                "IpProtocol": "-1",
                "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
                "Ipv6Ranges": [],
                "PrefixListIds": [],
                "UserIdGroupPairs": [],
            }
        ],
    }


def _group_id(index: int) -> str:
    return f"sg-{index + 0x1000:017x}"


def as_xml(call: Call, answer: Mapping[str, Any], *, indented: bool = False) -> bytes:
    """The answer as AWS sends it, by botocore's own description of the service (protocols `ec2` and `query`)."""
    model = service_model(call.service)
    root = ET.Element(f"{call.operation}Response", xmlns=str(model.metadata.get("xmlNamespace", "")))
    shape: Any = model.operation_model(call.operation).output_shape
    wrapper = shape.serialization.get("resultWrapper")
    _fill(ET.SubElement(root, wrapper) if wrapper else root, shape, answer)
    around = ET.SubElement(root, "ResponseMetadata") if wrapper else root
    ET.SubElement(around, "RequestId" if wrapper else "requestId").text = "00000000-0000-4000-8000-000000000000"
    if indented:
        ET.indent(root, "    ")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root)


def _fill(element: ET.Element, shape: Shape, value: Any) -> None:
    kind: Any = shape
    if shape.type_name == "structure":
        for name, member in kind.members.items():
            if value.get(name) is not None:
                _fill(ET.SubElement(element, str(member.serialization.get("name", name))), member, value[name])
    elif shape.type_name == "list":
        for one in value:
            _fill(ET.SubElement(element, str(kind.member.serialization.get("name", "member"))), kind.member, one)
    elif isinstance(value, bool):
        element.text = str(value).lower()
    elif isinstance(value, datetime):
        element.text = value.isoformat()
    else:
        element.text = str(value)
