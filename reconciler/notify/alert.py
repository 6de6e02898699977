"""A concern: one thing that people must know, and the names by which it is known again. Pure values.

`concerns.py` finds them, `news.py` compares them with what people were told before, `message.py` puts them into words.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from desired_state.fields import Address
from reconciler.model import Outcome
from reconciler.model.exposure import Severity
from reconciler.model.trigger import Actor


class Topic(StrEnum):
    """What a concern is about; all but the first two are about the document or the run as a whole."""

    DRIFT = "drift"
    FLAPPING = "flapping"
    UNSEEN = "unseen"
    PLAN_HELD = "plan-held"
    REFUSED = "document-refused"
    DELETED = "document-deleted"
    STOPPED = "run-stopped"
    ROLLOUT = "rollout"


class Member(NamedTuple):
    """One thing that is the matter, on one line; `want` and `have` as a document writes them, None: not there.

    `compared` is false where there is no set point to compare with: then `identity` is what the thing is known by again.
    `outcome` is None where nothing was tried.
    """

    what: str
    outcome: Outcome | None
    why: str = ""
    want: Any = None
    have: Any = None
    compared: bool = False
    identity: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Alert:
    """One thing that people must know. `fingerprint` is its name from run to run, and the thread of its messages.

    `digest` says what exactly is still the matter (empty: nothing is, it is only to be told), `corrected` what was put
    right; no time and no count is in either. `exposed` is for how many seconds it stood open at most. `once`: it is
    told once, however long it stands. `release`: the fingerprint that lets a held plan go.
    """

    fingerprint: str
    digest: str
    corrected: str
    topic: Topic
    severity: Severity
    title: str
    sentence: str
    members: tuple[Member, ...]
    address: Address | None = None
    aws_id: str = ""
    actor: Actor | None = None
    exposed: float | None = None
    once: bool = False
    release: str = ""

    @property
    def settled(self) -> bool:
        """Whether it is over already: all of it was corrected."""
        return not self.digest


def fingerprint(document: str, topic: Topic, address: str = "", field: str = "") -> str:
    """The short name of a concern: the same in every run, and in no other document. A drift and a flapping one share one."""
    about = Topic.DRIFT if topic is Topic.FLAPPING else topic
    return short([document, about.value, address, field])


def digest(members: Iterable[Member], beside: str = "") -> str:
    """What exactly these are, in any order, and what is the matter `beside`; empty where there are none. The words of a
    message vary from run to run with ids and times, so they do not count.
    """
    told = [
        [one.what, one.want, one.have, one.outcome] if one.compared else [*one.identity, one.outcome] for one in members
    ]
    return short([beside, *sorted(json.dumps(one, sort_keys=True, default=str) for one in told)]) if told else ""


def short(value: Any) -> str:
    """A name of 16 characters for a value that JSON takes: equal for equal values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]
