"""Judges intents: who is meant, which pairs of ends there are, what passes between them, and what follows. Pure.

`flows.py` answers for one pair. An intent is kept if every pair is as it says, and broken if one certainly is not.
Otherwise it is not known: what is unknown never counts as kept, and never as broken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from desired_state.fields import Address
from desired_state.intents import WORDS, Intent
from reconciler.model.exposure import Severity
from reconciler.packets.traffic import IPV6, LINE, STRETCH, Cuts, has, join, less
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.places import Possible
from reconciler.reach.judge.selectors import Selectors, same_machines
from reconciler.reach.pair.blockers import blockers, partly
from reconciler.reach.pair.ends import CLIENT_PORTS, End, Endpoint, External, Ranges
from reconciler.reach.pair.explain import rests_on, walk, witness
from reconciler.reach.pair.flows import passing
from reconciler.reach.pair.path import Blocker, Flow, Hop, Mend, Packet, Path, replies

MOST_PAIRS = 20_000
"""The most pairs of ends of one intent; with more, it is not judged."""
EXPLAINED = 20
"""The most pairs of one verdict that are explained."""


class Status(StrEnum):
    """What is known of an intent."""

    KEPT = "kept"
    BROKEN = "broken"
    UNKNOWN = "unknown"


class Case(NamedTuple):
    """Two ends between which it is not as an intent says, or not known.

    `exposed`: something arrives that should not; then `path` is the way of one packet. Otherwise something that should
    arrive does not, or its replies do not come back; then `blockers` are all that is in the way. `partly`: the replies
    to common clients do come back.
    """

    source: End
    target: End
    flow: str
    exposed: bool
    certain: bool
    path: Path | None = None
    blockers: tuple[Blocker, ...] = ()
    partly: bool = False


@dataclass(frozen=True)
class Verdict:
    """What is known of one intent.

    `cases` are the first EXPLAINED of all `count` pairs that are certainly not as it says, or, if there is none, of
    those of which that is not known.
    `unknown` says what else is not known, and how to make it known; `nobody` which of its ends are not there.
    `rests_on` says what stands in for what nobody declares.
    """

    intent: Intent
    status: Status
    severity: Severity | None
    cases: tuple[Case, ...] = ()
    count: int = 0
    unknown: tuple[str, ...] = ()
    nobody: tuple[str, ...] = ()
    rests_on: tuple[str, ...] = ()

    @property
    def partly(self) -> bool:
        """Whether all that breaks it are replies that only some clients miss."""
        return self.status is Status.BROKEN and all(case.partly for case in self.cases) and not self.nobody

    @property
    def path(self) -> tuple[Hop, ...]:
        """The way of one packet: of one that should not arrive, or else of one that should."""
        return next((case.path.hops for case in self.cases if case.path), ())

    @property
    def witness(self) -> Packet | None:
        """A packet that should not arrive."""
        return next((case.path.packet for case in self.cases if case.path and case.exposed), None)

    @property
    def blockers(self) -> tuple[Blocker, ...]:
        """Everything that is in the way, of every pair that is explained, each once."""
        return tuple(dict.fromkeys(one for case in self.cases for one in case.blockers))

    @property
    def mends(self) -> tuple[Mend, ...]:
        """What is missing, of every pair that is explained, each once."""
        return tuple(dict.fromkeys(mend for one in self.blockers for mend in one.mends))


def judge(intents: Iterable[Intent], context: JudgeContext) -> tuple[Verdict, ...]:
    """What is known of each intent, in their order."""
    selectors = Selectors(context)
    return tuple(_Judgement(intent, context, selectors).verdict() for intent in intents)


type Who = tuple[str, str]
"""Who an end is in every state of the network: its label, and its subnet if it is in one."""
type Exposures = Mapping[Intent, Mapping[tuple[Who, Who], Cuts]]


def exposures(intents: Iterable[Intent], context: JudgeContext) -> Exposures:
    """What certainly arrives, and between whom, although an intent forbids it."""
    selectors = Selectors(context)
    exposed: dict[Intent, dict[tuple[Who, Who], Cuts]] = {}
    for intent in intents:
        for source, target, asked in _Judgement(intent, context, selectors).forbidden():
            if found := passing(context.topology, source, target, asked)[0]:
                pairs, pair = exposed.setdefault(intent, {}), (_who(source), _who(target))
                pairs[pair] = join(pairs.get(pair, ()), found)
    return exposed


def _who(end: End) -> Who:
    return end.label, end.subnet if isinstance(end, Endpoint) else ""


type _Pair = tuple[End, End, Cuts]


class _Judgement:
    """The judgement of one intent."""

    def __init__(self, intent: Intent, context: JudgeContext, selectors: Selectors) -> None:
        self._intent, self._context, self._selectors = intent, context, selectors
        self._topology = context.topology
        excluding = intent.excluding or ()
        self._sources = selectors.without(selectors.united(intent.source), excluding)
        self._targets = selectors.united(intent.to)
        self._flows: dict[str, Flow] = {}
        self._asked: dict[tuple[int, int], Cuts] = {}

    def verdict(self) -> Verdict:
        intent = self._intent
        unknown, nobody = list(dict.fromkeys((*self._unknown(), *self._unsaid()))), list(self._nobody())
        absent = [end for end in nobody if end in self._context.placed.absent]
        cases: list[Case] = []
        if self._pairs() > MOST_PAIRS:
            unknown.append(f"{self._pairs()} pairs of ends are too many to judge: name the ends")
        else:
            found = [*self._exposed(), *self._missed()]
            cases = sorted(found, key=lambda case: (not case.certain, case.partly))
        certain = [case for case in cases if case.certain]
        not_kept = Status.UNKNOWN if cases or unknown or nobody else Status.KEPT
        status = Status.BROKEN if certain or absent else not_kept
        told = certain or cases
        verdict = Verdict(
            intent,
            status,
            None,
            tuple(self._explained(case) for case in told[:EXPLAINED]),
            len(told),
            tuple(unknown),
            tuple(nobody),
        )
        assumed = {*self._rests_on(), *(why for case in verdict.cases if case.path for why in case.path.rests_on)}
        return replace(verdict, severity=self._severity(verdict, certain), rests_on=tuple(sorted(assumed)))

    def _severity(self, verdict: Verdict, certain: list[Case]) -> Severity | None:
        if verdict.status is Status.KEPT:
            return None
        if verdict.status is Status.UNKNOWN:
            return Severity.LOW
        if self._intent.severity:
            return Severity(self._intent.severity)
        exposed = [case for case in certain if case.exposed]
        if exposed:
            outside = any(isinstance(case.source, External) for case in exposed)
            named = any(one in WORDS for one in self._intent.source)
            return Severity.CRITICAL if outside or named else Severity.HIGH
        return Severity.MEDIUM if verdict.partly else Severity.HIGH

    # Who.

    @cached_property
    def _others(self) -> tuple[Endpoint, ...]:
        """What `only` blocks besides other ports: every machine that it does not name."""
        if self._intent.expect != "only":
            return ()
        named: dict[Address, list[Endpoint]] = {}
        for end in self._targets:
            if isinstance(end, Endpoint):
                named.setdefault(end.subnet, []).append(end)
        return tuple(
            one
            for one in self._topology.endpoints
            if not any(same_machines(one, end) for end in named.get(one.subnet, ()))
        )

    def _perhaps(self) -> Iterator[tuple[Possible, bool]]:
        """The machines that nobody names, and that must not be reached if they are there; whether `to` means them."""
        if self._intent.expect != "reachable":
            yield from ((one, True) for one in self._selectors.may_be(self._intent.to))
        if self._intent.expect == "only":
            yield from ((one, False) for one in self._selectors.may_be_besides(self._intent.to))

    def _pairs(self) -> int:
        return len(self._sources) * (len(self._targets) + len(self._others))

    def _unknown(self) -> Iterator[str]:
        intent = self._intent
        excluding = set(intent.excluding or ())
        yield from self._selectors.unknown([one for one in intent.source if one not in excluding])
        yield from self._selectors.unknown(intent.to)
        if intent.expect == "only":
            yield from (why for who, why in self._context.placed.unknown.items() if who not in intent.to)
        wide = {one for one in (*intent.source, *intent.to) if one == "anywhere" or _of_several(one)}
        if self._context.strangers and (intent.expect == "only" or wide):
            yield self._context.strangers

    def _unsaid(self) -> Iterator[str]:
        """Of which end it is not said what must be reachable there."""
        if self._intent.expect == "reachable" and self._intent.protocol is None:
            for selector in self._intent.to:
                if Address(selector).kind != "db_instance":
                    yield f'it is not said what must reach {selector}: add "protocol"'

    def _nobody(self) -> Iterator[str]:
        """The ends of what must be reachable that are not there."""
        if self._intent.expect == "blocked":
            return
        unknown = self._context.placed.unknown
        for selector in (*self._intent.source, *self._intent.to):
            if not self._selectors.ends(selector) and selector not in unknown:
                yield selector

    # What must not arrive.

    def forbidden(self) -> Iterator[_Pair]:
        """The pairs between which something must not arrive, and what."""
        if self._intent.expect == "reachable" or self._pairs() > MOST_PAIRS:
            return
        for source in self._sources:
            named = ((source, target, self._unwanted(target, named=True)) for target in self._targets)
            others = ((source, other, LINE) for other in self._others)
            yield from (pair for pair in (*named, *others) if pair[2] and not _one_machine(pair[0], pair[1]))

    def _exposed(self) -> Iterator[Case]:
        for source, target, asked in self.forbidden():
            certain, possible = passing(self._topology, source, target, asked)
            if possible:
                self._asked[id(source), id(target)] = asked
                yield Case(source, target, "", exposed=True, certain=bool(certain))
        perhaps = tuple(self._perhaps())
        for source in self._sources if perhaps else ():
            near = source.subnet if isinstance(source, Endpoint) else None
            for some, named in perhaps:
                for machine in self._selectors.machines(some, near):
                    asked = self._unwanted(machine, named=named)
                    if passing(self._topology, source, machine, asked)[1]:
                        self._asked[id(source), id(machine)] = asked
                        yield Case(source, machine, "", exposed=True, certain=False)

    def _unwanted(self, target: End, *, named: bool) -> Cuts:
        """What must not arrive at an end; `named`: whether the intent is about it."""
        if not named:
            return LINE
        wanted = self._flow(target).request
        if self._intent.expect == "only":
            return less(LINE, wanted)
        return _whole(self._intent) if self._intent.protocol in _ANY_TYPE else wanted

    # What must arrive.

    def _missed(self) -> Iterator[Case]:
        if self._intent.expect == "blocked":
            return
        for source in self._sources:
            for target in self._targets:
                if _one_machine(source, target) or (isinstance(source, External) and isinstance(target, External)):
                    continue
                flow = self._flow(target)
                if flow is _ANYTHING:
                    continue
                if found := blockers(self._topology, source, target, flow):
                    certain = any(blocker.certain for blocker in found)
                    yield Case(
                        source,
                        target,
                        flow.name,
                        exposed=False,
                        certain=certain,
                        blockers=found,
                        partly=certain and partly(found),
                    )

    def _flow(self, target: End) -> Flow:
        """The conversation that is asked for with one end: a database says by itself which."""
        protocol, ports = self._intent.protocol, tuple(self._intent.ports or ())
        owner = target.owner if isinstance(target, Endpoint) else ""
        if protocol is None:
            port = self._context.placed.ports.get(owner)
            if self._intent.expect == "blocked" or port is None:
                return _ANYTHING
            protocol, ports = "tcp", ((port, port),)
        key = f"{protocol} {ports}"
        if key not in self._flows:
            self._flows[key] = Flow.of(protocol, *ports)
        return self._flows[key]

    # Words.

    def _explained(self, case: Case) -> Case:
        if not case.exposed:
            return case._replace(path=self._dead(case))
        asked = self._asked[id(case.source), id(case.target)]
        path = witness(self._topology, case.source, case.target, asked)
        return case._replace(path=path, target=self._placed(case.target, path))

    def _placed(self, target: End, path: Path | None) -> End:
        """A machine that may be in one of several subnets, in the one where the packet arrives."""
        if path is None or isinstance(target, External) or target.owner:
            return target
        for subnet, networks in self._topology.network.subnets.items():
            there = Ranges.of(*networks)
            if has(there.ipv6 if path.packet.ipv6 else there.ipv4, path.packet.target):
                group = next(iter(target.groups or ()), "")
                return target._replace(label=f"a machine with {group} in {subnet}", subnet=subnet)
        return target

    def _dead(self, case: Case) -> Path | None:
        """The way of one packet that does not arrive, or whose reply does not come back; None if none is found."""
        first = case.blockers[0]
        space, bands = next(iter(first.missing.spaces), ("", ()))
        address, cuts = next(((at, some) for at, some in bands if some), (0, ()))
        if not cuts:
            return None
        ipv6 = space == IPV6
        ends = [(end.addresses.ipv6 if ipv6 else end.addresses.ipv4)[:1] for end in (case.source, case.target)]
        if not all(ends):
            return None
        (source,), (target,) = ends
        flow, client = (
            self._flow(case.target),
            case.source.client_ports if isinstance(case.source, Endpoint) else CLIENT_PORTS,
        )
        reply = cuts[0] if first.hop.reply else replies(flow, client)[0]
        place = flow.request[0] if first.hop.reply else cuts[0]
        for one, other in ((source, target), (source, address), (address, target)):
            packet = Packet(place, one, other, ipv6)
            hops = walk(self._topology, case.source, case.target, packet, reply)
            if not all(hop.passes for hop in hops):
                return Path(packet, hops, certain=case.certain)
        return None

    def _rests_on(self) -> Iterator[str]:
        network, assumed = self._topology.network, self._context.assumed
        targets = (*self._targets, *self._others)
        for end in (*self._sources, *targets):
            if isinstance(end, Endpoint):
                components = (network.acl_of(end.subnet), network.table_of(end.subnet), *(end.groups or ()))
                gateways = network.routes(network.table_of(end.subnet)).values()
                yield from (assumed[at] for at in map(Address, (*components, *gateways)) if at in assumed)
        if self._intent.expect != "blocked":
            for source in self._sources:
                for target in self._targets:
                    yield from rests_on(self._topology, source, target)


_ANYTHING = Flow("anything", LINE)
_ANY_TYPE = frozenset({"icmp", "icmpv6"})


def _whole(intent: Intent) -> Cuts:
    """Every type of ICMP: `blocked` is not about ping alone."""
    start = STRETCH * (1 if intent.protocol == "icmp" else 58)
    return start, start + STRETCH


def _of_several(selector: str) -> bool:
    return Address(selector).kind in {"vpc", "subnet", "security_group"} and "/" in selector


def _one_machine(source: End, target: End) -> bool:
    """Whether both ends are the same database, which is in one of its subnets at a time."""
    if isinstance(source, External) or isinstance(target, External):
        return False
    return source.owner == target.owner and source.owner.startswith("db_instance/")
