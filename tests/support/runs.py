"""Runs on the laboratory: the reference network, a run against it, and a watch over its packets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from desired_state.document import Document
from desired_state.fields import Address
from desired_state.load import load
from lab.network import Network as Live
from lab.network import find_network
from lab.strict_aws import Call, StrictAws
from lab.world import World as Saved
from reconciler.engine.result import Report
from reconciler.engine.run import Environment, run
from reconciler.model import Outcome, Policy
from tests.support.packets import State, look, look_again
from tests.support.shared_items import SharingAws

EXAMPLES = Path(__file__).parents[2] / "desired_state" / "examples"
REFERENCE: dict[str, Any] = json.loads((EXAMPLES / "test-server.json").read_text())
MORNING = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def document(change: Callable[[dict[str, Any]], object] | None = None, base: dict[str, Any] = REFERENCE) -> Document:
    """The reference document, changed in place by `change`: then without its intents, if they are not what changed."""
    written = deepcopy(base)
    if change:
        change(written)
        if written.get("intents") == base.get("intents"):  # another network need not keep what this one promises
            written.pop("intents", None)
    return load(json.dumps(written).encode(), "test.json")


def without_intents(written: dict[str, Any]) -> None:
    """A change for `document`: nothing is promised, so a look makes no read for intents."""
    del written["intents"], written["workloads"]


@dataclass
class Clock:
    """A clock that only sleeping moves."""

    at: datetime = MORNING

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Network:
    """The reference network in the laboratory."""

    lab: StrictAws
    live: Live
    clean: Saved
    empty: Saved
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        """Sessions are kept: making one and its clients costs more than a whole run."""
        self.started = self.clock.at
        self.document = document()
        self.hands = self.lab.outsider()
        self.aws = SharingAws(self.lab.session(), self.lab.region, sleep=self.clock.sleep)
        self._clients: dict[str, Any] = {name: self.hands.client(name) for name in ("ec2", "rds")}

    def run(self, wanted: Document | None = None, policy: Policy | None = None, **how: Any) -> Report:
        """One run, as the doors make it."""
        world = Environment(self.aws, self.clock.now, self.clock.sleep)
        return run(wanted or document(), world, policy or Policy(), **how)

    def plan(self, wanted: Document | None = None, policy: Policy | None = None, **how: Any) -> Report:
        return self.run(wanted, policy, write=False, **how)

    def outsider(self, service: str) -> Any:
        """A client in somebody else's hands."""
        return self._clients[service]

    def id(self, address: str) -> str:
        return self.live[address]

    def state(self) -> State:
        return look(self.outsider("ec2"), self.outsider("rds"), self.live["vpc/MyVPC"])

    @contextmanager
    def watched(self) -> Iterator[list[State]]:
        """The states after every write that is made meanwhile."""
        states: list[State] = []
        ec2, rds = self.outsider("ec2"), self.outsider("rds")

        def keep(call: Call) -> None:
            vpc_id = self.live["vpc/MyVPC"]
            last = states[-1] if states else None
            states.append(look_again(last, call.operation, ec2, rds, vpc_id) if last else self.state())

        self.lab.after_write = keep
        yield states
        self.lab.after_write = None


def build(lab: StrictAws) -> Network:
    """The reference network, built from nothing by the product."""
    network = Network(lab, live=None, clean=None, empty=lab.save())  # type: ignore[arg-type]
    report = network.run(policy=Policy(create_databases=True))
    lab.settle()
    assert report.in_sync or _only_waits(report), [
        drift for drift in report.drifts if drift.outcome is not Outcome.CORRECTED
    ]
    network.live = find_network(network.hands, "test-server")
    network.clean = lab.save()
    return network


def _only_waits(report: Report) -> bool:
    return not (report.count(Outcome.FAILED) or report.count(Outcome.BLOCKED) or report.count(Outcome.HELD))


def drifted(report: Report) -> set[tuple[str, str]]:
    """The (address, field) pairs that a report names."""
    return {(str(drift.address), drift.field) for drift in report.drifts}


def outcomes(report: Report) -> dict[tuple[str, str], Outcome | None]:
    return {(str(drift.address), drift.field): drift.outcome for drift in report.drifts}


def address(text: str) -> Address:
    return Address(text)
