"""One attempt from the lease to what is stored: its order and its ends, with a run and a version that are given.
The doors' tests let all of them work together.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from desired_state.sources import SourceError
from reconciler.attempt import damaged
from reconciler.attempt import keep as keeping
from reconciler.attempt.given import BUSY_AGAIN, WAITING_AGAIN, Dependencies, Request, Unreachable
from reconciler.attempt.keep import keep
from reconciler.attempt.version import VersionSelection
from reconciler.aws.client import AwsError
from reconciler.engine.observe import ObserveError, VpcNotAllowedError
from reconciler.engine.run import StalePlanError
from reconciler.ledger.item import MalformedItem
from reconciler.ledger.lease import Damage, LeaseHeld
from reconciler.ledger.record import Accepted, DocumentRecord, Rollout, Untold, UntoldMember
from reconciler.ledger.table import LedgerError
from reconciler.model import Cause, Policy, Reason
from reconciler.model.trigger import Source, Trigger, Upload
from reconciler.report.attempt import AttemptResult, Ending
from reconciler.revision.compare import compare
from tests.support.attempts import DAY, NOW, completed
from tests.support.reports import GROUP, document, report

DOCUMENT = document()
MINUTE = timedelta(minutes=1)
V1, V2 = Accepted(6, "a" * 64, "v1"), Accepted(7, "b" * 64, "v2")
UNTOLD = Untold("f" * 16, "drift", "high", "x", "It was.", NOW, (UntoldMember("x"),))
BEFORE = replace(DocumentRecord(), accepted=V1, untold=(UNTOLD,), ids={GROUP: "sg-1"}, looked_at=NOW - DAY)
RUN = completed()
CHANGE = compare(None, DOCUMENT)


@dataclass
class Desk:
    """The ledger, a lease of it, and those whom an attempt asks; whatever is an exception is raised."""

    record: DocumentRecord = BEFORE
    run: Any = RUN
    selected: Any = field(default_factory=lambda: VersionSelection(DOCUMENT, V1))
    taken: Any = None
    tells: Any = None
    damage: Damage | None = None
    left: float = 300.0
    may: bool = True
    blanks: list[tuple[AttemptResult, Request]] = field(default_factory=list)
    told: list[Any] = field(default_factory=list)
    without_ledger: list[AttemptResult] = field(default_factory=list)
    released: list[DocumentRecord] = field(default_factory=list)
    accepted: list[tuple[str, Accepted]] = field(default_factory=list)
    recorders: list[Any] = field(default_factory=list)
    approvals: list[Any] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    lost, document = False, "small"
    accounts = "accounts"

    def take(self, name: str, run_id: str) -> Any:
        return self.made(self.taken or self)

    def made(self, what: Any) -> Any:
        if isinstance(what, Exception):
            raise what
        return what

    def release(self, record: DocumentRecord) -> str:
        self.released.append(record)
        return ""

    def regain(self) -> bool:
        return True

    def accept(self, version: Accepted) -> None:
        self.accepted.append(("stored", version))
        self.record = replace(self.record, accepted=version, rollout=Rollout((V1,)))

    def accepting(self, version: Accepted) -> DocumentRecord:
        self.accepted.append(("not stored", version))
        return replace(self.record, accepted=version)

    def run_version(self, lease: Any, blank: Any, record: Any, declared: Any, given: Any, request: Any) -> Any:
        assert (lease, declared) == (self, DOCUMENT)
        self.blanks.append((blank, request))
        run = self.made(self.run)
        return replace(blank, ending=run.ending, report=run.report), replace(
            record, vpc_id="vpc-1", untold=(), ids={GROUP: "sg-2"}
        )

    def select(self, name: str, documents: Any, accepted: Any, problem: Any, approval: Any) -> VersionSelection:
        self.approvals.append(approval)
        found: VersionSelection = self.made(self.selected)
        return found

    def tell(self, result: Any, record: Any, left: Any, voice: Any) -> Any:
        self.told.append((result, record, left, voice))
        self.made(self.tells)
        return result, replace(record, notified={"told": cast("Any", 1)})

    def may_tell(self, what: str, now: Any) -> bool:
        self.asked.append(what)
        return self.may

    def recorded(self, result: Any, record: Any, before: Any, recorder: Any) -> Any:
        self.recorders.append((before, recorder))
        return result, record


def attempt(desk: Desk, request: Request | None = None, trigger: Trigger | None = None) -> AttemptResult:
    given: dict[str, Any] = dict.fromkeys(Dependencies.__dataclass_fields__)
    given |= {"ledger": desk, "publisher": desk, "repeat": DAY, "run_id": "run-1", "now": lambda: NOW}
    given |= {"policy": Policy(), "seconds_left": lambda: desk.left, "stale": MINUTE, "put_receipt": "put"}

    def blind(result: AttemptResult, voice: Any) -> AttemptResult:
        desk.without_ledger.append(result)
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeping, "run_version", desk.run_version)
        patch.setattr(keeping, "select_version", desk.select)
        patch.setattr(keeping, "tell", desk.tell)
        patch.setattr(keeping, "tell_without_ledger", blind)
        patch.setattr(keeping, "receipts", SimpleNamespace(**vars(keeping.receipts) | {"recorded": desk.recorded}))
        patch.setattr(keeping.announcement, "pending", lambda *asked: CHANGE)
        return keep("small", trigger or Trigger(Source.SCHEDULE), Dependencies(**given), request)


# The lease


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize(
    ("error", "code", "bug"),
    [
        (LedgerError("it could not be taken", "t", "wait", "Throttled"), "Throttled", False),
        (LedgerError("it could not be taken", "t", "wait"), "LedgerError", False),
        (KeyError("a mistake"), "KeyError", True),
    ],
)
def test_without_a_lease_nothing_is_done_and_it_is_told_by_who_may_write(
    error: Exception, code: str, *, bug: bool, write: bool
) -> None:
    desk = Desk(taken=error)
    result = attempt(desk, Request(write=write))
    assert (result.ending, result.code, bool(result.bug)) == (Ending.UNOBSERVABLE, code, bug)
    assert desk.without_ledger == ([result] if write else [])
    assert (desk.blanks, desk.told, desk.released) == ([], [], [])


def test_a_lease_that_another_has_is_waited_for() -> None:
    result = attempt(Desk(taken=LeaseHeld("run \x1b[2J", NOW)))
    assert (result.ending, result.retry_after) == (Ending.LEASE_HELD, BUSY_AGAIN)
    assert result.problem == "another run has the lease until 12:00:00Z: run \\x1b[2J"


@pytest.mark.parametrize(
    ("trigger", "covers", "looked", "ending", "again"),
    [
        (Trigger(Source.CHANGE, sent=NOW - MINUTE), NOW, NOW - DAY, Ending.COVERED, 0),
        (Trigger(Source.CHANGE, sent=NOW), NOW, NOW - DAY, Ending.COMPLETED, 0),
        (Trigger(Source.CHANGE, sent=NOW, only_tags=True), NOW, NOW, Ending.COVERED, 60),
        (Trigger(Source.CHANGE, sent=NOW, only_tags=True), NOW, NOW - MINUTE, Ending.COMPLETED, 0),
    ],
)
def test_what_is_covered_or_may_wait_gives_the_lease_up_at_once(
    trigger: Trigger, covers: Any, looked: Any, ending: Ending, again: int
) -> None:
    desk = Desk(replace(BEFORE, covers=covers, looked_at=looked))
    result = attempt(desk, trigger=trigger)
    assert (result.ending, result.retry_after) == (ending, again)
    assert len(desk.released) == 1
    if ending is Ending.COVERED:
        assert (desk.released, desk.blanks, desk.told) == ([desk.record], [], [])


@pytest.mark.parametrize("write", [True, False])
def test_what_breaks_off_while_it_is_told_is_told_without_the_ledger_and_keeps_the_record(write: bool) -> None:
    desk = Desk(tells=KeyError("a mistake"))
    with pytest.MonkeyPatch.context() as patch:
        if not write:
            patch.setattr(keeping, "_under_lease", lambda *given: desk.made(KeyError("a mistake")))
        result = attempt(desk, Request(write=write))
    assert (result.code, bool(result.bug)) == ("KeyError", True)
    assert desk.without_ledger == ([result] if write else [])
    assert desk.released == [BEFORE]


@pytest.mark.parametrize("answer", ["", "it is another run's", KeyError("a mistake")])
def test_a_lease_that_cannot_be_given_up_costs_no_result(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Desk, "release", lambda self, record: self.made(answer))
        assert attempt(desk).ending is Ending.COMPLETED
    said = [one.getMessage() for one in caplog.records]
    assert said == (
        []
        if answer == ""
        else [f"small: the memory of this run could not be stored: {answer}"]
        if isinstance(answer, str)
        else ["small: the memory of this run could not be written"]
    )


# Telling and storing


def test_what_is_untold_is_told_and_not_forgotten_by_the_run() -> None:
    desk = Desk(left=299.0)
    result = attempt(desk)
    ((told, record, left, voice),) = desk.told
    assert (told, record.untold, left) == (result, (UNTOLD,), (UNTOLD,))
    assert desk.released == [replace(record, notified={"told": 1})]
    assert (voice.ours(), voice.accounts, voice.repeat, voice.now()) == (True, "accounts", DAY, NOW)
    ((before, recorder),) = desk.recorders
    assert (before, recorder.put, recorder.began, recorder.stale) == (BEFORE, "put", NOW, MINUTE)
    assert (recorder.lost, recorder.hurried) == (False, keeping.receipts.HURRIED > 299.0)
    desk = Desk(left=keeping.receipts.HURRIED - 0.1)
    attempt(desk)
    assert desk.recorders[0][1].hurried


def test_a_plan_stores_nothing_and_tells_nobody() -> None:
    desk = Desk()
    assert attempt(desk, Request(write=False)).ending is Ending.COMPLETED
    assert (desk.told, desk.recorders, desk.released) == ([], [], [BEFORE])


BLIND = report(gate=replace(report().gate, unseen=frozenset({GROUP})))


@pytest.mark.parametrize(
    ("run", "request_", "looked"),
    [
        (RUN, Request(), True),
        (RUN, Request(only=frozenset({GROUP})), False),
        (replace(RUN, report=BLIND), Request(), False),
        (ObserveError(Cause(Reason.UNREADABLE, "it is down")), Request(), False),
        (KeyError("a mistake"), Request(), False),
    ],
)
@pytest.mark.parametrize("received", [None, NOW - 2 * MINUTE, NOW])
def test_only_a_look_at_everything_counts_and_by_both_clocks(
    run: Any, request_: Request, received: Any, *, looked: bool
) -> None:
    desk = Desk(replace(BEFORE, covers=NOW - MINUTE), run)
    attempt(desk, request_, Trigger(Source.SCHEDULE, received=received))
    (stored,) = desk.released
    covers = NOW if looked and received == NOW else NOW - MINUTE
    assert (stored.looked_at, stored.covers) == (NOW if looked else NOW - DAY, covers)


# Which version


def selected(*given: Any, **more: Any) -> Desk:
    return Desk(selected=VersionSelection(*given, **more))


def test_a_version_is_accepted_before_the_run_and_only_by_one_that_writes() -> None:
    desk = selected(DOCUMENT, V2, newest="v2")
    upload = Upload("v2", "somebody")
    result = attempt(desk, trigger=Trigger(Source.DOCUMENT, uploads=(Upload("v1", "x"), upload)))
    ((blank, _),) = desk.blanks
    assert desk.accepted == [("stored", V2)]
    assert (blank.version_id, blank.change, blank.rollout, blank.upload) == ("v2", CHANGE, True, upload)
    assert (desk.released[0].accepted, result.version_id) == (V2, "v2")
    for record, request, accepted in (
        (BEFORE, Request(write=False), []),
        (BEFORE, Request(frozen=damaged.NOTHING_IS_CHANGED), [("not stored", V2)]),
        (replace(BEFORE, accepted=None), Request(frozen=damaged.NOTHING_IS_CHANGED), []),
        (replace(BEFORE, accepted=V2), Request(), []),
    ):
        desk = replace(selected(DOCUMENT, V2), record=record)
        attempt(desk, request)
        assert desk.accepted == accepted
    ((blank, _),) = desk.blanks
    assert (blank.rollout, blank.upload) == (False, None)


@pytest.mark.parametrize(
    ("write", "held"), [(True, ""), (True, "the one before"), (False, ""), (False, "the one before")]
)
def test_what_is_held_or_only_planned_is_told_as_that(write: bool, held: str) -> None:
    newest = compare(None, replace(DOCUMENT, name="other"))
    desk = replace(selected(DOCUMENT, V1, change=newest, held=held), record=replace(BEFORE, rollout=Rollout((V1,))))
    attempt(desk, Request(write=write))
    ((blank, _),) = desk.blanks
    assert (blank.change, blank.held, blank.rollout) == (newest if held or not write else CHANGE, held, write)


@pytest.mark.parametrize(
    ("record", "ending"), [(BEFORE, Ending.DELETED), (DocumentRecord(deleted=True), Ending.UNKNOWN)]
)
def test_a_document_without_an_object_was_deleted_or_never_there(record: DocumentRecord, ending: Ending) -> None:
    desk = replace(selected(None, None, deleted=True), record=record)
    result = attempt(desk)
    assert (result.ending, len(desk.told), desk.released[0].deleted) == (ending, ending is Ending.DELETED, True)
    assert "write the name of the object, without .json" in result.problem or ending is Ending.DELETED


def test_what_is_refused_or_held_from_the_first_on_is_enforced_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = selected(None, None, "it is wrong")
    assert (attempt(desk).problem, desk.blanks, desk.released[0].deleted) == ("it is wrong", [], False)
    monkeypatch.setattr("reconciler.report.revision.hold", lambda change: f"it opens much: {change is CHANGE}")
    result = attempt(selected(None, None, change=CHANGE, held="Nothing is enforced."))
    assert (result.ending, result.problem) == (Ending.REFUSED, "it opens much: True\nNothing is enforced.")
    assert attempt(selected(None, None)).problem == ""
    desk = selected(DOCUMENT, V1, "the newest is wrong")
    assert (attempt(desk).refusal, len(desk.blanks)) == ("the newest is wrong", 1)


def test_addresses_that_are_not_declared_are_refused() -> None:
    desk = selected(DOCUMENT, V1, "the newest is wrong")
    result = attempt(desk, Request(only=frozenset({"security_group/Wob"})))
    assert (result.ending, result.refusal, desk.blanks) == (Ending.REFUSED, "the newest is wrong", [])
    assert result.problem.startswith("only: 'security_group/Wob' is not declared in this document; did you mean")


@pytest.mark.parametrize(
    ("error", "ending", "code", "unreachable"),
    [
        (AwsError("DescribeVpcs", "UnauthorizedOperation", "no"), Ending.UNOBSERVABLE, "UnauthorizedOperation", True),
        (ObserveError(Cause(Reason.CREDENTIALS, "no")), Ending.UNOBSERVABLE, "credentials", True),
        (ObserveError(Cause(Reason.AMBIGUOUS, "two")), Ending.UNOBSERVABLE, "ambiguous", False),
        (Unreachable("no role"), Ending.UNOBSERVABLE, "Unreachable", True),
        (LedgerError("it could not be stored", "t", "wait"), Ending.UNOBSERVABLE, "LedgerError", False),
        (VpcNotAllowedError(Cause(Reason.REFUSED, "not this VPC\x1b")), Ending.REFUSED, "", False),
        (StalePlanError("it is another plan\x1b"), Ending.REFUSED, "", False),
        (KeyError("a mistake"), Ending.UNOBSERVABLE, "KeyError", False),
    ],
)
def test_a_run_that_could_not_look_keeps_what_was_known(
    error: Exception, ending: Ending, code: str, *, unreachable: bool
) -> None:
    desk = Desk(run=error)
    result = attempt(desk)
    assert (result.ending, result.code, bool(result.unreachable)) == (ending, code, unreachable)
    assert result.unreachable in {"", DOCUMENT.scope.account_id}
    assert desk.released[0].ids == BEFORE.ids
    assert "\x1b" not in result.problem
    if isinstance(error, StalePlanError):
        assert result.problem.endswith("; nothing was changed: request the plan again and review it")
    waits = ending is Ending.UNOBSERVABLE and not result.bug
    assert result.retry_after == (WAITING_AGAIN if waits else 0)


def test_a_bucket_that_cannot_be_read_tells_so_and_changes_nothing() -> None:
    desk = Desk(selected=SourceError("s3://x", "S3 is slow", "wait"))
    result = attempt(desk)
    assert (result.ending, result.code, desk.released[0].accepted) == (Ending.UNOBSERVABLE, "SourceError", V1)


def test_what_a_person_approves_is_asked_for_and_said() -> None:
    desk = Desk()
    result = attempt(desk, Request(approve_revision="f" * 16, accept_revision=3))
    (approval,) = desk.approvals
    assert (approval.accept_revision, approval.approve_revision, approval.hold_exposures) == (3, "f" * 16, True)
    assert result.approved_by.startswith("not known: Lambda does not say who invoked it")
    assert attempt(Desk()).approved_by == ""
    for record, holds in ((BEFORE, True), (replace(BEFORE, accepted=None), False)):
        desk = Desk(record)
        attempt(desk, Request(frozen=damaged.NOTHING_IS_CHANGED))
        assert desk.approvals[0].hold_exposures is holds


# An item that cannot be read


@pytest.mark.parametrize("attribute", ["accepted", "notified"])
@pytest.mark.parametrize("may", [True, False])
def test_of_a_damaged_item_a_run_looks_and_tells_once_an_hour_where_nobody_knows_what_was_told(
    attribute: str, *, may: bool
) -> None:
    desk = Desk(damage=Damage("ledger", (MalformedItem(attribute, "odd"),)), may=may)
    result = attempt(desk, Request(approve="f" * 16, only=frozenset({GROUP})))
    ((_, request),) = desk.blanks
    assert request == Request(only=frozenset({GROUP}), frozen=damaged.NOTHING_IS_CHANGED)
    assert result.damage.startswith("its item cannot be read")
    hourly = attribute == "notified"
    assert desk.asked == (["MalformedItem small"] if hourly else [])
    assert len(desk.told) == (0 if hourly and not may else 1)
    assert desk.recorders == []
    (stored,) = desk.released
    assert (stored.ids, stored.accepted, stored.untold) == (BEFORE.ids, V1, (UNTOLD,))
    assert bool(stored.notified) is bool(desk.told)
    for _, record, left, voice in desk.told:
        assert (record.untold, left, voice.accounts) == ((UNTOLD,), (UNTOLD,), "accounts")


def test_of_a_damaged_item_the_look_is_remembered_even_where_nobody_may_be_told() -> None:
    for may in (True, False):
        desk = Desk(damage=Damage("ledger", (MalformedItem("notified", "odd"),)), may=may)
        attempt(desk)
        assert desk.released[0].looked_at == NOW
