"""Which differences a new version of the document makes itself, until a run has brought the network to it.

They are told as what the version changes, however many runs that takes, and however the first of them fails. All else
is drift, also while a version is being rolled out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from desired_state.document import Document
from desired_state.load import DocumentError, load
from desired_state.sources import SourceError
from reconciler.attempt.named import short
from reconciler.attempt.version import Versions
from reconciler.engine.result import Report
from reconciler.ledger.record import Accepted, Rollout
from reconciler.model import ABSENT, DOCUMENT_TAG, NAME_TAG, Difference, Outcome
from reconciler.report.as_json import value_as_json

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Judge:
    """Whether a difference is the version's own: by the names of what is `left`, or by comparison with the versions
    before that the network may still be at (None among them: there was none, or it is gone). These are read when there
    is a difference.
    """

    after: Document
    read: Callable[[], tuple[Document | None, ...]]
    left: frozenset[str] | None = None

    @cached_property
    def before(self) -> tuple[Document | None, ...]:
        return self.read()

    def __call__(self, one: Difference) -> bool:
        if self.left is not None:
            return bool({str(one.address), _name(one)} & self.left)
        return any(before is None or _changes(before, self.after, one) for before in self.before)

    def is_new(self, address: Any) -> bool:
        """Whether the version declares a resource that no version before it had."""
        if self.left is not None:
            return str(address) in self.left
        return all(before is None or address not in before.resources for before in self.before)


def judge_of(name: str, documents: Versions, rollout: Rollout | None, after: Document) -> Judge | None:
    """None if no version is being rolled out. A version before it that cannot be read now counts as gone."""
    if rollout is None:
        return None
    if rollout.left is not None:
        return Judge(after, tuple, frozenset(rollout.left))
    return Judge(after, lambda: tuple(_read(name, documents, one) for one in rollout.since))


def _read(name: str, documents: Versions, one: Accepted) -> Document | None:
    if not one.version_id:
        return None
    try:
        pinned = documents.version(name, one.version_id)
        return load(pinned.data, pinned.origin)
    except (SourceError, DocumentError) as error:
        log.info("%s: what differs from revision %d is not known: %s", name, one.revision, error)
        return None


def _changes(before: Document, after: Document, one: Difference) -> bool:
    """Whether the two versions want different things where this difference is."""
    from reconciler.revision.lasting import renamed

    new_name = one.address not in before.resources
    was = renamed(before, after).resources.get(one.address)
    now = after.resources.get(one.address)
    if was is None or now is None:
        return True
    if was.enforcement == "ignore" != now.enforcement or _tolerated(before, one) > _tolerated(after, one):
        return True
    if one.key in {DOCUMENT_TAG, NAME_TAG}:
        return new_name or before.name != after.name
    if getattr(was, one.field, None) == getattr(now, one.field, None):
        return False  # also where it is missing altogether, and where a look spells a reference of it otherwise
    return bool(_wanted(was, one) != one.want)


def _tolerated(document: Document, one: Difference) -> int:
    return sum((each.address, each.field) == (one.address, one.field) for each in document.exceptions)


def _wanted(resource: Any, one: Difference) -> Any:
    """What a version declares there; `one` itself, which equals nothing else, if it does not manage the field."""
    value = getattr(resource, one.field, None)
    if value is None:
        return one
    if isinstance(value, Mapping):
        return value.get(one.key, ABSENT)
    if isinstance(value, frozenset):
        return one.key if one.key in value else ABSENT
    return value


def _name(one: Difference) -> str:
    """What identifies a difference while a version is rolled out: with another live value it is somebody's drift."""
    return short([one.address, one.field, one.key, value_as_json(one, one.have)])


def after(rollout: Rollout | None, judge: Judge | None, report: Report) -> Rollout | None:
    """What to remember after a run; None if it has brought the network to the version.

    A run of some addresses, or one that could not look at everything, does not say what is left.
    """
    if rollout is None or judge is None:
        return None
    if report.plan.only is not None or report.gate.unseen:
        return rollout
    open_ = [one for one in report.drifts if one.outcome is not Outcome.CORRECTED]
    names = {_name(one.difference) for one in open_ if judge(one.difference)}
    whole = [one for one in open_ if judge(one.difference) and (not one.field or judge.is_new(one.address))]
    names |= {str(one.address) for one in whole}
    return replace(rollout, left=tuple(sorted(names))) if names else None


def own(judge: Judge | None, report: Report) -> frozenset[tuple[Any, str, Any]]:
    """The identities of the version's own differences."""
    if judge is None:
        return frozenset()
    return frozenset(one.difference.identity for one in report.drifts if judge(one.difference))
