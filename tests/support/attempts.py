"""Attempts to keep a document, for the tests of what people are told: what `keep.py` hands over, made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from desired_state.fields import AclEntry, Address, rule_key
from reconciler.engine.result import Drift
from reconciler.model import ABSENT, Cause, Outcome, Reason
from reconciler.model.trigger import Actor, Source, Trigger
from reconciler.notify.alert import Alert
from reconciler.notify.alert_rules import find_alerts
from reconciler.report.attempt import AttemptResult, Ending
from tests.support.reports import GROUP, drift, report

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SSH = rule_key("tcp", 22, 22, "0.0.0.0/0")
HTTPS = rule_key("tcp", 443, 443, "0.0.0.0/0")
IDS = {GROUP: "sg-0a1b2c3d4e5f60718", Address("vpc/Main"): "vpc-0a1b2c3d4e5f60718"}
SOMEBODY = Actor(
    "arn:aws:iam::123456789012:user/kim",
    "AuthorizeSecurityGroupIngress",
    datetime(2026, 3, 1, 11, 58, tzinfo=UTC),
    "198.51.100.7",
    "aws-cli/2.30",
)
REPORT_ONLY = Cause(Reason.REPORT_ONLY, "this deployment only reports: SETPOINT_MODE is report")
FLAPPING = Cause(
    Reason.FLAPPING,
    "flapping: it came back each time it was corrected, so it is suppressed until 2026-03-01T13:00Z",
)
UNVERIFIED = Cause(Reason.UNVERIFIED, "whether it was corrected could not be verified: the next run looks again")


def completed(*drifts: Drift, source: Source = Source.SCHEDULE, **changes: Any) -> AttemptResult:
    """A run that saw the network and was to correct it. Fields of `AttemptResult` among the changes go there."""
    of_result = {name: changes.pop(name) for name in list(changes) if name in AttemptResult.__dataclass_fields__}
    seen = replace(report(*drifts, wrote=True), **{"ids": IDS, "vpc_id": "vpc-0a1b2c3d4e5f60718", **changes})
    return replace(AttemptResult("small", "run-1", Ending.COMPLETED, Trigger(source), seen), **of_result)


def ended(ending: Ending, source: Source = Source.SCHEDULE, **changes: Any) -> AttemptResult:
    """An attempt that has no report."""
    return replace(AttemptResult("small", "run-1", ending, Trigger(source)), **changes)


def extra(
    key: Any = SSH,
    outcome: Outcome | None = Outcome.CORRECTED,
    cause: Cause | None = None,
    field: str = "ingress",
    at: str = GROUP,
) -> Drift:
    """A rule that nobody declared."""
    return drift(field, key, ABSENT, None, outcome, cause, at)


def lacking(key: Any = HTTPS, outcome: Outcome | None = Outcome.CORRECTED, cause: Cause | None = None) -> Drift:
    """A declared rule that is not there."""
    return drift("ingress", key, None, ABSENT, outcome, cause)


def entry(action: str, cidr: str = "0.0.0.0/0", port: int = 22) -> AclEntry:
    return AclEntry(action, "tcp", port, port, cidr)


def only(result: AttemptResult) -> Alert:
    """The one alert of an attempt that has one."""
    found = find_alerts(result)
    assert len(found) == 1, [one.title for one in found]
    return found[0]


_HOSTILE = (
    "<!here>",
    "@channel",
    "<https://evil.example|click>",
    "https://evil.example/x",
    "www.evil.example",
    "*bold* _it_ ~no~",
    "`code`",
    "[a](https://evil.example)",
    "<script>alert(1)</script>",
    "a\nb\r\x00\x1b[31m",
    "\u202eabc\u2066\u200b\u2028\ufeff",
    "\ud800",
    "'; rm -rf / #",
    "$(reboot)",
    "안녕 \U0001f600",
    ":tada:",
    "long " * 200,
    "\U0001f600" * 700,
)
hostile = st.one_of(st.sampled_from(_HOSTILE), st.text(max_size=20))
"""What somebody could write into a name, a tag, a description, an ARN or a user agent."""
