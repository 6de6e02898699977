"""The result of one attempt to keep one document, which `keep` returns to every entry point. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from desired_state.fields import Address
from reconciler.engine.result import Report
from reconciler.ledger.record import Untold
from reconciler.model import Identity
from reconciler.model.trigger import Actor, Trigger, Upload

if TYPE_CHECKING:
    from reconciler.revision.change import RevisionChange


class Late(NamedTuple):
    """What an earlier run could not tell of. `sure`: it was corrected; otherwise that is not known."""

    untold: Untold
    sure: bool


class Ending(StrEnum):
    """How an attempt ended. Only COMPLETED has a report."""

    COMPLETED = "completed"
    """The network was read, and corrected as far as allowed."""
    COVERED = "covered"
    """Another run has looked at the network since the message was sent; with `retry_after`, a look is soon enough."""
    LEASE_HELD = "lease_held"
    """Another run has the lease."""
    REFUSED = "refused"
    """No version of the document may be enforced, or the manual request was refused."""
    DELETED = "deleted"
    """The document's object is deleted: nothing is enforced any more, nothing is undone."""
    UNKNOWN = "unknown"
    """There is no such object, and nothing is remembered of one: the name is wrong, or no run ever saw it."""
    UNOBSERVABLE = "unobservable"
    """Nothing could be read, so nothing was changed."""


class HoldTag(NamedTuple):
    """A `setpoint:hold` tag: when a look first saw it, and who set it (None: not known)."""

    since: datetime
    who: Actor | None = None


@dataclass(frozen=True)
class AttemptResult:
    """`problem` says why the attempt did not complete (empty for COMPLETED and COVERED), and `code` identifies it from
    run to run: AWS's error code, a `Reason`, or the name of our exception. `refusal` says why the newest version of the
    document is not the one that is enforced. `retry_after`: seconds until another run is needed, 0 for none. `exposed`:
    for each address with drift that let in undeclared traffic, for how many seconds it did at most, and
    `exposed_unknown` are those of which that is not known. `alerts_lost`: how many messages could not be sent.
    `rollout`: this is the first run of a version of the document. `since`: of broken intents, when that was first
    reported. `drift_since`: of each difference, by its identity, from when on it may have been there at the
    earliest, as far as that is known. `version_id` is S3's of the version in force (empty: none is).

    `change` is what a new version changes: one that waits for an approval if `held` says what is enforced instead,
    otherwise one that is accepted and to be announced. `upload` is who uploaded it, if that is known.

    `late` is what earlier runs could not tell of. `own` are the differences that the version itself makes, while it is
    being rolled out (None: all). `bug` says where this program broke off (empty: it did not). `hold_tags` are those
    that the run saw, by their resource. `approved_by` is who approved what the run did, or why that is not known
    (empty: nothing was approved). `unreachable` is the account, if the problem is that of all its documents. `receipt`
    is the key of the receipt that it left, or of an earlier one that says the same (empty: none), `receipts_lost` how
    many could not be written. `damage` says what of the ledger's item cannot be read, so that it could only look.
    """

    document: str
    run_id: str
    ending: Ending
    trigger: Trigger
    report: Report | None = None
    problem: str = ""
    code: str = ""
    refusal: str = ""
    retry_after: int = 0
    actors: Mapping[Address, Actor] = field(default_factory=dict)
    exposed: Mapping[Address, float] = field(default_factory=dict)
    exposed_unknown: frozenset[Address] = frozenset()
    alerts_lost: int = 0
    rollout: bool = False
    drift_since: Mapping[Identity, datetime] = field(default_factory=dict)
    version_id: str = ""
    since: Mapping[Address, datetime] = field(default_factory=dict)
    change: RevisionChange | None = None
    held: str = ""
    upload: Upload | None = None
    late: tuple[Late, ...] = ()
    own: frozenset[Identity] | None = None
    bug: str = ""
    hold_tags: Mapping[Address, HoldTag] = field(default_factory=dict)
    approved_by: str = ""
    unreachable: str = ""
    receipt: str = ""
    receipts_lost: int = 0
    damage: str = ""
