"""`setpoint fleet`: every document of a deployed stack at a glance, with the caller's own credentials. Only reads."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from desired_state.sources import Documents
from handlers import fleet, page, terminal, wiring
from handlers.fleet_sources import Sources, quick
from handlers.options import CommandState
from handlers.refusal import Kind, Refused, refusing
from handlers.stack_of import Given, dynamodb, s3, stack_of
from reconciler.fleet.text import text
from reconciler.history.store import Receipts
from reconciler.ledger.lease import Ledger
from reconciler.ledger.table import LedgerError


def run(at: CommandState, stack: str, form: str, options: Mapping[str, Any]) -> bool:
    """Whether every document is in sync; prints how each one stands. Raises Refused."""
    page.check(form, file="fleet.html")
    given = wiring.ConnectionOptions.taken_from(dict(options))
    connection, account = refusing(
        wiring.CannotConnect, Kind.CONNECTION, lambda: wiring.connect_anywhere(given, at.trace.watch)
    )
    deployed = stack_of(connection, account, Given.of(os.environ, stack=stack))
    client, now = s3(connection), datetime.now(UTC)
    sources = Sources(
        Ledger(dynamodb(connection), deployed.ledger_table(), now=lambda: now),
        Documents(client, deployed.bucket, deployed.prefix) if deployed.bucket else None,
        Receipts(quick(s3(connection)), deployed.receipts) if deployed.receipts else None,
    )
    known = {"region": deployed.region, "account": deployed.account, "stack": deployed.stack}
    try:
        found = fleet.read(sources, now, deployed.rate, **known)
    except LedgerError as error:
        raise Refused(str(error), Kind.CONNECTION) from error
    if form == "json":
        click.echo(json.dumps(found.as_json(), indent=2))
    elif form in page.FORMS:
        click.echo(fleet.written(found, form), nl=False)
    else:
        click.echo(text(found, terminal.style_on(sys.stdout, no_color=options["no_color"])))
    return found.well
