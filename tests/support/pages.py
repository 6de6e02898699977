"""Receipts made by hand or by chance for the tests of the page, and what a page says, read back from its HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from random import Random
from typing import Any

type Receipt = dict[str, Any]

ACCOUNT, REGION = "123456789012", "eu-central-1"
STARTED = "2026-11-27T05:12:08Z"
_SEVERITIES = ("critical", "high", "medium", "low", "info")
_OUTCOMES = ("corrected", "held", "waiting", "blocked", "failed")
_REASONS = ("hold_tag", "downtime", "would_cut", "refused", "not_ready", "dependency")
_KINDS = {"security_group": "sg", "route_table": "rtb", "network_acl": "acl", "subnet": "subnet", "vpc": "vpc"}
VOID = {"meta", "input", "br", "link", "img", "hr"}


def aws_id(kind: str, number: int) -> str:
    """An id of AWS's form."""
    return f"{_KINDS[kind]}-{number:017x}"


def full() -> Receipt:
    """A receipt in which everything is there once: a plan with one difference, one call, and one of each list."""
    group, subnet = "security_group/Web", "subnet/A"
    rule = {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0", "description": "for a test"}
    end = {"kind": "workload", "name": "api", "label": "workload api", "address": None, "subnets": [subnet]}
    flow = {
        "from": {"kind": "internet", "name": "internet", "label": "the internet", "address": None, "subnets": []},
        "to": end,
        "traffic": "tcp 22",
        "addresses": "from anyone",
        "class": "undeclared",
        "on": [[0, 0]],
        "perhaps": [],
        "under_way": [],
        "certain": True,
        "verdict": "shut after call 1, stays shut",
        "rests_on": ["an assumption about the way"],
    }
    declared = {
        "vpc/Main": {"cidr_block": "10.0.0.0/16"},
        subnet: {"cidr_block": "10.0.1.0/24", "availability_zone": "eu-central-1a"},
        group: {"ingress": [], "egress": []},
        "route_table/T": {"routes": {"0.0.0.0/0": "internet_gateway/Door"}, "subnets": [subnet]},
        "internet_gateway/Door": {},
    }
    live = {address: {"id": None, "status": None, "spec": spec} for address, spec in declared.items()}
    live[group]["spec"] = {"ingress": [rule], "egress": []}
    live["internet_gateway/Door"]["spec"] = {"vpc": "vpc/Main"}
    return {
        "receipt": 1,
        "format_version": 1,
        "previous": {"key": "receipts/small/before.json.gz", "sha256": "aa11"},
        "run": {
            "id": "6f2c9a1e",
            "trigger": {"source": "event", "detail": "an event of EC2"},
            "tool": "9.9.9",
            "mode": "plan",
            "ending": "completed",
            "problem": "a problem of the run",
            "approved_by": "arn:aws:iam::123456789012:user/approver",
            "reads": 9,
            "writes": 0,
            "started": STARTED,
            "seconds": 0.25,
        },
        "account": ACCOUNT,
        "region": REGION,
        "document": {
            "name": "small",
            "revision": 7,
            "sha256": "bb22",
            "origin": "small.json",
            "version_id": "v3rs10n",
            "uploaded": {"who": "Deploy/ci", "at": "2026-11-27T04:00:00Z", "source_ip": "198.51.100.7"},
            "rollback": {"to": 5, "reason": "the port was wrong"},
        },
        "state": "open",
        "severity": "critical",
        "digest": "cc33",
        "policy": {"mode": "correct", "max_breaks": None},
        "started": STARTED,
        "seconds": 0.25,
        "wrote": False,
        "in_sync": False,
        "fingerprint": "0123456789abcdef",
        "held_as_a_whole": "the plan takes away 34 members",
        "ids": {group: aws_id("security_group", 1), subnet: aws_id("subnet", 2)},
        "drifted": [
            {
                "address": group,
                "id": aws_id("security_group", 1),
                "field": "ingress",
                "key": {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"},
                "sign": "remove",
                "want": None,
                "have": rule,
                "outcome": "held",
                "reason": "hold_tag",
                "message": "a hold tag",
                "consequence": {
                    "severity": "high",
                    "sentence": "TCP 22 can reach api.",
                    "flows": [{}],
                    "stopped_by": None,
                },
                "severity": "critical",
                "sentence": f"{group} lets in tcp 22 from anyone on the internet (0.0.0.0/0), which is not declared.",
                "number": 1,
            }
        ],
        "actions": [
            {
                "number": 1,
                "id": aws_id("security_group", 1),
                "operation": "ec2:RevokeSecurityGroupIngress",
                "address": group,
                "why": "revoke tcp 22 from 0.0.0.0/0",
                "loses": "a connection that is open",
                "phase": "unbind",
                "risk": "traffic",
                "breaks": 1,
                "resolves": [[group, "ingress"]],
                "resolves_drifted": [0],
                "params": {"GroupId": "<security_group/Web>"},
                "ended": "held",
                "reason": "dependency",
                "message": "after another call",
            }
        ],
        "findings": [
            {
                "address": "route_table/T",
                "id": None,
                "field": "routes",
                "key": None,
                "outcome": "blocked",
                "reason": "quota",
                "message": "too many routes",
            }
        ],
        "pending": [{"address": "db_instance/db", "id": "db", "field": "port", "now": "5432", "accepted": "5433"}],
        "unmanaged": [
            {
                "address": "security_group/default",
                "id": aws_id("security_group", 9),
                "ours": False,
                "remark": "it was made with the VPC",
            }
        ],
        "intents": [
            {
                "name": "nobody outside",
                "expect": "blocked",
                "status": "broken",
                "partly": False,
                "severity": "critical",
                "enforcement": "hold",
                "since": "2026-11-27T04:29:00Z",
                "pairs": [{"source": "the internet", "target": "api", "certain": True, "partly": False}],
                "pairs_in_all": 1,
                "witness": {"traffic": "tcp 22", "source": "1.0.0.0", "destination": "10.0.1.0"},
                "path": [
                    {
                        "component": "security_group/Web",
                        "side": "ingress",
                        "reply": False,
                        "member": "tcp 22",
                        "declared": False,
                        "passes": True,
                    }
                ],
                "blockers": [
                    {
                        "component": "network_acl/N",
                        "side": "ingress",
                        "decided_by": "network_acl/N in: entry 100",
                        "mend": ["network_acl/N, ingress: an entry to paste"],
                    }
                ],
                "nobody": ["a group that nobody has"],
                "unknown": ["a thing not known"],
                "rests_on": ["an assumption of the intent"],
                "after_plan": "kept",
                "tolerated_until": "2026-12-01T00:00:00Z",
            }
        ],
        "openings": [
            {
                "source": "the internet at large",
                "target": "server",
                "traffic": "udp 53",
                "opened": True,
                "certain": True,
                "replies": False,
            }
        ],
        "found_by": {group: {"id": aws_id("security_group", 1), "by": "tags", "how": "its tags"}},
        "untagged": ["vpc/Main"],
        "exceptions": [
            {
                "address": group,
                "field": "ingress",
                "value": {"protocol": "udp", "ports": 514, "source": "10.9.0.0/16"},
                "until": "2026-12-24T00:00:00Z",
                "reason": "moving the logs",
                "active": True,
            }
        ],
        "counts": {"drifted": 1, "reads": 9, "writes": 0},
        "network": {
            "declared": declared,
            "external": [],
            "workloads": {"api": {"subnets": [subnet], "security_groups": [group]}},
            "first": {
                "at": STARTED,
                "resources": live,
                "unmanaged": {
                    "security_group/sg-0000": {"id": "sg-0000", "name": "other", "spec": None, "made_by_aws": False}
                },
                "unread": {"db_instance/*": "rds is not allowed"},
            },
            "last": None,
        },
        "lanes": {
            "states": [
                {"name": "before", "call": None, "predicted": False},
                {"name": "after call 1", "call": 1, "predicted": True},
                {"name": "as declared", "call": None, "predicted": True},
            ],
            "basis": "predicted",
            "broken": False,
            "disagree": ["predicted otherwise"],
            "flows": [flow],
        },
        "holds": [
            {"address": group, "since": "2026-11-27T01:00:00Z", "who": "Ops/kim", "until": "2026-11-28T01:00:00Z"}
        ],
        "unseen": [{"kind": "db_instance", "why": "AccessDenied for rds"}],
        "actors": {
            group: {
                "who": "arn:aws:iam::123456789012:user/j.park",
                "call": "AuthorizeSecurityGroupIngress",
                "at": "2026-11-27T04:58:40Z",
                "source_ip": "203.0.113.8",
                "user_agent": "aws-cli/2",
                "event_id": "e7e47",
            }
        },
        "actors_unknown": "CloudTrail is late",
        "since": {group: "2026-11-27T04:29:00Z"},
        "since_unknown": None,
        "exposed": {group: 491},
        "exposed_unknown": [],
        "before": {},
        "left_out": {"unmanaged": 3},
    }


def by_chance(random: Random, differences: int) -> Receipt:
    """A receipt with so many differences, each of its own; what it says is by chance."""
    receipt = full()
    applied = random.random() < 0.4
    drifted, actions = [], []
    ids: dict[str, str] = {}
    actors: dict[str, Any] = {}
    for number in range(1, differences + 1):
        kind = random.choice(("security_group", "route_table", "network_acl", "subnet"))
        address = f"{kind}/n{number if random.random() < 0.7 else random.randint(1, number)}"
        ids[address] = aws_id(kind, 1000 + len(ids) if address not in ids else int(ids[address][-6:], 16))
        rule = {
            "protocol": random.choice(("tcp", "udp")),
            "ports": 10_000 + number,
            "source": f"10.{number % 250}.0.0/16",
            "description": f"reason {number}",
        }
        value = random.choice(
            (rule, f"value-{number}", number, True, [f"one-{number}", f"two-{number}"], {"a": f"map-{number}"})
        )
        want, have = random.choice(((value, None), (None, value), (value, f"other-{number}")))
        outcome = random.choice(_OUTCOMES) if applied else random.choice((None, None, "held"))
        held = outcome in {"held", "waiting", "blocked", "failed"}
        drifted.append(
            {
                "address": address,
                "id": ids[address],
                "field": random.choice(("ingress", "tags", "routes", None)),
                "key": random.choice((None, f"key-{number}")),
                "want": want,
                "have": have,
                "sign": "add" if have is None else "remove" if want is None else "change",
                "outcome": outcome,
                "reason": random.choice(_REASONS) if held else None,
                "message": f"because of {number}" if held else "",
                "consequence": None,
                "severity": random.choice((*_SEVERITIES, None)),
                "sentence": f"{address} differs, sentence {number}.",
                "number": number,
            }
        )
        actions.append(
            {
                "number": number,
                "id": ids[address],
                "operation": f"ec2:Call{number}",
                "address": address,
                "why": f"do {number}",
                "phase": "bind",
                "risk": "traffic",
                "breaks": 0,
                "resolves": [[address, "ingress"]],
                "resolves_drifted": [number - 1],
                "params": {},
                "ended": random.choice(("done", "failed", "skipped")) if applied else None,
                "reason": None,
                "message": "",
            }
        )
        if random.random() < 0.3:
            actors[address] = {
                "who": f"arn:aws:iam::123456789012:user/u{number}",
                "call": f"Did{number}",
                "at": "2026-11-27T04:58:40Z",
                "source_ip": None,
                "user_agent": None,
                "event_id": None,
            }
    run = receipt["run"] | {"mode": "apply" if applied else "plan"}
    receipt |= {
        "drifted": drifted,
        "actions": actions,
        "ids": receipt["ids"] | ids,
        "actors": actors,
        "run": run,
        "wrote": applied,
        "found_by": {},
    }
    return receipt


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every string in a JSON value, with its place; not the names of members."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))


def replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """A copy of a JSON value with another leaf at one place."""
    if not path:
        return new
    first, rest = path[0], path[1:]
    if isinstance(value, dict):
        return {name: replaced(inner, rest, new) if name == first else inner for name, inner in value.items()}
    return [replaced(inner, rest, new) if index == first else inner for index, inner in enumerate(value)]


class Told(HTMLParser):
    """A page, read back: its elements, their attributes, and all its text on one line."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.raw: dict[str, str] = {}
        self.feed(page)
        self.close()
        self.text = re.sub(r"\s+", " ", "".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), (tag, attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in {"style", "script"}:
            self.raw[self.open[-1]] = data
        else:
            self.words.append(data)

    @property
    def ids(self) -> list[str]:
        return [str(attributes["id"]) for _, attributes in self.elements if "id" in attributes]

    @property
    def links(self) -> list[str]:
        return [str(attributes["href"]) for _, attributes in self.elements if "href" in attributes]
