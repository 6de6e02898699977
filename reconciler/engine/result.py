"""The result of a run: the `Report`, with every drift and how it ended. Pure values; `outcomes.py` makes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from desired_state.document import Document, DocumentException
from desired_state.fields import Address
from reconciler.engine.gate import Gate
from reconciler.engine.plan import Plan
from reconciler.engine.suppression import Suppression
from reconciler.model import (
    Action,
    ActionResult,
    Cause,
    Difference,
    Ended,
    Finding,
    Found,
    Outcome,
    Policy,
    Snapshot,
    Unmanaged,
)

if TYPE_CHECKING:
    from reconciler.engine.consequences import Consequence
    from reconciler.engine.intents import JudgedIntents
    from reconciler.reach.compare import FlowChange


OUTCOMES = {
    Ended.HELD: Outcome.HELD,
    Ended.FAILED: Outcome.FAILED,
    Ended.UNKNOWN: Outcome.WAITING,
    Ended.WAITING: Outcome.WAITING,
    Ended.STALE: Outcome.WAITING,
    Ended.SKIPPED: Outcome.WAITING,
}
"""What became of a difference whose call ended so; DONE says nothing of it: another look does."""


@dataclass(frozen=True)
class Observation:
    """One look and what follows from it. `excepted` are the differences covered by an exception of the document."""

    snapshot: Snapshot
    plan: Plan
    excepted: tuple[tuple[Difference, DocumentException], ...]
    suppression: Suppression = field(default_factory=Suppression)


@dataclass(frozen=True)
class Drift:
    """A difference and its outcome, which is None if nothing was tried yet: the plan would correct it.

    `consequence` is what it means from end to end, as far as that was judged.
    """

    difference: Difference
    outcome: Outcome | None
    cause: Cause | None = None
    consequence: Consequence | None = None

    @property
    def address(self) -> Address:
        return self.difference.address

    @property
    def field(self) -> str:
        return self.difference.field

    @property
    def message(self) -> str:
        return self.cause.message if self.cause else ""


class Orphaned(NamedTuple):
    """An action that corrects no declared resource: it deletes an owned one that is no longer declared, or cleans up
    after an interrupted run. `outcome` is None if nothing was tried yet.
    """

    action: Action
    outcome: Outcome | None
    cause: Cause | None

    @property
    def message(self) -> str:
        return self.cause.message if self.cause else ""


class PendingChange(NamedTuple):
    """A change that AWS has accepted and not applied yet: what is in force, and what will be."""

    address: Address
    field: str
    now: Any
    accepted: Any


@dataclass(frozen=True)
class Report:
    """Everything about one run; `seconds` of wall time, `reads` and `writes` in calls.

    `ids` are the AWS ids of what was seen, by address; `vpc_id` is the VPC's (empty: there is none). `resource_ids` are
    the ids that AWS never gives to another resource, from the first look, or from the last one if this run `created`
    it; what it created may also be not visible yet. `associations` are the ids of what associates subnets with tables
    and ACLs, and the main table with the VPC, from the first look, `associations_after` from the last one. `found_by`
    says by what each was found. `untagged` are the addresses without this document's tags where these are not set: in
    mode report, and where the document says so; `tagless` are those whose tags AWS does not show. `release` is the
    fingerprint by which a person releases in the next run what this one held. `intents` is None if the document has
    none. `pending` is from the last look. `beneath` is what stands open at the resources of which it is not clear whose
    they are (`beneath.py`). `first` and `last` are the looks themselves, for what tells of the whole network
    (`report/network.py`); `last` is None after a single look.
    """

    document: Document
    policy: Policy
    started: datetime
    seconds: float
    wrote: bool
    plan: Plan
    gate: Gate
    drifts: tuple[Drift, ...]
    action_results: tuple[ActionResult, ...]
    findings: tuple[Finding, ...]
    excepted: tuple[tuple[Difference, DocumentException], ...]
    unmanaged: tuple[Unmanaged, ...]
    reads: int
    writes: int
    vpc_id: str = ""
    ids: Mapping[Address, str] = field(default_factory=dict)
    resource_ids: Mapping[Address, str] = field(default_factory=dict)
    created: frozenset[Address] = frozenset()
    found_by: Mapping[Address, Found] = field(default_factory=dict)
    untagged: tuple[Address, ...] = ()
    tagless: tuple[Address, ...] = ()
    release: str = ""
    intents: JudgedIntents | None = None
    openings: tuple[FlowChange, ...] = ()
    associations: Mapping[str, str] = field(default_factory=dict)
    associations_after: Mapping[str, str] = field(default_factory=dict)
    pending: tuple[PendingChange, ...] = ()
    beneath: Mapping[Address, tuple[Difference, ...]] = field(default_factory=dict)
    first: Snapshot | None = field(default=None, repr=False)
    last: Snapshot | None = field(default=None, repr=False)

    def count(self, outcome: Outcome | None) -> int:
        """How many drifts, findings and orphaned actions ended so; None: nothing was tried yet."""
        return self._outcomes().count(outcome)

    @property
    def in_sync(self) -> bool:
        """Whether all drift is corrected and nothing is held, waiting, blocked or failed."""
        return all(one in {Outcome.IN_SYNC, Outcome.CORRECTED} for one in self._outcomes())

    @property
    def failed(self) -> bool:
        return bool(self.count(Outcome.FAILED))

    @property
    def orphaned(self) -> tuple[Orphaned, ...]:
        """The actions at addresses without drift, each with its last outcome."""
        drifted = {drift.address for drift in self.drifts}
        found: dict[tuple[str, str], Orphaned] = {}
        for index, action in enumerate(self.plan.actions):
            if corrects_nothing(action, drifted):
                held = self.gate.held.get(index)
                found[action.address, action.why] = Orphaned(action, Outcome.HELD if held else None, held)
        for result in self.action_results:
            if corrects_nothing(result.action, drifted):
                ended = Outcome.CORRECTED if result.ended is Ended.DONE else OUTCOMES[result.ended]
                found[result.action.address, result.action.why] = Orphaned(result.action, ended, result.cause)
        return tuple(found.values())

    def _outcomes(self) -> list[Outcome | None]:
        of_drifts = [one.outcome for one in self.drifts] + [one.outcome for one in self.orphaned]
        return [*of_drifts, *(one.outcome for one in self.findings)]


def corrects_nothing(action: Action, drifted: Collection[Address]) -> bool:
    """Whether an action only takes away what nobody declares, given the addresses of what differs."""
    return action.address not in drifted and not any(address in drifted for address, _ in action.resolves)


@dataclass(frozen=True)
class RunTrace:
    """What happened in a run: the first look, what the gate held of its plan, what was tried, and the last look (the
    first one again if nothing was written).
    """

    first: Observation
    gate: Gate
    action_results: tuple[ActionResult, ...]
    last: Observation
    wrote: bool


@dataclass(frozen=True)
class RunCost:
    """What a run cost: wall time in seconds since `started`, and calls."""

    started: datetime
    seconds: float
    reads: int
    writes: int
