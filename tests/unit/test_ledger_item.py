"""How a Record lies in an item: nothing is lost, nothing is guessed, nothing grows without bounds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from desired_state.fields import Address
from reconciler.ledger.item import (
    ATTRIBUTES,
    LONGEST_TITLE,
    MOST_FLAPPING,
    MOST_HOLDS,
    MOST_IDS,
    MOST_NOTIFIED,
    MOST_TIMES,
    MalformedItem,
    bounded,
    fence,
    holder,
    read,
    salvaged,
    written,
)
from reconciler.ledger.record import (
    FLAPPING,
    Accepted,
    AcceptedChange,
    DocumentRecord,
    FlappingRecord,
    LastReceipt,
    Notified,
    RecordedActor,
    Rollout,
    Untold,
    UntoldMember,
)
from reconciler.model.trigger import Upload
from tests.support.ledger_table import records

NINE = datetime(2026, 11, 22, 9, tzinfo=UTC)
FULL = DocumentRecord(
    account="123456789012",
    region="ap-northeast-2",
    vpc_id="vpc-0a1b2c3d",
    accepted=Accepted(7, "ab12", "v.7"),
    announced=Accepted(6, "9f01", "v.6"),
    looked_at=NINE,
    covers=NINE,
    deleted=True,
    flapping={
        "security_group/web ingress": FlappingRecord((NINE, NINE + timedelta(minutes=5)), 2, NINE + timedelta(hours=1))
    },
    accepted_changes={
        "0f": AcceptedChange("db_instance/app", "port", "5432", NINE, 2, 1, NINE + timedelta(hours=1), "Invalid")
    },
    notified={
        "f1": Notified("d1", "somebody opened port 22", NINE, NINE + timedelta(hours=2), open=False, severity="high")
    },
    holds={Address("security_group/web"): NINE},
    ids={Address("route_table/private"): "rtb-0a1b2c3d", Address("db_instance/app"): "db-ABC"},
    associations={"subnet/a route_table_association": "rtbassoc-0a1b2c3d"},
    open_since={"0123456789abcdef": NINE},
    untold=(
        Untold(
            "f2",
            "drift",
            "critical",
            "security_group/web ingress",
            "It let the internet in.",
            NINE,
            (UntoldMember("- tcp/22", "n1", None, '{"ports": 22}', compared=True),),
            "ab12",
            "security_group/web",
            "sg-1",
            61,
            RecordedActor("arn:aws:iam::123456789012:user/kim", "AuthorizeSecurityGroupIngress", NINE, "198.51.100.7"),
            "ingress",
            unproved=True,
        ),
    ),
    rollout=Rollout((Accepted(6, "9f01", "v.6"),), ("n2",)),
    state="open",
    severity="critical",
    since=NINE,
    in_sync_since=NINE,
    openings=("tcp 22 from anyone may enter security_group/web.",),
    exposed_since=NINE,
    outcomes={"held": 2, FLAPPING: 1},
    day=NINE,
    looks=1440,
    unseen=4,
    longest_gap=360,
    gaps=((1795338000, 1795341600),),
    receipt=LastReceipt(
        "receipts/shop/20261122T090000Z.day.critical.r7.w0.6f2c9a1e.json.gz",
        "cd34",
        "ef56",
        "receipts/shop/20261121T231502Z.open.critical.r7.w9.19aa0c33.json.gz",
    ),
    uploads=(Upload("v.7", "123456789012", NINE, "198.51.100.7"),),
)
"""A record in which every field has a value other than its default."""


_ACCEPTED = {"address": "db_instance/app", "field": "port", "have": "5432", "at": "2026-11-22T09:00:00Z"}


def values() -> st.SearchStrategy[object]:
    """What DynamoDB may hold, as boto3 reads it."""
    leaves = st.none() | st.booleans() | st.text(max_size=20) | st.binary(max_size=3) | st.sets(st.text(), min_size=1)
    numbers = st.decimals(allow_nan=False, allow_infinity=False)
    words = st.sampled_from(["times", "until", "revision", "digest", "open", "2026-11-22T09:00:00Z", "x"])
    return st.recursive(
        leaves | numbers | words,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=5), inner, max_size=3),
    )


def through_the_wire(plain: dict[str, Any]) -> dict[str, Any]:
    sent = {name: TypeSerializer().serialize(value) for name, value in plain.items()}
    return {name: TypeDeserializer().deserialize(value) for name, value in sent.items()}


def told(title: str = "t", minutes: int = 0, *, open: bool = True, digest: str = "d") -> Notified:  # noqa: A002
    return Notified(digest, title, NINE, NINE + timedelta(minutes=minutes), open)


def test_an_item_can_be_read_by_a_person() -> None:
    assert written(FULL) == {
        "account": "123456789012",
        "region": "ap-northeast-2",
        "vpc_id": "vpc-0a1b2c3d",
        "accepted": {"revision": 7, "sha256": "ab12", "version_id": "v.7"},
        "announced": {"revision": 6, "sha256": "9f01", "version_id": "v.6"},
        "looked_at": "2026-11-22T09:00:00Z",
        "covers": "2026-11-22T09:00:00Z",
        "deleted": True,
        "flapping": {
            "security_group/web ingress": {
                "times": ["2026-11-22T09:00:00Z", "2026-11-22T09:05:00Z"],
                "pauses": 2,
                "until": "2026-11-22T10:00:00Z",
            }
        },
        "accepted_changes": {
            "0f": {
                "address": "db_instance/app",
                "field": "port",
                "have": "5432",
                "at": "2026-11-22T09:00:00Z",
                "tries": 2,
                "pauses": 1,
                "until": "2026-11-22T10:00:00Z",
                "refused": "Invalid",
            }
        },
        "notified": {
            "f1": {
                "digest": "d1",
                "title": "somebody opened port 22",
                "first_seen": "2026-11-22T09:00:00Z",
                "last_alerted": "2026-11-22T11:00:00Z",
                "open": False,
                "severity": "high",
            }
        },
        "holds": {"security_group/web": "2026-11-22T09:00:00Z"},
        "ids": {"route_table/private": "rtb-0a1b2c3d", "db_instance/app": "db-ABC"},
        "associations": {"subnet/a route_table_association": "rtbassoc-0a1b2c3d"},
        "open_since": {"0123456789abcdef": "2026-11-22T09:00:00Z"},
        "untold": [
            {
                "fingerprint": "f2",
                "topic": "drift",
                "severity": "critical",
                "title": "security_group/web ingress",
                "sentence": "It let the internet in.",
                "at": "2026-11-22T09:00:00Z",
                "members": [{"what": "- tcp/22", "name": "n1", "have": '{"ports": 22}', "compared": True}],
                "sha256": "ab12",
                "address": "security_group/web",
                "aws_id": "sg-1",
                "open_for": 61,
                "who": {
                    "who": "arn:aws:iam::123456789012:user/kim",
                    "call": "AuthorizeSecurityGroupIngress",
                    "at": "2026-11-22T09:00:00Z",
                    "source_ip": "198.51.100.7",
                    "user_agent": "",
                    "event_id": "",
                },
                "field": "ingress",
                "unproved": True,
            }
        ],
        "rollout": {"since": [{"revision": 6, "sha256": "9f01", "version_id": "v.6"}], "left": ["n2"]},
        "state": "open",
        "severity": "critical",
        "since": "2026-11-22T09:00:00Z",
        "in_sync_since": "2026-11-22T09:00:00Z",
        "openings": ["tcp 22 from anyone may enter security_group/web."],
        "exposed_since": "2026-11-22T09:00:00Z",
        "outcomes": {"held": 2, "flapping": 1},
        "day": "2026-11-22T09:00:00Z",
        "looks": 1440,
        "unseen": 4,
        "longest_gap": 360,
        "gaps": [[1795338000, 1795341600]],
        "receipt": {
            "key": "receipts/shop/20261122T090000Z.day.critical.r7.w0.6f2c9a1e.json.gz",
            "sha256": "cd34",
            "digest": "ef56",
            "of": "receipts/shop/20261121T231502Z.open.critical.r7.w9.19aa0c33.json.gz",
        },
        "uploads": [
            {"version_id": "v.7", "who": "123456789012", "at": "2026-11-22T09:00:00Z", "source_ip": "198.51.100.7"}
        ],
    }


def test_every_field_comes_back_from_the_wire() -> None:
    back = read(through_the_wire(written(FULL)))
    assert back == FULL
    assert {type(address) for address in (*back.holds, *back.ids)} == {Address}


@given(records())
def test_every_record_comes_back_from_the_wire(record: DocumentRecord) -> None:
    assert read(through_the_wire(written(bounded(record)))) == record


def test_an_item_without_attributes_is_the_record_of_a_first_run() -> None:
    assert read({"document": "a", "owner": "run-1", "expires": Decimal(1), "fence": Decimal(1)}) == DocumentRecord()


def test_an_item_from_before_there_were_announcements_says_nothing_of_them() -> None:
    record = read(through_the_wire({"accepted": {"revision": 7, "sha256": "ab12", "version_id": "v.7"}}))
    assert (record.accepted, record.announced) == (Accepted(7, "ab12", "v.7"), None)
    assert "announced" not in written(record)


def test_an_item_from_before_there_were_receipts_says_nothing_of_them() -> None:
    names = ("state", "severity", "since", "in_sync_since", "openings", "day", "looks", "unseen", "longest_gap")
    new = {*names, "receipt", "outcomes", "exposed_since"}
    old = {name: value for name, value in written(FULL).items() if name not in new}
    record = read(through_the_wire(old))
    assert (record.state, record.day, record.looks, record.openings, record.receipt) == (None, None, 0, (), None)
    assert written(record) == old


def test_what_is_remembered_of_receipts_takes_less_than_a_kilobyte() -> None:
    """The renewal of a lease is charged by the size of the whole item."""
    widest = replace(
        FULL,
        state="differs",
        openings=tuple("tcp 22 from anyone may enter security_group/web. " * 9 for _ in range(9)),
        longest_gap=86_400,
        outcomes=dict.fromkeys(("failed", "blocked", "held", FLAPPING, "waiting"), 1000),
        receipt=LastReceipt(
            f"receipts/{'s' * 63}/20261122T090000Z.differs.critical.r123456789.w1234.6f2c9a1e.json.gz",
            "c" * 64,
            "e" * 64,
        ),
    )
    with_it, without = written(bounded(widest)), written(bounded(DocumentRecord()))
    ours = {
        "state",
        "severity",
        "since",
        "in_sync_since",
        "openings",
        "day",
        "looks",
        "unseen",
        "longest_gap",
        "receipt",
        "outcomes",
        "exposed_since",
    }
    assert without.keys().isdisjoint(ours)
    assert len(json.dumps({name: with_it[name] for name in ours})) < 1024


def test_what_a_newer_version_added_does_not_disturb() -> None:
    item = written(FULL) | {"weather": {"rain": Decimal("0.5")}, "tags": {"a", "b"}}
    item["notified"] = {"f1": item["notified"]["f1"] | {"severity": "high"}}
    assert read(item) == FULL


@pytest.mark.parametrize(
    ("attribute", "value", "path"),
    [
        ("account", Decimal(123456789012), "account"),
        ("account", None, "account"),
        ("accepted", "revision 7", "accepted"),
        ("accepted", None, "accepted"),
        ("looked_at", None, "looked_at"),
        ("accepted", {}, "accepted.revision"),
        ("accepted", {"revision": "7", "sha256": "", "version_id": ""}, "accepted.revision"),
        ("accepted", {"revision": Decimal("7.5"), "sha256": "", "version_id": ""}, "accepted.revision"),
        ("accepted", {"a", "b"}, "accepted"),
        ("accepted", b"\x00", "accepted"),
        ("looked_at", "yesterday", "looked_at"),
        ("looked_at", "2026-11-22T09:00:00", "looked_at"),
        ("looked_at", Decimal(1795338000), "looked_at"),
        ("deleted", "true", "deleted"),
        ("deleted", Decimal(0), "deleted"),
        ("flapping", [], "flapping"),
        ("flapping", {"x": {"times": ["9:00"]}}, "flapping.x.times.0"),
        ("flapping", {"x": {"times": ["2026-11-22T09:00:00"]}}, "flapping.x.times"),
        ("flapping", {"x": {"until": "2026-11-22T09:00:00"}}, "flapping.x.until"),
        ("flapping", {"x": {"pauses": "many"}}, "flapping.x.pauses"),
        ("accepted_changes", {"x": {**_ACCEPTED, "at": "2026-11-22T09:00:00"}}, "accepted_changes.x.at"),
        ("accepted_changes", {"x": {**_ACCEPTED, "until": "2026-11-22T09:00:00"}}, "accepted_changes.x.until"),
        ("notified", {"f1": "notified"}, "notified.f1"),
        ("notified", {"\x1b[2J": {}}, "notified.\\x1b[2J.digest"),
        ("holds", {"vpc/a": True}, "holds.vpc/a"),
        ("holds", {"vpc/a": "2026-11-22T09:00:00"}, "holds.vpc/a"),
        ("ids", None, "ids"),
        ("ids", ["vpc/a"], "ids"),
        ("ids", {"vpc/a": Decimal(1)}, "ids.vpc/a"),
        ("ids", {"vpc/a": None}, "ids.vpc/a"),
        ("state", Decimal(1), "state"),
        ("severity", None, "severity"),
        ("since", "2026-11-22T09:00:00", "since"),
        ("in_sync_since", "always", "in_sync_since"),
        ("outcomes", {"held": -1}, "outcomes.held"),
        ("exposed_since", "yesterday", "exposed_since"),
        ("openings", "tcp 22", "openings"),
        ("openings", [None], "openings.0"),
        ("day", "2026-11-22T09:00:00", "day"),
        ("looks", Decimal(-1), "looks"),
        ("unseen", "4", "unseen"),
        ("longest_gap", Decimal("0.5"), "longest_gap"),
        ("receipt", {"key": "k", "sha256": "s"}, "receipt.digest"),
    ],
)
def test_an_attribute_that_somebody_broke_is_named_and_never_taken_for_an_empty_one(
    attribute: str, value: object, path: str
) -> None:
    with pytest.raises(MalformedItem) as caught:
        read(written(FULL) | {attribute: value})
    assert caught.value.attribute == path
    assert caught.value.hint


def test_the_hint_says_what_it_costs_to_remove_the_accepted_version() -> None:
    with pytest.raises(MalformedItem) as caught:
        read({"accepted": {}})
    assert caught.value.hint == (
        "write revision (number), sha256 and version_id (text), or remove it: the next version that loads is then "
        "accepted, whatever its revision"
    )


def test_a_holder_has_a_name_and_an_end() -> None:
    assert holder({"owner": "run-1", "expires": Decimal("1795338000.5")}, NINE) == (
        "run-1",
        datetime(2026, 11, 22, 9, 0, 0, 500_000, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("item", "attribute"),
    [
        ({"owner": Decimal(3), "expires": Decimal(1795338000)}, "owner"),
        ({"owner": "run-1", "expires": "2026-11-22T09:00:00Z"}, "expires"),
        ({"owner": "run-1", "expires": None}, "expires"),
        ({"owner": "run-1", "expires": Decimal(1795338000000)}, "expires"),
        ({"owner": "run-1", "expires": Decimal(-1)}, "expires"),
        ({"owner": "run-1", "expires": Decimal("1E+120")}, "expires"),
    ],
)
def test_a_lease_that_nobody_could_ever_get_past_is_named(item: dict[str, Any], attribute: str) -> None:
    with pytest.raises(MalformedItem, match=attribute) as caught:
        holder(item, NINE)
    assert caught.value.hint == "remove owner and expires, once no run is under way"


@pytest.mark.parametrize("value", [None, "7", True])
def test_a_fence_is_a_number(value: object) -> None:
    with pytest.raises(MalformedItem, match="fence"):
        fence({"fence": value})


def test_the_newest_flapping_records_are_kept() -> None:
    many = {f"drift {n}": FlappingRecord((NINE + timedelta(minutes=n),)) for n in range(MOST_FLAPPING + 3)}
    paused = {
        "paused": FlappingRecord((NINE - timedelta(days=1),), 4, NINE + timedelta(days=1)),
        "empty": FlappingRecord(),
    }
    kept = bounded(DocumentRecord(flapping=paused | many)).flapping
    assert len(kept) == MOST_FLAPPING
    assert set(paused | many) - set(kept) == {"empty", "drift 0", "drift 1", "drift 2", "drift 3"}


def test_the_newest_corrections_of_a_flapping_record_are_kept() -> None:
    times = tuple(NINE + timedelta(seconds=n) for n in range(MOST_TIMES + 2))
    assert bounded(DocumentRecord(flapping={"x": FlappingRecord(times, 1)})).flapping == {
        "x": FlappingRecord(times[2:], 1)
    }


def test_settled_alerts_are_forgotten_before_open_ones() -> None:
    settled = {f"settled {n}": told(minutes=1000 + n, open=False) for n in range(3)}
    still = {f"open {n}": told(minutes=n) for n in range(MOST_NOTIFIED - 1)}
    kept = bounded(DocumentRecord(notified=settled | still)).notified
    assert len(kept) == MOST_NOTIFIED
    assert set(settled | still) - set(kept) == {"settled 0", "settled 1"}


def test_the_oldest_open_alerts_are_forgotten_next() -> None:
    still = {f"open {n}": told(minutes=n) for n in range(MOST_NOTIFIED + 2)}
    assert set(still) - set(bounded(DocumentRecord(notified=still)).notified) == {"open 0", "open 1"}


def test_the_newest_holds_are_kept() -> None:
    holds = {Address(f"vpc/{n}"): NINE + timedelta(seconds=n) for n in range(MOST_HOLDS + 1)}
    kept = bounded(DocumentRecord(holds=holds)).holds
    assert set(holds) - set(kept) == {Address("vpc/0")}


def test_the_first_ids_are_kept() -> None:
    """They come in the order in which they are needed."""
    ids = {Address(f"vpc/{n}"): f"vpc-{n}" for n in reversed(range(MOST_IDS + 2))}
    kept = bounded(DocumentRecord(ids=ids)).ids
    assert set(ids) - set(kept) == {Address("vpc/0"), Address("vpc/1")}
    assert list(kept) == list(ids)[:MOST_IDS]


def test_an_id_too_long_for_an_item_costs_itself_its_place_and_no_other() -> None:
    ids = {Address("vpc/a"): "x" * 70_000, Address("vpc/b"): "vpc-1"}
    assert bounded(DocumentRecord(ids=ids)).ids == {Address("vpc/b"): "vpc-1"}


def test_the_hint_says_what_it_costs_to_remove_an_id() -> None:
    with pytest.raises(MalformedItem) as caught:
        read({"ids": {"vpc/a": Decimal(1)}})
    assert caught.value.hint == (
        "write the resource's id as text, or remove the entry: what the next run finds is then taken for it"
    )


def test_a_long_title_is_cut() -> None:
    assert bounded(DocumentRecord(notified={"f": told("x" * 5000)})).notified["f"].title == "x" * LONGEST_TITLE


def test_a_monstrous_name_costs_itself_its_place_and_no_other() -> None:
    record = DocumentRecord(
        notified={"m" * 100_000: told(minutes=9), "f": told(), "": told(), "g": told(digest="d" * 70_000)}
    )
    assert list(bounded(record).notified) == ["f"]


def test_half_a_surrogate_pair_cannot_spoil_the_item() -> None:
    kept = bounded(
        DocumentRecord(
            notified={"\ud800": told("a\udfffb")},
            holds={Address("vpc/\ud800"): NINE},
            ids={Address("\ud800"): "\ud800"},
        )
    )
    assert kept.notified == {"?": told("a?b")}
    assert kept.holds == {Address("vpc/?"): NINE}
    assert kept.ids == {Address("?"): "?"}


def test_the_fullest_item_stays_below_the_limit_of_dynamodb() -> None:
    wide = "\N{FIRE}" * 100
    record = DocumentRecord(
        flapping={f"{n} {wide}": FlappingRecord((NINE,) * 500, 9, NINE) for n in range(2000)},
        accepted_changes={f"{n}": AcceptedChange(wide, wide, wide * 9, NINE) for n in range(2000)},
        notified={f"{n} {wide}": told(wide * 9, n) for n in range(2000)},
        holds={Address(f"{n} {wide}"): NINE for n in range(2000)},
        ids={Address(f"{n} {wide}"): wide for n in range(2000)},
        untold=tuple(late(f"{n} {wide}", wide * 9) for n in range(500)),
        rollout=Rollout((Accepted(1, wide, wide),) * 20, tuple(f"{n:016x}" for n in range(1000))),
    )
    item = written(bounded(record))
    assert size(item) < 400_000
    assert min(len(item[name]) for name in ("flapping", "notified", "holds", "ids")) > 20
    assert sum(len(one["members"]) for one in item["untold"]) > 200


def late(name: str, text: str) -> Untold:
    member = UntoldMember(text, name[:16], text, text, compared=True)
    return Untold(
        name, "drift", "high", text, text, NINE, (member,), "ab" * 32, name, "sg-1", 9, RecordedActor(text, text, NINE)
    )


def test_what_must_be_told_of_500_resources_finds_room_and_the_most_severe_keeps_its_words() -> None:
    """Each with a name as long as AWS allows, and one rule that nobody declared."""
    many = tuple(
        replace(late(f"{n:016x}", f"security_group/{'g' * 60}-{n} ingress"), severity="critical" if n < 9 else "low")
        for n in range(500)
    )
    kept = bounded(DocumentRecord(untold=many)).untold
    assert kept[:9] == many[:9]
    assert {one.name for untold in kept for one in untold.members} == {f"{n:016x}" for n in range(500)}


def size(value: object) -> int:
    """DynamoDB developer guide, "Item sizes and formats"."""
    match value:
        case dict():
            return 3 + sum(len(key.encode()) + 1 + size(one) for key, one in value.items())
        case list():
            return 3 + sum(1 + size(one) for one in value)
        case str():
            return len(value.encode())
        case bool():
            return 1
        case int():
            return 21
        case _:
            raise AssertionError(value)


@given(st.sampled_from(ATTRIBUTES), values())
def test_whatever_somebody_writes_into_an_attribute_is_read_or_named(attribute: str, value: object) -> None:
    found = named(written(FULL) | {attribute: value})
    if isinstance(found, DocumentRecord):
        assert replace(found, **{attribute: getattr(FULL, attribute)}) == FULL
    else:
        assert found.startswith(attribute)


def named(item: dict[str, Any]) -> DocumentRecord | str:
    try:
        return read(item)
    except MalformedItem as error:
        return error.attribute


def damages(value: Any) -> Iterator[Any]:
    """Every way to damage one value of an item: another type, nothing, a member gone or null, at every depth."""
    yield from (None, "", "alien", Decimal("-0.5"), [], [None], {}, {"alien": Decimal(7)}, b"bytes", {"a"})
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        if isinstance(value, dict):
            yield {name: one for name, one in value.items() if name != key}
        for odd in damages(inner):
            copy = dict(value) if isinstance(value, dict) else list(value)
            copy[key] = odd
            yield copy


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_whatever_is_wrong_with_an_attribute_all_others_are_salvaged(attribute: str) -> None:
    whole = through_the_wire(written(FULL))
    named_at = 0
    for odd in damages(whole[attribute]):
        found, problems = salvaged(whole | {attribute: odd})
        assert {one.name for one in problems} <= {attribute}, odd
        assert len(problems) <= 1, odd
        assert all(one.hint for one in problems)
        assert replace(found, **{attribute: getattr(FULL, attribute)}) == FULL, odd
        if problems:
            named_at += 1
            assert getattr(found, attribute) == getattr(DocumentRecord(), attribute), odd
    assert named_at


def test_several_attributes_that_cannot_be_read_are_all_named() -> None:
    found, problems = salvaged(written(FULL) | {"ids": [], "looks": "many", "covers": None})
    assert {one.name for one in problems} == {"ids", "looks", "covers"}
    assert (found.ids, found.looks, found.covers, found.accepted) == ({}, 0, None, FULL.accepted)
    assert salvaged({"fence": Decimal(1), "newer": {"than": "this"}}) == (DocumentRecord(), ())
