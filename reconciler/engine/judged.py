"""What raises while the calls of a plan are judged from end to end costs the judgement, and never the run. Pure but for
the log.

A call that cannot be judged may open anything: those that let something through wait, and what only closes goes on. If
the calls of one resource are what cannot be judged, the others are judged without them. What raises while one resource
is read into the network is that resource's own (`guard.about`), as everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from desired_state.fields import Address
from reconciler.model import Action, Cause, Finding, Outcome, Reason
from reconciler.model.guard import ResourceFaultError, Stage, fault, logged
from reconciler.reach.checkpoints import ANY_MACHINE
from reconciler.reach.steps import Breach, Steps

MOST_TRIED = 50
"""Of how many resources it is tried, in turn, whether their calls are those that cannot be judged."""


class Judged:
    """The answers of `Steps`, whatever raises in them. `cause` says what did, if nothing can be judged any more
    (None: it can), `causes` what did for the calls of one resource.

    `steps` makes them of the calls of `actions`, which it may be given without those of a resource.
    """

    def __init__(self, steps: Callable[[Iterable[Action]], Steps], actions: Iterable[Action]) -> None:
        self.cause: Cause | None = None
        self.causes: dict[Address, Cause] = {}
        self._steps: Steps | None = None
        everything = tuple(actions)
        try:
            self._steps = steps(everything)
        except ResourceFaultError:
            raise
        except Exception as error:  # noqa: BLE001 (it is logged, and told)
            self._steps = self._without_one(steps, everything, error)

    def _without_one(
        self, steps: Callable[[Iterable[Action]], Steps], actions: Iterable[Action], error: Exception
    ) -> Steps | None:
        for address in list(dict.fromkeys(one.address for one in actions if one.effect))[:MOST_TRIED]:
            try:
                found = steps(one for one in actions if one.address != address)
            except Exception:  # noqa: BLE001, S112 (the first one is told)
                continue
            self._fails(address, error)
            return found
        self._lost(error, "the calls of the plan")
        return None

    def breach(self, action: Action) -> Breach | None:
        """As `Steps.breach`; of a call that cannot be judged, that it must not be made if it lets something through."""
        if not action.effect:
            return None
        if cause := self._unknown(action):
            return _waits(action, cause)
        try:
            return self._steps.breach(action) if self._steps else None
        except Exception as error:  # noqa: BLE001 (it is logged, and told)
            return _waits(action, self._fails(action.address, error))

    def advance(self, action: Action, *, certain: bool = True) -> None:
        """As `Steps.advance`: if it raises, nobody knows any more in which state the network is."""
        if self._steps is None or not action.effect or self._unknown(action):
            return
        try:
            self._steps.advance(action, certain=certain)
        except Exception as error:  # noqa: BLE001 (it is logged, and told)
            self._lost(error, action.address)

    def forbidden(self, action: Action) -> bool:
        """Whether an intent forbids that the action comes next, as far as can be told."""
        try:
            return self._steps is None or bool(self._unknown(action)) or self._steps.forbidden(action)
        except Exception as error:  # noqa: BLE001 (it is logged, and told)
            self._lost(error, action.address)
            return True

    @property
    def blind(self) -> bool:
        """Whether nobody can say what a call would let through."""
        return self.cause is not None or self._steps is None or self._steps.blind

    @property
    def lost(self) -> bool:
        """Whether too little is known of the network's state to do anything else."""
        return self.cause is None and self._steps is not None and self._steps.lost

    def findings(self, vpc: Address) -> Iterator[Finding]:
        """What people must know of what could not be judged: of all calls, at the document's VPC."""
        yield from (Finding(address, Outcome.FAILED, cause) for address, cause in self.causes.items())
        if self.cause:
            yield Finding(vpc, Outcome.FAILED, self.cause)

    def _unknown(self, action: Action) -> Cause | None:
        return self.cause or self.causes.get(action.address)

    def _fails(self, address: Address, error: Exception) -> Cause:
        logged(error, address, Stage.JUDGING)
        self.causes[address] = fault(error, Stage.JUDGING)
        return self.causes[address]

    def _lost(self, error: Exception, who: str) -> None:
        logged(error, who, Stage.JUDGING)
        self.cause = fault(error, Stage.JUDGING)


def _waits(action: Action, cause: Cause) -> Breach | None:
    if not action.lets_through:
        return None
    return Breach(Reason.FAULT, ANY_MACHINE, f"what it would let through is not known: {cause.message}")
