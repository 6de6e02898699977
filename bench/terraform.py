"""Terraform as it is measured, where it and its provider for AWS are found: nothing is downloaded.

`TERRAFORM_PLUGINS` names a folder with providers, laid out as Terraform's own mirrors are; by default those are looked
at. It plans the generated groups alone, with the rules in them, out of a state that it has imported.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.calls import REGION, calls, parser
from bench.process import Taken, taken
from bench.worlds import as_xml

_NETWORK = ["-input=false", "-no-color"]


def one_by_one(world: Path) -> None:
    """The answers about each generated group alone, as the server finds them."""
    call = next(one for one in calls((world / "vpc_id").read_text()) if one.name == "DescribeSecurityGroups")
    for group in _groups(world):
        (world / f"{call.name}.{group['GroupId']}.xml").write_bytes(as_xml(call, {"SecurityGroups": [group]}))


def program(world: Path, environment: dict[str, str], home: Path) -> Callable[[], Taken] | str:
    """A function that runs it once, or why it cannot be run."""
    found = shutil.which("terraform")
    if not found:
        return "no terraform on the PATH"
    plugins = next((one for one in _mirrors() if list(one.glob("*/hashicorp/aws"))), None)
    if not plugins:
        return "its provider for AWS; TERRAFORM_PLUGINS names a folder that has it"
    where = environment | {"CHECKPOINT_DISABLE": "1"}

    def run(*words: str) -> None:
        told = subprocess.run(
            [found, *words, *_NETWORK], check=False, env=where, cwd=home, capture_output=True, text=True, timeout=900
        )
        assert told.returncode == 0, told.stdout + told.stderr

    groups = list(_groups(world))
    (home / "main.tf.json").write_text(json.dumps(_written(groups)))
    imports = [{"to": f"aws_security_group.{one['GroupName']}", "id": one["GroupId"]} for one in groups]
    (home / "imports.tf.json").write_text(json.dumps({"import": imports}))
    run("init", f"-plugin-dir={plugins}")
    run("apply", "-auto-approve")
    (home / "imports.tf.json").unlink()
    return lambda: taken([found, "plan", "-detailed-exitcode", *_NETWORK], where, home)


def _mirrors() -> Iterator[Path]:
    if named := os.environ.get("TERRAFORM_PLUGINS"):
        yield Path(named)
    yield Path.home() / ".terraform.d" / "plugins"
    yield Path("/usr/local/share/terraform/plugins")


def _groups(world: Path) -> Iterator[dict[str, Any]]:
    call = next(one for one in calls((world / "vpc_id").read_text()) if one.name == "DescribeSecurityGroups")
    answer = parser(call)((world / f"{call.name}.xml").read_bytes())
    return (one for one in answer["SecurityGroups"] if one["GroupName"].startswith("group-"))


def _written(groups: list[dict[str, Any]]) -> dict[str, Any]:
    """The configuration, in Terraform's JSON."""
    unasked = ("skip_credentials_validation", "skip_requesting_account_id", "skip_region_validation")
    resources = {
        one["GroupName"]: {
            "name": one["GroupName"],
            "description": one["Description"],
            "vpc_id": one["VpcId"],
            "tags": {tag["Key"]: tag["Value"] for tag in one["Tags"]},
            "ingress": [rule for permission in one["IpPermissions"] for rule in _rules(permission, one["GroupId"])],
            "egress": [
                rule for permission in one["IpPermissionsEgress"] for rule in _rules(permission, one["GroupId"])
            ],
        }
        for one in groups
    }
    return {
        "terraform": {"required_providers": {"aws": {"source": "hashicorp/aws"}}},
        "provider": {"aws": {"region": REGION, **dict.fromkeys(unasked, True)}},
        "resource": {"aws_security_group": resources},
    }


def _rules(permission: dict[str, Any], own: str) -> Iterator[dict[str, Any]]:
    """A rule for each peer; Terraform wants every attribute."""
    nothing = {"cidr_blocks": [], "ipv6_cidr_blocks": [], "prefix_list_ids": [], "security_groups": [], "self": False}
    ports = {"from_port": permission.get("FromPort", 0), "to_port": permission.get("ToPort", 0)}
    common = nothing | ports | {"protocol": permission["IpProtocol"]}
    for one in permission.get("IpRanges", ()):
        yield common | {"cidr_blocks": [one["CidrIp"]], "description": one.get("Description", "")}
    for one in permission.get("Ipv6Ranges", ()):
        yield common | {"ipv6_cidr_blocks": [one["CidrIpv6"]], "description": one.get("Description", "")}
    for one in permission.get("UserIdGroupPairs", ()):
        peer = {"self": True} if one["GroupId"] == own else {"security_groups": [one["GroupId"]]}
        yield common | peer | {"description": one.get("Description", "")}
