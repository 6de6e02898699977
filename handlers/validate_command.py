"""`setpoint validate`: what a document says is checked, and its intents are judged against it, without AWS.

A valid document may contradict its own intents: that is exit code 1 where the intent holds calls, because whoever
writes the document should see it before it is in force. It is no reason to refuse the document. So is a document that
would be held, compared with the version that is in force (`--against`): a pipeline can refuse it before it is uploaded.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from desired_state.explain import Violation
from desired_state.limits import over_quota
from desired_state.load import DocumentError, Problem, load, located
from desired_state.quotas import DEFAULT, Quotas
from desired_state.sanitize import sanitize
from handlers.document_input import check_stdin, origin
from handlers.document_input import data as read
from handlers.refusal import Kind, Refused, refusing
from handlers.terminal import revision
from handlers.trace import Trace

if TYPE_CHECKING:
    from desired_state.document import Document
    from reconciler.reach.judge.intents import Verdict
    from reconciler.revision.change import RevisionChange

FORMAT_VERSION = 1
"""Of the JSON output."""


def run(
    docs: tuple[Path, ...], form: str, against: Path | None = None, *, holds: bool = True, trace: Trace | None = None
) -> bool:
    """Whether every document is valid, keeps its intents, as far as they hold, and would not be held in place of the
    version `against`; prints what is known of them. `holds`: the deployment holds what opens the network.

    Raises Refused for two documents that are not versions of one.
    """
    check_stdin([*docs, against] if against else list(docs))
    if against and len(docs) > 1:
        raise Refused("--against is for one document: validate them one by one")
    answers = []
    for doc in docs:
        try:
            answers.append(_one(doc, form, against, holds=holds, trace=trace))
        except DocumentError as error:
            refused = _refused(error)
            answers.append(_Answer(ok=False, values=refused))
            if form != "json":
                click.echo(str(error), err=True)
    if form == "json":
        values = [one.values for one in answers]
        several = {"format_version": FORMAT_VERSION, "valid": all(one["valid"] for one in values)}
        files = [{"file": origin(doc)} | one for doc, one in zip(docs, values, strict=True)]
        click.echo(json.dumps(values[0] if len(docs) == 1 else several | {"documents": files}, indent=2))
    elif len(docs) > 1:
        good = sum(one.ok for one in answers)
        click.echo(f"{len(docs)} documents: {good} passed, {len(docs) - good} did not.")
    return all(one.ok for one in answers)


class _Answer(NamedTuple):
    """Whether a document is as it should be, and what is known of it, as JSON values."""

    ok: bool
    values: dict[str, Any]


def _one(doc: Path, form: str, against: Path | None, *, holds: bool, trace: Trace | None) -> _Answer:
    """What is known of one document; printed as text, unless it is to be JSON. Raises DocumentError, and Refused."""
    data = read(doc, trace)
    document = load(data, origin(doc))
    _refuse_over_quota(document, data)
    before = load(read(against, trace), origin(against)) if against else None
    change = refusing(OtherDocumentError, Kind.USAGE, lambda: compared(before, document)) if before else None
    values, kept = _summary(document), True
    if document.intents:
        judged, kept = _judged(data, document, form)
        values |= {"intents": judged}
    elif form != "json":
        click.echo(_sentence(document))
    _note_ended(document)
    if change:
        values |= revision(change, holds=holds)
        if form != "json":
            from reconciler.report.revision import text

            click.echo(f"\n{text(change, holds=holds)}")
    return _Answer(kept and not (change and change.holds and holds), values)


def _note_ended(document: Document) -> None:
    """Tell which exceptions have ended: they allow nothing any more, and the document is valid all the same."""
    now = datetime.now(UTC)
    over = [one for one in document.exceptions if one.until <= now]
    if over:
        from reconciler.revision.exceptions import ended

        for one in over:
            click.echo(f"{sanitize(document.origin)}: note: {sanitize(ended(one))}; remove it", err=True)


def _refuse_over_quota(document: Document, data: bytes) -> None:
    """Raise DocumentError for more rules, entries or routes than the settings say that the account may have."""
    if beyond := list(over_quota(document.resources, document.external, _quotas())):
        raise DocumentError(located(data, document.origin, beyond))


def _quotas() -> Quotas:
    """The quotas of the settings. Those are read only if they say something of quotas: most documents need nothing of
    the reconciler.
    """
    if not any(name.startswith("SETPOINT_QUOTA_") for name in os.environ):
        return DEFAULT
    from handlers.options import policy

    return policy({}).quotas


class OtherDocumentError(Exception):
    """Two documents that are not versions of one."""


def compared(before: Document, after: Document) -> RevisionChange:
    """What a document changes, compared with another version of it. Raises OtherDocumentError."""
    from reconciler.revision.compare import compare

    if before.name not in (after.name, *after.formerly):
        problem = f"{before.origin} is the document {before.name}, and {after.origin} the document {after.name}"
        raise OtherDocumentError(f"--against: {sanitize(problem)}; name a version of the same document")
    return compare(before, after)


def _judged(data: bytes, document: Document, form: str) -> tuple[list[dict[str, Any]], bool]:
    """(the verdicts as JSON values, whether the document breaks none that holds); printed as text."""
    from reconciler.kinds import declared_effects
    from reconciler.reach.judge.intents import Status, judge
    from reconciler.reach.judge.mending import together
    from reconciler.reach.judge.offline import offline
    from reconciler.report import intents as report

    context = offline(document, declared_effects, _quotas())
    verdicts = judge(document.intents, context)
    broken = [one for one in verdicts if one.status is Status.BROKEN and one.intent.enforcement == "hold"]
    declared = context.topology.network
    places = _places(data, document, verdicts)
    if form != "json":
        click.echo(_sentence(document))
        click.echo(report.text(verdicts, declared, together(verdicts, context)))
        for one, problem in zip(verdicts, places, strict=True):
            if one in broken:
                click.echo(str(problem), err=True)
        return [], not broken
    values = [
        report.as_json(one, declared) | {"line": place.line, "column": place.column}
        for one, place in zip(verdicts, places, strict=True)
    ]
    return values, not broken


def _places(data: bytes, document: Document, verdicts: tuple[Verdict, ...]) -> tuple[Problem, ...]:
    """Where each intent stands, and that the document breaks it."""
    hint = 'change what it rests on or the intent, or set "enforcement": "report"'
    return located(
        data,
        document.origin,
        [
            Violation(("intents", index), f"the document breaks its intent {sanitize(one.intent.name)!r}", hint)
            for index, one in enumerate(verdicts)
        ],
    )


def _sentence(document: Document) -> str:
    scope, count = document.scope, len(document.own)
    return (
        f"{sanitize(document.origin)}: valid; document {document.name}, revision {document.revision}, "
        f"{count} resource{'' if count == 1 else 's'} in account {scope.account_id}, {scope.region}."
    )


def _summary(document: Document) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "valid": True,
        "document": document.name,
        "revision": document.revision,
        "account_id": document.scope.account_id,
        "region": document.scope.region,
        "resources": len(document.own),
        "intents": [],
    }


def _refused(error: DocumentError) -> dict[str, Any]:
    return {"format_version": FORMAT_VERSION, "valid": False, "problems": [one._asdict() for one in error.problems]}
