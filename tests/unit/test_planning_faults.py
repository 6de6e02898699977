"""A mistake of Setpoint anywhere between a look and its calls ends no run, and keeps no port open.

What is broken is every function that is called meanwhile, once and for ever, but those that say what differs and make
the calls of the kind itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from inspect import CO_GENERATOR
from types import FrameType
from typing import Any, cast

import pytest

from desired_state.fields import Address, RuleKey
from desired_state.rules import Ingress
from reconciler.engine.apply import ApplyContext, apply
from reconciler.engine.gate import gate
from reconciler.engine.memory import NO_MEMORY
from reconciler.engine.understood import Asked, understood, without_faults
from reconciler.model import Cause, Outcome, Policy, Reason, Snapshot
from reconciler.model.operation import Operation
from reconciler.reach.checkpoints import Checkpoints
from reconciler.reach.network import Network
from reconciler.reach.steps import Steps
from tests.support.mistakes import mistaken
from tests.support.sampling import sampled
from tests.support.worlds import DB, MORNING, REFERENCE, VPC, WEB, document, drifted, seen

DECLARED = document(REFERENCE)
EXTRA, LOST = RuleKey("tcp", 5432, 5432, "0.0.0.0/0"), RuleKey("tcp", 443, 443, "0.0.0.0/0")
CLOSES, OPENS = "RevokeSecurityGroupIngress", "AuthorizeSecurityGroupIngress"


def look() -> Snapshot:
    """A rule of the databases that must be revoked, one of the web servers that must be allowed again, and a tag."""
    found = seen(DECLARED)
    found = drifted(found, DB, ingress=Ingress({**found.resources[DB].spec.ingress, EXTRA: ""}))
    rules = {key: text for key, text in found.resources[WEB].spec.ingress.items() if key != LOST}
    found = drifted(found, WEB, ingress=Ingress(rules))
    return drifted(found, VPC, tags={**found.resources[VPC].spec.tags, "setpoint:name": "other"})


@dataclass
class Taken:
    """AWS that takes every call."""

    calls: list[tuple[str, Any]] = field(default_factory=list)

    def write(self, operation: Operation, params: Any, before_resending: Any = None) -> dict[str, Any]:
        self.calls.append((operation.name, params))
        return {}

    def read(self, read: Any) -> list[Any]:
        return []

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


def run(snapshot: Snapshot) -> tuple[Taken, list[Cause]]:
    """What `engine/run.py` does between a look and the next one, and what there is to tell of it."""
    aws = Taken()
    asked = Asked(DECLARED, Policy(), None, NO_MEMORY)
    found, gated = without_faults(
        asked,
        understood(asked, snapshot, MORNING),
        MORNING,
        lambda seen: gate(seen.plan, DECLARED, seen.snapshot, Policy(), MORNING),
    )
    context = ApplyContext(cast("Any", aws), lambda seconds: None, lambda: None, lambda: MORNING, lambda text: None)
    results = apply(found.plan, gated, found.snapshot, DECLARED, context)
    said = [one.cause for one in (*found.plan.findings, *gated.findings) if one.outcome is not Outcome.IN_SYNC]
    waiting = [one.cause for one in results if one.cause]
    return aws, [*said, *found.snapshot.unreadable.values(), *waiting]


Function = tuple[str, str, int]
NEEDED = {
    "understood.py": {"understood", "without_faults", "_set_aside", "_closing", "_differing"},
    "closing.py": None,
    "guard.py": None,
    "spelled.py": None,
    "diff.py": None,
    "gate.py": None,
    "apply.py": None,
    "witness.py": None,
    "writer.py": None,
    "again.py": None,
    "expectation.py": None,
    "progress.py": None,
    "judged.py": None,
    "plan.py": {"signature", "_signature", "printable", "fingerprint"},
}
"""What a call needs whatever happens, by the file (None: all of it): what differs, whether it may be made, and it."""
OF_THE_KIND = ("/kinds/security_group/", "/packets/", "/model/", "/desired_state/", "/lab/", "/tests/")
PARTS = 90


class Mistake:
    """Raises at the calls of a function of the engine or of what it asks: at the first, or at all of them."""

    def __init__(self, at: Function | None = None, *, for_ever: bool = False) -> None:
        self.at, self.for_ever, self.called, self.raised = at, for_ever, dict[Function, int](), 0

    def __call__(self, frame: FrameType, event: str, arg: object) -> None:
        code = frame.f_code
        if event != "call" or code.co_flags & CO_GENERATOR or "/reconciler/" not in code.co_filename:
            return
        function = code.co_filename, code.co_name, code.co_firstlineno
        if self.at is None and not _needed(*function):
            self.called[function] = self.called.get(function, 0) + 1
        if function == self.at and (self.for_ever or not self.raised):
            self.raised += 1
            raise KeyError("a mistake of ours")


def _needed(path: str, name: str, line: int) -> bool:
    needed = NEEDED.get(path.rpartition("/")[2], set())
    return needed is None or name in needed or any(one in path for one in OF_THE_KIND)


_called: list[Function] = []


def called() -> list[Function]:
    if not _called:
        run(look())  # the second time nothing is imported or cached anew
        noting = Mistake()
        with mistaken(noting):
            run(look())
        _called.extend(noting.called)
    return _called


def test_without_a_mistake_everything_is_done_and_nothing_said() -> None:
    aws, said = run(look())
    assert (aws.names, said) == ([CLOSES, "CreateTags", OPENS], [])
    assert len(called()) > 150


@pytest.mark.parametrize("for_ever", [False, True])
@pytest.mark.parametrize("part", sampled(range(PARTS), 90, seed="planning faults"))
def test_a_mistake_anywhere_is_told_and_what_closes_goes_on(part: int, *, for_ever: bool) -> None:
    snapshot = look()
    for function in called()[part::PARTS]:
        mistake = Mistake(function, for_ever=for_ever)
        with mistaken(mistake):
            aws, said = run(snapshot)
        assert CLOSES in aws.names, function
        assert (OPENS in aws.names) or any("a mistake of ours" in str(one) for one in said), function


def failing(monkeypatch: pytest.MonkeyPatch, where: type, name: str, when: Any) -> None:
    original = getattr(where, name)

    def raising(self: Any, *given: Any, **options: Any) -> Any:
        if when(self, *given):
            raise KeyError("a mistake of ours")
        return original(self, *given, **options)

    monkeypatch.setattr(where, name, raising)


@pytest.mark.parametrize(
    ("where", "name"), [(Steps, "__init__"), (Checkpoints, "__init__"), (Network, "after"), (Steps, "breach")]
)
def test_where_no_call_can_be_judged_what_opens_waits_and_people_are_told_by_name(
    where: type, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, where, name, lambda *_: True)
    aws, _ = run(look())
    assert aws.names == [CLOSES, "CreateTags"]
    found = understood(Asked(DECLARED, Policy(), None, NO_MEMORY), look(), MORNING)
    told = {(one.address, one.outcome, one.cause.reason) for one in found.plan.findings}
    of_all = {(VPC, Outcome.FAILED, Reason.FAULT)} if name != "breach" else {(DB, Outcome.FAILED, Reason.FAULT)}
    assert told == {(WEB, Outcome.FAILED, Reason.FAULT), *of_all}
    assert all("Setpoint failed while judging its traffic: KeyError" in str(one.cause) for one in found.plan.findings)


@pytest.mark.parametrize(("odd", "done"), [(WEB, [CLOSES, "CreateTags"]), (DB, [CLOSES, "CreateTags", OPENS])])
def test_where_the_calls_of_one_resource_cannot_be_judged_the_others_are(
    odd: Address, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, Steps, "__init__", lambda self, network, actions, *_: odd in {one.address for one in actions})
    aws, said = run(look())
    assert aws.names == done
    assert {one.reason for one in said} == {Reason.FAULT}
