"""Reads the history of a document from the bucket of the receipts: lists once, opens what is needed, and checks the
chain where that is asked for.

Receipts are never trusted because of where they lie. One that is cut, of a newer version, of another form, or of
another run than its key says, is refused, and so is one that the receipt after it saw otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from desired_state.fields import shown
from reconciler.history.episodes import Entry
from reconciler.history.history import History, history
from reconciler.history.receipts import (
    ROOT,
    Broken,
    Link,
    Summary,
    parse_key,
    short_run,
    verified,
    without_twins,
)
from reconciler.history.recorded import NotAReceipt, Recorded, Sheet, recorded
from reconciler.history.store import ReceiptError, Receipts, Stored
from reconciler.model.network_state import NetworkState

LEAD = timedelta(days=2)
"""Receipts of this time before the one that is asked for are listed too: a day sheet among them says what stood."""
MOST = 1000
"""The most receipts that are opened for one history, the newest; a fight that never ends leaves one a run."""
_AT_ONCE = 8
"""Receipts that are read at the same time."""
_BACK = 60
"""The most receipts that are opened to find what stood before the first one of the listing."""
_WHICH = "`setpoint history` lists them; write the first 8 digits of the run, or the whole key"


class NoHistory(Exception):
    """There is no receipt of a document, or none of that run: which, and what to do."""


def read_history(
    store: Receipts,
    document: str,
    since: datetime,
    until: datetime,
    *,
    today: Sheet | None,
    quiet: timedelta,
) -> History:
    """The history of a document. `today` are the looks that the ledger counts; `quiet` is above what nobody looked.

    Raises NoHistory if there is no receipt at all, and ReceiptError.
    """
    keys = _listed(store, document, since)
    wanted = [one for one in keys if not _summary(one).says_all][-MOST:]
    contents = dict(zip(wanted, _opened(store, wanted), strict=True))
    before = _standing_before(store, keys, contents)
    entries = [Entry(key, _summary(key), contents.get(key)) for key in keys]
    return history(document, [*before, *entries], since, until, today=today, quiet=quiet)


def _opened(store: Receipts, keys: Sequence[str]) -> Iterator[Recorded]:
    """What is in these receipts, in their order; several are read at a time. Raises ReceiptError."""
    with ThreadPoolExecutor(_AT_ONCE) as readers:
        for stored in readers.map(store.get, keys):
            yield content(stored)


def _listed(store: Receipts, document: str, since: datetime) -> list[str]:
    """The keys of the time and of LEAD before it, twins left out; if there are none, all that there are."""
    keys = without_twins(one.key for one in store.listed(document, since - LEAD))
    keys = keys or without_twins(one.key for one in store.listed(document))
    if not keys:
        problem = f"{shown(document)} has no receipts in the bucket {shown(store.bucket)}"
        raise NoHistory(
            f"{problem}; check the name of the document, and whether a run has looked at it since receipts are kept"
        )
    return keys


def _summary(key: str) -> Summary:
    summary = parse_key(key)
    if summary is None:  # a listing has no others
        raise ReceiptError(key, "it is not the key of a receipt", _WHICH)
    return summary


def _standing_before(store: Receipts, keys: Sequence[str], contents: dict[str, Recorded]) -> list[Entry]:
    """The receipt that says what stood before the first one of the listing, if something did."""
    first = contents.get(keys[0])
    if first is None or not (first.day and first.day.state in {NetworkState.DIFFERS, NetworkState.OPEN}):
        return []
    key = first.previous.key if first.previous else ""
    for _ in range(_BACK):
        summary = parse_key(key)
        if summary is None:
            break
        try:
            found = content(store.get(key))
        except ReceiptError as error:
            if error.code == "NoSuchKey":  # the bucket keeps them for ReceiptDays
                break
            raise
        if summary.state is not NetworkState.DAY:
            return [Entry(key, summary, found)]
        key = found.previous.key if found.previous else ""
    return []


def content(stored: Stored) -> Recorded:
    """What the history reads of a receipt that lies in a bucket. Raises ReceiptError."""
    try:
        found = recorded(stored.receipt)
    except NotAReceipt as error:
        raise ReceiptError(stored.key, f"it is no receipt: {error}", _TAMPERED) from error
    if problem := _contradiction(_summary(stored.key), found):
        raise ReceiptError(stored.key, f"it was tampered with: {problem}", _TAMPERED)
    return found


_TAMPERED = "`setpoint history --verify` says which receipts were changed; the bucket has the earlier version"


def _contradiction(said: Summary, found: Recorded) -> str:
    """What the key and the content do not agree in; empty: nothing."""
    pairs = (
        ("the document", said.document, found.document.name),
        ("the state", said.state, found.state),
        ("the severity", said.severity, found.severity),
        ("the revision", said.revision, found.document.revision or 0),
        ("the run", said.run, short_run(found.run.id)),
        ("the number of writes", said.writes, found.run.writes),
    )
    return next(
        (
            f"{what} is {shown(str(theirs))}, and its key says {shown(str(ours))}"
            for what, ours, theirs in pairs
            if ours != theirs
        ),
        "",
    )


class Chain(NamedTuple):
    """What a check of the chain has found: how many receipts it read, and what is wrong with them."""

    read: int
    broken: tuple[Broken, ...]


def verify(store: Receipts, document: str, since: datetime, last: tuple[str, str] | None = None) -> Chain:
    """Read every receipt of the time, and compare it with what the one after it saw. `last` is the key of the newest
    one and the SHA-256 of its bytes, as the ledger remembers them. Raises ReceiptError, NoHistory.
    """
    listed = [one.key for one in store.listed(document, since - LEAD)] or [one.key for one in store.listed(document)]
    if not listed and not last:
        _listed(store, document, since)
    with ThreadPoolExecutor(_AT_ONCE) as readers:
        links = list(readers.map(lambda key: _link(store, key), listed))
    unreadable = [Broken(one.key, "changed") for one in links if not one.sha256]
    first = min(listed, default="")
    broken = [*verified(links, begins=lambda key: key < first), *unreadable]
    if last and (problem := _last(last, links)):
        broken.append(problem)
    return Chain(len(listed), tuple(dict.fromkeys(sorted(broken))))


def _link(store: Receipts, key: str) -> Link:
    """A receipt in the chain; without a digest if it is none any more. Raises ReceiptError."""
    try:
        stored = store.get(key)
        previous = content(stored).previous
    except ReceiptError as error:
        if error.code:  # S3 did not give it
            raise
        return Link(key, "", None)
    return Link(key, stored.sha256, (previous.key, previous.sha256) if previous else None)


def _last(last: tuple[str, str], links: Sequence[Link]) -> Broken | None:
    """What is wrong with the newest receipt, which no other one has seen yet."""
    key, sha256 = last
    mine = next((one for one in links if one.key == key), None)
    if mine is None:
        return Broken(key, "missing")
    return None if mine.sha256 == sha256 else Broken(key, "changed")


def find_receipt(store: Receipts, document: str, run: str, last: tuple[str, str] | None) -> Mapping[str, Any]:
    """The receipt of a run of a document: by its id, the first 8 digits of that, or its key; `last` as of `verify`.
    Raises NoHistory, and ReceiptError, also if the receipt after it, or the ledger, saw another one.
    """
    keys = [one.key for one in store.listed(document)]
    wanted = [key for key in keys if key in {run, f"{ROOT}{document}/{run}"}] or [
        key for key in keys if _summary(key).run in {run, short_run(run)}
    ]
    wanted.sort(key=lambda key: (_summary(key).state is NetworkState.DAY, key))
    if not wanted:
        raise NoHistory(f"{shown(document)} has no receipt of the run {shown(run)}; {_WHICH}")
    stored = store.get(wanted[0])
    content(stored)
    if last and last[0] == stored.key and last[1] != stored.sha256:
        raise ReceiptError(stored.key, "it was tampered with: the ledger saw another one", _TAMPERED)
    for after in keys[keys.index(stored.key) + 1 :][:_AFTER]:
        seen = _link(store, after).previous
        if seen and seen[0] == stored.key:
            if seen[1] != stored.sha256:
                raise ReceiptError(stored.key, f"it was tampered with: {after} saw another one", _TAMPERED)
            break
    return stored.receipt


_AFTER = 3
"""So many receipts later at most is the one that continues from a receipt: twins lie between."""
