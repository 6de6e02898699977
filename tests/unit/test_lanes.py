"""Who reaches what after every call of a drawn plan, beside the packet oracle in every state; and how it is told."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from desired_state.document import Document
from desired_state.fields import RuleKey
from desired_state.intents import Workload
from desired_state.load import load
from desired_state.members import SecurityGroups
from desired_state.rules import Ingress
from reconciler.engine import states
from reconciler.engine.gate import Gate
from reconciler.engine.plan import Plan
from reconciler.engine.result import Report
from reconciler.kinds import live_network
from reconciler.model import ActionResult, Cause, Ended, Interface, Reason, Snapshot
from reconciler.report.lanes import lanes
from tests.support.altered import altered
from tests.support.lanes import Oracle, id_of, state_of, who_is_there
from tests.support.reports import report
from tests.support.sampling import sampled
from tests.support.worlds import (
    APP,
    BACK1,
    BACK2,
    DATABASE,
    DB,
    FRONT,
    WEB,
    aws_id,
    document,
    drawn,
    drifted,
    plan,
    seen,
)
from tests.support.worlds import REFERENCE as WRITTEN

type Lanes = Callable[[Report], Mapping[str, Any] | None]

REFERENCE = document()
DRAWN = (54, 19)
PLANS = sampled(range(60), 30, seed="lanes")
WORKLOADS = {
    name: Workload.model_validate({"subnets": subnets, "security_groups": groups, "public_address": public})
    for name, subnets, groups, public in (
        ("front", [FRONT], [WEB], None),
        ("app", [BACK1, BACK2], [APP], None),
        ("both", [FRONT], [WEB, APP], True),
        ("data", [BACK1], [DB], None),
    )
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
    known = [state_of(one) for one in networks]
    if not ended and found.findings:  # what no call can correct is as declared only by name
        return Course(made, Oracle([*known[:-1], None], who_is_there(declared, id_of)))
    return Course(made, Oracle(known, who_is_there(declared, id_of)))


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


MODULES = ("reconciler.engine.states", "reconciler.report.lanes")
MUTANTS: dict[str, tuple[str, str]] = {
    "a call is skipped": (
        "networks.append(_after(*networks[-1], call))",
        "networks.append(networks[-1] if len(networks) == 2 else _after(*networks[-1], call))",
    ),
    "what a call does counts as the next one's": (
        "tuple(context.of(some) for some, _ in networks)",
        "tuple(context.of(some) for some, _ in (networks[0], *networks[:-2], networks[-1]))",
    ),
    "what is held has an effect": ("index in gate.held", "False"),
    "what was not made has an effect": ("_Call(one.action, one.ended is Ended.DONE", "_Call(one.action, True"),
    "the document is what the calls lead to": (
        "networks.append(([declared], [declared]))",
        "networks.append(networks[-1])",
    ),
    "it is not said from which subnets": (
        "alike.setdefault(tuple(sorted(targets)), []).extend(source)",
        "alike.setdefault(tuple(sorted(targets)), []).extend(())",
    ),
    "what passes within each subnet passes between them": ("(lane.addresses, _WITHIN)", "(lane.addresses,)"),
    "it is not said of which addresses": (
        "addresses_of(one, MOST_PARTS),\n                values",
        "None,\n                values",
    ),
    "nothing is ever broken": ("if self._breaks(certain=True):", "if False:"),
    "what arrived before is broken when it is shut": (
        "allowed, least = max(before, declared, self._lane.meant)",
        "allowed, least = max(declared, self._lane.meant)",
    ),
}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    sampled([(name, *both) for name, both in MUTANTS.items()], 5, seed="lanes", ids=list(MUTANTS)),
)
def test_the_oracle_notices_that(name: str, old: str, new: str) -> None:
    module = next(one for one in MODULES if old in Path(str(sys.modules[one].__file__)).read_text())
    judged = altered(MODULES, module, old, new)[MODULES[1]].lanes
    made = ([*Ended][:-2], ())
    for seed in (*DRAWN, *range(20, 30)):
        courses = (course(seed, ended=ended, order=dice) for ended in made for dice in (None, Random(seed)))
        if any(one.wrong(judged) for one in courses):
            return
    pytest.fail(f"nobody noticed: {name}")


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


# By hand: what becomes of calls, and what a second look sees.


def opened() -> Snapshot:
    """The database carries the front door's group in place of its own."""
    return drifted(seen(REFERENCE), DATABASE, vpc_security_groups=SecurityGroups([WEB]), groups=frozenset({WEB}))


def ssh() -> Snapshot:
    return drifted(seen(REFERENCE), WEB, ingress=Ingress({**seen(REFERENCE).resources[WEB].spec.ingress, SSH: ""}))


TO_SERVER = ("workload api -> workload server", "tcp 8000")
TO_ITSELF = ("workload api -> workload api", "tcp 22")


def made(first: Snapshot, last: Snapshot, *ended: Ended) -> Report:
    """A run whose calls ended so, in turns."""
    planned_ = planned(first)
    results = tuple(ActionResult(one, ended[n % len(ended)]) for n, one in enumerate(planned_.plan.actions))
    return replace(planned_, wrote=True, action_results=results, last=replace(last, interfaces=()))


def test_a_database_takes_its_change_later_so_that_it_is_under_way_until_a_look_has_seen_it() -> None:
    told = lanes(planned(opened()))
    assert told
    shown = [(one["class"], one["on"], one["under_way"], one["verdict"]) for one in told["flows"] if one["under_way"]]
    shut = ("undeclared", [[0, 0]], [1], "shut after call 1, stays shut; under way until a look has seen it")
    assert shown == [
        shut,  # what it may send with the front door's group
        shut,  # what the front door's group lets in
        ("missing", [[1, 2]], [1], "back after call 1; under way until a look has seen it"),
    ]


@pytest.mark.parametrize(
    ("last", "on", "under_way", "verdict"),
    [
        (seen(REFERENCE), [[0, 0]], [1], "shut after call 1, stays shut"),
        (opened(), [[0, 0], [2, 2]], [1, 2], "shut by call 1, not in force at the second look"),
    ],
    ids=["in force", "not in force yet"],
)
def test_what_a_database_has_not_taken_yet_is_no_disagreement(
    last: Snapshot, on: list[list[int]], under_way: list[int], verdict: str
) -> None:
    told = lanes(made(opened(), last, Ended.DONE))
    assert told
    found = [(one["on"], one["under_way"], one["verdict"]) for one in told["flows"] if one["class"] == "undeclared"]
    assert (found, told["disagree"]) == ([(on, under_way, verdict)] * 2, [])


@pytest.mark.parametrize("ended", [one for one in Ended if one not in {Ended.DONE, Ended.UNKNOWN}])
def test_a_call_that_was_not_made_has_no_effect(ended: Ended) -> None:
    assert flows(made(ssh(), ssh(), ended), "undeclared") == [(*TO_ITSELF, [[0, 2]], "still open")]


def test_a_call_whose_outcome_is_not_known_may_have_had_its_effect() -> None:
    told = lanes(made(ssh(), seen(REFERENCE), Ended.UNKNOWN))
    assert told
    (found,) = [one for one in told["flows"] if one["class"] == "undeclared"]
    assert (found["on"], found["perhaps"], found["certain"]) == ([[0, 1]], [[1, 1]], False)
    assert found["verdict"] == "shut at the second look, as far as is known"
    assert found["rests_on"] == ["the outcome of call 1 is not known"]
    assert told["disagree"] == []


def test_where_the_second_look_disagrees_it_is_right_and_that_is_said() -> None:
    told = lanes(made(ssh(), ssh(), Ended.DONE))
    assert told
    assert [one["name"] for one in told["states"]] == ["before", "after call 1", "second look"]
    assert [one["predicted"] for one in told["states"]] == [False, True, False]
    assert (told["basis"], told["broken"]) == ("seen", False)
    assert told["disagree"] == [
        "workload api -> workload api, tcp 22: the calls say that it does not arrive, and at the second look it arrives"
    ]
    assert flows(made(ssh(), ssh(), Ended.DONE), "undeclared") == [
        (*TO_ITSELF, [[0, 0], [2, 2]], "still open at the second look, although shut after call 1")
    ]


def test_what_somebody_else_opened_or_cut_meanwhile_is_no_broken_rule() -> None:
    closed = drifted(seen(REFERENCE), APP, ingress=Ingress())
    told = lanes(made(closed, ssh(), Ended.FAILED))
    assert told
    assert not told["broken"]
    assert flows(made(closed, ssh(), Ended.FAILED), "undeclared", "missing") == [
        (*TO_ITSELF, [[2, 2]], "open at the second look, by no call of this run"),
        (*TO_SERVER, [[2, 2]], "back at the second look"),
    ]
    assert flows(made(ssh(), closed, Ended.DONE), "missing") == [
        (*TO_SERVER, [[0, 1]], "cut at the second look, by no call of this run")
    ]


def test_a_held_call_of_a_plan_and_what_needs_it_have_no_effect() -> None:
    look = drifted(ssh(), APP, ingress=Ingress())
    made = planned(look)
    gate = Gate(held={1: Cause(Reason.HOLD_TAG, "held")}, deferred={}, plan_held=None, findings=())
    assert [one.address for one in made.plan.actions] == [WEB, APP]
    assert flows(replace(made, gate=gate), "missing") == [
        (*TO_SERVER, [[3, 3]], "does not arrive: no call of this plan brings it back")
    ]
    needing = replace(made.plan, actions=made.plan.actions[::-1], needs=(frozenset(), frozenset({0})))
    held = Gate(held={0: Cause(Reason.HOLD_TAG, "held")}, deferred={}, plan_held=None, findings=())
    assert flows(replace(made, plan=needing, gate=held), "undeclared") == [
        (*TO_ITSELF, [[0, 2]], "arrives: no call of this plan shuts it")
    ]


def test_a_call_that_is_held_shuts_nothing() -> None:
    cause = Cause(Reason.HOLD_TAG, "held")
    gate = Gate(held={0: cause}, deferred={}, plan_held=None, findings=())
    assert flows(planned(ssh(), gate=gate), "undeclared") == [
        (*TO_ITSELF, [[0, 1]], "arrives: no call of this plan shuts it")
    ]


def test_nothing_is_said_without_a_look_or_of_too_many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lanes(report()) is None
    assert states.why_none(report()) == "this report has no look of its own"
    monkeypatch.setattr(states, "MOST_CALLS", 0)
    assert lanes(planned(ssh())) is None
    assert states.why_none(planned(ssh())) == (
        "1 calls change what passes: the states between them are worked out for 0 at most"
    )


def test_the_outcome_of_too_many_calls_may_be_unknown() -> None:
    several = replace(
        made(ssh(), ssh(), Ended.UNKNOWN), action_results=made(ssh(), ssh(), Ended.UNKNOWN).action_results * 4
    )
    assert (lanes(several), states.why_none(several)) == (None, "the outcome of too many calls is not known")


def test_names_are_told_without_their_power() -> None:
    nasty, where = "eni-\x1b[31m\u202eevil\n", (aws_id(FRONT), frozenset({aws_id(APP)}), ("10.0.1.9/32",))
    stranger = Interface(nasty, *where, public=True, type="", managed=False, instance=nasty, nat="", in_use=True)
    told = lanes(replace(planned(ssh()), first=replace(ssh(), interfaces=(stranger,))))
    assert told
    found = {end["label"] for one in told["flows"] for end in (one["from"], one["to"]) if end["kind"] == "nobody"}
    assert len(found) == 1
    assert not set("\x1b\u202e\n") & set(json.dumps(told, ensure_ascii=False))


def test_a_machine_of_which_nobody_can_say_where_it_is_is_named() -> None:
    look = seen(REFERENCE)
    unread = {FRONT: Cause(Reason.UNREADABLE, "no")}
    rest = {at: one for at, one in look.resources.items() if at != FRONT}
    told = lanes(planned(replace(look, resources=rest, unreadable=unread)))
    assert told
    assert told["unplaced"] == [f"not judged: api is in {FRONT}, whose network is not known"]
    assert not [one for one in told["flows"] if "api" in (one["from"]["name"], one["to"]["name"])]


def test_what_passes_a_filter_that_could_not_be_read_may_arrive() -> None:
    look = seen(REFERENCE)
    rest = {at: one for at, one in look.resources.items() if at != WEB}
    told = lanes(planned(replace(look, resources=rest, unreadable={WEB: Cause(Reason.UNREADABLE, "no")})))
    assert told
    to_itself = next(one for one in told["flows"] if one["from"] == one["to"])
    assert (to_itself["certain"], to_itself["perhaps"], to_itself["verdict"]) == (
        False,
        to_itself["on"],
        "may arrive throughout",
    )
    assert to_itself["rests_on"] == [f"{WEB}: it could not be read"]


def test_a_second_look_that_could_not_read_everything_neither_cuts_nor_shuts_anything() -> None:
    look = seen(REFERENCE)
    blind = replace(look, resources={}, unreadable=dict.fromkeys(look.resources, Cause(Reason.UNREADABLE, "no")))
    found = made(ssh(), replace(blind, handles={}, neighbours={}), Ended.DONE)
    told = lanes(found)
    assert told
    assert (told["broken"], told["disagree"]) == (False, [])
    assert flows(found, "undeclared") == [
        (*TO_ITSELF, [[0, 0], [2, 2]], "shut after call 1; the second look could not tell, as far as is known")
    ]
    assert {one["verdict"] for one in told["flows"] if one["class"] == "throughout"} == {
        "arrives throughout, as far as is known"
    }
    assert not [one for one in told["flows"] if one["class"] == "missing"]
