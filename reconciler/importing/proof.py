"""The proof of a new document: what the product would do with it, on the same answers that it was written from."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from datetime import datetime

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.engine.diff import diff
from reconciler.engine.observe import ObserveOptions, observe
from reconciler.engine.plan import Plan, make_plan
from reconciler.engine.spelled import as_seen
from reconciler.importing.reading import RememberedReads
from reconciler.kinds import REGISTRY
from reconciler.model import (
    DOCUMENT_TAG,
    NAME_TAG,
    Action,
    Change,
    Difference,
    Outcome,
    Policy,
    Reason,
    Snapshot,
)
from reconciler.model.kind import PlanContext
from reconciler.report.text import difference

_OURS = frozenset({DOCUMENT_TAG, NAME_TAG})
_TOLD = frozenset({Reason.TARGET_GONE, Reason.NOT_READY})
"""What a document cannot help: a route that leads nowhere, and what AWS is still creating."""


@dataclass(frozen=True)
class Proof:
    """The first plan of a document, in mode `correct`."""

    document: Document
    snapshot: Snapshot
    changes: tuple[Change, ...]
    plan: Plan

    def objections(self, among: Container[Address]) -> Iterator[str]:
        """Everything at these addresses but the calls that set our two tags: what would change, and what could not be
        looked at.
        """
        for at, cause in {**self.snapshot.unreadable, **self.snapshot.ambiguous}.items():
            declared = self.document.resources.get(at)
            if at in among and declared and declared.enforcement != "ignore":
                yield f"{at}: {cause}"
        for one in self.differences():
            if one.address in among:
                yield f"{one.address}: {difference(one)}"
        for action in self.plan.actions:
            if action.address in among and not only_tags(action):
                yield f"{action.address}: {action.why}"
        for finding in self.plan.findings:
            told = finding.outcome in {Outcome.BLOCKED, Outcome.WAITING} and finding.cause.reason in _TOLD
            if finding.address in among and not told:
                yield f"{finding.address}: {finding.cause}"

    def differences(self) -> Iterator[Difference]:
        """What differs, our two tags apart."""
        for change in self.changes:
            if change.have is None:
                yield change.missing
            yield from (one for one in change.differences if change.have and not _is_ours(one))


def prove(document: Document, reads: RememberedReads, now: Callable[[], datetime]) -> Proof:
    """The first plan of a document on the answers that are remembered. Raises `ObserveError`."""
    snapshot = observe(document, reads.aws, ObserveOptions(now, lambda: None))
    document = as_seen(document, snapshot)
    context = PlanContext(document, snapshot, Policy(mode="correct"))
    changes = diff(document, snapshot, context, REGISTRY)
    return Proof(document, snapshot, changes, make_plan(changes, context))


def only_tags(action: Action) -> bool:
    """Whether a call sets tags, and nothing else."""
    return bool(action.resolves) and {field for _, field in action.resolves} == {"tags"}


def _is_ours(one: Difference) -> bool:
    return one.field == "tags" and one.key in _OURS
