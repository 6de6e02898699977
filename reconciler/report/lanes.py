"""Who reaches what after every call of a run, as JSON values and words. Pure.

A lane is some traffic from one end to another that arrives in the same states. Of each it is known whether the state
before and the document let it through: what both do must arrive in every state, and what neither does in none. Where a
state breaks that, the lane is `broken`. Worked out only where somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from desired_state.sanitize import sanitize
from reconciler.engine.states import Named, States, states
from reconciler.packets.traffic import Cuts
from reconciler.reach.arrivals import Arrives
from reconciler.reach.histories import History, histories
from reconciler.reach.pair.blockers import blockers
from reconciler.reach.pair.ends import Endpoint
from reconciler.reach.pair.explain import rests_on
from reconciler.reach.pair.path import Flow
from reconciler.report.flows import listed, traffic_of
from reconciler.report.lane_ends import Who, addresses_of, end_as_json, is_known, subnets_of, who_of

if TYPE_CHECKING:
    from reconciler.engine.result import Report

MOST_REASONS = 4
"""Of how many things it is said that a lane rests on them."""
MOST_PARTS, IN_FULL = 4, 1000
"""How many kinds of traffic or networks a lane lists; the others are counted, and all listed `in_full`."""

_WITHIN = "within one subnet"
"""The addresses of a lane that only joins machines of the same subnet."""

CLASSES = ("broken", "undeclared", "missing", "declared_now", "throughout")
"""The classes of lanes, in the order in which they are told."""


def lanes(report: Report) -> dict[str, Any] | None:
    """The states of a run and all that arrives in any of them; None if that is not known (`engine.states.why_none`)."""
    known = states(report)
    return _Lanes(known).as_json() if known else None


class _Lane(NamedTuple):
    """What one lane is, but for the subnets and addresses of its ends."""

    source: Who
    target: Who
    traffic: Cuts
    addresses: str | None
    arrives: tuple[Arrives, ...]
    late: tuple[Arrives, ...]
    declared: Arrives
    meant: Arrives
    new: bool


class _Lanes:
    def __init__(self, known: States) -> None:
        self._known = known
        self._count = len(known.states)
        columns = [*known.states, *known.late, (known.declared,), (known.meant,)]
        self._found = histories(columns)
        self._unplaced = [{at for one in state for at in one.placed.unknown} for state in columns]

    def as_json(self) -> dict[str, Any]:
        known = self._known
        flows = list(self._flows())
        disagree = [text for flow, text in flows if text] if known.seen else []
        told = sorted((flow for flow, _ in flows), key=_order)
        return {
            "states": [{"name": one.name, "call": one.call, "predicted": one.predicted} for one in known.names],
            "basis": "seen" if known.seen else "predicted",
            "broken": any(flow["class"] == "broken" for flow in told),
            "disagree": disagree,
            "flows": told,
            "left_out": self._found.left_out,
            "unplaced": sorted(sanitize(f"not judged: {why}") for why in known.unplaced),
        }

    def _flows(self) -> Iterator[tuple[dict[str, Any], str]]:
        """Each lane, and in what the second look disagrees with what was predicted of it."""
        for lane, one, pieces in self._lanes():
            for of, to in pieces:
                told = _Told(lane, self._known.names, seen=self._known.seen)
                certain = Arrives.PERHAPS not in (*lane.arrives, lane.declared)
                yield (
                    {
                        "from": end_as_json(lane.source, of),
                        "to": end_as_json(lane.target, to),
                        "traffic": traffic_of(lane.traffic),
                        "addresses": lane.addresses,
                        "in_full": _in_full(lane, one),
                        "class": told.kind,
                        "on": _runs([bool(value) for value in lane.arrives]),
                        "perhaps": _runs([value is Arrives.PERHAPS for value in lane.arrives]),
                        "under_way": told.under_way,
                        "certain": certain,
                        "verdict": told.verdict,
                        "rests_on": sorted(self._rests_on(one, certain=certain)),
                    },
                    told.disagrees(f"{lane.source.label} -> {lane.target.label}, {traffic_of(lane.traffic)}"),
                )

    def _lanes(self) -> Iterator[tuple[_Lane, History, list[tuple[list[str], list[str]]]]]:
        """The histories, those of one workload or database in several subnets together."""
        found: dict[_Lane, tuple[History, dict[tuple[str, ...], dict[tuple[str, ...], None]]]] = {}
        for one in self._found.found:
            values, count = self._arrives(one), self._count
            if not any(values[:count]) and not values[-2]:
                continue
            lane = _Lane(
                who_of(one.source),
                who_of(one.target),
                one.traffic,
                addresses_of(one, MOST_PARTS),
                values[:count],
                values[count : 2 * count],
                values[-2],
                values[-1],
                not one.there[0] and not values[0],
            )
            _, places = found.setdefault(lane, (one, {}))
            places.setdefault(subnets_of(one.source), {})[subnets_of(one.target)] = None
        for lane, (one, places) in found.items():
            if len(places) > 1 and all(list(targets) == [source] for source, targets in places.items()):
                within = sorted(at for some in places for at in some)
                yield (
                    lane._replace(addresses=" ".join(filter(None, (lane.addresses, _WITHIN)))),
                    one,
                    [(within, within)],
                )
                continue
            alike: dict[tuple[tuple[str, ...], ...], list[str]] = {}
            for source, targets in places.items():
                alike.setdefault(tuple(sorted(targets)), []).extend(source)
            pieces = [(sorted(some), sorted({at for to in targets for at in to})) for targets, some in alike.items()]
            yield lane, one, pieces

    def _arrives(self, one: History) -> tuple[Arrives, ...]:
        """Whether it arrives in each state: not known where nobody can say where an end of it is."""
        owners = {end.owner for end in (one.source, one.target) if isinstance(end, Endpoint)}
        return tuple(
            Arrives.PERHAPS if value is Arrives.NO and not owners.isdisjoint(unplaced) else value
            for value, unplaced in zip(one.arrives, self._unplaced, strict=True)
        )

    def _rests_on(self, one: History, *, certain: bool) -> set[str]:
        """What a lane takes for granted, and what is not known of it."""
        known = self._known
        topology = known.states[-1][0].topology
        found = set(map(sanitize, rests_on(topology, one.source, one.target)))
        if certain:
            return found
        place = next((n for n, value in enumerate(one.arrives) if value is Arrives.PERHAPS), 0)
        state = (*known.states, *known.late, (known.declared,), (known.meant,))[place]
        for blocker in blockers(state[0].topology, one.source, one.target, Flow("", one.traffic)):
            hop = blocker.hop
            if not blocker.certain and not hop.reply and hop.why and len(found) < MOST_REASONS:
                found.add(sanitize(f"{hop.component}: {hop.why.value}"))
        found |= {f"the outcome of call {number} is not known" for number in known.unknown}
        if not all(is_known(end) for end in (one.source, one.target)) and state[0].strangers:
            found.add(sanitize(state[0].strangers))
        return found


class _Told:
    """The class of a lane, and its verdict in words."""

    def __init__(self, lane: _Lane, names: Sequence[Named], *, seen: bool) -> None:
        self._lane, self._names, self._seen = lane, names, seen
        self._on = [bool(value) for value in lane.arrives]
        self._calls = lane.arrives[:-1]
        """The state before, and those after the calls."""
        last = len(names) - 1
        late = [now is not then for now, then in zip(lane.arrives, lane.late, strict=True)]
        if seen:
            late[last] = late[last - 1] and lane.arrives[last] is lane.late[last - 1] if last else False
        self.under_way = [number for number, under in enumerate(late) if under]
        self.kind = self._kind()
        self.verdict = self._verdict()

    def _kind(self) -> str:
        before, declared = self._lane.arrives[0], self._lane.declared
        if self._breaks(certain=True):
            return "broken"
        if before and declared:
            return "throughout" if self._on[-1] else "missing"
        if declared:
            return "declared_now" if self._lane.new else "missing"
        return "undeclared"

    def _breaks(self, *, certain: bool) -> list[int]:
        """The states after calls that break the rule: surely, or perhaps. Where an end was not there before, what it
        sends or gets while it is being made is no break.
        """
        before, declared = self._lane.arrives[0], self._lane.declared
        allowed, least = max(before, declared, self._lane.meant), min(before, declared)
        if allowed is Arrives.NO and not self._lane.new:
            return [n for n, now in enumerate(self._calls) if now >= (Arrives.YES if certain else Arrives.PERHAPS)]
        if least >= (Arrives.YES if certain else Arrives.PERHAPS):
            return [n for n, now in enumerate(self._calls) if now is Arrives.NO]
        return []

    @property
    def _turns(self) -> list[tuple[int, bool]]:
        """The calls' states in which it begins to arrive, or ceases to."""
        calls = self._on[:-1]
        return [(n, now) for n, (was, now) in enumerate(pairwise(calls), start=1) if was != now]

    def _verdict(self) -> str:
        if self.kind == "broken":
            return self._broken(certain=True)
        certain = Arrives.PERHAPS not in (*self._lane.arrives, self._lane.declared)
        if not certain and self._breaks(certain=False):
            return self._broken(certain=False)
        if self.kind == "throughout":
            surely = Arrives.YES in self._lane.arrives
            return (
                f"arrives throughout{'' if certain else ', as far as is known'}" if surely else "may arrive throughout"
            )
        said = self._turned(_WORDS[self.kind])
        return said if certain else f"{said}, as far as is known"

    def _turned(self, words: _Words) -> str:
        """When it comes to what is declared, and whether it stays so."""
        wanted = words is not _SHUT
        predicted, looked = self._on[-2], self._on[-1]
        steps = [
            f"{words.turned if on is wanted else words.again} after call {self._names[n].call}" for n, on in self._turns
        ]
        right = predicted is wanted
        if not self._seen:
            if right and steps:
                said = ", ".join(steps) + ("" if wanted else ", stays shut")
                return said + ("; under way until a look has seen it" if self.under_way else "")
            return ", ".join((*steps, words.never if not steps else words.left))
        if self._lane.arrives[-1] is Arrives.PERHAPS:
            return f"{', '.join(steps) or words.still}; the second look could not tell"
        if looked is wanted:
            if right and steps:
                return ", ".join(steps) + ("" if wanted else ", stays shut")
            return ", ".join((*steps, f"{words.turned} at the second look"))
        if len(self._names) - 1 in self.under_way:
            call = next((self._names[n].call for n, _ in reversed(self._turns)), None)
            return f"{words.asked} by call {call}, not in force at the second look"
        if right and steps:
            return f"{words.still} at the second look, although {', '.join(steps)}"
        if not wanted and not self._on[0] and not steps:
            return "open at the second look, by no call of this run"
        if wanted and self._on[0]:
            return "cut at the second look, by no call of this run"
        return ", ".join((*steps, words.still))

    def _broken(self, *, certain: bool) -> str:
        opened = not self._lane.arrives[0]
        where = f"after {_calls([self._names[n].call for n in self._breaks(certain=certain)])}"
        if opened:
            verb = "let through" if certain else "perhaps let through"
            return f"{verb} {where}, although neither the state before nor the document lets it through"
        verb = "cut" if certain else "perhaps cut"
        return f"{verb} {where}, although both the state before and the document let it through"

    def disagrees(self, what: str) -> str:
        """In what the second look is not as predicted; empty if it is, or if a database has still to take a change."""
        if not self._seen or len(self._names) - 1 in self.under_way:
            return ""
        predicted, looked = self._lane.arrives[-2:]
        if Arrives.PERHAPS in (predicted, looked) or predicted is looked:
            return ""
        was, now = ("arrives", "does not arrive") if predicted else ("does not arrive", "arrives")
        return f"{what}: the calls say that it {was}, and at the second look it {now}"


class _Words(NamedTuple):
    """How it is said that a lane comes to what is declared (`turned`), or not."""

    turned: str
    again: str
    never: str
    left: str
    still: str
    asked: str


_SHUT = _Words("shut", "open", "arrives: no call of this plan shuts it", "stays open", "still open", "shut")
_BACK = _Words(
    "back", "cut", "does not arrive: no call of this plan brings it back", "stays cut", "still cut", "asked for"
)
_NEW = _Words(
    "arrives", "cut", "does not arrive: no call of this plan lets it through", "stays cut", "still cut", "asked for"
)


_WORDS = {"undeclared": _SHUT, "missing": _BACK, "declared_now": _NEW}


def _calls(numbers: Sequence[int | None]) -> str:
    """Such as `call 3`, `calls 3 to 7`, `calls 3, 5 to 7 and 9`."""
    runs = _runs([number in numbers for number in range((numbers[-1] or 0) + 1)])
    said = listed(
        one for first, last in runs for one in ([f"{first} to {last}"] if last > first + 1 else map(str, {first, last}))
    )
    return f"call{'s' if len(numbers) > 1 else ''} {said}"


def _order(flow: dict[str, Any]) -> tuple[Any, ...]:
    kinds = ("internet", "network", "nobody", "workload", "db_instance")
    of, to = flow["from"], flow["to"]
    return (
        CLASSES.index(flow["class"]),
        kinds.index(of["kind"]),
        of["label"],
        -kinds.index(to["kind"]),
        to["label"],
        flow["traffic"],
        flow["addresses"] or "",
        of["subnets"],
        to["subnets"],
        flow["on"],
    )


def _in_full(lane: _Lane, one: History) -> dict[str, str | None] | None:
    """Its traffic and addresses without anything left out; None if they are so already."""
    full = {"traffic": traffic_of(lane.traffic, IN_FULL), "addresses": addresses_of(one, IN_FULL)}
    shown = {"traffic": traffic_of(lane.traffic, MOST_PARTS), "addresses": addresses_of(one, MOST_PARTS)}
    return None if full == shown else full


def _runs(on: Iterable[bool]) -> list[list[int]]:
    """The states in which something is so, as the first and the last of each run of them."""
    found: list[list[int]] = []
    for number, value in enumerate(on):
        if value and found and found[-1][1] == number - 1:
            found[-1][1] = number
        elif value:
            found.append([number, number])
    return found
