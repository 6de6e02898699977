"""The live state of the emulated account: moto's objects, with AWS's error code for a missing one.

Every strict module works on one Live. What moto does right is called through `moto()`, a plain client; what it does
wrong is done on its objects, so that all state is in moto and is saved with it.

moto takes milliseconds for each answer, and the same things are looked at again and again: its answers to looks are
kept until something may have changed. That is any other call, a restored world, and anybody who gets hold of moto's
objects outside a look.

Facts encoded: the codes for a missing id (EC2 API reference, "Error codes"): InvalidVpcID.NotFound,
InvalidSubnetID.NotFound, InvalidRouteTableID.NotFound, InvalidNetworkAclID.NotFound, InvalidGroup.NotFound,
InvalidInternetGatewayID.NotFound, DBInstanceNotFound, DBSubnetGroupNotFoundFault.
"""

from __future__ import annotations

import copy
import hashlib
import pickle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import botocore
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.backends import get_backend
from moto.ec2.exceptions import FilterNotImplementedError
from moto.moto_api._internal import mock_random

from lab import quick_items
from lab.refusal import RDS_WIRE_CODES, Refusal
from lab.sessions import fake_session

Params = dict[str, Any]
Answer = dict[str, Any]
Meanwhile = Literal["accepted", "unknown", "refused"]
"""What a call meets that names something which is still pending."""
Answers = dict[tuple[str, str, str], bytes]
"""moto's answers to looks at one state: by service, operation and parameters, pickled, since callers change theirs."""

_CHANGES_ONLY: dict[str, str | tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "AuthorizeSecurityGroupEgress",
            "AuthorizeSecurityGroupIngress",
            "CreateSecurityGroup",
            "DeleteSecurityGroup",
            "ModifySecurityGroupRules",
            "RevokeSecurityGroupEgress",
            "RevokeSecurityGroupIngress",
            "UpdateSecurityGroupRuleDescriptionsEgress",
            "UpdateSecurityGroupRuleDescriptionsIngress",
        ),
        ("DescribeSecurityGroup", "DescribeTags"),  # a rule may be made with tags
    ),
    **dict.fromkeys(
        ("CreateNetworkAclEntry", "DeleteNetworkAclEntry", "ReplaceNetworkAclEntry", "ReplaceNetworkAclAssociation"),
        "DescribeNetworkAcls",
    ),
    **dict.fromkeys(("CreateNetworkAcl", "DeleteNetworkAcl"), ("DescribeNetworkAcls", "DescribeTags")),
    **dict.fromkeys(
        (
            "AssociateRouteTable",
            "CreateRoute",
            "DeleteRoute",
            "DisassociateRouteTable",
            "ReplaceRoute",
            "ReplaceRouteTableAssociation",
        ),
        "DescribeRouteTables",
    ),
    **dict.fromkeys(("CreateRouteTable", "DeleteRouteTable"), ("DescribeRouteTables", "DescribeTags")),
    "ModifySubnetAttribute": "DescribeSubnets",
    "ModifyVpcAttribute": "DescribeVpc",
}
"""Writes that change nothing but what a few looks show (by the beginnings of their names)."""

_SHOW_TAGS = {
    "acl": "DescribeNetworkAcls",
    "igw": "DescribeInternetGateways",
    "rtb": "DescribeRouteTables",
    "sg": "DescribeSecurityGroup",
    "sgr": "DescribeSecurityGroup",
    "subnet": "DescribeSubnets",
    "vpc": "DescribeVpcs",
}
"""Where the tags of a resource are shown, beside DescribeTags, by the beginning of its id."""


_CONFIG = Config(user_agent="laboratory", parameter_validation=False)
"""The client that asked has checked the parameters; and what botocore says of itself takes a tenth of a call."""

_UNSIGNED = _CONFIG.merge(Config(signature_version=UNSIGNED))
"""So does the signature; moto takes the Region from the address. In S3 it would take the caller for anybody."""


class Live:
    """One account in one Region inside moto. Not thread-safe: strict_aws holds the lock around every use."""

    def __init__(self, region: str, account: str) -> None:
        self.region = region
        self.account = account
        self.tokens: dict[tuple[str, str], tuple[Params, Answer]] = {}
        self.settle_after = 1
        self.status_lag = 0
        self.by_force = False
        self.arrive_after = 0
        self.meanwhile: Meanwhile = "accepted"
        self._session = fake_session(region)
        self._clients: dict[str, Any] = {}
        self.answers: Answers = {}
        self._looking = False

    @property
    def ec2(self) -> Any:
        """moto's EC2 backend of this account and Region."""
        return self._backend("ec2")

    @property
    def rds(self) -> Any:
        """moto's RDS backend of this account and Region."""
        return self._backend("rds")

    def _backend(self, service: Literal["ec2", "rds"]) -> Any:
        if not self._looking:
            self.forget_answers()
        return get_backend(service)[self.account][self.region]

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Inside the block nothing changes, but for what says `forget_answers`."""
        before, self._looking = self._looking, True
        try:
            yield
        finally:
            self._looking = before

    def forget_answers(self) -> None:
        """Something has changed. A saved world keeps its answers: they are replaced, not emptied."""
        self.answers = {}

    @contextmanager
    def writing(self, service: str, operation: str, params: Params) -> Iterator[None]:
        """Inside the block this call is carried out, or what RDS does by itself. If it succeeds, the answers are kept
        that it cannot change.
        """
        before = self.answers
        yield
        if service == "rds":  # what RDS keeps in EC2 (an interface for each instance) is added to moto's answers
            self.answers = {key: answer for key, answer in before.items() if key[0] == "ec2"}
        elif changes := _changed_by(operation, params):
            self.answers = {key: answer for key, answer in before.items() if not key[1].startswith(changes)}

    def moto(self, service: str, operation: str, params: Params) -> Answer:
        """moto's answer to an API call; its errors are raised as Refusal."""
        if service == "dynamodb":
            moto = partial(self._called, service, operation, params)
            return quick_items.answered(self.account, self.region, operation, params, moto)
        if service not in {"ec2", "rds"}:
            return self._called(service, operation, params)
        if not operation.startswith(("Describe", "Get", "List")):
            self.forget_answers()
            return self._called(service, operation, params)
        if not self._looking:
            return self._looked(service, operation, params)
        key = (service, operation, repr(params))
        if key not in self.answers:
            self.answers[key] = pickle.dumps(self._looked(service, operation, params))
        found: Answer = pickle.loads(self.answers[key])  # noqa: S301 (our own, from above)
        return found

    def _looked(self, service: str, operation: str, params: Params) -> Answer:
        # moto draws an id for each request: ids must not depend on how often it was asked.
        drawn = mock_random.getstate()
        try:
            return self._called(service, operation, params)
        finally:
            mock_random.setstate(drawn)

    def _called(self, service: str, operation: str, params: Params) -> Answer:
        if service not in self._clients:
            config = _UNSIGNED if service in {"ec2", "rds"} else _CONFIG
            self._clients[service] = self._session.client(service, config=config)  # type: ignore[call-overload]
        client = self._clients[service]
        method = getattr(client, botocore.xform_name(operation))
        try:
            answer: Answer = method(**params)
        except FilterNotImplementedError as error:
            raise Refusal("InvalidParameterValue", f"The filter is invalid: {error}") from error
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            beside = {name: value for name, value in error.response.items() if name == "Item"}
            raise Refusal(RDS_WIRE_CODES.get(code, code), message, status, beside) from error
        answer.pop("ResponseMetadata", None)
        return answer

    def vpc(self, vpc_id: str) -> Any:
        return self._found(self.ec2.vpcs, vpc_id, "InvalidVpcID.NotFound", "vpc ID")

    @property
    def owners(self) -> dict[str, str]:
        """The things of other accounts, by id. In moto's backend, so that it is saved and restored with it."""
        found: dict[str, str] = vars(self.ec2).setdefault("laboratory_owners", {})
        return found

    @property
    def arriving(self) -> dict[str, int]:
        """What AWS is still creating, by id: how often it is still seen so. In moto's backend, as `owners` are."""
        found: dict[str, int] = vars(self.ec2).setdefault("laboratory_arriving", {})
        return found

    @property
    def new_roles(self) -> set[str]:
        """The IAM roles that RDS cannot use yet. In moto's backend, as `owners` are."""
        found: set[str] = vars(self.rds).setdefault("laboratory_new_roles", set())
        return found

    def owner_of(self, resource_id: str) -> str:
        """The account that an EC2 resource belongs to."""
        return self.owners.get(resource_id, self.account)

    def blocks(self, vpc_id: str, *, ipv6: bool = False) -> list[str]:
        """The networks of a VPC, without those that it has no longer."""
        held = self.vpc(vpc_id).get_cidr_block_association_set(ipv6=ipv6)
        return [each["cidr_block"] for each in held if each["cidr_block_state"]["state"] == "associated"]

    def has_ipv6(self, vpc_id: str) -> bool:
        """Whether the VPC has an IPv6 block."""
        return bool(self.blocks(vpc_id, ipv6=True))

    def subnets(self) -> dict[str, Any]:
        return {key: subnet for zone in self.ec2.subnets.values() for key, subnet in zone.items()}

    def subnet(self, subnet_id: str) -> Any:
        return self._found(self.subnets(), subnet_id, "InvalidSubnetID.NotFound", "subnet ID")

    def gateway(self, gateway_id: str) -> Any:
        gateways = self.ec2.internet_gateways
        return self._found(gateways, gateway_id, "InvalidInternetGatewayID.NotFound", "internetGateway ID")

    def gateway_of(self, vpc_id: str) -> Any | None:
        """The internet gateway attached to the VPC, or None."""
        return next((g for g in self.ec2.internet_gateways.values() if g.vpc and g.vpc.id == vpc_id), None)

    def route_table(self, table_id: str) -> Any:
        return self._found(self.ec2.route_tables, table_id, "InvalidRouteTableID.NotFound", "routeTable ID")

    def acl(self, acl_id: str) -> Any:
        return self._found(self.ec2.network_acls, acl_id, "InvalidNetworkAclID.NotFound", "networkAcl ID")

    def groups(self) -> Iterator[Any]:
        """Every security group of the Region."""
        for by_id in list(self.ec2.groups.values()):
            yield from list(by_id.values())

    def group(self, group_id: str) -> Any:
        if not group_id.startswith("sg-"):
            raise Refusal("InvalidGroupId.Malformed", f'Invalid id: "{group_id}" (expecting "sg-...")')
        by_id = {group.id: group for group in self.groups()}
        return self._found(by_id, group_id, "InvalidGroup.NotFound", "security group")

    def group_of_request(self, params: Params) -> Any:
        """The group that a call names by GroupId, or by GroupName in the default VPC."""
        if params.get("GroupId"):
            return self.group(params["GroupId"])
        name = params.get("GroupName")
        if not name:
            raise Refusal("MissingParameter", "The request must contain the parameter groupName or groupId")
        for group in self.groups():
            if group.name == name and group.vpc_id == self.ec2.default_vpc.id:
                return group
        raise Refusal("InvalidGroup.NotFound", f"The security group '{name}' does not exist in default VPC")

    def instances(self) -> list[Any]:
        """Every DB instance, including those being deleted."""
        return list(self.rds.databases.values())

    def instance(self, identifier: str) -> Any:
        wanted = identifier.rsplit(":", 1)[-1].lower()
        for instance in self.instances():
            if instance.db_instance_identifier == wanted:
                return instance
        raise Refusal("DBInstanceNotFound", f"DBInstance {wanted} not found.")

    def subnet_group(self, name: str) -> Any:
        group = self.rds.subnet_groups.get(name.lower())
        if group is None:
            raise Refusal("DBSubnetGroupNotFoundFault", f"DB subnet group '{name}' does not exist.")
        return group

    def subnet_group_of(self, instance: Any) -> Any | None:
        """The live subnet group of an instance; None for one that was created without it, in the default VPC."""
        group = getattr(instance, "db_subnet_group", None)
        return self.rds.subnet_groups.get(group.name) if group is not None else None

    def key_arn(self, key: str) -> str:
        """The ARN of a KMS key, whether it was named by that, by its id or by an alias."""
        if key.startswith("arn:"):
            return key
        digest = hashlib.sha256(f"{self.account}/{key}".encode()).hexdigest()
        return f"arn:aws:kms:{self.region}:{self.account}:key/{digest[:8]}-0000-4000-8000-{digest[8:20]}"

    def subnets_of(self, instance: Any) -> set[str]:
        """The subnets with the network interfaces of an instance: the first one of its subnet group in its zone and, of
        a Multi-AZ instance, the first one in another.
        """
        group = self.subnet_group_of(instance)
        subnets = group._subnets if group is not None else []
        own = [subnet.id for subnet in subnets if subnet.availability_zone == instance.availability_zone]
        others = [subnet.id for subnet in subnets if subnet.availability_zone != instance.availability_zone]
        return {*own[:1], *(others[:1] if instance.multi_az else [])}

    def tags(self, resource_id: str) -> list[dict[str, str]]:
        """The tags of an EC2 resource as Describe shows them."""
        return [{"Key": key, "Value": value} for key, value in self.ec2.tags.get(resource_id, {}).items()]

    def same_request(self, operation: str, params: Params) -> Answer | None:
        """The answer to an earlier request with this ClientToken; IdempotentParameterMismatch if parameters differ."""
        earlier = self.tokens.get((operation, params.get("ClientToken", "")))
        if earlier is None:
            return None
        if earlier[0] != params or self._deleted(earlier[1]):
            message = "The client token you have provided is already associated with different parameters"
            raise Refusal("IdempotentParameterMismatch", message)
        return copy.deepcopy(earlier[1])

    def _deleted(self, answer: Answer) -> bool:
        """Whether what was made is gone: AWS then takes a repeated request for another one."""
        tables, acls = self.ec2.route_tables, self.ec2.network_acls
        table, acl = (answer.get(name, {}).get(f"{name}Id") for name in ("RouteTable", "NetworkAcl"))
        return (table is not None and table not in tables) or (acl is not None and acl not in acls)

    def remember_request(self, operation: str, params: Params, answer: Answer) -> None:
        if params.get("ClientToken"):
            self.tokens[operation, params["ClientToken"]] = (params, copy.deepcopy(answer))

    @staticmethod
    def _found(things: dict[str, Any], key: str, code: str, what: str) -> Any:
        if key not in things:
            raise Refusal(code, f"The {what} '{key}' does not exist")
        return things[key]


def _changed_by(operation: str, params: Params) -> str | tuple[str, ...] | None:
    """The looks that may show something else after this write to EC2, by the beginnings of their names; None: all."""
    if operation not in {"CreateTags", "DeleteTags"}:
        return _CHANGES_ONLY.get(operation)
    kinds = {each.partition("-")[0] for each in params.get("Resources", [])}
    return ("DescribeTags", *(_SHOW_TAGS[kind] for kind in kinds)) if kinds <= _SHOW_TAGS.keys() else None


def filters_of(params: Params) -> dict[str, list[str]]:
    """The Filters of a request in the form of moto's backends."""
    return {each["Name"]: each["Values"] for each in params.get("Filters", [])}


def without(params: Params, *names: str) -> Params:
    """A copy of the parameters without those names."""
    return {name: value for name, value in params.items() if name not in names}


def needs_known(ids: Iterable[str], known: Iterable[str], code: str, what: str) -> None:
    """Refuse the first unknown id: AWS answers ids with an error, but filters with an empty list."""
    existing = set(known)
    for each in ids:
        if each not in existing:
            raise Refusal(code, f"The {what} '{each}' does not exist")
