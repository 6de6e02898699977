"""What the command line shows a person: reports, the question before a write, commands to copy.

A report goes to stdout, because it is data; a plan that is shown for approval is part of a question and goes to stderr.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from reconciler.engine.run import Report
    from reconciler.report.style import Style
    from reconciler.revision.change import RevisionChange


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a stream is there, and somebody looks at it."""
    return bool(stream and stream.isatty())


def is_person() -> bool:
    """Whether somebody sits at a terminal, who can be asked."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def is_live() -> bool:
    """Whether a line on stderr can be rewritten."""
    return is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"


def show_as(form: str, report: Report, *, no_color: bool) -> None:
    """Print a report on stdout, as `text` or `json`."""
    if form == "json":
        click.echo(json.dumps(report_as_json(report), indent=2))
    else:
        show(report, no_color=no_color)


def report_as_json(report: Report, change: RevisionChange | None = None) -> dict[str, Any]:
    """A report as `-o json` shows it, with what the document changes if that is known."""
    from reconciler.report.as_json import as_json

    return as_json(report) | (revision(change, holds=report.policy.hold_exposures) if change else {})


def show(report: Report, *, no_color: bool, change: RevisionChange | None = None) -> None:
    """Print a report on stdout as text, after what the document changes if that is known."""
    from reconciler.report.text import text

    style = style_on(sys.stdout, no_color=no_color)
    if change:
        from reconciler.report.revision import text as meaning

        click.echo(f"{meaning(change, holds=report.policy.hold_exposures, style=style)}\n")
    click.echo(text(report, style))


def show_on_stderr(report: Report) -> None:
    """Print a report as text where it does not mix with data."""
    from reconciler.report.text import text

    click.echo(text(report), err=True)


def revision(change: RevisionChange, *, holds: bool) -> dict[str, Any]:
    """What a document changes, as `-o json` shows it."""
    from reconciler.report.revision import as_json

    return {"revision_change": as_json(change, held=holds and bool(change.holds))}


def approved(report: Report, *, no_color: bool) -> bool:
    """Whether the person at the terminal approves the plan; anything but `yes` is a no, the end of input too."""
    from reconciler.report.text import text

    click.echo(text(report, style_on(sys.stderr, no_color=no_color)), err=True)
    opens = report.openings and report.policy.hold_exposures
    question = (
        "This plan newly opens the network, as said above. Apply it all the same?" if opens else "Apply this plan?"
    )
    click.echo(f"\n{question} Only `yes` is accepted: ", err=True, nl=False)
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):  # the end of input: what follows begins a line of its own
        click.echo(err=True)
    return answer.strip() == "yes"


def style_on(stream: TextIO | None, *, no_color: bool) -> Style:
    """How text is styled on a stream: not at all if it is no terminal, nor by the option or NO_COLOR."""
    from reconciler.report.style import plain

    return coloured if is_terminal(stream) and not (no_color or os.environ.get("NO_COLOR")) else plain


def coloured(words: str, colour: str) -> str:
    """The style of a terminal."""
    if colour == "dim":
        return click.style(words, dim=True)
    return click.style(words, bold=True) if colour == "bold" else click.style(words, fg=colour)


def command(name: str, doc: Path, more: Iterable[str], options: Mapping[str, Any]) -> str:
    """A command to copy, with the options of the current one, quoted for a shell."""
    words = ["setpoint", name, str(doc), *more]
    for option, value in options.items():
        flag = f"--{option.replace('_', '-')}"
        if isinstance(value, bool) and option != "no_color":
            words.append(flag if value else f"--no-{flag[2:]}")
        elif isinstance(value, str) and value:
            words.append(f"{flag}={value}")
    return shlex.join(words)
