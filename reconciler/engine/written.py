"""What a run has written to: what it created, and what changed hands meanwhile. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.kinds import REGISTRY
from reconciler.model import Action, ActionResult, Cause, Ended, Finding, Outcome, Phase, Reason, Snapshot


def created(document: Document, results: Iterable[ActionResult]) -> frozenset[Address]:
    """What these calls have created, or may have; with a VPC also what AWS creates together with it."""
    creates = [one for one in results if may_have_created(one)]
    addresses = {one.action.address for one in creates}
    if any(one.action.address == document.vpc and one.ended is Ended.DONE for one in creates):
        addresses |= {at for at, want in document.resources.items() if REGISTRY[at.kind].create.by_aws(at, want)}
    return frozenset(addresses)


def may_have_created(one: ActionResult) -> bool:
    """Whether a call that creates something was answered, or its answer was lost."""
    return one.action.operation.phase is Phase.CREATE and one.ended in {Ended.DONE, Ended.UNKNOWN}


def passed_on(first: Snapshot, last: Snapshot, results: Iterable[ActionResult]) -> Iterator[Finding]:
    """What the run wrote to, and is another resource in its last look: RDS has no precondition for a call, and a tag
    may pass to another resource at any time.
    """
    written = {at for one in results if wrote(one) for at in _about(one.action)}
    for address in sorted(written & first.resources.keys() & last.resources.keys()):
        was, now = first.resources[address].lasting_id, last.resources[address].lasting_id
        if was != now:
            noun = REGISTRY[address.kind].identify.noun
            message = f"the name {address.name} passed to another {noun} during the run: it was {was}, and is {now} now"
            cause = Cause(Reason.IDENTITY_CHANGED, f"{message}; look at both", f"{was} -> {now}")
            yield Finding(address, Outcome.FAILED, cause)


def wrote(one: ActionResult) -> bool:
    """Whether AWS has carried out the call, or may have: of a batch that was split, some of its parts."""
    split = bool(one.action.parts) and not one.action.settings and one.ended not in {Ended.HELD, Ended.SKIPPED}
    return split or one.ended in {Ended.DONE, Ended.UNKNOWN}


def _about(action: Action) -> set[Address]:
    return {action.address} | {address for address, _ in action.resolves}
