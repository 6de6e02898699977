"""`setpoint completion`: click's own scripts, which ask the program what may follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.shell_completion import ShellComplete, get_completion_class

if TYPE_CHECKING:
    import click


def script(command: click.Command, program: str, shell: str) -> str:
    """The script for a shell. The base class's `source` does not ask which bash is installed here."""
    found = get_completion_class(shell)
    if found is None:
        raise LookupError(shell)
    return ShellComplete.source(found(command, {}, program, f"_{program.upper()}_COMPLETE"))
