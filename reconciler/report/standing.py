"""How a network stands after a run: its state, how grave that is, and what could not be seen. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from desired_state.fields import Address
from reconciler.model import Outcome
from reconciler.model.exposure import Severity
from reconciler.model.guard import Stage, contained
from reconciler.model.network_state import NetworkState
from reconciler.report.exposure import exposes, exposure

if TYPE_CHECKING:
    from reconciler.engine.result import Drift, Report
    from reconciler.reach.judge.intents import Verdict


def left(report: Report) -> list[Drift]:
    """The differences that are still there."""
    return [one for one in report.drifts if one.outcome is not Outcome.CORRECTED]


def broken(report: Report) -> list[Verdict]:
    """The intents that are broken, and not by what an exception allows."""
    if report.intents is None:
        return []
    judged = report.intents
    return [one for one in judged.verdicts if one.status == "broken" and one.intent.name not in judged.tolerated]


def state(report: Report) -> NetworkState:
    """OPEN if something that is not declared is let in, or arrives though an intent forbids it, and that is still so;
    UNSEEN if something could not be read, so that nobody knows.
    """
    if any(exposes(one) for one in left(report)):
        return NetworkState.OPEN
    if any(case.exposed for one in broken(report) for case in one.cases):
        return NetworkState.OPEN
    if report.gate.unseen or list(unseen(report)):
        return NetworkState.UNSEEN
    return NetworkState.SYNC if report.in_sync else NetworkState.DIFFERS


def severity(report: Report) -> Severity | None:
    """The gravest of what is still there, or if nothing is, of what was put right."""
    found = [_gravity(one) for one in left(report)]
    found += [one.severity or Severity.LOW for one in broken(report)]
    if not found and report.in_sync:
        found = [_gravity(one) for one in report.drifts]
    return min(found, key=lambda one: one.rank, default=None)


def _gravity(drift: Drift) -> Severity:
    """How grave a difference is, from end to end; of one of which that cannot be said, nobody knows that it is not."""
    return contained(
        lambda: exposure(drift).severity, lambda cause: Severity.HIGH, who=drift.address, stage=Stage.TELLING
    )


def unseen(report: Report) -> Iterator[dict[str, Any]]:
    """What the last look could not read, and why: a whole kind at once, if it is."""
    look = report.last or report.first
    if look is None:
        return
    told = {address: str(cause) for address, cause in {**look.unreadable, **look.ambiguous}.items()}
    whole = dict(_whole_kinds(told, report.document.resources))
    for kind, why in whole.items():
        yield {"kind": kind, "why": why}
    for address, why in told.items():
        if address.kind not in whole:
            yield {"kind": address, "why": why}
    if look.interfaces is not None and not isinstance(look.interfaces, tuple):
        yield {"kind": "network_interface", "why": str(look.interfaces)}


def _whole_kinds(told: Mapping[Address, str], declared: Iterable[Address]) -> Iterator[tuple[str, str]]:
    for kind in dict.fromkeys(address.kind for address in told):
        mine = [address for address in declared if address.kind == kind]
        why = {told.get(address) for address in mine} or {told.get(Address.of(kind, "*"))}
        (one, *others) = why
        if one is not None and not others and len(mine) != 1:
            yield kind, one
