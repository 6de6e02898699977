"""How one attempt to keep one document ended: what `keep.py` answers and what every door tells of. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from desired_state.fields import Address
from reconciler.engine.result import Report
from reconciler.model.trigger import Actor, Trigger


class Ending(StrEnum):
    """How it ended. Only LOOKED has a report."""

    COMPLETED = "completed"
    """The network was looked at, and corrected as far as it may be."""
    COVERED = "covered"
    """A run that began after we were woken has already looked."""
    LEASE_HELD = "lease_held"
    """Another run has the lease."""
    REFUSED = "refused"
    """There is no version of the document that may be enforced, or the invoke asked for what may not be done."""
    DELETED = "deleted"
    """The document's object is gone: nothing is enforced any more, nothing is undone."""
    UNOBSERVABLE = "unobservable"
    """Nothing could be seen, so nothing was changed."""


@dataclass(frozen=True)
class AttemptResult:
    """`problem` says what stood in the way of `ending` (empty for COMPLETED and COVERED), and `code` what it is known by
    again: AWS's error code, or the name of an error of ours. `refusal` says why the newest
    version of the document is not the one that was enforced. `retry_after`: seconds after which another run is wanted, 0 for
    none. `exposed`: for each drift that let packets through, by address, how many seconds it stood open at most.
    `alerts_lost`: how many messages could not be sent. `rollout`: this is the first run of a version of the document.
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
    alerts_lost: int = 0
    rollout: bool = False
