"""The VPCs of a region, for a person to choose from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from desired_state.document import Scope
from reconciler.aws.ec2 import name_tag, tags_of
from reconciler.aws.rds import INSTANCES
from reconciler.engine.observe import ObserveError
from reconciler.importing.network import look
from reconciler.importing.new import empty_document
from reconciler.importing.reading import RememberedReads
from reconciler.kinds import REGISTRY
from reconciler.model import DOCUMENT_TAG
from reconciler.model.read import Read, ReadContext, read

_VPCS = read("ec2", "DescribeVpcs", "Vpcs", {}, page=1000)
_SUBNETS = read("ec2", "DescribeSubnets", "Subnets", {}, page=1000)
_INTERFACES = read("ec2", "DescribeNetworkInterfaces", "NetworkInterfaces", {}, page=1000)


@dataclass(frozen=True)
class VpcSummary:
    """One VPC; a count is None if it could not be read. `document` owns it, if any does."""

    id: str
    name: str
    network: str
    subnets: int | None
    interfaces: int | None
    databases: int | None
    document: str
    is_default: bool

    def cells(self) -> tuple[str, ...]:
        """As the columns of a table; see COLUMNS."""
        counts = ("?" if one is None else str(one) for one in (self.subnets, self.interfaces, self.databases))
        name = self.name or ("(default VPC)" if self.is_default else "")
        return self.id, name, self.network, *counts, self.document


COLUMNS = ("VPC", "Name", "network", "subnets", "interfaces", "databases", "document")


def vpcs(reads: RememberedReads) -> list[VpcSummary]:
    """Every VPC of the region, by Name and id; what is counted may fail. Raises `ObserveError`."""
    reads.ahead((_VPCS, _SUBNETS, _INTERFACES, INSTANCES))
    if problem := reads.problem(_VPCS):
        raise ObserveError(problem)
    subnets, interfaces, databases = (_counted(reads, one) for one in (_SUBNETS, _INTERFACES, INSTANCES))
    found = [
        VpcSummary(
            id=vpc_id,
            name=name_tag(item),
            network=str(item["CidrBlock"]),
            subnets=subnets(vpc_id),
            interfaces=interfaces(vpc_id),
            databases=databases(vpc_id),
            document=tags_of(item).get(DOCUMENT_TAG, ""),
            is_default=bool(item.get("IsDefault")),
        )
        for item in reads.answers[_VPCS]
        for vpc_id in (str(item["VpcId"]),)
    ]
    return sorted(found, key=lambda one: (one.is_default, one.name.casefold(), one.name, one.id))


def name_of(scope: Scope, reads: RememberedReads) -> str:
    """The VPC's Name tag; empty if it has none, or cannot be read: whoever needs the VPC says so."""
    context = ReadContext(empty_document(scope, str(scope.vpc_id)), str(scope.vpc_id), {})
    made, *_ = REGISTRY["vpc"].observe.reads(context)
    reads.ahead([made])
    return next((name_tag(item) for item in reads.answers.get(made, ())), "")


def _counted(reads: RememberedReads, made: Read) -> Callable[[str], int | None]:
    """How many things a VPC has; None if they could not be read."""
    if reads.problem(made):
        return lambda vpc_id: None
    of_groups = (item.get("DBSubnetGroup") or {} for item in reads.answers[made])
    count = Counter(str(one.get("VpcId")) for one in (*reads.answers[made], *of_groups) if one.get("VpcId"))
    return lambda vpc_id: count[vpc_id]


def in_use(scope: Scope, one: VpcSummary, reads: RememberedReads) -> bool:
    """Whether a VPC holds an interface, or more than AWS makes with each VPC: a table, a group, an ACL of somebody. Not
    one in which everything belongs to others.
    """
    network = look(empty_document(scope, one.id), one.id, reads)
    lives = [*network.own, *(other.live for other in network.foreign.values())]
    standard = {live.kind.name for live in lives if live.kind.identify.standard(live.item)}
    made = (live for live in lives if live.kind.name in standard and not live.kind.identify.standard(live.item))
    return bool(network.own) and (bool(one.interfaces) or any(made))
