"""What a run is given of the runs before it, and what it asks to have remembered before it writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from desired_state.fields import Address
from reconciler.engine.gate import Gate
from reconciler.engine.result import Observation
from reconciler.model import Cause, Difference, Snapshot


@dataclass(frozen=True)
class Memory:
    """What is known from earlier runs. Without one a run is the first: a person looks at its plan."""

    vpc_id: str = ""
    """The last known id of the document's VPC, and only a hint."""
    vpc_was: str = ""
    """The VPC that the document was in force in: if it is gone, nothing is made again before a person releases it."""
    vpc_asked: datetime | None = None
    """When a run was about to create the VPC, which nobody has seen since."""
    vpc_patience: tuple[float, ...] = ()
    """Pauses in seconds after which a run looks again before it makes the VPC: where nobody remembers whether an
    earlier run made it just now, only its tags tell, once AWS shows it.
    """
    flapping: Callable[[Difference], Cause | None] | None = None
    """Why a difference is suppressed (None: it is not)."""
    not_carried_out: Callable[[Difference], Cause | None] = lambda one: None
    """Why a difference of a resource that takes changes is suppressed because AWS accepted the last correction and did
    not make it (None: it is not).
    """
    held_since: Mapping[Address, datetime] = field(default_factory=dict)
    """Since when a hold has been seen on a resource."""
    ids: Mapping[Address, str] = field(default_factory=dict)
    """The lasting ids of the resources as they were found before: a witness, and never evidence."""
    had: frozenset[str] | None = None
    """The ids of what the document is known to have declared: only these are pruned (None: there is no memory)."""
    left: Callable[[str, str], bool] = lambda aws_id, field: False
    """Whether an earlier run left the difference in a field of a resource."""
    frozen: Cause | None = None
    """Why nothing may be changed now, whatever a person releases."""
    forget: Callable[[frozenset[Address]], None] = lambda addresses: None
    """Called before any of these is created anew: should the run break off, its own resource must not look like
    somebody else's.
    """
    intend: Callable[[Observation, Gate], None] = lambda first, first_gate: None
    """Called before the first write, with what was looked at and what the gate holds of the plan: should the run break
    off, somebody must be told of what it did.
    """

    def suppressed(self, snapshot: Snapshot) -> Callable[[Difference], Cause | None] | None:
        """Why a difference of this look is suppressed; None if nothing can be."""
        if self.flapping is None:
            return None
        flaps = self.flapping

        def asked(one: Difference) -> Cause | None:
            seen = snapshot.resources.get(one.address)
            at_rest = seen is not None and not seen.status
            return (self.not_carried_out(one) if at_rest else None) or flaps(one)

        return asked


NO_MEMORY = Memory()
