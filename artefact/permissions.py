"""The permissions of the functions, derived from the kinds' tables: IAM statements, and the list of every call.

`template.yaml` and `templates/target-role.yaml` contain the statements verbatim; tests compare both ways. `denied.py`
has what is denied all the same. The artefact has only the botocore models of `calls()`. `permissions_page.py` generates
`docs/permissions.md`.

The resource types and condition keys of each action: Service Authorization Reference, "Actions, resources, and
condition keys for Amazon EC2" and "... for Amazon RDS". `ec2:Vpc` is an ARN, and not every resource in a VPC has it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from reconciler.engine.interfaces import PERMISSION as INTERFACES
from reconciler.kinds import REGISTRY
from reconciler.model import DOCUMENT_TAG, Operation, Phase
from reconciler.model.kind import Kind

_ARN = "arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}"
_ANY_VPC = "arn:*:ec2:*:*:vpc/"
"""VPC ids are unique everywhere, and the delimiter of Fn::Join cannot be a function, so the partition is a wildcard."""

VPC_ARNS = {
    "Fn::Split": [",", {"Fn::Join": ["", [_ANY_VPC, {"Fn::Join": [f",{_ANY_VPC}", {"Ref": "VpcIds"}]}]]}],
}
_IN_VPC = {"ArnLike": {"ec2:Vpc": VPC_ARNS}}
_THE_VPC = {"StringLike": {"ec2:VpcID": {"Ref": "VpcIds"}}}
_VIA_RDS = {"Bool": {"aws:ViaAWSService": "true"}}
"""Only what a service does on behalf of the role: its session cannot make the call itself (IAM user guide, Global
condition keys, aws:ViaAWSService).
"""
_OWNED = {"Null": {f"aws:ResourceTag/{DOCUMENT_TAG}": "false"}}
_CREATED_OWNED = {"Null": {f"aws:RequestTag/{DOCUMENT_TAG}": "false"}}

_TAGGING = frozenset({"ec2:CreateTags", "rds:AddTagsToResource"})
_NAMED = "${DatabaseNames}"


class _Bound(NamedTuple):
    """How IAM restricts calls on one resource type: the last part of its ARN, a condition, and the Sid's middle; `also`
    is the last part of the ARN of others of that type.
    """

    resource: str
    condition: Mapping[str, Any]
    sid: str = ""
    also: str = ""


_BOUNDS: Mapping[str, _Bound] = {
    **{
        f"ec2:{one}": _Bound(f"{one}/*", _IN_VPC, "InVpc")
        for one in ("network-acl", "route-table", "security-group", "subnet")
    },
    "ec2:vpc": _Bound("vpc/*", _THE_VPC),
    # A rule has neither Setpoint's tag nor a VPC; the same call is also checked against its group, which has one.
    "ec2:security-group-rule": _Bound("security-group-rule/*", {}),
    # A rule refers to it, no call changes it. AWS-managed prefix lists belong to no account.
    "ec2:prefix-list": _Bound("prefix-list/*", {}),
    "rds:db": _Bound(f"db:{_NAMED}", _OWNED),
    # Its tags are read only if they are declared, so an adopted one may not have Setpoint's tag.
    "rds:subgrp": _Bound(f"subgrp:{_NAMED}", {}),
    # RDS gives an instance its default groups unless others are named, and checks the call against them.
    "rds:og": _Bound("og:default:*", {}, "DefaultGroups"),
    "rds:pg": _Bound("pg:default.*", {}, "DefaultGroups", f"pg:{_NAMED}"),
}
"""A resource type that is not listed here is restricted by Setpoint's tag."""

MONITORING = "monitoring.rds.amazonaws.com"
"""The only service that a role may be given to."""
_ALSO_NEEDED: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "secretsmanager": ("MasterSecrets", _ARN.format(service="secretsmanager", resource="secret:rds!db-*"), _VIA_RDS),
    "kms": ("LookAtKeys", _ARN.format(service="kms", resource="key/*"), {}),
    "iam": (
        "PassMonitoringRole",
        "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${MonitoringRole}",
        {"StringEquals": {"iam:PassedToService": MONITORING}},
    ),
}
"""What RDS does on the caller's behalf to manage a master password (RDS user guide, Password management with Secrets
Manager), and the one role that it may be given, to write the metrics of enhanced monitoring (RDS user guide, Enhanced
Monitoring): the statement's Sid, resource and condition.
"""


@dataclass(frozen=True)
class Statement:
    """One Allow statement. `resources` are strings for Fn::Sub; `checks` are the ones that each action is checked
    against; `requires_setting` is the setting without which a role does not have it; `creates`: it is for creating, and
    for the tags set then.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Mapping[str, Any]
    requires_setting: str = ""
    checks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    creates: bool = False

    def as_iam(self) -> dict[str, Any]:
        """As in the template, with CloudFormation's functions in their long form."""
        statement: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": list(self.actions),
            "Resource": [{"Fn::Sub": one} if "${" in one else one for one in self.resources],
        }
        return statement | ({"Condition": self.condition} if self.condition else {})


class ApiCall(NamedTuple):
    """A call that the functions or the command line make themselves: botocore's service and operation, and the
    permissions that it needs.
    """

    service: str
    operation: str
    permissions: tuple[str, ...]
    doors: frozenset[str]


_RUNNERS = frozenset({"worker", "invoke"})
_ASKED = _RUNNERS | {"plan"}
_ALL = _RUNNERS | {"sweep"}

DOORS = (
    ApiCall("s3", "ListObjectsV2", ("s3:ListBucket",), frozenset({"sweep", "invoke", "plan", "terminal"})),
    # Without s3:ListBucket S3 answers 403 for a deleted object (S3 API reference, GetObject).
    ApiCall("s3", "GetObject", ("s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"), _ASKED),
    ApiCall("s3", "GetObject", ("s3:GetObject",), frozenset({"terminal"})),
    ApiCall("s3", "PutObject", ("s3:PutObject",), _RUNNERS),
    # `rollback` alone: no function may list what was, and none may write a document.
    ApiCall("s3", "ListObjectVersions", ("s3:ListBucketVersions",), frozenset({"terminal"})),
    ApiCall("s3", "PutObject", ("s3:PutObject",), frozenset({"terminal"})),
    ApiCall("cloudformation", "DescribeStacks", ("cloudformation:DescribeStacks",), frozenset({"terminal"})),
    ApiCall("dynamodb", "Scan", ("dynamodb:Scan",), _ASKED | {"sweep", "terminal"}),
    ApiCall("dynamodb", "GetItem", ("dynamodb:GetItem",), frozenset({"terminal"})),
    ApiCall("dynamodb", "UpdateItem", ("dynamodb:UpdateItem",), _ASKED),
    ApiCall("sqs", "SendMessageBatch", ("sqs:SendMessage",), _ALL),
    ApiCall("sns", "Publish", ("sns:Publish", "kms:Decrypt", "kms:GenerateDataKey"), _ALL),
    ApiCall("events", "PutEvents", ("events:PutEvents",), _RUNNERS),
    ApiCall("cloudtrail", "LookupEvents", ("cloudtrail:LookupEvents",), _ASKED | {"terminal"}),
    ApiCall("sts", "AssumeRole", ("sts:AssumeRole",), _ASKED),
    ApiCall("sts", "GetCallerIdentity", (), frozenset({"terminal"})),
)
"""Every call besides the kinds'. Lambda itself reads the queue and writes the logs."""


def calls() -> dict[str, frozenset[str]]:
    """Every API operation that the functions call, by botocore's name of the service. The terminal has all of it."""
    found: dict[str, set[str]] = defaultdict(set)
    reads = read_permissions().actions
    for permission in (*reads, *(one.permission for kind in REGISTRY.values() for one in kind.operations)):
        service, _, operation = permission.partition(":")
        found[service].add(operation)
    for one in DOORS:
        if one.doors != {"terminal"}:
            found[one.service].add(one.operation)
    return {service: frozenset(found[service]) for service in sorted(found)}


def read_permissions(kinds: Mapping[str, Kind] = REGISTRY) -> Statement:
    """The statement for the kinds' reads, and for the one that only a document with intents needs: most Describe calls
    support no resource but `*`, and the others list all.
    """
    actions = sorted({INTERFACES, *(permission for kind in kinds.values() for permission in kind.observe.permissions)})
    return Statement("Look", tuple(actions), ("*",), {})


def writes(service: str, kinds: Mapping[str, Kind] = REGISTRY) -> tuple[Statement, ...]:
    """The statements for all write calls to `service` (ec2 or rds), in a fixed order."""
    found: dict[tuple[str, str], _Gathered] = defaultdict(_Gathered)
    for kind in kinds.values():
        for one in kind.operations:
            if one.service == service:
                for need in _needs(one):
                    gathered = found[need.setting or one.requires_setting, need.sid]
                    gathered.checks[need.action].add(need.resource)
                    gathered.condition, gathered.creates = need.condition, need.creates
    for (requires_setting, sid), gathered in found.items():
        if sid == _TAG_ON_CREATE:
            gathered.condition = {**gathered.condition, "StringEquals": {"ec2:CreateAction": _creating(kinds)}}
        if requires_setting and ("", sid) in found:  # a role with the setting has the statements without it too
            without = found["", sid].checks
            left = {action: on - without.get(action, set()) for action, on in gathered.checks.items()}
            gathered.checks = {action: on for action, on in left.items() if on}
    return tuple(_statement(*key, gathered) for key, gathered in sorted(found.items()) if gathered.checks)


def policies(kinds: Mapping[str, Kind] = REGISTRY) -> dict[str, tuple[Statement, ...]]:
    """The statements by the logical id of their managed policy; a single policy would exceed IAM's size limit."""
    network, database = writes("ec2", kinds), writes("rds", kinds)
    return {
        "NetworkPolicy": tuple(one for one in network if not one.requires_setting and not one.creates),
        "MakingPolicy": tuple(one for one in network if not one.requires_setting and one.creates),
        "DatabasePolicy": tuple(one for one in database if not one.requires_setting),
        "AdoptPolicy": tuple(one for one in (*network, *database) if one.requires_setting == "adopt"),
        "PrunePolicy": tuple(one for one in (*network, *database) if one.requires_setting == "prune"),
        "NewDatabasePolicy": tuple(one for one in (*network, *database) if one.requires_setting == "create_databases"),
    }


_STEMS = {"": "", "adopt": "", "prune": "Prune", "create_databases": "NewDatabase"}
_TAG_ON_CREATE = "TagWhatIsMade"


class _Need(NamedTuple):
    """One permission that an operation needs, and the Sid of its statement; `setting` as `requires_setting`."""

    sid: str
    action: str
    resource: str
    condition: Mapping[str, Any]
    creates: bool = False
    setting: str = ""


class _Gathered:
    """The content of a statement: the resources by action, and one condition."""

    def __init__(self) -> None:
        self.checks: dict[str, set[str]] = defaultdict(set)
        self.condition: Mapping[str, Any] = {}
        self.creates = False


def _statement(requires_setting: str, sid: str, gathered: _Gathered) -> Statement:
    return Statement(
        _STEMS[requires_setting] + sid,
        tuple(sorted(gathered.checks)),
        tuple(sorted(set().union(*gathered.checks.values()))),
        gathered.condition,
        requires_setting,
        {action: tuple(sorted(on)) for action, on in gathered.checks.items()},
        gathered.creates,
    )


def _needs(one: Operation) -> Iterator[_Need]:
    """Every permission that one operation needs.

    A resource type is in only one statement of an action, except for tags: a resource without the tag may only be given
    the tag. Each created type has its own statement, because a condition on the request applies to every resource of
    the call, and would let CreateSubnet pass the condition on its VPC.
    """
    if not one.iam_resource_types:
        raise ValueError(f"{one.permission}: its row must name the resource types of IAM (iam_resource_types)")
    created, *rest = one.iam_resource_types if one.phase is Phase.CREATE else ("", *one.iam_resource_types)
    if created:
        sid = f"Make{_camel(created)}"
        yield _Need(sid, one.permission, _arn(one.service, created), _CREATED_OWNED, creates=True)
    for resource_type in rest:
        bound = _bound(one.service, resource_type)
        resource = _arn(one.service, resource_type)
        name = bound.sid or _camel(resource_type)
        if one.phase is Phase.DELETE and bound.condition == _IN_VPC:
            yield _Need(f"Delete{name}", one.permission, resource, {**bound.condition, **_OWNED})
            continue
        yield _Need(f"Change{name}", one.permission, resource, bound.condition)
        if bound.also:
            also = _ARN.format(service=one.service, resource=bound.also)
            yield _Need(f"Change{name}", one.permission, also, bound.condition)
        if one.permission in _TAGGING and bound.condition == _OWNED:
            yield _Need(f"Adopt{name}", one.permission, resource, _CREATED_OWNED, setting="adopt")
    for further in sorted(one.also_needs):
        service = further.partition(":")[0]
        if further == "ec2:CreateTags":
            yield _Need(_TAG_ON_CREATE, further, _arn(service, created), _CREATED_OWNED, creates=True)
        elif further in _TAGGING:
            yield _Need(f"Tag{_camel(created)}", further, _arn(service, created), _CREATED_OWNED)
        else:
            sid, resource, condition = _ALSO_NEEDED[service]
            yield _Need(sid, further, resource, condition)


def _creating(kinds: Mapping[str, Kind]) -> list[str]:
    """The calls that set tags on what they create."""
    calls = {one.name for kind in kinds.values() for one in kind.operations if "ec2:CreateTags" in one.also_needs}
    return sorted(calls)


def _bound(service: str, resource_type: str) -> _Bound:
    every = f"{resource_type}:*" if service == "rds" else f"{resource_type}/*"
    return _BOUNDS.get(f"{service}:{resource_type}", _Bound(every, _OWNED))


def _arn(service: str, resource_type: str) -> str:
    arn = _ARN.format(service=service, resource=_bound(service, resource_type).resource)
    return arn.replace("${AWS::AccountId}", "*") if resource_type == "prefix-list" else arn


def _camel(text: str) -> str:
    return "".join(map(str.capitalize, text.split("-")))
