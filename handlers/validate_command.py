"""`setpoint validate`: what a document says is checked, and its intents are judged against it, without AWS.

A valid document may contradict its own intents: that is exit code 1 where the intent holds calls, because whoever
writes the document should see it before it is in force. It is no reason to refuse the document. So is a document that
would be held, compared with the version that is in force (`--against`): a pipeline can refuse it before it is uploaded.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from desired_state.explain import Violation
from desired_state.limits import over_quota
from desired_state.load import DocumentError, Problem, load, located
from desired_state.quotas import DEFAULT
from desired_state.sanitize import sanitize
from desired_state.sources import read_file
from handlers.terminal import revision

if TYPE_CHECKING:
    from desired_state.document import Document
    from reconciler.reach.judge.intents import Verdict
    from reconciler.revision.change import RevisionChange

FORMAT_VERSION = 1
"""Of the JSON output."""


def run(doc: Path, form: str, against: Path | None = None, *, holds: bool = True) -> bool:
    """Whether the document is valid, keeps its intents, as far as they hold, and would not be held in place of the
    version `against`; prints what is known of it. `holds`: the deployment holds what opens the network.

    Raises DocumentError, for `text` only, and OtherDocumentError for two documents that are not versions of one.
    """
    try:
        data = read_file(doc)
        document = load(data, str(doc))
        _refuse_over_quota(document, data)
        before = load(read_file(against), str(against)) if against else None
    except DocumentError as error:
        if form != "json":
            raise
        click.echo(json.dumps(_refused(error), indent=2))
        return False
    change = compared(before, document) if before else None
    beside = revision(change, holds=holds) if change else {}
    kept = True
    if document.intents:
        kept = _judged(doc, data, document, form, beside)
    else:
        click.echo(json.dumps(_summary(document) | beside, indent=2) if form == "json" else _sentence(doc, document))
    if change and form != "json":
        from reconciler.report.revision import text

        click.echo(f"\n{text(change, holds=holds)}")
    return kept and not (change and change.holds and holds)


def _refuse_over_quota(document: Document, data: bytes) -> None:
    """Raise DocumentError for more rules, entries or routes than the settings say that the account may have. They are
    read only if that matters: most documents need nothing of the reconciler.
    """
    beyond = list(over_quota(document.resources, document.external, DEFAULT))
    if beyond or any(name.startswith("SETPOINT_QUOTA_") for name in os.environ):
        from handlers.settings import settings

        beyond = list(over_quota(document.resources, document.external, settings(os.environ).quotas))
    if beyond:
        raise DocumentError(located(data, document.origin, beyond))


class OtherDocumentError(Exception):
    """Two documents that are not versions of one."""


def compared(before: Document, after: Document) -> RevisionChange:
    """What a document changes, compared with another version of it. Raises OtherDocumentError."""
    from reconciler.revision.compare import compare

    if before.name not in (after.name, *after.formerly):
        problem = f"{before.origin} is the document {before.name}, and {after.origin} the document {after.name}"
        raise OtherDocumentError(f"--against: {sanitize(problem)}; name a version of the same document")
    return compare(before, after)


def _judged(doc: Path, data: bytes, document: Document, form: str, beside: dict[str, Any]) -> bool:
    from reconciler.kinds import declared_effects
    from reconciler.reach.judge.intents import Status, judge
    from reconciler.reach.judge.mending import together
    from reconciler.reach.judge.offline import offline
    from reconciler.report import intents as report

    context = offline(document, declared_effects)
    verdicts = judge(document.intents, context)
    broken = [one for one in verdicts if one.status is Status.BROKEN and one.intent.enforcement == "hold"]
    declared = context.topology.network
    if form == "json":
        judged = [
            report.as_json(one, declared) | {"line": place.line, "column": place.column}
            for one, place in zip(verdicts, _places(doc, data, verdicts), strict=True)
        ]
        click.echo(json.dumps(_summary(document) | {"intents": judged} | beside, indent=2))
        return not broken
    click.echo(_sentence(doc, document))
    click.echo(report.text(verdicts, declared, together(verdicts, context)))
    for one, problem in zip(verdicts, _places(doc, data, verdicts), strict=True):
        if one in broken:
            click.echo(str(problem), err=True)
    return not broken


def _places(doc: Path, data: bytes, verdicts: tuple[Verdict, ...]) -> tuple[Problem, ...]:
    """Where each intent stands, and that the document breaks it."""
    hint = 'change what it rests on or the intent, or set "enforcement": "report"'
    return located(
        data,
        str(doc),
        [
            Violation(("intents", index), f"the document breaks its intent {sanitize(one.intent.name)!r}", hint)
            for index, one in enumerate(verdicts)
        ],
    )


def _sentence(doc: Path, document: Document) -> str:
    scope, count = document.scope, len(document.resources)
    return (
        f"{sanitize(str(doc))}: valid; document {document.name}, revision {document.revision}, "
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
        "resources": len(document.resources),
        "intents": [],
    }


def _refused(error: DocumentError) -> dict[str, Any]:
    return {"format_version": FORMAT_VERSION, "valid": False, "problems": [one._asdict() for one in error.problems]}
