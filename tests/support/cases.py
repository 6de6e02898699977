"""Every property that a document may give, how it drifts, and how that ends: one table for `test_every_property.py`.

Beside it the few words that the tests of every kind share: editing a document, building it, breaking it, and what a
repair must show. A property may have several cases; one without any fails `test_every_property.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore import xform_name

from desired_state.document import Document
from lab.world import World
from reconciler.engine.result import Report
from reconciler.model import Outcome, Policy
from tests.support.moves import make_main, use_acl
from tests.support.packets import violations
from tests.support.runs import Network, document

ANYWHERE = "0.0.0.0/0"
DATABASE = "mypostgresqldb"

Edit = Callable[[dict[str, Any]], object]
Deed = Callable[[Network], object]


def edit(address: str, **fields: Any) -> Edit:
    """An edit of one resource of a document; `...` takes a field out, a new address puts a resource in."""
    kind, _, name = address.partition("/")

    def change(written: dict[str, Any]) -> None:
        resource = written["resources"].setdefault(kind, {}).setdefault(name, {})
        for field, value in fields.items():
            if value is ...:
                resource.pop(field, None)
            else:
                resource[field] = value

    return change


def removed(address: str) -> Edit:
    """An edit that takes a resource out of a document."""
    kind, _, name = address.partition("/")
    return lambda written: written["resources"][kind].pop(name)


def each(*deeds: Deed) -> Deed:
    """All of these, one after the other."""

    def deed(net: Network) -> None:
        for one in deeds:
            one(net)

    return deed


def both(*edits: Edit) -> Edit:
    """Edits one after the other."""

    def change(written: dict[str, Any]) -> None:
        for one in edits:
            one(written)

    return change


def rule(
    ports: int | str, peer: str, protocol: str | int = "tcp", *, egress: bool = False, **more: Any
) -> dict[str, Any]:
    """A rule as written in a document."""
    with_ports = {} if ports == "" else {"ports": ports}
    return {"protocol": protocol, **with_ports, "destination" if egress else "source": peer, **more}


def entry(
    action: str, ports: int | str, peer: str, protocol: str | int = "tcp", *, egress: bool = False, **more: Any
) -> Any:
    """An ACL entry as written in a document."""
    return {"action": action, **rule(ports, peer, protocol, egress=egress, **more)}


def permission(first: int, peer: str, last: int | None = None, protocol: str = "tcp", **more: Any) -> Any:
    """One rule of a security group as boto3 takes it."""
    what: dict[str, Any] = {"IpProtocol": protocol}
    if protocol != "-1":
        what |= {"FromPort": first, "ToPort": first if last is None else last}
    if peer.startswith("sg-"):
        what["UserIdGroupPairs"] = [{"GroupId": peer, **more}]
    elif peer.startswith("pl-"):
        what["PrefixListIds"] = [{"PrefixListId": peer, **more}]
    elif ":" in peer:
        what["Ipv6Ranges"] = [{"CidrIpv6": peer, **more}]
    else:
        what["IpRanges"] = [{"CidrIp": peer, **more}]
    return what


_BUILT: dict[tuple[int, str], World] = {}


def built(net: Network, change: Edit | None = None, *, from_clean: bool = False) -> Document:
    """The document with that change, and the live network brought to it.

    `from_clean`: nothing was done to the network before, so that it need be built only once for all tests that want it.
    """
    wanted = document(change)
    known = (id(net), wanted.sha256)
    if change and from_clean and known in _BUILT:
        net.lab.restore(_BUILT[known])
    elif change:
        net.run(wanted, Policy(create_databases=True, downtime="now"))
        net.lab.settle()
        report = net.run(wanted)
        assert report.in_sync, told(report)
        if from_clean:
            _BUILT[known] = net.lab.save()
    net.lab.calls.clear()
    return wanted


def told(report: Report) -> list[tuple[str, str, Outcome | None, str]]:
    """What a report says that is not well, for a failing assertion."""
    drifts = [(str(one.address), one.field, one.outcome, one.message) for one in report.drifts if one.message]
    return drifts + [(str(one.address), one.field, one.outcome, one.cause.message) for one in report.findings]


def ended(report: Report, address: str, field: str = "") -> set[Outcome | None]:
    """How the drifts of that property ended (of the missing resource, where no field is given)."""
    return {one.outcome for one in report.drifts if (str(one.address), one.field) == (address, field)}


def said(report: Report, address: str, field: str = "") -> str:
    """What the report says about that property."""
    return " | ".join(one.message for one in report.drifts if (str(one.address), one.field) == (address, field))


def writes(net: Network) -> list[str]:
    """The names of the writes that went well since the calls were last cleared, in their order."""
    return [call.operation for call in net.lab.calls if call.kind == "write" and call.error is None]


def calm(net: Network, wanted: Document | None = None, policy: Policy | None = None) -> None:
    """One more run finds nothing and writes nothing."""
    again = net.run(wanted, policy)
    assert (again.in_sync, again.writes, again.drifts) == (True, 0, ()), told(again)


def mended(
    net: Network, deed: Deed, wanted: Document | None = None, policy: Policy | None = None, *, anew: bool = False
) -> Report:
    """What a repair must show: after `deed` one run puts everything back, no packet is cut or let in on the way, and
    the next run writes nothing. `anew`: something is made again, so that ids are others than before.
    """
    clean = net.state()
    deed(net)
    before = net.state()
    net.lab.calls.clear()
    with net.watched() as states:
        report = net.run(wanted, policy)
    net.lab.settle()
    assert report.drifts, "the drift was not seen"
    assert report.in_sync, told(report)
    after = net.state()
    assert anew or after.in_use() == clean.in_use()
    assert violations(before, after, states) == []
    calm(net, wanted, policy)
    return report


def left(
    net: Network,
    address: str,
    field: str,
    outcome: Outcome,
    why: str,
    wanted: Document | None = None,
    policy: Policy | None = None,
) -> Report:
    """What a drift that is not corrected must show: its outcome and why, and that the next run writes nothing."""
    report = net.run(wanted, policy)
    assert ended(report, address, field) == {outcome}, told(report)
    assert why in said(report, address, field)
    assert not report.in_sync
    before = net.state()
    again = net.run(wanted, policy)
    assert again.writes == 0
    assert ended(again, address, field) == {outcome}
    assert net.state().in_use() == before.in_use()
    return report


DEFAULT = Policy()


@dataclass(frozen=True)
class Case:
    """One way in which one property of one resource comes to differ, and how a run ends for it.

    The network is first brought to the document changed by `start`; then `deed` is done, or the document itself is
    changed by `wanted`. `adopt` names the live resource that the address is then said to be. `why` is a part of what
    the report must say where the property is not corrected.
    """

    address: str
    field: str
    outcome: Outcome
    deed: Deed = lambda net: None
    start: Edit | None = None
    wanted: Edit | None = None
    adopt: Callable[[Network], str] | None = None
    policy: Policy = DEFAULT
    why: str = ""

    @property
    def kind(self) -> str:
        return self.address.partition("/")[0]

    def __str__(self) -> str:
        policy = "" if self.policy.downtime == "never" else f" downtime={self.policy.downtime}"
        return f"{self.kind}.{self.field} {self.outcome.value}{policy}"


def retagged(address: str) -> Case:
    """A declared tag that somebody wrote over; every kind of EC2 has the same call for it."""
    deed = lambda net: net.outsider("ec2").create_tags(  # noqa: E731
        Resources=[net.id(address)], Tags=[{"Key": "team", "Value": "nobody"}]
    )
    return Case(address, "tags", Outcome.CORRECTED, deed, start=edit(address, tags={"team": "shop"}))


def vpc_attribute(**attributes: bool) -> Deed:
    def deed(net: Network) -> None:
        for name, value in attributes.items():
            net.outsider("ec2").modify_vpc_attribute(VpcId=net.id("vpc/MyVPC"), **{name: {"Value": value}})

    return deed


def association(net: Network, subnet: str) -> Any:
    """The explicit route table association of a subnet."""
    filters = [{"Name": "association.subnet-id", "Values": [net.id(subnet)]}]
    (table,) = net.outsider("ec2").describe_route_tables(Filters=filters)["RouteTables"]
    (found,) = [one for one in table["Associations"] if one.get("SubnetId") == net.id(subnet)]
    return found


def main_table(net: Network) -> tuple[str, str]:
    """(table, association) of the VPC's main route table."""
    filters = [{"Name": "vpc-id", "Values": [net.id("vpc/MyVPC")]}, {"Name": "association.main", "Values": ["true"]}]
    (table,) = net.outsider("ec2").describe_route_tables(Filters=filters)["RouteTables"]
    (found,) = [one for one in table["Associations"] if one["Main"]]
    return table["RouteTableId"], found["RouteTableAssociationId"]


def default_acl(net: Network) -> str:
    filters = [{"Name": "vpc-id", "Values": [net.id("vpc/MyVPC")]}, {"Name": "default", "Values": ["true"]}]
    (acl,) = net.outsider("ec2").describe_network_acls(Filters=filters)["NetworkAcls"]
    return str(acl["NetworkAclId"])


def move_acl(net: Network, subnet: str, acl_id: str) -> None:
    """Somebody puts a subnet behind another ACL."""
    use_acl(net.outsider("ec2"), net.id(subnet), acl_id)


def other_main(net: Network) -> None:
    """Somebody makes a table of their own the main one."""
    ec2 = net.outsider("ec2")
    table = ec2.create_route_table(VpcId=net.id("vpc/MyVPC"))["RouteTable"]["RouteTableId"]
    make_main(ec2, net.id("vpc/MyVPC"), table)


def database(**changes: Any) -> Deed:
    """Somebody modifies the database, and RDS finishes doing so."""

    def deed(net: Network) -> None:
        net.outsider("rds").modify_db_instance(DBInstanceIdentifier=DATABASE, ApplyImmediately=True, **changes)
        net.lab.settle()

    return deed


def live_database(net: Network) -> Any:
    """The database as the laboratory holds it."""
    return net.lab._live.instance(DATABASE)


def _db(field: str, outcome: Outcome, deed: Deed = lambda net: None, **how: Any) -> Case:
    return Case(f"db_instance/{DATABASE}", field, outcome, deed, **how)


def _wanted(**fields: Any) -> Edit:
    return edit(f"db_instance/{DATABASE}", **fields)


_KEY = "arn:aws:kms:ap-northeast-2:123456789012:key/0f5c2a10-0000-4000-8000-1a2b3c4d5e6f"
_ROLE = "arn:aws:iam::123456789012:role/rds-monitoring-role"
_ADVANCED = _wanted(
    performance_insights_enabled=True,
    performance_insights_retention_period=465,
    database_insights_mode="advanced",
)
_MONITORED = _wanted(monitoring_interval=60, monitoring_role=_ROLE)


def _tag_database(net: Network) -> None:
    arn = f"arn:aws:rds:ap-northeast-2:123456789012:db:{DATABASE}"
    net.outsider("rds").add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "team", "Value": "nobody"}])


def _tag_subnet_group(net: Network) -> None:
    arn = "arn:aws:rds:ap-northeast-2:123456789012:subgrp:mydbsubnetgroup"
    net.outsider("rds").add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "team", "Value": "nobody"}])


def _subnet_group(*subnets: str, **more: Any) -> Deed:
    return lambda net: net.outsider("rds").modify_db_subnet_group(
        DBSubnetGroupName="mydbsubnetgroup", SubnetIds=[net.id(one) for one in subnets], **more
    )


_BOTH_PRIVATE = ("subnet/PrivateSubnet1", "subnet/PrivateSubnet2")
_NOW, _WINDOW = Policy(downtime="now"), Policy(downtime="window")
_ACL = "network_acl/PrivateSubnetACL"
_OTHER_GROUP = edit("db_subnet_group/other", subnets=["subnet/PrivateSubnet1", "subnet/PrivateSubnet2"])

CASES: tuple[Case, ...] = (
    Case(
        "vpc/MyVPC",
        "cidr_block",
        Outcome.BLOCKED,
        wanted=edit("vpc/MyVPC", cidr_block="10.0.0.0/17"),
        why="AWS cannot change it",
    ),
    Case(
        "vpc/MyVPC",
        "secondary_cidr_blocks",
        Outcome.BLOCKED,
        wanted=edit("vpc/MyVPC", secondary_cidr_blocks=["100.64.0.0/16"]),
        why="associate it by hand",
    ),
    Case("vpc/MyVPC", "enable_dns_hostnames", Outcome.CORRECTED, vpc_attribute(EnableDnsHostnames=False)),
    Case(
        "vpc/MyVPC",
        "enable_dns_support",
        Outcome.CORRECTED,
        vpc_attribute(EnableDnsHostnames=False, EnableDnsSupport=False),
    ),
    retagged("vpc/MyVPC"),
    Case(
        "internet_gateway/MyInternetGateway",
        "vpc",
        Outcome.CORRECTED,
        lambda net: net.outsider("ec2").detach_internet_gateway(
            InternetGatewayId=net.id("internet_gateway/MyInternetGateway"), VpcId=net.id("vpc/MyVPC")
        ),
    ),
    retagged("internet_gateway/MyInternetGateway"),
    Case(
        "subnet/PrivateSubnet1",
        "cidr_block",
        Outcome.BLOCKED,
        wanted=edit("subnet/PrivateSubnet1", cidr_block="10.0.9.0/24"),
        why="AWS cannot change it",
    ),
    Case(
        "subnet/PublicSubnet1",
        "availability_zone",
        Outcome.BLOCKED,
        wanted=edit("subnet/PublicSubnet1", availability_zone="ap-northeast-2b"),
        why="AWS cannot change it",
    ),
    Case(
        "subnet/PrivateSubnet2",
        "map_public_ip_on_launch",
        Outcome.CORRECTED,
        lambda net: net.outsider("ec2").modify_subnet_attribute(
            SubnetId=net.id("subnet/PrivateSubnet2"), MapPublicIpOnLaunch={"Value": True}
        ),
    ),
    retagged("subnet/PrivateSubnet1"),
    Case(
        "route_table/PrivateRouteTable",
        "main",
        Outcome.CORRECTED,
        other_main,
        start=edit("route_table/PrivateRouteTable", main=True),
    ),
    Case(
        "route_table/PrivateRouteTable",
        "main",
        Outcome.BLOCKED,
        start=edit("route_table/PrivateRouteTable", main=True),
        wanted=edit("route_table/PrivateRouteTable", main=False),
        why="a VPC always has a main route table",
    ),
    Case(
        "route_table/PublicRouteTable",
        "routes",
        Outcome.CORRECTED,
        lambda net: net.outsider("ec2").delete_route(
            RouteTableId=net.id("route_table/PublicRouteTable"), DestinationCidrBlock=ANYWHERE
        ),
    ),
    Case(
        "route_table/PrivateRouteTable",
        "subnets",
        Outcome.CORRECTED,
        lambda net: net.outsider("ec2").disassociate_route_table(
            AssociationId=association(net, "subnet/PrivateSubnet1")["RouteTableAssociationId"]
        ),
    ),
    retagged("route_table/PublicRouteTable"),
    Case(
        "security_group/DBSG",
        "description",
        Outcome.BLOCKED,
        wanted=edit("security_group/DBSG", description="something else"),
        why="AWS cannot change it",
    ),
    Case(
        "security_group/DBSG",
        "ingress",
        Outcome.CORRECTED,
        lambda net: net.outsider("ec2").authorize_security_group_ingress(
            GroupId=net.id("security_group/DBSG"), IpPermissions=[permission(22, ANYWHERE)]
        ),
    ),
    Case(
        "security_group/DBSG",
        "egress",
        Outcome.CORRECTED,
        lambda net: net.outsider("ec2").revoke_security_group_egress(
            GroupId=net.id("security_group/DBSG"), IpPermissions=[permission(-1, ANYWHERE, protocol="-1")]
        ),
    ),
    retagged("security_group/DBSG"),
    Case(
        _ACL,
        "is_default",
        Outcome.BLOCKED,
        wanted=edit(_ACL, is_default=False),
        adopt=default_acl,
        why="the default ACL of a VPC cannot be changed",
    ),
    Case(
        _ACL,
        "ingress",
        Outcome.CORRECTED,
        lambda net: net.outsider("ec2").delete_network_acl_entry(
            NetworkAclId=net.id(_ACL), RuleNumber=110, Egress=False
        ),
    ),
    Case(
        _ACL,
        "egress",
        Outcome.CORRECTED,
        lambda net: net.outsider("ec2").delete_network_acl_entry(
            NetworkAclId=net.id(_ACL), RuleNumber=110, Egress=True
        ),
    ),
    Case(_ACL, "subnets", Outcome.CORRECTED, lambda net: move_acl(net, "subnet/PrivateSubnet1", default_acl(net))),
    retagged(_ACL),
    Case(
        "db_subnet_group/mydbsubnetgroup",
        "description",
        Outcome.CORRECTED,
        _subnet_group(*_BOTH_PRIVATE, DBSubnetGroupDescription="nobody knows"),
    ),
    Case(
        "db_subnet_group/mydbsubnetgroup",
        "subnets",
        Outcome.CORRECTED,
        _subnet_group(*_BOTH_PRIVATE, "subnet/PublicSubnet1"),
    ),
    Case(
        "db_subnet_group/mydbsubnetgroup",
        "tags",
        Outcome.CORRECTED,
        _tag_subnet_group,
        start=edit("db_subnet_group/mydbsubnetgroup", tags={"team": "shop"}),
    ),
    _db(
        "vpc_security_groups",
        Outcome.CORRECTED,
        lambda net: database(VpcSecurityGroupIds=[net.id("security_group/APIGatewaySG")])(net),
    ),
    _db("publicly_accessible", Outcome.CORRECTED, database(PubliclyAccessible=True)),
    _db("deletion_protection", Outcome.CORRECTED, database(DeletionProtection=False)),
    _db("copy_tags_to_snapshot", Outcome.CORRECTED, database(CopyTagsToSnapshot=False)),
    _db("auto_minor_version_upgrade", Outcome.CORRECTED, database(AutoMinorVersionUpgrade=False)),
    _db(
        "max_allocated_storage",
        Outcome.CORRECTED,
        database(MaxAllocatedStorage=1000),
        start=_wanted(max_allocated_storage=100),
    ),
    _db("preferred_backup_window", Outcome.CORRECTED, database(PreferredBackupWindow="10:00-10:30")),
    _db("preferred_maintenance_window", Outcome.CORRECTED, database(PreferredMaintenanceWindow="mon:10:00-mon:10:30")),
    _db("backup_retention_period", Outcome.CORRECTED, database(BackupRetentionPeriod=1)),
    _db("backup_retention_period", Outcome.HELD, database(BackupRetentionPeriod=0), why="costs downtime"),
    _db("backup_retention_period", Outcome.CORRECTED, database(BackupRetentionPeriod=0), policy=_NOW),
    _db("allocated_storage", Outcome.CORRECTED, wanted=_wanted(allocated_storage=30)),
    _db("allocated_storage", Outcome.BLOCKED, database(AllocatedStorage=40), why="storage cannot shrink"),
    _db("allocated_storage", Outcome.BLOCKED, wanted=_wanted(allocated_storage=21), why="declare at least 22"),
    _db("storage_type", Outcome.CORRECTED, database(StorageType="gp2")),
    _db("storage_type", Outcome.HELD, database(StorageType="standard"), why="costs downtime"),
    _db("multi_az", Outcome.CORRECTED, database(MultiAZ=True)),
    _db("port", Outcome.HELD, database(DBPortNumber=5433), start=_wanted(port=5432), why="costs downtime"),
    _db("port", Outcome.CORRECTED, database(DBPortNumber=5433), start=_wanted(port=5432), policy=_NOW),
    _db("db_instance_class", Outcome.HELD, database(DBInstanceClass="db.t3.large"), why="costs downtime"),
    _db("db_instance_class", Outcome.CORRECTED, database(DBInstanceClass="db.t3.large"), policy=_NOW),
    _db("db_instance_class", Outcome.CORRECTED, database(DBInstanceClass="db.t3.large"), policy=_WINDOW),
    _db("engine_version", Outcome.HELD, wanted=_wanted(engine_version="17"), why="costs downtime"),
    _db("engine_version", Outcome.CORRECTED, wanted=_wanted(engine_version="17"), policy=_NOW),
    _db("engine_version", Outcome.CORRECTED, wanted=_wanted(engine_version="17.2"), policy=_WINDOW),
    _db("engine_version", Outcome.BLOCKED, wanted=_wanted(engine_version="15"), why="cannot be downgraded"),
    _db(
        "manage_master_user_password",
        Outcome.HELD,
        database(ManageMasterUserPassword=False, MasterUserPassword="known-to-somebody"),
        why="costs downtime",
    ),
    _db(
        "manage_master_user_password",
        Outcome.CORRECTED,
        database(ManageMasterUserPassword=False, MasterUserPassword="known-to-somebody"),
        policy=_NOW,
    ),
    _db(
        "engine",
        Outcome.BLOCKED,
        lambda net: setattr(live_database(net), "engine", "mysql"),
        why="it is 'mysql', and 'postgres' is declared",
    ),
    _db("storage_encrypted", Outcome.BLOCKED, wanted=_wanted(storage_encrypted=False), why="AWS cannot change it"),
    _db("db_name", Outcome.BLOCKED, wanted=_wanted(db_name="orders"), why="AWS cannot change it"),
    _db("master_username", Outcome.BLOCKED, wanted=_wanted(master_username="keeper"), why="AWS cannot change it"),
    _db(
        "db_subnet_group",
        Outcome.BLOCKED,
        wanted=both(_OTHER_GROUP, _wanted(db_subnet_group="db_subnet_group/other")),
        why="AWS cannot change it",
    ),
    _db(
        "iops",
        Outcome.CORRECTED,
        database(AllocatedStorage=400, Iops=13000),
        start=_wanted(allocated_storage=400, iops=12000),
    ),
    _db(
        "storage_throughput",
        Outcome.CORRECTED,
        database(AllocatedStorage=400, Iops=12000, StorageThroughput=600),
        start=_wanted(allocated_storage=400, storage_throughput=500),
    ),
    _db(
        "max_allocated_storage",
        Outcome.CORRECTED,
        database(MaxAllocatedStorage=100),
        start=_wanted(max_allocated_storage=0),
    ),
    _db(
        "max_allocated_storage",
        Outcome.BLOCKED,
        wanted=both(_wanted(max_allocated_storage=21), _wanted(allocated_storage=...)),
        why="declare 22",
    ),
    _db("kms_key", Outcome.BLOCKED, wanted=_wanted(kms_key=_KEY), why="AWS cannot change it"),
    _db(
        "enabled_cloudwatch_logs_exports",
        Outcome.CORRECTED,
        database(CloudwatchLogsExportConfiguration={"DisableLogTypes": ["postgresql"], "EnableLogTypes": ["upgrade"]}),
        start=_wanted(enabled_cloudwatch_logs_exports=["postgresql"]),
    ),
    _db("monitoring_interval", Outcome.CORRECTED, database(MonitoringInterval=0), start=_MONITORED),
    _db(
        "monitoring_role",
        Outcome.CORRECTED,
        database(MonitoringInterval=60, MonitoringRoleArn=f"{_ROLE}-2"),
        start=_MONITORED,
    ),
    _db(
        "performance_insights_enabled",
        Outcome.CORRECTED,
        database(EnablePerformanceInsights=False),
        start=_wanted(performance_insights_enabled=True),
    ),
    _db(
        "performance_insights_enabled",
        Outcome.BLOCKED,
        database(EnablePerformanceInsights=True),
        start=_wanted(performance_insights_enabled=False),
        why="could be lost",
    ),
    _db(
        "performance_insights_retention_period",
        Outcome.CORRECTED,
        database(EnablePerformanceInsights=True, PerformanceInsightsRetentionPeriod=7),
        start=_wanted(performance_insights_enabled=True, performance_insights_retention_period=93),
    ),
    _db(
        "performance_insights_kms_key",
        Outcome.BLOCKED,
        database(EnablePerformanceInsights=True, PerformanceInsightsKMSKeyId=f"{_KEY}-2"),
        wanted=_wanted(performance_insights_enabled=True, performance_insights_kms_key=_KEY),
        why="AWS cannot change it",
    ),
    _db(
        "ca_certificate_identifier",
        Outcome.HELD,
        wanted=_wanted(ca_certificate_identifier="rds-ca-rsa4096-g1"),
        why="must trust the new authority first",
    ),
    _db(
        "ca_certificate_identifier",
        Outcome.CORRECTED,
        database(CACertificateIdentifier="rds-ca-rsa4096-g1"),
        start=_wanted(ca_certificate_identifier="rds-ca-rsa2048-g1"),
        policy=_NOW,
    ),
    _db(
        "iam_database_authentication",
        Outcome.CORRECTED,
        database(EnableIAMDatabaseAuthentication=False),
        start=_wanted(iam_database_authentication=True),
    ),
    _db(
        "iam_database_authentication",
        Outcome.HELD,
        database(EnableIAMDatabaseAuthentication=True),
        start=_wanted(iam_database_authentication=False),
        why="locked out",
    ),
    _db(
        "db_parameter_group",
        Outcome.HELD,
        wanted=_wanted(db_parameter_group="orders-16"),
        why="takes effect at a reboot",
    ),
    _db("network_type", Outcome.HELD, wanted=_wanted(network_type="DUAL"), why="an outage is possible"),
    _db("database_insights_mode", Outcome.HELD, wanted=_ADVANCED, why="changes what the database costs"),
    _db(
        "database_insights_mode",
        Outcome.CORRECTED,
        database(DatabaseInsightsMode="standard", PerformanceInsightsRetentionPeriod=7),
        start=_ADVANCED,
        policy=_NOW,
    ),
    _db(
        "dedicated_log_volume",
        Outcome.HELD,
        database(DedicatedLogVolume=True),
        start=_wanted(storage_type="io1", iops=1000, allocated_storage=100, dedicated_log_volume=False),
        why="copying the log may take long",
    ),
    _db(
        "engine_lifecycle_support",
        Outcome.BLOCKED,
        wanted=_wanted(engine_lifecycle_support="open-source-rds-extended-support-disabled"),
        why="change it by hand",
    ),
    _db("tags", Outcome.CORRECTED, _tag_database, start=_wanted(tags={"team": "shop"})),
)


OWNED = {
    "DescribeInternetGateways": ("InternetGateways", "InternetGatewayId"),
    "DescribeRouteTables": ("RouteTables", "RouteTableId"),
    "DescribeNetworkAcls": ("NetworkAcls", "NetworkAclId"),
    "DescribeSecurityGroups": ("SecurityGroups", "GroupId"),
    "DescribeSubnets": ("Subnets", "SubnetId"),
}
"""Where the tags of what the document owns are shown, and its id."""


def carrying(net: Network) -> dict[str, list[str]]:
    """The ids that carry the tags of each address of ours."""
    ec2 = net.outsider("ec2")
    found: dict[str, list[str]] = {}
    for operation, (members, name) in OWNED.items():
        for item in getattr(ec2, xform_name(operation))()[members]:
            tags = {tag["Key"]: tag["Value"] for tag in item["Tags"]}
            if tags.get("setpoint:document") == "test-server" and "setpoint:name" in tags:
                found.setdefault(f"{members} {tags['setpoint:name']}", []).append(item[name])
    return found
