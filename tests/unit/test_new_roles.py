"""What was refused because of a role is sent again while there is time: the order and the pauses alone."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from desired_state.fields import Address
from reconciler.engine.new_roles import PAUSES, sent_again
from reconciler.model import Action, ActionResult, Cause, Ended, Operation, Phase, Reason, Risk

MODIFY = Operation("rds", "ModifyDBInstance", Phase.UNBIND, Risk.TRAFFIC)
REFUSED, OTHER = (Cause(reason, "refused") for reason in (Reason.ROLE_NOT_ACCEPTED, Reason.REFUSED))
STOPS = (Ended.SKIPPED, Cause(Reason.OUT_OF_TIME, "the time is up"))


def action(name: str, *fields: str) -> Action:
    return MODIFY.on(Address.of("db_instance", name), "change it", *(fields or ("monitoring_interval",)))


def failed(name: str, cause: Cause = REFUSED, *fields: str) -> ActionResult:
    return ActionResult(action(name, *fields), Ended.FAILED, cause)


class Desk:
    """RDS that accepts the role of each instance at its nth further call, and ends the run at one of them."""

    def __init__(self, accepts: dict[str, int], stops_at: int = 0) -> None:
        self.accepts, self.stops_at = accepts, stops_at
        self.asked: list[str] = []
        self.slept: list[float] = []

    def __call__(self, one: Action) -> tuple[ActionResult, tuple[Ended, Cause] | None]:
        self.asked.append(one.address.name)
        done = self.asked.count(one.address.name) >= self.accepts[one.address.name]
        result = ActionResult(one, Ended.DONE) if done else failed(one.address.name)
        return result, STOPS if len(self.asked) == self.stops_at else None

    def after(
        self, *results: ActionResult, left: Iterable[float] | None = None, old: Iterable[tuple[str, str]] = ()
    ) -> list[Ended]:
        times = None if left is None else iter(left)
        known = set(old)
        found = sent_again(
            results,
            self,
            lambda: None if times is None else next(times),
            self.slept.append,
            lambda address, field: (address, field) in known,
        )
        assert [one.action.address for one in found] == [one.action.address for one in results]
        return [one.ended for one in found]


def test_each_is_sent_again_until_it_is_accepted_and_what_was_done_is_not() -> None:
    desk, done = Desk({"a": 3, "b": 1}), ActionResult(action("done"), Ended.DONE)
    assert desk.after(failed("a"), done, failed("b")) == [Ended.DONE] * 3
    assert (desk.asked, desk.slept) == (["a", "b", "a", "a"], [2.0, 4.0, 8.0])


def test_a_run_waits_a_minute_in_all() -> None:
    desk = Desk({"a": 99})
    assert desk.after(failed("a")) == [Ended.FAILED]
    assert (desk.slept, sum(desk.slept), len(desk.asked)) == (list(PAUSES), 60.0, 5)


@pytest.mark.parametrize(
    ("left", "pauses"),
    [([62.0, 63.9], 1), ([61.9], 0), ([62.0, 64.0, 67.9], 2), ([90.0] * 5, 5), ([89.9] * 5, 4), ([0.0], 0)],
)
def test_a_pause_leaves_a_minute_for_the_rest_of_the_run(left: list[float], pauses: int) -> None:
    desk = Desk({"a": 99})
    desk.after(failed("a"), left=left)
    assert desk.slept == list(PAUSES)[:pauses]


@pytest.mark.parametrize(
    "first",
    [
        (),
        (ActionResult(action("a"), Ended.DONE),),
        (failed("a", OTHER),),
        (ActionResult(action("a"), Ended.FAILED),),
    ],
)
def test_where_no_role_was_refused_nothing_is_waited_for(first: tuple[ActionResult, ...]) -> None:
    desk = Desk({"a": 1})
    assert desk.after(*first) == [one.ended for one in first]
    assert (desk.asked, desk.slept) == ([], [])


@pytest.mark.parametrize(("field", "waits"), [("monitoring_interval", False), ("tags", True)])
def test_the_role_of_what_an_earlier_run_left_is_not_new(field: str, *, waits: bool) -> None:
    two = failed("a", REFUSED, "monitoring_interval", "monitoring_role")
    desk = Desk({"a": 1, "b": 1})
    old = [(Address.of("db_instance", "a"), field)]
    assert desk.after(two, failed("b"), old=old) == [Ended.DONE if waits else Ended.FAILED, Ended.DONE]
    assert desk.asked == (["a", "b"] if waits else ["b"])


def test_no_further_call_is_made_once_none_may_be() -> None:
    desk = Desk({"a": 1, "b": 1}, stops_at=1)
    assert desk.after(failed("a"), failed("b")) == [Ended.DONE, Ended.FAILED]
    assert (desk.asked, desk.slept) == (["a"], [2.0])
