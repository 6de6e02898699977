"""Who reaches what after every call: the lanes of a receipt as rows of runs. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from reconciler.report.page.reading import Json, listed, mapping, number, text
from reconciler.report.page.words import counted, joined

MARKS = 60
"""With more calls than this, only those that change a lane get a mark."""
SHOWN = 60
"""The most lanes; what is open or changes comes first."""
LABELS = 14
"""The most labels on the axis."""
UNFOLDED = 8
"""Lanes of what arrives throughout, if there are more, are closed."""
_ORDER = ("broken", "undeclared", "missing", "declared_now", "throughout")
CLASSES = {
    "broken": "Rule broken",
    "undeclared": "Not declared",
    "missing": "Declared",
    "declared_now": "Declared",
    "throughout": "",
}


class Run(NamedTuple):
    """A stretch of marks, `start` to `start + length`, in which it arrives (`on`) or perhaps arrives. `under_way`: a
    change of it was asked for, and no look has seen it yet.
    """

    start: int
    length: int
    on: bool
    perhaps: bool = False
    under_way: bool = False


class Lane(NamedTuple):
    """One set of packets between two ends, with its history. `on` has a 0 or 1 for each mark, and so has `waits`, for a
    change that was asked for and that no look has seen (empty: there is none). `ends` are whether it arrives in the
    first state, and in the last.
    """

    number: int
    flow: str
    source: str
    target: str
    traffic: str
    addresses: str | None
    verdict: str
    certain: bool
    on: str
    waits: str
    runs: tuple[Run, ...]
    ends: tuple[bool, bool]
    rests_on: tuple[str, ...]
    from_internet: bool
    to_database: bool
    source_id: str
    target_id: str
    target_subnets: tuple[str, ...]
    target_address: str | None

    @property
    def undeclared(self) -> bool:
        """Whether it should not arrive."""
        return self.flow in {"undeclared", "broken"}

    @property
    def wanted(self) -> bool:
        """Whether it should arrive, and does not throughout."""
        return self.flow in {"missing", "declared_now"}

    @property
    def heading(self) -> str:
        """What class of flow this is, in words; empty if it arrives throughout."""
        return CLASSES.get(self.flow, "")


@dataclass(frozen=True)
class Mark:
    """A state on the axis of the lanes. `short` is its label there, empty if there is no room; `said` the sentence."""

    index: int
    short: str
    name: str
    call: int | None
    predicted: bool
    said: str
    effect: str


class Lanes(NamedTuple):
    """All lanes, the gravest first. `left_out` were not shown. `unknown`: why there are none."""

    marks: tuple[Mark, ...] = ()
    changing: tuple[Lane, ...] = ()
    throughout: tuple[Lane, ...] = ()
    basis: str | None = None
    broken: bool = False
    disagree: tuple[str, ...] = ()
    rests_on: tuple[str, ...] = ()
    states: int = 0
    left_out: int = 0
    pairs_left_out: int = 0
    unknown: str | None = None

    @property
    def all(self) -> tuple[Lane, ...]:
        return (*self.changing, *self.throughout)

    @property
    def called(self) -> bool:
        """Whether there is a call between the first state and the last."""
        return any(one.call is not None for one in self.marks)

    @property
    def folded(self) -> bool:
        """Whether the lanes of what arrives throughout are closed."""
        return len(self.throughout) > UNFOLDED

    def openings(self, *, last: bool) -> list[Lane]:
        """What arrives and is not declared, in the first state or in the last."""
        return [one for one in self.all if one.undeclared and one.ends[last]]

    def cuts(self, *, last: bool) -> list[Lane]:
        """What is declared and does not arrive."""
        return [one for one in self.all if one.wanted and not one.ends[last]]

    def changed_by(self, call: int) -> str | None:
        """What a call changes in what arrives, as a sentence; None if it changes nothing, or that is not known."""
        return next((one.effect for one in self.marks if one.call == call), None) or None


def lanes(receipt: Json) -> Lanes:
    """The lanes of a receipt."""
    given = mapping(receipt, "lanes")
    if not given:
        why = text(receipt, "lanes_unknown") or "this run did not work out which packets arrive"
        return Lanes(unknown=why)
    states, flows = listed(given, "states"), listed(given, "flows")
    flows = sorted(_alike(flows), key=_order)
    history = [_within(listed(one, "on"), len(states)) for one in flows]
    kept = _kept(states, history)
    known = [_lane(number, flow, on, kept) for number, (flow, on) in enumerate(zip(flows, history, strict=True), 1)]
    shown = known[:SHOWN]
    actions = {one.get("number"): one for one in listed(receipt, "actions")}
    return Lanes(
        marks=tuple(_mark(place, states, kept, known, actions) for place in range(len(kept))),
        changing=tuple(one for one in shown if one.flow != "throughout"),
        throughout=tuple(one for one in shown if one.flow == "throughout"),
        basis=text(given, "basis"),
        broken=bool(given.get("broken")),
        disagree=tuple(map(str, listed(given, "disagree"))),
        rests_on=tuple(
            dict.fromkeys((*map(str, listed(given, "unplaced")), *(why for one in known for why in one.rests_on)))
        ),
        states=len(states),
        left_out=len(known) - len(shown),
        pairs_left_out=number(given, "left_out"),
    )


def _order(flow: Json) -> tuple[int, bool, bool]:
    kind = str(flow.get("class"))
    place = _ORDER.index(kind) if kind in _ORDER else 0
    return place, not _is(flow, "from", "internet"), not _is(flow, "to", "db_instance")


def _is(flow: Json, end: str, kind: str) -> bool:
    return mapping(flow, end).get("kind") == kind


def _alike(flows: list[Json]) -> list[Json]:
    """Flows that differ only in the subnets of their ends, as one."""
    found: dict[str, dict[str, Any]] = {}
    for flow in flows:
        ends = {side: mapping(flow, side) for side in ("from", "to")}
        bare = {
            side: {name: end.get(name) for name in ("kind", "name", "label", "address")} for side, end in ends.items()
        }
        one = found.setdefault(json.dumps([{**flow, **bare}], sort_keys=True), {**flow, **bare})
        for side, end in ends.items():
            known = one[side].setdefault("subnets", [])
            known += [subnet for subnet in listed(end, "subnets") if subnet not in known]
    return list(found.values())


def _within(ranges: list[Any], states: int) -> list[bool]:
    """For each state whether it is in one of these ranges, which include both their ends."""
    on = [False] * states
    for first, last in ranges:
        for state in range(max(0, int(first)), min(int(last), states - 1) + 1):
            on[state] = True
    return on


def _kept(states: list[Json], history: list[list[bool]]) -> list[int]:
    """The states that get a mark: all, or of very many those that change a lane."""
    if len(states) <= MARKS + 2:
        return list(range(len(states)))
    changed = [n for n in range(1, len(states) - 1) if any(on[n] != on[n - 1] for on in history)]
    return [0, *changed, len(states) - 1]


def _lane(number: int, flow: Json, on: list[bool], kept: list[int]) -> Lane:
    source, target = mapping(flow, "from"), mapping(flow, "to")
    waiting, perhaps = set(listed(flow, "under_way")), _within(listed(flow, "perhaps"), len(on))
    marks = "".join("01"[on[state]] for state in kept)
    looks = [(on[state], perhaps[state], state in waiting) for state in kept]
    return Lane(
        number=number,
        flow=str(flow.get("class")) if flow.get("class") in _ORDER else "undeclared",
        source=label(source),
        target=label(target),
        traffic=str(flow.get("traffic") or "all traffic"),
        addresses=text(flow, "addresses"),
        verdict=str(flow.get("verdict") or "not known"),
        certain=flow.get("certain") is not False,
        on=marks,
        waits="".join("01"[state in waiting] for state in kept) if waiting else "",
        runs=tuple(_runs(looks)),
        ends=(bool(on and on[0]), bool(on and on[-1])),
        rests_on=tuple(map(str, listed(flow, "rests_on"))),
        from_internet=source.get("kind") == "internet",
        to_database=target.get("kind") == "db_instance",
        source_id=_identity(source),
        target_id=_identity(target),
        target_subnets=tuple(map(str, listed(target, "subnets"))),
        target_address=text(target, "address") or text(target, "name"),
    )


def label(end: Json) -> str:
    """An end of a flow, as people name it."""
    return "the internet" if end.get("kind") == "internet" else str(end.get("label") or end.get("name") or "nobody")


def _identity(end: Json) -> str:
    return f"{end.get('kind')} {end.get('name')} {end.get('label')}"


def _runs(looks: list[tuple[bool, bool, bool]]) -> Iterable[Run]:
    """Neighbouring marks with the same look are one run; nothing is drawn where nothing arrives."""
    start = 0
    for place in range(1, len(looks) + 1):
        if place == len(looks) or looks[place] != looks[start]:
            on, perhaps, waiting = looks[start]
            if on or waiting:
                yield Run(start, place - start, on, perhaps, waiting)
            start = place


def _mark(
    place: int, states: list[Json], kept: list[int], known: list[Lane], actions: Mapping[int | None, Json]
) -> Mark:
    state, predicted = states[kept[place]], any(one.get("predicted") for one in states[1:])
    call = state.get("call")
    name = str(state.get("name") or f"state {kept[place]}")
    first, last = place == 0, place == len(kept) - 1
    every = -(-len(kept) // LABELS)
    room = place % every == 0 and len(kept) - 1 - place >= every
    short = (
        ("now" if predicted else "before")
        if first
        else "end"
        if last
        else str(call if call is not None else kept[place])
        if room
        else ""
    )
    return Mark(
        index=place,
        short=short,
        name=name,
        call=call if isinstance(call, int) else None,
        predicted=bool(state.get("predicted")),
        said=_said(place, name, known, actions.get(call) if call is not None else None),
        effect=_effect(place, known),
    )


def _said(place: int, name: str, known: list[Lane], action: Json | None) -> str:
    """What is so in one state: the call, and what it starts and ends."""
    begun = f"{name[:1].upper()}{name[1:]}"
    if action is not None:
        called = f"{action.get('address')}: {action.get('why')}"
        return f"{begun}: {called}. {_effect(place, known) or 'No change in what arrives.'}"
    arriving = [one for one in known if one.on[place] == "1"]
    wrong = sum(one.undeclared for one in arriving)
    missing = sum(one.wanted and one.on[place] == "0" for one in known)
    told = [f"{counted(len(arriving), 'flow')} arrive{'s' if len(arriving) == 1 else ''}"]
    told += [f"{wrong} of them not declared"] if wrong else []
    told += [f"{counted(missing, 'declared flow')} {'does' if missing == 1 else 'do'} not arrive"] if missing else []
    return f"{begun}: {', '.join(told)}. {_effect(place, known) if place else ''}".strip()


def _effect(place: int, known: list[Lane]) -> str:
    """What starts and ends to arrive in one state; empty if nothing does."""
    shut = [one for one in known if one.on[place - 1 : place + 1] == "10"]
    opened = [one for one in known if one.on[place - 1 : place + 1] == "01"]
    if not shut and not opened:
        return ""
    told = [f"Shuts {joined(map(_named, shut[:4]))}{_others(shut)}."] if shut else []
    told += [f"Opens {joined(map(_named, opened[:4]))}{_others(opened)}."] if opened else []
    return " ".join(told)


def _others(some: list[Lane]) -> str:
    return f" and {len(some) - 4} more" if len(some) > 4 else ""


def _named(one: Lane) -> str:
    return f"{one.source} \N{RIGHTWARDS ARROW} {one.target} {one.traffic}"
