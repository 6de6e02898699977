"""How things end: `Outcome` of a drift or finding, `Ended` of a call, and the reasons."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from desired_state.fields import Address
from reconciler.model.operation import Action


class Outcome(StrEnum):
    """How a finding ended. `CORRECTED` is a claim about the second look, not about an answer of 200."""

    IN_SYNC = "in_sync"
    CORRECTED = "corrected"
    HELD = "held"
    WAITING = "waiting"
    BLOCKED = "blocked"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """Something a person should know, with its outcome; `field` is empty where it concerns the whole resource."""

    address: Address
    outcome: Outcome
    message: str
    field: str = ""
    key: Any = None


class Ended(Enum):
    """How one action ended. DONE is AWS's word only; STALE needs only a fresh look to be tried."""

    DONE = "done"
    HELD = "held"
    SKIPPED = "skipped"
    WAITING = "waiting"
    STALE = "stale"
    UNKNOWN = "unknown"
    FAILED = "failed"


@dataclass(frozen=True)
class Attempt:
    """An action and how it ended; `message` says why where it is not DONE."""

    action: Action
    ended: Ended
    message: str = ""
