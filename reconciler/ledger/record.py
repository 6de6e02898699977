"""What is remembered of one document between runs. Pure values: `ledger.py` stores them, `keep.py` renews them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from desired_state.fields import Address


@dataclass(frozen=True)
class Accepted:
    """The newest version of a document that loaded and was not refused: the last known good one.

    `version_id` is S3's name of exactly these bytes, empty once the document was deleted; `sha256` is their digest in
    hexadecimal.
    """

    revision: int
    sha256: str
    version_id: str


@dataclass(frozen=True)
class FlappingRecord:
    """One drift that comes back after it was corrected. `times` are our corrections of the last hour, `pauses` counts
    how often it was left alone so far, `until` is when it may be corrected again (None: now).
    """

    times: tuple[datetime, ...] = ()
    pauses: int = 0
    until: datetime | None = None


@dataclass(frozen=True)
class Notified:
    """A concern that people were told of. `digest` says what exactly was the matter then; `open` is false for what was
    settled, which is remembered for an hour so that the same correction is not told twice.
    """

    digest: str
    title: str
    first_seen: datetime
    last_alerted: datetime
    open: bool = True


@dataclass(frozen=True)
class DocumentRecord:
    """All that is remembered of one document. `looked_at` is when the last run that saw the network began.

    `flapping` go by the name of a drift (`fights.py`), `notified` by an concern's fingerprint (`report/concerns.py`), `holds`
    say since when a `setpoint:hold` tag has been seen on a resource. `deleted`: its object is gone, and that was told.
    """

    account: str = ""
    region: str = ""
    vpc_id: str = ""
    accepted: Accepted | None = None
    looked_at: datetime | None = None
    deleted: bool = False
    flapping: Mapping[str, FlappingRecord] = field(default_factory=dict)
    notified: Mapping[str, Notified] = field(default_factory=dict)
    holds: Mapping[Address, datetime] = field(default_factory=dict)
