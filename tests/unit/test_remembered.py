"""What the memory says of hold tags and of what may be deleted: whose, since when, and where."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from desired_state.fields import Address
from reconciler.attempt import holding, identities
from reconciler.cloudtrail.attribution import Drifted
from reconciler.engine.gate import Gate
from reconciler.engine.result import Report
from reconciler.ledger.record import DocumentRecord
from reconciler.model import HOLD_TAG, Cause, Finding, Outcome, Reason, Unmanaged
from reconciler.model.trigger import Actor
from tests.support.reports import GROUP, NOW, VPC, document, report

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
KIM = Actor("arn:aws:iam::123456789012:user/kim", "CreateTags", NOW)


# Hold tags


def held(*reasons: Reason) -> Report:
    findings = tuple(Finding(GROUP, Outcome.HELD, Cause(reason, "held")) for reason in reasons)
    return report(gate=Gate({}, {}, None, findings), ids={GROUP: "sg-1"}, started=NOW)


@pytest.mark.parametrize("reason", [Reason.HOLD_TAG, Reason.INVALID_HOLD_TAG])
def test_a_tag_is_known_since_the_first_look_that_saw_it_valid_or_not(reason: Reason) -> None:
    assert holding.hold_tags(held(reason), DocumentRecord())[GROUP].since == NOW
    assert holding.hold_tags(held(reason), DocumentRecord(holds={GROUP: NOW - DAY}))[GROUP].since == NOW - DAY
    assert holding.hold_tags(held(Reason.FLAPPING), DocumentRecord()) == {}


@pytest.mark.parametrize(
    ("record", "since"),
    [
        (DocumentRecord(looked_at=NOW - HOUR), NOW - HOUR),
        (DocumentRecord(), NOW - DAY),
        (DocumentRecord(looked_at=NOW - HOUR, holds={GROUP: NOW - 2 * HOUR}), NOW - 2 * HOUR - DAY),
    ],
)
def test_who_set_it_is_searched_for_since_the_look_before_or_a_day_before_it_was_seen(
    record: DocumentRecord, since: datetime
) -> None:
    asked: list[tuple[tuple[Drifted, ...], datetime]] = []

    def look_up(drifts: tuple[Drifted, ...], earliest: datetime) -> dict[Address, Actor]:
        asked.append((drifts, earliest))
        return {GROUP: KIM}

    seen = held(Reason.HOLD_TAG)
    tags = holding.hold_tags(seen, record)
    assert holding.with_who(tags, (), seen, record, look_up) == tags
    assert asked == []
    assert holding.with_who(tags, {GROUP}, seen, record, look_up)[GROUP].who == KIM
    (((one,), earliest),) = asked
    assert (one.address, one.id, earliest) == (GROUP, "sg-1", since)
    assert [(each.field, each.key) for each in one.differing] == [("tags", HOLD_TAG)]


def test_of_two_tags_the_search_begins_with_the_earlier() -> None:
    findings = tuple(Finding(at, Outcome.HELD, Cause(Reason.HOLD_TAG, "held")) for at in (GROUP, VPC))
    seen = report(gate=Gate({}, {}, None, findings), started=NOW)
    record = DocumentRecord(looked_at=NOW - HOUR, holds={VPC: NOW - 3 * DAY})
    asked: list[datetime] = []

    def look_up(drifts: tuple[Drifted, ...], earliest: datetime) -> dict[Address, Actor]:
        asked.append(earliest)
        return {}

    holding.with_who(holding.hold_tags(seen, record), {GROUP, VPC}, seen, record, look_up)
    assert asked == [NOW - 4 * DAY]


# What may be deleted

OLD = Address("security_group/Old")
KNOWN = DocumentRecord(
    account="123456789012", region="ap-northeast-2", vpc_id="vpc-1", ids={OLD: "sg-old", GROUP: "sg-1", VPC: "vpc-1"}
)


def scoped(**scope: Any) -> Any:
    return replace(document(), scope=document().scope.model_copy(update=scope))


@pytest.mark.parametrize(
    ("scope", "known"),
    [
        ({}, True),
        ({"vpc_id": "vpc-1"}, True),
        ({"vpc_id": "vpc-2"}, False),
        ({"account_id": "999999999999"}, False),
        ({"region": "eu-west-1"}, False),
    ],
)
def test_only_what_was_declared_in_the_same_place_is_known(scope: dict[str, str], *, known: bool) -> None:
    ids = frozenset(KNOWN.ids.values())
    assert identities.had(KNOWN, scoped(**scope)) == (ids if known else frozenset())
    assert bool(identities.known(KNOWN, scoped(**scope))) is known


def test_what_is_declared_no_more_is_remembered_as_long_as_it_may_be_there() -> None:
    def left(*unmanaged: Unmanaged, unseen: bool = False, scope: Any = None) -> dict[Address, str]:
        gate = Gate({}, {}, None, (), unseen=frozenset({GROUP} if unseen else ()))
        return dict(identities.left(KNOWN, report(gate=gate, unmanaged=unmanaged, document=scope or document())))

    there = Unmanaged(OLD, "sg-old", owned=True)
    assert left(there) == {OLD: "sg-old"}
    assert left() == {}
    assert left(replace(there, owned=False)) == {}
    assert left(unseen=True) == {OLD: "sg-old"}
    assert left(there, scope=scoped(region="eu-west-1")) == {}


@pytest.mark.parametrize(
    ("record", "scope", "expected"),
    [
        (KNOWN, {}, "vpc-1"),
        (replace(KNOWN, vpc_id=""), {}, "vpc-1"),
        (replace(KNOWN, vpc_id="vpc-0", ids={}), {}, "vpc-0"),
        (replace(KNOWN, vpc_id="", ids={}), {}, ""),
        (KNOWN, {"account_id": "999999999999"}, ""),
        (KNOWN, {"region": "eu-west-1"}, ""),
        (DocumentRecord(), {}, ""),
    ],
)
def test_which_vpc_a_document_was_in_force_in(record: DocumentRecord, scope: dict[str, str], expected: str) -> None:
    """Where it never was, building it waits for nobody."""
    assert identities.vpc_of(record, scoped(**scope)) == expected
