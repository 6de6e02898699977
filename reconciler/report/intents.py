"""What is known of intents, as text and as JSON. Pure.

The first line of a verdict is a sentence, then where it is decided, then what mends it, ready to paste. Names, tags and
whatever else people write are made safe to show.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from desired_state.fields import RuleKey, traffic
from desired_state.sanitize import sanitize
from reconciler.model.times import minute_time
from reconciler.packets.traffic import traffic_at
from reconciler.reach.judge.intents import Case, Status, Verdict
from reconciler.reach.judge.mending import Mending
from reconciler.reach.network import Network
from reconciler.reach.pair.ends import Endpoint
from reconciler.reach.pair.explain import REMEDIES, said, traffic_of
from reconciler.reach.pair.mends import told
from reconciler.reach.pair.path import Blocker, Hop
from reconciler.report.style import Style, plain

_COLOURS = {Status.KEPT: "green", Status.BROKEN: "red", Status.UNKNOWN: "yellow"}
_SIDES = {"ingress": "in", "egress": "out", "": ""}
_SHOWN_CASES = 5
"""The pairs of one intent whose explanation is printed; the rest are counted."""


def text(
    verdicts: Sequence[Verdict],
    declared: Network,
    mending: Mending | None = None,
    style: Style = plain,
    mended: Container[Verdict] = (),
    tolerated: Mapping[str, datetime] = MappingProxyType({}),
) -> str:
    """Every verdict that is not kept, what mends them together, and how many are kept; `declared` is the network of the
    document. Of what is `mended` anyway, only that it is; of what is `tolerated`, by its name, also until when.
    """
    blocks = [
        f"{_first(one, style)}\n  the plan mends it"
        if one in mended
        else "\n".join((*_block(one, declared, style), *_tolerated(tolerated.get(one.intent.name))))
        for one in verdicts
        if one.status is not Status.KEPT
    ]
    return "\n".join((*blocks, *_mending(mending), sentence(verdicts, style)))


def _tolerated(until: datetime | None) -> Iterator[str]:
    if until:
        yield f"  only an exception breaks it: tolerated until {minute_time(until)}"


def sentence(verdicts: Iterable[Verdict], style: Style = plain) -> str:
    """How many intents there are of each status."""
    count = Counter(one.status for one in verdicts)
    words = [style(f"{count[status]} {status}", _COLOURS[status]) for status in Status if count[status]]
    return f"Intents: {', '.join(words)}."


def headline(verdict: Verdict) -> str:
    """The first line of a verdict: `Intent broken: the front door reaches the back end (api -> server, tcp 8000)`."""
    ends = "" if verdict.intent.expect != "reachable" or not verdict.cases else f" ({_pair(verdict.cases[0])})"
    partly = ", partly" if verdict.partly else ""
    return f"Intent {verdict.status}{partly}: {sanitize(verdict.intent.name)}{ends}"


def _pair(case: Case) -> str:
    flow = f", {case.flow}" if case.flow and not case.exposed else ""
    return sanitize(f"{case.source.label} -> {case.target.label}{flow}")


def _first(verdict: Verdict, style: Style) -> str:
    severity = f". {verdict.severity.upper()}" if verdict.severity and verdict.status is Status.BROKEN else ""
    return style(f"{headline(verdict)}{severity}", _COLOURS[verdict.status])


def _block(verdict: Verdict, declared: Network, style: Style) -> Iterator[str]:
    yield _first(verdict, style)
    for case in verdict.cases[:_SHOWN_CASES]:
        yield from (f"  {line}" for line in _case(case, verdict, declared))
    more = verdict.count - min(len(verdict.cases), _SHOWN_CASES)
    if more > 0:
        yield f"  and {more} more {'pair' if more == 1 else 'pairs'} of ends"
    yield from (f"  nobody is there: {sanitize(one)}" for one in verdict.nobody)
    yield from (f"  not known: {sanitize(one)}" for one in verdict.unknown)
    yield from (f"  rests on: {sanitize(one)}" for one in verdict.rests_on)


def _case(case: Case, verdict: Verdict, declared: Network) -> Iterator[str]:
    if case.exposed:
        yield from _exposed(case, declared)
    elif verdict.intent.expect == "reachable" and case is verdict.cases[0]:  # its ends are in the headline
        yield from _missed(case)
    else:
        yield f"{_pair(case)}:"
        yield from (f"  {line}" for line in _missed(case))


def _missed(case: Case) -> Iterator[str]:
    yield from _legs(case)
    for blocker in case.blockers:
        yield f"{'blocked' if blocker.certain else 'perhaps'}  {said(blocker)}{_remedy(blocker.hop)}"
        for mend in blocker.mends:
            full = "; that side is full, so something must go first" if mend.quota else ""
            yield f"mend     {told(mend)}{full}"
    if case.partly:
        yield (
            "clients on Linux and Windows work; NAT gateways, load balancers and Lambda functions do not: "
            "open the rest, or write client_ports of the workload"
        )


def _legs(case: Case) -> Iterator[str]:
    """The way of one packet, and of the reply to it, up to where it dies."""
    if case.path is None:
        return
    ends = sanitize(case.source.label), sanitize(case.target.label)
    for reply in (False, True):
        hops = [hop for hop in case.path.hops if hop.reply == reply]
        dies = next((index for index, hop in enumerate(hops) if not hop.passes), None)
        start, end = ends[::-1] if reply else ends
        if dies is None:
            way, ending = [start, *map(_hop, hops), end], "passes"
        else:
            way, ending = [start, *map(_hop, hops[: dies + 1])], "DIES HERE" if case.certain else "NOT KNOWN HERE"
        if hops:
            yield f"{'replies' if reply else 'request'}  {' -> '.join(way)}   {ending}"
        if dies is not None:
            return


def _exposed(case: Case, declared: Network) -> Iterator[str]:
    verb = "reaches" if case.certain else "would reach" if _is_possible(case) else "may reach"
    source, target = sanitize(case.source.label), sanitize(case.target.label)
    if case.path is None:
        yield f"{source} {verb} {target}"
        return
    packet, hops = case.path.packet, case.path.hops
    yield f"{traffic_at(packet.place)} from {packet.source_address} ({source}) {verb} {target}, through"
    yield "  " + " -> ".join(_hop(hop) + ("" if is_declared(hop, declared) else " (not declared)") for hop in hops)
    yield from (f"  perhaps  {_hop(hop)}: {hop.why.value}{_remedy(hop)}" for hop in hops if not hop.passes and hop.why)
    if _is_possible(case):
        yield "  no workload says that there is such a machine: declare it, or close this to it"
    elif any(isinstance(end, Endpoint) and end.stranger for end in (case.source, case.target)):
        yield "  nobody declared that machine: take a group off it, or declare a workload with its groups"
    elif case.certain and all(is_declared(hop, declared) for hop in hops):
        yield "  all of that is declared, so the document contradicts itself: change it, or the intent"


def _is_possible(case: Case) -> bool:
    """Whether the target is a machine that nobody has seen."""
    return isinstance(case.target, Endpoint) and not case.target.owner


def _remedy(hop: Hop) -> str:
    """What would make known what is not."""
    remedy = REMEDIES.get(hop.why) if hop.why else None
    return f": {remedy}" if remedy else ""


def _hop(hop: Hop) -> str:
    words = (sanitize(hop.component), _SIDES[hop.side], _member(hop))
    return " ".join(word for word in words if word)


def _member(hop: Hop) -> str:
    if isinstance(hop.member, RuleKey):
        end = "from" if hop.side == "ingress" else "to"
        return f"{traffic(*hop.member[:3])} {end} {sanitize(hop.member.peer)}"
    return "" if hop.member is None else sanitize(str(hop.member))


def is_declared(hop: Hop, declared: Network) -> bool:
    """Whether what lets a packet through at a hop is in the document; what has no member is not a matter of it."""
    cell = hop.cell
    return cell is None or ("/" in hop.component and hop.member in declared[cell])


def _mending(found: Mending | None) -> Iterator[str]:
    """What mends several pairs or intents together, if that is not what each of them has said already."""
    if found is None or (found.broken == 1 and found.alike):
        return
    what = "the intent" if found.broken == 1 else f"{found.mended} of {found.broken} broken intents"
    yield f"All of this together mends {what if found.mended else 'none of them'}:"
    yield from (f"  {told(mend)}" for mend in found.mends)
    yield from (f"  but it would break the intent: {sanitize(name)}" for name in found.breaks)


def as_json(verdict: Verdict, declared: Network, *, since: str | None = None) -> dict[str, Any]:
    """One verdict as JSON; `since` is when it was first so, if that is known."""
    case = next((one for one in verdict.cases if one.path), None)
    return {
        "name": sanitize(verdict.intent.name),
        "expect": verdict.intent.expect,
        "status": str(verdict.status),
        "partly": verdict.partly,
        "severity": str(verdict.severity) if verdict.severity else None,
        "enforcement": verdict.intent.enforcement,
        "since": since,
        "pairs": [_pair_json(one) for one in verdict.cases],
        "pairs_in_all": verdict.count,
        "witness": _witness(case) if case else None,
        "path": [_hop_json(hop, declared) for hop in verdict.path],
        "blockers": [_blocker_json(one, declared) for one in verdict.blockers],
        "nobody": list(map(sanitize, verdict.nobody)),
        "unknown": list(map(sanitize, verdict.unknown)),
        "rests_on": list(map(sanitize, verdict.rests_on)),
    }


def _pair_json(case: Case) -> dict[str, Any]:
    return {
        "source": sanitize(case.source.label),
        "target": sanitize(case.target.label),
        "certain": case.certain,
        "partly": case.partly,
    }


def _witness(case: Case) -> dict[str, Any] | None:
    if case.path is None or not case.exposed:
        return None
    packet = case.path.packet
    return {
        "traffic": traffic_at(packet.place),
        "source": packet.source_address,
        "destination": packet.target_address,
    }


def _hop_json(hop: Hop, declared: Network) -> dict[str, Any]:
    return {
        "component": sanitize(hop.component),
        "side": hop.side,
        "reply": hop.reply,
        "member": None if hop.member is None else sanitize(str(hop.member)),
        "declared": is_declared(hop, declared),
        "passes": hop.passes,
    }


def _blocker_json(blocker: Blocker, declared: Network) -> dict[str, Any]:
    return _hop_json(blocker.hop, declared) | {
        "certain": blocker.certain,
        "missing": traffic_of(blocker, "to" if blocker.hop.side == "egress" else "from"),
        "decided_by": said(blocker),
        "mend": list(map(told, blocker.mends)),
    }
