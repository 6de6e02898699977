"""Receipts and day sheets as a deployment records them, made by hand: for tests of the history without any AWS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.history.episodes import Entry
from reconciler.history.receipts import Summary, key, short_run
from reconciler.history.recorded import recorded
from reconciler.model.exposure import Severity
from reconciler.model.network_state import NetworkState
from reconciler.model.times import iso_time

DAY = datetime(2026, 11, 20, tzinfo=UTC)
_ACTOR = {"who": "arn:aws:sts::123456789012:assumed-role/Reporting/metabase", "at": "2026-11-20T04:10:00Z"}


def at(hours: float, minutes: float = 0, seconds: float = 0) -> datetime:
    """That time after the beginning of DAY."""
    return DAY + timedelta(hours=hours, minutes=minutes, seconds=seconds)


def rule(source: str = "0.0.0.0/0", ports: int = 5432, **more: Any) -> dict[str, Any]:
    """A drift line: a rule that nobody declared, which lets something in unless `exposes` says otherwise."""
    written = {"protocol": "tcp", "ports": ports, "source": source}
    return {
        "address": "security_group/DBSG",
        "field": "ingress",
        "key": written,
        "sign": "remove",
        "want": None,
        "have": written,
        "outcome": "corrected",
        "severity": "critical",
        "exposes": True,
        "message": "",
    } | more


def setting(**more: Any) -> dict[str, Any]:
    """A drift line that lets nothing in."""
    return {
        "address": "vpc/MyVPC",
        "field": "enable_dns_support",
        "key": None,
        "sign": "change",
        "want": True,
        "have": False,
        "outcome": "corrected",
        "severity": "medium",
        "exposes": False,
        "message": "",
    } | more


def run_id(digits: str) -> str:
    """A request id of Lambda that begins with these 8 digits."""
    return f"{digits}-0000-4000-8000-000000000000"


def receipt(
    moment: datetime,
    *drifted: Mapping[str, Any],
    state: NetworkState | None = None,
    revision: int = 7,
    run: str = "",
    seconds: float = 3,
    first: bool = False,
    document: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A receipt whose calls each resolve one corrected difference; the state is that of what it leaves."""
    left = [one for one in drifted if one["outcome"] != "corrected"]
    found = (
        NetworkState.SYNC
        if not left
        else NetworkState.OPEN
        if any(one["exposes"] for one in left)
        else NetworkState.DIFFERS
    )
    gravest = min((Severity(one["severity"]) for one in left), key=lambda one: one.rank, default=None)
    calls = [
        {"ended": "done", "resolves_drifted": [index]}
        for index, one in enumerate(drifted)
        if one["outcome"] == "corrected"
    ]
    return {
        "receipt": 1,
        "previous": None if first else {"key": "before", "sha256": "0" * 64},
        "run": {
            "id": run_id(run or f"{int(moment.timestamp()):08x}"),
            "started": iso_time(moment),
            "seconds": seconds,
            "ending": "completed",
            "writes": len(calls),
        },
        "document": {"name": "shop", "revision": revision} | dict(document or {}),
        "account": "123456789012",
        "region": "eu-central-1",
        "state": (state or found).value,
        "severity": gravest.value if gravest else None,
        "drifted": list(drifted),
        "actions": calls,
    } | more


def sheet(
    since: datetime,
    until: datetime,
    *,
    state: NetworkState = NetworkState.SYNC,
    looks: int = 288,
    unseen: int = 0,
    gaps: Sequence[tuple[datetime, datetime]] | None = (),
    longest: int = 300,
) -> dict[str, Any]:
    """A day sheet."""
    return {
        "receipt": 1,
        "previous": None,
        "run": {"id": run_id(f"{int(until.timestamp()):08x}"), "started": iso_time(until)},
        "document": {"name": "shop", "revision": 7},
        "state": "day",
        "severity": None,
        "day": {
            "date": since.date().isoformat(),
            "since": iso_time(since),
            "until": iso_time(until),
            "state": state.value,
            "looks": looks,
            "unseen": unseen,
            "longest_gap": max([longest, *(int((end - start).total_seconds()) for start, end in gaps or ())]),
            "gaps": None if gaps is None else [[iso_time(start), iso_time(end)] for start, end in gaps],
        },
    }


def summary(content: Mapping[str, Any]) -> Summary:
    """What the key of this receipt says."""
    run, document = content["run"], content["document"]
    severity = Severity(content["severity"]) if content["severity"] else None
    started = datetime.fromisoformat(run["started"])
    return Summary(
        document["name"],
        started,
        NetworkState(content["state"]),
        severity,
        document["revision"] or 0,
        run.get("writes", 0),
        short_run(run["id"]),
    )


def entry(content: Mapping[str, Any], *, opened: bool = True) -> Entry:
    """As the reading makes it of an object in the bucket."""
    said = summary(content)
    return Entry(key(said), said, recorded(content) if opened else None)


def entries(*contents: Mapping[str, Any]) -> list[Entry]:
    return [entry(one) for one in contents]


def five_days() -> list[dict[str, Any]]:
    """A calm beginning, a corrected opening, a held drift, and an hour in which nobody looked."""
    corrected = receipt(
        at(4, 12),
        rule(),
        actors={"security_group/DBSG": _ACTOR},
        exposed={"security_group/DBSG": 123},
        run="6f2c9a1e",
    )
    held = receipt(at(30), setting(outcome="held", message="the plan takes away 34 live members"), run="0badcafe")
    gaps: dict[int, Any] = {2: [(at(50), at(51))]}
    days = [
        sheet(
            at(24 * day),
            at(24 * day + 24),
            gaps=gaps.get(day, ()),
            state=NetworkState.DIFFERS if day else NetworkState.SYNC,
        )
        for day in range(5)
    ]
    return [receipt(at(0), first=True), corrected, days[0], held, *days[1:]]
