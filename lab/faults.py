"""Fault injection: faults between a caller and AWS, armed by operation and counted down.

Tests arm faults on `StrictAws.faults`; strict_aws takes the next one before each call of session(). Calls of
outsider() never meet them.

Facts encoded: an EC2 throttle is RequestLimitExceeded with HTTP 503, an RDS one is Throttling; a missing permission
is UnauthorizedOperation on EC2 and AccessDenied on RDS (EC2 and RDS API references, "Common errors"). Refused calls
are answered before botocore's retry handler, so a fault costs no time and `times` counts what the caller meets.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lab.world import World

When = Literal["before", "after"]
FOR_EVER = 10**9
_RDS_CODES = {"RequestLimitExceeded": "Throttling", "UnauthorizedOperation": "AccessDenied"}


class Stopped(BaseException):
    """The process died here: raised at the write that `Faults.stop_at` named. No `except Exception` catches it."""


@dataclass
class Fault:
    """One armed fault: refused (an error, not applied), lost (applied, no answer) or stale (an old answer)."""

    kind: Literal["refused", "lost", "stale"]
    operation: str
    times: int
    code: str = ""
    parameter: str = ""
    text: str = ""

    def matches(self, operation: str, parameters: Container[str]) -> bool:
        named = not self.parameter or self.parameter in parameters
        return self.times > 0 and self.operation in ("*", operation) and named

    def code_for(self, service: str) -> str:
        """The wire code of that service: RDS has its own for throttled and forbidden calls."""
        return _RDS_CODES.get(self.code, self.code) if service == "rds" else self.code


@dataclass
class Lag:
    """A Describe call that is behind after every write: `after` answers show it, and the next `reads` show the world as
    this call knew it before (`past`; None while it is not behind).
    """

    reads: int
    after: int
    past: World | None = None
    left: int = 0
    fresh: int = 0

    def wrote(self, before: World) -> None:
        """A write was carried out, `before` which the world was so."""
        self.past = self.past or before
        self.left, self.fresh = self.reads, self.after

    def look(self) -> World | None:
        """What the next answer shows; None: the present."""
        if self.past is not None and self.fresh:
            self.fresh -= 1
            return None
        if not self.left:
            self.past = None
        self.left -= bool(self.left)
        return self.past


@dataclass
class _Stop:
    write: int
    when: When


class Faults:
    """Armed faults, matched by operation name or "*", the earliest armed first; each counts down its `times`."""

    def __init__(self) -> None:
        self._armed: list[Fault] = []
        self._stop: _Stop | None = None
        self._writes = 0
        self._lags: dict[str, Lag] = {}
        self.lost = 0

    def throttle(self, operation: str = "*", times: int = 1, code: str = "RequestLimitExceeded") -> None:
        """The next `times` calls are throttled and not applied."""
        self._armed.append(Fault("refused", operation, times, code))

    def refuse(self, operation: str, code: str = "UnauthorizedOperation", times: int = FOR_EVER) -> None:
        """The caller lacks the permission: not applied."""
        self._armed.append(Fault("refused", operation, times, code))

    def refuse_parameter(self, operation: str, parameter: str, text: str = "") -> None:
        """AWS refuses every such call that has this parameter, as a whole, in these words."""
        self._armed.append(Fault("refused", operation, FOR_EVER, "InvalidParameterCombination", parameter, text))

    def fail(self, operation: str, code: str, times: int = 1) -> None:
        """Any other error code, not applied."""
        self._armed.append(Fault("refused", operation, times, code))

    def lose_answer(self, operation: str, times: int = 1) -> None:
        """The call is applied, then the caller gets ReadTimeoutError and ConnectionClosedError by turns."""
        self._armed.append(Fault("lost", operation, times))

    def stale(self, operation: str, reads: int = 1) -> None:
        """The next `reads` answers of that Describe call show the state before the most recent write."""
        self._armed.append(Fault("stale", operation, reads))

    def lag(self, operation: str, reads: int = 1, after: int = 0) -> None:
        """From now on that Describe call is behind after every write of anybody: `after` answers show the write, as of
        a server that knows it, and the next `reads` do not. A thing just made is then missing, one just changed is as
        it was.
        """
        self._lags[operation] = Lag(reads, after)

    def wrote(self, before: World) -> None:
        """A write was carried out, `before` which the world was so."""
        for lag in self._lags.values():
            lag.wrote(before)

    def past(self, operation: str) -> World | None:
        """What that Describe call shows now, if it is behind."""
        lag = self._lags.get(operation)
        return lag.look() if lag else None

    def stop_at(self, write: int, when: When = "before") -> None:
        """Raise Stopped at the `write`-th write of session() from now (1 is the next one), once."""
        self._stop = _Stop(write, when)
        self._writes = 0

    def clear(self) -> None:
        """Disarm everything."""
        self._armed.clear()
        self._lags.clear()
        self._stop = None
        self.lost = 0

    def take(self, operation: str, kind: str, parameters: Container[str] = ()) -> Fault | None:
        """The fault this call meets, counted down; stale ones only for reads."""
        for fault in self._armed:
            if fault.matches(operation, parameters) and (fault.kind != "stale" or kind == "read"):
                fault.times -= 1
                return fault
        return None

    def count_write(self) -> None:
        """A write of session() is about to be sent; Stopped when this is where the process dies."""
        self._writes += 1
        if self._stops("before"):
            raise Stopped(f"before write {self._writes}")

    def after_write(self) -> None:
        """The write was answered; Stopped when the process dies after it."""
        if self._stops("after"):
            raise Stopped(f"after write {self._writes}")

    def _stops(self, when: When) -> bool:
        if self._stop is None or self._stop != _Stop(self._writes, when):
            return False
        self._stop = None
        return True
