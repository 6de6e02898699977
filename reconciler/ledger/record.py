"""What is remembered of one document between runs. Pure values: `lease.py` stores them, `keep.py` updates them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import NonNegativeInt

from desired_state.fields import Address
from reconciler.model.trigger import Upload

FLAPPING = "flapping"
"""Among `DocumentRecord.outcomes`: what is held because it, or what it depends on, flaps."""


@dataclass(frozen=True)
class Accepted:
    """The newest version of a document that was valid and not refused: the last known good one.

    `version_id` is S3's, empty once the document was deleted; `sha256` is the digest of its bytes in hexadecimal.
    """

    revision: int
    sha256: str
    version_id: str

    def same_content(self, other: Accepted) -> bool:
        """Whether both have the same bytes."""
        return (self.revision, self.sha256) == (other.revision, other.sha256)


NONE_ANNOUNCED = Accepted(0, "", "")
"""Stands for the last announced version until the first one is announced."""


@dataclass(frozen=True)
class FlappingRecord:
    """One drift that comes back after it was corrected. `times` are our corrections of the last hour, `pauses` counts
    how often it has been suppressed, `until` is when it may be corrected again (None: now).
    """

    times: tuple[datetime, ...] = ()
    pauses: int = 0
    until: datetime | None = None


@dataclass(frozen=True)
class AcceptedChange:
    """A change of `field` of `address` that AWS has accepted, and that no look has shown in force since.

    `have` is the value before, as text, and `at` when it was accepted; `tries` counts how often, `pauses` how often it
    was held because it was not made, and `until` is when it may be tried again (None: not before that was noticed).
    `refused` is AWS's code, if it refused a change that is tried once only.
    """

    address: str
    field: str
    have: str
    at: datetime
    tries: int = 1
    pauses: int = 0
    until: datetime | None = None
    refused: str = ""


@dataclass(frozen=True)
class Notified:
    """An alert that was sent. `digest` identifies what was open and what was corrected then. `open` is false once it is
    resolved or all of it was corrected; it is then remembered for an hour, so that it is not reported twice.
    `severity` is empty in what an older version of this program stored.
    """

    digest: str
    title: str
    first_seen: datetime
    last_alerted: datetime
    open: bool = True
    severity: str = ""


@dataclass(frozen=True)
class Rollout:
    """The accepted version is not what the network is at yet. `since` are the versions that it may still be at, the
    oldest first; `left` are the names of what is not done yet (None: no run has looked at the whole network since).
    """

    since: tuple[Accepted, ...]
    left: tuple[str, ...] | None = None


@dataclass(frozen=True)
class RecordedActor:
    """Who made a change, as far as it was known: the fields of `model.trigger.Actor` that people are told."""

    who: str
    call: str
    at: datetime
    source_ip: str = ""
    user_agent: str = ""
    event_id: str = ""


@dataclass(frozen=True)
class UntoldMember:
    """One correction that people must be told of. `want` and `have` are JSON (None: absent). `name` identifies the
    difference, by which the next look says whether it was corrected (empty: that is certain).
    """

    what: str
    name: str = ""
    want: str | None = None
    have: str | None = None
    compared: bool = False


@dataclass(frozen=True)
class Untold:
    """An alert of corrections that were about to be made when this was stored, or were made and could not be told.

    `at` is when it was stored, `sha256` the digest of the document that asked for them. `address` and `field` say what
    was corrected, if it is one thing. `open_for` is in seconds. `unproved`: AWS took the calls, or may have, and
    people know that, and no look has shown yet that it is corrected.
    """

    fingerprint: str
    topic: str
    severity: str
    title: str
    sentence: str
    at: datetime
    members: tuple[UntoldMember, ...] = ()
    sha256: str = ""
    address: str = ""
    aws_id: str = ""
    open_for: int | None = None
    who: RecordedActor | None = None
    field: str = ""
    unproved: bool = False


@dataclass(frozen=True)
class LastReceipt:
    """The last receipt: its key, the SHA-256 of its bytes, and the digest of what it says. `key` and `sha256` are empty
    where a deployment has no bucket for receipts. If `key` is that of a day sheet, `of` is that of the last receipt
    that is none.
    """

    key: str
    sha256: str
    digest: str
    of: str | None = None


@dataclass(frozen=True)
class DocumentRecord:
    """All that is remembered of one document. `looked_at` is when the last run that read the whole network began.
    `announced` is the version whose change was announced last (None: the accepted one).

    The keys of `flapping` and `accepted_changes` are names of drifts (`attempt/flapping.py`), those of `notified`
    fingerprints of alerts (`notify/alert.py`). `holds` says since when a `setpoint:hold` tag has been seen on a
    resource. `ids` are the ids at which the resources were found, those that AWS never gives to another one; the first
    are needed most (`engine/witness.py`), `associations` those of what associates subnets with tables and ACLs, as in
    `Report`. `open_since` says of what was seen and not corrected since when it may be there (`attempt/openings.py`).
    `deleted`: the object is deleted, and this was reported. `untold` is what people must still be told of. `rollout`
    says of the accepted version that no run has brought the network to it yet. `covers` is a time of the queue's clock
    at which that look had not begun yet: it has seen what messages from before it report.

    `state` is that after the last run, since `since`; `severity` is that of the gravest thing that is still there, and
    `openings` are the sentences of the gravest openings. `in_sync_since` is null while anything is not as declared.
    `looks` counts the attempts to look since `day`, the first one of the day in UTC, `unseen` those of them that saw
    nothing, and `longest_gap` is the longest time in seconds between two looks at the whole network; `gaps` are the
    times between two such looks, in seconds since 1970, that were longer than is allowed. `receipt` is the last receipt
    that was written. `outcomes` counts what the last run left by its outcome, what is suppressed as `flapping`;
    `uploads` are who uploaded the version in force, and others, as far as events said so.
    `exposed_since` is from when on one of the `openings` may have been there (None: not known, or none is).
    """

    account: str = ""
    region: str = ""
    vpc_id: str = ""
    accepted: Accepted | None = None
    announced: Accepted | None = None
    looked_at: datetime | None = None
    covers: datetime | None = None
    deleted: bool = False
    flapping: Mapping[str, FlappingRecord] = field(default_factory=dict)
    accepted_changes: Mapping[str, AcceptedChange] = field(default_factory=dict)
    notified: Mapping[str, Notified] = field(default_factory=dict)
    holds: Mapping[Address, datetime] = field(default_factory=dict)
    ids: Mapping[Address, str] = field(default_factory=dict)
    associations: Mapping[str, str] = field(default_factory=dict)
    open_since: Mapping[str, datetime] = field(default_factory=dict)
    untold: tuple[Untold, ...] = ()
    rollout: Rollout | None = None
    state: str | None = None
    severity: str | None = None
    since: datetime | None = None
    in_sync_since: datetime | None = None
    openings: tuple[str, ...] = ()
    exposed_since: datetime | None = None
    outcomes: Mapping[str, NonNegativeInt] = field(default_factory=dict)
    day: datetime | None = None
    looks: NonNegativeInt = 0
    unseen: NonNegativeInt = 0
    longest_gap: NonNegativeInt = 0
    gaps: tuple[tuple[int, int], ...] = ()
    receipt: LastReceipt | None = None
    uploads: tuple[Upload, ...] = ()
