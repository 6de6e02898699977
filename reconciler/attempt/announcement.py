"""Which accepted version is still to be announced, and what it changes.

The ledger remembers which version was announced last, so that a run that dies between accepting a version and telling
people leaves that to the next one. An item that was written before there were announcements has none: its accepted
version counts as announced.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from desired_state.load import DocumentError, load
from desired_state.sources import SourceError
from reconciler.attempt.version import Versions, VersionSelection
from reconciler.ledger.record import Accepted, DocumentRecord
from reconciler.notify.alert import Topic, fingerprint

if TYPE_CHECKING:
    from desired_state.document import Document
    from reconciler.revision.change import RevisionChange

log = logging.getLogger(__name__)


def pending(
    name: str, documents: Versions, selection: VersionSelection, before: Accepted | None, record: DocumentRecord
) -> RevisionChange | None:
    """What the version that `record` has accepted changes, compared with the one that was announced last; None if that
    is the same, or if it cannot be known now. `before` is the version that was accepted when the run began.
    """
    last = record.announced or record.accepted
    if last is None or record.accepted is None or selection.document is None or last.same_content(record.accepted):
        return None
    if selection.change and not selection.held and (before is None or before.same_content(last)):
        return selection.change
    from reconciler.revision.compare import compare

    try:
        return compare(_announced(name, documents, last), selection.document)
    except SourceError as error:
        log.warning("%s: what revision %d changes is told by another run: %s", name, record.accepted.revision, error)
        return None


def _announced(name: str, documents: Versions, last: Accepted) -> Document | None:
    """The version that was announced last; None if there is none, or it is gone. Raises SourceError."""
    if not last.version_id:
        return None
    try:
        pinned = documents.version(name, last.version_id)
        return load(pinned.data, pinned.origin)
    except SourceError as error:
        if not error.gone:
            raise
    except DocumentError as error:
        log.info("%s: revision %d, announced last, does not load any more: %s", name, last.revision, error)
    return None


def announced(record: DocumentRecord, document: str, lost: Collection[str]) -> DocumentRecord:
    """The record once the alerts were sent, but for those that were `lost` (their fingerprints)."""
    carriers = {fingerprint(document, topic) for topic in (Topic.REVISION, Topic.ROLLOUT)}
    return record if carriers & set(lost) else replace(record, announced=record.accepted)


def pinned_anew(record: DocumentRecord) -> DocumentRecord:
    """The record, if the announced bytes were uploaded again: their newest version is the one that lasts."""
    last, now = record.announced, record.accepted
    return replace(record, announced=now) if last and now and last.same_content(now) else record
