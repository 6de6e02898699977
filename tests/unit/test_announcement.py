"""What a version changes is told compared with the version that was announced last; and what a run with a damaged item
tells and remembers.
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from desired_state.load import load
from desired_state.sources import Pinned, SourceError
from reconciler.attempt import damaged
from reconciler.attempt.announcement import pending
from reconciler.attempt.version import VersionSelection
from reconciler.ledger.item import MalformedItem
from reconciler.ledger.lease import Damage
from reconciler.ledger.record import Accepted, DocumentRecord, Notified, Untold
from reconciler.report.attempt import Ending
from reconciler.revision.compare import compare
from tests.support.attempts import ended
from tests.support.runs import REFERENCE
from tests.support.worlds import MORNING


def written(revision: int) -> bytes:
    """A version with another port open in each revision."""
    one: dict[str, Any] = deepcopy(REFERENCE)
    rule = {"protocol": "tcp", "ports": 9000 + revision, "source": "0.0.0.0/0"}
    one["resources"]["security_group"]["APIGatewaySG"]["ingress"].append(rule)
    return json.dumps(one | {"revision": revision, "intents": []}).encode()


DOCUMENTS = {f"v{revision}": load(written(revision), "s3://x") for revision in (1, 2, 3)}
ONE, TWO, THREE = (Accepted(one.revision, one.sha256, version) for version, one in DOCUMENTS.items())
CHANGES = {(a, b): compare(DOCUMENTS[a], DOCUMENTS[b]) for a, b in (("v1", "v2"), ("v2", "v3"), ("v1", "v3"))}
ALL = compare(None, DOCUMENTS["v3"])
"""What the third version changes where nothing was before."""


class Bucket:
    """Every version but some: `gone` for ever, `refused` for now, or of bytes that do not load any more."""

    def __init__(self, way: str = "") -> None:
        self.way = way

    def current(self, name: str) -> Pinned | None:
        raise AssertionError(name)

    def version(self, name: str, version_id: str) -> Pinned:
        assert version_id
        if self.way in {"gone", "refused"}:
            code = {"gone": "NoSuchVersion", "refused": "AccessDenied"}[self.way]
            raise SourceError("s3://x", "not there", "hint", code)
        data = b"{}" if self.way == "odd" else written(int(version_id[1:]))
        return Pinned(name, data, version_id, "s3://x")


def told(
    announced: Accepted | None,
    before: Accepted | None,
    way: str = "",
    accepted: Accepted | None = THREE,
    **selected: Any,
) -> Any:
    """What is told of the third version; `before` is what was accepted when the run began."""
    change = CHANGES["v2", "v3"]
    selection = VersionSelection(DOCUMENTS["v3"], THREE, **({"change": change} | selected))
    record = replace(DocumentRecord(), accepted=accepted, announced=announced)
    return pending("shop", Bucket(way), selection, before, record)


@pytest.mark.parametrize(
    ("announced", "before", "way", "selected", "expected"),
    [
        (TWO, TWO, "gone", {}, CHANGES["v2", "v3"]),  # as it was compared already: nothing is read again
        (TWO, None, "gone", {}, CHANGES["v2", "v3"]),
        (ONE, TWO, "", {}, CHANGES["v1", "v3"]),  # the second one was never announced
        (TWO, TWO, "", {"change": None}, CHANGES["v2", "v3"]),
        (ONE, ONE, "", {"held": "x"}, CHANGES["v1", "v3"]),
        (ONE, TWO, "gone", {}, ALL),
        (ONE, TWO, "odd", {}, ALL),
        (replace(ONE, version_id=""), TWO, "refused", {}, ALL),
        (ONE, TWO, "refused", {}, None),
        (THREE, TWO, "", {}, None),
        (replace(THREE, version_id="v9"), TWO, "", {}, None),
        (None, TWO, "", {}, None),
    ],
)
def test_a_version_is_told_as_what_it_changes_of_the_last_that_people_heard_of(
    announced: Accepted | None, before: Accepted | None, way: str, selected: Any, expected: Any
) -> None:
    assert told(announced, before, way, **selected) == expected


def test_where_nothing_is_accepted_or_selected_nothing_is_announced() -> None:
    assert told(None, None, accepted=None) is None
    assert told(ONE, TWO, accepted=None) is None
    nothing = VersionSelection(None, THREE, change=CHANGES["v2", "v3"])
    record = replace(DocumentRecord(), accepted=THREE, announced=TWO)
    assert pending("shop", Bucket(), nothing, TWO, record) is None


def test_why_a_version_is_told_later_or_without_the_one_before_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    told(ONE, TWO, "refused")
    told(ONE, TWO, "odd")
    first, second = (one.getMessage() for one in caplog.records)
    assert first.startswith("shop: what revision 3 changes is told by another run: ")
    assert second.startswith("shop: revision 1, announced last, does not load any more: ")


DAMAGE = Damage("ledger", (MalformedItem("shape", "odd"),))


@pytest.mark.parametrize(("problem", "held"), [("", ""), ("it is down", ""), ("", "held"), ("it is down", "held")])
def test_of_a_damaged_item_a_run_tells_that_and_announces_only_what_is_held(problem: str, held: str) -> None:
    change = CHANGES["v1", "v2"]
    before = replace(ended(Ending.UNOBSERVABLE), problem=problem, held=held, change=change, approved_by="somebody")
    seen = damaged.seen(before, DAMAGE)
    said = "its item cannot be read, at shape: odd (correct it) (table ledger)"
    assert (seen.damage, seen.problem, seen.approved_by) == (said, problem or said, "")
    assert seen.change == (change if held else None)
    assert replace(seen, damage="", problem=problem, approved_by="somebody", change=change) == before


def test_of_a_damaged_item_only_the_look_and_what_people_know_is_remembered() -> None:
    changes: dict[str, Any] = {
        "looked_at": MORNING,
        "covers": MORNING - timedelta(minutes=1),
        "notified": {"f": Notified(("d",), "t", MORNING, MORNING, open=True, severity="high")},
        "untold": (Untold("", "", "", "", "", MORNING),),
    }
    others: dict[str, Any] = {"accepted": THREE, "deleted": True, "open_since": {"x": MORNING}, "vpc_id": "vpc-1"}
    before = replace(DocumentRecord(), accepted=ONE, vpc_id="vpc-0")
    after = replace(before, **changes, **others)
    assert damaged.remembered(before, after) == replace(before, **changes)
