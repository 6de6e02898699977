"""One call after the other of a plan, sent to AWS, and how each ended: the only module that changes AWS.

`apply.py` decides which comes next. Settings that AWS refuses in one call are sent one by one. Errors are classified by
`aws/errors.py`.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count, islice
from types import MappingProxyType
from typing import Any

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.aws.client import Aws, AwsError
from reconciler.aws.errors import LOST, Reaction, bare, reaction
from reconciler.engine.again import Again
from reconciler.engine.expectation import Changed
from reconciler.engine.missing import unfound
from reconciler.engine.plan import printable
from reconciler.engine.progress import Progress
from reconciler.kinds import REGISTRY
from reconciler.model import Action, ActionResult, Cause, Ended, Phase, Reason, Ref, refs
from reconciler.model.guard import Stage, contained, fault, logged
from reconciler.model.kind import declared_ids

log = logging.getLogger(__name__)

CONSISTENCY_PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds to wait before each retry of a call that does not find a new resource: EC2 is eventually consistent."""
STILL_CREATED = "incorrectstate"
"""The code, as from `bare`, for a resource that is pending (EC2 API reference, Error codes)."""


SETTING_PAUSES = (2.0, 2.0, 4.0, 4.0, 8.0, 8.0, 16.0, 16.0)
"""Seconds that a run waits, in all, for a resource that carries out one setting before it takes the next."""


@dataclass(frozen=True)
class ApplyContext:
    """What `apply` needs. `may_start` says why no further call may be started (None: one may): it is called once before
    every write, and nothing is written after it returned a cause. `now` is the clock. `notice` is called before every
    write. `left` says whether an earlier run left the difference in a field of a resource.
    """

    aws: Aws
    sleep: Callable[[float], None]
    may_start: Callable[[], Cause | None]
    now: Callable[[], datetime]
    notice: Callable[[str], None]
    left: Callable[[str, str], bool] = lambda aws_id, field: False


def refusal(progress: Progress, action: Action) -> Cause | None:
    """Why an action must not come next: also if that cannot be judged."""
    return contained(lambda: progress.refusal(action), lambda cause: cause, who=action.address, stage=Stage.JUDGING)


TOKENS = 8
USED_TOKEN = "IdempotentParameterMismatch"  # noqa: S105 (an error code)


def tokens_of(document: Document, action: Action) -> Iterator[str]:
    """The ClientTokens of a call, always the same for a document, a revision of it and an address: at most 64 ASCII
    characters (EC2 developer guide, Ensuring idempotency).
    """
    for number in count():
        text = json.dumps([document.scope.account_id, document.name, document.revision, action.address, number])
        yield hashlib.sha256(text.encode()).hexdigest()


def _yielded(action: Action, answer: Mapping[str, Any]) -> str:
    """The id in the answer of a call; empty if the answer has none."""
    value: Any = answer
    for step in action.operation.yields.split("."):
        value = value.get(step, {})
    return value or ""


class _GoneError(LookupError):
    """The plan refers to something that is not known."""


class OutsideError(Exception):
    """What raised is not about the action: it ends the run. `raised` is what."""

    def __init__(self, raised: Exception) -> None:
        super().__init__(str(raised))
        self.raised = raised


class _NotPermittedError(Exception):
    """No further call may be started."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.message)
        self.cause = cause


class _ChangedError(Exception):
    """Somebody has changed what the call is about since it was looked at."""

    def __init__(self, changed: Changed) -> None:
        super().__init__(changed.cause.message)
        self.changed = changed


def _is_about_parameters(error: AwsError) -> bool:
    """Whether AWS refused a call for what it says, and not for the state of the resource."""
    return error.reaction in {Reaction.SKIP, Reaction.WAIT} and reaction(error.code) is Reaction.SKIP


def _is_busy(result: ActionResult) -> bool:
    """Whether AWS would take the call later: it carries out an earlier one."""
    return bool(result.cause and result.cause.reason is Reason.BUSY and reaction(result.cause.code) is Reaction.WAIT)


class Writer:
    """Carries out actions, and keeps the ids known so far, including those of new resources."""

    def __init__(
        self, document: Document, context: ApplyContext, handles: dict[Ref, str], progress: Progress, again: Again
    ) -> None:
        self._document, self._context, self._handles = document, context, handles
        self._progress, self._again = progress, again
        self._created: set[Ref] = set()
        self._accepted: set[Address] = set()
        self._pauses = list(SETTING_PAUSES)
        self._sent = False

    def perform(self, action: Action) -> tuple[ActionResult, tuple[Ended, Cause] | None]:
        """The result, and how every further action ends if none may be tried any more (None: continue)."""
        try:
            return self._perform(action)
        except OutsideError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever it is, the other calls are still made)
            return self._failed(action, error), None

    def _perform(self, action: Action) -> tuple[ActionResult, tuple[Ended, Cause] | None]:
        try:
            self._call(action)
        except AwsError as error:
            if action.parts and error.reaction is Reaction.LOOK_AGAIN and not action.settings:
                return self._one_by_one(action)
            if action.settings and _is_about_parameters(error):
                log.warning("%s: %s: %s: its settings are sent apart", action.address, action.why, error)
                return self._each_setting(action)
            result = self._judge(action, error)
            if result.ended in {Ended.DONE, Ended.UNKNOWN}:
                self._record(action, certain=result.ended is Ended.DONE)
            stop = error.reaction is Reaction.STOP and result.cause
            return result, (Ended.SKIPPED, result.cause) if stop and result.cause else None
        except _GoneError as error:
            gone = Cause(Reason.STALE, f"{error} no longer exists: something has changed since the last look")
            return ActionResult(action, Ended.STALE, gone), None
        except _ChangedError as error:
            self._progress.found(action, error.changed)
            return ActionResult(action, Ended.STALE, error.changed.cause), None
        except _NotPermittedError as error:
            halted = Ended.WAITING, error.cause
            return ActionResult(action, *halted), halted
        self._record(action, certain=not action.operation.takes_effect_later)
        self._accepted.add(action.address)
        return ActionResult(action, Ended.DONE), None

    def is_old(self, address: Address, field: str) -> bool:
        """Whether an earlier run left the difference in this field."""
        return self._context.left(self._handles.get(Ref(address), address), field)

    def _failed(self, action: Action, error: Exception) -> ActionResult:
        """Setpoint itself failed at the call: before it was sent, or at its answer."""
        logged(error, action.address, Stage.APPLYING)
        cause = fault(error, Stage.APPLYING)
        if not self._sent:
            return ActionResult(action, Ended.FAILED, cause)
        contained(
            lambda: self._record(action, certain=False), lambda cause: None, who=action.address, stage=Stage.APPLYING
        )
        return ActionResult(action, Ended.UNKNOWN, cause)

    def _record(self, action: Action, *, certain: bool) -> None:
        self._progress.record(action, certain=certain)
        self._again.record(action, certain=certain)

    def _one_by_one(self, action: Action) -> tuple[ActionResult, tuple[Ended, Cause] | None]:
        """The parts of a batch, one call each: the error of a batch does not say which of its parts failed."""
        failed: list[ActionResult] = []
        halted: tuple[Ended, Cause] | None = None
        for part in action.parts:
            if not halted:
                result, halted = self.perform(part)
                failed += [result] if result.ended is not Ended.DONE else []
        if not failed:
            return ActionResult(action, Ended.DONE), None
        messages = "; ".join(result.message for result in failed)
        cause = failed[0].cause and replace(failed[0].cause, message=messages)
        return ActionResult(action, failed[0].ended, cause), halted

    def without(self, action: Action, cause: Cause) -> tuple[ActionResult, tuple[Ended, Cause] | None]:
        """The result of an action that is skipped. Of several settings, those are sent alone that need nothing else."""
        skipped = {i: cause for i, one in enumerate(action.parts) if one.after or one.before or any(refs(one.params))}
        if not action.settings or len(skipped) == len(action.parts):
            return ActionResult(action, Ended.SKIPPED, cause), None
        return self._each_setting(action, skipped)

    def _each_setting(
        self, action: Action, skipped: Mapping[int, Cause] = MappingProxyType({})
    ) -> tuple[ActionResult, tuple[Ended, Cause] | None]:
        """The parts of a call that was refused as a whole, because of one of its settings: what closes comes first. A
        part that is refused is taken apart again, so that each setting has a result of its own. Together they were
        safe, so each part is judged again before it is sent.
        """
        results: list[ActionResult] = []
        halted: tuple[Ended, Cause] | None = None
        self._progress.uneven = True
        for index, part in enumerate(action.parts):
            if halted:
                results.append(ActionResult(part, *halted))
            elif cause := skipped.get(index) or refusal(self._progress, part):
                results.append(ActionResult(part, Ended.SKIPPED, cause))
            else:
                result, halted = self.perform(part)
                while self._pauses and _is_busy(result) and part.address in self._accepted:
                    self._context.sleep(self._pauses.pop(0))
                    result, halted = self.perform(part)
                results.append(result)
        undone = next((one for one in results if one.ended is not Ended.DONE), None)
        ended, why = (undone.ended, undone.cause) if undone else (Ended.DONE, None)
        return ActionResult(action, ended, why, tuple(results)), halted

    def _judge(self, action: Action, error: AwsError) -> ActionResult:
        already = {bare(code) for code in action.operation.already_applied_codes}
        if not action.parts and bare(error.code) in already:
            if action.effect and not self._again.in_force(action):
                log.warning("%s: %s: AWS says it is there and does not show it", action.address, action.why)
                unseen = f"{error}: it is said to be there already, and no look shows it, so nothing follows from it"
                return ActionResult(action, Ended.FAILED, Cause(Reason.NOT_VISIBLE_YET, unseen, error.code))
            log.info("%s: %s is already applied", action.address, action.why)
            return ActionResult(action, Ended.DONE)
        log.warning("%s: %s: %s", action.address, action.why, error)
        if error.code == LOST:
            lost = "AWS's answer was lost: only another look tells whether it was done"
            return ActionResult(action, Ended.UNKNOWN, Cause(Reason.ANSWER_LOST, lost, LOST))
        if gone := unfound(action, error.cause, old=any(self.is_old(*each) for each in action.resolves)):
            return gone
        ended = {
            Reaction.RETRY: Ended.WAITING,
            Reaction.WAIT: Ended.WAITING,
            Reaction.LOOK_AGAIN: Ended.UNKNOWN if error.unsure else Ended.STALE,
        }.get(error.reaction, Ended.FAILED)
        return ActionResult(action, ended, error.cause)

    def _call(self, action: Action) -> None:
        self._sent = False
        params = self._resolved(action.params)
        answer = self._once(action, params)
        if action.gives and action.operation.yields:
            value = _yielded(action, answer)
            if not value:
                raise AwsError(action.operation.name, LOST, f"the answer has no {action.operation.yields}")
            self._handles[action.gives] = value
            if action.operation.phase is Phase.CREATE:
                self._created.add(action.gives)

    def _once(self, action: Action, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer of a call that makes the same thing however often it is sent, if AWS takes a token for that. A
        token whose thing was deleted since, or was made in another VPC, is refused: then the next one is taken, and
        also if it made what the look has seen, which was found not to be the resource.
        """
        tokens = (
            list(islice(tokens_of(self._document, action), TOKENS))
            if action.operation.takes_token and action.gives and not action.gives.handle
            else []
        )
        for token in tokens:
            try:
                answer = self._patiently(action, {**params, "ClientToken": token})
            except AwsError as error:
                if error.code != USED_TOKEN:
                    raise
            else:
                if not self._again.saw(_yielded(action, answer)):
                    return answer
        return self._patiently(action, params)

    def _patiently(self, action: Action, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer. A call that names a new resource is retried while AWS does not find it, or is still creating it;
        no other call is.
        """
        for pause in CONSISTENCY_PAUSES:
            try:
                return self._write(action, params)
            except AwsError as error:
                fresh = any(ref in self._created for ref in refs(action.params))
                if not (fresh and ("notfound" in bare(error.code) or bare(error.code) == STILL_CREATED)):
                    raise
                self._context.sleep(pause)
        return self._write(action, params)

    def _write(self, action: Action, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self._check(action)
        try:
            cause = self._context.may_start()
            if not cause:
                self._context.notice(f"{action.address}: {action.why}")
        except Exception as error:
            raise OutsideError(error) from error
        if cause:
            raise _NotPermittedError(cause)
        log.info("%s: %s (%s %s)", action.address, action.why, action.operation.permission, printable(action.params))
        try:
            return self._context.aws.write(action.operation, params, lambda: self._check(action))
        finally:
            self._sent = True

    def _check(self, action: Action) -> None:
        if changed := self._again.problem(action):
            raise _ChangedError(changed)

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
            # The same names as in a look: the address of what is declared, the id of all else, even if it is owned.
            names = dict(declared_ids(self._handles, self._document))
            for kind in REGISTRY.values():
                if read := kind.observe.lazy_read(ref, self._handles[Ref(ref.to)]):
                    items = self._context.aws.read(read)
                    self._handles |= dict(kind.observe.lazy_handles(ref, items, self._document.scope.account_id, names))
        if ref not in self._handles:
            raise _GoneError(str(ref))
        return self._handles[ref]
