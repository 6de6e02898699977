"""Keys, digests, day sheets and the chain of receipts."""

from __future__ import annotations

import gzip
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.history.receipts import (
    Broken,
    Day,
    Link,
    Remembered,
    Summary,
    chained,
    day_sheet,
    digest,
    due,
    key,
    parse_key,
    prefix,
    sheet_due,
    short_run,
    verified,
    without_twins,
)
from reconciler.history.store import ReceiptError, packed, unpacked
from reconciler.model.exposure import Severity
from reconciler.model.network_state import NetworkState

AT = datetime(2026, 11, 27, 5, 12, 8, tzinfo=UTC)
RUN = "6f2c9a1e-1111-4222-8333-444455556666"
KEY = "receipts/shop/20261127T051208Z.open.critical.r7.w9.6f2c9a1e.json.gz"
SUMMARY = Summary("shop", AT, NetworkState.OPEN, Severity.CRITICAL, 7, 9, "6f2c9a1e")


def drift(**changed: Any) -> dict[str, Any]:
    return {
        "address": "security_group/DBSG",
        "field": "ingress",
        "key": {"protocol": "tcp", "ports": "5432", "source": "0.0.0.0/0"},
        "sign": "remove",
        "want": None,
        "have": {"protocol": "tcp", "ports": "5432", "source": "0.0.0.0/0"},
        "outcome": "held",
        "reason": "too_many_breaks",
        "message": "34 live members",
        **changed,
    }


def receipt(*drifted: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {
        "receipt": 1,
        "run": {"id": RUN, "ending": "completed", "problem": None, "started": "2026-11-27T05:12:08Z", "seconds": 2.5},
        "document": {"name": "shop", "revision": 7, "sha256": "ab" * 32},
        "drifted": list(drifted),
        **changed,
    }


def test_a_key_says_what_the_run_found() -> None:
    assert key(SUMMARY) == KEY
    assert parse_key(KEY) == SUMMARY


def test_a_key_without_a_severity_says_none() -> None:
    calm = Summary("shop", AT, NetworkState.SYNC, None, 7, 0, "6f2c9a1e")
    assert key(calm) == "receipts/shop/20261127T051208Z.sync.none.r7.w0.6f2c9a1e.json.gz"
    assert parse_key(key(calm)) == calm


@settings(max_examples=60)
@given(
    st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True),
    st.datetimes(datetime(2001, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 (bounds are naive)
    st.sampled_from(NetworkState),
    st.none() | st.sampled_from(Severity),
    st.integers(0, 2**53 - 1),
    st.integers(0, 10**9 - 1),
    st.text(),
)
def test_every_key_reads_back_and_holds_closed_vocabularies_only(
    document: str, at: datetime, state: NetworkState, severity: Severity | None, revision: int, writes: int, run: str
) -> None:
    said = Summary(document, at.replace(microsecond=0), state, severity, revision, writes, short_run(run))
    assert parse_key(key(said)) == said
    assert key(said).isascii()


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        KEY[:-3],
        KEY.replace("critical", "grave"),
        KEY.replace("open", "shut"),
        KEY.replace("20261127", "20260231"),
        KEY.replace("shop", "../shop"),
        KEY.replace("shop", "Shop"),
        KEY + "\n",
        KEY.replace("r7", "r٧"),
        KEY.replace("6f2c9a1e", "6F2C9A1E"),
        "x" + KEY,
    ],
)
def test_what_is_no_key_of_a_receipt_says_nothing(wrong: str) -> None:
    assert parse_key(wrong) is None


def test_a_key_that_could_not_be_read_back_is_not_written() -> None:
    with pytest.raises(ValueError, match="another form"):
        key(SUMMARY._replace(document="a/b"))
    with pytest.raises(ValueError, match="another form"):
        key(SUMMARY._replace(run="me"))


def test_keys_sort_by_time_and_the_day_sheet_of_a_run_comes_before_its_receipt() -> None:
    later = key(SUMMARY._replace(at=AT + timedelta(seconds=1), state=NetworkState.DAY))
    sheet = key(SUMMARY._replace(state=NetworkState.DAY))
    assert sorted([later, KEY, sheet]) == [sheet, KEY, later]
    assert prefix("shop") < prefix("shop", AT) < sheet
    assert key(SUMMARY._replace(at=AT - timedelta(seconds=1))) < prefix("shop", AT)


def test_a_run_is_called_by_the_first_digits_of_its_id() -> None:
    assert short_run(RUN) == "6f2c9a1e"
    assert short_run("run-3") == hashlib.sha256(b"run-3").hexdigest()[:8]
    assert short_run("\ud800") == short_run("?")


def test_a_digest_has_no_times_and_no_ids_of_runs() -> None:
    found = digest(receipt(drift()))
    later = receipt(drift(message="another sentence"), started="2026-11-28T00:00:00Z")
    later["run"] |= {"id": "another", "started": "2026-11-28T00:00:00Z", "seconds": 9.0}
    holds = [{"address": "vpc/Main", "since": "2026-11-27T05:12:08Z", "who": "Ops/ann"}]
    assert digest(later) == found
    assert digest(receipt(drift(), holds=holds)) == digest(
        receipt(drift(), holds=[holds[0] | {"since": None, "who": None}])
    )


@pytest.mark.parametrize(
    "other",
    [
        receipt(),
        receipt(drift(), drift(key={"protocol": "tcp", "ports": "22", "source": "0.0.0.0/0"})),
        receipt(drift(address="security_group/WebSG")),
        receipt(drift(field="egress")),
        receipt(drift(have=None)),
        receipt(drift(outcome="blocked")),
        receipt(drift(reason="hold_tag")),
        receipt(drift(), unseen=[{"kind": "db_instance", "why": "AccessDenied"}]),
        receipt(drift(), intents=[{"name": "the database is private", "status": "broken"}]),
        receipt(drift(), holds=[{"address": "vpc/Main", "since": None}]),
        receipt(drift(), unmanaged=[{"address": "subnet/x", "id": "subnet-1"}]),
        receipt(drift(), findings=[{"address": "vpc/Main", "outcome": "blocked", "reason": "ambiguous"}]),
        receipt(drift(), held_as_a_whole="34 live members"),
        receipt(drift(), document={"name": "shop", "revision": 8, "sha256": "cd" * 32}),
        receipt(drift(), run={"ending": "unobservable"}),
        receipt(drift(), pending=[{"address": "db_instance/Main", "field": "class", "now": "a", "accepted": "b"}]),
    ],
)
def test_a_digest_changes_with_whatever_is_found(other: dict[str, Any]) -> None:
    assert digest(other) != digest(receipt(drift()))


def test_a_digest_does_not_depend_on_the_order_of_what_is_found() -> None:
    one, two = drift(), drift(address="security_group/WebSG")
    assert digest(receipt(one, two)) == digest(receipt(two, one))


def test_what_a_run_has_corrected_is_no_news_for_the_next_one() -> None:
    assert digest(receipt(drift(outcome="corrected"))) == digest(receipt())
    gone = {"address": "subnet/Old", "operation": "ec2:DeleteSubnet", "outcome": "corrected"}
    assert digest(receipt(orphaned=[gone])) == digest(receipt())
    assert digest(receipt(orphaned=[gone | {"outcome": "held"}])) != digest(receipt())


def test_why_nothing_could_be_read_is_no_news_but_why_a_document_is_refused_is() -> None:
    def ended(ending: str, problem: str) -> str:
        return digest({"run": {"ending": ending, "problem": problem}, "document": {"name": "shop"}})

    assert ended("unobservable", "AccessDenied") == ended("unobservable", "Throttling")
    assert ended("refused", "revision: 3 is below 7") != ended("refused", "it is not JSON")
    assert ended("refused", "it is not JSON") != ended("deleted", "it is not JSON")


def test_a_receipt_is_due_for_writes_and_for_news_only() -> None:
    assert due(None, "a", 0)
    assert due("a", "b", 0)
    assert due("a", "a", 1)
    assert not due("a", "a", 0)


def test_a_day_sheet_is_due_once_the_day_is_over() -> None:
    assert not sheet_due(None, AT)
    assert not sheet_due(AT, AT.replace(hour=23, minute=59))
    assert sheet_due(AT, datetime(2026, 11, 28, tzinfo=UTC))


def test_a_day_sheet_says_how_often_somebody_looked() -> None:
    midnight = datetime(2026, 11, 28, tzinfo=UTC)
    written = day_sheet(
        "shop",
        Day(AT, 1440, 4, 3600, ((1795770000, 1795773600),)),
        until=midnight,
        state=NetworkState.OPEN,
        severity=Severity.HIGH,
        revision=7,
        run={"id": RUN},
        found="ab",
        of=KEY,
    )
    assert written == {
        "receipt": 1,
        "run": {"id": RUN},
        "document": {"name": "shop", "revision": 7},
        "state": "day",
        "severity": "high",
        "digest": "ab",
        "day": {
            "date": "2026-11-27",
            "since": "2026-11-27T05:12:08Z",
            "until": "2026-11-28T00:00:00Z",
            "state": "open",
            "looks": 1440,
            "unseen": 4,
            "longest_gap": 3600,
            "of": KEY,
            "gaps": [["2026-11-27T09:00:00Z", "2026-11-27T10:00:00Z"]],
        },
    }


def chain(*names: str) -> list[Link]:
    links: list[Link] = []
    for name in names:
        links.append(Link(name, f"sha of {name}", (links[-1].key, links[-1].sha256) if links else None))
    return links


def test_a_receipt_names_the_one_before_and_the_digest_of_its_bytes() -> None:
    assert chained(receipt(), None)["previous"] is None
    assert chained(receipt(), Remembered("a", "b", "c"))["previous"] == {"key": "a", "sha256": "b"}


def test_a_whole_chain_is_whole() -> None:
    assert verified(chain("1", "2", "3")) == []


def test_a_chain_shows_what_is_missing_changed_or_there_twice() -> None:
    one, two, three = chain("1", "2", "3")
    assert verified([one, three]) == [Broken("2", "missing")]
    assert verified([one, two._replace(sha256="another"), three]) == [Broken("2", "changed")]
    assert verified([two, three]) == [Broken("1", "missing")]
    assert verified([two, three], begins=lambda key: key == "1") == []
    twin = Link("1b", "sha of 1b", ("1", "sha of 1"))
    assert verified([one, twin, two, three]) == [Broken("1b", "twin")]


def test_readers_drop_what_one_run_left_twice() -> None:
    again = key(SUMMARY._replace(at=AT + timedelta(minutes=5)))
    sheet = key(SUMMARY._replace(state=NetworkState.DAY))
    assert without_twins([again, KEY, sheet, "receipts/shop/notes.txt"]) == [sheet, KEY]


def test_the_same_receipt_has_the_same_bytes_and_reads_back() -> None:
    written = chained(receipt(drift()), Remembered("a", "b", "c"))
    assert packed(written) == packed(dict(written))
    assert unpacked(packed(written), "here") == written
    assert unpacked(json.dumps(written).encode(), "a file") == written


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "no receipt"),
        (b"not JSON", "no receipt"),
        (b"\xff\xfe", "no receipt"),
        (packed({"receipt": 1})[:-4], "it is cut"),
        (packed({"receipt": 1})[:12], "no receipt"),
        (b"\x1f\x8b" + b"x" * 50, "no receipt"),
        (gzip.compress(b" " * (11 * 1024 * 1024)), "unpacks to more"),
        (b"[" * 100_000, "no receipt"),
        (b"[1]", "has no member"),
        (b'{"receipt": "1"}', "has no member"),
        (b'{"receipt": 2}', "version 2.*newer"),
    ],
)
def test_what_is_no_receipt_is_told_in_one_sentence(data: bytes, problem: str) -> None:
    with pytest.raises(ReceiptError, match=problem) as caught:
        unpacked(data, "r.json.gz")
    assert str(caught.value).startswith("r.json.gz: ")
    assert "\n" not in str(caught.value)
