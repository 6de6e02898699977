"""Which version of a document is enforced: never an older or other one by accident, and the last good one meanwhile."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import pytest

from desired_state.document import Document
from desired_state.rollback_note import RollbackNote
from desired_state.sources import Pinned, SourceError
from reconciler.attempt import version
from reconciler.attempt.version import Approval, VersionSelection, select_version
from reconciler.ledger.record import Accepted
from tests.support.documents import edited

PLACE = "s3://papers/documents/shop.json?versionId="


def revision(number: int, vpc: str = "main") -> bytes:
    """Document `shop` of that revision; `vpc` makes other bytes of it."""
    return edited(('"revision": 3', f'"revision": {number}'), ('"main": {', f'"{vpc}": {{')).encode()


def remembered(number: int, version_id: str, data: bytes | None = None) -> Accepted:
    return Accepted(number, hashlib.sha256(data or revision(number)).hexdigest(), version_id)


@dataclass
class Shelf:
    """The versions of document `shop`, by their ids; the last one is the newest. It counts what is read."""

    versions: dict[str, bytes]
    deleted: bool = False
    unreadable: dict[str, str] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    notes: dict[str, RollbackNote] = field(default_factory=dict)

    def current(self, name: str) -> Pinned | None:
        return None if self.deleted else self.version(name, list(self.versions)[-1])

    def version(self, name: str, version_id: str) -> Pinned:
        self.reads.append(version_id)
        if version_id in self.unreadable:
            raise SourceError(PLACE + version_id, "S3 is slow", "look again later", self.unreadable[version_id])
        if version_id not in self.versions:
            raise SourceError(PLACE + version_id, "S3 answers NoSuchVersion", "look again later", "NoSuchVersion")
        note = self.notes.get(version_id)
        return Pinned(name, self.versions[version_id], version_id, PLACE + version_id, note)


def everywhere(document: Document) -> str:
    return ""


def nowhere(document: Document) -> str:
    return f"account {document.scope.account_id} is not reached: give a role in it"


def approved(shelf: Shelf, accepted: Accepted | None, approval: Approval) -> VersionSelection:
    return select_version("shop", shelf, accepted, everywhere, approval)


def taken(shelf: Shelf, accepted: Accepted | None, accept_revision: int | None = None) -> VersionSelection:
    return select_version("shop", shelf, accepted, everywhere, Approval(accept_revision))


def enforced(answer: VersionSelection) -> tuple[int, str] | None:
    """Revision and version of what is enforced."""
    if answer.document is None:
        return None
    return answer.document.revision, answer.document.origin.removeprefix(PLACE)


def test_the_first_version_that_loads_is_accepted() -> None:
    answer = taken(Shelf({"v1": revision(3)}), None)
    assert enforced(answer) == (3, "v1")
    assert answer.accepted == remembered(3, "v1")
    assert (answer.refusal, answer.deleted) == ("", False)


def test_what_a_rollback_noted_goes_with_the_version_that_is_enforced() -> None:
    note = RollbackNote(3, "wrong port")
    shelf = Shelf({"v1": revision(3), "v2": revision(4, "other"), "v3": revision(5)}, notes={"v3": note})
    newest = taken(shelf, remembered(4, "v2", revision(4, "other")))
    assert newest.document is not None
    assert newest.document.rollback == note
    assert newest.accepted == remembered(5, "v3")
    refused = taken(shelf, remembered(9, "v2", revision(4, "other")))
    assert refused.document is None or refused.document.rollback is None


def test_a_newer_revision_is_accepted() -> None:
    answer = taken(Shelf({"v1": revision(3), "v2": revision(5)}), remembered(3, "v1"))
    assert enforced(answer) == (5, "v2")
    assert answer.accepted == remembered(5, "v2")
    assert answer.refusal == ""


def test_the_version_that_was_accepted_is_enforced_after_one_read() -> None:
    shelf = Shelf({"v1": revision(3)})
    answer = taken(shelf, remembered(3, "v1"))
    assert (enforced(answer), answer.accepted, answer.refusal) == ((3, "v1"), remembered(3, "v1"), "")
    assert shelf.reads == ["v1"]


def test_the_same_bytes_uploaded_again_are_accepted_and_pinned_anew() -> None:
    answer = taken(Shelf({"v1": revision(3), "v2": revision(3)}), remembered(3, "v1"))
    assert (enforced(answer), answer.accepted, answer.refusal) == ((3, "v2"), remembered(3, "v2"), "")


def test_an_older_revision_is_refused_and_the_accepted_one_stays() -> None:
    shelf = Shelf({"v1": revision(5), "v2": revision(4)})
    answer = taken(shelf, remembered(5, "v1"))
    assert (enforced(answer), answer.accepted) == ((5, "v1"), remembered(5, "v1"))
    assert answer.refusal.split("\n") == [
        (
            f"{PLACE}v2: revision 4 is older than revision 5, which was accepted; "
            "upload it with a revision above 5, or accept revision 4 by hand (accept_revision)"
        ),
        "Revision 5, accepted before, continues to be enforced.",
    ]
    assert shelf.reads == ["v2", "v1"]


def test_other_bytes_under_the_same_revision_are_refused_and_the_accepted_ones_stay() -> None:
    answer = taken(Shelf({"v1": revision(5), "v2": revision(5, vpc="other")}), remembered(5, "v1"))
    assert (enforced(answer), answer.accepted) == ((5, "v1"), remembered(5, "v1"))
    assert answer.document is not None
    assert answer.document.vpc == "vpc/main"
    assert answer.refusal.split("\n") == [
        (
            f"{PLACE}v2: revision 5 was accepted with different content; "
            "upload it with a revision above 5, or accept revision 5 by hand (accept_revision)"
        ),
        "Revision 5, accepted before, continues to be enforced.",
    ]


def test_an_older_revision_is_accepted_by_hand() -> None:
    shelf = Shelf({"v1": revision(5), "v2": revision(4)})
    answer = taken(shelf, remembered(5, "v1"), accept_revision=4)
    assert (enforced(answer), answer.accepted, answer.refusal) == ((4, "v2"), remembered(4, "v2"), "")
    assert answer.accepted is not None
    later = taken(shelf, answer.accepted)
    assert (enforced(later), later.refusal) == ((4, "v2"), "")


def test_other_bytes_under_the_same_revision_are_accepted_by_hand() -> None:
    other = revision(5, vpc="other")
    answer = taken(Shelf({"v1": revision(5), "v2": other}), remembered(5, "v1"), accept_revision=5)
    assert (enforced(answer), answer.accepted, answer.refusal) == ((5, "v2"), remembered(5, "v2", other), "")


@pytest.mark.parametrize("there", [4, 5, 6])
def test_nothing_is_enforced_when_another_revision_is_there_than_was_to_be_accepted(there: int) -> None:
    shelf = Shelf({"v1": revision(5), "v2": revision(there)})
    answer = taken(shelf, remembered(5, "v1"), accept_revision=3)
    assert (enforced(answer), answer.accepted) == (None, remembered(5, "v1"))
    assert answer.refusal == (
        f"{PLACE}v2: the request accepts revision 3, but the object has revision {there}; nothing was done; "
        "review it, then accept the revision it has, or upload the one you mean"
    )


def test_accepting_by_hand_does_not_make_a_broken_document_a_good_one() -> None:
    answer = taken(Shelf({"v1": revision(5), "v2": b"{}"}), remembered(5, "v1"), accept_revision=6)
    assert (enforced(answer), answer.accepted) == ((5, "v1"), remembered(5, "v1"))
    assert answer.refusal.startswith(f"{PLACE}v2:1:1: ")


def test_a_version_that_does_not_load_is_refused_with_all_that_is_wrong_with_it() -> None:
    broken = edited(('"revision": 3', '"revision": 0'), ('"10.0.1.0/24"', '"10.0.1.7/24"')).encode()
    answer = taken(Shelf({"v1": revision(3), "v2": broken}), remembered(3, "v1"))
    assert (enforced(answer), answer.accepted) == ((3, "v1"), remembered(3, "v1"))
    assert answer.refusal.split("\n") == [
        f"{PLACE}v2:4:15: 0 is too small (revision); write 1 or more",
        (
            f"{PLACE}v2:12:28: '10.0.1.7/24' is not in canonical form "
            '(resources.subnet.a.cidr_block); write "10.0.1.0/24"'
        ),
        "Revision 3, accepted before, continues to be enforced.",
    ]


@pytest.mark.parametrize("data", [b"", b" ", revision(6)[:700], b"\x00" * 40, b"x" * 1_000_001])
def test_an_emptied_truncated_or_bloated_object_is_refused_and_the_last_good_one_enforced(data: bytes) -> None:
    answer = taken(Shelf({"v1": revision(5), "v2": data}), remembered(5, "v1"))
    assert (enforced(answer), answer.accepted) == ((5, "v1"), remembered(5, "v1"))
    assert answer.refusal.startswith(f"{PLACE}v2:")


def test_a_document_of_another_name_is_refused() -> None:
    answer = select_version("store", Shelf({"v1": revision(3)}), None, everywhere)
    assert (answer.document, answer.accepted) == (None, None)
    assert answer.refusal.split("\n") == [
        (
            f"{PLACE}v1: the object is named store, but the document in it is named shop; "
            'write "name": "store", or upload it as shop.json'
        ),
        "Nothing is enforced: no version of this document was ever accepted.",
    ]


def test_a_document_for_an_account_out_of_reach_is_refused_and_the_accepted_one_stays() -> None:
    foreign = edited(('"123456789012"', '"111122223333"'), ('"revision": 3', '"revision": 4')).encode()

    def scope_problem(document: Document) -> str:
        return "" if document.scope.account_id == "123456789012" else nowhere(document)

    answer = select_version("shop", Shelf({"v1": revision(3), "v2": foreign}), remembered(3, "v1"), scope_problem)
    assert (enforced(answer), answer.accepted) == ((3, "v1"), remembered(3, "v1"))
    assert answer.refusal.split("\n") == [
        f"{PLACE}v2: account 111122223333 is not reached: give a role in it",
        "Revision 3, accepted before, continues to be enforced.",
    ]


def test_an_account_that_is_reached_no_longer_ends_the_enforcing_of_the_accepted_version_too() -> None:
    answer = select_version("shop", Shelf({"v1": revision(3), "v2": b"{"}), remembered(3, "v1"), nowhere)
    assert (answer.document, answer.accepted) == (None, remembered(3, "v1"))
    assert answer.refusal.split("\n")[1:] == [
        "Nothing is enforced: the version accepted last cannot be enforced either.",
        f"{PLACE}v1: account 123456789012 is not reached: give a role in it",
    ]


def test_a_hostile_reason_stays_on_one_line() -> None:
    answer = select_version(
        "shop", Shelf({"v1": revision(3)}), None, lambda document: "no\nRevision 9 \x1b[2Jis enforced"
    )
    assert answer.refusal.split("\n") == [
        f"{PLACE}v1: no\\nRevision 9 \\x1b[2Jis enforced",
        "Nothing is enforced: no version of this document was ever accepted.",
    ]


def test_a_deleted_document_is_not_enforced_and_its_revision_is_remembered() -> None:
    answer = taken(Shelf({"v1": revision(3)}, deleted=True), remembered(3, "v1"))
    assert answer == VersionSelection(None, remembered(3, ""), refusal="", deleted=True)


def test_a_document_that_was_never_there_is_deleted() -> None:
    assert taken(Shelf({}, deleted=True), None) == VersionSelection(None, None, refusal="", deleted=True)


def test_a_deleted_document_that_is_restored_is_enforced_again() -> None:
    answer = taken(Shelf({"v1": revision(3)}), remembered(3, ""))
    assert (enforced(answer), answer.accepted, answer.refusal) == ((3, "v1"), remembered(3, "v1"), "")


def test_a_refused_upload_does_not_bring_back_what_was_deleted_before_it() -> None:
    shelf = Shelf({"v1": revision(3), "v2": revision(2)})
    answer = taken(shelf, remembered(3, ""))
    assert (answer.document, answer.accepted) == (None, remembered(3, ""))
    assert answer.refusal.split("\n")[1:] == [
        "Nothing is enforced: the document was deleted after revision 3 was accepted."
    ]
    assert shelf.reads == ["v2"]


def test_the_accepted_version_with_other_bytes_than_remembered_is_not_enforced() -> None:
    shelf = Shelf({"v1": revision(3)})
    answer = taken(shelf, Accepted(3, "0" * 64, "v1"))
    assert (answer.document, answer.accepted) == (None, Accepted(3, "0" * 64, "v1"))
    digest = hashlib.sha256(revision(3)).hexdigest()
    assert answer.refusal.split("\n") == [
        (
            f"{PLACE}v1: this version has revision 3 and sha256 {digest}, but was accepted with revision 3 and sha256 "
            f"{'0' * 64}; find out who changed the stored record, then upload it with a revision above 3, "
            "or accept revision 3 by hand (accept_revision)"
        ),
        "Nothing is enforced: this is the version that was accepted before.",
    ]
    assert shelf.reads == ["v1"]


@pytest.mark.parametrize("wrong", [Accepted(3, "0" * 64, "v1"), remembered(9, "v1", revision(3))])
def test_a_refused_version_does_not_bring_back_one_that_is_not_what_was_accepted(wrong: Accepted) -> None:
    answer = taken(Shelf({"v1": revision(3), "v2": b"{}"}), wrong)
    assert (answer.document, answer.accepted) == (None, wrong)
    assert "Nothing is enforced: the version accepted last cannot be enforced either." in answer.refusal.split("\n")


def test_accepting_by_hand_corrects_what_is_remembered_wrong() -> None:
    answer = taken(Shelf({"v1": revision(3)}), Accepted(3, "0" * 64, "v1"), accept_revision=3)
    assert (enforced(answer), answer.accepted, answer.refusal) == ((3, "v1"), remembered(3, "v1"), "")


def test_the_accepted_version_that_loads_no_longer_is_read_once_and_not_enforced() -> None:
    stricter_now = b'{"version": 1}'
    shelf = Shelf({"v1": stricter_now})
    answer = taken(shelf, remembered(3, "v1", stricter_now))
    assert (answer.document, answer.accepted) == (None, remembered(3, "v1", stricter_now))
    assert answer.refusal.split("\n")[-1] == "Nothing is enforced: this is the version that was accepted before."
    assert shelf.reads == ["v1"]


def test_nothing_is_enforced_when_the_accepted_version_is_gone_and_the_newest_refused() -> None:
    answer = taken(Shelf({"v2": b"{}"}), remembered(3, "v1"))
    assert (answer.document, answer.accepted) == (None, remembered(3, "v1"))
    assert answer.refusal.startswith(f"{PLACE}v2:1:1: ")
    assert answer.refusal.split("\n")[-2:] == [
        "Nothing is enforced: the version accepted last is gone.",
        f"{PLACE}v1: S3 answers NoSuchVersion; look again later",
    ]


def test_nothing_is_known_when_the_newest_version_cannot_be_read() -> None:
    shelf = Shelf({"v1": revision(3), "v2": revision(4)}, unreadable={"v2": "SlowDown"})
    with pytest.raises(SourceError, match="v2: S3 is slow"):
        taken(shelf, remembered(3, "v1"))
    assert shelf.reads == ["v2"]


def test_nothing_is_known_when_the_accepted_version_is_needed_and_cannot_be_read() -> None:
    shelf = Shelf({"v1": revision(3), "v2": b"{}"}, unreadable={"v1": "SlowDown"})
    with pytest.raises(SourceError, match="v1: S3 is slow"):
        taken(shelf, remembered(3, "v1"))


# What opens the network


def opening(number: int, port: int = 22) -> bytes:
    """A revision that lets the internet reach a port of the front door."""
    rule = f'{{ "protocol": "tcp", "ports": {port}, "source": "0.0.0.0/0" }}, '
    ssh = f'"90": {{ "action": "allow", "protocol": "tcp", "ports": {port}, "source": "0.0.0.0/0" }}, '
    https = '{ "protocol": "tcp", "ports": 443, "source": "0.0.0.0/0", "description": "HTTPS" }'
    return edited(
        ('"revision": 3', f'"revision": {number}'),
        (https, rule + https),
        ('"ingress": { "100"', f'"ingress": {{ {ssh}"100"'),
    ).encode()


def test_what_newly_opens_the_network_is_held_and_the_accepted_version_stays() -> None:
    shelf = Shelf({"v1": revision(3), "v2": opening(4)})
    answer = taken(shelf, remembered(3, "v1"))
    assert (enforced(answer), answer.accepted, answer.refusal) == ((3, "v1"), remembered(3, "v1"), "")
    assert (answer.held, answer.newest) == ("Revision 3, accepted before, continues to be enforced.", "v2")
    assert shelf.reads == ["v2", "v1"]


def test_an_approved_version_is_accepted_and_is_not_new_afterwards() -> None:
    shelf = Shelf({"v1": revision(3), "v2": opening(4)})
    held = taken(shelf, remembered(3, "v1"))
    assert held.change is not None
    answer = approved(shelf, remembered(3, "v1"), Approval(approve_revision=held.change.fingerprint))
    assert (enforced(answer), answer.held) == ((4, "v2"), "")
    assert answer.accepted is not None
    shelf.reads.clear()
    later = taken(shelf, answer.accepted)
    assert (enforced(later), later.change, shelf.reads) == ((4, "v2"), None, ["v2"])
    again = approved(shelf, answer.accepted, Approval(approve_revision=held.change.fingerprint))
    assert (enforced(again), again.accepted, answer.newest) == (None, answer.accepted, "v2")
    assert "revision 4 is accepted already, and nothing waits for an approval; nothing was done" in again.refusal


def test_a_version_that_waits_is_compared_once_and_few_comparisons_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "_CHANGES", {})
    for port in (22, 23, 24, 25, 26):
        shelf = Shelf({"v1": revision(3), "v2": opening(4, port)})
        held = taken(shelf, remembered(3, "v1")).change
        assert held is not None
        assert taken(shelf, remembered(3, "v1")).change is held
    assert len(version._CHANGES) == version._MOST_CHANGES == 4


@pytest.mark.parametrize(
    "newest", [opening(4, port=3389), opening(5), opening(4).replace(b"HTTPS", b"https"), revision(4)]
)
def test_an_approval_is_for_these_very_bytes(newest: bytes) -> None:
    held = taken(Shelf({"v1": revision(3), "v2": opening(4)}), remembered(3, "v1"))
    assert held.change is not None
    approval = Approval(approve_revision=held.change.fingerprint)
    answer = approved(Shelf({"v1": revision(3), "v3": newest}), remembered(3, "v1"), approval)
    assert (enforced(answer), answer.accepted, answer.change) == (None, remembered(3, "v1"), None)
    assert f"the approval is for {held.change.fingerprint}, but the newest version is " in answer.refusal


def test_an_approval_is_for_what_it_was_compared_with() -> None:
    held = taken(Shelf({"v1": revision(3), "v3": opening(5)}), remembered(3, "v1"))
    assert held.change is not None
    approval = Approval(approve_revision=held.change.fingerprint)
    other = revision(4, vpc="other")
    answer = approved(Shelf({"v2": other, "v3": opening(5)}), remembered(4, "v2", other), approval)
    assert enforced(answer) is None


@pytest.mark.parametrize("approval", [Approval(accept_revision=3), Approval(accept_revision=3, hold_exposures=True)])
def test_accepting_an_older_revision_is_no_approval_of_what_it_opens(approval: Approval) -> None:
    shelf = Shelf({"v1": revision(4), "v2": opening(3)})
    answer = approved(shelf, remembered(4, "v1"), approval)
    assert (enforced(answer), bool(answer.held)) == ((4, "v1"), True)


def test_without_holding_it_is_accepted_and_what_it_opens_is_known() -> None:
    shelf = Shelf({"v1": revision(3), "v2": opening(4)})
    answer = approved(shelf, remembered(3, "v1"), Approval(hold_exposures=False))
    assert (enforced(answer), answer.held) == ((4, "v2"), "")
    assert answer.change is not None
    assert len(answer.change.holds) == 1


def test_a_first_version_is_compared_with_nothing() -> None:
    answer = taken(Shelf({"v1": opening(3)}), None)
    assert (enforced(answer), answer.accepted) == (None, None)
    assert answer.held == "Nothing is enforced: no version of this document was ever accepted."


@pytest.mark.parametrize(
    ("versions", "accepted", "why"),
    [
        ({"v2": opening(4)}, remembered(3, "v1"), "the version accepted last is gone."),
        ({"v2": opening(4)}, remembered(3, ""), "the document was deleted after revision 3 was accepted."),
        (
            {"v1": revision(3), "v2": opening(4)},
            Accepted(3, "0" * 64, "v1"),
            "the version accepted last cannot be enforced either.",
        ),
    ],
)
def test_a_version_before_that_is_gone_or_not_itself_is_no_excuse(
    versions: dict[str, bytes], accepted: Accepted, why: str
) -> None:
    answer = taken(Shelf(versions), accepted)
    assert (enforced(answer), answer.accepted) == (None, accepted)
    assert answer.held.splitlines()[0] == f"Nothing is enforced: {why}"
    assert answer.change is not None
    assert answer.change.before is None


def test_a_version_before_that_cannot_be_read_is_not_taken_for_one_that_is_gone() -> None:
    shelf = Shelf({"v1": revision(3), "v2": opening(4)}, unreadable={"v1": "SlowDown"})
    with pytest.raises(SourceError, match="v1: S3 is slow"):
        taken(shelf, remembered(3, "v1"))
