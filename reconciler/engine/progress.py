"""How far a plan has been carried out, and whether its next call still keeps the rules of `reach/steps.py`. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from reconciler.engine.expectation import Changed
from reconciler.engine.judged import Judged
from reconciler.model import Action, Cause, Reason

_UNEVEN = ", because not everything before it was done, or is in force yet"


class Progress:
    """What has been done so far, and whether the next call still keeps the rules.

    As long as every call did what the plan expected, the plan has answered that already, so nothing is judged again.
    """

    def __init__(self, steps: Callable[[], Judged]) -> None:
        self._from_start = steps
        self._steps: Judged | None = None
        self._record: list[tuple[Action, bool]] = []
        self.uneven = False

    def record(self, action: Action, *, certain: bool) -> None:
        """The action has been done, or may have been."""
        self.uneven |= not certain
        if self._steps:
            self._steps.advance(action, certain=certain)
        else:
            self._record.append((action, certain))

    def found(self, action: Action, changed: Changed) -> None:
        """Somebody has changed what the action is about: every further call is judged with what is there now."""
        self.uneven = True
        if changed.effect:
            self.record(replace(action, effect=changed.effect), certain=True)

    def refusal(self, action: Action) -> Cause | None:
        """Why the action must not come next; None if it may."""
        if not self.uneven or not action.effect:
            return None
        if not self._steps:
            self._steps = self._from_start()
            for one, certain in self._record:
                self._steps.advance(one, certain=certain)
        if self._steps.lost:
            return Cause(Reason.STALE, "the outcome of too many calls is not known: another look is needed first")
        breach = self._steps.breach(action)
        return breach.cause(_UNEVEN) if breach else None
