"""What people read of a version while it is rolled out: what it changes, what was done, and what is left."""

from __future__ import annotations

import pytest

from desired_state.fields import rule_key
from reconciler.model import Cause, Outcome, Reason
from reconciler.model.exposure import Severity
from reconciler.notify.alert import Topic, fingerprint
from reconciler.notify.alert_rules import find_alerts
from reconciler.revision.change import RevisionChange
from reconciler.revision.compare import compare
from tests.support.attempts import completed, lacking
from tests.support.reports import document

NUMBER = document().revision
CHANGE = compare(None, document())
HELD = Cause(Reason.HOLD_TAG, "held by a tag")
APPLIED, NOT_DONE = f"The network was changed to match revision {NUMBER}.", "Not done yet: {} that it makes."


@pytest.mark.parametrize("change", [None, CHANGE])
@pytest.mark.parametrize("held", ["", "the one before is enforced"])
@pytest.mark.parametrize(("done", "left"), [(1, 0), (0, 1), (2, 0), (0, 2), (2, 2)])
def test_of_a_version_it_is_told_what_it_changes_what_was_done_and_what_is_left(
    change: RevisionChange | None, held: str, done: int, left: int
) -> None:
    keys = [rule_key("tcp", port, port, "10.0.0.0/8") for port in range(done + left)]
    drifts = [
        lacking(key) if at < done else lacking(key, outcome=Outcome.HELD, cause=HELD) for at, key in enumerate(keys)
    ]
    found = find_alerts(completed(*drifts, rollout=True, change=change, held=held))
    (one,) = [each for each in found if each.topic is Topic.ROLLOUT]
    assert {each.topic for each in found} == {Topic.ROLLOUT} | ({Topic.REVISION_HELD} if change and held else set())
    changes, told = f"{left} change{'' if left == 1 else 's'}", change is not None and not held
    title = f"is being rolled out: {changes} left" if left else "was applied"
    assert (one.title, one.fingerprint) == (f"revision {NUMBER} {title}", fingerprint("small", Topic.ROLLOUT))
    assert (bool(one.digest), bool(one.corrected)) == (bool(left), bool(done or told))
    assert [member.outcome for member in one.members[-done - left :]] == [
        *[Outcome.CORRECTED] * done,
        *[Outcome.HELD] * left,
    ]
    assert [member.why for member in one.members if member.outcome is Outcome.HELD] == ["held by a tag"] * left
    said = [*([APPLIED] if done else []), *([NOT_DONE.format(changes)] if left else [])]
    assert one.sentence.endswith(" ".join(said))
    assert (one.sentence == " ".join(said)) is not told
    assert one.severity is Severity.LOW or told


def test_a_version_that_changes_nothing_here_is_told_as_accepted_unless_it_is_held() -> None:
    (one,) = find_alerts(completed(rollout=True, change=CHANGE))
    assert (one.topic, one.digest) == (Topic.REVISION, "")
    (held,) = find_alerts(completed(rollout=True, change=CHANGE, held="the one before is enforced"))
    assert held.topic is Topic.REVISION_HELD
    assert find_alerts(completed(rollout=True)) == ()
