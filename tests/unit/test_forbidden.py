"""What intents forbid the calls of a plan, whatever the rules of the same document say."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from desired_state.document import Document
from desired_state.fields import RuleKey
from desired_state.rules import Ingress, IngressEntries
from reconciler.engine.gate import gate
from reconciler.engine.plan import Plan
from reconciler.model import Cause, Outcome, Policy, Reason, Snapshot
from tests.support.worlds import (
    MORNING,
    OUTSIDE,
    REFERENCE,
    WEB,
    document,
    drifted,
    plan,
    seen,
)

PROXY = RuleKey("tcp", 8080, 8080, "0.0.0.0/0")


def contradicting(**intent: Any) -> Document:
    """The reference, with a rule that opens another port of the front door, and one intent that forbids that."""
    written = deepcopy(REFERENCE)
    group = written["resources"]["security_group"][WEB.name]
    group["ingress"].append({"protocol": "tcp", "ports": 8080, "source": "0.0.0.0/0"})
    only = {"name": "only the front door", "from": "internet", "to": "api", "protocol": "tcp", "ports": [80, 443]}
    written["intents"] = [{**only, "expect": "only", **intent}]
    return document(written)


def without(look: Snapshot, key: RuleKey) -> Snapshot:
    rules = {one: text for one, text in look.resources[WEB].spec.ingress.items() if one != key}
    return drifted(look, WEB, ingress=Ingress(rules))


def opened(found: Plan) -> list[str]:
    return [one.why for one in found.actions if one.operation.name == "AuthorizeSecurityGroupIngress"]


def test_a_rule_that_an_intent_forbids_is_not_made_and_the_intent_says_so() -> None:
    declared = contradicting()
    found = plan(declared, without(seen(declared), PROXY))
    assert opened(found) == []
    (finding,) = found.findings
    assert (finding.address, finding.outcome, finding.cause.reason) == (WEB, Outcome.HELD, Reason.HELD_BY_INTENT)
    assert finding.cause.message == (
        "the intent 'only the front door' forbids it: it would let tcp 8080 from the internet reach api; "
        "change the rule or the intent"
    )


def test_an_intent_that_only_reports_holds_nothing() -> None:
    declared = contradicting(enforcement="report")
    assert opened(plan(declared, without(seen(declared), PROXY))) == ["allow tcp 8080 from 0.0.0.0/0"]


def test_an_intent_that_only_reports_holds_nothing_beside_one_that_holds() -> None:
    declared = contradicting(enforcement="report")
    written = {"name": "https", "from": "internet", "to": "api", "protocol": "tcp", "ports": 443, "expect": "reachable"}
    declared = replace(declared, intents=(*declared.intents, *contradicting(**written).intents))
    assert opened(plan(declared, without(seen(declared), PROXY))) == ["allow tcp 8080 from 0.0.0.0/0"]


def test_what_is_let_through_already_is_not_made_again_by_it() -> None:
    """The intent is broken before: to open the rest of the list is not to add to that."""
    declared = contradicting()
    look = without(seen(declared), RuleKey("tcp", 443, 443, "0.0.0.0/0"))
    assert opened(plan(declared, look)) == ["allow tcp 443 from 0.0.0.0/0"]


PARTNER = "203.0.113.0/24"
PROMISE = {"name": "proxy", "from": PARTNER, "to": "api", "protocol": "tcp", "ports": 8080, "expect": "reachable"}
REST = {"name": "closed", "from": "internet", "except": [PARTNER], "to": "api", "protocol": "tcp", "ports": 8080}


def with_proxy_open(*intents: dict[str, Any]) -> Plan:
    """The plan that takes away a rule which the document does not have, and which lets everybody reach the proxy."""
    written = deepcopy(REFERENCE)
    written["intents"] = list(intents)
    declared = document(written)
    rules = seen(declared).resources[WEB].spec.ingress
    return plan(declared, drifted(seen(declared), WEB, ingress=Ingress({**rules, PROXY: ""})))


@pytest.mark.parametrize(
    "others",
    [(), ({**REST, "expect": "blocked", "to": "server"},), ({**REST, "expect": "blocked", "ports": 443},)],
    ids=["alone", "nothing is exposed elsewhere", "what is exposed elsewhere stays so"],
)
def test_a_call_that_breaks_a_kept_intent_and_closes_nothing_that_is_forbidden_is_held(
    others: tuple[dict[str, Any], ...],
) -> None:
    found = with_proxy_open(PROMISE, *others)
    (held,) = found.findings
    assert held.cause == Cause(
        Reason.HELD_BY_INTENT, "the intent 'proxy' forbids it: it would be broken; change the rule or the intent"
    )
    assert found.actions == ()


def test_what_makes_an_exposure_smaller_is_never_held_for_a_flow() -> None:
    found = with_proxy_open(PROMISE, {**REST, "expect": "blocked"})
    assert [one.why for one in found.actions] == ["revoke tcp 8080 from 0.0.0.0/0"]
    assert found.findings == ()


def test_no_fingerprint_releases_it() -> None:
    declared = contradicting()
    look = without(seen(declared), PROXY)
    found = plan(declared, look)
    gated = gate(found, declared, look, Policy(), MORNING, approved=found.fingerprint)
    assert gated.plan_held is None
    assert opened(found) == []


def test_a_document_without_intents_forbids_nothing() -> None:
    written = deepcopy(REFERENCE)
    written.pop("intents")
    declared = document(written)
    assert plan(declared, without(seen(declared), RuleKey("tcp", 443, 443, "0.0.0.0/0"))).forbids is None


@pytest.mark.parametrize("port", [22, 8080])
def test_a_mixture_of_two_layers_is_held_as_well(port: int) -> None:
    """The list is to be opened, and the undeclared rule behind it stays because somebody asked for that."""
    written = deepcopy(REFERENCE)
    acl = written["resources"]["network_acl"][OUTSIDE.name]["ingress"]
    acl["90"] = {"action": "allow", "protocol": "tcp", "ports": port, "source": "0.0.0.0/0"}
    written["resources"]["security_group"][WEB.name]["enforcement"] = "report"
    declared = document(written)
    look = seen(declared)
    entries = {n: one for n, one in look.resources[OUTSIDE].spec.ingress.items() if n not in {90, 120}}
    look = drifted(look, OUTSIDE, ingress=IngressEntries(entries))
    rules = {**look.resources[WEB].spec.ingress, RuleKey("tcp", port, port, "0.0.0.0/0"): ""}
    look = drifted(look, WEB, ingress=Ingress(rules))
    found = plan(declared, look)
    gated = gate(found, declared, look, Policy(), MORNING)
    causes = [gated.held.get(index) for index, one in enumerate(found.actions) if one.address == OUTSIDE]
    assert Reason.HELD_BY_INTENT in {cause.reason for cause in causes if cause}
