"""What AWS would certainly refuse of a document's resources. `checks.py` calls `findings`.

Quotas count as the highest that an account can have; `over_quota` says what is more than an account's own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from desired_state.database import (
    ADVANCED_DAYS,
    GP3_FIXED,
    PROVISIONED,
    DbInstance,
    DbSubnetGroup,
    has_provisioned,
    windows_overlap,
)
from desired_state.explain import Violation
from desired_state.fields import Address, contains, is_cidr, is_ipv6, network, shown
from desired_state.members import Subnets
from desired_state.network import Blocks, InternetGateway, NetworkAcl, RouteTable, SecurityGroup, Subnet, Vpc
from desired_state.quotas import MOST, Quotas
from desired_state.regions import listed_regions, region_of
from desired_state.rules import Routes

if TYPE_CHECKING:
    from desired_state.resource import Resource

SUBNETS_IN_GROUP = 20
GROUPS_ON_INSTANCE = 5
ZONES_IN_GROUP = 2
PROVISIONED_MINIMUM = 100
GP3_LEAST_IOPS = 12000
"""From 400 GiB on (RDS user guide, "Amazon RDS DB instance storage")."""
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
            case SecurityGroup() | NetworkAcl():
                found = _over_quota(resource, MOST)
            case DbSubnetGroup():
                found = _subnet_group(resource, subnets)
            case DbInstance():
                found = (
                    *_windows(resource),
                    *_storage(resource),
                    *_monitoring(resource),
                    *_insights(resource),
                    *_access(resource, vpc, has_gateway=has_gateway),
                )
            case _:
                continue
        yield from (one._replace(path=("resources", address.kind, address.name, *one.path)) for one in found)


def over_quota(
    resources: Mapping[Address, Resource], external: Container[Address], quotas: Quotas
) -> Iterator[Violation]:
    """What an account with these quotas would refuse of a document that loads."""
    for address, resource in resources.items():
        for one in _over_quota(resource, quotas) if address not in external else ():
            yield one._replace(path=("resources", address.kind, address.name, *one.path))


def _over_quota(resource: Resource, quotas: Quotas) -> Iterator[Violation]:
    match resource:
        case RouteTable():
            hint = "use wider networks or a prefix list"
            yield from _too_many(("routes",), "routes", resource.routes or {}, quotas.routes, hint, "QUOTA_ROUTES")
        case SecurityGroup():
            hint = "use wider networks, a prefix list or a second group"
            for field, rules in (("ingress", resource.ingress), ("egress", resource.egress)):
                peers = [key.peer for key in rules or ()]
                yield from _too_many((field,), f"{field} rules", peers, quotas.rules, hint, "QUOTA_RULES")
        case NetworkAcl():
            hint = "use wider networks or port ranges (one entry of the quota is AWS's own)"
            for field, entries in (("ingress", resource.ingress), ("egress", resource.egress)):
                cidrs = [entry.cidr for entry in (entries or {}).values()]
                yield from _too_many((field,), f"{field} entries", cidrs, quotas.usable_entries, hint, "QUOTA_ENTRIES")
        case _:
            return


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
        hint = f'write a zone such as "{region}a"' + ("" if region in listed_regions() else ", or correct scope.region")
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
    inside = [to for to in routes if is_cidr(to) and to not in blocks and any(contains(one, to) for one in blocks)]
    for to in inside:  # CreateRoute: InvalidParameterValue
        if routes[to].startswith(("igw-", "internet_gateway/")):
            hint = "leave it out, or write a NAT gateway, an interface or an endpoint of a Gateway Load Balancer"
            problem = f"{to} is a part of the VPC, and an internet gateway is no way there"
            yield Violation(("routes", to), problem, hint)
    yield from _over_quota(table, MOST)


def _too_many(
    path: tuple[str, ...], what: str, peers: Collection[str], limit: int, hint: str, setting: str
) -> Iterator[Violation]:
    """AWS counts IPv4 and IPv6 separately; a peer that is not a network counts in both."""
    if len(peers) <= limit:
        return
    count = Counter((4, 6)[is_ipv6(peer)] if is_cidr(peer) else 0 for peer in peers)
    for family in (4, 6):
        if count[family] + count[0] > limit:
            problem = f"{count[family] + count[0]} {what} for IPv{family}, the quota ({setting}) allows {limit}"
            yield Violation(path, problem, hint)


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
    """RDS user guide, "Amazon RDS DB instance storage"; a maximum of 0 means that autoscaling is off."""
    size, most, kind = instance.allocated_storage, instance.max_allocated_storage, instance.storage_type
    if size is not None and most and most * 10 < size * 11:
        hint = f"write at least {-(-size * 11 // 10)}, or 0 to switch autoscaling off"
        problem = f"{most} GiB is less than 1.1 times the allocated {size} GiB"
        yield Violation(("max_allocated_storage",), problem, hint)
    if kind in PROVISIONED and size is not None and size < PROVISIONED_MINIMUM:
        hint = f"write {PROVISIONED_MINIMUM} or more, or choose gp3"
        yield Violation(("allocated_storage",), f"{size} GiB is too small for {kind}", hint)
    if kind == "standard" and size is not None and size > MAGNETIC_MAXIMUM:
        hint = f"write {MAGNETIC_MAXIMUM} or less, or choose gp3"
        yield Violation(("allocated_storage",), f"{size} GiB is too large for magnetic storage", hint)
    if instance.dedicated_log_volume and kind is not None and kind not in PROVISIONED:
        hint = "choose io1 or io2, or leave it out"
        yield Violation(("dedicated_log_volume",), f"{kind} storage has no log volume of its own", hint)
    yield from _speed(instance)


def _speed(instance: DbInstance) -> Iterator[Violation]:
    """What the type and size of the storage allow of IOPS and throughput."""
    size, kind = instance.allocated_storage, instance.storage_type
    chosen = has_provisioned(kind, size)
    if kind is None or size is None:
        return
    for field, value, fixed in zip(
        ("iops", "storage_throughput"), (instance.iops, instance.storage_throughput), GP3_FIXED, strict=True
    ):
        if value is None or (kind == "gp3" and (chosen or value == fixed)) or (chosen and field == "iops"):
            continue
        hint = "leave it out, or choose gp3 from 400 GiB on" + (", io1 or io2" if field == "iops" else "")
        yield Violation((field,), f"{kind} storage of {size} GiB has no {field} to choose", hint)
    least = GP3_LEAST_IOPS if kind == "gp3" and chosen else 0
    if instance.iops and instance.iops < least:
        hint = f"write {least} or more, or leave it out"
        yield Violation(("iops",), f"{instance.iops} IOPS are too few for gp3 storage of {size} GiB", hint)


def _monitoring(instance: DbInstance) -> Iterator[Violation]:
    """RDS takes an interval and a role together only (RDS API reference, ModifyDBInstance)."""
    interval, role = instance.monitoring_interval, instance.monitoring_role
    if interval and not role:
        hint = 'add the ARN of the role as "monitoring_role"'
        yield Violation(("monitoring_interval",), "an interval without a monitoring_role", hint)
    if role and not interval:
        hint = 'add "monitoring_interval", such as 60, or leave the role out'
        yield Violation(("monitoring_role",), "a role without a monitoring_interval", hint)
    if instance.kms_key and instance.storage_encrypted is False:
        yield Violation(("kms_key",), "a key for storage that is not encrypted", "leave one of them out")


def _insights(instance: DbInstance) -> Iterator[Violation]:
    """What RDS takes together only (RDS user guide, "Database Insights")."""
    for field in ("performance_insights_retention_period", "performance_insights_kms_key"):
        if getattr(instance, field) is not None and not instance.performance_insights_enabled:
            hint = 'add "performance_insights_enabled": true, or leave it out'
            yield Violation((field,), "Performance Insights is not declared to be on", hint)
    kept = instance.performance_insights_retention_period or 0
    if instance.database_insights_mode == "advanced" and kept < ADVANCED_DAYS:
        hint = 'add "performance_insights_enabled": true and "performance_insights_retention_period": 465, or more'
        problem = f"advanced keeps its figures {ADVANCED_DAYS} days at least"
        yield Violation(("database_insights_mode",), problem, hint)


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
