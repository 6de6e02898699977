"""`setpoint history`: what was recorded of a document, as text, JSON, Markdown or a page. Only reads."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from pydantic import TypeAdapter, ValidationError

from desired_state.document import Name
from desired_state.fields import nearest, shown
from handlers import history_source, page, terminal, wiring
from handlers.history_source import Source, refused, since, source
from handlers.options import CommandState
from handlers.refusal import Kind, Refused, refusing
from reconciler.history.reading import Chain, NoHistory, verify
from reconciler.history.store import ReceiptError
from reconciler.history.telling import text

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.history.history import History

_NAME: TypeAdapter[str] = TypeAdapter(Name)
_WRONG = {"missing": "is missing", "changed": "was changed"}
"""What makes a chain broken. A twin does not: a run broke off after it had written its receipt."""


@dataclass(frozen=True)
class HistoryOptions:
    """The options of the command, as they were given."""

    document: str
    since: str
    only: tuple[str, ...]
    opened: bool
    verify: bool
    form: str
    stack: str
    receipts: str
    connection: wiring.ConnectionOptions
    redact: bool = False
    no_color: bool = False


def run(at: CommandState, options: HistoryOptions) -> bool:
    """Print the history; whether its chain is whole, as far as that was asked for. Raises Refused."""
    name = document_name(options.document)
    page.check(options.form, redact=options.redact)
    until = history_source.now()
    start = since(options.since, until)
    found = open_source(at, options.connection, stack=options.stack, receipts=options.receipts)
    at.trace.tell(f"{name}: receipts in the bucket {found.receipts.bucket}")
    chain = _checked(found, name, start) if options.verify else None
    try:
        whole = found.history(name, start, until)
    except Refused:
        if chain and options.form == "text":
            click.echo("\n".join(_chain(chain)))
        raise
    _check_only(found, name, start, whole, options.only)
    told = whole.only(options.only, opened=options.opened) if options.only or options.opened else whole
    _show(told, chain, options)
    return chain is None or not _broken(chain)


def _check_only(found: Source, name: str, start: datetime, whole: History, only: tuple[str, ...]) -> None:
    """Refuse an address that has no episode, and that the newest receipt does not declare, if that one can be read."""
    known = {one.address for one in whole.episodes}
    if known.issuperset(only):
        return
    last = found.last(name)
    try:
        key = last[0] if last else max((one.key for one in found.receipts.listed(name, start)), default="")
        network = found.receipts.get(key).receipt.get("network") if key else None
    except ReceiptError:
        return
    declared = network.get("declared") if isinstance(network, dict) else None
    if not isinstance(declared, dict) or not declared:
        return
    for one in only:
        if one not in known and one not in declared:
            hint = nearest(one, sorted({*known, *declared}))
            raise Refused(f"--only: {shown(one)} is not declared in the document {name}; {hint}")


def document_name(given: str) -> str:
    """The name of a document. Raises Refused."""
    try:
        return _NAME.validate_python(given)
    except ValidationError as error:
        hint = "write the name that stands in the document; it is that of its object, without .json"
        raise Refused(f"{shown(given)} is not a valid document name; {hint}") from error


def open_source(at: CommandState, given: wiring.ConnectionOptions, *, stack: str, receipts: str) -> Source:
    """The receipts of the stack that the options name. Raises Refused."""
    connection, account = refusing(
        wiring.CannotConnect, Kind.CONNECTION, lambda: wiring.connect_anywhere(given, at.trace.watch)
    )
    return source(connection, account, stack=stack, receipts=receipts)


def _checked(found: Source, name: str, start: datetime) -> Chain:
    try:
        return verify(found.receipts, name, start, found.last(name))
    except (NoHistory, ReceiptError) as error:
        raise refused(error) from error


def _show(told: History, chain: Chain | None, options: HistoryOptions) -> None:
    if options.form == "json":
        values = told.as_json() | ({"chain": _chain_as_json(chain)} if chain else {})
        click.echo(json.dumps(values, indent=2))
    elif options.form == "text":
        click.echo(text(told, terminal.style_on(sys.stdout, no_color=options.no_color)))
        if chain:
            click.echo("\n".join(_chain(chain)))
    else:
        click.echo(_page(told, options), nl=False)
        if chain:
            click.echo("\n".join(_chain(chain)), err=True)


def _page(told: History, options: HistoryOptions) -> str:
    from reconciler.report.page.limits import MOST_CHARACTERS
    from reconciler.report.page.past_page import history_html, history_markdown

    if options.form == "html":
        return history_html(told.as_json(), redact=options.redact)
    return history_markdown(told.as_json(), MOST_CHARACTERS, redact=options.redact)


def _broken(chain: Chain) -> bool:
    return any(one.what in _WRONG for one in chain.broken)


def _chain(chain: Chain) -> list[str]:
    """What a check of the chain found, in words."""
    lines = [f"The receipt {one.key} {_WRONG[one.what]}." for one in chain.broken if one.what in _WRONG]
    lines += [
        f"The run of the receipt {one.key} ended before it was remembered: another one continues from the same receipt."
        for one in chain.broken
        if one.what not in _WRONG
    ]
    count = f"{chain.read:,} receipt{'' if chain.read == 1 else 's'}"
    verdict = "The chain is broken." if _broken(chain) else "The chain is whole."
    return [*lines, f"{verdict} {count} read, each compared with what the next one saw of it."]


def _chain_as_json(chain: Chain) -> dict[str, Any]:
    return {
        "whole": not _broken(chain),
        "read": chain.read,
        "broken": [{"key": one.key, "what": one.what} for one in chain.broken],
    }
