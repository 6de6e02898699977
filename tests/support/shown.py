"""Five receipts that a page is made of: what the browser looks at, and what `make bench` measures.

    plan     the example network with all drift of the demo, before anything is put right
    apply    the same, put right
    calm     the example network as declared
    wide     200 groups and 52 subnets in three zones, with 149 differences, most of them the same thing many times, of
             which eight workloads have some
    hostile  the plan, with other people's words wherever a receipt has some

They are made once for a process, by the product on the laboratory, but for `wide`: its answers of AWS are written here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from typing import Any, NamedTuple, cast

from desired_state.document import Document
from desired_state.load import load
from lab.drifts import DRIFTS
from lab.strict_aws import laboratory
from reconciler.aws.client import Aws
from reconciler.engine.run import Environment
from reconciler.engine.run import run as run_once
from reconciler.model import Policy
from reconciler.model.read import Read
from reconciler.report.receipt import receipt
from tests.support.damage import Recorded, Recorder
from tests.support.runs import REFERENCE, Clock, build, document

type Receipt = Mapping[str, Any]

NAMES = ("plan", "apply", "calm", "wide", "hostile")


class _Lived(NamedTuple):
    """What the laboratory gave: three receipts, and AWS's answers about the calm network."""

    plan: Receipt
    apply: Receipt
    calm: Receipt
    answers: Mapping[Read, list[Any]]


@cache
def shown(name: str) -> Receipt:
    """The receipt of that name. It belongs to all: copy it before you change it."""
    if name == "wide":
        return wide()
    if name == "hostile":
        return hostile(_lived().plan)
    return cast("Receipt", getattr(_lived(), name))


@cache
def _lived() -> _Lived:
    with laboratory(region=REFERENCE["scope"]["region"]) as lab:
        network = build(lab)
        looking = Recorder(network.aws)
        calm = run_once(
            document(), Environment(cast("Aws", looking), network.clock.now, network.clock.sleep), Policy(), write=False
        )
        for drift in DRIFTS:
            drift.apply(network.hands, network.live)
        plan, applied = network.plan(), network.run()
        return _Lived(receipt(plan), receipt(applied), receipt(calm), looking.answers)


# --- The last 30 days ---


def past(words: Iterator[str] | None = None) -> dict[str, Any]:
    """A history in which all that a page can show has happened; with `words`, in other people's."""
    days = [f"2026-{month:02}-{day:02}" for month, day in [(10, day) for day in range(23, 32)] + [(11, 1)]]
    spans = (
        (f"{days[0]}T09:00:00Z", f"{days[3]}T10:00:00Z", "sync"),
        (f"{days[3]}T10:00:00Z", f"{days[4]}T11:00:00Z", "differs"),
        (f"{days[4]}T11:00:00Z", f"{days[6]}T04:00:00Z", "sync"),
        (f"{days[6]}T04:00:00Z", f"{days[6]}T09:00:00Z", "open"),
        (f"{days[6]}T09:00:00Z", f"{days[8]}T00:00:00Z", "unseen"),
        (f"{days[8]}T00:00:00Z", "2026-11-22T09:00:00Z", "sync"),
    )
    told = (
        (
            "open",
            "critical",
            "security_group/DBSG",
            "ingress: tcp 5432 from 0.0.0.0/0",
            "Reporting/metabase",
            "corrected",
        ),
        ("differs", "low", "vpc/MyVPC", "tags", None, "held: the plan takes away 34 live members"),
        ("sync", None, "", "put in force: 3 calls", "Deploy/ci", 'rollback to r5: "wrong port"'),
    )
    episodes = [
        {
            "from": f"{days[number + 3]}T10:02:00Z",
            "to": None if number == 1 else f"{days[number + 4]}T10:06:04Z",
            "severity": severity,
            "revision": 7 - number,
            "address": address,
            "text": next(words) if words else text,
            "who": next(words) if words and who else who,
            "outcome": next(words) if words else outcome,
            "receipt": "6f2c9a1e-0000-4000-8000-000000000000",
            "open_s": 244 if state == "open" else None,
        }
        for number, (state, severity, address, text, who, outcome) in enumerate(told)
    ]
    return {
        "format_version": 1,
        "document": REFERENCE["name"],
        "account": "123456789012",
        "region": REFERENCE["scope"]["region"],
        "days": 30,
        "from": spans[0][0],
        "to": spans[-1][1],
        "segments": [{"from": start, "to": end, "state": state} for start, end, state in spans],
        "share_as_declared": 0.912,
        "episodes": episodes,
        "longest_s": 90_000,
        "open_s": 244,
        "looks": 43_190,
        "looks_that_saw_nothing": 4,
        "longest_gap_s": 360,
        "findings": [],
    }


# --- A wide network ---

GROUPS, SUBNETS, TEAMS, ZONES = 200, 52, 8, "acd"
_PORTS = (443, 8080, 8443, 9092, 6379)


def wide(groups: int = GROUPS, differences: int = 149, *, lanes: bool = True) -> Receipt:
    """The receipt of a plan over a network of that many groups, where that many rules are not as declared."""
    grown = _Grown(_lived().answers, groups, SUBNETS)
    grown.spoil(differences)
    clock = Clock()
    aws = cast("Aws", Recorded(grown.answers))
    report = run_once(grown.document, Environment(aws, clock.now, clock.sleep), Policy(), write=False)
    return receipt(report, lanes=lanes)


class _Grown:
    """The example network with more groups and subnets, as a document and as AWS answers."""

    def __init__(self, answers: Mapping[Read, list[Any]], groups: int, subnets: int) -> None:
        self.answers = {read: _plain(items) for read, items in answers.items()}
        self._items = {read.operation: items for read, items in self.answers.items()}
        self._written = deepcopy(REFERENCE)
        resources = self._written["resources"]
        for number in range(groups - len(resources["security_group"])):
            self._group(number)
        for number in range(subnets - len(resources["subnet"])):
            self._subnet(number)
        for number in range(TEAMS):
            self._written["workloads"][f"team-{number:02}"] = {
                "subnets": [f"subnet/service-{number:03}", f"subnet/service-{number + TEAMS:03}"],
                "security_groups": [f"security_group/service-{number * 7:03}"],
            }

    @property
    def document(self) -> Document:
        return load(json.dumps(self._written).encode(), "wide.json")

    def spoil(self, differences: int) -> None:
        """What people did: four of five opened SSH to everyone, the fifth took out the rule that its clients need."""
        mine = [one for one in self._items["DescribeSecurityGroups"] if one["GroupName"].startswith("service-")]
        for number in range(differences):
            group = mine[number % len(mine)]
            turn = number // len(mine)
            if number % 5 == 4 and not turn:
                del group["IpPermissions"][0]
            else:
                group["IpPermissions"].append(_permission(22 + turn, "0.0.0.0/0", "temporary"))

    def _group(self, number: int) -> None:
        name, port = f"service-{number:03}", _PORTS[number % len(_PORTS)]
        like = self._items["DescribeSecurityGroups"][0]
        source = f"10.0.{number % 250}.0/24"
        self._written["resources"]["security_group"][name] = {
            "description": "A service",
            "ingress": [{"protocol": "tcp", "ports": port, "source": source, "description": "From its clients"}],
            "egress": [{"protocol": "all", "destination": "0.0.0.0/0"}],
        }
        more = {
            "GroupId": f"sg-{number + 0x1000:017x}",
            "GroupName": name,
            "Description": "A service",
            "Tags": self._tags(name),
            "IpPermissions": [_permission(port, source, "From its clients")],
        }
        self._items["DescribeSecurityGroups"].append(deepcopy(like) | more)

    def _subnet(self, number: int) -> None:
        name, aws_id = f"service-{number:03}", f"subnet-{number + 0x1000:017x}"
        zone, block = f"ap-northeast-2{ZONES[number % len(ZONES)]}", f"10.0.{number + 16}.0/24"
        resources, items = self._written["resources"], self._items
        resources["subnet"][name] = {"cidr_block": block, "availability_zone": zone, "map_public_ip_on_launch": False}
        like = next(one for one in items["DescribeSubnets"] if not one["MapPublicIpOnLaunch"])
        more = {"SubnetId": aws_id, "CidrBlock": block, "AvailabilityZone": zone, "Tags": self._tags(name)}
        items["DescribeSubnets"].append(deepcopy(like) | more)
        for kind, table, read, told in (
            ("route_table", "PrivateRouteTable", "DescribeRouteTables", "RouteTableAssociationId"),
            ("network_acl", "PrivateSubnetACL", "DescribeNetworkAcls", "NetworkAclAssociationId"),
        ):
            resources[kind][table]["subnets"].append(f"subnet/{name}")
            live = next(one for one in items[read] if {"Key": "setpoint:name", "Value": table} in one["Tags"])
            seat = deepcopy(live["Associations"][0])
            live["Associations"].append(seat | {"SubnetId": aws_id, told: f"{seat[told]}{number}"})

    def _tags(self, name: str) -> list[dict[str, str]]:
        ours = {"setpoint:document": self._written["name"], "setpoint:name": name}
        return [{"Key": key, "Value": value} for key, value in ours.items()]


def _plain(value: Any) -> Any:
    """A copy that is free of what a run remembers of an item."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _permission(port: int, source: str, described: str) -> dict[str, Any]:
    return {
        "IpProtocol": "tcp",
        "FromPort": port,
        "ToPort": port,
        "IpRanges": [{"CidrIp": source, "Description": described}],
        "Ipv6Ranges": [],
        "PrefixListIds": [],
        "UserIdGroupPairs": [],
    }


# --- Other people's words ---

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "</style></textarea></title></noscript><img src=x onerror=alert(3)>",
    "<svg/onload=alert(4)>",
    '" onmouseover="alert(5)" x="',
    "' autofocus onfocus='alert(6)",
    "javascript:alert(7)",
    "{{ 7 * 7 }}{% raw %}${7*7}",
    "&lt;b&gt;&amp;&#x3c;i&#x3e;&#0;",
    "\u202egnirts desrever\u2066\u200f",
    "a\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308\u0309\u030a\u030b" * 3,
    "x" * 5_000,
    "nul\x00bell\x07escape\x1b[31mred\x1b[0m",
    "half \ud83d surrogate",
    '=HYPERLINK("http://198.51.100.9/","click")',
    "[click](http://198.51.100.9/) ![i](http://198.51.100.9/i.png) | `code` | @everyone",
    '<meta http-equiv="refresh" content="0;url=http://198.51.100.9/">',
    '<a href="http://198.51.100.9/">click</a><form action="http://198.51.100.9/"><button>go</button></form>',
    "<!-- --><![CDATA[ ]]><?php ?>",
    "KEPT",
    "",
)
"""What somebody may write into a description, a tag or a user agent to be read by whoever gets the page."""

_FOREIGN = frozenset({"description", "who", "call", "source_ip", "user_agent", "event_id", "message", "origin", "why"})


def hostile(plain: Receipt) -> Receipt:
    """The same receipt, in which every word that is not Setpoint's own is hostile, each in its turn."""
    words = turns()
    changed = cast("dict[str, Any]", _planted(deepcopy(dict(plain)), words))
    for one in changed["unmanaged"]:
        one["remark"] = next(words)
    for one in changed["drifted"]:
        for side in ("want", "have"):
            if isinstance(one[side], str):
                one[side] = next(words)
    addresses = list(dict.fromkeys(one["address"] for one in changed["drifted"]))
    told = ("who", "call", "source_ip", "user_agent", "event_id")
    changed["actors"] = {
        address: {"at": "2026-11-22T08:51:00Z", **{name: next(words) for name in told}} for address in addresses
    }
    changed["actors_unknown"] = None
    changed["holds"] = [
        {"address": addresses[0], "since": "2026-11-22T08:00:00Z", "who": next(words), "until": None},
        {"address": addresses[1], "since": None, "who": next(words), "until": None},
    ]
    changed["unseen"] = [{"kind": "db_instance", "why": word} for word in HOSTILE]
    changed["document"]["uploaded"] = {"who": next(words), "at": "2026-11-22T07:00:00Z", "source_ip": next(words)}
    changed["document"]["rollback"] = {"to": 3, "reason": next(words)}
    changed["run"] |= {"id": next(words), "problem": next(words), "approved_by": next(words)}
    return changed


def turns() -> Iterator[str]:
    while True:
        yield from HOSTILE


def _planted(value: Any, words: Iterator[str]) -> Any:
    if isinstance(value, dict):
        return {
            key: next(words) if key in _FOREIGN and isinstance(inner, str) else _planted(inner, words)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_planted(inner, words) for inner in value]
    return value
