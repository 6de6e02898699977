"""An account that cannot be reached is one message, however many documents it has, and its return is another."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.ledger.accounts import Accounts
from reconciler.ledger.table import LedgerError, Table
from tests.support.doors import NAME, TABLE, Doors, object_event

OTHERS = [f"other-{number}" for number in range(3)]


@pytest.fixture
def many(doors: Doors) -> Doors:
    """A stack with four documents of one account, of which only the first has been looked after."""

    def only_told(written: dict[str, Any], name: str) -> None:
        written |= {"name": name, "enforcement": "report"}

    for name in OTHERS:
        doors.upload(lambda written, name=name: only_told(written, name), name=name)  # type: ignore[misc]
    doors.lab.faults.refuse("DescribeVpcs", code="UnauthorizedOperation")
    return doors


def about_account(doors: Doors) -> list[str]:
    return [one["Subject"] for one in doors.alerts() if "account 123456789012" in one["Subject"]]


def round_of(doors: Doors, names: list[str]) -> None:
    for name in names:
        assert doors.work(object_event(name=name)) == ()
    doors.clock.sleep(300)


def test_it_is_told_once_and_so_is_its_return(many: Doors) -> None:
    for _ in range(2):
        round_of(many, [NAME, *OTHERS])
    (told,) = many.others()
    assert told["Subject"].startswith("Setpoint high: account 123456789012 could not be read")
    assert "told once for all documents" in told["Message"]
    many.lab.faults.clear()
    round_of(many, [*OTHERS, NAME])
    lost, back = about_account(many)
    assert back.startswith("Setpoint resolved")
    many.lab.faults.refuse("DescribeVpcs", code="UnauthorizedOperation")
    round_of(many, [*OTHERS, NAME])
    assert about_account(many) == [lost, back, lost.replace(NAME, OTHERS[0])]


def test_when_the_one_that_told_it_is_silent_another_takes_its_place(many: Doors) -> None:
    round_of(many, [NAME, *OTHERS])
    many.delete()
    round_of(many, OTHERS)
    assert len(about_account(many)) == 1
    many.clock.sleep(3600)
    round_of(many, OTHERS)
    assert len(about_account(many)) == 2


def test_a_message_that_was_lost_is_sent_again(many: Doors) -> None:
    many.lab.faults.refuse("Publish", code="InternalError")
    round_of(many, [NAME, *OTHERS])
    many.lab.faults.clear()
    many.lab.faults.refuse("DescribeVpcs", code="UnauthorizedOperation")
    assert not about_account(many)
    round_of(many, [*OTHERS, NAME])
    assert len(about_account(many)) == 1


def test_without_the_table_it_is_told_rather_twice_than_not(many: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Down(Table):
        def update(self, what: str, document: str, *_: Any, **__: Any) -> Any:
            asked.append(document)
            raise LedgerError(what, self.name, "wait")

    monkeypatch.setattr(many.stack.ledger, "accounts", Accounts(Down(many.hands.client("dynamodb"), TABLE)))
    names = [NAME, OTHERS[0]]
    round_of(many, names)
    assert asked == ["account#123456789012"] * len(names)
    assert len(about_account(many)) == len(names)
    many.lab.faults.clear()
    round_of(many, [NAME])
    assert about_account(many)[-1].startswith("Setpoint resolved")


def test_what_is_remembered_of_an_account_is_no_document(many: Doors) -> None:
    round_of(many, [NAME, *OTHERS])
    items = many.hands.client("dynamodb").scan(TableName=TABLE)["Items"]
    assert "account#123456789012" in {one["document"]["S"] for one in items}
    ledger = many.stack.ledger
    assert set(ledger.looks()) == {NAME, *OTHERS}
    assert {one["document"] for one in ledger.at_a_glance()} == {NAME, *OTHERS}
    assert "account#123456789012" not in ledger.documents("123456789012", many.lab.region)
