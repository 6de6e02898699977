"""A report as JSON values: what `-o json` prints. Pure.

Values are written as in a document; `null` means absent. A change that would break readers raises `format_version`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from desired_state.fields import AclEntry, Address, RuleKey, written_entry, written_rule
from desired_state.members import Collection
from desired_state.resource import SECTIONS, Resource
from reconciler.engine.plan import printable
from reconciler.model import ABSENT, Action, Cause, Difference, Finding, Outcome, Unmanaged
from reconciler.model.guard import Stage, contained
from reconciler.model.times import iso_time
from reconciler.report.calls import id_of
from reconciler.report.consequence import as_json as consequence_as_json
from reconciler.report.exposure import own_layer
from reconciler.report.resolving import Resolving
from reconciler.report.summary import counts, expired

if TYPE_CHECKING:
    from desired_state.document import DocumentException
    from reconciler.engine.result import Drift, PendingChange, Report
    from reconciler.model.trigger import Actor

FORMAT_VERSION = 1


def as_json(report: Report) -> dict[str, Any]:
    """The report as values for `json.dumps`; times are ISO 8601 in UTC, `seconds` is wall time."""
    document = report.document
    return {
        "format_version": FORMAT_VERSION,
        "account": document.scope.account_id,
        "region": document.scope.region,
        "document": {
            "name": document.name,
            "revision": document.revision,
            "sha256": document.sha256,
            "origin": document.origin,
        },
        "policy": {name: getattr(report.policy, name) for name in report.policy.__dataclass_fields__},
        "started": iso_time(report.started),
        "seconds": round(report.seconds, 3),
        "wrote": bool(report.writes),
        "in_sync": report.in_sync,
        "fingerprint": report.plan.fingerprint,
        "held_as_a_whole": report.gate.plan_held.message if report.gate.plan_held else None,
        "ids": {address: report.ids[address] for address in sorted(report.ids)},
        "drifted": [told(drift_as_json, drift) | _means(report, drift) for drift in report.drifts],
        "actions": _actions(report),
        "findings": [told(finding_as_json, one) | {"id": id_of(report, one.address)} for one in report.findings],
        "pending": [_pending(report, one) for one in report.pending],
        "unmanaged": [unmanaged_as_json(one) for one in report.unmanaged],
        "intents": contained(lambda: intents_as_json(report), lambda cause: [], who="the intents", stage=Stage.TELLING),
        "openings": _openings(report),
        "found_by": {address: found_as_json(report, address) for address in sorted(report.found_by)},
        "untagged": list(report.untagged),
        "exceptions": [
            *(_exception(exception, active=True) for _, exception in report.excepted),
            *(_exception(exception, active=False) for exception in expired(report)),
        ],
        "counts": counts(report)
        | {
            "drifted": len(report.drifts),
            "unmanaged": len(report.unmanaged),
            "breaks": report.plan.breaks,
            "reads": report.reads,
            "writes": report.writes,
        },
    }


def told[T: (Drift, Finding)](say: Callable[[T], dict[str, Any]], one: T) -> dict[str, Any]:
    """What is said of one drift or finding; if it cannot be, only how it ended and why that is all."""

    def instead(cause: Cause) -> dict[str, Any]:
        outcome = one.outcome.value if one.outcome else None
        sides = {"key": None, "sign": None, "want": None, "have": None, "consequence": None}
        return {
            "address": one.address,
            "field": one.field or None,
            **sides,
            "outcome": outcome,
            **_cause_as_json(cause),
        }

    return contained(lambda: say(one), instead, who=one.address, stage=Stage.TELLING)


def _means(report: Report, drift: Drift) -> dict[str, Any]:
    """How grave a drift is at its own layer, and the sentence that says why, in the past tense once it is corrected.
    What arrives because of it is its `consequence`.
    """
    past = drift.outcome is Outcome.CORRECTED

    def means() -> dict[str, Any]:
        found = own_layer(drift.difference, past=past)
        return {"severity": found.severity.value, "sentence": found.sentence}

    nothing = {"severity": None, "sentence": None}
    known = contained(means, lambda cause: nothing, who=drift.address, stage=Stage.TELLING)
    return {"id": id_of(report, drift.address), **known}


def drift_as_json(drift: Drift) -> dict[str, Any]:
    """One drift; log records are built from this and from the functions below (`records.py`)."""
    one = drift.difference
    return {
        "address": one.address,
        "field": one.field or None,
        "key": None if one.key is None else _key(one.address, one.field, one.key),
        "sign": one.sign,
        "want": value_as_json(one, one.want),
        "have": value_as_json(one, one.have),
        "outcome": drift.outcome.value if drift.outcome else None,
        "consequence": consequence_as_json(drift.consequence, past=drift.outcome is Outcome.CORRECTED),
        **_cause_as_json(drift.cause),
    }


def finding_as_json(one: Finding) -> dict[str, Any]:
    """One thing that a person should know."""
    return {
        "address": one.address,
        "field": one.field or None,
        "key": None if one.key is None else _key(one.address, one.field, one.key),
        "outcome": one.outcome.value,
        **_cause_as_json(one.cause),
    }


def unmanaged_as_json(one: Unmanaged) -> dict[str, Any]:
    """A live resource that is not declared; `remark` is what a person should know about it."""
    return {"address": one.address, "id": one.id, "ours": one.owned, "remark": one.remark or None}


def intents_as_json(report: Report, since: Mapping[Address, datetime] | None = None) -> list[dict[str, Any]]:
    """What is known of each intent of the document; `since` is when those that are broken were first reported."""
    if report.intents is None:
        return []
    from reconciler.report.run_intents import as_json as written

    return written(report.intents, since)


def _pending(report: Report, one: PendingChange) -> dict[str, Any]:
    """A change that AWS has accepted and not applied yet."""
    values = {"now": _plain(one.now), "accepted": _plain(one.accepted)}
    return {"address": one.address, "id": id_of(report, one.address), "field": one.field, **values}


def actor_as_json(actor: Actor) -> dict[str, Any]:
    """Who made a change, by which call and from where; null is what CloudTrail does not say."""
    return {
        "who": actor.who,
        "call": actor.call,
        "at": iso_time(actor.at),
        "source_ip": actor.source_ip or None,
        "user_agent": actor.user_agent or None,
        "event_id": actor.event_id or None,
    }


def _openings(report: Report) -> list[dict[str, Any]]:
    """What the plan newly lets the internet reach, if that was asked."""
    if not report.openings:
        return []
    from reconciler.report.flows import as_json as written

    return [written(one) for one in report.openings]


def found_as_json(report: Report, address: Address) -> dict[str, Any] | None:
    """Which resource a declared one is: the id that AWS never gives to another, by what evidence, and how that is said;
    None if it was not found.
    """
    found = report.found_by.get(address)
    resource_id = report.resource_ids.get(address) or report.ids.get(address)
    return {"id": resource_id, "by": found.by.value, "how": found.how} if found else None


def _cause_as_json(cause: Cause | None) -> dict[str, Any]:
    return {"reason": cause.reason.value if cause else None, "message": cause.message if cause else ""}


def _actions(report: Report) -> list[dict[str, Any]]:
    """The calls in their order: of a plan what would be made, afterwards what was tried. `resolves_drifted` are indexes
    into `drifted`: of the members of one field only those that the call itself names.
    """
    held = report.gate.held
    ended: list[tuple[Action, str | None, Cause | None]]
    if report.wrote:
        ended = [(one.action, one.ended.value, one.cause) for one in report.action_results]
    else:
        planned = enumerate(report.plan.actions)
        ended = [(action, "held" if index in held else None, held.get(index)) for index, action in planned]
    resolving = Resolving([one.difference for one in report.drifts]) if ended else None
    return [
        {"number": number, "id": id_of(report, action.address)}
        | _action(action, resolving)
        | {"ended": how, **_cause_as_json(cause)}
        for number, (action, how, cause) in enumerate(ended, start=1)
    ]


def _action(action: Action, resolving: Resolving | None) -> dict[str, Any]:
    """What is said of one call; if it cannot be, only what it is."""

    def told() -> dict[str, Any]:
        return action_as_json(action) | {"resolves_drifted": resolving.of(action) if resolving else []}

    def instead(cause: Cause) -> dict[str, Any]:
        what = {"operation": action.operation.permission, "address": action.address, "why": cause.message}
        how = {"phase": action.operation.phase.name.lower(), "risk": action.risk.name.lower(), "breaks": action.breaks}
        return {**what, **how, "resolves": [], "params": {}, "resolves_drifted": []}

    return contained(told, instead, who=action.address, stage=Stage.TELLING)


def action_as_json(action: Action) -> dict[str, Any]:
    """One call of a plan; its parameters refer to resources by name, never by AWS id."""
    return {
        "operation": action.operation.permission,
        "address": action.address,
        "why": action.why,
        **({"loses": action.loses} if action.loses else {}),
        "phase": action.operation.phase.name.lower(),
        "risk": action.risk.name.lower(),
        "breaks": action.breaks,
        "resolves": sorted([address, field] for address, field in action.resolves),
        "params": _plain(printable(action.params)),
    }


def _exception(one: DocumentException, *, active: bool) -> dict[str, Any]:
    return {
        "address": one.address,
        "field": one.field,
        "value": _excepted(one),
        "until": iso_time(one.until),
        "reason": one.reason,
        "active": active,
    }


def _excepted(one: DocumentException) -> Any:
    """The value as the document writes it: in `DocumentException` a member is its key, or (key, value)."""
    if isinstance(one.value, RuleKey):
        return written_rule(one.value, _end(one.address, one.field))
    if isinstance(one.value, tuple):
        key, value = one.value
        member = _member_as_json(one.address, one.field, key, value)
        return member if isinstance(key, RuleKey) else {str(key): member}
    return _plain(one.value)


def _key(address: Address, field: str, key: Any) -> Any:
    return written_rule(key, _end(address, field)) if isinstance(key, RuleKey) else str(key)


def value_as_json(one: Difference, value: Any) -> Any:
    """One side of a difference as a document writes it; None if it is absent."""
    return _member_as_json(one.address, one.field, one.key, value)


def _member_as_json(address: Address, field: str, key: Any, value: Any) -> Any:
    if value is ABSENT:
        return None
    if isinstance(key, RuleKey):
        return written_rule(key, _end(address, field)) | ({} if value is None else {"description": value})
    if isinstance(value, AclEntry):
        return written_entry(value, _end(address, field))
    return _plain(value)


def _end(address: Address, field: str) -> str:
    """Whether the peer of a rule or entry in this field is its `source` or its `destination`."""
    return str(getattr(SECTIONS[address.kind].collection(field), "end", "source"))


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Resource():
            return value.model_dump(mode="json", exclude_none=True, include=set(value.described()))
        case Collection():
            return value.as_written()
        case datetime():
            return iso_time(value)
        case Mapping():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case set() | frozenset():
            return sorted(map(str, value))
        case _:
            return None if value is ABSENT else str(value)
