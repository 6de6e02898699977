"""What AWS would surely refuse of a document's resources, refused before a call is made. `checks.py` calls `findings`.

Quotas are those of a new account: a document that needs a raised one is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from desired_state.database import DbInstance, DbSubnetGroup, windows_overlap
from desired_state.explain import Violation
from desired_state.fields import Address, contains, is_cidr, is_ipv6, network, shown
from desired_state.members import Subnets
from desired_state.network import InternetGateway, NetworkAcl, RouteTable, SecurityGroup, Subnet, Vpc
from desired_state.quotas import ACL_ENTRIES, GROUP_RULES
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


def findings(resources: Mapping[Address, Resource], region: str | None) -> Iterator[Violation]:
    """Everything that AWS would refuse; `resources` are those that loaded, `region` is None where the scope did not."""
    vpcs = [it for it in resources.values() if isinstance(it, Vpc) and it.cidr_block]
    vpc = vpcs[0] if len(vpcs) == 1 else None
    subnets = {address: it for address, it in resources.items() if isinstance(it, Subnet)}
    has_gateway = any(isinstance(it, InternetGateway) for it in resources.values())
    yield from _overlapping(subnets)
    yield from _group_names(resources)
    yield from _database_tags(resources)
    found: Iterable[Violation]
    for address, resource in resources.items():
        match resource:
            case Vpc():
                found = _vpc(resource)
            case Subnet():
                found = _subnet(resource, vpc, region)
            case RouteTable():
                found = _route_table(resource, vpc)
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


def _vpc(vpc: Vpc) -> Iterator[Violation]:
    if vpc.enable_dns_hostnames and vpc.enable_dns_support is False:
        hint = "write enable_dns_support true, or enable_dns_hostnames false"
        yield Violation(("enable_dns_hostnames",), "DNS hostnames need DNS support", hint)


def _subnet(subnet: Subnet, vpc: Vpc | None, region: str | None) -> Iterator[Violation]:
    block, zone = subnet.cidr_block or "", subnet.availability_zone or ""
    if vpc and vpc.cidr_block and block and not contains(vpc.cidr_block, block):
        hint = f"choose a network inside {vpc.cidr_block}"
        yield Violation(("cidr_block",), f"{block} is outside the VPC's network", hint)
    if region and zone and (not zone.startswith(region) or zone[len(region) : len(region) + 1].isdigit()):
        hint = f'write a zone such as "{region}a"'
        yield Violation(("availability_zone",), f"{shown(zone)} is no zone of {region}", hint)


def _overlapping(subnets: Mapping[Address, Subnet]) -> Iterator[Violation]:
    """Subnets of a VPC share no address (CreateSubnet: InvalidSubnet.Conflict)."""
    written = {address: index for index, address in enumerate(subnets)}
    blocks = {address: it.cidr_block for address, it in subnets.items() if it.cidr_block}
    ranges = sorted((*network(block), written[address], address) for address, block in blocks.items())
    widest: tuple[int, int, int, int, Address] | None = None
    for here in ranges:
        if widest and here[1] <= widest[2]:  # all are IPv4: they begin in order, so the one that ends last decides
            first, second = sorted((widest, here), key=lambda one: one[3])
            problem = f"{blocks[second[4]]} overlaps {shown(first[4])} ({blocks[first[4]]})"
            hint = "give every subnet addresses of its own"
            yield Violation(("resources", "subnet", second[4].name, "cidr_block"), problem, hint)
        if not widest or here[2] > widest[2]:
            widest = here


def _route_table(table: RouteTable, vpc: Vpc | None) -> Iterator[Violation]:
    routes = table.routes or Routes()
    if vpc and vpc.cidr_block and vpc.cidr_block in routes:
        hint = "leave it out: the local route is AWS's own"
        yield Violation(
            ("routes", vpc.cidr_block), "a route for the VPC's own network cannot be created", hint, on_key=True
        )
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
            hint = f"use wider networks or port ranges: {ACL_ENTRIES}, as AWS's own entry counts too"
            yield from _too_many((field,), f"{field} entries", cidrs, ACL_ENTRIES, hint)


def _too_many(path: tuple[str, ...], what: str, peers: Iterable[str], limit: int, hint: str) -> Iterator[Violation]:
    """AWS counts IPv4 and IPv6 apart; what is no network counts in both."""
    count = Counter((4, 6)[is_ipv6(peer)] if is_cidr(peer) else 0 for peer in peers)
    for family in (4, 6):
        if count[family] + count[0] > limit:
            yield Violation(path, f"{count[family] + count[0]} {what} for IPv{family}, AWS takes {limit}", hint)


def _group_names(resources: Mapping[Address, Resource]) -> Iterator[Violation]:
    """Names of groups are unique in a VPC whatever their case (CreateSecurityGroup: InvalidGroup.Duplicate)."""
    first: dict[str, str] = {}
    for address in resources:
        if (
            address.kind == "security_group"
            and (other := first.setdefault(address.name.lower(), address.name)) != address.name
        ):
            problem = f"{shown(address.name)} and {shown(other)} are one name to AWS"
            path = ("resources", "security_group", address.name)
            yield Violation(path, problem, "choose names that differ in more than case", on_key=True)


def _database_tags(resources: Mapping[Address, Resource]) -> Iterator[Violation]:
    """RDS takes fewer characters than EC2 (RDS user guide, "Tagging Amazon RDS resources")."""
    for address, resource in resources.items():
        if address.kind in {"db_instance", "db_subnet_group"}:
            for key, value in (resource.tags or {}).items():
                if not _DATABASE_TAG.fullmatch(key + value):
                    path = ("resources", address.kind, address.name, "tags", key)
                    yield Violation(path, "RDS refuses a sign in this tag", "use letters, digits, spaces and _.:/=+-@")


def _subnet_group(group: DbSubnetGroup, subnets: Mapping[Address, Subnet]) -> Iterator[Violation]:
    """RDS API reference, CreateDBSubnetGroup: DBSubnetGroupDoesNotCoverEnoughAZs, DBSubnetQuotaExceededFault."""
    listed = group.subnets or Subnets()
    if len(listed) > SUBNETS_IN_GROUP:
        problem = f"{len(listed)} subnets in a group, RDS takes {SUBNETS_IN_GROUP}"
        yield Violation(("subnets",), problem, "keep those in which the instances may stand")
    zones = {subnets[one].availability_zone for one in listed if one in subnets}
    if len(zones) < ZONES_IN_GROUP and all(one in subnets for one in listed):
        covered = f"only {zones.pop()}" if zones else "no availability zone"
        problem = f"the subnet group covers {covered}, RDS asks for two zones or more"
        yield Violation(("subnets",), problem, "add a subnet in another availability zone")


def _windows(instance: DbInstance) -> Iterator[Violation]:
    backup, maintenance = instance.preferred_backup_window, instance.preferred_maintenance_window
    if backup and maintenance and windows_overlap(backup, maintenance):
        problem = f"the maintenance window {maintenance} meets the backup window {backup}"
        yield Violation(("preferred_maintenance_window",), problem, "choose windows that share no minute")


def _storage(instance: DbInstance) -> Iterator[Violation]:
    """RDS user guide, "Amazon RDS DB instance storage"; autoscaling is off where the maximum is the size itself."""
    size, most, kind = instance.allocated_storage, instance.max_allocated_storage, instance.storage_type
    if size is not None and most is not None and most <= size:
        hint = f"write more than {size}, or leave it out for no autoscaling"
        yield Violation(("max_allocated_storage",), f"{most} is no more than the {size} GiB it starts with", hint)
    if kind in {"io1", "io2"} and size is not None and size < PROVISIONED_MINIMUM:
        hint = f"write {PROVISIONED_MINIMUM} or more, or choose gp3"
        yield Violation(("allocated_storage",), f"{size} GiB is too small for {kind}", hint)
    if kind == "standard" and size is not None and size > MAGNETIC_MAXIMUM:
        hint = f"write {MAGNETIC_MAXIMUM} or less, or choose gp3"
        yield Violation(("allocated_storage",), f"{size} GiB is too large for magnetic storage", hint)


def _access(instance: DbInstance, vpc: Vpc | None, *, has_gateway: bool) -> Iterator[Violation]:
    if instance.manage_master_user_password is False:
        hint = "leave it out where somebody keeps the password elsewhere: a password never stands in a document"
        yield Violation(("manage_master_user_password",), "nobody would know the master password", hint)
    groups = instance.vpc_security_groups
    if groups is not None and not groups:
        yield Violation(
            ("vpc_security_groups",),
            "an instance without security groups",
            "write one at least, or leave the field out",
        )
    if groups is not None and len(groups) > GROUPS_ON_INSTANCE:
        problem = f"{len(groups)} security groups on an instance, AWS takes {GROUPS_ON_INSTANCE}"
        yield Violation(("vpc_security_groups",), problem, "put their rules together in fewer groups")
    if instance.publicly_accessible and vpc:  # RDS: InvalidVPCNetworkStateFault
        if not (vpc.enable_dns_support and vpc.enable_dns_hostnames):
            hint = "write enable_dns_support and enable_dns_hostnames true in the VPC, or publicly_accessible false"
            yield Violation(("publicly_accessible",), "a public instance in a VPC without DNS hostnames", hint)
        if not has_gateway:
            hint = "declare the internet gateway, or write publicly_accessible false"
            yield Violation(("publicly_accessible",), "a public instance in a VPC without internet gateway", hint)
