"""Reads what the fleet is made from: the ledger in one scan, the names of the documents, and the keys of the receipts,
one listing a document. The command line and the function `invoke` call it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from desired_state.fields import shown
from desired_state.sources import Documents, SourceError
from handlers.fleet_sources import Sources
from reconciler.fleet.fleet import Fleet, fleet_of
from reconciler.fleet.standing import LOOKS_MISSED, Standing, never_looked, standing
from reconciler.fleet.strip import DAYS, PROVEN, Strip, strip
from reconciler.history.store import ReceiptError, Receipts
from reconciler.ledger.table import LedgerError
from reconciler.redact import redacted

if TYPE_CHECKING:
    from handlers.stack import Stack

FORMAT_VERSION = 1
"""Of the answer of `invoke`."""
LARGEST = 6 * 1024 * 1024 - 64 * 1024
"""Bytes of an answer, as of `invoke`."""
DEFAULT_RATE = timedelta(minutes=5)
"""That of the stack's parameter Rate."""
_AT_ONCE = 16


def read(
    sources: Sources,
    at: datetime,
    rate: timedelta | None,
    *,
    region: str,
    account: str = "",
    stack: str = "",
) -> Fleet:
    """The fleet now. `rate` is how often every document is looked at (None: nobody said so, DEFAULT_RATE is assumed).

    Raises LedgerError. What else cannot be read is said in `findings`, and hides nothing.
    """
    every = rate or DEFAULT_RATE
    known = [standing(item, at, every) for item in sources.ledger.at_a_glance()]
    unknown, findings = _unknown(sources.documents, {one.document for one in known}, at, every)
    found = [*known, *unknown]
    strips = _strips(sources.receipts, found, at, LOOKS_MISSED * every)
    unlisted = [one for one in strips.values() if isinstance(one, str)]
    if unlisted:
        findings.append(f"the receipts of {len(unlisted)} documents could not be listed: {unlisted[0]}")
    return fleet_of(
        found,
        strips,
        at=at,
        region=region,
        rate=every,
        assumed=rate is None,
        account=account,
        stack=stack,
        findings=tuple(findings),
    )


def answer(event: Mapping[str, Any], stack: Stack, run_id: str) -> dict[str, Any]:
    """What `invoke` answers to `{"fleet": true}`: `fleet` as `setpoint fleet -o json` prints it, or null and a
    `problem`; `page` as text, if a form of it is asked for.
    """
    found, problem = None, request_problem(event)
    if not problem:
        try:
            where = {"region": stack.region, "account": stack.account, "stack": stack.name}
            found = read(stack.fleet_sources, stack.now(), stack.rate, **where)
        except LedgerError as error:
            problem = redacted(str(error))
    content = {
        "format_version": FORMAT_VERSION,
        "run_id": run_id,
        "problem": problem or None,
        "fleet": found.as_json() if found else None,
    }
    if found and "page" in event:
        content["page"] = written(found, event["page"])
    return _fitted(content)


def _fitted(content: dict[str, Any]) -> dict[str, Any]:
    """The answer within what Lambda allows: without the strips, then without the last documents, which are the calm
    ones; `left_out` counts both.
    """
    left_out: dict[str, int] = {}
    while len(json.dumps(content)) > LARGEST:
        lines = content["fleet"]["documents"]
        if stripped := [one | {"segments": None} for one in lines if one["segments"]]:
            left_out["segments"] = len(stripped)
            content["fleet"]["documents"] = [one | {"segments": None} for one in lines]
        elif content.get("page"):
            content["page"], left_out["page"] = None, 1
        else:
            half = len(lines) // 2
            left_out["documents"] = left_out.get("documents", 0) + len(lines) - half
            content["fleet"]["documents"] = lines[:half]
        content["left_out"] = left_out
    return content


def written(fleet: Fleet, form: str) -> str:
    """The fleet as a page: `html` or `markdown`."""
    if form == "html":
        from reconciler.fleet.html import page

        return page(fleet)
    from reconciler.fleet.markdown import markdown

    return markdown(fleet)


def request_problem(event: Mapping[str, Any]) -> str:
    """Why this is no request for the fleet; empty if it is one."""
    if event["fleet"] is not True:
        return "fleet: write true, or leave it out"
    others = sorted(map(str, event.keys() - {"fleet", "page"}))
    if others:
        return f"{shown(others[0])}: a request for the fleet has no such member; leave it out"
    return "" if event.get("page", "html") in {"html", "markdown"} else "page: write html or markdown, or leave it out"


def _unknown(
    documents: Documents | None, known: set[str], at: datetime, rate: timedelta
) -> tuple[list[Standing], list[str]]:
    """The documents in the bucket of which the ledger knows nothing, and why they could not be listed."""
    if documents is None:
        return [], []
    try:
        return [
            never_looked(one.name, one.uploaded, at, rate) for one in documents.listed() if one.name not in known
        ], []
    except SourceError as error:
        return [], [f"documents that nobody has looked at yet are missing here: {error}"]


def _strips(
    receipts: Receipts | None, found: Iterable[Standing], at: datetime, quiet: timedelta
) -> Mapping[str, Strip | str]:
    """The strip of each document, or why there is none."""
    if receipts is None:
        return {}
    since = at - timedelta(days=DAYS) - PROVEN

    def listed(one: Standing) -> Strip | str:
        try:
            keys = [entry.summary for entry in receipts.listed(one.document, since)]
        except ReceiptError as error:
            return str(error)
        return strip(keys, one.looked_at, at, quiet=quiet)

    standings = list(found)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return {one.document: each for one, each in zip(standings, pool.map(listed, standings), strict=True)}
