"""Receipts for tests: real ones, made in the laboratory, and kept as JSON so that most tests need no laboratory.

`fixture` reads one of NAMES. A test makes them anew and compares; `python -m tests.support.receipts` writes them anew
after a change of what receipts say. With a folder it writes there all of them, and what is too long to be kept.
"""

from __future__ import annotations

import json
import re
import sys
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from desired_state.fields import Address
from lab.drifts import DRIFTS
from lab.strict_aws import laboratory
from reconciler.engine.result import Report
from reconciler.model import Outcome, Policy
from reconciler.model.trigger import Actor, Source, Trigger, Upload
from reconciler.report.attempt import AttemptResult, Ending, HoldTag
from reconciler.report.exposure import exposes
from reconciler.report.receipt import receipt, receipt_of_attempt
from tests.support.runs import MORNING, REFERENCE, Network, build, document

NAMES = ("calm", "plan", "apply", "hostile", "refused")
"""In sync, the demo's drifts as a command plans them, the same as a worker has corrected them, what other people write
wherever they can, and a document that is refused.
"""
HOSTILE = (
    "<script>alert(1)</script>",
    "</style></title></textarea><img src=x onerror=alert(2)>",
    "\"'><svg onload=alert(3)>",
    "{{7*7}}{% raw %}&lt;b&gt;",
    "abc\u202egnp.exe\u2066\u200b\u2028\ufeff",
    "z\u0300" + "\u0301" * 40,
    '=HYPERLINK("https://evil.example")',
    "| [a](https://evil.example) `` ` @channel <https://evil.example|x>",
    "long " * 1_000,
    "KEPT",
)
"""What somebody writes into a tag, a name or a user agent, besides a NUL and half of a character."""
_FOLDER = Path(__file__).with_name("receipts")
_ID = re.compile(r"\b([a-z]+(?:-[a-z]+)*)-[0-9a-f]{17}\b")
WHO = "arn:aws:sts::123456789012:assumed-role/Reporting/metabase"


def fixture(name: str) -> dict[str, Any]:
    """A kept receipt, one of NAMES; it belongs to the caller."""
    return deepcopy(_read(name))


@cache
def _read(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return read


def steady(one: dict[str, Any]) -> dict[str, Any]:
    """A receipt with its AWS ids numbered in their order, so that two laboratories make the same."""
    one = deepcopy(one)
    for look in (one.get("network") or {}).values():
        if isinstance(look, dict) and "unmanaged" in look:
            look["unmanaged"] = dict(sorted(look["unmanaged"].items(), key=_without_ids))
    if "unmanaged" in one:
        one["unmanaged"] = sorted(one["unmanaged"], key=_without_ids)
    seen: dict[str, str] = {}

    def numbered(found: re.Match[str]) -> str:
        return seen.setdefault(found[0], f"{found[1]}-{len(seen) + 1:017x}")

    steadied: dict[str, Any] = json.loads(_ID.sub(numbered, json.dumps(one)))
    return steadied


def _without_ids(value: Any) -> str:
    return _ID.sub("", json.dumps(value))


def made(net: Network) -> dict[str, dict[str, Any]]:
    """All of NAMES, made on the reference network, which is left as the drifts have made it; at the same time of day
    whatever was done in it before.
    """
    now, net.clock.at = net.clock.at, net.started
    found = {"calm": receipt(net.plan(net.document))}
    for one in DRIFTS:
        one.apply(net.hands, net.live)
    found["plan"] = receipt(net.plan(net.document))
    found["apply"] = receipt_of_attempt(attempt(net.run(net.document)))
    found["hostile"] = receipt_of_attempt(_hostile(net))
    found["refused"] = receipt_of_attempt(
        AttemptResult("test-server", "run-2", Ending.REFUSED, Trigger(Source.DOCUMENT), problem="revision 6 is older")
    )
    net.clock.at = max(now, net.clock.at)
    return {name: steady(one) for name, one in found.items()}


def attempt(report: Report, who: str = WHO, agent: str = "aws-cli/2.30") -> AttemptResult:
    """What a worker knows of a run besides its report: who made each change, since when, and who uploaded."""
    changed = dict.fromkeys(one.address for one in report.drifts)
    call = "AuthorizeSecurityGroupIngress"
    at = report.started - timedelta(minutes=8)
    closed = [one.address for one in report.drifts if one.outcome is Outcome.CORRECTED and exposes(one)]
    event = "0c5d0c3f-2f6b-4a2d-9d53-1d2f6e2b7a10"
    return AttemptResult(
        report.document.name,
        "6f2c9a1e-57d1-4c1a-9d57-7d1b0f3c1a2e",
        Ending.COMPLETED,
        Trigger(Source.CHANGE, account=report.document.scope.account_id),
        report,
        actors={one: Actor(who, call, at, "198.51.100.7", agent, event) for one in changed},
        exposed=dict.fromkeys(closed, 480.0),
        drift_since={one.difference.identity: at for one in report.drifts},
        version_id="3HL4kqtJvjVBH40Nrjfkd",
        upload=Upload("3HL4kqtJvjVBH40Nrjfkd", "111122223333", MORNING - timedelta(days=2), "198.51.100.9"),
        hold_tags={Address("subnet/PublicSubnet1"): HoldTag(MORNING - timedelta(hours=2))},
    )


def _hostile(net: Network) -> AttemptResult:
    """The plan of a network and a document full of what other people write, told by an attempt."""
    ec2 = net.outsider("ec2")
    for number, text in enumerate(HOSTILE):
        made = ec2.create_security_group(GroupName=f"group {number}", Description="x", VpcId=net.live["vpc/MyVPC"])
        ec2.create_tags(Resources=[made["GroupId"]], Tags=[{"Key": "Name", "Value": text[:250]}])
        ec2.create_tags(Resources=[net.live["subnet/PublicSubnet1"]], Tags=[{"Key": f"k{number}", "Value": text[:250]}])
    written = deepcopy(REFERENCE)
    subnet = written["resources"]["subnet"]["PublicSubnet1"]
    subnet["note"] = HOSTILE[0]
    subnet["tags"] = {f"k{number}": "mine" for number in range(len(HOSTILE))}
    for number, intent in enumerate(written["intents"]):
        intent["name"] = f"{number} {HOSTILE[number]}"[:256]
    group = written["resources"]["security_group"]["APIGatewaySG"]
    for rule in group["ingress"]:
        rule["description"] = "{{7*7}} _=[a]"
    report = net.plan(document(lambda one: one.update(written)))
    told = attempt(report, f"arn:aws:iam::123456789012:user/{HOSTILE[1]}\x00\ud800", HOSTILE[4])
    return replace(told, problem=HOSTILE[3], approved_by=HOSTILE[2])


GROUPS, SUBNETS, ZONES = 200, 52, "abc"


def large_document() -> dict[str, Any]:
    """A VPC of 200 groups and 52 subnets in three zones, as a document writes it."""
    region = REFERENCE["scope"]["region"]
    tiers = ("public", "private")
    names = [(tiers[number % 2], number) for number in range(SUBNETS)]
    subnets = {
        f"{tier}-{number:02}": {
            "cidr_block": f"10.0.{number}.0/24",
            "availability_zone": f"{region}{ZONES[number % 3]}",
            "map_public_ip_on_launch": False,
        }
        for tier, number in names
    }
    listed = {tier: [f"subnet/{name}" for name in subnets if name.startswith(tier)] for tier in tiers}
    everywhere = [{"protocol": "all", "destination": "0.0.0.0/0"}]
    groups = {
        f"service-{number:03}": {
            "description": f"service {number}",
            "ingress": [
                {
                    "protocol": "tcp",
                    "ports": 8000 + number,
                    "source": f"security_group/service-{(number + 1) % GROUPS:03}",
                },
                {"protocol": "tcp", "ports": 9000, "source": "10.0.0.0/16", "description": "metrics"},
                {"protocol": "tcp", "ports": 443, "source": f"10.0.{number % SUBNETS}.0/24"},
            ],
            "egress": everywhere,
        }
        for number in range(GROUPS)
    }
    open_both = {"100": {"action": "allow", "protocol": "all", "source": "0.0.0.0/0"}}
    out = {"100": {"action": "allow", "protocol": "all", "destination": "0.0.0.0/0"}}
    return {
        "version": 1,
        "name": "large",
        "revision": 7,
        "scope": REFERENCE["scope"],
        "resources": {
            "vpc": {"Main": {"cidr_block": "10.0.0.0/16", "enable_dns_support": True, "enable_dns_hostnames": True}},
            "internet_gateway": {"Out": {}},
            "subnet": subnets,
            "route_table": {
                "public": {"routes": {"0.0.0.0/0": "internet_gateway/Out"}, "subnets": listed["public"]},
                "private": {"routes": {}, "subnets": listed["private"]},
            },
            "security_group": groups,
            "network_acl": {tier: {"subnets": listed[tier], "ingress": open_both, "egress": out} for tier in tiers},
        },
        "workloads": {
            f"team-{number:02}": {
                "subnets": [f"subnet/{name}" for name in list(subnets)[number::12]],
                "security_groups": [f"security_group/service-{one:03}" for one in range(number, GROUPS, 50)][:2],
            }
            for number in range(12)
        },
    }


def large(*, lanes: bool = True) -> dict[str, dict[str, Any]]:
    """`large-plan`, `large-apply` and `large-calm`: the large network with some 149 differences. Takes a minute."""
    wanted = document(base=large_document())
    policy = Policy(create_databases=True, quota_rules=200)
    with laboratory() as lab:
        net = Network(lab, live=None, clean=None, empty=lab.save())  # type: ignore[arg-type]
        for _ in range(4):
            if net.run(wanted, policy).in_sync:
                break
        calm = net.plan(wanted, policy)
        ids = calm.ids
        ec2 = net.outsider("ec2")
        for number in range(GROUPS):
            group = ids[Address(f"security_group/service-{number:03}")]
            rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
            if number % 2 == 0:
                cidr = "0.0.0.0/0" if number % 40 == 0 else "198.51.100.0/24"
                ec2.authorize_security_group_ingress(
                    GroupId=group, IpPermissions=[rule | {"IpRanges": [{"CidrIp": cidr}]}]
                )
            if number % 5 == 0:
                gone = {"IpProtocol": "tcp", "FromPort": 9000, "ToPort": 9000, "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}
                ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[gone])
        for number in range(0, SUBNETS, 6):
            subnet = ids[Address(f"subnet/public-{number:02}")]
            ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
        found = {"large-calm": receipt(calm, lanes=lanes)}
        found["large-plan"] = receipt(net.plan(wanted, policy), lanes=lanes)
        return found | {"large-apply": receipt(net.run(wanted, policy), lanes=lanes)}


def main(folder: str = "") -> None:
    """Write NAMES to where they are kept, and with a folder everything there."""
    with laboratory() as lab:
        found = made(build(lab))
    _FOLDER.mkdir(exist_ok=True)
    for name, one in found.items():
        (_FOLDER / f"{name}.json").write_text(json.dumps(one, indent=1) + "\n", encoding="utf-8")
    for name, one in ({**found, **large()} if folder else {}).items():
        Path(folder, f"{name}.json").write_text(json.dumps(one), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
