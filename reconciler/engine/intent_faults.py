"""What raises while an intent is judged costs the judgement of that intent, and never the run. Pure but for the log.

An intent that forbids something and cannot be judged may forbid any call that opens: those wait, and what only closes
goes on. One that only promises a flow forbids no opening, so without its judgement nothing waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from desired_state.intents import Intent
from reconciler.model import Action, Cause, Reason
from reconciler.model.exposure import Severity
from reconciler.model.guard import Stage, contained, fault, logged
from reconciler.reach.checkpoints import ANY_MACHINE
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.forbidden import Forbidden
from reconciler.reach.judge.intents import Status, Verdict, judge
from reconciler.reach.network import Network
from reconciler.reach.steps import Breach, Forbids

type Contexts = Callable[[Network], JudgeContext]


class Verdicts:
    """Judges intents, each by itself if they cannot be judged together. `faults` are the intents that raised, by their
    names.
    """

    def __init__(self) -> None:
        self.faults: dict[str, Cause] = {}

    def of(self, intents: Iterable[Intent], context: JudgeContext) -> tuple[Verdict, ...]:
        """What is known of each intent, in their order; of one that raises, that nothing is."""
        wanted = tuple(intents)
        try:
            return judge(wanted, context)
        except Exception:  # noqa: BLE001 (it is logged with the intent that raises)
            return tuple(self._alone(one, context) for one in wanted)

    def _alone(self, intent: Intent, context: JudgeContext) -> Verdict:
        def unknown(cause: Cause) -> Verdict:
            self.faults[intent.name] = cause
            return Verdict(intent, Status.UNKNOWN, Severity.LOW, unknown=(cause.message,))

        return contained(lambda: judge([intent], context)[0], unknown, who=_who(intent), stage=Stage.JUDGING)


class Forbidding:
    """What the intents have against the states that follow `look`, as `Forbidden` says it, whatever raises in one of
    them. `contexts` makes what judging a state needs.
    """

    def __init__(self, intents: Iterable[Intent], contexts: Callable[[], Contexts], look: Network) -> None:
        self._held = [one for one in intents if one.enforcement == "hold"]
        self._contexts, self._look = contexts, look
        self._forbidden: Forbidden | None = None
        self._unsure = ""

    def __call__(self, later: Network, action: Action) -> Breach | None:
        """What they have against this state, to which `action` leads; None if nothing."""
        while self._held and not self._unsure:
            try:
                self._forbidden = self._forbidden or self._made(self._held)
                return self._forbidden(later)
            except Exception as error:  # noqa: BLE001 (it is logged with the intent that raises)
                self._forbidden = None
                self._set_aside(later, error)
        return (
            Breach(Reason.HELD_BY_INTENT, ANY_MACHINE, self._unsure) if self._unsure and action.lets_through else None
        )

    def _made(self, intents: Iterable[Intent]) -> Forbidden:
        return Forbidden(intents, self._contexts(), self._look)

    def _set_aside(self, later: Network, error: Exception) -> None:
        """Go on without the intents that raise by themselves, if nothing is lost by that."""
        found = [(one, raised) for one in self._held if (raised := self._raised(one, later))]
        for one, raised in found:
            logged(raised, _who(one), Stage.JUDGING)
        self._held = [one for one in self._held if one not in (intent for intent, _ in found)]
        closed = [(one.name, raised) for one, raised in found if one.expect != "reachable"]
        if closed:
            name, raised = closed[0]
            self._unsure = f"whether the intent {name!r} forbids it is not known; {_said(raised)}"
        elif not found:
            logged(error, "the intents", Stage.JUDGING)
            self._unsure = f"whether an intent forbids it is not known; {_said(error)}"

    def _raised(self, intent: Intent, later: Network) -> Exception | None:
        try:
            self._made([intent])(later)
        except Exception as error:  # noqa: BLE001 (it is logged by who asks)
            return error
        return None


def nothing_opens(cause: Cause) -> Forbids:
    """What the intents forbid where it cannot even be made what does: every opening."""
    message = f"whether an intent forbids it is not known; {cause.message}"
    held = Breach(Reason.HELD_BY_INTENT, ANY_MACHINE, message)

    def against(_later: Network, action: Action) -> Breach | None:
        return held if action.lets_through else None

    return lambda look: against


def _said(error: Exception) -> str:
    return fault(error, Stage.JUDGING).message


def _who(intent: Intent) -> str:
    return f"intent {intent.name}"
