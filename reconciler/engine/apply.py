"""The only module that changes AWS: a gated plan, one call at a time, in order.

An action is done only if all it needs ended well; what takes something away is done only if everything made before it
at its address ended well. One failure stops what depends on it and nothing else. Answers are judged by the table in
`errors.py`; whether the world is now right is judged by the second look (`run.py`), never by an answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.aws.client import Aws, AwsError
from reconciler.aws.errors import LOST, Verdict, bare
from reconciler.engine.gate import Gate
from reconciler.engine.plan import Plan, printable
from reconciler.kinds import REGISTRY
from reconciler.model import Action, Attempt, Ended, Phase, Ref, Snapshot, refs

log = logging.getLogger(__name__)

NEWBORN_PAUSES = (1.0, 2.0, 4.0, 8.0)
"""How long a thing made a moment ago may be unknown to the next call: EC2 is eventually consistent."""


@dataclass(frozen=True)
class ApplyContext:
    """What applying works with. `may_start` is empty, or says why no further call may be started (time, a lost lease):
    it is asked once right before every write, and after a reason nothing is written any more. `stale` says whether the
    look that the plan rests on is too old to take anything away on.
    """

    aws: Aws
    sleep: Callable[[float], None]
    may_start: Callable[[], str]
    stale: Callable[[], bool]
    notice: Callable[[str], None]


def apply(plan: Plan, gate: Gate, snapshot: Snapshot, document: Document, hands: ApplyContext) -> tuple[Attempt, ...]:
    """What became of every action of the plan, in its order."""
    writer = _Writer(document, hands, dict(snapshot.handles))
    attempts: list[Attempt] = []
    spoiled: set[Address] = set()
    unclosed: list[Action] = []
    halted: Attempt | None = None
    for index, action in enumerate(plan.actions):
        unmet = [
            attempts[earlier] for earlier in sorted(plan.needs[index]) if attempts[earlier].ended is not Ended.DONE
        ]
        takes_away = action.operation.phase >= Phase.UNBIND or action.breaks > 0
        if index in gate.held:
            attempt = Attempt(action, Ended.HELD, gate.held[index])
        elif index in gate.left:
            attempt = Attempt(action, Ended.SKIPPED, gate.left[index])
        elif halted:
            attempt = Attempt(action, halted.ended, halted.message)
        elif unmet:
            attempt = Attempt(action, Ended.SKIPPED, f"it comes after: {unmet[0].action.why}, which {_fate(unmet[0])}")
        elif action.operation.phase >= Phase.UNBIND and not action.closes and action.address in spoiled:
            attempt = Attempt(action, Ended.SKIPPED, "nothing is taken away where something could not be made")
        elif gap := _gap(action, unclosed):
            attempt = Attempt(action, Ended.SKIPPED, f"it would open a way to what is still to be closed: {gap.why}")
        elif takes_away and hands.stale():
            attempt = Attempt(action, Ended.STALE, "the last look is too old to take anything away on")
        else:
            attempt, halted = writer.perform(action)
        if attempt.ended is not Ended.DONE and action.operation.phase <= Phase.BIND:
            spoiled.add(action.address)
        closing = action.touches_traffic and (action.closes or action.breaks > 0)
        if closing and attempt.ended not in {Ended.DONE, Ended.HELD}:
            unclosed.append(action)
        attempts.append(attempt)
    return tuple(attempts)


class _NotNowError(Exception):
    """No further call may be started, and why."""


def _gap(action: Action, unclosed: Iterable[Action]) -> Action | None:
    """What could not be closed and would be reached through `action`.

    A packet passes groups, ACLs and routes together, so what one of them still lets through by mistake must not be
    opened at another. What is held on purpose is no mistake: there the state of now is the one that somebody wants.
    """
    others = (one for one in unclosed if one.address.kind != action.address.kind)
    return next(others, None) if action.lets_through else None


def _fate(attempt: Attempt) -> str:
    return "did not end well" if attempt.ended in {Ended.FAILED, Ended.UNKNOWN} else f"is {attempt.ended.value}"


class _Writer:
    """Carries out actions; holds the ids known so far, which grow as things are made."""

    def __init__(self, document: Document, hands: ApplyContext, handles: dict[Ref, str]) -> None:
        self._document, self._hands, self._handles = document, hands, handles
        self._made: set[Ref] = set()

    def perform(self, action: Action) -> tuple[Attempt, Attempt | None]:
        """The attempt, and how every further action ends where none may be tried any more (None: go on)."""
        try:
            self._call(action)
        except AwsError as error:
            if action.parts and error.verdict is Verdict.LOOK_AGAIN:
                return self._one_by_one(action)
            over = Attempt(action, Ended.SKIPPED, str(error)) if error.verdict is Verdict.STOP else None
            return self._judge(action, error), over
        except LookupError as error:
            return Attempt(action, Ended.STALE, f"{error} is not there any more: the world has changed"), None
        except _NotNowError as error:
            waiting = Attempt(action, Ended.WAITING, str(error))
            return waiting, waiting
        return Attempt(action, Ended.DONE), None

    def _one_by_one(self, action: Action) -> tuple[Attempt, Attempt | None]:
        """A batch states many facts, so an error of it says nothing about each: every fact gets a call of its own."""
        bad: list[Attempt] = []
        halted: Attempt | None = None
        for part in action.parts:
            if not halted:
                attempt, halted = self.perform(part)
                bad += [attempt] if attempt.ended is not Ended.DONE else []
        if not bad:
            return Attempt(action, Ended.DONE), None
        return Attempt(action, bad[0].ended, "; ".join(one.message for one in bad)), halted

    def _judge(self, action: Action, error: AwsError) -> Attempt:
        settled = {bare(code) for code in action.operation.already_applied_codes}
        if not action.parts and bare(error.code) in settled:
            log.info("%s: %s is already so", action.address, action.why)
            return Attempt(action, Ended.DONE)
        log.warning("%s: %s: %s", action.address, action.why, error)
        if error.code == LOST:
            return Attempt(action, Ended.UNKNOWN, "AWS's answer was lost: only another look tells whether it was done")
        ended = {
            Verdict.RETRY: Ended.WAITING,
            Verdict.WAIT: Ended.WAITING,
            Verdict.LOOK_AGAIN: Ended.UNKNOWN if error.unsure else Ended.STALE,
        }.get(error.verdict, Ended.FAILED)
        return Attempt(action, ended, str(error))

    def _call(self, action: Action) -> None:
        params = self._resolved(action.params)
        answer = self._patiently(action, params)
        if action.gives and action.operation.yields:
            value: Any = answer
            for step in action.operation.yields.split("."):
                value = value.get(step, {})
            if not value:
                raise AwsError(action.operation.name, LOST, f"the answer has no {action.operation.yields}")
            self._handles[action.gives] = value
            if action.operation.phase is Phase.CREATE:
                self._made.add(action.gives)

    def _patiently(self, action: Action, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer; what was made a moment ago may be unknown at first, and only then is it worth asking again."""
        for pause in NEWBORN_PAUSES:
            try:
                return self._write(action, params)
            except AwsError as error:
                newborn = any(ref in self._made for ref in refs(action.params))
                if not (newborn and "notfound" in bare(error.code)):
                    raise
                self._hands.sleep(pause)
        return self._write(action, params)

    def _write(self, action: Action, params: Mapping[str, Any]) -> Mapping[str, Any]:
        if reason := self._hands.may_start():
            raise _NotNowError(reason)
        self._hands.notice(f"{action.address}: {action.why}")
        log.info("%s: %s (%s %s)", action.address, action.why, action.operation.permission, printable(action.params))
        return self._hands.aws.write(action.operation, params)

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, Ref):
            return self._id(value)
        if isinstance(value, Mapping):
            return {key: self._resolved(inner) for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._resolved(inner) for inner in value]
        return value

    def _id(self, ref: Ref) -> str:
        if ref not in self._handles and Ref(ref.to) in self._handles:
            # As the look named them: by address what is declared, by id all else, also what is ours and to be pruned.
            declared = self._document.resources
            names = {aws_id: one.to for one, aws_id in self._handles.items() if not one.handle and one.to in declared}
            for kind in REGISTRY.values():
                if read := kind.lazy_read(ref, self._handles[Ref(ref.to)]):
                    items = self._hands.aws.read(read)
                    self._handles |= dict(kind.lazy_handles(ref, items, self._document.scope.account_id, names))
        if ref not in self._handles:
            raise LookupError(str(ref))
        return self._handles[ref]
