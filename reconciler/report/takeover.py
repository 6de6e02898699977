"""Which live resources a run takes over, and how that is said. Pure; `text.py` and the alerts use it.

A live resource is taken over by its two tags, so what would be two tag differences of each is told as one thing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from desired_state.document import NEW
from desired_state.fields import Address
from reconciler.model import ABSENT, DOCUMENT_TAG, NAME_TAG, Cause, Outcome

if TYPE_CHECKING:
    from reconciler.engine.result import Drift, Report


@dataclass(frozen=True)
class Takeover:
    """A live resource that did not carry this document's tag.

    `id` is AWS's, `how` says by what it was found (empty: not known), `former` is the document whose tag it carried
    (empty: none). `drifts` are those of its two tags, none if AWS does not show its tags. `outcome` is `corrected` if
    both are set, otherwise how the other one ended.
    """

    address: Address
    id: str
    how: str
    former: str = ""
    drifts: tuple[Drift, ...] = ()
    outcome: Outcome | None = None
    cause: Cause | None = None

    @property
    def proof(self) -> str:
        """By what it was found, in brackets after a blank."""
        return f" ({self.how})" if self.how else ""

    @property
    def origin(self) -> str:
        """Which document it is taken over from, after a comma; empty: it carried no document's tag."""
        return f", from the document {self.former!r}" if self.former else ""


def takeovers(report: Report) -> tuple[Takeover, ...]:
    """What is taken over, or was, in the order of the drifts. A resource whose tags AWS does not show, such as a DB
    subnet group, is among them if all others are.
    """
    tags: dict[Address, list[Drift]] = {}
    for drift in report.drifts:
        if drift.field == "tags" and drift.difference.key in {DOCUMENT_TAG, NAME_TAG}:
            tags.setdefault(drift.address, []).append(drift)
    found = []
    for address, drifts in tags.items():
        if owner := next((one.difference for one in drifts if one.difference.key == DOCUMENT_TAG), None):
            last = next((one for one in drifts if one.outcome is not Outcome.CORRECTED), drifts[0])
            former = "" if owner.have is ABSENT else str(owner.have)
            named = _found(report, address)
            found.append(Takeover(address, *named, former, tuple(drifts), last.outcome, last.cause))
    addresses = {one.address for one in found}
    others = {at for at in report.resource_ids if at not in addresses and _claimed(report, at)}
    if found and others <= set(report.tagless):
        outcome = Outcome.CORRECTED if report.wrote else None
        found += [Takeover(at, *_found(report, at), outcome=outcome) for at in report.tagless if at in others]
    return tuple(found)


def _found(report: Report, address: Address) -> tuple[str, str]:
    return report.ids.get(address, ""), report.found_by[address].how if address in report.found_by else ""


def _claimed(report: Report, address: Address) -> bool:
    declared = report.document.resources.get(address)
    return declared is not None and declared.enforcement != "ignore"


def beyond(report: Report, taken: Iterable[Takeover]) -> list[Drift]:
    """The drifts without the tags of what is taken over."""
    tags = {id(drift) for one in taken for drift in one.drifts}
    return [drift for drift in report.drifts if id(drift) not in tags]


def adoption_done(report: Report) -> int:
    """How many entries the document's `adopt` has, if all of them are done and may be taken out; otherwise 0.

    An entry is done if its address was found at that id, and carries this document's tags.
    """
    undone = {one.address for one in report.drifts if one.outcome is not Outcome.CORRECTED and _tags_it(one)}
    undone |= set(report.untagged)
    for address, target in report.document.adopt.items():
        found = report.resource_ids.get(address)
        if not found or target not in {found, NEW} or address in undone:
            return 0
    return len(report.document.adopt)


def _tags_it(drift: Drift) -> bool:
    """Whether a drift is about our tags, or about the whole resource."""
    return not drift.field or (drift.field == "tags" and drift.difference.key in {DOCUMENT_TAG, NAME_TAG})
