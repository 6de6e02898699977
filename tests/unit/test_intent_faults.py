"""What raises while an intent is judged costs its judgement: nothing it could forbid is opened, all else goes on."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from desired_state.fields import Address, RuleKey
from desired_state.intents import Intent
from desired_state.rules import Ingress
from reconciler.engine import intent_faults
from reconciler.engine.intents import judge_run
from reconciler.engine.plan import Plan, signature
from reconciler.model import Action, Outcome, Reason, Snapshot
from reconciler.model.exposure import Severity
from reconciler.reach.judge import intents as judging
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.forbidden import Forbidden
from reconciler.reach.judge.intents import Verdict
from reconciler.reach.network import Network
from reconciler.reach.steps import Breach
from tests.support.sampling import sampled
from tests.support.worlds import APP, DB, REFERENCE, VPC, WEB, document, drifted, plan, seen

DECLARED = document(REFERENCE)
INTENTS = {one.name: one for one in DECLARED.intents}
EXTRA = RuleKey("tcp", 5432, 5432, "0.0.0.0/0")
LOST = RuleKey("tcp", 443, 443, "0.0.0.0/0")


def look() -> Snapshot:
    """A rule that must be revoked, one that must be allowed again, and a tag that concerns no packet."""
    found = seen(DECLARED)
    found = drifted(found, DB, ingress=Ingress({**found.resources[DB].spec.ingress, EXTRA: ""}))
    rules = {key: text for key, text in found.resources[WEB].spec.ingress.items() if key != LOST}
    found = drifted(found, WEB, ingress=Ingress(rules))
    return drifted(found, VPC, tags={**found.resources[VPC].spec.tags, "setpoint:name": "other"})


class Broken(Exception):
    """An error that nobody foresaw."""


class Fault:
    """Raises in the judgement of some intents, from the time on that it was used so often."""

    def __init__(self, names: Iterable[str], after: int) -> None:
        self.names, self.left = set(names), after

    def met(self, intents: Iterable[Intent]) -> None:
        if self.names & {one.name for one in intents}:
            self.left -= 1
            if self.left < 0:
                raise Broken(f"of {sorted(self.names)}")


def spoiled(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    class Raising(Forbidden):
        def __init__(self, intents: Iterable[Intent], context: Any, look: Network) -> None:
            self.intents = tuple(intents)
            fault.met(self.intents)
            super().__init__(self.intents, context, look)

        def __call__(self, later: Network) -> Breach | None:
            fault.met(self.intents)
            return super().__call__(later)

    judge = judging.judge

    def judged(intents: Iterable[Intent], context: JudgeContext) -> tuple[Verdict, ...]:
        wanted = tuple(intents)
        fault.met(wanted)
        return judge(wanted, context)

    monkeypatch.setattr(intent_faults, "Forbidden", Raising)
    monkeypatch.setattr(intent_faults, "judge", judged)


def opening(found: Plan) -> list[Action]:
    return [one for one in found.actions if one.lets_through]


def names(actions: Iterable[Action]) -> set[str]:
    return {signature(one) for one in actions}


def without_fault() -> Plan:
    found = plan(DECLARED, look())
    assert [one.why for one in opening(found)] == ["allow tcp 443 from 0.0.0.0/0"]
    assert len(found.actions) == 3
    return found


FAULTS = [(name, after) for name in INTENTS for after in range(4)]


@pytest.mark.parametrize(
    ("name", "after"),
    sampled(FAULTS, 12, seed="intents", ids=[f"{name}, {after} times well" for name, after in FAULTS]),
)
def test_a_fault_in_one_intent_holds_at_most_what_opens(name: str, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = without_fault()
    fault = Fault({name}, after)
    spoiled(fault, monkeypatch)
    found = plan(DECLARED, look())
    met = fault.left < 0
    assert names(found.actions) >= names(whole.actions) - names(opening(whole))
    waits = met and INTENTS[name].expect != "reachable"
    assert [one.why for one in opening(found)] == ([] if waits else ["allow tcp 443 from 0.0.0.0/0"])
    held = [one for one in found.findings if one.cause.reason is Reason.HELD_BY_INTENT]
    assert [(one.address, one.outcome) for one in held] == ([(WEB, Outcome.HELD)] if waits else [])
    for one in held:
        assert one.cause.message.startswith(f"whether the intent {name!r} forbids it is not known; ")
        assert "Broken: of " in one.cause.message
    fault.left = 0
    judged = judge_run(DECLARED, look(), None)
    assert judged.faults.keys() == {name}
    assert [one.intent.name for one in judged.verdicts] == list(INTENTS)
    unknown = [one for one in judged.verdicts if one.unknown and "Broken" in one.unknown[0]]
    assert [(one.intent.name, one.severity) for one in unknown] == [(name, Severity.LOW)]
    (failed,) = [one for one in judged.findings if one.outcome is Outcome.FAILED]
    assert (failed.address, failed.cause.reason) == (Address.of("intent", name), Reason.FAULT)
    monkeypatch.undo()
    well = judge_run(DECLARED, look(), None)
    assert [one for one in judged.verdicts if one.intent.name != name] == [
        one for one in well.verdicts if one.intent.name != name
    ]
    assert (
        judged.mending
        == judge_run(
            replace(DECLARED, intents=tuple(one for one in DECLARED.intents if one.name != name)), look(), None
        ).mending
    )


@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("others", [True, False])
def test_beside_an_intent_that_raises_and_can_forbid_no_opening_only_the_others_forbid(
    after: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, others: bool
) -> None:
    proxy = RuleKey("tcp", 8080, 8080, "0.0.0.0/0")
    written = deepcopy(REFERENCE)
    rule = {"protocol": "tcp", "ports": 8080, "source": "0.0.0.0/0"}
    written["resources"]["security_group"][WEB.name]["ingress"].append(rule)
    to = {"from": "internet", "to": "api", "protocol": "tcp"}
    only = {"name": "only the front door", **to, "ports": [80, 443], "expect": "only"}
    written["intents"] = [*([only] if others else []), {"name": "a promise", **to, "ports": 443, "expect": "reachable"}]
    declared = document(written)
    found = seen(declared)
    rules = {key: text for key, text in found.resources[WEB].spec.ingress.items() if key != proxy}
    fault = Fault({"a promise"}, after)
    spoiled(fault, monkeypatch)
    planned = plan(declared, drifted(found, WEB, ingress=Ingress(rules)))
    held = [one.cause.message for one in planned.findings]
    message = (
        "the intent 'only the front door' forbids it: it would let tcp 8080 from the internet reach api; "
        "change the rule or the intent"
    )
    assert held == ([message] if others else [])
    assert [one.why for one in opening(planned)] == ([] if others else ["allow tcp 8080 from 0.0.0.0/0"])
    said = {one.getMessage() for one in caplog.records}
    assert said == ({"intent a promise failed while judging its traffic"} if fault.left < 0 else set())


def test_a_fault_that_is_of_no_intent_holds_what_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = without_fault()

    def raising(*_: object) -> None:
        raise Broken("where the machines are")

    monkeypatch.setattr("reconciler.engine.intents.live_machines", raising)
    found = plan(DECLARED, look())
    assert names(found.actions) == names(whole.actions) - names(opening(whole))
    (held,) = found.findings
    assert "where the machines are" in held.cause.message


def test_a_fault_only_of_all_intents_together_holds_what_opens(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = without_fault()

    class Raising(Forbidden):
        def __init__(self, intents: Iterable[Intent], context: Any, look: Network) -> None:
            held = tuple(intents)
            if len(held) > 1:
                raise Broken("together")
            super().__init__(held, context, look)

    monkeypatch.setattr(intent_faults, "Forbidden", Raising)
    found = plan(DECLARED, look())
    assert names(found.actions) == names(whole.actions) - names(opening(whole))
    (held,) = found.findings
    assert held.cause.message.startswith("whether an intent forbids it is not known; ")
    assert "the intents failed while judging its traffic" in caplog.text


def test_a_call_that_closes_and_needs_what_opens_waits_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is exchanged in one call may open: it waits too, and the fingerprint of the plan releases nothing."""
    spoiled(Fault({"nobody outside reaches the back end"}, 0), monkeypatch)
    found = seen(DECLARED)
    rules = dict(found.resources[APP].spec.ingress)
    wanted = next(iter(rules))
    del rules[wanted]
    planned = plan(DECLARED, drifted(found, APP, ingress=Ingress({**rules, EXTRA: ""})))
    assert [one for one in planned.actions if one.lets_through] == []
    assert planned.unsafe == {}
    assert {one.cause.reason for one in planned.findings} == {Reason.HELD_BY_INTENT}
