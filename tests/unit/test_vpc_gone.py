"""A VPC in which a document was in force, and which is gone, is built again once a person has released the plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from desired_state.fields import Address
from reconciler.engine.memory import Memory
from reconciler.engine.result import Observation
from reconciler.engine.run import Openings, _Start, _start, _Task
from reconciler.model import Cause, Policy, Reason
from tests.support.worlds import MORNING, REFERENCE, VPC, document, missing, plan, seen

DOCUMENT = document()
EMPTY = missing(seen(DOCUMENT), *DOCUMENT.resources)
NAMED = replace(DOCUMENT, scope=DOCUMENT.scope.model_copy(update={"vpc_id": "vpc-0a1b2c3d"}))
WAS = Memory(vpc_was="vpc-1")


def started(look: Any = EMPTY, declared: Any = DOCUMENT, memory: Memory = WAS, approved: str = "") -> _Start:
    found = plan(declared, look)
    environment: Any = SimpleNamespace(now=lambda: MORNING)
    task = _Task(declared, environment, Policy(), None, memory)
    return _start(task, Observation(look, found, ()), approved, Openings.UNASKED)


def test_everything_waits_and_people_read_what_is_gone() -> None:
    start = started()
    assert start.first.plan.actions
    assert start.gate.held.keys() == set(range(len(start.first.plan.actions)))
    cause = start.gate.plan_held
    assert cause is not None
    assert (cause.reason, cause.code) == (Reason.VPC_GONE, "vpc-1")
    assert cause.message == (
        f"the VPC vpc-1, which was {VPC}, does not exist any more, and neither does what was in it. "
        "To build all of it again, empty, review the plan and release it"
    )


def test_the_plan_that_a_person_releases_is_carried_out_and_no_other() -> None:
    fingerprint = started().first.plan.fingerprint
    assert started(approved=fingerprint).gate.held == {}
    assert started(approved="0" * 16).gate.plan_held is not None


CALM = seen(DOCUMENT)


@pytest.mark.parametrize(
    ("look", "declared", "memory"),
    [
        (EMPTY, DOCUMENT, Memory()),  # it was never in force
        (EMPTY, DOCUMENT, Memory(vpc_id="vpc-1")),  # which is a hint only
        (EMPTY, NAMED, WAS),  # a person has named another one
        (missing(CALM, Address("subnet/PublicSubnet1")), DOCUMENT, WAS),
        (CALM, DOCUMENT, WAS),
        (replace(EMPTY, unreadable={VPC: Cause(Reason.UNREADABLE, "no")}), DOCUMENT, WAS),
        (EMPTY, document({**REFERENCE, "enforcement": "ignore"}), WAS),
    ],
)
def test_it_is_held_only_where_it_was_in_force_and_is_gone(look: Any, declared: Any, memory: Memory) -> None:
    cause = started(look, declared, memory).gate.plan_held
    assert cause is None or cause.reason is not Reason.VPC_GONE


@pytest.mark.parametrize(("minutes", "waits"), [(1, True), (5, False)])
def test_while_an_earlier_run_may_have_made_it_no_other_one_is_made(minutes: int, *, waits: bool) -> None:
    asked = Memory(vpc_asked=MORNING - timedelta(minutes=minutes))
    start = started(memory=asked)
    waiting = {start.first.plan.actions[at].operation.name: cause.reason for at, cause in start.gate.deferred.items()}
    assert (waiting.get("CreateVpc") is Reason.NOT_VISIBLE_YET) is waits
    there = missing(CALM, Address("subnet/PublicSubnet1"))
    assert started(there, memory=asked).first.plan.actions
    assert started(there, memory=asked).gate.deferred == {}
