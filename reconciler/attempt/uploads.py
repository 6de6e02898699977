"""Who uploaded a version of the document: an event says so once, and later runs of that version tell it too. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from reconciler.ledger.record import DocumentRecord
from reconciler.model.trigger import Trigger, Upload

MOST = 5
"""The most uploads that are remembered: that of the version in force, and the newest others."""
_NOT_KNOWN = datetime(1970, 1, 1, tzinfo=UTC)


def of_version(version_id: str, trigger: Trigger, record: DocumentRecord) -> Upload | None:
    """Who uploaded this version, if an event said so, to this run or an earlier one."""
    known: Iterable[Upload] = (*trigger.uploads, *record.uploads)
    return next((one for one in known if version_id and one.version_id == version_id), None)


def remembered(record: DocumentRecord, trigger: Trigger) -> DocumentRecord:
    """The record with what the events of this run said."""
    if not trigger.uploads:
        return record
    known = {one.version_id: one for one in (*record.uploads, *trigger.uploads) if one.version_id}
    in_force = record.accepted.version_id if record.accepted else ""
    newest = sorted(known.values(), key=lambda one: one.at or _NOT_KNOWN, reverse=True)
    newest.sort(key=lambda one: one.version_id != in_force)
    return replace(record, uploads=tuple(newest[:MOST]))
