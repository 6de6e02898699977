"""What AWS would certainly refuse of a document's resources. `checks.py` calls `findings`.

Quotas are the default ones: a document that needs an increased quota is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from desired_state.database import DbInstance, DbSubnetGroup, windows_overlap
from desired_state.explain import Violation
from desired_state.fields import Address, contains, is_cidr, is_ipv6, network, shown
from desired_state.members import Subnets
from desired_state.network import Blocks, InternetGateway, NetworkAcl, RouteTable, SecurityGroup, Subnet, Vpc
from desired_state.quotas import ACL_ENTRIES, GROUP_RULES
from desired_state.regions import region_of
from desired_state.rules import Routes

if TYPE_CHECKING:
    from desired_state.resource import Resource

ROUTES = 50
"""Per route table and family (VPC user guide, quotas)."""
SUBNETS_IN_GROUP = 20
GROUPS_ON_INSTANCE = 5
ZONES_IN_GROUP = 2
PROVISIONED_MINIMUM = 100
_DATABASE_TAG = re.compile(r"[\w\s.:/=+\-@]*")
MAGNETIC_MAXIMUM = 3072
"""GiB (RDS user guide, storage types)."""


def findings(
    resources: Mapping[Address, Resource], external: Container[Address], region: str | None
) -> Iterator[Violation]:
    """Everything that AWS would refuse; `resources` are those that loaded, `region` is None if the scope did not.

    Of what is `external` nothing is known, so it is not checked, and neither is what depends on it.
    """
    vpcs = [it for it in resources.values() if isinstance(it, Vpc) and it.cidr_block]
    vpc = vpcs[0] if len(vpcs) == 1 else None
    blocks = _blocks(vpc) if vpc else []
    has_gateway = any(_may_have_gateway(it, external=at in external) for at, it in resources.items())
    resources = {address: it for address, it in resources.items() if address not in external}
    subnets = {address: it for address, it in resources.items() if isinstance(it, Subnet)}
    yield from _overlapping(subnets)
    yield from _group_names(resources)
    yield from _database_tags(resources)
    found: Iterable[Violation]
    for address, resource in resources.items():
        match resource:
            case Vpc():
                found = _vpc(resource)
            case Subnet():
                found = _subnet(resource, blocks, region)
            case RouteTable():
                found = _route_table(resource, blocks)
            case SecurityGroup():
                found = _security_group(resource)
            case NetworkAcl():
                found = _network_acl(resource)
            case DbSubnetGroup():
                found = _subnet_group(resource, subnets)
            case DbInstance():
                found = (*_windows(resource), *_storage(resource), *_access(resource, vpc, has_gateway=has_gateway))
            case _:
                continue
        yield from (one._replace(path=("resources", address.kind, address.name, *one.path)) for one in found)


def _may_have_gateway(resource: Resource, *, external: bool) -> bool:
    """Whether it is an internet gateway, leads to one by its id, or belongs to a part of the network that others keep,
    which may have one.
    """
    if isinstance(resource, InternetGateway) or (external and isinstance(resource, (Subnet, RouteTable))):
        return True
    targets = (resource.routes or {}).values() if isinstance(resource, RouteTable) else ()
    return any(via.startswith("igw-") for via in targets) or any(
        "/" not in subnet for subnet in getattr(resource, "subnets", None) or ()
    )


def _blocks(vpc: Vpc) -> list[str]:
    """The networks of a VPC, as far as they are declared, its own first."""
    return [block for block in (vpc.cidr_block, *(vpc.secondary_cidr_blocks or Blocks()).as_written()) if block]


def _vpc(vpc: Vpc) -> Iterator[Violation]:
    blocks = _blocks(vpc)
    for index, block in enumerate(blocks):  # AWS refuses overlaps (VPC user guide, VPC CIDR blocks)
        if other := next((one for one in blocks[:index] if contains(one, block) or contains(block, one)), None):
            hint = "choose networks that do not overlap"
            yield Violation(("secondary_cidr_blocks", block), f"{block} overlaps {other}, a network of the VPC", hint)
    if vpc.enable_dns_hostnames and vpc.enable_dns_support is False:
        hint = "set enable_dns_support to true, or enable_dns_hostnames to false"
        yield Violation(("enable_dns_hostnames",), "DNS hostnames need DNS support", hint)


def _subnet(subnet: Subnet, blocks: list[str], region: str | None) -> Iterator[Violation]:
    block, zone = subnet.cidr_block or "", subnet.availability_zone or ""
    if block and blocks and not any(contains(one, block) for one in blocks):
        hint = f"choose a network inside {' or '.join(blocks)}, or declare its network in secondary_cidr_blocks"
        yield Violation(("cidr_block",), f"{block} is outside the VPC's CIDR block", hint)
    if region and zone and region_of(zone) != region:
        hint = f'write a zone such as "{region}a"'
        yield Violation(("availability_zone",), f"{shown(zone)} is not a zone of {region}", hint)


def _overlapping(subnets: Mapping[Address, Subnet]) -> Iterator[Violation]:
    """Subnets of a VPC must not overlap (CreateSubnet: InvalidSubnet.Conflict)."""
    written = {address: index for index, address in enumerate(subnets)}
    blocks = {address: it.cidr_block for address, it in subnets.items() if it.cidr_block}
    ranges = sorted((*network(block), written[address], address) for address, block in blocks.items())
    widest: tuple[int, int, int, int, Address] | None = None
    for current in ranges:
        if widest and current[1] <= widest[2]:  # sorted by their start (all are IPv4), so the latest end decides
            first, second = sorted((widest, current), key=lambda one: one[3])
            problem = f"{blocks[second[4]]} overlaps {shown(first[4])} ({blocks[first[4]]})"
            hint = "choose a network that no other subnet overlaps"
            yield Violation(("resources", "subnet", second[4].name, "cidr_block"), problem, hint)
        if not widest or current[2] > widest[2]:
            widest = current


def _route_table(table: RouteTable, blocks: list[str]) -> Iterator[Violation]:
    routes = table.routes or Routes()
    for block in blocks:
        if block in routes:
            hint = "leave it out: AWS creates the local route"
            problem = "a route for the VPC's CIDR block cannot be created"
            yield Violation(("routes", block), problem, hint, on_key=True)
    if len(routes) > ROUTES:
        yield from _too_many(
            ("routes",), "routes", filter(is_cidr, routes), ROUTES, "use wider networks or a prefix list"
        )


def _security_group(group: SecurityGroup) -> Iterator[Violation]:
    for field, rules in (("ingress", group.ingress), ("egress", group.egress)):
        if rules and len(rules) > GROUP_RULES:
            peers = [key.peer for key in rules]
            hint = "use wider networks, a prefix list or a second group"
            yield from _too_many((field,), f"{field} rules", peers, GROUP_RULES, hint)


def _network_acl(acl: NetworkAcl) -> Iterator[Violation]:
    for field, entries in (("ingress", acl.ingress), ("egress", acl.egress)):
        if entries and len(entries) > ACL_ENTRIES:
            cidrs = [entry.cidr for entry in entries.values()]
            hint = "use wider networks or port ranges (of AWS's 20 entries, one is its own)"
            yield from _too_many((field,), f"{field} entries", cidrs, ACL_ENTRIES, hint)


def _too_many(path: tuple[str, ...], what: str, peers: Iterable[str], limit: int, hint: str) -> Iterator[Violation]:
    """AWS counts IPv4 and IPv6 separately; a peer that is not a network counts in both."""
    count = Counter((4, 6)[is_ipv6(peer)] if is_cidr(peer) else 0 for peer in peers)
    for family in (4, 6):
        if count[family] + count[0] > limit:
            yield Violation(path, f"{count[family] + count[0]} {what} for IPv{family}, AWS allows {limit}", hint)


def _group_names(resources: Mapping[Address, Resource]) -> Iterator[Violation]:
    """Group names are unique in a VPC regardless of case (CreateSecurityGroup: InvalidGroup.Duplicate)."""
    first: dict[str, str] = {}
    for address in resources:
        if (
            address.kind == "security_group"
            and (other := first.setdefault(address.name.lower(), address.name)) != address.name
        ):
            problem = f"{shown(address.name)} and {shown(other)} are the same name to AWS"
            path = ("resources", "security_group", address.name)
            yield Violation(path, problem, "choose names that differ in more than case", on_key=True)


def _database_tags(resources: Mapping[Address, Resource]) -> Iterator[Violation]:
    """RDS allows fewer characters than EC2 (RDS user guide, "Tagging Amazon RDS resources")."""
    for address, resource in resources.items():
        if address.kind in {"db_instance", "db_subnet_group"}:
            for key, value in (resource.tags or {}).items():
                if not _DATABASE_TAG.fullmatch(key + value):
                    path = ("resources", address.kind, address.name, "tags", key)
                    problem = "RDS refuses a character in this tag"
                    yield Violation(path, problem, "use letters, digits, spaces and _.:/=+-@")


def _subnet_group(group: DbSubnetGroup, subnets: Mapping[Address, Subnet]) -> Iterator[Violation]:
    """RDS API reference, CreateDBSubnetGroup: DBSubnetGroupDoesNotCoverEnoughAZs, DBSubnetQuotaExceededFault."""
    listed = group.subnets or Subnets()
    if len(listed) > SUBNETS_IN_GROUP:
        problem = f"{len(listed)} subnets in a group, RDS allows {SUBNETS_IN_GROUP}"
        yield Violation(("subnets",), problem, "remove subnets that no instance needs")
    zones = {subnets[one].availability_zone for one in listed if one in subnets}
    if len(zones) < ZONES_IN_GROUP and all(one in subnets for one in listed):
        covered = f"only {zones.pop()}" if zones else "no availability zone"
        problem = f"the subnet group covers {covered}, RDS requires at least two zones"
        yield Violation(("subnets",), problem, "add a subnet in another availability zone")


def _windows(instance: DbInstance) -> Iterator[Violation]:
    backup, maintenance = instance.preferred_backup_window, instance.preferred_maintenance_window
    if backup and maintenance and windows_overlap(backup, maintenance):
        problem = f"the maintenance window {maintenance} overlaps the backup window {backup}"
        yield Violation(("preferred_maintenance_window",), problem, "choose windows that do not overlap")


def _storage(instance: DbInstance) -> Iterator[Violation]:
    """RDS user guide, "Amazon RDS DB instance storage"; autoscaling is off if the maximum is the size itself."""
    size, most, kind = instance.allocated_storage, instance.max_allocated_storage, instance.storage_type
    if size is not None and most is not None and most <= size:
        hint = f"write more than {size}, or leave it out to disable autoscaling"
        problem = f"{most} GiB is not more than the allocated {size} GiB"
        yield Violation(("max_allocated_storage",), problem, hint)
    if kind in {"io1", "io2"} and size is not None and size < PROVISIONED_MINIMUM:
        hint = f"write {PROVISIONED_MINIMUM} or more, or choose gp3"
        yield Violation(("allocated_storage",), f"{size} GiB is too small for {kind}", hint)
    if kind == "standard" and size is not None and size > MAGNETIC_MAXIMUM:
        hint = f"write {MAGNETIC_MAXIMUM} or less, or choose gp3"
        yield Violation(("allocated_storage",), f"{size} GiB is too large for magnetic storage", hint)


def _access(instance: DbInstance, vpc: Vpc | None, *, has_gateway: bool) -> Iterator[Violation]:
    if instance.manage_master_user_password is False:
        hint = "write true, or leave it out if the password is managed elsewhere"
        problem = "the instance would have no master password, because a document cannot contain one"
        yield Violation(("manage_master_user_password",), problem, hint)
    groups = instance.vpc_security_groups
    if groups is not None and not groups:
        yield Violation(
            ("vpc_security_groups",),
            "an instance without security groups",
            "write at least one, or leave the field out",
        )
    if groups is not None and len(groups) > GROUPS_ON_INSTANCE:
        problem = f"{len(groups)} security groups on an instance, AWS allows {GROUPS_ON_INSTANCE}"
        yield Violation(("vpc_security_groups",), problem, "combine their rules in fewer groups")
    if instance.publicly_accessible and vpc:  # RDS: InvalidVPCNetworkStateFault
        if not (vpc.enable_dns_support and vpc.enable_dns_hostnames):
            hint = "set enable_dns_support and enable_dns_hostnames to true in the VPC, or publicly_accessible to false"
            yield Violation(("publicly_accessible",), "a public instance in a VPC without DNS hostnames", hint)
        if not has_gateway:
            hint = "declare the internet gateway, or set publicly_accessible to false"
            yield Violation(("publicly_accessible",), "a public instance in a VPC without an internet gateway", hint)
