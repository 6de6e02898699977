"""Two and three workers at once, interleaved call by call: they take turns, and who lost the turn writes nothing."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from handlers.stack import Invocation, Stack
from lab.network import find_network
from lab.strict_aws import Call as Called
from reconciler.attempt.keep import keep
from reconciler.ledger.lease import GRACE, TERM
from reconciler.model.trigger import Source, Trigger
from reconciler.report.attempt import AttemptResult, Ending
from tests.support.doors import NAME, Doors
from tests.support.packets import State, layers, look, places, universe_of
from tests.support.sampling import sampled

TOO_LONG = (TERM + GRACE + timedelta(seconds=1)).total_seconds()
TRIES = 6
NAMES = ("first", "second", "third")


@dataclass
class Baton:
    """Lets one worker at a time make calls. Before each call but the reads of a look, dice say who goes on; now and
    then they let so much time pass that a lease runs out.
    """

    dice: random.Random
    sleep: Callable[[float], None]
    waits: float
    alive: set[str] = field(default_factory=set)
    active: str = ""

    def __post_init__(self) -> None:
        self._turn = threading.Condition()

    def before_call(self, name: str, service: str, operation: str) -> None:
        if not name:
            return
        with self._turn:
            if service not in {"ec2", "rds"} or not operation.startswith("Describe"):
                if self.dice.random() < self.waits:
                    self.sleep(TOO_LONG)
                self._pass_on()
            assert self._turn.wait_for(lambda: self.active == name, timeout=60)

    def leave(self, name: str) -> None:
        with self._turn:
            self.alive.discard(name)
            self._pass_on()

    def _pass_on(self) -> None:
        self.active = self.dice.choice(sorted(self.alive)) if self.alive else ""
        self._turn.notify_all()


@dataclass
class Worker:
    """One process that tries to keep the document until it has had its turn."""

    name: str
    stack: Stack
    kept: list[AttemptResult] = field(default_factory=list)
    broke: BaseException | None = None

    def work(self, baton: Baton) -> None:
        try:
            for number in range(TRIES):
                dependencies = self.stack.dependencies(Invocation(f"{self.name}-{number}", lambda: 300.0))
                self.kept.append(keep(NAME, Trigger(Source.SCHEDULE, NAME), dependencies))
                if self.kept[-1].ending is Ending.COMPLETED:
                    return
        except BaseException as error:  # noqa: BLE001 (a thread's failure is the test's)
            self.broke = error
        finally:
            baton.leave(self.name)


def raised(written: dict[str, Any]) -> None:
    """Revision 2: another port for the back end, a rule less, an entry more."""
    written["revision"] = 2
    groups = written["resources"]["security_group"]
    groups["TestServerSG"]["ingress"][0]["ports"] = 8443
    for intent in written["intents"]:
        if intent.get("ports") == 8000:
            intent["ports"] = 8443


@pytest.fixture(scope="module")
def named(_stage: Doors) -> tuple[Stack, ...]:
    return tuple(_stage.another(name=name) for name in NAMES)


def story(doors: Doors, stacks: tuple[Stack, ...], seed: int, *, waits: float) -> None:
    """Some drift, a new revision at some moment, workers interleaved by dice: and what must hold of it all."""
    dice = random.Random(seed)
    aims = [_state(doors)]
    for name in dice.sample(["ssh-opened-to-the-world", "acl-entry-denied", "rule-deleted", "rule-widened"], 2):
        doors.drift(name)
    states = [_state(doors)]
    baton = Baton(dice, doors.clock.sleep, waits)
    upload_at = dice.randrange(1, 12)
    workers = [Worker(stack_name, stack) for stack_name, stack in zip(NAMES, stacks, strict=False)]
    baton.alive = {one.name for one in workers}
    calls = 0

    def before_call(name: str, service: str, operation: str) -> None:
        nonlocal calls
        baton.before_call(name, service, operation)
        calls += bool(name)
        if name and calls == upload_at:
            doors.upload(raised)

    def after_write(call: Called) -> None:
        if call.service in {"ec2", "rds"}:
            states.append(_state(doors))

    doors.lab.before_call, doors.lab.after_write = before_call, after_write
    threads = [threading.Thread(target=one.work, args=(baton,), name=one.name) for one in workers]
    for thread in threads:
        thread.start()
    with baton._turn:
        baton._pass_on()
    for thread in threads:
        thread.join(timeout=120)
    doors.lab.before_call = doors.lab.after_write = None
    assert [one.broke for one in workers] == [None] * len(workers)
    if calls < upload_at:
        doors.upload(raised)
    doors.clock.sleep(TOO_LONG)
    doors.sweep()
    doors.settle()
    aims.append(_state(doors))
    assert doors.invoke()["report"]["in_sync"]
    assert doors.invoke()["report"]["document"]["revision"] == 2
    assert _never_back(workers)
    _keeps_the_rule(states, aims)


def _state(doors: Doors) -> State:
    vpc = find_network(doors.hands, NAME)["vpc/MyVPC"]
    return look(doors.hands.client("ec2"), doors.hands.client("rds"), vpc)


def _never_back(workers: list[Worker]) -> bool:
    """Whether no run of an older revision wrote after one of a newer had written, by when the runs began."""
    runs = [kept for one in workers for kept in one.kept if kept.report and kept.report.writes]
    runs.sort(key=lambda kept: kept.report.started if kept.report else 0)
    revisions = [kept.report.document.revision for kept in runs if kept.report]
    return revisions == sorted(revisions)


def _keeps_the_rule(states: list[State], aims: list[State]) -> None:
    """Nothing passes that neither the state before nor either document lets through, and all that all of them do."""
    world = universe_of([*states, *aims])
    known = [states[0], *aims]
    for measure in (layers, places):
        measured = [measure(one, world) for one in known]
        for number, state in enumerate(states):
            for place, through in measure(state, world).items():
                at = [one.get(place, 0) for one in measured]
                assert not through & ~(at[0] | at[1] | at[2]), f"state {number} opens {place}"
                if all(place in one for one in measured):
                    assert not (at[0] & at[1] & at[2]) & ~through, f"state {number} cuts {place}"


@pytest.mark.parametrize("seed", sampled(range(4), 2, seed="two"))
def test_two_workers_interleaved_at_every_call_keep_the_rule_and_never_go_back(
    doors: Doors, named: tuple[Stack, ...], seed: int
) -> None:
    story(doors, named[:2], seed, waits=0.0)


@pytest.mark.parametrize("seed", sampled(range(4), 2, seed="three"))
def test_three_workers_whose_leases_run_out_keep_the_rule_and_never_go_back(
    doors: Doors, named: tuple[Stack, ...], seed: int
) -> None:
    story(doors, named, seed, waits=0.15)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 400))
def test_many_more_interleavings(doors: Doors, named: tuple[Stack, ...], seed: int) -> None:
    story(doors, named[: 2 + seed % 2], seed, waits=0.1 * (seed % 3))


def test_a_worker_that_was_held_up_beyond_its_lease_writes_nothing(doors: Doors, named: tuple[Stack, ...]) -> None:
    doors.drift("ssh-opened-to-the-world")

    def hold_up(name: str, service: str, operation: str) -> None:
        if name == "first" and operation == "DescribeSecurityGroups":
            doors.clock.sleep(TERM.total_seconds())

    doors.lab.before_call = hold_up
    kept = keep(NAME, Trigger(Source.SCHEDULE, NAME), named[0].dependencies(Invocation("late", lambda: 300.0)))
    doors.lab.before_call = None
    assert doors.writes() == []
    assert kept.report is not None
    assert not kept.report.in_sync
    assert len(doors.alerts()) == 1
