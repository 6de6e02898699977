"""`setpoint receipt`: one recorded run from the bucket or from a file, in every form, and what it took away."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from handlers.ending import ERROR, IN_SYNC
from reconciler.history.store import packed
from tests.doors.conftest import Setpoint
from tests.support.receipt_bucket import Bucket, bucket_of_receipts
from tests.support.receipts import fixture
from tests.support.recorded import at, receipt, rule, setting, sheet

ACTOR = {"who": "arn:aws:sts::123456789012:assumed-role/Reporting/metabase", "at": "2026-11-20T04:10:00Z"}


@pytest.fixture(scope="module")
def _bucket() -> Iterator[Bucket]:
    with bucket_of_receipts() as bucket:
        yield bucket


@pytest.fixture
def bucket(_bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    return _bucket.emptied(monkeypatch)


def corrected() -> dict[str, Any]:
    drifts = rule(), setting(outcome="held", message="the plan takes away 34 live members")
    return receipt(
        at(4, 12),
        *drifts,
        actors={"security_group/DBSG": ACTOR},
        exposed={"security_group/DBSG": 123},
        run="6f2c9a1e",
        before={"security_group/DBSG": {"ingress": [rule()["have"]]}},
        network={"declared": {"security_group/DBSG": {"ingress": []}}},
        document={
            "uploaded": {"who": "111122223333", "at": None, "source_ip": None},
            "rollback": {"to": 5, "reason": "wrong port"},
        },
    )


def several() -> list[dict[str, Any]]:
    return [receipt(at(0), first=True, run="0badcafe"), corrected(), sheet(at(0), at(24)), receipt(at(25))]


def test_a_run_is_told_by_its_first_digits(bucket: Bucket, setpoint: Setpoint) -> None:
    bucket.keep(*several())
    ran = setpoint("receipt", "shop", "6f2c9a1e")
    assert (ran.code, ran.err) == (IN_SYNC, "")
    assert ran.out.splitlines() == [
        "shop r7, 123456789012, eu-central-1, 2026-11-20T04:12:00Z, run 6f2c9a1e: not as declared after the run",
        "  uploaded by 111122223333",
        '  rollback to r5: "wrong port"',
        "  CRITICAL  security_group/DBSG ingress: tcp 5432 from 0.0.0.0/0  corrected, 1 call",
        "            by Reporting/metabase at 2026-11-20T04:10:00Z",
        "            stood open at most 2 min 3 s",
        "  MEDIUM    vpc/MyVPC enable_dns_support: false instead of true  held: the plan takes away 34 live members",
        "2 differences, 1 call made.",
    ]


def test_it_is_found_by_its_whole_id_and_by_its_key_too(bucket: Bucket, setpoint: Setpoint) -> None:
    keys = bucket.keep(*several())
    for name in ("6f2c9a1e-0000-4000-8000-000000000000", keys[1], keys[1].removeprefix("receipts/shop/")):
        told = json.loads(setpoint("receipt", "shop", name, "-o", "json").out)  # a receipt by hand, in part
        assert told["run"]["id"].startswith("6f2c9a1e"), name


@pytest.mark.parametrize("run", ["ffffffff", "6f2c9a", "../other", "\u202e"])
def test_a_run_without_a_receipt_is_refused_in_one_sentence(run: str, bucket: Bucket, setpoint: Setpoint) -> None:
    bucket.keep(*several())
    ran = setpoint("receipt", "shop", run)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (ERROR, "", 1)
    assert ran.err.startswith("'shop' has no receipt of the run ")
    assert ran.err.rstrip("\n").isprintable()


def test_a_receipt_that_the_next_one_saw_otherwise_was_tampered_with(bucket: Bucket, setpoint: Setpoint) -> None:
    keys = bucket.keep(*several())
    bucket.replace(keys[1], packed(corrected() | {"actors": {}}))
    ran = setpoint("receipt", "shop", "6f2c9a1e", "-o", "html")
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (ERROR, "", 1)
    assert ran.err.startswith(f"{keys[1]}: it was tampered with: {keys[2]} saw another one; ")


def test_a_file_needs_no_aws(setpoint: Setpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, zipped = tmp_path / "receipt.json", tmp_path / "receipt.json.gz"
    plain.write_text(json.dumps(corrected()))
    zipped.write_bytes(packed(corrected()))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(packed(corrected()))))
    told = {setpoint("receipt", file).out for file in (plain, zipped, "-")}
    assert len(told) == 1
    assert "CRITICAL  security_group/DBSG ingress" in told.pop()


@pytest.mark.parametrize("name", ["apply", "plan", "calm", "hostile", "refused"])
@pytest.mark.parametrize("form", ["text", "html", "markdown"])
def test_every_receipt_is_shown_in_every_form(name: str, form: str, setpoint: Setpoint, tmp_path: Path) -> None:
    file = tmp_path / "receipt.json"
    file.write_text(json.dumps(fixture(name)))
    ran = setpoint("receipt", file, "-o", form)
    assert (ran.code, ran.err) == (IN_SYNC, "")
    assert len(ran.out.splitlines()) > 1 or name == "refused"
    assert all(char.isprintable() or char in "\n\t" for char in ran.out)
    if form == "html":
        assert ran.out.startswith("<!doctype html>")


def test_the_history_goes_onto_the_page(bucket: Bucket, setpoint: Setpoint) -> None:
    bucket.keep(*several())
    without = setpoint("receipt", "shop", "6f2c9a1e", "-o", "markdown").out
    told = setpoint("receipt", "shop", "6f2c9a1e", "-o", "markdown", "--history").out
    assert "longest gap" in told
    assert "longest gap" not in without


def test_undo_prints_lines_and_writes_nothing(bucket: Bucket, setpoint: Setpoint) -> None:
    bucket.keep(*several())
    ran = setpoint("receipt", "shop", "6f2c9a1e", "--undo")
    assert ran.code == IN_SYNC
    assert "It would declare an opening: security_group/DBSG ingress: tcp 5432 from 0.0.0.0/0" in ran.out.splitlines()
    told = setpoint("receipt", "shop", "6f2c9a1e", "--undo", "-o", "json").report()
    assert told["values"] == {"security_group/DBSG": {"ingress": [rule()["have"]]}}
    assert told["exceptions"][0]["until"] == "2026-12-02"
    assert {one.kind for one in bucket.lab.calls if one.service == "s3"} == {"read"}


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--undo", "-o", "html"], "--undo prints lines"),
        (["--redact"], "--redact: only a page"),
        (["--history"], "--history adds the last 30 days"),
    ],
)
def test_options_that_contradict_each_other_are_refused(words: list[str], problem: str, setpoint: Setpoint) -> None:
    ran = setpoint("receipt", "shop", "6f2c9a1e", *words)
    assert (ran.code, ran.out) == (ERROR, "")
    assert ran.err.startswith(problem)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "it is no receipt"),
        (b"\xff\xfe", "it is no receipt"),
        (b"[1]", "it is no receipt: it has no member `receipt`"),
        (b'{"receipt": 2}', "it is of version 2"),
        (b'{"receipt": 1}', "it is no receipt: run: "),
        (packed({"receipt": 1})[:-9], "it is no receipt"),
        (b'{"receipt": 1, "run": "\\ud800"}', "it is no receipt"),
        (b"[" * 100_000, "it is no receipt"),
    ],
)
def test_a_file_that_is_no_receipt_is_refused_in_one_sentence(
    data: bytes, problem: str, setpoint: Setpoint, tmp_path: Path
) -> None:
    file = tmp_path / "receipt.json"
    file.write_bytes(data)
    for form in ("text", "html", "markdown"):
        ran = setpoint("receipt", file, "-o", form)
        assert (ran.code, ran.out, len(ran.err.splitlines())) == (ERROR, "", 1), form
        assert ran.err.startswith(f"{file}: {problem}"), ran.err
    assert setpoint("receipt", file, "-o", "json").report()["error"]["kind"] == "receipt"


def test_a_file_that_there_is_not(setpoint: Setpoint, tmp_path: Path) -> None:
    ran = setpoint("receipt", tmp_path / "none.json")
    assert (ran.code, ran.out) == (ERROR, "")
    assert "No such file" in ran.err
    assert "setpoint receipt DOC RUN" in ran.err


def test_a_day_sheet_is_told_and_has_no_page(bucket: Bucket, setpoint: Setpoint) -> None:
    keys = bucket.keep(*several())
    told = setpoint("receipt", "shop", keys[2]).out.splitlines()
    assert told[1] == "  2026-11-20T00:00:00Z to 2026-11-21T00:00:00Z: 288 looks, 0 saw nothing, longest gap 5 min"
    ran = setpoint("receipt", "shop", keys[2], "-o", "html")
    assert (ran.code, ran.out) == (ERROR, "")
    assert ran.err.startswith("this is a day sheet")


def test_what_others_wrote_into_any_member_is_inert(setpoint: Setpoint, tmp_path: Path) -> None:
    """A canary in the place of every text, one at a time: on no terminal does it do anything."""
    file, canary = tmp_path / "receipt.json", "\u202e\x1b[31m\ud800" + "x" * 5000
    content = corrected()
    for path in [*_texts(content)]:
        spoiled = json.loads(json.dumps(content))
        inner = spoiled
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = canary
        file.write_text(json.dumps(spoiled))
        for words in (["-o", "text"], ["--undo"]):
            ran = setpoint("receipt", file, *words)
            assert all(line.isprintable() for line in (ran.out + ran.err).splitlines()), path
            assert len(ran.out + ran.err) < 12_000, path


def _texts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a text stands."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(inner, (*path, key))
    elif isinstance(value, str):
        yield path
