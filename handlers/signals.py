"""How a command ends by SIGINT (Ctrl-C), SIGTERM and SIGHUP: nothing is left half done, and what was done is told.

Before the first write of a run a signal ends the command at once. From then on the first signal lets the call in
progress finish, and the run starts no other one (`may_start`), looks again and reports; a second signal ends it at
once. The exit code is 128 and the signal's number, as a shell has it.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

import click

from handlers.terminal import is_terminal

if TYPE_CHECKING:
    from reconciler.model import Cause

_ENDING = ("SIGINT", "SIGTERM", "SIGHUP")


class Interrupted(BaseException):
    """A signal ended the command; the text says what was in flight. No Exception, so that nothing mistakes it for a
    failure.
    """

    def __init__(self, signum: int, what: str = "") -> None:
        super().__init__(what)
        self.signum = signum

    @property
    def code(self) -> int:
        """The exit code of the command."""
        return 128 + self.signum


class Signals:
    """The signals while one command runs. `caught` is the first one that the run is to end by; 0: none."""

    def __init__(self) -> None:
        self.caught = 0
        self.writing = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for name in _ENDING:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
                try:
                    self._before[number] = signal.signal(number, self._caught)
                except ValueError:  # not in the main thread, where no signal arrives either
                    break
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _caught(self, number: int, _frame: FrameType | None) -> None:
        if not self.writing or self.caught:
            raise Interrupted(number)
        self.caught = number
        name = signal.Signals(number).name
        click.echo(f"\n{name}: the call in progress finishes, then the run ends. Once more ends it now.", err=True)

    def may_start(self) -> Cause | None:
        """Why no further call may be started: a signal was caught."""
        if not self.caught:
            return None
        from reconciler.model import Cause, Reason

        message = f"the run was interrupted by {signal.Signals(self.caught).name}: the next run continues"
        return Cause(Reason.INTERRUPTED, message)


def told(number: int, what: str) -> str:
    """The sentence about a command that a signal ended."""
    by = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
    behind = number == signal.SIGINT or not what  # the terminal's ^C, or a question that nobody answers now
    lead = "\n" if behind and is_terminal(sys.stderr) else ""
    return f"{lead}Interrupted{by} {what}." if what else f"{lead}Interrupted{by}: nothing was in flight."
