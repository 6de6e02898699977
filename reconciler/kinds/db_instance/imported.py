"""How a DB instance is written into a new document. What RDS keeps secret is neither read nor written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from desired_state.database import USUAL_LIFECYCLE, DbInstance
from reconciler.aws.rds import INSTANCES
from reconciler.kinds.db_instance.replicas import source_of
from reconciler.kinds.db_instance.settings import SETTINGS, Live
from reconciler.model.imported import Import
from reconciler.model.read import Item

_BESIDE = {
    "AssociatedRoles": "its roles",
    "DomainMemberships": "its directory",
}
"""Settings that a document has no field for, if they are set."""


_USUAL_CA = "rds-ca-rsa2048-g1"
"""What RDS uses if nothing else is said (RDS user guide, Using SSL/TLS)."""


def name(item: Item) -> str:
    """RDS stores identifiers in lower case (RDS API reference, CreateDBInstance)."""
    return str(item["DBInstanceIdentifier"]).lower()


def declined(item: Item) -> str:
    """A member of a cluster has its settings from the cluster (RDS API reference, ModifyDBInstance)."""
    if cluster := item.get("DBClusterIdentifier"):
        return f"it is a member of the cluster {cluster}, which decides its settings"
    if source := source_of(item):
        return f"it is a read replica of {source}, which a document cannot say"
    return "RDS is deleting it" if item.get("DBInstanceStatus") == "deleting" else ""


def said(seen: Live) -> DbInstance:
    """What is not set, or as RDS makes it: no autoscaling, no first database, no managed password, nothing switched on,
    the default authority and parameter group.
    """
    spec = seen.spec
    off = (
        *("max_allocated_storage", "db_name", "manage_master_user_password", "enabled_cloudwatch_logs_exports"),
        *("monitoring_interval", "monitoring_role", "performance_insights_enabled", "iam_database_authentication"),
    )
    unset = {field: not getattr(spec, field) for field in off} | {
        "monitoring_role": not (spec.monitoring_interval and spec.monitoring_role),
        "performance_insights_retention_period": not spec.performance_insights_enabled,
        "performance_insights_kms_key": not spec.performance_insights_enabled,
        "ca_certificate_identifier": spec.ca_certificate_identifier == _USUAL_CA,
        "db_parameter_group": str(spec.db_parameter_group).startswith("default."),
        "network_type": spec.network_type == "IPV4",
        "database_insights_mode": spec.database_insights_mode == "standard",
        "dedicated_log_volume": not spec.dedicated_log_volume,
        "engine_lifecycle_support": spec.engine_lifecycle_support == USUAL_LIFECYCLE,
    }
    return spec.but(**{field: None for field, is_unset in unset.items() if is_unset})


def unsaid(item: Item, words: Mapping[str, str]) -> Iterator[str]:
    found = [text for field, text in _BESIDE.items() if item.get(field)]
    options = [str(one["OptionGroupName"]) for one in item.get("OptionGroupMemberships", ())]
    found += [f"option group {one}" for one in options if not one.startswith("default:")]
    if found:
        yield f"{', '.join(found)}: a document has no field for it, who changes it is not noticed"


def remarks(item: Item, seen: Live) -> Iterator[str]:
    """Pending values, which the document holds because they win, and a password that nobody keeps."""
    waiting = [
        f"{field} {getattr(seen.spec, field)}"
        for field, one in SETTINGS.items()
        if one.pending and one.pending in seen.facts.pending and seen.facts.now[field] != getattr(seen.spec, field)
    ]
    if waiting:
        are = "is" if len(waiting) == 1 else "are"
        yield f"{', '.join(waiting)} {are} pending, the document holds {'it' if len(waiting) == 1 else 'them'}"
    if seen.spec.manage_master_user_password is False:
        yield "its password is not kept by RDS"
    if seen.creating:
        yield "RDS is still creating it: import again afterwards, with --into"


IMPORT = Import(
    reads=lambda context: (INSTANCES,), name=name, declined=declined, said=said, unsaid=unsaid, remarks=remarks
)
