"""The last 30 days: a strip, a sentence, and the last episodes, from what `history` made of the receipts. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from reconciler.report.page.reading import Json, listed, number, text
from reconciler.report.page.words import counted, duration, moment, parsed, percent

WIDTH = 1000
"""The strip is this wide; positions are in the same unit."""
EPISODES = 20
"""The most episodes that the page tells."""
_BLIND = frozenset({"unseen", "unwatched", "refused", "deleted"})
"""Episodes of which only that is known, and not that something differed."""
_LEAST = 2.0
"""What is short is drawn at least this wide, or nobody would see it."""
STATES = {
    "sync": "as declared",
    "differs": "something differed",
    "open": "something stood open",
    "unseen": "could not look",
}
_LAYERS = ("sync", "unseen", "differs", "open")
"""What is drawn first; what is short and grave lies above it."""


class Stretch(NamedTuple):
    """A stretch of the strip: where it starts, how wide it is, and what was so."""

    start: float
    width: float
    state: str
    said: str


class Episode(NamedTuple):
    """One thing that differed, from its first look to its last. `until` is None while it lasts."""

    since: str | None
    until: str | None
    lasted: str | None
    severity: str | None
    revision: str | None
    address: str | None
    text: str | None
    who: str | None
    outcome: str | None
    receipt: str | None
    open_for: str | None


@dataclass(frozen=True)
class History:
    """The history of a document. `unknown`: why there is none."""

    days: int = 0
    since: str | None = None
    until: str | None = None
    strip: tuple[Stretch, ...] = ()
    sentence: str = ""
    episodes: tuple[Episode, ...] = ()
    left_out: int = 0
    count: int = 0
    unknown: str | None = None


def history(given: Json | None, document: str | None, most: int = EPISODES) -> History:
    """The history as the page tells it, with at most so many episodes; None: there is none at hand."""
    if not given:
        named = document or "DOCUMENT"
        return History(
            unknown="This page was made without the history: a run knows only what it saw. To add it, make the page "
            f"with --history, or see: setpoint history {named}"
        )
    episodes = listed(given, "episodes")
    latest = sorted(episodes, key=lambda one: str(one.get("from") or ""), reverse=True)
    return History(
        days=number(given, "days"),
        since=moment(text(given, "from")),
        until=moment(text(given, "to")),
        strip=tuple(_strip(given)),
        sentence=sentence(given),
        episodes=tuple(map(_episode, latest[:most])),
        left_out=max(0, len(episodes) - most),
        count=len(episodes),
    )


def sentence(given: Json) -> str:
    """The strip in words."""
    share, days = given.get("share_as_declared"), number(given, "days")
    parts = []
    if isinstance(share, int | float):
        parts.append(f"As declared for {percent(share)} % of {counted(days, 'day')}")
    else:
        parts.append(f"How long it was as declared in these {counted(days, 'day')} is not known")
    found = listed(given, "episodes")
    blind = sum(one.get("what") in _BLIND for one in found)
    parts.append(counted(len(found) - blind, "episode"))
    if blind:
        parts.append(f"{counted(blind, 'time')} in which nothing is known")
    if given.get("longest_s") is not None:
        parts.append(f"the longest {duration(number(given, 'longest_s'))}")
    opened = number(given, "open_s")
    parts.append(f"stood open for at most {duration(opened)} in all" if opened else "nothing stood open")
    saw_nothing, looks = number(given, "looks_that_saw_nothing"), number(given, "looks")
    parts.append(f"{counted(looks, 'look')}, {saw_nothing:,} of them could not see")
    if given.get("longest_gap_s") is not None:
        parts.append(f"longest gap between looks {duration(number(given, 'longest_gap_s'))}")
    return f"{'; '.join(parts)}."


def _strip(given: Json) -> list[Stretch]:
    """In the order in which they are drawn."""
    begin, end = parsed(text(given, "from")), parsed(text(given, "to"))
    if begin is None or end is None or end <= begin:
        return []
    whole = (end - begin).total_seconds()
    found = []
    for one in listed(given, "segments"):
        start, stop, state = parsed(text(one, "from")), parsed(text(one, "to")), str(one.get("state"))
        if start is None or stop is None or stop < start:
            continue
        state = state if state in STATES else "unseen"
        at = max(0.0, (start - begin).total_seconds() / whole * WIDTH)
        wide = max(_LEAST, (stop - start).total_seconds() / whole * WIDTH)
        at = min(at, WIDTH - wide)
        said = f"{STATES[state]} from {moment(text(one, 'from'))} to {moment(text(one, 'to'))}"
        found.append(Stretch(round(max(0.0, at), 1), round(min(wide, WIDTH), 1), state, said))
    return sorted(found, key=lambda one: _LAYERS.index(one.state))


def _episode(one: Json) -> Episode:
    since, until = parsed(text(one, "from")), parsed(text(one, "to"))
    lasted = duration((until - since).total_seconds()) if since and until else None
    opened = one.get("open_s")
    revision = one.get("revision")
    return Episode(
        since=moment(text(one, "from")),
        until=moment(text(one, "to")),
        lasted=lasted,
        severity=text(one, "severity"),
        revision=None if revision is None else str(revision),
        address=text(one, "address"),
        text=text(one, "text"),
        who=text(one, "who"),
        outcome=text(one, "outcome"),
        receipt=text(one, "receipt"),
        open_for=duration(opened) if isinstance(opened, int | float) else None,
    )
