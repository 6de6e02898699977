"""The checks of RDS before it changes anything: names, passwords, sizes, versions, windows, network.

For strict_rds and rds_changes; each raises a Refusal or returns.

Facts encoded (RDS API reference, CreateDBInstance, ModifyDBInstance; RDS User Guide, "Settings", "Storage", "Limits";
terraform-provider-aws): `admin`, `rdsadmin` and pg_* are reserved for PostgreSQL; passwords have 8-128 printable ASCII
characters without / " @ and spaces; storage grows only, 20-65536 GiB, magnetic 5-3072; gp3 below 400 GiB takes no IOPS,
above 12000-64000 and 500-4000 MiB/s, io1 and io2 1000 and more in a ratio to the size; retention 0-35 days; windows of
30 minutes or more that do not overlap; no downgrade, a major upgrade only with AllowMajorVersionUpgrade; a public
instance needs DNS support, DNS host names and an internet gateway. An increase under 10 % is, by the sources, either
rounded up or refused: here it is refused (InvalidParameterCombination). The codes for a shrink and for overlapping
windows are not documented; here InvalidParameterCombination and InvalidParameterValue.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from lab.live import Live, Params
from lab.refusal import Refusal
from lab.strict_vpc import dns_is_on

NEWEST_MINOR = {"12": 22, "13": 20, "14": 13, "15": 8, "16": 4, "17": 2}
OLD_RELEASES = frozenset(
    {"9.6.20", "9.6.22", "10.21", "10.23", "11.22", "11.22-rds.20240509", "12.22", "12.22-rds.20250508",
     "12.22-rds.20250814"}
)  # fmt: skip
STORAGE_TYPES = ("gp2", "gp3", "io1", "io2", "standard")
GP3_IOPS_FROM = 400
GP3_LEAST_IOPS = 12000
MOST_TAGS = 50
MOST_INSTANCES = 40
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEK = 7 * 24 * 60
_CLOCK = r"([01]\d|2[0-3]):([0-5]\d)"
_DAILY = re.compile(rf"{_CLOCK}-{_CLOCK}\Z")
_WEEKLY = re.compile(rf"({'|'.join(_DAYS)}):{_CLOCK}-({'|'.join(_DAYS)}):{_CLOCK}\Z")
_CLASS = re.compile(r"db\.[a-z][a-z0-9]*(-[a-z]+)?\.[a-z0-9]+\Z")


def check_identifier(identifier: str) -> None:
    if not re.fullmatch(r"[a-zA-Z](-?[a-zA-Z0-9])*", identifier) or len(identifier) > 63:
        message = f"The parameter DBInstanceIdentifier is not a valid identifier: {identifier}"
        raise Refusal("InvalidParameterValue", message)


def check_master_user(name: str | None) -> None:
    if not name or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,15}", name):
        raise Refusal("InvalidParameterValue", "The parameter MasterUsername is not a valid identifier.")
    if name.lower() in ("admin", "rdsadmin") or name.lower().startswith("pg_"):
        message = f"MasterUsername {name} cannot be used as it is a reserved word used by the engine"
        raise Refusal("InvalidParameterValue", message)


def check_password(password: str) -> None:
    if not 8 <= len(password) <= 128:
        message = "The parameter MasterUserPassword is not a valid password because it is not 8 to 128 characters long."
        raise Refusal("InvalidParameterValue", message)
    if not re.fullmatch(r"[!-~]+", password) or set(password) & set('/"@'):
        message = "Only printable ASCII characters besides '/', '@', '\"', ' ' may be used in MasterUserPassword."
        raise Refusal("InvalidParameterValue", message)


def check_database_name(name: str | None) -> None:
    if name is not None and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,62}", name):
        message = "DBName must begin with a letter and contain only alphanumeric characters."
        raise Refusal("InvalidParameterValue", message)


def check_new_password(params: Params) -> None:
    """A new instance needs either a password or one that RDS manages."""
    password = params.get("MasterUserPassword")
    if params.get("ManageMasterUserPassword"):
        if password is not None:
            message = "You can't specify MasterUserPassword together with ManageMasterUserPassword."
            raise Refusal("InvalidParameterCombination", message)
        return
    if password is None:
        message = "The parameter MasterUserPassword must be provided and must not be blank."
        raise Refusal("InvalidParameterValue", message)
    check_password(password)


def check_tags(keys: Iterable[str]) -> None:
    """Refuse reserved keys and more than 50 tags in one call."""
    named = list(keys)
    for key in named:
        if key.lower().startswith(("aws:", "rds:")):
            raise Refusal("InvalidParameterValue", f"Tag keys starting with 'aws:' or 'rds:' are reserved: {key}")
    if len(named) > MOST_TAGS:
        raise Refusal("InvalidParameterValue", f"A resource holds at most {MOST_TAGS} tags.")


def check_class(name: str) -> None:
    if not _CLASS.match(name):
        raise Refusal("InvalidParameterValue", f"Invalid DB Instance class: {name}")


def check_retention(days: int) -> None:
    if not 0 <= days <= 35:
        message = f"Invalid backup retention period: {days}. It must be 0 to 35 days."
        raise Refusal("InvalidParameterValue", message)


def check_port(port: int) -> None:
    if not 1150 <= port <= 65535:
        raise Refusal("InvalidParameterValue", f"Invalid port {port}. It must be 1150 to 65535.")


def full_version(wanted: str) -> str:
    """The version that RDS creates for "16" or "16.3"; InvalidParameterCombination if there is none."""
    wanted = wanted.lower()
    old = wanted.split("-")[0] in OLD_RELEASES or wanted in OLD_RELEASES
    major, _, minor = wanted.partition(".")
    if not old and (major not in NEWEST_MINOR or (minor and not minor.isdecimal())):
        raise Refusal("InvalidParameterCombination", f"Cannot find version {wanted} for postgres")
    return wanted if minor else f"{major}.{NEWEST_MINOR[major]}"


def check_upgrade(held: str, wanted: str, allow_major: bool) -> None:
    (old_major, old), (new_major, new) = _version(held), _version(wanted)
    if (new_major, new) < (old_major, old):
        raise Refusal("InvalidParameterCombination", f"Cannot upgrade postgres from {held} to {wanted}")
    if new_major != old_major and not allow_major:
        message = "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version."
        raise Refusal("InvalidParameterCombination", message)


def _version(text: str) -> tuple[list[int], list[int]]:
    """The numbers of the major version, two below 10, and those that follow, with the date of Extended Support."""
    release, _, suffix = text.lower().partition("-")
    numbers = [int(part) for part in release.split(".")]
    majors = 2 if numbers[0] < 10 else 1
    later = [int(digits) for digits in re.findall("[0-9]+", suffix)]
    return numbers[:majors], numbers[majors:] + later


def check_maximum(size: int, most: int | None) -> None:
    """The maximum of storage autoscaling; the size itself, or nothing, means that it is off."""
    if most is not None and most != size and most * 10 < size * 11:
        raise Refusal("InvalidParameterCombination", "Invalid max storage size for engine_name")


def check_storage(
    storage_type: str, size: int, iops: int | None, throughput: int | None, *, told: int | None = None
) -> None:
    """`iops` are those that the storage will have, `told` those of the request."""
    if storage_type not in STORAGE_TYPES:
        raise Refusal("InvalidParameterValue", f"Invalid storage type: {storage_type}")
    smallest, largest = {"io1": (100, 65536), "io2": (100, 65536), "standard": (5, 3072)}.get(storage_type, (20, 65536))
    if not smallest <= size <= largest:
        message = f"Invalid storage size for engine name postgres and storage type {storage_type}: {size}"
        raise Refusal("InvalidParameterValue", message)
    if (told or throughput) and storage_type == "gp3" and size < GP3_IOPS_FROM:
        message = (
            "You can't specify IOPS or storage throughput for engine postgres "
            f"and a storage size less than {GP3_IOPS_FROM}."
        )
        raise Refusal("InvalidParameterCombination", message)
    if told and not _are_possible(storage_type, size, told):
        message = f"Invalid iops value for engine name postgres and storage type {storage_type}: {told}"
        raise Refusal("InvalidParameterCombination", message)
    if throughput and storage_type == "gp3" and not 500 <= throughput <= 4000:
        message = f"Invalid storage throughput value for engine name postgres and storage type gp3: {throughput}"
        raise Refusal("InvalidParameterCombination", message)
    if storage_type in ("io1", "io2") and not iops:
        raise Refusal("InvalidParameterCombination", "You must specify both the storage size and iops.")


def _are_possible(storage_type: str, size: int, iops: int) -> bool:
    """Whether storage of this type and size has so many IOPS."""
    if storage_type == "gp3":
        return GP3_LEAST_IOPS <= iops <= 64000
    most, ratio = (256000, 1000) if storage_type == "io2" else (256000 if size >= 400 else 19950, 50)
    return storage_type in ("io1", "io2") and 1000 <= iops <= most and size / 2 <= iops <= size * ratio


def check_growth(held: int, wanted: int, storage_type: str) -> None:
    """Storage never shrinks, and grows by a tenth at least."""
    if wanted < held or (held < wanted and wanted * 10 < held * 11):
        message = f"Invalid storage size for engine name postgres and storage type {storage_type}: {wanted}"
        raise Refusal("InvalidParameterCombination", message)


def check_windows(backup: str, maintenance: str) -> None:
    """Both windows in RDS's form (`hh24:mi-hh24:mi`, `ddd:hh24:mi-ddd:hh24:mi`, UTC), long enough, without overlap."""
    daily, weekly = _DAILY.match(backup), _WEEKLY.match(maintenance.lower())
    if daily is None:
        raise Refusal("InvalidParameterValue", f"Invalid backup window format: {backup}. Use hh24:mi-hh24:mi.")
    if weekly is None:
        message = f"Invalid maintenance window format: {maintenance}. Use ddd:hh24:mi-ddd:hh24:mi."
        raise Refusal("InvalidParameterValue", message)
    hours = [int(part) for part in daily.groups()]
    each_day = _span(hours[0] * 60 + hours[1], hours[2] * 60 + hours[3], 24 * 60)
    start, length = _week_minutes(weekly)
    once = _span(start, start + length, _WEEK)
    if len(each_day) < 30 or len(once) < 30:
        raise Refusal("InvalidParameterValue", "The backup and maintenance windows must be at least 30 minutes long.")
    if {minute % (24 * 60) for minute in once} & set(each_day):
        raise Refusal("InvalidParameterValue", "The backup window and maintenance window must not overlap.")


def weekly(window: str) -> tuple[int, int]:
    """When a maintenance window opens, in minutes since Monday midnight, and how long it is open."""
    found = _WEEKLY.match(window.lower())
    if found is None:
        raise ValueError(f"{window} is no maintenance window")
    return _week_minutes(found)


def is_open(window: str, at: datetime) -> bool:
    """Whether a maintenance window is open at this time in UTC."""
    first, length = weekly(window)
    return (at.weekday() * 24 * 60 + at.hour * 60 + at.minute - first) % _WEEK < length


def _week_minutes(window: re.Match[str]) -> tuple[int, int]:
    day, h1, m1, until, h2, m2 = window.groups()
    start = _DAYS.index(day) * 24 * 60 + int(h1) * 60 + int(m1)
    end = _DAYS.index(until) * 24 * 60 + int(h2) * 60 + int(m2)
    return start, (end - start) % _WEEK


def _span(start: int, end: int, cycle: int) -> list[int]:
    return [(start + offset) % cycle for offset in range((end - start) % cycle)]


def check_groups(live: Live, group_ids: list[str], vpc_id: str) -> None:
    """The security groups exist and are in the instance's VPC."""
    if not group_ids:
        raise Refusal("InvalidParameterValue", "At least one security group must be given.")
    known: dict[str, Any] = {group.id: group for group in live.groups()}
    for group_id in group_ids:
        if group_id not in known:
            raise Refusal("InvalidParameterValue", f"Invalid security group , groupId= {group_id}, groupName=.")
        if known[group_id].vpc_id != vpc_id:
            message = (
                "The DB instance and EC2 security group are in different VPCs. The DB instance is in "
                f"{vpc_id} and the EC2 security group is in {known[group_id].vpc_id}"
            )
            raise Refusal("InvalidParameterCombination", message)


def check_option_group(live: Live, name: str) -> None:
    if not name.startswith("default:postgres-") and name not in live.rds.option_groups:
        raise Refusal("OptionGroupNotFoundFault", f"Specified OptionGroupName: {name} not found.", 404)


def check_quota(live: Live) -> None:
    if len(live.instances()) >= MOST_INSTANCES:
        raise Refusal("InstanceQuotaExceeded", f"A Region holds at most {MOST_INSTANCES} DB instances.")


def check_public(live: Live, vpc_id: str) -> None:
    if not dns_is_on(live, vpc_id):
        message = (
            "Cannot create a publicly accessible DBInstance. The specified VPC does not support "
            "DNS resolution, DNS hostnames, or both. Update the VPC and then try again"
        )
        raise Refusal("InvalidVPCNetworkStateFault", message)
    if live.gateway_of(vpc_id) is None:
        message = (
            "Cannot create a publicly accessible DBInstance. The specified VPC has no "
            "internet gateway attached. Update the VPC and then try again"
        )
        raise Refusal("InvalidVPCNetworkStateFault", message)
