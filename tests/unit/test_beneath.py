"""What stands open at a resource with somebody else's tags is told with its own severity, whatever kind it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from desired_state.document import Document, DocumentException
from desired_state.fields import AclEntry, Address, RuleKey
from desired_state.rules import Ingress, IngressEntries
from reconciler.engine.beneath import beneath
from reconciler.model import Cause, Finding, Outcome, Reason, Ref, Snapshot
from reconciler.model.exposure import Severity
from reconciler.notify.alert_rules import find_alerts
from tests.support.attempts import completed
from tests.support.worlds import DATABASE, DB, MORNING, WEB, aws_id, document, drifted, seen

DOCUMENT = document()
LOOK = seen(DOCUMENT)
ACL = next(iter(DOCUMENT.of_kind("network_acl")))
SSH = RuleKey("tcp", 22, 22, "0.0.0.0/0")
OFFICE = RuleKey("tcp", 22, 22, "10.9.0.0/16")
WHOSE = Cause(Reason.FOREIGN, "it belongs to the document 'other'")


def live(at: Address, field: str, *more: Any) -> Any:
    return {**getattr(LOOK.resources[at].spec, field), **dict(more)}


def disowned(look: Snapshot, at: Address, reason: Reason = Reason.FOREIGN) -> Snapshot:
    """The same look, when the tags of the resource say another document."""
    there = look.resources[at]
    return replace(
        look,
        resources={one: it for one, it in look.resources.items() if one != at},
        handles={ref: it for ref, it in look.handles.items() if ref != Ref(at)},
        ambiguous={at: replace(WHOSE, reason=reason)},
        candidates={there.id: at},
        neighbours={**look.neighbours, (at.kind, there.id): there},
    )


OPENED = {
    "a group open to the world": (WEB, {"ingress": Ingress(live(WEB, "ingress", (SSH, "")))}, Severity.CRITICAL),
    "a group open to a network": (DB, {"ingress": Ingress(live(DB, "ingress", (OFFICE, "")))}, Severity.HIGH),
    "an ACL open to the world": (
        ACL,
        {"ingress": IngressEntries(live(ACL, "ingress", (7, AclEntry("allow", "tcp", 22, 22, "0.0.0.0/0"))))},
        Severity.CRITICAL,
    ),
    "a public database": (DATABASE, {"publicly_accessible": True}, Severity.CRITICAL),
    "a group that lacks a rule": (WEB, {"ingress": Ingress()}, Severity.MEDIUM),
    "nothing": (WEB, {}, Severity.MEDIUM),
}


@pytest.mark.parametrize("reason", [Reason.FOREIGN, Reason.AMBIGUOUS])
@pytest.mark.parametrize(("at", "fields", "severity"), OPENED.values(), ids=OPENED)
def test_an_alert_of_foreign_tags_is_as_severe_as_what_stands_open(
    at: Address, fields: dict[str, Any], severity: Severity, reason: Reason
) -> None:
    look = disowned(drifted(LOOK, at, **fields), at, reason)
    finding = Finding(at, Outcome.BLOCKED, look.ambiguous[at])
    (alert,) = find_alerts(completed(findings=(finding,), beneath=beneath(DOCUMENT, look, MORNING), document=DOCUMENT))
    assert alert.severity is severity
    assert alert.sentence.count("It is not corrected: it belongs to the document 'other'.") == (
        severity is not Severity.MEDIUM
    )
    assert "It belongs to the document 'other'." in alert.sentence or severity is not Severity.MEDIUM


def test_another_opening_under_the_same_tags_is_another_alert() -> None:
    digests = set()
    for rules in ((), ((SSH, ""),), ((SSH, ""), (OFFICE, ""))):
        look = disowned(drifted(LOOK, WEB, ingress=Ingress(live(WEB, "ingress", *rules))), WEB)
        (alert,) = find_alerts(
            completed(findings=(Finding(WEB, Outcome.BLOCKED, WHOSE),), beneath=beneath(DOCUMENT, look, MORNING))
        )
        digests.add(alert.digest)
    assert len(digests) == 3


def test_the_own_rules_of_a_group_with_foreign_tags_are_no_opening() -> None:
    """Under its id, a group that refers to itself reads as another one."""
    own = RuleKey("tcp", 8080, 8080, aws_id(WEB))
    look = disowned(drifted(LOOK, WEB, ingress=Ingress(live(WEB, "ingress", (own, "")))), WEB)
    assert beneath(DOCUMENT, look, MORNING) == {}


@pytest.mark.parametrize("change", ["ignore", "exception"])
def test_what_the_document_leaves_alone_is_no_opening(change: str) -> None:
    look = disowned(drifted(LOOK, WEB, ingress=Ingress(live(WEB, "ingress", (SSH, "")))), WEB)
    assert beneath(left(change), look, MORNING) == {}


def left(change: str) -> Document:
    if change == "ignore":
        resources = {**DOCUMENT.resources, WEB: DOCUMENT.resources[WEB].but(enforcement="ignore")}
        return replace(DOCUMENT, resources=resources)
    exception = DocumentException(WEB, "ingress", SSH, MORNING.replace(year=MORNING.year + 1), "a test")
    return replace(DOCUMENT, exceptions=(exception,))


def test_of_several_that_may_be_the_declared_one_all_that_they_let_in_is_told() -> None:
    look = disowned(drifted(LOOK, WEB, ingress=Ingress(live(WEB, "ingress", (SSH, "")))), WEB)
    other = drifted(LOOK, WEB, ingress=Ingress(live(WEB, "ingress", (OFFICE, "")))).resources[WEB]
    twin = replace(other, id="sg-0twin")
    look = replace(
        look,
        candidates={**look.candidates, twin.id: WEB},
        neighbours={**look.neighbours, ("security_group", twin.id): twin},
    )
    assert {one.key for one in beneath(DOCUMENT, look, MORNING)[WEB]} == {SSH, OFFICE}


def test_a_resource_that_is_known_is_not_beneath_anything() -> None:
    """A copy of its tags elsewhere makes that a candidate; what it lets in is its own drift."""
    look = disowned(drifted(LOOK, WEB, ingress=Ingress(live(WEB, "ingress", (SSH, "")))), WEB)
    assert beneath(DOCUMENT, replace(look, ambiguous={}), MORNING) == {}
