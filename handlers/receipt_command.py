"""`setpoint receipt`: one recorded run, as text, JSON, Markdown or a page; `--undo` prints what a document would say to
have back what the run took away. Only reads, and from a file also without AWS.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from desired_state.sanitize import sanitize
from handlers import history_source, page, terminal, wiring
from handlers.history_command import document_name, open_source
from handlers.history_source import refused
from handlers.options import CommandState
from handlers.refusal import Kind, Refused, refusing
from reconciler.history import undo as undoing
from reconciler.history.reading import NoHistory, find_receipt
from reconciler.history.recorded import NotAReceipt, recorded
from reconciler.history.store import LARGEST_READ, ReceiptError, unpacked
from reconciler.history.summary import text
from reconciler.model.network_state import NetworkState


@dataclass(frozen=True)
class ReceiptOptions:
    """The options of the command, as they were given. Without a `run`, `what` is a file."""

    what: str
    run: str
    undo: bool
    with_history: bool
    form: str
    stack: str
    receipts: str
    connection: wiring.ConnectionOptions
    redact: bool = False
    max_chars: int | None = None
    no_color: bool = False


def run(at: CommandState, options: ReceiptOptions) -> None:
    """Print one receipt. Raises Refused."""
    _check(options)
    history: Mapping[str, Any] | None = None
    if options.run:
        name = document_name(options.what)
        found = open_source(at, options.connection, stack=options.stack, receipts=options.receipts)
        try:
            receipt = find_receipt(found.receipts, name, options.run, found.last(name))
        except (NoHistory, ReceiptError) as error:
            raise refused(error) from error
        if options.with_history:
            until = history_source.now()
            history = found.history(name, until - history_source.MONTH, until).as_json()
    else:
        receipt = _of_file(Path(options.what))
    if options.undo:
        _undo(receipt, options)
    elif options.form == "json":
        click.echo(json.dumps(receipt, indent=2))
    elif options.form == "text":
        content = refusing(NotAReceipt, Kind.RECEIPT, lambda: recorded(receipt))
        click.echo(text(content, terminal.style_on(sys.stdout, no_color=options.no_color)))
    else:
        _page(receipt, history, options)


def _check(options: ReceiptOptions) -> None:
    """Refuse options that contradict each other."""
    if options.with_history and not (options.run and options.form in page.FORMS):
        raise Refused("--history adds the last 30 days to a page of a run in the bucket: give DOC and RUN, and -o html")
    page.check(options.form, redact=options.redact)
    if options.undo and options.form in page.FORMS:
        raise Refused("--undo prints lines for a document: use -o text or -o json")


def _of_file(path: Path) -> Mapping[str, Any]:
    """The receipt in a file, gzipped or not; `-` is stdin."""
    where = "stdin" if str(path) == "-" else str(path)
    try:
        if where == "stdin":
            data = sys.stdin.buffer.read(LARGEST_READ)
        else:
            with path.open("rb") as file:
                data = file.read(LARGEST_READ)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        reason = error.strerror if isinstance(error, OSError) else None
        hint = "name a file, or a document and a run: setpoint receipt DOC RUN"
        raise Refused(f"{sanitize(where)}: it cannot be read: {reason or error}; {hint}", Kind.FILE) from error
    try:
        receipt = unpacked(data, where)
        recorded(receipt)
    except ReceiptError as error:
        raise refused(error) from error
    except NotAReceipt as error:
        raise Refused(f"{sanitize(where)}: it is no receipt: {error}; get it again", Kind.RECEIPT) from error
    return receipt


def _undo(receipt: Mapping[str, Any], options: ReceiptOptions) -> None:
    found = undoing.undo(receipt, recorded(receipt), history_source.now())
    click.echo(json.dumps(undoing.as_json(found), indent=2) if options.form == "json" else undoing.text(found))


def _page(receipt: Mapping[str, Any], history: Mapping[str, Any] | None, options: ReceiptOptions) -> None:
    if receipt.get("state") == NetworkState.DAY:
        hint = "use -o text or -o json; `setpoint history` tells what the sheets say together"
        raise Refused(f"this is a day sheet, which has no page of its own; {hint}", Kind.RECEIPT)
    from handlers.page import PageOptions, written
    from reconciler.report.page.limits import MOST_CHARACTERS
    from reconciler.report.page.reading import UnreadableReceipt

    form = "html" if options.form == "html" else "markdown"
    chosen = PageOptions(form, options.max_chars or MOST_CHARACTERS, options.redact)  # type: ignore[arg-type]
    click.echo(refusing(UnreadableReceipt, Kind.RECEIPT, lambda: written(receipt, chosen, history)), nl=False)
