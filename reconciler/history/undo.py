"""What a document would say to have back what a run took away: as values, or as exceptions that end. Pure.

Nothing is written: whoever reads it decides, and it goes through the same review and the same gates as any other
change. An automatic undo would give the intruder his way back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from desired_state import tag_keys
from desired_state.resource import SECTIONS
from desired_state.write import write
from reconciler.history import words
from reconciler.history.recorded import Drift, Recorded
from reconciler.model.times import iso_time
from reconciler.redact import REDACTED, safe_text
from reconciler.report.looks import undescribed

FORMAT_VERSION = 1
LASTS = timedelta(days=7)
"""How long the exceptions last that are proposed."""
_NOWHERE = "nowhere"
_LONGEST_REASON = 200


@dataclass(frozen=True)
class Undo:
    """The lines for the document. `values` are whole fields by address, None for one to leave out; `resources` are
    those to add, `absent` those that were not there. `exceptions` would allow the same until they end. `cannot` says of
    what neither is possible, and why.
    """

    document: str
    run: str
    at: datetime | None
    values: Mapping[str, Mapping[str, Any]]
    resources: Mapping[str, Mapping[str, Any]]
    absent: tuple[str, ...]
    exceptions: tuple[Mapping[str, Any], ...]
    cannot: tuple[str, ...]
    opens: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the run took nothing away."""
        return not (self.values or self.resources or self.absent or self.cannot)


def undo(receipt: Mapping[str, Any], content: Recorded, now: datetime) -> Undo:
    """What stood before the run of this receipt, and `content` is what the history reads of it."""
    before = _mapping(receipt.get("before"))
    declared = _mapping(_mapping(receipt.get("network")).get("declared"))
    drifts = [one for one in content.drifted if one.address in before or (not one.field and one.outcome == "corrected")]
    values: dict[str, dict[str, Any]] = {}
    cannot: list[str] = []
    for (address, field), together in _by_field(drifts).items():
        cannot += filter(None, map(_unsayable, together))
        sayable = [one for one in together if not _unsayable(one)]
        if sayable:
            values.setdefault(address, {})[field] = _value(_mapping(declared.get(address)).get(field), sayable)
    reason = f"as it was before run {content.run.id[:8]}"[:_LONGEST_REASON]
    until = (now + LASTS).date().isoformat()
    excepted = [
        {"address": one.address, "field": one.field, "value": _excepted(one), "until": until, "reason": reason}
        for one in drifts
        if one.field and one.have is not None and not _unsayable(one) and _loads(one)
    ]
    known = {one.address for one in content.drifted}
    return Undo(
        document=content.document.name,
        run=content.run.id,
        at=content.run.started,
        values=values,
        resources={
            address: spec for address, spec in before.items() if address not in known and isinstance(spec, dict)
        },
        absent=tuple(one.address for one in drifts if not one.field and one.have is None),
        exceptions=tuple(excepted),
        cannot=tuple(cannot),
        opens=tuple(words.what(one) for one in drifts if one.opens and one.have is not None),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _by_field(drifts: Iterable[Drift]) -> dict[tuple[str, str], list[Drift]]:
    found: dict[tuple[str, str], list[Drift]] = {}
    for one in drifts:
        if one.field:
            found.setdefault((one.address, one.field), []).append(one)
    return found


def _unsayable(one: Drift) -> str:
    """Why no document can say what was there; empty: one can."""
    if one.field == "tags" and str(one.key).startswith(tag_keys.OWN):
        return f"{words.what(one)}: by this tag Setpoint knows its resources; nobody declares it"
    if one.have == _NOWHERE:
        hint = "put setpoint:hold on it, or take it out of the document"
        return f"{words.what(one)}: a document cannot declare that; {hint}"
    if REDACTED in str(one.have):
        return f"{words.what(one)}: it looked like a secret, so the receipt does not have it"
    return ""


def _value(declared: Any, drifts: list[Drift]) -> Any:
    """The field as it was: what is declared, with the live members instead of those that differed."""
    if drifts[0].key is None:
        return drifts[0].have if _loads(drifts[0]) else None
    if isinstance(declared, Mapping) or (
        declared is None and not isinstance(drifts[0].key, Mapping) and not _listed(drifts)
    ):
        members = dict(declared or {})
        for one in drifts:
            members.pop(str(one.key), None)
            if one.have is not None:
                members[str(one.key)] = one.have
        return members
    keys = [one.key for one in drifts]
    kept = [one for one in declared or () if _key(one) not in keys]
    return [*kept, *(undescribed(one.have) for one in drifts if one.have is not None)]


def _loads(one: Drift) -> bool:
    """Whether a document may say the live value of a whole field. Where it may not, such as days of history while none
    is kept, leaving the field out says the same.
    """
    model = SECTIONS.get(one.address.partition("/")[0])
    if one.key is not None or model is None:
        return True
    try:
        model.model_validate({one.field: one.have})
    except ValidationError as error:
        return not any(problem["loc"][:1] == (one.field,) for problem in error.errors())
    return True


def _listed(drifts: list[Drift]) -> bool:
    """Whether these are members of a list: each is its own key."""
    return all(one.have in (None, one.key) and one.want in (None, one.key) for one in drifts)


def _key(member: Any) -> Any:
    """What identifies a member of a list: of a rule all but its description."""
    return (
        {name: value for name, value in member.items() if name != "description"}
        if isinstance(member, Mapping)
        else member
    )


def _excepted(one: Drift) -> Any:
    """The live value as an exception writes it: a rule without its description; an entry, a route, a tag by its key."""
    if one.key is None or isinstance(one.key, Mapping):
        return one.have if one.key is None else one.key
    return one.have if one.have == one.key else {str(one.key): one.have}


def as_json(found: Undo) -> dict[str, Any]:
    """As values for `json.dumps`."""
    return {
        "format_version": FORMAT_VERSION,
        "document": found.document,
        "run": found.run,
        "before": iso_time(found.at) if found.at else None,
        "values": {address: dict(fields) for address, fields in found.values.items()},
        "resources": {address: dict(spec) for address, spec in found.resources.items()},
        "absent": list(found.absent),
        "exceptions": [dict(one) for one in found.exceptions],
        "cannot": list(found.cannot),
        "opens": list(found.opens),
    }


def text(found: Undo) -> str:
    """The lines, and what they would open. Without a line break at the end."""
    return "\n".join(_lines(found))


def _lines(found: Undo) -> Iterator[str]:
    name, run = safe_text(found.document), safe_text(found.run)[:8]
    when = f", {iso_time(found.at)}" if found.at else ""
    if found.is_empty:
        yield f"Run {run} of {name}{when} took nothing away."
        return
    yield f"What was there before run {run} of {name}{when}. Nothing is written; review it like any change."
    for one in found.opens:
        yield f"It would declare an opening: {one}"
    if found.values or found.resources:
        sections: dict[str, dict[str, Any]] = {}
        for address, fields in (*found.resources.items(), *found.values.items()):
            kind, _, resource = address.partition("/")
            sections.setdefault(kind, {})[resource] = dict(fields)
        yield "\nAs values, each in place of the field of that name:"
        yield _written({"resources": sections})
    if found.exceptions:
        yield "\nOr, where somebody added or changed something, as exceptions that end by themselves:"
        yield _written({"exceptions": [dict(one) for one in found.exceptions]})
    for one in found.absent:
        yield f"\n{safe_text(one)} was not there: to have that back, remove it from the document."
    for one in found.cannot:
        yield f"\nNot possible: {one}."


def _written(values: Mapping[str, Any]) -> str:
    """Lines for a document; unprintable characters in names are escaped, as JSON does."""
    return write(values).decode().rstrip("\n")
