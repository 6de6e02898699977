"""Cloud Custodian (c7n) as it is measured: seven policies that ask of the same network what can be asked by conditions.

It lives in an environment of its own (`make bench-peers`), with its own boto3 and its own data about AWS.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from bench.calls import REGION
from bench.figures import ROOT
from bench.process import Taken, taken

_EVERYWHERE = {"op": "in", "value": ["0.0.0.0/0"]}
_OPEN_ENTRY = [{"RuleAction": "allow"}, {"Protocol": "-1"}, {"Egress": False}]
POLICIES = [
    {"name": "vpc", "resource": "aws.vpc", "filters": [{"type": "vpc-attributes", "dnshostnames": False}]},
    {
        "name": "subnet",
        "resource": "aws.subnet",
        "filters": [{"MapPublicIpOnLaunch": True}, {"tag:setpoint:name": "absent"}],
    },
    {
        "name": "group",
        "resource": "aws.security-group",
        "filters": [{"type": "ingress", "OnlyPorts": [80, 443], "Cidr": _EVERYWHERE}],
    },
    {
        "name": "route-table",
        "resource": "aws.route-table",
        "filters": [{"type": "route", "key": "State", "value": "blackhole"}],
    },
    {
        "name": "acl",
        "resource": "aws.network-acl",
        "filters": [
            {"IsDefault": False},
            {"type": "list-item", "key": "Entries", "attrs": _OPEN_ENTRY},
        ],
    },
    {"name": "gateway", "resource": "aws.internet-gateway", "filters": [{"Attachments": "empty"}]},
    {"name": "database", "resource": "aws.rds", "filters": [{"PubliclyAccessible": True}]},
]


def program(environment: dict[str, str], home: Path) -> Callable[[], Taken] | str:
    """A function that runs it once, or why it cannot be run."""
    custodian = ROOT / ".venv-peers" / "bin" / "custodian"
    if not custodian.exists():
        return "make bench-peers installs it"
    policies = home / "policies.json"
    policies.write_text(json.dumps({"policies": POLICIES}))
    command = [str(custodian), "run", "--region", REGION, "--cache-period", "0", "--output-dir", str(home / "out")]
    return lambda: taken([*command, str(policies)], environment, home)
