"""Corrections that AWS took, or may have taken, and that no look of the run has shown. Pure.

The last look failed there, or still showed what was before. People are told so; a later run that no longer finds the
difference tells them that it was corrected. `untold.py` keeps them until then, and `notify/late_alerts.py` says it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from math import ceil

from reconciler.attempt.named import name
from reconciler.engine.outcomes import is_about
from reconciler.engine.result import Drift
from reconciler.engine.written import wrote
from reconciler.ledger.record import Untold
from reconciler.model import Outcome
from reconciler.model.guard import Stage, contained
from reconciler.notify.alert import Topic
from reconciler.report.attempt import AttemptResult
from reconciler.report.exposure import exposes, exposure


def sent(result: AttemptResult) -> dict[str, Drift]:
    """What calls of this run may have corrected, by the names of the differences, and its last look does not say."""
    if result.report is None:
        return {}
    taken = [one.action for one in result.report.action_results if wrote(one)]
    return {
        name(one.difference): one
        for one in waiting(result)
        if any(is_about(action, one.difference) for action in taken)
    }


def waiting(result: AttemptResult) -> list[Drift]:
    """What differs still, as far as is known, and waits for nobody but AWS."""
    return [one for one in result.report.drifts if one.outcome is Outcome.WAITING] if result.report else []


def kept(one: Untold, result: AttemptResult, drifts: dict[str, Drift], now: datetime) -> Untold:
    """What is stored of corrections among `drifts`, which `sent` has: with what this run knows of them."""
    mine = [drifts[each.name] for each in one.members if each.name in drifts]
    if not mine:
        return one
    marked = replace(one, unproved=True, at=now)
    return contained(
        lambda: _with_all(marked, mine, result, now), lambda cause: marked, who=one.title, stage=Stage.TELLING
    )


def _with_all(one: Untold, drifts: list[Drift], result: AttemptResult, now: datetime) -> Untold:
    """With what the differences mean from end to end, and for how long they have stood open."""
    if one.topic != Topic.DRIFT:
        return one
    weights = [exposure(replace(drift, outcome=Outcome.CORRECTED)) for drift in drifts]
    weight = min(weights, key=lambda each: each.severity.rank)
    began = [result.drift_since.get(drift.difference.identity) for drift in drifts if exposes(drift)]
    known = [each for each in began if each]
    return replace(
        one,
        severity=weight.severity.value,
        sentence=weight.sentence,
        open_for=ceil((now - min(known)).total_seconds()) if known and len(known) == len(began) else None,
    )


def proved(one: Untold, now: datetime) -> Untold:
    """The same, of which a look shows now that it was corrected: until now it may have stood open."""
    if not one.unproved or one.open_for is None:
        return one
    return replace(one, open_for=one.open_for + max(0, ceil((now - one.at).total_seconds())))
