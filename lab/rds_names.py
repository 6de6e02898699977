"""The names of DB instances, which change, and their resource ids, which do not. For strict_rds and rds_changes.

Facts encoded (RDS API reference, ModifyDBInstance, DBInstance; RDS User Guide, "Renaming a DB instance"): a name is
stored in lower case and unique in the account and Region (DBInstanceAlreadyExists); a renamed instance has another
endpoint and ARN, and its former name is free; tags and DbiResourceId stay; no other instance ever gets that id. A name
that an instance is being renamed to is in use here.
"""

from __future__ import annotations

import base64
import hashlib

from lab import rds_limits
from lab.live import Live
from lab.rds_clock import NEW_NAME, intentions
from lab.refusal import Refusal


def free(live: Live, name: str) -> str:
    """The name as RDS stores it; refused if it is none, or in use."""
    wanted = name.lower()
    rds_limits.check_identifier(wanted)
    for instance in live.instances():
        if wanted in (instance.db_instance_identifier, intentions(instance).queued.get(NEW_NAME)):
            raise Refusal("DBInstanceAlreadyExists", "DB instance already exists")
    return wanted


def resource_id(live: Live) -> str:
    """A resource id that no instance had before."""
    count = vars(live.rds).get("laboratory_instances", 0) + 1
    live.rds.laboratory_instances = count
    digest = hashlib.sha256(f"{live.account}/{live.region}/{count}".encode()).digest()
    return f"db-{base64.b32encode(digest).decode()[:26]}"
