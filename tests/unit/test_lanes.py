"""Who reaches what after every call of a drawn plan, beside the packet oracle in every state; and how it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest

from desired_state.document import Document
from desired_state.fields import RuleKey
from desired_state.intents import Workload
from desired_state.load import load
from desired_state.rules import Ingress
from reconciler.engine.gate import Gate
from reconciler.engine.plan import Plan
from reconciler.engine.result import Report
from reconciler.kinds import live_network
from reconciler.model import ActionResult, Ended, Snapshot
from reconciler.report.lanes import lanes
from tests.support.lanes import Oracle, id_of, state_of, who_is_there
from tests.support.reports import report
from tests.support.sampling import sampled
from tests.support.worlds import APP, BACK1, BACK2, DB, FRONT, WEB, document, drawn, drifted, plan, seen
from tests.support.worlds import REFERENCE as WRITTEN

type Lanes = Callable[[Report], Mapping[str, Any] | None]

REFERENCE = document()
PLANS = sampled(range(60), 20, seed="lanes")
WORKLOADS: dict[str, Any] = {
    "front": Workload(subnets=[FRONT], security_groups=[WEB]),
    "app": Workload(subnets=[BACK1, BACK2], security_groups=[APP]),
    "both": Workload(subnets=[FRONT], security_groups=[WEB, APP], public_address=True),
    "data": Workload(subnets=[BACK1], security_groups=[DB]),
}


@dataclass(frozen=True)
class Course:
    """A drawn plan as a run carries it out: how each call ended, if it was not only planned."""

    report: Report
    oracle: Oracle

    def wrong(self, judged: Lanes = lanes) -> list[str]:
        told = judged(self.report)
        assert told is not None
        return [*self.oracle.disagreements(told), *misnamed(told)]


def course(seed: int, *, ended: Sequence[Ended] = (), order: Random | None = None, unsafe: bool = False) -> Course:
    """A plan with its states; not `unsafe`: what has no safe order is held. `ended` says how each call of a run ended,
    in turns. With an `order` the calls are made in another order than the planner's.
    """
    declared, look, found = drawn(seed)
    declared, look = replace(declared, workloads=WORKLOADS), replace(look, interfaces=())
    held = {} if unsafe else dict(found.unsafe)
    if order:
        shuffled = order.sample(found.actions, len(found.actions))
        found, held = replace(found, actions=tuple(shuffled), needs=(frozenset(),) * len(shuffled), unsafe={}), {}
    made = report(
        document=declared, plan=found, first=look, gate=Gate(held=held, deferred={}, plan_held=None, findings=())
    )
    network = live_network(look)
    networks = [network]
    if ended:
        results = [ActionResult(one, ended[index % len(ended)]) for index, one in enumerate(found.actions)]
        for one in results:
            network = network.after(one.action.effect) if one.ended is Ended.DONE else network
            networks.append(network)
        last = replace(seen(declared), interfaces=())
        made = replace(made, wrote=True, action_results=tuple(results), last=last)
    else:
        skipped = _skipped(found, held)
        for index, action in enumerate(found.actions):
            network = network if index in skipped else network.after(action.effect)
            networks.append(network)
    networks.append(live_network(seen(declared)))
    known = {at: id_of(at) for at in declared.resources}
    states = [state_of(one) for one in networks]
    if not ended and found.findings:  # what no call can correct is as declared only by name
        return Course(made, Oracle([*states[:-1], None], who_is_there(declared, known)))
    return Course(made, Oracle(states, who_is_there(declared, known)))


def _skipped(found: Plan, held: Mapping[int, Any]) -> set[int]:
    """What is held, and what depends on that."""
    skipped = set(held)
    for index, needs in enumerate(found.needs):
        if needs & skipped:
            skipped.add(index)
    return skipped


def misnamed(told: Mapping[str, Any]) -> list[str]:
    """The lanes of another class than their states say. In these plans every end is there before."""
    seen = told["basis"] == "seen"
    wrong = []
    for one in told["flows"]:
        runs = one["on"]
        last = len(told["states"]) - 1
        on = [any(first <= n <= end for first, end in runs) for n in range(last + 1)]
        sure = [not any(first <= n <= end for first, end in one["perhaps"]) for n in range(last + 1)]
        # the last state is that of the document: drawn runs end in a look that is as declared
        before, declared, calls = on[0], on[last], list(enumerate(on[:last]))
        cut = before and declared and any(not now for _, now in calls)
        opened = not before and not declared and any(now and sure[n] for n, now in calls)
        if opened or (cut and sure[0] and sure[last]):
            wanted = {"broken"}
        elif before and declared:
            wanted = {"throughout"}
        else:
            wanted = {"missing" if declared else "undeclared"}
        if one["class"] not in wanted:
            wrong.append(f"{seen=} {one} is not {wanted}")
    if told["broken"] is not any(one["class"] == "broken" for one in told["flows"]):
        wrong.append("what is broken is not said of the whole")
    return wrong


@pytest.mark.parametrize("seed", PLANS)
def test_a_plan_is_told_state_by_state_as_every_packet_shows_and_breaks_nothing(seed: int) -> None:
    found = course(seed)
    assert found.wrong() == []
    told = lanes(found.report)
    assert told
    assert not told["broken"]


@pytest.mark.parametrize("seed", PLANS)
def test_only_calls_that_were_done_have_an_effect(seed: int) -> None:
    others = [one for one in Ended if one not in {Ended.DONE, Ended.UNKNOWN}]
    assert course(seed, ended=[Ended.DONE, *others, Ended.DONE], unsafe=True).wrong() == []


@pytest.mark.parametrize("seed", PLANS)
def test_calls_in_any_order_are_told_as_every_packet_shows(seed: int) -> None:
    assert course(seed, order=Random(seed), unsafe=True).wrong() == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(60))
def test_any_plan_is_told_state_by_state_whatever_becomes_of_its_calls(seed: int) -> None:
    found = course(seed)
    told = lanes(found.report)
    assert told
    assert not told["broken"]
    for one in (found, course(seed, unsafe=True), course(seed, ended=[*Ended][:-2]), course(seed, order=Random(seed))):
        assert one.wrong() == []


# By hand: a rule that is planted to be broken.

SSH = RuleKey("tcp", 22, 22, "0.0.0.0/0")
HTTPS, HALVES = (
    RuleKey("tcp", 443, 443, "0.0.0.0/0"),
    [RuleKey("tcp", 443, 443, f"{half}/1") for half in ("0.0.0.0", "128.0.0.0")],
)


def planned(look: Snapshot, declared: Document = REFERENCE, *, reverse: bool = False, **parts: Any) -> Report:
    """The plan that corrects a look; `reverse`: its calls the wrong way round. Nobody else is there."""
    found = plan(declared, look)
    if reverse:
        found = replace(found, actions=found.actions[::-1], needs=(frozenset(),) * len(found.actions))
    return report(document=declared, plan=found, first=replace(look, interfaces=()), **parts)


def flows(made: Report, *kinds: str) -> list[tuple[str, str, list[list[int]], str]]:
    told = lanes(made)
    assert told
    return [
        (
            f"{one['from']['label']} -> {one['to']['label']}",
            " ".join(filter(None, (one["traffic"], one["addresses"]))),
            one["on"],
            one["verdict"],
        )
        for one in told["flows"]
        if one["class"] in kinds
    ]


def spread(look: Snapshot) -> Snapshot:
    """Two rules for halves of the world in place of one for all of it: nothing may be cut between."""
    rules = {key: said for key, said in look.resources[WEB].spec.ingress.items() if key != HTTPS}
    return drifted(look, WEB, ingress=Ingress({**rules, **dict.fromkeys(HALVES, "")}))


def test_what_arrives_before_and_is_declared_arrives_throughout_unless_the_calls_come_in_the_wrong_order() -> None:
    look = spread(seen(REFERENCE))
    good = lanes(planned(look))
    assert good
    assert ({one["class"] for one in good["flows"]}, good["broken"]) == ({"throughout"}, False)
    bad = planned(look, reverse=True)
    assert lanes(bad)["broken"]  # type: ignore[index]
    ((_, _, calls, _),) = flows(bad, "broken")
    assert flows(bad, "broken") == [
        (
            "the internet -> workload api",
            "tcp 443 from 128.0.0.0/1",
            calls,
            "cut after call 1, although both the state before and the document let it through",
        )
    ]


def test_a_door_that_opens_before_another_one_shuts_is_shown_as_broken() -> None:
    entries = {"90": {"action": "allow", "protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"}}
    written = deepcopy(WRITTEN)
    written["resources"]["network_acl"]["PublicSubnetACL"]["ingress"] |= entries
    declared = load(json.dumps(written).encode(), "test.json")
    look = drifted(seen(REFERENCE), WEB, ingress=Ingress({**seen(REFERENCE).resources[WEB].spec.ingress, SSH: ""}))
    assert flows(planned(look, declared), "broken", "undeclared") == [
        ("workload api -> workload api", "tcp 22", [[0, 0]], "shut after call 1, stays shut")
    ]
    assert flows(planned(look, declared, reverse=True), "broken") == [
        (
            "the internet -> workload api",
            "tcp 22 from anyone",
            [[1, 1]],
            "let through after call 1, although neither the state before nor the document lets it through",
        ),
    ]
