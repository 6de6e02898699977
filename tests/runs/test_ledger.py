"""The ledger on an emulated DynamoDB: turns are taken, nobody overwrites anybody, a table in trouble is no answer."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desired_state.fields import Address
from lab.strict_aws import StrictAws, laboratory
from reconciler.ledger.item import MOST_NOTIFIED
from reconciler.ledger.lease import GRACE, LONGEST, TERM, Lease, LeaseHeld, Ledger
from reconciler.ledger.record import NONE_ANNOUNCED, Accepted, DocumentRecord, FlappingRecord, Notified, Rollout, Untold
from reconciler.ledger.table import LedgerError
from tests.support.ledger_table import create_table, records
from tests.support.runs import MORNING, Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ACCOUNT = "123456789012"
REGION = "ap-northeast-2"
TABLE = "ledger"
FULL = DocumentRecord(
    account=ACCOUNT,
    region=REGION,
    vpc_id="vpc-0a1b2c3d",
    accepted=Accepted(7, "ab12", "v.7"),
    looked_at=MORNING,
    flapping={"security_group/web ingress": FlappingRecord((MORNING,), 2, MORNING + timedelta(hours=1))},
    notified={"f1": Notified("d1", "somebody opened port 22", MORNING, MORNING, open=False)},
    holds={Address("security_group/web"): MORNING},
)
UNTOLD = (Untold("f2", "drift", "critical", "security_group/web ingress", "It let the internet in.", MORNING),)


@dataclass
class Desk:
    """An empty table, two clients of the ledger's, and a clock that stands still until it is told."""

    lab: StrictAws
    client: DynamoDBClient
    plain: DynamoDBClient
    """Straight to moto, and past the faults: the laboratory's errors have a code and a message, but not the Item."""
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.client, TABLE, now=self.clock.now)
        self.other = Ledger(self.plain, TABLE, now=self.clock.now)

    def take(self, owner: str = "run-1", document: str = "web") -> Lease:
        return lease(self.ledger.take(document, owner))

    def item(self, document: str = "web") -> dict[str, Any]:
        found = self.plain.get_item(TableName=TABLE, Key={"document": {"S": document}}, ConsistentRead=True)
        return dict(found.get("Item", {}))

    def put(self, document: str = "web", **attributes: Any) -> None:
        self.plain.put_item(TableName=TABLE, Item={"document": {"S": document}, **attributes})

    def edit(self, name: str, value: dict[str, Any]) -> None:
        """What somebody does in the console."""
        self.plain.update_item(
            TableName=TABLE,
            Key={"document": {"S": "web"}},
            UpdateExpression="SET #a = :a",
            ExpressionAttributeNames={"#a": name},
            ExpressionAttributeValues={":a": value},
        )

    def sent(self) -> list[str]:
        return [call.operation for call in self.lab.calls]

    def later(self, time: timedelta) -> None:
        self.clock.sleep(time.total_seconds())


def lease(found: Lease | LeaseHeld) -> Lease:
    assert isinstance(found, Lease), found
    return found


@pytest.fixture(scope="module")
def _lab() -> Iterator[tuple[StrictAws, Any, Any]]:
    with laboratory() as lab:
        lab.keep_past = False
        yield lab, lab.session().client("dynamodb"), boto3.client("dynamodb", region_name=lab.region)


@pytest.fixture
def desk(_lab: tuple[StrictAws, Any, Any]) -> Iterator[Desk]:
    lab, client, plain = _lab
    create_table(plain, TABLE)
    lab.faults.clear()
    lab.calls.clear()
    yield Desk(lab, client, plain)
    lab.faults.clear()
    plain.delete_table(TableName=TABLE)


# The turn


def test_the_first_take_of_a_document_gives_an_empty_record_by_one_call(desk: Desk) -> None:
    first = desk.take()
    assert (first.document, first.owner, int(first.fence), first.record) == ("web", "run-1", 1, DocumentRecord())
    assert desk.sent() == ["UpdateItem"]
    assert desk.item() == {
        "document": {"S": "web"},
        "owner": {"S": "run-1"},
        "expires": {"N": "1795338120.000"},
        "fence": {"N": "1"},
    }


def test_a_calm_run_costs_two_calls_and_the_next_one_finds_what_it_remembered(desk: Desk) -> None:
    assert desk.take().release(FULL) == ""
    assert desk.sent() == ["UpdateItem", "UpdateItem"]
    assert {"owner", "expires"} & set(desk.item()) == set()
    second = desk.take("run-2")
    assert (int(second.fence), second.record) == (2, FULL)


def test_a_second_taker_is_told_who_has_the_lease_and_until_when(desk: Desk) -> None:
    desk.take()
    before = desk.item()
    assert desk.other.take("web", "run-2") == LeaseHeld("run-1", datetime(2026, 11, 22, 9, 2, tzinfo=UTC))
    assert desk.item() == before


def test_a_taken_lease_is_taken_also_where_the_answer_does_not_name_the_holder(desk: Desk) -> None:
    desk.lab.faults.fail("UpdateItem", "ConditionalCheckFailedException")
    assert desk.ledger.take("web", "run-2") == LeaseHeld("an unknown run", MORNING + TERM)


def test_leases_of_two_documents_do_not_meet(desk: Desk) -> None:
    assert [int(desk.take(run, name).fence) for run, name in (("run-1", "web"), ("run-2", "db"))] == [1, 1]


def test_every_take_raises_the_fence(desk: Desk) -> None:
    fences = []
    for number in range(3):
        taken = desk.take(f"run-{number}")
        fences.append(taken.fence)
        assert taken.release(DocumentRecord()) == ""
    assert fences == [1, 2, 3]


@pytest.mark.parametrize("after_end", [timedelta(0), GRACE - timedelta(seconds=1), GRACE])
def test_an_expired_lease_is_left_alone_while_two_clocks_may_differ(desk: Desk, after_end: timedelta) -> None:
    desk.take()
    desk.later(TERM + after_end)
    assert isinstance(desk.other.take("web", "run-2"), LeaseHeld)


def test_an_expired_lease_is_free_after_the_grace_with_all_that_was_remembered(desk: Desk) -> None:
    assert desk.take().release(FULL) == ""
    desk.take("run-2")
    desk.later(TERM + GRACE + timedelta(seconds=1))
    third = desk.take("run-3")
    assert (int(third.fence), third.record) == (3, FULL)


def test_a_confirmed_lease_lasts_another_term(desk: Desk) -> None:
    held = desk.take()
    for _ in range(4):
        desk.later(TERM - timedelta(seconds=1))
        assert held.confirm() == ""
        assert isinstance(desk.other.take("web", "run-2"), LeaseHeld)
    assert desk.sent() == ["UpdateItem"] * 5


def test_the_term_is_what_the_ledger_was_given(desk: Desk) -> None:
    short = Ledger(desk.client, TABLE, now=desk.clock.now, term=timedelta(seconds=5))
    held = lease(short.take("web", "run-1"))
    desk.later(timedelta(seconds=5))
    assert "it has run out" in lease_of(desk, held).confirm()


def lease_of(desk: Desk, held: Lease) -> Lease:
    """The same lease, over the client that passes on who has the lease."""
    held._table._client = desk.plain
    return held


# A holder that was held up


def test_a_delayed_holder_writes_nothing_after_its_lease_ran_out_although_nobody_took_it(desk: Desk) -> None:
    held = lease_of(desk, desk.take())
    before = desk.item()
    desk.later(TERM)
    assert held.confirm() == ("the lease of web was lost: it has run out (table ledger): the next run continues")
    assert desk.item() == before


def test_what_a_run_learnt_is_kept_after_its_term_if_nobody_has_taken_the_lease(desk: Desk) -> None:
    held = desk.take()
    desk.later(TERM)
    assert "it has run out" in held.confirm()
    assert held.release(FULL) == ""
    assert "was given up" in held.confirm()
    assert desk.take("run-2").record == FULL


def test_a_delayed_holder_does_not_overwrite_what_another_does(desk: Desk) -> None:
    held = lease_of(desk, desk.take())
    desk.later(TERM + GRACE + timedelta(seconds=1))
    other = desk.take("run-2")
    before = desk.item()
    assert held.confirm() == ("the lease of web was lost: run-2 has taken it (table ledger): the next run continues")
    assert "run-2 has taken it" in held.release(replace(FULL, region="us-east-1"))
    with pytest.raises(LedgerError, match="run-2 has taken it"):
        held.accept(Accepted(9, "", ""))
    assert desk.item() == before
    assert other.confirm() == ""


def test_a_delayed_holder_does_not_overwrite_what_another_has_remembered(desk: Desk) -> None:
    held = desk.take()
    desk.later(TERM + GRACE + timedelta(seconds=1))
    assert desk.take("run-2").release(FULL) == ""
    assert "was lost" in held.release(DocumentRecord())
    assert desk.take("run-3").record == FULL


def test_a_lost_lease_stays_lost_and_costs_no_further_call(desk: Desk) -> None:
    held = desk.take()
    desk.later(TERM)
    reason = held.confirm()
    desk.clock.at = MORNING
    desk.lab.calls.clear()
    assert reason
    assert held.confirm() == reason
    with pytest.raises(LedgerError):
        held.accept(Accepted(9, "", ""))
    assert desk.sent() == []


def test_a_confirmation_that_took_longer_than_a_term_allows_nothing(desk: Desk) -> None:
    held = desk.take()
    desk.lab.after_write = lambda call: desk.later(TERM)
    reason = held.confirm()
    desk.lab.after_write = None
    assert "ran out while it was being confirmed" in reason


def test_after_the_release_nothing_may_be_done_any_more(desk: Desk) -> None:
    held = desk.take()
    assert held.release(FULL) == ""
    assert held.confirm() == "the lease of web was given up (table ledger): the next run continues"
    assert held.release(DocumentRecord()) == held.confirm()
    assert desk.take("run-2").record == FULL


def test_a_lease_that_somebody_took_away_by_hand_is_lost_and_what_was_learnt_is_not(desk: Desk) -> None:
    held = lease_of(desk, desk.take())
    desk.put(fence={"N": "1"})
    assert "it is no longer ours" in held.confirm()
    assert held.release(FULL) == ""
    assert desk.take("run-2").record == FULL


def test_of_two_takes_under_one_name_only_the_later_holds(desk: Desk) -> None:
    first, second = lease_of(desk, desk.take()), desk.take()
    assert "it was taken again under the same name" in first.confirm()
    assert "it was taken again under the same name" in first.release(FULL)
    assert (int(second.fence), second.confirm()) == (2, "")


def test_an_item_that_somebody_deleted_is_not_made_anew_by_a_holder(desk: Desk) -> None:
    held = desk.take()
    desk.plain.delete_item(TableName=TABLE, Key={"document": {"S": "web"}})
    assert "was lost" in held.release(FULL)
    assert desk.item() == {}


WORKERS = 3
OPERATIONS = st.tuples(st.sampled_from(["take", "confirm", "release"]), st.integers(0, WORKERS - 1))
WAITS = st.sampled_from([0.0, 1.0, TERM.total_seconds() - 1, TERM.total_seconds(), TERM.total_seconds() + 11])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    skews=st.lists(st.floats(-5, 5), min_size=WORKERS, max_size=WORKERS),
    story=st.lists(st.tuples(OPERATIONS, WAITS), min_size=4, max_size=12),
)
def test_whatever_happens_only_one_may_write_at_a_time_and_the_last_record_is_the_one_found(
    desk: Desk, skews: list[float], story: list[tuple[tuple[str, int], float]]
) -> None:
    """Three workers whose clocks differ by up to the grace; `writes` says until when each may write, in true time."""
    desk.plain.delete_item(TableName=TABLE, Key={"document": {"S": "web"}})
    clock, held, writes, remembered = Clock(), dict[int, Lease](), dict[int, datetime](), DocumentRecord()
    ledgers = [
        Ledger(desk.plain, TABLE, now=lambda skew=skew: clock.now() + timedelta(seconds=skew))  # type: ignore[misc]
        for skew in skews
    ]
    for turn, ((operation, worker), wait) in enumerate(story):
        mine = held.get(worker)
        if operation == "take":
            found = ledgers[worker].take("web", f"run-{turn}")
            if isinstance(found, Lease):
                assert found.record == remembered
                assert all(clock.now() >= until for until in writes.values()), (writes, clock)
                held[worker], writes[worker] = found, clock.now() + TERM
        elif mine and operation == "confirm" and mine.confirm() == "":
            assert mine.fence == max(one.fence for one in held.values())
            writes[worker] = clock.now() + TERM
        elif mine and operation == "release" and mine.release(DocumentRecord(account=str(turn))) == "":
            assert mine.fence == max(one.fence for one in held.values())
            remembered = DocumentRecord(account=str(turn))
            writes.pop(worker)
        clock.sleep(wait)


# What is remembered


def test_an_accepted_version_is_remembered_at_once_and_as_not_announced(desk: Desk) -> None:
    held = desk.take()
    held.accept(Accepted(8, "cd34", "v.8"))
    assert held.record.accepted == Accepted(8, "cd34", "v.8")
    desk.later(TERM + GRACE + timedelta(seconds=1))
    first = desk.take("run-2")
    accepted = DocumentRecord(accepted=Accepted(8, "cd34", "v.8"), announced=NONE_ANNOUNCED)
    assert first.record == replace(accepted, rollout=Rollout((NONE_ANNOUNCED,)))
    first.release(replace(first.record, announced=Accepted(8, "cd34", "v.8")))
    desk.take("run-3").accept(Accepted(9, "ef56", "v.9"))
    desk.later(TERM + GRACE + timedelta(seconds=1))
    later = desk.take("run-4").record
    assert (later.accepted, later.announced) == (Accepted(9, "ef56", "v.9"), Accepted(8, "cd34", "v.8"))


def test_a_version_is_rolled_out_from_every_one_that_the_network_may_still_be_at(desk: Desk) -> None:
    one, two, three = (Accepted(number, "ab12" * number, f"v.{number}") for number in (1, 2, 3))
    desk.take().release(DocumentRecord(accepted=one))
    held = desk.take("run-2")
    held.accept(replace(one, version_id="uploaded again"))
    assert held.record.rollout is None
    held.accept(two)
    held.accept(three)
    assert held.record.rollout == Rollout((replace(one, version_id="uploaded again"), two))


def test_what_was_accepted_before_there_were_announcements_counts_as_announced(desk: Desk) -> None:
    held = desk.take()
    assert held.release(DocumentRecord(accepted=Accepted(8, "cd34", "v.8"))) == ""
    assert desk.take("run-2").record.announced is None
    desk.later(TERM + GRACE + timedelta(seconds=1))
    again = desk.take("run-3")
    again.accept(Accepted(9, "ef56", "v.9"))
    assert again.record.announced == Accepted(8, "cd34", "v.8")


def test_an_accepted_version_is_not_remembered_under_an_expired_lease(desk: Desk) -> None:
    held = desk.take()
    desk.later(TERM)
    with pytest.raises(LedgerError, match="was lost"):
        held.accept(Accepted(8, "cd34", "v.8"))
    assert "accepted" not in desk.item()
    assert "was lost" in held.confirm()


def test_what_is_no_longer_so_is_forgotten(desk: Desk) -> None:
    assert desk.take().release(FULL) == ""
    assert desk.take("run-2").release(replace(FULL, accepted=None, looked_at=None, flapping={})) == ""
    assert desk.take("run-3").record == replace(FULL, accepted=None, looked_at=None, flapping={})


def test_what_a_newer_version_has_written_beside_is_left_alone(desk: Desk) -> None:
    assert desk.take().release(FULL) == ""
    desk.edit("weather", {"M": {"rain": {"N": "3"}}})
    held = desk.take("run-2")
    assert held.confirm() == ""
    assert held.release(held.record) == ""
    assert desk.item()["weather"] == {"M": {"rain": {"N": "3"}}}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(record=records())
def test_every_record_comes_back_from_the_table(desk: Desk, record: DocumentRecord) -> None:
    assert desk.take().release(record) == ""
    back = desk.take("run-2")
    assert back.record == record
    assert back.release(DocumentRecord()) == ""


def test_a_record_that_is_too_large_is_stored_without_what_is_oldest_and_that_is_logged(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    told = {f"f{n}": Notified("d", "t", MORNING, MORNING + timedelta(minutes=n)) for n in range(MOST_NOTIFIED + 2)}
    with caplog.at_level(logging.WARNING):
        assert desk.take(document="we\nb").release(DocumentRecord(notified=told)) == ""
    assert set(told) - set(desk.take("run-2", "we\nb").record.notified) == {"f0", "f1"}
    assert caplog.messages == ["we\\nb: 2 of 202 notified are too many to be remembered"]


# Answers that are lost


def test_a_take_whose_answer_was_lost_gets_its_own_lease(desk: Desk) -> None:
    desk.lab.faults.lose_answer("UpdateItem")
    held = desk.take()
    assert (held.owner, int(held.fence)) == ("run-1", 2)
    assert held.confirm() == ""
    assert desk.sent() == ["UpdateItem"] * 3


def test_a_take_whose_answers_are_all_lost_is_an_error_and_another_waits_for_its_end(desk: Desk) -> None:
    desk.lab.faults.lose_answer("UpdateItem", times=2)
    with pytest.raises(LedgerError, match=r"could not be taken: .*\(table ledger\): the next run tries again"):
        desk.ledger.take("web", "run-1")
    assert desk.other.take("web", "run-2") == LeaseHeld("run-1", MORNING + TERM)


def test_a_confirmation_whose_answer_was_lost_allows_nothing_and_the_end_is_still_remembered(desk: Desk) -> None:
    held = desk.take()
    desk.lab.faults.lose_answer("UpdateItem")
    reason = held.confirm()
    assert "could not be confirmed" in reason
    assert held.confirm() == reason
    assert desk.sent() == ["UpdateItem"] * 2
    assert held.release(FULL) == ""
    assert desk.take("run-2").record == FULL


def test_what_may_have_been_stored_although_the_answer_was_lost_is_stored_anew(desk: Desk) -> None:
    """A release stores what has changed, and of this nobody knows whether it has."""
    held = desk.take()
    held.note(UNTOLD)
    desk.lab.faults.lose_answer("UpdateItem")
    held.confirm()
    assert "untold" in desk.item()
    assert held.record.untold == ()
    assert held.release(held.record) == ""
    assert "untold" not in desk.item()


def test_a_release_says_only_what_has_changed(desk: Desk) -> None:
    assert desk.take().release(replace(FULL, untold=UNTOLD)) == ""
    assert desk.take("run-2").release(replace(FULL, looks=2)) == ""
    sent = desk.lab.calls[-1].params
    assert sent["UpdateExpression"] == "SET #looks = :looks REMOVE #owner, #expires, #untold"
    assert desk.take("run-3").record == replace(FULL, looks=2)


def test_a_release_whose_answer_was_lost_is_found_to_be_done(desk: Desk) -> None:
    held = desk.take()
    desk.lab.faults.lose_answer("UpdateItem")
    assert held.release(FULL) == ""
    assert desk.sent() == ["UpdateItem"] * 3
    second = desk.take("run-2")
    assert (int(second.fence), second.record) == (2, FULL)


def test_a_release_that_was_lost_and_overtaken_does_not_write_a_second_time(desk: Desk) -> None:
    held = desk.take()

    def overtake(call: object) -> None:
        desk.lab.after_write = None
        assert lease(desk.other.take("web", "run-2")).release(replace(FULL, region="us-east-1")) == ""

    desk.lab.faults.lose_answer("UpdateItem")
    desk.lab.after_write = overtake
    assert "was lost" in held.release(FULL)
    assert desk.take("run-3").record.region == "us-east-1"


def test_an_accepted_version_whose_answer_was_lost_is_remembered_once(desk: Desk) -> None:
    held = desk.take()
    desk.lab.faults.lose_answer("UpdateItem")
    held.accept(Accepted(8, "cd34", "v.8"))
    assert held.release(held.record) == ""
    assert desk.take("run-2").record.accepted == Accepted(8, "cd34", "v.8")


# A table in trouble

TROUBLES = [
    ("ProvisionedThroughputExceededException", "the next run tries again; if this persists, check that DynamoDB"),
    ("ThrottlingException", "the next run tries again"),
    ("AccessDeniedException", "allow dynamodb:UpdateItem and dynamodb:Scan on it to this role"),
    ("ResourceNotFoundException", "create it in this region, or name the right one in SETPOINT_TABLE"),
    ("ExpiredTokenException", "the next run tries again"),
]


@pytest.mark.parametrize(("code", "hint"), TROUBLES)
def test_a_table_in_trouble_gives_no_lease(desk: Desk, code: str, hint: str) -> None:
    desk.lab.faults.fail("UpdateItem", code)
    with pytest.raises(LedgerError) as caught:
        desk.ledger.take("web", "run-1")
    assert caught.value.what.startswith("the lease of web could not be taken: An error occurred")
    assert code in caught.value.what
    assert caught.value.table == "ledger"
    assert caught.value.hint.startswith(hint)
    assert desk.sent() == ["UpdateItem"]
    assert desk.item() == {}


@pytest.mark.parametrize(("code", "hint"), TROUBLES)
def test_a_table_in_trouble_confirms_nothing(desk: Desk, code: str, hint: str) -> None:
    held = desk.take()
    desk.lab.faults.fail("UpdateItem", code)
    reason = held.confirm()
    assert code in reason
    assert hint in reason
    assert held.confirm() == reason
    assert desk.sent() == ["UpdateItem"] * 2


@pytest.mark.parametrize(("code", "hint"), TROUBLES)
def test_a_table_in_trouble_remembers_nothing_and_says_so(desk: Desk, code: str, hint: str) -> None:
    held = desk.take()
    desk.lab.faults.fail("UpdateItem", code, times=2)
    with pytest.raises(LedgerError, match=code):
        held.accept(Accepted(8, "", ""))
    assert held.record == DocumentRecord()
    problem = held.release(FULL)
    assert "could not be given up, and nothing was remembered" in problem
    assert hint in problem
    assert "account" not in desk.item()
    assert held.release(FULL) == ""


def test_an_error_of_dynamodb_itself_is_tried_once_more(desk: Desk) -> None:
    desk.lab.faults.fail("UpdateItem", "InternalError")
    assert desk.take().fence == 1
    assert desk.sent() == ["UpdateItem"] * 2


def test_a_table_that_is_not_there_is_named(desk: Desk) -> None:
    with pytest.raises(LedgerError, match=r"ResourceNotFoundException.*\(table elsewhere\): create it"):
        Ledger(desk.client, "elsewhere", now=desk.clock.now).take("web", "run-1")
    with pytest.raises(LedgerError, match=r"ResourceNotFoundException.*\(table elsewhere\): create it"):
        Ledger(desk.client, "elsewhere", now=desk.clock.now).looks()


# An item that somebody edited


@pytest.mark.parametrize(
    ("attribute", "value", "problem"),
    [
        ("accepted", {"S": "revision 7"}, "its item cannot be read, at accepted: Input should be an object"),
        ("accepted", {"NULL": True}, "its item cannot be read, at accepted: it is null"),
        ("notified", {"L": []}, "its item cannot be read, at notified: Input should be an object"),
        ("looked_at", {"S": "2026-11-22T09:00:00"}, "its item cannot be read, at looked_at: a time without an offset"),
        ("deleted", {"SS": ["a"]}, "its item cannot be read, at deleted: Input should be a valid boolean"),
    ],
)
def test_an_item_that_cannot_be_read_is_named_and_nothing_of_it_is_written_over(
    desk: Desk, attribute: str, value: dict[str, Any], problem: str
) -> None:
    assert desk.take().release(FULL) == ""
    desk.edit(attribute, value)
    before = desk.item()
    held = desk.take("run-2")
    assert held.damage is not None
    assert problem in str(held.damage)
    assert "(table " in str(held.damage)
    left = replace(FULL, **{attribute: getattr(DocumentRecord(), attribute)})
    assert held.record == left
    assert held.release(replace(left, **{attribute: getattr(FULL, attribute)}, looks=77)) == ""
    after = desk.item()
    assert {"owner", "expires"} & set(after) == set()
    assert after[attribute] == value
    assert {name for name in after.keys() | before.keys() if after.get(name) != before.get(name)} == {"fence", "looks"}


def test_a_fence_between_two_numbers_is_one_that_grows(desk: Desk) -> None:
    desk.put(fence={"N": "1.5"})
    held = desk.take()
    assert (held.damage, held.confirm()) == (None, "")
    assert held.release(FULL) == ""
    assert desk.item()["fence"] == {"N": "2.5"}


@pytest.mark.parametrize("owner", [{"S": "run-1"}, {"N": "5"}, {"BOOL": True}])
@pytest.mark.parametrize(
    "expires",
    [
        *({"N": end} for end in ("1795338120000", "9" * 38, "1E+100", "-5", "0")),
        *({"S": "tomorrow"}, {"NULL": True}, {"M": {}}, {"L": [{"N": "1"}]}),
    ],
)
def test_a_lease_that_no_invocation_can_have_is_taken_over(
    desk: Desk, owner: dict[str, Any], expires: dict[str, Any]
) -> None:
    desk.put(owner=owner, expires=expires, fence={"N": "1"})
    taken = desk.take("run-2")
    assert (taken.owner, int(taken.fence)) == ("run-2", 2)
    assert taken.confirm() == ""


def test_no_lease_is_honoured_longer_than_the_longest_invocation(desk: Desk) -> None:
    """Whatever end somebody writes into the item, and whatever else its owner is said to be."""
    for ahead in range(-100, 1200, 50):
        end = desk.clock.now() + timedelta(seconds=ahead)
        desk.put(owner={"N": "5"}, expires={"N": f"{end.timestamp():.3f}"}, fence={"N": "1"})
        waits = -GRACE.total_seconds() <= ahead <= LONGEST.total_seconds()
        assert isinstance(desk.other.take("web", "run-2"), LeaseHeld) == waits, ahead


@pytest.mark.parametrize("left", [{"owner": {"S": "run-1"}}, {"expires": {"N": "9999999999"}}])
def test_half_a_lease_is_nobodys(desk: Desk, left: dict[str, Any]) -> None:
    desk.put(fence={"N": "4"}, **left)
    assert desk.take("run-2").fence == 5


@pytest.mark.parametrize("fence", [{"S": "four"}, {"BOOL": True}, {"L": []}, {"NULL": True}])
def test_a_fence_that_is_no_number_is_begun_anew_above_every_number_that_it_had(
    desk: Desk, fence: dict[str, Any]
) -> None:
    before = desk.take("run-0")
    desk.put(fence=fence)
    taken = desk.take("run-1")
    assert taken.fence == int(desk.clock.now().timestamp() * 1000)
    assert isinstance(desk.other.take("web", "run-2"), LeaseHeld)
    assert "was lost" in before.confirm()
    assert taken.release(taken.record) == ""
    assert desk.take("run-3").fence == taken.fence + 1


# Which documents there are


def remember(desk: Desk, document: str, **how: Any) -> None:
    assert desk.take("run-0", document).release(replace(FULL, **how)) == ""


def test_the_documents_of_an_account_are_those_whose_last_run_was_there(desk: Desk) -> None:
    remember(desk, "web")
    remember(desk, "db")
    remember(desk, "gone", deleted=True)
    remember(desk, "elsewhere", account="111122223333")
    remember(desk, "far", region="us-east-1")
    desk.take("run-1", "new")
    desk.lab.calls.clear()
    assert desk.ledger.documents(ACCOUNT, REGION) == ("db", "web")
    assert desk.ledger.documents("111122223333", REGION) == ("elsewhere",)
    assert desk.ledger.documents(ACCOUNT, "eu-west-1") == ()
    assert tuple(sorted(desk.ledger.looks())) == ("db", "elsewhere", "far", "new", "web")
    assert [call.params["ConsistentRead"] for call in desk.lab.calls] == [True] * 4


def test_a_document_whose_deletion_cannot_be_read_is_still_listed(desk: Desk) -> None:
    desk.put(deleted={"S": "true"})
    assert tuple(sorted(desk.ledger.looks())) == ("web",)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of a Scan ends at 1 MB, also where the filter leaves nothing of it; here it ends at 300 bytes."""
    monkeypatch.setattr("moto.dynamodb.models.table.RESULT_SIZE_LIMIT", 300)


@pytest.mark.usefixtures("small_pages")
def test_all_pages_are_read(desk: Desk) -> None:
    for number in range(12):
        desk.put(f"web-{number:02}", account={"S": ACCOUNT}, region={"S": REGION}, deleted={"BOOL": number % 4 != 0})
    desk.put("zz", padding={"S": "x" * 200})
    assert desk.ledger.documents(ACCOUNT, REGION) == ("web-00", "web-04", "web-08")
    assert len(desk.sent()) > 2
    assert tuple(sorted(desk.ledger.looks())) == ("web-00", "web-04", "web-08", "zz")


@pytest.mark.usefixtures("small_pages")
def test_half_a_list_is_no_answer(desk: Desk) -> None:
    for number in range(6):
        desk.put(f"web-{number}", padding={"S": "x" * 100})

    def throttle(**_: object) -> None:
        desk.lab.faults.throttle("Scan", code="ThrottlingException")

    desk.client.meta.events.register("after-call.dynamodb.Scan", throttle)
    try:
        with pytest.raises(LedgerError, match=r"the documents could not be listed: .*ThrottlingException"):
            tuple(sorted(desk.ledger.looks()))
    finally:
        desk.client.meta.events.unregister("after-call.dynamodb.Scan", throttle)
    assert [call.error for call in desk.lab.calls] == [None, "ThrottlingException"]


@pytest.mark.parametrize("lost", [True, False])
def test_a_list_that_does_not_come_is_an_error_and_not_an_empty_one(desk: Desk, lost: bool) -> None:
    if lost:
        desk.lab.faults.lose_answer("Scan")
    else:
        desk.lab.faults.refuse("Scan", code="AccessDeniedException")
    with pytest.raises(LedgerError, match="the documents of an account could not be listed"):
        desk.ledger.documents(ACCOUNT, REGION)


# Names that mean harm


@pytest.mark.parametrize(
    "name",
    [
        "#owner",
        ":me OR attribute_exists(#owner)",
        "x' = 'x",
        "../../etc/passwd",
        "\x1b[2J\nweb",
        "\u202ebew",
        "owner",
        "\N{FIRE}" * 100,
        "{0.__class__}",
        "%s%n",
    ],
)
def test_a_name_is_only_ever_a_value(desk: Desk, name: str) -> None:
    held = desk.take(name, name)
    assert desk.other.take(name, "run-2") == LeaseHeld(name, MORNING + TERM)
    record = DocumentRecord(
        account=name,
        region=name,
        accepted=Accepted(1, name, name),
        flapping={name: FlappingRecord()},
        notified={name: Notified(name, name, MORNING, MORNING)},
        holds={Address(name): MORNING},
    )
    assert held.confirm() == ""
    assert held.release(record) == ""
    assert desk.ledger.documents(name, name) == (name,)
    assert desk.take("run-3", name).record == record


def test_a_name_in_an_error_can_do_nothing_to_a_terminal(desk: Desk) -> None:
    desk.lab.faults.fail("UpdateItem", "ThrottlingException")
    with pytest.raises(LedgerError) as caught:
        desk.ledger.take("\x1b[2J\nweb", "run-1")
    assert str(caught.value).startswith("the lease of \\x1b[2J\\nweb could not be taken")
    assert str(caught.value).isprintable()


def test_a_name_that_is_too_long_for_a_key_is_refused(desk: Desk) -> None:
    with pytest.raises(LedgerError, match="its key must be"):
        desk.ledger.take("x" * 2049, "run-1")
