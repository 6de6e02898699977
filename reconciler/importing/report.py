"""What a person and a program are told of an import. Pure.

Names and texts come from AWS, where anybody may have written them: every line is made safe to show, and what looks like
a secret in it is redacted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from desired_state.fields import Address
from reconciler.importing.new import Adopted, Imported
from reconciler.importing.told import SHOWN, Note, summed
from reconciler.kinds import REGISTRY
from reconciler.model import Evidence
from reconciler.redact import safe_text
from reconciler.report.style import Style, plain

FORMAT_VERSION = 1
_LABEL = 14
_MOST_ADDED = 20
_EVIDENCE = (
    ("what AWS keeps unique", frozenset({Evidence.SCOPE, Evidence.KEY})),
    ("tags", frozenset({Evidence.TAGS})),
    ("Name tag", frozenset({Evidence.NAME, Evidence.SEATS})),
    ("adopt", frozenset({Evidence.ADOPT})),
)
_UNNOTICED = "not managed; who changes them is not noticed"


def text(imported: Imported, target: str, style: Style = plain) -> str:
    """The report, without a line break at the end; `target` is where the document goes."""
    return "\n".join([style(heading(imported, target), "bold"), *_lines(imported)])


def heading(imported: Imported, target: str) -> str:
    """Which VPC goes where."""
    scope = imported.document.scope
    called = f' "{imported.vpc_name}"' if imported.vpc_name else ""
    what, reads = _count(len(imported.document.own), "resource"), _count(imported.reads, "read")
    if imported.before is not None:
        revision = f"revision {imported.document.revision}"
        what += f", {len(imported.added)} of them new, {revision}" if imported.changed else f", unchanged, {revision}"
    line = f"Account {scope.account_id}, {scope.region}: {imported.vpc_id}{called} -> {target}, {what}, {reads}"
    return safe_text(line)


def _lines(imported: Imported) -> Iterator[str]:
    yield from _block("takes over", [_taken_over(imported.added)])
    yield from _block("adds", [_added(imported.added)] if imported.added and imported.before is not None else [])
    yield from _block("by", [_by(imported)] if imported.added else [])
    yield from _block("accepts", imported.accepted)
    yield from _block("proposes", _proposed(imported))
    calls = f"{_count(imported.tag_calls, 'tag call')} (setpoint:document, setpoint:name), nothing else: proven"
    yield from _block("asks AWS", [calls if imported.tag_calls else "nothing: proven"] if imported.changed else [])
    yield from _block("not held", summed(imported.not_held))
    yield from _block("seen beside", [f"{', '.join(imported.beside)}: {_UNNOTICED}"] if imported.beside else [])
    yield from _block("not looked at", imported.not_looked_at)
    yield from _block("for a person", summed(imported.for_person))


def _block(label: str, lines: Iterable[str]) -> Iterator[str]:
    """The lines of one label, which stands before the first."""
    for index, line in enumerate(lines):
        yield f"  {'' if index else label:<{_LABEL}}{safe_text(line)}"


def _taken_over(added: Sequence[Address]) -> str:
    counts = Counter(at.kind for at in added)
    found = (f"{_count(counts[name], kind.identify.noun)}" for name, kind in REGISTRY.items() if counts[name])
    return ", ".join(found) or "nothing"


def _proposed(imported: Imported) -> Iterator[str]:
    """What a new document says besides its resources."""
    if imported.before is not None:
        return
    if workloads := imported.document.workloads:
        yield f"{_count(len(workloads), 'workload')}, from the network interfaces"
    for one in imported.document.intents:
        yield f"intent {one.name!r}: {', '.join(one.source)} -> {', '.join(one.to)}, {one.expect}: kept today"


def _added(added: Sequence[Address]) -> str:
    more = [f"and {len(added) - _MOST_ADDED} more"] if len(added) > _MOST_ADDED else []
    return ", ".join([*added[:_MOST_ADDED], *more])


def _by(imported: Imported) -> str:
    by = Counter(one.by for one in imported.found_by.values())
    words = ((word, sum(by[one] for one in evidence)) for word, evidence in _EVIDENCE)
    return ", ".join(f"{word} {count}{_adopted(imported.adopted, word)}" for word, count in words if count)


def _adopted(entries: Iterable[Adopted], word: str) -> str:
    if word != "adopt":
        return ""
    groups: dict[str, list[str]] = defaultdict(list)
    for one in entries:
        groups[one.why].append(f"{one.address} is {one.id}")
    told = []
    for why, some in groups.items():
        more = [f"and {len(some) - SHOWN} more"] if len(some) > SHOWN else []
        told.append(f"{why}: {', '.join([*some[:SHOWN], *more])}")
    return f" ({'; '.join(told)})"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def as_json(imported: Imported, target: str) -> dict[str, Any]:
    """The report as values for `json.dumps`."""
    document, counts = imported.document, Counter(at.kind for at in imported.added)
    return {
        "vpc_id": imported.vpc_id,
        "vpc_name": imported.vpc_name,
        "target": target,
        "document": {"name": document.name, "revision": document.revision},
        "resources": len(document.own),
        "takes_over": {name: counts[name] for name in REGISTRY if counts[name]},
        "found_by": {str(at): one.by.value for at, one in imported.found_by.items()},
        "adopt": [{"address": str(one.address), "id": one.id, "why": one.why} for one in imported.adopted],
        "accepted": list(imported.accepted),
        "workloads": len(document.workloads),
        "intents": len(document.intents),
        "tag_calls": imported.tag_calls,
        "not_held": [_note(one) for one in imported.not_held],
        "seen_beside": list(imported.beside),
        "not_looked_at": list(imported.not_looked_at),
        "for_a_person": [_note(one) for one in imported.for_person],
        "reads": imported.reads,
    }


def _note(note: Note) -> dict[str, str]:
    return {"about": note.sort.value, "where": str(note.where), "message": safe_text(note.text)}
