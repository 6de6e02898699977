"""Sends again, at the end of a round, what AWS refused because of an IAM role that it may not know yet.

IAM is eventually consistent: a role that was just made is refused with the same words as one that lacks its trust
policy or its permissions (IAM user guide, Troubleshooting IAM; RDS user guide, Enhanced Monitoring). So every other
call goes first, a run waits a minute in all, and a difference that an earlier run left is not waited for: its role
is not new any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from desired_state.fields import Address
from reconciler.model import Action, ActionResult, Cause, Ended, Reason

PAUSES = (2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before each further attempt."""
FOR_THE_REST = 60.0
"""Seconds of the invocation that stay for what else a run has to do."""

type Perform = Callable[[Action], tuple[ActionResult, tuple[Ended, Cause] | None]]
"""One call: its result, and how every further one ends if none may be made any more."""


def sent_again(
    results: Iterable[ActionResult],
    perform: Perform,
    patience: Callable[[], float | None],
    sleep: Callable[[float], None],
    old: Callable[[Address, str], bool],
) -> list[ActionResult]:
    """The results, after what was refused because of a role was tried again while there is time. `old` says whether
    an earlier run left the difference in this field, `patience` how many seconds one may wait (None: for ever).
    """
    found = list(results)
    waiting = [
        index
        for index, one in enumerate(found)
        if _refused(one) and not any(old(*each) for each in one.action.resolves)
    ]
    for pause in PAUSES:
        if not waiting or not _is_enough(patience(), pause):
            break
        sleep(pause)
        for index in waiting:
            found[index], halted = perform(found[index].action)
            if halted:
                return found
        waiting = [index for index in waiting if _refused(found[index])]
    return found


def _is_enough(left: float | None, pause: float) -> bool:
    return left is None or left >= pause + FOR_THE_REST


def _refused(result: ActionResult) -> bool:
    return bool(result.cause and result.cause.reason is Reason.ROLE_NOT_ACCEPTED)
