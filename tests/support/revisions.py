"""A document that declares every field of every kind, and versions of documents for the tests of what these change."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from desired_state.document import Document
from desired_state.load import load
from tests.support.documents import DOCUMENT

KEY = "arn:aws:kms:eu-central-1:123456789012:key"
TAGS = {"tags": {"team": "shop"}}
Change = Callable[[dict[str, Any]], object]


def _full() -> dict[str, Any]:
    written: dict[str, Any] = json.loads(DOCUMENT)
    declared = written["resources"]
    declared["vpc"]["main"] |= TAGS | {"secondary_cidr_blocks": ["10.1.0.0/20"]}
    declared["internet_gateway"]["door"] |= TAGS | {"vpc": "vpc/main"}
    for subnet in declared["subnet"].values():
        subnet.update(TAGS, map_public_ip_on_launch=False)
    declared["route_table"]["out"] |= TAGS | {"main": True}
    declared["security_group"]["db"] |= {"description": "The data", "egress": []}
    declared["security_group"]["web"] |= TAGS
    declared["network_acl"]["front"] |= TAGS | {"is_default": True}
    declared["db_subnet_group"]["data"] |= TAGS
    declared["db_instance"]["orders"] |= TAGS | {
        "db_instance_class": "db.t3.micro",
        "allocated_storage": 400,
        "max_allocated_storage": 500,
        "iops": 12_000,
        "storage_throughput": 500,
        "kms_key": f"{KEY}/1",
        "storage_encrypted": True,
        "db_name": "orders",
        "port": 5432,
        "multi_az": False,
        "backup_retention_period": 7,
        "auto_minor_version_upgrade": True,
        "copy_tags_to_snapshot": True,
        "deletion_protection": True,
        "enabled_cloudwatch_logs_exports": ["postgresql"],
        "monitoring_interval": 60,
        "monitoring_role": "arn:aws:iam::123456789012:role/rds-monitoring-role",
        "performance_insights_enabled": True,
        "performance_insights_retention_period": 465,
        "performance_insights_kms_key": f"{KEY}/2",
        "ca_certificate_identifier": "rds-ca-rsa2048-g1",
        "iam_database_authentication": True,
        "db_parameter_group": "tuned",
        "network_type": "IPV4",
        "database_insights_mode": "advanced",
        "dedicated_log_volume": False,
        "engine_lifecycle_support": "open-source-rds-extended-support",
    }
    return written


FULL = _full()


def version(change: Change | None = None, *, of: dict[str, Any] = FULL, origin: str = "shop.json") -> Document:
    """A version of a document, changed in place by `change`."""
    written = deepcopy(of)
    if change:
        change(written)
    return load(json.dumps(written).encode(), origin)
