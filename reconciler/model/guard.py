"""What raises for one resource is the trouble of that resource alone.

A step that works on one resource says so with `about`; whatever it raises is then a `ResourceFaultError` with the
resource and the stage. `engine/run.py` catches it, sets the resource aside as one that could not be read, and does the
rest again without it. `contained` is for what nothing else depends on, such as a line of a report. Both log a
traceback: what they catch is an error of Setpoint, or a value that AWS never showed before, and has to be repaired.

`KeyboardInterrupt` and whatever else is no `Exception` passes through.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import StrEnum
from typing import Literal

from desired_state.fields import Address
from desired_state.sanitize import sanitize
from reconciler.model.outcome import Cause, Reason

log = logging.getLogger(__name__)

_LONGEST = 300
"""Characters of what an error says: it may quote a live value of any length."""


class Stage(StrEnum):
    """What was being done with a resource, as the end of "it failed while ..."."""

    IDENTIFYING = "finding out which resource it is"
    READING = "reading its values"
    COMPARING = "comparing it with the document"
    PLANNING = "planning its correction"
    JUDGING = "judging its traffic"
    HOLDING = "deciding whether it may be changed now"
    APPLYING = "making a call for it"
    TELLING = "telling of it"


class ResourceFaultError(Exception):
    """Something raised for the resource `address` at `stage`; `__cause__` is what."""

    def __init__(self, address: Address, stage: Stage, cause: Cause) -> None:
        super().__init__(f"{address}: {cause}")
        self.address, self.stage, self.cause = address, stage, cause


class about:  # noqa: N801 (it is used as a function; a generator would cost three times as much, for each field)
    """Whatever the block raises is about this resource, unless an inner block says it is about another one."""

    __slots__ = ("_address", "_field", "_stage")

    def __init__(self, address: Address, stage: Stage, field: str = "") -> None:
        self._address, self._stage, self._field = address, stage, field

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> Literal[False]:
        if isinstance(error, Exception) and not isinstance(error, ResourceFaultError):
            raise ResourceFaultError(
                self._address, self._stage, fault(error, self._stage, field=self._field)
            ) from error
        return False


def fault(error: Exception, stage: Stage, *, aws_id: str = "", field: str = "") -> Cause:
    """Why a resource failed, for people: what was raised, where, and of which live resource and field if known."""
    where = " of ".join(one for one in (field, aws_id) if one)
    return Cause(Reason.FAULT, f"Setpoint failed while {stage}{where and f', at {where}'}: {said(error)}")


def said(error: Exception) -> str:
    """An error as people read it, at most some hundred characters, safe to print."""
    return sanitize(f"{type(error).__name__}: {error}", _LONGEST)


def logged(error: BaseException | None, who: str, stage: Stage) -> None:
    """Log an error with its traceback, so that it can be repaired."""
    log.error("%s failed while %s", sanitize(who), stage, exc_info=error)


def contained[T](do: Callable[[], T], instead: Callable[[Cause], T], *, who: str, stage: Stage) -> T:
    """What `do` returns, or, if it raises, what `instead` makes of the cause."""
    try:
        return do()
    except Exception as error:  # noqa: BLE001 (the end of the way of whatever was not foreseen)
        logged(error, who, stage)
        return instead(error.cause if isinstance(error, ResourceFaultError) else fault(error, stage))
