"""The intents of the document: verdict, what is asked, and why; those that are broken first. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from reconciler.report.page.reading import Json, listed, mapping, number, text
from reconciler.report.page.words import moment

_ORDER = ("broken", "unknown", "kept")
_HOPS = 12
MOST = 300


class Intent(NamedTuple):
    """One intent. `whys` are sentences, the first the shortest; `mends` are entries to paste into the document."""

    name: str
    expect: str
    status: str
    partly: bool
    severity: str | None
    enforcement: str | None
    since: str | None
    whys: tuple[str, ...]
    pairs: tuple[str, ...]
    pairs_left_out: int
    path: tuple[str, ...]
    mends: tuple[str, ...]
    after_plan: str | None
    tolerated_until: str | None


@dataclass(frozen=True)
class Intents:
    """All intents of the document, the broken ones first."""

    intents: tuple[Intent, ...]
    kept: int
    broken: int
    unknown: int
    left_out: int

    @property
    def count(self) -> int:
        return self.kept + self.broken + self.unknown


def intents(receipt: Json) -> Intents:
    """The intents of a receipt."""
    given = sorted(listed(receipt, "intents"), key=_place)
    stati = [_status(one) for one in given]
    return Intents(
        tuple(map(_intent, given[:MOST])),
        kept=stati.count("kept"),
        broken=stati.count("broken"),
        unknown=len(stati) - stati.count("kept") - stati.count("broken"),
        left_out=max(0, len(given) - MOST),
    )


def _status(one: Json) -> str:
    return str(one.get("status") or "unknown")


def _place(one: Json) -> int:
    status = _status(one)
    return _ORDER.index(status) if status in _ORDER else 1


def _intent(one: Json) -> Intent:
    status = _status(one)
    blockers, witness = listed(one, "blockers"), mapping(one, "witness")
    unlike = status != "kept"
    mends = dict.fromkeys(str(mend) for blocker in blockers for mend in listed(blocker, "mend"))
    return Intent(
        name=str(one.get("name")),
        expect=str(one.get("expect")),
        status=status,
        partly=bool(one.get("partly")),
        severity=text(one, "severity"),
        enforcement=text(one, "enforcement"),
        since=moment(text(one, "since")),
        whys=tuple(_whys(one, witness, blockers)),
        pairs=tuple(_pairs(one)) if unlike else (),
        pairs_left_out=max(0, number(one, "pairs_in_all") - len(listed(one, "pairs"))) if unlike else 0,
        path=tuple(_hop(hop) for hop in listed(one, "path")[:_HOPS]) if unlike else (),
        mends=tuple(mends) if unlike else (),
        after_plan=text(one, "after_plan"),
        tolerated_until=moment(text(one, "tolerated_until")),
    )


def _whys(one: Json, witness: Json, blockers: list[Json]) -> list[str]:
    told = []
    if witness:
        told.append(f"{witness.get('traffic')} from {witness.get('source')} to {witness.get('destination')} arrives")
    told += [f"stopped at {blocker.get('decided_by') or blocker.get('component')}" for blocker in blockers]
    told += [f"nobody is at {name}" for name in listed(one, "nobody")]
    told += [f"not known: {name}" for name in listed(one, "unknown")]
    told += [f"rests on: {name}" for name in listed(one, "rests_on")]
    if not told:
        told.append(_plainly(one))
    return list(dict.fromkeys(told))


def _pairs(one: Json) -> list[str]:
    return [f"{pair.get('source')} to {pair.get('target')}" for pair in listed(one, "pairs")]


def _plainly(one: Json) -> str:
    match _status(one), one.get("expect"):
        case "kept", "reachable":
            return "arrives, and replies return"
        case "kept", "only":
            return "what is asked arrives, and nothing else"
        case "kept", _:
            return "no packet arrives"
        case _:
            return "no reason is given"


def _hop(hop: Json) -> str:
    parts = [text(hop, "component"), text(hop, "side"), "reply" if hop.get("reply") else None, text(hop, "member")]
    words = " ".join(part for part in parts if part)
    stops = "" if hop.get("passes", True) else ": stops here"
    return f"{words}{'' if hop.get('declared', True) else ' (not declared)'}{stops}"
