"""The only module that changes AWS: a gated plan, one call at a time, in order.

An action is done only if all it needs ended well; what takes something away is done only if everything made before it
at its address ended well. One failure stops what depends on it and nothing else. Answers are judged by the table in
`errors.py`; whether the world is now right is judged by the second look (`run.py`), never by an answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.aws.client import Aws, AwsError
from reconciler.aws.errors import LOST, Verdict, bare
from reconciler.engine.gate import Gate
from reconciler.engine.plan import Plan, printable
from reconciler.kinds import REGISTRY
from reconciler.model import Action, ActionResult, Cause, Ended, Phase, Reason, Ref, Snapshot, refs

log = logging.getLogger(__name__)

CONSISTENCY_PAUSES = (1.0, 2.0, 4.0, 8.0)
"""How long a thing made a moment ago may be unknown to the next call: EC2 is eventually consistent."""


@dataclass(frozen=True)
class ApplyContext:
    """What applying works with. `may_start` says why no further call may be started (None: one may): it is asked once
    right before every write, and after a cause nothing is written any more. `stale` says whether the look that the plan
    rests on is too old to take anything away on. `notice` is told of every write before it is sent.
    """

    aws: Aws
    sleep: Callable[[float], None]
    may_start: Callable[[], Cause | None]
    stale: Callable[[], bool]
    notice: Callable[[str], None]


def apply(
    plan: Plan, gate: Gate, snapshot: Snapshot, document: Document, context: ApplyContext
) -> tuple[ActionResult, ...]:
    """What became of every action of the plan, in its order."""
    writer = _Writer(document, context, dict(snapshot.handles))
    results: list[ActionResult] = []
    spoiled: set[Address] = set()
    unclosed: list[Action] = []
    halted: tuple[Ended, Cause] | None = None
    for index, action in enumerate(plan.actions):
        unmet = [results[earlier] for earlier in sorted(plan.needs[index]) if results[earlier].ended is not Ended.DONE]
        takes_away = action.operation.phase >= Phase.UNBIND or action.breaks > 0
        if index in gate.held:
            result = ActionResult(action, Ended.HELD, gate.held[index])
        elif index in gate.deferred:
            result = ActionResult(action, Ended.SKIPPED, gate.deferred[index])
        elif halted:
            result = ActionResult(action, *halted)
        elif cause := _skipped(action, unmet, spoiled, unclosed):
            result = ActionResult(action, Ended.SKIPPED, cause)
        elif takes_away and context.stale():
            result = ActionResult(action, Ended.STALE, _TOO_OLD)
        else:
            result, halted = writer.perform(action)
        if result.ended is not Ended.DONE and action.operation.phase <= Phase.BIND:
            spoiled.add(action.address)
        closing = action.touches_traffic and (action.closes or action.breaks > 0)
        if closing and result.ended not in {Ended.DONE, Ended.HELD}:
            unclosed.append(action)
        results.append(result)
    return tuple(results)


_TOO_OLD = Cause(Reason.STALE, "the last look is too old to take anything away on")


def _skipped(
    action: Action, unmet: list[ActionResult], spoiled: Container[Address], unclosed: Iterable[Action]
) -> Cause | None:
    """Why an action is not tried after what happened before it; None if it may be."""
    if unmet:
        return Cause(Reason.DEPENDENCY, f"it comes after: {unmet[0].action.why}, which {_fate(unmet[0])}")
    if action.operation.phase >= Phase.UNBIND and not action.closes and action.address in spoiled:
        return Cause(Reason.DEPENDENCY, "nothing is taken away where something could not be created")
    if gap := _gap(action, unclosed):
        return Cause(Reason.WOULD_OPEN, f"it would open a way to what is still to be closed: {gap.why}")
    return None


class _NotPermittedError(Exception):
    """No further call may be started, and why."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.message)
        self.cause = cause


def _gap(action: Action, unclosed: Iterable[Action]) -> Action | None:
    """What could not be closed and would be reached through `action`.

    A packet passes groups, ACLs and routes together, so what one of them still lets through by mistake must not be
    opened at another. What is held on purpose is no mistake: there the state of now is the one that somebody wants.
    """
    others = (one for one in unclosed if one.address.kind != action.address.kind)
    return next(others, None) if action.lets_through else None


def _fate(result: ActionResult) -> str:
    return "did not end well" if result.ended in {Ended.FAILED, Ended.UNKNOWN} else f"is {result.ended.value}"


class _Writer:
    """Carries out actions; holds the ids known so far, which grow as things are made."""

    def __init__(self, document: Document, context: ApplyContext, handles: dict[Ref, str]) -> None:
        self._document, self._context, self._handles = document, context, handles
        self._made: set[Ref] = set()

    def perform(self, action: Action) -> tuple[ActionResult, tuple[Ended, Cause] | None]:
        """The result, and how every further action ends where none may be tried any more (None: go on)."""
        try:
            self._call(action)
        except AwsError as error:
            if action.parts and error.verdict is Verdict.LOOK_AGAIN:
                return self._one_by_one(action)
            result = self._judge(action, error)
            stop = error.verdict is Verdict.STOP and result.cause
            return result, (Ended.SKIPPED, result.cause) if stop and result.cause else None
        except LookupError as error:
            gone = Cause(Reason.STALE, f"{error} is not there any more: the world has changed")
            return ActionResult(action, Ended.STALE, gone), None
        except _NotPermittedError as error:
            halted = Ended.WAITING, error.cause
            return ActionResult(action, *halted), halted
        return ActionResult(action, Ended.DONE), None

    def _one_by_one(self, action: Action) -> tuple[ActionResult, tuple[Ended, Cause] | None]:
        """A batch states many facts, so an error of it says nothing about each: every fact gets a call of its own."""
        bad: list[ActionResult] = []
        halted: tuple[Ended, Cause] | None = None
        for part in action.parts:
            if not halted:
                result, halted = self.perform(part)
                bad += [result] if result.ended is not Ended.DONE else []
        if not bad:
            return ActionResult(action, Ended.DONE), None
        messages = "; ".join(one.message for one in bad)
        cause = bad[0].cause and replace(bad[0].cause, message=messages)
        return ActionResult(action, bad[0].ended, cause), halted

    def _judge(self, action: Action, error: AwsError) -> ActionResult:
        already = {bare(code) for code in action.operation.already_applied_codes}
        if not action.parts and bare(error.code) in already:
            log.info("%s: %s is already applied", action.address, action.why)
            return ActionResult(action, Ended.DONE)
        log.warning("%s: %s: %s", action.address, action.why, error)
        if error.code == LOST:
            lost = "AWS's answer was lost: only another look tells whether it was done"
            return ActionResult(action, Ended.UNKNOWN, Cause(Reason.ANSWER_LOST, lost, LOST))
        ended = {
            Verdict.RETRY: Ended.WAITING,
            Verdict.WAIT: Ended.WAITING,
            Verdict.LOOK_AGAIN: Ended.UNKNOWN if error.unsure else Ended.STALE,
        }.get(error.verdict, Ended.FAILED)
        return ActionResult(action, ended, error.cause)

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
        for pause in CONSISTENCY_PAUSES:
            try:
                return self._write(action, params)
            except AwsError as error:
                fresh = any(ref in self._made for ref in refs(action.params))
                if not (fresh and "notfound" in bare(error.code)):
                    raise
                self._context.sleep(pause)
        return self._write(action, params)

    def _write(self, action: Action, params: Mapping[str, Any]) -> Mapping[str, Any]:
        if cause := self._context.may_start():
            raise _NotPermittedError(cause)
        self._context.notice(f"{action.address}: {action.why}")
        log.info("%s: %s (%s %s)", action.address, action.why, action.operation.permission, printable(action.params))
        return self._context.aws.write(action.operation, params)

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
                if read := kind.observe.lazy_read(ref, self._handles[Ref(ref.to)]):
                    items = self._context.aws.read(read)
                    self._handles |= dict(kind.observe.lazy_handles(ref, items, self._document.scope.account_id, names))
        if ref not in self._handles:
            raise LookupError(str(ref))
        return self._handles[ref]
