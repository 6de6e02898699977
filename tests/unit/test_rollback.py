"""Rollback without a bucket: the number in the text, the choice of a version, the note, the warnings, the upload."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import example, given
from hypothesis import strategies as st

import desired_state
from desired_state.load import load
from desired_state.renumber import renumbered, revision_of
from desired_state.rollback import NoRollback, ReadVersion, choose
from desired_state.rollback_note import LONGEST_REASON, RollbackNote, fits, metadata, noted
from desired_state.sources import Documents, ObjectVersion
from handlers.refusal import Kind, Refused
from handlers.rollback_upload import Upload
from handlers.settings import rate_of
from handlers.stack_of import Given
from reconciler.model import Cause, Outcome, Policy, Reason
from reconciler.report.rollback import Rollback, text
from reconciler.revision.rollback import Topic, beforehand, never_taken_back
from tests.support.reports import drift, report

EXAMPLE = Path(desired_state.__file__).with_name("examples") / "test-server.json"
NOW = datetime(2026, 11, 27, 5, 12, tzinfo=UTC)


# ------------------------------------------------------------------------------------------------- the number


TEXTS = (
    '{"revision": <>}',
    '{"a": {"revision": 7}, "revision" :\r\n\t<> , "b": "\\"revision\\": 7"}',
    '{"note": "é 中 \\ud83d\\ude00 revision", "revision":<>}',
    '{"revision":<>,"tags":["revision",7]}',
    '[["revision", 7]]',
)


@pytest.mark.parametrize("written", TEXTS[:4])
def test_only_the_number_of_the_revision_changes(written: str) -> None:
    before = written.replace("<>", "7").encode()
    assert revision_of(before) == 7
    assert renumbered(before, 12) == written.replace("<>", "12").encode()


@given(before=st.text(), after=st.text(), number=st.integers(1, 2**53 - 1), to=st.integers(1, 2**53 - 1))
def test_whatever_stands_around_it_stays(before: str, after: str, number: int, to: int) -> None:
    around = json.dumps({"before": before, "revision": 0, "after": after}, ensure_ascii=False)
    whole = around.replace('"revision": 0', f'"revision": {number}', 1) if '"revision": 0' not in before else around
    data = whole.encode("utf-8", "surrogatepass")
    if revision_of(data) != number:
        return  # a text that is its own decoy, or half a character
    assert renumbered(data, to) == whole.replace(f'"revision": {number}', f'"revision": {to}', 1).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[1]",
        TEXTS[4].encode(),
        b'{"revision": "7"}',
        b'{"revision": true}',
        b'{"revision": 0}',
        b'{"revision": 7.0}',
        b'\xef\xbb\xbf{"revision": 7}',
        b'{"revision": \xff}',
        b'{"a": ' + b"[" * 20_000 + b"]" * 20_000 + b', "revision": 7}',
        b'{"a": ' + b"[" * 30 + b"]" * 30 + b', "revision": 7}',
    ],
)
def test_a_text_without_a_revision_gets_none(data: bytes) -> None:
    with pytest.raises(ValueError, match="no revision"):
        renumbered(data, 8)


# --------------------------------------------------------------------------------------------------- the note


@given(st.integers(1, 2**53 - 1), st.text())
@example(5, "\U0001f600" * 400)
@example(5, "\ud800")
@example(5, "%41 100 % \u202e")
def test_a_note_survives_s3_and_is_bounded(to: int, reason: str) -> None:
    stored = metadata(RollbackNote(to, reason))
    assert all(value.isascii() and value.isprintable() and value == value.strip() for value in stored.values())
    assert sum(len(key) + len(value) for key, value in stored.items()) < 2000
    read = noted(stored)
    assert read is not None
    assert read.to == to
    assert read.reason.isprintable()
    assert len(read.reason) <= LONGEST_REASON
    assert metadata(read) == stored or "\\" in read.reason  # what is escaped once is not escaped back


@pytest.mark.parametrize(
    ("reason", "whole"),
    [("", True), ("wrong port", True), ("x" * 300, True), ("x" * 301, False), ("ü" * 170, True), ("ü" * 171, False)],
)
def test_whether_all_of_a_reason_is_stored_is_known_before(reason: str, whole: bool) -> None:
    assert fits(reason) is whole


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ({}, None),
        ({"rollback-to": ""}, None),
        ({"rollback-to": "0"}, None),
        ({"rollback-to": "-1"}, None),
        ({"rollback-to": "9" * 400}, None),
        ({"rollback-to": "٣"}, None),
        ({"rollback-reason": "why"}, None),
        ({"rollback-to": "3"}, RollbackNote(3)),
        ({"rollback-to": "3", "rollback-reason": "%ff%0a%1b[31m x"}, RollbackNote(3, "\ufffd \\x1b[31m x")),
    ],
)
def test_what_somebody_else_wrote_there_is_bounded_too(stored: dict[str, str], read: RollbackNote | None) -> None:
    assert noted(stored) == read


# ------------------------------------------------------------------------------------------------- the choice


def version(number: int | None, *, key: str = "", text: str = "", unread: bool = False) -> ReadVersion:
    key = key or f"v{number}"
    data = None if unread else json.dumps({"revision": number, "text": text}).encode()
    known = ObjectVersion(key, NOW, f'"{key}"')
    return ReadVersion(known, None if unread else number, data, "S3 answers AccessDenied" if unread else "")


def test_back_to_the_one_before_or_to_a_number_or_to_a_version() -> None:
    found = [version(7), version(6), version(5)]
    assert (choose(found, to=None).to, choose(found, to=None).number) == (6, 8)
    assert choose(found, to=5).to == 5
    assert choose(found, to=None, version_id="v5").to == 5


def test_the_number_is_above_every_one_there_ever_was() -> None:
    assert choose([version(6), version(90), version(5)], to=5).number == 91


def test_the_one_before_is_the_newest_with_another_number() -> None:
    found = [version(7, key="b"), version(7, key="a", text="x"), version(5)]
    assert choose(found, to=None).to == 5


def test_a_deleted_document_goes_back_to_its_last_text() -> None:
    found = [version(7), version(6)]
    assert choose(found, to=None, deleted=True).to == 7
    assert choose(found, to=7, deleted=True).number == 8


def test_a_version_that_cannot_be_read_is_passed_over_unless_it_may_be_the_one() -> None:
    found = [version(7), version(0, key="x", unread=True), version(5)]
    assert choose(found, to=5).to == 5
    with pytest.raises(NoRollback, match=r"no version is revision 6; .* 1 version could not be read"):
        choose(found, to=6)
    with pytest.raises(NoRollback, match="the newest version cannot be read"):
        choose([version(0, unread=True), version(5)], to=5)


@pytest.mark.parametrize(
    ("found", "asked", "why"),
    [
        ([], {"to": 1}, "the object has no version"),
        ([version(None), version(None)], {"to": 1}, "no version of the object says a revision"),
        ([version(3)], {"to": None}, "revision 3 is the only revision"),
        ([version(3), version(2)], {"to": 3}, "revision 3 is the newest one already; its revisions are 3, 2"),
        ([version(3), version(2)], {"to": 1}, "no version is revision 1; its revisions are 3, 2"),
        ([version(3), version(2)], {"to": None, "version_id": "z"}, "has no version 'z'"),
        ([version(3), version(2)], {"to": 3, "version_id": "v2"}, "is revision 2, not 3"),
        ([version(3), version(None)], {"to": None, "version_id": "vNone"}, "says no revision"),
        ([version(3), version(2), version(2, key="w", text="x")], {"to": 2}, "2 different texts: version v2 of "),
    ],
)
def test_what_cannot_be_chosen_is_said(found: list[ReadVersion], asked: dict[str, Any], why: str) -> None:
    with pytest.raises(NoRollback, match=why):
        choose(found, **asked)


# ------------------------------------------------------------------------------------------ reading the bucket


def test_all_pages_of_the_versions_are_read_and_no_other_key() -> None:
    def page(start: int, *, latest: bool) -> dict[str, Any]:
        versions = [
            {"Key": "documents/shop.json", "VersionId": f"v{start + at}", "LastModified": NOW, "ETag": '"e"'}
            for at in range(1000)
        ]
        other = {"Key": "documents/shop.json.bak", "VersionId": "other", "LastModified": NOW, "ETag": '"o"'}
        markers = [
            {"Key": "documents/shop.json", "IsLatest": latest},
            {"Key": "documents/shop.json.bak", "IsLatest": True},
        ]
        return {"Versions": [*versions, other], "DeleteMarkers": markers}

    pages = [page(0, latest=False), page(1000, latest=False), {}]
    paginator = SimpleNamespace(paginate=lambda **_: iter(pages))
    client: Any = SimpleNamespace(
        get_paginator=lambda name: paginator, exceptions=SimpleNamespace(ClientError=ClientError)
    )
    found = Documents(client, "bucket", "documents/").versions("shop")
    assert [one.version_id for one in found.versions] == [f"v{at}" for at in range(2000)]
    assert found.deleted is False
    pages[0] = page(0, latest=True)
    assert Documents(client, "bucket", "documents/").versions("shop").deleted is True


# ------------------------------------------------------------------------------------------------- the upload


class Store:
    """The one call of an upload, and the read after it was refused."""

    exceptions = SimpleNamespace(ClientError=ClientError)

    def __init__(self, fails: Exception | None, newest: bytes | None = None) -> None:
        self.fails, self.newest, self.params = fails, newest, dict[str, Any]()

    def put_object(self, **params: Any) -> dict[str, Any]:
        self.params = params
        if self.fails:
            raise self.fails
        return {"VersionId": "new"}

    def get_object(self, **_: Any) -> dict[str, Any]:
        if self.newest is None:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        body = SimpleNamespace(chunks=[self.newest], close=lambda: None)
        body.read = lambda size: body.chunks.pop() if body.chunks else b""
        return {"Body": body, "ContentLength": len(self.newest), "VersionId": "theirs"}


def put(store: Any, etag: str = '"7"') -> str:
    return Upload(store, "bucket", "documents/", "shop").put(b"ours", RollbackNote(5, "wrong port"), etag)


def refused_with(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "PutObject")


def test_an_upload_names_the_version_that_it_replaces() -> None:
    store = Store(None)
    assert put(store) == "new"
    assert store.params == {
        "Bucket": "bucket",
        "Key": "documents/shop.json",
        "Body": b"ours",
        "ContentType": "application/json",
        "Metadata": {"rollback-to": "5", "rollback-reason": "wrong port"},
        "IfMatch": '"7"',
    }
    put(store, etag="")
    assert store.params["IfNoneMatch"] == "*"
    assert "IfMatch" not in store.params


@pytest.mark.parametrize("code", ["PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"])
@pytest.mark.parametrize(("newest", "what"), [(b"theirs", "uploaded a newer version"), (None, "deleted the object")])
def test_who_was_overtaken_is_told_so_in_one_sentence(code: str, newest: bytes | None, what: str) -> None:
    with pytest.raises(Refused, match=f"somebody has {what} meanwhile, so nothing was uploaded") as caught:
        put(Store(refused_with(code), newest))
    assert caught.value.kind is Kind.OVERTAKEN
    assert "\n" not in str(caught.value)


def test_an_upload_that_was_sent_twice_is_ours() -> None:
    assert put(Store(refused_with("PreconditionFailed"), b"ours")) == "theirs"


def test_whether_an_unanswered_upload_arrived_is_not_known() -> None:
    with pytest.raises(Refused, match="whether it was uploaded is not known"):
        put(Store(ReadTimeoutError(endpoint_url="https://s3")))
    with pytest.raises(Refused, match="grant s3:PutObject"):
        put(Store(refused_with("AccessDenied")))


# ----------------------------------------------------------------------------------------------- the warnings


def example_with(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    return values | changes


def document(values: dict[str, Any]) -> Any:
    return load(json.dumps(values).encode(), "a test")


def told(newest: dict[str, Any], rolled: dict[str, Any], policy: Policy | None = None) -> list[tuple[Topic, str]]:
    found = beforehand(document(newest), document(rolled), policy or Policy(), NOW)
    return [(one.topic, one.words) for one in found]


def test_an_exception_that_has_ended_is_told() -> None:
    def with_end(until: datetime) -> dict[str, Any]:
        rule = {"protocol": "tcp", "ports": 22, "source": "198.51.100.7/32"}
        address = "security_group/APIGatewaySG"
        entry = {"address": address, "field": "ingress", "value": rule, "until": f"{until:%Y-%m-%dT%H:%M:%SZ}"}
        return example_with(exceptions=[entry | {"reason": "for the audit"}])

    ended = told(example_with(revision=2), with_end(NOW))
    assert ended == [
        (
            Topic.EXCEPTION_ENDED,
            (
                "the exception for security_group/APIGatewaySG ingress ended at 2026-11-27 05:12Z ('for the audit'): "
                "what it tolerated is corrected"
            ),
        )
    ]
    assert told(example_with(revision=2), with_end(NOW + timedelta(seconds=1))) == []


def test_an_intent_that_the_old_text_breaks_is_told() -> None:
    broken = json.loads(
        EXAMPLE.read_text(encoding="utf-8").replace('"ports": 8000, "source"', '"ports": 8001, "source"')
    )
    ((topic, words),) = told(example_with(revision=2), broken)
    assert topic is Topic.INTENT_BROKEN
    assert words.startswith(
        "the old text breaks its own intent 'the front door reaches the back end': tcp 8000 from api"
    )


def test_what_was_declared_since_is_left_or_deleted() -> None:
    since = example_with(revision=2)
    since["resources"]["security_group"]["Extra"] = {"description": "new", "ingress": [], "egress": []}
    assert told(since, example_with()) == [
        (
            Topic.DECLARED_SINCE,
            "security_group/Extra is not in the old text: it stays as it is, and nobody keeps it any more",
        )
    ]
    ((_, words),) = told(since, example_with(), Policy(prune=True))
    assert words.endswith("it is deleted, since the deployment prunes")
    since["resources"]["security_group"]["Extra"]["formerly"] = ["APIGatewaySG"]
    renamed = json.loads(json.dumps(since).replace("security_group/APIGatewaySG", "security_group/Extra"))
    del renamed["resources"]["security_group"]["APIGatewaySG"]
    assert told(renamed, example_with()) == []


def test_what_is_never_deleted_or_somebody_else_s_is_not_said_to_be_deleted() -> None:
    since = example_with(revision=2)
    since["resources"]["subnet"]["Extra"] = {"cidr_block": "10.0.9.0/24", "availability_zone": "ap-northeast-2a"}
    ((_, words),) = told(since, example_with(), Policy(prune=True))
    assert words.endswith("it stays as it is, and nobody keeps it any more")
    theirs = example_with(revision=2, external={"security_group/Extra": {"id": "sg-0a1b2c3d"}})
    assert told(theirs, example_with()) == []
    named = example_with(revision=2, intents=[], workloads={})
    named["scope"]["vpc_id"] = "vpc-0123456789abcdef0"
    text = json.dumps(named).replace("vpc/MyVPC", "vpc-0123456789abcdef0")
    named = json.loads(text)
    del named["resources"]["vpc"]
    assert told(named, example_with()) == []
    without = example_with(intents=[], workloads={})
    del without["resources"]["db_instance"], without["resources"]["db_subnet_group"]
    assert {topic for topic, _ in told(without, example_with())} == {Topic.DATABASE_MISSING}


def test_what_the_plan_cannot_bring_back_is_told_once_by_the_plan_s_own_words() -> None:
    why = Cause(Reason.IMMUTABLE, "AWS has no call for it")
    blocked = drift("cidr_block", None, "10.0.0.0/16", "10.1.0.0/16", Outcome.BLOCKED, why, at="vpc/Main")
    held = drift("ingress", 1, "a", "b", Outcome.HELD, why)
    (one,) = never_taken_back(report(blocked, held, blocked))
    assert (one.topic, one.address) == (Topic.NEVER_TAKEN_BACK, "vpc/Main")
    assert one.words == "vpc/Main cidr_block: AWS has no call for it"


def test_a_database_in_one_text_only_is_told() -> None:
    without = example_with(revision=2, intents=[])
    del without["resources"]["db_instance"]
    assert [one for one, _ in told(example_with(), without)] == [Topic.DATABASE_LEFT]
    ((topic, words),) = told(without, example_with())
    assert topic is Topic.DATABASE_MISSING
    assert words.endswith("is only in the old text: it is not made without leave, and no data comes back")
    ((_, words),) = told(without, example_with(), Policy(create_databases=True))
    assert "it is made, empty, if it does not exist" in words


def test_nothing_of_a_newest_version_that_is_no_document_is_needed() -> None:
    assert beforehand(None, document(example_with()), Policy(), NOW) == ()


def test_a_diff_of_hostile_texts_is_inert_and_never_cut_silently() -> None:
    newest, target = version(7, text="\u202e\x1b[31m"), version(5)
    lines = "\n".join(f'"{number} \u202e\x1b[31m"' for number in range(900)).encode()
    shown = text(Rollback("shop", choose([newest, target], to=5), lines, ()))
    assert all(line.isprintable() for line in shown.splitlines())
    assert "  504 further lines; -o json has them" in shown


# -------------------------------------------------------------------------------------------------- the stack


def test_options_come_before_the_environment() -> None:
    environment = {"SETPOINT_STACK": "one", "SETPOINT_BUCKET": "two", "SETPOINT_RECEIPTS": "three"}
    assert Given.of(environment) == Given("one", "two", "", "", "three")
    assert Given.of(environment, stack="mine", bucket="ours") == Given("mine", "ours", "", "", "three")


@pytest.mark.parametrize(
    ("written", "rate"),
    [
        ("rate(1 minute)", timedelta(minutes=1)),
        ("rate(12 hours)", timedelta(hours=12)),
        ("rate(2 days)", timedelta(days=2)),
        ("cron(0 * * * ? *)", None),
        ("", None),
    ],
)
def test_a_rate_is_read_as_eventbridge_writes_it(written: str, rate: timedelta | None) -> None:
    assert rate_of(written) == rate
