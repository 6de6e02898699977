"""Accounts that are slow, on a model of the queue and its workers: how long the others are not looked at.

Messages, groups, merging, postponing and retries are the product's own (`sweep`, `work`, `retry_delay`, `_covered`); a
run is replaced by the time that it takes, and the clock is the model's. The queue is modelled as the SQS developer
guide describes fair queues: a group that took more than a tenth of the recent processing time, or has 30 messages and a
tenth of all in flight, is handed out only where no other message waits. Without groups each message is its own.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from desired_state.sources import ListedDocument
from handlers import sweep as sweeping
from handlers import telemetry
from handlers import worker as working
from handlers.queue import Queue
from handlers.stack import Invocation
from reconciler.attempt.given import WAITING_AGAIN
from reconciler.attempt.keep import AttemptResult, Ending, _covered, retry_delay
from reconciler.ledger.lease import LastLook
from reconciler.ledger.record import DocumentRecord
from reconciler.model.trigger import Trigger

START = datetime(2026, 11, 22, 9, tzinfo=UTC)
RATE, TIMEOUT, RESERVE, STALE = 300.0, 300.0, 60, 1800
SLOW = 20.0
"""Seconds of one run of a slow account."""
RECENT, NOISY, MANY = 300.0, 0.1, 30
"""What counts as recent processing time (seconds; AWS does not say), the share and the number of a noisy group."""


@dataclass(frozen=True)
class Fleet:
    """What is looked after, and by whom. `failing`: what is slow sees nothing in the end, and is retried.
    `quick`: between how many seconds a run of a healthy account takes."""

    slow: int
    fair: bool
    batch: int
    failing: bool = True
    quick: tuple[float, float] = (1.0, 1.8)
    accounts: int = 25
    documents: int = 8
    workers: int = 2
    seconds: float = 2_400.0
    seed: int = 0


@dataclass(order=True)
class Waiting:
    """A message on the queue."""

    visible: float
    number: int
    body: str = field(compare=False)
    group: str = field(compare=False)
    sent: float = field(compare=False)


class Model:
    """One run of the model; `gap` is its result."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.time = fleet, 0.0
        self._random = random.Random(fleet.seed)
        self._account = {
            f"shop-{number:02}-{account:02}": f"{account:012}"
            for account in range(fleet.accounts)
            for number in range(fleet.documents)
        }
        slow = self._random.sample(range(fleet.accounts), fleet.slow)
        self._slow = {name for name, account in self._account.items() if int(account) in slow}
        self._looked: dict[str, float] = {}
        self._leases: dict[str, float] = {}
        self._gaps: dict[str, float] = defaultdict(float)
        self._delayed: list[Waiting] = []
        self._visible: list[Waiting] = []
        self._numbers = 0
        self._took: deque[tuple[float, float, str]] = deque()
        self._noisy: tuple[int, frozenset[str]] = (-1, frozenset())
        self._stack: Any = SimpleNamespace(
            deployment=SimpleNamespace(reserve_seconds=RESERVE, stale_seconds=STALE, alert_repeat_hours=24),
            here=None,
            region="",
            invoke_name="",
            told={},
            now=self.now,
            documents=SimpleNamespace(listed=lambda: [ListedDocument(name, START) for name in self._account]),
            ledger=SimpleNamespace(looks=self._looks),
            publisher=SimpleNamespace(publish=lambda notification, here: True),
            queue=Queue(self, ""),  # type: ignore[arg-type]
            dependencies=lambda invocation: None,
        )

    def now(self) -> datetime:
        return START + timedelta(seconds=self.time)

    def gap(self) -> float:
        """The longest time for which a healthy document was not looked at."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(working, "keep", self._run)
            patch.setattr(telemetry, "emit", lambda result: None)
            patch.setattr(telemetry, "emit_figures", lambda figures, run_id: None)
            self._go()
        for name in self._account.keys() - self._slow:
            self._gaps[name] = max(self._gaps[name], self.fleet.seconds - self._looked.get(name, 0.0))
        return max(gap for name, gap in self._gaps.items() if name not in self._slow)

    def _go(self) -> None:
        free, sweep_at = [0.0] * self.fleet.workers, 0.0
        while (at := heapq.heappop(free)) < self.fleet.seconds:
            while sweep_at <= at:
                self.time = sweep_at
                sweeping.sweep({"source": "setpoint.schedule", "version": 1}, self._stack)
                sweep_at += RATE
            if taken := self._take(at):
                self.time = at
                records = [
                    {
                        "messageId": str(one.number),
                        "body": one.body,
                        "attributes": {"SentTimestamp": str(int((START.timestamp() + one.sent) * 1000))},
                    }
                    for one in taken
                ]
                left = Invocation("run", lambda began=at: TIMEOUT - (self.time - began))  # type: ignore[misc]
                assert working.work(records, self._stack, left) == ()
                self._took.extend((at, self.time, one.group) for one in taken)
                heapq.heappush(free, self.time)
            else:
                waits = [self._delayed[0].visible] if self._delayed else []
                heapq.heappush(free, min([sweep_at, *waits]))

    def _take(self, at: float) -> list[Waiting]:
        """A batch, as SQS hands it out at that time."""
        while self._delayed and self._delayed[0].visible <= at:
            self._visible.append(heapq.heappop(self._delayed))
        noisy = self._noisy_at(at) if self.fleet.fair else frozenset()
        quiet = [one for one in self._visible if one.group not in noisy][: self.fleet.batch]
        if len(quiet) < self.fleet.batch:
            loud = [one for one in self._visible if one.group in noisy]
            quiet += loud[: self.fleet.batch - len(quiet)]
        numbers = {one.number for one in quiet}
        self._visible = [one for one in self._visible if one.number not in numbers]
        return quiet

    def _noisy_at(self, at: float) -> frozenset[str]:
        second = int(at)
        if self._noisy[0] != second:
            while self._took and self._took[0][1] < at - RECENT:
                self._took.popleft()
            spent: Counter[str] = Counter()
            flying: Counter[str] = Counter()
            for began, ended, group in self._took:
                spent[group] += max(0.0, min(ended, at) - max(began, at - RECENT))  # type: ignore[assignment]
                flying[group] += began <= at < ended
            many = {one for one, number in flying.items() if number >= MANY and number > NOISY * flying.total()}
            long = {one for one, seconds in spent.items() if seconds > NOISY * spent.total()}
            self._noisy = second, frozenset(many | long)
        return self._noisy[1]

    def _looks(self) -> dict[str, LastLook]:
        return {
            name: LastLook(START + timedelta(seconds=self._looked.get(name, 0.0)), account)
            for name, account in self._account.items()
        }

    def send_message_batch(self, **params: Any) -> dict[str, Any]:
        """As an SQS client."""
        for entry in params["Entries"]:
            self._numbers += 1
            group = entry["MessageGroupId"] if self.fleet.fair else str(self._numbers)
            sent = Waiting(self.time + entry["DelaySeconds"], self._numbers, entry["MessageBody"], group, self.time)
            heapq.heappush(self._delayed, sent)
        return {"Successful": [{"Id": entry["Id"]} for entry in params["Entries"]]}

    def _run(self, name: str, trigger: Trigger, dependencies: object) -> AttemptResult:
        """As `keep`: the same endings for the same reasons, and the time that they take."""
        looked = self._looked.get(name)
        record = DocumentRecord(looked_at=None if looked is None else START + timedelta(seconds=looked))
        if self._leases.get(name, -1.0) > self.time:
            return AttemptResult(name, "run", Ending.LEASE_HELD, trigger, retry_after=retry_delay(trigger, 15))
        if _covered(record, trigger):
            self.time += 0.02
            return AttemptResult(name, "run", Ending.COVERED, trigger)
        began = self.time
        slow = name in self._slow
        self.time += SLOW if slow else self._random.uniform(*self.fleet.quick)
        self._leases[name] = self.time
        if slow and self.fleet.failing:
            delay = retry_delay(trigger, WAITING_AGAIN)
            return AttemptResult(name, "run", Ending.UNOBSERVABLE, trigger, retry_after=delay)
        self._gaps[name] = max(self._gaps[name], began - (looked or 0.0))
        self._looked[name] = began
        return AttemptResult(name, "run", Ending.COMPLETED, trigger)
