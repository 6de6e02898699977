"""`setpoint rollback` over the laboratory: what it shows, what it writes, and that nobody's upload is overwritten."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from desired_state.rollback_note import RollbackNote, noted
from lab import StrictAws

EXAMPLE = Path(__file__).parents[2] / "desired_state/examples/test-server.json"
BUCKET, KEY = "documents-of-a-test", "documents/test-server.json"
TEXT = EXAMPLE.read_text(encoding="utf-8")
assert '"revision": 1,' in TEXT


class Bucket:
    """The bucket of the documents, in somebody else's hands."""

    def __init__(self, lab: StrictAws) -> None:
        self.lab = lab
        self.s3 = lab.outsider().client("s3")
        try:
            self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-2"})
        except self.s3.exceptions.BucketAlreadyOwnedByYou:  # the laboratory keeps its buckets from test to test
            found = self.s3.list_object_versions(Bucket=BUCKET)
            for one in (*found.get("Versions", ()), *found.get("DeleteMarkers", ())):
                self.s3.delete_object(Bucket=BUCKET, Key=one["Key"], VersionId=one["VersionId"])
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})

    def upload(self, revision: int, *edits: tuple[str, str]) -> str:
        """The example with another revision and these edits of its text; the id of the version."""
        text = TEXT.replace('"revision": 1,', f'"revision": {revision},')
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        return self.put(text.encode())

    def put(self, data: bytes) -> str:
        return str(self.s3.put_object(Bucket=BUCKET, Key=KEY, Body=data)["VersionId"])

    def newest(self) -> bytes:
        return bytes(self.s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read())

    def note(self) -> RollbackNote | None:
        return noted(self.s3.head_object(Bucket=BUCKET, Key=KEY)["Metadata"])

    def versions(self) -> int:
        return len(self.s3.list_object_versions(Bucket=BUCKET, Prefix=KEY).get("Versions", ()))


@pytest.fixture
def bucket(lab: StrictAws, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    monkeypatch.setenv("AWS_REGION", "ap-northeast-2")
    monkeypatch.setenv("SETPOINT_BUCKET", BUCKET)
    made = Bucket(lab)
    lab.calls.clear()
    return made


PORT = (
    '"ports": 5432, "source": "security_group/TestServerSG"',
    '"ports": 5433, "source": "security_group/TestServerSG"',
)


def puts(bucket: Bucket) -> list[str]:
    return [one.operation for one in bucket.lab.calls if one.operation == "PutObject"]


def test_it_shows_what_it_would_do_and_writes_nothing(setpoint: Any, bucket: Bucket) -> None:
    bucket.upload(1)
    bucket.upload(2, PORT)
    bucket.lab.calls.clear()
    ran = setpoint("rollback", "test-server", "--previous")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "test-server: back to revision 1, as revision 3"
    assert '  -  "revision": 2,' in lines
    assert '  +  "revision": 3,' in lines
    assert "Revision 3, compared with revision 2:" in lines
    assert lines[-1] == "In sync: 14 resources are as declared; 10 reads, no write."
    assert ran.err.splitlines()[-1].startswith("Nothing was written and nothing uploaded: --out FILE")
    assert [one.operation for one in bucket.lab.calls if one.kind == "write"] == []


def test_its_json_has_the_same_facts(setpoint: Any, bucket: Bucket) -> None:
    first = bucket.upload(1)
    second = bucket.upload(2, PORT)
    told = setpoint("rollback", "test-server", "--to", 1, "--reason", "wrong port", "-o", "json").report()
    assert told["rollback"] | {"uploaded": ""} == {
        "to": 1,
        "version_id": first,
        "uploaded": "",
        "revision": 3,
        "reason": "wrong port",
    }
    assert (told["newest"]["revision"], told["newest"]["version_id"]) == (2, second)
    assert '+  "revision": 3,' in told["diff"]
    assert told["plan"]["in_sync"] is True
    assert told["plan"]["revision_change"]["before"] == 2
    assert (told["written"], told["uploaded"]) == (None, None)


def test_out_writes_the_old_text_with_another_number_and_not_one_byte_else(
    setpoint: Any, bucket: Bucket, tmp_path: Path
) -> None:
    bucket.upload(1)
    bucket.upload(2, PORT)
    out = tmp_path / "test-server.json"
    ran = setpoint("rollback", "test-server", "--to", 1, "--out", out)
    assert ran.code == 0
    assert out.read_text(encoding="utf-8") == TEXT.replace('"revision": 1,', '"revision": 3,')
    assert ran.out.splitlines()[-1] == f"Written: {out}."
    assert puts(bucket) == []


def test_a_file_is_replaced_only_if_the_bucket_has_its_text(setpoint: Any, bucket: Bucket, tmp_path: Path) -> None:
    bucket.upload(1)
    bucket.upload(2, PORT)
    out = tmp_path / "test-server.json"
    out.write_text("work of an afternoon", encoding="utf-8")
    ran = setpoint("rollback", "test-server", "--to", 1, "--out", out)
    assert (ran.code, ran.out) == (1, "")
    assert "exists, and has a text that is in no version of the object" in ran.err
    assert out.read_text(encoding="utf-8") == "work of an afternoon"
    out.write_bytes(bucket.newest())
    ran = setpoint("rollback", "test-server", "--to", 1, "--out", out)
    assert ran.out.splitlines()[-1] == f"Written: {out}, in place of the text of revision 2."
    assert '"revision": 3,' in out.read_text(encoding="utf-8")


def test_upload_asks_a_person_or_does_not_even_look(
    setpoint: Any, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.upload(1)
    bucket.upload(2, PORT)
    bucket.lab.calls.clear()
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    ran = setpoint("rollback", "test-server", "--previous", "--upload")
    assert ran.code == 1
    assert ran.err == "--upload asks a person, and there is no terminal; write it with --out, and commit it\n"
    assert bucket.lab.calls == []


@pytest.mark.parametrize("typed", ["y\n", "YES\n", "", "no\n"])
def test_anything_but_yes_uploads_nothing(
    setpoint: Any, bucket: Bucket, answer: Callable[[str], None], typed: str
) -> None:
    bucket.upload(1)
    bucket.upload(2, PORT)
    answer(typed)
    ran = setpoint("rollback", "test-server", "--previous", "--upload")
    assert ran.code == 1
    assert ran.err.splitlines()[-1].endswith("not approved; nothing was uploaded")
    assert bucket.versions() == 2


def test_yes_uploads_it_with_what_it_is_and_why(setpoint: Any, bucket: Bucket, answer: Callable[[str], None]) -> None:
    bucket.upload(1)
    bucket.upload(2, PORT)
    answer("yes\n")
    ran = setpoint("rollback", "test-server", "--previous", "--upload", "--reason", "falscher Port: 5433 \u2192 zurück")
    assert ran.code == 0
    assert bucket.newest().decode() == TEXT.replace('"revision": 1,', '"revision": 3,')
    assert bucket.note() == RollbackNote(1, "falscher Port: 5433 \u2192 zurück")
    assert ran.out.startswith("Uploaded: revision 3 of test-server, version ")
    assert "test-server: back to revision 1, as revision 3" in ran.err
    again = setpoint("rollback", "test-server", "--previous")
    assert "which is a rollback to revision 1 itself: falscher Port" in again.out
    assert again.out.startswith("test-server: back to revision 2, as revision 4")


def test_what_somebody_uploads_meanwhile_is_never_overwritten(
    setpoint: Any, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.upload(1)
    bucket.upload(2, PORT)

    class Slow(io.StringIO):
        def isatty(self) -> bool:
            return True

        def readline(self, *_: Any) -> str:  # type: ignore[override]
            bucket.upload(3, ("front door", "back door"))
            return "yes\n"

    monkeypatch.setattr(sys, "stdin", Slow())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    ran = setpoint("rollback", "test-server", "--previous", "--upload")
    assert ran.code == 1
    assert ran.err.splitlines()[-1].endswith(
        "somebody has uploaded a newer version meanwhile, so nothing was uploaded; run the command again and review "
        "what it shows now"
    )
    assert b"back door" in bucket.newest()
    assert bucket.versions() == 3


def test_a_deleted_document_comes_back_only_if_it_is_still_deleted(
    setpoint: Any, bucket: Bucket, answer: Callable[[str], None]
) -> None:
    bucket.upload(1)
    bucket.upload(2, PORT)
    bucket.s3.delete_object(Bucket=BUCKET, Key=KEY)
    answer("yes\n")
    ran = setpoint("rollback", "test-server", "--previous", "--upload")
    assert ran.code == 0
    assert "the object is deleted now, so nothing is enforced, and this puts it in force again" in ran.err
    assert b'"revision": 3,' in bucket.newest()
    assert bucket.note() == RollbackNote(2)


def test_what_is_not_there_is_told_with_what_is(setpoint: Any, bucket: Bucket) -> None:
    assert "there is no such document, and there never was" in setpoint("rollback", "shop", "--previous").err
    bucket.upload(4)
    only = setpoint("rollback", "test-server", "--previous")
    assert only.code == 1
    assert only.err == "revision 4 is the only revision: there is nothing to go back to\n"
    assert setpoint("rollback", "test-server", "--to", 4).err == (
        "revision 4 is the newest one already; its revisions are 4\n"
    )
    assert setpoint("rollback", "test-server", "--to", 3).err == "no version is revision 3; its revisions are 4\n"
    long = setpoint("rollback", "test-server", "--previous", "--reason", "x" * 301)
    assert long.err == "--reason: it is too long for the object's metadata; write at most 300 characters\n"
    assert "name what to go back to" in setpoint("rollback", "test-server").err
    assert "name what to go back to" in setpoint("rollback", "test-server", "--previous", "--to", 3).err


def test_a_revision_with_two_texts_needs_a_person_to_say_which(setpoint: Any, bucket: Bucket) -> None:
    first = bucket.upload(1)
    bucket.upload(1, PORT)
    bucket.upload(2)
    ran = setpoint("rollback", "test-server", "--to", 1)
    assert ran.code == 1
    assert ran.err.startswith("revision 1 was uploaded with 2 different texts: version ")
    assert ran.err.endswith("; say which one with --version-id\n")
    chosen = setpoint("rollback", "test-server", "--to", 1, "--version-id", first)
    assert chosen.code == 0


def test_a_text_that_is_not_valid_today_is_told_and_never_written(
    setpoint: Any, bucket: Bucket, tmp_path: Path
) -> None:
    old = bucket.upload(1, ('"enforcement": "correct",', '"enforce": "correct",'))
    bucket.upload(2)
    out = tmp_path / "test-server.json"
    ran = setpoint("rollback", "test-server", "--previous", "--out", out, "-o", "json")
    assert ran.code == 1
    error = ran.report()["error"]
    assert error["kind"] == "document"
    assert error["problems"][0]["path"] == "enforce"
    assert f"--version-id {old} test-server.json" in error["message"]
    assert not out.exists()


def test_a_newest_version_that_is_no_document_can_be_rolled_back(setpoint: Any, bucket: Bucket) -> None:
    bucket.upload(7)
    bucket.put(b"{ this is no document")
    ran = setpoint("rollback", "test-server", "--previous")
    assert ran.code == 0
    assert ran.out.startswith("test-server: back to revision 7, as revision 8\n")
    assert "in place of  a text that says no revision" in ran.out


def test_what_aws_never_takes_back_is_named_before_the_plan(setpoint: Any, bucket: Bucket) -> None:
    bucket.upload(1)
    bucket.upload(2, ('"allocated_storage": 20', '"allocated_storage": 40'))
    rds = bucket.lab.outsider().client("rds")
    rds.modify_db_instance(DBInstanceIdentifier="mypostgresqldb", AllocatedStorage=40, ApplyImmediately=True)
    bucket.lab.settle()
    ran = setpoint("rollback", "test-server", "--previous")
    assert ran.code == 0
    before = ran.out.partition("What differs in the text:")[0]
    assert "  AWS never takes back: db_instance/mypostgresqldb allocated_storage: " in before


def test_the_network_of_another_account_needs_its_own_profile(setpoint: Any, bucket: Bucket) -> None:
    bucket.upload(1, ('"account_id": "123456789012"', '"account_id": "999999999999"'))
    bucket.upload(2, ('"account_id": "123456789012"', '"account_id": "999999999999"'), PORT)
    ran = setpoint("rollback", "test-server", "--previous")
    assert ran.code == 1
    assert ran.err == (
        "the bucket is in account 123456789012, and the document for account 999999999999; "
        "name a profile of that one with --network-profile\n"
    )


def test_without_a_bucket_it_says_how_to_name_one(
    setpoint: Any, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SETPOINT_BUCKET")
    ran = setpoint("rollback", "test-server", "--previous")
    assert ran.err == (
        "which bucket holds the documents is not known: name the stack with --stack, or give --bucket or "
        "SETPOINT_BUCKET\n"
    )


def test_the_stack_says_where_its_documents_are_and_what_it_may_do(
    setpoint: Any, bucket: Bucket, monkeypatch: Any
) -> None:
    monkeypatch.delenv("SETPOINT_BUCKET")
    template = {
        "Parameters": {name: {"Type": "String"} for name in ("Mode", "Prefix", "Rate")},
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {"BucketName": {"Value": BUCKET}},
    }
    parameters = {"Mode": "report", "Prefix": "documents/", "Rate": "rate(1 minute)"}
    bucket.lab.outsider().client("cloudformation").create_stack(
        StackName="setpoint",
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    bucket.upload(1)
    bucket.upload(2, PORT)
    told = setpoint("rollback", "test-server", "--previous", "--stack", "setpoint", "-o", "json").report()
    assert told["plan"]["policy"]["mode"] == "report"
    gone = setpoint("rollback", "test-server", "--previous", "--stack", "nowhere")
    assert gone.code == 1
    assert gone.err.startswith("stack nowhere in ap-northeast-2 cannot be read: ")
    assert gone.err.endswith("; check its name, --region and --profile\n")
