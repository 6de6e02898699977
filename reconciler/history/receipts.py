"""Which runs leave a receipt, what its key says, and how receipts are chained. Pure.

    receipts/shop/20261127T051208Z.open.critical.r7.w9.6f2c9a1e.json.gz

A run leaves a receipt if it wrote to AWS, or if what it found is not what the last receipt says (`digest`). Once a day
a run leaves a day sheet, whatever it found: the proof that somebody looked. Keys sort by time and consist of closed
vocabularies only, so that a listing tells the story, and nobody else's words are in it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from reconciler.model.exposure import Severity
from reconciler.model.network_state import NetworkState
from reconciler.model.times import iso_time

ROOT = "receipts/"
"""Before the name of the document in every key."""
SUFFIX = ".json.gz"
NO_SEVERITY = "none"
RUN_DIGITS = 8
_TIME = "%Y%m%dT%H%M%SZ"


class Summary(NamedTuple):
    """What a key says. `severity` is that of the gravest open thing (None: there is none), `revision` is 0 if no
    document was enforced, `writes` are calls, `run` is the first part of the run's id (`short_run`).
    """

    document: str
    at: datetime
    state: NetworkState
    severity: Severity | None
    revision: int
    writes: int
    run: str

    @property
    def says_all(self) -> bool:
        """Whether the content tells no more than the key: in sync without a write, nothing happened."""
        return self.state is NetworkState.SYNC and not self.writes


_KEY = re.compile(
    rf"{ROOT}(?P<document>[a-z0-9][a-z0-9-]{{0,62}})/(?P<at>\d{{8}}T\d{{6}}Z)"
    rf"\.(?P<state>{'|'.join(NetworkState)})\.(?P<severity>{'|'.join([*Severity, NO_SEVERITY])})"
    rf"\.r(?P<revision>\d{{1,16}})\.w(?P<writes>\d{{1,9}})\.(?P<run>[0-9a-f]{{{RUN_DIGITS}}}){re.escape(SUFFIX)}",
    re.ASCII,
)
_UUID = re.compile(rf"([0-9a-f]{{{RUN_DIGITS}}})(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}", re.ASCII)


def short_run(run_id: str) -> str:
    """The 8 hexadecimal digits that stand for a run in keys and commands: the first ones of Lambda's request id."""
    if found := _UUID.fullmatch(run_id):
        return found[1]
    return hashlib.sha256(run_id.encode("utf-8", "replace")).hexdigest()[:RUN_DIGITS]


def key(summary: Summary) -> str:
    """The key of a receipt. Raises ValueError if it would say something that `parse_key` cannot read."""
    severity = summary.severity or NO_SEVERITY
    written = (
        f"{prefix(summary.document)}{summary.at.astimezone(UTC).strftime(_TIME)}.{summary.state}.{severity}"
        f".r{summary.revision}.w{summary.writes}.{summary.run}{SUFFIX}"
    )
    if not _KEY.fullmatch(written):
        raise ValueError("a receipt's key has another form")
    return written


def prefix(document: str, since: datetime | None = None) -> str:
    """What the keys of a document begin with; with `since`, what sorts before all keys of that second and later."""
    return f"{ROOT}{document}/{since.astimezone(UTC).strftime(_TIME) if since else ''}"


def parse_key(written: str) -> Summary | None:
    """What a key says; None if it is not the key of a receipt."""
    found = _KEY.fullmatch(written)
    if found is None:
        return None
    try:
        at = datetime.fromisoformat(found["at"])  # a listing has thousands: strptime takes ten times as long
    except ValueError:  # the 31st of February
        return None
    severity = None if found["severity"] == NO_SEVERITY else Severity(found["severity"])
    return Summary(
        found["document"],
        at,
        NetworkState(found["state"]),
        severity,
        int(found["revision"]),
        int(found["writes"]),
        found["run"],
    )


def digest(found: Mapping[str, Any]) -> str:
    """The SHA-256 of what a run has found and left as it is: of a receipt, or of so much of one as is read here.

    Addresses, fields, values, outcomes, verdicts, which document is enforced, and what could not be seen. Neither times
    nor ids of runs, nor what the run has corrected: the next look, which finds nothing, is no news then. Runs take it
    before secrets are redacted and long lists are cut, so readers compare the digests in receipts and do not repeat
    them.
    """
    return hashlib.sha256(_canonical(_left(found)).encode()).hexdigest()


_CORRECTED = "corrected"
_OF_DRIFT = ("address", "field", "key", "sign", "want", "have", "outcome", "reason", "exposes")
_OF_FINDING = ("address", "field", "key", "outcome", "reason")
_OF_PENDING = ("address", "field", "now", "accepted")


def _left(found: Mapping[str, Any]) -> dict[str, Any]:
    run, document = found.get("run") or {}, found.get("document") or {}
    drifts, orphaned = (
        [one for one in found.get(name) or () if one.get("outcome") != _CORRECTED] for name in ("drifted", "orphaned")
    )
    drifts = [one | {"means": (one.get("consequence") or {}).get("severity")} for one in drifts]
    return {
        "ending": run.get("ending"),
        # Why nothing could be read differs from one try to the next; why a document is refused does not.
        "problem": None if run.get("ending") == "unobservable" else run.get("problem"),
        "document": [document.get("revision"), document.get("sha256")],
        "held": bool(found.get("held_as_a_whole")),
        "drifted": _parts(drifts, (*_OF_DRIFT, "means")),
        "findings": _parts(found.get("findings"), _OF_FINDING),
        "orphaned": _parts(orphaned, ("address", "operation", "outcome")),
        "pending": _parts(found.get("pending"), _OF_PENDING),
        "unmanaged": _parts(found.get("unmanaged"), ("address", "id")),
        "intents": _parts(found.get("intents"), ("name", "status")),
        "late": _parts(found.get("late"), ("fingerprint",)),
        "holds": _parts(found.get("holds"), ("address",)),
        "unseen": _parts(found.get("unseen"), ("kind",)),
    }


def _parts(entries: Iterable[Mapping[str, Any]] | None, names: tuple[str, ...]) -> list[list[Any]]:
    """Of each entry what is named, in an order that does not depend on theirs."""
    return sorted(([one.get(name) for name in names] for one in entries or ()), key=_canonical)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


class Remembered(NamedTuple):
    """What is remembered of the last receipt: its key, the SHA-256 of its bytes, and the digest of what it says."""

    key: str
    sha256: str
    digest: str


def due(last: str | None, found: str, writes: int) -> bool:
    """Whether a run leaves a receipt; `last` is the digest of the one before, `found` that of the run."""
    return bool(writes) or found != last


def sheet_due(since: datetime | None, now: datetime) -> bool:
    """Whether the day of which looks have been counted since `since` is over, so that its sheet is to be written."""
    return since is not None and now.astimezone(UTC).date() > since.astimezone(UTC).date()


class Day(NamedTuple):
    """The looks of a day, in UTC: when the first one began, how many there were, how many of them saw nothing, and the
    longest time in seconds between two looks at the whole network, up to the first one of the next day. `gaps` are
    those times, from and to in seconds since 1970, that were longer than the deployment allows.
    """

    since: datetime
    looks: int
    unseen: int
    longest_gap: int
    gaps: tuple[tuple[int, int], ...] = ()


def day_sheet(  # noqa: PLR0913 (what it says)
    document: str,
    day: Day,
    *,
    until: datetime,
    state: NetworkState | None,
    severity: Severity | None,
    revision: int | None,
    run: Mapping[str, Any],
    found: str,
    of: str | None = None,
) -> dict[str, Any]:
    """The sheet of one day, written by the first run after it, at `until`; `state` and `severity` are those at its end.

    `run` is the run that writes it; `of` and `found` are the key and the digest of the last receipt that is no sheet:
    what that found still stands. `previous` is added by `chained`.
    """
    return {
        "receipt": 1,
        "run": dict(run),
        "document": {"name": document, "revision": revision or None},
        "state": NetworkState.DAY.value,
        "severity": severity.value if severity else None,
        "digest": found,
        "day": {
            "date": day.since.astimezone(UTC).date().isoformat(),
            "since": iso_time(day.since),
            "until": iso_time(until),
            "state": state.value if state else None,
            "looks": day.looks,
            "unseen": day.unseen,
            "longest_gap": day.longest_gap,
            "of": of,
            "gaps": [[iso_time(datetime.fromtimestamp(one, UTC)) for one in gap] for gap in day.gaps],
        },
    }


def chained(receipt: Mapping[str, Any], previous: Remembered | None) -> dict[str, Any]:
    """The receipt with `previous`: the key of the receipt before, and the SHA-256 of its bytes."""
    link = {"key": previous.key, "sha256": previous.sha256} if previous else None
    return {"receipt": receipt.get("receipt", 1), "previous": link} | {
        name: value for name, value in receipt.items() if name not in {"receipt", "previous"}
    }


class Link(NamedTuple):
    """One receipt in the chain: its key, the SHA-256 of its bytes, and what it says of the one before."""

    key: str
    sha256: str
    previous: tuple[str, str] | None


class Broken(NamedTuple):
    """What is wrong with a chain: the key that is `missing`, `changed` (its bytes are not those that a later one saw)
    or `twin` (a run ended before it was remembered, so another one continues from the same receipt).
    """

    key: str
    what: str


def verified(links: Iterable[Link], *, begins: Callable[[str], bool] = lambda key: False) -> list[Broken]:
    """What is wrong with the chain of these receipts, oldest first; nothing if it is whole.

    `begins` says of a key whether it may be missing, because it is older than what was asked for, or than what is kept.
    A twin is no sign of tampering: it says that a run broke off right after it had written its receipt.
    """
    known = {one.key: one for one in sorted(links)}
    broken: list[Broken] = []
    continued: dict[str, str] = {}
    for one in known.values():
        if one.previous is None:
            continue
        before, seen = one.previous
        if before not in known:
            broken += [] if begins(before) else [Broken(before, "missing")]
        elif known[before].sha256 != seen:
            broken.append(Broken(before, "changed"))
        if before in continued:
            broken.append(Broken(continued[before], "twin"))
        continued[before] = one.key
    return list(dict.fromkeys(broken))


def without_twins(keys: Iterable[str]) -> list[str]:
    """These keys, sorted, without what a run left a second time: of one run and one state the first stays."""
    seen: set[tuple[str, str, str]] = set()
    kept: list[str] = []
    for one in sorted(keys):
        said = parse_key(one)
        if said is None:
            continue
        if (name := (said.document, said.run, said.state)) not in seen:
            seen.add(name)
            kept.append(one)
    return kept
