"""The page of a run at a terminal: `-o html` and `-o markdown` of `setpoint plan` and `setpoint apply`.

A terminal has no memory, so the page says that it does not know since when; who made a change it asks CloudTrail, where
the caller may. The page goes to stdout, so that it can be redirected; everything else is on stderr.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

from desired_state.sanitize import sanitize
from handlers import terminal
from handlers.refusal import Refused
from reconciler.report.page.forms import written as as_page
from reconciler.report.page.limits import LEAST_CHARACTERS, MOST_CHARACTERS

if TYPE_CHECKING:
    from desired_state.document import Document
    from desired_state.fields import Address
    from handlers.wiring import AwsConnection
    from reconciler.engine.run import Report
    from reconciler.model.trigger import Actor

FORMS = ("html", "markdown")
_OWN = "setpoint/"
"""In the user agent of every call of this program."""
LOOK_BACK = timedelta(days=90)
"""CloudTrail's event history has no more (CloudTrail user guide, event history)."""

History = Callable[["Document", "AwsConnection"], Mapping[str, Any] | None]
"""What is known of the last days of a document, as `reconciler/history` tells it; None: nothing is at hand."""


def nothing_at_hand(document: Document, connection: AwsConnection) -> None:
    """A terminal has no memory."""


class PageOptions(NamedTuple):
    """How a page is made: its form, the most characters of it as Markdown, whether accounts, addresses and people have
    other names in it, and where the last 30 days come from.
    """

    form: Literal["html", "markdown"]
    max_chars: int
    redact: bool
    history: History = nothing_at_hand

    def of_many(self, number: int) -> PageOptions:
        """The options of each of several pages below each other, which share the room. Raises Refused."""
        if self.form == "html":
            raise Refused("-o html: one page is of one document; plan them one by one, or use -o markdown")
        if (room := self.max_chars // number) < LEAST_CHARACTERS:
            most = self.max_chars // LEAST_CHARACTERS
            raise Refused(f"-o markdown: {self.max_chars} characters have room for {most} documents; raise --max-chars")
        return self._replace(max_chars=room)


def check(form: str, *, redact: bool = False, file: str = "page.html") -> None:
    """Raises Refused for a page that nobody could read where it goes, and for redacting what is no page."""
    if form == "html" and terminal.is_terminal(sys.stdout):
        raise Refused(f"-o html: a page is for a browser, not for a terminal; redirect it: -o html > {file}")
    if redact and form not in FORMS:
        raise Refused(f"--redact: only a page is redacted; use it with -o {' or -o '.join(FORMS)}")


def chosen(form: str, options: dict[str, Any]) -> PageOptions | None:
    """The options of the page, taken out of those of a command; None if its output is none. Raises Refused."""
    max_chars, redact = options.pop("max_chars"), options.pop("redact")
    history = _history(form, asked=options.pop("history"), stack=options.pop("stack"))
    if max_chars is not None and form != "markdown":
        raise Refused("--max-chars: only a page as Markdown is cut; use it with -o markdown")
    check(form, redact=redact)
    if form == "html":
        return PageOptions("html", 0, redact, history)
    return PageOptions("markdown", max_chars or MOST_CHARACTERS, redact, history) if form == "markdown" else None


def _history(form: str, *, asked: bool, stack: str) -> History:
    """Where the last 30 days come from. Raises Refused, before anything is read."""
    if not asked and not stack:
        return nothing_at_hand
    if form not in FORMS:
        option = "--history" if asked else "--stack"
        raise Refused(f"{option}: only a page tells the last 30 days; use it with -o {' or -o '.join(FORMS)}")
    if not asked:
        raise Refused("--stack: it says where the history is; use it with --history")
    if not (stack or os.environ.get("SETPOINT_STACK") or os.environ.get("SETPOINT_RECEIPTS")):
        raise Refused("--history: which bucket holds the receipts is not known; name the stack with --stack")

    def last_month(document: Document, connection: AwsConnection) -> Mapping[str, Any] | None:
        """The last 30 days; if they cannot be read, the page is without them, and why is on stderr."""
        from handlers.history_source import MONTH, now, source

        until = now()
        try:
            found = source(connection, document.scope.account_id, stack=stack)
            return found.history(document.name, until - MONTH, until).as_json()
        except Refused as refused:
            click.echo(f"The last 30 days are not on the page: {refused}", err=True)
            return None

    return last_month


def page(
    report: Report,
    connection: AwsConnection,
    options: PageOptions,
    *,
    sleep: Callable[[float], None] | None = None,
) -> str:
    """The page of one run. Who made the changes is looked up, with at most five calls and a pause between two; `sleep`
    in place of the clock's.
    """
    from reconciler.report.receipt import receipt

    actors, unknown = who(report, connection, sleep)
    told = receipt(report, actors=actors, actors_unknown=unknown)
    return written(told, options, options.history(report.document, connection))


def written(receipt: Mapping[str, Any], options: PageOptions, history: Mapping[str, Any] | None = None) -> str:
    """A receipt as a page."""
    return as_page(receipt, options.form, history=history, redact=options.redact, max_chars=options.max_chars)


def who(
    report: Report, connection: AwsConnection, sleep: Callable[[float], None] | None = None
) -> tuple[Mapping[Address, Actor], str | None]:
    """Who made the changes that a run found, and why that is not known of all of them. A refusal costs nothing else."""
    from handlers import wiring
    from reconciler.cloudtrail.attribution import NONE, attribute, drifted
    from reconciler.cloudtrail.record import time_of

    drifts = drifted(report, {}, NONE)
    if not drifts:
        return {}, None
    began = report.started.replace(microsecond=0)
    environment = wiring.environment(connection)

    def no_cause(record: Mapping[str, Any]) -> bool:
        """Whether a call cannot have made what the first look saw: it was later, or is one of the run itself."""
        at = time_of(record.get("eventTime"))
        return at is None or at > began or (at == began and _OWN in str(record.get("userAgent")))

    try:
        found = attribute(
            drifts,
            (),
            environment.aws,
            since=began - LOOK_BACK,
            now=environment.now,
            sleep=sleep or environment.sleep,
            is_own_call=no_cause,
        )
    except wiring.FAILURES as error:
        return {}, f"CloudTrail could not be asked: {sanitize(str(error))}"
    if found.unknown or all(one.address in found.actors for one in drifts):
        return found.actors, found.unknown or None
    return found.actors, "CloudTrail knows of no call in the last 90 days that explains it"


def refused(origin: str, problem: str) -> str:
    """What stands in place of a page, as Markdown, if there is no run to show."""
    from reconciler.report.page.gfm import code, fenced

    return "\n".join(
        (f"## Setpoint: {code(origin)}", "", "It could not be planned:", "", *fenced(problem.splitlines()), "")
    )
