"""Whatever raises while people are told of one thing costs the words about that thing, and no other message."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from inspect import CO_GENERATOR
from types import FrameType, SimpleNamespace
from typing import Any, Literal, cast

import pytest

from desired_state.fields import Address
from desired_state.rules import Ingress
from reconciler.engine.intents import judge_run
from reconciler.ledger.record import Untold, UntoldMember
from reconciler.model import ABSENT, DOCUMENT_TAG, Cause, Finding, Outcome, Reason
from reconciler.notify.alert import Alert
from reconciler.notify.alert_rules import find_alerts
from reconciler.notify.deduplication import deduplicate
from reconciler.notify.publisher import Publisher
from reconciler.report.attempt import AttemptResult, Ending, Late
from tests.support.attempts import DAY, NOW, SOMEBODY, UNVERIFIED, completed, ended, extra
from tests.support.mistakes import mistaken
from tests.support.reports import GROUP, VPC, drift
from tests.support.sampling import sampled
from tests.support.worlds import REFERENCE, WEB, document, drifted, seen

OTHER, THIRD = Address("security_group/Other"), Address("network_acl/Third")
LATE = Untold(
    "f" * 16, "drift", "high", "route_table/Late routes", "It was open.", NOW, (UntoldMember("a route", "n"),)
)


def everything() -> AttemptResult:
    """A run that has something to tell by every rule of alerts about a network."""
    declared = document(REFERENCE)
    judged = judge_run(declared, drifted(seen(declared), WEB, ingress=Ingress({})), None)
    refused = Cause(Reason.REFUSED, "RevokeSecurityGroupIngress: UnauthorizedOperation", "UnauthorizedOperation")
    return completed(
        drift("tags", DOCUMENT_TAG, "small", ABSENT, Outcome.CORRECTED, at=VPC),
        extra(),
        extra(outcome=Outcome.FAILED, cause=refused, at=OTHER),
        extra(outcome=Outcome.WAITING, cause=UNVERIFIED, at=THIRD),
        findings=(
            Finding(Address("subnet/Odd"), Outcome.BLOCKED, Cause(Reason.AMBIGUOUS, "two candidates")),
            *judged.findings,
        ),
        intents=judged,
        late=(Late(LATE, sure=True),),
        actors={GROUP: SOMEBODY},
        exposed={GROUP: 12.0},
    )


PLACES = {VPC, GROUP, OTHER, THIRD, "subnet/Odd", "route_table/Late"}
"""What people must hear of, in whatever words."""


@dataclass
class Desk:
    """SNS and EventBridge that take everything."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    meta: Any = field(default_factory=lambda: SimpleNamespace(region_name="eu-west-1"))

    def publish(self, **message: Any) -> None:
        self.messages.append(message)

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 (as boto3 calls it)
        self.events += Entries
        return {"FailedEntryCount": 0, "Entries": []}

    @property
    def texts(self) -> list[str]:
        return [one["Message"] for one in self.messages]


def told(result: AttemptResult, form: Literal["text", "chat"] = "text") -> tuple[Desk, tuple[Alert, ...]]:
    desk = Desk()
    alerts = find_alerts(result)
    found = deduplicate(alerts, {}, NOW, DAY, result)
    sent = Publisher(cast("Any", desk), cast("Any", desk), topic_arn="arn", form=form).send(found, result)
    assert (sent.lost, sent.messages, sent.event) == (frozenset(), 0, False)
    return desk, alerts


Function = tuple[str, str, int]


class Mistake:
    """Raises at the calls of a function of the product, as a mistake in it would: at the one of that number, or at all
    of them; `at` None: only counts the calls.
    """

    PARTS = ("/reconciler/notify/", "/reconciler/report/", "/reconciler/engine/", "/reconciler/reach/")
    ITSELF = ("/plain_alerts.py", "/publisher.py", "/guard.py")
    """What tells of a mistake."""
    LAST = (
        *("plainly", "plain_chat", "shown", "_unlinked", "_inactive", "rank"),
        *(
            "find_alerts",
            "_by_rule",
            "_of_the_network",
            "with_late",
            "deduplicate",
            "_at_most",
            "_status",
            "_digests",
            "settled",
        ),
        *("detail", "_text", "cut_lists", "encoded"),
    )
    """The last resort of a message, what goes through all alerts, and what is left of an event without a network."""

    def __init__(self, at: Function | None = None, number: int | None = None) -> None:
        self.at, self.number, self.called, self.raised = at, number, dict[Function, int](), 0

    def __call__(self, frame: FrameType, event: str, arg: object) -> None:
        code = frame.f_code
        if event != "call" or code.co_flags & CO_GENERATOR:
            return
        function = code.co_filename, code.co_name, code.co_firstlineno
        if not self._ours(*function):
            return
        self.called[function] = self.called.get(function, 0) + 1
        if function == self.at and self.number in {None, self.called[function] - 1}:
            self.raised += 1
            raise KeyError("a mistake of ours")

    def _ours(self, path: str, name: str, line: int) -> bool:
        return (
            any(one in path for one in self.PARTS)
            and not any(one in path for one in self.ITSELF)
            and name not in self.LAST
            and not name.startswith(("<", "__"))
        )


OF_ALL = {"origin_of", "of_the_network", "field"}
"""Where messages come from, and what tells things apart: all are sent, with fewer words."""
PARTS = 60
_called: dict[str, dict[Function, int]] = {}


def called(form: Literal["text", "chat"]) -> dict[Function, int]:
    if form not in _called:
        result = everything()
        noting = Mistake()
        for _ in range(2):  # the second time nothing is imported or cached anew
            noting = Mistake()
            with mistaken(noting):
                told(result, form)
        _called[form] = noting.called
    return _called[form]


def heard(desk: Desk) -> set[str]:
    return {place for place in PLACES if any(place in text for text in desk.texts)}


def test_a_run_that_tells_everything_has_a_message_of_each() -> None:
    desk, alerts = told(everything())
    assert heard(desk) == PLACES
    assert len(alerts) == len(desk.messages) == 8
    assert len(called("text")) > 100


@pytest.mark.parametrize("part", sampled(range(PARTS), 30, seed="alert faults"))
def test_a_mistake_in_telling_of_one_thing_costs_no_other_message(part: int) -> None:
    form: Literal["text", "chat"] = "chat" if part % 2 else "text"
    result = everything()
    well, _ = told(result, form)
    for function in list(called(form))[part::PARTS]:
        for number in sorted({0, called(form)[function] - 1}):
            mistake = Mistake(function, number)
            with mistaken(mistake):
                desk, alerts = told(result, form)
            assert mistake.raised == 1, function
            assert heard(desk) == PLACES, function
            others = [text for text in well.texts if text not in desk.texts]
            assert len(others) <= 1 or function[1] in OF_ALL, (function, others)
            assert len({one.fingerprint for one in alerts}) == len(alerts), function


@pytest.mark.parametrize("part", sampled(range(PARTS), 30, seed="alert faults for ever"))
def test_a_function_that_always_fails_keeps_nothing_from_being_told(part: int) -> None:
    form: Literal["text", "chat"] = "text" if part % 2 else "chat"
    result = everything()
    for function in list(called(form))[part::PARTS]:
        with mistaken(Mistake(function)):
            desk, _ = told(result, form)
        assert heard(desk) == PLACES, function
        assert all(len(one["Subject"]) < 100 for one in desk.messages)


@pytest.mark.parametrize(
    "result",
    [
        ended(Ending.DELETED),
        ended(Ending.REFUSED, problem="small.json:4:15: a comma is missing"),
        ended(Ending.UNOBSERVABLE, problem="DescribeVpcs: UnauthorizedOperation", code="UnauthorizedOperation"),
        ended(Ending.UNOBSERVABLE, problem="KeyError in a.py:1, f", code="KeyError", bug="a.py:1, f"),
    ],
    ids=["deleted", "refused", "unobservable", "bug"],
)
def test_what_is_wrong_with_a_document_or_a_run_is_told_whatever_raises(
    result: AttemptResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    (well,) = find_alerts(result)

    def raising(*_: object, **__: object) -> None:
        raise KeyError("a mistake of ours")

    monkeypatch.setattr("reconciler.notify.alert_rules.whole", raising)
    (plain,) = find_alerts(result)
    assert (plain.fingerprint, plain.topic, plain.once) == (well.fingerprint, well.topic, well.once)
    assert [one.what for one in plain.members] == result.problem.splitlines()
    desk, _ = told(result)
    assert "a mistake of ours" in desk.texts[0]


def test_an_event_that_cannot_say_what_was_seen_is_sent_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(*_: object) -> None:
        raise KeyError("a mistake of ours")

    monkeypatch.setattr("reconciler.notify.event.as_json", raising)
    desk, _ = told(everything())
    (event,) = desk.events
    said = json.loads(event["Detail"])
    assert said["ending"] == "blind"
    assert "a mistake of ours" in said["problem"]
    assert (said["document"], said["left_out"]) == ("small", {})
