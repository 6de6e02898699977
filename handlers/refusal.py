"""Why a command is not carried out: a sentence for people, a word for programs, and how both are printed.

`cli.py` prints every refusal; a command only raises it. With `-o json` an error is JSON on stdout, where a program
looks for the answer, and nothing is on stderr.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from desired_state.load import Problem

FORMAT_VERSION = 1
"""Of an error as JSON."""


class Kind(StrEnum):
    """What a refusal is about, for programs."""

    USAGE = "usage"
    DOCUMENT = "document"
    SETTINGS = "settings"
    PLAN_FILE = "plan_file"
    FILE = "file"
    """A file that cannot be written."""
    CONNECTION = "connection"
    """No credentials, another account or region, no answer from AWS."""
    RECEIPT = "receipt"
    """A receipt or a history that there is none of, or that cannot be read."""
    NETWORK = "network"
    """The network could not be read, or which one it is must be settled."""
    STALE_PLAN = "stale_plan"
    NOT_APPROVED = "not_approved"
    OVERTAKEN = "overtaken"
    """Somebody else has changed meanwhile what was to be replaced."""
    OUTPUT = "output"
    """The output cannot be written."""
    INTERRUPTED = "interrupted"
    UNEXPECTED = "unexpected"
    """A bug in Setpoint."""


class Refused(Exception):
    """The command cannot be carried out. The text has one line per reason, each of which starts with its location;
    `problems` are those of a document.
    """

    def __init__(self, message: str, kind: Kind = Kind.USAGE, problems: Iterable[Problem] = ()) -> None:
        super().__init__(message)
        self.kind = kind
        self.problems = tuple(problems)


def refusing[Answer](error: type[Exception], kind: Kind, act: Callable[[], Answer]) -> Answer:
    """The answer of `act`; its `error` as a refusal."""
    try:
        return act()
    except error as caught:
        raise Refused(str(caught), kind, getattr(caught, "problems", ())) from caught


def unexpected(error: Exception, *, verbose: bool) -> Refused:
    """A bug, in one sentence. `verbose` also prints where it is."""
    from desired_state.sanitize import sanitize

    if verbose:
        lines = "".join(traceback.format_exception(error)).splitlines()
        click.echo("\n".join(map(sanitize, lines)), err=True)
    hint = "this is a bug in Setpoint; -v shows where it is"
    return Refused(f"Unexpected {type(error).__name__}: {sanitize(str(error))}; {hint}", Kind.UNEXPECTED)


def as_json(refused: Refused) -> dict[str, Any]:
    """A refusal as `-o json` prints it."""
    problems = [one._asdict() for one in refused.problems]
    error = {"kind": refused.kind.value, "message": str(refused), "problems": problems}
    return {"format_version": FORMAT_VERSION, "error": error}


def show(refused: Refused, arguments: Sequence[str]) -> None:
    """Print a refusal as the arguments of the command ask for it. The JSON of an import is on stderr, because the
    document goes to stdout.
    """
    if wants_json(arguments):
        click.echo(json.dumps(as_json(refused), indent=2), err="import" in arguments)
    else:
        click.echo(str(refused), err=True)


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the arguments ask for JSON, even where they could not be parsed."""
    pairs = zip(("", *arguments), arguments, strict=False)
    return any(
        one in {"-ojson", "--output=json"} or (one == "json" and before in {"-o", "--output"}) for before, one in pairs
    )
