"""What people are told of corrections when a run dies, when SNS is down, and when this program makes a mistake."""

from __future__ import annotations

import re
from collections import Counter
from inspect import CO_GENERATOR
from random import Random
from types import FrameType
from typing import Any

import pytest

from lab.faults import Stopped
from reconciler.ledger.item import ATTRIBUTES
from reconciler.ledger.lease import GRACE, TERM
from tests.support.doors import NAME, TABLE, Doors
from tests.support.mistakes import mistaken
from tests.support.sampling import sampled

DRIFTS = ("ssh-opened-to-the-world", "acl-entry-denied", "tag-changed", "public-route-deleted")
TOLD = {
    "- ingress: 110 deny tcp 443 from 0.0.0.0/0 -> allow tcp 443 from 0.0.0.0/0",
    "- routes: 0.0.0.0/0 via internet_gateway/MyInternetGateway",
    '- ingress: tcp 22 from 0.0.0.0/0 "temporary, for debugging"',
    "- tags: setpoint:name = old-do-not-use -> MyVPC",
}
SCHEDULED = {"setpoint": 1, "document": NAME, "trigger": {"source": "schedule"}}
CALLS, PUBLISHED = 42, 38
"""The calls of a run that corrects these, and which of them is the first message."""


class Death:
    """The process dies before its call of that number, and makes none after that, not even to tidy up."""

    def __init__(self, doors: Doors, at: int) -> None:
        self.doors, self.at, self.calls = doors, at, list[str]()
        doors.lab.before_call = self

    def __call__(self, name: str, service: str, operation: str) -> None:
        self.calls.append(operation)
        if len(self.calls) >= self.at:
            raise Stopped(f"before {operation}")

    def over(self) -> None:
        self.doors.lab.before_call = None


def corrected(doors: Doors) -> Counter[str]:
    """How often people were told that something was corrected, by the line of the message that says so."""
    lines = [line for one in doors.alerts() for line in one["Message"].splitlines()]
    found = Counter(line.strip() for line in lines if line.endswith("(corrected)"))
    return Counter({re.sub(r"\(corrected\)", "", line).strip(): times for line, times in found.items()})


@pytest.fixture
def drifted(doors: Doors) -> Doors:
    for name in DRIFTS:
        doors.drift(name)
    return doors


def next_run(doors: Doors) -> None:
    doors.clock.sleep((TERM + GRACE).total_seconds() + 1)
    assert doors.work(SCHEDULED) == ()


def test_every_call_of_a_run_that_corrects_is_tried(drifted: Doors) -> None:
    death = Death(drifted, 10**6)
    assert drifted.work(SCHEDULED) == ()
    death.over()
    assert (len(death.calls), death.calls.index("Publish") + 1) == (CALLS, PUBLISHED)
    assert corrected(drifted) == Counter(TOLD)
    assert "untold" not in drifted.item()


@pytest.mark.parametrize("at", sampled(range(1, CALLS + 1), 20, seed="told"))
def test_whatever_a_run_that_died_has_corrected_is_told_once_with_who_did_it(drifted: Doors, at: int) -> None:
    """What a process knew is gone with it, so to die after a call or its answer is to die before the next call.

    Only where it dies between a message and the ledger may that message come twice: SNS cannot be asked.
    """
    death = Death(drifted, at)
    with pytest.raises(Stopped):
        drifted.work(SCHEDULED)
    death.over()
    told_before = corrected(drifted)
    next_run(drifted)
    told = corrected(drifted)
    assert set(told) == TOLD
    assert told == Counter(TOLD) + (told_before if at > PUBLISHED else Counter())
    about = [one for one in drifted.alerts() if "(corrected)" in one["Message"]]
    assert ["user/somebody by" in one["Message"] for one in about] == [True] * len(about)
    assert "untold" not in drifted.item()
    calls = len(drifted.alerts())
    next_run(drifted)
    assert len(drifted.alerts()) == calls


class Theft:
    """Before its call of that number a run is so slow that another one takes its lease, and does all that there is, or
    dies before a call of its own.
    """

    def __init__(self, doors: Doors, at: int, dies: int = 0) -> None:
        self.doors, self.at, self.dies, self.calls = doors, at, dies, 0
        doors.lab.before_call = self

    def __call__(self, name: str, service: str, operation: str) -> None:
        self.calls += 1
        if self.calls == self.at:
            self.doors.lab.before_call = None
            self.doors.clock.sleep((TERM + GRACE).total_seconds() + 1)
            thief = self.doors.another(name="the thief")
            if self.dies:
                death = Death(self.doors, self.dies)
                with pytest.raises(Stopped):
                    self.doors.work(SCHEDULED, stack=thief)
                death.over()
            else:
                assert self.doors.work(SCHEDULED, stack=thief) == ()


@pytest.mark.parametrize("at", sampled(range(2, CALLS + 1), 14, seed="thefts"))
def test_what_is_corrected_is_told_once_though_the_lease_is_stolen_at_any_call(drifted: Doors, at: int) -> None:
    """Only what the first run has sent by then, or is just sending, does the thief send too: SNS cannot be asked."""
    Theft(drifted, at)
    assert drifted.work(SCHEDULED) == ()
    drifted.lab.before_call = None
    told = corrected(drifted)
    assert set(told) == TOLD
    assert (told - Counter(TOLD)).total() <= max(0, at - PUBLISHED + 1)
    assert [one["Subject"] for one in drifted.alerts() if "partial" in one["Message"]] == []
    assert {"untold", "owner"} & drifted.item().keys() == set()
    messages = len(drifted.alerts())
    next_run(drifted)
    assert len(drifted.alerts()) == messages


@pytest.mark.parametrize("at", sampled(range(2, CALLS + 1), 20, seed="thieves that die"))
def test_what_is_corrected_is_told_though_the_thief_dies(drifted: Doors, at: int) -> None:
    Theft(drifted, at, dies=1 + at % 13)
    assert drifted.work(SCHEDULED) == ()
    drifted.lab.before_call = None
    next_run(drifted)
    assert set(corrected(drifted)) == TOLD
    assert "untold" not in drifted.item()


@pytest.mark.parametrize("at", sampled(range(14, CALLS - 4), 22, seed="twice"))
def test_two_deaths_in_a_row_lose_nothing_either(drifted: Doors, at: int) -> None:
    for calls in (at, 13):
        death = Death(drifted, calls)
        drifted.clock.sleep((TERM + GRACE).total_seconds() + 1)
        with pytest.raises(Stopped):
            drifted.work(SCHEDULED)
        death.over()
    next_run(drifted)
    assert corrected(drifted) == Counter(TOLD)


def test_what_somebody_else_is_told_to_undo_is_not_claimed_where_the_document_has_changed(drifted: Doors) -> None:
    """A new version wants what the dead run was about to take away: that it is there now says nothing of that run."""
    death = Death(drifted, 14)
    with pytest.raises(Stopped):
        drifted.work(SCHEDULED)
    death.over()

    def allows_ssh(written: dict[str, Any]) -> None:
        written["revision"] = 2
        rule = {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0", "description": "temporary, for debugging"}
        written["resources"]["security_group"]["APIGatewaySG"]["ingress"].append(rule)
        written["intents"] = []

    drifted.upload(allows_ssh)
    drifted.invoke(mode="apply", approve_revision=held(drifted, allows_ssh))
    next_run(drifted)
    message = next(one["Message"] for one in drifted.alerts() if "may have been corrected" in one["Subject"])
    assert "whether it did is not known" in message
    assert '"temporary, for debugging" (whether it was corrected is not known)' in message


def held(doors: Doors, change: Any) -> str:
    doors.clock.sleep((TERM + GRACE).total_seconds() + 1)
    answer = doors.invoke(mode="plan")
    return str(answer["revision_change"]["fingerprint"])


@pytest.mark.parametrize("runs", [1, 3])
def test_corrections_made_while_sns_is_down_are_told_once_when_it_is_back(drifted: Doors, runs: int) -> None:
    for _ in range(runs):
        drifted.lab.faults.refuse("Publish", code="InternalError")
        next_run(drifted)
        drifted.lab.faults.clear()
        assert corrected(drifted) == Counter()
    next_run(drifted)
    assert corrected(drifted) == Counter(TOLD)
    about = [one["Message"] for one in drifted.alerts()]
    assert all("It was done before, and could not be told then." in one for one in about)
    assert all("user/somebody by" in one for one in about)
    assert any("TCP 443 from the internet" in one for one in about)  # as it was judged then, from end to end
    next_run(drifted)
    assert corrected(drifted) == Counter(TOLD)


def test_what_was_corrected_before_aws_stopped_answering_is_told_as_not_verified_and_then_as_proved(
    drifted: Doors,
) -> None:
    """The look after the writes fails: what was written is told with what could not be read, and that it was corrected
    once a look shows it, however long that takes.
    """

    def gone(name: str, service: str, operation: str) -> None:
        if drifted.writes() and operation.startswith("Describe"):
            drifted.lab.faults.refuse(operation, code="UnauthorizedOperation")

    drifted.lab.before_call = gone
    assert drifted.work(SCHEDULED) == ()
    drifted.lab.before_call = None
    next_run(drifted)
    drifted.lab.faults.clear()
    told, *others = drifted.alerts()
    lines = [line.strip().partition(" (")[0] for line in told["Message"].splitlines()]
    assert "corrections there could not be verified" in told["Message"]
    assert [one for one in TOLD if not any(one[2:] in line for line in lines)] == []
    assert ("(corrected)" in told["Message"], len(others)) == (False, 1)  # that nothing could be read at all
    next_run(drifted)
    assert corrected(drifted) == Counter(TOLD)
    about = [one["Message"] for one in drifted.alerts() if "(corrected)" in one["Message"]]
    assert all("It was done before, when no look could show that; the look of this run does." in one for one in about)
    assert all("user/somebody by" in one for one in about)
    assert any("TCP 443 from the internet" in one for one in about)  # as it was judged then, from end to end
    assert all("Open for" in one for one in about if '"temporary, for debugging"' in one)
    assert "untold" not in drifted.item()
    messages = len(drifted.alerts())
    next_run(drifted)
    assert (corrected(drifted), len(drifted.alerts())) == (Counter(TOLD), messages)


def test_that_a_document_is_deleted_is_told_when_sns_is_back(doors: Doors) -> None:
    doors.delete()
    doors.lab.faults.refuse("Publish", code="InternalError")
    doors.sweep()
    next_run(doors)
    doors.lab.faults.clear()
    assert doors.alerts() == []
    assert doors.sweep() == 1  # or no further run would look for it
    next_run(doors)
    assert doors.sweep() == 0
    next_run(doors)
    assert ["the document is deleted" in one["Subject"] for one in doors.alerts()] == [True]


# ------------------------------------------------------------------------------------------------- mistakes of our own


Function = tuple[str, str, int]


class Mistake:
    """Raises an exception at the first call of a function of the product, or at all of them, as a mistake in it would;
    `at` None: only notes which functions are called.
    """

    OUR_OWN = ("/reconciler/", "/desired_state/")
    TELLING = ("/notify/publisher.py", "/ledger/", "/redact.py", "/sanitize.py", "/notify/message.py", "/telling.py")
    """What tells of a mistake: what is broken itself tells nobody, but the log and the metric `AlertsLost`."""

    def __init__(
        self, at: Function | None = None, error: type[Exception] = KeyError, *, for_ever: bool = False
    ) -> None:
        self.at, self.error, self.called, self.raised = at, error, dict[Function, None](), False
        self.for_ever = for_ever

    def __call__(self, frame: FrameType, event: str, arg: object) -> None:
        code = frame.f_code
        if event != "call" or (self.raised and not self.for_ever) or code.co_flags & CO_GENERATOR:
            return
        function = code.co_filename, code.co_name, code.co_firstlineno
        if function == self.at:
            self.raised = True
            raise self.error("a mistake of ours")
        ours = any(one in code.co_filename for one in self.OUR_OWN) and code.co_name != "keep"  # which is the guard
        if self.at is None and ours and not any(one in code.co_filename for one in self.TELLING):
            self.called[function] = None


ERRORS = (KeyError, ValueError, TypeError, AttributeError, RecursionError, ZeroDivisionError, OSError, AssertionError)
PARTS = 128
_called: list[Function] = []


@pytest.mark.parametrize("part", sampled(range(PARTS), 64, seed="mistakes"))
@pytest.mark.parametrize("for_ever", [False, pytest.param(True, marks=pytest.mark.long)])
def test_a_mistake_anywhere_in_a_run_is_told_costs_no_message_and_stops_no_schedule(
    doors: Doors, part: int, *, for_ever: bool
) -> None:
    """An exception of any type in any function of a run that corrects something, once or all the time of that run."""
    doors.drift(DRIFTS[0])
    noting = Mistake()
    if not _called:
        world, item = doors.lab.save(), doors.item()
        for _ in range(2):  # the second time nothing is imported or cached anew
            noting = Mistake()
            with mistaken(noting):
                assert doors.work(SCHEDULED) == ()
            doors.lab.restore(world)
            doors.hands.client("dynamodb").put_item(TableName=TABLE, Item=item)
            doors.lab.calls.clear()
        _called.extend(noting.called)
    some = _called[len(_called) * part // PARTS : len(_called) * (part + 1) // PARTS]
    where = Random(f"{part}").choice(some)
    mistake = Mistake(where, ERRORS[part % len(ERRORS)], for_ever=for_ever)
    with mistaken(mistake):
        assert doors.work(SCHEDULED) == (), where
    if not mistake.raised:
        pytest.fail(f"{where} is not called")
    assert doors.alerts(), where
    assert "owner" not in doors.item(), where
    for _ in range(2):
        next_run(doors)
    assert sum("(corrected)" in one["Message"] for one in doors.alerts()) == 1, where
    assert doors.writes() == ["RevokeSecurityGroupIngress"], where


# --------------------------------------------------------------------------------------------------- without the ledger


def test_a_table_that_is_down_is_told_once_an_hour_whatever_the_number_of_documents(doors: Doors) -> None:
    stack = doors.another()  # a new process: what it told is not remembered anywhere else
    doors.lab.faults.refuse("UpdateItem", code="AccessDeniedException")
    names = [f"shop-{n}" for n in range(8)]
    for _ in range(24):
        assert doors.work(*({**SCHEDULED, "document": name} for name in names), stack=stack) == ()
        doors.clock.sleep(300)
    doors.lab.faults.clear()
    told = doors.alerts()
    assert [one["Subject"] for one in told] == ["Setpoint high: the network could not be read (shop-0)"] * len(told)
    assert len(told) in {2, 3}  # two hours
    assert "AccessDeniedException" in told[0]["Message"]
    assert "every document of this deployment is meant" in told[0]["Message"]
    assert doors.writes() == []


TEXTS = {"account", "region", "vpc_id", "state", "severity"}
ODD: dict[str, Any] = {"text": {"S": "spoiled"}, "null": {"NULL": True}, "inside": {"M": {"x": {"N": "-1"}}}}
DAMAGES = [(name, odd) for name in ATTRIBUTES for how, odd in ODD.items() if (name in TEXTS, how) != (True, "text")]


@pytest.mark.parametrize(("name", "odd"), sampled(DAMAGES, 12, seed="damages"))
def test_an_item_that_cannot_be_read_lets_the_run_look_and_tell_and_change_nothing(
    doors: Doors, name: str, odd: dict[str, Any]
) -> None:
    item, stack, hands = doors.item(), doors.another(), doors.hands.client("dynamodb")
    hands.put_item(TableName=TABLE, Item={**item, name: odd})
    doors.drift("ssh-opened-to-the-world")
    for _ in range(3):
        assert doors.work(SCHEDULED, stack=stack) == ()
        doors.clock.sleep(300)
    (damaged,) = [one for one in doors.alerts() if "what is remembered of the document" in one["Subject"]]
    assert f"its item cannot be read, at {name}" in damaged["Message"]
    assert "remove" in damaged["Message"] or "write" in damaged["Message"]
    (drift,) = [one for one in doors.alerts() if "ingress" in one["Subject"]]
    assert drift["Subject"].startswith("Setpoint medium: security_group/APIGatewaySG ingress: held")
    assert "held: nothing is changed while the document's item in the ledger cannot be read" in drift["Message"]
    assert len(doors.alerts()) == 2
    assert doors.writes() == []
    kept = doors.item()
    assert kept[name] == odd
    told = {"owner", "expires", "fence", "looked_at", "covers", "notified", "untold"}
    assert {each for each in item.keys() | kept.keys() if item.get(each) != kept.get(each)} <= told | {name}
    again = {one: value for one, value in kept.items() if one != name} | ({name: item[name]} if name in item else {})
    hands.put_item(TableName=TABLE, Item=again)
    assert doors.work(SCHEDULED, stack=stack) == ()
    assert doors.writes() == ["RevokeSecurityGroupIngress"]
    assert "owner" not in doors.item()


def test_an_item_that_cannot_be_read_gives_no_power_to_a_person_either(doors: Doors) -> None:
    item = doors.item()
    doors.hands.client("dynamodb").put_item(TableName=TABLE, Item={**item, "ids": {"S": "spoiled"}})
    doors.drift("ssh-opened-to-the-world")
    plan = doors.invoke(mode="plan")
    assert [one["reason"] for one in plan["report"]["drifted"]] == ["memory_damaged"]
    answer = doors.invoke(mode="apply", approve=plan["report"]["fingerprint"])
    assert (answer["report"]["wrote"], doors.writes()) == (False, [])
    assert "its item cannot be read, at ids" in answer["problem"]


def test_a_new_version_is_not_accepted_while_the_item_cannot_be_read(doors: Doors) -> None:
    item = doors.item()
    doors.hands.client("dynamodb").put_item(TableName=TABLE, Item={**item, "holds": {"S": "spoiled"}})

    def closed(written: dict[str, Any]) -> None:
        written["revision"] = 2
        written["resources"]["security_group"]["APIGatewaySG"]["ingress"][0]["source"] = "198.51.100.0/24"
        written["intents"] = []

    doors.upload(closed)
    assert doors.work(SCHEDULED) == ()
    subjects = [one["Subject"] for one in doors.alerts()]
    assert [one for one in subjects if "accepted" in one or "applied" in one] == []
    assert doors.item()["accepted"] == item["accepted"]
    doors.hands.client("dynamodb").put_item(TableName=TABLE, Item=item)
    assert doors.work(SCHEDULED) == ()
    assert doors.item()["accepted"]["M"]["revision"] == {"N": "2"}
