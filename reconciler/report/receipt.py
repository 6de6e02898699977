"""One run as one JSON value: what `-o json` prints, and all that the page, the receipts and the history need. Pure.

A receipt is made when somebody asks for it, from the report and from what the attempt knows. What is not known is
null, with the reason beside it. It is published as `receipt.v1.schema.json`; readers use what they know of it and let
the rest be, so members may be added and `receipt` stays 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import metadata
from typing import TYPE_CHECKING, Any

from desired_state.fields import Address
from reconciler.model import Cause, Reason
from reconciler.model.exposure import Severity
from reconciler.model.guard import Stage, contained
from reconciler.model.network_state import NetworkState
from reconciler.model.times import iso_time
from reconciler.report import network, standing
from reconciler.report.as_json import actor_as_json, as_json, intents_as_json
from reconciler.report.attempt import AttemptResult, Ending
from reconciler.report.exposure import exposes
from reconciler.report.fitting import cut_lists, encoded, size
from reconciler.report.stored import stored

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.engine.result import Drift, Orphaned, Report
    from reconciler.model.trigger import Actor

VERSION = 1
PROGRAM = "setpoint"
LARGEST = 5_000_000
"""Bytes of a receipt as JSON; what is longer is cut list by list, and `left_out` says so."""

_LONG = (
    ("network", "declared"),
    *(("network", look, part) for look in ("first", "last") for part in ("resources", "unmanaged", "unread")),
    ("lanes", "flows"),
    *((name,) for name in ("before", "ids", "found_by", "actors", "since", "exposed")),
)
"""What else may be long, besides the lists."""

_NO_MEMORY = "not known: a command has no memory of earlier runs"
_NOT_ASKED = "CloudTrail was not asked"
_NOT_FOUND = "no call in CloudTrail explains it, or an earlier run has told of it"
_STATES = {Ending.REFUSED: NetworkState.REFUSED, Ending.DELETED: NetworkState.DELETED}


def receipt(
    report: Report,
    *,
    attempt: AttemptResult | None = None,
    actors: Mapping[Address, Actor] | None = None,
    actors_unknown: str | None = None,
    lanes: bool = True,
) -> dict[str, Any]:
    """The receipt of a run. Without an `attempt` it is one of a command: `since` and `exposed` are then not known.

    `actors` are who changed what, if a command has asked, `actors_unknown` why it has not, or got no answer. With
    `lanes` false nobody judges who reaches what between the calls. All text is redacted.
    """
    if attempt is not None:
        actors = attempt.actors
        actors_unknown = _NOT_FOUND if any(one.address not in actors for one in report.drifts) else None
    elif actors is None:
        actors, actors_unknown = {}, actors_unknown or (_NOT_ASKED if report.drifts else None)
    plain = as_json(report)
    for number, (one, drift) in enumerate(zip(plain["drifted"], report.drifts, strict=True), start=1):
        one |= {"number": number, "since": _since(drift, attempt), "exposes": exposes(drift)}
    if attempt is not None:
        plain["intents"] = _part(lambda: intents_as_json(report, attempt.since), "the intents") or []
    content = {
        "receipt": VERSION,
        "previous": None,
        **plain,
        "run": _run(report, attempt),
        "document": plain["document"] | _uploaded(attempt) | {"rollback": _rollback(report)},
        "rollout": _rollout(attempt),
        "state": standing.state(report).value,
        "severity": gravest.value if (gravest := standing.severity(report)) else None,
        "digest": None,
        "network": _part(lambda: network.as_json(report), "the network"),
        **_lanes(report, asked=lanes),
        "orphaned": [orphaned_as_json(one) for one in report.orphaned],
        "holds": _holds(report, attempt),
        "unseen": list(standing.unseen(report)),
        "actors": {address: actor_as_json(actors[address]) for address in sorted(actors)},
        "actors_unknown": actors_unknown,
        **_times(report, attempt),
        "before": _part(lambda: network.before_as_json(report), "the resources before the run") or {},
        "left_out": {},
    }
    return _finished(content)


def receipt_of_attempt(result: AttemptResult, *, lanes: bool = True) -> dict[str, Any]:
    """The receipt of an attempt; of one without a report, only how it ended and why."""
    if result.report is not None:
        return receipt(result.report, attempt=result, lanes=lanes)
    state = _STATES.get(result.ending, NetworkState.UNSEEN)
    content = {
        "receipt": VERSION,
        "previous": None,
        "run": {
            **_of_attempt(result),
            "mode": None,
            "only": None,
            "reads": 0,
            "writes": 0,
            "started": None,
            "seconds": None,
        },
        "document": {"name": result.document, "revision": None, "sha256": None, "origin": None} | _uploaded(result),
        "state": state.value,
        "severity": None,
        "digest": None,
        "left_out": {},
    }
    return _finished(content)


def orphaned_as_json(one: Orphaned) -> dict[str, Any]:
    """What a run deletes, or cleans up, where nothing declared differs."""
    return {
        "address": one.action.address,
        "operation": one.action.operation.permission,
        "why": one.action.why,
        "outcome": one.outcome.value if one.outcome else None,
        "reason": one.cause.reason.value if one.cause else None,
        "message": one.message,
    }


def _finished(content: dict[str, Any]) -> dict[str, Any]:
    redacted: dict[str, Any] = stored(content)
    if size(encoded(redacted)) <= LARGEST:
        return redacted
    fields, left_out = cut_lists(_gravest_first(redacted), LARGEST, nested=_LONG)
    kept = len(fields["drifted"])
    actions = [
        one | {"resolves_drifted": [index for index in one["resolves_drifted"] if index < kept]}
        for one in fields["actions"]
    ]
    return fields | {"actions": actions, "left_out": left_out}


def _gravest_first(content: dict[str, Any]) -> dict[str, Any]:
    """With the gravest differences first, since the last ones are left out."""
    ranks = {one.value: one.rank for one in Severity}
    drifted = content["drifted"]
    order = sorted(range(len(drifted)), key=lambda index: ranks.get(drifted[index]["severity"], 0))
    place = {index: new for new, index in enumerate(order)}
    return content | {
        "drifted": [drifted[index] | {"number": new} for new, index in enumerate(order, start=1)],
        "actions": [
            one | {"resolves_drifted": sorted(place[index] for index in one["resolves_drifted"])}
            for one in content["actions"]
        ],
    }


def _part[T](make: Callable[[], T], who: str) -> T | None:
    """A part of a receipt; None if it cannot be made: the receipt is without it."""
    return contained(make, lambda cause: None, who=who, stage=Stage.TELLING)


def _run(report: Report, attempt: AttemptResult | None) -> dict[str, Any]:
    if attempt is None:
        known = {
            "id": None,
            "trigger": {"source": "terminal", "detail": None},
            "tool": tool(),
            "ending": Ending.COMPLETED.value,
            "problem": None,
            "approved_by": None,
        }
    else:
        known = _of_attempt(attempt)
    mode = "report" if report.policy.mode == "report" else "apply" if report.wrote else "plan"
    return known | {
        "mode": mode,
        "only": None if report.plan.only is None else sorted(report.plan.only),
        "reads": report.reads,
        "writes": report.writes,
        "started": iso_time(report.started),
        "seconds": round(report.seconds, 3),
    }


_SOURCES = {"schedule": "schedule", "manual": "manual"}
"""The words of a receipt for what started a run; all else is an event."""


def _of_attempt(result: AttemptResult) -> dict[str, Any]:
    source = result.trigger.source.value
    return {
        "id": result.run_id,
        "trigger": {"source": _SOURCES.get(source, "event"), "detail": None if source in _SOURCES else source},
        "tool": tool(),
        "ending": result.ending.value,
        "problem": result.problem or result.refusal or result.held or None,
        "approved_by": result.approved_by or None,
    }


def tool() -> str | None:
    """The version of this program; None where it is not installed as a package."""
    try:
        return metadata.version(PROGRAM)
    except metadata.PackageNotFoundError:
        return None


def _rollout(attempt: AttemptResult | None) -> dict[str, Any] | None:
    """If this run was the first of a version of the document: the revision before it, if that is known."""
    if attempt is None or not attempt.rollout:
        return None
    return {"from": attempt.change.before if attempt.change and not attempt.held else None}


def _uploaded(attempt: AttemptResult | None) -> dict[str, Any]:
    nothing: dict[str, Any] = {"version_id": None, "uploaded": None, "rollback": None}
    if attempt is None:
        return nothing
    known = nothing | {"version_id": attempt.version_id or None}
    upload = attempt.upload
    if upload is None or upload.version_id != attempt.version_id:  # of a version that is not in force
        return known
    uploaded = {
        "who": upload.who or None,
        "at": iso_time(upload.at) if upload.at else None,
        "source_ip": upload.source_ip or None,
    }
    return known | {"uploaded": uploaded}


def _rollback(report: Report) -> dict[str, Any] | None:
    note = report.document.rollback
    return {"to": note.to, "reason": note.reason or None} if note else None


def _lanes(report: Report, *, asked: bool) -> dict[str, Any]:
    if not asked:
        return {"lanes": None, "lanes_unknown": "nobody asked"}
    from reconciler.engine.states import why_none
    from reconciler.report.lanes import lanes

    def told() -> dict[str, Any]:
        return {"lanes": lanes(report), "lanes_unknown": why_none(report)}

    def instead(cause: Cause) -> dict[str, Any]:
        return {"lanes": None, "lanes_unknown": str(cause)}

    return contained(told, instead, who="who reaches what", stage=Stage.JUDGING)


def _holds(report: Report, attempt: AttemptResult | None) -> list[dict[str, Any]]:
    """The hold tags that the run saw; one without an end has no effect."""
    reasons = {Reason.HOLD_TAG, Reason.INVALID_HOLD_TAG}
    tags = attempt.hold_tags if attempt else {}
    seen = dict.fromkeys(one.address for one in report.gate.findings if one.cause.reason in reasons)
    return [
        {
            "address": address,
            "since": iso_time(tags[address].since) if address in tags else None,
            "who": actor.who if address in tags and (actor := tags[address].who) else None,
            "until": iso_time(report.gate.ends[address]) if address in report.gate.ends else None,
        }
        for address in dict.fromkeys((*seen, *tags))
    ]


def _since(drift: Drift, attempt: AttemptResult | None) -> str | None:
    """From when on a difference may have been there, at the earliest."""
    found = attempt.drift_since.get(drift.difference.identity) if attempt else None
    return iso_time(found) if found else None


def _times(report: Report, attempt: AttemptResult | None) -> dict[str, Any]:
    if attempt is None:
        unknown = _NO_MEMORY if report.drifts else None
        open_ = sorted({one.address for one in report.drifts if exposes(one)})
        return {"since": {}, "since_unknown": unknown, "exposed": {}, "exposed_unknown": open_}
    since: dict[Address, datetime] = dict(attempt.since)
    for one in report.drifts:
        if (found := attempt.drift_since.get(one.difference.identity)) is not None:
            since[one.address] = min(found, since.get(one.address, found))
    exposed = {address: round(seconds, 3) for address, seconds in attempt.exposed.items()}
    unknown_for = set(attempt.exposed_unknown)
    for one in standing.left(report):
        if not exposes(one):
            continue
        found = attempt.drift_since.get(one.difference.identity)
        if found is None:
            unknown_for.add(one.address)
        else:
            open_for = round((report.started - found).total_seconds() + report.seconds, 3)
            exposed[one.address] = max(0.0, open_for, exposed.get(one.address, 0.0))
    missing = [one.address for one in report.drifts if one.address not in since]
    return {
        "since": {address: iso_time(since[address]) for address in sorted(since)},
        "since_unknown": "not known: no run looked before" if missing else None,
        "exposed": {address: exposed[address] for address in sorted(exposed)},
        "exposed_unknown": sorted(unknown_for),
    }
