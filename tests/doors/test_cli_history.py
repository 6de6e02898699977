"""`setpoint history` over a bucket of receipts: what it tells, what it opens, and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from handlers import history_source
from handlers.ending import ERROR, IN_SYNC
from reconciler.history.store import packed
from reconciler.ledger.record import DocumentRecord, LastReceipt
from tests.doors.conftest import Setpoint
from tests.support.receipt_bucket import BUCKET, Bucket, bucket_of_receipts
from tests.support.recorded import at, five_days, receipt, rule


@pytest.fixture(scope="module")
def _bucket() -> Iterator[Bucket]:
    with bucket_of_receipts() as bucket:
        yield bucket


@pytest.fixture
def bucket(_bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    return _bucket.emptied(monkeypatch)


def test_the_history_is_told_as_it_was(bucket: Bucket, setpoint: Setpoint) -> None:
    bucket.keep(*five_days())
    ran = setpoint("history", "shop")
    assert (ran.code, ran.err) == (IN_SYNC, "")
    told, *rows, hint = (re.sub(r" {3,}", "  ", line) for line in ran.out.splitlines())
    assert told.split("; ") == [
        "shop, 123456789012, eu-central-1: as declared for 24.9 % of 5 days",
        "2 episodes",
        "the longest 3 d 18 h",
        "1 time in which nothing is known",
        "stood open at most 2 min 3 s in all",
        "1,440 looks, 0 saw nothing, longest gap 1 h",
    ]
    assert [row.strip().split("  ") for row in rows] == [
        ["22 Nov 02:00", "1 h", "-", "-", "nobody looked", "-", "nothing is known of this time"],
        [
            "21 Nov 06:00",
            "now 3 d 18 h",
            "MEDIUM",
            "r7",
            "vpc/MyVPC enable_dns_support: false instead of true",
            "-",
            "held: the plan takes away 34 live members",
            "0badcafe",
        ],
        [
            "20 Nov 04:10",
            "2 min 3 s",
            "CRITICAL",
            "r7",
            "security_group/DBSG ingress: tcp 5432 from 0.0.0.0/0",
            "Reporting/metabase",
            "corrected, 1 call",
            "6f2c9a1e",
        ],
    ]
    assert hint == "Times are UTC. Receipt of a run: setpoint receipt shop 0badcafe -o html"


def test_it_lists_once_and_opens_only_what_tells_more_than_its_key(bucket: Bucket, setpoint: Setpoint) -> None:
    bucket.keep(*five_days(), receipt(at(119), run="ca1fca1f"))
    assert setpoint("history", "shop").code == IN_SYNC
    assert (bucket.count("ListObjectsV2"), bucket.count("GetObject")) == (1, 7)


def test_as_json_it_has_the_strip_and_every_figure(bucket: Bucket, setpoint: Setpoint) -> None:
    bucket.keep(*five_days())
    told = setpoint("history", "shop", "-o", "json").report()
    assert [(one["from"][8:16], one["state"]) for one in told["segments"]] == [
        ("20T00:00", "sync"),
        ("20T04:10", "open"),
        ("20T04:12", "sync"),
        ("21T06:00", "differs"),
        ("22T02:00", "unseen"),
        ("22T03:00", "differs"),
    ]
    assert (told["days"], told["looks"], told["longest_gap_s"], told["open_s"]) == (5, 1440, 3600, 123)
    assert told["findings"] == []


def test_an_address_that_the_document_does_not_have_is_refused(bucket: Bucket, setpoint: Setpoint) -> None:
    bucket.keep(receipt(at(1), first=True, network={"declared": {"security_group/web": {}}}))
    wrong = setpoint("history", "shop", "--only", "security_group/wbe")
    assert (wrong.code, wrong.out) == (ERROR, "")
    assert "'security_group/wbe' is not declared in the document shop; " in wrong.err
    assert "security_group/web" in wrong.err.partition("; ")[2]
    assert setpoint("history", "shop", "--only", "security_group/web").code == IN_SYNC


def test_only_some_of_it(bucket: Bucket, setpoint: Setpoint) -> None:
    bucket.keep(*five_days())

    def shown(*words: str) -> list[str]:
        return [one["text"] for one in setpoint("history", "shop", "-o", "json", *words).report()["episodes"]]

    assert shown("--only", "vpc/MyVPC") == ["enable_dns_support: false instead of true"]
    assert shown("--open") == ["ingress: tcp 5432 from 0.0.0.0/0"]
    assert shown("--since", "2026-11-22T01:00") == [
        "nobody looked",
        "enable_dns_support: false instead of true",
    ]


@pytest.mark.parametrize("given", ["0d", "30", "yesterday", "2027-01-01", "99999w"])
def test_a_time_that_is_none_is_refused(given: str, bucket: Bucket, setpoint: Setpoint) -> None:
    ran = setpoint("history", "shop", "--since", given)
    assert (ran.code, ran.out) == (ERROR, "")
    assert ran.err.startswith(f"--since: '{given}' is not valid; write how long ago")


def test_a_document_without_receipts_is_no_calm_document(bucket: Bucket, setpoint: Setpoint) -> None:
    ran = setpoint("history", "shop")
    assert (ran.code, ran.out) == (ERROR, "")
    assert ran.err == (
        "'shop' has no receipts in the bucket 'setpoint-receipts'; check the name of the document, and whether a run "
        "has looked at it since receipts are kept\n"
    )


def test_without_a_bucket_it_says_how_to_name_one(
    bucket: Bucket, setpoint: Setpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SETPOINT_RECEIPTS")
    ran = setpoint("history", "shop")
    assert (ran.code, "--stack" in ran.err, len(ran.err.splitlines())) == (ERROR, True, 1)
    bucket.keep(*five_days())
    assert setpoint("history", "shop", "--receipts", BUCKET).code == IN_SYNC


def changed(content: dict[str, Any]) -> bytes:
    """A receipt of which somebody has changed who it was."""
    return packed(content | {"actors": {}})


DAMAGE: dict[str, tuple[Callable[[dict[str, Any]], bytes], str]] = {
    "no JSON": (lambda content: b"<html>", "it is no receipt"),
    "empty": (lambda content: b"", "it is no receipt"),
    "cut": (lambda content: packed(content)[:-20], "it is no receipt: "),
    "a list": (lambda content: packed([content]), "it is no receipt"),  # type: ignore[arg-type]
    "half a surrogate": (lambda content: b'{"receipt": 1, "state": "\\ud800"}', "it is no receipt"),
    "of a newer version": (lambda content: packed(content | {"receipt": 2}), "it is of version 2"),
    "another state": (lambda content: packed(content | {"state": "sync"}), "it was tampered with: the state is 'sync'"),
    "another severity": (lambda content: packed(content | {"severity": "low"}), "it was tampered with: the severity"),
    "a member of another form": (lambda content: packed(content | {"drifted": [1]}), "it is no receipt: drifted.0"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_receipt_that_cannot_be_trusted_is_refused_in_one_sentence(
    damage: str, bucket: Bucket, setpoint: Setpoint
) -> None:
    make, problem = DAMAGE[damage]
    contents = five_days()
    held = bucket.keep(*contents)[3]
    bucket.replace(held, make(contents[3]))
    ran = setpoint("history", "shop")
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (ERROR, "", 1)
    assert ran.err.startswith(f"{held}: {problem}"), ran.err
    told = setpoint("history", "shop", "-o", "json").report()
    assert told["error"]["kind"] == "receipt"


def test_a_whole_chain_is_said_to_be_whole(bucket: Bucket, setpoint: Setpoint) -> None:
    bucket.keep(*five_days())
    ran = setpoint("history", "shop", "--verify")
    assert ran.code == IN_SYNC
    assert (
        ran.out.splitlines()[-1]
        == "The chain is whole. 8 receipts read, each compared with what the next one saw of it."
    )


def test_a_changed_receipt_shows(bucket: Bucket, setpoint: Setpoint) -> None:
    contents = five_days()
    keys = bucket.keep(*contents)
    bucket.replace(keys[1], changed(contents[1]))
    ran = setpoint("history", "shop", "--verify")
    assert ran.code == ERROR
    assert ran.out.splitlines()[-2:] == [
        f"The receipt {keys[1]} was changed.",
        "The chain is broken. 8 receipts read, each compared with what the next one saw of it.",
    ]


def test_a_missing_receipt_shows(bucket: Bucket, setpoint: Setpoint) -> None:
    keys = bucket.keep(*five_days())
    bucket.s3.delete_object(Bucket=BUCKET, Key=keys[1])
    told = setpoint("history", "shop", "--verify", "-o", "json")
    assert told.code == ERROR
    assert told.report()["chain"] == {"whole": False, "read": 7, "broken": [{"key": keys[1], "what": "missing"}]}


def test_every_receipt_that_is_none_any_more_shows(bucket: Bucket, setpoint: Setpoint) -> None:
    keys = bucket.keep(*five_days())
    for key in (keys[3], keys[-1]):
        bucket.replace(key, b"<html>")
    ran = setpoint("history", "shop", "--verify")
    assert (ran.code, len(ran.err.splitlines())) == (ERROR, 1)
    assert ran.out.splitlines()[:2] == [f"The receipt {key} was changed." for key in (keys[3], keys[-1])]


def test_a_twin_is_no_sign_of_tampering(bucket: Bucket, setpoint: Setpoint) -> None:
    first, corrected, *rest = five_days()
    bucket.keep(first, corrected)
    keys = bucket.keep(first, *rest)
    ran = setpoint("history", "shop", "--verify")
    assert ran.code == IN_SYNC, ran.out
    assert any("ended before it was remembered" in line for line in ran.out.splitlines())
    assert len(keys) == 7


def test_other_peoples_words_are_inert(bucket: Bucket, setpoint: Setpoint) -> None:
    hostile = "\u202e<script>alert(1)</script>\x1b[31m" + "a" * 5000
    held = receipt(at(2), rule(address=f"security_group/{hostile}", outcome="held", message=hostile))
    who = {f"security_group/{hostile}": {"who": hostile, "at": None}}
    bucket.keep(receipt(at(0), first=True), held | {"actors": who})
    for form in ("text", "json"):
        ran = setpoint("history", "shop", "-o", form)
        assert ran.code == IN_SYNC
        assert all(line.isprintable() for line in ran.out.splitlines())
        assert len(ran.out) < 8000


def test_it_is_a_page_too(bucket: Bucket, setpoint: Setpoint) -> None:
    bucket.keep(*five_days())
    ran = setpoint("history", "shop", "-o", "html")
    assert (ran.code, ran.err) == (IN_SYNC, "")
    assert ran.out.startswith("<!doctype html>")
    assert ">Something differs</h1>" in ran.out
    for state in ("sync", "open", "differs", "unseen"):
        assert f'class="s-{state}"' in ran.out
    for fact in ("Reporting/metabase", "ingress: tcp 5432 from 0.0.0.0/0", "6f2c9a1e", "nobody looked", "1,440 looks"):
        assert fact in ran.out
    assert not re.search(r"\sstyle=|\son[a-z]+=", ran.out)


def test_it_is_markdown_too(bucket: Bucket, setpoint: Setpoint) -> None:
    bucket.keep(*five_days())
    ran = setpoint("history", "shop", "-o", "markdown")
    assert (ran.code, ran.err) == (IN_SYNC, "")
    assert ran.out.startswith("## Setpoint: history of `shop`\n")
    for fact in ("### Something differs", "`Reporting/metabase`", "`6f2c9a1e`", "`nobody looked`", "**still so**"):
        assert fact in ran.out


def test_the_looks_of_today_are_in_the_ledger(
    bucket: Bucket, setpoint: Setpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.keep(*five_days())
    monkeypatch.setattr(history_source, "now", lambda: at(130))
    unknown = setpoint("history", "shop", "-o", "json").report()
    assert unknown["segments"][-1]["state"] == "unseen"
    assert len(unknown["findings"]) == 1
    gap = int(at(121).timestamp()), int(at(122).timestamp())
    bucket.remember(
        DocumentRecord(day=at(120), looked_at=at(129, 58), state="differs", looks=110, longest_gap=3600, gaps=(gap,)),
        monkeypatch,
    )
    told = setpoint("history", "shop", "-o", "json").report()
    assert (told["looks"], told["findings"]) == (1550, [])
    assert [(one["from"][8:16], one["state"]) for one in told["segments"]][-3:] == [
        ("22T03:00", "differs"),
        ("25T01:00", "unseen"),
        ("25T02:00", "differs"),
    ]


def test_without_the_right_to_read_the_ledger_it_is_told_all_the_same(
    bucket: Bucket, setpoint: Setpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.keep(*five_days())
    monkeypatch.setenv("SETPOINT_TABLE", "there-is-none")
    ran = setpoint("history", "shop")
    assert ran.code == IN_SYNC
    assert ran.err.startswith("the ledger there-is-none could not be read: ")
    assert ran.err.endswith("the looks since the last day sheet are left out\n")


def test_the_newest_receipt_is_compared_with_the_ledger(
    bucket: Bucket, setpoint: Setpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = bucket.keep(*five_days())
    last = LastReceipt(keys[-1], bucket.receipts.get(keys[-1]).sha256, "")
    bucket.remember(DocumentRecord(receipt=last), monkeypatch)
    assert setpoint("history", "shop", "--verify").code == IN_SYNC
    bucket.remember(DocumentRecord(receipt=replace(last, sha256="0" * 64)), monkeypatch)
    ran = setpoint("history", "shop", "--verify")
    assert (ran.code, f"The receipt {keys[-1]} was changed." in ran.out) == (ERROR, True)
    bucket.s3.delete_object(Bucket=BUCKET, Key=keys[-1])
    ran = setpoint("history", "shop", "--verify")
    assert (ran.code, f"The receipt {keys[-1]} is missing." in ran.out) == (ERROR, True)


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_redacted_it_names_no_account_and_nobody(form: str, bucket: Bucket, setpoint: Setpoint) -> None:
    bucket.keep(*five_days())
    ran = setpoint("history", "shop", "-o", form, "--redact")
    assert ran.code == IN_SYNC
    assert "metabase" not in ran.out
    assert "123456789012" not in ran.out
    assert "principal-" in ran.out
    assert "0.0.0.0/0" in ran.out
    refused = setpoint("history", "shop", "--redact")
    assert (refused.code, refused.err.startswith("--redact: only a page")) == (ERROR, True)
