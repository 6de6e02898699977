"""An alert: one thing that people must know, and the fingerprints that identify it from run to run. Pure values.

`alert_rules.py` finds them, `deduplication.py` compares them with those sent before, and `message.py` writes their
text.
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
from reconciler.model.trigger import Actor, Upload


class Topic(StrEnum):
    """What an alert is about; all but the first three are about the document or the run as a whole."""

    DRIFT = "drift"
    FLAPPING = "flapping"
    INTENT = "intent"
    UNSEEN = "unseen"
    PLAN_HELD = "plan-held"
    REFUSED = "document-refused"
    DELETED = "document-deleted"
    REVISION = "revision"
    REVISION_HELD = "revision-held"
    STOPPED = "run-stopped"
    ROLLOUT = "rollout"
    IDENTITY = "identity-changed"
    ADOPTED = "adopted"
    UNWATCHED = "unwatched"
    DAMAGED = "item-damaged"
    BROKE_OFF = "run-broke-off"


class Member(NamedTuple):
    """One line of an alert; `want` and `have` as a document writes them, None: absent.

    `compared` is false if there is no declared value to compare with: then `identity` identifies it from run to run.
    `outcome` is None if nothing was tried. `late` says why this was not told before (empty: it is news).
    """

    what: str
    outcome: Outcome | None
    why: str = ""
    want: Any = None
    have: Any = None
    compared: bool = False
    identity: tuple[Any, ...] = ()
    late: str = ""


@dataclass(frozen=True)
class Alert:
    """One thing that people must know. `fingerprint` identifies it from run to run, and is the thread of its messages.

    `digest` identifies what is still open (empty: nothing is), `corrected` what was corrected; neither depends on times
    or counts. `exposed` is for how many seconds undeclared traffic could pass, at most;
    `exposed_unknown`: it could, and for how long is not known. `once`: it is never repeated.
    `release` is the fingerprint that releases a plan of which something is held, or a revision. `upload` is who
    uploaded that revision.
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
    exposed_unknown: bool = False
    once: bool = False
    release: str = ""
    upload: Upload | None = None

    @property
    def settled(self) -> bool:
        """Whether all of it was corrected."""
        return not self.digest


def fingerprint(document: str, topic: Topic, address: str = "", field: str = "") -> str:
    """What identifies an alert: the same in every run, and different for every document. Drift keeps its fingerprint
    when it begins to flap.
    """
    topic = Topic.DRIFT if topic is Topic.FLAPPING else topic
    return short([document, topic.value, address, field])


def of_account(account: str) -> str:
    """What identifies the alert that an account cannot be read, whichever of its documents tells it."""
    return fingerprint(f"account {account}", Topic.UNSEEN)


def digest(members: Iterable[Member], beside: str = "") -> str:
    """What identifies these members, in any order, and `beside`; empty if there are none. Messages do not count: ids
    and times in them vary from run to run.
    """
    identities = [
        [one.what, one.want, one.have, one.outcome] if one.compared else [*one.identity, one.outcome] for one in members
    ]
    texts = sorted(json.dumps(identity, sort_keys=True, default=str) for identity in identities)
    return short([beside, *texts]) if texts else ""


def short(value: Any) -> str:
    """A digest of 16 hexadecimal digits of a value that JSON can represent."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]
