"""What an attempt is given: what is asked of it, everything external that it needs, and when the next one is due."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from desired_state.document import Document
from desired_state.sources import Documents
from reconciler.attempt import receipts
from reconciler.aws.client import Aws
from reconciler.ledger.lease import Ledger
from reconciler.model import Cause, Policy
from reconciler.model.trigger import Trigger
from reconciler.notify.publisher import Publisher

BUSY_AGAIN, WAITING_AGAIN, LONGEST_AGAIN = 15, 60, 900
"""Seconds until the next try: the first if another run has the lease, the first if AWS is busy, and SQS's limit."""
TRIES = 12
"""How often a message is retried before the schedule takes over."""


class Unreachable(Exception):
    """The account of a document cannot be accessed: which, why, and how to correct it."""


@dataclass(frozen=True)
class Request:
    """The options of a manual invoke; the defaults are those of every other run. `approve` is the fingerprint of a held
    plan, `approve_revision` that of a held version of the document. `frozen` says why nothing may be changed whatever a
    person approves.
    """

    write: bool = True
    only: frozenset[str] | None = None
    approve: str = ""
    accept_revision: int | None = None
    approve_revision: str = ""
    frozen: Cause | None = None

    @property
    def approves(self) -> bool:
        """Whether a person lets this run do what no other run would."""
        return self.write and bool(self.approve or self.approve_revision or self.accept_revision is not None)


@dataclass(frozen=True)
class Dependencies:
    """Everything external that an attempt needs. `run_id` names the attempt and owns its lease.

    `scope_problem` says why the account and region of a document are not this deployment's (empty: they are), and
    `vpc_problem` why a document may not be for the VPC that it was found to be for, by its id (empty: one that it would
    create). `aws_for` connects to them, or raises `Unreachable`. `is_own_call` recognises our own calls by their
    CloudTrail record. `seconds_left` are those of this invocation; the last `reserve` of them are for the look after
    the writes and for notifications. An open alert is sent again after `repeat`. `put_receipt` writes a receipt (None:
    the deployment has no bucket for them). After `stale` without a look nobody knows what was.
    """

    ledger: Ledger
    documents: Documents
    publisher: Publisher
    aws_for: Callable[[Document], Aws]
    scope_problem: Callable[[Document], str]
    is_own_call: Callable[[Mapping[str, Any]], bool]
    policy: Policy
    repeat: timedelta
    run_id: str
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    seconds_left: Callable[[], float]
    reserve: float
    vpc_problem: Callable[[Document, str], str] = lambda document, vpc_id: ""
    put_receipt: receipts.Put | None = None
    stale: timedelta = timedelta(minutes=30)


def retry_delay(trigger: Trigger, first: int) -> int:
    """Seconds until the next try, doubled each time; 0 if the next scheduled run is to take over."""
    return min(first * 2**trigger.tries, LONGEST_AGAIN) if trigger.tries < TRIES else 0
