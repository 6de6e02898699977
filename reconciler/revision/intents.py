"""The intents and workloads of two documents, compared: what is dropped, and what is said less strictly. Pure.

Whether an intent is kept is not asked here (`flows.py`), only what it demands. It is weaker if it demands less of any
end or port. With `only` more targets allow more, and fewer demand less, so any other target makes it weaker.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from desired_state.document import Document
from desired_state.fields import shown
from desired_state.intents import Intent, Workload
from reconciler.model.exposure import Severity
from reconciler.revision.change import Point, Side, Subject

_GRAVE = {"critical": 3, "high": 2, "medium": 1, "low": 0}


def points(before: Document, after: Document) -> Iterator[Point]:
    """What the intents demand less, or more; then workloads that mean other machines, where an intent names them."""
    now = {one.name: one for one in after.intents}
    renamed = {one.demand: one for one in after.intents}
    for was in before.intents:
        new = now.get(was.name) or renamed.get(was.demand)
        if new is None:
            words = f"the intent {shown(was.name)} is dropped: {_said(was)}"
            yield Point(Side.UNGUARDED, Subject.INTENT, was.name, words, _severity(was))
        elif weaker := list(_weaker(was, new)):
            words = f"the intent {shown(was.name)} demands less: {'; '.join(weaker)}"
            yield Point(Side.UNGUARDED, Subject.INTENT, was.name, words, _severity(was))
        elif new.demand != was.demand or new.severity != was.severity:
            words = f"the intent {shown(was.name)} demands more than before"
            yield Point(Side.GUARDED, Subject.INTENT, was.name, words, Severity.INFO)
    known = {one.name for one in before.intents} | {one.name for one in after.intents if _is_known(one, before)}
    added = [one.name for one in after.intents if one.name not in known]
    if added:
        words = f"new intents: {', '.join(map(shown, added))}"
        yield Point(Side.GUARDED, Subject.INTENT, added[0], words, Severity.INFO)
    yield from _workloads(before, after)


def _is_known(intent: Intent, before: Document) -> bool:
    return intent.demand in {one.demand for one in before.intents}


def _severity(intent: Intent) -> Severity:
    """What is lost with an intent that is to hold weighs more than one that only reports."""
    return Severity.HIGH if intent.enforcement == "hold" and intent.expect != "reachable" else Severity.MEDIUM


def _weaker(was: Intent, now: Intent) -> Iterator[str]:
    """What `now` demands less than `was`, in words."""
    if was.enforcement == "hold" and now.enforcement == "report":
        yield "its enforcement is report, was hold"
    if was.severity and _GRAVE.get(now.severity or "", len(_GRAVE)) < _GRAVE[was.severity]:
        yield f"its severity is {now.severity}, was {was.severity}"
    if was.expect != now.expect:
        yield f"it expects {now.expect}, did expect {was.expect}"
    yield from _without("from", was.source, now.source)
    yield from _without("except", now.excluding or (), was.excluding or (), added=True)
    yield from _without("to", was.to, now.to)
    if was.expect == "only":
        yield from _without("to", now.to, was.to, added=True)
    if was.protocol != now.protocol and (now.protocol is not None or was.expect != "blocked"):
        yield f"its protocol is {now.protocol or 'left out'}, was {was.protocol or 'left out'}"
    if was.ports != now.ports and not (was.expect == "blocked" and _covers(now, was)):
        yield f"its ports are {_ports(now)}, were {_ports(was)}"


def _without(what: str, wanted: Iterable[str], given: Iterable[str], *, added: bool = False) -> Iterator[str]:
    """The ends that are missing from a part, or that are new in it."""
    if missing := sorted(set(wanted) - set(given)):
        named = ", ".join(map(shown, missing))
        yield f'"{what}" has {"also" if added else "no more"} {named}'


def _covers(now: Intent, was: Intent) -> bool:
    """Whether every port of one is a port of the other."""
    if now.ports is None:
        return True
    wanted = was.ports or ((0, 65535),)
    return all(any(first <= low and high <= last for first, last in now.ports) for low, high in wanted)


def _ports(intent: Intent) -> str:
    return "all" if intent.ports is None else str(intent.ports.as_written())


def _said(intent: Intent) -> str:
    """What an intent demands, in short."""
    ends = f"{', '.join(intent.source)} to {', '.join(intent.to)}"
    traffic = f" on {intent.protocol}" if intent.protocol else ""
    ports = f" {_ports(intent)}" if intent.ports is not None else ""
    return f"{ends}{traffic}{ports}, expect {intent.expect}"


def _workloads(before: Document, after: Document) -> Iterator[Point]:
    for name, was in before.workloads.items():
        named = [one for one in after.intents if name in (*one.source, *(one.excluding or ()), *one.to)]
        now = after.workloads.get(name)
        if not named or now is None or now == was:
            continue
        words = f"the workload {shown(name)}, which intents name, means other machines: {_other(was, now)}"
        yield Point(Side.UNGUARDED, Subject.WORKLOAD, name, words, Severity.MEDIUM)


def _other(was: Workload, now: Workload) -> str:
    changed = [name for name in Workload.model_fields if getattr(was, name) != getattr(now, name)]
    return f"other {', '.join(changed)}"
