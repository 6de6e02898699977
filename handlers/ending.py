"""How a command ends: its exit code, after its error was printed, whatever ended it. No error ends in a traceback."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

import click

from handlers.options import CommandState
from handlers.refusal import Kind, Refused, show, unexpected, wants_json
from handlers.signals import Interrupted, Signals, told
from handlers.terminal import is_terminal

IN_SYNC, ERROR, DRIFT, INTERRUPTED = 0, 1, 2, 130


class Commands(click.Group):
    """The commands. What closes the output is told by `ended`, not by click, which would exit with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise _Closed from error
            raise


class _Closed(Exception):
    """The reader of the output has gone."""


def ended(cli: click.Group, words: list[str], program: str) -> int:
    """The exit code of one command, given by its words, after its errors were printed: to stderr, or with `-o json` to
    stdout.
    """
    try:
        with Signals() as signals:
            at = CommandState(signals)
            try:
                return _code(cli, words, program, at)
            finally:
                at.trace.close()
    except (BrokenPipeError, _Closed):  # also while an error is printed
        return _no_reader()


def _code(cli: click.Group, words: list[str], program: str, at: CommandState) -> int:
    try:
        code = int(cli.main(words, prog_name=program, standalone_mode=False, obj=at) or 0)
        if sys.stdout:
            sys.stdout.flush()
        elif not any(one == "--out" or one.startswith("--out=") for one in words):
            closed = "the output cannot be written: stdout is closed; open it, or write > /dev/null"
            show(Refused(closed, Kind.OUTPUT), [])
            return ERROR
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and not wants_json(words):
            error.show()
        else:
            show(Refused(error.format_message()), words)
    except Refused as error:
        show(error, words)
    except Interrupted as stop:
        show(Refused(told(stop.signum, str(stop)), Kind.INTERRUPTED), [] if at.signals.caught else words)
        return stop.code
    except (click.Abort, KeyboardInterrupt):
        _own_line()
        show(Refused("Interrupted: nothing was in flight.", Kind.INTERRUPTED), words)
        return INTERRUPTED
    except (BrokenPipeError, _Closed):
        raise
    except OSError as error:
        show(_os_error(error), words)
    except Exception as error:  # noqa: BLE001 (nobody is shown a traceback who did not ask for it)
        show(unexpected(error, verbose=at.trace.on), words)
    else:
        return code
    return ERROR


def _own_line() -> None:
    """Begin a line on a terminal, where the end of a command would else stand behind the question that it ended."""
    if is_terminal(sys.stderr):
        click.echo(err=True)


def _os_error(error: OSError) -> Refused:
    """What the system refuses and no command expects: no space for the output, for example."""
    from desired_state.sanitize import sanitize

    where = f"{sanitize(str(error.filename))}: " if error.filename else "the output cannot be written: "
    return Refused(f"{where}{error.strerror or sanitize(str(error))}", Kind.OUTPUT)


def _no_reader() -> int:
    """Whoever read the output has gone. Nothing more is written, also not when the interpreter ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nowhere, stream.fileno())
    click.echo("The output was closed before all of it was written.", err=True)
    return 128 + 13  # SIGPIPE
