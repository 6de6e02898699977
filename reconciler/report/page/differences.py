"""What differs, by resource, the gravest first; of very many, what is alike is told once. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from reconciler.report.page.reading import Json, in_words, kind_of, listed, mapping, text
from reconciler.report.page.resources import Past, Resource, Resources
from reconciler.report.page.words import Side, gravest, key_of, rank, side

ALL_OPEN = 40
"""Up to so many differences all are open and none are merged."""
ALIKE = 3
"""From so many resources on, the same difference is told once."""
MOST = 300
"""The most differences on one page; what is left out is counted."""
MOST_ADDRESSES = 100
"""The most resources that one entry lists."""
MOST_NAMES, FEW_NAMES = 500, 6
"""The most resources that all such entries list together; after that each lists a few, and counts the others."""
_SIGNS = {"add": ("+", "missing"), "change": ("~", "not as declared"), "remove": ("\N{MINUS SIGN}", "not declared")}
DONE = ("corrected", "in_sync")


class Difference(NamedTuple):
    """One difference. `number` is its number on this page, `indexes` are its places in `drifted` of the receipt,
    `calls` the numbers of the calls that resolve it. `reach` is what it means from end to end, `flows` whether
    anything more or less arrives because of it.
    """

    number: int
    indexes: tuple[int, ...]
    sign: str
    sign_in_words: str
    field: str | None
    key: str | None
    severity: str | None
    own_severity: str | None
    sentence: str | None
    reach: str | None
    flows: bool
    outcome: str | None
    reason: str | None
    message: str | None
    declared: Side
    live: Side
    calls: tuple[int, ...]

    @property
    def done(self) -> bool:
        return self.outcome in DONE


class Entry(NamedTuple):
    """What differs at one resource, or one difference of several: then `others` are how many more it is at."""

    number: int
    resources: tuple[Resource, ...]
    pasts: tuple[Past, ...]
    severity: str | None
    differences: tuple[Difference, ...]
    open: bool
    others: int = 0

    @property
    def merged(self) -> bool:
        return len(self.resources) + self.others > 1

    @property
    def done(self) -> bool:
        """Whether nothing of it is left."""
        return all(one.done for one in self.differences)


@dataclass(frozen=True)
class Differences:
    """All of them, of which `done` are put right. `left_out` is how many are not on the page; `numbers` are by place in
    `drifted`, `tones` by number: `grave`, `warn`, `plain` or `done`.
    """

    entries: tuple[Entry, ...]
    count: int
    done: int
    at: int
    left_out: int
    numbers: dict[int, int]
    tones: dict[int, str]
    actors_unknown: str | None
    since_unknown: str | None


def differences(receipt: Json, resources: Resources) -> Differences:
    """The differences of a receipt as the page tells them."""
    drifted = listed(receipt, "drifted")
    calls = _calls(receipt)
    bundles = sorted(_bundles(drifted), key=lambda bundle: _order(drifted, [n for part in bundle.parts for n in part]))
    numbers: dict[int, int] = {}
    entries: list[Entry] = []
    numbered, left, names = count(1), MOST, MOST_NAMES
    for bundle in bundles:
        shown = [_difference(next(numbered), part, drifted, calls) for part in bundle.parts[: max(0, left)]]
        left -= len(bundle.parts)
        numbers.update({index: one.number for one in shown for index in one.indexes})
        if shown:
            entry = _entry(shown, bundle, drifted, resources, max(names, FEW_NAMES))
            names -= len(entry.resources) if entry.merged else 0
            entries.append(entry)
    few = len(drifted) <= ALL_OPEN
    return Differences(
        entries=tuple(one._replace(open=few or one.severity == "critical") for one in entries),
        count=len(drifted),
        done=sum(one.get("outcome") in DONE for one in drifted),
        at=len({_address(one) for one in drifted}),
        left_out=len(drifted) - len(numbers),
        numbers=numbers,
        tones={one.number: _tone(one) for entry in entries for one in entry.differences},
        actors_unknown=text(receipt, "actors_unknown") if drifted else None,
        since_unknown=text(receipt, "since_unknown") if drifted else None,
    )


def _tone(one: Difference) -> str:
    if one.done:
        return "done"
    return {"critical": "grave", "high": "grave", "medium": "warn"}.get(one.severity or "", "plain")


def _order(drifted: list[Json], group: list[int]) -> tuple[bool, int, int]:
    """What is left before what is done, then by severity, then as the receipt has it."""
    done = all(drifted[n].get("outcome") in DONE for n in group)
    return done, min(rank(_severity(drifted[n])) for n in group), group[0]


def _address(one: Json) -> str:
    return str(one.get("address"))


def _severity(one: Json) -> str | None:
    """Its own layer's, or what it means from end to end, whichever is graver."""
    return gravest([text(one, "severity"), text(mapping(one, "consequence"), "severity")])


class _Bundle(NamedTuple):
    """What becomes one entry: places in `drifted`, those of each difference together; the gravest first."""

    parts: list[list[int]]
    alike: bool


def _bundles(drifted: list[Json]) -> Iterator[_Bundle]:
    """The differences of each resource; of very many, what is the same at three or more resources apart, and all that
    is the same at the same resources together.
    """

    def gravest_first(parts: list[list[int]]) -> list[list[int]]:
        return sorted(parts, key=lambda part: (rank(_severity(drifted[part[0]])), part[0]))

    alike: dict[str, list[int]] = {}
    if len(drifted) > ALL_OPEN:
        for index, one in enumerate(drifted):
            alike.setdefault(_likeness(one), []).append(index)
    merged: dict[tuple[str, ...], list[list[int]]] = {}
    for group in alike.values():
        addresses = tuple(dict.fromkeys(_address(drifted[n]) for n in group))
        if len(addresses) >= ALIKE:
            merged.setdefault(addresses, []).append(group)
    told = {index for parts in merged.values() for part in parts for index in part}
    alone: dict[str, list[list[int]]] = {}
    for index, one in enumerate(drifted):
        if index not in told:
            alone.setdefault(_address(one), []).append([index])
    yield from (_Bundle(gravest_first(parts), alike=True) for parts in merged.values())
    yield from (_Bundle(gravest_first(parts), alike=False) for parts in alone.values())


def _likeness(one: Json) -> str:
    address = _address(one)
    parts = [one.get(name) for name in ("field", "key", "sign", "want", "have", "severity", "outcome", "reason")]
    told = [_of_each(text(one, "sentence"), address), _of_each(text(one, "message"), address)]
    reach = _of_each(text(mapping(one, "consequence"), "sentence"), address)
    return json.dumps([kind_of(address), *parts, *told, reach], sort_keys=True)


def _of_each(sentence: str | None, address: str, each: str = "each") -> str | None:
    """A sentence about one resource, as one about each of several."""
    if sentence is None:
        return None
    return (
        f"{each}{sentence.removeprefix(address)}" if sentence.startswith(address) else sentence.replace(address, "it")
    )


def _calls(receipt: Json) -> dict[int, list[int]]:
    """The calls that resolve a difference, by its place in `drifted`; by address and field where only that is said."""
    drifted, found = listed(receipt, "drifted"), dict[int, list[int]]()
    by_field: dict[tuple[str, str], list[int]] = {}
    for index, one in enumerate(drifted):
        by_field.setdefault((_address(one), str(one.get("field") or "")), []).append(index)
    for number, action in enumerate(listed(receipt, "actions"), 1):
        if isinstance(exact := action.get("resolves_drifted"), list):
            indexes = exact
        else:
            indexes = [
                n for address, field in listed(action, "resolves") for n in by_field.get((address, field or ""), [])
            ]
        for index in indexes:
            found.setdefault(index, []).append(int(action.get("number", number)))
    return found


def _difference(number: int, indexes: list[int], drifted: list[Json], calls: dict[int, list[int]]) -> Difference:
    one, alike = drifted[indexes[0]], len(indexes) > 1
    address = _address(one)
    each = f"Each of {len(indexes):,} {in_words(kind_of(address))}s"

    def told(sentence: str | None) -> str | None:
        return _of_each(sentence, address, each) if alike else sentence

    sign, words = _SIGNS.get(str(one.get("sign")), ("?", "not known how"))
    return Difference(
        number=number,
        indexes=tuple(indexes),
        sign=sign,
        sign_in_words=words,
        field=text(one, "field"),
        key=key_of(one.get("key")),
        severity=_severity(one),
        own_severity=text(one, "severity"),
        sentence=told(text(one, "sentence")),
        reach=told(_reach(one)),
        flows=bool(listed(mapping(one, "consequence"), "flows")),
        outcome=text(one, "outcome"),
        reason=text(one, "reason"),
        message=told(text(one, "message")),
        declared=side(one.get("want")),
        live=side(one.get("have")),
        calls=tuple(sorted({call for index in indexes for call in calls.get(index, ())})),
    )


def _reach(one: Json) -> str | None:
    """What it means, or meant, from end to end; None if that was not judged."""
    consequence = mapping(one, "consequence")
    if not consequence or listed(consequence, "flows"):
        return text(consequence, "sentence")
    why = text(consequence, "stopped_by")
    verb = "arrived" if one.get("outcome") in DONE else "arrives"
    return f"Nothing more or less {verb} because of it{f' ({why})' if why else ''}."


def _entry(shown: list[Difference], bundle: _Bundle, drifted: list[Json], resources: Resources, names: int) -> Entry:
    addresses = list(dict.fromkeys(_address(drifted[n]) for n in bundle.parts[0]))
    named = addresses[: min(MOST_ADDRESSES, names)]
    return Entry(
        number=shown[0].number,
        resources=tuple(map(resources.at, named)),
        pasts=tuple(map(resources.past, named)),
        severity=gravest(one.severity for one in shown),
        differences=tuple(shown),
        open=True,
        others=len(addresses) - len(named),
    )
