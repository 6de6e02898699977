"""Documents in a bucket that keeps versions: what is there, what was deleted, and what could not be read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from botocore.httpchecksum import Crc32Checksum, StreamingChecksumBody
from botocore.response import StreamingBody
from moto.backends import get_backend
from urllib3.exceptions import ProtocolError, SSLError

from desired_state.sources import Documents, Pinned, SourceError
from lab.strict_aws import ACCOUNT, StrictAws, laboratory
from reconciler.attempt.version import Approval, select_version
from reconciler.ledger.record import Accepted
from tests.support.documents import DOCUMENT, edited

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SHOP = "s3://papers/documents/shop.json"
LATER = "try again later"
ACCESS = (
    "grant s3:GetObject and s3:GetObjectVersion on it, and kms:Decrypt if a KMS key encrypts it; also grant "
    "s3:ListBucket on the bucket, because without it S3 gives this answer for a missing object too"
)


@dataclass
class Bucket:
    """A bucket in the laboratory; `hands` is somebody else's client, `owned` the one that reads through `documents`."""

    lab: StrictAws
    hands: S3Client
    owned: S3Client
    name: str = "papers"

    @property
    def documents(self) -> Documents:
        return Documents(self.owned, self.name, "documents/")

    def upload(self, data: bytes, key: str = "documents/shop.json") -> str:
        """The id of the version."""
        return self.hands.put_object(Bucket=self.name, Key=key, Body=data).get("VersionId", "")

    def delete(self, version_id: str | None = None) -> str:
        """Deletes the document, or only that version; the id of the delete marker."""
        which: dict[str, Any] = {"VersionId": version_id} if version_id else {}
        return self.hands.delete_object(Bucket=self.name, Key="documents/shop.json", **which).get("VersionId", "")

    def keep_versions(self) -> None:
        self.hands.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})

    def calls(self) -> list[str]:
        return [call.operation for call in self.lab.calls]


@pytest.fixture(scope="module")
def _lab() -> Iterator[tuple[StrictAws, S3Client, S3Client]]:
    with laboratory() as lab:
        yield lab, lab.outsider().client("s3"), lab.session().client("s3")


@pytest.fixture
def unversioned(_lab: tuple[StrictAws, S3Client, S3Client]) -> Iterator[Bucket]:
    lab, hands, owned = _lab
    hands.create_bucket(Bucket="papers", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-2"})
    lab.calls.clear()
    yield Bucket(lab, hands, owned)
    lab.faults.clear()
    _empty(hands)
    hands.delete_bucket(Bucket="papers")


def _empty(hands: S3Client) -> None:
    """Delete every version and marker, inside the emulator: thousands of calls take seconds."""
    shelf = get_backend("s3")[ACCOUNT]["aws"]
    while True:
        page = hands.list_object_versions(Bucket="papers")
        held = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        if not held:
            return
        for one in held:
            shelf.delete_object("papers", one["Key"], one["VersionId"])


@pytest.fixture
def bucket(unversioned: Bucket) -> Bucket:
    unversioned.keep_versions()
    return unversioned


def said_of(read: Callable[[], object]) -> str:
    with pytest.raises(SourceError) as refused:
        read()
    return str(refused.value)


def test_the_newest_version_is_pinned_by_one_read(bucket: Bucket) -> None:
    bucket.upload(b"first")
    second = bucket.upload(b"second")
    pinned = bucket.documents.current("shop")
    assert pinned == Pinned("shop", b"second", second, f"{SHOP}?versionId={second}")
    assert bucket.calls() == ["GetObject"]


def test_an_earlier_version_is_read_to_the_byte(bucket: Bucket) -> None:
    first = bucket.upload(b"first")
    bucket.upload(b"second")
    assert bucket.documents.version("shop", first) == Pinned("shop", b"first", first, f"{SHOP}?versionId={first}")
    assert bucket.calls() == ["GetObject"]


def test_a_document_behind_a_delete_marker_is_deleted_and_its_versions_are_still_there(bucket: Bucket) -> None:
    first = bucket.upload(b"first")
    bucket.delete()
    assert bucket.documents.current("shop") is None
    assert bucket.documents.version("shop", first).data == b"first"


def test_a_document_that_never_was_is_deleted(bucket: Bucket) -> None:
    assert bucket.documents.current("shop") is None


def test_a_document_whose_delete_marker_is_taken_away_is_back_under_its_old_version(bucket: Bucket) -> None:
    first = bucket.upload(b"first")
    bucket.delete(bucket.delete())
    pinned = bucket.documents.current("shop")
    assert pinned is not None
    assert (pinned.data, pinned.version_id) == (b"first", first)


def test_a_version_that_is_gone_is_an_error_and_no_deleted_document(bucket: Bucket) -> None:
    first = bucket.upload(b"first")
    bucket.upload(b"second")
    bucket.delete(first)
    with pytest.raises(SourceError) as refused:
        bucket.documents.version("shop", first)
    assert refused.value.gone
    assert str(refused.value) == (
        f"{SHOP}?versionId={first}: S3 answers NoSuchVersion: The specified version does not exist.; {LATER}"
    )


def test_a_bucket_that_is_not_there_is_an_error_and_no_deleted_document(bucket: Bucket) -> None:
    documents = Documents(bucket.owned, "elsewhere", "documents/")
    missing = "S3 answers NoSuchBucket: The specified bucket does not exist; check the name of the bucket"
    assert said_of(lambda: documents.current("shop")) == f"s3://elsewhere/documents/shop.json: {missing}"
    assert said_of(lambda: list(documents.listed())) == f"s3://elsewhere/documents/: {missing}"


def test_a_bucket_without_versions_is_refused(unversioned: Bucket) -> None:
    unversioned.upload(b"first")
    assert said_of(lambda: unversioned.documents.current("shop")) == (
        f"{SHOP}: the bucket has no version of it, so a version cannot be pinned; "
        "enable versioning for the bucket, then upload the document again"
    )


def test_an_object_from_before_versioning_is_refused_until_it_is_uploaded_once_more(unversioned: Bucket) -> None:
    unversioned.upload(b"first")
    unversioned.keep_versions()
    assert "has no version of it" in said_of(lambda: unversioned.documents.current("shop"))
    version = unversioned.upload(b"first")
    pinned = unversioned.documents.current("shop")
    assert pinned is not None
    assert pinned.version_id == version


def test_the_version_called_null_is_refused(bucket: Bucket) -> None:
    bucket.upload(b"first")

    def suspended(parsed: dict[str, Any], **_: object) -> None:
        parsed["VersionId"] = "null"

    with _answers(bucket.owned, suspended):
        assert "has no version of it" in said_of(lambda: bucket.documents.current("shop"))


def test_a_refused_read_is_an_error_that_says_what_else_s3_means_by_it(bucket: Bucket) -> None:
    bucket.upload(b"first")
    bucket.lab.faults.refuse("GetObject", "AccessDenied")
    with pytest.raises(SourceError) as refused:
        bucket.documents.current("shop")
    assert (refused.value.code, refused.value.gone) == ("AccessDenied", False)
    assert str(refused.value) == f"{SHOP}: S3 answers AccessDenied: AccessDenied (laboratory fault); {ACCESS}"


@pytest.mark.parametrize("code", ["NoSuchVersion", "MethodNotAllowed", "NoSuchBucket", "NotFound", "404"])
def test_only_one_answer_means_that_a_document_is_deleted(bucket: Bucket, code: str) -> None:
    bucket.upload(b"first")
    bucket.lab.faults.fail("GetObject", code)
    assert said_of(lambda: bucket.documents.current("shop")).startswith(f"{SHOP}: S3 answers {code}: ")
    bucket.lab.faults.fail("GetObject", "NoSuchKey")
    assert bucket.documents.current("shop") is None


def test_a_throttled_read_is_an_error_and_the_next_one_is_none(bucket: Bucket) -> None:
    first = bucket.upload(b"first")
    bucket.lab.faults.throttle("GetObject", code="SlowDown")
    assert said_of(lambda: bucket.documents.version("shop", first)) == (
        f"{SHOP}?versionId={first}: S3 answers SlowDown: SlowDown (laboratory fault); {LATER}"
    )
    assert bucket.documents.version("shop", first).data == b"first"


def test_an_answer_that_is_lost_is_an_error_and_no_deleted_document(bucket: Bucket) -> None:
    bucket.upload(b"first")
    bucket.lab.faults.lose_answer("GetObject", times=2)
    assert said_of(lambda: bucket.documents.current("shop")) == (
        f'{SHOP}: S3 gives no answer: ReadTimeoutError: Read timeout on endpoint URL: "https://laboratory.invalid/"; '
        f"{LATER}"
    )
    assert "S3 gives no answer: ConnectionClosedError: " in said_of(lambda: bucket.documents.current("shop"))


@pytest.mark.parametrize("name", ["", "Shop", "../shop", "shop/x", "shop\n", "-shop", "s" * 64])
def test_what_is_no_name_is_never_asked_for(bucket: Bucket, name: str) -> None:
    assert "is not a valid document name; check the name" in said_of(lambda: bucket.documents.current(name))
    assert bucket.calls() == []


class Wire(BytesIO):
    """The bytes of an answer as they come from the network: in pieces, and perhaps not all of them."""

    def __init__(self, *pieces: bytes, then: Exception | None = None) -> None:
        super().__init__()
        self.pieces, self.then = list(pieces), then

    def read(self, amount: int | None = -1, /) -> bytes:
        if self.pieces:
            piece = self.pieces.pop(0)
            if amount is not None and piece[amount:]:
                self.pieces.insert(0, piece[amount:])
            return piece[:amount]
        if self.then:
            raise self.then
        return b""


def _body(wire: Wire, length: int) -> Callable[..., None]:
    def replaced(parsed: dict[str, Any], **_: object) -> None:
        parsed.update(Body=StreamingBody(wire, length), ContentLength=length)

    return replaced


class _answers:  # noqa: N801 (reads as a function, and needs to be undone)
    """While it lasts, every GetObject of the client is answered as `change` makes it."""

    def __init__(self, client: S3Client, change: Callable[..., None]) -> None:
        self.events, self.change = client.meta.events, change

    def __enter__(self) -> None:
        self.events.register("after-call.s3.GetObject", self.change)

    def __exit__(self, *_: object) -> None:
        self.events.unregister("after-call.s3.GetObject", self.change)


def test_a_body_that_comes_in_pieces_is_put_together(bucket: Bucket) -> None:
    bucket.upload(b"first")
    wire = Wire(b"f", b"ir", b"st")
    with _answers(bucket.owned, _body(wire, 5)):
        pinned = bucket.documents.current("shop")
    assert pinned is not None
    assert (pinned.data, wire.closed) == (b"first", True)


@pytest.mark.parametrize(
    ("then", "problem"),
    [
        (None, "S3 gives no answer: IncompleteReadError: 3 read, but total bytes expected is 5."),
        (ProtocolError("reset"), "S3 gives no answer: ResponseStreamingError: "),
        (SSLError("bad record"), "S3 gives no answer: SSLError: bad record"),
    ],
)
def test_a_body_that_breaks_off_is_an_error_and_no_shorter_document(
    bucket: Bucket, then: Exception | None, problem: str
) -> None:
    version = bucket.upload(b"first")
    wire = Wire(b"fir", then=then)
    with _answers(bucket.owned, _body(wire, 5)):
        assert said_of(lambda: bucket.documents.current("shop")).startswith(f"{SHOP}: {problem}")
    assert wire.closed
    assert bucket.documents.version("shop", version).data == b"first"


@pytest.mark.parametrize("length", [6, 2_000_000, None])
def test_a_body_of_another_length_than_was_announced_is_an_error(bucket: Bucket, length: int | None) -> None:
    bucket.upload(b"first")

    def announced(parsed: dict[str, Any], **_: object) -> None:
        del parsed["ContentLength"]
        if length is not None:
            parsed["ContentLength"] = length

    with _answers(bucket.owned, announced):
        said = said_of(lambda: bucket.documents.current("shop"))
    assert said == f"{SHOP}: the answer broke off after 5 of {length} bytes; {LATER}"


def test_bytes_that_changed_on_the_way_are_an_error(bucket: Bucket) -> None:
    bucket.upload(b"first")

    def changed(parsed: dict[str, Any], **_: object) -> None:
        checked = Crc32Checksum()
        checked.update(b"first")
        parsed["Body"] = StreamingChecksumBody(BytesIO(b"fires"), 5, Crc32Checksum(), checked.b64digest())

    with _answers(bucket.owned, changed):
        assert "S3 gives no answer: FlexibleChecksumError: " in said_of(lambda: bucket.documents.current("shop"))


def test_of_an_object_too_large_one_byte_more_than_a_document_may_have_is_read(bucket: Bucket) -> None:
    bucket.upload(b"first")
    wire = Wire(b"x" * 600_000, b"x" * 600_000, b"x" * 600_000)
    with _answers(bucket.owned, _body(wire, 1_800_000)):
        pinned = bucket.documents.current("shop")
    assert pinned is not None
    assert len(pinned.data) == 1_000_001
    assert [len(piece) for piece in wire.pieces] == [199_999, 600_000]
    assert wire.closed


def _fill(count: int) -> None:
    """So many documents, straight into the emulator."""
    shelf = get_backend("s3")[ACCOUNT]["aws"]
    for number in range(count):
        shelf.put_object("papers", f"documents/shop-{number:04}.json", b"{}")


def test_1500_documents_are_listed_over_two_pages(bucket: Bucket) -> None:
    _fill(1500)
    names = (one.name for one in bucket.documents.listed())
    assert next(names) == "shop-0000"
    assert bucket.calls() == ["ListObjectsV2"]
    assert list(names) == [f"shop-{number:04}" for number in range(1, 1500)]
    assert bucket.calls() == ["ListObjectsV2", "ListObjectsV2"]


def test_a_second_page_that_cannot_be_read_is_an_error_and_no_end(bucket: Bucket) -> None:
    _fill(1001)
    names = (one.name for one in bucket.documents.listed())
    first = next(names)
    bucket.lab.faults.throttle("ListObjectsV2", code="SlowDown")
    seen = [first]
    assert said_of(lambda: seen.extend(names)) == (
        f"s3://papers/documents/: S3 answers SlowDown: SlowDown (laboratory fault); {LATER}"
    )
    assert len(seen) == 1000


def test_a_refused_listing_says_what_to_grant(bucket: Bucket) -> None:
    bucket.lab.faults.refuse("ListObjectsV2", "AccessDenied")
    assert said_of(lambda: list(bucket.documents.listed())) == (
        "s3://papers/documents/: S3 answers AccessDenied: AccessDenied (laboratory fault); "
        "grant s3:ListBucket on the bucket"
    )


def test_an_empty_folder_has_no_names(bucket: Bucket, caplog: pytest.LogCaptureFixture) -> None:
    bucket.upload(b"", "documents/")
    assert [one.name for one in bucket.documents.listed()] == []
    assert caplog.messages == []


def test_strange_keys_are_skipped_and_told_in_one_line(bucket: Bucket, caplog: pytest.LogCaptureFixture) -> None:
    strange = [
        "\nERROR \u202elost.json",
        "Shop.json",
        "shop.JSON",
        "shop.json.bak",
        ".json",
        "-shop.json",
        "readme.txt",
    ]
    for key in [*strange, "shop.json", "archive/old.json", "a.json"]:
        bucket.upload(b"{}", f"documents/{key}")
    bucket.upload(b"{}", "documents.json")
    bucket.upload(b"{}", "other/shop.json")
    with caplog.at_level(logging.INFO):
        assert [one.name for one in bucket.documents.listed()] == ["a", "shop"]
    assert caplog.messages == [
        (
            "s3://papers/documents/: 7 keys are ignored, such as '\\nERROR \\u202elost.json'; "
            "the key of a document is <name>.json, <name> of a-z, 0-9 and -"
        )
    ]


def test_a_deleted_document_is_not_listed(bucket: Bucket) -> None:
    bucket.upload(b"{}")
    bucket.upload(b"{}", "documents/store.json")
    bucket.delete()
    assert [one.name for one in bucket.documents.listed()] == ["store"]


@pytest.mark.parametrize("left", [0, 1, 2000])
def test_an_emptied_or_truncated_object_is_refused_and_the_last_good_one_enforced(bucket: Bucket, left: int) -> None:
    good = bucket.upload(DOCUMENT.encode())
    first = select_version("shop", bucket.documents, None, lambda document: "")
    cut = bucket.upload(DOCUMENT.replace('"revision": 3', '"revision": 4').encode()[:left])
    second = select_version("shop", bucket.documents, first.accepted, lambda document: "")
    assert second.document is not None
    assert (second.document.revision, second.document.origin) == (3, f"{SHOP}?versionId={good}")
    assert second.accepted == first.accepted
    assert second.refusal.startswith(f"{SHOP}?versionId={cut}:")
    assert bucket.calls() == ["GetObject", "GetObject", "GetObject"]


def test_a_document_lives_through_acceptance_rollback_deletion_and_return(bucket: Bucket) -> None:
    accepted: Accepted | None = None

    def now(accept_revision: int | None = None) -> tuple[int | None, bool, bool]:
        """The revision that is enforced, whether the newest version was refused, whether there is none."""
        nonlocal accepted
        approval = Approval(accept_revision)
        answer = select_version("shop", bucket.documents, accepted, lambda document: "", approval)
        accepted = answer.accepted
        return answer.document.revision if answer.document else None, bool(answer.refusal), answer.deleted

    three, four = DOCUMENT.encode(), edited(('"revision": 3', '"revision": 4')).encode()
    bucket.upload(three)
    assert now() == (3, False, False)
    bucket.upload(four)
    assert now() == (4, False, False)
    bucket.upload(three)
    assert now() == (4, True, False)
    assert now(accept_revision=4) == (None, True, False)
    assert now(accept_revision=3) == (3, False, False)
    assert now() == (3, False, False)
    marker = bucket.delete()
    assert now() == (None, False, True)
    bucket.upload(b"{")
    assert now() == (None, True, False)
    assert now() == (None, True, False)
    broken = bucket.hands.head_object(Bucket="papers", Key="documents/shop.json")["VersionId"]
    bucket.delete(broken)
    bucket.delete(marker)
    assert now() == (3, False, False)
