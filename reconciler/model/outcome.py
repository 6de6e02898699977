"""How things end, and why: the `Outcome` of a drift or finding, how a call `Ended`, and the `Cause` of either.

Programs decide by the `Reason`; the message is for people, and nothing may depend on its words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from desired_state.fields import Address
from reconciler.model.operation import Action


class Outcome(StrEnum):
    """How a drift or finding ended. `CORRECTED` means that the second look no longer shows it, not that AWS answered
    200.
    """

    IN_SYNC = "in_sync"
    CORRECTED = "corrected"
    HELD = "held"
    WAITING = "waiting"
    BLOCKED = "blocked"
    FAILED = "failed"


class Reason(StrEnum):
    """Why something was not done, or could not be read."""

    # What could not be read.
    UNREADABLE = "unreadable"
    AMBIGUOUS = "ambiguous"
    FAULT = "fault"
    """Setpoint itself failed at it, or at a live value that nobody foresaw: the log has the traceback."""
    UNVERIFIED = "unverified"
    """It was written, and the look after it could not read the result."""

    # What a person, the document or the deployment decided.
    REPORT_ONLY = "report_only"
    HOLD_TAG = "hold_tag"
    INVALID_HOLD_TAG = "invalid_hold_tag"
    DOWNTIME = "downtime"
    PLAN_HELD = "plan_held"
    """No call of the plan is made before a person releases it."""
    VPC_GONE = "vpc_gone"
    """The VPC that the document was in force in does not exist any more: a person decides whether it is made again."""
    SECTION_LOST = "section_lost"
    CREATE_NOT_ALLOWED = "create_not_allowed"
    IDENTITY_CHANGED = "identity_changed"
    """It was found at another id than before, by evidence that anybody with the right to tag can make."""
    MEMORY_DAMAGED = "memory_damaged"
    """Somebody has changed what is remembered of the document, so that it cannot be read."""
    NOT_ADOPTED = "not_adopted"
    """It lacks this document's tag, and the deployment does not allow that it is given it."""
    LOSES_ROUTES = "loses_routes"
    """A subnet that moves would lose routes that AWS made: those of gateway endpoints, and propagated ones."""
    FLAPPING = "flapping"
    """Somebody keeps undoing the correction."""
    NOT_CARRIED_OUT = "not_carried_out"
    """AWS accepted the change and did not make it: it is tried again after a pause."""
    SUPPRESSED = "suppressed"
    """It cannot be corrected without something that is suppressed."""

    # What no call of this tool can do.
    IMMUTABLE = "immutable"
    UNSUPPORTED = "unsupported"
    INCOMPLETE = "incomplete"
    """The document does not say all that AWS needs to create it."""
    CONFLICT = "conflict"
    FOREIGN = "foreign"
    """It belongs to another document, or to another account."""
    UNDECLARED = "undeclared"
    """It concerns something that the document does not declare."""
    MISSING_REFERENCE = "missing_reference"
    INTENT_BROKEN = "intent_broken"
    """What the document says of the network as a whole is not so."""
    TARGET_GONE = "target_gone"
    CREATED_BY_AWS = "created_by_aws"
    QUOTA = "quota"
    NO_SAFE_ORDER = "no_safe_order"
    PENDING_REBOOT = "pending_reboot"
    """It is set, and takes effect when somebody reboots the database."""
    KEPT_BY_OTHERS = "kept_by_others"
    """Another service of AWS decides it, or a change would spoil what that service does."""
    BROKEN = "broken"
    """AWS says that it does not work, and only a person can mend that."""
    PENDING_CHANGE = "pending_change"
    """It would carry out somebody else's pending change."""

    # What waits for something else.
    DEPENDENCY = "dependency"
    WOULD_OPEN = "would_open"
    """It would open a path that is not closed elsewhere yet."""
    HELD_BY_INTENT = "held_by_intent"
    """It would let through what an intent of the document forbids."""
    WOULD_CUT = "would_cut"
    """It would cut packets that pass, and that should pass, before another way for them is open."""
    NOT_READY = "not_ready"
    ACCEPTED = "accepted"
    """AWS accepted the change, and it is not in force yet."""
    MAINTENANCE = "maintenance"
    """The change would start maintenance at once, which may restart the database."""
    NOT_VISIBLE_YET = "not_visible_yet"
    """AWS accepted the call and still shows the old value."""
    NOT_ATTEMPTED = "not_attempted"
    APPEARED = "appeared"
    """It appeared during the run."""
    NEXT_RUN = "next_run"
    STALE = "stale"
    """The network has changed since the last look, or that look is too old to base a removal on."""
    ANSWER_LOST = "answer_lost"

    # What AWS answered.
    THROTTLED = "throttled"
    BUSY = "busy"
    REFUSED = "refused"
    ROLE_NOT_ACCEPTED = "role_not_accepted"
    """AWS cannot use an IAM role that a call names: it is too new, or lacks its trust policy or its permissions."""

    # What ended the run: no further call was started.
    OUT_OF_TIME = "out_of_time"
    LEASE_LOST = "lease_lost"
    CREDENTIALS = "credentials"
    INTERRUPTED = "interrupted"
    """A person or the system ended the command."""


UNSETTLED = frozenset({Reason.AMBIGUOUS, Reason.FOREIGN, Reason.IDENTITY_CHANGED})
"""Which live resource is meant must be settled by a person."""
ENDED_THE_RUN = frozenset({Reason.OUT_OF_TIME, Reason.LEASE_LOST, Reason.CREDENTIALS, Reason.INTERRUPTED})


@dataclass(frozen=True)
class Cause:
    """Why: the reason for programs, the message for people. `code` tells causes with the same reason apart: AWS's error
    code, or the invalid value.
    """

    reason: Reason
    message: str
    code: str = ""

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Finding:
    """Something a person should know, with its outcome; `field` is empty if it is about the whole resource."""

    address: Address
    outcome: Outcome
    cause: Cause
    field: str = ""
    key: Any = None


class Ended(Enum):
    """How one call ended. DONE: AWS answered that it did it. STALE: it can be tried after another look."""

    DONE = "done"
    HELD = "held"
    SKIPPED = "skipped"
    WAITING = "waiting"
    STALE = "stale"
    UNKNOWN = "unknown"
    FAILED = "failed"


@dataclass(frozen=True)
class ActionResult:
    """A call and how it ended; `cause` says why if it is not DONE. `parts`: the results of its settings, if they were
    sent apart.
    """

    action: Action
    ended: Ended
    cause: Cause | None = None
    parts: tuple[ActionResult, ...] = ()

    @property
    def message(self) -> str:
        return self.cause.message if self.cause else ""

    def each(self) -> Iterator[ActionResult]:
        """The result of every call that was made for it."""
        if not self.parts:
            yield self
        for one in self.parts:
            yield from one.each()
