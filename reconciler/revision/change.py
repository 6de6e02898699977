"""What a revision changes in meaning, as values: each `Point` is one line for people, and a `Subject` for programs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from reconciler.model.exposure import Severity

if TYPE_CHECKING:
    from reconciler.reach.compare import FlowChange
    from reconciler.reach.judge.intents import Verdict


class Side(StrEnum):
    """Which way a point goes."""

    UNGUARDED = "unguarded"
    """It is not kept as declared any more, or less strictly."""
    GUARDED = "guarded"
    DECLARED = "declared"
    """It is declared otherwise, and kept like that."""


class Subject(StrEnum):
    """What a point is about."""

    SCOPE = "scope"
    """The account, the region or the VPC that the document is for."""
    RESOURCE = "resource"
    FIELD = "field"
    VALUE = "value"
    ENFORCEMENT = "enforcement"
    OWNER = "owner"
    """Which live resource a declared one is, or whose it is (`adopt`, `external`)."""
    EXCEPTION = "exception"
    INTENT = "intent"
    WORKLOAD = "workload"


class Point(NamedTuple):
    """One change: which way it goes, what it is about, where, in words, and how grave it is.

    `address` is a resource's, or the name of an intent or workload. Names in the words are somebody's text.
    """

    side: Side
    subject: Subject
    address: str
    words: str
    severity: Severity


class HoldReason(StrEnum):
    """Why a revision waits until a person approves it."""

    EXPOSES = "exposes"
    """It lets the internet reach a database, or a port of management or data, that it did not reach before."""
    BREAKS_INTENT = "breaks_intent"
    """It lets through what a `blocked` or `only` intent of its own forbids, one that is to hold."""


class Hold(NamedTuple):
    """One reason to hold a revision: the flow that it opens, or the intent that it breaks."""

    reason: HoldReason
    flow: FlowChange | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class RevisionChange:
    """What revision `number` changes, compared with revision `before` (None: with nothing).

    `flows` are those that the filters newly let through or cut, `broken` its own `blocked` and `only` intents that it
    breaks and the one before did not. `digests` are those of both documents, in hexadecimal; the first is empty if
    there was none.
    """

    document: str
    number: int
    before: int | None
    digests: tuple[str, str]
    flows: tuple[FlowChange, ...] = ()
    points: tuple[Point, ...] = ()
    broken: tuple[Verdict, ...] = ()
    holds: tuple[Hold, ...] = ()
    severity: Severity = Severity.INFO

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify these very bytes, and what they are compared with."""
        return hashlib.sha256(json.dumps([self.document, *self.digests]).encode()).hexdigest()[:16]

    @property
    def means_nothing(self) -> bool:
        """Whether it changes nothing in meaning."""
        return not (self.flows or self.points or self.broken)

    def on(self, side: Side) -> tuple[Point, ...]:
        return tuple(one for one in self.points if one.side is side)


def worst(severities: Iterable[Severity]) -> Severity:
    """The gravest of them; INFO if there is none."""
    return min(severities, key=lambda one: one.rank, default=Severity.INFO)
