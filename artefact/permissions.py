"""What the functions may do, out of the kinds' own tables: IAM statements, the page about them, and every call made.

`template.yaml` and `templates/target-role.yaml` hold the statements word for word; tests compare both ways. The build
of the artefact keeps the models of `calls()` only. `python -m artefact.permissions_page > docs/permissions.md` renews
the page.

What IAM checks a call against, and what it can be bound to: Service Authorization Reference, "Actions, resources, and
condition keys for Amazon EC2" and "... for Amazon RDS". `ec2:Vpc` holds an ARN, and not every resource in a VPC has it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from reconciler.kinds import REGISTRY
from reconciler.model import DOCUMENT_TAG, Operation, Phase
from reconciler.model.kind import Kind

_HERE = "arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}"
_ANY_VPC = "arn:*:ec2:*:*:vpc/"
"""Ids of VPCs are unique everywhere, and a delimiter of Fn::Join takes no function, so the partition stays open."""

VPC_ARNS = {
    "Fn::Split": [",", {"Fn::Join": ["", [_ANY_VPC, {"Fn::Join": [f",{_ANY_VPC}", {"Ref": "VpcIds"}]}]]}],
}
_IN_VPC = {"ArnLike": {"ec2:Vpc": VPC_ARNS}}
_THE_VPC = {"StringLike": {"ec2:VpcID": {"Ref": "VpcIds"}}}
_OURS = {"Null": {f"aws:ResourceTag/{DOCUMENT_TAG}": "false"}}
_MADE_OURS = {"Null": {f"aws:RequestTag/{DOCUMENT_TAG}": "false"}}

_TAGGING = frozenset({"ec2:CreateTags", "rds:AddTagsToResource"})
_NAMED = "${DatabaseNames}"


class _Bound(NamedTuple):
    """How IAM holds calls on one type of resource: the last part of its ARN, a condition, and the Sid's middle."""

    resource: str
    condition: Mapping[str, Any]
    sid: str = ""


_BOUNDS: Mapping[str, _Bound] = {
    **{
        f"ec2:{one}": _Bound(f"{one}/*", _IN_VPC, "InVpc")
        for one in ("network-acl", "route-table", "security-group", "subnet")
    },
    "ec2:vpc": _Bound("vpc/*", _THE_VPC),
    # A rule carries no tag of ours and no VPC; the same call is checked against its group, which has one.
    "ec2:security-group-rule": _Bound("security-group-rule/*", {}),
    # Named in a rule, never changed. AWS's own prefix lists belong to no account.
    "ec2:prefix-list": _Bound("prefix-list/*", {}),
    "rds:db": _Bound(f"db:{_NAMED}", _OURS),
    # Its tags are read only where they are declared, so one that was adopted may carry none of ours.
    "rds:subgrp": _Bound(f"subgrp:{_NAMED}", {}),
    # RDS gives an instance its default groups where nothing else is said, and checks the call against them.
    "rds:og": _Bound("og:default*", {}, "DefaultGroups"),
    "rds:pg": _Bound("pg:default*", {}, "DefaultGroups"),
}
"""Whatever is not named here is bound to our tag, which nearly every type of resource has."""

_BESIDES = {
    "secretsmanager": ("MasterSecrets", _HERE.format(service="secretsmanager", resource="secret:rds!db-*")),
    "kms": ("LookAtKeys", _HERE.format(service="kms", resource="key/*")),
}
"""What RDS does in our name to keep a master password (RDS user guide, Password management with Secrets Manager)."""


@dataclass(frozen=True)
class Statement:
    """One statement that allows. `resources` are texts of Fn::Sub; `requires_setting` is the setting without which it is left out;
    `checks` are the resources that each action meets there, some of those of the statement.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Mapping[str, Any]
    requires_setting: str = ""
    checks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def as_iam(self) -> dict[str, Any]:
        """As a template holds it, functions of CloudFormation in their long form."""
        told: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": list(self.actions),
            "Resource": [{"Fn::Sub": one} if "${" in one else one for one in self.resources],
        }
        return told | ({"Condition": self.condition} if self.condition else {})


class ApiCall(NamedTuple):
    """A call that the doors make for themselves: botocore's service and operation, and the permissions it takes."""

    service: str
    operation: str
    permissions: tuple[str, ...]
    doors: frozenset[str]


_KEEPERS = frozenset({"worker", "invoke"})
_ALL = _KEEPERS | {"sweep"}

DOORS = (
    ApiCall("s3", "ListObjectsV2", ("s3:ListBucket",), frozenset({"sweep"})),
    # Whoever may not list the bucket is told 403 for what is deleted (S3 API reference, GetObject).
    ApiCall("s3", "GetObject", ("s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"), _KEEPERS),
    ApiCall("dynamodb", "Scan", ("dynamodb:Scan",), frozenset({"sweep", "worker"})),
    ApiCall("dynamodb", "UpdateItem", ("dynamodb:UpdateItem",), _KEEPERS),
    ApiCall("sqs", "SendMessageBatch", ("sqs:SendMessage",), _ALL),
    ApiCall("sns", "Publish", ("sns:Publish", "kms:Decrypt", "kms:GenerateDataKey"), _KEEPERS),
    ApiCall("events", "PutEvents", ("events:PutEvents",), _KEEPERS),
    ApiCall("cloudtrail", "LookupEvents", ("cloudtrail:LookupEvents",), _KEEPERS),
    ApiCall("sts", "AssumeRole", ("sts:AssumeRole",), _KEEPERS),
    ApiCall("sts", "GetCallerIdentity", (), frozenset({"terminal"})),
)
"""Every call beside the registry's. The library that reads the queue for Lambda and writes the logs is Lambda's own."""


def calls() -> dict[str, frozenset[str]]:
    """All API operations that anything in the product ever calls, by botocore's name of the service."""
    found: dict[str, set[str]] = defaultdict(set)
    for kind in REGISTRY.values():
        for permission in (*kind.observe.permissions, *(one.permission for one in kind.operations)):
            service, _, operation = permission.partition(":")
            found[service].add(operation)
    for one in DOORS:
        found[one.service].add(one.operation)
    return {service: frozenset(found[service]) for service in sorted(found)}


def read_permissions(kinds: Mapping[str, Kind] = REGISTRY) -> Statement:
    """The statement for the kinds' reads. Describe calls know no resource but `*`, or are asked for all there is."""
    actions = sorted({permission for kind in kinds.values() for permission in kind.observe.permissions})
    return Statement("Look", tuple(actions), ("*",), {})


def writes(service: str, kinds: Mapping[str, Kind] = REGISTRY) -> tuple[Statement, ...]:
    """The statements for every call to `service` (ec2 or rds) that changes something, in a fixed order."""
    found: dict[tuple[str, str], _Gathered] = defaultdict(_Gathered)
    for kind in kinds.values():
        for one in kind.operations:
            if one.service == service:
                for sid, action, resource, condition in _needs(one):
                    told = found[one.requires_setting, sid]
                    told.checks[action].add(resource)
                    told.condition = condition
    for (requires_setting, sid), told in found.items():
        if sid == _BIRTH:
            told.condition = {**told.condition, "StringEquals": {"ec2:CreateAction": _makers(kinds)}}
        if requires_setting and ("", sid) in found:  # what is allowed without leave need not be allowed with it
            without = found["", sid].checks
            left = {action: on - without.get(action, set()) for action, on in told.checks.items()}
            told.checks = {action: on for action, on in left.items() if on}
    return tuple(_statement(*key, told) for key, told in sorted(found.items()) if told.checks)


def policies(kinds: Mapping[str, Kind] = REGISTRY) -> dict[str, tuple[Statement, ...]]:
    """The statements by the logical id of the managed policy that holds them; one policy would be too long for IAM."""
    network, database = writes("ec2", kinds), writes("rds", kinds)
    making = tuple(one for one in network if one.sid.startswith(("Make", _BIRTH)))
    return {
        "NetworkPolicy": tuple(one for one in network if not one.requires_setting and one not in making),
        "MakingPolicy": making,
        "DatabasePolicy": tuple(one for one in database if not one.requires_setting),
        "PrunePolicy": tuple(one for one in (*network, *database) if one.requires_setting == "prune"),
        "NewDatabasePolicy": tuple(one for one in (*network, *database) if one.requires_setting == "create_databases"),
    }


_STEMS = {"": "", "prune": "Prune", "create_databases": "NewDatabase"}
_BIRTH = "TagWhatIsMade"


class _Gathered:
    """A statement on its way: one condition, and the resources by action."""

    def __init__(self) -> None:
        self.checks: dict[str, set[str]] = defaultdict(set)
        self.condition: Mapping[str, Any] = {}


def _statement(requires_setting: str, sid: str, told: _Gathered) -> Statement:
    return Statement(
        _STEMS[requires_setting] + sid,
        tuple(sorted(told.checks)),
        tuple(sorted(set().union(*told.checks.values()))),
        told.condition,
        requires_setting,
        {action: tuple(sorted(on)) for action, on in told.checks.items()},
    )


def _needs(one: Operation) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """(Sid, action, resource, condition) of everything that one operation takes.

    No type of resource stands in two statements of one action with different conditions, but for tags: what is not ours
    yet may only be tagged as ours. The statement of what is made is one for each type, since a condition on the request
    holds for every resource of the call, and would let CreateSubnet past the condition on its VPC.
    """
    if not one.iam_resource_types:
        raise ValueError(f"{one.permission}: what IAM checks it against must be said in its row (iam_resource_types)")
    made, *rest = one.iam_resource_types if one.phase is Phase.CREATE else ("", *one.iam_resource_types)
    if made:
        yield f"Make{_camel(made)}", one.permission, _arn(one.service, made), _MADE_OURS
    for resource_type in rest:
        bound = _bound(one.service, resource_type)
        resource = _arn(one.service, resource_type)
        name = bound.sid or _camel(resource_type)
        yield f"Change{name}", one.permission, resource, bound.condition
        if one.permission in _TAGGING and bound.condition == _OURS:
            yield f"Adopt{name}", one.permission, resource, _MADE_OURS
    for further in sorted(one.also_needs):
        service = further.partition(":")[0]
        if further == "ec2:CreateTags":
            yield _BIRTH, further, _arn(service, made), _MADE_OURS
        elif further in _TAGGING:
            yield f"Adopt{_camel(made)}", further, _arn(service, made), _MADE_OURS
        else:
            sid, resource = _BESIDES[service]
            yield sid, further, resource, {}


def _makers(kinds: Mapping[str, Kind]) -> list[str]:
    makers = {one.name for kind in kinds.values() for one in kind.operations if "ec2:CreateTags" in one.also_needs}
    return sorted(makers)


def _bound(service: str, checked: str) -> _Bound:
    every = f"{checked}:*" if service == "rds" else f"{checked}/*"
    return _BOUNDS.get(f"{service}:{checked}", _Bound(every, _OURS))


def _arn(service: str, checked: str) -> str:
    arn = _HERE.format(service=service, resource=_bound(service, checked).resource)
    return arn.replace("${AWS::AccountId}", "*") if checked == "prefix-list" else arn


def _camel(text: str) -> str:
    return "".join(map(str.capitalize, text.split("-")))


DENIED = (
    "cloudtrail:DeleteTrail",
    "cloudtrail:PutEventSelectors",
    "cloudtrail:StopLogging",
    "cloudtrail:UpdateTrail",
    "ec2:CreateVpcPeeringConnection",
    "ec2:DeleteSubnet",
    "ec2:DeleteTags",
    "ec2:DeleteVpc",
    "ec2:DetachInternetGateway",
    "ec2:DisassociateVpcCidrBlock",
    "ec2:RunInstances",
    "ec2:TerminateInstances",
    "iam:*",
    "kms:DisableKey",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "lambda:*",
    "organizations:*",
    "rds:DeleteDBCluster*",
    "rds:DeleteDBInstance*",
    "rds:DeleteDBSnapshot",
    "rds:DeleteDBSubnetGroup",
    "rds:ModifyDBClusterSnapshotAttribute",
    "rds:ModifyDBSnapshotAttribute",
    "rds:RebootDBInstance",
    "rds:RemoveTagsFromResource",
    "rds:RestoreDB*",
    "rds:StartExportTask",
    "rds:StopDBInstance",
    "s3:DeleteObject*",
    "s3:PutBucketPolicy",
    "s3:PutObject",
    "secretsmanager:GetSecretValue",
)
"""Refused whatever else a role is ever given: what destroys data, copies it away, hides who did it, or widens power."""


def denied() -> dict[str, Any]:
    """The statement that refuses them."""
    return {"Sid": "Never", "Effect": "Deny", "Action": list(DENIED), "Resource": "*"}
