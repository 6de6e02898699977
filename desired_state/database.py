"""The database's kinds: DB subnet group and DB instance (PostgreSQL on RDS)."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field

from desired_state.fields import Address, Form, refusal, shown
from desired_state.members import Collection, MemberProblem, SecurityGroups, Subnets, listed_twice, refused_members
from desired_state.resource import Refusal, Resource
from desired_state.versions import covers, declarable, upgraded

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 24 * 60
_WEEK = 7 * _DAY
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_NEVER_RENAMED: Refusal = ("RDS knows it by its name", "rename it in RDS and declare it under the new name")
_RESERVED_USERS = frozenset({"admin", "rdsadmin"})
"""Names that RDS reserves on PostgreSQL (RDS user guide; others have seen `admin` refused)."""


def _minute(text: str) -> int | None:
    return int(text[:2]) * 60 + int(text[3:]) if _TIME.fullmatch(text) else None


def backup_minutes(window: str) -> tuple[int, int] | None:
    """`hh:mm-hh:mm` in UTC as (first minute of the day, length in minutes); None if it is not one."""
    start, dash, end = window.partition("-")
    first, last = _minute(start), _minute(end)
    return (first, (last - first) % _DAY) if dash and first is not None and last is not None else None


def maintenance_minutes(window: str) -> tuple[int, int] | None:
    """`ddd:hh:mm-ddd:hh:mm` in UTC as (first minute of the week, length in minutes); None if it is not one."""
    moments = []
    for moment in window.split("-"):
        minute = _minute(moment[4:])
        if moment[:3] not in _DAYS or moment[3:4] != ":" or minute is None:
            return None
        moments.append(_DAYS.index(moment[:3]) * _DAY + minute)
    return (moments[0], (moments[1] - moments[0]) % _WEEK) if len(moments) == len("ab") else None


def windows_overlap(backup: str, maintenance: str) -> bool:
    """Whether the daily backup window overlaps the weekly maintenance window, which RDS refuses; both well-formed."""
    start, length = backup_minutes(backup) or (0, 0)
    first, span = maintenance_minutes(maintenance) or (0, 0)
    return any(
        (first - (day * _DAY + start)) % _WEEK < length or ((day * _DAY + start) - first) % _WEEK < span
        for day in range(7)
    )


def _backup_window(text: str) -> str:
    minutes = backup_minutes(text)
    if minutes is None or minutes[1] < 30:
        hint = 'write UTC times at least 30 minutes apart: "17:00-17:30"'
        raise refusal(f"{shown(text)} is not a backup window", hint)
    return text


def _maintenance_window(text: str) -> str:
    minutes = maintenance_minutes(text)
    if minutes is None or not 30 <= minutes[1] < _DAY:
        hint = 'write UTC days and times 30 minutes to 24 hours apart, in lower case: "sun:18:00-sun:18:30"'
        raise refusal(f"{shown(text)} is not a maintenance window", hint)
    return text


def _user(text: str) -> str:
    if text.lower() in _RESERVED_USERS or text.lower().startswith("pg_"):
        raise refusal(
            f"{shown(text)} is a reserved master user name for PostgreSQL", 'choose another, such as "postgres"'
        )
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,15}", text):
        raise refusal(
            f"{shown(text)} cannot be a master user name",
            "use 1 to 16 letters, digits or underscores, starting with a letter",
        )
    return text


def _database_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,62}", text):
        raise refusal(
            f"{shown(text)} cannot be a database name",
            "use 1 to 63 letters, digits or underscores, starting with a letter",
        )
    return text


def _version(text: str) -> str:
    if not declarable(text):
        raise refusal(
            f"{shown(text)} is not a PostgreSQL version",
            'write a major version such as "16", or a minor version such as "16.4"',
        )
    return text.replace("-RDS.", "-rds.")  # as RDS takes it; its announcements have capitals


def _instance_class(text: str) -> str:
    if not re.fullmatch(r"db\.[a-z0-9-]+(\.[a-z0-9-]+)+", text):
        raise refusal(f"{shown(text)} is not a DB instance class", 'write a class such as "db.t3.micro"')
    return text


def _group_description(text: str) -> str:
    if not text or len(text) > 255 or not (text.isascii() and text.isprintable()):
        raise refusal(f"RDS refuses the description {shown(text)}", "use 1 to 255 printable ASCII characters")
    return text


def _subnet_group(text: str) -> str:
    if not text.startswith("db_subnet_group/"):
        raise refusal(f"{shown(text)} is not a DB subnet group of this document", "write db_subnet_group/<name>")
    return text


def _ca(text: str) -> str:
    if not re.fullmatch(r"rds-ca-[a-z0-9-]{1,40}", text):
        hint = 'write one that RDS lists, such as "rds-ca-rsa2048-g1"'
        raise refusal(f"{shown(text)} is not a certificate authority of RDS", hint)
    return text


def _role(text: str) -> str:
    if not re.fullmatch(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}", text, re.ASCII):
        hint = 'write the whole ARN: "arn:aws:iam::123456789012:role/rds-monitoring-role"'
        raise refusal(f"{shown(text)} is not the ARN of an IAM role", hint)
    return text


def _key(text: str) -> str:
    if not re.fullmatch(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]{1,64}", text):
        hint = "write the ARN of the key as RDS shows it, arn:aws:kms:<region>:<account>:key/<id>; an alias may move"
        raise refusal(f"{shown(text)} is not the ARN of a KMS key", hint)
    return text


def _retention(days: int) -> int:
    if days not in {7, 731} and not (days % 31 == 0 and 1 <= days // 31 <= 23):
        raise refusal(f"RDS keeps no performance history for {days} days", "write 7, 731, or 31 times 1 to 23")
    return days


def _parameter_group(text: str) -> str:
    if not re.fullmatch(r"(default\.)?[a-z](-?[a-z0-9.])*", text) or len(text) > 255:
        lower = f", such as {shown(text.lower())}" if text != text.lower() else ""
        hint = f"write the name of one for this engine, in lower case{lower}"
        raise refusal(f"{shown(text)} is not the name of a DB parameter group", hint)
    return text


class LogTypes(Collection, frozenset[str]):
    """The logs of PostgreSQL that RDS exports to CloudWatch Logs (RDS API reference, DescribeDBEngineVersions)."""

    written = list[str]
    KNOWN: ClassVar[frozenset[str]] = frozenset({"postgresql", "upgrade", "iam-db-auth-error"})

    @classmethod
    def read(cls, written: list[str]) -> Self:
        hint = f"write some of {', '.join(sorted(cls.KNOWN))}"
        problems: list[MemberProblem] = [
            ((index,), f"{shown(one)} is not a log of PostgreSQL", hint)
            for index, one in enumerate(written)
            if one not in cls.KNOWN
        ]
        if problems := [*problems, *listed_twice(written)]:
            raise refused_members(problems)
        return cls(written)

    def as_written(self) -> list[str]:
        return sorted(self)


class DbSubnetGroup(Resource):
    """A DB subnet group: subnets in at least two availability zones. RDS makes `default` itself."""

    kind: ClassVar[str] = "db_subnet_group"
    required: ClassVar[frozenset[str]] = frozenset({"subnets"})
    never_renamed: ClassVar[Refusal | None] = _NEVER_RENAMED

    description: Annotated[str, AfterValidator(_group_description)] | None = None
    subnets: Subnets | None = None

    @classmethod
    def name_problem(cls, name: str) -> Refusal | None:
        if not re.fullmatch(r"[a-z0-9 ._-]{1,255}", name):
            lower = f", such as {shown(name.lower())}" if name != name.lower() else ""
            return (
                f"{shown(name)} cannot be the name of a DB subnet group",
                f"use 1 to 255 lower-case letters, digits, spaces and ._-{lower}",
            )
        return super().name_problem(name)


class DbInstance(Resource):
    """A PostgreSQL instance. A document has no password: RDS manages it (`manage_master_user_password`)."""

    kind: ClassVar[str] = "db_instance"
    id_form: ClassVar[Form | None] = Form(
        r"db-[A-Z0-9]{26}",
        "the DbiResourceId of a DB instance",
        "write it as RDS shows it: db-, and 26 capitals or digits",
    )
    never_renamed: ClassVar[Refusal | None] = _NEVER_RENAMED

    engine: Literal["postgres"] | None = None
    engine_version: Annotated[str, AfterValidator(_version)] | None = None
    db_instance_class: Annotated[str, AfterValidator(_instance_class)] | None = None
    storage_type: Literal["gp2", "gp3", "io1", "io2", "standard"] | None = None
    allocated_storage: Annotated[int, Field(ge=5, le=65536)] | None = None
    max_allocated_storage: Annotated[int, Field(ge=0, le=65536)] | None = None
    iops: Annotated[int, Field(ge=1000, le=256000)] | None = None
    storage_throughput: Annotated[int, Field(ge=125, le=4000)] | None = None
    storage_encrypted: bool | None = None
    kms_key: Annotated[str, AfterValidator(_key)] | None = None
    db_name: Annotated[str, AfterValidator(_database_name)] | None = None
    master_username: Annotated[str, AfterValidator(_user)] | None = None
    manage_master_user_password: bool | None = None
    port: Annotated[int, Field(ge=1150, le=65535)] | None = None
    multi_az: bool | None = None
    publicly_accessible: bool | None = None
    db_subnet_group: Annotated[Address, AfterValidator(_subnet_group)] | None = None
    vpc_security_groups: SecurityGroups | None = None
    backup_retention_period: Annotated[int, Field(ge=0, le=35)] | None = None
    preferred_backup_window: Annotated[str, AfterValidator(_backup_window)] | None = None
    preferred_maintenance_window: Annotated[str, AfterValidator(_maintenance_window)] | None = None
    auto_minor_version_upgrade: bool | None = None
    copy_tags_to_snapshot: bool | None = None
    deletion_protection: bool | None = None
    enabled_cloudwatch_logs_exports: LogTypes | None = None
    monitoring_interval: Literal[0, 1, 5, 10, 15, 30, 60] | None = None
    monitoring_role: Annotated[str, AfterValidator(_role)] | None = None
    performance_insights_enabled: bool | None = None
    performance_insights_retention_period: Annotated[int, AfterValidator(_retention)] | None = None
    performance_insights_kms_key: Annotated[str, AfterValidator(_key)] | None = None
    ca_certificate_identifier: Annotated[str, AfterValidator(_ca)] | None = None
    iam_database_authentication: bool | None = None
    db_parameter_group: Annotated[str, AfterValidator(_parameter_group)] | None = None
    network_type: Literal["IPV4", "DUAL"] | None = None
    database_insights_mode: Literal["standard", "advanced"] | None = None
    dedicated_log_volume: bool | None = None
    engine_lifecycle_support: (
        Literal["open-source-rds-extended-support", "open-source-rds-extended-support-disabled"] | None
    ) = None

    @classmethod
    def name_problem(cls, name: str) -> Refusal | None:
        if name != name.lower() and re.fullmatch(r"[A-Za-z0-9-]+", name):
            return (
                f"the identifier {shown(name)} is not lower case",
                f"RDS stores it in lower case: write {shown(name.lower())}",
            )
        if not re.fullmatch(r"[a-z](-?[a-z0-9])*", name) or len(name) > 63:
            hint = "use 1 to 63 lower-case letters, digits and single hyphens, a letter first, no hyphen at the end"
            return f"{shown(name)} cannot be the identifier of a DB instance", hint
        return None


def _version_agrees(want: DbInstance, have: DbInstance) -> bool:
    """`16` is any 16.x; a later minor version of the same major one is no drift where AWS upgrades by itself."""
    declared, found = str(want.engine_version), str(have.engine_version)
    automatically = want.auto_minor_version_upgrade
    if automatically is None:
        automatically = have.auto_minor_version_upgrade
    return covers(declared, found) or upgraded(declared, found, automatically=bool(automatically))


def _storage_agrees(want: DbInstance, have: DbInstance) -> bool:
    """With storage autoscaling, more storage than declared is not drift."""
    declared, found = want.allocated_storage or 0, have.allocated_storage or 0
    scales = (want.max_allocated_storage or 0) > declared
    return found == declared or (scales and found > declared)


def _storage_type_agrees(want: DbInstance, have: DbInstance) -> bool:
    """AWS converts magnetic storage to gp3 by itself, and nothing can be converted back (RDS user guide, Storage)."""
    return want.storage_type == have.storage_type or (want.storage_type, have.storage_type) == ("standard", "gp3")


def _role_agrees(want: DbInstance, have: DbInstance) -> bool:
    """Without an interval, the role has no effect, and RDS may show one or none."""
    off = 0 in {want.monitoring_interval, have.monitoring_interval}
    return off or want.monitoring_role == have.monitoring_role


DbInstance.agrees = {
    "engine_version": _version_agrees,
    "allocated_storage": _storage_agrees,
    "storage_type": _storage_type_agrees,
    "monitoring_role": _role_agrees,
}
USUAL_LIFECYCLE = "open-source-rds-extended-support"
"""What RDS uses if nothing else is said: it charges for the years after the end of standard support."""
ADVANCED_DAYS = 465
"""The least retention period of Performance Insights with Database Insights in the mode advanced (RDS user guide)."""
PROVISIONED = frozenset({"io1", "io2"})
GP3_PROVISIONED_FROM = 400
"""GiB from which gp3 has IOPS and throughput to choose; below, PostgreSQL has GP3_FIXED, which RDS shows and refuses
(RDS user guide, Storage).
"""
GP3_FIXED = (3000, 125)


def has_provisioned(storage_type: str | None, size: int | None) -> bool:
    """Whether storage of this type and size in GiB has IOPS that one chooses."""
    return storage_type in PROVISIONED or (storage_type == "gp3" and (size or 0) >= GP3_PROVISIONED_FROM)
