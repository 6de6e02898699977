"""What is told and remembered of an attempt, whatever goes wrong while it is; and who speaks for an account that cannot
be reached: only that alert is silent, and nothing else that is to be told.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from reconciler.attempt import telling
from reconciler.attempt.telling import Voice, broken_off, tell, tell_without_ledger
from reconciler.ledger.lease import MALFORMED
from reconciler.ledger.record import Accepted, DocumentRecord, Notified, Untold, UntoldMember
from reconciler.notify.alert import Topic, of_account
from reconciler.notify.alert_rules import find_alerts
from reconciler.notify.deduplication import Notifications
from reconciler.notify.publisher import Sent
from reconciler.report.attempt import AttemptResult, Ending, Late
from reconciler.revision.compare import compare
from tests.support.attempts import completed, ended, extra
from tests.support.worlds import MORNING, document

ACCOUNT = "123456789012"


class Speaks:
    """The ledger's item of an account; `mine` says whether this document is the one that tells of it."""

    def __init__(self, *, mine: bool) -> None:
        self.mine = mine

    def speaks(self, account: str, document: str, now: Any) -> bool:
        assert (account, now) == (ACCOUNT, MORNING)
        return self.mine


def voice(accounts: Any) -> Voice:
    return Voice(publisher=None, repeat=timedelta(hours=24), now=lambda: MORNING, accounts=accounts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("accounts", "silent"), [(None, False), (Speaks(mine=True), False), (Speaks(mine=False), True)]
)
def test_where_another_document_speaks_for_the_account_only_that_alert_is_silent(
    accounts: Any, *, silent: bool
) -> None:
    member = UntoldMember("tcp 22 from 0.0.0.0/0", "n")
    corrected = Untold("f" * 16, "drift", "high", "security_group/web ingress", "It was open.", MORNING, (member,))
    lost = replace(ended(Ending.UNOBSERVABLE), unreachable=ACCOUNT, late=(Late(corrected, sure=True),))
    topics = {one.topic for one in find_alerts(lost)}
    assert Topic.UNSEEN in topics
    assert len(topics) > 1
    assert {one.topic for one in voice(accounts).alerts(lost)} == topics - ({Topic.UNSEEN} if silent else set())


def test_what_concerns_one_document_alone_is_told_whoever_speaks() -> None:
    alone = ended(Ending.UNOBSERVABLE)
    assert voice(Speaks(mine=False)).alerts(alone) == tuple(find_alerts(alone))


# Telling, whatever goes wrong


class Desk:
    """SNS and EventBridge: they lose what they are told to lose, and one process tells a thing once an hour."""

    def __init__(self, *, lose: bool = False) -> None:
        self.lose, self.sent, self.results, self.asked = lose, list[Topic](), list[AttemptResult](), list[str]()
        self.may = True

    def send(self, some: Notifications, result: AttemptResult, may_go_on: Callable[[], bool] = lambda: True) -> Sent:
        self.results.append(result)
        alerts = [one.alert for one in some.notifications if one.alert]
        self.sent += [one.topic for one in alerts]
        lost = frozenset(one.fingerprint for one in alerts) if self.lose else frozenset()
        return Sent(lost, len(lost), event=self.lose)

    def may_tell(self, what: str, now: datetime) -> bool:
        self.asked.append(what)
        assert now == MORNING
        return self.may


def speaking(desk: Desk, *, ours: bool = True, accounts: Any = None) -> Voice:
    return replace(voice(accounts), publisher=cast("Any", desk), ours=lambda: ours)


LATER = Untold("e" * 16, "drift", "high", "subnet/a", "It was.", MORNING, (UntoldMember("x", "n"),), sha256="no")
BEFORE = DocumentRecord(untold=(LATER,))


def raising(times: int, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a function of the module raise so often, and do its work after that."""
    left, whole = [times], getattr(telling, name)

    def raises(*given: Any) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            raise KeyError("a mistake of ours")
        return whole(*given)

    monkeypatch.setattr(telling, name, raises)


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize("lose", [True, False])
def test_what_was_corrected_is_told_and_remembered_where_nobody_else_has_the_lease(*, ours: bool, lose: bool) -> None:
    desk, run = Desk(lose=lose), completed(extra())
    result, record = tell(run, BEFORE, (), speaking(desk, ours=ours))
    assert len(desk.results) == 1
    if not ours:
        assert (desk.sent, record, result) == ([], BEFORE, run)
        return
    assert desk.sent == [Topic.DRIFT]
    assert result.alerts_lost == (2 if lose else 0)
    assert (len(record.notified), len(record.untold)) == ((0, 1) if lose else (1, 0))


def test_the_lease_is_asked_for_only_by_a_run_that_has_something_to_tell() -> None:
    def never() -> bool:
        raise AssertionError("nobody asks")

    for run, topics in ((completed(), []), (ended(Ending.UNOBSERVABLE), [Topic.UNSEEN])):
        desk = Desk()
        assert tell(run, DocumentRecord(), (), replace(speaking(desk), ours=never))[0] == run
        assert desk.sent == topics


def test_what_waits_stays_and_what_is_certain_is_told_with_the_rest() -> None:
    desk, sure = Desk(), replace(LATER, fingerprint="d" * 16, members=(UntoldMember("y"),))
    result, record = tell(ended(Ending.UNOBSERVABLE), BEFORE, (LATER, sure), speaking(desk))
    assert record.untold == (LATER,)
    assert [one.untold for one in result.late] == [sure]
    assert set(desk.sent) == {Topic.DRIFT, Topic.UNSEEN}


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("name", ["find_alerts", "_remembered"])
def test_a_mistake_while_telling_is_told_itself_and_forgets_nothing(
    name: str, times: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If it comes again while it is told, that is the end, and nobody raises."""
    raising(times, name, monkeypatch)
    desk = Desk()
    result, record = tell(completed(extra()), BEFORE, (LATER,), speaking(desk))
    unsaid, unknown = name == "find_alerts", times > 1
    assert desk.sent == [*([] if unsaid else [Topic.DRIFT] * 2), *([] if unsaid and unknown else [Topic.BROKE_OFF])]
    assert result.alerts_lost == (1 if unsaid and unknown else 0)
    assert result.bug.endswith("in raises") or result.bug.endswith(", raises")
    assert (record.untold, len(record.notified)) == ((LATER,) if unsaid else (), 0 if unknown else 1)
    said = "no alert could be sent for this run" if unsaid else "what was told could not be remembered"
    assert [one.getMessage() for one in caplog.records] == [f"small: {said}"] * times


def test_that_a_document_is_deleted_is_remembered_once_it_could_be_told() -> None:
    gone = replace(BEFORE, untold=(), deleted=True)
    for lose in (True, False):
        assert tell(ended(Ending.DELETED), gone, (), speaking(Desk(lose=lose)))[1].deleted is not lose
    held = replace(completed(extra()))
    assert tell(held, gone, (), speaking(Desk(lose=True)))[1].deleted


NOW, THEN = Accepted(2, "b" * 64, "v2"), Accepted(1, "a" * 64, "v1")


@pytest.mark.parametrize(
    ("change", "held", "lose"), [(True, "", False), (True, "", True), (True, "x", False), (False, "", False)]
)
def test_a_version_is_announced_once_that_could_be_told(*, change: bool, held: str, lose: bool) -> None:
    told = compare(None, document()) if change else None
    run = replace(completed(), change=told, held=held)
    record = replace(DocumentRecord(), accepted=NOW, announced=THEN)
    assert tell(run, record, (), speaking(Desk(lose=lose)))[1].announced == (
        NOW if change and not held and not lose else THEN
    )


def test_announced_bytes_that_were_uploaded_again_are_known_by_their_newest_version() -> None:
    again = replace(THEN, version_id="v9")
    for accepted, announced, after in ((again, THEN, again), (NOW, THEN, THEN), (NOW, None, None), (None, THEN, THEN)):
        record = replace(DocumentRecord(), accepted=accepted, announced=announced)
        assert tell(completed(), record, (), speaking(Desk()))[1].announced == after


class Back(Speaks):
    """Notes whose account is back."""

    def __init__(self) -> None:
        super().__init__(mine=True)
        self.told: list[tuple[str, str]] = []

    def back(self, account: str, document: str) -> None:
        self.told.append((account, document))


@pytest.mark.parametrize(
    ("run", "open_", "is_back"),
    [
        (completed(), True, True),
        (completed(), False, False),
        (completed(), None, False),
        (ended(Ending.DELETED), True, False),
    ],
)
def test_that_an_account_is_back_is_noted_by_who_told_that_it_was_not(
    run: AttemptResult, open_: bool | None, *, is_back: bool
) -> None:
    told = Notified("d", "t", MORNING, MORNING, open=bool(open_), severity="high")
    known = {} if open_ is None else {of_account(ACCOUNT): told}
    accounts = Back()
    for some in (accounts, None):
        assert tell(run, replace(DocumentRecord(), notified=known), (), speaking(Desk(), accounts=some))[0] == run
    assert accounts.told == ([(ACCOUNT, run.document)] if is_back else [])


@pytest.mark.parametrize("code", [MALFORMED, "ProvisionedThroughputExceededException"])
def test_without_a_ledger_a_thing_is_told_once_an_hour_by_what_it_is_about(code: str) -> None:
    desk, run = Desk(), replace(ended(Ending.UNOBSERVABLE), code=code, problem="it is down")
    assert tell_without_ledger(run, speaking(desk)) == run
    assert desk.asked == [f"{code} {run.document if code == MALFORMED else ''}"]
    (said,) = desk.results
    assert said.problem.startswith("it is down; ")
    assert ("every document of this deployment is meant" in said.problem) is (code != MALFORMED)
    assert said.problem.endswith("told again every hour, and its end is not told")
    assert desk.sent == [Topic.UNSEEN]
    desk.may = False
    assert tell_without_ledger(run, speaking(desk)) == run
    assert len(desk.results) == 1
    assert tell_without_ledger(run, speaking(Desk(lose=True))).alerts_lost == 2


def test_without_a_ledger_a_mistake_costs_the_message_and_not_the_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    raising(1, "find_alerts", monkeypatch)
    assert tell_without_ledger(ended(Ending.UNOBSERVABLE), speaking(Desk())).alerts_lost == 1
    assert "no alert could be sent for this run" in caplog.text


def failed(do: Callable[[], object]) -> Exception:
    try:
        do()
    except Exception as error:  # noqa: BLE001 (whatever it is)
        return error
    raise AssertionError("it does not fail")


def test_what_broke_off_says_where_and_keeps_what_was_lost_before() -> None:
    run = replace(completed(extra()), alerts_lost=3, receipts_lost=2, receipt="r/1")
    error = failed(lambda: int("\x1b[2J"))
    broken = broken_off(run, error)
    at = f"tests/unit/test_telling.py:{error.__traceback__.tb_next.tb_lineno}, <lambda>"  # type: ignore[union-attr]
    assert (broken.bug, broken.code, broken.ending, broken.report) == (at, "ValueError", Ending.UNOBSERVABLE, None)
    assert broken.problem.startswith(f"ValueError in {at}: invalid literal for int() with base 10: ")
    assert "\x1b" not in broken.problem
    assert (broken.alerts_lost, broken.receipts_lost, broken.receipt) == (3, 2, "r/1")
    assert broken_off(run, KeyError("x")).bug == "KeyError"
    assert broken_off(run, ValueError("\x1b[2J")).problem == "ValueError in : \\x1b[2J"
    elsewhere = broken_off(run, failed(lambda: json.loads("")))
    assert elsewhere.bug.split(":")[0].endswith("/json/decoder.py")
    assert elsewhere.bug.endswith(", raw_decode")
