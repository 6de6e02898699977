"""All that the page of a run says, made of its receipt alone: `html.py` and `markdown.py` print it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from reconciler.report.looks import expanded
from reconciler.report.page.basis import Basis, basis
from reconciler.report.page.calls import Calls, calls
from reconciler.report.page.differences import Differences, differences
from reconciler.report.page.intents import Intents, intents
from reconciler.report.page.lanes import Lanes, lanes
from reconciler.report.page.network_map import NetworkMap, network_map
from reconciler.report.page.notes import Notes, notes
from reconciler.report.page.past import History, history
from reconciler.report.page.reading import Json, UnreadableReceipt, checked, mapping, text
from reconciler.report.page.redaction import without_names
from reconciler.report.page.resources import Resources
from reconciler.report.page.verdict import Parts, Verdict, is_apply, is_complete, not_completed, verdict
from reconciler.report.page.words import duration, moment, parsed

__all__ = ["Head", "Link", "Page", "UnreadableReceipt", "view"]


class Head(NamedTuple):
    """Which document, where, and which run."""

    document: str
    revision: str | None
    account: str | None
    region: str | None
    mode: str
    at: str | None
    seconds: str | None
    run: str | None


@dataclass(frozen=True)
class Link:
    """A part of the page. `count` is empty where there is nothing to count."""

    anchor: str
    name: str
    count: str = ""


class Page(NamedTuple):
    """The parts of a page, in its order. `complete`: the run saw a network; else only the head, the verdict and the
    basis say anything.
    """

    head: Head
    complete: bool
    after_apply: bool
    links: tuple[Link, ...]
    verdict: Verdict
    history: History
    map: NetworkMap
    lanes: Lanes
    intents: Intents
    differences: Differences
    calls: Calls
    notes: Notes
    basis: Basis
    redacted: bool


def view(receipt: object, *, history: Json | None = None, now: datetime | None = None, redact: bool = False) -> Page:
    """The page of a receipt. `history` is the JSON of a `History`; `now` is what the time left is counted from, by
    default the time of the run; `redact` replaces accounts, network addresses and principals by stable short names.

    Raises `UnreadableReceipt` if it is none that this version can show.
    """
    known = checked(receipt)
    if redact:
        known, history = without_names(known, history)
    try:
        return _page(expanded(known), history, now, redacted=redact)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        if isinstance(error, UnreadableReceipt):
            raise
        raise UnreadableReceipt(f"this receipt is damaged: a part of it has another form ({error})") from error


def _page(receipt: Json, past: Json | None, now: datetime | None, *, redacted: bool) -> Page:
    resources = Resources(receipt)
    ways = lanes(receipt)
    differing = differences(receipt, resources)
    parts = Parts(
        differences=differing,
        lanes=ways,
        intents=intents(receipt),
        calls=calls(receipt, resources, differing, ways),
        notes=notes(receipt, resources, now or parsed(_started(receipt))),
        after=is_apply(receipt),
    )
    complete = is_complete(receipt)
    told = history(past, text(mapping(receipt, "document"), "name"))
    return Page(
        head=_head(receipt),
        complete=complete,
        after_apply=parts.after,
        links=_links(parts, told) if complete else (),
        verdict=verdict(receipt, parts) if complete else not_completed(receipt),
        history=told,
        map=network_map(receipt, resources, differing, ways),
        lanes=parts.lanes,
        intents=parts.intents,
        differences=parts.differences,
        calls=parts.calls,
        notes=parts.notes,
        basis=basis(receipt, resources, ways),
        redacted=redacted,
    )


def _started(receipt: Json) -> str | None:
    return text(receipt, "started") or text(mapping(receipt, "run"), "started")


def _head(receipt: Json) -> Head:
    document, run = mapping(receipt, "document"), mapping(receipt, "run")
    revision = document.get("revision")
    seconds = receipt.get("seconds", run.get("seconds"))
    unsaid = "apply" if receipt.get("wrote") else "plan" if is_complete(receipt) else "attempt"
    mode = text(run, "mode") or unsaid
    return Head(
        document=text(document, "name") or "not known",
        revision=None if revision is None else str(revision),
        account=text(receipt, "account"),
        region=text(receipt, "region"),
        mode=mode,
        at=moment(_started(receipt)),
        seconds=duration(float(seconds)) if isinstance(seconds, int | float) else None,
        run=text(run, "id"),
    )


def _links(parts: Parts, past: History) -> tuple[Link, ...]:
    def some(count: int) -> str:
        return f"{count:,}" if count else ""

    return (
        Link("verdict", "Verdict"),
        Link("days", "30 days"),
        Link("network", "Network"),
        Link("reach", "Reach", some(len(parts.lanes.all) + parts.lanes.left_out)),
        Link("intents", "Intents", some(parts.intents.count)),
        Link("differences", "Differences", some(parts.differences.count)),
        Link("calls", "Calls", some(parts.calls.count)),
        Link("notes", "Exceptions", some(parts.notes.count)),
        Link("history", "History", some(past.count)),
        Link("basis", "Rests on"),
    )
