"""What alerts say of a new revision: that it is held, or what it changes. Pure. Imported only where there is one.

What a revision means and what the run has changed to match it is one alert: both come from one upload.
"""

from __future__ import annotations

from desired_state.fields import shown
from reconciler.model import Outcome
from reconciler.model.exposure import Severity
from reconciler.notify.alert import Alert, Member, Topic, digest, fingerprint, short
from reconciler.report.attempt import AttemptResult
from reconciler.report.revision import announcement, hold, lines
from reconciler.revision.change import RevisionChange

_LINES = 60
"""The most lines of what a revision changes; the rest are counted."""


def held(result: AttemptResult, change: RevisionChange) -> Alert:
    """Nothing is open yet, so it is HIGH whatever it would open."""
    return Alert(
        fingerprint=fingerprint(result.document, Topic.REVISION_HELD),
        digest=short([Topic.REVISION_HELD.value, change.fingerprint]),
        corrected="",
        topic=Topic.REVISION_HELD,
        severity=Severity.HIGH,
        title=f"revision {change.number} is held",
        sentence=f"{hold(change)} {result.held}",
        members=_members(change),
        release=change.fingerprint,
        upload=result.upload,
    )


def accepted(result: AttemptResult, change: RevisionChange, done: tuple[Member, ...]) -> Alert:
    """What an accepted revision means, and what was `done` to match it. It is told once, so nothing of it is open."""
    topic = Topic.ROLLOUT if done else Topic.REVISION
    severity = min(change.severity, Severity.LOW, key=lambda one: one.rank) if done else change.severity
    sentence = f"{announcement(change)}{_rollback(result, change)}"
    if done:
        sentence = f"{sentence} The network was changed to match revision {change.number}."
    return Alert(
        fingerprint=fingerprint(result.document, topic),
        digest="",
        corrected=short([change.fingerprint, digest(done)]),
        topic=topic,
        severity=severity,
        title=f"revision {change.number} was {'applied' if done else 'accepted'}",
        sentence=sentence,
        members=(*_members(change), *done),
        upload=result.upload,
    )


def _rollback(result: AttemptResult, change: RevisionChange) -> str:
    """That it is a rollback, and why, as whoever uploaded it says."""
    document = result.report.document if result.report else None
    if document is None or document.rollback is None or document.revision != change.number:
        return ""
    note = document.rollback
    return f" It is a rollback to revision {note.to}{f': {shown(note.reason)}' if note.reason else ''}."


def _members(change: RevisionChange) -> tuple[Member, ...]:
    found = [Member(f"{one.severity}: {one}", Outcome.IN_SYNC) for one in lines(change)]
    more = [Member(f"and {len(found) - _LINES} more", Outcome.IN_SYNC)] if len(found) > _LINES else []
    return (*found[:_LINES], *more)
