"""What people are told of intents: one alert each while it is broken, and one with the drift that broke it before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from desired_state.fields import Address
from reconciler.model import Outcome
from reconciler.model.exposure import Severity
from reconciler.notify.alert import Topic
from reconciler.notify.alert_rules import find_alerts
from reconciler.notify.chat import chat
from reconciler.notify.deduplication import Status, deduplicate
from reconciler.notify.event import detail
from reconciler.notify.message import origin_of, subject, text
from reconciler.report.attempt import AttemptResult
from reconciler.report.records import metrics, records
from tests.support.attempts import DAY, NOW, completed, extra
from tests.support.intents import CLOSED, OPENED, known

SAID = "tcp 22 from 1.0.0.0 (the internet) reaches server"
NOT_KNOWN = (("workloads.server", {"subnets": ["subnet/back"], "security_groups": ["security_group/app"]}),)
ROUTED = ("route_table.private.routes", {"0.0.0.0/0": "internet_gateway/door"})


def broken(**intent: Any) -> AttemptResult:
    judged = known(CLOSED | intent, before=OPENED, now=OPENED)
    return completed(intents=judged, findings=judged.findings)


def put_right(*drifts: Any, **changes: Any) -> AttemptResult:
    return completed(*drifts, intents=known(before=OPENED), **changes)


def test_a_broken_intent_is_one_alert_with_its_severity_and_the_way() -> None:
    (alert,) = find_alerts(broken())
    assert (alert.topic, alert.severity, alert.settled) == (Topic.INTENT, Severity.CRITICAL, False)
    assert alert.address == "intent/nobody reaches the back end"
    assert alert.title == "intent broken: nobody reaches the back end"
    assert alert.sentence == f"{SAID[:1].upper()}{SAID[1:]}."
    assert any("security_group/app in tcp 22 from 0.0.0.0/0" in one.what for one in alert.members)


@pytest.mark.parametrize("severity", ["critical", "high", "medium", "low"])
def test_the_severity_of_the_alert_is_the_one_that_the_intent_says(severity: str) -> None:
    for enforcement in ("hold", "report"):
        (alert,) = find_alerts(broken(severity=severity, enforcement=enforcement))
        assert alert.severity == severity


def test_what_was_corrected_is_told_with_the_drift_that_broke_it() -> None:
    (alert,) = find_alerts(put_right(extra()))
    assert alert.topic is Topic.DRIFT
    assert alert.severity is Severity.CRITICAL
    assert f"It broke the intent 'nobody reaches the back end': {SAID}." in alert.sentence
    assert alert.sentence.endswith("an ACL entry that denies cuts them.")


def test_what_is_kept_again_without_a_drift_of_this_run_is_an_alert_that_is_settled() -> None:
    (alert,) = find_alerts(put_right())
    assert (alert.topic, alert.settled) == (Topic.INTENT, True)
    assert alert.title == "intent was broken, and is kept again: nobody reaches the back end"
    assert alert.sentence.startswith(f"When this run began: {SAID}. It is not so any more.")


def test_the_first_run_of_a_version_tells_nothing_of_what_it_put_right() -> None:
    assert find_alerts(put_right(rollout=True)) == ()


def test_what_is_not_known_is_no_alert_and_no_event() -> None:
    opened = (("security_group.app.ingress", [{"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"}]), ROUTED)
    judged = known(before=(*NOT_KNOWN, *opened), now=(*NOT_KNOWN, *opened))
    result = completed(intents=judged, findings=judged.findings)
    assert [str(one.status) for one in judged.verdicts] == ["unknown"]
    assert find_alerts(result) == ()
    assert detail(result) is None
    assert metrics(result)["IntentsUnknown"] == 1
    assert [one["status"] for one in records(result) if one["record"] == "intent"] == ["unknown"]


def test_it_is_told_once_and_again_when_it_is_over() -> None:
    result = broken()
    first = deduplicate(find_alerts(result), {}, NOW, DAY, result)
    assert [one.status for one in first.notifications] == [Status.FIRING]
    later = deduplicate(find_alerts(result), first.remembered(), NOW + timedelta(hours=2), DAY, result)
    assert later.notifications == ()
    kept = completed(intents=known())
    over = deduplicate(find_alerts(kept), first.remembered(), NOW + timedelta(hours=3), DAY, kept)
    assert [(one.status, one.since) for one in over.notifications] == [(Status.RESOLVED, NOW)]


def test_what_is_no_longer_known_is_not_over() -> None:
    result = broken()
    first = deduplicate(find_alerts(result), {}, NOW, DAY, result)
    opened = (("security_group.app.ingress", [{"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"}]), ROUTED)
    unknown = completed(intents=known(before=(*NOT_KNOWN, *opened), now=(*NOT_KNOWN, *opened)))
    again = deduplicate(find_alerts(unknown), first.remembered(), NOW + timedelta(hours=3), DAY, unknown)
    assert again.notifications == ()
    assert [one.open for one in again.remembered().values()] == [True]


HOSTILE = "x\u202e<!here> https://evil.example \x1b[31m" + "y" * 200


def test_the_name_of_an_intent_is_somebodys_text_and_stays_inert() -> None:
    result = broken(name=HOSTILE)
    notified = deduplicate(find_alerts(result), {}, NOW, DAY, result)
    (one,) = notified.notifications
    here = origin_of(result)
    for told in (subject(one, here), text(one, here), chat(one, here)):
        assert "\u202e" not in told
        assert "\x1b" not in told
        assert "https://evil" not in told
    assert "<!here>" not in chat(one, here)
    assert len(subject(one, here)) < 100
    assert "y" * 100 not in one.title


def test_the_event_and_the_log_have_the_verdict_and_since_when() -> None:
    address = Address("intent/nobody reaches the back end")
    result = broken()
    told = completed(intents=result.report.intents, findings=result.report.findings, since={address: NOW})  # type: ignore[union-attr]
    (event,) = (detail(told) or {})["intents"]
    assert (event["status"], event["since"]) == ("broken", "2026-03-01T12:00:00Z")
    assert event["witness"]["traffic"] == "tcp 22"
    (record,) = [one for one in records(told) if one["record"] == "intent"]
    assert (record["outcome"], record["address"]) == (Outcome.BLOCKED.value, address)
    assert record["message"] == "Intent broken: nobody reaches the back end"
    assert metrics(told)["IntentsBroken"] == 1
